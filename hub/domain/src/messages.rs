//! Messages, and the rules for sending one.
//!
//! They come in two halves. What the words alone decide is checked before anything is asked of the store, and again
//! whenever something rewrote the words. What depends on stored rows is checked while those rows are locked.

mod changes;
mod content;
mod trims;

pub use changes::{may_delete_for_everyone, may_edit};
pub use content::{CheckedBody, ContentType, Details, Location, MessageKind};
pub use trims::{Due, Found, HoldTarget, LegalHold, Old, OnHold, Stretch, Trim, TrimStep};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    ConversationId, MessageId, Policy, Rejection, Timestamp, UserId, WorkspaceId, conversations::ConversationStatus,
    text,
};

/// What somebody asks to be sent.
#[derive(Debug, Clone)]
pub struct MessageDraft {
    pub conversation: ConversationId,
    pub kind: MessageKind,
    pub content: ContentType,
    pub body: String,
    pub location: Option<Location>,
    pub metadata: Option<Value>,
    pub reply_to: Option<MessageId>,
    /// The sender's own name for this message: saying it twice sends once.
    pub client_message_id: Option<String>,
}

/// What the rules let through: the only form that the store accepts.
#[derive(Debug, Clone)]
pub struct CheckedMessage {
    conversation: ConversationId,
    kind: MessageKind,
    content: ContentType,
    body: CheckedBody,
    details: Details,
    reply_to: Option<MessageId>,
    client_message_id: Option<String>,
}

impl CheckedMessage {
    pub fn check(draft: MessageDraft, policy: &Policy) -> Result<Self, Rejection> {
        let MessageDraft { conversation, kind, content, body, location, metadata, reply_to, client_message_id } = draft;
        kind.may_be_sent()?;
        let body = CheckedBody::check(kind, content, body, policy)?;
        let details = Details::check(kind, content, location, metadata, policy)?;
        let client_message_id =
            client_message_id.as_deref().map(|key| text::line("clientMessageId", key, 128)).transpose()?;
        Ok(Self { conversation, kind, content, body, details, reply_to, client_message_id })
    }

    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }

    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    pub fn content(&self) -> ContentType {
        self.content
    }

    pub fn body(&self) -> &str {
        self.body.as_str()
    }

    pub fn details(&self) -> &Details {
        &self.details
    }

    pub fn reply_to(&self) -> Option<MessageId> {
        self.reply_to
    }

    pub fn client_message_id(&self) -> Option<&str> {
        self.client_message_id.as_deref()
    }

    /// What must be the same when a key is used again.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.conversation.0.as_bytes());
        hash.update(self.reply_to.map_or([0; 16], |id| *id.0.as_bytes()));
        let location = self.details.location.as_ref();
        let degrees =
            location.map_or([[0; 8]; 2], |place| [place.latitude.to_be_bytes(), place.longitude.to_be_bytes()]);
        // Each part with its length before it, so that no part can pass for the end of another.
        for part in [
            self.kind.as_str().as_bytes(),
            self.content.as_str().as_bytes(),
            self.body().as_bytes(),
            degrees.as_flattened(),
            location.and_then(|place| place.label.as_deref()).unwrap_or_default().as_bytes(),
            self.details.metadata.as_deref().unwrap_or_default().as_bytes(),
        ] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

/// What the store knows about the conversation that a message is for, as its sender may see it.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub status: ConversationStatus,
    /// Where the message that is replied to stands, if the draft replies to one that exists.
    pub replied_to: Option<ConversationId>,
}

/// Can anything be said, or typed, in a conversation that stands so?
pub fn takes_messages(status: ConversationStatus) -> Result<(), Rejection> {
    match status {
        ConversationStatus::Active => Ok(()),
        ConversationStatus::Blocked => Err(Rejection::Blocked { field: "conversationId" }),
        ConversationStatus::Archived | ConversationStatus::AutoArchived => {
            Err(Rejection::ConversationClosed { status: status.as_str() })
        }
    }
}

/// The rules that depend on stored rows; `room` is none if the sender is no member, for whom there is nothing there.
pub fn admit(message: &CheckedMessage, room: Option<Room>) -> Result<(), Rejection> {
    let no_such = |what, field| Rejection::NotFound { what, field };
    let room = room.ok_or(no_such("conversation", "conversationId"))?;
    takes_messages(room.status)?;
    // A message elsewhere is as good as none: its existence is nobody's business here.
    if message.reply_to().is_some() && room.replied_to != Some(message.conversation()) {
        return Err(no_such("message in this conversation", "replyToId"));
    }
    Ok(())
}

