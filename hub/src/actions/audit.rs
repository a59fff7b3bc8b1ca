//! Reading the record of what was done by the power of a role.

use jackfield_domain::{
    AuditEntry,
    audit::AuditFilter,
    pages::{Page, Slice},
    permissions::{Act, may},
};
use uuid::Uuid;

use super::{Core, Viewer};
use crate::Result;

/// Does the viewer read the record at all? Asked before anybody whom they name is looked for.
pub fn reads(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::ReadAudit)?)
}

/// A page of what a filter lets through of the record of the viewer's workspace; for those who run it.
pub async fn list(core: &Core, viewer: &Viewer, filter: &AuditFilter, page: &Page<Uuid>) -> Result<Slice<AuditEntry>> {
    reads(viewer)?;
    core.store.audit(viewer.workspace(), filter, page).await
}
