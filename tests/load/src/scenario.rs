//! The rows of the table: each sets its scene, measures, and verifies that nothing was lost.

mod fanout;
mod history;
mod list;
mod page;
mod plugins;
pub mod raw;
mod reconnect;
mod send;
mod sockets;
mod trim;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    Result,
    accounts::{self, Account},
    hub::Hub,
    measure::megabytes,
    options::{Options, Scenario, Transport},
    report::Report,
    rooms::Room,
    sender::{self, Manner, Sender, Sent},
    stage::Stage,
};

const WORKSPACE: &str = "default";

pub async fn run(hub: &mut Hub, options: &Options) -> Result<Report> {
    // What it needs before anybody has come; a moment, so that what starts behind the first answer is counted, too.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = hub.pss_bytes();
    let ready_after = hub.ready_after;
    let mut report = match &options.scenario {
        Scenario::Ack(ack) => send::acknowledgement(hub, options, ack).await,
        Scenario::Send(send) => send::run(hub, options, send).await,
        Scenario::Fanout(fanout) => fanout::run(hub, options, fanout).await,
        Scenario::History(history) => history::run(hub, options, history).await,
        Scenario::Page(page) => page::run(hub, options, page).await,
        Scenario::List(list) => list::run(hub, options, list).await,
        Scenario::Sockets(sockets) => sockets::run(hub, options, sockets).await,
        Scenario::Reconnect(reconnect) => reconnect::run(hub, options, reconnect).await,
        Scenario::Plugins(plugins) => plugins::run(hub, options, plugins).await,
        Scenario::Trim(trim) => trim::run(hub, options, trim).await,
        Scenario::Raw(_) | Scenario::EchoServer => Err("this needs no hub".into()),
    }?;
    report.figure("memory_idle_pss_megabytes", megabytes(idle));
    report.figure("hub_ready_milliseconds", ready_after.as_secs_f64() * 1_000.0);
    Ok(report)
}

/// One conversation with its senders, and others who are members of it.
struct Scene {
    room: Arc<Room>,
    senders: Vec<Sender>,
    others: Vec<Arc<Account>>,
}

impl Scene {
    async fn set(hub: &Hub, senders: usize, others: usize) -> Result<Self> {
        let senders = accounts::provision(hub, WORKSPACE, "sender", senders.max(1)).await?;
        let others = accounts::provision(hub, WORKSPACE, "listener", others).await?;
        let members: Vec<_> = senders.iter().chain(&others).cloned().collect();
        let room = Room::create(&senders[0], &members[1..]).await?;
        let senders = senders.into_iter().map(|account| Sender { account, rooms: vec![room.clone()] }).collect();
        Ok(Scene { room, senders, others })
    }
}

/// Conversations that are filled by and by, as fast as they take it.
struct Filling {
    senders: Vec<Sender>,
    manner: Manner,
    sent: Sent,
}

impl Filling {
    fn new(senders: Vec<Sender>, options: &Options) -> Self {
        let manner = Manner { transport: Transport::Ws, in_flight: 8, ..Manner::new(options) };
        Filling { senders, manner, sent: Sent::default() }
    }

    /// Sends until there are so many messages in all.
    async fn up_to(&mut self, messages: u64, report: &mut Report) -> Result<()> {
        let missing = messages.checked_sub(self.sent.acknowledged()).filter(|missing| *missing > 0);
        let stage = Arc::new(Stage::new(missing.ok_or("each number of messages must be more than the one before")?));
        let manner = Manner { first_number: self.sent.acknowledged(), ..self.manner };
        let began = Instant::now();
        self.sent.merge(sender::start(&self.senders, manner, &stage).finish().await);
        report.figure("fill_seconds", began.elapsed().as_secs_f64());
        Ok(())
    }
}

/// A rate that was not reached makes the latencies those of another question.
fn note_rate(report: &mut Report, asked: f64, reached: f64) {
    report.figure("asked_messages_per_second", asked);
    if reached < asked * 0.97 {
        report.note(format!("the asked rate was NOT reached: {reached:.1} of {asked:.1} messages/s"));
    }
}
