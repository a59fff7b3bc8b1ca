//! Keys that an issuer publishes: fetched when they are needed, kept for a while, fetched again when an unknown one is
//! named, which is how issuers change their keys.

use std::{sync::Arc, time::Duration};

use jackfield_domain::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use tokio::sync::Mutex;

use super::refused;
use crate::{Error, Result, clock::Clock};

/// Keys older than this are fetched again before they are used.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Where the issuer is away, its keys are believed for so long.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// A token with an unknown key makes us ask the issuer, but not more often than this.
const PAUSE: Duration = Duration::from_secs(10);
const FETCH_LIMIT: Duration = Duration::from_secs(5);
const SIZE_LIMIT: usize = 256 * 1_024;

pub struct Jwks {
    url: String,
    http: reqwest::Client,
    /// Held while fetching: who comes meanwhile waits and finds what was fetched.
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    keys: Option<(Arc<JwkSet>, Timestamp)>,
    asked_at: Option<Timestamp>,
}

impl Jwks {
    pub fn new(url: String) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(FETCH_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::internal)?;
        Ok(Jwks { url, http, cached: Mutex::default() })
    }

    /// The key that a token names, or the only one there is.
    pub async fn key(&self, clock: &Clock, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey> {
        let mut cached = self.cached.lock().await;
        let now = clock.now();
        let age = cached.keys.as_ref().map(|(_, fetched_at)| now.since(*fetched_at));
        let found = cached.keys.as_ref().and_then(|(keys, _)| pick(keys, kid, algorithm));
        if let (Some(key), Some(age)) = (&found, age)
            && age < FRESH
        {
            return decoding(key);
        }
        let may_ask = cached.asked_at.is_none_or(|asked_at| now.since(asked_at) >= PAUSE);
        if may_ask {
            cached.asked_at = Some(now);
            match self.fetch().await {
                Ok(keys) => {
                    let found = pick(&keys, kid, algorithm);
                    cached.keys = Some((Arc::new(keys), now));
                    return decoding(&found.ok_or_else(|| refused("the token's key is not among its issuer's"))?);
                }
                Err(error) => tracing::warn!(%error, url = self.url, "the keys of an issuer cannot be fetched"),
            }
        }
        match (found, age) {
            (Some(key), Some(age)) if age < STALE => decoding(&key),
            (_, None) => Err(Error::unavailable("the keys of the token's issuer cannot be fetched")),
            _ => Err(refused("the token's key is not among its issuer's")),
        }
    }

    async fn fetch(&self) -> Result<JwkSet> {
        let mut response = self.http.get(&self.url).send().await.map_err(Error::unavailable)?;
        response = response.error_for_status().map_err(Error::unavailable)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Error::unavailable)? {
            if body.len() + chunk.len() > SIZE_LIMIT {
                return Err(Error::unavailable("the list of keys is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        // One by one: a key of a kind that we do not know must not hide the others.
        let list: serde_json::Value = serde_json::from_slice(&body).map_err(Error::unavailable)?;
        let keys = list["keys"].as_array().ok_or_else(|| Error::unavailable("the list of keys has no keys"))?;
        Ok(JwkSet { keys: keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect() })
    }
}

fn pick(keys: &JwkSet, kid: Option<&str>, algorithm: Algorithm) -> Option<Jwk> {
    let mut fitting = keys.keys.iter().filter(|key| {
        let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
        let named = key.common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
        signs && named && kid.is_none_or(|kid| key.common.key_id.as_deref() == Some(kid))
    });
    let first = fitting.next();
    // Without a name only a list of one says which key is meant.
    if kid.is_none() && fitting.next().is_some() { None } else { first.cloned() }
}

fn decoding(key: &Jwk) -> Result<DecodingKey> {
    DecodingKey::from_jwk(key).map_err(|_| refused("the key of the token's issuer cannot be used"))
}
