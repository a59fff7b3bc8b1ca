//! The word from node to node: «this workspace's log has grown» and signals. A hint: nothing that is lost here is lost.

mod redis;

use std::sync::Arc;

use jackfield_domain::{
    Event, WorkspaceId,
    signals::{Signal, There},
};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::Result;

/// How many notes a listener may be behind before it has to find out for itself what it missed.
const NOTES: usize = 1_024;

/// What one node tells the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Note {
    /// Events that were committed, in order. The log itself says whether there are more.
    Logged(Vec<Event>),
    Signal(Signal),
    There(There),
}

impl Note {
    /// Whose business it is.
    pub fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Note::Logged(events) => events.first().map(|event| event.workspace),
            Note::Signal(signal) => Some(signal.workspace),
            Note::There(there) => Some(there.workspace),
        }
    }
}

/// Where the other nodes are.
#[derive(Debug, Clone)]
pub enum Link {
    /// There are none.
    InProcess,
    /// The URL may hold a password: it is never logged.
    Redis(String),
}

impl Link {
    /// What it is called.
    pub fn kind(&self) -> &'static str {
        match self {
            Link::InProcess => "in process",
            Link::Redis(_) => "Redis",
        }
    }
}

pub struct Bus {
    heard: broadcast::Sender<Arc<Note>>,
    redis: Option<redis::Redis>,
}

impl Bus {
    pub fn connect(link: &Link) -> Result<Self> {
        let heard = broadcast::Sender::new(NOTES);
        let redis = match link {
            Link::InProcess => None,
            Link::Redis(url) => Some(redis::Redis::connect(url, heard.clone())?),
        };
        Ok(Bus { heard, redis })
    }

    /// Whether the other nodes can be reached at all; if not, why, in words.
    pub async fn probe(link: &Link) -> Result<(), String> {
        match link {
            Link::InProcess => Ok(()),
            Link::Redis(url) => redis::probe(url).await,
        }
    }

    /// There is nobody to tell anything to.
    pub fn is_alone(&self) -> bool {
        self.redis.is_none()
    }

    /// Tells the other nodes, without waiting for them.
    pub fn tell(&self, note: Note) {
        if let Some(redis) = &self.redis {
            redis.tell(note);
        }
    }

    /// What the other nodes tell.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Note>> {
        self.heard.subscribe()
    }

    /// From now on this node wants to hear of the workspace.
    pub fn watch(&self, workspace: WorkspaceId) {
        if let Some(redis) = &self.redis {
            redis.watch(workspace);
        }
    }

    /// This node has no interest in the workspace any more.
    pub fn unwatch(&self, workspace: WorkspaceId) {
        if let Some(redis) = &self.redis {
            redis.unwatch(workspace);
        }
    }

    /// Is the way to the other nodes open?
    pub async fn ping(&self) -> Result<()> {
        match &self.redis {
            None => Ok(()),
            Some(redis) => redis.ping().await,
        }
    }
}
