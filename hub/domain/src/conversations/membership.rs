//! Rules for coming and going, and for who gives whom which role.

use super::{Conversation, ConversationKind, ConversationStatus, Visibility};
use crate::{
    ConversationRole, Rejection, UserId,
    permissions::{ConversationAct, may_here},
};

/// Somebody's part, as far as these rules ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    pub user: UserId,
    pub role: ConversationRole,
}

/// May somebody come in by themselves? By an invitation also into what not everybody finds. What they may not find does
/// not exist for them.
pub fn may_join(room: &Conversation, is_invited: bool) -> Result<(), Rejection> {
    let open = room.kind == ConversationKind::Group && room.status == ConversationStatus::Active;
    match (open, is_invited, room.visibility) {
        (true, true, _) | (true, false, Visibility::Public) => Ok(()),
        (_, true, _) => Err(Rejection::NotFound { what: "invitation", field: "code" }),
        (_, false, _) => Err(Rejection::NotFound { what: "conversation", field: "conversationId" }),
    }
}

/// May somebody who takes part send somebody else away?
pub fn may_remove(room: &Conversation, actor: Part, target: Part) -> Result<(), Rejection> {
    if room.kind == ConversationKind::Direct {
        return Err(Rejection::GroupsOnly);
    }
    may_here(actor.role, ConversationAct::ManageMembers)?;
    if actor.user == target.user {
        return Err(Rejection::Invalid { field: "memberId", expected: "somebody else: who goes themselves, leaves" });
    }
    if target.role != ConversationRole::Member {
        may_here(actor.role, ConversationAct::Own)?;
    }
    stays_with_opener(room, target.user, "memberId")
}

/// May somebody who takes part give somebody another role? So many owners there are beside the one whose role it is.
pub fn may_change_part(
    room: &Conversation,
    actor: Part,
    target: Part,
    to: ConversationRole,
    other_owners: usize,
) -> Result<(), Rejection> {
    if room.kind != ConversationKind::Group {
        return Err(Rejection::GroupsOnly);
    }
    may_here(actor.role, ConversationAct::Own)?;
    if target.role == ConversationRole::Owner && to != ConversationRole::Owner && other_owners == 0 {
        return Err(Rejection::NoOwnerLeft { field: "role" });
    }
    Ok(())
}

/// May somebody who takes part hand the conversation over to somebody?
pub fn may_transfer(room: &Conversation, actor: Part, target: UserId) -> Result<(), Rejection> {
    if room.kind != ConversationKind::Group {
        return Err(Rejection::GroupsOnly);
    }
    may_here(actor.role, ConversationAct::Own)?;
    if actor.user == target {
        return Err(Rejection::Invalid { field: "memberId", expected: "somebody else" });
    }
    Ok(())
}

/// What follows from somebody's going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The others go on as before.
    Plain,
    /// This one is an owner from now on.
    To(UserId),
    /// Nobody is left.
    Last,
}

/// May somebody who takes part go? So many owners there are beside them.
pub fn may_leave(
    room: &Conversation,
    leaver: Part,
    successor: Option<UserId>,
    other_owners: usize,
) -> Result<Departure, Rejection> {
    match room.kind {
        ConversationKind::Direct => return Err(Rejection::GroupsOnly),
        ConversationKind::Support => {
            stays_with_opener(room, leaver.user, "conversationId")?;
            return Ok(Departure::Plain);
        }
        ConversationKind::Group => {}
    }
    if let Some(successor) = successor {
        may_here(leaver.role, ConversationAct::Own)?;
        if successor == leaver.user {
            return Err(Rejection::Invalid { field: "successorId", expected: "somebody else" });
        }
        return Ok(Departure::To(successor));
    }
    match (room.member_count, leaver.role) {
        (..=1, _) => Ok(Departure::Last),
        (_, ConversationRole::Owner) if other_owners == 0 => Err(Rejection::NoOwnerLeft { field: "successorId" }),
        _ => Ok(Departure::Plain),
    }
}

