//! Whom the hub trusts to vouch for people, beside those in its configuration. For operators.

use std::{sync::Arc, time::Duration};

use jackfield_domain::{
    IssuerId, Rejection, Timestamp,
    pages::{Direction, Page, Slice},
};

use super::{Core, Viewer, workspaces::must_be_operator};
use crate::{
    Error, Result,
    identity::{IssuerSettings, SigningAlgorithm},
    store::{CreateIssuer, DeleteIssuer, KeptIssuer},
};

pub use crate::identity::IssuerSettings as Settings;

/// How tokens may be signed that are trusted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Way {
    pub fn algorithm(self) -> SigningAlgorithm {
        match self {
            Way::Hs256 => SigningAlgorithm::HS256,
            Way::Rs256 => SigningAlgorithm::RS256,
            Way::Es256 => SigningAlgorithm::ES256,
            Way::EdDsa => SigningAlgorithm::EdDSA,
        }
    }

    pub fn of(algorithm: SigningAlgorithm) -> Option<Self> {
        [Way::Hs256, Way::Rs256, Way::Es256, Way::EdDsa].into_iter().find(|way| way.algorithm() == algorithm)
    }
}

/// How long it may take until this node knows what another one was told.
const POLL: Duration = Duration::from_secs(1);

/// Somebody who is trusted, and with what; the secret, if there is one, is not to be shown.
#[derive(Debug, Clone)]
pub struct Trusted {
    pub id: IssuerId,
    pub settings: IssuerSettings,
    pub created_at: Timestamp,
}

impl TryFrom<KeptIssuer> for Trusted {
    type Error = Error;

    fn try_from(kept: KeptIssuer) -> Result<Self> {
        let settings = serde_json::from_str(&kept.settings).map_err(Error::internal)?;
        Ok(Trusted { id: kept.id, settings, created_at: kept.created_at })
    }
}

/// Trusts somebody to vouch for people.
pub async fn create(core: &Arc<Core>, viewer: &Viewer, settings: IssuerSettings) -> Result<Trusted> {
    must_be_operator(viewer)?;
    if core.identity.is_configured(&settings.issuer) {
        return Err(Rejection::IssuerTaken { name: settings.issuer }.into());
    }
    settings.build().map_err(|why| Rejection::NoIssuer { why })?;
    let text = serde_json::to_string(&settings).map_err(Error::internal)?;
    let id = IssuerId(core.clock.new_id());
    let name = settings.issuer.clone();
    let kept = core.store.change(CreateIssuer { id, name, settings: text, by: viewer.by(core) }).await?;
    refresh(core).await?;
    kept.try_into()
}

/// Trusts somebody no more: their tokens are refused, and what was opened with them is closed.
pub async fn delete(core: &Arc<Core>, viewer: &Viewer, id: IssuerId) -> Result<()> {
    must_be_operator(viewer)?;
    core.store.change(DeleteIssuer { id, by: viewer.by(core) }).await?;
    refresh(core).await
}

/// Those who are trusted, but for those in the configuration; the oldest first.
pub async fn list(core: &Core, viewer: &Viewer, page: &Page<IssuerId>) -> Result<Slice<Trusted>> {
    must_be_operator(viewer)?;
    let Slice { items, has_previous, has_next } = core.store.issuers(page).await?;
    let items = items.into_iter().map(Trusted::try_from).collect::<Result<_>>()?;
    Ok(Slice { items, has_previous, has_next })
}

/// Makes this node trust whom the store says.
pub async fn refresh(core: &Core) -> Result<()> {
    // There are at most as many as a page has.
    let page = Page { direction: Direction::Forward, size: 100, from: None };
    let kept = core.store.issuers(&page).await?.items;
    let trusted = kept.into_iter().map(|kept| Ok(Trusted::try_from(kept)?.settings)).collect::<Result<_>>()?;
    for issuer in core.identity.trust(trusted) {
        core.memory.doors.distrust(&issuer);
    }
    Ok(())
}

/// Keeps this node in step with what the others were told.
pub async fn run(core: Arc<Core>) {
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        poll.tick().await;
        if let Err(error) = refresh(&core).await {
            tracing::debug!(%error, "it cannot be read whom to trust; trying again");
        }
    }
}
