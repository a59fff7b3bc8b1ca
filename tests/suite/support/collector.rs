//! A collector of traces, as somebody would have one beside the hub.

use std::{fmt, sync::Arc};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use jackfield::config::Config;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span as Told, span::SpanKind, status::StatusCode},
};
use prost::Message;
use tokio::{net::TcpListener, sync::watch};

use super::within;

/// What every request to it must bring along.
pub const KEY: &str = "what the collector wants to be told";

/// Something that was done, as the hub told it.
#[derive(Clone)]
pub struct Span {
    /// Which node of which service did it.
    pub node: String,
    pub service: String,
    told: Told,
}

#[derive(Default)]
struct Taken {
    spans: Vec<Span>,
    bytes: Vec<u8>,
}

pub struct Collector {
    pub address: String,
    taken: Arc<watch::Sender<Taken>>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let taken = Arc::<watch::Sender<Taken>>::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(taken.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Collector { address, taken }
    }

    /// Has a hub send everything here.
    pub fn wanted(&self) -> impl Fn(&mut Config) + Send + 'static + use<> {
        let endpoint = format!("http://{}", self.address);
        move |config| {
            config.traces.endpoint = Some(endpoint.clone());
            config.traces.headers.insert("x-key".to_owned(), KEY.to_owned());
        }
    }

    /// What it was told by the time that it has enough.
    pub async fn until(&self, what: &str, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let mut taken = self.taken.subscribe();
        let taken = within(what, taken.wait_for(|taken| enough(&taken.spans))).await.expect("it is there");
        taken.spans.clone()
    }

    pub fn spans(&self) -> Vec<Span> {
        self.taken.borrow().spans.clone()
    }

    /// Did these words come here, as a part of anything?
    pub fn holds(&self, words: &str) -> bool {
        self.taken.borrow().bytes.windows(words.len()).any(|found| found == words.as_bytes())
    }
}

async fn take(State(taken): State<Arc<watch::Sender<Taken>>>, headers: HeaderMap, body: Bytes) {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["x-key"], KEY);
    let export = ExportTraceServiceRequest::decode(body.clone()).expect("OTLP");
    let mut spans = Vec::new();
    for of_resource in export.resource_spans {
        let resource = of_resource.resource.expect("somebody tells it").attributes;
        let (node, service) = (word(&resource, "service.instance.id"), word(&resource, "service.name"));
        for told in of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans) {
            spans.push(Span { node: node.clone(), service: service.clone(), told });
        }
    }
    taken.send_modify(|taken| {
        taken.spans.extend(spans);
        taken.bytes.extend_from_slice(&body);
    });
}

fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?.value.as_ref()
}

fn word(attributes: &[KeyValue], key: &str) -> String {
    match find(attributes, key) {
        Some(Value::StringValue(word)) => word.clone(),
        other => panic!("{key} is {other:?} in {attributes:?}"),
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id: String = self.told.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
        write!(f, "{} {id} of {} in {} at {}", self.name(), self.parent(), self.trace(), self.node)
    }
}

impl Span {
    pub fn name(&self) -> &str {
        &self.told.name
    }

    pub fn trace(&self) -> String {
        self.told.trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn parent(&self) -> String {
        self.told.parent_span_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn is_part_of(&self, other: &Span) -> bool {
        let is_part = (&self.told.trace_id, &self.told.parent_span_id) == (&other.told.trace_id, &other.told.span_id);
        assert!(
            !is_part || self.told.start_time_unix_nano >= other.told.start_time_unix_nano,
            "{self:?} before {other:?}"
        );
        is_part
    }

    pub fn word(&self, key: &str) -> String {
        word(&self.told.attributes, key)
    }

    pub fn number(&self, key: &str) -> i64 {
        match find(&self.told.attributes, key) {
            Some(Value::IntValue(number)) => *number,
            other => panic!("{key} is {other:?} in {self:?}"),
        }
    }

    pub fn failed(&self) -> bool {
        self.told.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
    }

    pub fn is_of_a_server(&self) -> bool {
        self.told.kind() == SpanKind::Server
    }

    pub fn nanoseconds(&self) -> u64 {
        self.told.end_time_unix_nano - self.told.start_time_unix_nano
    }
}
