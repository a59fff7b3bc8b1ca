//! The plugins that come with the hub, which knows none of them by name: what they are and want stands in their manifests.

/// Their packages.
pub static PACKAGES: &[&[u8]] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
