//! How much a plugin may take, in one list. A manifest may lower these, an admin may raise them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $default:literal, from $low:literal to $high:literal;)*) => {
        /// How much a plugin may take.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Limits {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// What is different for one plugin.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct LimitChanges {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<u64>,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Limits { $($name: $default,)* }
            }
        }

        impl Limits {
            /// These limits as a manifest wants them: it may ask for less and not for more.
            pub fn lowered(self, changes: &LimitChanges) -> Result<Self, OutOfLimits> {
                Ok(Limits { $($name: within(stringify!($name), changes.$name, self.$name, $low, self.$name)?,)* })
            }

            /// These limits, and no more than those.
            #[must_use]
            pub fn capped(self, by: &LimitChanges) -> Self {
                Limits { $($name: self.$name.min(by.$name.unwrap_or(u64::MAX)),)* }
            }

            /// These limits as an admin wants them.
            pub fn changed(self, changes: &LimitChanges) -> Result<Self, OutOfLimits> {
                Ok(Limits { $($name: within(stringify!($name), changes.$name, self.$name, $low, $high)?,)* })
            }
        }
    };
}

limits! {
    /// How large the memory of an instance may grow.
    memory_bytes = 33_554_432, from 65_536 to 268_435_456;
    /// How long a before-hook may keep the processor busy.
    before_cpu_ms = 5, from 1 to 1_000;
    /// How long a before-hook may take on the clock.
    before_wall_ms = 50, from 1 to 5_000;
    /// How long a call may take that nobody's request waits in line for: events, commands, the plugin's own life.
    after_ms = 5_000, from 10 to 60_000;
    /// How long one slice of scheduled work may take.
    schedule_ms = 30_000, from 10 to 300_000;
    /// How large a value of its own data may be.
    value_bytes = 65_536, from 1 to 1_048_576;
    /// How much of its own data it may keep in a workspace.
    storage_bytes = 10_485_760, from 0 to 1_073_741_824;
    /// How much it may log in one call.
    log_bytes = 65_536, from 0 to 1_048_576;
    /// How much it may hand over in one call, its answer included.
    output_bytes = 1_048_576, from 1_024 to 16_777_216;
    /// How often it may call the hub in one call.
    host_calls = 10_000, from 1 to 1_000_000;
    /// How many effects one call may have.
    effects = 1_000, from 0 to 10_000;
}

/// A limit that nobody may set so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; it must be from {low} to {high}")]
pub struct OutOfLimits {
    pub field: &'static str,
    pub value: u64,
    pub low: u64,
    pub high: u64,
}

fn within(field: &'static str, wanted: Option<u64>, now: u64, low: u64, high: u64) -> Result<u64, OutOfLimits> {
    match wanted {
        None => Ok(now),
        Some(value) if (low..=high).contains(&value) => Ok(value),
        Some(value) => Err(OutOfLimits { field, value, low, high }),
    }
}

/// How long all before-hooks together may keep somebody waiting, unless whoever runs the hub says otherwise.
pub const CHAIN_WALL: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_lowers_and_an_admin_raises() {
        let usual = Limits::default();
        let wants = |memory_bytes| LimitChanges { memory_bytes: Some(memory_bytes), ..LimitChanges::default() };
        assert_eq!(usual.lowered(&LimitChanges::default()), Ok(usual));
        assert_eq!(usual.lowered(&wants(1 << 20)).map(|limits| limits.memory_bytes), Ok(1 << 20));
        assert_eq!(usual.lowered(&wants(64 << 20)).map_err(|refused| refused.high), Err(32 << 20));
        assert_eq!(usual.changed(&wants(64 << 20)).map(|limits| limits.memory_bytes), Ok(64 << 20));
        assert_eq!(usual.changed(&wants(1 << 30)).map_err(|refused| refused.field), Err("memory_bytes"));
        assert!(usual.changed(&wants(1)).is_err());
        assert_eq!(usual.capped(&wants(64 << 20)), usual);
        assert_eq!(usual.capped(&wants(1 << 20)).memory_bytes, 1 << 20);
    }
}
