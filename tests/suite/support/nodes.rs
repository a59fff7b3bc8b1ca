//! Nodes of one hub as processes of their own, which a story can kill: one on SQLite, or several on PostgreSQL and Redis. What is
//! large they keep in a folder that they share.

use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tempfile::TempDir;

use super::{
    Backend, Person, backends,
    process::{self, Process},
};

pub struct Nodes {
    folder: TempDir,
    flags: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// None where it was killed.
    running: Vec<Option<Process>>,
}

impl Nodes {
    /// So many, where there can be more than one.
    pub async fn start(backend: Backend, count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (database, bus, count) = match backend {
            Backend::Embedded => {
                (format!("sqlite:{}", folder.path().join("here.db").display()), "in-process".to_owned(), 1)
            }
            Backend::Cluster => (backends::postgres(&backends::fresh_database().await), backends::redis(), count),
        };
        let environment = vec![
            ("JACKFIELD_BLOBS", format!("fs:{}", folder.path().join("blobs").display())),
            ("JACKFIELD_BUS", bus),
            // How fast plugins are is told elsewhere; here a busy machine is not to be held against them.
            ("JACKFIELD_PLUGINS__BEFORE_MS", "5000".to_owned()),
            ("JACKFIELD_PLUGINS__CHAIN_MS", "30000".to_owned()),
            ("JACKFIELD_LOG__LEVEL", "error".to_owned()),
        ];
        let flags = vec!["--database".to_owned(), database];
        let mut nodes = Nodes { folder, flags, environment, running: Vec::new() };
        for number in 0..count {
            nodes.running.push(None);
            nodes.rise(number).await;
        }
        nodes
    }

    pub fn count(&self) -> usize {
        self.running.len()
    }

    pub fn node(&self, number: usize) -> &Process {
        self.running[number % self.running.len()].as_ref().expect("the node runs")
    }

    /// Where a node is reached.
    pub fn url(&self, number: usize) -> String {
        self.node(number).url.clone()
    }

    /// No warning, no last words.
    pub async fn kill(&mut self, number: usize) {
        self.running[number].take().expect("the node runs").kill().await;
    }

    /// Starts a node on what it left.
    pub async fn rise(&mut self, number: usize) {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        let data = self.folder.path().join(format!("node-{number}"));
        self.running[number] = Some(Process::start(&data, &flags, &self.environment).await);
    }

    /// Somebody with a token of the hub's own, in a role if one is given.
    pub async fn somebody(&self, name: &str, role: Option<&str>) -> Person {
        let mut arguments: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        arguments.extend(["token", "--user", name]);
        arguments.extend(role.iter().flat_map(|role| ["--role", role]));
        let (ok, token, complaint) = process::run(&self.folder.path().join("node-0"), &arguments).await;
        assert!(ok, "{complaint}");
        Person::at_url(&self.url(0), name, token.trim()).await
    }

    /// The same person at another node.
    pub fn at(&self, person: &Person, number: usize) -> Person {
        Person { url: self.url(number), ..person.clone() }
    }

    /// Does something behind the hub's back, in the words of the database.
    pub async fn db_execute(&self, sql: &str) {
        let database = self.db().await;
        database.execute_unprepared(sql).await.expect("the database understands");
        database.close().await.expect("the database lets go");
    }

    /// How many rows a table has.
    pub async fn db_count(&self, table: &str) -> i64 {
        let database = self.db().await;
        let sql = format!("SELECT COUNT(*) AS rows FROM {table}");
        let counted = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql));
        let row = counted.await.expect("the database understands").expect("a row");
        database.close().await.expect("the database lets go");
        row.try_get("", "rows").expect("a number")
    }

    async fn db(&self) -> DatabaseConnection {
        Database::connect(self.flags[1].replacen("sqlite:", "sqlite://", 1)).await.expect("the database")
    }
}
