//! Invitations: links that let people into a workspace, or into a conversation of it.

use std::time::Duration;

use crate::{ConversationId, InvitationId, Policy, Rejection, Timestamp, UserId, WorkspaceId, WorkspaceRole};

/// So many people may come in by one invitation.
pub const MOST_USES: u64 = 1_000;
/// So many invitations there may be at once to one place.
pub const MOST_OPEN: usize = 200;

/// A link that lets people in, until it is used up, too old or taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    pub id: InvitationId,
    pub workspace: WorkspaceId,
    /// None for the workspace itself.
    pub conversation: Option<ConversationId>,
    pub creator: UserId,
    /// What whoever comes in by it becomes in the workspace; says nothing where it leads to a conversation.
    pub role: WorkspaceRole,
    pub uses_left: u64,
    pub expires_at: Timestamp,
    pub created_at: Timestamp,
}

/// How often an invitation may be used, and until when: what is asked for, within what the policy grants.
pub fn bounds(
    uses: Option<u64>,
    expires_at: Option<Timestamp>,
    now: Timestamp,
    policy: &Policy,
) -> Result<(u64, Timestamp), Rejection> {
    let uses = uses.unwrap_or(1);
    if !(1..=MOST_USES).contains(&uses) {
        return Err(Rejection::OutOfBounds { field: "uses", value: uses, low: 1, high: MOST_USES });
    }
    let last = now + Duration::from_secs(policy.invitation_days * 24 * 60 * 60);
    let expires_at = expires_at.unwrap_or(last);
    if expires_at <= now || expires_at > last {
        let expected = "in the future, and no later than the workspace's invitationDays allow";
        return Err(Rejection::Invalid { field: "expires_at", expected });
    }
    Ok((uses, expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_bounded_by_the_policy() {
        let policy = Policy { invitation_days: 1, ..Policy::default() };
        let (now, day) = (Timestamp(1_000), 24 * 60 * 60 * 1_000);
        let check = |uses, expires_at: Option<i64>| {
            bounds(uses, expires_at.map(Timestamp), now, &policy).map_err(|refused| refused.field())
        };
        assert_eq!(check(None, None), Ok((1, Timestamp(1_000 + day))));
        assert_eq!(check(Some(1_000), Some(2_000)), Ok((1_000, Timestamp(2_000))));
        assert_eq!(check(Some(0), None), Err(Some("uses")));
        assert_eq!(check(Some(1_001), None), Err(Some("uses")));
        assert_eq!(check(None, Some(1_000)), Err(Some("expires_at")));
        assert_eq!(check(None, Some(1_001 + day)), Err(Some("expires_at")));
    }
}
