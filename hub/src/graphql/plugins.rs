//! Plugins in the API, for those who run a workspace or the hub: what there is, how it does, and what it did.

mod health;
mod letters;
mod packages;
mod settings;
mod switching;
mod verdicts;

use std::{collections::BTreeSet, sync::Arc};

use async_graphql::{Context, Enum, ID, InputObject, MergedObject, Object, Result, SimpleObject, Subscription};
use futures_util::Stream;
use jackfield_domain::{Rejection, plugins as words};
use uuid::Uuid;

use self::{
    health::PluginHealth,
    letters::{DeadLetter, DeadLetterMutation},
    packages::{PackageMutation, PluginUpgrade},
    settings::{PluginHook, PluginSecret, PluginSettings, PluginSettingsMutation},
    switching::SwitchingMutation,
    verdicts::{PluginVerdict, PluginVerdictFilter},
};
use super::{
    conversations::page,
    errors::{UserError, refusals},
    live::{Item, Source},
    pages::Connection,
    scalars::{DateTime, Json},
    scope::Scoped,
};
use crate::{Error, actions, actions::plugins::admin::Seen};

/// What a plugin may do. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::Capability")]
pub enum PluginCapability {
    /// Data of its own.
    Kv,
    /// Reading messages.
    MessagesRead,
    /// Sending messages as its own bot user.
    MessagesPost,
    /// Reading conversations and who is in them.
    ConversationsRead,
    /// Reading who is in the workspace.
    UsersRead,
    /// A value of its own beside a message.
    Annotations,
    /// Saying who is meant by a message.
    Mentions,
    /// Telling people news of its own.
    Notices,
    /// Signing with secrets that it never sees.
    Secrets,
    /// Asking the servers that were granted to it by their origins, on the public internet.
    Http,
    /// Getting whatever is public on the internet, by `GET` alone.
    FetchPublicUrl,
}

/// How much a line of a plugin's log matters. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::LogLevel")]
pub enum PluginLogLevel {
    /// For whoever looks for a fault.
    Debug,
    /// What the plugin did.
    Info,
    /// What is odd.
    Warn,
    /// What went wrong.
    Error,
}

pub struct Plugin(Arc<Seen>);

/// A plugin of this hub, as the viewer's workspace has it.
#[Object]
impl Plugin {
    /// Its id, such as `example.greeter`.
    async fn id(&self) -> ID {
        self.0.loaded.installed.plugin.to_string().into()
    }

    /// How it is called.
    async fn name(&self) -> &str {
        &self.0.loaded.manifest.name
    }

    /// What it does.
    async fn description(&self) -> &str {
        &self.0.loaded.manifest.description
    }

    /// The version that is in force.
    async fn version(&self) -> String {
        self.0.loaded.manifest.version.to_string()
    }

    /// Whether it is on in the workspace, where no conversation says otherwise.
    async fn is_on(&self) -> bool {
        self.0.is_on
    }

    /// The conversations that say otherwise.
    async fn exceptions(&self) -> Vec<PluginException> {
        let exception = |(conversation, is_on): &(jackfield_domain::ConversationId, bool)| PluginException {
            conversation_id: conversation.to_string().into(),
            is_on: *is_on,
        };
        self.0.elsewhere.iter().map(exception).collect()
    }

    /// What is configured.
    async fn configuration(&self) -> Json {
        Json(self.0.configuration.clone())
    }

    /// What can be configured, as a JSON Schema; null where nothing can.
    async fn configuration_schema(&self) -> Option<Json> {
        self.0.loaded.manifest.configuration.clone().map(Json)
    }

    /// What it asks for.
    async fn wanted_capabilities(&self) -> Vec<PluginCapability> {
        let mut wanted: Vec<words::Capability> = self.0.loaded.manifest.wanted().into_iter().collect();
        wanted.sort_unstable();
        wanted.into_iter().map(Into::into).collect()
    }

    /// What it may do in the workspace: what the hub grants, as far as the workspace has not narrowed it.
    async fn granted_capabilities(&self) -> Vec<PluginCapability> {
        self.0.granted.capabilities.iter().map(|capability| (*capability).into()).collect()
    }

