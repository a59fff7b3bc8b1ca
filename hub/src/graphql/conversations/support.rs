//! Support conversations in the API: as those who give support see them, be it that they take part or not.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{
    ConversationId,
    conversations::{self as words, support},
};

use super::{Conversation, ConversationStatus, page};
use crate::{
    actions,
    graphql::{
        errors::{UserError, refusals},
        pages::Connection,
        scalars::{DateTime, id},
        scope::Scoped,
        users::User,
    },
};

/// Which of the support conversations of a workspace. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "support::SupportFilter")]
pub enum SupportFilter {
    /// Those that go on.
    Open,
    /// Those that go on and that nobody has taken.
    Unassigned,
    /// Those that go on and that the viewer has taken.
    Mine,
    /// Those that were resolved.
    Resolved,
}

pub struct SupportRequest(pub words::Conversation);

/// That somebody asks for support, and how it stands; not what they say.
#[Object]
impl SupportRequest {
    /// The id of the conversation.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What it is about, where they gave it a title.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// Who asks.
    async fn opener(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.creator).await?.map(User))
    }

    /// Since when.
    async fn opened_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When something was last said.
    async fn last_activity_at(&self) -> DateTime {
        DateTime(self.0.last_activity_at)
    }

    /// ACTIVE while it goes on, ARCHIVED once it is resolved.
    async fn status(&self) -> ConversationStatus {
        self.0.status.into()
    }

    /// When it was resolved; null while it goes on.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime)
    }

    /// Who has taken it.
    async fn assignee(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(assignee) = self.0.assignee else { return Ok(None) };
        Ok(ctx.moment().loaders.users.load(assignee).await?.map(User))
    }

    /// The conversation itself; null for who takes no part in it.
    async fn conversation(&self, ctx: &Context<'_>) -> Result<Option<Conversation>> {
        Ok(ctx.moment().loaders.conversations.load(self.0.id).await?.map(Conversation))
    }
}

#[derive(Default)]
pub struct SupportQuery;

#[Object]
impl SupportQuery {
    /// Who asks for support in the viewer's workspace, whoever has asked first before the others. For those who give
    /// support: owners, admins and moderators. Give `first` or `last`, from 1 to 100.
    async fn support_conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.", default_with = "SupportFilter::Open")] filter: SupportFilter,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<SupportRequest>> {
        let viewer = ctx.viewer()?;
        let page = page::<ConversationId>(first, after, last, before)?;
        let slice = actions::conversations::support::list(ctx.core(), &viewer, filter.into(), &page).await?;
        Ok(Connection::of(slice, |found| found.id, SupportRequest))
    }
}

/// Who is to take what.
#[derive(InputObject)]
pub struct ConversationAssignInput {
    /// A support conversation of the viewer's workspace.
    conversation_id: ID,
    /// Who is to take it: the viewer, or somebody else who gives support. Null puts it back into the queue.
    assignee_id: Option<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationAssignPayload {
    /// How it stands now.
    request: Option<SupportRequest>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

/// What is done.
#[derive(InputObject)]
pub struct ConversationResolveInput {
    /// A support conversation.
    conversation_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationResolvePayload {
    /// How it stands now.
    request: Option<SupportRequest>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct SupportMutation;

#[Object]
impl SupportMutation {
    /// Gives a support conversation to somebody, who takes part in it from then on as an ADMIN and sees all that was said;
    /// or puts it back into the queue. Whoever had it before goes on taking part until they leave. For those who give
    /// support.
    async fn conversation_assign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to take what.")] input: ConversationAssignInput,
    ) -> Result<Option<ConversationAssignPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::conversations::support::gives_support(&viewer)?;
            let conversation = id(&input.conversation_id, "support conversation", "conversation_id")?;
            let assignee =
                input.assignee_id.as_ref().map(|assignee| id(assignee, "user", "assignee_id")).transpose()?;
            actions::conversations::support::assign(ctx.core(), &viewer, conversation, assignee).await
        };
        let (request, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationAssignPayload { request: request.map(SupportRequest), errors }))
    }

    /// Says that a support conversation has come to its end: it is ARCHIVED. For who opened it, who has taken it, and those
    /// who give support.
    async fn conversation_resolve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is done.")] input: ConversationResolveInput,
    ) -> Result<Option<ConversationResolvePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation = id(&input.conversation_id, "support conversation", "conversation_id")?;
            actions::conversations::support::resolve(ctx.core(), &viewer, conversation).await
        };
        let (request, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationResolvePayload { request: request.map(SupportRequest), errors }))
    }
}
