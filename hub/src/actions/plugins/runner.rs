//! Telling plugins what has happened: each has a place of its own in each workspace's log, and is told on one node at a time.
//!
//! What a plugin issues and its new place in the log are committed together. Where it fails, the events come again, one by
//! one; one that keeps failing is laid aside for the admins, and the others go on.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jackfield_domain::{
    DeadLetterId, Event, Fact, MessageId, Position, Rejection, WorkspaceId,
    plugins::{Admission, Blow, Capability, DeadLetter, Hook, PluginId},
};
use jackfield_plugin_host::{
    Outcome, Plugin, WholeMessage,
    hooks::{OnEvents, ToldEvent},
    note_failure,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{super::Core, effects, here::Local, occasion, settling, traced};
use crate::{
    Error, Result,
    store::{Deed, Effects, EndTurn, Fate, FromPlugins, TakeTurn, Turn},
};

/// So many turns at once on one node.
const AT_ONCE: usize = 4;
/// So many events are looked at in one turn.
const LOOK: u64 = 256;
/// A plugin is told so many at once.
const BATCH: usize = 64;
/// How long a node may be silent before another one takes over.
const LEASE: Duration = Duration::from_secs(60);
/// How soon a node sees what others committed, if nobody tells it.
const POLL: Duration = Duration::from_secs(1);
/// After a round nobody is told anything for so long: what comes in quick succession is told, and committed, together.
const BREATH: Duration = Duration::from_millis(25);
/// An event that fails so often is laid aside.
const ATTEMPTS: u32 = 5;
/// Deeper than this no plugin answers to a plugin.
const DEPTH: u8 = 3;

/// Tells plugins what happens until the hub goes away; what was begun by then is counted by `running`, and is ended.
pub async fn run(core: Arc<Core>, draining: CancellationToken, running: TaskTracker) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        tokio::select! {
            () = draining.cancelled() => return,
            () = core.plugins.stirred.notified() => {}
            () = tokio::time::sleep(POLL) => {}
        }
        prepare_those_who_must(&core, &places, &running);
        if let Err(error) = round(&core, &places, &running).await {
            tracing::debug!(%error, "plugins cannot be told what happens");
        }
        tokio::time::sleep(BREATH).await;
    }
}

/// Lets those prepare themselves who must before anything else is asked of them.
fn prepare_those_who_must(core: &Arc<Core>, places: &Arc<Semaphore>, running: &TaskTracker) {
    for (workspace, plugin) in core.plugins.take_unprepared() {
        let Ok(place) = places.clone().try_acquire_owned() else {
            core.plugins.prepare_later(workspace, &plugin);
            continue;
        };
        let core = core.clone();
        running.spawn(async move {
            let _place = place;
            let Some(loaded) = core.plugins.find(&plugin) else { return };
            match settling::prepare(&core, workspace, &loaded).await {
                Ok(true) => {}
                Err(Error::Rejected(why)) => {
                    tracing::error!(%plugin, %workspace, %why, "a plugin could not prepare itself");
                    let here = super::here(&core, workspace).await;
                    // An upgrade that is refused leaves the earlier version at work; one that never began is off.
                    if here.is_ok_and(|here| here.find(&plugin).is_some_and(|local| local.ready.is_none())) {
                        super::admin::switch_off(&core, workspace, &plugin, &why.to_string()).await;
                    }
                }
                Ok(false) => core.plugins.prepare_later(workspace, &plugin),
                Err(error) => {
                    tracing::warn!(%plugin, %workspace, %error, "a plugin cannot prepare itself now");
                    core.plugins.prepare_later(workspace, &plugin);
                }
            }
        });
    }
}

/// One turn for everybody who is behind, until nobody is.
async fn round(core: &Arc<Core>, places: &Arc<Semaphore>, running: &TaskTracker) -> Result<()> {
    let listening: Vec<PluginId> = core
        .plugins
        .installed()
        .iter()
        .filter(|loaded| loaded.module.is_ok() && loaded.manifest.wish(Hook::OnEvents).is_some())
        .map(|loaded| loaded.installed.plugin.clone())
        .collect();
    if listening.is_empty() {
        return Ok(());
    }
    loop {
        let behind = core.store.plugins_behind(&listening, core.clock.now()).await?;
        if behind.is_empty() {
            return Ok(());
        }
        let mut turns = Vec::new();
        for (workspace, plugin) in behind {
            let place = places.clone().acquire_owned().await.map_err(Error::internal)?;
            let core = core.clone();
            turns.push(running.spawn(async move {
                let moved = turn(&core, workspace, &plugin).await;
                drop(place);
                moved.inspect_err(|error| tracing::warn!(%plugin, %error, "a plugin's turn failed"))
            }));
        }
        let mut moved = false;
        for turn in turns {
            moved |= matches!(turn.await, Ok(Ok(true)));
        }
        if !moved {
            return Ok(());
        }
    }
}

