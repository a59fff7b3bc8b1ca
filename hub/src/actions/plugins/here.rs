//! What one workspace has made of the plugins, ready to be asked.

use std::{collections::HashMap, sync::Arc};

use jackfield_domain::{
    ConversationId, WorkspaceId,
    plugins::{FailurePolicy, Hook, InWorkspace, Limits, Order, Overrides, PluginId, is_on},
};
use jackfield_plugin_host::{Chain, Grants, Link, Module, Plugin, Wish, hooks::Problem};
use tokio::sync::OnceCell;

use super::{Loaded, settling, vitals::Vitals};
use crate::{Error, Result, actions::Core};

/// The plugins of a workspace.
pub struct Here {
    pub local: Vec<Arc<Local>>,
    /// Where no conversation says otherwise.
    usual: HashMap<Hook, Arc<Chain>>,
    /// For conversations where some are on or off by themselves.
    special: HashMap<ConversationId, HashMap<Hook, Arc<Chain>>>,
}

/// One plugin in one workspace.
pub struct Local {
    /// The version that is asked here.
    pub loaded: Arc<Loaded>,
    pub row: InWorkspace,
    /// Whether it is on where no conversation says otherwise.
    pub is_on: bool,
    /// Where it is otherwise.
    pub elsewhere: HashMap<ConversationId, bool>,
    /// None where it cannot run, or has to prepare itself first.
    pub ready: Option<Arc<Plugin>>,
    /// What of its configuration does not fit, once somebody wants to know.
    misfit: OnceCell<Option<Problem>>,
    pub vitals: Arc<Vitals>,
}

impl Local {
    pub fn id(&self) -> &PluginId {
        &self.loaded.installed.plugin
    }

    /// What it may take; `usual` is what holds where nobody has said anything.
    pub fn limits(&self, usual: Limits) -> Limits {
        limits(usual, &self.loaded, &self.row)
    }

    /// What does not fit the schema in how it is configured: another version may want it otherwise.
    pub async fn misfit(&self, core: &Core) -> Result<Option<&Problem>> {
        let look = || async {
            let stored = serde_json::from_str(&self.row.configuration).map_err(Error::internal)?;
            Ok::<_, Error>(self.loaded.complete(core, stored).await?.err())
        };
        Ok(self.misfit.get_or_try_init(look).await?.as_ref())
    }

    pub fn is_on_in(&self, conversation: Option<ConversationId>) -> bool {
        if self.is_shut_out() {
            return false;
        }
        conversation.and_then(|conversation| self.elsewhere.get(&conversation).copied()).unwrap_or(self.is_on)
    }

    /// Whether there is anything in the workspace for it to do.
    pub fn is_on_somewhere(&self) -> bool {
        if self.is_shut_out() {
            return false;
        }
        self.is_on || self.elsewhere.values().any(|is_on| *is_on)
    }

    /// Whether it will be ready by itself: it is on, can run, and has not said that it cannot.
    pub fn prepares(&self) -> bool {
        let has_refused = self.row.refused.as_ref() == Some(&self.loaded.package.hash);
        self.ready.is_none() && self.is_on_somewhere() && self.loaded.module.is_ok() && !has_refused
    }

    /// Whether it is to hear of what happens at all.
    pub fn listens(&self) -> bool {
        self.is_on_somewhere() && self.loaded.manifest.wish(Hook::OnEvents).is_some()
    }

    /// Whether the hub has switched it off because it failed too often: until somebody decides it does nothing anywhere, and what
    /// must not pass without it does not.
    fn is_shut_out(&self) -> bool {
        self.row.is_on == Some(false) && self.row.off_reason.is_some() && self.row.data_version.is_some()
    }

    fn link(&self, hook: Hook) -> Option<Link> {
        let wish = self.loaded.manifest.wish(hook)?;
        let (priority, policy) = treatment(&self.loaded, &self.row.overrides, hook, &wish);
        Some(Link {
            order: Order::new(wish.phase, priority, self.id().clone()),
            plugin: self.id().clone(),
            ready: self.ready.clone().filter(|_| !self.is_shut_out()),
            policy,
            message_kinds: wish.message_kinds,
            breaker: self.vitals.breaker.clone(),
        })
    }
}

/// Where a hook stands among others, and what its failure leads to: as the workspace says, or the hub, or the manifest.
pub fn treatment(loaded: &Loaded, here: &Overrides, hook: Hook, wish: &Wish) -> (i32, FailurePolicy) {
    let hub = &loaded.installed.overrides;
    let policy = here.failure_policies.get(&hook).or_else(|| hub.failure_policies.get(&hook)).copied();
    (here.priority.or(hub.priority).unwrap_or(wish.priority), policy.unwrap_or(wish.on_failure))
}

pub const BEFORE: [Hook; 5] =
    [Hook::BeforeCreate, Hook::BeforeEdit, Hook::BeforeDelete, Hook::BeforeJoin, Hook::BeforeConversationCreate];

impl Here {
    /// Those who want to be asked; none where nobody does.
    pub fn chain(&self, conversation: Option<ConversationId>, hook: Hook) -> Option<Arc<Chain>> {
        let chains = conversation.and_then(|conversation| self.special.get(&conversation)).unwrap_or(&self.usual);
        chains.get(&hook).cloned()
    }

