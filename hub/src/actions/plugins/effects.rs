//! What plugins leave: made ready to be committed, and what they had to say kept for the admins.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, JobId, MessageId, Rejection, RequestId, WorkspaceId,
    messages::{CheckedMessage, ContentType, Location, MessageDraft, MessageKind},
    plugins::{Effect, Hook, Issued, LogLevel, LogLine, MentionTarget, NewMessage, PluginId, Refusal},
    users::User,
};
use jackfield_plugin_host::{Decision, hooks::BeforeCreate};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::Core,
    Here, before,
    here::Local,
    occasion,
    verdicts::{self, About},
};
use crate::{
    Error, Result,
    actions::{Viewer, memory, presence},
    store::{CommitIssued, DataChange, Effects, FromPlugins, NewRequest, Outgoing, TOO_MANY_REQUESTS, Timer},
};

/// A draft as it is kept while it is held.
#[derive(Serialize, Deserialize)]
struct Written {
    conversation: ConversationId,
    kind: MessageKind,
    content: ContentType,
    body: String,
    location: Option<(f64, f64, Option<String>)>,
    metadata: Option<Value>,
    reply_to: Option<MessageId>,
}

/// A draft as text. Its sender's own name for it is kept elsewhere.
pub fn written(draft: &MessageDraft) -> Result<String> {
    let written = Written {
        conversation: draft.conversation,
        kind: draft.kind,
        content: draft.content,
        body: draft.body.clone(),
        location: draft.location.as_ref().map(|place| (place.latitude, place.longitude, place.label.clone())),
        metadata: draft.metadata.clone(),
        reply_to: draft.reply_to,
    };
    serde_json::to_string(&written).map_err(Error::internal)
}

/// The other way round.
pub fn read(text: &str) -> Result<MessageDraft> {
    let written: Written = serde_json::from_str(text).map_err(Error::internal)?;
    Ok(MessageDraft {
        conversation: written.conversation,
        kind: written.kind,
        content: written.content,
        body: written.body,
        location: written.location.map(|(latitude, longitude, label)| Location { latitude, longitude, label }),
        metadata: written.metadata,
        reply_to: written.reply_to,
        client_message_id: None,
    })
}

/// What a hook issued, ready to be committed: its posts have passed the rules, and the other plugins. Those that have not are left
/// out.
pub async fn prepared(
    core: &Arc<Core>,
    here: &Here,
    local: &Local,
    workspace: WorkspaceId,
    issued: Issued,
) -> Result<(FromPlugins, Effects)> {
    let (plugins, effects, refused) = checked(core, here, local, workspace, None, issued).await?;
    refused_of(core, workspace, local.id(), &refused);
    Ok((plugins, effects))
}

/// The same where somebody waits for it, who is told where a post has not passed. What is posted they have said: the other plugins are
/// asked about it as about their words.
pub async fn awaited(
    core: &Arc<Core>,
    here: &Here,
    local: &Local,
    viewer: &Viewer,
    issued: Issued,
) -> Result<CommitIssued> {
    let workspace = viewer.workspace();
    let (mut data, effects, refused) = checked(core, here, local, workspace, Some(viewer.user()), issued).await?;
    let (plugin, bot, at) = (local.id().clone(), local.row.bot, core.clock.now());
    let Some(why) = refused.into_iter().next() else {
        return Ok(CommitIssued { workspace, plugin, bot, at, data, effects, is_awaited: true });
    };
    // What others noted of it counts all the same.
    data.data.retain(|change| change.plugin != plugin);
    before::keep(core, workspace, data).await?;
    Err(why.into())
}

/// And which posts were refused.
async fn checked(
    core: &Arc<Core>,
    here: &Here,
    local: &Local,
    workspace: WorkspaceId,
    speaker: Option<&User>,
    issued: Issued,
) -> Result<(FromPlugins, Effects, Vec<Rejection>)> {
    let mut plugins = FromPlugins::default();
    if !issued.operations.is_empty() {
        let (plugin, most) = (local.id().clone(), local.limits(core.plugins.limits).storage_bytes);
        plugins.data.push(DataChange { workspace, plugin, operations: issued.operations, most });
    }
    let (mut effects, mut refused) = (Effects::default(), Vec::new());
    for effect in issued.effects {
        match effect {
            Effect::Annotate { message, value } => effects.annotations.push((message, value)),
            Effect::Mention { message, targets } => effects.mentions.push((message, targets)),
            Effect::Post(message) => match post(core, here, local, speaker, message, &mut plugins).await {
                Ok(outgoing) => effects.posts.push(outgoing),
                Err(Error::Rejected(why)) => refused.push(why),
                Err(error) => return Err(error),
            },
            Effect::Notify(notice) => effects.notices.push(notice),
            Effect::Trim(trim) => effects.trims.push(trim),
            Effect::Request { request, tag } => {
                effects.requests.push(NewRequest { id: RequestId(core.clock.new_id()), request, tag });
            }
            Effect::RunAt { schedule, at } => {
                effects.timers.push(Timer { schedule, at, job: JobId(core.clock.new_id()) });
            }
        }
    }
    if effects.mentions.iter().any(|(_, targets)| targets.contains(&MentionTarget::Online)) {
        effects.online = presence::people(core, workspace);
    }
    effects.within = local.ready.as_ref().and_then(|plugin| plugin.grants.conversations.clone());
    Ok((plugins, effects, refused))
}

