//! What servers have answered.

use jackfield_domain::plugins::{Answered, Hook};

use super::{Ask, reported};
use crate::{convert::http, live::Live, wit::exports::jackfield::plugin::answer_hooks};

/// A request of the plugin has its answer, or will have none.
pub struct OnAnswer(pub(crate) answer_hooks::Answer);

impl OnAnswer {
    /// `attempt` is 1 at first.
    pub fn new(tag: &str, outcome: &Answered, attempt: u32) -> Self {
        OnAnswer(answer_hooks::Answer { tag: tag.to_owned(), outcome: http::answered(outcome.clone()), attempt })
    }
}

impl Ask for OnAnswer {
    type Answer = ();
    const HOOK: Hook = Hook::OnAnswer;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<()> {
        let (hooks, store) = live.answers().await?;
        hooks.call_on_answer(store, &self.0).await?.map_err(|what| reported(&what))
    }
}
