//! Messages, and the rules for sending one.
//!
//! They come in two halves. What the words alone decide is checked before anything is asked of the store, and again
//! whenever something rewrote the words. What depends on stored rows is checked while those rows are locked.

use sha2::{Digest, Sha256};

use crate::{
    ConversationId, MessageId, Policy, Rejection, Timestamp, UserId, WorkspaceId, conversations::ConversationStatus,
    roles::words, text,
};

words! {
    /// What a message carries.
    MessageKind {
        /// Words.
        Text = "text",
    }
}

/// What somebody asks to be sent.
#[derive(Debug, Clone)]
pub struct MessageDraft {
    pub conversation: ConversationId,
    pub body: String,
    pub reply_to: Option<MessageId>,
    /// The sender's own name for this message: saying it twice sends once.
    pub client_message_id: Option<String>,
}

/// What the rules let through: the only form that the store accepts.
#[derive(Debug, Clone)]
pub struct CheckedMessage(MessageDraft);

impl CheckedMessage {
    pub fn check(draft: MessageDraft, policy: &Policy) -> Result<Self, Rejection> {
        if draft.body.trim().is_empty() {
            return Err(Rejection::Missing { field: "body" });
        }
        if draft.body.contains('\0') {
            return Err(Rejection::ControlCharacter { field: "body" });
        }
        text::within("body", &draft.body, policy.body_max_characters as usize)?;
        let client_message_id =
            draft.client_message_id.as_deref().map(|key| text::line("clientMessageId", key, 128)).transpose()?;
        Ok(Self(MessageDraft { client_message_id, ..draft }))
    }

    pub fn conversation(&self) -> ConversationId {
        self.0.conversation
    }

    pub fn body(&self) -> &str {
        &self.0.body
    }

    pub fn reply_to(&self) -> Option<MessageId> {
        self.0.reply_to
    }

    pub fn client_message_id(&self) -> Option<&str> {
        self.0.client_message_id.as_deref()
    }

    /// What must be the same when a key is used again.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.0.conversation.0.as_bytes());
        hash.update(self.0.reply_to.map_or([0; 16], |id| *id.0.as_bytes()));
        hash.update(self.0.body.as_bytes());
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

/// The rules that depend on stored rows; `room` is none if the sender is no member, for whom there is nothing there.
pub fn admit(message: &CheckedMessage, room: Option<Room>) -> Result<(), Rejection> {
    let no_such = |what, field| Rejection::NotFound { what, field };
    let room = room.ok_or(no_such("conversation", "conversationId"))?;
    if room.status != ConversationStatus::Active {
        return Err(Rejection::ConversationClosed { status: room.status.as_str() });
    }
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
    pub body: String,
    pub reply_to: Option<MessageId>,
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn draft(body: &str) -> MessageDraft {
        MessageDraft {
            conversation: ConversationId(Uuid::from_u128(1)),
            body: body.to_owned(),
            reply_to: None,
            client_message_id: None,
        }
    }

    #[test]
    fn bodies() {
        let check = |body| {
            CheckedMessage::check(draft(body), &Policy { body_max_characters: 4, ..Policy::default() })
                .map(|m| m.0.body)
        };
        assert_eq!(check("tea"), Ok("tea".to_owned()));
        assert_eq!(check(" é\n\u{1f375}"), Ok(" é\n\u{1f375}".to_owned()), "stored as sent");
        assert_eq!(check(" \n "), Err(Rejection::Missing { field: "body" }));
        assert_eq!(check("a\0"), Err(Rejection::ControlCharacter { field: "body" }));
        assert_eq!(check("abcde"), Err(Rejection::TooLong { field: "body", length: 5, max: 4 }));
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
    }
}
