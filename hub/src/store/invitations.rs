//! Invitations to a workspace, and to a conversation of one. Of the code only its hash is kept.
//!
//! What leads into a conversation is decided beside the conversation: its changes call [`add`], [`good`],
//! [`use_up`] and [`remove`] in their transactions.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, InvitationId, Rejection, Timestamp, UserId, WorkspaceId, WorkspaceRole,
    invitations::{Invitation, MOST_OPEN},
    pages::{Direction, Page, Slice},
};
use sea_orm::{
    ActiveValue::Set,
    QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait},
};

use super::{Change, Store, Work};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "invitations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub conversation_id: Option<Uuid>,
    pub creator_id: Uuid,
    pub role: String,
    #[sea_orm(column_type = "Blob")]
    pub code_hash: Vec<u8>,
    pub uses_left: i64,
    pub expires_at: i64,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Invitation {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Invitation {
            id: InvitationId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            conversation: row.conversation_id.map(ConversationId),
            creator: UserId(row.creator_id),
            role: WorkspaceRole::from_word(&row.role).ok_or_else(|| Error::internal("unknown role in invitations"))?,
            uses_left: row.uses_left.unsigned_abs(),
            expires_at: Timestamp(row.expires_at),
            created_at: Timestamp(row.created_at),
        })
    }
}

impl Store {
    /// The invitations to a workspace, or to a conversation of it, the oldest first.
    pub async fn invitations(
        &self,
        workspace: WorkspaceId,
        conversation: Option<ConversationId>,
        page: &Page<InvitationId>,
    ) -> Result<Slice<Invitation>> {
        let rows = walk(workspace, conversation, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(Invitation::try_from).collect::<Result<_>>()?))
    }

    /// Where an invitation leads that is good now, if it leads to a conversation.
    pub async fn invited_to(
        &self,
        workspace: WorkspaceId,
        code_hash: [u8; 32],
        at: Timestamp,
    ) -> Result<Option<ConversationId>> {
        let found = by_code(workspace, code_hash, at).one(&self.reads).await?;
        Ok(found.and_then(|row| row.conversation_id).map(ConversationId))
    }

    pub async fn invitation(&self, id: InvitationId) -> Result<Option<Invitation>> {
        Entity::find_by_id(id.0).one(&self.reads).await?.map(Invitation::try_from).transpose()
    }
}

fn to(workspace: WorkspaceId, conversation: Option<ConversationId>) -> Select<Entity> {
    let to = Entity::find().filter(Column::WorkspaceId.eq(workspace.0));
    match conversation {
        None => to.filter(Column::ConversationId.is_null()),
        Some(conversation) => to.filter(Column::ConversationId.eq(conversation.0)),
    }
}

