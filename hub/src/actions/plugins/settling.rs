//! A plugin's place in a workspace: its row, its bot user, and its data, which it prepares itself before anything else is
//! asked of it: when it comes, and when another version of it writes other data.
//!
//! What takes a plugin's own work is done in the background, or by the admin who waits for it; nobody's message does.

use std::{sync::Arc, time::Duration};

use jackfield_domain::{
    By, Rejection, UserId, WorkspaceId, WorkspaceRole,
    plugins::{Capability, FailureKind, Hook, InWorkspace, PluginId, Slice},
    users::{User, UserStatus},
};
use jackfield_plugin_host::{
    Failure, Outcome,
    hooks::{Ask, Enable, Install, Upgrade},
    longest,
};

use serde::{Deserialize, Serialize};

use super::{
    super::Core,
    Loaded, Problem,
    effects::{self, Waking},
    here, occasion, refresh,
};
use crate::{
    Error, Result,
    store::{BeginPreparing, ChangeInWorkspace, CommitIssued, Effects, EndPreparing, FromPlugins, MakeBot, Progress},
};

/// Whom bot users of plugins are vouched for by.
const ISSUER: &str = "plugins";
/// A plugin's work in slices ends after so many of them.
const SLICES: usize = 10_000;
/// How long a node may be silent before another one goes on, at least.
const LEASE: Duration = Duration::from_secs(60);
/// What a slice takes beside the plugin's own time.
const MARGIN: Duration = Duration::from_secs(20);
/// So long an admin is let wait for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon it is tried again where somebody else is at it.
const AGAIN: Duration = Duration::from_millis(50);

/// Must the plugin prepare its data before anything else is asked of it?
pub fn is_unprepared(loaded: &Loaded, row: &InWorkspace) -> bool {
    row.data_version != Some(loaded.manifest.data_version)
}

/// Has it anything to do for that?
fn has_work(loaded: &Loaded, row: &InWorkspace) -> bool {
    let wants = |hook| loaded.manifest.wish(hook).is_some();
    match row.data_version {
        None => wants(Hook::Install) || wants(Hook::Enable),
        Some(version) => version != loaded.manifest.data_version && wants(Hook::Upgrade),
    }
}

/// The version that is asked in a workspace: the one that is in force, or the one before it where the newer one could not
/// bring its data up to date. None where there is none that can do with the data.
pub fn fitting<'l>(loaded: &'l Arc<Loaded>, row: &InWorkspace) -> Option<&'l Arc<Loaded>> {
    if !is_unprepared(loaded, row) {
        return Some(loaded);
    }
    let was_refused = row.refused.as_ref() == Some(&loaded.package.hash);
    loaded.earlier.as_ref().filter(|earlier| was_refused && !is_unprepared(earlier, row))
}

/// Gives a plugin its row and its bot user in a workspace; also its data, where it has nothing to do for that.
pub async fn place(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    loaded: &Loaded,
    row: Option<InWorkspace>,
) -> Result<InWorkspace> {
    let listens = loaded.manifest.wish(Hook::OnEvents).is_some();
    let version = loaded.manifest.data_version;
    let posts = loaded.manifest.wanted().contains(&Capability::MessagesPost);
    if let Some(row) = row
        && row.listens == listens
        && (row.bot.is_some() || !posts)
        && (!is_unprepared(loaded, &row) || has_work(loaded, &row))
    {
        return Ok(row);
    }
    let bot = if posts { Some(bot_of(core, workspace, loaded).await?) } else { None };
    let wants = |hook| loaded.manifest.wish(hook).is_some();
    let (works_at_first, works_afterwards) = (wants(Hook::Install) || wants(Hook::Enable), wants(Hook::Upgrade));
    let change = ChangeInWorkspace {
        workspace,
        plugin: loaded.installed.plugin.clone(),
        decision: move |row: &mut InWorkspace| {
            row.bot = row.bot.or(bot);
            row.listens = listens;
            let works = if row.data_version.is_none() { works_at_first } else { works_afterwards };
            if !works {
                row.data_version = Some(version);
                row.refused = None;
            }
            Ok(())
        },
        audit: None,
        notice: None,
    };
    core.store.change(change).await
}