/// Whoever asks for help is there until the end.
fn stays_with_opener(room: &Conversation, user: UserId, field: &'static str) -> Result<(), Rejection> {
    if room.kind == ConversationKind::Support && room.creator == user {
        return Err(Rejection::Invalid { field, expected: "not of who opened it: it is resolved, and not left" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ConversationKind::{Direct, Group, Support};
    use ConversationRole::{Admin, Member, Owner};
    use uuid::Uuid;

    use super::{super::tests::room, *};

    fn part(number: u128, role: ConversationRole) -> Part {
        Part { user: UserId(Uuid::from_u128(number)), role }
    }

    fn code<T>(outcome: Result<T, Rejection>) -> Result<T, &'static str> {
        outcome.map_err(|refused| refused.code().as_str())
    }

    #[test]
    fn one_joins_what_is_public_or_where_one_is_invited() {
        let public = Conversation { visibility: Visibility::Public, ..room(Group) };
        let put_away = Conversation { status: ConversationStatus::Archived, ..public.clone() };
        assert_eq!(code(may_join(&public, false)), Ok(()));
        assert_eq!(code(may_join(&room(Group), false)), Err("NOT_FOUND"));
        assert_eq!(code(may_join(&room(Group), true)), Ok(()));
        assert_eq!(code(may_join(&put_away, false)), Err("NOT_FOUND"));
        assert_eq!(code(may_join(&put_away, true)), Err("NOT_FOUND"));
        assert_eq!(code(may_join(&room(Direct), true)), Err("NOT_FOUND"));
    }

    #[test]
    fn who_sends_whom_away() {
        for (kind, actor, target, expected) in [
            (Group, part(2, Admin), part(3, Member), Ok(())),
            (Group, part(2, Admin), part(3, Admin), Err("NOT_ALLOWED")),
            (Group, part(2, Admin), part(3, Owner), Err("NOT_ALLOWED")),
            (Group, part(2, Owner), part(3, Owner), Ok(())),
            (Group, part(2, Member), part(3, Member), Err("NOT_ALLOWED")),
            (Group, part(2, Owner), part(2, Owner), Err("INVALID")),
            (Direct, part(2, Member), part(3, Member), Err("INVALID")),
            // The first one opened it.
            (Support, part(2, Admin), part(1, Member), Err("INVALID")),
            (Support, part(2, Admin), part(3, Member), Ok(())),
        ] {
            assert_eq!(code(may_remove(&room(kind), actor, target)), expected, "{kind:?} {actor:?} {target:?}");
        }
    }

    #[test]
    fn a_group_keeps_an_owner() {
        let change = |actor, target, to, others| code(may_change_part(&room(Group), actor, target, to, others));
        assert_eq!(change(part(1, Owner), part(2, Member), Admin, 1), Ok(()));
        assert_eq!(change(part(1, Owner), part(1, Owner), Member, 1), Ok(()));
        assert_eq!(change(part(1, Owner), part(1, Owner), Member, 0), Err("NOT_ALLOWED"));
        assert_eq!(change(part(1, Owner), part(1, Owner), Owner, 0), Ok(()), "nothing changes");
        assert_eq!(change(part(2, Admin), part(3, Member), Admin, 1), Err("NOT_ALLOWED"));

        let leave = |kind, count, leaver, successor: Option<u128>, others| {
            let room = Conversation { member_count: count, ..room(kind) };
            code(may_leave(&room, leaver, successor.map(|number| UserId(Uuid::from_u128(number))), others))
        };
        assert_eq!(leave(Group, 3, part(2, Member), None, 1), Ok(Departure::Plain));
        assert_eq!(leave(Group, 3, part(1, Owner), None, 1), Ok(Departure::Plain));
        assert_eq!(leave(Group, 3, part(1, Owner), None, 0), Err("NOT_ALLOWED"));
        assert_eq!(leave(Group, 3, part(1, Owner), Some(2), 0), Ok(Departure::To(UserId(Uuid::from_u128(2)))));
        assert_eq!(leave(Group, 3, part(1, Owner), Some(1), 0), Err("INVALID"));
        assert_eq!(leave(Group, 3, part(2, Member), Some(3), 1), Err("NOT_ALLOWED"));
        assert_eq!(leave(Group, 1, part(1, Owner), None, 0), Ok(Departure::Last));
        assert_eq!(leave(Direct, 2, part(1, Member), None, 0), Err("INVALID"));
        assert_eq!(leave(Support, 2, part(1, Member), None, 0), Err("INVALID"));
        assert_eq!(leave(Support, 2, part(2, Member), None, 0), Ok(Departure::Plain));

        assert_eq!(code(may_transfer(&room(Group), part(1, Owner), UserId(Uuid::from_u128(2)))), Ok(()));
        assert_eq!(code(may_transfer(&room(Group), part(1, Owner), UserId(Uuid::from_u128(1)))), Err("INVALID"));
        assert_eq!(code(may_transfer(&room(Group), part(1, Admin), UserId(Uuid::from_u128(2)))), Err("NOT_ALLOWED"));
    }
}
