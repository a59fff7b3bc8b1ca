//! Making and seeing workspaces.

use jackfield_domain::{
    Rejection, WorkspaceId,
    workspaces::{CheckedWorkspace, Workspace, WorkspaceDraft},
};

use super::{Core, Reader, Viewer};
use crate::{Result, store::CreateWorkspace};

/// A new workspace with an empty log; only an operator makes one.
pub async fn create(core: &Core, viewer: &Viewer, draft: &WorkspaceDraft) -> Result<Workspace> {
    if !viewer.is_operator() {
        return Err(Rejection::NotAllowed { who: "an operator of the hub" }.into());
    }
    let workspace = CheckedWorkspace::check(draft)?;
    let id = WorkspaceId(core.clock.new_id());
    core.store.change(CreateWorkspace { id, at: core.clock.now(), actor: Some(viewer.id()), workspace }).await
}

/// One's own workspace, and for an operator any.
pub async fn visible(core: &Core, reader: &Reader, id: WorkspaceId) -> Result<Option<Workspace>> {
    let allowed = match reader {
        Reader::Viewer(viewer) => viewer.is_operator() || viewer.workspace() == id,
        Reader::Nobody | Reader::Audience { .. } => reader.workspace() == Some(id),
    };
    if allowed { core.store.workspace(id).await } else { Ok(None) }
}
