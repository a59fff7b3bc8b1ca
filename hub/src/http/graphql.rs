//! GraphQL over HTTP, as its specification says: JSON by POST, queries by GET, one request at a time.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Extension, FromRequestParts, Request, State, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::BytesMut;
use futures_util::StreamExt;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Gate,
    entrance::Admitted,
    request::{Client, RequestId},
    socket, sse,
};
use crate::{
    Error,
    actions::Reader,
    graphql::{
        self, Answer, OperationType,
        documents::{Asked, Prepared, Refusal},
    },
};

/// More than this is not read.
const BODY_BYTES: usize = 1_024 * 1_024;
/// Hardly a body is longer. Those that are wait for a place where they can be.
const SHORT_BYTES: usize = 16 * 1_024;
/// Who takes longer to send a body is cut off.
const BODY_LIMIT: Duration = Duration::from_secs(30);

/// So many long bodies are in memory at once, from when they begin until they are answered. Those of nobody have places of
/// their own, so that nobody can take those of users.
pub struct LongBodies {
    of_users: Arc<Semaphore>,
    of_nobody: Arc<Semaphore>,
}

impl Default for LongBodies {
    fn default() -> Self {
        LongBodies { of_users: Arc::new(Semaphore::new(24)), of_nobody: Arc::new(Semaphore::new(8)) }
    }
}

/// How the client wants its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// `application/graphql-response+json`: the status says what became of the request.
    GraphQl,
    /// `application/json`: an answer is an answer, even to a document that cannot be executed.
    Json,
    /// `text/event-stream`.
    Stream,
}

impl Accepts {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let values: Vec<&str> =
            headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        if values.is_empty() {
            return Some(Accepts::Json);
        }
        let mut best = None;
        for range in values.iter().flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
            let accepts = match parts.next().unwrap_or_default().as_str() {
                "application/graphql-response+json" => Accepts::GraphQl,
                // Who takes anything may be of the time before there was anything else.
                "application/json" | "application/*" | "*/*" => Accepts::Json,
                "text/event-stream" => Accepts::Stream,
                _ => continue,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            // Of those that are liked as well, the first one.
            if quality > best.map_or(0.0, |(_, quality)| quality) {
                best = Some((accepts, quality));
            }
        }
        best.map(|(accepts, _)| accepts)
    }

    fn content_type(self) -> &'static str {
        match self {
            Accepts::GraphQl => "application/graphql-response+json; charset=utf-8",
            Accepts::Json | Accepts::Stream => "application/json; charset=utf-8",
        }
    }
}

/// What stands in the body of a POST.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    #[serde(default)]
    query: Option<String>,
    #[serde(default)]
    document_id: Option<String>,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    #[expect(dead_code, reason = "must be an object, and is otherwise for others")]
    extensions: Option<serde_json::Map<String, serde_json::Value>>,
}

impl From<Posted> for Asked {
    fn from(posted: Posted) -> Self {
        Asked {
            query: posted.query,
            document_id: posted.document_id,
            operation_name: posted.operation_name,
            variables: posted.variables.unwrap_or_default(),
        }
    }
}

/// Reads what a client asks for; both protocols and both methods say it in the same words.
pub fn asked(json: &[u8]) -> Result<Asked, String> {
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err("one request at a time: batches are not taken".to_owned());
    }
    serde_json::from_slice::<Posted>(json)
        .map(Asked::from)
        .map_err(|error| format!("the request cannot be read: {error}"))
}

pub async fn post(
    State(gate): State<Arc<Gate>>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let exchange = match Exchange::begin(gate, request_id, client, &headers).await {
        Ok(exchange) => exchange,
        Err(refused) => return *refused,
    };
    let is_json = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        let mut parts = value.split(';').map(str::trim);
        let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
        json && parts.all(|part| {
            let charset = part.to_ascii_lowercase();
            charset.strip_prefix("charset=").is_none_or(|charset| charset.trim_matches('"') == "utf-8")
        })
    });
    if !is_json {
        let message = "Content-Type must be application/json, in UTF-8";
        return exchange.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|value| value != "identity") {
        return exchange.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a body must not be compressed");
    }
    let places = &exchange.gate.long_bodies;
    let places = if exchange.admitted.is_some() { &places.of_users } else { &places.of_nobody };
    let (body, _place) = match read(request.into_body(), places).await {
        Ok(read) => read,
        Err((status, message)) => return exchange.refuse(status, message),
    };
    match asked(&body) {
        Ok(asked) => exchange.answer(asked, &Method::POST).await,
        Err(message) => exchange.refuse(StatusCode::BAD_REQUEST, &message),
    }
}

/// Reads a body, and if it is long, finds it a place first: somebody who begins very many of them, and never ends them,
/// must not have the memory for it. While there is no place nothing of it is read.
async fn read(
    body: Body,
    places: &Arc<Semaphore>,
) -> Result<(Bytes, Option<OwnedSemaphorePermit>), (StatusCode, &'static str)> {
    // What says beforehand that it is too long need not be waited for.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > BODY_BYTES {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB"));
    }
    let (mut chunks, mut read, mut place) = (body.into_data_stream(), BytesMut::new(), None);
    let all = async {
        if announced > SHORT_BYTES {
            place = places.clone().acquire_owned().await.ok();
            read.reserve(announced);
        }
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| (StatusCode::BAD_REQUEST, "the body broke off"))?;
            let length = read.len() + chunk.len();
            if length > BODY_BYTES {
                return Err((StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB"));
            }
            if place.is_none() && length > SHORT_BYTES {
                place = places.clone().acquire_owned().await.ok();
            }
            read.extend_from_slice(&chunk);
        }
        Ok(())
    };
    match tokio::time::timeout(BODY_LIMIT, all).await {
        Ok(Ok(())) => Ok((read.freeze(), place)),
        Ok(Err(refused)) => Err(refused),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the body took too long")),
    }
}

