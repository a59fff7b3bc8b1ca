//! What a plugin may ask of the hub: one module a capability.
//!
//! `config`, `log`, `clock`, `random` and `timers` are there for everybody. The others are declared in the manifest and granted by
//! an admin, and answer [`types::Error::Denied`] where they were not. In a test they ask the [`MockHub`](crate::mock::MockHub).

pub mod http;

use serde::{Serialize, de::DeserializeOwned};

use crate::Result;

#[cfg(target_arch = "wasm32")]
use crate::bindings::capabilities as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::mock::host;

/// The nouns that hooks and capabilities share.
pub mod types {
    pub use crate::bindings::capabilities::types::*;

    /// A role in the workspace as configurations spell it: `moderator`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum RoleName {
        Owner,
        Admin,
        Moderator,
        Member,
        Bot,
    }

    impl From<RoleName> for WorkspaceRole {
        fn from(name: RoleName) -> Self {
            match name {
                RoleName::Owner => Self::Owner,
                RoleName::Admin => Self::Admin,
                RoleName::Moderator => Self::Moderator,
                RoleName::Member => Self::Member,
                RoleName::Bot => Self::Bot,
            }
        }
    }

    impl Message {
        /// What it says; nothing where it is encrypted.
        pub fn text(&self) -> &str {
            self.body.text()
        }
    }

    impl Body {
        /// What it says; nothing where it is encrypted.
        pub fn text(&self) -> &str {
            match self {
                Self::Plain(text) => text,
                Self::Encrypted => "",
            }
        }
    }

    impl Refusal {
        /// A code for programs (`WORD_NOT_ALLOWED`) and a reason for people.
        pub fn new(code: impl Into<String>, reason: impl Into<String>) -> Self {
            Self { code: code.into(), reason: reason.into() }
        }
    }
}

/// The plugin's own data, key by key; values are anything that serde knows, kept as JSON.
pub mod kv {
    use std::convert::Infallible;

    use super::{DeserializeOwned, Result, Serialize, host};
    use crate::bindings::capabilities::kv::Entry;

    /// What stands under a key.
    pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
        read(host::kv::get(key)?.as_deref())
    }

    /// The same for up to 1,000 keys in one call, in their order.
    pub fn get_many<T: DeserializeOwned>(keys: &[String]) -> Result<Vec<Option<T>>> {
        host::kv::get_many(keys)?.iter().map(|value| read(value.as_deref())).collect()
    }

    /// Everything under keys that begin with `prefix`, in the order of the keys.
    pub fn scan<T: DeserializeOwned>(prefix: &str) -> Result<Vec<(String, T)>> {
        let mut found: Vec<(String, T)> = Vec::new();
        loop {
            let (entries, has_more) = scan_page(prefix, found.last().map(|(key, _)| key.as_str()), 100)?;
            found.extend(entries);
            if !has_more {
                return Ok(found);
            }
        }
    }

    /// The first entries under each of up to 100 prefixes in one call, at most `limit` (1 to 100) of each. None of the prefixes
    /// may be the beginning of another.
    pub fn scan_many<T: DeserializeOwned>(prefixes: &[String], limit: u32) -> Result<Vec<Vec<(String, T)>>> {
        let entry = |entry: Entry| Ok((entry.key, serde_json::from_slice(&entry.value)?));
        let pages = host::kv::scan_many(prefixes, limit)?.into_iter();
        pages.map(|page| page.entries.into_iter().map(entry).collect()).collect()
    }

    /// A part of it: at most `limit` (1 to 100) behind the key `after`, and whether there is more. It may be less than that where
    /// values are large.
    pub fn scan_page<T: DeserializeOwned>(
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(Vec<(String, T)>, bool)> {
        let page = host::kv::scan(prefix, after, limit)?;
        let entries = page.entries.into_iter().map(|entry| Ok((entry.key, serde_json::from_slice(&entry.value)?)));
        Ok((entries.collect::<Result<_>>()?, page.has_more))
    }

    /// Puts a value under a key, whatever was there.
    pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<()> {
        Ok(host::kv::set(key, &serde_json::to_vec(value)?, None)?)
    }

    /// The same, for so many seconds.
    pub fn set_for<T: Serialize + ?Sized>(key: &str, value: &T, seconds: u32) -> Result<()> {
        Ok(host::kv::set(key, &serde_json::to_vec(value)?, Some(seconds))?)
    }

    /// Puts what `change` makes of what is there now, and answers it. If somebody else changes it before the outcome of the
    /// hook is committed, the hook runs again: nothing is lost between the two.
    pub fn update<T: Serialize + DeserializeOwned>(
        key: &str,
        expires_in_seconds: Option<u32>,
        change: impl FnOnce(Option<T>) -> T,
    ) -> Result<T> {
        let value = try_update(key, expires_in_seconds, |there| Ok::<_, Infallible>(change(there)))?;
        Ok(value.unwrap_or_else(|never| match never {}))
    }

    /// The same where `change` may say no: then nothing is changed, and what it says is answered. What it decides holds when
    /// the outcome of the hook is committed, also where it puts back what was there.
    pub fn try_update<T: Serialize + DeserializeOwned, E>(
        key: &str,
        expires_in_seconds: Option<u32>,
        change: impl FnOnce(Option<T>) -> Result<T, E>,
    ) -> Result<Result<T, E>> {
        let there = host::kv::get(key)?;
        let value = match change(read(there.as_deref())?) {
            Ok(value) => value,
            Err(no) => return Ok(Err(no)),
        };
        // What was read is what is compared, so that only the commit can say no, and then the hook runs again.
        host::kv::compare_and_set(key, there.as_deref(), &serde_json::to_vec(&value)?, expires_in_seconds)?;
        Ok(Ok(value))
    }

    /// Adds to a number and answers what it will be. What others add meanwhile is never lost and never a reason to run again.
    /// The seconds count from when the number was made.
    pub fn increment(key: &str, by: i64, expires_in_seconds: Option<u32>) -> Result<i64> {
        Ok(host::kv::increment(key, by, expires_in_seconds)?)
    }

    /// Takes a key away.
    pub fn delete(key: &str) -> Result<()> {
        Ok(host::kv::delete(key)?)
    }

    fn read<T: DeserializeOwned>(value: Option<&[u8]>) -> Result<Option<T>> {
        Ok(value.map(serde_json::from_slice).transpose()?)
    }
}

