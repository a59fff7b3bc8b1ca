//! Those who follow the same workspace with the same selection.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry as Slot},
    sync::Arc,
    time::Duration,
};

use jackfield_domain::{
    ConversationId, Event, Fact, MessageId, Position, UserId, WorkspaceRole,
    events::{Admission, Audience, Entry},
    signals::Signal,
    users::User,
};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    time::timeout,
};

use super::{
    Item, Key, Live, Payload, Upkeep,
    render::Renderer,
    shown_message,
    waiting::{self, Deliveries, Sink},
};
use crate::{
    Error, Result,
    actions::{
        Reader, Viewer, conversations, events,
        feed::{Feed, LogReader},
    },
    graphql::{documents::Prepared, scope::Moment},
    traces::Span,
};

/// How long somebody waits to be let in.
const JOIN_LIMIT: Duration = Duration::from_secs(5);
/// So many rendered answers are kept for who joins a little late, unless there is no room for them.
const RECENT: usize = 512;
const RECENT_BYTES: usize = 1_024 * 1_024;
/// So many people are remembered.
const PEOPLE: usize = 1_000;

/// Somebody who wants to become a member, and where to tell them where they begin.
pub struct Join {
    viewer: Viewer,
    /// What they have seen; without it they begin with what happens next.
    after: Option<Position>,
    reply: oneshot::Sender<Result<Joined>>,
}

/// What became of a wish to join.
pub enum Joined {
    /// Everything they missed, and everything that follows, will be delivered.
    Member(Deliveries),
    /// They missed more than the group has at hand: they must read the table up to here, and ask again.
    Behind(Position),
}

/// What a member gets.
pub enum Delivery {
    Event(Position, Payload),
    Signal(Payload),
    /// All that was missed has been delivered.
    CaughtUp(Position),
}

impl Delivery {
    /// What is written of it.
    pub fn bytes(&self) -> usize {
        match self {
            Delivery::Event(_, payload) | Delivery::Signal(payload) => payload.len(),
            Delivery::CaughtUp(_) => 0,
        }
    }
}

/// Asks to become a member; none if the group is no more.
pub async fn join(group: &mpsc::Sender<Join>, viewer: Viewer, after: Option<Position>) -> Option<Result<Joined>> {
    let (reply, answer) = oneshot::channel();
    let asked = async {
        group.send(Join { viewer, after, reply }).await.ok()?;
        answer.await.ok()
    };
    // A group that renders an event while the database is away stands still.
    let Ok(answer) = timeout(JOIN_LIMIT, asked).await else {
        return Some(Err(Error::unavailable("the subscription could not be joined in time")));
    };
    answer
}

/// Starts a group, which ends when its last member has left.
pub fn start(upkeep: Arc<Upkeep>, feed: &Arc<Feed>, prepared: &Prepared, key: Key) -> Result<mpsc::Sender<Join>> {
    let live = upkeep.live.clone();
    let (sender, joins) = mpsc::channel(64);
    let (left, leaving) = mpsc::unbounded_channel();
    let nobody_yet = Reader::Audience { workspace: key.0, conversation: None, from_sequence: 0 };
    let shared = Renderer::start(&live, prepared, nobody_yet)
        .map_err(|_| Error::internal("a subscription that was sound is not"))?;
    let signals = feed.signals();
    let log = LogReader::new(live.core.clone(), feed.clone(), feed.head());
    let group = Group {
        live,
        _upkeep: upkeep,
        prepared: prepared.clone(),
        key,
        feed: feed.clone(),
        log,
        shared,
        recent: BTreeMap::new(),
        recent_bytes: 0,
        people: HashMap::new(),
        roles: HashMap::new(),
        by_viewer: false,
        renderers: HashMap::new(),
        members: HashMap::new(),
        by_conversation: HashMap::new(),
        late: HashMap::new(),
        by_user: HashMap::new(),
        left,
        next: 0,
    };
    tokio::spawn(group.run(joins, leaving, signals));
    Ok(sender)
}

struct Member {
    viewer: Viewer,
    sink: Sink,
    conversations: HashMap<ConversationId, Admission>,
}

