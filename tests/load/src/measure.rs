//! The window in which figures are taken: the same counters are read at its two ends, so that they fit each other.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crate::{
    hub::Hub,
    process::{self, PeakMemory},
    report::Report,
    stage::{Phase, Stage},
};

#[derive(Debug)]
pub struct Measured {
    pub seconds: f64,
    pub acknowledged: u64,
    pub delivered: u64,
    pub server_cpu_seconds: f64,
    pub client_cpu_seconds: f64,
    pub peak_pss_bytes: u64,
}

/// From the first message to the last delivery. Where senders outrun their listeners, the window sees work that is
/// put off and not work that is done; here, all of it is counted.
pub struct WholeRun {
    began: Instant,
    server_cpu_seconds: f64,
}

impl WholeRun {
    pub fn begin(hub: &Hub) -> Self {
        WholeRun { began: Instant::now(), server_cpu_seconds: hub.cpu_seconds() }
    }

    pub fn tell(&self, hub: &Hub, messages: u64, report: &mut Report) {
        let milliseconds = (hub.cpu_seconds() - self.server_cpu_seconds) * 1_000.0;
        report.figure("whole_run_messages_per_second", messages as f64 / self.began.elapsed().as_secs_f64());
        report.figure("whole_run_server_cpu_milliseconds_per_message", milliseconds / messages as f64);
    }
}

struct Reading {
    at: Instant,
    acknowledged: u64,
    delivered: u64,
    server_cpu_seconds: f64,
    client_cpu_seconds: f64,
}

/// Lets the stage warm up, measures, and ends it; also ends it when no more messages may be sent.
pub async fn measure(hub: &Hub, stage: &Stage, warm_up: Duration, window: Duration) -> Measured {
    let memory = PeakMemory::of(hub.pids());
    tokio::time::sleep(warm_up).await;
    stage.enter(Phase::Measured);
    let first = read(hub, stage);
    tokio::select! {
        () = tokio::time::sleep(window) => {}
        () = stage.exhausted() => {}
    }
    let last = read(hub, stage);
    stage.enter(Phase::Over);
    Measured {
        seconds: (last.at - first.at).as_secs_f64(),
        acknowledged: last.acknowledged - first.acknowledged,
        delivered: last.delivered - first.delivered,
        server_cpu_seconds: last.server_cpu_seconds - first.server_cpu_seconds,
        client_cpu_seconds: last.client_cpu_seconds - first.client_cpu_seconds,
        peak_pss_bytes: memory.bytes(),
    }
}

fn read(hub: &Hub, stage: &Stage) -> Reading {
    Reading {
        at: Instant::now(),
        acknowledged: stage.acknowledged.load(Ordering::Relaxed),
        delivered: stage.delivered.load(Ordering::Relaxed),
        server_cpu_seconds: hub.cpu_seconds(),
        client_cpu_seconds: process::cpu_seconds(std::process::id()),
    }
}

impl Measured {
    pub fn messages_per_second(&self) -> f64 {
        self.acknowledged as f64 / self.seconds
    }

    /// Says so if messages were taken in faster than they were given out.
    pub fn note_backlog(&self, listeners: usize, report: &mut Report) {
        let due = self.acknowledged as f64 * listeners as f64;
        if (self.delivered as f64) < due * 0.97 {
            let part = 100.0 * self.delivered as f64 / due;
            report
                .note(format!("deliveries fell behind ({part:.0} % in the window): read the figures of the whole run"));
        }
    }

    pub fn tell(&self, report: &mut Report) {
        report.figure("messages_per_second", self.messages_per_second());
        if self.delivered > 0 {
            report.figure("deliveries_per_second", self.delivered as f64 / self.seconds);
        }
        let milliseconds = self.server_cpu_seconds * 1_000.0;
        report.figure("server_cpu_milliseconds_per_message", milliseconds / self.acknowledged as f64);
        report.figure("server_busy_cores", self.server_cpu_seconds / self.seconds);
        report.figure("client_busy_cores", self.client_cpu_seconds / self.seconds);
        report.figure("memory_peak_pss_megabytes", megabytes(self.peak_pss_bytes));
    }
}

pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
