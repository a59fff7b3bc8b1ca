//! `jackfield plugin test`: runs a component for a test that speaks to it line by line, in the words that the SDK's `harness.rs`
//! describes. Whoever starts this is no less a stranger than the plugin: what is not understood ends it in words.

use std::{
    io::{BufRead, Read},
    path::Path,
    sync::Arc,
};

use async_trait::async_trait;
use jackfield_plugin_host::{
    Answer, Measures, Unavailable,
    json::{Counterpart, Question, ask},
};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};

use super::{super::say_line, load, read};

/// A page of large values, each of its bytes a number in JSON, is about half of this.
const LINE_MAX_BYTES: u64 = 64 << 20;

pub(super) async fn run(package: &Path) -> Result<(), String> {
    let loaded = async {
        let package = read(package)?;
        load(&package).await
    };
    let (host, module) = loaded.await.inspect_err(|why| say_line(&json!({ "failed": why }).to_string()))?;
    let manifest = module.manifest();
    say_line(&json!({ "ready": { "id": manifest.id, "version": manifest.version } }).to_string());
    let test = Arc::new(Test { state: Mutex::new(State { lines: lines(), number: 0, owed: 0, fault: None }) });
    loop {
        let question = match test.question().await {
            Ok(Some(question)) => question,
            Ok(None) => return Ok(()),
            Err(why) => return Err(give_up(&why)),
        };
        let answered = ask(&host, &module, question, test.clone()).await;
        if let Some(why) = test.state.lock().await.fault.take() {
            return Err(give_up(&why));
        }
        let (measures, log) = (measured(&answered.measures), answered.log_in_json());
        let word = match answered.answer {
            Ok(answer) => json!({ "done": answer, "measures": measures, "log": log }),
            Err(why) => json!({ "failed": why, "measures": measures, "log": log }),
        };
        say_line(&word.to_string());
    }
}

/// The last word to whoever does not keep to what was agreed.
fn give_up(why: &str) -> String {
    say_line(&json!({ "failed": why }).to_string());
    why.to_owned()
}

fn measured(measures: &Measures) -> Value {
    json!({
        "cpu_microseconds": measures.cpu.as_micros() as u64,
        "wall_microseconds": measures.wall.as_micros() as u64,
        "memory_bytes": measures.memory_peak_bytes,
        "host_calls": measures.host_calls,
    })
}

/// The test at the other end.
struct Test {
    state: Mutex<State>,
}

struct State {
    lines: mpsc::Receiver<Result<Vec<u8>, String>>,
    number: u64,
    /// So many answers are still to come to what nobody waits for any more: the plugin's time was over.
    owed: u64,
    /// What makes no sense is told once the plugin has been stopped.
    fault: Option<String>,
}

/// Reads on a thread of its own, so that nobody who stops waiting for a line loses part of it.
fn lines() -> mpsc::Receiver<Result<Vec<u8>, String>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut line = Vec::new();
            let word = match input.by_ref().take(LINE_MAX_BYTES).read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) if line.last() == Some(&b'\n') => Ok(line),
                Ok(read) if read as u64 == LINE_MAX_BYTES => Err(format!("it is longer than {LINE_MAX_BYTES} bytes")),
                Ok(_) => Err("it has no end".to_owned()),
                Err(error) => Err(format!("it cannot be read: {error}")),
            };
            let is_last = word.is_err();
            if sender.blocking_send(word).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

impl State {
    /// The next line, which is a JSON object; none when there are no more.
    async fn hear(&mut self) -> Result<Option<Value>, String> {
        let Some(line) = self.lines.recv().await else { return Ok(None) };
        self.number += 1;
        let fault = |why: String| format!("line {} from the test: {why}", self.number);
        let word: Value =
            serde_json::from_slice(&line.map_err(fault)?).map_err(|error| fault(format!("it is not JSON: {error}")))?;
        if word.is_object() { Ok(Some(word)) } else { Err(fault("it is not a JSON object".to_owned())) }
    }

    fn not(&self, expected: &str) -> String {
        format!("line {} from the test: {expected} was expected, see `harness.rs` of the SDK", self.number)
    }
}

fn answer_in(word: &mut Value) -> Option<Value> {
    word.get_mut("answer").map(Value::take)
}

impl Test {
    /// What it asks next; none when it asks no more.
    async fn question(&self) -> Result<Option<Question>, String> {
        let mut state = self.state.lock().await;
        loop {
            let Some(mut word) = state.hear().await? else { return Ok(None) };
            if answer_in(&mut word).is_some() {
                state.owed = state.owed.checked_sub(1).ok_or_else(|| state.not("a question ({\"ask\": …})"))?;
                continue;
            }
            let question = serde_json::from_value(word);
            return question.map(Some).map_err(|error| {
                let expected = "a question ({\"ask\": …, \"with\": […], \"now\": …})";
                format!("{} ({error})", state.not(expected))
            });
        }
    }
}

#[async_trait]
impl Counterpart for Test {
    async fn call(&self, name: &str, with: Value) -> Answer<Value> {
        let mut state = self.state.lock().await;
        say_line(&json!({ "call": name, "with": with }).to_string());
        state.owed += 1;
        let heard = state.hear().await;
        state.owed -= 1;
        let why = match heard {
            Ok(Some(mut word)) => match answer_in(&mut word) {
                Some(answer) => return Ok(answer),
                None => state.not("an answer ({\"answer\": …})"),
            },
            Ok(None) => "the test has ended in the middle of a call".to_owned(),
            Err(why) => why,
        };
        state.fault = Some(why.clone());
        Err(Unavailable(why))
    }
}
