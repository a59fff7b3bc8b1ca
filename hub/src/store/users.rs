//! Users: a person or program as one workspace knows it.

use async_trait::async_trait;
use jackfield_domain::{
    Fact, Timestamp, UserId, WorkspaceId, WorkspaceRole,
    users::{Person, User},
};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{Change, Store, Work};
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
    pub is_operator: bool,
    pub vouched_at: i64,
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
            is_operator: row.is_operator,
            vouched_at: Timestamp(row.vouched_at),
            created_at: Timestamp(row.created_at),
        })
    }
}

impl Store {
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
                is_operator: person.role.is_some() && person.is_operator,
                vouched_at: person.vouched_at,
                created_at: self.at,
            };
            let row = ActiveModel {
                id: Set(user.id.0),
                workspace_id: Set(user.workspace.0),
                issuer: Set(person.issuer.clone()),
                subject: Set(person.subject.clone()),
                name: Set(user.name.clone()),
                role: Set(user.role.as_str().to_owned()),
                is_operator: Set(user.is_operator),
                vouched_at: Set(user.vouched_at.0),
                created_at: Set(user.created_at.0),
            };
            Entity::insert(row).exec_without_returning(&work.transaction).await?;
            work.record(Some(user.id), self.at, Fact::UserJoined { user: user.id });
            return Ok(user);
        };
        let before = User::try_from(row)?;
        let user = before.vouched_for(person);
        if user != before {
            let changed = ActiveModel {
                id: Set(user.id.0),
                name: Set(user.name.clone()),
                role: Set(user.role.as_str().to_owned()),
                is_operator: Set(user.is_operator),
                vouched_at: Set(user.vouched_at.0),
                ..Default::default()
            };
            Entity::update(changed).exec(&work.transaction).await?;
        }
        // That somebody was vouched for once more is nobody's news.
        if (User { vouched_at: user.vouched_at, ..before }) != user {
            work.record(Some(user.id), self.at, Fact::UserUpdated { user: user.id });
        }
        Ok(user)
    }
}
