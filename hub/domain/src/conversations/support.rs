//! Rules for conversations between somebody who needs help and those who give it.

use super::Conversation;
use crate::{
    Rejection, UserId, WorkspaceRole,
    permissions::{Act, Right, may},
    roles::words,
};

words! {
    /// Which of the support conversations of a workspace.
    SupportFilter {
        /// Those that go on.
        Open = "open",
        /// Those that go on and that nobody has taken.
        Unassigned = "unassigned",
        /// Those that go on and that whoever asks has taken.
        Mine = "mine",
        /// Those that were resolved.
        Resolved = "resolved",
    }
}

/// May this user, who is this in the workspace, say that a support conversation is resolved? To those who neither take part
/// in it nor give support it is not there.
pub fn may_resolve(
    conversation: &Conversation,
    user: UserId,
    role: WorkspaceRole,
    takes_part: bool,
) -> Result<Right, Rejection> {
    let gives_support = may(role, Act::GiveSupport).is_ok();
    if !takes_part && !gives_support {
        return Err(Rejection::NotFound { what: "support conversation", field: "conversationId" });
    }
    if takes_part && conversation.creator == user {
        Ok(Right::Own)
    } else if gives_support || conversation.assignee == Some(user) {
        Ok(Right::Role)
    } else {
        Err(Rejection::NotAllowed { who: "who opened it, who has taken it, or those who give support" })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        ConversationId, Timestamp, WorkspaceId,
        conversations::{ConversationKind, ConversationStatus, History, Visibility},
    };

    #[test]
    fn resolving() {
        use WorkspaceRole::{Member, Moderator};
        let [opener, assignee, other] = [1, 2, 3].map(|number| UserId(Uuid::from_u128(number)));
        let conversation = Conversation {
            id: ConversationId(Uuid::nil()),
            workspace: WorkspaceId(Uuid::nil()),
            kind: ConversationKind::Support,
            status: ConversationStatus::Active,
            visibility: Visibility::Private,
            history: History::Full,
            title: None,
            description: None,
            avatar_url: None,
            context: None,
            creator: opener,
            created_at: Timestamp(0),
            assignee: Some(assignee),
            closed_at: None,
            member_count: 2,
            last_sequence: 0,
            last_activity_at: Timestamp(0),
        };
        let check = |user, role, takes_part| {
            may_resolve(&conversation, user, role, takes_part).map_err(|refused| refused.code().as_str())
        };
        assert_eq!(check(opener, Member, true), Ok(Right::Own));
        assert_eq!(check(opener, Member, false), Err("NOT_FOUND"), "who has left is a stranger");
        assert_eq!(check(assignee, Member, true), Ok(Right::Role), "who was an agent when they took it");
        assert_eq!(check(other, Moderator, false), Ok(Right::Role));
        assert_eq!(check(other, Member, true), Err("NOT_ALLOWED"));
        assert_eq!(check(other, Member, false), Err("NOT_FOUND"));
    }
}
