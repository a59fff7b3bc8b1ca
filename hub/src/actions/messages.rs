//! Sending, reading, editing and deleting messages.

use std::{collections::HashMap, sync::Arc};

use jackfield_domain::{
    ConversationId, MessageId, Rejection, Timestamp, UserId,
    conversations::Conversation,
    messages::{
        CheckedBody, CheckedMessage, Details, Message, MessageDraft, MessageEdit, may_delete_for_everyone, may_edit,
    },
    pages::{Direction, Page, Slice},
    plugins::Hook,
};

pub use super::plugins::before::Sending;
use super::{
    Core, Reader, Viewer, memory,
    plugins::{
        self,
        before::{self, Tries},
        verdicts::About,
    },
    typing, workspaces,
};
use crate::{
    Result,
    store::{DeleteMessage, EditMessage, FromPlugins, HideMessage, Outgoing},
    traces,
};
use jackfield_plugin_host::hooks::{BeforeDelete, BeforeEdit};

/// Sends a message: the words are checked, then all the rest is decided and stored in one transaction. When this
/// returns, the message is in the store and its event in the log.
pub async fn send(core: &Arc<Core>, viewer: &Viewer, draft: MessageDraft) -> Result<Sending> {
    let mut rules = traces::span("rules");
    let known = memory::workspace(core, viewer.workspace()).await?;
    let (workspace, conversation) = (viewer.workspace(), draft.conversation);
    let asked = plugins::chain(core, workspace, Some(conversation), Hook::BeforeCreate).await?;
    let sent = if let Some(chain) = asked {
        before::send(core, viewer, &chain, draft, &known.policy, rules).await?
    } else {
        let message = CheckedMessage::check(draft, &known.policy).inspect_err(|_| rules.fail("refused"))?;
        drop(rules);
        let (id, at) = (MessageId(core.clock.new_id()), core.clock.now());
        let outgoing = Outgoing { id, workspace, sender: viewer.id(), at, message, plugins: None };
        Sending::Sent(core.store.send(outgoing).await?)
    };
    // Who has sent has stopped typing; whoever listens need not wait until it lapses.
    typing::lapse(core, viewer, conversation);
    Ok(sent)
}

/// Puts other words into a message of the viewer's own.
pub async fn edit(core: &Arc<Core>, viewer: &Viewer, message: MessageId, body: String) -> Result<Message> {
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    let found = core.store.messages_for(viewer.id(), &[message]).await?;
    let found = found.into_iter().next().ok_or(Rejection::NotFound { what: "message", field: "messageId" })?;
    // What kind of message it is never changes, so that this can be decided before anything is locked.
    let checked = |body| CheckedBody::check(found.kind, found.content, body, &policy);
    let (workspace, by, at) = (viewer.workspace(), viewer.id(), core.clock.now());
    let change = |body, plugins| EditMessage { workspace, message, by, at, body, policy: policy.clone(), plugins };
    let chain = plugins::chain(core, workspace, Some(found.conversation), Hook::BeforeEdit).await?;
    let asked = match chain {
        // No plugin is asked about what the rules do not let through: they decide again under the locks of the store.
        Some(chain) => {
            let room = core.store.conversations(&[found.conversation]).await?.pop();
            room.filter(|room| may_edit(&found, room.status, by, at, &policy).is_ok()).map(|_| chain)
        }
        None => None,
    };
    let Some(chain) = asked else {
        return core.store.change(change(checked(body)?, FromPlugins::default())).await;
    };
    checked(body.clone())?;
    let whole = plugins::whole(core, &found).await?;
    let (tries, about) = (Tries::new(core, workspace), About::message(viewer, found.conversation, message));
    let done = tries.until_done(|| async {
        let question = BeforeEdit::new(&whole, viewer.user(), body.clone());
        let (question, left) = before::asked(core, viewer, &tries.left_of(&chain), about, question).await?;
        // A plugin's words are as untrusted as anybody's.
        let (body, left) = before::or_keep(core, checked(question.into_body()), left, workspace).await?;
        core.store.change(change(body, left)).await
    });
    done.await
}

/// Deletes a message for the viewer alone, on all their devices.
pub async fn hide(core: &Core, viewer: &Viewer, message: MessageId) -> Result<Message> {
    core.store.change(HideMessage { by: viewer.by(core), message }).await
}

