//! Messages that are kept whatever their age, in the API. For those who run the workspace.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{
    Rejection,
    messages::{self as words, HoldTarget},
};

use super::{
    conversations::page,
    errors::{UserError, refusals},
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
    users::User,
};
use crate::actions;

pub struct LegalHold(pub words::LegalHold);

/// An order that messages are kept, whatever their age: retention passes them over. It says nothing of what people do: who may edit or
/// delete their messages, or the whole conversation, still can. Nobody who is concerned is told. Several holds may be on the same; it is
/// kept until the last of them is lifted.
#[Object]
impl LegalHold {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The conversation all of whose messages are kept, by its id; whoever runs the workspace need not take part in it.
    async fn conversation_id(&self) -> Option<ID> {
        match self.0.target {
            HoldTarget::Conversation(id) => Some(id.to_string().into()),
            HoldTarget::User(_) => None,
        }
    }

    /// The user all of whose messages are kept.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.0.target {
            HoldTarget::Conversation(_) => Ok(None),
            HoldTarget::User(id) => Ok(ctx.moment().loaders.users.load(id).await?.map(User)),
        }
    }

    /// Why.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Who wanted it so.
    async fn creator(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(ctx.moment().loaders.users.load(self.0.creator).await?.map(User))
    }

    /// Since when.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// What is to be kept: a conversation or a user.
#[derive(InputObject)]
pub struct LegalHoldSetInput {
    /// A conversation, all of whose messages are to be kept.
    conversation_id: Option<ID>,
    /// A user, all of whose messages are to be kept, wherever they were sent. What programs have posted for them, polls among it, is
    /// the programs' own.
    user_id: Option<ID>,
    /// Why: at most 500 characters. It stands with the hold and not in the record.
    reason: String,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct LegalHoldSetPayload {
    /// The hold.
    legal_hold: Option<LegalHold>,
    /// Why there is none.
    errors: Vec<UserError>,
}

/// What is to be kept no more.
#[derive(InputObject)]
pub struct LegalHoldLiftInput {
    /// The id of the hold.
    legal_hold_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct LegalHoldLiftPayload {
    /// The id of the hold that is no more.
    lifted_legal_hold_id: Option<ID>,
    /// Why nothing changed.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct LegalHoldQuery;

#[Object]
impl LegalHoldQuery {
    /// What is on legal hold in the viewer's workspace, the oldest first. For those who run the workspace.
    async fn legal_holds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<LegalHold>> {
        let viewer = ctx.viewer()?;
        actions::legal_holds::manages(&viewer)?;
        let page = page(first, after, last, before)?;
        let slice = actions::legal_holds::list(ctx.core(), &viewer, &page).await?;
        Ok(Connection::of(slice, |hold| hold.id, LegalHold))
    }
}

#[derive(Default)]
pub struct LegalHoldMutation;

#[Object]
impl LegalHoldMutation {
    /// Has messages kept that retention would take away: those of a conversation, or of a user. What was hidden by then stays hidden, and is
    /// kept. For those who run the workspace.
    async fn legal_hold_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is to be kept.")] input: LegalHoldSetInput,
    ) -> Result<Option<LegalHoldSetPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::legal_holds::manages(&viewer)?;
            let target = match (&input.conversation_id, &input.user_id) {
                (Some(conversation), None) => {
                    HoldTarget::Conversation(id(conversation, "conversation", "conversationId")?)
                }
                (None, Some(user)) => HoldTarget::User(id(user, "user", "userId")?),
                _ => {
                    let expected = "given, or `userId`, and not both";
                    return Err(Rejection::Invalid { field: "conversationId", expected }.into());
                }
            };
            actions::legal_holds::set(ctx.core(), &viewer, target, &input.reason).await
        };
        let (hold, errors) = refusals(outcome.await)?;
        Ok(Some(LegalHoldSetPayload { legal_hold: hold.map(LegalHold), errors }))
    }

    /// Has messages kept no more, unless another hold is on them: what is old is taken away when retention runs the next time. For those who
    /// run the workspace.
    async fn legal_hold_lift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which hold.")] input: LegalHoldLiftInput,
    ) -> Result<Option<LegalHoldLiftPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            actions::legal_holds::manages(&viewer)?;
            let hold = id(&input.legal_hold_id, "legal hold", "legalHoldId")?;
            actions::legal_holds::lift(ctx.core(), &viewer, hold).await
        };
        let (lifted, errors) = refusals(outcome.await)?;
        Ok(Some(LegalHoldLiftPayload { lifted_legal_hold_id: lifted.map(|()| input.legal_hold_id), errors }))
    }
}
