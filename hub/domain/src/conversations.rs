//! Rules for making conversations and for who may join them.

pub mod life;
pub mod membership;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ConversationId, ConversationRole, Policy, Rejection, Timestamp, UserId, WorkspaceId, receipts::Pointers,
    roles::words, text, users::picture,
};

words! {
    /// What a conversation is for.
    ConversationKind {
        /// Between two people; there is one per pair and context.
        Direct = "direct",
        /// Between any number of people, up to the policy.
        Group = "group",
        /// Between somebody who needs help and those who give it.
        Support = "support",
    }
}

words! {
    /// Whether a conversation goes on.
    ConversationStatus {
        /// Takes messages.
        Active = "active",
        /// Put away by hand, or resolved; can be read.
        Archived = "archived",
        /// Put away because nobody had said anything for long; can be read.
        AutoArchived = "auto_archived",
        /// Between two of whom one wants nothing to do with the other; can be read.
        Blocked = "blocked",
    }
}

words! {
    /// Who can find a conversation.
    Visibility {
        /// Those who take part.
        Private = "private",
        /// Everybody in the workspace, who may also join.
        Public = "public",
    }
}

words! {
    /// What those who come later see of what was said before.
    History {
        /// All of it.
        Full = "full",
        /// Nothing.
        FromJoin = "from_join",
    }
}

words! {
    /// What somebody wants to be told of in a conversation.
    Notify {
        /// Every message.
        All = "all",
        /// Where they are mentioned.
        Mentions = "mentions",
        /// Nothing.
        Nothing = "nothing",
    }
}

impl ConversationStatus {
    /// Whether it was put away, by hand or by itself.
    pub fn is_archived(self) -> bool {
        matches!(self, ConversationStatus::Archived | ConversationStatus::AutoArchived)
    }
}

/// The thing outside of the hub that a conversation is about, such as `booking` `42`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    pub kind: String,
    pub id: String,
}

/// What somebody asks for.
#[derive(Debug, Clone)]
pub struct ConversationDraft {
    pub kind: ConversationKind,
    pub title: Option<String>,
    pub description: Option<String>,
    pub avatar_url: Option<String>,
    pub visibility: Visibility,
    pub history: History,
    pub context: Option<Context>,
    pub members: Vec<UserId>,
}

/// What the rules let through: the only form that the store accepts.
#[derive(Debug, Clone)]
pub struct CheckedConversation {
    kind: ConversationKind,
    title: Option<String>,
    description: Option<String>,
    avatar_url: Option<String>,
    visibility: Visibility,
    history: History,
    context: Option<Context>,
    creator: UserId,
    others: BTreeSet<UserId>,
}

impl CheckedConversation {
    /// Whether the members exist is for the store to see; everything else is decided here.
    pub fn check(draft: ConversationDraft, creator: UserId, policy: &Policy) -> Result<Self, Rejection> {
        let mut others: BTreeSet<UserId> = draft.members.into_iter().collect();
        others.remove(&creator);
        let title = checked_title(draft.title.as_deref())?;
        match draft.kind {
            ConversationKind::Direct if others.len() != 1 => return Err(Rejection::DirectNeedsTwo),
            ConversationKind::Direct if title.is_some() => {
                return Err(Rejection::Invalid { field: "title", expected: "left out of a direct conversation" });
            }
            ConversationKind::Group if title.is_none() => return Err(Rejection::Missing { field: "title" }),
            ConversationKind::Group => room_for(1, others.len(), policy)?,
            ConversationKind::Direct | ConversationKind::Support => {}
        }
        life::may_be_seen(draft.kind, draft.visibility)?;
        let description = checked_description(draft.description.as_deref())?;
        let avatar_url = checked_picture(draft.avatar_url.as_deref())?;
        let context = match draft.context {
            None => None,
            Some(context) => Some(Context {
                kind: text::line("context.type", &context.kind, 40)?,
                id: text::line("context.id", &context.id, 120)?,
            }),
        };
        let ConversationDraft { kind, visibility, history, .. } = draft;
        Ok(Self { kind, title, description, avatar_url, visibility, history, context, creator, others })
    }

