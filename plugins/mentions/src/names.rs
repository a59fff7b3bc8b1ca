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
        let mut folded: Vec<char> = name.chars().flat_map(folded).collect();
        while folded.last() == Some(&' ') {
            folded.pop();
        }
        Self(folded)
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
                // One blank is as good as many, a new line among them.
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

/// Where nothing shows the end of a name, its first character has to do.
fn searched(word: &str) -> &str {
    match word.chars().next() {
        Some(first) if has_no_spaces(first) => &word[..first.len_utf8()],
        _ => word,
    }
}

fn folded(c: char) -> impl Iterator<Item = char> {
    let blank = c.is_whitespace().then_some(' ');
    let letters = (!c.is_whitespace())
        .then(|| std::iter::once(c).nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase));
    blank.into_iter().chain(letters.into_iter().flatten())
}