/// Once what a hook issued is committed, has this node look at its jobs, where it wants to be called at a time, and at its requests.
pub struct Waking<'a> {
    core: &'a Core,
    has_timers: bool,
    has_requests: bool,
}

impl<'a> Waking<'a> {
    pub fn of(core: &'a Core, effects: &Effects) -> Self {
        Waking { core, has_timers: !effects.timers.is_empty(), has_requests: !effects.requests.is_empty() }
    }
}

impl Drop for Waking<'_> {
    fn drop(&mut self) {
        if self.has_timers {
            self.core.jobs.notify_one();
        }
        if self.has_requests {
            self.core.plugins.requested.notify_one();
        }
    }
}

/// Tells the admins what was refused of what a plugin wanted.
pub fn refused_of(core: &Core, workspace: WorkspaceId, plugin: &PluginId, refused: &[Rejection]) {
    for why in refused {
        match why {
            Rejection::TooMany { what: TOO_MANY_REQUESTS, .. } => {
                left_out(core, workspace, plugin, &format!("requests: {why}"));
            }
            why => left_out(core, workspace, plugin, &format!("a post: {why}")),
        }
    }
}

/// Tells the admins what of what a plugin wanted was not done.
pub fn left_out(core: &Core, workspace: WorkspaceId, plugin: &PluginId, what: &str) {
    tracing::info!(%plugin, what, "what a plugin wanted was left out");
    let line = LogLine { at: core.clock.now(), level: LogLevel::Warn, text: format!("left out: {what}") };
    core.plugins.journal.note(core, workspace, plugin, &[line]);
}

/// A message of the plugin's bot user, by the rules that hold for anybody. What other plugins note of one that they refuse, and that
/// they do, goes to `refused`, to be committed all the same.
async fn post(
    core: &Arc<Core>,
    here: &Here,
    local: &Local,
    speaker: Option<&User>,
    message: NewMessage,
    refused: &mut FromPlugins,
) -> Result<Outgoing> {
    let (bot, workspace) = (local.row.bot, local.row.workspace);
    let bot = bot.ok_or(Rejection::NotAllowed { who: "a plugin with a bot user" })?;
    let sender = core.store.users(&[bot]).await?.pop().ok_or_else(|| Error::internal("a plugin's bot user is gone"))?;
    let speaker = speaker.unwrap_or(&sender);
    let policy = memory::workspace(core, workspace).await?.policy.clone();
    let metadata = message.metadata.as_deref().map(serde_json::from_str).transpose();
    let draft = MessageDraft {
        conversation: message.conversation,
        kind: message.kind,
        content: ContentType::Plain,
        body: message.body,
        location: None,
        metadata: metadata.map_err(|_| Rejection::Invalid { field: "metadata", expected: "a JSON object" })?,
        reply_to: message.reply_to,
        client_message_id: None,
    };
    let mut checked = CheckedMessage::check(draft.clone(), &policy)?;
    let (id, at) = (message.id, core.clock.now());
    let mut plugins = FromPlugins { posts: true, ..FromPlugins::default() };
    if let Some(chain) = here.chain(Some(draft.conversation), Hook::BeforeCreate) {
        let others = chain.links().iter().filter(|link| link.plugin != *local.id()).cloned().collect();
        let others = jackfield_plugin_host::Chain::new(others);
        let about = About { workspace, user: speaker.id, conversation: Some(draft.conversation), message: Some(id) };
        let question = BeforeCreate::new(draft, speaker);
        let mut asked = others.ask(&core.plugins.host, &occasion(core, workspace, at), question).await;
        before::note(core, workspace, &asked.steps).await;
        // Nobody waits for what a plugin posts.
        if let Decision::Hold { by, reason } = asked.decision {
            let refusal = Refusal { code: "HELD".to_owned(), reason };
            asked.decision = Decision::Reject { by, refusal };
        }
        let left = verdicts::left(core, &about, &others, &asked).unwrap_or_default();
        let outcome = match asked.decision {
            Decision::Allow => CheckedMessage::check(asked.question.into_draft(), &policy),
            Decision::Reject { by, refusal } => Err(Rejection::RefusedByPlugin { plugin: by, refusal }),
            Decision::Hold { by, .. } | Decision::Unavailable { by } => Err(before::unavailable(by)),
        };
        match outcome {
            Ok(patched) => (checked, plugins) = (patched, FromPlugins { posts: true, ..left }),
            Err(why) => {
                refused.data.extend(left.data);
                refused.verdicts.extend(left.verdicts);
                return Err(why.into());
            }
        }
    }
    Ok(Outgoing { id, workspace, sender: bot, at, message: checked, plugins: Some(Box::new(plugins)) })
}
