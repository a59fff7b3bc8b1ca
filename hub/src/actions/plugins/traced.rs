//! What plugins do, in the traces of what they were asked or told about. What they say is words, and stays in the store.

use std::time::Duration;

use jackfield_domain::{
    Event, TracePlace, WorkspaceId,
    plugins::{Hook, PluginId},
};
use jackfield_plugin_host::{Deed, Measures, Outcome, Step};

use super::super::Core;
use crate::traces::Span;

/// So long an event may take from the store to the feed before its trace is taken for lost.
const FEED_LIMIT: Duration = Duration::from_millis(100);

/// One that was asked, as a part of asking them all.
pub fn asked(hooks: &Span, hook: Hook, step: &Step) {
    let mut span = hooks.part("plugin", step.began_at);
    let outcome = match &step.deed {
        Deed::Allowed => "allowed",
        Deed::Patched => "patched",
        Deed::Rejected => "rejected",
        Deed::Held => "held",
        Deed::Failed { failure, .. } => {
            span.fail(failure.kind.as_str());
            "failed"
        }
        Deed::PassedOver => "passed over",
    };
    describe(&mut span, &step.plugin, hook, outcome, &step.measures);
    span.end_at(step.began_at + step.took);
}

/// One that is about to be told what happened, in the trace of what made it happen.
pub async fn telling(core: &Core, workspace: WorkspaceId, told: &[&Event]) -> Span {
    let mut span = core.traces.resume("plugin", &causes(core, workspace, told).await);
    span.note("jackfield.events", told.len() as i64);
    span
}

/// How it was told.
pub fn told<T>(span: &mut Span, plugin: &PluginId, outcome: &Outcome<T>) {
    if !span.is_on() {
        return;
    }
    let word = match &outcome.answer {
        Ok(_) => "told",
        Err(failure) => {
            span.fail(failure.kind.as_str());
            "failed"
        }
    };
    describe(span, plugin, Hook::OnEvents, word, &outcome.measures);
}

fn describe(span: &mut Span, plugin: &PluginId, hook: Hook, outcome: &'static str, measures: &Measures) {
    span.note("jackfield.plugin", plugin.to_string());
    span.note("jackfield.hook", hook.as_str());
    span.note("jackfield.outcome", outcome);
    span.note("jackfield.cpu_us", measures.cpu.as_micros() as i64);
    span.note("jackfield.memory_peak_bytes", measures.memory_peak_bytes as i64);
    span.note("jackfield.host_calls", measures.host_calls as i64);
}

/// The traces that events belong to, each once. Only what is fresh has one, and only the feed knows it: the events that are
/// told come from the table, where they may be a moment earlier.
async fn causes(core: &Core, workspace: WorkspaceId, told: &[&Event]) -> Vec<TracePlace> {
    let (true, Some(last)) = (core.traces.is_on(), told.last()) else { return Vec::new() };
    let Some(feed) = core.feeds.get(workspace) else { return Vec::new() };
    let here = tokio::time::timeout(FEED_LIMIT, async {
        let _ = feed.follow().wait_for(|head| *head >= last.position).await;
    });
    let _ = here.await;
    let mut causes: Vec<TracePlace> = Vec::new();
    for place in told.iter().filter_map(|event| feed.cause(event.position)) {
        if causes.iter().all(|known| known.trace() != place.trace()) {
            causes.push(place);
        }
    }
    causes
}
