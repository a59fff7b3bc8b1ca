//! What plugins have to say to the admins, on its way into the store: whoever it is about does not wait for that.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use jackfield_domain::{
    WorkspaceId,
    plugins::{LogLine, PluginId},
};
use tokio::sync::{Mutex, mpsc, oneshot};
use uuid::Uuid;

use super::super::Core;
use crate::store::WriteLogs;

/// So many calls may have said something that is not stored yet. What comes beyond that is dropped.
const QUEUE: usize = 256;
/// Of so many calls it is stored together.
const AT_ONCE: usize = 64;
/// After that it rests for so long: a plugin that has very much to say keeps nobody from the store.
const BREATH: Duration = Duration::from_millis(50);
/// Of what a plugin has said in the meantime the last lines are stored: there are not more than so many to be seen.
const LINES: usize = 1_000;
/// How long somebody who wants to read waits for what was said just now.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Journal {
    queue: mpsc::Sender<Entry>,
    entries: Mutex<mpsc::Receiver<Entry>>,
    /// Something was dropped since it was last written, and that was said.
    is_dropping: AtomicBool,
}

enum Entry {
    Lines {
        workspace: WorkspaceId,
        plugin: PluginId,
        lines: Vec<(Uuid, LogLine)>,
    },
    /// Somebody wants to know when all before it is stored.
    Mark(oneshot::Sender<()>),
}

impl Default for Journal {
    fn default() -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        Journal { queue, entries: Mutex::new(entries), is_dropping: AtomicBool::new(false) }
    }
}

impl Journal {
    /// Takes what a plugin had to say.
    pub fn note(&self, core: &Core, workspace: WorkspaceId, plugin: &PluginId, lines: &[LogLine]) {
        if lines.is_empty() {
            return;
        }
        let lines = lines.iter().map(|line| (core.clock.new_id(), line.clone())).collect();
        let plugin = plugin.clone();
        if let Err(error) = self.queue.try_send(Entry::Lines { workspace, plugin, lines })
            && !self.is_dropping.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "plugins have more to say than can be kept");
        }
    }

    /// Waits until all that was said before is stored, if that does not take too long.
    pub async fn caught_up(&self) {
        let (mark, reached) = oneshot::channel();
        let all = async {
            if self.queue.send(Entry::Mark(mark)).await.is_ok() {
                let _ = reached.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, all).await;
    }

    /// Stores what comes, for as long as there is the hub.
    pub async fn write(&self, core: &Core) {
        let mut entries = self.entries.lock().await;
        let mut some = Vec::with_capacity(AT_ONCE);
        while entries.recv_many(&mut some, AT_ONCE).await > 0 {
            let mut said: BTreeMap<(WorkspaceId, PluginId), Vec<(Uuid, LogLine)>> = BTreeMap::new();
            let mut marks = Vec::new();
            for entry in some.drain(..) {
                match entry {
                    Entry::Lines { workspace, plugin, lines } => {
                        said.entry((workspace, plugin)).or_default().extend(lines);
                    }
                    Entry::Mark(mark) => marks.push(mark),
                }
            }
            for ((workspace, plugin), mut lines) in said {
                lines.drain(..lines.len().saturating_sub(LINES));
                if let Err(error) = core.store.change(WriteLogs { workspace, plugin, lines }).await {
                    tracing::warn!(%error, "what a plugin had to say could not be kept");
                }
            }
            for mark in marks {
                // Who waited may have gone.
                let _ = mark.send(());
            }
            self.is_dropping.store(false, Ordering::Relaxed);
            tokio::time::sleep(BREATH).await;
        }
    }
}
