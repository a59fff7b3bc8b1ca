//! What plugins tell people. The log says that there was something and whom it is for; what it says stands here, and goes
//! when the log forgets it, or with the conversation whose members it is for.

use jackfield_domain::{
    ConversationId, Fact, Position, Timestamp, UserId, WorkspaceId,
    plugins::{Audience, Notice, PluginId},
};
use sea_orm::{ActiveValue::Set, ConnectionTrait, QuerySelect, entity::prelude::*};

use super::super::{Store, Work, conversations};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_notices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: Uuid,
    /// Of the event.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub conversation_id: Option<Uuid>,
    /// JSON.
    pub payload: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// What the event at a position says, for who is known to be meant by it.
    pub async fn notice(&self, workspace: WorkspaceId, position: Position) -> Result<Option<String>> {
        let row = Entity::find_by_id((workspace.0, position.0)).one(&self.reads).await?;
        Ok(row.map(|row| row.payload))
    }
}

/// Tells people something, within a change.
pub async fn tell(
    work: &mut Work,
    workspace: WorkspaceId,
    plugin: &PluginId,
    actor: Option<UserId>,
    notice: &Notice,
    at: Timestamp,
) -> Result<()> {
    let conversation = match &notice.audience {
        Audience::Conversation(conversation) => {
            let found = conversations::Entity::find_by_id(conversation.0)
                .filter(conversations::Column::WorkspaceId.eq(workspace.0))
                .one(&work.transaction)
                .await?;
            if found.is_none() {
                return Ok(());
            }
            Some(conversation.0)
        }
        Audience::Users(_) | Audience::Moderators | Audience::Admins => None,
    };
    let row = ActiveModel {
        workspace_id: Set(workspace.0),
        position: Set(work.next_position().0),
        conversation_id: Set(conversation),
        payload: Set(notice.payload.clone()),
    };
    Entity::insert(row).exec_without_returning(&work.transaction).await?;
    let fact =
        Fact::PluginEvent { plugin: plugin.clone(), kind: notice.kind.clone(), audience: notice.audience.clone() };
    work.record(actor, at, fact);
    Ok(())
}

/// Nothing is left of what the log does not speak of any more.
pub async fn trim(database: &impl ConnectionTrait, workspace: WorkspaceId, tail: Position) -> Result<()> {
    Entity::delete_many()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::Position.lte(tail.0))
        .exec(database)
        .await?;
    Ok(())
}

/// Takes away some of what was told in a conversation that is no more; answers whether there was anything.
pub async fn purge(database: &impl ConnectionTrait, conversation: ConversationId, limit: u64) -> Result<bool> {
    let rows = Entity::find().filter(Column::ConversationId.eq(conversation.0)).limit(limit).all(database).await?;
    let Some(first) = rows.first() else { return Ok(false) };
    Entity::delete_many()
        .filter(Column::WorkspaceId.eq(first.workspace_id))
        .filter(Column::Position.is_in(rows.iter().map(|row| row.position)))
        .exec(database)
        .await?;
    Ok(true)
}
