//! What can be configured, from where: a TOML file, then the environment, then flags. An unknown key is an error.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use jackfield_domain::Policy;
use serde::{Deserialize, Serialize};

use crate::{bus::Link, identity::Issuer, store::Place};

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
    /// How people reach the hub, for links; without it, the address it listens on.
    pub public_url: Option<String>,
    pub http: Http,
    pub metrics: Metrics,
    pub log: Log,
    pub graphql: GraphQl,
    pub sockets: Sockets,
    pub identity: IdentityConfig,
    pub policy: Policy,
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
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    pub issuers: Vec<IssuerConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: "jackfield-data".into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 8420)),
            database: None,
            bus: "in-process".to_owned(),
            public_url: None,
            http: Http::default(),
            metrics: Metrics::default(),
            log: Log::default(),
            graphql: GraphQl::default(),
            sockets: Sockets::default(),
            identity: IdentityConfig::default(),
            policy: Policy::default(),
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
        }
    }
}

/// A flag, and the key that it sets.
pub type Flag = (&'static str, Option<String>);

/// Variables that begin as ours do but are for the tests and tools, not for the hub.
const NOT_OURS: [&str; 2] = ["JACKFIELD_TEST_", "JACKFIELD_CONFIG"];

/// Reads the file, the environment and the flags, later ones winning, and checks the result.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &[Flag],
) -> Result<Config> {
    let mut table = match file {
        None => toml::Table::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
            // Read on its own first, so that a mistake in the file is shown with its line.
            toml::from_str::<Config>(&text).map_err(|error| wrong(format!("{}: {error}", path.display())))?;
            text.parse().map_err(|error| wrong(format!("{}: {error}", path.display())))?
        }
    };
    for (name, value) in environment {
        let ours = name.strip_prefix("JACKFIELD_").filter(|_| !NOT_OURS.iter().any(|not| name.starts_with(not)));
        if let Some(key) = ours {
            set(&mut table, &key.to_lowercase().split("__").collect::<Vec<_>>(), &value, &name)?;
        }
    }
    for (key, value) in flags {
        if let Some(value) = value {
            set(&mut table, &key.split('.').collect::<Vec<_>>(), value, key)?;
        }
    }
    // By way of text, so that what is wrong is shown with its key.
    let text = toml::to_string(&table).map_err(|error| wrong(error.to_string()))?;
    let config: Config = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    config.check()?;
    Ok(config)
}

