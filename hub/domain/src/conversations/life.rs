//! Rules for what becomes of a conversation: what of it may change, and who puts it away, takes it up again or deletes it.

use super::{Conversation, ConversationKind, History, Visibility, checked_description, checked_picture, checked_title};
use crate::{
    ConversationRole, Policy, Rejection, UserId, WorkspaceRole,
    permissions::{Act, ConversationAct, Right, may, may_here},
};

/// What of a conversation is to change; what is none stays, and what is none within is taken away.
#[derive(Debug, Clone, Default)]
pub struct ConversationChanges {
    pub title: Option<Option<String>>,
    pub description: Option<Option<String>>,
    pub avatar_url: Option<Option<String>>,
    pub visibility: Option<Visibility>,
    pub history: Option<History>,
}

/// What the rules let through: the only form that the store accepts.
#[derive(Debug, Clone)]
pub struct CheckedChanges(ConversationChanges);

impl CheckedChanges {
    /// What depends on the kind of the conversation is decided when it is looked at.
    pub fn check(changes: ConversationChanges) -> Result<Self, Rejection> {
        let ConversationChanges { title, description, avatar_url, visibility, history } = changes;
        Ok(CheckedChanges(ConversationChanges {
            title: title.map(|title| checked_title(title.as_deref())).transpose()?,
            description: description.map(|words| checked_description(words.as_deref())).transpose()?,
            avatar_url: avatar_url.map(|url| checked_picture(url.as_deref())).transpose()?,
            visibility,
            history,
        }))
    }

    /// The conversation with these changes.
    pub fn applied_to(&self, mut room: Conversation) -> Result<Conversation, Rejection> {
        let ConversationChanges { title, description, avatar_url, visibility, history } = self.0.clone();
        if let Some(title) = title {
            if title.is_none() && room.kind == ConversationKind::Group {
                return Err(Rejection::Missing { field: "title" });
            }
            room.title = title;
        }
        if let Some(visibility) = visibility {
            may_be_seen(room.kind, visibility)?;
            room.visibility = visibility;
        }
        room.description = description.unwrap_or(room.description);
        room.avatar_url = avatar_url.unwrap_or(room.avatar_url);
        room.history = history.unwrap_or(room.history);
        Ok(room)
    }
}

/// May a conversation of this kind be found by these?
pub fn may_be_seen(kind: ConversationKind, visibility: Visibility) -> Result<(), Rejection> {
    if visibility == Visibility::Public && kind != ConversationKind::Group {
        return Err(Rejection::Invalid { field: "visibility", expected: "PRIVATE for all but groups" });
    }
    Ok(())
}

/// May somebody who takes part put a conversation away, or take it up again, and by what right?
pub fn may_close(
    room: &Conversation,
    user: UserId,
    here: ConversationRole,
    role: WorkspaceRole,
) -> Result<Right, Rejection> {
    match room.kind {
        ConversationKind::Group => may_here(here, ConversationAct::Run).map(|()| Right::Role),
        ConversationKind::Direct => Ok(Right::Own),
        ConversationKind::Support if room.creator == user => Ok(Right::Own),
        ConversationKind::Support => may(role, Act::GiveSupport).map(|()| Right::Role),
    }
}

/// May somebody who takes part delete a conversation, with all that was said in it?
pub fn may_delete(room: &Conversation, here: ConversationRole, policy: &Policy) -> Result<(), Rejection> {
    if room.kind != ConversationKind::Group {
        return Err(Rejection::GroupsOnly);
    }
    may_here(here, ConversationAct::Own)?;
    if policy.conversations_are_kept { Err(Rejection::ConversationsAreKept) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use ConversationKind::{Direct, Group, Support};

    use super::{super::tests::room, *};

    #[test]
    fn what_is_left_out_stays_and_null_takes_away() {
        let before = Conversation { description: Some("for the harbour".into()), ..room(Group) };
        let of = |changes| CheckedChanges::check(changes).and_then(|changes| changes.applied_to(before.clone()));
        let same = of(ConversationChanges::default()).unwrap();
        assert_eq!((same.title, same.description), (before.title.clone(), before.description.clone()));
        let changed = of(ConversationChanges {
            title: Some(Some(" Coffee ".into())),
            description: Some(None),
            ..Default::default()
        });
        let changed = changed.unwrap();
        assert_eq!((changed.title.as_deref(), changed.description), (Some("Coffee"), None));
        let refused = |changes| of(changes).map(drop).map_err(|refused| (refused.code().as_str(), refused.field()));
        let titled = |title| ConversationChanges { title: Some(title), ..Default::default() };
        assert_eq!(refused(titled(None)), Err(("MISSING", Some("title"))));
        assert_eq!(refused(titled(Some("a".repeat(121)))), Err(("TOO_LONG", Some("title"))));
        let pictured = ConversationChanges { avatar_url: Some(Some("javascript:x".into())), ..Default::default() };
        assert_eq!(refused(pictured), Err(("INVALID", Some("avatar_url"))));
    }

    #[test]
    fn only_groups_are_public() {
        for (kind, allowed) in [(Group, true), (Direct, false), (Support, false)] {
            assert_eq!(may_be_seen(kind, Visibility::Public).is_ok(), allowed, "{kind:?}");
            assert!(may_be_seen(kind, Visibility::Private).is_ok());
        }
    }

    #[test]
    fn who_puts_away_and_who_deletes() {
        use ConversationRole::{Admin, Member, Owner};
        let (creator, other) = (room(Group).creator, UserId(uuid::Uuid::from_u128(99)));
        for (kind, user, here, role, right) in [
            (Group, other, Admin, WorkspaceRole::Member, Some(Right::Role)),
            (Group, other, Member, WorkspaceRole::Owner, None),
            (Direct, other, Member, WorkspaceRole::Member, Some(Right::Own)),
            (Support, creator, Member, WorkspaceRole::Member, Some(Right::Own)),
            (Support, other, Member, WorkspaceRole::Moderator, Some(Right::Role)),
            (Support, other, Member, WorkspaceRole::Member, None),
        ] {
            assert_eq!(may_close(&room(kind), user, here, role).ok(), right, "{kind:?} {here:?} {role:?}");
        }
        let (free, kept) = (Policy::default(), Policy { conversations_are_kept: true, ..Policy::default() });
        let code = |kind, here, policy: &Policy| may_delete(&room(kind), here, policy).map_err(|no| no.code().as_str());
        assert_eq!(code(Group, Owner, &free), Ok(()));
        assert_eq!(code(Group, Admin, &free), Err("NOT_ALLOWED"));
        assert_eq!(code(Group, Owner, &kept), Err("FORBIDDEN_BY_POLICY"));
        assert_eq!(code(Direct, Member, &free), Err("INVALID"));
    }
}
