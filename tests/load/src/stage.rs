//! What everybody in a run shares: which part of it is on, and how much was done.

use std::{
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
    time::Instant,
};

use tokio::sync::Notify;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    WarmUp,
    /// What happens now goes into the figures.
    Measured,
    /// Nobody begins anything; what was begun is finished.
    Over,
}

#[derive(Debug)]
pub struct Stage {
    /// Times of sending are written into the messages as nanoseconds since then.
    pub origin: Instant,
    phase: AtomicU8,
    /// What was sent between these two belongs to the figures, however late it is delivered.
    measured_from: AtomicU64,
    measured_until: AtomicU64,
    begun: AtomicU64,
    most_messages: u64,
    exhausted: Notify,
    pub acknowledged: AtomicU64,
    pub delivered: AtomicU64,
}

impl Stage {
    pub fn new(most_messages: u64) -> Self {
        Stage {
            origin: Instant::now(),
            phase: AtomicU8::new(Phase::WarmUp as u8),
            measured_from: AtomicU64::new(u64::MAX),
            measured_until: AtomicU64::new(u64::MAX),
            begun: AtomicU64::new(0),
            most_messages,
            exhausted: Notify::new(),
            acknowledged: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
        }
    }

    pub fn enter(&self, phase: Phase) {
        let now = self.nanoseconds(Instant::now());
        match phase {
            Phase::WarmUp => {}
            Phase::Measured => self.measured_from.store(now, Ordering::Relaxed),
            Phase::Over => self.measured_until.store(now, Ordering::Relaxed),
        }
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    pub fn is_measured(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == Phase::Measured as u8
    }

    /// Whether a message of this time belongs to the figures. Going by when it came would leave out the late ones.
    pub fn was_measured(&self, sent_nanoseconds: u64) -> bool {
        (self.measured_from.load(Ordering::Relaxed)..self.measured_until.load(Ordering::Relaxed))
            .contains(&sent_nanoseconds)
    }

    pub fn is_over(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == Phase::Over as u8
    }

    /// Whether one more message may be sent; it counts from now on.
    pub fn begin_message(&self) -> bool {
        if self.is_over() {
            return false;
        }
        let before = self.begun.fetch_add(1, Ordering::Relaxed);
        if before + 1 >= self.most_messages {
            self.exhausted.notify_one();
        }
        before < self.most_messages
    }

    /// When no more messages may be sent.
    pub async fn exhausted(&self) {
        self.exhausted.notified().await;
    }

    pub fn nanoseconds(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }
}