struct Group {
    live: Arc<Live>,
    /// Whoever opened the group brought its document.
    _upkeep: Arc<Upkeep>,
    prepared: Prepared,
    key: Key,
    feed: Arc<Feed>,
    log: LogReader,
    shared: Renderer,
    /// What was rendered last, for who joins a little late.
    recent: BTreeMap<Position, Payload>,
    recent_bytes: usize,
    /// People who acted lately. The log says when one of them changes, so that nothing here is older than the log.
    people: HashMap<UserId, User>,
    /// What members are in the workspace, so far as it was asked for; forgotten like the above.
    roles: HashMap<UserId, WorkspaceRole>,
    /// Once the selection turned out to depend on the viewer.
    by_viewer: bool,
    /// For what is rendered for one user alone.
    renderers: HashMap<UserId, Renderer>,
    members: HashMap<u64, Member>,
    by_conversation: HashMap<ConversationId, HashSet<u64>>,
    /// Members who see only what was said after a place. Most conversations have none, and are not in here.
    late: HashMap<ConversationId, HashMap<u64, i64>>,
    by_user: HashMap<UserId, HashSet<u64>>,
    /// Where members say that they leave, each of them once.
    left: mpsc::UnboundedSender<u64>,
    next: u64,
}

/// The moments of one run of events: one for each audience, which share what they load.
type Moments = HashMap<Audience, Arc<Moment>>;

impl Group {
    async fn run(
        mut self,
        mut joins: mpsc::Receiver<Join>,
        mut leaving: mpsc::UnboundedReceiver<u64>,
        mut signals: broadcast::Receiver<Arc<Signal>>,
    ) {
        loop {
            tokio::select! {
                Some(join) = joins.recv() => self.join(join).await,
                entries = self.log.next() => match entries {
                    Ok(entries) => self.follow(entries).await,
                    Err(error) => {
                        tracing::debug!(%error, "the log cannot be read for a group; trying again");
                        tokio::time::sleep(super::render::PAUSE).await;
                    }
                },
                signal = signals.recv() => if let Ok(signal) = signal {
                    self.pass_on(signal).await;
                },
                Some(id) = leaving.recv() => self.leave(id),
            }
            if self.members.is_empty() {
                let mut groups = self.live.groups.lock().expect("nothing panics while it holds this lock");
                // Whoever has just knocked is let in first.
                if joins.is_empty() && self.next > 0 {
                    joins.close();
                    groups.remove(&self.key);
                    return;
                }
            }
        }
    }

    /// Lets somebody in while the group stands still: what happens after its position is seen by it, and what they
    /// missed before is at hand or in the table.
    async fn join(&mut self, join: Join) {
        let Join { viewer, after, reply } = join;
        let conversations = match conversations::own(&self.live.core, &viewer).await {
            Ok(conversations) => conversations,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let here = self.log.position();
        let after = after.unwrap_or(here).min(here);
        // Half of what may wait, so that there is room for what happens meanwhile.
        let Some(missed) = self.feed.kept_between(after, here, self.live.max_waiting / 2) else {
            return drop(reply.send(Ok(Joined::Behind(here))));
        };
        self.next += 1;
        let id = self.next;
        self.by_user.entry(viewer.id()).or_default().insert(id);
        let (sink, deliveries) = waiting::line(id, self.live.max_waiting, &self.live.room, &self.left);
        self.members.insert(id, Member { viewer, sink, conversations: HashMap::new() });
        for (conversation, admission) in conversations {
            // Who came in behind the place where the group stands is admitted when it has come there.
            if admission.position <= here {
                self.admit(id, conversation, admission);
            }
        }
        if reply.send(Ok(Joined::Member(deliveries))).is_err() {
            return self.leave(id);
        }
        let mut moments = Moments::new();
        for entry in missed {
            let theirs = match entry.event.fact.audience() {
                Audience::Conversation(conversation) => self.members.get(&id).is_some_and(|member| {
                    member.conversations.get(&conversation).is_some_and(|admission| admission.covers(&entry.event))
                }),
                _ => self.recipients(&entry.event).await.contains(&id),
            };
            if theirs {
                self.deliver_event(entry, &[id], &mut moments).await;
            }
        }
        self.push(id, Delivery::CaughtUp(here));
    }

    fn sockets_of(&self, user: UserId) -> Vec<u64> {
        self.by_user.get(&user).into_iter().flatten().copied().collect()
    }

    fn admit(&mut self, id: u64, conversation: ConversationId, admission: Admission) {
        let Some(member) = self.members.get_mut(&id) else { return };
        member.conversations.insert(conversation, admission);
        self.by_conversation.entry(conversation).or_default().insert(id);
        if admission.from_sequence > 0 {
            self.late.entry(conversation).or_default().insert(id, admission.from_sequence);
        }
    }

    fn dismiss(&mut self, id: u64, conversation: ConversationId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.conversations.remove(&conversation);
        }
        self.forget(id, conversation);
    }