pub async fn get(
    State(gate): State<Arc<Gate>>,
    Extension(RequestId(request_id)): Extension<RequestId>,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    let upgrades =
        headers.get(header::UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if upgrades {
        return match WebSocketUpgrade::from_request_parts(&mut parts, &gate).await {
            Ok(upgrade) => socket::accept(gate, upgrade, client, parts.extensions.remove()),
            Err(rejection) => rejection.into_response(),
        };
    }
    let exchange = match Exchange::begin(gate, request_id, client, &headers).await {
        Ok(exchange) => exchange,
        Err(refused) => return *refused,
    };
    match queried(parts.uri.query().unwrap_or_default()) {
        Ok(asked) => exchange.answer(asked, &Method::GET).await,
        Err(message) => exchange.refuse(StatusCode::BAD_REQUEST, &message),
    }
}

/// The same words from the query string, where objects are written as JSON.
fn queried(query: &str) -> Result<Asked, String> {
    let object = |name: &str, text: &str| {
        serde_json::from_str::<Option<serde_json::Map<_, _>>>(text)
            .map(Option::unwrap_or_default)
            .map_err(|_| format!("{name} must be a JSON object"))
    };
    let mut asked = Asked::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "query" => asked.query = Some(value.into_owned()),
            "documentId" => asked.document_id = Some(value.into_owned()),
            "operationName" if !value.is_empty() => asked.operation_name = Some(value.into_owned()),
            "variables" if !value.is_empty() => asked.variables = object("variables", &value)?,
            "extensions" if !value.is_empty() => drop(object("extensions", &value)?),
            _ => {}
        }
    }
    Ok(asked)
}

/// One request and the way back to who made it.
struct Exchange {
    gate: Arc<Gate>,
    request_id: String,
    client: Client,
    accepts: Accepts,
    admitted: Option<Admitted>,
}

impl Exchange {
    async fn begin(
        gate: Arc<Gate>,
        request_id: String,
        client: Client,
        headers: &HeaderMap,
    ) -> Result<Self, Box<Response>> {
        let accepts = Accepts::of(headers);
        let like = accepts.unwrap_or(Accepts::Json);
        let mut exchange = Exchange { gate, request_id, client, accepts: like, admitted: None };
        if accepts.is_none() {
            let message = "Accept must take application/graphql-response+json, application/json or text/event-stream";
            return Err(Box::new(exchange.refuse(StatusCode::NOT_ACCEPTABLE, message)));
        }
        match exchange.gate.entrance.of_headers(headers, client).await {
            Ok(admitted) => exchange.admitted = admitted,
            Err(error) => return Err(Box::new(exchange.fault(&error))),
        }
        Ok(exchange)
    }

    async fn answer(self, asked: Asked, method: &Method) -> Response {
        let prepared = match self.gate.documents().prepare(asked) {
            Ok(prepared) => prepared,
            Err(refusal) => {
                let answer = Answer::refused(refusal.code(), refusal.to_string(), &self.request_id);
                // Who wants a stream gets one, also of a refusal: a stream's client reads nothing else.
                return match self.accepts {
                    _ if matches!(refusal, Refusal::Malformed(_)) => self.reply(StatusCode::BAD_REQUEST, &answer),
                    Accepts::Stream => sse::only(&answer),
                    Accepts::GraphQl | Accepts::Json => self.reply(self.status_of_request_error(), &answer),
                };
            }
        };
        if method == Method::GET && prepared.operation == OperationType::Mutation {
            let mut response = self.refuse(StatusCode::METHOD_NOT_ALLOWED, "a mutation must be sent by POST");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        if self.accepts == Accepts::Stream {
            return sse::stream(self.gate, self.admitted, self.client, prepared, self.request_id).await;
        }
        if prepared.operation == OperationType::Subscription {
            let message = "a subscription needs a WebSocket, or Accept: text/event-stream";
            return self.refuse(StatusCode::NOT_ACCEPTABLE, message);
        }
        let answer = execute(&self.gate, self.admitted.as_ref(), self.client, &prepared, &self.request_id).await;
        let status = if answer.is_refusal() { self.status_of_request_error() } else { StatusCode::OK };
        self.reply(status, &answer)
    }

    fn status_of_request_error(&self) -> StatusCode {
        match self.accepts {
            Accepts::GraphQl => StatusCode::BAD_REQUEST,
            // Older clients read an answer only from a 200.
            Accepts::Json | Accepts::Stream => StatusCode::OK,
        }
    }

    fn refuse(&self, status: StatusCode, message: &str) -> Response {
        self.reply(status, &Answer::refused("BAD_REQUEST", message, &self.request_id))
    }

    fn fault(&self, error: &Error) -> Response {
        let status = match error {
            Error::Rejected(_) => StatusCode::BAD_REQUEST,
            Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = self.reply(status, &Answer::fault(error, &self.request_id));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    fn reply(&self, status: StatusCode, answer: &Answer) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.accepts.content_type()),
            (header::CACHE_CONTROL, "no-store"),
            (header::VARY, "Accept, Authorization"),
        ];
        (status, headers, answer.json()).into_response()
    }
}

/// Executes a query or mutation for whoever was admitted.
pub async fn execute(
    gate: &Gate,
    admitted: Option<&Admitted>,
    client: Client,
    prepared: &Prepared,
    request_id: &str,
) -> Answer {
    let reader = admitted.map_or(Reader::Nobody, |admitted| Reader::Viewer(admitted.viewer.clone()));
    graphql::execute(&gate.core, reader, client.0, prepared, request_id).await
}
