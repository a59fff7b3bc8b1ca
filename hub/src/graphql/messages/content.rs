//! What a message carries, in the API.

use async_graphql::{Enum, InputObject, SimpleObject};
use jackfield_domain::messages as words;

/// What a message carries. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::MessageKind")]
pub enum MessageType {
    /// Words.
    Text,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// A sound.
    Audio,
    /// Something said aloud.
    Voice,
    /// Any other file.
    File,
    /// A place on earth.
    Location,
    /// What the hub itself has to say.
    System,
    /// A question to vote on: the body is the question, for whoever cannot show a vote.
    Poll,
}

/// How the body of a message is to be read. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::ContentType")]
pub enum ContentType {
    /// As words.
    Plain,
    /// By the devices of the members alone: the hub never opens it.
    Encrypted,
}

/// A place on earth.
#[derive(SimpleObject)]
pub struct Location {
    /// In degrees, north of the equator.
    latitude: f64,
    /// In degrees, east of Greenwich.
    longitude: f64,
    /// What it is called.
    label: Option<String>,
}

impl From<words::Location> for Location {
    fn from(location: words::Location) -> Self {
        let words::Location { latitude, longitude, label } = location;
        Location { latitude, longitude, label }
    }
}

/// A place on earth.
#[derive(InputObject)]
pub struct LocationInput {
    /// In degrees, north of the equator: from -90 to 90.
    latitude: f64,
    /// In degrees, east of Greenwich: from -180 to 180.
    longitude: f64,
    /// What it is called, at most 120 characters.
    label: Option<String>,
}

impl From<LocationInput> for words::Location {
    fn from(input: LocationInput) -> Self {
        let LocationInput { latitude, longitude, label } = input;
        words::Location { latitude, longitude, label }
    }
}
