//! One WebSocket that speaks graphql-transport-ws.
//!
//! Not a whole implementation of RFC 6455: it takes what a hub on loopback sends, in place and without a copy, and
//! calls everything else a fault.

use std::{net::SocketAddr, ops::Range};

use memchr::memmem;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::{ANSWER_LIMIT, read_more, shown};
use crate::Result;

const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

pub struct WebSocket {
    stream: TcpStream,
    incoming: Vec<u8>,
    /// Everything before this was taken.
    taken: usize,
    outgoing: Vec<u8>,
}

impl WebSocket {
    /// Connects, introduces itself and is let in.
    pub async fn open(address: SocketAddr, token: &str) -> Result<Self> {
        timeout(ANSWER_LIMIT, Self::introduced(address, token)).await.map_err(|_| "a socket took too long to open")?
    }

    async fn introduced(address: SocketAddr, token: &str) -> Result<Self> {
        let stream = super::connect(address).await?;
        let mut socket = WebSocket { stream, incoming: Vec::new(), taken: 0, outgoing: Vec::new() };
        // The key only keeps caches from answering; there is none on loopback, so it may be the same each time.
        let upgrade = format!(
            "GET /graphql HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: amFja2ZpZWxkLWxvYWQhIQ==\r\n\
             Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        );
        socket.stream.write_all(upgrade.as_bytes()).await?;
        let blank = loop {
            read_more(&mut socket.stream, &mut socket.incoming).await?;
            if let Some(blank) = memmem::find(&socket.incoming, b"\r\n\r\n") {
                break blank;
            }
        };
        if !socket.incoming.starts_with(b"HTTP/1.1 101") {
            return Err(format!("no WebSocket: {}", shown(&socket.incoming)).into());
        }
        socket.taken = blank + 4;
        let authorization = format!("Bearer {token}");
        socket.say(json!({ "type": "connection_init", "payload": { "authorization": authorization } }).to_string());
        let answer = socket.next_text().await?;
        if memmem::find(socket.text(&answer), b"connection_ack").is_none() {
            return Err(format!("not let in: {}", shown(socket.text(&answer))).into());
        }
        Ok(socket)
    }

    /// Puts a text in line; `flush` hands it to the network.
    pub fn say(&mut self, text: impl AsRef<[u8]>) {
        self.queue(TEXT, text.as_ref());
    }

    fn queue(&mut self, opcode: u8, payload: &[u8]) {
        self.outgoing.push(0x80 | opcode);
        match payload.len() {
            short @ 0..126 => self.outgoing.push(0x80 | short as u8),
            middle @ 126..65_536 => {
                self.outgoing.push(0x80 | 126);
                self.outgoing.extend_from_slice(&(middle as u16).to_be_bytes());
            }
            long => {
                self.outgoing.push(0x80 | 127);
                self.outgoing.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        // A mask of zeros leaves the words as they are. It is there against proxies that mistake frames for requests,
        // and there is no proxy here.
        self.outgoing.extend_from_slice(&[0; 4]);
        self.outgoing.extend_from_slice(payload);
    }

    pub async fn flush(&mut self) -> Result<()> {
        if !self.outgoing.is_empty() {
            self.stream.write_all(&self.outgoing).await?;
            self.outgoing.clear();
        }
        Ok(())
    }

    /// Waits for more bytes. Can be cancelled without a loss.
    pub async fn fill(&mut self) -> Result<()> {
        self.incoming.drain(..self.taken);
        self.taken = 0;
        read_more(&mut self.stream, &mut self.incoming).await
    }

    /// The next text that is here already. Pings are answered with the next `flush`.
    pub fn buffered_text(&mut self) -> Result<Option<Range<usize>>> {
        loop {
            let Some(frame) = frame_of(&self.incoming[self.taken..])? else { return Ok(None) };
            let payload = self.taken + frame.payload.start..self.taken + frame.payload.end;
            self.taken = payload.end;
            match frame.opcode {
                TEXT => return Ok(Some(payload)),
                PING => {
                    let words = self.incoming[payload].to_vec();
                    self.queue(PONG, &words);
                }
                PONG => {}
                CLOSE => return Err(closed(&self.incoming[payload])),
                other => return Err(format!("a frame of kind {other}").into()),
            }
        }
    }

    /// The next text, however long it takes.
    pub async fn next_text(&mut self) -> Result<Range<usize>> {
        loop {
            if let Some(text) = self.buffered_text()? {
                return Ok(text);
            }
            self.flush().await?;
            self.fill().await?;
        }
    }

    /// The words of a text, until more is read.
    pub fn text(&self, range: &Range<usize>) -> &[u8] {
        &self.incoming[range.clone()]
    }
}

fn closed(payload: &[u8]) -> Box<dyn std::error::Error + Send + Sync> {
    let code = payload.get(..2).map_or(0, |code| u16::from_be_bytes([code[0], code[1]]));
    format!("the hub closed the socket: {code} {}", shown(payload.get(2..).unwrap_or_default())).into()
}

#[derive(Debug)]
struct Frame {
    opcode: u8,
    payload: Range<usize>,
}

/// The first frame, if it is whole.
fn frame_of(bytes: &[u8]) -> Result<Option<Frame>> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    if first & 0xF0 != 0x80 || second & 0x80 != 0 {
        return Err("a frame that is fragmented, compressed or masked".into());
    }
    let (begins, length) = match second {
        126 => match bytes.get(2..4) {
            Some(length) => (4, usize::from(u16::from_be_bytes([length[0], length[1]]))),
            None => return Ok(None),
        },
        127 => match bytes.get(2..10).and_then(|length| <[u8; 8]>::try_from(length).ok()) {
            Some(length) => (10, usize::try_from(u64::from_be_bytes(length))?),
            None => return Ok(None),
        },
        short => (2, usize::from(short)),
    };
    // Nothing that is measured here is larger; a length gone wrong would be waited for for ever.
    if length > 16 * 1_024 * 1_024 {
        return Err(format!("a frame of {length} bytes").into());
    }
    let payload = begins..begins + length;
    Ok((bytes.len() >= payload.end).then_some(Frame { opcode: first & 0x0F, payload }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_found_once_it_is_whole() {
        let mut bytes = vec![0x81, 126, 0, 200];
        bytes.extend([b'x'; 200]);
        for cut in [0, 1, 3, 100, 203] {
            assert!(frame_of(&bytes[..cut]).expect("it is sound").is_none());
        }
        let frame = frame_of(&bytes).expect("it is sound").expect("it is whole");
        assert_eq!((frame.opcode, frame.payload), (TEXT, 4..204));
        assert!(frame_of(&[0x01, 0]).is_err(), "fragments are not expected");
    }
}
