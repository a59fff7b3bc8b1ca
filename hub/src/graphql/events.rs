//! The log in the API: one subscription that carries everything.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Interface, Object, Result, Subscription};
use futures_util::Stream;
use jackfield_domain::{
    BotTokenId, ConversationId, Fact, Position, SessionId, UserId, WorkspaceId,
    events::{self as words, Entry},
};

mod conversations;
mod messages;
mod plugins;

use conversations::{
    BlocksUpdated, ConversationCreated, ConversationLeft, ConversationMemberUpdated, ConversationMembersAdded,
    ConversationMembersRemoved, ConversationSettingsUpdated, ConversationUpdated,
};
use messages::{MessageDeleted, MessageEdited, MessageHidden, MessageSent, MessagesTrimmed, ReceiptsAdvanced};
use plugins::{AnnotationChanged, HeldMessageDecided, MentionsUpdated, MessageHeld, PluginEvent};

use super::{
    conversations::Conversation,
    live::{Item, Source},
    scalars::{DateTime, EventCursor},
    scope::Scoped,
    users::User,
    workspaces::Workspace,
};
use crate::actions;

/// A kind of event, for who wants only some. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::EventKind")]
pub enum EventKind {
    /// The workspace was made.
    WorkspaceCreated,
    /// The workspace's name, sign-up, status or policy changed.
    WorkspaceUpdated,
    /// Somebody was seen in the workspace for the first time.
    UserJoined,
    /// Somebody's name, role, status or profile changed.
    UserUpdated,
    /// The viewer signed in somewhere.
    SessionStarted,
    /// The viewer was signed out somewhere.
    SessionEnded,
    /// A token of the viewer, who is a bot, was revoked.
    BotTokenRevoked,
    /// A conversation was made.
    ConversationCreated,
    /// A conversation has another title or status, or something else of its own has changed.
    ConversationUpdated,
    /// People were added to a conversation.
    ConversationMembersAdded,
    /// People take no part in a conversation any more.
    ConversationMembersRemoved,
    /// Somebody has another role in a conversation.
    ConversationMemberUpdated,
    /// The viewer takes no part in a conversation any more.
    ConversationLeft,
    /// The viewer has set something for themselves in a conversation.
    ConversationSettingsUpdated,
    /// The viewer blocks somebody, or does so no more.
    BlocksUpdated,
    /// A message was sent.
    MessageSent,
    /// A message was edited.
    MessageEdited,
    /// A message was deleted for everyone.
    MessageDeleted,
    /// A message mentions other people than before.
    MentionsUpdated,
    /// What a plugin keeps beside a message changed, and with it what its fields say of the message.
    AnnotationChanged,
    /// A message of the viewer's waits for a moderator.
    MessageHeld,
    /// A moderator has decided about a message of the viewer's that waited.
    HeldMessageDecided,
    /// A plugin has news for the viewer.
    PluginEvent,
    /// Old messages were taken away from everybody.
    MessagesTrimmed,
    /// A message was deleted for one user alone.
    MessageHidden,
    /// Messages have come to somebody's devices, or were read by them.
    ReceiptsAdvanced,
}

/// Something that happened. Apply it as often as you like: an event that you have seen already changes nothing.
#[derive(Interface)]
#[graphql(field(
    name = "cursor",
    ty = "EventCursor",
    desc = "Where this event stands; hand it back to go on behind it."
))]
pub enum Event {
    WorkspaceCreated(WorkspaceCreated),
    WorkspaceUpdated(WorkspaceUpdated),
    UserJoined(UserJoined),
    UserUpdated(UserUpdated),
    SessionStarted(SessionStarted),
    SessionEnded(SessionEnded),
    BotTokenRevoked(BotTokenRevoked),
    ConversationCreated(ConversationCreated),
    ConversationUpdated(ConversationUpdated),
    ConversationMembersAdded(ConversationMembersAdded),
    ConversationMembersRemoved(ConversationMembersRemoved),
    ConversationMemberUpdated(ConversationMemberUpdated),
    ConversationLeft(ConversationLeft),
    ConversationSettingsUpdated(ConversationSettingsUpdated),
    BlocksUpdated(BlocksUpdated),
    MessageSent(MessageSent),
    MessageEdited(MessageEdited),
    MessageDeleted(MessageDeleted),
    MentionsUpdated(MentionsUpdated),
    AnnotationChanged(AnnotationChanged),
    MessageHeld(MessageHeld),
    HeldMessageDecided(HeldMessageDecided),
    PluginEvent(PluginEvent),
    MessagesTrimmed(MessagesTrimmed),
    MessageHidden(MessageHidden),
    ReceiptsAdvanced(ReceiptsAdvanced),
    CaughtUp(CaughtUp),
    ResyncRequired(ResyncRequired),
}

