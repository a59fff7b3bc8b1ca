//! How often somebody does something. Counters are only ever added to, so that messages that are sent at the same time
//! neither escape being counted nor get in each other's way.

use std::hash::{DefaultHasher, Hash, Hasher};

use jackfield_plugin::prelude::*;

use crate::letters::Letter;

/// Counts one more, and answers how many there were in the last `seconds`: those of the current span of that length, and
/// of the span before it as much as is still within reach, as if they had been spread evenly.
pub fn count(what: &str, user: &str, seconds: u32) -> Result<u32> {
    let span = i64::from(seconds) * 1000;
    let (number, elapsed) = (clock::now().div_euclid(span), clock::now().rem_euclid(span));
    let key = |number| format!("{what}/{user}/{number}");
    let now = kv::increment(&key(number), 1, Some(seconds.saturating_mul(2)))?;
    let before = kv::get::<i64>(&key(number - 1))?.unwrap_or(0);
    Ok(u32::try_from(now + before * (span - elapsed) / span).unwrap_or(u32::MAX))
}

/// Counts how often somebody has said the same, wherever it was, and answers it.
pub fn repetitions(place: usize, user: &str, said: u64, seconds: u32) -> Result<u32> {
    let times = kv::increment(&format!("same/{place}/{user}/{said:016x}"), 1, Some(seconds))?;
    Ok(u32::try_from(times).unwrap_or(u32::MAX))
}

/// Stands for what somebody says, however they write it; nothing where they say nothing.
pub fn said(letters: &[Letter]) -> Option<u64> {
    let mut words = String::with_capacity(letters.len());
    for letter in letters {
        if letter.folded != ' ' || !words.is_empty() && !words.ends_with(' ') {
            words.push(letter.folded);
        }
    }
    let words = words.trim_end();
    (!words.is_empty()).then(|| hash(words))
}

/// The same in each instance of the plugin.
pub fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
