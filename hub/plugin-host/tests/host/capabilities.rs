//! What a plugin may ask for, and what it gets where it may not.

use std::collections::HashSet;

use jackfield_domain::{
    messages::MessageKind,
    plugins::{Audience, Capability, Effect, MentionTarget, NewMessage},
};
use jackfield_plugin_host::{
    Grants, Outcome, Plugin, Reuse,
    hooks::{OnEvents, Verdict},
};
use serde_json::json;

use crate::{
    guests::Guest,
    support::{self, ANN, HELLO, SECRET_ROOM, TEA, hub, plugin, put},
};

crate::tests![
    what_is_not_granted_is_denied,
    what_was_narrowed_is_not_there,
    before_hooks_have_no_effects,
    effects_are_collected,
    effects_have_a_number_and_an_end,
    an_effect_is_checked,
    a_request_is_checked,
    nobody_waits_for_a_server_where_nobody_waits_for_the_plugin,
    secrets_sign_and_stay,
    what_every_plugin_has,
];

/// Where an error's case and text are for functions whose results align to four bytes.
const ERROR: &str = "(i32.load8_u (i32.const 304))";

/// Calls, and on an error answers so that the test sees which one: a batch of events fails with a letter for its case.
fn telling(call: &str) -> String {
    format!(
        "{call} (if (result i32) (i32.load8_u (i32.const 300)) (then
            (i32.store8 (i32.const 1500) (i32.add (i32.const 65) {ERROR}))
            (i32.store8 (i32.const 200) (i32.const 1)) (i32.store (i32.const 204) (i32.const 1500))
            (i32.store (i32.const 208) (i32.const 1)) (i32.const 200)) (else (i32.const 16)))"
    )
}

const DENIED: &str = "A";
const NOT_FOUND: &str = "B";
const INVALID: &str = "C";
const LIMIT_REACHED: &str = "D";
const NOT_HERE: &str = "E";

fn after(guest: Guest, call: &str) -> Guest {
    let hooks = json!({ "on-events": { "events": ["message_sent"] } });
    guest.only("event-hooks", hooks).does("event-hooks", "on-events", &telling(call))
}

async fn run_with(plugin: &Plugin, host: &jackfield_plugin_host::PluginHost) -> Outcome<()> {
    put(host, plugin, &hub(), &OnEvents::new(&[], 1)).await
}

async fn run(guest: &Guest) -> Outcome<()> {
    let host = support::host(Reuse::Fresh);
    run_with(&plugin(&host, guest).await, &host).await
}

fn error(outcome: &Outcome<()>) -> &str {
    outcome.answer.as_ref().err().map_or("none", |failure| failure.what.as_str())
}

/// Each capability by one of its functions.
fn samples() -> Vec<(Capability, Guest)> {
    let (message, user, room) = (HELLO.to_string(), ANN.to_string(), TEA.to_string());
    let sample = |capability, interface, function, text: &str, call: &str| {
        let call = call.replace("TEXT", &format!("(i32.const 1024) (i32.const {})", text.len()));
        (capability, after(Guest::new().import(interface, function).data(1024, text).data(1200, "{}"), &call))
    };
    vec![
        sample(Capability::Kv, "kv", "get", "key", "(call $kv_get TEXT (i32.const 300))"),
        sample(
            Capability::MessagesRead,
            "messages",
            "get",
            &message,
            "(call $messages_get TEXT (i32.const 304)) (i32.store8 (i32.const 300) (i32.load8_u (i32.const 304))) (i32.store8 (i32.const 304) (i32.load8_u (i32.const 312)))",
        ),
        sample(
            Capability::ConversationsRead,
            "conversations",
            "get",
            &room,
            "(call $conversations_get TEXT (i32.const 304)) (i32.store8 (i32.const 300) (i32.load8_u (i32.const 304))) (i32.store8 (i32.const 304) (i32.load8_u (i32.const 312)))",
        ),
        sample(
            Capability::UsersRead,
            "users",
            "get",
            &user,
            "(call $users_get TEXT (i32.const 304)) (i32.store8 (i32.const 300) (i32.load8_u (i32.const 304))) (i32.store8 (i32.const 304) (i32.load8_u (i32.const 312)))",
        ),
        sample(
            Capability::MessagesPost,
            "messages",
            "post",
            &room,
            "(call $messages_post TEXT (i32.const 0) (i32.const 1200) (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 300))",
        ),
        sample(
            Capability::Annotations,
            "annotations",
            "set",
            &message,
            "(call $annotations_set TEXT (i32.const 1200) (i32.const 2) (i32.const 300))",
        ),
        sample(
            Capability::Mentions,
            "mentions",
            "set",
            &message,
            "(call $mentions_set TEXT (i32.const 0) (i32.const 0) (i32.const 300))",
        ),
        sample(
            Capability::Notices,
            "notices",
            "send",
            "poll-closed",
            "(call $notices_send (i32.const 2) (i32.const 0) (i32.const 0) TEXT (i32.const 1200) (i32.const 2) (i32.const 300))",
        ),
        sample(
            Capability::Secrets,
            "secrets",
            "sign",
            "key",
            "(call $secrets_sign TEXT (i32.const 1024) (i32.const 3) (i32.const 300))",
        ),
        sample(
            Capability::Retention,
            "retention",
            "trim",
            &room,
            "(call $retention_trim TEXT (i32.const 0) (i64.const 7) (i64.const 0) (i32.const 500) (i32.const 304)) (i32.store8 (i32.const 300) (i32.load8_u (i32.const 304))) (i32.store8 (i32.const 304) (i32.load8_u (i32.const 312)))",
        ),
        outside(Capability::Http, POST),
        outside(Capability::FetchPublicUrl, GET),
    ]
}

