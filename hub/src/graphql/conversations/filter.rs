//! Which of one's conversations somebody wants to see, in the API.

use async_graphql::InputObject;
use jackfield_domain::conversations::filter::{ContextFilter, ConversationFilter};

use super::{ConversationStatus, ConversationType};

/// Which of the viewer's conversations: those of which all of this is true. What is left out says nothing.
#[derive(InputObject, Default)]
pub struct ConversationsFilter {
    /// One of these types.
    types: Option<Vec<ConversationType>>,
    /// One of these statuses.
    statuses: Option<Vec<ConversationStatus>>,
    /// Whether there is something new to the viewer.
    has_unread: Option<bool>,
    /// Whether the viewer keeps it at hand.
    pinned: Option<bool>,
    /// Whether it makes no noise at this moment.
    muted: Option<bool>,
    /// The thing outside of the hub that it is about.
    context: Option<ConversationsContextFilter>,
    /// Words that stand somewhere in the title, at most 120 characters, whatever the capitals and the marks on letters.
    title: Option<String>,
}

/// A thing outside of the hub, or all things of a kind.
#[derive(InputObject)]
pub struct ConversationsContextFilter {
    /// What kind of thing it is.
    #[graphql(name = "type")]
    kind: String,
    /// Which one; any of its kind if left out.
    id: Option<String>,
}

impl From<ConversationsFilter> for ConversationFilter {
    fn from(filter: ConversationsFilter) -> Self {
        ConversationFilter {
            kinds: filter.types.into_iter().flatten().map(Into::into).collect(),
            statuses: filter.statuses.into_iter().flatten().map(Into::into).collect(),
            has_unread: filter.has_unread,
            is_pinned: filter.pinned,
            is_muted: filter.muted,
            context: filter.context.map(|context| ContextFilter { kind: context.kind, id: context.id }),
            title: filter.title,
        }
    }
}
