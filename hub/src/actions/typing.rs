//! Who is typing: kept in the memory of each node, told over the bus, gone by itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use jackfield_domain::{
    ConversationId, Rejection, Timestamp, UserId, WorkspaceId,
    messages::takes_messages,
    signals::{Signal, Typing},
};
use tokio::sync::Notify;

use super::{Core, Viewer, workspaces};
use crate::{Result, bus::Note};

/// More people than this typing at once are not kept track of; it is only a signal.
const KEPT: usize = 100_000;

#[derive(Default)]
pub struct Table {
    typing: Mutex<Rooms>,
    changed: Notify,
}

/// By conversation, so that who asks for one does not walk through all.
#[derive(Default)]
struct Rooms {
    rooms: HashMap<ConversationId, Room>,
    /// How many people in all of them.
    count: usize,
}

struct Room {
    workspace: WorkspaceId,
    /// Until when each of them types, if nothing follows.
    until: HashMap<UserId, Timestamp>,
}

/// The viewer begins to type, or goes on; answers until when that stands.
pub async fn start(core: &Arc<Core>, viewer: &Viewer, conversation: ConversationId) -> Result<Timestamp> {
    let found = core.store.conversations_for(viewer.id(), &[conversation]).await?;
    let found = found.first().ok_or(Rejection::NotFound { what: "conversation", field: "conversationId" })?;
    takes_messages(found.status)?;
    let until = core.clock.now() + workspaces::policy(core, viewer.workspace()).await?.typing_ttl();
    signal(core, viewer.workspace(), conversation, viewer.id(), Typing::Started { until });
    Ok(until)
}

/// The viewer has stopped typing.
pub async fn stop(core: &Core, viewer: &Viewer, conversation: ConversationId) -> Result<()> {
    if core.store.memberships(viewer.id(), &[conversation]).await?.is_empty() {
        return Err(Rejection::NotFound { what: "conversation", field: "conversationId" }.into());
    }
    lapse(core, viewer, conversation);
    Ok(())
}

/// Ends what the viewer may have begun.
pub fn lapse(core: &Core, viewer: &Viewer, conversation: ConversationId) {
    lapse_of(core, viewer.workspace(), conversation, viewer.id());
}

/// Ends what somebody may have begun, who perhaps takes no part any more.
pub fn lapse_of(core: &Core, workspace: WorkspaceId, conversation: ConversationId, user: UserId) {
    if core.typing.lock().has(conversation, user) {
        signal(core, workspace, conversation, user, Typing::Stopped);
    }
}

/// Who is typing in a conversation that the reader was shown.
pub fn now(core: &Core, conversation: ConversationId) -> Vec<UserId> {
    let now = core.clock.now();
    let table = core.typing.lock();
    let Some(room) = table.rooms.get(&conversation) else { return Vec::new() };
    let mut typing: Vec<UserId> = room.until.iter().filter(|(_, until)| **until > now).map(|(user, _)| *user).collect();
    typing.sort_unstable();
    typing
}

/// What is known at this moment in the viewer's conversations, for who begins to listen.
pub async fn known(core: &Core, viewer: &Viewer) -> Result<Vec<Signal>> {
    let own = core.store.conversations_of(viewer.id()).await?;
    let (at, workspace) = (core.clock.now(), viewer.workspace());
    let table = core.typing.lock();
    let rooms = own.into_iter().filter_map(|conversation| Some((conversation, table.rooms.get(&conversation)?)));
    let typing = rooms.flat_map(|(conversation, room)| room.until.iter().map(move |typing| (conversation, typing)));
    Ok(typing
        .filter(|(_, (_, until))| **until > at)
        .map(|(conversation, (user, until))| Signal {
            workspace,
            at,
            conversation,
            user: *user,
            typing: Typing::Started { until: *until },
        })
        .collect())
}

fn signal(core: &Core, workspace: WorkspaceId, conversation: ConversationId, user: UserId, typing: Typing) {
    let signal = Signal { workspace, at: core.clock.now(), conversation, user, typing };
    core.typing.take(core, &signal);
    core.bus.tell(Note::Signal(signal));
}

impl Table {
    /// Takes a signal, of this node or another, and passes it on to those who listen here.
    pub fn take(&self, core: &Core, signal: &Signal) {
        match signal.typing {
            Typing::Started { until } => {
                if !self.lock().begin(signal, until) {
                    return;
                }
            }
            Typing::Stopped => drop(self.lock().end(signal.conversation, signal.user)),
        }
        self.changed.notify_one();
        if let Some(feed) = core.feeds.get(signal.workspace) {
            feed.signal(Arc::new(signal.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Rooms> {
        self.typing.lock().expect("nothing panics while it holds this lock")
    }
}

impl Rooms {
    fn has(&self, conversation: ConversationId, user: UserId) -> bool {
        self.rooms.get(&conversation).is_some_and(|room| room.until.contains_key(&user))
    }

    /// Answers whether there was room to keep track of it.
    fn begin(&mut self, signal: &Signal, until: Timestamp) -> bool {
        if self.count >= KEPT && !self.has(signal.conversation, signal.user) {
            return false;
        }
        let new = || Room { workspace: signal.workspace, until: HashMap::new() };
        let room = self.rooms.entry(signal.conversation).or_insert_with(new);
        self.count += usize::from(room.until.insert(signal.user, until).is_none());
        true
    }

    fn end(&mut self, conversation: ConversationId, user: UserId) -> Option<WorkspaceId> {
        let room = self.rooms.get_mut(&conversation)?;
        let (workspace, ended) = (room.workspace, room.until.remove(&user));
        if room.until.is_empty() {
            self.rooms.remove(&conversation);
        }
        self.count -= usize::from(ended.is_some());
        ended.map(|_| workspace)
    }

    /// Takes out what has lapsed, and tells when the next will.
    fn lapsed(&mut self, now: Timestamp) -> (Vec<Signal>, Option<Timestamp>) {
        let typing = || self.rooms.iter().flat_map(|(place, room)| room.until.iter().map(|typing| (*place, typing)));
        let gone: Vec<_> =
            typing().filter(|(_, (_, until))| **until <= now).map(|(place, (user, _))| (place, *user)).collect();
        let next = typing().map(|(_, (_, until))| *until).filter(|until| *until > now).min();
        let stopped = |(conversation, user)| {
            let workspace = self.end(conversation, user)?;
            Some(Signal { workspace, at: now, conversation, user, typing: Typing::Stopped })
        };
        (gone.into_iter().filter_map(stopped).collect(), next)
    }
}

/// Ends what nobody renewed. Every node does so for itself: all were told when it would end.
pub async fn run(core: Arc<Core>) {
    loop {
        let (signals, next) = core.typing.lock().lapsed(core.clock.now());
        for signal in signals {
            if let Some(feed) = core.feeds.get(signal.workspace) {
                feed.signal(Arc::new(signal));
            }
        }
        let changed = core.typing.changed.notified();
        match next {
            None => changed.await,
            Some(next) => tokio::select! {
                () = changed => {}
                () = core.clock.wait_until(next) => {}
            },
        }
    }
}
