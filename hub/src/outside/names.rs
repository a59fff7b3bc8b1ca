//! Which addresses names have, and which of them may be asked: the only addresses that a connection for a plugin is made to.

use std::{io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whoever knows the addresses of names. Like the clock it is given to a hub when it is put together.
#[async_trait]
pub trait Names: Send + Sync {
    /// The port is 0 where it is that of the URL.
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>>;
}

/// Whoever the machine asks.
pub struct System;

#[async_trait]
impl Names for System {
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

/// Which addresses may be asked.
pub type Filter = Arc<dyn Fn(SocketAddr) -> bool + Send + Sync>;

/// None of the addresses of a name may be asked.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no address of the public internet")]
pub struct Blocked;

/// Names, and of their addresses those that may be asked. A client that has its addresses from here connects to one that was looked
/// at, and to no other: what the name says a moment later concerns nobody.
pub struct Guarded {
    pub names: Arc<dyn Names>,
    pub filter: Filter,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, filter) = (self.names.clone(), self.filter.clone());
        Box::pin(async move {
            let mut found = names.addresses(name.as_str()).await?;
            found.retain(|address| filter(*address));
            if found.is_empty() { Err(Blocked.into()) } else { Ok(Box::new(found.into_iter()) as Addrs) }
        })
    }
}
