//! What becomes of a conversation itself: it changes, it is put away, it is taken up again.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, Fact, Timestamp, WorkspaceId, WorkspaceRole,
    conversations::{
        Conversation, ConversationStatus,
        life::{CheckedChanges, may_close},
    },
    permissions::{ConversationAct, Right, may_here},
    text,
};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{
    super::{Change, Work, members},
    ActiveModel, Entity, Model, public,
};
use crate::Result;

/// Changes the title and whatever else is its own.
pub struct UpdateConversation {
    pub conversation: ConversationId,
    pub changes: CheckedChanges,
    pub by: By,
}

#[async_trait]
impl Change for UpdateConversation {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let (row, part) = members::part_in(work, self.conversation, self.by.user).await?;
        let before = Conversation::try_from(row)?;
        may_here(part.role, ConversationAct::Run)?;
        let room = self.changes.applied_to(before.clone())?;
        if room == before {
            return Ok(room);
        }
        let changed = ActiveModel {
            id: Set(room.id.0),
            title: Set(room.title.clone()),
            folded_title: Set(room.title.as_deref().map(text::folded)),
            description: Set(room.description.clone()),
            avatar_url: Set(room.avatar_url.clone()),
            visibility: Set(room.visibility.as_str().to_owned()),
            history: Set(room.history.as_str().to_owned()),
            ..Default::default()
        };
        public::index(work, &Entity::update(changed).exec(&work.transaction).await?).await?;
        work.record(Some(self.by.user), self.by.at, Fact::ConversationUpdated { conversation: room.id });
        work.audit(self.by.entry(AuditAction::ConversationUpdated, room.id, differences(&before, &room)));
        Ok(room)
    }
}

/// What was changed, for the record. Who reads it need not take part, so that it holds no words of the conversation.
fn differences(before: &Conversation, after: &Conversation) -> Vec<(&'static str, String)> {
    let changed = |name, differs: bool| differs.then(|| (name, "changed".to_owned()));
    let became = |name, before: &str, after: &str| (before != after).then(|| (name, after.to_owned()));
    [
        changed("title", before.title != after.title),
        changed("description", before.description != after.description),
        changed("avatarUrl", before.avatar_url != after.avatar_url),
        became("visibility", before.visibility.as_str(), after.visibility.as_str()),
        became("history", before.history.as_str(), after.history.as_str()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Puts a conversation away by hand, or takes it up again.
pub struct CloseConversation {
    pub conversation: ConversationId,
    pub close: bool,
    /// What the one who asks is in the workspace.
    pub role: WorkspaceRole,
    pub by: By,
}

#[async_trait]
impl Change for CloseConversation {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let (row, part) = members::part_in(work, self.conversation, self.by.user).await?;
        let room = Conversation::try_from(row.clone())?;
        let right = may_close(&room, self.by.user, part.role, self.role)?;
        // What a block between two lies over counts, and not the block.
        if ConversationStatus::from_word(&row.status).is_some_and(ConversationStatus::is_archived) == self.close {
            return Ok(room);
        }
        let (action, status, closed_at) = if self.close {
            (AuditAction::ConversationArchived, ConversationStatus::Archived, Some(self.by.at))
        } else {
            (AuditAction::ConversationReopened, ConversationStatus::Active, None)
        };
        let room = put(work, row, status, closed_at).await?;
        work.record(Some(self.by.user), self.by.at, Fact::ConversationUpdated { conversation: room.id });
        if right == Right::Role {
            work.audit(self.by.entry(action, room.id, []));
        }
        Ok(room)
    }
}

/// Gives a conversation another status. Only one that goes on can be found by those who take no part.
pub async fn put(
    work: &Work,
    row: Model,
    status: ConversationStatus,
    closed_at: Option<Timestamp>,
) -> Result<Conversation> {
    let changed = ActiveModel {
        id: Set(row.id),
        status: Set(status.as_str().to_owned()),
        closed_at: Set(closed_at.map(|at| at.0)),
        ..Default::default()
    };
    let row = Entity::update(changed).exec(&work.transaction).await?;
    public::index(work, &row).await?;
    row.try_into()
}
