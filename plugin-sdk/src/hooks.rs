//! The hooks: one trait a group, whose functions all have an answer already. A plugin writes those that it wants to be called
//! for, and names them in its manifest.
//!
//! `self` is the plugin's configuration as it is in force when the hook runs, read by serde into the plugin's type.

use std::{any::Any, cell::RefCell, marker::PhantomData, rc::Rc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use crate::bindings::{
    answer_hooks::Answer,
    command_hooks::{Argument, ArgumentValue, CommandCall, CommandReply},
    event_hooks::{Event, EventBatch},
    graphql_hooks::{FieldCall, MutationCall},
    lifecycle_hooks::{ConfigurationProblem, Earlier},
    membership_hooks::{ConversationDraft, ConversationPatch, ConversationVerdict, JoinDraft, JoinVerdict},
    message_hooks::{
        DeletionDraft, DeletionVerdict, EditDraft, EditVerdict, MessageDraft, MessagePatch, MessageVerdict,
    },
    schedule_hooks::ScheduledRun,
};
use crate::{
    Failure, Result, bindings,
    capabilities::{
        config,
        types::{Refusal, Slice},
    },
};

/// A type that serde can read a configuration into: that is all that a plugin has to be.
pub trait Plugin: DeserializeOwned + 'static {}

impl<T: DeserializeOwned + 'static> Plugin for T {}

/// What is asked before a message is sent, edited or deleted. Reads, and changes its own key-value data.
pub trait MessageHooks: Plugin {
    /// Somebody sends a message.
    fn before_create(&self, draft: MessageDraft) -> Result<MessageVerdict> {
        let _ = draft;
        Ok(MessageVerdict::Allow)
    }

    /// Somebody edits their message.
    fn before_edit(&self, draft: EditDraft) -> Result<EditVerdict> {
        let _ = draft;
        Ok(EditVerdict::Allow)
    }

    /// A message is to be deleted for everyone.
    fn before_delete(&self, draft: DeletionDraft) -> Result<DeletionVerdict> {
        let _ = draft;
        Ok(DeletionVerdict::Allow)
    }
}

/// What is asked before people come together. Reads, and changes its own key-value data.
pub trait MembershipHooks: Plugin {
    /// Somebody is to become a member of a conversation that exists.
    fn before_join(&self, draft: JoinDraft) -> Result<JoinVerdict> {
        let _ = draft;
        Ok(JoinVerdict::Allow)
    }

    /// Somebody makes a conversation.
    fn before_conversation_create(&self, draft: ConversationDraft) -> Result<ConversationVerdict> {
        let _ = draft;
        Ok(ConversationVerdict::Allow)
    }
}

/// What is told after it has happened. What is done here is done exactly once.
pub trait EventHooks: Plugin {
    /// Something happened that the manifest asks for.
    fn on_event(&self, event: Event) -> Result<()> {
        let _ = event;
        Ok(())
    }

    /// The same for all that are handed over together, for whoever can do better with many than with each.
    fn on_events(&self, batch: EventBatch) -> Result<()> {
        batch.events.into_iter().try_for_each(|event| self.on_event(event))
    }
}

/// What servers have answered to requests that the plugin has sent ([`http`](crate::capabilities::http)).
pub trait AnswerHooks: Plugin {
    /// A request has its answer, or will have none. What is done here is done exactly once.
    fn on_answer(&self, answer: Answer) -> Result<()>;
}

/// Work that is due at times that the manifest names.
pub trait ScheduleHooks: Plugin {
    /// Does a slice of it.
    fn run_schedule(&self, run: ScheduledRun) -> Result<Slice>;
}

/// What people ask a plugin to do by name.
pub trait CommandHooks: Plugin {
    /// Does it, as the viewer who asks.
    fn run_command(&self, call: CommandCall) -> Result<CommandAnswer>;
}

/// What whoever runs a command is told.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandAnswer {
    /// It is done, or this is the answer.
    Reply(CommandReply),
    /// It is not done, and why.
    Refuse(Refusal),
}

