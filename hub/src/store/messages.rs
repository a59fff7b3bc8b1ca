//! Messages and the history of a conversation.

pub mod deletions;
pub mod details;
pub mod edits;
pub mod trims;

use jackfield_domain::{
    ConversationId, ConversationRole, MessageId, Rejection, Timestamp, UserId, WorkspaceId,
    conversations::{Conversation, Member},
    messages::{ContentType, Deletion, Message, MessageKind},
    pages::{Direction, Page, Slice},
};
use sea_orm::{
    ActiveValue::Set,
    JoinType, Order, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{ExprTrait, Func, Query, SimpleExpr},
};

use super::{Store, Work, conversations, members};
use crate::{Error, Result};
use deletions::not_hidden_from;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub conversation_id: Uuid,
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
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "members::Entity", from = "Column::ConversationId", to = "members::Column::ConversationId")]
    Members,
}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Message {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Message {
            id: MessageId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            conversation: ConversationId(row.conversation_id),
            sequence: row.sequence,
            sender: UserId(row.sender_id),
            kind: MessageKind::from_word(&row.kind).ok_or_else(|| Error::internal("unknown kind of message"))?,
            content: ContentType::from_word(&row.content)
                .ok_or_else(|| Error::internal("unknown content of a message"))?,
            body: row.body,
            reply_to: row.reply_to_id.map(MessageId),
            created_at: Timestamp(row.created_at),
            edited_at: row.edited_at.map(Timestamp),
            deleted: row
                .deleted_at
                .zip(row.deleted_by_id)
                .map(|(at, by)| Deletion { at: Timestamp(at), by: UserId(by) }),
            hidden: row.hidden,
        })
    }
}

/// The row of a message that is new.
impl From<&Message> for ActiveModel {
    fn from(message: &Message) -> Self {
        ActiveModel {
            id: Set(message.id.0),
            workspace_id: Set(message.workspace.0),
            conversation_id: Set(message.conversation.0),
            sequence: Set(message.sequence),
            sender_id: Set(message.sender.0),
            kind: Set(message.kind.as_str().to_owned()),
            content: Set(message.content.as_str().to_owned()),
            body: Set(message.body.clone()),
            reply_to_id: Set(message.reply_to.map(|id| id.0)),
            created_at: Set(message.created_at.0),
            // Whatever becomes of it later has a value from the database until then.
            ..Default::default()
        }
    }
}

impl Store {
    /// These messages, as far as the user takes part in their conversations and has not deleted them for themselves.
    pub async fn messages_for(&self, user: UserId, ids: &[MessageId]) -> Result<Vec<Message>> {
        let rows = readable(user, ids).all(&self.reads).await?;
        rows.into_iter().map(Message::try_from).collect()
    }

    /// These messages, for a reader who is known to be allowed to see their conversation.
    pub async fn messages(&self, ids: &[MessageId]) -> Result<Vec<Message>> {
        let rows = by_ids(ids).all(&self.reads).await?;
        rows.into_iter().map(Message::try_from).collect()
    }

    /// A page of a conversation's messages, in the order of their sequence: as the user sees them, or as they are where
    /// nobody in particular looks.
    pub async fn history(
        &self,
        user: Option<UserId>,
        conversation: ConversationId,
        page: &Page<i64>,
    ) -> Result<Slice<Message>> {
        let rows = walk(user, conversation, page).all(&self.reads).await?;
        let messages = rows.into_iter().map(Message::try_from).collect::<Result<_>>()?;
        Ok(Slice::of_walk(page, messages))
    }

    /// The last message of each of these conversations that the user takes part in and has not deleted for themselves.
    pub async fn last_messages(&self, user: UserId, conversations: &[ConversationId]) -> Result<Vec<Message>> {
        let rows = last_of_each(user, conversations).all(&self.reads).await?;
        rows.into_iter().map(Message::try_from).collect()
    }

    /// The sequence number of the first message that was sent at `moment` or later.
    pub async fn first_sequence_from(&self, conversation: ConversationId, moment: Timestamp) -> Result<Option<i64>> {
        Ok(first_from(conversation, moment).one(&self.reads).await?.map(|row| row.sequence))
    }
}

