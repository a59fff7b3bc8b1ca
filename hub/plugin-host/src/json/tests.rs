//! What a plugin asks for, and what it issued, as it stands in JSON, and what is made of the answers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use jackfield_domain::{
    ConversationRole, Timestamp, WorkspaceRole,
    conversations::{ConversationKind, ConversationStatus},
    messages::MessageKind,
    plugins::{
        Audience, Effect, Header, Issued, MentionTarget, Method, NewMessage, NoAnswer, Notice, Operation, Reach,
        Request, SecretHeader,
    },
};
use serde_json::{Value, json};

use super::{
    counterpart::{Around, Counterpart, carry_out},
    workspace,
};
use crate::bridge::{Answer, Bridge, Caller, ConversationFilter, Window};

const ANN: &str = "usr_00000000000000000000000000000001";
const TEA: &str = "conv_00000000000000000000000000000002";
const HELLO: &str = "msg_00000000000000000000000000000003";

/// Answers what it was told to, and notes what it was called for.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Value>>,
    calls: Mutex<Vec<(String, Value)>>,
}

#[async_trait]
impl Counterpart for Script {
    async fn call(&self, name: &str, with: Value) -> Answer<Value> {
        self.calls.lock().unwrap().push((name.to_owned(), with));
        Ok(self.answers.lock().unwrap().pop_front().unwrap_or(json!({ "Ok": 0 })))
    }
}

