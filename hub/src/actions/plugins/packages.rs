//! Plugins on the hub as a whole, which are for its operators: installing them, putting other versions in their place, and
//! taking them away.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jackfield_domain::{
    AuditAction, AuditEntry, JobId, Rejection,
    jobs::{Job, JobKind, NewJob},
    plugins::{Capability, HubState, Installed, Offer, Origin, Package as Row, PluginId, Wanted, fits},
};
use jackfield_plugin_host::{Manifest, Package};
use serde::{Deserialize, Serialize};

use super::{
    super::{Core, Viewer, jobs, workspaces::must_be_operator},
    admin::known,
    blob_name, hash_of, refresh,
    uploads::{self, Source},
};
use crate::{
    Error, Result,
    store::{ChangePlugin, ForgetPackage, Piece, PurgePlugin},
};

/// Installs a package, or puts it in the place of the one that is in force. Where it wants more than was granted before, it
/// waits for somebody who grants it.
pub async fn install(core: &Arc<Core>, viewer: &Viewer, source: &Source, granted: Grant) -> Result<PluginId> {
    must_be_operator(viewer)?;
    let package = uploads::read(core, source).await?;
    let plugin = package.manifest().id.clone();
    let granted = granted.of(&package.manifest().wants());
    let details = [
        ("version", package.manifest().version.to_string()),
        ("package", hash_of(&package)),
        ("granted", listed(&granted.capabilities)),
        ("grantedOrigins", origins(&granted)),
    ];
    let audit = viewer.by(core).entry(AuditAction::PluginInstalled, &plugin, details);
    put(core, &package, granted, false, vec![audit]).await?;
    uploads::forget(core, source).await;
    Ok(plugin)
}

/// The same for what comes with the hub, which is trusted as the hub is; but to reach out of it somebody has to say. It stands in the
/// record wherever there are operators.
pub async fn install_bundled(core: &Arc<Core>, package: &Package) -> Result<()> {
    let manifest = package.manifest();
    let known = core.plugins.find(&manifest.id);
    let granted = Grant::all().of(&if known.is_none() { manifest.wants() } else { Wanted::default() });
    let granted = Wanted {
        capabilities: granted.capabilities.into_iter().filter(|capability| !capability.reaches_out()).collect(),
        origins: BTreeSet::new(),
    };
    let details: BTreeMap<String, String> = [
        ("version".to_owned(), manifest.version.to_string()),
        ("package".to_owned(), hash_of(package)),
        ("granted".to_owned(), listed(&granted.capabilities)),
    ]
    .into();
    let entry = |workspace| AuditEntry {
        id: core.clock.new_id(),
        workspace,
        at: core.clock.now(),
        actor: None,
        address: None,
        action: AuditAction::PluginInstalled,
        target: Some(manifest.id.to_string()),
        details: details.clone(),
    };
    let audit = core.store.workspaces_of_operators().await?.into_iter().map(entry).collect();
    put(core, package, granted, true, audit).await
}

async fn put(
    core: &Arc<Core>,
    package: &Package,
    granted: Wanted,
    is_bundled: bool,
    audit: Vec<AuditEntry>,
) -> Result<()> {
    // It must be known to run before anybody depends on it.
    core.plugins.host.load(package).await.map_err(|error| Rejection::BadPackage { why: error.to_string() })?;
    let done = offer(core, package, granted, is_bundled, audit).await;
    if done.is_err() {
        core.plugins.forget_compiled(&hash_of(package));
    }
    done
}