const GET: u8 = 0;
const POST: u8 = 1;

/// Has something asked, by one of the two ways out of the hub.
fn outside(capability: Capability, method: u8) -> (Capability, Guest) {
    let url = if method == POST { "https://granted.example/" } else { "https://public.example/" };
    (capability, outside_at(capability, method, url, "http_send"))
}

fn outside_at(capability: Capability, method: u8, url: &str, function: &'static str) -> Guest {
    let (none, length) = ("(i32.const 0) (i32.const 0)", url.len());
    let tag = if function == "http_send" { "(i32.const 1200) (i32.const 2)" } else { "" };
    let call = format!(
        "(call ${function} (i32.const {method}) (i32.const 1024) (i32.const {length}) {none} {none}
         (i32.const 0) {none} {none} {tag} (i32.const 300))"
    );
    let word = capability.as_str();
    let guest = Guest::new().import("http", function.trim_start_matches("http_")).data(1024, url).data(1200, "{}");
    let guest = guest.with("/capabilities", json!([word]));
    let asks = capability == Capability::Http;
    let guest = if asks { guest.with("/origins", json!(["https://granted.example"])) } else { guest };
    after(guest, &call)
}

/// F: P-01, P-05
async fn what_is_not_granted_is_denied() {
    let host = support::host(Reuse::Fresh);
    let samples = samples();
    assert_eq!(samples.len(), Capability::ALL.len(), "every capability has its sample");
    for (capability, guest) in samples {
        let granted = plugin(&host, &guest).await;
        let outcome = run_with(&granted, &host).await;
        assert_eq!(error(&outcome), "none", "{capability:?}");
        let all: HashSet<Capability> = Capability::ALL.iter().copied().collect();
        let others = all.into_iter().filter(|other| *other != capability).collect();
        let grants = Grants { capabilities: others, ..(*granted.grants).clone() };
        let outcome = run_with(&Plugin { grants: grants.into(), ..granted }, &host).await;
        assert_eq!(error(&outcome), DENIED, "{capability:?}");
        assert!(outcome.issued.is_empty());
    }
}

/// F: P-05
async fn what_was_narrowed_is_not_there() {
    let host = support::host(Reuse::Fresh);
    for (capability, guest) in samples() {
        let all = plugin(&host, &guest).await;
        let narrowed = |conversation| {
            let capabilities = all.grants.capabilities.clone();
            let conversations = Some(HashSet::from([conversation]));
            let grants = Grants { capabilities, conversations, ..(*all.grants).clone() };
            Plugin { grants: grants.into(), ..all.clone() }
        };
        assert_eq!(error(&run_with(&narrowed(TEA), &host).await), "none", "{capability:?}");
        let is_narrowed = matches!(
            capability,
            Capability::MessagesRead | Capability::MessagesPost | Capability::ConversationsRead | Capability::Retention
        );
        let expected = if is_narrowed { NOT_FOUND } else { "none" };
        assert_eq!(error(&run_with(&narrowed(SECRET_ROOM), &host).await), expected, "{capability:?}");
    }
}

