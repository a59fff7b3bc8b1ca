//! Work of plugins that is due at times that their manifests name.
//!
//! For each schedule there is one job of the hub's in the queue, which comes when the schedule is due, puts its successor into
//! the queue, and looks where the plugin is on by then. There it leaves a job of the workspace's, which is done slice by slice.
//! So nothing has to be planned anew when somebody switches a plugin on or off, and what was missed meanwhile stays so.

use std::{sync::Arc, time::Duration};

use jackfield_domain::{
    JobId, Timestamp, WorkspaceId,
    jobs::{Job, JobKind, NewJob},
    plugins::{FailureKind, HubState, PluginId, Slice},
};
use jackfield_plugin_host::{hooks::RunSchedule, manifest::Schedule};
use serde::{Deserialize, Serialize};

use super::{
    super::{Core, jobs::Claim},
    Loaded,
    aside::{self, Asked},
    before::Tries,
    effects::{self, Waking},
    occasion, refresh,
};
use crate::{
    Error, Result,
    actions::jobs,
    store::{Effects, EndSlice, EnqueueRuns, FromPlugins, ScheduledRun, SliceEnding},
};

/// A slice that fails so often is given up, and its run with it, until it is due the next time.
const ATTEMPTS: u32 = 5;
/// How long to wait after the first failure; twice as long after each one more.
const PAUSE: Duration = Duration::from_secs(10);
/// A run that takes more slices never ends.
const SLICES: u32 = 10_000;
/// When to look again after a plugin that is left alone for a while.
const REST: Duration = Duration::from_secs(30);

/// A time at which a schedule is due.
#[derive(Serialize, Deserialize)]
struct Due {
    plugin: PluginId,
    schedule: String,
    /// As it was when this was planned: where it says something else by now, there is another plan.
    cron: String,
    at: i64,
}

/// Sees to it that each schedule of these plugins has its next time in the queue.
pub async fn plan(core: &Core, plugins: &[Arc<Loaded>]) -> Result<()> {
    let now = core.clock.now();
    let on = plugins.iter().filter(|loaded| loaded.installed.state == HubState::On);
    let next = on.flat_map(|loaded| {
        loaded.manifest.schedules.iter().filter_map(|schedule| next(core, &loaded.installed.plugin, schedule, now))
    });
    let next: Vec<NewJob> = next.collect::<Result<_>>()?;
    if next.is_empty() { Ok(()) } else { jobs::enqueue(core, next).await }
}

/// The next time of a schedule. Every node says the same of it, and so it is in the queue once.
fn next(core: &Core, plugin: &PluginId, schedule: &Schedule, now: Timestamp) -> Option<Result<NewJob>> {
    let due_at = schedule.next_after(now)?;
    let (name, cron) = (&schedule.name, schedule.cron.as_ref()?);
    let due = Due { plugin: plugin.clone(), schedule: name.clone(), cron: cron.clone(), at: due_at.0 };
    let payload = serde_json::to_string(&due).map_err(Error::internal);
    Some(payload.map(|payload| NewJob {
        id: JobId(core.clock.new_id()),
        workspace: None,
        kind: JobKind::PluginDue,
        key: Some(format!("plugin_due:{plugin}/{name}/{cron}@{}", due_at.0)),
        payload,
        at: now,
        due_at,
    }))
}

