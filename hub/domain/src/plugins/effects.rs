//! What a hook leaves behind: it is collected while the hook runs, and committed with its outcome.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Request;
use crate::{
    ConversationId, ConversationRole, MessageId, Timestamp, UserId, WorkspaceRole, messages::MessageKind, roles::words,
};

/// A key of a plugin's own data has at most so many bytes.
pub const KEY_MAX_BYTES: usize = 256;
/// A code has at most so many characters, and so has a kind.
const WORD_MAX: usize = 64;

/// A change of the plugin's own data. They are applied in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    Set {
        key: String,
        value: Vec<u8>,
        /// None means for good, also where what was there would have gone away.
        expires_in: Option<Duration>,
    },
    /// Where something else stands there than was expected, nothing of the outcome is committed and the hook runs again.
    CompareAndSet {
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        expires_in: Option<Duration>,
    },
    /// A number is kept as its decimal digits; nothing is as good as 0.
    Increment {
        key: String,
        by: i64,
        /// Counts only where there was nothing.
        expires_in: Option<Duration>,
    },
    Delete {
        key: String,
    },
}

impl Operation {
    pub fn key(&self) -> &str {
        match self {
            Operation::Set { key, .. }
            | Operation::CompareAndSet { key, .. }
            | Operation::Increment { key, .. }
            | Operation::Delete { key } => key,
        }
    }
}

/// What a hook does to others than itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    Post(NewMessage),
    /// None takes the annotation away.
    Annotate {
        message: MessageId,
        value: Option<String>,
    },
    /// Instead of whom the plugin said before.
    Mention {
        message: MessageId,
        targets: Vec<MentionTarget>,
    },
    Notify(Notice),
    /// Runs a schedule of its own at a time.
    RunAt {
        schedule: String,
        at: Timestamp,
    },
    /// Has a server asked, and is told what it answers.
    Request {
        request: Request,
        tag: String,
    },
}

/// A message that the plugin's bot user is to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewMessage {
    /// Given to the plugin when it issues the message, so that it can speak of it at once.
    pub id: MessageId,
    pub conversation: ConversationId,
    pub kind: MessageKind,
    pub body: String,
    /// A JSON object, as text.
    pub metadata: Option<String>,
    pub reply_to: Option<MessageId>,
}

/// Whom a mention means, of the members of the message's conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MentionTarget {
    User(UserId),
    Everyone,
    Online,
    WorkspaceRole(WorkspaceRole),
    ConversationRole(ConversationRole),
}

/// News of a plugin's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub audience: Audience,
    pub kind: String,
    /// A JSON object, as text.
    pub payload: String,
}

/// Whom a notice is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Audience {
    Users(Vec<UserId>),
    Conversation(ConversationId),
    Moderators,
    Admins,
}

/// All that one call of a hook left to be committed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Issued {
    pub operations: Vec<Operation>,
    pub effects: Vec<Effect>,
}

impl Issued {
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.effects.is_empty()
    }
}

words! {
    /// How much a line of a plugin's log matters.
    LogLevel {
        /// For whoever looks for a fault.
        Debug = "debug",
        /// What the plugin did.
        Info = "info",
        /// What is odd.
        Warn = "warn",
        /// What went wrong.
        Error = "error",
    }
}

/// What a plugin had to say to the admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub at: Timestamp,
    pub level: LogLevel,
    pub text: String,
}

/// Can it be a key?
pub fn check_key(key: &str) -> Result<(), String> {
    if key.is_empty() || key.len() > KEY_MAX_BYTES {
        return Err(format!("a key has 1 to {KEY_MAX_BYTES} bytes, this one has {}", key.len()));
    }
    if key.chars().any(char::is_control) {
        return Err("a key holds no control characters".to_owned());
    }
    Ok(())
}

/// Can it be the code of a refusal?
pub fn check_code(code: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if code.is_empty() || code.len() > WORD_MAX || !code.chars().all(fits) {
        return Err(format!("a code has 1 to {WORD_MAX} capitals, digits and underscores"));
    }
    Ok(())
}

/// Can it be a plugin's own word: the kind of a notice, the name of a command or schedule?
pub fn check_word(word: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if word.is_empty() || word.len() > WORD_MAX || !word.chars().all(fits) {
        return Err(format!("it needs 1 to {WORD_MAX} small letters, digits, `_` and `-`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_codes_and_words() {
        for (key, good) in [("strikes/usr_1", true), ("é", true), ("", false), ("a\0", false), ("a\n", false)] {
            assert_eq!(check_key(key).is_ok(), good, "{key:?}");
        }
        assert!(check_key(&"k".repeat(256)).is_ok());
        assert!(check_key(&"k".repeat(257)).is_err());
        for (code, good) in [("WORD_2", true), ("", false), ("word", false), ("A-B", false), ("Ä", false)] {
            assert_eq!(check_code(code).is_ok(), good, "{code:?}");
        }
        for (word, good) in [("poll-closed", true), ("a_2", true), ("", false), ("Poll", false), ("a b", false)] {
            assert_eq!(check_word(word).is_ok(), good, "{word:?}");
        }
        assert!(check_word(&"w".repeat(65)).is_err());
    }
}
