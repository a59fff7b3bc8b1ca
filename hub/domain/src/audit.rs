//! Who did what to what, when and from where: the record of everything that was done by the power of a role.

use std::{collections::BTreeMap, net::IpAddr};

use uuid::Uuid;

use crate::{Timestamp, UserId, WorkspaceId, roles::words};

/// Who acts, when, and from where. Every write that a person makes carries one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// The id of this act, under which it stands in the record.
    pub id: Uuid,
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub at: Timestamp,
    /// None where nobody is behind it but the hub.
    pub address: Option<IpAddr>,
}

words! {
    /// What was done.
    AuditAction {
        /// A workspace was made.
        WorkspaceCreated = "workspace_created",
        /// The name, the sign-up or the status of a workspace was changed.
        WorkspaceUpdated = "workspace_updated",
        /// The policy of a workspace was changed.
        PolicyUpdated = "policy_updated",
        /// A workspace was deleted.
        WorkspaceDeleted = "workspace_deleted",
        /// A job that was given up was put into the queue again.
        JobRetried = "job_retried",
        /// Somebody else's message was deleted for everyone.
        MessageDeleted = "message_deleted",
        /// A conversation was deleted, with all that was said in it.
        ConversationDeleted = "conversation_deleted",
        /// What is a group's or a support conversation's own was changed: title, picture, who finds it, what newcomers see.
        ConversationUpdated = "conversation_updated",
        /// A conversation was put away.
        ConversationArchived = "conversation_archived",
        /// A conversation that was put away was taken up again.
        ConversationReopened = "conversation_reopened",
        /// People were brought into a conversation.
        ConversationMembersAdded = "conversation_members_added",
        /// Somebody was sent away from a conversation.
        ConversationMemberRemoved = "conversation_member_removed",
        /// Somebody was given another role in a conversation.
        ConversationMemberUpdated = "conversation_member_updated",
        /// A conversation was handed over to somebody.
        ConversationTransferred = "conversation_transferred",
        /// A support conversation was given to somebody, or back to the queue.
        ConversationAssigned = "conversation_assigned",
        /// A support conversation was resolved by who has taken it or gives support.
        ConversationResolved = "conversation_resolved",
        /// Somebody looked into a conversation without taking part.
        ConversationOverridden = "conversation_overridden",
        /// People were invited.
        InvitationCreated = "invitation_created",
        /// An invitation was taken back.
        InvitationRevoked = "invitation_revoked",
        /// Somebody was given another role in the workspace.
        UserRoleUpdated = "user_role_updated",
        /// Somebody was deactivated.
        UserDeactivated = "user_deactivated",
        /// Somebody who was deactivated was let in again.
        UserReactivated = "user_reactivated",
        /// A code for a new password was made, to be handed to somebody.
        PasswordResetRequested = "password_reset_requested",
        /// A bot was made.
        BotCreated = "bot_created",
        /// A token of a bot was made.
        BotTokenCreated = "bot_token_created",
        /// A token of a bot was revoked.
        BotTokenRevoked = "bot_token_revoked",
        /// A message that a plugin held was sent.
        HeldMessageApproved = "held_message_approved",
        /// A message that a plugin held will not be sent.
        HeldMessageRejected = "held_message_rejected",
        /// A plugin was installed, or another version of it put in its place.
        PluginInstalled = "plugin_installed",
        /// A plugin was taken away.
        PluginRemoved = "plugin_removed",
        /// A plugin was switched on or off, configured, or given more or less to do.
        PluginUpdated = "plugin_updated",
        /// Messages are on legal hold.
        LegalHoldSet = "legal_hold_set",
        /// Messages are on legal hold no more.
        LegalHoldLifted = "legal_hold_lifted",
        /// Somebody outside is trusted to vouch for people.
        IssuerCreated = "issuer_created",
        /// Somebody outside is trusted no more.
        IssuerDeleted = "issuer_deleted",
    }
}

impl By {
    /// The line in the record of whoever acts.
    pub fn entry<'a>(
        &self,
        action: AuditAction,
        target: impl ToString,
        details: impl IntoIterator<Item = (&'a str, String)>,
    ) -> AuditEntry {
        AuditEntry {
            id: self.id,
            workspace: self.workspace,
            at: self.at,
            actor: Some(self.user),
            address: self.address,
            action,
            target: Some(target.to_string()),
            details: details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// Which lines of the record somebody wants to see: those of which all of this is true. What is none, or empty, says nothing.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    pub actions: Vec<AuditAction>,
    pub actor: Option<UserId>,
    pub target: Option<String>,
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// One line of the record; it is only ever added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub id: Uuid,
    pub workspace: WorkspaceId,
    pub at: Timestamp,
    /// None where the hub itself acted.
    pub actor: Option<UserId>,
    pub address: Option<IpAddr>,
    pub action: AuditAction,
    /// The id of what it was done to.
    pub target: Option<String>,
    /// What changed, in names and values; never a password, a token or a body.
    pub details: BTreeMap<String, String>,
}
