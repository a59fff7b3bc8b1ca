//! A rule, and whether a message breaks it.

use std::{cell::OnceCell, ops::Range};

use jackfield_plugin::prelude::*;

use crate::{
    links::{self, Domains, Link},
    patterns::Pattern,
    rates,
    reading::Reading,
    words::{self, Words},
};

/// A rule, ready to be asked. What an admin wrote may be none: that is kept, too, so that it can be told where it stands.
#[data]
#[serde(from = "Written", into = "Written")]
pub struct Rule {
    pub action: Action,
    written: Written,
    check: Result<Check, Fault>,
}

/// A rule as an admin writes it.
#[data]
#[serde(deny_unknown_fields)]
struct Written {
    kind: Kind,
    action: Action,
    name: Option<String>,
    reason: Option<String>,
    strikes: Option<u32>,
    words: Option<Vec<String>>,
    pattern: Option<String>,
    only: Option<Vec<String>>,
    never: Option<Vec<String>>,
    messages: Option<u32>,
    times: Option<u32>,
    seconds: Option<u32>,
    percent: Option<u32>,
    min_letters: Option<u32>,
    hours: Option<u32>,
    links: Option<bool>,
}

#[data]
#[derive(Copy, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Words,
    Pattern,
    Links,
    Flood,
    Duplicates,
    Capitals,
    NewMembers,
}

/// What it looks for.
#[derive(Clone, Debug, PartialEq)]
enum Check {
    Words(Vec<String>),
    Pattern(Pattern),
    /// Links to other domains than these, to these, or at all.
    Links {
        only: Domains,
        never: Domains,
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
        percent: u32,
        min_letters: u32,
    },
    NewMembers {
        hours: u32,
        messages: Option<u32>,
        links: bool,
    },
}

/// What is wrong with a rule, and with which field.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    pub field: &'static str,
    pub what: String,
}

impl Fault {
    fn new(field: &'static str, what: impl Into<String>) -> Self {
        Self { field, what: what.into() }
    }
}

impl From<Written> for Rule {
    fn from(written: Written) -> Self {
        Self { action: written.action, check: written.check(), written }
    }
}

impl From<Rule> for Written {
    fn from(rule: Rule) -> Self {
        rule.written
    }
}

impl Kind {
    /// The fields that rules of this kind have beside those that all have.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Words => &["words"],
            Self::Pattern => &["pattern"],
            Self::Links => &["only", "never"],
            Self::Flood => &["messages", "seconds"],
            Self::Duplicates => &["times", "seconds"],
            Self::Capitals => &["percent", "min_letters"],
            Self::NewMembers => &["hours", "messages", "links"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Pattern => "pattern",
            Self::Links => "links",
            Self::Flood => "flood",
            Self::Duplicates => "duplicates",
            Self::Capitals => "capitals",
            Self::NewMembers => "new_members",
        }
    }

    /// Only what stands at a place can be masked.
    fn has_places(self) -> bool {
        matches!(self, Self::Words | Self::Pattern | Self::Links)
    }
}

