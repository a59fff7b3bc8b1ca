//! Words that are not welcome, however they are disguised.

use std::{collections::HashMap, ops::Range};

use jackfield_plugin::prelude::*;
use unicode_normalization::UnicodeNormalization;

/// A list of words and phrases. A `*` at the end of one stands for whatever a word goes on with, and at the beginning for
/// whatever it begins with.
///
/// They stand in a tree, letter by letter, in which all of them are looked for at once; so a long list takes hardly longer
/// than a short one.
#[data]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct WordList {
    words: Vec<String>,
    tree: Tree,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tree {
    branches: HashMap<(usize, char), usize>,
    /// Which words end at a node, of those that may begin anywhere, and of those that begin a word.
    ends: Vec<[Option<End>; 2]>,
}

/// Where a word of the text may be at the end of a word of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    OfWord,
    Anywhere,
}

impl From<Vec<String>> for WordList {
    fn from(words: Vec<String>) -> Self {
        let mut tree = Tree { branches: HashMap::new(), ends: vec![[None; 2]] };
        for word in &words {
            tree.add(word);
        }
        Self { words, tree }
    }
}

impl From<WordList> for Vec<String> {
    fn from(list: WordList) -> Self {
        list.words
    }
}

impl WordList {
    /// Where words of the list stand in a text.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let letters = Letters::of(text);
        let mut found = Vec::new();
        for start in 0..letters.folded.len() {
            if let Some(end) = self.tree.longest(&letters, start) {
                found.push(letters.at[start]..letters.at[end]);
            }
        }
        found
    }
}

impl Tree {
    fn add(&mut self, word: &str) {
        let (begins, ends) = (word.strip_prefix('*'), word.strip_suffix('*').is_some());
        let letters = Letters::of(begins.unwrap_or(word).trim_end_matches('*')).folded;
        let Some(first) = letters.first().filter(|first| **first != ' ') else { return };
        // Where words are not kept apart, nothing shows where one begins or ends.
        let is_open = |c: &char| has_no_spaces(*c);
        let anywhere = begins.is_some() || is_open(first);
        let end = if ends || letters.last().is_some_and(is_open) { End::Anywhere } else { End::OfWord };
        let mut node = 0;
        for letter in letters {
            let next = self.ends.len();
            node = *self.branches.entry((node, letter)).or_insert(next);
            if node == next {
                self.ends.push([None; 2]);
            }
        }
        let there = &mut self.ends[node][usize::from(!anywhere)];
        *there = (*there).max(Some(end));
    }

    /// The end of the longest word that begins here.
    fn longest(&self, letters: &Letters, start: usize) -> Option<usize> {
        let begins_a_word = start == 0 || !is_of_word(letters.folded[start - 1]);
        let mut node = 0;
        let mut longest = None;
        for (place, letter) in letters.folded.iter().enumerate().skip(start) {
            let Some(next) = self.branches.get(&(node, *letter)) else { break };
            node = *next;
            let [anywhere, of_word] = self.ends[node];
            let end = anywhere.max(of_word.filter(|_| begins_a_word));
            let is_end = letters.folded.get(place + 1).is_none_or(|next| !is_of_word(*next));
            if end == Some(End::Anywhere) || (end == Some(End::OfWord) && is_end) {
                longest = Some(place + 1);
            }
        }
        longest
    }
}

/// A text as it is compared.
struct Letters {
    folded: Vec<char>,
    /// Where each of them begins in the text, and where the text ends.
    at: Vec<usize>,
}

impl Letters {
    fn of(text: &str) -> Self {
        let mut letters = Self { folded: Vec::new(), at: Vec::new() };
        for (at, c) in text.char_indices() {
            for letter in fold(c) {
                // One blank is as good as many.
                if letter == ' ' && letters.folded.last() == Some(&' ') {
                    continue;
                }
                letters.folded.push(letter);
                letters.at.push(at);
            }
        }
        letters.at.push(text.len());
        letters
    }
}

/// A text as it is compared.
pub fn folded(text: &str) -> String {
    text.chars().flat_map(fold).collect()
}

/// Capitals, accents, letters of full width or in ornamental styles, and what cannot be seen make no difference.
fn fold(c: char) -> impl Iterator<Item = char> {
    let letters =
        std::iter::once(c).nfkd().filter(|c| !is_accent(*c) && !is_invisible(*c)).flat_map(char::to_lowercase);
    letters.map(|c| if c.is_whitespace() { ' ' } else { c })
}

/// Marks that are put on letters of any script. Those of one script alone are part of its spelling.
fn is_accent(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff)
}

pub fn is_invisible(c: char) -> bool {
    matches!(u32::from(c), 0xad | 0x34f | 0x61c | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2064 | 0xfe00..=0xfe0f | 0xfeff)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() && !has_no_spaces(c)
}

/// Characters of scripts that are written without spaces.
fn has_no_spaces(c: char) -> bool {
    matches!(u32::from(c), 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1100..=0x11ff | 0x1780..=0x17ff | 0x3040..=0x30ff | 0x31f0..=0x31ff
        | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}
