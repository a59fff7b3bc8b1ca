//! Whoever answers in the place of a hub, and how a plugin's wishes reach them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, MessageId, UserId,
    conversations::Conversation,
    plugins::{Answered, Audience, Effect, Issued, MentionTarget, Operation, Reach, Request},
    users::User,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::meaning::{self, Meant};
use crate::{
    bridge::{Answer, Bridge, Caller, ConversationFilter, Membership, Page, Unavailable, WholeMessage, Window},
    convert,
    wit::jackfield::plugin::{conversations, http, kv, messages, types, types::Error},
};

/// Whoever stands in for the hub.
#[async_trait]
pub trait Counterpart: Send + Sync {
    /// Does what a function of the contract is to do (`users.get`), and answers `{"Ok": …}` or `{"Err": …}`.
    async fn call(&self, name: &str, with: Value) -> Answer<Value>;
}

/// A hub as a plugin finds it around itself.
pub(super) struct Around {
    pub counterpart: Arc<dyn Counterpart>,
    /// The host signs with them itself, so that they are not asked for.
    pub secrets: BTreeMap<String, String>,
    pub storage_bytes: u64,
}

impl Around {
    /// None where the contract's answer is `not-found`.
    async fn call<T: DeserializeOwned>(&self, name: &str, with: Value) -> Answer<Option<T>> {
        let answer = self.counterpart.call(name, with).await?;
        match serde_json::from_value::<Result<T, Error>>(answer) {
            Ok(Ok(answer)) => Ok(Some(answer)),
            Ok(Err(Error::NotFound)) => Ok(None),
            Ok(Err(error)) => Err(Unavailable(format!("{name} was answered with {}", in_words(&error)))),
            Err(error) => Err(Unavailable(format!("{name} was not answered as the contract has it: {error}"))),
        }
    }

    /// What is there in any case, one for each that was asked for.
    async fn many<T: DeserializeOwned>(&self, name: &str, asked: &[impl ToString]) -> Answer<Vec<Option<T>>> {
        let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let found: Vec<Option<T>> = self.call(name, json!([asked])).await?.unwrap_or_default();
        as_many(name, asked.len(), found)
    }
}

/// One for each that was asked for.
fn as_many<T>(name: &str, asked: usize, found: Vec<T>) -> Answer<Vec<T>> {
    if found.len() == asked {
        return Ok(found);
    }
    Err(Unavailable(format!("{name} was asked for {asked} and answered with {}", found.len())))
}

fn in_words(error: &Error) -> String {
    match error {
        Error::Denied(what) => format!("«denied»: {what}"),
        Error::NotFound => "«not-found»".to_owned(),
        Error::Invalid(what) => format!("«invalid»: {what}"),
        Error::LimitReached(what) => format!("«limit-reached»: {what}"),
        Error::NotHere => "«not-here»".to_owned(),
    }
}

fn meant<T>(meant: Meant<T>) -> Answer<T> {
    meant.map_err(Unavailable)
}

fn all<T, M>(found: &[T], meaning: fn(&T) -> Meant<M>) -> Answer<Vec<M>> {
    meant(found.iter().map(meaning).collect())
}

fn each<T, M>(found: &[Option<T>], meaning: fn(&T) -> Meant<M>) -> Answer<Vec<Option<M>>> {
    meant(found.iter().map(|one| one.as_ref().map(meaning).transpose()).collect())
}

fn page(page: kv::EntriesPage) -> Page<(String, Vec<u8>)> {
    let rows = page.entries.into_iter().map(|entry| (entry.key, entry.value)).collect();
    Page { rows, has_more: page.has_more }
}

/// A value as the contract has it in JSON.
fn in_json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("the contract's types are JSON")
}

#[async_trait]
impl Bridge for Around {
    async fn kv_get(&self, _: &Caller, keys: &[String]) -> Answer<Vec<Option<Vec<u8>>>> {
        self.many("kv.get-many", keys).await
    }

