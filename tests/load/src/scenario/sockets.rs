//! Very many sockets: what one costs in memory, and how late messages come to all of them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Scene, note_rate};
use crate::{
    Result,
    hub::Hub,
    listeners::{self, Listeners},
    measure::{WholeRun, measure, megabytes},
    options::{Options, SocketsOptions},
    report::Report,
    sender::{self, Manner},
    stage::Stage,
};

/// So many sockets are being opened at a time.
const AT_ONCE: usize = 64;
/// How long the hub is left alone before its memory is read.
const REST: Duration = Duration::from_secs(2);

pub async fn run(hub: &Hub, options: &Options, sockets: &SocketsOptions) -> Result<Report> {
    let mut report = Report::new("sockets");
    let Scene { room, senders, others } = Scene::set(hub, sockets.senders, sockets.count).await?;
    let stage = Arc::new(Stage::new(options.most_messages));
    // Read when the users are known and their room is made, so that only the sockets are counted.
    tokio::time::sleep(REST).await;
    let before = hub.rss_bytes();
    let began = Instant::now();
    let listeners = listeners::open(&others, &room, &stage, AT_ONCE).await?;
    report.figure("open_seconds", began.elapsed().as_secs_f64());
    let listeners = Listeners::start(listeners, &room, &stage);
    tokio::time::sleep(REST).await;
    let with_sockets = hub.rss_bytes();
    report.figure("memory_before_rss_megabytes", megabytes(before));
    report.figure("memory_with_sockets_rss_megabytes", megabytes(with_sockets));
    let kilobytes = with_sockets.saturating_sub(before) as f64 / 1e3;
    report.figure("memory_rss_kilobytes_per_socket", kilobytes / sockets.count.max(1) as f64);

    if sockets.rate > 0.0 {
        let manner = Manner { rate: Some(sockets.rate), ..Manner::new(options) };
        let whole_run = WholeRun::begin(hub);
        let at_work = sender::start(&senders, manner, &stage);
        let measured = measure(hub, &stage, options.warm_up(), options.window()).await;
        let mut sent = at_work.finish().await;
        measured.tell(&mut report);
        measured.note_backlog(sockets.count, &mut report);
        note_rate(&mut report, sockets.rate, measured.messages_per_second());
        report.latencies("ack", std::mem::take(&mut sent.latencies));
        listeners.finish(room.last_sequence().await?, &mut report).await?;
        whole_run.tell(hub, sent.acknowledged(), &mut report);
        sent.verify(&[room], &mut report).await?;
    } else {
        // Long enough, if asked for, that the hub pings and misses nobody.
        let measured = measure(hub, &stage, Duration::ZERO, options.window()).await;
        report.figure("server_busy_cores", measured.server_cpu_seconds / measured.seconds);
        report.figure("memory_peak_pss_megabytes", megabytes(measured.peak_pss_bytes));
        listeners.finish(room.last_sequence().await?, &mut report).await?;
    }
    Ok(report)
}
