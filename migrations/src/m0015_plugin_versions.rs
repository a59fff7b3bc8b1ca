//! Which version of a plugin a hub has seen at most, so that one that comes with the hub overrules nobody who went back.

use sea_orm_migration::{prelude::*, schema::text_null};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0015_plugin_versions"
    }
}

#[derive(DeriveIden)]
enum Plugins {
    Table,
    NewestVersion,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = text_null(Plugins::NewestVersion);
        manager.alter_table(Table::alter().table(Plugins::Table).add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(Plugins::Table).drop_column(Plugins::NewestVersion).to_owned()).await
    }
}
