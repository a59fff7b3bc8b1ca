//! Every question reaches its hook, and its answer comes back.

use jackfield_domain::{
    ConversationRole, Event, Fact, Position,
    conversations::{ConversationDraft, ConversationKind, History, Visibility},
    plugins::{FailureKind, Refusal, Slice},
};
use jackfield_plugin_host::{
    Plugin, PluginHost, Reuse,
    hooks::{
        ArgumentValue, BeforeConversationCreate, BeforeDelete, BeforeJoin, ConfigurationChanged, ConversationPatch,
        Disable, Enable, Install, OnEvents, Problem, Reply, RunCommand, RunSchedule, ToldEvent, Upgrade,
        ValidateConfiguration, Verdict,
    },
};
use serde_json::json;

use crate::{
    guests::{Guest, reject},
    support::{self, ANN, HELLO, HERE, NOW, TEA, ann, hub, plugin, put},
};

crate::tests![
    deletions_are_allowed_or_not,
    joining_is_allowed_or_not,
    conversations_are_patched_or_refused,
    events_are_told,
    a_batch_that_is_refused_is_a_failure,
    slices_go_on,
    commands_answer_or_refuse,
    the_plugins_own_life,
    a_configuration_is_judged,
];

async fn made(guest: Guest) -> (PluginHost, Plugin) {
    let host = support::host(Reuse::Fresh);
    let plugin = plugin(&host, &guest).await;
    (host, plugin)
}

/// Refuses, in a hook whose refusal is this case.
fn refusing(guest: Guest, group: &'static str, hook: &'static str, case: u8) -> Guest {
    let body = reject(9, 8).replace("(i32.const 200) (i32.const 2)", &format!("(i32.const 200) (i32.const {case})"));
    guest.data(1024, "NOT_HERE").data(1100, "Not here.").does(group, hook, &body)
}

fn refusal() -> Refusal {
    Refusal { reason: "Not here.".into(), code: "NOT_HERE".into() }
}

/// F: P-02
async fn deletions_are_allowed_or_not() {
    let guest = || Guest::new().only("message-hooks", json!({ "before-delete": {} }));
    let question = BeforeDelete::new(&support::message(HELLO, TEA), &ann());
    let (host, plugin) = made(guest()).await;
    assert_eq!(put(&host, &plugin, &hub(), &question).await.answer, Ok(Verdict::Allow));
    let (host, plugin) = made(refusing(guest(), "message-hooks", "before-delete", 1)).await;
    assert_eq!(put(&host, &plugin, &hub(), &question).await.answer, Ok(Verdict::Reject(refusal())));
}

/// F: P-02
async fn joining_is_allowed_or_not() {
    let guest = || Guest::new().only("membership-hooks", json!({ "before-join": {} }));
    let question = BeforeJoin::new(&support::conversation(TEA), &ann(), Some(&ann()), ConversationRole::Member);
    let (host, plugin) = made(guest()).await;
    assert_eq!(put(&host, &plugin, &hub(), &question).await.answer, Ok(Verdict::Allow));
    let (host, plugin) = made(refusing(guest(), "membership-hooks", "before-join", 1)).await;
    assert_eq!(put(&host, &plugin, &hub(), &question).await.answer, Ok(Verdict::Reject(refusal())));
}

/// F: P-02, C-03
async fn conversations_are_patched_or_refused() {
    let guest = || Guest::new().only("membership-hooks", json!({ "before-conversation-create": {} }));
    let draft = || ConversationDraft {
        kind: ConversationKind::Group,
        title: Some("tea".into()),
        description: Some("green".into()),
        avatar_url: None,
        visibility: Visibility::Private,
        history: History::Full,
        context: None,
        members: vec![ANN],
    };
    let question = BeforeConversationCreate::new(draft(), &ann());
    let (host, plugin) = made(refusing(guest(), "membership-hooks", "before-conversation-create", 2)).await;
    assert_eq!(put(&host, &plugin, &hub(), &question).await.answer, Ok(Verdict::Reject(refusal())));
    // Another title, and no description.
    let patch = "(i32.store8 (i32.const 200) (i32.const 1)) (i32.store8 (i32.const 204) (i32.const 1))
        (i32.store (i32.const 208) (i32.const 1100)) (i32.store (i32.const 212) (i32.const 3))
        (i32.store8 (i32.const 216) (i32.const 1)) (i32.const 200)";
    let guest = guest().data(1100, "Tea").does("membership-hooks", "before-conversation-create", patch);
    let (host, plugin) = made(guest).await;
    let mut question = BeforeConversationCreate::new(draft(), &ann());
    let Ok(Verdict::Patch(patch)) = put(&host, &plugin, &hub(), &question).await.answer else { panic!("a patch") };
    assert_eq!(patch, ConversationPatch { title: Some("Tea".into()), description: Some(String::new()) });
    jackfield_plugin_host::hooks::Before::patch(&mut question, patch).unwrap();
    let draft = question.into_draft();
    assert_eq!((draft.title.as_deref(), draft.description), (Some("Tea"), None));
}

