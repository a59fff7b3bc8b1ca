//! A hub for tests: what a plugin asks of the hub, and what it does there, without a hub and without WebAssembly.
//!
//! It keeps the contract where a plugin could rely on it or run into it: what may be done from which hook, that what a
//! failed hook issued is not done, that a conversation's members are its members. How long something takes it does not
//! know; the [`PluginHarness`](crate::harness::PluginHarness) runs the component itself.

mod calls;
pub(crate) mod host;
mod servers;
mod state;

use std::{cell::RefCell, marker::PhantomData};

use serde_json::{Value, json};

use crate::{
    Result,
    bindings::capabilities::{log::Level, mentions::Target, messages::NewMessage, notices::Notice},
    capabilities::types::{
        Body, Conversation, ConversationKind, ConversationRole, ConversationStatus, Member, Message, MessageKind, User,
        UserStatus, WorkspaceRole,
    },
    hooks::{
        ConfigurationProblem, EditDraft, Event, FieldCall, LifecycleHooks, MessageDraft, MutationCall, Plugin,
        ScheduledRun, validate_configuration, with_plugin,
    },
};
pub(crate) use calls::capability;
use state::{Mode, State};

thread_local! {
    static HUB: RefCell<Option<State>> = const { RefCell::new(None) };
}

/// What happens in the hub of this thread.
fn hub<R>(what: impl FnOnce(&mut State) -> R) -> R {
    HUB.with_borrow_mut(|hub| {
        what(hub.as_mut().expect("a capability was used without a hub: let hub = MockHub::new() comes first"))
    })
}

/// A hub with one workspace and nobody in it. It belongs to the thread, which is the test, and there is one at a time.
/// Everything in it is granted; the clock stands still until it is told to go on; ids are the same in each run.
pub struct MockHub {
    /// It is where its thread is.
    here: PhantomData<*const ()>,
}

impl Default for MockHub {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for MockHub {
    fn drop(&mut self) {
        HUB.take();
    }
}

impl MockHub {
    /// A new one, instead of the one there was.
    pub fn new() -> Self {
        HUB.set(Some(State::default()));
        Self { here: PhantomData }
    }

    /// Sets the configuration of the plugin.
    pub fn configure(&self, configuration: Value) {
        hub(|state| state.configuration = configuration);
    }

    /// Lets time pass.
    pub fn pass_seconds(&self, seconds: i64) {
        hub(|state| state.now += seconds * 1000);
    }

    /// What time it is.
    pub fn now(&self) -> i64 {
        hub(|state| state.now)
    }

    /// Takes a capability (`kv`, `messages.read` …) away from the plugin.
    pub fn deny(&self, capability: &str) {
        hub(|state| state.denied.insert(capability.to_owned()));
    }

    /// Entrusts a secret to the plugin.
    pub fn entrust(&self, name: &str, secret: &str) {
        hub(|state| state.secrets.insert(name.to_owned(), secret.to_owned()));
    }

    /// Somebody new, a member of the workspace.
    pub fn user(&self, name: &str) -> User {
        self.user_as(name, WorkspaceRole::Member)
    }

    /// Somebody new in another role.
    pub fn user_as(&self, name: &str, role: WorkspaceRole) -> User {
        hub(|state| {
            let id = state.id("usr");
            let user = User { id, name: name.to_owned(), role, status: UserStatus::Active, created_at: state.now };
            state.users.insert(user.id.clone(), user.clone());
            user
        })
    }

    /// A group of these people, the first of whom made it.
    pub fn conversation(&self, people: &[&User]) -> Conversation {
        hub(|state| {
            let now = state.now;
            let members = people.iter().enumerate().map(|(place, user)| Member {
                user: (*user).clone(),
                role: if place == 0 { ConversationRole::Owner } else { ConversationRole::Member },
                joined_at: now,
            });
            let members = members.map(|member| (member.user.id.clone(), member)).collect();
            let conversation = Conversation {
                id: state.id("conv"),
                kind: ConversationKind::Group,
                status: ConversationStatus::Active,
                title: None,
                description: None,
                context: None,
                creator: people.first().map(|user| user.id.clone()).unwrap_or_default(),
                member_count: u32::try_from(people.len()).unwrap_or(u32::MAX),
                last_sequence: 0,
                created_at: now,
                last_activity_at: now,
            };
            state.members.insert(conversation.id.clone(), members);
            state.conversations.insert(conversation.id.clone(), conversation.clone());
            conversation
        })
    }

    /// Somebody new, alone in a new group.
    pub fn conversation_of(&self, name: &str) -> (User, Conversation) {
        let user = self.user(name);
        let conversation = self.conversation(&[&user]);
        (user, conversation)
    }

