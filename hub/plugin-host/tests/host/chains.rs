//! Several plugins, asked one after the other.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use jackfield_domain::{
    Timestamp,
    messages::{ContentType, MessageDraft, MessageKind},
    plugins::{Blow, Breaker, FailureKind, FailurePolicy, Hook, LimitChanges, Operation, Order, Phase},
};
use jackfield_plugin_host::{
    Asked, Chain, Decision, Deed, Link, Occasion, Plugin, PluginHost, Reuse,
    hooks::{BeforeCreate, BeforeEdit},
};
use serde_json::json;

use crate::{
    guests::{Guest, reject},
    support::{self, HELLO, NOW, TEA, ann, draft, hub, occasion, plugin},
};

crate::tests![
    the_order_is_phase_then_priority_then_id,
    the_first_that_says_no_ends_it,
    a_hold_ends_it,
    patches_chain_and_edits_too,
    metadata_is_patched,
    an_encrypted_message_keeps_its_words,
    what_was_issued_counts_whatever_the_outcome,
    a_plugin_that_fails_is_passed_over_or_not,
    a_plugin_that_is_not_ready_is_passed_over_or_not,
    a_plugin_that_keeps_failing_is_left_alone,
    the_hubs_own_trouble_trips_no_breaker,
    a_chain_has_its_time,
    only_the_kinds_that_it_wants,
    where_nobody_listens_nothing_is_done,
];

/// Adds a letter to the body: the draft's body is at 44 and has as many bytes as stand at 48, after what comes before it in the draft.
fn appending(id: &str, letter: char) -> Guest {
    // conversation 0..8, sender 8..40 (id, name, role, status, time), kind 40, body 44..56 (case, address, length).
    let body = format!(
        "(local.set $from (i32.load (i32.add (local.get $draft) (i32.const 48))))
         (local.set $length (i32.load (i32.add (local.get $draft) (i32.const 52))))
         (memory.copy (i32.const 1100) (local.get $from) (local.get $length))
         (i32.store8 (i32.add (i32.const 1100) (local.get $length)) (i32.const {}))
         (i32.store8 (i32.const 200) (i32.const 1)) (i32.store8 (i32.const 204) (i32.const 1))
         (i32.store (i32.const 208) (i32.const 1100))
         (i32.store (i32.const 212) (i32.add (local.get $length) (i32.const 1))) (i32.const 200)",
        u32::from(letter)
    );
    Guest::new()
        .id(id)
        .extra(&format!("(func $append (param $draft i32) (result i32) (local $from i32) (local $length i32) {body})"))
        .before_create("(call $append (local.get 0))")
}

fn refusing(id: &str) -> Guest {
    Guest::new().id(id).data(1024, "NOT_HERE").data(1100, "Not here.").before_create(&reject(9, 8))
}

fn trapping(id: &str) -> Guest {
    Guest::new().id(id).before_create("unreachable")
}

struct Wish {
    phase: Phase,
    priority: i32,
    policy: FailurePolicy,
}

const USUAL: Wish = Wish { phase: Phase::Enrich, priority: 0, policy: FailurePolicy::Open };

async fn link(host: &PluginHost, guest: &Guest, wish: Wish) -> Link {
    let plugin = plugin(host, guest).await;
    let id = plugin.module.id().clone();
    Link {
        order: Order::new(wish.phase, wish.priority, id.clone()),
        plugin: id,
        ready: Some(Arc::new(plugin)),
        policy: wish.policy,
        message_kinds: None,
        breaker: Arc::new(Mutex::new(Breaker::default())),
    }
}

async fn ask(host: &PluginHost, links: &[Link], draft: MessageDraft) -> Asked<BeforeCreate> {
    Chain::new(links.to_vec()).ask(host, &occasion(&hub()), BeforeCreate::new(draft, &ann())).await
}

fn deeds<Q>(asked: &Asked<Q>) -> Vec<&Deed> {
    asked.steps.iter().map(|step| &step.deed).collect()
}

/// F: P-03
async fn the_order_is_phase_then_priority_then_id() {
    let host = support::host(Reuse::Fresh);
    let mut links = Vec::new();
    for (id, letter, phase, priority) in [
        ("a.moderator", '6', Phase::Moderate, -9),
        ("b.same", '4', Phase::Enrich, 0),
        ("a.same", '3', Phase::Enrich, 0),
        ("a.late", '5', Phase::Enrich, 7),
        ("z.early", '2', Phase::Enrich, -7),
        ("z.first", '1', Phase::Normalise, 9),
    ] {
        links.push(link(&host, &appending(id, letter), Wish { phase, priority, ..USUAL }).await);
    }
    let asked = ask(&host, &links, draft("tea")).await;
    assert_eq!(asked.decision, Decision::Allow);
    assert_eq!(deeds(&asked), [&Deed::Patched; 6]);
    assert_eq!(asked.question.into_draft().body, "tea123456");
}

