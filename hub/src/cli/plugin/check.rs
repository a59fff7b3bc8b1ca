//! `jackfield plugin check`: what a hub would say to a plugin that is to be installed, before anybody installs it.

use std::{fmt::Write, path::Path, time::Instant};

use jackfield_domain::plugins::{Hook, Limits};
use jackfield_plugin_host::{Manifest, Package, manifest::ArgumentKind};
use serde_json::Value;

use crate::graphql::{
    self,
    composed::{Addition, Composition},
};

use super::{super::say, build, load, plain, read, size};

pub(super) async fn run(plugin: &Path) -> Result<(), String> {
    let package = if plugin.is_dir() { build::package(plugin)?.0 } else { read(plugin)? };
    let begun = Instant::now();
    load(&package).await?;
    let fields = fields(package.manifest())?;
    let mut report = describe(&package, &fields);
    let _ = writeln!(report, "a hub takes it: compiled within its limits, in {} ms", begun.elapsed().as_millis());
    say(report);
    Ok(())
}

/// What it says of itself.
fn describe(package: &Package, fields: &[String]) -> String {
    let manifest = package.manifest();
    let mut report = format!("{} {}: {}\n", manifest.id, manifest.version, plain(&manifest.name));
    let mut line = |name: &str, words: String| {
        let _ = writeln!(report, "{name:<14}{words}");
    };
    line("", plain(&manifest.description));
    line("hooks", or_none(Hook::ALL.iter().filter_map(|hook| hook_in_words(manifest, *hook))));
    line("capabilities", or_none(manifest.capabilities.iter().cloned()));
    if !manifest.origins.is_empty() {
        line("servers", or_none(manifest.origins.iter().cloned()));
    }
    line("commands", or_none(manifest.commands.iter().map(command)));
    line("fields", or_none(fields.iter().cloned()));
    line(
        "schedules",
        or_none(manifest.schedules.iter().map(|it| match &it.cron {
            Some(cron) => format!("{} ({})", it.name, plain(cron)),
            None => format!("{} (when it wants to)", it.name),
        })),
    );
    line("secrets", or_none(manifest.secrets.iter().map(|secret| secret.name.clone())));
    line("configuration", or_none(configuration(manifest).into_iter()));
    line("limits", limits(manifest));
    line("data version", manifest.data_version.to_string());
    line("size", size(package.component().len()));
    report
}

/// What it adds to the API.
fn fields(manifest: &Manifest) -> Result<Vec<String>, String> {
    let Some(sdl) = &manifest.graphql else { return Ok(Vec::new()) };
    let addition = Addition { plugin: manifest.id.clone(), sdl: sdl.as_str().into() };
    let added =
        Composition::alone(addition, &graphql::core()).map_err(|why| format!("the `graphql` of plugin.toml: {why}"))?;
    Ok(added.names())
}

fn or_none(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

fn hook_in_words(manifest: &Manifest, hook: Hook) -> Option<String> {
    let wish = manifest.wish(hook)?;
    let mut words = Vec::new();
    if hook.is_before() {
        words.push(format!("{} {}", wish.phase.as_str(), wish.priority));
        words.push(format!("{} on failure", wish.on_failure.as_str()));
    }
    words.extend(wish.message_kinds.iter().flatten().map(|kind| kind.as_str().to_owned()));
    words.extend(wish.events.iter().map(|kind| kind.as_str().to_owned()));
    words.extend(wish.containing.iter().flatten().map(|piece| format!("containing «{piece}»")));
    let name = hook.as_str();
    Some(if words.is_empty() { name.to_owned() } else { format!("{name} ({})", words.join(", ")) })
}

/// As somebody would type it.
fn command(command: &jackfield_plugin_host::manifest::Command) -> String {
    let mut words = format!("/{}", command.name);
    for argument in &command.arguments {
        let kind = match argument.kind {
            ArgumentKind::Text => "text",
            ArgumentKind::Number => "number",
            ArgumentKind::Flag => "flag",
            ArgumentKind::User => "user",
            ArgumentKind::Conversation => "conversation",
        };
        let (open, close) = if argument.required { ('<', '>') } else { ('[', ']') };
        let _ = write!(words, " {open}{}: {kind}{close}", argument.name);
    }
    words
}

fn configuration(manifest: &Manifest) -> Vec<String> {
    let properties = manifest.configuration.as_ref().and_then(|schema| schema.get("properties")?.as_object());
    properties.map(|properties| properties.keys().map(plain).collect()).unwrap_or_default()
}

/// Those that it wants lower, and the usual ones beside them.
fn limits(manifest: &Manifest) -> String {
    let usual = Limits::default();
    let Ok(own) = usual.lowered(&manifest.limits) else { return "not good".to_owned() };
    let (Ok(Value::Object(own)), Ok(usual)) = (serde_json::to_value(own), serde_json::to_value(usual)) else {
        return "not known".to_owned();
    };
    let lower = own.iter().filter(|(name, value)| usual[name.as_str()] != **value);
    let lower = lower.map(|(name, value)| format!("{name} {value} (usually {})", usual[name.as_str()]));
    let lower: Vec<String> = lower.collect();
    if lower.is_empty() { "the usual ones".to_owned() } else { lower.join(", ") }
}
