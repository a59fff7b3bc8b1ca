//! Everybody's connection breaks at once, and everybody comes back at once, having missed something.

use std::{sync::Arc, time::Instant};

use tokio::task::JoinSet;

use super::Scene;
use crate::{
    Result,
    hub::Hub,
    latencies::Latencies,
    listener::{Heard, Listener},
    listeners::{self, Listeners},
    options::{Options, ReconnectOptions},
    report::Report,
    sender::{self, Manner},
    stage::Stage,
};

pub async fn run(hub: &Hub, options: &Options, reconnect: &ReconnectOptions) -> Result<Report> {
    let mut report = Report::new("reconnect");
    let Scene { room, senders, others } = Scene::set(hub, 16, reconnect.count).await?;
    let stage = Arc::new(Stage::new(reconnect.missed));
    let mut cursors = Vec::with_capacity(others.len());
    // To drop a listener is to drop its connection, without a word of farewell.
    for listener in listeners::open(&others, &room, &stage, 64).await? {
        cursors.push(listener.heard.cursor);
    }
    let sent = sender::start(&senders, Manner::new(options), &stage).finish().await;
    let last_sequence = room.last_sequence().await?;

    let cpu_before = hub.cpu_seconds();
    let began = Instant::now();
    let mut returning = JoinSet::new();
    for (account, cursor) in others.iter().zip(cursors) {
        let (account, stage, from) = (account.clone(), stage.clone(), Heard::from(&cursor, room.before));
        returning.spawn(async move { (Listener::open(&account, from, &stage).await, began.elapsed()) });
    }
    let mut latencies = Latencies::default();
    let mut listeners = Vec::new();
    let (mut refused, mut complaint) = (0, None);
    while let Some(returned) = returning.join_next().await {
        match returned? {
            (Ok(listener), took) => {
                latencies.record(took);
                listeners.push(listener);
            }
            (Err(error), _) => {
                refused += 1;
                complaint.get_or_insert_with(|| error.to_string());
            }
        }
    }
    let caught_up_after = began.elapsed();
    report.figure("all_caught_up_seconds", caught_up_after.as_secs_f64());
    report.figure("server_cpu_seconds", hub.cpu_seconds() - cpu_before);
    report.latencies("caught_up", latencies);
    report.fault("listeners could not come back", refused, complaint);
    // What was missed came before CaughtUp, or it did not come: nobody waits for it any more.
    let caught_up = listeners.iter().filter(|listener| listener.heard.has_heard(last_sequence)).count();
    let behind = listeners.len() - caught_up;
    report.fault("listeners were told CaughtUp before they had everything", behind as u64, None);
    Listeners::start(listeners, &room, &stage).finish(last_sequence, &mut report).await?;
    sent.verify(&[room], &mut report).await?;
    Ok(report)
}
