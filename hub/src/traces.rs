//! Traces: what a request made happen, where and for how long, in the words of OpenTelemetry, whose only place this is.
//!
//! Nothing here belongs to the whole process. A hub has [`Traces`] of its own; a request begins a [`Span`], and whatever is
//! done [within](Span::within) it finds it by [`span`]. Where traces are off, or this request was not chosen, a span is
//! nothing, and asking it for anything is a look at that. What is noted of a span are ids, kinds and numbers, never words.

mod export;

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use futures_util::future::Either;
use jackfield_domain::TracePlace;
use opentelemetry::{
    Context, KeyValue,
    trace::{
        Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
        TraceState, Tracer,
    },
};
use opentelemetry_sdk::trace::{SdkTracer, Span as Recording};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use export::Collector;

use crate::Result;

tokio::task_local! {
    static HERE: Here;
}

/// What is being done by a task.
#[derive(Clone)]
struct Here {
    recorder: Arc<Recorder>,
    place: TracePlace,
}

/// The traces of a hub.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Recorder>>);

struct Recorder {
    tracer: SdkTracer,
    sample: f64,
    export: Mutex<Option<JoinHandle<()>>>,
    stopping: CancellationToken,
}

impl Traces {
    /// Begins to send what is recorded to a collector, if there is one. It may be away: nobody waits for it.
    pub fn start(collector: Option<Collector>) -> Result<Self> {
        let Some(collector) = collector else { return Ok(Traces(None)) };
        let (sample, stopping) = (collector.sample, CancellationToken::new());
        let (tracer, spans) = export::tracer();
        let export = tokio::spawn(export::run(collector.exporter()?, spans, stopping.clone()));
        Ok(Traces(Some(Arc::new(Recorder { tracer, sample, export: Mutex::new(Some(export)), stopping }))))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A request begins, as a part of what its sender is doing, if they say so. Whether its trace is kept is decided here
    /// alone: else strangers could have us keep everything, or nothing.
    pub fn begin(&self, name: &'static str, parent: Option<TracePlace>) -> Span {
        match &self.0 {
            Some(recorder) if recorder.chooses() => {
                recorder.start(recorder.tracer.span_builder(name).with_kind(SpanKind::Server), parent, true)
            }
            _ => Span(None),
        }
    }

    /// Something happens because of what was done elsewhere, and belongs to the traces of that: to the first as a part, to
    /// the others by a link. Where none of it was traced, this is not either.
    pub fn resume(&self, name: &'static str, causes: &[TracePlace]) -> Span {
        let (Some(recorder), Some((first, others))) = (&self.0, causes.split_first()) else { return Span(None) };
        let mut builder = recorder.tracer.span_builder(name).with_kind(SpanKind::Consumer);
        if !others.is_empty() {
            builder =
                builder.with_links(others.iter().map(|place| Link::with_context(context(*place, true))).collect());
        }
        recorder.start(builder, Some(*first), true)
    }

    /// Sends what is left within this time, and gives up the rest.
    pub async fn stop(&self, limit: Duration) {
        let Some(recorder) = &self.0 else { return };
        recorder.stopping.cancel();
        let export = recorder.export.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(export) = export
            && tokio::time::timeout(limit, export).await.is_err()
        {
            tracing::warn!("the collector did not take the last traces in time; they are lost");
        }
    }
}

impl Recorder {
    fn chooses(&self) -> bool {
        // A machine without chance has worse problems than one trace more.
        self.sample >= 1.0 || getrandom::u64().map_or(0.0, |chance| chance as f64 / u64::MAX as f64) < self.sample
    }

    fn start(self: &Arc<Self>, builder: SpanBuilder, parent: Option<TracePlace>, is_remote: bool) -> Span {
        let parent = parent
            .map_or_else(Context::new, |place| Context::new().with_remote_span_context(context(place, is_remote)));
        let recording = self.tracer.build_with_context(builder, &parent);
        Span(Some(Box::new(Open { recorder: self.clone(), recording })))
    }
}

fn context(place: TracePlace, is_remote: bool) -> SpanContext {
    let (trace, span) = (TraceId::from(place.trace()), SpanId::from(place.span()));
    SpanContext::new(trace, span, TraceFlags::SAMPLED, is_remote, TraceState::NONE)
}

/// Something that is done and takes its time, which ends when this is dropped; or nothing, where nobody traces it.
#[derive(Default)]
pub struct Span(Option<Box<Open>>);

struct Open {
    recorder: Arc<Recorder>,
    recording: Recording,
}

/// A part of what this task is doing.
pub fn span(name: &'static str) -> Span {
    let start = |here: &Here| here.recorder.start(SpanBuilder::from_name(name), Some(here.place), false);
    HERE.try_with(start).unwrap_or(Span(None))
}

impl Span {
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Where it stands, for what it causes elsewhere.
    pub fn place(&self) -> Option<TracePlace> {
        self.0.as_ref().and_then(|open| open.place())
    }

    /// Does something as a part of this.
    pub fn within<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        match self.0.as_ref().and_then(|open| Some((open.recorder.clone(), open.place()?))) {
            Some((recorder, place)) => Either::Left(HERE.scope(Here { recorder, place }, work)),
            None => Either::Right(work),
        }
    }

    /// A part of this that began at a moment which is known by now.
    pub fn part(&self, name: &'static str, began_at: SystemTime) -> Span {
        let Some(open) = &self.0 else { return Span(None) };
        open.recorder.start(SpanBuilder::from_name(name).with_start_time(began_at), open.place(), false)
    }

    /// What somebody who looks at it wants to know: an id, a kind, a number.
    pub fn note(&mut self, key: &'static str, value: impl Into<opentelemetry::Value>) {
        if let Some(open) = &mut self.0 {
            open.recording.set_attribute(KeyValue::new(key, value));
        }
    }

    /// Something within it that is a moment.
    pub fn mark(&mut self, name: &'static str) {
        if let Some(open) = &mut self.0 {
            open.recording.add_event(name, Vec::new());
        }
    }

    pub fn fail(&mut self, kind: &'static str) {
        if let Some(open) = &mut self.0 {
            open.recording.set_status(Status::error(kind));
        }
    }

    /// It is over since then.
    pub fn end_at(self, moment: SystemTime) {
        if let Some(mut open) = self.0 {
            open.recording.end_with_timestamp(moment);
        }
    }
}

impl Open {
    fn place(&self) -> Option<TracePlace> {
        let context = self.recording.span_context();
        let (trace, span) = (context.trace_id().to_bytes(), context.span_id().to_bytes());
        TracePlace::new(u128::from_be_bytes(trace), u64::from_be_bytes(span))
    }
}