pub fn walk(workspace: WorkspaceId, conversation: Option<ConversationId>, page: &Page<InvitationId>) -> Select<Entity> {
    let walk = to(workspace, conversation).limit(page.size as u64 + 1);
    match (page.direction, page.from) {
        (Direction::Forward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id)
        }
        (Direction::Backward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

/// Keeps an invitation under the hash of its code, if there are not too many to that place.
pub async fn add(work: &Work, invitation: &Invitation, code_hash: [u8; 32]) -> Result<()> {
    // What nobody can use any more makes room.
    Entity::delete_many()
        .filter(Column::WorkspaceId.eq(invitation.workspace.0))
        .filter(match invitation.conversation {
            None => Column::ConversationId.is_null(),
            Some(conversation) => Column::ConversationId.eq(conversation.0),
        })
        .filter(Column::ExpiresAt.lte(invitation.created_at.0))
        .exec(&work.transaction)
        .await?;
    let open = to(invitation.workspace, invitation.conversation).limit(MOST_OPEN as u64).all(&work.transaction).await?;
    if open.len() >= MOST_OPEN {
        return Err(Rejection::TooMany { what: "open invitations", max: MOST_OPEN }.into());
    }
    let row = ActiveModel {
        id: Set(invitation.id.0),
        workspace_id: Set(invitation.workspace.0),
        conversation_id: Set(invitation.conversation.map(|conversation| conversation.0)),
        creator_id: Set(invitation.creator.0),
        role: Set(invitation.role.as_str().to_owned()),
        code_hash: Set(code_hash.to_vec()),
        uses_left: Set(invitation.uses_left as i64),
        expires_at: Set(invitation.expires_at.0),
        created_at: Set(invitation.created_at.0),
    };
    Entity::insert(row).exec_without_returning(&work.transaction).await?;
    Ok(())
}

/// The invitation with a code; none where there is no such one in this workspace, or it is too old. Where it leads is told
/// by its `conversation`: whether that is what is meant is for the caller to say, who then uses it up.
pub async fn good(
    work: &Work,
    workspace: WorkspaceId,
    code_hash: [u8; 32],
    at: Timestamp,
) -> Result<Option<Invitation>> {
    let found = by_code(workspace, code_hash, at).one(&work.transaction).await?;
    found.map(Invitation::try_from).transpose()
}

fn by_code(workspace: WorkspaceId, code_hash: [u8; 32], at: Timestamp) -> Select<Entity> {
    Entity::find()
        .filter(Column::CodeHash.eq(code_hash.to_vec()))
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::ExpiresAt.gt(at.0))
}

/// Uses an invitation once.
pub async fn use_up(work: &Work, invitation: &Invitation) -> Result<()> {
    if invitation.uses_left > 1 {
        Entity::update_many()
            .col_expr(Column::UsesLeft, Expr::col(Column::UsesLeft).sub(1))
            .filter(Column::Id.eq(invitation.id.0))
            .exec(&work.transaction)
            .await?;
    } else {
        Entity::delete_by_id(invitation.id.0).exec(&work.transaction).await?;
    }
    Ok(())
}

/// The conversation that an invitation of this workspace leads to.
pub async fn leads_to(work: &Work, workspace: WorkspaceId, id: InvitationId) -> Result<Option<ConversationId>> {
    let row = Entity::find_by_id(id.0).filter(Column::WorkspaceId.eq(workspace.0)).one(&work.transaction).await?;
    Ok(row.and_then(|row| row.conversation_id).map(ConversationId))
}

/// Takes away all that lead to a conversation.
pub async fn forget(work: &Work, workspace: WorkspaceId, conversation: ConversationId) -> Result<()> {
    Entity::delete_many()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::ConversationId.eq(conversation.0))
        .exec(&work.transaction)
        .await?;
    Ok(())
}

/// Takes an invitation back; answers it, if it was there, in this workspace and to this place.
pub async fn remove(
    work: &Work,
    workspace: WorkspaceId,
    conversation: Option<ConversationId>,
    id: InvitationId,
) -> Result<Option<Invitation>> {
    let Some(row) = to(workspace, conversation).filter(Column::Id.eq(id.0)).one(&work.transaction).await? else {
        return Ok(None);
    };
    Entity::delete_by_id(row.id).exec(&work.transaction).await?;
    row.try_into().map(Some)
}

/// Invites people to the workspace itself.
pub struct CreateInvitation {
    pub invitation: Invitation,
    pub code_hash: [u8; 32],
    pub by: By,
}

#[async_trait]
impl Change for CreateInvitation {
    type Outcome = Invitation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Invitation> {
        let invitation = &self.invitation;
        add(work, invitation, self.code_hash).await?;
        let details = [("role", invitation.role.as_str().to_owned()), ("uses", invitation.uses_left.to_string())];
        work.audit(self.by.entry(AuditAction::InvitationCreated, invitation.id, details));
        Ok(invitation.clone())
    }
}

/// Takes an invitation to the workspace back.
pub struct RevokeInvitation {
    pub id: InvitationId,
    pub by: By,
}

#[async_trait]
impl Change for RevokeInvitation {
    type Outcome = Invitation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Invitation> {
        let removed = remove(work, self.by.workspace, None, self.id).await?;
        let removed = removed.ok_or(Rejection::NotFound { what: "invitation", field: "invitationId" })?;
        work.audit(self.by.entry(AuditAction::InvitationRevoked, removed.id, []));
        Ok(removed)
    }
}
