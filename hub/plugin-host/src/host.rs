//! The host: it loads packages and calls hooks, each call within its limits and for one workspace.

use std::{
    future::{Future, poll_fn},
    hash::{DefaultHasher, Hash, Hasher},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use jackfield_domain::{
    Timestamp, UserId, WorkspaceId,
    plugins::{FailureKind, Hook, Issued, Limits, LogLevel, LogLine},
};
use tokio::{
    runtime::Runtime,
    sync::{Semaphore, SemaphorePermit},
    task::JoinHandle,
    time::{sleep, timeout},
};
use wasmtime::{
    Trap,
    component::{Component, HasSelf, Linker},
};

use crate::{
    bridge::{Bridge, Caller},
    cache::Cache,
    compile::{CompileError, Compiler},
    convert,
    engine::{Allocation, Machine, SLOTS},
    hooks::Ask,
    live::{Live, Module},
    package::Package,
    run::{Grants, Meter, Run, Stage, Stop},
    wit::Everything,
};

/// So many instances are kept warm at most, all plugins and workspaces together.
const WARM: usize = 32;
/// The answer to a field is waited for so many milliseconds at most.
const FIELD_MS: u64 = 1_000;
/// A warm instance is let go after so many calls, so that what it leaks does not grow without end.
const CALLS: u32 = 10_000;

/// What was compiled and left behind lies there for so long: another hub may share the folder.
const LEFT: Duration = Duration::from_secs(24 * 60 * 60);

/// How instances are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// A fresh one for every call.
    Fresh,
    /// One that the same plugin had in the same workspace, where there is one.
    Warm,
}

/// How a host is set up.
#[derive(Debug)]
pub struct Settings {
    pub allocation: Allocation,
    pub reuse: Reuse,
    pub compiler: Compiler,
    /// None compiles at every start.
    pub cache: Option<Cache>,
    /// How long all before-hooks together may keep somebody waiting.
    pub chain_wall: Duration,
}

/// Runs plugins. There is one for a node.
pub struct PluginHost {
    machine: Machine,
    linker: Linker<Run>,
    compiler: Compiler,
    cache: Option<Cache>,
    /// What compiled code is good for.
    engine_name: String,
    pub(crate) chain_wall: Duration,
    reuse: Reuse,
    #[expect(clippy::vec_box, reason = "they are large, and are moved in and out with every call")]
    warm: Mutex<Vec<Box<Live>>>,
    slots: Semaphore,
    aside: Aside,
}

/// Where calls run that nobody waits for.
struct Aside(Option<Runtime>);

impl Aside {
    fn start() -> std::io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("plugins-aside")
            .on_thread_start(stand_back)
            .enable_all()
            .build()?;
        Ok(Aside(Some(runtime)))
    }

    fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.as_ref().expect("it is there until it is dropped").spawn(work)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Whoever drops the host may be in the middle of something asynchronous, where waiting for threads is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The thread gets what of the processor others leave.
fn stand_back() {
    // Elsewhere this would be said of the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        tracing::debug!(%error, "the threads of plugins stand back behind nobody");
    }
}

/// Why there can be no plugins on this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("plugins cannot run here: {0}")]
pub struct StartError(String);

/// Why a package could not be made ready to run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("the plugin does not fit the contract: {0}; build it with the SDK of this hub")]
    Contract(String),
}

/// A plugin as it is switched on in a workspace: what runs, what it may, and how it is configured.
#[derive(Clone)]
pub struct Plugin {
    pub module: Arc<Module>,
    pub grants: Arc<Grants>,
    /// A JSON object.
    pub configuration: Arc<str>,
    pub limits: Limits,
}

/// When, where and for whom a hook is called.
#[derive(Clone)]
pub struct Occasion {
    pub bridge: Arc<dyn Bridge>,
    pub workspace: WorkspaceId,
    /// Whose eyes the plugin sees with, in commands.
    pub viewer: Option<UserId>,
    pub now: Timestamp,
}

/// All that came of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<T> {
    pub answer: Result<T, Failure>,
    /// To be committed. Nothing where it failed.
    pub issued: Issued,
    /// Also where it failed.
    pub logs: Vec<LogLine>,
    pub measures: Measures,
}

