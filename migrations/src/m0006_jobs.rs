//! Work that is to be done later, or again.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, text, text_null, uuid, uuid_null},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0006_jobs"
    }
}

#[derive(DeriveIden)]
enum Jobs {
    Table,
    Id,
    WorkspaceId,
    Kind,
    Key,
    Payload,
    State,
    DueAt,
    Lease,
    Attempts,
    LastError,
    CreatedAt,
    FinishedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Jobs::Table)
                    .col(uuid(Jobs::Id).primary_key())
                    .col(uuid_null(Jobs::WorkspaceId))
                    .col(text(Jobs::Kind))
                    .col(text_null(Jobs::Key).unique_key())
                    .col(text(Jobs::Payload))
                    .col(text(Jobs::State))
                    .col(big_integer_null(Jobs::DueAt))
                    .col(uuid_null(Jobs::Lease))
                    .col(big_integer(Jobs::Attempts))
                    .col(text_null(Jobs::LastError))
                    .col(big_integer(Jobs::CreatedAt))
                    .col(big_integer_null(Jobs::FinishedAt))
                    .to_owned(),
            )
            .await?;
        // What is finished is due no more, and so not in the way of what is.
        manager
            .create_index(
                Index::create().name("jobs_by_due").table(Jobs::Table).col(Jobs::DueAt).col(Jobs::Id).to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_by_end")
                    .table(Jobs::Table)
                    .col(Jobs::State)
                    .col(Jobs::FinishedAt)
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("jobs_by_workspace")
                    .table(Jobs::Table)
                    .col(Jobs::WorkspaceId)
                    .col(Jobs::Id)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Jobs::Table).to_owned()).await
    }
}
