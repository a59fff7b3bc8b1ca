//! A hub, or several nodes of one, with a clock that the story holds.

use std::{path::Path, time::Duration};

use jackfield::{
    clock::Clock,
    config::{Config, Embedded, IssuerConfig},
    hub::Hub,
    outside::Outside,
    store::Place,
};
use jackfield_domain::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Backend, Person, backends, process::PROGRAM};

pub const ISSUER: &str = "https://id.example";
pub const SECRET: &str = "a secret that only the tests share";

/// What a story wants to be different from the defaults.
pub struct Setup {
    pub backend: Backend,
    pub nodes: usize,
    pub change: Box<dyn Fn(&mut Config) + Send>,
    /// Packages of plugins that come with the hub, beside those in the program.
    pub packages: Vec<Vec<u8>>,
    /// How servers outside are reached.
    pub outside: Outside,
}

impl Setup {
    pub fn new(backend: Backend) -> Self {
        Setup { backend, nodes: 1, change: Box::new(|_| {}), packages: Vec::new(), outside: Outside::system() }
    }

    /// With other servers outside.
    pub fn outside(mut self, outside: Outside) -> Self {
        self.outside = outside;
        self
    }

    /// With a plugin more.
    pub fn plugin(mut self, package: Vec<u8>) -> Self {
        self.packages.push(package);
        self
    }

    /// So many nodes, where there can be more than one.
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = if self.backend == Backend::Cluster { nodes } else { 1 };
        self
    }

    pub fn config(mut self, change: impl Fn(&mut Config) + Send + 'static) -> Self {
        self.change = Box::new(change);
        self
    }

    /// With nodes that keep large things in one place, as those of one hub do.
    pub fn one_store(self) -> Self {
        self.config(|config| {
            let shared = config.data.parent().expect("a folder above").join("blobs");
            config.blobs = Some(format!("fs:{}", shared.display()));
        })
    }

    pub async fn start(self) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let database = match self.backend {
            Backend::Embedded => None,
            Backend::Cluster => Some(backends::postgres(&backends::fresh_database().await)),
        };
        // A round moment of a day like any other, so that what is shown is easy to read.
        let clock = Clock::held_at(Timestamp(1_800_000_000_000));
        let outside = self.outside;
        let mut world = World { clock, outside, nodes: Vec::new(), configs: Vec::new(), folder };
        for number in 0..self.nodes {
            let mut config = Config {
                data: world.folder.path().join(format!("node-{number}")),
                listen: ([127, 0, 0, 1], 0).into(),
                database: database.clone(),
                ..Config::default()
            };
            if self.backend == Backend::Cluster {
                config.bus = backends::redis();
            }
            "off".clone_into(&mut config.metrics.listen);
            config.identity.issuers = vec![IssuerConfig {
                issuer: ISSUER.to_owned(),
                audience: "jackfield".to_owned(),
                algorithms: vec![Algorithm::HS256],
                workspaces: vec!["*".to_owned()],
                secret: Some(SECRET.to_owned()),
                public_key: None,
                jwks_url: None,
            }];
            config.embedded = Embedded { packages: self.packages.clone(), ..embedded() };
            // How fast plugins are is told elsewhere; here a busy machine is not to be held against them.
            (config.plugins.before_ms, config.plugins.chain_ms) = (5_000, 30_000);
            (self.change)(&mut config);
            let hub =
                Hub::start(config.clone(), world.clock.clone(), world.outside.clone()).await.expect("the hub starts");
            world.nodes.push(Some(hub));
            world.configs.push(config);
        }
        world
    }
}

/// Plugins are compiled by the program, once for all stories.
fn embedded() -> Embedded {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-plugins");
    Embedded { compiler: Some(PROGRAM.into()), compiled: Some((folder, [7; 32])), packages: Vec::new() }
}

pub struct World {
    pub clock: Clock,
    pub outside: Outside,
    nodes: Vec<Option<Hub>>,
    configs: Vec<Config>,
    folder: TempDir,
}

impl World {
    /// One hub, as it comes.
    pub async fn new(backend: Backend) -> Self {
        Setup::new(backend).start().await
    }

    pub fn node(&self, number: usize) -> &Hub {
        let count = self.nodes.len();
        self.nodes[number % count].as_ref().expect("the node runs")
    }

    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Where a node is reached.
    pub fn url(&self, number: usize) -> String {
        format!("http://{}", self.node(number).address())
    }

    pub fn data_folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Stops a node in order and starts it again on what it left.
    pub async fn restart(&mut self, number: usize) {
        self.stop(number).await;
        self.start(number).await;
    }

    /// The plugins that a node brings along when it is started again.
    pub fn bring(&mut self, number: usize, packages: Vec<Vec<u8>>) {
        self.configs[number].embedded.packages = packages;
    }

    /// Starts a node again that was stopped.
    pub async fn start(&mut self, number: usize) {
        let hub = Hub::start(self.configs[number].clone(), self.clock.clone(), self.outside.clone())
            .await
            .expect("the hub starts again");
        self.nodes[number] = Some(hub);
    }

