//! A GraphQL WebSocket, frame by frame.

use futures_util::{FutureExt, SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use super::within;

pub struct Socket {
    inner: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// The subscription that most stories follow.
pub const EVENTS: &str = "subscription($input: EventsInput) { events(input: $input) { __typename cursor
    ... on MessageSent { conversation { id } message { id sequence body sender { id name } } }
    ... on ConversationCreated { conversation { id title } }
    ... on ConversationUpdated { conversation { id title status } }
    ... on ConversationMembersAdded { conversation { id } users { id } sequence }
    ... on ConversationMembersRemoved { conversation { id } users { id } }
    ... on ConversationMemberUpdated { conversation { id } user { name } member { role } }
    ... on ConversationLeft { conversationId } } }";

impl Socket {
    /// Connects and says hello.
    pub async fn open(url: &str, token: &str) -> Self {
        let mut socket = Socket::connect(url, Some("graphql-transport-ws")).await;
        socket
            .say(json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } }))
            .await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
        socket
    }

    /// Connects and says nothing yet.
    pub async fn connect(url: &str, protocol: Option<&str>) -> Self {
        let mut request =
            format!("{}/graphql", url.replacen("http", "ws", 1)).into_client_request().expect("a request");
        if let Some(protocol) = protocol {
            request.headers_mut().insert("sec-websocket-protocol", protocol.parse().expect("a header"));
        }
        let (inner, _) = within("a WebSocket", connect_async(request)).await.expect("a WebSocket");
        Socket { inner }
    }

    /// Goes on over a connection that was upgraded by hand.
    pub async fn over(stream: TcpStream) -> Self {
        Socket { inner: WebSocketStream::from_raw_socket(MaybeTlsStream::Plain(stream), Role::Client, None).await }
    }

    pub async fn say(&mut self, message: Value) {
        self.say_text(message.to_string()).await;
    }

    pub async fn say_text(&mut self, text: String) {
        within("a write", self.inner.send(Message::text(text))).await.expect("a write");
    }

    pub async fn say_frame(&mut self, frame: Message) {
        within("a write", self.inner.send(frame)).await.expect("a write");
    }

    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        self.say(json!({ "id": id, "type": "subscribe", "payload": { "query": query, "variables": variables } })).await;
    }

    /// The next message, which must be one.
    pub async fn hear(&mut self) -> Value {
        match within("a message", self.frame()).await {
            Ok(message) => message,
            Err(close) => panic!("the socket was closed: {close:?}"),
        }
    }

    /// The next message, if it is here already.
    pub fn heard(&mut self) -> Option<Value> {
        self.frame()
            .now_or_never()
            .map(|frame| frame.unwrap_or_else(|close| panic!("the socket was closed: {close:?}")))
    }

    /// How the hub closes the socket; whatever it says before that is passed over.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Err(close) = within("a close", self.frame()).await {
                let frame = close.unwrap_or(CloseFrame { code: CloseCode::Abnormal, reason: "gone".into() });
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    async fn frame(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            match self.inner.next().await {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("messages are JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// The next message of the operation `id`.
    pub async fn hear_of(&mut self, id: &str) -> Value {
        loop {
            let message = self.hear().await;
            if message["id"] == json!(id) {
                return message;
            }
        }
    }

    /// The next message, or the code with which the hub closes the socket.
    pub async fn hear_or_end(&mut self) -> Result<Value, u16> {
        let ended = |close: Option<CloseFrame>| close.map_or(1006, |close| close.code.into());
        within("a message, or an end", self.frame()).await.map_err(ended)
    }

    /// The next thing that the subscription `id` tells.
    pub async fn next(&mut self, id: &str) -> Value {
        loop {
            let mut message = self.hear().await;
            if message["id"] == json!(id) {
                assert_eq!(message["type"], json!("next"), "{message}");
                return message["payload"].take();
            }
        }
    }

    /// The next event of the subscription `id`.
    pub async fn event(&mut self, id: &str) -> Value {
        let mut payload = self.next(id).await;
        assert!(payload.get("errors").is_none(), "{payload}");
        payload["data"]["events"].take()
    }

    /// Follows the events, and waits until nothing was missed.
    pub async fn follow(&mut self, id: &str, input: Value) -> Vec<Value> {
        self.subscribe(id, EVENTS, json!({ "input": input })).await;
        self.until_caught_up(id).await
    }

    /// What comes before `CaughtUp`, and `CaughtUp` itself.
    pub async fn until_caught_up(&mut self, id: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            events.push(self.event(id).await);
            if events.last().is_some_and(|event| event["__typename"] == json!("CaughtUp")) {
                return events;
            }
        }
    }

    /// Events until a message with these words was sent.
    pub async fn until_body(&mut self, id: &str, body: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            events.push(self.event(id).await);
            if events.last().is_some_and(|event| event["message"]["body"] == json!(body)) {
                return events;
            }
        }
    }
}

/// The words of the messages among events.
pub fn bodies(events: &[Value]) -> Vec<String> {
    events.iter().filter_map(|event| event["message"]["body"].as_str()).map(str::to_owned).collect()
}
