//! Editing and deleting messages, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{MessageId, messages as words};

use super::{
    super::{
        errors::{UserError, refusals},
        scalars::{DateTime, id},
        scope::Scoped,
    },
    Message,
};
use crate::actions;

pub struct MessageEdit(pub words::MessageEdit);

/// What a message said before it was edited.
#[Object]
impl MessageEdit {
    /// 1 for what was sent, 2 for what it was edited to, and so on.
    async fn number(&self) -> i64 {
        self.0.number
    }

    /// The words that it had.
    async fn body(&self, ctx: &Context<'_>) -> &str {
        if ctx.has_room_for(&self.0.body) { &self.0.body } else { "" }
    }

    /// When it got them.
    async fn written_at(&self) -> DateTime {
        DateTime(self.0.written_at)
    }

    /// When it got others.
    async fn replaced_at(&self) -> DateTime {
        DateTime(self.0.replaced_at)
    }
}

/// Which message is to say something else.
#[derive(InputObject)]
pub struct MessageEditInput {
    /// A message of your own.
    message_id: ID,
    /// What it is to say, by the same rules as when it was sent.
    body: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct MessageEditPayload {
    /// The message as it is now.
    message: Option<Message>,
    /// Why it was not edited.
    errors: Vec<UserError>,
}

/// Which message is to go, and for whom.
#[derive(InputObject)]
pub struct MessageDeleteInput {
    /// The message.
    message_id: ID,
    /// For everyone, which leaves an empty message in its place, or for yourself alone, on all your devices.
    #[graphql(default)]
    for_everyone: bool,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct MessageDeletePayload {
    /// What is left of a message that was deleted for everyone. Of one that was deleted for yourself nothing is.
    message: Option<Message>,
    /// The id of the message that was deleted.
    deleted_message_id: Option<ID>,
    /// Why it was not deleted.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct MessageChanges;

#[Object]
impl MessageChanges {
    /// Puts other words into a message of your own, for as long as the policy lets you. What it said before is kept, and
    /// can be read by all who see the message. The same words change nothing.
    async fn message_edit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message, and what it is to say.")] input: MessageEditInput,
    ) -> Result<Option<MessageEditPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let message: MessageId = id(&input.message_id, "message", "messageId")?;
            actions::messages::edit(ctx.core(), &viewer, message, input.body).await
        };
        let (message, errors) = refusals(outcome.await)?;
        Ok(Some(MessageEditPayload { message: message.map(Message), errors }))
    }

    /// Deletes a message: any for yourself, at any time; your own for everyone, for as long as the policy lets you; those
    /// of others for everyone if you keep the peace in the workspace or run the conversation.
    async fn message_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message, and for whom.")] input: MessageDeleteInput,
    ) -> Result<Option<MessageDeletePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let message: MessageId = id(&input.message_id, "message", "messageId")?;
            if input.for_everyone {
                actions::messages::delete(ctx.core(), &viewer, message).await
            } else {
                actions::messages::hide(ctx.core(), &viewer, message).await
            }
        };
        let (deleted, errors) = refusals(outcome.await)?;
        let deleted_message_id = deleted.as_ref().map(|message| message.id.to_string().into());
        let message = deleted.filter(|_| input.for_everyone).map(Message);
        Ok(Some(MessageDeletePayload { message, deleted_message_id, errors }))
    }
}
