//! What of a message is talk: not code, not links, not markup.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::names::has_no_spaces;

/// Stands where something was that is no talk; no name goes past it.
const GAP: char = '\u{fffc}';

/// The passages of a message in which people are mentioned, a passage a paragraph, without markup. It is read as the hub
/// reads it when it makes HTML of it.
pub fn passages(body: &str) -> Vec<String> {
    let mut passages = vec![String::new()];
    // In how many links, images and blocks of code we are.
    let mut depth = 0_usize;
    for (event, range) in Parser::new_ext(body, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        let passage = passages.last_mut().expect("there is always one");
        match event {
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::CodeBlock(_)) => {
                depth += 1;
                passage.push(GAP);
            }
            Event::End(TagEnd::Link | TagEnd::Image) => depth = depth.saturating_sub(1),
            Event::Text(text) if depth == 0 => push(passage, &text, body, &range),
            Event::SoftBreak | Event::HardBreak if depth == 0 => passage.push(' '),
            Event::Code(_) if depth == 0 => passage.push(GAP),
            Event::End(end) if is_block(end) => {
                depth -= usize::from(end == TagEnd::CodeBlock);
                passages.push(String::new());
            }
            _ => {}
        }
    }
    passages.retain(|passage| passage.contains('@'));
    passages
}

/// What is escaped is meant as it stands: `\@ann` mentions nobody.
fn push(passage: &mut String, text: &str, body: &str, range: &Range<usize>) {
    let is_escaped = text.starts_with('@') && body[..range.start].ends_with('\\');
    if is_escaped {
        passage.push(GAP);
    }
    passage.push_str(text.strip_prefix('@').filter(|_| is_escaped).unwrap_or(text));
}

fn is_block(end: TagEnd) -> bool {
    !matches!(end, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image)
}

/// What follows each `@` of a passage by which somebody may be mentioned: not in `ann@example.com`, and not in an address
/// that is written out.
pub fn candidates(passage: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = 0;
    for word in passage.split_inclusive(char::is_whitespace) {
        let address = ["://", "www."].into_iter().filter_map(|sign| word.find(sign)).min().unwrap_or(word.len());
        let mut before = None;
        for (at, c) in word[..address].char_indices() {
            if c == '@' && !before.is_some_and(holds_on) {
                found.push(&passage[start + at + 1..]);
            }
            before = Some(c);
        }
        start += word.len();
    }
    found
}

/// Whether what comes after this belongs to it.
fn holds_on(c: char) -> bool {
    (c.is_alphanumeric() && !has_no_spaces(c)) || matches!(c, '_' | '@' | '/' | '.' | '+' | '-' | '=' | '&')
}
