//! The rules and the words of Jackfield, and nothing else.
//!
//! Everything here is a pure function of its arguments: no clock is read, no id is made, nothing is awaited. What
//! may happen is decided here; how and when it happens is decided by those who call.

pub mod accounts;
pub mod audit;
pub mod bots;
pub mod conversations;
pub mod events;
pub mod ids;
pub mod invitations;
pub mod jobs;
pub mod markdown;
pub mod messages;
pub mod pages;
pub mod permissions;
pub mod plugins;
pub mod policy;
pub mod receipts;
pub mod rejection;
pub mod roles;
pub mod sessions;
pub mod signals;
pub mod text;
pub mod time;
pub mod traces;
pub mod users;
pub mod workspaces;

pub use audit::{AuditAction, AuditEntry, By};
pub use events::{Event, Fact, Position};
pub use ids::{
    BotTokenId, ConversationId, DeadLetterId, HeldMessageId, InvitationId, IssuerId, JobId, MessageId, RequestId,
    SessionId, UploadId, UserId, VerdictId, WorkspaceId,
};
pub use policy::{Policy, PolicyChanges};
pub use rejection::{ErrorCode, Rejection};
pub use roles::{ConversationRole, WorkspaceRole};
pub use time::Timestamp;
pub use traces::TracePlace;
