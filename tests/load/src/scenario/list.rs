//! The list of one's conversations with what is new in each and its last message, and what is new in all of them: alone
//! and by many clients at once.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use memchr::memmem;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Filling, WORKSPACE};
use crate::{
    Result,
    accounts::{self, Account},
    hub::Hub,
    latencies::Latencies,
    measure::measure,
    options::{ListOptions, Options},
    report::Report,
    rooms::Room,
    sender::Sender,
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
    let fewest = list.conversations as u64 * (BEHIND + 1);
    if list.conversations < PAGE || list.messages.iter().any(|messages| *messages < fewest) {
        return Err(format!("a page has {PAGE} conversations, with more than {BEHIND} messages each").into());
    }
    let people = People {
        readers: accounts::provision(hub, WORKSPACE, "reader", list.clients.max(2)).await?,
        away: accounts::provision(hub, WORKSPACE, "away", 1).await?.remove(0),
        talker: accounts::provision(hub, WORKSPACE, "talker", 1).await?.remove(0),
    };
    let mut rooms = Vec::with_capacity(list.conversations);
    let members: Vec<_> = people.readers[1..].iter().chain([&people.away, &people.talker]).cloned().collect();
    for _ in 0..list.conversations {
        rooms.push(Room::create(&people.readers[0], &members).await?);
    }
    let senders = people.readers.iter().chain([&people.talker]);
    let senders = senders.map(|account| Sender { account: account.clone(), rooms: rooms.clone() });
    let mut filling = Filling::new(senders.collect(), options);
    let mut steps = Vec::new();
    for messages in &list.messages {
        let mut step = Report::new("list");
        filling.up_to(*messages, &mut step).await?;
        read(hub, options, &people, &rooms, &mut step).await?;
        steps.push((*messages, step));
    }
    report.growth(steps);
    filling.sent.verify(&rooms, &mut report).await?;
    Ok(report)
}

/// Everybody takes part in everything.
struct People {
    /// They talk, and have read all but the last few messages of each conversation.
    readers: Vec<Arc<Account>>,
    /// Has said nothing and read nothing: all that there is, is new.
    away: Arc<Account>,
    /// Has read nothing, and talks all the same, as programs do.
    talker: Arc<Account>,
}

/// The figures of the conversations as they are now.
async fn read(hub: &Hub, options: &Options, people: &People, rooms: &[Arc<Room>], report: &mut Report) -> Result<()> {
    let began = Instant::now();
    for account in &people.readers {
        read_most(account, rooms).await?;
    }
    let marks = people.readers.len() * rooms.len();
    report.figure("milliseconds_per_mark", began.elapsed().as_secs_f64() * 1_000.0 / marks as f64);

    let (page, counts) = (Request::page(), Request::counts());
    let alone = [
        ("list_page", &people.readers[0], &page),
        ("list_page_with_news", &people.readers[0], &Request::page_with_news()),
        ("unread_counts", &people.readers[0], &counts),
        ("list_page_of_who_was_away", &people.away, &page),
        ("unread_counts_of_who_was_away", &people.away, &counts),
        ("unread_counts_of_who_only_talks", &people.talker, &counts),
    ];
    let each = options.window() / alone.len() as u32;
    for (name, account, request) in alone {
        let mut reader = Reader::open(account).await?;
        report.latencies(name, reader.again_and_again(request, each).await?);
    }

    let stage = Arc::new(Stage::new(u64::MAX));
    let mut clients = JoinSet::new();
    for account in &people.readers {
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
    Ok(())
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
        Self::list("")
    }

    fn page_with_news() -> Self {
        Self::list(", filter: { hasUnread: true }")
    }

    /// All that a list shows of a conversation.
    fn list(filter: &str) -> Self {
        let query = format!(
            "query List {{ conversations(first: {PAGE}{filter}) {{ pageInfo {{ endCursor hasNextPage }} nodes {{ \
             id type title status lastActivityAt lastSequence messageCount memberCount unreadCount \
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
