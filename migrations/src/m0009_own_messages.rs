//! How many messages of their own a member has sent behind what they have read, which was counted by an index until now.

use sea_orm_migration::{prelude::*, schema::big_integer};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0009_own_messages"
    }
}

#[derive(DeriveIden)]
enum Members {
    Table,
    ConversationId,
    UserId,
    ReadSequence,
    OwnSinceRead,
}

#[derive(DeriveIden)]
enum Messages {
    Table,
    ConversationId,
    SenderId,
    Sequence,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// The column and what stands in it come together, or not at all.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = big_integer(Members::OwnSinceRead).default(0).to_owned();
        manager.alter_table(Table::alter().table(Members::Table).add_column(column).to_owned()).await?;
        // The index that goes is walked once more, a member at a time.
        let own = Query::select()
            .expr(Expr::col(Asterisk).count())
            .from(Messages::Table)
            .and_where(of_member(Messages::ConversationId).equals((Members::Table, Members::ConversationId)))
            .and_where(of_member(Messages::SenderId).equals((Members::Table, Members::UserId)))
            .and_where(of_member(Messages::Sequence).gt(Expr::col((Members::Table, Members::ReadSequence))))
            .to_owned();
        let counted = Query::update().table(Members::Table).value(Members::OwnSinceRead, own).to_owned();
        manager.exec_stmt(counted).await?;
        manager.drop_index(Index::drop().name("messages_by_sender").table(Messages::Table).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_index(
                Index::create()
                    .name("messages_by_sender")
                    .table(Messages::Table)
                    .col(Messages::ConversationId)
                    .col(Messages::SenderId)
                    .col(Messages::Sequence)
                    .to_owned(),
            )
            .await?;
        manager.alter_table(Table::alter().table(Members::Table).drop_column(Members::OwnSinceRead).to_owned()).await
    }
}

fn of_member(column: Messages) -> Expr {
    Expr::col((Messages::Table, column))
}
