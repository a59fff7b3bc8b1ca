//! The command line.

mod doctor;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use jackfield_domain::{Timestamp, WorkspaceRole, users::Person};
use tracing_subscriber::EnvFilter;

use crate::{
    clock::Clock,
    config::{self, Config, LogFormat},
    graphql,
    hub::{self, Hub},
    identity,
    store::Store,
};

/// A self-hosted messaging hub that people extend with sandboxed plugins.
///
/// Without a command it serves, with everything it needs in one folder.
#[derive(Parser)]
#[command(name = "jackfield", version, subcommand_required = false)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What can be said of every command. Flags win over the environment, which wins over the file.
#[derive(Args)]
struct Settings {
    /// The configuration file.
    #[arg(long, global = true, env = "JACKFIELD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder, used by one process at a time [default: ./jackfield-data].
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<String>,
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8420].
    #[arg(long, global = true, value_name = "ADDR")]
    listen: Option<String>,
    /// sqlite:PATH or postgres://… [default: a file in the data folder].
    #[arg(long, global = true, value_name = "URL")]
    database: Option<String>,
    /// in-process or redis://… [default: in-process].
    #[arg(long, global = true, value_name = "URL")]
    bus: Option<String>,
    /// The private address of /metrics; or public, or off [default: 127.0.0.1:8421].
    #[arg(long, global = true, value_name = "ADDR")]
    metrics_listen: Option<String>,
    /// pretty or json [default: pretty].
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve until told to stop.
    Serve,
    /// Bring the store to what this program expects, and stop.
    Migrate,
    /// Print a token, for scripts. The user is made at its first use.
    Token(TokenArgs),
    /// Print the GraphQL schema.
    Schema,
    /// Print the configuration that is in force, with its secrets hidden.
    Config,
    /// Check the configuration and everything the hub stands on, and say in words what is wrong.
    Doctor,
    /// Print completions for a shell.
    Completions {
        /// The shell to print them for.
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
struct TokenArgs {
    /// The user's name in tokens.
    #[arg(long)]
    user: String,
    /// What the user is in the workspace; an operator is an owner who stands above all workspaces.
    #[arg(long, value_enum, default_value_t = Role::Member)]
    role: Role,
    /// The workspace's name in tokens.
    #[arg(long, default_value = "default")]
    workspace: String,
    /// How long it is good: 90s, 15m, 12h, 30d.
    #[arg(long, default_value = "1h", value_parser = duration)]
    ttl: Duration,
    /// The name to show; without it, that of the user.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Operator,
    Owner,
    Admin,
    Moderator,
    Member,
    Bot,
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err("write it as 90s, 15m, 12h or 30d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write it as 90s, 15m, 12h or 30d".to_owned())?;
    match number.saturating_mul(seconds) {
        0 => Err("a token of no time is of no use".to_owned()),
        seconds if seconds > 3_650 * 24 * 60 * 60 => Err("at most ten years".to_owned()),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve);
    match &command {
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "jackfield", &mut std::io::stdout());
            return ExitCode::SUCCESS;
        }
        Command::Schema => {
            print!("{}", graphql::sdl());
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let flags = [
        ("data", cli.settings.data),
        ("listen", cli.settings.listen),
        ("database", cli.settings.database),
        ("bus", cli.settings.bus),
        ("metrics.listen", cli.settings.metrics_listen),
        ("log.format", cli.settings.log_format),
    ];
    let config = match config::load(cli.settings.config.as_deref(), std::env::vars(), &flags) {
        Ok(config) => config,
        Err(error) => return failed(&error.to_string()),
    };
    crate::use_ring();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a process that cannot start threads cannot do anything");
    let done = runtime.block_on(async {
        match command {
            Command::Serve => serve(config).await,
            Command::Migrate => migrate(&config).await,
            Command::Token(arguments) => token(&config, arguments).await,
            Command::Doctor => doctor::examine(&config).await,
            Command::Config => show(&config),
            Command::Schema | Command::Completions { .. } => Ok(()),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message),
    }
}

fn failed(message: &str) -> ExitCode {
    eprintln!("jackfield: {message}");
    ExitCode::FAILURE
}

async fn serve(config: Config) -> Result<(), String> {
    log_as_configured(&config);
    let hub = Hub::start(config, Clock::system()).await.map_err(|error| error.to_string())?;
    if let Some(address) = hub.metrics_address() {
        println!("metrics on http://{address}/metrics");
    }
    if let Some(link) = hub.sign_in_link() {
        println!("sign in, once, with {link}");
    }
    println!("listening on http://{}", hub.address());
    told_to_stop().await;
    tracing::info!("stopping; what was begun is finished");
    hub.stop().await;
    Ok(())
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a signal can be listened to");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

fn log_as_configured(config: &Config) {
    let filter = EnvFilter::try_new(&config.log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Pretty => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

async fn migrate(config: &Config) -> Result<(), String> {
    let place = config.place().map_err(|error| error.to_string())?;
    std::fs::create_dir_all(&config.data).map_err(|error| format!("{}: {error}", config.data.display()))?;
    Store::migrate(&place).await.map_err(|error| error.to_string())?;
    println!("the store is up to date");
    Ok(())
}

async fn token(config: &Config, arguments: TokenArgs) -> Result<(), String> {
    let place = config.place().map_err(|error| error.to_string())?;
    let key = hub::signing_key(&place).await.map_err(|error| error.to_string())?;
    let person = Person {
        issuer: identity::OWN.to_owned(),
        name: arguments.name.unwrap_or_else(|| arguments.user.clone()),
        subject: arguments.user,
        role: match arguments.role {
            Role::Operator | Role::Owner => WorkspaceRole::Owner,
            Role::Admin => WorkspaceRole::Admin,
            Role::Moderator => WorkspaceRole::Moderator,
            Role::Member => WorkspaceRole::Member,
            Role::Bot => WorkspaceRole::Bot,
        },
        is_operator: matches!(arguments.role, Role::Operator),
    };
    let now: Timestamp = Clock::system().now();
    let token = identity::sign(&key, now, &arguments.workspace, &person, arguments.ttl);
    println!("{}", token.map_err(|error| error.to_string())?);
    Ok(())
}

fn show(config: &Config) -> Result<(), String> {
    print!("{}", toml::to_string(&config.without_secrets()).map_err(|error| error.to_string())?);
    Ok(())
}
