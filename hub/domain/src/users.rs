//! Users: a person or program as one workspace knows it.

use std::time::Duration;

use crate::{Timestamp, UserId, WorkspaceId, WorkspaceRole};

/// How long before the last token that was heard a token may have been made, and still be heard. Somebody may well use
/// several at once; noting each of them would cost a write a token.
const HEARD_TOGETHER: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub workspace: WorkspaceId,
    pub name: String,
    pub role: WorkspaceRole,
    /// Stands above all workspaces of the hub.
    pub is_operator: bool,
    /// When the newest token was made that said who this is, give or take a minute.
    pub vouched_at: Timestamp,
    pub created_at: Timestamp,
}

/// Somebody as an issuer of tokens vouches for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    /// None says nothing about it: whoever is known keeps their role, whoever is new is a member.
    pub role: Option<WorkspaceRole>,
    /// Counts only together with a role.
    pub is_operator: bool,
    /// When this was said.
    pub vouched_at: Timestamp,
}

impl User {
    /// The same user after somebody vouched for them. What a newer token says stands: an older one, which may well be
    /// good for hours to come, brings nothing back.
    #[must_use]
    pub fn vouched_for(&self, person: &Person) -> Self {
        let mut user = self.clone();
        // Tokens count in seconds.
        let second = |moment: Timestamp| moment.0.div_euclid(1_000);
        if second(person.vouched_at) < second(self.vouched_at) {
            return user;
        }
        user.name.clone_from(&person.name);
        if let Some(role) = person.role {
            user.role = role;
            user.is_operator = person.is_operator;
        }
        if user != *self || person.vouched_at.since(self.vouched_at) >= HEARD_TOGETHER {
            user.vouched_at = person.vouched_at;
        }
        user
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_a_newer_token_says_stands() {
        let minute = |minute: i64| Timestamp(minute * 60_000);
        let ann = User {
            id: UserId(Uuid::from_u128(1)),
            workspace: WorkspaceId(Uuid::from_u128(2)),
            name: "Ann".into(),
            role: WorkspaceRole::Owner,
            is_operator: true,
            vouched_at: minute(5),
            created_at: minute(0),
        };
        let token = |at: Timestamp, role| Person {
            issuer: "x".into(),
            subject: "ann".into(),
            name: "Ann".into(),
            role,
            is_operator: false,
            vouched_at: at,
        };
        let seen = |user: &User| (user.role, user.is_operator, user.vouched_at);
        let (owner, member) = (WorkspaceRole::Owner, WorkspaceRole::Member);

        let demoted = ann.vouched_for(&token(minute(6), Some(member)));
        assert_eq!(seen(&demoted), (member, false, minute(6)));
        assert_eq!(demoted.vouched_for(&token(minute(5), Some(owner))), demoted, "an older token brings nothing back");
        let promoted = demoted.vouched_for(&token(minute(6), Some(owner)));
        assert_eq!(seen(&promoted), (owner, false, minute(6)), "within the same moment the last one counts");

        assert_eq!(ann.vouched_for(&token(minute(6), None)).role, owner, "nothing was said about the role");
        assert!(ann.vouched_for(&token(minute(6), None)).is_operator);
        let confirmed = ann.vouched_for(&Person { is_operator: true, ..token(minute(7), Some(owner)) });
        assert_eq!(seen(&confirmed), (owner, true, minute(7)), "also who only confirms makes older ones void");
        let at_once = Timestamp(minute(5).0 + 59_999);
        assert_eq!(ann.vouched_for(&Person { is_operator: true, ..token(at_once, Some(owner)) }), ann);
    }
}
