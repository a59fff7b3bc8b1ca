//! A value of a plugin's own beside a message: one per message and plugin.

use std::collections::HashMap;

use jackfield_domain::{MessageId, plugins::PluginId};
use sea_orm::{ActiveValue::Set, ConnectionTrait, entity::prelude::*, sea_query::OnConflict};

use super::super::Store;
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "annotations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub plugin_id: String,
    /// JSON.
    pub value: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// What a plugin has attached to these messages.
    pub async fn annotations(&self, plugin: &PluginId, ids: &[MessageId]) -> Result<HashMap<MessageId, String>> {
        let rows = Entity::find()
            .filter(Column::MessageId.is_in(ids.iter().map(|id| id.0)))
            .filter(Column::PluginId.eq(plugin.as_str()))
            .all(&self.reads)
            .await?;
        Ok(rows.into_iter().map(|row| (MessageId(row.message_id), row.value)).collect())
    }
}

/// Puts a value in the place of what there was; none takes it away. Whether that made a difference.
pub async fn set(
    database: &impl ConnectionTrait,
    plugin: &PluginId,
    message: MessageId,
    value: Option<&str>,
) -> Result<bool> {
    let before = Entity::find_by_id((message.0, plugin.to_string())).one(database).await?.map(|row| row.value);
    if before.as_deref() == value {
        return Ok(false);
    }
    let Some(value) = value else {
        Entity::delete_by_id((message.0, plugin.to_string())).exec(database).await?;
        return Ok(true);
    };
    let row =
        ActiveModel { message_id: Set(message.0), plugin_id: Set(plugin.to_string()), value: Set(value.to_owned()) };
    let over = OnConflict::columns([Column::MessageId, Column::PluginId]).update_column(Column::Value).to_owned();
    Entity::insert(row).on_conflict(over).exec_without_returning(database).await?;
    Ok(true)
}

/// Nothing is left beside messages that are no more.
pub async fn forget(database: &impl ConnectionTrait, messages: &[MessageId]) -> Result<()> {
    Entity::delete_many().filter(Column::MessageId.is_in(messages.iter().map(|id| id.0))).exec(database).await?;
    Ok(())
}
