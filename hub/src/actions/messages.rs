//! Sending and reading messages.

use std::sync::Arc;

use jackfield_domain::{
    MessageId, Timestamp,
    conversations::Conversation,
    messages::{CheckedMessage, Message, MessageDraft},
    pages::{Direction, Page, Slice},
};

use super::{Core, Reader, Viewer, memory, typing};
use crate::{
    Result,
    store::{Outgoing, Sent},
};

/// Sends a message: the words are checked, then all the rest is decided and stored in one transaction. When this
/// returns, the message is in the store and its event in the log.
pub async fn send(core: &Arc<Core>, viewer: &Viewer, draft: MessageDraft) -> Result<Sent> {
    let known = memory::workspace(core, viewer.workspace()).await?;
    let message = CheckedMessage::check(draft, &known.policy)?;
    let conversation = message.conversation();
    let id = MessageId(core.clock.new_id());
    let outgoing = Outgoing { id, workspace: viewer.workspace(), sender: viewer.id(), at: core.clock.now(), message };
    let sent = core.store.send(outgoing).await?;
    // Who has sent has stopped typing; whoever listens need not wait until it lapses.
    typing::lapse(core, viewer, conversation);
    Ok(sent)
}

/// These messages, as far as the reader takes part in their conversations.
pub async fn visible(core: &Core, reader: &Reader, ids: &[MessageId]) -> Result<Vec<Message>> {
    match reader {
        Reader::Nobody => Ok(Vec::new()),
        Reader::Viewer(viewer) => core.store.messages_for(viewer.id(), ids).await,
        Reader::Audience { conversation, .. } => {
            let mut messages = core.store.messages(ids).await?;
            messages.retain(|message| Some(message.conversation) == *conversation);
            Ok(messages)
        }
    }
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

/// A part of the history of a conversation that the reader was shown.
pub async fn history(core: &Core, conversation: &Conversation, start: HistoryStart) -> Result<Slice<Message>> {
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
    core.store.history(conversation.id, &page).await
}
