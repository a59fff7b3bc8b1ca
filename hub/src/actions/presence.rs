//! Who is there: has a socket or a stream open, at whichever node. Each node tells the others over the bus whom it has, when
//! that changes and now and then; what a node has not told for a while counts no more. A signal, and so never stored.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use jackfield_domain::{UserId, WorkspaceId, signals::There};
use uuid::Uuid;

use super::Core;
use crate::bus::Note;

/// What changes within this time is told together.
const GATHER: Duration = Duration::from_millis(100);
/// So often everything is told anew, for nodes that have come since or lost something.
const AGAIN: Duration = Duration::from_secs(5);
/// So long it counts.
const COUNTS: Duration = Duration::from_secs(30);
/// Of so many nodes and workspaces something is kept at most; it is only a signal.
const KEPT: usize = 100_000;

/// Whom the other nodes have.
#[derive(Default)]
pub struct Others(Mutex<HashMap<(WorkspaceId, Uuid), Arc<There>>>);

impl Others {
    pub fn take(&self, there: &There) {
        let mut known = self.0.lock().expect("nothing panics while it holds this lock");
        let key = (there.workspace, there.node);
        if there.users.is_empty() {
            known.remove(&key);
        } else if known.len() < KEPT || known.contains_key(&key) {
            known.insert(key, Arc::new(there.clone()));
        }
    }
}

/// Who of a workspace is there now.
pub fn people(core: &Core, workspace: WorkspaceId) -> BTreeSet<UserId> {
    let mut people = core.memory.doors.people(workspace);
    let now = core.clock.now();
    let mut others = core.others.0.lock().expect("nothing panics while it holds this lock");
    others.retain(|_, there| there.until > now);
    for ((_, _), there) in others.iter().filter(|((place, _), _)| *place == workspace) {
        people.extend(&there.users);
    }
    people
}

/// Tells the other nodes whom this one has, as long as there may be any.
pub async fn run(core: Arc<Core>) {
    if core.bus.is_alone() {
        return;
    }
    let node = core.clock.new_id();
    let mut told: HashMap<WorkspaceId, BTreeSet<UserId>> = HashMap::new();
    let mut again_at = core.clock.now();
    loop {
        let changed = core.memory.doors.changed.notified();
        let now = core.clock.now();
        let is_time = now >= again_at;
        if is_time {
            again_at = now + AGAIN;
        }
        let here = core.memory.doors.everybody();
        let gone: HashSet<WorkspaceId> = told.keys().filter(|place| !here.contains_key(place)).copied().collect();
        let nobody = gone.into_iter().map(|place| (place, BTreeSet::new()));
        let wanted = here.iter().map(|(place, users)| (*place, users.clone())).chain(nobody);
        for (workspace, users) in wanted.filter(|(place, users)| is_time || told.get(place) != Some(users)) {
            let users = users.into_iter().collect();
            core.bus.tell(Note::There(There { node, workspace, users, until: now + COUNTS }));
        }
        told = here;
        tokio::select! {
            () = changed => tokio::time::sleep(GATHER).await,
            () = core.clock.wait_until(again_at) => {}
        }
    }
}
