//! Invitations to a conversation, by those who manage its members.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, InvitationId, Rejection, WorkspaceId,
    conversations::ConversationKind,
    invitations::Invitation,
    permissions::{ConversationAct, may_here},
};

use super::{
    super::{Change, Work, invitations, members},
    Model,
};
use crate::{Error, Result};

/// Invites people to a conversation.
pub struct InviteToConversation {
    pub conversation: ConversationId,
    pub invitation: Invitation,
    pub code_hash: [u8; 32],
    pub by: By,
}

#[async_trait]
impl Change for InviteToConversation {
    type Outcome = Invitation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Invitation> {
        let invitation = &self.invitation;
        managed(work, self.conversation, &self.by).await?;
        invitations::add(work, invitation, self.code_hash).await?;
        let details = [("conversation", self.conversation.to_string()), ("uses", invitation.uses_left.to_string())];
        work.audit(self.by.entry(AuditAction::InvitationCreated, invitation.id, details));
        Ok(invitation.clone())
    }
}

/// Takes an invitation to a conversation back.
pub struct RevokeConversationInvitation {
    pub id: InvitationId,
    pub by: By,
}

#[async_trait]
impl Change for RevokeConversationInvitation {
    type Outcome = Invitation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Invitation> {
        let none = || Rejection::NotFound { what: "invitation", field: "invitationId" };
        let leads_to = invitations::leads_to(work, self.by.workspace, self.id).await?.ok_or_else(none)?;
        // Whoever takes no part does not hear that there is one.
        managed(work, leads_to, &self.by).await.map_err(|error| match error {
            Error::Rejected(Rejection::NotFound { .. }) => none().into(),
            other => other,
        })?;
        let removed = invitations::remove(work, self.by.workspace, Some(leads_to), self.id).await?.ok_or_else(none)?;
        let details = [("conversation", leads_to.to_string())];
        work.audit(self.by.entry(AuditAction::InvitationRevoked, removed.id, details));
        Ok(removed)
    }
}

/// A group whose members somebody manages.
async fn managed(work: &Work, conversation: ConversationId, by: &By) -> Result<Model> {
    let (row, part) = members::part_in(work, conversation, by.user).await?;
    if row.kind != ConversationKind::Group.as_str() {
        return Err(Rejection::GroupsOnly.into());
    }
    may_here(part.role, ConversationAct::ManageMembers)?;
    Ok(row)
}
