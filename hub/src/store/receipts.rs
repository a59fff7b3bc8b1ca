//! How far who has come in a conversation: a pointer on each member's row, and a row for each mark, which is a range.

pub mod own;
pub mod unread;

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, Fact, Timestamp, UserId, WorkspaceId,
    messages::Message,
    pages::{Direction, Page, Slice},
    receipts::{Advance, Pointers, Receipt, ReceiptKind, Recipients},
};
use sea_orm::{
    ActiveValue::Set,
    FromQueryResult, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, Query, SelectStatement},
};

use super::{Change, Store, Work, conversations, members};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "receipts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub conversation_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub up_to: i64,
    /// Where the mark before it ended.
    pub after: i64,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a mark goes past in one conversation.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    pub conversation: ConversationId,
    pub range: Advance,
    /// How many messages of the range are the user's own, or were taken away from everybody.
    pub own: i64,
    /// How often something was taken away there before they were counted.
    pub trims: i64,
}

/// Moves somebody's pointers forward, in conversations that they take part in; answers how many messages of others that
/// added.
pub struct AdvanceReceipts {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub at: Timestamp,
    pub kind: ReceiptKind,
    pub marks: Vec<Mark>,
}

#[async_trait]
impl Change for AdvanceReceipts {
    type Outcome = i64;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<i64> {
        let rows = standing(self.user, self.marks.iter().map(|mark| mark.conversation))
            .into_model::<StandingRow>()
            .all(&work.transaction)
            .await?;
        let mut of_others = 0;
        let mut receipts = Vec::new();
        for standing in rows.into_iter().map(Standing::from) {
            let Some(mark) = self.marks.iter().find(|mark| mark.conversation == standing.conversation) else {
                continue;
            };
            let mut pointers = standing.pointers;
            let Some(advance) = pointers.advance(self.kind, mark.range.up_to, standing.head) else { continue };
            let own = if advance == mark.range && standing.trims == mark.trims {
                mark.own
            } else {
                // Another of the user's devices has gone a part of the way since it was counted, or some of it is gone.
                own::within(&work.transaction, &[(standing, advance)]).await?[0]
            };
            of_others += advance.length() - own;
            own::move_pointers(work, &standing, pointers, own).await?;
            let conversation = standing.conversation;
            receipts.push(ActiveModel {
                conversation_id: Set(conversation.0),
                user_id: Set(self.user.0),
                kind: Set(self.kind.as_str().to_owned()),
                up_to: Set(advance.up_to),
                after: Set(advance.from),
                at: Set(self.at.0),
            });
            let fact = Fact::ReceiptsAdvanced { conversation, user: self.user, kind: self.kind, up_to: advance.up_to };
            work.record(Some(self.user), self.at, fact);
        }
        if !receipts.is_empty() {
            Entity::insert_many(receipts).exec_without_returning(&work.transaction).await?;
        }
        Ok(of_others)
    }
}

/// Where somebody stands in a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub conversation: ConversationId,
    pub user: UserId,
    pub joined_at: Timestamp,
    pub pointers: Pointers,
    /// How many messages behind the read pointer are their own, or were taken away from everybody.
    pub own_since_read: i64,
    /// The last sequence number of the conversation.
    pub head: i64,
    /// How often messages of the conversation were taken away from everybody.
    pub trims: i64,
}

#[derive(FromQueryResult)]
pub struct StandingRow {
    conversation_id: Uuid,
    user_id: Uuid,
    joined_at: i64,
    delivered_sequence: i64,
    read_sequence: i64,
    own_since_read: i64,
    last_sequence: i64,
    trims: i64,
}

impl From<StandingRow> for Standing {
    fn from(row: StandingRow) -> Self {
        Standing {
            conversation: ConversationId(row.conversation_id),
            user: UserId(row.user_id),
            joined_at: Timestamp(row.joined_at),
            pointers: Pointers { delivered: row.delivered_sequence, read: row.read_sequence },
            own_since_read: row.own_since_read,
            head: row.last_sequence,
            trims: row.trims,
        }
    }
}

/// Where everybody stands in these conversations.
pub fn standings(conversations: impl IntoIterator<Item = ConversationId>) -> Select<members::Entity> {
    members::Entity::find()
        .inner_join(conversations::Entity)
        .filter(members::Column::ConversationId.is_in(conversations.into_iter().map(|id| id.0)))
        .select_only()
        .columns([
            members::Column::ConversationId,
            members::Column::UserId,
            members::Column::JoinedAt,
            members::Column::DeliveredSequence,
            members::Column::ReadSequence,
            members::Column::OwnSinceRead,
        ])
        .columns([conversations::Column::LastSequence, conversations::Column::Trims])
}

