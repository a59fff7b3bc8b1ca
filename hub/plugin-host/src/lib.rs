//! Runs plugins: the only crate that knows wasmtime.
//!
//! A [`Package`] is read and checked, a [`PluginHost`] compiles it (in a child process) to a [`Module`], and asks it: one
//! question is a type in [`hooks`], its answer comes as an [`Outcome`] with all that the plugin issued meanwhile. Nothing
//! is stored here. What plugins may ask of the hub in turn, the hub implements as a [`Bridge`].

mod bridge;
mod cache;
mod capabilities;
mod chain;
mod compile;
mod configuration;
mod convert;
mod engine;
pub mod hooks;
mod host;
pub mod json;
mod live;
mod load;
pub mod manifest;
mod package;
mod run;
mod wit;

pub use bridge::{Answer, Bridge, Caller, ConversationFilter, Membership, Page, Unavailable, WholeMessage, Window};
pub use cache::Cache;
pub use chain::{Asked, Chain, Decision, Deed, Link, Step, note_failure};
pub use compile::{CompileError, Compiler, child_main};
pub use configuration::Configurations;
pub use engine::Allocation;
pub use host::{Failure, Measures, Occasion, Outcome, Plugin, PluginHost, Reuse, Settings, StartError, longest};
pub use live::Module;
pub use load::LoadError;
pub use manifest::{Manifest, ManifestError, SecretWish, Wish};
pub use package::{CONTRACT, PACKAGE_MAX_BYTES, Package, PackageError};
pub use run::Grants;
