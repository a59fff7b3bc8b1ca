//! Users in the API, and the viewer, who is the one that asks.

use async_graphql::{Context, Enum, ID, InputObject, Json, MaybeUndefined, Object, Result, SimpleObject};
use jackfield_domain::users::{self, ProfileDraft};
use serde_json::{Map, Value};

use super::{
    composed::UserFields,
    conversations::page,
    errors::{UserError, refusals},
    pages::Connection,
    scalars::{DateTime, given, id},
    scope::{Scoped, present},
    workspaces::Workspace,
};
use crate::{
    Error, actions,
    actions::{Reader, Viewer as Somebody, users::Found},
};

/// Whether a user can come in. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "users::UserStatus")]
pub enum UserStatus {
    /// Takes part.
    Active,
    /// Cannot come in until an admin lets them in again; what they said stays theirs.
    Deactivated,
}

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

    #[graphql(flatten)]
    #[expect(clippy::unused_async, reason = "whoever flattens it awaits it")]
    async fn added(&self) -> UserFields {
        UserFields::of(self.0.id, None)
    }

    /// The name to show.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What the user is in the workspace.
    async fn role(&self) -> WorkspaceRole {
        self.0.role.into()
    }

    /// Whether the user can come in.
    async fn status(&self) -> UserStatus {
        self.0.status.into()
    }

    /// The address of a picture to show.
    async fn avatar_url(&self) -> Option<&str> {
        self.0.avatar_url.as_deref()
    }

    /// What the user says of themselves.
    async fn status_text(&self) -> Option<&str> {
        self.0.status_text.as_deref()
    }

    /// Whether the viewer wants nothing to do with them.
    async fn viewer_blocks(&self, ctx: &Context<'_>) -> Result<bool> {
        ctx.viewer()?;
        Ok(ctx.moment().loaders.blocked.load(self.0.id).await?.is_some())
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
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        // As they are now: what let them in may be a moment old.
        Ok(User(present(ctx.moment().loaders.users.load(self.0.id()).await?, "viewer")?))
    }

    /// The workspace that the viewer is in.
    async fn workspace(&self, ctx: &Context<'_>) -> Result<Workspace> {
        let reader = Reader::Viewer(self.0.clone());
        let found = actions::workspaces::visible(ctx.core(), &reader, self.0.workspace()).await?;
        Ok(Workspace(present(found, "workspace")?))
    }

    /// What the viewer's clients keep for them; nobody else sees it.
    async fn preferences(&self, ctx: &Context<'_>) -> Result<Json<Map<String, Value>>> {
        let kept = actions::users::preferences(ctx.core(), &self.0).await?;
        Ok(Json(kept.map(|kept| serde_json::from_str(&kept)).transpose().map_err(Error::internal)?.unwrap_or_default()))
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

    /// Somebody of the viewer's workspace; null if there is no such user.
    async fn user(&self, ctx: &Context<'_>, #[graphql(desc = "The id of the user.")] id: ID) -> Result<Option<User>> {
        ctx.viewer()?;
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(ctx.moment().loaders.users.load(id).await?.map(User))
    }

    /// People and bots of the viewer's workspace: all of them in the order in which they came, or those whose names have
    /// words that begin like each of the words that are searched for, whatever the capitals and the marks on letters.
    /// Those who were deactivated are not found by their names.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The beginnings of words of the name.")] search: Option<String>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        let viewer = ctx.viewer()?;
        let Some(search) = search else {
            let slice = actions::users::list(ctx.core(), &viewer, &page(first, after, last, before)?).await?;
            return Ok(Connection::of(slice, |user| user.id, User));
        };
        let page = page::<Found>(first, after, last, before)?;
        let slice = actions::users::search(ctx.core(), &viewer, &search, &page).await?;
        Ok(Connection::of(slice, |(found, _)| found.clone(), |(_, user)| User(user)))
    }
}

