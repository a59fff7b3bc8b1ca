//! Users in the API, and the viewer, who is the one that asks.

use async_graphql::{Context, Enum, ID, Object, Result};
use jackfield_domain::users;

use super::{
    scalars::DateTime,
    scope::{Scoped, present},
    workspaces::Workspace,
};
use crate::{
    actions,
    actions::{Reader, Viewer as Somebody},
};

/// What a user is in the whole workspace. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "jackfield_domain::WorkspaceRole")]
pub enum WorkspaceRole {
    /// May do everything in the workspace.
    Owner,
    /// Runs the workspace.
    Admin,
    /// Keeps the peace.
    Moderator,
    /// Takes part.
    Member,
    /// A program.
    Bot,
}

#[derive(Clone)]
pub struct User(pub users::User);

/// A person or program, as one workspace knows it.
#[Object]
impl User {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The name to show.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What the user is in the workspace.
    async fn role(&self) -> WorkspaceRole {
        self.0.role.into()
    }

    /// When the user was first seen.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

pub struct Viewer(Somebody);

/// Who asks.
#[Object]
impl Viewer {
    /// The viewer as others see them.
    async fn user(&self) -> User {
        User(self.0.user().clone())
    }

    /// The workspace that the viewer is in.
    async fn workspace(&self, ctx: &Context<'_>) -> Result<Workspace> {
        let reader = Reader::Viewer(self.0.clone());
        let found = actions::workspaces::visible(ctx.core(), &reader, self.0.workspace()).await?;
        Ok(Workspace(present(found, "workspace")?))
    }

    /// Whether the viewer is an operator of the hub, above all workspaces.
    async fn is_operator(&self) -> bool {
        self.0.is_operator()
    }
}

#[derive(Default)]
pub struct UserQuery;

#[Object]
impl UserQuery {
    /// Who asks; null where nobody is signed in.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        ctx.viewer().ok().map(Viewer)
    }
}