fn events() -> Guest {
    Guest::new().only("event-hooks", json!({ "on-events": { "events": ["message_sent"] } }))
}

/// F: P-02
async fn events_are_told() {
    // Keeps the kind and the message's body of the first event. An event has: position 0, at 8, kind 16, actor 24,
    // conversation 36, message-id 48, message 64 …, whose body is 44 behind its beginning at 72.
    let body = "(call $kv_set (i32.const 1024) (i32.const 1) (i32.load (i32.add (local.get 0) (i32.const 16))) (i32.load (i32.add (local.get 0) (i32.const 20))) (i32.const 0) (i32.const 0) (i32.const 300))
        (call $kv_set (i32.const 1025) (i32.const 1) (i32.load (i32.add (local.get 0) (i32.const 112))) (i32.load (i32.add (local.get 0) (i32.const 116))) (i32.const 0) (i32.const 0) (i32.const 300))
        (i32.const 16)";
    let guest = events().import("kv", "set").data(1024, "ab").does("event-hooks", "on-events", body);
    let (host, plugin) = made(guest).await;
    let fact = Fact::MessageSent { conversation: TEA, message: HELLO, sequence: 1 };
    let event =
        Event { workspace: HERE, position: Position(7), at: NOW, actor: Some(ANN), depth: 0, fact, trace: None };
    let message = support::message(HELLO, TEA);
    let told = ToldEvent { event: &event, message: Some(&message), payload: None, depth: 0 };
    let outcome = put(&host, &plugin, &hub(), &OnEvents::new(&[told], 1)).await;
    assert_eq!(outcome.answer, Ok(()));
    let values: Vec<String> = outcome
        .issued
        .operations
        .iter()
        .map(|operation| match operation {
            jackfield_domain::plugins::Operation::Set { value, .. } => String::from_utf8(value.clone()).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(values, ["message_sent", "hello"]);
}

/// Says that it failed: the text at 1,100.
const FAIL: &str = "(i32.store8 (i32.const 200) (i32.const 1)) (i32.store (i32.const 204) (i32.const 1100))
    (i32.store (i32.const 208) (i32.const 9)) (i32.const 200)";

/// F: P-02
async fn a_batch_that_is_refused_is_a_failure() {
    let (host, plugin) = made(events().data(1100, "Not today").does("event-hooks", "on-events", FAIL)).await;
    let outcome = put(&host, &plugin, &hub(), &OnEvents::new(&[], 1)).await;
    let failure = outcome.answer.unwrap_err();
    assert_eq!((failure.kind, failure.what.as_str()), (FailureKind::Reported, "Not today"));
}

/// F: P-02
async fn slices_go_on() {
    let guest = || {
        let guest = Guest::new().only("schedule-hooks", json!({}));
        guest.with("/schedules", json!([{ "name": "daily", "cron": "0 2 * * *" }]))
    };
    // Done if it was given where to go on from, else more, from «page 2».
    let body = "(if (result i32) (local.get 3) (then (i32.const 16)) (else
        (i32.store8 (i32.const 204) (i32.const 1)) (i32.store (i32.const 208) (i32.const 1100))
        (i32.store (i32.const 212) (i32.const 6)) (i32.const 200)))";
    let (host, plugin) = made(guest().data(1100, "page 2").does("schedule-hooks", "run", body)).await;
    let first = put(&host, &plugin, &hub(), &RunSchedule::new("daily", NOW, None, 1)).await.answer;
    assert_eq!(first, Ok(Slice::More("page 2".to_owned())));
    let second = put(&host, &plugin, &hub(), &RunSchedule::new("daily", NOW, Some("page 2".into()), 1)).await.answer;
    assert_eq!(second, Ok(Slice::Done));
    // From too much it does not go on.
    let long = format!("(drop (memory.grow (i32.const 1))) {}", body.replace("(i32.const 6)", "(i32.const 65537)"));
    let (host, plugin) = made(guest().does("schedule-hooks", "run", &long)).await;
    let outcome = put(&host, &plugin, &hub(), &RunSchedule::new("daily", NOW, None, 1)).await;
    assert_eq!(outcome.answer.unwrap_err().kind, FailureKind::Answer);
}

