//! Asking other servers for plugins, and telling the plugins what came of it.
//!
//! A request is made outside of any transaction; what the plugin leaves when it is told of the answer is committed with that
//! the request is gone. So a server may be asked more than once, and the plugin takes an answer once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jackfield_domain::{
    DeadLetterId, Rejection, Timestamp,
    plugins::{
        Answered, DeadLetter, FailureKind, Hook, HubState, LaidAside, NoAnswer, Origin, PluginId, Reach, Request,
    },
};
use jackfield_plugin_host::{Caller, hooks::OnAnswer, longest};
use metrics::counter;
use tokio::task::JoinSet;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    super::Core,
    Loaded,
    aside::{self, Asked},
    before::Tries,
    effects::{self, Waking},
    here::{Local, most},
    occasion,
};
use crate::{
    Error, Result,
    outside::{LIMIT, Secrets},
    store::{ClaimRequests, Deed, Effects, EndRequest, Fate, FromPlugins, Pending, RequestEnding, SweepRequests},
};

/// So many requests at once on one node.
const AT_ONCE: usize = 32;
/// So many of one plugin: those that ask slow servers leave room for others.
const OF_PLUGIN: usize = 4;
/// How soon a node sees what others have left.
const POLL: Duration = Duration::from_secs(1);
/// How long a node may be silent before another one takes over, at least; and what it takes beside the server's time and the plugin's.
const LEASE: Duration = Duration::from_secs(30);
const MARGIN: Duration = Duration::from_secs(10);
/// A server that cannot be reached is asked so often, and so long after the first time; twice as long after each one more.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(10);
/// An answer that the plugin fails at more often is laid aside.
const ATTEMPTS: u32 = 5;
/// When to look again after a plugin that is off, or left alone for a while.
const REST: Duration = Duration::from_secs(60);
/// What nobody has taken by then is forgotten.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const SWEEP: u64 = 1_000;

/// Asks for a plugin while somebody waits.
pub async fn fetch(core: &Core, caller: &Caller, request: &Request, reach: &Reach) -> Result<Answered> {
    let secrets = secrets(core, caller, request).await?;
    Ok(asked(core, &caller.plugin, request, reach, &secrets).await)
}

async fn secrets(core: &Core, caller: &Caller, request: &Request) -> Result<Secrets> {
    let mut secrets = Secrets::new();
    for header in &request.secret_headers {
        if let Some(secret) = core.store.plugin_secret(caller.workspace, &caller.plugin, &header.secret).await? {
            secrets.insert(header.secret.clone(), secret);
        }
    }
    Ok(secrets)
}

async fn asked(core: &Core, plugin: &PluginId, request: &Request, reach: &Reach, secrets: &Secrets) -> Answered {
    let answered = core.outside.ask(request, reach, secrets).await;
    let outcome = answered.as_ref().map_or_else(NoAnswer::as_str, |_| "answered");
    counter!("jackfield_plugin_requests_total", "plugin" => plugin.to_string(), "outcome" => outcome).increment(1);
    if let Err(why) = &answered {
        tracing::info!(%plugin, %why, "a server has no answer for a plugin");
    }
    answered
}

/// Makes what is due until the hub goes away; what was begun by then is counted by `running`.
pub async fn run(core: Arc<Core>, draining: CancellationToken, running: TaskTracker) {
    let mut turns = Turns::default();
    loop {
        if let Err(error) = turns.begin(&core, &running).await {
            tracing::debug!(%error, "the requests of plugins cannot be read");
        }
        // What others have left comes with the time of day; what is due later, with the clock.
        let soon = core.clock.now() + POLL;
        tokio::select! {
            () = draining.cancelled() => break,
            () = core.plugins.requested.notified() => {}
            () = turns.ended() => {}
            () = tokio::time::sleep(POLL) => {}
            () = core.clock.wait_until(soon) => {}
        }
    }
    // Whoever waits for `running` waits for those that were begun; if nobody does, they end with this.
    while turns.tasks.join_next().await.is_some() {}
}

/// The requests that are being made on this node.
#[derive(Default)]
struct Turns {
    tasks: JoinSet<PluginId>,
    at_work: HashMap<PluginId, usize>,
}

