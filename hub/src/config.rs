//! What can be configured, from where: a TOML file, then the environment, then flags. An unknown key is an error.

mod checks;
mod covered;
mod sources;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use jackfield_domain::{
    Policy,
    plugins::{CHAIN_WALL, Limits},
};
use serde::{Deserialize, Serialize};

pub use covered::cover;
pub use sources::{Flag, load};

use crate::{blobs::Shelf, bus::Link, identity::Issuer, store::Place, traces::Collector};

pub use crate::identity::IssuerSettings as IssuerConfig;

/// Everything that is wrong with a configuration is said in one sentence that names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

type Result<T> = std::result::Result<T, ConfigError>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the hub keeps what is its own; locked to one process.
    pub data: PathBuf,
    pub listen: SocketAddr,
    /// `sqlite:PATH` or `postgres://…`; without it, a file in the data folder.
    pub database: Option<String>,
    /// `in-process` or `redis://…`.
    pub bus: String,
    /// `fs:FOLDER` or `s3://…`, for what is large; without it, a folder in the data folder.
    pub blobs: Option<String>,
    /// How people reach the hub, for links; without it, the address it listens on.
    pub public_url: Option<String>,
    pub http: Http,
    pub metrics: Metrics,
    pub traces: Traces,
    pub log: Log,
    pub graphql: GraphQl,
    pub sockets: Sockets,
    pub plugins: PluginsConfig,
    pub identity: IdentityConfig,
    pub policy: Policy,
    #[serde(skip)]
    pub embedded: Embedded,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Origins of browser clients; `*` for any.
    pub cors_origins: Vec<String>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// So many at once; the next ones are turned away at the door.
    pub max_connections: usize,
    /// Who takes longer to say what it wants is cut off.
    pub header_seconds: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// An address of its own, `public` for the same as everything else, or `off`.
    pub listen: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// Where a collector takes OTLP over HTTP; without it, nothing is traced.
    pub endpoint: Option<String>,
    /// How many of all requests are traced, from 0 to 1.
    pub sample: f64,
    /// Under which name the collector sees the hub.
    pub service_name: String,
    /// What else the collector wants to be told, such as a key.
    pub headers: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    /// As `RUST_LOG`: `info`, `jackfield=debug,info` …
    pub level: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Pretty,
    Json,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GraphQl {
    pub introspection: bool,
    /// The page at `/graphiql`.
    pub graphiql: bool,
    /// A JSON file of documents by their SHA-256; with it, nothing else is executed.
    pub trusted_documents: Option<PathBuf>,
    pub max_document_bytes: usize,
    pub max_depth: usize,
    pub max_cost: usize,
    pub max_aliases: usize,
    pub max_directives: usize,
    /// The words of messages in one answer, as they are written in JSON; everything else is short, and counted by the cost.
    pub max_answer_bytes: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sockets {
    pub connection_init_seconds: u64,
    pub ping_seconds: u64,
    pub write_seconds: u64,
    pub max_subscriptions: usize,
    /// How many messages may wait for a slow reader before it is sent away with a cursor to come back with.
    pub max_waiting: usize,
    /// How many bytes of answers wait for all readers of this node together before those who fall behind are sent away.
    pub max_waiting_bytes: usize,
}

/// How long plugins may keep somebody waiting, where no admin says otherwise of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginsConfig {
    /// One before-hook. With a database far away they need more.
    pub before_ms: u64,
    /// All before-hooks together.
    pub chain_ms: u64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    pub issuers: Vec<IssuerConfig>,
}

/// What is said by who runs a hub within a program of their own.
#[derive(Debug, Clone, Default)]
pub struct Embedded {
    /// The program that compiles plugins; without it, the one that runs.
    pub compiler: Option<PathBuf>,
    /// Where compiled plugins are kept, and the key that seals them; without it, in the data folder, with the hub's own.
    pub compiled: Option<(PathBuf, [u8; 32])>,
    /// Packages of plugins that come with the hub beside those in the program.
    pub packages: Vec<Vec<u8>>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: "jackfield-data".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8420)),
            database: None,
            bus: "in-process".to_owned(),
            blobs: None,
            public_url: None,
            http: Http::default(),
            metrics: Metrics::default(),
            traces: Traces::default(),
            log: Log::default(),
            graphql: GraphQl::default(),
            sockets: Sockets::default(),
            plugins: PluginsConfig::default(),
            identity: IdentityConfig::default(),
            policy: Policy::default(),
            embedded: Embedded::default(),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Http { cors_origins: Vec::new(), trusted_proxies: Vec::new(), max_connections: 20_000, header_seconds: 10 }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics { listen: "127.0.0.1:8421".to_owned() }
    }
}

