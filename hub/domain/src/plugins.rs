//! Plugins, in words: who they are, what they are asked, what they may do, and what they leave to be committed.
//!
//! How a plugin is run is for the host; how what it issued is committed is for the store. Both speak in these words.

mod breaker;
mod effects;
mod installed;
mod limits;
mod requests;

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

pub use breaker::{Admission, Blow, Breaker};
pub use effects::{
    Audience, Effect, Issued, KEY_MAX_BYTES, LogLevel, LogLine, MentionTarget, NewMessage, Notice, Operation,
    check_code, check_key, check_word,
};
pub use installed::{
    DeadLetter, Grants, HeldMessage, HeldState, HubState, InWorkspace, Installed, Kept, LaidAside, Offer, Overrides,
    Package, Ran, Verdict, VerdictFilter, VerdictKind, Wanted, fits, is_on,
};
pub use limits::{CHAIN_WALL, LimitChanges, Limits, OutOfLimits};
pub use requests::{
    ANSWER_MAX_BYTES, Answered, FETCHES_A_CALL, Header, Method, NoAnswer, NotAnOrigin, Origin, Passage,
    REQUESTS_A_CALL, REQUESTS_WAITING, Reach, Request, Response, SecretHeader, check_tag, fits_the_web, origins,
};

use crate::roles::words;

/// The name of a plugin: small words with dots between them, such as `example.greeter`. It stands in everything that a plugin
/// has to do with, and so is shared, not copied.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PluginId(Arc<str>);

/// The text is no name of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a plugin's id is two or more words with dots between them, such as `example.greeter`: small letters, digits and \
     hyphens, each word beginning with a letter, at most 100 characters in all"
)]
pub struct NotAPluginId;

impl PluginId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginId {
    type Err = NotAPluginId;

    fn from_str(text: &str) -> Result<Self, NotAPluginId> {
        let is_word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && !word.ends_with('-')
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        let is_id = text.len() <= 100 && text.contains('.') && text.split('.').all(is_word);
        is_id.then(|| PluginId(text.into())).ok_or(NotAPluginId)
    }
}

impl TryFrom<String> for PluginId {
    type Error = NotAPluginId;

    fn try_from(text: String) -> Result<Self, NotAPluginId> {
        text.parse()
    }
}

impl From<PluginId> for String {
    fn from(id: PluginId) -> String {
        id.as_str().to_owned()
    }
}

impl fmt::Display for PluginId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

words! {
    /// When a before-hook is asked, beside those of other plugins. The order is that of the list.
    Phase {
        /// Brings what was written into the form that the others expect.
        Normalise = "normalise",
        /// Adds to it.
        Enrich = "enrich",
        /// Judges it, as it is going to be.
        Moderate = "moderate",
    }
}

/// The place of a plugin in a chain: plugins are asked in ascending order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    phase: u8,
    priority: i32,
    id: PluginId,
}

impl Order {
    /// The lower priority goes first; between equals the id decides, so that every node has the same order.
    pub fn new(phase: Phase, priority: i32, id: PluginId) -> Self {
        Order { phase: phase as u8, priority, id }
    }
}

words! {
    /// What becomes of what a before-hook was asked for, when the hook fails or must not be asked.
    FailurePolicy {
        /// It goes on as if the plugin were not there.
        Open = "open",
        /// It is refused.
        Closed = "closed",
        /// It is held for a moderator. Only for messages that are to be sent.
        Hold = "hold",
    }
}

words! {
    /// A hook, by the name of its function in the contract.
    Hook {
        /// A message is to be sent.
        BeforeCreate = "before-create",
        /// A message is to be edited.
        BeforeEdit = "before-edit",
        /// A message is to be deleted for everyone.
        BeforeDelete = "before-delete",
        /// Somebody is to become a member of a conversation.
        BeforeJoin = "before-join",
        /// A conversation is to be made.
        BeforeConversationCreate = "before-conversation-create",
        /// Things have happened.
        OnEvents = "on-events",
        /// A piece of work is due.
        Schedule = "schedule",
        /// Somebody runs a command.
        Command = "command",
        /// Somebody asks for a field that the plugin adds to what there is.
        Resolve = "resolve",
        /// Somebody does something by a field that the plugin adds.
        Mutate = "mutate",
        /// A server has answered, or will not.
        OnAnswer = "on-answer",
        /// The plugin is switched on in a workspace for the first time.
        Install = "install",
        /// The data was written by another version.
        Upgrade = "upgrade",
        /// The plugin is switched on in a workspace.
        Enable = "enable",
        /// The plugin was switched off in a workspace.
        Disable = "disable",
        /// An admin wants to change the configuration.
        ValidateConfiguration = "validate-configuration",
        /// Another configuration came into force.
        ConfigurationChanged = "configuration-changed",
    }
}

