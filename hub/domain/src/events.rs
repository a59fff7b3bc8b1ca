//! The log of a workspace: what happened, in ids and facts, never in words.

use serde::{Deserialize, Serialize};

use crate::{
    BotTokenId, ConversationId, HeldMessageId, MessageId, SessionId, Timestamp, UserId, WorkspaceId, WorkspaceRole,
    messages::{Message, TrimStep},
    plugins::{self, PluginId},
    receipts::ReceiptKind,
    roles::words,
    traces::TracePlace,
};

/// The number of an event in its workspace's log: 1, 2, 3 … without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Position(pub i64);

impl Position {
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub workspace: WorkspaceId,
    pub position: Position,
    pub at: Timestamp,
    /// None where the hub itself acted.
    pub actor: Option<UserId>,
    /// 0 where a person or the hub acted; a plugin's deeds are one deeper than what they answer to.
    #[serde(default)]
    pub depth: u8,
    pub fact: Fact,
    /// What made it happen, while it is fresh and somebody keeps the trace; the table of the log does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TracePlace>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    WorkspaceCreated,
    WorkspaceUpdated,
    /// As good as an update for clients; whoever holds a door open must know more.
    WorkspaceClosed,
    UserJoined {
        user: UserId,
    },
    UserUpdated {
        user: UserId,
    },
    /// As good as an update for clients; whoever holds a door open must know more.
    UserDeactivated {
        user: UserId,
    },
    /// An update that is nobody else's business.
    PreferencesUpdated {
        user: UserId,
    },
    SessionStarted {
        user: UserId,
        session: SessionId,
    },
    SessionEnded {
        user: UserId,
        session: SessionId,
    },
    BotTokenRevoked {
        user: UserId,
        token: BotTokenId,
    },
    ConversationCreated {
        conversation: ConversationId,
        members: Vec<UserId>,
    },
    /// Its title, its status or anything else of its own.
    ConversationUpdated {
        conversation: ConversationId,
    },
    ConversationMembersAdded {
        conversation: ConversationId,
        members: Vec<UserId>,
        /// They see what was said after this.
        from_sequence: i64,
        /// How far the conversation had come: what was said up to here is not new to them.
        sequence: i64,
    },
    /// For those who stay.
    ConversationMembersRemoved {
        conversation: ConversationId,
        members: Vec<UserId>,
    },
    /// Somebody's role in it.
    ConversationMemberUpdated {
        conversation: ConversationId,
        user: UserId,
    },
    /// For somebody who takes no part any more.
    ConversationLeft {
        user: UserId,
        conversation: ConversationId,
    },
    /// What somebody has set for themselves.
    ConversationSettingsUpdated {
        user: UserId,
        conversation: ConversationId,
    },
    /// Somebody blocks somebody, or does so no more.
    BlocksUpdated {
        user: UserId,
        other: UserId,
    },
    MessageSent {
        conversation: ConversationId,
        message: MessageId,
        sequence: i64,
    },
    MessageEdited {
        conversation: ConversationId,
        message: MessageId,
        sequence: i64,
    },
    /// For everyone.
    MessageDeleted {
        conversation: ConversationId,
        message: MessageId,
        sequence: i64,
    },
    /// A plugin found whom a message means; these are all of them now.
    MentionsUpdated {
        conversation: ConversationId,
        message: MessageId,
        sequence: i64,
        users: Vec<UserId>,
    },
    /// What a plugin keeps beside a message is not what it was.
    AnnotationChanged {
        conversation: ConversationId,
        message: MessageId,
        sequence: i64,
        plugin: PluginId,
    },
    /// A plugin wants a moderator to look at a message of this user's before it is sent.
    MessageHeld {
        user: UserId,
        held: HeldMessageId,
    },
    /// A moderator has decided about it.
    HeldMessageDecided {
        user: UserId,
        held: HeldMessageId,
    },
    /// A plugin has news. What it says stands beside the log, and goes with this.
    PluginEvent {
        plugin: PluginId,
        kind: String,
        audience: plugins::Audience,
    },
    /// Old messages were taken away from everybody: all of this range that were there, but for those that were kept.
    MessagesTrimmed {
        conversation: ConversationId,
        from_sequence: i64,
        through_sequence: i64,
        kept: Vec<i64>,
        step: TrimStep,
    },
    /// For one user alone.
    MessageHidden {
        user: UserId,
        conversation: ConversationId,
        message: MessageId,
        sequence: i64,
    },
    /// Everything up to here has come to the user's devices, or was read by them.
    ReceiptsAdvanced {
        conversation: ConversationId,
        user: UserId,
        kind: ReceiptKind,
        up_to: i64,
    },
}

