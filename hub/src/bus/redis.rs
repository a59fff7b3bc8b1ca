//! The bus over Redis: one channel per workspace. It may go and come back; the log is read again meanwhile.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use fred::{
    error::ErrorKind,
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    prelude::{Builder, Client, Config, Options, ReconnectPolicy},
    types::{
        Message,
        config::{Server, UnresponsiveConfig},
    },
};
use futures_util::future::join_all;
use jackfield_domain::WorkspaceId;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast, mpsc};
use uuid::Uuid;

use super::Note;
use crate::{Error, Result};

/// Notes that wait for Redis; what does not fit is dropped, since the log has it.
const OUTBOX: usize = 1_024;
/// So many of them are sent before Redis has to answer.
const LOT: usize = 64;
/// So many events are told in one note.
const MOST_EVENTS: usize = 512;
const COMMAND_LIMIT: Duration = Duration::from_secs(2);
/// How often it is looked whether the subscriptions still stand.
const BEAT: Duration = Duration::from_secs(5);
/// So many channels are subscribed to with one command.
const TOGETHER: usize = 256;

/// A note with the name of its sender, who need not hear it again.
#[derive(Serialize, Deserialize)]
struct Envelope<N> {
    from: Uuid,
    note: N,
}

pub struct Redis {
    notes: mpsc::Sender<Note>,
    wanted: Arc<Wanted>,
    publisher: Client,
}

/// The workspaces that this node wants to hear of, whatever becomes of the connection.
#[derive(Default)]
struct Wanted {
    workspaces: Mutex<HashSet<WorkspaceId>>,
    changed: Notify,
}

impl Wanted {
    fn now(&self) -> MutexGuard<'_, HashSet<WorkspaceId>> {
        self.workspaces.lock().expect("nothing panics while it holds this lock")
    }
}

impl Redis {
    /// Begins to connect; that Redis is away is no reason not to start.
    pub fn connect(url: &str, heard: broadcast::Sender<Arc<Note>>) -> Result<Self> {
        let mut config = Config::from_url(url).map_err(Error::internal)?;
        // The first connection is tried for as long as every later one.
        config.fail_fast = false;
        let mut builder = builder(config);
        builder.set_policy(ReconnectPolicy::new_exponential(0, 100, 2_000, 2));
        let publisher = builder.build().map_err(Error::internal)?;
        let subscriber = builder.build().map_err(Error::internal)?;

        let me = Uuid::now_v7();
        let wanted = Arc::<Wanted>::default();
        let (notes, queue) = mpsc::channel(OUTBOX);
        tokio::spawn(hear(subscriber.message_rx(), me, heard));
        tokio::spawn(keep_subscribed(subscriber.clone(), subscriber.reconnect_rx(), Arc::downgrade(&wanted)));
        tokio::spawn(publish(publisher.clone(), me, queue));
        publisher.connect();
        subscriber.connect();
        Ok(Redis { notes, wanted, publisher })
    }

    pub fn tell(&self, note: Note) {
        let _ = self.notes.try_send(note);
    }

    pub fn watch(&self, workspace: WorkspaceId) {
        self.wanted.now().insert(workspace);
        self.wanted.changed.notify_one();
    }

    pub fn unwatch(&self, workspace: WorkspaceId) {
        self.wanted.now().remove(&workspace);
        self.wanted.changed.notify_one();
    }

    pub async fn ping(&self) -> Result<()> {
        let answer = tokio::time::timeout(COMMAND_LIMIT, self.publisher.ping::<String>(None)).await;
        answer.map_err(Error::unavailable)?.map_err(Error::unavailable)?;
        Ok(())
    }
}

/// Tries once, and says why it fails.
pub async fn probe(url: &str) -> Result<(), String> {
    let config = Config::from_url(url).map_err(|error| error.details().to_owned())?;
    let in_words = |error: fred::error::Error| match error.kind() {
        ErrorKind::Auth => format!("it refuses the name or the password ({})", error.details()),
        ErrorKind::IO if error.details().contains("ConnectionRefused") => {
            "nobody listens at its address, the connection was refused: start it, or correct the host and port"
                .to_owned()
        }
        ErrorKind::IO => format!("{}: correct the host and port", error.details()),
        _ => error.details().to_owned(),
    };
    let client = builder(config).build().map_err(in_words)?;
    client.init().await.map_err(in_words)?;
    let answer = client.ping::<String>(None).await.map(drop).map_err(in_words);
    let _ = client.quit().await;
    answer
}

fn builder(config: Config) -> Builder {
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
        });
    builder
}

fn channel(workspace: WorkspaceId) -> String {
    format!("jackfield:{workspace}")
}

