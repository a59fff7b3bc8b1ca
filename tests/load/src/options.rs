//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Measures a Jackfield hub from outside.
#[derive(Debug, Parser)]
#[command(name = "jackfield-load", version)]
pub struct Options {
    #[command(subcommand)]
    pub scenario: Scenario,
    /// The program to measure; every scenario but `raw` needs it.
    #[arg(long, global = true, value_name = "PATH")]
    pub hub: Option<PathBuf>,
    /// A PostgreSQL database to connect to as somebody who may create databases. The hub gets a new one beside it, which
    /// is dropped afterwards. Without it: SQLite in the data folder.
    #[arg(long, global = true, value_name = "URL")]
    pub database: Option<String>,
    /// Handed to the hub as it is: in-process or redis://…
    #[arg(long, global = true, value_name = "URL")]
    pub bus: Option<String>,
    /// How many hubs to start; more than one need --database and --bus. Users are dealt out to them in turn.
    #[arg(long, global = true, default_value_t = 1, value_name = "COUNT")]
    pub nodes: usize,
    /// A variable of the hub's environment, such as a policy to raise. Can be repeated.
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// A GraphQL document that an operator executes before anything is measured, such as one that enables plugins.
    #[arg(long, global = true, value_name = "DOCUMENT")]
    pub prepare: Vec<String>,
    /// So many plugins are installed and on, those that come with the hub before others, and the hub is started anew with
    /// them [default: what a new hub has on].
    #[arg(long, global = true, value_name = "COUNT")]
    pub plugins: Option<usize>,
    /// Where the data folders are made: choose the disk to measure [default: the system's temporary folder].
    #[arg(long, global = true, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// How long the figures are taken.
    #[arg(long, global = true, default_value_t = 10.0, value_name = "SECONDS")]
    pub seconds: f64,
    /// How long the same goes on before that.
    #[arg(long, global = true, default_value_t = 2.0, value_name = "SECONDS")]
    pub warm_up_seconds: f64,
    /// Everything together is given up after this.
    #[arg(long, global = true, default_value_t = 900, value_name = "SECONDS")]
    pub limit_seconds: u64,
    /// No more messages than this are sent.
    #[arg(long, global = true, default_value_t = 3_000_000, value_name = "COUNT")]
    pub most_messages: u64,
    /// The size of a message's body.
    #[arg(long, global = true, default_value_t = 120, value_name = "BYTES")]
    pub body_bytes: usize,
    /// Threads of this program.
    #[arg(long, global = true, default_value_t = 1, value_name = "COUNT")]
    pub threads: usize,
    /// Print one line of JSON after the table.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Scenario {
    /// One sender, one message after the other: how long until it is acknowledged.
    Ack(AckOptions),
    /// Many senders, each with so many messages under way: messages a second, CPU and memory.
    Send(SendOptions),
    /// Many senders and many live listeners in one conversation.
    Fanout(FanoutOptions),
    /// Pages of 50 messages, alone and by 16 clients at once.
    History(HistoryOptions),
    /// The newest page of 50 messages with what plugins add to it, beside the same page without, alone and by 16 clients at once.
    Page(PageOptions),
    /// The list of conversations with what is new in each, and what is new in all of them, alone and by 16 clients at once.
    List(ListOptions),
    /// Very many sockets in one conversation, at a fixed rate or idle.
    Sockets(SocketsOptions),
    /// Sockets that are dropped, miss something, and come back all at once.
    Reconnect(ReconnectOptions),
    /// Messages with ever more plugins on, beside plugins that loop and crash, how soon a switch is felt, and a start with
    /// many plugins.
    Plugins(PluginsOptions),
    /// Messages while very many old ones are hidden and taken away, beside the same alone.
    Trim(TrimOptions),
    /// What this machine can do without a hub: an HTTP echo, and bare SQLite.
    Raw(RawOptions),
    /// The echo that `raw` measures, in a process of its own.
    #[command(hide = true)]
    EchoServer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    Http,
    Ws,
}

#[derive(Debug, Args)]
pub struct AckOptions {
    #[arg(long, value_enum, default_value_t = Transport::Http)]
    pub transport: Transport,
}

