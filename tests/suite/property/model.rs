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
    /// Whom the client's user blocks.
    pub blocked: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    pub kind: String,
    pub title: Value,
    pub description: Value,
    pub status: String,
    pub visibility: String,
    pub history: String,
    pub closed_at: Value,
    /// The id of whoever has taken it.
    pub assignee: Value,
    /// What the client's user has set for themselves.
    pub settings: Value,
    pub member_count: usize,
    pub last_sequence: usize,
    pub last_activity_at: String,
    /// Everybody who takes part.
    pub members: BTreeMap<String, Part>,
    /// By their numbers; those that the client's user has deleted for themselves are missing, and those from before they
    /// came, where newcomers do not see them.
    pub messages: BTreeMap<usize, Message>,
}

/// What somebody is in a conversation, and how far they have come.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    pub role: String,
    pub delivered: usize,
    pub read: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub id: String,
    pub body: String,
    pub sender: String,
    pub reply_to: Value,
    pub created_at: String,
    pub edited_at: Value,
    pub deleted_at: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub struct User {
    pub name: String,
    pub role: String,
    pub status: String,
    pub status_text: Value,
}

const CONVERSATION: &str = "id title description status visibility history closedAt assignee { id }";
const USER: &str = "id name role status statusText";
const SETTINGS: &str = "mutedUntil isPinned notificationLevel sound";
const MESSAGE: &str =
    "id sequence body createdAt editedAt deletedAt replyTo { id } sender { id name role status statusText }";

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
            // One that is in the list and cannot be fetched was left in between.
            state.fetch_conversation(person, &text(&node["id"])).await;
        }
        let query = format!("{{ blockedUsers(first: 100) {{ nodes {{ {USER} }} }} }}");
        for user in list(&person.ask(&query, json!({})).await["blockedUsers"]["nodes"]) {
            let id = state.user(user);
            state.blocked.insert(id);
        }
        state
    }

    /// Asks for one conversation and puts it in the place of what was known of it; answers whether there is one.
    pub async fn fetch_conversation(&mut self, person: &Person, id: &str) -> bool {
        let query = format!(
            "query($id: ID!, $after: String) {{ conversation(id: $id) {{ {CONVERSATION}
                type viewerSettings {{ {SETTINGS} }} memberCount lastSequence lastActivityAt
                members(first: 100) {{ nodes {{ role deliveredUpTo readUpTo user {{ {USER} }} }} }}
                messages(first: 20, after: $after) {{ nodes {{ {MESSAGE} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
        );
        let mut messages: BTreeMap<usize, Message> = BTreeMap::new();
        let mut after = Value::Null;
        loop {
            let found = person.ask(&query, json!({ "id": id, "after": after })).await["conversation"].take();
            if found.is_null() {
                return false;
            }
            for message in list(&found["messages"]["nodes"]) {
                let sequence = number(&message["sequence"]);
                let follows = messages.last_key_value().is_none_or(|(last, _)| *last < sequence);
                assert!(follows, "a double in a page: {found}");
                messages.insert(sequence, self.message(message));
            }
            let info = &found["messages"]["pageInfo"];
            if info["hasNextPage"] == json!(true) {
                after = info["endCursor"].clone();
                continue;
            }
            let members = list(&found["members"]["nodes"]).iter().map(|member| {
                let (delivered, read) = (number(&member["deliveredUpTo"]), number(&member["readUpTo"]));
                (self.user(&member["user"]), Part { role: text(&member["role"]), delivered, read })
            });
            let members = members.collect();
            let fetched = Conversation {
                kind: text(&found["type"]),
                title: found["title"].clone(),
                description: found["description"].clone(),
                status: text(&found["status"]),
                visibility: text(&found["visibility"]),
                history: text(&found["history"]),
                closed_at: found["closedAt"].clone(),
                assignee: found["assignee"]["id"].clone(),
                settings: found["viewerSettings"].clone(),
                member_count: number(&found["memberCount"]),
                // The fields of one answer are read one after the other, and a message may come in between.
                last_sequence: number(&found["lastSequence"]).max(messages.keys().copied().last().unwrap_or_default()),
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
        let (name, role, status) = (text(&user["name"]), text(&user["role"]), text(&user["status"]));
        let status_text = user["statusText"].clone();
        self.users.insert(id.clone(), User { name, role, status, status_text });
        id
    }

    fn message(&mut self, message: &Value) -> Message {
        Message {
            id: text(&message["id"]),
            body: text(&message["body"]),
            sender: self.user(&message["sender"]),
            reply_to: message["replyTo"]["id"].clone(),
            created_at: text(&message["createdAt"]),
            edited_at: message["editedAt"].clone(),
            deleted_at: message["deletedAt"].clone(),
        }
    }

    /// Applies an event, as often as it may come; answers the conversation that has to be fetched now, if one has.
    fn apply(&mut self, me: &str, event: &Value) -> Option<String> {
        // Nothing where the client's user takes no part any more at the moment when it is told; word of that follows.
        let conversation = || event["conversation"]["id"].as_str().map(str::to_owned);
        match event["__typename"].as_str().expect("a type") {
            "WorkspaceCreated" | "WorkspaceUpdated" => {}
            // One's own list of sessions; the people here come in with tokens of others, and have none.
            "SessionStarted" | "SessionEnded" | "BotTokenRevoked" => panic!("{me} has no sessions: {event}"),
            "UserJoined" | "UserUpdated" => {
                self.user(&event["user"]);
            }
            "ConversationSettingsUpdated" => {
                if let Some(known) = self.conversations.get_mut(&conversation()?) {
                    known.settings = event["conversation"]["viewerSettings"].clone();
                }
            }
            "BlocksUpdated" => {
                let user = self.user(&event["user"]);
                if event["user"]["viewerBlocks"] == json!(true) {
                    self.blocked.insert(user);
                } else {
                    self.blocked.remove(&user);
                }
            }
            "ConversationCreated" => return conversation().filter(|id| !self.conversations.contains_key(id)),
            "ConversationMembersAdded" | "ConversationMembersRemoved" | "ConversationMemberUpdated" => {
                return self.apply_membership(me, &conversation()?, event);
            }
            "ConversationUpdated" => {
                let now = &event["conversation"];
                let known = self.conversations.get_mut(&conversation()?)?;
                known.title = now["title"].clone();
                known.description = now["description"].clone();
                known.status = text(&now["status"]);
                known.visibility = text(&now["visibility"]);
                known.history = text(&now["history"]);
                known.closed_at = now["closedAt"].clone();
                known.assignee = now["assignee"]["id"].clone();
            }
            "ConversationLeft" => drop(self.conversations.remove(&text(&event["conversationId"]))),
            "MessageSent" => self.apply_sent(&conversation()?, event),
            "MessageEdited" | "MessageDeleted" => self.apply_change(&conversation()?, event),
            "MessageHidden" => self.apply_hidden(event),
            "MessagesTrimmed" => self.apply_trimmed(&conversation()?, event),
            "ReceiptsAdvanced" => {
                let (user, up_to) = (self.user(&event["user"]), number(&event["upTo"]));
                // Who is gone by now, or again there, is told of before or behind this.
                let part = self.conversations.get_mut(&conversation()?)?.members.get_mut(&user)?;
                part.delivered = part.delivered.max(up_to);
                if event["kind"] == json!("READ") {
                    part.read = part.read.max(up_to);
                }
            }
            other => panic!("the model knows no {other}: teach it"),
        }
        None
    }

    fn apply_membership(&mut self, me: &str, conversation: &str, event: &Value) -> Option<String> {
        let users = event["users"].as_array().into_iter().flatten();
        let users: Vec<String> = users.map(|user| self.user(user)).collect();
        let Some(known) = self.conversations.get_mut(conversation) else {
            // What happened before one came in may be told as well, to who has come in since then.
            let comes = event["__typename"] == json!("ConversationMembersAdded") && users.iter().any(|user| user == me);
            return comes.then(|| conversation.to_owned());
        };
        match event["__typename"].as_str() {
            Some("ConversationMembersAdded") => {
                let sequence = number(&event["sequence"]);
                for user in users {
                    let new = || Part { role: "MEMBER".to_owned(), delivered: sequence, read: sequence };
                    known.members.entry(user).or_insert_with(new);
                }
            }
            Some("ConversationMembersRemoved") => known.members.retain(|user, _| !users.contains(user)),
            _ => {
                let user = self.user(&event["user"]);
                let part = self.conversations.get_mut(conversation)?.members.get_mut(&user)?;
                // Nothing where they are gone since.
                if let Some(role) = event["member"]["role"].as_str() {
                    role.clone_into(&mut part.role);
                }
                return None;
            }
        }
        known.member_count = known.members.len();
        None
    }

    fn apply_sent(&mut self, conversation: &str, event: &Value) {
        let sequence = number(&event["sequence"]);
        // One that is not known yet is fetched when the event comes that says that one takes part in it.
        let Some(known) = self.conversations.get_mut(conversation) else { return };
        assert!(sequence <= known.last_sequence + 1, "messages of {conversation} are missing before {sequence}");
        known.last_sequence = known.last_sequence.max(sequence);
        known.last_activity_at = known.last_activity_at.clone().max(text(&event["at"]));
        self.apply_change(conversation, event);
    }

    /// Puts the message as it is now into its place; there is nothing to put where it was deleted for oneself since.
    fn apply_change(&mut self, conversation: &str, event: &Value) {
        if event["message"].is_null() {
            return;
        }
        let message = self.message(&event["message"]);
        let sequence = number(&event["sequence"]);
        let Some(known) = self.conversations.get_mut(conversation) else { return };
        assert!(sequence <= known.last_sequence, "{sequence} of {conversation} changes before it is there");
        let before = known.messages.insert(sequence, message.clone());
        let same = before.is_none_or(|before| before.id == message.id && before.sender == message.sender);
        assert!(same, "the number {sequence} of {conversation} is another message than before");
    }

    fn apply_trimmed(&mut self, conversation: &str, event: &Value) {
        let Some(known) = self.conversations.get_mut(conversation) else { return };
        let kept: Vec<usize> = list(&event["keptSequences"]).iter().map(number).collect();
        let range = number(&event["fromSequence"])..=number(&event["throughSequence"]);
        let is_gone = |sequence: &usize| range.contains(sequence) && !kept.contains(sequence);
        let gone: BTreeSet<String> = known
            .messages
            .iter()
            .filter(|(sequence, _)| is_gone(sequence))
            .map(|(_, message)| message.id.clone())
            .collect();
        known.messages.retain(|sequence, _| !is_gone(sequence));
        for message in known.messages.values_mut() {
            if message.reply_to.as_str().is_some_and(|id| gone.contains(id)) {
                message.reply_to = Value::Null;
            }
        }
    }

    fn apply_hidden(&mut self, event: &Value) {
        let Some(known) = self.conversations.get_mut(&text(&event["conversationId"])) else { return };
        known.messages.remove(&number(&event["sequence"]));
        for message in known.messages.values_mut().filter(|message| message.reply_to == event["messageId"]) {
            message.reply_to = Value::Null;
        }
    }

    /// How many messages of others came after what somebody has read, by conversation.
    pub fn unread(&self, me: &str) -> BTreeMap<&str, usize> {
        let count = |known: &Conversation| {
            let read = known.members.get(me).map_or(0, |part| part.read);
            known.messages.range(read + 1..).filter(|(_, message)| message.sender != me).count()
        };
        self.conversations.iter().map(|(id, known)| (id.as_str(), count(known))).collect()
    }

    /// In how many conversations somebody has sent some messages before what they have read and some after it.
    pub fn talked_on_both_sides(&self, me: &str) -> usize {
        let of = |known: &Conversation| {
            let read = known.members.get(me).map_or(0, |part| part.read);
            let own = || known.messages.iter().filter(|(_, message)| message.sender == me);
            own().any(|(sequence, _)| *sequence <= read) && own().any(|(sequence, _)| *sequence > read)
        };
        self.conversations.values().filter(|known| of(known)).count()
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
                ... on ConversationUpdated {{ conversation {{ {CONVERSATION} }} }}
                ... on ConversationSettingsUpdated {{ conversation {{ id viewerSettings {{ {SETTINGS} }} }} }}
                ... on BlocksUpdated {{ user {{ {USER} viewerBlocks }} }}
                ... on ConversationMembersAdded {{ conversation {{ id }} sequence users {{ {USER} }} }}
                ... on ConversationMembersRemoved {{ conversation {{ id }} users {{ {USER} }} }}
                ... on ConversationMemberUpdated {{ conversation {{ id }} user {{ {USER} }} member {{ role }} }}
                ... on ConversationLeft {{ conversationId }}
                ... on MessageSent {{ at sequence conversation {{ id }} message {{ {MESSAGE} }} }}
                ... on MessageEdited {{ sequence conversation {{ id }} message {{ {MESSAGE} }} }}
                ... on MessageDeleted {{ sequence conversation {{ id }} message {{ {MESSAGE} }} }}
                ... on MessageHidden {{ sequence conversationId messageId }}
                ... on MessagesTrimmed {{ conversation {{ id }} fromSequence throughSequence keptSequences }}
                ... on ReceiptsAdvanced {{ conversation {{ id }} user {{ {USER} }} kind upTo }} }} }}"
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
            // One that cannot be fetched was left since then, and word of that follows.
            state.fetch_conversation(&self.person.at(world, node), &id).await;
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
        if event["__typename"] == json!("ConversationLeft") {
            self.sequences.remove(&text(&event["conversationId"]));
        }
        if event["__typename"] == json!("MessageSent") {
            // Who takes no part any more is not told where it was; whoever comes again begins anew.
            let Some(conversation) = event["conversation"]["id"].as_str() else { return self.sequences.clear() };
            let sequence = number(&event["sequence"]) as u64;
            let before = self.sequences.insert(conversation.to_owned(), sequence);
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

fn last_said(messages: &BTreeMap<usize, Message>) -> String {
    messages.values().last().map(|message| message.created_at.clone()).unwrap_or_default()
}

fn number(value: &Value) -> usize {
    value.as_u64().unwrap_or_else(|| panic!("expected a number, got {value}")) as usize
}

/// The items of a list.
pub fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("expected a list, got {value}"))
}
