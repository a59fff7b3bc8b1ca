//! Bots: programs that take part, and the tokens they come in with.

use crate::{BotTokenId, Rejection, Timestamp, UserId, WorkspaceId, roles::words};

/// What the secret of a bot's token begins with, so that it is known for one where it should not be.
pub const PREFIX: &str = "jfb_";
/// So many tokens one bot may have.
pub const MOST_TOKENS: usize = 20;
/// So many bots a workspace may make.
pub const MOST_BOTS: usize = 500;

words! {
    /// What a token may be used for.
    Scope {
        /// Asking, and following what happens.
        Read = "read",
        /// Doing what the bot may do.
        Write = "write",
        /// Doing it with the power of an admin of the workspace.
        Admin = "admin",
    }
}

/// What somebody may do with what they came in with; whoever signed in themselves may do everything that is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    pub read: bool,
    pub write: bool,
    pub admin: bool,
}

impl Scopes {
    pub const OF_A_PERSON: Scopes = Scopes { read: true, write: true, admin: false };

    pub fn of(scopes: &[Scope]) -> Self {
        let has = |scope| scopes.contains(&scope);
        Scopes { read: has(Scope::Read), write: has(Scope::Write), admin: has(Scope::Admin) }
    }

    /// May something be asked or followed, or done?
    pub fn permit(self, changes_something: bool) -> Result<(), Rejection> {
        match (changes_something, self) {
            (false, Scopes { read: true, .. }) | (true, Scopes { write: true, .. }) => Ok(()),
            (false, _) => Err(Rejection::NotAllowed { who: "a token with the scope READ" }),
            (true, _) => Err(Rejection::NotAllowed { who: "a token with the scope WRITE" }),
        }
    }
}

/// The scopes that a new token is to have: at least one, each once.
pub fn checked(scopes: &[Scope]) -> Result<Vec<Scope>, Rejection> {
    if scopes.is_empty() {
        return Err(Rejection::Missing { field: "scopes" });
    }
    Ok(Scope::ALL.iter().copied().filter(|scope| scopes.contains(scope)).collect())
}

/// A token of a bot, without its secret, which is shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotToken {
    pub id: BotTokenId,
    pub workspace: WorkspaceId,
    pub bot: UserId,
    pub creator: UserId,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_does_what_its_scopes_say() {
        let may = |scopes: &[Scope], changes| Scopes::of(scopes).permit(changes).is_ok();
        assert_eq!((may(&[Scope::Read], false), may(&[Scope::Read], true)), (true, false));
        assert_eq!((may(&[Scope::Write], false), may(&[Scope::Write], true)), (false, true));
        assert_eq!((may(&[Scope::Admin], false), may(&[Scope::Admin], true)), (false, false));
        assert_eq!(checked(&[Scope::Write, Scope::Read, Scope::Write]), Ok(vec![Scope::Read, Scope::Write]));
        assert_eq!(checked(&[]), Err(Rejection::Missing { field: "scopes" }));
    }
}