/// Fields that the plugin adds to the GraphQL API: those of the `graphql` in its manifest.
///
/// ```
/// use jackfield_plugin::prelude::*;
///
/// #[data]
/// struct Echo {}
///
/// #[plugin]
/// impl GraphqlHooks for Echo {
///     fn resolve(&self, call: FieldCall) -> Result<Vec<Result<Value>>> {
///         call.each(|message| Ok(json!({ "text": messages::get(message)?.text() })))
///     }
/// }
///
/// let hub = MockHub::new();
/// hub.configure(json!({}));
/// let (ann, tea) = hub.conversation_of("Ann");
/// let said = hub.message(&ann, &tea, "Milk?");
/// let call = hub.field_call(&ann, "Message.echo", &json!({}), &[&said.id, "msg_0"]);
/// let values = hub.looking::<Echo, _>(|plugin| plugin.resolve(call)).unwrap();
/// assert_eq!(values[0].as_ref().unwrap(), &json!({ "text": "Milk?" }));
/// assert!(values[1].is_err());
/// ```
pub trait GraphqlHooks: Plugin {
    /// Somebody asks for a field. There is a value for each of `call.objects`, in their order; see [`FieldCall::each`].
    fn resolve(&self, call: FieldCall) -> Result<Vec<Result<Value>>> {
        Err(Failure::new(format!("nothing is known of {}.{}", call.parent, call.field)))
    }

    /// Somebody wants something done that a field of `Mutation` stands for.
    fn mutate(&self, call: MutationCall) -> Result<MutationAnswer> {
        Err(Failure::new(format!("nothing is known of Mutation.{}", call.field)))
    }
}

/// What came of a mutation.
#[derive(Clone, Debug, PartialEq)]
pub enum MutationAnswer {
    /// It is done, and this is its payload, in which the hub fills in `errors`.
    Done(Value),
    /// It is not done, and why.
    Refuse(Refusal),
}

impl MutationAnswer {
    /// It is done, and this is its payload.
    pub fn done(payload: impl Serialize) -> Result<Self> {
        Ok(Self::Done(serde_json::to_value(payload)?))
    }

    /// Tells the viewer why not.
    pub fn refuse(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refuse(Refusal::new(code, reason))
    }
}

impl FieldCall {
    /// The arguments, read by serde.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_str(&self.arguments)?)
    }

    /// Whether something within it is asked for, such as `options.voters`.
    pub fn wants(&self, path: &str) -> bool {
        self.selected.iter().any(|selected| selected == path)
    }

    /// A value for each of the objects; one that fails does not keep the others from theirs.
    pub fn each<T: Serialize>(&self, mut value: impl FnMut(&str) -> Result<T>) -> Result<Vec<Result<Value>>> {
        Ok(self.objects.iter().map(|object| Ok(serde_json::to_value(value(object)?)?)).collect())
    }
}

impl MutationCall {
    /// What stands in `input`, read by serde.
    pub fn input<T: DeserializeOwned>(&self) -> Result<T> {
        let mut arguments: Value = serde_json::from_str(&self.arguments)?;
        Ok(serde_json::from_value(arguments["input"].take())?)
    }
}

/// What happens to the plugin itself, in one workspace.
pub trait LifecycleHooks: Plugin {
    /// It is switched on for the first time. `resume` is what the slice before this one left.
    fn install(&self, resume: Option<String>) -> Result<Slice> {
        let _ = resume;
        Ok(Slice::Done)
    }

    /// The data was written by another data version.
    fn upgrade(&self, earlier: Earlier, resume: Option<String>) -> Result<Slice> {
        let _ = (earlier, resume);
        Ok(Slice::Done)
    }

    /// It is switched on.
    fn enable(&self) -> Result<()> {
        Ok(())
    }

    /// It was switched off.
    fn disable(&self) -> Result<()> {
        Ok(())
    }

