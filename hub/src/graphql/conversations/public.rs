//! The groups that everybody in the workspace finds, in the API. Who takes no part sees no more of them than this.

use async_graphql::{Context, ID, Object, Result};
use jackfield_domain::{ConversationId, conversations as words};

use super::{
    super::{pages::Connection, scalars::DateTime, scope::Scoped},
    Conversation, page,
};
use crate::actions::{self, users::Found};

#[derive(Clone)]
pub struct PublicConversation(words::Conversation);

/// A group that everybody in the workspace finds and may join.
#[Object]
impl PublicConversation {
    /// Its id, for `conversationJoin`.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// Its title.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// What it is about, in a few sentences.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Its picture.
    async fn avatar_url(&self) -> Option<&str> {
        self.0.avatar_url.as_deref()
    }

    /// How many people take part.
    async fn member_count(&self) -> usize {
        self.0.member_count
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// All of it, if the viewer takes part; null if they do not.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        ctx.viewer()?;
        Ok(ctx.moment().loaders.conversations.load(self.0.id).await?.map(Conversation))
    }
}

#[derive(Default)]
pub struct PublicConversationQuery;

#[Object]
impl PublicConversationQuery {
    /// The groups of the viewer's workspace that are public and go on, the oldest first; or those that were searched for, by
    /// their words. Give `first` or `last`, from 1 to 100.
    async fn public_conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those whose titles have words that begin like all of these.")] search: Option<String>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<PublicConversation>> {
        let viewer = ctx.viewer()?;
        let Some(search) = search else {
            let page = page::<ConversationId>(first, after, last, before)?;
            let slice = actions::conversations::public::list(ctx.core(), &viewer, &page).await?;
            return Ok(Connection::of(slice, |found| found.id, PublicConversation));
        };
        let page = page::<Found>(first, after, last, before)?;
        let slice = actions::conversations::public::search(ctx.core(), &viewer, &search, &page).await?;
        Ok(Connection::of(slice, |(found, _)| found.clone(), |(_, found)| PublicConversation(found)))
    }
}
