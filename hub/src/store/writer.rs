//! The one writer of this node: it takes what is waiting and commits it together.
//!
//! Messages arrive as data and are folded into a few statements for all of them ([`sends`]). Everything rarer arrives
//! as a [`Change`] and gets a transaction of its own, in its turn. Each caller learns the outcome after the commit. A
//! commit whose outcome is unknown is tried again, and finds out under the lock whether the first try went through.
//!
//! On SQLite, where nobody else writes, what messages are decided by is remembered ([`Rows`]), and a batch of them is
//! then a single call. It hopes that nothing fails; if something does, all is forgotten and done the way that reads.

mod moves;
mod rows;
mod sends;
mod together;

pub use rows::rooms;
pub use sends::{keys, send_within, used, used_keys};

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use jackfield_domain::{
    AuditEntry, Event, Fact, MessageId, Position, Timestamp, TracePlace, UserId, WorkspaceId,
    events::Entry,
    messages::{CheckedMessage, Message},
    plugins::Verdict,
};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, QueryTrait,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};

use rows::Rows;
use sends::Batch;

use super::{Store, audit, log, plugins::data::DataChange};
use crate::{
    Error, Result,
    traces::{self, Span},
};

/// So many writes become one transaction at the most.
const BATCH: usize = 128;
/// So many callers may wait for their turn; the next ones wait for a place.
const QUEUE: usize = 1_024;
/// So many facts of one change are written by one statement.
const FACTS_AT_ONCE: usize = 1_000;
/// How long a caller waits for its outcome before it hears that the store is away.
const CALLER_LIMIT: Duration = Duration::from_millis(4_500);
/// How long one try of a transaction may take.
const TRY_LIMIT: Duration = Duration::from_secs(4);
const PAUSE_BETWEEN_TRIES: Duration = Duration::from_millis(100);
/// Where in the trace of a write its turn has come.
const TAKEN: &str = "taken";

/// A rare write: what it does within its transaction. It may be applied more than once until it is committed.
#[async_trait]
pub trait Change: Send + Sync + 'static {
    type Outcome: Send;

    /// Whose log is locked while this is applied. Without one, nothing can be recorded.
    fn workspace(&self) -> Option<WorkspaceId>;

    async fn apply(&self, work: &mut Work) -> Result<Self::Outcome>;

    /// Whether conversations and who takes part in them stay as they are: then what the writer remembers of them does, too.
    fn leaves_rooms(&self) -> bool {
        false
    }
}

/// An open transaction, and what will be appended to the log when it ends.
pub struct Work {
    pub(super) transaction: DatabaseTransaction,
    /// Where the log of the workspace stood when its lock was taken.
    head: Position,
    /// How deep what is recorded stands in a row of plugins that answer to each other.
    pub(super) depth: u8,
    facts: Vec<(Option<UserId>, Timestamp, Fact)>,
    audits: Vec<AuditEntry>,
}

impl Work {
    /// Adds a line to the record of what was done by the power of a role.
    pub(super) fn audit(&mut self, entry: AuditEntry) {
        self.audits.push(entry);
    }

    /// The position that the next fact will have.
    pub(super) fn next_position(&self) -> Position {
        Position(self.head.0 + self.facts.len() as i64 + 1)
    }

    pub(super) fn record(&mut self, actor: Option<UserId>, at: Timestamp, fact: Fact) {
        self.facts.push((actor, at, fact));
    }
}

/// A message on its way into the store.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub id: MessageId,
    pub workspace: WorkspaceId,
    pub sender: UserId,
    pub at: Timestamp,
    pub message: CheckedMessage,
    /// Nothing where no plugin had anything to do with it.
    pub plugins: Option<Box<FromPlugins>>,
}

/// What plugins had to do with something that is to be committed.
#[derive(Debug, Clone, Default)]
pub struct FromPlugins {
    /// Of what its sender asked for, where plugins have changed that: what must be the same when a key is used again.
    pub fingerprint: Option<[u8; 32]>,
    /// The sender is a plugin's own bot user: an admin has said where it may post, and so it need not take part there.
    pub posts: bool,
    /// Nobody was asked, because the message was not going to be sent: if it may be after all, they are asked first.
    pub unasked: bool,
    /// What they change of their own data, whatever becomes of the rest.
    pub data: Vec<DataChange>,
    pub verdicts: Vec<Verdict>,
}

impl FromPlugins {
    /// Whether there is nothing of it to be committed.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty() && self.verdicts.is_empty()
    }
}

impl Outgoing {
    pub fn fingerprint(&self) -> [u8; 32] {
        let asked = self.plugins.as_ref().and_then(|plugins| plugins.fingerprint);
        asked.unwrap_or_else(|| self.message.fingerprint())
    }

