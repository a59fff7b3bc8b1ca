//! Installing plugins, and what is made of them on the hub and in workspaces.

use std::{collections::BTreeSet, sync::Arc};

use jackfield_domain::{
    AuditAction, By, ConversationId, Rejection, UserId, WorkspaceId, WorkspaceRole,
    permissions::{Act, may},
    plugins::{
        Audience, Capability, FailureKind, Grants, Hook, HubState, InWorkspace, Installed, Issued, Notice, Overrides,
        Package as Row, PluginId, Slice,
    },
    users::{User, UserStatus},
};
use jackfield_plugin_host::{
    Configurations, Failure, Package, Plugin,
    hooks::{Ask, ConfigurationChanged, Disable, Enable, Install, Problem, Upgrade, ValidateConfiguration},
};

use serde_json::{Map, Value};

use super::{super::Core, Loaded, blob_name, effects, hash_of, here, occasion, refresh};
use crate::{
    Error, Result,
    actions::Viewer,
    store::{ChangeInConversation, ChangeInWorkspace, ChangePlugin, CommitIssued, MakeBot},
};

/// Whom bot users of plugins are vouched for by.
const ISSUER: &str = "plugins";
/// A plugin's work in slices ends after so many of them.
const SLICES: usize = 10_000;

/// Puts a package that comes with the hub in force; or beside the one that is, if it wants more than was granted.
pub async fn install_bundled(core: &Arc<Core>, package: &Package) -> Result<Installed> {
    let manifest = package.manifest().clone();
    let hash = hash_of(package);
    // It must be known to run before anybody depends on it.
    core.plugins.host.load(package).await.map_err(|error| Rejection::BadPackage { why: error.to_string() })?;
    // Nodes that run another version of the program come with other packages.
    core.plugins.blobs.put(&blob_name(&hash), bytes::Bytes::copy_from_slice(package.component())).await?;
    let now = core.clock.now();
    let row = Row {
        hash: hash.clone(),
        plugin: manifest.id.clone(),
        version: manifest.version.to_string(),
        data_version: manifest.data_version,
        manifest: serde_json::to_string(&*manifest).map_err(Error::internal)?,
        bytes: package.component().len() as u64,
        created_at: now,
    };
    let wanted: BTreeSet<Capability> = manifest.wanted().into_iter().collect();
    let plugin = manifest.id.clone();
    let before = core.plugins.find(&plugin);
    // Data that a newer version wrote cannot be read by an older one.
    if before.as_ref().is_some_and(|before| before.manifest.data_version > manifest.data_version) {
        let why = "the data of the installed version is newer than this version can read".to_owned();
        return Err(Rejection::BadPackage { why }.into());
    }
    let is_default = manifest.on_at_first_start;
    let decision = {
        let plugin = plugin.clone();
        move |before: Option<Installed>| {
            Ok(Some(match before {
                None => Installed {
                    plugin: plugin.clone(),
                    package: hash.clone(),
                    previous: None,
                    pending: None,
                    state: HubState::On,
                    is_default,
                    // It comes with the hub, and is trusted as the hub is.
                    grants: Grants { capabilities: wanted.clone(), conversations: None },
                    overrides: Overrides::default(),
                    installed_at: now,
                },
                Some(before) if before.package == hash => before,
                Some(mut before) => {
                    if wanted.is_subset(&before.grants.capabilities) {
                        before.previous = Some(std::mem::replace(&mut before.package, hash.clone()));
                        before.pending = None;
                    } else {
                        before.pending = Some(hash.clone());
                    }
                    before
                }
            }))
        }
    };
    let installed = core.store.change(ChangePlugin { plugin, package: Some(row), decision }).await?;
    refresh(core).await?;
    installed.ok_or_else(|| Error::internal("a plugin that was just installed is not"))
}