    pub fn kind(&self) -> ConversationKind {
        self.kind
    }

    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    pub fn avatar_url(&self) -> Option<&str> {
        self.avatar_url.as_deref()
    }

    pub fn visibility(&self) -> Visibility {
        self.visibility
    }

    pub fn history(&self) -> History {
        self.history
    }

    pub fn context(&self) -> Option<&Context> {
        self.context.as_ref()
    }

    pub fn creator(&self) -> UserId {
        self.creator
    }

    /// Everybody but the creator.
    pub fn others(&self) -> impl Iterator<Item = UserId> {
        self.others.iter().copied()
    }

    /// What is unique among the direct conversations of a workspace: the pair, whoever began, and the context.
    pub fn direct_key(&self) -> Option<String> {
        let other = match self.kind {
            ConversationKind::Direct => *self.others.first()?,
            ConversationKind::Group | ConversationKind::Support => return None,
        };
        let (low, high) = (self.creator.min(other), self.creator.max(other));
        let pair = format!("{}{}", low.0.simple(), high.0.simple());
        Some(match &self.context {
            None => pair,
            // Neither half can hold a control character, so the separator cannot be forged.
            Some(context) => format!("{pair}{}\u{1f}{}", context.kind, context.id),
        })
    }
}

/// May this many more people join a group that has this many?
pub fn room_for(present: usize, more: usize, policy: &Policy) -> Result<(), Rejection> {
    let (count, max) = (present + more, policy.group_max_members as usize);
    if count > max { Err(Rejection::GroupFull { count, max }) } else { Ok(()) }
}

/// May anybody be added to a conversation of this kind?
pub fn takes_members(kind: ConversationKind) -> Result<(), Rejection> {
    match kind {
        ConversationKind::Group | ConversationKind::Support => Ok(()),
        ConversationKind::Direct => Err(Rejection::DirectIsClosedToOthers),
    }
}

fn checked_title(title: Option<&str>) -> Result<Option<String>, Rejection> {
    title.map(|title| text::line("title", title, 120)).transpose()
}

/// What nobody can see is as good as nothing.
fn checked_description(words: Option<&str>) -> Result<Option<String>, Rejection> {
    let words = words.filter(|words| text::is_visible(words));
    words.map(|words| paragraph("description", words, 1_000)).transpose()
}

fn checked_picture(url: Option<&str>) -> Result<Option<String>, Rejection> {
    url.map(picture).transpose()
}

fn paragraph(field: text::Field, text: &str, max_characters: usize) -> Result<String, Rejection> {
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(Rejection::ControlCharacter { field });
    }
    text::within(field, text, max_characters)?;
    Ok(text.to_owned())
}

/// A conversation as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    pub id: ConversationId,
    pub workspace: WorkspaceId,
    pub kind: ConversationKind,
    pub status: ConversationStatus,
    pub visibility: Visibility,
    pub history: History,
    pub title: Option<String>,
    pub description: Option<String>,
    pub avatar_url: Option<String>,
    pub context: Option<Context>,
    pub creator: UserId,
    pub created_at: Timestamp,
    /// Who has taken a support conversation.
    pub assignee: Option<UserId>,
    /// When it was put away or resolved.
    pub closed_at: Option<Timestamp>,
    pub member_count: usize,
    /// The sequence number of its last message, which is also how many there have been.
    pub last_sequence: i64,
    pub last_activity_at: Timestamp,
}

/// Somebody's part in a conversation.
#[derive(Debug, Clone)]
pub struct Member {
    pub conversation: ConversationId,
    pub user: UserId,
    pub role: ConversationRole,
    pub joined_at: Timestamp,
    /// They see what was said after this.
    pub from_sequence: i64,
    /// How far they have come with what was said.
    pub pointers: Pointers,
    pub settings: Settings,
}

