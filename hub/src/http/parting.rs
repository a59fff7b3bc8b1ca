//! How a connection is let go.
//!
//! A socket that is closed while words of the other side are still unread takes the hub's last answer down with it: the
//! system resets the connection, and the other side, which was still talking, never reads why. So whoever is still
//! talking is heard out, for a while, and nothing of it is kept.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    runtime::Handle,
    time::timeout,
};

use super::server::Place;

/// How long somebody is heard out, and how much of it.
const LIMIT: Duration = Duration::from_secs(2);
const LIMIT_BYTES: u64 = 8 * 1_024 * 1_024;

/// A connection that, when it is dropped, hears the other side out.
pub struct Courteous {
    /// None once it is dropped.
    stream: Option<TcpStream>,
    /// Whether the other side has said that it is done.
    ended: bool,
    place: Place,
}

impl Courteous {
    pub fn new(stream: TcpStream, place: Place) -> Self {
        Courteous { stream: Some(stream), ended: false, place }
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.stream.as_mut().expect("it is taken only when this is dropped"))
    }
}

impl Drop for Courteous {
    fn drop(&mut self) {
        if let (Some(stream), false, Ok(runtime)) = (self.stream.take(), self.ended, Handle::try_current()) {
            runtime.spawn(hear_out(stream, self.place.clone()));
        }
    }
}

async fn hear_out(mut stream: TcpStream, _place: Place) {
    let _ = timeout(LIMIT, async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LIMIT_BYTES), &mut tokio::io::sink()).await
    })
    .await;
}

impl AsyncRead for Courteous {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(self.stream().poll_read(context, buffer));
        self.ended |= read.is_err() || (buffer.filled().len() == before && buffer.remaining() > 0);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Courteous {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        slices: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
