//! Coming in by oneself: into a public group, or by an invitation.

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, ConversationRole, Policy, Rejection, Timestamp, UserId, WorkspaceId,
    conversations::{Conversation, membership::may_join, room_for},
};
use sea_orm::entity::prelude::*;

use super::{
    super::{Change, Work, conversations as rooms, invitations},
    Entity, admit,
};
use crate::Result;

/// By which door somebody comes in.
#[derive(Debug, Clone, Copy)]
pub enum Entrance {
    /// A group that everybody finds.
    Public(ConversationId),
    /// Wherever the invitation with this hash of its code leads.
    Invited([u8; 32]),
}

/// Makes somebody a member, by their own wish. Who is one already stays one, and uses nothing up.
pub struct JoinConversation {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub by: Entrance,
    pub at: Timestamp,
    pub policy: Policy,
}

#[async_trait]
impl Change for JoinConversation {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let (invitation, id, none) = match self.by {
            Entrance::Public(id) => {
                (None, Some(id), Rejection::NotFound { what: "conversation", field: "conversationId" })
            }
            Entrance::Invited(code_hash) => {
                let found = invitations::good(work, self.workspace, code_hash, self.at).await?;
                let to = found.as_ref().and_then(|found| found.conversation);
                (found, to, Rejection::NotFound { what: "invitation", field: "code" })
            }
        };
        let id = id.ok_or_else(|| none.clone())?;
        let row = rooms::Entity::find_by_id(id.0)
            .filter(rooms::Column::WorkspaceId.eq(self.workspace.0))
            .one(&work.transaction)
            .await?;
        let mut room = Conversation::try_from(row.ok_or(none)?)?;
        if Entity::find_by_id((id.0, self.user.0)).one(&work.transaction).await?.is_some() {
            return Ok(room);
        }
        may_join(&room, invitation.is_some())?;
        room_for(room.member_count, 1, &self.policy)?;
        if let Some(invitation) = invitation {
            invitations::use_up(work, &invitation).await?;
        }
        admit(work, &mut room, vec![self.user], ConversationRole::Member, Some(self.user), self.at).await?;
        Ok(room)
    }
}
