//! How plugins are treated: order, failure policies, limits and grants; and the secrets that are entrusted to them.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use jackfield_domain::{
    ConversationId, Rejection,
    plugins::{self as words, LimitChanges},
};
use jackfield_plugin_host::SecretWish;

use super::{Plugin, PluginCapability, capabilities, changed, named, origins, switching::PluginScope};
use crate::{
    actions::plugins::{
        admin,
        settings::{self, SettingChanges},
    },
    graphql::{
        errors::UserError,
        scalars::{given, id},
        scope::Scoped,
    },
};

/// A hook that stands in the way of somebody who waits. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[expect(clippy::enum_variant_names, reason = "they have the names of the contract")]
pub enum PluginBeforeHook {
    /// A message is to be sent.
    BeforeCreate,
    /// A message is to be edited.
    BeforeEdit,
    /// A message is to be deleted for everyone.
    BeforeDelete,
    /// Somebody is to become a member of a conversation.
    BeforeJoin,
    /// A conversation is to be made.
    BeforeConversationCreate,
}

impl PluginBeforeHook {
    fn of(hook: words::Hook) -> Option<Self> {
        Some(match hook {
            words::Hook::BeforeCreate => PluginBeforeHook::BeforeCreate,
            words::Hook::BeforeEdit => PluginBeforeHook::BeforeEdit,
            words::Hook::BeforeDelete => PluginBeforeHook::BeforeDelete,
            words::Hook::BeforeJoin => PluginBeforeHook::BeforeJoin,
            words::Hook::BeforeConversationCreate => PluginBeforeHook::BeforeConversationCreate,
            _ => return None,
        })
    }

    fn word(self) -> words::Hook {
        match self {
            PluginBeforeHook::BeforeCreate => words::Hook::BeforeCreate,
            PluginBeforeHook::BeforeEdit => words::Hook::BeforeEdit,
            PluginBeforeHook::BeforeDelete => words::Hook::BeforeDelete,
            PluginBeforeHook::BeforeJoin => words::Hook::BeforeJoin,
            PluginBeforeHook::BeforeConversationCreate => words::Hook::BeforeConversationCreate,
        }
    }
}

/// What becomes of what a hook was asked about, when it fails or must not be asked. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::FailurePolicy")]
pub enum PluginFailurePolicy {
    /// It goes on as if the plugin were not there.
    Open,
    /// It is refused.
    Closed,
    /// It is held for a moderator. Only for messages that are to be sent.
    Hold,
}

/// When a hook is asked, beside those of other plugins, in this order. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::Phase")]
pub enum PluginPhase {
    /// It brings what was written into the form that the others expect.
    Normalise,
    /// It adds to it.
    Enrich,
    /// It judges it, as it is going to be.
    Moderate,
}

/// A hook in which a plugin is asked before something is done, as it is treated in the workspace.
#[derive(SimpleObject)]
pub struct PluginHook {
    /// Which hook.
    hook: PluginBeforeHook,
    /// When it is asked.
    phase: PluginPhase,
    /// Its place in the phase: lower ones go first, and between equals the plugin's id decides.
    priority: i32,
    /// What its failure leads to.
    failure_policy: PluginFailurePolicy,
}

impl PluginHook {
    pub fn of((hook, phase, priority, policy): (words::Hook, words::Phase, i32, words::FailurePolicy)) -> Option<Self> {
        Some(PluginHook {
            hook: PluginBeforeHook::of(hook)?,
            phase: phase.into(),
            priority,
            failure_policy: policy.into(),
        })
    }
}

/// What a hook's failure leads to.
#[derive(SimpleObject)]
pub struct PluginHookPolicy {
    /// Which hook.
    hook: PluginBeforeHook,
    /// What its failure leads to.
    policy: PluginFailurePolicy,
}

/// What a hook's failure is to lead to.
#[derive(InputObject)]
pub struct PluginHookPolicyInput {
    /// Which hook.
    hook: PluginBeforeHook,
    /// What its failure leads to.
    policy: PluginFailurePolicy,
}

