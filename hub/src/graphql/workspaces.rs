//! Workspaces in the API.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::workspaces::{self, WorkspaceDraft};

use super::{
    errors::{UserError, refusals},
    policies::{WorkspacePolicy, WorkspacePolicyUpdateInput},
    scalars::{DateTime, id},
    scope::Scoped,
};
use crate::{actions, actions::workspaces::WorkspaceChanges};

/// Whether a workspace can be entered. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "workspaces::WorkspaceStatus")]
pub enum WorkspaceStatus {
    /// It goes on.
    Active,
    /// Nobody comes in until an operator lets them in again; nothing in it is lost.
    Suspended,
}

/// Who may make an account of their own. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "workspaces::SignUp")]
pub enum SignUp {
    /// Nobody.
    Closed,
    /// Who has an invitation.
    Invited,
    /// Anybody.
    Open,
}

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

    /// Whether it can be entered.
    async fn status(&self) -> WorkspaceStatus {
        self.0.status.into()
    }

    /// Who may make an account of their own.
    async fn sign_up(&self) -> SignUp {
        self.0.sign_up.into()
    }

    /// Its limits.
    async fn policy(&self, ctx: &Context<'_>) -> WorkspacePolicy {
        ctx.core().policy.with(&self.0.policy).into()
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

#[derive(Default)]
pub struct WorkspaceQuery;

#[Object]
impl WorkspaceQuery {
    /// A workspace: the viewer's own, and for an operator any; null if there is no such one, or not for you.
    async fn workspace(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the workspace; the viewer's own if left out.")] id: Option<ID>,
    ) -> Result<Option<Workspace>> {
        let viewer = ctx.viewer()?;
        let id = match id {
            None => viewer.workspace(),
            Some(id) => match id.parse() {
                Ok(id) => id,
                Err(_) => return Ok(None),
            },
        };
        let reader = &ctx.moment().reader;
        Ok(actions::workspaces::visible(ctx.core(), reader, id).await?.map(Workspace))
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

/// What of a workspace is to change; what is left out stays as it is.
#[derive(InputObject)]
pub struct WorkspaceUpdateInput {
    /// Which one; the viewer's own if left out. Others are for operators.
    workspace_id: Option<ID>,
    /// Its name for people, at most 80 characters.
    name: Option<String>,
    /// Who may make an account of their own.
    sign_up: Option<SignUp>,
    /// Whether it can be entered. For operators.
    status: Option<WorkspaceStatus>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct WorkspaceUpdatePayload {
    /// The workspace as it is now.
    workspace: Option<Workspace>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct WorkspacePolicyUpdatePayload {
    /// The workspace as it is now.
    workspace: Option<Workspace>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

/// What is to be deleted.
#[derive(InputObject)]
pub struct WorkspaceDeleteInput {
    /// Which one; not the one that the operator is in.
    workspace_id: ID,
    /// Its slug, so that nobody deletes another one than they mean.
    slug: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct WorkspaceDeletePayload {
    /// The id of what is no more.
    deleted_workspace_id: Option<ID>,
    /// Why it is still there.
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

    /// Changes a workspace. For those who run it, and for operators of the hub.
    async fn workspace_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: WorkspaceUpdateInput,
    ) -> Result<Option<WorkspaceUpdatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let workspace =
                input.workspace_id.as_ref().map(|workspace| id(workspace, "workspace", "workspaceId")).transpose()?;
            let changes = WorkspaceChanges {
                name: input.name,
                sign_up: input.sign_up.map(Into::into),
                status: input.status.map(Into::into),
            };
            actions::workspaces::update(ctx.core(), &viewer, workspace, changes).await
        };
        let (workspace, errors) = refusals(outcome.await)?;
        Ok(Some(WorkspaceUpdatePayload { workspace: workspace.map(Workspace), errors }))
    }

    /// Deletes a workspace for good: nobody comes in any more, those who are in are sent away, its slug is free, and all that
    /// it held is taken away in the background. For operators of the hub.
    async fn workspace_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: WorkspaceDeleteInput,
    ) -> Result<Option<WorkspaceDeletePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::workspaces::must_be_operator(&viewer)?;
            let workspace = id(&input.workspace_id, "workspace", "workspace_id")?;
            actions::workspaces::delete(ctx.core(), &viewer, workspace, input.slug).await
        };
        let (workspace, errors) = refusals(outcome.await)?;
        let deleted_workspace_id = workspace.map(|id| id.to_string().into());
        Ok(Some(WorkspaceDeletePayload { deleted_workspace_id, errors }))
    }

    /// Changes limits of the viewer's workspace, which hold on every node within a second. For those who run it.
    async fn workspace_policy_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: WorkspacePolicyUpdateInput,
    ) -> Result<Option<WorkspacePolicyUpdatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = actions::workspaces::update_policy(ctx.core(), &viewer, input.into()).await;
        let (workspace, errors) = refusals(outcome)?;
        Ok(Some(WorkspacePolicyUpdatePayload { workspace: workspace.map(Workspace), errors }))
    }
}
