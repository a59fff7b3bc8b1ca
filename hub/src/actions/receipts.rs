//! Marking what has come and what was read, who has it, and what is new to somebody.

use std::collections::{BTreeMap, HashMap, HashSet};

use jackfield_domain::{
    ConversationId, MessageId, Rejection, Timestamp, UserId,
    messages::Message,
    pages::{Direction, Page, Slice},
    receipts::{Reach, Receipt, ReceiptKind, Recipients, Unread, is_for},
};

use super::{Core, Reader, Viewer};
use crate::{
    Result,
    store::{AdvanceReceipts, Mark, Standing},
};

/// In more conversations than this nothing is counted: nobody reads so far down.
const COUNTED: usize = 1_000;

/// Marks everything up to the highest of these messages in each of their conversations; answers how many messages of
/// others that added. What the viewer does not see, or no more, is passed over, unless there is nothing else.
pub async fn mark(core: &Core, viewer: &Viewer, kind: ReceiptKind, messages: &[MessageId]) -> Result<u64> {
    let found = core.store.messages_for(viewer.id(), messages).await?;
    if found.is_empty() {
        return Err(Rejection::NotFound { what: "message", field: "messageIds" }.into());
    }
    let mut marks: BTreeMap<ConversationId, i64> = BTreeMap::new();
    for message in found {
        let highest = marks.entry(message.conversation).or_default();
        *highest = message.sequence.max(*highest);
    }
    let places: Vec<ConversationId> = marks.keys().copied().collect();
    let standing = core.store.standing(viewer.id(), &places).await?;
    advance(core, viewer, kind, marks, &standing).await
}

/// Marks a conversation as read up to a place in its sequence, or all of it.
pub async fn mark_read_up_to(
    core: &Core,
    viewer: &Viewer,
    conversation: ConversationId,
    up_to: Option<i64>,
) -> Result<u64> {
    let standing = core.store.standing(viewer.id(), &[conversation]).await?;
    if standing.is_empty() {
        return Err(Rejection::NotFound { what: "conversation", field: "conversationId" }.into());
    }
    let marks = BTreeMap::from([(conversation, up_to.unwrap_or(i64::MAX))]);
    advance(core, viewer, ReceiptKind::Read, marks, &standing).await
}

async fn advance(
    core: &Core,
    viewer: &Viewer,
    kind: ReceiptKind,
    marks: BTreeMap<ConversationId, i64>,
    standing: &[Standing],
) -> Result<u64> {
    // Clients mark the same again and again. What is there already is seen without waiting for a turn to write; a pointer
    // only goes forward, so that nothing can make this wrong.
    let ahead = standing.iter().filter_map(|standing| {
        let up_to = *marks.get(&standing.conversation)?;
        let mut pointers = standing.pointers;
        Some((*standing, pointers.advance(kind, up_to, standing.head)?))
    });
    let ahead: Vec<_> = ahead.collect();
    if ahead.is_empty() {
        return Ok(0);
    }
    let own = core.store.own_within(&ahead).await?;
    let marks = ahead.into_iter().zip(own);
    let marks = marks
        .map(|((standing, range), own)| Mark { conversation: standing.conversation, range, own, trims: standing.trims })
        .collect();
    let (workspace, user, at) = (viewer.workspace(), viewer.id(), core.clock.now());
    let of_others = core.store.change(AdvanceReceipts { workspace, user, at, kind, marks }).await?;
    Ok(of_others.unsigned_abs())
}

/// What became of a message that the reader was shown with those whom it is for.
pub async fn of_message(
    core: &Core,
    message: &Message,
    recipients: Recipients,
    page: &Page<UserId>,
) -> Result<Slice<Receipt>> {
    core.store.receipts(message, recipients, page).await
}

/// Which message it is, where it stands, and who sent it when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    pub conversation: ConversationId,
    pub sequence: i64,
    pub sender: UserId,
    pub at: Timestamp,
}

impl From<&Message> for Place {
    fn from(message: &Message) -> Self {
        let Message { conversation, sequence, sender, created_at: at, .. } = *message;
        Place { conversation, sequence, sender, at }
    }
}

/// How far these messages, which the reader was shown, have come.
pub async fn reached(core: &Core, places: &[Place]) -> Result<HashMap<Place, Reach>> {
    let conversations: HashSet<ConversationId> = places.iter().map(|place| place.conversation).collect();
    let conversations: Vec<ConversationId> = conversations.into_iter().collect();
    let mut members: HashMap<ConversationId, Vec<Standing>> = HashMap::new();
    for standing in core.store.standings(&conversations).await? {
        members.entry(standing.conversation).or_default().push(standing);
    }
    let reach = |place: &Place| {
        let here = members.get(&place.conversation).into_iter().flatten();
        let recipients = here.filter(|member| is_for(place.sender, place.at, member.user, member.joined_at));
        Reach::of(place.sequence, recipients.map(|member| member.pointers))
    };
    Ok(places.iter().map(|place| (*place, reach(place))).collect())
}

/// What is new to the viewer in these conversations.
pub async fn unread(core: &Core, viewer: &Viewer, conversations: &[ConversationId]) -> Result<Vec<Unread>> {
    core.store.unread(viewer.id(), conversations).await
}

/// The last message of each of these conversations, as the reader sees it.
pub async fn last_messages(core: &Core, reader: &Reader, conversations: &[ConversationId]) -> Result<Vec<Message>> {
    let viewer = reader.viewer()?;
    let (looked_into, own): (Vec<_>, Vec<_>) = conversations.iter().copied().partition(|id| reader.looks_into(*id));
    let mut found = core.store.last_messages(viewer.id(), &own).await?;
    for conversation in looked_into {
        let last = Page { direction: Direction::Backward, size: 1, from: None };
        found.extend(core.store.history(None, conversation, &last).await?.items);
    }
    Ok(found)
}

/// All that is new to somebody.
#[derive(Debug, Clone)]
pub struct AllUnread {
    /// Where there is something new, the last active first.
    pub conversations: Vec<Unread>,
    /// Whether this is all there is.
    pub is_complete: bool,
}

/// All that is new to the viewer, in a thousand conversations at the most.
pub async fn all_unread(core: &Core, viewer: &Viewer) -> Result<AllUnread> {
    let mut conversations = core.store.all_unread(viewer.id(), COUNTED as u64 + 1).await?;
    let is_complete = conversations.len() <= COUNTED;
    conversations.truncate(COUNTED);
    // Where the viewer has deleted for themselves all that came since, nothing is new.
    conversations.retain(|unread| unread.count > 0);
    Ok(AllUnread { conversations, is_complete })
}