/// Where the user stands in these conversations, as far as they take part in them.
pub fn standing(user: UserId, conversations: impl IntoIterator<Item = ConversationId>) -> Select<members::Entity> {
    standings(conversations).filter(members::Column::UserId.eq(user.0))
}

impl Store {
    /// Where the user stands in these conversations, as far as they take part in them.
    pub async fn standing(&self, user: UserId, conversations: &[ConversationId]) -> Result<Vec<Standing>> {
        let found = standing(user, conversations.iter().copied());
        let rows = found.into_model::<StandingRow>().all(&self.reads).await?;
        Ok(rows.into_iter().map(Standing::from).collect())
    }

    /// Where everybody stands in these conversations.
    pub async fn standings(&self, conversations: &[ConversationId]) -> Result<Vec<Standing>> {
        let found = standings(conversations.iter().copied());
        let rows = found.into_model::<StandingRow>().all(&self.reads).await?;
        Ok(rows.into_iter().map(Standing::from).collect())
    }

    /// What became of a message with those whom it is for, by their ids.
    pub async fn receipts(
        &self,
        message: &Message,
        recipients: Recipients,
        page: &Page<UserId>,
    ) -> Result<Slice<Receipt>> {
        let rows = walk(message, recipients, page).into_model::<Reached>().all(&self.reads).await?;
        let found = rows.into_iter().map(|row| {
            // A mark of what has come that begins behind the message: it had been read by then.
            let covers = row.delivered_after.is_some_and(|after| after < message.sequence);
            Receipt {
                user: UserId(row.user_id),
                delivered_at: row.delivered_at.filter(|_| covers).or(row.read_at).map(Timestamp),
                read_at: row.read_at.map(Timestamp),
            }
        });
        Ok(Slice::of_walk(page, found.collect()))
    }
}

/// A member, and the first marks that reach a message.
#[derive(FromQueryResult)]
struct Reached {
    user_id: Uuid,
    delivered_at: Option<i64>,
    delivered_after: Option<i64>,
    read_at: Option<i64>,
}

/// Walks the members whom a message is for (see `is_for`), with the first mark of each kind that reaches it.
pub fn walk(message: &Message, recipients: Recipients, page: &Page<UserId>) -> Select<members::Entity> {
    use members::Column as Of;
    let mut walk = members::Entity::find()
        .filter(Of::ConversationId.eq(message.conversation.0))
        .filter(Of::UserId.ne(message.sender.0))
        .filter(Of::JoinedAt.lte(message.created_at.0))
        .limit(page.size as u64 + 1)
        .select_only()
        .column(Of::UserId)
        .expr_as(first_mark(ReceiptKind::Delivered, Column::At, message.sequence), "delivered_at")
        .expr_as(first_mark(ReceiptKind::Delivered, Column::After, message.sequence), "delivered_after")
        .expr_as(first_mark(ReceiptKind::Read, Column::At, message.sequence), "read_at");
    walk = match recipients {
        Recipients::All => walk,
        Recipients::Reached(ReceiptKind::Delivered) => walk.filter(Of::DeliveredSequence.gte(message.sequence)),
        Recipients::Reached(ReceiptKind::Read) => walk.filter(Of::ReadSequence.gte(message.sequence)),
    };
    let from = page.from.into_iter();
    match page.direction {
        Direction::Forward => from.fold(walk, |walk, from| walk.filter(Of::UserId.gt(from.0))).order_by_asc(Of::UserId),
        Direction::Backward => {
            from.fold(walk, |walk, from| walk.filter(Of::UserId.lt(from.0))).order_by_desc(Of::UserId)
        }
    }
}

/// A column of the first mark of a member that reaches a place.
fn first_mark(kind: ReceiptKind, column: Column, sequence: i64) -> SelectStatement {
    Query::select()
        .expr(column.into_expr())
        .from(Entity)
        .and_where(Column::ConversationId.into_expr().eq(members::Column::ConversationId.into_expr()))
        .and_where(Column::UserId.into_expr().eq(members::Column::UserId.into_expr()))
        .and_where(Column::Kind.into_expr().eq(kind.as_str()))
        .and_where(Column::UpTo.into_expr().gte(sequence))
        .order_by_expr(Column::UpTo.into_expr(), sea_orm::Order::Asc)
        .limit(1)
        .to_owned()
}
