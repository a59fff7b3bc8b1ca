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
