//! Blocking people, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::{
    conversations::page,
    errors::{UserError, refusals},
    pages::Connection,
    scalars::id,
    scope::Scoped,
    users::User,
};
use crate::actions;

#[derive(Default)]
pub struct BlockQuery;

#[Object]
impl BlockQuery {
    /// Whom the viewer blocks. Give `first` or `last`, from 1 to 100.
    async fn blocked_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<User>> {
        let viewer = ctx.viewer()?;
        let slice = actions::blocks::list(ctx.core(), &viewer, &page(first, after, last, before)?).await?;
        Ok(Connection::of(slice, |user| user.id, User))
    }
}

/// Who is to be blocked.
#[derive(InputObject)]
pub struct UserBlockInput {
    /// Somebody else of the viewer's workspace, be it a person or a bot.
    user_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct UserBlockPayload {
    /// Who is blocked now.
    user: Option<User>,
    /// Why they are not.
    errors: Vec<UserError>,
}

/// Who is to be blocked no more.
#[derive(InputObject)]
pub struct UserUnblockInput {
    /// Somebody of the viewer's workspace.
    user_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct UserUnblockPayload {
    /// Who is not blocked any more.
    user: Option<User>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct BlockMutation;

#[Object]
impl BlockMutation {
    /// Blocks somebody: neither of the two can open a direct conversation with the other, and those that they have are
    /// BLOCKED. What they say in groups is not touched by it.
    async fn user_block(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: UserBlockInput,
    ) -> Result<Option<UserBlockPayload>> {
        let (user, errors) = set(ctx, &input.user_id, true).await?;
        Ok(Some(UserBlockPayload { user, errors }))
    }

    /// Blocks somebody no more. Direct conversations are what they were before, unless the other one blocks the viewer.
    async fn user_unblock(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] input: UserUnblockInput,
    ) -> Result<Option<UserUnblockPayload>> {
        let (user, errors) = set(ctx, &input.user_id, false).await?;
        Ok(Some(UserUnblockPayload { user, errors }))
    }
}

async fn set(ctx: &Context<'_>, user: &ID, blocks: bool) -> Result<(Option<User>, Vec<UserError>)> {
    let viewer = ctx.viewer()?;
    let outcome = async {
        let user = id(user, "user", "user_id")?;
        actions::blocks::set(ctx.core(), &viewer, user, blocks).await
    };
    let (user, errors) = refusals(outcome.await)?;
    Ok((user.map(User), errors))
}
