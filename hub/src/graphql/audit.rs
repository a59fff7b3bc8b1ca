//! The record of what was done by the power of a role, in the API.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{AuditAction as Action, Rejection, audit};
use uuid::Uuid;

use super::{
    conversations::page,
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
    users::User,
};
use crate::{Error, actions};

/// What was done. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "Action")]
pub enum AuditAction {
    /// A workspace was made.
    WorkspaceCreated,
    /// The name, the sign-up or the status of a workspace was changed.
    WorkspaceUpdated,
    /// The policy of a workspace was changed.
    PolicyUpdated,
    /// A workspace was deleted.
    WorkspaceDeleted,
    /// A job that was given up was put into the queue again.
    JobRetried,
    /// Somebody else's message was deleted for everyone.
    MessageDeleted,
    /// A conversation was deleted, with all that was said in it.
    ConversationDeleted,
    /// What is a group's or a support conversation's own was changed: title, picture, who finds it, what newcomers see.
    ConversationUpdated,
    /// A conversation was put away.
    ConversationArchived,
    /// A conversation that was put away was taken up again.
    ConversationReopened,
    /// People were brought into a conversation.
    ConversationMembersAdded,
    /// Somebody was sent away from a conversation.
    ConversationMemberRemoved,
    /// Somebody was given another role in a conversation.
    ConversationMemberUpdated,
    /// A conversation was handed over to somebody.
    ConversationTransferred,
    /// A support conversation was given to somebody, or back to the queue.
    ConversationAssigned,
    /// A support conversation was resolved by who has taken it or gives support.
    ConversationResolved,
    /// Somebody looked into a conversation without taking part.
    ConversationOverridden,
    /// People were invited.
    InvitationCreated,
    /// An invitation was taken back.
    InvitationRevoked,
    /// Somebody was given another role in the workspace.
    UserRoleUpdated,
    /// Somebody was deactivated.
    UserDeactivated,
    /// Somebody who was deactivated was let in again.
    UserReactivated,
    /// A code for a new password was made, to be handed to somebody.
    PasswordResetRequested,
    /// A bot was made.
    BotCreated,
    /// A token of a bot was made.
    BotTokenCreated,
    /// A token of a bot was revoked.
    BotTokenRevoked,
    /// A message that a plugin held was sent.
    HeldMessageApproved,
    /// A message that a plugin held will not be sent.
    HeldMessageRejected,
    /// A plugin was installed, or another version of it put in its place.
    PluginInstalled,
    /// A plugin was taken away.
    PluginRemoved,
    /// A plugin was switched on or off, configured, or given more or less to do.
    PluginUpdated,
    /// Messages are on legal hold.
    LegalHoldSet,
    /// Messages are on legal hold no more.
    LegalHoldLifted,
    /// Somebody outside is trusted to vouch for people.
    IssuerCreated,
    /// Somebody outside is trusted no more.
    IssuerDeleted,
}

/// A name and a value.
#[derive(SimpleObject)]
pub struct AuditDetail {
    /// What it is.
    name: String,
    /// What it is now; no more than «changed» where that is for those alone who take part.
    value: String,
}

pub struct AuditEntry(pub audit::AuditEntry);

/// Who did what to what, when and from where. The record is only ever added to.
#[Object]
impl AuditEntry {
    /// When it was done.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Who did it; null where the hub itself acted.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let Some(actor) = self.0.actor else { return Ok(None) };
        Ok(ctx.moment().loaders.users.load(actor).await?.map(User))
    }

    /// The network address it was done from, where there was one.
    async fn address(&self) -> Option<String> {
        self.0.address.map(|address| address.to_string())
    }

    /// What was done.
    async fn action(&self) -> AuditAction {
        self.0.action.into()
    }

    /// The id of what it was done to.
    async fn target(&self) -> Option<ID> {
        self.0.target.clone().map(ID)
    }

    /// What changed.
    async fn details(&self) -> Vec<AuditDetail> {
        let details = self.0.details.iter();
        details.map(|(name, value)| AuditDetail { name: name.clone(), value: value.clone() }).collect()
    }
}

/// Which lines of the record: those of which all of this is true. What is left out says nothing.
#[derive(InputObject, Default)]
pub struct AuditFilter {
    /// One of these was done.
    actions: Option<Vec<AuditAction>>,
    /// This user did it.
    actor_id: Option<ID>,
    /// It was done to what has this id.
    target_id: Option<ID>,
    /// It was done at this moment or later.
    since: Option<DateTime>,
    /// It was done before this moment.
    until: Option<DateTime>,
}

impl AuditFilter {
    fn check(self) -> Result<audit::AuditFilter, Rejection> {
        Ok(audit::AuditFilter {
            actions: self.actions.into_iter().flatten().map(Into::into).collect(),
            actor: self.actor_id.as_ref().map(|actor| id(actor, "user", "actor_id")).transpose()?,
            target: self.target_id.map(|ID(target)| target),
            since: self.since.map(|DateTime(since)| since),
            until: self.until.map(|DateTime(until)| until),
        })
    }
}

#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// The record of the viewer's workspace, the oldest first; ask for the `last` of it to see what is new. For those who
    /// run the workspace.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which lines; all if left out.")] filter: Option<AuditFilter>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<AuditEntry>> {
        let viewer = ctx.viewer()?;
        actions::audit::reads(&viewer)?;
        let (filter, page) =
            (filter.unwrap_or_default().check().map_err(Error::from)?, page::<Uuid>(first, after, last, before)?);
        let slice = actions::audit::list(ctx.core(), &viewer, &filter, &page).await?;
        Ok(Connection::of(slice, |entry| entry.id, AuditEntry))
    }
}
