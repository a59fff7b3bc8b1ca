//! What happens: operations of several people at once, and the comings and goings of their clients.

mod aside;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join, join_all},
};
use serde_json::{Value, json};

use self::aside::{Aside, Learned};
use super::{
    model::{Client, Move, State, list},
    random::Random,
};
use crate::support::{Backend, Person, Setup, World, account::does, person::text};

/// More people than this would only dilute what happens between them.
const PEOPLE: usize = 9;
const HISTORIES: [&str; 3] = ["FULL", "FULL", "FROM_JOIN"];
const ROLES: [&str; 3] = ["member", "admin", "bot"];

pub struct Driver {
    world: World,
    random: Random,
    clients: Vec<Client>,
    rooms: Vec<Room>,
    /// The direct conversation of each pair and context: there must never be another.
    directs: HashMap<(usize, usize, String), String>,
    /// What was acknowledged, by message.
    sent: BTreeMap<String, Sent>,
    /// What was sent under each key of each person.
    keys: HashMap<(usize, String), Sent>,
    /// What messages were edited to.
    edited: HashMap<String, BTreeSet<String>>,
    /// What was deleted for everyone.
    deleted: BTreeSet<String>,
    /// What somebody has deleted for themselves.
    hidden: BTreeSet<(usize, String)>,
    /// How many messages were marked as delivered or read.
    marked: u64,
    /// How often each mutation of a conversation was let through.
    acted: BTreeMap<&'static str, usize>,
    /// Conversations in which somebody asks for support.
    requests: Vec<String>,
    /// How often something was done beside talking.
    aside: usize,
    /// How often somebody was looked at who had talked on both sides of what they had read.
    talked_on_both_sides: usize,
    /// Who has left or was sent away, from which room.
    gone: BTreeSet<(usize, usize)>,
    /// How often somebody came again to where they had talked.
    came_again: usize,
    steps: usize,
    count: usize,
    /// Runs the workspace, and has no client.
    keeper: Person,
    /// Is let in and shut out, and has no client either.
    ghost: Person,
}

/// What the driver remembers of a conversation, so that most of what it does makes sense.
struct Room {
    id: String,
    is_group: bool,
    owner: usize,
    /// As far as the driver knows: what happens at the same time has an order that is the hub's own.
    members: BTreeSet<usize>,
    /// Whether newcomers see what was said before, at any time.
    is_full: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Sent {
    id: String,
    sender: usize,
    conversation: String,
    sequence: u64,
    body: String,
}

/// What came of an operation.
enum Outcome {
    Joined(Person),
    Renamed(usize, Person),
    /// Nothing that the driver has to remember.
    Done,
    Created {
        draft: Draft,
        payload: Value,
    },
    Added {
        room: usize,
        members: BTreeSet<usize>,
        payload: Value,
    },
    Acted {
        what: &'static str,
        room: usize,
        effect: Effect,
        payload: Value,
    },
    Said {
        sender: usize,
        key: Option<String>,
        conversation: String,
        body: String,
        payload: Value,
    },
    Edited {
        message: String,
        body: String,
        payload: Value,
    },
    Deleted {
        actor: usize,
        message: String,
        for_everyone: bool,
        payload: Value,
    },
    Marked {
        payload: Value,
    },
    Aside(Learned),
}

/// What an operation on a conversation means for what the driver remembers of it.
enum Effect {
    None,
    Comes(usize),
    Goes(usize),
    /// Is the owner from then on; and who goes, if somebody does.
    Owns(usize, Option<usize>),
}

struct Draft {
    creator: usize,
    members: BTreeSet<usize>,
    is_full: bool,
    /// A direct conversation's context; none is a group.
    direct: Option<String>,
}

impl Driver {
    pub async fn start(backend: Backend, random: Random) -> Self {
        let world = Setup::new(backend).nodes(2).start().await;
        let mut clients = Vec::new();
        for name in ["ann", "bob"] {
            clients.push(Client::new(world.person(name).await));
        }
        let keeper = world.person_with("keeper", json!({ "roles": ["owner"] })).await;
        let ghost = world.person("ghost").await;
        Driver {
            world,
            random,
            clients,
            keeper,
            ghost,
            rooms: Vec::new(),
            directs: HashMap::new(),
            sent: BTreeMap::new(),
            keys: HashMap::new(),
            edited: HashMap::new(),
            deleted: BTreeSet::new(),
            hidden: BTreeSet::new(),
            marked: 0,
            acted: BTreeMap::new(),
            requests: Vec::new(),
            aside: 0,
            talked_on_both_sides: 0,
            gone: BTreeSet::new(),
            came_again: 0,
            steps: 0,
            count: 0,
        }
    }

