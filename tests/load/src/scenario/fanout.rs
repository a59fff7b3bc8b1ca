//! One conversation, many senders, many live listeners.

use std::sync::Arc;

use super::{Scene, note_rate};
use crate::{
    Result,
    hub::Hub,
    listeners::{self, Listeners},
    measure::{WholeRun, measure},
    options::{FanoutOptions, Options},
    report::Report,
    sender::{self, Manner},
    stage::Stage,
};

pub async fn run(hub: &Hub, options: &Options, fanout: &FanoutOptions) -> Result<Report> {
    let mut report = Report::new("fanout");
    let Scene { room, senders, others } = Scene::set(hub, fanout.senders, fanout.listeners).await?;
    let stage = Arc::new(Stage::new(options.most_messages));
    let listeners = listeners::open(&others, &room, &stage, 16).await?;
    let listeners = Listeners::start(listeners, &room, &stage);
    // A rate of nothing is no rate.
    let rate = fanout.rate.filter(|rate| *rate > 0.0);
    let manner = Manner { rate, in_flight: fanout.in_flight, ..Manner::new(options) };
    let whole_run = WholeRun::begin(hub);
    let at_work = sender::start(&senders, manner, &stage);
    let measured = measure(hub, &stage, options.warm_up(), options.window()).await;
    let mut sent = at_work.finish().await;
    measured.tell(&mut report);
    measured.note_backlog(fanout.listeners, &mut report);
    if let Some(rate) = rate {
        note_rate(&mut report, rate, measured.messages_per_second());
    }
    report.latencies("ack", std::mem::take(&mut sent.latencies));
    listeners.finish(room.last_sequence().await?, &mut report).await?;
    whole_run.tell(hub, sent.acknowledged(), &mut report);
    sent.verify(&[room], &mut report).await?;
    Ok(report)
}
