//! Requests of plugins to other servers: what one may look like, and which of them were granted. Who makes them has to look at
//! addresses besides, since what stands in a URL is only a name.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::roles::words;

/// So many requests one call may have made.
pub const REQUESTS_A_CALL: usize = 16;
/// So many a call may wait for, where somebody waits for the call.
pub const FETCHES_A_CALL: usize = 3;
/// So many requests of a plugin wait in a workspace for their answers, or for somebody who takes these.
pub const REQUESTS_WAITING: u64 = 1_000;
/// An answer has at most so many bytes, as it comes and as it is when it is unpacked.
pub const ANSWER_MAX_BYTES: usize = 1 << 20;

const URL_MAX: usize = 2_048;
const HEADERS_MAX: usize = 32;
const HEADERS_MAX_BYTES: usize = 8 << 10;
const BODY_MAX: usize = 256 << 10;
const TAG_MAX: usize = 1 << 10;
/// So many origins a plugin may ask for.
const ORIGINS_MAX: usize = 100;

/// What the hub writes itself: by these servers find the end of a message, tell hosts apart, and know who asks.
const OF_THE_HUB: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

words! {
    /// What a request is to do.
    Method {
        Get = "GET",
        Post = "POST",
        Put = "PUT",
        Patch = "PATCH",
        Delete = "DELETE",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub name: String,
    pub value: String,
}

/// A header with a secret in it, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretHeader {
    pub name: String,
    pub prefix: String,
    pub secret: String,
}

/// What a plugin wants to have asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Vec<Header>,
    pub secret_headers: Vec<SecretHeader>,
    pub body: Option<Vec<u8>>,
    /// So much of the answer is enough.
    pub enough_bytes: Option<u32>,
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    pub status: u16,
    pub url: String,
    pub headers: Vec<Header>,
    pub body: Vec<u8>,
    pub is_cut: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum NoAnswer {
    #[error("it may not be asked: {0}")]
    Refused(String),
    #[error("it took too long")]
    TimedOut,
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it answers more than may be read")]
    TooLarge,
    #[error("it does not answer as it should: {0}")]
    Malformed(String),
}

impl NoAnswer {
    /// For figures.
    pub fn as_str(&self) -> &'static str {
        match self {
            NoAnswer::Refused(_) => "refused",
            NoAnswer::TimedOut => "timed_out",
            NoAnswer::Unreachable(_) => "unreachable",
            NoAnswer::TooLarge => "too_large",
            NoAnswer::Malformed(_) => "malformed",
        }
    }
}

/// What came of a request.
pub type Answered = Result<Response, NoAnswer>;

impl Request {
    /// Whether it can be made at all, and where it goes. The error says what is wrong with it.
    pub fn check(&self) -> Result<Url, String> {
        if self.url.len() > URL_MAX {
            return Err(format!("the URL has {} bytes, at most {URL_MAX} are allowed", self.url.len()));
        }
        let url = Url::parse(&self.url).map_err(|error| format!("the URL cannot be read: {error}"))?;
        let names = self.headers.iter().map(|header| (&header.name, &header.value));
        let names = names.chain(self.secret_headers.iter().map(|header| (&header.name, &header.prefix)));
        let (mut count, mut bytes) = (0, 0);
        for (name, value) in names {
            check_header(name, value)?;
            (count, bytes) = (count + 1, bytes + name.len() + value.len());
        }
        if count > HEADERS_MAX || bytes > HEADERS_MAX_BYTES {
            return Err(format!("there are at most {HEADERS_MAX} headers and {HEADERS_MAX_BYTES} bytes of them"));
        }
        if let Some(body) = &self.body {
            if self.method == Method::Get {
                return Err("a GET has no body".to_owned());
            }
            if body.len() > BODY_MAX {
                return Err(format!("the body has {} bytes, at most {BODY_MAX} are allowed", body.len()));
            }
        }
        fits_the_web(&url)?;
        Ok(url)
    }

    /// How large it is.
    pub fn bytes(&self) -> usize {
        let headers: usize = self.headers.iter().map(|header| header.name.len() + header.value.len()).sum();
        let secret = |header: &SecretHeader| header.name.len() + header.prefix.len() + header.secret.len();
        let secrets: usize = self.secret_headers.iter().map(secret).sum();
        self.url.len() + headers + secrets + self.body.as_ref().map_or(0, Vec::len)
    }
}

