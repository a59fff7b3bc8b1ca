//! Workspaces: the tenants.

use async_trait::async_trait;
use jackfield_domain::{
    Fact, Rejection, Timestamp, UserId, WorkspaceId,
    workspaces::{CheckedWorkspace, Workspace},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Change, Store, Work};
use crate::Result;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl From<Model> for Workspace {
    fn from(row: Model) -> Self {
        Workspace { id: WorkspaceId(row.id), slug: row.slug, name: row.name, created_at: Timestamp(row.created_at) }
    }
}

impl Store {
    pub async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>> {
        Ok(Entity::find_by_id(id.0).one(&self.reads).await?.map(Workspace::from))
    }

    pub async fn workspace_by_slug(&self, slug: &str) -> Result<Option<Workspace>> {
        Ok(Entity::find().filter(Column::Slug.eq(slug)).one(&self.reads).await?.map(Workspace::from))
    }

    /// The next ids of workspaces, a hundred at a time.
    pub async fn workspace_ids(&self, after: Option<WorkspaceId>) -> Result<Vec<WorkspaceId>> {
        let walk = after.into_iter().fold(Entity::find(), |walk, after| walk.filter(Column::Id.gt(after.0)));
        let rows = walk.order_by_asc(Column::Id).limit(100).all(&self.reads).await?;
        Ok(rows.into_iter().map(|row| WorkspaceId(row.id)).collect())
    }

    /// Is there any workspace at all? A hub without one has never been started.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(Entity::find().one(&self.reads).await?.is_none())
    }
}

/// Makes a workspace and begins its log.
pub struct CreateWorkspace {
    pub id: WorkspaceId,
    pub at: Timestamp,
    /// None where the hub itself makes it, at its first start.
    pub actor: Option<UserId>,
    pub workspace: CheckedWorkspace,
}

#[async_trait]
impl Change for CreateWorkspace {
    type Outcome = Workspace;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.id)
    }

    async fn apply(&self, work: &mut Work) -> Result<Workspace> {
        let slug = self.workspace.slug();
        let row = Model {
            id: self.id.0,
            slug: slug.to_owned(),
            name: self.workspace.name().to_owned(),
            created_at: self.at.0,
        };
        let inserted = Entity::insert(ActiveModel {
            id: Set(row.id),
            slug: Set(row.slug.clone()),
            name: Set(row.name.clone()),
            created_at: Set(row.created_at),
        })
        .exec_without_returning(&work.transaction)
        .await;
        // The slug is unique in the whole hub, and no lock that we hold reaches further than one workspace.
        match inserted {
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                Err(Rejection::SlugTaken { name: slug.to_owned() }.into())
            }
            Err(error) => Err(error.into()),
            Ok(_) => {
                // Whoever made it belongs to another workspace: a name from there means nothing here.
                work.record(None, self.at, Fact::WorkspaceCreated);
                Ok(row.into())
            }
        }
    }
}
