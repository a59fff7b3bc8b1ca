//! The newest part of a workspace's log, kept at hand on a node where somebody is looking.
//!
//! A feed is filled by what this node commits and by what other nodes tell. Both are hints: where a number is missing,
//! the table is read, and once a second the heads of all feeds are compared with the table, so that even the loss of
//! the last word loses nothing. Who reads a feed holds a position of its own, so that nobody has to wait for a slow one.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, RwLock, Weak},
    time::{Duration, Instant},
};

use jackfield_domain::{Fact, Position, TracePlace, WorkspaceId, events::Entry, messages::Message, signals::Signal};
use tokio::sync::{Notify, broadcast, watch};

use super::{Core, memory::Memory};
use crate::{Result, bus::Note};

/// How many entries a feed keeps for readers that are a little behind; the others read the table.
const KEPT: usize = 1_024;
/// Messages that are longer than this are not kept with their entries.
const KEPT_BYTES: usize = 8 * 1_024;
/// How many events are read from the table at once.
const READ: u64 = 256;
/// How many signals a reader may be behind before it misses some.
const SIGNALS: usize = 256;
/// A feed that nobody has looked at for so long is closed.
const IDLE: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Feeds {
    open: Mutex<HashMap<WorkspaceId, Arc<Feed>>>,
}

pub struct Feed {
    workspace: WorkspaceId,
    memory: Arc<Memory>,
    /// The last entries, without a hole; the last of them is the head.
    kept: RwLock<VecDeque<Arc<Entry>>>,
    head: watch::Sender<Position>,
    signals: broadcast::Sender<Arc<Signal>>,
    /// Somebody saw a number that does not follow the head.
    behind: Notify,
    looked_at: Mutex<Instant>,
}

impl Feeds {
    pub(super) fn get(&self, workspace: WorkspaceId) -> Option<Arc<Feed>> {
        self.open.lock().expect("nothing panics while it holds this lock").get(&workspace).cloned()
    }

    /// Gives what was just committed on this node to the feeds that are open.
    fn take(&self, entries: Vec<Entry>) {
        let mut entries = entries.into_iter().peekable();
        while let Some(workspace) = entries.peek().map(|entry| entry.event.workspace) {
            let mut run = Vec::new();
            while let Some(entry) = entries.next_if(|entry| entry.event.workspace == workspace) {
                run.push(Arc::new(entry));
            }
            if let Some(feed) = self.get(workspace) {
                feed.append(run);
            }
        }
    }
}

/// The feed of a workspace, opened if need be. From here on its head follows the log.
pub async fn open(core: &Arc<Core>, workspace: WorkspaceId) -> Result<Arc<Feed>> {
    if let Some(feed) = core.feeds.get(workspace) {
        *feed.looked_at.lock().expect("nothing panics while it holds this lock") = Instant::now();
        return Ok(feed);
    }
    // Listen first, then read: what happens in between is heard.
    core.bus.watch(workspace);
    let head = core.store.log_bounds(workspace).await?.head;
    let feed = Arc::new(Feed {
        workspace,
        memory: core.memory.clone(),
        kept: RwLock::default(),
        head: watch::Sender::new(head),
        signals: broadcast::Sender::new(SIGNALS),
        behind: Notify::new(),
        looked_at: Mutex::new(Instant::now()),
    });
    let opened = {
        let mut open = core.feeds.open.lock().expect("nothing panics while it holds this lock");
        open.entry(workspace).or_insert_with(|| feed.clone()).clone()
    };
    if Arc::ptr_eq(&opened, &feed) {
        tokio::spawn(keep_up(Arc::downgrade(core), Arc::downgrade(&feed)));
        // What was committed between the reading of the head and the opening of the feed was told to nobody.
        feed.behind.notify_one();
    }
    Ok(opened)
}

impl Feed {
    pub fn head(&self) -> Position {
        *self.head.borrow()
    }

