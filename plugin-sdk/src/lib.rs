//! Writes plugins for Jackfield.
//!
//! A plugin is a type whose fields are its configuration, and an `impl` block for each group of hooks that it takes part in:
//!
//! ```
//! use jackfield_plugin::prelude::*;
//!
//! #[data]
//! struct WordFilter {
//!     words: Vec<String>,
//! }
//!
//! #[plugin]
//! impl MessageHooks for WordFilter {
//!     fn before_create(&self, draft: MessageDraft) -> Result<MessageVerdict> {
//!         let text = draft.text().to_lowercase();
//!         Ok(match self.words.iter().find(|word| text.contains(*word)) {
//!             Some(word) => MessageVerdict::reject("WORD_NOT_ALLOWED", format!("«{word}» is not said here.")),
//!             None => MessageVerdict::Allow,
//!         })
//!     }
//! }
//!
//! // The same code, natively, on a hub of our own making:
//! let hub = MockHub::new();
//! hub.configure(json!({"words": ["darn"]}));
//! let (ann, tea) = hub.conversation_of("Ann");
//! let said = |text| hub.before::<WordFilter, _>(|plugin| plugin.before_create(hub.draft(&ann, &tea, text)));
//! assert_eq!(said("Well.").unwrap(), MessageVerdict::Allow);
//! assert!(matches!(said("Darn!").unwrap(), MessageVerdict::Reject(_)));
//! ```
//!
//! What it reads and does it reads and does through the functions of [`capabilities`]. `README.md` beside this goes
//! from nothing to a plugin in a running hub; `docs` has a page for each hook; the folder `wit` has the contract, which says when each hook runs, what
//! each answer causes, and who sees it.

#[doc(hidden)]
pub mod bindings;
pub mod capabilities;
mod failure;
#[cfg(doctest)]
mod guide;
#[cfg(not(target_arch = "wasm32"))]
pub mod harness;
pub mod hooks;
#[cfg(not(target_arch = "wasm32"))]
pub mod mock;

pub use failure::{Failure, Result};
pub use jackfield_plugin_macros::{data, plugin};
/// For what `data` writes.
#[doc(hidden)]
pub use serde;
pub use serde_json;

/// What a plugin uses, in one line.
pub mod prelude {
    pub use crate::{
        Failure, Result,
        capabilities::{
            annotations, clock, config, conversations, http, kv, log, mentions, messages, notices, random, retention,
            secrets, timers, types::*, users,
        },
        data,
        hooks::*,
        plugin,
    };
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::{harness::PluginHarness, mock::MockHub};
    pub use serde_json::{Value, json};
}
