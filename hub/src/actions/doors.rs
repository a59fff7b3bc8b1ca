//! The doors that stand open: sockets and streams, each with whom it was opened for and what they showed for it.
//!
//! Who is revoked is out. The log says who is, on every node that follows the workspace; here that ends what is open on
//! this node, and makes it forget whom it believed a moment ago. A door keeps the log of its workspace followed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use jackfield_domain::{BotTokenId, Event, Fact, Position, SessionId, UserId, WorkspaceId};
use tokio::sync::{Notify, watch};

/// What somebody came in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    Session(SessionId),
    BotToken(BotTokenId),
    /// A token of this issuer.
    Issuer(String),
}

#[derive(Default)]
pub struct Doors {
    open: Mutex<Open>,
    ended: AtomicU64,
    stirred: AtomicU64,
    /// Somebody has come, or gone.
    pub changed: Notify,
}

/// Where a look at the store began: what it said is to be believed only until this moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Moved whenever somebody may be welcome no more who was welcome before.
    pub ended: u64,
    /// Moved, too, whenever somebody may not be quite the same as before.
    stirred: u64,
}

#[derive(Default)]
struct Open {
    doors: HashMap<u64, Door>,
    next: u64,
}

struct Door {
    workspace: WorkspaceId,
    user: UserId,
    bearer: Bearer,
    state: watch::Sender<State>,
}

/// How it stands with whoever is at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Welcome,
    /// Something about them may have changed, so that they must be looked at again before they do more.
    Unsure,
    Ended(&'static str),
}

/// Somebody's leave to be here; given back when it is dropped.
pub struct Pass {
    id: u64,
    doors: Arc<Doors>,
    state: watch::Receiver<State>,
    _follows: watch::Receiver<Position>,
}

impl Doors {
    pub fn turn(&self) -> Turn {
        Turn { ended: self.ended.load(Ordering::SeqCst), stirred: self.stirred.load(Ordering::SeqCst) }
    }

    /// Who of a workspace has a socket or a stream open on this node.
    pub fn people(&self, workspace: WorkspaceId) -> BTreeSet<UserId> {
        let open = self.lock();
        open.doors.values().filter(|door| door.workspace == workspace).map(|door| door.user).collect()
    }

    /// The same of all workspaces in which anybody is.
    pub fn everybody(&self) -> HashMap<WorkspaceId, BTreeSet<UserId>> {
        let mut everybody: HashMap<WorkspaceId, BTreeSet<UserId>> = HashMap::new();
        for door in self.lock().doors.values() {
            everybody.entry(door.workspace).or_default().insert(door.user);
        }
        everybody
    }

    /// Nobody is believed any more because of what was seen before.
    pub fn move_on(&self) {
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn open(
        self: &Arc<Self>,
        workspace: WorkspaceId,
        user: UserId,
        bearer: Bearer,
        follows: watch::Receiver<Position>,
    ) -> Pass {
        let (sender, state) = watch::channel(State::Welcome);
        let mut open = self.lock();
        open.next += 1;
        let id = open.next;
        open.doors.insert(id, Door { workspace, user, bearer, state: sender });
        self.changed.notify_one();
        Pass { id, doors: self.clone(), state, _follows: follows }
    }

    /// Takes notice of what happened.
    pub fn learn(&self, event: &Event) {
        match event.fact {
            Fact::WorkspaceClosed => self.end("the workspace is closed", |door| door.workspace == event.workspace),
            Fact::UserDeactivated { user } => self.end("the user is deactivated", |door| door.user == user),
            Fact::SessionEnded { session, .. } => {
                self.end("the session has ended", |door| door.bearer == Bearer::Session(session));
            }
            Fact::BotTokenRevoked { token, .. } => {
                self.end("the token was revoked", |door| door.bearer == Bearer::BotToken(token));
            }
            Fact::UserUpdated { user } => self.doubt(|door| door.user == user),
            _ => {}
        }
    }

    /// What happened in this workspace was not heard without a hole.
    pub fn lost(&self, workspace: WorkspaceId) {
        self.move_on();
        self.doubt(|door| door.workspace == workspace);
    }

    /// This issuer is trusted no more, or not in the same way.
    pub fn distrust(&self, issuer: &str) {
        self.end(
            "the token's issuer is not trusted here any more",
            |door| matches!(&door.bearer, Bearer::Issuer(name) if name == issuer),
        );
    }

    fn end(&self, why: &'static str, whose: impl Fn(&Door) -> bool) {
        self.move_on();
        self.set(State::Ended(why), whose);
    }

    fn doubt(&self, whose: impl Fn(&Door) -> bool) {
        self.set(State::Unsure, whose);
    }

    fn set(&self, state: State, whose: impl Fn(&Door) -> bool) {
        let open = self.lock();
        // Under the lock: a door that is opened after this is opened by somebody who sees that this has moved.
        self.stirred.fetch_add(1, Ordering::SeqCst);
        for door in open.doors.values().filter(|door| whose(door)) {
            door.state.send_if_modified(|known| {
                let changes = !matches!(known, State::Ended(_)) && *known != state;
                if changes {
                    *known = state;
                }
                changes
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().expect("nothing panics while it holds this lock")
    }
}

impl Pass {
    /// Returns when whoever is here must go, and says why.
    pub async fn ended(&self) -> &'static str {
        let mut state = self.state.clone();
        let ended = state.wait_for(|state| matches!(state, State::Ended(_))).await;
        match ended.as_deref() {
            Ok(State::Ended(why)) => why,
            _ => "the hub is stopping",
        }
    }

    /// Returns once something about whoever is here may have changed.
    pub async fn unsure(&self) {
        let mut state = self.state.clone();
        if state.wait_for(|state| *state == State::Unsure).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// They are about to be looked at: what is heard from here on makes them doubtful again.
    pub fn look(&self) {
        if let Some(door) = self.doors.lock().doors.get(&self.id) {
            door.state.send_if_modified(|known| {
                let unsure = *known == State::Unsure;
                if unsure {
                    *known = State::Welcome;
                }
                unsure
            });
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.doors.lock().doors.remove(&self.id);
        self.doors.changed.notify_one();
    }
}
