//! What stands around messages: earlier bodies, what is beside the body, who hides what, and how far who has come.
//!
//! Like the messages themselves these tables have no foreign keys: one place writes them, under the lock of the log.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, boolean, double_null, text, text_null, uuid},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0005_messages"
    }
}

#[derive(DeriveIden)]
enum MessageEdits {
    Table,
    MessageId,
    Number,
    Body,
    WrittenAt,
    ReplacedAt,
}

#[derive(DeriveIden)]
enum MessageDetails {
    Table,
    MessageId,
    Latitude,
    Longitude,
    Label,
    Metadata,
}

#[derive(DeriveIden)]
enum HiddenMessages {
    Table,
    UserId,
    ConversationId,
    Sequence,
    IsOwn,
    HiddenAt,
}

#[derive(DeriveIden)]
enum Receipts {
    Table,
    ConversationId,
    UserId,
    Kind,
    UpTo,
    After,
    At,
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
        manager
            .create_table(keyed(
                Table::create()
                    .table(MessageEdits::Table)
                    .col(uuid(MessageEdits::MessageId))
                    .col(big_integer(MessageEdits::Number))
                    .col(text(MessageEdits::Body))
                    .col(big_integer(MessageEdits::WrittenAt))
                    .col(big_integer(MessageEdits::ReplacedAt))
                    .primary_key(Index::create().col(MessageEdits::MessageId).col(MessageEdits::Number))
                    .to_owned(),
            ))
            .await?;
        manager
            .create_table(keyed(
                Table::create()
                    .table(MessageDetails::Table)
                    .col(uuid(MessageDetails::MessageId).primary_key())
                    .col(double_null(MessageDetails::Latitude))
                    .col(double_null(MessageDetails::Longitude))
                    .col(text_null(MessageDetails::Label))
                    .col(text_null(MessageDetails::Metadata))
                    .to_owned(),
            ))
            .await?;
        manager
            .create_table(keyed(
                Table::create()
                    .table(HiddenMessages::Table)
                    .col(uuid(HiddenMessages::UserId))
                    .col(uuid(HiddenMessages::ConversationId))
                    .col(big_integer(HiddenMessages::Sequence))
                    .col(boolean(HiddenMessages::IsOwn))
                    .col(big_integer(HiddenMessages::HiddenAt))
                    .primary_key(
                        Index::create()
                            .col(HiddenMessages::UserId)
                            .col(HiddenMessages::ConversationId)
                            .col(HiddenMessages::Sequence),
                    )
                    .to_owned(),
            ))
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("hidden_messages_by_conversation")
                    .table(HiddenMessages::Table)
                    .col(HiddenMessages::ConversationId)
                    .to_owned(),
            )
            .await?;
        // A row is a range: everything after `after`, up to and with `up_to`.
        manager
            .create_table(keyed(
                Table::create()
                    .table(Receipts::Table)
                    .col(uuid(Receipts::ConversationId))
                    .col(uuid(Receipts::UserId))
                    .col(text(Receipts::Kind))
                    .col(big_integer(Receipts::UpTo))
                    .col(big_integer(Receipts::After))
                    .col(big_integer(Receipts::At))
                    .primary_key(
                        Index::create()
                            .col(Receipts::ConversationId)
                            .col(Receipts::UserId)
                            .col(Receipts::Kind)
                            .col(Receipts::UpTo),
                    )
                    .to_owned(),
            ))
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables: [TableRef; 4] = [
            Receipts::Table.into_table_ref(),
            HiddenMessages::Table.into_table_ref(),
            MessageDetails::Table.into_table_ref(),
            MessageEdits::Table.into_table_ref(),
        ];
        for table in tables {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
