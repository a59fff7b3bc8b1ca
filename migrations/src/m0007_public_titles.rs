//! The words of the titles of public groups, by which they are found.

use sea_orm_migration::{
    prelude::*,
    schema::{binary, uuid},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0007_public_titles"
    }
}

#[derive(DeriveIden)]
enum PublicTitleWords {
    Table,
    WorkspaceId,
    Word,
    ConversationId,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create()
            .table(PublicTitleWords::Table)
            .col(uuid(PublicTitleWords::WorkspaceId))
            .col(binary(PublicTitleWords::Word))
            .col(uuid(PublicTitleWords::ConversationId))
            .primary_key(
                Index::create()
                    .col(PublicTitleWords::WorkspaceId)
                    .col(PublicTitleWords::Word)
                    .col(PublicTitleWords::ConversationId),
            )
            .to_owned();
        // Rows that are found only by their key live in the key's own tree: one write instead of two.
        if manager.get_database_backend() == DbBackend::Sqlite {
            table.extra("WITHOUT ROWID");
        }
        manager.create_table(table).await?;
        manager
            .create_index(
                Index::create()
                    .name("public_title_words_by_conversation")
                    .table(PublicTitleWords::Table)
                    .col(PublicTitleWords::ConversationId)
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(PublicTitleWords::Table).to_owned()).await
    }
}