/// F: P-02
async fn the_first_that_says_no_ends_it() {
    let host = support::host(Reuse::Fresh);
    let links = [
        link(&host, &appending("a.one", '1'), USUAL).await,
        link(&host, &refusing("a.two"), USUAL).await,
        link(&host, &appending("b.three", '3'), USUAL).await,
    ];
    let asked = ask(&host, &links, draft("tea")).await;
    let Decision::Reject { by, refusal } = &asked.decision else { panic!("{:?}", asked.decision) };
    assert_eq!((by.as_str(), refusal.code.as_str(), refusal.reason.as_str()), ("a.two", "NOT_HERE", "Not here."));
    assert_eq!(deeds(&asked), [&Deed::Patched, &Deed::Rejected]);
}

/// F: P-02
async fn a_hold_ends_it() {
    let host = support::host(Reuse::Fresh);
    let hold = "(i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.const 1100))
        (i32.store (i32.const 208) (i32.const 9)) (i32.const 200)";
    let holding = Guest::new().id("a.one").data(1100, "Look here").before_create(hold);
    let links = [link(&host, &holding, USUAL).await, link(&host, &refusing("a.two"), USUAL).await];
    let asked = ask(&host, &links, draft("tea")).await;
    assert_eq!(asked.decision, Decision::Hold { by: "a.one".parse().unwrap(), reason: "Look here".to_owned() });
    assert_eq!(deeds(&asked), [&Deed::Held]);
}

/// F: P-02, P-03
async fn patches_chain_and_edits_too() {
    let host = support::host(Reuse::Fresh);
    // To an edit: the text «tea» instead.
    let edit = "(i32.store8 (i32.const 200) (i32.const 1)) (i32.store (i32.const 204) (i32.const 1100))
        (i32.store (i32.const 208) (i32.const 3)) (i32.const 200)";
    let guest = Guest::new().only("message-hooks", json!({ "before-edit": {} })).data(1100, "tea");
    let links = vec![link(&host, &guest.does("message-hooks", "before-edit", edit), USUAL).await];
    let question = BeforeEdit::new(&support::message(HELLO, TEA), &ann(), "coffee".to_owned());
    let asked = Chain::new(links).ask(&host, &occasion(&hub()), question).await;
    assert_eq!(asked.decision, Decision::Allow);
    assert_eq!(asked.question.into_body(), "tea");
}

/// Answers with a patch of the metadata.
fn with_metadata(metadata: &str) -> Guest {
    let patch = format!(
        "(i32.store8 (i32.const 200) (i32.const 1)) (i32.store8 (i32.const 216) (i32.const 1))
         (i32.store (i32.const 220) (i32.const 1100)) (i32.store (i32.const 224) (i32.const {})) (i32.const 200)",
        metadata.len()
    );
    Guest::new().data(1100, metadata).before_create(&patch)
}

