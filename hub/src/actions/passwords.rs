//! Passwords: hashed with work that is meant to be hard, and so with a bound on how much of it is done at once.
//!
//! Whoever wants a password looked at waits for a turn, among a bounded number of others and not for long. So a flood of
//! sign-ins is turned away, and the messages of those who are in go on.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use jackfield_domain::{
    Timestamp,
    accounts::{ADDRESS_ATTEMPTS, PASSWORD_MAX_BYTES, WINDOW, attempt},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::setup::random_bytes;
use crate::{Error, Result};

/// So many passwords are hashed at once. Each takes 19 MiB, and a core to itself for some 20 ms.
const AT_ONCE: usize = 2;
/// So many callers may wait for their turn; the next ones are turned away.
const WAITING: usize = 64;
/// Nobody waits longer for their turn.
const WAIT_LIMIT: Duration = Duration::from_secs(5);
/// So many addresses are remembered for their failures.
const ADDRESSES: usize = 10_000;

/// What is compared with where there is no account, so that the time it takes says nothing. It stands here, since to hash
/// it would take 19 MiB of every hub that starts, which the allocator keeps.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$gwBQpUwlYrNRAhABcJSQ1l2FeD3BV8iVUT0ObhMjLuc";

pub struct Passwords {
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    failures: Mutex<HashMap<IpAddr, Vec<Timestamp>>>,
}

impl Default for Passwords {
    fn default() -> Self {
        Passwords { slots: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0), failures: Mutex::default() }
    }
}

/// Leave to look at passwords, one after the other.
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Passwords {
    /// Waits for a turn; those who would wait too long are told so at once.
    pub async fn turn(&self) -> Result<Turn> {
        struct Waits<'a>(&'a AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        if before >= WAITING {
            return Err(Error::unavailable("too many people sign in at once"));
        }
        match tokio::time::timeout(WAIT_LIMIT, self.slots.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn { _permit: permit }),
            _ => Err(Error::unavailable("too many people sign in at once")),
        }
    }

    /// One more try from this address, unless too many have failed from there.
    pub fn knock(&self, address: Option<IpAddr>, now: Timestamp) -> Result<()> {
        let Some(network) = address.map(network) else { return Ok(()) };
        let mut failures = self.lock();
        if failures.len() >= ADDRESSES && !failures.contains_key(&network) {
            failures.retain(|_, failed| failed.iter().any(|at| now.since(*at) < WINDOW));
            if failures.len() >= ADDRESSES {
                failures.clear();
            }
        }
        let failed = failures.entry(network).or_default();
        *failed = attempt(failed, now, ADDRESS_ATTEMPTS)?;
        Ok(())
    }

    /// The last try from this address was none to hold against it.
    pub fn forgive(&self, address: Option<IpAddr>) {
        let Some(network) = address.map(network) else { return };
        if let Some(failed) = self.lock().get_mut(&network) {
            failed.pop();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<IpAddr, Vec<Timestamp>>> {
        self.failures.lock().expect("nothing panics while it holds this lock")
    }
}

impl Turn {
    /// What is kept of a password.
    pub async fn hash(self, password: String) -> Result<(Turn, String)> {
        let random = random_bytes()?;
        let salt = random[..16].try_into().expect("sixteen bytes");
        let (turn, hash) = self.work(move || hashed(&password, salt)).await?;
        Ok((turn, hash?))
    }

    /// Is this the password of which that is kept? Takes as long where nothing is.
    pub async fn verify(self, password: String, kept: Option<String>) -> Result<(Turn, bool)> {
        self.work(move || {
            // Longer ones are nobody's, and are not worth the work of hashing them.
            let short = password.len() <= PASSWORD_MAX_BYTES;
            let password = if short { password.as_bytes() } else { &[] };
            let against = kept.as_deref().unwrap_or(NOBODYS);
            let matches =
                PasswordHash::new(against).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok());
            matches && short && kept.is_some()
        })
        .await
    }

    /// The turn goes with the work: who stops waiting for it does not make room for more before it is done.
    async fn work<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<(Turn, T)> {
        tokio::task::spawn_blocking(move || {
            let done = work();
            (self, done)
        })
        .await
        .map_err(Error::internal)
    }
}

/// Argon2id, with the numbers that the crate takes from OWASP's advice: 19 MiB, two passes, one lane.
fn hashed(password: &str, salt: [u8; 16]) -> Result<String> {
    let salt = SaltString::encode_b64(&salt).map_err(|error| Error::internal(error.to_string()))?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| Error::internal(error.to_string()))?.to_string())
}

/// Who has one address of IPv6 has 2⁶⁴ of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_wait_for_a_turn_and_the_next_is_turned_away() {
        let passwords = Arc::new(Passwords::default());
        let turns = [passwords.turn().await.unwrap(), passwords.turn().await.unwrap()];
        let wait = |_| {
            let passwords = passwords.clone();
            tokio::spawn(async move { passwords.turn().await.map(drop) })
        };
        let waiting: Vec<_> = (0..WAITING).map(wait).collect();
        while passwords.waiting.load(Ordering::Relaxed) < WAITING {
            tokio::task::yield_now().await;
        }
        assert!(matches!(passwords.turn().await, Err(Error::Unavailable(_))));
        drop(turns);
        for waited in waiting {
            assert!(waited.await.unwrap().is_ok(), "and those who waited have theirs");
        }
        assert!(passwords.turn().await.is_ok());
    }

    #[test]
    fn what_is_kept_of_a_password_says_how_hard_it_is() {
        let kept = hashed("correct horse battery", [1; 16]).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
    }

    #[test]
    fn who_has_no_account_costs_the_work_of_who_has_one() {
        assert_eq!(hashed("", [7; 16]).expect("it can be hashed"), NOBODYS);
    }
}
