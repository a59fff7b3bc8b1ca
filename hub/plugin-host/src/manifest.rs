//! The manifest: what a plugin says of itself. It is written as `plugin.toml` and travels inside the component as JSON.
//!
//! Whoever reads an error of these is the plugin's author or the operator who installs it, so each says what to do.

mod arguments;
mod times;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jackfield_domain::{
    events::EventKind,
    messages::MessageKind,
    plugins::{
        Capability, FailurePolicy, Hook, LimitChanges, Limits, Origin, Phase, PluginId, Wanted, check_word, origins,
    },
};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::configuration::Configurations;

/// The custom section of a component that holds its manifest.
pub const SECTION: &str = "jackfield:manifest";

const NAME_MAX: usize = 80;
const DESCRIPTION_MAX: usize = 1_000;
/// A manifest has at most so many bytes.
const MANIFEST_MAX_BYTES: usize = 1 << 20;
/// More than these of anything is a mistake.
const MANY: usize = 100;

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    pub id: PluginId,
    pub version: Version,
    /// Grows when what the plugin keeps is no longer what an earlier version can read.
    #[serde(default = "one")]
    pub data_version: u32,
    /// How it is called where people choose.
    pub name: String,
    pub description: String,
    /// The hooks that it wants to be called for. Those of schedules and commands are wanted by naming schedules and commands.
    /// These names and those of the capabilities are any text here, so that unknown ones are refused in words.
    #[serde(default)]
    pub hooks: BTreeMap<String, HookWish>,
    #[serde(default)]
    pub capabilities: BTreeSet<String>,
    /// The servers that it asks: `https://api.example.org`. Any text here, as above.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub origins: BTreeSet<String>,
    /// The secrets that an admin is to entrust to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretWish>,
    /// A JSON Schema for an object; none where there is nothing to configure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
    /// What it adds to the GraphQL schema. Who makes the schema reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphql: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Command>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<Schedule>,
    /// Less than the usual limits.
    #[serde(default)]
    pub limits: LimitChanges,
    /// Whether a plugin that comes with the hub is on where nobody has decided yet.
    #[serde(default)]
    pub on_at_first_start: bool,
}

/// Whether a hook is wanted by its name, and not by what it is for: schedules, commands and fields.
fn is_named(hook: Hook) -> bool {
    !matches!(hook, Hook::Schedule | Hook::Command | Hook::Resolve | Hook::Mutate)
}

fn one() -> u32 {
    1
}

/// How a plugin wants to be called for a hook. What does not concern the hook is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HookWish {
    /// Of a before-hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Of a before-hook: within its phase the lower one is asked first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    /// Of a before-hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<FailurePolicy>,
    /// Of the hooks about messages: only messages of these kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_kinds: Option<Vec<MessageKind>>,
    /// Of `on-events`: the kinds of events that it is told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventKind>>,
}

/// A secret that the plugin refers to by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecretWish {
    pub name: String,
    pub description: String,
}

/// Something that people can ask the plugin to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Command {
    pub name: String,
    pub description: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Argument>,
}

/// What a command wants to know; enough for a client to ask for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Argument {
    pub name: String,
    pub description: String,
    pub kind: ArgumentKind,
    #[serde(default)]
    pub required: bool,
    /// Of a text: the only values that it may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArgumentKind {
    Text,
    Number,
    Flag,
    User,
    Conversation,
}

/// Work that is due at certain times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Schedule {
    pub name: String,
    /// Five fields, in UTC: minute, hour, day of the month, month, day of the week. None where it runs when the plugin wants it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
}

/// How a plugin wants to be called for one hook, once its manifest is known to be good.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub phase: Phase,
    pub priority: i32,
    pub on_failure: FailurePolicy,
    /// None means any.
    pub message_kinds: Option<Vec<MessageKind>>,
    pub events: Vec<EventKind>,
}

/// Why a manifest is not good, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest cannot be read: {0}; correct plugin.toml and build the plugin again")]
    Unreadable(String),
    #[error("the manifest's `{place}` is not good: {what}; correct it in plugin.toml and build the plugin again")]
    Wrong { place: String, what: String },
    #[error(
        "the manifest asks for the hook `{hook}`, which this hub does not have; it has {known}. \
         Correct plugin.toml, or install the plugin in a newer hub"
    )]
    UnknownHook { hook: String, known: String },
    #[error(
        "the manifest asks for the capability `{capability}`, which this hub does not have; it has {known}. \
         Correct plugin.toml, or install the plugin in a newer hub"
    )]
    UnknownCapability { capability: String, known: String },
}

