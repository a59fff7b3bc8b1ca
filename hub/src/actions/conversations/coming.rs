//! Asking plugins whether people may become members: about those alone whom the rules let in. All of it is decided again
//! where they do become members.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, ConversationRole, Policy, UserId,
    conversations::{Conversation, ConversationKind, membership::may_join, room_for, takes_members},
    permissions::{Act, ConversationAct, may, may_here},
    plugins::Hook,
    users::User,
};
use jackfield_plugin_host::hooks::BeforeJoin;

use super::super::{
    Core, Viewer,
    plugins::{
        self,
        before::{self, Tries},
        verdicts::About,
    },
};
use crate::Result;

/// How somebody comes into a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By themselves, into what everybody finds.
    Public,
    /// By themselves, by an invitation.
    Invited,
    /// The viewer adds them.
    Added,
    /// They are given a support conversation, or take it.
    Support,
}

/// Asks plugins whether these people may become members, one after the other; the first no ends it. Where the rules do not
/// let them in nobody is asked, and the store says why.
///
/// What is left about one of them is committed before it is asked about the next, who is looked at by what is kept by then.
pub async fn may_come(
    core: &Arc<Core>,
    viewer: &Viewer,
    conversation: ConversationId,
    users: &[UserId],
    way: Way,
    policy: &Policy,
) -> Result<()> {
    let Some(chain) = plugins::chain(core, viewer.workspace(), Some(conversation), Hook::BeforeJoin).await? else {
        return Ok(());
    };
    let found = core.store.conversations(&[conversation]).await?.pop();
    let Some(room) = found.filter(|room| room.workspace == viewer.workspace()) else { return Ok(()) };
    let Some(mut new) = people(core, viewer, users).await? else { return Ok(()) };
    let present = core.store.members_among(conversation, users).await?;
    new.retain(|user| !present.contains(&user.id));
    new.sort_unstable_by_key(|user| user.id);
    if !lets_in(core, viewer, &room, &new, way, policy).await? {
        return Ok(());
    }
    let (adds, role) = match way {
        Way::Public | Way::Invited => (None, ConversationRole::Member),
        Way::Added => (Some(viewer.user()), ConversationRole::Member),
        Way::Support => (Some(viewer.user()), ConversationRole::Admin),
    };
    let (tries, about) = (Tries::new(core, viewer.workspace()), About::conversation(viewer, room.id));
    for user in &new {
        let added_by = adds.filter(|by| by.id != user.id);
        let done = tries.until_done(|| async {
            let question = BeforeJoin::new(&room, user, added_by, role);
            let (_, left) = before::asked(core, viewer, &tries.left_of(&chain), about, question).await?;
            before::keep(core, viewer.workspace(), left).await
        });
        done.await?;
    }
    Ok(())
}

/// These people, where all of them can be brought in: they are of the viewer's workspace, and not shut out of it.
pub async fn people(core: &Core, viewer: &Viewer, ids: &[UserId]) -> Result<Option<Vec<User>>> {
    let found = core.store.users(ids).await?;
    let all = found.len() == ids.len();
    Ok((all && found.iter().all(|user| user.workspace == viewer.workspace() && user.is_active())).then_some(found))
}

async fn lets_in(
    core: &Core,
    viewer: &Viewer,
    room: &Conversation,
    new: &[User],
    way: Way,
    policy: &Policy,
) -> Result<bool> {
    let lets = match way {
        Way::Public => may_join(room, false),
        Way::Invited => may_join(room, true),
        Way::Added => {
            let Some(part) = core.store.memberships(viewer.id(), &[room.id]).await?.pop() else { return Ok(false) };
            takes_members(room.kind).and_then(|()| may_here(part.role, ConversationAct::ManageMembers))
        }
        Way::Support => {
            let all_may = || new.iter().try_for_each(|user| may(user.role, Act::GiveSupport));
            return Ok(room.kind == ConversationKind::Support && all_may().is_ok());
        }
    };
    Ok(lets.and_then(|()| room_for(room.member_count, new.len(), policy)).is_ok())
}
