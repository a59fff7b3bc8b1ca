//! Work that is to be done later, or again: what it is, where it stands, and how often it is tried.

use std::time::Duration;

use crate::{JobId, Timestamp, WorkspaceId, roles::words};

words! {
    /// What there is to do.
    JobKind {
        /// Take from the logs what is older than the policies keep.
        LogTrim = "log_trim",
        /// Take away sessions, invitations and tries to sign in that count for nothing any more.
        AccessSweep = "access_sweep",
        /// Take away what was said in a conversation that was deleted.
        ConversationPurge = "conversation_purge",
        /// Take away all that a workspace held that was deleted.
        WorkspacePurge = "workspace_purge",
        /// Take away the packages of a plugin that was removed, and what it kept.
        PluginPurge = "plugin_purge",
        /// Take away packages of a plugin that nobody goes back to.
        PackageSweep = "package_sweep",
        /// Take away what was uploaded.
        UploadSweep = "upload_sweep",
        /// See in which workspaces a plugin has scheduled work to do.
        PluginDue = "plugin_due",
        /// Have a plugin do a slice of its scheduled work in a workspace.
        PluginRun = "plugin_run",
        /// Take away what is left of jobs that were done.
        JobSweep = "job_sweep",
    }
}

words! {
    /// How far it has come.
    JobState {
        /// It waits for its time.
        Waiting = "waiting",
        /// A node is at it.
        Running = "running",
        /// It was done.
        Done = "done",
        /// It failed too often, and is left to people.
        Dead = "dead",
    }
}

/// Something to do. Whoever enqueues it twice under one key enqueues it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    pub id: JobId,
    /// None where it is the hub's own.
    pub workspace: Option<WorkspaceId>,
    pub kind: JobKind,
    pub key: Option<String>,
    /// What the kind needs to know, as JSON.
    pub payload: String,
    pub at: Timestamp,
    pub due_at: Timestamp,
}

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub workspace: Option<WorkspaceId>,
    pub kind: JobKind,
    pub key: Option<String>,
    pub payload: String,
    pub state: JobState,
    /// When it is to be done; while a node is at it, when another one may take it over.
    pub due_at: Option<Timestamp>,
    pub attempts: u32,
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// A job that fails so often is left to people.
pub const MOST_ATTEMPTS: u32 = 12;
/// The first pause; each one after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// How long to wait after this many attempts; none if it is to be left. The pauses of jobs that failed together differ
/// by up to a fifth to either side, so that they do not come back together; the id decides, so that a test can foresee it.
pub fn pause_after(id: JobId, attempts: u32) -> Option<Duration> {
    if attempts >= MOST_ATTEMPTS {
        return None;
    }
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(20)).min(LONGEST_PAUSE);
    let drawn = id.0.as_bytes().iter().fold(attempts, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    Some(doubled.mul_f64(0.8 + f64::from(drawn % 1_000) / 2_500.0))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let id = JobId(Uuid::from_u128(0x1234_5678));
        let seconds = |attempts| pause_after(id, attempts).map(|pause| pause.as_secs_f64());
        for attempts in 1..MOST_ATTEMPTS {
            let expected = f64::from(1_u32 << (attempts - 1)).min(3_600.0);
            let pause = seconds(attempts).expect("it is tried again");
            assert!((expected * 0.8..=expected * 1.2).contains(&pause), "{attempts}: {pause}");
        }
        assert_eq!(seconds(MOST_ATTEMPTS), None);
        assert_ne!(
            pause_after(JobId(Uuid::from_u128(1)), 5),
            pause_after(JobId(Uuid::from_u128(2)), 5),
            "they do not come together"
        );
    }
}
