//! Switching plugins on and off, and configuring them.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{Rejection, plugins::PluginId};

use super::{Plugin, changed, named};
use crate::{
    Error,
    actions::plugins::{
        admin::{self, Missed},
        packages, settings,
    },
    graphql::{
        errors::UserError,
        scalars::{Json, id},
        scope::Scoped,
    },
};

/// For whom something about a plugin holds. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "settings::Scope")]
pub enum PluginScope {
    /// All workspaces of the hub. For its operators.
    Hub,
    /// The viewer's workspace. For those who run it.
    Workspace,
}

/// How a plugin hears of what happened while it was off. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "Missed")]
pub enum PluginMissedEvents {
    /// It is told, as far back as the log reaches.
    CatchUp,
    /// It is not.
    Skip,
}

/// Which plugin is to be on.
#[derive(InputObject)]
pub struct PluginEnableInput {
    /// Its id.
    plugin_id: ID,
    /// In the workspace; or whether workspaces of the hub may have it on at all.
    #[graphql(default_with = "PluginScope::Workspace")]
    scope: PluginScope,
    /// Only in this conversation of the workspace.
    conversation_id: Option<ID>,
    /// What becomes of the events of the time in which it was off.
    #[graphql(default_with = "PluginMissedEvents::CatchUp")]
    missed_events: PluginMissedEvents,
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
    /// In the workspace; or for all workspaces of the hub, whatever they say.
    #[graphql(default_with = "PluginScope::Workspace")]
    scope: PluginScope,
    /// Only in this conversation of the workspace.
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

/// Where a plugin is to be what it is by itself.
#[derive(InputObject)]
pub struct PluginInheritInput {
    /// Its id.
    plugin_id: ID,
    /// In this conversation as in the workspace; if left out, in the workspace as the hub has it.
    conversation_id: Option<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginInheritPayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
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
pub struct SwitchingMutation;

#[Object]
impl SwitchingMutation {
    /// Switches a plugin on: in the viewer's workspace, in one conversation, or for the hub. The first time it prepares
    /// itself; where that takes long it goes on by itself, and `isReady` says when it is done.
    async fn plugin_enable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and where.")] input: PluginEnableInput,
    ) -> Result<Option<PluginEnablePayload>> {
        let place = (input.scope.into(), input.conversation_id);
        let outcome = switch(ctx, &input.plugin_id, place, Some(true), input.missed_events.into()).await;
        let (plugin, errors) = changed(ctx, outcome).await?;
        Ok(Some(PluginEnablePayload { plugin, errors }))
    }

    /// Switches a plugin off: in the viewer's workspace, in one conversation, or for the hub. What it keeps stays.
    async fn plugin_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and where.")] input: PluginDisableInput,
    ) -> Result<Option<PluginDisablePayload>> {
        let place = (input.scope.into(), input.conversation_id);
        let outcome = switch(ctx, &input.plugin_id, place, Some(false), Missed::CatchUp).await;
        let (plugin, errors) = changed(ctx, outcome).await?;
        Ok(Some(PluginDisablePayload { plugin, errors }))
    }

    /// Takes back what was said of a plugin: in the viewer's workspace it is on if it is on for the hub by default, or in one
    /// conversation if it is on in the workspace.
    async fn plugin_inherit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and where.")] input: PluginInheritInput,
    ) -> Result<Option<PluginInheritPayload>> {
        let place = (settings::Scope::Workspace, input.conversation_id);
        let outcome = switch(ctx, &input.plugin_id, place, None, Missed::CatchUp).await;
        let (plugin, errors) = changed(ctx, outcome).await?;
        Ok(Some(PluginInheritPayload { plugin, errors }))
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
            admin::runs(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            let serde_json::Value::Object(configuration) = input.configuration.0 else {
                let rejection = Rejection::Invalid { field: "configuration", expected: "a JSON object" };
                return Err(rejection.into());
            };
            admin::configure(ctx.core(), &viewer, &plugin, configuration).await?;
            Ok(plugin)
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(PluginConfigurePayload { plugin, errors }))
    }
}

async fn switch(
    ctx: &Context<'_>,
    plugin: &ID,
    (scope, conversation): (settings::Scope, Option<ID>),
    is_on: Option<bool>,
    missed: Missed,
) -> Result<PluginId, Error> {
    let (core, viewer) = (ctx.core(), ctx.viewer()?);
    admin::runs(&viewer)?;
    let plugin = named(plugin)?;
    match (scope, conversation) {
        (settings::Scope::Hub, None) => {
            let is_on = is_on.ok_or_else(|| Error::internal("what holds for the hub is not inherited"))?;
            packages::switch(core, &viewer, &plugin, is_on).await?;
        }
        (settings::Scope::Hub, Some(_)) => {
            let expected = "left out where all workspaces are meant";
            return Err(Rejection::Invalid { field: "conversationId", expected }.into());
        }
        (settings::Scope::Workspace, None) => admin::switch(core, &viewer, &plugin, is_on, missed).await?,
        (settings::Scope::Workspace, Some(conversation)) => {
            let conversation = id(&conversation, "conversation", "conversationId")?;
            admin::switch_in_conversation(core, &viewer, &plugin, conversation, is_on).await?;
        }
    }
    Ok(plugin)
}