impl Written {
    fn check(&self) -> Result<Check, Fault> {
        self.has_no_fields_of_others()?;
        if self.action == Action::Mask && !self.kind.has_places() {
            return Err(Fault::new("action", "only words, patterns and links can be masked: reject, hold or flag it"));
        }
        let missing = |field: &'static str| {
            Fault::new(field, format!("missing field `{field}`, which rules of the kind `{}` need", self.kind.name()))
        };
        let number = |field, value: Option<u32>| value.ok_or_else(|| missing(field));
        Ok(match self.kind {
            Kind::Words => Check::Words(self.words.clone().ok_or_else(|| missing("words")).and_then(checked_words)?),
            Kind::Pattern => {
                let pattern = self.pattern.clone().ok_or_else(|| missing("pattern"))?;
                Check::Pattern(Pattern::try_from(pattern).map_err(|why| Fault::new("pattern", why))?)
            }
            Kind::Links => Check::Links {
                only: domains("only", self.only.as_ref())?,
                never: domains("never", self.never.as_ref())?,
            },
            Kind::Flood => {
                Check::Flood { messages: number("messages", self.messages)?, seconds: number("seconds", self.seconds)? }
            }
            Kind::Duplicates => {
                Check::Duplicates { times: number("times", self.times)?, seconds: number("seconds", self.seconds)? }
            }
            Kind::Capitals => {
                Check::Capitals { percent: self.percent.unwrap_or(70), min_letters: self.min_letters.unwrap_or(20) }
            }
            Kind::NewMembers if self.messages.is_none() && self.links != Some(false) => {
                return Err(Fault::new(
                    "messages",
                    "it limits nothing: say how many `messages` an hour, or that `links` are not allowed (`false`)",
                ));
            }
            Kind::NewMembers => Check::NewMembers {
                hours: number("hours", self.hours)?,
                messages: self.messages,
                links: self.links.unwrap_or(true),
            },
        })
    }

    fn has_no_fields_of_others(&self) -> Result<(), Fault> {
        let given = [
            ("words", self.words.is_some()),
            ("pattern", self.pattern.is_some()),
            ("only", self.only.is_some()),
            ("never", self.never.is_some()),
            ("messages", self.messages.is_some()),
            ("times", self.times.is_some()),
            ("seconds", self.seconds.is_some()),
            ("percent", self.percent.is_some()),
            ("min_letters", self.min_letters.is_some()),
            ("hours", self.hours.is_some()),
            ("links", self.links.is_some()),
        ];
        let own = self.kind.fields();
        match given.iter().find(|(field, is_given)| *is_given && !own.contains(field)) {
            Some((field, _)) => {
                let what = format!(
                    "rules of the kind `{}` have no `{field}`, but `{}`: leave it out, or make a rule of its own",
                    self.kind.name(),
                    own.join("`, `")
                );
                Err(Fault::new(field, what))
            }
            None => Ok(()),
        }
    }
}

fn checked_words(words: Vec<String>) -> Result<Vec<String>, Fault> {
    if words.is_empty() {
        return Err(Fault::new("words", "there are no words: name some, or leave the rule out"));
    }
    match words.iter().find(|word| words::sought(word).is_empty()) {
        Some(word) => Err(Fault::new("words", format!("{word:?} is no word, and would find nothing: leave it out"))),
        None => Ok(words),
    }
}

fn domains(field: &'static str, written: Option<&Vec<String>>) -> Result<Domains, Fault> {
    let written = written.cloned().unwrap_or_default();
    match written.iter().find(|domain| !links::is_domain(domain)) {
        Some(other) => Err(Fault::new(field, format!("{other:?} is no domain: write it like `example.com`"))),
        None => Ok(Domains::from(written)),
    }
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

/// Somebody wants to say something.
pub struct Occasion<'a> {
    /// Nothing where it is encrypted.
    pub text: &'a str,
    pub author: &'a User,
    /// It is a message of its own, and not another version of one.
    pub is_new: bool,
    /// A program posts it for its author, as polls are posted.
    pub is_poll: bool,
    pub reading: Reading<'a>,
    // What more than one rule may ask is found out once.
    links: OnceCell<Vec<Link>>,
    said: OnceCell<Option<u64>>,
    capitals: OnceCell<(usize, usize)>,
}

impl<'a> Occasion<'a> {
    pub fn new(text: &'a str, author: &'a User, is_new: bool) -> Self {
        Self {
            text,
            author,
            is_new,
            is_poll: false,
            reading: Reading::of(text),
            links: OnceCell::new(),
            said: OnceCell::new(),
            capitals: OnceCell::new(),
        }
    }

    /// What it says, to be told from what others say; nothing where it says nothing.
    fn said(&self) -> Option<u64> {
        *self.said.get_or_init(|| rates::said(self.reading.letters()))
    }

