//! Workspaces in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::workspaces::{self, WorkspaceDraft};

use super::{
    errors::{UserError, refusals},
    scalars::DateTime,
    scope::Scoped,
};
use crate::actions;

#[derive(Clone)]
pub struct Workspace(pub workspaces::Workspace);

/// A tenant: nothing of it can be seen from another one.
#[Object]
impl Workspace {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its name in tokens and addresses; never changes.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// Its name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// What a new workspace is to be.
#[derive(InputObject)]
pub struct WorkspaceCreateInput {
    /// Its name in tokens and addresses: lower-case letters, digits and inner hyphens, at most 40.
    slug: String,
    /// Its name for people, at most 80 characters.
    name: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct WorkspaceCreatePayload {
    /// The new workspace.
    workspace: Option<Workspace>,
    /// Why there is none.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct WorkspaceMutation;

#[Object]
impl WorkspaceMutation {
    /// Makes a workspace. For operators of the hub.
    async fn workspace_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: WorkspaceCreateInput,
    ) -> Result<Option<WorkspaceCreatePayload>> {
        let viewer = ctx.viewer()?;
        let draft = WorkspaceDraft { slug: input.slug, name: input.name };
        let (workspace, errors) = refusals(actions::workspaces::create(ctx.core(), &viewer, &draft).await)?;
        Ok(Some(WorkspaceCreatePayload { workspace: workspace.map(Workspace), errors }))
    }
}
