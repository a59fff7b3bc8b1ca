//! Looks at everything the hub stands on, and says in words what is wrong.

use std::time::Duration;

use crate::{
    bus::Bus,
    config::Config,
    store::{Place, Store},
};

const LIMIT: Duration = Duration::from_secs(5);

/// One finding a line; fails if any of them is bad. The configuration itself was read before we came here.
pub async fn examine(config: &Config) -> Result<(), String> {
    let mut sick = 0;
    let mut found = |what: &str, finding: Result<String, String>| match finding {
        Ok(words) => println!("ok    {what}: {words}"),
        Err(words) => {
            sick += 1;
            println!("wrong {what}: {words}");
        }
    };
    found("configuration", Ok("every key is known and within its bounds".to_owned()));
    found("data folder", folder(config));
    found("database", database(config).await);
    found("bus", bus(config).await);
    found("address", address(&config.listen.to_string()).await);
    if let Ok(Some(listen)) = config.metrics_listen() {
        found("metrics address", address(&listen.to_string()).await);
    }
    found(
        "trusted documents",
        config.graphql.trusted().map_err(|error| error.to_string()).map(|documents| match documents {
            None => "any document may be executed".to_owned(),
            Some(documents) => format!("{} documents, and no others", documents.len()),
        }),
    );
    for issuer in &config.identity.issuers {
        if let Some(url) = &issuer.jwks_url {
            found(&format!("keys of {}", issuer.issuer), keys(url).await);
        }
    }
    match sick {
        0 => Ok(()),
        1 => Err("one thing is wrong".to_owned()),
        many => Err(format!("{many} things are wrong")),
    }
}

fn folder(config: &Config) -> Result<String, String> {
    let path = config.data.display();
    std::fs::create_dir_all(&config.data).map_err(|error| format!("{path} cannot be made: {error}"))?;
    let probe = config.data.join("doctor");
    std::fs::write(&probe, b"").map_err(|error| format!("{path} cannot be written to: {error}"))?;
    std::fs::remove_file(&probe).map_err(|error| format!("{path} cannot be tidied: {error}"))?;
    let lock = std::fs::File::create(config.data.join("lock")).map_err(|error| format!("{path}: {error}"))?;
    match lock.try_lock() {
        Ok(()) => Ok(format!("{path} can be written to, and no hub runs on it")),
        Err(std::fs::TryLockError::WouldBlock) => Ok(format!("{path} can be written to, and a hub runs on it")),
        Err(std::fs::TryLockError::Error(error)) => Err(format!("{path} cannot be locked: {error}")),
    }
}

async fn database(config: &Config) -> Result<String, String> {
    let place = config.place().map_err(|error| error.to_string())?;
    let kind = match &place {
        Place::Sqlite(path) if !path.exists() => {
            return Ok(format!("SQLite; {} will be made at the first start", path.display()));
        }
        Place::Sqlite(_) => "SQLite",
        Place::Postgres(_) => "PostgreSQL",
    };
    match tokio::time::timeout(LIMIT, Store::pending_migrations(&place)).await {
        Err(_) => Err(format!("{kind} does not answer within {} seconds", LIMIT.as_secs())),
        Ok(Err(error)) => Err(format!("{kind} cannot be used: {error}")),
        Ok(Ok(0)) => Ok(format!("{kind} answers and is up to date")),
        Ok(Ok(pending)) => Ok(format!("{kind} answers; {pending} steps of the schema will be taken at the next start")),
    }
}

async fn bus(config: &Config) -> Result<String, String> {
    let link = config.link().map_err(|error| error.to_string())?;
    let bus = Bus::connect(&link).map_err(|error| error.to_string())?;
    match tokio::time::timeout(LIMIT, bus.ping()).await {
        Ok(Ok(())) => Ok(match link {
            crate::bus::Link::InProcess => "in process; this hub is the only node".to_owned(),
            crate::bus::Link::Redis(_) => "Redis answers".to_owned(),
        }),
        Ok(Err(error)) => Err(format!("Redis cannot be used: {error}")),
        Err(_) => Err(format!("Redis does not answer within {} seconds", LIMIT.as_secs())),
    }
}

async fn address(listen: &str) -> Result<String, String> {
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => Ok(format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Ok(format!("{listen} is taken: by a running hub, or else choose another one"))
        }
        Err(error) => Err(format!("{listen} cannot be listened on: {error}")),
    }
}

async fn keys(url: &str) -> Result<String, String> {
    let client = reqwest::Client::builder().timeout(LIMIT).build().map_err(|error| error.to_string())?;
    let answer = client.get(url).send().await.map_err(|error| format!("{url} cannot be fetched: {error}"))?;
    let answer = answer.error_for_status().map_err(|error| error.to_string())?;
    let text = answer.text().await.map_err(|error| error.to_string())?;
    match serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|list| list["keys"].as_array().map(Vec::len)) {
        Some(count) => Ok(format!("{count} keys at {url}")),
        None => Err(format!("{url} is no list of keys")),
    }
}
