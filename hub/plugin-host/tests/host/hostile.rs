//! Guests that mean harm, or are broken. Each is asked beside a good one, which must not notice.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use jackfield_domain::{
    conversations::{History, Visibility},
    plugins::{FailureKind, Issued, LogLevel},
};
use jackfield_plugin_host::{
    Failure, Outcome, Reuse,
    hooks::{
        BeforeConversationCreate, BeforeDelete, BeforeEdit, BeforeJoin, ConfigurationChanged, Disable, Enable, Install,
        OnEvents, RunCommand, RunSchedule, Upgrade, ValidateConfiguration, Verdict,
    },
};
use serde_json::json;

use crate::{
    guests::{
        Guest,
        in_the_way::{flood, in_the_way},
        reject,
    },
    support::{self, HELLO, NOW, TEA, ann, ask, ask_in, hub, plugin, put},
};

crate::tests![
    what_stands_in_the_way_fails_in_its_own_way_or_is_bounded,
    an_endless_loop_is_stopped_by_the_processors_clock,
    an_endless_loop_in_the_start_of_a_component_is_stopped,
    loops_aside_leave_room_for_those_who_wait,
    an_endless_recursion_ends,
    memory_has_an_end,
    a_table_has_an_end,
    a_trap_is_only_its_own_call,
    a_huge_answer_is_not_taken,
    text_that_is_no_text_is_not_taken,
    an_answer_from_outside_of_its_memory_is_not_taken,
    a_flood_of_calls_ends,
    a_flood_of_log_lines_is_cut,
    a_flood_of_operations_ends,
    a_hub_that_does_not_answer_holds_nobody_up,
    a_hub_that_is_away_is_not_the_plugins_fault,
    a_bad_refusal_is_a_failure,
];

fn failure<T: std::fmt::Debug>(outcome: &Outcome<T>) -> &Failure {
    assert_eq!(outcome.issued, Issued::default(), "of what fails nothing is committed");
    outcome.answer.as_ref().expect_err("it is hostile")
}

/// F: P-01
async fn what_stands_in_the_way_fails_in_its_own_way_or_is_bounded() {
    let host = support::host(Reuse::Fresh);
    for (guest, kinds) in in_the_way() {
        let outcome = ask_in(&host, &guest, &hub()).await;
        let id = &guest.manifest.as_ref().expect("it has one")["id"];
        match &outcome.answer {
            Ok(_) => assert!(kinds.is_empty(), "{id} did not fail"),
            Err(failure) => {
                assert!(kinds.contains(&failure.kind.as_str().to_uppercase().as_str()), "{id}: {failure:?}");
            }
        }
    }
}

/// F: P-01
async fn an_endless_loop_is_stopped_by_the_processors_clock() {
    let host = Arc::new(support::host(Reuse::Fresh));
    let looping = plugin(&host, &Guest::new().before_create("(loop $on (br $on)) (i32.const 16)")).await;
    let good = plugin(&host, &Guest::new()).await;
    // Some of them at once: each has its own time, whoever else keeps the machine busy.
    let loops: Vec<_> = (0..4)
        .map(|_| {
            let (host, looping) = (Arc::clone(&host), looping.clone());
            tokio::spawn(async move { put(&host, &looping, &hub(), &support::question("hello")).await })
        })
        .collect();
    assert_eq!(put(&host, &good, &hub(), &support::question("hello")).await.answer, Ok(Verdict::Allow));
    for outcome in loops {
        let outcome = outcome.await.unwrap();
        // With four of them on two processors, the clock on the wall may strike first.
        assert!(matches!(failure(&outcome).kind, FailureKind::CpuTime | FailureKind::WallTime), "{outcome:?}");
        assert!(outcome.measures.cpu < Duration::from_millis(100), "{:?}", outcome.measures);
    }
    let alone = put(&host, &looping, &hub(), &support::question("hello")).await;
    assert!(matches!(failure(&alone).kind, FailureKind::CpuTime | FailureKind::WallTime), "{alone:?}");
    assert_eq!(put(&host, &good, &hub(), &support::question("hello")).await.answer, Ok(Verdict::Allow));
}

/// F: P-01
async fn an_endless_loop_in_the_start_of_a_component_is_stopped() {
    let outcome = ask(&Guest::new().extra("(func $begin (loop $on (br $on))) (start $begin)")).await;
    assert!(matches!(failure(&outcome).kind, FailureKind::CpuTime | FailureKind::WallTime), "{outcome:?}");
}

