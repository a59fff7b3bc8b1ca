//! Links, and where they lead.

use std::{collections::HashSet, ops::Range};

use jackfield_plugin::prelude::*;

use crate::{
    letters::{decompose, is_invisible},
    punycode,
    reading::Reading,
};

/// Domains, each of which stands for what is under it, too.
#[data]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Domains {
    written: Vec<String>,
    names: HashSet<String>,
    /// Longer ones need not be looked up.
    most_labels: usize,
}

impl From<Vec<String>> for Domains {
    fn from(written: Vec<String>) -> Self {
        let names: HashSet<String> = written.iter().map(|domain| name(domain)).collect();
        let most_labels = names.iter().map(|name| labels(name)).max().unwrap_or(0);
        Self { written, names, most_labels }
    }
}

impl From<Domains> for Vec<String> {
    fn from(domains: Domains) -> Self {
        domains.written
    }
}

impl Domains {
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn has(&self, host: &str) -> bool {
        let under = host.rmatch_indices('.').map(|(at, _)| &host[at + 1..]);
        under.chain([host]).take(self.most_labels).any(|name| self.names.contains(name))
    }
}

/// How many names are in a row in it.
pub fn labels(name: &str) -> usize {
    name.split('.').count()
}

/// A domain as it is compared.
fn name(domain: &str) -> String {
    comparable(domain.trim_start_matches("*.").trim_end_matches('.'))
}

/// Whether this is a domain, and no address of a page.
pub fn is_domain(text: &str) -> bool {
    let text = text.strip_prefix("*.").unwrap_or(text);
    !text.is_empty()
        && text.trim_end_matches('.').split('.').all(|label| !label.is_empty())
        && !text.contains(|c: char| c.is_whitespace() || "/:@?#\\*[](),;!\"'<>&%".contains(c))
}

/// More than these are not looked at. Names of files look like links, too, and a list of them is no crime.
pub const MAX_LINKS: usize = 1_000;

/// Where a message leads.
pub struct Link {
    host: String,
    /// `example.com` may be a link, or just as well `etc.and` a slip of the keyboard: it counts where it is named.
    is_sure: bool,
    pub places: Vec<Range<usize>>,
}

impl Link {
    /// The links that are not wanted are those to other domains than `only`, and those to one of `never`; all where there is
    /// neither.
    pub fn is_unwanted(&self, only: &Domains, never: &Domains) -> bool {
        let is_any = only.is_empty() && never.is_empty();
        let is_elsewhere = || !only.is_empty() && !only.has(&self.host);
        self.is_sure && (is_any || is_elsewhere()) || !never.is_empty() && never.has(&self.host)
    }

    /// Where there is no list to look it up in.
    pub fn is_sure(&self) -> bool {
        self.is_sure
    }

    /// What a moderator reads.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// The links of a message: where its Markdown leads, and what looks like one in its words.
pub fn links(reading: &Reading) -> Vec<Link> {
    let mut found = Vec::new();
    for (target, place) in &reading.targets {
        if let Some(host) = host_of_target(target) {
            found.push(Link { host, is_sure: true, places: vec![place.clone()] });
        }
    }
    for view in reading.views() {
        for word in words(&view.text) {
            if found.len() > MAX_LINKS {
                return found;
            }
            if let Some((host, is_sure)) = host_of_word(&view.text[word.clone()]) {
                found.push(Link { host, is_sure, places: view.written(word).collect() });
            }
        }
    }
    found
}

/// What stands between blanks and brackets, of whatever markup they are.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_end = |c: char| c.is_whitespace() || "<>()[]{}\"'`|«»“”".contains(c);
    text.split(is_end).map(|word| {
        let start = word.as_ptr() as usize - text.as_ptr() as usize;
        start..start + word.len()
    })
}

/// Where a link of Markdown leads. What has no scheme leads nowhere.
fn host_of_target(target: &str) -> Option<String> {
    // Browsers pass over these.
    let target: String = target.chars().filter(|c| !c.is_control()).collect();
    let target = target.trim();
    if target.get(..MAIL.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(MAIL)) {
        // Where it may go to more than one, it is not said to go to any.
        let is_for_one = target.matches('@').count() == 1 && !target.contains(',');
        let address = target[MAIL.len()..].split('?').next().filter(|_| is_for_one).unwrap_or_default();
        return Some(comparable(host(address)));
    }
    let (_, rest) = target.split_once("//")?;
    Some(comparable(host(rest)))
}

const MAIL: &str = "mailto:";

/// Where a word leads, and whether it is surely a link.
fn host_of_word(word: &str) -> Option<(String, bool)> {
    if !word.contains(['.', '/', '．', '。', '｡', '․', '／']) {
        return None;
    }
    let word: String = word.chars().filter(|c| !is_invisible(*c)).collect();
    let word = word.trim_start_matches(['*', '_', '~', '!', ',', ';', ':']);
    let (rest, has_scheme) = match word.split_once("//") {
        Some((scheme, rest)) if scheme.is_empty() || is_scheme(scheme) => (rest, true),
        _ => (word, false),
    };
    let host = comparable(host(rest));
    let is_sure = !host.is_empty() && (has_scheme || host.starts_with("www."));
    (is_sure || host.contains('.')).then_some((host, is_sure))
}

fn is_scheme(before: &str) -> bool {
    // `seehttps://…` leads there as well.
    before.strip_suffix(':').is_some_and(|scheme| scheme.ends_with(|c: char| c.is_ascii_alphanumeric()))
}

/// The host of what follows the scheme. Browsers look for it before they look at its letters.
fn host(rest: &str) -> &str {
    let authority = rest.trim_start_matches(['/', '\\']).split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default().trim_end_matches(['.', ',', '!', ';', '*', '_', '~', '…'])
}

/// A host as it is compared: letters and dots of full width, capitals, what cannot be seen, `%65` for `e` and `xn--bcher-kva` for
/// `bücher` lead to the same place.
fn comparable(host: &str) -> String {
    let mut plain = String::with_capacity(host.len());
    for c in decoded(host).chars() {
        if c.is_ascii() {
            plain.push(c.to_ascii_lowercase());
        } else if !is_invisible(c) {
            decompose(c, |part| match part {
                '。' => plain.push('.'),
                part => plain.extend(part.to_lowercase()),
            });
        }
    }
    if !plain.contains("xn--") {
        return plain;
    }
    let labels = plain.split('.').map(|label| match label.strip_prefix("xn--").and_then(punycode::decode) {
        Some(name) => comparable(&name),
        None => label.to_owned(),
    });
    labels.collect::<Vec<_>>().join(".")
}

/// With bytes instead of `%65`.
fn decoded(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains('%') {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    while let [first, others @ ..] = rest {
        match others {
            [high, low, after @ ..] if *first == b'%' && digit(*high).is_some() && digit(*low).is_some() => {
                bytes.push(digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}
