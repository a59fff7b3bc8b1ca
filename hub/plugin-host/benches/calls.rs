//! What a before-hook costs: the whole dispatch beside the bare call of wasmtime, in a fresh instance and in a warm one, and
//! where no plugin listens. `cargo bench -p jackfield-plugin-host` prints it.
//!
//! All rows are measured in turns, so that a machine that is busy with others is so for each of them.

#![allow(clippy::unwrap_used, reason = "what fails in a test is to be seen")]

#[path = "../tests/host/guests.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod guests;
#[path = "../tests/host/support.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::{
    hint::black_box,
    sync::{Arc, Mutex},
    time::Instant,
};

use guests::Guest;
use jackfield_domain::plugins::{Breaker, FailurePolicy, Order, Phase};
use jackfield_plugin_host::{Chain, Link, Plugin, PluginHost, Reuse};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreLimits, StoreLimitsBuilder,
    component::{Component, Linker},
};

mod bare {

    wasmtime::component::bindgen!({
        path: "../../plugin-sdk/wit",
        inline: "package bench:bare; world bare { export jackfield:plugin/message-hooks@0.1.0; }",
        exports: { default: async },
    });
}
use bare::{BarePre, exports::jackfield::plugin::message_hooks::MessageDraft, jackfield::plugin::types};

const ROUNDS: usize = 100;
const CALLS: usize = 200;

fn main() {
    if std::env::args().nth(1).as_deref() == Some(support::CHILD) {
        let code = jackfield_plugin_host::child_main(std::io::stdin().lock(), std::io::stdout().lock());
        std::process::exit(code);
    }
    support::wait(async { tokio::spawn(measure()).await.expect("it does not panic") });
}

async fn measure() {
    // A component of one's own, or one that does nothing.
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let component =
        given.map_or_else(|| Guest::new().build(), |path| std::fs::read(path).expect("the component is there"));
    let (pre, engine) = bare_component(&component);
    let mut bare_warm = store(&engine);
    let bare_instance = pre.instantiate_async(&mut bare_warm).await.expect("it starts");
    let bare_hooks = bare_instance.jackfield_plugin_message_hooks();
    let draft = bare_draft();

    let (fresh, warm) = (support::host(Reuse::Fresh), support::host(Reuse::Warm));
    let (fresh_plugin, warm_plugin) =
        (support::plugin_of(&fresh, component.clone()).await, support::plugin_of(&warm, component).await);
    let occasion = support::occasion(&support::hub());
    let question = support::question(BODY);
    let ann = support::ann();
    let one = chain(&warm_plugin, 1);
    let ten = chain(&warm_plugin, 10);
    let none = Chain::default();

    let names = [
        "bare, warm",
        "dispatch, warm",
        "bare, fresh",
        "dispatch, fresh",
        "chain of one, warm, with its question",
        "chain of ten, warm, with its question",
        "chain of none",
    ];
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for round in 0..ROUNDS {
        for (row, times) in times.iter_mut().enumerate() {
            for _ in 0..CALLS {
                let began = Instant::now();
                match row {
                    0 => drop(black_box(bare_hooks.call_before_create(&mut bare_warm, &draft).await.expect("allowed"))),
                    1 => ask(&warm, &warm_plugin, &occasion, &question).await,
                    2 => {
                        let mut store = store(&engine);
                        let instance = pre.instantiate_async(&mut store).await.expect("it starts");
                        let hooks = instance.jackfield_plugin_message_hooks();
                        drop(black_box(hooks.call_before_create(&mut store, &draft).await.expect("allowed")));
                    }
                    3 => ask(&fresh, &fresh_plugin, &occasion, &question).await,
                    row => {
                        let chain = [&one, &ten, &none][row - 4];
                        let question = jackfield_plugin_host::hooks::BeforeCreate::new(support::draft(BODY), &ann);
                        drop(black_box(chain.ask(&warm, &occasion, question).await));
                    }
                }
                // The first rounds warm up.
                if round >= ROUNDS / 10 {
                    times.push(began.elapsed().as_nanos() as f64 / 1_000.0);
                }
            }
        }
    }
    println!("{:40} {:>9} {:>9} {:>9}", "microseconds", "p50", "p90", "p99");
    for (name, times) in names.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times[times.len() * part / 100];
        println!("{name:40} {:9.2} {:9.2} {:9.2}", at(50), at(90), at(99));
    }
}

const BODY: &str = "hello there, a fairly ordinary chat message of eighty characters or so, right?";

async fn ask(
    host: &PluginHost,
    plugin: &Plugin,
    occasion: &jackfield_plugin_host::Occasion,
    question: &jackfield_plugin_host::hooks::BeforeCreate,
) {
    let outcome = host.ask(plugin, occasion, question).await;
    assert!(black_box(outcome).answer.is_ok());
}

fn chain(plugin: &Plugin, length: usize) -> Chain {
    let link = |number| {
        let id = plugin.module.id().clone();
        Link {
            order: Order::new(Phase::Enrich, number, id.clone()),
            plugin: id,
            ready: Some(Arc::new(plugin.clone())),
            policy: FailurePolicy::Open,
            message_kinds: None,
            breaker: Arc::new(Mutex::new(Breaker::default())),
        }
    };
    Chain::new((0..length as i32).map(link).collect())
}

fn bare_component(component: &[u8]) -> (BarePre<StoreLimits>, Engine) {
    let mut config = Config::new();
    config.epoch_interruption(true).concurrency_support(false);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(64)
        .total_core_instances(256)
        .total_memories(64)
        .total_tables(128)
        .total_stacks(64)
        .max_memory_size(256 << 20)
        // As the host has it, which makes all the difference for a fresh instance.
        .linear_memory_keep_resident(128 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(32 << 10);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).expect("there is room for a pool");
    let component = Component::new(&engine, component).expect("it compiles");
    let mut linker = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&component).expect("it fits");
    (BarePre::new(linker.instantiate_pre(&component).expect("it fits")).expect("it fits"), engine)
}

fn store(engine: &Engine) -> Store<StoreLimits> {
    let mut store = Store::new(engine, StoreLimitsBuilder::new().memory_size(32 << 20).build());
    store.limiter(|limits| limits);
    store.epoch_deadline_async_yield_and_update(1);
    store.set_epoch_deadline(10);
    store
}

fn bare_draft() -> MessageDraft {
    MessageDraft {
        conversation: support::TEA.to_string(),
        sender: types::User {
            id: support::ANN.to_string(),
            name: "Ann".into(),
            role: types::WorkspaceRole::Member,
            status: types::UserStatus::Active,
            created_at: 0,
        },
        kind: types::MessageKind::Text,
        body: types::Body::Plain(BODY.into()),
        location: None,
        metadata: None,
        reply_to: None,
    }
}
