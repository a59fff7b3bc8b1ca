//! The hub as a whole: the one place where back ends are chosen and the parts are put together.

use std::{
    fs::File,
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use jackfield_domain::{plugins::Limits, users::Person, workspaces::WorkspaceStatus};
use jackfield_plugin_host::{Allocation, Cache, Compiler, Package, PluginHost, Reuse, Settings};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Error, Result,
    actions::{
        self, Core, feed, issuers, passwords,
        plugins::{FieldRules, Plugins},
        presence, setup, typing,
    },
    blobs::{Blobs, Shelf},
    bundled,
    bus::Bus,
    clock::Clock,
    config::Config,
    graphql::{self, composed::Addition, live::Live, served::Served},
    http::{self, Entrance, Gate, LongBodies, Uploads},
    identity::{self, Identity},
    jobs,
    outside::Outside,
    plugin_bridge::HubBridge,
    store::{Place, ReleaseTurns, Store},
    traces::Traces,
};

/// How long the hub may take to go away in all, and how much of it letting go of the store may take.
const STOP_LIMIT: Duration = Duration::from_secs(10);
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
/// How long a collector that is slow or gone may hold up the end.
const TRACES_LIMIT: Duration = Duration::from_secs(1);

/// A running hub. Dropping it stops it at once; [`Hub::stop`] stops it in order.
pub struct Hub {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    sign_in_link: Option<String>,
    gate: Arc<Gate>,
    /// What runs beside the requests; ends with the hub.
    _tasks: JoinSet<()>,
    _lock: File,
}