#[derive(Debug, Args)]
pub struct SendOptions {
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub senders: usize,
    /// How many messages each sender has under way: over HTTP on so many connections, over WebSocket on one.
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub in_flight: usize,
    /// The messages go to these in turn.
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub conversations: usize,
    /// Senders and conversations are dealt out to so many workspaces.
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub workspaces: usize,
    #[arg(long, value_enum, default_value_t = Transport::Http)]
    pub transport: Transport,
    /// Measure bare SQLite right afterwards, and say which part of it the hub reached.
    #[arg(long)]
    pub beside_raw: bool,
}

#[derive(Debug, Args)]
pub struct FanoutOptions {
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub senders: usize,
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    pub listeners: usize,
    /// Messages a second, all senders together; without it, as fast as they are acknowledged.
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub in_flight: usize,
}

#[derive(Debug, Args)]
pub struct HistoryOptions {
    /// How many messages the conversation has; several, each more than the one before, measure the same conversation as
    /// it grows.
    #[arg(long, value_delimiter = ',', default_value = "10000", value_name = "COUNT")]
    pub messages: Vec<u64>,
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub clients: usize,
    /// What is asked of each message. `sequence` must be among it.
    #[arg(long, default_value = "id sequence body createdAt sender { id name }", value_name = "FIELDS")]
    pub selection: String,
}

#[derive(Debug, Args)]
pub struct PageOptions {
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub clients: usize,
    /// Each page is read so often by turns, for `--seconds` each time. A ratio is the median of those of each round.
    #[arg(long, default_value_t = 3, value_name = "COUNT")]
    pub rounds: usize,
    /// What plugins add to each message.
    #[arg(
        long,
        default_value = "mentions { id name } linkPreviews { url title description imageUrl siteName } \
            poll { question isClosed myVotes options { id text voteCount } }",
        value_name = "FIELDS"
    )]
    pub fields: String,
}

#[derive(Debug, Args)]
pub struct TrimOptions {
    /// How many old messages there are.
    #[arg(long, default_value_t = 100_000, value_name = "COUNT")]
    pub messages: u64,
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub senders: usize,
    /// How many messages each sender has under way.
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub in_flight: usize,
    /// Messages a second, all senders together; without it, as fast as they are acknowledged.
    #[arg(long, value_name = "PER_SECOND")]
    pub rate: Option<f64>,
}

#[derive(Debug, Args)]
pub struct ListOptions {
    /// How many messages there are, in all conversations together; several, each more than the one before, measure the
    /// same conversations as they grow.
    #[arg(long, value_delimiter = ',', default_value = "10000", value_name = "COUNT")]
    pub messages: Vec<u64>,
    /// How many conversations everybody takes part in.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub conversations: usize,
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub clients: usize,
}

#[derive(Debug, Args)]
pub struct SocketsOptions {
    #[arg(long, default_value_t = 1_000, value_name = "COUNT")]
    pub count: usize,
    /// Messages a second, all senders together; 0 leaves the sockets idle.
    #[arg(long, default_value_t = 100.0, value_name = "PER_SECOND")]
    pub rate: f64,
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub senders: usize,
}

#[derive(Debug, Args)]
pub struct ReconnectOptions {
    #[arg(long, default_value_t = 1_000, value_name = "COUNT")]
    pub count: usize,
    /// How many messages are sent while nobody listens.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub missed: u64,
}

#[derive(Debug, Args)]
pub struct PluginsOptions {
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub senders: usize,
    /// How many plugins are on, measured in turn; the first number is what the others are compared with.
    #[arg(long, value_delimiter = ',', default_value = "0,2,5,10", value_name = "COUNT")]
    pub on: Vec<usize>,
    /// How often all of it is measured, for `--seconds` each time. A ratio is the median of those of each round.
    #[arg(long, default_value_t = 3, value_name = "COUNT")]
    pub rounds: usize,
    /// How often a plugin is switched on and off again.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub toggles: usize,
    /// How many plugins there are when the hub is started anew.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub installed: usize,
    /// Those that are installed for the start are copies of this package, under other names [default: of a small guest].
    #[arg(long, value_name = "PATH")]
    pub copies_of: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RawOptions {
    #[arg(long, default_value_t = 16, value_name = "COUNT")]
    pub connections: usize,
}

impl Options {
    pub fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up_seconds.max(0.0))
    }

    pub fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.max(0.1))
    }

    /// Where temporary folders are made.
    pub fn parent_folder(&self) -> PathBuf {
        self.folder.clone().unwrap_or_else(std::env::temp_dir)
    }
}
