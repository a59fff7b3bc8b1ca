//! Bots, and the tokens they come in with.

use jackfield_domain::{
    BotTokenId, Rejection, Timestamp, UserId, WorkspaceRole,
    bots::{BotToken, PREFIX, Scope, checked},
    pages::{Page, Slice},
    permissions::{Act, may},
    text,
    users::{NAME_MAX, User},
};

use super::{
    Core, Viewer,
    secrets::{self, digest},
};
use crate::{
    Result,
    store::{CreateBot, CreateBotToken, RevokeBotToken},
};

/// Does the viewer manage bots at all? Asked before anything that they name is looked for.
pub fn manages(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::ManageBots)?)
}

/// A new bot, which cannot come in before it has a token.
pub async fn create(core: &Core, viewer: &Viewer, name: &str) -> Result<User> {
    manages(viewer)?;
    let name = text::line("name", name, NAME_MAX)?;
    core.store.change(CreateBot { id: UserId(core.clock.new_id()), name, by: viewer.by(core) }).await
}

/// What a new token of a bot is to be.
pub struct TokenDraft {
    pub bot: UserId,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<Timestamp>,
}

/// A new token of a bot, and its secret, which nobody can see again.
pub async fn create_token(core: &Core, viewer: &Viewer, draft: TokenDraft) -> Result<(BotToken, String)> {
    manages(viewer)?;
    let name = text::line("name", &draft.name, NAME_MAX)?;
    let scopes = checked(&draft.scopes)?;
    let by = viewer.by(core);
    if draft.expires_at.is_some_and(|at| at <= by.at) {
        return Err(Rejection::Invalid { field: "expires_at", expected: "in the future" }.into());
    }
    let secret = secrets::new(PREFIX)?;
    let token = CreateBotToken {
        id: BotTokenId(core.clock.new_id()),
        bot: draft.bot,
        name,
        scopes,
        secret_hash: digest(&secret),
        expires_at: draft.expires_at,
        by,
    };
    Ok((core.store.change(token).await?, secret))
}

/// Makes a token good for nothing, at once and on every node.
pub async fn revoke_token(core: &Core, viewer: &Viewer, id: BotTokenId) -> Result<BotToken> {
    manages(viewer)?;
    let revoked = core.store.change(RevokeBotToken { id, by: viewer.by(core) }).await?;
    core.memory.doors.move_on();
    Ok(revoked)
}

/// The bots that were made in the viewer's workspace, the oldest first.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<UserId>) -> Result<Slice<User>> {
    manages(viewer)?;
    core.store.bots(viewer.workspace(), page).await
}

/// The tokens of a bot of the viewer's workspace, the oldest first; none where there is no such bot.
pub async fn tokens(
    core: &Core,
    viewer: &Viewer,
    bot: UserId,
    page: &Page<BotTokenId>,
) -> Result<Option<Slice<BotToken>>> {
    manages(viewer)?;
    let found = core.store.users(&[bot]).await?.pop();
    let here = |user: &User| user.workspace == viewer.workspace() && user.role == WorkspaceRole::Bot;
    if !found.as_ref().is_some_and(here) {
        return Ok(None);
    }
    core.store.bot_tokens(bot, page).await.map(Some)
}
