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
    DeadLetterId, Event, Fact, MessageId, Position, Rejection, Timestamp, WorkspaceId,
    events::{Entry, EventKind},
    messages::Message,
    plugins::{Admission, Blow, Breaker, Capability, DeadLetter, FailureKind, Hook, HubState, LaidAside, PluginId},
};
use jackfield_plugin_host::{
    Failure, Outcome, Plugin, WholeMessage,
    hooks::{OnEvents, ToldEvent},
    longest, note_failure,
};
use tokio::{sync::Semaphore, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    super::Core,
    Here,
    effects::{self, Waking},
    here::Local,
    occasion, reading, settling, traced,
};
use crate::{
    Error, Result,
    store::{Deed, Effects, Fate, FromPlugins, GiveBackTurn, Next, TakeTurn, Turn, TurnStep},
};

/// So many turns at once on one node.
const AT_ONCE: usize = 4;
/// So many that are behind are looked for at once.
const LOOK_BEHIND: u64 = 64;
/// So many plugins prepare themselves at once on one node.
const PREPARING: usize = 2;
/// So many events are looked at at once.
const LOOK: u64 = 256;
/// A plugin is told so many at once.
const BATCH: usize = 64;
/// How long a node may be silent before another one takes over, at least.
const LEASE: Duration = Duration::from_secs(30);
/// What it takes to tell a plugin something, beside the plugin's own time.
const MARGIN: Duration = Duration::from_secs(10);
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
    let preparing = Arc::new(Semaphore::new(PREPARING));
    let mut turns = Turns::default();
    loop {
        prepare_those_who_must(&core, &preparing, &running);
        if let Err(error) = turns.begin(&core, &draining, &running).await {
            tracing::debug!(%error, "plugins cannot be told what happens");
        }
        tokio::select! {
            () = draining.cancelled() => break,
            () = core.plugins.stirred.notified() => {}
            () = turns.ended() => {}
            () = tokio::time::sleep(POLL) => {}
        }
        tokio::time::sleep(BREATH).await;
    }
    // Each ends with the batch that it is at.
    turns.tasks.detach_all();
}

/// The turns that are being taken on this node.
#[derive(Default)]
struct Turns {
    tasks: JoinSet<((WorkspaceId, PluginId), bool)>,
    at_work: HashSet<(WorkspaceId, PluginId)>,
    /// Where the last look at those who are behind ended: the next one goes on from there, so that each has its turn.
    after: Option<(WorkspaceId, PluginId)>,
    /// There were more than there were places for.
    is_full: bool,
}

