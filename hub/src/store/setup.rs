//! The first start of a store: all that must be there before anybody can come in, or nothing of it.

use async_trait::async_trait;
use jackfield_domain::WorkspaceId;
use sea_orm::EntityTrait;

use super::{Change, CreateSignInLink, CreateWorkspace, ProvisionUser, Work, workspaces};
use crate::Result;

/// Makes the first workspace, its owner, and the link that signs them in; on any other store nothing. Answers whether it
/// did. All in one transaction: a store with a workspace but without its link would be closed to everybody for good.
pub struct FirstStart {
    pub workspace: CreateWorkspace,
    pub owner: ProvisionUser,
    pub link: CreateSignInLink,
}

#[async_trait]
impl Change for FirstStart {
    type Outcome = bool;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace.id)
    }

    async fn apply(&self, work: &mut Work) -> Result<bool> {
        if workspaces::Entity::find().one(&work.transaction).await?.is_some() {
            return Ok(false);
        }
        self.workspace.apply(work).await?;
        self.owner.apply(work).await?;
        self.link.apply(work).await?;
        Ok(true)
    }
}
