//! GraphQL over WebSocket: the graphql-transport-ws protocol, spoken by the letter.
//!
//! One task a socket reads, runs its operations and writes. Operations take turns, so that a busy one cannot starve its
//! neighbours; nothing is read while too much waits to be written; who does not read, does not answer pings or says
//! nothing at the start is sent away.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{
        WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
    },
    response::Response,
};
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    stream::{self, AbortHandle, BoxStream, SelectAll, SplitSink, SplitStream, abortable},
};
use jackfield_domain::Timestamp;
use metrics::{counter, gauge};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    Gate,
    entrance::{Admitted, bearer},
    graphql::{asked, execute},
    request::Client,
    server::Place,
};
use crate::{
    Error,
    actions::{doors::Pass, viewers},
    graphql::{Answer, OperationType, documents::Prepared, live::Payload},
};

const PROTOCOL: &str = "graphql-transport-ws";
const MESSAGE_BYTES: usize = 1_024 * 1_024;
/// How long what was asked for may take to be answered when the hub goes away.
const FINISH: Duration = Duration::from_secs(8);
/// How many answers are written before they are handed to the network together.
const TOGETHER: usize = 64;

/// Speaks with the other side until one of both has enough; `place` is held that long.
///
/// What waits to be written has no bound of its own: nothing is added to it until the last answer is on its way, and an
/// answer may be as large as it likes.
pub fn accept(gate: Arc<Gate>, upgrade: WebSocketUpgrade, client: Client, place: Option<Place>) -> Response {
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        // As much as one network packet holds, and a little more: a buffer is kept by every socket, also by an idle one.
        .read_buffer_size(2 * 1_024)
        .write_buffer_size(16 * 1_024)
        .on_upgrade(move |socket| {
            let connections = gate.connections.clone();
            connections.track_future(async move {
                gauge!("jackfield_sockets_open").increment(1);
                converse(gate, socket, client).await;
                gauge!("jackfield_sockets_open").decrement(1);
                drop(place);
            })
        })
}

/// Why a socket is closed by us.
struct Close {
    code: u16,
    reason: String,
}

impl Close {
    fn because(code: u16, reason: impl Into<String>) -> Self {
        Close { code, reason: reason.into() }
    }
}

/// What ends a conversation.
enum End {
    Close(Close),
    /// The other side says goodbye, and waits to hear it back.
    Left,
    /// The other side is gone, or does not read.
    Gone,
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        End::Close(close)
    }
}

async fn converse(gate: Arc<Gate>, socket: WebSocket, client: Client) {
    let spoken = socket.protocol().and_then(|protocol| protocol.to_str().ok()).map(str::to_owned);
    let (sink, incoming) = socket.split();
    let mut connection = Connection::new(gate.clone(), client, sink);
    let end = if spoken.as_deref() == Some(PROTOCOL) {
        connection.run(incoming).await
    } else {
        End::Close(Close::because(4406, "Subprotocol not acceptable"))
    };
    let limit = gate.config.sockets.write();
    // Who does not take even this is cut off.
    match end {
        End::Close(Close { code, reason }) => {
            counter!("jackfield_sockets_closed_total", "code" => code.to_string()).increment(1);
            let frame = CloseFrame { code, reason: Utf8Bytes::from(shortened(reason)) };
            let _ = timeout(limit, connection.sink.send(Message::Close(Some(frame)))).await;
        }
        // The library has the reply ready; it only has to be let out.
        End::Left => drop(timeout(limit, connection.sink.flush()).await),
        End::Gone => {}
    }
}

/// A reason of a close frame has room for 123 bytes.
fn shortened(mut reason: String) -> String {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.truncate(end);
    reason
}

/// What a client may say.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    ConnectionInit {
        #[serde(default)]
        payload: Option<serde_json::Map<String, Value>>,
    },
    Ping {
        #[serde(default)]
        payload: Option<serde_json::Map<String, Value>>,
    },
    Pong {
        #[serde(default)]
        #[expect(dead_code, reason = "must be an object if it is there")]
        payload: Option<serde_json::Map<String, Value>>,
    },
    Subscribe {
        id: String,
        payload: serde_json::Map<String, Value>,
    },
    Complete {
        id: String,
    },
    /// A frame that is not for us but for the library.
    #[serde(skip)]
    Nothing,
}

/// What an operation says, ready to be written.
enum Saying {
    Next(String, Payload),
    Error(String, String),
    Complete(String),
}

