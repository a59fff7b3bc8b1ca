//! Asking plugins before something is done, and committing what they leave, whatever is decided.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jackfield_domain::{
    HeldMessageId, MessageId, Policy, Rejection, Timestamp, UserId, WorkspaceId,
    messages::{CheckedMessage, MessageDraft},
    plugins::{Blow, FailureKind, HeldMessage, HeldState, Kept, LogLevel, LogLine, PluginId, Refusal},
};
use jackfield_plugin_host::{
    Asked, Chain, Decision, Deed, Failure, Measures, Step,
    hooks::{Before, BeforeCreate},
    note_failure,
};
use tokio::time::timeout;

use super::{
    super::Core,
    effects, occasion, traced,
    verdicts::{self, About},
};
use crate::{
    Error, Result,
    actions::{Viewer, memory},
    store::{FromPlugins, KeepLeft, KeepOutcome, Outgoing, Sent},
    traces::{self, Span},
};

/// So often a plugin is asked about the same, where somebody else changed its data while it looked.
const TRIES: usize = 8;
/// So long one waits until those who look again before have looked.
const PATIENCE: Duration = Duration::from_secs(2);

/// What came of a message.
#[derive(Debug, Clone)]
pub enum Sending {
    Sent(Sent),
    Held(HeldMessage),
}

/// Sends a message that plugins want to be asked about. Its words have passed the rules, and pass them again if a plugin
/// changes them.
pub async fn send(
    core: &Arc<Core>,
    viewer: &Viewer,
    chain: &Chain,
    draft: MessageDraft,
    policy: &Policy,
    mut rules: Span,
) -> Result<Sending> {
    let asked_for = CheckedMessage::check(draft.clone(), policy).inspect_err(|_| rules.fail("refused"))?;
    let fingerprint = asked_for.fingerprint();
    let outgoing = |id, message, plugins| Outgoing {
        id,
        workspace: viewer.workspace(),
        sender: viewer.id(),
        at: core.clock.now(),
        message,
        plugins,
    };
    let id = MessageId(core.clock.new_id());
    let key = asked_for.client_message_id().map(str::to_owned);
    let unasked = || Some(Box::new(FromPlugins { unasked: true, ..FromPlugins::default() }));
    drop(rules);
    let about = About::message(viewer, draft.conversation, id);
    let tries = Tries::new(core, viewer.workspace());
    let done = tries.until_done(|| async {
        // Who may not write there is nobody whom a plugin need be asked about. The store says why; if they may by then, it does not
        // send it either, and all begins again.
        if !memory::may_write(core, viewer.workspace(), viewer.id(), draft.conversation).await? {
            return core.store.send(outgoing(id, asked_for.clone(), unasked())).await;
        }
        let now = core.clock.now();
        let question = BeforeCreate::new(draft.clone(), viewer.user());
        let chain = tries.left_of(chain);
        let asked = ask(core, viewer, &chain, now, question).await;
        let plugins = verdicts::left(core, &about, &chain, &asked);
        let kept = |outcome, held| KeepOutcome {
            workspace: viewer.workspace(),
            sender: viewer.id(),
            at: now,
            message: id,
            key: key.clone(),
            fingerprint,
            outcome,
            held,
            plugins: plugins.clone().unwrap_or_default(),
        };
        // It is no plugin's to say no where this was sent before, or may not be sent in any case: the store knows.
        if asked.decision != Decision::Allow && is_settled(core, viewer.id(), &asked_for).await? {
            return core.store.send(outgoing(id, asked_for.clone(), unasked())).await;
        }
        match asked.decision {
            Decision::Allow => {
                let checked = CheckedMessage::check(asked.question.into_draft(), policy);
                let (message, plugins) = or_keep(core, checked, plugins.clone(), viewer.workspace()).await?;
                let plugins =
                    plugins.map(|plugins| Box::new(FromPlugins { fingerprint: Some(fingerprint), ..plugins }));
                core.store.send(outgoing(id, message, plugins)).await
            }
            Decision::Reject { by, refusal } => {
                let change = kept(Kept::Refused { plugin: by, refusal }, None);
                core.store.change(change).await.and_then(|refused| Err(refused.into()))
            }
            Decision::Hold { by, reason } => {
                let held = HeldMessage {
                    id: HeldMessageId(core.clock.new_id()),
                    workspace: viewer.workspace(),
                    conversation: draft.conversation,
                    sender: viewer.id(),
                    draft: effects::written(&asked.question.into_draft())?,
                    plugin: by,
                    reason,
                    state: HeldState::Waiting,
                    message: id,
                    created_at: now,
                    decided_at: None,
                    decided_by: None,
                    note: None,
                };
                let change = kept(Kept::Held(held.id), Some(held));
                core.store.change(change).await.and_then(|refused| Err(refused.into()))
            }
            Decision::Unavailable { by } => {
                keep(core, viewer.workspace(), plugins.clone().unwrap_or_default()).await?;
                Err(unavailable(by).into())
            }
        }
    });
    let done = done.await;
    outcome(core, done).await
}

