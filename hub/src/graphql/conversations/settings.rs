//! What the viewer sets for themselves in a conversation, in the API.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use jackfield_domain::conversations::settings::SettingsDraft;

use super::{Conversation, NotificationLevel};
use crate::{
    actions,
    graphql::{
        errors::{UserError, refusals},
        scalars::{DateTime, given, id},
        scope::Scoped,
    },
};

/// What is to change for the viewer alone; what is left out stays as it is.
#[derive(InputObject)]
pub struct ConversationSettingsUpdateInput {
    /// The conversation.
    conversation_id: ID,
    /// Until when it makes no noise: `9999-01-01T00:00:00.000Z` is for good, and null lets it make noise.
    muted_until: MaybeUndefined<DateTime>,
    /// Whether to keep it at hand.
    is_pinned: Option<bool>,
    /// What to be told of.
    notification_level: Option<NotificationLevel>,
    /// What it is to sound like, in words that the clients understand, at most 80 characters; null is as usual.
    sound: MaybeUndefined<String>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationSettingsUpdatePayload {
    /// The conversation, with what is set now.
    conversation: Option<Conversation>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct SettingsMutation;

#[Object]
impl SettingsMutation {
    /// Changes what the viewer has set for themselves in a conversation. Nobody else hears of it.
    async fn conversation_settings_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to change.")] input: ConversationSettingsUpdateInput,
    ) -> Result<Option<ConversationSettingsUpdatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation = id(&input.conversation_id, "conversation", "conversation_id")?;
            let draft = SettingsDraft {
                muted_until: given(input.muted_until).map(|until| until.map(|DateTime(until)| until)),
                is_pinned: input.is_pinned,
                notify: input.notification_level.map(Into::into),
                sound: given(input.sound),
            };
            actions::conversations::settings::update(ctx.core(), &viewer, conversation, draft).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationSettingsUpdatePayload { conversation: conversation.map(Conversation), errors }))
    }
}