/// F: P-01, P-04
async fn loops_aside_leave_room_for_those_who_wait() {
    let host = Arc::new(support::host(Reuse::Fresh));
    let events = Guest::new().only("event-hooks", json!({ "on-events": { "events": ["message_sent"] } }));
    let looping = events.with("/limits/after-ms", json!(500));
    let looping = looping.does("event-hooks", "on-events", "(loop $on (br $on)) (i32.const 16)");
    let looping = plugin(&host, &looping).await;
    let good = plugin(&host, &Guest::new()).await;
    let loops: Vec<_> = (0..8)
        .map(|_| {
            let (host, looping) = (Arc::clone(&host), looping.clone());
            tokio::spawn(async move { host.ask_aside(looping, support::occasion(&hub()), OnEvents::new(&[], 1)).await })
        })
        .collect();
    for _ in 0..1_000 {
        assert_eq!(put(&host, &good, &hub(), &support::question("hello")).await.answer, Ok(Verdict::Allow));
    }
    for outcome in loops {
        let outcome = outcome.await.unwrap();
        assert!(matches!(failure(&outcome).kind, FailureKind::CpuTime | FailureKind::WallTime), "{outcome:?}");
        assert!(outcome.measures.wall < Duration::from_secs(5), "{:?}", outcome.measures);
    }
}

/// F: P-01
async fn an_endless_recursion_ends() {
    let outcome = ask(&Guest::new().before_create("(call $deeper (i32.const 1))").extra(
        "(func $deeper (param i32) (result i32) (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))",
    ))
    .await;
    assert_eq!(failure(&outcome).kind, FailureKind::Memory, "{outcome:?}");
}

/// F: P-01
async fn memory_has_an_end() {
    let greedy = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
    let outcome = ask(&Guest::new().before_create(greedy)).await;
    assert_eq!(failure(&outcome).kind, FailureKind::Memory, "{outcome:?}");
    assert!(outcome.measures.memory_peak_bytes <= 32 << 20, "{:?}", outcome.measures);
    assert!(failure(&outcome).what.contains("33554432"), "{outcome:?}");

    let small = Guest::new().with("/limits/memory-bytes", json!(131_072));
    let grows = |pages: u32| {
        format!("(if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable)) (i32.const 16)")
    };
    assert_eq!(ask(&small.clone().before_create(&grows(1))).await.answer, Ok(Verdict::Allow));
    assert_eq!(failure(&ask(&small.before_create(&grows(2))).await).kind, FailureKind::Memory);
    let from_the_start =
        Guest::new().with("/limits/memory-bytes", json!(65_536)).extra("(data (i32.const 65535) \"x\")");
    assert_eq!(ask(&from_the_start).await.answer, Ok(Verdict::Allow));
}

/// F: P-01
async fn a_table_has_an_end() {
    let wide = Guest::new().extra("(table $wide 0 funcref)").before_create(
        "(loop $more (br_if $more (i32.ne (table.grow $wide (ref.null func) (i32.const 10000)) (i32.const -1)))) unreachable",
    );
    assert_eq!(failure(&ask(&wide).await).kind, FailureKind::Memory);
}