/// F: P-09
async fn a_request_is_checked() {
    let (http, public) = (Capability::Http, Capability::FetchPublicUrl);
    for (capability, method, url, expected) in [
        (http, POST, "https://granted.example/a", "none"),
        (http, GET, "https://granted.example:8443/a", DENIED),
        (http, GET, "http://granted.example/a", DENIED),
        (http, GET, "https://other.example/a", DENIED),
        (public, GET, "https://other.example/a", "none"),
        (public, POST, "https://other.example/a", DENIED),
        (public, GET, "https://other.example:22/a", DENIED),
        (public, GET, "file:///etc/passwd", INVALID),
        (public, GET, "https://me@other.example/a", INVALID),
    ] {
        let outcome = run(&outside_at(capability, method, url, "http_send")).await;
        assert_eq!(error(&outcome), expected, "{url}");
        assert_eq!(outcome.issued.effects.len(), usize::from(expected == "none"), "{url}");
    }
    // More than one call may have asked.
    let mut guest = outside_at(public, GET, "https://other.example/a", "http_send");
    let (_, _, body) = guest.bodies.last().cloned().expect("it does something");
    let many = format!(
        "(local $n i32) (loop $again (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (drop {body}) (br_if $again (i32.lt_u (local.get $n) (i32.const 16)))) {body}"
    );
    guest.bodies = vec![("event-hooks", "on-events", many)];
    assert_eq!(error(&run(&guest).await), LIMIT_REACHED, "the seventeenth");
}

/// F: P-09
async fn nobody_waits_for_a_server_where_nobody_waits_for_the_plugin() {
    let guest = outside_at(Capability::FetchPublicUrl, GET, "https://other.example/a", "http_fetch");
    assert_eq!(error(&run(&guest).await), NOT_HERE);
}

/// F: P-02
async fn before_hooks_have_no_effects() {
    let text = HELLO.to_string();
    let call = format!(
        "(call $annotations_set (i32.const 1024) (i32.const {}) (i32.const 1200) (i32.const 2) (i32.const 300))",
        text.len()
    );
    // Holds with a letter for the case of the error.
    let body = format!(
        "{call}(i32.store8 (i32.const 1500) (i32.add (i32.const 65) {ERROR})) (i32.store8 (i32.const 200) (i32.const 3))
         (i32.store (i32.const 204) (i32.const 1500)) (i32.store (i32.const 208) (i32.load8_u (i32.const 300))) (i32.const 200)"
    );
    let guest = Guest::new().import("annotations", "set").data(1024, &text).data(1200, "{}").before_create(&body);
    let outcome = support::ask(&guest).await;
    assert_eq!(outcome.answer, Ok(Verdict::Hold("E".to_owned())), "it is not possible here");
    assert!(outcome.issued.is_empty());
}

/// F: P-02
async fn effects_are_collected() {
    let effect = async |wanted| {
        let (_, guest) = samples().into_iter().find(|(capability, _)| *capability == wanted).unwrap();
        let mut effects = run(&guest).await.issued.effects;
        assert_eq!(effects.len(), 1);
        effects.remove(0)
    };
    let (kind, body) = (MessageKind::Text, "{}".into());
    let post = NewMessage { id: HELLO, conversation: TEA, kind, body, metadata: None, reply_to: None };
    assert_eq!(effect(Capability::MessagesPost).await, Effect::Post(post));
    let annotation = Effect::Annotate { message: HELLO, value: Some("{}".into()) };
    assert_eq!(effect(Capability::Annotations).await, annotation);
    assert_eq!(effect(Capability::Mentions).await, Effect::Mention { message: HELLO, targets: Vec::new() });
    let Effect::Notify(notice) = effect(Capability::Notices).await else { panic!("a notice") };
    assert_eq!((notice.kind.as_str(), notice.audience), ("poll-closed", Audience::Moderators));

    // Two targets: a user, and everyone.
    let (message, user) = (HELLO.to_string(), ANN.to_string());
    let targets = "(i32.store8 (i32.const 1600) (i32.const 0)) (i32.store (i32.const 1604) (i32.const 1100))
        (i32.store (i32.const 1608) (i32.const 36)) (i32.store8 (i32.const 1612) (i32.const 1))
        (call $mentions_set (i32.const 1024) (i32.const 36) (i32.const 1600) (i32.const 2) (i32.const 300))";
    let guest = Guest::new().import("mentions", "set").data(1024, &message).data(1100, &user);
    let outcome = run(&after(guest, targets)).await;
    let targets = vec![MentionTarget::User(ANN), MentionTarget::Everyone];
    assert_eq!(outcome.issued.effects, [Effect::Mention { message: HELLO, targets }]);
}

fn annotating(message: &str, value: &str, times: usize) -> Guest {
    let call = format!(
        "(call $annotations_set (i32.const 1024) (i32.const {}) (i32.const 1200) (i32.const {}) (i32.const 300))",
        message.len(),
        value.len()
    );
    after(Guest::new().import("annotations", "set").data(1024, message).data(1200, value), &call.repeat(times))
}

