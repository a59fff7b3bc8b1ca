//! What plugins made of messages, and what they have to say, as events.

use async_graphql::{Context, ID, Object, Result};
use jackfield_domain::{ConversationId, HeldMessageId, MessageId, UserId, plugins::PluginId};

use super::Logged;
use crate::{
    actions,
    graphql::{
        conversations::Conversation,
        messages::Message,
        scalars::{DateTime, EventCursor, Json},
        scope::Scoped,
        users::User,
    },
};

pub struct MentionsUpdated {
    logged: Logged,
    conversation: ConversationId,
    message: MessageId,
    users: Vec<UserId>,
}

impl MentionsUpdated {
    pub fn of(logged: Logged, conversation: ConversationId, message: MessageId, users: Vec<UserId>) -> Self {
        MentionsUpdated { logged, conversation, message, users }
    }
}

/// A message mentions other people than before: these are all of them now.
#[Object]
impl MentionsUpdated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.logged.at()
    }

    /// Where the message was sent.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.logged.conversation(ctx, self.conversation).await
    }

    /// The message as it is now; null if it is there no more for the viewer.
    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        Message::find(ctx, self.message).await
    }

    /// Whom it mentions.
    async fn users(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        self.logged.users(ctx, &self.users).await
    }
}

pub struct AnnotationChanged {
    logged: Logged,
    conversation: ConversationId,
    message: MessageId,
    plugin: PluginId,
}

impl AnnotationChanged {
    pub fn of(logged: Logged, conversation: ConversationId, message: MessageId, plugin: PluginId) -> Self {
        AnnotationChanged { logged, conversation, message, plugin }
    }
}

/// What a plugin keeps beside a message changed: ask for the plugin's fields of the message to see what they say now.
#[Object]
impl AnnotationChanged {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.logged.at()
    }

    /// Where the message was sent.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.logged.conversation(ctx, self.conversation).await
    }

    /// The message as it is now; null if it is there no more for the viewer.
    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        Message::find(ctx, self.message).await
    }

    /// Which plugin, by its id.
    async fn plugin(&self) -> &str {
        self.plugin.as_str()
    }
}

pub struct MessageHeld(pub Logged, pub HeldMessageId);

/// A message of the viewer's waits for a moderator, because a plugin wants it so.
#[Object]
impl MessageHeld {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// The message that waits; ask for `heldMessage` to see it.
    async fn held_message_id(&self) -> ID {
        self.1.to_string().into()
    }
}

pub struct HeldMessageDecided(pub Logged, pub HeldMessageId);

/// A moderator has decided about a message of the viewer's that waited.
#[Object]
impl HeldMessageDecided {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// The message that waited; ask for `heldMessage` to see what was decided.
    async fn held_message_id(&self) -> ID {
        self.1.to_string().into()
    }
}

pub struct PluginEvent {
    logged: Logged,
    plugin: PluginId,
    kind: String,
}

impl PluginEvent {
    pub fn of(logged: Logged, plugin: PluginId, kind: String) -> Self {
        PluginEvent { logged, plugin, kind }
    }
}

/// A plugin has news for the viewer: it named them, a conversation in which they take part, or what they are in the workspace.
/// Nobody else is told.
#[Object]
impl PluginEvent {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.logged.at()
    }

    /// Which plugin, by its id.
    async fn plugin(&self) -> &str {
        self.plugin.as_str()
    }

    /// What it is about, in the plugin's own word. Words that begin with `hub.` are the hub's own: `hub.switched-off` says to
    /// those who run the workspace that the plugin failed too often, and is off. Who asks for the `kind` of `ReceiptsAdvanced` in the
    /// same selection calls one of the two something else (`word: kind`), for they are not of one type.
    async fn kind(&self) -> &str {
        &self.kind
    }

    /// What it says: a JSON object, whose form the plugin knows. Null where it is there no more.
    async fn payload(&self, ctx: &Context<'_>) -> Result<Option<Json>> {
        let event = &self.logged.entry.event;
        let payload = actions::events::notice(ctx.core(), event.workspace, event.position).await?;
        // It may be as long as words.
        Ok(payload.filter(|payload| ctx.has_room_for(&payload.to_string())).map(Json))
    }
}
