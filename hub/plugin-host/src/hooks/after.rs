//! What is told after it has happened, asked for by name, due, or about the plugin itself.

use jackfield_domain::{
    ConversationId, Event, Fact, Timestamp, UserId,
    plugins::{Hook, Refusal, Slice},
    users::User,
};

use super::{Ask, reported};
use crate::{
    bridge::WholeMessage,
    convert,
    live::Live,
    wit::exports::jackfield::plugin::{
        command_hooks as commands, event_hooks as events, lifecycle_hooks as lifecycle, schedule_hooks as schedule,
    },
};

/// What a plugin leaves to be resumed has at most so many bytes.
const RESUME_MAX: usize = 64 << 10;

/// An event as a plugin is to be told it.
pub struct ToldEvent<'a> {
    pub event: &'a Event,
    /// The message as it stands now, where the plugin may read it.
    pub message: Option<&'a WholeMessage>,
    /// What else there is to say of events of this kind, as a JSON object.
    pub payload: Option<String>,
    /// How many plugins' deeds it answers to.
    pub depth: u8,
}

/// These things have happened.
pub struct OnEvents(pub(crate) events::EventBatch);

impl OnEvents {
    /// `attempt` is 1 at first.
    pub fn new(told: &[ToldEvent<'_>], attempt: u32) -> Self {
        OnEvents(events::EventBatch { events: told.iter().map(event).collect(), attempt })
    }
}

fn event(told: &ToldEvent<'_>) -> events::Event {
    let ToldEvent { event, message, payload, depth } = told;
    let fact = &event.fact;
    events::Event {
        position: event.position.0.unsigned_abs(),
        at: event.at.0,
        kind: fact.kind().as_str().to_owned(),
        actor: event.actor.map(|user| user.to_string()),
        conversation: fact.conversation().map(|id| id.to_string()),
        message_id: message_of(fact).map(|id| id.to_string()),
        message: message.map(convert::message),
        users: users_of(fact).iter().map(ToString::to_string).collect(),
        payload: payload.clone(),
        depth: *depth,
    }
}

fn message_of(fact: &Fact) -> Option<jackfield_domain::MessageId> {
    match fact {
        Fact::MessageSent { message, .. }
        | Fact::MentionsUpdated { message, .. }
        | Fact::AnnotationChanged { message, .. } => Some(*message),
        _ => fact.changed_message(),
    }
}

fn users_of(fact: &Fact) -> Vec<UserId> {
    match fact {
        Fact::ConversationCreated { members, .. }
        | Fact::ConversationMembersAdded { members, .. }
        | Fact::ConversationMembersRemoved { members, .. } => members.clone(),
        Fact::BlocksUpdated { user, other } => vec![*user, *other],
        Fact::UserJoined { user }
        | Fact::UserUpdated { user }
        | Fact::UserDeactivated { user }
        | Fact::PreferencesUpdated { user }
        | Fact::SessionStarted { user, .. }
        | Fact::SessionEnded { user, .. }
        | Fact::BotTokenRevoked { user, .. }
        | Fact::ConversationMemberUpdated { user, .. }
        | Fact::ConversationLeft { user, .. }
        | Fact::ConversationSettingsUpdated { user, .. }
        | Fact::MessageHidden { user, .. }
        | Fact::MessageHeld { user, .. }
        | Fact::HeldMessageDecided { user, .. }
        | Fact::ReceiptsAdvanced { user, .. } => vec![*user],
        Fact::MentionsUpdated { users, .. } => users.clone(),
        Fact::WorkspaceCreated
        | Fact::WorkspaceUpdated
        | Fact::WorkspaceClosed
        | Fact::PluginEvent { .. }
        | Fact::AnnotationChanged { .. }
        | Fact::MessagesTrimmed { .. }
        | Fact::ConversationUpdated { .. }
        | Fact::MessageSent { .. }
        | Fact::MessageEdited { .. }
        | Fact::MessageDeleted { .. } => Vec::new(),
    }
}

impl Ask for OnEvents {
    type Answer = ();
    const HOOK: Hook = Hook::OnEvents;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<()> {
        let (hooks, store) = live.events().await?;
        hooks.call_on_events(store, &self.0).await?.map_err(|what| reported(&what))
    }
}

/// A piece of work is due.
pub struct RunSchedule(pub(crate) schedule::ScheduledRun);

impl RunSchedule {
    /// `resume` is what the slice before this one left, `attempt` is 1 at first.
    pub fn new(schedule: &str, due_at: Timestamp, resume: Option<String>, attempt: u32) -> Self {
        RunSchedule(schedule::ScheduledRun { schedule: schedule.to_owned(), due_at: due_at.0, resume, attempt })
    }
}

impl Ask for RunSchedule {
    type Answer = Slice;
    const HOOK: Hook = Hook::Schedule;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Slice> {
        let (hooks, store) = live.schedule().await?;
        slice(hooks.call_run(store, &self.0).await?)
    }
}

fn slice(answer: Result<schedule::Slice, String>) -> wasmtime::Result<Slice> {
    match convert::slice(answer.map_err(|what| reported(&what))?) {
        Slice::More(resume) if resume.len() > RESUME_MAX => Err(super::bad_answer(format!(
            "it wants to go on from {} bytes, at most {RESUME_MAX} are kept",
            resume.len()
        ))),
        slice => Ok(slice),
    }
}

/// The value of a command's argument, of the kind that the manifest gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum ArgumentValue {
    Text(String),
    Number(f64),
    Flag(bool),
    User(UserId),
    Conversation(ConversationId),
}

