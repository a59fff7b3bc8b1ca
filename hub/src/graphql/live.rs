//! Subscriptions: each event is resolved once for everybody who asked for the same of it.
//!
//! Those who follow the same workspace with the same selection form a group. A group is a reader of the log, with one
//! execution of the subscription that all its members share: an event goes in, the rendered answer comes out, and a
//! copy of the pointer goes to each member that may see it. Where a selection asks who the viewer is, the group
//! notices, and renders once per viewer. Who comes back with a cursor first gets what they missed, rendered for them
//! alone, and then joins the group where it stands.

mod group;
mod logs;
mod payload;
mod render;
mod waiting;

use std::{
    collections::{HashMap, hash_map::Entry as Slot},
    sync::{Arc, Mutex},
};

use async_graphql::{InputType, Response, Value};
use asynk_strim::Yielder;
use futures_util::{Stream, StreamExt, future::BoxFuture, stream::BoxStream};
use jackfield_domain::{
    Fact, MessageId, Position, UserId, WorkspaceId,
    events::{Entry, EventKind},
    plugins::{LogLine, NotAPluginId, PluginId},
    signals::Signal,
};
use tokio::sync::mpsc;

pub use self::payload::Payload;
use self::{
    group::{Delivery, Join, Joined},
    payload::Room,
    render::Renderer,
    waiting::Deliveries,
};
use super::{
    Answer, documents::Prepared, errors, events::EventsInput, plugins::PluginLogsInput, scalars::EventCursor,
    scope::Moment, signals::SignalsInput,
};
use crate::{
    Error,
    actions::{Core, Reader, Viewer, events, feed, typing},
    config::Sockets,
};

/// What goes into a subscription's execution.
#[derive(Clone)]
pub enum Item {
    Logged(Arc<Entry>),
    CaughtUp(WorkspaceId, Position),
    ResyncRequired(WorkspaceId, Position),
    Signal(Arc<Signal>),
    PluginLine(Arc<LogLine>),
}

/// Where the execution of a subscription takes its items from.
pub struct Source(Mutex<Option<mpsc::Receiver<Item>>>);

impl Source {
    fn new(items: mpsc::Receiver<Item>) -> Self {
        Source(Mutex::new(Some(items)))
    }

    /// The items that the API can show; they can be taken only once.
    pub fn items<T: Send + 'static>(&self, of: fn(Item) -> Option<T>) -> impl Stream<Item = T> + Send + use<T> {
        let taken = self.0.lock().expect("nothing panics while it holds this lock").take();
        futures_util::stream::unfold(taken, move |items| async move {
            let mut items = items?;
            let item = items.recv().await?;
            Some((of(item), Some(items)))
        })
        .filter_map(std::future::ready)
    }
}

/// Which of the subscriptions it is, and what it leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Filter {
    Events { conversations: Option<Vec<String>>, kinds: Option<Vec<EventKind>> },
    Signals { conversations: Option<Vec<String>> },
    PluginLogs { plugin: PluginId },
}

impl Filter {
    fn lets_through(&self, item: &Item) -> bool {
        let of = |wanted: &Option<Vec<String>>, conversation: Option<String>| {
            wanted.as_ref().is_none_or(|wanted| conversation.is_some_and(|found| wanted.contains(&found)))
        };
        match (self, item) {
            (Filter::Events { conversations, kinds }, Item::Logged(entry)) => {
                let fact = &entry.event.fact;
                let conversation = fact.conversation().map(|id| id.to_string());
                kinds.as_ref().is_none_or(|kinds| kinds.contains(&fact.kind())) && of(conversations, conversation)
            }
            (Filter::Signals { conversations }, Item::Signal(signal)) => {
                of(conversations, Some(signal.conversation.to_string()))
            }
            (Filter::Events { .. }, Item::CaughtUp(..) | Item::ResyncRequired(..)) => true,
            _ => false,
        }
    }
}

/// So many missed events are rendered with one look at the store.
const RUN: usize = 256;

/// So many parts, written out, the documents may have that one user follows something with, on all sockets together. Each
/// part takes some hundred bytes for as long as it is followed.
const FOLLOWED_PARTS: usize = 50_000;

pub struct Live {
    core: Arc<Core>,
    max_waiting: usize,
    room: Arc<Room>,
    groups: Mutex<HashMap<Key, mpsc::Sender<Join>>>,
    followed: Mutex<HashMap<UserId, usize>>,
}

type Key = (WorkspaceId, Filter, String);

