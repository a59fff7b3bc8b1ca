//! One HTTP/1.1 connection that is kept: a POST goes out, its answer comes in.

use std::{io::Write, net::SocketAddr};

use memchr::memmem;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{ANSWER_LIMIT, number_at, read_more, shown};
use crate::Result;

pub struct HttpConnection {
    stream: TcpStream,
    /// Everything of a request's head that stays the same.
    head: Vec<u8>,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
}

impl HttpConnection {
    pub async fn open(address: SocketAddr, token: Option<&str>) -> Result<Self> {
        let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nHost: {address}\r\n{authorization}Content-Type: application/json\r\n\
             Accept: application/graphql-response+json\r\nContent-Length: "
        );
        let stream = super::connect(address).await?;
        Ok(HttpConnection { stream, head: head.into_bytes(), outgoing: Vec::new(), incoming: Vec::new() })
    }

    /// Sends a body and waits for the body of the answer, with its status.
    pub async fn post(&mut self, body: &[u8]) -> Result<(u64, &[u8])> {
        self.outgoing.clear();
        self.outgoing.extend_from_slice(&self.head);
        write!(self.outgoing, "{}\r\n\r\n", body.len())?;
        self.outgoing.extend_from_slice(body);
        self.stream.write_all(&self.outgoing).await?;
        self.incoming.clear();
        let answer = timeout(ANSWER_LIMIT, self.receive()).await.map_err(|_| "an answer took too long")??;
        Ok((answer.status, &self.incoming[answer.body_begins..]))
    }

    async fn receive(&mut self) -> Result<Received> {
        let mut expected: Option<(Received, usize)> = None;
        loop {
            read_more(&mut self.stream, &mut self.incoming).await?;
            if expected.is_none() {
                expected = head_of(&self.incoming)?;
            }
            match &expected {
                Some((received, ends)) if self.incoming.len() == *ends => return Ok(*received),
                Some((_, ends)) if self.incoming.len() > *ends => return Err("more came than was asked for".into()),
                _ => {}
            }
        }
    }

    /// Asks and reads the answer as JSON: for what is done before and after the measuring.
    pub async fn ask(&mut self, query: &str, variables: Value) -> Result<Value> {
        let request = json!({ "query": query, "variables": variables }).to_string();
        let (status, answer) = self.post(request.as_bytes()).await?;
        let parsed: Value = serde_json::from_slice(answer)?;
        if status != 200 || parsed.get("errors").is_some() {
            return Err(format!("{query}: {status} {}", shown(answer)).into());
        }
        // Every payload of a mutation tells its refusals in the same place.
        let payloads = parsed["data"].as_object().into_iter().flatten();
        for (name, payload) in payloads {
            if payload["errors"].as_array().is_some_and(|errors| !errors.is_empty()) {
                return Err(format!("{name} was refused: {}", shown(answer)).into());
            }
        }
        Ok(parsed)
    }
}

/// Puts a file where the hub said that it may be put.
pub async fn put(address: SocketAddr, path: &str, body: &[u8]) -> Result<()> {
    let mut stream = super::connect(address).await?;
    let length = body.len();
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let mut answer = Vec::new();
    let taken = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body).await?;
        stream.read_to_end(&mut answer).await
    };
    timeout(ANSWER_LIMIT, taken).await.map_err(|_| "an upload took too long")??;
    match number_at(&answer, "HTTP/1.1 ".len()) {
        Some(204) => Ok(()),
        _ => Err(format!("an upload was refused: {}", shown(&answer)).into()),
    }
}

#[derive(Debug, Clone, Copy)]
struct Received {
    status: u64,
    body_begins: usize,
}

/// The status, and where the body begins and ends, once the head is there.
fn head_of(incoming: &[u8]) -> Result<Option<(Received, usize)>> {
    let Some(blank) = memmem::find(incoming, b"\r\n\r\n") else { return Ok(None) };
    let head = &incoming[..blank];
    let status = number_at(head, "HTTP/1.1 ".len()).ok_or("this is no HTTP/1.1")?;
    let mut lines = head.split(|byte| *byte == b'\n').skip(1);
    const LENGTH: &[u8] = b"content-length: ";
    let length = lines.find_map(|line| {
        let is_length = line.get(..LENGTH.len()).is_some_and(|name| name.eq_ignore_ascii_case(LENGTH));
        is_length.then(|| number_at(line, LENGTH.len())).flatten()
    });
    let length = length.ok_or_else(|| format!("an answer without a length: {}", shown(incoming)))?;
    let body_begins = blank + 4;
    Ok(Some((Received { status, body_begins }, body_begins + length as usize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_where_the_body_is() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
        let (received, ends) = head_of(answer).expect("it is sound").expect("it is whole");
        assert_eq!((received.status, &answer[received.body_begins..ends]), (200, &b"hello"[..]));
        assert!(head_of(&answer[..40]).expect("it is sound").is_none());
        assert!(head_of(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
