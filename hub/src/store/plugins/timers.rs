//! Times at which plugins want to be called that only they know: the job of a schedule in a workspace comes to life at the
//! earliest of them.

use jackfield_domain::{
    JobId, Timestamp, WorkspaceId,
    jobs::{JobKind, JobState, NewJob},
    plugins::PluginId,
};
use sea_orm::entity::prelude::*;

use super::{
    super::{Work, jobs},
    schedules::{ScheduledRun, run_key},
};
use crate::{Error, Result};

/// A time at which a schedule is to run.
#[derive(Debug, Clone)]
pub struct Timer {
    pub schedule: String,
    pub at: Timestamp,
    /// The id of its job, where there is none yet.
    pub job: JobId,
}

/// Sees to it that a schedule runs at a time, or has run by then.
pub async fn set(work: &Work, workspace: WorkspaceId, plugin: &PluginId, timer: &Timer, now: Timestamp) -> Result<()> {
    use jobs::Column;
    let key = run_key(workspace, plugin, &timer.schedule);
    let wanted = timer.at.max(now);
    let Some(row) = jobs::Entity::find().filter(Column::Key.eq(&key)).one(&work.transaction).await? else {
        let payload = in_words(&ScheduledRun::first(plugin.clone(), timer.schedule.clone(), wanted))?;
        let (workspace, kind, key) = (Some(workspace), JobKind::PluginRun, Some(key));
        let job = NewJob { id: timer.job, workspace, kind, key, payload, at: now, due_at: wanted };
        return jobs::enqueue(work, &[job]).await;
    };
    let before: ScheduledRun = serde_json::from_str(&row.payload).map_err(Error::internal)?;
    let row_of = || jobs::Entity::update_many().filter(Column::Id.eq(row.id));
    if [JobState::Done, JobState::Dead].iter().any(|state| state.as_str() == row.state) {
        let first = ScheduledRun::first(plugin.clone(), timer.schedule.clone(), wanted);
        jobs::again(row_of(), wanted, &in_words(&first)?).exec(&work.transaction).await?;
        return Ok(());
    }
    let waits = row.state == JobState::Waiting.as_str() && row.attempts == 0 && before.resume.is_none();
    if waits {
        if row.due_at.is_some_and(|due_at| due_at <= wanted.0) {
            return Ok(());
        }
        let first = ScheduledRun::first(plugin.clone(), timer.schedule.clone(), wanted);
        // Unless a node has taken it up just now.
        let moved = jobs::again(row_of(), wanted, &in_words(&first)?)
            .filter(Column::State.eq(JobState::Waiting.as_str()))
            .exec(&work.transaction)
            .await?;
        if moved.rows_affected > 0 {
            return Ok(());
        }
    }
    // While it runs, or is tried again, it is kept for when it is over.
    let next_at = Some(before.next_at.map_or(wanted.0, |next_at| next_at.min(wanted.0)));
    let payload = in_words(&ScheduledRun { next_at, ..before })?;
    row_of().col_expr(Column::Payload, Expr::value(payload)).exec(&work.transaction).await?;
    Ok(())
}

fn in_words(run: &ScheduledRun) -> Result<String> {
    serde_json::to_string(run).map_err(Error::internal)
}
