//! Measures a hub from outside: starts it, talks to it over loopback as clients do, and says how fast it was.
//!
//! What was lost, doubled, refused or out of order is counted, and makes the exit status 1: a fast hub that is wrong is
//! of no use. What the figures mean, and what they are compared with, stands in `README.md`.

mod accounts;
#[path = "../../../hub/plugin-host/tests/host/guests.rs"]
#[expect(dead_code, reason = "the tests of the plugin host use more of it")]
mod guests;
mod hub;
mod latencies;
mod listener;
mod listeners;
mod measure;
mod options;
mod packages;
mod pages;
mod plugins;
mod process;
mod report;
mod rooms;
mod scenario;
mod sender;
mod stage;
mod wire;

use std::{error::Error, process::ExitCode, time::Duration};

use clap::Parser;

use self::{
    hub::{Hub, database::Database},
    options::{Options, Scenario},
    report::Report,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let options = Options::parse();
    process::raise_file_limit();
    let threads = options.threads;
    // One thread has no work to hand from core to core, and leaves the other core to the hub.
    let runtime = match threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    };
    let runtime = runtime.expect("a process that cannot start threads cannot do anything");
    match runtime.block_on(run(&options)) {
        Ok(report) => {
            report.print(options.json);
            if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("jackfield-load: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<Report> {
    match &options.scenario {
        Scenario::EchoServer => return scenario::raw::serve_echo().await,
        Scenario::Raw(raw) => return within_limits(options, scenario::raw::run(options, raw)).await,
        _ => {}
    }
    // Outside of what can be cut short, so that it is dropped in any case.
    let database = Database::prepare(options.database.as_deref()).await?;
    let done = within_limits(options, measured(options, &database)).await;
    let dropped = database.remove().await;
    let report = done?;
    dropped?;
    Ok(report)
}

/// Nothing lasts longer than it was given, and a ctrl-C cleans up as the end does.
async fn within_limits(options: &Options, work: impl Future<Output = Result<Report>>) -> Result<Report> {
    let limit = Duration::from_secs(options.limit_seconds);
    tokio::select! {
        done = tokio::time::timeout(limit, work) => {
            done.map_err(|_| format!("this took longer than {} s", options.limit_seconds))?
        }
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    }
}

async fn measured(options: &Options, database: &Database) -> Result<Report> {
    let mut hub = Hub::start(options, database).await?;
    let done = scenario::run(&mut hub, options).await;
    let stopped = hub.stop().await;
    let mut report = done.map_err(|error| {
        let lines = stopped.error_lines.iter().chain(&stopped.warning_lines).take(5);
        lines.fold(error.to_string(), |told, line| format!("{told}\n  the hub said: {line}"))
    })?;
    report.note(database.durability());
    report.fault("hubs that did not stop by themselves", stopped.killed, None);
    report.fault("log lines of level ERROR", stopped.error_lines.len() as u64, stopped.error_lines.first().cloned());
    report.figure("hub_log_warnings", stopped.warning_lines.len() as f64);
    for line in stopped.warning_lines.iter().take(3) {
        report.note(format!("the hub warned: {line}"));
    }
    Ok(report)
}
