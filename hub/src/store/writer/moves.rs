//! What messages change of rows that are there: one statement for all of the conversations that they stand in, and one for all
//! of the members.

use std::collections::BTreeMap;

use jackfield_domain::{ConversationId, UserId};
use sea_orm::{
    Condition,
    entity::prelude::*,
    sea_query::{CaseStatement, ExprTrait, Query, UpdateStatement},
};

use super::{
    super::{conversations, members},
    rows::Conversation,
};

/// Moves the heads of conversations to where they are now.
pub fn conversations<'r>(moved: impl Iterator<Item = (ConversationId, &'r Conversation)>) -> UpdateStatement {
    use conversations::Column;
    let (mut sequence, mut activity) = (CaseStatement::new(), CaseStatement::new());
    let mut ids = Vec::new();
    for (id, room) in moved {
        sequence = sequence.case(Column::Id.eq(id.0), room.last_sequence);
        activity = activity.case(Column::Id.eq(id.0), room.last_activity_at.0);
        ids.push(id.0);
    }
    Query::update()
        .table(conversations::Entity)
        .value(Column::LastSequence, sequence)
        .value(Column::LastActivityAt, activity)
        .and_where(Column::Id.is_in(ids))
        .to_owned()
}

/// Adds what senders have sent to their own, and tells all members of a conversation that it is another hour. That is one
/// statement because the rows of senders are among them: of two that PostgreSQL gets together, only one would change such a row.
pub fn members(own: &BTreeMap<(ConversationId, UserId), i64>, hours: &[(ConversationId, i64)]) -> UpdateStatement {
    use members::Column;
    let mut sent: Vec<_> = own.iter().collect();
    // The last one again, which changes nothing, so that there are few forms of the statement to be prepared.
    if let Some(last) = sent.last().copied() {
        sent.resize(sent.len().next_power_of_two(), last);
    }
    let mut adds = CaseStatement::new();
    let mut touched = Condition::any();
    for ((conversation, user), count) in sent {
        let is_sender = Column::ConversationId.eq(conversation.0).and(Column::UserId.eq(user.0));
        adds = adds.case(is_sender.clone(), *count);
        touched = touched.add(is_sender);
    }
    let mut update = Query::update();
    update
        .table(members::Entity)
        .value(Column::OwnSinceRead, Column::OwnSinceRead.into_expr().add(adds.finally(0_i64)));
    if !hours.is_empty() {
        let mut hour_of = CaseStatement::new();
        for (conversation, hour) in hours {
            let takes_part = Column::ConversationId.eq(conversation.0);
            hour_of = hour_of.case(takes_part.clone(), *hour);
            touched = touched.add(takes_part);
        }
        update.value(Column::ActiveHour, hour_of.finally(Column::ActiveHour.into_expr()));
    }
    update.cond_where(touched).to_owned()
}
