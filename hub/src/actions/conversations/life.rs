//! Changing a conversation, putting it away and taking it up again, and deleting it with all that was said in it.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, JobId,
    conversations::{
        Conversation,
        life::{CheckedChanges, ConversationChanges},
    },
    jobs::{Job, JobKind, NewJob},
};

use super::super::{Core, Viewer, typing, workspaces};
use crate::{
    Error, Result,
    store::{CloseConversation, DeleteConversation, PurgeConversation, UpdateConversation},
};

/// So much of what was said is taken away at once: others who write wait no longer than for any other write.
const PIECE: u64 = 500;

/// Changes what is a conversation's own.
pub async fn update(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    changes: ConversationChanges,
) -> Result<Conversation> {
    let changes = CheckedChanges::check(changes)?;
    core.store.change(UpdateConversation { conversation, changes, by: viewer.by(core) }).await
}

/// Puts a conversation away by hand.
pub async fn archive(core: &Core, viewer: &Viewer, conversation: ConversationId) -> Result<Conversation> {
    close(core, viewer, conversation, true).await
}

/// Takes a conversation up again that was put away, by hand or by itself.
pub async fn reopen(core: &Core, viewer: &Viewer, conversation: ConversationId) -> Result<Conversation> {
    close(core, viewer, conversation, false).await
}

async fn close(core: &Core, viewer: &Viewer, conversation: ConversationId, close: bool) -> Result<Conversation> {
    core.store.change(CloseConversation { conversation, close, role: viewer.role(), by: viewer.by(core) }).await
}

/// Deletes a conversation. When this returns, nobody finds anything of it; what is stored of it goes away in its own time.
pub async fn delete(core: &Arc<Core>, viewer: &Viewer, conversation: ConversationId) -> Result<()> {
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    let by = viewer.by(core);
    let purge = NewJob {
        id: JobId(core.clock.new_id()),
        workspace: Some(viewer.workspace()),
        kind: JobKind::ConversationPurge,
        key: Some(format!("{}@{conversation}", JobKind::ConversationPurge.as_str())),
        payload: serde_json::to_string(&conversation).map_err(Error::internal)?,
        at: by.at,
        due_at: by.at,
    };
    core.store.change(DeleteConversation { conversation, policy, purge, by }).await?;
    core.jobs.notify_one();
    for user in typing::now(core, conversation) {
        typing::lapse_of(core, viewer.workspace(), conversation, user);
    }
    Ok(())
}

/// Takes away what was said in a conversation that was deleted.
pub async fn purge(core: &Core, job: &Job) -> Result<()> {
    let conversation: ConversationId = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    while core.store.change(PurgeConversation { conversation, limit: PIECE }).await? {}
    Ok(())
}
