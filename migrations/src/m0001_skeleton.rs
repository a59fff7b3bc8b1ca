//! Workspaces, users, conversations, messages, the log, and what the hub must remember about itself.
//!
//! Moments are milliseconds since 1970 and ids are UUIDs, so that both databases keep and order them alike. The tables
//! that every message touches have no foreign keys: their rows are written by one place, under the lock of the
//! workspace's log, and a check per row would cost more than the row.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, binary, boolean, text, text_null, text_uniq, uuid, uuid_null},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_skeleton"
    }
}

#[derive(DeriveIden)]
enum Workspaces {
    Table,
    Id,
    Slug,
    Name,
    Status,
    SignUp,
    Policy,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Logs {
    Table,
    WorkspaceId,
    Head,
    Tail,
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    WorkspaceId,
    Issuer,
    Subject,
    Name,
    Role,
    Status,
    AvatarUrl,
    StatusText,
    IsOperator,
    VouchedAt,
    NameIsOwn,
    RoleIsOwn,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Conversations {
    Table,
    Id,
    WorkspaceId,
    Kind,
    Status,
    Visibility,
    History,
    Title,
    Description,
    AvatarUrl,
    ContextKind,
    ContextId,
    DirectKey,
    CreatorId,
    CreatedAt,
    AssigneeId,
    ClosedAt,
    Blocked,
    MemberCount,
    LastSequence,
    LastActivityAt,
}

#[derive(DeriveIden)]
enum Members {
    Table,
    ConversationId,
    UserId,
    Role,
    JoinedAt,
    JoinedPosition,
    FromSequence,
    ActiveHour,
    DeliveredSequence,
    ReadSequence,
    MutedUntil,
    Pinned,
    Notify,
    Sound,
}

#[derive(DeriveIden)]
enum Messages {
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
}

#[derive(DeriveIden)]
enum Events {
    Table,
    WorkspaceId,
    Position,
    At,
    ActorId,
    ConversationId,
    UserId,
    Fact,
}

#[derive(DeriveIden)]
enum IdempotencyKeys {
    Table,
    UserId,
    Key,
    Fingerprint,
    MessageId,
    CreatedAt,
}

#[derive(DeriveIden)]
enum Secrets {
    Table,
    Name,
    Value,
    CreatedAt,
}

#[derive(DeriveIden)]
enum SignInLinks {
    Table,
    CodeHash,
    UserId,
    ExpiresAt,
    UsedBy,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Rows that are found only by their key live in the key's own tree: one write instead of two.
        let keyed = |mut table: TableCreateStatement| {
            if manager.get_database_backend() == DbBackend::Sqlite {
                table.extra("WITHOUT ROWID");
            }
            table
        };

        manager
            .create_table(
                Table::create()
                    .table(Workspaces::Table)
                    .col(uuid(Workspaces::Id).primary_key())
                    .col(text_uniq(Workspaces::Slug))
                    .col(text(Workspaces::Name))
                    .col(text(Workspaces::Status))
                    .col(text(Workspaces::SignUp))
                    .col(text(Workspaces::Policy))
                    .col(big_integer(Workspaces::CreatedAt))
                    .to_owned(),
            )
            .await?;

        // Apart from the workspaces, because this row is rewritten by every commit and locked by every writer.
        manager
            .create_table(
                Table::create()
                    .table(Logs::Table)
                    .col(uuid(Logs::WorkspaceId).primary_key())
                    .col(big_integer(Logs::Head))
                    .col(big_integer(Logs::Tail))
                    .to_owned(),
            )
            .await?;

        manager
            .create_table(
                Table::create()
                    .table(Users::Table)
                    .col(uuid(Users::Id).primary_key())
                    .col(uuid(Users::WorkspaceId))
                    .col(text(Users::Issuer))
                    .col(text(Users::Subject))
                    .col(text(Users::Name))
                    .col(text(Users::Role))
                    .col(text(Users::Status))
                    .col(text_null(Users::AvatarUrl))
                    .col(text_null(Users::StatusText))
                    .col(boolean(Users::IsOperator))
                    .col(big_integer(Users::VouchedAt))
                    .col(boolean(Users::NameIsOwn))
                    .col(boolean(Users::RoleIsOwn))
                    .col(big_integer(Users::CreatedAt))
                    .foreign_key(
                        ForeignKey::create()
                            .from(Users::Table, Users::WorkspaceId)
                            .to(Workspaces::Table, Workspaces::Id),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("users_by_subject")
                    .table(Users::Table)
                    .col(Users::WorkspaceId)
                    .col(Users::Issuer)
                    .col(Users::Subject)
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("users_by_workspace")
                    .table(Users::Table)
                    .col(Users::WorkspaceId)
                    .col(Users::Id)
                    .to_owned(),
            )
            .await?;

        manager
            .create_table(
                Table::create()
                    .table(Conversations::Table)
                    .col(uuid(Conversations::Id).primary_key())
                    .col(uuid(Conversations::WorkspaceId))
                    .col(text(Conversations::Kind))
                    .col(text(Conversations::Status))
                    .col(text(Conversations::Visibility))
                    .col(text(Conversations::History))
                    .col(text_null(Conversations::Title))
                    .col(text_null(Conversations::Description))
                    .col(text_null(Conversations::AvatarUrl))
                    .col(text_null(Conversations::ContextKind))
                    .col(text_null(Conversations::ContextId))
                    .col(text_null(Conversations::DirectKey))
                    .col(uuid(Conversations::CreatorId))
                    .col(big_integer(Conversations::CreatedAt))
                    .col(uuid_null(Conversations::AssigneeId))
                    .col(big_integer_null(Conversations::ClosedAt))
                    .col(boolean(Conversations::Blocked).default(false))
                    .col(big_integer(Conversations::MemberCount))
                    .col(big_integer(Conversations::LastSequence))
                    .col(big_integer(Conversations::LastActivityAt))
                    .foreign_key(
                        ForeignKey::create()
                            .from(Conversations::Table, Conversations::WorkspaceId)
                            .to(Workspaces::Table, Workspaces::Id),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("conversations_by_direct_key")
                    .table(Conversations::Table)
                    .col(Conversations::WorkspaceId)
                    .col(Conversations::DirectKey)
                    .unique()
                    .to_owned(),
            )
            .await?;

        // The groups that anybody may join, and the support conversations that wait for somebody, by name and in order.
        for (name, sort) in
            [("conversations_by_visibility", Conversations::Visibility), ("conversations_by_kind", Conversations::Kind)]
        {
            manager
                .create_index(
                    Index::create()
                        .name(name)
                        .table(Conversations::Table)
                        .col(Conversations::WorkspaceId)
                        .col(sort)
                        .col(Conversations::Status)
                        .col(Conversations::Id)
                        .to_owned(),
                )
                .await?;
        }

        manager
            .create_table(keyed(
                Table::create()
                    .table(Members::Table)
                    .col(uuid(Members::ConversationId))
                    .col(uuid(Members::UserId))
                    .col(text(Members::Role))
                    .col(big_integer(Members::JoinedAt))
                    .col(big_integer(Members::JoinedPosition))
                    .col(big_integer(Members::FromSequence).default(0))
                    .col(big_integer(Members::ActiveHour))
                    .col(big_integer(Members::DeliveredSequence).default(0))
                    .col(big_integer(Members::ReadSequence).default(0))
                    .col(big_integer_null(Members::MutedUntil))
                    .col(boolean(Members::Pinned).default(false))
                    .col(text(Members::Notify).default("all"))
                    .col(text_null(Members::Sound))
                    .primary_key(Index::create().col(Members::ConversationId).col(Members::UserId))
                    .foreign_key(
                        ForeignKey::create()
                            .from(Members::Table, Members::ConversationId)
                            .to(Conversations::Table, Conversations::Id),
                    )
                    .foreign_key(ForeignKey::create().from(Members::Table, Members::UserId).to(Users::Table, Users::Id))
                    .to_owned(),
            ))
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("members_by_activity")
                    .table(Members::Table)
                    .col(Members::UserId)
                    .col(Members::ActiveHour)
                    .col(Members::ConversationId)
                    .to_owned(),
            )
            .await?;

        manager
            .create_table(
                Table::create()
                    .table(Messages::Table)
                    .col(uuid(Messages::Id).primary_key())
                    .col(uuid(Messages::WorkspaceId))
                    .col(uuid(Messages::ConversationId))
                    .col(big_integer(Messages::Sequence))
                    .col(uuid(Messages::SenderId))
                    .col(text(Messages::Kind))
                    .col(text(Messages::Content))
                    .col(text(Messages::Body))
                    .col(uuid_null(Messages::ReplyToId))
                    .col(big_integer(Messages::CreatedAt))
                    .col(big_integer_null(Messages::EditedAt))
                    .col(big_integer_null(Messages::DeletedAt))
                    .col(uuid_null(Messages::DeletedById))
                    .col(boolean(Messages::Hidden).default(false))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("messages_by_sequence")
                    .table(Messages::Table)
                    .col(Messages::ConversationId)
                    .col(Messages::Sequence)
                    .unique()
                    .to_owned(),
            )
            .await?;
        // One's own messages behind a pointer are not unread, and are counted by this.
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
        manager
            .create_index(
                Index::create()
                    .name("messages_by_time")
                    .table(Messages::Table)
                    .col(Messages::ConversationId)
                    .col(Messages::CreatedAt)
                    .to_owned(),
            )
            .await?;

        manager
            .create_table(keyed(
                Table::create()
                    .table(Events::Table)
                    .col(uuid(Events::WorkspaceId))
                    .col(big_integer(Events::Position))
                    .col(big_integer(Events::At))
                    .col(uuid_null(Events::ActorId))
                    .col(uuid_null(Events::ConversationId))
                    .col(uuid_null(Events::UserId))
                    .col(text(Events::Fact))
                    .primary_key(Index::create().col(Events::WorkspaceId).col(Events::Position))
                    .to_owned(),
            ))
            .await?;

        manager
            .create_table(keyed(
                Table::create()
                    .table(IdempotencyKeys::Table)
                    .col(uuid(IdempotencyKeys::UserId))
                    .col(text(IdempotencyKeys::Key))
                    .col(binary(IdempotencyKeys::Fingerprint))
                    .col(uuid(IdempotencyKeys::MessageId))
                    .col(big_integer(IdempotencyKeys::CreatedAt))
                    .primary_key(Index::create().col(IdempotencyKeys::UserId).col(IdempotencyKeys::Key))
                    .to_owned(),
            ))
            .await?;
        // What goes with its message is found by it. Ids of messages grow, so that this is written at its end.
        manager
            .create_index(
                Index::create()
                    .name("idempotency_keys_by_message")
                    .table(IdempotencyKeys::Table)
                    .col(IdempotencyKeys::MessageId)
                    .to_owned(),
            )
            .await?;

        manager
            .create_table(
                Table::create()
                    .table(Secrets::Table)
                    .col(text(Secrets::Name).primary_key())
                    .col(binary(Secrets::Value))
                    .col(big_integer(Secrets::CreatedAt))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table(SignInLinks::Table)
                    .col(binary(SignInLinks::CodeHash).primary_key())
                    .col(uuid(SignInLinks::UserId))
                    .col(big_integer(SignInLinks::ExpiresAt))
                    .col(uuid_null(SignInLinks::UsedBy))
                    .foreign_key(
                        ForeignKey::create().from(SignInLinks::Table, SignInLinks::UserId).to(Users::Table, Users::Id),
                    )
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Those that refer to others go first.
        let tables: [TableRef; 10] = [
            SignInLinks::Table.into_table_ref(),
            Secrets::Table.into_table_ref(),
            IdempotencyKeys::Table.into_table_ref(),
            Events::Table.into_table_ref(),
            Messages::Table.into_table_ref(),
            Members::Table.into_table_ref(),
            Conversations::Table.into_table_ref(),
            Users::Table.into_table_ref(),
            Logs::Table.into_table_ref(),
            Workspaces::Table.into_table_ref(),
        ];
        for table in tables {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
