//! Messages that were hidden from everybody stand apart from those that somebody may see, until they are gone for good; and what is
//! on legal hold.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, boolean, text, uuid, uuid_null},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0016_trims"
    }
}

/// The columns of `messages`, in their order, and when the message was hidden.
#[derive(DeriveIden)]
enum TrimmedMessages {
    Table,
    Id,
    WorkspaceId,
    ConversationId,
    Sequence,
    SenderId,
    Kind,
    Content,
    Body,
    ReplyToId,
    CreatedAt,
    EditedAt,
    DeletedAt,
    DeletedById,
    Hidden,
    TrimmedAt,
}

#[derive(DeriveIden)]
enum LegalHolds {
    Table,
    Id,
    WorkspaceId,
    ConversationId,
    UserId,
    Reason,
    CreatorId,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Conversations {
    Table,
    Trims,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use TrimmedMessages as Trimmed;
        let trimmed = Table::create()
            .table(Trimmed::Table)
            .col(uuid(Trimmed::Id))
            .col(uuid(Trimmed::WorkspaceId))
            .col(uuid(Trimmed::ConversationId))
            .col(big_integer(Trimmed::Sequence))
            .col(uuid(Trimmed::SenderId))
            .col(text(Trimmed::Kind))
            .col(text(Trimmed::Content))
            .col(text(Trimmed::Body))
            .col(uuid_null(Trimmed::ReplyToId))
            .col(big_integer(Trimmed::CreatedAt))
            .col(big_integer_null(Trimmed::EditedAt))
            .col(big_integer_null(Trimmed::DeletedAt))
            .col(uuid_null(Trimmed::DeletedById))
            .col(boolean(Trimmed::Hidden))
            .col(big_integer(Trimmed::TrimmedAt))
            .primary_key(Index::create().col(Trimmed::ConversationId).col(Trimmed::Sequence))
            .to_owned();
        manager.create_table(trimmed).await?;
        let holds = Table::create()
            .table(LegalHolds::Table)
            .col(uuid(LegalHolds::Id).primary_key())
            .col(uuid(LegalHolds::WorkspaceId))
            .col(uuid_null(LegalHolds::ConversationId))
            .col(uuid_null(LegalHolds::UserId))
            .col(text(LegalHolds::Reason))
            .col(uuid(LegalHolds::CreatorId))
            .col(big_integer(LegalHolds::CreatedAt))
            .to_owned();
        manager.create_table(holds).await?;
        let index = Index::create()
            .name("legal_holds_by_workspace")
            .table(LegalHolds::Table)
            .col(LegalHolds::WorkspaceId)
            .col(LegalHolds::Id)
            .to_owned();
        manager.create_index(index).await?;
        // How often something was hidden in a conversation: whoever has counted its messages sees whether they have to count again.
        let column = big_integer(Conversations::Trims).default(0).to_owned();
        manager.alter_table(Table::alter().table(Conversations::Table).add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Table::alter().table(Conversations::Table).drop_column(Conversations::Trims).to_owned();
        manager.alter_table(column).await?;
        manager.drop_table(Table::drop().table(LegalHolds::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(TrimmedMessages::Table).to_owned()).await
    }
}