    /// What is wrong with a configuration (`self`) that an admin wants to set; the one in force is in
    /// [`config`]. That serde can read it has been seen to.
    fn validate(&self) -> Vec<ConfigurationProblem> {
        Vec::new()
    }

    /// Another configuration came into force.
    fn configuration_changed(&self) -> Result<()> {
        Ok(())
    }
}

impl MessageDraft {
    /// What it says; nothing where it is encrypted.
    pub fn text(&self) -> &str {
        self.body.text()
    }
}

impl EditDraft {
    /// What the message is to say; nothing where it is encrypted.
    pub fn text(&self) -> &str {
        self.body.text()
    }
}

impl MessageVerdict {
    /// It is not sent: a code for programs (`WORD_NOT_ALLOWED`) and a reason for whoever wanted to.
    pub fn reject(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Reject(Refusal::new(code, reason))
    }

    /// It is sent when a moderator has approved it; moderators read the reason.
    pub fn hold(reason: impl Into<String>) -> Self {
        Self::Hold(reason.into())
    }

    /// It is sent with other words.
    pub fn say_instead(body: impl Into<String>) -> Self {
        Self::Patch(MessagePatch { body: Some(body.into()), metadata: None })
    }
}

impl EditVerdict {
    /// The message stays as it is.
    pub fn reject(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Reject(Refusal::new(code, reason))
    }
}

impl CommandAnswer {
    /// Answers in Markdown, for the viewer alone.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Reply(CommandReply { text: Some(text.into()) })
    }

    /// Tells the viewer why not.
    pub fn refuse(code: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refuse(Refusal::new(code, reason))
    }
}

impl CommandCall {
    /// The value of an argument; none where it was left out.
    pub fn argument(&self, name: &str) -> Option<&ArgumentValue> {
        self.arguments.iter().find(|argument| argument.name == name).map(|argument| &argument.value)
    }
}

impl Answer {
    /// What the plugin gave with the request, read by serde.
    pub fn tag<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_str(&self.tag)?)
    }
}

impl ConfigurationProblem {
    /// Where it is, as a JSON pointer such as `/rules/0/pattern`, and what is wrong and what to do.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// What `#[plugin]` exports: a plugin's hooks as the hub calls them.
#[doc(hidden)]
pub struct Exported<T>(PhantomData<T>);

impl<T: MessageHooks> bindings::message_hooks::Guest for Exported<T> {
    fn before_create(draft: MessageDraft) -> MessageVerdict {
        or_trap(with_plugin(|plugin: &T| plugin.before_create(draft)))
    }

    fn before_edit(draft: EditDraft) -> EditVerdict {
        or_trap(with_plugin(|plugin: &T| plugin.before_edit(draft)))
    }

    fn before_delete(draft: DeletionDraft) -> DeletionVerdict {
        or_trap(with_plugin(|plugin: &T| plugin.before_delete(draft)))
    }
}

impl<T: MembershipHooks> bindings::membership_hooks::Guest for Exported<T> {
    fn before_join(draft: JoinDraft) -> JoinVerdict {
        or_trap(with_plugin(|plugin: &T| plugin.before_join(draft)))
    }

    fn before_conversation_create(draft: ConversationDraft) -> ConversationVerdict {
        or_trap(with_plugin(|plugin: &T| plugin.before_conversation_create(draft)))
    }
}

impl<T: EventHooks> bindings::event_hooks::Guest for Exported<T> {
    fn on_events(batch: EventBatch) -> Result<(), String> {
        in_words(with_plugin(|plugin: &T| plugin.on_events(batch)))
    }
}

impl<T: AnswerHooks> bindings::answer_hooks::Guest for Exported<T> {
    fn on_answer(answer: Answer) -> Result<(), String> {
        in_words(with_plugin(|plugin: &T| plugin.on_answer(answer)))
    }
}

impl<T: ScheduleHooks> bindings::schedule_hooks::Guest for Exported<T> {
    fn run(run: ScheduledRun) -> Result<Slice, String> {
        in_words(with_plugin(|plugin: &T| plugin.run_schedule(run)))
    }
}

impl<T: CommandHooks> bindings::command_hooks::Guest for Exported<T> {
    fn run(call: CommandCall) -> Result<CommandReply, Refusal> {
        match or_trap(with_plugin(|plugin: &T| plugin.run_command(call))) {
            CommandAnswer::Reply(reply) => Ok(reply),
            CommandAnswer::Refuse(refusal) => Err(refusal),
        }
    }
}

impl<T: GraphqlHooks> bindings::graphql_hooks::Guest for Exported<T> {
    fn resolve(call: FieldCall) -> Vec<Result<String, String>> {
        let values = or_trap(with_plugin(|plugin: &T| plugin.resolve(call)));
        values.into_iter().map(|value| in_words(value.map(|value| value.to_string()))).collect()
    }

