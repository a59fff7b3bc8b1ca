//! The hub under test: one process, or several that share a database and a bus.

pub mod database;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    time::timeout,
};

use self::database::Database;
use crate::{Result, accounts, options::Options, plugins::Plugins, process, wire::http::HttpConnection};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(20);

pub struct Hub {
    nodes: Vec<Node>,
    program: PathBuf,
    database: Option<String>,
    /// How long the first one took until it listened.
    pub ready_after: Duration,
}

struct Node {
    child: Child,
    /// Read on, so that the hub never waits for somebody to take its words.
    _said: Lines<BufReader<ChildStdout>>,
    address: SocketAddr,
    pid: u32,
    folder: TempDir,
}

/// What was left to be said when the hub had gone.
#[derive(Debug, Default)]
pub struct Stopped {
    pub killed: u64,
    pub warning_lines: Vec<String>,
    pub error_lines: Vec<String>,
}

impl Hub {
    pub async fn start(options: &Options, database: &Database) -> Result<Self> {
        let program = options.hub.clone().ok_or("--hub says which program to measure")?;
        if options.nodes > 1 && (options.database.is_none() || options.bus.is_none()) {
            return Err("more than one node need --database and --bus".into());
        }
        let began = Instant::now();
        let mut hub = Hub { nodes: Vec::new(), program, database: database.url(), ready_after: Duration::ZERO };
        // One after the other: the first one makes the tables.
        for _ in 0..options.nodes.max(1) {
            let node = Node::start(&hub.program, options, hub.database.as_deref()).await?;
            hub.nodes.push(node);
            if hub.nodes.len() == 1 {
                hub.ready_after = began.elapsed();
            }
        }
        if let Some(count) = options.plugins {
            Plugins::of(&hub).await?.set_up(count).await?;
            hub.restart(options).await?;
        }
        hub.prepare(&options.prepare).await?;
        Ok(hub)
    }

    /// Ends all nodes and starts them again with what they have: their addresses are other ones then.
    pub async fn restart(&mut self, options: &Options) -> Result<()> {
        let mut folders = Vec::new();
        for mut node in std::mem::take(&mut self.nodes) {
            if !node.stop().await {
                let log = std::fs::read_to_string(log_path(&node.folder)).unwrap_or_default();
                let last: Vec<&str> = log.lines().rev().take(5).collect();
                return Err(format!(
                    "a hub that was to start anew did not stop by itself; its last lines are {last:#?}"
                )
                .into());
            }
            folders.push(node.folder);
        }
        for folder in folders {
            let began = Instant::now();
            let node = Node::open(&self.program, options, self.database.as_deref(), folder).await?;
            if self.nodes.is_empty() {
                self.ready_after = began.elapsed();
            }
            self.nodes.push(node);
        }
        Ok(())
    }

    /// Its database, for whoever changes something behind its back.
    pub fn database_url(&self) -> String {
        let own = || format!("sqlite://{}", self.nodes[0].folder.path().join("jackfield.db").display());
        self.database.clone().unwrap_or_else(own)
    }