/// Sets one value: as TOML where the text is a number, a truth or a list, and as text otherwise.
fn set(table: &mut toml::Table, path: &[&str], text: &str, from: &str) -> Result<()> {
    let Some((last, sections)) = path.split_last() else { return Ok(()) };
    let mut section = table;
    for name in sections {
        section = section
            .entry(*name)
            .or_insert_with(|| toml::Table::new().into())
            .as_table_mut()
            .ok_or_else(|| wrong(format!("{from}: {name} is not a section")))?;
    }
    let parsed = format!("value = {text}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
    let value = match parsed {
        Some(
            value @ (toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Array(_) | toml::Value::Float(_)),
        ) => value,
        _ => toml::Value::String(text.to_owned()),
    };
    section.insert((*last).to_owned(), value);
    Ok(())
}

impl Config {
    fn check(&self) -> Result<()> {
        self.place()?;
        self.link()?;
        self.policy.check().map_err(|refused| wrong(format!("policy.{refused}")))?;
        self.metrics_listen()?;
        self.issuers()?;
        for (name, value) in [
            ("graphql.max_document_bytes", self.graphql.max_document_bytes),
            ("graphql.max_depth", self.graphql.max_depth),
            ("graphql.max_cost", self.graphql.max_cost),
            ("sockets.max_subscriptions", self.sockets.max_subscriptions),
            ("sockets.max_waiting", self.sockets.max_waiting),
        ] {
            if value == 0 {
                return Err(wrong(format!("{name} is 0, which would let nothing through")));
            }
        }
        for (name, value) in [
            ("sockets.connection_init_seconds", self.sockets.connection_init_seconds),
            ("sockets.ping_seconds", self.sockets.ping_seconds),
            ("sockets.write_seconds", self.sockets.write_seconds),
        ] {
            if value == 0 {
                return Err(wrong(format!("{name} is 0, which leaves no time at all")));
            }
        }
        Ok(())
    }

    pub fn place(&self) -> Result<Place> {
        match self.database.as_deref() {
            None => Ok(Place::Sqlite(self.data.join("jackfield.db"))),
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Place::Postgres(url.to_owned()))
            }
            Some(url) => match url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) {
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

    /// None if there are none, or if they are served beside everything else.
    pub fn metrics_listen(&self) -> Result<Option<SocketAddr>> {
        match self.metrics.listen.as_str() {
            "off" | "public" => Ok(None),
            address => address.parse().map(Some).map_err(|_| wrong("metrics.listen must be an address, public or off")),
        }
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

    /// The same with every secret covered, to be shown.
    pub fn without_secrets(&self) -> Config {
        let mut shown = self.clone();
        shown.database = self.database.as_deref().map(cover_password);
        shown.bus = cover_password(&self.bus);
        for issuer in &mut shown.identity.issuers {
            issuer.secret = issuer.secret.as_ref().map(|_| COVERED.to_owned());
        }
        shown
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

const COVERED: &str = "(hidden)";

/// The URL without its password.
fn cover_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    // The last @ before the path: a password may hold one that nobody escaped.
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@').map(|(who, host)| (who.split_once(':'), host)) {
        Some((Some((user, _)), host)) => format!("{scheme}://{user}:{COVERED}@{host}{path}"),
        _ => url.to_owned(),
    }
}

fn wrong(what: impl Into<String>) -> ConfigError {
    ConfigError(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, environment: &[(&str, &str)], flags: &[Flag]) -> Result<Config> {
        let folder = tempfile::tempdir().expect("a folder for the file");
        let path = folder.path().join("jackfield.toml");
        std::fs::write(&path, file).expect("the file can be written");
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(Some(&path), environment, flags)
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let file = "listen = '127.0.0.1:1'\nbus = 'in-process'\n[policy]\ngroup_max_members = 5\n";
        let config = read(file, &[], &[]).unwrap();
        assert_eq!((config.listen.port(), config.policy.group_max_members), (1, 5));
        let environment = [("JACKFIELD_LISTEN", "127.0.0.1:2"), ("JACKFIELD_POLICY__GROUP_MAX_MEMBERS", "6")];
        let config = read(file, &environment, &[]).unwrap();
        assert_eq!((config.listen.port(), config.policy.group_max_members), (2, 6));
        let config = read(file, &environment, &[("listen", Some("127.0.0.1:3".into())), ("bus", None)]).unwrap();
        assert_eq!(config.listen.port(), 3);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let fails = |file: &str, environment: &[(&str, &str)], word: &str| {
            let error = read(file, environment, &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{error} does not name {word}");
        };
        fails("lisen = '127.0.0.1:1'", &[], "lisen");
        fails("[http]\nport = 1", &[], "port");
        fails("listen = 'here'", &[], "listen");
        fails("", &[("JACKFIELD_LISEN", "127.0.0.1:1")], "lisen");
        fails("", &[("JACKFIELD_POLICY__GROUP_MAX_MEMBERS", "many")], "group_max_members");
        fails("", &[("JACKFIELD_POLICY__GROUP_MAX_MEMBERS", "1")], "group_max_members");
        fails("database = 'mysql://x'", &[], "database");
        fails("bus = 'carrier pigeon'", &[], "bus");
        fails("[metrics]\nlisten = 'loud'", &[], "metrics.listen");
        let issuer = "[[identity.issuers]]\nissuer = 'x'\naudience = 'a'\nworkspaces = ['*']\n";
        fails(&format!("{issuer}algorithms = ['HS256']\nsecret = 'short'"), &[], "secret");
        fails(&format!("{issuer}algorithms = ['RS256', 'HS256']\njwks_url = 'http://x'"), &[], "HS256");
        fails(&format!("{issuer}algorithms = ['RS256']\npublic_key = 'x'"), &[], "public_key");
        fails(&format!("{issuer}algorithms = ['RS256']"), &[], "exactly one");
        assert!(read("", &[("JACKFIELD_TEST_POSTGRES", "x")], &[]).is_ok(), "the tests' own variables are not ours");
    }

    #[test]
    fn secrets_are_covered() {
        assert_eq!(cover_password("postgres://me:s3cret@db/x"), "postgres://me:(hidden)@db/x");
        assert_eq!(cover_password("redis://:p@ss@host:1"), "redis://:(hidden)@host:1");
        assert_eq!(cover_password("sqlite:/var/x.db"), "sqlite:/var/x.db");
        assert_eq!(cover_password("in-process"), "in-process");
    }
}
