//! What plugins failed at, in the API.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::plugins as words;

use super::{Plugin, changed};
use crate::{
    actions::plugins::{admin, letters},
    graphql::{
        errors::UserError,
        scalars::{DateTime, id},
        scope::Scoped,
    },
};

pub struct DeadLetter(pub words::DeadLetter);

/// An event, or the answer of a server, that a plugin failed at again and again, so that it was laid aside.
#[Object]
impl DeadLetter {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// The event's number in the log of the workspace; null where it is the answer of a server.
    async fn position(&self) -> Option<i64> {
        match self.0.what {
            words::LaidAside::Event(position) => Some(position.0),
            words::LaidAside::Answer(_) => None,
        }
    }

    /// What the plugin said the last time, or what went wrong.
    async fn problem(&self) -> &str {
        &self.0.problem
    }

    /// How often it was laid aside: once, and once more each time it was handed over in vain.
    async fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// When it was laid aside first.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

/// What is to be handed over once more.
#[derive(InputObject)]
pub struct DeadLetterRetryInput {
    /// The id of what was laid aside.
    dead_letter_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct DeadLetterRetryPayload {
    /// The plugin as it is now; null where it failed again, and what was laid aside stays.
    plugin: Option<Plugin>,
    /// Why it is not done.
    errors: Vec<UserError>,
}

/// What is to be dropped.
#[derive(InputObject)]
pub struct DeadLetterDiscardInput {
    /// The id of what was laid aside.
    dead_letter_id: ID,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct DeadLetterDiscardPayload {
    /// The plugin as it is now.
    plugin: Option<Plugin>,
    /// Why it is still there.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct DeadLetterMutation;

#[Object]
impl DeadLetterMutation {
    /// Hands what was laid aside over to its plugin once more. What the plugin does with it is done once. For those who run the
    /// workspace.
    async fn dead_letter_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: DeadLetterRetryInput,
    ) -> Result<Option<DeadLetterRetryPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            admin::runs(&viewer)?;
            letters::retry(ctx.core(), &viewer, id(&input.dead_letter_id, "dead letter", "deadLetterId")?).await
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(DeadLetterRetryPayload { plugin, errors }))
    }

    /// Drops what was laid aside: its plugin will never be told. For those who run the workspace.
    async fn dead_letter_discard(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which one.")] input: DeadLetterDiscardInput,
    ) -> Result<Option<DeadLetterDiscardPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            admin::runs(&viewer)?;
            letters::discard(ctx.core(), &viewer, id(&input.dead_letter_id, "dead letter", "deadLetterId")?).await
        };
        let (plugin, errors) = changed(ctx, outcome.await).await?;
        Ok(Some(DeadLetterDiscardPayload { plugin, errors }))
    }
}