/// F: P-01, P-02
async fn a_trap_is_only_its_own_call() {
    let host = support::host(Reuse::Warm);
    let hub = hub();
    let trap = "unreachable";
    let kind = |kind: FailureKind| assert_eq!(kind, FailureKind::Trap);

    let message = support::message(HELLO, TEA);
    let conversation = support::conversation(TEA);
    let hooks = json!({ "before-create": {}, "before-edit": {}, "before-delete": {} });
    let messages = Guest::new().only("message-hooks", hooks);
    let messages = ["before-create", "before-edit", "before-delete"]
        .into_iter()
        .fold(messages, |guest, function| guest.does("message-hooks", function, trap));
    let messages = plugin(&host, &messages).await;
    kind(failure(&put(&host, &messages, &hub, &support::question("hello")).await).kind);
    let told = put(&host, &messages, &hub, &support::question("hello")).await.answer.unwrap_err().what;
    assert!(
        told.contains("unreachable") && !told.contains("0x"),
        "it says what was, and not where in the code: {told}"
    );
    kind(failure(&put(&host, &messages, &hub, &BeforeEdit::new(&message, &ann(), "hi".into())).await).kind);
    kind(failure(&put(&host, &messages, &hub, &BeforeDelete::new(&message, &ann())).await).kind);

    let membership =
        Guest::new().only("membership-hooks", json!({ "before-join": {}, "before-conversation-create": {} }));
    let membership = membership.does("membership-hooks", "before-join", trap);
    let membership = plugin(&host, &membership.does("membership-hooks", "before-conversation-create", trap)).await;
    let join = BeforeJoin::new(&conversation, &ann(), None, jackfield_domain::ConversationRole::Member);
    kind(failure(&put(&host, &membership, &hub, &join).await).kind);
    let draft = jackfield_domain::conversations::ConversationDraft {
        kind: conversation.kind,
        title: None,
        description: None,
        avatar_url: None,
        visibility: Visibility::Private,
        history: History::Full,
        context: None,
        members: Vec::new(),
    };
    kind(failure(&put(&host, &membership, &hub, &BeforeConversationCreate::new(draft, &ann())).await).kind);

    let events = Guest::new().only("event-hooks", json!({ "on-events": { "events": ["message_sent"] } }));
    let events = plugin(&host, &events.does("event-hooks", "on-events", trap)).await;
    kind(failure(&put(&host, &events, &hub, &OnEvents::new(&[], 1)).await).kind);

    let schedule = Guest::new().only("schedule-hooks", json!({}));
    let schedule = schedule.with("/schedules", json!([{ "name": "daily", "cron": "0 2 * * *" }]));
    let schedule = plugin(&host, &schedule.does("schedule-hooks", "run", trap)).await;
    kind(failure(&put(&host, &schedule, &hub, &RunSchedule::new("daily", NOW, None, 1)).await).kind);

    let commands = Guest::new().only("command-hooks", json!({}));
    let commands = commands.with("/commands", json!([{ "name": "hello", "description": "Says hello." }]));
    let commands = plugin(&host, &commands.does("command-hooks", "run", trap)).await;
    kind(failure(&put(&host, &commands, &hub, &RunCommand::new("hello", &ann(), None, Vec::new())).await).kind);

    let names = ["install", "upgrade", "enable", "disable", "validate-configuration", "configuration-changed"];
    let hooks = json!(names.iter().map(|name| (*name, json!({}))).collect::<std::collections::BTreeMap<_, _>>());
    let lifecycle = Guest::new().only("lifecycle-hooks", hooks);
    let lifecycle = names.into_iter().fold(lifecycle, |guest, function| guest.does("lifecycle-hooks", function, trap));
    let lifecycle = plugin(&host, &lifecycle).await;
    kind(failure(&put(&host, &lifecycle, &hub, &Install { resume: None }).await).kind);
    let upgrade = Upgrade { version: "1.0.0".parse().unwrap(), data_version: 1, resume: None };
    kind(failure(&put(&host, &lifecycle, &hub, &upgrade).await).kind);
    kind(failure(&put(&host, &lifecycle, &hub, &Enable).await).kind);
    kind(failure(&put(&host, &lifecycle, &hub, &Disable).await).kind);
    let configuration = "{}".to_owned();
    kind(failure(&put(&host, &lifecycle, &hub, &ValidateConfiguration { configuration }).await).kind);
    kind(failure(&put(&host, &lifecycle, &hub, &ConfigurationChanged).await).kind);

    let good = plugin(&host, &Guest::new()).await;
    assert_eq!(put(&host, &good, &hub, &support::question("hello")).await.answer, Ok(Verdict::Allow));
}

/// F: P-01
async fn a_huge_answer_is_not_taken() {
    // A hold with a reason of 3 MiB.
    let huge = "(drop (memory.grow (i32.const 100)))
        (i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.const 8192))
        (i32.store (i32.const 208) (i32.const 3145728)) (i32.const 200)";
    let outcome = ask(&Guest::new().before_create(huge)).await;
    assert_eq!(failure(&outcome).kind, FailureKind::Output, "{outcome:?}");
    // One that is as long as may be is cut to what people read.
    let long = Guest::new().data(1100, &"long ".repeat(200)).before_create(
        "(i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.const 1100))
         (i32.store (i32.const 208) (i32.const 1000)) (i32.const 200)",
    );
    let Ok(Verdict::Hold(reason)) = ask(&long).await.answer else { panic!("it is held") };
    assert_eq!(reason.chars().count(), 500);
    assert!(reason.ends_with('…'));
}

/// F: P-01
async fn text_that_is_no_text_is_not_taken() {
    let no_text =
        Guest::new().extra("(data (i32.const 1024) \"\\ff\\fe\\00\")").extra("(data (i32.const 1100) \"why\")");
    let outcome = ask(&no_text.clone().before_create(&reject(3, 3))).await;
    assert_eq!(failure(&outcome).kind, FailureKind::Trap, "{outcome:?}");
    let key = no_text
        .import("kv", "delete")
        .before_create("(call $kv_delete (i32.const 1024) (i32.const 2) (i32.const 300)) (i32.const 16)");
    assert_eq!(failure(&ask(&key).await).kind, FailureKind::Trap);
    // A variant that there is not.
    let strange = Guest::new().before_create("(i32.store8 (i32.const 200) (i32.const 9)) (i32.const 200)");
    assert_eq!(failure(&ask(&strange).await).kind, FailureKind::Trap);
}

