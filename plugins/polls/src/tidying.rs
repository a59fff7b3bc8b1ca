//! What happens to polls by itself: those whose time has come are closed, and of those whose message is gone nothing stays.

use std::collections::BTreeMap;

use jackfield_plugin::prelude::*;

use crate::{
    Polls,
    ballot::{Poll, closing_key, count_key, poll_key, voters_key, votes_prefix},
};

/// So many polls are closed in one slice, and so many votes are taken away.
const AT_ONCE: u32 = 100;
const CLOSING: &str = "closing/";
const GONE: &str = "gone/";
const POLL: &str = "poll/";
/// So long after messages were taken away polls are looked at, once for all that were by then.
const SWEEP_AFTER_MS: i64 = 60 * 60 * 1_000;

#[plugin]
impl EventHooks for Polls {
    fn on_event(&self, event: Event) -> Result<()> {
        if event.kind == "messages_trimmed" {
            // What is only hidden may still be put on hold.
            if event.payload.is_some_and(|payload| payload.contains("\"hide\"")) {
                return Ok(());
            }
            // Which messages they were it does not say, and there are many such events in a row.
            return Ok(timers::run_at("sweep", clock::now() + SWEEP_AFTER_MS)?);
        }
        let Some(message) = event.message_id else { return Ok(()) };
        if kv::get::<Poll>(&poll_key(&message))?.is_some() {
            // There may be very many votes.
            kv::set(&format!("{GONE}{message}"), &())?;
            timers::run_at("clear", clock::now())?;
        }
        Ok(())
    }
}

#[plugin]
impl ScheduleHooks for Polls {
    fn run_schedule(&self, run: ScheduledRun) -> Result<Slice> {
        if run.schedule == "sweep" {
            let after = sweep(run.resume.as_deref())?;
            return Ok(after.map_or(Slice::Done, Slice::More));
        }
        let has_more = if run.schedule == "clear" { clear_what_is_gone()? } else { close_those_that_are_due()? };
        Ok(if has_more { Slice::More(String::new()) } else { Slice::Done })
    }
}

#[plugin]
impl LifecycleHooks for Polls {
    /// What was due while it was off.
    fn enable(&self) -> Result<()> {
        let due = kv::scan_many::<()>(&[CLOSING.to_owned(), GONE.to_owned()], 1)?;
        for (schedule, due) in ["close", "clear"].into_iter().zip(due) {
            if !due.is_empty() {
                timers::run_at(schedule, clock::now())?;
            }
        }
        Ok(())
    }
}

/// Whether there are more. Of those that are not due yet the next one is waited for.
fn close_those_that_are_due() -> Result<bool> {
    let end = closing_key(clock::now(), "~");
    let found = kv::scan_many::<()>(&[CLOSING.to_owned()], AT_ONCE)?.pop().unwrap_or_default();
    for (key, ()) in &found {
        let Some((at, message)) = key.strip_prefix(CLOSING).and_then(|rest| rest.split_once('/')) else { continue };
        if *key > end {
            if let Ok(at) = at.parse() {
                timers::run_at("close", at)?;
            }
            return Ok(false);
        }
        kv::delete(key)?;
        Poll::end(message)?;
    }
    Ok(found.len() == AT_ONCE as usize)
}

/// Notes of which polls the messages are not there any more; answers behind which key to go on.
fn sweep(after: Option<&str>) -> Result<Option<String>> {
    let (page, has_more) = kv::scan_page::<Poll>(POLL, after, AT_ONCE)?;
    let ids: Vec<String> = page.iter().filter_map(|(key, _)| key.strip_prefix(POLL).map(str::to_owned)).collect();
    let found = messages::get_many(&ids)?;
    let mut seen = BTreeMap::new();
    for ((message, (_, poll)), _) in ids.iter().zip(&page).zip(found).filter(|(_, found)| found.is_none()) {
        // Where the plugin may not look by now, its messages are not gone.
        let is_seen = seen.entry(&poll.conversation).or_insert_with(|| conversations::get(&poll.conversation).is_ok());
        if !*is_seen {
            continue;
        }
        kv::set(&format!("{GONE}{message}"), &())?;
        timers::run_at("clear", clock::now())?;
    }
    Ok(page.into_iter().next_back().map(|(key, _)| key).filter(|_| has_more))
}

/// Whether there is more.
fn clear_what_is_gone() -> Result<bool> {
    let gone = kv::scan_many::<()>(&[GONE.to_owned()], 1)?.pop().unwrap_or_default();
    let Some((key, message)) = gone.first().and_then(|(key, ())| Some((key, key.strip_prefix(GONE)?))) else {
        return Ok(false);
    };
    let votes = kv::scan_many::<Value>(&[votes_prefix(message)], AT_ONCE)?.pop().unwrap_or_default();
    for (key, _) in &votes {
        kv::delete(key)?;
    }
    if votes.len() == AT_ONCE as usize {
        return Ok(true);
    }
    if let Some(poll) = kv::get::<Poll>(&poll_key(message))? {
        if let Some(at) = poll.closes_at {
            kv::delete(&closing_key(at, message))?;
        }
        for option in 0..poll.options.len() {
            kv::delete(&count_key(message, option))?;
        }
    }
    kv::delete(&voters_key(message))?;
    kv::delete(&poll_key(message))?;
    kv::delete(key)?;
    Ok(true)
}
