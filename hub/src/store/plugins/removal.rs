//! Taking away what a plugin kept, and its packages, once it was taken away itself.

use async_trait::async_trait;
use jackfield_domain::{
    WorkspaceId,
    plugins::{HubState, Installed, PluginId},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    super::{Change, Store, Work},
    ActiveModel, Column, Entity, annotations,
    commit::logs,
    data, letters, mentions, packages, requests, turn,
    workspaces::{self, conversations, secrets},
};
use crate::Result;

/// So many messages are looked at at once.
const MESSAGES: u64 = 2_000;

/// A piece of what is to be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// What it kept in the next workspace, as long as there is one.
    Workspace,
    /// What it left beside messages, behind this one.
    Annotations(Uuid),
    Mentions(Uuid),
    /// Its packages, and that it is being removed.
    Rest,
}

/// Takes away a piece of a plugin; answers which one is next.
pub struct PurgePlugin {
    pub plugin: PluginId,
    pub piece: Piece,
}

#[async_trait]
impl Change for PurgePlugin {
    type Outcome = Option<Piece>;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Option<Piece>> {
        let found = Entity::find_by_id(self.plugin.to_string()).one(&work.transaction).await?;
        // Whoever comes late to it finds it done, or the plugin installed again.
        if found.is_none_or(|plugin| plugin.state != HubState::Removing.as_str()) {
            return Ok(None);
        }
        match self.piece {
            Piece::Workspace => self.workspace(work).await,
            Piece::Annotations(after) => {
                use annotations::{Column, Entity};
                let last = beside_messages::<Entity>(work, Column::MessageId, after, Column::PluginId, &self.plugin);
                Ok(Some(last.await?.map_or(Piece::Mentions(Uuid::nil()), Piece::Annotations)))
            }
            Piece::Mentions(after) => {
                use mentions::{Column, Entity};
                let last = beside_messages::<Entity>(work, Column::MessageId, after, Column::PluginId, &self.plugin);
                Ok(Some(last.await?.map_or(Piece::Rest, Piece::Mentions)))
            }
            Piece::Rest => {
                packages::Entity::delete_many()
                    .filter(packages::Column::PluginId.eq(self.plugin.as_str()))
                    .exec(&work.transaction)
                    .await?;
                let removed = ActiveModel { state: Set(HubState::Removed.as_str().to_owned()), ..Default::default() };
                Entity::update_many()
                    .set(removed)
                    .filter(Column::PluginId.eq(self.plugin.as_str()))
                    .filter(Column::State.eq(HubState::Removing.as_str()))
                    .exec(&work.transaction)
                    .await?;
                turn(work).await?;
                Ok(None)
            }
        }
    }
}

/// Takes away what a plugin left beside the next messages; answers the last of these, if there are any.
async fn beside_messages<E: EntityTrait>(
    work: &Work,
    message: E::Column,
    after: Uuid,
    owner: E::Column,
    plugin: &PluginId,
) -> Result<Option<Uuid>> {
    let some = E::find().filter(message.gt(after)).order_by_asc(message).limit(MESSAGES);
    let some: Vec<Uuid> = some.select_only().column(message).into_tuple().all(&work.transaction).await?;
    let last = some.last().copied();
    if last.is_some() {
        let ours = E::delete_many().filter(message.is_in(some)).filter(owner.eq(plugin.as_str()));
        ours.exec(&work.transaction).await?;
    }
    Ok(last)
}

impl PurgePlugin {
    async fn workspace(&self, work: &Work) -> Result<Option<Piece>> {
        let plugin = self.plugin.as_str();
        let next: Option<Uuid> = workspaces::Entity::find()
            .filter(workspaces::Column::PluginId.eq(plugin))
            .select_only()
            .column(workspaces::Column::WorkspaceId)
            .limit(1)
            .into_tuple()
            .one(&work.transaction)
            .await?;
        let Some(workspace) = next else {
            let rest = conversations::Entity::delete_many().filter(conversations::Column::PluginId.eq(plugin));
            rest.exec(&work.transaction).await?;
            return Ok(Some(Piece::Annotations(Uuid::nil())));
        };
        /// What a plugin has in a workspace.
        macro_rules! forget {
            ($($table:ident),*) => {$(
                $table::Entity::delete_many()
                    .filter($table::Column::WorkspaceId.eq(workspace))
                    .filter($table::Column::PluginId.eq(plugin))
                    .exec(&work.transaction)
                    .await?;
            )*};
        }
        forget!(data, secrets, logs, letters, requests, workspaces);
        Ok(Some(Piece::Workspace))
    }
}

/// Lets go of what the store knows of a package of which the bytes were taken away; answers whether it is needed after all.
/// That of the newest package whose data lies in a workspace stays: an upgrade is told which version wrote it.
pub struct ForgetPackage {
    pub plugin: PluginId,
    pub hash: String,
}

#[async_trait]
impl Change for ForgetPackage {
    type Outcome = bool;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<bool> {
        // Where changes of plugins wait for each other.
        turn(work).await?;
        let installed = Entity::find_by_id(self.plugin.to_string()).one(&work.transaction).await?;
        let installed = installed.map(Installed::try_from).transpose()?;
        if installed.is_some_and(|installed| installed.packages().any(|hash| *hash == self.hash)) {
            return Ok(true);
        }
        let Some(package) = packages::Entity::find_by_id(&self.hash).one(&work.transaction).await? else {
            return Ok(false);
        };
        let of_data = workspaces::Entity::find()
            .filter(workspaces::Column::PluginId.eq(self.plugin.as_str()))
            .filter(workspaces::Column::DataVersion.eq(package.data_version));
        let newer = packages::Entity::find()
            .filter(packages::Column::PluginId.eq(self.plugin.as_str()))
            .filter(packages::Column::DataVersion.eq(package.data_version))
            .filter(packages::Column::CreatedAt.gt(package.created_at));
        if of_data.limit(1).one(&work.transaction).await?.is_none() || newer.one(&work.transaction).await?.is_some() {
            packages::Entity::delete_by_id(&self.hash).exec(&work.transaction).await?;
        }
        Ok(false)
    }
}

impl Store {
    /// Is a plugin being taken away?
    pub async fn is_being_removed(&self, plugin: &PluginId) -> Result<bool> {
        let found = Entity::find_by_id(plugin.to_string()).one(&self.reads).await?;
        Ok(found.is_some_and(|plugin| plugin.state == HubState::Removing.as_str()))
    }

    /// The packages of a plugin, by their hashes.
    pub async fn packages_of(&self, plugin: &PluginId) -> Result<Vec<String>> {
        let rows = packages::Entity::find().filter(packages::Column::PluginId.eq(plugin.as_str()));
        Ok(rows.select_only().column(packages::Column::Hash).into_tuple().all(&self.reads).await?)
    }
}
