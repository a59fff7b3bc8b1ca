//! The conversations that are written to.

use std::sync::Arc;

use serde_json::json;

use crate::{Result, accounts::Account, wire::http::HttpConnection};

/// How many members are named in one request: a request has at most 1 MiB.
const TOGETHER: usize = 500;

const CREATE: &str = "mutation($input: ConversationCreateInput!) {
    conversationCreate(input: $input) { conversation { id } errors { code message } }
}";
const ADD: &str = "mutation($input: ConversationMemberAddInput!) {
    conversationMemberAdd(input: $input) { errors { code message } }
}";

#[derive(Debug)]
pub struct Room {
    pub id: String,
    owner: Arc<Account>,
    /// The last sequence number before anything was sent by us.
    pub before: u64,
}

impl Room {
    /// A group of the owner and these members.
    pub async fn create(owner: &Arc<Account>, members: &[Arc<Account>]) -> Result<Arc<Self>> {
        let mut connection = HttpConnection::open(owner.address, Some(&owner.token)).await?;
        let ids: Vec<&str> = members.iter().map(|account| account.user_id.as_str()).collect();
        let (first, rest) = ids.split_at(ids.len().min(TOGETHER));
        let input = json!({ "type": "GROUP", "title": "Load", "memberIds": first });
        let answer = connection.ask(CREATE, json!({ "input": input })).await?;
        let id = answer["data"]["conversationCreate"]["conversation"]["id"].as_str().ok_or("no conversation")?;
        for more in rest.chunks(TOGETHER) {
            let input = json!({ "conversationId": id, "memberIds": more });
            connection.ask(ADD, json!({ "input": input })).await?;
        }
        let mut room = Room { id: id.to_owned(), owner: owner.clone(), before: 0 };
        room.before = room.last_sequence().await?;
        Ok(Arc::new(room))
    }

    pub async fn last_sequence(&self) -> Result<u64> {
        let mut connection = HttpConnection::open(self.owner.address, Some(&self.owner.token)).await?;
        let query = "query($id: ID!) { conversation(id: $id) { lastSequence } }";
        let answer = connection.ask(query, json!({ "id": self.id })).await?;
        answer["data"]["conversation"]["lastSequence"].as_u64().ok_or_else(|| "no last sequence".into())
    }

    /// Where the log of the room's workspace stands.
    pub async fn cursor(&self) -> Result<String> {
        let mut connection = HttpConnection::open(self.owner.address, Some(&self.owner.token)).await?;
        let answer = connection.ask("{ eventCursor }", json!({})).await?;
        Ok(answer["data"]["eventCursor"].as_str().ok_or("no cursor")?.to_owned())
    }
}
