//! `jackfield plugin …`, as somebody types it: a plugin is made, built, looked at and run for tests; and those of a hub are switched.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use jackfield_plugin::prelude::{MessageVerdict, MockHub};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout},
    sync::OnceCell,
};

use crate::{
    plugin_components::{MODERATION, bundled, harness, in_file, rule},
    stories,
    support::{
        Backend, Person, World,
        guest::{GUEST, guest},
        person::text,
        process, within,
    },
};

/// What came of a command.
struct Said {
    ok: bool,
    out: String,
    complaint: String,
}

/// `jackfield plugin`, in a folder, with some variables and an input. Compiling takes its time.
async fn plugin(folder: &Path, variables: &[(&str, &str)], arguments: &[&str], input: &str) -> Said {
    let mut command = process::command(folder, &[]);
    command.arg("plugin").args(arguments).current_dir(folder).stdin(Stdio::piped());
    // What was compiled for the plugins that come with the hub need not be compiled again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
    command.env("CARGO_TARGET_DIR", target).env("JACKFIELD_WASM_SETUP", "never").envs(variables.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    // It may well have ended before it has read all of it.
    let _ = pipe.write_all(input.as_bytes()).await;
    drop(pipe);
    let output = tokio::time::timeout(Duration::from_secs(300), child.wait_with_output()).await;
    let output = output.expect("the end of the program").expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
    Said { ok: output.status.success(), out: text(output.stdout), complaint: text(output.stderr) }
}

/// Expects that it is refused, with these words.
async fn refused(folder: &Path, variables: &[(&str, &str)], arguments: &[&str], words: &[&str]) {
    let said = plugin(folder, variables, arguments, "").await;
    assert!(!said.ok && said.out.is_empty(), "{arguments:?}: {}", said.out);
    for word in words {
        assert!(said.complaint.contains(word), "{arguments:?}: {word} is not in\n{}", said.complaint);
    }
}

/// All files below a folder, and what is in them.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), std::fs::read(path).expect("a file")));
        }
    }
    found.sort();
    found
}

/// A package of a plugin that was made just now, outside of this repository. It is the same for all stories.
async fn word_filter() -> &'static [u8] {
    static PACKAGE: OnceCell<Vec<u8>> = OnceCell::const_new();
    PACKAGE
        .get_or_init(|| async {
            let folder = tempfile::tempdir().expect("a folder");
            let made = plugin(folder.path(), &[], &["new", "word-filter"], "").await;
            assert!(made.ok && made.out.contains("made example.word-filter in word-filter"), "{}", made.complaint);
            let built = plugin(&folder.path().join("word-filter"), &[], &["build", "--out", "w.wasm"], "").await;
            assert!(
                built.ok && built.out.starts_with("built example.word-filter 1.0.0: w.wasm, "),
                "{}",
                built.complaint
            );
            std::fs::read(folder.path().join("word-filter/w.wasm")).expect("the package")
        })
        .await
}

fn word_filter_on_its_component(package: &Path) {
    let (harness, hub) = (harness(package), MockHub::new());
    let (ann, tea) = hub.conversation_of("Ann");
    hub.configure(json!({ "words": ["darn"] }));
    let say = |words: &str| harness.before_create(&hub, &hub.draft(&ann, &tea, words)).answer.expect("it answers");
    assert_eq!(say("Milk?"), MessageVerdict::Allow);
    assert_eq!(say("Darn!"), MessageVerdict::reject("WORD_NOT_ALLOWED", "«darn» is not said here."));
}

