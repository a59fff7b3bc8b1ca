//! Those outside who may vouch for people, as operators manage them.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, IssuerId, Rejection, Timestamp, WorkspaceId,
    pages::{Direction, Page, Slice},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{Change, Store, Work};
use crate::Result;

/// So many there may be.
pub const MOST: usize = 100;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "issuers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    /// What was said of it, as JSON; with the secret that its tokens are verified with, if it has one.
    pub settings: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An issuer as it is kept.
#[derive(Debug, Clone)]
pub struct KeptIssuer {
    pub id: IssuerId,
    pub settings: String,
    pub created_at: Timestamp,
}

impl From<Model> for KeptIssuer {
    fn from(row: Model) -> Self {
        KeptIssuer { id: IssuerId(row.id), settings: row.settings, created_at: Timestamp(row.created_at) }
    }
}

impl Store {
    /// A page of them, the oldest first.
    pub async fn issuers(&self, page: &Page<IssuerId>) -> Result<Slice<KeptIssuer>> {
        let walk = Entity::find().limit(page.size as u64 + 1);
        let rows = match (page.direction, page.from) {
            (Direction::Forward, from) => {
                from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id)
            }
            (Direction::Backward, from) => {
                from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
            }
        };
        let rows = rows.all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(KeptIssuer::from).collect()))
    }
}

/// Trusts somebody to vouch for people.
pub struct CreateIssuer {
    pub id: IssuerId,
    pub name: String,
    pub settings: String,
    pub by: By,
}

#[async_trait]
impl Change for CreateIssuer {
    type Outcome = KeptIssuer;

    // The lock of the operator's own workspace is enough: the name is unique in the whole hub.
    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<KeptIssuer> {
        if Entity::find().count(&work.transaction).await? >= MOST as u64 {
            return Err(Rejection::TooMany { what: "issuers", max: MOST }.into());
        }
        let row =
            Model { id: self.id.0, name: self.name.clone(), settings: self.settings.clone(), created_at: self.by.at.0 };
        let new = ActiveModel {
            id: Set(row.id),
            name: Set(row.name.clone()),
            settings: Set(row.settings.clone()),
            created_at: Set(row.created_at),
        };
        match Entity::insert(new).exec_without_returning(&work.transaction).await {
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                return Err(Rejection::IssuerTaken { name: self.name.clone() }.into());
            }
            other => other?,
        };
        work.audit(self.by.entry(AuditAction::IssuerCreated, self.id, [("issuer", self.name.clone())]));
        Ok(row.into())
    }
}

/// Trusts somebody no more.
pub struct DeleteIssuer {
    pub id: IssuerId,
    pub by: By,
}

#[async_trait]
impl Change for DeleteIssuer {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let found = Entity::find_by_id(self.id.0).one(&work.transaction).await?;
        let row = found.ok_or(Rejection::NotFound { what: "issuer", field: "issuer_id" })?;
        Entity::delete_by_id(row.id).exec(&work.transaction).await?;
        work.audit(self.by.entry(AuditAction::IssuerDeleted, self.id, [("issuer", row.name)]));
        Ok(())
    }
}
