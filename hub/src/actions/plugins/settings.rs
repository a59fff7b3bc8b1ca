//! How plugins are treated: their order, what their failures lead to, how much they may take and do, and what they are entrusted
//! with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jackfield_domain::{
    AuditAction, ConversationId, Rejection,
    plugins::{
        Capability, FailurePolicy, Grants, Hook, Installed, LimitChanges, Origin, OutOfLimits, Overrides, PluginId,
    },
};

use super::{
    super::Core,
    admin::{are_here, known, placed, runs},
    packages, refresh,
    settling::change_here,
};
use crate::{
    Result,
    actions::{Viewer, workspaces},
    store::SetSecret,
};

/// For whom a setting of a plugin holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All workspaces; for operators.
    Hub,
    /// The viewer's.
    Workspace,
}

/// What is to be different of how a plugin is treated. What is none stays; what is none within puts the usual back.
#[derive(Debug, Clone, Default)]
pub struct SettingChanges {
    pub is_default: Option<bool>,
    pub priority: Option<Option<i32>>,
    pub failure_policies: Option<Option<BTreeMap<Hook, FailurePolicy>>>,
    pub limits: Option<Option<LimitChanges>>,
    pub capabilities: Option<Option<BTreeSet<Capability>>>,
    pub conversations: Option<Option<BTreeSet<ConversationId>>>,
    pub origins: Option<Option<BTreeSet<Origin>>>,
}

impl SettingChanges {
    fn apply(&self, overrides: &mut Overrides) {
        if let Some(priority) = self.priority {
            overrides.priority = priority;
        }
        if let Some(policies) = &self.failure_policies {
            overrides.failure_policies = policies.clone().unwrap_or_default();
        }
        if let Some(limits) = self.limits {
            overrides.limits = limits.unwrap_or_default();
        }
    }

    /// For the record: as the API has it.
    fn said(&self, scope: Scope) -> String {
        let mut said = serde_json::Map::new();
        macro_rules! say {
            ($($name:ident: $word:literal),*) => {$(
                if let Some(value) = &self.$name {
                    said.insert($word.to_owned(), serde_json::json!(value));
                }
            )*};
        }
        let place = if scope == Scope::Hub { "hub" } else { "workspace" };
        said.insert("scope".to_owned(), place.into());
        say!(is_default: "isDefault", priority: "priority", failure_policies: "failurePolicies", limits: "limits",
            capabilities: "capabilities", conversations: "conversationIds", origins: "origins");
        serde_json::Value::Object(said).to_string()
    }
}

