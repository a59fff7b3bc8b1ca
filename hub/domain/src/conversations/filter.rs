//! Which of one's conversations somebody wants to see.

use super::{ConversationKind, ConversationStatus};
use crate::{Rejection, text};

/// What is searched for in titles has at most so many characters, as a title has.
const TITLE_MAX: usize = 120;

/// What must be true of a conversation; what is none, or empty, says nothing.
#[derive(Debug, Clone, Default)]
pub struct ConversationFilter {
    pub kinds: Vec<ConversationKind>,
    pub statuses: Vec<ConversationStatus>,
    pub has_unread: Option<bool>,
    pub is_pinned: Option<bool>,
    pub is_muted: Option<bool>,
    pub context: Option<ContextFilter>,
    /// Words that stand somewhere in the title, whatever the capitals and the marks on letters.
    pub title: Option<String>,
}

/// A thing outside of the hub, or all things of a kind.
#[derive(Debug, Clone)]
pub struct ContextFilter {
    pub kind: String,
    pub id: Option<String>,
}

/// What the rules let through, with the title as titles are kept for this: the only form that the store accepts.
#[derive(Debug, Clone, Default)]
pub struct CheckedFilter(ConversationFilter);

impl CheckedFilter {
    pub fn check(filter: ConversationFilter) -> Result<Self, Rejection> {
        let title = match filter.title {
            // Nothing is in every title, and in none that there is not.
            Some(title) if title.trim().is_empty() => None,
            Some(title) => {
                text::within("title", &title, TITLE_MAX)?;
                Some(text::folded(title.trim()))
            }
            None => None,
        };
        Ok(CheckedFilter(ConversationFilter { title, ..filter }))
    }

    pub fn get(&self) -> &ConversationFilter {
        &self.0
    }
}