/// What of the viewer's own profile is to change; what is left out stays as it is.
#[derive(InputObject)]
pub struct UserUpdateInput {
    /// The name to show, at most 80 characters. From now on no token changes it.
    name: Option<String>,
    /// The address of a picture, at most 2000 characters; null takes it away.
    avatar_url: MaybeUndefined<String>,
    /// What to say of oneself, at most 140 characters; null takes it away.
    status_text: MaybeUndefined<String>,
    /// What clients keep for their user: an object, at most 16 KiB as JSON, in the place of what was kept before.
    preferences: Option<Json<Map<String, Value>>>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct UserUpdatePayload {
    /// The viewer as they are now.
    user: Option<User>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

/// Who is to be what.
#[derive(InputObject)]
pub struct UserRoleUpdateInput {
    /// Somebody of the viewer's workspace.
    user_id: ID,
    /// What they are to be. From now on no token changes it.
    role: WorkspaceRole,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct UserRoleUpdatePayload {
    /// The user as they are now.
    user: Option<User>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

/// Who is to be shut out.
#[derive(InputObject)]
pub struct UserDeactivateInput {
    /// Somebody of the viewer's workspace.
    user_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct UserDeactivatePayload {
    /// The user as they are now.
    user: Option<User>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

/// Who is to be let in again.
#[derive(InputObject)]
pub struct UserReactivateInput {
    /// Somebody of the viewer's workspace.
    user_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct UserReactivatePayload {
    /// The user as they are now.
    user: Option<User>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct UserMutation;

#[Object]
impl UserMutation {
    /// Changes the viewer's own profile.
    async fn user_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: UserUpdateInput,
    ) -> Result<Option<UserUpdatePayload>> {
        let viewer = ctx.viewer()?;
        let draft = ProfileDraft {
            name: input.name,
            avatar_url: given(input.avatar_url),
            status_text: given(input.status_text),
            preferences: input.preferences.map(|Json(preferences)| Value::Object(preferences).to_string()),
        };
        let (user, errors) = refusals(actions::users::update(ctx.core(), &viewer, draft).await)?;
        Ok(Some(UserUpdatePayload { user: user.map(User), errors }))
    }

    /// Gives somebody another role in the workspace. For those who manage users; owners are made and unmade by owners.
    async fn user_role_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to be what.")] input: UserRoleUpdateInput,
    ) -> Result<Option<UserRoleUpdatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::users::manages(&viewer)?;
            let user = id(&input.user_id, "user", "user_id")?;
            actions::users::update_role(ctx.core(), &viewer, user, input.role.into()).await
        };
        let (user, errors) = refusals(outcome.await)?;
        Ok(Some(UserRoleUpdatePayload { user: user.map(User), errors }))
    }

    /// Shuts somebody out: their tokens are refused at once, and their sockets are closed. For those who manage users.
    async fn user_deactivate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: UserDeactivateInput,
    ) -> Result<Option<UserDeactivatePayload>> {
        let (user, errors) = set_status(ctx, &input.user_id, users::UserStatus::Deactivated).await?;
        Ok(Some(UserDeactivatePayload { user, errors }))
    }

    /// Lets somebody in again who was shut out. For those who manage users.
    async fn user_reactivate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: UserReactivateInput,
    ) -> Result<Option<UserReactivatePayload>> {
        let (user, errors) = set_status(ctx, &input.user_id, users::UserStatus::Active).await?;
        Ok(Some(UserReactivatePayload { user, errors }))
    }
}

async fn set_status(ctx: &Context<'_>, user: &ID, status: users::UserStatus) -> Result<(Option<User>, Vec<UserError>)> {
    let viewer = ctx.viewer()?;
    let outcome = async {
        actions::users::manages(&viewer)?;
        let user = id(user, "user", "user_id")?;
        actions::users::update_status(ctx.core(), &viewer, user, status).await
    };
    let (user, errors) = refusals(outcome.await)?;
    Ok((user.map(User), errors))
}
