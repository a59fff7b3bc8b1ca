//! Who is behind a token: verifies what others signed, and signs what the hub itself vouches for.
//!
//! Each issuer speaks only for its audience, with its algorithms, about its workspaces. Here a token becomes a person;
//! that the person becomes a viewer is the business of `actions::viewers`.

mod jwks;

use std::{collections::HashMap, time::Duration};

use jackfield_domain::{Timestamp, WorkspaceRole, text, users::Person};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, clock::Clock};

pub use jwks::Jwks;

/// The issuer, and the audience, of the tokens that the hub signs itself.
pub const OWN: &str = "jackfield";
/// A token longer than this is not looked at.
const TOKEN_BYTES: usize = 8 * 1_024;
/// A subject or a name has at most so many characters.
const NAME_CHARACTERS: usize = 255;
/// How far the clocks of other issuers may be off.
const LEEWAY: Duration = Duration::from_secs(30);

/// Somebody who may vouch for people.
pub struct Issuer {
    pub name: String,
    pub audience: String,
    pub algorithms: Vec<Algorithm>,
    /// The slugs of the workspaces it may speak for; none means all.
    pub workspaces: Option<Vec<String>>,
    pub keys: Keys,
}

/// Where the keys of an issuer are.
pub enum Keys {
    One(Box<DecodingKey>),
    Published(Jwks),
}

/// What a token says, and that it says so truly.
#[derive(Debug, Clone)]
pub struct Vouched {
    pub workspace: String,
    pub person: Person,
    pub expires_at: Timestamp,
}

pub struct Identity {
    clock: Clock,
    own_key: Vec<u8>,
    issuers: HashMap<String, Issuer>,
}

/// The claims that are looked at; a token may hold any others.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
    workspace: Option<String>,
    name: Option<String>,
    roles: Option<Vec<String>>,
    #[serde(default)]
    operator: bool,
}

/// The claims of a token of our own.
#[derive(Serialize)]
struct OwnClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: i64,
    exp: i64,
    workspace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<[&'a str; 1]>,
    operator: bool,
}

#[derive(Deserialize)]
struct IssuerOnly {
    iss: String,
}

impl Identity {
    pub fn new(clock: Clock, own_key: Vec<u8>, issuers: Vec<Issuer>) -> Self {
        let issuers = issuers.into_iter().map(|issuer| (issuer.name.clone(), issuer)).collect();
        Identity { clock, own_key, issuers }
    }

