//! Packages, made ready to run on this node: what comes with the program, and what is fetched from where packages are kept.

use std::{sync::Arc, time::Duration};

use jackfield_domain::plugins::{Installed, Package as PackageRow};
use jackfield_plugin_host::{Manifest, Module, Package};

use super::{super::Core, blob_name, hash_of};
use crate::{Error, Result};

/// How long fetching a package may take.
pub const FETCH: Duration = Duration::from_secs(20);

/// A plugin of this hub, ready to run or not.
pub struct Loaded {
    pub installed: Installed,
    pub package: PackageRow,
    pub manifest: Arc<Manifest>,
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
    pub fn is_out_of_reach(&self) -> bool {
        let is = |loaded: &Loaded| loaded.module.as_ref().is_err_and(|problem| problem.is_out_of_reach);
        is(self) || self.earlier.as_ref().is_some_and(|earlier| is(earlier))
    }
}

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
        let (manifest, module) = match self.known(&package.hash) {
            Some(known) => (known.manifest.clone(), known.module.clone()),
            None => self.load(core, &package).await?,
        };
        Ok(Arc::new(Loaded { installed: installed.clone(), package, manifest, module, earlier }))
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

    async fn load(&mut self, core: &Core, row: &PackageRow) -> Result<(Arc<Manifest>, Result<Arc<Module>, Problem>)> {
        let manifest = manifest_of(row)?;
        let module = match self.package(core, row).await {
            Ok(package) => core.plugins.host.load(&package).await.map_err(|error| Problem::of(error.to_string())),
            Err(problem) => Err(problem),
        };
        if let Err(Problem { what, .. }) = &module {
            tracing::error!(plugin = %row.plugin, what, "a plugin cannot run");
        }
        Ok((manifest, module))
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
        let package = Package::read(bytes.to_vec()).map_err(|error| Problem::of(error.to_string()))?;
        if hash_of(&package) != row.hash {
            return Err(Problem::of("its package is not what was installed; install it again"));
        }
        Ok(Arc::new(package))
    }
}

pub fn manifest_of(row: &PackageRow) -> Result<Arc<Manifest>> {
    Manifest::parse(row.manifest.as_bytes()).map(Arc::new).map_err(|error| Error::internal(error.to_string()))
}
