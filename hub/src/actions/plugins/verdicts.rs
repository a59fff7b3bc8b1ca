//! What plugins did to what somebody wanted: noted with what they leave, found by those who keep the peace, and kept for a while.

use std::time::Duration;

use jackfield_domain::{
    ConversationId, MessageId, UserId, VerdictId, WorkspaceId,
    pages::{Page, Slice},
    permissions::{Act, may},
    plugins::{PluginId, Verdict, VerdictFilter, VerdictKind},
};
use jackfield_plugin_host::{Asked, Chain, Decision, Deed, hooks::Before};

use super::{
    super::{Core, Viewer},
    before::cannot_look,
};
use crate::{
    Result,
    clock::Clock,
    store::{DataChange, FromPlugins, SweepVerdicts},
};

/// So long it can be found out what plugins did.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const SWEEP: u64 = 1_000;

/// What plugins are asked about: who wants it, and what it concerns.
#[derive(Debug, Clone, Copy)]
pub struct About {
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub conversation: Option<ConversationId>,
    /// Also one that is not sent: the id that it would have.
    pub message: Option<MessageId>,
}

impl About {
    pub fn message(viewer: &Viewer, conversation: ConversationId, message: MessageId) -> Self {
        About { message: Some(message), ..About::conversation(viewer, conversation) }
    }

    pub fn conversation(viewer: &Viewer, conversation: ConversationId) -> Self {
        let (workspace, user) = (viewer.workspace(), viewer.id());
        About { workspace, user, conversation: Some(conversation), message: None }
    }
}

/// What the plugins left to be committed, and what they did; none where that is nothing.
pub fn left<Q: Before>(core: &Core, about: &About, chain: &Chain, asked: &Asked<Q>) -> Option<FromPlugins> {
    let mut plugins = FromPlugins::default();
    let at = core.clock.now();
    let mut did = |plugin: &PluginId, kind, code: Option<&str>, reason: Option<&str>| {
        let About { workspace, user, conversation, message } = *about;
        plugins.verdicts.push(Verdict {
            id: VerdictId(core.clock.new_id()),
            workspace,
            at,
            user,
            conversation,
            message,
            plugin: plugin.clone(),
            hook: Q::HOOK,
            kind,
            code: code.map(str::to_owned),
            reason: reason.map(str::to_owned),
        });
    };
    for step in &asked.steps {
        if !step.issued.operations.is_empty() {
            let link = chain.links().iter().find(|link| link.plugin == step.plugin);
            let most = link.and_then(|link| Some(link.ready.as_ref()?.limits.storage_bytes)).unwrap_or_default();
            let (plugin, operations) = (step.plugin.clone(), step.issued.operations.clone());
            plugins.data.push(DataChange { workspace: about.workspace, plugin, operations, most });
        }
        match &step.deed {
            Deed::Patched => did(&step.plugin, VerdictKind::Patched, None, None),
            Deed::Failed { failure, .. } => {
                did(&step.plugin, VerdictKind::Failed, Some(failure.kind.as_str()), Some(&failure.what));
            }
            Deed::PassedOver => did(&step.plugin, VerdictKind::PassedOver, None, None),
            Deed::Allowed | Deed::Rejected | Deed::Held => {}
        }
    }
    // What ended it: a plugin's own word, or its failure policy.
    match &asked.decision {
        Decision::Allow => {}
        Decision::Reject { by, refusal } => {
            did(by, VerdictKind::Rejected, Some(&refusal.code), Some(&refusal.reason));
        }
        Decision::Hold { by, reason } => did(by, VerdictKind::Held, None, Some(reason)),
        Decision::Unavailable { by } => {
            let refusal = cannot_look(by);
            did(by, VerdictKind::Rejected, Some(&refusal.code), Some(&refusal.reason));
        }
    }
    (!plugins.is_empty()).then_some(plugins)
}

/// Does the viewer look after what plugins did? Asked before anything that they name is looked for.
pub fn looks_into(viewer: &Viewer) -> Result<()> {
    Ok(may(viewer.role(), Act::Moderate)?)
}

/// What plugins did in the viewer's workspace, in the order in which they did it.
pub async fn list(
    core: &Core,
    viewer: &Viewer,
    filter: &VerdictFilter,
    page: &Page<VerdictId>,
) -> Result<Slice<Verdict>> {
    looks_into(viewer)?;
    core.store.verdicts(viewer.workspace(), filter, page).await
}

/// Takes away what was kept for long enough.
pub async fn sweep(core: &Core) -> Result<()> {
    let before = VerdictId(Clock::earlier_id(core.clock.new_id(), KEPT));
    while core.store.change(SweepVerdicts { before, limit: SWEEP }).await? == SWEEP {}
    Ok(())
}
