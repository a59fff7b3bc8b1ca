//! What a message carries: words, a place, and what the sender's program adds for other programs.

use serde_json::Value;

use crate::{Policy, Rejection, roles::words, text};

words! {
    /// What a message carries.
    MessageKind {
        /// Words.
        Text = "text",
        /// A picture.
        Image = "image",
        /// A film.
        Video = "video",
        /// A sound.
        Audio = "audio",
        /// Something said aloud.
        Voice = "voice",
        /// Any other file.
        File = "file",
        /// A place on earth.
        Location = "location",
        /// What the hub itself has to say.
        System = "system",
        /// A question to vote on: the body is the question, for whoever cannot show a vote.
        Poll = "poll",
    }
}

impl MessageKind {
    /// May somebody send one of this kind?
    pub fn may_be_sent(self) -> Result<(), Rejection> {
        match self {
            MessageKind::Text | MessageKind::Location | MessageKind::Poll => Ok(()),
            MessageKind::System => Err(Rejection::SystemMessage),
            MessageKind::Image | MessageKind::Video | MessageKind::Audio | MessageKind::Voice | MessageKind::File => {
                Err(Rejection::NoFilesYet { kind: self.as_str() })
            }
        }
    }
}

words! {
    /// How the body is to be read.
    ContentType {
        /// As words.
        Plain = "plain",
        /// By the devices of the members alone: the hub never opens it.
        Encrypted = "encrypted",
    }
}

/// A body that the rules let through.
#[derive(Debug, Clone)]
pub struct CheckedBody(String);

impl CheckedBody {
    pub fn check(kind: MessageKind, content: ContentType, body: String, policy: &Policy) -> Result<Self, Rejection> {
        let is_empty = match content {
            ContentType::Plain => !text::is_visible(&body),
            // What it says is nobody's business here, not even whether it is blank.
            ContentType::Encrypted => body.is_empty(),
        };
        let may_be_empty = kind == MessageKind::Location && content == ContentType::Plain;
        if is_empty && !may_be_empty {
            return Err(Rejection::Missing { field: "body" });
        }
        // The one character that a database does not take.
        if body.contains('\0') {
            return Err(Rejection::ControlCharacter { field: "body" });
        }
        text::within("body", &body, policy.body_max_characters as usize)?;
        Ok(Self(body))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A place on earth.
#[derive(Debug, Clone, PartialEq)]
pub struct Location {
    /// In degrees, north of the equator.
    pub latitude: f64,
    /// In degrees, east of Greenwich.
    pub longitude: f64,
    pub label: Option<String>,
}

impl Location {
    fn check(self) -> Result<Self, Rejection> {
        // What is not a number is in no range.
        if !(-90.0..=90.0).contains(&self.latitude) {
            return Err(Rejection::Invalid { field: "location.latitude", expected: "from -90 to 90" });
        }
        if !(-180.0..=180.0).contains(&self.longitude) {
            return Err(Rejection::Invalid { field: "location.longitude", expected: "from -180 to 180" });
        }
        let label = self.label.as_deref().map(|label| text::line("location.label", label, 120)).transpose()?;
        Ok(Location { label, ..self })
    }
}

/// What stands beside the body, in a row of its own: lists of messages do not walk it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Details {
    pub location: Option<Location>,
    /// A JSON object, as text.
    pub metadata: Option<String>,
}

impl Details {
    pub fn check(
        kind: MessageKind,
        content: ContentType,
        location: Option<Location>,
        metadata: Option<Value>,
        policy: &Policy,
    ) -> Result<Self, Rejection> {
        let location = match (kind, content, location) {
            (MessageKind::Location, ContentType::Plain, Some(location)) => Some(location.check()?),
            (MessageKind::Location, ContentType::Plain, None) => {
                return Err(Rejection::Missing { field: "location" });
            }
            (_, _, None) => None,
            (MessageKind::Location, ContentType::Encrypted, Some(_)) => {
                return Err(Rejection::Invalid {
                    field: "location",
                    expected: "within the body of an encrypted message",
                });
            }
            (_, _, Some(_)) => {
                return Err(Rejection::Invalid { field: "location", expected: "left out unless the type is LOCATION" });
            }
        };
        let metadata = match metadata {
            None | Some(Value::Null) => None,
            Some(value @ Value::Object(_)) => {
                let (written, max) = (value.to_string(), policy.metadata_max_bytes as usize);
                if written.len() > max {
                    return Err(Rejection::TooLarge { field: "metadata", length: written.len(), max });
                }
                Some(written)
            }
            Some(_) => return Err(Rejection::Invalid { field: "metadata", expected: "a JSON object" }),
        };
        Ok(Details { location, metadata })
    }

