//! What happens: operations of several people at once, and the comings and goings of their clients.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join, join_all},
};
use serde_json::{Value, json};

use super::{
    model::{Client, Move, State, list},
    random::Random,
};
use crate::support::{Backend, Person, Setup, World, person::text};

/// More people than this would only dilute what happens between them.
const PEOPLE: usize = 9;
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
    count: usize,
}

/// What the driver remembers of a conversation, so that most of what it does makes sense.
struct Room {
    id: String,
    is_group: bool,
    owner: usize,
    members: BTreeSet<usize>,
}

#[derive(Debug, Clone, PartialEq)]
struct Sent {
    id: String,
    conversation: String,
    sequence: u64,
    body: String,
}

/// What came of an operation.
enum Outcome {
    Joined(Person),
    Renamed(usize, Person),
    Created { draft: Draft, payload: Value },
    Added { room: usize, members: BTreeSet<usize>, payload: Value },
    Said { sender: usize, key: Option<String>, conversation: String, body: String, payload: Value },
}

struct Draft {
    creator: usize,
    members: BTreeSet<usize>,
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
        Driver {
            world,
            random,
            clients,
            rooms: Vec::new(),
            directs: HashMap::new(),
            sent: BTreeMap::new(),
            keys: HashMap::new(),
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
        let doing = match self.random.below(100) {
            0..4 if people < PEOPLE => Doing::Join { name: format!("person {count}") },
            0..6 => Doing::Rename { name: format!("name {count}"), role: ROLES[self.random.below(ROLES.len())] },
            6..11 => {
                let members = self.some_people();
                // One without a title is refused.
                let title = if self.random.chance(90) { json!(format!("group {count}")) } else { Value::Null };
                Doing::Create { members, title, direct: None }
            }
            11..18 => {
                let members = BTreeSet::from([self.random.below(people)]);
                let context = *self.random.pick(&["", "", "", "42"]);
                Doing::Create { members, title: Value::Null, direct: Some(context.to_owned()) }
            }
            18..28 if !self.rooms.is_empty() => {
                let room = self.random.below(self.rooms.len());
                let (members, stranger) = (self.some_people(), self.random.chance(10));
                let by_owner = self.random.chance(80);
                let actor = if by_owner { self.rooms[room].owner } else { actor };
                let conversation = self.rooms[room].id.clone();
                return Operation { node, actor, doing: Doing::Add { room, conversation, members, stranger } };
            }
            _ => return self.draw_message(node, actor),
        };
        Operation { node, actor, doing }
    }

    fn draw_message(&mut self, node: usize, anybody: usize) -> Operation {
        if self.rooms.is_empty() {
            let doing = Doing::Create { members: BTreeSet::new(), title: json!("the first"), direct: None };
            return Operation { node, actor: anybody, doing };
        }
        let room = self.random.below(self.rooms.len());
        let members: Vec<usize> = self.rooms[room].members.iter().copied().collect();
        // Now and then somebody who does not take part, or who says nothing.
        let actor = if self.random.chance(95) { *self.random.pick(&members) } else { anybody };
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
            Outcome::Renamed(number, person) => {
                assert_eq!(person.id, self.clients[number].person.id, "a name makes nobody another");
                self.clients[number].person = person;
            }
            Outcome::Created { draft, payload } => self.learn_conversation(draft, &payload),
            Outcome::Added { room, members, payload } => {
                if list(&payload["errors"]).is_empty() {
                    self.rooms[room].members.extend(members);
                }
            }
            Outcome::Said { sender, key, conversation, body, payload } => {
                let message = &payload["message"];
                let sent = message.is_object().then(|| Sent {
                    id: text(&message["id"]),
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
            self.rooms.push(Room { id: id.to_owned(), is_group, owner: draft.creator, members });
        }
    }

    /// Lets every client come to the end of the log, and compares.
    pub async fn finish(mut self) {
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
        for client in &self.clients {
            let model = client.state.as_ref().expect("everybody has begun");
            let person = client.person.at(&self.world, self.random.below(2));
            let mut fresh = State::fetch(&person).await;
            fresh.fetch_users(&person, model.users.keys()).await;
            assert_eq!(*model, fresh, "what {} has made of the events is not what there is", client.person.name);
            assert_eq!(model.order(), order(&person).await);
            for newcomer in &self.clients[client.began_among.unwrap_or(self.clients.len())..] {
                assert!(model.users.contains_key(&newcomer.person.id), "{} was not announced", newcomer.person.name);
            }

            for (id, conversation) in &fresh.conversations {
                let acknowledged: Vec<(&str, &str)> =
                    said.get(id).into_iter().flat_map(BTreeMap::values).map(|sent| (&*sent.id, &*sent.body)).collect();
                let stored: Vec<(&str, &str)> =
                    conversation.messages.iter().map(|message| (&*message.id, &*message.body)).collect();
                assert_eq!(stored, acknowledged, "what was acknowledged is what is stored");
                assert_eq!(conversation.last_sequence, stored.len());
            }
            for room in &self.rooms {
                let takes_part = room.members.iter().any(|number| self.clients[*number].person.id == client.person.id);
                assert_eq!(fresh.conversations.contains_key(&room.id), takes_part, "{}", client.person.name);
            }
        }
        self.check_that_something_happened();
        // The next seed needs the connections to the database.
        drop(self.clients);
        for node in 0..self.world.node_count() {
            self.world.stop(node).await;
        }
    }

    /// A driver that is refused everything would prove nothing.
    fn check_that_something_happened(&self) {
        let groups = self.rooms.iter().filter(|room| room.is_group).count();
        let happened = (self.clients.len(), groups, self.directs.len(), self.sent.len(), self.keys.len());
        assert!(
            happened.0 > 2 && happened.1 > 2 && happened.2 > 2 && happened.3 > 20 && happened.4 > 2,
            "too little happened: {happened:?}"
        );
    }
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

/// What somebody does at some node.
struct Operation {
    node: usize,
    actor: usize,
    doing: Doing,
}

enum Doing {
    Join { name: String },
    Rename { name: String, role: &'static str },
    Create { members: BTreeSet<usize>, title: Value, direct: Option<String> },
    Add { room: usize, conversation: String, members: BTreeSet<usize>, stranger: bool },
    Say { conversation: String, body: String, key: Option<String>, reply_to: Option<String> },
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
            Doing::Create { members, title, direct } => {
                let context =
                    direct.as_ref().filter(|id| !id.is_empty()).map(|id| json!({ "type": "booking", "id": id }));
                let kind = if direct.is_some() { "DIRECT" } else { "GROUP" };
                let input = json!({ "type": kind, "title": title, "context": context, "memberIds": ids(&members) });
                let draft = Draft { creator: actor, members, direct };
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
