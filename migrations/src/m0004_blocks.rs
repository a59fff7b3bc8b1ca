//! Who wants to have nothing to do with whom.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, uuid},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_blocks"
    }
}

#[derive(DeriveIden)]
enum Blocks {
    Table,
    UserId,
    BlockedId,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create()
            .table(Blocks::Table)
            .col(uuid(Blocks::UserId))
            .col(uuid(Blocks::BlockedId))
            .col(big_integer(Blocks::CreatedAt))
            .primary_key(Index::create().col(Blocks::UserId).col(Blocks::BlockedId))
            .to_owned();
        // Rows that are found only by their key live in the key's own tree: one write instead of two.
        if manager.get_database_backend() == DbBackend::Sqlite {
            table.extra("WITHOUT ROWID");
        }
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Blocks::Table).to_owned()).await
    }
}
