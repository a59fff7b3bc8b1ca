//! The first start: what must be there before anybody can come in, and the link by which the first one does.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jackfield_domain::{
    UserId, WorkspaceId, WorkspaceRole,
    users::Person,
    workspaces::{CheckedWorkspace, WorkspaceDraft},
};
use sha2::{Digest, Sha256};

use super::{Core, memory, sessions};
use crate::{
    Error, Result,
    clock::Clock,
    store::{
        ConsumeSignInLink, CreateSession, CreateSignInLink, CreateWorkspace, EnsureSecret, FirstStart, OWN_ISSUER,
        ProvisionUser, Store,
    },
};

/// How long the link of the first start is good.
const LINK_TTL: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the token of a sign-in link is good; there is nobody to refresh it.
const LINK_SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// The name under which the key of those tokens is kept.
pub const SIGNING_KEY: &str = "signing";
pub const FIRST_WORKSPACE: &str = "default";

/// 32 bytes that nobody can guess.
pub fn random_bytes() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(error.to_string()))?;
    Ok(bytes)
}

/// The key that all nodes sign and verify with; made once.
pub async fn signing_key(store: &Store, clock: &Clock) -> Result<Vec<u8>> {
    let value = random_bytes()?.to_vec();
    store.change(EnsureSecret { name: SIGNING_KEY, value, at: clock.now() }).await
}

/// On an empty store: the workspace `default`, its owner who is also the operator, and the code of a link that signs
/// the owner in, once. On any other store nothing.
pub async fn first_start(core: &Arc<Core>) -> Result<Option<String>> {
    if !core.store.is_empty().await? {
        return Ok(None);
    }
    let at = core.clock.now();
    let draft = WorkspaceDraft { slug: FIRST_WORKSPACE.to_owned(), name: "Default".to_owned() };
    let workspace = CheckedWorkspace::check(&draft)?;
    let id = WorkspaceId(core.clock.new_id());
    let person = Person {
        issuer: OWN_ISSUER.to_owned(),
        subject: "owner".to_owned(),
        name: "Owner".to_owned(),
        role: Some(WorkspaceRole::Owner),
        is_operator: true,
        vouched_at: at,
    };
    let owner = UserId(core.clock.new_id());
    let code: String = random_bytes()?.iter().map(|byte| format!("{byte:02x}")).collect();
    let first = FirstStart {
        workspace: CreateWorkspace { id, at, workspace, by: None },
        owner: ProvisionUser { id: owner, workspace: id, at, person },
        link: CreateSignInLink { code_hash: hash(&code), user: owner, expires_at: at + LINK_TTL },
    };
    match core.store.change(first).await {
        Ok(made) => Ok(made.then_some(code)),
        // Another node was faster: the link is its to print.
        Err(Error::Rejected(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Uses a link up: signs its user in, and answers a token for it. Like every session this one can be revoked.
pub async fn follow_link(core: &Arc<Core>, code: &str, address: Option<IpAddr>) -> Result<Option<String>> {
    let (id, at) = (core.clock.new_id(), core.clock.now());
    let found = core.store.change(ConsumeSignInLink { id, code_hash: hash(code), at }).await?;
    let Some((user, subject)) = found else { return Ok(None) };
    let Ok(known) = memory::workspace(core, user.workspace).await else { return Ok(None) };
    let (device, now) = (Some("sign-in link".to_owned()), core.clock.now());
    let (new, _) = sessions::begin(core, user.workspace, user.id, device, address, now, &known.policy)?;
    let session = new.session.id;
    core.store.change(CreateSession { new, failures_key: None }).await?;
    let (token, _) = core.identity.sign_session(&known.workspace.slug, &subject, session, LINK_SESSION)?;
    Ok(Some(token))
}

fn hash(code: &str) -> [u8; 32] {
    Sha256::digest(code.as_bytes()).into()
}
