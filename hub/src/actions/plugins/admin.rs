//! What a workspace makes of the plugins: where they are on and how they are configured; and what is seen of them there.

use std::{collections::BTreeSet, sync::Arc};

use jackfield_domain::{
    AuditAction, ConversationId, Rejection, WorkspaceId,
    permissions::{Act, may},
    plugins::{
        Audience, FailurePolicy, Grants, Hook, HubState, InWorkspace, LogLevel, LogLine, Notice, Overrides, Phase,
        PluginId, Wanted,
    },
    users::UserStatus,
};
use jackfield_plugin_host::hooks::{ConfigurationChanged, Disable, Problem, ValidateConfiguration};
use serde_json::{Map, Value};

use super::{
    super::Core,
    Loaded,
    here::{BEFORE, Local, treatment},
    refresh,
    settling::{self, call, change_here},
    vitals::Checkup,
};
use crate::{
    Result,
    actions::Viewer,
    store::{ChangeInConversation, ChangeInWorkspace},
};

/// How a plugin that was off hears of what happened meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// It is told, as far as the log reaches back.
    CatchUp,
    /// It is not.
    Skip,
}

/// Its row in a workspace, made if need be.
pub async fn placed(core: &Arc<Core>, workspace: WorkspaceId, loaded: &Arc<Loaded>) -> Result<InWorkspace> {
    let rows = core.store.plugins_in(workspace).await?;
    let row = rows.into_iter().find(|row| row.plugin == loaded.installed.plugin);
    settling::place(core, workspace, loaded, row).await
}

/// Sees to it that it can be asked: it prepares itself if it must, and is told that it is on.
async fn made_ready(core: &Arc<Core>, workspace: WorkspaceId, loaded: &Arc<Loaded>) -> Result<()> {
    let row = placed(core, workspace, loaded).await?;
    if let Err(problem) = &loaded.module {
        let plugin = loaded.installed.plugin.clone();
        return Err(Rejection::PluginFailed { plugin, why: problem.what.clone() }.into());
    }
    if settling::is_unprepared(loaded, &row) {
        settling::start(core, workspace, &loaded.installed.plugin).await?;
        // Who prepares itself for the first time is told with that.
        if row.data_version.is_none() {
            return Ok(());
        }
    }
    settling::enable(core, workspace, loaded, &row).await
}

/// Switches a plugin on or off in the viewer's workspace, or leaves it to the hub again.
pub async fn switch(
    core: &Arc<Core>,
    viewer: &Viewer,
    plugin: &PluginId,
    is_on: Option<bool>,
    missed: Missed,
) -> Result<()> {
    runs(viewer)?;
    let loaded = known(core, plugin).await?;
    let workspace = viewer.workspace();
    let was = super::here(core, workspace).await?.find(plugin).cloned();
    let was_on = was.as_ref().is_some_and(|local| local.is_on && local.ready.is_some() && local.row.refused.is_none());
    let will_be = jackfield_domain::plugins::is_on(&loaded.installed, is_on, None);
    must_be_on_hub(&loaded, is_on)?;
    if will_be && !was_on {
        made_ready(core, workspace, &loaded).await?;
    }
    let head = core.store.log_bounds(workspace).await?.head;
    let said = is_on.map_or("as the hub says".to_owned(), |is_on| is_on.to_string());
    let row = change_here(core, viewer.by(core), plugin, ("isOn", said), move |row| {
        row.is_on = is_on;
        // Somebody has decided.
        row.off_reason = None;
        if will_be && !was_on && missed == Missed::Skip {
            row.position = row.position.max(head);
        }
        Ok(())
    })
    .await?;
    if let Some(local) = was.filter(|local| local.is_on && !will_be && local.ready.is_some())
        && local.loaded.manifest.wish(Hook::Disable).is_some()
    {
        // Its data stays, and so does the decision, whatever it says to it.
        if let Err(error) = call(core, workspace, &local.loaded, &row, Disable).await {
            tracing::info!(%plugin, %error, "a plugin was switched off and did not like it");
        }
    }
    refresh(core).await
}

/// Nobody switches on what an operator has switched off.
fn must_be_on_hub(loaded: &Loaded, is_on: Option<bool>) -> Result<()> {
    if is_on == Some(true) && loaded.installed.state == HubState::Off {
        return Err(Rejection::NotAllowed { who: "an operator, who has switched the plugin off for the hub," }.into());
    }
    Ok(())
}

