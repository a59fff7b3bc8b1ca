//! Bots and their tokens, in the API.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{bots, pages::Slice};

use super::{
    conversations::page,
    errors::{UserError, refusals},
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
    users::User,
};
use crate::actions;

/// What a token may be used for. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "bots::Scope")]
pub enum BotTokenScope {
    /// Queries and subscriptions.
    Read,
    /// Mutations.
    Write,
    /// With the power of an admin of the workspace, as far as the other scopes reach.
    Admin,
}

pub struct BotToken(pub bots::BotToken);

/// A token of a bot, without its secret.
#[Object]
impl BotToken {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it was called when it was made.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it may be used for.
    async fn scopes(&self) -> Vec<BotTokenScope> {
        self.0.scopes.iter().map(|scope| (*scope).into()).collect()
    }

    /// Whose it is.
    async fn bot(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.bot).await?.map(User))
    }

    /// Who made it.
    async fn creator(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.creator).await?.map(User))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it is good no more; null where that is never.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }
}

/// What a new bot is to be.
#[derive(InputObject)]
pub struct BotCreateInput {
    /// The name to show, at most 80 characters.
    name: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct BotCreatePayload {
    /// The new bot.
    bot: Option<User>,
    /// Why there is none.
    errors: Vec<UserError>,
}

/// What a new token is to be.
#[derive(InputObject)]
pub struct BotTokenCreateInput {
    /// Whose it is: a user with the role BOT.
    bot_id: ID,
    /// What to call it, at most 80 characters.
    name: String,
    /// What it may be used for; at least one.
    scopes: Vec<BotTokenScope>,
    /// When it is good no more; never, if nothing is said.
    expires_at: Option<DateTime>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct BotTokenCreatePayload {
    /// The new token.
    token: Option<BotToken>,
    /// What the bot comes in with: `Authorization: Bearer jfb_…`. It is shown once.
    secret: Option<String>,
    /// Why there is none.
    errors: Vec<UserError>,
}

/// Which token is to be revoked.
#[derive(InputObject)]
pub struct BotTokenRevokeInput {
    /// Its id.
    token_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct BotTokenRevokePayload {
    /// The token as it was.
    token: Option<BotToken>,
    /// Why it stands.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct BotQuery;

#[Object]
impl BotQuery {
    /// The bots that were made in the viewer's workspace, the oldest first. For those who manage bots.
    async fn bots(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        let viewer = ctx.viewer()?;
        let page = page(first, after, last, before)?;
        let slice = actions::bots::list(ctx.core(), &viewer, &page).await?;
        Ok(Connection::of(slice, |bot| bot.id, User))
    }

    /// The tokens of a bot, the oldest first; null if there is no such bot. For those who manage bots.
    async fn bot_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose tokens.")] bot_id: ID,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Option<Connection<BotToken>>> {
        let viewer = ctx.viewer()?;
        actions::bots::manages(&viewer)?;
        let page = page(first, after, last, before)?;
        let Ok(bot) = bot_id.parse() else { return Ok(None) };
        let found: Option<Slice<bots::BotToken>> = actions::bots::tokens(ctx.core(), &viewer, bot, &page).await?;
        Ok(found.map(|slice| Connection::of(slice, |token| token.id, BotToken)))
    }
}

#[derive(Default)]
pub struct BotMutation;

#[Object]
impl BotMutation {
    /// Makes a bot. For those who manage bots.
    async fn bot_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: BotCreateInput,
    ) -> Result<Option<BotCreatePayload>> {
        let viewer = ctx.viewer()?;
        let (bot, errors) = refusals(actions::bots::create(ctx.core(), &viewer, &input.name).await)?;
        Ok(Some(BotCreatePayload { bot: bot.map(User), errors }))
    }

    /// Makes a token for a bot. For those who manage bots.
    async fn bot_token_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: BotTokenCreateInput,
    ) -> Result<Option<BotTokenCreatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::bots::manages(&viewer)?;
            let draft = actions::bots::TokenDraft {
                bot: id(&input.bot_id, "bot", "bot_id")?,
                name: input.name,
                scopes: input.scopes.into_iter().map(Into::into).collect(),
                expires_at: input.expires_at.map(|moment| moment.0),
            };
            actions::bots::create_token(ctx.core(), &viewer, draft).await
        };
        let (made, errors) = refusals(outcome.await)?;
        let (token, secret) = made.map(|(token, secret)| (BotToken(token), secret)).unzip();
        Ok(Some(BotTokenCreatePayload { token, secret, errors }))
    }

    /// Revokes a token of a bot: it is refused at once, and its sockets are closed. For those who manage bots.
    async fn bot_token_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: BotTokenRevokeInput,
    ) -> Result<Option<BotTokenRevokePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::bots::manages(&viewer)?;
            let token = id(&input.token_id, "token", "token_id")?;
            actions::bots::revoke_token(ctx.core(), &viewer, token).await
        };
        let (token, errors) = refusals(outcome.await)?;
        Ok(Some(BotTokenRevokePayload { token: token.map(BotToken), errors }))
    }
}
