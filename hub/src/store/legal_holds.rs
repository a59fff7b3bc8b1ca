//! Orders that messages are kept. They hold under the lock of the log, against whatever would take messages away because they are old.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, LegalHoldId, Rejection, Timestamp, UserId, WorkspaceId,
    messages::{HoldTarget, LegalHold, OnHold},
    pages::{Direction, Page, Slice},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Change, Store, Work, conversations, users};
use crate::{Error, Result};

/// So many there may be in a workspace: all of them are read for each piece of old messages.
pub const MOST: usize = 1_000;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "legal_holds")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    /// One of the two.
    pub conversation_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub reason: String,
    pub creator_id: Uuid,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for LegalHold {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(LegalHold {
            id: LegalHoldId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            target: target(row.conversation_id, row.user_id)?,
            reason: row.reason,
            creator: UserId(row.creator_id),
            created_at: Timestamp(row.created_at),
        })
    }
}

fn target(conversation: Option<Uuid>, user: Option<Uuid>) -> Result<HoldTarget> {
    match (conversation, user) {
        (Some(conversation), None) => Ok(HoldTarget::Conversation(ConversationId(conversation))),
        (None, Some(user)) => Ok(HoldTarget::User(UserId(user))),
        _ => Err(Error::internal("a legal hold is on one thing")),
    }
}

impl Store {
    /// A page of the holds of a workspace, the oldest first.
    pub async fn legal_holds(&self, workspace: WorkspaceId, page: &Page<LegalHoldId>) -> Result<Slice<LegalHold>> {
        let rows = walk(workspace, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(LegalHold::try_from).collect::<Result<_>>()?))
    }
}

pub fn walk(workspace: WorkspaceId, page: &Page<LegalHoldId>) -> Select<Entity> {
    let walk = Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).limit(page.size as u64 + 1);
    let from = page.from.into_iter();
    match page.direction {
        Direction::Forward => from.fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id),
        Direction::Backward => {
            from.fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

/// All that is on hold in a workspace.
pub async fn all(database: &impl ConnectionTrait, workspace: WorkspaceId) -> Result<OnHold> {
    let rows: Vec<(Option<Uuid>, Option<Uuid>)> = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .select_only()
        .columns([Column::ConversationId, Column::UserId])
        .into_tuple()
        .all(database)
        .await?;
    rows.into_iter().map(|(conversation, user)| target(conversation, user)).collect()
}

/// Has messages kept.
pub struct SetLegalHold {
    pub id: LegalHoldId,
    pub target: HoldTarget,
    pub reason: String,
    pub by: By,
}

#[async_trait]
impl Change for SetLegalHold {
    type Outcome = LegalHold;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<LegalHold> {
        let database = &work.transaction;
        let By { workspace, user, at, .. } = self.by;
        let (conversation, held_user, name) = match self.target {
            HoldTarget::Conversation(id) => {
                let found = conversations::Entity::find_by_id(id.0)
                    .filter(conversations::Column::WorkspaceId.eq(workspace.0))
                    .one(database)
                    .await?;
                found.ok_or(Rejection::NotFound { what: "conversation", field: "conversationId" })?;
                (Some(id.0), None, ("conversation", id.to_string()))
            }
            HoldTarget::User(id) => {
                let found = users::Entity::find_by_id(id.0)
                    .filter(users::Column::WorkspaceId.eq(workspace.0))
                    .one(database)
                    .await?;
                found.ok_or(Rejection::NotFound { what: "user", field: "userId" })?;
                (None, Some(id.0), ("user", id.to_string()))
            }
        };
        let there = Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).count(database).await?;
        if there >= MOST as u64 {
            return Err(Rejection::TooMany { what: "legal holds", max: MOST }.into());
        }
        let row = ActiveModel {
            id: Set(self.id.0),
            workspace_id: Set(workspace.0),
            conversation_id: Set(conversation),
            user_id: Set(held_user),
            reason: Set(self.reason.clone()),
            creator_id: Set(user.0),
            created_at: Set(at.0),
        };
        Entity::insert(row).exec_without_returning(database).await?;
        // The reason may name people and what they are suspected of: it stays with the hold.
        work.audit(self.by.entry(AuditAction::LegalHoldSet, self.id, [name]));
        let (id, target, reason) = (self.id, self.target, self.reason.clone());
        Ok(LegalHold { id, workspace, target, reason, creator: user, created_at: at })
    }
}

/// Has messages kept no more; what is old is taken away when it is looked through the next time.
pub struct LiftLegalHold {
    pub hold: LegalHoldId,
    pub by: By,
}

#[async_trait]
impl Change for LiftLegalHold {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let found = Entity::find_by_id(self.hold.0)
            .filter(Column::WorkspaceId.eq(self.by.workspace.0))
            .one(&work.transaction)
            .await?;
        let row = found.ok_or(Rejection::NotFound { what: "legal hold", field: "legalHoldId" })?;
        let name = match target(row.conversation_id, row.user_id)? {
            HoldTarget::Conversation(id) => ("conversation", id.to_string()),
            HoldTarget::User(id) => ("user", id.to_string()),
        };
        Entity::delete_by_id(row.id).exec(&work.transaction).await?;
        work.audit(self.by.entry(AuditAction::LegalHoldLifted, self.hold, [name]));
        Ok(())
    }
}
