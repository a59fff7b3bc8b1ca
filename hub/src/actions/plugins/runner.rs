//! Telling plugins what has happened: each has a place of its own in each workspace's log, and is told on one node at a time.
//!
//! What a plugin issues and its new place in the log are committed together. Where it fails, the events come again, one by
//! one; one that keeps failing is laid aside for the admins, and the others go on.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use jackfield_domain::{
    DeadLetterId, Event, Fact, MessageId, Position, Rejection, WorkspaceId,
    events::{Entry, EventKind},
    messages::Message,
    plugins::{Admission, Blow, Capability, DeadLetter, Hook, PluginId},
};
use jackfield_plugin_host::{
    Outcome, Plugin, WholeMessage,
    hooks::{OnEvents, ToldEvent},
    note_failure,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{super::Core, Here, effects, here::Local, occasion, settling, traced};
use crate::{
    Error, Result,
    store::{Deed, Effects, Fate, FromPlugins, Next, TakeTurn, Turn, TurnStep},
};

/// So many turns at once on one node.
const AT_ONCE: usize = 4;
/// So many events are looked at at once.
const LOOK: u64 = 256;
/// A plugin is told so many at once.
const BATCH: usize = 64;
/// How long a node may be silent before another one takes over.
const LEASE: Duration = Duration::from_secs(30);
/// So long one has the word before others have their turn.
const TURN: Duration = Duration::from_secs(2);
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
        if let Err(error) = round(&core, &places, &draining, &running).await {
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

/// One turn for everybody who is behind, until nobody is, or the hub goes away.
async fn round(
    core: &Arc<Core>,
    places: &Arc<Semaphore>,
    draining: &CancellationToken,
    running: &TaskTracker,
) -> Result<()> {
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
    while !draining.is_cancelled() {
        let behind = core.store.plugins_behind(&listening, core.clock.now()).await?;
        if behind.is_empty() {
            return Ok(());
        }
        let mut turns = Vec::new();
        for (workspace, plugin) in behind {
            let place = places.clone().acquire_owned().await.map_err(Error::internal)?;
            let (core, draining) = (core.clone(), draining.clone());
            turns.push(running.spawn(async move {
                let moved = turn(&core, workspace, &plugin, &draining).await;
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
    Ok(())
}

/// A plugin that may be told something now.
struct Listener {
    here: Arc<Here>,
    local: Arc<Local>,
    plugin: Arc<Plugin>,
}

/// The plugin, if it is to hear of what happens, and its breaker lets it.
async fn listener(core: &Arc<Core>, workspace: WorkspaceId, plugin: &PluginId) -> Result<Option<Listener>> {
    let here = super::here(core, workspace).await?;
    let Some(local) = here.find(plugin).filter(|local| local.listens()).cloned() else { return Ok(None) };
    let Some(plugin) = local.ready.clone() else { return Ok(None) };
    if local.vitals.breaker().admit(core.clock.now()) == Admission::No {
        return Ok(None);
    }
    Ok(Some(Listener { here, local, plugin }))
}

/// What came of telling a plugin something.
enum Told {
    /// It has come further, and there may be more.
    Further,
    /// The turn is over, and whether it has come any further by what was done last.
    Ended(bool),
}

/// One turn of one plugin: it is told of one batch after the other until there are no more, or it has had its time; whether it
/// came any further.
async fn turn(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    plugin: &PluginId,
    draining: &CancellationToken,
) -> Result<bool> {
    let Some(mut listener) = listener(core, workspace, plugin).await? else { return Ok(false) };
    let now = core.clock.now();
    let taken = TakeTurn { workspace, plugin: plugin.clone(), lease: core.clock.new_id(), now, until: now + LEASE };
    let Some(mut turn) = core.store.change(taken).await? else { return Ok(false) };
    let (begun, mut ahead, mut came) = (Instant::now(), VecDeque::new(), false);
    loop {
        match tell(core, &listener, &mut turn, &mut ahead).await {
            Ok(Told::Further) => came = true,
            Ok(Told::Ended(further)) => return Ok(came || further),
            Err(error) => {
                // What was told last was not committed; let others have it.
                let _ = core.store.change(step(core, &turn)).await;
                return Err(error);
            }
        }
        // The log goes on while it is told of what was there, and is at hand where somebody looks at it.
        let head = core.feeds.get(workspace).map_or(turn.head, |feed| feed.head().max(turn.head));
        let is_over = turn.position >= head || begun.elapsed() > TURN || draining.is_cancelled();
        let goes_on = if is_over { None } else { self::listener(core, workspace, plugin).await? };
        let Some(goes_on) = goes_on else {
            core.store.change(step(core, &turn)).await?;
            return Ok(came);
        };
        listener = goes_on;
    }
}

/// The end of a turn where it is now.
fn step(core: &Core, turn: &Turn) -> TurnStep {
    TurnStep {
        workspace: turn.workspace,
        plugin: turn.plugin.clone(),
        lease: turn.lease,
        at: core.clock.now(),
        position: turn.position,
        failures: turn.failures,
        next: Next::AtOnce,
        bot: None,
        depth: 1,
        data: FromPlugins::default(),
        effects: Effects::default(),
        laid_aside: None,
    }
}

/// What stands in the log behind a place, from what is at hand where that reaches back so far.
async fn look(core: &Core, turn: &Turn) -> Result<VecDeque<Arc<Entry>>> {
    let at_hand = core.feeds.get(turn.workspace).and_then(|feed| feed.kept_after(turn.position));
    if let Some(entries) = at_hand.filter(|entries| !entries.is_empty()) {
        return Ok(entries.into());
    }
    let events = core.store.events_after(turn.workspace, turn.position, LOOK).await?;
    Ok(events.into_iter().map(|event| Arc::new(Entry { event, message: None })).collect())
}

/// Tells a plugin of the next events. `ahead` is what was read of the log and not told yet.
async fn tell(
    core: &Arc<Core>,
    listener: &Listener,
    turn: &mut Turn,
    ahead: &mut VecDeque<Arc<Entry>>,
) -> Result<Told> {
    let Listener { here, local, plugin } = listener;
    if ahead.is_empty() {
        *ahead = look(core, turn).await?;
    }
    if ahead.is_empty() {
        // The log has been trimmed beyond the plugin's place: what is gone is gone.
        (turn.position, turn.failures) = (turn.head.max(turn.position), 0);
        return Ok(Told::Further);
    }
    let wanted = plugin.module.wish(Hook::OnEvents).map(|wish| wish.events.as_slice()).unwrap_or_default();
    // After a failure one by one, so that it shows which of them it is.
    let most = if turn.failures > 0 { 1 } else { BATCH };
    let (mut told, mut position) = (Vec::new(), turn.position);
    while told.len() < most
        && let Some(entry) = ahead.pop_front()
    {
        position = entry.event.position;
        if concerns(local, wanted, &entry.event) {
            told.push(entry);
        }
    }
    if told.is_empty() {
        (turn.position, turn.failures) = (position, 0);
        return Ok(Told::Further);
    }
    let events: Vec<&Event> = told.iter().map(|entry| &entry.event).collect();
    let now = core.clock.now();
    let mut span = traced::telling(core, turn.workspace, &events).await;
    let outcome = hand_over(core, local, plugin, &told, turn.failures + 1).await?;
    traced::told(&mut span, &turn.plugin, &outcome);
    match outcome.answer {
        Ok(()) => {
            local.vitals.breaker().succeeded();
            if outcome.issued.is_empty() {
                // Its place is committed with what it issues next, or at the end of its turn.
                (turn.position, turn.failures) = (position, 0);
                return Ok(Told::Further);
            }
            let (data, effects) = effects::prepared(core, here, local, turn.workspace, outcome.issued).await?;
            let (bot, depth) = (local.row.bot, depth_of(&events));
            let goes_on = Next::GoesOn(now + LEASE);
            let done = TurnStep { position, failures: 0, next: goes_on, bot, depth, data, effects, ..step(core, turn) };
            match span.within(core.store.change(done)).await {
                // Somebody else changed what the plugin had looked at: it is told again.
                Err(Error::Rejected(Rejection::Conflict)) => {
                    core.store.change(step(core, turn)).await?;
                    Ok(Told::Ended(true))
                }
                Err(error) => Err(error),
                // The turn is another node's by now, and so is what comes of these events.
                Ok(None) => Ok(Told::Ended(false)),
                Ok(Some(refused)) => {
                    (turn.position, turn.failures) = (position, 0);
                    for refused in &refused {
                        effects::left_out(core, turn.workspace, &turn.plugin, &format!("a post: {refused}")).await;
                    }
                    Ok(Told::Further)
                }
            }
        }
        Err(failure) => {
            tracing::warn!(plugin = %turn.plugin, kind = failure.kind.as_str(), what = %failure.what, "a plugin failed");
            let blow = note_failure(&mut local.vitals.breaker(), &failure, now);
            if blow == Blow::SwitchOff {
                super::admin::switch_off(core, turn.workspace, &turn.plugin, &failure.what).await;
            }
            // What the hub is to blame for is tried again for as long as it takes.
            let failures = turn.failures + u32::from(failure.kind.is_the_plugins());
            let end = if events.len() == 1 && failures > ATTEMPTS {
                let laid_aside = Some(DeadLetter {
                    id: DeadLetterId(core.clock.new_id()),
                    workspace: turn.workspace,
                    plugin: turn.plugin.clone(),
                    position: events[0].position,
                    problem: failure.what,
                    attempts: 1,
                    created_at: now,
                });
                TurnStep { laid_aside, position: events[0].position, failures: 0, ..step(core, turn) }
            } else {
                let next = Next::Rest(now + Duration::from_secs(1 << failures.min(6)));
                TurnStep { next, failures, ..step(core, turn) }
            };
            core.store.change(end).await?;
            Ok(Told::Ended(false))
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
    told: &[Arc<Entry>],
    attempt: u32,
) -> Result<Outcome<()>> {
    let messages = messages(core, plugin, told).await?;
    let told: Vec<ToldEvent<'_>> = told
        .iter()
        .map(|entry| ToldEvent {
            event: &entry.event,
            message: message_of(&entry.event.fact).and_then(|id| messages.get(&id)),
            payload: None,
            depth: entry.event.depth,
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
    let Some(event) = events.into_iter().next().filter(|event| event.position == letter.position) else {
        return Err(cannot("the log does not reach back to the event any more; discard it").into());
    };
    let depth = depth_of(&[&event]);
    let told = [Arc::new(Entry { event, message: None })];
    let outcome = hand_over(core, local, plugin, &told, letter.attempts + 1).await?;
    match outcome.answer {
        Ok(()) => {
            let (data, effects) = effects::prepared(core, &here, local, letter.workspace, outcome.issued).await?;
            Ok(Fate::Done(Box::new(Deed { data, effects, bot: local.row.bot, depth })))
        }
        Err(failure) => Ok(Fate::Failed(failure.what)),
    }
}

/// Whether a plugin is to be told of an event.
fn concerns(local: &Local, wanted: &[EventKind], event: &Event) -> bool {
    wanted.contains(&event.fact.kind())
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
async fn messages(core: &Core, plugin: &Plugin, told: &[Arc<Entry>]) -> Result<HashMap<MessageId, WholeMessage>> {
    if !plugin.grants.capabilities.contains(&Capability::MessagesRead) {
        return Ok(HashMap::new());
    }
    let ids: HashSet<MessageId> = told
        .iter()
        .map(|entry| &entry.event.fact)
        .filter(|fact| fact.conversation().is_none_or(|conversation| plugin.grants.sees(conversation)))
        .filter_map(message_of)
        .collect();
    // What is at hand is forgotten there when it is changed; the rest is read.
    let at_hand = told.iter().filter_map(|entry| entry.message.clone()).filter(|message| ids.contains(&message.id));
    let at_hand: HashMap<MessageId, Message> = at_hand.map(|message| (message.id, message)).collect();
    let away: Vec<MessageId> = ids.iter().copied().filter(|id| !at_hand.contains_key(id)).collect();
    let mut found = if away.is_empty() { Vec::new() } else { core.store.messages(&away).await? };
    found.extend(at_hand.into_values());
    with_details(core, found).await
}

/// Messages with what stands beside their words.
pub async fn whole(core: &Core, ids: &[MessageId]) -> Result<HashMap<MessageId, WholeMessage>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    with_details(core, core.store.messages(ids).await?).await
}

async fn with_details(core: &Core, found: Vec<Message>) -> Result<HashMap<MessageId, WholeMessage>> {
    let ids: Vec<MessageId> = found.iter().map(|message| message.id).collect();
    let mut details: HashMap<MessageId, _> = core.store.message_details(&ids).await?.into_iter().collect();
    let whole = found.into_iter().map(|message| {
        let details = details.remove(&message.id).unwrap_or_default();
        (message.id, WholeMessage { message, details })
    });
    Ok(whole.collect())
}