    /// Whether it may be sent by somebody who takes no part.
    fn is_post(&self) -> bool {
        self.plugins.as_ref().is_some_and(|plugins| plugins.posts)
    }

    /// Whether plugins have yet to be asked about it.
    fn is_unasked(&self) -> bool {
        self.plugins.as_ref().is_some_and(|plugins| plugins.unasked)
    }

    fn data(&self) -> impl Iterator<Item = &DataChange> {
        self.plugins.iter().flat_map(|plugins| &plugins.data)
    }
}

/// A message that is in the store.
#[derive(Debug, Clone)]
pub struct Sent {
    pub message: Message,
    /// It was there before: the same key, the same words.
    pub repeated: bool,
}

pub struct Writer {
    queue: mpsc::Sender<Job>,
}

enum Job {
    Send(Box<PendingSend>),
    Change(Box<dyn PendingChange>),
}

struct PendingSend {
    outgoing: Outgoing,
    reply: oneshot::Sender<Result<Sent>>,
    /// What its caller has others look at: from the moment when it is put into the queue until it is committed.
    span: Span,
}

impl Store {
    /// Sends a message: answers once it is stored, or why it is not.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Sent> {
        let (reply, outcome) = oneshot::channel();
        let span = traces::span("commit");
        self.writer.submit(Job::Send(Box::new(PendingSend { outgoing, reply, span })), outcome).await
    }

    /// Makes a change: answers once it is stored, or why it is not.
    pub async fn change<C: Change>(&self, change: C) -> Result<C::Outcome> {
        let (reply, outcome) = oneshot::channel();
        let mut span = traces::span("commit");
        if span.is_on() {
            span.note("jackfield.change", std::any::type_name::<C>().rsplit("::").next().unwrap_or_default());
        }
        self.writer.submit(Job::Change(Box::new(Pending { change, outcome: None, reply, span })), outcome).await
    }
}

impl Writer {
    pub fn start(database: DatabaseConnection, announce: mpsc::Sender<Vec<Entry>>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(Committer { database, announce, remembered: Rows::default(), may_be_open: false }.run(jobs));
        Writer { queue }
    }

    async fn submit<T>(&self, job: Job, outcome: oneshot::Receiver<Result<T>>) -> Result<T> {
        let turn = async {
            self.queue.send(job).await.map_err(|_| Error::unavailable("the hub is stopping"))?;
            outcome.await.map_err(|_| Error::unavailable("the hub is stopping"))?
        };
        match timeout(CALLER_LIMIT, turn).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::unavailable("the store did not answer in time")),
        }
    }
}

struct Committer {
    database: DatabaseConnection,
    announce: mpsc::Sender<Vec<Entry>>,
    /// What is known of the rows, on SQLite; on PostgreSQL other nodes write, and it is always empty.
    remembered: Rows,
    /// The connection may have been left within a transaction.
    may_be_open: bool,
}

