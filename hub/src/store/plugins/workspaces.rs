//! What workspaces, and conversations in them, have made of plugins; and how far each plugin has come in each log.

use async_trait::async_trait;
use jackfield_domain::{
    AuditEntry, ConversationId, Position, Rejection, Timestamp, UserId, WorkspaceId,
    plugins::{InWorkspace, Notice, PluginId},
};
use sea_orm::{
    ActiveValue::Set,
    Condition, JoinType, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};

use super::{
    super::{Change, Store, Work, log},
    id, notices, turn,
};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "plugin_workspaces")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub workspace_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub plugin_id: String,
    pub is_on: Option<bool>,
    pub configuration: String,
    pub grants: Option<String>,
    pub settings: String,
    pub data_version: Option<i64>,
    pub bot_user_id: Option<Uuid>,
    pub position: i64,
    /// How often the events behind that position were handed over in vain.
    pub failures: i64,
    pub lease: Option<Uuid>,
    pub lease_until: Option<i64>,
    pub storage_bytes: i64,
    pub off_reason: Option<String>,
    pub listens: bool,
    pub resume: Option<String>,
    pub refused_hash: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub mod conversations {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "plugin_conversations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub conversation_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub plugin_id: String,
        pub workspace_id: Uuid,
        pub is_on: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub mod secrets {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "plugin_secrets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub plugin_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        #[sea_orm(column_type = "Blob")]
        pub value: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

impl TryFrom<Model> for InWorkspace {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        let grants = row.grants.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        Ok(InWorkspace {
            workspace: WorkspaceId(row.workspace_id),
            plugin: id(&row.plugin_id)?,
            is_on: row.is_on,
            configuration: row.configuration,
            grants,
            overrides: serde_json::from_str(&row.settings).map_err(Error::internal)?,
            data_version: row.data_version.map(u32::try_from).transpose().map_err(Error::internal)?,
            bot: row.bot_user_id.map(UserId),
            position: Position(row.position),
            storage_bytes: row.storage_bytes.unsigned_abs(),
            off_reason: row.off_reason,
            listens: row.listens,
            resume: row.resume,
            refused: row.refused_hash,
        })
    }
}

impl Store {
    /// What a workspace has made of the plugins that it has ever had to do with.
    pub async fn plugins_in(&self, workspace: WorkspaceId) -> Result<Vec<InWorkspace>> {
        let rows = Entity::find().filter(Column::WorkspaceId.eq(workspace.0)).all(&self.reads).await?;
        rows.into_iter().map(InWorkspace::try_from).collect()
    }

    /// Where in a workspace a plugin is on or off by itself.
    pub async fn plugins_in_conversations(
        &self,
        workspace: WorkspaceId,
    ) -> Result<Vec<(PluginId, ConversationId, bool)>> {
        let rows = conversations::Entity::find()
            .filter(conversations::Column::WorkspaceId.eq(workspace.0))
            .all(&self.reads)
            .await?;
        rows.into_iter().map(|row| Ok((id(&row.plugin_id)?, ConversationId(row.conversation_id), row.is_on))).collect()
    }
}

/// What is to be different for a plugin in a workspace; decided while nobody else decides.
pub trait LocalDecision: Send + Sync + 'static {
    fn decide(&self, now: &mut InWorkspace) -> Result<(), Rejection>;
}

impl<F: Fn(&mut InWorkspace) -> Result<(), Rejection> + Send + Sync + 'static> LocalDecision for F {
    fn decide(&self, now: &mut InWorkspace) -> Result<(), Rejection> {
        self(now)
    }
}

/// Changes what a workspace has made of a plugin. A plugin that comes here for the first time begins where the log is.
pub struct ChangeInWorkspace<D> {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub decision: D,
    pub audit: Option<AuditEntry>,
    /// What those are told whom the change concerns.
    pub notice: Option<(Timestamp, Notice)>,
}

#[async_trait]
impl<D: LocalDecision> Change for ChangeInWorkspace<D> {
    type Outcome = InWorkspace;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<InWorkspace> {
        let found = Entity::find_by_id((self.workspace.0, self.plugin.to_string())).one(&work.transaction).await?;
        let before = if let Some(row) = found {
            InWorkspace::try_from(row)?
        } else {
            // Who looked before does not know that there is such a row, also where it says nothing yet.
            turn(work).await?;
            begun(work, self.workspace, &self.plugin).await?
        };
        let mut after = before.clone();
        self.decision.decide(&mut after)?;
        if after == before {
            return Ok(after);
        }
        let row = ActiveModel {
            workspace_id: Set(self.workspace.0),
            plugin_id: Set(self.plugin.to_string()),
            is_on: Set(after.is_on),
            configuration: Set(after.configuration.clone()),
            grants: Set(after.grants.as_ref().map(serde_json::to_string).transpose().map_err(Error::internal)?),
            settings: Set(serde_json::to_string(&after.overrides).map_err(Error::internal)?),
            data_version: Set(after.data_version.map(i64::from)),
            bot_user_id: Set(after.bot.map(|bot| bot.0)),
            position: Set(after.position.0),
            off_reason: Set(after.off_reason.clone()),
            listens: Set(after.listens),
            resume: Set(after.resume.clone()),
            refused_hash: Set(after.refused.clone()),
            ..Default::default()
        };
        Entity::update(row).exec(&work.transaction).await?;
        turn(work).await?;
        if let Some(audit) = &self.audit {
            work.audit(audit.clone());
        }
        if let Some((at, notice)) = &self.notice {
            notices::tell(work, self.workspace, &self.plugin, None, notice, *at).await?;
        }
        Ok(after)
    }
}

