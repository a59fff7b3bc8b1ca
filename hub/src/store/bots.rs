//! Bots, and the tokens they come in with. Of a token only the hash of its secret is kept.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, BotTokenId, By, Fact, Rejection, Timestamp, UserId, WorkspaceId, WorkspaceRole,
    bots::{BotToken, MOST_BOTS, MOST_TOKENS, Scope},
    pages::{Direction, Page, Slice},
    users::{User, UserStatus},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Change, Store, Work, users};
use crate::Result;

/// The issuer of the bots that were made here: nobody else can speak of them by a name.
pub const BOT_ISSUER: &str = "jackfield/bots";

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bot_tokens")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub bot_id: Uuid,
    pub creator_id: Uuid,
    pub name: String,
    /// With a space between two of them.
    pub scopes: String,
    #[sea_orm(column_type = "Blob")]
    pub secret_hash: Vec<u8>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(belongs_to = "users::Entity", from = "Column::BotId", to = "users::Column::Id")]
    Bot,
}

impl Related<users::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Bot.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for BotToken {
    fn from(row: Model) -> Self {
        BotToken {
            id: BotTokenId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            bot: UserId(row.bot_id),
            creator: UserId(row.creator_id),
            name: row.name,
            // A scope that this program does not know grants nothing.
            scopes: row.scopes.split(' ').filter_map(Scope::from_word).collect(),
            created_at: Timestamp(row.created_at),
            expires_at: row.expires_at.map(Timestamp),
        }
    }
}

impl Store {
    pub async fn bot_token_by_hash(&self, secret_hash: [u8; 32]) -> Result<Option<(BotToken, User)>> {
        with_bot(by_hash(secret_hash).one(&self.reads).await?)
    }

    pub async fn bot_token(&self, id: BotTokenId) -> Result<Option<(BotToken, User)>> {
        with_bot(Entity::find_by_id(id.0).find_also_related(users::Entity).one(&self.reads).await?)
    }

    /// The tokens of a bot, the oldest first.
    pub async fn bot_tokens(&self, bot: UserId, page: &Page<BotTokenId>) -> Result<Slice<BotToken>> {
        let rows = walk(bot, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(BotToken::from).collect()))
    }

    /// The bots that were made in a workspace, the oldest first.
    pub async fn bots(&self, workspace: WorkspaceId, page: &Page<UserId>) -> Result<Slice<User>> {
        let rows = walk_bots(workspace, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(User::try_from).collect::<Result<_>>()?))
    }
}

fn with_bot(found: Option<(Model, Option<users::Model>)>) -> Result<Option<(BotToken, User)>> {
    let Some((token, Some(bot))) = found else { return Ok(None) };
    Ok(Some((token.into(), bot.try_into()?)))
}

pub fn by_hash(secret_hash: [u8; 32]) -> sea_orm::SelectTwo<Entity, users::Entity> {
    Entity::find().filter(Column::SecretHash.eq(secret_hash.to_vec())).find_also_related(users::Entity)
}

pub fn walk(bot: UserId, page: &Page<BotTokenId>) -> Select<Entity> {
    let walk = Entity::find().filter(Column::BotId.eq(bot.0)).limit(page.size as u64 + 1);
    match (page.direction, page.from) {
        (Direction::Forward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id)
        }
        (Direction::Backward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

/// A bot's subject is its id, which is made in the order of time.
pub fn walk_bots(workspace: WorkspaceId, page: &Page<UserId>) -> Select<users::Entity> {
    use users::Column as Users;
    let walk = users::Entity::find()
        .filter(Users::WorkspaceId.eq(workspace.0))
        .filter(Users::Issuer.eq(BOT_ISSUER))
        .limit(page.size as u64 + 1);
    let from = page.from.map(|from| from.0.simple().to_string());
    match page.direction {
        Direction::Forward => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Users::Subject.gt(from))).order_by_asc(Users::Subject)
        }
        Direction::Backward => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Users::Subject.lt(from))).order_by_desc(Users::Subject)
        }
    }
}

/// Makes a bot.
pub struct CreateBot {
    pub id: UserId,
    pub name: String,
    pub by: By,
}

