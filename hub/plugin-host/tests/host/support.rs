//! A host, a hub of the tests' own behind it, and people who write messages.

use std::{
    collections::{BTreeMap, HashMap},
    future::{Future, pending},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, ConversationRole, MessageId, Timestamp, UserId, WorkspaceId, WorkspaceRole,
    conversations::{Conversation, ConversationKind, ConversationStatus, History, Visibility},
    messages::{ContentType, Details, Due, Message, MessageDraft, MessageKind, Stretch},
    plugins::{Answered, CHAIN_WALL, Limits, PluginId, REQUESTS_WAITING, Reach, Request, Response},
    users::{User, UserStatus},
};
use jackfield_plugin_host::{
    Allocation, Answer, Bridge, Caller, Compiler, Configurations, ConversationFilter, Grants, Membership, Occasion,
    Outcome, Package, Page, Plugin, PluginHost, Reuse, Settings, Unavailable, WholeMessage, Window,
    hooks::{Ask, BeforeCreate, MessagePatch, Verdict},
};
use uuid::Uuid;

use crate::guests::Guest;

/// What makes the program the child that compiles.
pub const CHILD: &str = "compile-a-component";

pub const HERE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));
pub const ELSEWHERE: WorkspaceId = WorkspaceId(Uuid::from_u128(2));
pub const ANN: UserId = UserId(Uuid::from_u128(11));
pub const TEA: ConversationId = ConversationId(Uuid::from_u128(21));
pub const SECRET_ROOM: ConversationId = ConversationId(Uuid::from_u128(22));
pub const HELLO: MessageId = MessageId(Uuid::from_u128(31));
pub const NOW: Timestamp = Timestamp(1_767_225_600_000);

pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

pub fn compiler() -> Compiler {
    Compiler::new(std::env::current_exe().unwrap(), vec![CHILD.into()])
}

pub fn host(reuse: Reuse) -> PluginHost {
    let settings =
        Settings { allocation: Allocation::Pool, reuse, compiler: compiler(), cache: None, chain_wall: CHAIN_WALL };
    PluginHost::new(settings).unwrap()
}

/// A plugin with all that its manifest asks for.
pub async fn plugin(host: &PluginHost, guest: &Guest) -> Plugin {
    plugin_of(host, guest.build()).await
}

pub async fn plugin_of(host: &PluginHost, component: Vec<u8>) -> Plugin {
    let package = Package::read(component).unwrap();
    let manifest = Arc::clone(package.manifest());
    let module = host.load(&package).await.unwrap();
    let grants = Grants {
        capabilities: manifest.wanted(),
        conversations: None,
        origins: manifest.wanted_origins().into_iter().collect(),
    };
    let limits = Limits::default().lowered(&manifest.limits).unwrap();
    let configurations = Configurations::of(manifest.configuration.as_ref()).unwrap();
    let configuration = configurations.complete(&serde_json::Map::new()).unwrap().to_string().into();
    Plugin { module, grants: Arc::new(grants), configuration, limits }
}

pub fn occasion(hub: &Arc<Hub>) -> Occasion {
    let bridge = Arc::clone(hub) as Arc<dyn Bridge>;
    Occasion { bridge, workspace: HERE, viewer: None, now: NOW }
}

/// Asks one guest about one message.
pub async fn ask(guest: &Guest) -> Outcome<Verdict<MessagePatch>> {
    ask_in(&host(Reuse::Fresh), guest, &hub()).await
}

pub async fn ask_in(host: &PluginHost, guest: &Guest, hub: &Arc<Hub>) -> Outcome<Verdict<MessagePatch>> {
    let plugin = plugin(host, guest).await;
    put(host, &plugin, hub, &question("hello")).await
}

pub async fn put<A: Ask>(host: &PluginHost, plugin: &Plugin, hub: &Arc<Hub>, question: &A) -> Outcome<A::Answer> {
    host.ask(plugin, &occasion(hub), question).await
}

pub fn question(body: &str) -> BeforeCreate {
    BeforeCreate::new(draft(body), &ann())
}

