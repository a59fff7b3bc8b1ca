//! Receipts and what is unread, in the API.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{ConversationId, MessageId, Rejection, receipts as words};

use super::{
    conversations::Conversation,
    errors::{UserError, refusals},
    scalars::{DateTime, id},
    scope::{Scoped, present},
    users::User,
};
use crate::{Error, actions, actions::receipts::AllUnread};

/// What somebody has done with messages. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::ReceiptKind")]
pub enum ReceiptKind {
    /// They have come to one of the user's devices.
    Delivered,
    /// The user has read them.
    Read,
}

/// How far a message has come with all whom it is for. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::Reach")]
pub enum MessageStatus {
    /// It is stored and has its place in the sequence.
    Sent,
    /// It has come to everybody whom it is for.
    Delivered,
    /// Everybody whom it is for has read it.
    Read,
}

pub struct MessageReceipt(pub words::Receipt);

/// What became of a message with one of those whom it is for.
#[Object]
impl MessageReceipt {
    /// With whom.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        Ok(User(present(ctx.moment().loaders.users.load(self.0.user).await?, "user")?))
    }

    /// When it came to one of their devices; null if it has not.
    async fn delivered_at(&self) -> Option<DateTime> {
        self.0.delivered_at.map(DateTime)
    }

    /// When they read it; null if they have not.
    async fn read_at(&self) -> Option<DateTime> {
        self.0.read_at.map(DateTime)
    }
}

/// At most so many messages are marked at once.
const MOST: usize = 100;

/// Which messages have come to a device.
#[derive(InputObject)]
pub struct MessagesMarkDeliveredInput {
    /// The messages, at most 100; all before them have come as well.
    message_ids: Vec<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct MessagesMarkDeliveredPayload {
    /// How many messages of others had not been marked so before.
    marked_count: Option<u64>,
    /// Why nothing was marked.
    errors: Vec<UserError>,
}

/// Which messages were read.
#[derive(InputObject)]
pub struct MessagesMarkReadInput {
    /// The messages, at most 100; all before them in their conversations are read as well.
    message_ids: Vec<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct MessagesMarkReadPayload {
    /// How many messages of others had not been marked so before.
    marked_count: Option<u64>,
    /// Why nothing was marked.
    errors: Vec<UserError>,
}

/// How far a conversation was read.
#[derive(InputObject)]
pub struct ConversationMarkReadInput {
    /// The conversation.
    conversation_id: ID,
    /// The sequence number of the last message that was read; all of them if left out.
    up_to: Option<i64>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationMarkReadPayload {
    /// How many messages of others had not been marked so before.
    marked_count: Option<u64>,
    /// The conversation as it is now.
    conversation: Option<Conversation>,
    /// Why nothing was marked.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct ReceiptMutation;

#[Object]
impl ReceiptMutation {
    /// Says that messages have come to one of the viewer's devices, with all that came before them.
    async fn messages_mark_delivered(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which messages.")] input: MessagesMarkDeliveredInput,
    ) -> Result<Option<MessagesMarkDeliveredPayload>> {
        let (marked_count, errors) = mark(ctx, words::ReceiptKind::Delivered, &input.message_ids).await?;
        Ok(Some(MessagesMarkDeliveredPayload { marked_count, errors }))
    }

    /// Says that the viewer has read messages, with all that came before them in their conversations.
    async fn messages_mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which messages.")] input: MessagesMarkReadInput,
    ) -> Result<Option<MessagesMarkReadPayload>> {
        let (marked_count, errors) = mark(ctx, words::ReceiptKind::Read, &input.message_ids).await?;
        Ok(Some(MessagesMarkReadPayload { marked_count, errors }))
    }

    /// Says that the viewer has read a conversation, up to a message or all of it.
    async fn conversation_mark_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which conversation, and how far.")] input: ConversationMarkReadInput,
    ) -> Result<Option<ConversationMarkReadPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation: ConversationId = id(&input.conversation_id, "conversation", "conversationId")?;
            let marked = actions::receipts::mark_read_up_to(ctx.core(), &viewer, conversation, input.up_to).await?;
            let conversation = ctx.moment().loaders.conversations.load(conversation).await?;
            Ok((marked, conversation.map(Conversation)))
        };
        let (done, errors) = refusals(outcome.await)?;
        let (marked_count, conversation) = done.map_or((None, None), |(marked, found)| (Some(marked), found));
        Ok(Some(ConversationMarkReadPayload { marked_count, conversation, errors }))
    }
}

async fn mark(ctx: &Context<'_>, kind: words::ReceiptKind, ids: &[ID]) -> Result<(Option<u64>, Vec<UserError>), Error> {
    let viewer = ctx.viewer()?;
    if ids.len() > MOST {
        return refusals(Err(Rejection::Invalid { field: "messageIds", expected: "at most 100" }.into()));
    }
    // A text that is no id names nothing that there is, and is passed over like anything else that is not there.
    let messages: Vec<MessageId> = ids.iter().filter_map(|id| id.parse().ok()).collect();
    refusals(actions::receipts::mark(ctx.core(), &viewer, kind, &messages).await)
}

pub struct UnreadCounts(AllUnread);

/// What is new to the viewer: messages of others that came after what the viewer has read.
#[Object]
impl UnreadCounts {
    /// How many messages are new, in all conversations together.
    async fn total(&self) -> i64 {
        self.0.conversations.iter().map(|unread| unread.count).sum()
    }

    /// In how many conversations there is something new.
    async fn conversation_count(&self) -> usize {
        self.0.conversations.len()
    }

    /// Whether everything was counted: no more than the thousand conversations that were last active are.
    async fn is_complete(&self) -> bool {
        self.0.is_complete
    }

    /// Where there is something new, the last active first.
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many of them, from 1 to 100.")] first: i32,
    ) -> Result<Vec<UnreadCount>> {
        let Some(size) = usize::try_from(first).ok().filter(|size| (1..=MOST).contains(size)) else {
            return Err(Error::from(Rejection::Invalid { field: "first", expected: "from 1 to 100" }).into());
        };
        let moment = ctx.moment();
        let some = &self.0.conversations[..size.min(self.0.conversations.len())];
        let found = some.iter().map(|unread| moment.loaders.conversations.load(unread.conversation));
        let found = futures_util::future::try_join_all(found).await?;
        let counts = found.into_iter().zip(some).filter_map(|(conversation, unread)| {
            // Who has left in this very moment has nothing that is new there.
            Some(UnreadCount { conversation: Conversation(conversation?), count: unread.count })
        });
        Ok(counts.collect())
    }
}

/// What is new to the viewer in one conversation.
#[derive(SimpleObject)]
pub struct UnreadCount {
    /// Where.
    conversation: Conversation,
    /// How many messages.
    count: i64,
}

#[derive(Default)]
pub struct UnreadQuery;

#[Object]
impl UnreadQuery {
    /// What is new to the viewer. `MessageSent` and `ReceiptsAdvanced` say when it changes.
    async fn unread_counts(&self, ctx: &Context<'_>) -> Result<UnreadCounts> {
        let viewer = ctx.viewer()?;
        Ok(UnreadCounts(actions::receipts::all_unread(ctx.core(), &viewer).await?))
    }
}
