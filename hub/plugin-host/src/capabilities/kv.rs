//! The plugin's own data. A hook sees what is committed, and on top of it what it has issued itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jackfield_domain::plugins::{Capability, Operation, check_key};

use sha2::{Digest, Sha256};

use super::{Denial, Done, MANY, Run, Told, invalid, limited, told};
use crate::{
    bridge::Page,
    wit::jackfield::plugin::{
        kv::{EntriesPage, Entry, Host},
        types::Error,
    },
};

/// So many keys are remembered that a hook has looked at.
const SEEN: usize = 10_000;
/// So many keys are asked for in one call at most.
const KEYS: usize = 1_000;
/// So many bytes of values are handed to a plugin in one call at most: the same key may be asked for more than once.
const VALUES_BYTES: usize = 4 << 20;
/// A page of entries ends after so many bytes.
const PAGE_BYTES: usize = 1 << 20;

impl Host for Run {
    async fn get(&mut self, key: String) -> Told<Option<Vec<u8>>> {
        told(self.kv_get(key).await)
    }

    async fn get_many(&mut self, keys: Vec<String>) -> Told<Vec<Option<Vec<u8>>>> {
        told(self.kv_get_many(keys).await)
    }

    async fn scan(&mut self, prefix: String, after: Option<String>, limit: u32) -> Told<EntriesPage> {
        told(self.kv_scan(prefix, after, limit).await)
    }

    async fn scan_many(&mut self, prefixes: Vec<String>, limit: u32) -> Told<Vec<EntriesPage>> {
        told(self.kv_scan_many(prefixes, limit).await)
    }

    async fn set(&mut self, key: String, value: Vec<u8>, expires_in_seconds: Option<u32>) -> Told<()> {
        told(self.kv_set(key, value, expires_in_seconds).await)
    }

    async fn compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        expires_in_seconds: Option<u32>,
    ) -> Told<bool> {
        told(self.kv_compare_and_set(key, expected, value, expires_in_seconds).await)
    }

    async fn increment(&mut self, key: String, by: i64, expires_in_seconds: Option<u32>) -> Told<i64> {
        told(self.kv_increment(key, by, expires_in_seconds).await)
    }

    fn delete(&mut self, key: String) -> Told<()> {
        told(self.kv_delete(key))
    }
}

impl Run {
    async fn kv_get(&mut self, key: String) -> Done<Option<Vec<u8>>> {
        self.enter_kv(&key)?;
        self.value_of(key).await
    }

    async fn kv_get_many(&mut self, keys: Vec<String>) -> Done<Vec<Option<Vec<u8>>>> {
        self.enter(Capability::Kv)?;
        if keys.len() > KEYS {
            return Err(invalid(format!("there are {} keys, at most {KEYS} may be asked for at once", keys.len())));
        }
        keys.iter().try_for_each(|key| check_key(key).map_err(invalid))?;
        let unknown: Vec<String> = keys.iter().filter(|key| !self.written.contains_key(*key)).cloned().collect();
        let mut committed = Vec::new();
        if !unknown.is_empty() {
            committed = Arc::clone(&self.bridge).kv_get(&self.caller, &unknown).await?;
        }
        for (key, value) in unknown.iter().zip(&committed) {
            self.remember(key, value.as_deref());
        }
        let mut committed = committed.into_iter();
        let mut room = VALUES_BYTES;
        let value = |key: &String| {
            let value = match self.written.get(key) {
                Some(written) => written.clone(),
                None => committed.next().flatten(),
            };
            room = room.checked_sub(value.as_ref().map_or(0, Vec::len)).ok_or_else(|| {
                let what = format!("what stands under these keys has more than {VALUES_BYTES} bytes: ask for fewer");
                Denial::Tell(Error::LimitReached(what))
            })?;
            Ok(value)
        };
        keys.iter().map(value).collect()
    }

    async fn kv_scan(&mut self, prefix: String, after: Option<String>, limit: u32) -> Done<EntriesPage> {
        self.enter(Capability::Kv)?;
        let limit = limited(limit, 100)?;
        let bridge = Arc::clone(&self.bridge);
        let mut after = after;
        loop {
            let page = bridge.kv_scan(&self.caller, &prefix, after.as_deref(), limit).await?;
            let last = page.rows.last().map(|(key, _)| key.clone());
            let own = self.with_own(page, &prefix, after.as_deref(), limit);
            // Whoever asks goes on behind the last that they got: so a page is not empty where there is more, although the hook
            // may have taken away all that is committed of it.
            if !own.entries.is_empty() || !own.has_more || last.is_none() {
                return Ok(own);
            }
            after = last;
        }
    }

    async fn kv_scan_many(&mut self, prefixes: Vec<String>, limit: u32) -> Done<Vec<EntriesPage>> {
        self.enter(Capability::Kv)?;
        let limit = limited(limit, 100)?;
        if prefixes.len() > MANY {
            let count = prefixes.len();
            return Err(invalid(format!("there are {count} prefixes, at most {MANY} may be asked for at once")));
        }
        let mut sorted: Vec<&str> = prefixes.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        // So all pages together are no more than what the plugin keeps.
        if sorted.windows(2).any(|two| two[1].starts_with(two[0])) {
            return Err(invalid("one prefix is the beginning of another"));
        }
        let pages = Arc::clone(&self.bridge).kv_scan_many(&self.caller, &prefixes, limit).await?;
        Ok(prefixes.iter().zip(pages).map(|(prefix, page)| self.with_own(page, prefix, None, limit)).collect())
    }

