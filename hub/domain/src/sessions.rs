//! Sessions: somebody's being signed in on one device, until it ends or nobody has come back for long enough.

use std::net::IpAddr;

use crate::{SessionId, Timestamp, UserId, WorkspaceId};

/// So many sessions somebody may have at once; the one that was used longest ago makes room for the next.
pub const MOST: usize = 50;
/// What a session's device is called has at most so many characters.
pub const DEVICE_MAX: usize = 80;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub workspace: WorkspaceId,
    pub user: UserId,
    /// What the client called the device.
    pub device: Option<String>,
    /// From where it was used last.
    pub address: Option<IpAddr>,
    pub created_at: Timestamp,
    pub used_at: Timestamp,
    pub expires_at: Timestamp,
}
