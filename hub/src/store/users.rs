//! Users: a person or program as one workspace knows it.

use async_trait::async_trait;
use jackfield_domain::{
    Fact, Timestamp, UserId, WorkspaceId, WorkspaceRole,
    users::{Person, User, UserStatus},
};
use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*};

use super::{Change, Store, Work, words};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub role: String,
    pub status: String,
    pub avatar_url: Option<String>,
    pub status_text: Option<String>,
    pub is_operator: bool,
    pub vouched_at: i64,
    /// Chosen here: no token changes it.
    pub name_is_own: bool,
    /// Given here: no token changes it.
    pub role_is_own: bool,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for User {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(User {
            id: UserId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            name: row.name,
            role: WorkspaceRole::from_word(&row.role).ok_or_else(|| Error::internal("unknown role in users"))?,
            status: UserStatus::from_word(&row.status).ok_or_else(|| Error::internal("unknown status in users"))?,
            avatar_url: row.avatar_url,
            status_text: row.status_text,
            is_operator: row.is_operator,
            vouched_at: Timestamp(row.vouched_at),
            name_is_own: row.name_is_own,
            role_is_own: row.role_is_own,
            created_at: Timestamp(row.created_at),
        })
    }
}

impl Store {
    /// The workspaces in which there are operators.
    pub async fn workspaces_of_operators(&self) -> Result<Vec<WorkspaceId>> {
        let operators = Entity::find().filter(Column::IsOperator.eq(true));
        let found = operators.select_only().column(Column::WorkspaceId).distinct().into_tuple::<Uuid>();
        Ok(found.all(&self.reads).await?.into_iter().map(WorkspaceId).collect())
    }

    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<User>> {
        let rows = Entity::find().filter(Column::Id.is_in(ids.iter().map(|id| id.0))).all(&self.reads).await?;
        rows.into_iter().map(User::try_from).collect()
    }

    pub async fn user_by_subject(&self, workspace: WorkspaceId, issuer: &str, subject: &str) -> Result<Option<User>> {
        by_subject(workspace, issuer, subject).one(&self.reads).await?.map(User::try_from).transpose()
    }
}

pub fn by_subject(workspace: WorkspaceId, issuer: &str, subject: &str) -> Select<Entity> {
    Entity::find()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::Issuer.eq(issuer))
        .filter(Column::Subject.eq(subject))
}

/// A user, if they are of this workspace.
pub fn of(workspace: WorkspaceId, user: UserId) -> Select<Entity> {
    Entity::find_by_id(user.0).filter(Column::WorkspaceId.eq(workspace.0))
}

/// Makes the user that a token speaks of, or brings name and role up to what the token says.
pub struct ProvisionUser {
    /// The id to use if the user is new.
    pub id: UserId,
    pub workspace: WorkspaceId,
    pub at: Timestamp,
    pub person: Person,
}

#[async_trait]
impl Change for ProvisionUser {
    type Outcome = User;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<User> {
        let person = &self.person;
        let found = by_subject(self.workspace, &person.issuer, &person.subject).one(&work.transaction).await?;
        let Some(row) = found else {
            let user = User {
                id: self.id,
                workspace: self.workspace,
                name: person.name.clone(),
                role: person.role.unwrap_or(WorkspaceRole::Member),
                status: UserStatus::Active,
                avatar_url: None,
                status_text: None,
                is_operator: person.role.is_some() && person.is_operator,
                vouched_at: person.vouched_at,
                name_is_own: false,
                role_is_own: false,
                created_at: self.at,
            };
            insert(work, &user, &person.issuer, &person.subject).await?;
            return Ok(user);
        };
        let before = User::try_from(row)?;
        let user = before.vouched_for(person);
        if user != before {
            rewrite(work, &before, &user).await?;
        }
        // That somebody was vouched for once more is nobody's news.
        if (User { vouched_at: user.vouched_at, ..before }) != user {
            work.record(Some(user.id), self.at, Fact::UserUpdated { user: user.id });
        }
        Ok(user)
    }
}

/// Puts a new user in, who can be found from now on.
pub async fn insert(work: &mut Work, user: &User, issuer: &str, subject: &str) -> Result<()> {
    let row = ActiveModel {
        id: Set(user.id.0),
        workspace_id: Set(user.workspace.0),
        issuer: Set(issuer.to_owned()),
        subject: Set(subject.to_owned()),
        name: Set(user.name.clone()),
        role: Set(user.role.as_str().to_owned()),
        status: Set(user.status.as_str().to_owned()),
        avatar_url: Set(user.avatar_url.clone()),
        status_text: Set(user.status_text.clone()),
        is_operator: Set(user.is_operator),
        name_is_own: Set(user.name_is_own),
        role_is_own: Set(user.role_is_own),
        vouched_at: Set(user.vouched_at.0),
        created_at: Set(user.created_at.0),
    };
    Entity::insert(row).exec_without_returning(&work.transaction).await?;
    words::rewrite(work, user.workspace, user.id, Some(&user.name)).await?;
    work.record(Some(user.id), user.created_at, Fact::UserJoined { user: user.id });
    Ok(())
}

/// Writes what can change of a user, and keeps the words by which they are found in step.
pub async fn rewrite(work: &Work, before: &User, user: &User) -> Result<()> {
    let changed = ActiveModel {
        id: Set(user.id.0),
        name: Set(user.name.clone()),
        role: Set(user.role.as_str().to_owned()),
        status: Set(user.status.as_str().to_owned()),
        avatar_url: Set(user.avatar_url.clone()),
        status_text: Set(user.status_text.clone()),
        is_operator: Set(user.is_operator),
        name_is_own: Set(user.name_is_own),
        role_is_own: Set(user.role_is_own),
        vouched_at: Set(user.vouched_at.0),
        ..Default::default()
    };
    Entity::update(changed).exec(&work.transaction).await?;
    if before.name != user.name || before.status != user.status {
        let name = user.is_active().then_some(user.name.as_str());
        words::rewrite(work, user.workspace, user.id, name).await?;
    }
    Ok(())
}
