//! The record of what was done by the power of a role. It is only ever added to, in the transaction of what was done.

use jackfield_domain::{
    AuditAction, AuditEntry, Timestamp, UserId, WorkspaceId,
    audit::AuditFilter,
    pages::{Direction, Page, Slice},
};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder, QuerySelect, entity::prelude::*};

use super::Store;
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub at: i64,
    pub actor_id: Option<Uuid>,
    pub address: Option<String>,
    pub action: String,
    pub target: Option<String>,
    pub details: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for AuditEntry {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(AuditEntry {
            id: row.id,
            workspace: WorkspaceId(row.workspace_id),
            at: Timestamp(row.at),
            actor: row.actor_id.map(UserId),
            address: row.address.and_then(|address| address.parse().ok()),
            action: AuditAction::from_word(&row.action).ok_or_else(|| Error::internal("unknown action in audit"))?,
            target: row.target,
            details: serde_json::from_str(&row.details).map_err(Error::internal)?,
        })
    }
}

pub async fn append(transaction: &DatabaseTransaction, entries: Vec<AuditEntry>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let row = |entry: AuditEntry| -> Result<ActiveModel> {
        Ok(ActiveModel {
            id: Set(entry.id),
            workspace_id: Set(entry.workspace.0),
            at: Set(entry.at.0),
            actor_id: Set(entry.actor.map(|user| user.0)),
            address: Set(entry.address.map(|address| address.to_string())),
            action: Set(entry.action.as_str().to_owned()),
            target: Set(entry.target),
            details: Set(serde_json::to_string(&entry.details).map_err(Error::internal)?),
        })
    };
    let rows = entries.into_iter().map(row).collect::<Result<Vec<_>>>()?;
    Entity::insert_many(rows).exec_without_returning(transaction).await?;
    Ok(())
}

impl Store {
    /// A page of what a filter lets through of a workspace's record, the oldest first.
    pub async fn audit(
        &self,
        workspace: WorkspaceId,
        filter: &AuditFilter,
        page: &Page<Uuid>,
    ) -> Result<Slice<AuditEntry>> {
        let rows = walk(workspace, filter, page).all(&self.reads).await?;
        let entries = rows.into_iter().map(AuditEntry::try_from).collect::<Result<_>>()?;
        Ok(Slice::of_walk(page, entries))
    }
}

pub fn walk(workspace: WorkspaceId, filter: &AuditFilter, page: &Page<Uuid>) -> Select<Entity> {
    let mut walk = Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).limit(page.size as u64 + 1);
    if !filter.actions.is_empty() {
        walk = walk.filter(Column::Action.is_in(filter.actions.iter().map(|action| action.as_str())));
    }
    if let Some(actor) = filter.actor {
        walk = walk.filter(Column::ActorId.eq(actor.0));
    }
    if let Some(target) = &filter.target {
        walk = walk.filter(Column::Target.eq(target));
    }
    if let Some(since) = filter.since {
        walk = walk.filter(Column::At.gte(since.0));
    }
    if let Some(until) = filter.until {
        walk = walk.filter(Column::At.lt(until.0));
    }
    match (page.direction, page.from) {
        (Direction::Forward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.gt(from))).order_by_asc(Column::Id)
        }
        (Direction::Backward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.lt(from))).order_by_desc(Column::Id)
        }
    }
}