    /// What somebody wants to say somewhere, as a before-hook gets it.
    pub fn draft(&self, sender: &User, conversation: &Conversation, text: &str) -> MessageDraft {
        MessageDraft {
            conversation: conversation.id.clone(),
            sender: sender.clone(),
            kind: MessageKind::Text,
            body: Body::Plain(text.to_owned()),
            location: None,
            metadata: None,
            reply_to: None,
        }
    }

    /// What somebody wants a message to say instead.
    pub fn edit_draft(&self, message: &Message, text: &str) -> EditDraft {
        let editor = hub(|state| state.users.get(&message.sender).cloned()).expect("the sender is one of the users");
        EditDraft { message: message.clone(), editor, body: Body::Plain(text.to_owned()) }
    }

    /// A message that was sent. No hook has been asked.
    pub fn message(&self, sender: &User, conversation: &Conversation, text: &str) -> Message {
        hub(|state| {
            let (id, now) = (state.id("msg"), state.now);
            let conversation = state.conversations.get_mut(&conversation.id).expect("the conversation is this hub's");
            conversation.last_sequence += 1;
            conversation.last_activity_at = now;
            let message = Message {
                id,
                conversation: conversation.id.clone(),
                sequence: conversation.last_sequence,
                sender: sender.id.clone(),
                kind: MessageKind::Text,
                body: Body::Plain(text.to_owned()),
                location: None,
                metadata: None,
                reply_to: None,
                created_at: now,
                edited_at: None,
                deleted_at: None,
            };
            state.messages.insert(message.id.clone(), message.clone());
            message
        })
    }

    /// Changes what a message says, and answers it as it stands then.
    pub fn edit(&self, message: &Message, text: &str) -> Message {
        hub(|state| {
            let now = state.now;
            let message = state.messages.get_mut(&message.id).expect("the message is this hub's");
            message.body = Body::Plain(text.to_owned());
            message.edited_at = Some(now);
            message.clone()
        })
    }

    /// Puts all messages of a conversation, or of a user, on legal hold.
    pub fn hold(&self, id: &str) {
        hub(|state| state.on_hold.insert(id.to_owned()));
    }

    /// The words of the messages of a conversation that somebody may see, in their order.
    pub fn history(&self, conversation: &Conversation) -> Vec<String> {
        hub(|state| in_order(state.messages.values(), conversation))
    }

    /// The words of those that are hidden from everybody.
    pub fn hidden(&self, conversation: &Conversation) -> Vec<String> {
        hub(|state| in_order(state.trimmed.values().map(|(message, _)| message), conversation))
    }

    /// Deletes a message for everyone. No hook has been asked.
    pub fn delete(&self, message: &Message) {
        hub(|state| {
            let now = state.now;
            let message = state.messages.get_mut(&message.id).expect("the message is this hub's");
            message.body = Body::Plain(String::new());
            message.deleted_at = Some(now);
            state.annotations.remove(&message.id);
            state.mentions.remove(&message.id);
        });
    }

    /// An event about a message, such as `message_sent`, by its sender.
    pub fn event(&self, kind: &str, message: &Message) -> Event {
        hub(|state| Event {
            position: state.number(),
            at: state.now,
            kind: kind.to_owned(),
            actor: Some(message.sender.clone()),
            conversation: Some(message.conversation.clone()),
            message_id: Some(message.id.clone()),
            message: state.messages.get(&message.id).cloned(),
            users: Vec::new(),
            payload: None,
            depth: 0,
        })
    }

    /// A field that somebody asks for, such as `Message.poll`, of the things with these ids; of one empty id where it is one of
    /// `Query`. Nothing is said of what is asked for within it.
    pub fn field_call(&self, viewer: &User, field: &str, arguments: &Value, objects: &[&str]) -> FieldCall {
        let (parent, field) = field.split_once('.').expect("a field is named with what it was added to: Message.poll");
        FieldCall {
            parent: parent.to_owned(),
            field: field.to_owned(),
            arguments: arguments.to_string(),
            objects: objects.iter().map(|object| (*object).to_owned()).collect(),
            selected: Vec::new(),
            viewer: viewer.clone(),
        }
    }

    /// Something that somebody wants done by a field of `Mutation`, with this `input`.
    pub fn mutation_call(&self, viewer: &User, field: &str, input: &Value) -> MutationCall {
        let arguments = json!({ "input": input }).to_string();
        MutationCall { field: field.to_owned(), arguments, viewer: viewer.clone() }
    }

    /// Runs a hook that only looks, as [`GraphqlHooks::resolve`](crate::hooks::GraphqlHooks::resolve) does: nothing of what it
    /// does is done.
    pub fn looking<P: Plugin, R>(&self, hook: impl FnOnce(&P) -> Result<R>) -> Result<R> {
        let before = hub(|state| state.clone());
        let answer = call(Mode::Before, || with_plugin(hook));
        hub(|state| {
            let log = std::mem::take(&mut state.log);
            *state = State { log, ..before };
        });
        answer
    }

