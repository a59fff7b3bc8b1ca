//! Plugins at work: which of them are here, where they are on, and what they are asked.
//!
//! Every node knows what is installed and what its workspaces make of it, and looks once in a while whether a number has
//! grown that grows with every change. Where no plugin wants to be asked, being asked costs a look at a map.

pub mod admin;
mod aside;
pub mod before;
pub mod commands;
pub mod effects;
pub mod fields;
mod here;
mod journal;
pub mod letters;
mod loading;
pub mod packages;
pub mod reading;
pub mod requests;
mod runner;
pub mod schedules;
pub mod settings;
mod settling;
mod traced;
pub mod uploads;
pub mod verdicts;
pub mod vitals;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use jackfield_domain::{
    Timestamp, WorkspaceId,
    messages::{Details, Message},
    plugins::{Hook, HubState, Limits, PluginId},
};
use jackfield_plugin_host::{Bridge, Package, PluginHost, WholeMessage};
use tokio::sync::{Notify, Semaphore};

use super::Core;
use crate::{Error, Result, blobs::Blobs};

pub use here::Here;
use journal::Journal;
pub use loading::Loaded;
use loading::{FETCH, Problem, Shop};
pub use requests::run as run_requests;
pub use runner::run as run_after_hooks;
use vitals::Vitals;

/// How soon a node sees what another one changed.
const LOOK: Duration = Duration::from_millis(400);
/// How soon it is tried again to reach packages that could not be reached.
const AGAIN: Duration = Duration::from_secs(2);
/// More workspaces than this are not remembered at once.
const WORKSPACES: usize = 10_000;
/// Of so many plugins in workspaces it is remembered how they do: about thirty megabytes.
const VITALS: usize = 10_000;

/// So many configurations are looked at at once.
const CONFIGURING: usize = 2;

/// What is installed, by id.
pub type Installed = Arc<Vec<Arc<Loaded>>>;

/// What plugins may add to the API, beside what others add to it.
pub trait FieldRules: Send + Sync {
    /// What is wrong with it, and what to do, in words for the plugin's author.
    fn check(&self, plugin: &PluginId, sdl: &str, others: &[(PluginId, &str)]) -> Result<(), String>;
}

pub struct Plugins {
    pub host: Arc<PluginHost>,
    pub blobs: Blobs,
    /// What a plugin may take where neither its manifest nor an admin says anything.
    limits: Limits,
    /// What comes with the program, by its hash.
    bundled: BTreeMap<String, Arc<Package>>,
    bridge: OnceLock<Arc<dyn Bridge>>,
    known: RwLock<Known>,
    /// Who brings what is known up to date: one at a time, so that nobody puts back what another one saw change.
    looking: tokio::sync::Mutex<()>,
    /// By workspace and plugin; what a node remembers of calls and failures is its own.
    vitals: Mutex<HashMap<(WorkspaceId, PluginId), Arc<Vitals>>>,
    /// Those that have to prepare themselves in a workspace before they can be asked.
    unprepared: Mutex<HashSet<(WorkspaceId, PluginId)>>,
    /// Where those who configure them wait for each other, so that they keep no more than a part of the machine busy.
    configuring: Semaphore,
    /// What addresses for uploads are signed with.
    upload_key: [u8; 32],
    /// Where those who run commands wait for each other, and those who ask for fields.
    commands: commands::Places,
    fields: commands::Places,
    /// What they have to say to the admins.
    pub journal: Journal,
    /// What they may add to the API.
    pub rules: Arc<dyn FieldRules>,
    /// Something was committed that plugins may want to hear of.
    pub stirred: Notify,
    /// Plugins have left requests to other servers.
    pub requested: Notify,
}

#[derive(Default)]
struct Known {
    generation: Option<i64>,
    /// What is kept compiled.
    packages: BTreeSet<String>,
    installed: Arc<Vec<Arc<Loaded>>>,
    workspaces: HashMap<WorkspaceId, Arc<Here>>,
}

impl Plugins {
    pub fn new(
        host: PluginHost,
        blobs: Blobs,
        bundled: Vec<Package>,
        limits: Limits,
        upload_key: [u8; 32],
        rules: Arc<dyn FieldRules>,
    ) -> Self {
        let bundled = bundled.into_iter().map(|package| (hash_of(&package), Arc::new(package))).collect();
        Plugins {
            host: Arc::new(host),
            blobs,
            limits,
            bundled,
            bridge: OnceLock::new(),
            known: RwLock::default(),
            looking: tokio::sync::Mutex::default(),
            vitals: Mutex::default(),
            unprepared: Mutex::default(),
            configuring: Semaphore::new(CONFIGURING),
            upload_key,
            commands: commands::Places::default(),
            fields: commands::Places::default(),
            journal: Journal::default(),
            rules,
            stirred: Notify::new(),
            requested: Notify::new(),
        }
    }

