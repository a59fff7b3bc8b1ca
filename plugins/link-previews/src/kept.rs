//! What is kept of links: what is known of each for a day, and until then which messages wait for it.
//!
//! Two hooks change it, and may run at once: what is told of messages, and what is told of answers. Each puts by comparison what it
//! depends on, so that one of them runs again where the other was quicker, and no message waits for an answer that has come.

use http::Request;
use jackfield_plugin::prelude::*;

use crate::{links::Link, preview::Preview};

/// So long what was found is good.
const DAY_SECONDS: u32 = 24 * 60 * 60;
/// So long nobody is asked again who could not be reached.
const PAUSE_SECONDS: u32 = 15 * 60;
/// So long an answer is waited for.
const PATIENCE_SECONDS: u32 = 60 * 60;
/// So many messages wait for one link. Others that have it meanwhile get no preview of it.
const MOST_WAITING: usize = 200;
/// So many links that could not be sent at once are looked at in one go.
const LATER: u32 = 16;
/// Where more wait than this, no more are put behind them.
const MOST_LATER: u32 = 100;
/// So much of a page is enough, and of what oEmbed says.
const PAGE_BYTES: u32 = 512 * 1024;
const OEMBED_BYTES: u32 = 64 * 1024;
/// One call reads so many keys: what stands under them may be large.
const KEYS: usize = 200;

const QUEUE: &str = "later/";

/// What is kept of one link.
#[data]
pub enum Kept {
    /// Its server is asked, or will be.
    Asked {
        url: String,
        since: i64,
        is_sent: bool,
        /// What the page says, while oEmbed is asked.
        so_far: Preview,
        messages: Vec<String>,
    },
    /// Nothing, where there is nothing to be shown.
    Known(Option<Preview>),
}

impl Kept {
    /// An answer that has not come by then is waited for no more, however many have waited for it since.
    fn is_given_up(&self) -> bool {
        matches!(self, Self::Asked { since, .. } if clock::now() >= since + i64::from(PATIENCE_SECONDS) * 1_000)
    }
}

/// By what an answer is known again.
#[data]
pub struct Tag {
    pub digest: String,
    pub part: Part,
}

/// What was asked for.
#[data]
#[derive(Copy)]
pub enum Part {
    Page,
    Oembed,
}

/// How long what was found is good.
#[derive(Clone, Copy)]
pub enum Worth {
    /// The server has answered.
    Day,
    /// It may answer another time.
    Pause,
}

fn link_key(digest: &str) -> String {
    format!("link/{digest}")
}

fn message_key(message: &str) -> String {
    format!("message/{message}")
}

/// What is kept of each of these links.
pub fn of_links(links: &[&Link]) -> Result<Vec<Option<Kept>>> {
    let keys: Vec<String> = links.iter().map(|link| link_key(&link.digest)).collect();
    let mut kept = Vec::with_capacity(keys.len());
    for keys in keys.chunks(KEYS) {
        kept.extend(kv::get_many(keys)?);
    }
    Ok(kept)
}

/// Has a message wait for what becomes of a link, for which a server is asked where nobody has asked it yet. Answers whether
/// it waits.
pub fn wait(link: &Link, message: &str) -> Result<bool> {
    let key = link_key(&link.digest);
    let is_new = |kept: &Kept| !kept.is_given_up();
    let is_sent = match kv::get(&key)?.filter(is_new) {
        Some(Kept::Known(_)) => return Ok(false),
        Some(Kept::Asked { messages, .. }) if messages.len() >= MOST_WAITING => return Ok(false),
        Some(Kept::Asked { .. }) => None,
        None => match ask(&link.digest, Part::Page, &link.url) {
            Asked::Sent => Some(true),
            Asked::Later if put_behind(&link.digest)? => Some(false),
            Asked::Later => {
                log::warn("too many links wait for their servers, and one is left out");
                return Ok(false);
            }
            Asked::Never => return Ok(false),
        },
    };
    kv::update(&key, Some(PATIENCE_SECONDS), |kept: Option<Kept>| match kept.filter(is_new) {
        Some(Kept::Asked { url, since, is_sent, so_far, mut messages }) => {
            if !messages.iter().any(|waiting| waiting == message) {
                messages.push(message.to_owned());
            }
            Kept::Asked { url, since, is_sent, so_far, messages }
        }
        _ => Kept::Asked {
            url: link.url.clone(),
            since: clock::now(),
            is_sent: is_sent.unwrap_or_default(),
            so_far: Preview::default(),
            messages: vec![message.to_owned()],
        },
    })?;
    Ok(true)
}