/// Prepares it, and where it comes for the first time tells it that it is on; for an admin who waits, and for others on their
/// behalf. Where somebody else is at it, or at telling it what has happened, that is waited for. Where it takes longer than
/// anybody waits, it goes on by itself.
pub async fn start(core: &Arc<Core>, workspace: WorkspaceId, plugin: &PluginId) -> Result<()> {
    let work = async {
        loop {
            // Another version may be in force by now.
            let loaded = core.plugins.find(plugin).ok_or(Rejection::NotFound { what: "plugin", field: "pluginId" })?;
            let core = core.clone();
            // It is not given up where nobody waits for it any more.
            let prepared = tokio::spawn(async move { prepare(&core, workspace, &loaded).await });
            if prepared.await.map_err(Error::internal)?? {
                return Ok(());
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    // It is on as soon as it is prepared.
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Ok(()))
}

/// So long a node has for a slice: longer than the plugin may take for it.
fn lease_of(core: &Core, loaded: &Loaded) -> Duration {
    let limits = here::most(core.plugins.limits, loaded);
    LEASE.max(longest(Hook::Install, &limits) + MARGIN)
}

/// Prepares it from where it has come to; answers whether that is done, and not where another node is at it.
pub async fn prepare(core: &Arc<Core>, workspace: WorkspaceId, loaded: &Loaded) -> Result<bool> {
    let plugin = &loaded.installed.plugin;
    let (lease, now) = (core.clock.new_id(), core.clock.now());
    let begin = BeginPreparing { workspace, plugin: plugin.clone(), lease, now, until: now + lease_of(core, loaded) };
    let Some(row) = core.store.change(begin).await? else { return Ok(false) };
    let done = slices(core, workspace, loaded, &row, lease).await;
    if done.is_err() {
        // Whatever was begun goes on from where it had come to.
        let nothing = ending(core, workspace, loaded, lease, Progress::Nothing);
        if let Err(error) = core.store.change(nothing).await {
            tracing::warn!(%plugin, %error, "a plugin's preparation could not be laid down");
        }
    }
    refresh(core).await?;
    done
}

fn ending(core: &Core, workspace: WorkspaceId, loaded: &Loaded, lease: uuid::Uuid, progress: Progress) -> EndPreparing {
    EndPreparing {
        workspace,
        plugin: loaded.installed.plugin.clone(),
        package: loaded.package.hash.clone(),
        lease,
        at: core.clock.now(),
        bot: None,
        data: FromPlugins::default(),
        effects: Effects::default(),
        progress,
        audit: core.clock.new_id(),
    }
}

/// What a plugin is asked next of what it has to do, and from where it goes on.
#[derive(Clone, Serialize, Deserialize)]
enum Step {
    Install(Option<String>),
    Upgrade(Option<String>),
    /// It is told for the first time that it is on.
    Enable,
}

/// Where it goes on, which is of no use to another package.
#[derive(Serialize, Deserialize)]
struct Bookmark {
    package: String,
    step: Step,
}

impl Step {
    /// The one that is next in a workspace; none where there is nothing to do.
    fn next(loaded: &Loaded, row: &InWorkspace) -> Result<Option<Self>> {
        let wants = |hook| loaded.manifest.wish(hook).is_some();
        let bookmark: Option<Bookmark> =
            row.resume.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
        Ok(match (bookmark, row.data_version) {
            _ if !is_unprepared(loaded, row) => None,
            (Some(Bookmark { package, step }), _) if package == loaded.package.hash => Some(step),
            (_, None) if wants(Hook::Install) => Some(Step::Install(None)),
            (_, None) => wants(Hook::Enable).then_some(Step::Enable),
            (_, Some(_)) => wants(Hook::Upgrade).then_some(Step::Upgrade(None)),
        })
    }

    /// Asks it, and answers which one follows.
    async fn take(
        self,
        core: &Arc<Core>,
        workspace: WorkspaceId,
        loaded: &Loaded,
        row: &InWorkspace,
    ) -> Result<Outcome<Option<Self>>> {
        match self {
            Step::Install(resume) => {
                let outcome = ask(core, workspace, loaded, row, Install { resume }).await?;
                let enables = loaded.manifest.wish(Hook::Enable).is_some();
                Ok(outcome.map(|slice| match slice {
                    Slice::More(from) => Some(Step::Install(Some(from))),
                    Slice::Done => enables.then_some(Step::Enable),
                }))
            }
            Step::Upgrade(resume) => {
                let data_version = row.data_version.unwrap_or_default();
                let version = core.store.version_of_data(&loaded.installed.plugin, data_version).await?;
                let version = version.as_deref().unwrap_or("0.0.0").parse().map_err(Error::internal)?;
                let outcome = ask(core, workspace, loaded, row, Upgrade { version, data_version, resume }).await?;
                Ok(outcome.map(|slice| match slice {
                    Slice::More(from) => Some(Step::Upgrade(Some(from))),
                    Slice::Done => None,
                }))
            }
            Step::Enable => Ok(ask(core, workspace, loaded, row, Enable).await?.map(|()| None)),
        }
    }
}

async fn slices(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    loaded: &Loaded,
    row: &InWorkspace,
    lease: uuid::Uuid,
) -> Result<bool> {
    let plugin = &loaded.installed.plugin;
    let version = loaded.manifest.data_version;
    let mut step = Step::next(loaded, row)?;
    for _ in 0..SLICES {
        let was_installed = matches!(step, Some(Step::Enable));
        let outcome = match step.clone() {
            Some(step) => step.take(core, workspace, loaded, row).await?,
            None => Outcome::of(None),
        };
        let (next, failure) = match outcome.answer {
            Ok(next) => (next, None),
            Err(failure) if failure.kind == FailureKind::Hub => return Err(Error::unavailable(failure.what)),
            Err(failure) => (None, Some(failure)),
        };
        let progress = match (&next, &failure) {
            (_, Some(failure)) => {
                Progress::Refused { why: failure.what.clone(), data_version: was_installed.then_some(version) }
            }
            (Some(next), None) => {
                let bookmark = Bookmark { package: loaded.package.hash.clone(), step: next.clone() };
                let resume = serde_json::to_string(&bookmark).map_err(Error::internal)?;
                Progress::More(resume, core.clock.now() + lease_of(core, loaded))
            }
            (None, None) => Progress::Done(version),
        };
        let here = here_now(core, workspace).await?;
        let Some(local) = here.find(plugin) else { return Ok(false) };
        let (data, effects) = effects::prepared(core, &here, local, workspace, outcome.issued).await?;
        let _waking = Waking::of(core, &effects);
        let end = EndPreparing { data, effects, bot: row.bot, ..ending(core, workspace, loaded, lease, progress) };
        match core.store.change(end).await {
            // Somebody else changed what it had looked at: the same slice again.
            Err(Error::Rejected(Rejection::Outrun { .. })) => continue,
            Ok(None) => return Ok(false),
            done => drop(done?),
        }
        match (next, failure) {
            (_, Some(failure)) => return Err(said(plugin, &failure)),
            (None, None) => return Ok(true),
            (next, None) => step = next,
        }
    }
    let why = format!("it was not done after {SLICES} slices");
    Err(Rejection::PluginFailed { plugin: plugin.clone(), why }.into())
}

/// Tells it that it is on.
pub async fn enable(core: &Arc<Core>, workspace: WorkspaceId, loaded: &Loaded, row: &InWorkspace) -> Result<()> {
    if loaded.manifest.wish(Hook::Enable).is_some() {
        call(core, workspace, loaded, row, Enable).await?;
    }
    Ok(())
}

/// What the workspace has made of the plugins by now.
async fn here_now(core: &Arc<Core>, workspace: WorkspaceId) -> Result<Arc<super::Here>> {
    refresh(core).await?;
    super::here(core, workspace).await
}

/// Asks a plugin about itself, out of the way of those who wait.
async fn ask<A: Ask + 'static>(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    loaded: &Loaded,
    row: &InWorkspace,
    question: A,
) -> Result<Outcome<A::Answer>>
where
    A::Answer: 'static,
{
    let plugin = &loaded.installed.plugin;
    let failed = |problem: Problem| Rejection::PluginFailed { plugin: plugin.clone(), why: problem.what };
    let module = loaded.module.clone().map_err(failed)?;
    let ready = here::ready(core, module, loaded, row)?;
    let occasion = occasion(core, workspace, core.clock.now());
    let outcome = core.plugins.host.ask_aside(ready, occasion, question).await;
    core.plugins.journal.note(core, workspace, plugin, &outcome.logs);
    core.plugins.vitals(workspace, plugin).note(&outcome);
    Ok(outcome)
}

/// The same, and commits what it leaves.
pub async fn call<A: Ask + 'static>(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    loaded: &Loaded,
    row: &InWorkspace,
    question: A,
) -> Result<A::Answer>
where
    A::Answer: 'static,
{
    let plugin = &loaded.installed.plugin;
    let outcome = ask(core, workspace, loaded, row, question).await?;
    let answer = outcome.answer.map_err(|failure| said(plugin, &failure))?;
    let here = here_now(core, workspace).await?;
    if let Some(local) = here.find(plugin).filter(|_| !outcome.issued.is_empty()) {
        let (data, effects) = effects::prepared(core, &here, local, workspace, outcome.issued).await?;
        let (plugin, bot, at) = (plugin.clone(), local.row.bot, core.clock.now());
        let _waking = Waking::of(core, &effects);
        let refused =
            core.store.change(CommitIssued { workspace, plugin, bot, at, data, effects, is_awaited: false }).await?;
        effects::refused_of(core, workspace, local.id(), &refused);
    }
    Ok(answer)
}