/// Says for one conversation of the viewer's workspace whether a plugin is on.
pub async fn switch_in_conversation(
    core: &Arc<Core>,
    viewer: &Viewer,
    plugin: &PluginId,
    conversation: ConversationId,
    is_on: Option<bool>,
) -> Result<()> {
    runs(viewer)?;
    let loaded = known(core, plugin).await?;
    let workspace = viewer.workspace();
    must_be_on_hub(&loaded, is_on)?;
    are_here(core, workspace, &BTreeSet::from([conversation]), "conversationId").await?;
    if is_on == Some(true) && !super::here(core, workspace).await?.find(plugin).is_some_and(|local| local.listens()) {
        made_ready(core, workspace, &loaded).await?;
    }
    let said = is_on.map_or("as the workspace says".to_owned(), |is_on| is_on.to_string());
    let details = [("conversation", conversation.to_string()), ("isOn", said)];
    let audit = Some(viewer.by(core).entry(AuditAction::PluginUpdated, plugin, details));
    let plugin = plugin.clone();
    core.store.change(ChangeInConversation { workspace, conversation, plugin, is_on, audit }).await?;
    refresh(core).await
}

/// Are these conversations of the workspace?
pub async fn are_here(
    core: &Core,
    workspace: WorkspaceId,
    conversations: &BTreeSet<ConversationId>,
    field: &'static str,
) -> Result<()> {
    let ids: Vec<ConversationId> = conversations.iter().copied().collect();
    let found = core.store.conversations(&ids).await?;
    if found.iter().filter(|found| found.workspace == workspace).count() == ids.len() {
        return Ok(());
    }
    Err(Rejection::NotFound { what: "conversation", field }.into())
}

/// Puts another configuration in force, if the plugin's schema and the plugin itself let it through.
pub async fn configure(
    core: &Arc<Core>,
    viewer: &Viewer,
    plugin: &PluginId,
    configuration: Map<String, Value>,
) -> Result<()> {
    runs(viewer)?;
    let loaded = known(core, plugin).await?;
    let workspace = viewer.workspace();
    let fault = |problem: Problem| Rejection::BadConfiguration { path: problem.path, why: problem.message };
    let configuration = loaded.complete(core, configuration).await?.map_err(fault)?.to_string();
    // It needs no data to say what it thinks of that, and is not prepared for it: it may be off.
    let row = placed(core, workspace, &loaded).await?;
    if loaded.module.is_ok() && loaded.manifest.wish(Hook::ValidateConfiguration).is_some() {
        let question = ValidateConfiguration { configuration: configuration.clone() };
        let problems = call(core, workspace, &loaded, &row, question).await?;
        if let Some(problem) = problems.into_iter().next() {
            return Err(fault(problem).into());
        }
    }
    let said = ("configuration", recorded(&configuration));
    change_here(core, viewer.by(core), plugin, said, move |row| {
        row.configuration = configuration.clone();
        Ok(())
    })
    .await?;
    refresh(core).await?;
    let here = super::here(core, workspace).await?;
    let local = here.find(plugin).filter(|local| local.is_on_somewhere() && local.ready.is_some());
    if let Some(local) = local.filter(|local| local.loaded.manifest.wish(Hook::ConfigurationChanged).is_some())
        && let Err(error) = call(core, workspace, &local.loaded, &local.row, ConfigurationChanged).await
    {
        // It is configured so all the same, and that is what is answered.
        tracing::warn!(%plugin, %error, "a plugin was told of its configuration and failed");
        let text = format!("configuration-changed failed, and the configuration is in force: {error}");
        core.plugins.journal.note(
            core,
            workspace,
            plugin,
            &[LogLine { at: core.clock.now(), level: LogLevel::Error, text }],
        );
    }
    Ok(())
}

/// A configuration as it stands in the record: not more of it than somebody reads.
fn recorded(configuration: &str) -> String {
    const CHARACTERS: usize = 2_000;
    match configuration.char_indices().nth(CHARACTERS) {
        None => configuration.to_owned(),
        Some((end, _)) => format!("{} … ({} bytes in all)", &configuration[..end], configuration.len()),
    }
}

/// What the hub says of a plugin, in words that no plugin can use.
const SWITCHED_OFF: &str = "hub.switched-off";