impl Default for Traces {
    fn default() -> Self {
        let headers = BTreeMap::new();
        Traces { endpoint: None, sample: 1.0, service_name: "jackfield".to_owned(), headers }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { format: LogFormat::Pretty, level: "info,sea_orm_migration=warn,sqlx=warn".to_owned() }
    }
}

impl Default for GraphQl {
    fn default() -> Self {
        GraphQl {
            introspection: true,
            graphiql: true,
            trusted_documents: None,
            max_document_bytes: 16 * 1_024,
            max_depth: 15,
            max_cost: 10_000,
            max_aliases: 30,
            max_directives: 30,
            max_answer_bytes: 8 * 1_024 * 1_024,
        }
    }
}

impl Default for Sockets {
    fn default() -> Self {
        Sockets {
            connection_init_seconds: 10,
            ping_seconds: 20,
            write_seconds: 10,
            max_subscriptions: 50,
            max_waiting: 1_024,
            max_waiting_bytes: 64 * 1_024 * 1_024,
        }
    }
}

impl Default for PluginsConfig {
    fn default() -> Self {
        PluginsConfig { before_ms: Limits::default().before_wall_ms, chain_ms: CHAIN_WALL.as_millis() as u64 }
    }
}

impl Config {
    pub fn place(&self) -> Result<Place> {
        match self.database.as_deref() {
            None => Ok(Place::Sqlite(self.data.join("jackfield.db"))),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Place::Postgres(url.to_owned()))
            }
            Some(url) => match url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
                // Each connection to it would see a database of its own.
                Some(":memory:") => {
                    Err(wrong("database: SQLite in memory is not supported; name a file, as sqlite:PATH"))
                }
                Some(path) if !path.is_empty() => Ok(Place::Sqlite(path.into())),
                _ => Err(wrong("database must begin with sqlite: or postgres://")),
            },
        }
    }

    pub fn link(&self) -> Result<Link> {
        match self.bus.as_str() {
            "in-process" => Ok(Link::InProcess),
            url if url.starts_with("redis://") || url.starts_with("rediss://") => Ok(Link::Redis(url.to_owned())),
            _ => Err(wrong("bus must be in-process or begin with redis://")),
        }
    }

    pub fn shelf(&self) -> Result<Shelf> {
        match self.blobs.as_deref() {
            None => Ok(Shelf::Folder(self.data.join("blobs"))),
            Some(text) => Shelf::parse(text).map_err(|why| wrong(format!("blobs must {why}"))),
        }
    }

    /// None if there are none, or if they are served beside everything else.
    pub fn metrics_listen(&self) -> Result<Option<SocketAddr>> {
        match self.metrics.listen.as_str() {
            "off" | "public" => Ok(None),
            address => address.parse().map(Some).map_err(|_| wrong("metrics.listen must be an address, public or off")),
        }
    }

    /// Where traces go to, if anything is traced.
    pub fn collector(&self) -> Result<Option<Collector>> {
        let traces = &self.traces;
        let Some(endpoint) = &traces.endpoint else { return Ok(None) };
        let address = checks::collector(endpoint).ok_or_else(|| {
            wrong(
                "traces.endpoint must be an address such as http://127.0.0.1:4318, without a name and a password; \
                 what the collector wants to be told goes into traces.headers",
            )
        })?;
        Ok(Some(Collector {
            address,
            headers: traces.headers.clone(),
            sample: traces.sample,
            service_name: traces.service_name.clone(),
        }))
    }

    pub fn issuers(&self) -> Result<Vec<Issuer>> {
        let mut names = std::collections::HashSet::new();
        let build = |settings: &IssuerConfig| {
            settings.build().map_err(|what| wrong(format!("identity.issuers, {}: {what}", settings.issuer)))
        };
        let issuers: Vec<Issuer> = self.identity.issuers.iter().map(build).collect::<Result<_>>()?;
        match issuers.iter().find(|issuer| !names.insert(&issuer.name)) {
            Some(twice) => Err(wrong(format!("identity.issuers names {} twice", twice.name))),
            None => Ok(issuers),
        }
    }
}

impl Http {
    pub fn header(&self) -> Duration {
        Duration::from_secs(self.header_seconds)
    }
}

impl Sockets {
    pub fn connection_init(&self) -> Duration {
        Duration::from_secs(self.connection_init_seconds)
    }

    pub fn ping(&self) -> Duration {
        Duration::from_secs(self.ping_seconds)
    }

    pub fn write(&self) -> Duration {
        Duration::from_secs(self.write_seconds)
    }
}

impl GraphQl {
    /// The trusted documents by their hash, if only those are executed.
    pub fn trusted(&self) -> Result<Option<HashMap<String, String>>> {
        let Some(path) = &self.trusted_documents else { return Ok(None) };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| wrong(format!("{}: must be an object from hash to document: {error}", path.display())))
    }
}

fn wrong(what: impl Into<String>) -> ConfigError {
    ConfigError(what.into())
}
