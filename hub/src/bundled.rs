//! What comes with the hub: plugins, of which it knows none by name (what they are and want stands in their manifests), and what
//! more of them are written with.

/// Their packages.
pub static PACKAGES: &[&[u8]] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The SDK: its files, and a lock file for a crate that depends on it.
pub static SDK: (&[(&str, &str)], &str) = include!(concat!(env!("OUT_DIR"), "/sdk.rs"));
