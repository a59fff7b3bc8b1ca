//! The node's hands for the queue of jobs: takes what is due, holds on to it while it lasts, and says what became of it.
//!
//! What a job does is for `actions` to know. A job is done at least once; one that must not be done twice writes what
//! it does under a key of its own.

use std::{sync::Arc, time::Duration};

use cronexpr::Crontab;
use jackfield_domain::{
    JobId, Timestamp,
    jobs::{JobKind, JobState, NewJob},
};
use metrics::counter;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker},
};

use crate::{
    Error, Result,
    actions::{
        Core,
        jobs::{self, Claim, Ending},
    },
};

/// So many jobs at once.
const AT_ONCE: usize = 4;
/// How long it may take until this node hears of what another one put into the queue.
const POLL: Duration = Duration::from_secs(1);
/// How long to wait when the store is away.
const PAUSE: Duration = Duration::from_secs(1);
/// No turn of a job takes longer.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// What the hub does by itself, and when, as cron writes it.
const SCHEDULES: &[(JobKind, &str)] = &[
    (JobKind::LogTrim, "7 * * * * UTC"),
    (JobKind::AccessSweep, "23 * * * * UTC"),
    (JobKind::JobSweep, "37 3 * * * UTC"),
];

/// Does what is due until the hub goes away; what was begun by then is counted by `running`.
pub async fn run(core: Arc<Core>, draining: CancellationToken, running: TaskTracker) {
    tokio::select! {
        () = draining.cancelled() => {}
        () = work(&core, &running) => {}
    }
}

async fn work(core: &Arc<Core>, running: &TaskTracker) {
    while let Err(error) = begin(core).await {
        tracing::warn!(%error, "the schedules could not be put into the queue; trying again");
        sleep(PAUSE).await;
    }
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
        match next(core).await {
            Ok(Some(claim)) => {
                let core = core.clone();
                running.spawn(async move {
                    turn(&core, claim).await;
                    drop(place);
                });
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "the queue of jobs cannot be read");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Sees to it that each schedule has its next turn in the queue.
async fn begin(core: &Arc<Core>) -> Result<()> {
    let now = core.clock.now();
    let turns = SCHEDULES.iter().map(|(kind, when)| scheduled(core, *kind, when, now)).collect::<Result<_>>()?;
    jobs::enqueue(core, turns).await
}

/// The next turn of a schedule after a moment. Every node says the same of it, and so it is in the queue once.
fn scheduled(core: &Core, kind: JobKind, when: &str, at: Timestamp) -> Result<NewJob> {
    let crontab: Crontab = when.parse().map_err(|error: cronexpr::Error| Error::internal(error.to_string()))?;
    let after = jiff::Timestamp::from_millisecond(at.0).map_err(Error::internal)?;
    let next = crontab.find_next(after).map_err(|error| Error::internal(error.to_string()))?;
    let due_at = Timestamp(next.timestamp().as_millisecond());
    Ok(NewJob {
        id: JobId(core.clock.new_id()),
        workspace: None,
        kind,
        key: Some(format!("{}@{}", kind.as_str(), due_at.0)),
        payload: "{}".to_owned(),
        at,
        due_at,
    })
}

/// Waits until something is due, and takes it; none if it is time to look again.
async fn next(core: &Arc<Core>) -> Result<Option<Claim>> {
    let told = core.jobs.notified();
    let now = core.clock.now();
    match jobs::next_due(core).await? {
        Some(due) if due <= now => jobs::claim(core).await,
        due => {
            let until = due.map_or(now + POLL, |due| due.min(now + POLL));
            tokio::select! {
                () = told => {}
                () = core.clock.wait_until(until) => {}
            }
            Ok(None)
        }
    }
}

/// One turn of a job, from its beginning to its end, or until it is another node's.
async fn turn(core: &Arc<Core>, claim: Claim) {
    let kind = claim.job.kind.as_str();
    // What becomes old while it lasts is for the next turn, which follows from when this one began.
    let began_at = core.clock.now();
    let Some(ending) = perform(core, &claim).await else {
        return tracing::warn!(kind, "a job took so long that another node has taken it over");
    };
    if let Ending::Failed(why) = &ending {
        tracing::warn!(kind, attempts = claim.job.attempts, %why, "a job failed");
    }
    let failed = matches!(ending, Ending::Failed(_));
    counter!("jackfield_jobs_total", "kind" => kind, "failed" => failed.to_string()).increment(1);
    let schedule = SCHEDULES.iter().find(|(kind, _)| *kind == claim.job.kind);
    let next: Result<Vec<NewJob>> =
        schedule.into_iter().map(|(kind, when)| scheduled(core, *kind, when, began_at)).collect();
    let ended = match next {
        Ok(next) => jobs::end(core, claim, ending, next).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(Some(JobState::Dead)) => tracing::error!(kind, "a job failed too often and is given up"),
        Ok(_) => {}
        // When the lease ends, it is done again.
        Err(error) => tracing::warn!(%error, kind, "it could not be said what became of a job"),
    }
}

/// Does it, and holds on to it meanwhile; none if it is not this node's any more.
async fn perform(core: &Arc<Core>, claim: &Claim) -> Option<Ending> {
    let (inner, claimed) = (core.clone(), claim.clone());
    // A task of its own, so that one that panics is one that failed.
    let work = timeout(LIMIT, async move { jobs::perform(&inner, &claimed).await });
    let mut work = AbortOnDropHandle::new(tokio::spawn(work));
    loop {
        let renew_at = core.clock.now() + jobs::LEASE / 3;
        tokio::select! {
            ended = &mut work => return Some(match ended {
                Ok(Ok(Ok(()))) => Ending::Done,
                Ok(Ok(Err(error))) => Ending::Failed(error.to_string()),
                Ok(Err(_)) => Ending::Failed(format!("it took longer than {LIMIT:?}")),
                Err(error) => Ending::Failed(error.to_string()),
            }),
            () = core.clock.wait_until(renew_at) => {
                // While the store is away nobody else takes it, either.
                if matches!(jobs::hold(core, claim).await, Ok(false)) {
                    return None;
                }
            }
        }
    }
}
