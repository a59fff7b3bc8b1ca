//! A client that is told everything once and then only what changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Person, Socket, World, person::text};

/// What a client shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub conversations: BTreeMap<String, Conversation>,
    /// Everybody whom the client has heard of.
    pub users: BTreeMap<String, User>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    pub kind: String,
    pub title: Value,
    pub member_count: usize,
    pub last_sequence: usize,
    pub last_activity_at: String,
    pub members: BTreeSet<String>,
    /// In their order: the first has the sequence number 1.
    pub messages: Vec<Message>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub sender: String,
    pub reply_to: Value,
    pub created_at: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct User {
    pub name: String,
    pub role: String,
}

const USER: &str = "id name role";
const MESSAGE: &str = "id sequence body createdAt replyTo { id } sender { id name role }";

impl State {
    /// Asks for all of it.
    pub async fn fetch(person: &Person) -> Self {
        let mut state = State::default();
        let found =
            person.ask("{ conversations(first: 100) { nodes { id } pageInfo { hasNextPage } } }", json!({})).await;
        let page = &found["conversations"];
        // A list of several pages may move while it is turned over; the client would have to fetch what it missed.
        assert_eq!(page["pageInfo"]["hasNextPage"], json!(false), "the driver makes fewer conversations than this");
        for node in list(&page["nodes"]) {
            let known = state.fetch_conversation(person, &text(&node["id"])).await;
            assert!(known, "a conversation of one's own list can be fetched");
        }
        state
    }

    /// Asks for one conversation and puts it in the place of what was known of it; answers whether there is one.
    pub async fn fetch_conversation(&mut self, person: &Person, id: &str) -> bool {
        let query = format!(
            "query($id: ID!, $after: String) {{ conversation(id: $id) {{ type title memberCount lastSequence lastActivityAt
                members(first: 100) {{ nodes {{ user {{ {USER} }} }} }}
                messages(first: 20, after: $after) {{ nodes {{ {MESSAGE} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
        );
        let mut messages: Vec<Message> = Vec::new();
        let mut after = Value::Null;
        loop {
            let found = person.ask(&query, json!({ "id": id, "after": after })).await["conversation"].take();
            if found.is_null() {
                return false;
            }
            for message in list(&found["messages"]["nodes"]) {
                assert_eq!(message["sequence"], json!(messages.len() + 1), "a hole or a double in a page: {found}");
                messages.push(self.message(message));
            }
            let info = &found["messages"]["pageInfo"];
            if info["hasNextPage"] == json!(true) {
                after = info["endCursor"].clone();
                continue;
            }
            let members = list(&found["members"]["nodes"]).iter().map(|member| self.user(&member["user"])).collect();
            let number = |name: &str| found[name].as_u64().expect("a number") as usize;
            let fetched = Conversation {
                kind: text(&found["type"]),
                title: found["title"].clone(),
                member_count: number("memberCount"),
                // The fields of one answer are read one after the other, and a message may come in between.
                last_sequence: number("lastSequence").max(messages.len()),
                last_activity_at: text(&found["lastActivityAt"]).max(last_said(&messages)),
                members,
                messages,
            };
            self.conversations.insert(id.to_owned(), fetched);
            return true;
        }
    }

    /// Asks anew about everybody who is known.
    pub async fn fetch_users(&mut self, person: &Person, ids: impl IntoIterator<Item = &String>) {
        let ids: Vec<&String> = ids.into_iter().collect();
        for some in ids.chunks(100) {
            let query = format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on User {{ {USER} }} }} }}");
            let found = person.ask(&query, json!({ "ids": some })).await;
            for user in list(&found["nodes"]) {
                self.user(user);
            }
        }
    }

    fn user(&mut self, user: &Value) -> String {
        let id = text(&user["id"]);
        self.users.insert(id.clone(), User { name: text(&user["name"]), role: text(&user["role"]) });
        id
    }