    async fn kv_scan(
        &self,
        _: &Caller,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Answer<Page<(String, Vec<u8>)>> {
        let found: Option<kv::EntriesPage> = self.call("kv.scan", json!([prefix, after, limit])).await?;
        Ok(found.map_or_else(Page::default, page))
    }

    async fn kv_scan_many(&self, _: &Caller, prefixes: &[String], limit: u32) -> Answer<Vec<Page<(String, Vec<u8>)>>> {
        let pages: Vec<kv::EntriesPage> =
            self.call("kv.scan-many", json!([prefixes, limit])).await?.unwrap_or_default();
        as_many("kv.scan-many", prefixes.len(), pages.into_iter().map(page).collect())
    }

    async fn kv_used(&self, _: &Caller) -> Answer<u64> {
        Ok(self.storage_bytes)
    }

    fn new_message_id(&self) -> Answer<MessageId> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        // Those of whoever stands in for the hub begin with zeros.
        Ok(format!("msg_ffffffffffffffff{number:016x}").parse().expect("this is an id"))
    }

    async fn messages(&self, _: &Caller, ids: &[MessageId]) -> Answer<Vec<Option<WholeMessage>>> {
        each(&self.many("messages.get-many", ids).await?, meaning::message)
    }

    async fn history(
        &self,
        _: &Caller,
        conversation: ConversationId,
        window: Window,
        limit: u32,
    ) -> Answer<Option<Page<WholeMessage>>> {
        let window = match window {
            Window::Newest => messages::HistoryWindow::Newest,
            Window::Before(sequence) => messages::HistoryWindow::Before(sequence.unsigned_abs()),
            Window::After(sequence) => messages::HistoryWindow::After(sequence.unsigned_abs()),
        };
        let with = json!([conversation.to_string(), in_json(window), limit]);
        let Some(page) = self.call::<messages::HistoryPage>("messages.history", with).await? else { return Ok(None) };
        Ok(Some(Page { rows: all(&page.messages, meaning::message)?, has_more: page.has_more }))
    }

    async fn conversation(&self, _: &Caller, id: ConversationId) -> Answer<Option<Conversation>> {
        let found: Option<types::Conversation> = self.call("conversations.get", json!([id.to_string()])).await?;
        meant(found.as_ref().map(meaning::conversation).transpose())
    }

    async fn members(
        &self,
        _: &Caller,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: u32,
    ) -> Answer<Option<Page<Membership>>> {
        let with = json!([conversation.to_string(), after.map(|user| user.to_string()), limit]);
        let page: Option<conversations::MembersPage> = self.call("conversations.members", with).await?;
        let Some(page) = page else { return Ok(None) };
        Ok(Some(Page { rows: all(&page.members, meaning::membership)?, has_more: page.has_more }))
    }

    async fn membership(
        &self,
        _: &Caller,
        conversation: ConversationId,
        user: UserId,
    ) -> Answer<Option<Option<Membership>>> {
        let with = json!([conversation.to_string(), user.to_string()]);
        let found: Option<Option<types::Member>> = self.call("conversations.membership", with).await?;
        let membership = |member: Option<types::Member>| member.as_ref().map(meaning::membership).transpose();
        meant(found.map(membership).transpose())
    }