    /// For as long as this is kept, the log is followed.
    pub fn follow(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    pub fn signals(&self) -> broadcast::Receiver<Arc<Signal>> {
        self.signals.subscribe()
    }

    pub fn signal(&self, signal: Arc<Signal>) {
        // Nobody listening is no fault.
        let _ = self.signals.send(signal);
    }

    /// Takes entries in order: what is known is dropped, what leaves a hole sends us to the table.
    fn append(&self, entries: Vec<Arc<Entry>>) {
        let mut kept = self.kept.write().expect("nothing panics while it holds this lock");
        let mut head = self.head();
        for entry in entries {
            if entry.event.position <= head {
                continue;
            }
            if entry.event.position != head.next() {
                self.behind.notify_one();
                break;
            }
            head = entry.event.position;
            self.memory.learn(&entry.event);
            if let Some(message) = entry.event.fact.changed_message() {
                forget_messages(&mut kept, |sent| sent.id == message);
            }
            if let Fact::MessagesTrimmed { .. } = &entry.event.fact {
                forget_messages(&mut kept, |sent| entry.event.fact.takes_away(sent));
            }
            kept.push_back(without_long_words(entry));
        }
        while kept.len() > KEPT {
            kept.pop_front();
        }
        // Before the lock is given back: whoever comes next must see what has been taken.
        self.head.send_if_modified(|known| std::mem::replace(known, head) != head);
        drop(kept);
    }

    /// What made an event happen, if it is still at hand and its trace is kept.
    pub(super) fn cause(&self, position: Position) -> Option<TracePlace> {
        let kept = self.kept.read().expect("nothing panics while it holds this lock");
        let at = usize::try_from(position.0 - kept.front()?.event.position.0).ok()?;
        kept.get(at)?.event.trace
    }

    /// What is kept after `position`, or none if the table has to be asked.
    pub(super) fn kept_after(&self, position: Position) -> Option<Vec<Arc<Entry>>> {
        let kept = self.kept.read().expect("nothing panics while it holds this lock");
        let first = kept.front()?.event.position;
        let skip = usize::try_from(position.next().0 - first.0).ok()?;
        Some(kept.iter().skip(skip).take(READ as usize).cloned().collect())
    }

    /// Everything after `position`, up to and with `until`; none if it is not all kept, or is more than `most`.
    pub fn kept_between(&self, position: Position, until: Position, most: usize) -> Option<Vec<Arc<Entry>>> {
        let count = usize::try_from(until.0 - position.0).ok().filter(|count| *count <= most)?;
        if count == 0 {
            return Some(Vec::new());
        }
        let kept = self.kept.read().expect("nothing panics while it holds this lock");
        let skip = usize::try_from(position.next().0 - kept.front()?.event.position.0).ok()?;
        let found: Vec<_> = kept.iter().skip(skip).take(count).cloned().collect();
        (found.len() == count).then_some(found)
    }
}

/// What is long takes too much room to be kept at hand for everybody: it is read when it is told.
fn without_long_words(entry: Arc<Entry>) -> Arc<Entry> {
    match &entry.message {
        Some(sent) if sent.body.len() > KEPT_BYTES => Arc::new(Entry { event: entry.event.clone(), message: None }),
        _ => entry,
    }
}

/// What a message said before it was changed is not told again: whoever wants it asks the table.
fn forget_messages(kept: &mut VecDeque<Arc<Entry>>, is_changed: impl Fn(&Message) -> bool) {
    for entry in kept.iter_mut().filter(|entry| entry.message.as_ref().is_some_and(&is_changed)) {
        *entry = Arc::new(Entry { event: entry.event.clone(), message: None });
    }
}

/// Fills the holes of one feed, for as long as there is the feed.
async fn keep_up(core: Weak<Core>, feed: Weak<Feed>) {
    loop {
        let Some(this) = feed.upgrade() else { return };
        // Waiting must not keep the feed alive, so it is looked for again after a while.
        let _ = tokio::time::timeout(Duration::from_secs(5), this.behind.notified()).await;
        let Some(core) = core.upgrade() else { return };
        loop {
            match core.store.events_after(this.workspace, this.head(), READ).await {
                Ok(events) if events.is_empty() => break,
                Ok(events) => {
                    // A trimmed log begins with a hole that no reading fills; whoever is before it is told to resync.
                    let first = events[0].position;
                    if first > this.head().next() {
                        let mut kept = this.kept.write().expect("nothing panics while it holds this lock");
                        kept.clear();
                        this.memory.lost(this.workspace);
                        this.head.send_replace(Position(first.0 - 1));
                    }
                    this.append(events.into_iter().map(|event| Arc::new(Entry { event, message: None })).collect());
                }
                // The database is away: the next poll tries again.
                Err(error) => {
                    tracing::debug!(%error, "the log cannot be read");
                    break;
                }
            }
        }
    }
}

/// A place in a log, and the way forward from it.
pub struct LogReader {
    core: Arc<Core>,
    feed: Arc<Feed>,
    head: watch::Receiver<Position>,
    position: Position,
}

impl LogReader {
    /// Begins behind `position`.
    pub fn new(core: Arc<Core>, feed: Arc<Feed>, position: Position) -> Self {
        let head = feed.head.subscribe();
        LogReader { core, feed, head, position }
    }

