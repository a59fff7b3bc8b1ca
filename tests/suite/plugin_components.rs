//! Plugins that come with the hub, run as components on the hub for tests, through `jackfield plugin test`: what they do natively they
//! do under the real limits and grants as well.

use std::path::{Path, PathBuf};

use jackfield_plugin::{
    capabilities::{http::Response, types::Refusal},
    hooks::{Argument, ArgumentValue, CommandCall, CommandReply, DeletionDraft, EventBatch},
    prelude::{Message, MessageVerdict, MockHub, PluginHarness, User, WorkspaceRole, kv, log, mentions},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{stories, support::process::PROGRAM};

pub const MODERATION: &str = "jackfield.moderation";
const MENTIONS: &str = "jackfield.mentions";
const LINK_PREVIEWS: &str = "jackfield.link-previews";

/// A package in a file.
pub fn in_file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plugin.wasm");
    std::fs::write(&path, bytes).expect("a file");
    (folder, path)
}

/// A plugin that comes with the hub.
pub fn bundled(id: &str) -> (TempDir, PathBuf) {
    let read = |bytes: &&&[u8]| jackfield_plugin_host::Package::read(**bytes).expect("a package");
    let is_it = |bytes: &&&[u8]| read(bytes).manifest().id.as_str() == id;
    in_file(jackfield::bundled::PACKAGES.iter().find(is_it).expect("it comes with the hub"))
}

pub fn harness(package: &Path) -> PluginHarness {
    PluginHarness::open_with(PROGRAM, package).unwrap_or_else(|failure| panic!("{failure}"))
}

/// What moderation is told to do about a word.
pub fn rule(action: &str) -> Value {
    json!({ "rules": [{ "kind": "words", "action": action, "words": ["heck"] }] })
}

fn moderation_on_its_component() {
    let (_folder, package) = bundled(MODERATION);
    let (harness, hub) = (harness(&package), MockHub::new());
    let (ann, tea) = hub.conversation_of("Ann");
    let say = |words: &str| harness.before_create(&hub, &hub.draft(&ann, &tea, words));
    hub.configure(rule("reject"));
    assert_eq!(say("hello").answer.expect("it answers"), MessageVerdict::Allow);
    let report = say("what the HECK");
    assert!(
        matches!(report.answer.expect("it answers"), MessageVerdict::Reject(Refusal { code, .. }) if code == "WORD_NOT_ALLOWED")
    );
    let measures = report.measures;
    assert!(measures.host_calls > 3 && measures.wall_microseconds > 0, "{measures:?}");
    assert!((65_536..=33_554_432).contains(&measures.memory_bytes), "{measures:?}");
    assert!(
        hub.logged().iter().any(|(level, line)| *level == log::Level::Info && line.contains("Reject")),
        "{:?}",
        hub.logged()
    );

    // What it notes is kept by the hub of the test from one call to the next, and goes away in time.
    say("heck");
    say("heck");
    assert!(
        matches!(say("I am sorry").answer.expect("it answers"), MessageVerdict::Reject(Refusal { code, .. }) if code == "MUTED")
    );
    let call = |user: &User, command: &str| CommandCall {
        command: command.to_owned(),
        viewer: user.clone(),
        conversation: Some(tea.id.clone()),
        arguments: vec![Argument { name: "user".to_owned(), value: ArgumentValue::User(ann.id.clone()) }],
    };
    let not_she = harness.run_command(&hub, &call(&ann, "pardon")).answer.expect("it answers");
    assert_eq!(not_she, Err(Refusal::new("NOT_A_MODERATOR", "This is for moderators.")));
    let mo = hub.user_as("Mo", WorkspaceRole::Moderator);
    let told = harness.run_command(&hub, &call(&mo, "pardon")).answer.expect("it answers");
    assert_eq!(told, Ok(CommandReply { text: Some("All strikes are forgotten.".to_owned()) }));
    assert_eq!(say("I was").answer.expect("it answers"), MessageVerdict::Allow);

    // What is flagged is annotated when the event comes, which a before-hook could not do.
    hub.configure(rule("flag"));
    assert_eq!(say("heck!").answer.expect("it answers"), MessageVerdict::Allow);
    let message = hub.message(&ann, &tea, "heck!");
    let batch = EventBatch { events: vec![hub.event("message_sent", &message)], attempt: 1 };
    assert_eq!(harness.on_events(&hub, &batch).answer.expect("it answers"), Ok(()));
    assert!(hub.annotation(&message).is_some_and(|flags| flags["flags"].is_array()));
    assert_eq!((hub.notices().len(), hub.notices()[0].kind.as_str()), (1, "flagged"));

    // The schema of the manifest, the plugin's own word on a configuration, and what it was not granted.
    let validate = |configuration: &Value| {
        let report = harness.ask::<_, Result<(), Vec<Value>>>(
            &hub,
            "lifecycle-hooks.validate-configuration",
            (configuration.to_string(),),
        );
        report.answer.expect("it answers")
    };
    assert_eq!(validate(&rule("mask")), Ok(()));
    let problems = validate(&json!({ "rules": [{ "kind": "capitals", "action": "mask", "percent": 50 }] }))
        .expect_err("it is refused");
    assert_eq!(problems[0]["path"], json!("/rules/0/action"), "{problems:?}");
    hub.configure(json!({ "rules": "none" }));
    let unfit = say("hello").answer.expect_err("it is refused").to_string();
    assert!(unfit.contains("does not fit the one in plugin.toml: /rules"), "{unfit}");
    hub.configure(rule("reject"));
    hub.deny("kv");
    say("heck").answer.expect_err("it is refused");
    assert!(
        hub.logged().iter().any(|(_, line)| line.contains("the capability `kv` is not granted")),
        "{:?}",
        hub.logged()
    );
    let other = harness.before_delete(&hub, &DeletionDraft { message, deleter: ann.clone() });
    let unwanted = other.answer.expect_err("it is refused").to_string();
    assert!(unwanted.contains("does not name the hook before-delete"), "{unwanted}");
}

