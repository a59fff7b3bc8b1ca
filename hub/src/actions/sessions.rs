//! Signing in, staying signed in, and signing out.

use std::{net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_domain::{
    Policy, Rejection, SessionId, Timestamp, UserId, WorkspaceId,
    accounts::login,
    pages::{Page, Slice},
    sessions::{DEVICE_MAX, Session},
    text,
    users::User,
    workspaces::WorkspaceStatus,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Core, Viewer, doors::Bearer, setup::random_bytes, workspaces};
use crate::{
    Result,
    store::{BeginSignIn, CreateSession, EndSession, EndSessions, NewSession, RotateSession, Rotated},
};

/// What a refresh token begins with, so that it is known for one where it should not be.
const PREFIX: &str = "jfr_";

/// What somebody comes in with from now on. The tokens are shown once.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub session: Session,
    pub user: User,
    pub access_token: String,
    pub access_expires_at: Timestamp,
    pub refresh_token: String,
}

/// Who wants to sign in, and with what.
pub struct SignIn {
    pub workspace: String,
    pub login: String,
    pub password: String,
    pub device: Option<String>,
    pub address: Option<IpAddr>,
}

/// Signs somebody in by login and password. Whether there is such a login is told by nothing: not by the answer, not by
/// the time it takes, and not by how often it may be tried.
pub async fn create(core: &Arc<Core>, sign_in: SignIn) -> Result<SignedIn> {
    let now = core.clock.now();
    let device = device(sign_in.device)?;
    core.passwords.knock(sign_in.address, now)?;
    let turn = core.passwords.turn().await?;
    let wrong = || Rejection::WrongCredentials { what: "the login or the password" };
    let workspace = core.store.workspace_by_slug(&sign_in.workspace).await?;
    let workspace = workspace.filter(|workspace| workspace.status == WorkspaceStatus::Active);
    let (mut account, mut key) = (None, None);
    if let (Some(workspace), Ok(login)) = (&workspace, login(&sign_in.login)) {
        let policy = workspaces::policy(core, workspace.id).await?;
        let failures = failures_key(workspace.id, &login);
        let limit = policy.sign_in_attempts as usize;
        core.store.change(BeginSignIn { workspace: workspace.id, key: failures, limit, at: now }).await?;
        account = core.store.account(workspace.id, &login).await?;
        key = Some((failures, policy));
    }
    let kept = account.as_ref().map(|account| account.password_hash.clone());
    let (_turn, good) = turn.verify(sign_in.password, kept).await?;
    let (Some(workspace), Some(account), Some((failures_key, policy)), true) = (workspace, account, key, good) else {
        return Err(wrong().into());
    };
    let (new, refresh_token) = begin(core, workspace.id, account.user, device, sign_in.address, now, &policy)?;
    let session = new.session.clone();
    let user = core.store.change(CreateSession { new, failures_key: Some(failures_key) }).await?;
    core.passwords.forgive(sign_in.address);
    signed_in(core, &workspace.slug, &account.login, session, user, refresh_token, &policy)
}

/// A session that is to begin, and its first refresh token.
pub(super) fn begin(
    core: &Core,
    workspace: WorkspaceId,
    user: UserId,
    device: Option<String>,
    address: Option<IpAddr>,
    now: Timestamp,
    policy: &Policy,
) -> Result<(NewSession, String)> {
    let token = RefreshToken { session: SessionId(core.clock.new_id()), family: random_bytes()?, own: random_bytes()? };
    let session = Session {
        id: token.session,
        workspace,
        user,
        device,
        address,
        created_at: now,
        used_at: now,
        expires_at: now + lifetime(policy),
    };
    let new = NewSession { session, family_hash: token.family_hash(), refresh_hash: token.own_hash() };
    Ok((new, token.write()))
}

pub(super) fn signed_in(
    core: &Core,
    slug: &str,
    subject: &str,
    session: Session,
    user: User,
    refresh_token: String,
    policy: &Policy,
) -> Result<SignedIn> {
    let ttl = Duration::from_secs(policy.access_token_minutes * 60);
    let (access_token, access_expires_at) = core.identity.sign_session(slug, subject, session.id, ttl)?;
    Ok(SignedIn { session, user, access_token, access_expires_at, refresh_token })
}

