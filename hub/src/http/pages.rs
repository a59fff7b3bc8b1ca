//! The plain pages: is the hub alive, is it ready, what does it count, and how does the first one get in.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Extension, Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{Gate, request::Client};
use crate::actions::setup;

pub async fn index(State(gate): State<Arc<Gate>>) -> Response {
    if gate.config.graphql.graphiql {
        return Redirect::to("/graphiql").into_response();
    }
    Json(json!({ "name": "jackfield", "version": env!("CARGO_PKG_VERSION"), "graphql": "/graphql" })).into_response()
}

/// The process runs. Says nothing about what it stands on: a restart would not help that.
pub async fn health() -> Json<serde_json::Value> {
    Json(json!({ "status": "ok" }))
}

/// Requests may be sent here.
pub async fn ready(State(gate): State<Arc<Gate>>) -> Response {
    let word = |ok| if ok { "ok" } else { "away" };
    let limit = Duration::from_secs(3);
    let database = matches!(tokio::time::timeout(limit, gate.core.store.ping()).await, Ok(Ok(())));
    let bus = matches!(tokio::time::timeout(limit, gate.core.bus.ping()).await, Ok(Ok(())));
    let draining = gate.draining.is_cancelled();
    // Without the bus the hub is slower but whole: the log is read once a second.
    let status = if database && !draining { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "database": word(database), "bus": word(bus), "draining": draining }))).into_response()
}

pub async fn metrics(State(gate): State<Arc<Gate>>) -> impl IntoResponse {
    gate.metrics.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], gate.metrics.render())
}

#[derive(Deserialize)]
pub struct Code {
    code: String,
}

/// Uses a sign-in link up. The token goes into the fragment, which a browser sends to nobody.
pub async fn sign_in(
    State(gate): State<Arc<Gate>>,
    Extension(client): Extension<Client>,
    Query(Code { code }): Query<Code>,
) -> Response {
    let token = match setup::follow_link(&gate.core, &code, client.0).await {
        Ok(Some(token)) => Ok(token),
        Ok(None) => {
            let page = "<!doctype html><title>Jackfield</title><p>This link was used before, or is too old.";
            return (StatusCode::GONE, private(), Html(page)).into_response();
        }
        Err(error) => Err(error),
    };
    match token {
        Ok(token) => (private(), Redirect::to(&format!("/graphiql#token={token}"))).into_response(),
        Err(error) => {
            tracing::error!(%error, "a sign-in link failed");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                private(),
                Html("<!doctype html><title>Jackfield</title><p>Try again in a moment."),
            )
                .into_response()
        }
    }
}

pub async fn only_get() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")]).into_response()
}

fn private() -> HeaderMap {
    HeaderMap::from_iter([
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ])
}

/// What the page is made of, carried in the binary: it works where nothing else can be reached.
const FILES: [(&str, &str, &[u8]); 4] = [
    ("graphiql.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/graphiql/graphiql.js")),
    ("graphiql.css", "text/css; charset=utf-8", include_bytes!("../../assets/graphiql/graphiql.css")),
    ("page.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/graphiql/page.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../assets/graphiql/icon.svg")),
];

/// Only what the hub itself serves may run or be shown on the page.
const CONTENT_SECURITY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub async fn graphiql() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Html(include_str!("../../assets/graphiql/page.html")))
}

pub async fn graphiql_file(Path(file): Path<String>) -> Response {
    match FILES.iter().find(|(name, ..)| *name == file) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some((_, content_type, bytes)) => {
            let headers = [
                (header::CONTENT_TYPE, *content_type),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::CACHE_CONTROL, "public, max-age=3600"),
            ];
            (headers, *bytes).into_response()
        }
    }
}