/// Has something asked for that is answered with this, and expects that it is this call.
macro_rules! asked {
    (|$hub:ident, $caller:ident| $ask:expr, $name:literal, $with:expr, $answer:expr) => {{
        let script = Arc::new(Script::default());
        script.answers.lock().unwrap().push_back($answer);
        let counterpart = script.clone() as Arc<dyn Counterpart>;
        let secrets = [("key".to_owned(), "s3cret".to_owned())].into();
        let $hub = Around { counterpart, secrets, storage_bytes: 7 };
        let $caller = Caller { workspace: workspace(), plugin: "a.b".parse().unwrap(), viewer: None };
        let answer = wait($ask);
        assert_eq!(*script.calls.lock().unwrap(), [($name.to_owned(), $with)]);
        answer
    }};
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

fn user() -> Value {
    json!({ "id": ANN, "name": "Ann", "role": "Moderator", "status": "Active", "created_at": 5 })
}

fn member() -> Value {
    json!({ "user": user(), "role": "Owner", "joined_at": 6 })
}

fn message(body: &Value) -> Value {
    json!({
        "id": HELLO, "conversation": TEA, "sequence": 4, "sender": ANN, "kind": "Voice", "body": body,
        "location": { "latitude": 1.5, "longitude": 2.5, "label": null }, "metadata": "{}", "reply_to": HELLO,
        "created_at": 7, "edited_at": null, "deleted_at": 9,
    })
}

fn conversation() -> Value {
    json!({
        "id": TEA, "kind": "Support", "status": "AutoArchived", "title": "Tea", "description": null,
        "context": { "kind": "booking", "id": "42" }, "creator": ANN, "member_count": 3, "last_sequence": 4,
        "created_at": 7, "last_activity_at": 8,
    })
}

fn ok(answer: &Value) -> Value {
    json!({ "Ok": answer })
}

#[test]
fn messages_are_asked_for_and_understood() {
    let id = HELLO.parse().unwrap();
    let with = json!([[HELLO]]);
    let found = asked!(
        |hub, who| hub.messages(&who, &[id]),
        "messages.get-many",
        with,
        ok(&json!([message(&json!({ "Plain": "hello" }))]))
    );
    let whole = found.unwrap().pop().flatten().unwrap();
    assert_eq!(
        (whole.message.body.as_str(), whole.message.sequence, whole.message.kind.as_str()),
        ("hello", 4, "voice")
    );
    assert_eq!((whole.message.deleted.map(|it| it.at), whole.message.reply_to), (Some(Timestamp(9)), Some(id)));
    assert_eq!(whole.details.location.map(|it| it.longitude), Some(2.5));
    let tea = TEA.parse().unwrap();
    for (window, told) in [
        (Window::Newest, json!("Newest")),
        (Window::Before(3), json!({ "Before": 3 })),
        (Window::After(3), json!({ "After": 3 })),
    ] {
        let page = json!({ "messages": [message(&json!("Encrypted"))], "has_more": true });
        let page =
            asked!(|hub, who| hub.history(&who, tea, window, 2), "messages.history", json!([TEA, told, 2]), ok(&page));
        let page = page.unwrap().unwrap();
        assert!(page.has_more && page.rows[0].message.body.is_empty());
    }
    let none = asked!(
        |hub, who| hub.history(&who, tea, Window::Newest, 2),
        "messages.history",
        json!([TEA, "Newest", 2]),
        json!({ "Err": "NotFound" })
    );
    assert!(none.unwrap().is_none());
}

#[test]
fn conversations_and_people_are_asked_for_and_understood() {
    let (ann, tea) = (ANN.parse().unwrap(), TEA.parse().unwrap());
    let found = asked!(|hub, who| hub.conversation(&who, tea), "conversations.get", json!([TEA]), ok(&conversation()));
    let found = found.unwrap().unwrap();
    assert_eq!((found.kind, found.status), (ConversationKind::Support, ConversationStatus::AutoArchived));
    assert_eq!((found.context.map(|it| it.id), found.member_count), (Some("42".to_owned()), 3));
    let page = ok(&json!({ "members": [member()], "has_more": false }));
    let page =
        asked!(|hub, who| hub.members(&who, tea, Some(ann), 9), "conversations.members", json!([TEA, ANN, 9]), page);
    assert_eq!(page.unwrap().unwrap().rows[0].role, ConversationRole::Owner);
    let part =
        asked!(|hub, who| hub.membership(&who, tea, ann), "conversations.membership", json!([TEA, ANN]), ok(&member()));
    assert_eq!(part.unwrap().flatten().unwrap().joined_at, Timestamp(6));
    let part = asked!(
        |hub, who| hub.membership(&who, tea, ann),
        "conversations.membership",
        json!([TEA, ANN]),
        ok(&Value::Null)
    );
    assert!(part.unwrap().is_some_and(|part| part.is_none()), "there is such a conversation, and they are not in it");
    let filter = ConversationFilter {
        kind: Some(ConversationKind::Group),
        status: Some(ConversationStatus::Active),
        idle_since: Some(Timestamp(1)),
        ..ConversationFilter::default()
    };
    let told =
        json!({ "kind": "Group", "status": "Active", "idle_since": 1, "context_kind": null, "context_id": null });
    let page = ok(&json!({ "conversations": [conversation()], "has_more": true }));
    let page = asked!(
        |hub, who| hub.conversations(&who, &filter, None, 9),
        "conversations.find",
        json!([told, null, 9]),
        page
    );
    assert!(page.unwrap().has_more);
    let found = asked!(|hub, who| hub.users(&who, &[ann]), "users.get-many", json!([[ANN]]), ok(&json!([user()])));
    assert_eq!(found.unwrap()[0].as_ref().unwrap().role, WorkspaceRole::Moderator);
    let found = asked!(
        |hub, who| hub.search_users(&who, "an", Some(tea), 9),
        "users.search",
        json!(["an", TEA, 9]),
        ok(&json!([user()]))
    );
    assert_eq!(found.unwrap().unwrap()[0].name, "Ann");
}

#[test]
fn data_annotations_and_secrets_are_the_plugins_own() {
    let keys = ["a".to_owned(), "b".to_owned()];
    let found =
        asked!(|hub, who| hub.kv_get(&who, &keys), "kv.get-many", json!([["a", "b"]]), ok(&json!([[49], null])));
    assert_eq!(found.unwrap(), [Some(b"1".to_vec()), None]);
    let page = ok(&json!({ "entries": [{ "key": "a", "value": [49] }], "has_more": true }));
    let page = asked!(|hub, who| hub.kv_scan(&who, "", Some("A"), 1), "kv.scan", json!(["", "A", 1]), page);
    assert_eq!(page.unwrap().rows, [("a".to_owned(), b"1".to_vec())]);
    let prefixes = ["a".to_owned(), "b".to_owned()];
    let pages = ok(&json!([{ "entries": [{ "key": "a", "value": [49] }], "has_more": true }]));
    let pages = asked!(|hub, who| hub.kv_scan_many(&who, &prefixes, 1), "kv.scan-many", json!([["a", "b"], 1]), pages);
    assert_eq!(pages.unwrap_err().to_string(), "kv.scan-many was asked for 2 and answered with 1");
    let id = HELLO.parse().unwrap();
    let found =
        asked!(|hub, who| hub.annotations(&who, &[id]), "annotations.get-many", json!([[HELLO]]), ok(&json!(["{}"])));
    assert_eq!(found.unwrap(), [Some(Some("{}".to_owned()))]);
    let hub = Around {
        counterpart: Arc::<Script>::default(),
        secrets: [("key".into(), "s3cret".into())].into(),
        storage_bytes: 7,
    };
    let who = Caller { workspace: workspace(), plugin: "a.b".parse().unwrap(), viewer: None };
    assert_eq!(wait(hub.secret(&who, "key")), Ok(Some(b"s3cret".to_vec())));
    assert_eq!((wait(hub.secret(&who, "other")), wait(hub.kv_used(&who))), (Ok(None), Ok(7)));
}

fn request() -> Request {
    Request {
        method: Method::Post,
        url: "https://a.example/".into(),
        headers: vec![Header { name: "accept".into(), value: "*/*".into() }],
        secret_headers: vec![SecretHeader {
            name: "authorization".into(),
            prefix: "Bearer ".into(),
            secret: "key".into(),
        }],
        body: Some(vec![1, 2]),
        enough_bytes: None,
    }
}

fn request_in_json() -> Value {
    json!({
        "method": "Post", "url": "https://a.example/", "headers": [{ "name": "accept", "value": "*/*" }],
        "secret_headers": [{ "name": "authorization", "prefix": "Bearer ", "secret": "key" }],
        "body": [1, 2], "enough_bytes": null,
    })
}

/// F: P-09
#[test]
fn servers_are_asked_and_understood() {
    let response = json!({
        "status": 200, "url": "https://a.example/b", "headers": [{ "name": "x", "value": "y" }], "body": [49],
        "is_cut": true,
    });
    let with = || json!([request_in_json()]);
    let found = asked!(
        |hub, who| hub.fetch(&who, &request(), &Reach::default()),
        "http.fetch",
        with(),
        ok(&json!({ "Ok": response }))
    );
    let found = found.unwrap().unwrap();
    assert_eq!((found.status, found.body.as_slice(), found.is_cut), (200, &b"1"[..], true));
    for (failure, expected) in [
        (json!("TimedOut"), NoAnswer::TimedOut),
        (json!("TooLarge"), NoAnswer::TooLarge),
        (json!({ "Refused": "no" }), NoAnswer::Refused("no".into())),
        (json!({ "Unreachable": "no" }), NoAnswer::Unreachable("no".into())),
        (json!({ "Malformed": "no" }), NoAnswer::Malformed("no".into())),
    ] {
        let answer = ok(&json!({ "Err": failure }));
        let found = asked!(|hub, who| hub.fetch(&who, &request(), &Reach::default()), "http.fetch", with(), answer);
        assert_eq!(found.unwrap(), Err(expected));
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_no_answer() {
    let ann = ANN.parse().unwrap();
    let mut elsewhere = user();
    elsewhere["id"] = json!(TEA);
    for (answer, words) in [
        (json!({ "Ok": 7 }), "not answered as the contract has it"),
        (json!(null), "not answered as the contract has it"),
        (json!({ "Ok": [] }), "was asked for 1 and answered with 0"),
        (json!({ "Ok": [elsewhere] }), "is not the id of a user"),
        (json!({ "Err": { "Denied": "users.read" } }), "«denied»: users.read"),
    ] {
        let told = asked!(|hub, who| hub.users(&who, &[ann]), "users.get-many", json!([[ANN]]), answer);
        let told = told.unwrap_err().to_string();
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn what_was_issued_is_done_in_its_order() {
    let (ann, tea, hello) = (ANN.parse().unwrap(), TEA.parse().unwrap(), HELLO.parse().unwrap());
    let (key, minute) = (|| "k".to_owned(), Some(Duration::from_secs(60)));
    let notify = |audience| Effect::Notify(Notice { audience, kind: "news".into(), payload: "{}".into() });
    let issued = Issued {
        operations: vec![
            Operation::Set { key: key(), value: vec![1], expires_in: minute },
            Operation::CompareAndSet { key: key(), expected: None, value: vec![2], expires_in: None },
            Operation::Increment { key: key(), by: -3, expires_in: None },
            Operation::Delete { key: key() },
        ],
        effects: vec![
            Effect::Post(NewMessage {
                id: hello,
                conversation: tea,
                kind: MessageKind::Poll,
                body: "hi".into(),
                metadata: None,
                reply_to: Some(hello),
            }),
            Effect::Annotate { message: hello, value: Some("1".into()) },
            Effect::Annotate { message: hello, value: None },
            Effect::Mention {
                message: hello,
                targets: vec![
                    MentionTarget::User(ann),
                    MentionTarget::Everyone,
                    MentionTarget::Online,
                    MentionTarget::WorkspaceRole(WorkspaceRole::Admin),
                    MentionTarget::ConversationRole(ConversationRole::Owner),
                ],
            },
            notify(Audience::Users(vec![ann])),
            notify(Audience::Conversation(tea)),
            notify(Audience::Moderators),
            notify(Audience::Admins),
            Effect::RunAt { schedule: "close".into(), at: Timestamp(7) },
            Effect::Request { request: request(), tag: "a tag".into() },
        ],
    };
    let notice = |audience: Value| json!([{ "audience": audience, "kind": "news", "payload": "{}" }]);
    let targets = json!(["Everyone", "Online", { "WorkspaceRole": "Admin" }, { "ConversationRole": "Owner" }]);
    let targets: Vec<Value> = [json!({ "User": ANN })].into_iter().chain(targets.as_array().unwrap().clone()).collect();
    let expected = [
        ("kv.set", json!(["k", [1], 60])),
        ("kv.compare-and-set", json!(["k", null, [2], null])),
        ("kv.increment", json!(["k", -3, null])),
        ("kv.delete", json!(["k"])),
        (
            "messages.post",
            json!([{ "conversation": TEA, "kind": "Poll", "body": "hi", "metadata": null, "reply_to": HELLO }, HELLO]),
        ),
        ("annotations.set", json!([HELLO, "1"])),
        ("annotations.remove", json!([HELLO])),
        ("mentions.set", json!([HELLO, targets])),
        ("notices.send", notice(json!({ "Users": [ANN] }))),
        ("notices.send", notice(json!({ "Conversation": TEA }))),
        ("notices.send", notice(json!("Moderators"))),
        ("notices.send", notice(json!("Admins"))),
        ("timers.run-at", json!(["close", 7])),
        ("http.send", json!([request_in_json(), "a tag"])),
    ];
    let script = Script::default();
    assert_eq!(wait(carry_out(&script, issued)), Ok(()));
    assert_eq!(*script.calls.lock().unwrap(), expected.map(|(name, with)| (name.to_owned(), with)));

    // What cannot be done ends it.
    for (answer, words) in [
        (json!({ "Ok": false }), "kv.set was issued, and something else stands there"),
        (json!({ "Err": "NotFound" }), "kv.set was issued, and answered with «not-found»"),
        (json!("well"), "kv.set was not answered as the contract has it"),
    ] {
        let script = Script::default();
        script.answers.lock().unwrap().push_back(answer);
        let set = || Operation::Set { key: key(), value: vec![1], expires_in: None };
        let issued = Issued { operations: vec![set(), set()], effects: Vec::new() };
        assert!(wait(carry_out(&script, issued)).unwrap_err().contains(words));
        assert_eq!(script.calls.lock().unwrap().len(), 1);
    }
}
