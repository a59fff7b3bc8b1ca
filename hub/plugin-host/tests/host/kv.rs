//! A plugin's own data: what a hook reads, what it leaves to be committed, and where it ends.

use std::time::Duration;

use jackfield_domain::plugins::Operation;
use jackfield_plugin_host::{
    Outcome, Reuse,
    hooks::{MessagePatch, Verdict},
};
use serde_json::json;

use crate::{
    guests::Guest,
    support::{self, HERE, ask_in, host, hub},
};

crate::tests![
    a_hook_reads_its_own_operations,
    a_comparison_is_with_what_the_hook_sees,
    numbers_are_added_up,
    a_page_shows_what_the_hook_wrote,
    what_expires_says_when,
    a_key_has_its_bounds,
    a_value_and_all_values_have_their_bounds,
];

const KEY: u32 = 1024;
const VALUE: u32 = 1040;

/// Sets the key to the value.
const SET: &str = "(call $kv_set (i32.const 1024) (i32.const 3) (i32.const 1040) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 300))";
/// Gets what is under the key: whether at 304, where at 308, how long at 312.
const GET: &str = "(call $kv_get (i32.const 1024) (i32.const 3) (i32.const 300))";
const DELETE: &str = "(call $kv_delete (i32.const 1024) (i32.const 3) (i32.const 300))";
/// Holds the message with the text that was got, or allows it where there was none.
const TELL: &str = "(if (result i32) (i32.load8_u (i32.const 304)) (then
        (i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.load (i32.const 308)))
        (i32.store (i32.const 208) (i32.load (i32.const 312))) (i32.const 200)) (else (i32.const 16)))";

fn guest(body: &str) -> Guest {
    ["set", "get", "delete", "increment", "compare-and-set", "scan"]
        .into_iter()
        .fold(Guest::new(), |guest, function| guest.import("kv", function))
        .data(KEY, "key")
        .data(VALUE, "new")
        .before_create(body)
}

async fn ask(body: &str, committed: Option<&str>) -> Outcome<Verdict<MessagePatch>> {
    let hub = hub();
    if let Some(committed) = committed {
        hub.set(HERE, "key", committed.as_bytes());
    }
    ask_in(&host(Reuse::Fresh), &guest(body), &hub).await
}

fn held(outcome: &Outcome<Verdict<MessagePatch>>) -> &str {
    match &outcome.answer {
        Ok(Verdict::Hold(reason)) => reason,
        Ok(Verdict::Allow) => "nothing",
        other => panic!("{other:?}"),
    }
}

/// F: P-08
async fn a_hook_reads_its_own_operations() {
    assert_eq!(held(&ask(&format!("{GET}{TELL}"), None).await), "nothing");
    assert_eq!(held(&ask(&format!("{GET}{TELL}"), Some("old")).await), "old");
    let outcome = ask(&format!("{SET}{GET}{TELL}"), Some("old")).await;
    assert_eq!(held(&outcome), "new");
    let set = Operation::Set { key: "key".into(), value: b"new".into(), expires_in: None };
    assert_eq!(outcome.issued.operations, std::slice::from_ref(&set));
    let outcome = ask(&format!("{SET}{DELETE}{GET}{TELL}"), Some("old")).await;
    assert_eq!(held(&outcome), "nothing");
    assert_eq!(outcome.issued.operations, [set, Operation::Delete { key: "key".into() }], "in their order");
}

/// F: P-08
async fn a_comparison_is_with_what_the_hook_sees() {
    // Expects «old», sets «new», and tells by the letter under the key whether it was so.
    let compare =
        "(call $kv_compare_and_set (i32.const 1024) (i32.const 3) (i32.const 1) (i32.const 1060) (i32.const 3)
        (i32.const 1040) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 400))";
    let body = |before: &str| format!("{before}{compare}{GET}{TELL}");
    let run = async |before: &str, committed| {
        let hub = hub();
        if let Some(committed) = committed {
            hub.set(HERE, "key", committed);
        }
        let guest = guest(&body(before)).data(1060, "old");
        ask_in(&host(Reuse::Fresh), &guest, &hub).await
    };
    let outcome = run("", Some(b"old".as_slice())).await;
    assert_eq!(held(&outcome), "new");
    let expected = Operation::CompareAndSet {
        key: "key".into(),
        expected: Some(b"old".into()),
        value: b"new".into(),
        expires_in: None,
    };
    assert_eq!(outcome.issued.operations, [expected]);
    let outcome = run("", Some(b"other")).await;
    assert_eq!((held(&outcome), outcome.issued.operations.len()), ("other", 0));
    assert_eq!(held(&run("", None).await), "nothing");
    let outcome = run(SET, Some(b"old")).await;
    assert_eq!((held(&outcome), outcome.issued.operations.len()), ("new", 1), "the hook itself had changed it");
}

