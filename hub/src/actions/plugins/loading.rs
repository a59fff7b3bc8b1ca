//! Packages, made ready to run on this node: what comes with the program, and what is fetched from where packages are kept.

use std::{sync::Arc, time::Duration};

use jackfield_domain::{
    Rejection,
    plugins::{Installed, Package as PackageRow, Wanted},
};
use jackfield_plugin_host::{Configurations, Manifest, ManifestError, Module, Package, hooks};
use serde_json::{Map, Value};

use super::{super::Core, blob_name, hash_of};
use crate::{Error, Result};

/// How long fetching a package may take.
pub const FETCH: Duration = Duration::from_secs(20);

/// How long somebody who configures a plugin waits for others who do.
const PLACE: Duration = Duration::from_secs(10);

/// A plugin of this hub, ready to run or not.
pub struct Loaded {
    pub installed: Installed,
    pub package: PackageRow,
    pub manifest: Arc<Manifest>,
    /// What it can be configured with.
    pub configurations: Arc<Configurations>,
    /// Or why it cannot run.
    pub module: Result<Arc<Module>, Problem>,
    /// The version before it, where that one has data of another version: it goes on where this one cannot bring its data up
    /// to date.
    pub earlier: Option<Arc<Loaded>>,
}

/// Why a plugin cannot run on this node.
#[derive(Debug, Clone)]
pub struct Problem {
    /// In words for the operator.
    pub what: String,
    /// Where packages are kept cannot be reached, so that it is worth trying again.
    is_out_of_reach: bool,
}

impl Problem {
    fn of(what: impl Into<String>) -> Self {
        Problem { what: what.into(), is_out_of_reach: false }
    }

    fn out_of_reach(why: &str) -> Self {
        Problem { what: format!("its package cannot be fetched: {why}"), is_out_of_reach: true }
    }
}

impl Loaded {
    /// The whole configuration where somebody gives this, or what is wrong with it. Schema and configuration are bounded; that it
    /// takes a moment all the same is for nobody else to notice.
    pub async fn complete(&self, core: &Core, given: Map<String, Value>) -> Result<Result<Value, hooks::Problem>> {
        let full = |_| Error::unavailable("too many plugins are being configured");
        let place = tokio::time::timeout(PLACE, core.plugins.configuring.acquire()).await.map_err(full)?;
        let _place = place.map_err(Error::internal)?;
        let configurations = self.configurations.clone();
        tokio::task::spawn_blocking(move || configurations.complete(&given)).await.map_err(Error::internal)
    }

    /// How it is configured where this is stored: what is left out has its default, also where nobody has configured it yet.
    pub fn configuration(&self, stored: &str) -> Result<Value> {
        Ok(self.configurations.filled_in(&serde_json::from_str(stored).map_err(Error::internal)?))
    }

    pub fn is_out_of_reach(&self) -> bool {
        let is = |loaded: &Loaded| loaded.module.as_ref().is_err_and(|problem| problem.is_out_of_reach);
        is(self) || self.earlier.as_ref().is_some_and(|earlier| is(earlier))
    }
}

/// What is known of a package that is ready to run, or why it is not.
type Ready = (Arc<Manifest>, Arc<Configurations>, Result<Arc<Module>, Problem>);

/// Where plugins come from in one look at them.
pub struct Shop<'l> {
    /// What runs already goes on running, whatever else has changed.
    pub before: &'l [Arc<Loaded>],
    /// What could not be fetched before may be there now.
    pub fetch_again: bool,
    /// The place where packages are kept does not answer: it is not asked for every one of them.
    pub is_out_of_reach: bool,
}

impl Shop<'_> {
    pub async fn loaded(
        &mut self,
        core: &Core,
        installed: &Installed,
        package: PackageRow,
        earlier: Option<Arc<Loaded>>,
    ) -> Result<Arc<Loaded>> {
        let (manifest, configurations, module) = match self.known(&package.hash) {
            Some(known) => (known.manifest.clone(), known.configurations.clone(), known.module.clone()),
            None => self.load(core, &package).await?,
        };
        Ok(Arc::new(Loaded { installed: installed.clone(), package, manifest, configurations, module, earlier }))
    }

    fn known(&self, hash: &str) -> Option<&Arc<Loaded>> {
        let mut known = self.before.iter().flat_map(|known| std::iter::once(known).chain(&known.earlier));
        known.find(|known| {
            let is_good = match &known.module {
                Ok(_) => true,
                Err(problem) => problem.is_out_of_reach && !self.fetch_again,
            };
            known.package.hash == hash && is_good
        })
    }

    async fn load(&mut self, core: &Core, row: &PackageRow) -> Result<Ready> {
        let (manifest, refused) = Manifest::stored(row.manifest.as_bytes()).map_err(Error::internal)?;
        let configurations = Configurations::of(manifest.configuration.as_ref()).map_err(Error::internal)?;
        let package = match refused {
            Some(refused) => Err(Problem::of(refused.to_string())),
            None => self.package(core, row).await,
        };
        let module = match package {
            Ok(package) => core.plugins.host.load(&package).await.map_err(|error| Problem::of(error.to_string())),
            Err(problem) => Err(problem),
        };
        if let Err(Problem { what, .. }) = &module {
            tracing::error!(plugin = %row.plugin, what, "a plugin cannot run");
        }
        Ok((Arc::new(manifest), Arc::new(configurations), module))
    }

    async fn package(&mut self, core: &Core, row: &PackageRow) -> Result<Arc<Package>, Problem> {
        if let Some(package) = core.plugins.bundled.get(&row.hash) {
            return Ok(package.clone());
        }
        let name = blob_name(&row.hash);
        if self.is_out_of_reach {
            return Err(Problem::out_of_reach("others could not be reached just now"));
        }
        let fetched = match tokio::time::timeout(FETCH, core.plugins.blobs.get(&name)).await {
            Ok(fetched) => fetched.map_err(|error| error.to_string()),
            Err(_) => Err(format!("it does not come within {} seconds", FETCH.as_secs())),
        };
        let bytes = fetched.map_err(|error| {
            self.is_out_of_reach = true;
            Problem::out_of_reach(&error)
        })?;
        let bytes = bytes.ok_or_else(|| Problem::of("its package is not where packages are kept; install it again"))?;
        let package = read(bytes.to_vec()).await.map_err(|error| Problem::of(error.to_string()))?;
        if hash_of(&package) != row.hash {
            return Err(Problem::of("its package is not what was installed; install it again"));
        }
        Ok(Arc::new(package))
    }
}

/// Looks at a package where nobody waits for the thread: it may be large.
pub async fn read(bytes: Vec<u8>) -> Result<Package> {
    let read = tokio::task::spawn_blocking(move || Package::read(bytes)).await.map_err(Error::internal)?;
    read.map_err(|error| Rejection::BadPackage { why: error.to_string() }.into())
}

/// What a package asks for that is not loaded.
pub fn wanted_of(row: &PackageRow) -> Result<Wanted, Rejection> {
    let bad = |error: ManifestError| Rejection::BadPackage { why: error.to_string() };
    match Manifest::stored(row.manifest.as_bytes()).map_err(bad)? {
        (manifest, None) => Ok(manifest.wants()),
        (_, Some(refused)) => Err(bad(refused)),
    }
}
