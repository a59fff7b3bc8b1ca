//! A connection byte by byte, for clients that do not behave.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use super::within;

pub struct Wire {
    pub stream: TcpStream,
}

impl Wire {
    /// Connects, with so little room for what it is sent that the hub soon has to wait.
    pub async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("a URL").parse().expect("an address");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1_024).expect("a small buffer");
        Wire { stream: within("a connection", socket.connect(address)).await.expect("a connection") }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("a write", self.stream.write_all(bytes.as_ref())).await.expect("a write");
    }

    /// The head of an answer; none if the hub hangs up instead.
    pub async fn head(&mut self) -> Option<String> {
        self.until("\r\n\r\n").await
    }

    /// What comes up to these characters; none if the hub hangs up before.
    pub async fn until(&mut self, end: &str) -> Option<String> {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            heard.push(within("more of an answer", self.stream.read_u8()).await.ok()?);
        }
        Some(String::from_utf8(heard).expect("an answer is text"))
    }

    /// Whatever still comes until the hub hangs up.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A connection that is reset is as much at its end as one that is closed.
        let _ = within("the end of a connection", self.stream.read_to_end(&mut rest)).await;
        rest
    }

    /// Asks for a WebSocket, and answers what the hub says to that.
    pub async fn upgrade(&mut self, protocols: &str) -> Option<String> {
        self.send(format!(
            "GET /graphql HTTP/1.1\r\nhost: hub\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: {protocols}\r\n\r\n"
        ))
        .await;
        self.head().await
    }

    /// Says something as a WebSocket frame, masked with nothing.
    pub async fn say(&mut self, text: &str) {
        let length = u16::try_from(text.len()).expect("a short text");
        // The last of a text; masked, with a length of two bytes.
        let mut frame = vec![0b1000_0001, 0b1111_1110];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.send(frame).await;
    }
}