/// How a call failed, in words for admins.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    pub kind: FailureKind,
    pub what: String,
}

/// What a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measures {
    /// How long the processor was busy. Of short calls it is not measured: then it is no more than this.
    pub cpu: Duration,
    pub wall: Duration,
    pub memory_peak_bytes: u64,
    pub host_calls: u64,
    pub output_bytes: u64,
}

impl PluginHost {
    pub fn new(settings: Settings) -> Result<Self, StartError> {
        let contract = |error: wasmtime::Error| StartError(format!("{error:#}"));
        let machine = Machine::new(settings.allocation).map_err(contract)?;
        let mut linker = Linker::new(&machine.engine);
        Everything::add_to_linker::<Run, HasSelf<Run>>(&mut linker, |run| run).map_err(contract)?;
        let mut hasher = DefaultHasher::new();
        machine.engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(PluginHost {
            engine_name: format!("{:016x}", hasher.finish()),
            machine,
            linker,
            compiler: settings.compiler,
            cache: settings.cache,
            chain_wall: settings.chain_wall,
            reuse: settings.reuse,
            warm: Mutex::new(Vec::new()),
            slots: Semaphore::new(SLOTS as usize - WARM),
            aside: Aside::start().map_err(|error| StartError(error.to_string()))?,
        })
    }

    /// Where instances live, which may be another place than was asked for.
    pub fn allocation(&self) -> Allocation {
        self.machine.allocation
    }

    /// Makes a package ready to run: from the cache, or by compiling it.
    pub async fn load(&self, package: &Package) -> Result<Arc<Module>, LoadError> {
        let (digest, engine) = (package.digest(), self.engine_name.as_str());
        if let Some(cache) = &self.cache
            && let Some(compiled) = cache.get(&digest, engine)
        {
            match self.link(package, &compiled) {
                Ok(module) => return Ok(module),
                // An engine of another version wrote it, and has the same name for all that.
                Err(error) => tracing::info!(plugin = %package.manifest().id, %error, "a plugin is compiled again"),
            }
        }
        let compiled = self.compiler.compile(package.component()).await?;
        let module = self.link(package, &compiled)?;
        if let Some(cache) = &self.cache {
            cache.put(&digest, engine, &compiled);
        }
        Ok(module)
    }

    /// Lets go of what was compiled of a package that is needed no more. The hash is written in hexadecimal digits.
    pub fn forget_compiled(&self, hash: &str) {
        if let Some(cache) = &self.cache {
            cache.forget_all(|of| of == hash, Duration::ZERO);
        }
    }

    /// Lets go of what was compiled long ago of packages that are not needed.
    pub fn tidy_compiled(&self, is_needed: impl Fn(&str) -> bool) {
        if let Some(cache) = &self.cache {
            cache.forget_all(|of| !is_needed(of), LEFT);
        }
    }

    fn link(&self, package: &Package, compiled: &[u8]) -> Result<Arc<Module>, LoadError> {
        let contract = |error: wasmtime::Error| LoadError::Contract(format!("{error:#}"));
        #[expect(unsafe_code, reason = "the bytes come from our own compiler, just now or under the seal of the cache")]
        // SAFETY: compiled code is run as it is. These bytes were written by `Engine::precompile_component` in our own child
        // process; those that were kept meanwhile bear a seal that nobody makes without the hub's key.
        let component = unsafe { Component::deserialize(&self.machine.engine, compiled) }.map_err(contract)?;
        let module = Module::new(Arc::clone(package.manifest()), package.digest(), &component, &self.linker);
        module.map(Arc::new).map_err(contract)
    }

    /// Asks a plugin something.
    pub async fn ask<A: Ask>(&self, plugin: &Plugin, occasion: &Occasion, question: &A) -> Outcome<A::Answer> {
        self.ask_within(plugin, occasion, question, Duration::MAX).await
    }