impl Hook {
    /// Does it stand in the way of somebody who waits, and can say no?
    pub fn is_before(self) -> bool {
        match self {
            Hook::BeforeCreate
            | Hook::BeforeEdit
            | Hook::BeforeDelete
            | Hook::BeforeJoin
            | Hook::BeforeConversationCreate => true,
            Hook::OnEvents
            | Hook::Schedule
            | Hook::Command
            | Hook::Resolve
            | Hook::Mutate
            | Hook::OnAnswer
            | Hook::Install
            | Hook::Upgrade
            | Hook::Enable
            | Hook::Disable
            | Hook::ValidateConfiguration
            | Hook::ConfigurationChanged => false,
        }
    }
}

words! {
    /// What a plugin may be granted.
    Capability {
        /// Data of its own.
        Kv = "kv",
        /// Reading messages.
        MessagesRead = "messages.read",
        /// Sending messages as its own bot user.
        MessagesPost = "messages.post",
        /// Reading conversations and who is in them.
        ConversationsRead = "conversations.read",
        /// Reading who is in the workspace.
        UsersRead = "users.read",
        /// A value of its own beside a message.
        Annotations = "annotations",
        /// Saying who is meant by a message.
        Mentions = "mentions",
        /// Telling people news of its own.
        Notices = "notices",
        /// Signing with secrets that it never sees.
        Secrets = "secrets",
        /// Asking the servers whose origins were granted.
        Http = "http",
        /// Getting whatever is public.
        FetchPublicUrl = "fetch-public-url",
    }
}

impl Capability {
    /// Does it reach out of the hub? Nobody has that but by somebody's word, not even what comes with the hub.
    pub fn reaches_out(self) -> bool {
        matches!(self, Capability::Http | Capability::FetchPublicUrl)
    }
}

words! {
    /// How a call failed. Each kind is counted apart.
    FailureKind {
        /// It trapped, or answered what is no answer.
        Trap = "trap",
        /// It used more time of the processor than it may.
        CpuTime = "cpu_time",
        /// It took longer than it may.
        WallTime = "wall_time",
        /// It wanted more memory, or a deeper stack, than it may have.
        Memory = "memory",
        /// It handed over more, or called the hub more often, than it may.
        Output = "output",
        /// It answered what the hub cannot carry out.
        Answer = "answer",
        /// It said itself that it failed.
        Reported = "reported",
        /// Others changed its data while it looked, again and again.
        Conflict = "conflict",
        /// The hub could not do its part: no fault of the plugin's.
        Hub = "hub",
    }
}

impl FailureKind {
    /// Does it speak against the plugin? What the hub is to blame for does not.
    pub fn is_the_plugins(self) -> bool {
        self != FailureKind::Hub
    }
}

/// Why something is not to be, in a plugin's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: String,
    pub code: String,
}

/// How far a piece of long work has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slice {
    Done,
    /// There is more to do, from here.
    More(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_dotted_words() {
        for good in ["example.greeter", "example.link-previews", "a.b2.c"] {
            assert_eq!(good.parse::<PluginId>().map(String::from), Ok(good.to_owned()));
        }
        let long = format!("a.{}", "b".repeat(99));
        for bad in ["", "mentions", "a.", ".a", "a..b", "A.b", "a.2b", "a.b-", "a.b_c", "a/b.c", "a.b c", "ä.b", &long]
        {
            assert_eq!(bad.parse::<PluginId>(), Err(NotAPluginId), "{bad}");
        }
    }

    #[test]
    fn the_order_is_phase_then_priority_then_id() {
        let order = |phase, priority, id: &str| Order::new(phase, priority, id.parse().unwrap());
        let mut orders = [
            order(Phase::Moderate, -5, "a.a"),
            order(Phase::Normalise, 10, "a.b"),
            order(Phase::Enrich, 0, "a.c"),
            order(Phase::Normalise, 10, "a.a"),
            order(Phase::Normalise, 2, "z.z"),
        ];
        orders.sort();
        let ids: Vec<&str> = orders.iter().map(|order| order.id.as_str()).collect();
        assert_eq!(ids, ["z.z", "a.a", "a.b", "a.c", "a.a"]);
    }
}
