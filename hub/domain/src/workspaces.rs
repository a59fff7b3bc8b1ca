//! Workspaces: the tenants, and the rules for making one.

use crate::{PolicyChanges, Rejection, Timestamp, WorkspaceId, roles::words, text};

words! {
    /// Whether a workspace can be entered.
    WorkspaceStatus {
        /// It goes on.
        Active = "active",
        /// Nobody comes in until an operator lets them in again; nothing in it is lost.
        Suspended = "suspended",
    }
}

words! {
    /// Who may make an account of their own.
    SignUp {
        /// Nobody.
        Closed = "closed",
        /// Who has an invitation.
        Invited = "invited",
        /// Anybody.
        Open = "open",
    }
}

/// What an operator asks for.
#[derive(Debug, Clone)]
pub struct WorkspaceDraft {
    pub slug: String,
    pub name: String,
}

/// What the rules let through: the only form that the store accepts.
#[derive(Debug, Clone)]
pub struct CheckedWorkspace(WorkspaceDraft);

impl CheckedWorkspace {
    pub fn check(draft: &WorkspaceDraft) -> Result<Self, Rejection> {
        let slug = text::line("slug", &draft.slug, 40)?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !slug.chars().all(plain) || slug.starts_with('-') || slug.ends_with('-') {
            return Err(Rejection::Invalid { field: "slug", expected: "lower-case letters, digits and inner hyphens" });
        }
        Ok(Self(WorkspaceDraft { slug, name: text::line("name", &draft.name, 80)? }))
    }

    pub fn slug(&self) -> &str {
        &self.0.slug
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }
}

/// A tenant: nothing of it can be seen from another one.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub slug: String,
    pub name: String,
    pub status: WorkspaceStatus,
    pub sign_up: SignUp,
    /// Where its policy differs from that of the hub.
    pub policy: PolicyChanges,
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs() {
        let check = |slug: &str| {
            CheckedWorkspace::check(&WorkspaceDraft { slug: slug.into(), name: "Acme".into() })
                .map_err(|r| r.code().as_str())
        };
        assert!(check("acme-2").is_ok());
        for (slug, code) in
            [("", "MISSING"), ("Acme", "INVALID"), ("-a", "INVALID"), ("a b", "INVALID"), (&"a".repeat(41), "TOO_LONG")]
        {
            assert_eq!(check(slug).unwrap_err(), code, "{slug}");
        }
    }
}
