//! Old messages that are taken away: hidden from everybody first, gone for good later, and never while they are on hold.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::{ConversationId, LegalHoldId, Timestamp, UserId, WorkspaceId, roles::words};

words! {
    /// How far messages are taken away.
    TrimStep {
        /// Nobody sees them any more, and they are still there.
        Hide = "hide",
        /// Those that were hidden are gone for good.
        Purge = "purge",
    }
}

/// A stretch of a conversation's history that is looked through for what is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub conversation: ConversationId,
    pub step: TrimStep,
    /// To be hidden is what was sent at this moment or earlier, and to be purged what was hidden at this moment or earlier.
    pub until: Timestamp,
    /// It begins behind this place in the sequence.
    pub after: i64,
    /// At most so many messages are looked at.
    pub limit: u32,
}

/// Takes away what is due in a stretch: so many messages, as it was when somebody looked. Where it is something else by the time when
/// it is to be done, they have to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trim {
    pub stretch: Stretch,
    pub count: u32,
}

/// A message as it is looked at: its place, who sent it, and since when it is there, or hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Old {
    pub sequence: i64,
    pub sender: UserId,
    pub since: Timestamp,
}

/// What was found in a stretch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The places of those that are to be taken away.
    pub due: Vec<i64>,
    /// The places of those among them that stay.
    pub kept: Vec<i64>,
    pub sum: Due,
}

/// The same in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    pub count: u32,
    /// So many more are old enough, and on hold.
    pub held: u32,
    /// It was looked through up to here.
    pub through: i64,
    /// Whether there may be more behind that.
    pub has_more: bool,
}

impl Stretch {
    /// Decides about messages in the order of their places; one more than the limit says that there is more.
    pub fn look(&self, messages: &[Old], on_hold: &OnHold) -> Found {
        let limit = self.limit as usize;
        let mut found = Found { sum: Due { through: self.after, ..Due::default() }, ..Found::default() };
        found.sum.has_more = messages.len() > limit;
        for message in messages.iter().take(limit) {
            let is_old = message.since <= self.until;
            if !is_old && self.step == TrimStep::Hide {
                // Within a conversation time never runs backwards: what follows is younger still.
                found.sum.has_more = false;
                break;
            }
            found.sum.through = message.sequence;
            if is_old && !on_hold.covers(self.conversation, message.sender) {
                found.due.push(message.sequence);
                found.sum.count += 1;
            } else {
                found.kept.push(message.sequence);
                found.sum.held += u32::from(is_old);
            }
        }
        found
    }
}

/// An order that messages are kept, whoever else would take them away because they are old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    pub id: LegalHoldId,
    pub workspace: WorkspaceId,
    pub target: HoldTarget,
    pub reason: String,
    pub creator: UserId,
    pub created_at: Timestamp,
}

/// Which messages are on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldTarget {
    /// All that were said in a conversation.
    Conversation(ConversationId),
    /// All that somebody has sent.
    User(UserId),
}

/// All that is on hold in a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnHold {
    conversations: HashSet<ConversationId>,
    users: HashSet<UserId>,
}

impl OnHold {
    pub fn covers(&self, conversation: ConversationId, sender: UserId) -> bool {
        self.conversations.contains(&conversation) || self.users.contains(&sender)
    }
}

impl FromIterator<HoldTarget> for OnHold {
    fn from_iter<T: IntoIterator<Item = HoldTarget>>(holds: T) -> Self {
        let mut all = OnHold::default();
        for hold in holds {
            match hold {
                HoldTarget::Conversation(conversation) => drop(all.conversations.insert(conversation)),
                HoldTarget::User(user) => drop(all.users.insert(user)),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    fn place(number: u128) -> ConversationId {
        ConversationId(Uuid::from_u128(number))
    }

    fn look(step: TrimStep, limit: u32, since: &[i64], on_hold: &OnHold) -> (Vec<i64>, Vec<i64>, Due) {
        let stretch = Stretch { conversation: place(1), step, until: Timestamp(10), after: 0, limit };
        let messages = since.iter().zip(1..).map(|(since, sequence)| Old {
            sequence,
            sender: user(sequence.unsigned_abs().into()),
            since: Timestamp(*since),
        });
        let Found { due, kept, sum } = stretch.look(&messages.collect::<Vec<_>>(), on_hold);
        (due, kept, sum)
    }

    #[test]
    fn what_is_old_is_due_up_to_the_first_that_is_not() {
        let nobody = OnHold::default();
        let sum = |count, held, through, has_more| Due { count, held, through, has_more };
        assert_eq!(look(TrimStep::Hide, 5, &[1, 10, 11, 12], &nobody), (vec![1, 2], vec![], sum(2, 0, 2, false)));
        assert_eq!(look(TrimStep::Hide, 2, &[1, 2, 3], &nobody), (vec![1, 2], vec![], sum(2, 0, 2, true)));
        assert_eq!(look(TrimStep::Hide, 2, &[1, 2], &nobody), (vec![1, 2], vec![], sum(2, 0, 2, false)));
        assert_eq!(look(TrimStep::Hide, 2, &[11], &nobody), (vec![], vec![], sum(0, 0, 0, false)));
        assert_eq!(look(TrimStep::Hide, 2, &[], &nobody), (vec![], vec![], sum(0, 0, 0, false)));
        // What was on hold was hidden later than what stands behind it.
        assert_eq!(look(TrimStep::Purge, 5, &[11, 10], &nobody), (vec![2], vec![1], sum(1, 0, 2, false)));
    }

    #[test]
    fn what_is_on_hold_stays() {
        let sum = |count, held, through| Due { count, held, through, has_more: false };
        let second = [HoldTarget::User(user(2)), HoldTarget::Conversation(place(2))].into_iter().collect();
        for step in [TrimStep::Hide, TrimStep::Purge] {
            assert_eq!(look(step, 5, &[1, 2, 3], &second), (vec![1, 3], vec![2], sum(2, 1, 3)));
        }
        let all = [HoldTarget::User(user(2)), HoldTarget::Conversation(place(1))].into_iter().collect();
        assert_eq!(look(TrimStep::Hide, 5, &[1, 2, 3], &all), (vec![], vec![1, 2, 3], sum(0, 3, 3)));
    }
}