impl Manifest {
    /// Reads a manifest and checks all that can be checked without the component.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        if json.len() > MANIFEST_MAX_BYTES {
            let what = format!("it has {} bytes, at most {MANIFEST_MAX_BYTES} are allowed", json.len());
            return Err(ManifestError::Unreadable(what));
        }
        let manifest = Self::read(json)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// A manifest that was good when its package was installed. Where it no longer is, because the rules have become stricter
    /// since, why; and nothing is left of it that the hub would have to understand.
    pub fn stored(json: &[u8]) -> Result<(Self, Option<ManifestError>), ManifestError> {
        let manifest = Self::read(json)?;
        let Err(refused) = manifest.check() else { return Ok((manifest, None)) };
        let (commands, schedules, limits) = (Vec::new(), Vec::new(), LimitChanges::default());
        let left = Manifest { configuration: None, graphql: None, commands, schedules, limits, ..manifest };
        Ok((left, Some(refused)))
    }

    fn read(json: &[u8]) -> Result<Self, ManifestError> {
        serde_json::from_slice(json).map_err(|error| ManifestError::Unreadable(error.to_string()))
    }

    /// How it wants to be called for a hook, if at all.
    pub fn wish(&self, hook: Hook) -> Option<Wish> {
        match hook {
            Hook::Schedule if self.schedules.is_empty() => return None,
            Hook::Command if self.commands.is_empty() => return None,
            Hook::Resolve | Hook::Mutate if self.graphql.is_none() => return None,
            _ => {}
        }
        let written = match hook {
            hook if !is_named(hook) => HookWish::default(),
            _ => self.hooks.get(hook.as_str())?.clone(),
        };
        Some(Wish {
            phase: written.phase.unwrap_or(Phase::Enrich),
            priority: written.priority.unwrap_or(0),
            on_failure: written.on_failure.unwrap_or(FailurePolicy::Open),
            message_kinds: written.message_kinds,
            events: written.events.unwrap_or_default(),
        })
    }

    /// The capabilities that it asks for.
    pub fn wanted(&self) -> HashSet<Capability> {
        self.capabilities.iter().filter_map(|name| Capability::from_word(name)).collect()
    }

    /// The servers that it asks for.
    pub fn wanted_origins(&self) -> BTreeSet<Origin> {
        self.origins.iter().filter_map(|origin| origin.parse().ok()).collect()
    }

    /// All that it asks for.
    pub fn wants(&self) -> Wanted {
        Wanted { capabilities: self.wanted().into_iter().collect(), origins: self.wanted_origins() }
    }

    fn check(&self) -> Result<(), ManifestError> {
        text("name", &self.name, NAME_MAX)?;
        text("description", &self.description, DESCRIPTION_MAX)?;
        if self.data_version == 0 {
            return Err(wrong("data-version", "it begins at 1"));
        }
        for (name, wish) in &self.hooks {
            Self::check_hook(name, wish)?;
        }
        for name in &self.capabilities {
            if Capability::from_word(name).is_none() {
                let known = listed(Capability::ALL.iter().map(|capability| capability.as_str()));
                return Err(ManifestError::UnknownCapability { capability: name.clone(), known });
            }
        }
        self.check_origins()?;
        self.check_secrets()?;
        self.check_commands()?;
        let names = self.schedules.iter().map(|schedule| &schedule.name);
        check_names("schedules", names)?;
        for schedule in &self.schedules {
            let Some(cron) = &schedule.cron else { continue };
            if cron.split_whitespace().count() != 5 {
                let what = "`cron` has five fields: minute, hour, day of the month, month, day of the week";
                return Err(wrong(&format!("schedules.{}", schedule.name), what));
            }
            schedule.check().map_err(|what| wrong(&format!("schedules.{}", schedule.name), &what))?;
        }
        Configurations::of(self.configuration.as_ref()).map_err(|what| wrong("configuration", &what))?;
        Limits::default().lowered(&self.limits).map_err(|refused| wrong("limits", &refused.to_string()))?;
        Ok(())
    }

    fn check_hook(name: &str, wish: &HookWish) -> Result<(), ManifestError> {
        let place = format!("hooks.{name}");
        let Some(hook) = Hook::from_word(name).filter(|hook| is_named(*hook)) else {
            let known = listed(Hook::ALL.iter().filter(|hook| is_named(**hook)).map(|hook| hook.as_str()));
            return Err(ManifestError::UnknownHook { hook: name.to_owned(), known });
        };
        let of_order = wish.phase.is_some() || wish.priority.is_some() || wish.on_failure.is_some();
        if of_order && !hook.is_before() {
            return Err(wrong(&place, "`phase`, `priority` and `on-failure` are for before-hooks"));
        }
        if wish.on_failure == Some(FailurePolicy::Hold) && hook != Hook::BeforeCreate {
            return Err(wrong(&place, "only `before-create` can hold: take `open` or `closed`"));
        }
        let about_messages = matches!(hook, Hook::BeforeCreate | Hook::BeforeEdit | Hook::BeforeDelete);
        if wish.message_kinds.is_some() && !about_messages {
            return Err(wrong(&place, "`message-kinds` is for the hooks about messages"));
        }
        match (&wish.events, hook) {
            (None, Hook::OnEvents) => Err(wrong(&place, "it needs `events`, the kinds of events that it is told of")),
            (Some(events), Hook::OnEvents) if events.is_empty() => {
                Err(wrong(&place, "`events` is empty: name the kinds of events that it is told of"))
            }
            (Some(events), Hook::OnEvents) => match events.iter().find(|kind| !may_be_told(**kind)) {
                Some(kind) => Err(wrong(
                    &place,
                    &format!("`{}` is nobody's business but that of those whom it is for", kind.as_str()),
                )),
                None => Ok(()),
            },
            (Some(_), _) => Err(wrong(&place, "`events` is for `on-events`")),
            (None, _) => Ok(()),
        }
    }

    fn check_origins(&self) -> Result<(), ManifestError> {
        origins(&self.origins).map_err(|why| wrong("origins", &why))?;
        match (self.wanted().contains(&Capability::Http), self.origins.is_empty()) {
            (true, true) => Err(wrong("origins", "`http` is for the servers that it names, and there are none")),
            (false, false) => Err(wrong("origins", "there are some, but `capabilities` does not list `http`")),
            _ => Ok(()),
        }
    }

    fn check_secrets(&self) -> Result<(), ManifestError> {
        check_names("secrets", self.secrets.iter().map(|secret| &secret.name))?;
        for secret in &self.secrets {
            text(&format!("secrets.{}.description", secret.name), &secret.description, DESCRIPTION_MAX)?;
        }
        if !self.secrets.is_empty() && !self.wanted().contains(&Capability::Secrets) {
            return Err(wrong("secrets", "there are some, but `capabilities` does not list `secrets`"));
        }
        Ok(())
    }

    fn check_commands(&self) -> Result<(), ManifestError> {
        check_names("commands", self.commands.iter().map(|command| &command.name))?;
        for command in &self.commands {
            let place = format!("commands.{}", command.name);
            text(&format!("{place}.description"), &command.description, DESCRIPTION_MAX)?;
            check_names(&format!("{place}.arguments"), command.arguments.iter().map(|argument| &argument.name))?;
            for argument in &command.arguments {
                let place = format!("{place}.arguments.{}", argument.name);
                text(&format!("{place}.description"), &argument.description, DESCRIPTION_MAX)?;
                if !argument.choices.is_empty() && argument.kind != ArgumentKind::Text {
                    return Err(wrong(&place, "`choices` is for arguments of the kind `text`"));
                }
            }
        }
        Ok(())
    }
}

