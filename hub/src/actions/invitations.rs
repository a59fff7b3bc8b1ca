//! Inviting people to the workspace.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, InvitationId, Rejection, Timestamp, WorkspaceRole,
    invitations::{Invitation, bounds},
    pages::{Page, Slice},
    permissions::{Act, may, may_change_role},
};

use super::{
    Core, Viewer,
    secrets::{self, digest},
    workspaces,
};
use crate::{
    Result,
    store::{CreateInvitation, RevokeInvitation},
};

/// What the code of an invitation begins with.
const PREFIX: &str = "jfi_";

/// May the viewer invite at all? Asked before anything that they name is looked for.
pub fn invites(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::Invite)?)
}

/// A new invitation, and its code, which nobody can see again. Nobody is invited to be more than who invites.
pub async fn create(
    core: &Arc<Core>,
    viewer: &Viewer,
    role: WorkspaceRole,
    uses: Option<u64>,
    expires_at: Option<Timestamp>,
) -> Result<(Invitation, String)> {
    invites(viewer)?;
    if role == WorkspaceRole::Bot {
        return Err(Rejection::Invalid { field: "role", expected: "a person's" }.into());
    }
    may_change_role(viewer.role(), WorkspaceRole::Member, role)?;
    let (invitation, code) = draft(core, viewer, None, role, uses, expires_at).await?;
    let change = CreateInvitation { invitation, code_hash: digest(&code), by: viewer.by(core) };
    Ok((core.store.change(change).await?, code))
}

/// An invitation to a conversation, or else to the workspace, as the store is to take it, and its code.
pub async fn draft(
    core: &Arc<Core>,
    viewer: &Viewer,
    conversation: Option<ConversationId>,
    role: WorkspaceRole,
    uses: Option<u64>,
    expires_at: Option<Timestamp>,
) -> Result<(Invitation, String)> {
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    let created_at = core.clock.now();
    let (uses_left, expires_at) = bounds(uses, expires_at, created_at, &policy)?;
    let invitation = Invitation {
        id: InvitationId(core.clock.new_id()),
        workspace: viewer.workspace(),
        conversation,
        creator: viewer.id(),
        role,
        uses_left,
        expires_at,
        created_at,
    };
    Ok((invitation, secrets::new(PREFIX)?))
}

/// Takes an invitation back.
pub async fn revoke(core: &Core, viewer: &Viewer, id: InvitationId) -> Result<Invitation> {
    invites(viewer)?;
    core.store.change(RevokeInvitation { id, by: viewer.by(core) }).await
}

/// The invitations to the viewer's workspace that can still be used, or could until they were too old; the oldest first.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<InvitationId>) -> Result<Slice<Invitation>> {
    invites(viewer)?;
    core.store.invitations(viewer.workspace(), None, page).await
}