impl Committer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(BATCH);
        while jobs.recv_many(&mut waiting, BATCH).await > 0 {
            let mut sends = Vec::new();
            for job in waiting.drain(..) {
                match job {
                    Job::Send(mut send) => {
                        send.span.mark(TAKEN);
                        sends.push(*send);
                    }
                    Job::Change(mut change) => {
                        change.span().mark(TAKEN);
                        self.commit_sends(std::mem::take(&mut sends)).await;
                        self.commit_change(change).await;
                    }
                }
            }
            self.commit_sends(sends).await;
        }
    }

    async fn commit_sends(&mut self, mut pending: Vec<PendingSend>) {
        let mut tries = 0;
        loop {
            // Who has stopped waiting was told that the outcome is unknown, and will ask again with the same key.
            pending.retain(|send| !send.reply.is_closed());
            if pending.is_empty() {
                return;
            }
            match within_limit(self.try_sends(&pending, tries > 0)).await {
                Ok((outcomes, mut entries)) => {
                    trace(&mut entries, &mut pending);
                    for (PendingSend { reply, span, .. }, outcome) in pending.into_iter().zip(outcomes) {
                        drop(span);
                        // The caller may have gone; what it sent is stored all the same.
                        let _ = reply.send(outcome);
                    }
                    return self.announce(entries);
                }
                Err(Error::Unavailable(reason)) => self.pause(&mut tries, &reason).await,
                Err(error) if pending.len() == 1 => {
                    for mut send in pending {
                        send.span.fail("not committed");
                        let _ = send.reply.send(Err(error.clone()));
                    }
                    return;
                }
                // One bad write must not spoil its neighbours.
                Err(_) => {
                    for send in pending {
                        Box::pin(self.commit_sends(vec![send])).await;
                    }
                    return;
                }
            }
        }
    }

    async fn try_sends(&mut self, pending: &[PendingSend], mut again: bool) -> Result<(Vec<Result<Sent>>, Vec<Entry>)> {
        let outgoing: Vec<&Outgoing> = pending.iter().map(|send| &send.outgoing).collect();
        // Taken out until the end: a try that fails or is cut off has forgotten everything.
        let mut rows = std::mem::take(&mut self.remembered);
        if !again && rows.suffice(&outgoing) {
            match self.commit_remembered(&outgoing, rows).await {
                Ok(Some(batch)) => return Ok(self.done(batch)),
                Ok(None) => {}
                // Nothing was written, or everything and the word of it was lost.
                Err(_) => again = true,
            }
            rows = Rows::default();
        }
        let transaction = self.begin().await?;
        let mut batch = Batch::read(&transaction, &outgoing, rows, again).await?;
        if let Some(writes) = batch.writes()? {
            writes.execute(&transaction).await?;
        }
        batch.write_beside(&transaction).await?;
        transaction.commit().await?;
        Ok(self.done(batch))
    }

    /// The batch as one call; none if it cannot be decided without reading.
    async fn commit_remembered(&mut self, outgoing: &[&Outgoing], rows: Rows) -> Result<Option<Batch>> {
        self.leave_transaction().await;
        let Some(mut batch) = Batch::remembered(&self.database, outgoing, rows).await? else { return Ok(None) };
        if let Some(writes) = batch.writes()? {
            self.may_be_open = true;
            writes.commit(&self.database).await?;
            self.may_be_open = false;
        }
        Ok(Some(batch))
    }

    fn done(&mut self, batch: Batch) -> (Vec<Result<Sent>>, Vec<Entry>) {
        if self.database.get_database_backend() == DbBackend::Sqlite {
            self.remembered = batch.rows.bounded();
        }
        (batch.outcomes.into_iter().map(|outcome| outcome.map_err(Error::from)).collect(), batch.entries)
    }

    async fn commit_change(&mut self, mut change: Box<dyn PendingChange>) {
        // Whatever it changes, it may be something that was remembered. What is sure to stay is taken out until the end: a
        // change that fails or is cut off has forgotten everything.
        let mut rows = std::mem::take(&mut self.remembered);
        if !change.leaves_rooms() {
            rows = Rows::default();
        }
        let mut tries = 0;
        let mut unsure = Unsure::default();
        let verdict = loop {
            if change.is_abandoned() {
                return;
            }
            match within_limit(self.try_change(change.as_mut(), &mut unsure)).await {
                Err(Error::Unavailable(reason)) => self.pause(&mut tries, &reason).await,
                Ok(()) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let committed = verdict.is_ok();
        if !committed {
            change.span().fail("not committed");
        }
        let trace = change.span().place();
        change.settle(verdict);
        if committed {
            if let Some(last) = unsure.events.last() {
                rows.move_head(last.workspace, last.position);
            }
            self.remembered = rows;
            let entry = |event| Entry { event: Event { trace, ..event }, message: None };
            self.announce(unsure.events.into_iter().map(entry).collect());
        }
    }

    async fn try_change(&mut self, change: &mut dyn PendingChange, unsure: &mut Unsure) -> Result<()> {
        let transaction = self.begin().await?;
        let workspace = change.workspace();
        let locked: Vec<WorkspaceId> = workspace.into_iter().collect();
        let heads = log::lock_heads(&transaction, &locked).await?;
        if unsure.is_committed(&transaction).await? {
            return Ok(());
        }
        *unsure = Unsure::default();

        let head = workspace.and_then(|workspace| heads.get(&workspace)).copied().unwrap_or_default();
        let mut work = Work { transaction, head, depth: 0, facts: Vec::new(), audits: Vec::new() };
        change.apply(&mut work).await?;
        let Work { transaction, facts, audits, depth, .. } = work;
        audit::append(&transaction, audits).await?;
        if let Some(workspace) = workspace
            && !facts.is_empty()
        {
            let new = log::numbered(workspace, head, depth, facts);
            // A statement takes so many values and no more; whoever deletes a large group tells each of its members.
            for part in new.chunks(FACTS_AT_ONCE) {
                let rows = part.iter().map(log::row_of).collect::<Result<Vec<_>>>()?;
                log::Entity::insert_many(rows).exec_without_returning(&transaction).await?;
            }
            let head = Position(head.0 + new.len() as i64);
            let moved = log::move_heads([(workspace, head)]).build(transaction.get_database_backend());
            transaction.execute_raw(moved).await?;
            unsure.events = new;
        } else {
            unsure.transaction = name_of(&transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn begin(&mut self) -> Result<DatabaseTransaction> {
        self.leave_transaction().await;
        // A deferred transaction of SQLite that reads first and writes later fails at once when somebody else wrote.
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.database.begin_with_options(options).await?)
    }

    /// Where a call failed or was cut off between BEGIN and COMMIT, nothing else could begin.
    async fn leave_transaction(&mut self) {
        if self.may_be_open {
            // There is nothing to leave if COMMIT went through, and SQLite calls that an error.
            let _ = self.database.execute_unprepared("ROLLBACK").await;
            self.may_be_open = false;
        }
    }

    async fn pause(&self, tries: &mut u32, reason: &crate::error::Source) {
        if *tries == 0 {
            tracing::warn!(%reason, "the store cannot be written; trying again");
        }
        *tries += 1;
        sleep(PAUSE_BETWEEN_TRIES).await;
    }

    fn announce(&self, entries: Vec<Entry>) {
        if !entries.is_empty() {
            // A hint: whoever misses it finds the events in the log.
            let _ = self.announce.try_send(entries);
        }
    }
}

/// What the last try of a change was about to commit when the connection was lost.
#[derive(Default)]
struct Unsure {
    events: Vec<Event>,
    /// Its name in the database, where it leaves no event to know it by.
    transaction: Option<String>,
}

impl Unsure {
    /// Whether it was committed after all. Nothing is unsure before the first try.
    async fn is_committed(&self, transaction: &DatabaseTransaction) -> Result<bool> {
        if let Some(first) = self.events.first() {
            return log::has(transaction, first).await;
        }
        let Some(name) = &self.transaction else { return Ok(false) };
        let asked =
            Statement::from_sql_and_values(DbBackend::Postgres, "SELECT pg_xact_status($1::xid8)", [name.into()]);
        let row = transaction.query_one_raw(asked).await?;
        match row.and_then(|row| row.try_get_by_index::<Option<String>>(0).ok().flatten()).as_deref() {
            Some("committed") => Ok(true),
            // The database has not noticed yet that we are gone.
            Some("in progress") => Err(Error::unavailable("an earlier try is still being decided")),
            _ => Ok(false),
        }
    }
}

/// What the database calls a transaction, so that it can be asked what became of it; none on SQLite, which is always heard.
async fn name_of(transaction: &DatabaseTransaction) -> Result<Option<String>> {
    if transaction.get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let asked = Statement::from_string(DbBackend::Postgres, "SELECT pg_current_xact_id()::text");
    let row = transaction.query_one_raw(asked).await?;
    Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
}

/// Notes in the traces of those who sent them that messages were committed, and in their events where that was.
fn trace(entries: &mut [Entry], pending: &mut [PendingSend]) {
    let together = pending.len() as i64;
    let traced = pending.iter_mut().filter_map(|send| {
        send.span.note("jackfield.batch", together);
        Some((send.outgoing.id, send.span.place()?))
    });
    let traced: HashMap<MessageId, TracePlace> = traced.collect();
    if traced.is_empty() {
        return;
    }
    for entry in entries {
        if let Fact::MessageSent { message, .. } = &entry.event.fact {
            entry.event.trace = traced.get(message).copied();
        }
    }
}

async fn within_limit<T>(attempt: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(TRY_LIMIT, attempt).await.unwrap_or_else(|_| Err(Error::unavailable("the transaction took too long")))
}

/// A change in the queue, whatever its outcome is.
#[async_trait]
trait PendingChange: Send {
    fn workspace(&self) -> Option<WorkspaceId>;
    fn span(&mut self) -> &mut Span;
    fn is_abandoned(&self) -> bool;
    fn leaves_rooms(&self) -> bool;
    async fn apply(&mut self, work: &mut Work) -> Result<()>;
    fn settle(self: Box<Self>, verdict: Result<()>);
}

struct Pending<C: Change> {
    change: C,
    outcome: Option<C::Outcome>,
    reply: oneshot::Sender<Result<C::Outcome>>,
    span: Span,
}

#[async_trait]
impl<C: Change> PendingChange for Pending<C> {
    fn workspace(&self) -> Option<WorkspaceId> {
        self.change.workspace()
    }

    fn span(&mut self) -> &mut Span {
        &mut self.span
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn leaves_rooms(&self) -> bool {
        self.change.leaves_rooms()
    }

    async fn apply(&mut self, work: &mut Work) -> Result<()> {
        self.outcome = Some(self.change.apply(work).await?);
        Ok(())
    }

    fn settle(self: Box<Self>, verdict: Result<()>) {
        let Pending { outcome, reply, span, .. } = *self;
        drop(span);
        let _ = reply.send(verdict.map(|()| outcome.expect("a change that is committed was applied")));
    }
}
