//! Messages in the API.

mod changes;
mod content;

use std::collections::HashSet;

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{
    ConversationId, MessageId, Rejection, UserId, conversations, markdown,
    messages::{self as words, MessageDraft},
    pages::{Direction, Page},
    receipts::{Reach, ReceiptKind, Recipients},
};

use super::{
    composed::MessageFields,
    conversations::{Conversation, page},
    errors::{UserError, refusals},
    held::HeldMessage,
    lean::Lean,
    pages::Connection,
    receipts::{MessageReceipt, MessageStatus},
    scalars::{DateTime, Json, id},
    scope::Scoped,
    users::User,
};
use crate::{
    Error, actions,
    actions::{
        messages::{HistoryStart, Sending},
        receipts::Place,
    },
};

pub use changes::MessageChanges;
use changes::MessageEdit;
use content::{ContentType, Location, LocationInput, MessageType};

#[derive(Clone)]
pub struct Message(pub words::Message);

/// Something that was said.
#[Object]
impl Message {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    #[graphql(flatten)]
    #[expect(clippy::unused_async, reason = "whoever flattens it awaits it")]
    async fn added(&self) -> MessageFields {
        MessageFields::of(self.0.id, Some(self.0.conversation))
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

    /// How far it has come with all whom it is for.
    async fn status(&self, ctx: &Context<'_>) -> Result<MessageStatus> {
        Ok(self.reach(ctx).await?.into())
    }

    /// Whether everybody whom it is for has read it.
    async fn read_by_all(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.reach(ctx).await? == Reach::Read)
    }

    /// What became of it with everybody whom it is for: those who took part when it was sent, without its sender. Give `first` or `last`, from 1
    /// to 100.
    async fn receipts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<MessageReceipt>> {
        self.receipts_of(ctx, Recipients::All, page(first, after, last, before)?).await
    }

    /// Those to whose devices it has come. Give `first` or `last`, from 1 to 100.
    async fn delivered_to(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<MessageReceipt>> {
        let recipients = Recipients::Reached(ReceiptKind::Delivered);
        self.receipts_of(ctx, recipients, page(first, after, last, before)?).await
    }

    /// Those who have read it. Give `first` or `last`, from 1 to 100.
    async fn read_by(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<MessageReceipt>> {
        let recipients = Recipients::Reached(ReceiptKind::Read);
        self.receipts_of(ctx, recipients, page(first, after, last, before)?).await
    }

    /// How the body is to be read.
    async fn content_type(&self) -> ContentType {
        self.0.content.into()
    }

    /// The words, exactly as they were sent; nothing where the message was deleted.
    async fn body(&self, ctx: &Context<'_>) -> &str {
        if ctx.has_room_for(&self.0.body) { &self.0.body } else { "" }
    }

    /// The words as HTML: a subset of Markdown, safe to be shown as it is. Null where the message was deleted, and where
    /// the body is not for the hub to read.
    async fn body_html(&self, ctx: &Context<'_>) -> Option<String> {
        let is_readable = self.0.deleted.is_none() && self.0.content == words::ContentType::Plain;
        is_readable.then(|| markdown::render(&self.0.body)).filter(|html| ctx.has_room_for(html))
    }

    /// The place on earth of a message of type LOCATION.
    async fn location(&self, ctx: &Context<'_>) -> Result<Option<Location>> {
        if self.0.kind != words::MessageKind::Location {
            return Ok(None);
        }
        let details = ctx.moment().loaders.details.load(self.0.id).await?;
        Ok(details.and_then(|details| details.location).map(Location::from))
    }

    /// What the sender's program has put beside the body, for other programs: a JSON object.
    async fn metadata(&self, ctx: &Context<'_>) -> Result<Option<Json>> {
        let details = ctx.moment().loaders.details.load(self.0.id).await?;
        let metadata = details.and_then(|details| details.metadata).filter(|metadata| ctx.has_room_for(metadata));
        let Some(metadata) = metadata else { return Ok(None) };
        Ok(Some(Json(serde_json::from_str(&metadata).map_err(Error::internal)?)))
    }

    /// When it was sent. In a conversation, time never runs backwards.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it got the words that it has now; null where it has those that were sent.
    async fn edited_at(&self) -> Option<DateTime> {
        self.0.edited_at.map(DateTime)
    }

    /// What it said before, the oldest first. Give `first` or `last`, from 1 to 100.
    async fn edits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<MessageEdit>> {
        let page = page::<i64>(first, after, last, before)?;
        let found = actions::messages::edits(ctx.core(), &self.0, &page).await?;
        Ok(Connection::of(found, |edit| edit.number, MessageEdit))
    }

    /// When it was deleted for everyone; null where it was not. What is left then is its place in the sequence.
    async fn deleted_at(&self) -> Option<DateTime> {
        self.0.deleted.map(|deletion| DateTime(deletion.at))
    }

    /// Who deleted it for everyone.
    async fn deleted_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(deletion) = self.0.deleted else { return Ok(None) };
        Ok(ctx.moment().loaders.users.load(deletion.by).await?.map(User))
    }

    /// Who sent it.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Option<Lean<User>>> {
        Ok(ctx.moment().loaders.users.load(self.0.sender).await?.map(|sender| Lean(User(sender))))
    }

