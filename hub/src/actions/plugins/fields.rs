//! Fields that plugins add to the API: asked for by a viewer, with whose eyes the plugin looks.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, Rejection,
    plugins::{FailureKind, Issued, LogLevel, LogLine, PluginId},
};
use jackfield_plugin_host::{
    Occasion,
    hooks::{MutateField, ResolveField},
};
use serde_json::Value;

use super::{
    super::{Core, Viewer},
    aside::{self, Asked as Outcome},
    before::Tries,
    commands,
    effects::{self, Waking},
    here::Local,
    occasion,
};
use crate::{Error, Result};

/// What is asked of a plugin: of all things in one answer, what has this in common is asked at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Asked {
    pub plugin: PluginId,
    /// What the field was added to.
    pub parent: &'static str,
    pub field: String,
    /// A JSON object.
    pub arguments: String,
    /// What is asked for within it: `options.text`.
    pub selected: Vec<String>,
}

/// A thing that a field is asked of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Thing {
    /// Empty where the field is one of `Query`.
    pub id: String,
    /// Where it is, if it is in a conversation.
    pub place: Option<ConversationId>,
}

/// The values of a field, one for each of the things; null where the plugin is off, and why where it failed.
pub async fn resolve(
    core: &Arc<Core>,
    viewer: &Viewer,
    asked: &Asked,
    things: &[Thing],
) -> Result<Vec<Result<Value, Rejection>>> {
    let mut values: Vec<Result<Value, Rejection>> = things.iter().map(|_| Ok(Value::Null)).collect();
    let here = aside::once_prepared(core, viewer.workspace(), &asked.plugin).await?;
    let Some(local) = here.find(&asked.plugin).filter(|local| has_fields(local)) else { return Ok(values) };
    let (places, within): (Vec<usize>, Vec<String>) = things
        .iter()
        .enumerate()
        .filter(|(_, thing)| is_for(local, thing.place))
        .map(|(place, thing)| (place, thing.id.clone()))
        .unzip();
    if within.is_empty() {
        return Ok(values);
    }
    // Nobody waits for a plugin as they would wait for the hub: what it cannot answer now is an error in its place.
    let not_now = || {
        let why = "it cannot be asked now; those who run the workspace see why";
        Ok(things.iter().map(|_| Err(failed(&asked.plugin, why))).collect())
    };
    let Ok(_place) = core.plugins.fields.beside(&asked.plugin).await else { return not_now() };
    let (arguments, selected) = (asked.arguments.clone(), asked.selected.clone());
    let question = ResolveField::new(asked.parent, &asked.field, arguments, selected, within, viewer.user());
    let occasion = Occasion { viewer: Some(viewer.id()), ..occasion(core, viewer.workspace(), core.clock.now()) };
    let answered = match aside::ask(core, local, occasion, question).await {
        Outcome::Answered { answer, .. } => answer,
        Outcome::Failed(_) => vec![Err(String::new()); places.len()],
        Outcome::Resting | Outcome::Unable(_) => return not_now(),
    };
    let mut lines = Vec::new();
    for (place, value) in places.into_iter().zip(answered) {
        let value = value.and_then(|json| serde_json::from_str(&json).map_err(|error| format!("no JSON: {error}")));
        values[place] = value.map_err(|what| {
            if !what.is_empty() {
                let text = format!("{}.{} of {}: {what}", asked.parent, asked.field, things[place].id);
                lines.push(LogLine { at: core.clock.now(), level: LogLevel::Error, text });
            }
            failed(&asked.plugin, "those who run the workspace find out why in its log")
        });
    }
    core.plugins.journal.note(core, viewer.workspace(), &asked.plugin, &lines);
    Ok(values)
}

/// Does what a field of `Mutation` stands for; answers its payload. What the plugin issues is committed first, also where it
/// refuses.
pub async fn mutate(
    core: &Arc<Core>,
    viewer: &Viewer,
    plugin: &PluginId,
    field: &str,
    arguments: String,
) -> Result<Value> {
    let here = aside::once_prepared(core, viewer.workspace(), plugin).await?;
    let disabled = || Rejection::PluginDisabled { plugin: plugin.clone() };
    let local = here.find(plugin).filter(|local| local.is_on_somewhere() && has_fields(local)).ok_or_else(disabled)?;
    let _place = core.plugins.commands.enter(viewer.id(), local.id()).await?;
    let tries = Tries::new(core, viewer.workspace());
    let done = tries.until_done(|| async {
        let question = MutateField::new(field, arguments.clone(), viewer.user());
        let occasion = Occasion { viewer: Some(viewer.id()), ..occasion(core, viewer.workspace(), core.clock.now()) };
        let (answer, issued) = match aside::ask(core, local, occasion, question).await {
            Outcome::Answered { answer, issued } => (answer, issued),
            Outcome::Failed(failure) if failure.kind == FailureKind::Hub => {
                return Err(Error::unavailable(failure.what));
            }
            Outcome::Failed(_) => {
                return Err(failed(plugin, "those who run the workspace find out why in its log").into());
            }
            Outcome::Resting | Outcome::Unable(_) => {
                return Err(failed(plugin, "it cannot be asked now; those who run the workspace see why").into());
            }
        };
        if !issued.is_empty() {
            commit(core, viewer, local, issued).await?;
        }
        answer.map_err(|refusal| Rejection::RefusedByPlugin { plugin: plugin.clone(), refusal }.into())
    });
    let payload = done.await?;
    serde_json::from_str(&payload).map_err(|error| failed(plugin, &format!("it answers no JSON: {error}")).into())
}

async fn commit(core: &Arc<Core>, viewer: &Viewer, local: &Local, issued: Issued) -> Result<()> {
    let workspace = viewer.workspace();
    let here = super::here(core, workspace).await?;
    let issued = commands::within_reach(core, viewer, local, issued).await?;
    let issued = effects::awaited(core, &here, local, viewer, issued).await?;
    let _waking = Waking::of(core, &issued.effects);
    core.store.change(issued).await?;
    Ok(())
}

/// Whether the plugin is on there, and may look there.
fn is_for(local: &Local, place: Option<ConversationId>) -> bool {
    let sees = |place| local.ready.as_ref().is_none_or(|plugin| plugin.grants.sees(place));
    match place {
        None => local.is_on_somewhere(),
        Some(place) => local.is_on_in(Some(place)) && sees(place),
    }
}

/// Where the data is not yet that of the version which added them, the version before is at work.
fn has_fields(local: &Local) -> bool {
    local.loaded.manifest.graphql.is_some()
}

fn failed(plugin: &PluginId, why: &str) -> Rejection {
    Rejection::PluginFailed { plugin: plugin.clone(), why: why.to_owned() }
}
