//! The one door: a token that was verified becomes a viewer.
//!
//! The order of steps is always the same: first the log of the workspace is followed, then the store is asked. So whatever
//! ends somebody's welcome was either seen in the store, or is heard of afterwards.

use std::sync::Arc;

use jackfield_domain::{
    Rejection, Timestamp, UserId, WorkspaceId,
    bots::{PREFIX, Scopes},
    users::{Person, User},
    workspaces::WorkspaceStatus,
};

use super::{
    Core, Viewer,
    doors::{Bearer, Pass, Turn},
    feed, memory,
    secrets::digest,
};
use crate::{
    Error, Result,
    identity::{Vouched, Whom},
    store::ProvisionUser,
};

/// Somebody who may come in, and for how long.
#[derive(Debug, Clone)]
pub struct Admitted {
    pub viewer: Viewer,
    pub expires_at: Timestamp,
    pub turn: Turn,
}

/// Lets the bearer of a token in: one of the hub's own sessions, of a bot, or of somebody whom an issuer vouches for.
pub async fn admit(core: &Arc<Core>, token: &str) -> Result<Admitted> {
    let turn = core.memory.doors.turn();
    if token.starts_with(PREFIX) {
        return admit_bot(core, token, turn).await;
    }
    let Vouched { workspace, whom, expires_at } = core.identity.verify(token).await?;
    let Some(workspace) = core.store.workspace_by_slug(&workspace).await? else {
        return Err(refused("the token is for a workspace that is not here"));
    };
    must_be_open(core, workspace.id).await?;
    let (user, bearer) = match whom {
        Whom::Person(person) => {
            let bearer = Bearer::Issuer(person.issuer.clone());
            (provisioned(core, workspace.id, person).await?, bearer)
        }
        Whom::Session(id) => {
            let found = core.store.session(id).await?;
            let found =
                found.filter(|(session, _)| session.workspace == workspace.id && session.expires_at > core.clock.now());
            let (_, user) = found.ok_or_else(|| refused("the session has ended"))?;
            (user, Bearer::Session(id))
        }
    };
    must_be_active(&user)?;
    let viewer = Viewer { user: Arc::new(user), bearer, scopes: Scopes::OF_A_PERSON, address: None };
    Ok(Admitted { viewer, expires_at, turn })
}

async fn admit_bot(core: &Arc<Core>, secret: &str, turn: Turn) -> Result<Admitted> {
    let unknown = || refused("the token is not known here, or was revoked");
    // Read twice, because only the first time says which log is to be followed before it is read.
    let (token, _) = core.store.bot_token_by_hash(digest(secret)).await?.ok_or_else(unknown)?;
    must_be_open(core, token.workspace).await?;
    let (token, user) = core.store.bot_token(token.id).await?.ok_or_else(unknown)?;
    let expires_at = token.expires_at.unwrap_or(Timestamp(i64::MAX));
    if expires_at <= core.clock.now() {
        return Err(refused("the token has expired"));
    }
    must_be_active(&user)?;
    let (bearer, scopes) = (Bearer::BotToken(token.id), Scopes::of(&token.scopes));
    let viewer = Viewer { user: Arc::new(user), bearer, scopes, address: None };
    Ok(Admitted { viewer, expires_at, turn })
}

/// Looks at somebody again who came in before: they as they are now, or why they are welcome no more.
pub async fn again(core: &Arc<Core>, viewer: &Viewer) -> Result<Viewer> {
    must_be_open(core, viewer.workspace()).await?;
    let now = core.clock.now();
    let user = match &viewer.bearer {
        Bearer::Session(id) => {
            let found = core.store.session(*id).await?.filter(|(session, _)| session.expires_at > now);
            found.ok_or_else(|| refused("the session has ended"))?.1
        }
        Bearer::BotToken(id) => core.store.bot_token(*id).await?.ok_or_else(|| refused("the token was revoked"))?.1,
        Bearer::Issuer(_) => {
            let found = core.store.users(&[viewer.id()]).await?.pop();
            found.ok_or_else(|| refused("the user is not here any more"))?
        }
    };
    must_be_active(&user)?;
    Ok(Viewer { user: Arc::new(user), ..viewer.clone() })
}

/// Opens a door for somebody who was let in. If something has changed since then, they are looked at again.
pub async fn open(core: &Arc<Core>, admitted: &mut Admitted) -> Result<Pass> {
    let viewer = &mut admitted.viewer;
    let follows = feed::open(core, viewer.workspace()).await?.follow();
    let doors = &core.memory.doors;
    let pass = doors.open(viewer.workspace(), viewer.id(), viewer.bearer.clone(), follows);
    if doors.turn() != admitted.turn {
        *viewer = again(core, viewer).await?;
    }
    Ok(pass)
}

/// Finds the person's user in the workspace, makes it at first sight, and brings it up to what the token says.
async fn provisioned(core: &Arc<Core>, workspace: WorkspaceId, person: Person) -> Result<User> {
    let known = core.store.user_by_subject(workspace, &person.issuer, &person.subject).await?;
    if let Some(user) = known
        && user.vouched_for(&person) == user
    {
        return Ok(user);
    }
    let id = UserId(core.clock.new_id());
    core.store.change(ProvisionUser { id, workspace, at: core.clock.now(), person }).await
}

/// From here on this node hears what is going on in the workspace, which must be one that people may enter.
async fn must_be_open(core: &Arc<Core>, workspace: WorkspaceId) -> Result<()> {
    feed::open(core, workspace).await?;
    match memory::workspace(core, workspace).await {
        Ok(known) if known.workspace.status == WorkspaceStatus::Active => Ok(()),
        Ok(_) => Err(refused("the workspace is suspended")),
        Err(Error::Rejected(Rejection::NotFound { .. })) => {
            Err(refused("the token is for a workspace that is not here"))
        }
        Err(error) => Err(error),
    }
}

fn must_be_active(user: &User) -> Result<()> {
    if user.is_active() { Ok(()) } else { Err(refused("the user is deactivated")) }
}

fn refused(why: &str) -> Error {
    Error::Unauthenticated(why.to_owned())
}
