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
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{World, account::does, within};

/// The plugin that looks at links.
pub const LINK_PREVIEWS: &str = "jackfield.link-previews";

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

/// Lets the plugin that looks at links ask other servers, or takes that away, and waits until all nodes know it.
pub async fn may_look_at_links(world: &World, may_ask: bool) {
    let mut capabilities = vec!["KV", "MESSAGES_READ", "ANNOTATIONS"];
    if may_ask {
        capabilities.push("FETCH_PUBLIC_URL");
    }
    let operator = world.operator().await;
    let input = json!({ "pluginId": LINK_PREVIEWS, "scope": "HUB", "capabilities": capabilities });
    assert_eq!(does(&operator, "pluginSettingsUpdate", input, "").await["errors"], json!([]));
    within("the grant at all nodes", async {
        for node in 0..world.node_count() {
            let operator = operator.at(world, node);
            let is_known = async || {
                let found = operator.ask("{ plugins { id grantedCapabilities } }", json!({})).await;
                of_link_previews(&found)["grantedCapabilities"].as_array().map(Vec::len) == Some(capabilities.len())
            };
            while !is_known().await {
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
}

/// What is said of that plugin in a list of all.
pub fn of_link_previews(found: &Value) -> Value {
    let plugins = found["plugins"].as_array().expect("plugins");
    plugins.iter().find(|plugin| plugin["id"] == json!(LINK_PREVIEWS)).expect("it comes with the hub").clone()
}
