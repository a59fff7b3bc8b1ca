//! The capabilities as the hub for tests carries them out, with the signatures of the generated ones, in whose place they
//! stand where there is no WebAssembly.

pub mod http;

use super::hub;
use crate::bindings::capabilities::types::Error;

fn within(what: &str, count: usize, most: usize) -> Result<(), Error> {
    if count > most {
        Err(Error::Invalid(format!("{count} {what}, and at most {most} are taken at once")))
    } else {
        Ok(())
    }
}

fn is_json(text: &str) -> Result<(), Error> {
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop).map_err(|error| Error::Invalid(error.to_string()))
}

/// The first `limit` of what comes, and whether there is more.
fn page<T>(items: impl Iterator<Item = T>, limit: u32, most: u32) -> (Vec<T>, bool) {
    let limit = limit.clamp(1, most) as usize;
    let mut found: Vec<T> = items.take(limit + 1).collect();
    let has_more = found.len() > limit;
    found.truncate(limit);
    (found, has_more)
}

pub mod kv {
    use super::{Error, hub, page, within};
    use crate::bindings::capabilities::kv::{EntriesPage, Entry};

    const VALUE_MAX_BYTES: usize = 64 * 1024;

    fn check(key: &str) -> Result<(), Error> {
        if key.is_empty() || key.len() > 256 || key.chars().any(char::is_control) {
            return Err(Error::Invalid("a key has 1 to 256 bytes and no control characters".to_owned()));
        }
        Ok(())
    }

    fn check_value(value: &[u8]) -> Result<(), Error> {
        if value.len() > VALUE_MAX_BYTES { Err(Error::LimitReached("64 KiB a value".to_owned())) } else { Ok(()) }
    }

    pub fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
        check(key)?;
        hub(|state| state.granted("kv").map(|()| state.kept(key)))
    }

    pub fn get_many(keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        within("keys", keys.len(), 1_000)?;
        keys.iter().map(|key| get(key)).collect()
    }

    pub fn scan(prefix: &str, after: Option<&str>, limit: u32) -> Result<EntriesPage, Error> {
        hub(|state| {
            state.granted("kv")?;
            let keys =
                state.kv.keys().filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
            let entries = keys.filter_map(|key| Some(Entry { key: key.clone(), value: state.kept(key)? }));
            let (entries, has_more) = page(entries, limit, 100);
            Ok(EntriesPage { entries, has_more })
        })
    }

    pub fn scan_many(prefixes: &[String], limit: u32) -> Result<Vec<EntriesPage>, Error> {
        within("prefixes", prefixes.len(), 100)?;
        let is_within = |one: &String| prefixes.iter().filter(|other| one.starts_with(other.as_str())).count() > 1;
        if prefixes.iter().any(is_within) {
            return Err(Error::Invalid("one prefix is the beginning of another".to_owned()));
        }
        prefixes.iter().map(|prefix| scan(prefix, None, limit)).collect()
    }

    pub fn set(key: &str, value: &[u8], expires_in_seconds: Option<u32>) -> Result<(), Error> {
        check(key)?;
        check_value(value)?;
        hub(|state| {
            state.granted("kv")?;
            state.keep(key, value, expires_in_seconds);
            Ok(())
        })
    }

    pub fn compare_and_set(
        key: &str,
        expected: Option<&[u8]>,
        value: &[u8],
        expires_in_seconds: Option<u32>,
    ) -> Result<bool, Error> {
        let is_expected = get(key)?.as_deref() == expected;
        if is_expected {
            set(key, value, expires_in_seconds)?;
        }
        Ok(is_expected)
    }

    pub fn increment(key: &str, by: i64, expires_in_seconds: Option<u32>) -> Result<i64, Error> {
        let there = get(key)?;
        let number = match &there {
            None => Some(0),
            Some(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<i64>().ok()),
        };
        let number = number.ok_or_else(|| Error::Invalid("what stands there is no number".to_owned()))? + by;
        hub(|state| match state.kv.get_mut(key).filter(|_| there.is_some()) {
            Some((value, _)) => *value = number.to_string().into_bytes(),
            None => state.keep(key, number.to_string().as_bytes(), expires_in_seconds),
        });
        Ok(number)
    }

    pub fn delete(key: &str) -> Result<(), Error> {
        check(key)?;
        hub(|state| {
            state.granted("kv")?;
            state.kv.remove(key);
            Ok(())
        })
    }
}

pub mod config {
    use super::hub;

    pub fn get() -> String {
        hub(|state| state.configuration.to_string())
    }
}

pub mod log {
    use super::hub;
    use crate::bindings::capabilities::log::Level;

    pub fn write(level: Level, text: &str) {
        hub(|state| state.log.push((level, text.to_owned())));
    }
}

