//! The clock and the maker of ids: the one place where either enters, so that a test can hold both.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use jackfield_domain::Timestamp;
use tokio::sync::watch;
use uuid::{ContextV7, Uuid};

#[derive(Clone)]
pub struct Clock(Kind);

#[derive(Clone)]
enum Kind {
    System,
    Held(Arc<Held>),
}

struct Held {
    now: watch::Sender<Timestamp>,
    /// Keeps the ids of one moment in the order in which they were made, as the machine's clock does.
    ids: Mutex<ContextV7>,
}

impl Clock {
    /// The machine's own.
    pub fn system() -> Self {
        Clock(Kind::System)
    }

    /// One that stands still until [`Clock::advance`] is called.
    pub fn held_at(now: Timestamp) -> Self {
        Clock(Kind::Held(Arc::new(Held { now: watch::Sender::new(now), ids: Mutex::new(ContextV7::new()) })))
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::System => Timestamp(jiff::Timestamp::now().as_millisecond()),
            Kind::Held(held) => *held.now.borrow(),
        }
    }

    /// Only a held clock can be moved; the machine's own goes on as it does.
    pub fn advance(&self, span: Duration) {
        if let Kind::Held(held) = &self.0 {
            held.now.send_modify(|now| *now = *now + span);
        }
    }

    /// Returns once `moment` is reached.
    pub async fn wait_until(&self, moment: Timestamp) {
        match &self.0 {
            // In slices: the machine's clock may be set while we wait.
            Kind::System => loop {
                match moment.since(self.now()) {
                    Duration::ZERO => return,
                    left => tokio::time::sleep(left.min(Duration::from_secs(60))).await,
                }
            },
            Kind::Held(held) => {
                let mut now = held.now.subscribe();
                now.wait_for(|now| *now >= moment).await.expect("the sender lives as long as this clock");
            }
        }
    }

    /// Before all ids that were made so long before this one, or later.
    pub fn earlier_id(id: Uuid, span: Duration) -> Uuid {
        // The first 48 bits are milliseconds.
        let milliseconds = (id.as_u128() >> 80).saturating_sub(span.as_millis());
        Uuid::from_u128(milliseconds << 80)
    }

    /// A new UUIDv7: in the order of time, so that the order of time is the order of an index.
    pub fn new_id(&self) -> Uuid {
        match &self.0 {
            Kind::System => Uuid::now_v7(),
            Kind::Held(held) => {
                let milliseconds = held.now.borrow().0.unsigned_abs();
                let nanoseconds = u32::try_from(milliseconds % 1_000).expect("less than a thousand") * 1_000_000;
                Uuid::new_v7(uuid::Timestamp::from_unix(&held.ids, milliseconds / 1_000, nanoseconds))
            }
        }
    }
}
