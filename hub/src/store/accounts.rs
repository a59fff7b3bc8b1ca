//! Accounts: logins and what is kept of passwords; and how often somebody tried in vain.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, Rejection, Timestamp, UserId, WorkspaceId, WorkspaceRole,
    accounts::{CheckedSignUp, attempt, may_sign_up},
    permissions::may_change_role,
    users::{User, UserStatus},
    workspaces::{Workspace, WorkspaceStatus},
};
use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*, sea_query::OnConflict};

use super::{
    Change, Store, Work, invitations,
    sessions::{self, NewSession},
    users, workspaces,
};
use crate::{Error, Result};

/// The issuer of people whom the hub knows by itself; their subject is their login.
pub const OWN_ISSUER: &str = "jackfield";

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    pub workspace_id: Uuid,
    pub login: String,
    pub password_hash: String,
    pub created_at: i64,
    pub changed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

mod failures {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "sign_in_failures")]
    pub struct Model {
        /// Of workspace and login, be there such a one or not.
        #[sea_orm(primary_key, auto_increment = false, column_type = "Blob")]
        pub key: Vec<u8>,
        /// As JSON.
        pub moments: String,
        pub last_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod resets {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "password_resets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        pub workspace_id: Uuid,
        #[sea_orm(column_type = "Blob")]
        pub code_hash: Vec<u8>,
        pub expires_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Whom a password lets in.
#[derive(Debug, Clone)]
pub struct Account {
    pub user: UserId,
    pub login: String,
    pub password_hash: String,
}

impl From<Model> for Account {
    fn from(row: Model) -> Self {
        Account { user: UserId(row.user_id), login: row.login, password_hash: row.password_hash }
    }
}

impl Store {
    pub async fn account(&self, workspace: WorkspaceId, login: &str) -> Result<Option<Account>> {
        Ok(by_login(workspace, login).one(&self.reads).await?.map(Account::from))
    }

    pub async fn account_of(&self, user: UserId) -> Result<Option<Account>> {
        Ok(Entity::find_by_id(user.0).one(&self.reads).await?.map(Account::from))
    }

    /// The workspace in which a code sets a new password.
    pub async fn password_reset(&self, code_hash: [u8; 32], now: Timestamp) -> Result<Option<WorkspaceId>> {
        let row = resets::Entity::find()
            .filter(resets::Column::CodeHash.eq(code_hash.to_vec()))
            .filter(resets::Column::ExpiresAt.gt(now.0))
            .one(&self.reads)
            .await?;
        Ok(row.map(|row| WorkspaceId(row.workspace_id)))
    }
}

pub fn by_login(workspace: WorkspaceId, login: &str) -> Select<Entity> {
    Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).filter(Column::Login.eq(login))
}

/// Makes an account and signs it in.
pub struct CreateAccount {
    /// The id to use for the new user.
    pub id: UserId,
    pub workspace: WorkspaceId,
    pub checked: CheckedSignUp,
    pub password_hash: String,
    /// The hash of the invitation's code.
    pub invitation: Option<[u8; 32]>,
    pub session: NewSession,
    pub at: Timestamp,
}

#[async_trait]
impl Change for CreateAccount {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let workspace = workspaces::existing(self.workspace).one(&work.transaction).await?;
        let workspace = workspace.map(Workspace::try_from).transpose()?;
        let workspace = workspace.filter(|workspace| workspace.status == WorkspaceStatus::Active);
        let workspace = workspace.ok_or(Rejection::NotFound { what: "workspace", field: "workspace" })?;
        may_sign_up(workspace.sign_up, self.invitation.is_some())?;
        let mut role = WorkspaceRole::Member;
        if let Some(code_hash) = self.invitation {
            let found = invitations::good(work, self.workspace, code_hash, self.at).await?;
            let found = found.filter(|invitation| invitation.conversation.is_none());
            let invitation = found.ok_or(Rejection::NotFound { what: "invitation", field: "invitation_code" })?;
            invitations::use_up(work, &invitation).await?;
            role = invitation.role;
        }
        // Also somebody who has no password yet: whoever the hub's own tokens speak of by this name.
        let login = &self.checked.login;
        if users::by_subject(self.workspace, OWN_ISSUER, login).one(&work.transaction).await?.is_some() {
            return Err(Rejection::LoginTaken { login: login.clone() }.into());
        }
        let user = User {
            id: self.id,
            workspace: self.workspace,
            name: self.checked.name.clone(),
            role,
            status: UserStatus::Active,
            avatar_url: None,
            status_text: None,
            is_operator: false,
            name_is_own: true,
            role_is_own: true,
            vouched_at: self.at,
            created_at: self.at,
        };
        users::insert(work, &user, OWN_ISSUER, login).await?;
        set_password(work, &user, login, &self.password_hash, self.at).await?;
        sessions::begin(work, &self.session).await?;
        Ok(user)
    }
}

