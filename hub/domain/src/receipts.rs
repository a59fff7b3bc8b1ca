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

    /// How many messages of a range that begins behind the read pointer are somebody's own, who has sent so many since that
    /// pointer, up to the head. What was taken away from everybody counts as own.
    pub fn own_within(self, range: Advance, own_since_read: i64, head: i64) -> OwnWithin {
        let before = Advance { from: self.read, up_to: range.from };
        let behind = Advance { from: range.up_to, up_to: head };
        let beside = before.length() + behind.length();
        let (kept, counted_from) = match own_since_read {
            0 => (Some(0), vec![]),
            all if beside < range.length() => (Some(all), vec![before, behind]),
            _ => (None, vec![range]),
        };
        OwnWithin { kept, uncounted: counted_from.into_iter().filter(|part| part.length() > 0).collect() }
    }
}

impl Advance {
    pub fn length(self) -> i64 {
        self.up_to - self.from
    }
}

/// What is known without looking at any message of how many in a range are somebody's own. What was sent never changes its
/// place or its sender, so that it is the same whenever the rest is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnWithin {
    /// So many, less those that are uncounted; none where the uncounted are all there are.
    kept: Option<i64>,
    /// Where one's own have to be counted: in the range or in what is beside it, whichever is shorter.
    pub uncounted: Vec<Advance>,
}

impl OwnWithin {
    /// How many they are, with so many where they were uncounted.
    pub fn with(&self, counted: i64) -> i64 {
        self.kept.map_or(counted, |kept| kept - counted)
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
    fn ones_own_are_counted_on_the_shorter_side() {
        let range = |from, up_to| Advance { from, up_to };
        let pointers = Pointers { delivered: 30, read: 10 };
        let within = |from, up_to, own| pointers.own_within(range(from, up_to), own, 100);
        assert_eq!(within(10, 100, 7), OwnWithin { kept: Some(7), uncounted: vec![] }, "all of it is what is kept");
        assert_eq!(within(30, 90, 0), OwnWithin { kept: Some(0), uncounted: vec![] }, "there are none anywhere");
        assert_eq!(within(10, 40, 7), OwnWithin { kept: None, uncounted: vec![range(10, 40)] });
        assert_eq!(within(10, 80, 7), OwnWithin { kept: Some(7), uncounted: vec![range(80, 100)] });
        let beside = vec![range(10, 30), range(90, 100)];
        assert_eq!(within(30, 90, 7), OwnWithin { kept: Some(7), uncounted: beside });
        assert_eq!((within(10, 40, 7).with(2), within(10, 80, 7).with(2)), (2, 5));
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
