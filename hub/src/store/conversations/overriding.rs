//! Looking into a conversation without taking part: nothing changes but the record, which says who did it and why.

use async_trait::async_trait;
use jackfield_domain::{AuditAction, By, ConversationId, Rejection, WorkspaceId, conversations::Conversation};
use sea_orm::entity::prelude::*;

use super::{
    super::{Change, Work},
    Column, Entity,
};
use crate::Result;

pub struct LookInto {
    pub by: By,
    pub conversation: ConversationId,
    pub reason: String,
}

#[async_trait]
impl Change for LookInto {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let found = Entity::find_by_id(self.conversation.0)
            .filter(Column::WorkspaceId.eq(self.by.workspace.0))
            .one(&work.transaction)
            .await?;
        let room = found.ok_or(Rejection::NotFound { what: "conversation", field: "conversation_id" })?;
        let details = [("reason", self.reason.clone())];
        work.audit(self.by.entry(AuditAction::ConversationOverridden, self.conversation, details));
        room.try_into()
    }
}
