//! What goes wrong in a hook.

use std::fmt;

/// A hook that could not do its work. Any error becomes one by `?`.
///
/// In a before-hook it counts as a failure of the plugin, and the failure policy decides what becomes of the message; what
/// the hook issued is not done. After events, and in schedules, the hub tries again.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure(String);

/// What hooks and capabilities answer.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Says in words what went wrong. Admins read it.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

// It is no `Error` itself, so that every `Error` can become one.
impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}