    pub fn position(&self) -> Position {
        self.position
    }

    /// The next entries; waits for them. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Vec<Arc<Entry>>> {
        let position = self.position;
        let head = *self.head.wait_for(|head| *head > position).await.map_err(crate::Error::internal)?;
        let entries = match self.feed.kept_after(position) {
            Some(entries) if !entries.is_empty() => entries,
            _ => {
                let events = self.core.store.events_after(self.feed.workspace, position, READ).await?;
                events.into_iter().map(|event| Arc::new(Entry { event, message: None })).collect()
            }
        };
        // Nothing where there should be something was trimmed while nobody looked: what is left lies behind the head.
        self.position = entries.last().map_or(head, |last| last.event.position);
        Ok(entries)
    }
}

/// Spreads what this node commits, hears what others tell, and compares with the table once a second. Ends with the core.
pub async fn run(core: Arc<Core>, mut commits: crate::store::Commits) {
    let mut notes = core.bus.listen();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            committed = commits.recv() => match committed {
                None => return,
                Some(entries) => {
                    spread(&core, entries);
                    core.plugins.stirred.notify_one();
                }
            },
            note = notes.recv() => match note.as_deref() {
                Ok(Note::Logged(events)) => {
                    core.feeds.take(events.iter().cloned().map(|event| Entry { event, message: None }).collect());
                }
                Ok(Note::Signal(signal)) => core.typing.take(&core, signal),
                Ok(Note::There(there)) => core.others.take(there),
                // What was missed is found by the poll.
                Err(_) => {}
            },
            _ = poll.tick() => if let Err(error) = compare(&core).await {
                tracing::debug!(%error, "the heads of the logs cannot be read");
            },
        }
    }
}

fn spread(core: &Core, entries: Vec<Entry>) {
    if core.bus.is_alone() {
        return core.feeds.take(entries);
    }
    let mut runs: Vec<Vec<_>> = Vec::new();
    for entry in &entries {
        match runs.last_mut() {
            Some(run)
                if run.last().is_some_and(|last: &jackfield_domain::Event| last.workspace == entry.event.workspace) =>
            {
                run.push(entry.event.clone());
            }
            _ => runs.push(vec![entry.event.clone()]),
        }
    }
    core.feeds.take(entries);
    for run in runs {
        core.bus.tell(Note::Logged(run));
    }
}

async fn compare(core: &Core) -> Result<()> {
    let watched: Vec<WorkspaceId> = {
        let mut open = core.feeds.open.lock().expect("nothing panics while it holds this lock");
        open.retain(|workspace, feed| {
            let looked_at = *feed.looked_at.lock().expect("nothing panics while it holds this lock");
            let used = feed.head.receiver_count() > 0 || looked_at.elapsed() < IDLE;
            if !used {
                core.memory.lost(*workspace);
                core.bus.unwatch(*workspace);
            }
            used
        });
        open.keys().copied().collect()
    };
    if watched.is_empty() {
        return Ok(());
    }
    let heads = core.store.log_heads(&watched).await?;
    for workspace in watched.iter().filter(|watched| !heads.iter().any(|(workspace, _)| workspace == *watched)) {
        // A workspace that is no more has no log, either.
        core.feeds.open.lock().expect("nothing panics while it holds this lock").remove(workspace);
        core.memory.lost(*workspace);
        core.bus.unwatch(*workspace);
    }
    for (workspace, head) in heads {
        if let Some(feed) = core.feeds.get(workspace)
            && feed.head() < head
        {
            feed.behind.notify_one();
        }
    }
    Ok(())
}