#[async_trait]
impl Change for CreateBot {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let bots = users::Entity::find()
            .filter(users::Column::WorkspaceId.eq(self.by.workspace.0))
            .filter(users::Column::Issuer.eq(BOT_ISSUER))
            .count(&work.transaction)
            .await?;
        if bots >= MOST_BOTS as u64 {
            return Err(Rejection::TooMany { what: "bots", max: MOST_BOTS }.into());
        }
        let bot = User {
            id: self.id,
            workspace: self.by.workspace,
            name: self.name.clone(),
            role: WorkspaceRole::Bot,
            status: UserStatus::Active,
            avatar_url: None,
            status_text: None,
            is_operator: false,
            name_is_own: true,
            role_is_own: true,
            vouched_at: self.by.at,
            created_at: self.by.at,
        };
        users::insert(work, &bot, BOT_ISSUER, &self.id.0.simple().to_string()).await?;
        work.audit(self.by.entry(AuditAction::BotCreated, bot.id, [("name", bot.name.clone())]));
        Ok(bot)
    }
}

/// Keeps a token of a bot under the hash of its secret.
pub struct CreateBotToken {
    pub id: BotTokenId,
    pub bot: UserId,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub secret_hash: [u8; 32],
    pub expires_at: Option<Timestamp>,
    pub by: By,
}

#[async_trait]
impl Change for CreateBotToken {
    type Outcome = BotToken;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<BotToken> {
        let row = users::of(self.by.workspace, self.bot).one(&work.transaction).await?;
        let bot = row.map(User::try_from).transpose()?.filter(|user| user.role == WorkspaceRole::Bot);
        let bot = bot.ok_or(Rejection::NotFound { what: "bot", field: "bot_id" })?;
        let tokens = Entity::find().filter(Column::BotId.eq(bot.id.0)).count(&work.transaction).await?;
        if tokens >= MOST_TOKENS as u64 {
            return Err(Rejection::TooMany { what: "tokens of one bot", max: MOST_TOKENS }.into());
        }
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        let row = Model {
            id: self.id.0,
            workspace_id: self.by.workspace.0,
            bot_id: bot.id.0,
            creator_id: self.by.user.0,
            name: self.name.clone(),
            scopes: scopes.join(" "),
            secret_hash: self.secret_hash.to_vec(),
            created_at: self.by.at.0,
            expires_at: self.expires_at.map(|at| at.0),
        };
        let new = ActiveModel {
            id: Set(row.id),
            workspace_id: Set(row.workspace_id),
            bot_id: Set(row.bot_id),
            creator_id: Set(row.creator_id),
            name: Set(row.name.clone()),
            scopes: Set(row.scopes.clone()),
            secret_hash: Set(row.secret_hash.clone()),
            created_at: Set(row.created_at),
            expires_at: Set(row.expires_at),
        };
        Entity::insert(new).exec_without_returning(&work.transaction).await?;
        let details = [("bot", bot.id.to_string()), ("scopes", row.scopes.clone())];
        work.audit(self.by.entry(AuditAction::BotTokenCreated, self.id, details));
        Ok(row.into())
    }
}

/// Makes a token good for nothing, and takes it away.
pub struct RevokeBotToken {
    pub id: BotTokenId,
    pub by: By,
}

#[async_trait]
impl Change for RevokeBotToken {
    type Outcome = BotToken;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<BotToken> {
        let found = Entity::find_by_id(self.id.0)
            .filter(Column::WorkspaceId.eq(self.by.workspace.0))
            .one(&work.transaction)
            .await?;
        let token: BotToken = found.ok_or(Rejection::NotFound { what: "token", field: "token_id" })?.into();
        Entity::delete_by_id(token.id.0).exec(&work.transaction).await?;
        let revoked = Fact::BotTokenRevoked { user: token.bot, token: token.id };
        work.record(Some(self.by.user), self.by.at, revoked);
        work.audit(self.by.entry(AuditAction::BotTokenRevoked, token.id, [("bot", token.bot.to_string())]));
        Ok(token)
    }
}
