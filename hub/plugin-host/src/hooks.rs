//! What plugins are asked: one type a question, each with its answer. They are put in words of the domain, and turned into
//! those of the contract once, however many plugins are asked.

mod after;
mod answers;
mod before;
mod fields;

use std::future::Future;

use jackfield_domain::plugins::{FailureKind, Hook, Refusal};

pub use after::{
    ArgumentValue, ConfigurationChanged, Disable, Enable, Install, OnEvents, Problem, Reply, RunCommand, RunSchedule,
    ToldEvent, Upgrade, ValidateConfiguration,
};
pub use answers::OnAnswer;
pub use before::{
    BeforeConversationCreate, BeforeCreate, BeforeDelete, BeforeEdit, BeforeJoin, ConversationPatch, MessagePatch,
};
pub use fields::{MutateField, ResolveField};

use crate::{live::Live, run::Stop};

/// A question to a plugin.
pub trait Ask: Send + Sync {
    type Answer: Send;
    const HOOK: Hook;

    /// Calls the hook and reads the answer.
    fn put(&self, live: &mut Live) -> impl Future<Output = wasmtime::Result<Self::Answer>> + Send;
}

/// A question that stands in the way of somebody, and that is asked of one plugin after the other.
pub trait Before: Ask<Answer = Verdict<Self::Patch>> {
    type Patch: Send;

    /// The question as it is after a plugin changed it; or why it cannot be changed so.
    fn patch(&mut self, patch: Self::Patch) -> Result<(), String>;

    /// Whether it concerns a plugin that wants to be asked about these kinds of messages alone.
    fn concerns(&self, kinds: &[jackfield_domain::messages::MessageKind]) -> bool {
        let _ = kinds;
        true
    }
}

/// What a plugin says to what somebody wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<P> {
    Allow,
    Patch(P),
    Reject(Refusal),
    /// Only to messages that are to be sent. Why, for moderators.
    Hold(String),
}

/// The plugin answered what cannot be carried out.
fn bad_answer(what: String) -> wasmtime::Error {
    Stop::new(FailureKind::Answer, what).into()
}

/// The plugin said that it failed.
fn reported(what: &str) -> wasmtime::Error {
    Stop::new(FailureKind::Reported, crate::convert::cut(what)).into()
}
