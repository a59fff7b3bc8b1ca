//! Making an account, and changing or replacing its password.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jackfield_domain::{
    Rejection, Timestamp, UserId,
    accounts::{CheckedSignUp, WINDOW, may_sign_up, new_password},
    permissions::{Act, may},
    users::User,
    workspaces::WorkspaceStatus,
};

use super::{
    Core, Viewer,
    secrets::{self, digest},
    sessions::{self, SignedIn, failures_key},
    workspaces,
};
use crate::{
    Result,
    store::{BeginSignIn, ChangePassword, CreateAccount, CreatePasswordReset, OWN_ISSUER, ResetPassword, SweepAccess},
};

/// What the code for a new password begins with.
const RESET_PREFIX: &str = "jfp_";

/// Who wants an account, and where.
pub struct SignUp {
    pub workspace: String,
    pub login: String,
    pub password: String,
    pub name: String,
    pub invitation_code: Option<String>,
    pub device: Option<String>,
    pub address: Option<IpAddr>,
}

/// Makes an account and signs it in, as far as the workspace takes people.
pub async fn sign_up(core: &Arc<Core>, sign_up: SignUp) -> Result<SignedIn> {
    let now = core.clock.now();
    core.passwords.knock(sign_up.address, now)?;
    let device = sessions::device(sign_up.device)?;
    let found = core.store.workspace_by_slug(&sign_up.workspace).await?;
    let found = found.filter(|workspace| workspace.status == WorkspaceStatus::Active);
    // One that is closed, and one that is not there, are the same to a stranger.
    let closed = Rejection::NotFound { what: "workspace that takes people", field: "workspace" };
    let workspace = found.ok_or(closed)?;
    may_sign_up(workspace.sign_up, sign_up.invitation_code.is_some())?;
    let checked = CheckedSignUp::check(&sign_up.login, &sign_up.name)?;
    let policy = workspaces::policy(core, workspace.id).await?;
    new_password("password", &sign_up.password, &policy)?;
    // Asked before the work is done, and once more when the account is made.
    if core.store.user_by_subject(workspace.id, OWN_ISSUER, &checked.login).await?.is_some() {
        return Err(Rejection::LoginTaken { login: checked.login }.into());
    }
    let (_turn, password_hash) = core.passwords.turn().await?.hash(sign_up.password).await?;
    let id = UserId(core.clock.new_id());
    let (session, refresh_token) = sessions::begin(core, workspace.id, id, device, sign_up.address, now, &policy)?;
    let (begun, login) = (session.session.clone(), checked.login.clone());
    let invitation = sign_up.invitation_code.as_deref().map(digest);
    let account = CreateAccount { id, workspace: workspace.id, checked, password_hash, invitation, session, at: now };
    let user = core.store.change(account).await?;
    core.passwords.forgive(sign_up.address);
    sessions::signed_in(core, &workspace.slug, &login, begun, user, refresh_token, &policy)
}

/// Sets another password by showing the old one; sessions elsewhere end.
pub async fn change_password(core: &Arc<Core>, viewer: &Viewer, old: String, new: String) -> Result<User> {
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    new_password("new_password", &new, &policy)?;
    let now = core.clock.now();
    let Some(account) = core.store.account_of(viewer.id()).await? else {
        return Err(Rejection::NotFound { what: "account of yours", field: "old_password" }.into());
    };
    let turn = core.passwords.turn().await?;
    let key = failures_key(viewer.workspace(), &account.login);
    let limit = policy.sign_in_attempts as usize;
    core.store.change(BeginSignIn { workspace: viewer.workspace(), key, limit, at: now }).await?;
    let (turn, good) = turn.verify(old, Some(account.password_hash)).await?;
    if !good {
        return Err(Rejection::WrongCredentials { what: "the old password" }.into());
    }
    let (_turn, password_hash) = turn.hash(new).await?;
    let (user, except) = (viewer.user().clone(), viewer.session());
    let change = ChangePassword { user, login: account.login, password_hash, failures_key: key, except, at: now };
    core.store.change(change).await?;
    core.memory.doors.move_on();
    Ok(viewer.user().clone())
}

/// A code by which somebody sets a new password, once; for whoever asked for it to hand over.
pub async fn request_reset(core: &Arc<Core>, viewer: &Viewer, user: UserId) -> Result<(User, String, Timestamp)> {
    may(viewer.role(), Act::ManageUsers)?;
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    let code = secrets::new(RESET_PREFIX)?;
    let by = viewer.by(core);
    let expires_at = by.at + Duration::from_secs(policy.password_reset_minutes * 60);
    let (code_hash, actor_role) = (digest(&code), viewer.role());
    let user = core.store.change(CreatePasswordReset { user, actor_role, code_hash, expires_at, by }).await?;
    Ok((user, code, expires_at))
}

/// Uses such a code up; answers the login that goes with the new password. All sessions end.
pub async fn reset_password(core: &Arc<Core>, code: &str, password: String, address: Option<IpAddr>) -> Result<String> {
    let wrong = || Rejection::WrongCredentials { what: "the code" };
    let at = core.clock.now();
    core.passwords.knock(address, at)?;
    let code_hash = digest(code);
    let workspace = core.store.password_reset(code_hash, at).await?.ok_or_else(wrong)?;
    let policy = workspaces::policy(core, workspace).await?;
    new_password("new_password", &password, &policy)?;
    let (_turn, password_hash) = core.passwords.turn().await?.hash(password).await?;
    let login = core.store.change(ResetPassword { workspace, code_hash, password_hash, failures_key, at }).await?;
    core.passwords.forgive(address);
    core.memory.doors.move_on();
    Ok(login.ok_or_else(wrong)?)
}

/// How many of each are swept in one transaction.
const SWEEP: u64 = 500;

/// Takes away what lets nobody in any more, a bounded piece at a time; answers how much went.
pub async fn sweep(core: &Core) -> Result<u64> {
    let mut swept = 0;
    loop {
        let now = core.clock.now();
        let piece = core.store.change(SweepAccess { now, failures_before: now.before(WINDOW), limit: SWEEP }).await?;
        swept += piece;
        if piece < SWEEP {
            return Ok(swept);
        }
    }
}
