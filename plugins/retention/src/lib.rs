//! Takes messages away that are old: hides them from everybody first, and takes them away for good some days later.
//!
//! What is old the plugin decides, and the hub takes it away, in pieces that nobody waits for, and never what is on legal hold.

mod fields;
mod looking;
mod rules;
#[cfg(test)]
mod tests;

use jackfield_plugin::prelude::*;

/// What an admin configures.
#[data]
#[serde(default)]
pub struct Retention {
    days: u32,
    grace_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 30, grace_days: 7 }
    }
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The moment so many days ago.
fn days_ago(days: u32) -> i64 {
    clock::now() - i64::from(days) * DAY_MS
}
