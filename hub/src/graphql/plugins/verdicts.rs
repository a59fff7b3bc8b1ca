//! What plugins did, in the API.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use jackfield_domain::plugins as words;

use super::{
    super::{
        conversations::Conversation,
        messages::Message,
        scalars::{DateTime, id},
        scope::Scoped,
        users::User,
    },
    named,
};
use crate::Error;

/// What a plugin did to something. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::VerdictKind")]
pub enum PluginVerdictKind {
    /// It changed it.
    Patched,
    /// It refused it, or had to be asked and could not.
    Rejected,
    /// It held it for a moderator.
    Held,
    /// It failed, and its failure policy decided.
    Failed,
    /// It could not be asked, and its failure policy decided.
    PassedOver,
}

/// Which verdicts: those of which all of this is true. What is left out says nothing.
#[expect(clippy::struct_field_names, reason = "they are called so in the API")]
#[derive(InputObject, Default)]
pub struct PluginVerdictFilter {
    /// It was about this message; also about one that was not sent.
    message_id: Option<ID>,
    /// This user wanted it.
    user_id: Option<ID>,
    /// It was about this conversation, or something in it.
    conversation_id: Option<ID>,
    /// This plugin did it.
    plugin_id: Option<ID>,
}

impl PluginVerdictFilter {
    pub fn check(self) -> Result<words::VerdictFilter, Error> {
        Ok(words::VerdictFilter {
            message: self.message_id.as_ref().map(|message| id(message, "message", "messageId")).transpose()?,
            user: self.user_id.as_ref().map(|user| id(user, "user", "userId")).transpose()?,
            conversation: self
                .conversation_id
                .as_ref()
                .map(|conversation| id(conversation, "conversation", "conversationId"))
                .transpose()?,
            plugin: self.plugin_id.as_ref().map(named).transpose()?,
        })
    }
}

pub struct PluginVerdict(pub words::Verdict);

/// What a plugin did to what somebody wanted: a message to be sent, an edit, a deletion, somebody who was to come in, a conversation
/// to be made.
#[Object]
impl PluginVerdict {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Who wanted it.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.user).await?.map(User))
    }

    /// The conversation that it was about; null for who takes no part there, and where it was not made.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        let Some(conversation) = self.0.conversation else { return Ok(None) };
        Ok(ctx.moment().loaders.conversations.load(conversation).await?.map(Conversation))
    }

    /// The message that it was about; null for who does not see it, and where it was not sent.
    async fn message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        match self.0.message {
            Some(message) => Message::find(ctx, message).await,
            None => Ok(None),
        }
    }

    /// The id of that message, or the one that it would have had; null where it was about none.
    async fn message_id(&self) -> Option<ID> {
        self.0.message.map(|message| message.to_string().into())
    }

    /// Which plugin, by its id.
    async fn plugin(&self) -> String {
        self.0.plugin.to_string()
    }

    /// What it was asked, by the name of the hook.
    async fn hook(&self) -> &str {
        self.0.hook.as_str()
    }

    /// What it did.
    async fn kind(&self) -> PluginVerdictKind {
        self.0.kind.into()
    }

    /// The plugin's own code, or how it failed.
    async fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The plugin's own words, or what went wrong; null once the message was deleted for everyone.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }
}
