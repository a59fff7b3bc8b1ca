//! Servers that a hub asks for its plugins: pages under invented names, all of which lead here, and nowhere else may be asked.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use jackfield::outside::{Names, Outside};
use tokio::net::TcpListener;

/// What there is, by addresses without their scheme, and what was asked for, in its order.
#[derive(Default)]
struct Pages {
    there: HashMap<String, String>,
    asked: Vec<String>,
}

pub struct Web {
    address: SocketAddr,
    pages: Arc<Mutex<Pages>>,
}

impl Web {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let pages = Arc::<Mutex<Pages>>::default();
        let router = Router::new().fallback(answer).with_state(pages.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Web { address, pages }
    }

    /// What a hub that is to reach it is given.
    pub fn outside(&self) -> Outside {
        let here = self.address;
        Outside::new(Arc::new(Here(here)), Arc::new(move |address| address == here))
    }

    /// Puts a page of HTML there.
    pub fn page(&self, address: &str, html: &str) {
        self.pages.lock().expect("nobody fails").there.insert(address.to_owned(), html.to_owned());
    }

    /// What was asked for, by addresses without their scheme.
    pub fn asked(&self) -> Vec<String> {
        self.pages.lock().expect("nobody fails").asked.clone()
    }
}

async fn answer(State(pages): State<Arc<Mutex<Pages>>>, request: Request) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let address = format!("{host}{}", request.uri());
    let mut pages = pages.lock().expect("nobody fails");
    pages.asked.push(address.clone());
    match pages.there.get(&address) {
        Some(html) => Html(html.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Every invented name leads to one place.
struct Here(SocketAddr);

#[async_trait]
impl Names for Here {
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        if name.ends_with(".example") { Ok(vec![self.0]) } else { Err(io::ErrorKind::NotFound.into()) }
    }
}
