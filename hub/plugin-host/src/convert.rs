//! Between the words of the domain and those of the contract.

pub(crate) mod http;

use jackfield_domain::{
    ConversationRole, WorkspaceRole,
    conversations::{Context, Conversation, ConversationKind, ConversationStatus},
    messages::{ContentType, Location, MessageKind},
    plugins::{LogLevel, Refusal, Slice, check_code},
    users::{User, UserStatus},
};

use crate::{
    bridge::{Membership, WholeMessage},
    wit::{exports::jackfield::plugin as hooks, jackfield::plugin as capabilities, jackfield::plugin::types as wit},
};

/// What a plugin says to people is cut after so many characters.
const TEXT_MAX: usize = 500;

pub(crate) fn user(user: &User) -> wit::User {
    wit::User {
        id: user.id.to_string(),
        name: user.name.clone(),
        role: workspace_role(user.role),
        status: match user.status {
            UserStatus::Active => wit::UserStatus::Active,
            UserStatus::Deactivated => wit::UserStatus::Deactivated,
        },
        created_at: user.created_at.0,
    }
}

pub(crate) fn member(membership: &Membership) -> wit::Member {
    wit::Member {
        user: user(&membership.user),
        role: conversation_role(membership.role),
        joined_at: membership.joined_at.0,
    }
}

pub(crate) fn conversation(conversation: &Conversation) -> wit::Conversation {
    wit::Conversation {
        id: conversation.id.to_string(),
        kind: conversation_kind(conversation.kind),
        status: conversation_status(conversation.status),
        title: conversation.title.clone(),
        description: conversation.description.clone(),
        context: conversation.context.as_ref().map(context),
        creator: conversation.creator.to_string(),
        member_count: conversation.member_count as u32,
        last_sequence: conversation.last_sequence.unsigned_abs(),
        created_at: conversation.created_at.0,
        last_activity_at: conversation.last_activity_at.0,
    }
}

pub(crate) fn message(whole: &WholeMessage) -> wit::Message {
    let message = &whole.message;
    wit::Message {
        id: message.id.to_string(),
        conversation: message.conversation.to_string(),
        sequence: message.sequence.unsigned_abs(),
        sender: message.sender.to_string(),
        kind: message_kind(message.kind),
        body: body(message.content, &message.body),
        location: whole.details.location.as_ref().map(location),
        metadata: whole.details.metadata.clone(),
        reply_to: message.reply_to.map(|id| id.to_string()),
        created_at: message.created_at.0,
        edited_at: message.edited_at.map(|at| at.0),
        deleted_at: message.deleted.map(|deletion| deletion.at.0),
    }
}

/// The words of an encrypted message stay here.
pub(crate) fn body(content: ContentType, body: &str) -> wit::Body {
    match content {
        ContentType::Plain => wit::Body::Plain(body.to_owned()),
        ContentType::Encrypted => wit::Body::Encrypted,
    }
}

pub(crate) fn location(location: &Location) -> wit::Location {
    wit::Location { latitude: location.latitude, longitude: location.longitude, label: location.label.clone() }
}

pub(crate) fn context(context: &Context) -> wit::Context {
    wit::Context { kind: context.kind.clone(), id: context.id.clone() }
}

pub(crate) fn message_kind(kind: MessageKind) -> wit::MessageKind {
    match kind {
        MessageKind::Text => wit::MessageKind::Text,
        MessageKind::Image => wit::MessageKind::Image,
        MessageKind::Video => wit::MessageKind::Video,
        MessageKind::Audio => wit::MessageKind::Audio,
        MessageKind::Voice => wit::MessageKind::Voice,
        MessageKind::File => wit::MessageKind::File,
        MessageKind::Location => wit::MessageKind::Location,
        MessageKind::System => wit::MessageKind::System,
        MessageKind::Poll => wit::MessageKind::Poll,
    }
}

pub(crate) fn conversation_kind(kind: ConversationKind) -> wit::ConversationKind {
    match kind {
        ConversationKind::Direct => wit::ConversationKind::Direct,
        ConversationKind::Group => wit::ConversationKind::Group,
        ConversationKind::Support => wit::ConversationKind::Support,
    }
}

