//! Taking old messages away: hidden ones stand in a table of their own, where nobody who reads messages looks, and so no reader can
//! forget to leave them out. What was on hold stays where it is.

use std::collections::BTreeSet;

use jackfield_domain::{
    ConversationId, Fact, MessageId, Rejection, Timestamp, UserId, WorkspaceId,
    messages::{Due, Found, Old, OnHold, Stretch, Trim, TrimStep},
    plugins::PluginId,
    receipts::ReceiptKind,
};
use sea_orm::{
    ConnectionTrait, Iterable, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Asterisk, CaseStatement, Expr, ExprTrait, Query, SelectStatement},
};

use super::{
    super::{
        Store, Work, conversations, legal_holds, members,
        plugins::{annotations, held, mentions, verdicts},
        receipts,
        writer::keys,
    },
    deletions::hidden,
    details, edits,
};
use crate::{Error, Result};

/// Messages that nobody sees any more.
pub mod trimmed {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "trimmed_messages")]
    pub struct Model {
        pub id: Uuid,
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub conversation_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub sequence: i64,
        pub sender_id: Uuid,
        pub kind: String,
        pub content: String,
        pub body: String,
        pub reply_to_id: Option<Uuid>,
        pub created_at: i64,
        pub edited_at: Option<i64>,
        pub deleted_at: Option<i64>,
        pub deleted_by_id: Option<Uuid>,
        pub hidden: bool,
        pub trimmed_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// So many marks of who has read what go with a slice: they hold no words, and what is left goes with the next one.
const MARKS: u64 = 2_000;
/// In all conversations together no more is counted.
const COUNTED: u64 = 10_000;

impl Store {
    /// What is due in a stretch of a conversation of this workspace.
    pub async fn due_in(&self, workspace: WorkspaceId, stretch: &Stretch) -> Result<Due> {
        Ok(look(&self.reads, workspace, stretch).await?.sum)
    }

    /// What would be due to be hidden in all conversations but these.
    pub async fn due_everywhere(
        &self,
        workspace: WorkspaceId,
        until: Timestamp,
        except: &[ConversationId],
    ) -> Result<Due> {
        let rows: Vec<(Uuid, Uuid)> = old_everywhere(workspace, until, except)
            .limit(COUNTED + 1)
            .select_only()
            .columns([super::Column::ConversationId, super::Column::SenderId])
            .into_tuple()
            .all(&self.reads)
            .await?;
        let on_hold = legal_holds::all(&self.reads, workspace).await?;
        let mut due = Due { has_more: rows.len() as u64 > COUNTED, ..Due::default() };
        for (conversation, sender) in rows.into_iter().take(COUNTED as usize) {
            let is_held = on_hold.covers(ConversationId(conversation), UserId(sender));
            *(if is_held { &mut due.held } else { &mut due.count }) += 1;
        }
        Ok(due)
    }
}

/// A conversation at a time, whose own index says what is old in it.
pub fn old_everywhere(workspace: WorkspaceId, until: Timestamp, except: &[ConversationId]) -> Select<super::Entity> {
    let rooms = Query::select()
        .column(conversations::Column::Id)
        .from(conversations::Entity)
        .and_where(conversations::Column::WorkspaceId.eq(workspace.0))
        .and_where(conversations::Column::CreatedAt.lte(until.0))
        .and_where(conversations::Column::Id.is_not_in(except.iter().map(|id| id.0)))
        .to_owned();
    super::Entity::find()
        .filter(super::Column::ConversationId.in_subquery(rooms))
        .filter(super::Column::CreatedAt.lte(until.0))
}

async fn look(database: &impl ConnectionTrait, workspace: WorkspaceId, stretch: &Stretch) -> Result<Found> {
    let limit = u64::from(stretch.limit) + 1;
    let rows: Vec<(i64, Uuid, i64)> = match stretch.step {
        TrimStep::Hide => {
            use super::Column;
            super::Entity::find()
                .filter(Column::ConversationId.eq(stretch.conversation.0))
                .filter(Column::WorkspaceId.eq(workspace.0))
                .filter(Column::Sequence.gt(stretch.after))
                .order_by_asc(Column::Sequence)
                .limit(limit)
                .select_only()
                .columns([Column::Sequence, Column::SenderId, Column::CreatedAt])
                .into_tuple()
                .all(database)
                .await?
        }
        TrimStep::Purge => {
            use trimmed::Column;
            trimmed::Entity::find()
                .filter(Column::ConversationId.eq(stretch.conversation.0))
                .filter(Column::WorkspaceId.eq(workspace.0))
                .filter(Column::Sequence.gt(stretch.after))
                .order_by_asc(Column::Sequence)
                .limit(limit)
                .select_only()
                .columns([Column::Sequence, Column::SenderId, Column::TrimmedAt])
                .into_tuple()
                .all(database)
                .await?
        }
    };
    let on_hold = if rows.is_empty() { OnHold::default() } else { legal_holds::all(database, workspace).await? };
    let old: Vec<Old> = rows
        .into_iter()
        .map(|(sequence, sender, since)| Old { sequence, sender: UserId(sender), since: Timestamp(since) })
        .collect();
    Ok(stretch.look(&old, &on_hold))
}

/// Does what a plugin wants to be done with a stretch, within a change, if it is still as the plugin saw it.
pub async fn apply(
    work: &mut Work,
    workspace: WorkspaceId,
    plugin: &PluginId,
    actor: Option<UserId>,
    trim: &Trim,
    at: Timestamp,
) -> Result<()> {
    let Stretch { conversation, step, .. } = trim.stretch;
    let found = look(&work.transaction, workspace, &trim.stretch).await?;
    if found.sum.count != trim.count {
        return Err(Rejection::Outrun { plugin: plugin.clone() }.into());
    }
    let (Some(first), Some(last)) = (found.due.first().copied(), found.due.last().copied()) else { return Ok(()) };
    match step {
        TrimStep::Hide => hide(work, conversation, &found.due, at).await?,
        TrimStep::Purge => purge(work, conversation, &found.due).await?,
    }
    let kept = found.kept.into_iter().filter(|place| (first..last).contains(place)).collect();
    let fact = Fact::MessagesTrimmed { conversation, from_sequence: first, through_sequence: last, kept, step };
    work.record(actor, at, fact);
    Ok(())
}

async fn hide(work: &Work, conversation: ConversationId, due: &[i64], at: Timestamp) -> Result<()> {
    use super::{Column, Entity};
    let database = &work.transaction;
    let rows: Vec<(Uuid, i64, Uuid, bool)> = Entity::find()
        .filter(Column::ConversationId.eq(conversation.0))
        .filter(Column::Sequence.is_in(due.iter().copied()))
        .select_only()
        .columns([Column::Id, Column::Sequence, Column::SenderId, Column::Hidden])
        .into_tuple()
        .all(database)
        .await?;
    let senders: BTreeSet<Uuid> = rows.iter().map(|(_, _, sender, _)| *sender).collect();
    are_not_new(work, conversation, due, &senders).await?;
    let hidden_by_some: Vec<i64> = rows.iter().filter(|row| row.3).map(|row| row.1).collect();
    if !hidden_by_some.is_empty() {
        hidden::Entity::delete_many()
            .filter(hidden::Column::ConversationId.eq(conversation.0))
            .filter(hidden::Column::Sequence.is_in(hidden_by_some))
            .exec(database)
            .await?;
    }
    let ids: Vec<MessageId> = rows.iter().map(|row| MessageId(row.0)).collect();
    let these = || ids.iter().map(|id| id.0);
    // What leads to them, or was made of their words, is of no use to anybody.
    mentions::forget(database, &ids).await?;
    verdicts::forget_reasons(database, &ids).await?;
    held::forget_sent(work, conversation, &ids).await?;
    keys::Entity::delete_many().filter(keys::Column::MessageId.is_in(these())).exec(database).await?;
    let columns = [
        Column::Id,
        Column::WorkspaceId,
        Column::ConversationId,
        Column::Sequence,
        Column::SenderId,
        Column::Kind,
        Column::Content,
        Column::Body,
        Column::ReplyToId,
        Column::CreatedAt,
        Column::EditedAt,
        Column::DeletedAt,
        Column::DeletedById,
        Column::Hidden,
    ];
    let as_they_are = Query::select()
        .columns(columns)
        .expr(Expr::value(at.0))
        .from(Entity)
        .and_where(Column::Id.is_in(these()))
        .to_owned();
    let moved = Query::insert()
        .into_table(trimmed::Entity)
        .columns(trimmed::Column::iter())
        .select_from(as_they_are)
        .map_err(Error::internal)?
        .to_owned();
    database.execute(&moved).await?;
    Entity::delete_many().filter(Column::Id.is_in(these())).exec(database).await?;
    Ok(())
}

/// What is not there is new to nobody: those who have not read so far have it beside their own. Whoever has counted messages of this
/// conversation sees that they have to count again.
async fn are_not_new(work: &Work, conversation: ConversationId, due: &[i64], senders: &BTreeSet<Uuid>) -> Result<()> {
    use members::Column;
    let (Some(first), Some(last)) = (due.first(), due.last()) else { return Ok(()) };
    // Only for those who have sent some of them themselves, or have read only a part, they have to be counted.
    let read = || Column::ReadSequence.into_expr();
    let is_plain = read().lt(*first).and(Column::UserId.into_expr().is_not_in(senders.iter().copied()));
    let gone = CaseStatement::new().case(is_plain, due.len() as i64).finally(Expr::from(of_others_among(due)));
    let update = Query::update()
        .table(members::Entity)
        .value(Column::OwnSinceRead, Column::OwnSinceRead.into_expr().add(gone))
        .and_where(Column::ConversationId.into_expr().eq(conversation.0))
        .and_where(read().lt(*last))
        .to_owned();
    work.transaction.execute(&update).await?;
    conversations::Entity::update_many()
        .col_expr(conversations::Column::Trims, Expr::col(conversations::Column::Trims).add(1))
        .filter(conversations::Column::Id.eq(conversation.0))
        .exec(&work.transaction)
        .await?;
    Ok(())
}

/// How many of these messages are others', and behind what a member has read.
fn of_others_among(due: &[i64]) -> SelectStatement {
    use super::Column;
    Query::select()
        .expr(Expr::col(Asterisk).count())
        .from(super::Entity)
        .and_where(Column::ConversationId.into_expr().eq(members::Column::ConversationId.into_expr()))
        .and_where(Column::Sequence.into_expr().is_in(due.iter().copied()))
        .and_where(Column::Sequence.into_expr().gt(members::Column::ReadSequence.into_expr()))
        .and_where(Column::SenderId.into_expr().ne(members::Column::UserId.into_expr()))
        .to_owned()
}

async fn purge(work: &Work, conversation: ConversationId, due: &[i64]) -> Result<()> {
    use trimmed::{Column, Entity};
    let database = &work.transaction;
    let these = || {
        let of = Column::ConversationId.eq(conversation.0);
        of.and(Column::Sequence.is_in(due.iter().copied()))
    };
    let ids: Vec<Uuid> =
        Entity::find().filter(these()).select_only().column(Column::Id).into_tuple().all(database).await?;
    forget_beside(work, &ids).await?;
    Entity::delete_many().filter(these()).exec(database).await?;
    forget_marks(work, conversation).await
}

/// Takes away what stands beside messages that go.
pub async fn forget_beside(work: &Work, ids: &[Uuid]) -> Result<()> {
    let database = &work.transaction;
    edits::Entity::delete_many().filter(edits::Column::MessageId.is_in(ids.iter().copied())).exec(database).await?;
    details::Entity::delete_many().filter(details::Column::MessageId.is_in(ids.iter().copied())).exec(database).await?;
    let ids: Vec<MessageId> = ids.iter().copied().map(MessageId).collect();
    annotations::forget(database, &ids).await
}

/// Takes away some of the marks of who has read what that reach no message any more.
async fn forget_marks(work: &Work, conversation: ConversationId) -> Result<()> {
    use receipts::{Column, Entity};
    let database = &work.transaction;
    let first: Option<i64> = super::Entity::find()
        .filter(super::Column::ConversationId.eq(conversation.0))
        .order_by_asc(super::Column::Sequence)
        .limit(1)
        .select_only()
        .column(super::Column::Sequence)
        .into_tuple()
        .one(database)
        .await?;
    let first_hidden: Option<i64> = trimmed::Entity::find()
        .filter(trimmed::Column::ConversationId.eq(conversation.0))
        .order_by_asc(trimmed::Column::Sequence)
        .limit(1)
        .select_only()
        .column(trimmed::Column::Sequence)
        .into_tuple()
        .one(database)
        .await?;
    let first = first.into_iter().chain(first_hidden).min().unwrap_or(i64::MAX);
    let present = Query::select()
        .column(members::Column::UserId)
        .from(members::Entity)
        .and_where(members::Column::ConversationId.eq(conversation.0))
        .to_owned();
    let key = [Column::ConversationId, Column::UserId, Column::Kind, Column::UpTo];
    // A member at a time, in whose marks the first ones are found.
    let some = Query::select()
        .columns(key)
        .from(Entity)
        .and_where(Column::ConversationId.eq(conversation.0))
        .and_where(Column::UserId.in_subquery(present))
        .and_where(Column::Kind.is_in(ReceiptKind::ALL.iter().map(|kind| kind.as_str())))
        .and_where(Column::UpTo.lt(first))
        .limit(MARKS)
        .to_owned();
    let delete =
        Query::delete().from_table(Entity).and_where(Expr::tuple(key.map(Expr::col)).in_subquery(some)).to_owned();
    database.execute(&delete).await?;
    Ok(())
}