    /// Some operations and some moves of clients, all at the same time.
    pub async fn step(&mut self) {
        if self.random.chance(20) {
            let span = *self.random.pick(&[1, 70, 900, 5_000]);
            self.world.clock.advance(Duration::from_secs(span));
        }
        let size = 1 + self.random.below(5);
        let drafts: Vec<Operation> = (0..size).map(|_| self.draw()).collect();
        let moves: Vec<Move> = (0..self.clients.len()).map(|number| self.draw_move(number)).collect();

        let people: Vec<Person> = self.clients.iter().map(|client| client.person.clone()).collect();
        let operations = drafts.into_iter().map(|operation| operation.run(&self.world, &people));
        let moving = self.clients.iter_mut().zip(moves).map(|(client, next)| client.make(&self.world, next));
        let (outcomes, _) = join(join_all(operations), join_all(moving)).await;
        for outcome in outcomes {
            self.learn(outcome);
        }
        let people = self.clients.len();
        for client in self.clients.iter_mut().filter(|client| client.state.is_some()) {
            client.began_among.get_or_insert(people);
        }
        self.steps += 1;
        self.check_what_is_new().await;
    }

    /// Nothing is on its way between two steps, so that what is new to somebody can be held against what there is. At the end
    /// alone it would show little: where all was read, what had been counted falsely is counted no more.
    async fn check_what_is_new(&mut self) {
        let person = self.clients[self.steps % self.clients.len()].person.at(&self.world, self.steps / 2 % 2);
        let now = State::fetch(&person).await;
        assert_eq!(now.unread(&person.id), unread(&person).await, "what is new to {}", person.name);
        self.talked_on_both_sides += now.talked_on_both_sides(&person.id);
    }

    fn draw_move(&mut self, number: usize) -> Move {
        let node = self.random.below(2);
        let chance = self.random.below(100);
        if self.clients[number].is_here() {
            match chance {
                // The more often they read, the more of it is live and the less is caught up with.
                0..60 => Move::Read(1 + self.random.below(30)),
                60..70 => Move::Leave,
                // To another node, or to the same anew.
                70..80 => Move::Come { node, cursors_back: 0 },
                80..84 => Move::Come { node, cursors_back: self.random.below(20) },
                _ => Move::Nothing,
            }
        } else if chance < 25 {
            let cursors_back = if self.random.chance(25) { self.random.below(20) } else { 0 };
            Move::Come { node, cursors_back }
        } else {
            Move::Nothing
        }
    }

    fn draw(&mut self) -> Operation {
        self.count += 1;
        let count = self.count;
        let node = self.random.below(2);
        let people = self.clients.len();
        let actor = self.random.below(people);
        if self.random.chance(14) {
            return self.draw_aside(node, actor);
        }
        let doing = match self.random.below(100) {
            0..3 if people < PEOPLE => Doing::Join { name: format!("person {count}") },
            3..5 => Doing::Describe { words: format!("words {count}") },
            5..6 => {
                let whom = if self.random.chance(50) { &self.ghost } else { &self.clients[actor].person };
                let (keeper, whom) = (self.keeper.clone(), whom.id.clone());
                let role = ROLES[self.random.below(ROLES.len())];
                Doing::Promote { keeper, whom, role }
            }
            6..8 => Doing::Shut {
                keeper: self.keeper.clone(),
                whom: self.ghost.id.clone(),
                how: if self.random.chance(50) { "userDeactivate" } else { "userReactivate" },
            },
            0..3 | 8..10 => {
                Doing::Rename { name: format!("name {count}"), role: ROLES[self.random.below(ROLES.len())] }
            }
            10..14 => {
                let members = self.some_people();
                // One without a title is refused.
                let title = if self.random.chance(90) { json!(format!("group {count}")) } else { Value::Null };
                let history = *self.random.pick(&HISTORIES);
                let visibility = *self.random.pick(&["PUBLIC", "PUBLIC", "PRIVATE"]);
                Doing::Create {
                    members,
                    title,
                    direct: None,
                    more: json!({ "history": history, "visibility": visibility }),
                }
            }
            14..20 => {
                let members = BTreeSet::from([self.random.below(people)]);
                let context = *self.random.pick(&["", "", "", "42"]);
                Doing::Create { members, title: Value::Null, direct: Some(context.to_owned()), more: json!({}) }
            }
            20..28 if !self.rooms.is_empty() => {
                let room = self.random.below(self.rooms.len());
                let (members, stranger) = (self.some_people(), self.random.chance(10));
                let by_owner = self.random.chance(80);
                let actor = if by_owner { self.rooms[room].owner } else { actor };
                let conversation = self.rooms[room].id.clone();
                return Operation { node, actor, doing: Doing::Add { room, conversation, members, stranger } };
            }
            54..74 if !self.rooms.is_empty() => return self.draw_life(node, actor),
            28..42 if !self.sent.is_empty() => return self.draw_change(node, actor),
            42..54 if !self.sent.is_empty() => return self.draw_mark(node, actor),
            _ => return self.draw_message(node, actor),
        };
        Operation { node, actor, doing }
    }