pub(crate) fn conversation_status(status: ConversationStatus) -> wit::ConversationStatus {
    match status {
        ConversationStatus::Active => wit::ConversationStatus::Active,
        ConversationStatus::Archived => wit::ConversationStatus::Archived,
        ConversationStatus::AutoArchived => wit::ConversationStatus::AutoArchived,
        ConversationStatus::Blocked => wit::ConversationStatus::Blocked,
    }
}

pub(crate) fn meant_kind(kind: wit::ConversationKind) -> ConversationKind {
    match kind {
        wit::ConversationKind::Direct => ConversationKind::Direct,
        wit::ConversationKind::Group => ConversationKind::Group,
        wit::ConversationKind::Support => ConversationKind::Support,
    }
}

pub(crate) fn meant_status(status: wit::ConversationStatus) -> ConversationStatus {
    match status {
        wit::ConversationStatus::Active => ConversationStatus::Active,
        wit::ConversationStatus::Archived => ConversationStatus::Archived,
        wit::ConversationStatus::AutoArchived => ConversationStatus::AutoArchived,
        wit::ConversationStatus::Blocked => ConversationStatus::Blocked,
    }
}

pub(crate) fn workspace_role(role: WorkspaceRole) -> wit::WorkspaceRole {
    match role {
        WorkspaceRole::Owner => wit::WorkspaceRole::Owner,
        WorkspaceRole::Admin => wit::WorkspaceRole::Admin,
        WorkspaceRole::Moderator => wit::WorkspaceRole::Moderator,
        WorkspaceRole::Member => wit::WorkspaceRole::Member,
        WorkspaceRole::Bot => wit::WorkspaceRole::Bot,
    }
}

pub(crate) fn meant_workspace_role(role: wit::WorkspaceRole) -> WorkspaceRole {
    match role {
        wit::WorkspaceRole::Owner => WorkspaceRole::Owner,
        wit::WorkspaceRole::Admin => WorkspaceRole::Admin,
        wit::WorkspaceRole::Moderator => WorkspaceRole::Moderator,
        wit::WorkspaceRole::Member => WorkspaceRole::Member,
        wit::WorkspaceRole::Bot => WorkspaceRole::Bot,
    }
}

pub(crate) fn conversation_role(role: ConversationRole) -> wit::ConversationRole {
    match role {
        ConversationRole::Owner => wit::ConversationRole::Owner,
        ConversationRole::Admin => wit::ConversationRole::Admin,
        ConversationRole::Member => wit::ConversationRole::Member,
    }
}

pub(crate) fn meant_conversation_role(role: wit::ConversationRole) -> ConversationRole {
    match role {
        wit::ConversationRole::Owner => ConversationRole::Owner,
        wit::ConversationRole::Admin => ConversationRole::Admin,
        wit::ConversationRole::Member => ConversationRole::Member,
    }
}

pub(crate) fn level(level: capabilities::log::Level) -> LogLevel {
    match level {
        capabilities::log::Level::Debug => LogLevel::Debug,
        capabilities::log::Level::Info => LogLevel::Info,
        capabilities::log::Level::Warn => LogLevel::Warn,
        capabilities::log::Level::Error => LogLevel::Error,
    }
}

/// A plugin's refusal, or what is wrong with it.
pub(crate) fn refusal(refusal: wit::Refusal) -> Result<Refusal, String> {
    check_code(&refusal.code).map_err(|what| format!("it refuses with the code «{}»: {what}", cut(&refusal.code)))?;
    Ok(Refusal { reason: reason(&refusal.reason)?, code: refusal.code })
}

/// Why it refuses or holds, for people.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    if !jackfield_domain::text::is_visible(text) {
        return Err("it says no and does not say why".to_owned());
    }
    Ok(cut(text))
}

/// Text that goes to people: not without end, and without what a terminal chokes on.
pub(crate) fn cut(text: &str) -> String {
    let clean = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    let mut characters = text.trim().chars().map(clean);
    let mut short: String = characters.by_ref().take(TEXT_MAX).collect();
    if characters.next().is_some() {
        short.pop();
        short.push('…');
    }
    short
}

pub(crate) fn slice(slice: hooks::schedule_hooks::Slice) -> Slice {
    match slice {
        wit::Slice::Done => Slice::Done,
        wit::Slice::More(resume) => Slice::More(resume),
    }
}