/// Somebody runs a command.
pub struct RunCommand(pub(crate) commands::CommandCall);

/// What a viewer is answered has at most so many bytes.
const REPLY_MAX: usize = 64 << 10;

/// What the viewer is answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Markdown.
    pub text: Option<String>,
}

impl RunCommand {
    pub fn new(
        command: &str,
        viewer: &User,
        conversation: Option<ConversationId>,
        arguments: Vec<(String, ArgumentValue)>,
    ) -> Self {
        let argument = |(name, value)| {
            let value = match value {
                ArgumentValue::Text(text) => commands::ArgumentValue::Text(text),
                ArgumentValue::Number(number) => commands::ArgumentValue::Number(number),
                ArgumentValue::Flag(flag) => commands::ArgumentValue::Flag(flag),
                ArgumentValue::User(id) => commands::ArgumentValue::User(id.to_string()),
                ArgumentValue::Conversation(id) => commands::ArgumentValue::Conversation(id.to_string()),
            };
            commands::Argument { name, value }
        };
        RunCommand(commands::CommandCall {
            command: command.to_owned(),
            viewer: convert::user(viewer),
            conversation: conversation.map(|id| id.to_string()),
            arguments: arguments.into_iter().map(argument).collect(),
        })
    }
}

impl Ask for RunCommand {
    type Answer = Result<Reply, Refusal>;
    const HOOK: Hook = Hook::Command;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Self::Answer> {
        let (hooks, store) = live.commands().await?;
        Ok(match hooks.call_run(store, &self.0).await? {
            Ok(reply) => match reply.text {
                Some(text) if text.len() > REPLY_MAX => {
                    let what = format!("it answers {} bytes, at most {REPLY_MAX} are handed on", text.len());
                    return Err(super::bad_answer(what));
                }
                text => Ok(Reply { text }),
            },
            Err(refusal) => Err(convert::refusal(refusal).map_err(super::bad_answer)?),
        })
    }
}

/// It is switched on here for the first time.
pub struct Install {
    pub resume: Option<String>,
}

impl Ask for Install {
    type Answer = Slice;
    const HOOK: Hook = Hook::Install;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Slice> {
        let (hooks, store) = live.lifecycle().await?;
        slice(hooks.call_install(store, self.resume.as_deref()).await?)
    }
}

/// The data was written by another version.
pub struct Upgrade {
    pub version: semver::Version,
    pub data_version: u32,
    pub resume: Option<String>,
}

impl Ask for Upgrade {
    type Answer = Slice;
    const HOOK: Hook = Hook::Upgrade;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Slice> {
        let (hooks, store) = live.lifecycle().await?;
        let earlier = lifecycle::Earlier { version: self.version.to_string(), data_version: self.data_version };
        slice(hooks.call_upgrade(store, &earlier, self.resume.as_deref()).await?)
    }
}

/// It is switched on.
pub struct Enable;

impl Ask for Enable {
    type Answer = ();
    const HOOK: Hook = Hook::Enable;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<()> {
        let (hooks, store) = live.lifecycle().await?;
        hooks.call_enable(store).await?.map_err(|what| reported(&what))
    }
}

/// It was switched off.
pub struct Disable;

impl Ask for Disable {
    type Answer = ();
    const HOOK: Hook = Hook::Disable;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<()> {
        let (hooks, store) = live.lifecycle().await?;
        hooks.call_disable(store).await?.map_err(|what| reported(&what))
    }
}

/// May this be its configuration? Nothing that it issues is ever committed.
pub struct ValidateConfiguration {
    /// A JSON object that fits the schema.
    pub configuration: String,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A JSON pointer.
    pub path: String,
    pub message: String,
}

impl Ask for ValidateConfiguration {
    /// Nothing is wrong where there are none.
    type Answer = Vec<Problem>;
    const HOOK: Hook = Hook::ValidateConfiguration;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Vec<Problem>> {
        let (hooks, store) = live.lifecycle().await?;
        let answer = hooks.call_validate_configuration(store, &self.configuration).await?;
        let problem = |problem: lifecycle::ConfigurationProblem| Problem {
            path: convert::cut(&problem.path),
            message: convert::cut(&problem.message),
        };
        match answer {
            Ok(()) => Ok(Vec::new()),
            Err(problems) if problems.is_empty() => {
                Err(super::bad_answer("it says no and does not say why".to_owned()))
            }
            Err(problems) => Ok(problems.into_iter().take(100).map(problem).collect()),
        }
    }
}

/// Another configuration is in force.
pub struct ConfigurationChanged;

impl Ask for ConfigurationChanged {
    type Answer = ();
    const HOOK: Hook = Hook::ConfigurationChanged;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<()> {
        let (hooks, store) = live.lifecycle().await?;
        hooks.call_configuration_changed(store).await?.map_err(|what| reported(&what))
    }
}