words! {
    /// The kind of an event, for those who want only some.
    EventKind {
        /// The workspace was made.
        WorkspaceCreated = "workspace_created",
        /// The workspace's name, sign-up, status or policy changed.
        WorkspaceUpdated = "workspace_updated",
        /// Somebody was seen in the workspace for the first time.
        UserJoined = "user_joined",
        /// Somebody's name, role, status or profile changed.
        UserUpdated = "user_updated",
        /// The viewer signed in somewhere.
        SessionStarted = "session_started",
        /// The viewer was signed out somewhere.
        SessionEnded = "session_ended",
        /// A token of the viewer, who is a bot, was revoked.
        BotTokenRevoked = "bot_token_revoked",
        /// A conversation was made.
        ConversationCreated = "conversation_created",
        /// A conversation has another title or status, or something else of its own has changed.
        ConversationUpdated = "conversation_updated",
        /// People were added to a conversation.
        ConversationMembersAdded = "conversation_members_added",
        /// People take no part in a conversation any more.
        ConversationMembersRemoved = "conversation_members_removed",
        /// Somebody has another role in a conversation.
        ConversationMemberUpdated = "conversation_member_updated",
        /// The viewer takes no part in a conversation any more.
        ConversationLeft = "conversation_left",
        /// The viewer has set something for themselves in a conversation.
        ConversationSettingsUpdated = "conversation_settings_updated",
        /// The viewer blocks somebody, or does so no more.
        BlocksUpdated = "blocks_updated",
        /// A message was sent.
        MessageSent = "message_sent",
        /// A message was edited.
        MessageEdited = "message_edited",
        /// A message was deleted for everyone.
        MessageDeleted = "message_deleted",
        /// A message mentions other people than before.
        MentionsUpdated = "mentions_updated",
        /// What a plugin keeps beside a message changed, and with it what its fields say of the message.
        AnnotationChanged = "annotation_changed",
        /// A message of the viewer's waits for a moderator.
        MessageHeld = "message_held",
        /// A moderator has decided about a message of the viewer's that waited.
        HeldMessageDecided = "held_message_decided",
        /// A plugin has news for the viewer.
        PluginEvent = "plugin_event",
        /// Old messages were taken away from everybody.
        MessagesTrimmed = "messages_trimmed",
        /// A message was deleted for one user alone.
        MessageHidden = "message_hidden",
        /// Messages have come to somebody's devices, or were read by them.
        ReceiptsAdvanced = "receipts_advanced",
    }
}

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everybody in the workspace.
    Workspace,
    /// The members of a conversation, as of the moment of delivery.
    Conversation(ConversationId),
    /// One user alone, wherever they are signed in.
    User(UserId),
    /// The users that the event itself names.
    Named,
    /// Those who keep the peace in the workspace, as of the moment of delivery.
    Moderators,
    /// Those who run the workspace, as of the moment of delivery.
    Admins,
}

impl Audience {
    /// Who of the workspace is meant, where that is decided by what somebody is in it.
    pub fn includes(self, role: WorkspaceRole) -> Option<bool> {
        let runs = matches!(role, WorkspaceRole::Owner | WorkspaceRole::Admin);
        match self {
            Audience::Admins => Some(runs),
            Audience::Moderators => Some(runs || role == WorkspaceRole::Moderator),
            Audience::Workspace | Audience::Conversation(_) | Audience::User(_) | Audience::Named => None,
        }
    }
}

