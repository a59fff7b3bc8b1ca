//! Invitations to a conversation, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::invitations;

use super::super::{
    errors::{UserError, refusals},
    scalars::{DateTime, id},
    scope::Scoped,
    users::User,
};
use crate::actions;

pub struct ConversationInvitation(pub invitations::Invitation);

/// A code that lets people of the workspace into a conversation, until it is used up, too old or taken back.
#[Object]
impl ConversationInvitation {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// How many people can still come in by it.
    async fn uses_left(&self) -> u64 {
        self.0.uses_left
    }

    /// When it is good no more.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }

    /// Who made it.
    async fn creator(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.creator).await?.map(User))
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// What a new invitation to a conversation is to be.
#[derive(InputObject)]
pub struct ConversationInvitationCreateInput {
    /// The group that it leads to.
    conversation_id: ID,
    /// How many people may come in by it, from 1 to 1000; one, if nothing is said.
    uses: Option<u64>,
    /// Until when, at most as long as the workspace's `invitationDays` say, which is what holds if nothing is said.
    expires_at: Option<DateTime>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationInvitationCreatePayload {
    /// The new invitation.
    invitation: Option<ConversationInvitation>,
    /// Its code for `conversationJoin`. It is shown once.
    code: Option<String>,
    /// Why there is none.
    errors: Vec<UserError>,
}

/// Which invitation is to be taken back.
#[derive(InputObject)]
pub struct ConversationInvitationRevokeInput {
    /// Its id.
    invitation_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationInvitationRevokePayload {
    /// The invitation as it was.
    invitation: Option<ConversationInvitation>,
    /// Why it stands.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct ConversationInvitationMutation;

#[Object]
impl ConversationInvitationMutation {
    /// Invites people of the workspace to a group. For those who manage its members.
    async fn conversation_invitation_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where it leads, and what it is to be.")] input: ConversationInvitationCreateInput,
    ) -> Result<Option<ConversationInvitationCreatePayload>> {
        let viewer = ctx.viewer()?;
        let ConversationInvitationCreateInput { conversation_id, uses, expires_at } = input;
        let outcome = async {
            let conversation = id(&conversation_id, "conversation", "conversationId")?;
            let expires_at = expires_at.map(|moment| moment.0);
            actions::conversations::invitations::create(ctx.core(), &viewer, conversation, uses, expires_at).await
        };
        let (made, errors) = refusals(outcome.await)?;
        let (invitation, code) = made.map(|(invitation, code)| (ConversationInvitation(invitation), code)).unzip();
        Ok(Some(ConversationInvitationCreatePayload { invitation, code, errors }))
    }

    /// Takes an invitation to a conversation back: nobody comes in by it any more. For those who manage its members.
    async fn conversation_invitation_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: ConversationInvitationRevokeInput,
    ) -> Result<Option<ConversationInvitationRevokePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let invitation = id(&input.invitation_id, "invitation", "invitationId")?;
            actions::conversations::invitations::revoke(ctx.core(), &viewer, invitation).await
        };
        let (invitation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationInvitationRevokePayload { invitation: invitation.map(ConversationInvitation), errors }))
    }
}
