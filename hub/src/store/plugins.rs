//! Plugins as the store knows them: which packages there are, which of them is in force, and what workspaces make of it.
//!
//! What changes anything of this raises a number in the same transaction, by which every node sees that it has to look
//! again.

pub mod annotations;
pub mod commit;
pub mod data;
pub mod held;
pub mod letters;
pub mod mentions;
pub mod notices;
pub mod preparing;
pub mod removal;
pub mod requests;
pub mod runs;
pub mod schedules;
pub mod timers;
pub mod verdicts;
pub mod workspaces;

use std::collections::HashMap;

use async_trait::async_trait;
use jackfield_domain::{
    AuditEntry, Rejection, Timestamp, WorkspaceId,
    jobs::NewJob,
    plugins::{HubState, Installed, Package, PluginId},
};
use sea_orm::{
    ActiveValue::Set,
    QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{Change, Store, Work, jobs};
use crate::{Error, Result};

pub mod packages {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "plugin_packages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: String,
        pub plugin_id: String,
        pub version: String,
        pub data_version: i64,
        pub manifest: String,
        pub bytes: i64,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod generation {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "plugin_generation")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub number: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugins")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub plugin_id: String,
    pub package_hash: String,
    pub previous_hash: Option<String>,
    pub pending_hash: Option<String>,
    pub newest_version: Option<String>,
    pub state: String,
    pub is_default: bool,
    pub grants: String,
    pub settings: String,
    pub installed_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

fn id(text: &str) -> Result<PluginId> {
    text.parse().map_err(Error::internal)
}

impl TryFrom<packages::Model> for Package {
    type Error = Error;

    fn try_from(row: packages::Model) -> Result<Self> {
        Ok(Package {
            plugin: id(&row.plugin_id)?,
            hash: row.hash,
            version: row.version,
            data_version: u32::try_from(row.data_version).map_err(Error::internal)?,
            manifest: row.manifest,
            bytes: row.bytes.unsigned_abs(),
            created_at: Timestamp(row.created_at),
        })
    }
}

impl TryFrom<Model> for Installed {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(Installed {
            plugin: id(&row.plugin_id)?,
            package: row.package_hash,
            previous: row.previous_hash,
            pending: row.pending_hash,
            newest: row.newest_version.as_deref().map(str::parse).transpose().map_err(Error::internal)?,
            state: HubState::from_word(&row.state).ok_or_else(|| Error::internal("unknown state of a plugin"))?,
            is_default: row.is_default,
            grants: serde_json::from_str(&row.grants).map_err(Error::internal)?,
            overrides: serde_json::from_str(&row.settings).map_err(Error::internal)?,
            installed_at: Timestamp(row.installed_at),
        })
    }
}

fn row_of(installed: &Installed) -> Result<ActiveModel> {
    Ok(ActiveModel {
        plugin_id: Set(installed.plugin.to_string()),
        package_hash: Set(installed.package.clone()),
        previous_hash: Set(installed.previous.clone()),
        pending_hash: Set(installed.pending.clone()),
        newest_version: Set(installed.newest.as_ref().map(ToString::to_string)),
        state: Set(installed.state.as_str().to_owned()),
        is_default: Set(installed.is_default),
        grants: Set(serde_json::to_string(&installed.grants).map_err(Error::internal)?),
        settings: Set(serde_json::to_string(&installed.overrides).map_err(Error::internal)?),
        installed_at: Set(installed.installed_at.0),
    })
}

impl Store {
    /// Grows whenever anything about plugins changes.
    pub async fn plugin_generation(&self) -> Result<i64> {
        let row = generation::Entity::find_by_id(1).one(&self.reads).await?;
        Ok(row.map(|row| row.number).unwrap_or_default())
    }

    /// Every plugin on this hub, by its id.
    pub async fn installed_plugins(&self) -> Result<Vec<Installed>> {
        let rows = Entity::find().all(&self.reads).await?;
        let mut found = rows.into_iter().map(Installed::try_from).collect::<Result<Vec<_>>>()?;
        found.sort_by(|one, other| one.plugin.cmp(&other.plugin));
        Ok(found)
    }

    pub async fn plugin_packages(&self, hashes: &[String]) -> Result<HashMap<String, Package>> {
        let rows =
            packages::Entity::find().filter(packages::Column::Hash.is_in(hashes.iter())).all(&self.reads).await?;
        rows.into_iter().map(|row| Package::try_from(row).map(|found| (found.hash.clone(), found))).collect()
    }
}

/// Lets every node look at the plugins again.
pub async fn turn(work: &Work) -> Result<()> {
    generation::Entity::update_many()
        .col_expr(generation::Column::Number, Expr::col(generation::Column::Number).add(1))
        .exec(&work.transaction)
        .await?;
    Ok(())
}

/// What is to become of a plugin on the hub; decided while nobody else decides. Told is also the highest version of the data
/// that any workspace has of it.
pub trait Decision: Send + Sync + 'static {
    fn decide(&self, before: Option<Installed>, newest_data: Option<u32>) -> Result<Installed, Rejection>;
}

impl<F: Fn(Option<Installed>, Option<u32>) -> Result<Installed, Rejection> + Send + Sync + 'static> Decision for F {
    fn decide(&self, before: Option<Installed>, newest_data: Option<u32>) -> Result<Installed, Rejection> {
        self(before, newest_data)
    }
}

/// Installs a package, or changes what is installed.
pub struct ChangePlugin<D> {
    pub plugin: PluginId,
    /// A package that is new here.
    pub package: Option<Package>,
    pub decision: D,
    pub audit: Vec<AuditEntry>,
    /// What follows from it.
    pub job: Option<NewJob>,
}

#[async_trait]
impl<D: Decision> Change for ChangePlugin<D> {
    type Outcome = Installed;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Installed> {
        // First, because this row is where changes of plugins wait for each other.
        turn(work).await?;
        if let Some(package) = &self.package {
            let row = packages::ActiveModel {
                hash: Set(package.hash.clone()),
                plugin_id: Set(package.plugin.to_string()),
                version: Set(package.version.clone()),
                data_version: Set(i64::from(package.data_version)),
                manifest: Set(package.manifest.clone()),
                bytes: Set(package.bytes as i64),
                created_at: Set(package.created_at.0),
            };
            let again = OnConflict::column(packages::Column::Hash).do_nothing().to_owned();
            packages::Entity::insert(row).on_conflict(again).exec_without_returning(&work.transaction).await?;
        }
        let before = Entity::find_by_id(self.plugin.to_string()).one(&work.transaction).await?;
        let before = before.map(Installed::try_from).transpose()?;
        let after = self.decision.decide(before.clone(), newest_data(work, &self.plugin).await?)?;
        match &before {
            Some(before) if *before == after => return Ok(after),
            None => Entity::insert(row_of(&after)?).exec_without_returning(&work.transaction).await.map(drop)?,
            Some(_) => Entity::update(row_of(&after)?).exec(&work.transaction).await.map(drop)?,
        }
        for audit in &self.audit {
            work.audit(audit.clone());
        }
        jobs::enqueue(work, self.job.as_slice()).await?;
        Ok(after)
    }
}

async fn newest_data(work: &Work, plugin: &PluginId) -> Result<Option<u32>> {
    let newest: Option<Option<i64>> = workspaces::Entity::find()
        .filter(workspaces::Column::PluginId.eq(plugin.as_str()))
        .select_only()
        .column_as(workspaces::Column::DataVersion.max(), "newest")
        .into_tuple()
        .one(&work.transaction)
        .await?;
    newest.flatten().map(u32::try_from).transpose().map_err(Error::internal)
}
