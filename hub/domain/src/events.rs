//! The log of a workspace: what happened, in ids and facts, never in words.

use serde::{Deserialize, Serialize};

use crate::{
    BotTokenId, ConversationId, MessageId, SessionId, Timestamp, UserId, WorkspaceId, messages::Message,
    receipts::ReceiptKind, roles::words,
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
    pub fact: Fact,
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
    ConversationMembersAdded {
        conversation: ConversationId,
        members: Vec<UserId>,
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
        /// People were added to a conversation.
        ConversationMembersAdded = "conversation_members_added",
        /// A message was sent.
        MessageSent = "message_sent",
        /// A message was edited.
        MessageEdited = "message_edited",
        /// A message was deleted for everyone.
        MessageDeleted = "message_deleted",
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
            Fact::ConversationMembersAdded { .. } => EventKind::ConversationMembersAdded,
            Fact::MessageSent { .. } => EventKind::MessageSent,
            Fact::MessageEdited { .. } => EventKind::MessageEdited,
            Fact::MessageDeleted { .. } => EventKind::MessageDeleted,
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
            | Fact::MessageHidden { user, .. } => Audience::User(*user),
            Fact::ConversationCreated { conversation, .. }
            | Fact::ConversationMembersAdded { conversation, .. }
            | Fact::MessageSent { conversation, .. }
            | Fact::MessageEdited { conversation, .. }
            | Fact::MessageDeleted { conversation, .. }
            | Fact::ReceiptsAdvanced { conversation, .. } => Audience::Conversation(*conversation),
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
            | Fact::BotTokenRevoked { .. } => None,
            Fact::ConversationCreated { conversation, .. }
            | Fact::ConversationMembersAdded { conversation, .. }
            | Fact::MessageSent { conversation, .. }
            | Fact::MessageEdited { conversation, .. }
            | Fact::MessageDeleted { conversation, .. }
            | Fact::MessageHidden { conversation, .. }
            | Fact::ReceiptsAdvanced { conversation, .. } => Some(*conversation),
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

    /// Who became a member of which conversation by this.
    pub fn joined(&self) -> Option<(ConversationId, &[UserId])> {
        match self {
            Fact::ConversationCreated { conversation, members }
            | Fact::ConversationMembersAdded { conversation, members } => Some((*conversation, members)),
            _ => None,
        }
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