/// What happens to one user alone is not told to programs that others chose, nor what plugins have to say to people.
fn may_be_told(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::SessionStarted
            | EventKind::SessionEnded
            | EventKind::BotTokenRevoked
            | EventKind::ConversationLeft
            | EventKind::ConversationSettingsUpdated
            | EventKind::BlocksUpdated
            | EventKind::MessageHidden
            | EventKind::PluginEvent
    )
}

fn check_names<'a>(place: &str, names: impl Iterator<Item = &'a String>) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for name in names {
        check_word(name).map_err(|what| wrong(&format!("{place}.{name}"), &what))?;
        if !seen.insert(name) {
            return Err(wrong(&format!("{place}.{name}"), "the name is there twice"));
        }
    }
    if seen.len() > MANY {
        return Err(wrong(place, &format!("there are at most {MANY}")));
    }
    Ok(())
}

fn text(place: &str, text: &str, max: usize) -> Result<(), ManifestError> {
    jackfield_domain::text::within("text", text, max).map_err(|refused| wrong(place, &refused.to_string()))?;
    if !jackfield_domain::text::is_visible(text) {
        return Err(wrong(place, "it must not be empty"));
    }
    Ok(())
}

fn wrong(place: &str, what: &str) -> ManifestError {
    ManifestError::Wrong { place: place.to_owned(), what: what.to_owned() }
}

