//! Strikes: what somebody has done, until it is forgotten.

use jackfield_plugin::prelude::*;

/// How many are too many, and what then.
#[data]
#[serde(default)]
pub struct Strikes {
    limit: u32,
    decay_hours: u32,
    mute_minutes: u32,
}

impl Default for Strikes {
    fn default() -> Self {
        Self { limit: 3, decay_hours: 24, mute_minutes: 60 }
    }
}

/// What is kept of somebody.
#[data]
struct Record {
    strikes: u32,
    /// Since when the oldest of them is fading.
    since: i64,
}

/// When somebody may speak again.
#[data]
struct Mute {
    until: i64,
    /// By a message that is held, of which they have not read so far that it mutes them.
    #[serde(default)]
    by_held: bool,
}

impl Strikes {
    /// Gives somebody strikes, for a message that is held or for another. Answers what they are told where that mutes them.
    pub fn add(&self, user: &str, strikes: u32, is_held: bool) -> Result<Option<String>> {
        if strikes == 0 {
            return Ok(None);
        }
        let record = kv::update(&strikes_key(user), Some(self.lifetime(strikes)), |there: Option<Record>| {
            let there = self.left(there);
            Record { strikes: there.strikes.saturating_add(strikes).min(self.limit), ..there }
        })?;
        if record.strikes < self.limit {
            return Ok(None);
        }
        let until = clock::now() + i64::from(self.mute_minutes) * 60_000;
        kv::set_for(&mute_key(user), &Mute { until, by_held: is_held }, self.mute_minutes.saturating_mul(60))?;
        log::info(format!("{user} is muted for {} minutes", self.mute_minutes));
        Ok(Some(format!("You are muted for {} minutes.", self.mute_minutes)))
    }

    /// Takes so many back, as far as they have not been forgotten; who has fewer than too many then may speak again.
    pub fn take_back(&self, user: &str, strikes: u32) -> Result<()> {
        let there = kv::get::<Record>(&strikes_key(user))?;
        if strikes == 0 || there.is_none() {
            return Ok(());
        }
        let record = kv::update(&strikes_key(user), Some(self.lifetime(0)), |there: Option<Record>| {
            let there = self.left(there);
            Record { strikes: there.strikes.saturating_sub(strikes), ..there }
        })?;
        if record.strikes < self.limit { kv::delete(&mute_key(user)) } else { Ok(()) }
    }

    /// It is forgotten as a whole when the last of as many strikes as there can be is.
    fn lifetime(&self, strikes: u32) -> u32 {
        self.decay_hours.saturating_mul(3600).saturating_mul(self.limit.saturating_add(strikes))
    }

    /// What has not been forgotten by now.
    fn left(&self, there: Option<Record>) -> Record {
        let now = clock::now();
        let Some(there) = there else { return Record { strikes: 0, since: now } };
        let lifetime = i64::from(self.decay_hours) * 3_600_000;
        let forgotten = (now - there.since).max(0) / lifetime.max(1);
        let strikes = there.strikes.saturating_sub(u32::try_from(forgotten).unwrap_or(u32::MAX));
        if strikes == 0 {
            Record { strikes, since: now }
        } else {
            Record { strikes, since: there.since + forgotten * lifetime }
        }
    }

    /// In words, for moderators.
    pub fn tell(&self, user: &str) -> Result<String> {
        let record = self.left(kv::get(&strikes_key(user))?);
        let strikes = match record.strikes {
            0 => "No strikes".to_owned(),
            1 => format!("1 strike of {}", self.limit),
            strikes => format!("{strikes} strikes of {}", self.limit),
        };
        Ok(match kv::get::<Mute>(&mute_key(user))? {
            Some(mute) => format!("{strikes}, muted for another {}.", minutes(mute.until)),
            None => format!("{strikes}."),
        })
    }
}

/// Why somebody may not speak, if they may not.
pub fn muted(user: &str) -> Result<Option<Refusal>> {
    let mute = kv::get::<Mute>(&mute_key(user))?;
    Ok(mute.map(|mute| {
        let why = if mute.by_held { " A message of yours that waits for a moderator was one too many." } else { "" };
        Refusal::new("MUTED", format!("You are muted for another {}.{why}", minutes(mute.until)))
    }))
}

/// Forgets everything.
pub fn pardon(user: &str) -> Result<()> {
    kv::delete(&strikes_key(user))?;
    kv::delete(&mute_key(user))
}

fn strikes_key(user: &str) -> String {
    format!("strikes/{user}")
}

fn mute_key(user: &str) -> String {
    format!("mute/{user}")
}

fn minutes(until: i64) -> String {
    match (until - clock::now() + 59_999).max(0) / 60_000 {
        1 => "minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}