impl Turns {
    /// Waits until one of them has ended with which it is worth looking again.
    async fn ended(&mut self) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((of, moved))) => {
                    self.at_work.remove(&of);
                    if moved || self.is_full {
                        return;
                    }
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "a plugin's turn ended badly");
                    // Whose it was is not known; the others are not begun twice, because each has its lease.
                    self.at_work.clear();
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Begins as many as there are places for, of those who are behind.
    async fn begin(&mut self, core: &Arc<Core>, draining: &CancellationToken, running: &TaskTracker) -> Result<()> {
        let listening: Vec<(PluginId, bool)> = core
            .plugins
            .installed()
            .iter()
            .filter(|loaded| loaded.installed.state == HubState::On && loaded.module.is_ok())
            .filter(|loaded| loaded.manifest.wish(Hook::OnEvents).is_some())
            .map(|loaded| (loaded.installed.plugin.clone(), loaded.installed.is_default))
            .collect();
        if listening.is_empty() {
            return Ok(());
        }
        // Once around, from where the last look ended.
        self.is_full = true;
        let begun_after = self.after.take();
        let mut after = begun_after.clone();
        let mut is_around = begun_after.is_none();
        while self.at_work.len() < AT_ONCE {
            let behind = core.store.plugins_behind(&listening, after.as_ref(), core.clock.now(), LOOK_BEHIND).await?;
            let is_end = behind.len() < LOOK_BEHIND as usize;
            for of in behind {
                if self.at_work.len() >= AT_ONCE {
                    return Ok(());
                }
                self.after = Some(of.clone());
                after = Some(of.clone());
                if !self.at_work.insert(of.clone()) {
                    continue;
                }
                let (core, draining) = (core.clone(), draining.clone());
                self.tasks.spawn(running.track_future(async move {
                    let (workspace, plugin) = &of;
                    let moved = turn(&core, *workspace, plugin, &draining).await;
                    let moved = moved.inspect_err(|error| tracing::warn!(%plugin, %error, "a plugin's turn failed"));
                    (of, moved.unwrap_or_default())
                }));
            }
            if is_end {
                if is_around {
                    (self.after, self.is_full) = (None, false);
                    return Ok(());
                }
                (is_around, after) = (true, None);
            }
        }
        Ok(())
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

/// A plugin that may be told something now.
struct Listener {
    here: Arc<Here>,
    local: Arc<Local>,
    plugin: Arc<Plugin>,
}

/// The plugin, if it is to hear of what happens, and has not failed too often of late.
async fn listener(core: &Arc<Core>, workspace: WorkspaceId, plugin: &PluginId) -> Result<Option<Listener>> {
    let here = super::here(core, workspace).await?;
    let Some(local) = here.find(plugin).filter(|local| local.listens()).cloned() else { return Ok(None) };
    let Some(plugin) = local.ready.clone() else { return Ok(None) };
    if local.vitals.breaker().is_resting(core.clock.now()) {
        return Ok(None);
    }
    Ok(Some(Listener { here, local, plugin }))
}

impl Listener {
    /// So long a turn is a node's own if nothing is heard of it: longer than it lasts, and the plugin may take for what it is told
    /// last.
    fn lease(&self) -> Duration {
        LEASE.max(TURN + longest(Hook::OnEvents, &self.plugin.limits) + MARGIN)
    }
}

/// One turn of one plugin, if there is something to be told and nobody else is at it. Whether it is worth looking at it again
/// at once.
async fn turn(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    plugin: &PluginId,
    draining: &CancellationToken,
) -> Result<bool> {
    let Some(listener) = listener(core, workspace, plugin).await? else { return Ok(false) };
    let (now, lease) = (core.clock.now(), core.clock.new_id());
    let taken = TakeTurn { workspace, plugin: plugin.clone(), lease, now, until: now + listener.lease() };
    let ended = match core.store.change(taken).await {
        Ok(Some(turn)) => take(core, listener, turn, draining).await,
        Ok(None) => return Ok(false),
        Err(error) => Err(error),
    };
    if !matches!(ended, Ok(Ended::Over(_))) {
        // Nobody knows what is committed of it. If this fails, too, the lease ends by itself.
        let _ = core.store.change(GiveBackTurn { workspace, plugin: plugin.clone(), lease }).await;
    }
    Ok(matches!(ended?, Ended::Over(true)))
}

/// How a turn ended.
enum Ended {
    /// Its end is committed; whether it is worth looking again at once.
    Over(bool),
    /// Its place is another one by now: somebody else was there.
    Lost,
}

/// The plugin is told of one batch after the other until there are no more, or it has had its time.
async fn take(core: &Arc<Core>, mut listener: Listener, turn: Turn, draining: &CancellationToken) -> Result<Ended> {
    let (workspace, plugin) = (turn.workspace, turn.plugin.clone());
    let (begun, begun_at) = (Instant::now(), turn.position);
    let mut telling = Telling { committed: begun_at, turn, ahead: VecDeque::new(), again: false };
    loop {
        match telling.tell(core, &listener).await? {
            Told::GoesOn => {}
            Told::Over => return Ok(Ended::Over(telling.again || telling.committed > begun_at)),
            Told::Lost => return Ok(Ended::Lost),
        }
        // The log goes on while it is told of what was there, and is at hand where somebody looks at it.
        let turn = &telling.turn;
        let head = core.feeds.get(workspace).map_or(turn.head, |feed| feed.head().max(turn.head));
        let is_over = turn.position >= head || begun.elapsed() > TURN || draining.is_cancelled();
        let goes_on = if is_over { None } else { self::listener(core, workspace, &plugin).await? };
        let Some(goes_on) = goes_on else {
            return Ok(match telling.ends(core).await? {
                Told::Lost => Ended::Lost,
                _ => Ended::Over(telling.turn.position > begun_at),
            });
        };
        listener = goes_on;
    }
}

/// Whether a turn goes on when the plugin has been told something.
enum Told {
    GoesOn,
    Over,
    Lost,
}

/// A turn, and how far it has come.
struct Telling {
    turn: Turn,
    /// The plugin's place as it is in the store.
    committed: Position,
    /// What was read of the log and not told yet: without words, which may change meanwhile.
    ahead: VecDeque<Arc<Entry>>,
    /// Somebody else was quicker with what it looked at, and it is to be told again.
    again: bool,
}

impl Telling {
    /// Tells the plugin of the next events.
    async fn tell(&mut self, core: &Arc<Core>, listener: &Listener) -> Result<Told> {
        let (Listener { here, local, plugin }, lease) = (listener, listener.lease());
        let wanted = plugin.module.wish(Hook::OnEvents).map(|wish| wish.events.as_slice()).unwrap_or_default();
        // After a failure one by one, so that it shows which of them it is.
        let is_careful = self.turn.failures > 0 || self.turn.position < local.vitals.careful_until();
        let most = if is_careful { 1 } else { BATCH };
        let Some((told, position)) = self.next(core, most, |event| concerns(local, plugin, wanted, event)).await?
        else {
            // The log has been trimmed beyond the plugin's place.
            let (from, to) = (self.turn.position.next().0, self.turn.head.0);
            if from <= to {
                let what = format!("events {from} to {to}, which the log does not hold any more");
                effects::left_out(core, self.turn.workspace, &self.turn.plugin, &what);
            }
            self.moves_on(self.turn.head.max(self.turn.position));
            return Ok(Told::GoesOn);
        };
        if told.is_empty() {
            self.moves_on(position);
            return Ok(Told::GoesOn);
        }
        let now = core.clock.now();
        if local.vitals.breaker().admit(now) == Admission::No {
            return self.ends(core).await;
        }
        let events: Vec<&Event> = told.iter().map(|entry| &entry.event).collect();
        let mut span = traced::telling(core, self.turn.workspace, &events).await;
        let outcome = hand_over(core, local, plugin, &told, self.turn.failures + 1).await?;
        traced::told(&mut span, &self.turn.plugin, &outcome);
        let issued = match outcome.answer {
            Ok(()) => outcome.issued,
            Err(failure) => {
                let kind = failure.kind.as_str();
                tracing::warn!(plugin = %self.turn.plugin, kind, what = %failure.what, "a plugin failed");
                return self.failed(core, local, &events, position, &failure).await.map(|()| Told::Over);
            }
        };
        local.vitals.breaker().succeeded();
        local.vitals.has_heard();
        if issued.is_empty() {
            // Its place is committed with what it issues next, or at the end of its turn.
            self.moves_on(position);
            return Ok(Told::GoesOn);
        }
        let (data, effects) = effects::prepared(core, here, local, self.turn.workspace, issued).await?;
        let _waking = Waking::of(core, &effects);
        let (bot, depth, next) = (local.row.bot, depth_of(&events), Next::GoesOn(core.clock.now() + lease));
        let done = TurnStep { position, failures: 0, next, bot, depth, data, effects, ..self.step(core) };
        match span.within(core.store.change(done)).await {
            Ok(Some(refused)) => {
                self.moves_on(position);
                self.committed = position;
                effects::refused_of(core, self.turn.workspace, &self.turn.plugin, &refused);
                Ok(Told::GoesOn)
            }
            // The turn is another node's by now, and so is what comes of these events.
            Ok(None) => Ok(Told::Lost),
            // Somebody else changed what the plugin had looked at: it is told again.
            Err(Error::Rejected(Rejection::Outrun { .. })) => {
                self.again = true;
                self.ends(core).await
            }
            Err(error @ Error::Unavailable(_)) => Err(error),
            // What it left cannot be stored, and could not be the next time.
            Err(error) => {
                tracing::error!(plugin = %self.turn.plugin, %error, "what a plugin left could not be stored");
                let what = "what it left could not be stored".to_owned();
                let failure = Failure { kind: FailureKind::Answer, what };
                self.failed(core, local, &events, position, &failure).await.map(|()| Told::Over)
            }
        }
    }

    /// The next events that concern the plugin, `most` of them, and how far the log was read for them; none where the log holds
    /// nothing more.
    async fn next(
        &mut self,
        core: &Core,
        most: usize,
        concerns: impl Fn(&Event) -> bool,
    ) -> Result<Option<(Vec<Arc<Entry>>, Position)>> {
        let mut found = self.at_hand(core);
        let ahead = if let Some(at_hand) = &mut found {
            at_hand
        } else {
            if self.ahead.is_empty() {
                let events = core.store.events_after(self.turn.workspace, self.turn.position, LOOK).await?;
                self.ahead = events.into_iter().map(|event| Arc::new(Entry { event, message: None })).collect();
            }
            &mut self.ahead
        };
        if ahead.is_empty() {
            return Ok(None);
        }
        let (mut told, mut position) = (Vec::new(), self.turn.position);
        while told.len() < most
            && let Some(entry) = ahead.pop_front()
        {
            position = entry.event.position;
            if concerns(&entry.event) {
                told.push(entry);
            }
        }
        Ok(Some((told, position)))
    }

    /// The same from what is at hand, where that reaches back so far: with words, as of this moment.
    fn at_hand(&self, core: &Core) -> Option<VecDeque<Arc<Entry>>> {
        if !self.ahead.is_empty() {
            return None;
        }
        let kept = core.feeds.get(self.turn.workspace)?.kept_after(self.turn.position)?;
        (!kept.is_empty()).then(|| kept.into())
    }

    fn moves_on(&mut self, position: Position) {
        (self.turn.position, self.turn.failures) = (position, 0);
    }

    /// Ends the turn where it is now.
    async fn ends(&self, core: &Core) -> Result<Told> {
        let committed = core.store.change(self.step(core)).await?;
        Ok(if committed.is_some() { Told::Over } else { Told::Lost })
    }

    /// The end of the turn where it is now.
    fn step(&self, core: &Core) -> TurnStep {
        TurnStep {
            workspace: self.turn.workspace,
            plugin: self.turn.plugin.clone(),
            lease: self.turn.lease,
            at: core.clock.now(),
            from: self.committed,
            position: self.turn.position,
            failures: self.turn.failures,
            next: Next::AtOnce,
            bot: None,
            depth: 1,
            data: FromPlugins::default(),
            effects: Effects::default(),
            laid_aside: None,
        }
    }

    /// The plugin could not do with these events, the last of which the log has at `position`: the turn is over.
    async fn failed(
        &self,
        core: &Arc<Core>,
        local: &Local,
        events: &[&Event],
        position: Position,
        failure: &Failure,
    ) -> Result<()> {
        let (now, turn) = (core.clock.now(), &self.turn);
        if blow_of(&mut local.vitals.breaker(), turn.failures > 0, failure, now) == Blow::SwitchOff {
            super::admin::switch_off(core, turn.workspace, &turn.plugin, &failure.what).await;
        }
        local.vitals.be_careful_until(position);
        // What the hub is to blame for is tried again for as long as it takes.
        let failures = turn.failures + u32::from(failure.kind.is_the_plugins());
        let end = if events.len() == 1 && failures > ATTEMPTS {
            let laid_aside = Some(DeadLetter {
                id: DeadLetterId(core.clock.new_id()),
                workspace: turn.workspace,
                plugin: turn.plugin.clone(),
                what: LaidAside::Event(events[0].position),
                problem: failure.what.clone(),
                attempts: 1,
                created_at: now,
            });
            local.vitals.laid_aside();
            TurnStep { laid_aside, position: events[0].position, failures: 0, ..self.step(core) }
        } else {
            let next = Next::Rest(now + Duration::from_secs(1 << failures.min(6)));
            TurnStep { failures, next, ..self.step(core) }
        };
        core.store.change(end).await?;
        Ok(())
    }
}

/// What a failure does to the breaker. That what it failed at before fails again in a trial says nothing new of the plugin.
fn blow_of(breaker: &mut Breaker, is_again: bool, failure: &Failure, now: Timestamp) -> Blow {
    if is_again && breaker.is_trying() {
        breaker.learned_nothing(now);
        return Blow::Counted;
    }
    note_failure(breaker, failure, now)
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
    core.plugins.journal.note(core, workspace, local.id(), &outcome.logs);
    local.vitals.note(&outcome);
    Ok(outcome)
}

/// Tells a plugin once more of an event that was laid aside. What it leaves is for the caller to commit.
pub async fn tell_again(core: &Arc<Core>, letter: &DeadLetter, position: Position) -> Result<Fate> {
    let here = super::here(core, letter.workspace).await?;
    let cannot = |why: &str| Rejection::PluginFailed { plugin: letter.plugin.clone(), why: why.to_owned() };
    let local = here.find(&letter.plugin).filter(|local| local.listens());
    let local = local.ok_or_else(|| cannot("it is off; switch it on first"))?;
    let plugin = local.ready.as_ref().ok_or_else(|| cannot("it cannot run, or has not prepared itself yet"))?;
    let events = core.store.events_after(letter.workspace, Position(position.0 - 1), 1).await?;
    let Some(event) = events.into_iter().next().filter(|event| event.position == position) else {
        return Err(cannot("the log does not reach back to the event any more; discard it").into());
    };
    let conversation = event.fact.conversation();
    if !local.is_on_in(conversation) || !conversation.is_none_or(|conversation| plugin.grants.sees(conversation)) {
        return Err(cannot(
            "the event is not for it any more: where it happened it is off, or may not look; discard it",
        )
        .into());
    }
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
fn concerns(local: &Local, plugin: &Plugin, wanted: &[EventKind], event: &Event) -> bool {
    let conversation = event.fact.conversation();
    wanted.contains(&event.fact.kind())
        && conversation.is_none_or(|conversation| plugin.grants.sees(conversation))
        && event.depth < DEPTH
        && (event.actor.is_none() || event.actor != local.row.bot)
        && local.is_on_in(conversation)
}

fn message_of(fact: &Fact) -> Option<MessageId> {
    match fact {
        Fact::MessageSent { message, .. }
        | Fact::MentionsUpdated { message, .. }
        | Fact::AnnotationChanged { message, .. } => Some(*message),
        fact => fact.changed_message(),
    }
}

/// The messages that events are about, as they stand now, as far as the plugin may read them.
async fn messages(core: &Core, plugin: &Plugin, told: &[Arc<Entry>]) -> Result<HashMap<MessageId, WholeMessage>> {
    if !plugin.grants.capabilities.contains(&Capability::MessagesRead) {
        return Ok(HashMap::new());
    }
    let ids: HashSet<MessageId> = told.iter().filter_map(|entry| message_of(&entry.event.fact)).collect();
    // What is at hand is forgotten there when it is changed; the rest is read.
    let at_hand = told.iter().filter_map(|entry| entry.message.clone()).filter(|message| ids.contains(&message.id));
    let at_hand: HashMap<MessageId, Message> = at_hand.map(|message| (message.id, message)).collect();
    let away: Vec<MessageId> = ids.iter().copied().filter(|id| !at_hand.contains_key(id)).collect();
    let mut found = if away.is_empty() { Vec::new() } else { core.store.messages(&away).await? };
    found.extend(at_hand.into_values());
    reading::with_details(core, found).await
}
