//! How far a plugin has come with preparing itself in a workspace, and which package would not do there.

use sea_orm_migration::{prelude::*, schema::text_null};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0010_plugin_life"
    }
}

#[derive(DeriveIden)]
enum PluginWorkspaces {
    Table,
    Resume,
    RefusedHash,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [text_null(PluginWorkspaces::Resume), text_null(PluginWorkspaces::RefusedHash)] {
            let table = Table::alter().table(PluginWorkspaces::Table).add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [PluginWorkspaces::RefusedHash, PluginWorkspaces::Resume] {
            let table = Table::alter().table(PluginWorkspaces::Table).drop_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}
