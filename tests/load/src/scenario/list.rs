//! The list of one's conversations with what is new in each and its last message, and what is new in all of them: alone
//! and by many clients at once.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use memchr::memmem;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::WORKSPACE;
use crate::{
    Result,
    accounts::{self, Account},
    hub::Hub,
    latencies::Latencies,
    measure::measure,
    options::{ListOptions, Options, Transport},
    report::Report,
    rooms::Room,
    sender::{self, Manner, Sender},
    stage::Stage,
    wire::{http::HttpConnection, shown},
};

const PAGE: usize = 20;
const UNREAD: &[u8] = b"\"unreadCount\":";
const TOTAL: &[u8] = b"\"total\":";
/// Everybody has read all but so many messages of each conversation, as people do: few are far behind everywhere.
const BEHIND: u64 = 10;

const MARK: &str = "mutation($input: ConversationMarkReadInput!) { conversationMarkRead(input: $input) {
    errors { code message } } }";

pub async fn run(hub: &Hub, options: &Options, list: &ListOptions) -> Result<Report> {
    let mut report = Report::new("list");
    if list.conversations < PAGE || list.messages < list.conversations as u64 * (BEHIND + 1) {
        return Err(format!("a page has {PAGE} conversations, with more than {BEHIND} messages each").into());
    }
    let accounts = accounts::provision(hub, WORKSPACE, "reader", list.clients.max(2)).await?;
    let mut rooms = Vec::with_capacity(list.conversations);
    for _ in 0..list.conversations {
        rooms.push(Room::create(&accounts[0], &accounts[1..]).await?);
    }
    let began = Instant::now();
    let stage = Arc::new(Stage::new(list.messages));
    let manner = Manner { transport: Transport::Ws, in_flight: 8, ..Manner::new(options) };
    let senders: Vec<Sender> =
        accounts.iter().map(|account| Sender { account: account.clone(), rooms: rooms.clone() }).collect();
    let sent = sender::start(&senders, manner, &stage).finish().await;
    report.figure("fill_seconds", began.elapsed().as_secs_f64());
    sent.verify(&rooms, &mut report).await?;
    let began = Instant::now();
    for account in &accounts {
        read_most(account, &rooms).await?;
    }
    let marks = accounts.len() * rooms.len();
    report.figure("milliseconds_per_mark", began.elapsed().as_secs_f64() * 1_000.0 / marks as f64);

    let (page, counts) = (Request::page(), Request::counts());
    // Half of the time for each of the two that are asked for alone.
    let each = options.window() / 2;
    for (name, request) in [("list_page", &page), ("unread_counts", &counts)] {
        let mut reader = Reader::open(&accounts[0]).await?;
        report.latencies(name, reader.again_and_again(request, each).await?);
    }

    let stage = Arc::new(Stage::new(u64::MAX));
    let mut clients = JoinSet::new();
    for account in &accounts {
        let mut reader = Reader::open(account).await?;
        let (stage, page, counts) = (stage.clone(), Request::page(), Request::counts());
        clients.spawn(async move { reader.until_over(&stage, [&page, &counts]).await });
    }
    let measured = measure(hub, &stage, options.warm_up(), options.window()).await;
    let mut latencies = Latencies::default();
    while let Some(read) = clients.join_next().await {
        latencies.append(read??);
    }
    // The stage counts what was acknowledged: here, answers, every other one of which is a page.
    let answers = measured.acknowledged as f64;
    report.figure("answers_per_second", answers / measured.seconds);
    report.figure("server_cpu_milliseconds_per_answer", measured.server_cpu_seconds * 1_000.0 / answers);
    report.figure("server_busy_cores", measured.server_cpu_seconds / measured.seconds);
    report.figure("client_busy_cores", measured.client_cpu_seconds / measured.seconds);
    report.latencies("answer_of_many_clients", latencies);
    Ok(report)
}

/// Marks each conversation as read, but for its last few messages.
async fn read_most(account: &Account, rooms: &[Arc<Room>]) -> Result<()> {
    let mut connection = HttpConnection::open(account.address, Some(&account.token)).await?;
    for room in rooms {
        let up_to = room.last_sequence().await?.saturating_sub(BEHIND);
        connection.ask(MARK, json!({ "input": { "conversationId": room.id, "upTo": up_to } })).await?;
    }
    Ok(())
}

/// What is asked, and what shows that it was answered.
struct Request {
    body: Vec<u8>,
    sign: &'static [u8],
    count: usize,
}

impl Request {
    fn page() -> Self {
        let query = format!(
            "query List {{ conversations(first: {PAGE}) {{ pageInfo {{ endCursor hasNextPage }} nodes {{ id title status \
             lastActivityAt lastSequence memberCount unreadCount \
             lastMessage {{ id sequence body createdAt sender {{ id name }} }} }} }} }}"
        );
        Request { body: body(&query), sign: UNREAD, count: PAGE }
    }

    fn counts() -> Self {
        let query = format!(
            "query Unread {{ unreadCounts {{ total conversationCount conversations(first: {PAGE}) {{ \
             count conversation {{ id }} }} }} }}"
        );
        Request { body: body(&query), sign: TOTAL, count: 1 }
    }
}

fn body(query: &str) -> Vec<u8> {
    json!({ "query": query, "variables": Value::Null }).to_string().into_bytes()
}

struct Reader {
    connection: HttpConnection,
}

impl Reader {
    async fn open(account: &Account) -> Result<Self> {
        Ok(Reader { connection: HttpConnection::open(account.address, Some(&account.token)).await? })
    }

    async fn again_and_again(&mut self, request: &Request, window: Duration) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        let began = Instant::now();
        while began.elapsed() < window {
            let asked_at = Instant::now();
            self.read(request).await?;
            latencies.record(asked_at.elapsed());
        }
        Ok(latencies)
    }

    /// One after the other, until the stage is over.
    async fn until_over(&mut self, stage: &Stage, requests: [&Request; 2]) -> Result<Latencies> {
        let mut latencies = Latencies::default();
        for request in requests.iter().cycle() {
            if stage.is_over() {
                break;
            }
            let asked_at = Instant::now();
            self.read(request).await?;
            stage.acknowledged.fetch_add(1, Ordering::Relaxed);
            if stage.is_measured() {
                latencies.record(asked_at.elapsed());
            }
        }
        Ok(latencies)
    }

    /// Asks, and looks whether all of it was answered.
    async fn read(&mut self, request: &Request) -> Result<()> {
        let (status, answer) = self.connection.post(&request.body).await?;
        let found = memmem::find_iter(answer, request.sign).count();
        if status != 200 || found != request.count {
            return Err(format!("no such answer: {status} {}", shown(answer)).into());
        }
        Ok(())
    }
}
