//! The truth: SQLite for one machine, PostgreSQL for many, behind one set of calls.
//!
//! Reads go straight to a pool of readers. Every write goes through the one [`writer`] of this node, which numbers the
//! events of a workspace densely and commits many messages as one transaction. No type of SeaORM leaves this module.

mod accounts;
mod audit;
mod blocks;
mod bots;
mod conversations;
mod error;
mod invitations;
mod issuers;
mod jobs;
mod legal_holds;
mod log;
mod members;
mod messages;
mod people;
pub mod plans;
mod plugins;
mod reads;
mod receipts;
mod secrets;
mod sessions;
mod setup;
mod users;
mod words;
mod workspaces;
mod writer;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use jackfield_domain::events::Entry;
use jackfield_migrations::Migrator;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, SqlxError,
    sqlx::{ConnectOptions as _, Connection, postgres::PgConnectOptions},
};
use sea_orm_migration::MigratorTrait;
use tokio::sync::mpsc;

pub use accounts::{
    Account, BeginSignIn, ChangePassword, CreateAccount, CreatePasswordReset, OWN_ISSUER, ResetPassword, SweepAccess,
};
pub use blocks::SetBlock;
pub use bots::{CreateBot, CreateBotToken, RevokeBotToken};
pub use conversations::{
    CreateConversation, Wanted,
    deletion::{DeleteConversation, PurgeConversation},
    invitations::{InviteToConversation, RevokeConversationInvitation},
    life::{CloseConversation, UpdateConversation},
    overriding::LookInto,
    settings::UpdateSettings,
    support::{AssignConversation, ResolveConversation},
};
pub use invitations::{CreateInvitation, RevokeInvitation};
pub use issuers::{CreateIssuer, DeleteIssuer, KeptIssuer};
pub use jobs::{ClaimJobs, EndJob, Ending, EnqueueJobs, RenewLease, RetryJob, SweepJobs};
pub use legal_holds::{LiftLegalHold, SetLegalHold};
pub use log::TrimLog;
pub use members::{
    AddMembers,
    joining::{Entrance, JoinConversation},
    leaving::{LeaveConversation, RemoveMember},
    roles::{TransferConversation, UpdateMember},
};
pub use messages::{
    deletions::{DeleteMessage, HideMessage},
    edits::EditMessage,
};
pub use people::{UpdateProfile, UpdateRole, UpdateStatus};
pub use plugins::{
    ChangePlugin,
    commit::{CommitIssued, Effects, MakeBot, Next, TOO_MANY_REQUESTS, TurnStep, WriteLogs},
    data::{DataChange, SweepPluginData},
    held::{DecideHeld, KeepLeft, KeepOutcome},
    letters::{DecideLetter, Deed, Fate},
    preparing::{BeginPreparing, EndPreparing, Progress},
    removal::{ForgetPackage, Piece, PurgePlugin},
    requests::{ClaimRequests, EndRequest, NewRequest, Pending, RequestEnding, SweepRequests},
    runs::{CommitCommand, SweepCommandRuns},
    schedules::{EndSlice, EnqueueRuns, ScheduledRun, SliceEnding},
    timers::Timer,
    verdicts::SweepVerdicts,
    workspaces::{ChangeInConversation, ChangeInWorkspace, GiveBackTurn, ReleaseTurns, SetSecret, TakeTurn, Turn},
};
pub use reads::{counted, counting};
pub use receipts::{AdvanceReceipts, Mark, Standing};
pub use secrets::{ConsumeSignInLink, CreateSignInLink, EnsureSecret};
pub use sessions::{CreateSession, EndSession, EndSessions, NewSession, RotateSession, Rotated};
pub use setup::FirstStart;
pub use users::ProvisionUser;
pub use words::FoundKey;
pub use workspaces::{
    CreateWorkspace, UpdateWorkspace,
    purge::{DeleteWorkspace, PurgeWorkspace},
};
pub use writer::{Change, FromPlugins, Outgoing, Sent, Work};

use crate::{Error, Result};

/// Where the truth is kept.
#[derive(Debug, Clone)]
pub enum Place {
    Sqlite(PathBuf),
    /// The URL holds a password: it is never logged.
    Postgres(String),
}

impl Place {
    /// What it is called.
    pub fn kind(&self) -> &'static str {
        match self {
            Place::Sqlite(_) => "SQLite",
            Place::Postgres(_) => "PostgreSQL",
        }
    }
}

pub struct Store {
    reads: reads::Reads,
    writer: writer::Writer,
}

/// What this node commits, for whoever spreads the word; a hint that may be dropped when nobody keeps up.
pub type Commits = mpsc::Receiver<Vec<Entry>>;

/// A statement that takes longer than this is given up.
const STATEMENT_LIMIT: Duration = Duration::from_secs(10);
/// How many prepared statements a connection keeps. A batch has as many forms as it may have rows.
const STATEMENTS: usize = 1_000;

impl Store {
    /// Opens the store, which must have been migrated before.
    pub async fn open(place: &Place) -> Result<(Store, Commits)> {
        let (reads, writes) = (reads::Reads(connect(place, Use::Read).await?), connect(place, Use::Write).await?);
        let (announce, commits) = mpsc::channel(1_024);
        Ok((Store { reads, writer: writer::Writer::start(writes, announce) }, commits))
    }

