//! Compiling, out of harm's way: a component can be made so that the compiler takes an hour or all the memory. So it is
//! done by a child process, the hub's own program run again, which has nothing but the component, and only so much of
//! everything.

use std::{
    ffi::OsString,
    io::{self, Read, Write},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::Command,
    sync::Semaphore,
    time::timeout,
};

use crate::{
    engine::{Allocation, config},
    package::PACKAGE_MAX_BYTES,
};

/// Compiling takes so long at most: whoever installs a plugin waits for it, and hears how it ended before the hub lets go of their
/// request.
const TIME: Duration = Duration::from_secs(25);
/// A compiled module has at most so many bytes.
const COMPILED_MAX_BYTES: u64 = 512 << 20;
/// What the child says went wrong is read up to here.
const COMPLAINT_MAX_BYTES: u64 = 4 << 10;

/// How to start the child, and what it may take.
#[derive(Debug)]
pub struct Compiler {
    program: PathBuf,
    arguments: Vec<OsString>,
    time: Duration,
    memory_bytes: u64,
    /// Compiling takes a processor and much memory: one after the other.
    turn: Semaphore,
}

/// Why a component was not compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    #[error(
        "compiling the plugin took longer than {0:?} or more memory than it may; make the plugin smaller and simpler"
    )]
    TooMuch(Duration),
    #[error("the plugin cannot be compiled: {0}")]
    Invalid(String),
    #[error("the program that compiles plugins cannot be run: {0}")]
    NoChild(String),
}

impl Compiler {
    /// `program` with `arguments` is to call [`child_main`].
    pub fn new(program: PathBuf, arguments: Vec<OsString>) -> Self {
        Compiler { program, arguments, time: TIME, memory_bytes: 2 << 30, turn: Semaphore::new(1) }
    }

    /// The same with other limits.
    #[must_use]
    pub fn within(self, time: Duration, memory_bytes: u64) -> Self {
        Compiler { time, memory_bytes, ..self }
    }

    pub(crate) async fn compile(&self, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let _turn = self.turn.acquire().await.expect("it is never closed");
        match timeout(self.time, self.run_child(component)).await {
            Ok(compiled) => compiled,
            Err(_) => Err(CompileError::TooMuch(self.time)),
        }
    }

    async fn run_child(&self, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        let no_child = |error: io::Error| CompileError::NoChild(error.to_string());
        // Nothing of the hub's environment is the child's business, least of all what is secret in it.
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("JACKFIELD_COMPILE_SECONDS", self.time.as_secs().max(1).to_string())
            .env("JACKFIELD_COMPILE_BYTES", self.memory_bytes.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(no_child)?;
        let mut input = child.stdin.take().expect("it was asked for");
        let output = child.stdout.take().expect("it was asked for");
        let complaints = child.stderr.take().expect("it was asked for");
        let (mut compiled, mut complaint) = (Vec::new(), Vec::new());
        let give = async move {
            // A child that ends early says why, or not; that it does not listen is no news.
            let _ = input.write_all(component).await;
            drop(input);
        };
        let mut output = output.take(COMPILED_MAX_BYTES);
        let mut complaints = complaints.take(COMPLAINT_MAX_BYTES);
        let ((), compiled_ok, _) =
            tokio::join!(give, output.read_to_end(&mut compiled), complaints.read_to_end(&mut complaint));
        compiled_ok.map_err(no_child)?;
        let status = child.wait().await.map_err(no_child)?;
        if status.success() {
            return Ok(compiled);
        }
        match status.code() {
            Some(INVALID) => Err(CompileError::Invalid(String::from_utf8_lossy(&complaint).trim().to_owned())),
            // A signal: its limits, mostly. So are an allocation that fails and a panic over it.
            None | Some(TOO_MUCH | 101) => Err(CompileError::TooMuch(self.time)),
            Some(code) => {
                let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
                Err(CompileError::NoChild(format!("it ended with {code}: {complaint}")))
            }
        }
    }
}

/// What the child ends with where the component is to blame.
const INVALID: i32 = 3;
/// What it ends with where it notices itself that it has not enough of something.
const TOO_MUCH: i32 = 5;

/// All that the child does: it reads a component, compiles it and writes what came of it. Answers what to end with.
pub fn child_main(input: impl Read, mut output: impl Write) -> i32 {
    let complain = |what: String| {
        let _ = writeln!(io::stderr(), "{what}");
    };
    if let Err(error) = confine() {
        complain(format!("the limits cannot be set: {error}"));
        return 4;
    }
    let mut component = Vec::new();
    if let Err(error) = input.take(PACKAGE_MAX_BYTES as u64 + 1).read_to_end(&mut component) {
        complain(format!("the component cannot be read: {error}"));
        return if error.kind() == io::ErrorKind::OutOfMemory { TOO_MUCH } else { 4 };
    }
    let engine = match wasmtime::Engine::new(&config(Allocation::OnDemand)) {
        Ok(engine) => engine,
        Err(error) => {
            complain(format!("{error:#}"));
            return 4;
        }
    };
    match engine.precompile_component(&component) {
        Ok(compiled) => match output.write_all(&compiled).and_then(|()| output.flush()) {
            Ok(()) => 0,
            Err(_) => 4,
        },
        Err(error) => {
            complain(format!("{error:#}"));
            INVALID
        }
    }
}

/// From here on the process may take only so much. It sets this itself, before it sees what it is to compile.
fn confine() -> io::Result<()> {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let at_most = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    if let Some(seconds) = number("JACKFIELD_COMPILE_SECONDS") {
        setrlimit(Resource::Cpu, at_most(seconds))?;
    }
    if let Some(bytes) = number("JACKFIELD_COMPILE_BYTES") {
        setrlimit(Resource::As, at_most(bytes))?;
    }
    // It needs no file, and what it held in memory is not to be left in one.
    setrlimit(Resource::Fsize, at_most(0))?;
    setrlimit(Resource::Core, at_most(0))?;
    Ok(())
}
