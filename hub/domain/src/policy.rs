//! Every number and switch that an admin may change, in one list.
//!
//! What a hub's configuration says is the default of its workspaces; each of them keeps only what differs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Rejection;

/// Hands the whole list to another macro, so that the API need not repeat it.
#[macro_export]
macro_rules! for_every_policy {
    ($macro:ident) => {
        $macro! {
            numbers {
                /// How many characters the body of a message may have. Characters, not bytes: a limit that a person can count.
                body_max_characters = 10_000, from 1 to 100_000;
                /// How many bytes the metadata of a message may have, written as JSON.
                metadata_max_bytes = 4_096, from 0 to 65_536;
                /// How long a message may be edited by its sender.
                edit_window_seconds = 900, from 0 to 31_536_000;
                /// How long a message may be deleted for everyone by its sender.
                delete_window_seconds = 3_600, from 0 to 31_536_000;
                /// How many people a group may have, its owner included.
                group_max_members = 100, from 2 to 100_000;
                /// How long «is typing» stands when nothing follows it.
                typing_ttl_seconds = 10, from 3 to 30;
                /// How far back a client that was away can catch up.
                event_retention_days = 30, from 1 to 3_650;
                /// How long somebody stays signed in without coming back.
                session_days = 30, from 1 to 365;
                /// How long a token is good before it must be refreshed.
                access_token_minutes = 15, from 1 to 1_440;
                /// How many characters a password needs.
                password_min_characters = 10, from 8 to 128;
                /// How long the link for a new password is good.
                password_reset_minutes = 60, from 5 to 10_080;
                /// How often somebody may give a wrong password within fifteen minutes.
                sign_in_attempts = 10, from 3 to 100;
                /// How long an invitation is good if nothing else is said.
                invitation_days = 7, from 1 to 365;
            }
            switches {
                /// Whether messages are kept for good: nobody deletes one for everyone.
                messages_are_kept = false;
                /// Whether conversations are kept for good: they are archived and never deleted.
                conversations_are_kept = false;
                /// Whether members may open conversations about something outside of the hub, or only admins and bots.
                context_for_members = true;
            }
        }
    };
}

macro_rules! define {
    (
        numbers { $($(#[$doc:meta])* $name:ident = $default:literal, from $low:literal to $high:literal;)* }
        switches { $($(#[$switch_doc:meta])* $switch:ident = $off_or_on:literal;)* }
    ) => {
        /// The limits of a workspace.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Policy {
            $($(#[$doc])* pub $name: u64,)*
            $($(#[$switch_doc])* pub $switch: bool,)*
        }

        /// What a workspace has that is not the default. What a newer program wrote is passed over.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct PolicyChanges {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<u64>,)*
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $switch: Option<bool>,)*
        }

        impl Default for Policy {
            fn default() -> Self {
                Policy { $($name: $default,)* $($switch: $off_or_on,)* }
            }
        }

        impl Policy {
            /// The first number that is out of its bounds.
            pub fn check(&self) -> Result<(), Rejection> {
                $(if !($low..=$high).contains(&self.$name) {
                    return Err(Rejection::OutOfBounds { field: stringify!($name), value: self.$name, low: $low, high: $high });
                })*
                Ok(())
            }

            /// This policy with these changes.
            pub fn with(&self, changes: &PolicyChanges) -> Self {
                Policy {
                    $($name: changes.$name.unwrap_or(self.$name),)*
                    $($switch: changes.$switch.unwrap_or(self.$switch),)*
                }
            }
        }

        impl PolicyChanges {
            /// These changes, and on top of them those.
            #[must_use]
            pub fn and(self, more: PolicyChanges) -> Self {
                PolicyChanges { $($name: more.$name.or(self.$name),)* $($switch: more.$switch.or(self.$switch),)* }
            }
        }
    };
}

for_every_policy!(define);

impl Policy {
    pub fn typing_ttl(&self) -> Duration {
        Duration::from_secs(self.typing_ttl_seconds)
    }

    pub fn edit_window(&self) -> Duration {
        Duration::from_secs(self.edit_window_seconds)
    }

    pub fn delete_window(&self) -> Duration {
        Duration::from_secs(self.delete_window_seconds)
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
        let refused = policy.check().unwrap_err();
        assert_eq!(refused.to_string(), "typing_ttl_seconds is 31; it must be from 3 to 30");
        assert_eq!(refused.code().as_str(), "INVALID");
    }

    #[test]
    fn what_differs_stands_before_the_default_and_the_later_before_the_earlier() {
        let first = PolicyChanges { edit_window_seconds: Some(1), messages_are_kept: Some(true), ..Default::default() };
        let second = PolicyChanges { edit_window_seconds: Some(2), ..Default::default() };
        let policy = Policy::default().with(&first.and(second));
        assert_eq!((policy.edit_window_seconds, policy.messages_are_kept), (2, true));
        assert_eq!(policy.delete_window_seconds, Policy::default().delete_window_seconds);
    }
}
