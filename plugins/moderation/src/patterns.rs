//! Patterns: regular expressions, searched in a time that is known beforehand.
//!
//! Each place of a pattern that stands for one character is a bit, and all that may go on from where the text is are the bits of
//! one number (Glushkov's automaton). So each character costs the same few steps, whatever the pattern and whatever the text;
//! the price is that a pattern has at most [`MAX_PLACES`] places, with its repetitions written out.

use std::ops::Range;

use jackfield_plugin::prelude::*;
use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSet, ClassSetItem, Flag, Flags, FlagsItemKind,
    GroupKind, RepetitionKind, RepetitionRange, parse::ParserBuilder,
};

/// As many as a number has bits.
pub const MAX_PLACES: usize = 64;
/// The stack in a component is small.
const MAX_NESTING: u32 = 24;

/// A regular expression without look-around and back-references. Capitals and small letters are the same to it; `\w`, `\d`, `\s` and
/// `\b` know ASCII alone. The longest stretch that begins first is found, so that `*?` is no different from `*`.
#[data]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    source: String,
    program: Program,
}

/// Places, each of them a bit.
type Places = u64;

#[derive(Clone, Debug, PartialEq)]
struct Program {
    /// Which places take a character: those of ASCII one by one, the others in stretches that begin with these.
    ascii: Vec<Places>,
    others: Vec<(u32, Places)>,
    /// One for each [`Boundary`], or a single one where the pattern does not ask for boundaries.
    steps: Vec<Steps>,
}

/// What may be next at a boundary between two characters.
#[derive(Clone, Debug, Default, PartialEq)]
struct Steps {
    first: Places,
    last: Places,
    forward: Table,
    backward: Table,
}

/// The places that follow any of some, four of these at a time.
type Table = [[Places; 16]; 16];

fn step(table: &Table, mut places: Places) -> Places {
    let mut next = 0;
    for part in table {
        if places == 0 {
            break;
        }
        next |= part[(places & 15) as usize];
        places >>= 4;
    }
    next
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        let parsed = ParserBuilder::new().nest_limit(MAX_NESTING).build().parse(&source);
        let program = parsed.map_err(|error| error.kind().to_string()).and_then(|ast| Program::of(&ast));
        let program = program.map_err(|why| format!("the pattern {source:?} is not good: {why}"))?;
        Ok(Self { source, program })
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.source
    }
}

impl Pattern {
    /// Where it stands in a text.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        self.program.find(text)
    }
}

/// What is known of a place between two characters, of which nothing but this matters to a pattern.
type Boundary = usize;
const WORD: Boundary = 1;
const START: Boundary = 2;
const END: Boundary = 4;
/// Nothing is found in a text that both begins and ends here.
const BOUNDARIES: usize = 6;

impl Program {
    fn of(ast: &Ast) -> Result<Self, String> {
        let mut steps = Vec::new();
        let mut sets = Vec::new();
        for boundary in 0..BOUNDARIES {
            let mut writer = Writer { boundary, sets: Vec::new(), follow: Vec::new(), asks: false };
            let part = writer.write(ast)?;
            steps.push(Steps::of(&part, &writer.follow));
            sets = writer.sets;
            if !writer.asks {
                break;
            }
        }
        let (ascii, others) = classes(&sets);
        Ok(Self { ascii, others, steps })
    }

    fn taking(&self, c: char) -> Places {
        match self.ascii.get(c as usize) {
            Some(places) => *places,
            None => self.others[self.others.partition_point(|(start, _)| *start <= u32::from(c)) - 1].1,
        }
    }

