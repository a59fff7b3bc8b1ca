//! How a plugin does in a workspace: how often it was called, how long that took, and how it failed. A node knows of its own
//! calls, since it was started.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use hdrhistogram::Histogram;
use jackfield_domain::{
    Position,
    plugins::{Breaker, FailureKind},
};
use jackfield_plugin_host::{Measures, Outcome};

/// What a node remembers of a plugin in a workspace.
#[derive(Default)]
pub struct Vitals {
    /// Shared by all hooks.
    pub breaker: Arc<Mutex<Breaker>>,
    /// The package that it is about; none where it is off.
    package: Mutex<Option<String>>,
    /// Up to this place in the log events are told one by one, because a batch of them failed.
    careful_until: AtomicI64,
    /// It was told something without failing since the last event was laid aside.
    has_heard: AtomicBool,
    /// Whose data was changed by others while it looked waits here for another look, so that nobody outruns everybody.
    pub second_look: Arc<tokio::sync::Mutex<()>>,
    health: Mutex<Health>,
}

struct Health {
    calls: u64,
    failures: BTreeMap<FailureKind, u64>,
    /// In microseconds.
    wall: Histogram<u32>,
    cpu: Histogram<u32>,
    memory_peak_bytes: u64,
}

impl Default for Health {
    fn default() -> Self {
        // Two figures are enough, and what takes longer than ten minutes took ten minutes.
        let times = || Histogram::new_with_bounds(1, 600_000_000, 1).expect("these bounds are good");
        Health { calls: 0, failures: BTreeMap::new(), wall: times(), cpu: times(), memory_peak_bytes: 0 }
    }
}

/// How a plugin did, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkup {
    pub calls: u64,
    pub failures: BTreeMap<FailureKind, u64>,
    pub wall: Percentiles,
    pub cpu: Percentiles,
    pub memory_peak_bytes: u64,
    /// It is left alone for a while, because it failed too often.
    pub is_resting: bool,
}

/// In microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    pub max: u64,
}

impl Percentiles {
    fn of(times: &Histogram<u32>) -> Self {
        let at = |quantile| times.value_at_quantile(quantile);
        Percentiles { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: times.max() }
    }
}

impl Vitals {
    /// The plugin is this package now, or off: where that is news, what its breaker knew is not about it any more.
    pub fn begin(&self, package: Option<&str>) {
        let mut before = self.package.lock().unwrap_or_else(PoisonError::into_inner);
        if before.as_deref() != package {
            *before = package.map(str::to_owned);
            *self.breaker() = Breaker::default();
        }
    }

    pub fn careful_until(&self) -> Position {
        Position(self.careful_until.load(Ordering::Relaxed))
    }

    pub fn be_careful_until(&self, position: Position) {
        self.careful_until.fetch_max(position.0, Ordering::Relaxed);
    }

    pub fn has_heard(&self) {
        self.has_heard.store(true, Ordering::Relaxed);
    }

    /// An event was laid aside: what the plugin does with others is not to suffer from that, if it does anything.
    pub fn laid_aside(&self) {
        if self.has_heard.swap(false, Ordering::Relaxed) {
            *self.breaker() = Breaker::default();
        }
    }

    pub fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call.
    pub fn note<T>(&self, outcome: &Outcome<T>) {
        self.count(&outcome.measures, outcome.answer.as_ref().err().map(|failure| failure.kind));
    }

    pub fn count(&self, measures: &Measures, failure: Option<FailureKind>) {
        let mut health = self.health();
        health.calls += 1;
        if let Some(kind) = failure {
            *health.failures.entry(kind).or_default() += 1;
        }
        let microseconds = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX).max(1);
        health.wall.saturating_record(microseconds(measures.wall));
        health.cpu.saturating_record(microseconds(measures.cpu));
        health.memory_peak_bytes = health.memory_peak_bytes.max(measures.memory_peak_bytes);
    }

    pub fn checkup(&self) -> Checkup {
        let is_resting = self.breaker().is_open();
        let health = self.health();
        Checkup {
            calls: health.calls,
            failures: health.failures.clone(),
            wall: Percentiles::of(&health.wall),
            cpu: Percentiles::of(&health.cpu),
            memory_peak_bytes: health.memory_peak_bytes,
            is_resting,
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
