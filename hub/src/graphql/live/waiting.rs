//! What waits for one member of a group until its transport takes it: so many answers, so many bytes, and no more.
//!
//! Whoever is too slow for that loses what waits at once, and comes back with a cursor: kept for somebody who does not
//! read, it would be room that nobody gets back for as long as their connection lasts.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::{Notify, mpsc};

use super::{group::Delivery, payload::Room};

/// What may wait for one member. The rest of the room is for others.
const MOST_BYTES: usize = 4 * 1_024 * 1_024;
/// A line that was longer than this is made anew when it is empty: mostly nothing waits.
const KEPT: usize = 64;

/// A line to a member, empty.
pub fn line(id: u64, most: usize, room: &Arc<Room>, left: &mpsc::UnboundedSender<u64>) -> (Sink, Deliveries) {
    let waiting = Arc::new(Waiting { line: Mutex::default(), changed: Notify::new() });
    let sink = Sink { waiting: waiting.clone(), most, room: room.clone() };
    (sink, Deliveries { waiting, id, left: left.clone() })
}

struct Waiting {
    line: Mutex<Line>,
    changed: Notify,
}

#[derive(Default)]
struct Line {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    /// Nothing more is put in.
    ended: bool,
}

impl Waiting {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().expect("nothing panics while it holds this lock")
    }
}

/// Where a group puts what is for a member.
pub struct Sink {
    waiting: Arc<Waiting>,
    most: usize,
    room: Arc<Room>,
}

impl Sink {
    /// Puts it in line; false if the member is gone, or too slow for there to be room.
    pub fn push(&self, delivery: Delivery) -> bool {
        let mut line = self.waiting.line();
        let (bytes, count) = (line.bytes + delivery.bytes(), line.deliveries.len());
        // A single one always has room, however long it is.
        let too_slow = count >= self.most || (count > 0 && (bytes > MOST_BYTES || self.room.is_full()));
        if too_slow {
            *line = Line { ended: true, ..Line::default() };
        }
        if line.ended {
            return false;
        }
        line.bytes = bytes;
        line.deliveries.push_back(delivery);
        drop(line);
        self.waiting.changed.notify_one();
        true
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.waiting.line().ended = true;
        self.waiting.changed.notify_one();
    }
}

/// Where a member takes it from. Its group hears of it when this is dropped.
pub struct Deliveries {
    waiting: Arc<Waiting>,
    id: u64,
    left: mpsc::UnboundedSender<u64>,
}

impl Deliveries {
    /// The next one; none if the member was sent away.
    pub async fn recv(&mut self) -> Option<Delivery> {
        loop {
            {
                let mut line = self.waiting.line();
                if let Some(delivery) = line.deliveries.pop_front() {
                    line.bytes -= delivery.bytes();
                    if line.deliveries.is_empty() && line.deliveries.capacity() > KEPT {
                        line.deliveries = VecDeque::new();
                    }
                    return Some(delivery);
                }
                if line.ended {
                    return None;
                }
            }
            self.waiting.changed.notified().await;
        }
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        let mut line = self.waiting.line();
        line.ended = true;
        drop(mem::take(&mut line.deliveries));
        drop(line);
        // A group that is no more need not hear of it.
        let _ = self.left.send(self.id);
    }
}