fn by_ids(ids: &[MessageId]) -> Select<Entity> {
    Entity::find().filter(Column::Id.is_in(ids.iter().map(|id| id.0)))
}

pub fn readable(user: UserId, ids: &[MessageId]) -> Select<Entity> {
    by_ids(ids)
        .join(JoinType::InnerJoin, Relation::Members.def())
        .filter(members::Column::UserId.eq(user.0))
        .filter(Column::Sequence.into_expr().gt(members::Column::FromSequence.into_expr()))
        .filter(not_hidden_from(user))
}

/// A message that somebody wants to change, where it is, and what they are there; nothing if they do not see it.
async fn seen(work: &Work, user: UserId, id: MessageId) -> Result<(Message, Conversation, ConversationRole)> {
    let none = || Rejection::NotFound { what: "message", field: "messageId" };
    let row = readable(user, &[id]).one(&work.transaction).await?.ok_or_else(none)?;
    let found = members::Entity::find_by_id((row.conversation_id, user.0))
        .find_also_related(conversations::Entity)
        .one(&work.transaction)
        .await?;
    let Some((member, Some(room))) = found else { return Err(none().into()) };
    Ok((row.try_into()?, room.try_into()?, Member::try_from(member)?.role))
}

pub fn walk(user: Option<UserId>, conversation: ConversationId, page: &Page<i64>) -> Select<Entity> {
    let all = Entity::find().filter(Column::ConversationId.eq(conversation.0)).limit(page.size as u64 + 1);
    let walk = user.into_iter().fold(all, |all, user| as_seen_by(all, user, conversation));
    match page.direction {
        Direction::Forward => page
            .from
            .into_iter()
            .fold(walk, |walk, from| walk.filter(Column::Sequence.gt(from)))
            .order_by_asc(Column::Sequence),
        Direction::Backward => page
            .from
            .into_iter()
            .fold(walk, |walk, from| walk.filter(Column::Sequence.lt(from)))
            .order_by_desc(Column::Sequence),
    }
}

/// Without what was said before the user came, if that is not for them, and what they have deleted for themselves.
fn as_seen_by(all: Select<Entity>, user: UserId, conversation: ConversationId) -> Select<Entity> {
    let from_sequence = Query::select()
        .column(members::Column::FromSequence)
        .from(members::Entity)
        .and_where(members::Column::ConversationId.eq(conversation.0))
        .and_where(members::Column::UserId.eq(user.0))
        .to_owned();
    let begins_after = Func::coalesce([SimpleExpr::from(from_sequence), 0_i64.into()]);
    all.filter(Column::Sequence.into_expr().gt(begins_after)).filter(not_hidden_from(user))
}

/// For each conversation its index is walked from the end, to the first message that is not hidden.
pub fn last_of_each(user: UserId, conversations: &[ConversationId]) -> Select<Entity> {
    let last = Query::select()
        .expr(Column::Id.into_expr())
        .from(Entity)
        .and_where(Column::ConversationId.into_expr().eq(members::Column::ConversationId.into_expr()))
        .and_where(Column::Sequence.into_expr().gt(members::Column::FromSequence.into_expr()))
        .cond_where(not_hidden_from(user))
        .order_by_expr(Column::Sequence.into_expr(), Order::Desc)
        .limit(1)
        .to_owned();
    let of_each = Query::select()
        .expr(last)
        .from(members::Entity)
        .and_where(members::Column::UserId.into_expr().eq(user.0))
        .and_where(members::Column::ConversationId.into_expr().is_in(conversations.iter().map(|id| id.0)))
        .to_owned();
    Entity::find().filter(Column::Id.in_subquery(of_each))
}

pub fn first_from(conversation: ConversationId, moment: Timestamp) -> Select<Entity> {
    // Within a conversation time never runs backwards, so that the order of time is also the order of the sequence.
    Entity::find()
        .filter(Column::ConversationId.eq(conversation.0))
        .filter(Column::CreatedAt.gte(moment.0))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Sequence)
        .limit(1)
}
