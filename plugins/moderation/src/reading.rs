//! A message as it is looked at: as it was written, and as the hub shows it. Both count, for people see either.

use std::{borrow::Cow, cell::OnceCell, ops::Range};

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag};

use crate::{
    letters::{Letter, letters},
    words::Symbols,
};

pub struct Reading<'a> {
    pub written: View<'a>,
    /// Nothing where it is shown as it was written.
    pub shown: Option<View<'a>>,
    /// Where its links lead, and where they stand in what was written.
    pub targets: Vec<(String, Range<usize>)>,
    letters: OnceCell<Vec<Letter>>,
    symbols: OnceCell<Vec<Symbols>>,
}

/// A text of which each piece comes from a place in what was written.
pub struct View<'a> {
    pub text: Cow<'a, str>,
    pieces: Vec<Piece>,
}

struct Piece {
    shown: Range<usize>,
    written: Range<usize>,
}

/// What may be the beginning of something that is shown otherwise than it is written. Bare links are not, lists and headings are
/// but for their first character.
const MARKUP: [char; 8] = ['&', '\\', '*', '_', '~', '`', '[', '<'];

/// To look at more of these takes more time than there is. A page of source code has a few hundred.
const MAX_MARKS: usize = 2_500;

impl<'a> Reading<'a> {
    pub fn of(written: &'a str) -> Self {
        let all = 0..written.len();
        let view = View::of(Cow::Borrowed(written), vec![Piece { shown: all.clone(), written: all }]);
        let mut reading = Self {
            written: view,
            shown: None,
            targets: Vec::new(),
            letters: OnceCell::new(),
            symbols: OnceCell::new(),
        };
        if written.contains(MARKUP) && !reading.is_too_much() {
            reading.show(written);
        }
        reading
    }

    /// Whether there is so much markup that nobody knows how it is shown.
    pub fn is_too_much(&self) -> bool {
        let is_mark = |c: &u8| c.is_ascii_punctuation() || *c == b'\n';
        self.written.text.contains(MARKUP) && self.written.text.bytes().filter(is_mark).count() > MAX_MARKS
    }

    /// As the hub does when it makes HTML of it.
    fn show(&mut self, written: &'a str) {
        let mut text = String::with_capacity(written.len());
        let mut pieces: Vec<Piece> = Vec::new();
        for (event, range) in Parser::new_ext(written, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
            match event {
                Event::Text(part) | Event::Code(part) | Event::Html(part) | Event::InlineHtml(part) => {
                    let start = text.len();
                    text.push_str(&part);
                    // Where it stands there as it is, its characters have places; else it has one as a whole.
                    let inner = written[range.clone()].find(&*part);
                    let range = inner.map_or(range.clone(), |at| range.start + at..range.start + at + part.len());
                    match pieces.last_mut() {
                        Some(last) if inner.is_some() && last.is_as_written() && last.meets(start, range.start) => {
                            (last.shown.end, last.written.end) = (text.len(), range.end);
                        }
                        _ => pieces.push(Piece { shown: start..text.len(), written: range }),
                    }
                }
                Event::Start(Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. }) => {
                    let scheme = if link_type == LinkType::Email { "mailto:" } else { "" };
                    self.targets.push((format!("{scheme}{dest_url}"), range));
                }
                Event::SoftBreak | Event::HardBreak => text.push('\n'),
                Event::End(end) if is_block(end) => text.push('\n'),
                _ => {}
            }
        }
        self.shown = Some(View::of(Cow::Owned(text), pieces));
    }

    pub fn views(&self) -> impl Iterator<Item = &View<'a>> {
        std::iter::once(&self.written).chain(&self.shown)
    }

    /// The letters of a message are looked at once, for all rules.
    pub fn letters(&self) -> &[Letter] {
        self.letters.get_or_init(|| letters(&self.written.text))
    }

    /// Those of each view. Letters that are shown as they are written are not looked at again.
    pub fn symbols(&self) -> &[Symbols] {
        self.symbols.get_or_init(|| {
            let of = |letters: &[Letter], view: &View| Symbols::of(letters.iter().copied(), view.text.len());
            let mut symbols = vec![of(self.letters(), &self.written)];
            symbols.extend(self.shown.iter().map(|shown| of(&shown.letters(self.letters()), shown)));
            symbols
        })
    }
}

fn is_block(end: pulldown_cmark::TagEnd) -> bool {
    use pulldown_cmark::TagEnd::{Emphasis, Image, Link, Strikethrough, Strong};
    !matches!(end, Emphasis | Strong | Strikethrough | Link | Image)
}

impl Piece {
    fn is_as_written(&self) -> bool {
        self.shown.len() == self.written.len()
    }

    fn meets(&self, shown: usize, written: usize) -> bool {
        self.shown.end == shown && self.written.end == written
    }

    /// The part of what was written that is shown within a range.
    fn within(&self, range: &Range<usize>) -> Range<usize> {
        if !self.is_as_written() {
            return self.written.clone();
        }
        let start = range.start.max(self.shown.start) - self.shown.start;
        let end = range.end.min(self.shown.end) - self.shown.start;
        self.written.start + start..self.written.start + end
    }
}

impl<'a> View<'a> {
    fn of(text: Cow<'a, str>, pieces: Vec<Piece>) -> Self {
        Self { text, pieces }
    }

    fn letters(&self, written: &[Letter]) -> Vec<Letter> {
        let mut shown = Vec::with_capacity(written.len());
        let mut end = 0;
        for piece in &self.pieces {
            // Between pieces there are line breaks.
            shown.extend(letters(&self.text[end..piece.shown.start]).into_iter().map(|blank| moved(blank, 0, end)));
            end = piece.shown.end;
            let (from, to) = (piece.written.start, piece.shown.start);
            if piece.is_as_written() {
                let first = written.partition_point(|letter| (letter.at as usize) < from);
                let within = written[first..].iter().take_while(|letter| (letter.at as usize) < piece.written.end);
                shown.extend(within.map(|letter| moved(*letter, from, to)));
            } else {
                shown.extend(letters(&self.text[piece.shown.clone()]).into_iter().map(|letter| moved(letter, 0, to)));
            }
        }
        shown
    }

    /// Where that which stands here was written.
    pub fn written(&self, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let first = self.pieces.partition_point(|piece| piece.shown.end <= range.start);
        let end = range.end;
        self.pieces[first..]
            .iter()
            .take_while(move |piece| piece.shown.start < end)
            .map(move |piece| piece.within(&range))
    }
}

/// What begins at `from` in one text begins at `to` in another.
fn moved(letter: Letter, from: usize, to: usize) -> Letter {
    Letter { at: (letter.at as usize - from + to) as u32, ..letter }
}
