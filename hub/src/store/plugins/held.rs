//! Messages that a plugin wants people to look at: kept until a moderator decides, and what was refused, for who asks again.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, Fact, HeldMessageId, MessageId, Rejection, Timestamp, UserId, WorkspaceId,
    conversations::ConversationStatus,
    pages::{Direction, Page, Slice},
    plugins::{HeldMessage, HeldState, Kept},
};
use sea_orm::{ActiveValue::Set, QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    super::{
        Change, Store, Work,
        messages::{self},
        writer::{FromPlugins, Outgoing, keys, send_within, used},
    },
    data::Overlay,
    id, verdicts,
};
use crate::{Error, Result};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "held_messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub workspace_id: Uuid,
    pub conversation_id: Uuid,
    pub sender_id: Uuid,
    pub draft: String,
    pub plugin_id: String,
    pub reason: String,
    pub state: String,
    pub message_id: Uuid,
    pub created_at: i64,
    pub decided_at: Option<i64>,
    pub decided_by_id: Option<Uuid>,
    pub note: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for HeldMessage {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self> {
        Ok(HeldMessage {
            id: HeldMessageId(row.id),
            workspace: WorkspaceId(row.workspace_id),
            conversation: ConversationId(row.conversation_id),
            sender: UserId(row.sender_id),
            draft: row.draft,
            plugin: id(&row.plugin_id)?,
            reason: row.reason,
            state: HeldState::from_word(&row.state)
                .ok_or_else(|| Error::internal("unknown state of a held message"))?,
            message: MessageId(row.message_id),
            created_at: Timestamp(row.created_at),
            decided_at: row.decided_at.map(Timestamp),
            decided_by: row.decided_by_id.map(UserId),
            note: row.note,
        })
    }
}

impl Store {
    /// The messages of a workspace that are in this state, the oldest first.
    pub async fn held_messages(
        &self,
        workspace: WorkspaceId,
        state: HeldState,
        page: &Page<HeldMessageId>,
    ) -> Result<Slice<HeldMessage>> {
        let rows = walk(workspace, state, page).all(&self.reads).await?;
        Ok(Slice::of_walk(page, rows.into_iter().map(HeldMessage::try_from).collect::<Result<_>>()?))
    }

    pub async fn held_message(&self, id: HeldMessageId) -> Result<Option<HeldMessage>> {
        Entity::find_by_id(id.0).one(&self.reads).await?.map(HeldMessage::try_from).transpose()
    }

    /// Has somebody used this name for a message before?
    pub async fn is_key_used(&self, user: UserId, key: &str) -> Result<bool> {
        Ok(used(&self.reads, user, key).await?.is_some())
    }

    /// Does somebody take part in a conversation that takes messages? Decided again when they send one.
    pub async fn may_write(&self, user: UserId, conversation: ConversationId) -> Result<bool> {
        let found = self.conversations_for(user, &[conversation]).await?;
        Ok(found.iter().any(|conversation| conversation.status == ConversationStatus::Active))
    }
}

pub fn walk(workspace: WorkspaceId, state: HeldState, page: &Page<HeldMessageId>) -> Select<Entity> {
    let walk = Entity::find()
        .filter(Column::WorkspaceId.eq(workspace.0))
        .filter(Column::State.eq(state.as_str()))
        .limit(page.size as u64 + 1);
    match (page.direction, page.from) {
        (Direction::Forward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.gt(from.0))).order_by_asc(Column::Id)
        }
        (Direction::Backward, from) => {
            from.into_iter().fold(walk, |walk, from| walk.filter(Column::Id.lt(from.0))).order_by_desc(Column::Id)
        }
    }
}

/// Nothing waits to be sent to a conversation that is no more.
pub async fn forget(work: &Work, conversation: ConversationId) -> Result<()> {
    Entity::delete_many().filter(Column::ConversationId.eq(conversation.0)).exec(&work.transaction).await?;
    Ok(())
}

/// Nothing is left of these that waited and were sent.
pub async fn forget_sent(work: &Work, conversation: ConversationId, messages: &[MessageId]) -> Result<()> {
    Entity::delete_many()
        .filter(Column::ConversationId.eq(conversation.0))
        .filter(Column::MessageId.is_in(messages.iter().map(|id| id.0)))
        .exec(&work.transaction)
        .await?;
    Ok(())
}

/// What is to be kept of a message that is not sent, or not yet.
pub struct KeepOutcome {
    pub workspace: WorkspaceId,
    pub sender: UserId,
    pub at: Timestamp,
    /// The id that the message has, or would have had.
    pub message: MessageId,
    /// The sender's own name for it.
    pub key: Option<String>,
    pub fingerprint: [u8; 32],
    pub outcome: Kept,
    /// The message itself, where it is held.
    pub held: Option<HeldMessage>,
    pub plugins: FromPlugins,
}