    fn message(&mut self, message: &Value) -> Message {
        Message {
            id: text(&message["id"]),
            body: text(&message["body"]),
            sender: self.user(&message["sender"]),
            reply_to: message["replyTo"]["id"].clone(),
            created_at: text(&message["createdAt"]),
        }
    }

    /// Applies an event, as often as it may come; answers the conversation that has to be fetched now, if one has.
    fn apply(&mut self, me: &str, event: &Value) -> Option<String> {
        let conversation = || text(&event["conversation"]["id"]);
        match event["__typename"].as_str().expect("a type") {
            "WorkspaceCreated" | "WorkspaceUpdated" => {}
            "UserJoined" | "UserUpdated" => {
                self.user(&event["user"]);
            }
            "ConversationCreated" => return Some(conversation()).filter(|id| !self.conversations.contains_key(id)),
            "ConversationMembersAdded" => {
                let users: Vec<String> = list(&event["users"]).iter().map(|user| self.user(user)).collect();
                let id = conversation();
                match self.conversations.get_mut(&id) {
                    Some(known) => {
                        known.members.extend(users);
                        known.member_count = known.members.len();
                    }
                    // What happened before one came in may be told as well, to who has come in since then.
                    None => return users.iter().any(|user| user == me).then_some(id),
                }
            }
            "MessageSent" => self.apply_message(&conversation(), &event["message"]),
            other => panic!("the model knows no {other}: teach it"),
        }
        None
    }

    fn apply_message(&mut self, conversation: &str, sent: &Value) {
        let message = self.message(sent);
        let sequence = sent["sequence"].as_u64().expect("a number") as usize;
        // One that is not known yet is fetched when the event comes that says that one takes part in it.
        let Some(known) = self.conversations.get_mut(conversation) else { return };
        if let Some(seen) = known.messages.get(sequence - 1) {
            assert_eq!(*seen, message, "the number {sequence} of {conversation} is another message than before");
            return;
        }
        assert_eq!(sequence, known.messages.len() + 1, "messages of {conversation} are missing");
        known.last_sequence = sequence;
        known.last_activity_at = known.last_activity_at.clone().max(message.created_at.clone());
        known.messages.push(message);
    }

    /// The list of conversations in the order in which it is shown.
    pub fn order(&self) -> Vec<&str> {
        let mut order: Vec<(&str, &str)> =
            self.conversations.iter().map(|(id, known)| (known.last_activity_at.as_str(), id.as_str())).collect();
        order.sort_unstable();
        order.into_iter().rev().map(|(_, id)| id).collect()
    }
}

/// What a client does next.
#[derive(Debug, Clone, Copy)]
pub enum Move {
    Nothing,
    /// Takes in what has come, but at most so many things.
    Read(usize),
    /// Loses its socket, with all that is still in it.
    Leave,
    /// Begins at a node, or comes back to one: with the cursor that it saw last, or an older one.
    Come {
        node: usize,
        cursors_back: usize,
    },
}

pub struct Client {
    pub person: Person,
    /// Empty until there was a snapshot.
    pub state: Option<State>,
    /// How many people there were when it had its snapshot: those who came later, it must have been told of.
    pub began_among: Option<usize>,
    /// All cursors that it has seen, the oldest first.
    cursors: Vec<String>,
    connection: Option<Connection>,
}

struct Connection {
    socket: Socket,
    node: usize,
    caught_up: bool,
    /// The position of what was told last.
    position: i64,
    /// How far the messages of each conversation have been told.
    sequences: HashMap<String, u64>,
}

impl Client {
    pub fn new(person: Person) -> Self {
        Client { person, state: None, began_among: None, cursors: Vec::new(), connection: None }
    }

    pub fn is_here(&self) -> bool {
        self.connection.is_some()
    }

