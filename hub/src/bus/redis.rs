//! The bus over Redis: one channel per workspace. It may go and come back; the log is read again meanwhile.

use std::{sync::Arc, time::Duration};

use fred::{
    clients::SubscriberClient,
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    prelude::{Builder, Client, Config, ReconnectPolicy},
    types::config::UnresponsiveConfig,
};
use jackfield_domain::WorkspaceId;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use uuid::Uuid;

use super::Note;
use crate::{Error, Result};

/// Notes that wait for Redis; what does not fit is dropped, since the log has it.
const OUTBOX: usize = 1_024;
const COMMAND_LIMIT: Duration = Duration::from_secs(2);

/// A note with the name of its sender, who need not hear it again.
#[derive(Serialize, Deserialize)]
struct Envelope<N> {
    from: Uuid,
    note: N,
}

enum Task {
    Tell(Note),
    Watch(WorkspaceId),
    Unwatch(WorkspaceId),
}

pub struct Redis {
    tasks: mpsc::Sender<Task>,
    publisher: Client,
}

impl Redis {
    /// Begins to connect; that Redis is away is no reason not to start.
    pub fn connect(url: &str, heard: broadcast::Sender<Arc<Note>>) -> Result<Self> {
        let config = Config::from_url(url).map_err(Error::internal)?;
        let mut builder = Builder::from_config(config);
        builder
            .with_connection_config(|connection| {
                connection.connection_timeout = Duration::from_secs(3);
                connection.internal_command_timeout = COMMAND_LIMIT;
                connection.tcp.nodelay = Some(true);
                connection.max_command_attempts = 1;
                connection.max_command_buffer_len = OUTBOX;
                // A peer that vanished without a word is found out by its silence.
                connection.unresponsive =
                    UnresponsiveConfig { max_timeout: Some(Duration::from_secs(5)), interval: Duration::from_secs(1) };
            })
            .with_performance_config(|performance| {
                performance.default_command_timeout = COMMAND_LIMIT;
                performance.broadcast_channel_capacity = 8_192;
            })
            .set_policy(ReconnectPolicy::new_exponential(0, 100, 2_000, 2));
        let publisher = builder.build().map_err(Error::internal)?;
        let subscriber = builder.build_subscriber_client().map_err(Error::internal)?;
        publisher.connect();
        subscriber.connect();
        // Subscribes again to what was subscribed to, whenever the connection has come back.
        subscriber.manage_subscriptions();

        let me = Uuid::now_v7();
        let (tasks, queue) = mpsc::channel(OUTBOX);
        tokio::spawn(hear(subscriber.clone(), me, heard));
        tokio::spawn(work(publisher.clone(), subscriber, me, queue));
        Ok(Redis { tasks, publisher })
    }

    pub fn tell(&self, note: Note) {
        let _ = self.tasks.try_send(Task::Tell(note));
    }

    pub fn watch(&self, workspace: WorkspaceId) {
        let _ = self.tasks.try_send(Task::Watch(workspace));
    }

    pub fn unwatch(&self, workspace: WorkspaceId) {
        let _ = self.tasks.try_send(Task::Unwatch(workspace));
    }

    pub async fn ping(&self) -> Result<()> {
        let answer = tokio::time::timeout(COMMAND_LIMIT, self.publisher.ping::<String>(None)).await;
        answer.map_err(Error::unavailable)?.map_err(Error::unavailable)?;
        Ok(())
    }
}

fn channel(workspace: WorkspaceId) -> String {
    format!("jackfield:{workspace}")
}

/// One thing after the other, so that the notes of a workspace leave in their order.
async fn work(publisher: Client, subscriber: SubscriberClient, me: Uuid, mut queue: mpsc::Receiver<Task>) {
    while let Some(task) = queue.recv().await {
        let done = match task {
            Task::Tell(note) => tell(&publisher, me, note).await,
            // Both keep the wish even where Redis is away: it is made good when it comes back.
            Task::Watch(workspace) => subscriber.subscribe(channel(workspace)).await,
            Task::Unwatch(workspace) => subscriber.unsubscribe(channel(workspace)).await,
        };
        if let Err(error) = done {
            tracing::debug!(%error, "redis did not take a note; the other nodes will read the log instead");
        }
    }
}

async fn tell(publisher: &Client, me: Uuid, note: Note) -> Result<(), fred::error::Error> {
    let Some(workspace) = note.workspace() else { return Ok(()) };
    let envelope = serde_json::to_string(&Envelope { from: me, note }).expect("a note has only plain fields");
    // While there is no connection a note is of no use later.
    let fresh = publisher.with_options(&fred::types::config::Options {
        fail_fast: true,
        max_attempts: Some(1),
        timeout: Some(COMMAND_LIMIT),
        ..Default::default()
    });
    fresh.publish(channel(workspace), envelope).await
}

async fn hear(subscriber: SubscriberClient, me: Uuid, heard: broadcast::Sender<Arc<Note>>) {
    let mut messages = subscriber.message_rx();
    loop {
        match messages.recv().await {
            Ok(message) => {
                let Some(bytes) = message.value.as_bytes() else { continue };
                match serde_json::from_slice::<Envelope<Note>>(bytes) {
                    Ok(envelope) if envelope.from != me => drop(heard.send(Arc::new(envelope.note))),
                    Ok(_) => {}
                    // A newer node may say things that this one does not know yet.
                    Err(error) => tracing::debug!(%error, "a note on the bus cannot be read"),
                }
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                tracing::debug!(missed, "notes came faster than they were taken; the log is read instead");
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}
