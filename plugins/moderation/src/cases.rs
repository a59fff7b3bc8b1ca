//! Cases: what was found in messages and what became of it, for moderators to look through and to decide about.
//!
//! They are part of the plugin's own data, and there are only so many: what is found is made by whoever writes, and must not fill the
//! room that strikes and floods are counted in. Nothing here is touched by a message in which nothing is found.

use jackfield_plugin::prelude::*;

/// So many are kept. Each has some 2,500 bytes at most, so that all of them take half of the room that there is.
const KEPT: u32 = 2_000;
/// For so long.
const KEPT_SECONDS: u32 = 90 * 24 * 60 * 60;
/// What a case names of rules, and of what they found.
const NAMED: usize = 3;
/// What a moderator notes has at most so many characters.
const NOTE_MAX_CHARACTERS: usize = 500;
/// How many have been opened so far.
const COUNT: &str = "cases";
const PREFIX: &str = "case_";

/// What became of a message.
#[data]
#[derive(Copy, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    Rejected,
    Held,
    Masked,
    Flagged,
}

/// Something that was found.
#[data]
pub struct Case {
    pub outcome: Outcome,
    pub user: String,
    pub conversation: String,
    /// Once there is one.
    pub message: Option<String>,
    pub rules: Vec<String>,
    /// The words that it was found by, and none of what stood around them.
    pub found: Vec<String>,
    pub strikes: u32,
    pub opened_at: i64,
    #[serde(default)]
    pub decision: Option<Decision>,
}

/// What a moderator has decided.
#[data]
pub struct Decision {
    resolution: Resolution,
    note: Option<String>,
    moderator: String,
    is_pardoned: bool,
    decided_at: i64,
}

#[data]
#[derive(Copy, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Resolution {
    Upheld,
    Dismissed,
}

#[data]
#[derive(Copy, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Open,
    Resolved,
}

/// Which cases somebody wants to see.
#[data]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    first: usize,
    after: Option<String>,
    state: Option<State>,
    user_id: Option<String>,
}

/// What a moderator wants to decide.
#[data]
pub struct Resolve {
    pub id: String,
    pub resolution: Resolution,
    pub note: Option<String>,
    pub pardon: bool,
}

impl Case {
    /// Keeps it, and answers its id. Those opened last come first, and whatever is beyond the end is forgotten.
    pub fn open(mut self) -> Result<String> {
        self.rules.truncate(NAMED);
        self.found.truncate(NAMED);
        // Whoever opens one at the same time may get the same number, which is only its place; the rest of the id is its own.
        let number = u32::try_from(kv::increment(COUNT, 1, None)?).unwrap_or(u32::MAX);
        if let Some(oldest) = number.checked_sub(KEPT) {
            // More than one, so that those that came at the same time go as well.
            let (forgotten, _) = kv::scan_page::<Value>(PREFIX, Some(&place(oldest)), 4)?;
            forgotten.iter().try_for_each(|(id, _)| kv::delete(id))?;
        }
        let id = format!("{}{:08x}", place(number), random::number() & u64::from(u32::MAX));
        kv::set_for(&id, &self, KEPT_SECONDS)?;
        Ok(id)
    }

    fn state(&self) -> State {
        if self.decision.is_some() { State::Resolved } else { State::Open }
    }

    /// As the schema has it.
    fn shown(&self, id: &str) -> Value {
        let decision = self.decision.as_ref().map(|decision| {
            json!({
                "resolution": decision.resolution, "note": decision.note, "moderator": decision.moderator,
                "isPardoned": decision.is_pardoned, "decidedAt": decision.decided_at,
            })
        });
        json!({
            "id": id, "state": self.state(), "outcome": self.outcome, "user": self.user, "conversation": self.conversation,
            "message": self.message, "rules": self.rules, "found": self.found, "strikes": self.strikes,
            "openedAt": self.opened_at, "decision": decision,
        })
    }

    /// Puts another version of it where it is, for as long as it is still to be kept.
    fn change(id: &str, there: Case, change: impl FnOnce(&mut Case)) -> Result<Case> {
        let age = u32::try_from((clock::now() - there.opened_at).max(0) / 1_000).unwrap_or(u32::MAX);
        kv::update(id, Some(KEPT_SECONDS.saturating_sub(age).max(1)), |again: Option<Case>| {
            let mut case = again.unwrap_or(there);
            change(&mut case);
            case
        })
    }
}