    /// A page, and on top of it what the hook has issued itself.
    fn with_own(&self, page: Page<(String, Vec<u8>)>, prefix: &str, after: Option<&str>, limit: u32) -> EntriesPage {
        // Beyond the end of a page that is not the last, what the hook wrote itself waits for its own page.
        let end = if page.has_more { page.rows.last().map(|(key, _)| key.clone()) } else { None };
        let mut entries: BTreeMap<String, Option<Vec<u8>>> =
            page.rows.into_iter().map(|(key, value)| (key, Some(value))).collect();
        for (key, value) in &self.written {
            let is_within = key.starts_with(prefix)
                && after.is_none_or(|after| key.as_str() > after)
                && end.as_ref().is_none_or(|end| key <= end);
            if is_within {
                entries.insert(key.clone(), value.clone());
            }
        }
        let mut entries: Vec<Entry> =
            entries.into_iter().filter_map(|(key, value)| Some(Entry { key, value: value? })).collect();
        let mut bytes = 0;
        let fitting = entries.iter().take_while(|entry| {
            let fits = bytes < PAGE_BYTES;
            bytes += entry.value.len();
            fits
        });
        let size = fitting.take(limit as usize).count();
        let has_more = page.has_more || entries.len() > size;
        entries.truncate(size);
        EntriesPage { entries, has_more }
    }

    async fn kv_set(&mut self, key: String, value: Vec<u8>, expires_in_seconds: Option<u32>) -> Done<()> {
        self.enter_kv(&key)?;
        let expires_in = span(expires_in_seconds)?;
        self.check_room(&key, value.len()).await?;
        let operation = Operation::Set { key, value: value.clone(), expires_in };
        Ok(self.issue_operation(operation, Some(value))?)
    }

    async fn kv_compare_and_set(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
        expires_in_seconds: Option<u32>,
    ) -> Done<bool> {
        self.enter_kv(&key)?;
        let expires_in = span(expires_in_seconds)?;
        // What the hook has looked at is compared as it was then: whether it still is so the commit sees. If it were looked at
        // again here, a plugin that reads and then compares could be told no for what somebody else did in between.
        let stands = match (self.written.get(&key), self.seen.get(&key)) {
            (Some(written), _) => *written == expected,
            (None, Some(seen)) => *seen == expected.as_deref().map(digest),
            (None, None) => self.value_of(key.clone()).await? == expected,
        };
        if !stands {
            return Ok(false);
        }
        self.check_room(&key, value.len()).await?;
        self.hand_over(expected.as_ref().map_or(0, Vec::len))?;
        let operation = Operation::CompareAndSet { key, expected, value: value.clone(), expires_in };
        self.issue_operation(operation, Some(value))?;
        Ok(true)
    }

    async fn kv_increment(&mut self, key: String, by: i64, expires_in_seconds: Option<u32>) -> Done<i64> {
        self.enter_kv(&key)?;
        let expires_in = span(expires_in_seconds)?;
        let number = match self.value_of(key.clone()).await? {
            None => 0,
            Some(value) => std::str::from_utf8(&value)
                .ok()
                .and_then(|digits| digits.parse::<i64>().ok())
                .ok_or_else(|| invalid("what stands under this key is not a number"))?,
        };
        let sum = number.checked_add(by).ok_or_else(|| invalid("the number would be too large"))?;
        let digits = sum.to_string().into_bytes();
        self.check_room(&key, digits.len()).await?;
        self.issue_operation(Operation::Increment { key, by, expires_in }, Some(digits))?;
        Ok(sum)
    }

    fn kv_delete(&mut self, key: String) -> Done<()> {
        self.enter_kv(&key)?;
        Ok(self.issue_operation(Operation::Delete { key }, None)?)
    }

    fn enter_kv(&mut self, key: &str) -> Done<()> {
        self.enter(Capability::Kv)?;
        check_key(key).map_err(invalid)
    }

    async fn value_of(&mut self, key: String) -> Done<Option<Vec<u8>>> {
        if let Some(written) = self.written.get(&key) {
            return Ok(written.clone());
        }
        let keys = [key];
        let value = Arc::clone(&self.bridge).kv_get(&self.caller, &keys).await?.pop().flatten();
        self.remember(&keys[0], value.as_deref());
        Ok(value)
    }

    fn remember(&mut self, key: &str, value: Option<&[u8]>) {
        if self.seen.len() < SEEN || self.seen.contains_key(key) {
            self.seen.insert(key.to_owned(), value.map(digest));
        }
    }

    /// What is replaced is not counted as freed: who is that close to the end of their storage hears of it early. The store
    /// counts exactly when it commits.
    async fn check_room(&mut self, key: &str, value_bytes: usize) -> Done<()> {
        if value_bytes as u64 > self.limits.value_bytes {
            let what = format!("a value has at most {} bytes, this one has {value_bytes}", self.limits.value_bytes);
            return Err(Denial::Tell(Error::LimitReached(what)));
        }
        let used = match self.storage_used {
            Some(used) => used,
            None => *self.storage_used.insert(self.bridge.kv_used(&self.caller).await?),
        };
        let after = used + (key.len() + value_bytes) as u64;
        if after > self.limits.storage_bytes {
            let what = format!("the plugin keeps at most {} bytes in this workspace", self.limits.storage_bytes);
            return Err(Denial::Tell(Error::LimitReached(what)));
        }
        self.storage_used = Some(after);
        Ok(())
    }
}

fn digest(value: &[u8]) -> [u8; 32] {
    Sha256::digest(value).into()
}

fn span(seconds: Option<u32>) -> Done<Option<Duration>> {
    match seconds {
        Some(0) => Err(invalid("what expires does so after at least 1 second")),
        seconds => Ok(seconds.map(|seconds| Duration::from_secs(u64::from(seconds)))),
    }
}
