//! How many messages are a member's own. What is own behind the read pointer is kept beside it; what is own within a range
//! follows from that and from a walk of the messages of the range or of those beside it, whichever are fewer.
//!
//! What was taken away from everybody is as little new to a member as what they have said themselves, and is counted with it: a
//! place at which nothing stands any more is one's own.

use jackfield_domain::{
    ConversationId, UserId,
    receipts::{Advance, Pointers},
};
use sea_orm::{
    ActiveValue::Set,
    ConnectionTrait,
    entity::prelude::*,
    sea_query::{Asterisk, Expr, ExprTrait, Query, SelectStatement, UnionType},
};

use super::{
    super::{Store, Work, members, messages},
    Standing,
};
use crate::Result;

impl Store {
    /// How many messages of each of these ranges, of different conversations, are those of who stands there. It stays so
    /// until something is taken away, and is counted here so that no writer has to wait for it.
    pub async fn own_within(&self, ranges: &[(Standing, Advance)]) -> Result<Vec<i64>> {
        within(&self.reads, ranges).await
    }
}

pub async fn within(database: &impl ConnectionTrait, ranges: &[(Standing, Advance)]) -> Result<Vec<i64>> {
    let known: Vec<_> = ranges
        .iter()
        .map(|(standing, range)| standing.pointers.own_within(*range, standing.own_since_read, standing.head))
        .collect();
    let uncounted = ranges.iter().zip(&known).enumerate().flat_map(|(number, ((standing, _), known))| {
        known.uncounted.iter().map(move |part| counting(number, standing.conversation, standing.user, *part))
    });
    let mut counted = vec![0; ranges.len()];
    if let Some(count) = all_of(uncounted) {
        for row in database.query_all(&count).await? {
            let number = usize::try_from(row.try_get::<i64>("", "number")?).map_err(crate::Error::internal)?;
            counted[number] += row.try_get::<i64>("", "own")?;
        }
    }
    Ok(known.iter().zip(counted).map(|(known, counted)| known.with(counted)).collect())
}

/// Counts what is not others' in a part of a conversation, under a number.
pub fn counting(number: usize, conversation: ConversationId, user: UserId, part: Advance) -> SelectStatement {
    use messages::Column;
    Query::select()
        .expr_as(Expr::value(number as i64), "number")
        .expr_as(Expr::value(part.length()).sub(Expr::col(Asterisk).count()), "own")
        .from(messages::Entity)
        .and_where(Column::ConversationId.eq(conversation.0))
        .and_where(Column::Sequence.gt(part.from))
        .and_where(Column::Sequence.lte(part.up_to))
        .and_where(Column::SenderId.ne(user.0))
        .to_owned()
}

fn all_of(mut counts: impl Iterator<Item = SelectStatement>) -> Option<SelectStatement> {
    let mut first = counts.next()?;
    Some(first.unions(counts.map(|other| (UnionType::All, other))).to_owned())
}

/// Moves the pointers of somebody past so many messages of their own.
pub async fn move_pointers(work: &Work, standing: &Standing, to: Pointers, past_own: i64) -> Result<()> {
    let mut moved = members::ActiveModel {
        conversation_id: Set(standing.conversation.0),
        user_id: Set(standing.user.0),
        delivered_sequence: Set(to.delivered),
        ..Default::default()
    };
    if to.read != standing.pointers.read {
        moved.read_sequence = Set(to.read);
        moved.own_since_read = Set(standing.own_since_read - past_own);
    }
    members::Entity::update(moved).exec(&work.transaction).await?;
    Ok(())
}