/// A schedule is due: wherever the plugin is on, there is something to do.
pub async fn due(core: &Arc<Core>, job: &Job) -> Result<()> {
    // Another node may have planned it, of a version that this one has not seen yet.
    refresh(core).await?;
    let due: Due = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    let Some(loaded) = core.plugins.find(&due.plugin).filter(|found| found.installed.state == HubState::On) else {
        return Ok(());
    };
    let is_it = |schedule: &&Schedule| schedule.name == due.schedule && schedule.cron.as_ref() == Some(&due.cron);
    let Some(schedule) = loaded.manifest.schedules.iter().find(is_it) else { return Ok(()) };
    let now = core.clock.now();
    // First what follows, so that it goes on whatever becomes of the rest.
    if let Some(next) = next(core, &due.plugin, schedule, now) {
        jobs::enqueue(core, vec![next?]).await?;
    }
    let mut after = None;
    loop {
        let workspaces = core.store.workspaces(after).await?;
        let Some(last) = workspaces.last() else { break };
        after = Some(last.id);
        let runs = EnqueueRuns {
            plugin: due.plugin.clone(),
            is_default: loaded.installed.is_default,
            schedule: due.schedule.clone(),
            due_at: Timestamp(due.at),
            at: now,
            workspaces: workspaces.iter().map(|workspace| (workspace.id, JobId(core.clock.new_id()))).collect(),
        };
        core.store.change(runs).await?;
        core.jobs.notify_one();
    }
    Ok(())
}

/// Has a plugin do a slice of its work in a workspace; again if somebody else changed meanwhile what it had looked at.
pub async fn run(core: &Arc<Core>, claim: &Claim) -> Result<()> {
    // It may have been switched on, or off, at another node just now.
    refresh(core).await?;
    let run: ScheduledRun = serde_json::from_str(&claim.job.payload).map_err(Error::internal)?;
    let workspace = claim.job.workspace.ok_or_else(|| Error::internal("a run of a schedule is of no workspace"))?;
    Tries::new(core, workspace).until_done(|| slice(core, claim, workspace, &run)).await
}

async fn slice(core: &Arc<Core>, claim: &Claim, workspace: WorkspaceId, run: &ScheduledRun) -> Result<()> {
    let here = super::here(core, workspace).await?;
    let now = core.clock.now();
    let mut end = EndSlice {
        job: claim.job.id,
        lease: claim.lease,
        workspace,
        plugin: run.plugin.clone(),
        bot: None,
        at: now,
        data: FromPlugins::default(),
        effects: Effects::default(),
        ending: SliceEnding::Done,
    };
    let wanted = here.find(&run.plugin).filter(|local| {
        local.is_on_somewhere() && local.loaded.manifest.schedules.iter().any(|known| known.name == run.schedule)
    });
    // Switched off meanwhile, or of another version: then there is nothing to do any more.
    if let Some(local) = wanted {
        let due_at = Timestamp(run.due_at);
        let question = RunSchedule::new(&run.schedule, due_at, run.resume.clone(), claim.job.attempts);
        match aside::ask(core, local, occasion(core, workspace, now), question).await {
            Asked::Answered { answer, issued } => {
                end.bot = local.row.bot;
                (end.data, end.effects) = effects::prepared(core, &here, local, workspace, issued).await?;
                end.ending = match answer {
                    Slice::Done => SliceEnding::Done,
                    Slice::More(_) if run.slices >= SLICES => {
                        SliceEnding::Failed { why: format!("it works in more than {SLICES} slices"), pause: None }
                    }
                    Slice::More(resume) => {
                        SliceEnding::More(ScheduledRun { resume: Some(resume), slices: run.slices + 1, ..run.clone() })
                    }
                };
            }
            Asked::Failed(failure) if failure.kind == FailureKind::Hub => return Err(Error::unavailable(failure.what)),
            Asked::Failed(failure) => end.ending = failed(failure.what, claim.job.attempts),
            Asked::Resting => end.ending = SliceEnding::Later { due_at: now + REST },
            Asked::Unable(why) => end.ending = failed(why, claim.job.attempts),
        }
    }
    let _waking = Waking::of(core, &end.effects);
    end.at = core.clock.now();
    let refused = core.store.change(end).await?.unwrap_or_default();
    effects::refused_of(core, workspace, &run.plugin, &refused);
    Ok(())
}

fn failed(why: String, attempts: u32) -> SliceEnding {
    let pause = (attempts < ATTEMPTS).then(|| PAUSE * 2_u32.pow(attempts.saturating_sub(1)));
    SliceEnding::Failed { why, pause }
}