    /// The same out of the way of those who wait: on threads of their own that stand back behind all others. For what may take
    /// seconds: events, schedules, the plugin's own life.
    pub async fn ask_aside<A: Ask + 'static>(
        self: &Arc<Self>,
        plugin: Plugin,
        occasion: Occasion,
        question: A,
    ) -> Outcome<A::Answer>
    where
        A::Answer: 'static,
    {
        let host = Arc::clone(self);
        let work = async move { host.ask(&plugin, &occasion, &question).await };
        match self.aside.spawn(work).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::failed(FailureKind::Hub, &format!("the call ended early: {error}")),
        }
    }

    /// The same within what is left of a time that it shares with others.
    pub async fn ask_within<A: Ask>(
        &self,
        plugin: &Plugin,
        occasion: &Occasion,
        question: &A,
        left: Duration,
    ) -> Outcome<A::Answer> {
        let (cpu, wall) = times(A::HOOK, &plugin.limits);
        let meter = Arc::new(Meter::new(cpu, wall.min(left)));
        let Some(_slot) = self.slot(&meter).await else {
            return Outcome::failed(FailureKind::Hub, "too many plugins were running, and none made room in time");
        };
        let stage = match A::HOOK {
            hook if hook.is_before() || only_looks(hook) => Stage::Before,
            Hook::Command | Hook::Mutate => Stage::Awaited,
            _ => Stage::After,
        };
        let run = Run::new(
            Arc::clone(&occasion.bridge),
            Caller { workspace: occasion.workspace, plugin: plugin.module.id().clone(), viewer: occasion.viewer },
            occasion.now,
            Arc::clone(&plugin.module.manifest),
            Arc::clone(&plugin.configuration),
            Arc::clone(&plugin.grants),
            plugin.limits,
            stage,
            Arc::clone(&meter),
        );
        let mut live = self.instance(&plugin.module, run);
        live.begin();
        let ticking = self.machine.enter();
        let answered = metered(question.put(&mut live), &meter).await;
        drop(ticking);
        self.finish::<A>(live, &meter, answered)
    }

    fn finish<A: Ask>(
        &self,
        mut live: Box<Live>,
        meter: &Meter,
        answered: wasmtime::Result<A::Answer>,
    ) -> Outcome<A::Answer> {
        let run = live.store.data_mut();
        let (mut issued, logs) = (std::mem::take(&mut run.issued), std::mem::take(&mut run.logs));
        let wall = meter.wall();
        let measures = Measures {
            cpu: meter.cpu(wall),
            wall,
            memory_peak_bytes: run.memory.peak as u64,
            host_calls: run.host_calls,
            output_bytes: run.output_bytes,
        };
        let answer = answered.map_err(|error| failure(&error, run, &logs));
        match &answer {
            Ok(_) if only_looks(A::HOOK) => issued = Issued::default(),
            Ok(_) => {}
            Err(_) => issued = Issued::default(),
        }
        // An instance that failed is in no state that anybody knows.
        if answer.is_ok() && self.reuse == Reuse::Warm && live.calls < CALLS {
            self.keep(live);
        }
        Outcome { answer, issued, logs, measures }
    }

    /// An instance that nobody else uses. One that was used before is out of reach until its call has gone well.
    fn instance(&self, module: &Arc<Module>, run: Run) -> Box<Live> {
        if self.reuse == Reuse::Warm {
            let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
            let is_ours = |live: &Live| {
                Arc::ptr_eq(&live.module, module) && live.store.data().caller.workspace == run.caller.workspace
            };
            if let Some(at) = warm.iter().rposition(|live| is_ours(live)) {
                let mut live = warm.remove(at);
                let earlier = live.store.data_mut();
                let run = run.in_memory_of(earlier);
                *earlier = run;
                return live;
            }
        }
        Box::new(Live::new(&self.machine, Arc::clone(module), run))
    }

    fn keep(&self, live: Box<Live>) {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        warm.push(live);
        if warm.len() > WARM {
            // The one that was used least lately. It is dropped after the lock.
            let oldest = warm.remove(0);
            drop(warm);
            drop(oldest);
        }
    }

    /// Lets go of the warm instances of a module that is no longer to run, or of all of a workspace.
    pub fn forget(&self, is_over: impl Fn(&Module, WorkspaceId) -> bool) {
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        warm.retain(|live| !is_over(&live.module, live.store.data().caller.workspace));
    }

    async fn slot(&self, meter: &Meter) -> Option<SemaphorePermit<'_>> {
        if let Ok(slot) = self.slots.try_acquire() {
            return Some(slot);
        }
        let slot = timeout(meter.wall_left(), self.slots.acquire()).await.ok()?.ok();
        meter.waited(meter.wall());
        slot
    }
}

