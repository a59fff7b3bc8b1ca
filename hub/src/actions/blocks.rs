//! Having nothing to do with somebody.

use jackfield_domain::{
    Rejection, UserId,
    pages::{Page, Slice},
    users::User,
};

use super::{Core, Viewer};
use crate::{Result, store::SetBlock};

/// Blocks somebody of the viewer's workspace, or does so no more. Programs can be blocked as well as people, and whatever
/// their role is.
pub async fn set(core: &Core, viewer: &Viewer, other: UserId, blocks: bool) -> Result<User> {
    if other == viewer.id() {
        return Err(Rejection::Invalid { field: "user_id", expected: "somebody else" }.into());
    }
    let (workspace, user, at) = (viewer.workspace(), viewer.id(), core.clock.now());
    core.store.change(SetBlock { workspace, user, other, at, blocks }).await
}

/// Whom the viewer blocks.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<UserId>) -> Result<Slice<User>> {
    core.store.blocked(viewer.id(), page).await
}

/// Which of these people the viewer blocks.
pub async fn among(core: &Core, viewer: &Viewer, others: &[UserId]) -> Result<Vec<UserId>> {
    core.store.blocked_among(viewer.id(), others).await
}
