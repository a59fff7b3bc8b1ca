//! Who may do what: one table for the workspace and one for a conversation. Everything that depends on a role is decided
//! here and nowhere else; what also depends on a row (one's own message, the last owner) is a rule beside its noun.

use crate::{ConversationRole, Policy, Rejection, WorkspaceRole};

/// What can be done in a workspace beyond taking part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Change the workspace's name, sign-up and policy.
    RunWorkspace,
    /// Read who did what.
    ReadAudit,
    /// See the jobs of the workspace.
    ReadJobs,
    /// Invite people to the workspace.
    Invite,
    /// Deactivate people, change their roles, hand over password links.
    ManageUsers,
    /// Make bots and their tokens.
    ManageBots,
    /// Delete other people's messages.
    Moderate,
    /// Take, resolve and re-open the support conversations of others.
    GiveSupport,
    /// Look into a conversation without taking part, which is audited.
    Override,
    /// Have messages kept that would otherwise be taken away when they are old.
    HoldMessages,
}

/// What can be done in a conversation beyond reading and writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConversationAct {
    /// Bring people in, send them away, make links that let people in.
    ManageMembers,
    /// Change title, description and the like; archive and re-open.
    Run,
    /// Delete other people's messages for everyone.
    Moderate,
    /// Change roles, hand the conversation over, delete it.
    Own,
}

/// By what right somebody does what one may do by more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// It is their own.
    Own,
    /// A role gives them the power, so that it stands in the record.
    Role,
}

use WorkspaceRole::{Admin, Bot, Moderator, Owner};

/// The table of a workspace.
pub const WORKSPACE: &[(Act, &[WorkspaceRole])] = &[
    (Act::RunWorkspace, &[Owner, Admin]),
    (Act::ReadAudit, &[Owner, Admin]),
    (Act::ReadJobs, &[Owner, Admin]),
    (Act::Invite, &[Owner, Admin]),
    (Act::ManageUsers, &[Owner, Admin]),
    (Act::ManageBots, &[Owner, Admin]),
    (Act::Moderate, &[Owner, Admin, Moderator]),
    (Act::GiveSupport, &[Owner, Admin, Moderator]),
    (Act::Override, &[Owner, Admin]),
    (Act::HoldMessages, &[Owner, Admin]),
];

/// The table of a conversation.
pub const CONVERSATION: &[(ConversationAct, &[ConversationRole])] = &[
    (ConversationAct::ManageMembers, &[ConversationRole::Owner, ConversationRole::Admin]),
    (ConversationAct::Run, &[ConversationRole::Owner, ConversationRole::Admin]),
    (ConversationAct::Moderate, &[ConversationRole::Owner, ConversationRole::Admin]),
    (ConversationAct::Own, &[ConversationRole::Owner]),
];

/// May somebody with this role in the workspace do this?
pub fn may(role: WorkspaceRole, act: Act) -> Result<(), Rejection> {
    let allowed = WORKSPACE.iter().any(|(listed, roles)| *listed == act && roles.contains(&role));
    let who = match act {
        Act::Moderate | Act::GiveSupport => "an owner, admin or moderator of the workspace",
        _ => "an owner or admin of the workspace",
    };
    if allowed { Ok(()) } else { Err(Rejection::NotAllowed { who }) }
}

/// May somebody with this role in the conversation do this?
pub fn may_here(role: ConversationRole, act: ConversationAct) -> Result<(), Rejection> {
    let allowed = CONVERSATION.iter().any(|(listed, roles)| *listed == act && roles.contains(&role));
    let who = match act {
        ConversationAct::Own => "an owner of the conversation",
        _ => "an owner or admin of the conversation",
    };
    if allowed { Ok(()) } else { Err(Rejection::NotAllowed { who }) }
}

/// May somebody with this role open a conversation about something outside of the hub?
pub fn may_open_about_something(role: WorkspaceRole, policy: &Policy) -> Result<(), Rejection> {
    let always = matches!(role, Owner | Admin | Bot);
    if always || policy.context_for_members { Ok(()) } else { Err(Rejection::ContextIsForbidden) }
}

/// May somebody with the one role change what somebody with the other is, or make them such? An admin does not make
/// owners, nor unmake them.
pub fn may_change_role(actor: WorkspaceRole, from: WorkspaceRole, to: WorkspaceRole) -> Result<(), Rejection> {
    may(actor, Act::ManageUsers)?;
    if actor != Owner && (from == Owner || to == Owner) {
        return Err(Rejection::NotAllowed { who: "an owner of the workspace" });
    }
    // A program is not promoted, and a person does not become one.
    if (from == Bot) != (to == Bot) {
        return Err(Rejection::Invalid { field: "role", expected: "a person's for a person, and BOT for a bot" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use WorkspaceRole::Member;

    use super::*;

    #[test]
    fn every_act_has_one_row() {
        for act in [
            Act::RunWorkspace,
            Act::ReadAudit,
            Act::ReadJobs,
            Act::Invite,
            Act::ManageUsers,
            Act::ManageBots,
            Act::Moderate,
            Act::GiveSupport,
            Act::Override,
            Act::HoldMessages,
        ] {
            assert_eq!(WORKSPACE.iter().filter(|(listed, _)| *listed == act).count(), 1, "{act:?}");
            assert!(may(Owner, act).is_ok());
            assert!(may(Member, act).is_err());
            assert!(may(Bot, act).is_err());
        }
        assert!(may(Moderator, Act::Moderate).is_ok());
        assert!(may(Moderator, Act::RunWorkspace).is_err());
        assert!(may_here(ConversationRole::Admin, ConversationAct::ManageMembers).is_ok());
        assert!(may_here(ConversationRole::Admin, ConversationAct::Moderate).is_ok());
        assert!(may_here(ConversationRole::Member, ConversationAct::Moderate).is_err());
        assert!(may_here(ConversationRole::Admin, ConversationAct::Own).is_err());
        assert!(may_here(ConversationRole::Member, ConversationAct::Run).is_err());
    }

    #[test]
    fn conversations_about_something_are_for_members_or_not() {
        for for_members in [true, false] {
            let policy = Policy { context_for_members: for_members, ..Policy::default() };
            let allowed =
                [Owner, Admin, Bot, Moderator, Member].map(|role| may_open_about_something(role, &policy).is_ok());
            assert_eq!(allowed, [true, true, true, for_members, for_members]);
        }
    }

    #[test]
    fn owners_are_made_and_unmade_by_owners() {
        assert!(may_change_role(Owner, Member, Owner).is_ok());
        assert!(may_change_role(Admin, Member, Moderator).is_ok());
        assert!(may_change_role(Admin, Member, Owner).is_err());
        assert!(may_change_role(Admin, Owner, Member).is_err());
        assert!(may_change_role(Moderator, Member, Moderator).is_err());
        assert!(may_change_role(Owner, Bot, Admin).is_err());
    }
}
