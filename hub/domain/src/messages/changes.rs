//! Who may change a message that was sent, and until when.

use super::Message;
use crate::{
    ConversationRole, Policy, Rejection, Timestamp, UserId, WorkspaceRole,
    conversations::ConversationStatus,
    permissions::{Act, ConversationAct, Right, may, may_here},
};

/// May this user put other words into a message now?
pub fn may_edit(
    message: &Message,
    status: ConversationStatus,
    by: UserId,
    at: Timestamp,
    policy: &Policy,
) -> Result<(), Rejection> {
    if message.sender != by {
        return Err(Rejection::NotAllowed { who: "the sender of the message" });
    }
    if message.deleted.is_some() {
        return Err(Rejection::MessageDeleted);
    }
    if status == ConversationStatus::Blocked {
        return Err(Rejection::Blocked { field: "messageId" });
    }
    // New words are as good as a new message, which nobody could send here.
    if status != ConversationStatus::Active {
        return Err(Rejection::EditInClosed { status: status.as_str() });
    }
    if at > message.created_at + policy.edit_window() {
        return Err(Rejection::WindowClosed { done: "edited", seconds: policy.edit_window_seconds });
    }
    Ok(())
}

/// May this user, who sees the message, take it away from everyone now?
pub fn may_delete_for_everyone(
    message: &Message,
    by: UserId,
    role: WorkspaceRole,
    role_here: ConversationRole,
    at: Timestamp,
    policy: &Policy,
) -> Result<Right, Rejection> {
    if policy.messages_are_kept {
        return Err(Rejection::MessagesAreKept);
    }
    let moderates = may(role, Act::Moderate).is_ok() || may_here(role_here, ConversationAct::Moderate).is_ok();
    let is_own = message.sender == by;
    if is_own && (moderates || at <= message.created_at + policy.delete_window()) {
        return Ok(Right::Own);
    }
    match (is_own, moderates) {
        (false, true) => Ok(Right::Role),
        (false, false) => Err(Rejection::NotAllowed { who: "the sender of the message or a moderator" }),
        (true, _) => {
            Err(Rejection::WindowClosed { done: "deleted for everyone", seconds: policy.delete_window_seconds })
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        ConversationId, MessageId, WorkspaceId,
        messages::{ContentType, Deletion, MessageKind},
    };

    const ANN: UserId = UserId(Uuid::from_u128(1));
    const BOB: UserId = UserId(Uuid::from_u128(2));

    fn message() -> Message {
        Message {
            id: MessageId(Uuid::from_u128(9)),
            workspace: WorkspaceId(Uuid::from_u128(7)),
            conversation: ConversationId(Uuid::from_u128(8)),
            sequence: 1,
            sender: ANN,
            kind: MessageKind::Text,
            content: ContentType::Plain,
            body: "tea".to_owned(),
            reply_to: None,
            created_at: Timestamp(0),
            edited_at: None,
            deleted: None,
            hidden: false,
        }
    }

    fn policy() -> Policy {
        Policy { edit_window_seconds: 10, delete_window_seconds: 20, ..Policy::default() }
    }

    #[test]
    fn editing() {
        use ConversationStatus::{Active, Archived, Blocked};
        let check = |message: &Message, status, by, at| {
            may_edit(message, status, by, Timestamp(at), &policy()).map_err(|refused| refused.code().as_str())
        };
        assert_eq!(check(&message(), Active, ANN, 10_000), Ok(()));
        assert_eq!(check(&message(), Active, ANN, 10_001), Err("TOO_LATE"));
        assert_eq!(check(&message(), Active, BOB, 0), Err("NOT_ALLOWED"));
        assert_eq!(check(&message(), Archived, ANN, 0), Err("CONVERSATION_CLOSED"));
        assert_eq!(check(&message(), Blocked, ANN, 0), Err("BLOCKED"));
        let deleted = Message { deleted: Some(Deletion { at: Timestamp(1), by: ANN }), ..message() };
        assert_eq!(check(&deleted, Active, ANN, 2), Err("MESSAGE_DELETED"));
    }

    #[test]
    fn deleting_for_everyone() {
        use ConversationRole as Here;
        use WorkspaceRole as Role;
        let check = |by, role, here, at, policy: &Policy| {
            let outcome = may_delete_for_everyone(&message(), by, role, here, Timestamp(at), policy);
            outcome.map_err(|refused| refused.code().as_str())
        };
        let usual = policy();
        assert_eq!(check(ANN, Role::Member, Here::Member, 20_000, &usual), Ok(Right::Own));
        assert_eq!(check(ANN, Role::Member, Here::Member, 20_001, &usual), Err("TOO_LATE"));
        assert_eq!(check(ANN, Role::Moderator, Here::Member, 20_001, &usual), Ok(Right::Own));
        assert_eq!(check(BOB, Role::Member, Here::Member, 0, &usual), Err("NOT_ALLOWED"));
        assert_eq!(check(BOB, Role::Bot, Here::Member, 0, &usual), Err("NOT_ALLOWED"));
        for (role, here) in [
            (Role::Moderator, Here::Member),
            (Role::Admin, Here::Member),
            (Role::Owner, Here::Member),
            (Role::Member, Here::Owner),
            (Role::Member, Here::Admin),
        ] {
            assert_eq!(check(BOB, role, here, 99_000_000, &usual), Ok(Right::Role), "{role:?} {here:?}");
        }
        let kept = Policy { messages_are_kept: true, ..policy() };
        assert_eq!(check(ANN, Role::Member, Here::Member, 0, &kept), Err("FORBIDDEN_BY_POLICY"));
        assert_eq!(check(BOB, Role::Owner, Here::Owner, 0, &kept), Err("FORBIDDEN_BY_POLICY"));
    }
}
