//! The harness, spoken to by a program that answers as `jackfield plugin test` does, line by line.
#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use jackfield_plugin::prelude::*;

/// Puts a shell script in the place of the hub's program. Tests that set a variable of the process stand in one function.
fn instead_of_the_hub(folder: &Path, script: &str) -> PluginHarness {
    let program = folder.join("jackfield");
    fs::write(&program, format!("#!/bin/sh\n{script}")).expect("it can be written");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("it is ours");
    PluginHarness::open_with(&program, "package.wasm").expect("it says that it is ready")
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("jackfield-plugin-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("it can be made");
    folder
}

#[test]
fn what_is_called_is_done_on_the_hub_of_the_test_and_what_it_took_is_told() {
    let folder = folder("calls");
    let harness = instead_of_the_hub(
        &folder,
        r#"
        echo '{"ready": {"id": "a.b", "version": "1.0.0"}}'
        read question; echo "$question" > "$(dirname "$0")/question"
        echo '{"call": "kv.increment", "with": ["count", 2, null]}'
        read answer; echo "$answer" > "$(dirname "$0")/answer"
        echo '{"done": {"Hold": "why not"}, "measures": {"cpu_microseconds": 12, "memory_bytes": 65536}, "log": [["Warn", "hm"]]}'
        read question
        echo '{"call": "kv.increment", "with": ["count", 5, null]}'
        read answer
        echo '{"failed": "5 ms of CPU time", "measures": {"host_calls": 1}}'
        "#,
    );
    let hub = MockHub::new();
    hub.configure(json!({ "words": ["darn"] }));
    hub.entrust("key", "s3cret");
    hub.deny("secrets");
    let (ann, tea) = hub.conversation_of("Ann");
    let draft = hub.draft(&ann, &tea, "Milk?");
    let report = harness.before_create(&hub, &draft);
    assert_eq!(report.answer.unwrap(), MessageVerdict::hold("why not"));
    assert_eq!((report.measures.cpu_microseconds, report.measures.memory_bytes), (12, 65536));
    assert_eq!(hub.kept("count"), Some(json!(2)));
    assert_eq!(hub.logged(), [(log::Level::Warn, "hm".to_owned())]);
    let question: Value =
        jackfield_plugin::serde_json::from_slice(&fs::read(folder.join("question")).unwrap()).unwrap();
    assert_eq!(question["ask"], "message-hooks.before-create");
    assert_eq!(question["with"][0]["body"], json!({ "Plain": "Milk?" }));
    assert_eq!(question["with"][0]["sender"]["role"], "Member");
    assert_eq!((&question["now"], &question["configuration"]["words"][0]), (&json!(hub.now()), &json!("darn")));
    assert_eq!((&question["denied"], &question["secrets"]), (&json!(["secrets"]), &json!({ "key": "s3cret" })));
    assert_eq!(question["storage_bytes"], json!(0));
    assert_eq!(fs::read_to_string(folder.join("answer")).unwrap().trim(), r#"{"answer":{"Ok":2}}"#);

    let report = harness.before_create(&hub, &draft);
    assert_eq!(report.answer.unwrap_err().to_string(), "5 ms of CPU time");
    assert_eq!(hub.kept("count"), Some(json!(2)), "what a failed hook issued is not done");
    let gone = harness.before_create(&hub, &draft).answer.unwrap_err().to_string();
    assert!(gone.contains("has ended") || gone.contains("pipe"), "{gone}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn where_there_is_no_hub_it_says_what_to_do() {
    let Err(failure) = PluginHarness::open_with("/nowhere/jackfield", "package.wasm") else { panic!("it was started") };
    assert!(failure.to_string().ends_with("or its path into JACKFIELD"), "{failure}");
}