    /// Whom a token speaks of, if it is to be believed.
    pub async fn verify(&self, token: &str) -> Result<Vouched> {
        if token.len() > TOKEN_BYTES {
            return Err(refused("the token is too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("this is no JSON web token"))?;
        // Read before it is verified, only to know whose key to verify it with.
        let IssuerOnly { iss } =
            jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| refused("the token names no issuer"))?;
        let (claims, issuer, leeway) = if iss == OWN {
            let key = DecodingKey::from_secret(&self.own_key);
            (self.checked(token, &key, Algorithm::HS256, OWN, OWN, Duration::ZERO)?, None, Duration::ZERO)
        } else {
            let issuer = self.issuers.get(&iss).ok_or_else(|| refused("the token's issuer is not trusted here"))?;
            if !issuer.algorithms.contains(&header.alg) {
                return Err(refused("the token is signed in a way that its issuer is not trusted with"));
            }
            let claims = match &issuer.keys {
                Keys::One(key) => self.checked(token, key, header.alg, &iss, &issuer.audience, LEEWAY)?,
                Keys::Published(jwks) => {
                    let key = jwks.key(&self.clock, header.kid.as_deref(), header.alg).await?;
                    self.checked(token, &key, header.alg, &iss, &issuer.audience, LEEWAY)?
                }
            };
            (claims, Some(issuer), LEEWAY)
        };
        self.vouched(claims, issuer, leeway)
    }

    fn checked(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
        issuer: &str,
        audience: &str,
        leeway: Duration,
    ) -> Result<Claims> {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        // The crate would ask the machine's clock; ours is asked below.
        validation.validate_exp = false;
        let TokenData { claims, .. } = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|error| {
            tracing::debug!(%error, issuer, "a token was refused");
            refused("the token is not valid: check its signature, issuer and audience")
        })?;
        let now = self.clock.now();
        if moment(claims.exp) + leeway <= now {
            return Err(refused("the token has expired"));
        }
        if claims.nbf.is_some_and(|nbf| moment(nbf) > now + leeway) {
            return Err(refused("the token is not valid yet"));
        }
        Ok(claims)
    }

    fn vouched(&self, claims: Claims, issuer: Option<&Issuer>, leeway: Duration) -> Result<Vouched> {
        let allowed = issuer.and_then(|issuer| issuer.workspaces.as_deref());
        let workspace = match (claims.workspace, allowed) {
            (Some(workspace), None) => workspace,
            (Some(workspace), Some(allowed)) if allowed.contains(&workspace) => workspace,
            (None, Some([only])) => only.clone(),
            (Some(_), Some(_)) => return Err(refused("the token's issuer may not speak for that workspace")),
            (None, _) => return Err(refused("the token names no workspace")),
        };
        // No database need be asked for what it could not even be asked for.
        if !is_name(&workspace) {
            return Err(refused("the token is for a workspace that is not here"));
        }
        if !is_name(&claims.sub) {
            return Err(refused("the token's subject must be from 1 to 255 characters"));
        }
        let name = claims.name.filter(|name| is_name(name)).unwrap_or_else(|| claims.sub.clone());
        // The list of roles begins with the highest.
        let highest = |roles: &[String]| {
            let granted = |role: &WorkspaceRole| roles.iter().any(|word| word.eq_ignore_ascii_case(role.as_str()));
            WorkspaceRole::ALL.iter().copied().find(granted).unwrap_or(WorkspaceRole::Member)
        };
        let role = match (claims.roles, issuer) {
            (Some(roles), _) => Some(highest(&roles)),
            // Many issuers leave an empty list out: somebody who lost the last role must not keep it here.
            (None, Some(_)) => Some(WorkspaceRole::Member),
            (None, None) => None,
        };
        Ok(Vouched {
            workspace,
            person: Person {
                issuer: claims.iss,
                subject: claims.sub,
                name,
                role,
                // Nobody but the hub itself makes an operator.
                is_operator: issuer.is_none() && claims.operator,
                // A clock that is ahead must not make the tokens of the next minutes void.
                vouched_at: claims.iat.map_or(Timestamp::default(), moment).min(self.clock.now()),
            },
            // As late as it would still be let in.
            expires_at: moment(claims.exp) + leeway,
        })
    }

    /// A token by which the hub itself vouches for a person.
    pub fn sign(&self, workspace: &str, person: &Person, ttl: Duration) -> Result<String> {
        sign(&self.own_key, self.clock.now(), workspace, person, ttl)
    }
}

/// A token of the hub's own, for who has its key.
pub fn sign(key: &[u8], now: Timestamp, workspace: &str, person: &Person, ttl: Duration) -> Result<String> {
    let claims = OwnClaims {
        iss: OWN,
        aud: OWN,
        sub: &person.subject,
        iat: now.0.div_euclid(1_000),
        exp: (now + ttl).0.div_euclid(1_000),
        workspace,
        name: &person.name,
        roles: person.role.map(|role| [role.as_str()]),
        operator: person.role.is_some() && person.is_operator,
    };
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key))
        .map_err(Error::internal)
}

/// May this stand in a token as a name of somebody or something?
pub fn is_name(name: &str) -> bool {
    text::is_visible(name) && text::within("name", name, NAME_CHARACTERS).is_ok() && !name.chars().any(char::is_control)
}

fn moment(seconds: f64) -> Timestamp {
    // A float's cast saturates, so that a claim of 1e300 is merely the end of time.
    Timestamp((seconds * 1_000.0) as i64)
}

fn refused(why: &str) -> Error {
    Error::Unauthenticated(why.to_owned())
}