fn said(plugin: &PluginId, failure: &Failure) -> Error {
    match failure.kind {
        FailureKind::Hub => Error::unavailable(failure.what.clone()),
        _ => Rejection::PluginFailed { plugin: plugin.clone(), why: failure.what.clone() }.into(),
    }
}

async fn bot_of(core: &Arc<Core>, workspace: WorkspaceId, loaded: &Loaded) -> Result<UserId> {
    let subject = loaded.installed.plugin.to_string();
    if let Some(user) = core.store.user_by_subject(workspace, ISSUER, &subject).await? {
        return Ok(user.id);
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
    core.store.change(MakeBot { user, issuer: ISSUER, subject }).await
}

/// Changes what a workspace has made of a plugin, in somebody's name.
pub async fn change_here(
    core: &Core,
    by: By,
    plugin: &PluginId,
    (what, value): (&str, String),
    decision: impl Fn(&mut InWorkspace) -> Result<(), Rejection> + Send + Sync + 'static,
) -> Result<InWorkspace> {
    let audit = Some(by.entry(jackfield_domain::AuditAction::PluginUpdated, plugin, [(what, value)]));
    let change = ChangeInWorkspace { workspace: by.workspace, plugin: plugin.clone(), decision, audit, notice: None };
    core.store.change(change).await
}
