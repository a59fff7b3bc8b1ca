//! The record of what was done by the power of a role.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, text, text_null, uuid, uuid_null},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0002_audit"
    }
}

#[derive(DeriveIden)]
enum Audit {
    Table,
    Id,
    WorkspaceId,
    At,
    ActorId,
    Address,
    Action,
    Target,
    Details,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table(Audit::Table)
                    .col(uuid(Audit::Id).primary_key())
                    .col(uuid(Audit::WorkspaceId))
                    .col(big_integer(Audit::At))
                    .col(uuid_null(Audit::ActorId))
                    .col(text_null(Audit::Address))
                    .col(text(Audit::Action))
                    .col(text_null(Audit::Target))
                    .col(text(Audit::Details))
                    .to_owned(),
            )
            .await?;
        // Ids are made in the order of time, so that this is also the order of what happened.
        manager
            .create_index(
                Index::create()
                    .name("audit_by_time")
                    .table(Audit::Table)
                    .col(Audit::WorkspaceId)
                    .col(Audit::Id)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Audit::Table).to_owned()).await
    }
}