async fn set_password(work: &Work, user: &User, login: &str, password_hash: &str, at: Timestamp) -> Result<()> {
    let row = ActiveModel {
        user_id: Set(user.id.0),
        workspace_id: Set(user.workspace.0),
        login: Set(login.to_owned()),
        password_hash: Set(password_hash.to_owned()),
        created_at: Set(at.0),
        changed_at: Set(at.0),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::UserId).update_columns([Column::PasswordHash, Column::ChangedAt]).to_owned(),
        )
        .exec_without_returning(&work.transaction)
        .await?;
    Ok(())
}

/// Counts one more try before it is looked at, so that tries at the same time are counted, too; refuses one too many.
pub struct BeginSignIn {
    pub workspace: WorkspaceId,
    pub key: [u8; 32],
    pub limit: usize,
    pub at: Timestamp,
}

#[async_trait]
impl Change for BeginSignIn {
    type Outcome = ();

    // The lock on the log makes tries at several nodes take turns.
    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let found = failures::Entity::find_by_id(self.key.to_vec()).one(&work.transaction).await?;
        let failed: Vec<Timestamp> = match found {
            Some(row) => serde_json::from_str(&row.moments).map_err(Error::internal)?,
            None => Vec::new(),
        };
        let moments = attempt(&failed, self.at, self.limit)?;
        let row = failures::ActiveModel {
            key: Set(self.key.to_vec()),
            moments: Set(serde_json::to_string(&moments).map_err(Error::internal)?),
            last_at: Set(self.at.0),
        };
        failures::Entity::insert(row)
            .on_conflict(
                OnConflict::column(failures::Column::Key)
                    .update_columns([failures::Column::Moments, failures::Column::LastAt])
                    .to_owned(),
            )
            .exec_without_returning(&work.transaction)
            .await?;
        Ok(())
    }
}

/// Somebody showed who they are: what failed before is forgotten.
pub async fn forgive(work: &Work, key: [u8; 32]) -> Result<()> {
    failures::Entity::delete_by_id(key.to_vec()).exec(&work.transaction).await?;
    Ok(())
}

/// Forgets tries, resets and sessions that count for nothing any more, a bounded piece of each; answers how many.
pub struct SweepAccess {
    pub now: Timestamp,
    pub failures_before: Timestamp,
    pub limit: u64,
}

#[async_trait]
impl Change for SweepAccess {
    type Outcome = u64;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    async fn apply(&self, work: &mut Work) -> Result<u64> {
        let old: Vec<Vec<u8>> = failures::Entity::find()
            .select_only()
            .column(failures::Column::Key)
            .filter(failures::Column::LastAt.lte(self.failures_before.0))
            .limit(self.limit)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        let mut swept = 0;
        if !old.is_empty() {
            let taken = failures::Entity::delete_many().filter(failures::Column::Key.is_in(old));
            swept += taken.exec(&work.transaction).await?.rows_affected;
        }
        let resets = resets::Entity::delete_many().filter(resets::Column::ExpiresAt.lte(self.now.0));
        swept += resets.exec(&work.transaction).await?.rows_affected;
        swept += self.end::<invitations::Entity>(work, invitations::Column::Id, invitations::Column::ExpiresAt).await?;
        Ok(swept + self.end::<sessions::Entity>(work, sessions::Column::Id, sessions::Column::ExpiresAt).await?)
    }
}