impl Fact {
    pub fn kind(&self) -> EventKind {
        match self {
            Fact::WorkspaceCreated => EventKind::WorkspaceCreated,
            Fact::WorkspaceUpdated | Fact::WorkspaceClosed => EventKind::WorkspaceUpdated,
            Fact::UserJoined { .. } => EventKind::UserJoined,
            Fact::UserUpdated { .. } | Fact::UserDeactivated { .. } | Fact::PreferencesUpdated { .. } => {
                EventKind::UserUpdated
            }
            Fact::SessionStarted { .. } => EventKind::SessionStarted,
            Fact::SessionEnded { .. } => EventKind::SessionEnded,
            Fact::BotTokenRevoked { .. } => EventKind::BotTokenRevoked,
            Fact::ConversationCreated { .. } => EventKind::ConversationCreated,
            Fact::ConversationUpdated { .. } => EventKind::ConversationUpdated,
            Fact::ConversationMembersAdded { .. } => EventKind::ConversationMembersAdded,
            Fact::ConversationMembersRemoved { .. } => EventKind::ConversationMembersRemoved,
            Fact::ConversationMemberUpdated { .. } => EventKind::ConversationMemberUpdated,
            Fact::ConversationLeft { .. } => EventKind::ConversationLeft,
            Fact::ConversationSettingsUpdated { .. } => EventKind::ConversationSettingsUpdated,
            Fact::BlocksUpdated { .. } => EventKind::BlocksUpdated,
            Fact::MessageSent { .. } => EventKind::MessageSent,
            Fact::MessageEdited { .. } => EventKind::MessageEdited,
            Fact::MessageDeleted { .. } => EventKind::MessageDeleted,
            Fact::MentionsUpdated { .. } => EventKind::MentionsUpdated,
            Fact::AnnotationChanged { .. } => EventKind::AnnotationChanged,
            Fact::MessageHeld { .. } => EventKind::MessageHeld,
            Fact::HeldMessageDecided { .. } => EventKind::HeldMessageDecided,
            Fact::PluginEvent { .. } => EventKind::PluginEvent,
            Fact::MessagesTrimmed { .. } => EventKind::MessagesTrimmed,
            Fact::MessageHidden { .. } => EventKind::MessageHidden,
            Fact::ReceiptsAdvanced { .. } => EventKind::ReceiptsAdvanced,
        }
    }

    pub fn audience(&self) -> Audience {
        match self {
            Fact::WorkspaceCreated
            | Fact::WorkspaceUpdated
            | Fact::WorkspaceClosed
            | Fact::UserJoined { .. }
            | Fact::UserUpdated { .. }
            | Fact::UserDeactivated { .. } => Audience::Workspace,
            Fact::PreferencesUpdated { user }
            | Fact::SessionStarted { user, .. }
            | Fact::SessionEnded { user, .. }
            | Fact::BotTokenRevoked { user, .. }
            | Fact::ConversationLeft { user, .. }
            | Fact::ConversationSettingsUpdated { user, .. }
            | Fact::BlocksUpdated { user, .. }
            | Fact::MessageHeld { user, .. }
            | Fact::HeldMessageDecided { user, .. }
            | Fact::MessageHidden { user, .. } => Audience::User(*user),
            Fact::ConversationCreated { conversation, .. }
            | Fact::ConversationUpdated { conversation }
            | Fact::ConversationMembersAdded { conversation, .. }
            | Fact::ConversationMembersRemoved { conversation, .. }
            | Fact::ConversationMemberUpdated { conversation, .. }
            | Fact::MessageSent { conversation, .. }
            | Fact::MessageEdited { conversation, .. }
            | Fact::MessageDeleted { conversation, .. }
            | Fact::MentionsUpdated { conversation, .. }
            | Fact::AnnotationChanged { conversation, .. }
            | Fact::MessagesTrimmed { conversation, .. }
            | Fact::ReceiptsAdvanced { conversation, .. } => Audience::Conversation(*conversation),
            Fact::PluginEvent { audience, .. } => match audience {
                plugins::Audience::Users(_) => Audience::Named,
                plugins::Audience::Conversation(conversation) => Audience::Conversation(*conversation),
                plugins::Audience::Moderators => Audience::Moderators,
                plugins::Audience::Admins => Audience::Admins,
            },
        }
    }

