//! Sorts the database's errors into those that pass and those that are faults of ours.

use sea_orm::{DbErr, RuntimeErr, SqlxError};

use crate::Error;

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if passes(&error) { Error::unavailable(error) } else { Error::internal(error) }
    }
}

/// Will the same statement perhaps succeed once the database is back?
fn passes(error: &DbErr) -> bool {
    let runtime = match error {
        DbErr::ConnectionAcquire(_) => return true,
        DbErr::Conn(runtime) | DbErr::Exec(runtime) | DbErr::Query(runtime) => runtime,
        _ => return false,
    };
    match runtime {
        RuntimeErr::SqlxError(error) => match error.as_ref() {
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::Protocol(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed => true,
            SqlxError::Database(error) => error.code().is_some_and(|code| passing_code(&code)),
            _ => false,
        },
        // SeaORM's own words for «the connection is gone».
        RuntimeErr::Internal(_) => matches!(error, DbErr::Conn(_)),
    }
}

fn passing_code(code: &str) -> bool {
    // PostgreSQL: connection exceptions, out of resources, operator intervention, time-outs of statement and lock,
    // deadlocks and serialisation failures. SQLite: busy, locked, and a disk that is full or fails.
    ["08", "53", "57", "40"].iter().any(|class| code.len() == 5 && code.starts_with(class))
        || matches!(code, "55P03" | "25P03" | "5" | "6" | "10" | "13" | "261" | "517")
}

/// Why a server cannot be reached, and what to do about it.
pub fn in_words(error: &SqlxError) -> String {
    match error {
        SqlxError::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            "nobody listens at its address: start it, or correct the host and port".to_owned()
        }
        SqlxError::Database(error) => match error.code().as_deref() {
            Some("28P01" | "28000") => format!("it refuses the user or the password: {}", error.message()),
            Some("3D000") => format!("{}: make it first, with createdb", error.message()),
            _ => error.message().to_owned(),
        },
        other => other.to_string(),
    }
}