    /// Mostly somebody who takes part in a conversation.
    fn member_or(&mut self, conversation: &str, anybody: usize) -> usize {
        let room = self.rooms.iter().find(|room| room.id == conversation);
        let members: Vec<usize> = room.into_iter().flat_map(|room| room.members.iter().copied()).collect();
        if members.is_empty() || self.random.chance(5) { anybody } else { *self.random.pick(&members) }
    }

    /// Something becomes of a conversation, or somebody comes, goes, or is something else in it; mostly by who may.
    fn draw_life(&mut self, node: usize, anybody: usize) -> Operation {
        // Mostly a group with several people, for little can become of others.
        let groups: Vec<usize> = (0..self.rooms.len()).filter(|room| self.rooms[*room].members.len() > 2).collect();
        let among_groups = !groups.is_empty() && self.random.chance(85);
        let room = if among_groups { *self.random.pick(&groups) } else { self.random.below(self.rooms.len()) };
        let (id, owner) = (self.rooms[room].id.clone(), self.rooms[room].owner);
        let members: Vec<usize> = self.rooms[room].members.iter().copied().collect();
        let member = if members.is_empty() { anybody } else { *self.random.pick(&members) };
        let whom = self.clients[member].person.id.clone();
        let act = |actor, what, input: Value, effect| {
            let mut input = input;
            input["conversationId"] = json!(id);
            Operation { node, actor, doing: Doing::Act { what, room, input, effect } }
        };
        match self.random.below(12) {
            0 | 1 => {
                let input = match self.random.below(4) {
                    0 => json!({ "title": format!("title {}", self.count) }),
                    1 => {
                        json!({ "description": if self.random.chance(60) { json!("some words") } else { Value::Null } })
                    }
                    2 => json!({ "history": self.random.pick(&HISTORIES) }),
                    _ => json!({ "visibility": self.random.pick(&["PUBLIC", "PRIVATE"]) }),
                };
                act(owner, "conversationUpdate", input, Effect::None)
            }
            2 => act(owner, "conversationArchive", json!({}), Effect::None),
            3 | 4 => act(owner, "conversationReopen", json!({}), Effect::None),
            5 => act(owner, "conversationMemberRemove", json!({ "memberId": whom }), Effect::Goes(member)),
            6 => {
                let role = *self.random.pick(&["ADMIN", "MEMBER", "OWNER"]);
                act(owner, "conversationMemberUpdate", json!({ "memberId": whom, "role": role }), Effect::None)
            }
            7 => act(owner, "conversationTransfer", json!({ "memberId": whom }), Effect::Owns(member, None)),
            8 => act(owner, "conversationLeave", json!({ "successorId": whom }), Effect::Owns(member, Some(owner))),
            9 => act(member, "conversationLeave", json!({}), Effect::Goes(member)),
            10 if self.who_is_gone().is_some() => {
                let (room, person) = self.who_is_gone().expect("somebody who was there a moment ago");
                let Room { id, owner, .. } = &self.rooms[room];
                let (conversation, members) = (id.clone(), BTreeSet::from([person]));
                Operation { node, actor: *owner, doing: Doing::Add { room, conversation, members, stranger: false } }
            }
            _ => act(anybody, "conversationJoin", json!({}), Effect::Comes(anybody)),
        }
    }

