//! Plugins: what is installed and where it is on, what they keep for themselves, and what they leave with messages.
//!
//! The packages themselves lie beside the database. Like the tables of messages these have no foreign keys: one place
//! writes them, under the lock of the log.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, binary, boolean, boolean_null, text, text_null, uuid, uuid_null},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0008_plugins"
    }
}

#[derive(DeriveIden)]
enum PluginPackages {
    Table,
    Hash,
    PluginId,
    Version,
    DataVersion,
    Manifest,
    Bytes,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Plugins {
    Table,
    PluginId,
    PackageHash,
    PreviousHash,
    PendingHash,
    State,
    IsDefault,
    Grants,
    Settings,
    InstalledAt,
}

#[derive(DeriveIden)]
enum PluginWorkspaces {
    Table,
    WorkspaceId,
    PluginId,
    IsOn,
    Configuration,
    Grants,
    Settings,
    DataVersion,
    BotUserId,
    Position,
    Failures,
    Lease,
    LeaseUntil,
    StorageBytes,
    OffReason,
    Listens,
}

#[derive(DeriveIden)]
enum PluginConversations {
    Table,
    ConversationId,
    PluginId,
    WorkspaceId,
    IsOn,
}

#[derive(DeriveIden)]
enum PluginData {
    Table,
    WorkspaceId,
    PluginId,
    Key,
    Value,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum Annotations {
    Table,
    MessageId,
    PluginId,
    Value,
}

#[derive(DeriveIden)]
enum Mentions {
    Table,
    MessageId,
    UserId,
    PluginId,
    ConversationId,
    Sequence,
}

#[derive(DeriveIden)]
enum HeldMessages {
    Table,
    Id,
    WorkspaceId,
    ConversationId,
    SenderId,
    Draft,
    PluginId,
    Reason,
    State,
    MessageId,
    CreatedAt,
    DecidedAt,
    DecidedById,
    Note,
}

#[derive(DeriveIden)]
enum PluginLogs {
    Table,
    WorkspaceId,
    PluginId,
    Id,
    Level,
    Text,
    At,
}

#[derive(DeriveIden)]
enum PluginDeadLetters {
    Table,
    Id,
    WorkspaceId,
    PluginId,
    Position,
    Problem,
    Attempts,
    CreatedAt,
}

#[derive(DeriveIden)]
enum PluginVerdicts {
    Table,
    MessageId,
    Number,
    WorkspaceId,
    PluginId,
    Hook,
    Verdict,
    Code,
    Reason,
    At,
}

#[derive(DeriveIden)]
enum PluginSecrets {
    Table,
    WorkspaceId,
    PluginId,
    Name,
    Value,
}

#[derive(DeriveIden)]
enum PluginGeneration {
    Table,
    Id,
    Number,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Rows that are found only by their key live in the key's own tree: one write instead of two.
        let keyed = |mut table: TableCreateStatement| {
            if manager.get_database_backend() == DbBackend::Sqlite {
                table.extra("WITHOUT ROWID");
            }
            table
        };
        for table in [
            Table::create()
                .table(PluginPackages::Table)
                .col(text(PluginPackages::Hash).primary_key())
                .col(text(PluginPackages::PluginId))
                .col(text(PluginPackages::Version))
                .col(big_integer(PluginPackages::DataVersion))
                .col(text(PluginPackages::Manifest))
                .col(big_integer(PluginPackages::Bytes))
                .col(big_integer(PluginPackages::CreatedAt))
                .to_owned(),
            // What is installed on the hub, which package of it is in force, and which one was before.
            Table::create()
                .table(Plugins::Table)
                .col(text(Plugins::PluginId).primary_key())
                .col(text(Plugins::PackageHash))
                .col(text_null(Plugins::PreviousHash))
                .col(text_null(Plugins::PendingHash))
                .col(text(Plugins::State))
                .col(boolean(Plugins::IsDefault))
                .col(text(Plugins::Grants))
                .col(text(Plugins::Settings))
                .col(big_integer(Plugins::InstalledAt))
                .to_owned(),
            // What a workspace has made of a plugin, and how far the plugin has come in its log.
            keyed(
                Table::create()
                    .table(PluginWorkspaces::Table)
                    .col(uuid(PluginWorkspaces::WorkspaceId))
                    .col(text(PluginWorkspaces::PluginId))
                    .col(boolean_null(PluginWorkspaces::IsOn))
                    .col(text(PluginWorkspaces::Configuration))
                    .col(text_null(PluginWorkspaces::Grants))
                    .col(text(PluginWorkspaces::Settings))
                    .col(big_integer_null(PluginWorkspaces::DataVersion))
                    .col(uuid_null(PluginWorkspaces::BotUserId))
                    .col(big_integer(PluginWorkspaces::Position))
                    .col(big_integer(PluginWorkspaces::Failures))
                    .col(uuid_null(PluginWorkspaces::Lease))
                    .col(big_integer_null(PluginWorkspaces::LeaseUntil))
                    .col(big_integer(PluginWorkspaces::StorageBytes))
                    .col(text_null(PluginWorkspaces::OffReason))
                    .col(boolean(PluginWorkspaces::Listens).default(false))
                    .primary_key(Index::create().col(PluginWorkspaces::WorkspaceId).col(PluginWorkspaces::PluginId))
                    .to_owned(),
            ),
            keyed(
                Table::create()
                    .table(PluginConversations::Table)
                    .col(uuid(PluginConversations::ConversationId))
                    .col(text(PluginConversations::PluginId))
                    .col(uuid(PluginConversations::WorkspaceId))
                    .col(boolean(PluginConversations::IsOn))
                    .primary_key(
                        Index::create().col(PluginConversations::ConversationId).col(PluginConversations::PluginId),
                    )
                    .to_owned(),
            ),
            // Keys are bytes, so that both databases have them in the same order.
            keyed(
                Table::create()
                    .table(PluginData::Table)
                    .col(uuid(PluginData::WorkspaceId))
                    .col(text(PluginData::PluginId))
                    .col(binary(PluginData::Key))
                    .col(binary(PluginData::Value))
                    .col(big_integer_null(PluginData::ExpiresAt))
                    .primary_key(
                        Index::create().col(PluginData::WorkspaceId).col(PluginData::PluginId).col(PluginData::Key),
                    )
                    .to_owned(),
            ),
            keyed(
                Table::create()
                    .table(Annotations::Table)
                    .col(uuid(Annotations::MessageId))
                    .col(text(Annotations::PluginId))
                    .col(text(Annotations::Value))
                    .primary_key(Index::create().col(Annotations::MessageId).col(Annotations::PluginId))
                    .to_owned(),
            ),
            keyed(
                Table::create()
                    .table(Mentions::Table)
                    .col(uuid(Mentions::MessageId))
                    .col(uuid(Mentions::UserId))
                    .col(text(Mentions::PluginId))
                    .col(uuid(Mentions::ConversationId))
                    .col(big_integer(Mentions::Sequence))
                    .primary_key(Index::create().col(Mentions::MessageId).col(Mentions::UserId).col(Mentions::PluginId))
                    .to_owned(),
            ),
            // What a plugin wants people to look at before it is sent.
            Table::create()
                .table(HeldMessages::Table)
                .col(uuid(HeldMessages::Id).primary_key())
                .col(uuid(HeldMessages::WorkspaceId))
                .col(uuid(HeldMessages::ConversationId))
                .col(uuid(HeldMessages::SenderId))
                .col(text(HeldMessages::Draft))
                .col(text(HeldMessages::PluginId))
                .col(text(HeldMessages::Reason))
                .col(text(HeldMessages::State))
                .col(uuid(HeldMessages::MessageId))
                .col(big_integer(HeldMessages::CreatedAt))
                .col(big_integer_null(HeldMessages::DecidedAt))
                .col(uuid_null(HeldMessages::DecidedById))
                .col(text_null(HeldMessages::Note))
                .to_owned(),
            keyed(
                Table::create()
                    .table(PluginLogs::Table)
                    .col(uuid(PluginLogs::WorkspaceId))
                    .col(text(PluginLogs::PluginId))
                    .col(uuid(PluginLogs::Id))
                    .col(text(PluginLogs::Level))
                    .col(text(PluginLogs::Text))
                    .col(big_integer(PluginLogs::At))
                    .primary_key(
                        Index::create().col(PluginLogs::WorkspaceId).col(PluginLogs::PluginId).col(PluginLogs::Id),
                    )
                    .to_owned(),
            ),
            Table::create()
                .table(PluginDeadLetters::Table)
                .col(uuid(PluginDeadLetters::Id).primary_key())
                .col(uuid(PluginDeadLetters::WorkspaceId))
                .col(text(PluginDeadLetters::PluginId))
                .col(big_integer(PluginDeadLetters::Position))
                .col(text(PluginDeadLetters::Problem))
                .col(big_integer(PluginDeadLetters::Attempts))
                .col(big_integer(PluginDeadLetters::CreatedAt))
                .to_owned(),
            // What plugins did to a message, where they did anything.
            keyed(
                Table::create()
                    .table(PluginVerdicts::Table)
                    .col(uuid(PluginVerdicts::MessageId))
                    .col(big_integer(PluginVerdicts::Number))
                    .col(uuid(PluginVerdicts::WorkspaceId))
                    .col(text(PluginVerdicts::PluginId))
                    .col(text(PluginVerdicts::Hook))
                    .col(text(PluginVerdicts::Verdict))
                    .col(text_null(PluginVerdicts::Code))
                    .col(text_null(PluginVerdicts::Reason))
                    .col(big_integer(PluginVerdicts::At))
                    .primary_key(Index::create().col(PluginVerdicts::MessageId).col(PluginVerdicts::Number))
                    .to_owned(),
            ),
            keyed(
                Table::create()
                    .table(PluginSecrets::Table)
                    .col(uuid(PluginSecrets::WorkspaceId))
                    .col(text(PluginSecrets::PluginId))
                    .col(text(PluginSecrets::Name))
                    .col(binary(PluginSecrets::Value))
                    .primary_key(
                        Index::create()
                            .col(PluginSecrets::WorkspaceId)
                            .col(PluginSecrets::PluginId)
                            .col(PluginSecrets::Name),
                    )
                    .to_owned(),
            ),
            // One row, whose number grows with every change of anything about plugins: nodes look at it.
            Table::create()
                .table(PluginGeneration::Table)
                .col(big_integer(PluginGeneration::Id).primary_key())
                .col(big_integer(PluginGeneration::Number))
                .to_owned(),
        ] {
            manager.create_table(table).await?;
        }
        for index in [
            Index::create()
                .name("mentions_by_user")
                .table(Mentions::Table)
                .col(Mentions::UserId)
                .col(Mentions::ConversationId)
                .col(Mentions::Sequence)
                .to_owned(),
            Index::create()
                .name("mentions_by_message_of_user")
                .table(Mentions::Table)
                .col(Mentions::UserId)
                .col(Mentions::MessageId)
                .to_owned(),
            Index::create()
                .name("held_messages_by_conversation")
                .table(HeldMessages::Table)
                .col(HeldMessages::ConversationId)
                .to_owned(),
            Index::create()
                .name("plugin_verdicts_by_workspace")
                .table(PluginVerdicts::Table)
                .col(PluginVerdicts::WorkspaceId)
                .to_owned(),
            Index::create()
                .name("held_messages_by_state")
                .table(HeldMessages::Table)
                .col(HeldMessages::WorkspaceId)
                .col(HeldMessages::State)
                .col(HeldMessages::Id)
                .to_owned(),
            Index::create()
                .name("plugin_dead_letters_by_plugin")
                .table(PluginDeadLetters::Table)
                .col(PluginDeadLetters::WorkspaceId)
                .col(PluginDeadLetters::PluginId)
                .col(PluginDeadLetters::Id)
                .to_owned(),
            Index::create()
                .name("plugin_conversations_by_workspace")
                .table(PluginConversations::Table)
                .col(PluginConversations::WorkspaceId)
                .col(PluginConversations::PluginId)
                .to_owned(),
            Index::create().name("plugin_data_by_end").table(PluginData::Table).col(PluginData::ExpiresAt).to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        let only = Query::insert()
            .into_table(PluginGeneration::Table)
            .columns([PluginGeneration::Id, PluginGeneration::Number])
            .values_panic([1_i64.into(), 0_i64.into()])
            .to_owned();
        manager.execute(only).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables: [TableRef; 13] = [
            PluginPackages::Table.into_table_ref(),
            Plugins::Table.into_table_ref(),
            PluginWorkspaces::Table.into_table_ref(),
            PluginConversations::Table.into_table_ref(),
            PluginData::Table.into_table_ref(),
            Annotations::Table.into_table_ref(),
            Mentions::Table.into_table_ref(),
            HeldMessages::Table.into_table_ref(),
            PluginLogs::Table.into_table_ref(),
            PluginDeadLetters::Table.into_table_ref(),
            PluginVerdicts::Table.into_table_ref(),
            PluginSecrets::Table.into_table_ref(),
            PluginGeneration::Table.into_table_ref(),
        ];
        for table in tables {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
