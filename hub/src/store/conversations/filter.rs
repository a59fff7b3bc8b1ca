//! What a list of one's conversations is narrowed to. Every condition is looked at where the index of the list is walked, so
//! that no filter makes it dearer than one walk along all of one's conversations.

use jackfield_domain::{
    Timestamp,
    conversations::{ConversationStatus, filter::CheckedFilter},
};
use sea_orm::{
    Condition,
    entity::prelude::*,
    sea_query::{ExprTrait, LikeExpr},
};

use super::{super::receipts::unread, Column, members};

pub fn condition(filter: &CheckedFilter, now: Timestamp) -> Condition {
    let filter = filter.get();
    let mut all = Condition::all();
    if !filter.kinds.is_empty() {
        all = all.add(Column::Kind.is_in(filter.kinds.iter().map(|kind| kind.as_str())));
    }
    if !filter.statuses.is_empty() {
        let any = filter.statuses.iter().fold(Condition::any(), |any, status| match status {
            ConversationStatus::Blocked => any.add(Column::Blocked.eq(true)),
            status => any.add(Column::Blocked.eq(false).and(Column::Status.eq(status.as_str()))),
        });
        all = all.add(any);
    }
    if let Some(has_unread) = filter.has_unread {
        all = all.add(if has_unread {
            // Looked at first: where everything is read, nothing that is hidden is counted.
            Condition::all().add(unread::of_others().gt(0)).add(unread::count().gt(0))
        } else {
            Condition::any().add(unread::of_others().lte(0)).add(unread::count().lte(0))
        });
    }
    if let Some(is_pinned) = filter.is_pinned {
        all = all.add(members::Column::Pinned.eq(is_pinned));
    }
    if let Some(is_muted) = filter.is_muted {
        let until = members::Column::MutedUntil;
        all = all.add(if is_muted {
            Condition::all().add(until.gt(now.0))
        } else {
            Condition::any().add(until.is_null()).add(until.lte(now.0))
        });
    }
    if let Some(context) = &filter.context {
        all = all.add(Column::ContextKind.eq(&context.kind));
        if let Some(id) = &context.id {
            all = all.add(Column::ContextId.eq(id));
        }
    }
    if let Some(words) = &filter.title {
        all = all.add(Column::FoldedTitle.like(anywhere(words)));
    }
    all
}

/// These words, with something or nothing before and behind them; what means something else to a database is itself.
fn anywhere(words: &str) -> LikeExpr {
    let mut pattern = String::from("%");
    for letter in words.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    LikeExpr::new(pattern).escape('\\')
}
