//! The rows that a message is decided by and that it moves: heads of logs, conversations, and who takes part.
//!
//! On SQLite the data folder is locked for this process, and so its writer may remember them from one batch to the next:
//! nobody else changes them. Whoever changes them otherwise does it as a [`Change`](super::Change), and after each of
//! those everything is forgotten, unless it says that it leaves them alone. If somebody wrote to the file all the same, the positions and sequences that are
//! taken twice make the write fail, and what was remembered is forgotten.

use std::collections::{BTreeSet, HashMap};

use jackfield_domain::{ConversationId, Position, Timestamp, UserId, WorkspaceId, conversations::ConversationStatus};
use sea_orm::{Condition, DatabaseTransaction, QuerySelect, entity::prelude::*, sea_query::ExprTrait};

use super::{
    super::{conversations, log, members},
    Outgoing,
};
use crate::Result;

/// So many memberships are remembered: about four megabytes.
const MOST: usize = 20_000;

#[derive(Default)]
pub struct Rows {
    heads: HashMap<WorkspaceId, Position>,
    pub rooms: HashMap<ConversationId, Conversation>,
    /// Who takes part, and what they see: what was said after this.
    members: HashMap<(ConversationId, UserId), i64>,
}

/// The part of a conversation that a message moves.
pub struct Conversation {
    workspace: WorkspaceId,
    pub status: ConversationStatus,
    pub last_sequence: i64,
    pub last_activity_at: Timestamp,
}

/// What [`rooms`] answers: a member, what they see, and the conversation.
type Found = (Uuid, i64, Uuid, Uuid, String, bool, i64, i64);

impl Rows {
    /// Reads what these messages need, under the locks of their logs.
    pub async fn read(&mut self, transaction: &DatabaseTransaction, outgoing: &[&Outgoing]) -> Result<()> {
        let workspaces: BTreeSet<WorkspaceId> = outgoing.iter().map(|send| send.workspace).collect();
        let workspaces: Vec<WorkspaceId> = workspaces.into_iter().collect();
        self.heads.extend(log::lock_heads(transaction, &workspaces).await?);

        let wanted: BTreeSet<(Uuid, Uuid)> =
            outgoing.iter().map(|send| (send.message.conversation().0, send.sender.0)).collect();
        let rows: Vec<Found> = rooms(wanted).into_tuple().all(transaction).await?;
        for (user, from_sequence, id, workspace, status, blocked, last_sequence, last_activity_at) in rows {
            let id = ConversationId(id);
            self.members.insert((id, UserId(user)), from_sequence);
            let room = Conversation {
                workspace: WorkspaceId(workspace),
                // A word that this program does not know was written by a newer one: not a room to write to.
                status: conversations::status(&status, blocked).unwrap_or(ConversationStatus::Archived),
                last_sequence,
                last_activity_at: Timestamp(last_activity_at),
            };
            self.rooms.insert(id, room);
        }
        self.read_for_posts(transaction, outgoing).await
    }

    /// A plugin posts where nobody has added it; it then sees all that there is.
    async fn read_for_posts(&mut self, transaction: &DatabaseTransaction, outgoing: &[&Outgoing]) -> Result<()> {
        let posts = outgoing.iter().filter(|send| send.is_post());
        let places: BTreeSet<(Uuid, Uuid)> = posts.map(|send| (send.message.conversation().0, send.sender.0)).collect();
        if places.is_empty() {
            return Ok(());
        }
        let found = conversations::Entity::find()
            .filter(conversations::Column::Id.is_in(places.iter().map(|(place, _)| *place)))
            .all(transaction)
            .await?;
        for row in found {
            let id = ConversationId(row.id);
            for (_, sender) in places.iter().filter(|(place, _)| *place == row.id) {
                self.members.entry((id, UserId(*sender))).or_insert(0);
            }
            self.rooms.entry(id).or_insert_with(|| Conversation {
                workspace: WorkspaceId(row.workspace_id),
                status: conversations::status(&row.status, row.blocked).unwrap_or(ConversationStatus::Archived),
                last_sequence: row.last_sequence,
                last_activity_at: Timestamp(row.last_activity_at),
            });
        }
        Ok(())
    }

    /// Whether all that these messages need is here. Who is no member is not remembered, and read again each time.
    pub fn suffice(&self, outgoing: &[&Outgoing]) -> bool {
        outgoing.iter().all(|send| {
            self.heads.contains_key(&send.workspace)
                && self.members.contains_key(&(send.message.conversation(), send.sender))
                // What plugins have to do with it is not remembered.
                && send.plugins.is_none()
        })
    }

    /// The same, or nothing if it has become too much.
    pub fn bounded(self) -> Self {
        if self.members.len() > MOST { Rows::default() } else { self }
    }

    /// The conversation, if the sender takes part in it.
    pub fn room(&mut self, workspace: WorkspaceId, id: ConversationId, sender: UserId) -> Option<&mut Conversation> {
        let room = self.rooms.get_mut(&id)?;
        (room.workspace == workspace && self.members.contains_key(&(id, sender))).then_some(room)
    }

    /// Somebody who takes part sees what was said after this.
    pub fn sees_after(&self, id: ConversationId, sender: UserId) -> i64 {
        self.members.get(&(id, sender)).copied().unwrap_or_default()
    }

    /// Takes the next number of a log.
    pub fn next_position(&mut self, workspace: WorkspaceId) -> Position {
        let head = self.heads.entry(workspace).or_default();
        *head = head.next();
        *head
    }

    /// Somebody else has written to a log, if it is one that is remembered.
    pub fn move_head(&mut self, workspace: WorkspaceId, position: Position) {
        if let Some(head) = self.heads.get_mut(&workspace) {
            *head = position;
        }
    }

    pub fn head(&self, workspace: WorkspaceId) -> Position {
        self.heads.get(&workspace).copied().unwrap_or_default()
    }
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
        .columns([members::Column::UserId, members::Column::FromSequence])
        .column(conversations::Column::Id)
        .column(conversations::Column::WorkspaceId)
        .column(conversations::Column::Status)
        .column(conversations::Column::Blocked)
        .column(conversations::Column::LastSequence)
        .column(conversations::Column::LastActivityAt)
}
