//! How people and programs come in: accounts, sessions, invitations, tokens of bots, and who else may vouch for people.
//!
//! Of everything that lets somebody in, only a hash is kept. Secrets of other issuers are the exception: they are needed
//! to verify with.

use sea_orm_migration::{
    prelude::*,
    schema::{big_integer, big_integer_null, binary, binary_uniq, text, text_null, text_uniq, uuid, uuid_null},
    sea_orm::DbBackend,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_people"
    }
}

#[derive(DeriveIden)]
enum Accounts {
    Table,
    UserId,
    WorkspaceId,
    Login,
    PasswordHash,
    CreatedAt,
    ChangedAt,
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    Id,
    WorkspaceId,
    UserId,
    FamilyHash,
    RefreshHash,
    Device,
    Address,
    CreatedAt,
    UsedAt,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum SignInFailures {
    Table,
    Key,
    Moments,
    LastAt,
}

#[derive(DeriveIden)]
enum PasswordResets {
    Table,
    UserId,
    WorkspaceId,
    CodeHash,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum Invitations {
    Table,
    Id,
    WorkspaceId,
    ConversationId,
    CreatorId,
    Role,
    CodeHash,
    UsesLeft,
    ExpiresAt,
    CreatedAt,
}

#[derive(DeriveIden)]
enum UserPreferences {
    Table,
    UserId,
    Value,
}

#[derive(DeriveIden)]
enum UserWords {
    Table,
    WorkspaceId,
    Word,
    UserId,
}

#[derive(DeriveIden)]
enum BotTokens {
    Table,
    Id,
    WorkspaceId,
    BotId,
    CreatorId,
    Name,
    Scopes,
    SecretHash,
    CreatedAt,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum Issuers {
    Table,
    Id,
    Name,
    Settings,
    CreatedAt,
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let keyed = |mut table: TableCreateStatement| {
            if manager.get_database_backend() == DbBackend::Sqlite {
                table.extra("WITHOUT ROWID");
            }
            table
        };
        for table in [
            Table::create()
                .table(Accounts::Table)
                .col(uuid(Accounts::UserId).primary_key())
                .col(uuid(Accounts::WorkspaceId))
                .col(text(Accounts::Login))
                .col(text(Accounts::PasswordHash))
                .col(big_integer(Accounts::CreatedAt))
                .col(big_integer(Accounts::ChangedAt))
                .to_owned(),
            Table::create()
                .table(Sessions::Table)
                .col(uuid(Sessions::Id).primary_key())
                .col(uuid(Sessions::WorkspaceId))
                .col(uuid(Sessions::UserId))
                .col(binary(Sessions::FamilyHash))
                .col(binary(Sessions::RefreshHash))
                .col(text_null(Sessions::Device))
                .col(text_null(Sessions::Address))
                .col(big_integer(Sessions::CreatedAt))
                .col(big_integer(Sessions::UsedAt))
                .col(big_integer(Sessions::ExpiresAt))
                .to_owned(),
            Table::create()
                .table(SignInFailures::Table)
                .col(binary(SignInFailures::Key).primary_key())
                .col(text(SignInFailures::Moments))
                .col(big_integer(SignInFailures::LastAt))
                .to_owned(),
            Table::create()
                .table(PasswordResets::Table)
                .col(uuid(PasswordResets::UserId).primary_key())
                .col(uuid(PasswordResets::WorkspaceId))
                .col(binary_uniq(PasswordResets::CodeHash))
                .col(big_integer(PasswordResets::ExpiresAt))
                .to_owned(),
            Table::create()
                .table(Invitations::Table)
                .col(uuid(Invitations::Id).primary_key())
                .col(uuid(Invitations::WorkspaceId))
                .col(uuid_null(Invitations::ConversationId))
                .col(uuid(Invitations::CreatorId))
                .col(text(Invitations::Role))
                .col(binary_uniq(Invitations::CodeHash))
                .col(big_integer(Invitations::UsesLeft))
                .col(big_integer(Invitations::ExpiresAt))
                .col(big_integer(Invitations::CreatedAt))
                .to_owned(),
            // Apart from the users, whose rows are read all the time.
            Table::create()
                .table(UserPreferences::Table)
                .col(uuid(UserPreferences::UserId).primary_key())
                .col(text(UserPreferences::Value))
                .to_owned(),
            // Words are bytes, so that they are walked in one order whatever the language of the database is.
            keyed(
                Table::create()
                    .table(UserWords::Table)
                    .col(uuid(UserWords::WorkspaceId))
                    .col(binary(UserWords::Word))
                    .col(uuid(UserWords::UserId))
                    .primary_key(
                        Index::create().col(UserWords::WorkspaceId).col(UserWords::Word).col(UserWords::UserId),
                    )
                    .to_owned(),
            ),
            Table::create()
                .table(BotTokens::Table)
                .col(uuid(BotTokens::Id).primary_key())
                .col(uuid(BotTokens::WorkspaceId))
                .col(uuid(BotTokens::BotId))
                .col(uuid(BotTokens::CreatorId))
                .col(text(BotTokens::Name))
                .col(text(BotTokens::Scopes))
                .col(binary_uniq(BotTokens::SecretHash))
                .col(big_integer(BotTokens::CreatedAt))
                .col(big_integer_null(BotTokens::ExpiresAt))
                .to_owned(),
            Table::create()
                .table(Issuers::Table)
                .col(uuid(Issuers::Id).primary_key())
                .col(text_uniq(Issuers::Name))
                .col(text(Issuers::Settings))
                .col(big_integer(Issuers::CreatedAt))
                .to_owned(),
        ] {
            manager.create_table(table).await?;
        }
        for index in [
            Index::create()
                .name("accounts_by_login")
                .table(Accounts::Table)
                .col(Accounts::WorkspaceId)
                .col(Accounts::Login)
                .unique()
                .to_owned(),
            Index::create()
                .name("sessions_by_user")
                .table(Sessions::Table)
                .col(Sessions::UserId)
                .col(Sessions::Id)
                .to_owned(),
            Index::create().name("sessions_by_end").table(Sessions::Table).col(Sessions::ExpiresAt).to_owned(),
            Index::create()
                .name("sign_in_failures_by_age")
                .table(SignInFailures::Table)
                .col(SignInFailures::LastAt)
                .to_owned(),
            Index::create()
                .name("invitations_by_place")
                .table(Invitations::Table)
                .col(Invitations::WorkspaceId)
                .col(Invitations::ConversationId)
                .col(Invitations::Id)
                .to_owned(),
            Index::create().name("invitations_by_end").table(Invitations::Table).col(Invitations::ExpiresAt).to_owned(),
            Index::create().name("user_words_by_user").table(UserWords::Table).col(UserWords::UserId).to_owned(),
            Index::create()
                .name("bot_tokens_by_bot")
                .table(BotTokens::Table)
                .col(BotTokens::BotId)
                .col(BotTokens::Id)
                .to_owned(),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables: [TableRef; 9] = [
            Issuers::Table.into_table_ref(),
            BotTokens::Table.into_table_ref(),
            UserWords::Table.into_table_ref(),
            UserPreferences::Table.into_table_ref(),
            Invitations::Table.into_table_ref(),
            PasswordResets::Table.into_table_ref(),
            SignInFailures::Table.into_table_ref(),
            Sessions::Table.into_table_ref(),
            Accounts::Table.into_table_ref(),
        ];
        for table in tables {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