/// What a document takes up while something is followed with it, put down to the user who brought it.
struct Upkeep {
    live: Arc<Live>,
    user: UserId,
    parts: usize,
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        let mut followed = self.live.followed.lock().expect("nothing panics while it holds this lock");
        if let Slot::Occupied(mut parts) = followed.entry(self.user) {
            *parts.get_mut() -= self.parts;
            if *parts.get() == 0 {
                parts.remove();
            }
        }
    }
}

impl Live {
    pub fn new(core: Arc<Core>, sockets: &Sockets) -> Self {
        let room = Arc::new(Room::new(sockets.max_waiting_bytes));
        let (groups, followed) = (Mutex::default(), Mutex::default());
        Live { core, max_waiting: sockets.max_waiting, room, groups, followed }
    }

    fn upkeep(self: &Arc<Self>, user: UserId, parts: usize) -> Result<Arc<Upkeep>, String> {
        let mut followed = self.followed.lock().expect("nothing panics while it holds this lock");
        let all = followed.get(&user).copied().unwrap_or_default() + parts;
        if all > FOLLOWED_PARTS {
            return Err(format!(
                "all that you follow at once has {all} parts, and at most {FOLLOWED_PARTS} are allowed"
            ));
        }
        followed.insert(user, all);
        Ok(Arc::new(Upkeep { live: self.clone(), user, parts }))
    }

    /// Opens a subscription, or answers at once why there is none. The stream ends only when something is wrong.
    pub async fn subscribe(
        self: &Arc<Self>,
        viewer: Viewer,
        prepared: Prepared,
        request_id: String,
    ) -> Result<BoxStream<'static, Payload>, Answer> {
        let refused = |message: String| Answer::refused("BAD_REQUEST", message, &request_id);
        viewer.permit(false).map_err(|rejection| Answer::fault(&rejection.into(), &request_id))?;
        let upkeep = self
            .upkeep(viewer.id(), prepared.cost.parts())
            .map_err(|message| Answer::refused("LIMIT_REACHED", message, &request_id))?;
        let reader = Reader::Viewer(viewer.clone());
        // Everything that can be wrong with the document is found here, before anybody waits for anything.
        let own = Renderer::start(self, &prepared, reader)
            .map_err(|response| Answer::from(errors::finish(*response, &request_id)))?;
        let field = prepared.subscribed_field().map_err(|refusal| refused(refusal.to_string()))?;
        let input = prepared.argument(field, "input").unwrap_or(Value::Null);
        let (filter, after) = wanted(field.name.node.as_str(), input).map_err(refused)?;
        if let Some(cursor) = &after
            && cursor.workspace != viewer.workspace()
        {
            return Err(refused("the cursor is not of this workspace".to_owned()));
        }
        let key = (viewer.workspace(), filter, prepared.selection_key(field));
        let subscription =
            Subscription { live: self.clone(), viewer, prepared, key, own, upkeep, request_id: request_id.clone() };
        // Open it now, so that a hub that cannot is heard of at once.
        let opened = match subscription.key.1.clone() {
            Filter::PluginLogs { plugin } => subscription.follow_logs(plugin).await,
            Filter::Events { .. } | Filter::Signals { .. } => subscription.run(after).await,
        };
        opened.map_err(|error| Answer::fault(&error, &request_id))
    }

    /// Joins the group of those who want the same; makes it if need be.
    async fn join(
        self: &Arc<Self>,
        viewer: &Viewer,
        (prepared, upkeep): (&Prepared, &Arc<Upkeep>),
        key: &Key,
        after: Option<Position>,
    ) -> Result<Joined, Error> {
        let feed = feed::open(&self.core, viewer.workspace()).await?;
        loop {
            let joins = {
                let mut groups = self.groups.lock().expect("nothing panics while it holds this lock");
                if let Some(joins) = groups.get(key).filter(|joins| !joins.is_closed()) {
                    joins.clone()
                } else {
                    let joins = group::start(upkeep.clone(), &feed, prepared, key.clone())?;
                    groups.insert(key.clone(), joins.clone());
                    joins
                }
            };
            // A group that ends just now is replaced by the next turn.
            if let Some(joined) = group::join(&joins, viewer.clone(), after).await {
                return joined;
            }
        }
    }
}

