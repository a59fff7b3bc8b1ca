//! Seeing each other.

use jackfield_domain::{UserId, users::User};

use super::{Core, Reader};
use crate::Result;

/// These users, as far as they are of the reader's workspace.
pub async fn visible(core: &Core, reader: &Reader, ids: &[UserId]) -> Result<Vec<User>> {
    let Some(workspace) = reader.workspace() else { return Ok(Vec::new()) };
    let mut users = core.store.users(ids).await?;
    users.retain(|user| user.workspace == workspace);
    Ok(users)
}