    /// From the end to the beginning first, so that it is known at each character what can still come of it: no stretch is
    /// followed in vain, and nothing is looked at more than twice.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let steps = |boundary: Boundary| if self.steps.len() == 1 { &self.steps[0] } else { &self.steps[boundary] };
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut hopeful: Vec<Hope> = Vec::with_capacity(text.len());
        let (mut next, mut next_is_word, mut end) = (0, false, END);
        for (at, c) in text.char_indices().rev() {
            let after = end | usize::from(is_word(c) != next_is_word);
            let there = steps(after);
            next = self.taking(c) & (there.last | step(&there.backward, next));
            (next_is_word, end) = (is_word(c), 0);
            hopeful.push(Hope { at, places: next, after });
        }
        let mut found = Vec::new();
        // What stands before the first character is of no word.
        let mut before = START | usize::from(next_is_word);
        let mut hopeful = hopeful.into_iter().rev();
        let mut start: Option<usize> = None;
        let (mut places, mut longest) = (0, 0);
        // A stretch goes on for as long as something can come of it, and where nothing can it has ended.
        for hope in hopeful.by_ref() {
            places = if start.is_some() { step(&steps(before).forward, places) & hope.places } else { 0 };
            if places == 0 {
                found.extend(start.take().map(|start| start..longest));
                places = steps(before).first & hope.places;
                start = (places != 0).then_some(hope.at);
            }
            before = hope.after;
            if places & steps(before).last != 0 {
                longest = hope.at + text[hope.at..].chars().next().map_or(0, char::len_utf8);
            }
        }
        found.extend(start.map(|start| start..longest));
        found
    }
}

/// From which places on a match can still be had, with the character at a place in the text.
struct Hope {
    at: usize,
    places: Places,
    after: Boundary,
}

impl Steps {
    fn of(part: &Part, follow: &[Places]) -> Self {
        let mut steps = Self { first: part.first, last: part.last, ..Self::default() };
        let mut backward = vec![0; follow.len()];
        for (place, next) in follow.iter().enumerate() {
            bits(*next).for_each(|next| backward[next] |= 1 << place);
        }
        (steps.forward, steps.backward) = (table(follow), table(&backward));
        steps
    }
}

fn table(follow: &[Places]) -> Table {
    let mut table = Table::default();
    for (place, next) in follow.iter().enumerate() {
        for some in (0..16).filter(|some| some >> (place % 4) & 1 == 1) {
            table[place / 4][some] |= next;
        }
    }
    table
}

fn bits(mut places: Places) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (places != 0).then(|| places.trailing_zeros() as usize)?;
        places &= places - 1;
        Some(place)
    })
}

/// Part of a pattern: where it can begin and end, and whether it can be passed over.
struct Part {
    first: Places,
    last: Places,
    is_empty: bool,
}

const NOTHING: Part = Part { first: 0, last: 0, is_empty: true };
const NEVER: Part = Part { first: 0, last: 0, is_empty: false };

/// Gives each character of a pattern its place. What a pattern asks of a boundary is answered beforehand, for one kind of boundary
/// at a time: it is nothing there, or can never be.
struct Writer {
    boundary: Boundary,
    asks: bool,
    sets: Vec<Set>,
    follow: Vec<Places>,
}

