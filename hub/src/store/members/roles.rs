//! Who is what in a conversation.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, ConversationId, ConversationRole, Fact, Rejection, UserId, WorkspaceId,
    conversations::{
        Conversation, Member,
        membership::{Part, may_change_part, may_transfer},
    },
    users::UserStatus,
};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{
    super::{Change, Work, users},
    ActiveModel, Entity, another_owner, part_in, part_of,
};
use crate::{Error, Result};

/// Gives somebody another role.
pub struct UpdateMember {
    pub conversation: ConversationId,
    pub member: UserId,
    pub role: ConversationRole,
    pub by: By,
}

#[async_trait]
impl Change for UpdateMember {
    type Outcome = Member;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Member> {
        let (row, actor) = part_in(work, self.conversation, self.by.user).await?;
        let target = part_of(work, self.conversation, self.member, "memberId").await?;
        let owners = another_owner(work, self.conversation, self.member).await?;
        may_change_part(&Conversation::try_from(row)?, actor, target, self.role, owners)?;
        if give(work, self.conversation, target, self.role, &self.by).await? {
            let details = [
                ("conversation", self.conversation.to_string()),
                ("before", target.role.as_str().to_owned()),
                ("after", self.role.as_str().to_owned()),
            ];
            work.audit(self.by.entry(AuditAction::ConversationMemberUpdated, self.member, details));
        }
        let row = Entity::find_by_id((self.conversation.0, self.member.0)).one(&work.transaction).await?;
        row.ok_or_else(|| Error::internal("a member who was there a moment ago is not"))?.try_into()
    }
}

/// Hands a conversation over: somebody else is its owner from then on, and who was it runs it with them.
pub struct TransferConversation {
    pub conversation: ConversationId,
    pub member: UserId,
    pub by: By,
}

#[async_trait]
impl Change for TransferConversation {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let (row, actor) = part_in(work, self.conversation, self.by.user).await?;
        let room = Conversation::try_from(row)?;
        may_transfer(&room, actor, self.member)?;
        let target = part_of(work, self.conversation, self.member, "memberId").await?;
        hand_over(work, room.id, target, "memberId", &self.by).await?;
        give(work, room.id, actor, ConversationRole::Admin, &self.by).await?;
        Ok(room)
    }
}

/// Makes somebody the owner of what was another's: the one who is named in this field, and not shut out.
pub async fn hand_over(
    work: &mut Work,
    conversation: ConversationId,
    to: Part,
    field: &'static str,
    by: &By,
) -> Result<()> {
    let heir = users::Entity::find_by_id(to.user.0).one(&work.transaction).await?;
    if heir.is_none_or(|heir| heir.status != UserStatus::Active.as_str()) {
        return Err(Rejection::Invalid { field, expected: "somebody who is not deactivated" }.into());
    }
    give(work, conversation, to, ConversationRole::Owner, by).await?;
    let details = [("to", to.user.to_string())];
    work.audit(by.entry(AuditAction::ConversationTransferred, conversation, details));
    Ok(())
}

/// Makes somebody something else; answers whether they were not that already.
pub async fn give(
    work: &mut Work,
    conversation: ConversationId,
    part: Part,
    role: ConversationRole,
    by: &By,
) -> Result<bool> {
    if part.role == role {
        return Ok(false);
    }
    let changed = ActiveModel {
        conversation_id: Set(conversation.0),
        user_id: Set(part.user.0),
        role: Set(role.as_str().to_owned()),
        ..Default::default()
    };
    Entity::update(changed).exec(&work.transaction).await?;
    work.record(Some(by.user), by.at, Fact::ConversationMemberUpdated { conversation, user: part.user });
    Ok(true)
}
