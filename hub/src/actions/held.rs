//! Messages that wait for a moderator, because a plugin wants it so.

use std::sync::Arc;

use jackfield_domain::{
    HeldMessageId, Rejection,
    messages::{CheckedMessage, MessageDraft},
    pages::{Page, Slice},
    permissions::{Act, may},
    plugins::{HeldMessage, HeldState},
    text,
};

use super::{Core, Viewer, plugins::effects, workspaces};
use crate::{
    Result,
    store::{DecideHeld, Outgoing},
};

/// What is said to the sender has at most so many characters.
const NOTE: usize = 500;

/// Does the viewer decide about messages that wait? Asked before any of them is looked for.
pub fn moderates(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::Moderate)?)
}

/// What is to be sent.
pub fn draft(held: &HeldMessage) -> Result<MessageDraft> {
    effects::read(&held.draft)
}

/// A message that waits, for its sender and for those who decide about it.
pub async fn find(core: &Core, viewer: &Viewer, id: HeldMessageId) -> Result<Option<HeldMessage>> {
    let found = core.store.held_message(id).await?;
    Ok(found.filter(|held| {
        held.workspace == viewer.workspace() && (held.sender == viewer.id() || moderates(viewer).is_ok())
    }))
}

/// The messages of the viewer's workspace that are in this state, the oldest first.
pub async fn list(
    core: &Core,
    viewer: &Viewer,
    state: HeldState,
    page: &Page<HeldMessageId>,
) -> Result<Slice<HeldMessage>> {
    moderates(viewer)?;
    core.store.held_messages(viewer.workspace(), state, page).await
}

/// Sends a message that waits, or decides that it will not be sent. By the rules as they are now: who is no member any
/// more sends nothing.
pub async fn decide(
    core: &Arc<Core>,
    viewer: &Viewer,
    id: HeldMessageId,
    approve: bool,
    note: Option<String>,
) -> Result<HeldMessage> {
    moderates(viewer)?;
    let note = note.map(|note| text::line("note", &note, NOTE)).transpose()?;
    let none = Rejection::NotFound { what: "held message", field: "heldMessageId" };
    let held = find(core, viewer, id).await?.ok_or(none)?;
    let send = if approve {
        let policy = workspaces::policy(core, viewer.workspace()).await?;
        let message = CheckedMessage::check(draft(&held)?, &policy)?;
        Some(Outgoing {
            id: held.message,
            workspace: held.workspace,
            sender: held.sender,
            at: core.clock.now(),
            message,
            plugins: None,
        })
    } else {
        None
    };
    let (held, _) = core.store.change(DecideHeld { by: viewer.by(core), held: id, send, note }).await?;
    Ok(held)
}
