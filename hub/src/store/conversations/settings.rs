//! What somebody has set for themselves in a conversation, on the row of their membership.

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, Fact, Rejection, Timestamp, UserId, WorkspaceId,
    conversations::{Conversation, Member, settings::CheckedSettings},
};
use sea_orm::{ActiveValue::Set, entity::prelude::*};

use super::{
    super::{Change, Work, members},
    Entity,
};
use crate::Result;

/// Changes what is given, and leaves the rest as it is.
pub struct UpdateSettings {
    pub workspace: WorkspaceId,
    pub conversation: ConversationId,
    pub user: UserId,
    pub at: Timestamp,
    pub settings: CheckedSettings,
}

#[async_trait]
impl Change for UpdateSettings {
    type Outcome = Conversation;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Conversation> {
        let (conversation, user) = (self.conversation, self.user);
        let found = members::Entity::find_by_id((conversation.0, user.0))
            .find_also_related(Entity)
            .one(&work.transaction)
            .await?;
        let Some((member, Some(room))) = found else {
            return Err(Rejection::NotFound { what: "conversation", field: "conversation_id" }.into());
        };
        let before = Member::try_from(member)?.settings;
        let after = self.settings.applied_to(&before);
        if after != before {
            let changed = members::ActiveModel {
                conversation_id: Set(conversation.0),
                user_id: Set(user.0),
                muted_until: Set(after.muted_until.map(|until| until.0)),
                pinned: Set(after.is_pinned),
                notify: Set(after.notify.as_str().to_owned()),
                sound: Set(after.sound),
                ..Default::default()
            };
            members::Entity::update(changed).exec(&work.transaction).await?;
            work.record(Some(user), self.at, Fact::ConversationSettingsUpdated { user, conversation });
        }
        room.try_into()
    }
}
