//! The program itself, as somebody would start it.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{Person, within};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_jackfield");

/// A first start compiles the plugins that come with the hub, and a debug build takes its time for that.
const START: Duration = Duration::from_secs(120);

/// A running hub.
pub struct Process {
    child: Child,
    pub url: String,
    /// What it said before it listened.
    pub said: Vec<String>,
}

/// The program with these arguments, on this folder, undisturbed by the environment of the tests.
pub fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("JACKFIELD_")) {
        command.env_remove(name);
    }
    command.arg("--data").arg(data).args(arguments).kill_on_drop(true);
    command
}

/// Runs the program to its end: whether it succeeded, and what it said.
pub async fn run(data: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = within("the end of the program", command(data, arguments).output()).await.expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

impl Process {
    pub async fn start(data: &Path, arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let mut all = vec!["--listen", "127.0.0.1:0"];
        if !arguments.contains(&"--metrics-listen") {
            all.extend(["--metrics-listen", "127.0.0.1:0"]);
        }
        all.extend(arguments);
        let mut command = command(data, &all);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        loop {
            let line = tokio::time::timeout(START, lines.next_line()).await.expect("a line in time");
            let line = line.expect("a line").expect("the program listens");
            if let Some(url) = line.strip_prefix("listening on ") {
                return Process { child, url: url.to_owned(), said };
            }
            said.push(line);
        }
    }

    /// How much of the memory it has.
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that it ever had, or had since this was forgotten.
    pub fn height_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    pub fn forget_height(&self) {
        std::fs::write(self.proc("clear_refs"), "5").expect("the kernel forgets");
    }

    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).expect("the kernel tells");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of that name");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1_024
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id().expect("the program runs"))
    }

    /// Somebody with a token of the hub's own.
    pub async fn somebody(&self, data: &Path, flags: &[&str], name: &str) -> Person {
        self.person(data, flags, name, &[]).await
    }

    pub async fn admin(&self, data: &Path, flags: &[&str], name: &str) -> Person {
        self.person(data, flags, name, &["--role", "admin"]).await
    }

    async fn person(&self, data: &Path, flags: &[&str], name: &str, role: &[&str]) -> Person {
        let mut arguments = flags.to_vec();
        arguments.extend(["token", "--user", name]);
        arguments.extend(role);
        let (ok, token, complaint) = run(data, &arguments).await;
        assert!(ok, "{complaint}");
        Person::at_url(&self.url, name, token.trim()).await
    }

    /// No warning, no last words.
    pub async fn kill(mut self) {
        within("the end of the program", self.child.kill()).await.expect("the program can be killed");
    }

    /// As a service manager would.
    pub async fn terminate(mut self) -> bool {
        let id = self.child.id().expect("the program runs").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await.expect("a signal can be sent");
        assert!(told.success());
        within("the end of the program", self.child.wait()).await.expect("it ends").success()
    }
}

/// How many statements all answers of a hub have taken, which shows its counters to everybody.
pub async fn statements(person: &Person) -> f64 {
    let (_, told) = person.get("/metrics").await;
    let line = told.lines().find_map(|line| line.strip_prefix("jackfield_graphql_statements_sum "));
    line.expect("a sum").parse().expect("a number")
}
