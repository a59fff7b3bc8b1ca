//! Asking servers outside of the hub for plugins: the only place from which that is done.
//!
//! Which addresses names have, and which of them may be asked, is given to the hub when it is put together, as the clock is, and
//! cannot be configured. Every address is looked at, that of each redirect like the first, and is the one that is connected to.

mod addresses;
mod answers;
mod names;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use jackfield_domain::plugins::{Answered, Method, NoAnswer, Origin, Passage, Reach, Request};
use reqwest::{
    Client, RequestBuilder, StatusCode,
    header::{ACCEPT_ENCODING, HeaderName, HeaderValue, LOCATION},
    redirect::Policy,
};
use url::{Host, Url};

pub use addresses::is_public;
use names::{Blocked, Guarded};
pub use names::{Filter, Names, System};

/// So long everything may take: names, connections, redirects, and all of the answer.
pub const LIMIT: Duration = Duration::from_secs(5);
/// So often a server may send on to another address.
const REDIRECTS: usize = 3;
/// What is said of an error has at most so many characters.
const WORDS_MAX: usize = 200;

/// The secrets that a request refers to, by their names.
pub type Secrets = HashMap<String, Vec<u8>>;

/// The way out of the hub.
#[derive(Clone)]
pub struct Outside(Arc<Inner>);

struct Inner {
    names: Arc<dyn Names>,
    filter: Filter,
    /// Made when it is first needed: most hubs never ask anybody.
    client: OnceLock<Client>,
}

impl Outside {
    /// Names as the machine knows them, and addresses that are public.
    pub fn system() -> Self {
        Outside::new(Arc::new(System), Arc::new(|address: SocketAddr| is_public(address.ip())))
    }

    /// Names and addresses as somebody else knows them.
    pub fn new(names: Arc<dyn Names>, filter: Filter) -> Self {
        Outside(Arc::new(Inner { names, filter, client: OnceLock::new() }))
    }

    /// Asks, as far as that reaches.
    pub async fn ask(&self, request: &Request, reach: &Reach, secrets: &Secrets) -> Answered {
        let asked = tokio::time::timeout(LIMIT, self.follow(request, reach, secrets)).await;
        asked.unwrap_or(Err(NoAnswer::TimedOut))
    }

    async fn follow(&self, request: &Request, reach: &Reach, secrets: &Secrets) -> Answered {
        let mut url = request.check().map_err(NoAnswer::Refused)?;
        let mut hop = Hop { method: request.method, body: request.body.clone().map(Bytes::from), is_at_home: true };
        let home = Origin::of(&url);
        for redirects in 0..=REDIRECTS {
            url.set_fragment(None);
            let passage = reach.allows(hop.method, &url).map_err(NoAnswer::Refused)?;
            self.admit_literal(&url)?;
            let asked = self.request(request, &hop, url.clone(), passage, secrets)?;
            let response = asked.send().await.map_err(failed)?;
            let Some(next) = sent_on(&response)? else {
                return answers::read(response, request.enough_bytes).await;
            };
            if redirects == REDIRECTS {
                return Err(NoAnswer::Refused(format!("it sends on more than {REDIRECTS} times")));
            }
            hop.goes_on(response.status());
            url = next;
            // What was meant for one server is for no other one, and stays away when that one sends back.
            hop.is_at_home &= Origin::of(&url) == home;
        }
        unreachable!("the last turn returns")
    }