/// Gives a plugin its place in a workspace: its row, its bot user, and what it wants to prepare itself. Where its data is
/// of another version, it is brought up to this one.
pub async fn settle_in(core: &Arc<Core>, workspace: WorkspaceId, loaded: &Loaded) -> Result<InWorkspace> {
    let plugin = loaded.installed.plugin.clone();
    let bot = bot_of(core, workspace, loaded).await?;
    let version = loaded.manifest.data_version;
    let listens = loaded.manifest.wish(Hook::OnEvents).is_some();
    change_here(core, workspace, &plugin, None, move |row| {
        row.bot = row.bot.or(bot);
        row.listens = listens;
        Ok(())
    })
    .await?;
    let rows = core.store.plugins_in(workspace).await?;
    let row = rows.into_iter().find(|row| row.plugin == plugin);
    let row = row.ok_or_else(|| Error::internal("a row that was just made is not there"))?;
    if let Ok(module) = &loaded.module {
        let ready = here::ready(core, module.clone(), loaded, &row);
        let mut resume = None;
        for _ in 0..SLICES {
            let slice = match row.data_version {
                None if module.wish(Hook::Install).is_some() => {
                    call(core, workspace, loaded, &row, &ready, &Install { resume }).await?
                }
                Some(before) if before != version && module.wish(Hook::Upgrade).is_some() => {
                    let question = Upgrade { version: loaded.manifest.version.clone(), data_version: before, resume };
                    call(core, workspace, loaded, &row, &ready, &question).await?
                }
                _ => Slice::Done,
            };
            match slice {
                Slice::Done => break,
                Slice::More(more) => resume = Some(more),
            }
        }
    }
    change_here(core, workspace, &plugin, None, move |row| {
        row.data_version = Some(version);
        Ok(())
    })
    .await
}

/// Asks a plugin about itself, and commits what it leaves.
async fn call<A: Ask>(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    loaded: &Loaded,
    row: &InWorkspace,
    plugin: &Plugin,
    question: &A,
) -> Result<A::Answer> {
    let outcome = core.plugins.host.ask(plugin, &occasion(core, workspace, core.clock.now()), question).await;
    effects::note(core, workspace, &loaded.installed.plugin, &outcome.logs).await;
    let answer = outcome.answer.map_err(|failure| refused(&loaded.installed.plugin, &failure))?;
    commit(core, workspace, loaded, row.bot, outcome.issued).await?;
    Ok(answer)
}

async fn commit(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    loaded: &Loaded,
    bot: Option<UserId>,
    issued: Issued,
) -> Result<()> {
    if issued.is_empty() {
        return Ok(());
    }
    let (data, effects) = effects::plain(&loaded.installed.plugin, workspace, issued);
    let at = core.clock.now();
    let plugin = loaded.installed.plugin.clone();
    core.store.change(CommitIssued { workspace, plugin, bot, at, data, effects }).await?;
    Ok(())
}

fn refused(plugin: &PluginId, failure: &Failure) -> Error {
    match failure.kind {
        FailureKind::Hub => Error::unavailable(failure.what.clone()),
        _ => Rejection::PluginFailed { plugin: plugin.clone(), why: failure.what.clone() }.into(),
    }
}

async fn bot_of(core: &Arc<Core>, workspace: WorkspaceId, loaded: &Loaded) -> Result<Option<UserId>> {
    if !loaded.manifest.wanted().contains(&Capability::MessagesPost) {
        return Ok(None);
    }
    let subject = loaded.installed.plugin.to_string();
    if let Some(user) = core.store.user_by_subject(workspace, ISSUER, &subject).await? {
        return Ok(Some(user.id));
    }
    let at = core.clock.now();
    let user = User {
        id: UserId(core.clock.new_id()),
        workspace,
        name: loaded.manifest.name.clone(),
        role: WorkspaceRole::Bot,
        status: UserStatus::Active,
        avatar_url: None,
        status_text: None,
        is_operator: false,
        vouched_at: at,
        name_is_own: true,
        role_is_own: true,
        created_at: at,
    };
    Ok(Some(core.store.change(MakeBot { user, issuer: ISSUER, subject }).await?))
}

async fn change_here(
    core: &Core,
    workspace: WorkspaceId,
    plugin: &PluginId,
    by: Option<(By, &str, String)>,
    decision: impl Fn(&mut InWorkspace) -> Result<(), Rejection> + Send + Sync + 'static,
) -> Result<InWorkspace> {
    let audit = by.map(|(by, what, value)| by.entry(AuditAction::PluginUpdated, plugin, [(what, value)]));
    core.store.change(ChangeInWorkspace { workspace, plugin: plugin.clone(), decision, audit, notice: None }).await
}

