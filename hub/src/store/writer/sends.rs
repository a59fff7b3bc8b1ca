//! Many messages, a few statements: reads what the rules need for all of them, decides one by one in the order they
//! came, and writes what was let through with one statement per table.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jackfield_domain::{
    ConversationId, Event, Fact, MessageId, Rejection, Timestamp, UserId, WorkspaceId,
    events::Entry,
    messages::{Message, Room, admit},
    plugins::{Kept, Verdict},
};
use sea_orm::{
    ActiveValue::Set, Condition, ConnectionTrait, DatabaseTransaction, QuerySelect, QueryTrait, entity::prelude::*,
    sea_query::ExprTrait,
};

use super::{
    super::{
        log, members, messages,
        plugins::{data::Overlay, verdicts},
    },
    Outgoing, Sent, Work, moves,
    rows::Rows,
    together::Together,
};
use crate::{Error, Result};

pub mod keys {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        #[sea_orm(column_type = "Blob")]
        pub fingerprint: Vec<u8>,
        pub message_id: Uuid,
        /// Nothing where it was sent; what else became of it, as JSON, otherwise.
        pub outcome: Option<String>,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Entries larger than this are announced without their message, so that what is kept at hand stays small.
const FRESH_BODY_BYTES: usize = 2_048;

/// What a message takes beside its words: ids, its event, and its key.
const BYTES_BESIDE_WORDS: usize = 700;

type Outcome = Result<Sent, Rejection>;

/// Messages that were decided on, before anything of it is written.
pub struct Batch {
    /// In the order of the messages.
    pub outcomes: Vec<Outcome>,
    pub entries: Vec<Entry>,
    /// As they are once all of this is committed.
    pub rows: Rows,
    /// The conversations that were moved, and when each had been active before.
    moved: BTreeMap<ConversationId, Timestamp>,
    /// How many messages each sender adds to their own in each conversation.
    own: BTreeMap<(ConversationId, UserId), i64>,
    messages: Vec<messages::ActiveModel>,
    /// Of the few that have something beside their body.
    details: Vec<messages::details::ActiveModel>,
    keys: Vec<keys::ActiveModel>,
    /// What plugins change of their own data.
    data: Overlay,
    verdicts: Vec<Verdict>,
}

impl Batch {
    /// Decides by what is read under the locks of the transaction.
    pub async fn read(
        transaction: &DatabaseTransaction,
        outgoing: &[&Outgoing],
        mut rows: Rows,
        again: bool,
    ) -> Result<Self> {
        rows.read(transaction, outgoing).await?;
        let mut before = Before::default();
        if again {
            before.stored = by_id(transaction, outgoing.iter().map(|send| send.id)).await?;
        }
        before.read_keys(transaction, outgoing).await?;
        let replied_to = replied_to(transaction, outgoing).await?;
        let now = outgoing.iter().map(|send| send.at).max().unwrap_or(Timestamp(0));
        let data = Overlay::read(transaction, outgoing.iter().flat_map(|send| send.data()), now).await?;
        Ok(Self::decided(outgoing, rows, before, &replied_to, data))
    }

    /// Decides by what is remembered, as if nothing had been sent before. None if somebody is to be refused: that may be
    /// the answer to a message that was sent before, so that its key must be looked for first. If a key was used before
    /// after all, the write fails.
    pub async fn remembered(
        database: &impl ConnectionTrait,
        outgoing: &[&Outgoing],
        rows: Rows,
    ) -> Result<Option<Self>> {
        // What a message stands in never changes, so that it may be read before the transaction begins.
        let replied_to = replied_to(database, outgoing).await?;
        let batch = Self::decided(outgoing, rows, Before::default(), &replied_to, Overlay::default());
        Ok(batch.outcomes.iter().all(Result::is_ok).then_some(batch))
    }

