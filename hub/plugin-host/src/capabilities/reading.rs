//! Reading messages, conversations and people. The hub answers for the workspace and the viewer; what an admin narrowed is
//! narrowed here.

use std::sync::Arc;

use jackfield_domain::{ConversationId, MessageId, Timestamp, UserId, plugins::Capability};

use super::{Denial, Done, Run, Told, limited, parse, parse_many, told, words};
use crate::{
    bridge::{ConversationFilter, WholeMessage, Window},
    convert,
    wit::jackfield::plugin::{
        conversations::{self, ConversationsPage, MembersPage},
        messages::{HistoryPage, HistoryWindow},
        types::{Conversation, Error, Member, Message, User},
        users,
    },
};

const NOT_FOUND: Denial = Denial::Tell(Error::NotFound);

impl Run {
    pub(super) async fn message(&mut self, id: &str) -> Done<Message> {
        self.enter(Capability::MessagesRead)?;
        let id = parse("message", id)?;
        let found = self.find_messages(&[id]).await?.pop().flatten();
        found.map(|whole| convert::message(&whole)).ok_or(NOT_FOUND)
    }

    pub(super) async fn many_messages(&mut self, ids: &[String]) -> Done<Vec<Option<Message>>> {
        self.enter(Capability::MessagesRead)?;
        let ids = parse_many("message", ids)?;
        let found = self.find_messages(&ids).await?;
        Ok(found.iter().map(|whole| whole.as_ref().map(convert::message)).collect())
    }

    async fn find_messages(&self, ids: &[MessageId]) -> Done<Vec<Option<WholeMessage>>> {
        let found = self.bridge.messages(&self.caller, ids).await?;
        let is_granted = |whole: &WholeMessage| self.grants.sees(whole.message.conversation);
        Ok(found.into_iter().map(|whole| whole.filter(is_granted)).collect())
    }

    pub(super) async fn page_of_history(&mut self, id: &str, window: HistoryWindow, limit: u32) -> Done<HistoryPage> {
        self.enter(Capability::MessagesRead)?;
        let (id, limit) = (parse("conversation", id)?, limited(limit, 100)?);
        self.within_grant(id)?;
        let window = match window {
            HistoryWindow::Newest => Window::Newest,
            HistoryWindow::Before(sequence) => Window::Before(i64::try_from(sequence).unwrap_or(i64::MAX)),
            HistoryWindow::After(sequence) => Window::After(i64::try_from(sequence).unwrap_or(i64::MAX)),
        };
        let page = self.bridge.history(&self.caller, id, window, limit).await?.ok_or(NOT_FOUND)?;
        Ok(HistoryPage { messages: page.rows.iter().map(convert::message).collect(), has_more: page.has_more })
    }
}

impl conversations::Host for Run {
    async fn get(&mut self, id: String) -> Told<Conversation> {
        told(self.conversation(&id).await)
    }

    async fn members(&mut self, id: String, after: Option<String>, limit: u32) -> Told<MembersPage> {
        told(self.members_of(&id, after, limit).await)
    }

    async fn membership(&mut self, id: String, user: String) -> Told<Option<Member>> {
        told(self.membership_of(&id, &user).await)
    }

    async fn find(
        &mut self,
        filter: conversations::ConversationFilter,
        after: Option<String>,
        limit: u32,
    ) -> Told<ConversationsPage> {
        told(self.find_conversations(filter, after, limit).await)
    }
}

impl Run {
    async fn conversation(&mut self, id: &str) -> Done<Conversation> {
        let id = self.enter_conversation(id)?;
        let found = self.bridge.conversation(&self.caller, id).await?;
        found.map(|conversation| convert::conversation(&conversation)).ok_or(NOT_FOUND)
    }

    async fn members_of(&mut self, id: &str, after: Option<String>, limit: u32) -> Done<MembersPage> {
        let id = self.enter_conversation(id)?;
        let after = after.map(|user| parse::<UserId>("user", &user)).transpose()?;
        let page = self.bridge.members(&self.caller, id, after, limited(limit, 500)?).await?.ok_or(NOT_FOUND)?;
        Ok(MembersPage { members: page.rows.iter().map(convert::member).collect(), has_more: page.has_more })
    }

    async fn membership_of(&mut self, id: &str, user: &str) -> Done<Option<Member>> {
        let id = self.enter_conversation(id)?;
        let user = parse("user", user)?;
        let found = self.bridge.membership(&self.caller, id, user).await?.ok_or(NOT_FOUND)?;
        Ok(found.as_ref().map(convert::member))
    }

    async fn find_conversations(
        &mut self,
        filter: conversations::ConversationFilter,
        after: Option<String>,
        limit: u32,
    ) -> Done<ConversationsPage> {
        self.enter(Capability::ConversationsRead)?;
        let after = after.map(|id| parse::<ConversationId>("conversation", &id)).transpose()?;
        let limit = limited(limit, 100)?;
        for text in [&filter.context_kind, &filter.context_id].into_iter().flatten() {
            words("what a conversation is about", text)?;
        }
        let filter = ConversationFilter {
            kind: filter.kind.map(convert::meant_kind),
            status: filter.status.map(convert::meant_status),
            idle_since: filter.idle_since.map(Timestamp),
            context_kind: filter.context_kind,
            context_id: filter.context_id,
            among: self.grants.conversations.as_ref().map(|granted| granted.iter().copied().collect()),
        };
        let page = Arc::clone(&self.bridge).conversations(&self.caller, &filter, after, limit).await?;
        let conversations = page.rows.iter().map(convert::conversation).collect();
        Ok(ConversationsPage { conversations, has_more: page.has_more })
    }

    fn enter_conversation(&mut self, id: &str) -> Done<ConversationId> {
        self.enter(Capability::ConversationsRead)?;
        let id = parse("conversation", id)?;
        self.within_grant(id)?;
        Ok(id)
    }
}

impl users::Host for Run {
    async fn get(&mut self, id: String) -> Told<User> {
        told(self.user(&id).await)
    }

    async fn get_many(&mut self, ids: Vec<String>) -> Told<Vec<Option<User>>> {
        told(self.many_users(&ids).await)
    }

    async fn search(&mut self, text: String, conversation: Option<String>, limit: u32) -> Told<Vec<User>> {
        told(self.search_people(&text, conversation, limit).await)
    }
}

impl Run {
    async fn user(&mut self, id: &str) -> Done<User> {
        self.enter(Capability::UsersRead)?;
        let id = parse("user", id)?;
        let found = self.bridge.users(&self.caller, &[id]).await?.pop().flatten();
        found.map(|user| convert::user(&user)).ok_or(NOT_FOUND)
    }

    async fn many_users(&mut self, ids: &[String]) -> Done<Vec<Option<User>>> {
        self.enter(Capability::UsersRead)?;
        let ids = parse_many("user", ids)?;
        let found = self.bridge.users(&self.caller, &ids).await?;
        Ok(found.iter().map(|user| user.as_ref().map(convert::user)).collect())
    }

    async fn search_people(&mut self, text: &str, conversation: Option<String>, limit: u32) -> Done<Vec<User>> {
        self.enter(Capability::UsersRead)?;
        let limit = limited(limit, 100)?;
        let conversation = conversation.map(|id| parse::<ConversationId>("conversation", &id)).transpose()?;
        if let Some(conversation) = conversation {
            self.within_grant(conversation)?;
        }
        let text = words("what is looked for", text)?;
        let found = self.bridge.search_users(&self.caller, text, conversation, limit).await?.ok_or(NOT_FOUND)?;
        Ok(found.iter().map(convert::user).collect())
    }
}
