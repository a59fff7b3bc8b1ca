//! An explicit look into a conversation without taking part, for those who answer for the workspace.

use jackfield_domain::{
    ConversationId,
    conversations::Conversation,
    permissions::{Act, may},
    text,
};

use crate::{
    Result,
    actions::{Core, Viewer},
    store::LookInto,
};

/// A reason has at most so many characters.
const REASON_MAX: usize = 500;

/// Does the viewer look into conversations at all? Asked before any that they name is looked for.
pub fn overrides(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::Override)?)
}

/// The conversation, once it stands in the record who looks into it and why.
pub async fn look_into(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    reason: &str,
) -> Result<Conversation> {
    overrides(viewer)?;
    let reason = text::line("reason", reason, REASON_MAX)?;
    core.store.change(LookInto { by: viewer.by(core), conversation, reason }).await
}
