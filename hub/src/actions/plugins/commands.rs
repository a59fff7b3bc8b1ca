//! What people ask plugins to do by name. The plugin acts with the viewer's eyes, and no further than the viewer could.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jackfield_domain::{
    ConversationId, MessageId, Rejection, UserId,
    conversations::ConversationStatus,
    plugins::{Audience, Effect, FailureKind, Issued, PluginId, Ran},
    text,
};
use jackfield_plugin_host::{
    Manifest, Occasion,
    hooks::{ArgumentValue, RunCommand},
    manifest::Command,
};
pub use jackfield_plugin_host::{
    hooks::Reply,
    manifest::{Argument, ArgumentKind},
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::{
    super::Core,
    Here,
    aside::{self, Asked},
    before::Tries,
    effects::{self, Waking},
    here::Local,
    occasion,
};
use crate::{
    Error, Result,
    actions::Viewer,
    store::{CommitCommand, SweepCommandRuns},
};

/// So many commands run at once on one node, so that they leave room for those whom somebody waits for in line.
const AT_ONCE: usize = 16;
/// So many of one plugin, so that one that takes its time leaves room for others.
const OF_PLUGIN: usize = 8;
/// So many of one user.
const OF_ONE: usize = 4;
/// How long somebody may ask again what came of a command.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
const SWEEP: u64 = 1_000;
/// So long a command waits for others.
const PATIENCE: Duration = Duration::from_secs(5);

/// A command that a viewer may run.
pub struct Offer {
    pub plugin: PluginId,
    manifest: Arc<Manifest>,
    number: usize,
}

impl Offer {
    pub fn command(&self) -> &Command {
        &self.manifest.commands[self.number]
    }
}

/// What somebody asks for.
pub struct Call {
    /// Where more than one plugin has a command of that name.
    pub plugin: Option<String>,
    pub command: String,
    pub conversation: Option<ConversationId>,
    pub arguments: Map<String, Value>,
    /// The viewer's own name for it.
    pub key: Option<String>,
}

impl Call {
    /// What must be the same when a key is used again.
    fn fingerprint(&self) -> [u8; 32] {
        let arguments: BTreeMap<&String, &Value> = self.arguments.iter().collect();
        let asked = serde_json::json!([self.plugin, self.command, self.conversation, arguments]);
        Sha256::digest(asked.to_string()).into()
    }
}

/// The commands that a viewer may run, in a conversation or outside of any, by their names; none where they take no part.
pub async fn list(
    core: &Arc<Core>,
    viewer: &Viewer,
    conversation: Option<ConversationId>,
) -> Result<Option<Vec<Offer>>> {
    if !takes_part(core, viewer, conversation).await? {
        return Ok(None);
    }
    let here = super::here(core, viewer.workspace()).await?;
    let mut offers = Vec::new();
    for local in on(&here, conversation) {
        let manifest = &local.loaded.manifest;
        let plugin = || local.id().clone();
        offers.extend((0..manifest.commands.len()).map(|number| Offer {
            plugin: plugin(),
            manifest: manifest.clone(),
            number,
        }));
    }
    offers.sort_by(|one, other| (&one.command().name, &one.plugin).cmp(&(&other.command().name, &other.plugin)));
    Ok(Some(offers))
}

/// Runs a command. What the plugin issues is committed before its answer, also if that is a refusal.
pub async fn run(core: &Arc<Core>, viewer: &Viewer, call: Call) -> Result<Reply> {
    if !takes_part(core, viewer, call.conversation).await? {
        return Err(Rejection::NotFound { what: "conversation", field: "conversationId" }.into());
    }
    let key = call.key.as_deref().map(|key| text::line("clientCommandId", key, 128)).transpose()?;
    let fingerprint = call.fingerprint();
    let call = Call { key, ..call };
    if let Some(key) = &call.key
        && let Some(ran) = core.store.command_run(viewer.id(), key, &fingerprint).await?
    {
        return told(ran);
    }
    let mut here = super::here(core, viewer.workspace()).await?;
    let knows = |local: &Local| local.loaded.manifest.commands.iter().any(|known| known.name == call.command);
    let preparing = here.local.iter().find(|local| local.prepares() && knows(local)).map(|local| local.id().clone());
    if let Some(plugin) = preparing {
        here = aside::once_prepared(core, viewer.workspace(), &plugin).await?;
    }
    let (local, command) = chosen(&here, &call)?;
    let arguments = command.read(&call.arguments)?;
    are_there(core, viewer, &arguments).await?;
    let _place = core.plugins.commands.enter(viewer.id(), local.id()).await?;
    let tries = Tries::new(core, viewer.workspace());
    let ran = tries.until_done(|| once(core, viewer, &here, local, &call, fingerprint, arguments.clone()));
    told(ran.await?)
}

fn told(ran: Ran) -> Result<Reply> {
    match ran {
        Ran::Answered { text } => Ok(Reply { text }),
        Ran::Refused { plugin, refusal } => Err(Rejection::RefusedByPlugin { plugin, refusal }.into()),
    }
}

async fn once(
    core: &Arc<Core>,
    viewer: &Viewer,
    here: &Here,
    local: &Local,
    call: &Call,
    fingerprint: [u8; 32],
    arguments: Vec<(String, ArgumentValue)>,
) -> Result<Ran> {
    let question = RunCommand::new(&call.command, viewer.user(), call.conversation, arguments);
    let occasion = Occasion { viewer: Some(viewer.id()), ..occasion(core, viewer.workspace(), core.clock.now()) };
    let failed = |why: &str| Rejection::PluginFailed { plugin: local.id().clone(), why: why.to_owned() };
    match aside::ask(core, local, occasion, question).await {
        Asked::Answered { answer, issued } => {
            let ran = match answer {
                Ok(Reply { text }) => Ran::Answered { text },
                Err(refusal) => Ran::Refused { plugin: local.id().clone(), refusal },
            };
            if call.key.is_none() && issued.is_empty() {
                return Ok(ran);
            }
            let issued = within_reach(core, viewer, local, issued).await?;
            let issued = effects::awaited(core, here, local, viewer, issued).await?;
            let _waking = Waking::of(core, &issued.effects);
            let (id, user, key) = (core.clock.new_id(), viewer.id(), call.key.clone());
            core.store.change(CommitCommand { id, user, key, fingerprint, ran, issued }).await
        }
        Asked::Failed(failure) if failure.kind == FailureKind::Hub => Err(Error::unavailable(failure.what)),
        // How a program failed is for those who run it.
        Asked::Failed(_) => Err(failed("those who run the workspace find out why in its log").into()),
        Asked::Resting => Err(failed("it failed too often and is left alone for a while; try again later").into()),
        Asked::Unable(_) => Err(failed("it cannot run; those who run the workspace see why").into()),
    }
}

/// Takes away what came of commands, once nobody will ask for it again.
pub async fn sweep(core: &Core) -> Result<()> {
    let before = core.clock.now().before(KEPT);
    while core.store.change(SweepCommandRuns { before, limit: SWEEP }).await? > 0 {}
    Ok(())
}

/// Outside of conversations everybody takes part.
async fn takes_part(core: &Core, viewer: &Viewer, conversation: Option<ConversationId>) -> Result<bool> {
    let Some(conversation) = conversation else { return Ok(true) };
    Ok(!core.store.conversations_for(viewer.id(), &[conversation]).await?.is_empty())
}

/// The plugins that are on in a conversation, or outside of any.
fn on(here: &Here, conversation: Option<ConversationId>) -> impl Iterator<Item = &Arc<Local>> {
    here.local.iter().filter(move |local| local.ready.is_some() && local.is_on_in(conversation))
}

/// Which command is meant.
fn chosen<'h>(here: &'h Here, call: &Call) -> Result<(&'h Arc<Local>, &'h Command), Rejection> {
    let named = on(here, call.conversation)
        .filter(|local| call.plugin.as_ref().is_none_or(|plugin| plugin == local.id().as_str()));
    let found: Vec<_> = named
        .filter_map(|local| {
            let command = local.loaded.manifest.commands.iter().find(|command| command.name == call.command)?;
            Some((local, command))
        })
        .collect();
    match found.as_slice() {
        [] => Err(Rejection::NotFound { what: "command", field: "command" }),
        [one] => Ok(*one),
        several => {
            let plugins: Vec<&str> = several.iter().map(|(local, _)| local.id().as_str()).collect();
            Err(Rejection::AmbiguousCommand { plugins: plugins.join(", ") })
        }
    }
}

