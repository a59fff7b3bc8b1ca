//! Looks at everything the hub stands on, and says in words what is wrong and what to do about it. Writes nothing.

use std::{net::SocketAddr, path::Path, time::Duration};

use rustix::fs::{Access, access};

use super::say_line;
use crate::{
    blobs::{Blobs, Shelf},
    bus::{Bus, Link},
    config::{Config, cover},
    identity::Keys,
    store::{Place, Store},
};

const LIMIT: Duration = Duration::from_secs(5);

type Finding = Result<String, String>;

/// One finding a line; fails if any of them is bad. The configuration itself was read before we came here.
pub async fn examine(config: &Config) -> Result<(), String> {
    let mut sick = 0;
    let mut found = |what: &str, finding: Finding| match finding {
        Ok(words) => say_line(&format!("ok    {what}: {words}")),
        Err(words) => {
            sick += 1;
            say_line(&format!("wrong {what}: {words}"));
        }
    };
    found("configuration", Ok("every key is known and within its bounds".to_owned()));
    let hub_runs = is_locked(&config.data);
    found("data folder", folder(&config.data, hub_runs));
    found("database", database(config).await);
    found("bus", bus(config).await);
    found("blobs", blobs(config).await);
    found("address", address(config.listen, "/health", "\"status\":\"ok\"", hub_runs).await);
    if let Ok(Some(listen)) = config.metrics_listen() {
        found("metrics address", address(listen, "/metrics", "jackfield_", hub_runs).await);
    }
    found("traces", traces(config).await);
    found(
        "trusted documents",
        config.graphql.trusted().map_err(|error| error.to_string()).map(|documents| match documents {
            None => "any document may be executed".to_owned(),
            Some(documents) => format!("{} documents, and no others", documents.len()),
        }),
    );
    let issuers = config.issuers().map_err(|error| error.to_string())?;
    for (issuer, configured) in issuers.iter().zip(&config.identity.issuers) {
        if let (Keys::Published(jwks), Some(url)) = (&issuer.keys, &configured.jwks_url) {
            let url = cover(url);
            let keys = match jwks.count().await {
                Ok(0) => Err(format!("at {url} there is no key of a kind that is known here")),
                Ok(count) => Ok(format!("{count} at {url}")),
                Err(error) => {
                    Err(format!("{url} gives none: {error}; correct jwks_url, or ask whoever runs the issuer"))
                }
            };
            found(&format!("keys of {}", issuer.name), keys);
        }
    }
    match sick {
        0 => Ok(()),
        1 => Err("one thing is wrong".to_owned()),
        many => Err(format!("{many} things are wrong")),
    }
}

