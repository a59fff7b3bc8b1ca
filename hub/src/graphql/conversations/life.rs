//! What becomes of a conversation itself, in the API.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use jackfield_domain::conversations::life::ConversationChanges;

use super::{
    super::{
        errors::{UserError, refusals},
        scalars::{given, id},
        scope::Scoped,
    },
    Conversation, ConversationHistory, ConversationVisibility,
};
use crate::actions;

/// What of a conversation is to change; what is left out stays as it is.
#[derive(InputObject)]
pub struct ConversationUpdateInput {
    /// Which conversation.
    conversation_id: ID,
    /// Its title, at most 120 characters. A group keeps one.
    title: MaybeUndefined<String>,
    /// What it is about, at most 1,000 characters; null takes it away.
    description: MaybeUndefined<String>,
    /// The address of a picture, at most 2000 characters; null takes it away.
    avatar_url: MaybeUndefined<String>,
    /// Who can find it. Only groups can be public.
    visibility: Option<ConversationVisibility>,
    /// What those who come from now on see of what was said before. It changes nothing for those who are there.
    history: Option<ConversationHistory>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationUpdatePayload {
    /// The conversation as it is now.
    conversation: Option<Conversation>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

/// What is to be put away.
#[derive(InputObject)]
pub struct ConversationArchiveInput {
    /// Which conversation.
    conversation_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationArchivePayload {
    /// The conversation as it is now.
    conversation: Option<Conversation>,
    /// Why it goes on.
    errors: Vec<UserError>,
}

/// What is to be taken up again.
#[derive(InputObject)]
pub struct ConversationReopenInput {
    /// Which conversation.
    conversation_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationReopenPayload {
    /// The conversation as it is now.
    conversation: Option<Conversation>,
    /// Why it stays as it is.
    errors: Vec<UserError>,
}

/// What is to be deleted.
#[derive(InputObject)]
pub struct ConversationDeleteInput {
    /// Which group.
    conversation_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationDeletePayload {
    /// The id that the group had.
    deleted_conversation_id: Option<ID>,
    /// Why it stays.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct ConversationLife;

#[Object]
impl ConversationLife {
    /// Changes the title of a conversation, or something else of its own. For its owners and admins.
    async fn conversation_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which conversation, and what is to change.")] input: ConversationUpdateInput,
    ) -> Result<Option<ConversationUpdatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation = id(&input.conversation_id, "conversation", "conversationId")?;
            let changes = ConversationChanges {
                title: given(input.title),
                description: given(input.description),
                avatar_url: given(input.avatar_url),
                visibility: input.visibility.map(Into::into),
                history: input.history.map(Into::into),
            };
            actions::conversations::life::update(ctx.core(), &viewer, conversation, changes).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationUpdatePayload { conversation: conversation.map(Conversation), errors }))
    }

    /// Puts a conversation away: it takes no more messages and can still be read. A group by its owners and admins, a direct
    /// conversation by either of the two. One that was put away stays so.
    async fn conversation_archive(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which conversation.")] input: ConversationArchiveInput,
    ) -> Result<Option<ConversationArchivePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation = id(&input.conversation_id, "conversation", "conversationId")?;
            actions::conversations::life::archive(ctx.core(), &viewer, conversation).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationArchivePayload { conversation: conversation.map(Conversation), errors }))
    }

    /// Takes a conversation up again that was put away. By those who may put it away; a support conversation by who opened
    /// it, or by those who give support.
    async fn conversation_reopen(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which conversation.")] input: ConversationReopenInput,
    ) -> Result<Option<ConversationReopenPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation = id(&input.conversation_id, "conversation", "conversationId")?;
            actions::conversations::life::reopen(ctx.core(), &viewer, conversation).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationReopenPayload { conversation: conversation.map(Conversation), errors }))
    }

    /// Deletes a group, with all that was said in it, for everybody and for good. For its owners, unless the policy keeps
    /// conversations. Its members hear `ConversationLeft`.
    async fn conversation_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which group.")] input: ConversationDeleteInput,
    ) -> Result<Option<ConversationDeletePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation = id(&input.conversation_id, "conversation", "conversationId")?;
            actions::conversations::life::delete(ctx.core(), &viewer, conversation).await
        };
        let (done, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationDeletePayload { deleted_conversation_id: done.map(|()| input.conversation_id), errors }))
    }
}
