//! Signals in the API: what is true for a moment.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Interface, Object, Result, SimpleObject, Subscription};
use futures_util::Stream;
use jackfield_domain::{
    ConversationId,
    signals::{Signal as Sign, Typing},
};

use super::{
    conversations::Conversation,
    errors::{UserError, refusals},
    live::{Item, Source},
    scalars::{DateTime, id},
    scope::Scoped,
    users::User,
};
use crate::actions;

/// Something that is true for a moment. Signals are not kept, and may be missed.
#[derive(Interface)]
#[graphql(field(name = "at", ty = "DateTime", desc = "When it was."))]
pub enum Signal {
    TypingStarted(TypingStarted),
    TypingStopped(TypingStopped),
}

pub struct TypingStarted(Arc<Sign>, jackfield_domain::Timestamp);

/// Somebody is typing.
#[Object]
impl TypingStarted {
    /// When it was.
    pub async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Who it is.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.user).await?.map(User))
    }

    /// Where.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        Ok(ctx.moment().loaders.conversations.load(self.0.conversation).await?.map(Conversation))
    }

    /// If nothing follows until then, they have stopped.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.1)
    }
}

pub struct TypingStopped(Arc<Sign>);

/// Somebody has stopped typing.
#[Object]
impl TypingStopped {
    /// When it was.
    pub async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Who it is.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.user).await?.map(User))
    }

    /// Where.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        Ok(ctx.moment().loaders.conversations.load(self.0.conversation).await?.map(Conversation))
    }
}

impl Signal {
    /// What the API makes of an item; none for what is no signal.
    fn of(item: Item) -> Option<Signal> {
        let Item::Signal(signal) = item else { return None };
        Some(match signal.typing {
            Typing::Started { until } => TypingStarted(signal, until).into(),
            Typing::Stopped => TypingStopped(signal).into(),
        })
    }
}

/// Which signals.
#[derive(InputObject, Default)]
pub struct SignalsInput {
    /// Only what concerns these conversations, at most 100.
    pub conversation_ids: Option<Vec<ID>>,
}

#[derive(Default)]
pub struct SignalSubscription;

#[Subscription]
impl SignalSubscription {
    /// What is going on in the viewer's conversations: first what stands at this moment, then what changes.
    async fn signals(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which signals; all if left out.")] input: Option<SignalsInput>,
    ) -> impl Stream<Item = Signal> {
        drop(input);
        ctx.data_unchecked::<Source>().items(Signal::of)
    }
}

/// Where somebody types.
#[derive(InputObject)]
pub struct TypingStartInput {
    /// The conversation.
    conversation_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct TypingStartPayload {
    /// Say it again before then, if the typing goes on.
    expires_at: Option<DateTime>,
    /// Why nobody was told.
    errors: Vec<UserError>,
}

/// Where somebody has stopped typing.
#[derive(InputObject)]
pub struct TypingStopInput {
    /// The conversation.
    conversation_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct TypingStopPayload {
    /// Why nobody was told.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct TypingMutation;

#[Object]
impl TypingMutation {
    /// Tells the others in a conversation that the viewer is typing.
    async fn typing_start(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where.")] input: TypingStartInput,
    ) -> Result<Option<TypingStartPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation: ConversationId = id(&input.conversation_id, "conversation", "conversationId")?;
            actions::typing::start(ctx.core(), &viewer, conversation).await
        };
        let (until, errors) = refusals(outcome.await)?;
        Ok(Some(TypingStartPayload { expires_at: until.map(DateTime), errors }))
    }

    /// Tells the others in a conversation that the viewer has stopped typing. Sending a message says so, too.
    async fn typing_stop(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where.")] input: TypingStopInput,
    ) -> Result<Option<TypingStopPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation: ConversationId = id(&input.conversation_id, "conversation", "conversationId")?;
            actions::typing::stop(ctx.core(), &viewer, conversation).await
        };
        let (_, errors) = refusals(outcome.await)?;
        Ok(Some(TypingStopPayload { errors }))
    }
}
