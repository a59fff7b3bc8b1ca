//! A wire between the hub and a server, which the story can cut.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What becomes of what is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Whole,
    /// Connections break, and no new ones are made.
    Cut,
    /// Nothing arrives, and nobody says so.
    Silent,
}

pub struct Proxy {
    pub address: String,
    wire: Arc<watch::Sender<Wire>>,
}

impl Proxy {
    /// Stands in front of a server.
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let wire = Arc::new(watch::Sender::new(Wire::Whole));
        let held = wire.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, server.clone(), held.subscribe()));
            }
        });
        Proxy { address, wire }
    }

    pub fn cut(&self) {
        self.wire.send_replace(Wire::Cut);
    }

    pub fn silence(&self) {
        self.wire.send_replace(Wire::Silent);
    }

    pub fn mend(&self) {
        self.wire.send_replace(Wire::Whole);
    }
}

async fn carry(mut inner: TcpStream, server: String, mut wire: watch::Receiver<Wire>) {
    if *wire.borrow() == Wire::Cut {
        return;
    }
    if *wire.borrow() == Wire::Whole {
        let Ok(mut outer) = TcpStream::connect(&server).await else { return };
        tokio::select! {
            _ = copy_bidirectional(&mut inner, &mut outer) => return,
            _ = wire.wait_for(|wire| *wire != Wire::Whole) => {}
        }
        if *wire.borrow() == Wire::Cut {
            return;
        }
        // Silent: both ends stay open and hear nothing, until the wire is whole again, when they find it broken.
        let _ = wire.wait_for(|wire| *wire != Wire::Silent).await;
        drop(outer);
        return;
    }
    let _ = wire.wait_for(|wire| *wire != Wire::Silent).await;
}