/// The row of a plugin in a workspace where it has not been before.
async fn begun(work: &Work, workspace: WorkspaceId, plugin: &PluginId) -> Result<InWorkspace> {
    let ends = log::ends::Entity::find_by_id(workspace.0).one(&work.transaction).await?;
    let row = Model {
        workspace_id: workspace.0,
        plugin_id: plugin.to_string(),
        is_on: None,
        configuration: "{}".to_owned(),
        grants: None,
        settings: "{}".to_owned(),
        data_version: None,
        bot_user_id: None,
        position: ends.map(|ends| ends.head).unwrap_or_default(),
        failures: 0,
        lease: None,
        lease_until: None,
        storage_bytes: 0,
        off_reason: None,
        listens: false,
        resume: None,
        refused_hash: None,
    };
    Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&work.transaction).await?;
    row.try_into()
}

/// Says for one conversation whether a plugin is on, or leaves it to the workspace again.
pub struct ChangeInConversation {
    pub workspace: WorkspaceId,
    pub conversation: ConversationId,
    pub plugin: PluginId,
    pub is_on: Option<bool>,
    pub audit: Option<AuditEntry>,
}

#[async_trait]
impl Change for ChangeInConversation {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let key = (self.conversation.0, self.plugin.to_string());
        match self.is_on {
            None => {
                conversations::Entity::delete_by_id(key).exec(&work.transaction).await?;
            }
            Some(is_on) => {
                let row = conversations::ActiveModel {
                    conversation_id: Set(key.0),
                    plugin_id: Set(key.1),
                    workspace_id: Set(self.workspace.0),
                    is_on: Set(is_on),
                };
                let again =
                    OnConflict::columns([conversations::Column::ConversationId, conversations::Column::PluginId])
                        .update_column(conversations::Column::IsOn)
                        .to_owned();
                conversations::Entity::insert(row).on_conflict(again).exec_without_returning(&work.transaction).await?;
            }
        }
        turn(work).await?;
        if let Some(audit) = &self.audit {
            work.audit(audit.clone());
        }
        Ok(())
    }
}

/// A plugin that has events to read, on the node that may hand them over.
#[derive(Debug, Clone)]
pub struct Turn {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub position: Position,
    pub head: Position,
    /// How often what follows was handed over in vain.
    pub failures: u32,
    pub lease: Uuid,
}

impl Store {
    /// Some of the plugins that are behind the logs of their workspaces and that no node is at, behind `after` in the order of
    /// workspaces and plugins. Told is of each whether it is on where nobody has said anything.
    pub async fn plugins_behind(
        &self,
        plugins: &[(PluginId, bool)],
        after: Option<&(WorkspaceId, PluginId)>,
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<(WorkspaceId, PluginId)>> {
        let rows = behind(plugins, after, now).limit(limit).all(&self.reads).await?;
        rows.into_iter().map(|row| Ok((WorkspaceId(row.workspace_id), id(&row.plugin_id)?))).collect()
    }

    /// The names of the secrets that were entrusted to plugins in a workspace.
    pub async fn plugin_secret_names(&self, workspace: WorkspaceId) -> Result<Vec<(PluginId, String)>> {
        let names = secrets::Entity::find().filter(secrets::Column::WorkspaceId.eq(workspace.0)).select_only();
        let names = names.column(secrets::Column::PluginId).column(secrets::Column::Name);
        let rows: Vec<(String, String)> = names.into_tuple().all(&self.reads).await?;
        rows.into_iter().map(|(plugin, name)| Ok((id(&plugin)?, name))).collect()
    }

    /// A secret that was entrusted to a plugin.
    pub async fn plugin_secret(
        &self,
        workspace: WorkspaceId,
        plugin: &PluginId,
        name: &str,
    ) -> Result<Option<Vec<u8>>> {
        let key = (workspace.0, plugin.to_string(), name.to_owned());
        Ok(secrets::Entity::find_by_id(key).one(&self.reads).await?.map(|row| row.value))
    }
}

/// Puts a secret in the place of the one there was; none takes it away.
pub struct SetSecret {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub name: String,
    pub value: Option<Vec<u8>>,
    pub audit: AuditEntry,
}

#[async_trait]
impl Change for SetSecret {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let (workspace_id, plugin_id) = (self.workspace.0, self.plugin.to_string());
        secrets::Entity::delete_by_id((workspace_id, plugin_id.clone(), self.name.clone()))
            .exec(&work.transaction)
            .await?;
        if let Some(value) = self.value.clone() {
            let row = secrets::Model { workspace_id, plugin_id, name: self.name.clone(), value };
            secrets::Entity::insert(secrets::ActiveModel::from(row)).exec_without_returning(&work.transaction).await?;
        }
        work.audit(self.audit.clone());
        Ok(())
    }
}

