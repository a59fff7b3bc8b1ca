//! The log: what happened in a workspace, numbered 1, 2, 3 … without a gap. Everything else reads it.

use std::collections::HashMap;

use async_trait::async_trait;
use jackfield_domain::{
    Event, Fact, Position, Timestamp, UserId, WorkspaceId,
    events::{Audience, LogBounds},
};
use sea_orm::{
    ActiveValue::Set,
    Condition, DatabaseTransaction, QueryOrder, QuerySelect, QueryTrait,
    entity::prelude::*,
    sea_query::{InsertStatement, OnConflict, Query},
};

use super::{
    Change, Store, Work, members,
    plugins::{letters, notices},
};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub at: i64,
    pub actor_id: Option<Uuid>,
    /// Whose members it is for, or which user; none of both where it is for the whole workspace, or some of it.
    pub conversation_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub fact: String,
    pub depth: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The two ends of a log, apart from its rows: the head is where a writer takes its turn.
pub mod ends {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "logs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        pub head: i64,
        pub tail: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<Model> for Event {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Event {
            workspace: WorkspaceId(row.workspace_id),
            position: Position(row.position),
            at: Timestamp(row.at),
            actor: row.actor_id.map(UserId),
            depth: u8::try_from(row.depth).map_err(Error::internal)?,
            fact: serde_json::from_str(&row.fact).map_err(Error::internal)?,
            trace: None,
        })
    }
}

pub fn row_of(event: &Event) -> Result<ActiveModel> {
    let (conversation, user) = match event.fact.audience() {
        // Whom of the workspace it is for is seen when it is delivered.
        Audience::Workspace | Audience::Named | Audience::Moderators | Audience::Admins => (None, None),
        Audience::Conversation(conversation) => (Some(conversation.0), None),
        Audience::User(user) => (None, Some(user.0)),
    };
    Ok(ActiveModel {
        workspace_id: Set(event.workspace.0),
        position: Set(event.position.0),
        at: Set(event.at.0),
        actor_id: Set(event.actor.map(|user| user.0)),
        conversation_id: Set(conversation),
        user_id: Set(user),
        fact: Set(serde_json::to_string(&event.fact).map_err(Error::internal)?),
        depth: Set(i64::from(event.depth)),
    })
}

/// Where the log of each workspace stands, held against every other writer until the transaction ends.
pub async fn lock_heads(
    transaction: &DatabaseTransaction,
    workspaces: &[WorkspaceId],
) -> Result<HashMap<WorkspaceId, Position>> {
    // Sorted, so that two nodes that want the same two logs cannot wait for each other. SQLite has no such lock and
    // needs none: its transaction was begun as the only writer.
    let rows = ends::Entity::find()
        .filter(ends::Column::WorkspaceId.is_in(workspaces.iter().map(|id| id.0)))
        .order_by_asc(ends::Column::WorkspaceId)
        .lock_exclusive()
        .all(transaction)
        .await?;
    Ok(rows.into_iter().map(|row| (WorkspaceId(row.workspace_id), Position(row.head))).collect())
}

/// Moves heads, and begins the logs that have none.
pub fn move_heads(
    heads: impl IntoIterator<Item = (WorkspaceId, Position)>,
) -> impl QueryTrait<QueryStatement = InsertStatement> {
    let rows = heads.into_iter().map(|(workspace, head)| ends::ActiveModel {
        workspace_id: Set(workspace.0),
        head: Set(head.0),
        tail: Set(0),
    });
    ends::Entity::insert_many(rows)
        .on_conflict(OnConflict::column(ends::Column::WorkspaceId).update_column(ends::Column::Head).to_owned())
}

impl Store {
    pub async fn log_bounds(&self, workspace: WorkspaceId) -> Result<LogBounds> {
        let row = ends::Entity::find_by_id(workspace.0).one(&self.reads).await?;
        Ok(row.map_or(LogBounds { tail: Position(0), head: Position(0) }, |row| LogBounds {
            tail: Position(row.tail),
            head: Position(row.head),
        }))
    }

