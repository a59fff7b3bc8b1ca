//! Reading the record of what was done by the power of a role.

use jackfield_domain::{
    AuditEntry,
    pages::{Page, Slice},
    permissions::{Act, may},
};
use uuid::Uuid;

use super::{Core, Viewer};
use crate::Result;

/// A page of the record of the viewer's workspace; for those who run it.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<Uuid>) -> Result<Slice<AuditEntry>> {
    may(viewer.role(), Act::ReadAudit)?;
    core.store.audit(viewer.workspace(), page).await
}
