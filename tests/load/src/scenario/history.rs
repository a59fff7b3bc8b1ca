//! Pages of 50 messages: the newest one, walking back, and by many clients at once.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Filling, Scene};
use crate::{
    Result,
    hub::Hub,
    latencies::Latencies,
    measure::measure,
    options::{HistoryOptions, Options},
    pages::{PAGE, Page, Reader},
    report::Report,
    rooms::Room,
    sender::Sender,
    stage::Stage,
};

pub async fn run(hub: &Hub, options: &Options, history: &HistoryOptions) -> Result<Report> {
    let mut report = Report::new("history");
    if history.messages.iter().any(|messages| *messages < PAGE) {
        return Err(format!("a page has {PAGE} messages").into());
    }
    let Scene { room, senders, .. } = Scene::set(hub, history.clients.max(16), 0).await?;
    let mut filling = Filling::new(senders, options);
    let mut steps = Vec::new();
    for messages in &history.messages {
        let mut step = Report::new("history");
        filling.up_to(*messages, &mut step).await?;
        read(hub, options, history, &room, &filling.senders, &mut step).await?;
        steps.push((*messages, step));
    }
    report.growth(steps);
    filling.sent.verify(std::slice::from_ref(&room), &mut report).await?;
    Ok(report)
}

/// The figures of a conversation as it is now.
async fn read(
    hub: &Hub,
    options: &Options,
    history: &HistoryOptions,
    room: &Room,
    senders: &[Sender],
    report: &mut Report,
) -> Result<()> {
    let page = Page::new(room, &history.selection);
    let mut first = Reader::open(&senders[0].account, &page).await?;
    // Half of the time for each of the two that are read alone.
    let each = options.window() / 2;
    report.latencies("newest_page", first.newest(each).await?);
    let (walking, places) = first.walk_back(each).await?;
    report.latencies("walking_page", walking);
    report.figure("places", places.len() as f64);

    let stage = Arc::new(Stage::new(u64::MAX));
    let places = Arc::new(places);
    let mut clients = JoinSet::new();
    for (number, sender) in senders.iter().take(history.clients.max(1)).enumerate() {
        let mut reader = Reader::open(&sender.account, &page).await?;
        let (stage, places) = (stage.clone(), places.clone());
        clients.spawn(async move { reader.jump(&stage, &places, number * 37).await });
    }
    let measured = measure(hub, &stage, options.warm_up(), options.window()).await;
    let mut latencies = Latencies::default();
    while let Some(read) = clients.join_next().await {
        latencies.append(read??);
    }
    // The stage counts what was acknowledged: here, pages.
    let pages = measured.acknowledged as f64;
    report.figure("pages_per_second", pages / measured.seconds);
    report.figure("server_cpu_milliseconds_per_page", measured.server_cpu_seconds * 1_000.0 / pages);
    report.figure("server_busy_cores", measured.server_cpu_seconds / measured.seconds);
    report.figure("client_busy_cores", measured.client_cpu_seconds / measured.seconds);
    report.latencies("page_of_many_clients", latencies);
    report.figure("bytes_per_page", page.bytes() as f64);
    Ok(())
}
