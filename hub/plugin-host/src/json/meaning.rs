//! The contract's records as the domain has them. What the contract does not tell plugins stands here as if there were none.

use std::str::FromStr;

use jackfield_domain::{
    Timestamp, UserId,
    conversations::{self as words, History, Visibility},
    messages::{self, ContentType, Deletion, Details, MessageKind},
    users::{User, UserStatus},
};
use serde_json::Value;

use super::workspace;
use crate::{
    bridge::{Membership, WholeMessage},
    convert::{meant_conversation_role, meant_kind, meant_status, meant_workspace_role},
    wit::{
        exports::jackfield::plugin::{membership_hooks, message_hooks},
        jackfield::plugin::{
            retention,
            types::{self as wit, Body},
        },
    },
};

/// What is meant, or why nothing can be.
pub(super) type Meant<T> = Result<T, String>;

pub(super) fn id<T: FromStr>(what: &str, text: &str) -> Meant<T> {
    text.parse().map_err(|_| format!("«{}» is not the id of a {what}", crate::convert::cut(text)))
}

pub(super) fn user(user: &wit::User) -> Meant<User> {
    Ok(User {
        id: id("user", &user.id)?,
        workspace: workspace(),
        name: user.name.clone(),
        role: meant_workspace_role(user.role),
        status: match user.status {
            wit::UserStatus::Active => UserStatus::Active,
            wit::UserStatus::Deactivated => UserStatus::Deactivated,
        },
        avatar_url: None,
        status_text: None,
        is_operator: false,
        vouched_at: Timestamp(user.created_at),
        name_is_own: false,
        role_is_own: false,
        created_at: Timestamp(user.created_at),
    })
}

pub(super) fn membership(member: &wit::Member) -> Meant<Membership> {
    let role = meant_conversation_role(member.role);
    Ok(Membership { user: user(&member.user)?, role, joined_at: Timestamp(member.joined_at) })
}

pub(super) fn conversation(conversation: &wit::Conversation) -> Meant<words::Conversation> {
    Ok(words::Conversation {
        id: id("conversation", &conversation.id)?,
        workspace: workspace(),
        kind: meant_kind(conversation.kind),
        status: meant_status(conversation.status),
        visibility: Visibility::Private,
        history: History::Full,
        title: conversation.title.clone(),
        description: conversation.description.clone(),
        avatar_url: None,
        context: conversation.context.as_ref().map(context),
        creator: id("user", &conversation.creator)?,
        created_at: Timestamp(conversation.created_at),
        assignee: None,
        closed_at: None,
        member_count: conversation.member_count as usize,
        last_sequence: number(conversation.last_sequence)?,
        last_activity_at: Timestamp(conversation.last_activity_at),
    })
}

fn context(context: &wit::Context) -> words::Context {
    words::Context { kind: context.kind.clone(), id: context.id.clone() }
}

pub(super) fn message(message: &wit::Message) -> Meant<WholeMessage> {
    let (content, body) = body(&message.body);
    let sender: UserId = id("user", &message.sender)?;
    let whole = messages::Message {
        id: id("message", &message.id)?,
        workspace: workspace(),
        conversation: id("conversation", &message.conversation)?,
        sequence: number(message.sequence)?,
        sender,
        kind: kind(message.kind),
        content,
        body,
        reply_to: message.reply_to.as_deref().map(|text| id("message", text)).transpose()?,
        created_at: Timestamp(message.created_at),
        edited_at: message.edited_at.map(Timestamp),
        deleted: message.deleted_at.map(|at| Deletion { at: Timestamp(at), by: sender }),
        hidden: false,
    };
    let location = message.location.as_ref().map(location);
    Ok(WholeMessage { message: whole, details: Details { location, metadata: message.metadata.clone() } })
}

pub(super) fn message_draft(draft: &message_hooks::MessageDraft) -> Meant<messages::MessageDraft> {
    let (content, body) = body(&draft.body);
    let metadata = draft.metadata.as_deref().map(serde_json::from_str::<Value>).transpose();
    Ok(messages::MessageDraft {
        conversation: id("conversation", &draft.conversation)?,
        kind: kind(draft.kind),
        content,
        body,
        location: draft.location.as_ref().map(location),
        metadata: metadata.map_err(|error| format!("the metadata is not JSON: {error}"))?,
        reply_to: draft.reply_to.as_deref().map(|text| id("message", text)).transpose()?,
        client_message_id: None,
    })
}

pub(super) fn conversation_draft(draft: &membership_hooks::ConversationDraft) -> Meant<words::ConversationDraft> {
    Ok(words::ConversationDraft {
        kind: meant_kind(draft.kind),
        title: draft.title.clone(),
        description: draft.description.clone(),
        avatar_url: None,
        visibility: Visibility::Private,
        history: History::Full,
        context: draft.context.as_ref().map(context),
        members: draft.members.iter().map(|member| id("user", member)).collect::<Meant<_>>()?,
    })
}

pub(super) fn body(body: &Body) -> (ContentType, String) {
    match body {
        Body::Plain(text) => (ContentType::Plain, text.clone()),
        Body::Encrypted => (ContentType::Encrypted, String::new()),
    }
}

fn location(location: &wit::Location) -> messages::Location {
    messages::Location { latitude: location.latitude, longitude: location.longitude, label: location.label.clone() }
}

fn kind(kind: wit::MessageKind) -> MessageKind {
    match kind {
        wit::MessageKind::Text => MessageKind::Text,
        wit::MessageKind::Image => MessageKind::Image,
        wit::MessageKind::Video => MessageKind::Video,
        wit::MessageKind::Audio => MessageKind::Audio,
        wit::MessageKind::Voice => MessageKind::Voice,
        wit::MessageKind::File => MessageKind::File,
        wit::MessageKind::Location => MessageKind::Location,
        wit::MessageKind::System => MessageKind::System,
        wit::MessageKind::Poll => MessageKind::Poll,
    }
}

pub(super) fn due(due: &retention::Due) -> Meant<messages::Due> {
    let through = number(due.through)?;
    Ok(messages::Due { count: due.count, held: due.held, through, has_more: due.has_more })
}

fn number(number: u64) -> Meant<i64> {
    i64::try_from(number).map_err(|_| format!("{number} is no sequence number"))
}