/// Switches off what failed too often, says so where admins look, and tells those who are there.
pub async fn switch_off(core: &Arc<Core>, workspace: WorkspaceId, plugin: &PluginId, why: &str) {
    let reason = why.to_owned();
    let audit = jackfield_domain::AuditEntry {
        id: core.clock.new_id(),
        workspace,
        at: core.clock.now(),
        actor: None,
        address: None,
        action: AuditAction::PluginUpdated,
        target: Some(plugin.to_string()),
        details: [("isOn".to_owned(), "false".to_owned()), ("reason".to_owned(), reason.clone())].into(),
    };
    let notice = Notice {
        audience: Audience::Admins,
        kind: SWITCHED_OFF.to_owned(),
        payload: serde_json::json!({ "reason": reason }).to_string(),
    };
    let change = ChangeInWorkspace {
        workspace,
        plugin: plugin.clone(),
        decision: move |row: &mut InWorkspace| {
            // Another node may have been quicker.
            if row.is_on != Some(false) {
                row.is_on = Some(false);
                row.off_reason = Some(reason.clone());
            }
            Ok(())
        },
        audit: Some(audit),
        notice: Some((core.clock.now(), notice)),
    };
    let done = core.store.change(change).await;
    tracing::error!(%plugin, %workspace, why, "a plugin failed too often and is switched off");
    if let Err(error) = done {
        tracing::error!(%plugin, %error, "a plugin that is to be switched off could not be");
    }
    if let Err(error) = refresh(core).await {
        tracing::warn!(%error, "the plugins cannot be looked at");
    }
}

/// A plugin as it is now: what another node did a moment ago is seen here, too.
pub async fn known(core: &Core, plugin: &PluginId) -> Result<Arc<Loaded>> {
    refresh(core).await?;
    core.plugins.find(plugin).ok_or_else(|| Rejection::NotFound { what: "plugin", field: "pluginId" }.into())
}

/// A plugin as a workspace sees it.
pub struct Seen {
    /// The version that is in force.
    pub loaded: Arc<Loaded>,
    pub is_on: bool,
    /// It can be asked: it runs, and has prepared itself.
    pub is_ready: bool,
    pub elsewhere: Vec<(ConversationId, bool)>,
    pub configuration: serde_json::Value,
    pub granted: Grants,
    pub overrides: Overrides,
    /// The hooks in which it is asked before something is done, each with its phase, its place there and its failure policy.
    pub hooks: Vec<(Hook, Phase, i32, FailurePolicy)>,
    pub storage_bytes: u64,
    pub checkup: Checkup,
    pub problem: Option<String>,
    /// How many events it has not been told yet.
    pub lag: i64,
    /// The names of those of its secrets that were entrusted to it.
    pub secrets: BTreeSet<String>,
    /// The version that waits for somebody who grants what it wants.
    pub pending: Option<(String, Wanted)>,
}

/// May the viewer run their workspace's plugins? Asked before anything that they name is looked for.
pub fn runs(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::RunWorkspace)?)
}

/// Every plugin of the hub, as the viewer's workspace has it.
pub async fn list(core: &Arc<Core>, viewer: &Viewer) -> Result<Vec<Seen>> {
    runs(viewer)?;
    let workspace = viewer.workspace();
    let here = super::here(core, workspace).await?;
    // Positions and sizes move all the time; what a node remembers of them is old.
    let rows = core.store.plugins_in(workspace).await?;
    let secrets = core.store.plugin_secret_names(workspace).await?;
    let head = core.store.log_bounds(workspace).await?.head;
    let installed = core.plugins.installed();
    let waiting: Vec<String> = installed.iter().filter_map(|loaded| loaded.installed.pending.clone()).collect();
    let waiting = core.store.plugin_packages(&waiting).await?;
    let mut seen = Vec::with_capacity(installed.len());
    for loaded in installed.iter() {
        let plugin = &loaded.installed.plugin;
        let local = here.find(plugin);
        let row = rows.iter().find(|row| row.plugin == *plugin);
        let mut elsewhere: Vec<(ConversationId, bool)> =
            local.into_iter().flat_map(|local| local.elsewhere.iter().map(|(id, is_on)| (*id, *is_on))).collect();
        elsewhere.sort_unstable();
        let pending = loaded.installed.pending.as_ref().and_then(|pending| waiting.get(pending));
        // Whoever lets it in is told why that is not possible any more.
        let pending =
            pending.map(|package| (package.version.clone(), super::loading::wanted_of(package).unwrap_or_default()));
        seen.push(Seen {
            is_on: local.is_some_and(|local| local.is_on),
            is_ready: local.is_some_and(|local| local.ready.is_some()),
            elsewhere,
            configuration: loaded.configuration(row.map_or("{}", |row| &row.configuration))?,
            granted: loaded.installed.grants.narrowed(row.and_then(|row| row.grants.as_ref())),
            hooks: hooks_of(loaded, row),
            overrides: row.map(|row| row.overrides.clone()).unwrap_or_default(),
            storage_bytes: row.map(|row| row.storage_bytes).unwrap_or_default(),
            checkup: core.plugins.vitals(workspace, plugin).checkup(),
            problem: problem_of(core, loaded, row, local).await?,
            lag: row.filter(|row| row.listens).map(|row| (head.0 - row.position.0).max(0)).unwrap_or_default(),
            secrets: secrets.iter().filter(|(of, _)| of == plugin).map(|(_, name)| name.clone()).collect(),
            pending,
            loaded: loaded.clone(),
        });
    }
    Ok(seen)
}

