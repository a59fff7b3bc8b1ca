//! Packages are put here, under an address that was signed for the moment.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jackfield_domain::{Timestamp, UploadId};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::Gate;
use crate::{Error, actions::plugins::uploads};

/// So many at once; the next ones are told to come back.
const AT_ONCE: usize = 2;
/// Who takes longer is cut off.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// The places in which packages come in.
pub struct Uploads(Semaphore);

impl Default for Uploads {
    fn default() -> Self {
        Uploads(Semaphore::new(AT_ONCE))
    }
}

#[derive(Deserialize)]
pub struct Signed {
    expires: i64,
    signature: String,
}

pub async fn put(
    State(gate): State<Arc<Gate>>,
    Path(id): Path<String>,
    Query(Signed { expires, signature }): Query<Signed>,
    body: Body,
) -> Response {
    let core = &gate.core;
    let Some(id) = id.parse::<UploadId>().ok().filter(|id| uploads::is_good(core, *id, Timestamp(expires), &signature))
    else {
        return (StatusCode::FORBIDDEN, "this address is not good, or not any more; ask for another one")
            .into_response();
    };
    let Ok(_place) = gate.uploads.0.try_acquire() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "others are uploading; try again in a moment").into_response();
    };
    match tokio::time::timeout(LIMIT, uploads::receive(core, id, body.into_data_stream())).await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(Error::Rejected(why))) => (StatusCode::PAYLOAD_TOO_LARGE, why.to_string()).into_response(),
        Ok(Err(error)) => {
            tracing::error!(%error, "an upload could not be kept");
            (StatusCode::SERVICE_UNAVAILABLE, "it could not be kept; try again in a moment").into_response()
        }
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "it took too long").into_response(),
    }
}
