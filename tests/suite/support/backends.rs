//! The real back ends that a story is told on.

use std::sync::{Mutex, OnceLock};

use jackfield::store::{Place, Store};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A SQLite file, and nobody else to talk to.
    Embedded,
    /// PostgreSQL and Redis, with as many nodes as a story likes.
    Cluster,
}

/// Databases that this run made and has to take away again.
static MADE: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Backend {
    pub const ALL: [Backend; 2] = [Backend::Embedded, Backend::Cluster];

    pub fn name(self) -> &'static str {
        match self {
            Backend::Embedded => "embedded",
            Backend::Cluster => "cluster",
        }
    }

    /// Why this back end cannot be used, if it cannot.
    pub fn available(self) -> Result<(), String> {
        if self == Backend::Embedded {
            return Ok(());
        }
        for name in ["JACKFIELD_TEST_POSTGRES", "JACKFIELD_TEST_REDIS"] {
            if std::env::var_os(name).is_none() {
                return Err(format!("{name} is not set"));
            }
        }
        Ok(())
    }
}

/// The server that `JACKFIELD_TEST_POSTGRES` names, with another database.
pub fn postgres(database: &str) -> String {
    let url = std::env::var("JACKFIELD_TEST_POSTGRES").expect("looked for before the story began");
    let (before, query) = url.split_once('?').map_or((url.as_str(), ""), |(before, query)| (before, query));
    let scheme = before.find("://").expect("a URL") + 3;
    let server = before[scheme..].find('/').map_or(before, |slash| &before[..scheme + slash]);
    if query.is_empty() { format!("{server}/{database}") } else { format!("{server}/{database}?{query}") }
}

pub fn redis() -> String {
    std::env::var("JACKFIELD_TEST_REDIS").expect("looked for before the story began")
}

async fn administer() -> DatabaseConnection {
    let url = std::env::var("JACKFIELD_TEST_POSTGRES").expect("looked for before the story began");
    Database::connect(url).await.expect("PostgreSQL answers")
}

/// A database of its own for one story, migrated already: a copy of one that was migrated once.
pub async fn fresh_database() -> String {
    static TEMPLATE: OnceLock<tokio::sync::Mutex<Option<String>>> = OnceLock::new();
    let mut template = TEMPLATE.get_or_init(Default::default).lock().await;
    let admin = administer().await;
    let template = if let Some(name) = &*template {
        name.clone()
    } else {
        let name = unique_name();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database can be made");
        MADE.lock().expect("no panic holds this lock").push(name.clone());
        Store::migrate(&Place::Postgres(postgres(&name))).await.expect("the schema can be made");
        *template = Some(name.clone());
        name
    };
    let name = unique_name();
    let copy = format!("CREATE DATABASE {name} TEMPLATE {template}");
    admin.execute_unprepared(&copy).await.expect("a database can be copied");
    MADE.lock().expect("no panic holds this lock").push(name.clone());
    admin.close().await.expect("the connection can be closed");
    name
}

/// An empty database of its own, not migrated.
pub async fn empty_database() -> String {
    let admin = administer().await;
    let name = unique_name();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database can be made");
    MADE.lock().expect("no panic holds this lock").push(name.clone());
    name
}

fn unique_name() -> String {
    format!("jackfield_test_{}", uuid::Uuid::now_v7().simple())
}

/// Takes away what was made.
pub fn tidy() {
    let made = std::mem::take(&mut *MADE.lock().expect("no panic holds this lock"));
    if made.is_empty() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let admin = administer().await;
        for name in made {
            // One that cannot be taken away now is only litter.
            let _ = admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    });
}
