//! What happens to messages.

use async_graphql::{Context, ID, Object, Result};
use jackfield_domain::{ConversationId, MessageId, UserId, messages::TrimStep, receipts as words};

use super::{
    super::{
        conversations::Conversation,
        messages::Message,
        receipts::ReceiptKind,
        scalars::{DateTime, EventCursor},
        users::User,
    },
    Logged,
};

/// What all events about a message have.
pub struct AboutMessage {
    logged: Logged,
    conversation: ConversationId,
    message: MessageId,
    sequence: i64,
}

impl Logged {
    pub fn about(self, conversation: ConversationId, message: MessageId, sequence: i64) -> AboutMessage {
        AboutMessage { logged: self, conversation, message, sequence }
    }
}

impl AboutMessage {
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.logged.user(ctx, self.logged.entry.event.actor).await
    }

    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.logged.conversation(ctx, self.conversation).await
    }

    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        Message::find(ctx, self.message).await
    }
}

pub struct MessageSent(pub AboutMessage);

/// A message was sent.
#[Object]
impl MessageSent {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.logged.at()
    }

    /// Where it was sent.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }

    /// The number of the message in the conversation.
    async fn sequence(&self) -> i64 {
        self.0.sequence
    }

    /// The message as it is now; null if it is there no more for the viewer.
    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        self.0.message(ctx).await
    }
}

pub struct MessageEdited(pub AboutMessage);

/// A message was edited by its sender.
#[Object]
impl MessageEdited {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.logged.at()
    }

    /// Where the message is.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }

    /// The number of the message in the conversation.
    async fn sequence(&self) -> i64 {
        self.0.sequence
    }

    /// The message as it is now; null if it is there no more for the viewer.
    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        self.0.message(ctx).await
    }
}

pub struct MessageDeleted(pub AboutMessage);

/// A message was deleted for everyone; its place in the sequence stays.
#[Object]
impl MessageDeleted {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.logged.at()
    }

    /// Who deleted it.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.actor(ctx).await
    }

    /// Where the message was.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.0.conversation(ctx).await
    }

    /// The number of the message in the conversation.
    async fn sequence(&self) -> i64 {
        self.0.sequence
    }

    /// What is left of the message; null if it was not there for the viewer.
    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        self.0.message(ctx).await
    }
}

pub struct MessageHidden(pub AboutMessage);

/// You have deleted a message for yourself: it is gone from all your devices.
#[Object]
impl MessageHidden {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.logged.at()
    }

    /// The id of the conversation that the message is in.
    async fn conversation_id(&self) -> ID {
        self.0.conversation.to_string().into()
    }

    /// The number of the message in the conversation.
    async fn sequence(&self) -> i64 {
        self.0.sequence
    }

    /// The id that the message had for you.
    async fn message_id(&self) -> ID {
        self.0.message.to_string().into()
    }
}

pub struct MessagesTrimmed {
    logged: Logged,
    conversation: ConversationId,
    range: (i64, i64),
    kept: Vec<i64>,
    step: TrimStep,
}

impl MessagesTrimmed {
    pub fn of(logged: Logged, conversation: ConversationId, range: (i64, i64), kept: Vec<i64>, step: TrimStep) -> Self {
        MessagesTrimmed { logged, conversation, range, kept, step }
    }
}

/// Old messages were taken away from everybody: all of a range but those that were kept. Their numbers are not given to others, and
/// nothing that answers them points to them any more. It comes twice: when they are hidden, and when they are gone for good.
#[Object]
impl MessagesTrimmed {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.logged.at()
    }

    /// Where the messages were.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.logged.conversation(ctx, self.conversation).await
    }

    /// The number of the first of them.
    async fn from_sequence(&self) -> i64 {
        self.range.0
    }

    /// The number of the last of them.
    async fn through_sequence(&self) -> i64 {
        self.range.1
    }

    /// The numbers of those in between that stay as they were.
    async fn kept_sequences(&self) -> &[i64] {
        &self.kept
    }

    /// Whether they are gone for good; if not, nobody sees them, and that comes later.
    async fn is_purged(&self) -> bool {
        self.step == TrimStep::Purge
    }
}

pub struct ReceiptsAdvanced {
    logged: Logged,
    conversation: ConversationId,
    user: UserId,
    kind: words::ReceiptKind,
    up_to: i64,
}

impl ReceiptsAdvanced {
    pub fn of(
        logged: Logged,
        conversation: ConversationId,
        user: UserId,
        kind: words::ReceiptKind,
        up_to: i64,
    ) -> Self {
        ReceiptsAdvanced { logged, conversation, user, kind, up_to }
    }
}

/// Messages have come to somebody's devices, or were read by them: all up to a place in the sequence.
#[Object]
impl ReceiptsAdvanced {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.logged.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.logged.at()
    }

    /// Where the messages are.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        self.logged.conversation(ctx, self.conversation).await
    }

    /// Who has them now. If it is you, it was on one of your devices.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.logged.user(ctx, Some(self.user)).await
    }

    /// What was done with them. What was read has come, too.
    async fn kind(&self) -> ReceiptKind {
        self.kind.into()
    }

    /// The last sequence number that it is true of.
    async fn up_to(&self) -> i64 {
        self.up_to
    }
}