/// Makes what is subscribed to what is wanted: whenever the wish changes, whenever there is a new connection, which knows
/// of nothing, and again after a while where it failed. Ends with the bus.
async fn keep_subscribed(subscriber: Client, mut connections: broadcast::Receiver<Server>, wanted: Weak<Wanted>) {
    let mut subscribed = HashSet::new();
    while let Some(wishes) = wanted.upgrade() {
        tokio::select! {
            connected = connections.recv() => match connected {
                // Which of them were missed makes no difference: the last one knows of nothing.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => subscribed.clear(),
                Err(broadcast::error::RecvError::Closed) => break,
            },
            () = wishes.changed.notified() => {}
            // Asking again for the first one finds out a connection that has died without a word.
            () = tokio::time::sleep(BEAT) => drop(subscribed.iter().next().copied().map(|first| subscribed.remove(&first))),
        }
        let wish = wishes.now().clone();
        drop(wishes);
        let more: Vec<WorkspaceId> = wish.difference(&subscribed).copied().collect();
        for some in more.chunks(TOGETHER) {
            match subscriber.subscribe(some.iter().copied().map(channel).collect::<Vec<_>>()).await {
                Ok(()) => subscribed.extend(some),
                Err(error) => tracing::debug!(%error, "redis takes no subscriptions; the log is read instead"),
            }
        }
        let fewer: Vec<WorkspaceId> = subscribed.difference(&wish).copied().collect();
        for some in fewer.chunks(TOGETHER) {
            if subscriber.unsubscribe(some.iter().copied().map(channel).collect::<Vec<_>>()).await.is_ok() {
                subscribed.retain(|workspace| !some.contains(workspace));
            }
        }
    }
    let _ = subscriber.quit().await;
}

/// One lot after the other, so that the notes of a workspace leave in their order; what waits leaves together. Ends with
/// the bus.
async fn publish(publisher: Client, me: Uuid, mut queue: mpsc::Receiver<Note>) {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, LOT).await > 0 {
        let told = gathered(waiting.drain(..)).into_iter().map(|note| tell(&publisher, me, note));
        for error in join_all(told).await.into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "redis did not take a note; the other nodes will read the log instead");
        }
    }
    let _ = publisher.quit().await;
}

/// Makes one note of those events of a workspace that follow each other: a note costs more than what it says.
fn gathered(notes: impl IntoIterator<Item = Note>) -> Vec<Note> {
    let mut gathered: Vec<Note> = Vec::new();
    for note in notes {
        let last = gathered.iter_mut().rev().find(|known| known.workspace() == note.workspace());
        match (last, note) {
            (Some(Note::Logged(known)), Note::Logged(events)) if known.len() + events.len() <= MOST_EVENTS => {
                known.extend(events);
            }
            (_, note) => gathered.push(note),
        }
    }
    gathered
}

async fn tell(publisher: &Client, me: Uuid, note: Note) -> Result<(), fred::error::Error> {
    let Some(workspace) = note.workspace() else { return Ok(()) };
    let envelope = serde_json::to_string(&Envelope { from: me, note }).expect("a note has only plain fields");
    // While there is no connection a note is of no use later.
    let at_once =
        Options { fail_fast: true, max_attempts: Some(1), timeout: Some(COMMAND_LIMIT), ..Options::default() };
    publisher.with_options(&at_once).publish(channel(workspace), envelope).await
}

async fn hear(mut messages: broadcast::Receiver<Message>, me: Uuid, heard: broadcast::Sender<Arc<Note>>) {
    // As an envelope of ours begins: it need not be read any further.
    let own = format!(r#"{{"from":"{me}","#);
    loop {
        match messages.recv().await {
            Ok(message) => {
                let Some(bytes) = message.value.as_bytes() else { continue };
                if bytes.starts_with(own.as_bytes()) {
                    continue;
                }
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

#[cfg(test)]
mod tests {
    use jackfield_domain::{Event, Fact, Position, Timestamp};

    use super::*;

    fn logged(workspace: WorkspaceId, position: i64) -> Note {
        let position = Position(position);
        Note::Logged(vec![Event {
            workspace,
            position,
            at: Timestamp(0),
            actor: None,
            depth: 0,
            fact: Fact::WorkspaceUpdated,
            trace: None,
        }])
    }

    #[test]
    fn events_of_a_workspace_that_wait_are_told_in_one_note_and_in_their_order() {
        let (first, second) = (WorkspaceId(Uuid::from_u128(1)), WorkspaceId(Uuid::from_u128(2)));
        let told = gathered([logged(first, 1), logged(second, 1), logged(first, 2)]);
        let positions = told.iter().map(|note| match note {
            Note::Logged(events) => events.iter().map(|event| event.position.0).collect::<Vec<_>>(),
            Note::Signal(_) | Note::There(_) => Vec::new(),
        });
        assert_eq!(positions.collect::<Vec<_>>(), [vec![1, 2], vec![1]]);
    }

    #[test]
    fn an_envelope_begins_with_the_name_of_its_sender() {
        let me = Uuid::from_u128(7);
        let written = serde_json::to_string(&Envelope { from: me, note: logged(WorkspaceId(me), 1) }).expect("JSON");
        assert!(written.starts_with(&format!(r#"{{"from":"{me}","#)), "{written}");
    }
}