    pub async fn make(&mut self, world: &World, next: Move) {
        match next {
            Move::Nothing => {}
            Move::Leave => self.connection = None,
            Move::Come { node, cursors_back } => self.come(world, node, cursors_back).await,
            Move::Read(most) => {
                for _ in 0..most {
                    let Some(message) = self.connection.as_mut().and_then(|connection| connection.socket.heard())
                    else {
                        return;
                    };
                    self.take(world, message).await;
                }
            }
        }
    }

    async fn come(&mut self, world: &World, node: usize, cursors_back: usize) {
        let person = self.person.at(world, node);
        if self.state.is_none() {
            // The cursor first: what happens while the rest is read comes again as an event.
            self.cursors.push(person.cursor().await);
            self.state = Some(State::fetch(&person).await);
        }
        let after = self.cursors[self.cursors.len().saturating_sub(1 + cursors_back)].clone();
        let mut socket = person.socket().await;
        let query = format!(
            "subscription($after: EventCursor) {{ events(input: {{ after: $after }}) {{ __typename cursor
                ... on UserJoined {{ user {{ {USER} }} }}
                ... on UserUpdated {{ user {{ {USER} }} }}
                ... on ConversationCreated {{ conversation {{ id }} }}
                ... on ConversationMembersAdded {{ conversation {{ id }} users {{ {USER} }} }}
                ... on MessageSent {{ conversation {{ id }} message {{ {MESSAGE} }} }} }} }}"
        );
        socket.subscribe("e", &query, json!({ "after": after })).await;
        let position = position_of(&after);
        self.connection = Some(Connection { socket, node, caught_up: false, position, sequences: HashMap::new() });
    }

    /// Reads until somebody has joined.
    pub async fn read_until_joined(&mut self, world: &World, user: &str) {
        while !self.state.as_ref().is_some_and(|state| state.users.contains_key(user)) {
            let message = self.connection.as_mut().expect("a client that is here").socket.hear().await;
            self.take(world, message).await;
        }
    }

    async fn take(&mut self, world: &World, mut message: Value) {
        assert_eq!(message["type"], json!("next"), "{message}");
        assert!(message["payload"].get("errors").is_none(), "{message}");
        let event = message["payload"]["data"]["events"].take();
        let connection = self.connection.as_mut().expect("a client that is here");
        connection.check_order(&event);
        self.cursors.push(text(&event["cursor"]));
        if event["__typename"] == json!("CaughtUp") {
            return;
        }
        let node = connection.node;
        let state = self.state.as_mut().expect("a snapshot comes before the events");
        if let Some(id) = state.apply(&self.person.id, &event) {
            let known = state.fetch_conversation(&self.person.at(world, node), &id).await;
            assert!(known, "{} is told of a conversation that cannot be fetched: {event}", self.person.name);
        }
    }
}

impl Connection {
    /// Nothing comes twice on one connection, nor what the cursor was already behind, and nothing is left out.
    fn check_order(&mut self, event: &Value) {
        let position = position_of(&text(&event["cursor"]));
        let caught_up = event["__typename"] == json!("CaughtUp");
        assert!(!(caught_up && self.caught_up), "one catches up once: {event}");
        self.caught_up |= caught_up;
        let follows = if caught_up { position >= self.position } else { position > self.position };
        assert!(follows, "{position} was told behind {}: {event}", self.position);
        self.position = position;
        if let Some(sequence) = event["message"]["sequence"].as_u64() {
            let before = self.sequences.insert(text(&event["conversation"]["id"]), sequence);
            assert!(
                before.is_none_or(|before| before + 1 == sequence),
                "{sequence} was told behind {before:?}: {event}"
            );
        }
    }
}

/// What stands in a cursor. To clients it means nothing; here it shows whether there is an order.
fn position_of(cursor: &str) -> i64 {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).expect("a cursor");
    i64::from_be_bytes(bytes[bytes.len() - 8..].try_into().expect("eight bytes"))
}

fn last_said(messages: &[Message]) -> String {
    messages.last().map(|message| message.created_at.clone()).unwrap_or_default()
}

/// The items of a list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("expected a list, got {value}"))
}