    /// Somebody who has left, or was sent away, after they had talked there.
    fn who_is_gone(&self) -> Option<(usize, usize)> {
        let mut gone = self.gone.iter().copied().filter(|(room, person)| self.has_talked(*room, *person));
        gone.next()
    }

    fn has_talked(&self, room: usize, person: usize) -> bool {
        let conversation = &self.rooms[room].id;
        self.sent.values().any(|sent| sent.sender == person && sent.conversation == *conversation)
    }

    /// An edit or a deletion, mostly by who may.
    fn draw_change(&mut self, node: usize, anybody: usize) -> Operation {
        // Mostly one of the last, for which it is not too late.
        let some = if self.random.chance(80) { 6 } else { self.sent.len() };
        let sent: Vec<Sent> = self.sent.values().rev().take(some).cloned().collect();
        let sent = self.random.pick(&sent).clone();
        let message = sent.id;
        let doing = match self.random.below(3) {
            0 => Doing::Delete { message, for_everyone: false },
            1 => Doing::Delete { message, for_everyone: true },
            // Now and then to the same words as before, or to none.
            _ => {
                let body = match self.random.below(8) {
                    0 => String::new(),
                    1 => sent.body,
                    _ => format!("words {}", self.count),
                };
                Doing::Edit { message, body }
            }
        };
        let by_sender = !matches!(doing, Doing::Delete { for_everyone: false, .. }) && self.random.chance(85);
        let actor = if by_sender { sent.sender } else { self.member_or(&sent.conversation, anybody) };
        Operation { node, actor, doing }
    }

    /// Somebody has, or has read, one message or several, or a conversation up to some place.
    fn draw_mark(&mut self, node: usize, anybody: usize) -> Operation {
        let sent: Vec<(String, String)> =
            self.sent.values().map(|sent| (sent.id.clone(), sent.conversation.clone())).collect();
        let some = 1 + self.random.below(4);
        let mut messages: Vec<String> = (0..some).map(|_| self.random.pick(&sent).0.clone()).collect();
        let (message, conversation) = self.random.pick(&sent).clone();
        messages.push(message);
        let actor = self.member_or(&conversation, anybody);
        let doing = match self.random.below(3) {
            0 => Doing::Mark { messages, read: false },
            1 => Doing::Mark { messages, read: true },
            _ => Doing::Read { conversation, up_to: Some(self.random.below(20)).filter(|up_to| *up_to > 0) },
        };
        Operation { node, actor, doing }
    }

    fn draw_message(&mut self, node: usize, anybody: usize) -> Operation {
        if self.rooms.is_empty() {
            let members = BTreeSet::new();
            let doing = Doing::Create { members, title: json!("the first"), direct: None, more: json!({}) };
            return Operation { node, actor: anybody, doing };
        }
        let room = self.random.below(self.rooms.len());
        let members: Vec<usize> = self.rooms[room].members.iter().copied().collect();
        // Now and then somebody who does not take part, or who says nothing.
        let by_member = !members.is_empty() && self.random.chance(95);
        let actor = if by_member { *self.random.pick(&members) } else { anybody };
        let mut conversation = self.rooms[room].id.clone();
        let mut body = if self.random.chance(95) { format!("words {}", self.count) } else { " ".to_owned() };
        let mut key = None;
        if self.random.chance(40) {
            let chosen = format!("key {}", self.random.below(6));
            // With the same words it is a repetition, with others it is refused.
            if let Some(sent) = self.keys.get(&(actor, chosen.clone()))
                && self.random.chance(70)
            {
                (conversation, body) = (sent.conversation.clone(), sent.body.clone());
            }
            key = Some(chosen);
        }
        let here: Vec<&Sent> = self.sent.values().filter(|sent| sent.conversation == conversation).collect();
        let reply_to = if key.is_none() && !here.is_empty() && self.random.chance(15) {
            Some(self.random.pick(&here).id.clone())
        } else {
            None
        };
        Operation { node, actor, doing: Doing::Say { conversation, body, key, reply_to } }
    }

    fn some_people(&mut self) -> BTreeSet<usize> {
        (0..self.clients.len()).filter(|_| self.random.chance(30)).collect()
    }

