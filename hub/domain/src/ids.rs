//! Ids carry their type in their text, so that a message's id can never be taken for a conversation's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is no id of the kind that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct NotAnId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
            #[serde(into = "String", try_from = "String")]
            pub struct $name(pub Uuid);

            impl fmt::Display for $name {
                fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(out, concat!($prefix, "_{}"), self.0.simple())
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, out)
                }
            }

            impl FromStr for $name {
                type Err = NotAnId;

                fn from_str(text: &str) -> Result<Self, NotAnId> {
                    let bare = text.strip_prefix(concat!($prefix, "_")).ok_or(NotAnId)?;
                    let uuid = Uuid::try_parse(bare).map_err(|_| NotAnId)?;
                    // One spelling per id: whoever compares ids as text must not be fooled by another one.
                    (uuid.simple().to_string() == bare).then_some(Self(uuid)).ok_or(NotAnId)
                }
            }

            impl From<$name> for String {
                fn from(id: $name) -> String {
                    id.to_string()
                }
            }

            impl TryFrom<String> for $name {
                type Error = NotAnId;

                fn try_from(text: String) -> Result<Self, NotAnId> {
                    text.parse()
                }
            }
        )*
    };
}

ids! {
    /// A tenant.
    WorkspaceId = "wsp";
    /// A person or bot, of exactly one workspace.
    UserId = "usr";
    /// Somebody's being signed in on one device.
    SessionId = "ses";
    /// A token of a bot.
    BotTokenId = "btk";
    /// A link that lets people in.
    InvitationId = "inv";
    /// Somebody outside who vouches for people.
    IssuerId = "iss";
    /// A conversation of one workspace.
    ConversationId = "conv";
    /// A message of one conversation.
    MessageId = "msg";
    /// A piece of work in the queue.
    JobId = "job";
    /// A message that waits for a moderator.
    HeldMessageId = "held";
    /// Something that a plugin could not do with.
    DeadLetterId = "dlt";
    /// A request that a plugin had made.
    RequestId = "req";
    /// What a plugin did to something.
    VerdictId = "ver";
    /// A package that is about to be installed.
    UploadId = "upl";
}

/// Whatever `node(id:)` can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeId {
    Workspace(WorkspaceId),
    User(UserId),
    Conversation(ConversationId),
    Message(MessageId),
}

impl FromStr for NodeId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        match text.split_once('_').ok_or(NotAnId)?.0 {
            "wsp" => text.parse().map(Self::Workspace),
            "usr" => text.parse().map(Self::User),
            "conv" => text.parse().map(Self::Conversation),
            "msg" => text.parse().map(Self::Message),
            _ => Err(NotAnId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling_and_one_kind() {
        let id = MessageId(Uuid::from_u128(7));
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(text.parse::<NodeId>(), Ok(NodeId::Message(id)));
        for other in [
            "",
            "msg_",
            "msg_7",
            &text.to_uppercase(),
            &text.replace("msg", "conv"),
            "msg_00000000-0000-0000-0000-000000000007",
        ] {
            assert_eq!(other.parse::<MessageId>(), Err(NotAnId), "{other}");
        }
    }
}