/// Asks plugins whether something may be done; answers the question as they left it, and what is to be committed with what
/// is done. Where one says no, what they leave is committed with that.
pub async fn asked<Q: Before>(
    core: &Arc<Core>,
    viewer: &Viewer,
    chain: &Chain,
    about: About,
    question: Q,
) -> Result<(Q, FromPlugins)> {
    let now = core.clock.now();
    let mut asked = ask(core, viewer, chain, now, question).await;
    // Only messages that are to be sent can wait.
    if let Decision::Hold { by, .. } = asked.decision {
        asked.decision = Decision::Unavailable { by };
    }
    let left = verdicts::left(core, &about, chain, &asked).unwrap_or_default();
    let refused = match asked.decision {
        Decision::Allow => return Ok((asked.question, left)),
        Decision::Reject { by, refusal } => Rejection::RefusedByPlugin { plugin: by, refusal },
        Decision::Hold { by, .. } | Decision::Unavailable { by } => unavailable(by),
    };
    keep(core, viewer.workspace(), left).await?;
    Err(refused.into())
}

/// Commits what plugins left where nothing else is to be committed.
pub async fn keep(core: &Core, workspace: WorkspaceId, plugins: FromPlugins) -> Result<()> {
    if plugins.is_empty() {
        return Ok(());
    }
    core.store.change(KeepLeft { workspace, at: core.clock.now(), plugins }).await
}

/// What plugins made of something, as the rules see it. Where these refuse it, what the plugins left is kept all the same, and
/// whoever looks for it finds whose change it was.
pub async fn or_keep<T, P: Into<Option<FromPlugins>>>(
    core: &Core,
    checked: Result<T, impl Into<Error>>,
    left: P,
    workspace: WorkspaceId,
) -> Result<(T, P)> {
    match checked {
        Ok(checked) => Ok((checked, left)),
        Err(refused) => {
            keep(core, workspace, left.into().unwrap_or_default()).await?;
            Err(refused.into())
        }
    }
}

/// Asks them, and keeps how they did.
async fn ask<Q: Before>(core: &Arc<Core>, viewer: &Viewer, chain: &Chain, now: Timestamp, question: Q) -> Asked<Q> {
    let mut hooks = traces::span("hooks");
    hooks.note("jackfield.hook", Q::HOOK.as_str());
    let occasion = occasion(core, viewer.workspace(), now);
    let asked = hooks.within(chain.ask(&core.plugins.host, &occasion, question)).await;
    if hooks.is_on() {
        asked.steps.iter().for_each(|step| traced::asked(&hooks, Q::HOOK, step));
    }
    drop(hooks);
    note(core, viewer.workspace(), &asked.steps).await;
    asked
}

/// Something that plugins are asked about, tried again if somebody else changed meanwhile what one of them had looked at. A
/// plugin that others outrun each time has failed, and is among those that the next try has to do without.
pub struct Tries<'a> {
    core: &'a Arc<Core>,
    workspace: WorkspaceId,
    without: Mutex<Vec<PluginId>>,
}

impl<'a> Tries<'a> {
    pub fn new(core: &'a Arc<Core>, workspace: WorkspaceId) -> Self {
        Tries { core, workspace, without: Mutex::default() }
    }