/// Does a hub run on this folder?
fn is_locked(data: &Path) -> bool {
    let lock = std::fs::File::open(data.join("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

fn folder(data: &Path, hub_runs: bool) -> Finding {
    let shown = data.display();
    if !data.exists() {
        // Relative paths end in the empty one, which is where we are.
        let above = data.ancestors().skip(1).map(|above| if above == Path::new("") { Path::new(".") } else { above });
        let above = above.into_iter().find(|above| above.exists()).unwrap_or(Path::new("/"));
        writable(above).map_err(|why| format!("{shown} cannot be made: {why}"))?;
        return Ok(format!("{shown} will be made at the first start"));
    }
    writable(data)?;
    Ok(format!("{shown} can be written to, and {} hub runs on it", if hub_runs { "a" } else { "no" }))
}

/// Can files be made in this folder, by whoever asks?
fn writable(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Err(format!("{shown} is no folder"));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("{shown} cannot be written to ({error}): run as its owner, or choose another one"))
}

async fn database(config: &Config) -> Finding {
    let place = config.place().map_err(|error| error.to_string())?;
    if let Place::Sqlite(path) = &place {
        let shown = path.display();
        if !path.exists() {
            let above = path.parent().filter(|above| *above != Path::new("")).unwrap_or(Path::new("."));
            // The data folder is made by the hub; any other one is not.
            if above == config.data {
                return Ok(format!("SQLite; {shown} will be made at the first start"));
            }
            if !above.exists() {
                return Err(format!(
                    "SQLite: {shown} lies in a folder that is not there: make it, or choose another one"
                ));
            }
            writable(above)?;
            return Ok(format!("SQLite; {shown} will be made at the first start"));
        }
        if path.is_dir() {
            return Err(format!("SQLite: {shown} is a folder: name a file in it"));
        }
        access(path, Access::READ_OK | Access::WRITE_OK)
            .map_err(|error| format!("SQLite: {shown} cannot be read and written ({error}): run as its owner"))?;
    }
    let kind = place.kind();
    let silent = |_| format!("{kind} does not answer within {} seconds: is its address right?", LIMIT.as_secs());
    let reached = tokio::time::timeout(LIMIT, Store::probe(&place)).await.map_err(silent)?;
    reached.map_err(|why| format!("{kind} cannot be reached: {why}"))?;
    match tokio::time::timeout(LIMIT, Store::pending_migrations(&place)).await.map_err(silent)? {
        Err(error) => Err(format!("{kind} cannot be used: {error}")),
        Ok(0) => Ok(format!("{kind} answers and is up to date")),
        Ok(pending) => Ok(format!("{kind} answers; {pending} steps of the schema will be taken at the next start")),
    }
}

async fn bus(config: &Config) -> Finding {
    let link = config.link().map_err(|error| error.to_string())?;
    match tokio::time::timeout(LIMIT, Bus::probe(&link)).await {
        Ok(Ok(())) => Ok(match link {
            Link::InProcess => "in process; this hub is the only node".to_owned(),
            Link::Redis(_) => "Redis answers".to_owned(),
        }),
        Ok(Err(why)) => Err(format!("Redis cannot be used: {why}")),
        Err(_) => Err(format!("Redis does not answer within {} seconds: is its address right?", LIMIT.as_secs())),
    }
}

async fn blobs(config: &Config) -> Finding {
    let shelf = config.shelf().map_err(|error| error.to_string())?;
    if let Shelf::Folder(path) = &shelf {
        let above = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("."));
        writable(above)?;
        return Ok(format!("{} on this machine", path.display()));
    }
    let blobs = Blobs::open(&shelf).map_err(|error| format!("S3 cannot be used: {error}"))?;
    match tokio::time::timeout(LIMIT, blobs.probe()).await {
        Ok(Ok(())) => Ok("S3 answers".to_owned()),
        Ok(Err(why)) => Err(format!("S3 cannot be used: {why}; correct blobs, or ask whoever runs it")),
        Err(_) => Err(format!("S3 does not answer within {} seconds: is its address right?", LIMIT.as_secs())),
    }
}

async fn traces(config: &Config) -> Finding {
    let collector = config.collector().map_err(|error| error.to_string())?;
    let (Some(collector), Some(endpoint)) = (collector, &config.traces.endpoint) else {
        return Ok("off".to_owned());
    };
    let shown = cover(endpoint);
    match collector.probe().await {
        Ok(()) => Ok(format!("{shown} takes them")),
        Err(why) => Err(format!("{shown} does not take them: {why}; correct traces.endpoint, or start the collector")),
    }
}

/// Free, or taken by the hub of this data folder: whoever else holds it would keep the hub from starting.
async fn address(listen: SocketAddr, page: &str, mark: &str, hub_runs: bool) -> Finding {
    match tokio::net::TcpListener::bind(listen).await {
        Ok(_) => Ok(format!("{listen} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            if hub_runs && answers(listen, page, mark).await {
                return Ok(format!("the hub that runs listens on {listen}"));
            }
            Err(format!("{listen} is taken by another program: stop it, or choose another address"))
        }
        Err(error) => Err(format!("{listen} cannot be listened on: {error}: choose an address of this machine")),
    }
}

async fn answers(listen: SocketAddr, page: &str, mark: &str) -> bool {
    // What listens on every address is asked at the nearest one.
    let mut near = listen;
    if near.ip().is_unspecified() {
        near.set_ip(if near.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    let client =
        reqwest::Client::builder().timeout(LIMIT).redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let Ok(client) = client else { return false };
    let Ok(answer) = client.get(format!("http://{near}{page}")).send().await else { return false };
    answer.status().is_success() && answer.text().await.is_ok_and(|text| text.contains(mark))
}