/// F: P-01
async fn effects_have_a_number_and_an_end() {
    let annotating = |times| annotating(&HELLO.to_string(), "{}", times).with("/limits/effects", json!(3));
    let outcome = run(&annotating(3)).await;
    assert_eq!((error(&outcome), outcome.issued.effects.len()), ("none", 3));
    assert_eq!(error(&run(&annotating(4)).await), LIMIT_REACHED);
}

/// F: P-01, A-03
async fn an_effect_is_checked() {
    let hello = HELLO.to_string();
    assert_eq!(error(&run(&annotating(&hello, "[1]", 1)).await), "none");
    assert_eq!(error(&run(&annotating(&hello, "{", 1)).await), INVALID);
    assert_eq!(error(&run(&annotating("conv_1", "{}", 1)).await), INVALID);
    assert_eq!(
        error(&run(&annotating(&TEA.to_string(), "{}", 1)).await),
        INVALID,
        "a conversation's id is no message's"
    );
    let small = annotating(&hello, "\"0123456789\"", 1);
    assert_eq!(error(&run(&small.clone().with("/limits/value-bytes", json!(12))).await), "none");
    assert_eq!(error(&run(&small.with("/limits/value-bytes", json!(11))).await), LIMIT_REACHED);

    let notice = |kind: &str, payload: &str| {
        let call = format!(
            "(call $notices_send (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1024) (i32.const {}) (i32.const 1200) (i32.const {}) (i32.const 300))",
            kind.len(),
            payload.len()
        );
        after(Guest::new().import("notices", "send").data(1024, kind).data(1200, payload), &call)
    };
    assert_eq!(error(&run(&notice("closed", "{}")).await), "none");
    assert_eq!(error(&run(&notice("Closed!", "{}")).await), INVALID);
    assert_eq!(error(&run(&notice("closed", "[]")).await), INVALID, "an object");
}

/// F: P-05
async fn secrets_sign_and_stay() {
    // Signs «key» with the secret of that name, and logs what came of it, letter by letter.
    let sign = |name: &str| {
        format!(
            "(call $secrets_sign (i32.const 1024) (i32.const {}) (i32.const 1024) (i32.const 3) (i32.const 300))
             (if (i32.eqz (i32.load8_u (i32.const 300)))
               (then (call $kv_set (i32.const 1024) (i32.const 3) (i32.load (i32.const 304)) (i32.load (i32.const 308)) (i32.const 0) (i32.const 0) (i32.const 400))))",
            name.len()
        )
    };
    let guest =
        |name: &str| after(Guest::new().import("secrets", "sign").import("kv", "set").data(1024, name), &sign(name));
    let outcome = run(&guest("key")).await;
    let jackfield_domain::plugins::Operation::Set { value, .. } = &outcome.issued.operations[0] else { panic!() };
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    // printf key | openssl dgst -sha256 -hmac 'a secret'
    assert_eq!(hex, "bdda8621d1785539d0ae08e40c28f8c70085a28e2cb5a4fb3ace5ad986edd001");
    assert_eq!(error(&run(&guest("other")).await), NOT_FOUND);
}

/// F: P-01
async fn what_every_plugin_has() {
    let host = support::host(Reuse::Fresh);
    // Keeps the configuration, the time and two random numbers.
    let body = "(call $config_get (i32.const 500))
        (call $kv_set (i32.const 1024) (i32.const 1) (i32.load (i32.const 500)) (i32.load (i32.const 504)) (i32.const 0) (i32.const 0) (i32.const 300))
        (i64.store (i32.const 520) (call $clock_now)) (i64.store (i32.const 528) (call $random_number))
        (i64.store (i32.const 536) (call $random_number))
        (call $kv_set (i32.const 1025) (i32.const 1) (i32.const 520) (i32.const 24) (i32.const 0) (i32.const 0) (i32.const 300))
        (i32.const 16)";
    let guest = [("config", "get"), ("kv", "set"), ("clock", "now"), ("random", "number")]
        .into_iter()
        .fold(Guest::new(), |guest, (interface, function)| guest.import(interface, function));
    let plugin = plugin(&host, &guest.data(1024, "ab").before_create(body)).await;
    let plugin = Plugin { configuration: r#"{"words":["tea"]}"#.into(), ..plugin };
    let outcome = put(&host, &plugin, &hub(), &support::question("hello")).await;
    assert_eq!(outcome.answer, Ok(Verdict::Allow));
    let values: Vec<&[u8]> = outcome
        .issued
        .operations
        .iter()
        .map(|operation| match operation {
            jackfield_domain::plugins::Operation::Set { value, .. } => value.as_slice(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(values[0], br#"{"words":["tea"]}"#);
    assert_eq!(values[1][..8], support::NOW.0.to_le_bytes());
    assert_ne!(values[1][8..16], values[1][16..24]);
}