pub mod clock {
    use super::hub;

    /// Stands still during a call of a hook.
    pub fn now() -> i64 {
        hub(|state| state.now)
    }
}

pub mod random {
    use super::hub;

    /// At most 4,096. The same in each run of a test.
    pub fn bytes(count: u32) -> Vec<u8> {
        (0..count.min(4096)).map(|_| number().to_le_bytes()[0]).collect()
    }

    /// Any number. The same in each run of a test.
    pub fn number() -> u64 {
        // SplitMix64: scatters the numbers 1, 2, 3 …
        let mut number = hub(super::super::state::State::number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

pub mod timers {
    use super::{Error, hub};

    /// Has a schedule run at a time, as an effect. Of several times the earliest counts.
    pub fn run_at(schedule: &str, at: i64) -> Result<(), Error> {
        hub(|state| {
            state.effect("timers")?;
            let planned = state.timers.entry(schedule.to_owned()).or_insert(at);
            *planned = at.min(*planned);
            Ok(())
        })
    }
}

pub mod messages {
    use super::{Error, hub, is_json, page, within};
    use crate::bindings::capabilities::{
        messages::{HistoryPage, HistoryWindow, NewMessage},
        types::{Message, MessageKind},
    };

    /// A message.
    pub fn get(id: &str) -> Result<Message, Error> {
        hub(|state| {
            state.granted("messages.read")?;
            state.messages.get(id).cloned().ok_or(Error::NotFound)
        })
    }

    /// The same for up to 100 messages in one call, in their order.
    pub fn get_many(ids: &[String]) -> Result<Vec<Option<Message>>, Error> {
        within("messages", ids.len(), 100)?;
        hub(|state| {
            state.granted("messages.read")?;
            Ok(ids.iter().map(|id| state.messages.get(id).cloned()).collect())
        })
    }

    /// Part of a conversation's history, the oldest first.
    pub fn history(conversation: &str, window: HistoryWindow, limit: u32) -> Result<HistoryPage, Error> {
        hub(|state| {
            state.granted("messages.read")?;
            if !state.conversations.contains_key(conversation) {
                return Err(Error::NotFound);
            }
            let mut all: Vec<Message> =
                state.messages.values().filter(|message| message.conversation == conversation).cloned().collect();
            all.sort_by_key(|message| message.sequence);
            let before = |sequence: u64| all.iter().rev().filter(move |message| message.sequence < sequence).cloned();
            let (mut messages, has_more) = match window {
                HistoryWindow::Newest => page(before(u64::MAX), limit, 100),
                HistoryWindow::Before(sequence) => page(before(sequence), limit, 100),
                HistoryWindow::After(sequence) => {
                    page(all.iter().filter(|message| message.sequence > sequence).cloned(), limit, 100)
                }
            };
            messages.sort_by_key(|message| message.sequence);
            Ok(HistoryPage { messages, has_more })
        })
    }

    /// Sends a message, as an effect.
    pub fn post(message: &NewMessage) -> Result<String, Error> {
        post_as(message, None)
    }

    /// The same for a message that was given an id elsewhere.
    pub fn post_as(message: &NewMessage, id: Option<String>) -> Result<String, Error> {
        message.metadata.as_deref().map_or(Ok(()), is_json)?;
        if !matches!(message.kind, MessageKind::Text | MessageKind::Poll) {
            return Err(Error::Invalid("a plugin posts messages of the kinds `text` and `poll`".to_owned()));
        }
        hub(|state| {
            state.effect("messages.post")?;
            let posted = state.said(id, message)?;
            state.posts.push(message.clone());
            Ok(posted)
        })
    }
}

pub mod conversations {
    use super::{Error, hub, page};
    use crate::bindings::capabilities::{
        conversations::{ConversationFilter, ConversationsPage, MembersPage},
        types::{Conversation, Member},
    };

    /// A conversation.
    pub fn get(id: &str) -> Result<Conversation, Error> {
        hub(|state| {
            state.granted("conversations.read")?;
            state.conversations.get(id).cloned().ok_or(Error::NotFound)
        })
    }

    /// Who is in a conversation, after the user `after`, at most `limit` (1 to 500).
    pub fn members(id: &str, after: Option<&str>, limit: u32) -> Result<MembersPage, Error> {
        hub(|state| {
            state.granted("conversations.read")?;
            let members = state.members.get(id).ok_or(Error::NotFound)?;
            let members = members.values().filter(|member| after.is_none_or(|after| member.user.id.as_str() > after));
            let (members, has_more) = page(members.cloned(), limit, 500);
            Ok(MembersPage { members, has_more })
        })
    }

    /// What somebody is in a conversation; none where they are no member.
    pub fn membership(id: &str, user: &str) -> Result<Option<Member>, Error> {
        hub(|state| {
            state.granted("conversations.read")?;
            Ok(state.members.get(id).ok_or(Error::NotFound)?.get(user).cloned())
        })
    }

    /// Conversations of the workspace, after the one with the id `after`, at most `limit` (1 to 100).
    pub fn find(filter: &ConversationFilter, after: Option<&str>, limit: u32) -> Result<ConversationsPage, Error> {
        hub(|state| {
            state.granted("conversations.read")?;
            let is_meant = |conversation: &&Conversation| {
                let context = conversation.context.as_ref();
                after.is_none_or(|after| conversation.id.as_str() > after)
                    && filter.kind.is_none_or(|kind| conversation.kind == kind)
                    && filter.status.is_none_or(|status| conversation.status == status)
                    && filter.idle_since.is_none_or(|since| conversation.last_activity_at <= since)
                    && filter.context_kind.as_ref().is_none_or(|kind| context.is_some_and(|it| it.kind == *kind))
                    && filter.context_id.as_ref().is_none_or(|id| context.is_some_and(|it| it.id == *id))
            };
            let (conversations, has_more) = page(state.conversations.values().filter(is_meant).cloned(), limit, 100);
            Ok(ConversationsPage { conversations, has_more })
        })
    }
}

pub mod users {
    use super::{Error, hub, page, within};
    use crate::bindings::capabilities::types::{User, UserStatus};

    /// Somebody of the workspace.
    pub fn get(id: &str) -> Result<User, Error> {
        hub(|state| {
            state.granted("users.read")?;
            state.users.get(id).cloned().ok_or(Error::NotFound)
        })
    }

    /// The same for up to 100 users in one call, in their order.
    pub fn get_many(ids: &[String]) -> Result<Vec<Option<User>>, Error> {
        within("users", ids.len(), 100)?;
        hub(|state| {
            state.granted("users.read")?;
            Ok(ids.iter().map(|id| state.users.get(id).cloned()).collect())
        })
    }

    /// Those who are active and whose names have words that begin with the words of `text`, in the order of their names. The
    /// hub looks past accents as well, which this one does not.
    pub fn search(text: &str, conversation: Option<&str>, limit: u32) -> Result<Vec<User>, Error> {
        let text = text.to_lowercase();
        hub(|state| {
            state.granted("users.read")?;
            let members = conversation.map(|id| state.members.get(id).ok_or(Error::NotFound)).transpose()?;
            let is_meant = |user: &&User| {
                let name = user.name.to_lowercase();
                user.status == UserStatus::Active
                    && members.is_none_or(|members| members.contains_key(&user.id))
                    && text.split_whitespace().all(|word| name.split_whitespace().any(|part| part.starts_with(word)))
            };
            let mut found: Vec<User> = state.users.values().filter(is_meant).cloned().collect();
            found.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
            Ok(page(found.into_iter(), limit, 100).0)
        })
    }
}

pub mod annotations {
    use super::{Error, hub, is_json, within};

    pub fn get(message: &str) -> Result<Option<String>, Error> {
        hub(|state| {
            state.granted("annotations")?;
            Ok(state.annotations.get(message).cloned())
        })
    }

    pub fn get_many(messages: &[String]) -> Result<Vec<Option<String>>, Error> {
        within("messages", messages.len(), 100)?;
        messages.iter().map(|message| get(message)).collect()
    }

    pub fn set(message: &str, value: &str) -> Result<u32, Error> {
        is_json(value)?;
        hub(|state| {
            let number = state.effect("annotations")?;
            if !state.messages.contains_key(message) {
                return Err(Error::NotFound);
            }
            state.annotations.insert(message.to_owned(), value.to_owned());
            Ok(number)
        })
    }

    pub fn remove(message: &str) -> Result<u32, Error> {
        hub(|state| {
            let number = state.effect("annotations")?;
            state.annotations.remove(message);
            Ok(number)
        })
    }
}

pub mod mentions {
    use super::{Error, hub, within};
    use crate::bindings::capabilities::mentions::Target;

    /// Says whom a message mentions, instead of whom this plugin said before, as an effect.
    pub fn set(message: &str, targets: &[Target]) -> Result<u32, Error> {
        within("targets", targets.len(), 100)?;
        hub(|state| {
            let number = state.effect("mentions")?;
            if !state.messages.contains_key(message) {
                return Err(Error::NotFound);
            }
            state.mentions.insert(message.to_owned(), targets.to_vec());
            Ok(number)
        })
    }
}

pub mod notices {
    use super::{Error, hub, is_json};
    use crate::bindings::capabilities::notices::Notice;

    pub fn send(notice: &Notice) -> Result<u32, Error> {
        is_json(&notice.payload)?;
        hub(|state| {
            let number = state.effect("notices")?;
            state.notices.push(notice.clone());
            Ok(number)
        })
    }
}

pub mod secrets {
    use super::{Error, hub};

    /// Whether there is one of this name.
    pub fn exists(name: &str) -> Result<bool, Error> {
        hub(|state| state.granted("secrets").map(|()| state.secrets.contains_key(name)))
    }

    /// Stands for a signature: 32 bytes that depend on secret and data alone. The hub makes a real one.
    pub fn sign(name: &str, data: &[u8]) -> Result<Vec<u8>, Error> {
        hub(|state| {
            state.granted("secrets")?;
            let secret = state.secrets.get(name).ok_or(Error::NotFound)?;
            let mut signature = vec![0_u8; 32];
            for (place, byte) in secret.bytes().chain([0]).chain(data.iter().copied()).enumerate() {
                let at = place % 32;
                signature[at] = signature[at].rotate_left(3) ^ byte.wrapping_add(place as u8);
            }
            Ok(signature)
        })
    }
}

pub mod retention {
    use super::{super::state::State, Error, hub, within};
    use crate::bindings::capabilities::{
        retention::{Due, Step},
        types::Message,
    };

    const AT_ONCE: u32 = 500;

    /// What is due in a stretch of a conversation.
    pub fn survey(conversation: &str, step: Step, until: i64, after: u64, limit: u32) -> Result<Due, Error> {
        hub(|state| {
            state.granted("retention")?;
            Ok(state.old(conversation, step, until, after, limit.clamp(1, 10_000))?.0)
        })
    }

    /// What would be due to be hidden in all conversations but these. Nobody asks here who may see that.
    pub fn survey_all(until: i64, other_than: &[String]) -> Result<Due, Error> {
        within("conversations", other_than.len(), 1_000)?;
        hub(|state| {
            state.granted("retention")?;
            let mut sum = Due { count: 0, held: 0, through: 0, has_more: false };
            for conversation in state.conversations.keys().filter(|id| !other_than.contains(id)) {
                let (due, _) = state.old(conversation, Step::Hide, until, 0, u32::MAX)?;
                sum.count += due.count;
                sum.held += due.held;
            }
            Ok(sum)
        })
    }

    /// Takes away what is due in a stretch, as an effect.
    pub fn trim(conversation: &str, step: Step, until: i64, after: u64, limit: u32) -> Result<Due, Error> {
        hub(|state| {
            if limit == 0 || state.trims + limit > AT_ONCE {
                return Err(Error::LimitReached(format!("{AT_ONCE} messages a call")));
            }
            state.effect("retention")?;
            let (due, gone) = state.old(conversation, step, until, after, limit)?;
            state.trims += due.count;
            for id in gone {
                match step {
                    Step::Hide => {
                        if let Some(message) = state.messages.remove(&id) {
                            state.trimmed.insert(id, (message, state.now));
                        }
                    }
                    Step::Purge => {
                        state.trimmed.remove(&id);
                        state.annotations.remove(&id);
                    }
                }
            }
            Ok(due)
        })
    }

    impl State {
        /// What is due in a stretch, in numbers and by the ids.
        fn old(
            &self,
            conversation: &str,
            step: Step,
            until: i64,
            after: u64,
            limit: u32,
        ) -> Result<(Due, Vec<String>), Error> {
            if !self.conversations.contains_key(conversation) {
                return Err(Error::NotFound);
            }
            let here = |message: &&Message| message.conversation == conversation && message.sequence > after;
            let mut found: Vec<(&Message, i64)> = match step {
                Step::Hide => {
                    self.messages.values().filter(here).map(|message| (message, message.created_at)).collect()
                }
                Step::Purge => self
                    .trimmed
                    .values()
                    .map(|(message, at)| (message, *at))
                    .filter(|(message, _)| here(message))
                    .collect(),
            };
            found.sort_by_key(|(message, _)| message.sequence);
            let limit = limit as usize;
            let mut due = Due { count: 0, held: 0, through: after, has_more: found.len() > limit };
            let mut gone = Vec::new();
            for (message, since) in found.into_iter().take(limit) {
                let is_old = since <= until;
                if !is_old && step == Step::Hide {
                    due.has_more = false;
                    break;
                }
                due.through = message.sequence;
                if is_old && (self.on_hold.contains(conversation) || self.on_hold.contains(&message.sender)) {
                    due.held += 1;
                } else if is_old {
                    due.count += 1;
                    gone.push(message.id.clone());
                }
            }
            Ok((due, gone))
        }
    }
}