/// A message as it is stored.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: MessageId,
    pub workspace: WorkspaceId,
    pub conversation: ConversationId,
    /// Its number in the conversation: 1, 2, 3 … without a gap, the same for everyone.
    pub sequence: i64,
    pub sender: UserId,
    pub kind: MessageKind,
    pub content: ContentType,
    /// Nothing where it was deleted.
    pub body: String,
    pub reply_to: Option<MessageId>,
    pub created_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    /// Its place in the sequence is all that is left of it.
    pub deleted: Option<Deletion>,
    /// Somebody has deleted it for themselves, so that not everybody sees it.
    pub hidden: bool,
}

/// When and by whom something was deleted for everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    pub at: Timestamp,
    pub by: UserId,
}

/// What a message said before it was edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEdit {
    /// 1 for what was sent, and so on.
    pub number: i64,
    pub body: String,
    pub written_at: Timestamp,
    pub replaced_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn draft(body: &str) -> MessageDraft {
        MessageDraft {
            conversation: ConversationId(Uuid::from_u128(1)),
            kind: MessageKind::Text,
            content: ContentType::Plain,
            body: body.to_owned(),
            location: None,
            metadata: None,
            reply_to: None,
            client_message_id: None,
        }
    }

    #[test]
    fn rooms() {
        use ConversationStatus::{Active, Archived};
        let plain = CheckedMessage::check(draft("hi"), &Policy::default()).unwrap();
        let here = plain.conversation();
        let reply = MessageDraft { reply_to: Some(MessageId(Uuid::from_u128(9))), ..draft("hi") };
        let reply = CheckedMessage::check(reply, &Policy::default()).unwrap();
        let room = |status, replied_to| Some(Room { status, replied_to });
        let code = |message: &CheckedMessage, room| admit(message, room).map_err(|r| (r.code().as_str(), r.field()));

        assert_eq!(code(&plain, room(Active, None)), Ok(()));
        assert_eq!(code(&plain, None), Err(("NOT_FOUND", Some("conversationId"))));
        assert_eq!(code(&plain, room(Archived, None)), Err(("CONVERSATION_CLOSED", Some("conversationId"))));
        assert_eq!(code(&reply, room(Active, Some(here))), Ok(()));
        assert_eq!(code(&reply, room(Active, None)), Err(("NOT_FOUND", Some("replyToId"))));
        let elsewhere = ConversationId(Uuid::from_u128(2));
        assert_eq!(code(&reply, room(Active, Some(elsewhere))), Err(("NOT_FOUND", Some("replyToId"))));
    }

    #[test]
    fn a_fingerprint_covers_all_that_is_sent() {
        let of = |draft| CheckedMessage::check(draft, &Policy::default()).unwrap().fingerprint();
        assert_eq!(of(draft("a")), of(MessageDraft { client_message_id: Some("k".into()), ..draft("a") }));
        assert_ne!(of(draft("a")), of(draft("b")));
        assert_ne!(of(draft("a")), of(MessageDraft { reply_to: Some(MessageId(Uuid::from_u128(9))), ..draft("a") }));
        assert_ne!(of(draft("a")), of(MessageDraft { conversation: ConversationId(Uuid::from_u128(2)), ..draft("a") }));
        assert_ne!(of(draft("a")), of(MessageDraft { kind: MessageKind::Poll, ..draft("a") }));
        assert_ne!(of(draft("a")), of(MessageDraft { content: ContentType::Encrypted, ..draft("a") }));
        let metadata = |value: &str| MessageDraft { metadata: Some(json!({ "a": value })), ..draft("a") };
        assert_ne!(of(draft("a")), of(metadata("b")));
        assert_ne!(of(metadata("c")), of(metadata("b")));
        let place = |latitude, label: Option<&str>| {
            let location = Location { latitude, longitude: 0.0, label: label.map(str::to_owned) };
            MessageDraft { kind: MessageKind::Location, location: Some(location), ..draft("a") }
        };
        assert_ne!(of(place(1.0, None)), of(place(2.0, None)));
        assert_ne!(of(place(1.0, None)), of(place(1.0, Some("x"))));
    }
}
