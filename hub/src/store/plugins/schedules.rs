//! Scheduled work of plugins in the queue of jobs: one job for each schedule in each workspace, which comes to life again
//! whenever it is due.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use jackfield_domain::{
    JobId, Rejection, Timestamp, UserId, WorkspaceId,
    jobs::{JobKind, JobState},
    plugins::PluginId,
    workspaces::WorkspaceStatus,
};
use sea_orm::{
    ActiveValue::Set,
    QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, OnConflict},
};
use serde::{Deserialize, Serialize};

use super::{
    super::{Change, Work, jobs, workspaces as places, writer::FromPlugins},
    commit::{Effects, carry_out},
    held,
    workspaces::{self, conversations},
};
use crate::{Error, Result};

/// A run of a schedule in a workspace, and how far it has come: what its job needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledRun {
    pub plugin: PluginId,
    pub schedule: String,
    pub due_at: i64,
    /// What the last slice left.
    pub resume: Option<String>,
    /// How many slices were done.
    pub slices: u32,
    /// When it is to run again after this: the plugin said so meanwhile.
    #[serde(default)]
    pub next_at: Option<i64>,
}

impl ScheduledRun {
    /// The beginning of a run.
    pub fn first(plugin: PluginId, schedule: String, due_at: Timestamp) -> Self {
        ScheduledRun { plugin, schedule, due_at: due_at.0, resume: None, slices: 0, next_at: None }
    }
}

/// The key of the job that runs a schedule in a workspace.
pub fn run_key(workspace: WorkspaceId, plugin: &PluginId, schedule: &str) -> String {
    format!("plugin_run:{workspace}/{plugin}/{schedule}")
}

/// A schedule is due: puts a run into the queue for each of these workspaces in which the plugin is on. Where the run before
/// it is not over yet, there is none. Doing it again changes nothing.
pub struct EnqueueRuns {
    pub plugin: PluginId,
    /// Whether it is on in workspaces that say nothing of it.
    pub is_default: bool,
    pub schedule: String,
    pub due_at: Timestamp,
    pub at: Timestamp,
    /// And the id of the job there, if there is none yet.
    pub workspaces: Vec<(WorkspaceId, JobId)>,
}

#[async_trait]
impl Change for EnqueueRuns {
    /// How many there are.
    type Outcome = usize;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<usize> {
        let open = self.where_it_is_on(work).await?;
        let mut wanted: HashMap<String, (WorkspaceId, JobId)> = HashMap::new();
        for (workspace, job) in self.workspaces.iter().filter(|(workspace, _)| open.contains(&workspace.0)) {
            wanted.insert(run_key(*workspace, &self.plugin, &self.schedule), (*workspace, *job));
        }
        if wanted.is_empty() {
            return Ok(0);
        }
        let run = ScheduledRun::first(self.plugin.clone(), self.schedule.clone(), self.due_at);
        let payload = serde_json::to_string(&run).map_err(Error::internal)?;
        let found = jobs::Entity::find()
            .filter(jobs::Column::Key.is_in(wanted.keys().map(String::as_str)))
            .all(&work.transaction)
            .await?;
        let mut again = Vec::new();
        for row in found {
            wanted.remove(row.key.as_deref().unwrap_or_default());
            let is_over = [JobState::Done, JobState::Dead].iter().any(|state| state.as_str() == row.state);
            let before: ScheduledRun = serde_json::from_str(&row.payload).map_err(Error::internal)?;
            if is_over && before.due_at < self.due_at.0 {
                again.push(row.id);
            }
        }
        let count = again.len() + wanted.len();
        if !again.is_empty() {
            let these = jobs::Entity::update_many().filter(jobs::Column::Id.is_in(again));
            jobs::again(these, self.due_at, &payload).exec(&work.transaction).await?;
        }
        if !wanted.is_empty() {
            let rows = wanted.into_iter().map(|(key, (workspace, job))| jobs::ActiveModel {
                id: Set(job.0),
                workspace_id: Set(Some(workspace.0)),
                kind: Set(JobKind::PluginRun.as_str().to_owned()),
                key: Set(Some(key)),
                payload: Set(payload.clone()),
                state: Set(JobState::Waiting.as_str().to_owned()),
                due_at: Set(Some(self.due_at.0)),
                lease: Set(None),
                attempts: Set(0),
                last_error: Set(None),
                created_at: Set(self.at.0),
                finished_at: Set(None),
            });
            let twice = OnConflict::new().do_nothing().to_owned();
            jobs::Entity::insert_many(rows).on_conflict(twice).exec_without_returning(&work.transaction).await?;
        }
        Ok(count)
    }
}

