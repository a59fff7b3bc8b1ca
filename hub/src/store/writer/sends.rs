//! Many messages, a few statements: reads what the rules need for all of them, decides one by one in the order they
//! came, and writes what was let through with one statement per table.

use std::collections::{BTreeSet, HashMap, HashSet};

use jackfield_domain::{
    ConversationId, Event, Fact, MessageId, Position, Rejection, Timestamp, UserId, WorkspaceId,
    conversations::ConversationStatus,
    events::Entry,
    messages::{Message, MessageKind, Room, admit},
};
use sea_orm::{
    ActiveValue::Set,
    Condition, ConnectionTrait, DatabaseTransaction, DbBackend, QuerySelect, QueryTrait, Statement,
    entity::prelude::*,
    sea_query::{CaseStatement, Expr, ExprTrait, Query},
};

use super::{
    super::{conversations, log, members, messages},
    Outgoing, Sent,
};
use crate::Result;

mod keys {
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
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Entries larger than this are announced without their message, so that what is kept at hand stays small.
const FRESH_BODY_BYTES: usize = 2_048;

type Outcome = Result<Sent, Rejection>;

/// Decides and writes all of it within the transaction; the outcomes stand in the order of the messages.
pub async fn fold(
    transaction: &DatabaseTransaction,
    outgoing: &[&Outgoing],
    again: bool,
) -> Result<(Vec<Outcome>, Vec<Entry>)> {
    let workspaces: BTreeSet<WorkspaceId> = outgoing.iter().map(|send| send.workspace).collect();
    let workspaces: Vec<WorkspaceId> = workspaces.into_iter().collect();
    let heads = log::lock_heads(transaction, &workspaces).await?;
    let mut known = Known::read(transaction, outgoing, again).await?;
    let mut written = Written { heads, ..Written::default() };
    let mut outcomes = Vec::with_capacity(outgoing.len());
    for send in outgoing {
        outcomes.push(decide(send, &mut known, &mut written));
    }
    let entries = written.write(transaction, &known).await?;
    Ok((outcomes, entries))
}

/// What the rules need to know about stored rows.
#[derive(Default)]
struct Known {
    /// Which of these very messages are there already, because an earlier try went through after all.
    stored: HashMap<MessageId, Message>,
    /// What was sent under each key before.
    keys: HashMap<(UserId, String), ([u8; 32], MessageId)>,
    keyed: HashMap<MessageId, Message>,
    rooms: HashMap<ConversationId, Conversation>,
    members: HashSet<(ConversationId, UserId)>,
    /// Where the messages stand that are replied to.
    replied_to: HashMap<MessageId, ConversationId>,
}

/// The part of a conversation that a message moves.
struct Conversation {
    workspace: WorkspaceId,
    status: ConversationStatus,
    last_sequence: i64,
    last_activity_at: Timestamp,
    /// As it was read, to see whether the hour has changed.
    was_active_at: Timestamp,
    moved: bool,
}

impl Known {
    async fn read(transaction: &DatabaseTransaction, outgoing: &[&Outgoing], again: bool) -> Result<Self> {
        let mut known = Known::default();
        if again {
            known.stored = by_id(transaction, outgoing.iter().map(|send| send.id)).await?;
        }
        known.read_keys(transaction, outgoing).await?;
        known.read_rooms(transaction, outgoing).await?;
        let replied_to: BTreeSet<Uuid> =
            outgoing.iter().filter_map(|send| send.message.reply_to()).map(|id| id.0).collect();
        if !replied_to.is_empty() {
            let rows: Vec<(Uuid, Uuid)> = messages::Entity::find()
                .filter(messages::Column::Id.is_in(replied_to))
                .select_only()
                .columns([messages::Column::Id, messages::Column::ConversationId])
                .into_tuple()
                .all(transaction)
                .await?;
            known.replied_to.extend(rows.into_iter().map(|(id, place)| (MessageId(id), ConversationId(place))));
        }
        Ok(known)
    }

    async fn read_keys(&mut self, transaction: &DatabaseTransaction, outgoing: &[&Outgoing]) -> Result<()> {
        let wanted: BTreeSet<(Uuid, &str)> = outgoing
            .iter()
            .filter_map(|send| send.message.client_message_id().map(|key| (send.sender.0, key)))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        for row in used_keys(wanted).all(transaction).await? {
            let fingerprint = row.fingerprint.try_into().unwrap_or_default();
            self.keys.insert((UserId(row.user_id), row.key), (fingerprint, MessageId(row.message_id)));
        }
        if !self.keys.is_empty() {
            self.keyed = by_id(transaction, self.keys.values().map(|(_, id)| *id)).await?;
        }
        Ok(())
    }