    /// The conversation that it is about, for those who follow only some.
    pub fn conversation(&self) -> Option<ConversationId> {
        match self {
            Fact::WorkspaceCreated
            | Fact::WorkspaceUpdated
            | Fact::WorkspaceClosed
            | Fact::UserJoined { .. }
            | Fact::UserUpdated { .. }
            | Fact::UserDeactivated { .. }
            | Fact::PreferencesUpdated { .. }
            | Fact::SessionStarted { .. }
            | Fact::SessionEnded { .. }
            | Fact::BotTokenRevoked { .. }
            | Fact::BlocksUpdated { .. }
            | Fact::MessageHeld { .. }
            | Fact::HeldMessageDecided { .. } => None,
            Fact::PluginEvent { audience, .. } => match audience {
                plugins::Audience::Conversation(conversation) => Some(*conversation),
                plugins::Audience::Users(_) | plugins::Audience::Moderators | plugins::Audience::Admins => None,
            },
            Fact::ConversationCreated { conversation, .. }
            | Fact::ConversationUpdated { conversation }
            | Fact::ConversationMembersAdded { conversation, .. }
            | Fact::ConversationMembersRemoved { conversation, .. }
            | Fact::ConversationMemberUpdated { conversation, .. }
            | Fact::ConversationLeft { conversation, .. }
            | Fact::ConversationSettingsUpdated { conversation, .. }
            | Fact::MessageSent { conversation, .. }
            | Fact::MessageEdited { conversation, .. }
            | Fact::MessageDeleted { conversation, .. }
            | Fact::MentionsUpdated { conversation, .. }
            | Fact::AnnotationChanged { conversation, .. }
            | Fact::MessagesTrimmed { conversation, .. }
            | Fact::MessageHidden { conversation, .. }
            | Fact::ReceiptsAdvanced { conversation, .. } => Some(*conversation),
        }
    }

    /// The users whom it names as those whom it is for.
    pub fn named(&self) -> &[UserId] {
        match self {
            Fact::PluginEvent { audience: plugins::Audience::Users(users), .. } => users,
            _ => &[],
        }
    }

    /// Whether somebody may not write any more where they might before.
    pub fn may_silence(&self) -> bool {
        match self {
            Fact::WorkspaceUpdated
            | Fact::WorkspaceClosed
            | Fact::UserUpdated { .. }
            | Fact::UserDeactivated { .. }
            | Fact::ConversationUpdated { .. }
            | Fact::ConversationMembersRemoved { .. }
            | Fact::ConversationMemberUpdated { .. }
            | Fact::ConversationLeft { .. }
            | Fact::BlocksUpdated { .. } => true,
            Fact::WorkspaceCreated
            | Fact::UserJoined { .. }
            | Fact::PreferencesUpdated { .. }
            | Fact::SessionStarted { .. }
            | Fact::SessionEnded { .. }
            | Fact::BotTokenRevoked { .. }
            | Fact::ConversationCreated { .. }
            | Fact::ConversationMembersAdded { .. }
            | Fact::ConversationSettingsUpdated { .. }
            | Fact::MessageSent { .. }
            | Fact::MessageEdited { .. }
            | Fact::MessageDeleted { .. }
            | Fact::MentionsUpdated { .. }
            | Fact::AnnotationChanged { .. }
            | Fact::MessageHeld { .. }
            | Fact::HeldMessageDecided { .. }
            | Fact::PluginEvent { .. }
            | Fact::MessagesTrimmed { .. }
            | Fact::MessageHidden { .. }
            | Fact::ReceiptsAdvanced { .. } => false,
        }
    }