    /// By what plugins reach the hub; said once, when there is a hub to be reached.
    pub fn reached_by(&self, bridge: Arc<dyn Bridge>) {
        let _ = self.bridge.set(bridge);
    }

    fn bridge(&self) -> Arc<dyn Bridge> {
        self.bridge.get().expect("the bridge is there before the first plugin").clone()
    }

    /// What is installed, by id.
    pub fn installed(&self) -> Installed {
        self.known.read().unwrap_or_else(PoisonError::into_inner).installed.clone()
    }

    pub fn find(&self, plugin: &PluginId) -> Option<Arc<Loaded>> {
        self.installed().iter().find(|loaded| loaded.installed.plugin == *plugin).cloned()
    }

    /// Lets go of what was compiled of a package, unless it is needed.
    fn forget_compiled(&self, hash: &str) {
        if !self.known.read().unwrap_or_else(PoisonError::into_inner).packages.contains(hash) {
            self.host.forget_compiled(hash);
        }
    }

    fn vitals(&self, workspace: WorkspaceId, plugin: &PluginId) -> Arc<Vitals> {
        let mut vitals = self.vitals.lock().unwrap_or_else(PoisonError::into_inner);
        if vitals.len() >= VITALS {
            // Of what nobody is at, and what is well, nothing is lost but figures.
            vitals.retain(|_, vitals| Arc::strong_count(vitals) > 1 || vitals.breaker().is_open());
        }
        vitals.entry((workspace, plugin.clone())).or_default().clone()
    }

    /// Lets the plugin prepare itself as soon as this node comes to it.
    fn let_prepare(&self, workspace: WorkspaceId, plugin: &PluginId) {
        self.prepare_later(workspace, plugin);
        self.stirred.notify_one();
    }

    /// The same when the node looks the next time.
    fn prepare_later(&self, workspace: WorkspaceId, plugin: &PluginId) {
        let mut unprepared = self.unprepared.lock().unwrap_or_else(PoisonError::into_inner);
        unprepared.insert((workspace, plugin.clone()));
    }

