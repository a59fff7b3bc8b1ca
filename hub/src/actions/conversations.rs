//! Making, finding and listing conversations.

pub mod coming;
pub mod invitations;
pub mod life;
pub mod membership;
pub mod overriding;
pub mod public;
pub mod settings;
pub mod support;

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, Policy, Rejection, UserId,
    conversations::{
        ActivityKey, CheckedConversation, Conversation, ConversationDraft, ConversationKind, Member,
        filter::{CheckedFilter, ConversationFilter},
        room_for,
    },
    events::Admission,
    pages::{Page, Slice},
    permissions::may_open_about_something,
    plugins::Hook,
};

use jackfield_plugin_host::hooks::BeforeConversationCreate;

use self::coming::Way;
use super::{
    Core, Reader, Viewer,
    plugins::{
        self,
        before::{self, Tries},
        verdicts::About,
    },
    workspaces,
};
use crate::{
    Error, Result,
    store::{AddMembers, CreateConversation, FromPlugins},
};

/// A new group, or the direct conversation of the pair, which is made only once.
pub async fn create(core: &Arc<Core>, viewer: &Viewer, draft: ConversationDraft) -> Result<Conversation> {
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    let (id, workspace, at) = (ConversationId(core.clock.new_id()), viewer.workspace(), core.clock.now());
    let change = |draft, plugins| {
        let conversation = CheckedConversation::check(draft, viewer.id(), &policy)?;
        gate(viewer, &conversation, &policy)?;
        Ok::<_, Error>(CreateConversation { id, workspace, at, conversation, plugins })
    };
    let alone = change(draft.clone(), FromPlugins::default())?;
    let Some(chain) = plugins::chain(core, workspace, None, Hook::BeforeConversationCreate).await? else {
        return core.store.change(alone).await;
    };
    // One that the pair has already is found, and not made; and about what the rules do not let through nobody is asked.
    let is_there = match alone.conversation.direct_key() {
        Some(key) => core.store.has_direct(workspace, &key).await?,
        None => false,
    };
    if is_there || !lets_make(core, viewer, &alone.conversation).await? {
        return core.store.change(alone).await;
    }
    let (tries, about) = (Tries::new(core, workspace), About::conversation(viewer, id));
    let done = tries.until_done(|| async {
        let question = BeforeConversationCreate::new(draft.clone(), viewer.user());
        let (question, left) = before::asked(core, viewer, &tries.left_of(&chain), about, question).await?;
        let made = change(question.into_draft(), left.clone());
        let (made, _) = before::or_keep(core, made, left, workspace).await?;
        core.store.change(made).await
    });
    done.await
}

/// Whether the viewer may open this conversation at all: the one place where that is decided by more than its form.
fn gate(viewer: &Viewer, conversation: &CheckedConversation, policy: &Policy) -> Result<()> {
    match conversation.context() {
        Some(_) => Ok(may_open_about_something(viewer.role(), policy)?),
        None => Ok(()),
    }
}

/// Whether all can come, and whether two who are to be alone have nothing against it; decided again when it is made.
async fn lets_make(core: &Core, viewer: &Viewer, conversation: &CheckedConversation) -> Result<bool> {
    let others: Vec<UserId> = conversation.others().collect();
    if coming::people(core, viewer, &others).await?.is_none() {
        return Ok(false);
    }
    let (ConversationKind::Direct, [other]) = (conversation.kind(), others.as_slice()) else { return Ok(true) };
    let blocked = core.store.blocked_among(viewer.id(), &[*other]).await?;
    let blocking = core.store.blocked_among(*other, &[viewer.id()]).await?;
    Ok(blocked.is_empty() && blocking.is_empty())
}

/// Adds people to a group that the viewer runs.
pub async fn add_members(
    core: &Arc<Core>,
    viewer: &Viewer,
    conversation: ConversationId,
    mut members: Vec<UserId>,
) -> Result<Conversation> {
    members.sort_unstable();
    members.dedup();
    if members.is_empty() {
        return Err(Rejection::Missing { field: "memberIds" }.into());
    }
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    room_for(0, members.len(), &policy)?;
    coming::may_come(core, viewer, conversation, &members, Way::Added, &policy).await?;
    core.store.change(AddMembers { conversation, members, policy, by: viewer.by(core) }).await
}

/// These conversations, as far as the reader takes part in them.
pub async fn visible(core: &Core, reader: &Reader, ids: &[ConversationId]) -> Result<Vec<Conversation>> {
    match reader {
        Reader::Nobody => Ok(Vec::new()),
        Reader::Viewer(viewer) => core.store.conversations_for(viewer.id(), ids).await,
        Reader::Overriding { viewer, conversation } => {
            let (looked_into, own): (Vec<_>, Vec<_>) = ids.iter().copied().partition(|id| id == conversation);
            let mut found = core.store.conversations_for(viewer.id(), &own).await?;
            found.extend(core.store.conversations(&looked_into).await?);
            Ok(found)
        }
        Reader::Audience { conversation, .. } => {
            let ids: Vec<_> = ids.iter().copied().filter(|id| Some(*id) == *conversation).collect();
            if ids.is_empty() { Ok(Vec::new()) } else { core.store.conversations(&ids).await }
        }
    }
}

/// Those of the viewer's own that a filter lets through, the last active first.
pub async fn list(
    core: &Core,
    viewer: &Viewer,
    filter: ConversationFilter,
    page: &Page<ActivityKey>,
) -> Result<Slice<Conversation>> {
    let filter = CheckedFilter::check(filter)?;
    core.store.conversation_list(viewer.id(), &filter, core.clock.now(), page).await
}

/// Who takes part in a conversation that the reader was shown.
pub async fn members(core: &Core, conversation: &Conversation, page: &Page<UserId>) -> Result<Slice<Member>> {
    core.store.members(conversation.id, page).await
}

/// Somebody's part in a conversation, if the reader takes part in it, too.
pub async fn member(
    core: &Core,
    reader: &Reader,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<Member>> {
    if visible(core, reader, &[conversation]).await?.is_empty() {
        return Ok(None);
    }
    Ok(core.store.memberships(user, &[conversation]).await?.pop())
}

/// The viewer's own part in these conversations.
pub async fn memberships(core: &Core, viewer: &Viewer, ids: &[ConversationId]) -> Result<Vec<Member>> {
    core.store.memberships(viewer.id(), ids).await
}

/// Every conversation that the viewer takes part in, and what they see of it.
pub async fn own(core: &Core, viewer: &Viewer) -> Result<Vec<(ConversationId, Admission)>> {
    core.store.admissions(viewer.id()).await
}