    /// The address of the node for the user of this number.
    pub fn address(&self, number: usize) -> SocketAddr {
        self.nodes[number % self.nodes.len()].address
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    pub fn pids(&self) -> Vec<u32> {
        self.nodes.iter().map(|node| node.pid).collect()
    }

    pub fn cpu_seconds(&self) -> f64 {
        self.nodes.iter().map(|node| process::cpu_seconds(node.pid)).sum()
    }

    pub fn pss_bytes(&self) -> u64 {
        self.nodes.iter().map(|node| process::pss_bytes(node.pid)).sum()
    }

    pub fn rss_bytes(&self) -> u64 {
        self.nodes.iter().map(|node| process::rss_bytes(node.pid)).sum()
    }

    /// Somebody who stands above all workspaces: only the hub itself can vouch for one.
    pub async fn operator(&self) -> Result<HttpConnection> {
        HttpConnection::open(self.address(0), Some(&self.operator_token().await?)).await
    }

    pub async fn operator_token(&self) -> Result<String> {
        let node = &self.nodes[0];
        let mut command = Command::new(&self.program);
        command.arg("--data").arg(node.folder.path()).args(["token", "--user", "load-operator", "--role", "operator"]);
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        let output = timeout(START_LIMIT, command.kill_on_drop(true).output()).await??;
        if !output.status.success() {
            return Err(format!("no token: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    async fn prepare(&self, documents: &[String]) -> Result<()> {
        if documents.is_empty() {
            return Ok(());
        }
        let mut operator = self.operator().await?;
        for document in documents {
            operator.ask(document, json!({})).await?;
        }
        Ok(())
    }

    /// Asks the hub to stop, and looks at what it had to complain about.
    pub async fn stop(self) -> Stopped {
        let mut stopped = Stopped::default();
        for mut node in self.nodes {
            if !node.stop().await {
                stopped.killed += 1;
            }
            let log = std::fs::read_to_string(log_path(&node.folder)).unwrap_or_default();
            let of = |level: &'static str| {
                let has_level = move |line: &&str| line.split_whitespace().take(3).any(|word| word == level);
                log.lines().filter(has_level).map(str::to_owned).collect::<Vec<_>>()
            };
            stopped.warning_lines.extend(of("WARN"));
            stopped.error_lines.extend(of("ERROR"));
        }
        stopped
    }
}

impl Node {
    async fn start(program: &Path, options: &Options, database: Option<&str>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("jackfield-load-").tempdir_in(options.parent_folder())?;
        Node::open(program, options, database, folder).await
    }

    /// Starts it on what is in the folder.
    async fn open(program: &Path, options: &Options, database: Option<&str>, folder: TempDir) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("--data").arg(folder.path());
        command.args(["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
        let passed_on = [("--database", database), ("--bus", options.bus.as_deref())];
        for (flag, value) in passed_on {
            if let Some(value) = value {
                command.args([flag, value]);
            }
        }
        command.env("NO_COLOR", "1");
        command.env("JACKFIELD_IDENTITY__ISSUERS", accounts::issuers());
        command.env("JACKFIELD_POLICY__GROUP_MAX_MEMBERS", "100000");
        for variable in &options.env {
            let (name, value) = variable.split_once('=').ok_or("--env takes NAME=VALUE")?;
            command.env(name, value);
        }
        let log = std::fs::File::options().create(true).append(true).open(log_path(&folder))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let pid = child.id().ok_or("the hub ended at once")?;
        let mut said = BufReader::new(child.stdout.take().ok_or("the hub has no output")?).lines();
        let address = match timeout(START_LIMIT, listening(&mut said)).await {
            Ok(Ok(address)) => address,
            failed => {
                let log = std::fs::read_to_string(log_path(&folder)).unwrap_or_default();
                let why = failed.map_or("it took too long".to_owned(), |said| format!("{said:?}"));
                return Err(format!("the hub did not start: {why}\n{log}").into());
            }
        };
        Ok(Node { child, _said: said, address, pid, folder })
    }

    /// Whether it went by itself.
    async fn stop(&mut self) -> bool {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let went = matches!(timeout(STOP_LIMIT, self.child.wait()).await, Ok(Ok(status)) if status.success());
        if !went {
            let _ = self.child.kill().await;
        }
        went
    }
}

async fn listening(said: &mut Lines<BufReader<ChildStdout>>) -> Result<SocketAddr> {
    while let Some(line) = said.next_line().await? {
        if let Some(address) = line.strip_prefix("listening on http://") {
            return Ok(address.trim().parse()?);
        }
    }
    Err("it ended before it listened".into())
}

/// Beside the hub's own files, so that it goes when they go.
fn log_path(folder: &TempDir) -> PathBuf {
    folder.path().join("load.log")
}