impl SweepAccess {
    /// Takes away some of what ended before now.
    async fn end<E: EntityTrait>(&self, work: &Work, id: E::Column, ends: E::Column) -> Result<u64> {
        let old: Vec<Uuid> = E::find()
            .select_only()
            .column(id)
            .filter(ends.lte(self.now.0))
            .limit(self.limit)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        if old.is_empty() {
            return Ok(0);
        }
        Ok(E::delete_many().filter(id.is_in(old)).exec(&work.transaction).await?.rows_affected)
    }
}

/// Keeps the code by which somebody sets a new password, in the place of an earlier one.
pub struct CreatePasswordReset {
    pub user: UserId,
    pub actor_role: WorkspaceRole,
    pub code_hash: [u8; 32],
    pub expires_at: Timestamp,
    pub by: By,
}

#[async_trait]
impl Change for CreatePasswordReset {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let row = users::of(self.by.workspace, self.user).one(&work.transaction).await?;
        let row = row.ok_or(Rejection::NotFound { what: "user", field: "user_id" })?;
        let is_own = row.issuer == OWN_ISSUER;
        let user = User::try_from(row)?;
        // Who sets somebody's password can be them: not above one's own rank.
        may_change_role(self.actor_role, user.role, user.role)?;
        if !is_own || user.role == WorkspaceRole::Bot {
            let expected = "somebody who signs in here, not by the token of another issuer";
            return Err(Rejection::Invalid { field: "user_id", expected }.into());
        }
        let row = resets::ActiveModel {
            user_id: Set(user.id.0),
            workspace_id: Set(user.workspace.0),
            code_hash: Set(self.code_hash.to_vec()),
            expires_at: Set(self.expires_at.0),
        };
        resets::Entity::insert(row)
            .on_conflict(
                OnConflict::column(resets::Column::UserId)
                    .update_columns([resets::Column::CodeHash, resets::Column::ExpiresAt])
                    .to_owned(),
            )
            .exec_without_returning(&work.transaction)
            .await?;
        work.audit(self.by.entry(AuditAction::PasswordResetRequested, user.id, []));
        Ok(user)
    }
}

/// Uses a code up: sets the password, and ends whatever was opened with the old one. None if the code is not good.
pub struct ResetPassword {
    pub workspace: WorkspaceId,
    pub code_hash: [u8; 32],
    pub password_hash: String,
    /// The key of the login's failures, by workspace and login.
    pub failures_key: fn(WorkspaceId, &str) -> [u8; 32],
    pub at: Timestamp,
}

#[async_trait]
impl Change for ResetPassword {
    type Outcome = Option<String>;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Option<String>> {
        let found = resets::Entity::find()
            .filter(resets::Column::CodeHash.eq(self.code_hash.to_vec()))
            .filter(resets::Column::ExpiresAt.gt(self.at.0))
            .one(&work.transaction)
            .await?;
        let Some(reset) = found else { return Ok(None) };
        resets::Entity::delete_by_id(reset.user_id).exec(&work.transaction).await?;
        let row = users::of(self.workspace, UserId(reset.user_id)).one(&work.transaction).await?;
        let Some(row) = row else { return Ok(None) };
        let login = row.subject.clone();
        let before = User::try_from(row)?;
        // From now on the hub itself knows them, and no token changes what they are.
        let user = User { name_is_own: true, role_is_own: true, ..before.clone() };
        users::rewrite(work, &before, &user).await?;
        set_password(work, &user, &login, &self.password_hash, self.at).await?;
        sessions::end_all(work, &user, None, self.at).await?;
        forgive(work, (self.failures_key)(self.workspace, &login)).await?;
        Ok(Some(login))
    }
}

/// Sets another password, and ends whatever was opened with the old one elsewhere.
pub struct ChangePassword {
    pub user: User,
    pub login: String,
    pub password_hash: String,
    pub failures_key: [u8; 32],
    /// The session that asks for it goes on.
    pub except: Option<jackfield_domain::SessionId>,
    pub at: Timestamp,
}

#[async_trait]
impl Change for ChangePassword {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.user.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        set_password(work, &self.user, &self.login, &self.password_hash, self.at).await?;
        forgive(work, self.failures_key).await?;
        sessions::end_all(work, &self.user, self.except, self.at).await?;
        Ok(())
    }
}
