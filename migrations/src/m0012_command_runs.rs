//! What came of commands, kept for a day: a client that lost the answer asks again, and a commit whose outcome was unknown finds
//! out whether it took place.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, binary, text, text_null, uuid},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0012_command_runs"
    }
}

#[derive(DeriveIden)]
enum CommandRuns {
    Table,
    Id,
    UserId,
    Key,
    Fingerprint,
    Outcome,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(CommandRuns::Table)
                    .col(uuid(CommandRuns::Id).primary_key())
                    .col(uuid(CommandRuns::UserId))
                    .col(text_null(CommandRuns::Key))
                    .col(binary(CommandRuns::Fingerprint))
                    .col(text(CommandRuns::Outcome))
                    .col(big_integer(CommandRuns::CreatedAt))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("command_runs_by_key")
                    .table(CommandRuns::Table)
                    .col(CommandRuns::UserId)
                    .col(CommandRuns::Key)
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("command_runs_by_age")
                    .table(CommandRuns::Table)
                    .col(CommandRuns::CreatedAt)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(CommandRuns::Table).to_owned()).await
    }
}
