//! Messages that wait for a moderator, in the API.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{pages::Slice, plugins as words};

use super::{
    conversations::{Conversation, page},
    errors::{UserError, refusals},
    messages::Message,
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
    users::User,
};
use crate::{Error, actions};

/// What was decided about a message that waits. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::HeldState")]
pub enum HeldMessageState {
    /// Nobody has decided yet.
    Waiting,
    /// It was sent.
    Approved,
    /// It was not, and will not be.
    Rejected,
}

pub struct HeldMessage(words::HeldMessage, String);

impl HeldMessage {
    pub fn of(held: words::HeldMessage) -> Result<Self, Error> {
        let body = actions::held::draft(&held)?.body;
        Ok(HeldMessage(held, body))
    }
}

/// A message that a plugin wants people to look at before it is sent. Its sender and those who keep the peace see it.
#[Object]
impl HeldMessage {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Whether anybody has decided.
    async fn state(&self) -> HeldMessageState {
        self.0.state.into()
    }

    /// Who wants to send it.
    async fn sender(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.sender).await?.map(User))
    }

    /// Where it is to be sent; null for who takes no part there.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        Ok(ctx.moment().loaders.conversations.load(self.0.conversation).await?.map(Conversation))
    }

    /// What it says. Nothing where it is encrypted.
    async fn body(&self) -> &str {
        &self.1
    }

    /// Which plugin holds it, by its id.
    async fn plugin(&self) -> String {
        self.0.plugin.to_string()
    }

    /// Why, in the plugin's words.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// When it was to be sent.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When somebody decided.
    async fn decided_at(&self) -> Option<DateTime> {
        self.0.decided_at.map(DateTime)
    }

    /// What whoever decided said to the sender.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// The id that the message has once it is sent; by it `pluginVerdicts` tells what plugins did to it.
    async fn message_id(&self) -> ID {
        self.0.message.to_string().into()
    }

    /// The message that it became.
    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        if self.0.state != words::HeldState::Approved {
            return Ok(None);
        }
        Message::find(ctx, self.0.message).await
    }
}

/// Which message a moderator lets through.
#[derive(InputObject)]
pub struct HeldMessageApproveInput {
    /// Its id.
    held_message_id: ID,
    /// What to say to its sender, at most 500 characters.
    note: Option<String>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct HeldMessageApprovePayload {
    /// The message as it waited, and what became of it.
    held_message: Option<HeldMessage>,
    /// Why it still waits.
    errors: Vec<UserError>,
}

/// Which message a moderator does not let through.
#[derive(InputObject)]
pub struct HeldMessageRejectInput {
    /// Its id.
    held_message_id: ID,
    /// What to say to its sender, at most 500 characters.
    note: Option<String>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct HeldMessageRejectPayload {
    /// The message as it waited, and what became of it.
    held_message: Option<HeldMessage>,
    /// Why it still waits.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct HeldMessageQuery;

#[Object]
impl HeldMessageQuery {
    /// A message that waits or has waited, for its sender and for those who keep the peace; null for others.
    async fn held_message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the message that waits.")] id: ID,
    ) -> Result<Option<HeldMessage>> {
        let viewer = ctx.viewer()?;
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(actions::held::find(ctx.core(), &viewer, id).await?.map(HeldMessage::of).transpose()?)
    }

    /// The messages of the viewer's workspace that wait for somebody to decide, the oldest first. For those who keep the
    /// peace. Give `first` or `last`, from 1 to 100.
    async fn held_messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Those in this state.", default_with = "HeldMessageState::Waiting")] state: HeldMessageState,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<HeldMessage>> {
        let viewer = ctx.viewer()?;
        let page = page(first, after, last, before)?;
        let slice = actions::held::list(ctx.core(), &viewer, state.into(), &page).await?;
        let Slice { items, has_previous, has_next } = slice;
        let items = items.into_iter().map(HeldMessage::of).collect::<Result<_, _>>()?;
        Ok(Connection::of(Slice { items, has_previous, has_next }, |held: &HeldMessage| held.0.id, |held| held))
    }
}

#[derive(Default)]
pub struct HeldMessageMutation;

#[Object]
impl HeldMessageMutation {
    /// Sends a message that waits, at the end of the sequence. For those who keep the peace.
    async fn held_message_approve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: HeldMessageApproveInput,
    ) -> Result<Option<HeldMessageApprovePayload>> {
        let (held_message, errors) = decide(ctx, &input.held_message_id, true, input.note).await?;
        Ok(Some(HeldMessageApprovePayload { held_message, errors }))
    }

    /// Decides that a message that waits will not be sent. For those who keep the peace.
    async fn held_message_reject(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: HeldMessageRejectInput,
    ) -> Result<Option<HeldMessageRejectPayload>> {
        let (held_message, errors) = decide(ctx, &input.held_message_id, false, input.note).await?;
        Ok(Some(HeldMessageRejectPayload { held_message, errors }))
    }
}

async fn decide(
    ctx: &Context<'_>,
    held: &ID,
    approve: bool,
    note: Option<String>,
) -> Result<(Option<HeldMessage>, Vec<UserError>), Error> {
    let viewer = ctx.viewer()?;
    let outcome = async {
        actions::held::moderates(&viewer)?;
        let held = id(held, "held message", "heldMessageId")?;
        actions::held::decide(ctx.core(), &viewer, held, approve, note).await
    };
    let (held, errors) = refusals(outcome.await)?;
    Ok((held.map(HeldMessage::of).transpose()?, errors))
}