    async fn conversations(
        &self,
        _: &Caller,
        filter: &ConversationFilter,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Answer<Page<Conversation>> {
        let filter = conversations::ConversationFilter {
            kind: filter.kind.map(convert::conversation_kind),
            status: filter.status.map(convert::conversation_status),
            idle_since: filter.idle_since.map(|since| since.0),
            context_kind: filter.context_kind.clone(),
            context_id: filter.context_id.clone(),
        };
        let with = json!([in_json(filter), after.map(|id| id.to_string()), limit]);
        let page: Option<conversations::ConversationsPage> = self.call("conversations.find", with).await?;
        let Some(page) = page else { return Ok(Page::default()) };
        Ok(Page { rows: all(&page.conversations, meaning::conversation)?, has_more: page.has_more })
    }

    async fn users(&self, _: &Caller, ids: &[UserId]) -> Answer<Vec<Option<User>>> {
        each(&self.many("users.get-many", ids).await?, meaning::user)
    }

    async fn search_users(
        &self,
        _: &Caller,
        text: &str,
        conversation: Option<ConversationId>,
        limit: u32,
    ) -> Answer<Option<Vec<User>>> {
        let with = json!([text, conversation.map(|id| id.to_string()), limit]);
        let found: Option<Vec<types::User>> = self.call("users.search", with).await?;
        found.map(|found| all(&found, meaning::user)).transpose()
    }

    async fn annotations(&self, _: &Caller, messages: &[MessageId]) -> Answer<Vec<Option<Option<String>>>> {
        // Whether there is such a message at all the contract does not tell.
        Ok(self.many("annotations.get-many", messages).await?.into_iter().map(Some).collect())
    }

    async fn secret(&self, _: &Caller, name: &str) -> Answer<Option<Vec<u8>>> {
        Ok(self.secrets.get(name).map(|secret| secret.clone().into_bytes()))
    }

    async fn requests_waiting(&self, _: &Caller) -> Answer<u64> {
        // Whoever stands in for the hub keeps count of them.
        Ok(0)
    }

    async fn fetch(&self, _: &Caller, request: &Request, _: &Reach) -> Answer<Answered> {
        let with = json!([in_json(convert::http::request(request.clone()))]);
        let answered: Option<Result<http::Response, http::Failure>> = self.call("http.fetch", with).await?;
        answered
            .map(convert::http::meant_answer)
            .ok_or_else(|| Unavailable("http.fetch was answered with «not-found»".to_owned()))
    }
}

/// Has done what a plugin issued, one after the other.
pub(super) async fn carry_out(counterpart: &dyn Counterpart, issued: Issued) -> Result<(), String> {
    let operations = issued.operations.into_iter().map(operation);
    for (name, with) in operations.chain(issued.effects.into_iter().map(effect)) {
        let done = counterpart.call(name, with).await.map_err(|Unavailable(why)| why)?;
        match serde_json::from_value::<Result<Value, Error>>(done) {
            // A comparison that no longer holds.
            Ok(Ok(Value::Bool(false))) => return Err(format!("{name} was issued, and something else stands there")),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(format!("{name} was issued, and answered with {}", in_words(&error))),
            Err(error) => return Err(format!("{name} was not answered as the contract has it: {error}")),
        }
    }
    Ok(())
}

fn operation(operation: Operation) -> (&'static str, Value) {
    let seconds = |span: Option<Duration>| span.map(|span| span.as_secs());
    match operation {
        Operation::Set { key, value, expires_in } => ("kv.set", json!([key, value, seconds(expires_in)])),
        Operation::CompareAndSet { key, expected, value, expires_in } => {
            ("kv.compare-and-set", json!([key, expected, value, seconds(expires_in)]))
        }
        Operation::Increment { key, by, expires_in } => ("kv.increment", json!([key, by, seconds(expires_in)])),
        Operation::Delete { key } => ("kv.delete", json!([key])),
    }
}

fn effect(effect: Effect) -> (&'static str, Value) {
    match effect {
        Effect::Post(post) => {
            let message = messages::NewMessage {
                conversation: post.conversation.to_string(),
                kind: convert::message_kind(post.kind),
                body: post.body,
                metadata: post.metadata,
                reply_to: post.reply_to.map(|id| id.to_string()),
            };
            // Which id it was given the contract does not tell, and whoever sends it has to know.
            ("messages.post", json!([in_json(message), post.id.to_string()]))
        }
        Effect::RunAt { schedule, at } => ("timers.run-at", json!([schedule, at.0])),
        Effect::Request { request, tag } => ("http.send", json!([in_json(convert::http::request(request)), tag])),
        Effect::Annotate { message, value: Some(value) } => ("annotations.set", json!([message.to_string(), value])),
        Effect::Annotate { message, value: None } => ("annotations.remove", json!([message.to_string()])),
        Effect::Mention { message, targets } => {
            let targets: Vec<Value> = targets.into_iter().map(target).collect();
            ("mentions.set", json!([message.to_string(), targets]))
        }
        Effect::Notify(notice) => {
            let audience = match notice.audience {
                Audience::Users(users) => json!({ "Users": users.iter().map(ToString::to_string).collect::<Vec<_>>() }),
                Audience::Conversation(id) => json!({ "Conversation": id.to_string() }),
                Audience::Moderators => json!("Moderators"),
                Audience::Admins => json!("Admins"),
            };
            ("notices.send", json!([{ "audience": audience, "kind": notice.kind, "payload": notice.payload }]))
        }
    }
}

fn target(target: MentionTarget) -> Value {
    match target {
        MentionTarget::User(user) => json!({ "User": user.to_string() }),
        MentionTarget::Everyone => json!("Everyone"),
        MentionTarget::Online => json!("Online"),
        MentionTarget::WorkspaceRole(role) => json!({ "WorkspaceRole": in_json(convert::workspace_role(role)) }),
        MentionTarget::ConversationRole(role) => {
            json!({ "ConversationRole": in_json(convert::conversation_role(role)) })
        }
    }
}
