//! Deleting messages: for oneself, which is a row of one's own, and for everyone, which leaves a tombstone.

use async_trait::async_trait;
use jackfield_domain::{
    AuditAction, By, Fact, MessageId, Policy, UserId, WorkspaceId, WorkspaceRole,
    messages::{Deletion, Message, may_delete_for_everyone},
    permissions::Right,
};
use sea_orm::{
    ActiveValue::Set,
    Condition,
    entity::prelude::*,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    super::{
        Change, Work,
        plugins::{annotations, held, mentions, verdicts},
        writer::FromPlugins,
    },
    details, edits,
};
use crate::Result;

/// What somebody has deleted for themselves.
pub mod hidden {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "hidden_messages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub conversation_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub sequence: i64,
        /// Whether the user had sent it: one's own was never unread.
        pub is_own: bool,
        pub hidden_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Leaves out what the user has deleted for themselves. Most messages are hidden by nobody, which their own row says.
pub fn not_hidden_from(user: UserId) -> Condition {
    let own = Query::select()
        .expr(Expr::value(1))
        .from(hidden::Entity)
        .and_where(hidden::Column::UserId.into_expr().eq(user.0))
        .and_where(hidden::Column::ConversationId.into_expr().eq(super::Column::ConversationId.into_expr()))
        .and_where(hidden::Column::Sequence.into_expr().eq(super::Column::Sequence.into_expr()))
        .to_owned();
    Condition::any().add(super::Column::Hidden.eq(false)).add(Expr::exists(own).not())
}

/// Deletes a message for the one who asks, on all their devices; nobody else hears of it.
pub struct HideMessage {
    pub by: By,
    pub message: MessageId,
}

#[async_trait]
impl Change for HideMessage {
    type Outcome = Message;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Message> {
        let (message, ..) = super::seen(work, self.by.user, self.message).await?;
        let row = hidden::ActiveModel {
            user_id: Set(self.by.user.0),
            conversation_id: Set(message.conversation.0),
            sequence: Set(message.sequence),
            is_own: Set(message.sender == self.by.user),
            hidden_at: Set(self.by.at.0),
        };
        hidden::Entity::insert(row).exec_without_returning(&work.transaction).await?;
        if !message.hidden {
            let changed = super::ActiveModel { id: Set(message.id.0), hidden: Set(true), ..Default::default() };
            super::Entity::update(changed).exec(&work.transaction).await?;
        }
        let fact = Fact::MessageHidden {
            user: self.by.user,
            conversation: message.conversation,
            message: message.id,
            sequence: message.sequence,
        };
        work.record(Some(self.by.user), self.by.at, fact);
        Ok(message)
    }
}

/// Deletes a message for everyone: its row and its place in the sequence stay, and nothing that it said.
pub struct DeleteMessage {
    pub by: By,
    pub role: WorkspaceRole,
    pub message: MessageId,
    pub policy: Policy,
    /// What plugins leave, who were asked about it.
    pub plugins: FromPlugins,
}

#[async_trait]
impl Change for DeleteMessage {
    type Outcome = Message;

    fn workspace(&self) -> Option<WorkspaceId> {
        Some(self.by.workspace)
    }

    fn leaves_rooms(&self) -> bool {
        true
    }

    async fn apply(&self, work: &mut Work) -> Result<Message> {
        let by = &self.by;
        let (message, _, role_here) = super::seen(work, by.user, self.message).await?;
        let right = may_delete_for_everyone(&message, by.user, self.role, role_here, by.at, &self.policy)?;
        held::commit_data(work, &self.plugins, by.at).await?;
        if message.deleted.is_some() {
            return Ok(message);
        }
        let deletion = Deletion { at: by.at.max(message.created_at), by: by.user };
        let changed = super::ActiveModel {
            id: Set(message.id.0),
            body: Set(String::new()),
            edited_at: Set(None),
            deleted_at: Set(Some(deletion.at.0)),
            deleted_by_id: Set(Some(deletion.by.0)),
            ..Default::default()
        };
        super::Entity::update(changed).exec(&work.transaction).await?;
        edits::forget(work, message.id).await?;
        annotations::forget(&work.transaction, &[message.id]).await?;
        mentions::forget(&work.transaction, &[message.id]).await?;
        verdicts::forget_reasons(&work.transaction, &[message.id]).await?;
        details::Entity::delete_by_id(message.id.0).exec(&work.transaction).await?;
        let fact = Fact::MessageDeleted {
            conversation: message.conversation,
            message: message.id,
            sequence: message.sequence,
        };
        work.record(Some(by.user), deletion.at, fact);
        if right == Right::Role {
            let details = [("conversation", message.conversation.to_string()), ("sender", message.sender.to_string())];
            work.audit(by.entry(AuditAction::MessageDeleted, message.id, details));
        }
        Ok(Message { body: String::new(), edited_at: None, deleted: Some(deletion), ..message })
    }
}