impl Writer {
    fn write(&mut self, ast: &Ast) -> Result<Part, String> {
        match ast {
            Ast::Empty(_) => Ok(NOTHING),
            Ast::Flags(set) => only_ignoring_case(&set.flags).map(|()| NOTHING),
            Ast::Literal(literal) => self.place(Set::of([(literal.c.into(), literal.c.into())]).in_any_case()),
            Ast::Dot(_) => self.place(Set::of([('\n'.into(), '\n'.into())]).complement()),
            Ast::Assertion(assertion) => self.ask(assertion),
            Ast::ClassPerl(class) => self.place(perl(class)),
            Ast::ClassBracketed(class) => {
                let set = Set::of(items(&class.kind)?).in_any_case();
                self.place(if class.negated { set.complement() } else { set })
            }
            Ast::ClassUnicode(_) => Err("it cannot use Unicode classes: write the letters, such as [а-я]".to_owned()),
            Ast::Group(group) => {
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    only_ignoring_case(flags)?;
                }
                self.write(&group.ast)
            }
            Ast::Alternation(alternation) => {
                let mut whole = NEVER;
                for ast in &alternation.asts {
                    let part = self.write(ast)?;
                    whole = Part {
                        first: whole.first | part.first,
                        last: whole.last | part.last,
                        is_empty: whole.is_empty || part.is_empty,
                    };
                }
                Ok(whole)
            }
            Ast::Concat(concat) => concat.asts.iter().try_fold(NOTHING, |before, ast| {
                let part = self.write(ast)?;
                Ok(self.join(before, part))
            }),
            Ast::Repetition(repetition) => match &repetition.op.kind {
                RepetitionKind::ZeroOrOne => self.repeat(&repetition.ast, 0, Some(1)),
                RepetitionKind::ZeroOrMore => self.repeat(&repetition.ast, 0, None),
                RepetitionKind::OneOrMore => self.repeat(&repetition.ast, 1, None),
                RepetitionKind::Range(RepetitionRange::Exactly(count)) => {
                    self.repeat(&repetition.ast, *count, Some(*count))
                }
                RepetitionKind::Range(RepetitionRange::AtLeast(least)) => self.repeat(&repetition.ast, *least, None),
                RepetitionKind::Range(RepetitionRange::Bounded(least, most)) => {
                    self.repeat(&repetition.ast, *least, Some(*most))
                }
            },
        }
    }

    fn place(&mut self, set: Set) -> Result<Part, String> {
        let place = self.sets.len();
        if place == MAX_PLACES {
            return Err(format!(
                "it has more than {MAX_PLACES} characters, with its repetitions written out: make it shorter, or split it"
            ));
        }
        self.sets.push(set);
        self.follow.push(0);
        Ok(Part { first: 1 << place, last: 1 << place, is_empty: false })
    }

    fn join(&mut self, before: Part, after: Part) -> Part {
        bits(before.last).for_each(|place| self.follow[place] |= after.first);
        Part {
            first: before.first | if before.is_empty { after.first } else { 0 },
            last: after.last | if after.is_empty { before.last } else { 0 },
            is_empty: before.is_empty && after.is_empty,
        }
    }

    /// Writes it out as often as it may be there; what may be there without end goes round in a circle at last.
    fn repeat(&mut self, ast: &Ast, least: u32, most: Option<u32>) -> Result<Part, String> {
        // What takes no character takes no place either, however often it is repeated.
        let (least, most) =
            if takes_nothing(ast) { (least.min(1), most.map(|most| most.min(1))) } else { (least, most) };
        let mut whole = NOTHING;
        for number in 0..most.unwrap_or(least.max(1)) {
            let mut part = self.write(ast)?;
            if most.is_none() && number + 1 == least.max(1) {
                bits(part.last).for_each(|place| self.follow[place] |= part.first);
            }
            part.is_empty |= number >= least;
            whole = self.join(whole, part);
        }
        Ok(whole)
    }

    fn ask(&mut self, assertion: &Assertion) -> Result<Part, String> {
        self.asks = true;
        let is_at = |what| self.boundary & what != 0;
        let is_true = match assertion.kind {
            AssertionKind::StartLine | AssertionKind::StartText => is_at(START),
            AssertionKind::EndLine | AssertionKind::EndText => is_at(END),
            AssertionKind::WordBoundary => is_at(WORD),
            AssertionKind::NotWordBoundary => !is_at(WORD),
            _ => return Err("of boundaries it can use \\b, \\B, ^ and $".to_owned()),
        };
        Ok(if is_true { NOTHING } else { NEVER })
    }
}

fn takes_nothing(ast: &Ast) -> bool {
    match ast {
        Ast::Empty(_) | Ast::Flags(_) | Ast::Assertion(_) => true,
        Ast::Group(group) => takes_nothing(&group.ast),
        Ast::Repetition(repetition) => takes_nothing(&repetition.ast),
        Ast::Concat(concat) => concat.asts.iter().all(takes_nothing),
        Ast::Alternation(alternation) => alternation.asts.iter().all(takes_nothing),
        _ => false,
    }
}

fn only_ignoring_case(flags: &Flags) -> Result<(), String> {
    let is_it = |kind: &FlagsItemKind| matches!(kind, FlagsItemKind::Flag(Flag::CaseInsensitive));
    if flags.items.iter().all(|item| is_it(&item.kind)) { Ok(()) } else { Err("it cannot use flags".to_owned()) }
}

/// Stretches of characters, in order and apart from each other.
#[derive(Clone, Debug, Default)]
struct Set(Vec<(u32, u32)>);

