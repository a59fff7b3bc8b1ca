//! Those who send: lanes, each a line of messages of which so many are under way.

mod sent;
mod words;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use memchr::memmem;
use tokio::{task::JoinSet, time::timeout};

use self::words::Words;
pub use self::{sent::Sent, words::STAMP};
use crate::{
    Result,
    accounts::Account,
    options::{Options, Transport},
    rooms::Room,
    stage::Stage,
    wire::{ANSWER_LIMIT, http::HttpConnection, number_after, number_at, shown, websocket::WebSocket},
};

/// A lane that was refused so often has nothing more to say.
const MOST_REFUSALS: u64 = 100;
const SEQUENCE: &[u8] = b"\"sequence\":";

/// One sender and where it sends.
#[derive(Clone)]
pub struct Sender {
    pub account: Arc<Account>,
    /// The messages go to them in turn.
    pub rooms: Vec<Arc<Room>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Manner {
    pub transport: Transport,
    pub in_flight: usize,
    /// Messages a second, all senders together.
    pub rate: Option<f64>,
    pub body_bytes: usize,
    /// What a lane's first message is numbered: those before are taken by an earlier part of the run.
    pub first_number: u64,
}

impl Manner {
    pub fn new(options: &Options) -> Self {
        Manner { transport: Transport::Http, in_flight: 1, rate: None, body_bytes: options.body_bytes, first_number: 0 }
    }
}

/// When the messages of a lane are due, where a rate is asked for.
#[derive(Debug, Clone, Copy)]
struct Pace {
    first: Duration,
    every: Duration,
}

struct Lane {
    address: SocketAddr,
    sender: Sender,
    in_flight: usize,
    pace: Option<Pace>,
    words: Words,
    stage: Arc<Stage>,
    sent: Sent,
    last: Vec<u64>,
}

/// All lanes, connected and on their way.
pub struct Senders(JoinSet<Sent>);

/// Sets the senders to work; they go on until the stage is over.
pub fn start(senders: &[Sender], manner: Manner, stage: &Arc<Stage>) -> Senders {
    // Over HTTP, what is under way at once needs connections of its own.
    let (lanes_each, in_flight) = match manner.transport {
        Transport::Http => (manner.in_flight.max(1), 1),
        Transport::Ws => (1, manner.in_flight.max(1)),
    };
    let lanes = senders.len() * lanes_each;
    let mut set = JoinSet::new();
    for number in 0..lanes {
        let sender = senders[number % senders.len()].clone();
        let pace = manner.rate.map(|rate| Pace {
            first: Duration::from_secs_f64(number as f64 / rate),
            every: Duration::from_secs_f64(lanes as f64 / rate),
        });
        let lane = Lane {
            address: sender.account.address,
            words: Words::new(number, manner.first_number, manner.body_bytes),
            in_flight,
            pace,
            stage: stage.clone(),
            sent: Sent::default(),
            last: vec![0; sender.rooms.len()],
            sender,
        };
        set.spawn(async move {
            match manner.transport {
                Transport::Http => lane.over_http().await,
                Transport::Ws => lane.over_websocket().await,
            }
        });
    }
    Senders(set)
}

impl Senders {
    /// What all of them sent, once they have finished.
    pub async fn finish(mut self) -> Sent {
        let mut all = Sent::default();
        while let Some(lane) = self.0.join_next().await {
            match lane {
                Ok(sent) => all.merge(sent),
                Err(error) => all.lost_answer(&error.to_string()),
            }
        }
        all
    }
}

impl Lane {
    /// One message after the other.
    async fn over_http(mut self) -> Sent {
        if let Err(error) = self.converse_over_http().await {
            self.sent.lost_answer(&error.to_string());
        }
        self.sent
    }