    /// Takes somebody out of those who follow a conversation.
    fn forget(&mut self, id: u64, conversation: ConversationId) {
        if let Slot::Occupied(mut ids) = self.by_conversation.entry(conversation) {
            ids.get_mut().remove(&id);
            if ids.get().is_empty() {
                ids.remove();
            }
        }
        if let Slot::Occupied(mut ids) = self.late.entry(conversation) {
            ids.get_mut().remove(&id);
            if ids.get().is_empty() {
                ids.remove();
            }
        }
    }

    fn leave(&mut self, id: u64) {
        let Some(member) = self.members.remove(&id) else { return };
        for conversation in member.conversations.into_keys() {
            self.forget(id, conversation);
        }
        let user = member.viewer.id();
        if let Some(ids) = self.by_user.get_mut(&user) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_user.remove(&user);
                self.renderers.remove(&user);
                self.roles.remove(&user);
            }
        }
    }

    fn audience(&self, audience: Audience) -> Vec<u64> {
        match audience {
            Audience::Workspace => self.members.keys().copied().collect(),
            Audience::Conversation(id) => self.by_conversation.get(&id).into_iter().flatten().copied().collect(),
            Audience::User(id) => self.by_user.get(&id).into_iter().flatten().copied().collect(),
            // Whom they are for is asked for each event, by `recipients`.
            Audience::Named | Audience::Moderators | Audience::Admins => Vec::new(),
        }
    }

    /// Those whom an event is for.
    async fn recipients(&mut self, event: &Event) -> Vec<u64> {
        let audience = event.fact.audience();
        match audience {
            Audience::Workspace | Audience::Conversation(_) | Audience::User(_) => self.audience(audience),
            Audience::Named => {
                let mut named = event.fact.named().to_vec();
                named.sort_unstable();
                named.dedup();
                named.into_iter().flat_map(|user| self.sockets_of(user)).collect()
            }
            Audience::Moderators | Audience::Admins => {
                self.learn_roles().await;
                let roles = &self.roles;
                let is_meant =
                    |user: &&UserId| roles.get(user).and_then(|role| audience.includes(*role)).unwrap_or_default();
                let meant: Vec<UserId> = self.by_user.keys().filter(is_meant).copied().collect();
                meant.into_iter().flat_map(|user| self.sockets_of(user)).collect()
            }
        }
    }

    /// Reads what those are whom nobody has asked about yet. While the database is away, this waits.
    async fn learn_roles(&mut self) {
        let unknown: Vec<UserId> = self.by_user.keys().filter(|user| !self.roles.contains_key(user)).copied().collect();
        if unknown.is_empty() {
            return;
        }
        loop {
            match events::roles(&self.live.core, &unknown).await {
                Ok(roles) => return self.roles.extend(roles),
                Err(error) => {
                    tracing::debug!(%error, "roles cannot be read for a group; trying again");
                    tokio::time::sleep(super::render::PAUSE).await;
                }
            }
        }
    }

    /// Delivers a run of events.
    async fn follow(&mut self, entries: Vec<Arc<Entry>>) {
        let mut moments = Moments::new();
        self.prefetch(&entries, &mut moments).await;
        for entry in entries {
            if let Some((conversation, users, from_sequence)) = entry.event.fact.joined() {
                let admission = Admission { position: entry.event.position, from_sequence };
                for user in users {
                    for id in self.sockets_of(*user) {
                        self.admit(id, conversation, admission);
                    }
                }
                // What one answer is made for has other people in it now.
                moments.clear();
            }
            if let Some((conversation, user)) = entry.event.fact.left() {
                for id in self.sockets_of(user) {
                    self.dismiss(id, conversation);
                }
            }
            match &entry.event.fact {
                // Receipts come very often, take nothing away, and are told to whoever was told what came before.
                Fact::MessageSent { .. } | Fact::ReceiptsAdvanced { .. } => {}
                // Whatever it was, it may have changed what was rendered before.
                fact => {
                    self.forget_recent();
                    if let Some(user) = fact.changed_user() {
                        self.people.remove(&user);
                        self.roles.remove(&user);
                        // The run's own moments may know them as they were.
                        moments.clear();
                    }
                }
            }
            let mut ids = self.recipients(&entry.event).await;
            if let (Some(sequence), Some(late)) = (entry.event.fact.sequence(), self.late_in(&entry.event.fact)) {
                ids.retain(|id| late.get(id).is_none_or(|from_sequence| sequence > *from_sequence));
            }
            let span = self.trace(&entry, &ids);
            self.deliver_event(entry, &ids, &mut moments).await;
            drop(span);
        }
    }

    /// Delivering to those who follow, in the trace of what made it happen. Who missed it when it was fresh is no part of that.
    fn trace(&self, entry: &Arc<Entry>, ids: &[u64]) -> Span {
        let Some(cause) = entry.event.trace.filter(|_| !ids.is_empty()) else { return Span::default() };
        if !self.key.1.lets_through(&Item::Logged(entry.clone())) {
            return Span::default();
        }
        let mut span = self.live.core.traces.resume("deliver", &[cause]);
        span.note("jackfield.event", entry.event.fact.kind().as_str());
        span.note("jackfield.subscriptions", ids.len() as i64);
        span
    }

    /// Who of those that a fact is for sees only what was said after a place.
    fn late_in(&self, fact: &Fact) -> Option<&HashMap<u64, i64>> {
        match fact.audience() {
            Audience::Conversation(conversation) => self.late.get(&conversation),
            _ => None,
        }
    }

    /// Loads at once the messages that other nodes sent: what this node sent is at hand.
    async fn prefetch(&mut self, entries: &[Arc<Entry>], moments: &mut Moments) {
        let mut missing: HashMap<Audience, Vec<MessageId>> = HashMap::new();
        for entry in entries {
            let audience = entry.event.fact.audience();
            if let (Some(message), None) = (shown_message(&entry.event.fact), &entry.message)
                && !self.audience(audience).is_empty()
            {
                missing.entry(audience).or_default().push(message);
            }
        }
        for (audience, messages) in missing {
            // What cannot be loaded now is loaded, and waited for, when it is rendered.
            let _ = self.moment(audience, moments).loaders.messages.prefetch(messages).await;
        }
    }

    fn moment(&self, audience: Audience, moments: &mut Moments) -> Arc<Moment> {
        let conversation = match audience {
            Audience::Conversation(id) => Some(id),
            _ => None,
        };
        let late = conversation.and_then(|conversation| self.late.get(&conversation));
        let from_sequence = late.and_then(|late| late.values().max().copied()).unwrap_or_default();
        let reader = Reader::Audience { workspace: self.key.0, conversation, from_sequence };
        moments.entry(audience).or_insert_with(|| Moment::new(&self.live.core, reader)).clone()
    }

    async fn deliver_event(&mut self, entry: Arc<Entry>, ids: &[u64], moments: &mut Moments) {
        let (position, audience, actor) = (entry.event.position, entry.event.fact.audience(), entry.event.actor);
        let has_late = self.late_in(&entry.event.fact).is_some();
        let item = Item::Logged(entry);
        if ids.is_empty() || !self.key.1.lets_through(&item) {
            return;
        }
        // What is for one user is never rendered for more than that one.
        if !self.by_viewer && !matches!(audience, Audience::User(_)) {
            // What was rendered before may show what somebody who came later does not see.
            if !has_late && let Some(payload) = self.recent.get(&position).cloned() {
                return self.push_all(ids, |payload| Delivery::Event(position, payload), &payload);
            }
            let moment = self.moment(audience, moments);
            let known = actor.and_then(|actor| self.people.get(&actor)).cloned();
            if let Some(user) = known {
                moment.loaders.users.seed(user.id, user);
            }
            let payload = self.shared.render(item.clone(), &moment, None).await;
            let differs = moment.take_differs();
            if !moment.viewer_asked() && !differs {
                self.remember(position, &payload, actor.and_then(|actor| moment.loaders.users.known(actor)));
                return self.push_all(ids, |payload| Delivery::Event(position, payload), &payload);
            }
            if moment.viewer_asked() {
                self.by_viewer = true;
                self.forget_recent();
            }
        }
        self.deliver_to_each(item, ids, |payload| Delivery::Event(position, payload)).await;
    }

    async fn pass_on(&mut self, signal: Arc<Signal>) {
        let audience = Audience::Conversation(signal.conversation);
        let ids = self.audience(audience);
        let item = Item::Signal(signal);
        if ids.is_empty() || !self.key.1.lets_through(&item) {
            return;
        }
        if !self.by_viewer {
            let moment = self.moment(audience, &mut Moments::new());
            let payload = self.shared.render(item.clone(), &moment, None).await;
            if !moment.viewer_asked() {
                return self.push_all(&ids, Delivery::Signal, &payload);
            }
            self.by_viewer = true;
        }
        self.deliver_to_each(item, &ids, Delivery::Signal).await;
    }

    fn remember(&mut self, position: Position, payload: &Payload, actor: Option<User>) {
        if self.live.room.is_ample() {
            self.recent_bytes += payload.len();
            self.recent.insert(position, payload.clone());
            while self.recent.len() > RECENT || self.recent_bytes > RECENT_BYTES {
                let Some((_, oldest)) = self.recent.pop_first() else { break };
                self.recent_bytes -= oldest.len();
            }
        } else {
            self.forget_recent();
        }
        if let Some(user) = actor {
            if self.people.len() >= PEOPLE {
                self.people.clear();
            }
            self.people.insert(user.id, user);
        }
    }

    fn forget_recent(&mut self) {
        self.recent.clear();
        self.recent_bytes = 0;
    }

    /// Renders for each viewer on their own, and once for all sockets of one.
    async fn deliver_to_each(&mut self, item: Item, ids: &[u64], delivery: impl Fn(Payload) -> Delivery) {
        let mut rendered: HashMap<UserId, Payload> = HashMap::new();
        for id in ids {
            let Some(viewer) = self.members.get(id).map(|member| member.viewer.clone()) else { continue };
            let payload = match rendered.get(&viewer.id()) {
                Some(payload) => payload.clone(),
                None => match self.render_for(&viewer, item.clone()).await {
                    Some(payload) => payload,
                    None => continue,
                },
            };
            self.push(*id, delivery(payload.clone()));
            rendered.insert(viewer.id(), payload);
        }
    }

    async fn render_for(&mut self, viewer: &Viewer, item: Item) -> Option<Payload> {
        let reader = Reader::Viewer(viewer.clone());
        let moment = Moment::new(&self.live.core, reader.clone());
        let renderer = match self.renderers.entry(viewer.id()) {
            Slot::Occupied(found) => found.into_mut(),
            Slot::Vacant(free) => free.insert(Renderer::start(&self.live, &self.prepared, reader).ok()?),
        };
        Some(renderer.render(item, &moment, None).await)
    }

    fn push_all(&mut self, ids: &[u64], delivery: impl Fn(Payload) -> Delivery, payload: &Payload) {
        for id in ids {
            self.push(*id, delivery(payload.clone()));
        }
    }

    fn push(&mut self, id: u64, delivery: Delivery) {
        let Some(member) = self.members.get(&id) else { return };
        // Full or gone, this member is no more: who is too slow comes back with a cursor.
        if !member.sink.push(delivery) {
            self.leave(id);
        }
    }
}