pub fn draft(body: &str) -> MessageDraft {
    MessageDraft {
        conversation: TEA,
        kind: MessageKind::Text,
        content: ContentType::Plain,
        body: body.to_owned(),
        location: None,
        metadata: None,
        reply_to: None,
        client_message_id: None,
    }
}

pub fn ann() -> User {
    User {
        id: ANN,
        workspace: HERE,
        name: "Ann".into(),
        role: WorkspaceRole::Member,
        status: UserStatus::Active,
        avatar_url: None,
        status_text: None,
        is_operator: false,
        vouched_at: NOW,
        name_is_own: false,
        role_is_own: false,
        created_at: NOW,
    }
}

pub fn conversation(id: ConversationId) -> Conversation {
    Conversation {
        id,
        workspace: HERE,
        kind: ConversationKind::Group,
        status: ConversationStatus::Active,
        title: Some("Tea".into()),
        description: None,
        visibility: Visibility::Private,
        history: History::Full,
        avatar_url: None,
        context: None,
        creator: ANN,
        created_at: NOW,
        assignee: None,
        closed_at: None,
        member_count: 1,
        last_sequence: 1,
        last_activity_at: NOW,
    }
}

pub fn message(id: MessageId, conversation: ConversationId) -> WholeMessage {
    let message = Message {
        id,
        workspace: HERE,
        conversation,
        sequence: 1,
        sender: ANN,
        kind: MessageKind::Text,
        content: ContentType::Plain,
        body: "hello".into(),
        reply_to: None,
        created_at: NOW,
        edited_at: None,
        deleted: None,
        hidden: false,
    };
    WholeMessage { message, details: Details::default() }
}

pub fn hub() -> Arc<Hub> {
    Arc::new(Hub::default())
}

type Data = HashMap<(WorkspaceId, PluginId), BTreeMap<String, Vec<u8>>>;

/// What stands in for the hub: it has one message in each of two conversations, one user, and remembers who asked.
#[derive(Default)]
pub struct Hub {
    pub data: Mutex<Data>,
    pub callers: Mutex<Vec<Caller>>,
    pub is_away: AtomicBool,
    pub never_answers: AtomicBool,
    pub used: Mutex<u64>,
}

impl Hub {
    pub fn set(&self, workspace: WorkspaceId, key: &str, value: &[u8]) {
        let place = (workspace, "example.guest".parse().unwrap());
        self.data.lock().unwrap().entry(place).or_default().insert(key.to_owned(), value.to_owned());
    }

