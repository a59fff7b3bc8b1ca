//! Accounts: who signs in here with a login and a password, and how often somebody may try.

use std::time::Duration;

use crate::{Policy, Rejection, Timestamp, text, users::NAME_MAX, workspaces::SignUp};

/// A login has at most so many characters.
pub const LOGIN_MAX: usize = 64;
/// A password has at most so many bytes: more would only be work.
pub const PASSWORD_MAX_BYTES: usize = 512;
/// Failures are counted within this time.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// So many failures within that time may come from one address, whatever accounts they are for.
pub const ADDRESS_ATTEMPTS: usize = 100;

/// A login as it is kept: logins that differ in nothing but capitals are the same.
pub fn login(text: &str) -> Result<String, Rejection> {
    let login = text::line("login", text, LOGIN_MAX)?.to_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
    if !login.chars().all(plain) || !login.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let expected = "letters without marks, digits and . _ - + @, beginning with a letter or digit";
        return Err(Rejection::Invalid { field: "login", expected });
    }
    Ok(login)
}

/// A password that may be set. Nothing is asked of it but length: that is what makes it hard to guess.
pub fn new_password(field: &'static str, password: &str, policy: &Policy) -> Result<(), Rejection> {
    let (length, min) = (password.chars().count(), policy.password_min_characters as usize);
    if length < min {
        return Err(Rejection::TooShort { field, length, min });
    }
    if password.len() > PASSWORD_MAX_BYTES {
        return Err(Rejection::TooLong { field, length: password.len(), max: PASSWORD_MAX_BYTES });
    }
    Ok(())
}

/// Whoever wants an account, after the rules have looked at it.
#[derive(Debug, Clone)]
pub struct CheckedSignUp {
    pub login: String,
    pub name: String,
}

impl CheckedSignUp {
    pub fn check(login: &str, name: &str) -> Result<Self, Rejection> {
        Ok(CheckedSignUp { login: self::login(login)?, name: text::line("name", name, NAME_MAX)? })
    }
}

/// May somebody make an account, with or without an invitation? A workspace that is closed is not there for strangers.
pub fn may_sign_up(sign_up: SignUp, with_invitation: bool) -> Result<(), Rejection> {
    match sign_up {
        SignUp::Open => Ok(()),
        SignUp::Invited if with_invitation => Ok(()),
        SignUp::Invited => Err(Rejection::Missing { field: "invitation_code" }),
        SignUp::Closed => Err(Rejection::NotFound { what: "workspace that takes people", field: "workspace" }),
    }
}

/// One more try, and when the earlier ones failed; answers what to remember if this one fails as well.
pub fn attempt(failures: &[Timestamp], now: Timestamp, limit: usize) -> Result<Vec<Timestamp>, Rejection> {
    let mut recent: Vec<Timestamp> = failures.iter().copied().filter(|at| now.since(*at) < WINDOW).collect();
    recent.sort_unstable();
    if recent.len() >= limit {
        // As many as the limit must have left the window.
        return Err(Rejection::TooManyAttempts { retry_at: recent[recent.len() - limit] + WINDOW });
    }
    recent.push(now);
    Ok(recent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins() {
        assert_eq!(login(" Ann.B+x@Example.org "), Ok("ann.b+x@example.org".to_owned()));
        for bad in ["", ".ann", "ann b", "änn", "bot:1", &"a".repeat(65)] {
            assert!(login(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords() {
        let policy = Policy { password_min_characters: 8, ..Policy::default() };
        let check = |password: &str| new_password("password", password, &policy).map_err(|refused| refused.code());
        assert_eq!(check("éééééééé"), Ok(()));
        assert_eq!(check("short"), Err(crate::ErrorCode::TooShort));
        assert_eq!(check(&"x".repeat(513)), Err(crate::ErrorCode::TooLong));
    }

    #[test]
    fn whom_a_workspace_takes() {
        let may = |sign_up, invited| may_sign_up(sign_up, invited).map_err(|refused| refused.code().as_str());
        assert_eq!(may(SignUp::Open, false), Ok(()));
        assert_eq!(may(SignUp::Invited, true), Ok(()));
        assert_eq!(may(SignUp::Invited, false), Err("MISSING"));
        assert_eq!(may(SignUp::Closed, true), Err("NOT_FOUND"));
    }

    #[test]
    fn failures_are_counted_within_any_fifteen_minutes() {
        let minute = |minutes: i64| Timestamp(minutes * 60_000);
        let mut failures = Vec::new();
        for at in [0, 1, 14] {
            failures = attempt(&failures, minute(at), 3).expect("three are allowed");
        }
        assert_eq!(attempt(&failures, minute(14), 3), Err(Rejection::TooManyAttempts { retry_at: minute(15) }));
        failures = attempt(&failures, minute(15), 3).expect("the first is forgotten");
        assert_eq!(failures, [minute(1), minute(14), minute(15)]);
        assert_eq!(attempt(&failures, minute(15), 3), Err(Rejection::TooManyAttempts { retry_at: minute(16) }));
        assert_eq!(attempt(&failures, minute(15), 1), Err(Rejection::TooManyAttempts { retry_at: minute(30) }));
    }
}
