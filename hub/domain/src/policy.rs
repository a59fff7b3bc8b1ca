//! Every number that an admin may one day change, in one place.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of a workspace. What a hub's configuration says is the default of its workspaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Characters, not bytes: a limit that a person can count.
    pub body_max_characters: usize,
    /// How many people a group may have, its owner included.
    pub group_max_members: usize,
    /// How long «is typing» stands when nothing follows it.
    pub typing_ttl_seconds: u64,
    /// How far back a client that was away can catch up.
    pub event_retention_days: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { body_max_characters: 10_000, group_max_members: 100, typing_ttl_seconds: 10, event_retention_days: 30 }
    }
}

impl Policy {
    /// The first number that is out of its bounds, in words.
    pub fn check(&self) -> Result<(), String> {
        let bounds = [
            ("body_max_characters", self.body_max_characters as u64, 1, 100_000),
            ("group_max_members", self.group_max_members as u64, 2, 100_000),
            ("typing_ttl_seconds", self.typing_ttl_seconds, 3, 30),
            ("event_retention_days", self.event_retention_days, 1, 3_650),
        ];
        match bounds.into_iter().find(|(_, value, low, high)| value < low || value > high) {
            None => Ok(()),
            Some((name, value, low, high)) => Err(format!("policy.{name} is {value}; it must be from {low} to {high}")),
        }
    }

    pub fn typing_ttl(&self) -> Duration {
        Duration::from_secs(self.typing_ttl_seconds)
    }

    pub fn event_retention(&self) -> Duration {
        Duration::from_secs(self.event_retention_days * 24 * 60 * 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_out_of_bounds_is_named() {
        assert_eq!(Policy::default().check(), Ok(()));
        let policy = Policy { typing_ttl_seconds: 31, ..Policy::default() };
        assert_eq!(policy.check(), Err("policy.typing_ttl_seconds is 31; it must be from 3 to 30".to_owned()));
    }
}