/// What every event of the log has.
pub struct Logged {
    entry: Arc<Entry>,
}

impl Logged {
    fn cursor(&self) -> EventCursor {
        EventCursor { workspace: self.entry.event.workspace, position: self.entry.event.position }
    }

    fn at(&self) -> DateTime {
        DateTime(self.entry.event.at)
    }

    async fn user(&self, ctx: &Context<'_>, user: Option<UserId>) -> Result<Option<User>> {
        let Some(user) = user else { return Ok(None) };
        Ok(ctx.moment().loaders.users.load(user).await?.map(User))
    }

    async fn users(&self, ctx: &Context<'_>, users: &[UserId]) -> Result<Vec<User>> {
        let moment = ctx.moment();
        let found = futures_util::future::try_join_all(users.iter().map(|user| moment.loaders.users.load(*user)));
        Ok(found.await?.into_iter().flatten().map(User).collect())
    }

    async fn conversation(&self, ctx: &Context<'_>, id: ConversationId) -> Result<Option<Conversation>> {
        Ok(ctx.moment().loaders.conversations.load(id).await?.map(Conversation))
    }
}

pub struct WorkspaceCreated(Logged);

/// The workspace was made.
#[Object]
impl WorkspaceCreated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }
}

pub struct WorkspaceUpdated(Logged);

/// The workspace's name, sign-up, status or policy changed.
#[Object]
impl WorkspaceUpdated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// Who did it; null where it was not somebody of this workspace.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.user(ctx, self.0.entry.event.actor).await
    }

    /// The workspace as it is now.
    async fn workspace(&self, ctx: &Context<'_>) -> Result<Option<Workspace>> {
        let workspace = self.0.entry.event.workspace;
        Ok(actions::workspaces::visible(ctx.core(), &ctx.moment().reader, workspace).await?.map(Workspace))
    }
}

pub struct UserJoined(Logged, UserId);

/// Somebody was seen in the workspace for the first time.
#[Object]
impl UserJoined {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// Who it is.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.user(ctx, Some(self.1)).await
    }
}

pub struct UserUpdated(Logged, UserId);

/// Somebody's name, role, status or profile changed.
#[Object]
impl UserUpdated {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// The user as they are now.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        self.0.user(ctx, Some(self.1)).await
    }
}

pub struct SessionStarted(Logged, SessionId);

/// The viewer signed in somewhere.
#[Object]
impl SessionStarted {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// The new session; ask for `sessions` to see them all.
    async fn session_id(&self) -> ID {
        self.1.to_string().into()
    }
}

pub struct SessionEnded(Logged, SessionId);

/// The viewer was signed out somewhere, or was away for too long.
#[Object]
impl SessionEnded {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// The session that is no more.
    async fn session_id(&self) -> ID {
        self.1.to_string().into()
    }
}

pub struct BotTokenRevoked(Logged, BotTokenId);

/// A token of the viewer, who is a bot, was revoked.
#[Object]
impl BotTokenRevoked {
    /// Where this event stands; hand it back to go on behind it.
    pub async fn cursor(&self) -> EventCursor {
        self.0.cursor()
    }

    /// When it happened.
    async fn at(&self) -> DateTime {
        self.0.at()
    }

    /// The token that is good for nothing any more.
    async fn token_id(&self) -> ID {
        self.1.to_string().into()
    }
}

pub struct CaughtUp(EventCursor);

/// All that you had missed has been delivered; what follows happens now. Comes once.
#[Object]
impl CaughtUp {
    /// How far the log had come.
    pub async fn cursor(&self) -> EventCursor {
        self.0
    }
}

pub struct ResyncRequired(EventCursor);

/// The log does not reach back to your cursor: forget what you have, and fetch it anew. Events go on from here.
#[Object]
impl ResyncRequired {
    /// Where the events that follow begin.
    pub async fn cursor(&self) -> EventCursor {
        self.0
    }
}

