//! Giving support: the queue, taking from it, and coming to an end.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, UserId,
    conversations::{Conversation, support::SupportFilter},
    pages::{Page, Slice},
    permissions::{Act, may},
};

use super::coming::{self, Way};
use crate::{
    Result,
    actions::{Core, Viewer, workspaces},
    store::{AssignConversation, ResolveConversation},
};

/// Does the viewer give support? Asked before any conversation that they name is looked for.
pub fn gives_support(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::GiveSupport)?)
}

/// What there is in the queue. Those who do not take part see that somebody asks, and not what is said.
pub async fn list(
    core: &Core,
    viewer: &Viewer,
    filter: SupportFilter,
    page: &Page<ConversationId>,
) -> Result<Slice<Conversation>> {
    gives_support(viewer)?;
    core.store.support_requests(viewer.workspace(), viewer.id(), filter, page).await
}

/// Gives a support conversation to somebody who gives support, or back to the queue.
pub async fn assign(
    core: &Arc<Core>,
    viewer: &Viewer,
    conversation: ConversationId,
    assignee: Option<UserId>,
) -> Result<Conversation> {
    gives_support(viewer)?;
    if let Some(assignee) = assignee {
        let policy = workspaces::policy(core, viewer.workspace()).await?;
        coming::may_come(core, viewer, conversation, &[assignee], Way::Support, &policy).await?;
    }
    core.store.change(AssignConversation { by: viewer.by(core), conversation, assignee }).await
}

/// Says that a support conversation is resolved.
pub async fn resolve(core: &Core, viewer: &Viewer, conversation: ConversationId) -> Result<Conversation> {
    core.store.change(ResolveConversation { by: viewer.by(core), role: viewer.role(), conversation }).await
}
