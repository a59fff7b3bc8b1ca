//! The two ways to the hub, with no more work than measuring needs: the client shares the machine's cores with the hub,
//! and what it spends, the hub lacks. So requests are written as bytes, answers are scanned and not parsed.

pub mod http;
pub mod websocket;

use std::{net::SocketAddr, time::Duration};

use memchr::memmem;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::Result;

/// Nothing that the hub is asked for may take longer.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(30);

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = timeout(ANSWER_LIMIT, TcpStream::connect(address)).await.map_err(|_| "connecting took too long")?;
    let stream = stream.map_err(|error| format!("nobody answers at {address}: {error}"))?;
    // A message is written whole; waiting for more of it would be measured as the hub's time.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads what is there, behind what was read before. Takes larger bites where the last one was full.
async fn read_more(stream: &mut TcpStream, incoming: &mut Vec<u8>) -> Result<()> {
    const FIRST_BYTES: usize = 1_024;
    const MOST_BYTES: usize = 64 * 1_024;
    if incoming.capacity() - incoming.len() < FIRST_BYTES / 2 {
        incoming.reserve(incoming.capacity().clamp(FIRST_BYTES, MOST_BYTES));
    }
    match stream.read_buf(incoming).await? {
        0 => Err("the hub closed the connection".into()),
        _ => Ok(()),
    }
}

/// The number behind these words.
pub fn number_after(text: &[u8], words: &[u8]) -> Option<u64> {
    number_at(text, memmem::find(text, words)? + words.len())
}

pub fn number_at(text: &[u8], at: usize) -> Option<u64> {
    let digits = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
    let (number, length) =
        digits.take(19).fold((0, 0), |(number, length), digit| (number * 10 + u64::from(digit - b'0'), length + 1));
    (length > 0).then_some(number)
}

/// The beginning of an answer, to be shown.
pub fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(400)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_behind_their_words() {
        let text = br#"{"message":{"sequence":1042,"id":"x"}}"#;
        assert_eq!(number_after(text, b"\"sequence\":"), Some(1_042));
        assert_eq!(number_after(text, b"\"id\":"), None);
        assert_eq!(number_after(text, b"absent"), None);
    }
}