fn hooks_of(loaded: &Loaded, row: Option<&InWorkspace>) -> Vec<(Hook, Phase, i32, FailurePolicy)> {
    let here = row.map(|row| row.overrides.clone()).unwrap_or_default();
    let hooks = BEFORE.iter().filter_map(|hook| {
        let wish = loaded.manifest.wish(*hook)?;
        let (priority, policy) = treatment(loaded, &here, *hook, &wish);
        Some((*hook, wish.phase, priority, policy))
    });
    hooks.collect()
}

/// What is wrong with it, in words for those who run the workspace.
async fn problem_of(
    core: &Core,
    loaded: &Loaded,
    row: Option<&InWorkspace>,
    local: Option<&Arc<Local>>,
) -> Result<Option<String>> {
    if let Err(problem) = &loaded.module {
        return Ok(Some(problem.what.clone()));
    }
    let off_reason = row.and_then(|row| row.off_reason.clone());
    let Some(local) = local.filter(|_| off_reason.is_none()) else { return Ok(off_reason) };
    let said = |problem: &Problem| {
        format!("its configuration does not fit this version: {} {}; configure it again", problem.path, problem.message)
    };
    Ok(local.misfit(core).await?.map(said))
}

/// One of them.
pub async fn find(core: &Arc<Core>, viewer: &Viewer, plugin: &PluginId) -> Result<Seen> {
    let found = list(core, viewer).await?.into_iter().find(|seen| seen.loaded.installed.plugin == *plugin);
    found.ok_or_else(|| Rejection::NotFound { what: "plugin", field: "pluginId" }.into())
}

/// So many lines of a plugin are kept, and so many of them are shown at once.
const LINES_KEPT: u64 = 1_000;
pub const LINES_SHOWN: usize = 100;

/// The newest lines that a plugin wrote in the viewer's workspace, the oldest first.
pub async fn logs(core: &Core, viewer: &Viewer, plugin: &PluginId) -> Result<Vec<LogLine>> {
    runs(viewer)?;
    core.plugins.journal.caught_up().await;
    let ids = core.store.plugin_log(viewer.workspace(), plugin, None, LINES_SHOWN as u64).await?;
    core.store.plugin_lines(viewer.workspace(), plugin, &ids).await
}

/// The ids of the lines behind one, for who follows them. What the viewer may is looked at anew each time.
pub async fn log_since(
    core: &Core,
    viewer: &Viewer,
    plugin: &PluginId,
    since: Option<uuid::Uuid>,
) -> Result<Vec<uuid::Uuid>> {
    runs(viewer)?;
    let now = core.store.users(&[viewer.id()]).await?.pop();
    let still = now.is_some_and(|now| now.status == UserStatus::Active && may(now.role, Act::RunWorkspace).is_ok());
    // A bot's token may have the power of an admin, whatever the bot itself is.
    if !still && viewer.role() == viewer.user().role {
        return Err(Rejection::NotAllowed { who: "an owner or admin of the workspace" }.into());
    }
    let limit = if since.is_some() { LINES_KEPT } else { LINES_SHOWN as u64 };
    core.store.plugin_log(viewer.workspace(), plugin, since, limit).await
}

/// Lines of which the ids are known.
pub async fn lines(core: &Core, viewer: &Viewer, plugin: &PluginId, ids: &[uuid::Uuid]) -> Result<Vec<LogLine>> {
    runs(viewer)?;
    core.store.plugin_lines(viewer.workspace(), plugin, ids).await
}