    /// Runs a before-hook: it may read, and change key-value data, which is committed whatever it answers.
    pub fn before<P: Plugin, R>(&self, hook: impl FnOnce(&P) -> Result<R>) -> Result<R> {
        call(Mode::Before, || with_plugin(hook))
    }

    /// Runs any other hook: what it does is done when it returns, and not when it fails.
    pub fn after<P: Plugin, R>(&self, hook: impl FnOnce(&P) -> Result<R>) -> Result<R> {
        call(Mode::After, || with_plugin(hook))
    }

    /// Has the plugin look at a configuration, as when an admin wants to change it.
    pub fn validate<P: LifecycleHooks>(&self, configuration: &Value) -> Result<(), Vec<ConfigurationProblem>> {
        let before = hub(|state| state.clone());
        let answer = validate_configuration::<P>(&configuration.to_string());
        hub(|state| *state = before);
        answer
    }

    /// Puts something under a key of the plugin, as if the plugin had.
    pub fn keep(&self, key: &str, value: &Value) {
        hub(|state| state.keep(key, value.to_string().as_bytes(), None));
    }

    /// What stands under a key of the plugin.
    pub fn kept(&self, key: &str) -> Option<Value> {
        let value = hub(|state| state.kept(key))?;
        Some(serde_json::from_slice(&value).expect("what the SDK keeps is JSON"))
    }

    /// The keys under which the plugin keeps something, in their order.
    pub fn keys(&self) -> Vec<String> {
        hub(|state| state.kv.keys().filter(|key| state.kept(key).is_some()).cloned().collect())
    }

    /// When the plugin wants one of its schedules to run.
    pub fn timer(&self, schedule: &str) -> Option<i64> {
        hub(|state| state.timers.get(schedule).copied())
    }

    /// The run of a schedule whose time, as the plugin wanted it, has come; none where it has not.
    pub fn due(&self, schedule: &str) -> Option<ScheduledRun> {
        hub(|state| {
            let due_at = state.timers.get(schedule).copied().filter(|at| *at <= state.now)?;
            state.timers.remove(schedule);
            Some(ScheduledRun { schedule: schedule.to_owned(), due_at, resume: None, attempt: 1 })
        })
    }

    /// Whom a message mentions, as the plugin said last.
    pub fn mentioned(&self, message: &Message) -> Vec<Target> {
        hub(|state| state.mentions.get(&message.id).cloned().unwrap_or_default())
    }

    /// What the plugin attached to a message.
    pub fn annotation(&self, message: &Message) -> Option<Value> {
        let text = hub(|state| state.annotations.get(&message.id).cloned())?;
        Some(serde_json::from_str(&text).expect("what the SDK attaches is JSON"))
    }

    /// What the plugin posted, the oldest first.
    pub fn posts(&self) -> Vec<NewMessage> {
        hub(|state| state.posts.clone())
    }

    /// Of what the plugin gave notice, the oldest first.
    pub fn notices(&self) -> Vec<Notice> {
        hub(|state| state.notices.clone())
    }

    /// What the plugin has logged, the oldest first.
    pub fn logged(&self) -> Vec<(Level, String)> {
        hub(|state| state.log.clone())
    }
}

fn in_order<'m>(messages: impl Iterator<Item = &'m Message>, conversation: &Conversation) -> Vec<String> {
    let mut found: Vec<&Message> = messages.filter(|message| message.conversation == conversation.id).collect();
    found.sort_by_key(|message| message.sequence);
    found.into_iter().map(|message| message.text().to_owned()).collect()
}

/// What of the hub a component does not ask for, and whoever runs it has to know.
pub(crate) fn surroundings() -> Value {
    hub(|state| {
        let storage_bytes: usize = state.kv.iter().map(|(key, (value, _))| key.len() + value.len()).sum();
        json!({
            "configuration": state.configuration,
            "denied": state.denied,
            "secrets": state.secrets,
            "storage_bytes": storage_bytes,
        })
    })
}

/// Runs a hook that is called from elsewhere.
pub(crate) fn run<R>(is_before: bool, hook: impl FnOnce() -> Result<R>) -> Result<R> {
    call(if is_before { Mode::Before } else { Mode::After }, hook)
}

/// Begins a call, and ends it as it ended.
fn call<R>(mode: Mode, hook: impl FnOnce() -> Result<R>) -> Result<R> {
    let before = hub(|state| {
        state.mode = mode;
        state.effects = 0;
        (state.trims, state.sent, state.fetched) = (0, 0, 0);
        state.clone()
    });
    let answer = hook();
    hub(|state| {
        if answer.is_err() {
            let log = std::mem::take(&mut state.log);
            *state = State { log, ..before };
        }
        state.mode = Mode::None;
    });
    answer
}
