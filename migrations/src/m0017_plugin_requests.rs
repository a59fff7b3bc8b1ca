//! Requests of plugins to other servers, from when they were issued until the plugin has taken what came of them; and which of them were
//! laid aside, because the plugin could not.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, binary_null, text, text_null, uuid, uuid_null},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0017_plugin_requests"
    }
}

#[derive(DeriveIden, Clone, Copy)]
enum PluginRequests {
    Table,
    Id,
    WorkspaceId,
    PluginId,
    Request,
    Body,
    Tag,
    Depth,
    DueAt,
    Lease,
    Attempts,
    Answer,
    AnswerBody,
    Failures,
    CreatedAt,
}

#[derive(DeriveIden)]
enum PluginDeadLetters {
    Table,
    RequestId,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use PluginRequests as Requests;
        manager
            .create_table(
                Table::create()
                    .table(Requests::Table)
                    .col(uuid(Requests::Id).primary_key())
                    .col(uuid(Requests::WorkspaceId))
                    .col(text(Requests::PluginId))
                    .col(text(Requests::Request))
                    .col(binary_null(Requests::Body))
                    .col(text(Requests::Tag))
                    .col(big_integer(Requests::Depth))
                    .col(big_integer_null(Requests::DueAt))
                    .col(uuid_null(Requests::Lease))
                    .col(big_integer(Requests::Attempts))
                    .col(text_null(Requests::Answer))
                    .col(binary_null(Requests::AnswerBody))
                    .col(big_integer(Requests::Failures))
                    .col(big_integer(Requests::CreatedAt))
                    .to_owned(),
            )
            .await?;
        let walks: [(&str, &[Requests]); 3] = [
            // What is to be done next, of one plugin: those of another one that is slow stand in nobody's way.
            ("plugin_requests_due", &[Requests::PluginId, Requests::DueAt, Requests::Id]),
            ("plugin_requests_own", &[Requests::WorkspaceId, Requests::PluginId]),
            ("plugin_requests_by_age", &[Requests::CreatedAt]),
        ];
        for (name, columns) in walks {
            let mut index = Index::create().name(name).table(Requests::Table).to_owned();
            for column in columns {
                index.col(*column);
            }
            manager.create_index(index).await?;
        }
        let laid_aside = Table::alter()
            .table(PluginDeadLetters::Table)
            .add_column(uuid_null(PluginDeadLetters::RequestId))
            .to_owned();
        manager.alter_table(laid_aside).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let answers = Query::delete()
            .from_table(PluginDeadLetters::Table)
            .and_where(Expr::col(PluginDeadLetters::RequestId).is_not_null())
            .to_owned();
        manager.exec_stmt(answers).await?;
        let of_events =
            Table::alter().table(PluginDeadLetters::Table).drop_column(PluginDeadLetters::RequestId).to_owned();
        manager.alter_table(of_events).await?;
        manager.drop_table(Table::drop().table(PluginRequests::Table).to_owned()).await
    }
}
