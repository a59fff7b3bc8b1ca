//! What is outside of a hub, as a story wants it: servers that answer what their path says, names that lead to them, and one
//! that stands in the house and is never to be asked.

use std::{
    collections::HashMap,
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use flate2::{Compression, write::GzEncoder};
use jackfield::outside::{Names, Outside, is_public};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::interval,
};

use super::within;

/// A server, and what it was asked.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    /// Head and body, as they came.
    asked: watch::Sender<Vec<String>>,
    /// What is held back is answered once it is let go.
    held: watch::Sender<bool>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
        let address = listener.local_addr().expect("an address");
        let inner = Inner { address, asked: watch::Sender::default(), held: watch::Sender::new(true) };
        let server = Server(Arc::new(inner));
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                // Who is asked may go away in the middle of it, and nobody minds.
                tokio::spawn(async move { drop(server.serve(stream).await) });
            }
        });
        server
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// All that it was asked so far.
    pub fn asked(&self) -> Vec<String> {
        self.0.asked.borrow().clone()
    }

    /// Waits until it was asked so often.
    pub async fn is_asked(&self, times: usize) {
        let mut asked = self.0.asked.subscribe();
        within("a request", asked.wait_for(|asked| asked.len() >= times)).await.expect("the server is there");
    }

    /// What it holds back it answers from now on.
    pub fn let_go(&self) {
        self.0.held.send_replace(false);
    }

    async fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let request = read(&mut stream).await?;
        let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
        self.0.asked.send_modify(|asked| asked.push(request));
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path {
            "/endless" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
                loop {
                    stream.write_all(format!("1000\r\n{}\r\n", "a".repeat(0x1000)).as_bytes()).await?;
                }
            }
            "/drip" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await?;
                let mut drops = interval(Duration::from_millis(50));
                loop {
                    drops.tick().await;
                    stream.write_all(b"a").await?;
                }
            }
            "/held" => {
                let mut held = self.0.held.subscribe();
                held.wait_for(|held| !held).await.map_err(io::Error::other)?;
                stream.write_all(&answer(200, "", b"at last")).await?;
            }
            "/silent" => std::future::pending().await,
            "/closes" => {}
            path => stream.write_all(&of(path, query)).await?,
        }
        stream.shutdown().await
    }
}

/// The whole of what a path answers.
fn of(path: &str, query: &str) -> Vec<u8> {
    let to = |status| answer(status, &format!("location: {query}\r\n"), b"elsewhere");
    match path {
        "/301" => to(301),
        "/302" => to(302),
        "/303" => to(303),
        "/307" => to(307),
        "/308" => to(308),
        "/nowhere" => answer(302, "", b"nowhere"),
        "/large" => answer(200, "", &vec![b'a'; (1 << 20) + 1]),
        "/full" => answer(200, "", &vec![b'a'; 1 << 20]),
        "/long-head" => answer(200, &format!("x-long: {}\r\n", "a".repeat(20_000)), b"tea"),
        "/short" => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ntea".to_vec(),
        "/two-lengths" => b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\ntea".to_vec(),
        "/bad-chunks" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\ntea\r\n".to_vec(),
        "/nonsense" => b"220 mail.example ESMTP\r\n".to_vec(),
        "/packed" => answer(200, "content-encoding: gzip\r\n", &packed(b"tea")),
        "/half-packed" => answer(200, "content-encoding: gzip\r\n", &packed(b"tea")[..15]),
        "/twice-packed" => answer(200, "content-encoding: gzip, gzip\r\n", &packed(&packed(b"tea"))),
        "/bomb" => answer(200, "content-encoding: gzip\r\n", bomb()),
        "/missing" => answer(404, "", b"there is no such thing"),
        _ => answer(200, "", b"tea"),
    }
}

fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Whatever\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("there is room");
    encoder.finish().expect("there is room")
}

/// What is small, and becomes 64 MiB.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..64 {
            encoder.write_all(&vec![b'a'; 1 << 20]).expect("there is room");
        }
        encoder.finish().expect("there is room")
    })
}

async fn read(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4_096];
        let count = stream.read(&mut part).await?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.to_ascii_lowercase();
            let length = length.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()?.parse().ok());
            body.len() >= length.unwrap_or(0)
        });
        if whole || count == 0 {
            return Ok(text);
        }
    }
}

/// Names, each with the addresses that it has the first time, the second time …; the last ones stay.
#[derive(Default)]
struct Known(Mutex<HashMap<String, Vec<Vec<SocketAddr>>>>);

#[async_trait]
impl Names for Known {
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        let mut known = self.0.lock().expect("nobody panics here");
        let turns = known.get_mut(name).ok_or_else(|| io::Error::other("there is no such name"))?;
        Ok(if turns.len() > 1 { turns.remove(0) } else { turns[0].clone() })
    }
}

/// All that is outside.
pub struct Net {
    /// `granted.example`, and whatever else is public.
    pub server: Server,
    /// `other.example`.
    pub other: Server,
    /// In the house: nobody who comes from outside may reach it.
    pub inside: Server,
    names: Arc<Known>,
}

impl Net {
    pub async fn new() -> Self {
        let (server, other, inside) = (Server::start().await, Server::start().await, Server::start().await);
        let net = Net { server, other, inside, names: Arc::default() };
        let (public, other) = (net.server.address(), net.other.address());
        net.knows("granted.example", &[&[public]]);
        net.knows("public.example", &[&[public]]);
        net.knows("other.example", &[&[other]]);
        net
    }

    /// Where a name leads, the first time and the next ones.
    pub fn knows(&self, name: &str, turns: &[&[SocketAddr]]) {
        let turns = turns.iter().map(|turn| turn.to_vec()).collect();
        self.names.0.lock().expect("nobody panics here").insert(name.to_owned(), turns);
    }

    /// The way out of a hub: these names, and besides what is public the two servers that stand for it.
    pub fn way_out(&self) -> Outside {
        let admitted = [self.server.address(), self.other.address()];
        let filter = move |address: SocketAddr| is_public(address.ip()) || admitted.contains(&address);
        Outside::new(self.names.clone(), Arc::new(filter))
    }
}
