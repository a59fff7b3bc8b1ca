//! Scalars of our own, and the cursors, which are opaque to clients.

use async_graphql::{ID, InputValueError, InputValueResult, MaybeUndefined, Scalar, ScalarType, Value};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_domain::{
    BotTokenId, ConversationId, HeldMessageId, InvitationId, IssuerId, LegalHoldId, MessageId, Position, Rejection,
    SessionId, Timestamp, UserId, VerdictId, WorkspaceId, conversations::ActivityKey,
};
use uuid::Uuid;

use crate::actions::users::Found;

pub struct DateTime(pub Timestamp);

/// A moment in UTC with milliseconds, as RFC 3339 writes it: `2026-01-31T12:00:00.000Z`.
#[Scalar(specified_by_url = "https://scalars.graphql.org/andimarek/date-time")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => text.parse().map(DateTime).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

pub struct Json(pub serde_json::Value);

/// Any JSON value.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        value.into_json().map(Json).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.0.clone()).unwrap_or_default()
    }
}

#[derive(Clone, Copy)]
pub struct EventCursor {
    pub workspace: WorkspaceId,
    pub position: Position,
}

/// A place in the log of a workspace. Keep the newest one you saw, and hand it back to get what came after it.
#[Scalar]
impl ScalarType for EventCursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else { return Err(InputValueError::expected_type(value)) };
        let [kind, workspace @ .., p0, p1, p2, p3, p4, p5, p6, p7] = &opened(text)[..] else {
            return Err(InputValueError::custom("not a cursor of an event"));
        };
        let position = i64::from_be_bytes([*p0, *p1, *p2, *p3, *p4, *p5, *p6, *p7]);
        match (*kind, Uuid::from_slice(workspace)) {
            (b'e', Ok(workspace)) if position >= 0 => {
                Ok(EventCursor { workspace: WorkspaceId(workspace), position: Position(position) })
            }
            _ => Err(InputValueError::custom("not a cursor of an event")),
        }
    }

    fn to_value(&self) -> Value {
        let mut bytes = vec![b'e'];
        bytes.extend_from_slice(self.workspace.0.as_bytes());
        bytes.extend_from_slice(&self.position.0.to_be_bytes());
        Value::String(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Whether a scalar of ours can be read from the value.
pub fn is_valid(scalar: &str, value: Value) -> bool {
    match scalar {
        "DateTime" => DateTime::parse(value).is_ok(),
        "EventCursor" => EventCursor::parse(value).is_ok(),
        _ => true,
    }
}

/// What a page begins behind. The first byte says which list it belongs to.
pub trait Cursor: Sized {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

/// Reads a cursor that was given for `field`.
pub fn cursor<C: Cursor>(text: Option<String>, field: &'static str) -> Result<Option<C>, Rejection> {
    let read = |text: String| C::read(&text).ok_or(Rejection::Invalid { field, expected: "a cursor of this list" });
    text.map(read).transpose()
}

/// A message's sequence number.
impl Cursor for i64 {
    fn write(&self) -> String {
        sealed(b's', &self.to_be_bytes())
    }

    fn read(text: &str) -> Option<Self> {
        opened_as(b's', text)?.try_into().ok().map(i64::from_be_bytes)
    }
}

impl Cursor for UserId {
    fn write(&self) -> String {
        sealed(b'u', self.0.as_bytes())
    }

    fn read(text: &str) -> Option<Self> {
        Uuid::from_slice(&opened_as(b'u', text)?).ok().map(UserId)
    }
}

/// Those lists that are in the order of their ids.
macro_rules! cursors_of_ids {
    ($($id:ident = $kind:literal;)*) => {
        $(impl Cursor for $id {
            fn write(&self) -> String {
                sealed($kind, self.0.as_bytes())
            }

            fn read(text: &str) -> Option<Self> {
                Uuid::from_slice(&opened_as($kind, text)?).ok().map($id)
            }
        })*
    };
}

cursors_of_ids! {
    ConversationId = b'c';
    WorkspaceId = b'w';
    SessionId = b'S';
    BotTokenId = b't';
    HeldMessageId = b'h';
    VerdictId = b'v';
    MessageId = b'M';
    InvitationId = b'i';
    IssuerId = b'I';
    LegalHoldId = b'L';
}

/// Somebody or something that was found, at the word that it was found by.
impl Cursor for Found {
    fn write(&self) -> String {
        sealed(b'f', &[self.id.as_bytes().as_slice(), &self.word].concat())
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = opened_as(b'f', text)?;
        let (id, word) = bytes.split_at_checked(16)?;
        Some(Found { word: word.to_vec(), id: Uuid::from_slice(id).ok()? })
    }
}

/// A line of a record.
impl Cursor for Uuid {
    fn write(&self) -> String {
        sealed(b'r', self.as_bytes())
    }

    fn read(text: &str) -> Option<Self> {
        Uuid::from_slice(&opened_as(b'r', text)?).ok()
    }
}

impl Cursor for ActivityKey {
    fn write(&self) -> String {
        let mut bytes = self.last_activity_at.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.0.as_bytes());
        sealed(b'a', &bytes)
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = opened_as(b'a', text)?;
        let (at, id) = bytes.split_at_checked(8)?;
        Some(ActivityKey {
            last_activity_at: Timestamp(i64::from_be_bytes(at.try_into().ok()?)),
            id: ConversationId(Uuid::from_slice(id).ok()?),
        })
    }
}

fn sealed(kind: u8, bytes: &[u8]) -> String {
    let mut all = vec![kind];
    all.extend_from_slice(bytes);
    BASE64_URL_SAFE_NO_PAD.encode(all)
}

fn opened(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
}

fn opened_as(kind: u8, text: &str) -> Option<Vec<u8>> {
    let mut bytes = opened(text);
    (bytes.first() == Some(&kind)).then(|| bytes.split_off(1))
}

/// What was given for a field that can also be taken away: nothing, null or a value.
#[expect(clippy::option_option, reason = "what is left out stays, and what is null is taken away")]
pub fn given<T>(field: MaybeUndefined<T>) -> Option<Option<T>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

/// The id in the text, if it is one of this kind; a text that is none names nothing that there is.
pub fn id<T: std::str::FromStr>(id: &ID, what: &'static str, field: &'static str) -> Result<T, Rejection> {
    id.parse().map_err(|_| Rejection::NotFound { what, field })
}
