//! The way of spans to a collector: a bounded queue, and one task that sends what is in it, some at a time.
//!
//! The SDK's own batches are sent by a thread on which our HTTP client cannot run, and nobody learns what was lost.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use metrics::counter;
use opentelemetry::{Context, KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor},
};
use reqwest::Url;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Error, Result};

/// So many spans may wait; the next ones are lost.
const QUEUE: usize = 8_192;
/// So many are sent at once,
const BATCH: usize = 512;
/// or what has come together in so long.
const GATHER: Duration = Duration::from_secs(1);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// How long the collector may take for one request, and how long for all tries of one batch.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
const BATCH_LIMIT: Duration = Duration::from_secs(10);

/// Where traces go to, how many of them, and in whose name.
#[derive(Clone)]
pub struct Collector {
    /// The whole address, to which OTLP is posted. It may hold a secret: it is never logged.
    pub address: Url,
    /// What else the collector wants to be told, such as a key.
    pub headers: BTreeMap<String, String>,
    /// How many of all requests are traced: 1 is all, 0.01 is one of a hundred.
    pub sample: f64,
    pub service_name: String,
}

/// Who makes spans, and where they come out when they end.
pub(super) fn tracer() -> (SdkTracer, mpsc::Receiver<SpanData>) {
    let (queue, spans) = mpsc::channel(QUEUE);
    let provider = SdkTracerProvider::builder()
        // Who is asked whether a trace is kept was asked when it began.
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(Queue(queue))
        .build();
    (provider.tracer("jackfield"), spans)
}

impl Collector {
    pub(super) fn exporter(&self) -> Result<SpanExporter> {
        let headers: HashMap<String, String> = self.headers.clone().into_iter().collect();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client()?)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(self.address.as_str())
            .with_headers(headers)
            .with_timeout(REQUEST_LIMIT)
            .build()
            .map_err(Error::internal)?;
        exporter.set_resource(&self.resource());
        Ok(exporter)
    }

    fn resource(&self) -> Resource {
        Resource::builder()
            .with_service_name(self.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            // Tells the nodes of one hub apart, and a node from what it was before it was started again.
            .with_attribute(KeyValue::new("service.instance.id", Uuid::now_v7().to_string()))
            .build()
    }

    /// Sends a request with no traces in it; if that is not taken, why, in words.
    pub async fn probe(&self) -> Result<(), String> {
        let mut request = client().map_err(|error| error.to_string())?.post(self.address.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.header("content-type", "application/x-protobuf").body(Vec::new()).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the answer was {}", answer.status())),
            Err(error) if error.is_connect() => Err("nobody listens at its address".to_owned()),
            Err(error) => Err(error.without_url().to_string()),
        }
    }
}

fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_LIMIT)
        .timeout(REQUEST_LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(Error::internal)
}

/// Takes spans as they end; never waits.
#[derive(Debug)]
struct Queue(mpsc::Sender<SpanData>);

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _parent: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.0.try_send(span).is_err() {
            count("lost", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _limit: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn count(fate: &'static str, spans: usize) {
    counter!("jackfield_trace_spans_total", "fate" => fate).increment(spans as u64);
}

/// Sends what ends until the hub goes away, and then what is left.
pub(super) async fn run(exporter: SpanExporter, mut spans: mpsc::Receiver<SpanData>, stopping: CancellationToken) {
    let (mut batch, mut is_last, mut is_away) = (Vec::with_capacity(BATCH), false, false);
    loop {
        tokio::select! {
            () = stopping.cancelled(), if !is_last => is_last = true,
            came = spans.recv_many(&mut batch, BATCH) => if came == 0 { return },
        }
        let until = Instant::now() + GATHER;
        while !is_last && batch.len() < BATCH {
            let more = BATCH - batch.len();
            tokio::select! {
                () = stopping.cancelled() => is_last = true,
                came = timeout_at(until, spans.recv_many(&mut batch, more)) => if !matches!(came, Ok(1..)) { break },
            }
        }
        if is_last {
            spans.close();
        }
        if batch.is_empty() {
            continue;
        }
        let number = batch.len();
        let sending = exporter.export(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
        let failure = match timeout(BATCH_LIMIT, sending).await {
            Ok(sent) => sent.err().map(|error| error.to_string()),
            Err(_) => Some("it did not answer in time".to_owned()),
        };
        count(if failure.is_none() { "sent" } else { "lost" }, number);
        match &failure {
            None if is_away => tracing::info!("the collector takes traces again"),
            Some(why) if !is_away => tracing::warn!(why, "the collector takes no traces; they are lost meanwhile"),
            _ => {}
        }
        is_away = failure.is_some();
        if is_last && is_away {
            return count("lost", spans.len());
        }
    }
}
