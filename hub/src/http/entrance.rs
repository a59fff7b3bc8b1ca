//! The one place where a token becomes a viewer, for a request and for a socket alike.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::{HeaderMap, header};
use jackfield_domain::Timestamp;
use sha2::{Digest, Sha256};

use super::request::Client;
use crate::{
    Error, Result,
    actions::{Core, viewers},
};

pub use viewers::Admitted;

/// How long a token that was verified is believed without another look at the store.
const BELIEVED: Duration = Duration::from_secs(1);
/// How many tokens are remembered for that second.
const REMEMBERED: usize = 10_000;

pub struct Entrance {
    core: Arc<Core>,
    /// By the token's hash, so that no token lies in memory longer than its request.
    recent: Mutex<HashMap<[u8; 32], Seen>>,
}

#[derive(Clone)]
struct Seen {
    admitted: Admitted,
    at: Timestamp,
}

impl Entrance {
    pub fn new(core: Arc<Core>) -> Self {
        Entrance { core, recent: Mutex::default() }
    }

    /// Lets the bearer of a token in, if it is good.
    pub async fn admit(&self, token: &str, Client(address): Client) -> Result<Admitted> {
        let admitted = self.believe(token).await?;
        Ok(Admitted { viewer: admitted.viewer.at(address), ..admitted })
    }

    async fn believe(&self, token: &str) -> Result<Admitted> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (now, turn) = (self.core.clock.now(), self.core.memory.doors.turn());
        let good = |seen: &Seen| seen.admitted.turn.ended == turn.ended && now.since(seen.at) < BELIEVED;
        let seen = self.lock().get(&hash).filter(|seen| good(seen)).cloned();
        if let Some(Seen { admitted, .. }) = seen
            && admitted.expires_at > now
        {
            return Ok(admitted);
        }
        let admitted = viewers::admit(&self.core, token).await?;
        let mut recent = self.lock();
        if recent.len() >= REMEMBERED {
            recent.retain(|_, seen| good(seen));
        }
        if recent.len() < REMEMBERED {
            recent.insert(hash, Seen { admitted: admitted.clone(), at: now });
        }
        Ok(admitted)
    }

    /// Whoever a request is from: nobody if it brings no token, an error if it brings one that is not good.
    pub async fn of_headers(&self, headers: &HeaderMap, client: Client) -> Result<Option<Admitted>> {
        let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
        let token = value.to_str().ok().and_then(bearer);
        let token = token.ok_or_else(|| Error::Unauthenticated("Authorization must be: Bearer <token>".to_owned()))?;
        self.admit(token, client).await.map(Some)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Seen>> {
        self.recent.lock().expect("nothing panics while it holds this lock")
    }
}

/// The token in `Bearer <token>`.
pub fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim())
}
