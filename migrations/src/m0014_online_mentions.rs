//! Who was meant by a message only because they were there when it was said: an edit does not ask who is there again.

use sea_orm_migration::{prelude::*, schema::boolean};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0014_online_mentions"
    }
}

#[derive(DeriveIden)]
enum Mentions {
    Table,
    WasOnline,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = boolean(Mentions::WasOnline).default(false).take();
        manager.alter_table(Table::alter().table(Mentions::Table).add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(Mentions::Table).drop_column(Mentions::WasOnline).to_owned()).await
    }
}