/// Changes how a plugin is treated: its place in the order, what happens when it fails, how much it may take, what it may do.
/// An operator gives, for all workspaces; those who run a workspace narrow that for theirs.
pub async fn update_settings(
    core: &Arc<Core>,
    viewer: &Viewer,
    plugin: &PluginId,
    scope: Scope,
    changes: SettingChanges,
) -> Result<()> {
    runs(viewer)?;
    if scope == Scope::Hub {
        workspaces::must_be_operator(viewer)?;
        // What the hub grants every workspace is told, and conversations are each workspace's own.
        if let Some(Some(_)) = &changes.conversations {
            return Err(Rejection::Invalid { field: "conversationIds", expected: "left to the workspaces" }.into());
        }
    }
    let loaded = known(core, plugin).await?;
    if let Some(Some(conversations)) = &changes.conversations {
        are_here(core, viewer.workspace(), conversations, "conversationIds").await?;
    }
    if let Some(Some(capabilities)) = &changes.capabilities {
        let wanted = loaded.manifest.wanted();
        if !capabilities.iter().all(|capability| wanted.contains(capability)) {
            let expected = "among those that the plugin wants";
            return Err(Rejection::Invalid { field: "capabilities", expected }.into());
        }
    }
    let wanted_origins = loaded.manifest.wanted_origins();
    if let Some(Some(origins)) = &changes.origins
        && !origins.is_subset(&wanted_origins)
    {
        return Err(Rejection::Invalid { field: "origins", expected: "among those that the plugin wants" }.into());
    }
    if let Some(Some(policies)) = &changes.failure_policies {
        let fits = |(hook, policy): (&Hook, &FailurePolicy)| {
            hook.is_before() && (*policy != FailurePolicy::Hold || *hook == Hook::BeforeCreate)
        };
        if !policies.iter().all(fits) {
            let expected = "for before-hooks, and HOLD for messages that are to be sent alone";
            return Err(Rejection::Invalid { field: "failurePolicies", expected }.into());
        }
    }
    let usual = core.plugins.limits.capped(&loaded.manifest.limits);
    let on_hub = move |overrides: &Overrides| usual.changed(&overrides.limits);
    let bounds = |refused: OutOfLimits| Rejection::OutOfBounds {
        field: refused.field,
        value: refused.value,
        low: refused.low,
        high: refused.high,
    };
    let said = ("settings", changes.said(scope));
    match scope {
        Scope::Hub => {
            packages::change(
                core,
                viewer,
                plugin,
                AuditAction::PluginUpdated,
                vec![said],
                None,
                move |installed: &mut Installed, _| {
                    changes.apply(&mut installed.overrides);
                    on_hub(&installed.overrides).map_err(bounds)?;
                    installed.is_default = changes.is_default.unwrap_or(installed.is_default);
                    let asked = installed.grants.capabilities.contains(&Capability::Http);
                    if let Some(capabilities) = &changes.capabilities {
                        installed.grants.capabilities = capabilities.clone().unwrap_or_default();
                    }
                    let asks = installed.grants.capabilities.contains(&Capability::Http);
                    match &changes.origins {
                        Some(origins) => installed.grants.origins.clone_from(origins),
                        // Who lets it ask servers and names none means those that it asks for.
                        None if asks && !asked => installed.grants.origins = Some(wanted_origins.clone()),
                        None => {}
                    }
                    if let Some(conversations) = &changes.conversations {
                        installed.grants.conversations.clone_from(conversations);
                    }
                    Ok(())
                },
            )
            .await
        }
        Scope::Workspace => {
            if changes.is_default.is_some() {
                return Err(Rejection::Invalid { field: "isDefault", expected: "left to the hub" }.into());
            }
            let of_hub = on_hub(&loaded.installed.overrides).unwrap_or(usual);
            placed(core, viewer.workspace(), &loaded).await?;
            // Not narrowed is whatever the hub grants, also later.
            let everything: BTreeSet<Capability> = Capability::ALL.iter().copied().collect();
            change_here(core, viewer.by(core), plugin, said, move |row| {
                changes.apply(&mut row.overrides);
                // What a plugin takes is the hub's: those who run a workspace give it less, and not more.
                of_hub.lowered(&row.overrides.limits).map_err(bounds)?;
                let now = row
                    .grants
                    .clone()
                    .unwrap_or_else(|| Grants { capabilities: everything.clone(), ..Grants::default() });
                if changes.capabilities.is_some() || changes.conversations.is_some() || changes.origins.is_some() {
                    let given = |change: &Option<Option<BTreeSet<Capability>>>, now| match change {
                        None => now,
                        Some(None) => everything.clone(),
                        Some(Some(narrowed)) => narrowed.clone(),
                    };
                    let conversations = changes.conversations.clone().unwrap_or(now.conversations);
                    let capabilities = given(&changes.capabilities, now.capabilities);
                    let origins = changes.origins.clone().unwrap_or(now.origins);
                    let is_all = conversations.is_none() && origins.is_none() && capabilities == everything;
                    row.grants = (!is_all).then_some(Grants { capabilities, conversations, origins });
                }
                Ok(())
            })
            .await?;
            refresh(core).await
        }
    }
}

/// Entrusts a secret to a plugin in the viewer's workspace, or takes it back. Nobody is ever told it again.
pub async fn entrust(
    core: &Arc<Core>,
    viewer: &Viewer,
    plugin: &PluginId,
    name: &str,
    value: Option<String>,
) -> Result<()> {
    runs(viewer)?;
    let loaded = known(core, plugin).await?;
    if !loaded.manifest.secrets.iter().any(|secret| secret.name == name) {
        return Err(Rejection::NotFound { what: "secret of the plugin", field: "name" }.into());
    }
    if let Some(value) = &value {
        const MAX: usize = 4_096;
        if value.is_empty() {
            return Err(Rejection::Missing { field: "value" }.into());
        }
        if value.len() > MAX {
            return Err(Rejection::TooLarge { field: "value", length: value.len(), max: MAX }.into());
        }
    }
    let said = if value.is_some() { "entrusted" } else { "taken back" };
    let details = [("secret", name.to_owned()), ("secretIs", said.to_owned())];
    let audit = viewer.by(core).entry(AuditAction::PluginUpdated, plugin, details);
    let change = SetSecret {
        workspace: viewer.workspace(),
        plugin: plugin.clone(),
        name: name.to_owned(),
        value: value.map(String::into_bytes),
        audit,
    };
    core.store.change(change).await
}
