//! Invitations to the workspace, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::invitations;

use super::{
    conversations::page,
    errors::{UserError, refusals},
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
    users::{User, WorkspaceRole},
};
use crate::actions;

pub struct Invitation(pub invitations::Invitation);

/// A code that lets people in, until it is used up, too old or taken back.
#[Object]
impl Invitation {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What whoever comes in by it becomes.
    async fn role(&self) -> WorkspaceRole {
        self.0.role.into()
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

/// What a new invitation is to be.
#[derive(InputObject)]
pub struct InvitationCreateInput {
    /// What whoever comes in by it becomes: at most what the viewer is.
    #[graphql(default_with = "WorkspaceRole::Member")]
    role: WorkspaceRole,
    /// How many people may come in by it, from 1 to 1000; one, if nothing is said.
    uses: Option<u64>,
    /// Until when, at most as long as the workspace's `invitationDays` say, which is what holds if nothing is said.
    expires_at: Option<DateTime>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct InvitationCreatePayload {
    /// The new invitation.
    invitation: Option<Invitation>,
    /// Its code for `accountSignUp`. It is shown once.
    code: Option<String>,
    /// Why there is none.
    errors: Vec<UserError>,
}

/// Which invitation is to be taken back.
#[derive(InputObject)]
pub struct InvitationRevokeInput {
    /// Its id.
    invitation_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct InvitationRevokePayload {
    /// The invitation as it was.
    invitation: Option<Invitation>,
    /// Why it stands.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct InvitationQuery;

#[Object]
impl InvitationQuery {
    /// The invitations to the viewer's workspace, the oldest first. For those who may invite.
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<Invitation>> {
        let viewer = ctx.viewer()?;
        let page = page(first, after, last, before)?;
        let slice = actions::invitations::list(ctx.core(), &viewer, &page).await?;
        Ok(Connection::of(slice, |invitation| invitation.id, Invitation))
    }
}

#[derive(Default)]
pub struct InvitationMutation;

#[Object]
impl InvitationMutation {
    /// Invites people to the viewer's workspace. For those who may invite.
    async fn invitation_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: InvitationCreateInput,
    ) -> Result<Option<InvitationCreatePayload>> {
        let viewer = ctx.viewer()?;
        let InvitationCreateInput { role, uses, expires_at } = input;
        let expires_at = expires_at.map(|moment| moment.0);
        let made = actions::invitations::create(ctx.core(), &viewer, role.into(), uses, expires_at).await;
        let (made, errors) = refusals(made)?;
        let (invitation, code) = made.map(|(invitation, code)| (Invitation(invitation), code)).unzip();
        Ok(Some(InvitationCreatePayload { invitation, code, errors }))
    }

    /// Takes an invitation back: nobody comes in by it any more. For those who may invite.
    async fn invitation_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: InvitationRevokeInput,
    ) -> Result<Option<InvitationRevokePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::invitations::invites(&viewer)?;
            let invitation = id(&input.invitation_id, "invitation", "invitation_id")?;
            actions::invitations::revoke(ctx.core(), &viewer, invitation).await
        };
        let (invitation, errors) = refusals(outcome.await)?;
        Ok(Some(InvitationRevokePayload { invitation: invitation.map(Invitation), errors }))
    }
}
