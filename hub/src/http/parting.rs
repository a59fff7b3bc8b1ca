//! How a connection is let go.
//!
//! A socket that is closed while words of the other side are still unread takes the hub's last answer down with it: the
//! system resets the connection, and the other side, which was still talking, never reads why. So whoever is still
//! talking is heard out, for a while, and nothing of it is kept.
//!
//! Whoever does not read is cut off, whatever is being written: what waits for them is kept in memory that long.

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
    time::{Sleep, sleep, timeout},
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
    /// How long the other side may read nothing of what waits for it.
    patience: Duration,
    /// Runs while it reads nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Courteous {
    pub fn new(stream: TcpStream, place: Place, patience: Duration) -> Self {
        Courteous { stream: Some(stream), ended: false, place, patience, stalled: None }
    }

    /// Passes on how a write went, unless nothing could be written for too long.
    fn unless_stalled<T>(&mut self, context: &mut Context, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        self.ended = true;
        // Nor is the system to keep what it holds for them.
        let _ = self.stream().set_zero_linger();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
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
        let wrote = self.stream().poll_write(context, bytes);
        self.unless_stalled(context, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        slices: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        let wrote = self.stream().poll_write_vectored(context, slices);
        self.unless_stalled(context, wrote)
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
