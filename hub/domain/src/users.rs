//! Users: a person or program as one workspace knows it.

use crate::{Timestamp, UserId, WorkspaceId, WorkspaceRole};

#[derive(Debug, Clone)]
pub struct User {
    pub id: UserId,
    pub workspace: WorkspaceId,
    pub name: String,
    pub role: WorkspaceRole,
    /// Stands above all workspaces of the hub.
    pub is_operator: bool,
    pub created_at: Timestamp,
}

/// Somebody as an issuer of tokens vouches for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub issuer: String,
    pub subject: String,
    pub name: String,
    pub role: WorkspaceRole,
    pub is_operator: bool,
}
