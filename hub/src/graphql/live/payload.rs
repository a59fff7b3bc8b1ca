//! Answers on their way to clients, and the room that they take on this node together.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// An answer as JSON, which many may share: it takes room once, for as long as one of them has it.
#[derive(Clone)]
pub struct Payload(Arc<Text>);

struct Text {
    json: Box<str>,
    /// None for what is written at once.
    room: Option<Arc<Room>>,
}

impl From<String> for Payload {
    fn from(json: String) -> Self {
        Payload(Arc::new(Text { json: json.into(), room: None }))
    }
}

impl Deref for Payload {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0.json
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room.taken.fetch_sub(self.json.len(), Ordering::Relaxed);
        }
    }
}

/// What is rendered and not written yet.
pub struct Room {
    taken: AtomicUsize,
    bytes: usize,
}

impl Room {
    pub fn new(bytes: usize) -> Self {
        Room { taken: AtomicUsize::new(0), bytes }
    }

    pub fn take(self: &Arc<Self>, json: String) -> Payload {
        self.taken.fetch_add(json.len(), Ordering::Relaxed);
        Payload(Arc::new(Text { json: json.into(), room: Some(self.clone()) }))
    }

    /// From here on nothing waits for anybody but what is next.
    pub fn is_full(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.bytes
    }

    /// There is enough for what is only convenient to have.
    pub fn is_ample(&self) -> bool {
        self.taken.load(Ordering::Relaxed) < self.bytes / 2
    }
}
