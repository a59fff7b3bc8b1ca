//! A PostgreSQL database of the run's own, so that every run begins with an empty one and leaves none behind.

use sea_orm::{ConnectOptions, ConnectionTrait, Database as Connector, DatabaseConnection};

use crate::Result;

pub enum Database {
    /// A file in the hub's data folder, which goes with it.
    Sqlite,
    Postgres {
        admin: DatabaseConnection,
        url: String,
        name: String,
        /// What the server promises at a commit.
        settings: String,
    },
}

impl Database {
    pub async fn prepare(admin_url: Option<&str>) -> Result<Self> {
        let Some(admin_url) = admin_url else { return Ok(Database::Sqlite) };
        let mut options = ConnectOptions::new(admin_url);
        options.max_connections(1).sqlx_logging(false);
        let admin = Connector::connect(options).await?;
        let name = format!("jackfield_load_{}", std::process::id());
        let url = beside(admin_url, &name)?;
        let settings = settings(&admin).await?;
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
        Ok(Database::Postgres { admin, url, name, settings })
    }

    /// What the hub is told; nothing for its own file.
    pub fn url(&self) -> Option<String> {
        match self {
            Database::Sqlite => None,
            Database::Postgres { url, .. } => Some(url.clone()),
        }
    }

    /// A figure means little without the promise that it was reached with.
    pub fn durability(&self) -> String {
        match self {
            Database::Sqlite => "SQLite; the hub's own setting is synchronous=FULL".to_owned(),
            Database::Postgres { settings, .. } => format!("PostgreSQL; {settings}"),
        }
    }

    pub async fn remove(self) -> Result<()> {
        if let Database::Postgres { admin, name, .. } = self {
            // A hub that was killed may have connections that the server has not missed yet.
            admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
            admin.close().await?;
        }
        Ok(())
    }
}

async fn settings(admin: &DatabaseConnection) -> Result<String> {
    let mut settings = Vec::new();
    for name in ["synchronous_commit", "fsync"] {
        let row =
            admin.query_one_raw(sea_orm::Statement::from_string(admin.get_database_backend(), format!("SHOW {name}")));
        let value: String = row.await?.ok_or("the server does not say its settings")?.try_get_by_index(0)?;
        settings.push(format!("{name}={value}"));
    }
    Ok(settings.join(", "))
}

/// The same URL with another database.
fn beside(url: &str, name: &str) -> Result<String> {
    let (scheme, rest) = url.split_once("://").ok_or("--database must begin with postgres://")?;
    let (rest, parameters) =
        rest.split_once('?').map_or((rest, String::new()), |(rest, parameters)| (rest, format!("?{parameters}")));
    let authority = rest.split_once('/').map_or(rest, |(authority, _)| authority);
    Ok(format!("{scheme}://{authority}/{name}{parameters}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_database_is_another_one() {
        let beside = |url| beside(url, "new").expect("it is a URL");
        assert_eq!(beside("postgres://me:pw@host:5433/postgres"), "postgres://me:pw@host:5433/new");
        assert_eq!(beside("postgres://host"), "postgres://host/new");
        assert_eq!(beside("postgres:///x?host=/run&user=me"), "postgres:///new?host=/run&user=me");
    }
}