    async fn read_rooms(&mut self, transaction: &DatabaseTransaction, outgoing: &[&Outgoing]) -> Result<()> {
        let wanted: BTreeSet<(Uuid, Uuid)> =
            outgoing.iter().map(|send| (send.message.conversation().0, send.sender.0)).collect();
        let rows: Vec<(Uuid, Uuid, Uuid, String, i64, i64)> = rooms(wanted).into_tuple().all(transaction).await?;
        for (user, id, workspace, status, last_sequence, last_activity_at) in rows {
            let id = ConversationId(id);
            self.members.insert((id, UserId(user)));
            self.rooms.entry(id).or_insert_with(|| Conversation {
                workspace: WorkspaceId(workspace),
                // A word that this program does not know was written by a newer one: not a room to write to.
                status: ConversationStatus::from_word(&status).unwrap_or(ConversationStatus::Archived),
                last_sequence,
                last_activity_at: Timestamp(last_activity_at),
                was_active_at: Timestamp(last_activity_at),
                moved: false,
            });
        }
        Ok(())
    }
}

/// What was sent under these keys of these users.
pub fn used_keys<'k>(wanted: impl IntoIterator<Item = (Uuid, &'k str)>) -> Select<keys::Entity> {
    let any = wanted.into_iter().fold(Condition::any(), |any, (user, key)| {
        any.add(keys::Column::UserId.eq(user).and(keys::Column::Key.eq(key)))
    });
    keys::Entity::find().filter(any)
}

/// The conversations of these pairs of conversation and member, as far as there is such a member.
pub fn rooms(wanted: impl IntoIterator<Item = (Uuid, Uuid)>) -> Select<members::Entity> {
    let any = wanted.into_iter().fold(Condition::any(), |any, (conversation, user)| {
        any.add(members::Column::ConversationId.eq(conversation).and(members::Column::UserId.eq(user)))
    });
    members::Entity::find()
        .inner_join(conversations::Entity)
        .filter(any)
        .select_only()
        .column(members::Column::UserId)
        .column(conversations::Column::Id)
        .column(conversations::Column::WorkspaceId)
        .column(conversations::Column::Status)
        .column(conversations::Column::LastSequence)
        .column(conversations::Column::LastActivityAt)
}

async fn by_id(
    transaction: &DatabaseTransaction,
    ids: impl Iterator<Item = MessageId>,
) -> Result<HashMap<MessageId, Message>> {
    let rows = messages::Entity::find().filter(messages::Column::Id.is_in(ids.map(|id| id.0))).all(transaction).await?;
    rows.into_iter().map(|row| Message::try_from(row).map(|message| (message.id, message))).collect()
}

fn decide(send: &Outgoing, known: &mut Known, written: &mut Written) -> Outcome {
    if let Some(message) = known.stored.get(&send.id) {
        return Ok(Sent { message: message.clone(), repeated: false });
    }
    let key = send.message.client_message_id().map(|key| (send.sender, key.to_owned()));
    if let Some((fingerprint, id)) = key.as_ref().and_then(|key| known.keys.get(key)) {
        let original = known.keyed.get(id).filter(|_| *fingerprint == send.message.fingerprint());
        return original
            .map(|message| Sent { message: message.clone(), repeated: true })
            .ok_or(Rejection::IdempotencyKeyReused);
    }

    let place = send.message.conversation();
    let room = known
        .rooms
        .get_mut(&place)
        .filter(|room| room.workspace == send.workspace && known.members.contains(&(place, send.sender)));
    admit(
        &send.message,
        room.as_ref().map(|room| Room {
            status: room.status,
            replied_to: send.message.reply_to().and_then(|id| known.replied_to.get(&id).copied()),
        }),
    )?;
    let room = room.expect("nobody is admitted to a room that is not there");

    room.last_sequence += 1;
    // Clocks of nodes differ, but within a conversation time must not run backwards.
    room.last_activity_at = room.last_activity_at.max(send.at);
    room.moved = true;
    let message = Message {
        id: send.id,
        workspace: send.workspace,
        conversation: place,
        sequence: room.last_sequence,
        sender: send.sender,
        kind: MessageKind::Text,
        body: send.message.body().to_owned(),
        reply_to: send.message.reply_to(),
        created_at: room.last_activity_at,
    };
    written.append(&message);
    if let Some(key) = key {
        known.keys.insert(key.clone(), (send.message.fingerprint(), send.id));
        known.keyed.insert(send.id, message.clone());
        written.keys.push(keys::ActiveModel {
            user_id: Set(key.0.0),
            key: Set(key.1),
            fingerprint: Set(send.message.fingerprint().to_vec()),
            message_id: Set(send.id.0),
            created_at: Set(send.at.0),
        });
    }
    Ok(Sent { message, repeated: false })
}