/// The plugin's configuration in this workspace. Hooks have it as `self`.
pub mod config {
    use super::{DeserializeOwned, Result, host};

    /// The configuration that is in force.
    pub fn get<T: DeserializeOwned>() -> Result<T> {
        Ok(serde_json::from_str(&text())?)
    }

    pub(crate) fn text() -> String {
        host::config::get()
    }
}

/// What the plugin has to say to the admins. Not the place for the words of messages.
pub mod log {
    use std::fmt::Display;

    use super::host;
    pub use crate::bindings::capabilities::log::Level;

    /// For whoever looks for a fault.
    pub fn debug(words: impl Display) {
        host::log::write(Level::Debug, &words.to_string());
    }

    /// Worth knowing.
    pub fn info(words: impl Display) {
        host::log::write(Level::Info, &words.to_string());
    }

    /// Should not be so.
    pub fn warn(words: impl Display) {
        host::log::write(Level::Warn, &words.to_string());
    }

    /// Went wrong.
    pub fn error(words: impl Display) {
        host::log::write(Level::Error, &words.to_string());
    }
}

/// What time it is, in milliseconds since 1970.
pub mod clock {
    pub use super::host::clock::now;
}

/// What nobody can foresee.
pub mod random {
    pub use super::host::random::{bytes, number};
}

/// Times at which the plugin wants to be called that only it knows.
pub mod timers {
    pub use super::host::timers::run_at;
}

/// Messages of the workspace, and new ones by the plugin's bot user.
pub mod messages {
    pub use super::host::messages::{get, get_many, history, post};
    use super::{Result, types::MessageKind};
    pub use crate::bindings::capabilities::messages::{HistoryPage, HistoryWindow, NewMessage};

    /// Sends a message of these words, as an effect, and answers the id that it will have.
    pub fn say(conversation: &str, words: impl Into<String>) -> Result<String> {
        let (conversation, kind) = (conversation.to_owned(), MessageKind::Text);
        Ok(post(&NewMessage { conversation, kind, body: words.into(), metadata: None, reply_to: None })?)
    }
}

/// Conversations and who is in them.
pub mod conversations {
    pub use super::host::conversations::{find, get, members as members_page, membership};
    use super::{Result, types::Member};
    pub use crate::bindings::capabilities::conversations::{ConversationFilter, ConversationsPage, MembersPage};

    /// All who are in a conversation, in the order of their ids.
    pub fn members(conversation: &str) -> Result<Vec<Member>> {
        let mut found: Vec<Member> = Vec::new();
        loop {
            let page = members_page(conversation, found.last().map(|member| member.user.id.as_str()), 500)?;
            found.extend(page.members);
            if !page.has_more {
                return Ok(found);
            }
        }
    }
}

/// The people of the workspace.
pub mod users {
    pub use super::host::users::{get, get_many, search};
}

/// What the plugin attaches to messages: anything that serde knows.
pub mod annotations {
    use super::{DeserializeOwned, Result, Serialize, host};

    /// The plugin's own, on a message.
    pub fn get<T: DeserializeOwned>(message: &str) -> Result<Option<T>> {
        Ok(host::annotations::get(message)?.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// The same for up to 100 messages in one call, in their order.
    pub fn get_many<T: DeserializeOwned>(messages: &[String]) -> Result<Vec<Option<T>>> {
        let read = |text: Option<String>| Ok(text.map(|text| serde_json::from_str(&text)).transpose()?);
        host::annotations::get_many(messages)?.into_iter().map(read).collect()
    }

    /// Puts it in place of what there was, as an effect.
    pub fn set<T: Serialize + ?Sized>(message: &str, value: &T) -> Result<u32> {
        Ok(host::annotations::set(message, &serde_json::to_string(value)?)?)
    }

    /// Takes it away, as an effect.
    pub fn remove(message: &str) -> Result<u32> {
        Ok(host::annotations::remove(message)?)
    }
}

/// Who is meant by a message.
pub mod mentions {
    pub use super::host::mentions::set;
    pub use crate::bindings::capabilities::mentions::Target;
}

/// News of the plugin's own.
pub mod notices {
    use super::{Result, Serialize, host};
    pub use crate::bindings::capabilities::notices::{Audience, Notice};

    /// Tells them, as an effect. `kind` is the plugin's own word for what it is about; the payload becomes a JSON object.
    pub fn send<T: Serialize + ?Sized>(audience: Audience, kind: &str, payload: &T) -> Result<u32> {
        let payload = serde_json::to_string(payload)?;
        Ok(host::notices::send(&Notice { audience, kind: kind.to_owned(), payload })?)
    }
}

/// Secrets that an admin has entrusted to the plugin, which refers to them and never sees them.
pub mod secrets {
    pub use super::host::secrets::{exists, sign};
}

/// Taking old messages away.
pub mod retention {
    pub use super::host::retention::{survey, survey_all, trim};
    pub use crate::bindings::capabilities::retention::{Due, Step};
}