    pub async fn stop(&mut self, number: usize) {
        self.nodes[number].take().expect("the node runs").stop().await;
    }

    /// A node is gone in the middle of whatever it does.
    pub fn kill(&mut self, number: usize) {
        drop(self.nodes[number].take().expect("the node runs"));
    }

    /// Where everything is kept.
    pub fn db_place(&self) -> Place {
        self.configs[0].place().expect("a place")
    }

    /// The same, as a URL.
    pub fn db_url(&self) -> String {
        match self.db_place() {
            Place::Sqlite(path) => format!("sqlite://{}", path.display()),
            Place::Postgres(url) => url,
        }
    }

    /// Does something behind the hub's back, in the words of the database.
    pub async fn db_execute(&self, sql: &str) {
        let database = Database::connect(self.db_url()).await.expect("the database");
        database.execute_unprepared(sql).await.expect("the database understands");
        database.close().await.expect("the database lets go");
    }

    /// How many rows a table has.
    pub async fn db_count(&self, table: &str) -> i64 {
        let database = Database::connect(self.db_url()).await.expect("the database");
        let counted = database.query_one_raw(Statement::from_string(
            database.get_database_backend(),
            format!("SELECT COUNT(*) AS rows FROM {table}"),
        ));
        let row = counted.await.expect("the database understands").expect("a row");
        database.close().await.expect("the database lets go");
        row.try_get("", "rows").expect("a number")
    }

    /// Do these words lie anywhere in the store, as they are?
    pub async fn db_holds(&self, words: &str) -> bool {
        match self.configs[0].place().expect("a place") {
            Place::Sqlite(path) => {
                let folder = path.parent().expect("a file lies in a folder");
                let files =
                    std::fs::read_dir(folder).expect("the data folder").map(|file| file.expect("a file").path());
                let mut bytes = files.filter(|file| file.is_file()).map(|file| std::fs::read(file).expect("a file"));
                bytes.any(|bytes| bytes.windows(words.len()).any(|found| found == words.as_bytes()))
            }
            Place::Postgres(_) => {
                let table = "query_to_xml('SELECT * FROM ' || quote_ident(table_name), false, false, '')::text";
                let here = "information_schema.tables WHERE table_schema = 'public'";
                self.db_count(&format!("{here} AND {table} LIKE '%{words}%'")).await > 0
            }
        }
    }

    /// A member of the workspace `default`.
    pub async fn person(&self, name: &str) -> Person {
        self.person_with(name, json!({})).await
    }

    /// Somebody with claims of their own.
    pub async fn person_with(&self, name: &str, claims: Value) -> Person {
        Person::enter(self, name, &self.token(name, claims)).await
    }

    /// Somebody of another workspace, which is made if need be.
    pub async fn person_of(&self, workspace: &str, name: &str, role: &str) -> Person {
        let operator = self.operator().await;
        let made = operator
            .ask(
                "mutation($slug: String!) { workspaceCreate(input: { slug: $slug, name: $slug }) { errors { code } } }",
                json!({ "slug": workspace }),
            )
            .await;
        let errors = &made["workspaceCreate"]["errors"];
        assert!(errors == &json!([]) || errors == &json!([{ "code": "TAKEN" }]), "{made}");
        self.person_with(name, json!({ "workspace": workspace, "roles": [role] })).await
    }

    /// The owner that the first start made, let in by the one-time link of the first node.
    pub async fn operator(&self) -> Person {
        Person::enter(self, "owner", &self.own_token("owner", "owner", true).await).await
    }

    /// A token that the hub itself signed.
    pub async fn own_token(&self, subject: &str, role: &str, is_operator: bool) -> String {
        let place = self.configs[0].place().expect("a place");
        let key = jackfield::hub::signing_key(&place).await.expect("the hub has a key");
        let person = jackfield_domain::users::Person {
            issuer: jackfield::identity::OWN.to_owned(),
            subject: subject.to_owned(),
            name: if subject == "owner" { "Owner".to_owned() } else { subject.to_owned() },
            role: Some(jackfield_domain::WorkspaceRole::from_word(role).expect("a role")),
            is_operator,
            vouched_at: self.clock.now(),
        };
        let ttl = Duration::from_secs(100 * 24 * 60 * 60);
        jackfield::identity::sign(&key, self.clock.now(), "default", &person, ttl).expect("a token can be signed")
    }

    /// A token of the trusted issuer; `claims` are put over the usual ones, and null takes one away.
    pub fn token(&self, subject: &str, claims: Value) -> String {
        let now = self.clock.now().0 / 1_000;
        let mut all = json!({
            "iss": ISSUER, "aud": "jackfield", "sub": subject, "name": subject, "workspace": "default",
            "iat": now, "exp": now + 100 * 24 * 60 * 60,
        });
        for (name, value) in claims.as_object().expect("claims are an object") {
            all[name] = value.clone();
        }
        all.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &all, &key).expect("a token can be signed")
    }
}
