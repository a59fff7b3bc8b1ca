//! Rules for the short texts that people type: names, titles, keys.

use crate::Rejection;

/// The field that a text was given for, as the caller names it.
pub type Field = &'static str;

/// A text that is not blank, not too long, and free of what a database or a terminal chokes on.
pub fn line(field: Field, text: &str, max_characters: usize) -> Result<String, Rejection> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Rejection::Missing { field });
    }
    if text.chars().any(char::is_control) {
        return Err(Rejection::ControlCharacter { field });
    }
    within(field, text, max_characters)?;
    Ok(text.to_owned())
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
    fn lines() {
        let check = |text| line("title", text, 5);
        assert_eq!(check("  tea "), Ok("tea".to_owned()));
        assert_eq!(check("ééééé"), Ok("ééééé".to_owned()));
        assert_eq!(check(" \t"), Err(Rejection::Missing { field: "title" }));
        assert_eq!(check("a\0b"), Err(Rejection::ControlCharacter { field: "title" }));
        assert_eq!(check("coffee"), Err(Rejection::TooLong { field: "title", length: 6, max: 5 }));
    }
}