    /// How many letters are capitals, of how many. Those of scripts without capitals do not count.
    fn capitals(&self) -> (usize, usize) {
        *self.capitals.get_or_init(|| {
            let capitals = self.text.chars().filter(|c| c.is_uppercase()).count();
            (capitals, capitals + self.text.chars().filter(|c| c.is_lowercase()).count())
        })
    }

    fn links(&self) -> &[Link] {
        self.links.get_or_init(|| links::links(&self.reading))
    }
}

/// How a message breaks a rule: by what, and where if it is by a pattern or links.
#[derive(Default)]
pub struct Breach {
    pub places: Vec<Range<usize>>,
    /// The first few, as they are written.
    pub words: Vec<String>,
}

/// A moderator sees the message beside them.
const MAX_WORDS: usize = 3;

/// Keeps the first few, each once.
fn note(words: &mut Vec<String>, word: &str) {
    if words.len() < MAX_WORDS && !words.iter().any(|known| known == word) {
        words.push(word.to_owned());
    }
}

impl Rule {
    /// What is wrong with it, if anything.
    pub fn fault(&self) -> Option<&Fault> {
        self.check.as_ref().err()
    }

    /// Whether it looks at what a message says.
    pub fn reads(&self) -> bool {
        self.written.kind.has_places() || self.written.links == Some(false)
    }

    /// What of a message it cannot look at in time, as its sender reads it.
    pub fn too_much(&self, occasion: &Occasion) -> Option<Refusal> {
        let reads_links = self.written.kind == Kind::Links || self.written.links == Some(false);
        if !self.reads() {
            None
        } else if occasion.reading.is_too_much() {
            let reason = "This has more markup than can be looked at. Send it in parts, or with less of it.";
            Some(Refusal::new("TOO_MUCH_MARKUP", reason))
        } else if reads_links && occasion.links().len() > links::MAX_LINKS {
            Some(Refusal::new("TOO_MANY_LINKS", "This has more links than can be looked at. Send it in parts."))
        } else {
            None
        }
    }

    pub fn kind(&self) -> Kind {
        self.written.kind
    }

    /// The words that it looks for.
    pub fn words(&self) -> &[String] {
        if let Ok(Check::Words(words)) = &self.check { words } else { &[] }
    }

    /// The domains that it looks for.
    pub fn domains(&self) -> impl Iterator<Item = &String> {
        self.written.only.iter().chain(&self.written.never).flatten()
    }

    /// How a message breaks the rule; nothing where it does not. `place` is where the rule stands among the rules, `words` is what
    /// was found of its words.
    pub fn broken_by(&self, place: usize, occasion: &Occasion, words: Vec<String>) -> Result<Option<Breach>> {
        let Occasion { author, is_new, .. } = *occasion;
        let as_a_whole = |is_broken: bool| is_broken.then(Breach::default);
        let check = self.check.as_ref().map_err(|fault| Failure::new(format!("/rules/{place}: {}", fault.what)))?;
        Ok(match check {
            Check::Words(_) => (!words.is_empty()).then_some(Breach { words, ..Breach::default() }),
            Check::Pattern(pattern) => found_by(pattern, occasion),
            Check::Links { only, never } => {
                let mut breach = Breach::default();
                for link in occasion.links().iter().filter(|link| link.is_unwanted(only, never)) {
                    breach.places.extend(link.places.iter().cloned());
                    note(&mut breach.words, link.host());
                }
                (!breach.places.is_empty()).then_some(breach)
            }
            Check::Flood { messages, seconds } => {
                as_a_whole(is_new && rates::count(&format!("flood/{place}"), &author.id, *seconds)? > *messages)
            }
            Check::Duplicates { times, seconds } => match occasion.said().filter(|_| is_new) {
                Some(said) => as_a_whole(rates::repetitions(place, &author.id, said, *seconds)? > *times),
                None => None,
            },
            Check::Capitals { percent, min_letters } => {
                let (capitals, letters) = occasion.capitals();
                as_a_whole(letters >= *min_letters as usize && capitals * 100 >= letters * *percent as usize)
            }
            Check::NewMembers { hours, messages, links } => {
                if clock::now() - author.created_at >= i64::from(*hours) * 3_600_000 {
                    return Ok(None);
                }
                let too_many = match messages {
                    Some(messages) if is_new => rates::count(&format!("new/{place}"), &author.id, 3600)? > *messages,
                    _ => false,
                };
                as_a_whole(too_many || (!links && occasion.links().iter().any(Link::is_sure)))
            }
        })
    }