async fn offer(
    core: &Arc<Core>,
    package: &Package,
    granted: Wanted,
    is_bundled: bool,
    audit: Vec<AuditEntry>,
) -> Result<()> {
    let manifest = package.manifest();
    let hash = hash_of(package);
    // What it takes the place of is let go afterwards; and it itself, where nothing comes of it.
    jobs::enqueue(core, vec![sweeping(core, &manifest.id, Some(&hash))?]).await?;
    // Nodes that run another version of the program come with other packages.
    let (name, bytes) = (blob_name(&hash), bytes::Bytes::copy_from_slice(package.component()));
    core.plugins.blobs.put(&name, bytes.clone()).await?;
    let row = Row {
        hash,
        plugin: manifest.id.clone(),
        version: manifest.version.to_string(),
        data_version: manifest.data_version,
        manifest: serde_json::to_string(&**manifest).map_err(Error::internal)?,
        bytes: package.component().len() as u64,
        created_at: core.clock.now(),
    };
    // Another node may have put one in force a moment ago.
    refresh(core).await?;
    check_fields(core, manifest)?;
    let known = core.plugins.find(&manifest.id);
    let offer = Offer {
        package: row.clone(),
        wanted: manifest.wants(),
        granted,
        instead_of: known.map(|known| (known.package.hash.clone(), known.manifest.wants())),
        // Only what comes with the hub may be on where nobody asked for it.
        is_default: manifest.on_at_first_start && is_bundled,
    };
    let change = ChangePlugin {
        plugin: manifest.id.clone(),
        package: Some(row),
        decision: move |before: Option<Installed>, newest| offer.decide(before.as_ref(), newest),
        audit,
        job: None,
    };
    core.store.change(change).await?;
    // A sweep may have taken it away until it was needed.
    if !core.plugins.blobs.has(&name).await? {
        core.plugins.blobs.put(&name, bytes).await?;
    }
    refresh(core).await
}

/// Whether what it adds to the API goes together with the rest.
fn check_fields(core: &Core, manifest: &Manifest) -> Result<(), Rejection> {
    let Some(sdl) = &manifest.graphql else { return Ok(()) };
    let installed = core.plugins.installed();
    let others = installed.iter().filter(|other| other.installed.plugin != manifest.id);
    let others: Vec<(PluginId, &str)> =
        others.filter_map(|other| Some((other.installed.plugin.clone(), other.manifest.graphql.as_deref()?))).collect();
    core.plugins.rules.check(&manifest.id, sdl, &others).map_err(|why| Rejection::BadPackage {
        why: format!(
            "the `graphql` of its manifest is not good: {why}; correct plugin.toml and build the plugin again"
        ),
    })
}

/// Changes what is installed, in the name of an operator.
pub async fn change(
    core: &Core,
    viewer: &Viewer,
    plugin: &PluginId,
    action: AuditAction,
    details: Vec<(&str, String)>,
    job: Option<NewJob>,
    decision: impl Fn(&mut Installed, Option<u32>) -> Result<(), Rejection> + Send + Sync + 'static,
) -> Result<()> {
    must_be_operator(viewer)?;
    let none = Rejection::NotFound { what: "plugin", field: "pluginId" };
    let change = ChangePlugin {
        plugin: plugin.clone(),
        package: None,
        decision: move |before: Option<Installed>, newest| {
            let there = |installed: &Installed| matches!(installed.state, HubState::On | HubState::Off);
            let mut installed = before.filter(there).ok_or_else(|| none.clone())?;
            decision(&mut installed, newest)?;
            Ok(installed)
        },
        audit: vec![viewer.by(core).entry(action, plugin, details)],
        job,
    };
    core.store.change(change).await?;
    refresh(core).await
}

/// Puts a package in force that waits because it wants more than was granted; what is granted now is added to that.
pub async fn approve(core: &Core, viewer: &Viewer, plugin: &PluginId, granted: Grant) -> Result<()> {
    let Some(pending) = waiting(core, viewer, plugin).await? else {
        return Err(Rejection::NotFound { what: "waiting upgrade", field: "pluginId" }.into());
    };
    let wanted = super::loading::wanted_of(&pending)?;
    granted.is_among(&wanted)?;
    let granted = granted.of(&wanted);
    let details = vec![
        ("version", pending.version.clone()),
        ("granted", listed(&granted.capabilities)),
        ("grantedOrigins", origins(&granted)),
    ];
    let job = Some(sweeping(core, plugin, None)?);
    change(core, viewer, plugin, AuditAction::PluginInstalled, details, job, move |installed, newest| {
        if installed.pending.as_ref() != Some(&pending.hash) {
            return Err(Rejection::Conflict);
        }
        fits(&pending, newest)?;
        installed.grants.add(&granted);
        installed.put_in_force(pending.hash.clone());
        Ok(())
    })
    .await
}