/// F: P-08
async fn numbers_are_added_up() {
    let add = |by: &str| {
        format!(
            "(call $kv_increment (i32.const 1024) (i32.const 3) (i64.const {by}) (i32.const 1) (i32.const 60) (i32.const 400))"
        )
    };
    let outcome = ask(&format!("{}{}{GET}{TELL}", add("5"), add("-2")), None).await;
    assert_eq!(held(&outcome), "3");
    let operation = |by| Operation::Increment { key: "key".into(), by, expires_in: Some(Duration::from_secs(60)) };
    assert_eq!(outcome.issued.operations, [operation(5), operation(-2)]);
    assert_eq!(held(&ask(&format!("{}{GET}{TELL}", add("5")), Some("-7")).await), "-2");
    // What is no number, or would be too large a one, is refused: the error at 400, and nothing is done.
    let told = "(i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.load (i32.const 412)))
        (i32.store (i32.const 208) (i32.load (i32.const 416))) (i32.const 200)";
    let outcome = ask(&format!("{}{told}", add("1")), Some("tea")).await;
    assert!(held(&outcome).contains("not a number"), "{outcome:?}");
    let outcome = ask(&format!("{}{told}", add("1")), Some("9223372036854775807")).await;
    assert!(held(&outcome).contains("too large"), "{outcome:?}");
    assert!(outcome.issued.is_empty());
}

/// F: P-08
async fn a_page_shows_what_the_hook_wrote() {
    // Scans all keys, two at a time, and holds with how many there are and whether there are more.
    let scan = "(call $kv_scan (i32.const 1024) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 400))
        (i32.store8 (i32.const 1100) (i32.add (i32.const 48) (i32.load (i32.const 408))))
        (i32.store8 (i32.const 1101) (i32.add (i32.const 48) (i32.load8_u (i32.const 412))))
        (i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.const 1100))
        (i32.store (i32.const 208) (i32.const 2)) (i32.const 200)";
    let run = async |before: &str, keys: &[&str]| {
        let hub = hub();
        for key in keys {
            hub.set(HERE, key, b"x");
        }
        held(&ask_in(&host(Reuse::Fresh), &guest(&format!("{before}{scan}")), &hub).await).to_owned()
    };
    assert_eq!(run("", &[]).await, "00");
    assert_eq!(run(SET, &[]).await, "10");
    assert_eq!(run(SET, &["ka"]).await, "20");
    assert_eq!(run(SET, &["ka", "kb"]).await, "21", "the one that the hook wrote is on the next page");
    assert_eq!(run(DELETE, &["ka", "key"]).await, "10");
    assert_eq!(run(DELETE, &["ka", "key", "kz"]).await, "11", "a page may be short");
    assert_eq!(run(SET, &["other"]).await, "10", "only with the prefix");
}

/// F: P-08
async fn what_expires_says_when() {
    let set =
        |seconds: u32| SET.replace("(i32.const 0) (i32.const 0)", &format!("(i32.const 1) (i32.const {seconds})"));
    let outcome = ask(&format!("{}(i32.const 16)", set(90)), None).await;
    let Operation::Set { expires_in, .. } = &outcome.issued.operations[0] else { panic!("{outcome:?}") };
    assert_eq!(*expires_in, Some(Duration::from_secs(90)));
    let outcome = ask(&format!("{}(i32.const 16)", set(0)), None).await;
    assert!(outcome.issued.is_empty(), "nothing is gone before it is there");
}

/// Runs a set and answers the text of its error.
async fn error_of_set(guest: Guest, set: &str, used: u64) -> String {
    let told = "(if (result i32) (i32.load8_u (i32.const 300)) (then
        (i32.store8 (i32.const 200) (i32.const 3)) (i32.store (i32.const 204) (i32.load (i32.const 308)))
        (i32.store (i32.const 208) (i32.load (i32.const 312))) (i32.const 200)) (else (i32.const 16)))";
    let hub = hub();
    *hub.used.lock().unwrap() = used;
    held(&ask_in(&support::host(Reuse::Fresh), &guest.before_create(&format!("{set}{told}")), &hub).await).to_owned()
}

/// F: P-08
async fn a_key_has_its_bounds() {
    let guest = || Guest::new().import("kv", "set").data(KEY, &"k".repeat(257));
    let set = |bytes: u32| SET.replacen("(i32.const 3)", &format!("(i32.const {bytes})"), 1);
    assert_eq!(error_of_set(guest(), &set(256), 0).await, "nothing");
    assert!(error_of_set(guest(), &set(257), 0).await.contains("1 to 256 bytes"));
    assert!(error_of_set(guest(), &set(0), 0).await.contains("1 to 256 bytes"));
    let guest = Guest::new().import("kv", "set").data(KEY, "a\nb");
    assert!(error_of_set(guest, SET, 0).await.contains("control characters"));
}

/// F: P-01, P-08
async fn a_value_and_all_values_have_their_bounds() {
    let guest = || Guest::new().import("kv", "set").data(KEY, "key").with("/limits/value-bytes", json!(10));
    let set =
        |bytes: u32| SET.replace("(i32.const 1040) (i32.const 3)", &format!("(i32.const 1040) (i32.const {bytes})"));
    assert_eq!(error_of_set(guest(), &set(10), 0).await, "nothing");
    assert!(error_of_set(guest(), &set(11), 0).await.contains("at most 10 bytes, this one has 11"));
    let room = 10 << 20;
    assert_eq!(error_of_set(guest(), SET, room - 6).await, "nothing");
    assert!(error_of_set(guest(), SET, room - 5).await.contains("at most 10485760 bytes in this workspace"));
    let twice = format!("{SET}{SET}");
    assert!(error_of_set(guest(), &twice, room - 6).await.contains("in this workspace"), "what it has added counts");
}