/// The message that it is about is there.
pub fn sent(id: &str, message: &str) -> Result<()> {
    if let Some(there) = kv::get::<Case>(id)? {
        Case::change(id, there, |case| case.message = Some(message.to_owned()))?;
    }
    Ok(())
}

/// A page of them, the newest first. All that there are can be looked through in one call.
pub fn page(asked: &Asked) -> Result<Value> {
    if !(1..=100).contains(&asked.first) {
        return Err(Failure::new("`first` is from 1 to 100"));
    }
    if asked.after.as_deref().is_some_and(|after| !is_id(after)) {
        return Err(Failure::new("`after` is no cursor of this list"));
    }
    let is_wanted = |case: &Case| {
        asked.state.is_none_or(|state| state == case.state())
            && asked.user_id.as_ref().is_none_or(|user| *user == case.user)
    };
    let mut found: Vec<(String, Case)> = Vec::new();
    let mut after = asked.after.clone();
    let mut has_more = true;
    while has_more && found.len() <= asked.first {
        let (entries, more) = kv::scan_page::<Case>(PREFIX, after.as_deref(), 100)?;
        after = entries.last().map(|(id, _)| id.clone());
        has_more = more && after.is_some();
        found.extend(entries.into_iter().filter(|(_, case)| is_wanted(case)));
    }
    let has_next = found.len() > asked.first;
    found.truncate(asked.first);
    let cases: Vec<Value> = found.iter().map(|(id, case)| case.shown(id)).collect();
    Ok(json!({ "cases": cases, "hasNextPage": has_next, "endCursor": found.last().map(|(id, _)| id) }))
}

/// The cases of these ids, in their order; null where there is none.
pub fn of(ids: &[Option<String>]) -> Result<Vec<Value>> {
    let known: Vec<String> = ids.iter().flatten().cloned().collect();
    let mut cases = Vec::new();
    for some in known.chunks(100) {
        cases.extend(kv::get_many::<Case>(some)?);
    }
    let mut cases = cases.into_iter();
    let mut shown = |id: &String| cases.next().flatten().map(|case| case.shown(id));
    Ok(ids.iter().map(|id| id.as_ref().and_then(&mut shown).unwrap_or_default()).collect())
}

/// What came of a decision.
pub enum Decided {
    /// The case as it is shown, and the strikes that are to be taken back.
    Done {
        case: Value,
        user: String,
        strikes: u32,
    },
    Refused(MutationAnswer),
}

pub fn none() -> MutationAnswer {
    MutationAnswer::refuse("CASE_NOT_FOUND", "There is no such case.")
}

/// Decides about a case, once.
pub fn resolve(wanted: Resolve, moderator: &str) -> Result<Decided> {
    let Resolve { id, resolution, note, pardon } = wanted;
    let refused = |answer| Ok(Decided::Refused(answer));
    if note.as_ref().is_some_and(|note| note.chars().count() > NOTE_MAX_CHARACTERS) {
        let why = format!("A note has at most {NOTE_MAX_CHARACTERS} characters.");
        return refused(MutationAnswer::refuse("NOTE_TOO_LONG", why));
    }
    // Whatever else stands under keys is nobody's case.
    let there = if is_id(&id) { kv::get::<Case>(&id)? } else { None };
    let Some(there) = there else { return refused(none()) };
    let decision =
        Decision { resolution, note, moderator: moderator.to_owned(), is_pardoned: pardon, decided_at: clock::now() };
    // Somebody else may have decided since it was read.
    let mut is_resolved = false;
    let case = Case::change(&id, there, |case| {
        is_resolved = case.decision.is_some();
        case.decision.get_or_insert(decision);
    })?;
    if is_resolved {
        return refused(MutationAnswer::refuse("CASE_RESOLVED", "Somebody has decided about this already."));
    }
    let strikes = if pardon { case.strikes } else { 0 };
    Ok(Decided::Done { case: case.shown(&id), user: case.user, strikes })
}

/// The beginning of the ids of those that were opened as the so-manieth. Later ones come before earlier ones.
fn place(number: u32) -> String {
    format!("{PREFIX}{:08x}", u32::MAX - number)
}

fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}