    fn decided(
        outgoing: &[&Outgoing],
        rows: Rows,
        mut before: Before,
        replied_to: &HashMap<MessageId, Place>,
        data: Overlay,
    ) -> Self {
        let mut batch = Batch {
            outcomes: Vec::with_capacity(outgoing.len()),
            entries: Vec::new(),
            rows,
            moved: BTreeMap::new(),
            own: BTreeMap::new(),
            messages: Vec::new(),
            details: Vec::new(),
            keys: Vec::new(),
            data,
            verdicts: Vec::new(),
        };
        for send in outgoing {
            let outcome = batch.decide(send, &mut before, replied_to);
            batch.outcomes.push(outcome);
        }
        batch
    }
}

/// What of a batch was sent before.
#[derive(Default)]
struct Before {
    /// Which of these very messages are there already, because an earlier try went through after all.
    stored: HashMap<MessageId, Message>,
    /// What was sent under each key.
    keys: HashMap<(UserId, String), Used>,
    keyed: HashMap<MessageId, Message>,
}

/// What was asked for under a key, which message it is about, and what else than being sent became of it.
pub type Used = ([u8; 32], MessageId, Option<Kept>);

impl Before {
    async fn read_keys(&mut self, transaction: &DatabaseTransaction, outgoing: &[&Outgoing]) -> Result<()> {
        let wanted: BTreeSet<(Uuid, &str)> = outgoing
            .iter()
            .filter_map(|send| send.message.client_message_id().map(|key| (send.sender.0, key)))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        for row in used_keys(wanted).all(transaction).await? {
            let name = (UserId(row.user_id), row.key.clone());
            self.keys.insert(name, used_for(row)?);
        }
        if !self.keys.is_empty() {
            self.keyed = by_id(transaction, self.keys.values().map(|(_, id, _)| *id)).await?;
        }
        Ok(())
    }
}

/// The conversation of a message, and its place there.
type Place = (ConversationId, i64);

/// Where the messages stand that are replied to.
async fn replied_to(database: &impl ConnectionTrait, outgoing: &[&Outgoing]) -> Result<HashMap<MessageId, Place>> {
    let wanted: BTreeSet<Uuid> = outgoing.iter().filter_map(|send| send.message.reply_to()).map(|id| id.0).collect();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, Uuid, i64)> = messages::Entity::find()
        .filter(messages::Column::Id.is_in(wanted))
        .select_only()
        .columns([messages::Column::Id, messages::Column::ConversationId, messages::Column::Sequence])
        .into_tuple()
        .all(database)
        .await?;
    Ok(rows.into_iter().map(|(id, place, sequence)| (MessageId(id), (ConversationId(place), sequence))).collect())
}

/// What was sent under these keys of these users.
pub fn used_keys<'k>(wanted: impl IntoIterator<Item = (Uuid, &'k str)>) -> Select<keys::Entity> {
    let any = wanted.into_iter().fold(Condition::any(), |any, (user, key)| {
        any.add(keys::Column::UserId.eq(user).and(keys::Column::Key.eq(key)))
    });
    keys::Entity::find().filter(any)
}

async fn by_id(
    transaction: &DatabaseTransaction,
    ids: impl Iterator<Item = MessageId>,
) -> Result<HashMap<MessageId, Message>> {
    let rows = messages::Entity::find().filter(messages::Column::Id.is_in(ids.map(|id| id.0))).all(transaction).await?;
    rows.into_iter().map(|row| Message::try_from(row).map(|message| (message.id, message))).collect()
}

impl Batch {
    fn decide(&mut self, send: &Outgoing, before: &mut Before, replied_to: &HashMap<MessageId, Place>) -> Outcome {
        if let Some(message) = before.stored.get(&send.id) {
            return Ok(Sent { message: message.clone(), repeated: false });
        }
        let key = send.message.client_message_id().map(|key| (send.sender, key.to_owned()));
        let fingerprint = key.as_ref().map(|_| send.fingerprint()).unwrap_or_default();
        if let Some((used_for, id, kept)) = key.as_ref().and_then(|key| before.keys.get(key)) {
            if let Some(kept) = kept.as_ref().filter(|_| *used_for == fingerprint) {
                return Err(kept.clone().into());
            }
            let original = before.keyed.get(id).filter(|_| *used_for == fingerprint);
            let original = original.ok_or(Rejection::IdempotencyKeyReused)?;
            // Whoever takes no part any more is not told what they said, either.
            if self.rows.room(send.workspace, original.conversation, send.sender).is_none() {
                return Err(Rejection::NotFound { what: "conversation", field: "conversationId" });
            }
            return Ok(Sent { message: original.clone(), repeated: true });
        }

        // Whatever becomes of the message: what a plugin counts, it counts.
        for change in send.data() {
            self.data.apply(change, send.at)?;
        }
        let place = send.message.conversation();
        let sees_after = self.rows.sees_after(place, send.sender);
        // What was said before the sender came, where they see nothing of it, is not there to be replied to.
        let replied_to = send.message.reply_to().and_then(|id| replied_to.get(&id));
        let replied_to = replied_to.filter(|(_, sequence)| *sequence > sees_after).map(|(place, _)| *place);
        let room = self.rows.room(send.workspace, place, send.sender);
        admit(&send.message, room.as_ref().map(|room| Room { status: room.status, replied_to }))?;
        let room = room.expect("nobody is admitted to a room that is not there");
        if send.is_unasked() {
            return Err(Rejection::Conflict);
        }

        self.moved.entry(place).or_insert(room.last_activity_at);
        room.last_sequence += 1;
        // Clocks of nodes differ, but within a conversation time must not run backwards.
        room.last_activity_at = room.last_activity_at.max(send.at);
        let message = Message {
            id: send.id,
            workspace: send.workspace,
            conversation: place,
            sequence: room.last_sequence,
            sender: send.sender,
            kind: send.message.kind(),
            content: send.message.content(),
            body: send.message.body().to_owned(),
            reply_to: send.message.reply_to(),
            created_at: room.last_activity_at,
            edited_at: None,
            deleted: None,
            hidden: false,
        };
        self.append(&message);
        self.verdicts.extend(send.plugins.iter().flat_map(|plugins| plugins.verdicts.iter().cloned()));
        self.details.extend(messages::details::row_of(message.id, send.message.details()));
        if let Some(key) = key {
            before.keys.insert(key.clone(), (fingerprint, send.id, None));
            before.keyed.insert(send.id, message.clone());
            self.keys.push(keys::ActiveModel {
                user_id: Set(key.0.0),
                key: Set(key.1),
                fingerprint: Set(fingerprint.to_vec()),
                message_id: Set(send.id.0),
                outcome: Set(None),
                created_at: Set(send.at.0),
            });
        }
        Ok(Sent { message, repeated: false })
    }

