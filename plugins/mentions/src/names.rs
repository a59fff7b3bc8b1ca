//! Names as people write them: with whatever capitals and accents, and with words after them.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Nobody is searched for by more words than these.
pub const MAX_WORDS: usize = 4;
/// They stand within this many characters after the `@`.
const QUERY_MAX_CHARS: usize = 100;

/// A name, folded.
#[derive(Clone)]
pub struct Name(Vec<char>);

impl Name {
    pub fn new(name: &str) -> Self {
        let mut letters: Vec<char> = Vec::new();
        for letter in name.trim().chars().flat_map(folded) {
            // One blank is as good as many, a new line among them.
            if letter != ' ' || letters.last() != Some(&' ') {
                letters.push(letter);
            }
        }
        Self(letters)
    }

    /// How much of the text the name takes, if the text begins with it and the name ends there. It compares what both fold
    /// to, so that `@zoe` finds Zoë, and it does not matter how her keyboard puts the dots on the e.
    pub fn begins(&self, text: &str) -> Option<usize> {
        let mut wanted = self.0.iter().peekable();
        wanted.peek()?;
        let mut space = false;
        let mut end = 0;
        for (at, c) in text.char_indices() {
            if wanted.peek().is_none() && !is_combining_mark(c) {
                break;
            }
            for folded in folded(c) {
                if folded == ' ' && std::mem::replace(&mut space, folded == ' ') {
                    continue;
                }
                space = folded == ' ';
                if wanted.next() != Some(&folded) {
                    return None;
                }
            }
            end = at + c.len_utf8();
        }
        (wanted.peek().is_none() && ends_there(&text[..end], &text[end..])).then_some(end)
    }
}

/// «Ann» is not meant by `@Anna`. Scripts that put no spaces between words say nothing about where a name ends.
fn ends_there(name: &str, rest: &str) -> bool {
    let (Some(last), Some(next)) = (name.chars().next_back(), rest.chars().next()) else { return true };
    let is_open = |c: char| (c.is_alphanumeric() || c == '_') && !has_no_spaces(c);
    !is_open(next) || !is_open(last)
}

/// Characters of scripts that are written without spaces.
pub fn has_no_spaces(c: char) -> bool {
    matches!(u32::from(c),
        0x0e00..=0x0eff      // Thai, Lao
        | 0x1000..=0x109f    // Burmese
        | 0x1780..=0x17ff    // Khmer
        | 0x3040..=0x30ff    // Hiragana, Katakana
        | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf    // Han
        | 0x4e00..=0x9fff
        | 0xac00..=0xd7af    // Hangul: particles follow names
        | 0xf900..=0xfaff
        | 0x20000..=0x3ffff)
}

/// The first `count` words of a text, to search for; none if it has not that many. Whatever is no letter and no digit may
/// belong to a name or follow it, and is left to the comparison.
pub fn query(text: &str, count: usize) -> Option<String> {
    let text: String = text.chars().take(QUERY_MAX_CHARS).nfc().collect();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.take(count).map(searched).collect();
    (words.len() == count).then(|| words.join(" "))
}

/// What of a word is searched for: where nothing shows the end of a name its first character has to do, and of others as much
/// as the hub folds like we do. It keeps `ß` from `ss`, and `ς` at the end of a word from `σ`.
fn searched(word: &str) -> &str {
    let first = word.chars().next().map_or(0, char::len_utf8);
    if word.chars().next().is_some_and(has_no_spaces) {
        return &word[..first];
    }
    let is_s = |c: char| matches!(c, 's' | 'S');
    let mut before = None;
    for (at, c) in word.char_indices().skip(1) {
        let is_final = matches!(c, 'σ' | 'ς' | 'Σ') && at + c.len_utf8() == word.len();
        match before {
            Some((start, other)) if is_s(c) && is_s(other) && start > 0 => return &word[..start],
            _ if matches!(c, 'ß' | 'ẞ') || is_final => return &word[..at],
            _ => before = Some((at, c)),
        }
    }
    word
}

/// Small letters that have the same capitals are the same: `ς` and `σ`, `ß` and `ss`.
fn folded(c: char) -> impl Iterator<Item = char> {
    let blank = c.is_whitespace().then_some(' ');
    let letters = (!c.is_whitespace()).then(|| {
        let parts = std::iter::once(c).nfkd().filter(|c| !is_combining_mark(*c));
        // The way is by the small letter, for `ẞ` is a capital that is none of `ß`.
        let capitals = parts.flat_map(char::to_lowercase).flat_map(char::to_uppercase);
        capitals.flat_map(char::to_lowercase).filter(|c| !is_combining_mark(*c))
    });
    blank.into_iter().chain(letters.into_iter().flatten())
}