/// Lets go of a package that waits.
pub async fn reject(core: &Core, viewer: &Viewer, plugin: &PluginId) -> Result<()> {
    let details = vec![("pending", "rejected".to_owned())];
    let job = Some(sweeping(core, plugin, None)?);
    change(core, viewer, plugin, AuditAction::PluginUpdated, details, job, |installed, _| {
        let none = Rejection::NotFound { what: "waiting upgrade", field: "pluginId" };
        installed.pending.take().map(drop).ok_or(none)
    })
    .await
}

/// Puts the package in force again that was before; that of now is then the one before.
pub async fn roll_back(core: &Core, viewer: &Viewer, plugin: &PluginId) -> Result<()> {
    must_be_operator(viewer)?;
    let none = || Error::from(Rejection::NotFound { what: "earlier version", field: "pluginId" });
    let known = known(core, plugin).await?;
    let previous = known.installed.previous.clone().ok_or_else(none)?;
    let earlier = core.store.plugin_packages(std::slice::from_ref(&previous)).await?.remove(&previous);
    let earlier = earlier.ok_or_else(none)?;
    let details = vec![("version", earlier.version.clone()), ("rolledBackFrom", known.package.version.clone())];
    let job = Some(sweeping(core, plugin, None)?);
    change(core, viewer, plugin, AuditAction::PluginInstalled, details, job, move |installed, newest| {
        if installed.previous.as_ref() != Some(&earlier.hash) {
            return Err(Rejection::Conflict);
        }
        fits(&earlier, newest)?;
        installed.put_in_force(earlier.hash.clone());
        Ok(())
    })
    .await
}

/// Lets workspaces have it on, or nobody.
pub async fn switch(core: &Core, viewer: &Viewer, plugin: &PluginId, is_on: bool) -> Result<()> {
    let details = vec![("isOnHub", is_on.to_string())];
    change(core, viewer, plugin, AuditAction::PluginUpdated, details, None, move |installed, _| {
        installed.state = if is_on { HubState::On } else { HubState::Off };
        Ok(())
    })
    .await
}

/// The package that waits, if one does.
pub async fn waiting(core: &Core, viewer: &Viewer, plugin: &PluginId) -> Result<Option<Row>> {
    must_be_operator(viewer)?;
    let known = known(core, plugin).await?;
    let Some(pending) = known.installed.pending.clone() else { return Ok(None) };
    Ok(core.store.plugin_packages(std::slice::from_ref(&pending)).await?.remove(&pending))
}

/// What an operator grants of what a plugin asks for; all of it where nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    pub capabilities: Option<BTreeSet<Capability>>,
    pub origins: Option<BTreeSet<Origin>>,
}

impl Grant {
    fn all() -> Self {
        Grant::default()
    }

    fn of(self, wanted: &Wanted) -> Wanted {
        let said = Wanted {
            capabilities: self.capabilities.unwrap_or_else(|| wanted.capabilities.clone()),
            origins: self.origins.unwrap_or_else(|| wanted.origins.clone()),
        };
        said.among(wanted)
    }

    fn is_among(&self, wanted: &Wanted) -> Result<(), Rejection> {
        let expected = "among those that the plugin wants";
        if self.capabilities.as_ref().is_some_and(|said| !said.is_subset(&wanted.capabilities)) {
            return Err(Rejection::Invalid { field: "grant", expected });
        }
        if self.origins.as_ref().is_some_and(|said| !said.is_subset(&wanted.origins)) {
            return Err(Rejection::Invalid { field: "grantOrigins", expected });
        }
        Ok(())
    }
}

/// How origins stand in the record.
fn origins(granted: &Wanted) -> String {
    granted.origins.iter().map(Origin::as_str).collect::<Vec<_>>().join(", ")
}

