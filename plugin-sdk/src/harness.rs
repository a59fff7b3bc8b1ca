//! Runs the component itself, under the limits that it will have in a hub, by driving `jackfield plugin test`.
//!
//! That command runs one component for whoever speaks to it over its standard input and output, in JSON, a line a word:
//!
//! | who | says |
//! |---|---|
//! | harness | `{"ask": "message-hooks.before-create", "with": [DRAFT], "now": MILLISECONDS, "configuration": {}, "denied": [], "secrets": {}, "storage_bytes": 0}` |
//! | hub | `{"call": "users.get", "with": ["usr_…"]}`, whenever it needs something for the plugin, or has something done that the plugin issued |
//! | harness | `{"answer": {"Ok": USER}}` |
//! | hub | `{"done": ANSWER, "measures": MEASURES, "log": [["Info", "…"]]}` |
//! | hub | or `{"failed": "what went wrong, and which limit it was", "measures": MEASURES, "log": []}` |
//!
//! Hooks and capabilities have their names and arguments from the contract. Records are objects, with `_` in their names;
//! what has cases is `"Allow"` or `{"Reject": {…}}`; a result is `{"Ok": …}` or `{"Err": …}`; bytes are a list of numbers.
//! Before anything is asked the hub says `{"ready": {"id": "…", "version": "…"}}`, or `{"failed": "…"}` where it will not
//! have the package. What is called is done on the [`MockHub`], so that a test in WebAssembly and one without say the same.
//!
//! The host around the component is the real one, and in some things stricter than a native test: what an admin left out of the
//! configuration has its default, and what does not fit the schema of `plugin.toml` is refused; a hook that `plugin.toml` does
//! not name is not called; a secret signs with HMAC-SHA256. Only the clock is patient: a plugin that may take 50 ms on it has a
//! second here, since the test has to answer meanwhile. How long it may compute is what it is in a hub.

use std::{
    cell::RefCell,
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    Failure, Result,
    capabilities::types::{Refusal, Slice},
    hooks::{
        Answer, CommandCall, CommandReply, ConversationDraft, ConversationVerdict, DeletionDraft, DeletionVerdict,
        EditDraft, EditVerdict, EventBatch, FieldCall, JoinDraft, JoinVerdict, MessageDraft, MessageVerdict,
        MutationCall, ScheduledRun,
    },
    mock::{MockHub, capability, run, surroundings},
};

/// A component, ready to be asked.
pub struct PluginHarness {
    child: RefCell<Connection>,
}

struct Connection {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// How it went.
#[derive(Debug)]
pub struct Report<R> {
    /// What the plugin answered, or why it could not.
    pub answer: Result<R>,
    /// What it took.
    pub measures: Measures,
}

/// What one call of a hook took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Measures {
    /// Of computing, in millionths of a second.
    pub cpu_microseconds: u64,
    /// On the clock, what the test had to answer included.
    pub wall_microseconds: u64,
    /// The most memory that it had.
    pub memory_bytes: u64,
    /// How often it asked the hub for something.
    pub host_calls: u64,
}

