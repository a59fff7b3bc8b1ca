//! What the viewer sets for themselves in a conversation.

use jackfield_domain::{
    ConversationId,
    conversations::{
        Conversation,
        settings::{CheckedSettings, SettingsDraft},
    },
};

use crate::{
    Result,
    actions::{Core, Viewer},
    store::UpdateSettings,
};

/// Changes what is given; nobody but the viewer's own devices hears of it.
pub async fn update(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    draft: SettingsDraft,
) -> Result<Conversation> {
    let settings = CheckedSettings::check(draft)?;
    let (workspace, user, at) = (viewer.workspace(), viewer.id(), core.clock.now());
    core.store.change(UpdateSettings { workspace, conversation, user, at, settings }).await
}
