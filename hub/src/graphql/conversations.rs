//! Conversations in the API.

mod filter;
pub mod invitations;
pub mod life;
pub mod membership;
mod overriding;
pub mod public;
mod settings;
mod support;

pub use overriding::OverrideMutation;
pub use settings::SettingsMutation;
pub use support::{SupportMutation, SupportQuery};

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{
    ConversationId, Rejection, UserId,
    conversations::{self as words, ActivityKey, ConversationDraft},
    pages::Page,
};

use invitations::ConversationInvitation;

use super::{
    composed::ConversationFields,
    errors::{UserError, refusals},
    messages::{HistoryArguments, Message},
    pages::Connection,
    scalars::{DateTime, cursor, id},
    scope::{Scoped, present},
    users::User,
};
use crate::{Error, actions};

/// What a conversation is for. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::ConversationKind")]
pub enum ConversationType {
    /// Between two people; there is one per pair and context.
    Direct,
    /// Between any number of people, up to the policy.
    Group,
    /// Between somebody who needs help and those who give it.
    Support,
}

/// Whether a conversation goes on. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::ConversationStatus")]
pub enum ConversationStatus {
    /// Takes messages.
    Active,
    /// Put away by hand, or resolved; can be read.
    Archived,
    /// Put away because nobody had said anything for long; can be read.
    AutoArchived,
    /// Between two of whom one wants nothing to do with the other; can be read.
    Blocked,
}

/// Who can find a conversation. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::Visibility")]
pub enum ConversationVisibility {
    /// Those who take part.
    Private,
    /// Everybody in the workspace, who may also join.
    Public,
}

/// What those who come later see of what was said before. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::History")]
pub enum ConversationHistory {
    /// All of it.
    Full,
    /// Nothing.
    FromJoin,
}

/// What somebody wants to be told of in a conversation. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::Notify")]
pub enum NotificationLevel {
    /// Every message.
    All,
    /// Where they are mentioned.
    Mentions,
    /// Nothing.
    Nothing,
}

/// What the viewer has set for themselves in a conversation.
#[derive(SimpleObject)]
pub struct ConversationSettings {
    /// Until when it makes no noise; null, or a moment that is over, where it does.
    muted_until: Option<DateTime>,
    /// Whether it is kept at hand.
    is_pinned: bool,
    /// What the viewer wants to be told of.
    notification_level: NotificationLevel,
    /// What it sounds like, in words that the clients understand.
    sound: Option<String>,
}

impl From<words::Settings> for ConversationSettings {
    fn from(settings: words::Settings) -> Self {
        ConversationSettings {
            muted_until: settings.muted_until.map(DateTime),
            is_pinned: settings.is_pinned,
            notification_level: settings.notify.into(),
            sound: settings.sound,
        }
    }
}

/// What a user is in one conversation. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "jackfield_domain::ConversationRole")]
pub enum ConversationRole {
    /// Made the conversation, or was handed it.
    Owner,
    /// Runs the conversation.
    Admin,
    /// Takes part.
    Member,
}

/// The thing outside of the hub that a conversation is about, such as `booking` `42`.
#[derive(SimpleObject)]
pub struct ConversationContext {
    /// What kind of thing it is.
    #[graphql(name = "type")]
    kind: String,
    /// Which one.
    id: String,
}

#[derive(Clone)]
pub struct Conversation(pub words::Conversation);

/// A conversation that the viewer takes part in.
#[Object]
impl Conversation {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    #[graphql(flatten)]
    #[expect(clippy::unused_async, reason = "whoever flattens it awaits it")]
    async fn added(&self) -> ConversationFields {
        ConversationFields::of(self.0.id, Some(self.0.id))
    }

    /// What it is for.
    #[graphql(name = "type")]
    async fn kind(&self) -> ConversationType {
        self.0.kind.into()
    }

    /// Whether it goes on.
    async fn status(&self) -> ConversationStatus {
        self.0.status.into()
    }

    /// Who can find it.
    async fn visibility(&self) -> ConversationVisibility {
        self.0.visibility.into()
    }

    /// What those who come later see of what was said before.
    async fn history(&self) -> ConversationHistory {
        self.0.history.into()
    }

    /// The title of a group; a direct conversation has none.
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

    /// The thing outside of the hub that it is about.
    async fn context(&self) -> Option<ConversationContext> {
        self.0.context.clone().map(|context| ConversationContext { kind: context.kind, id: context.id })
    }