/// The same numbers, as they are set and as they are shown.
macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident;)*) => {
        /// How much a plugin may take, where that is not as usual.
        #[derive(SimpleObject)]
        pub struct PluginLimits {
            $($(#[doc = $doc])* $name: Option<u64>,)*
        }

        /// How much a plugin is to be allowed to take. What is left out is as usual.
        #[derive(InputObject)]
        pub struct PluginLimitsInput {
            $($(#[doc = $doc])* $name: Option<u64>,)*
        }

        impl From<LimitChanges> for PluginLimits {
            fn from(limits: LimitChanges) -> Self {
                PluginLimits { $($name: limits.$name,)* }
            }
        }

        impl From<PluginLimitsInput> for LimitChanges {
            fn from(limits: PluginLimitsInput) -> Self {
                LimitChanges { $($name: limits.$name,)* }
            }
        }
    };
}

limits! {
    /// How large the memory of an instance may grow; usually 32 MiB, at most 256.
    memory_bytes;
    /// How long a before-hook may keep the processor busy; usually 5 ms, at most 1,000.
    before_cpu_ms;
    /// How long a before-hook may take on the clock; usually 50 ms, at most 5,000.
    before_wall_ms;
    /// How long a call may take that nobody's request waits in line for; usually 5,000 ms, at most 60,000.
    after_ms;
    /// How long one slice of scheduled work may take; usually 30,000 ms, at most 300,000.
    schedule_ms;
    /// How large a value of its own data may be; usually 64 KiB, at most 1 MiB.
    value_bytes;
    /// How much of its own data it may keep in a workspace; usually 10 MiB, at most 1 GiB.
    storage_bytes;
    /// How much it may log in one call; usually 64 KiB, at most 1 MiB.
    log_bytes;
    /// How much it may hand over in one call, its answer included; usually 1 MiB, at most 16.
    output_bytes;
    /// How often it may call the hub in one call; usually 10,000 times, at most 1,000,000.
    host_calls;
    /// How many effects one call may have; usually 1,000, at most 10,000.
    effects;
}

/// How a plugin is treated in place of what its manifest says.
#[derive(SimpleObject)]
pub struct PluginSettings {
    /// Its place within its phase: lower ones are asked first. Null where the manifest decides.
    priority: Option<i32>,
    /// What failures of its hooks lead to; of hooks that are not listed the manifest decides.
    failure_policies: Vec<PluginHookPolicy>,
    /// How much it may take; null in it is what is usual.
    limits: PluginLimits,
}

impl PluginSettings {
    pub fn of(overrides: &words::Overrides) -> Self {
        let policy = |(hook, policy): (&words::Hook, &words::FailurePolicy)| {
            Some(PluginHookPolicy { hook: PluginBeforeHook::of(*hook)?, policy: (*policy).into() })
        };
        PluginSettings {
            priority: overrides.priority,
            failure_policies: overrides.failure_policies.iter().filter_map(policy).collect(),
            limits: overrides.limits.into(),
        }
    }
}

/// A secret that a plugin refers to and never sees.
#[derive(SimpleObject)]
pub struct PluginSecret {
    /// Its name.
    name: String,
    /// What the plugin needs it for.
    description: String,
    /// Whether one was entrusted to it in the workspace.
    is_set: bool,
}

impl PluginSecret {
    pub fn of(declared: &SecretWish, is_set: bool) -> Self {
        PluginSecret { name: declared.name.clone(), description: declared.description.clone(), is_set }
    }
}

/// What is to be different of how a plugin is treated. What is left out stays; null puts back what is usual.
#[derive(InputObject)]
pub struct PluginSettingsUpdateInput {
    /// Its id.
    plugin_id: ID,
    /// In the workspace; or for all workspaces of the hub, which is for operators. Workspaces can narrow what the hub grants
    /// and lower what it may take, and not the other way round.
    #[graphql(default_with = "PluginScope::Workspace")]
    scope: PluginScope,
    /// Whether it is on in workspaces that say nothing of it. For the hub.
    is_default: Option<bool>,
    /// Its place within its phase: lower ones are asked first.
    priority: MaybeUndefined<i32>,
    /// What failures of its hooks lead to. All of them: those that are not listed are as the manifest says.
    failure_policies: MaybeUndefined<Vec<PluginHookPolicyInput>>,
    /// How much it may take. All of it: what is not listed is as usual.
    limits: MaybeUndefined<PluginLimitsInput>,
    /// What it may do, of what it wants. Null for the hub is nothing, and for a workspace all that the hub grants.
    capabilities: MaybeUndefined<Vec<PluginCapability>>,
    /// Where in the workspace it may read and post; everywhere, if null. At most 100. Not for the hub.
    conversation_ids: MaybeUndefined<Vec<ID>>,
    /// The servers that it may ask, of those that it wants, as origins. Null for the hub is none, and for a workspace all that the hub
    /// grants. Where the hub lets it ask servers and none are named, it is all that it wants.
    origins: MaybeUndefined<Vec<String>>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginSettingsUpdatePayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
    errors: Vec<UserError>,
}

/// A secret for a plugin.
#[derive(InputObject)]
pub struct PluginSecretSetInput {
    /// The plugin.
    plugin_id: ID,
    /// The name by which its manifest declares it.
    name: String,
    /// The secret, at most 4,096 bytes. Nobody is ever told it again, the plugin included.
    value: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginSecretSetPayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
    errors: Vec<UserError>,
}

/// A secret that a plugin is not to have any more.
#[derive(InputObject)]
pub struct PluginSecretRemoveInput {
    /// The plugin.
    plugin_id: ID,
    /// The name of the secret.
    name: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct PluginSecretRemovePayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why nothing was changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct PluginSettingsMutation;

#[Object]
impl PluginSettingsMutation {
    /// Changes how a plugin is treated: its order, what its failures lead to, how much it may take, and what it may do. For
    /// those who run the workspace, and for operators of the hub.
    async fn plugin_settings_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one, and what is to be different.")] input: PluginSettingsUpdateInput,
    ) -> Result<Option<PluginSettingsUpdatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            admin::runs(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            let policies = |policies: Vec<PluginHookPolicyInput>| -> BTreeMap<_, _> {
                policies.into_iter().map(|one| (one.hook.word(), one.policy.into())).collect()
            };
            let changes = SettingChanges {
                is_default: input.is_default,
                priority: given(input.priority),
                failure_policies: given(input.failure_policies).map(|given| given.map(policies)),
                limits: given(input.limits).map(|given| given.map(Into::into)),
                capabilities: given(input.capabilities).map(|given| given.map(capabilities)),
                conversations: match given(input.conversation_ids) {
                    Some(Some(ids)) => Some(Some(conversations(&ids)?)),
                    given => given.map(|_| None),
                },
                origins: match given(input.origins) {
                    Some(Some(named)) => Some(Some(origins(named, "origins")?)),
                    given => given.map(|_| None),
                },
            };
            settings::update_settings(ctx.core(), &viewer, &plugin, input.scope.into(), changes).await?;
            Ok(plugin)
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(PluginSettingsUpdatePayload { plugin, errors }))
    }

    /// Entrusts a secret to a plugin in the viewer's workspace, in place of the one it had. For those who run the workspace.
    async fn plugin_secret_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "To which one, and what.")] input: PluginSecretSetInput,
    ) -> Result<Option<PluginSecretSetPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            admin::runs(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            settings::entrust(ctx.core(), &viewer, &plugin, &input.name, Some(input.value)).await?;
            Ok(plugin)
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(PluginSecretSetPayload { plugin, errors }))
    }

    /// Takes a secret back that was entrusted to a plugin in the viewer's workspace. For those who run the workspace.
    async fn plugin_secret_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From which one, and which.")] input: PluginSecretRemoveInput,
    ) -> Result<Option<PluginSecretRemovePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            admin::runs(&viewer)?;
            let plugin = named(&input.plugin_id)?;
            settings::entrust(ctx.core(), &viewer, &plugin, &input.name, None).await?;
            Ok(plugin)
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(PluginSecretRemovePayload { plugin, errors }))
    }
}

fn conversations(ids: &[ID]) -> Result<BTreeSet<ConversationId>, Rejection> {
    const MOST: usize = 100;
    if ids.len() > MOST {
        return Err(Rejection::TooMany { what: "conversations", max: MOST });
    }
    ids.iter().map(|conversation| id(conversation, "conversation", "conversationIds")).collect()
}