    /// What moderators read.
    pub fn name(&self) -> String {
        self.written.name.clone().unwrap_or_else(|| self.usual().0.to_owned())
    }

    pub fn strikes(&self) -> u32 {
        self.written.strikes.unwrap_or(u32::from(self.action <= Action::Hold))
    }

    /// What the sender reads, and what else there is to say to them.
    pub fn refusal(&self, also: Option<&str>) -> Refusal {
        let (_, code, usual) = self.usual();
        let reason = self.written.reason.as_deref().unwrap_or(usual);
        Refusal::new(code, also.map_or_else(|| reason.to_owned(), |also| format!("{reason} {also}")))
    }

    fn usual(&self) -> (&'static str, &'static str, &'static str) {
        match self.written.kind {
            Kind::Words => ("words", "WORD_NOT_ALLOWED", "This contains a word that is not welcome here."),
            Kind::Pattern => ("pattern", "TEXT_NOT_ALLOWED", "This contains something that is not welcome here."),
            Kind::Links => ("links", "LINK_NOT_ALLOWED", "This link is not welcome here."),
            Kind::Flood => ("flood", "TOO_MANY_MESSAGES", "That was a lot at once. Wait a moment."),
            Kind::Duplicates => ("duplicates", "REPEATED_MESSAGE", "You have said that already."),
            Kind::Capitals => ("capitals", "TOO_MANY_CAPITALS", "There is no need to shout."),
            Kind::NewMembers => ("new members", "TOO_NEW", "You are new here, and may do this later."),
        }
    }
}

/// What was found of the words of all rules.
pub struct Found {
    /// A few of each rule, which say all there is to say of it.
    pub words: Vec<Vec<String>>,
    /// What rules that mask have found, together: there may be very much of it.
    pub masks: Vec<Range<usize>>,
}

pub fn words_in(occasion: &Occasion, words: &Words, rules: &[Rule]) -> Found {
    let mut found = Found { words: vec![Vec::new(); rules.len()], masks: Vec::new() };
    if words.is_empty() {
        return found;
    }
    for (view, symbols) in occasion.reading.views().zip(occasion.reading.symbols()) {
        let mut is_masked = vec![false; view.text.len()];
        let mut first: Vec<Vec<Range<usize>>> = vec![Vec::new(); rules.len()];
        words.find(symbols, |rule, range| {
            if rules[rule].action == Action::Mask {
                is_masked[range.clone()].fill(true);
            }
            let first = &mut first[rule];
            // Longer words come later, and have the shorter ones in them.
            if let Some(last) = first.last_mut().filter(|last| last.end > range.start) {
                *last = last.start.min(range.start)..range.end;
            } else if first.len() <= MAX_WORDS {
                first.push(range);
            }
        });
        for (words, ranges) in found.words.iter_mut().zip(first) {
            for range in ranges {
                note(words, &view.text[range]);
            }
        }
        let mut end = 0;
        for stretch in is_masked.chunk_by(|a, b| a == b) {
            let start = end;
            end += stretch.len();
            if stretch[0] {
                found.masks.extend(view.written(start..end));
            }
        }
    }
    found
}

fn found_by(pattern: &Pattern, occasion: &Occasion) -> Option<Breach> {
    let mut breach = Breach::default();
    for view in occasion.reading.views() {
        for range in pattern.find(&view.text) {
            note(&mut breach.words, &view.text[range.clone()]);
            breach.places.extend(view.written(range));
        }
    }
    (!breach.places.is_empty()).then_some(breach)
}
