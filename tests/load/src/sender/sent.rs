//! What became of what was sent, and whether it is what the hub has.

use std::{collections::HashMap, sync::Arc};

use crate::{Result, latencies::Latencies, report::Report, rooms::Room, wire::shown};

/// What became of what was sent.
#[derive(Debug, Default)]
pub struct Sent {
    pub latencies: Latencies,
    /// The sequence numbers that were acknowledged, by the room's id.
    sequences: HashMap<String, Vec<u64>>,
    pub(super) refused: u64,
    pub(super) unanswered: u64,
    pub(super) backwards: u64,
    complaint: Option<String>,
}

impl Sent {
    pub(super) fn acknowledge(&mut self, room: &str, sequence: u64) {
        match self.sequences.get_mut(room) {
            Some(sequences) => sequences.push(sequence),
            None => drop(self.sequences.insert(room.to_owned(), vec![sequence])),
        }
    }

    pub(super) fn refuse(&mut self, answer: &[u8]) {
        self.refused += 1;
        self.complaint.get_or_insert_with(|| shown(answer));
    }

    pub(super) fn lost_answer(&mut self, why: &str) {
        self.unanswered += 1;
        self.complaint.get_or_insert_with(|| why.to_owned());
    }

    pub fn merge(&mut self, other: Sent) {
        self.latencies.append(other.latencies);
        self.refused += other.refused;
        self.unanswered += other.unanswered;
        self.backwards += other.backwards;
        self.complaint = self.complaint.take().or(other.complaint);
        for (room, mut sequences) in other.sequences {
            self.sequences.entry(room).or_default().append(&mut sequences);
        }
    }

    pub fn acknowledged(&self) -> u64 {
        self.sequences.values().map(|sequences| sequences.len() as u64).sum()
    }

    /// Holds what was acknowledged against what the rooms have now: each number once, and none beside.
    pub async fn verify(mut self, rooms: &[Arc<Room>], report: &mut Report) -> Result<()> {
        report.figure("messages_in_all", self.acknowledged() as f64);
        let (mut lost, mut doubled, mut unasked) = (0, 0, 0);
        for room in rooms {
            let mut sequences = self.sequences.remove(&room.id).unwrap_or_default();
            let count = sequences.len();
            sequences.sort_unstable();
            sequences.dedup();
            doubled += (count - sequences.len()) as u64;
            let last = room.last_sequence().await?;
            let stored = sequences.iter().filter(|sequence| (room.before + 1..=last).contains(sequence)).count() as u64;
            lost += sequences.len() as u64 - stored;
            unasked += (last - room.before).saturating_sub(stored);
        }
        report.fault("messages were refused", self.refused, self.complaint.clone());
        report.fault("messages or lanes had no answer", self.unanswered, self.complaint);
        report.fault("messages took a number before that of an earlier one", self.backwards, None);
        report.fault("acknowledged messages are not stored", lost, None);
        report.fault("numbers were given to two messages", doubled, None);
        // What had no answer may be stored all the same.
        report.fault("messages are stored that nobody sent", unasked.saturating_sub(self.unanswered), None);
        Ok(())
    }
}
