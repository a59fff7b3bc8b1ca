//! Words that are not welcome, however they are disguised.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    ops::Range,
};

use unicode_normalization::char::compose;

use crate::letters::{Letter, has_no_spaces, letters};

/// The words and phrases of all rules. A `*` at the end of one stands for whatever a word goes on with, and at the beginning for
/// whatever it begins with.
///
/// All of them are looked for at once (Aho and Corasick): a step a symbol of the text, however many there are and whatever they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    branches: HashMap<(u32, char), u32, BuildHasherDefault<Mixer>>,
    nodes: Vec<Node>,
    /// What can be found, to which nodes point: the longest word of each rule. Most find nothing, which is the first.
    finds: Vec<Vec<Find>>,
}

/// What has been read so far ends like the beginning of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Node {
    parent: u32,
    letter: char,
    /// The longest other beginning of a word with which it ends, too.
    fallback: u32,
    finds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Find {
    rule: usize,
    symbols: usize,
}

/// Between two letters stands where words begin and end, as a symbol of its own, so that the automaton need not look around.
/// None stands within a word.
pub const EDGE: char = '\u{1}';
/// The same between two that are both of no word.
pub const GAP: char = '\u{2}';

impl Words {
    /// Words, each with the place of its rule.
    pub fn of<'a>(words: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let words: Vec<(usize, Vec<char>)> = words.map(|(rule, word)| (rule, sought(word))).collect();
        let room = words.iter().map(|(_, word)| word.len()).sum();
        let branches = HashMap::with_capacity_and_hasher(room, BuildHasherDefault::default());
        let mut all = Self { branches, nodes: Vec::with_capacity(room + 1), finds: vec![Vec::new()] };
        all.nodes.push(Node::default());
        let mut levels = Vec::new();
        for (rule, word) in words {
            all.add(rule, &word, &mut levels);
        }
        for node in levels.into_iter().flatten() {
            all.connect(node);
        }
        all
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.len() == 1
    }

    /// Tells where words stand in a text, and of which rule they are.
    pub fn find(&self, text: &Symbols, mut tell: impl FnMut(usize, Range<usize>)) {
        let mut node = 0;
        for (place, symbol) in text.0.iter().enumerate() {
            node = self.next(node, symbol.letter);
            for find in &self.finds[self.nodes[node as usize].finds as usize] {
                tell(find.rule, text.0[place + 1 - find.symbols].start as usize..symbol.end as usize);
            }
        }
    }

    fn add(&mut self, rule: usize, word: &[char], levels: &mut Vec<Vec<u32>>) {
        if word.is_empty() {
            return;
        }
        let mut node = 0;
        for (depth, letter) in word.iter().enumerate() {
            let next = self.nodes.len() as u32;
            let parent = node;
            node = *self.branches.entry((node, *letter)).or_insert(next);
            if node == next {
                self.nodes.push(Node { parent, letter: *letter, ..Node::default() });
                levels.resize_with(levels.len().max(depth + 1), Vec::new);
                levels[depth].push(node);
            }
        }
        let there = &mut self.nodes[node as usize].finds;
        if *there == 0 {
            *there = self.finds.len() as u32;
            self.finds.push(Vec::new());
        }
        let finds = &mut self.finds[*there as usize];
        if finds.iter().all(|find| find.rule != rule) {
            finds.push(Find { rule, symbols: word.len() });
        }
    }

    /// Finds where to go on when the text does not. All shorter beginnings of words are connected already.
    fn connect(&mut self, node: u32) {
        let Node { parent, letter, finds, .. } = self.nodes[node as usize];
        let fallback = if parent == 0 { 0 } else { self.next(self.nodes[parent as usize].fallback, letter) };
        self.nodes[node as usize].fallback = fallback;
        let shorter = self.nodes[fallback as usize].finds;
        if finds == 0 {
            self.nodes[node as usize].finds = shorter;
        } else {
            let shorter = self.finds[shorter as usize].clone();
            let longer = &mut self.finds[finds as usize];
            for find in shorter {
                if longer.iter().all(|known| known.rule != find.rule) {
                    longer.push(find);
                }
            }
        }
    }

    fn next(&self, mut node: u32, letter: char) -> u32 {
        loop {
            match self.branches.get(&(node, letter)) {
                Some(next) => return *next,
                None if node == 0 => return 0,
                None => node = self.nodes[node as usize].fallback,
            }
        }
    }
}

/// The symbols of a word of the list; none of one that says nothing.
pub fn sought(word: &str) -> Vec<char> {
    let (begins, ends) = (word.strip_prefix('*'), word.ends_with('*'));
    let word = begins.unwrap_or(word).trim_end_matches('*');
    let symbols = Symbols::of(letters(word).into_iter(), word.len()).0;
    let mut letters: &[Symbol] = &symbols;
    let (Some(first), Some(last)) = (letters.get(1), letters.len().checked_sub(2).and_then(|at| letters.get(at)))
    else {
        return Vec::new();
    };
    if symbols.iter().all(|symbol| matches!(symbol.letter, ' ' | EDGE | GAP)) {
        return Vec::new();
    }
    // Where words are not kept apart, nothing shows where one begins or ends.
    let (begins_anywhere, ends_anywhere) =
        (begins.is_some() || has_no_spaces(first.letter), ends || has_no_spaces(last.letter));
    letters = &letters[usize::from(begins_anywhere)..letters.len() - usize::from(ends_anywhere)];
    letters.iter().map(|symbol| symbol.letter).collect()
}

/// A text as words are looked for in it.
#[derive(Default)]
pub struct Symbols(Vec<Symbol>);

struct Symbol {
    letter: char,
    /// Where it begins in the text, and where the next letter does.
    start: u32,
    end: u32,
}

impl Symbols {
    /// The letters of a text of this many bytes.
    pub fn of(letters: impl Iterator<Item = Letter>, bytes: usize) -> Self {
        let mut symbols = Self(Vec::with_capacity(bytes + 2));
        // Outside there are no words.
        let (mut before, mut is_within) = (None, false);
        for Letter { folded: letter, is_of_word, at } in letters {
            // One blank is as good as many.
            if letter == ' ' && before == Some(' ') || symbols.completes_syllable(letter) {
                continue;
            }
            symbols.part(is_within, is_of_word, at);
            symbols.push(letter, at);
            (before, is_within) = (Some(letter), is_of_word);
        }
        symbols.part(is_within, false, bytes as u32);
        symbols
    }

    fn part(&mut self, is_within: bool, goes_on: bool, at: u32) {
        if let Some(last) = self.0.last_mut() {
            last.end = at;
        }
        match (is_within, goes_on) {
            (true, true) => {}
            (false, false) => self.push(GAP, at),
            _ => self.push(EDGE, at),
        }
    }

    fn push(&mut self, letter: char, at: u32) {
        self.0.push(Symbol { letter, start: at, end: at });
    }

    /// Korean may be written letter by letter, and is compared by its syllables.
    fn completes_syllable(&mut self, letter: char) -> bool {
        if !matches!(letter, '\u{1161}'..='\u{11c2}') {
            return false;
        }
        let last = self.0.last_mut().and_then(|last| Some((compose(last.letter, letter)?, last)));
        last.map(|(syllable, last)| last.letter = syllable).is_some()
    }
}

/// Mixes what is looked up quickly. Nobody but the admin chooses what stands in the table, so that nobody can make it slow.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
