//! Receipts: how far a conversation has come to somebody's devices, and how far they have read.
//!
//! A mark is a range of sequence numbers and not a row for each message and reader. Pointers only go forward.

use crate::{ConversationId, Timestamp, UserId, roles::words};

words! {
    /// What somebody has done with the messages up to a place.
    ReceiptKind {
        /// They have come to one of the user's devices.
        Delivered = "delivered",
        /// The user has read them.
        Read = "read",
    }
}

/// How far somebody has come in one conversation. Whoever has read something has it on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pointers {
    pub delivered: i64,
    pub read: i64,
}

/// What a mark adds: everything after `from`, up to and with `up_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    pub from: i64,
    pub up_to: i64,
}

impl Pointers {
    pub fn of(self, kind: ReceiptKind) -> i64 {
        match kind {
            ReceiptKind::Delivered => self.delivered,
            ReceiptKind::Read => self.read,
        }
    }

    /// Moves a pointer forward, at most to the head; none where it has been there already.
    pub fn advance(&mut self, kind: ReceiptKind, up_to: i64, head: i64) -> Option<Advance> {
        let (from, up_to) = (self.of(kind), up_to.min(head));
        if up_to <= from {
            return None;
        }
        self.delivered = self.delivered.max(up_to);
        if kind == ReceiptKind::Read {
            self.read = up_to;
        }
        Some(Advance { from, up_to })
    }
}

/// What became of one message with one of those whom it was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub user: UserId,
    pub delivered_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
}

/// Whose receipts of a message are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipients {
    /// All whom it is for.
    All,
    /// Those who have come so far.
    Reached(ReceiptKind),
}

/// How far a message has come with all whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Sent,
    Delivered,
    Read,
}

impl Reach {
    /// As far as with whoever is furthest behind of those whom the message with this number is for.
    pub fn of(sequence: i64, recipients: impl IntoIterator<Item = Pointers>) -> Self {
        let slowest = recipients.into_iter().reduce(|one, other| Pointers {
            delivered: one.delivered.min(other.delivered),
            read: one.read.min(other.read),
        });
        match slowest {
            Some(slowest) if slowest.read >= sequence => Reach::Read,
            Some(slowest) if slowest.delivered >= sequence => Reach::Delivered,
            _ => Reach::Sent,
        }
    }
}

/// Whether a message is for a member: whoever came later may read it, but it does not wait for them.
pub fn is_for(message_sender: UserId, message_at: Timestamp, member: UserId, joined_at: Timestamp) -> bool {
    member != message_sender && joined_at <= message_at
}

/// How many messages are new to somebody in one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    pub conversation: ConversationId,
    pub count: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_only_go_forward_and_not_beyond_the_head() {
        use ReceiptKind::{Delivered, Read};
        let mut pointers = Pointers::default();
        assert_eq!(pointers.advance(Delivered, 3, 9), Some(Advance { from: 0, up_to: 3 }));
        assert_eq!(pointers.advance(Delivered, 3, 9), None);
        assert_eq!(pointers.advance(Delivered, 2, 9), None);
        assert_eq!(pointers.advance(Read, 5, 9), Some(Advance { from: 0, up_to: 5 }));
        assert_eq!(pointers, Pointers { delivered: 5, read: 5 }, "what was read has come");
        assert_eq!(pointers.advance(Delivered, 99, 9), Some(Advance { from: 5, up_to: 9 }));
        assert_eq!(pointers.advance(Read, 4, 9), None);
        assert_eq!(pointers.advance(Read, -4, 9), None);
    }

    #[test]
    fn a_message_has_come_as_far_as_with_whoever_is_furthest_behind() {
        let pointers = |delivered, read| Pointers { delivered, read };
        let reach = |sequence| Reach::of(sequence, [pointers(9, 3), pointers(5, 5)]);
        assert_eq!([3, 4, 5, 6].map(reach), [Reach::Read, Reach::Delivered, Reach::Delivered, Reach::Sent]);
        assert_eq!(Reach::of(1, []), Reach::Sent, "nobody but the sender");
    }

    #[test]
    fn a_message_is_for_those_who_were_there_and_not_for_its_sender() {
        let (ann, bob) = (UserId(uuid::Uuid::from_u128(1)), UserId(uuid::Uuid::from_u128(2)));
        assert!(is_for(ann, Timestamp(5), bob, Timestamp(5)));
        assert!(!is_for(ann, Timestamp(5), bob, Timestamp(6)));
        assert!(!is_for(ann, Timestamp(5), ann, Timestamp(1)));
    }
}