impl Turns {
    /// Waits until one of them has ended.
    async fn ended(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(plugin)) => {
                if let Some(count) = self.at_work.get_mut(&plugin) {
                    *count = count.saturating_sub(1);
                }
            }
            Some(Err(error)) => {
                tracing::error!(%error, "a request ended badly");
                // Whose it was is not known; none is made twice, because each has its lease.
                self.at_work.clear();
            }
            None => std::future::pending().await,
        }
    }

    /// Begins as many as there are places for.
    async fn begin(&mut self, core: &Arc<Core>, running: &TaskTracker) -> Result<()> {
        for loaded in core.plugins.installed().iter().filter(|loaded| asks(loaded)) {
            let plugin = &loaded.installed.plugin;
            let now = core.clock.now();
            let own = self.at_work.get(plugin).copied().unwrap_or_default();
            let room = OF_PLUGIN.saturating_sub(own).min(AT_ONCE.saturating_sub(self.tasks.len()));
            // A look costs the writer nothing.
            if room == 0 || !core.store.has_requests_due(plugin, now).await? {
                continue;
            }
            let longest = longest(Hook::OnAnswer, &most(core.plugins.limits, loaded));
            let (lease, until) = (core.clock.new_id(), now + LEASE.max(LIMIT + longest + MARGIN));
            let claim = ClaimRequests { plugin: plugin.clone(), lease, at: now, until, limit: room as u64 };
            for pending in core.store.change(claim).await? {
                *self.at_work.entry(plugin.clone()).or_default() += 1;
                let core = core.clone();
                self.tasks.spawn(running.track_future(async move {
                    let plugin = pending.plugin.clone();
                    if let Err(error) = turn(&core, pending, lease).await {
                        // When the lease ends, it is done again.
                        tracing::warn!(%plugin, %error, "a request of a plugin could not be ended");
                    }
                    plugin
                }));
            }
        }
        Ok(())
    }
}

/// Whether there may be requests of the plugin to be made.
fn asks(loaded: &Loaded) -> bool {
    loaded.installed.state == HubState::On && loaded.manifest.wanted().iter().any(|wanted| wanted.reaches_out())
}

/// One request, from its beginning to its end.
async fn turn(core: &Arc<Core>, mut pending: Pending, lease: Uuid) -> Result<()> {
    // It may have been switched on, or granted something, at another node just now.
    super::refresh(core).await?;
    let here = super::here(core, pending.workspace).await?;
    let now = core.clock.now();
    let ready = here.find(&pending.plugin).filter(|local| local.is_on_somewhere());
    let ready = ready.and_then(|local| Some((local.clone(), local.ready.clone()?)));
    let ready = ready.filter(|(local, _)| !local.vitals.breaker().is_resting(now));
    let Some((local, plugin)) = ready else {
        return end(core, &pending, lease, RequestEnding::Later { due_at: now + REST }).await;
    };
    if local.loaded.manifest.wish(Hook::OnAnswer).is_none() {
        effects::left_out(core, pending.workspace, &pending.plugin, "an answer, for which it has no hook");
        return end(core, &pending, lease, RequestEnding::Taken).await;
    }
    let answered = if let Some(answered) = pending.answer.take() {
        answered
    } else {
        let caller = Caller { workspace: pending.workspace, plugin: pending.plugin.clone(), viewer: None };
        let secrets = secrets(core, &caller, &pending.request).await?;
        asked(core, &pending.plugin, &pending.request, &plugin.grants.reach(), &secrets).await
    };
    if let Err(NoAnswer::Unreachable(_)) = &answered
        && pending.attempts < TRIES
        && pending.failures == 0
    {
        let due_at = core.clock.now() + PAUSE * 2_u32.pow(pending.attempts.saturating_sub(1));
        return end(core, &pending, lease, RequestEnding::Again { due_at }).await;
    }
    let told = Tries::new(core, pending.workspace).until_done(|| hand_over(core, &pending, lease, &answered)).await;
    let failed = match told {
        Ok(()) => return Ok(()),
        Err(Error::Rejected(why)) => why.to_string(),
        Err(error @ Error::Unavailable(_)) => return Err(error),
        // What it left cannot be stored, and could not be the next time.
        Err(error) => {
            tracing::error!(plugin = %pending.plugin, %error, "what a plugin left could not be stored");
            "what it left could not be stored".to_owned()
        }
    };
    end(core, &pending, lease, failure(core, &pending, &answered, &failed)).await
}

