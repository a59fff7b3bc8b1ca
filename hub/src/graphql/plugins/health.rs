//! How a plugin does.

use async_graphql::{Enum, SimpleObject};
use jackfield_domain::plugins as words;

use crate::actions::plugins::vitals::{Checkup, Percentiles};

/// How a call of a plugin failed. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::FailureKind")]
pub enum PluginFailureKind {
    /// It trapped, or answered what is no answer.
    Trap,
    /// It used more time of the processor than it may.
    CpuTime,
    /// It took longer than it may.
    WallTime,
    /// It wanted more memory, or a deeper stack, than it may have.
    Memory,
    /// It handed over more, or called the hub more often, than it may.
    Output,
    /// It answered what the hub cannot carry out.
    Answer,
    /// It said itself that it failed.
    Reported,
    /// Others changed its data while it looked, again and again.
    Conflict,
    /// The hub could not do its part: no fault of the plugin's.
    Hub,
}

/// How often something went wrong in one way.
#[derive(SimpleObject)]
pub struct PluginFailureCount {
    /// In which way.
    kind: PluginFailureKind,
    /// How often.
    count: u64,
}

/// How long calls took: so many of a hundred took no longer than this, in thousandths of a second.
#[derive(SimpleObject)]
pub struct PluginTimes {
    /// Half of them.
    p50: f64,
    /// 95 of a hundred.
    p95: f64,
    /// 99 of a hundred.
    p99: f64,
    /// All of them.
    max: f64,
}

impl From<Percentiles> for PluginTimes {
    fn from(times: Percentiles) -> Self {
        let milliseconds = |microseconds: u64| microseconds as f64 / 1_000.0;
        PluginTimes {
            p50: milliseconds(times.p50),
            p95: milliseconds(times.p95),
            p99: milliseconds(times.p99),
            max: milliseconds(times.max),
        }
    }
}

/// How a plugin does in a workspace, as far as one node has seen since it was started.
#[derive(SimpleObject)]
pub struct PluginHealth {
    /// How often it was called.
    calls: u64,
    /// How often that went wrong, in which ways.
    failures: Vec<PluginFailureCount>,
    /// How long calls took on the clock.
    wall_time: PluginTimes,
    /// How long they kept the processor busy; of calls that are too short to be measured, how long they took.
    cpu_time: PluginTimes,
    /// The most memory that a call had.
    memory_peak_bytes: u64,
    /// Whether the breaker is open: it failed too often, and is left alone for a while.
    is_breaker_open: bool,
}

impl PluginHealth {
    pub fn of(checkup: &Checkup) -> Self {
        let count =
            |(kind, count): (&words::FailureKind, &u64)| PluginFailureCount { kind: (*kind).into(), count: *count };
        PluginHealth {
            calls: checkup.calls,
            failures: checkup.failures.iter().map(count).collect(),
            wall_time: checkup.wall.into(),
            cpu_time: checkup.cpu.into(),
            memory_peak_bytes: checkup.memory_peak_bytes,
            is_breaker_open: checkup.is_resting,
        }
    }
}
