//! Who is typing: kept in the memory of each node, told over the bus, gone by itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jackfield_domain::{
    ConversationId, Rejection, Timestamp, UserId, WorkspaceId,
    signals::{Signal, Typing},
};
use tokio::sync::Notify;

use super::{Core, Viewer, workspaces};
use crate::{Result, bus::Note};

/// More people than this typing at once are not kept track of; it is only a signal.
const KEPT: usize = 100_000;

#[derive(Default)]
pub struct Table {
    typing: Mutex<HashMap<(ConversationId, UserId), (WorkspaceId, Timestamp)>>,
    changed: Notify,
}

/// The viewer begins to type, or goes on; answers until when that stands.
pub async fn start(core: &Arc<Core>, viewer: &Viewer, conversation: ConversationId) -> Result<Timestamp> {
    must_take_part(core, viewer, conversation).await?;
    let until = core.clock.now() + workspaces::policy(core, viewer.workspace()).await?.typing_ttl();
    signal(core, viewer, conversation, Typing::Started { until });
    Ok(until)
}

/// The viewer has stopped typing.
pub async fn stop(core: &Core, viewer: &Viewer, conversation: ConversationId) -> Result<()> {
    must_take_part(core, viewer, conversation).await?;
    lapse(core, viewer, conversation);
    Ok(())
}

/// Ends what the viewer may have begun.
pub fn lapse(core: &Core, viewer: &Viewer, conversation: ConversationId) {
    if core.typing.lock().contains_key(&(conversation, viewer.id())) {
        signal(core, viewer, conversation, Typing::Stopped);
    }
}

/// Who is typing in a conversation that the reader was shown.
pub fn now(core: &Core, conversation: ConversationId) -> Vec<UserId> {
    let now = core.clock.now();
    let mut typing: Vec<UserId> = core
        .typing
        .lock()
        .iter()
        .filter(|((place, _), (_, until))| *place == conversation && *until > now)
        .map(|((_, user), _)| *user)
        .collect();
    typing.sort_unstable();
    typing
}

/// What is known at this moment in the viewer's conversations, for who begins to listen.
pub async fn known(core: &Core, viewer: &Viewer) -> Result<Vec<Signal>> {
    let own = core.store.conversations_of(viewer.id()).await?;
    let own: std::collections::HashSet<ConversationId> = own.into_iter().collect();
    let (at, workspace) = (core.clock.now(), viewer.workspace());
    let typing = core.typing.lock();
    let standing = typing.iter().filter(|((conversation, _), (_, until))| own.contains(conversation) && *until > at);
    Ok(standing
        .map(|((conversation, user), (_, until))| Signal {
            workspace,
            at,
            conversation: *conversation,
            user: *user,
            typing: Typing::Started { until: *until },
        })
        .collect())
}

async fn must_take_part(core: &Core, viewer: &Viewer, conversation: ConversationId) -> Result<()> {
    if core.store.memberships(viewer.id(), &[conversation]).await?.is_empty() {
        return Err(Rejection::NotFound { what: "conversation", field: "conversationId" }.into());
    }
    Ok(())
}

fn signal(core: &Core, viewer: &Viewer, conversation: ConversationId, typing: Typing) {
    let signal =
        Signal { workspace: viewer.workspace(), at: core.clock.now(), conversation, user: viewer.id(), typing };
    core.typing.take(core, &signal);
    core.bus.tell(Note::Signal(signal));
}

impl Table {
    /// Takes a signal, of this node or another, and passes it on to those who listen here.
    pub fn take(&self, core: &Core, signal: &Signal) {
        {
            let mut typing = self.lock();
            let key = (signal.conversation, signal.user);
            match signal.typing {
                Typing::Started { until } if typing.len() < KEPT || typing.contains_key(&key) => {
                    typing.insert(key, (signal.workspace, until));
                }
                Typing::Started { .. } => return,
                Typing::Stopped => {
                    typing.remove(&key);
                }
            }
        }
        self.changed.notify_one();
        if let Some(feed) = core.feeds.get(signal.workspace) {
            feed.signal(Arc::new(signal.clone()));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(ConversationId, UserId), (WorkspaceId, Timestamp)>> {
        self.typing.lock().expect("nothing panics while it holds this lock")
    }

    /// Takes out what has lapsed, and tells when the next will.
    fn lapsed(&self, now: Timestamp) -> (Vec<Signal>, Option<Timestamp>) {
        let mut typing = self.lock();
        let gone: Vec<_> = typing.iter().filter(|(_, (_, until))| *until <= now).map(|(key, _)| *key).collect();
        let signals = gone
            .into_iter()
            .filter_map(|key| typing.remove(&key).map(|(workspace, _)| (key, workspace)))
            .map(|((conversation, user), workspace)| Signal {
                workspace,
                at: now,
                conversation,
                user,
                typing: Typing::Stopped,
            })
            .collect();
        (signals, typing.values().map(|(_, until)| *until).min())
    }
}

/// Ends what nobody renewed. Every node does so for itself: all were told when it would end.
pub async fn run(core: Arc<Core>) {
    loop {
        let (signals, next) = core.typing.lapsed(core.clock.now());
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