    /// Where it was sent.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        Ok(ctx.moment().loaders.conversations.load(self.0.conversation).await?.map(Conversation))
    }

    /// The message that it replies to; null as well where the viewer has deleted that for themselves.
    async fn reply_to(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        let Some(replied_to) = self.0.reply_to else { return Ok(None) };
        Message::find(ctx, replied_to).await
    }

    /// Whom it mentions.
    async fn mentions(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        let moment = ctx.moment();
        let users = moment.loaders.mentioned.load(self.0.id).await?.unwrap_or_default();
        let found = futures_util::future::try_join_all(users.into_iter().map(|user| moment.loaders.users.load(user)));
        Ok(found.await?.into_iter().flatten().map(User).collect())
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
    async fn reach(&self, ctx: &Context<'_>) -> Result<Reach> {
        let reach = ctx.moment().loaders.reach.load(Place::from(&self.0)).await?;
        Ok(reach.unwrap_or(Reach::Sent))
    }

    async fn receipts_of(
        &self,
        ctx: &Context<'_>,
        recipients: Recipients,
        page: Page<UserId>,
    ) -> Result<Connection<MessageReceipt>> {
        let found = actions::receipts::of_message(ctx.core(), &self.0, recipients, &page).await?;
        Ok(Connection::of(found, |receipt| receipt.user, MessageReceipt))
    }

    /// A message, as far as it is there for the reader.
    pub async fn find(ctx: &Context<'_>, id: MessageId) -> Result<Option<Message>> {
        let moment = ctx.moment();
        let found = moment.loaders.messages.load(id).await?;
        Ok(found.inspect(|message| moment.take_notice(message)).map(Message))
    }

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
        ctx.viewer()?;
        let slice = actions::messages::history(ctx.core(), &ctx.moment().reader, conversation, start).await?;
        let asked = ctx.look_ahead();
        if asked.field("nodes").field("sender").exists() || asked.field("edges").field("node").field("sender").exists()
        {
            let senders: HashSet<_> = slice.items.iter().map(|message| message.sender).collect();
            // Before each message asks for its own, and waits. What cannot be loaded now is missed there.
            let _ = ctx.moment().loaders.users.prefetch(senders).await;
        }
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
        Message::find(ctx, id).await
    }

    /// The messages that mention the viewer, in the order in which they were sent. Give `first` or `last`, from 1 to 100.
    async fn mentions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those that the viewer has not read.", default)] unread: bool,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<Message>> {
        let viewer = ctx.viewer()?;
        let page = page::<MessageId>(first, after, last, before)?;
        let slice = actions::messages::mentions(ctx.core(), &viewer, unread, &page).await?;
        Ok(Connection::of(slice, |message| message.id, Message))
    }
}

/// What is to be said.
#[derive(InputObject)]
pub struct MessageSendInput {
    /// Where.
    conversation_id: ID,
    /// What it carries. Types that need a file are refused until there are files, and SYSTEM always.
    #[graphql(name = "type", default_with = "MessageType::Text")]
    kind: MessageType,
    /// How the body is to be read.
    #[graphql(default_with = "ContentType::Plain")]
    content_type: ContentType,
    /// The words, stored exactly as they are given; at most 10,000 characters unless the policy says otherwise. Only a
    /// LOCATION may go without.
    #[graphql(default)]
    body: String,
    /// The place on earth of a LOCATION.
    location: Option<LocationInput>,
    /// What your program has to say to other programs: a JSON object, at most 4,096 bytes unless the policy says
    /// otherwise.
    metadata: Option<Json>,
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
    /// The message as it waits for a moderator, where a plugin wants it so. It is sent once one approves it.
    held: Option<HeldMessage>,
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
            let draft = MessageDraft {
                conversation,
                kind: input.kind.into(),
                content: input.content_type.into(),
                body: input.body,
                location: input.location.map(Into::into),
                metadata: input.metadata.map(|metadata| metadata.0),
                reply_to,
                client_message_id: input.client_message_id,
            };
            actions::messages::send(ctx.core(), &viewer, draft).await
        };
        let (sent, errors) = refusals(outcome.await)?;
        let (message, held) = match sent {
            None => (None, None),
            Some(Sending::Held(held)) => (None, Some(HeldMessage::of(held)?)),
            Some(Sending::Sent(sent)) => {
                if !sent.repeated {
                    // What was stored a moment ago has come to nobody: there is no need to look.
                    ctx.moment().loaders.reach.seed(Place::from(&sent.message), Reach::Sent);
                }
                (Some(Message(sent.message)), None)
            }
        };
        Ok(Some(MessageSendPayload { message, held, errors }))
    }
}