/// What the root field's input says.
fn wanted(field: &str, input: Value) -> Result<(Filter, Option<EventCursor>), String> {
    const MOST: usize = 100;
    let ids = |ids: Option<Vec<async_graphql::ID>>| match ids {
        Some(ids) if ids.len() > MOST => Err(format!("conversationIds may name at most {MOST}")),
        Some(ids) => {
            let mut ids: Vec<String> = ids.into_iter().map(|id| id.0).collect();
            ids.sort_unstable();
            Ok(Some(ids))
        }
        None => Ok(None),
    };
    match field {
        "events" => {
            let input = Option::<EventsInput>::parse(Some(input)).map_err(|_| "input cannot be read".to_owned())?;
            let EventsInput { after, conversation_ids, kinds } = input.unwrap_or_default();
            let kinds = kinds.map(|kinds| {
                let mut kinds: Vec<EventKind> = kinds.into_iter().map(EventKind::from).collect();
                kinds.sort_unstable_by_key(|kind| kind.as_str());
                kinds.dedup();
                kinds
            });
            Ok((Filter::Events { conversations: ids(conversation_ids)?, kinds }, after))
        }
        "signals" => {
            let input = Option::<SignalsInput>::parse(Some(input)).map_err(|_| "input cannot be read".to_owned())?;
            Ok((Filter::Signals { conversations: ids(input.unwrap_or_default().conversation_ids)? }, None))
        }
        "pluginLogs" => {
            let input = PluginLogsInput::parse(Some(input)).map_err(|_| "input cannot be read".to_owned())?;
            let plugin = input.plugin_id.parse().map_err(|error: NotAPluginId| error.to_string())?;
            Ok((Filter::PluginLogs { plugin }, None))
        }
        _ => Err("there is no such subscription".to_owned()),
    }
}

/// One client's subscription.
struct Subscription {
    live: Arc<Live>,
    viewer: Viewer,
    prepared: Prepared,
    key: Key,
    /// Renders what only this client is to see: what it missed, and where it stands.
    own: Renderer,
    upkeep: Arc<Upkeep>,
    request_id: String,
}

impl Subscription {
    async fn run(self, after: Option<EventCursor>) -> Result<BoxStream<'static, Payload>, Error> {
        let workspace = self.viewer.workspace();
        let (mut at, mut resync) = (after.map(|cursor| cursor.position), None);
        if let Filter::Events { .. } = self.key.1 {
            let bounds = events::bounds(&self.live.core, &self.viewer).await?;
            match at {
                // The group may not have heard yet of what is in the table; what was acknowledged already does not come next.
                None => at = Some(bounds.head),
                Some(position) if !events::reaches(bounds, position) => {
                    at = Some(bounds.head);
                    resync = at;
                }
                Some(_) => {}
            }
        }
        let joined = self.live.join(&self.viewer, (&self.prepared, &self.upkeep), &self.key, at).await?;
        // Listened first, then read: what begins in between is heard, if need be twice.
        let standing = match self.key.1 {
            Filter::Events { .. } | Filter::PluginLogs { .. } => Vec::new(),
            Filter::Signals { .. } => typing::known(&self.live.core, &self.viewer).await?,
        };
        let request_id = self.request_id.clone();
        let past = Box::new(Past { subscription: self, at, resync, joined, standing });
        Ok(asynk_strim::stream_fn(move |mut yielder| async move {
            // A subscription lasts for days, and what leads up to the present is done in a moment: its room is given back.
            let Some((mut deliveries, mut at)) = past.catch_up(&mut yielder).await else { return };
            while let Some(delivery) = deliveries.recv().await {
                match delivery {
                    Delivery::Event(position, payload) if position > at => {
                        at = position;
                        yielder.yield_item(payload).await;
                    }
                    // Seen already: the group stood behind what this client knows.
                    Delivery::Event(..) | Delivery::CaughtUp(_) => {}
                    Delivery::Signal(payload) => yielder.yield_item(payload).await,
                }
            }
            yielder.yield_item(too_slow(EventCursor { workspace, position: at }, &request_id)).await;
        })
        .boxed())
    }

    /// The next stretch of the log, however long the database is away; none if the log does not reach back to it any more.
    async fn missed(&mut self, after: Position, until: Position) -> Option<(Vec<jackfield_domain::Event>, Position)> {
        loop {
            match events::missed(&self.live.core, &self.viewer, after, until).await {
                Ok(found) => return found,
                Err(error) => {
                    tracing::debug!(%error, "the log cannot be read for a subscription; trying again");
                    tokio::time::sleep(render::PAUSE).await;
                }
            }
        }
    }

    fn moment(&self) -> Arc<Moment> {
        Moment::new(&self.live.core, Reader::Viewer(self.viewer.clone()))
    }

    /// Loads the messages of a run of events at once.
    async fn prefetch(&mut self, run: &[jackfield_domain::Event], moment: &Moment) {
        let messages = run.iter().filter_map(|event| shown_message(&event.fact));
        // What cannot be loaded now is loaded, and waited for, when it is rendered.
        let _ = moment.loaders.messages.prefetch(messages).await;
    }

    async fn render(&mut self, item: Item) -> Payload {
        let moment = self.moment();
        self.own.render(item, &moment, Some(&self.request_id)).await
    }

    fn fault(&self, error: &Error) -> Payload {
        json(&errors::top_level(error, &self.request_id)).into()
    }
}

