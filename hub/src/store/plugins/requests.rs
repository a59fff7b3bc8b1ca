//! Requests of plugins to other servers: they lie here from when they are issued until the plugin has taken what came of them.
//!
//! One that a node is at is due again when the node's lease ends. Whoever ends it must still hold the lease; what the plugin left is
//! committed with that the request is gone, and so once.

use async_trait::async_trait;
use jackfield_domain::{
    Rejection, RequestId, Timestamp, UserId, WorkspaceId,
    plugins::{Answered, DeadLetter, PluginId, REQUESTS_WAITING, Request, Response},
};
use sea_orm::{
    ActiveValue::Set,
    QueryOrder, QuerySelect, UpdateMany,
    entity::prelude::*,
    sea_query::{ExprTrait, LockBehavior, LockType},
};

use super::{
    super::{Change, Store, Work, writer::FromPlugins},
    commit::{Effects, carry_out},
    held, id, letters,
};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_requests")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub plugin_id: String,
    /// JSON, without the body.
    pub request: String,
    #[sea_orm(column_type = "Blob", nullable)]
    pub body: Option<Vec<u8>>,
    pub tag: String,
    pub depth: i64,
    /// When it is to be done, or may be taken over; none where what came of it was laid aside.
    pub due_at: Option<i64>,
    pub lease: Option<Uuid>,
    /// How often a node has begun with it.
    pub attempts: i64,
    /// What came of it, where the plugin could not take that yet; JSON, without the body.
    pub answer: Option<String>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub answer_body: Option<Vec<u8>>,
    /// How often the plugin could not take it.
    pub failures: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A request that was issued just now.
#[derive(Debug, Clone)]
pub struct NewRequest {
    pub id: RequestId,
    pub request: Request,
    pub tag: String,
}

/// A request that waits for its answer, or for the plugin to take that.
#[derive(Debug, Clone)]
pub struct Pending {
    pub id: RequestId,
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub request: Request,
    pub tag: String,
    /// How deep what comes of it stands in a row of plugins that answer to each other.
    pub depth: u8,
    pub attempts: u32,
    pub answer: Option<Answered>,
    pub failures: u32,
}

impl TryFrom<Model> for Pending {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        let request: Request = serde_json::from_str(&row.request).map_err(Error::internal)?;
        let answer: Option<Answered> =
            row.answer.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        let body = row.answer_body;
        let number = |number: i64| u32::try_from(number).map_err(Error::internal);
        Ok(Pending {
            id: RequestId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            plugin: id(&row.plugin_id)?,
            request: Request { body: row.body, ..request },
            tag: row.tag,
            depth: u8::try_from(row.depth).map_err(Error::internal)?,
            attempts: number(row.attempts)?,
            answer: answer.map(|answer| answer.map(|answer| Response { body: body.unwrap_or_default(), ..answer })),
            failures: number(row.failures)?,
        })
    }
}

pub fn of(workspace: WorkspaceId, plugin: &PluginId) -> Select<Entity> {
    Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).filter(Column::PluginId.eq(plugin.as_str()))
}

/// Those of a plugin that are to be done, in the order in which they are.
pub fn due(plugin: &PluginId, at: Timestamp, limit: u64) -> Select<Entity> {
    Entity::find()
        .filter(Column::PluginId.eq(plugin.as_str()))
        .filter(Column::DueAt.lte(at.0))
        .order_by_asc(Column::DueAt)
        .order_by_asc(Column::Id)
        .limit(limit)
}

impl Store {
    /// How many requests of a plugin wait in a workspace, be it for their answers or for somebody who takes these.
    pub async fn requests_waiting(&self, workspace: WorkspaceId, plugin: &PluginId) -> Result<u64> {
        // More than there may be need not be counted.
        let ids = of(workspace, plugin).select_only().column(Column::Id).limit(REQUESTS_WAITING);
        let ids: Vec<Uuid> = ids.into_tuple().all(&self.reads).await?;
        Ok(ids.len() as u64)
    }

    /// Whether there is anything to do for a plugin.
    pub async fn has_requests_due(&self, plugin: &PluginId, at: Timestamp) -> Result<bool> {
        let first = due(plugin, at, 1).select_only().column(Column::Id);
        Ok(first.into_tuple::<Uuid>().one(&self.reads).await?.is_some())
    }

    pub async fn request(&self, workspace: WorkspaceId, id: RequestId) -> Result<Option<Pending>> {
        let found = Entity::find_by_id(id.0).filter(Column::WorkspaceId.eq(workspace.0)).one(&self.reads).await?;
        found.map(Pending::try_from).transpose()
    }
}

/// Keeps what a plugin wants to have asked, within a change; answers whether there was room for all of it.
pub async fn issue(
    work: &Work,
    workspace: WorkspaceId,
    plugin: &PluginId,
    requests: &[NewRequest],
    at: Timestamp,
) -> Result<bool> {
    let waiting = of(workspace, plugin).select_only().column(Column::Id).limit(REQUESTS_WAITING);
    let waiting: Vec<Uuid> = waiting.into_tuple().all(&work.transaction).await?;
    let room = (REQUESTS_WAITING as usize).saturating_sub(waiting.len());
    let rows = requests.iter().take(room).map(|new| {
        let bare = Request { body: None, ..new.request.clone() };
        Ok(ActiveModel {
            id: Set(new.id.0),
            workspace_id: Set(workspace.0),
            plugin_id: Set(plugin.to_string()),
            request: Set(serde_json::to_string(&bare).map_err(Error::internal)?),
            body: Set(new.request.body.clone()),
            tag: Set(new.tag.clone()),
            depth: Set(i64::from(work.depth)),
            due_at: Set(Some(at.0)),
            lease: Set(None),
            attempts: Set(0),
            answer: Set(None),
            answer_body: Set(None),
            failures: Set(0),
            created_at: Set(at.0),
        })
    });
    let rows: Vec<ActiveModel> = rows.collect::<Result<_>>()?;
    if !rows.is_empty() {
        Entity::insert_many(rows).exec_without_returning(&work.transaction).await?;
    }
    Ok(requests.len() <= room)
}