    /// Takes note of what came of an operation, and holds it against what may.
    fn learn(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Joined(person) => self.clients.push(Client::new(person)),
            Outcome::Done => {}
            Outcome::Aside(learned) => self.learn_aside(learned),
            Outcome::Renamed(number, person) => {
                assert_eq!(person.id, self.clients[number].person.id, "a name makes nobody another");
                self.clients[number].person = person;
            }
            Outcome::Created { draft, payload } => self.learn_conversation(draft, &payload),
            Outcome::Added { room, members, payload } => {
                if list(&payload["errors"]).is_empty() {
                    for member in &members {
                        self.comes(room, *member);
                    }
                    self.rooms[room].members.extend(members);
                }
            }
            Outcome::Acted { what, room, effect, payload } => {
                if !list(&payload["errors"]).is_empty() {
                    return;
                }
                *self.acted.entry(what).or_default() += 1;
                match effect {
                    Effect::Comes(person) => self.comes(room, person),
                    Effect::Goes(person) | Effect::Owns(_, Some(person)) => drop(self.gone.insert((room, person))),
                    Effect::None | Effect::Owns(_, None) => {}
                }
                let room = &mut self.rooms[room];
                match effect {
                    Effect::None => {}
                    Effect::Comes(person) => drop(room.members.insert(person)),
                    Effect::Goes(person) => drop(room.members.remove(&person)),
                    Effect::Owns(owner, goes) => {
                        room.owner = owner;
                        room.members.retain(|member| Some(*member) != goes);
                    }
                }
                if payload["conversation"]["history"] == json!("FROM_JOIN") {
                    room.is_full = false;
                }
            }
            other @ (Outcome::Edited { .. } | Outcome::Deleted { .. } | Outcome::Marked { .. }) => {
                self.learn_change(other);
            }
            Outcome::Said { sender, key, conversation, body, payload } => {
                let message = &payload["message"];
                let sent = message.is_object().then(|| Sent {
                    id: text(&message["id"]),
                    sender,
                    conversation,
                    sequence: message["sequence"].as_u64().expect("a number"),
                    body,
                });
                assert_eq!(sent.is_some(), list(&payload["errors"]).is_empty(), "{payload}");
                if let Some(sent) = &sent {
                    let known = self.sent.insert(sent.id.clone(), sent.clone());
                    assert!(known.is_none_or(|known| known == *sent), "{sent:?} was something else before");
                }
                if let (Some(key), Some(sent)) = (key, sent) {
                    let first = self.keys.entry((sender, key)).or_insert_with(|| sent.clone());
                    assert_eq!(*first, sent, "a key stands for one message");
                }
            }
        }
    }

    /// Takes note of who comes again to where they had talked.
    fn comes(&mut self, room: usize, person: usize) {
        self.came_again += usize::from(self.gone.remove(&(room, person)) && self.has_talked(room, person));
    }