    /// The chain, less those that were outrun.
    pub fn left_of<'c>(&self, chain: &'c Chain) -> Cow<'c, Chain> {
        chain.passing_over(&self.without.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub async fn until_done<T, F: Future<Output = Result<T>>>(&self, mut attempt: impl FnMut() -> F) -> Result<T> {
        let (mut outrun, mut conflicts) = (BTreeMap::<PluginId, usize>::new(), 0);
        let mut second_look = None;
        loop {
            let plugin = match attempt().await {
                Err(Error::Rejected(Rejection::Outrun { plugin })) => plugin,
                Err(Error::Rejected(Rejection::Conflict)) if conflicts < TRIES => {
                    conflicts += 1;
                    continue;
                }
                done => return done,
            };
            drop(second_look.take());
            let times = outrun.entry(plugin.clone()).or_default();
            *times += 1;
            if *times > TRIES {
                return Err(Rejection::Outrun { plugin }.into());
            }
            if *times == TRIES {
                has_failed(self.core, self.workspace, &plugin).await;
                self.without.lock().unwrap_or_else(PoisonError::into_inner).push(plugin);
                continue;
            }
            let turn = self.core.plugins.vitals(self.workspace, &plugin).second_look.clone().lock_owned();
            second_look = timeout(PATIENCE, turn).await.ok();
        }
    }
}

/// A plugin was outrun each time that it was asked about something.
async fn has_failed(core: &Arc<Core>, workspace: WorkspaceId, plugin: &PluginId) {
    let what = "what it keeps was changed while it looked, each time that it was asked".to_owned();
    let failure = Failure { kind: FailureKind::Conflict, what };
    let blow = note_failure(&mut core.plugins.vitals(workspace, plugin).breaker(), &failure, core.clock.now());
    core.plugins.vitals(workspace, plugin).count(&Measures::default(), Some(failure.kind));
    note_failed(core, workspace, plugin, &failure, blow).await;
}

/// Whether the outcome is not for plugins to decide: it was sent before, or its sender may not write there any more.
async fn is_settled(core: &Core, sender: UserId, message: &CheckedMessage) -> Result<bool> {
    if let Some(key) = message.client_message_id()
        && core.store.is_key_used(sender, key).await?
    {
        return Ok(true);
    }
    Ok(!core.store.may_write(sender, message.conversation()).await?)
}

async fn outcome(core: &Core, done: Result<Sent>) -> Result<Sending> {
    match done {
        Ok(sent) => Ok(Sending::Sent(sent)),
        Err(Error::Rejected(Rejection::Held { id })) => {
            let held = core.store.held_message(id).await?;
            held.map(Sending::Held).ok_or_else(|| Error::internal("a held message that must be there is not"))
        }
        Err(error) => Err(error),
    }
}

/// What it is told to who asked, where a plugin that must not be passed over cannot be asked. It is not kept under the
/// sender's key: it may be tried again.
pub fn unavailable(plugin: PluginId) -> Rejection {
    let refusal = cannot_look(&plugin);
    Rejection::RefusedByPlugin { plugin, refusal }
}

pub fn cannot_look(plugin: &PluginId) -> Refusal {
    let reason = format!("the plugin {plugin} must look at this first and cannot do so now; try again later");
    Refusal { reason, code: "PLUGIN_UNAVAILABLE".to_owned() }
}

/// Keeps what plugins had to say, counts how they did, and switches off who is to be switched off.
pub async fn note(core: &Arc<Core>, workspace: WorkspaceId, steps: &[Step]) {
    for step in steps {
        core.plugins.journal.note(core, workspace, &step.plugin, &step.logs);
        if step.deed != Deed::PassedOver {
            let failure = if let Deed::Failed { failure, .. } = &step.deed { Some(failure.kind) } else { None };
            core.plugins.vitals(workspace, &step.plugin).count(&step.measures, failure);
        }
        let failed = match &step.deed {
            Deed::Failed { failure, blow } => {
                note_failed(core, workspace, &step.plugin, failure, *blow).await;
                failure.kind.as_str()
            }
            _ => "none",
        };
        metrics::counter!("jackfield_plugin_calls_total", "plugin" => step.plugin.to_string(), "failure" => failed)
            .increment(1);
    }
}

async fn note_failed(core: &Arc<Core>, workspace: WorkspaceId, plugin: &PluginId, failure: &Failure, blow: Blow) {
    tracing::warn!(%plugin, kind = failure.kind.as_str(), what = %failure.what, "a plugin failed");
    let text = format!("a message or the like could not be looked at: {}", failure.what);
    let line = LogLine { at: core.clock.now(), level: LogLevel::Error, text };
    core.plugins.journal.note(core, workspace, plugin, &[line]);
    if blow == Blow::SwitchOff {
        super::admin::switch_off(core, workspace, plugin, &failure.what).await;
    }
}