    /// Brings the schema to what this program expects. Nodes that start together take turns.
    pub async fn migrate(place: &Place) -> Result<()> {
        let connection = connect(place, Use::Migrate).await?;
        let taking_turns = connection.get_database_backend() == DbBackend::Postgres;
        if taking_turns {
            connection.execute_unprepared("SELECT pg_advisory_lock(7225343)").await?;
        }
        Migrator::up(&connection, None).await?;
        if taking_turns {
            connection.execute_unprepared("SELECT pg_advisory_unlock(7225343)").await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// Tries to reach the database; if that fails, why, in words. The pool would only say that it waited.
    pub async fn probe(place: &Place) -> Result<(), String> {
        match place {
            Place::Sqlite(_) => Ok(()),
            Place::Postgres(url) => {
                let options: PgConnectOptions = url.parse().map_err(|error: SqlxError| error.to_string())?;
                let connection = options.connect().await.map_err(|error| error::in_words(&error))?;
                connection.close().await.map_err(|error| error.to_string())
            }
        }
    }

    /// Takes so many of the last steps back, or every table away; for those who leave, and for tests of steps.
    pub async fn unmigrate(place: &Place, steps: Option<u32>) -> Result<()> {
        let connection = connect(place, Use::Migrate).await?;
        Migrator::down(&connection, steps).await?;
        connection.close().await?;
        Ok(())
    }

    /// How many steps of the schema are still to be taken. Writes nothing.
    pub async fn pending_migrations(place: &Place) -> Result<usize> {
        if matches!(place, Place::Sqlite(path) if !path.exists()) {
            return Ok(Migrator::migrations().len());
        }
        let connection = connect(place, Use::Look).await?;
        let pending = Migrator::get_pending_migrations_read_only(&connection).await?.len();
        connection.close().await?;
        Ok(pending)
    }

    /// Lets go of the database.
    pub async fn close(&self) {
        // What fails here is cleaned up by the end of the process.
        let _ = self.reads.0.clone().close().await;
    }

    /// Answers if the database answers.
    pub async fn ping(&self) -> Result<()> {
        self.reads.execute_unprepared("SELECT 1").await?;
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
    Migrate,
    /// As a reader, but only once, and on whatever there is.
    Look,
}

async fn connect(place: &Place, purpose: Use) -> Result<DatabaseConnection> {
    let options = match place {
        Place::Sqlite(path) => {
            if matches!(purpose, Use::Write | Use::Migrate) {
                for_nobody_else(path).map_err(|error| Error::internal(format!("{}: {error}", path.display())))?;
            }
            sqlite_options(path, purpose)
        }
        Place::Postgres(url) => {
            let mut options = ConnectOptions::new(url);
            options.max_connections(if purpose == Use::Read { 16 } else { 1 });
            options.map_sqlx_postgres_opts(move |options| {
                let options = options.application_name("jackfield").statement_cache_capacity(STATEMENTS);
                // A step of the schema may take as long as it needs, and waits for its turn.
                if purpose == Use::Migrate {
                    return options;
                }
                let limit = STATEMENT_LIMIT.as_millis().to_string();
                // Everything here is looked up by a key, but PostgreSQL keeps the plan that it made for a statement when
                // the table was still empty, and then reads all of a table that has grown.
                let by_key = ("enable_seqscan", "off");
                options.options([("statement_timeout", limit.as_str()), ("lock_timeout", "4000"), by_key])
            });
            options
        }
    };
    let mut options = options;
    options.sqlx_logging(false).acquire_timeout(Duration::from_secs(3)).connect_timeout(Duration::from_secs(3));
    // Asking a connection whether it is there costs as much as a query. SQLite is always there; PostgreSQL is asked
    // where the connection has been idle for long enough that somebody on the way may have forgotten it.
    match place {
        Place::Sqlite(_) => options.test_before_acquire(false),
        Place::Postgres(_) => options.test_before_acquire_if_idle_for(Duration::from_secs(1)),
    };
    Ok(Database::connect(options).await?)
}

/// Makes the file, or takes it, so that only the hub's own user can read it: the key that signs tokens is in it. SQLite
/// gives the files beside it the same mode.
///
/// A file that is there is not opened: whoever closes it, anywhere in a process, gives back all locks that the process has on it, and
/// then the next program that looks into it believes itself alone, and takes away what was not moved into it yet.
fn for_nobody_else(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::File::options();
    options.create_new(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            #[cfg(unix)]
            std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
            Ok(())
        }
        made => made.map(drop),
    }
}

fn sqlite_options(path: &Path, purpose: Use) -> ConnectOptions {
    // One writer, because SQLite has one; a few readers, because WAL lets them read beside it.
    let reads = matches!(purpose, Use::Read | Use::Look);
    let mode = if reads { "ro" } else { "rwc" };
    let mut options = ConnectOptions::new(format!("sqlite:file?mode={mode}"));
    options.max_connections(if purpose == Use::Read { 4 } else { 1 });
    let path = path.to_owned();
    options.map_sqlx_sqlite_opts(move |options| {
        // Not in the URL, where some characters of a path mean something else.
        let options = options
            .filename(&path)
            .statement_cache_capacity(STATEMENTS)
            .busy_timeout(Duration::from_secs(5))
            .pragma("cache_size", "-16000")
            .foreign_keys(true);
        match purpose {
            Use::Read => options.pragma("query_only", "ON"),
            // Where nobody writes, a mere look must not leave files of the log behind, perhaps of another user.
            Use::Look => options.pragma("query_only", "ON").immutable(!beside(&path, "-wal").exists()),
            // FULL: a message that was acknowledged survives a power cut, not only a crash.
            Use::Write | Use::Migrate => options.pragma("journal_mode", "WAL").pragma("synchronous", "FULL"),
        }
    });
    options
}

/// The path of a file that SQLite keeps beside its database.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