/// Takes requests of a plugin that are due, for as long as a lease lasts.
pub struct ClaimRequests {
    pub plugin: PluginId,
    /// Under what they are held: new for each claim.
    pub lease: Uuid,
    pub at: Timestamp,
    pub until: Timestamp,
    pub limit: u64,
}

#[async_trait]
impl Change for ClaimRequests {
    type Outcome = Vec<Pending>;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Vec<Pending>> {
        // What another node is just taking is passed over. On SQLite there is no other node.
        let rows = due(&self.plugin, self.at, self.limit)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&work.transaction)
            .await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        Entity::update_many()
            .col_expr(Column::Lease, Expr::value(self.lease))
            .col_expr(Column::DueAt, Expr::value(self.until.0))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.is_in(rows.iter().map(|row| row.id)))
            .exec(&work.transaction)
            .await?;
        rows.into_iter().map(|row| Model { attempts: row.attempts + 1, ..row }.try_into()).collect()
    }
}

/// What became of a request.
#[derive(Debug, Clone)]
pub enum RequestEnding {
    /// The plugin has taken what came of it.
    Taken,
    /// The server could not be reached, and is asked again.
    Again { due_at: Timestamp },
    /// It was not begun, and that counts for nothing.
    Later { due_at: Timestamp },
    /// Something came of it, which the plugin is to take later: it failed so often by now.
    Kept { answer: Answered, failures: u32, due_at: Timestamp },
    /// The same, and the plugin failed too often.
    LaidAside { answer: Answered, letter: DeadLetter },
}

/// Ends with a request: what the plugin left, and what became of the request, are committed together or not at all.
pub struct EndRequest {
    pub id: RequestId,
    pub lease: Uuid,
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub bot: Option<UserId>,
    pub depth: u8,
    pub at: Timestamp,
    pub data: FromPlugins,
    pub effects: Effects,
    pub ending: RequestEnding,
}

#[async_trait]
impl Change for EndRequest {
    /// What was refused of what the plugin wanted; none if the request was another node's.
    type Outcome = Option<Vec<Rejection>>;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        // What is posted moves conversations.
        self.effects.posts.is_empty()
    }

    async fn apply(&self, work: &mut Work) -> Result<Self::Outcome> {
        let due = |due_at: Option<Timestamp>| {
            Entity::update_many()
                .col_expr(Column::Lease, Expr::value(None::<Uuid>))
                .col_expr(Column::DueAt, Expr::value(due_at.map(|due_at| due_at.0)))
                .filter(Column::Id.eq(self.id.0))
                .filter(Column::Lease.eq(self.lease))
        };
        let ended = match &self.ending {
            RequestEnding::Taken => return self.taken(work).await,
            RequestEnding::Again { due_at } => due(Some(*due_at)),
            RequestEnding::Later { due_at } => {
                due(Some(*due_at)).col_expr(Column::Attempts, Expr::col(Column::Attempts).sub(1))
            }
            RequestEnding::Kept { answer, failures, due_at } => {
                with(due(Some(*due_at)), answer)?.col_expr(Column::Failures, Expr::value(i64::from(*failures)))
            }
            RequestEnding::LaidAside { answer, .. } => with(due(None), answer)?,
        };
        if ended.exec(&work.transaction).await?.rows_affected == 0 {
            return Ok(None);
        }
        if let RequestEnding::LaidAside { letter, .. } = &self.ending {
            letters::lay_aside(work, letter).await?;
        }
        Ok(Some(Vec::new()))
    }
}

impl EndRequest {
    async fn taken(&self, work: &mut Work) -> Result<Option<Vec<Rejection>>> {
        let ours = Entity::delete_many().filter(Column::Id.eq(self.id.0)).filter(Column::Lease.eq(self.lease));
        if ours.exec(&work.transaction).await?.rows_affected == 0 {
            return Ok(None);
        }
        work.depth = self.depth;
        held::commit_data(work, &self.data, self.at).await?;
        carry_out(work, self.workspace, &self.plugin, self.bot, &self.effects, self.at).await.map(Some)
    }
}

/// Keeps what came of a request with it: the body beside the rest.
fn with(ended: UpdateMany<Entity>, answered: &Answered) -> Result<UpdateMany<Entity>> {
    let mut bare = answered.clone();
    let body = bare.as_mut().ok().map(|response| std::mem::take(&mut response.body));
    let answer = serde_json::to_string(&bare).map_err(Error::internal)?;
    Ok(ended.col_expr(Column::Answer, Expr::value(answer)).col_expr(Column::AnswerBody, Expr::value(body)))
}

/// Takes away requests that were issued before `before` and nobody has taken, at most `limit` at once; answers how many went. What was
/// laid aside waits for people.
pub struct SweepRequests {
    pub before: Timestamp,
    pub limit: u64,
}

#[async_trait]
impl Change for SweepRequests {
    type Outcome = u64;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<u64> {
        let old: Vec<Uuid> = Entity::find()
            .filter(Column::CreatedAt.lt(self.before.0))
            .filter(Column::DueAt.is_not_null())
            .select_only()
            .column(Column::Id)
            .limit(self.limit)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        let swept = Entity::delete_many().filter(Column::Id.is_in(old)).exec(&work.transaction).await?;
        Ok(swept.rows_affected)
    }
}