/// F: P-02
async fn metadata_is_patched() {
    let host = support::host(Reuse::Fresh);
    let before = MessageDraft { metadata: Some(json!({ "old": true })), ..draft("tea") };
    for (metadata, after) in [(r#"{"new":1}"#, Some(json!({ "new": 1 }))), ("null", None)] {
        let links = [link(&host, &with_metadata(metadata), USUAL).await];
        let asked = ask(&host, &links, before.clone()).await;
        let draft = asked.question.into_draft();
        assert_eq!((draft.metadata, draft.body.as_str()), (after, "tea"));
    }
    for metadata in ["[1]", "{"] {
        let links = [link(&host, &with_metadata(metadata), USUAL).await];
        let asked = ask(&host, &links, before.clone()).await;
        let Deed::Failed { failure, .. } = &asked.steps[0].deed else { panic!("{:?}", asked.steps) };
        assert_eq!(failure.kind, FailureKind::Answer);
        assert_eq!(asked.question.into_draft().metadata, before.metadata);
    }
}

/// F: M-01, P-02
async fn an_encrypted_message_keeps_its_words() {
    let host = support::host(Reuse::Fresh);
    let encrypted = MessageDraft { content: ContentType::Encrypted, ..draft("c2VjcmV0") };
    // Refuses if the case of the body is the one that shows words.
    let looks = "(if (result i32) (i32.eqz (i32.load8_u (i32.add (local.get 0) (i32.const 44)))) (then unreachable) (else (i32.const 16)))";
    let links = [link(&host, &Guest::new().before_create(looks), USUAL).await];
    assert_eq!(deeds(&ask(&host, &links, encrypted.clone()).await), [&Deed::Allowed]);
    assert!(matches!(deeds(&ask(&host, &links, draft("tea")).await)[0], Deed::Failed { .. }), "plain words are shown");

    let body = "(i32.store8 (i32.const 200) (i32.const 1)) (i32.store8 (i32.const 204) (i32.const 1))
        (i32.store (i32.const 208) (i32.const 1100)) (i32.store (i32.const 212) (i32.const 3)) (i32.const 200)";
    let replacing = Guest::new().data(1100, "new").before_create(body);
    let links = [link(&host, &replacing, Wish { policy: FailurePolicy::Closed, ..USUAL }).await];
    let asked = ask(&host, &links, encrypted).await;
    assert_eq!(asked.decision, Decision::Unavailable { by: "example.guest".parse().unwrap() });
    assert_eq!(asked.question.into_draft().body, "c2VjcmV0");
}

/// F: P-08
async fn what_was_issued_counts_whatever_the_outcome() {
    let host = support::host(Reuse::Fresh);
    let strike =
        "(call $kv_increment (i32.const 1024) (i32.const 8) (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 400))";
    let counting = |guest: Guest, then: &str| guest.import("kv", "increment").before_create(&format!("{strike}{then}"));
    let refusing = Guest::new().id("a.two").data(1024, "NOT_HERE").data(1100, "Not here.");
    let links = [
        link(&host, &counting(Guest::new().id("a.one").data(1024, "messages"), "(i32.const 16)"), USUAL).await,
        link(&host, &counting(refusing, &reject(9, 8)), USUAL).await,
    ];
    let asked = ask(&host, &links, draft("tea")).await;
    assert!(matches!(asked.decision, Decision::Reject { .. }));
    let keys: Vec<&str> = asked.steps.iter().flat_map(|step| &step.issued.operations).map(Operation::key).collect();
    assert_eq!(keys, ["messages", "NOT_HERE"]);
}

/// F: P-04
async fn a_plugin_that_fails_is_passed_over_or_not() {
    let host = support::host(Reuse::Fresh);
    let by = || "a.broken".parse().unwrap();
    for (policy, expected) in [
        (FailurePolicy::Open, Decision::Allow),
        (FailurePolicy::Closed, Decision::Unavailable { by: by() }),
        (
            FailurePolicy::Hold,
            Decision::Hold { by: by(), reason: "the plugin that was to look at it could not be asked".to_owned() },
        ),
    ] {
        let links = [
            link(&host, &trapping("a.broken"), Wish { policy, ..USUAL }).await,
            link(&host, &appending("b.good", '!'), USUAL).await,
        ];
        let asked = ask(&host, &links, draft("tea")).await;
        assert_eq!(asked.decision, expected);
        let is_open = policy == FailurePolicy::Open;
        assert_eq!(asked.steps.len(), 1 + usize::from(is_open));
        assert_eq!(asked.question.into_draft().body, if is_open { "tea!" } else { "tea" });
    }
}

/// F: P-04, P-06
async fn a_plugin_that_is_not_ready_is_passed_over_or_not() {
    let host = support::host(Reuse::Fresh);
    for (policy, is_allowed) in [(FailurePolicy::Open, true), (FailurePolicy::Closed, false)] {
        let upgrading = link(&host, &refusing("a.one"), Wish { policy, ..USUAL }).await;
        let asked = ask(&host, &[Link { ready: None, ..upgrading }], draft("tea")).await;
        assert_eq!(asked.decision == Decision::Allow, is_allowed);
        assert_eq!(deeds(&asked), [&Deed::PassedOver]);
    }
}

/// F: P-04
async fn a_plugin_that_keeps_failing_is_left_alone() {
    let host = support::host(Reuse::Fresh);
    let chain = Chain::new(vec![link(&host, &trapping("a.broken"), USUAL).await]);
    let at = async |second: i64| {
        let occasion = Occasion { now: Timestamp(NOW.0 + second * 1_000), ..occasion(&hub()) };
        let mut asked = chain.ask(&host, &occasion, support::question("tea")).await;
        assert_eq!(asked.decision, Decision::Allow, "its failure policy is open");
        asked.steps.remove(0).deed
    };
    let blow = |deed| match deed {
        Deed::Failed { blow, .. } => blow,
        other => panic!("{other:?}"),
    };
    for second in 0..4 {
        assert_eq!(blow(at(second).await), Blow::Counted);
    }
    assert_eq!(blow(at(4).await), Blow::Opened);
    assert_eq!(at(5).await, Deed::PassedOver);
    assert_eq!(blow(at(34).await), Blow::Opened, "it was tried again");
    assert_eq!(at(35).await, Deed::PassedOver);
    assert_eq!(blow(at(64).await), Blow::SwitchOff);
}

/// F: P-04
async fn the_hubs_own_trouble_trips_no_breaker() {
    let host = support::host(Reuse::Fresh);
    let get = "(call $kv_get (i32.const 1024) (i32.const 3) (i32.const 300)) (i32.const 16)";
    let guest = Guest::new().data(1024, "key").import("kv", "get").before_create(get);
    let chain = Chain::new(vec![link(&host, &guest, USUAL).await]);
    let hub = hub();
    hub.is_away.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        let asked = chain.ask(&host, &occasion(&hub), support::question("tea")).await;
        let Deed::Failed { failure, blow } = &asked.steps[0].deed else { panic!("{:?}", asked.steps) };
        assert_eq!((failure.kind, *blow), (FailureKind::Hub, Blow::Counted));
    }
    hub.is_away.store(false, Ordering::SeqCst);
    let asked = chain.ask(&host, &occasion(&hub), support::question("tea")).await;
    assert_eq!(deeds(&asked), [&Deed::Allowed]);
}