    pub async fn log_heads(&self, workspaces: &[WorkspaceId]) -> Result<Vec<(WorkspaceId, Position)>> {
        let rows = ends::Entity::find()
            .filter(ends::Column::WorkspaceId.is_in(workspaces.iter().map(|id| id.0)))
            .all(&self.reads)
            .await?;
        Ok(rows.into_iter().map(|row| (WorkspaceId(row.workspace_id), Position(row.head))).collect())
    }

    /// The next events of a log, at most `limit`.
    pub async fn events_after(&self, workspace: WorkspaceId, after: Position, limit: u64) -> Result<Vec<Event>> {
        let rows = after_position(workspace, after).limit(limit).all(&self.reads).await?;
        rows.into_iter().map(Event::try_from).collect()
    }

    /// What concerns the user among the events after `after`, up to and with `until`.
    pub async fn events_for(
        &self,
        workspace: WorkspaceId,
        user: UserId,
        after: Position,
        until: Position,
    ) -> Result<Vec<Event>> {
        let rows = concerning(workspace, user, after, until).all(&self.reads).await?;
        rows.into_iter().map(Event::try_from).collect()
    }
}

pub fn after_position(workspace: WorkspaceId, after: Position) -> Select<Entity> {
    Entity::find()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::Position.gt(after.0))
        .order_by_asc(Column::Position)
}

pub fn concerning(workspace: WorkspaceId, user: UserId, after: Position, until: Position) -> Select<Entity> {
    let own = Query::select()
        .column(members::Column::ConversationId)
        .from(members::Entity)
        .and_where(members::Column::UserId.eq(user.0))
        .to_owned();
    after_position(workspace, after)
        .filter(Column::Position.lte(until.0))
        .filter(Condition::any().add(Column::UserId.is_null()).add(Column::UserId.eq(user.0)))
        .filter(Condition::any().add(Column::ConversationId.is_null()).add(Column::ConversationId.in_subquery(own)))
}

/// Takes away what is older than `before`, at most `limit` events at once; answers how many it took.
pub struct TrimLog {
    pub workspace: WorkspaceId,
    pub before: Timestamp,
    pub limit: i64,
}

#[async_trait]
impl Change for TrimLog {
    type Outcome = u64;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<u64> {
        let Some(ends) = ends::Entity::find_by_id(self.workspace.0).one(&work.transaction).await? else { return Ok(0) };
        let window = ends.head.min(ends.tail + self.limit);
        let young = after_position(self.workspace, Position(ends.tail))
            .filter(Column::Position.lte(window))
            .filter(Column::At.gte(self.before.0))
            .limit(1)
            .one(&work.transaction)
            .await?;
        let tail = young.map_or(window, |event| event.position - 1);
        if tail == ends.tail {
            return Ok(0);
        }
        let taken = Entity::delete_many()
            .filter(Column::WorkspaceId.eq(self.workspace.0))
            .filter(Column::Position.lte(tail))
            .exec(&work.transaction)
            .await?;
        notices::trim(&work.transaction, self.workspace, Position(tail)).await?;
        letters::trim(&work.transaction, self.workspace, Position(tail), self.before).await?;
        let ends = ends::ActiveModel { workspace_id: Set(ends.workspace_id), tail: Set(tail), ..Default::default() };
        ends::Entity::update(ends).exec(&work.transaction).await?;
        Ok(taken.rows_affected)
    }
}

/// Has this very event been written? For who does not know whether a commit took place.
pub async fn has(transaction: &DatabaseTransaction, event: &Event) -> Result<bool> {
    let row = Entity::find_by_id((event.workspace.0, event.position.0)).one(transaction).await?;
    Ok(row.map(Event::try_from).transpose()?.as_ref() == Some(event))
}

/// Appends facts behind `head`, and tells the events that they became.
pub fn numbered(
    workspace: WorkspaceId,
    head: Position,
    depth: u8,
    facts: Vec<(Option<UserId>, Timestamp, Fact)>,
) -> Vec<Event> {
    let mut position = head;
    facts
        .into_iter()
        .map(|(actor, at, fact)| {
            position = position.next();
            Event { workspace, position, at, actor, depth, fact, trace: None }
        })
        .collect()
}