    /// Takes note of what became of a message that was there.
    fn learn_change(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Edited { message, body, payload } if payload["message"].is_object() => {
                self.edited.entry(message).or_default().insert(body);
            }
            Outcome::Deleted { actor, message, for_everyone, payload } if payload["deletedMessageId"].is_string() => {
                if for_everyone {
                    self.deleted.insert(message);
                } else {
                    self.hidden.insert((actor, message));
                }
            }
            Outcome::Marked { payload } => self.marked += payload["markedCount"].as_u64().unwrap_or_default(),
            _ => {}
        }
    }

    /// Whether a message may say this after all that was done to it, at times that only the hub knows.
    fn may_say(&self, sent: &Sent, body: &str) -> bool {
        if self.deleted.contains(&sent.id) {
            return body.is_empty();
        }
        match self.edited.get(&sent.id) {
            Some(bodies) => bodies.contains(body),
            None => sent.body == body,
        }
    }

    fn learn_conversation(&mut self, draft: Draft, payload: &Value) {
        let Some(id) = payload["conversation"]["id"].as_str() else {
            assert_eq!(list(&payload["errors"]).len(), 1, "{payload}");
            return;
        };
        let mut members = draft.members;
        members.insert(draft.creator);
        let is_group = draft.direct.is_none();
        if let Some(context) = draft.direct {
            let (low, high) = (*members.first().expect("two"), *members.last().expect("two"));
            let known = self.directs.entry((low, high, context)).or_insert_with(|| id.to_owned());
            assert_eq!(known, id, "a pair has one direct conversation");
        }
        if self.rooms.iter().all(|room| room.id != id) {
            let (owner, is_full) = (draft.creator, draft.is_full);
            self.rooms.push(Room { id: id.to_owned(), is_group, owner, members, is_full });
        }
    }

    /// Lets every client come to the end of the log, and compares; answers how often somebody came again to where they had
    /// talked.
    pub async fn finish(mut self) -> usize {
        for client in &mut self.clients {
            if !client.is_here() {
                client.make(&self.world, Move::Come { node: self.random.below(2), cursors_back: 0 }).await;
            }
        }
        // Everybody in the workspace hears of who joins, and all that was done stands before it in the log.
        let fence = self.world.person("fence").await;
        for client in &mut self.clients {
            client.read_until_joined(&self.world, &fence.id).await;
        }

        let mut said: BTreeMap<String, BTreeMap<u64, Sent>> = BTreeMap::new();
        for sent in self.sent.values() {
            let before = said.entry(sent.conversation.clone()).or_default().insert(sent.sequence, sent.clone());
            assert_eq!(before, None, "two messages have one place");
        }
        let (mut taking_part, mut listed): (BTreeMap<String, BTreeSet<String>>, BTreeMap<String, BTreeSet<String>>) =
            Default::default();
        for (number, client) in self.clients.iter().enumerate() {
            let model = client.state.as_ref().expect("everybody has begun");
            let person = client.person.at(&self.world, self.random.below(2));
            let mut fresh = State::fetch(&person).await;
            fresh.fetch_users(&person, model.users.keys()).await;
            assert_eq!(*model, fresh, "what {} has made of the events is not what there is", client.person.name);
            assert_eq!(model.order(), order(&person).await);
            for newcomer in &self.clients[client.began_among.unwrap_or(self.clients.len())..] {
                assert!(model.users.contains_key(&newcomer.person.id), "{} was not announced", newcomer.person.name);
            }

            assert_eq!(model.unread(&client.person.id), unread(&person).await, "what is new to {}", client.person.name);
            for (id, conversation) in &fresh.conversations {
                let acknowledged: Vec<&Sent> = said.get(id).into_iter().flat_map(BTreeMap::values).collect();
                let is_full = self.rooms.iter().any(|room| room.id == *id && room.is_full);
                // Whoever came later, where newcomers see nothing older, sees all that follows the first that they see.
                let first = conversation.messages.keys().next().map_or(u64::MAX, |first| *first as u64);
                let seen: Vec<&&Sent> = acknowledged
                    .iter()
                    .filter(|sent| is_full || sent.sequence >= first)
                    .filter(|sent| !self.hidden.contains(&(number, sent.id.clone())))
                    .collect();
                assert_eq!(
                    seen.iter().map(|sent| &sent.id).collect::<Vec<_>>(),
                    conversation.messages.values().map(|message| &message.id).collect::<Vec<_>>(),
                    "what was acknowledged is what is stored"
                );
                for (sent, message) in seen.iter().zip(conversation.messages.values()) {
                    assert!(self.may_say(sent, &message.body), "{sent:?} became {message:?}");
                    assert_eq!(self.deleted.contains(&sent.id), !message.deleted_at.is_null(), "{sent:?} {message:?}");
                }
                assert_eq!(conversation.last_sequence, acknowledged.len());
            }
            for (id, conversation) in fresh.conversations {
                taking_part.entry(id.clone()).or_default().insert(client.person.id.clone());
                let members: BTreeSet<String> = conversation.members.into_keys().collect();
                assert_eq!(
                    *listed.entry(id).or_insert_with(|| members.clone()),
                    members,
                    "everybody sees the same people"
                );
            }
        }
        assert_eq!(listed, taking_part, "whoever is listed takes part, and nobody else");
        for room in self.rooms.iter().filter(|room| !room.is_group) {
            let pair = room.members.iter().map(|number| self.clients[*number].person.id.clone()).collect();
            assert_eq!(taking_part.get(&room.id), Some(&pair));
        }
        self.check_that_something_happened();
        // The next seed needs the connections to the database.
        drop(self.clients);
        for node in 0..self.world.node_count() {
            self.world.stop(node).await;
        }
        self.came_again
    }

    /// A driver that is refused everything would prove nothing.
    fn check_that_something_happened(&self) {
        let groups = self.rooms.iter().filter(|room| room.is_group).count();
        let happened = (self.clients.len(), groups, self.directs.len(), self.sent.len(), self.keys.len());
        let changed = (self.edited.len(), self.deleted.len(), self.hidden.len(), self.marked);
        assert!(self.aside > 10 && !self.requests.is_empty(), "too little was done beside talking: {}", self.aside);
        assert!(
            changed.0 > 0 && changed.1 > 0 && changed.2 > 0 && changed.3 > 0,
            "too little was changed: {changed:?}"
        );
        assert!(self.talked_on_both_sides > 0, "nobody had talked before and after what they had read");
        let acts = ["conversationUpdate", "conversationArchive", "conversationReopen", "conversationMemberRemove"];
        let more = ["conversationMemberUpdate", "conversationTransfer", "conversationLeave", "conversationJoin"];
        let never: Vec<&str> = acts.into_iter().chain(more).filter(|act| !self.acted.contains_key(act)).collect();
        assert!(never.len() <= 3, "too little became of conversations: never {never:?} in {:?}", self.acted);
        assert!(
            happened.0 > 2 && happened.1 > 2 && happened.2 > 2 && happened.3 > 20 && happened.4 > 2,
            "too little happened: {happened:?}"
        );
    }
}