/// A plugin's own word for a request.
pub fn check_tag(tag: &str) -> Result<(), String> {
    if tag.len() > TAG_MAX {
        return Err(format!("a tag has at most {TAG_MAX} bytes"));
    }
    if tag.contains('\0') { Err("a tag has a character that no text has".to_owned()) } else { Ok(()) }
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err("the name of a header is letters, digits and hyphens".to_owned());
    }
    let lower = name.to_ascii_lowercase();
    if OF_THE_HUB.contains(&lower.as_str()) || lower.starts_with("proxy-") {
        return Err(format!("the hub writes the header `{lower}` itself"));
    }
    if !value.chars().all(|c| c == '\t' || (' '..='~').contains(&c)) {
        return Err(format!("the value of the header `{lower}` is ASCII without control characters"));
    }
    Ok(())
}

/// What any address must be like, the first one and each to which a server redirects.
pub fn fits_the_web(url: &Url) -> Result<(), String> {
    if !matches!(url.scheme(), "https" | "http") {
        return Err("only https and http are asked".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL has no name and no password in it".to_owned());
    }
    match url.host() {
        Some(url::Host::Domain("")) | None => Err("the URL names no host".to_owned()),
        Some(_) => Ok(()),
    }
}

/// A server as browsers tell them apart: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Origin(String);

/// The text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is a scheme and a host, and a port where it is an unusual one, such as `https://api.example.org`")]
pub struct NotAnOrigin;

impl Origin {
    pub fn of(url: &Url) -> Self {
        Origin(url.origin().ascii_serialization())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let url = Url::parse(text).map_err(|_| NotAnOrigin)?;
        fits_the_web(&url).map_err(|_| NotAnOrigin)?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !text.contains('*');
        if is_bare && text.len() <= 300 { Ok(Origin::of(&url)) } else { Err(NotAnOrigin) }
    }
}

impl TryFrom<String> for Origin {
    type Error = NotAnOrigin;

    fn try_from(text: String) -> Result<Self, NotAnOrigin> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> String {
        origin.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The origins that stand in a list, which is not to be too long.
pub fn origins<'t>(texts: impl IntoIterator<Item = &'t String>) -> Result<BTreeSet<Origin>, String> {
    let bad = |text: &str, why| format!("«{}» is none: {why}", text.chars().take(100).collect::<String>());
    let found = texts.into_iter().map(|text| text.parse().map_err(|why: NotAnOrigin| bad(text, why)));
    let found = found.collect::<Result<BTreeSet<Origin>, String>>()?;
    if found.len() > ORIGINS_MAX {
        return Err(format!("there are at most {ORIGINS_MAX}"));
    }
    Ok(found)
}

/// How far a plugin may reach out of the hub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// By any method, with secrets.
    pub origins: BTreeSet<Origin>,
    /// By `GET`, and on the usual ports, whatever is public.
    pub whatever_is_public: bool,
}

/// By which grant something may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    Granted,
    Public,
}