/// What a subscription has to tell before it is in the present.
struct Past {
    subscription: Subscription,
    at: Option<Position>,
    /// The head of the log, if what was asked for does not reach back as far as the log does.
    resync: Option<Position>,
    joined: Joined,
    standing: Vec<Signal>,
}

impl Past {
    /// Tells it, and hands over what follows, with the place where it begins; none if nothing can follow.
    fn catch_up(self: Box<Self>, yielder: &mut Yielder<Payload>) -> BoxFuture<'_, Option<(Deliveries, Position)>> {
        let Past { subscription: mut this, mut at, resync, mut joined, standing } = *self;
        let workspace = this.viewer.workspace();
        Box::pin(async move {
            if let Some(head) = resync {
                yielder.yield_item(this.render(Item::ResyncRequired(workspace, head)).await).await;
            }
            let mut deliveries = loop {
                let until = match joined {
                    Joined::Member(deliveries) => break deliveries,
                    Joined::Behind(until) => until,
                };
                let mut from = at.unwrap_or(until);
                while from < until {
                    let Some((events, walked)) = this.missed(from, until).await else {
                        // While this was told, the log was trimmed beyond the place where it had come to.
                        yielder.yield_item(this.render(Item::ResyncRequired(workspace, until)).await).await;
                        break;
                    };
                    for run in events.chunks(RUN) {
                        let moment = this.moment();
                        this.prefetch(run, &moment).await;
                        for event in run {
                            let item = Item::Logged(Arc::new(Entry { event: event.clone(), message: None }));
                            if this.key.1.lets_through(&item) {
                                yielder.yield_item(this.own.render(item, &moment, Some(&this.request_id)).await).await;
                            }
                        }
                    }
                    from = walked;
                }
                at = Some(until);
                joined = match this.live.join(&this.viewer, (&this.prepared, &this.upkeep), &this.key, at).await {
                    Ok(joined) => joined,
                    Err(error) => {
                        yielder.yield_item(this.fault(&error)).await;
                        return None;
                    }
                };
            };
            let mut at = at.unwrap_or_default();
            while let Some(delivery) = deliveries.recv().await {
                match delivery {
                    Delivery::Event(position, payload) if position > at => {
                        at = position;
                        yielder.yield_item(payload).await;
                    }
                    Delivery::Event(..) => {}
                    Delivery::Signal(payload) => yielder.yield_item(payload).await,
                    Delivery::CaughtUp(position) => {
                        at = at.max(position);
                        for signal in standing {
                            let item = Item::Signal(Arc::new(signal));
                            if this.key.1.lets_through(&item) {
                                yielder.yield_item(this.render(item).await).await;
                            }
                        }
                        if let Filter::Events { .. } = this.key.1 {
                            yielder.yield_item(this.render(Item::CaughtUp(workspace, at)).await).await;
                        }
                        break;
                    }
                }
            }
            // Sent away already, it finds nothing more here, and says so in the present.
            Some((deliveries, at))
        })
    }
}

/// The message that the event of a fact shows.
fn shown_message(fact: &Fact) -> Option<MessageId> {
    match fact {
        Fact::MessageSent { message, .. }
        | Fact::MessageEdited { message, .. }
        | Fact::MessageDeleted { message, .. } => Some(*message),
        _ => None,
    }
}

fn too_slow(cursor: EventCursor, request_id: &str) -> Payload {
    let message = "you read too slowly; come back with the cursor";
    let mut response = errors::bad_request("TOO_SLOW", message, request_id);
    if let Some(extensions) = response.errors.first_mut().and_then(|error| error.extensions.as_mut()) {
        extensions.set("cursor", async_graphql::ScalarType::to_value(&cursor));
    }
    json(&response).into()
}

fn json(response: &Response) -> String {
    serde_json::to_string(response).expect("a response has only what JSON has")
}
