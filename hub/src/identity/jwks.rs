//! Keys that an issuer publishes: fetched when they are needed, kept for a while, fetched again when an unknown one is
//! named, which is how issuers change their keys.
//!
//! Whoever names a key that is known never waits for a fetch that somebody else asked for: an issuer that is slow, and a
//! forger who names keys that are not there, hold up nobody else.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock},
    time::Duration,
};

use jackfield_domain::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};

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

#[derive(Clone)]
pub struct Jwks(Arc<Published>);

struct Published {
    url: String,
    /// Made when it is first needed: reading a configuration opens nothing.
    http: OnceLock<reqwest::Client>,
    /// Held for as long as it takes to look, and never while anything is awaited.
    cached: Mutex<Cached>,
    /// Held while fetching: who needs what is being fetched waits for it.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Cached {
    keys: Option<(Arc<JwkSet>, Timestamp)>,
    asked_at: Option<Timestamp>,
}

/// What is known of a key.
struct Found {
    key: Option<Jwk>,
    /// Of the list; none if there never was one.
    age: Option<Duration>,
}

impl Jwks {
    pub fn new(url: String) -> Self {
        let (http, cached, fetching) = (OnceLock::new(), Mutex::default(), tokio::sync::Mutex::default());
        Jwks(Arc::new(Published { url, http, cached, fetching }))
    }

    /// The key that a token names, or the only one there is.
    pub async fn key(&self, clock: &Clock, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey> {
        let found = self.0.find(clock, kid, algorithm);
        match found {
            Found { key: Some(key), age: Some(age) } if age < FRESH => return decoding(&key),
            // Old, but known: only the first one to come waits for what the issuer says now.
            Found { key: Some(_), age: Some(age) } if age < STALE => {
                if let Ok(_turn) = self.0.fetching.try_lock() {
                    self.refresh(clock).await;
                }
            }
            _ => {
                let _turn = self.0.fetching.lock().await;
                // Whoever had the turn before may have fetched what we need.
                let found = self.0.find(clock, kid, algorithm);
                if found.key.is_none() || found.age.is_none_or(|age| age >= FRESH) {
                    self.refresh(clock).await;
                }
            }
        }
        match self.0.find(clock, kid, algorithm) {
            Found { key: Some(key), age: Some(age) } if age < STALE => decoding(&key),
            Found { age: None, .. } => Err(Error::unavailable("the keys of the token's issuer cannot be fetched")),
            Found { .. } => Err(refused("the token's key is not among its issuer's")),
        }
    }

    /// How many keys there are at the address; for who wants to know whether it is of any use.
    pub async fn count(&self) -> Result<usize> {
        Ok(self.0.fetch().await?.keys.len())
    }

    /// Asks the issuer, unless that was done a moment ago.
    async fn refresh(&self, clock: &Clock) {
        let now = clock.now();
        {
            let mut cached = self.0.cached();
            if cached.asked_at.is_some_and(|asked_at| now.since(asked_at) < PAUSE) {
                return;
            }
            cached.asked_at = Some(now);
        }
        let this = self.clone();
        // On its own: that whoever asked has gone away is no reason to forget the answer.
        let fetch = tokio::spawn(async move {
            match this.0.fetch().await {
                Ok(keys) => this.0.cached().keys = Some((Arc::new(keys), now)),
                Err(error) => tracing::warn!(%error, "the keys of an issuer cannot be fetched"),
            }
        });
        let _ = fetch.await;
    }
}

impl Published {
    fn cached(&self) -> MutexGuard<'_, Cached> {
        self.cached.lock().expect("nothing panics while it holds this lock")
    }

    fn find(&self, clock: &Clock, kid: Option<&str>, algorithm: Algorithm) -> Found {
        let keys = self.cached().keys.clone();
        let Some((keys, fetched_at)) = keys else { return Found { key: None, age: None } };
        Found { key: pick(&keys, kid, algorithm), age: Some(clock.now().since(fetched_at)) }
    }

    fn http(&self) -> Result<&reqwest::Client> {
        if self.http.get().is_none() {
            let client = reqwest::Client::builder()
                .timeout(FETCH_LIMIT)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .map_err(Error::internal)?;
            let _ = self.http.set(client);
        }
        Ok(self.http.get().expect("it was there, or was put there just now"))
    }

    async fn fetch(&self) -> Result<JwkSet> {
        // The address may hold a secret, and is no part of what is said about it.
        let fault = |error: reqwest::Error| Error::unavailable(in_words(&error.without_url()));
        let mut response = self.http()?.get(&self.url).send().await.map_err(fault)?;
        if !response.status().is_success() {
            return Err(Error::unavailable(format!("the answer was {}", response.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
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

/// An error with all its causes: the first alone says only that something failed.
fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
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