fn listed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn manifest() -> Value {
        json!({
            "id": "example.greeter",
            "version": "1.2.3",
            "data-version": 2,
            "name": "Greeter",
            "description": "Says hello.",
            "hooks": {
                "before-create": {
                    "phase": "moderate", "priority": 5, "on-failure": "hold", "message-kinds": ["text", "poll"]
                },
                "on-events": { "events": ["message_sent", "conversation_created"] },
                "install": {}
            },
            "capabilities": ["kv", "messages.read", "secrets", "http"],
            "origins": ["https://api.example.org"],
            "secrets": [{ "name": "key", "description": "What it signs with." }],
            "configuration": { "type": "object", "properties": { "words": { "type": "array" } } },
            "commands": [{
                "name": "hello", "description": "Says hello.",
                "arguments": [{ "name": "whom", "description": "Whom to greet.", "kind": "user", "required": true }]
            }],
            "schedules": [{ "name": "daily", "cron": "0 2 * * *" }],
            "limits": { "memory-bytes": 1_048_576, "before-cpu-ms": 2 },
            "on-at-first-start": true
        })
    }

    fn parse(value: &Value) -> Result<Manifest, ManifestError> {
        Manifest::parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_manifest_says_what_its_plugin_wants() {
        let manifest = parse(&manifest()).unwrap();
        let wish = manifest.wish(Hook::BeforeCreate).unwrap();
        assert_eq!((wish.phase, wish.priority, wish.on_failure), (Phase::Moderate, 5, FailurePolicy::Hold));
        assert_eq!(wish.message_kinds, Some(vec![MessageKind::Text, MessageKind::Poll]));
        assert_eq!(manifest.wish(Hook::Install).unwrap().on_failure, FailurePolicy::Open);
        assert!(manifest.wish(Hook::Command).is_some() && manifest.wish(Hook::Schedule).is_some());
        assert!(manifest.wish(Hook::BeforeEdit).is_none());
        assert_eq!((manifest.wanted().len(), manifest.wanted_origins().len()), (4, 1));
        assert_eq!(parse(&serde_json::to_value(&manifest).unwrap()).unwrap(), manifest);
    }

    #[test]
    fn what_is_wrong_with_a_manifest_is_said() {
        let told = |pointer: &str, value: Value| {
            let mut changed = manifest();
            *changed.pointer_mut(pointer).expect("it is there") = value;
            parse(&changed).expect_err(pointer).to_string()
        };
        for (pointer, value, expected) in [
            ("/id", json!("greeter"), "two or more words with dots"),
            ("/version", json!("one"), "cannot be read"),
            ("/data-version", json!(0), "begins at 1"),
            ("/name", json!(" "), "`name`"),
            (
                "/hooks",
                json!({ "before-crate": {} }),
                "the hook `before-crate`, which this hub does not have; it has before-create",
            ),
            ("/hooks", json!({ "schedule": {} }), "does not have"),
            ("/hooks", json!({ "install": { "phase": "enrich" } }), "for before-hooks"),
            ("/hooks", json!({ "before-edit": { "on-failure": "hold" } }), "only `before-create` can hold"),
            ("/hooks", json!({ "before-join": { "message-kinds": [] } }), "about messages"),
            ("/hooks", json!({ "on-events": {} }), "it needs `events`"),
            ("/hooks", json!({ "on-events": { "events": [] } }), "`events` is empty"),
            ("/hooks", json!({ "on-events": { "events": ["message_zent"] } }), "unknown variant `message_zent`"),
            ("/hooks", json!({ "on-events": { "events": ["session_started"] } }), "nobody's business"),
            ("/capabilities", json!(["files"]), "the capability `files`, which this hub does not have; it has kv"),
            ("/capabilities", json!([]), "does not list `http`"),
            ("/capabilities", json!(["http"]), "does not list `secrets`"),
            ("/origins", json!([]), "there are none"),
            ("/origins", json!(["api.example.org"]), "«api.example.org» is none: an origin is a scheme and a host"),
            ("/origins", json!(["https://api.example.org/v1"]), "an origin is"),
            ("/origins", json!(["https://*.example.org"]), "an origin is"),
            ("/configuration", json!({ "type": "array" }), "at its root"),
            ("/configuration/properties/words/type", json!("strange"), "JSON Schema is not good"),
            (
                "/configuration/properties/words",
                json!({ "$ref": "https://elsewhere.example/x" }),
                "/properties/words/$ref is not taken",
            ),
            ("/commands/0/name", json!("Say hello"), "small letters"),
            ("/commands/0/arguments/0/kind", json!("colour"), "cannot be read"),
            ("/schedules/0/cron", json!("daily"), "five fields"),
            ("/schedules/0/cron", json!("61 * * * *"), "`cron` cannot be read"),
            ("/schedules/0/cron", json!("0 0 30 2 *"), "never comes"),
            ("/limits/memory-bytes", json!(1_073_741_824), "memory_bytes is 1073741824; it must be from"),
            ("/limits", json!({ "speed": 1 }), "cannot be read"),
        ] {
            let told = told(pointer, value.clone());
            assert!(told.contains(expected), "{pointer} = {value}: {told}");
            assert!(told.contains("plugin.toml"), "it says what to do: {told}");
        }
        assert!(Manifest::parse(b"{").is_err());
    }
}