/// What is new to somebody, as the hub counts it.
async fn unread(person: &Person) -> BTreeMap<&'static str, usize> {
    let found = person.ask("{ conversations(first: 100) { nodes { id unreadCount } } unreadCounts { total conversations(first: 100) { count conversation { id } } } }", json!({})).await;
    let nodes = list(&found["conversations"]["nodes"]);
    let counted: BTreeMap<&'static str, usize> = nodes
        .iter()
        // The few ids of a test may live as long as it does.
        .map(|node| (&*text(&node["id"]).leak(), node["unreadCount"].as_u64().expect("a number") as usize))
        .collect();
    assert_eq!(found["unreadCounts"]["total"], json!(counted.values().sum::<usize>()));
    for of_one in list(&found["unreadCounts"]["conversations"]) {
        assert_eq!(of_one["count"], json!(counted[of_one["conversation"]["id"].as_str().expect("an id")]));
    }
    counted
}

/// The list of one's conversations, as the hub orders it.
async fn order(person: &Person) -> Vec<String> {
    let found = person.ask("{ conversations(first: 100) { nodes { id } } }", json!({})).await;
    list(&found["conversations"]["nodes"]).iter().map(|node| text(&node["id"])).collect()
}

async fn add(person: &Person, conversation: &str, ids: &[String]) -> Value {
    let query = "mutation($input: ConversationMemberAddInput!) { conversationMemberAdd(input: $input) {
        errors { code } } }";
    let input = json!({ "conversationId": conversation, "memberIds": ids });
    person.ask(query, json!({ "input": input })).await["conversationMemberAdd"].take()
}

/// A mutation with its input, which has its name.
async fn perform(person: &Person, what: &str, input: Value, selection: &str) -> Value {
    let of = format!("{}{}Input", what[..1].to_uppercase(), &what[1..]);
    let query = format!("mutation($input: {of}!) {{ {what}(input: $input) {{ {selection} errors {{ code }} }} }}");
    person.ask(&query, json!({ "input": input })).await[what].take()
}

/// What somebody does at some node.
struct Operation {
    node: usize,
    actor: usize,
    doing: Doing,
}

