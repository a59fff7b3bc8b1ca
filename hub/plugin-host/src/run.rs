//! One call of a hook while it runs: on whose behalf, within which limits, and what it has left behind so far.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use jackfield_domain::{
    ConversationId, MessageId, Timestamp,
    plugins::{Capability, Effect, FailureKind, Issued, Limits, LogLevel, LogLine, Operation, Origin, Reach},
};
use wasmtime::{ResourceLimiter, UpdateDeadline};

use crate::{
    bridge::{Bridge, Caller},
    engine,
    manifest::Manifest,
};

/// A line of a log counts for so many bytes more than its text, so that empty ones are not free.
const LINE_BYTES: u64 = 32;
/// An operation or effect counts for so many bytes more than what is in it.
const ISSUED_BYTES: usize = 64;
/// A table of functions has at most so many elements.
const TABLE_ELEMENTS: usize = 20_000;

/// What an admin has granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    pub capabilities: HashSet<Capability>,
    /// The only conversations whose messages and members it reads and where it posts; none means all.
    pub conversations: Option<HashSet<ConversationId>>,
    /// The servers that it may ask.
    pub origins: HashSet<Origin>,
}

impl Grants {
    pub fn sees(&self, conversation: ConversationId) -> bool {
        self.conversations.as_ref().is_none_or(|granted| granted.contains(&conversation))
    }

    /// How far it may reach out of the hub.
    pub fn reach(&self) -> Reach {
        let asks = self.capabilities.contains(&Capability::Http);
        Reach {
            origins: self.origins.iter().filter(|_| asks).cloned().collect(),
            whatever_is_public: self.capabilities.contains(&Capability::FetchPublicUrl),
        }
    }
}

/// What may be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Somebody waits: key-value operations and nothing else.
    Before,
    /// Everything that nobody waits for.
    After,
    /// Everything: somebody waits, and knows that it may take a while.
    Awaited,
}

/// Why the host ended a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub(crate) struct Stop {
    pub(crate) kind: FailureKind,
    pub(crate) what: String,
}

impl Stop {
    pub(crate) fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Stop { kind, what: what.into() }
    }
}

/// What belongs to one call alone, and what of it is left at its end.
pub(crate) struct Run {
    pub(crate) bridge: Arc<dyn Bridge>,
    pub(crate) caller: Caller,
    pub(crate) now: Timestamp,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) configuration: Arc<str>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) limits: Limits,
    pub(crate) stage: Stage,
    pub(crate) meter: Arc<Meter>,
    pub(crate) memory: Memory,
    pub(crate) issued: Issued,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) host_calls: u64,
    pub(crate) output_bytes: u64,
    /// What the hook's own operations have made of the keys they touched.
    pub(crate) written: HashMap<String, Option<Vec<u8>>>,
    /// What stood under the keys that the hook has looked at, when it last did: digests of it.
    pub(crate) seen: HashMap<String, Option<[u8; 32]>>,
    pub(crate) annotated: BTreeMap<MessageId, Option<String>>,
    /// What was used of its storage when it was first asked for, and what the hook has added since.
    pub(crate) storage_used: Option<u64>,
    /// How many requests waited when it was first asked for.
    pub(crate) requests_waiting: Option<u64>,
    /// How many answers were waited for.
    pub(crate) fetched: usize,
    log_bytes: u64,
}

impl Run {
    pub(crate) fn new(
        bridge: Arc<dyn Bridge>,
        caller: Caller,
        now: Timestamp,
        manifest: Arc<Manifest>,
        configuration: Arc<str>,
        grants: Arc<Grants>,
        limits: Limits,
        stage: Stage,
        meter: Arc<Meter>,
    ) -> Self {
        let memory = Memory { limit: limits.memory_bytes as usize, ..Memory::default() };
        Run {
            bridge,
            caller,
            now,
            manifest,
            configuration,
            grants,
            limits,
            stage,
            meter,
            memory,
            issued: Issued::default(),
            logs: Vec::new(),
            host_calls: 0,
            output_bytes: 0,
            written: HashMap::new(),
            seen: HashMap::new(),
            annotated: BTreeMap::new(),
            storage_used: None,
            requests_waiting: None,
            fetched: 0,
            log_bytes: 0,
        }
    }

    /// This run in an instance that has memory already.
    pub(crate) fn in_memory_of(mut self, earlier: &Run) -> Self {
        self.memory.used = earlier.memory.used;
        self.memory.peak = earlier.memory.used;
        self
    }