/// What the hub says.
#[derive(Deserialize)]
struct Word {
    ready: Option<Value>,
    call: Option<String>,
    #[serde(default)]
    with: Vec<Value>,
    /// `null` is an answer, too.
    #[serde(default, deserialize_with = "present")]
    done: Option<Value>,
    failed: Option<String>,
    #[serde(default)]
    measures: Measures,
    #[serde(default)]
    log: Vec<Value>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The hub's program: `JACKFIELD`, or the one in the `PATH`.
fn program() -> OsString {
    env::var_os("JACKFIELD").unwrap_or_else(|| "jackfield".into())
}

/// One function for each hook.
macro_rules! hooks {
    ($($(#[$doc:meta])* $name:ident = $hook:literal ($argument:ident: $Argument:ty) -> $Answer:ty;)*) => {
        impl PluginHarness {
            $($(#[$doc])* pub fn $name(&self, hub: &MockHub, $argument: &$Argument) -> Report<$Answer> {
                self.ask(hub, $hook, ($argument,))
            })*
        }
    };
}

hooks! {
    /// Somebody sends a message.
    before_create = "message-hooks.before-create"(draft: MessageDraft) -> MessageVerdict;
    /// Somebody edits their message.
    before_edit = "message-hooks.before-edit"(draft: EditDraft) -> EditVerdict;
    /// A message is to be deleted for everyone.
    before_delete = "message-hooks.before-delete"(draft: DeletionDraft) -> DeletionVerdict;
    /// Somebody is to become a member of a conversation.
    before_join = "membership-hooks.before-join"(draft: JoinDraft) -> JoinVerdict;
    /// Somebody makes a conversation.
    before_conversation_create =
        "membership-hooks.before-conversation-create"(draft: ConversationDraft) -> ConversationVerdict;
    /// Things have happened.
    on_events = "event-hooks.on-events"(batch: EventBatch) -> Result<(), String>;
    /// A server has answered, or will not.
    on_answer = "answer-hooks.on-answer"(heard: Answer) -> Result<(), String>;
    /// Work is due.
    run_schedule = "schedule-hooks.run"(scheduled: ScheduledRun) -> Result<Slice, String>;
    /// Somebody runs a command.
    run_command = "command-hooks.run"(call: CommandCall) -> Result<CommandReply, Refusal>;
    /// Somebody asks for a field that the plugin adds; the values are JSON.
    resolve = "graphql-hooks.resolve"(call: FieldCall) -> Vec<Result<String, String>>;
    /// Somebody does something by a field that the plugin adds; the payload is JSON.
    mutate = "graphql-hooks.mutate"(call: MutationCall) -> Result<String, Refusal>;
}

impl PluginHarness {
    /// Builds the plugin in a folder, usually `env!("CARGO_MANIFEST_DIR")`, as `jackfield plugin build` does, and opens it.
    pub fn build(folder: impl AsRef<Path>) -> Result<Self> {
        // Tests run beside each other, in one process and in several.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = folder.as_ref();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let own = env::temp_dir().join(format!("jackfield-harness-{}-{number}", std::process::id()));
        fs::create_dir(&own)?;
        let harness = Self::build_into(&own.join("plugin.wasm"), folder);
        let _ = fs::remove_dir_all(own);
        harness
    }

    fn build_into(package: &Path, folder: &Path) -> Result<Self> {
        let program = program();
        let status = Command::new(&program).args(["plugin", "build"]).arg(folder).arg("--out").arg(package).status();
        if !status.map_err(|error| not_there(&program, error))?.success() {
            return Err(Failure::new(format!("{} could not be built, see above", folder.display())));
        }
        Self::open(package)
    }

    /// Opens a package.
    pub fn open(package: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(program(), package)
    }

    /// The same with another program in the place of the hub's.
    pub fn open_with(program: impl AsRef<OsStr>, package: impl AsRef<Path>) -> Result<Self> {
        let program = program.as_ref();
        let mut child = Command::new(program)
            .args(["plugin", "test"])
            .arg(package.as_ref())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| not_there(program, error))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (words, answers) = pipes.ok_or_else(|| Failure::new("jackfield was started without pipes"))?;
        let mut child = Connection { child, words, answers: BufReader::new(answers) };
        match child.hear()? {
            Word { ready: Some(_), .. } => Ok(Self { child: child.into() }),
            Word { failed: Some(why), .. } => Err(Failure::new(why)),
            _ => Err(Failure::new("jackfield plugin test says something else than this SDK understands")),
        }
    }

    /// Calls a hook by the name that it has in the contract, with its arguments.
    pub fn ask<A: Serialize, R: DeserializeOwned>(&self, hub: &MockHub, hook: &str, arguments: A) -> Report<R> {
        let mut measures = Measures::default();
        let is_before = hook.starts_with("message-hooks.") || hook.starts_with("membership-hooks.");
        let answer = run(is_before, || self.answer(hub, hook, &arguments, &mut measures));
        Report { answer, measures }
    }

    fn answer<A: Serialize, R: DeserializeOwned>(
        &self,
        hub: &MockHub,
        hook: &str,
        arguments: &A,
        measures: &mut Measures,
    ) -> Result<R> {
        let mut child = self.child.borrow_mut();
        let mut question = surroundings();
        question["ask"] = hook.into();
        question["with"] = serde_json::to_value(arguments)?;
        question["now"] = hub.now().into();
        child.say(&question)?;
        loop {
            let word = child.hear()?;
            if let Some(name) = word.call {
                let answer = capability(&name, word.with)?;
                child.say(&json!({ "answer": answer }))?;
                continue;
            }
            *measures = word.measures;
            for line in word.log {
                capability("log.write", line.as_array().cloned().unwrap_or_default())?;
            }
            return match (word.done, word.failed) {
                (Some(answer), _) => Ok(serde_json::from_value(answer)?),
                (None, Some(why)) => Err(Failure::new(why)),
                (None, None) => {
                    Err(Failure::new("jackfield plugin test says something else than this SDK understands"))
                }
            };
        }
    }
}

impl Connection {
    fn say(&mut self, word: &Value) -> Result<()> {
        writeln!(self.words, "{word}")?;
        Ok(self.words.flush()?)
    }

    fn hear(&mut self) -> Result<Word> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(Failure::new("jackfield plugin test has ended, see above"));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It may have ended already; what counts is that it has.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn not_there(program: &OsStr, error: std::io::Error) -> Failure {
    let program = program.display();
    Failure::new(format!(
        "{program} could not be started ({error}): put the hub's program into the PATH, or its path into JACKFIELD"
    ))
}