/// Those of these plugins that are on somewhere, behind the logs of their workspaces, and that no node is at.
pub fn behind(plugins: &[(PluginId, bool)], after: Option<&(WorkspaceId, PluginId)>, now: Timestamp) -> Select<Entity> {
    let named = |wanted: Vec<&PluginId>| Column::PluginId.is_in(wanted.into_iter().map(PluginId::as_str));
    let usually = plugins.iter().filter(|(_, is_default)| *is_default).map(|(plugin, _)| plugin).collect();
    let elsewhere = Query::select()
        .expr(Expr::val(1))
        .from(conversations::Entity)
        .and_where(conversations::Column::WorkspaceId.into_expr().eq(Column::WorkspaceId.into_expr()))
        .and_where(conversations::Column::PluginId.into_expr().eq(Column::PluginId.into_expr()))
        .and_where(conversations::Column::IsOn.into_expr().eq(true))
        .to_owned();
    let is_on = Condition::any()
        .add(Column::IsOn.eq(true))
        .add(Column::IsOn.is_null().and(named(usually)))
        .add(Expr::exists(elsewhere));
    let next = after.map(|(workspace, plugin)| {
        let in_the_same = Column::WorkspaceId.eq(workspace.0).and(Column::PluginId.gt(plugin.as_str()));
        Condition::any().add(Column::WorkspaceId.gt(workspace.0)).add(in_the_same)
    });
    Entity::find()
        .filter(named(plugins.iter().map(|(plugin, _)| plugin).collect()))
        .filter(Column::Listens.eq(true))
        .filter(is_on)
        .filter(next.unwrap_or_else(Condition::all))
        .order_by_asc(Column::WorkspaceId)
        .order_by_asc(Column::PluginId)
        .join(
            JoinType::InnerJoin,
            Entity::belongs_to(log::ends::Entity).from(Column::WorkspaceId).to(log::ends::Column::WorkspaceId).into(),
        )
        .filter(Column::Position.into_expr().lt(log::ends::Column::Head.into_expr()))
        .filter(Condition::any().add(Column::LeaseUntil.is_null()).add(Column::LeaseUntil.lte(now.0)))
}

/// Takes a turn for a plugin in a workspace, if it is behind and nobody else has it.
pub struct TakeTurn {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub lease: Uuid,
    pub now: Timestamp,
    pub until: Timestamp,
}

#[async_trait]
impl Change for TakeTurn {
    type Outcome = Option<Turn>;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Option<Turn>> {
        let found = Entity::find_by_id((self.workspace.0, self.plugin.to_string())).one(&work.transaction).await?;
        let Some(row) = found.filter(|row| row.lease_until.is_none_or(|until| until <= self.now.0)) else {
            return Ok(None);
        };
        let ends = log::ends::Entity::find_by_id(self.workspace.0).one(&work.transaction).await?;
        let head = ends.map(|ends| ends.head).unwrap_or_default();
        if row.position >= head {
            return Ok(None);
        }
        let taken = ActiveModel {
            workspace_id: Set(row.workspace_id),
            plugin_id: Set(row.plugin_id),
            lease: Set(Some(self.lease)),
            lease_until: Set(Some(self.until.0)),
            ..Default::default()
        };
        Entity::update(taken).exec(&work.transaction).await?;
        Ok(Some(Turn {
            workspace: self.workspace,
            plugin: self.plugin.clone(),
            position: Position(row.position),
            head: Position(head),
            failures: u32::try_from(row.failures).map_err(Error::internal)?,
            lease: self.lease,
        }))
    }
}

/// Ends a turn of which it is not known how far it came: what was committed of it the next one finds.
pub struct GiveBackTurn {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    pub lease: Uuid,
}

#[async_trait]
impl Change for GiveBackTurn {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let free = ActiveModel { lease: Set(None), lease_until: Set(None), ..Default::default() };
        Entity::update_many()
            .set(free)
            .filter(Column::WorkspaceId.eq(self.workspace.0))
            .filter(Column::PluginId.eq(self.plugin.as_str()))
            .filter(Column::Lease.eq(self.lease))
            .exec(&work.transaction)
            .await?;
        Ok(())
    }
}

/// Ends every turn that somebody has.
pub struct ReleaseTurns;

#[async_trait]
impl Change for ReleaseTurns {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let free = ActiveModel { lease: Set(None), lease_until: Set(None), ..Default::default() };
        Entity::update_many().set(free).filter(Column::Lease.is_not_null()).exec(&work.transaction).await?;
        Ok(())
    }
}