impl Hub {
    /// Starts a hub: takes the data folder and the addresses, brings the store up to date, and serves.
    pub async fn start(config: Config, clock: Clock, outside: Outside) -> Result<Hub> {
        let fault = |error: crate::config::ConfigError| Error::internal(error);
        crate::use_ring();
        // Whatever can fail comes before the first start, whose link is shown once and never again.
        let lock = lock(&config.data)?;
        let (place, link) = (config.place().map_err(fault)?, config.link().map_err(fault)?);
        let issuers = config.issuers().map_err(fault)?;
        let shelf = config.shelf().map_err(fault)?;
        let traces = Traces::start(config.collector().map_err(fault)?)?;
        let served = Served::new(config.graphql.clone()).map_err(fault)?;
        let listener = bind(config.listen).await?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let private = match config.metrics_listen().map_err(fault)? {
            None => None,
            Some(listen) => Some(bind(listen).await?),
        };
        let metrics_address = private.as_ref().map(TcpListener::local_addr).transpose().map_err(Error::internal)?;

        let bus = Bus::connect(&link)?;
        Store::migrate(&place).await?;
        let (store, commits) = Store::open(&place).await?;
        let key = setup::signing_key(&store, &clock).await?;
        let plugins = plugins(&config, &shelf, &key, served.rules())?;
        let core = Arc::new(Core {
            store,
            bus,
            identity: Identity::new(clock.clone(), key, issuers),
            passwords: passwords::Passwords::default(),
            clock,
            outside,
            policy: config.policy.clone(),
            memory: Arc::default(),
            feeds: feed::Feeds::default(),
            typing: typing::Table::default(),
            others: presence::Others::default(),
            plugins,
            jobs: Notify::new(),
            traces,
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(feed::run(core.clone(), commits));
        tasks.spawn(typing::run(core.clone()));
        tasks.spawn(presence::run(core.clone()));
        issuers::refresh(&core).await?;
        tasks.spawn(issuers::run(core.clone()));

        core.plugins.reached_by(Arc::new(HubBridge(Arc::downgrade(&core))));
        if matches!(place, Place::Sqlite(_)) {
            // The data folder is ours alone: whoever held a turn was this hub, and is no more.
            core.store.change(ReleaseTurns).await?;
        }
        actions::plugins::install_bundled(&core).await?;
        tasks.spawn(actions::plugins::run(core.clone()));

        let code = setup::first_start(&core).await?;
        let gate = Arc::new(Gate {
            entrance: Entrance::new(core.clone()),
            served,
            live: Arc::new(Live::new(core.clone(), &config.sockets)),
            core: core.clone(),
            metrics: metrics(),
            long_bodies: LongBodies::default(),
            uploads: Uploads::default(),
            draining: CancellationToken::new(),
            connections: TaskTracker::new(),
            config,
        });

        tasks.spawn(actions::plugins::run_after_hooks(core.clone(), gate.draining.clone(), gate.connections.clone()));
        tasks.spawn(actions::plugins::run_requests(core.clone(), gate.draining.clone(), gate.connections.clone()));
        tasks.spawn(jobs::run(core.clone(), gate.draining.clone(), gate.connections.clone()));
        let most = gate.config.http.max_connections;
        tasks.spawn(http::serve(gate.clone(), listener, http::router(gate.clone()), most));
        if let Some(listener) = private {
            tasks.spawn(http::serve(gate.clone(), listener, http::private_router(gate.clone()), 64));
        }
        tracing::info!(
            %address,
            metrics_address = metrics_address.map(tracing::field::display),
            database = place.kind(),
            bus = link.kind(),
            version = env!("CARGO_PKG_VERSION"),
            "the hub serves"
        );
        let public = gate.config.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let sign_in_link = code.map(|code| format!("{}/sign-in?code={code}", public.trim_end_matches('/')));
        Ok(Hub { address, metrics_address, sign_in_link, gate, _tasks: tasks, _lock: lock })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The link by which the first owner comes in; only the first start has one.
    pub fn sign_in_link(&self) -> Option<&str> {
        self.sign_in_link.as_deref()
    }

    /// Takes nothing new, sends sockets away with a code that means «come back», and finishes what was begun.
    pub async fn stop(self) {
        self.gate.draining.cancel();
        self.gate.connections.close();
        let until = tokio::time::Instant::now() + STOP_LIMIT;
        // Some of the time is the store's: what was finished there is better let go of in order.
        if tokio::time::timeout_at(until - CLOSE_LIMIT, self.gate.connections.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut off");
        }
        let (core, limit) = (&self.gate.core, TRACES_LIMIT);
        let _ = tokio::time::timeout_at(until, core.plugins.journal.caught_up()).await;
        let (closed, ()) = tokio::join!(tokio::time::timeout_at(until, core.store.close()), core.traces.stop(limit));
        if closed.is_err() {
            tracing::warn!("the store did not let go in time and is left behind");
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.gate.draining.cancel();
    }
}

/// Takes the data folder for this process alone; where it makes it, it is for nobody else's eyes either.
pub fn lock(data: &Path) -> Result<File> {
    let fault = |what: &str, error: std::io::Error| Error::internal(format!("{what} {}: {error}", data.display()));
    let mut folder = std::fs::DirBuilder::new();
    let mut file = File::options();
    file.create(true).append(true);
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    }
    folder.recursive(true).create(data).map_err(|error| fault("cannot make the data folder", error))?;
    let file = file.open(data.join("lock")).map_err(|error| fault("cannot write to the data folder", error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::internal(format!(
            "another hub uses the data folder {}; stop it first, or choose another one with --data",
            data.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(fault("cannot lock the data folder", error)),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| Error::internal(format!("cannot listen on {address}: {error}")))
}

/// The host of the plugins, with what comes with the program.
fn plugins(config: &Config, shelf: &Shelf, key: &[u8], rules: Arc<dyn FieldRules>) -> Result<Plugins> {
    let embedded = config.embedded.clone();
    let program = embedded.compiler.map_or_else(std::env::current_exe, Ok).map_err(Error::internal)?;
    let (folder, cache_key) =
        embedded.compiled.unwrap_or_else(|| (config.data.join("compiled"), seal(key, b"compiled plugins")));
    let cache = Cache::open(&folder, cache_key).map_err(Error::internal)?;
    let host = PluginHost::new(Settings {
        allocation: Allocation::Pool,
        reuse: Reuse::Warm,
        compiler: Compiler::new(program, vec!["compile-plugin".into()]),
        cache: Some(cache),
        chain_wall: Duration::from_millis(config.plugins.chain_ms),
    })
    .map_err(Error::internal)?;
    let packages = bundled::PACKAGES.iter().map(|bytes| bytes.to_vec()).chain(embedded.packages);
    let bundled = packages.map(Package::read).collect::<Result<_, _>>();
    let limits = Limits { before_wall_ms: config.plugins.before_ms, ..Limits::default() };
    Ok(Plugins::new(
        host,
        Blobs::open(shelf)?,
        bundled.map_err(Error::internal)?,
        limits,
        seal(key, b"plugin uploads"),
        rules,
    ))
}

/// The API in the language of schemas: the core, and what plugins add that come with the hub.
pub fn published_schema() -> String {
    let packages = bundled::PACKAGES.iter().filter_map(|bytes| Package::read(bytes.to_vec()).ok());
    let additions = packages.filter_map(|package| {
        let manifest = package.manifest();
        Some(Addition { plugin: manifest.id.clone(), sdl: manifest.graphql.as_deref()?.into() })
    });
    graphql::sdl(additions.collect())
}

/// A key for one purpose, made of the hub's own.
fn seal(key: &[u8], purpose: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(purpose).chain_update(key).finalize().into()
}

/// The counters of the process: one set, however many hubs a test starts in it.
fn metrics() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Somebody who embeds the hub may have a recorder of their own.
            let _ = metrics::set_global_recorder(recorder);
            handle
        })
        .clone()
}

/// The key that tokens are signed with, from a store that has been started before.
pub async fn signing_key(place: &Place) -> Result<Vec<u8>> {
    let (_, key) = started(place).await?;
    Ok(key)
}

/// A token of the hub's own for somebody in a workspace, as `jackfield token` prints it.
pub async fn token(place: &Place, workspace: &str, person: &Person, ttl: Duration) -> Result<String> {
    let (store, key) = started(place).await?;
    match store.workspace_by_slug(workspace).await? {
        None => return Err(Error::internal(format!("there is no workspace «{workspace}»"))),
        Some(workspace) if workspace.status == WorkspaceStatus::Suspended => {
            return Err(Error::internal(format!("the workspace «{}» is suspended: nobody comes in", workspace.slug)));
        }
        Some(_) => {}
    }
    identity::sign(&key, person.vouched_at, workspace, person, ttl)
}

async fn started(place: &Place) -> Result<(Store, Vec<u8>)> {
    if let Place::Sqlite(path) = place
        && !path.exists()
    {
        return Err(Error::internal("there is no store yet: start the hub once, then ask for tokens"));
    }
    if Store::pending_migrations(place).await? > 0 {
        return Err(Error::internal("the store is not up to date: start the hub, or run migrate"));
    }
    let (store, _commits) = Store::open(place).await?;
    let key = store.secret(setup::SIGNING_KEY).await?;
    Ok((store, key.ok_or_else(|| Error::internal("there is no key yet: start the hub once, then ask for tokens"))?))
}
