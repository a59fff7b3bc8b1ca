//! What plugins read: in their own workspace, and where they answer somebody, with that person's eyes.

use std::{collections::HashMap, sync::Arc};

use jackfield_domain::{
    ConversationId, MessageId, Timestamp, UserId,
    conversations::{Conversation, Member},
    messages::{Due, Message, Stretch},
    pages::{Direction, Page as Walk},
    permissions::{Act, may},
    users::User,
};
use jackfield_plugin_host::{Caller, ConversationFilter, Membership, Page, WholeMessage, Window};

use super::super::Core;
use crate::{Result, store::Wanted};

pub async fn values(core: &Core, caller: &Caller, keys: &[String]) -> Result<HashMap<String, Vec<u8>>> {
    core.store.plugin_values(caller.workspace, &caller.plugin, keys, core.clock.now()).await
}

pub async fn scan(
    core: &Core,
    caller: &Caller,
    prefix: &str,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<(String, Vec<u8>)>> {
    core.store.plugin_scan(caller.workspace, &caller.plugin, prefix, after, limit, core.clock.now()).await
}

/// The first entries of each prefix, with the number of the prefix in the list.
pub async fn scan_many(
    core: &Core,
    caller: &Caller,
    prefixes: &[String],
    limit: u64,
) -> Result<Vec<(usize, (String, Vec<u8>))>> {
    core.store.plugin_scan_many(caller.workspace, &caller.plugin, prefixes, limit, core.clock.now()).await
}

pub async fn used(core: &Core, caller: &Caller) -> Result<u64> {
    let rows = core.store.plugins_in(caller.workspace).await?;
    Ok(rows.iter().find(|row| row.plugin == caller.plugin).map(|row| row.storage_bytes).unwrap_or_default())
}

pub async fn messages(core: &Core, caller: &Caller, ids: &[MessageId]) -> Result<HashMap<MessageId, WholeMessage>> {
    let mut found = whole(core, ids).await?;
    found.retain(|_, whole| whole.message.workspace == caller.workspace);
    if let Some(viewer) = caller.viewer {
        let seen = core.store.messages_for(viewer, ids).await?;
        found.retain(|id, _| seen.iter().any(|message| message.id == *id));
    }
    Ok(found)
}

pub async fn conversation(core: &Core, caller: &Caller, id: ConversationId) -> Result<Option<Conversation>> {
    let found = match caller.viewer {
        Some(viewer) => core.store.conversations_for(viewer, &[id]).await?,
        None => core.store.conversations(&[id]).await?,
    };
    Ok(found.into_iter().find(|conversation| conversation.workspace == caller.workspace))
}

pub async fn history(
    core: &Core,
    caller: &Caller,
    conversation: ConversationId,
    window: Window,
    limit: usize,
) -> Result<Option<Page<WholeMessage>>> {
    if self::conversation(core, caller, conversation).await?.is_none() {
        return Ok(None);
    }
    let walk = match window {
        Window::Newest => Walk { direction: Direction::Backward, size: limit, from: None },
        Window::Before(sequence) => Walk { direction: Direction::Backward, size: limit, from: Some(sequence) },
        Window::After(sequence) => Walk { direction: Direction::Forward, size: limit, from: Some(sequence) },
    };
    let slice = core.store.history(caller.viewer, conversation, &walk).await?;
    let has_more = if walk.direction == Direction::Backward { slice.has_previous } else { slice.has_next };
    let ids: Vec<MessageId> = slice.items.iter().map(|message| message.id).collect();
    let mut whole = whole(core, &ids).await?;
    Ok(Some(Page { rows: ids.iter().filter_map(|id| whole.remove(id)).collect(), has_more }))
}

pub async fn members(
    core: &Core,
    caller: &Caller,
    conversation: ConversationId,
    after: Option<UserId>,
    limit: usize,
) -> Result<Option<Page<Membership>>> {
    if self::conversation(core, caller, conversation).await?.is_none() {
        return Ok(None);
    }
    let walk = Walk { direction: Direction::Forward, size: limit, from: after };
    let slice = core.store.members(conversation, &walk).await?;
    Ok(Some(Page { has_more: slice.has_next, rows: with_users(core, slice.items).await? }))
}

pub async fn membership(
    core: &Core,
    caller: &Caller,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<Option<Membership>>> {
    if self::conversation(core, caller, conversation).await?.is_none() {
        return Ok(None);
    }
    let found = core.store.memberships(user, &[conversation]).await?;
    Ok(Some(with_users(core, found).await?.pop()))
}

async fn with_users(core: &Core, members: Vec<Member>) -> Result<Vec<Membership>> {
    let ids: Vec<UserId> = members.iter().map(|member| member.user).collect();
    let mut users: HashMap<UserId, User> =
        core.store.users(&ids).await?.into_iter().map(|user| (user.id, user)).collect();
    let found = members.into_iter().filter_map(|member| {
        let user = users.remove(&member.user)?;
        Some(Membership { user, role: member.role, joined_at: member.joined_at })
    });
    Ok(found.collect())
}

pub async fn conversations(
    core: &Core,
    caller: &Caller,
    filter: &ConversationFilter,
    after: Option<ConversationId>,
    limit: usize,
) -> Result<Page<Conversation>> {
    let wanted = Wanted {
        kind: filter.kind,
        status: filter.status,
        idle_since: filter.idle_since,
        context_kind: filter.context_kind.clone(),
        context_id: filter.context_id.clone(),
        among: filter.among.clone(),
    };
    let (workspace, viewer) = (caller.workspace, caller.viewer);
    let mut rows = core.store.find_conversations(workspace, viewer, wanted, after, limit as u64 + 1).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page { rows, has_more })
}

pub async fn users(core: &Core, caller: &Caller, ids: &[UserId]) -> Result<HashMap<UserId, User>> {
    let found = core.store.users(ids).await?.into_iter().filter(|user| user.workspace == caller.workspace);
    Ok(found.map(|user| (user.id, user)).collect())
}

pub async fn search_users(
    core: &Core,
    caller: &Caller,
    text: &str,
    conversation: Option<ConversationId>,
    limit: usize,
) -> Result<Option<Vec<User>>> {
    if let Some(conversation) = conversation
        && self::conversation(core, caller, conversation).await?.is_none()
    {
        return Ok(None);
    }
    let mut found = Vec::new();
    let mut from = None;
    // Of those who are found, only the members of a conversation may be wanted: so it is looked on, but not for ever.
    for _ in 0..20 {
        let walk = Walk { direction: Direction::Forward, size: 100, from };
        let slice = core.store.find_people(caller.workspace, text, &walk).await?;
        from = slice.items.last().map(|(key, _)| key.clone());
        let mut users: Vec<User> = slice.items.into_iter().map(|(_, user)| user).collect();
        if let Some(conversation) = conversation {
            let ids: Vec<UserId> = users.iter().map(|user| user.id).collect();
            let members = core.store.members_among(conversation, &ids).await?;
            users.retain(|user| members.contains(&user.id));
        }
        found.extend(users);
        if found.len() >= limit || !slice.has_next {
            break;
        }
    }
    found.truncate(limit);
    Ok(Some(found))
}

pub async fn annotations(
    core: &Core,
    caller: &Caller,
    ids: &[MessageId],
) -> Result<HashMap<MessageId, Option<String>>> {
    let messages = messages(core, caller, ids).await?;
    let mut found = core.store.annotations(&caller.plugin, ids).await?;
    Ok(messages.into_keys().map(|id| (id, found.remove(&id))).collect())
}

/// What is due to be taken away in a stretch of a conversation; nothing where the plugin is off.
pub async fn due_in(core: &Arc<Core>, caller: &Caller, stretch: &Stretch) -> Result<Option<Due>> {
    if conversation(core, caller, stretch.conversation).await?.is_none() {
        return Ok(None);
    }
    let here = super::here(core, caller.workspace).await?;
    if here.find(&caller.plugin).is_none_or(|local| !local.is_on_in(Some(stretch.conversation))) {
        return Ok(Some(Due { through: stretch.after, ..Due::default() }));
    }
    core.store.due_in(caller.workspace, stretch).await.map(Some)
}

/// The same in all conversations, in numbers, for the plugin itself and for who runs the workspace.
pub async fn due_everywhere(
    core: &Core,
    caller: &Caller,
    until: Timestamp,
    other_than: &[ConversationId],
) -> Result<Option<Due>> {
    if let Some(viewer) = caller.viewer {
        let found = core.store.users(&[viewer]).await?;
        if !found.iter().any(|user| may(user.role, Act::RunWorkspace).is_ok()) {
            return Ok(None);
        }
    }
    core.store.due_everywhere(caller.workspace, until, other_than).await.map(Some)
}

/// Messages with what stands beside their words.
pub async fn whole(core: &Core, ids: &[MessageId]) -> Result<HashMap<MessageId, WholeMessage>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    with_details(core, core.store.messages(ids).await?).await
}

/// The same, where the messages themselves are known.
pub async fn with_details(core: &Core, found: Vec<Message>) -> Result<HashMap<MessageId, WholeMessage>> {
    let ids: Vec<MessageId> = found.iter().map(|message| message.id).collect();
    let mut details: HashMap<MessageId, _> = core.store.message_details(&ids).await?.into_iter().collect();
    let whole = found.into_iter().map(|message| {
        let details = details.remove(&message.id).unwrap_or_default();
        (message.id, WholeMessage { message, details })
    });
    Ok(whole.collect())
}
