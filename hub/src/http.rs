//! The hub's face to the network: GraphQL over HTTP, over server-sent events and over WebSocket, and a few plain pages.
//!
//! Both GraphQL protocols are spoken here and not by a ready-made integration, because those that exist answer with
//! wrong status and close codes, take mutations by GET, have no bounds, and let one busy subscription starve the others.

mod cors;
mod entrance;
mod graphql;
mod pages;
mod parting;
mod request;
mod server;
mod socket;
mod sse;
mod uploads;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, put},
};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use entrance::Entrance;
pub use graphql::LongBodies;
pub use server::serve;
pub use uploads::Uploads;

use crate::{
    actions::Core,
    config::Config,
    graphql::{documents::Documents, live::Live, served::Served},
};

/// Where GraphQL is spoken, over each of its protocols.
const GRAPHQL: &str = "/graphql";

/// What every request needs.
pub struct Gate {
    pub core: Arc<Core>,
    pub config: Config,
    pub entrance: Entrance,
    pub served: Served,
    pub live: Arc<Live>,
    pub metrics: PrometheusHandle,
    pub long_bodies: LongBodies,
    pub uploads: Uploads,
    /// The hub is going away: finish what was begun and take nothing new.
    pub draining: CancellationToken,
    /// Everything that has to come to its end before the hub does.
    pub connections: TaskTracker,
}

impl Gate {
    /// By what documents are prepared and executed at the moment.
    pub fn documents(&self) -> Arc<Documents> {
        self.served.documents(&self.core.plugins)
    }
}

/// Everything that the public address serves.
pub fn router(gate: Arc<Gate>) -> Router {
    let mut router = Router::new()
        .route("/", get(pages::index))
        .route(GRAPHQL, get(graphql::get).post(graphql::post))
        .route("/health", get(pages::health))
        .route("/ready", get(pages::ready))
        .route("/uploads/{id}", put(uploads::put))
        // Programs that look at links before people do ask with HEAD, and must not use one up.
        .route("/sign-in", get(pages::sign_in).head(pages::only_get));
    if gate.config.graphql.graphiql {
        router = router.route("/graphiql", get(pages::graphiql)).route("/graphiql/{file}", get(pages::graphiql_file));
    }
    if gate.config.metrics.listen == "public" {
        router = router.route("/metrics", get(pages::metrics));
    }
    let cors = cors::layer(&gate.config.http.cors_origins);
    router.layer(cors).layer(middleware::from_fn_with_state(gate.clone(), request::identify)).with_state(gate)
}

/// What the private address serves.
pub fn private_router(gate: Arc<Gate>) -> Router {
    Router::new().route("/metrics", get(pages::metrics)).with_state(gate)
}