    fn mutate(call: MutationCall) -> Result<String, Refusal> {
        match or_trap(with_plugin(|plugin: &T| plugin.mutate(call))) {
            MutationAnswer::Done(payload) => Ok(payload.to_string()),
            MutationAnswer::Refuse(refusal) => Err(refusal),
        }
    }
}

impl<T: LifecycleHooks> bindings::lifecycle_hooks::Guest for Exported<T> {
    fn install(resume: Option<String>) -> Result<Slice, String> {
        in_words(with_plugin(|plugin: &T| plugin.install(resume)))
    }

    fn upgrade(earlier: Earlier, resume: Option<String>) -> Result<Slice, String> {
        in_words(with_plugin(|plugin: &T| plugin.upgrade(earlier, resume)))
    }

    fn enable() -> Result<(), String> {
        in_words(with_plugin(T::enable))
    }

    fn disable() -> Result<(), String> {
        in_words(with_plugin(T::disable))
    }

    fn validate_configuration(configuration: String) -> Result<(), Vec<ConfigurationProblem>> {
        validate_configuration::<T>(&configuration)
    }

    fn configuration_changed() -> Result<(), String> {
        in_words(with_plugin(T::configuration_changed))
    }
}

pub(crate) fn validate_configuration<T: LifecycleHooks>(text: &str) -> Result<(), Vec<ConfigurationProblem>> {
    tell_of_panics();
    let problems = match serde_json::from_str::<T>(text) {
        Ok(plugin) => plugin.validate(),
        Err(error) => vec![ConfigurationProblem::new("", error.to_string())],
    };
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

thread_local! {
    /// The plugin as it was read last, and what it was read from. An instance may be called again under the same
    /// configuration, and reading a long list of words would be most of the work.
    static PLUGIN: RefCell<Option<(String, Rc<dyn Any>)>> = const { RefCell::new(None) };
}

/// Reads the configuration that is in force and calls a hook with it.
pub(crate) fn with_plugin<T: Plugin, R>(hook: impl FnOnce(&T) -> Result<R>) -> Result<R> {
    tell_of_panics();
    let text = config::text();
    let kept = PLUGIN.with_borrow(|kept| {
        let (from, plugin) = kept.as_ref()?;
        (*from == text).then(|| Rc::clone(plugin).downcast::<T>().ok()).flatten()
    });
    if let Some(plugin) = kept {
        return hook(&plugin);
    }
    let plugin: T = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("the configuration does not fit the plugin: {error}")))?;
    let plugin = Rc::new(plugin);
    PLUGIN.set(Some((text, plugin.clone())));
    hook(&plugin)
}

/// A before-hook has no error to answer: it fails by a trap, and the words are in the log.
fn or_trap<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|failure| panic!("{failure}"))
}

fn in_words<T>(result: Result<T>) -> Result<T, String> {
    result.map_err(|failure| failure.to_string())
}

/// A panic is a trap, which has no words. So they go to the log of the plugin before.
#[cfg(target_arch = "wasm32")]
fn tell_of_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| crate::capabilities::log::error(panic))));
}

#[cfg(not(target_arch = "wasm32"))]
fn tell_of_panics() {}
