//! What this node remembers of the store so as not to ask again, and what makes it forget.
//!
//! The log says when something changes, and every node that has people of a workspace follows its log. So nothing here
//! outlives what it was read from by more than the log's way to this node, which is at most a second.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use jackfield_domain::{ConversationId, Event, Fact, Policy, Rejection, UserId, WorkspaceId, workspaces::Workspace};

use super::{Core, doors::Doors, feed};
use crate::Result;

/// More workspaces than this are not remembered at once.
const WORKSPACES: usize = 10_000;
/// Of so many it is remembered at once that they may write somewhere: about two megabytes.
const WRITERS: usize = 20_000;

#[derive(Default)]
pub struct Memory {
    kept: Mutex<Kept>,
    pub doors: Arc<Doors>,
}

#[derive(Default)]
struct Kept {
    workspaces: HashMap<WorkspaceId, Arc<Known>>,
    /// Who may write where.
    writers: HashSet<(ConversationId, UserId)>,
    /// How often something was forgotten: what was read before that is not kept afterwards.
    forgotten: u64,
}

/// A workspace, and the policy that is in force in it.
#[derive(Debug)]
pub struct Known {
    pub workspace: Workspace,
    pub policy: Policy,
}

impl Memory {
    /// Takes notice of what happened.
    pub fn learn(&self, event: &Event) {
        if matches!(event.fact, Fact::WorkspaceUpdated | Fact::WorkspaceClosed) {
            self.forget(event.workspace);
        }
        if event.fact.may_silence() {
            self.lock().forget_writers();
        }
        self.doors.learn(event);
    }

    /// The log of this workspace was not followed without a hole.
    pub fn lost(&self, workspace: WorkspaceId) {
        self.forget(workspace);
        self.doors.lost(workspace);
    }

    /// The log of this workspace is followed no more, or something about it has changed.
    pub fn forget(&self, workspace: WorkspaceId) {
        let mut kept = self.lock();
        kept.forget_writers();
        kept.workspaces.remove(&workspace);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds this lock")
    }
}

impl Kept {
    /// Of all of them at once: it is rare, and soon known again.
    fn forget_writers(&mut self) {
        self.forgotten += 1;
        self.writers.clear();
    }
}

/// The workspace as it is now, with its policy.
pub async fn workspace(core: &Arc<Core>, id: WorkspaceId) -> Result<Arc<Known>> {
    if let Some(known) = core.memory.lock().workspaces.get(&id) {
        return Ok(known.clone());
    }
    // Follow first, then read: what changes in between is heard of.
    feed::open(core, id).await?;
    let forgotten = core.memory.lock().forgotten;
    let workspace = core.store.workspace(id).await?;
    let workspace = workspace.ok_or(Rejection::NotFound { what: "workspace", field: "workspaceId" })?;
    let policy = core.policy.with(&workspace.policy);
    let known = Arc::new(Known { workspace, policy });
    let mut kept = core.memory.lock();
    if kept.forgotten == forgotten {
        if kept.workspaces.len() >= WORKSPACES {
            kept.workspaces.clear();
        }
        kept.workspaces.insert(id, known.clone());
    }
    Ok(known)
}

/// Whether somebody takes part in a conversation that takes messages. It is decided again when they send one.
pub async fn may_write(
    core: &Arc<Core>,
    workspace: WorkspaceId,
    user: UserId,
    conversation: ConversationId,
) -> Result<bool> {
    if core.memory.lock().writers.contains(&(conversation, user)) {
        return Ok(true);
    }
    feed::open(core, workspace).await?;
    let forgotten = core.memory.lock().forgotten;
    let may_write = core.store.may_write(user, conversation).await?;
    let mut kept = core.memory.lock();
    if may_write && kept.forgotten == forgotten {
        if kept.writers.len() >= WRITERS {
            kept.writers.clear();
        }
        kept.writers.insert((conversation, user));
    }
    Ok(may_write)
}
