//! The one error of the hub beside a rule's refusal: what went wrong, sorted by what a caller can do about it.

use std::sync::Arc;

use jackfield_domain::Rejection;

/// The source is shared, because one failed commit is the answer to many callers.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A rule said no; told to the caller with all its numbers.
    #[error("{0}")]
    Rejected(#[from] Rejection),
    /// Nobody is signed in, or not in the way that is needed.
    #[error("{0}")]
    Unauthenticated(String),
    /// Something the hub stands on is away; the same call may succeed later.
    #[error("{0}")]
    Unavailable(Source),
    /// A fault of ours: logged where it surfaces, shown to the caller as a request id only.
    #[error("{0}")]
    Internal(Source),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Internal(Arc::from(source.into()))
    }

    pub fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Unavailable(Arc::from(source.into()))
    }
}
