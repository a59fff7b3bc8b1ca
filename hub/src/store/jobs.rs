//! The queue of work that is to be done later, or again.
//!
//! A job that a node is at is due again when the node's lease ends; so nothing has to look for nodes that died. Whoever
//! ends a job must still hold its lease, or what they say of it does not count.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, JobId, Rejection, Timestamp, WorkspaceId,
    jobs::{Job, JobKind, JobState, NewJob, pause_after},
    pages::{Direction, Page, Slice},
};
use sea_orm::{
    ActiveValue::Set,
    QueryOrder, QuerySelect, UpdateMany,
    entity::prelude::*,
    sea_query::{ExprTrait, LockBehavior, LockType, OnConflict},
};

use super::{Change, Store, Work};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Option<Uuid>,
    pub kind: String,
    pub key: Option<String>,
    pub payload: String,
    pub state: String,
    pub due_at: Option<i64>,
    pub lease: Option<Uuid>,
    pub attempts: i64,
    pub last_error: Option<String>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Job {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Job {
            id: JobId(row.id),
            workspace: row.workspace_id.map(WorkspaceId),
            kind: JobKind::from_word(&row.kind).ok_or_else(|| Error::internal("unknown kind of job"))?,
            key: row.key,
            payload: row.payload,
            state: JobState::from_word(&row.state).ok_or_else(|| Error::internal("unknown state of a job"))?,
            due_at: row.due_at.map(Timestamp),
            attempts: u32::try_from(row.attempts).map_err(Error::internal)?,
            last_error: row.last_error,
            created_at: Timestamp(row.created_at),
            finished_at: row.finished_at.map(Timestamp),
        })
    }
}

impl Store {
    /// When the next job is due.
    pub async fn next_due(&self) -> Result<Option<Timestamp>> {
        let next = due(Timestamp(i64::MAX), 1).one(&self.reads).await?;
        Ok(next.and_then(|row| row.due_at).map(Timestamp))
    }

    /// A page of the jobs of a workspace, or of the hub itself, in the order in which they were made.
    pub async fn jobs(&self, workspace: Option<WorkspaceId>, page: &Page<Uuid>) -> Result<Slice<Job>> {
        let rows = walk(workspace, page).all(&self.reads).await?;
        let jobs = rows.into_iter().map(Job::try_from).collect::<Result<_>>()?;
        Ok(Slice::of_walk(page, jobs))
    }
}

pub fn due(at: Timestamp, limit: u64) -> Select<Entity> {
    Entity::find()
        .filter(Column::DueAt.is_not_null())
        .filter(Column::DueAt.lte(at.0))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
}

pub fn walk(workspace: Option<WorkspaceId>, page: &Page<Uuid>) -> Select<Entity> {
    let walk = Entity::find().limit(page.size as u64 + 1);
    let walk = match workspace {
        Some(workspace) => walk.filter(Column::WorkspaceId.eq(workspace.0)),
        None => walk.filter(Column::WorkspaceId.is_null()),
    };
    match (page.direction, page.from) {
        (Direction::Forward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.gt(from))).order_by_asc(Column::Id)
        }
        (Direction::Backward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.lt(from))).order_by_desc(Column::Id)
        }
    }
}

/// Puts jobs into the queue, within the transaction of whatever makes them needed.
pub async fn enqueue(work: &Work, jobs: &[NewJob]) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let rows = jobs.iter().map(|job| ActiveModel {
        id: Set(job.id.0),
        workspace_id: Set(job.workspace.map(|workspace| workspace.0)),
        kind: Set(job.kind.as_str().to_owned()),
        key: Set(job.key.clone()),
        payload: Set(job.payload.clone()),
        state: Set(JobState::Waiting.as_str().to_owned()),
        due_at: Set(Some(job.due_at.0)),
        lease: Set(None),
        attempts: Set(0),
        last_error: Set(None),
        created_at: Set(job.at.0),
        finished_at: Set(None),
    });
    let twice = OnConflict::new().do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(twice).exec_without_returning(&work.transaction).await?;
    Ok(())
}

/// Has jobs begin anew, as what they are to be by then.
pub fn again(these: UpdateMany<Entity>, due_at: Timestamp, payload: &str) -> UpdateMany<Entity> {
    these
        .col_expr(Column::State, Expr::value(JobState::Waiting.as_str()))
        .col_expr(Column::DueAt, Expr::value(due_at.0))
        .col_expr(Column::Payload, Expr::value(payload))
        .col_expr(Column::Attempts, Expr::value(0_i64))
        .col_expr(Column::LastError, Expr::value(None::<String>))
        .col_expr(Column::FinishedAt, Expr::value(None::<i64>))
}

/// Puts jobs into the queue.
pub struct EnqueueJobs(pub Vec<NewJob>);

#[async_trait]
impl Change for EnqueueJobs {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        enqueue(work, &self.0).await
    }
}

/// Takes jobs that are due, for as long as a lease lasts.
pub struct ClaimJobs {
    /// Under what they are held: new for each claim.
    pub lease: Uuid,
    pub at: Timestamp,
    pub until: Timestamp,
    pub limit: u64,
}

