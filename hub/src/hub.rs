//! The hub as a whole: the one place where back ends are chosen and the parts are put together.

use std::{
    fs::File,
    net::SocketAddr,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::{net::TcpListener, sync::Notify, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Error, Result,
    actions::{Core, feed, issuers, passwords, setup, typing},
    bus::Bus,
    clock::Clock,
    config::Config,
    graphql::{self, documents::Documents, live::Live},
    http::{self, Entrance, Gate},
    identity::Identity,
    jobs,
    store::{Place, Store},
};

/// How long those that were let in may take to finish when the hub goes away.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

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
    /// Starts a hub: takes the data folder, brings the store up to date, and serves.
    pub async fn start(config: Config, clock: Clock) -> Result<Hub> {
        let fault = |error: crate::config::ConfigError| Error::internal(error);
        let lock = lock(&config.data)?;
        let place = config.place().map_err(fault)?;
        Store::migrate(&place).await?;
        let (store, commits) = Store::open(&place).await?;
        let key = setup::signing_key(&store, &clock).await?;
        let core = Arc::new(Core {
            store,
            bus: Bus::connect(&config.link().map_err(fault)?)?,
            identity: Identity::new(clock.clone(), key, config.issuers().map_err(fault)?),
            passwords: passwords::Passwords::default(),
            clock,
            policy: config.policy.clone(),
            memory: Arc::default(),
            feeds: feed::Feeds::default(),
            typing: typing::Table::default(),
            jobs: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(feed::run(core.clone(), commits));
        tasks.spawn(typing::run(core.clone()));
        issuers::refresh(&core).await?;
        tasks.spawn(issuers::run(core.clone()));

        tokio::task::spawn_blocking(passwords::prepare);

        let code = setup::first_start(&core).await?;
        let schema = graphql::Schema::new(config.graphql.introspection);
        let gate = Arc::new(Gate {
            entrance: Entrance::new(core.clone()),
            documents: Documents::new(&config.graphql, &schema.sdl()).map_err(fault)?,
            live: Arc::new(Live::new(schema.clone(), core.clone(), config.sockets.max_waiting)),
            schema,
            core: core.clone(),
            metrics: metrics(),
            draining: CancellationToken::new(),
            connections: TaskTracker::new(),
            config,
        });

        tasks.spawn(jobs::run(core.clone(), gate.draining.clone(), gate.connections.clone()));
        let listener = bind(gate.config.listen).await?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let most = gate.config.http.max_connections;
        tasks.spawn(http::serve(gate.clone(), listener, http::router(gate.clone()), most));
        let mut metrics_address = None;
        if let Some(listen) = gate.config.metrics_listen().map_err(fault)? {
            let listener = bind(listen).await?;
            metrics_address = Some(listener.local_addr().map_err(Error::internal)?);
            tasks.spawn(http::serve(gate.clone(), listener, http::private_router(gate.clone()), 64));
        }
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
        if tokio::time::timeout(DRAIN_LIMIT, self.gate.connections.wait()).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut off");
        }
        self.gate.core.store.close().await;
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.gate.draining.cancel();
    }
}

/// Takes the data folder for this process alone.
fn lock(data: &Path) -> Result<File> {
    let fault = |what: &str, error: std::io::Error| Error::internal(format!("{what} {}: {error}", data.display()));
    std::fs::create_dir_all(data).map_err(|error| fault("cannot make the data folder", error))?;
    let file = File::create(data.join("lock")).map_err(|error| fault("cannot write to the data folder", error))?;
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

/// Answers what `token` needs: the key that tokens are signed with, from a store that has been started before.
pub async fn signing_key(place: &Place) -> Result<Vec<u8>> {
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
    key.ok_or_else(|| Error::internal("there is no key yet: start the hub once, then ask for tokens"))
}
