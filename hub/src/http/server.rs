//! Takes connections in, so many at once and no more, and serves them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{Request, body::Incoming, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Gate, parting::Courteous};

/// What is read before anybody asks for it, and how long a head may be: a document of the greatest length, in a link.
const BUFFER_BYTES: usize = 64 * 1_024;

/// A connection's place among those that there may be. Whoever holds on to it goes on talking over the connection.
#[derive(Clone)]
pub struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Serves until the hub goes away; what was begun is finished by those whom `gate.connections` counts.
pub async fn serve(gate: Arc<Gate>, listener: TcpListener, router: Router, most: usize) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        let (stream, peer) = tokio::select! {
            () = gate.draining.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: some will be given back.
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let Ok(permit) = places.clone().try_acquire_owned() else { continue };
        let place = Place { _permit: Arc::new(permit) };
        // An answer is written at once or not at all; waiting for more of it would only delay it.
        let _ = stream.set_nodelay(true);
        let stream = Courteous::new(stream, place.clone(), gate.config.sockets.write());
        let (router, draining, limit) = (router.clone(), gate.draining.clone(), gate.config.http.header());
        gate.connections.spawn(async move {
            if let Err(error) = converse(stream, peer, place, router, draining, limit).await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
}

async fn converse(
    stream: Courteous,
    peer: SocketAddr,
    place: Place,
    router: Router,
    draining: CancellationToken,
    header_limit: Duration,
) -> Result<(), hyper::Error> {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer));
        // For a WebSocket, which outlives this conversation.
        request.extensions_mut().insert(place.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_limit)
        .max_buf_size(BUFFER_BYTES)
        // Names of headers know no case, but some clients look for the written one.
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done,
        () = draining.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
