//! What is true for a moment and never stored.

use serde::{Deserialize, Serialize};

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
