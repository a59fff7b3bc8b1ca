//! Packages, made ready to run: from what was compiled before, or by compiling them. What takes a processor for a while
//! is done where nobody waits for the thread, so that several of them can be made ready at once.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use wasmtime::{
    Engine,
    component::{Component, HasSelf, Linker},
};

use crate::{
    cache::Cache,
    compile::{CompileError, Compiler},
    live::Module,
    package::Package,
    run::Run,
    wit::Everything,
};

/// What was compiled and left behind lies there for so long: another hub may share the folder.
const LEFT: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a package could not be made ready to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("the plugin does not fit the contract: {0}; build it with the SDK of this hub")]
    Contract(String),
    #[error("the plugin could not be made ready: {0}; try again")]
    Ended(String),
}

pub(crate) struct Loader {
    stock: Arc<Stock>,
    compiler: Compiler,
}

/// What modules are made with.
struct Stock {
    engine: Engine,
    /// What compiled code is good for.
    engine_name: String,
    linker: Linker<Run>,
    cache: Option<Cache>,
}

impl Loader {
    pub fn new(engine: &Engine, compiler: Compiler, cache: Option<Cache>) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine);
        Everything::add_to_linker::<Run, HasSelf<Run>>(&mut linker, |run| run)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine_name = format!("{:016x}", hasher.finish());
        Ok(Loader { stock: Arc::new(Stock { engine: engine.clone(), engine_name, linker, cache }), compiler })
    }

    pub async fn load(&self, package: &Package) -> Result<Arc<Module>, LoadError> {
        if self.stock.cache.is_some()
            && let Some(module) = self.beside(package, |stock, package| Ok(stock.kept(package))).await?
        {
            return Ok(module);
        }
        let compiled = self.compiler.compile(package.component()).await?;
        self.beside(package, move |stock, package| {
            let module = stock.link(package, &compiled)?;
            if let Some(cache) = &stock.cache {
                cache.put(&package.digest(), &stock.engine_name, &compiled);
            }
            Ok(module)
        })
        .await
    }

    async fn beside<T: Send + 'static>(
        &self,
        package: &Package,
        work: impl FnOnce(&Stock, &Package) -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, LoadError> {
        let (stock, package) = (Arc::clone(&self.stock), package.clone());
        let done = tokio::task::spawn_blocking(move || work(&stock, &package)).await;
        done.unwrap_or_else(|error| Err(LoadError::Ended(error.to_string())))
    }

    /// Lets go of what was compiled of a package that is needed no more. The hash is written in hexadecimal digits.
    pub fn forget(&self, hash: &str) {
        if let Some(cache) = &self.stock.cache {
            cache.forget_all(|of| of == hash, Duration::ZERO);
        }
    }

    /// Lets go of what was compiled long ago of packages that are not needed.
    pub fn tidy(&self, is_needed: impl Fn(&str) -> bool) {
        if let Some(cache) = &self.stock.cache {
            cache.forget_all(|of| !is_needed(of), LEFT);
        }
    }
}

impl Stock {
    fn kept(&self, package: &Package) -> Option<Arc<Module>> {
        let compiled = self.cache.as_ref()?.get(&package.digest(), &self.engine_name)?;
        match self.link(package, &compiled) {
            Ok(module) => Some(module),
            // An engine of another version wrote it, and has the same name for all that.
            Err(error) => {
                tracing::info!(plugin = %package.manifest().id, %error, "a plugin is compiled again");
                None
            }
        }
    }

    fn link(&self, package: &Package, compiled: &[u8]) -> Result<Arc<Module>, LoadError> {
        let contract = |error: wasmtime::Error| LoadError::Contract(format!("{error:#}"));
        #[expect(unsafe_code, reason = "the bytes come from our own compiler, just now or under the seal of the cache")]
        // SAFETY: compiled code is run as it is. These bytes were written by `Engine::precompile_component` in our own child
        // process; those that were kept meanwhile bear a seal that nobody makes without the hub's key.
        let component = unsafe { Component::deserialize(&self.engine, compiled) }.map_err(contract)?;
        let module = Module::new(Arc::clone(package.manifest()), package.digest(), &component, &self.linker);
        module.map(Arc::new).map_err(contract)
    }
}