    async fn converse_over_http(&mut self) -> Result<()> {
        let mut connection = HttpConnection::open(self.address, Some(&self.sender.account.token)).await?;
        let began = Instant::now();
        let mut body = Vec::new();
        for number in 0.. {
            if let Some(Pace { first, every }) = self.pace {
                tokio::time::sleep_until((began + first + every.saturating_mul(number)).into()).await;
            }
            if self.sent.refused >= MOST_REFUSALS || !self.stage.begin_message() {
                return Ok(());
            }
            let room = number as usize % self.sender.rooms.len();
            let sent_at = Instant::now();
            body.clear();
            self.words.write(&mut body, &self.sender.rooms[room].id, self.stage.nanoseconds(sent_at));
            let (_, answer) = connection.post(&body).await?;
            self.judge(room, sent_at, answer);
        }
        Ok(())
    }

    async fn over_websocket(mut self) -> Sent {
        if let Err(error) = self.converse_over_websocket().await {
            self.sent.lost_answer(&error.to_string());
        }
        self.sent
    }

    /// So many under way on one socket, each an operation of its own.
    async fn converse_over_websocket(&mut self) -> Result<()> {
        let mut socket = WebSocket::open(self.address, &self.sender.account.token).await?;
        let mut under_way: Vec<UnderWay> = Vec::new();
        let mut text = Vec::new();
        let mut number = 0;
        loop {
            while under_way.len() < self.in_flight && self.sent.refused < MOST_REFUSALS && self.stage.begin_message() {
                let room = number as usize % self.sender.rooms.len();
                let sent_at = Instant::now();
                text.clear();
                text.extend_from_slice(format!(r#"{{"id":"op{number}","type":"subscribe","payload":"#).as_bytes());
                self.words.write(&mut text, &self.sender.rooms[room].id, self.stage.nanoseconds(sent_at));
                text.push(b'}');
                socket.say(&text);
                under_way.push(UnderWay { number, room, sent_at, is_answered: false });
                number += 1;
            }
            if under_way.is_empty() {
                return Ok(());
            }
            let next = timeout(ANSWER_LIMIT, socket.next_text()).await.map_err(|_| "an answer took too long")?;
            let range = next.inspect_err(|_| self.sent.unanswered += under_way.len() as u64 - 1)?;
            let text = socket.text(&range);
            // An id of a message begins otherwise, so the order of the keys does not matter.
            let Some(index) = number_after(text, b"\"id\":\"op")
                .and_then(|number| under_way.iter().position(|operation| operation.number == number))
            else {
                return Err(format!("not asked for: {}", shown(text)).into());
            };
            if memmem::find(text, b"\"type\":\"complete\"").is_some() {
                let UnderWay { is_answered, .. } = under_way.swap_remove(index);
                if !is_answered {
                    self.sent.lost_answer("an operation that ended without an answer");
                }
                continue;
            }
            let UnderWay { room, sent_at, .. } = under_way[index];
            under_way[index].is_answered = true;
            // An error ends its operation; nothing else follows it.
            if memmem::find(text, b"\"type\":\"error\"").is_some() {
                under_way.swap_remove(index);
            }
            self.judge(room, sent_at, text);
        }
    }

    /// A message that is stored has a sequence number; everything else is a refusal.
    fn judge(&mut self, room: usize, sent_at: Instant, answer: &[u8]) {
        let Some(found) = memmem::find(answer, SEQUENCE) else { return self.sent.refuse(answer) };
        let Some(sequence) = number_at(answer, found + SEQUENCE.len()) else { return self.sent.refuse(answer) };
        self.stage.acknowledged.fetch_add(1, Ordering::Relaxed);
        if self.stage.is_measured() {
            self.sent.latencies.record(sent_at.elapsed());
        }
        // With several under way, the hub may take them in any order.
        if self.in_flight == 1 && sequence <= self.last[room] {
            self.sent.backwards += 1;
        }
        self.last[room] = sequence;
        self.sent.acknowledge(&self.sender.rooms[room].id, sequence);
    }
}

#[derive(Debug)]
struct UnderWay {
    number: u64,
    room: usize,
    sent_at: Instant,
    is_answered: bool,
}