    async fn asked(&self, caller: &Caller) -> Answer<()> {
        self.callers.lock().unwrap().push(caller.clone());
        if self.never_answers.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
        if self.is_away.load(Ordering::SeqCst) { Err(Unavailable("the store is away".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl Bridge for Hub {
    async fn kv_get(&self, caller: &Caller, keys: &[String]) -> Answer<Vec<Option<Vec<u8>>>> {
        self.asked(caller).await?;
        let data = self.data.lock().unwrap();
        let own = data.get(&(caller.workspace, caller.plugin.clone()));
        Ok(keys.iter().map(|key| own.and_then(|own| own.get(key)).cloned()).collect())
    }

    async fn kv_scan(
        &self,
        caller: &Caller,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Answer<Page<(String, Vec<u8>)>> {
        self.asked(caller).await?;
        let data = self.data.lock().unwrap();
        let own = data.get(&(caller.workspace, caller.plugin.clone())).cloned().unwrap_or_default();
        let is_wanted = |key: &String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
        let mut rows: Vec<_> = own.into_iter().filter(|(key, _)| is_wanted(key)).collect();
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        Ok(Page { rows, has_more })
    }

    async fn kv_scan_many(
        &self,
        caller: &Caller,
        prefixes: &[String],
        limit: u32,
    ) -> Answer<Vec<Page<(String, Vec<u8>)>>> {
        let mut pages = Vec::new();
        for prefix in prefixes {
            pages.push(self.kv_scan(caller, prefix, None, limit).await?);
        }
        Ok(pages)
    }

    fn new_message_id(&self) -> Answer<MessageId> {
        Ok(HELLO)
    }

    async fn kv_used(&self, caller: &Caller) -> Answer<u64> {
        self.asked(caller).await?;
        Ok(*self.used.lock().unwrap())
    }

    async fn messages(&self, caller: &Caller, ids: &[MessageId]) -> Answer<Vec<Option<WholeMessage>>> {
        self.asked(caller).await?;
        let find = |id: &MessageId| match id.0.as_u128() {
            31 => Some(message(*id, TEA)),
            32 => Some(message(*id, SECRET_ROOM)),
            _ => None,
        };
        Ok(ids.iter().map(find).collect())
    }

    async fn history(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        _: Window,
        _: u32,
    ) -> Answer<Option<Page<WholeMessage>>> {
        self.asked(caller).await?;
        Ok(Some(Page { rows: vec![message(HELLO, conversation)], has_more: false }))
    }

    async fn conversation(&self, caller: &Caller, id: ConversationId) -> Answer<Option<Conversation>> {
        self.asked(caller).await?;
        Ok(Some(conversation(id)).filter(|_| [TEA, SECRET_ROOM].contains(&id)))
    }

    async fn members(
        &self,
        caller: &Caller,
        _: ConversationId,
        _: Option<UserId>,
        _: u32,
    ) -> Answer<Option<Page<Membership>>> {
        self.asked(caller).await?;
        Ok(Some(Page { rows: vec![membership()], has_more: false }))
    }

    async fn membership(&self, caller: &Caller, _: ConversationId, user: UserId) -> Answer<Option<Option<Membership>>> {
        self.asked(caller).await?;
        Ok(Some(Some(membership()).filter(|_| user == ANN)))
    }

    async fn conversations(
        &self,
        caller: &Caller,
        _: &ConversationFilter,
        _: Option<ConversationId>,
        _: u32,
    ) -> Answer<Page<Conversation>> {
        self.asked(caller).await?;
        Ok(Page { rows: vec![conversation(TEA)], has_more: false })
    }

    async fn users(&self, caller: &Caller, ids: &[UserId]) -> Answer<Vec<Option<User>>> {
        self.asked(caller).await?;
        Ok(ids.iter().map(|id| Some(ann()).filter(|ann| ann.id == *id)).collect())
    }

    async fn search_users(
        &self,
        caller: &Caller,
        _: &str,
        _: Option<ConversationId>,
        _: u32,
    ) -> Answer<Option<Vec<User>>> {
        self.asked(caller).await?;
        Ok(Some(vec![ann()]))
    }

    async fn annotations(&self, caller: &Caller, messages: &[MessageId]) -> Answer<Vec<Option<Option<String>>>> {
        self.asked(caller).await?;
        Ok(messages.iter().map(|id| Some(None).filter(|_| *id == HELLO)).collect())
    }

    async fn due_in(&self, caller: &Caller, stretch: &Stretch) -> Answer<Option<Due>> {
        self.asked(caller).await?;
        // Three are old, one of them on hold.
        let found = Due { count: stretch.limit.min(2), held: 1, through: stretch.after + 3, has_more: false };
        Ok(Some(found).filter(|_| stretch.conversation == TEA))
    }

    async fn due_everywhere(&self, caller: &Caller, _: Timestamp, _: &[ConversationId]) -> Answer<Option<Due>> {
        self.asked(caller).await?;
        Ok(Some(Due { count: 2, held: 1, through: 0, has_more: false }))
    }

    async fn secret(&self, caller: &Caller, name: &str) -> Answer<Option<Vec<u8>>> {
        self.asked(caller).await?;
        Ok(Some(b"a secret".to_vec()).filter(|_| name == "key"))
    }

    async fn requests_waiting(&self, caller: &Caller) -> Answer<u64> {
        self.asked(caller).await?;
        Ok(REQUESTS_WAITING - 20)
    }

    async fn fetch(&self, caller: &Caller, request: &Request, _: &Reach) -> Answer<Answered> {
        self.asked(caller).await?;
        let (url, body) = (request.url.clone(), b"tea".to_vec());
        Ok(Ok(Response { status: 200, url, headers: Vec::new(), body, is_cut: false }))
    }
}

fn membership() -> Membership {
    Membership { user: ann(), role: ConversationRole::Owner, joined_at: NOW }
}
