//! Commands that were run: what a plugin left and what came of it are committed together, once, however often it is asked for.

use async_trait::async_trait;
use jackfield_domain::{Rejection, Timestamp, UserId, WorkspaceId, plugins::Ran};
use sea_orm::{ActiveValue::Set, QuerySelect, entity::prelude::*};

use super::{
    super::{Change, Store, Work},
    commit::CommitIssued,
};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "command_runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    /// The viewer's own name for it.
    pub key: Option<String>,
    #[sea_orm(column_type = "Blob")]
    pub fingerprint: Vec<u8>,
    /// JSON; empty where nobody can ask for it again.
    pub outcome: String,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    fn ran(&self, fingerprint: &[u8; 32]) -> Result<Ran> {
        if self.fingerprint != fingerprint {
            return Err(Rejection::CommandKeyReused.into());
        }
        serde_json::from_str(&self.outcome).map_err(Error::internal)
    }
}

fn under(user: UserId, key: &str) -> Select<Entity> {
    Entity::find().filter(Column::UserId.eq(user.0)).filter(Column::Key.eq(key))
}

impl Store {
    /// What came of the command that somebody ran under this name.
    pub async fn command_run(&self, user: UserId, key: &str, fingerprint: &[u8; 32]) -> Result<Option<Ran>> {
        let row = under(user, key).one(&self.reads).await?;
        row.map(|row| row.ran(fingerprint)).transpose()
    }
}

/// Commits what a command left, and what came of it.
pub struct CommitCommand {
    /// Of this very run: one whose commit is tried again is known by it.
    pub id: Uuid,
    pub user: UserId,
    pub key: Option<String>,
    /// Of what was asked for: what must be the same when a key is used again.
    pub fingerprint: [u8; 32],
    pub ran: Ran,
    pub issued: CommitIssued,
}

#[async_trait]
impl Change for CommitCommand {
    /// What came of it, be it now or when it was run before.
    type Outcome = Ran;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.issued.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Self::Outcome> {
        if Entity::find_by_id(self.id).one(&work.transaction).await?.is_some() {
            return Ok(self.ran.clone());
        }
        if let Some(key) = &self.key
            && let Some(before) = under(self.user, key).one(&work.transaction).await?
        {
            return before.ran(&self.fingerprint);
        }
        let outcome = match &self.key {
            Some(_) => serde_json::to_string(&self.ran).map_err(Error::internal)?,
            None => String::new(),
        };
        let row = ActiveModel {
            id: Set(self.id),
            user_id: Set(self.user.0),
            key: Set(self.key.clone()),
            fingerprint: Set(self.fingerprint.to_vec()),
            outcome: Set(outcome),
            created_at: Set(self.issued.at.0),
        };
        Entity::insert(row).exec_without_returning(&work.transaction).await?;
        self.issued.apply(work).await?;
        Ok(self.ran.clone())
    }
}

/// Takes away what came of commands that were run before `before`, at most `limit` at once; answers how many went.
pub struct SweepCommandRuns {
    pub before: Timestamp,
    pub limit: u64,
}

#[async_trait]
impl Change for SweepCommandRuns {
    type Outcome = u64;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<u64> {
        let old: Vec<Uuid> = Entity::find()
            .filter(Column::CreatedAt.lt(self.before.0))
            .select_only()
            .column(Column::Id)
            .limit(self.limit)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        let swept = Entity::delete_many().filter(Column::Id.is_in(old)).exec(&work.transaction).await?;
        Ok(swept.rows_affected)
    }
}
