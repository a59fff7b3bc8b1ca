//! A rule, and whether a message breaks it.

use std::ops::Range;

use jackfield_plugin::prelude::*;
use regex_lite::{Regex, RegexBuilder};

use crate::{links, rates, words::WordList};

/// A rule as an admin writes it.
#[data]
pub struct Rule {
    #[serde(flatten)]
    check: Check,
    pub action: Action,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    strikes: Option<u32>,
}

/// What it looks for.
#[data]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Check {
    Words {
        words: WordList,
    },
    Pattern {
        pattern: Pattern,
    },
    /// Links to other domains than these, to these, or at all.
    Links {
        #[serde(default)]
        only: Vec<String>,
        #[serde(default)]
        never: Vec<String>,
    },
    Flood {
        messages: u32,
        seconds: u32,
    },
    Duplicates {
        times: u32,
        seconds: u32,
    },
    Capitals {
        #[serde(default = "seventy")]
        percent: u32,
        #[serde(default = "twenty")]
        min_letters: u32,
    },
    NewMembers {
        hours: u32,
        #[serde(default)]
        messages: Option<u32>,
        #[serde(default = "yes")]
        links: bool,
    },
}

fn seventy() -> u32 {
    70
}

fn twenty() -> u32 {
    20
}

fn yes() -> bool {
    true
}

/// What is done about it, the sternest first.
#[data]
#[derive(Copy, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Reject,
    Hold,
    Mask,
    Flag,
}

/// A regular expression whose search takes time in proportion to the text, whatever it is.
#[data]
#[serde(try_from = "String", into = "String")]
struct Pattern(Compiled);

#[derive(Clone, Debug)]
struct Compiled(Regex);

impl PartialEq for Compiled {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

/// A pattern becomes a program of at most this size, each step of which may be at each character of a message.
const PATTERN_MAX_BYTES: usize = 64 * 1024;

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(source: String) -> Result<Self, String> {
        let regex = RegexBuilder::new(&source).case_insensitive(true).size_limit(PATTERN_MAX_BYTES).build();
        regex.map(|regex| Self(Compiled(regex))).map_err(|error| format!("the pattern {source:?} is not good: {error}"))
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0.0.as_str().to_owned()
    }
}

/// Somebody wants to say something.
pub struct Occasion<'a> {
    /// Nothing where it is encrypted.
    pub text: &'a str,
    pub author: &'a User,
    /// It is a message of its own, and not another version of one.
    pub is_new: bool,
}

impl Rule {
    /// The places by which the rule is broken, none of them where it is broken as a whole; nothing where it is not. `place`
    /// is where the rule stands among the rules.
    pub fn broken_by(&self, place: usize, occasion: &Occasion) -> Result<Option<Vec<Range<usize>>>> {
        let Occasion { text, author, is_new } = *occasion;
        let as_a_whole = |is_broken: bool| is_broken.then(Vec::new);
        let by = |places: Vec<Range<usize>>| (!places.is_empty()).then_some(places);
        Ok(match &self.check {
            Check::Words { words } => by(words.find(text)),
            Check::Pattern { pattern: Pattern(Compiled(regex)) } => {
                by(regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty()).collect())
            }
            Check::Links { only, never } => by(links::unwanted(text, only, never)),
            Check::Flood { messages, seconds } => {
                as_a_whole(is_new && rates::count(&format!("flood/{place}"), &author.id, *seconds)? > *messages)
            }
            Check::Duplicates { times, seconds } => {
                as_a_whole(is_new && rates::repetitions(place, &author.id, text, *seconds)? > *times)
            }
            Check::Capitals { percent, min_letters } => as_a_whole(is_shouting(text, *percent, *min_letters)),
            Check::NewMembers { hours, messages, links } => {
                if clock::now() - author.created_at >= i64::from(*hours) * 3_600_000 {
                    return Ok(None);
                }
                let too_many = match messages {
                    Some(messages) if is_new => rates::count(&format!("new/{place}"), &author.id, 3600)? > *messages,
                    _ => false,
                };
                as_a_whole(too_many || (!links && !links::unwanted(text, &[], &[]).is_empty()))
            }
        })
    }

    /// Only what stands at a place can be masked.
    pub fn can_be_done(&self) -> bool {
        let has_places = matches!(self.check, Check::Words { .. } | Check::Pattern { .. } | Check::Links { .. });
        self.action != Action::Mask || has_places
    }

    /// What moderators read.
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.usual().0.to_owned())
    }

    pub fn strikes(&self) -> u32 {
        self.strikes.unwrap_or(u32::from(self.action <= Action::Hold))
    }

    /// What the sender reads, and what else there is to say to them.
    pub fn refusal(&self, also: Option<&str>) -> Refusal {
        let (_, code, usual) = self.usual();
        let reason = self.reason.as_deref().unwrap_or(usual);
        Refusal::new(code, also.map_or_else(|| reason.to_owned(), |also| format!("{reason} {also}")))
    }

    fn usual(&self) -> (&'static str, &'static str, &'static str) {
        match self.check {
            Check::Words { .. } => ("words", "WORD_NOT_ALLOWED", "This contains a word that is not welcome here."),
            Check::Pattern { .. } => {
                ("pattern", "TEXT_NOT_ALLOWED", "This contains something that is not welcome here.")
            }
            Check::Links { .. } => ("links", "LINK_NOT_ALLOWED", "This link is not welcome here."),
            Check::Flood { .. } => ("flood", "TOO_MANY_MESSAGES", "That was a lot at once. Wait a moment."),
            Check::Duplicates { .. } => ("duplicates", "REPEATED_MESSAGE", "You have said that already."),
            Check::Capitals { .. } => ("capitals", "TOO_MANY_CAPITALS", "There is no need to shout."),
            Check::NewMembers { .. } => ("new members", "TOO_NEW", "You are new here, and may do this later."),
        }
    }
}

/// Letters of scripts without capitals do not count.
fn is_shouting(text: &str, percent: u32, min_letters: u32) -> bool {
    let capitals = text.chars().filter(|c| c.is_uppercase()).count();
    let letters = capitals + text.chars().filter(|c| c.is_lowercase()).count();
    letters >= min_letters as usize && capitals * 100 >= letters * percent as usize
}
