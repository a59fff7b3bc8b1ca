//! All who listen to one room, and what they have heard together.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
};

use crate::{
    Result,
    accounts::Account,
    latencies::Latencies,
    listener::{Heard, Listener, Until},
    report::Report,
    rooms::Room,
    stage::Stage,
};

/// Listeners get what is left when the senders have finished, unless nobody hears anything for so long.
const SILENCE_LIMIT: Duration = Duration::from_secs(10);

pub struct Listeners {
    set: JoinSet<Heard>,
    until: watch::Sender<Until>,
    stage: Arc<Stage>,
    first_sequence: u64,
    count: usize,
}

/// Opens a socket for each, so many at a time, each caught up before this returns.
pub async fn open(accounts: &[Arc<Account>], room: &Room, stage: &Arc<Stage>, at_once: usize) -> Result<Vec<Listener>> {
    let cursor = room.cursor().await?;
    let places = Arc::new(Semaphore::new(at_once));
    let mut opening = JoinSet::new();
    for account in accounts {
        let (account, stage, places) = (account.clone(), stage.clone(), places.clone());
        let from = Heard::from(&cursor, room.before);
        opening.spawn(async move {
            let _place = places.acquire_owned().await?;
            Listener::open(&account, from, &stage).await
        });
    }
    let mut listeners = Vec::with_capacity(accounts.len());
    while let Some(opened) = opening.join_next().await {
        listeners.push(opened??);
    }
    Ok(listeners)
}

impl Listeners {
    pub fn start(listeners: Vec<Listener>, room: &Room, stage: &Arc<Stage>) -> Self {
        let (until, told) = watch::channel(Until::Told);
        let count = listeners.len();
        let mut set = JoinSet::new();
        for listener in listeners {
            set.spawn(listener.run(stage.clone(), told.clone()));
        }
        Listeners { set, until, stage: stage.clone(), first_sequence: room.before, count }
    }

    /// Waits, for a time, until everybody has heard everything up to this message, and says what they heard.
    pub async fn finish(mut self, last_sequence: u64, report: &mut Report) -> Result<Vec<Heard>> {
        let began = Instant::now();
        self.until.send_replace(Until::Sequence(last_sequence));
        let mut all = Vec::with_capacity(self.count);
        let mut delivered = self.stage.delivered.load(Ordering::Relaxed);
        while tokio::time::timeout(SILENCE_LIMIT, gather(&mut self.set, &mut all)).await.is_err() {
            let now = self.stage.delivered.load(Ordering::Relaxed);
            if now == delivered {
                self.until.send_replace(Until::Now);
            }
            delivered = now;
        }
        report.figure("drain_seconds", began.elapsed().as_secs_f64());
        let expected = last_sequence - self.first_sequence;
        let mut latencies = Latencies::default();
        let (mut lost, mut doubled, mut resyncs, mut returns, mut gone) = (0, 0, 0, 0, 0);
        let mut complaint = None;
        for heard in &mut all {
            latencies.append(std::mem::take(&mut heard.latencies));
            // What was skipped, and what never came at the end.
            lost += heard.skipped + last_sequence.saturating_sub(heard.sequence);
            doubled += heard.doubled;
            resyncs += heard.resyncs;
            returns += heard.returns;
            gone += u64::from(heard.complaint.is_some());
            complaint = complaint.or(heard.complaint.take());
        }
        lost += (self.count - all.len()) as u64 * expected;
        let received: u64 = all.iter().map(|heard| heard.received).sum();
        report.latencies("delivery", latencies);
        report.figure("deliveries_in_all", received as f64);
        report.figure("deliveries_expected", (expected * self.count as u64) as f64);
        report.figure("listeners_sent_away_for_slowness", returns as f64);
        report.fault("deliveries did not come, or not in their turn", lost, complaint.clone());
        report.fault("deliveries came twice or out of order", doubled, None);
        report.fault("listeners were told to begin anew", resyncs, None);
        report.fault("listeners lost their socket", gone, complaint);
        Ok(all)
    }
}

async fn gather(set: &mut JoinSet<Heard>, all: &mut Vec<Heard>) {
    while let Some(heard) = set.join_next().await {
        // One whose task broke is missing from the count of deliveries, and told by that.
        all.extend(heard);
    }
}
