//! What rules may cost, so that no message takes longer than the 5 ms of computing that a before-hook has: with a hook that fails,
//! nothing is looked at any more. Rules are bounded where they are written, and what is left depends on the message: one that
//! would take too long is refused, and not let through.

use std::collections::HashSet;

use jackfield_plugin::prelude::*;

use crate::{
    letters::is_plain,
    links,
    reading::Reading,
    rules::{Kind, Rule},
    words,
};

/// Each list of words may cover each letter of a message.
const MAX_WORD_RULES: usize = 3;
/// Of all words together, without `*`. They are put in order when the configuration is read for the first time.
const MAX_WORD_LETTERS: usize = 3_000;
/// Each is looked for in the whole message, forwards and backwards.
const MAX_PATTERNS: usize = 2;
/// Each looks all links up.
const MAX_LINK_RULES: usize = 1;
const MAX_DOMAINS: usize = 500;
/// So many parts of the name of a host are looked up.
const MAX_LABELS: usize = 6;

/// In letters of ASCII that are looked at once. A component built for release took 1.3 to 3.6 ms for 40,000 of these, with all rules
/// that there can be and the worst messages that were found, on two cores that were busy with others; 3.8 ms at most in a new instance,
/// where 3,000 letters of words are put in order first. So messages of 10,000 letters are looked at in any script where there are
/// words alone, and in ASCII whatever the rules.
const MAX_WORK: usize = 40_000;

/// Whether a message takes more time than there is.
pub fn is_too_long(rules: &[Rule], reading: &Reading) -> bool {
    let letters: usize = reading.written.text.chars().map(price).sum();
    let halves: usize = rules.iter().filter(|rule| matches!(rule.kind(), Kind::Pattern | Kind::Links)).count();
    letters * reading.views().count() * (2 + halves) / 2 > MAX_WORK
}

/// What is not ASCII is looked up, in tables that are large.
fn price(c: char) -> usize {
    match c {
        c if c.is_ascii() => 1,
        c if is_plain(c) => 2,
        _ => 4,
    }
}

/// What is too much, each at the first rule that is.
pub fn problems(rules: &[Rule]) -> Vec<ConfigurationProblem> {
    let (mut words, mut domains) = (0, 0);
    let mut problems = Vec::new();
    let mut told = HashSet::new();
    let of_kind = |kind, place: usize| rules[..=place].iter().filter(|rule| rule.kind() == kind).count();
    for (place, rule) in rules.iter().enumerate() {
        words += rule.words().iter().map(|word| words::sought(word).len()).sum::<usize>();
        domains += rule.domains().count();
        let is_long = rule.domains().any(|domain| links::labels(domain) > MAX_LABELS);
        let found = match rule.kind() {
            Kind::Words if of_kind(Kind::Words, place) > MAX_WORD_RULES => {
                Some(("kind", format!("there can be {MAX_WORD_RULES} rules of the kind `words`: put words together")))
            }
            Kind::Words if words > MAX_WORD_LETTERS => Some((
                "words",
                format!(
                    "the words of all rules have more than {MAX_WORD_LETTERS} letters and ends together: leave some out"
                ),
            )),
            Kind::Pattern if of_kind(Kind::Pattern, place) > MAX_PATTERNS => Some((
                "kind",
                format!(
                    "there can be {MAX_PATTERNS} rules of the kind `pattern`: put some together with `|`, or use `words`"
                ),
            )),
            Kind::Links if of_kind(Kind::Links, place) > MAX_LINK_RULES => {
                Some(("kind", format!("there can be {MAX_LINK_RULES} rule of the kind `links`: put domains together")))
            }
            Kind::Links if domains > MAX_DOMAINS => {
                Some(("kind", format!("all rules can name {MAX_DOMAINS} domains together: leave some out")))
            }
            Kind::Links if is_long => {
                Some(("kind", format!("a domain can have {MAX_LABELS} parts: name a shorter one that it is under")))
            }
            _ => None,
        };
        if let Some((field, what)) = found.filter(|(_, what)| told.insert(what.clone())) {
            problems.push(ConfigurationProblem::new(format!("/rules/{place}/{field}"), what));
        }
    }
    problems
}