    /// What stands in a URL as an address asks nobody for a name.
    fn admit_literal(&self, url: &Url) -> Result<(), NoAnswer> {
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => ip.into(),
            Some(Host::Ipv6(ip)) => ip.into(),
            _ => return Ok(()),
        };
        let address = SocketAddr::new(ip, url.port_or_known_default().unwrap_or_default());
        if (self.0.filter)(address) {
            return Ok(());
        }
        Err(NoAnswer::Refused(format!("{ip} is no address of the public internet")))
    }

    fn request(
        &self,
        request: &Request,
        hop: &Hop,
        url: Url,
        passage: Passage,
        secrets: &Secrets,
    ) -> Result<RequestBuilder, NoAnswer> {
        let method = reqwest::Method::from_bytes(hop.method.as_str().as_bytes()).expect("these are methods");
        let mut asked = self.client()?.request(method, url).header(ACCEPT_ENCODING, "gzip");
        if hop.is_at_home {
            for header in &request.headers {
                asked = asked.header(&header.name, &header.value);
            }
            if passage != Passage::Granted && !request.secret_headers.is_empty() {
                return Err(NoAnswer::Refused("secrets are sent to origins that were granted alone".to_owned()));
            }
            for header in &request.secret_headers {
                let refused = |why| NoAnswer::Refused(format!("the secret «{}» {why}", header.secret));
                let secret = secrets.get(&header.secret).ok_or_else(|| refused("was not entrusted"))?;
                let value = [header.prefix.as_bytes(), secret].concat();
                let value = HeaderValue::from_bytes(&value).map_err(|_| refused("cannot stand in a header"))?;
                let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| refused("has no header"))?;
                asked = asked.header(name, sensitive(value));
            }
        }
        Ok(match &hop.body {
            Some(body) => asked.body(body.clone()),
            None => asked,
        })
    }

    fn client(&self) -> Result<&Client, NoAnswer> {
        if let Some(client) = self.0.client.get() {
            return Ok(client);
        }
        let guarded = Guarded { names: self.0.names.clone(), filter: self.0.filter.clone() };
        let made = Client::builder()
            .user_agent(concat!("jackfield/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(guarded))
            // A proxy would look up names by itself.
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .http1_only()
            // What one plugin has connected to is for no other one.
            .pool_max_idle_per_host(0)
            .retry(reqwest::retry::never())
            .timeout(LIMIT)
            .build();
        let made = made.map_err(|error| {
            tracing::error!(%error, "nobody outside of the hub can be asked");
            NoAnswer::Unreachable("the hub cannot ask anybody".to_owned())
        })?;
        Ok(self.0.client.get_or_init(|| made))
    }
}

fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// How the next address is asked.
struct Hop {
    method: Method,
    body: Option<Bytes>,
    /// Whether it was never sent on to another origin.
    is_at_home: bool,
}

impl Hop {
    /// As browsers do it.
    fn goes_on(&mut self, status: StatusCode) {
        let becomes_get = match status {
            StatusCode::SEE_OTHER => true,
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::Post,
            _ => false,
        };
        if becomes_get {
            (self.method, self.body) = (Method::Get, None);
        }
    }
}

/// Where a server sends on to, if it does.
fn sent_on(response: &reqwest::Response) -> Result<Option<Url>, NoAnswer> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let bad = || NoAnswer::Malformed("it sends on to what is no address".to_owned());
    let location = std::str::from_utf8(location.as_bytes()).map_err(|_| bad())?;
    response.url().join(location).map(Some).map_err(|_| bad())
}

/// Why there is no answer, in words that show nothing of what was sent.
fn failed(error: reqwest::Error) -> NoAnswer {
    let (is_timeout, is_connect) = (error.is_timeout(), error.is_connect());
    let error = error.without_url();
    let causes = || std::iter::successors(Some(&error as &dyn std::error::Error), |cause| cause.source());
    if causes().any(<dyn std::error::Error>::is::<Blocked>) {
        return NoAnswer::Refused(Blocked.to_string());
    }
    if is_timeout {
        return NoAnswer::TimedOut;
    }
    let words = causes().last().map(ToString::to_string).unwrap_or_default();
    let words = words.chars().take(WORDS_MAX).collect();
    if !is_connect && causes().any(is_no_http) { NoAnswer::Malformed(words) } else { NoAnswer::Unreachable(words) }
}

/// Whether what came is not what was announced, or no HTTP at all. A connection that broke is neither.
fn is_no_http(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let is_parse = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
    let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    is_parse || matches!(kind, Some(InvalidData | InvalidInput | UnexpectedEof))
}
