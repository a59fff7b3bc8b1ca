//! An explicit look into a conversation without taking part, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::Conversation;
use crate::{
    actions,
    graphql::{
        errors::{UserError, refusals},
        scalars::id,
        scope::{Scope, Scoped},
    },
};

/// Into which conversation, and why.
#[derive(InputObject)]
pub struct ConversationOverrideInput {
    /// A conversation of the viewer's workspace.
    conversation_id: ID,
    /// Why that is necessary, for the record; at most 500 characters.
    reason: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationOverridePayload {
    /// The conversation, which can be read within this one answer.
    conversation: Option<Conversation>,
    /// Why there is nothing to see.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct OverrideMutation;

#[Object]
impl OverrideMutation {
    /// Looks into a conversation without taking part in it. Nobody in it is told, but it stands in the record who did it and
    /// why, every time. For those who run the workspace; nothing can be followed or changed by it.
    async fn conversation_override(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where to look, and why.")] input: ConversationOverrideInput,
    ) -> Result<Option<ConversationOverridePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::conversations::overriding::overrides(&viewer)?;
            let conversation = id(&input.conversation_id, "conversation", "conversation_id")?;
            actions::conversations::overriding::look_into(ctx.core(), &viewer, conversation, &input.reason).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        if let Some(found) = &conversation {
            // The fields of a mutation are answered one after the other, so that this is for what is asked of this one.
            ctx.data_unchecked::<Scope>().look_into(viewer, found.id);
        }
        Ok(Some(ConversationOverridePayload { conversation: conversation.map(Conversation), errors }))
    }
}
