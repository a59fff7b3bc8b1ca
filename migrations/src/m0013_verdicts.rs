//! What plugins did, under ids of its own: also about edits, deletions and conversations, and found by who wanted it, where, and
//! by plugin. What an earlier table held was about few of these, and is let go.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, text, text_null, uuid, uuid_null},
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0013_verdicts"
    }
}

#[derive(DeriveIden, Clone, Copy)]
enum PluginVerdicts {
    Table,
    Id,
    WorkspaceId,
    At,
    UserId,
    ConversationId,
    MessageId,
    Number,
    PluginId,
    Hook,
    Verdict,
    Code,
    Reason,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use PluginVerdicts::{
            At, Code, ConversationId, Hook, Id, MessageId, PluginId, Reason, Table as Verdicts, UserId, Verdict,
            WorkspaceId,
        };
        manager.drop_table(Table::drop().table(Verdicts).to_owned()).await?;
        let table = Table::create()
            .table(Verdicts)
            .col(uuid(Id).primary_key())
            .col(uuid(WorkspaceId))
            .col(big_integer(At))
            .col(uuid(UserId))
            .col(uuid_null(ConversationId))
            .col(uuid_null(MessageId))
            .col(text(PluginId))
            .col(text(Hook))
            .col(text(Verdict))
            .col(text_null(Code))
            .col(text_null(Reason))
            .to_owned();
        manager.create_table(table).await?;
        let walks: [(&str, &[PluginVerdicts]); 5] = [
            ("plugin_verdicts_by_workspace", &[WorkspaceId]),
            ("plugin_verdicts_by_plugin", &[WorkspaceId, PluginId]),
            ("plugin_verdicts_by_user", &[UserId]),
            ("plugin_verdicts_by_conversation", &[ConversationId]),
            ("plugin_verdicts_by_message", &[MessageId]),
        ];
        for (name, columns) in walks {
            let mut index = Index::create().name(name).table(Verdicts).to_owned();
            columns.iter().chain(&[Id]).for_each(|column| {
                index.col(*column);
            });
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use PluginVerdicts::{
            At, Code, Hook, MessageId, Number, PluginId, Reason, Table as Verdicts, Verdict, WorkspaceId,
        };
        manager.drop_table(Table::drop().table(Verdicts).to_owned()).await?;
        let table = Table::create()
            .table(Verdicts)
            .col(uuid(MessageId))
            .col(big_integer(Number))
            .col(uuid(WorkspaceId))
            .col(text(PluginId))
            .col(text(Hook))
            .col(text(Verdict))
            .col(text_null(Code))
            .col(text_null(Reason))
            .col(big_integer(At))
            .primary_key(Index::create().col(MessageId).col(Number))
            .to_owned();
        manager.create_table(table).await?;
        let index = Index::create().name("plugin_verdicts_by_workspace").table(Verdicts).col(WorkspaceId).to_owned();
        manager.create_index(index).await
    }
}
