//! Sending while very many old messages are hidden and taken away, beside sending alone, in one run.
//!
//! What is old is made so behind the hub's back, and the time at which it is looked for as well: nobody waits a month.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::json;

use super::{Filling, Scene, WORKSPACE};
use crate::{
    Result, accounts,
    hub::Hub,
    measure::{Measured, measure},
    options::{Options, TrimOptions},
    plugins::Plugins,
    report::Report,
    rooms::Room,
    sender::{self, Manner, Sender, Sent},
    stage::Stage,
};

const RETENTION: &str = "jackfield.retention";
const FORTY_DAYS_MS: u64 = 40 * 24 * 60 * 60 * 1_000;
/// The last of it comes within this time, or it never will.
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);

pub async fn run(hub: &Hub, options: &Options, trim: &TrimOptions) -> Result<Report> {
    let mut report = Report::new("trim");
    let Scene { room: old, senders, .. } = Scene::set(hub, 16, 1).await?;
    let mut filling = Filling::new(senders, options);
    filling.up_to(trim.messages, &mut report).await?;
    let sending = Sending::set(hub, options, trim).await?;
    let database = open(hub).await?;
    for table in ["messages", "conversations"] {
        let column = if table == "messages" { "conversation_id" } else { "id" };
        let of = "(SELECT conversation_id FROM messages GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1)";
        let sql = format!("UPDATE {table} SET created_at = created_at - {FORTY_DAYS_MS} WHERE {column} = {of}");
        database.execute_unprepared(&sql).await?;
    }

    let mut all = Sent::default();
    let mut taken = 0;
    let before = sending.go(&mut taken, &mut all).await;
    let mut plugins = Plugins::of(hub).await?;
    plugins.switch(RETENTION, None, true).await?;
    plugins.ready().await?;
    let at_once = "mutation { pluginConfigure(input: { pluginId: \"jackfield.retention\", configuration: { days: 30, grace_days: 0 } }) { errors { message } } }";
    hub.operator().await?.ask(at_once, json!({})).await?;
    let due = "UPDATE jobs SET due_at = 0 WHERE due_at IS NOT NULL AND kind = 'plugin_due' AND key LIKE '%retention%'";
    database.execute_unprepared(due).await?;
    let began = Instant::now();
    let all_steps = left(&database).await?;
    let mut still = all_steps;
    while still == all_steps && began.elapsed() < PATIENCE {
        // What follows from a schedule that is due is due when that was to be, which is not yet.
        let run = "UPDATE jobs SET due_at = 0 WHERE state = 'waiting' AND kind = 'plugin_run'";
        database.execute_unprepared(run).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
        still = left(&database).await?;
    }
    let beside = sending.go(&mut taken, &mut all).await;
    let now = left(&database).await?;
    if now == 0 {
        report.note("it was over before the sending was: take more messages, or fewer --seconds".to_owned());
    }
    report.figure("steps_per_second_beside_sending", (still - now) as f64 / beside.seconds);
    while left(&database).await? > 0 {
        if began.elapsed() > PATIENCE {
            return Err("what is old is not taken away".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    report.figure("seconds_until_all_was_gone", began.elapsed().as_secs_f64());
    let after = sending.go(&mut taken, &mut all).await;
    let alone = f64::midpoint(before.messages_per_second(), after.messages_per_second());
    report.figure("messages_per_second_alone_before", before.messages_per_second());
    report.figure("messages_per_second_alone_after", after.messages_per_second());
    report.figure("messages_per_second_beside", beside.messages_per_second());
    report.figure("percent_of_sending_alone", 100.0 * beside.messages_per_second() / alone);
    report.figure("server_busy_cores_beside", beside.server_cpu_seconds / beside.seconds);
    report.latencies("ack", std::mem::take(&mut all.latencies));
    all.verify(std::slice::from_ref(&sending.room), &mut report).await?;
    filling.sent.verify(std::slice::from_ref(&old), &mut report).await?;
    database.close().await?;
    Ok(report)
}

/// Those who send meanwhile, in a conversation of their own.
struct Sending<'r> {
    hub: &'r Hub,
    options: &'r Options,
    senders: Vec<Sender>,
    room: Arc<Room>,
    manner: Manner,
}

impl<'r> Sending<'r> {
    async fn set(hub: &'r Hub, options: &'r Options, trim: &TrimOptions) -> Result<Self> {
        let accounts = accounts::provision(hub, WORKSPACE, "beside", trim.senders.max(2)).await?;
        let room = Room::create(&accounts[0], &accounts[1..]).await?;
        let senders = accounts.into_iter().map(|account| Sender { account, rooms: vec![room.clone()] }).collect();
        let manner = Manner { in_flight: trim.in_flight, rate: trim.rate, ..Manner::new(options) };
        Ok(Sending { hub, options, senders, room, manner })
    }

    async fn go(&self, taken: &mut u64, all: &mut Sent) -> Measured {
        let stage = Arc::new(Stage::new(u64::MAX));
        let manner = Manner { first_number: *taken, ..self.manner };
        let at_work = sender::start(&self.senders, manner, &stage);
        let measured = measure(self.hub, &stage, self.options.warm_up(), self.options.window()).await;
        all.merge(at_work.finish().await);
        *taken = all.acknowledged();
        measured
    }
}

async fn open(hub: &Hub) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(hub.database_url());
    options.max_connections(1).sqlx_logging(false);
    Ok(Database::connect(options).await?)
}

/// How many steps are left: each old message is hidden, and taken away.
async fn left(database: &DatabaseConnection) -> Result<u64> {
    let old = format!("created_at < (SELECT MAX(created_at) FROM messages) - {}", FORTY_DAYS_MS / 2);
    let sql = format!(
        "SELECT 2 * (SELECT COUNT(*) FROM messages WHERE {old}) + (SELECT COUNT(*) FROM trimmed_messages) AS steps"
    );
    let row = database.query_one_raw(Statement::from_string(database.get_database_backend(), sql)).await?;
    let steps: i64 = row.ok_or("no count")?.try_get("", "steps")?;
    Ok(steps.unsigned_abs())
}