impl Reach {
    /// Whether a URL may be asked so, and by which grant.
    pub fn allows(&self, method: Method, url: &Url) -> Result<Passage, String> {
        fits_the_web(url)?;
        let origin = Origin::of(url);
        if self.origins.contains(&origin) {
            return Ok(Passage::Granted);
        }
        if !self.whatever_is_public {
            return Err(format!("the origin {origin} was not granted"));
        }
        if method != Method::Get {
            return Err(format!("{origin} was not granted, and what is public is asked by GET alone"));
        }
        // The usual one of its scheme is not named.
        if !matches!(url.port(), None | Some(80 | 443)) {
            return Err(format!("{origin} was not granted, and what is public is asked on the ports 80 and 443 alone"));
        }
        Ok(Passage::Public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(url: &str) -> Request {
        Request {
            method: Method::Get,
            url: url.to_owned(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            body: None,
            enough_bytes: None,
        }
    }

    fn header(name: &str, value: &str) -> Header {
        Header { name: name.to_owned(), value: value.to_owned() }
    }

    /// F: P-09
    #[test]
    fn what_a_request_may_look_like() {
        assert!(get("https://one.example/a?b=c#d").check().is_ok());
        let post = |body| Request { method: Method::Post, body: Some(vec![0; body]), ..get("http://one.example:8080") };
        assert!(post(BODY_MAX).check().is_ok());
        let with = |name: &str, value: &str| Request { headers: vec![header(name, value)], ..get("https://a.example") };
        assert!(with("Accept", "text/html; q=0.5").check().is_ok());
        let many = Request { headers: vec![header("a", "b"); HEADERS_MAX + 1], ..get("https://a.example") };
        let secret = SecretHeader { name: "Host".into(), prefix: String::new(), secret: "key".into() };
        let secret = Request { secret_headers: vec![secret], ..get("https://a.example") };
        let long = get(&format!("https://a.example/{}", "a".repeat(URL_MAX)));
        let get_with_body = Request { body: Some(Vec::new()), ..get("https://a.example") };
        for (request, why) in [
            (get("one.example"), "cannot be read"),
            (get("ftp://one.example/"), "only https and http"),
            (get("file:///etc/passwd"), "only https and http"),
            (get("gopher://one.example/"), "only https and http"),
            (get("data:text/html,hi"), "only https and http"),
            (get("https://me@one.example/"), "no name"),
            (get("https://me:secret@one.example/"), "no name"),
            (get("https://"), "cannot be read"),
            (long, "at most 2048"),
            (post(BODY_MAX + 1), "at most 262144"),
            (get_with_body, "no body"),
            (with("Content-Length", "3"), "the hub writes"),
            (with("proxy-authorization", "x"), "the hub writes"),
            (with("a b", "x"), "letters, digits"),
            (with("", "x"), "letters, digits"),
            (with("x", "a\r\nb: c"), "without control characters"),
            (with("x", "ä"), "ASCII"),
            (many, "at most 32 headers"),
            (secret, "the hub writes"),
        ] {
            let refused = request.check().unwrap_err();
            assert!(refused.contains(why), "{}: {refused}", request.url);
        }
    }

    /// F: P-09
    #[test]
    fn an_origin_is_what_browsers_call_one() {
        for (text, origin) in [
            ("https://api.example.org", "https://api.example.org"),
            ("https://API.example.org:443/", "https://api.example.org"),
            ("http://api.example.org:8080", "http://api.example.org:8080"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().as_str(), origin);
        }
        for bad in ["api.example.org", "https://*", "https://a.example/x", "https://a.example?x", "ws://a.example", ""]
        {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }

    /// F: P-09
    #[test]
    fn what_was_granted_is_all_there_is() {
        let url = |text: &str| Url::parse(text).unwrap();
        let some = Reach { origins: BTreeSet::from(["https://a.example".parse().unwrap()]), whatever_is_public: false };
        let public = Reach { whatever_is_public: true, ..Reach::default() };
        let both = Reach { whatever_is_public: true, ..some.clone() };
        let (get, post) = (Method::Get, Method::Post);
        for (reach, method, at, expected) in [
            (&some, post, "https://a.example/x", Ok(Passage::Granted)),
            (&some, get, "https://a.example:8443/x", Err("was not granted")),
            (&some, get, "http://a.example/x", Err("was not granted")),
            (&some, get, "https://b.a.example/x", Err("was not granted")),
            (&public, get, "https://b.example/x", Ok(Passage::Public)),
            (&public, get, "http://b.example:443/x", Ok(Passage::Public)),
            (&public, get, "https://b.example:8443/x", Err("80 and 443")),
            (&public, post, "https://b.example/x", Err("by GET alone")),
            (&public, get, "ftp://b.example/x", Err("only https")),
            (&both, post, "https://a.example/x", Ok(Passage::Granted)),
            (&both, get, "https://b.example/x", Ok(Passage::Public)),
            (&Reach::default(), get, "https://a.example/x", Err("was not granted")),
        ] {
            match (reach.allows(method, &url(at)), expected) {
                (Ok(passage), Ok(expected)) => assert_eq!(passage, expected, "{at}"),
                (Err(why), Err(expected)) => assert!(why.contains(expected), "{at}: {why}"),
                (found, _) => panic!("{at}: {found:?}"),
            }
        }
    }
}
