//! Signing in and out, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::sessions;

use super::{
    conversations::page,
    errors::{UserError, refusals},
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
};
use crate::actions::{self, sessions::SignedIn};

pub struct Session {
    pub session: sessions::Session,
    /// It is the one that the viewer came in with.
    pub is_current: bool,
}

/// Somebody's being signed in on one device; nobody else sees it.
#[Object]
impl Session {
    /// Its id.
    async fn id(&self) -> ID {
        self.session.id.to_string().into()
    }

    /// What the client called the device.
    async fn device(&self) -> Option<&str> {
        self.session.device.as_deref()
    }

    /// The network address that it was used from last.
    async fn address(&self) -> Option<String> {
        self.session.address.map(|address| address.to_string())
    }

    /// When it began.
    async fn created_at(&self) -> DateTime {
        DateTime(self.session.created_at)
    }

    /// When it was refreshed last.
    async fn last_used_at(&self) -> DateTime {
        DateTime(self.session.used_at)
    }

    /// When it ends unless it is refreshed before.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.session.expires_at)
    }

    /// Whether it is the one that this request came in with.
    async fn is_current(&self) -> bool {
        self.is_current
    }
}

pub struct Credentials(pub SignedIn);

/// What a client comes in with from now on. It is shown once.
#[Object]
impl Credentials {
    /// For every request and socket: `Authorization: Bearer <access token>`.
    async fn access_token(&self) -> &str {
        &self.0.access_token
    }

    /// When the access token is good no more. A socket that was opened with it is closed then.
    async fn access_token_expires_at(&self) -> DateTime {
        DateTime(self.0.access_expires_at)
    }

    /// For `sessionRefresh`, once: it gives another one. Using one twice ends the session.
    async fn refresh_token(&self) -> &str {
        &self.0.refresh_token
    }

    /// What the tokens stand for.
    async fn session(&self) -> Session {
        Session { session: self.0.session.clone(), is_current: true }
    }
}

/// What came of signing in, or up.
#[derive(SimpleObject)]
pub struct SessionCreatePayload {
    /// What to come in with.
    pub credentials: Option<Credentials>,
    /// Why there is nothing.
    pub errors: Vec<UserError>,
}

/// Who signs in.
#[derive(InputObject)]
pub struct SessionCreateInput {
    /// The name of the workspace in addresses.
    workspace: String,
    /// The name to sign in with.
    login: String,
    /// The password.
    password: String,
    /// What to call this device in the list of one's sessions, at most 80 characters.
    device: Option<String>,
}

/// What is given for new tokens.
#[derive(InputObject)]
pub struct SessionRefreshInput {
    /// The newest refresh token of the session.
    refresh_token: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct SessionRefreshPayload {
    /// What to come in with from now on.
    credentials: Option<Credentials>,
    /// Why there is nothing. Then somebody has to sign in again.
    errors: Vec<UserError>,
}

/// Which session is to end.
#[derive(InputObject, Default)]
pub struct SessionRevokeInput {
    /// One of the viewer's own; the current one if left out.
    session_id: Option<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct SessionRevokePayload {
    /// The session that is no more.
    session_id: Option<ID>,
    /// Why nothing ended.
    errors: Vec<UserError>,
}

/// Which sessions are to end.
#[derive(InputObject, Default)]
pub struct SessionRevokeAllInput {
    /// Whether the current one goes on.
    #[graphql(default)]
    keep_current: bool,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct SessionRevokeAllPayload {
    /// How many ended.
    count: Option<i32>,
    /// Why nothing ended.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct SessionQuery;

#[Object]
impl SessionQuery {
    /// The session that this request came in with; null where it came in with something else.
    async fn session(&self, ctx: &Context<'_>) -> Result<Option<Session>> {
        let viewer = ctx.viewer()?;
        let found = actions::sessions::current(ctx.core(), &viewer).await?;
        Ok(found.map(|session| Session { session, is_current: true }))
    }

    /// The viewer's own sessions, the oldest first.
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<Session>> {
        let viewer = ctx.viewer()?;
        let page = page(first, after, last, before)?;
        let slice = actions::sessions::list(ctx.core(), &viewer, &page).await?;
        let node = |session: sessions::Session| {
            let is_current = viewer.session() == Some(session.id);
            Session { session, is_current }
        };
        Ok(Connection::of(slice, |session| session.id, node))
    }
}

#[derive(Default)]
pub struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Signs in by login and password. Whether there is such a login is not told.
    async fn session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SessionCreateInput,
    ) -> Result<Option<SessionCreatePayload>> {
        let SessionCreateInput { workspace, login, password, device } = input;
        let sign_in = actions::sessions::SignIn { workspace, login, password, device, address: ctx.address() };
        let (signed_in, errors) = refusals(actions::sessions::create(ctx.core(), sign_in).await)?;
        Ok(Some(SessionCreatePayload { credentials: signed_in.map(Credentials), errors }))
    }

    /// Gives a refresh token for a new one and a new access token.
    async fn session_refresh(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is given.")] input: SessionRefreshInput,
    ) -> Result<Option<SessionRefreshPayload>> {
        let refreshed = actions::sessions::refresh(ctx.core(), &input.refresh_token, ctx.address()).await;
        let (signed_in, errors) = refusals(refreshed)?;
        Ok(Some(SessionRefreshPayload { credentials: signed_in.map(Credentials), errors }))
    }

    /// Signs out: ends one of the viewer's own sessions. Its tokens are refused at once, and its sockets are closed.
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which session.", default)] input: SessionRevokeInput,
    ) -> Result<Option<SessionRevokePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let session = input.session_id.as_ref().map(|session| id(session, "session", "session_id")).transpose()?;
            actions::sessions::revoke(ctx.core(), &viewer, session).await
        };
        let (session, errors) = refusals(outcome.await)?;
        Ok(Some(SessionRevokePayload { session_id: session.map(|id| id.to_string().into()), errors }))
    }

    /// Signs out everywhere: ends all of the viewer's own sessions.
    async fn session_revoke_all(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sessions.", default)] input: SessionRevokeAllInput,
    ) -> Result<Option<SessionRevokeAllPayload>> {
        let viewer = ctx.viewer()?;
        let ended = actions::sessions::revoke_all(ctx.core(), &viewer, input.keep_current).await;
        let (count, errors) = refusals(ended)?;
        Ok(Some(SessionRevokeAllPayload { count: count.map(|count| count as i32), errors }))
    }
}