/// How capabilities stand in the record.
pub fn listed(capabilities: &BTreeSet<Capability>) -> String {
    capabilities.iter().map(|capability| capability.as_str()).collect::<Vec<_>>().join(", ")
}

/// How long packages that are not needed lie where they are: whoever has begun with one ends, and nodes look for newer ones.
const KEPT: Duration = Duration::from_secs(60);

/// Packages that may not be needed any more.
#[derive(Serialize, Deserialize)]
struct Sweep {
    plugin: PluginId,
    /// One that the store may not know, because it was refused.
    hash: Option<String>,
}

fn sweeping(core: &Core, plugin: &PluginId, hash: Option<&String>) -> Result<NewJob> {
    let at = core.clock.now();
    let sweep = Sweep { plugin: plugin.clone(), hash: hash.cloned() };
    Ok(NewJob {
        id: JobId(core.clock.new_id()),
        workspace: None,
        kind: JobKind::PackageSweep,
        key: None,
        payload: serde_json::to_string(&sweep).map_err(Error::internal)?,
        at,
        due_at: at + KEPT,
    })
}

/// Takes away the packages of a plugin that are neither in force nor what is gone back to, and do not wait.
pub async fn sweep(core: &Core, job: &Job) -> Result<()> {
    let Sweep { plugin, hash } = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    let installed = core.store.installed_plugins().await?;
    let needed = installed.iter().filter(|installed| installed.plugin == plugin).flat_map(Installed::packages);
    let needed: BTreeSet<&String> = needed.collect();
    let known = core.store.packages_of(&plugin).await?;
    let all: BTreeSet<String> = known.into_iter().chain(hash).collect();
    for hash in all.into_iter().filter(|hash| !needed.contains(hash)) {
        let name = blob_name(&hash);
        let bytes = core.plugins.blobs.get(&name).await?;
        core.plugins.blobs.delete(&name).await?;
        // Somebody may have installed it meanwhile. Who does so from now on sees that it is gone.
        let is_needed = core.store.change(ForgetPackage { plugin: plugin.clone(), hash }).await?;
        if let Some(bytes) = bytes.filter(|_| is_needed) {
            core.plugins.blobs.put(&name, bytes).await?;
        }
    }
    Ok(())
}

/// What is to be taken away of a plugin that was removed.
#[derive(Serialize, Deserialize)]
struct Purge {
    plugin: PluginId,
    with_data: bool,
}

/// Takes a plugin away. It is gone at once; what it kept goes in the background, or stays for when it comes back.
pub async fn remove(core: &Core, viewer: &Viewer, plugin: &PluginId, with_data: bool) -> Result<()> {
    must_be_operator(viewer)?;
    let at = core.clock.now();
    let purge = Purge { plugin: plugin.clone(), with_data };
    let job = NewJob {
        id: JobId(core.clock.new_id()),
        workspace: None,
        kind: JobKind::PluginPurge,
        key: None,
        payload: serde_json::to_string(&purge).map_err(Error::internal)?,
        at,
        due_at: at,
    };
    let details = vec![("withData", with_data.to_string())];
    change(core, viewer, plugin, AuditAction::PluginRemoved, details, Some(job), |installed, _| {
        installed.state = HubState::Removing;
        Ok(())
    })
    .await?;
    core.jobs.notify_one();
    Ok(())
}

/// Takes away what is left of it.
pub async fn purge(core: &Core, job: &Job) -> Result<()> {
    let Purge { plugin, with_data } = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    if !core.store.is_being_removed(&plugin).await? {
        return Ok(());
    }
    for hash in core.store.packages_of(&plugin).await? {
        core.plugins.blobs.delete(&blob_name(&hash)).await?;
    }
    let mut piece = Some(if with_data { Piece::Workspace } else { Piece::Rest });
    while let Some(next) = piece {
        piece = core.store.change(PurgePlugin { plugin: plugin.clone(), piece: next }).await?;
    }
    tracing::info!(%plugin, with_data, "a plugin that was removed is gone");
    refresh(core).await
}
