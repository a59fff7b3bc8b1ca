//! Codes and tokens that nobody can guess, and what is kept of them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::setup::random_bytes;
use crate::Result;

/// What is kept of a secret of 32 random bytes: there is nothing to guess, so that one round is enough.
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A new secret that begins like this.
pub fn new(prefix: &str) -> Result<String> {
    Ok(format!("{prefix}{}", BASE64_URL_SAFE_NO_PAD.encode(random_bytes()?)))
}