/// Whatever a plugin can begin as, made under another name: its own tests, of which one builds the component and asks it, pass as it
/// is made. It is the same for all stories.
async fn templates_pass_their_tests() {
    static PASSED: OnceCell<()> = OnceCell::const_new();
    PASSED
        .get_or_init(|| async {
            let folder = tempfile::tempdir().expect("a folder");
            for (template, does, wants) in [
                ("filter", "refuses messages with certain words", "before-create (moderate 0, open on failure)"),
                ("events", "greets whoever says something", "on-events (message_sent)"),
                ("command", "rolls a die by the command /roll", "/roll [sides: number]"),
                ("fields", "lets people clap", "Message.tea"),
            ] {
                let (id, name) = (format!("acme.tea-{template}"), format!("tea-{template}"));
                let made = plugin(folder.path(), &[], &["new", &id, "--template", template], "").await;
                let begins = format!("made {id} in {name}: it {does}");
                assert!(made.ok && made.out.starts_with(&begins), "{} {}", made.out, made.complaint);
                let folder = folder.path().join(&name);
                let built = plugin(&folder, &[], &["build", "--out", "tea.wasm"], "").await;
                assert!(built.ok, "{}", built.complaint);
                let checked = plugin(&folder, &[], &["check", "tea.wasm"], "").await;
                assert!(checked.ok && checked.out.contains(wants), "{wants} is not in\n{}", checked.out);
                tested(&folder).await;
            }
        })
        .await;
}

/// `cargo test`, as whoever has made a plugin types it.
async fn tested(folder: &Path) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
    let mut command = tokio::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["test", "--locked"]).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    command.env("JACKFIELD", process::PROGRAM).env("CARGO_TARGET_DIR", target).env("JACKFIELD_WASM_SETUP", "never");
    let output = tokio::time::timeout(Duration::from_secs(600), command.output()).await;
    let output = output.expect("the end of the tests").expect("cargo runs");
    let (out, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{complaint}");
    let passed = out.lines().filter(|line| line.ends_with(" ... ok")).count();
    assert!(passed >= 2 && out.contains("the_component_"), "{out}");
}

/// A command that goes on until it is let go.
struct Following {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    async fn line(&mut self) -> String {
        let line = within("a line", self.lines.next_line()).await;
        line.expect("UTF-8").expect("the command goes on")
    }
}

/// `jackfield plugin dev`, as long as somebody works.
struct Working {
    child: Child,
    /// What the plugin logs.
    log: Lines<BufReader<ChildStdout>>,
    /// What it says, and the compiler.
    said: Lines<BufReader<ChildStderr>>,
}

impl Working {
    /// Begins in a folder. Of the others who build there is one target folder.
    fn begin(terminal: &Terminal<'_>, folder: &Path) -> Self {
        let mut command = process::command(folder, &[]);
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target folder");
        command
            .args(["plugin", "dev"])
            .arg(folder)
            .env("CARGO_TARGET_DIR", target)
            .env("JACKFIELD_WASM_SETUP", "never");
        command.env("JACKFIELD_URL", &terminal.url).env("JACKFIELD_TOKEN", terminal.token);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let log = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Working { child, log, said }
    }

    /// Waits until it says this. Compiling takes its time.
    async fn says(&mut self, words: &str) -> String {
        let mut all = String::new();
        let line = async {
            loop {
                let line = self.said.next_line().await.expect("UTF-8").unwrap_or_else(|| panic!("it ended: {all}"));
                all.push_str(&line);
                all.push('\n');
                if line.contains(words) {
                    return line;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(300), line).await.unwrap_or_else(|_| panic!("{words} is not said"))
    }

    /// As by Ctrl-C.
    async fn interrupt(mut self) -> String {
        let id = self.child.id().expect("it runs").to_string();
        let told = tokio::process::Command::new("kill").args(["-INT", &id]).status().await.expect("a signal");
        assert!(told.success());
        let last = self.says("the hub keeps").await;
        assert!(within("its end", self.child.wait()).await.expect("it ends").success());
        last
    }
}

/// The command line against one hub.
struct Terminal<'a> {
    folder: TempDir,
    url: String,
    token: &'a str,
}

impl Terminal<'_> {
    async fn types(&self, arguments: &[&str], input: &str) -> Said {
        let variables = [("JACKFIELD_URL", self.url.as_str()), ("JACKFIELD_TOKEN", self.token)];
        plugin(self.folder.path(), &variables, arguments, input).await
    }

    /// Expects that it is done, and answers what it says.
    async fn does(&self, arguments: &[&str]) -> String {
        let said = self.types(arguments, "").await;
        assert!(said.ok, "{arguments:?}: {}", said.complaint);
        said.out
    }

