//! When a schedule is due: cron, in UTC, so that it means the same on every node.

use cronexpr::Crontab;
use jackfield_domain::Timestamp;

use super::Schedule;

impl Schedule {
    /// The next time after a moment, where its times are named. Every node says the same of it.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_millisecond(moment.0).ok()?;
        let next = times(self.cron.as_ref()?).ok()?.find_next(after).ok()?;
        Some(Timestamp(next.timestamp().as_millisecond()))
    }

    /// Can it be read, and is there such a time?
    pub(super) fn check(&self) -> Result<(), String> {
        let Some(cron) = &self.cron else { return Ok(()) };
        times(cron).map_err(|what| format!("`cron` cannot be read: {what}"))?;
        self.next_after(Timestamp(0)).map(drop).ok_or_else(|| "the time that `cron` names never comes".to_owned())
    }
}

fn times(cron: &str) -> Result<Crontab, String> {
    format!("{cron} UTC").parse().map_err(|error: cronexpr::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_at_the_times_that_cron_names_and_after_the_moment() {
        let next = |cron: &str, after: &str| {
            let schedule = Schedule { name: "any".to_owned(), cron: Some(cron.to_owned()) };
            let after: Timestamp = after.parse().expect("a moment");
            schedule.next_after(after).map(|next| next.to_string())
        };
        for (cron, after, expected) in [
            ("0 2 * * *", "2027-01-15T01:59:59.999Z", "2027-01-15T02:00:00.000Z"),
            ("0 2 * * *", "2027-01-15T02:00:00.000Z", "2027-01-16T02:00:00.000Z"),
            ("*/15 * * * *", "2027-01-15T02:00:01.000Z", "2027-01-15T02:15:00.000Z"),
            ("0 0 29 2 *", "2027-01-15T02:00:00.000Z", "2028-02-29T00:00:00.000Z"),
        ] {
            assert_eq!(next(cron, after).as_deref(), Some(expected), "{cron} after {after}");
        }
        assert_eq!(next("61 * * * *", "2027-01-15T02:00:00.000Z"), None);
    }
}
