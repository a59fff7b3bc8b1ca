//! Making, changing and seeing workspaces.

use std::{sync::Arc, time::Duration};

use jackfield_domain::{
    JobId, Policy, PolicyChanges, Rejection, Timestamp, WorkspaceId,
    jobs::{Job, JobKind, NewJob},
    permissions::{Act, may},
    text,
    workspaces::{CheckedWorkspace, SignUp, Workspace, WorkspaceDraft, WorkspaceStatus},
};

use super::{Core, Reader, Viewer, jobs, memory};
use crate::{
    Error, Result,
    store::{CreateWorkspace, DeleteWorkspace, PurgeWorkspace, UpdateWorkspace},
};

/// A new workspace with an empty log; only an operator makes one.
pub async fn create(core: &Core, viewer: &Viewer, draft: &WorkspaceDraft) -> Result<Workspace> {
    must_be_operator(viewer)?;
    let workspace = CheckedWorkspace::check(draft)?;
    let id = WorkspaceId(core.clock.new_id());
    let by = viewer.by(core);
    core.store.change(CreateWorkspace { id, at: by.at, workspace, by: Some(by) }).await
}

/// What may be changed of a workspace; what is left out stays.
#[derive(Debug, Default)]
pub struct WorkspaceChanges {
    pub name: Option<String>,
    pub sign_up: Option<SignUp>,
    pub status: Option<WorkspaceStatus>,
}

/// Changes a workspace: one's own by those who run it, any by an operator, who alone suspends and restores.
pub async fn update(
    core: &Core,
    viewer: &Viewer,
    id: Option<WorkspaceId>,
    changes: WorkspaceChanges,
) -> Result<Workspace> {
    let id = reach(viewer, id)?;
    if changes.status.is_some() {
        must_be_operator(viewer)?;
    }
    let name = changes.name.map(|name| text::line("name", &name, 80)).transpose()?;
    let WorkspaceChanges { sign_up, status, .. } = changes;
    changed(core, UpdateWorkspace { id, by: viewer.by(core), name, sign_up, status, policy: None }).await
}

/// Changes numbers and switches of the viewer's own workspace.
pub async fn update_policy(core: &Core, viewer: &Viewer, changes: PolicyChanges) -> Result<Workspace> {
    may(viewer.role(), Act::RunWorkspace)?;
    // Each has bounds of its own, so that those that are not changed cannot be at fault.
    Policy::default().with(&changes).check()?;
    let (id, by) = (viewer.workspace(), viewer.by(core));
    changed(core, UpdateWorkspace { id, by, name: None, sign_up: None, status: None, policy: Some(changes) }).await
}

/// What was begun by people of a workspace before it was deleted is over by then.
const GRACE: Duration = Duration::from_secs(60);
/// So many pieces are taken away in one turn; no turn may take so long that it seems to hang.
const PIECES: usize = 500;

/// Deletes a workspace for good; only an operator does, who must say which one it is, and never the one that they are in.
pub async fn delete(core: &Core, viewer: &Viewer, id: WorkspaceId, slug: String) -> Result<WorkspaceId> {
    must_be_operator(viewer)?;
    if id == viewer.workspace() {
        return Err(Rejection::Invalid { field: "workspace_id", expected: "another one than your own" }.into());
    }
    let by = viewer.by(core);
    let job = purging(core, id, by.at + GRACE)?;
    core.store.change(DeleteWorkspace { id, by, slug, job }).await?;
    core.memory.forget(id);
    core.jobs.notify_one();
    Ok(id)
}

/// Takes away what a deleted workspace held, and comes back for what is left.
pub async fn purge(core: &Core, job: &Job) -> Result<()> {
    let workspace: WorkspaceId = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    for _ in 0..PIECES {
        if !core.store.change(PurgeWorkspace(workspace)).await? {
            tracing::info!(%workspace, "a workspace that was deleted is gone");
            return Ok(());
        }
    }
    jobs::enqueue(core, vec![purging(core, workspace, core.clock.now())?]).await
}

fn purging(core: &Core, workspace: WorkspaceId, due_at: Timestamp) -> Result<NewJob> {
    Ok(NewJob {
        id: JobId(core.clock.new_id()),
        workspace: None,
        kind: JobKind::WorkspacePurge,
        key: None,
        payload: serde_json::to_string(&workspace).map_err(Error::internal)?,
        at: core.clock.now(),
        due_at,
    })
}

async fn changed(core: &Core, change: UpdateWorkspace) -> Result<Workspace> {
    let workspace = core.store.change(change).await?;
    // The log says so too, but whoever changed it may be back before that is heard.
    core.memory.forget(workspace.id);
    Ok(workspace)
}

/// One's own workspace, and for an operator any.
pub async fn visible(core: &Core, reader: &Reader, id: WorkspaceId) -> Result<Option<Workspace>> {
    let allowed = match reader {
        Reader::Viewer(viewer) | Reader::Overriding { viewer, .. } => viewer.is_operator() || viewer.workspace() == id,
        Reader::Nobody | Reader::Audience { .. } => reader.workspace() == Some(id),
    };
    if allowed { core.store.workspace(id).await } else { Ok(None) }
}

/// The policy that is in force in a workspace.
pub async fn policy(core: &Arc<Core>, workspace: WorkspaceId) -> Result<Policy> {
    Ok(memory::workspace(core, workspace).await?.policy.clone())
}

/// The workspace that is meant, if the viewer may change it; to all others it is not there.
fn reach(viewer: &Viewer, id: Option<WorkspaceId>) -> Result<WorkspaceId> {
    let id = id.unwrap_or(viewer.workspace());
    if viewer.is_operator() {
        return Ok(id);
    }
    may(viewer.role(), Act::RunWorkspace)?;
    if id == viewer.workspace() {
        Ok(id)
    } else {
        Err(Rejection::NotFound { what: "workspace", field: "workspaceId" }.into())
    }
}

pub fn must_be_operator(viewer: &Viewer) -> Result<()> {
    if viewer.is_operator() { Ok(()) } else { Err(Rejection::NotAllowed { who: "an operator of the hub" }.into()) }
}