/// One turn of one plugin; whether it came any further.
async fn turn(core: &Arc<Core>, workspace: WorkspaceId, plugin: &PluginId) -> Result<bool> {
    let here = super::here(core, workspace).await?;
    let Some(local) = here.find(plugin).filter(|local| local.listens() && local.ready.is_some()) else {
        return Ok(false);
    };
    let now = core.clock.now();
    let admitted = local.vitals.breaker.lock().unwrap_or_else(std::sync::PoisonError::into_inner).admit(now);
    if admitted == Admission::No {
        return Ok(false);
    }
    let lease = core.clock.new_id();
    let taken = TakeTurn { workspace, plugin: plugin.clone(), lease, now, until: now + LEASE };
    let Some(turn) = core.store.change(taken).await? else { return Ok(false) };
    let outcome = tell(core, &here, local, &turn).await;
    if outcome.is_err() {
        // Nothing was committed; let others have it.
        let rest = ending(&turn, core, turn.position, turn.failures);
        let _ = core.store.change(rest).await;
    }
    outcome
}

fn ending(turn: &Turn, core: &Core, position: Position, failures: u32) -> EndTurn {
    EndTurn {
        workspace: turn.workspace,
        plugin: turn.plugin.clone(),
        lease: turn.lease,
        at: core.clock.now(),
        position,
        failures,
        rest_until: None,
        bot: None,
        depth: 1,
        data: FromPlugins::default(),
        effects: Effects::default(),
        laid_aside: None,
    }
}

async fn tell(core: &Arc<Core>, here: &super::Here, local: &Local, turn: &Turn) -> Result<bool> {
    let Some(plugin) = &local.ready else { return Ok(false) };
    let events = core.store.events_after(turn.workspace, turn.position, LOOK).await?;
    let Some(last) = events.last().map(|event| event.position) else {
        // The log has been trimmed beyond the plugin's place: what is gone is gone.
        core.store.change(ending(turn, core, turn.head, 0)).await?;
        return Ok(true);
    };
    let wanted: Vec<&Event> = events.iter().filter(|event| concerns(local, event)).collect();
    // After a failure one by one, so that it shows which of them it is.
    let most = if turn.failures > 0 { 1 } else { BATCH };
    let told = &wanted[..wanted.len().min(most)];
    let position = if told.len() < wanted.len() { told.last().map_or(last, |event| event.position) } else { last };
    if told.is_empty() {
        core.store.change(ending(turn, core, position, 0)).await?;
        return Ok(true);
    }
    let depth = depth_of(told);
    let now = core.clock.now();
    let mut span = traced::telling(core, turn.workspace, told).await;
    let outcome = hand_over(core, local, plugin, told, turn.failures + 1).await?;
    traced::told(&mut span, &turn.plugin, &outcome);
    let breaker = || local.vitals.breaker.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match outcome.answer {
        Ok(()) => {
            breaker().succeeded();
            let (data, effects) = effects::prepared(core, here, local, turn.workspace, outcome.issued).await?;
            let bot = local.row.bot;
            let done = EndTurn { bot, depth, data, effects, ..ending(turn, core, position, 0) };
            match span.within(core.store.change(done)).await {
                // Somebody else changed what the plugin had looked at: it is told again.
                Err(Error::Rejected(Rejection::Conflict)) => {
                    core.store.change(ending(turn, core, turn.position, turn.failures)).await?;
                    Ok(true)
                }
                done => {
                    let refused = done?;
                    for refused in refused.iter().flatten() {
                        effects::left_out(core, turn.workspace, &turn.plugin, &format!("a post: {refused}")).await;
                    }
                    Ok(refused.is_some())
                }
            }
        }
        Err(failure) => {
            tracing::warn!(plugin = %turn.plugin, kind = failure.kind.as_str(), what = %failure.what, "a plugin failed");
            let blow = note_failure(&mut breaker(), &failure, now);
            if blow == Blow::SwitchOff {
                super::admin::switch_off(core, turn.workspace, &turn.plugin, &failure.what).await;
            }
            // What the hub is to blame for is tried again for as long as it takes.
            let failures = turn.failures + u32::from(failure.kind.is_the_plugins());
            let alone = told.len() == 1;
            let rest_until = Some(now + Duration::from_secs(1 << failures.min(6)));
            let end = if alone && failures > ATTEMPTS {
                let laid_aside = Some(DeadLetter {
                    id: DeadLetterId(core.clock.new_id()),
                    workspace: turn.workspace,
                    plugin: turn.plugin.clone(),
                    position: told[0].position,
                    problem: failure.what,
                    attempts: 1,
                    created_at: now,
                });
                EndTurn { laid_aside, ..ending(turn, core, told[0].position, 0) }
            } else {
                EndTurn { rest_until, ..ending(turn, core, turn.position, failures) }
            };
            core.store.change(end).await?;
            Ok(false)
        }
    }
}

