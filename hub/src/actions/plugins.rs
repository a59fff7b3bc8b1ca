//! Plugins at work: which of them are here, where they are on, and what they are asked.
//!
//! Every node knows what is installed and what its workspaces make of it, and looks once in a while whether a number has
//! grown that grows with every change. Where no plugin wants to be asked, being asked costs a look at a map.

pub mod admin;
pub mod before;
pub mod effects;
mod here;
pub mod reading;
mod runner;
mod traced;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use jackfield_domain::{
    Timestamp, WorkspaceId,
    messages::{Details, Message},
    plugins::{Breaker, Hook, Installed, Package as PackageRow, PluginId},
};
use jackfield_plugin_host::{Bridge, Manifest, Module, Package, PluginHost, WholeMessage};
use tokio::sync::Notify;

use super::Core;
use crate::{Error, Result, blobs::Blobs};

pub use here::Here;
pub use runner::run as run_after_hooks;

/// How soon a node sees what another one changed.
const LOOK: Duration = Duration::from_millis(400);
/// More workspaces than this are not remembered at once.
const WORKSPACES: usize = 10_000;

pub struct Plugins {
    pub host: Arc<PluginHost>,
    pub blobs: Blobs,
    /// What comes with the program, by its hash.
    bundled: BTreeMap<String, Arc<Package>>,
    bridge: OnceLock<Arc<dyn Bridge>>,
    known: RwLock<Known>,
    /// By workspace and plugin; what a node remembers of failures is its own.
    breakers: Mutex<HashMap<(WorkspaceId, PluginId), SharedBreaker>>,
    /// Something was committed that plugins may want to hear of.
    pub stirred: Notify,
}

type SharedBreaker = Arc<Mutex<Breaker>>;

#[derive(Default)]
struct Known {
    generation: Option<i64>,
    installed: Arc<Vec<Arc<Loaded>>>,
    workspaces: HashMap<WorkspaceId, Arc<Here>>,
}

/// A plugin of this hub, ready to run or not.
pub struct Loaded {
    pub installed: Installed,
    pub package: PackageRow,
    pub manifest: Arc<Manifest>,
    /// Or why it cannot run, in words for the operator.
    pub module: Result<Arc<Module>, String>,
}

impl Plugins {
    pub fn new(host: PluginHost, blobs: Blobs, bundled: Vec<Package>) -> Self {
        let bundled = bundled.into_iter().map(|package| (hash_of(&package), Arc::new(package))).collect();
        Plugins {
            host: Arc::new(host),
            blobs,
            bundled,
            bridge: OnceLock::new(),
            known: RwLock::default(),
            breakers: Mutex::default(),
            stirred: Notify::new(),
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
    pub fn installed(&self) -> Arc<Vec<Arc<Loaded>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).installed.clone()
    }

    pub fn find(&self, plugin: &PluginId) -> Option<Arc<Loaded>> {
        self.installed().iter().find(|loaded| loaded.installed.plugin == *plugin).cloned()
    }

    fn breaker(&self, workspace: WorkspaceId, plugin: &PluginId) -> SharedBreaker {
        let mut breakers = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        breakers.entry((workspace, plugin.clone())).or_default().clone()
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
    let plugins = &core.plugins;
    let generation = core.store.plugin_generation().await?;
    if plugins.known.read().unwrap_or_else(PoisonError::into_inner).generation == Some(generation) {
        return Ok(());
    }
    let before = plugins.installed();
    let installed = core.store.installed_plugins().await?;
    let hashes: Vec<String> = installed.iter().map(|plugin| plugin.package.clone()).collect();
    let packages = core.store.plugin_packages(&hashes).await?;
    let mut loaded = Vec::with_capacity(installed.len());
    for installed in installed {
        let Some(package) = packages.get(&installed.package).cloned() else {
            tracing::error!(plugin = %installed.plugin, "a plugin's package is not in the store");
            continue;
        };
        // What runs already goes on running, whatever else changed.
        let same = before.iter().find(|known| known.package.hash == package.hash && known.module.is_ok());
        let (manifest, module) = match same {
            Some(known) => (known.manifest.clone(), known.module.clone()),
            None => load(core, &package).await?,
        };
        loaded.push(Arc::new(Loaded { installed, package, manifest, module }));
    }
    let mut known = plugins.known.write().unwrap_or_else(PoisonError::into_inner);
    *known = Known { generation: Some(generation), installed: Arc::new(loaded), workspaces: HashMap::new() };
    let running: Vec<[u8; 32]> =
        known.installed.iter().filter_map(|loaded| loaded.module.as_ref().ok().map(|module| module.digest())).collect();
    drop(known);
    // What was kept warm of other versions is let go.
    plugins.host.forget(|module, _| !running.contains(&module.digest()));
    plugins.stirred.notify_one();
    Ok(())
}

async fn load(core: &Core, row: &PackageRow) -> Result<(Arc<Manifest>, Result<Arc<Module>, String>)> {
    let manifest =
        Arc::new(Manifest::parse(row.manifest.as_bytes()).map_err(|error| Error::internal(error.to_string()))?);
    let package = match core.plugins.bundled.get(&row.hash) {
        Some(package) => Ok(package.clone()),
        None => match core.plugins.blobs.get(&blob_name(&row.hash)).await {
            Ok(Some(bytes)) => Package::read(bytes.to_vec()).map(Arc::new).map_err(|error| error.to_string()),
            Ok(None) => Err("its package is not where packages are kept; install it again".to_owned()),
            Err(error) => Err(format!("its package cannot be fetched: {error}")),
        },
    };
    let module = match package {
        Ok(package) if hash_of(&package) == row.hash => {
            core.plugins.host.load(&package).await.map_err(|error| error.to_string())
        }
        Ok(_) => Err("its package is not what was installed; install it again".to_owned()),
        Err(error) => Err(error),
    };
    if let Err(error) = &module {
        tracing::error!(plugin = %row.plugin, error, "a plugin cannot run");
    }
    Ok((manifest, module))
}

/// Looks for what other nodes changed until the hub goes away.
pub async fn run(core: Arc<Core>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = refresh(&core).await {
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

/// Installs what comes with the program and is not there, or is older.
pub async fn install_bundled(core: &Arc<Core>) -> Result<()> {
    refresh(core).await?;
    for (hash, package) in &core.plugins.bundled {
        let manifest = package.manifest();
        let known = core.plugins.find(&manifest.id);
        let is_newer = known.as_ref().is_none_or(|known| known.manifest.version < manifest.version);
        // Whoever took it away, or put another version in its place, is not overruled.
        if known.as_ref().is_some_and(|known| known.package.hash == *hash) || !is_newer {
            continue;
        }
        match admin::install_bundled(core, package).await {
            Ok(_) => {}
            // A plugin does not keep the hub from starting.
            Err(Error::Rejected(why)) => {
                tracing::error!(plugin = %manifest.id, %why, "a plugin that comes with the hub cannot be installed");
            }
            Err(error) => return Err(error),
        }
    }
    refresh(core).await
}

/// When a hook is asked, and for whom.
fn occasion(core: &Core, workspace: WorkspaceId, now: Timestamp) -> jackfield_plugin_host::Occasion {
    jackfield_plugin_host::Occasion { bridge: core.plugins.bridge(), workspace, viewer: None, now }
}

/// A message with what stands beside its words, as plugins are shown it.
pub async fn whole(core: &Core, message: &Message) -> Result<WholeMessage> {
    let found = runner::whole(core, &[message.id]).await?.remove(&message.id);
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
