//! The one door: a token that was verified becomes a viewer.

use std::sync::Arc;

use jackfield_domain::{UserId, users::Person, workspaces::WorkspaceStatus};

use super::{Core, Viewer, feed};
use crate::{Error, Result, store::ProvisionUser};

/// Finds the person's user in the workspace, makes it at first sight, and brings it up to what the token says.
pub async fn enter(core: &Arc<Core>, workspace: &str, person: Person) -> Result<Viewer> {
    let Some(workspace) = core.store.workspace_by_slug(workspace).await? else {
        return Err(Error::Unauthenticated("the token is for a workspace that is not here".to_owned()));
    };
    if workspace.status == WorkspaceStatus::Suspended {
        return Err(Error::Unauthenticated("the workspace is suspended".to_owned()));
    }
    let known = core.store.user_by_subject(workspace.id, &person.issuer, &person.subject).await?;
    let as_vouched = known.filter(|user| user.vouched_for(&person) == *user);
    let user = if let Some(user) = as_vouched {
        user
    } else {
        let id = UserId(core.clock.new_id());
        core.store.change(ProvisionUser { id, workspace: workspace.id, at: core.clock.now(), person }).await?
    };
    // From the first sight of a member on, this node hears what is going on in the workspace.
    feed::open(core, workspace.id).await?;
    Ok(Viewer { user: Arc::new(user), address: None })
}
