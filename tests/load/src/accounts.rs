//! Users, thousands of them: an issuer of our own vouches for them, which costs no process per token.

use std::{net::SocketAddr, sync::Arc};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::json;
use sha2::Sha256;

use crate::{Result, hub::Hub, wire::http::HttpConnection};

const ISSUER: &str = "jackfield-load";
/// Known to everybody, and good for a hub that lives a minute on loopback.
const SECRET: &str = "a secret that is good for loopback and nothing else";
/// How many users introduce themselves at once.
const AT_ONCE: usize = 16;

#[derive(Debug)]
pub struct Account {
    /// The node that serves this user.
    pub address: SocketAddr,
    pub token: String,
    pub user_id: String,
}

/// The value of the hub's configuration by which it believes our tokens.
pub fn issuers() -> String {
    format!(
        "[{{ issuer = '{ISSUER}', audience = '{ISSUER}', algorithms = ['HS256'], workspaces = ['*'], \
         secret = '{SECRET}' }}]"
    )
}

/// Makes the users of a workspace known to the hub.
pub async fn provision(hub: &Hub, workspace: &str, word: &str, count: usize) -> Result<Vec<Arc<Account>>> {
    let mut accounts = Vec::with_capacity(count);
    let numbers: Vec<usize> = (0..count).collect();
    for numbers in numbers.chunks(AT_ONCE) {
        let introduced: Vec<_> = numbers
            .iter()
            .map(|number| {
                let address = hub.address(*number);
                let token = token(workspace, &format!("{word}-{number}"));
                tokio::spawn(introduce(address, token))
            })
            .collect();
        for account in introduced {
            accounts.push(Arc::new(account.await??));
        }
    }
    Ok(accounts)
}

async fn introduce(address: SocketAddr, token: String) -> Result<Account> {
    let mut connection = HttpConnection::open(address, Some(&token)).await?;
    let answer = connection.ask("{ viewer { user { id } } }", json!({})).await?;
    let user_id = answer["data"]["viewer"]["user"]["id"].as_str().ok_or("a token was not believed")?.to_owned();
    Ok(Account { address, token, user_id })
}

fn token(workspace: &str, subject: &str) -> String {
    let encode = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(json!({ "alg": "HS256", "typ": "JWT" }));
    let claims = encode(json!({
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": subject,
        "name": subject,
        "workspace": workspace,
        // The year 2096: longer than any run.
        "exp": 4_000_000_000_u64,
    }));
    let signed = format!("{header}.{claims}");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key may have any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}
