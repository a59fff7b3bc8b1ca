//! What a viewer can do. The only code that knows the order of steps; everything outside calls in here, and everything
//! inside asks the store, the bus and the rules.

pub mod conversations;
pub mod events;
pub mod feed;
pub mod messages;
pub mod setup;
pub mod typing;
pub mod users;
pub mod viewers;
pub mod workspaces;

use std::sync::Arc;

use jackfield_domain::{ConversationId, Policy, UserId, WorkspaceId, WorkspaceRole, users::User};

use crate::{Error, Result, bus::Bus, clock::Clock, store::Store};

/// What every action stands on.
pub struct Core {
    pub store: Store,
    pub bus: Bus,
    pub clock: Clock,
    pub policy: Policy,
    pub feeds: feed::Feeds,
    pub typing: typing::Table,
}

/// Somebody who has shown who they are. There is one way to become one: [`viewers::enter`].
#[derive(Debug, Clone)]
pub struct Viewer(Arc<User>);

impl Viewer {
    pub fn id(&self) -> UserId {
        self.0.id
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.0.workspace
    }

    pub fn role(&self) -> WorkspaceRole {
        self.0.role
    }

    pub fn is_operator(&self) -> bool {
        self.0.is_operator
    }

    pub fn user(&self) -> &User {
        &self.0
    }
}

/// For whom something is read. Every read goes through one, and what it may not see it does not find.
#[derive(Debug, Clone)]
pub enum Reader {
    Nobody,
    Viewer(Viewer),
    /// Whoever an event is delivered to: all that they surely have in common, so that it is read once for all.
    Audience {
        workspace: WorkspaceId,
        conversation: Option<ConversationId>,
    },
}

impl Reader {
    pub fn viewer(&self) -> Result<&Viewer> {
        match self {
            Reader::Viewer(viewer) => Ok(viewer),
            Reader::Nobody | Reader::Audience { .. } => {
                Err(Error::Unauthenticated("sign in first: this needs a token".to_owned()))
            }
        }
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Reader::Nobody => None,
            Reader::Viewer(viewer) => Some(viewer.workspace()),
            Reader::Audience { workspace, .. } => Some(*workspace),
        }
    }
}