/// F: P-01
async fn a_chain_has_its_time() {
    let host = support::host(Reuse::Fresh);
    let get = "(call $kv_get (i32.const 1024) (i32.const 3) (i32.const 300)) (i32.const 16)";
    let waiting = |id: &str| Guest::new().id(id).data(1024, "key").import("kv", "get").before_create(get);
    let hub = hub();
    hub.never_answers.store(true, Ordering::SeqCst);
    let mut links = Vec::new();
    for number in 0..8 {
        links.push(link(&host, &waiting(&format!("a.w{number}")), USUAL).await);
    }
    let started = Instant::now();
    let asked = Chain::new(links).ask(&host, &occasion(&hub), support::question("tea")).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let kinds: Vec<FailureKind> = asked
        .steps
        .iter()
        .map(|step| match &step.deed {
            Deed::Failed { failure, .. } => failure.kind,
            other => panic!("{other:?}"),
        })
        .collect();
    // That the hub does not answer is no plugin's fault, and nor is that there was no time left.
    assert_eq!(kinds, [FailureKind::Hub; 8]);

    // One that an admin gave more time than there is for all: what it overran was not its own limit.
    let slow = link(&host, &waiting("a.slow"), USUAL).await;
    let more = LimitChanges { before_wall_ms: Some(5_000), ..LimitChanges::default() };
    let ready = slow.ready.clone().unwrap();
    let limits = ready.limits.changed(&more).unwrap();
    let slow = Link { ready: Some(Arc::new(Plugin { limits, ..(*ready).clone() })), ..slow };
    let asked = Chain::new(vec![slow]).ask(&host, &occasion(&hub), support::question("tea")).await;
    let Deed::Failed { failure, .. } = &asked.steps[0].deed else { panic!("{:?}", asked.steps) };
    assert_eq!(failure.kind, FailureKind::Hub);
}

/// F: P-02
async fn only_the_kinds_that_it_wants() {
    let host = support::host(Reuse::Fresh);
    let polls = refusing("a.one").hook("before-create", json!({ "message-kinds": ["poll"] }));
    let polls = link(&host, &polls, USUAL).await;
    let wish = polls.ready.as_ref().unwrap().module.wish(Hook::BeforeCreate).unwrap().clone();
    let links = [Link { message_kinds: wish.message_kinds, ..polls }];
    assert!(ask(&host, &links, draft("tea")).await.steps.is_empty());
    let poll = MessageDraft { kind: MessageKind::Poll, ..draft("tea?") };
    assert!(matches!(ask(&host, &links, poll).await.decision, Decision::Reject { .. }));
}

/// F: P-02
async fn where_nobody_listens_nothing_is_done() {
    let host = support::host(Reuse::Fresh);
    let asked = ask(&host, &[], draft("tea")).await;
    assert_eq!((asked.decision, asked.steps.capacity()), (Decision::Allow, 0));
}