/// Gives a refresh token for a new one and a new access token. One that was used before ends its session: then two have
/// it, and which of them is the right one cannot be known.
pub async fn refresh(core: &Arc<Core>, token: &str, address: Option<IpAddr>) -> Result<SignedIn> {
    let wrong = || Rejection::WrongCredentials { what: "the refresh token" };
    let presented = RefreshToken::read(token).ok_or_else(wrong)?;
    // Which log is to be locked is known from the session.
    let (session, _) = core.store.session(presented.session).await?.ok_or_else(wrong)?;
    let known = super::memory::workspace(core, session.workspace).await?;
    if known.workspace.status != WorkspaceStatus::Active {
        return Err(wrong().into());
    }
    let (at, policy) = (core.clock.now(), &known.policy);
    let next = RefreshToken { own: random_bytes()?, ..presented };
    let rotated = core
        .store
        .change(RotateSession {
            id: presented.session,
            workspace: session.workspace,
            family_hash: presented.family_hash(),
            presented_hash: presented.own_hash(),
            next_hash: next.own_hash(),
            address,
            at,
            expires_at: at + lifetime(policy),
        })
        .await?;
    match rotated {
        Rotated::GoesOn(goes_on) => {
            let (session, user, subject) = *goes_on;
            signed_in(core, &known.workspace.slug, &subject, session, user, next.write(), policy)
        }
        Rotated::Ended => {
            core.memory.doors.move_on();
            tracing::warn!(session = %presented.session, "a refresh token was used twice; its session has ended");
            Err(wrong().into())
        }
        Rotated::Unknown => Err(wrong().into()),
    }
}

/// The session that the viewer came in with; none where they came in with something else.
pub async fn current(core: &Core, viewer: &Viewer) -> Result<Option<Session>> {
    let Bearer::Session(id) = viewer.bearer else { return Ok(None) };
    Ok(core.store.session(id).await?.map(|(session, _)| session))
}

/// The viewer's own, the oldest first.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<SessionId>) -> Result<Slice<Session>> {
    core.store.sessions(viewer.id(), core.clock.now(), page).await
}

/// Ends one of the viewer's own sessions; the current one, if nothing else is said.
pub async fn revoke(core: &Core, viewer: &Viewer, session: Option<SessionId>) -> Result<SessionId> {
    let session = match (session, &viewer.bearer) {
        (Some(session), _) => session,
        (None, Bearer::Session(session)) => *session,
        (None, _) => return Err(Rejection::NotFound { what: "session", field: "session_id" }.into()),
    };
    let (workspace, user, at) = (viewer.workspace(), viewer.id(), core.clock.now());
    core.store.change(EndSession { workspace, user, session, at }).await?;
    // Other nodes hear of it; on this one it holds before the answer is out.
    core.memory.doors.move_on();
    Ok(session)
}

/// Ends all of the viewer's sessions, but perhaps the current one; answers how many.
pub async fn revoke_all(core: &Core, viewer: &Viewer, keep_current: bool) -> Result<usize> {
    let except = viewer.session().filter(|_| keep_current);
    let ended = core.store.change(EndSessions { user: viewer.user().clone(), except, at: core.clock.now() }).await?;
    core.memory.doors.move_on();
    Ok(ended)
}

pub(super) fn device(device: Option<String>) -> Result<Option<String>> {
    Ok(device.map(|device| text::line("device", &device, DEVICE_MAX)).transpose()?)
}

fn lifetime(policy: &Policy) -> Duration {
    Duration::from_secs(policy.session_days * 24 * 60 * 60)
}

/// Under which the failures of a login are counted, be there such a login or not.
pub(super) fn failures_key(workspace: WorkspaceId, login: &str) -> [u8; 32] {
    Sha256::new().chain_update(workspace.0.as_bytes()).chain_update(login.as_bytes()).finalize().into()
}

/// A part that all tokens of a session share, and a part of its own.
struct RefreshToken {
    session: SessionId,
    family: [u8; 32],
    own: [u8; 32],
}

impl RefreshToken {
    fn write(&self) -> String {
        let bytes = [self.session.0.as_bytes().as_slice(), &self.family, &self.own].concat();
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    fn read(text: &str) -> Option<Self> {
        let text = text.strip_prefix(PREFIX).filter(|text| text.len() <= 200)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (session, rest) = bytes.split_at_checked(16)?;
        let (family, own) = rest.split_at_checked(32)?;
        Some(RefreshToken {
            session: SessionId(Uuid::from_slice(session).ok()?),
            family: family.try_into().ok()?,
            own: own.try_into().ok()?,
        })
    }

    fn family_hash(&self) -> [u8; 32] {
        Sha256::digest(self.family).into()
    }

    fn own_hash(&self) -> [u8; 32] {
        Sha256::digest(self.own).into()
    }
}