impl EnqueueRuns {
    /// Those of the workspaces that are there, take anybody in, and have the plugin on somewhere.
    async fn where_it_is_on(&self, work: &Work) -> Result<HashSet<Uuid>> {
        let ids = || self.workspaces.iter().map(|(workspace, _)| workspace.0);
        let open: Vec<Uuid> = places::Entity::find()
            .filter(places::Column::Id.is_in(ids()))
            .filter(places::Column::DeletedAt.is_null())
            .filter(places::Column::Status.eq(WorkspaceStatus::Active.as_str()))
            .select_only()
            .column(places::Column::Id)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        let said: Vec<(Uuid, Option<bool>)> = workspaces::Entity::find()
            .filter(workspaces::Column::WorkspaceId.is_in(ids()))
            .filter(workspaces::Column::PluginId.eq(self.plugin.as_str()))
            .select_only()
            .columns([workspaces::Column::WorkspaceId, workspaces::Column::IsOn])
            .into_tuple()
            .all(&work.transaction)
            .await?;
        let said: HashMap<Uuid, Option<bool>> = said.into_iter().collect();
        let somewhere: Vec<Uuid> = conversations::Entity::find()
            .filter(conversations::Column::WorkspaceId.is_in(ids()))
            .filter(conversations::Column::PluginId.eq(self.plugin.as_str()))
            .filter(conversations::Column::IsOn.eq(true))
            .select_only()
            .column(conversations::Column::WorkspaceId)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        let is_on = |id: &Uuid| said.get(id).copied().flatten().unwrap_or(self.is_default) || somewhere.contains(id);
        Ok(open.into_iter().filter(is_on).collect())
    }
}

/// What became of a slice.
#[derive(Debug, Clone)]
pub enum SliceEnding {
    /// The run is over.
    Done,
    /// There is more to do, at once.
    More(ScheduledRun),
    /// It is tried again after a pause; without one it is given up until it is due the next time.
    Failed { why: String, pause: Option<std::time::Duration> },
    /// It was not begun, and that counts for nothing.
    Later { due_at: Timestamp },
}

/// Ends a slice: what the plugin left, and how far the run has come, are committed together or not at all.
pub struct EndSlice {
    pub job: JobId,
    pub lease: Uuid,
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub bot: Option<UserId>,
    pub at: Timestamp,
    pub data: FromPlugins,
    pub effects: Effects,
    pub ending: SliceEnding,
}

#[async_trait]
impl Change for EndSlice {
    /// What was refused of what the plugin wanted to post; none if the job was another node's.
    type Outcome = Option<Vec<Rejection>>;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        // What is posted moves conversations.
        self.effects.posts.is_empty()
    }

    async fn apply(&self, work: &mut Work) -> Result<Self::Outcome> {
        use jobs::Column;
        let held = jobs::Entity::find_by_id(self.job.0).filter(Column::Lease.eq(self.lease));
        let Some(row) = held.one(&work.transaction).await? else { return Ok(None) };
        let run: ScheduledRun = serde_json::from_str(&row.payload).map_err(Error::internal)?;
        let ended = jobs::Entity::update_many()
            .col_expr(Column::Lease, Expr::value(None::<Uuid>))
            .filter(Column::Id.eq(self.job.0))
            .filter(Column::Lease.eq(self.lease));
        let to = |state: JobState, due_at: Option<Timestamp>, error: Option<&str>| {
            ended
                .clone()
                .col_expr(Column::State, Expr::value(state.as_str()))
                .col_expr(Column::DueAt, Expr::value(due_at.map(|due_at| due_at.0)))
                .col_expr(Column::LastError, Expr::value(error.map(str::to_owned)))
                .col_expr(Column::FinishedAt, Expr::value(due_at.is_none().then_some(self.at.0)))
        };
        let in_words = |run: &ScheduledRun| serde_json::to_string(run).map_err(Error::internal);
        // What the plugin wanted meanwhile comes after this, however it ends.
        let over = |state: JobState, error: Option<&str>| match run.next_at {
            None => Ok(to(state, None, error)),
            Some(at) => {
                let next = ScheduledRun::first(run.plugin.clone(), run.schedule.clone(), Timestamp(at));
                Ok::<_, Error>(jobs::again(ended.clone(), Timestamp(at), &in_words(&next)?))
            }
        };
        let ended = match &self.ending {
            SliceEnding::Done => over(JobState::Done, None)?,
            SliceEnding::More(more) => to(JobState::Waiting, Some(self.at), None)
                .col_expr(
                    Column::Payload,
                    Expr::value(in_words(&ScheduledRun { next_at: run.next_at, ..more.clone() })?),
                )
                .col_expr(Column::Attempts, Expr::value(0_i64)),
            SliceEnding::Failed { why, pause: Some(pause) } => to(JobState::Waiting, Some(self.at + *pause), Some(why)),
            SliceEnding::Failed { why, pause: None } => over(JobState::Dead, Some(why))?,
            SliceEnding::Later { due_at } => to(JobState::Waiting, Some(*due_at), None)
                .col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(1)),
        };
        if ended.exec(&work.transaction).await?.rows_affected == 0 {
            return Ok(None);
        }
        work.depth = 1;
        held::commit_data(work, &self.data, self.at).await?;
        carry_out(work, self.workspace, &self.plugin, self.bot, &self.effects, self.at).await.map(Some)
    }
}
