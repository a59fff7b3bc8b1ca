//! What one workspace's plugin knows, another's never learns, also where instances are used again.

use jackfield_domain::{WorkspaceId, plugins::FailureKind};
use jackfield_plugin_host::{Occasion, Plugin, PluginHost, Reuse, hooks::Verdict};

use crate::{
    guests::{Guest, reject},
    support::{self, ELSEWHERE, HERE, hub, occasion, plugin},
};

crate::tests![
    a_global_carries_nothing_to_another_workspace,
    memory_carries_nothing_to_another_workspace,
    a_fresh_instance_knows_nothing,
    an_instance_that_failed_is_not_used_again,
    what_is_forgotten_is_not_used_again,
    the_host_says_for_whom_the_hub_is_asked,
];

/// Refuses with a letter that says how often it was asked before, by its global and by its memory.
fn counting() -> Guest {
    let body = "(i32.store8 (i32.const 1024) (i32.add (i32.const 65) (global.get $seen)))
        (i32.store8 (i32.const 1025) (i32.add (i32.const 65) (i32.load8_u (i32.const 2000))))
        (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
        (i32.store8 (i32.const 2000) (i32.add (i32.load8_u (i32.const 2000)) (i32.const 1)))";
    Guest::new()
        .data(1100, "Not here.")
        .extra("(global $seen (mut i32) (i32.const 0))")
        .before_create(&format!("{body}{}", reject(9, 2)))
}

async fn seen(host: &PluginHost, plugin: &Plugin, workspace: WorkspaceId) -> String {
    let occasion = Occasion { workspace, ..occasion(&hub()) };
    match host.ask(plugin, &occasion, &support::question("hello")).await.answer {
        Ok(Verdict::Reject(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

/// F: P-01, A-03
async fn a_global_carries_nothing_to_another_workspace() {
    let host = support::host(Reuse::Warm);
    let plugin = plugin(&host, &counting()).await;
    assert_eq!(seen(&host, &plugin, HERE).await, "AA");
    assert_eq!(seen(&host, &plugin, HERE).await, "BB", "it is used again here");
    assert_eq!(seen(&host, &plugin, ELSEWHERE).await, "AA");
    assert_eq!(seen(&host, &plugin, HERE).await, "CC");
    assert_eq!(seen(&host, &plugin, ELSEWHERE).await, "BB");
}

/// F: P-01, A-03
async fn memory_carries_nothing_to_another_workspace() {
    // Enough workspaces that instances are let go and their room is used by others.
    let host = support::host(Reuse::Warm);
    let plugin = plugin(&host, &counting()).await;
    for number in 100..300 {
        assert_eq!(seen(&host, &plugin, WorkspaceId(uuid::Uuid::from_u128(number))).await, "AA", "{number}");
    }
}

/// F: P-01
async fn a_fresh_instance_knows_nothing() {
    let host = support::host(Reuse::Fresh);
    let plugin = plugin(&host, &counting()).await;
    for _ in 0..200 {
        assert_eq!(seen(&host, &plugin, HERE).await, "AA");
    }
}

/// F: P-01
async fn an_instance_that_failed_is_not_used_again() {
    let host = support::host(Reuse::Warm);
    let body = "(global.set $seen (i32.add (global.get $seen) (i32.const 1)))
        (if (i32.ge_u (global.get $seen) (i32.const 3)) (then unreachable)) (i32.const 16)";
    let guest = Guest::new().extra("(global $seen (mut i32) (i32.const 0))").before_create(body);
    let plugin = plugin(&host, &guest).await;
    for fails in [false, false, true, false, false, true, false] {
        let outcome = host.ask(&plugin, &occasion(&hub()), &support::question("hello")).await;
        assert_eq!(outcome.answer.err().map(|failure| failure.kind), fails.then_some(FailureKind::Trap));
    }
}

/// F: P-06
async fn what_is_forgotten_is_not_used_again() {
    let host = support::host(Reuse::Warm);
    let plugin = plugin(&host, &counting()).await;
    assert_eq!(seen(&host, &plugin, HERE).await, "AA");
    assert_eq!(seen(&host, &plugin, ELSEWHERE).await, "AA");
    host.forget(|module, workspace| module.id() == plugin.module.id() && workspace == HERE);
    assert_eq!(seen(&host, &plugin, HERE).await, "AA");
    assert_eq!(seen(&host, &plugin, ELSEWHERE).await, "BB");
}

/// F: A-03, P-08
async fn the_host_says_for_whom_the_hub_is_asked() {
    let get = "(call $kv_get (i32.const 1024) (i32.const 3) (i32.const 300))";
    // Holds the message if it finds something.
    let body = format!(
        "{get} (if (result i32) (i32.load8_u (i32.const 304)) (then
            (i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.load (i32.const 308)))
            (i32.store (i32.const 208) (i32.load (i32.const 312))) (i32.const 200)) (else (i32.const 16)))"
    );
    let guest = Guest::new().data(1024, "key").import("kv", "get").before_create(&body);
    let hub = hub();
    hub.set(HERE, "key", b"ours");
    let host = support::host(Reuse::Warm);
    let plugin = plugin(&host, &guest).await;
    for (workspace, expected) in [
        (HERE, Verdict::Hold("ours".to_owned())),
        (ELSEWHERE, Verdict::Allow),
        (HERE, Verdict::Hold("ours".to_owned())),
    ] {
        let occasion = Occasion { workspace, ..occasion(&hub) };
        let outcome = host.ask(&plugin, &occasion, &support::question("hello")).await;
        assert_eq!(outcome.answer, Ok(expected));
    }
    let callers = hub.callers.lock().unwrap();
    let workspaces: Vec<WorkspaceId> = callers.iter().map(|caller| caller.workspace).collect();
    assert_eq!(workspaces, [HERE, ELSEWHERE, HERE]);
    assert!(callers.iter().all(|caller| caller.plugin == *plugin.module.id()));
}
