//! Who is behind a token: verifies what others signed, and signs what the hub itself vouches for.
//!
//! Each issuer speaks only for its audience, with its algorithms, about its workspaces. Here a token becomes a person;
//! that the person becomes a viewer is the business of `actions::viewers`.

mod jwks;
mod settings;

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
    time::Duration,
};

use jackfield_domain::{SessionId, Timestamp, WorkspaceRole, text, users::Person};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, clock::Clock};

pub use jsonwebtoken::Algorithm as SigningAlgorithm;
pub use jwks::Jwks;
pub use settings::IssuerSettings;

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
    pub whom: Whom,
    pub expires_at: Timestamp,
}

/// Whom a token speaks of.
#[derive(Debug, Clone)]
pub enum Whom {
    /// Somebody as their issuer describes them.
    Person(Person),
    /// Whoever a session of the hub's own belongs to.
    Session(SessionId),
}

pub struct Identity {
    clock: Clock,
    own_key: Vec<u8>,
    configured: HashMap<String, Arc<Issuer>>,
    /// Those that operators manage, with what was said of them.
    managed: RwLock<HashMap<String, (IssuerSettings, Arc<Issuer>)>>,
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
    /// Looked at in our own tokens only.
    #[serde(default)]
    sid: Option<SessionId>,
}

/// The claims of a token of our own that stands for a session: who that is, the store says.
#[derive(Serialize)]
struct SessionClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    sid: SessionId,
    iat: i64,
    exp: i64,
    workspace: &'a str,
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
        let configured = issuers.into_iter().map(|issuer| (issuer.name.clone(), Arc::new(issuer))).collect();
        Identity { clock, own_key, configured, managed: RwLock::default() }
    }

    /// Is this issuer named in the configuration, which stands before what operators say?
    pub fn is_configured(&self, issuer: &str) -> bool {
        self.configured.contains_key(issuer)
    }

    /// Trusts these, and no others, beside those in the configuration; answers whom it trusted and trusts no more, or
    /// not as before. An issuer that did not change keeps the keys that were fetched.
    pub fn trust(&self, settings: Vec<IssuerSettings>) -> Vec<String> {
        let mut managed = self.managed.write().expect("nothing panics while it holds this lock");
        let mut before = std::mem::take(&mut *managed);
        for settings in settings {
            let same = before.get(&settings.issuer).is_some_and(|(known, _)| *known == settings);
            if same && let Some(known) = before.remove(&settings.issuer) {
                managed.insert(settings.issuer.clone(), known);
                continue;
            }
            match settings.build() {
                Ok(issuer) => drop(managed.insert(settings.issuer.clone(), (settings, Arc::new(issuer)))),
                // It was looked at before it was kept; an older program may have thought otherwise.
                Err(error) => tracing::warn!(issuer = settings.issuer, error, "an issuer cannot be trusted"),
            }
        }
        before.into_keys().collect()
    }

    fn issuer(&self, name: &str) -> Option<Arc<Issuer>> {
        if let Some(issuer) = self.configured.get(name) {
            return Some(issuer.clone());
        }
        let managed = self.managed.read().expect("nothing panics while it holds this lock");
        managed.get(name).map(|(_, issuer)| issuer.clone())
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
            let issuer = self.issuer(&iss).ok_or_else(|| refused("the token's issuer is not trusted here"))?;
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
        self.vouched(claims, issuer.as_deref(), leeway)
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
        if let (None, Some(session)) = (issuer, claims.sid) {
            return Ok(Vouched { workspace, whom: Whom::Session(session), expires_at: moment(claims.exp) });
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
            whom: Whom::Person(Person {
                issuer: claims.iss,
                subject: claims.sub,
                name,
                role,
                // Nobody but the hub itself makes an operator.
                is_operator: issuer.is_none() && claims.operator,
                // A clock that is ahead must not make the tokens of the next minutes void.
                vouched_at: claims.iat.map_or(Timestamp::default(), moment).min(self.clock.now()),
            }),
            // As late as it would still be let in.
            expires_at: moment(claims.exp) + leeway,
        })
    }

    /// A token that stands for a session, and when it is good no more.
    pub fn sign_session(
        &self,
        workspace: &str,
        subject: &str,
        session: SessionId,
        ttl: Duration,
    ) -> Result<(String, Timestamp)> {
        let now = self.clock.now();
        let exp = (now + ttl).0.div_euclid(1_000);
        let iat = now.0.div_euclid(1_000);
        let claims = SessionClaims { iss: OWN, aud: OWN, sub: subject, sid: session, iat, exp, workspace };
        Ok((encoded(&self.own_key, &claims)?, Timestamp(exp * 1_000)))
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
    encoded(key, &claims)
}

fn encoded(key: &[u8], claims: &impl Serialize) -> Result<String> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(key))
        .map_err(Error::internal)
}

/// May this stand in a token as a name of somebody or something?
pub fn is_name(name: &str) -> bool {
    text::line("name", name, NAME_CHARACTERS).is_ok()
}

fn moment(seconds: f64) -> Timestamp {
    // A float's cast saturates, so that a claim of 1e300 is merely the end of time.
    Timestamp((seconds * 1_000.0) as i64)
}

fn refused(why: &str) -> Error {
    Error::Unauthenticated(why.to_owned())
}