    /// Who made it.
    async fn creator(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.creator).await?.map(User))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// Who has taken this support conversation.
    async fn assignee(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(assignee) = self.0.assignee else { return Ok(None) };
        Ok(ctx.moment().loaders.users.load(assignee).await?.map(User))
    }

    /// When it was put away or resolved; null while it goes on.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime)
    }

    /// When something was last said in it.
    async fn last_activity_at(&self) -> DateTime {
        DateTime(self.0.last_activity_at)
    }

    /// The sequence number of its last message; 0 before the first one.
    async fn last_sequence(&self) -> i64 {
        self.0.last_sequence
    }

    /// How many messages there have been in it.
    async fn message_count(&self) -> i64 {
        self.0.last_sequence
    }

    /// Its last message, as the viewer sees it; null before the first one.
    async fn last_message(&self, ctx: &Context<'_>) -> Result<Option<Message>> {
        ctx.viewer()?;
        Ok(ctx.moment().loaders.last_messages.load(self.0.id).await?.map(Message))
    }

    /// How many messages of others came after what the viewer has read.
    async fn unread_count(&self, ctx: &Context<'_>) -> Result<i64> {
        ctx.viewer()?;
        Ok(ctx.moment().loaders.unread.load(self.0.id).await?.unwrap_or_default())
    }

    /// How many messages that mention the viewer came after what they have read.
    async fn unread_mention_count(&self, ctx: &Context<'_>) -> Result<i64> {
        ctx.viewer()?;
        Ok(ctx.moment().loaders.unread_mentions.load(self.0.id).await?.unwrap_or_default())
    }

    /// How many people take part.
    async fn member_count(&self) -> usize {
        self.0.member_count
    }

    /// What the viewer is in it.
    async fn viewer_role(&self, ctx: &Context<'_>) -> Result<Option<ConversationRole>> {
        ctx.viewer()?;
        Ok(ctx.moment().loaders.parts.load(self.0.id).await?.map(|part| part.role.into()))
    }

    /// What the viewer has set for themselves in it.
    async fn viewer_settings(&self, ctx: &Context<'_>) -> Result<Option<ConversationSettings>> {
        ctx.viewer()?;
        Ok(ctx.moment().loaders.parts.load(self.0.id).await?.map(|part| part.settings.into()))
    }

    /// Who takes part. Give `first` or `last`, from 1 to 100.
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<ConversationMember>> {
        let page = page::<UserId>(first, after, last, before)?;
        let members = actions::conversations::members(ctx.core(), &self.0, &page).await?;
        Ok(Connection::of(members, |member| member.user, ConversationMember))
    }

    /// What was said, in the order of the sequence. Give `first` or `last`, from 1 to 100; `first` may begin around a
    /// message or from a moment on.
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
        #[graphql(desc = "With `first`: a page with this message in its middle.")] around: Option<ID>,
        #[graphql(desc = "With `first`: begin with what was sent at this moment or later.")] from: Option<DateTime>,
    ) -> Result<Connection<Message>> {
        let arguments = HistoryArguments { first, after, last, before, around, from };
        Message::history(ctx, &self.0, arguments).await
    }

    /// The invitations to it, the oldest first; null unless the viewer manages its members. Give `first` or `last`, from 1
    /// to 100.
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Option<Connection<ConversationInvitation>>> {
        let viewer = ctx.viewer()?;
        let page = page(first, after, last, before)?;
        let found = actions::conversations::invitations::list(ctx.core(), &viewer, &self.0, &page).await?;
        Ok(found.map(|slice| Connection::of(slice, |invitation| invitation.id, ConversationInvitation)))
    }

    /// Who is typing right now, as far as this node has heard.
    async fn typing(&self, ctx: &Context<'_>) -> Result<Vec<User>> {
        let users = actions::typing::now(ctx.core(), self.0.id);
        let moment = ctx.moment();
        let found = futures_util::future::try_join_all(users.into_iter().map(|user| moment.loaders.users.load(user)));
        Ok(found.await?.into_iter().flatten().map(User).collect())
    }
}

#[derive(Clone)]
pub struct ConversationMember(pub words::Member);

/// Somebody's part in a conversation.
#[Object]
impl ConversationMember {
    /// Who it is.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        Ok(User(present(ctx.moment().loaders.users.load(self.0.user).await?, "user")?))
    }

    /// What they are in the conversation.
    async fn role(&self) -> ConversationRole {
        self.0.role.into()
    }

    /// Since when.
    async fn joined_at(&self) -> DateTime {
        DateTime(self.0.joined_at)
    }

    /// Everything up to this sequence number has come to one of their devices.
    async fn delivered_up_to(&self) -> i64 {
        self.0.pointers.delivered
    }

    /// They have read everything up to this sequence number.
    async fn read_up_to(&self) -> i64 {
        self.0.pointers.read
    }
}

#[derive(Default)]
pub struct ConversationQuery;