    /// Every call of the hub counts.
    pub(crate) fn count(&mut self) -> Result<(), Stop> {
        self.host_calls += 1;
        if self.host_calls <= self.limits.host_calls {
            return Ok(());
        }
        Err(Stop::new(FailureKind::Output, format!("it called the hub more than {} times", self.limits.host_calls)))
    }

    /// So much more was handed over.
    pub(crate) fn hand_over(&mut self, bytes: usize) -> Result<(), Stop> {
        self.output_bytes += bytes as u64;
        if self.output_bytes <= self.limits.output_bytes {
            return Ok(());
        }
        Err(Stop::new(FailureKind::Output, format!("it handed over more than {} bytes", self.limits.output_bytes)))
    }

    pub(crate) fn issue_operation(&mut self, operation: Operation, value: Option<Vec<u8>>) -> Result<(), Stop> {
        self.hand_over(ISSUED_BYTES + operation.key().len() + value.as_ref().map_or(0, Vec::len))?;
        self.written.insert(operation.key().to_owned(), value);
        self.issued.operations.push(operation);
        Ok(())
    }

    /// The number of the effect.
    pub(crate) fn issue_effect(&mut self, effect: Effect, bytes: usize) -> Result<u32, Stop> {
        self.hand_over(ISSUED_BYTES + bytes)?;
        self.issued.effects.push(effect);
        Ok(self.issued.effects.len() as u32 - 1)
    }

    /// What is beyond the limit is dropped, and the last line says so.
    pub(crate) fn log(&mut self, level: LogLevel, mut text: String) {
        // PostgreSQL keeps no such character.
        text.retain(|character| character != '\0');
        let room = self.limits.log_bytes.saturating_sub(self.log_bytes);
        if room == 0 {
            return;
        }
        self.log_bytes += text.len() as u64 + LINE_BYTES;
        if self.log_bytes > self.limits.log_bytes {
            self.log_bytes = self.limits.log_bytes;
            text.truncate(text.floor_char_boundary(room.saturating_sub(LINE_BYTES) as usize));
            text.push_str(" … (more than may be logged in one call)");
        }
        self.logs.push(LogLine { at: self.now, level, text });
    }

    /// Called by the engine at each tick in which the plugin runs.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.meter.tick()?;
        self.meter.yields.store(true, Ordering::Relaxed);
        // Whoever else waits for this thread has a turn.
        Ok(UpdateDeadline::Yield(1))
    }
}

/// How much memory the instance has.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    limit: usize,
    used: usize,
    pub(crate) peak: usize,
    /// More was wanted than there may be.
    pub(crate) refused: bool,
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used + desired.saturating_sub(current);
        if used > self.limit {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        self.peak = self.peak.max(used);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= TABLE_ELEMENTS;
        self.refused |= !fits;
        Ok(fits)
    }

    fn instances(&self) -> usize {
        engine::CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        engine::TABLES as usize
    }

    fn memories(&self) -> usize {
        engine::MEMORIES as usize
    }
}

/// How long a call has kept the processor busy. An epoch alone is time on the clock, and a machine that is busy with others
/// would be held against the plugin. Looking at the processor's clock costs what a short call costs, so that it begins with
/// the first tick, which a short call never sees.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    cpu_limit: Duration,
    wall_limit: Duration,
    measures: AtomicBool,
    /// Nanoseconds of the thread's time when the call was last taken up.
    taken_up: AtomicU64,
    spent: AtomicU64,
    /// Nanoseconds for which it could not go on, although it would have.
    kept_waiting: AtomicU64,
    /// It was laid aside for others to have a turn, and waits for nothing.
    yields: AtomicBool,
    /// Nanoseconds by which it may take longer, since it waits for somebody outside of the hub.
    excused: AtomicU64,
}

/// So long the hub may take for what it is asked, at each time, before it is the hub that is slow and not the plugin that asks
/// for much.
const PROMPT: Duration = Duration::from_millis(2);

impl Meter {
    pub(crate) fn new(cpu_limit: Duration, wall_limit: Duration) -> Self {
        Meter {
            started: Instant::now(),
            cpu_limit,
            wall_limit,
            measures: AtomicBool::new(false),
            taken_up: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            kept_waiting: AtomicU64::new(0),
            yields: AtomicBool::new(false),
            excused: AtomicU64::new(0),
        }
    }