    pub fn find(&self, plugin: &PluginId) -> Option<&Arc<Local>> {
        self.local.iter().find(|local| local.id() == plugin)
    }

    fn chains(local: &[Arc<Local>], conversation: Option<ConversationId>) -> HashMap<Hook, Arc<Chain>> {
        let mut chains = HashMap::new();
        for hook in BEFORE {
            let on = local.iter().filter(|local| local.is_on_in(conversation) || local.is_shut_out());
            let links = on.filter_map(|local| {
                let link = local.link(hook)?;
                (!local.is_shut_out() || link.policy != FailurePolicy::Open).then_some(link)
            });
            let links: Vec<Link> = links.collect();
            if !links.is_empty() {
                chains.insert(hook, Arc::new(Chain::new(links)));
            }
        }
        chains
    }
}

/// Reads what a workspace has made of the plugins. What is on here without having been here gets its place first.
pub async fn look(core: &Arc<Core>, workspace: WorkspaceId, installed: &[Arc<Loaded>]) -> Result<Here> {
    let mut rows: HashMap<PluginId, InWorkspace> =
        core.store.plugins_in(workspace).await?.into_iter().map(|row| (row.plugin.clone(), row)).collect();
    let mut elsewhere: HashMap<PluginId, HashMap<ConversationId, bool>> = HashMap::new();
    for (plugin, conversation, is_on) in core.store.plugins_in_conversations(workspace).await? {
        elsewhere.entry(plugin).or_default().insert(conversation, is_on);
    }
    let mut local = Vec::new();
    for loaded in installed {
        let plugin = &loaded.installed.plugin;
        let mut row = rows.remove(plugin);
        let mut fitting = Some(loaded);
        let asked = row.as_ref().and_then(|row| row.is_on);
        let elsewhere = elsewhere.remove(plugin).unwrap_or_default();
        let usually = is_on(&loaded.installed, asked, None);
        let anywhere = usually || elsewhere.values().any(|here| is_on(&loaded.installed, asked, Some(*here)));
        if anywhere {
            let placed = match settling::place(core, workspace, loaded, row).await {
                Ok(row) => row,
                // A plugin that has no place is as good as off, and keeps nobody from talking.
                Err(Error::Rejected(why)) => {
                    tracing::error!(%plugin, %workspace, %why, "a plugin cannot be on in a workspace");
                    continue;
                }
                Err(error) => return Err(error),
            };
            fitting = settling::fitting(loaded, &placed);
            if fitting.is_none() && loaded.module.is_ok() && placed.refused.as_ref() != Some(&loaded.package.hash) {
                core.plugins.let_prepare(workspace, plugin);
            }
            row = Some(placed);
        }
        let Some(row) = row else { continue };
        let ready = match fitting.and_then(|loaded| Some((loaded, loaded.module.as_ref().ok()?))) {
            Some((loaded, module)) => Some(Arc::new(ready(core, module.clone(), loaded, &row)?)),
            None => None,
        };
        let loaded = fitting.unwrap_or(loaded);
        let off = loaded.installed.state == jackfield_domain::plugins::HubState::Off;
        local.push(Arc::new(Local {
            is_on: usually,
            elsewhere: if off { HashMap::new() } else { elsewhere },
            ready,
            misfit: OnceCell::new(),
            vitals: {
                let vitals = core.plugins.vitals(workspace, plugin);
                // What is switched on again, or comes in another version, has done nothing wrong yet.
                vitals.begin(anywhere.then_some(loaded.package.hash.as_str()));
                vitals
            },
            row,
            loaded: loaded.clone(),
        }));
    }
    let usual = Here::chains(&local, None);
    let special: HashMap<ConversationId, HashMap<Hook, Arc<Chain>>> = local
        .iter()
        .flat_map(|local| local.elsewhere.keys().copied())
        .map(|conversation| (conversation, Here::chains(&local, Some(conversation))))
        .collect();
    Ok(Here { local, usual, special })
}

/// A plugin as a workspace has it: what it may, how it is configured, and how much it may take.
pub fn ready(core: &Core, module: Arc<Module>, loaded: &Loaded, row: &InWorkspace) -> Result<Plugin> {
    let granted = loaded.installed.grants.narrowed(row.grants.as_ref());
    let grants = Grants {
        capabilities: granted.capabilities.into_iter().collect(),
        conversations: granted.conversations.map(|among| among.into_iter().collect()),
        // What an earlier version asked for is not for this one.
        origins: granted.origins.unwrap_or_default().intersection(&loaded.manifest.wanted_origins()).cloned().collect(),
    };
    Ok(Plugin {
        module,
        grants: Arc::new(grants),
        configuration: loaded.configuration(&row.configuration)?.to_string().into(),
        limits: limits(core.plugins.limits, loaded, row),
    })
}

/// What the manifest lowers, an operator changes, and a workspace lowers again: whatever that has said, it does not outlive an
/// operator who gives less.
fn limits(usual: Limits, loaded: &Loaded, row: &InWorkspace) -> Limits {
    most(usual, loaded).capped(&row.overrides.limits)
}

/// The same where no workspace lowers it. What was good when an operator said it may be so no more: then it does not count.
pub fn most(usual: Limits, loaded: &Loaded) -> Limits {
    let lowered = usual.capped(&loaded.manifest.limits);
    lowered.changed(&loaded.installed.overrides.limits).unwrap_or(lowered)
}
