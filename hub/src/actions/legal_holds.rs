//! Having messages kept, and what is kept. For those who run the workspace: whoever is concerned is not told.

use jackfield_domain::{
    LegalHoldId,
    messages::{HoldTarget, LegalHold},
    pages::{Page, Slice},
    permissions::{Act, may},
    text,
};

use super::{Core, Viewer};
use crate::{
    Result,
    store::{LiftLegalHold, SetLegalHold},
};

const REASON_MAX: usize = 500;

/// Does the viewer have messages kept at all? Asked before anything that they name is looked for.
pub fn manages(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::HoldMessages)?)
}

pub async fn set(core: &Core, viewer: &Viewer, target: HoldTarget, reason: &str) -> Result<LegalHold> {
    manages(viewer)?;
    let reason = text::line("reason", reason, REASON_MAX)?;
    let id = LegalHoldId(core.clock.new_id());
    core.store.change(SetLegalHold { id, target, reason, by: viewer.by(core) }).await
}

pub async fn lift(core: &Core, viewer: &Viewer, hold: LegalHoldId) -> Result<()> {
    manages(viewer)?;
    core.store.change(LiftLegalHold { hold, by: viewer.by(core) }).await
}

/// What is kept in the viewer's workspace, the oldest first.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<LegalHoldId>) -> Result<Slice<LegalHold>> {
    manages(viewer)?;
    core.store.legal_holds(viewer.workspace(), page).await
}