impl Set {
    fn of(stretches: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut stretches: Vec<(u32, u32)> = stretches.into_iter().collect();
        stretches.sort_unstable();
        let mut set: Vec<(u32, u32)> = Vec::new();
        for (start, end) in stretches {
            match set.last_mut() {
                Some(last) if start <= last.1.saturating_add(1) => last.1 = last.1.max(end),
                _ => set.push((start, end)),
            }
        }
        Self(set)
    }

    fn complement(&self) -> Self {
        let mut next = 0;
        let mut set = Vec::new();
        for (start, end) in &self.0 {
            if next < *start {
                set.push((next, start - 1));
            }
            next = end + 1;
        }
        if next <= u32::from(char::MAX) {
            set.push((next, char::MAX.into()));
        }
        Self(set)
    }

    /// Whole scripts have their capitals with them.
    fn in_any_case(self) -> Self {
        const MAX_LETTERS: u32 = 256;
        let mut stretches = self.0;
        for at in 0..stretches.len() {
            let (start, end) = stretches[at];
            if end - start < MAX_LETTERS {
                for c in (start..=end).filter_map(char::from_u32).filter(|c| c.is_alphabetic()) {
                    let others = c.to_lowercase().chain(c.to_uppercase()).filter(|other| *other != c);
                    // What is one letter here and two there is not the same as any letter.
                    let is_single = c.to_uppercase().count() == 1;
                    stretches.extend(others.filter(|_| is_single).map(|other| (other.into(), other.into())));
                }
            }
        }
        Self::of(stretches)
    }
}

fn perl(class: &ClassPerl) -> Set {
    let of =
        |stretches: &[(char, char)]| Set::of(stretches.iter().map(|(start, end)| (u32::from(*start), u32::from(*end))));
    let set = match class.kind {
        ClassPerlKind::Digit => of(&[('0', '9')]),
        ClassPerlKind::Space => of(&[('\t', '\r'), (' ', ' ')]),
        ClassPerlKind::Word => of(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
    };
    if class.negated { set.complement() } else { set }
}

fn items(class: &ClassSet) -> Result<Vec<(u32, u32)>, String> {
    match class {
        ClassSet::Item(item) => stretches(item),
        ClassSet::BinaryOp(_) => {
            Err("in brackets it can use characters, stretches such as a-z, \\w, \\d and \\s".to_owned())
        }
    }
}

fn stretches(item: &ClassSetItem) -> Result<Vec<(u32, u32)>, String> {
    match item {
        ClassSetItem::Empty(_) => Ok(Vec::new()),
        ClassSetItem::Literal(literal) => Ok(vec![(literal.c.into(), literal.c.into())]),
        ClassSetItem::Range(range) => Ok(vec![(range.start.c.into(), range.end.c.into())]),
        ClassSetItem::Perl(class) => Ok(perl(class).0),
        ClassSetItem::Union(union) => {
            let parts: Result<Vec<_>, String> = union.items.iter().map(stretches).collect();
            Ok(parts?.concat())
        }
        ClassSetItem::Bracketed(class) => {
            let set = Set::of(items(&class.kind)?).in_any_case();
            Ok(if class.negated { set.complement() } else { set }.0)
        }
        ClassSetItem::Ascii(_) | ClassSetItem::Unicode(_) => {
            Err("in brackets it can use characters, stretches such as a-z, \\w, \\d and \\s".to_owned())
        }
    }
}

/// Which places take a character: from all sets at once.
fn classes(sets: &[Set]) -> (Vec<Places>, Vec<(u32, Places)>) {
    let mut changes: Vec<(u32, Places)> = Vec::new();
    for (place, set) in sets.iter().enumerate() {
        changes.extend(set.0.iter().flat_map(|(start, end)| [(*start, 1 << place), (end + 1, 1 << place)]));
    }
    changes.sort_unstable();
    let (mut ascii, mut others, mut places) = (Vec::with_capacity(128), Vec::new(), 0);
    for (start, change) in changes {
        while ascii.len() < start.min(128) as usize {
            ascii.push(places);
        }
        if start > 128 && others.is_empty() {
            others.push((128, places));
        }
        places ^= change;
        if start >= 128 {
            others.push((start, places));
        }
    }
    ascii.resize(128, places);
    if others.is_empty() {
        others.push((128, places));
    }
    (ascii, others)
}