/// F: P-02, P-14
async fn commands_answer_or_refuse() {
    let guest = || {
        let guest = Guest::new().only("command-hooks", json!({}));
        guest.with("/commands", json!([{ "name": "hello", "description": "Says hello." }]))
    };
    let arguments = vec![
        ("whom".to_owned(), ArgumentValue::User(ANN)),
        ("often".to_owned(), ArgumentValue::Number(2.0)),
        ("loud".to_owned(), ArgumentValue::Flag(true)),
        ("where".to_owned(), ArgumentValue::Conversation(TEA)),
        ("how".to_owned(), ArgumentValue::Text("warmly".into())),
    ];
    let question = RunCommand::new("hello", &ann(), Some(TEA), arguments);
    let (host, plugin) = made(guest()).await;
    assert_eq!(put(&host, &plugin, &hub(), &question).await.answer, Ok(Ok(Reply { text: None })));
    // Answers with the name of the command.
    let echo = "(i32.store8 (i32.const 204) (i32.const 1)) (i32.store (i32.const 208) (local.get 0))
        (i32.store (i32.const 212) (local.get 1)) (i32.const 200)";
    let (host, plugin) = made(guest().does("command-hooks", "run", echo)).await;
    let reply = Reply { text: Some("hello".into()) };
    assert_eq!(put(&host, &plugin, &hub(), &question).await.answer, Ok(Ok(reply)));
    let (host, plugin) = made(refusing(guest(), "command-hooks", "run", 1)).await;
    assert_eq!(put(&host, &plugin, &hub(), &question).await.answer, Ok(Err(refusal())));
}

fn lifecycle(hook: &'static str) -> Guest {
    Guest::new().only("lifecycle-hooks", json!({ hook: {} }))
}

/// F: P-02
async fn the_plugins_own_life() {
    let upgrade = || Upgrade { version: "1.0.0".parse().unwrap(), data_version: 1, resume: None };
    let (host, install) = made(lifecycle("install")).await;
    let hub = hub();
    assert_eq!(put(&host, &install, &hub, &Install { resume: None }).await.answer, Ok(Slice::Done));
    let upgraded = plugin(&host, &lifecycle("upgrade")).await;
    assert_eq!(put(&host, &upgraded, &hub, &upgrade()).await.answer, Ok(Slice::Done));
    let enabled = plugin(&host, &lifecycle("enable")).await;
    assert_eq!(put(&host, &enabled, &hub, &Enable).await.answer, Ok(()));
    let disabled = plugin(&host, &lifecycle("disable")).await;
    assert_eq!(put(&host, &disabled, &hub, &Disable).await.answer, Ok(()));
    let changed = plugin(&host, &lifecycle("configuration-changed")).await;
    assert_eq!(put(&host, &changed, &hub, &ConfigurationChanged).await.answer, Ok(()));

    let failing = |hook| lifecycle(hook).data(1100, "Not today").does("lifecycle-hooks", hook, FAIL);
    let enabled = plugin(&host, &failing("enable")).await;
    assert_eq!(put(&host, &enabled, &hub, &Enable).await.answer.unwrap_err().what, "Not today");
    let upgraded = plugin(&host, &failing("upgrade")).await;
    let failure = put(&host, &upgraded, &hub, &upgrade()).await.answer.unwrap_err();
    assert_eq!((failure.kind, failure.what.as_str()), (FailureKind::Reported, "Not today"));
}

/// F: P-02, P-06
async fn a_configuration_is_judged() {
    let hook = "validate-configuration";
    let question = ValidateConfiguration { configuration: "{}".into() };
    let (host, good) = made(lifecycle(hook)).await;
    assert_eq!(put(&host, &good, &hub(), &question).await.answer, Ok(Vec::new()));
    // One problem: a path and a message. And what it issues meanwhile comes to nothing.
    let set = "(call $kv_set (i32.const 1100) (i32.const 3) (i32.const 1100) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 400))";
    let bad = format!(
        "{set}(i32.store (i32.const 300) (i32.const 1024)) (i32.store (i32.const 304) (i32.const 6))
         (i32.store (i32.const 308) (i32.const 1100)) (i32.store (i32.const 312) (i32.const 9))
         (i32.store8 (i32.const 200) (i32.const 1)) (i32.store (i32.const 204) (i32.const 300))
         (i32.store (i32.const 208) (i32.const 1)) (i32.const 200)"
    );
    let guest = lifecycle(hook).import("kv", "set").data(1024, "/words").data(1100, "Too many.");
    let bad = plugin(&host, &guest.does("lifecycle-hooks", hook, &bad)).await;
    let outcome = put(&host, &bad, &hub(), &question).await;
    assert_eq!(outcome.answer, Ok(vec![Problem { path: "/words".into(), message: "Too many.".into() }]));
    assert!(outcome.issued.is_empty());
}
