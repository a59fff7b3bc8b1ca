//! What a viewer can do. The only code that knows the order of steps; everything outside calls in here, and everything
//! inside asks the store, the bus and the rules.

pub mod accounts;
pub mod audit;
pub mod blocks;
pub mod bots;
pub mod conversations;
pub mod doors;
pub mod events;
pub mod feed;
pub mod held;
pub mod invitations;
pub mod issuers;
pub mod jobs;
pub mod memory;
pub mod messages;
pub mod passwords;
pub mod plugins;
pub mod presence;
pub mod receipts;
mod secrets;
pub mod sessions;
pub mod setup;
pub mod typing;
pub mod users;
pub mod viewers;
pub mod workspaces;

use std::{net::IpAddr, sync::Arc};

use tokio::sync::Notify;

use jackfield_domain::{
    By, ConversationId, Policy, Rejection, SessionId, UserId, WorkspaceId, WorkspaceRole, bots::Scopes, users::User,
};

pub use crate::store::counting;
use crate::{
    Error, Result, bus::Bus, clock::Clock, identity::Identity, outside::Outside, store::Store, traces::Traces,
};

/// What every action stands on.
pub struct Core {
    pub store: Store,
    pub bus: Bus,
    pub clock: Clock,
    /// How servers outside are asked for plugins.
    pub outside: Outside,
    /// What a workspace has that says nothing else.
    pub policy: Policy,
    pub memory: Arc<memory::Memory>,
    pub feeds: feed::Feeds,
    pub identity: Identity,
    pub passwords: passwords::Passwords,
    pub typing: typing::Table,
    /// Who is there at the other nodes.
    pub others: presence::Others,
    pub plugins: plugins::Plugins,
    /// Somebody has put something into the queue of jobs.
    pub jobs: Notify,
    pub traces: Traces,
}

/// Somebody who has shown who they are. There is one way to become one: [`viewers::admit`].
#[derive(Debug, Clone)]
pub struct Viewer {
    user: Arc<User>,
    /// What they came in with, and what it is good for.
    bearer: doors::Bearer,
    scopes: Scopes,
    /// From where they speak this time.
    address: Option<IpAddr>,
}

impl Viewer {
    pub fn id(&self) -> UserId {
        self.user.id
    }

    pub fn workspace(&self) -> WorkspaceId {
        self.user.workspace
    }

    /// By whose power the viewer acts: a bot's own, or that of an admin where its token says so.
    pub fn role(&self) -> WorkspaceRole {
        if self.scopes.admin { WorkspaceRole::Admin } else { self.user.role }
    }

    /// May the viewer ask or follow something, or do something, with what they came in with? Everything that is executed
    /// in somebody's name asks this first.
    pub fn permit(&self, changes_something: bool) -> Result<(), Rejection> {
        self.scopes.permit(changes_something)
    }

    /// The session that the viewer came in with, if it was one.
    pub fn session(&self) -> Option<SessionId> {
        match self.bearer {
            doors::Bearer::Session(session) => Some(session),
            _ => None,
        }
    }

    pub fn is_operator(&self) -> bool {
        self.user.is_operator
    }

    pub fn user(&self) -> &User {
        &self.user
    }

    /// The same, speaking from this address.
    pub fn at(&self, address: Option<IpAddr>) -> Self {
        Viewer { address, ..self.clone() }
    }

    /// Who does what is about to be done, when, and from where.
    pub fn by(&self, core: &Core) -> By {
        By {
            id: core.clock.new_id(),
            workspace: self.workspace(),
            user: self.id(),
            at: core.clock.now(),
            address: self.address,
        }
    }
}

/// For whom something is read. Every read goes through one, and what it may not see it does not find.
#[derive(Debug, Clone)]
pub enum Reader {
    Nobody,
    Viewer(Viewer),
    /// A viewer who looks into this conversation without taking part, for the rest of one answer.
    Overriding {
        viewer: Viewer,
        conversation: ConversationId,
    },
    /// Whoever an event is delivered to: all that they surely have in common, so that it is read once for all.
    Audience {
        workspace: WorkspaceId,
        conversation: Option<ConversationId>,
        /// Some of them see only what was said after this.
        from_sequence: i64,
    },
}

impl Reader {
    pub fn viewer(&self) -> Result<&Viewer> {
        match self {
            Reader::Viewer(viewer) | Reader::Overriding { viewer, .. } => Ok(viewer),
            Reader::Nobody | Reader::Audience { .. } => {
                Err(Error::Unauthenticated("sign in first: this needs a token".to_owned()))
            }
        }
    }

    /// Does the reader look into this conversation without taking part?
    fn looks_into(&self, conversation: ConversationId) -> bool {
        matches!(self, Reader::Overriding { conversation: open, .. } if *open == conversation)
    }

    fn workspace(&self) -> Option<WorkspaceId> {
        match self {
            Reader::Nobody => None,
            Reader::Viewer(viewer) | Reader::Overriding { viewer, .. } => Some(viewer.workspace()),
            Reader::Audience { workspace, .. } => Some(*workspace),
        }
    }
}
