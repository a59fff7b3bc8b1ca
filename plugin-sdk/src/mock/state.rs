//! What is in a hub for tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use crate::{
    bindings::capabilities::{
        http::{Failure, Request, Response},
        log::Level,
        mentions::Target,
        messages::NewMessage,
        notices::Notice,
    },
    capabilities::types::{Body, Conversation, Error, Member, Message, User},
};

/// The user as whom the plugin acts.
const BOT: &str = "usr_ffffffffffffffffffffffffffffffff";

/// Which kind of hook is running, which decides what it may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mode {
    /// None: the test itself asks.
    #[default]
    None,
    Before,
    After,
}

/// A request that was sent and has no answer yet.
#[derive(Clone)]
pub(super) struct Waiting {
    pub request: Request,
    pub tag: String,
    pub attempt: u32,
}

#[derive(Clone)]
pub(super) struct State {
    pub now: i64,
    pub mode: Mode,
    /// How many effects the running hook has issued.
    pub effects: u32,
    /// How many requests it has sent, and how many fetched.
    pub sent: usize,
    pub fetched: usize,
    pub configuration: Value,
    pub denied: BTreeSet<String>,
    /// With when it goes away.
    pub kv: BTreeMap<String, (Vec<u8>, Option<i64>)>,
    pub users: BTreeMap<String, User>,
    pub conversations: BTreeMap<String, Conversation>,
    pub members: BTreeMap<String, BTreeMap<String, Member>>,
    pub messages: BTreeMap<String, Message>,
    pub annotations: BTreeMap<String, String>,
    pub mentions: BTreeMap<String, Vec<Target>>,
    pub secrets: BTreeMap<String, String>,
    /// Messages that are hidden from everybody, and since when.
    pub trimmed: BTreeMap<String, (Message, i64)>,
    /// Conversations and users whose messages are on legal hold.
    pub on_hold: BTreeSet<String>,
    /// How many messages the running hook has taken away.
    pub trims: u32,
    /// When schedules are to run.
    pub timers: BTreeMap<String, i64>,
    pub posts: Vec<NewMessage>,
    pub notices: Vec<Notice>,
    /// What is answered at URLs.
    pub servers: BTreeMap<String, Result<Response, Failure>>,
    pub requests: Vec<Request>,
    pub waiting: VecDeque<Waiting>,
    pub log: Vec<(Level, String)>,
    pub last_number: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            // A Tuesday at noon.
            now: 1_767_700_800_000,
            mode: Mode::default(),
            effects: 0,
            sent: 0,
            fetched: 0,
            configuration: json!({}),
            denied: BTreeSet::new(),
            kv: BTreeMap::new(),
            users: BTreeMap::new(),
            conversations: BTreeMap::new(),
            members: BTreeMap::new(),
            messages: BTreeMap::new(),
            annotations: BTreeMap::new(),
            mentions: BTreeMap::new(),
            secrets: BTreeMap::new(),
            trimmed: BTreeMap::new(),
            on_hold: BTreeSet::new(),
            trims: 0,
            timers: BTreeMap::new(),
            posts: Vec::new(),
            notices: Vec::new(),
            servers: BTreeMap::new(),
            requests: Vec::new(),
            waiting: VecDeque::new(),
            log: Vec::new(),
            last_number: 0,
        }
    }
}

impl State {
    /// The next number, for whatever needs one.
    pub fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// As the hub writes them.
    pub fn id(&mut self, kind: &str) -> String {
        format!("{kind}_{:032x}", self.number())
    }

    /// A message of the plugin's bot user, and its id.
    pub fn said(&mut self, id: Option<String>, new: &NewMessage) -> Result<String, Error> {
        let (now, id) = (self.now, id.unwrap_or_else(|| self.id("msg")));
        let conversation = self.conversations.get_mut(&new.conversation).ok_or(Error::NotFound)?;
        conversation.last_sequence += 1;
        conversation.last_activity_at = now;
        let message = Message {
            id: id.clone(),
            conversation: new.conversation.clone(),
            sequence: conversation.last_sequence,
            sender: BOT.to_owned(),
            kind: new.kind,
            body: Body::Plain(new.body.clone()),
            location: None,
            metadata: new.metadata.clone(),
            reply_to: new.reply_to.clone(),
            created_at: now,
            edited_at: None,
            deleted_at: None,
        };
        self.messages.insert(id.clone(), message);
        Ok(id)
    }

    /// What stands under a key and has not gone away.
    pub fn kept(&self, key: &str) -> Option<Vec<u8>> {
        let (value, until) = self.kv.get(key)?;
        until.is_none_or(|until| until > self.now).then(|| value.clone())
    }

    pub fn keep(&mut self, key: &str, value: &[u8], expires_in_seconds: Option<u32>) {
        let until = expires_in_seconds.map(|seconds| self.now + i64::from(seconds) * 1000);
        self.kv.insert(key.to_owned(), (value.to_vec(), until));
    }

    pub fn granted(&self, capability: &str) -> Result<(), Error> {
        if self.denied.contains(capability) { Err(Error::Denied(capability.to_owned())) } else { Ok(()) }
    }

    /// The number of an effect that is to be issued.
    pub fn effect(&mut self, capability: &str) -> Result<u32, Error> {
        self.granted(capability)?;
        if self.mode == Mode::Before {
            return Err(Error::NotHere);
        }
        self.effects += 1;
        Ok(self.effects - 1)
    }
}
