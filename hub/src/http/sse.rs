//! GraphQL over server-sent events: the «distinct connections» mode of the graphql-sse protocol, one stream an operation.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::{
    Stream, StreamExt,
    stream::{self, BoxStream},
};
use metrics::gauge;

use super::{Gate, entrance::Admitted, graphql::execute, request::Client};
use crate::{
    Error,
    actions::{doors::Pass, viewers},
    graphql::{Answer, OperationType, documents::Prepared, live::Payload},
};

/// A comment now and then, so that proxies do not take silence for an end.
const BEAT: Duration = Duration::from_secs(12);

/// Answers with a stream, whatever the operation is.
pub async fn stream(
    gate: Arc<Gate>,
    admitted: Option<Admitted>,
    client: Client,
    prepared: Prepared,
    request_id: String,
) -> Response {
    let results = if prepared.operation == OperationType::Subscription {
        match admitted {
            None => {
                let error = Error::Unauthenticated("sign in first: this needs a token".to_owned());
                one(&Answer::fault(&error, &request_id))
            }
            Some(mut admitted) => match viewers::open(&gate.core, &mut admitted).await {
                Err(error) => one(&Answer::fault(&error, &request_id)),
                Ok(pass) => {
                    let opened = gate.live.subscribe(admitted.viewer.clone(), prepared, request_id.clone()).await;
                    match opened {
                        Err(answer) => one(&answer),
                        Ok(payloads) => while_welcome(&gate, &admitted, pass, payloads, request_id).boxed(),
                    }
                }
            },
        }
    } else {
        one(&execute(&gate, admitted.as_ref(), client, &prepared, &request_id).await)
    };
    respond(results)
}

/// Answers with a stream that has nothing but this one answer.
pub fn only(answer: &Answer) -> Response {
    respond(one(answer))
}

fn respond(results: BoxStream<'static, Bytes>) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL.as_str(), "no-store"),
        // For proxies that would otherwise collect a few events before they pass them on.
        ("x-accel-buffering", "no"),
    ];
    (headers, Body::from_stream(with_beat(results))).into_response()
}

fn one(answer: &Answer) -> BoxStream<'static, Bytes> {
    stream::iter([next(&answer.json()), complete()]).boxed()
}

/// The answers until the token expires or is revoked, or the hub goes away; then the stream ends, and the client comes back.
fn while_welcome(
    gate: &Gate,
    admitted: &Admitted,
    pass: Pass,
    payloads: BoxStream<'static, Payload>,
    request_id: String,
) -> impl Stream<Item = Bytes> + Send + use<> {
    let open = Open::new();
    let (clock, expires_at) = (gate.core.clock.clone(), admitted.expires_at);
    let expired = async move {
        let why = tokio::select! {
            () = clock.wait_until(expires_at) => "the token has expired",
            why = pass.ended() => why,
        };
        let error = Error::Unauthenticated(why.to_owned());
        next(&Answer::fault(&error, &request_id).json())
    };
    let draining = gate.draining.clone();
    asynk_strim::stream_fn(move |mut yielder| async move {
        let _open = open;
        let mut payloads = payloads;
        tokio::pin!(expired);
        loop {
            tokio::select! {
                payload = payloads.next() => match payload {
                    Some(payload) => yielder.yield_item(next(&payload)).await,
                    // What ends by itself says so; all others come back.
                    None => return yielder.yield_item(complete()).await,
                },
                last = &mut expired => return yielder.yield_item(last).await,
                () = draining.cancelled() => return,
            }
        }
    })
}

/// Counts a stream for as long as it is open.
struct Open;

impl Open {
    fn new() -> Self {
        gauge!("jackfield_streams_open").increment(1);
        Open
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge!("jackfield_streams_open").decrement(1);
    }
}

fn with_beat(events: BoxStream<'static, Bytes>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(Some(events), |events| async move {
        let mut events = events?;
        match tokio::time::timeout(BEAT, events.next()).await {
            Ok(None) => None,
            Ok(Some(event)) => Some((Ok(event), Some(events))),
            Err(_) => Some((Ok(Bytes::from_static(b":\n\n")), Some(events))),
        }
    })
}

fn next(result: &str) -> Bytes {
    // JSON escapes line breaks, so that a result is always one line.
    format!("event: next\ndata: {result}\n\n").into()
}

fn complete() -> Bytes {
    Bytes::from_static(b"event: complete\ndata: \n\n")
}