/// Switches a plugin on or off in the viewer's workspace, or leaves it to the hub again.
pub async fn switch(core: &Arc<Core>, viewer: &Viewer, plugin: &PluginId, is_on: Option<bool>) -> Result<()> {
    may(viewer.role(), Act::RunWorkspace)?;
    let loaded = known(core, plugin)?;
    let workspace = viewer.workspace();
    let was_on = super::here(core, workspace).await?.find(plugin).is_some_and(|local| local.is_on);
    let will_be = jackfield_domain::plugins::is_on(&loaded.installed, is_on, None);
    if will_be && !was_on {
        let row = settle_in(core, workspace, &loaded).await?;
        if let Ok(module) = &loaded.module
            && module.wish(Hook::Enable).is_some()
        {
            call(core, workspace, &loaded, &row, &here::ready(core, module.clone(), &loaded, &row), &Enable).await?;
        }
    }
    let by = viewer.by(core);
    let said = is_on.map_or("as the hub says".to_owned(), |is_on| is_on.to_string());
    let row = change_here(core, workspace, plugin, Some((by, "isOn", said)), move |row| {
        row.is_on = is_on;
        if is_on == Some(true) {
            row.off_reason = None;
        }
        Ok(())
    })
    .await?;
    if was_on
        && !will_be
        && let Ok(module) = &loaded.module
        && module.wish(Hook::Disable).is_some()
    {
        // Its data stays, and so does the decision, whatever it says to it.
        let said =
            call(core, workspace, &loaded, &row, &here::ready(core, module.clone(), &loaded, &row), &Disable).await;
        if let Err(error) = said {
            tracing::info!(%plugin, %error, "a plugin was switched off and did not like it");
        }
    }
    refresh(core).await
}

/// Says for one conversation of the viewer's workspace whether a plugin is on.
pub async fn switch_in_conversation(
    core: &Arc<Core>,
    viewer: &Viewer,
    plugin: &PluginId,
    conversation: ConversationId,
    is_on: Option<bool>,
) -> Result<()> {
    may(viewer.role(), Act::RunWorkspace)?;
    let loaded = known(core, plugin)?;
    let found = core.store.conversations(&[conversation]).await?;
    if !found.iter().any(|found| found.workspace == viewer.workspace()) {
        return Err(Rejection::NotFound { what: "conversation", field: "conversationId" }.into());
    }
    if is_on == Some(true) {
        settle_in(core, viewer.workspace(), &loaded).await?;
    }
    let said = is_on.map_or("as the workspace says".to_owned(), |is_on| is_on.to_string());
    let audit = viewer.by(core).entry(
        AuditAction::PluginUpdated,
        plugin,
        [("conversation", conversation.to_string()), ("isOn", said)],
    );
    let change = ChangeInConversation {
        workspace: viewer.workspace(),
        conversation,
        plugin: plugin.clone(),
        is_on,
        audit: Some(audit),
    };
    core.store.change(change).await?;
    refresh(core).await
}