/// F: P-01
async fn an_answer_from_outside_of_its_memory_is_not_taken() {
    for address in ["(i32.const 65530)", "(i32.const -4)", "(i32.const 17)"] {
        let outcome = ask(&Guest::new().before_create(address)).await;
        assert_eq!(failure(&outcome).kind, FailureKind::Trap, "{address}: {outcome:?}");
    }
    let outside = "(i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.const 65000))
        (i32.store (i32.const 208) (i32.const 5000)) (i32.const 200)";
    assert_eq!(failure(&ask(&Guest::new().before_create(outside)).await).kind, FailureKind::Trap);
}

/// F: P-01
async fn a_flood_of_calls_ends() {
    let guest = Guest::new().import("clock", "now").before_create(&flood("(drop (call $clock_now))"));
    let outcome = ask(&guest.with("/limits/host-calls", json!(50))).await;
    assert_eq!(failure(&outcome).kind, FailureKind::Output, "{outcome:?}");
    assert_eq!(outcome.measures.host_calls, 51);
}

/// F: P-01, P-11
async fn a_flood_of_log_lines_is_cut() {
    let line = "(call $log_write (i32.const 2) (i32.const 1024) (i32.const 1000))";
    let guest = Guest::new().data(1024, &"é".repeat(500)).import("log", "write");
    let outcome = ask(&guest.clone().before_create(&format!("{}(i32.const 16)", line.repeat(200)))).await;
    assert_eq!(outcome.answer, Ok(Verdict::Allow), "who logs too much is cut short and goes on");
    let bytes: usize = outcome.logs.iter().map(|line| line.text.len()).sum();
    assert!((60_000..66_000).contains(&bytes), "{bytes}");
    assert!(outcome.logs.last().unwrap().text.ends_with("(more than may be logged in one call)"));
    assert_eq!(outcome.logs[0].level, LogLevel::Warn);

    let failing = ask(&guest.before_create(&format!("{line} unreachable"))).await;
    assert_eq!(failing.logs.len(), 1, "what it said before it failed is kept");
}

/// F: P-01, P-08
async fn a_flood_of_operations_ends() {
    let set = "(call $kv_set (i32.const 1024) (i32.const 3) (i32.const 1100) (i32.const 2000) (i32.const 0) (i32.const 0) (i32.const 300))";
    let guest = Guest::new().data(1024, "key").import("kv", "set").before_create(&flood(set));
    let outcome = ask(&guest.with("/limits/output-bytes", json!(100_000))).await;
    assert_eq!(failure(&outcome).kind, FailureKind::Output, "{outcome:?}");
    assert!(failure(&outcome).what.contains("100000"), "{outcome:?}");
}

/// F: P-01
async fn a_hub_that_does_not_answer_holds_nobody_up() {
    let get = "(call $kv_get (i32.const 1024) (i32.const 3) (i32.const 300)) (i32.const 16)";
    let guest = Guest::new().data(1024, "key").import("kv", "get").before_create(get);
    let hub = hub();
    hub.never_answers.store(true, Ordering::SeqCst);
    let started = Instant::now();
    let outcome = ask_in(&support::host(Reuse::Fresh), &guest, &hub).await;
    assert_eq!(failure(&outcome).kind, FailureKind::Hub, "it is not the plugin that is slow: {outcome:?}");
    assert!(outcome.measures.wall >= Duration::from_millis(50));
    assert!(started.elapsed() < Duration::from_secs(30));
}

/// F: P-04
async fn a_hub_that_is_away_is_not_the_plugins_fault() {
    let get = "(call $kv_get (i32.const 1024) (i32.const 3) (i32.const 300)) (i32.const 16)";
    let guest = Guest::new().data(1024, "key").import("kv", "get").before_create(get);
    let hub = hub();
    hub.is_away.store(true, Ordering::SeqCst);
    let outcome = ask_in(&support::host(Reuse::Fresh), &guest, &hub).await;
    assert_eq!(failure(&outcome).kind, FailureKind::Hub, "{outcome:?}");
    assert!(!failure(&outcome).kind.is_the_plugins());
}

/// F: P-02
async fn a_bad_refusal_is_a_failure() {
    let guest = Guest::new().data(1024, "NOT_HERE").data(1100, "Not here.").before_create(&reject(9, 8));
    let Ok(Verdict::Reject(refusal)) = ask(&guest).await.answer else { panic!("it is refused") };
    assert_eq!((refusal.code.as_str(), refusal.reason.as_str()), ("NOT_HERE", "Not here."));
    for (code, reason) in [("not here", "Not here."), ("NOT_HERE", "         ")] {
        let guest = Guest::new().data(1024, code).data(1100, reason).before_create(&reject(9, 8));
        assert_eq!(failure(&ask(&guest).await).kind, FailureKind::Answer, "{code}");
    }
}
