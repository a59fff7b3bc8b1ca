//! What this machine can do without a hub, in the same hour: the figures of the hub are read as parts of these.

use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, routing::post};
use sea_orm::{
    ActiveValue::Set, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, EntityTrait,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::Command,
    task::JoinSet,
};

use crate::{
    Result,
    latencies::Latencies,
    options::{Options, RawOptions},
    process,
    report::Report,
    stage::{Phase, Stage},
    wire::http::HttpConnection,
};

pub async fn run(options: &Options, raw: &RawOptions) -> Result<Report> {
    let mut report = Report::new("raw");
    echo(options, raw.connections.max(1), &mut report).await?;
    for (batch, name) in [
        (Batch { messages: 1, is_multi_row: false }, "sqlite_full_1_a_transaction"),
        (Batch { messages: 64, is_multi_row: false }, "sqlite_full_64_a_transaction_one_statement_each"),
        (SHARED_BATCH, "sqlite_full_64_a_transaction_multi_row"),
    ] {
        let bare = sqlite(&options.parent_folder(), batch, options.window()).await?;
        report.figure(format!("{name}_messages_per_second"), bare.messages_per_second);
        report.figure(format!("{name}_cpu_milliseconds_per_message"), bare.cpu_milliseconds_per_message);
    }
    Ok(report)
}

/// Answers a POST with its own body, on one thread, until it is killed.
pub async fn serve_echo() -> Result<Report> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let router = Router::new().route("/graphql", post(|body: Bytes| async move { body }));
    let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Err("the echo ended".into())
}

async fn echo(options: &Options, connections: usize, report: &mut Report) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("echo-server").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut server = command.spawn()?;
    let pid = server.id().ok_or("the echo ended at once")?;
    let mut said = BufReader::new(server.stdout.take().ok_or("the echo has no output")?).lines();
    let address: SocketAddr = said.next_line().await?.ok_or("the echo does not say where it is")?.parse()?;

    let stage = Arc::new(Stage::new(u64::MAX));
    let body = vec![b'x'; 400];
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (stage, body) = (stage.clone(), body.clone());
        clients.spawn(async move {
            let mut connection = HttpConnection::open(address, None).await?;
            let mut latencies = Latencies::default();
            while !stage.is_over() {
                let asked_at = Instant::now();
                let (_, answer) = connection.post(&body).await?;
                if answer.len() != body.len() {
                    return Err("the echo is no echo".into());
                }
                if stage.is_measured() {
                    latencies.record(asked_at.elapsed());
                }
            }
            crate::Result::Ok(latencies)
        });
    }
    tokio::time::sleep(options.warm_up()).await;
    stage.enter(Phase::Measured);
    let (began, cpu_before) = (Instant::now(), process::cpu_seconds(pid));
    tokio::time::sleep(options.window()).await;
    let (seconds, cpu_seconds) = (began.elapsed().as_secs_f64(), process::cpu_seconds(pid) - cpu_before);
    stage.enter(Phase::Over);
    let mut latencies = Latencies::default();
    while let Some(client) = clients.join_next().await {
        latencies.append(client??);
    }
    server.kill().await?;
    let requests = latencies.count() as f64;
    report.figure("echo_requests_per_second", requests / seconds);
    report.figure("echo_server_cpu_milliseconds_per_request", cpu_seconds * 1_000.0 / requests);
    report.figure("echo_server_busy_cores", cpu_seconds / seconds);
    report.latencies("echo", latencies);
    Ok(())
}

/// How the messages are put into transactions and statements.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    messages: i64,
    is_multi_row: bool,
}

/// The shape of the hub's own commits under load.
pub const SHARED_BATCH: Batch = Batch { messages: 64, is_multi_row: true };

#[derive(Debug)]
pub struct Bare {
    pub messages_per_second: f64,
    pub cpu_milliseconds_per_message: f64,
}