    fn take_unprepared(&self) -> HashSet<(WorkspaceId, PluginId)> {
        std::mem::take(&mut *self.unprepared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// SHA-256 of a package, as hexadecimal digits.
pub fn hash_of(package: &Package) -> String {
    package.digest().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a package lies.
pub fn blob_name(hash: &str) -> String {
    format!("plugins/{hash}.wasm")
}

/// Brings what this node knows up to date, if it is not.
pub async fn refresh(core: &Core) -> Result<()> {
    look(core, false).await
}

async fn look(core: &Core, fetch_again: bool) -> Result<()> {
    let plugins = &core.plugins;
    let _one = plugins.looking.lock().await;
    let generation = core.store.plugin_generation().await?;
    if !fetch_again && plugins.known.read().unwrap_or_else(PoisonError::into_inner).generation == Some(generation) {
        return Ok(());
    }
    let before = plugins.installed();
    let mut installed = core.store.installed_plugins().await?;
    installed.retain(|plugin| matches!(plugin.state, HubState::On | HubState::Off));
    let hashes: Vec<String> =
        installed.iter().flat_map(jackfield_domain::plugins::Installed::packages).cloned().collect();
    let packages = core.store.plugin_packages(&hashes).await?;
    let mut loaded = Vec::with_capacity(installed.len());
    let mut shop = Shop { before: &before, fetch_again, is_out_of_reach: false };
    for installed in installed {
        let Some(package) = packages.get(&installed.package).cloned() else {
            tracing::error!(plugin = %installed.plugin, "a plugin's package is not in the store");
            continue;
        };
        let previous = installed.previous.as_ref().and_then(|previous| packages.get(previous));
        let earlier = match previous.filter(|previous| previous.data_version != package.data_version) {
            Some(previous) => Some(shop.loaded(core, &installed, previous.clone(), None).await?),
            None => None,
        };
        loaded.push(shop.loaded(core, &installed, package, earlier).await?);
    }
    if !are_the_same(&before, &loaded) {
        // Before anything is known of them: if this fails, all of it is tried again.
        schedules::plan(core, &loaded).await?;
    }
    let needed: BTreeSet<String> = hashes.into_iter().collect();
    let mut known = plugins.known.write().unwrap_or_else(PoisonError::into_inner);
    let not_needed: Vec<String> = known.packages.difference(&needed).cloned().collect();
    let installed = Arc::new(loaded);
    *known = Known { generation: Some(generation), packages: needed, installed, workspaces: HashMap::new() };
    let running: Vec<[u8; 32]> = (known.installed.iter())
        .flat_map(|loaded| std::iter::once(loaded).chain(&loaded.earlier))
        .filter_map(|loaded| loaded.module.as_ref().ok().map(|module| module.digest()))
        .collect();
    drop(known);
    // What was kept warm of other versions is let go.
    plugins.host.forget(|module, _| !running.contains(&module.digest()));
    for hash in &not_needed {
        plugins.host.forget_compiled(hash);
    }
    plugins.stirred.notify_one();
    Ok(())
}

/// Are these the same packages, in the same state?
fn are_the_same(before: &[Arc<Loaded>], after: &[Arc<Loaded>]) -> bool {
    let seen = |loaded: &Arc<Loaded>| {
        (loaded.installed.plugin.clone(), loaded.installed.package.clone(), loaded.installed.state)
    };
    before.iter().map(seen).eq(after.iter().map(seen))
}

/// Looks for what other nodes changed until the hub goes away.
pub async fn run(core: Arc<Core>) {
    tokio::join!(look_at_changes(&core), fetch_what_was_out_of_reach(&core), core.plugins.journal.write(&core));
}

async fn look_at_changes(core: &Core) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = refresh(core).await {
            tracing::debug!(%error, "the plugins cannot be looked at");
        }
    }
}

async fn fetch_what_was_out_of_reach(core: &Core) {
    loop {
        tokio::time::sleep(AGAIN).await;
        if !core.plugins.installed().iter().any(|loaded| loaded.is_out_of_reach()) {
            continue;
        }
        let probe = tokio::time::timeout(FETCH, core.plugins.blobs.probe()).await;
        if probe.is_ok_and(|reached| reached.is_ok())
            && let Err(error) = look(core, true).await
        {
            tracing::debug!(%error, "the plugins cannot be looked at");
        }
    }
}

/// What is on in a workspace, as it is known here.
pub async fn here(core: &Arc<Core>, workspace: WorkspaceId) -> Result<Arc<Here>> {
    let (generation, installed) = {
        let known = core.plugins.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = known.workspaces.get(&workspace) {
            return Ok(here.clone());
        }
        (known.generation, known.installed.clone())
    };
    let here = Arc::new(here::look(core, workspace, &installed).await?);
    let mut known = core.plugins.known.write().unwrap_or_else(PoisonError::into_inner);
    if known.generation == generation {
        if known.workspaces.len() >= WORKSPACES {
            known.workspaces.clear();
        }
        known.workspaces.insert(workspace, here.clone());
    }
    Ok(here)
}

/// Installs what comes with the program and is not there, or is newer than all that was ever here.
pub async fn install_bundled(core: &Arc<Core>) -> Result<()> {
    refresh(core).await?;
    let there = core.store.installed_plugins().await?;
    for package in core.plugins.bundled.values() {
        let manifest = package.manifest();
        // Whoever took it away is not overruled, nor who went back from it, or put an older version in its place.
        let is_known = there.iter().any(|known| known.plugin == manifest.id);
        let is_news = core.plugins.find(&manifest.id).is_some_and(|known| {
            let seen = known.installed.newest.as_ref().unwrap_or(&known.manifest.version);
            manifest.version > *seen.max(&known.manifest.version)
        });
        if is_known && !is_news {
            continue;
        }
        match packages::install_bundled(core, package).await {
            Ok(()) => {}
            // A plugin does not keep the hub from starting.
            Err(Error::Rejected(why)) => {
                tracing::error!(plugin = %manifest.id, %why, "a plugin that comes with the hub cannot be installed");
            }
            Err(error) => return Err(error),
        }
    }
    refresh(core).await?;
    let known = core.plugins.known.read().unwrap_or_else(PoisonError::into_inner);
    core.plugins.host.tidy_compiled(|hash| known.packages.contains(hash));
    Ok(())
}

/// When a hook is asked, and for whom.
fn occasion(core: &Core, workspace: WorkspaceId, now: Timestamp) -> jackfield_plugin_host::Occasion {
    jackfield_plugin_host::Occasion { bridge: core.plugins.bridge(), workspace, viewer: None, now }
}

/// A message with what stands beside its words, as plugins are shown it.
pub async fn whole(core: &Core, message: &Message) -> Result<WholeMessage> {
    let found = reading::whole(core, &[message.id]).await?.remove(&message.id);
    Ok(found.unwrap_or_else(|| WholeMessage { message: message.clone(), details: Details::default() }))
}

/// Does anybody want to be asked this here?
pub async fn chain(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    conversation: Option<jackfield_domain::ConversationId>,
    hook: Hook,
) -> Result<Option<Arc<jackfield_plugin_host::Chain>>> {
    if core.plugins.known.read().unwrap_or_else(PoisonError::into_inner).installed.is_empty() {
        return Ok(None);
    }
    Ok(here(core, workspace).await?.chain(conversation, hook))
}