impl Event {
    /// What the API makes of an item of the log; none for what is none of its.
    pub fn of(item: Item) -> Option<Event> {
        let place = |workspace: WorkspaceId, position: Position| EventCursor { workspace, position };
        Some(match item {
            Item::Signal(_) | Item::PluginLine(_) => return None,
            Item::CaughtUp(workspace, position) => CaughtUp(place(workspace, position)).into(),
            Item::ResyncRequired(workspace, position) => ResyncRequired(place(workspace, position)).into(),
            Item::Logged(entry) => {
                let logged = Logged { entry: entry.clone() };
                match &entry.event.fact {
                    Fact::WorkspaceCreated => WorkspaceCreated(logged).into(),
                    Fact::WorkspaceUpdated | Fact::WorkspaceClosed => WorkspaceUpdated(logged).into(),
                    Fact::UserJoined { user } => UserJoined(logged, *user).into(),
                    Fact::UserUpdated { user } | Fact::UserDeactivated { user } | Fact::PreferencesUpdated { user } => {
                        UserUpdated(logged, *user).into()
                    }
                    Fact::SessionStarted { session, .. } => SessionStarted(logged, *session).into(),
                    Fact::SessionEnded { session, .. } => SessionEnded(logged, *session).into(),
                    Fact::BotTokenRevoked { token, .. } => BotTokenRevoked(logged, *token).into(),
                    Fact::ConversationCreated { conversation, .. } => {
                        ConversationCreated(logged.within(*conversation)).into()
                    }
                    Fact::ConversationUpdated { conversation } => {
                        ConversationUpdated(logged.within(*conversation)).into()
                    }
                    Fact::ConversationMembersAdded { conversation, members, sequence, .. } => {
                        ConversationMembersAdded(logged.within(*conversation), members.clone(), *sequence).into()
                    }
                    Fact::ConversationMembersRemoved { conversation, members } => {
                        ConversationMembersRemoved(logged.within(*conversation), members.clone()).into()
                    }
                    Fact::ConversationMemberUpdated { conversation, user } => {
                        ConversationMemberUpdated(logged.within(*conversation), *user).into()
                    }
                    Fact::ConversationLeft { conversation, .. } => {
                        ConversationLeft(logged.within(*conversation)).into()
                    }
                    Fact::ConversationSettingsUpdated { conversation, .. } => {
                        ConversationSettingsUpdated(logged.within(*conversation)).into()
                    }
                    Fact::BlocksUpdated { other, .. } => BlocksUpdated(logged, *other).into(),
                    Fact::MessageSent { conversation, message, sequence } => {
                        MessageSent(logged.about(*conversation, *message, *sequence)).into()
                    }
                    Fact::MessageEdited { conversation, message, sequence } => {
                        MessageEdited(logged.about(*conversation, *message, *sequence)).into()
                    }
                    Fact::MessageDeleted { conversation, message, sequence } => {
                        MessageDeleted(logged.about(*conversation, *message, *sequence)).into()
                    }
                    Fact::MentionsUpdated { conversation, message, users, .. } => {
                        MentionsUpdated::of(logged, *conversation, *message, users.clone()).into()
                    }
                    Fact::AnnotationChanged { conversation, message, plugin, .. } => {
                        AnnotationChanged::of(logged, *conversation, *message, plugin.clone()).into()
                    }
                    Fact::MessageHeld { held, .. } => MessageHeld(logged, *held).into(),
                    Fact::HeldMessageDecided { held, .. } => HeldMessageDecided(logged, *held).into(),
                    Fact::PluginEvent { plugin, kind, .. } => {
                        PluginEvent::of(logged, plugin.clone(), kind.clone()).into()
                    }
                    Fact::MessagesTrimmed { conversation, from_sequence, through_sequence, kept, step } => {
                        let range = (*from_sequence, *through_sequence);
                        MessagesTrimmed::of(logged, *conversation, range, kept.clone(), *step).into()
                    }
                    Fact::MessageHidden { conversation, message, sequence, .. } => {
                        MessageHidden(logged.about(*conversation, *message, *sequence)).into()
                    }
                    Fact::ReceiptsAdvanced { conversation, user, kind, up_to } => {
                        ReceiptsAdvanced::of(logged, *conversation, *user, *kind, *up_to).into()
                    }
                }
            }
        })
    }
}

/// Which events, and from where on.
#[derive(InputObject, Default)]
pub struct EventsInput {
    /// Everything after this comes first, then `CaughtUp`, then what happens. Without it, only what happens from now on.
    pub after: Option<EventCursor>,
    /// Only what concerns these conversations, at most 100.
    pub conversation_ids: Option<Vec<ID>>,
    /// Only these kinds.
    pub kinds: Option<Vec<EventKind>>,
}

#[derive(Default)]
pub struct EventQuery;

#[Object]
impl EventQuery {
    /// Where the log stands now. Read it *before* the data that you show, and follow `events` from here: then nothing
    /// is missed, and what comes twice does no harm.
    async fn event_cursor(&self, ctx: &Context<'_>) -> Result<EventCursor> {
        let viewer = ctx.viewer()?;
        let bounds = actions::events::bounds(ctx.core(), &viewer).await?;
        Ok(EventCursor { workspace: viewer.workspace(), position: bounds.head })
    }
}

#[derive(Default)]
pub struct EventSubscription;

#[Subscription]
impl EventSubscription {
    /// What happens in the viewer's conversations and workspace, in order and without a gap.
    async fn events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which events, and from where on; all from now on if left out.")] input: Option<EventsInput>,
    ) -> impl Stream<Item = Event> {
        // Who asks for what was decided when the source was opened, which is where it is filtered, too.
        drop(input);
        ctx.data_unchecked::<Source>().items(Event::of)
    }
}
