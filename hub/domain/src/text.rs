//! Rules for the short texts that people type: names, titles, keys.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::Rejection;

/// The field that a text was given for, as the caller names it.
pub type Field = &'static str;

/// A text that is not blank, not too long, and free of what a database or a terminal chokes on.
pub fn line(field: Field, text: &str, max_characters: usize) -> Result<String, Rejection> {
    let text = text.trim();
    if !is_visible(text) {
        return Err(Rejection::Missing { field });
    }
    if text.chars().any(|c| c.is_control() || turns_what_follows(c)) {
        return Err(Rejection::ControlCharacter { field });
    }
    within(field, text, max_characters)?;
    Ok(text.to_owned())
}

/// Is there anything in it that a reader would see?
pub fn is_visible(text: &str) -> bool {
    !text.chars().all(|c| c.is_whitespace() || c.is_control() || leaves_no_mark(c))
}

/// What Unicode says is shown as nothing by itself (`Default_Ignorable_Code_Point`), and the two that are drawn empty:
/// the Braille pattern without dots and the anchors of annotations.
fn leaves_no_mark(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// What makes the letters after it run the other way, whatever they are, also those of the line around it: with it a name
/// can look like another. Marks of direction, which languages need, are not of these.
fn turns_what_follows(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// As it is searched for: without capitals and without marks on letters.
pub fn folded(text: &str) -> String {
    text.nfkd().filter(|letter| !is_combining_mark(*letter)).flat_map(char::to_lowercase).collect()
}

/// At most `max` characters.
pub fn within(field: Field, text: &str, max: usize) -> Result<(), Rejection> {
    // Bytes are counted first: a character has at least one, and counting them costs nothing.
    if text.len() <= max {
        return Ok(());
    }
    match text.chars().count() {
        length if length > max => Err(Rejection::TooLong { field, length, max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_nothing() {
        for text in ["", " \n\t", "\u{200b}", "\u{2060}\u{202e} \u{feff}", "\u{3164}", "\u{2800}", "\u{ad}", "\u{0}"] {
            assert!(!is_visible(text), "{text:?}");
        }
        for text in ["a", "\u{202e}a", "\u{2764}\u{fe0f}", "👩\u{200d}🚀", "\u{1f375}", ".", "ا"] {
            assert!(is_visible(text), "{text:?}");
        }
        assert_eq!(line("name", "\u{200b}\u{2060}", 9), Err(Rejection::Missing { field: "name" }));
    }

    #[test]
    fn folding() {
        for (text, expected) in [("Crème BRÛLÉE", "creme brulee"), ("Straße", "straße"), ("ＴＥＡ №1", "tea no1")]
        {
            assert_eq!(folded(text), expected);
        }
    }

    #[test]
    fn lines() {
        let check = |text| line("title", text, 5);
        assert_eq!(check("  tea "), Ok("tea".to_owned()));
        assert_eq!(check("ééééé"), Ok("ééééé".to_owned()));
        assert_eq!(check(" \t"), Err(Rejection::Missing { field: "title" }));
        for turned in ["a\0b", "a\u{202e}b", "a\u{2067}b"] {
            assert_eq!(check(turned), Err(Rejection::ControlCharacter { field: "title" }));
        }
        assert_eq!(check("א\u{200f}!"), Ok("א\u{200f}!".to_owned()));
        assert_eq!(check("coffee"), Err(Rejection::TooLong { field: "title", length: 6, max: 5 }));
    }
}