/// How deep what a plugin answers to these stands in a row of plugins that answer to each other.
fn depth_of(told: &[&Event]) -> u8 {
    told.iter().map(|event| event.depth).max().unwrap_or_default().saturating_add(1)
}

/// Tells a plugin of events.
async fn hand_over(
    core: &Arc<Core>,
    local: &Local,
    plugin: &Plugin,
    told: &[&Event],
    attempt: u32,
) -> Result<Outcome<()>> {
    let messages = messages(core, plugin, told).await?;
    let told: Vec<ToldEvent<'_>> = told
        .iter()
        .map(|event| ToldEvent {
            event,
            message: message_of(&event.fact).and_then(|id| messages.get(&id)),
            payload: None,
            depth: event.depth,
        })
        .collect();
    let question = OnEvents::new(&told, attempt);
    let workspace = local.row.workspace;
    let occasion = occasion(core, workspace, core.clock.now());
    let outcome = core.plugins.host.ask_aside(plugin.clone(), occasion, question).await;
    effects::note(core, workspace, local.id(), &outcome.logs).await;
    local.vitals.note(&outcome);
    Ok(outcome)
}

/// Tells a plugin once more of an event that was laid aside. What it leaves is for the caller to commit.
pub async fn tell_again(core: &Arc<Core>, letter: &DeadLetter) -> Result<Fate> {
    let here = super::here(core, letter.workspace).await?;
    let cannot = |why: &str| Rejection::PluginFailed { plugin: letter.plugin.clone(), why: why.to_owned() };
    let local = here.find(&letter.plugin).filter(|local| local.listens());
    let local = local.ok_or_else(|| cannot("it is off; switch it on first"))?;
    let plugin = local.ready.as_ref().ok_or_else(|| cannot("it cannot run, or has not prepared itself yet"))?;
    let events = core.store.events_after(letter.workspace, Position(letter.position.0 - 1), 1).await?;
    let Some(event) = events.first().filter(|event| event.position == letter.position) else {
        return Err(cannot("the log does not reach back to the event any more; discard it").into());
    };
    let outcome = hand_over(core, local, plugin, &[event], letter.attempts + 1).await?;
    match outcome.answer {
        Ok(()) => {
            let (data, effects) = effects::prepared(core, &here, local, letter.workspace, outcome.issued).await?;
            Ok(Fate::Done(Box::new(Deed { data, effects, bot: local.row.bot, depth: depth_of(&[event]) })))
        }
        Err(failure) => Ok(Fate::Failed(failure.what)),
    }
}

/// Whether a plugin is to be told of an event.
fn concerns(local: &Local, event: &Event) -> bool {
    local.events().contains(&event.fact.kind())
        && event.depth < DEPTH
        && (event.actor.is_none() || event.actor != local.row.bot)
        && local.is_on_in(event.fact.conversation())
}

fn message_of(fact: &Fact) -> Option<MessageId> {
    match fact {
        Fact::MessageSent { message, .. } | Fact::MentionsUpdated { message, .. } => Some(*message),
        fact => fact.changed_message(),
    }
}

/// The messages that events are about, as they stand now, as far as the plugin may read them.
async fn messages(core: &Core, plugin: &Plugin, told: &[&Event]) -> Result<HashMap<MessageId, WholeMessage>> {
    if !plugin.grants.capabilities.contains(&Capability::MessagesRead) {
        return Ok(HashMap::new());
    }
    let ids: HashSet<MessageId> = told
        .iter()
        .filter(|event| event.fact.conversation().is_none_or(|conversation| plugin.grants.sees(conversation)))
        .filter_map(|event| message_of(&event.fact))
        .collect();
    let ids: Vec<MessageId> = ids.into_iter().collect();
    whole(core, &ids).await
}

/// Messages with what stands beside their words.
pub async fn whole(core: &Core, ids: &[MessageId]) -> Result<HashMap<MessageId, WholeMessage>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let mut details: HashMap<MessageId, _> = core.store.message_details(ids).await?.into_iter().collect();
    let found = core.store.messages(ids).await?.into_iter().map(|message| {
        let details = details.remove(&message.id).unwrap_or_default();
        (message.id, WholeMessage { message, details })
    });
    Ok(found.collect())
}