/// What somebody has set for themselves in one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Until when it makes no noise.
    pub muted_until: Option<Timestamp>,
    /// Kept at hand by the user's clients.
    pub is_pinned: bool,
    pub notify: Notify,
    /// What it sounds like, in the words of the user's clients.
    pub sound: Option<String>,
}

/// What one's list of conversations is ordered by: the last active first, then the newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityKey {
    pub last_activity_at: Timestamp,
    pub id: ConversationId,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    /// A conversation that the first user has made.
    pub fn room(kind: ConversationKind) -> Conversation {
        Conversation {
            id: ConversationId(Uuid::from_u128(7)),
            workspace: WorkspaceId(Uuid::from_u128(8)),
            kind,
            status: ConversationStatus::Active,
            visibility: Visibility::Private,
            history: History::Full,
            title: (kind == ConversationKind::Group).then(|| "Tea".to_owned()),
            description: None,
            avatar_url: None,
            context: None,
            creator: user(1),
            created_at: Timestamp(0),
            assignee: None,
            closed_at: None,
            member_count: 2,
            last_sequence: 0,
            last_activity_at: Timestamp(0),
        }
    }

    fn check(kind: ConversationKind, title: Option<&str>, members: &[u128]) -> Result<CheckedConversation, Rejection> {
        let draft = ConversationDraft {
            kind,
            title: title.map(str::to_owned),
            description: None,
            avatar_url: None,
            visibility: Visibility::Private,
            history: History::Full,
            context: None,
            members: members.iter().map(|&number| user(number)).collect(),
        };
        CheckedConversation::check(draft, user(1), &Policy { group_max_members: 3, ..Policy::default() })
    }

    #[test]
    fn a_group_has_a_title_and_room() {
        use ConversationKind::Group;
        assert!(check(Group, Some("Tea"), &[2, 3]).is_ok());
        assert!(check(Group, Some("Tea"), &[1, 2, 3, 3]).is_ok(), "nobody counts twice");
        assert_eq!(check(Group, None, &[2]).unwrap_err(), Rejection::Missing { field: "title" });
        assert_eq!(check(Group, Some("Tea"), &[2, 3, 4]).unwrap_err(), Rejection::GroupFull { count: 4, max: 3 });
    }

    #[test]
    fn a_direct_conversation_is_between_two() {
        use ConversationKind::Direct;
        assert!(check(Direct, None, &[2]).is_ok());
        assert!(check(Direct, None, &[1, 2]).is_ok());
        for members in [&[][..], &[1], &[2, 3]] {
            assert_eq!(check(Direct, None, members).unwrap_err(), Rejection::DirectNeedsTwo);
        }
        assert_eq!(check(Direct, Some("Tea"), &[2]).unwrap_err().code().as_str(), "INVALID");
    }

    #[test]
    fn the_key_of_a_pair_is_the_same_from_both_sides_and_differs_by_context() {
        let key = |creator, other, context: Option<(&str, &str)>| {
            let draft = ConversationDraft {
                kind: ConversationKind::Direct,
                title: None,
                description: None,
                avatar_url: None,
                visibility: Visibility::Private,
                history: History::Full,
                context: context.map(|(kind, id)| Context { kind: kind.into(), id: id.into() }),
                members: vec![user(other)],
            };
            CheckedConversation::check(draft, user(creator), &Policy::default()).unwrap().direct_key()
        };
        assert_eq!(key(1, 2, None), key(2, 1, None));
        assert_ne!(key(1, 2, None), key(1, 3, None));
        assert_ne!(key(1, 2, Some(("booking", "42"))), key(1, 2, None));
        assert_ne!(key(1, 2, Some(("booking", "42"))), key(1, 2, Some(("booking4", "2"))));
    }
}
