//! Letters as they are compared: whatever their capitals, accents and ornaments, and whatever cannot be seen between them.

use unicode_normalization::char::decompose_compatible;

use crate::words::{EDGE, GAP};

/// A single character may stand for a whole phrase (U+FDFA for four words). What stands for more letters than these is taken as
/// it is, so that a message is not many times as long to us as it is to everybody else.
const MAX_LETTERS: usize = 3;

/// A letter of a text.
#[derive(Clone, Copy)]
pub struct Letter {
    pub folded: char,
    pub is_of_word: bool,
    /// Where it begins in the text.
    pub at: u32,
}

/// The letters of a text.
pub fn letters(text: &str) -> Vec<Letter> {
    let mut letters = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        fold(c, |letter| {
            // Nobody else writes our signs.
            let letter = if matches!(letter, EDGE | GAP) { ' ' } else { letter };
            letters.push(Letter { folded: letter, is_of_word: is_of_word(letter), at: at as u32 });
        });
    }
    letters
}

/// What a character is compared as: nothing, a letter, or a few.
pub fn fold(c: char, mut emit: impl FnMut(char)) {
    if c.is_ascii() || is_plain(c) {
        return fold_case(c, &mut emit);
    }
    decompose(c, |part| {
        if !is_accent(part) && !is_invisible(part) {
            fold_case(part, &mut emit);
        }
    });
}

/// What it is made of, where that is not too much.
pub fn decompose(c: char, mut emit: impl FnMut(char)) {
    let (mut parts, mut count) = ([c; MAX_LETTERS], 0);
    decompose_compatible(c, |part| {
        if let Some(place) = parts.get_mut(count) {
            *place = part;
        }
        count += 1;
    });
    if count > MAX_LETTERS {
        return emit(c);
    }
    parts[..count].iter().for_each(|part| emit(*part));
}

/// Small letters that have the same capitals are the same: `ς` and `σ`, `ß` and `ss`.
fn fold_case(letter: char, emit: &mut impl FnMut(char)) {
    if letter.is_ascii() {
        return emit(if letter.is_ascii_whitespace() { ' ' } else { letter.to_ascii_lowercase() });
    }
    if is_plain(letter) {
        return emit(letter);
    }
    if letter.is_whitespace() {
        return emit(' ');
    }
    for small in letter.to_lowercase() {
        match small {
            'ß' => "ss".chars().for_each(&mut *emit),
            'ς' => emit('σ'),
            small if is_accent(small) => {}
            small => emit(small),
        }
    }
}

/// Has no capitals, is made of nothing else, and is no blank: Han, Hangul, emoji. There may be many of them, and to look them up
/// takes its time.
pub fn is_plain(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x9fff | 0xac00..=0xd7a3 | 0x1f300..=0x1faff | 0x20000..=0x2f7ff | 0x2fa20..=0x3ffff)
}

/// Marks that are put on letters of any script. Those of one script alone are part of its spelling.
fn is_accent(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff)
}

pub fn is_invisible(c: char) -> bool {
    matches!(u32::from(c), 0xad | 0x34f | 0x61c | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0xfe00..=0xfe0f | 0xfeff)
}

fn is_of_word(c: char) -> bool {
    !has_no_spaces(c) && c.is_alphanumeric()
}

/// Characters of scripts that are written without spaces.
pub fn has_no_spaces(c: char) -> bool {
    matches!(u32::from(c), 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1100..=0x11ff | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}
