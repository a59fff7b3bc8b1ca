//! Messages and the history of a conversation.

use jackfield_domain::{
    ConversationId, MessageId, Timestamp, UserId, WorkspaceId,
    messages::{Message, MessageKind},
    pages::{Direction, Page, Slice},
};
use sea_orm::{ActiveValue::Set, JoinType, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Store, members};
use crate::{Error, Result};

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
    pub body: String,
    pub reply_to_id: Option<Uuid>,
    pub created_at: i64,
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
            body: row.body,
            reply_to: row.reply_to_id.map(MessageId),
            created_at: Timestamp(row.created_at),
        })
    }
}

impl From<&Message> for ActiveModel {
    fn from(message: &Message) -> Self {
        ActiveModel {
            id: Set(message.id.0),
            workspace_id: Set(message.workspace.0),
            conversation_id: Set(message.conversation.0),
            sequence: Set(message.sequence),
            sender_id: Set(message.sender.0),
            kind: Set(message.kind.as_str().to_owned()),
            body: Set(message.body.clone()),
            reply_to_id: Set(message.reply_to.map(|id| id.0)),
            created_at: Set(message.created_at.0),
        }
    }
}

impl Store {
    /// These messages, as far as the user takes part in their conversations.
    pub async fn messages_for(&self, user: UserId, ids: &[MessageId]) -> Result<Vec<Message>> {
        let rows = readable(user, ids).all(&self.reads).await?;
        rows.into_iter().map(Message::try_from).collect()
    }

    /// These messages, for a reader who is known to be allowed to see their conversation.
    pub async fn messages(&self, ids: &[MessageId]) -> Result<Vec<Message>> {
        let rows = by_ids(ids).all(&self.reads).await?;
        rows.into_iter().map(Message::try_from).collect()
    }

    /// A page of a conversation's messages, in the order of their sequence.
    pub async fn history(&self, conversation: ConversationId, page: &Page<i64>) -> Result<Slice<Message>> {
        let rows = walk(conversation, page).all(&self.reads).await?;
        let messages = rows.into_iter().map(Message::try_from).collect::<Result<_>>()?;
        Ok(Slice::of_walk(page, messages))
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
    by_ids(ids).join(JoinType::InnerJoin, Relation::Members.def()).filter(members::Column::UserId.eq(user.0))
}

pub fn walk(conversation: ConversationId, page: &Page<i64>) -> Select<Entity> {
    let walk = Entity::find().filter(Column::ConversationId.eq(conversation.0)).limit(page.size as u64 + 1);
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

pub fn first_from(conversation: ConversationId, moment: Timestamp) -> Select<Entity> {
    // Within a conversation time never runs backwards, so that the order of time is also the order of the sequence.
    Entity::find()
        .filter(Column::ConversationId.eq(conversation.0))
        .filter(Column::CreatedAt.gte(moment.0))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Sequence)
        .limit(1)
}