    fn append(&mut self, message: &Message) {
        let fact =
            Fact::MessageSent { conversation: message.conversation, message: message.id, sequence: message.sequence };
        let event = Event {
            workspace: message.workspace,
            position: self.rows.next_position(message.workspace),
            at: message.created_at,
            actor: Some(message.sender),
            depth: 0,
            fact,
            trace: None,
        };
        *self.own.entry((message.conversation, message.sender)).or_default() += 1;
        self.messages.push(message.into());
        let fresh = (message.body.len() <= FRESH_BODY_BYTES).then(|| message.clone());
        self.entries.push(Entry { event, message: fresh });
    }

    /// What plugins leave with it.
    pub async fn write_beside(&mut self, transaction: &DatabaseTransaction) -> Result<()> {
        std::mem::take(&mut self.data).write(transaction).await?;
        verdicts::keep(transaction, &std::mem::take(&mut self.verdicts)).await
    }

    /// What must be written for it; none if everybody was refused or had sent it before.
    pub fn writes(&mut self) -> Result<Option<Together>> {
        if self.entries.is_empty() {
            return Ok(None);
        }
        let events = self.entries.iter().map(|entry| log::row_of(&entry.event)).collect::<Result<Vec<_>>>()?;
        let touched: BTreeSet<WorkspaceId> = self.entries.iter().map(|entry| entry.event.workspace).collect();
        let heads: Vec<_> = touched.into_iter().map(|workspace| (workspace, self.rows.head(workspace))).collect();
        let mut writes = self.writes_beside_log();
        writes.insert(log::Entity::insert_many(events).into_query());
        writes.insert(log::move_heads(heads).into_query());
        Ok(Some(writes))
    }

    /// The same, where the log is somebody else's to write.
    fn writes_beside_log(&mut self) -> Together {
        let words: usize = self.outcomes.iter().flatten().map(|sent| sent.message.body.len()).sum();
        let beside: usize = self.details.iter().map(messages::details::bytes).sum();
        let bytes = words + beside + self.entries.len() * BYTES_BESIDE_WORDS;
        let mut writes =
            Together::new(moves::conversations(self.moved.keys().map(|id| (*id, &self.rows.rooms[id]))), bytes);
        writes.insert(messages::Entity::insert_many(std::mem::take(&mut self.messages)).into_query());
        if !self.details.is_empty() {
            let details = std::mem::take(&mut self.details);
            writes.insert(messages::details::Entity::insert_many(details).into_query());
        }
        if !self.keys.is_empty() {
            writes.insert(keys::Entity::insert_many(std::mem::take(&mut self.keys)).into_query());
        }
        let hours = self.moved.iter().filter_map(|(id, was_active_at)| {
            let hour = members::hour_of(self.rows.rooms[id].last_activity_at);
            (hour != members::hour_of(*was_active_at)).then_some((*id, hour))
        });
        writes.update(moves::members(&self.own, &hours.collect::<Vec<_>>()));
        writes
    }
}

/// Sends messages within a change, whose facts stand among its own.
pub async fn send_within(work: &mut Work, outgoing: &[&Outgoing]) -> Result<Vec<Outcome>> {
    let mut batch = Batch::read(&work.transaction, outgoing, Rows::default(), false).await?;
    if !batch.entries.is_empty() {
        batch.writes_beside_log().execute(&work.transaction).await?;
    }
    batch.write_beside(&work.transaction).await?;
    for entry in std::mem::take(&mut batch.entries) {
        work.record(entry.event.actor, entry.event.at, entry.event.fact);
    }
    Ok(batch.outcomes)
}

/// What was asked for under a sender's own name for a message, and what became of it.
pub async fn used(database: &impl ConnectionTrait, user: UserId, key: &str) -> Result<Option<Used>> {
    used_keys([(user.0, key)]).one(database).await?.map(used_for).transpose()
}

fn used_for(row: keys::Model) -> Result<Used> {
    let kept = row.outcome.as_deref().map(serde_json::from_str).transpose().map_err(Error::internal)?;
    Ok((row.fingerprint.try_into().unwrap_or_default(), MessageId(row.message_id), kept))
}
