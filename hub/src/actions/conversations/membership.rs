//! Coming into a conversation, going, and being sent away; and who is what in it.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, ConversationRole, Rejection, UserId,
    conversations::{Conversation, Member},
};

use super::{
    super::{Core, Viewer, secrets::digest, typing, workspaces},
    coming::{self, Way},
};
use crate::{
    Result,
    store::{Entrance, JoinConversation, LeaveConversation, RemoveMember, TransferConversation, UpdateMember},
};

/// Makes the viewer a member of a public group, or of the conversation that an invitation leads to.
pub async fn join(
    core: &Arc<Core>,
    viewer: &Viewer,
    conversation: Option<ConversationId>,
    code: Option<&str>,
) -> Result<Conversation> {
    let by = match (conversation, code) {
        (Some(conversation), None) => Entrance::Public(conversation),
        (None, Some(code)) => Entrance::Invited(digest(code)),
        _ => return Err(Rejection::Invalid { field: "conversationId", expected: "given, or else a code" }.into()),
    };
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    let (workspace, user, at) = (viewer.workspace(), viewer.id(), core.clock.now());
    let way = match by {
        Entrance::Public(conversation) => Some((conversation, Way::Public)),
        Entrance::Invited(code_hash) => {
            core.store.invited_to(workspace, code_hash, at).await?.map(|conversation| (conversation, Way::Invited))
        }
    };
    if let Some((conversation, way)) = way {
        coming::may_come(core, viewer, conversation, &[user], way, &policy).await?;
    }
    core.store.change(JoinConversation { workspace, user, by, at, policy }).await
}

/// Takes the viewer out of a conversation.
pub async fn leave(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    successor: Option<UserId>,
) -> Result<()> {
    core.store.change(LeaveConversation { conversation, successor, by: viewer.by(core) }).await?;
    typing::lapse(core, viewer, conversation);
    Ok(())
}

/// Sends somebody away.
pub async fn remove(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    member: UserId,
) -> Result<Conversation> {
    let room = core.store.change(RemoveMember { conversation, member, by: viewer.by(core) }).await?;
    typing::lapse_of(core, viewer.workspace(), conversation, member);
    Ok(room)
}

/// Gives somebody another role.
pub async fn update_role(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    member: UserId,
    role: ConversationRole,
) -> Result<Member> {
    core.store.change(UpdateMember { conversation, member, role, by: viewer.by(core) }).await
}

/// Hands a conversation of the viewer's over to another member.
pub async fn transfer(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    member: UserId,
) -> Result<Conversation> {
    core.store.change(TransferConversation { conversation, member, by: viewer.by(core) }).await
}
