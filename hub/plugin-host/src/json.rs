//! The contract in JSON, for whoever runs a plugin from outside of a hub, as `jackfield plugin test` does.
//!
//! Hooks and capabilities have their names and arguments from the contract, and what serde makes of its types. The plugin runs in
//! the real host; what it asks for, and what is to be done of what it issued, somebody else answers ([`Counterpart`]).

mod counterpart;
mod meaning;
mod questions;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jackfield_domain::{
    Timestamp, WorkspaceId,
    plugins::{Capability, Hook, Limits, LogLevel, LogLine},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use counterpart::Counterpart;

use crate::{
    configuration::Configurations,
    host::{Measures, Occasion, Plugin, PluginHost},
    live::Module,
    package::group_of,
    run::Grants,
};
use counterpart::{Around, carry_out};

/// The clock goes on while the test answers, and while others have the processor. So there is more time on it than a hub
/// gives; how long the plugin may compute is what it is there.
const PATIENCE: u64 = 20;

/// What a plugin is asked, and what the hub is like that it believes to be in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The hook: `message-hooks.before-create`.
    pub ask: String,
    /// Its arguments.
    #[serde(default)]
    pub with: Vec<Value>,
    /// What time it is, in milliseconds since 1970.
    pub now: i64,
    /// What an admin configured.
    #[serde(default)]
    pub configuration: Map<String, Value>,
    /// The capabilities that were not granted of those that the manifest names.
    #[serde(default)]
    pub denied: BTreeSet<String>,
    /// What an admin entrusted to the plugin.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// How much of its own data it keeps.
    #[serde(default)]
    pub storage_bytes: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Answered {
    /// What the hook answered, or what went wrong, in words for the plugin's author.
    pub answer: Result<Value, String>,
    pub measures: Measures,
    pub log: Vec<LogLine>,
}

impl Answered {
    fn not_asked(why: String) -> Self {
        Answered { answer: Err(why), measures: Measures::default(), log: Vec::new() }
    }

    /// The log as arguments of `log.write`.
    pub fn log_in_json(&self) -> Value {
        let level = |level| match level {
            LogLevel::Debug => "Debug",
            LogLevel::Info => "Info",
            LogLevel::Warn => "Warn",
            LogLevel::Error => "Error",
        };
        self.log.iter().map(|line| json!([level(line.level), line.text])).collect()
    }
}

/// Asks a plugin, under the limits that its manifest leaves it, and has done what it issued.
pub async fn ask(
    host: &PluginHost,
    module: &Arc<Module>,
    question: Question,
    counterpart: Arc<dyn Counterpart>,
) -> Answered {
    let hook = match wanted(module, &question.ask) {
        Ok(hook) => hook,
        Err(why) => return Answered::not_asked(why),
    };
    let plugin = match switched_on(module, &question) {
        Ok(plugin) => plugin,
        Err(why) => return Answered::not_asked(why),
    };
    let Question { with, now, secrets, storage_bytes, .. } = question;
    let bridge = Arc::new(Around { counterpart: Arc::clone(&counterpart), secrets, storage_bytes });
    let occasion = Occasion { bridge, workspace: workspace(), viewer: None, now: Timestamp(now) };
    let outcome = match questions::put(host, &plugin, occasion, hook, with).await {
        Ok(outcome) => outcome,
        Err(why) => return Answered::not_asked(why),
    };
    let mut answer = outcome.answer.map_err(|failure| failure.what);
    if answer.is_ok()
        && let Err(why) = carry_out(&*counterpart, outcome.issued).await
    {
        answer = Err(why);
    }
    Answered { answer, measures: outcome.measures, log: outcome.logs }
}

/// The workspace of whoever runs a plugin from outside.
fn workspace() -> WorkspaceId {
    "wsp_00000000000000000000000000000001".parse().expect("this is an id")
}

/// A hook as the contract calls it, which is not always the word of the manifest.
fn name_of(hook: Hook) -> String {
    let function = match hook {
        Hook::Schedule | Hook::Command => "run",
        hook => hook.as_str(),
    };
    format!("{}.{function}", group_of(hook))
}

fn wanted(module: &Module, name: &str) -> Result<Hook, String> {
    let Some(hook) = Hook::ALL.iter().copied().find(|hook| name_of(*hook) == name) else {
        let names: Vec<String> = Hook::ALL.iter().map(|hook| name_of(*hook)).collect();
        return Err(format!("there is no hook «{}»; there are {}", crate::convert::cut(name), names.join(", ")));
    };
    if module.wish(hook).is_some() {
        return Ok(hook);
    }
    Err(match hook {
        Hook::Schedule => "plugin.toml names no schedules, so that a hub would never run one".to_owned(),
        Hook::Command => "plugin.toml names no commands, so that a hub would never run one".to_owned(),
        Hook::Resolve | Hook::Mutate => {
            "plugin.toml has no `graphql`, so that a hub has no fields to ask for".to_owned()
        }
        hook => format!("plugin.toml does not name the hook {}, so that a hub would never call it", hook.as_str()),
    })
}

fn switched_on(module: &Arc<Module>, question: &Question) -> Result<Plugin, String> {
    let manifest = module.manifest();
    if let Some(name) = question.denied.iter().find(|name| Capability::from_word(name).is_none()) {
        return Err(format!("there is no capability «{}» that could be denied", crate::convert::cut(name)));
    }
    let mut capabilities = manifest.wanted();
    capabilities.retain(|capability| !question.denied.contains(capability.as_str()));
    let configurations = Configurations::of(manifest.configuration.as_ref())?;
    let configuration = configurations.complete(&question.configuration).map_err(|problem| {
        format!("the configuration does not fit the one in plugin.toml: {}: {}", problem.path, problem.message)
    })?;
    let limits = Limits::default().lowered(&manifest.limits).map_err(|refused| refused.to_string())?;
    Ok(Plugin {
        module: Arc::clone(module),
        grants: Arc::new(Grants {
            capabilities,
            conversations: None,
            origins: manifest.wanted_origins().into_iter().collect(),
        }),
        configuration: configuration.to_string().into(),
        limits: Limits { before_wall_ms: limits.before_wall_ms * PATIENCE, ..limits },
    })
}
