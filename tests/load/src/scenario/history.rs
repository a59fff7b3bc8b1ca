//! Pages of 50 messages: the newest one, walking back, and by many clients at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use memchr::memmem;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Filling, Scene};
use crate::{
    Result,
    accounts::Account,
    hub::Hub,
    latencies::Latencies,
    measure::measure,
    options::{HistoryOptions, Options},
    report::Report,
    rooms::Room,
    sender::Sender,
    stage::Stage,
    wire::{http::HttpConnection, number_at, shown},
};

const PAGE: u64 = 50;
const SEQUENCE: &[u8] = b"\"sequence\":";
const START: &[u8] = b"\"startCursor\":\"";
/// So many places of the history are asked for in turn: enough that no cache of pages explains the figure.
const MOST_PLACES: usize = 2_000;

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
    report.figure("bytes_per_page", page.bytes.load(Ordering::Relaxed) as f64);
    Ok(())
}

/// What is asked, and what was seen of it.
struct Page {
    room: String,
    query: String,
    bytes: AtomicU64,
}

impl Page {
    fn new(room: &Room, selection: &str) -> Arc<Self> {
        let query = format!(
            "query History($id: ID!, $before: String) {{ conversation(id: $id) {{ \
             messages(last: {PAGE}, before: $before) {{ pageInfo {{ startCursor hasPreviousPage }} \
             nodes {{ {selection} }} }} }} }}"
        );
        Arc::new(Page { room: room.id.clone(), query, bytes: AtomicU64::new(0) })
    }

    fn request(&self, before: Option<&str>) -> Vec<u8> {
        json!({ "query": self.query, "variables": { "id": self.room, "before": before } }).to_string().into_bytes()
    }
}

struct Reader {
    connection: HttpConnection,
    page: Arc<Page>,
}

impl Reader {
    async fn open(account: &Account, page: &Arc<Page>) -> Result<Self> {
        let connection = HttpConnection::open(account.address, Some(&account.token)).await?;
        Ok(Reader { connection, page: page.clone() })
    }

    async fn newest(&mut self, window: Duration) -> Result<Latencies> {
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
    async fn walk_back(&mut self, window: Duration) -> Result<(Latencies, Vec<Vec<u8>>)> {
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
    async fn jump(&mut self, stage: &Stage, places: &[Vec<u8>], first: usize) -> Result<Latencies> {
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