    pub fn is_empty(&self) -> bool {
        *self == Details::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies() {
        use ContentType::{Encrypted, Plain};
        let policy = Policy { body_max_characters: 4, ..Policy::default() };
        let check = |kind, content, body: &str| {
            CheckedBody::check(kind, content, body.to_owned(), &policy)
                .map(|body| body.0)
                .map_err(|r| r.code().as_str())
        };
        let text = |body| check(MessageKind::Text, Plain, body);
        assert_eq!(text("tea"), Ok("tea".to_owned()));
        assert_eq!(text(" é\n\u{1f375}"), Ok(" é\n\u{1f375}".to_owned()), "stored as sent");
        assert_eq!(text(" \n "), Err("MISSING"));
        assert_eq!(text("\u{200b}\u{2060}"), Err("MISSING"));
        assert_eq!(text("a\0"), Err("INVALID"));
        assert_eq!(text("abcde"), Err("TOO_LONG"));
        assert_eq!(check(MessageKind::Text, Encrypted, "  "), Ok("  ".to_owned()), "never opened");
        assert_eq!(check(MessageKind::Text, Encrypted, ""), Err("MISSING"));
        assert_eq!(check(MessageKind::Text, Encrypted, "abcde"), Err("TOO_LONG"));
        assert_eq!(check(MessageKind::Location, Plain, ""), Ok(String::new()), "a place speaks for itself");
        assert_eq!(check(MessageKind::Location, Encrypted, ""), Err("MISSING"));
    }

    #[test]
    fn kinds() {
        for kind in MessageKind::ALL {
            let code = kind.may_be_sent().map_err(|refused| refused.code().as_str());
            let expected = match kind.as_str() {
                "text" | "location" | "poll" => Ok(()),
                "system" => Err("NOT_ALLOWED"),
                _ => Err("NOT_AVAILABLE"),
            };
            assert_eq!(code, expected, "{kind:?}");
        }
    }

    #[test]
    fn places() {
        use ContentType::{Encrypted, Plain};
        let check = |kind, content, latitude, longitude| {
            let location = Location { latitude, longitude, label: Some(" Pier 4 ".to_owned()) };
            Details::check(kind, content, Some(location), None, &Policy::default())
        };
        let found = check(MessageKind::Location, Plain, -90.0, 180.0).unwrap();
        assert_eq!(found.location.and_then(|place| place.label).as_deref(), Some("Pier 4"));
        for (latitude, longitude, field) in [
            (90.1, 0.0, "location.latitude"),
            (f64::NAN, 0.0, "location.latitude"),
            (0.0, -180.1, "location.longitude"),
            (0.0, f64::INFINITY, "location.longitude"),
        ] {
            let refused = check(MessageKind::Location, Plain, latitude, longitude).unwrap_err();
            assert_eq!(refused.field(), Some(field));
        }
        assert_eq!(check(MessageKind::Text, Plain, 0.0, 0.0).unwrap_err().field(), Some("location"));
        assert_eq!(check(MessageKind::Location, Encrypted, 0.0, 0.0).unwrap_err().field(), Some("location"));
        let none = |content| Details::check(MessageKind::Location, content, None, None, &Policy::default());
        assert_eq!(none(Plain), Err(Rejection::Missing { field: "location" }));
        assert_eq!(none(Encrypted), Ok(Details::default()));
    }

    #[test]
    fn metadata_is_an_object_and_small() {
        let policy = Policy { metadata_max_bytes: 7, ..Policy::default() };
        let check = |value| Details::check(MessageKind::Text, ContentType::Plain, None, value, &policy);
        assert_eq!(check(Some(json!({ "a": 1 }))).unwrap().metadata.as_deref(), Some("{\"a\":1}"));
        assert!(check(Some(json!(null))).unwrap().is_empty());
        assert_eq!(check(Some(json!({ "a": 12 }))), Err(Rejection::TooLarge { field: "metadata", length: 8, max: 7 }));
        for value in [json!([]), json!("x"), json!(1), json!(true)] {
            assert_eq!(check(Some(value)).unwrap_err().code().as_str(), "INVALID");
        }
    }
}
