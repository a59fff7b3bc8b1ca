//! A plugin prepares its data in a workspace, slice by slice, on one node at a time: what a slice leaves and where the next
//! one goes on are written together.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, AuditEntry, Timestamp, UserId, WorkspaceId,
    plugins::{InWorkspace, PluginId},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    super::{Change, Store, Work, writer::FromPlugins},
    Entity as Plugins,
    commit::{Effects, carry_out},
    held, packages, turn,
    workspaces::{ActiveModel, Entity},
};
use crate::Result;

/// Takes the work upon a node, if no other one is at it.
pub struct BeginPreparing {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub lease: Uuid,
    pub now: Timestamp,
    pub until: Timestamp,
}

#[async_trait]
impl Change for BeginPreparing {
    type Outcome = Option<InWorkspace>;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Option<InWorkspace>> {
        let found = Entity::find_by_id((self.workspace.0, self.plugin.to_string())).one(&work.transaction).await?;
        let Some(row) = found.filter(|row| row.lease_until.is_none_or(|until| until <= self.now.0)) else {
            return Ok(None);
        };
        let taken = ActiveModel {
            workspace_id: Set(row.workspace_id),
            plugin_id: Set(row.plugin_id.clone()),
            lease: Set(Some(self.lease)),
            lease_until: Set(Some(self.until.0)),
            ..Default::default()
        };
        Entity::update(taken).exec(&work.transaction).await?;
        InWorkspace::try_from(row).map(Some)
    }
}

/// How far a plugin has come with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do, from here; this node stays at it until then.
    More(String, Timestamp),
    /// The data is of this version.
    Done(u32),
    /// The plugin says that it cannot be done, or fails at it; of which version its data is all the same, if it is.
    Refused { why: String, data_version: Option<u32> },
    /// Nothing came of it this time.
    Nothing,
}

/// Ends a slice of it.
pub struct EndPreparing {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    /// The package that does it.
    pub package: String,
    pub lease: Uuid,
    pub at: Timestamp,
    pub bot: Option<UserId>,
    pub data: FromPlugins,
    pub effects: Effects,
    pub progress: Progress,
    pub audit: Uuid,
}

#[async_trait]
impl Change for EndPreparing {
    /// What the plugin is in the workspace now; none if this node was not at it any more, and nothing was written.
    type Outcome = Option<InWorkspace>;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        self.effects.posts.is_empty()
    }

    async fn apply(&self, work: &mut Work) -> Result<Option<InWorkspace>> {
        let found = Entity::find_by_id((self.workspace.0, self.plugin.to_string())).one(&work.transaction).await?;
        let Some(mut row) = found.filter(|row| row.lease == Some(self.lease)) else { return Ok(None) };
        let installed = Plugins::find_by_id(self.plugin.to_string()).one(&work.transaction).await?;
        let is_in_force = installed.is_some_and(|installed| installed.package_hash == self.package);
        (row.lease, row.lease_until) = (None, None);
        match &self.progress {
            // Another version took its place meanwhile, and begins by itself.
            _ if !is_in_force => row.resume = None,
            Progress::Nothing => {}
            Progress::More(resume, until) => {
                row.resume = Some(resume.clone());
                (row.lease, row.lease_until) = (Some(self.lease), Some(until.0));
            }
            Progress::Done(version) => {
                row.data_version = Some(i64::from(*version));
                (row.resume, row.refused_hash, row.off_reason) = (None, None, None);
            }
            Progress::Refused { why, data_version } => {
                row.resume = None;
                row.off_reason = Some(why.clone());
                match row.data_version {
                    None => row.is_on = Some(false),
                    Some(_) => row.refused_hash = Some(self.package.clone()),
                }
                row.data_version = row.data_version.or(data_version.map(i64::from));
                work.audit(AuditEntry {
                    id: self.audit,
                    workspace: self.workspace,
                    at: self.at,
                    actor: None,
                    address: None,
                    action: AuditAction::PluginUpdated,
                    target: Some(self.plugin.to_string()),
                    details: [("refused".to_owned(), why.clone())].into(),
                });
            }
        }
        let written = ActiveModel {
            workspace_id: Set(row.workspace_id),
            plugin_id: Set(row.plugin_id.clone()),
            lease: Set(row.lease),
            lease_until: Set(row.lease_until),
            resume: Set(row.resume.clone()),
            data_version: Set(row.data_version),
            refused_hash: Set(row.refused_hash.clone()),
            off_reason: Set(row.off_reason.clone()),
            is_on: Set(row.is_on),
            ..Default::default()
        };
        Entity::update(written).exec(&work.transaction).await?;
        if !is_in_force {
            return Ok(None);
        }
        work.depth = 1;
        held::commit_data(work, &self.data, self.at).await?;
        carry_out(work, self.workspace, &self.plugin, self.bot, &self.effects, self.at).await?;
        if matches!(self.progress, Progress::Done(_) | Progress::Refused { .. }) {
            turn(work).await?;
        }
        InWorkspace::try_from(row).map(Some)
    }
}

impl Store {
    /// The newest version of a plugin that wrote data of this version.
    pub async fn version_of_data(&self, plugin: &PluginId, data_version: u32) -> Result<Option<String>> {
        let newest = packages::Entity::find()
            .filter(packages::Column::PluginId.eq(plugin.as_str()))
            .filter(packages::Column::DataVersion.eq(i64::from(data_version)))
            .order_by_desc(packages::Column::CreatedAt)
            .limit(1);
        Ok(newest.one(&self.reads).await?.map(|package| package.version))
    }
}
