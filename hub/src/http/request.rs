//! Each request gets a name, by which its lines in the log are found, and a line of its own when it is done.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use ipnet::IpNet;
use metrics::{counter, histogram};

use super::{GRAPHQL, Gate};
use crate::traces::Span;

/// The name of a request, for its log lines and for the client.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The address of who asks, as far as proxies can be believed.
#[derive(Debug, Clone, Copy)]
pub struct Client(pub Option<IpAddr>);

/// Who waited longer than this for an answer may well ask why; all others are too many to be told of.
const SLOW: Duration = Duration::from_secs(1);

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// What a request is a part of, as W3C Trace Context has it.
const PARENT: HeaderName = HeaderName::from_static("traceparent");

pub async fn identify(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let id = given(request.headers()).unwrap_or_else(|| gate.core.clock.new_id().simple().to_string());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let client = peer.map(|peer| client(peer, request.headers(), &gate.config.http.trusted_proxies));
    let path =
        request.extensions().get::<MatchedPath>().map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(Client(client));

    let mut span = begin(&gate, &request, &path, &id);
    let began = Instant::now();
    let mut response = span.within(next.run(request)).await;
    let (took, status) = (began.elapsed(), response.status().as_u16());
    span.note("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.fail("failed");
    }
    counter!("jackfield_http_requests_total", "path" => path.clone(), "status" => status.to_string()).increment(1);
    histogram!("jackfield_http_request_seconds", "path" => path.clone()).record(took.as_secs_f64());
    // A level is part of what a line is, and cannot be chosen while it is written.
    macro_rules! line {
        ($level:ident, $words:literal) => {
            tracing::$level!(
                request_id = id,
                client = client.map(tracing::field::display),
                %method,
                path,
                status,
                took_ms = took.as_secs_f64() * 1_000.0,
                trace_id = span.place().map(|place| tracing::field::display(format!("{:032x}", place.trace()))),
                $words
            )
        };
    }
    match status {
        500.. => line!(info, "request failed"),
        _ if took >= SLOW => line!(info, "request was slow"),
        _ => line!(debug, "request done"),
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

/// The trace of a request. Only GraphQL has one: what looks at the hub's health comes often and makes nothing happen.
fn begin(gate: &Gate, request: &Request, path: &str, id: &str) -> Span {
    let traces = &gate.core.traces;
    let (name, method) = match *request.method() {
        _ if !traces.is_on() || path != GRAPHQL => return Span::default(),
        Method::POST => ("POST /graphql", "POST"),
        Method::GET => ("GET /graphql", "GET"),
        _ => return Span::default(),
    };
    let parent = request.headers().get(PARENT).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut span = traces.begin(name, parent);
    span.note("http.request.method", method);
    span.note("http.route", GRAPHQL);
    span.note("jackfield.request_id", id.to_owned());
    span
}

/// A name that the client or a proxy gave, if it is one that may stand in a log.
fn given(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(HEADER)?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    ((1..=64).contains(&id.len()) && id.chars().all(plain)).then(|| id.to_owned())
}

/// The address of who asks: what proxies say is believed as far back as they are trusted.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer;
    let said = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let said: Vec<&str> = said.flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in said.iter().rev() {
        if !is_trusted(&client) {
            break;
        }
        let Ok(address) = hop.parse() else { break };
        client = address;
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_believed_only_if_it_is_trusted() {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        let client = |peer: &str, forwarded: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", forwarded.parse().expect("a header"));
            super::client(peer.parse().expect("an address"), &headers, &trusted).to_string()
        };
        assert_eq!(client("10.0.0.1", "203.0.113.9"), "203.0.113.9");
        assert_eq!(
            client("10.0.0.1", "198.51.100.7, 203.0.113.9, 10.0.0.2"),
            "203.0.113.9",
            "what came before may be forged"
        );
        assert_eq!(client("203.0.113.1", "198.51.100.7"), "203.0.113.1");
        assert_eq!(client("10.0.0.1", "nonsense"), "10.0.0.1");
    }
}
