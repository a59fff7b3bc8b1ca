//! What plugins have to say to the admins, on its way into the store: whoever it is about does not wait for that.

use std::{collections::BTreeMap, time::Duration};

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
/// How long somebody who wants to read waits for what was said just now.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Journal {
    queue: mpsc::Sender<Entry>,
    entries: Mutex<mpsc::Receiver<Entry>>,
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
        Journal { queue, entries: Mutex::new(entries) }
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
        if let Err(error) = self.queue.try_send(Entry::Lines { workspace, plugin, lines }) {
            tracing::warn!(%error, "a plugin had more to say than could be kept");
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
            for ((workspace, plugin), lines) in said {
                if let Err(error) = core.store.change(WriteLogs { workspace, plugin, lines }).await {
                    tracing::warn!(%error, "what a plugin had to say could not be kept");
                }
            }
            for mark in marks {
                // Who waited may have gone.
                let _ = mark.send(());
            }
        }
    }
}
