//! The commands that speak to a hub that runs. They are clients like any other: the API decides, and what it says is passed on.

mod client;
mod dev;
mod packages;

use std::{io::Read, path::Path};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    super::{say, say_line},
    plain,
};
use client::Client;

/// What is asked of a plugin that something was done to.
const FIELDS: &str = "id name version isOn problem isResting lag storageBytes configuration
    exceptions { conversationId isOn } wantedCapabilities grantedCapabilities isOnHub isDefault isReady
    pendingUpgrade { version newCapabilities }
    hooks { hook phase priority failurePolicy }";
/// How one does.
const HEALTH: &str = "health { calls isBreakerOpen memoryPeakBytes failures { kind count }
    wallTime { p50 p95 p99 max } cpuTime { p50 p95 p99 max } }";
/// The lines of the newest past, and then each as it is written.
const LOGS: &str = "subscription($plugin: String!) { pluginLogs(input: { pluginId: $plugin }) { at level text } }";
/// A configuration has at most so many bytes; the hub takes no more in one request.
const CONFIGURATION_MAX_BYTES: u64 = 1 << 20;

#[derive(Subcommand)]
pub(super) enum RemoteCommand {
    /// List the plugins of a hub, as the workspace of the token has them.
    List(HubArgs),
    /// Switch a plugin on, in the workspace or in one conversation.
    Enable(SwitchArgs),
    /// Switch a plugin off, in the workspace or in one conversation. What it keeps stays.
    Disable(SwitchArgs),
    /// Take back what was said of a plugin: it is what it is for the hub, or in a conversation what it is in the workspace.
    Inherit(InheritArgs),
    /// Work on a plugin beside a hub that runs: each time something in its folder is saved it is built and put in force, and what it
    /// logs is shown. For operators.
    Dev(dev::DevArgs),
    /// Install a package, or put it in the place of the version that is in force. For operators.
    Install(packages::InstallArgs),
    /// Decide about a version that waits because it asks for more. For operators.
    #[command(subcommand)]
    Upgrade(packages::UpgradeCommand),
    /// Put the version in force again that was before. For operators.
    RollBack {
        /// The plugin's id.
        plugin: String,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Remove a plugin from the hub. For operators.
    Remove(packages::RemoveArgs),
    /// Change how a plugin is treated: its order, what its failures lead to, how much it may take and do.
    Settings(packages::SettingsArgs),
    /// Entrust secrets to a plugin, in the workspace.
    #[command(subcommand)]
    Secret(packages::SecretCommand),
    /// See to the events that a plugin failed at, in the workspace.
    #[command(subcommand)]
    DeadLetters(packages::LetterCommand),
    /// Configure a plugin in the workspace; what is left out has its default.
    Configure {
        /// The plugin's id.
        plugin: String,
        /// A JSON object, or the file that holds it; `-` is standard input.
        configuration: String,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Show how a plugin does in the workspace: how often it was called, how long that took, and how it failed.
    Health {
        /// The plugin's id.
        plugin: String,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Show what plugins did, the newest 100: to a message, or to all that somebody wanted.
    Verdicts(VerdictsArgs),
    /// Show the newest lines that a plugin wrote for admins.
    Logs {
        /// The plugin's id.
        plugin: String,
        /// Go on with each line that it writes from then on.
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        hub: HubArgs,
    },
}

/// Which hub, and who asks.
#[derive(Args)]
pub(super) struct HubArgs {
    /// Where the hub is.
    #[arg(long, env = "JACKFIELD_URL", default_value = "http://127.0.0.1:8420")]
    url: String,
    /// A token of somebody who runs the workspace (`jackfield token` makes one). Better given in the environment, where others on
    /// the machine do not see it.
    #[arg(long, env = "JACKFIELD_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print what the API answers, as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct SwitchArgs {
    /// The plugin's id.
    plugin: String,
    /// Only in this conversation, by its id.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    /// For all workspaces of the hub, whatever they say; for operators.
    #[arg(long = "on-hub", conflicts_with = "conversation")]
    on_hub: bool,
    /// Do not tell it what happened in the workspace while it was off.
    #[arg(long, conflicts_with_all = ["conversation", "on_hub"])]
    skip_missed: bool,
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Args)]
pub(super) struct VerdictsArgs {
    /// Only to this message, by its id.
    message: Option<String>,
    /// Only what this plugin did, by its id.
    #[arg(long, value_name = "ID")]
    plugin: Option<String>,
    /// Only to what this user wanted, by their id.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Args)]
pub(super) struct InheritArgs {
    /// The plugin's id.
    plugin: String,
    /// Only in this conversation, by its id.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    #[command(flatten)]
    hub: HubArgs,
}

pub(super) async fn run(command: RemoteCommand) -> Result<(), String> {
    match command {
        RemoteCommand::List(hub) => list(&hub).await,
        RemoteCommand::Enable(arguments) => switch(&arguments, "pluginEnable", "on").await,
        RemoteCommand::Disable(arguments) => switch(&arguments, "pluginDisable", "off").await,
        RemoteCommand::Inherit(InheritArgs { plugin, conversation, hub }) => {
            let of = if conversation.is_some() { "workspace" } else { "hub" };
            let input = json!({ "pluginId": plugin, "conversationId": conversation });
            act(&hub, "pluginInherit", input, |plugin| {
                let state = if plugin["isOn"] == json!(true) { "on" } else { "off" };
                format!("{} is as the {of} has it; in the workspace it is {state}", shown(&plugin["id"]))
            })
            .await
        }
        RemoteCommand::Dev(arguments) => dev::run(arguments).await,
        RemoteCommand::Install(arguments) => packages::install(&arguments).await,
        RemoteCommand::Upgrade(command) => packages::upgrade(&command).await,
        RemoteCommand::RollBack { plugin, hub } => packages::roll_back(&plugin, &hub).await,
        RemoteCommand::Remove(arguments) => packages::remove(&arguments).await,
        RemoteCommand::Settings(arguments) => packages::settings(&arguments).await,
        RemoteCommand::Secret(command) => packages::secret(&command).await,
        RemoteCommand::DeadLetters(command) => packages::letters(&command).await,
        RemoteCommand::Configure { plugin, configuration, hub } => {
            let input = json!({ "pluginId": plugin, "configuration": configuration_in(&configuration)? });
            act(&hub, "pluginConfigure", input, |plugin| format!("{} is configured", shown(&plugin["id"]))).await
        }
        RemoteCommand::Health { plugin, hub } => health(&hub, &plugin).await,
        RemoteCommand::Verdicts(arguments) => verdicts(&arguments).await,
        RemoteCommand::Logs { plugin, follow: true, hub } => follow_logs(&hub, &plugin).await,
        RemoteCommand::Logs { plugin, follow: false, hub } => logs(&hub, &plugin).await,
    }
}

async fn switch(arguments: &SwitchArgs, mutation: &str, state: &str) -> Result<(), String> {
    let scope = if arguments.on_hub { "HUB" } else { "WORKSPACE" };
    let mut input = json!({ "pluginId": arguments.plugin, "scope": scope, "conversationId": arguments.conversation });
    if arguments.skip_missed {
        input["missedEvents"] = json!("SKIP");
    }
    let place = match arguments.conversation.as_deref() {
        Some(id) => format!(" in {}", plain(id)),
        None if arguments.on_hub => " for the hub".to_owned(),
        None => String::new(),
    };
    act(&arguments.hub, mutation, input, |plugin| format!("{} is {state}{place}", shown(&plugin["id"]))).await
}

/// Does something to a plugin, and says what is so now.
async fn act(hub: &HubArgs, mutation: &str, input: Value, words: impl FnOnce(&Value) -> String) -> Result<(), String> {
    let payload = Client::new(hub)?.act(mutation, &format!("plugin {{ {FIELDS} }}"), input).await?;
    done(hub, &payload["plugin"], words)
}

/// Says what is so now of a plugin that something was done to.
fn done(hub: &HubArgs, plugin: &Value, words: impl FnOnce(&Value) -> String) -> Result<(), String> {
    if plugin.is_null() {
        return Err("the hub does not say what it did".to_owned());
    }
    if hub.json {
        return say_json(plugin);
    }
    say_line(&words(plugin));
    if let Some(problem) = plugin["problem"].as_str() {
        say_line(&format!("it has a problem: {}", plain(problem)));
    }
    Ok(())
}

async fn list(hub: &HubArgs) -> Result<(), String> {
    let mut data = Client::new(hub)?.ask(&format!("{{ plugins {{ {FIELDS} }} }}"), json!({})).await?;
    if hub.json {
        return say_json(&data["plugins"]);
    }
    let rows: Vec<[String; 4]> = match data["plugins"].take() {
        Value::Array(plugins) => plugins.iter().map(row).collect(),
        _ => Vec::new(),
    };
    if rows.is_empty() {
        say_line("the hub has no plugins");
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (id, version, state) = (width(0), width(1), "off".len());
    let lines = rows.iter().map(|row| format!("{:id$}  {:version$}  {:state$}  {}\n", row[0], row[1], row[2], row[3]));
    say(lines.collect::<String>());
    Ok(())
}

/// A plugin in a line: its id, its version, whether it is on, and its name with whatever else there is to say.
fn row(plugin: &Value) -> [String; 4] {
    let mut words = vec![shown(&plugin["name"])];
    for exception in plugin["exceptions"].as_array().into_iter().flatten() {
        let state = if exception["isOn"] == json!(true) { "on" } else { "off" };
        words.push(format!(", {state} in {}", shown(&exception["conversationId"])));
    }
    if plugin["lag"].as_i64().unwrap_or_default() > 0 {
        words.push(format!(", {} events behind", plugin["lag"]));
    }
    if let Some(version) = plugin["pendingUpgrade"]["version"].as_str() {
        words.push(format!(", {} waits", plain(version)));
    }
    if plugin["isOnHub"] == json!(false) {
        words.push(", off for the hub".to_owned());
    }
    if plugin["isResting"] == json!(true) {
        words.push(", resting after failures".to_owned());
    }
    if let Some(problem) = plugin["problem"].as_str() {
        words.push(format!(": {}", plain(problem)));
    }
    let state = if plugin["isOn"] == json!(true) { "on" } else { "off" };
    [shown(&plugin["id"]), shown(&plugin["version"]), state.to_owned(), words.concat()]
}

/// Something about one plugin.
async fn about(hub: &HubArgs, id: &str, fields: &str) -> Result<Value, String> {
    let mut data = Client::new(hub)?.ask(&format!("{{ plugins {{ id {fields} }} }}"), json!({})).await?;
    let mut plugins = data["plugins"].as_array_mut().into_iter().flatten();
    let plugin = plugins.find(|plugin| plugin["id"] == json!(id)).map(Value::take);
    plugin.ok_or_else(|| format!("the hub has no plugin {}; `jackfield plugin list` says which it has", plain(id)))
}

async fn health(hub: &HubArgs, id: &str) -> Result<(), String> {
    let plugin = about(hub, id, HEALTH).await?;
    let health = &plugin["health"];
    if hub.json {
        return say_json(health);
    }
    let resting = if health["isBreakerOpen"] == json!(true) { ", resting after failures" } else { "" };
    say_line(&format!("{} calls, at most {} bytes of memory{resting}", health["calls"], health["memoryPeakBytes"]));
    for (name, times) in [("on the clock", &health["wallTime"]), ("of the processor", &health["cpuTime"])] {
        let [p50, p95, p99, max] = ["p50", "p95", "p99", "max"].map(|part| &times[part]);
        say_line(&format!("{name}: half in {p50} ms, 95 % in {p95} ms, 99 % in {p99} ms, all in {max} ms"));
    }
    for failure in health["failures"].as_array().into_iter().flatten() {
        say_line(&format!("{} times {}", failure["count"], shown(&failure["kind"])));
    }
    Ok(())
}

async fn verdicts(arguments: &VerdictsArgs) -> Result<(), String> {
    let query = "query($f: PluginVerdictFilter) { pluginVerdicts(last: 100, filter: $f) {
        nodes { id at plugin hook kind code reason messageId user { id name } conversation { id } } } }";
    let VerdictsArgs { message, plugin, user, hub } = arguments;
    let filter = json!({ "messageId": message, "pluginId": plugin, "userId": user });
    let data = Client::new(hub)?.ask(query, json!({ "f": filter })).await?;
    let found = &data["pluginVerdicts"]["nodes"];
    if hub.json {
        return say_json(found);
    }
    let found = found.as_array().map(Vec::as_slice).unwrap_or_default();
    if found.is_empty() {
        let to = if message.is_some() { "to it" } else { "that is known" };
        say_line(&format!("no plugin did anything {to}"));
    }
    for verdict in found {
        let part = |name: &str| shown(&verdict[name]);
        let whose = shown(&verdict["user"]["name"]);
        // What was not sent has no other name than the one that it would have had.
        let line = [
            part("at"),
            part("plugin"),
            part("hook"),
            part("kind"),
            whose,
            part("messageId"),
            part("code"),
            part("reason"),
        ];
        say_line(&line.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

async fn logs(hub: &HubArgs, id: &str) -> Result<(), String> {
    let plugin = about(hub, id, "logs { at level text }").await?;
    if hub.json {
        return say_json(&plugin["logs"]);
    }
    plugin["logs"].as_array().into_iter().flatten().for_each(say_log_line);
    Ok(())
}

/// The same lines, and then each as it is written, until the hub or whoever asked has enough of it.
async fn follow_logs(hub: &HubArgs, id: &str) -> Result<(), String> {
    about(hub, id, "").await?;
    let each = |mut data: Value| show(&data["pluginLogs"].take(), hub.json);
    Client::new(hub)?.follow(LOGS, json!({ "plugin": id }), each).await
}

/// A line of a log, as somebody asked for it.
fn show(line: &Value, json: bool) {
    if json {
        say_line(&line.to_string());
    } else {
        say_log_line(line);
    }
}

fn say_log_line(line: &Value) {
    let text = line["text"].as_str().unwrap_or_default();
    // What has several lines is shown with several.
    let text: Vec<String> = text.lines().map(plain).collect();
    say_line(&format!("{} {:<5} {}", shown(&line["at"]), shown(&line["level"]), text.join("\n    ")));
}

fn configuration_in(argument: &str) -> Result<Value, String> {
    let (text, name) = if argument.trim_start().starts_with('{') {
        (argument.to_owned(), "the configuration".to_owned())
    } else {
        let name = if argument == "-" { "standard input".to_owned() } else { plain(argument) };
        (read(argument).map_err(|error| format!("{name}: {error}"))?, name)
    };
    let value: Value = serde_json::from_str(&text).map_err(|error| format!("{name} is not JSON: {error}"))?;
    if value.is_object() { Ok(value) } else { Err(format!("{name} is not a JSON object")) }
}

fn read(argument: &str) -> std::io::Result<String> {
    let mut text = String::new();
    let input: Box<dyn Read> =
        if argument == "-" { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(Path::new(argument))?) };
    input.take(CONFIGURATION_MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIGURATION_MAX_BYTES {
        return Err(std::io::Error::other(format!("it has more than {CONFIGURATION_MAX_BYTES} bytes")));
    }
    Ok(text)
}

fn say_json(value: &Value) -> Result<(), String> {
    say_line(&serde_json::to_string_pretty(value).map_err(|error| error.to_string())?);
    Ok(())
}

fn shown(value: &Value) -> String {
    value.as_str().map(plain).unwrap_or_default()
}