struct Connection {
    gate: Arc<Gate>,
    client: Client,
    sink: SplitSink<WebSocket, Message>,
    admitted: Option<Admitted>,
    pass: Option<Pass>,
    operations: SelectAll<BoxStream<'static, Saying>>,
    running: HashMap<String, Running>,
    heard_at: Instant,
}

struct Running {
    handle: AbortHandle,
    /// Goes on until somebody ends it, where others end with their answer.
    follows: bool,
}

impl Connection {
    fn new(gate: Arc<Gate>, client: Client, sink: SplitSink<WebSocket, Message>) -> Self {
        Connection {
            gate,
            client,
            sink,
            admitted: None,
            pass: None,
            operations: SelectAll::new(),
            running: HashMap::new(),
            heard_at: Instant::now(),
        }
    }

    async fn run(&mut self, mut incoming: SplitStream<WebSocket>) -> End {
        // Boxed, like all that is large and soon done: a socket that has nothing to say is to keep no room for it.
        match self.greet(&mut incoming).boxed().await {
            Ok(()) => {}
            Err(end) => return end,
        }
        let mut beat = tokio::time::interval(self.gate.config.sockets.ping());
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (clock, draining) = (self.gate.core.clock.clone(), self.gate.draining.clone());
        let expires_at = self.admitted.as_ref().map_or(Timestamp(i64::MAX), |admitted| admitted.expires_at);
        let expired = clock.wait_until(expires_at);
        tokio::pin!(expired);
        let Some(pass) = self.pass.take() else { return Close::because(4401, "Unauthorized").into() };
        loop {
            let step = tokio::select! {
                why = pass.ended() => Err(Close::because(4403, format!("Forbidden: {why}")).into()),
                () = pass.unsure() => self.look_again(&pass).boxed().await,
                message = incoming.next() => self.hear(message).boxed().await,
                Some(saying) = self.operations.next(), if !self.operations.is_empty() => self.say(saying).await,
                _ = beat.tick() => self.beat().await,
                () = &mut expired => Err(Close::because(4403, "Forbidden: the token has expired").into()),
                () = draining.cancelled() => return self.finish().boxed().await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    /// Answers what was asked for, takes nothing new, and sends the other side away with a code that means «come back».
    async fn finish(&mut self) -> End {
        self.running.retain(|_, running| {
            if running.follows {
                running.handle.abort();
            }
            !running.follows
        });
        let answered = timeout(FINISH, async {
            while !self.running.is_empty() {
                match self.operations.next().await {
                    Some(saying) => self.say(saying).await?,
                    None => break,
                }
            }
            Ok(())
        });
        match answered.await {
            Ok(Err(end)) => end,
            Ok(Ok(())) | Err(_) => Close::because(1012, "the hub restarts; come back").into(),
        }
    }

    /// The first message must be `connection_init`, in time and with a good token.
    async fn greet(&mut self, incoming: &mut SplitStream<WebSocket>) -> Result<(), End> {
        let (limit, draining) = (self.gate.config.sockets.connection_init(), self.gate.draining.clone());
        tokio::select! {
            greeted = timeout(limit, self.introduction(incoming)) => {
                greeted.unwrap_or_else(|_| Err(Close::because(4408, "Connection initialisation timeout").into()))
            }
            () = draining.cancelled() => Err(Close::because(1012, "the hub restarts; come back").into()),
        }
    }

    async fn introduction(&mut self, incoming: &mut SplitStream<WebSocket>) -> Result<(), End> {
        loop {
            match read(text_of(incoming.next().await)?.as_ref())? {
                Said::ConnectionInit { payload } => return self.admit(payload.unwrap_or_default()).await,
                Said::Subscribe { .. } => return Err(Close::because(4401, "Unauthorized").into()),
                // A client may ping before it says who it is.
                Said::Ping { payload } => self.write(pong(payload)).await?,
                Said::Pong { .. } | Said::Complete { .. } | Said::Nothing => {}
            }
        }
    }

    async fn admit(&mut self, payload: serde_json::Map<String, Value>) -> Result<(), End> {
        let text = |name: &str| payload.get(name).and_then(Value::as_str);
        let header = text("authorization").or_else(|| text("Authorization"));
        let token = header.and_then(bearer).or_else(|| text("token"));
        let Some(token) = token else {
            return Err(Close::because(4403, "Forbidden: connection_init must bring a token").into());
        };
        let entered = async {
            let mut admitted = self.gate.entrance.admit(token, self.client).await?;
            let pass = viewers::open(&self.gate.core, &mut admitted).await?;
            Ok((admitted, pass))
        };
        match entered.await {
            Ok((admitted, pass)) => (self.admitted, self.pass) = (Some(admitted), Some(pass)),
            Err(Error::Unauthenticated(why)) => return Err(Close::because(4403, format!("Forbidden: {why}")).into()),
            Err(error) => {
                tracing::warn!(%error, "a socket could not be let in");
                // Not the client's fault: it comes back by itself.
                return Err(Close::because(1013, "try again later").into());
            }
        }
        self.write(json!({ "type": "connection_ack" }).to_string()).await
    }

    /// Something about the viewer may have changed: from here on they do things as who they are now.
    async fn look_again(&mut self, pass: &Pass) -> Result<(), End> {
        let Some(admitted) = &mut self.admitted else { return Ok(()) };
        pass.look();
        match viewers::again(&self.gate.core, &admitted.viewer).await {
            Ok(viewer) => admitted.viewer = viewer,
            Err(Error::Unauthenticated(why)) => return Err(Close::because(4403, format!("Forbidden: {why}")).into()),
            Err(error) => {
                tracing::warn!(%error, "somebody at a socket could not be looked at again");
                return Err(Close::because(1013, "try again later").into());
            }
        }
        Ok(())
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        self.heard_at = Instant::now();
        match read(text_of(message)?.as_ref())? {
            Said::ConnectionInit { .. } => Err(Close::because(4429, "Too many initialisation requests").into()),
            Said::Ping { payload } => self.write(pong(payload)).await,
            Said::Pong { .. } | Said::Nothing => Ok(()),
            Said::Subscribe { id, payload } => self.subscribe(id, payload).await,
            Said::Complete { id } => {
                if let Some(running) = self.running.remove(&id) {
                    running.handle.abort();
                }
                Ok(())
            }
        }
    }

    async fn subscribe(&mut self, id: String, payload: serde_json::Map<String, Value>) -> Result<(), End> {
        if id.is_empty() {
            return Err(Close::because(4400, "Invalid message: the id is empty").into());
        }
        let asked = asked(Value::Object(payload).to_string().as_bytes());
        let asked = asked.map_err(|message| Close::because(4400, format!("Invalid message: {message}")))?;
        if asked.query.is_none() && asked.document_id.is_none() {
            return Err(Close::because(4400, "Invalid message: subscribe needs a query").into());
        }
        if self.running.contains_key(&id) {
            return Err(Close::because(4409, format!("Subscriber for {id} already exists")).into());
        }
        let most = self.gate.config.sockets.max_subscriptions;
        if self.running.len() >= most {
            let message = format!("a socket has at most {most} operations at once");
            let answer = Answer::refused("LIMIT_REACHED", message, &id);
            return self.write(error(&id, &answer.errors_json())).await;
        }
        let Some(admitted) = self.admitted.clone() else { return Err(Close::because(4401, "Unauthorized").into()) };
        let request_id = self.gate.core.clock.new_id().simple().to_string();
        let prepared = match self.gate.documents().prepare(asked) {
            Ok(prepared) => prepared,
            Err(refusal) => {
                let answer = Answer::refused(refusal.code(), refusal.to_string(), &request_id);
                return self.write(error(&id, &answer.errors_json())).await;
            }
        };
        let follows = prepared.operation == OperationType::Subscription;
        let operation = operation(self.gate.clone(), admitted, self.client, id.clone(), prepared, request_id);
        let (operation, handle) = abortable(operation);
        self.running.insert(id, Running { handle, follows });
        self.operations.push(operation.boxed());
        Ok(())
    }

    /// Writes what an operation says, and what others have ready, and hands it to the network at once.
    async fn say(&mut self, first: Saying) -> Result<(), End> {
        let mut saying = Some(first);
        let mut told = 0;
        while let Some(said) = saying {
            let text = match said {
                // What was completed by the client in the meantime is not said any more.
                Saying::Next(id, payload) if self.running.contains_key(&id) => Some(next(&id, &payload)),
                Saying::Error(id, errors) if self.running.remove(&id).is_some() => Some(error(&id, &errors)),
                Saying::Complete(id) if self.running.remove(&id).is_some() => Some(complete(&id)),
                _ => None,
            };
            if let Some(text) = text {
                let fed = timeout(self.gate.config.sockets.write(), self.sink.feed(Message::Text(text.into()))).await;
                fed.map_err(|_| End::Gone)?.map_err(|_| End::Gone)?;
            }
            told += 1;
            // Nothing is taken that is not written: when its turn came, its id might belong to another operation.
            saying = if told < TOGETHER { self.operations.next().now_or_never().flatten() } else { None };
        }
        self.flush().await
    }

    async fn beat(&mut self) -> Result<(), End> {
        if self.heard_at.elapsed() > self.gate.config.sockets.ping() * 2 + Duration::from_secs(1) {
            return Err(End::Gone);
        }
        let ping = timeout(self.gate.config.sockets.write(), self.sink.send(Message::Ping(Bytes::new()))).await;
        ping.map_err(|_| End::Gone)?.map_err(|_| End::Gone)
    }

    async fn write(&mut self, text: String) -> Result<(), End> {
        let sent = timeout(self.gate.config.sockets.write(), self.sink.send(Message::Text(text.into()))).await;
        sent.map_err(|_| End::Gone)?.map_err(|_| End::Gone)
    }

    async fn flush(&mut self) -> Result<(), End> {
        let flushed = timeout(self.gate.config.sockets.write(), self.sink.flush()).await;
        flushed.map_err(|_| End::Gone)?.map_err(|_| End::Gone)
    }
}

/// Runs one operation to its end.
fn operation(
    gate: Arc<Gate>,
    admitted: Admitted,
    client: Client,
    id: String,
    prepared: Prepared,
    request_id: String,
) -> BoxStream<'static, Saying> {
    stream::once(async move {
        let refused = |id, answer: &Answer| stream::iter([Saying::Error(id, answer.errors_json())]).boxed();
        if prepared.operation == OperationType::Subscription {
            return match gate.live.subscribe(admitted.viewer, prepared, request_id).boxed().await {
                Err(answer) => refused(id, &answer),
                Ok(payloads) => {
                    let last = Saying::Complete(id.clone());
                    payloads.map(move |payload| Saying::Next(id.clone(), payload)).chain(stream::iter([last])).boxed()
                }
            };
        }
        // The token may have expired since the socket was opened, but then the socket is closed, too.
        let mut span = gate.core.traces.begin("WebSocket operation", None);
        if span.is_on() {
            span.note("jackfield.request_id", request_id.clone());
        }
        let answer = span.within(execute(&gate, Some(&admitted), client, &prepared, &request_id).boxed()).await;
        if answer.is_refusal() {
            return refused(id, &answer);
        }
        stream::iter([Saying::Next(id.clone(), answer.json().into()), Saying::Complete(id)]).boxed()
    })
    .flatten()
    .boxed()
}

/// The text of a message; none if it is one of the protocol below.
fn text_of(message: Option<Result<Message, axum::Error>>) -> Result<Option<Utf8Bytes>, End> {
    match message {
        Some(Ok(Message::Text(text))) => Ok(Some(text)),
        // The library answers pings by itself.
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => Err(Close::because(4400, "Invalid message: it must be text").into()),
        Some(Err(error)) if is_too_long(&error) => Err(Close::because(1009, "the message is longer than 1 MiB").into()),
        Some(Ok(Message::Close(_))) => Err(End::Left),
        Some(Err(_)) | None => Err(End::Gone),
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    use tokio_tungstenite::tungstenite::Error as Fault;
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Fault>());
    matches!(source, Some(Fault::Capacity(_)))
}

fn read(text: Option<&Utf8Bytes>) -> Result<Said, Close> {
    let Some(text) = text else { return Ok(Said::Nothing) };
    serde_json::from_str(text).map_err(|error| Close::because(4400, format!("Invalid message: {error}")))
}

fn next(id: &str, payload: &str) -> String {
    format!(r#"{{"id":{},"type":"next","payload":{payload}}}"#, Value::from(id))
}

fn error(id: &str, errors: &str) -> String {
    format!(r#"{{"id":{},"type":"error","payload":{errors}}}"#, Value::from(id))
}

fn complete(id: &str) -> String {
    json!({ "id": id, "type": "complete" }).to_string()
}

fn pong(payload: Option<serde_json::Map<String, Value>>) -> String {
    match payload {
        None => json!({ "type": "pong" }).to_string(),
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
    }
}