    fn follows(&self, arguments: &[&str]) -> Following {
        let mut command = process::command(self.folder.path(), &[]);
        command.arg("plugin").args(arguments).env("JACKFIELD_URL", &self.url).env("JACKFIELD_TOKEN", self.token);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Following { _child: child, lines }
    }
}

fn terminal<'a>(world: &World, person: &'a Person) -> Terminal<'a> {
    Terminal { folder: tempfile::tempdir().expect("a folder"), url: world.url(0), token: &person.token }
}

stories! {
    /// F: P-12
    async fn a_plugin_is_made_built_and_run_where_there_is_nothing_but_the_program(backend) {
        let (_folder, package) = in_file(word_filter().await);
        let path = package.to_str().expect("text");
        let checked = plugin(package.parent().expect("a folder"), &[], &["check", path], "").await;
        assert!(checked.ok, "{}", checked.complaint);
        for part in ["example.word-filter 1.0.0: Word filter", "before-create (moderate 0, open on failure)", "capabilities  none",
            "configuration words", "limits        the usual ones", "a hub takes it"] {
            assert!(checked.out.contains(part), "{part} is not in\n{}", checked.out);
        }
        word_filter_on_its_component(&package);
        // The back end makes no difference here.
        let _ = backend;
    }

    /// F: P-12, P-13
    async fn whatever_a_plugin_begins_as_passes_its_tests_as_it_is_made(backend) {
        templates_pass_their_tests().await;
        // The back end makes no difference here.
        let _ = backend;
    }

    /// F: P-12
    async fn what_is_there_is_not_written_over(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        assert!(plugin(folder, &[], &["new", "acme.tea-time"], "").await.ok);
        let before = files(folder);
        assert!(before.iter().any(|(path, _)| path.ends_with("tea-time/.jackfield/sdk/wit/hooks.wit")), "{before:?}");
        refused(folder, &[], &["new", "tea-time"], &["is there already"]).await;
        refused(folder, &[], &["new", "../up"], &["«../up» cannot be its name"]).await;
        assert_eq!(files(folder), before);
        assert!(plugin(folder, &[], &["new", "tea-time", "--path", "another"], "").await.ok);

        // The SDK is brought up to date, and nothing else is taken for one.
        let sdk = folder.join("tea-time/.jackfield/sdk");
        std::fs::write(sdk.join("src/old.rs"), "").expect("a file");
        assert!(plugin(folder, &[], &["sdk", "tea-time"], "").await.ok);
        assert!(!sdk.join("src/old.rs").exists() && sdk.join("src/lib.rs").is_file());
        std::fs::remove_file(sdk.join("wit/worlds.wit")).expect("a file");
        refused(folder, &[], &["sdk", "tea-time"], &["holds something else than the SDK"]).await;
        refused(folder, &[], &["sdk", "."], &["has no plugin.toml"]).await;
        let _ = backend;
    }

    /// F: P-12
    async fn what_is_no_plugin_is_refused_in_words(backend) {
        let good = jackfield::bundled::PACKAGES[0];
        let (folder, package) = in_file(good);
        let folder = folder.path();
        let path = package.to_str().expect("text");
        let checked = plugin(folder, &[], &["check", path], "").await;
        assert!(checked.ok && checked.out.contains("a hub takes it"), "{}", checked.complaint);
        for (bytes, words) in [
            (b"PK\x03\x04".to_vec(), "this is no WebAssembly; give the .wasm file that `jackfield plugin build` wrote"),
            (b"\0asm\x01\0\0\0".to_vec(), "this is a core module"),
            (good[..good.len() / 2].to_vec(), "ends early or is damaged"),
            (good[..8].to_vec(), "carries no manifest"),
            (vec![0; (32 << 20) + 1], "at most 33554432 are allowed"),
        ] {
            std::fs::write(&package, bytes).expect("a file");
            refused(folder, &[], &["check", path], &[words]).await;
            let told = plugin(folder, &[], &["test", path], "").await;
            let failed: Value = serde_json::from_str(&told.out).expect("a word");
            assert!(!told.ok && text(&failed["failed"]).contains(words), "{failed}");
        }
        refused(folder, &[], &["check", "nothing.wasm"], &["nothing.wasm: No such file"]).await;
        refused(folder, &[], &["build"], &["has no Cargo.toml", "jackfield plugin new"]).await;

        assert!(plugin(folder, &[], &["new", "tea"], "").await.ok);
        let tea = folder.join("tea");
        refused(&tea, &[("PATH", "/nowhere"), ("CARGO", "/nowhere/cargo")], &["build"], &["cargo could not be started", "install Rust"]).await;
        std::fs::write(tea.join("plugin.toml"), "id = ").expect("a file");
        refused(&tea, &[], &["build"], &["plugin.toml"]).await;
        assert!(!tea.join("tea.wasm").exists(), "nothing is written that a hub would refuse");
        let _ = backend;
    }

    /// F: P-12
    async fn a_test_that_makes_no_sense_ends_in_words(backend) {
        let (folder, package) = bundled(MODERATION);
        let path = package.to_str().expect("text");
        let draft = json!({ "conversation": "conv_00000000000000000000000000000002", "kind": "Text", "body": { "Plain": "heck" },
            "sender": { "id": "usr_00000000000000000000000000000001", "name": "Ann", "role": "Member", "status": "Active", "created_at": 1 },
            "location": null, "metadata": null, "reply_to": null });
        let ask = |draft: &Value, more: Value| {
            let mut word = json!({ "ask": "message-hooks.before-create", "with": [draft], "now": 1, "configuration": rule("reject") });
            for (name, value) in more.as_object().expect("an object") {
                word[name] = value.clone();
            }
            word.to_string()
        };
        let told = async |lines: &[String]| {
            let said = plugin(folder.path(), &[], &["test", path], &lines.iter().map(|line| format!("{line}\n")).collect::<String>()).await;
            let words: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).expect("a word")).collect();
            assert_eq!(words[0], json!({ "ready": { "id": MODERATION, "version": "1.0.0" } }));
            (said.ok, words.last().expect("a last word").clone(), said.complaint)
        };
        // What cannot be asked is a failure, after which the next question is asked.
        let mut elsewhere = draft.clone();
        elsewhere["conversation"] = json!("tea");
        for (line, words) in [
            (ask(&draft, json!({ "ask": "message-hooks.before" })), "there is no hook «message-hooks.before»"),
            (ask(&draft, json!({ "with": [] })), "the arguments are not those of the contract"),
            (ask(&draft, json!({ "with": [7] })), "the arguments are not those of the contract"),
            (ask(&draft, json!({ "denied": ["everything"] })), "there is no capability «everything»"),
            (ask(&elsewhere, json!({})), "«tea» is not the id of a conversation"),
        ] {
            let (ok, last, complaint) = told(std::slice::from_ref(&line)).await;
            assert!(ok && text(&last["failed"]).contains(words), "{line}: {last} {complaint}");
            let (ok, last, _) = told(&[line, ask(&draft, json!({ "configuration": {} }))]).await;
            assert_eq!((ok, &last["done"]), (true, &json!("Allow")));
        }
        // What is no word ends it, also in the middle of a call.
        let question = ask(&draft, json!({}));
        for (lines, words) in [
            (vec!["heck".to_owned()], "line 1 from the test: it is not JSON"),
            (vec!["[]".to_owned()], "line 1 from the test: it is not a JSON object"),
            (vec!["{\"answer\": 7}".to_owned()], "a question ({\"ask\": …}) was expected"),
            (vec![ask(&draft, json!({ "wish": 1 }))], "unknown field `wish`"),
            (vec!["[".repeat(100_000)], "it is not JSON: recursion limit exceeded"),
            (vec![question.clone()], "the test has ended in the middle of a call"),
            (vec![question.clone(), "heck".to_owned()], "line 2 from the test: it is not JSON"),
            (vec![question.clone(), question.clone()], "line 2 from the test: an answer ({\"answer\": …}) was expected"),
        ] {
            let (ok, last, complaint) = told(&lines).await;
            assert!(!ok && text(&last["failed"]).contains(words) && complaint.contains(words), "{words}: {last}");
        }
        // An answer that is none fails the call, and says which.
        for (answer, words) in [
            (json!({ "Ok": 7 }), "kv.get-many was not answered as the contract has it"),
            (json!({ "Ok": [] }), "kv.get-many was asked for 1 and answered with 0"),
            (json!({ "Err": { "Invalid": "so" } }), "kv.get-many was answered with «invalid»: so"),
        ] {
            let (ok, last, complaint) = told(&[question.clone(), json!({ "answer": answer }).to_string()]).await;
            assert!(ok && text(&last["failed"]).contains(words), "{words}: {last} {complaint}");
        }
        let _ = backend;
    }

    /// F: P-02, P-03
    async fn plugins_of_a_hub_that_runs_are_listed_switched_and_configured(backend) {
        let world = World::new(backend).await;
        let owner = world.person_with("olga", json!({ "roles": ["owner"] })).await;
        let ann = world.person("ann").await;
        let (tea, coffee) = (ann.group("Tea", &[&owner]).await, ann.group("Coffee", &[&owner]).await);
        let terminal = terminal(&world, &owner);
        let refused_in = async |conversation: &str| {
            let sent = ann.send(json!({ "conversationId": conversation, "body": "heck" })).await;
            sent["errors"].as_array().expect("errors").iter().any(|error| error["code"] == json!("REFUSED_BY_PLUGIN"))
        };
        // As soon as they have heard of everything, there is nothing more to say of them.
        let expected = "jackfield.link-previews  1.0.0  on   Link previews\njackfield.mentions       1.0.0  on   Mentions\n\
            jackfield.moderation     1.0.0  off  Moderation\njackfield.polls          1.0.0  on   Polls\n\
            jackfield.retention      1.0.0  off  Retention\n";
        within("the list", async { while terminal.does(&["list"]).await != expected {} }).await;

        assert_eq!(terminal.does(&["enable", MODERATION]).await, "jackfield.moderation is on\n");
        let configuration = rule("reject");
        assert_eq!(terminal.does(&["configure", MODERATION, &configuration.to_string()]).await, "jackfield.moderation is configured\n");
        assert!(refused_in(&tea).await && refused_in(&coffee).await);
        let there = format!("jackfield.moderation is off in {coffee}\n");
        assert_eq!(terminal.does(&["disable", MODERATION, "--conversation", &coffee]).await, there);
        assert!(refused_in(&tea).await && !refused_in(&coffee).await);
        let listed = terminal.does(&["list"]).await;
        assert!(listed.contains(&format!("on   Moderation, off in {coffee}")), "{listed}");
        within("the lines of the log", async {
            loop {
                let log = terminal.does(&["logs", MODERATION]).await;
                if log.contains(" INFO ") && log.contains(&format!("{}: ", ann.id)) {
                    return;
                }
            }
        })
        .await;
        let verdicts = terminal.does(&["verdicts", "--user", &ann.id, "--plugin", MODERATION]).await;
        assert!(verdicts.contains(" jackfield.moderation before-create REJECTED ann msg_"), "{verdicts}");
        let shown: Value = serde_json::from_str(&terminal.does(&["verdicts", "--json"]).await).expect("JSON");
        let message = text(&shown[0]["messageId"]);
        assert!(verdicts.starts_with(&terminal.does(&["verdicts", &message]).await), "{message}: {verdicts}");
        assert_eq!(terminal.does(&["verdicts", "--user", &owner.id]).await, "no plugin did anything that is known\n");
        let inherited = terminal.does(&["inherit", MODERATION, "--conversation", &coffee]).await;
        assert_eq!(inherited, "jackfield.moderation is as the workspace has it; in the workspace it is on\n");
        assert!(refused_in(&coffee).await);
        terminal.does(&["disable", MODERATION, "--conversation", &coffee]).await;
        let mut following = terminal.follows(&["logs", MODERATION, "--follow"]);
        let earlier = following.line().await;
        assert!(earlier.contains(&format!("{}: ", ann.id)), "{earlier}");
        let bob = world.person("bob").await;
        let den = bob.group("Den", &[]).await;
        bob.send(json!({ "conversationId": den, "body": "heck" })).await;
        within("a new line", async { while !following.line().await.contains(&format!("{}: ", bob.id)) {} }).await;
        assert_eq!(terminal.does(&["disable", MODERATION]).await, "jackfield.moderation is off\n");

        // From a file and from elsewhere, and for scripts.
        std::fs::write(terminal.folder.path().join("rules.json"), rule("hold").to_string()).expect("a file");
        terminal.does(&["configure", MODERATION, "rules.json"]).await;
        let said = terminal.types(&["configure", MODERATION, "-", "--json"], &rule("flag").to_string()).await;
        let shown: Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!((said.ok, &shown["configuration"]["rules"][0]["action"], &shown["isOn"]), (true, &json!("flag"), &json!(false)));
        let listed: Value = serde_json::from_str(&terminal.does(&["list", "--json"]).await).expect("JSON");
        assert_eq!((&listed[2]["id"], &listed[2]["exceptions"][0]["conversationId"]), (&json!(MODERATION), &json!(coffee)));
        assert!(serde_json::from_str::<Value>(&terminal.does(&["logs", MODERATION, "--json"]).await).is_ok_and(|lines| lines[0]["text"].is_string()));
    }

    /// F: P-02
    async fn what_the_api_refuses_the_command_line_says_in_its_words(backend) {
        let world = World::new(backend).await;
        let owner = world.person_with("olga", json!({ "roles": ["owner"] })).await;
        let ann = world.person("ann").await;
        let terminal = terminal(&world, &owner);
        for (arguments, words) in [
            (vec!["enable", "example.nothing"], "NOT_FOUND: "),
            (vec!["enable", "Ä\u{1b}[2J"], "NOT_FOUND: "),
            (vec!["logs", "example.nothing", "--follow"], "the hub has no plugin example.nothing"),
            (vec!["logs", "example.nothing"], "the hub has no plugin example.nothing"),
            (vec!["disable", MODERATION, "--conversation", "conv_1"], "NOT_FOUND: "),
            (vec!["configure", MODERATION, r#"{"rules": 7}"#], "/rules"),
            (vec!["configure", MODERATION, "[]"], "[]: No such file"),
            (vec!["configure", MODERATION, "{"], "the configuration is not JSON"),
            (vec!["list", "--url", "http://127.0.0.1:1"], "the hub cannot be reached"),
            (vec!["list", "--url", "tea"], "tea is not the address of a hub"),
            (vec!["list", "--token", "tea"], "UNAUTHENTICATED: "),
            (vec!["list", "--token", ""], "who asks?"),
        ] {
            let said = terminal.types(&arguments, "").await;
            assert!(!said.ok && said.out.is_empty() && said.complaint.contains(words), "{arguments:?}: {} {}", said.out, said.complaint);
            assert!(!said.complaint.contains('\u{1b}'), "{arguments:?}");
        }
        let said = terminal.types(&["enable", "example.nothing", "--json"], "").await;
        let shown: Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!((said.ok, &shown["errors"][0]["code"]), (false, &json!("NOT_FOUND")));
        let hers = Terminal { token: &ann.token, folder: tempfile::tempdir().expect("a folder"), url: terminal.url.clone() };
        for arguments in [&["list"][..], &["logs", MODERATION], &["enable", MODERATION], &["configure", MODERATION, "{}"]] {
            let said = hers.types(arguments, "").await;
            assert!(!said.ok && said.out.is_empty() && said.complaint.contains("NOT_ALLOWED: "), "{arguments:?}: {}", said.complaint);
        }
        assert!(terminal.does(&["list"]).await.contains("off  Moderation"));
    }

    /// F: P-05, P-06
    async fn operators_install_upgrade_and_remove_from_a_terminal(backend) {
        let world = World::new(backend).await;
        let (otto, ada) = (world.operator().await, world.person_with("ada", json!({ "roles": ["owner"] })).await);
        let (operator, ada) = (terminal(&world, &otto), terminal(&world, &ada));
        let version = |number: &str| guest(|manifest| manifest["version"] = json!(number));
        let file = |name: &str, package: Vec<u8>| std::fs::write(operator.folder.path().join(name), package).expect("a file");
        file("one.wasm", version("1.0.0"));
        file("two.wasm", version("2.0.0"));
        file("bad.wasm", b"words".to_vec());
        assert_eq!(operator.does(&["install", "one.wasm", "--grant", "kv,messages.read"]).await, format!("{GUEST} 1.0.0 is installed\n"));
        assert_eq!(operator.does(&["enable", GUEST]).await, format!("{GUEST} is on\n"));
        assert_eq!(operator.does(&["install", "two.wasm", "--grant-all"]).await, format!("{GUEST} 2.0.0 is installed\n"));
        assert_eq!(operator.does(&["roll-back", GUEST]).await, format!("{GUEST} 1.0.0 is in force\n"));
        let treated = operator.does(&["settings", GUEST, "--priority", "-3", "--on-failure", "before-create=closed",
            "--limits", "memory_bytes=1048576,host_calls=50", "--capabilities", "kv", "--json"]).await;
        let treated: Value = serde_json::from_str(&treated).expect("JSON");
        assert_eq!(treated["grantedCapabilities"], json!(["KV"]));
        operator.does(&["settings", GUEST, "--priority", "usual", "--capabilities", "usual", "--limits", "usual"]).await;
        let on_hub = operator.does(&["settings", GUEST, "--on-hub", "--is-default", "true", "--json"]).await;
        assert_eq!(serde_json::from_str::<Value>(&on_hub).expect("JSON")["isDefault"], json!(true));
        let set = operator.types(&["secret", "set", GUEST, "key"], "Jefe\n").await;
        assert!(set.ok && set.out == format!("{GUEST} has its secret\n"), "{}", set.complaint);
        assert_eq!(operator.does(&["secret", "remove", GUEST, "key"]).await, format!("{GUEST} has it no more\n"));
        assert_eq!(operator.does(&["dead-letters", "list", GUEST]).await, "");
        // As many as come, page after page.
        let letter = |number: i32| {
            let id = uuid::Uuid::from_u128(number as u128).simple().to_string();
            let id = if backend == Backend::Embedded { format!("X'{id}'") } else { format!("'{id}'") };
            format!("({id}, (SELECT workspace_id FROM plugin_workspaces WHERE plugin_id = '{GUEST}' LIMIT 1), '{GUEST}', {number}, 'it is broken', 1, 0)")
        };
        let letters: Vec<String> = (1..=230).map(letter).collect();
        let columns = "id, workspace_id, plugin_id, position, problem, attempts, created_at";
        world.db_execute(&format!("INSERT INTO plugin_dead_letters ({columns}) VALUES {}", letters.join(", "))).await;
        assert_eq!(operator.does(&["dead-letters", "list", GUEST]).await.lines().count(), 230);
        assert_eq!(operator.does(&["disable", GUEST, "--on-hub"]).await, format!("{GUEST} is off for the hub\n"));
        assert_eq!(operator.does(&["remove", GUEST, "--kept", "delete"]).await, format!("{GUEST} is removed\n"));
        assert!(!operator.does(&["list"]).await.contains(GUEST));

        std::fs::copy(operator.folder.path().join("one.wasm"), ada.folder.path().join("one.wasm")).expect("a copy");
        for (who, arguments, words) in [
            (&operator, vec!["install", "bad.wasm"], "this is no WebAssembly"),
            (&operator, vec!["install", "none.wasm"], "none.wasm"),
            (&operator, vec!["install", "one.wasm", "--grant", "everything"], "must be PluginCapability"),
            (&operator, vec!["roll-back", GUEST], "NOT_FOUND"),
            (&operator, vec!["remove", GUEST], "--kept"),
            (&operator, vec!["settings", GUEST, "--priority", "high"], "--priority is a number, or usual"),
            (&operator, vec!["settings", GUEST, "--limits", "a_ä=1"], "aÄ"),
            (&ada, vec!["install", "one.wasm"], "NOT_ALLOWED"),
            (&ada, vec!["upgrade", "approve", GUEST], "NOT_ALLOWED"),
        ] {
            let said = who.types(&arguments, "").await;
            assert!(!said.ok && said.complaint.contains(words), "{arguments:?}: {}", said.complaint);
        }
    }

    /// F: P-12, P-13
    async fn an_author_saves_a_file_and_the_hub_runs_what_stands_in_it(backend) {
        let world = World::new(backend).await;
        let (otto, ann) = (world.operator().await, world.person("ann").await);
        let tea = ann.group("Tea", &[]).await;
        let operator = terminal(&world, &otto);
        let folder = tempfile::tempdir().expect("a folder");
        // Each back end has a crate of its own in the folder that they build in.
        let name = format!("tea-{}", format!("{backend:?}").to_lowercase());
        assert!(plugin(folder.path(), &[], &["new", &name], "").await.ok);
        let (folder, id) = (folder.path().join(&name), format!("example.{name}"));
        let source = folder.join("src/lib.rs");
        let save = |text: &str| std::fs::write(&source, text).expect("it is saved");
        let says = async |body: &str| {
            let sent = ann.send(json!({ "conversationId": tea, "body": body })).await;
            sent["errors"][0]["message"].as_str().map(str::to_owned)
        };

        let mut working = Working::begin(&operator, &folder);
        working.says(&format!("{id} 1.0.0 is in force")).await;
        working.says("it is new, and now on in the workspace").await;
        operator.does(&["configure", &id, r#"{"words": ["darn"]}"#]).await;
        assert_eq!(says("darn").await.as_deref(), Some("«darn» is not said here."));

        // A small change is there soon.
        let now = std::fs::read_to_string(&source).expect("the source");
        let louder = now.replace("is not said here.", "is never said here.").replace("let text =", "log::info(\"asked\");\n        let text =");
        let began = std::time::Instant::now();
        save(&louder);
        let line = working.says(&format!("{id} 1.0.0 is in force")).await;
        eprintln!("{:.1} s from the save to: {line}", began.elapsed().as_secs_f64());
        assert_eq!(says("darn").await.as_deref(), Some("«darn» is never said here."));
        let logged = within("a line of the log", working.log.next_line()).await.expect("UTF-8").expect("a line");
        assert!(logged.ends_with(" INFO  asked"), "{logged}");

        // What does not compile, or is no plugin, changes nothing.
        save(&louder.replace("let text =", "let text: u8 ="));
        working.says("mismatched types").await;
        working.says("does not compile, see above; the one from before goes on").await;
        assert_eq!(says("darn").await.as_deref(), Some("«darn» is never said here."));
        let manifest = std::fs::read_to_string(folder.join("plugin.toml")).expect("the manifest");
        save(&louder);
        working.says("nothing of the plugin is different").await;
        std::fs::write(folder.join("plugin.toml"), manifest.replace("moderate", "shout")).expect("it is saved");
        working.says("unknown variant `shout`").await;
        std::fs::write(folder.join("plugin.toml"), manifest.replace("1.0.0", "1.1.0")).expect("it is saved");
        working.says(&format!("{id} 1.1.0 is in force")).await;
        let last = working.interrupt().await;
        assert!(last.contains(&format!("`jackfield plugin remove {id} --kept delete`")), "{last}");
        assert_eq!(says("darn").await.as_deref(), Some("«darn» is never said here."), "it stays");

        // Where it is known, nothing is switched. Others than operators are told so before anything is compiled.
        operator.does(&["disable", &id]).await;
        let mut again = Working::begin(&operator, &folder);
        again.says(&format!("it is off in the workspace; `jackfield plugin enable {id}`")).await;
        again.interrupt().await;
        let owner = world.person_with("olga", json!({ "roles": ["owner"] })).await;
        let said = terminal(&world, &owner).types(&["dev", folder.to_str().expect("text")], "").await;
        assert!(!said.ok && said.complaint.contains("this is for operators of the hub"), "{}", said.complaint);
        let said = operator.types(&["dev", "nowhere"], "").await;
        assert!(!said.ok && said.complaint.contains("nowhere has no Cargo.toml"), "{}", said.complaint);
    }
}
