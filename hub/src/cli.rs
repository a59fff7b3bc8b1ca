//! The command line.

mod doctor;
mod plugin;

use std::{io::Write, path::PathBuf, pin::pin, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use jackfield_domain::{WorkspaceRole, users::Person};
use tracing_subscriber::EnvFilter;

use crate::{
    clock::Clock,
    config::{self, Config, LogFormat},
    hub::{self, Hub},
    identity,
    outside::Outside,
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
    /// The configuration file [env: `JACKFIELD_CONFIG`].
    #[arg(long, global = true, value_name = "FILE")]
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
    /// Write plugins, and switch those of a hub that runs.
    Plugin(plugin::PluginArgs),
    /// Compile a plugin's component, from standard input to standard output. The hub runs itself so.
    #[command(hide = true)]
    CompilePlugin,
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
    /// What the user is in the workspace; an operator is an owner who stands above all workspaces. Without it, users
    /// keep the role that they have, and new ones are members.
    #[arg(long, value_enum)]
    role: Option<Role>,
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
    crate::use_ring();
    let cli = Cli::parse();
    let command = match cli.command.unwrap_or(Command::Serve) {
        // It has nothing to do with the configuration of a hub, which need not be here.
        Command::Plugin(arguments) => return run_to_its_end(plugin::run(arguments)),
        command => command,
    };
    match &command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "jackfield", &mut script);
            say(script);
            return ExitCode::SUCCESS;
        }
        Command::Schema => {
            say(crate::hub::published_schema());
            return ExitCode::SUCCESS;
        }
        Command::CompilePlugin => {
            let ended = jackfield_plugin_host::child_main(std::io::stdin().lock(), std::io::stdout().lock());
            return ExitCode::from(u8::try_from(ended).unwrap_or(1));
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
    let config = match config::load(cli.settings.config.as_deref(), std::env::vars_os(), &flags) {
        Ok(config) => config,
        Err(error) => return failed(&error.to_string()),
    };
    run_to_its_end(async {
        match command {
            Command::Serve => serve(config).await,
            Command::Migrate => migrate(&config).await,
            Command::Token(arguments) => token(&config, arguments).await,
            Command::Doctor => doctor::examine(&config).await,
            Command::Config => show(&config),
            Command::Plugin(_) | Command::Schema | Command::CompilePlugin | Command::Completions { .. } => Ok(()),
        }
    })
}

fn run_to_its_end(work: impl Future<Output = Result<(), String>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.expect("a process that cannot start threads cannot do anything");
    let done = runtime.block_on(work);
    // A name that is still being looked up keeps a thread, which is not waited for.
    runtime.shutdown_timeout(Duration::from_millis(100));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message),
    }
}

/// Says something to whoever listens. Nobody may: that is no reason to stop what is being done.
fn say(text: impl AsRef<[u8]>) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_ref()).and_then(|()| out.flush());
}

fn say_line(line: &str) {
    say(format!("{line}\n"));
}

fn failed(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "jackfield: {message}");
    ExitCode::FAILURE
}

async fn serve(config: Config) -> Result<(), String> {
    log_as_configured(&config);
    // Before anybody can know that it serves: whoever stops it then is heard, too.
    let mut told_to_stop = pin!(told_to_stop());
    let hub = tokio::select! {
        hub = Hub::start(config, Clock::system(), Outside::system()) => hub.map_err(|error| error.to_string())?,
        () = &mut told_to_stop => return Ok(()),
    };
    if let Some(address) = hub.metrics_address() {
        say_line(&format!("metrics on http://{address}/metrics"));
    }
    if let Some(link) = hub.sign_in_link() {
        say_line(&format!("sign in, once, with {link}"));
    }
    say_line(&format!("listening on http://{}", hub.address()));
    told_to_stop.await;
    tracing::info!("stopping; what was begun is finished");
    hub.stop().await;
    Ok(())
}

/// Listens from now on.
fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).expect("a signal can be listened to");
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate()), listen(SignalKind::interrupt()));
    async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

fn log_as_configured(config: &Config) {
    let filter = EnvFilter::try_new(&config.log.level).expect("the configuration was checked");
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    match config.log.format {
        LogFormat::Pretty => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

async fn migrate(config: &Config) -> Result<(), String> {
    let place = config.place().map_err(|error| error.to_string())?;
    let _lock = hub::lock(&config.data).map_err(|error| error.to_string())?;
    Store::migrate(&place).await.map_err(|error| error.to_string())?;
    say_line("the store is up to date");
    Ok(())
}

async fn token(config: &Config, arguments: TokenArgs) -> Result<(), String> {
    let name = arguments.name.unwrap_or_else(|| arguments.user.clone());
    for (flag, text) in [("user", &arguments.user), ("name", &name)] {
        if !identity::is_name(text) {
            return Err(format!(
                "--{flag} must have from 1 to 255 characters, something to see, and no control characters"
            ));
        }
    }
    let place = config.place().map_err(|error| error.to_string())?;
    let role = arguments.role.map(|role| match role {
        Role::Operator | Role::Owner => WorkspaceRole::Owner,
        Role::Admin => WorkspaceRole::Admin,
        Role::Moderator => WorkspaceRole::Moderator,
        Role::Member => WorkspaceRole::Member,
        Role::Bot => WorkspaceRole::Bot,
    });
    let person = Person {
        issuer: identity::OWN.to_owned(),
        name,
        subject: arguments.user,
        role,
        is_operator: matches!(arguments.role, Some(Role::Operator)),
        vouched_at: Clock::system().now(),
    };
    let token = hub::token(&place, &arguments.workspace, &person, arguments.ttl).await;
    say_line(&token.map_err(|error| error.to_string())?);
    Ok(())
}

fn show(config: &Config) -> Result<(), String> {
    say(toml::to_string(&config.without_secrets()).map_err(|error| error.to_string())?);
    Ok(())
}
