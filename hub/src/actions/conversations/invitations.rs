//! Inviting people to a conversation.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, InvitationId, Timestamp, WorkspaceRole,
    conversations::Conversation,
    invitations::{Invitation, bounds},
    pages::{Page, Slice},
    permissions::{ConversationAct, may_here},
};

use super::super::{
    Core, Viewer,
    invitations::PREFIX,
    secrets::{self, digest},
    workspaces,
};
use crate::{
    Result,
    store::{InviteToConversation, RevokeConversationInvitation},
};

/// A new invitation to a group, and its code, which nobody can see again.
pub async fn create(
    core: &Arc<Core>,
    viewer: &Viewer,
    conversation: ConversationId,
    uses: Option<u64>,
    expires_at: Option<Timestamp>,
) -> Result<(Invitation, String)> {
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    let by = viewer.by(core);
    let (uses_left, expires_at) = bounds(uses, expires_at, by.at, &policy)?;
    let code = secrets::new(PREFIX)?;
    let invitation = Invitation {
        id: InvitationId(core.clock.new_id()),
        workspace: viewer.workspace(),
        conversation: Some(conversation),
        creator: viewer.id(),
        role: WorkspaceRole::Member,
        uses_left,
        expires_at,
        created_at: by.at,
    };
    let code_hash = digest(&code);
    Ok((core.store.change(InviteToConversation { conversation, invitation, code_hash, by }).await?, code))
}

/// Takes an invitation to a conversation back.
pub async fn revoke(core: &Core, viewer: &Viewer, id: InvitationId) -> Result<Invitation> {
    core.store.change(RevokeConversationInvitation { id, by: viewer.by(core) }).await
}

/// The invitations to a conversation that the viewer was shown, the oldest first; none if they do not manage its members.
pub async fn list(
    core: &Core,
    viewer: &Viewer,
    conversation: &Conversation,
    page: &Page<InvitationId>,
) -> Result<Option<Slice<Invitation>>> {
    let part = core.store.memberships(viewer.id(), &[conversation.id]).await?.pop();
    if part.is_none_or(|part| may_here(part.role, ConversationAct::ManageMembers).is_err()) {
        return Ok(None);
    }
    core.store.invitations(viewer.workspace(), Some(conversation.id), page).await.map(Some)
}
