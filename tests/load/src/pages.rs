//! Pages of 50 messages, as somebody reads them who has the conversation open.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use memchr::memmem;
use serde_json::json;

use crate::{
    Result,
    accounts::Account,
    latencies::Latencies,
    rooms::Room,
    stage::Stage,
    wire::{http::HttpConnection, number_at, shown},
};

pub const PAGE: u64 = 50;
const SEQUENCE: &[u8] = b"\"sequence\":";
const START: &[u8] = b"\"startCursor\":\"";
/// So many places of the history are asked for in turn: enough that no cache of pages explains the figure.
const MOST_PLACES: usize = 2_000;

/// What is asked, and what was seen of it.
pub struct Page {
    room: String,
    query: String,
    bytes: AtomicU64,
}

impl Page {
    pub fn new(room: &Room, selection: &str) -> Arc<Self> {
        let query = format!(
            "query History($id: ID!, $before: String) {{ conversation(id: $id) {{ \
             messages(last: {PAGE}, before: $before) {{ pageInfo {{ startCursor hasPreviousPage }} \
             nodes {{ {selection} }} }} }} }}"
        );
        Arc::new(Page { room: room.id.clone(), query, bytes: AtomicU64::new(0) })
    }

    /// How long the last answer was.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn request(&self, before: Option<&str>) -> Vec<u8> {
        json!({ "query": self.query, "variables": { "id": self.room, "before": before } }).to_string().into_bytes()
    }
}

pub struct Reader {
    connection: HttpConnection,
    page: Arc<Page>,
}

impl Reader {
    pub async fn open(account: &Account, page: &Arc<Page>) -> Result<Self> {
        let connection = HttpConnection::open(account.address, Some(&account.token)).await?;
        Ok(Reader { connection, page: page.clone() })
    }

    pub async fn newest(&mut self, window: Duration) -> Result<Latencies> {
        let request = self.page.request(None);
        let mut latencies = Latencies::default();
        let began = Instant::now();
        while began.elapsed() < window {
            let asked_at = Instant::now();
            self.read(&request).await?;
            latencies.record(asked_at.elapsed());
        }
        Ok(latencies)
    }

    /// From the newest page towards the oldest, and once more where there is time; returns the places it came by.
    pub async fn walk_back(&mut self, window: Duration) -> Result<(Latencies, Vec<Vec<u8>>)> {
        let mut latencies = Latencies::default();
        let mut places = Vec::new();
        let mut request = self.page.request(None);
        let began = Instant::now();
        while began.elapsed() < window {
            let asked_at = Instant::now();
            let turned = self.read(&request).await?;
            latencies.record(asked_at.elapsed());
            // The last page of a history that is no multiple of 50 is short, and is not asked for.
            let before = turned.first_sequence > PAGE;
            request = self.page.request(before.then_some(turned.start_cursor.as_str()));
            if before && places.len() < MOST_PLACES && !places.contains(&request) {
                places.push(request.clone());
            }
        }
        if places.is_empty() {
            places.push(self.page.request(None));
        }
        Ok((latencies, places))
    }

    /// From place to place, until the stage is over.
    pub async fn jump(&mut self, stage: &Stage, places: &[Vec<u8>], first: usize) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        for number in first.. {
            if stage.is_over() {
                break;
            }
            let asked_at = Instant::now();
            // Strides, so that neighbours in time are not neighbours in the table.
            self.read(&places[number.wrapping_mul(7_919) % places.len()]).await?;
            stage.acknowledged.fetch_add(1, Ordering::Relaxed);
            if stage.is_measured() {
                latencies.record(asked_at.elapsed());
            }
        }
        Ok(latencies)
    }

    /// Reads a page and looks whether it is one: 50 messages, neighbours in the sequence.
    async fn read(&mut self, request: &[u8]) -> Result<Turned> {
        let (status, answer) = self.connection.post(request).await?;
        let count = memmem::find_iter(answer, SEQUENCE).count() as u64;
        let first = memmem::find(answer, SEQUENCE).and_then(|at| number_at(answer, at + SEQUENCE.len()));
        let last = memmem::rfind(answer, SEQUENCE).and_then(|at| number_at(answer, at + SEQUENCE.len()));
        let (Some(first), Some(last)) = (first, last) else {
            return Err(format!("no page: {status} {}", shown(answer)).into());
        };
        if count != PAGE || first + PAGE - 1 != last {
            return Err(format!("a page of {count} messages, from {first} to {last}").into());
        }
        self.page.bytes.store(answer.len() as u64, Ordering::Relaxed);
        let start = memmem::find(answer, START).map(|at| &answer[at + START.len()..]).unwrap_or_default();
        let cursor = start.split(|byte| *byte == b'"').next().unwrap_or_default();
        Ok(Turned { first_sequence: first, start_cursor: String::from_utf8(cursor.to_vec())? })
    }
}

struct Turned {
    first_sequence: u64,
    start_cursor: String,
}