/// Notes for which links a message waits by now.
pub fn set_waiting(message: &str, digests: &[&str]) -> Result<()> {
    let key = message_key(message);
    if !digests.is_empty() || kv::get::<Vec<String>>(&key)?.is_some() {
        kv::update(&key, Some(PATIENCE_SECONDS), |_: Option<Vec<String>>| {
            digests.iter().map(|digest| (*digest).to_owned()).collect()
        })?;
    }
    Ok(())
}

/// A message waits no more for a link. Answers whether it did.
pub fn stop_waiting(message: &str, digest: &str) -> Result<bool> {
    let mut waited = false;
    kv::update(&message_key(message), Some(PATIENCE_SECONDS), |digests: Option<Vec<String>>| {
        let mut digests = digests.unwrap_or_default();
        waited = digests.iter().any(|waiting| waiting == digest);
        digests.retain(|waiting| waiting != digest);
        digests
    })?;
    Ok(waited)
}

/// Of a link that still waits for its answer what is known so far.
pub fn asked(digest: &str) -> Result<Option<Preview>> {
    Ok(match kv::get(&link_key(digest))? {
        Some(Kept::Asked { so_far, .. }) => Some(so_far),
        _ => None,
    })
}

/// Keeps what the page said, while oEmbed is asked for more. Answers whether it is.
pub fn ask_oembed(digest: &str, preview: &Preview, place: &str) -> Result<bool> {
    if ask(digest, Part::Oembed, place) != Asked::Sent {
        return Ok(false);
    }
    kv::update(&link_key(digest), Some(PATIENCE_SECONDS), |kept| match kept {
        Some(Kept::Asked { url, since, messages, .. }) => {
            Kept::Asked { url, since, is_sent: true, so_far: preview.clone(), messages }
        }
        other => other.unwrap_or(Kept::Known(None)),
    })?;
    Ok(true)
}

/// Keeps what was found, and answers which messages have waited for it.
pub fn know(digest: &str, preview: Option<&Preview>, worth: Worth) -> Result<Vec<String>> {
    let seconds = match worth {
        Worth::Day => DAY_SECONDS,
        Worth::Pause => PAUSE_SECONDS,
    };
    let key = link_key(digest);
    let mut waiting = Vec::new();
    let known = kv::update(&key, Some(seconds), |kept| {
        if let Some(Kept::Asked { messages, .. }) = kept {
            waiting = messages;
        }
        Kept::Known(preview.cloned())
    });
    // Where there is no room for it, those who have waited see it all the same.
    if let Err(failure) = known {
        log::warn(format!("nothing more can be kept: {failure}"));
        kv::delete(&key)?;
    }
    Ok(waiting)
}

/// Sends what could not be sent before, as much as can be sent now.
pub fn send_later_ones() -> Result<()> {
    let (later, _) = kv::scan_page::<String>(QUEUE, None, LATER)?;
    for (place, digest) in later {
        let key = link_key(&digest);
        if let Some(Kept::Asked { url, since, is_sent: false, so_far, messages }) = kv::get(&key)? {
            match ask(&digest, Part::Page, &url) {
                Asked::Later => break,
                Asked::Never => kv::delete(&key)?,
                Asked::Sent => {
                    let sent = Kept::Asked { url, since, is_sent: true, so_far, messages };
                    kv::update(&key, Some(PATIENCE_SECONDS), |_| sent)?;
                }
            }
        }
        kv::delete(&place)?;
    }
    Ok(())
}

/// Whether there was room.
fn put_behind(digest: &str) -> Result<bool> {
    let (_, is_full) = kv::scan_page::<String>(QUEUE, None, MOST_LATER)?;
    if !is_full {
        // In the order in which they came.
        kv::set_for(&format!("{QUEUE}{:016}/{digest}", clock::now()), digest, PATIENCE_SECONDS)?;
    }
    Ok(!is_full)
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Sent,
    /// There is no room for it now.
    Later,
    /// It may not be sent: nobody has granted it.
    Never,
}

fn ask(digest: &str, part: Part, url: &str) -> Asked {
    let request = Request::get(url);
    let request = match part {
        Part::Page => request.header("accept", "text/html, application/xhtml+xml, image/*;q=0.5").enough(PAGE_BYTES),
        Part::Oembed => request.header("accept", "application/json").enough(OEMBED_BYTES),
    };
    match http::send(&request, &Tag { digest: digest.to_owned(), part }) {
        Ok(()) => Asked::Sent,
        Err(Error::LimitReached(_)) => Asked::Later,
        Err(error) => {
            log::debug(format!("a link cannot be looked at: {error}"));
            Asked::Never
        }
    }
}
