//! A Redis of the story's own, which it may kill.

use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

use super::within;

pub struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    pub async fn start() -> Self {
        let mut redis = Redis::absent().await;
        redis.rise().await;
        redis
    }

    /// One that is still to come.
    pub async fn absent() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address").port();
        Redis { port, child: None }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn kill(&mut self) {
        within("the end of Redis", self.child.take().expect("it runs").kill()).await.expect("it can be killed");
    }

    /// On the same port as before, with nothing in memory.
    pub async fn rise(&mut self) {
        let port = self.port.to_string();
        let arguments =
            ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--loglevel", "warning"];
        let child =
            Command::new("redis-server").args(arguments).kill_on_drop(true).spawn().expect("redis-server is installed");
        self.child = Some(child);
        within("Redis", async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
