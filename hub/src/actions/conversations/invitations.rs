//! Inviting people to a conversation.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, InvitationId, Timestamp, WorkspaceRole,
    conversations::Conversation,
    invitations::Invitation,
    pages::{Page, Slice},
    permissions::{ConversationAct, may_here},
};

use super::super::{Core, Viewer, invitations, secrets::digest};
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
    let role = WorkspaceRole::Member;
    let (invitation, code) = invitations::draft(core, viewer, Some(conversation), role, uses, expires_at).await?;
    let (code_hash, by) = (digest(&code), viewer.by(core));
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
