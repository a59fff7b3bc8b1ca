//! The engine: how components are compiled and where their instances live; and the ticker that lets a call be stopped.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};

use wasmtime::{Config, Engine, EngineWeak, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often a call that runs is looked at. A call is stopped at most two ticks late.
pub(crate) const TICK: Duration = Duration::from_millis(2);
/// After so many ticks without a call the ticker rests. Waking it costs a call more than a few ticks cost everybody.
const IDLE_TICKS: u32 = 50;
/// So many calls run at once, and so many instances there are; more wait.
pub(crate) const SLOTS: u32 = 96;
/// The largest memory that an admin can grant.
const MEMORY_MAX_BYTES: usize = 256 << 20;
/// What stays mapped of a memory that was used and cleared: clearing so much is cheaper than mapping it again.
const KEEP_RESIDENT_BYTES: usize = 128 << 10;
/// The stack of a plugin, and with it what the host's functions need on top.
const STACK_BYTES: usize = 512 << 10;
const FIBER_BYTES: usize = 1 << 20;
const TABLE_ELEMENTS: usize = 20_000;
/// So much of everything a component may be made of: what tools make of a program needs no more. With so much for each slot no
/// plugin can leave the others without.
pub(crate) const CORE_INSTANCES: u32 = 4;
pub(crate) const TABLES: u32 = 2;
pub(crate) const MEMORIES: u32 = 1;

/// Where instances live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// In room that is set aside at the start, so that a fresh instance costs little. Takes much address space.
    Pool,
    /// In room that is asked for each time.
    OnDemand,
}

/// The engine, and how it was set up.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) engine: Engine,
    pub(crate) allocation: Allocation,
    ticker: Arc<Ticker>,
}

impl Machine {
    /// Takes the pool where the machine gives enough address space, and does without where not.
    pub(crate) fn new(wanted: Allocation) -> wasmtime::Result<Self> {
        let (engine, allocation) = match wanted {
            Allocation::Pool => match Engine::new(&config(Allocation::Pool)) {
                Ok(engine) => (engine, Allocation::Pool),
                Err(error) => {
                    tracing::warn!(%error, "no address space for a pool of plugin instances: they are made one by one");
                    (Engine::new(&config(Allocation::OnDemand))?, Allocation::OnDemand)
                }
            },
            Allocation::OnDemand => (Engine::new(&config(Allocation::OnDemand))?, Allocation::OnDemand),
        };
        let ticker = Arc::new(Ticker::start(&engine)?);
        Ok(Machine { engine, allocation, ticker })
    }

    /// As long as somebody holds what this returns, the engine ticks.
    pub(crate) fn enter(&self) -> Ticking {
        self.ticker.enter();
        Ticking(Arc::clone(&self.ticker))
    }
}

/// What the code is compiled for must be the same where it is compiled and where it runs, so everything that decides it is
/// set here for both; only the pool, which has no say in it, is left out in the child that compiles.
pub(crate) fn config(allocation: Allocation) -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // It costs every call, and no plugin can use it yet.
        .concurrency_support(false)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(FIBER_BYTES)
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .memory_init_cow(true);
    if allocation == Allocation::Pool {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(SLOTS)
            .total_core_instances(SLOTS * CORE_INSTANCES)
            .total_memories(SLOTS * MEMORIES)
            .total_tables(SLOTS * TABLES)
            .max_core_instances_per_component(CORE_INSTANCES)
            .max_memories_per_component(MEMORIES)
            .max_tables_per_component(TABLES)
            .total_stacks(SLOTS)
            .table_elements(TABLE_ELEMENTS)
            .max_memory_size(MEMORY_MAX_BYTES)
            .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
            .table_keep_resident(16 << 10)
            .async_stack_keep_resident(32 << 10);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    } else {
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    }
    config
}

/// Advances the engine's epoch while calls are in flight, and rests while none is.
struct Ticker {
    pulse: Arc<Pulse>,
    thread: Thread,
}

#[derive(Default)]
struct Pulse {
    in_flight: AtomicUsize,
    resting: AtomicBool,
    over: AtomicBool,
}

/// A call is in flight.
pub(crate) struct Ticking(Arc<Ticker>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.pulse.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ticker {
    fn start(engine: &Engine) -> wasmtime::Result<Self> {
        let pulse = Arc::new(Pulse::default());
        let (engine, watched) = (engine.weak(), Arc::clone(&pulse));
        let running = thread::Builder::new().name("plugin-ticks".to_owned()).spawn(move || tick(&engine, &watched))?;
        Ok(Ticker { pulse, thread: running.thread().clone() })
    }

    fn enter(&self) {
        self.pulse.in_flight.fetch_add(1, Ordering::SeqCst);
        if self.pulse.resting.load(Ordering::SeqCst) && self.pulse.resting.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.pulse.over.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn tick(engine: &EngineWeak, pulse: &Pulse) {
    let mut idle = 0;
    while !pulse.over.load(Ordering::SeqCst) {
        if idle < IDLE_TICKS {
            thread::park_timeout(TICK);
        } else {
            // Whoever enters looks at this after it was counted; we look at the count after this. One of us sees the other.
            pulse.resting.store(true, Ordering::SeqCst);
            if pulse.in_flight.load(Ordering::SeqCst) == 0 {
                thread::park();
            }
            pulse.resting.store(false, Ordering::SeqCst);
            idle = 0;
        }
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
        idle = if pulse.in_flight.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
    }
}
