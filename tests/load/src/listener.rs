//! Those who listen: a socket each, one subscription, and a check that everything comes once and in order.
//!
//! The subscription is the broad one that a client of the hub uses, without a filter. A listener that the hub sends
//! away for being slow comes back with its cursor, as clients are told to.

use std::{
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use memchr::memmem::Finder;
use serde_json::json;
use tokio::sync::watch;

use crate::{
    Result,
    accounts::Account,
    latencies::Latencies,
    sender::STAMP,
    stage::Stage,
    wire::{number_at, shown, websocket::WebSocket},
};

const FOLLOW: &str = "subscription Follow($input: EventsInput) { events(input: $input) { __typename cursor \
                      ... on MessageSent { message { id sequence body createdAt sender { id name } } } } }";
/// Who is sent away more often than this does not get anywhere.
const MOST_RETURNS: u64 = 1_000;

/// How long a listener goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    Told,
    Sequence(u64),
    Now,
}

pub struct Listener {
    socket: WebSocket,
    words: Words,
    pub heard: Heard,
    subscription: u64,
}

/// What came, held against what should have.
#[derive(Debug, Default)]
pub struct Heard {
    pub latencies: Latencies,
    /// The last event's, or that of `CaughtUp`: where to go on.
    pub cursor: String,
    pub sequence: u64,
    pub received: u64,
    pub doubled: u64,
    pub skipped: u64,
    pub returns: u64,
    pub resyncs: u64,
    pub complaint: Option<String>,
}

/// What is searched for in every event; a prepared search costs no more than the bytes it walks over.
struct Words {
    kind: Finder<'static>,
    cursor: Finder<'static>,
    sequence: Finder<'static>,
    stamp: Finder<'static>,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Event,
    CaughtUp,
    /// The subscription is over, for a reason that a cursor helps against.
    SentAway,
}

impl Listener {
    /// Connects and follows from the cursor on, until everything that was missed is there.
    pub async fn open(account: &Arc<Account>, from: Heard, stage: &Stage) -> Result<Self> {
        let socket = WebSocket::open(account.address, &account.token).await?;
        let mut listener = Listener { socket, words: Words::new(), heard: from, subscription: 0 };
        listener.follow();
        loop {
            let range = listener.socket.next_text().await?;
            match listener.hear(&range, Instant::now(), stage)? {
                Step::Event => {}
                Step::CaughtUp => return Ok(listener),
                Step::SentAway => listener.come_back()?,
            }
        }
    }

    fn follow(&mut self) {
        self.subscription += 1;
        let payload = json!({ "query": FOLLOW, "variables": { "input": { "after": self.heard.cursor } } });
        let id = format!("events-{}", self.subscription);
        self.socket.say(json!({ "type": "subscribe", "id": id, "payload": payload }).to_string());
    }

    fn come_back(&mut self) -> Result<()> {
        self.heard.returns += 1;
        if self.heard.returns > MOST_RETURNS {
            return Err("sent away too often".into());
        }
        self.follow();
        Ok(())
    }

    /// Listens until it is told to stop, or has heard what it was told to wait for.
    pub async fn run(mut self, stage: Arc<Stage>, until: watch::Receiver<Until>) -> Heard {
        if let Err(error) = self.listen(&stage, until).await {
            self.heard.complaint.get_or_insert_with(|| error.to_string());
        }
        self.heard
    }

    async fn listen(&mut self, stage: &Stage, mut until: watch::Receiver<Until>) -> Result<()> {
        let mut read_at = Instant::now();
        loop {
            while let Some(range) = self.socket.buffered_text()? {
                if self.hear(&range, read_at, stage)? == Step::SentAway {
                    self.come_back()?;
                }
            }
            match *until.borrow_and_update() {
                Until::Now => return Ok(()),
                Until::Sequence(last) if self.heard.sequence >= last => return Ok(()),
                Until::Sequence(_) | Until::Told => {}
            }
            self.socket.flush().await?;
            tokio::select! {
                filled = self.socket.fill() => filled?,
                changed = until.changed() => changed?,
            }
            // Once for all that came together: they were here at the same time.
            read_at = Instant::now();
        }
    }

    fn hear(&mut self, range: &Range<usize>, read_at: Instant, stage: &Stage) -> Result<Step> {
        let Listener { socket, words, heard, .. } = self;
        let text = socket.text(range);
        let Some(kind) = words.kind.find(text).map(|at| &text[at + KIND.len()..]) else {
            return not_an_event(text);
        };
        let cursor = words.cursor.find(text).map(|at| &text[at + CURSOR.len()..]).unwrap_or_default();
        heard.cursor.clear();
        let cursor = cursor.split(|byte| *byte == b'"').next().unwrap_or_default();
        heard.cursor.push_str(std::str::from_utf8(cursor)?);
        if kind.starts_with(b"MessageSent\"") {
            let number = words.sequence.find(text).and_then(|at| number_at(text, at + SEQUENCE.len()));
            let stamp = words.stamp.find(text).and_then(|at| number_at(text, at + STAMP.len()));
            let (Some(sequence), Some(stamp)) = (number, stamp) else {
                return Err(format!("a message without its words: {}", shown(text)).into());
            };
            heard.message(sequence);
            stage.delivered.fetch_add(1, Ordering::Relaxed);
            if stage.was_measured(stamp) {
                heard.latencies.record(Duration::from_nanos(stage.nanoseconds(read_at).saturating_sub(stamp)));
            }
        } else if kind.starts_with(b"CaughtUp\"") {
            return Ok(Step::CaughtUp);
        } else if kind.starts_with(b"ResyncRequired\"") {
            heard.resyncs += 1;
        }
        Ok(Step::Event)
    }
}

/// The end of a subscription, or something that should not have come.
fn not_an_event(text: &[u8]) -> Result<Step> {
    let has = |words: &[u8]| memchr::memmem::find(text, words).is_some();
    if has(b"\"type\":\"complete\"") {
        return Ok(Step::SentAway);
    }
    // The `complete` that follows is what counts.
    if has(b"TOO_SLOW") || has(b"\"type\":\"ping\"") || has(b"\"type\":\"pong\"") {
        return Ok(Step::Event);
    }
    Err(format!("not an event: {}", shown(text)).into())
}

const KIND: &[u8] = b"\"__typename\":\"";
const CURSOR: &[u8] = b"\"cursor\":\"";
const SEQUENCE: &[u8] = b"\"sequence\":";

impl Words {
    fn new() -> Self {
        Words {
            kind: Finder::new(KIND),
            cursor: Finder::new(CURSOR),
            sequence: Finder::new(SEQUENCE),
            stamp: Finder::new(STAMP),
        }
    }
}

impl Heard {
    /// A listener that begins at the end of what there is now.
    pub fn from(cursor: &str, sequence: u64) -> Self {
        Heard { cursor: cursor.to_owned(), sequence, ..Heard::default() }
    }

    pub fn has_heard(&self, sequence: u64) -> bool {
        self.sequence >= sequence
    }

    fn message(&mut self, sequence: u64) {
        self.received += 1;
        if sequence <= self.sequence {
            self.doubled += 1;
        } else {
            // What comes late after all is then counted as out of its turn.
            self.skipped += sequence - self.sequence - 1;
            self.sequence = sequence;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_comes_twice_is_counted() {
        let mut heard = Heard::from("", 4);
        [5, 6, 9, 8, 10, 10].into_iter().for_each(|sequence| heard.message(sequence));
        assert_eq!((heard.skipped, heard.doubled, heard.sequence), (2, 2, 10));
    }
}