/// Puts another configuration in force, if the plugin's schema and the plugin itself let it through.
pub async fn configure(
    core: &Arc<Core>,
    viewer: &Viewer,
    plugin: &PluginId,
    configuration: Map<String, Value>,
) -> Result<()> {
    may(viewer.role(), Act::RunWorkspace)?;
    let loaded = known(core, plugin)?;
    let fault = |problem: Problem| Rejection::BadConfiguration { path: problem.path, why: problem.message };
    let configurations = Configurations::of(loaded.manifest.configuration.as_ref()).map_err(Error::internal)?;
    let first = |problems: Vec<Problem>| problems.into_iter().next().map_or(Rejection::Conflict, fault);
    let configuration = configurations.complete(&configuration).map_err(first)?.to_string();
    let row = settle_in(core, viewer.workspace(), &loaded).await?;
    let module = loaded.module.as_ref().ok().cloned();
    if let Some(module) = module.as_ref().filter(|module| module.wish(Hook::ValidateConfiguration).is_some()) {
        let question = ValidateConfiguration { configuration: configuration.clone() };
        let plugin = here::ready(core, module.clone(), &loaded, &row);
        let problems = call(core, viewer.workspace(), &loaded, &row, &plugin, &question).await?;
        if let Some(problem) = problems.into_iter().next() {
            return Err(fault(problem).into());
        }
    }
    let by = viewer.by(core);
    let row =
        change_here(core, viewer.workspace(), plugin, Some((by, "configuration", configuration.clone())), move |row| {
            row.configuration = configuration.clone();
            Ok(())
        })
        .await?;
    refresh(core).await?;
    if let Some(module) = module.filter(|module| module.wish(Hook::ConfigurationChanged).is_some()) {
        let ready = here::ready(core, module, &loaded, &row);
        call(core, viewer.workspace(), &loaded, &row, &ready, &ConfigurationChanged).await?;
    }
    Ok(())
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

fn known(core: &Core, plugin: &PluginId) -> Result<Arc<Loaded>> {
    core.plugins.find(plugin).ok_or_else(|| Rejection::NotFound { what: "plugin", field: "pluginId" }.into())
}

/// A plugin as a workspace sees it.
pub struct Seen {
    pub loaded: Arc<Loaded>,
    pub is_on: bool,
    pub elsewhere: Vec<(ConversationId, bool)>,
    pub configuration: serde_json::Value,
    pub granted: BTreeSet<Capability>,
    pub storage_bytes: u64,
    pub is_resting: bool,
    pub problem: Option<String>,
    /// How many events it has not been told yet.
    pub lag: i64,
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
    let head = core.store.log_bounds(workspace).await?.head;
    let installed = core.plugins.installed();
    let seen = installed.iter().map(|loaded| {
        let local = here.find(&loaded.installed.plugin);
        let row = rows.iter().find(|row| row.plugin == loaded.installed.plugin);
        let mut elsewhere: Vec<(ConversationId, bool)> =
            local.into_iter().flat_map(|local| local.elsewhere.iter().map(|(id, is_on)| (*id, *is_on))).collect();
        elsewhere.sort_unstable();
        let grants = loaded.installed.grants.narrowed(row.and_then(|row| row.grants.as_ref()));
        let is_open = |local: &Arc<here::Local>| {
            local.breaker.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_open()
        };
        Seen {
            is_on: local.is_some_and(|local| local.is_on),
            elsewhere,
            configuration: row
                .and_then(|row| serde_json::from_str(&row.configuration).ok())
                .unwrap_or_else(|| serde_json::json!({})),
            granted: grants.capabilities,
            storage_bytes: row.map(|row| row.storage_bytes).unwrap_or_default(),
            is_resting: local.is_some_and(is_open),
            problem: loaded.module.as_ref().err().cloned().or_else(|| row.and_then(|row| row.off_reason.clone())),
            lag: row.filter(|row| row.listens).map(|row| (head.0 - row.position.0).max(0)).unwrap_or_default(),
            loaded: loaded.clone(),
        }
    });
    Ok(seen.collect())
}

/// One of them.
pub async fn find(core: &Arc<Core>, viewer: &Viewer, plugin: &PluginId) -> Result<Seen> {
    let found = list(core, viewer).await?.into_iter().find(|seen| seen.loaded.installed.plugin == *plugin);
    found.ok_or_else(|| Rejection::NotFound { what: "plugin", field: "pluginId" }.into())
}

/// The newest lines that a plugin wrote in the viewer's workspace.
pub async fn logs(core: &Core, viewer: &Viewer, plugin: &PluginId) -> Result<Vec<jackfield_domain::plugins::LogLine>> {
    runs(viewer)?;
    let lines = core.store.plugin_logs(viewer.workspace(), plugin, None, 100).await?;
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// What plugins did to a message of the viewer's workspace.
pub async fn verdicts(
    core: &Core,
    viewer: &Viewer,
    message: jackfield_domain::MessageId,
) -> Result<Vec<(jackfield_domain::Timestamp, jackfield_domain::plugins::Verdict)>> {
    may(viewer.role(), Act::Moderate)?;
    core.store.verdicts(viewer.workspace(), message).await
}
