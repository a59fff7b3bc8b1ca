//! Jackfield, the hub.

// Each group of fields that is merged into `Query` or `Mutation` is a type around those before it.
#![recursion_limit = "256"]

pub mod actions;
pub mod blobs;
pub mod bundled;
pub mod bus;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod graphql;
pub mod http;
pub mod hub;
pub mod identity;
mod jobs;
pub mod outside;
pub mod plugin_bridge;
pub mod store;
pub mod traces;

pub use error::{Error, Result};

/// Chooses the one implementation of cryptography for every TLS connection of the process.
pub fn use_ring() {
    // Somebody who embeds the hub may have chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