/// A limit of the host's own, which a native test does not know: a plugin keeps 10 MiB at most.
fn a_limit_on_the_component() {
    let (_folder, package) = bundled(MODERATION);
    let (harness, hub) = (harness(&package), MockHub::new());
    let (ann, tea) = hub.conversation_of("Ann");
    hub.configure(rule("reject"));
    let full = "x".repeat(60_000);
    for number in 0..174 {
        kv::set(&format!("full/{number}"), &full).expect("it answers");
    }
    let say = || harness.before_create(&hub, &hub.draft(&ann, &tea, "heck")).answer;
    say().expect("it answers");
    kv::set("full/174", &full).expect("it answers");
    say().expect_err("it is refused");
    assert!(hub.logged().iter().any(|(_, line)| line.contains("at most 10485760 bytes")), "{:?}", hub.logged());
}

fn mentions_on_their_component() {
    let (_folder, package) = bundled(MENTIONS);
    let (harness, hub) = (harness(&package), MockHub::new());
    let (ann, bob) = (hub.user("Ann"), hub.user("Bob Dylan"));
    let tea = hub.conversation(&[&ann, &bob]);
    let tell = |kind: &str, message: &Message| {
        let batch = EventBatch { events: vec![hub.event(kind, message)], attempt: 1 };
        let report = harness.on_events(&hub, &batch);
        assert_eq!(report.answer.expect("it answers"), Ok(()));
        report.measures
    };
    let message = hub.message(&ann, &tea, "@bob dylan and @all of `@Ann`");
    let first = tell("message_sent", &message);
    assert_eq!(hub.mentioned(&message), [mentions::Target::User(bob.id.clone()), mentions::Target::Everyone]);
    assert!(first.host_calls > 1 && first.memory_bytes <= 33_554_432, "{first:?}");
    tell("message_edited", &hub.edit(&message, "nobody"));
    assert_eq!(hub.mentioned(&message), []);
    hub.configure(json!({ "everyone": ["tutti"] }));
    let message = hub.message(&ann, &tea, "@tutti @admins @online");
    tell("message_sent", &message);
    assert_eq!(
        hub.mentioned(&message),
        [mentions::Target::Everyone, mentions::Target::WorkspaceRole(WorkspaceRole::Admin)]
    );
    hub.deny("users.read");
    let batch = EventBatch { events: vec![hub.event("message_sent", &hub.message(&ann, &tea, "@bob"))], attempt: 1 };
    let told = harness.on_events(&hub, &batch).answer.expect("it answers").expect_err("it is refused");
    assert!(told.contains("the capability `users.read` is not granted"), "{told}");
}

fn link_previews_on_their_component() {
    let (_folder, package) = bundled(LINK_PREVIEWS);
    let (harness, hub) = (harness(&package), MockHub::new());
    let (ann, tea) = hub.conversation_of("Ann");
    let send = |text: &str| {
        let message = hub.message(&ann, &tea, text);
        let batch = EventBatch { events: vec![hub.event("message_sent", &message)], attempt: 1 };
        assert_eq!(harness.on_events(&hub, &batch).answer.expect("it answers"), Ok(()));
        message
    };
    let deliver = || {
        let answer = hub.next_answer().expect("a request was sent");
        let report = harness.on_answer(&hub, &answer);
        assert_eq!(report.answer.expect("it answers"), Ok(()));
        report.measures
    };
    hub.answers(
        "https://tea.example/",
        Response::new(200, "text/html; charset=koi8-r", b"<title>\xfe\xc1\xca</title>"),
    );
    let message = send("https://tea.example");
    deliver();
    assert_eq!(hub.annotation(&message).expect("a preview")[0]["title"], json!("Чай"));

    // Whatever a page is made of: it is read in the memory and the time that a plugin has.
    for part in ["<a b c>", "<meta property=og:title content=", "&", "<title>", "<meta a b c ", "\0"] {
        let url = format!("https://hostile.example/{}", part.len());
        let page = format!("<title>Tea</title>{}", part.repeat(512 * 1024 / part.len()));
        hub.answers(&url, Response::new(200, "text/html", page));
        let message = send(&url);
        let measures = deliver();
        assert_eq!(hub.annotation(&message).expect("a preview")[0]["title"], json!("Tea"), "{part}");
        assert!(measures.memory_bytes <= 33_554_432 && measures.cpu_microseconds < 2_000_000, "{part}: {measures:?}");
    }
    hub.deny("fetch-public-url");
    let message = send("https://coffee.example");
    assert_eq!((hub.next_answer().is_some(), hub.annotation(&message)), (false, None));
}

stories! {
    /// F: P-12, P-20, P-21, P-23
    async fn the_components_of_the_bundled_plugins_do_in_tests_what_they_do_in_a_hub(backend) {
        moderation_on_its_component();
        mentions_on_their_component();
        link_previews_on_their_component();
        a_limit_on_the_component();
        let _ = backend;
    }
}
