//! What plugins may ask of the hub, carried out in their workspace and as far as their viewer sees.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use async_trait::async_trait;
use jackfield_domain::{
    ConversationId, MessageId, UserId,
    conversations::Conversation,
    plugins::{Answered, Reach, Request},
    users::User,
};
use jackfield_plugin_host::{
    Answer, Bridge, Caller, ConversationFilter, Membership, Page, Unavailable, WholeMessage, Window,
};

use crate::{
    Result,
    actions::{
        Core,
        plugins::{reading, requests},
    },
};

/// The hub, as plugins reach it.
pub struct HubBridge(pub Weak<Core>);

impl HubBridge {
    fn core(&self) -> Answer<Arc<Core>> {
        self.0.upgrade().ok_or_else(|| Unavailable("the hub is stopping".to_owned()))
    }
}

fn answer<T>(found: Result<T>) -> Answer<T> {
    found.map_err(|error| {
        tracing::warn!(%error, "a plugin could not be answered");
        Unavailable("the hub cannot answer now".to_owned())
    })
}

/// In the order in which they were asked for.
fn in_order<K: std::hash::Hash + Eq, V>(keys: &[K], mut found: HashMap<K, V>) -> Vec<Option<V>> {
    keys.iter().map(|key| found.remove(key)).collect()
}

#[async_trait]
impl Bridge for HubBridge {
    async fn kv_get(&self, caller: &Caller, keys: &[String]) -> Answer<Vec<Option<Vec<u8>>>> {
        let found = answer(reading::values(&*self.core()?, caller, keys).await)?;
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn kv_scan(
        &self,
        caller: &Caller,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Answer<Page<(String, Vec<u8>)>> {
        let limit = limit as usize;
        let mut rows = answer(reading::scan(&*self.core()?, caller, prefix, after, limit as u64 + 1).await)?;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        Ok(Page { rows, has_more })
    }

    async fn kv_scan_many(
        &self,
        caller: &Caller,
        prefixes: &[String],
        limit: u32,
    ) -> Answer<Vec<Page<(String, Vec<u8>)>>> {
        let limit = limit as usize;
        let found = answer(reading::scan_many(&*self.core()?, caller, prefixes, limit as u64 + 1).await)?;
        let mut pages: Vec<Page<_>> = prefixes.iter().map(|_| Page::default()).collect();
        for (number, row) in found {
            let page = &mut pages[number];
            page.has_more = page.rows.len() == limit;
            if !page.has_more {
                page.rows.push(row);
            }
        }
        Ok(pages)
    }

    fn new_message_id(&self) -> Answer<MessageId> {
        Ok(MessageId(self.core()?.clock.new_id()))
    }

    async fn kv_used(&self, caller: &Caller) -> Answer<u64> {
        answer(reading::used(&*self.core()?, caller).await)
    }

    async fn messages(&self, caller: &Caller, ids: &[MessageId]) -> Answer<Vec<Option<WholeMessage>>> {
        Ok(in_order(ids, answer(reading::messages(&*self.core()?, caller, ids).await)?))
    }

    async fn history(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        window: Window,
        limit: u32,
    ) -> Answer<Option<Page<WholeMessage>>> {
        answer(reading::history(&*self.core()?, caller, conversation, window, limit as usize).await)
    }

    async fn conversation(&self, caller: &Caller, id: ConversationId) -> Answer<Option<Conversation>> {
        answer(reading::conversation(&*self.core()?, caller, id).await)
    }

    async fn members(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        after: Option<UserId>,
        limit: u32,
    ) -> Answer<Option<Page<Membership>>> {
        answer(reading::members(&*self.core()?, caller, conversation, after, limit as usize).await)
    }

    async fn membership(
        &self,
        caller: &Caller,
        conversation: ConversationId,
        user: UserId,
    ) -> Answer<Option<Option<Membership>>> {
        answer(reading::membership(&*self.core()?, caller, conversation, user).await)
    }

    async fn conversations(
        &self,
        caller: &Caller,
        filter: &ConversationFilter,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Answer<Page<Conversation>> {
        answer(reading::conversations(&*self.core()?, caller, filter, after, limit as usize).await)
    }

    async fn users(&self, caller: &Caller, ids: &[UserId]) -> Answer<Vec<Option<User>>> {
        Ok(in_order(ids, answer(reading::users(&*self.core()?, caller, ids).await)?))
    }

    async fn search_users(
        &self,
        caller: &Caller,
        text: &str,
        conversation: Option<ConversationId>,
        limit: u32,
    ) -> Answer<Option<Vec<User>>> {
        answer(reading::search_users(&*self.core()?, caller, text, conversation, limit as usize).await)
    }

    async fn annotations(&self, caller: &Caller, messages: &[MessageId]) -> Answer<Vec<Option<Option<String>>>> {
        Ok(in_order(messages, answer(reading::annotations(&*self.core()?, caller, messages).await)?))
    }

    async fn secret(&self, caller: &Caller, name: &str) -> Answer<Option<Vec<u8>>> {
        answer(self.core()?.store.plugin_secret(caller.workspace, &caller.plugin, name).await)
    }

    async fn requests_waiting(&self, caller: &Caller) -> Answer<u64> {
        answer(self.core()?.store.requests_waiting(caller.workspace, &caller.plugin).await)
    }

    async fn fetch(&self, caller: &Caller, request: &Request, reach: &Reach) -> Answer<Answered> {
        answer(requests::fetch(&*self.core()?, caller, request, reach).await)
    }
}
