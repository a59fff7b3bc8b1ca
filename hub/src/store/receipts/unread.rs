//! How many messages are new to a member of a conversation: the head less the pointer, less what the member has sent since
//! then, which is kept beside the pointer, and less what they have deleted for themselves of it.

use jackfield_domain::{ConversationId, UserId, receipts::Unread};
use sea_orm::{
    QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Asterisk, Expr, ExprTrait, Query, SelectStatement},
};

use super::super::{Store, conversations, members, messages::deletions::hidden};
use crate::Result;

impl Store {
    /// What is new to the user in these conversations, as far as they take part in them.
    pub async fn unread(&self, user: UserId, conversations: &[ConversationId]) -> Result<Vec<Unread>> {
        self.found(among(user, conversations)).await
    }

    /// Where there is something new to the user, the last active first.
    pub async fn all_unread(&self, user: UserId, limit: u64) -> Result<Vec<Unread>> {
        self.found(all(user).limit(limit)).await
    }

    async fn found(&self, select: Select<members::Entity>) -> Result<Vec<Unread>> {
        let rows: Vec<(Uuid, i64, i64)> = select.into_tuple().all(&self.reads).await?;
        let unread = rows.into_iter().map(|(conversation, of_others, hidden)| Unread {
            conversation: ConversationId(conversation),
            count: of_others - hidden,
        });
        Ok(unread.collect())
    }
}

pub fn among(user: UserId, conversations: &[ConversationId]) -> Select<members::Entity> {
    counts(user).filter(members::Column::ConversationId.is_in(conversations.iter().map(|id| id.0)))
}

pub fn all(user: UserId) -> Select<members::Entity> {
    counts(user)
        // Where somebody has sent all that came since, nothing is new.
        .filter(of_others().gt(0))
        .order_by_desc(members::Column::ActiveHour)
        .order_by_desc(members::Column::ConversationId)
}

fn counts(user: UserId) -> Select<members::Entity> {
    members::Entity::find()
        .inner_join(conversations::Entity)
        .filter(members::Column::UserId.eq(user.0))
        .select_only()
        .column(members::Column::ConversationId)
        .expr_as(of_others(), "of_others")
        .expr_as(hidden_from(), "hidden")
}

/// How many messages are new to a member, beside the rows of the member and the conversation.
pub fn count() -> Expr {
    of_others().sub(Expr::from(hidden_from()))
}

/// How many messages of others came after what a member has read.
pub fn of_others() -> Expr {
    let (head, read) = (conversations::Column::LastSequence.into_expr(), members::Column::ReadSequence.into_expr());
    head.sub(read).sub(members::Column::OwnSinceRead.into_expr())
}

fn hidden_from() -> SelectStatement {
    use hidden::Column;
    Query::select()
        .expr(Expr::col(Asterisk).count())
        .from(hidden::Entity)
        .and_where(Column::UserId.into_expr().eq(members::Column::UserId.into_expr()))
        .and_where(Column::ConversationId.into_expr().eq(members::Column::ConversationId.into_expr()))
        .and_where(Column::Sequence.into_expr().gt(members::Column::ReadSequence.into_expr()))
        .and_where(Column::IsOwn.into_expr().eq(false))
        .to_owned()
}