enum Doing {
    Join { name: String },
    Rename { name: String, role: &'static str },
    Describe { words: String },
    Promote { keeper: Person, whom: String, role: &'static str },
    Shut { keeper: Person, whom: String, how: &'static str },
    Create { members: BTreeSet<usize>, title: Value, direct: Option<String>, more: Value },
    Add { room: usize, conversation: String, members: BTreeSet<usize>, stranger: bool },
    Act { what: &'static str, room: usize, input: Value, effect: Effect },
    Say { conversation: String, body: String, key: Option<String>, reply_to: Option<String> },
    Edit { message: String, body: String },
    Delete { message: String, for_everyone: bool },
    Mark { messages: Vec<String>, read: bool },
    Read { conversation: String, up_to: Option<usize> },
    Aside(Aside),
}

impl Operation {
    fn run<'a>(self, world: &'a World, people: &[Person]) -> BoxFuture<'a, Outcome> {
        let Operation { node, actor, doing } = self;
        let person = people[actor].at(world, node);
        let ids = |members: &BTreeSet<usize>| -> Vec<String> {
            members.iter().map(|number| people[*number].id.clone()).collect()
        };
        match doing {
            Doing::Join { name } => async move { Outcome::Joined(world.person(&name).await.at(world, node)) }.boxed(),
            Doing::Rename { name, role } => {
                let token = world.token(&person.name, json!({ "name": name, "roles": [role] }));
                async move {
                    let mut renamed = Person::clone(&person);
                    renamed.token = token;
                    let found = renamed.ask("{ viewer { user { id } } }", json!({})).await;
                    renamed.id = text(&found["viewer"]["user"]["id"]);
                    Outcome::Renamed(actor, renamed)
                }
                .boxed()
            }
            Doing::Describe { words } => async move {
                let input = json!({ "statusText": words, "preferences": { "words": words } });
                let done = does(&person, "userUpdate", input, "").await;
                assert_eq!(done["errors"], json!([]));
                Outcome::Done
            }
            .boxed(),
            // A bot is not promoted, and that is as good as anything else that happens.
            Doing::Promote { keeper, whom, role } => async move {
                let input = json!({ "userId": whom, "role": role.to_uppercase() });
                does(&keeper.at(world, node), "userRoleUpdate", input, "").await;
                Outcome::Done
            }
            .boxed(),
            Doing::Shut { keeper, whom, how } => async move {
                let done = does(&keeper.at(world, node), how, json!({ "userId": whom }), "").await;
                assert_eq!(done["errors"], json!([]));
                Outcome::Done
            }
            .boxed(),
            Doing::Create { members, title, direct, more } => {
                let context =
                    direct.as_ref().filter(|id| !id.is_empty()).map(|id| json!({ "type": "booking", "id": id }));
                let kind = if direct.is_some() { "DIRECT" } else { "GROUP" };
                let mut input = more;
                let is_full = input["history"] != json!("FROM_JOIN");
                for (name, value) in [
                    ("type", json!(kind)),
                    ("title", title),
                    ("context", json!(context)),
                    ("memberIds", json!(ids(&members))),
                ] {
                    input[name] = value;
                }
                let draft = Draft { creator: actor, members, is_full, direct };
                async move { Outcome::Created { draft, payload: person.create(input).await } }.boxed()
            }
            Doing::Add { room, conversation, members, stranger } => {
                let mut ids = ids(&members);
                if stranger {
                    ids.push("usr_00000000000000000000000000000000".to_owned());
                }
                async move { Outcome::Added { room, members, payload: add(&person, &conversation, &ids).await } }
                    .boxed()
            }
            Doing::Act { what, room, input, effect } => async move {
                let selection = if what == "conversationUpdate" { "conversation { history }" } else { "" };
                Outcome::Acted { what, room, effect, payload: perform(&person, what, input, selection).await }
            }
            .boxed(),
            Doing::Aside(aside) => aside.run(actor, person),
            Doing::Edit { message, body } => async move {
                let input = json!({ "messageId": message, "body": body });
                let payload = perform(&person, "messageEdit", input, "message { id }").await;
                Outcome::Edited { message, body, payload }
            }
            .boxed(),
            Doing::Delete { message, for_everyone } => async move {
                let input = json!({ "messageId": message, "forEveryone": for_everyone });
                let payload = perform(&person, "messageDelete", input, "deletedMessageId").await;
                Outcome::Deleted { actor, message, for_everyone, payload }
            }
            .boxed(),
            Doing::Mark { messages, read } => async move {
                let what = if read { "messagesMarkRead" } else { "messagesMarkDelivered" };
                let input = json!({ "messageIds": messages });
                Outcome::Marked { payload: perform(&person, what, input, "markedCount").await }
            }
            .boxed(),
            Doing::Read { conversation, up_to } => async move {
                let input = json!({ "conversationId": conversation, "upTo": up_to });
                Outcome::Marked { payload: perform(&person, "conversationMarkRead", input, "markedCount").await }
            }
            .boxed(),
            Doing::Say { conversation, body, key, reply_to } => {
                let input = json!({
                    "conversationId": conversation, "body": body, "clientMessageId": key, "replyToId": reply_to,
                });
                async move {
                    let payload = person.send(input).await;
                    Outcome::Said { sender: actor, key, conversation, body, payload }
                }
                .boxed()
            }
        }
    }
}