/// A message, an event and the conversation for each message, and nothing else, in a file of its own.
pub async fn sqlite(parent: &Path, batch: Batch, window: Duration) -> Result<Bare> {
    let folder = tempfile::Builder::new().prefix("jackfield-load-raw-").tempdir_in(parent)?;
    let database = open(folder.path()).await?;
    let transaction =
        TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..Default::default() };
    let mut stored = 0;
    let (began, cpu_before) = (Instant::now(), process::cpu_seconds(std::process::id()));
    while began.elapsed() < window {
        let transaction = database.begin_with_options(transaction).await?;
        let next = stored..stored + batch.messages;
        if batch.is_multi_row {
            message::Entity::insert_many(next.clone().map(message::row)).exec_without_returning(&transaction).await?;
            event::Entity::insert_many(next.clone().map(event::row)).exec_without_returning(&transaction).await?;
            transaction.execute_unprepared(&advance(next.end)).await?;
        } else {
            for number in next {
                message::Entity::insert(message::row(number)).exec_without_returning(&transaction).await?;
                event::Entity::insert(event::row(number)).exec_without_returning(&transaction).await?;
                transaction.execute_unprepared(&advance(number)).await?;
            }
        }
        transaction.commit().await?;
        stored += batch.messages;
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu_seconds = process::cpu_seconds(std::process::id()) - cpu_before;
    database.close().await?;
    Ok(Bare {
        messages_per_second: stored as f64 / seconds,
        cpu_milliseconds_per_message: cpu_seconds * 1_000.0 / stored as f64,
    })
}

async fn open(folder: &Path) -> Result<DatabaseConnection> {
    let file = folder.join("raw.db");
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rwc", file.display()));
    options.max_connections(1).sqlx_logging(false);
    options.map_sqlx_sqlite_opts(|options| options.pragma("journal_mode", "WAL").pragma("synchronous", "FULL"));
    let database = Database::connect(options).await?;
    database
        .execute_unprepared(
            "CREATE TABLE messages (id text PRIMARY KEY, conversation text NOT NULL, sequence integer NOT NULL,
                 sender text NOT NULL, idempotency_key text NOT NULL, body text NOT NULL, at integer NOT NULL);
             CREATE UNIQUE INDEX message_sequence ON messages (conversation, sequence);
             CREATE UNIQUE INDEX message_key ON messages (sender, idempotency_key);
             CREATE TABLE events (workspace integer, position integer, conversation text, kind text, payload text,
                 at integer, PRIMARY KEY (workspace, position)) WITHOUT ROWID;
             CREATE TABLE conversations (id text PRIMARY KEY, sequence integer, at integer);
             INSERT INTO conversations VALUES ('c1', 0, 0);",
        )
        .await?;
    Ok(database)
}

fn advance(sequence: i64) -> String {
    format!("UPDATE conversations SET sequence = {sequence}, at = {sequence} WHERE id = 'c1'")
}

mod message {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "messages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub conversation: String,
        pub sequence: i64,
        pub sender: String,
        pub idempotency_key: String,
        pub body: String,
        pub at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub fn row(number: i64) -> ActiveModel {
        ActiveModel {
            id: super::Set(format!("{number:032x}")),
            conversation: super::Set("c1".to_owned()),
            sequence: super::Set(number),
            sender: super::Set("u1".to_owned()),
            idempotency_key: super::Set(format!("k{number}")),
            body: super::Set("x".repeat(120)),
            at: super::Set(number),
        }
    }
}

mod event {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub workspace: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub position: i64,
        pub conversation: String,
        pub kind: String,
        pub payload: String,
        pub at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    pub fn row(number: i64) -> ActiveModel {
        ActiveModel {
            workspace: super::Set(1),
            position: super::Set(number),
            conversation: super::Set("c1".to_owned()),
            kind: super::Set("message_sent".to_owned()),
            payload: super::Set(format!("{{\"id\":\"{number:032x}\"}}")),
            at: super::Set(number),
        }
    }
}
