//! What plugins tell people, beside the events that say that there was something: kept as long as the log keeps those.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, text, uuid, uuid_null},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0011_plugin_notices"
    }
}

#[derive(DeriveIden)]
enum PluginNotices {
    Table,
    WorkspaceId,
    Position,
    ConversationId,
    Payload,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(PluginNotices::Table)
                    .col(uuid(PluginNotices::WorkspaceId))
                    .col(big_integer(PluginNotices::Position))
                    .col(uuid_null(PluginNotices::ConversationId))
                    .col(text(PluginNotices::Payload))
                    .primary_key(Index::create().col(PluginNotices::WorkspaceId).col(PluginNotices::Position))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("plugin_notices_by_conversation")
                    .table(PluginNotices::Table)
                    .col(PluginNotices::ConversationId)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(PluginNotices::Table).to_owned()).await
    }
}
