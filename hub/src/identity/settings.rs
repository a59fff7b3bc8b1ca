//! What is said of an issuer, in the configuration or by an operator, and whether it can be trusted with that.

use jackfield_domain::text;
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{Issuer, Jwks, Keys, OWN};

/// An issuer as somebody describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    pub issuer: String,
    pub audience: String,
    pub algorithms: Vec<Algorithm>,
    /// Slugs, or `*` for every workspace.
    pub workspaces: Vec<String>,
    /// For HS256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// For the others: PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
}

impl IssuerSettings {
    /// The issuer itself, or what is wrong with it, in one sentence.
    pub fn build(&self) -> Result<Issuer, String> {
        // Names that begin like the hub's own are those of people that the hub made itself.
        if self.issuer == OWN || self.issuer.starts_with("jackfield/") {
            return Err("this name is the hub's own".to_owned());
        }
        if !text::is_visible(&self.issuer) || !text::is_visible(&self.audience) {
            return Err("issuer and audience must not be empty".to_owned());
        }
        if self.algorithms.is_empty() || self.workspaces.is_empty() {
            return Err("algorithms and workspaces must not be empty".to_owned());
        }
        let shared = self.algorithms.iter().filter(|algorithm| **algorithm == Algorithm::HS256).count();
        let known = [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
        if self.algorithms.iter().any(|algorithm| !known.contains(algorithm)) {
            return Err("algorithms may be HS256, RS256, ES256 and EdDSA".to_owned());
        }
        let keys = match (&self.secret, &self.public_key, &self.jwks_url) {
            (Some(secret), None, None) if shared == self.algorithms.len() => {
                if secret.chars().count() < 32 {
                    return Err("secret must have at least 32 characters".to_owned());
                }
                Keys::One(Box::new(DecodingKey::from_secret(secret.as_bytes())))
            }
            // A public key taken for a secret would let everybody sign.
            (None, _, _) if shared > 0 => return Err("HS256 needs secret, and nothing else".to_owned()),
            (Some(_), ..) => return Err("secret goes with HS256 alone".to_owned()),
            (None, Some(pem), None) => {
                let [algorithm] = self.algorithms[..] else {
                    return Err("a public_key has one algorithm".to_owned());
                };
                let key = match algorithm {
                    Algorithm::RS256 => DecodingKey::from_rsa_pem(pem.as_bytes()),
                    Algorithm::ES256 => DecodingKey::from_ec_pem(pem.as_bytes()),
                    _ => DecodingKey::from_ed_pem(pem.as_bytes()),
                };
                Keys::One(Box::new(key.map_err(|error| format!("public_key: {error}"))?))
            }
            (None, None, Some(url)) => {
                let of_the_web =
                    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
                if !of_the_web {
                    return Err("jwks_url must be an address that begins with https:// or http://".to_owned());
                }
                Keys::Published(Jwks::new(url.clone()))
            }
            _ => return Err("give exactly one of secret, public_key and jwks_url".to_owned()),
        };
        Ok(Issuer {
            name: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            workspaces: (!self.workspaces.iter().any(|slug| slug == "*")).then(|| self.workspaces.clone()),
            keys,
        })
    }
}
