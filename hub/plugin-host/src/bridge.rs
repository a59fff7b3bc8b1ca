//! What plugins may ask of the hub. The hub implements it; the host decides who asks, and hands over nothing that was not
//! granted.

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, ConversationRole, MessageId, Timestamp, UserId, WorkspaceId,
    conversations::{Conversation, ConversationKind, ConversationStatus},
    messages::{Details, Message},
    plugins::{Answered, PluginId, Reach, Request},
    users::User,
};

/// On whose behalf the hub is asked. The host says it, never the plugin: there is no way to name another workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub workspace: WorkspaceId,
    pub plugin: PluginId,
    /// Whose eyes the plugin sees with, where it answers somebody; none where it sees what it was granted.
    pub viewer: Option<UserId>,
}

/// The hub could not answer: its store is away, or the like. The call of the plugin ends, and is not held against it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// What the hub answers.
pub type Answer<T> = Result<T, Unavailable>;

/// Part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub has_more: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Page { rows: Vec::new(), has_more: false }
    }
}

/// A message and what stands beside its words.
#[derive(Debug, Clone)]
pub struct WholeMessage {
    pub message: Message,
    pub details: Details,
}

/// Somebody's part in a conversation.
#[derive(Debug, Clone)]
pub struct Membership {
    pub user: User,
    pub role: ConversationRole,
    pub joined_at: Timestamp,
}

/// Which end of a conversation's history is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    Newest,
    Before(i64),
    After(i64),
}

/// Which conversations are wanted; none means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConversationFilter {
    pub kind: Option<ConversationKind>,
    pub status: Option<ConversationStatus>,
    pub idle_since: Option<Timestamp>,
    pub context_kind: Option<String>,
    pub context_id: Option<String>,
    /// None means all that there are; the host fills it in where an admin granted only some.
    pub among: Option<Vec<ConversationId>>,
}

/// Answers are in the order of what was asked. What is not there, not of the caller's workspace, or not for the viewer to
/// see, is none.
#[async_trait]
pub trait Bridge: Send + Sync {
    /// What is committed under these keys of the plugin's own data, and has not gone away by now.
    async fn kv_get(&self, caller: &Caller, keys: &[String]) -> Answer<Vec<Option<Vec<u8>>>>;
    /// The same in the order of the keys' bytes.
    async fn kv_scan(
        &self,
        caller: &Caller,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Answer<Page<(String, Vec<u8>)>>;
    /// The first entries of each of these prefixes.
    async fn kv_scan_many(
        &self,
        caller: &Caller,
        prefixes: &[String],
        limit: u32,
    ) -> Answer<Vec<Page<(String, Vec<u8>)>>>;
    /// How many bytes the plugin's own data has, keys and values together. May be a little old.
    async fn kv_used(&self, caller: &Caller) -> Answer<u64>;
    /// The id of a message that a plugin is about to send.
    fn new_message_id(&self) -> Answer<MessageId>;
    async fn messages(&self, caller: &Caller, ids: &[MessageId]) -> Answer<Vec<Option<WholeMessage>>>;
    /// The oldest first; none where there is no such conversation.
    async fn history(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        window: Window,
        limit: u32,
    ) -> Answer<Option<Page<WholeMessage>>>;
    async fn conversation(&self, caller: &Caller, id: ConversationId) -> Answer<Option<Conversation>>;
    /// In the order of the users' ids; none where there is no such conversation.
    async fn members(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: u32,
    ) -> Answer<Option<Page<Membership>>>;
    /// None where there is no such conversation; within it none where they are no member.
    async fn membership(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        user: UserId,
    ) -> Answer<Option<Option<Membership>>>;
    /// In the order of their ids.
    async fn conversations(
        &self,
        caller: &Caller,
        filter: &ConversationFilter,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Answer<Page<Conversation>>;
    async fn users(&self, caller: &Caller, ids: &[UserId]) -> Answer<Vec<Option<User>>>;
    /// Active ones, by the words of their names; none where the conversation is not there.
    async fn search_users(
        &self,
        caller: &Caller,
        text: &str,
        conversation: Option<ConversationId>,
        limit: u32,
    ) -> Answer<Option<Vec<User>>>;
    /// What the plugin attached to these messages, as JSON; none within where it attached nothing, none where there is no
    /// such message.
    async fn annotations(&self, caller: &Caller, messages: &[MessageId]) -> Answer<Vec<Option<Option<String>>>>;
    /// A secret that an admin entrusted to the plugin. It does not leave the host.
    async fn secret(&self, caller: &Caller, name: &str) -> Answer<Option<Vec<u8>>>;
    /// How many requests of the plugin wait for their answers. May be a little old.
    async fn requests_waiting(&self, caller: &Caller) -> Answer<u64>;
    /// Makes a request, as far as that reaches. It ends within 5 s.
    async fn fetch(&self, caller: &Caller, request: &Request, reach: &Reach) -> Answer<Answered>;
}