#[async_trait]
impl Change for ClaimJobs {
    type Outcome = Vec<Job>;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<Vec<Job>> {
        // What another node is just taking is passed over. On SQLite there is no other node.
        let rows = due(self.at, self.limit)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&work.transaction)
            .await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Entity::update_many()
            .col_expr(Column::State, Expr::value(JobState::Running.as_str()))
            .col_expr(Column::Lease, Expr::value(self.lease))
            .col_expr(Column::DueAt, Expr::value(self.until.0))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.is_in(rows.iter().map(|row| row.id)))
            .exec(&work.transaction)
            .await?;
        rows.into_iter()
            .map(|row| {
                let attempts = row.attempts + 1;
                Job::try_from(Model { state: JobState::Running.as_str().to_owned(), attempts, ..row })
            })
            .collect()
    }
}

/// Goes on holding a job; answers whether it was still held.
pub struct RenewLease {
    pub id: JobId,
    pub lease: Uuid,
    pub until: Timestamp,
}

#[async_trait]
impl Change for RenewLease {
    type Outcome = bool;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<bool> {
        let renewed = Entity::update_many()
            .col_expr(Column::DueAt, Expr::value(self.until.0))
            .filter(Column::Id.eq(self.id.0))
            .filter(Column::Lease.eq(self.lease))
            .exec(&work.transaction)
            .await?;
        Ok(renewed.rows_affected > 0)
    }
}

/// What became of a job.
#[derive(Debug, Clone)]
pub enum Ending {
    Done,
    Failed(String),
}

/// Ends a turn of a job, and enqueues what follows from it; says how it stands now, or nothing if the lease was lost.
pub struct EndJob {
    pub job: Job,
    pub lease: Uuid,
    pub at: Timestamp,
    pub ending: Ending,
    pub next: Vec<NewJob>,
}

#[async_trait]
impl Change for EndJob {
    type Outcome = Option<JobState>;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<Option<JobState>> {
        let (state, due_at, error) = match &self.ending {
            Ending::Done => (JobState::Done, None, None),
            Ending::Failed(why) => match pause_after(self.job.id, self.job.attempts) {
                Some(pause) => (JobState::Waiting, Some((self.at + pause).0), Some(why.clone())),
                None => (JobState::Dead, None, Some(why.clone())),
            },
        };
        let ended = Entity::update_many()
            .col_expr(Column::State, Expr::value(state.as_str()))
            .col_expr(Column::DueAt, Expr::value(due_at))
            .col_expr(Column::LastError, Expr::value(error))
            .col_expr(Column::FinishedAt, Expr::value(due_at.is_none().then_some(self.at.0)))
            .col_expr(Column::Lease, Expr::value(None::<Uuid>))
            .filter(Column::Id.eq(self.job.id.0))
            .filter(Column::Lease.eq(self.lease))
            .exec(&work.transaction)
            .await?;
        if ended.rows_affected == 0 {
            return Ok(None);
        }
        if state != JobState::Waiting {
            enqueue(work, &self.next).await?;
        }
        Ok(Some(state))
    }
}

/// Tries a job again that was given up.
pub struct RetryJob {
    pub id: JobId,
    /// Whose job it must be; none for the hub's own.
    pub workspace: Option<WorkspaceId>,
    pub by: By,
}

#[async_trait]
impl Change for RetryJob {
    type Outcome = Job;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<Job> {
        let found = Entity::find_by_id(self.id.0).one(&work.transaction).await?;
        let found = found.filter(|row| row.workspace_id == self.workspace.map(|workspace| workspace.0));
        let row = found.ok_or(Rejection::NotFound { what: "job", field: "jobId" })?;
        if row.state != JobState::Dead.as_str() {
            return Err(Rejection::Invalid { field: "jobId", expected: "a job that was given up" }.into());
        }
        let again = ActiveModel {
            id: Set(row.id),
            state: Set(JobState::Waiting.as_str().to_owned()),
            due_at: Set(Some(self.by.at.0)),
            attempts: Set(0),
            finished_at: Set(None),
            ..Default::default()
        };
        let row = Entity::update(again).exec(&work.transaction).await?;
        work.audit(self.by.entry(AuditAction::JobRetried, self.id, [("kind", row.kind.clone())]));
        row.try_into()
    }
}

/// Takes away what was done before `before`, at most `limit` at once; answers how many went.
pub struct SweepJobs {
    pub before: Timestamp,
    pub limit: u64,
}

#[async_trait]
impl Change for SweepJobs {
    type Outcome = u64;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<u64> {
        let old: Vec<Uuid> = done_before(self.before, self.limit).into_tuple().all(&work.transaction).await?;
        let swept = Entity::delete_many().filter(Column::Id.is_in(old)).exec(&work.transaction).await?;
        Ok(swept.rows_affected)
    }
}

pub fn done_before(before: Timestamp, limit: u64) -> Select<Entity> {
    Entity::find()
        .filter(Column::State.eq(JobState::Done.as_str()))
        .filter(Column::FinishedAt.lt(before.0))
        .select_only()
        .column(Column::Id)
        .limit(limit)
}