/// Those who are named must be there for the viewer to see.
async fn are_there(core: &Core, viewer: &Viewer, arguments: &[(String, ArgumentValue)]) -> Result<()> {
    for (name, value) in arguments {
        let (is_there, what) = match value {
            ArgumentValue::User(id) => {
                let found = core.store.users(&[*id]).await?;
                (found.iter().any(|user| user.workspace == viewer.workspace()), "user")
            }
            ArgumentValue::Conversation(id) => (takes_part(core, viewer, Some(*id)).await?, "conversation"),
            ArgumentValue::Text(_) | ArgumentValue::Number(_) | ArgumentValue::Flag(_) => continue,
        };
        if !is_there {
            return Err(Rejection::NothingByArgument { argument: name.clone(), what }.into());
        }
    }
    Ok(())
}

/// What a plugin issued, less what the viewer could not have asked for, which the admins see: nobody reaches through a plugin into
/// what is not theirs. Where it wants to post what they could not have, they are told.
pub async fn within_reach(core: &Core, viewer: &Viewer, local: &Local, issued: Issued) -> Result<Issued> {
    let Issued { operations, effects } = issued;
    let about: Vec<MessageId> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Annotate { message, .. } | Effect::Mention { message, .. } => Some(*message),
            Effect::Post(post) => post.reply_to,
            Effect::Notify(_) | Effect::RunAt { .. } | Effect::Request { .. } | Effect::Trim(_) => None,
        })
        .collect();
    let seen = if about.is_empty() { Vec::new() } else { core.store.messages_for(viewer.id(), &about).await? };
    let mut reached: HashSet<MessageId> = seen.iter().map(|seen| seen.id).collect();
    let mut kept = Vec::new();
    for effect in effects {
        let (is_within, what) = match &effect {
            Effect::Post(post) => {
                writes(core, viewer, post.conversation).await?;
                if post.reply_to.is_some_and(|id| !reached.contains(&id)) {
                    return Err(Rejection::NotFound { what: "message", field: "replyToId" }.into());
                }
                reached.insert(post.id);
                (true, "")
            }
            Effect::Annotate { message, .. } | Effect::Mention { message, .. } => {
                (reached.contains(message), "something about a message that the viewer does not see")
            }
            Effect::RunAt { .. } | Effect::Request { .. } => (true, ""),
            Effect::Trim(_) => (false, "what is old is taken away when nobody waits for it"),
            Effect::Notify(notice) => match notice.audience {
                Audience::Conversation(conversation) => (
                    takes_part(core, viewer, Some(conversation)).await?,
                    "a notice to a conversation in which the viewer takes no part",
                ),
                Audience::Users(_) | Audience::Moderators | Audience::Admins => (true, ""),
            },
        };
        if is_within {
            kept.push(effect);
        } else {
            effects::left_out(core, viewer.workspace(), local.id(), what);
        }
    }
    Ok(Issued { operations, effects: kept })
}

