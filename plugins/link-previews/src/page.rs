//! What a server answered, read as a preview: a page of HTML, a picture, or what oEmbed says of either.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use http::Response;
use jackfield_plugin::{prelude::*, serde_json};
use url::Url;

use crate::{
    html::{self, Said, charset_of},
    links::{Hosts, is_allowed},
    preview::{DESCRIPTION_MAX, NAME_MAX, Preview, TITLE_MAX, line},
};

/// What says in which encoding a page is written stands near its beginning.
const PRESCAN_BYTES: usize = 4_096;

/// What was found at a link.
#[derive(Debug, Default, PartialEq)]
pub struct Page {
    pub preview: Preview,
    /// Where there is more to be known.
    pub oembed: Option<String>,
}

/// Reads a page. Nothing where it is none, or has nothing to say, or came from where nobody is to be asked.
pub fn read(response: &Response, denied: &Hosts) -> Page {
    let Ok(place) = Url::parse(&response.url) else { return Page::default() };
    if !response.is_success() || !is_allowed(&place, denied) {
        return Page::default();
    }
    let content_type = response.header("content-type").unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind.starts_with("image/") {
        let preview = Preview { kind: Some("image".to_owned()), image_url: Some(place.into()), ..Preview::default() };
        return Page { preview, oembed: None };
    }
    // Who says nothing has HTML for the most part.
    if !matches!(kind.as_str(), "" | "text/html" | "application/xhtml+xml") {
        return Page::default();
    }
    let said = html::read(decoded(&response.body, content_type).as_bytes());
    page(&said, &place, denied)
}

fn page(said: &Said, place: &Url, denied: &Hosts) -> Page {
    let base = said.base.get().and_then(|base| place.join(base).ok());
    let base = base.as_ref().unwrap_or(place);
    let resolved = |written: &str| base.join(written).ok().filter(|url| is_allowed(url, denied)).map(String::from);
    let text = |said: Option<&str>, most| said.and_then(|said| line(said, most));
    let preview = Preview {
        title: text(said.title.get(), TITLE_MAX),
        description: text(said.description.get(), DESCRIPTION_MAX),
        site_name: text(said.site_name.get(), NAME_MAX),
        kind: text(said.kind.get(), NAME_MAX),
        author_name: text(said.author_name.get(), NAME_MAX),
        image_url: said.image.get().and_then(resolved),
    };
    Page { preview, oembed: said.oembed.get().and_then(resolved) }
}

/// What oEmbed says. Its `html` is for those who trust it, which nobody here does.
pub fn read_oembed(response: &Response, denied: &Hosts) -> Preview {
    // With a part of it nothing can be done.
    if !response.is_success() || response.is_cut {
        return Preview::default();
    }
    let said: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let text = |name: &str, most| line(said[name].as_str()?, most);
    let picture = if said["type"] == "photo" { &said["url"] } else { &said["thumbnail_url"] };
    let place = Url::parse(&response.url).ok();
    let image_url = picture.as_str().zip(place).and_then(|(picture, place)| place.join(picture).ok());
    Preview {
        title: text("title", TITLE_MAX),
        description: None,
        site_name: text("provider_name", NAME_MAX),
        kind: text("type", NAME_MAX),
        author_name: text("author_name", NAME_MAX),
        image_url: image_url.filter(|url| is_allowed(url, denied)).map(String::from),
    }
}

/// The words of a page. Its first bytes may say in which encoding it is, or the server, or the page itself; where nobody does, it is
/// UTF-8 if it can be, and otherwise what the web was before.
fn decoded<'a>(body: &'a [u8], content_type: &str) -> Cow<'a, str> {
    let named = |label: &str| Encoding::for_label(label.as_bytes());
    let by_itself = || {
        let said = html::read(&body[..body.len().min(PRESCAN_BYTES)]);
        let encoding = named(said.charset.get()?)?;
        // A page of which that much could be read is not in UTF-16, whatever it says.
        Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
    };
    let encoding = charset_of(content_type).and_then(named).or_else(by_itself);
    let encoding = encoding.unwrap_or_else(|| if may_be_utf_8(body) { UTF_8 } else { WINDOWS_1252 });
    // A mark at the beginning of the bytes is stronger than what anybody says.
    encoding.decode(body).0
}

/// Whether it is UTF-8, of which the end may be missing.
fn may_be_utf_8(body: &[u8]) -> bool {
    std::str::from_utf8(body).err().is_none_or(|error| error.error_len().is_none())
}
