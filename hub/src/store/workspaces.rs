//! Workspaces: the tenants.

pub mod purge;

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, Fact, PolicyChanges, Rejection, Timestamp, WorkspaceId,
    workspaces::{CheckedWorkspace, SignUp, Workspace, WorkspaceStatus},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Change, Store, Work};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "workspaces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub status: String,
    pub sign_up: String,
    /// Where it differs from the hub's, as JSON.
    pub policy: String,
    pub created_at: i64,
    /// From then on it is not there for anybody; what is left of it goes piece by piece.
    pub deleted_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for Workspace {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Workspace {
            id: WorkspaceId(row.id),
            slug: row.slug,
            name: row.name,
            status: WorkspaceStatus::from_word(&row.status)
                .ok_or_else(|| Error::internal("unknown status of a workspace"))?,
            sign_up: SignUp::from_word(&row.sign_up)
                .ok_or_else(|| Error::internal("unknown sign-up of a workspace"))?,
            policy: serde_json::from_str(&row.policy).map_err(Error::internal)?,
            created_at: Timestamp(row.created_at),
        })
    }
}

impl Store {
    pub async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>> {
        existing(id).one(&self.reads).await?.map(Workspace::try_from).transpose()
    }

    pub async fn workspace_by_slug(&self, slug: &str) -> Result<Option<Workspace>> {
        let found = Entity::find().filter(Column::Slug.eq(slug)).filter(Column::DeletedAt.is_null());
        let row = found.one(&self.reads).await?;
        row.map(Workspace::try_from).transpose()
    }

    /// The next workspaces, a hundred at a time.
    pub async fn workspaces(&self, after: Option<WorkspaceId>) -> Result<Vec<Workspace>> {
        let walk = after.into_iter().fold(Entity::find(), |walk, after| walk.filter(Column::Id.gt(after.0)));
        let rows = walk.order_by_asc(Column::Id).limit(100).all(&self.reads).await?;
        rows.into_iter().map(Workspace::try_from).collect()
    }

    /// Is there any workspace at all? A hub without one has never been started.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(Entity::find().one(&self.reads).await?.is_none())
    }
}

pub fn existing(id: WorkspaceId) -> Select<Entity> {
    Entity::find_by_id(id.0).filter(Column::DeletedAt.is_null())
}

/// Makes a workspace and begins its log.
pub struct CreateWorkspace {
    pub id: WorkspaceId,
    pub at: Timestamp,
    pub workspace: CheckedWorkspace,
    /// None where the hub itself makes it, at its first start.
    pub by: Option<By>,
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
            status: WorkspaceStatus::Active.as_str().to_owned(),
            sign_up: SignUp::Closed.as_str().to_owned(),
            policy: "{}".to_owned(),
            created_at: self.at.0,
            deleted_at: None,
        };
        let inserted = Entity::insert(ActiveModel {
            id: Set(row.id),
            slug: Set(row.slug.clone()),
            name: Set(row.name.clone()),
            status: Set(row.status.clone()),
            sign_up: Set(row.sign_up.clone()),
            policy: Set(row.policy.clone()),
            created_at: Set(row.created_at),
            deleted_at: Set(None),
        })
        .exec_without_returning(&work.transaction)
        .await;
        // The slug is unique in the whole hub, and no lock that we hold reaches further than one workspace.
        match inserted {
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                return Err(Rejection::SlugTaken { name: slug.to_owned() }.into());
            }
            other => other?,
        };
        // Whoever made it belongs to another workspace: a name from there means nothing here.
        work.record(None, self.at, Fact::WorkspaceCreated);
        if let Some(by) = self.by {
            // In the record of whoever did it: that of the new workspace belongs to its own people.
            work.audit(by.entry(AuditAction::WorkspaceCreated, self.id, [("slug", slug.to_owned())]));
        }
        row.try_into()
    }
}

/// Changes what is given, and leaves the rest as it is.
pub struct UpdateWorkspace {
    pub id: WorkspaceId,
    pub by: By,
    pub name: Option<String>,
    pub sign_up: Option<SignUp>,
    pub status: Option<WorkspaceStatus>,
    pub policy: Option<PolicyChanges>,
}

#[async_trait]
impl Change for UpdateWorkspace {
    type Outcome = Workspace;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.id)
    }

    async fn apply(&self, work: &mut Work) -> Result<Workspace> {
        let found = existing(self.id).one(&work.transaction).await?;
        let before = found.ok_or(Rejection::NotFound { what: "workspace", field: "workspaceId" })?;
        let mut row = before.clone();
        if let Some(name) = &self.name {
            row.name.clone_from(name);
        }
        if let Some(sign_up) = self.sign_up {
            row.sign_up = sign_up.as_str().to_owned();
        }
        if let Some(status) = self.status {
            row.status = status.as_str().to_owned();
        }
        if let Some(changes) = &self.policy {
            let policy: PolicyChanges = serde_json::from_str(&row.policy).map_err(Error::internal)?;
            row.policy = serde_json::to_string(&policy.and(changes.clone())).map_err(Error::internal)?;
        }
        if row == before {
            return row.try_into();
        }
        let changed = ActiveModel {
            id: Set(row.id),
            name: Set(row.name.clone()),
            sign_up: Set(row.sign_up.clone()),
            status: Set(row.status.clone()),
            policy: Set(row.policy.clone()),
            ..Default::default()
        };
        Entity::update(changed).exec(&work.transaction).await?;
        let By { at, user, workspace, .. } = self.by;
        // An operator from elsewhere is nobody here.
        work.record(Some(user).filter(|_| workspace == self.id), at, Fact::WorkspaceUpdated);
        if before.status != row.status && self.status == Some(WorkspaceStatus::Suspended) {
            work.record(None, at, Fact::WorkspaceClosed);
        }
        let action =
            if before.policy == row.policy { AuditAction::WorkspaceUpdated } else { AuditAction::PolicyUpdated };
        let columns = [
            ("name", &before.name, &row.name),
            ("signUp", &before.sign_up, &row.sign_up),
            ("status", &before.status, &row.status),
            ("policy", &before.policy, &row.policy),
        ];
        let mut entry = self.by.entry(action, self.id, []);
        entry.details.extend(
            columns
                .into_iter()
                .filter(|(_, before, after)| before != after)
                .map(|(name, _, after)| (name.to_owned(), after.clone())),
        );
        work.audit(entry);
        row.try_into()
    }
}
