//! What is true for a moment and never stored.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ConversationId, Timestamp, UserId, WorkspaceId};

/// A signal rides the bus, may be lost, and is never needed to be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    pub workspace: WorkspaceId,
    pub at: Timestamp,
    pub conversation: ConversationId,
    pub user: UserId,
    pub typing: Typing,
}

/// The first kind of signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Typing {
    /// Stands until the given moment, unless it is renewed or ended.
    Started {
        until: Timestamp,
    },
    Stopped,
}

/// Who has a socket or a stream open at a node, in one workspace, instead of what the node said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct There {
    pub node: Uuid,
    pub workspace: WorkspaceId,
    pub users: Vec<UserId>,
    /// Until when that counts, if nothing follows.
    pub until: Timestamp,
}