impl<T> Outcome<T> {
    /// What comes of it where there was nothing to ask.
    pub fn of(answer: T) -> Self {
        Outcome { answer: Ok(answer), issued: Issued::default(), logs: Vec::new(), measures: Measures::default() }
    }

    /// The same with what is made of the answer.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        let Outcome { answer, issued, logs, measures } = self;
        Outcome { answer: answer.map(change), issued, logs, measures }
    }

    pub(crate) fn failed(kind: FailureKind, what: &str) -> Self {
        Outcome {
            answer: Err(Failure { kind, what: what.to_owned() }),
            issued: Issued::default(),
            logs: Vec::new(),
            measures: Measures::default(),
        }
    }
}

/// Whether nothing of what is issued is ever committed.
fn only_looks(hook: Hook) -> bool {
    matches!(hook, Hook::ValidateConfiguration | Hook::Resolve)
}

/// How long a call of a hook may take on the clock.
pub fn longest(hook: Hook, limits: &Limits) -> Duration {
    times(hook, limits).1
}

/// How long a hook may keep the processor busy, and how long it may take.
fn times(hook: Hook, limits: &Limits) -> (Duration, Duration) {
    let milliseconds = Duration::from_millis;
    if hook.is_before() {
        return (milliseconds(limits.before_cpu_ms), milliseconds(limits.before_wall_ms));
    }
    let span = milliseconds(match hook {
        Hook::Schedule => limits.schedule_ms,
        // Somebody waits for it.
        Hook::Resolve => return (milliseconds(limits.after_ms.min(FIELD_MS)), milliseconds(FIELD_MS)),
        _ => limits.after_ms,
    });
    // It stands back behind others, which is not to be held against it.
    (span, span * 2)
}

fn failure(error: &wasmtime::Error, run: &Run, logs: &[LogLine]) -> Failure {
    if let Some(stop) = error.downcast_ref::<Stop>() {
        return Failure { kind: stop.kind, what: stop.what.clone() };
    }
    let trap = error.downcast_ref::<Trap>();
    // Behind a trap stands where in the code it was, which tells nobody anything; what the plugin itself said last does.
    let what = match (trap, logs.iter().rfind(|line| line.level == LogLevel::Error)) {
        (Some(trap), Some(line)) => convert::cut(&format!("{trap}: {}", line.text).replace('\n', " ")),
        (Some(trap), None) => trap.to_string(),
        (None, _) => convert::cut(&format!("{error:#}")),
    };
    let kind = match trap {
        Some(Trap::StackOverflow) => FailureKind::Memory,
        // Programs end themselves when they get no memory.
        _ if run.memory.refused => {
            let limit = run.limits.memory_bytes;
            return Failure {
                kind: FailureKind::Memory,
                what: format!("it wanted more than {limit} bytes of memory ({what})"),
            };
        }
        // The engine has no word of its own for it.
        _ if what.contains("fuel allocated for hostcalls") => FailureKind::Output,
        _ => FailureKind::Trap,
    };
    Failure { kind, what }
}

/// A call that is looked after: the time that each turn takes is counted, and it is given up when its time is over. The timer
/// is set when the call has to wait for the first time, which most never do.
async fn metered<T>(work: impl Future<Output = wasmtime::Result<T>>, meter: &Meter) -> wasmtime::Result<T> {
    let mut work = pin!(work);
    let (mut alarm, mut waits_since) = (None, None::<Instant>);
    poll_fn(|context| {
        if let Some(since) = waits_since.take() {
            meter.waited(since.elapsed());
        }
        meter.take_up();
        let polled = work.as_mut().poll(context);
        meter.lay_aside();
        if polled.is_ready() {
            return polled;
        }
        waits_since = meter.waits().then(Instant::now);
        loop {
            let set = alarm.get_or_insert_with(|| Box::pin(sleep(meter.wall_left())));
            std::task::ready!(set.as_mut().poll(context));
            if meter.wall_left().is_zero() {
                return Poll::Ready(Err(meter.too_long().into()));
            }
            // Meanwhile it may take longer.
            alarm = None;
        }
    })
    .await
}