/// Deletes a message for everyone; what is left of it is its place in the sequence.
pub async fn delete(core: &Arc<Core>, viewer: &Viewer, message: MessageId) -> Result<Message> {
    let policy = workspaces::policy(core, viewer.workspace()).await?;
    let (workspace, role) = (viewer.workspace(), viewer.role());
    let change = |plugins| DeleteMessage { by: viewer.by(core), role, message, policy: policy.clone(), plugins };
    let found = core.store.messages_for(viewer.id(), &[message]).await?.pop().filter(|found| found.deleted.is_none());
    let chain = match &found {
        Some(found) => plugins::chain(core, workspace, Some(found.conversation), Hook::BeforeDelete).await?,
        None => None,
    };
    let asked = match found.zip(chain) {
        // No plugin is asked about what the rules do not let through, as for an edit.
        Some((found, chain)) => {
            let (by, at) = (viewer.id(), core.clock.now());
            let part = core.store.memberships(by, &[found.conversation]).await?.pop();
            let may =
                part.is_some_and(|part| may_delete_for_everyone(&found, by, role, part.role, at, &policy).is_ok());
            may.then_some((found, chain))
        }
        None => None,
    };
    let Some((found, chain)) = asked else {
        return core.store.change(change(FromPlugins::default())).await;
    };
    let whole = plugins::whole(core, &found).await?;
    let (tries, about) = (Tries::new(core, workspace), About::message(viewer, found.conversation, message));
    let done = tries.until_done(|| async {
        let question = BeforeDelete::new(&whole, viewer.user());
        let (_, left) = before::asked(core, viewer, &tries.left_of(&chain), about, question).await?;
        core.store.change(change(left)).await
    });
    done.await
}

/// These messages, as far as the reader takes part in their conversations and has not deleted them for themselves. Where
/// one is read for many, the message says whether it is there for all of them.
pub async fn visible(core: &Core, reader: &Reader, ids: &[MessageId]) -> Result<Vec<Message>> {
    match reader {
        Reader::Nobody => Ok(Vec::new()),
        Reader::Viewer(viewer) => core.store.messages_for(viewer.id(), ids).await,
        Reader::Overriding { viewer, conversation } => {
            let (looked_into, others): (Vec<_>, Vec<_>) =
                core.store.messages(ids).await?.into_iter().partition(|message| message.conversation == *conversation);
            let others: Vec<_> = others.iter().map(|message| message.id).collect();
            let mut found = core.store.messages_for(viewer.id(), &others).await?;
            found.extend(looked_into);
            Ok(found)
        }
        Reader::Audience { conversation, .. } => {
            let mut messages = core.store.messages(ids).await?;
            messages.retain(|message| Some(message.conversation) == *conversation);
            Ok(messages)
        }
    }
}

/// What stands beside the bodies of messages that the reader was shown.
pub async fn details(core: &Core, ids: &[MessageId]) -> Result<Vec<(MessageId, Details)>> {
    core.store.message_details(ids).await
}

/// Whom messages that the reader was shown mention.
pub async fn mentioned(core: &Core, ids: &[MessageId]) -> Result<HashMap<MessageId, Vec<UserId>>> {
    core.store.mentioned(ids).await
}

/// The messages that mention the viewer, in the order in which they were sent.
pub async fn mentions(core: &Core, viewer: &Viewer, unread: bool, page: &Page<MessageId>) -> Result<Slice<Message>> {
    core.store.mentions_of(viewer.id(), unread, page).await
}

/// How many messages that the viewer has not read mention them, in each of these conversations.
pub async fn unread_mentions(
    core: &Core,
    viewer: &Viewer,
    ids: &[ConversationId],
) -> Result<HashMap<ConversationId, i64>> {
    core.store.unread_mentions(viewer.id(), ids).await
}

/// What a message that the reader was shown said before.
pub async fn edits(core: &Core, message: &Message, page: &Page<i64>) -> Result<Slice<MessageEdit>> {
    core.store.message_edits(message.id, page).await
}

/// Where in a conversation's history to begin.
#[derive(Debug, Clone)]
pub enum HistoryStart {
    /// At a cursor or an end.
    Page(Page<i64>),
    /// Half before this message and half after it.
    Around { sequence: i64, size: usize },
    /// With the first message that was sent then or later.
    From { moment: Timestamp, size: usize },
}

/// A part of the history of a conversation that the reader was shown. Who looks into one without taking part sees all of
/// it, also where they happen to be a member who came late.
pub async fn history(
    core: &Core,
    reader: &Reader,
    conversation: &Conversation,
    start: HistoryStart,
) -> Result<Slice<Message>> {
    // Sequences have no holes, so that a place in the history is a number that can be reckoned with.
    let behind = |sequence: i64, size| Page {
        direction: Direction::Forward,
        size,
        from: Some(sequence).filter(|sequence| *sequence > 0),
    };
    let page = match start {
        HistoryStart::Page(page) => page,
        HistoryStart::Around { sequence, size } => behind(sequence - 1 - (size as i64 - 1) / 2, size),
        HistoryStart::From { moment, size } => match core.store.first_sequence_from(conversation.id, moment).await? {
            Some(sequence) => behind(sequence - 1, size),
            None => behind(conversation.last_sequence, size),
        },
    };
    let viewer = reader.viewer()?.id();
    let viewer = Some(viewer).filter(|_| !reader.looks_into(conversation.id));
    core.store.history(viewer, conversation.id, &page).await
}
