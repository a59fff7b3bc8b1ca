//! The links of a message, as the hub shows them: where its Markdown leads, and what stands in its words as a link.

use std::fmt::Write;

use jackfield_plugin::prelude::*;
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};
use sha2::{Digest, Sha256};
use url::{Host, Url};

/// So many links of one message have a preview.
const MOST: usize = 5;
/// The hub asks no longer ones.
const URL_MAX_BYTES: usize = 2_048;
/// Stands for whatever ends a link: code, a picture, the beginning and the end of what is bold.
const GAP: char = '\u{fffc}';

/// A link that may have a preview.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// As it stands in the message.
    pub written: String,
    /// Where it leads. What the browser keeps to itself, behind `#`, is left out.
    pub url: String,
    /// What is kept about it is kept under this. A digest that nobody can hit with another link, so that nobody gives a page another
    /// face.
    pub digest: String,
}

/// Hosts, each of which stands for what is under it, too.
#[data]
#[serde(from = "Vec<String>", into = "Vec<String>")]
#[derive(Default)]
pub struct Hosts {
    written: Vec<String>,
    hosts: Vec<String>,
}

impl From<Vec<String>> for Hosts {
    fn from(written: Vec<String>) -> Self {
        let hosts = written.iter().filter_map(|host| comparable(host)).collect();
        Self { written, hosts }
    }
}

impl From<Hosts> for Vec<String> {
    fn from(hosts: Hosts) -> Self {
        hosts.written
    }
}

impl Hosts {
    /// Those that are no hosts, by their places in the list.
    pub fn mistaken(&self) -> impl Iterator<Item = (usize, &String)> {
        self.written.iter().enumerate().filter(|(_, host)| comparable(host).is_none())
    }

    /// Whether a link leads to one of them.
    pub fn denies(&self, link: &str) -> bool {
        Url::parse(link).is_ok_and(|url| url.host_str().is_some_and(|host| self.has(host)))
    }

    fn has(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.hosts
            .iter()
            .any(|denied| host.strip_suffix(denied).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }
}

/// A host as links have it when they were read: in small letters, and in ASCII whatever its script.
fn comparable(host: &str) -> Option<String> {
    let host = host.trim().trim_start_matches("*.").trim_end_matches('.');
    let url = Url::parse(&format!("https://{host}/")).ok()?;
    let is_all = url.path() == "/" && url.port().is_none() && url.username().is_empty() && url.query().is_none();
    url.host_str().filter(|_| is_all && url.fragment().is_none()).map(str::to_owned)
}

/// The first links of a message that may have a preview, each place once.
pub fn links(body: &str, denied: &Hosts) -> Vec<Link> {
    let mut found: Vec<Link> = Vec::new();
    // Most messages have none, and are not looked at any further.
    if !body.contains("://") {
        return found;
    }
    for written in written(body) {
        let Some(url) = allowed(&written, denied) else { continue };
        let digest = digest(&url);
        if !found.iter().any(|link| link.digest == digest) {
            found.push(Link { written, url, digest });
        }
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// Where an address leads, if it may be asked.
fn allowed(written: &str, denied: &Hosts) -> Option<String> {
    let mut url = Url::parse(written).ok()?;
    url.set_fragment(None);
    is_allowed(&url, denied).then(|| url.into())
}

/// Whether it is a page on the web, at a host that is not denied.
pub fn is_allowed(url: &Url, denied: &Hosts) -> bool {
    let is_web = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    let is_named = match url.host() {
        // What has no dot is a name of somebody's own network.
        Some(Host::Domain(name)) => name.trim_end_matches('.').contains('.'),
        Some(_) => true,
        None => false,
    };
    is_web && is_named && url.as_str().len() <= URL_MAX_BYTES && !url.host_str().is_some_and(|host| denied.has(host))
}

fn digest(url: &str) -> String {
    Sha256::digest(url).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The links as they stand in a message, in their order. Code has none, and who puts one between `<` and `>` wants no preview.
fn written(body: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut passage = String::new();
    // In how many links, pictures and blocks of code we are.
    let mut depth = 0_usize;
    for event in Parser::new_ext(body, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(text) if depth == 0 => passage.push_str(&text),
            Event::Text(_) => {}
            Event::Start(Tag::Link { link_type, dest_url, .. } | Tag::Image { link_type, dest_url, .. }) => {
                bare(&mut passage, &mut found);
                if depth == 0 && !matches!(link_type, LinkType::Autolink | LinkType::Email) {
                    found.push(dest_url.into_string());
                }
                depth += 1;
            }
            Event::Start(Tag::CodeBlock(_)) => {
                bare(&mut passage, &mut found);
                depth += 1;
            }
            Event::End(TagEnd::Link | TagEnd::Image | TagEnd::CodeBlock) => depth = depth.saturating_sub(1),
            Event::SoftBreak | Event::HardBreak => passage.push(' '),
            _ => passage.push(GAP),
        }
    }
    bare(&mut passage, &mut found);
    found
}

/// The links in words, which are taken away.
fn bare(passage: &mut String, found: &mut Vec<String>) {
    let mut rest = passage.as_str();
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at);
        let is_end = |c: char| c.is_whitespace() || c.is_control() || ENDS.contains(c);
        let length = after.find(is_end).unwrap_or(after.len());
        let scheme = ["https", "http"].into_iter().find(|scheme| ends_with(before, scheme));
        if let Some(scheme) = scheme {
            let link = format!("{}{}", &before[before.len() - scheme.len()..], trimmed(&after[..length]));
            found.push(link);
        }
        rest = &after[length.max("://".len())..];
    }
    passage.clear();
}

/// What ends a link where it stands in words.
const ENDS: &str = "\u{fffc}<>\"`|«»“”„‹›「」『』（）【】《》、。，！？；";

/// Whether a scheme stands there, and is not the end of another word.
fn ends_with(before: &str, scheme: &str) -> bool {
    let Some(start) = before.len().checked_sub(scheme.len()) else { return false };
    let is_there = before.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(scheme));
    is_there && !before[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Without what belongs to the sentence: `(see https://example.org/tea).`
fn trimmed(link: &str) -> &str {
    let mut link = link;
    while let Some(last) = link.chars().next_back() {
        let is_more = |open: char| link.matches(last).count() > link.matches(open).count();
        let belongs = match last {
            '?' | '!' | '.' | ',' | ':' | ';' | '*' | '_' | '~' | '\'' | '…' => false,
            ')' => !is_more('('),
            ']' => !is_more('['),
            '}' => !is_more('{'),
            _ => true,
        };
        if belongs {
            break;
        }
        link = &link[..link.len() - last.len_utf8()];
    }
    link
}
