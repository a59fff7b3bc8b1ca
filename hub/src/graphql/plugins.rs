//! Plugins in the API, for those who run a workspace: what there is, where it is on, and how it is configured.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{Rejection, plugins as words};

use super::{
    errors::{UserError, refusals},
    scalars::{DateTime, Json, id},
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
}

/// What a plugin did to something. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::VerdictKind")]
pub enum PluginVerdictKind {
    /// It changed it.
    Patched,
    /// It refused it.
    Rejected,
    /// It held it for a moderator.
    Held,
    /// It failed, and its failure policy decided.
    Failed,
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

    /// What it may do.
    async fn granted_capabilities(&self) -> Vec<PluginCapability> {
        self.0.granted.iter().map(|capability| (*capability).into()).collect()
    }

    /// How many bytes it keeps in the workspace.
    async fn storage_bytes(&self) -> u64 {
        self.0.storage_bytes
    }

    /// Whether it is left alone for a while on this node, because it failed too often.
    async fn is_resting(&self) -> bool {
        self.0.is_resting
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
        let lines = actions::plugins::admin::logs(ctx.core(), &viewer, &self.0.loaded.installed.plugin).await?;
        let line =
            |line: words::LogLine| PluginLogLine { at: DateTime(line.at), level: line.level.into(), text: line.text };
        Ok(lines.into_iter().map(line).collect())
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

/// What a plugin did to a message.
#[derive(SimpleObject)]
pub struct PluginVerdict {
    /// Which plugin, by its id.
    plugin: String,
    /// What it was asked, by the name of the hook.
    hook: String,
    /// What it did.
    kind: PluginVerdictKind,
    /// The plugin's own code, or how it failed.
    code: Option<String>,
    /// The plugin's own words, or what went wrong.
    reason: Option<String>,
    /// When.
    at: DateTime,
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

    /// What plugins did to a message, sent, held or refused, in the order in which they did it. For those who keep the peace.
    async fn plugin_verdicts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the message.")] message_id: ID,
    ) -> Result<Vec<PluginVerdict>> {
        let viewer = ctx.viewer()?;
        let Ok(message) = message_id.parse() else { return Ok(Vec::new()) };
        let found = actions::plugins::admin::verdicts(ctx.core(), &viewer, message).await?;
        let verdict = |(at, verdict): (jackfield_domain::Timestamp, words::Verdict)| PluginVerdict {
            plugin: verdict.plugin.to_string(),
            hook: verdict.hook.as_str().to_owned(),
            kind: verdict.kind.into(),
            code: verdict.code,
            reason: verdict.reason,
            at: DateTime(at),
        };
        Ok(found.into_iter().map(verdict).collect())
    }
}

/// Which plugin is to be on.
#[derive(InputObject)]
pub struct PluginEnableInput {
    /// Its id.
    plugin_id: ID,
    /// Only in this conversation; in the whole workspace, if nothing is said.
    conversation_id: Option<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginEnablePayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why it is not on.
    errors: Vec<UserError>,
}

/// Which plugin is to be off.
#[derive(InputObject)]
pub struct PluginDisableInput {
    /// Its id.
    plugin_id: ID,
    /// Only in this conversation; in the whole workspace, if nothing is said.
    conversation_id: Option<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginDisablePayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why it is not off.
    errors: Vec<UserError>,
}

/// How a plugin is to be configured.
#[derive(InputObject)]
pub struct PluginConfigureInput {
    /// Its id.
    plugin_id: ID,
    /// All of the configuration: what is left out has its default.
    configuration: Json,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginConfigurePayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct PluginMutation;

#[Object]
impl PluginMutation {
    /// Switches a plugin on in the viewer's workspace or in one conversation. For those who run the workspace.
    async fn plugin_enable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and where.")] input: PluginEnableInput,
    ) -> Result<Option<PluginEnablePayload>> {
        let (plugin, errors) = switch(ctx, &input.plugin_id, input.conversation_id, true).await?;
        Ok(Some(PluginEnablePayload { plugin, errors }))
    }

    /// Switches a plugin off in the viewer's workspace or in one conversation. What it keeps stays. For those who run the
    /// workspace.
    async fn plugin_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and where.")] input: PluginDisableInput,
    ) -> Result<Option<PluginDisablePayload>> {
        let (plugin, errors) = switch(ctx, &input.plugin_id, input.conversation_id, false).await?;
        Ok(Some(PluginDisablePayload { plugin, errors }))
    }

    /// Configures a plugin in the viewer's workspace, if its schema and the plugin itself let that through. For those who
    /// run the workspace.
    async fn plugin_configure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and how.")] input: PluginConfigureInput,
    ) -> Result<Option<PluginConfigurePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::plugins::admin::runs(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            let serde_json::Value::Object(configuration) = input.configuration.0 else {
                let rejection = Rejection::Invalid { field: "configuration", expected: "a JSON object" };
                return Err(rejection.into());
            };
            actions::plugins::admin::configure(ctx.core(), &viewer, &plugin, configuration).await?;
            actions::plugins::admin::find(ctx.core(), &viewer, &plugin).await
        };
        let (plugin, errors) = refusals(outcome.await)?;
        Ok(Some(PluginConfigurePayload { plugin: plugin.map(|seen| Plugin(Arc::new(seen))), errors }))
    }
}

fn named(plugin: &ID) -> Result<words::PluginId, Error> {
    let none = Rejection::NotFound { what: "plugin", field: "pluginId" };
    plugin.parse().map_err(|_| none.into())
}

async fn switch(
    ctx: &Context<'_>,
    plugin: &ID,
    conversation: Option<ID>,
    is_on: bool,
) -> Result<(Option<Plugin>, Vec<UserError>), Error> {
    let viewer = ctx.viewer()?;
    let outcome = async {
        actions::plugins::admin::runs(&viewer)?;
        let plugin = named(plugin)?;
        match &conversation {
            None => actions::plugins::admin::switch(ctx.core(), &viewer, &plugin, Some(is_on)).await?,
            Some(conversation) => {
                let conversation = id(conversation, "conversation", "conversationId")?;
                let is_on = Some(is_on);
                actions::plugins::admin::switch_in_conversation(ctx.core(), &viewer, &plugin, conversation, is_on)
                    .await?;
            }
        }
        actions::plugins::admin::find(ctx.core(), &viewer, &plugin).await
    };
    let (seen, errors) = refusals(outcome.await)?;
    Ok((seen.map(|seen| Plugin(Arc::new(seen))), errors))
}
