//! Looking for what is old: conversation by conversation, in slices of at most 500 messages, and what is told of it.

use conversations::ConversationFilter;
use jackfield_plugin::{prelude::*, serde_json};
use retention::Step;

use crate::{Retention, days_ago, rules};

/// So many messages are taken away in one slice.
const MESSAGES: u32 = 500;
/// So many conversations are looked at in one slice, and so often within them.
const CONVERSATIONS: u32 = 1_000;
const LOOKS: u32 = 200;
/// Reports are kept so long.
const KEPT_SECONDS: u32 = 366 * 24 * 60 * 60;
const REPORT: &str = "report/";

/// How far a run has come.
#[data]
#[derive(Default)]
struct Place {
    /// The last conversation that is done.
    done: Option<String>,
    /// In the one after it: whether what is to be hidden was, and behind which message to go on.
    is_hidden: bool,
    sequence: u64,
    /// Whether anything of it stands in the report.
    is_told: bool,
}

/// What was done in a run.
#[data]
#[derive(Default)]
pub struct Report {
    pub started_at: i64,
    pub finished_at: Option<i64>,
    pub conversations: u64,
    pub hidden: u64,
    pub purged: u64,
    pub held: u64,
}

/// What a slice may still do.
struct Room {
    messages: u32,
    conversations: u32,
    looks: u32,
}

#[plugin]
impl ScheduleHooks for Retention {
    fn run_schedule(&self, run: ScheduledRun) -> Result<Slice> {
        let mut place: Place = run.resume.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default();
        let mut done = Report::default();
        let is_over = self.look(&mut place, &mut done)?;
        let now = clock::now();
        kv::update(&report_key(run.due_at), Some(KEPT_SECONDS), |there: Option<Report>| {
            let there = there.unwrap_or(Report { started_at: now, ..Report::default() });
            Report {
                started_at: there.started_at,
                finished_at: is_over.then_some(now),
                conversations: there.conversations + done.conversations,
                hidden: there.hidden + done.hidden,
                purged: there.purged + done.purged,
                held: there.held + done.held,
            }
        })?;
        Ok(if is_over { Slice::Done } else { Slice::More(serde_json::to_string(&place)?) })
    }
}

impl Retention {
    /// Goes on from a place as far as one slice may; answers whether everything was looked at.
    fn look(&self, place: &mut Place, done: &mut Report) -> Result<bool> {
        let mut room = Room { messages: MESSAGES, conversations: CONVERSATIONS, looks: LOOKS };
        loop {
            let page = conversations::find(&anything(), place.done.as_deref(), 100)?;
            let ids: Vec<String> = page.conversations.iter().map(|conversation| conversation.id.clone()).collect();
            for (conversation, rule) in page.conversations.into_iter().zip(rules::of(&ids)?) {
                let days = self.days_of(rule.as_ref());
                if room.conversations == 0 || !self.look_at(&conversation, days, place, done, &mut room)? {
                    return Ok(false);
                }
                room.conversations -= 1;
                *place = Place { done: Some(conversation.id), ..Place::default() };
            }
            if !page.has_more {
                return Ok(true);
            }
        }
    }

    /// Takes away what is old in a conversation; answers whether that is all.
    fn look_at(
        &self,
        conversation: &Conversation,
        days: Option<u32>,
        place: &mut Place,
        done: &mut Report,
        room: &mut Room,
    ) -> Result<bool> {
        // Nothing in it is older than it is itself.
        let Some(until) = days.map(days_ago).filter(|until| conversation.created_at <= *until) else { return Ok(true) };
        loop {
            if room.messages == 0 || room.looks == 0 {
                return Ok(false);
            }
            room.looks -= 1;
            let (step, until) =
                if place.is_hidden { (Step::Purge, days_ago(self.grace_days)) } else { (Step::Hide, until) };
            let due = retention::trim(&conversation.id, step, until, place.sequence, room.messages)?;
            room.messages -= due.count;
            place.sequence = due.through;
            *if place.is_hidden { &mut done.purged } else { &mut done.hidden } += u64::from(due.count);
            done.held += u64::from(due.held);
            if due.count + due.held > 0 && !place.is_told {
                place.is_told = true;
                done.conversations += 1;
            }
            if due.has_more {
                continue;
            }
            if place.is_hidden {
                return Ok(true);
            }
            (place.is_hidden, place.sequence) = (true, 0);
            // What this slice hides is there to be purged when it is committed.
            if self.grace_days == 0 && room.messages < MESSAGES {
                return Ok(false);
            }
        }
    }
}

fn anything() -> ConversationFilter {
    ConversationFilter { kind: None, status: None, idle_since: None, context_kind: None, context_id: None }
}

/// The newest first.
fn report_key(due_at: i64) -> String {
    format!("{REPORT}{:016}", 9_999_999_999_999_999 - due_at)
}

/// Reports behind a cursor, each with its own, and whether there are more.
pub fn reports(after: Option<&str>, limit: u32) -> Result<(Vec<(String, Report)>, bool)> {
    let after = after.map(|cursor| format!("{REPORT}{cursor}"));
    let (page, has_more) = kv::scan_page::<Report>(REPORT, after.as_deref(), limit)?;
    let found = page.into_iter().filter_map(|(key, report)| Some((key.strip_prefix(REPORT)?.to_owned(), report)));
    Ok((found.collect(), has_more))
}
