//! Coming and going, and who is what in a conversation, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{ConversationId, Rejection, UserId};

use super::{
    super::{
        errors::{UserError, refusals},
        scalars::id,
        scope::Scoped,
    },
    Conversation, ConversationMember, ConversationRole,
};
use crate::actions;

/// Where the viewer wants to come in: either of the two.
#[derive(InputObject)]
pub struct ConversationJoinInput {
    /// A public group.
    conversation_id: Option<ID>,
    /// The code of an invitation to a conversation.
    code: Option<String>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationJoinPayload {
    /// The conversation, which the viewer takes part in now.
    conversation: Option<Conversation>,
    /// Why they do not.
    errors: Vec<UserError>,
}

/// Which conversation the viewer leaves.
#[derive(InputObject)]
pub struct ConversationLeaveInput {
    /// The conversation.
    conversation_id: ID,
    /// Who is to be an owner of the group in the viewer's place. The last owner names one, unless nobody else is there.
    successor_id: Option<ID>,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationLeavePayload {
    /// The conversation that the viewer takes no part in any more.
    conversation_id: Option<ID>,
    /// Why they stay.
    errors: Vec<UserError>,
}

/// Who is to be sent away.
#[derive(InputObject)]
pub struct ConversationMemberRemoveInput {
    /// The conversation.
    conversation_id: ID,
    /// The user id of somebody else who takes part.
    member_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationMemberRemovePayload {
    /// The conversation without them.
    conversation: Option<Conversation>,
    /// Why they stay.
    errors: Vec<UserError>,
}

/// Who is to be what.
#[derive(InputObject)]
pub struct ConversationMemberUpdateInput {
    /// The group.
    conversation_id: ID,
    /// The user id of somebody who takes part.
    member_id: ID,
    /// What they are to be.
    role: ConversationRole,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationMemberUpdatePayload {
    /// Their part as it is now.
    member: Option<ConversationMember>,
    /// Why it stays as it was.
    errors: Vec<UserError>,
}

/// To whom a group is handed over.
#[derive(InputObject)]
pub struct ConversationTransferInput {
    /// The group.
    conversation_id: ID,
    /// The user id of somebody else who takes part.
    member_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct ConversationTransferPayload {
    /// The group, whose owner they are now.
    conversation: Option<Conversation>,
    /// Why it stays the viewer's.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct MembershipMutation;

#[Object]
impl MembershipMutation {
    /// Makes the viewer a member of a public group, or of the conversation that an invitation leads to. Who is one already
    /// stays one, and uses nothing up.
    async fn conversation_join(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where to.")] input: ConversationJoinInput,
    ) -> Result<Option<ConversationJoinPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation =
                input.conversation_id.as_ref().map(|to| id(to, "conversation", "conversationId")).transpose()?;
            let code = input.code.as_deref();
            actions::conversations::membership::join(ctx.core(), &viewer, conversation, code).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationJoinPayload { conversation: conversation.map(Conversation), errors }))
    }

    /// Takes the viewer out of a group, or of a support conversation that somebody else has opened. The last member's
    /// leaving archives a group.
    async fn conversation_leave(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which conversation.")] input: ConversationLeaveInput,
    ) -> Result<Option<ConversationLeavePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let conversation = id(&input.conversation_id, "conversation", "conversationId")?;
            let successor = input.successor_id.as_ref().map(|user| id(user, "member", "successorId")).transpose()?;
            actions::conversations::membership::leave(ctx.core(), &viewer, conversation, successor).await
        };
        let (done, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationLeavePayload { conversation_id: done.map(|()| input.conversation_id), errors }))
    }

    /// Sends somebody away. For those who manage the members; owners and admins are sent away by owners alone.
    async fn conversation_member_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, and from where.")] input: ConversationMemberRemoveInput,
    ) -> Result<Option<ConversationMemberRemovePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let (conversation, member) = named(&input.conversation_id, &input.member_id)?;
            actions::conversations::membership::remove(ctx.core(), &viewer, conversation, member).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationMemberRemovePayload { conversation: conversation.map(Conversation), errors }))
    }

    /// Gives a member of a group another role. For its owners, of whom one is always left.
    async fn conversation_member_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is to be what.")] input: ConversationMemberUpdateInput,
    ) -> Result<Option<ConversationMemberUpdatePayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let (conversation, member) = named(&input.conversation_id, &input.member_id)?;
            let role = input.role.into();
            actions::conversations::membership::update_role(ctx.core(), &viewer, conversation, member, role).await
        };
        let (member, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationMemberUpdatePayload { member: member.map(ConversationMember), errors }))
    }

    /// Hands a group over: somebody else becomes its owner, and the viewer one of its admins. For its owners.
    async fn conversation_transfer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "To whom.")] input: ConversationTransferInput,
    ) -> Result<Option<ConversationTransferPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let (conversation, member) = named(&input.conversation_id, &input.member_id)?;
            actions::conversations::membership::transfer(ctx.core(), &viewer, conversation, member).await
        };
        let (conversation, errors) = refusals(outcome.await)?;
        Ok(Some(ConversationTransferPayload { conversation: conversation.map(Conversation), errors }))
    }
}

/// A conversation and somebody in it.
fn named(conversation: &ID, member: &ID) -> Result<(ConversationId, UserId), Rejection> {
    Ok((id(conversation, "conversation", "conversationId")?, id(member, "member", "memberId")?))
}