/// Tells the plugin what came of a request, and commits what it leaves.
async fn hand_over(core: &Arc<Core>, pending: &Pending, lease: Uuid, answered: &Answered) -> Result<()> {
    let here = super::here(core, pending.workspace).await?;
    let now = core.clock.now();
    let kept = |due_at: Timestamp| RequestEnding::Kept { answer: answered.clone(), failures: pending.failures, due_at };
    let Some(local) = here.find(&pending.plugin).filter(|local| local.is_on_somewhere()) else {
        return end(core, pending, lease, kept(now + REST)).await;
    };
    match tell(core, local, pending, answered).await {
        Asked::Answered { answer: (), issued } => {
            let (data, effects) = effects::prepared(core, &here, local, pending.workspace, issued).await?;
            let _waking = Waking::of(core, &effects);
            let ending = RequestEnding::Taken;
            let done = EndRequest { bot: local.row.bot, data, effects, ..ended(core, pending, lease, ending) };
            let refused = core.store.change(done).await?.unwrap_or_default();
            effects::refused_of(core, pending.workspace, &pending.plugin, &refused);
            Ok(())
        }
        Asked::Failed(failed) if failed.kind == FailureKind::Hub => {
            tracing::warn!(plugin = %pending.plugin, what = failed.what, "a plugin could not be told an answer");
            end(core, pending, lease, kept(core.clock.now() + PAUSE)).await
        }
        Asked::Failed(failed) => end(core, pending, lease, failure(core, pending, answered, &failed.what)).await,
        Asked::Resting | Asked::Unable(_) => end(core, pending, lease, kept(core.clock.now() + REST)).await,
    }
}

async fn tell(core: &Arc<Core>, local: &Local, pending: &Pending, answered: &Answered) -> Asked<()> {
    let question = OnAnswer::new(&pending.tag, answered, pending.failures + 1);
    aside::ask(core, local, occasion(core, pending.workspace, core.clock.now()), question).await
}

/// The plugin failed at an answer: it comes again, or is laid aside.
fn failure(core: &Core, pending: &Pending, answered: &Answered, what: &str) -> RequestEnding {
    let (now, failures, answer) = (core.clock.now(), pending.failures + 1, answered.clone());
    if failures <= ATTEMPTS {
        return RequestEnding::Kept { answer, failures, due_at: now + Duration::from_secs(1 << failures) };
    }
    let asked = pending.request.check().map_or_else(|_| String::new(), |url| format!(" of {}", Origin::of(&url)));
    let letter = DeadLetter {
        id: DeadLetterId(core.clock.new_id()),
        workspace: pending.workspace,
        plugin: pending.plugin.clone(),
        what: LaidAside::Answer(pending.id),
        problem: format!("the answer{asked}: {what}"),
        attempts: 1,
        created_at: now,
    };
    RequestEnding::LaidAside { answer, letter }
}

async fn end(core: &Core, pending: &Pending, lease: Uuid, ending: RequestEnding) -> Result<()> {
    core.store.change(ended(core, pending, lease, ending)).await.map(drop)
}

fn ended(core: &Core, pending: &Pending, lease: Uuid, ending: RequestEnding) -> EndRequest {
    EndRequest {
        id: pending.id,
        lease,
        workspace: pending.workspace,
        plugin: pending.plugin.clone(),
        bot: None,
        depth: pending.depth,
        at: core.clock.now(),
        data: FromPlugins::default(),
        effects: Effects::default(),
        ending,
    }
}

/// Tells a plugin once more what came of a request, which was laid aside. What it leaves is for the caller to commit.
pub async fn tell_again(core: &Arc<Core>, letter: &DeadLetter, request: jackfield_domain::RequestId) -> Result<Fate> {
    let cannot = |why: &str| Rejection::PluginFailed { plugin: letter.plugin.clone(), why: why.to_owned() };
    let here = super::here(core, letter.workspace).await?;
    let local = here.find(&letter.plugin).filter(|local| local.is_on_somewhere() && local.ready.is_some());
    let local = local.ok_or_else(|| cannot("it is off, or not ready; switch it on first"))?;
    let pending = core.store.request(letter.workspace, request).await?;
    let gone = || cannot("the answer is not kept any more; discard it");
    let pending = Pending { failures: letter.attempts, ..pending.ok_or_else(gone)? };
    let answered = pending.answer.clone().ok_or_else(gone)?;
    match tell(core, local, &pending, &answered).await {
        Asked::Answered { answer: (), issued } => {
            let (data, effects) = effects::prepared(core, &here, local, letter.workspace, issued).await?;
            Ok(Fate::Done(Box::new(Deed { data, effects, bot: local.row.bot, depth: pending.depth })))
        }
        Asked::Failed(failed) => Ok(Fate::Failed(failed.what)),
        Asked::Resting => Err(cannot("it failed too often and is left alone for a while; try again later").into()),
        Asked::Unable(why) => Err(cannot(&why).into()),
    }
}

/// Forgets what nobody has taken for a day: plugins that are off, and stay so.
pub async fn sweep(core: &Core) -> Result<()> {
    let before = core.clock.now().before(KEPT);
    while core.store.change(SweepRequests { before, limit: SWEEP }).await? == SWEEP {}
    Ok(())
}
