//! What is in the queue, for those who run the place; and the work that the hub itself has to do again and again.

use std::{sync::Arc, time::Duration};

use jackfield_domain::{
    JobId, Rejection, Timestamp, WorkspaceId,
    jobs::{Job, JobKind, JobState, NewJob},
    pages::{Page, Slice},
    permissions::{Act, may},
};
use uuid::Uuid;

use super::{Core, Viewer, accounts, conversations, events, plugins, workspaces};
pub use crate::store::Ending;
use crate::{
    Result,
    store::{ClaimJobs, EndJob, EnqueueJobs, RenewLease, RetryJob, SweepJobs, SweepPluginData},
};

/// How long it can be seen what was done.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const SWEEP: u64 = 1_000;

/// Does what a job asks for. It may have been begun before, by a node that did not end it.
pub async fn perform(core: &Arc<Core>, claim: &Claim) -> Result<()> {
    let job = &claim.job;
    match job.kind {
        JobKind::LogTrim => match events::trim(core).await? {
            0 => {}
            trimmed => tracing::info!(trimmed, "old events were taken from the log"),
        },
        JobKind::AccessSweep => {
            accounts::sweep(core).await?;
            plugins::commands::sweep(core).await?;
            plugins::verdicts::sweep(core).await?;
            plugins::requests::sweep(core).await?;
            while core.store.change(SweepPluginData { now: core.clock.now(), limit: SWEEP }).await? == SWEEP {}
        }
        JobKind::ConversationPurge => conversations::life::purge(core, job).await?,
        JobKind::WorkspacePurge => workspaces::purge(core, job).await?,
        JobKind::PluginPurge => plugins::packages::purge(core, job).await?,
        JobKind::PackageSweep => plugins::packages::sweep(core, job).await?,
        JobKind::UploadSweep => plugins::uploads::sweep(core, job).await?,
        JobKind::PluginDue => plugins::schedules::due(core, job).await?,
        JobKind::PluginRun => plugins::schedules::run(core, claim).await?,
        JobKind::JobSweep => {
            let before = core.clock.now().before(KEPT);
            while core.store.change(SweepJobs { before, limit: SWEEP }).await? > 0 {}
        }
    }
    Ok(())
}

/// How long a node may be silent before another one takes over what it was at.
pub const LEASE: Duration = Duration::from_secs(60);

/// A job that this node is at.
#[derive(Debug, Clone)]
pub struct Claim {
    pub job: Job,
    pub(super) lease: Uuid,
}

/// Puts work into the queue; what is there under the same key already is not put there again.
pub async fn enqueue(core: &Core, jobs: Vec<NewJob>) -> Result<()> {
    core.store.change(EnqueueJobs(jobs)).await?;
    core.jobs.notify_one();
    Ok(())
}

/// When something is due next, so far as anybody knows.
pub async fn next_due(core: &Core) -> Result<Option<Timestamp>> {
    core.store.next_due().await
}

/// Takes the next job that is due, if there is one.
pub async fn claim(core: &Core) -> Result<Option<Claim>> {
    let (lease, at) = (core.clock.new_id(), core.clock.now());
    let claimed = core.store.change(ClaimJobs { lease, at, until: at + LEASE, limit: 1 }).await?;
    Ok(claimed.into_iter().next().map(|job| Claim { job, lease }))
}

/// Goes on with a job; answers whether it is still this node's.
pub async fn hold(core: &Core, claim: &Claim) -> Result<bool> {
    let until = core.clock.now() + LEASE;
    core.store.change(RenewLease { id: claim.job.id, lease: claim.lease, until }).await
}

/// Says what became of a job, and what follows from it.
pub async fn end(core: &Core, claim: Claim, ending: Ending, next: Vec<NewJob>) -> Result<Option<JobState>> {
    let Claim { job, lease } = claim;
    let state = core.store.change(EndJob { job, lease, at: core.clock.now(), ending, next }).await?;
    // It may be due again already, or what follows it.
    core.jobs.notify_one();
    Ok(state)
}

/// A page of the jobs of the viewer's workspace, or of the hub's own, which are an operator's to see.
pub async fn list(core: &Core, viewer: &Viewer, of_hub: bool, page: &Page<Uuid>) -> Result<Slice<Job>> {
    let workspace = reach(viewer, of_hub)?;
    core.store.jobs(workspace, page).await
}

/// Tries a job again that was given up.
pub async fn retry(core: &Core, viewer: &Viewer, id: JobId, of_hub: bool) -> Result<Job> {
    let workspace = reach(viewer, of_hub)?;
    let job = core.store.change(RetryJob { id, workspace, by: viewer.by(core) }).await?;
    core.jobs.notify_one();
    Ok(job)
}

fn reach(viewer: &Viewer, of_hub: bool) -> Result<Option<WorkspaceId>> {
    if of_hub {
        if !viewer.is_operator() {
            return Err(Rejection::NotAllowed { who: "an operator of the hub" }.into());
        }
        return Ok(None);
    }
    may(viewer.role(), Act::ReadJobs)?;
    Ok(Some(viewer.workspace()))
}