#[Object]
impl ConversationQuery {
    /// One conversation; null if there is no such one, or the viewer takes no part in it.
    async fn conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the conversation.")] id: ID,
    ) -> Result<Option<Conversation>> {
        ctx.viewer()?;
        let Ok(id) = id.parse() else { return Ok(None) };
        Ok(ctx.moment().loaders.conversations.load(id).await?.map(Conversation))
    }

    /// The viewer's conversations, the last active first. Give `first` or `last`, from 1 to 100; 20 is what fits a screen.
    async fn conversations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; all if left out.")] filter: Option<filter::ConversationsFilter>,
        #[graphql(desc = "So many from the beginning, or from behind `after`.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or from before `before`.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<Conversation>> {
        let viewer = ctx.viewer()?;
        let page = page::<ActivityKey>(first, after, last, before)?;
        let found = actions::conversations::list(ctx.core(), &viewer, filter.unwrap_or_default().into(), &page).await?;
        let key = |found: &words::Conversation| ActivityKey { last_activity_at: found.last_activity_at, id: found.id };
        Ok(Connection::of(found, key, Conversation))
    }
}

/// What kind of thing outside of the hub a conversation is about, and which one.
#[derive(InputObject)]
pub struct ConversationContextInput {
    /// What kind of thing it is, at most 40 characters.
    #[graphql(name = "type")]
    kind: String,
    /// Which one, at most 120 characters.
    id: String,
}

/// What a new conversation is to be.
#[derive(InputObject)]
pub struct ConversationCreateInput {
    /// What it is for.
    #[graphql(name = "type")]
    kind: ConversationType,
    /// The title of a group, at most 120 characters; a support conversation may do without, a direct one has none.
    title: Option<String>,
    /// What it is about, at most 1,000 characters.
    description: Option<String>,
    /// The address of a picture, at most 2000 characters.
    avatar_url: Option<String>,
    /// Who can find it. Only groups can be public.
    #[graphql(default_with = "ConversationVisibility::Private")]
    visibility: ConversationVisibility,
    /// What those who come later see of what was said before.
    #[graphql(default_with = "ConversationHistory::Full")]
    history: ConversationHistory,
    /// The thing outside of the hub that it is about. A pair has one direct conversation for each.
    context: Option<ConversationContextInput>,
    /// Who takes part, beside the viewer: one user for a direct conversation, any number up to the policy for a group, and
    /// nobody for a support conversation, which those who give support find in their queue.
    member_ids: Vec<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationCreatePayload {
    /// The conversation: a new one, or the direct one that the pair had already.
    conversation: Option<Conversation>,
    /// Why there is none.
    errors: Vec<UserError>,
}

/// Who is to take part in a group.
#[derive(InputObject)]
pub struct ConversationMemberAddInput {
    /// The group.
    conversation_id: ID,
    /// Who is to be added. Either all of them are, or none is.
    member_ids: Vec<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationMemberAddPayload {
    /// The group with its new members.
    conversation: Option<Conversation>,
    /// Why nobody was added.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct ConversationMutation;

#[Object]
impl ConversationMutation {
    /// Makes a group, finds or makes the direct conversation of two people, or asks for support.
    async fn conversation_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: ConversationCreateInput,
    ) -> Result<Option<ConversationCreatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let draft = ConversationDraft {
                kind: input.kind.into(),
                title: input.title,
                description: input.description,
                avatar_url: input.avatar_url,
                visibility: input.visibility.into(),
                history: input.history.into(),
                context: input.context.map(|context| words::Context { kind: context.kind, id: context.id }),
                members: users(&input.member_ids)?,
            };
            actions::conversations::create(ctx.core(), &viewer, draft).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationCreatePayload { conversation: conversation.map(Conversation), errors }))
    }

    /// Adds people to a group. For its owners and admins.
    async fn conversation_member_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to be added, and where.")] input: ConversationMemberAddInput,
    ) -> Result<Option<ConversationMemberAddPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation: ConversationId = id(&input.conversation_id, "conversation", "conversationId")?;
            let members = users(&input.member_ids)?;
            actions::conversations::add_members(ctx.core(), &viewer, conversation, members).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationMemberAddPayload { conversation: conversation.map(Conversation), errors }))
    }
}

fn users(ids: &[ID]) -> Result<Vec<UserId>, Rejection> {
    ids.iter().map(|user| id(user, "user", "memberIds")).collect()
}

/// The page that was asked for.
pub fn page<C: super::scalars::Cursor>(
    first: Option<i32>,
    after: Option<String>,
    last: Option<i32>,
    before: Option<String>,
) -> Result<Page<C>, Error> {
    Ok(Page::check(first, cursor(after, "after")?, last, cursor(before, "before")?)?)
}
