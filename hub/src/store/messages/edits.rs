//! Editing a message, and what it said before.

use async_trait::async_trait;
use jackfield_domain::{
    Fact, MessageId, Policy, Timestamp, UserId, WorkspaceId,
    messages::{CheckedBody, Message, MessageEdit, may_edit},
    pages::{Direction, Page, Slice},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::super::{Change, Store, Work, plugins::held, writer::FromPlugins};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "message_edits")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub body: String,
    pub written_at: i64,
    pub replaced_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for MessageEdit {
    fn from(row: Model) -> Self {
        MessageEdit {
            number: row.number,
            body: row.body,
            written_at: Timestamp(row.written_at),
            replaced_at: Timestamp(row.replaced_at),
        }
    }
}

impl Store {
    /// What a message said before, the oldest first, for a reader who was shown it.
    pub async fn message_edits(&self, message: MessageId, page: &Page<i64>) -> Result<Slice<MessageEdit>> {
        let rows = walk(message, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(MessageEdit::from).collect()))
    }
}

pub fn walk(message: MessageId, page: &Page<i64>) -> Select<Entity> {
    let walk = Entity::find().filter(Column::MessageId.eq(message.0)).limit(page.size as u64 + 1);
    let from = page.from.into_iter();
    match page.direction {
        Direction::Forward => {
            from.fold(walk, |walk, from| walk.filter(Column::Number.gt(from))).order_by_asc(Column::Number)
        }
        Direction::Backward => {
            from.fold(walk, |walk, from| walk.filter(Column::Number.lt(from))).order_by_desc(Column::Number)
        }
    }
}

/// Takes away what a message said before.
pub async fn forget(work: &Work, message: MessageId) -> Result<()> {
    Entity::delete_many().filter(Column::MessageId.eq(message.0)).exec(&work.transaction).await?;
    Ok(())
}

/// Puts other words into a message; the same words change nothing.
pub struct EditMessage {
    pub workspace: WorkspaceId,
    pub message: MessageId,
    pub by: UserId,
    pub at: Timestamp,
    pub body: CheckedBody,
    pub policy: Policy,
    /// What plugins leave, who were asked about it.
    pub plugins: FromPlugins,
}

#[async_trait]
impl Change for EditMessage {
    type Outcome = Message;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Message> {
        let (message, room, _) = super::seen(work, self.by, self.message).await?;
        may_edit(&message, room.status, self.by, self.at, &self.policy)?;
        held::commit_data(work, &self.plugins, self.at).await?;
        if message.body == self.body.as_str() {
            return Ok(message);
        }
        let last: Option<i64> = Entity::find()
            .filter(Column::MessageId.eq(message.id.0))
            .select_only()
            .column(Column::Number)
            .order_by_desc(Column::Number)
            .limit(1)
            .into_tuple()
            .one(&work.transaction)
            .await?;
        let written_at = message.edited_at.unwrap_or(message.created_at);
        // Clocks of nodes differ, but what came after was not written before.
        let at = self.at.max(written_at);
        let before = ActiveModel {
            message_id: Set(message.id.0),
            number: Set(last.unwrap_or_default() + 1),
            body: Set(message.body.clone()),
            written_at: Set(written_at.0),
            replaced_at: Set(at.0),
        };
        Entity::insert(before).exec_without_returning(&work.transaction).await?;
        let changed = super::ActiveModel {
            id: Set(message.id.0),
            body: Set(self.body.as_str().to_owned()),
            edited_at: Set(Some(at.0)),
            ..Default::default()
        };
        super::Entity::update(changed).exec(&work.transaction).await?;
        let fact =
            Fact::MessageEdited { conversation: message.conversation, message: message.id, sequence: message.sequence };
        work.record(Some(self.by), at, fact);
        Ok(Message { body: self.body.as_str().to_owned(), edited_at: Some(at), ..message })
    }
}