/// Whether the viewer may write there, or why not.
async fn writes(core: &Core, viewer: &Viewer, conversation: ConversationId) -> Result<()> {
    let found = core.store.conversations_for(viewer.id(), &[conversation]).await?.pop();
    match found.ok_or(Rejection::NotFound { what: "conversation", field: "conversationId" })?.status {
        ConversationStatus::Active => Ok(()),
        status => Err(Rejection::ConversationClosed { status: status.as_str() }.into()),
    }
}

/// The places for those who run commands.
pub struct Places {
    all: Semaphore,
    of_plugins: Mutex<HashMap<PluginId, Arc<Semaphore>>>,
    taken: Mutex<HashMap<UserId, usize>>,
}

impl Default for Places {
    fn default() -> Self {
        Places { all: Semaphore::new(AT_ONCE), of_plugins: Mutex::default(), taken: Mutex::default() }
    }
}

/// Who has a place. Whoever drops it leaves it.
pub struct Place<'p> {
    _own: Own<'p>,
    _of_plugin: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'p>,
}

/// One of the places of a user, until they leave it.
struct Own<'p> {
    places: &'p Places,
    user: UserId,
}

impl Places {
    /// A place for a user who wants something of a plugin.
    pub async fn enter(&self, user: UserId, plugin: &PluginId) -> Result<Place<'_>> {
        let own = self.own(user)?;
        let of_plugin = self.of(plugin);
        let both = async {
            // Who waits for a plugin keeps nobody from the others.
            let of_plugin = of_plugin.acquire_owned().await.map_err(Error::internal)?;
            Ok(Place { _own: own, _of_plugin: of_plugin, _of_all: self.all.acquire().await.map_err(Error::internal)? })
        };
        let place = tokio::time::timeout(PATIENCE, both).await;
        place.map_err(|_| Error::unavailable("too many commands are running"))?
    }

    /// A place beside those who want something of the same plugin, and of no other.
    pub async fn beside(&self, plugin: &PluginId) -> Result<OwnedSemaphorePermit> {
        let place = tokio::time::timeout(PATIENCE, self.of(plugin).acquire_owned()).await;
        place.map_err(|_| Error::unavailable("too many wait for a plugin"))?.map_err(Error::internal)
    }

    fn of(&self, plugin: &PluginId) -> Arc<Semaphore> {
        let mut of_plugins = self.of_plugins.lock().unwrap_or_else(PoisonError::into_inner);
        // Of those that were taken away nothing is to be left.
        of_plugins.retain(|known, places| known == plugin || Arc::strong_count(places) > 1);
        of_plugins.entry(plugin.clone()).or_insert_with(|| Arc::new(Semaphore::new(OF_PLUGIN))).clone()
    }

    fn own(&self, user: UserId) -> Result<Own<'_>, Rejection> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.entry(user).or_default();
        if *own >= OF_ONE {
            return Err(Rejection::TooMany { what: "commands of one user at once", max: OF_ONE });
        }
        *own += 1;
        Ok(Own { places: self, user })
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.user);
            }
        }
    }
}
