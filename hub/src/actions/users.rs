//! Seeing each other, saying something of oneself, and keeping order among the people of a workspace.

use jackfield_domain::{
    UserId, WorkspaceRole,
    pages::{Page, Slice},
    permissions::{Act, may},
    users::{CheckedProfile, ProfileDraft, User, UserStatus},
};

use super::{Core, Reader, Viewer};
use crate::{
    Result,
    store::{FoundKey, UpdateProfile, UpdateRole, UpdateStatus},
};

pub use crate::store::FoundKey as Found;

/// These users, as far as they are of the reader's workspace.
pub async fn visible(core: &Core, reader: &Reader, ids: &[UserId]) -> Result<Vec<User>> {
    let Some(workspace) = reader.workspace() else { return Ok(Vec::new()) };
    let mut users = core.store.users(ids).await?;
    users.retain(|user| user.workspace == workspace);
    Ok(users)
}

/// Everybody in the viewer's workspace, in the order in which they came.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<UserId>) -> Result<Slice<User>> {
    core.store.people(viewer.workspace(), page).await
}

/// Who in the viewer's workspace has a name like this; those who were deactivated are not found.
pub async fn search(
    core: &Core,
    viewer: &Viewer,
    words: &str,
    page: &Page<FoundKey>,
) -> Result<Slice<(FoundKey, User)>> {
    core.store.find_people(viewer.workspace(), words, page).await
}

/// What clients keep for the viewer, as JSON.
pub async fn preferences(core: &Core, viewer: &Viewer) -> Result<Option<String>> {
    core.store.preferences(viewer.id()).await
}

/// Changes the viewer's own profile.
pub async fn update(core: &Core, viewer: &Viewer, draft: ProfileDraft) -> Result<User> {
    let profile = CheckedProfile::check(draft)?;
    let (workspace, user, at) = (viewer.workspace(), viewer.id(), core.clock.now());
    core.store.change(UpdateProfile { workspace, user, profile, at }).await
}

/// Does the viewer manage users at all? Asked before anybody whom they name is looked for.
pub fn manages(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::ManageUsers)?)
}

/// Gives somebody another role in the workspace.
pub async fn update_role(core: &Core, viewer: &Viewer, user: UserId, role: WorkspaceRole) -> Result<User> {
    manages(viewer)?;
    let user = core.store.change(UpdateRole { user, role, actor_role: viewer.role(), by: viewer.by(core) }).await?;
    core.memory.doors.move_on();
    Ok(user)
}

/// Shuts somebody out, or lets them in again. Their sessions, sockets and tokens are good for nothing at once.
pub async fn update_status(core: &Core, viewer: &Viewer, user: UserId, status: UserStatus) -> Result<User> {
    manages(viewer)?;
    let change = UpdateStatus { user, status, actor_role: viewer.role(), by: viewer.by(core) };
    let user = core.store.change(change).await?;
    core.memory.doors.move_on();
    Ok(user)
}
