//! What happens to conversations and to those who take part in them, as events.

use async_graphql::{Context, ID, Object, Result};
use jackfield_domain::{ConversationId, UserId};

use super::Logged;
use crate::{
    actions,
    graphql::{
        conversations::{Conversation, ConversationMember},
        scalars::{DateTime, EventCursor},
        scope::Scoped,
        users::User,
    },
};

/// What every event that is about a conversation has.
pub struct Within {
    logged: Logged,
    id: ConversationId,
}

impl Logged {
    pub fn within(self, id: ConversationId) -> Within {
        Within { logged: self, id }
    }
}

impl Within {
    fn cursor(&self) -> EventCursor {
        self.logged.cursor()
    }

    fn at(&self) -> DateTime {
        self.logged.at()
    }

    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.logged.user(ctx, self.logged.entry.event.actor).await
    }

    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.logged.conversation(ctx, self.id).await
    }
}

pub struct ConversationCreated(pub Within);

/// A conversation was made, and the viewer takes part in it.
#[Object]
impl ConversationCreated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// Who made it.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.actor(ctx).await
    }

    /// The conversation as it is now.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }
}

pub struct ConversationUpdated(pub Within);

/// A conversation has another title or status, or something else of its own has changed.
#[Object]
impl ConversationUpdated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// Who changed it; null where it was the hub itself.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.actor(ctx).await
    }

    /// The conversation as it is now.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }
}

pub struct ConversationMembersAdded(pub Within, pub Vec<UserId>, pub i64);

/// People were added to a conversation, or joined it. If you are one of them, it is new to you: fetch it.
#[Object]
impl ConversationMembersAdded {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// Who added them; themselves, where they joined.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.actor(ctx).await
    }

    /// The conversation as it is now.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }

    /// Who was added.
    async fn users(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        self.0.logged.users(ctx, &self.1).await
    }

    /// How many messages there had been by then: none of them is new to who was added.
    async fn sequence(&self) -> i64 {
        self.2
    }
}

pub struct ConversationMembersRemoved(pub Within, pub Vec<UserId>);

/// People take no part in a conversation any more. They themselves are told by `ConversationLeft`.
#[Object]
impl ConversationMembersRemoved {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// Who removed them; themselves, where they left.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.actor(ctx).await
    }

    /// The conversation as it is now.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }

    /// Who it is that is gone.
    async fn users(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        self.0.logged.users(ctx, &self.1).await
    }
}

pub struct ConversationMemberUpdated(pub Within, pub UserId);

/// Somebody has another role in a conversation.
#[Object]
impl ConversationMemberUpdated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// Who gave it to them.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.actor(ctx).await
    }

    /// The conversation as it is now.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }

    /// Whose role it is.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.logged.user(ctx, Some(self.1)).await
    }

    /// Their part in the conversation as it is now.
    async fn member(&self, ctx: &Context<'_>) -> Result<Option<ConversationMember>> {
        let found = actions::conversations::member(ctx.core(), &ctx.moment().reader, self.0.id, self.1).await?;
        Ok(found.map(ConversationMember))
    }
}

pub struct ConversationLeft(pub Within);

/// The viewer takes no part in a conversation any more, because they left or were removed, or because it is no more. Forget it.
#[Object]
impl ConversationLeft {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// The conversation that is out of reach.
    async fn conversation_id(&self) -> ID {
        self.0.id.to_string().into()
    }
}

pub struct ConversationSettingsUpdated(pub Within);

/// The viewer has set something for themselves in a conversation, on one of their devices.
#[Object]
impl ConversationSettingsUpdated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// The conversation as it is now.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }
}

pub struct BlocksUpdated(pub Logged, pub UserId);

/// The viewer blocks somebody, or does so no more.
#[Object]
impl BlocksUpdated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// Who it is about.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.user(ctx, Some(self.1)).await
    }
}