    /// Whether this took a message away.
    pub fn takes_away(&self, message: &Message) -> bool {
        match self {
            Fact::MessagesTrimmed { conversation, from_sequence, through_sequence, kept, .. } => {
                message.conversation == *conversation
                    && (*from_sequence..=*through_sequence).contains(&message.sequence)
                    && !kept.contains(&message.sequence)
            }
            _ => false,
        }
    }

    /// The message that is not what it was before this.
    pub fn changed_message(&self) -> Option<MessageId> {
        match self {
            Fact::MessageEdited { message, .. }
            | Fact::MessageDeleted { message, .. }
            | Fact::MessageHidden { message, .. } => Some(*message),
            _ => None,
        }
    }

    /// Who is not any more what was known of them.
    pub fn changed_user(&self) -> Option<UserId> {
        match self {
            Fact::UserUpdated { user } | Fact::UserDeactivated { user } => Some(*user),
            _ => None,
        }
    }

    /// The place in the sequence of the message that it is about, or of the last of them.
    pub fn sequence(&self) -> Option<i64> {
        match self {
            Fact::MessagesTrimmed { through_sequence, .. } => Some(*through_sequence),
            Fact::MessageSent { sequence, .. }
            | Fact::MessageEdited { sequence, .. }
            | Fact::MessageDeleted { sequence, .. }
            | Fact::MentionsUpdated { sequence, .. }
            | Fact::AnnotationChanged { sequence, .. }
            | Fact::MessageHidden { sequence, .. } => Some(*sequence),
            _ => None,
        }
    }

    /// Who is no member of which conversation any more. What is for those who stay names others.
    pub fn left(&self) -> Option<(ConversationId, UserId)> {
        match self {
            Fact::ConversationLeft { user, conversation } => Some((*conversation, *user)),
            _ => None,
        }
    }

    /// Who became a member of which conversation by this, and what they see of it: what was said after a place.
    pub fn joined(&self) -> Option<(ConversationId, &[UserId], i64)> {
        match self {
            Fact::ConversationCreated { conversation, members } => Some((*conversation, members, 0)),
            Fact::ConversationMembersAdded { conversation, members, from_sequence, .. } => {
                Some((*conversation, members, *from_sequence))
            }
            _ => None,
        }
    }
}

/// Since when somebody takes part in a conversation, and what they see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// The event by which they came.
    pub position: Position,
    /// They see what was said after this.
    pub from_sequence: i64,
}

impl Admission {
    /// Whether an event of the conversation is theirs to hear of. What was before they came they fetch, if they may.
    pub fn covers(self, event: &Event) -> bool {
        event.position >= self.position && event.fact.sequence().is_none_or(|sequence| sequence > self.from_sequence)
    }
}

/// An event, and the message that was sent by it, where this node has it at hand.
#[derive(Debug, Clone)]
pub struct Entry {
    pub event: Event,
    pub message: Option<Message>,
}

/// What is in a log: everything after `tail`, up to and with `head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogBounds {
    pub tail: Position,
    pub head: Position,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn whoever_came_later_hears_of_what_they_see() {
        let admission = Admission { position: Position(10), from_sequence: 5 };
        let (conversation, message) = (ConversationId(Uuid::nil()), MessageId(Uuid::nil()));
        let hears = |position, fact| {
            let workspace = WorkspaceId(Uuid::nil());
            admission.covers(&Event {
                workspace,
                position: Position(position),
                at: Timestamp(0),
                actor: None,
                depth: 0,
                fact,
                trace: None,
            })
        };
        let edited = |sequence| Fact::MessageEdited { conversation, message, sequence };
        assert!(
            hears(10, Fact::ConversationUpdated { conversation }),
            "the event by which they came, and what follows"
        );
        assert!(!hears(9, Fact::ConversationUpdated { conversation }));
        assert!(hears(11, edited(6)));
        assert!(!hears(11, edited(5)), "a change of what they do not see");
    }
}