/// What will be written when all is decided.
#[derive(Default)]
struct Written {
    heads: HashMap<WorkspaceId, Position>,
    entries: Vec<Entry>,
    messages: Vec<messages::ActiveModel>,
    keys: Vec<keys::ActiveModel>,
}

impl Written {
    fn append(&mut self, message: &Message) {
        let head = self.heads.entry(message.workspace).or_default();
        *head = head.next();
        let fact =
            Fact::MessageSent { conversation: message.conversation, message: message.id, sequence: message.sequence };
        let event = Event {
            workspace: message.workspace,
            position: *head,
            at: message.created_at,
            actor: Some(message.sender),
            fact,
        };
        self.messages.push(message.into());
        let fresh = (message.body.len() <= FRESH_BODY_BYTES).then(|| message.clone());
        self.entries.push(Entry { event, message: fresh });
    }

    async fn write(self, transaction: &DatabaseTransaction, known: &Known) -> Result<Vec<Entry>> {
        if self.entries.is_empty() {
            return Ok(Vec::new());
        }
        let backend = transaction.get_database_backend();
        let events = self.entries.iter().map(|entry| log::row_of(&entry.event)).collect::<Result<Vec<_>>>()?;
        let touched: BTreeSet<WorkspaceId> = self.entries.iter().map(|entry| entry.event.workspace).collect();
        let moved: Vec<_> = known.rooms.iter().filter(|(_, room)| room.moved).collect();

        let mut statements = vec![
            messages::Entity::insert_many(self.messages).build(backend),
            log::Entity::insert_many(events).build(backend),
            log::move_heads(self.heads.into_iter().filter(|(id, _)| touched.contains(id))).build(backend),
            move_conversations(&moved, backend),
        ];
        if !self.keys.is_empty() {
            statements.push(keys::Entity::insert_many(self.keys).build(backend));
        }
        for (id, room) in moved {
            let hour = members::hour_of(room.last_activity_at);
            if hour != members::hour_of(room.was_active_at) {
                statements.push(
                    members::Entity::update_many()
                        .col_expr(members::Column::ActiveHour, Expr::value(hour))
                        .filter(members::Column::ConversationId.eq(id.0))
                        .build(backend),
                );
            }
        }
        execute_together(transaction, statements).await?;
        Ok(self.entries)
    }
}

fn move_conversations(moved: &[(&ConversationId, &Conversation)], backend: DbBackend) -> Statement {
    use conversations::Column;
    let mut sequence = CaseStatement::new();
    let mut activity = CaseStatement::new();
    for (id, room) in moved {
        sequence = sequence.case(Column::Id.eq(id.0), room.last_sequence);
        activity = activity.case(Column::Id.eq(id.0), room.last_activity_at.0);
    }
    let update = Query::update()
        .table(conversations::Entity)
        .value(Column::LastSequence, sequence)
        .value(Column::LastActivityAt, activity)
        .and_where(Column::Id.is_in(moved.iter().map(|(id, _)| id.0)))
        .to_owned();
    backend.build(&update)
}

/// Runs statements in their order. On SQLite as one: each call to it hops to another thread and back, which costs more
/// than most of these statements do.
pub async fn execute_together(transaction: &DatabaseTransaction, statements: Vec<Statement>) -> Result<()> {
    let backend = transaction.get_database_backend();
    if backend != DbBackend::Sqlite {
        for statement in statements {
            transaction.execute_raw(statement).await?;
        }
        return Ok(());
    }
    let mut sql = String::new();
    let mut values = Vec::new();
    for statement in statements {
        sql.push_str(&statement.sql);
        sql.push(';');
        values.extend(statement.values.into_iter().flatten());
    }
    transaction.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    Ok(())
}
