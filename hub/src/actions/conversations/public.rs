//! Looking around among the groups that everybody in the workspace finds.

use jackfield_domain::{
    ConversationId,
    conversations::Conversation,
    pages::{Page, Slice},
};

use super::super::{Core, Viewer};
use crate::{Result, store::FoundKey};

/// All of them, in the order in which they were made.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<ConversationId>) -> Result<Slice<Conversation>> {
    core.store.public_conversations(viewer.workspace(), page).await
}

/// Those with words like these in their titles.
pub async fn search(
    core: &Core,
    viewer: &Viewer,
    words: &str,
    page: &Page<FoundKey>,
) -> Result<Slice<(FoundKey, Conversation)>> {
    core.store.find_public_conversations(viewer.workspace(), words, page).await
}
