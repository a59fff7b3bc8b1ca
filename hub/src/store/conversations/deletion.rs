//! Deleting a conversation: it and its members are gone at once, and with them every way to what was said. That is taken
//! away afterwards, a bounded piece at a time.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, Fact, MessageId, Policy, UserId, WorkspaceId,
    conversations::{Conversation, life::may_delete},
    jobs::NewJob,
};
use sea_orm::{QueryOrder, QuerySelect, entity::prelude::*};

use super::{
    super::{
        Change, Work, invitations, jobs, members,
        messages::{
            self,
            deletions::hidden,
            trims::{forget_beside, trimmed},
        },
        plugins::{held, mentions, notices, verdicts, workspaces::conversations as switches},
        receipts,
        writer::keys,
    },
    Entity, public,
};
use crate::Result;

/// Deletes a conversation, with all that was said in it.
pub struct DeleteConversation {
    pub conversation: ConversationId,
    pub policy: Policy,
    /// The job that takes away what was said.
    pub purge: NewJob,
    pub by: By,
}

#[async_trait]
impl Change for DeleteConversation {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let By { user, at, .. } = self.by;
        let (row, part) = members::part_in(work, self.conversation, user).await?;
        let room = Conversation::try_from(row)?;
        may_delete(&room, part.role, &self.policy)?;
        let present: Vec<Uuid> = members::Entity::find()
            .filter(members::Column::ConversationId.eq(room.id.0))
            .select_only()
            .column(members::Column::UserId)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        members::Entity::delete_many()
            .filter(members::Column::ConversationId.eq(room.id.0))
            .exec(&work.transaction)
            .await?;
        invitations::forget(work, room.workspace, room.id).await?;
        public::forget(work, room.id).await?;
        held::forget(work, room.id).await?;
        switches::Entity::delete_many()
            .filter(switches::Column::ConversationId.eq(room.id.0))
            .exec(&work.transaction)
            .await?;
        Entity::delete_by_id(room.id.0).exec(&work.transaction).await?;
        jobs::enqueue(work, std::slice::from_ref(&self.purge)).await?;
        for member in &present {
            let fact = Fact::ConversationLeft { user: UserId(*member), conversation: room.id };
            work.record(Some(user), at, fact);
        }
        let details = [("members", present.len().to_string())];
        work.audit(self.by.entry(AuditAction::ConversationDeleted, room.id, details));
        Ok(())
    }
}

/// Takes away some of what is left of a conversation that was deleted; answers whether there was anything. Nobody writes to
/// it any more, so that whoever goes on with it finds what is still there.
pub struct PurgeConversation {
    pub conversation: ConversationId,
    /// So many rows of a kind at the most.
    pub limit: u64,
}

#[async_trait]
impl Change for PurgeConversation {
    type Outcome = bool;

    fn workspace(&self) -> Option<WorkspaceId> {
        None
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<bool> {
        Ok(self.purge_messages(work).await?
            || self.purge_trimmed(work).await?
            || self.purge_receipts(work).await?
            || self.purge_hidden(work).await?
            || notices::purge(&work.transaction, self.conversation, self.limit).await?
            || verdicts::purge(&work.transaction, self.conversation, self.limit).await?)
    }
}

impl PurgeConversation {
    async fn purge_messages(&self, work: &Work) -> Result<bool> {
        let said: Vec<Uuid> = messages::Entity::find()
            .filter(messages::Column::ConversationId.eq(self.conversation.0))
            .select_only()
            .column(messages::Column::Id)
            .order_by_asc(messages::Column::Sequence)
            .limit(self.limit)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        if said.is_empty() {
            return Ok(false);
        }
        forget_beside(work, &said).await?;
        let ids: Vec<MessageId> = said.iter().copied().map(MessageId).collect();
        mentions::forget(&work.transaction, &ids).await?;
        keys::Entity::delete_many().filter(keys::Column::MessageId.is_in(said.clone())).exec(&work.transaction).await?;
        messages::Entity::delete_many().filter(messages::Column::Id.is_in(said)).exec(&work.transaction).await?;
        Ok(true)
    }

    /// What was hidden from everybody before.
    async fn purge_trimmed(&self, work: &Work) -> Result<bool> {
        use trimmed::{Column, Entity};
        let rows: Vec<(Uuid, i64)> = Entity::find()
            .filter(Column::ConversationId.eq(self.conversation.0))
            .select_only()
            .columns([Column::Id, Column::Sequence])
            .order_by_asc(Column::Sequence)
            .limit(self.limit)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        let Some((_, last)) = rows.last() else { return Ok(false) };
        let ids: Vec<Uuid> = rows.iter().map(|(id, _)| *id).collect();
        forget_beside(work, &ids).await?;
        Entity::delete_many()
            .filter(Column::ConversationId.eq(self.conversation.0))
            .filter(Column::Sequence.lte(*last))
            .exec(&work.transaction)
            .await?;
        Ok(true)
    }

    /// Of one kind and member at a time, whose marks are walked in their order.
    async fn purge_receipts(&self, work: &Work) -> Result<bool> {
        use receipts::{Column, Entity};
        let all = || Entity::find().filter(Column::ConversationId.eq(self.conversation.0));
        let Some(first) = all().limit(1).one(&work.transaction).await? else { return Ok(false) };
        let up_to: Vec<i64> = all()
            .filter(Column::UserId.eq(first.user_id))
            .filter(Column::Kind.eq(&first.kind))
            .select_only()
            .column(Column::UpTo)
            .order_by_asc(Column::UpTo)
            .limit(self.limit)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        Entity::delete_many()
            .filter(Column::ConversationId.eq(self.conversation.0))
            .filter(Column::UserId.eq(first.user_id))
            .filter(Column::Kind.eq(&first.kind))
            .filter(Column::UpTo.lte(up_to.last().copied()))
            .exec(&work.transaction)
            .await?;
        Ok(true)
    }

    async fn purge_hidden(&self, work: &Work) -> Result<bool> {
        use hidden::{Column, Entity};
        let all = || Entity::find().filter(Column::ConversationId.eq(self.conversation.0));
        let Some(first) = all().limit(1).one(&work.transaction).await? else { return Ok(false) };
        let places: Vec<i64> = all()
            .filter(Column::UserId.eq(first.user_id))
            .select_only()
            .column(Column::Sequence)
            .order_by_asc(Column::Sequence)
            .limit(self.limit)
            .into_tuple()
            .all(&work.transaction)
            .await?;
        Entity::delete_many()
            .filter(Column::ConversationId.eq(self.conversation.0))
            .filter(Column::UserId.eq(first.user_id))
            .filter(Column::Sequence.lte(places.last().copied()))
            .exec(&work.transaction)
            .await?;
        Ok(true)
    }
}
