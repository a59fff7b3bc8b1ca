//! Who wants to have nothing to do with whom, and what becomes of their direct conversations.

use async_trait::async_trait;
use jackfield_domain::{
    Fact, Rejection, Timestamp, UserId, WorkspaceId,
    conversations::ConversationKind,
    pages::{Direction, Page, Slice},
    users::User,
};
use sea_orm::{
    ActiveValue::Set,
    QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Condition, ExprTrait, OnConflict, Query},
};

use super::{Change, Store, Work, conversations, members, users};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "blocks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub blocked_id: Uuid,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// Whom the user blocks, by their ids.
    pub async fn blocked(&self, user: UserId, page: &Page<UserId>) -> Result<Slice<User>> {
        let rows = walk(user, page).all(&self.reads).await?;
        let ids: Vec<UserId> = rows.iter().map(|row| UserId(row.blocked_id)).collect();
        let known = self.users(&ids).await?;
        let found = ids.iter().filter_map(|id| known.iter().find(|user| user.id == *id).cloned());
        Ok(Slice::of_walk(page, found.collect()))
    }

    /// Which of these people the user blocks.
    pub async fn blocked_among(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let rows = among(user, others).all(&self.reads).await?;
        Ok(rows.into_iter().map(|row| UserId(row.blocked_id)).collect())
    }
}

pub fn walk(user: UserId, page: &Page<UserId>) -> Select<Entity> {
    let walk = Entity::find().filter(Column::UserId.eq(user.0)).limit(page.size as u64 + 1);
    let from = page.from.into_iter();
    match page.direction {
        Direction::Forward => {
            from.fold(walk, |walk, from| walk.filter(Column::BlockedId.gt(from.0))).order_by_asc(Column::BlockedId)
        }
        Direction::Backward => {
            from.fold(walk, |walk, from| walk.filter(Column::BlockedId.lt(from.0))).order_by_desc(Column::BlockedId)
        }
    }
}

pub fn among(user: UserId, others: &[UserId]) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user.0)).filter(Column::BlockedId.is_in(others.iter().map(|other| other.0)))
}

/// Whether one of the two blocks the other.
pub async fn between(work: &Work, one: UserId, other: UserId) -> Result<bool> {
    let either = |one: UserId, other: UserId| Column::UserId.eq(one.0).and(Column::BlockedId.eq(other.0));
    let found = Entity::find().filter(Condition::any().add(either(one, other)).add(either(other, one)));
    Ok(found.limit(1).one(&work.transaction).await?.is_some())
}

/// The direct conversations of two people.
pub fn directs(one: UserId, other: UserId) -> Select<conversations::Entity> {
    let of = |user: UserId| {
        Query::select()
            .column(members::Column::ConversationId)
            .from(members::Entity)
            .and_where(members::Column::UserId.eq(user.0))
            .to_owned()
    };
    conversations::Entity::find()
        .filter(conversations::Column::Id.in_subquery(of(one)))
        .filter(conversations::Column::Id.in_subquery(of(other)))
        .filter(conversations::Column::Kind.eq(ConversationKind::Direct.as_str()))
}

/// Blocks somebody, or does so no more; what is so already stays so, and nobody hears of it.
pub struct SetBlock {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub other: UserId,
    pub at: Timestamp,
    pub blocks: bool,
}

#[async_trait]
impl Change for SetBlock {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let SetBlock { user, other, at, .. } = *self;
        let found = users::of(self.workspace, other).one(&work.transaction).await?;
        let found: User = found.ok_or(Rejection::NotFound { what: "user", field: "user_id" })?.try_into()?;
        // The lock on the workspace's log is held: whoever sends, makes a conversation or blocks at the same time does it
        // before this or after it.
        let changed = if self.blocks {
            let row = ActiveModel { user_id: Set(user.0), blocked_id: Set(other.0), created_at: Set(at.0) };
            let twice = OnConflict::columns([Column::UserId, Column::BlockedId]).do_nothing().to_owned();
            Entity::insert(row).on_conflict(twice).exec_without_returning(&work.transaction).await?
        } else {
            Entity::delete_by_id((user.0, other.0)).exec(&work.transaction).await?.rows_affected
        };
        if changed == 0 {
            return Ok(found);
        }
        work.record(Some(user), at, Fact::BlocksUpdated { user, other });
        let blocked = between(work, user, other).await?;
        for room in
            directs(user, other).all(&work.transaction).await?.into_iter().filter(|room| room.blocked != blocked)
        {
            let row = conversations::ActiveModel { id: Set(room.id), blocked: Set(blocked), ..Default::default() };
            conversations::Entity::update(row).exec(&work.transaction).await?;
            let conversation = jackfield_domain::ConversationId(room.id);
            work.record(Some(user), at, Fact::ConversationUpdated { conversation });
        }
        Ok(found)
    }
}
