//! Going, and being sent away.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, Fact, UserId, WorkspaceId,
    conversations::{
        Conversation, ConversationStatus,
        membership::{Departure, may_leave, may_remove},
    },
};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{
    super::{Change, Work, conversations as rooms},
    Entity, another_owner, part_in, part_of, roles,
};
use crate::Result;

/// Sends somebody away.
pub struct RemoveMember {
    pub conversation: ConversationId,
    pub member: UserId,
    pub by: By,
}

#[async_trait]
impl Change for RemoveMember {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let (row, actor) = part_in(work, self.conversation, self.by.user).await?;
        let mut room = Conversation::try_from(row)?;
        let target = part_of(work, self.conversation, self.member, "memberId").await?;
        may_remove(&room, actor, target)?;
        dismiss(work, &mut room, self.member, &self.by).await?;
        let details = [("conversation", room.id.to_string()), ("role", target.role.as_str().to_owned())];
        work.audit(self.by.entry(AuditAction::ConversationMemberRemoved, self.member, details));
        Ok(room)
    }
}

/// Goes by oneself.
pub struct LeaveConversation {
    pub conversation: ConversationId,
    /// Who is to be an owner from then on.
    pub successor: Option<UserId>,
    pub by: By,
}

#[async_trait]
impl Change for LeaveConversation {
    type Outcome = ();

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<()> {
        let By { user, at, .. } = self.by;
        let (row, leaver) = part_in(work, self.conversation, user).await?;
        let mut room = Conversation::try_from(row.clone())?;
        let owners = another_owner(work, self.conversation, user).await?;
        let departure = may_leave(&room, leaver, self.successor, owners)?;
        if let Departure::To(successor) = departure {
            let successor = part_of(work, self.conversation, successor, "successorId").await?;
            roles::hand_over(work, room.id, successor, "successorId", &self.by).await?;
        }
        dismiss(work, &mut room, user, &self.by).await?;
        if departure == Departure::Last {
            rooms::life::put(work, row, ConversationStatus::Archived, Some(at)).await?;
        }
        Ok(())
    }
}

/// Takes somebody out. They hear of it first, so that what those hear who stay is not for them any more.
async fn dismiss(work: &mut Work, room: &mut Conversation, user: UserId, by: &By) -> Result<()> {
    Entity::delete_by_id((room.id.0, user.0)).exec(&work.transaction).await?;
    room.member_count -= 1;
    rooms::set_member_count(work, room.id, room.member_count).await?;
    work.record(Some(by.user), by.at, Fact::ConversationLeft { user, conversation: room.id });
    if room.member_count > 0 {
        let fact = Fact::ConversationMembersRemoved { conversation: room.id, members: vec![user] };
        work.record(Some(by.user), by.at, fact);
    }
    if room.assignee == Some(user) {
        room.assignee = None;
        let changed = rooms::ActiveModel { id: Set(room.id.0), assignee_id: Set(None), ..Default::default() };
        rooms::Entity::update(changed).exec(&work.transaction).await?;
        work.record(Some(by.user), by.at, Fact::ConversationUpdated { conversation: room.id });
    }
    Ok(())
}
