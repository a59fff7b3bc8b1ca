//! What operators do with plugins of a hub from a terminal: installing them, deciding about upgrades, and taking them away; and how
//! they are treated.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jackfield_domain::plugins::PluginId;
use jackfield_plugin_host::Package;
use serde_json::{Map, Value, json};

use super::{
    super::{super::say_line, plain, read as read_package},
    FIELDS, HubArgs, act,
    client::Client,
    done, say_json, shown,
};

#[derive(Args)]
pub(in super::super) struct InstallArgs {
    /// The package, as `jackfield plugin build` wrote it; or the id of a plugin that comes with the hub, and was removed.
    package: PathBuf,
    /// What is granted to it, such as kv,messages.read; nothing else is.
    #[arg(long, value_name = "CAPABILITIES", value_delimiter = ',')]
    grant: Vec<String>,
    /// Grant all that it asks for.
    #[arg(long, conflicts_with = "grant")]
    grant_all: bool,
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Subcommand)]
pub(in super::super) enum UpgradeCommand {
    /// Put a version in force that waits because it asks for more.
    Approve {
        /// The plugin's id.
        plugin: String,
        /// What is granted to it, such as kv,messages.read; all that it asks for, if nothing is said.
        #[arg(long, value_name = "CAPABILITIES", value_delimiter = ',')]
        grant: Option<Vec<String>>,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Let go of a version that waits.
    Reject {
        /// The plugin's id.
        plugin: String,
        #[command(flatten)]
        hub: HubArgs,
    },
}

#[derive(Args)]
pub(in super::super) struct RemoveArgs {
    /// The plugin's id.
    plugin: String,
    /// What becomes of all that it kept, in every workspace.
    #[arg(long, value_enum)]
    kept: Kept,
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kept {
    /// It stays, for when the plugin comes back.
    Keep,
    /// It is deleted, for good.
    Delete,
}

#[derive(Args)]
pub(in super::super) struct SettingsArgs {
    /// The plugin's id.
    plugin: String,
    /// For all workspaces of the hub; for operators.
    #[arg(long = "on-hub")]
    on_hub: bool,
    /// Whether it is on in workspaces that say nothing of it; for the hub.
    #[arg(long, value_name = "true|false")]
    is_default: Option<bool>,
    /// Its place within its phase, lower ones first; `usual` puts back what the manifest says.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    priority: Option<String>,
    /// What failures lead to, such as before-create=closed, with commas between several; `usual` puts back the manifest's.
    #[arg(long, value_name = "HOOK=POLICY", value_delimiter = ',')]
    on_failure: Option<Vec<String>>,
    /// How much it may take, such as `memory_bytes=67108864`, with commas between several; `usual` puts all of it back.
    #[arg(long, value_name = "LIMIT=NUMBER", value_delimiter = ',')]
    limits: Option<Vec<String>>,
    /// What it may do, such as kv,messages.read; `usual` takes back that the workspace has narrowed it.
    #[arg(long, value_name = "CAPABILITIES", value_delimiter = ',')]
    capabilities: Option<Vec<String>>,
    /// Where it may read and post, by the ids of conversations; `usual` is everywhere.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    conversations: Option<Vec<String>>,
    /// The servers that it may ask, such as `https://api.example.org`; `usual` takes back that the workspace has narrowed them.
    #[arg(long, value_name = "ORIGINS", value_delimiter = ',')]
    origins: Option<Vec<String>>,
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Subcommand)]
pub(in super::super) enum SecretCommand {
    /// Entrust a secret to a plugin, from standard input.
    Set {
        /// The plugin's id.
        plugin: String,
        /// The name by which the plugin's manifest declares it.
        name: String,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Take a secret back.
    Remove {
        /// The plugin's id.
        plugin: String,
        /// Its name.
        name: String,
        #[command(flatten)]
        hub: HubArgs,
    },
}

#[derive(Subcommand)]
pub(in super::super) enum LetterCommand {
    /// List the events that a plugin failed at again and again.
    List {
        /// The plugin's id.
        plugin: String,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Hand an event over once more.
    Retry {
        /// The id of what was laid aside.
        letter: String,
        #[command(flatten)]
        hub: HubArgs,
    },
    /// Drop an event: the plugin will never be told.
    Discard {
        /// The id of what was laid aside.
        letter: String,
        #[command(flatten)]
        hub: HubArgs,
    },
}

/// A word of a manifest, as the API spells it.
fn word(text: &str) -> String {
    text.trim().replace(['.', '-'], "_").to_uppercase()
}

pub(super) fn words(texts: &[String]) -> Value {
    texts.iter().filter(|text| !text.trim().is_empty()).map(|text| json!(word(text))).collect()
}

/// Everything that a package asks for.
pub(super) fn all_of(package: &Package) -> Value {
    package.manifest().capabilities.iter().map(|name| json!(word(name))).collect()
}

pub(super) async fn install(arguments: &InstallArgs) -> Result<(), String> {
    let hub = &arguments.hub;
    let is_file = arguments.package.exists() || arguments.package.extension().is_some_and(|end| end == "wasm");
    let bundled = arguments.package.to_str().filter(|id| !is_file && id.parse::<PluginId>().is_ok());
    if let Some(id) = bundled {
        if arguments.grant_all {
            return Err("what is granted to a plugin that comes with the hub is to be named, with --grant".to_owned());
        }
        let input = json!({ "bundled": id, "grant": words(&arguments.grant) });
        return act(hub, "pluginInstall", input, |plugin| format!("{} is installed", shown(&plugin["id"]))).await;
    }
    // What no hub would take is not even sent.
    let package = read_package(&arguments.package)?;
    let grant = if arguments.grant_all { all_of(&package) } else { words(&arguments.grant) };
    let plugin = put(&Client::new(hub)?, &package, grant).await?;
    done(hub, &plugin, |plugin| match plugin["pendingUpgrade"]["version"].as_str() {
        Some(version) if version == package.manifest().version.to_string() => format!(
            "{} {} waits, because it asks for more: {}; `jackfield plugin upgrade approve` lets it in",
            shown(&plugin["id"]),
            plain(version),
            plain(&plugin["pendingUpgrade"]["newCapabilities"])
        ),
        _ => format!("{} {} is installed", shown(&plugin["id"]), shown(&plugin["version"])),
    })
}

/// Uploads a package and has it installed; answers the plugin.
pub(super) async fn put(client: &Client, package: &Package, grant: Value) -> Result<Value, String> {
    let upload = client.act_bare("pluginUploadCreate", "upload { id path }").await?["upload"].take();
    let path = upload["path"].as_str().ok_or("the hub does not say where to put the package")?;
    client.put(path, package.component().to_vec()).await?;
    let input = json!({ "uploadId": upload["id"], "grant": grant });
    Ok(client.act("pluginInstall", &format!("plugin {{ {FIELDS} }}"), input).await?["plugin"].take())
}

pub(super) async fn upgrade(command: &UpgradeCommand) -> Result<(), String> {
    match command {
        UpgradeCommand::Approve { plugin, grant, hub } => {
            let input = json!({ "pluginId": plugin, "grant": grant.as_deref().map(words) });
            act(hub, "pluginUpgradeApprove", input, in_force).await
        }
        UpgradeCommand::Reject { plugin, hub } => {
            act(hub, "pluginUpgradeReject", json!({ "pluginId": plugin }), in_force).await
        }
    }
}

pub(super) async fn roll_back(plugin: &str, hub: &HubArgs) -> Result<(), String> {
    act(hub, "pluginRollBack", json!({ "pluginId": plugin }), in_force).await
}

fn in_force(plugin: &Value) -> String {
    format!("{} {} is in force", shown(&plugin["id"]), shown(&plugin["version"]))
}

pub(super) async fn remove(arguments: &RemoveArgs) -> Result<(), String> {
    let input = json!({ "pluginId": arguments.plugin, "withData": arguments.kept == Kept::Delete });
    let payload = Client::new(&arguments.hub)?.act("pluginRemove", "removedPluginId", input).await?;
    if arguments.hub.json {
        return say_json(&payload);
    }
    say_line(&format!("{} is removed", shown(&payload["removedPluginId"])));
    Ok(())
}

pub(super) async fn settings(arguments: &SettingsArgs) -> Result<(), String> {
    let is_usual = |words: &[String]| matches!(words, [word] if word == "usual");
    let mut input = Map::new();
    input.insert("pluginId".to_owned(), json!(arguments.plugin));
    input.insert("scope".to_owned(), json!(if arguments.on_hub { "HUB" } else { "WORKSPACE" }));
    if let Some(is_default) = arguments.is_default {
        input.insert("isDefault".to_owned(), json!(is_default));
    }
    if let Some(priority) = arguments.priority.as_deref() {
        let number = match priority {
            "usual" => Value::Null,
            _ => json!(priority.parse::<i32>().map_err(|_| "--priority is a number, or usual")?),
        };
        input.insert("priority".to_owned(), number);
    }
    if let Some(policies) = &arguments.on_failure {
        let policies = if is_usual(policies) {
            Value::Null
        } else {
            let policy = |pair: &String| {
                let (hook, policy) = pair.split_once('=').ok_or("--on-failure is HOOK=POLICY, or usual")?;
                Ok(json!({ "hook": word(hook), "policy": word(policy) }))
            };
            policies.iter().map(policy).collect::<Result<Value, &str>>()?
        };
        input.insert("failurePolicies".to_owned(), policies);
    }
    if let Some(limits) = &arguments.limits {
        let limits = if is_usual(limits) {
            Value::Null
        } else {
            let limit = |pair: &String| {
                let (name, number) = pair.split_once('=')?;
                Some((camel_case(name), json!(number.parse::<u64>().ok()?)))
            };
            let limits: Option<Map<String, Value>> = limits.iter().map(limit).collect();
            Value::Object(limits.ok_or("--limits is LIMIT=NUMBER, or usual")?)
        };
        input.insert("limits".to_owned(), limits);
    }
    if let Some(capabilities) = &arguments.capabilities {
        let capabilities = if is_usual(capabilities) { Value::Null } else { words(capabilities) };
        input.insert("capabilities".to_owned(), capabilities);
    }
    if let Some(conversations) = &arguments.conversations {
        let conversations = if is_usual(conversations) { Value::Null } else { json!(conversations) };
        input.insert("conversationIds".to_owned(), conversations);
    }
    if let Some(origins) = &arguments.origins {
        let origins = if is_usual(origins) { Value::Null } else { json!(origins) };
        input.insert("origins".to_owned(), origins);
    }
    act(&arguments.hub, "pluginSettingsUpdate", Value::Object(input), |plugin| {
        format!("{} is treated so from now on", shown(&plugin["id"]))
    })
    .await
}

/// A limit of a manifest, as the API spells it.
fn camel_case(name: &str) -> String {
    let mut words = name.trim().split(['_', '-']);
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name + letters.as_str()
    })
}

pub(super) async fn secret(command: &SecretCommand) -> Result<(), String> {
    match command {
        SecretCommand::Set { plugin, name, hub } => {
            let value = super::read("-").map_err(|error| format!("standard input: {error}"))?;
            let value = value.strip_suffix('\n').unwrap_or(&value);
            let input = json!({ "pluginId": plugin, "name": name, "value": value });
            act(hub, "pluginSecretSet", input, |plugin| format!("{} has its secret", shown(&plugin["id"]))).await
        }
        SecretCommand::Remove { plugin, name, hub } => {
            let input = json!({ "pluginId": plugin, "name": name });
            act(hub, "pluginSecretRemove", input, |plugin| format!("{} has it no more", shown(&plugin["id"]))).await
        }
    }
}

/// What was laid aside of a plugin, page after page.
async fn all_letters(client: &Client, plugin: &str) -> Result<Vec<Value>, String> {
    let query = "query($after: String) { plugins { id deadLetters(first: 100, after: $after) {
        nodes { id problem attempts createdAt } pageInfo { hasNextPage endCursor } } } }";
    let (mut letters, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = client.ask(query, json!({ "after": after })).await?;
        let mut plugins = data["plugins"].as_array().into_iter().flatten();
        let found = plugins.find(|found| found["id"] == json!(plugin));
        let page = &found.ok_or_else(|| format!("the hub has no plugin {}", plain(plugin)))?["deadLetters"];
        letters.extend(page["nodes"].as_array().into_iter().flatten().cloned());
        if page["pageInfo"]["hasNextPage"] != json!(true) {
            return Ok(letters);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
}

pub(super) async fn letters(command: &LetterCommand) -> Result<(), String> {
    match command {
        LetterCommand::List { plugin, hub } => {
            let letters = all_letters(&Client::new(hub)?, plugin).await?;
            if hub.json {
                return say_json(&Value::Array(letters));
            }
            for letter in &letters {
                say_line(&format!(
                    "{} {} {}",
                    shown(&letter["createdAt"]),
                    shown(&letter["id"]),
                    shown(&letter["problem"])
                ));
            }
            Ok(())
        }
        LetterCommand::Retry { letter, hub } => {
            let input = json!({ "deadLetterId": letter });
            act(hub, "deadLetterRetry", input, |plugin| format!("{} is done with it", shown(&plugin["id"]))).await
        }
        LetterCommand::Discard { letter, hub } => {
            let input = json!({ "deadLetterId": letter });
            act(hub, "deadLetterDiscard", input, |plugin| format!("{} will not be told", shown(&plugin["id"]))).await
        }
    }
}