#[async_trait]
impl Change for KeepOutcome {
    /// What became of the message, be it now or when it was sent before.
    type Outcome = Rejection;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Rejection> {
        if let Some(key) = &self.key {
            match used(&work.transaction, self.sender, key).await? {
                Some((fingerprint, ..)) if fingerprint != self.fingerprint => {
                    return Ok(Rejection::IdempotencyKeyReused);
                }
                Some((.., Some(kept))) => return Ok(kept.into()),
                // It was sent while the plugins looked at it once more.
                Some((.., None)) => return Err(Rejection::Conflict.into()),
                None => {}
            }
            let row = keys::ActiveModel {
                user_id: Set(self.sender.0),
                key: Set(key.clone()),
                fingerprint: Set(self.fingerprint.to_vec()),
                message_id: Set(self.message.0),
                outcome: Set(Some(serde_json::to_string(&self.outcome).map_err(Error::internal)?)),
                created_at: Set(self.at.0),
            };
            keys::Entity::insert(row).exec_without_returning(&work.transaction).await?;
        }
        commit_data(work, &self.plugins, self.at).await?;
        if let Some(held) = &self.held {
            let row = ActiveModel {
                id: Set(held.id.0),
                workspace_id: Set(held.workspace.0),
                conversation_id: Set(held.conversation.0),
                sender_id: Set(held.sender.0),
                draft: Set(held.draft.clone()),
                plugin_id: Set(held.plugin.to_string()),
                reason: Set(held.reason.clone()),
                state: Set(held.state.as_str().to_owned()),
                message_id: Set(held.message.0),
                created_at: Set(held.created_at.0),
                decided_at: Set(None),
                decided_by_id: Set(None),
                note: Set(None),
            };
            Entity::insert(row).exec_without_returning(&work.transaction).await?;
            work.record(Some(self.sender), self.at, Fact::MessageHeld { user: self.sender, held: held.id });
        }
        Ok(self.outcome.clone().into())
    }
}

/// Changes plugins' own data within a change, and keeps what they did.
pub async fn commit_data(work: &Work, plugins: &FromPlugins, at: Timestamp) -> Result<()> {
    verdicts::keep(&work.transaction, &plugins.verdicts).await?;
    if plugins.data.is_empty() {
        return Ok(());
    }
    let mut overlay = Overlay::read(&work.transaction, &plugins.data, at).await?;
    for change in &plugins.data {
        overlay.apply(change, at)?;
    }
    overlay.write(&work.transaction).await
}

/// What plugins leave where nothing else is to be committed: they were asked, and it was not done, or not yet.
pub struct KeepLeft {
    pub workspace: WorkspaceId,
    pub at: Timestamp,
    pub plugins: FromPlugins,
}

#[async_trait]
impl Change for KeepLeft {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        commit_data(work, &self.plugins, self.at).await
    }
}

/// Why a message that was held cannot be sent now, in words for the moderator, who knows nothing of the sender's input.
fn not_any_more(why: Rejection) -> Rejection {
    match why {
        Rejection::NotFound { what: "conversation", .. } => {
            Rejection::NotFound { what: "conversation in which its sender still takes part", field: "heldMessageId" }
        }
        other => other,
    }
}

/// A moderator decides about a message that is held: it is sent now, at the end of the sequence, or never.
pub struct DecideHeld {
    pub by: By,
    pub held: HeldMessageId,
    /// What to send; none if it is not to be sent.
    pub send: Option<Outgoing>,
    pub note: Option<String>,
}

#[async_trait]
impl Change for DecideHeld {
    type Outcome = (HeldMessage, Option<jackfield_domain::messages::Message>);

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Self::Outcome> {
        let none = || Rejection::NotFound { what: "held message", field: "heldMessageId" };
        let found = Entity::find_by_id(self.held.0).one(&work.transaction).await?;
        let held = HeldMessage::try_from(found.ok_or_else(none)?)?;
        if held.workspace != self.by.workspace {
            return Err(none().into());
        }
        let wanted = if self.send.is_some() { HeldState::Approved } else { HeldState::Rejected };
        if held.state != HeldState::Waiting {
            // Two moderators who want the same both have what they want.
            if held.state != wanted {
                return Err(Rejection::Decided { state: held.state.as_str() }.into());
            }
            let sent = messages::Entity::find_by_id(held.message.0).one(&work.transaction).await?;
            return Ok((held, sent.map(TryInto::try_into).transpose()?));
        }
        let sent = match &self.send {
            None => None,
            Some(outgoing) => {
                let outcome = send_within(work, &[outgoing]).await?.pop();
                let outcome = outcome.ok_or_else(|| Error::internal("a message without an outcome"))?;
                Some(outcome.map_err(not_any_more)?.message)
            }
        };
        let decided = ActiveModel {
            id: Set(held.id.0),
            state: Set(wanted.as_str().to_owned()),
            decided_at: Set(Some(self.by.at.0)),
            decided_by_id: Set(Some(self.by.user.0)),
            note: Set(self.note.clone()),
            ..Default::default()
        };
        Entity::update(decided).exec(&work.transaction).await?;
        let fact = Fact::HeldMessageDecided { user: held.sender, held: held.id };
        work.record(Some(self.by.user), self.by.at, fact);
        let action = if sent.is_some() { AuditAction::HeldMessageApproved } else { AuditAction::HeldMessageRejected };
        let details = [("sender", held.sender.to_string()), ("conversation", held.conversation.to_string())];
        work.audit(self.by.entry(action, held.id, details));
        let held = HeldMessage {
            state: wanted,
            decided_at: Some(self.by.at),
            decided_by: Some(self.by.user),
            note: self.note.clone(),
            ..held
        };
        Ok((held, sent))
    }
}
