//! One page of 50 messages, as people write them: with what plugins add to it, beside the same page without.
//!
//! Most messages mention somebody, and every fifth is a poll that all have voted in. What leads out of the hub is not
//! there: a link has no preview, and the plugin that would show it is asked all the same.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Duration, Instant, sleep},
};

use super::Scene;
use crate::{
    Result,
    hub::Hub,
    latencies::Latencies,
    measure::measure,
    options::{Options, PageOptions},
    pages::{PAGE, Page, Reader},
    report::{Report, median},
    rooms::Room,
    sender::Sender,
    stage::Stage,
    wire::http::HttpConnection,
};

/// What every client asks for.
const PLAIN: &str = "id sequence body createdAt sender { id name }";
/// What people have said is told to plugins soon.
const PATIENCE: Duration = Duration::from_secs(20);

pub async fn run(hub: &Hub, options: &Options, how: &PageOptions) -> Result<Report> {
    let mut report = Report::new("page");
    let Scene { room, senders, .. } = Scene::set(hub, how.clients.max(2), 0).await?;
    fill(&room, &senders).await?;
    let pages = [("plain", PLAIN.to_owned()), ("with_plugins", format!("{PLAIN} {}", how.fields))];
    let pages = pages.map(|(name, selection)| (name, Page::new(&room, &selection)));
    let mut seen = pages.each_ref().map(|_| Vec::new());
    for _ in 0..how.rounds.max(1) {
        for ((_, page), seen) in pages.iter().zip(&mut seen) {
            seen.push(Seen::of(hub, options, page, &senders).await?);
        }
    }
    for ((name, page), seen) in pages.iter().zip(&mut seen) {
        report.figure(format!("{name}_bytes_per_page"), page.bytes() as f64);
        let of = |what: fn(&Seen) -> f64| median(seen.iter().map(what));
        report.figure(format!("{name}_pages_per_second"), of(|seen| seen.pages_per_second));
        report.figure(format!("{name}_server_cpu_milliseconds_per_page"), of(|seen| seen.cpu_milliseconds));
        report.figure(format!("{name}_p50_milliseconds"), of(|seen| seen.p50_milliseconds));
    }
    let [plain, with] = &seen;
    let times = |what: fn(&Seen) -> f64| median(with.iter().zip(plain).map(|(with, plain)| what(with) / what(plain)));
    report.figure("with_plugins_server_cpu_times_that_without", times(|seen| seen.cpu_milliseconds));
    report.figure("with_plugins_p50_times_that_without", times(|seen| seen.p50_milliseconds));
    Ok(report)
}

/// What was seen of a page in one round.
struct Seen {
    pages_per_second: f64,
    cpu_milliseconds: f64,
    p50_milliseconds: f64,
}

impl Seen {
    /// Read by one alone, and then by all at once.
    async fn of(hub: &Hub, options: &Options, page: &Arc<Page>, senders: &[Sender]) -> Result<Self> {
        let mut alone = Reader::open(&senders[0].account, page).await?;
        let alone = alone.newest(options.window() / 2).await?.percentiles().ok_or("not one page was read")?;
        let stage = Arc::new(Stage::new(u64::MAX));
        let places = Arc::new(vec![page.request(None)]);
        let mut clients: JoinSet<Result<Latencies>> = JoinSet::new();
        for sender in senders {
            let mut reader = Reader::open(&sender.account, page).await?;
            let (stage, places) = (stage.clone(), places.clone());
            clients.spawn(async move { reader.jump(&stage, &places, 0).await });
        }
        let measured = measure(hub, &stage, options.warm_up(), options.window()).await;
        while let Some(read) = clients.join_next().await {
            read??;
        }
        let pages = measured.acknowledged as f64;
        Ok(Seen {
            pages_per_second: pages / measured.seconds,
            cpu_milliseconds: measured.server_cpu_seconds * 1_000.0 / pages,
            p50_milliseconds: alone.p50_milliseconds,
        })
    }
}

/// Says what the page will show, and waits until plugins have done with it.
async fn fill(room: &Room, senders: &[Sender]) -> Result<()> {
    let mut speakers = Vec::new();
    for sender in senders {
        speakers.push(HttpConnection::open(sender.account.address, Some(&sender.account.token)).await?);
    }
    let say = "mutation($input: MessageSendInput!) { messageSend(input: $input) { errors { code message } } }";
    for number in 0..PAGE as usize {
        let speaker = number % speakers.len();
        if number % 5 == 0 {
            let poll = ask_all(room, &mut speakers[speaker]).await?;
            for (voter, connection) in speakers.iter_mut().enumerate() {
                let vote = "mutation($input: PollVoteInput!) { pollVote(input: $input) { errors { code message } } }";
                let input = json!({ "messageId": poll, "optionIds": [voter % 4] });
                connection.ask(vote, json!({ "input": input })).await?;
            }
        } else {
            let meant = (speaker + 1) % senders.len();
            let body = format!("@sender-{meant} have you seen https://example.org/{number} by now?");
            speakers[speaker].ask(say, json!({ "input": { "conversationId": room.id, "body": body } })).await?;
        }
    }
    let query = "query($id: ID!) { conversation(id: $id) { messages(last: 1) { nodes { body mentions { id } } } } }";
    let until = Instant::now() + PATIENCE;
    loop {
        let found = speakers[0].ask(query, json!({ "id": room.id })).await?;
        let last = &found["data"]["conversation"]["messages"]["nodes"][0];
        if last["mentions"] != json!([]) {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(format!("nobody is mentioned by {last}; is that plugin on?").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Asks something of everybody; answers the message.
async fn ask_all(room: &Room, speaker: &mut HttpConnection) -> Result<Value> {
    let query = "mutation($input: PollCreateInput!) {
        pollCreate(input: $input) { poll { message { id } } errors { code message } } }";
    let options = ["Monday", "Tuesday", "Wednesday", "Thursday"];
    let input = json!({ "conversationId": room.id, "question": "When do we meet?", "options": options });
    let mut answer = speaker.ask(query, json!({ "input": input })).await?;
    match answer["data"]["pollCreate"]["poll"]["message"]["id"].take() {
        Value::Null => Err(format!("no poll: {answer}").into()),
        id => Ok(id),
    }
}