    pub(crate) fn wall(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn wall_left(&self) -> Duration {
        let excused = Duration::from_nanos(self.excused.load(Ordering::Relaxed));
        self.wall_limit.saturating_add(excused).saturating_sub(self.wall())
    }

    /// It may take so much longer, and when that is over as much as it took.
    pub(crate) fn excuse(self: &Arc<Self>, at_most: Duration) -> Excuse {
        let before = self.excused.fetch_add(nanoseconds(at_most), Ordering::Relaxed);
        Excuse { meter: Arc::clone(self), before, since: Instant::now(), at_most }
    }

    /// What was measured; a call that saw no tick was busy for no longer than it took.
    pub(crate) fn cpu(&self, wall: Duration) -> Duration {
        if self.measures.load(Ordering::Relaxed) {
            Duration::from_nanos(self.spent.load(Ordering::Relaxed))
        } else {
            wall
        }
    }

    /// A thread takes the call up.
    pub(crate) fn take_up(&self) {
        if self.measures.load(Ordering::Relaxed) {
            self.taken_up.store(thread_time(), Ordering::Relaxed);
        }
    }

    /// The thread lays it aside.
    pub(crate) fn lay_aside(&self) {
        if self.measures.load(Ordering::Relaxed) {
            let busy = thread_time().saturating_sub(self.taken_up.load(Ordering::Relaxed));
            self.spent.fetch_add(busy, Ordering::Relaxed);
        }
    }

    /// Whether it was laid aside because it asked the hub for something.
    pub(crate) fn waits(&self) -> bool {
        !self.yields.swap(false, Ordering::Relaxed)
    }

    /// It waited so long: for a place, or for what it had asked the hub for.
    pub(crate) fn waited(&self, time: Duration) {
        let kept_waiting = time.saturating_sub(PROMPT).as_nanos();
        self.kept_waiting.fetch_add(u64::try_from(kept_waiting).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// It is over in any case; whose fault that is depends.
    pub(crate) fn too_long(&self) -> Stop {
        let (limit, kept_waiting) = (self.wall_limit, Duration::from_nanos(self.kept_waiting.load(Ordering::Relaxed)));
        if self.wall().saturating_sub(kept_waiting) < limit {
            let (limit, kept_waiting) = (limit.as_millis(), kept_waiting.as_millis());
            let what = format!("it was not done after {limit} ms, for {kept_waiting} of which the hub kept it waiting");
            return Stop::new(FailureKind::Hub, what);
        }
        Stop::new(FailureKind::WallTime, format!("it took longer than {} ms", limit.as_millis()))
    }

    fn tick(&self) -> Result<(), Stop> {
        if self.wall_left().is_zero() {
            return Err(self.too_long());
        }
        if !self.measures.load(Ordering::Relaxed) {
            self.taken_up.store(thread_time(), Ordering::Relaxed);
            self.measures.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let busy = thread_time().saturating_sub(self.taken_up.load(Ordering::Relaxed));
        if Duration::from_nanos(self.spent.load(Ordering::Relaxed) + busy) <= self.cpu_limit {
            return Ok(());
        }
        let limit = self.cpu_limit.as_millis();
        Err(Stop::new(FailureKind::CpuTime, format!("it kept the processor busy for more than {limit} ms")))
    }
}

/// While this is there, the call waits for somebody outside of the hub.
pub(crate) struct Excuse {
    meter: Arc<Meter>,
    before: u64,
    since: Instant,
    at_most: Duration,
}

impl Drop for Excuse {
    fn drop(&mut self) {
        let taken = self.before + nanoseconds(self.since.elapsed().min(self.at_most));
        self.meter.excused.store(taken, Ordering::Relaxed);
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn thread_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F: P-01, P-04
    #[test]
    fn who_is_kept_waiting_is_not_slow() {
        let meter = Meter::new(Duration::MAX, Duration::from_nanos(1));
        // What is answered promptly is the plugin's own time, however often it asks.
        for _ in 0..1_000 {
            meter.waited(Duration::from_millis(1));
        }
        assert_eq!(meter.too_long().kind, FailureKind::WallTime);
        meter.waited(Duration::from_secs(60));
        assert_eq!(meter.too_long().kind, FailureKind::Hub);
    }

    /// F: P-09
    #[test]
    fn who_waits_for_a_server_has_as_much_longer_as_that_took() {
        let minute = Duration::from_secs(60);
        let meter = Arc::new(Meter::new(Duration::MAX, minute));
        let excuse = meter.excuse(minute);
        assert!(meter.wall_left() > minute);
        drop(excuse);
        assert!(meter.wall_left() <= minute);
        // A limit that is no limit stays one.
        let endless = Arc::new(Meter::new(Duration::MAX, Duration::MAX));
        let _excuse = endless.excuse(minute);
        assert!(endless.wall_left() > minute);
    }
}
