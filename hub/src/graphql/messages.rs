//! Messages in the API.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{
    ConversationId, MessageId, Rejection, conversations,
    messages::{self as words, MessageDraft},
    pages::{Direction, Page},
};

use super::{
    conversations::{Conversation, page},
    errors::{UserError, refusals},
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
    users::User,
};
use crate::{Error, actions, actions::messages::HistoryStart};

/// What a message carries. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::MessageKind")]
pub enum MessageType {
    /// Words.
    Text,
}

/// How far a message has come. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
pub enum MessageStatus {
    /// It is stored and has its place in the sequence.
    Sent,
}

#[derive(Clone)]
pub struct Message(pub words::Message);

/// Something that was said.
#[Object]
impl Message {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its number in the conversation: 1, 2, 3 … without a gap, the same for everyone.
    async fn sequence(&self) -> i64 {
        self.0.sequence
    }

    /// What it carries.
    #[graphql(name = "type")]
    async fn kind(&self) -> MessageType {
        self.0.kind.into()
    }

    /// How far it has come.
    async fn status(&self) -> MessageStatus {
        MessageStatus::Sent
    }

    /// The words, exactly as they were sent.
    async fn body(&self, ctx: &Context<'_>) -> &str {
        if ctx.has_room_for(&self.0.body) { &self.0.body } else { "" }
    }

    /// When it was sent. In a conversation, time never runs backwards.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Who sent it.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.sender).await?.map(User))
    }

    /// Where it was sent.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        Ok(ctx.moment().loaders.conversations.load(self.0.conversation).await?.map(Conversation))
    }

    /// The message that it replies to.
    async fn reply_to(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        let Some(replied_to) = self.0.reply_to else { return Ok(None) };
        Ok(ctx.moment().loaders.messages.load(replied_to).await?.map(Message))
    }
}

/// The arguments of `Conversation.messages`.
pub struct HistoryArguments {
    pub first: Option<i32>,
    pub after: Option<String>,
    pub last: Option<i32>,
    pub before: Option<String>,
    pub around: Option<ID>,
    pub from: Option<DateTime>,
}

impl Message {
    /// A page of the history of a conversation that the reader was shown.
    pub async fn history(
        ctx: &Context<'_>,
        conversation: &conversations::Conversation,
        arguments: HistoryArguments,
    ) -> Result<Connection<Message>> {
        let HistoryArguments { first, after, last, before, around, from } = arguments;
        let page: Page<i64> = page(first, after, last, before)?;
        let plain = page.direction == Direction::Forward && page.from.is_none();
        let invalid = |field, expected| Error::from(Rejection::Invalid { field, expected });
        let start = match (around, from) {
            (None, None) => HistoryStart::Page(page),
            (Some(_), Some(_)) => return Err(invalid("around", "used without from").into()),
            (Some(_), None) if !plain => return Err(invalid("around", "used with first alone").into()),
            (None, Some(_)) if !plain => return Err(invalid("from", "used with first alone").into()),
            (None, Some(from)) => HistoryStart::From { moment: from.0, size: page.size },
            (Some(around), None) => {
                let message: MessageId = id(&around, "message in this conversation", "around").map_err(Error::from)?;
                let found = ctx.moment().loaders.messages.load(message).await?;
                let found = found.filter(|message| message.conversation == conversation.id).ok_or_else(|| {
                    Error::from(Rejection::NotFound { what: "message in this conversation", field: "around" })
                })?;
                HistoryStart::Around { sequence: found.sequence, size: page.size }
            }
        };
        let slice = actions::messages::history(ctx.core(), conversation, start).await?;
        Ok(Connection::of(slice, |message| message.sequence, Message))
    }
}

#[derive(Default)]
pub struct MessageQuery;

#[Object]
impl MessageQuery {
    /// One message; null if there is no such one, or the viewer takes no part in its conversation.
    async fn message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the message.")] id: ID,
    ) -> Result<Option<Message>> {
        ctx.viewer()?;
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(ctx.moment().loaders.messages.load(id).await?.map(Message))
    }
}

/// What is to be said.
#[derive(InputObject)]
pub struct MessageSendInput {
    /// Where.
    conversation_id: ID,
    /// The words, stored exactly as they are given; at most 10,000 characters unless the policy says otherwise.
    body: String,
    /// The message of the same conversation that this one replies to.
    reply_to_id: Option<ID>,
    /// Your own name for this message, at most 128 characters: saying it again with the same words sends nothing and
    /// answers the first message, so that a send whose answer was lost can be repeated safely.
    client_message_id: Option<String>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct MessageSendPayload {
    /// The message, which is stored.
    message: Option<Message>,
    /// Why there is none.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct MessageMutation;

#[Object]
impl MessageMutation {
    /// Says something. When the answer comes, the message is stored and will not be lost.
    async fn message_send(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be said, and where.")] input: MessageSendInput,
    ) -> Result<Option<MessageSendPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation: ConversationId = id(&input.conversation_id, "conversation", "conversationId")?;
            let reply_to = input
                .reply_to_id
                .as_ref()
                .map(|message| id(message, "message in this conversation", "replyToId"))
                .transpose()?;
            let draft =
                MessageDraft { conversation, body: input.body, reply_to, client_message_id: input.client_message_id };
            actions::messages::send(ctx.core(), &viewer, draft).await
        };
        let (sent, errors) = refusals(outcome.await)?;
        Ok(Some(MessageSendPayload { message: sent.map(|sent| Message(sent.message)), errors }))
    }
}