    /// The conversations to which what it may read and write is narrowed; null where it is not.
    async fn granted_conversation_ids(&self) -> Option<Vec<ID>> {
        let among = self.0.granted.conversations.as_ref()?;
        Some(among.iter().map(|conversation| conversation.to_string().into()).collect())
    }

    /// The servers that it asks for, as origins: `https://api.example.org`.
    async fn wanted_origins(&self) -> Vec<String> {
        self.0.loaded.manifest.wanted_origins().iter().map(ToString::to_string).collect()
    }

    /// The servers that it may ask for the workspace: those that the hub grants, as far as the workspace has not narrowed it.
    async fn granted_origins(&self) -> Vec<String> {
        let granted = words::Wanted {
            capabilities: self.0.granted.capabilities.clone(),
            origins: self.0.granted.origins.clone().unwrap_or_default(),
        };
        granted.among(&self.0.loaded.manifest.wants()).origins.iter().map(ToString::to_string).collect()
    }

    /// Whether workspaces may have it on. Where an operator has switched it off, nobody has it.
    async fn is_on_hub(&self) -> bool {
        self.0.loaded.installed.state == words::HubState::On
    }

    /// Whether it is on in workspaces that say nothing of it.
    async fn is_default(&self) -> bool {
        self.0.loaded.installed.is_default
    }

    /// Whether it can be asked in the workspace: it runs, and has prepared itself.
    async fn is_ready(&self) -> bool {
        self.0.is_ready
    }

    /// A version that waits because it wants more than the one that is in force; null where none does.
    async fn pending_upgrade(&self) -> Option<PluginUpgrade> {
        let asked = self.0.loaded.manifest.wants();
        self.0.pending.as_ref().map(|(version, wanted)| PluginUpgrade::new(version.clone(), wanted, &asked))
    }

    /// Whether there is a version before this one to roll back to.
    async fn can_roll_back(&self) -> bool {
        self.0.loaded.installed.previous.is_some()
    }

    /// Where it stands in the way of somebody, in which place, and what its failure leads to.
    async fn hooks(&self) -> Vec<PluginHook> {
        self.0.hooks.iter().copied().filter_map(PluginHook::of).collect()
    }

    /// How it is treated in the workspace, in place of what its manifest and the hub say.
    async fn settings(&self) -> PluginSettings {
        PluginSettings::of(&self.0.overrides)
    }

    /// How it is treated on the hub, in place of what its manifest says.
    async fn hub_settings(&self) -> PluginSettings {
        PluginSettings::of(&self.0.loaded.installed.overrides)
    }

    /// The secrets that it refers to.
    async fn secrets(&self) -> Vec<PluginSecret> {
        let declared = self.0.loaded.manifest.secrets.iter();
        declared.map(|secret| PluginSecret::of(secret, self.0.secrets.contains(&secret.name))).collect()
    }

    /// How it does in the workspace, as far as this node has seen since it was started.
    async fn health(&self) -> PluginHealth {
        PluginHealth::of(&self.0.checkup)
    }

    /// The events, and the answers of servers, that it failed at again and again, in the order in which they were laid aside.
    async fn dead_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<DeadLetter>> {
        let viewer = ctx.viewer()?;
        let page = page::<Uuid>(first, after, last, before)?;
        let plugin = &self.0.loaded.installed.plugin;
        let slice = actions::plugins::letters::list(ctx.core(), &viewer, plugin, &page).await?;
        Ok(Connection::of(slice, |letter| letter.id.0, DeadLetter))
    }

    /// How many bytes it keeps in the workspace.
    async fn storage_bytes(&self) -> u64 {
        self.0.storage_bytes
    }

    /// Whether it is left alone for a while on this node, because it failed too often.
    async fn is_resting(&self) -> bool {
        self.0.checkup.is_resting
    }

    /// Why it cannot run, or why the hub has switched it off; null where there is nothing wrong.
    async fn problem(&self) -> Option<&str> {
        self.0.problem.as_deref()
    }

    /// How many events of the workspace's log it has not been told yet.
    async fn lag(&self) -> i64 {
        self.0.lag
    }

    /// The newest lines that it wrote for admins, the oldest first, at most 100.
    async fn logs(&self, ctx: &Context<'_>) -> Result<Vec<PluginLogLine>> {
        let viewer = ctx.viewer()?;
        let plugin = &self.0.loaded.installed.plugin;
        let lines = actions::plugins::admin::logs(ctx.core(), &viewer, plugin).await?;
        Ok(lines.iter().map(PluginLogLine::of).collect())
    }
}

/// A conversation in which a plugin is on or off by itself.
#[derive(SimpleObject)]
pub struct PluginException {
    /// Which conversation.
    conversation_id: ID,
    /// Whether the plugin is on there.
    is_on: bool,
}

/// A line that a plugin wrote for admins.
#[derive(SimpleObject)]
pub struct PluginLogLine {
    /// When.
    at: DateTime,
    /// How much it matters.
    level: PluginLogLevel,
    /// What it says.
    text: String,
}

impl PluginLogLine {
    fn of(line: &words::LogLine) -> Self {
        PluginLogLine { at: DateTime(line.at), level: line.level.into(), text: line.text.clone() }
    }
}

/// Whose lines.
#[derive(InputObject)]
pub struct PluginLogsInput {
    /// The plugin.
    pub plugin_id: ID,
}

#[derive(Default)]
pub struct PluginSubscription;

#[Subscription]
impl PluginSubscription {
    /// What a plugin writes for those who run the viewer's workspace: first the newest lines that there are, at most 100, and
    /// then each as it comes. For those who run the workspace.
    async fn plugin_logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which plugin.")] input: PluginLogsInput,
    ) -> impl Stream<Item = PluginLogLine> {
        drop(input);
        ctx.data_unchecked::<Source>().items(|item| match item {
            Item::PluginLine(line) => Some(PluginLogLine::of(&line)),
            _ => None,
        })
    }
}

#[derive(Default)]
pub struct PluginQuery;

#[Object]
impl PluginQuery {
    /// The plugins of this hub, as the viewer's workspace has them, by their ids. For those who run the workspace.
    async fn plugins(&self, ctx: &Context<'_>) -> Result<Vec<Plugin>> {
        let viewer = ctx.viewer()?;
        let seen = actions::plugins::admin::list(ctx.core(), &viewer).await?;
        Ok(seen.into_iter().map(|seen| Plugin(Arc::new(seen))).collect())
    }

    /// What plugins did in the viewer's workspace, also to what was refused or held, for 30 days and as long as there is the
    /// conversation; the oldest first, so ask for the `last` of it to see what is new. For those who keep the peace.
    async fn plugin_verdicts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which verdicts; all if left out.")] filter: Option<PluginVerdictFilter>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<PluginVerdict>> {
        let viewer = ctx.viewer()?;
        actions::plugins::verdicts::looks_into(&viewer)?;
        let (filter, page) = (filter.unwrap_or_default().check()?, page(first, after, last, before)?);
        let slice = actions::plugins::verdicts::list(ctx.core(), &viewer, &filter, &page).await?;
        Ok(Connection::of(slice, |verdict| verdict.id, PluginVerdict))
    }
}

/// All that can be done with plugins.
#[derive(MergedObject, Default)]
pub struct PluginMutation(SwitchingMutation, PluginSettingsMutation, PackageMutation, DeadLetterMutation);

fn named(plugin: &ID) -> Result<words::PluginId, Error> {
    let none = Rejection::NotFound { what: "plugin", field: "pluginId" };
    plugin.parse().map_err(|_| none.into())
}

/// What came of a change: the plugin as the viewer sees it now, or why nothing was changed.
async fn changed(
    ctx: &Context<'_>,
    outcome: Result<words::PluginId, Error>,
) -> Result<(Option<Plugin>, Vec<UserError>), Error> {
    let viewer = ctx.viewer()?;
    let seen = match outcome {
        Ok(plugin) => actions::plugins::admin::find(ctx.core(), &viewer, &plugin).await,
        Err(error) => Err(error),
    };
    let (seen, errors) = refusals(seen)?;
    Ok((seen.map(|seen| Plugin(Arc::new(seen))), errors))
}

fn origins(wanted: Vec<String>, field: &'static str) -> Result<BTreeSet<words::Origin>, Rejection> {
    let expected = "origins, such as https://api.example.org, at most 100";
    words::origins(&wanted).map_err(|_| Rejection::Invalid { field, expected })
}

fn capabilities(wanted: Vec<PluginCapability>) -> BTreeSet<words::Capability> {
    wanted.into_iter().map(Into::into).collect()
}
