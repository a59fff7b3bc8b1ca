//! What a page of HTML says of itself: `OpenGraph`, Twitter's cards, where there is oEmbed, and the plain title.
//!
//! The page is read as a row of tags, by the tokenizer of browsers, and nothing is kept of it but what is looked for; there is no
//! tree whose size or depth a hostile page would decide on.

use std::convert::Infallible;

use html5gum::{
    Span, Tokenizer,
    emitters::callback::{CallbackEmitter, CallbackEvent},
};

/// More of one value is not looked at.
const VALUE_MAX_BYTES: usize = 8_192;

/// What a page says of itself, as it says it.
#[derive(Debug, Default)]
pub struct Said {
    pub title: Best,
    pub description: Best,
    pub site_name: Best,
    pub kind: Best,
    pub author_name: Best,
    pub image: Best,
    /// Where what the page refers to begins.
    pub base: Best,
    /// Where there is oEmbed, in JSON.
    pub oembed: Best,
    /// In which encoding it is written.
    pub charset: Best,
}

/// Of what is said in several ways, that in the best of them; of what is said twice, the first.
#[derive(Debug, Default)]
pub struct Best(Option<(u8, String)>);

impl Best {
    fn offer(&mut self, rank: u8, value: &str) {
        let value = value.trim();
        if !value.is_empty() && self.0.as_ref().is_none_or(|(best, _)| rank < *best) {
            self.0 = Some((rank, value.to_owned()));
        }
    }

    pub fn get(&self) -> Option<&str> {
        self.0.as_ref().map(|(_, value)| value.as_str())
    }
}

/// Reads a page, or as much of it as there is.
pub fn read(page: &[u8]) -> Said {
    let mut reading = Reading::default();
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        reading.hear(event);
        None
    });
    // Nothing in a script or in a style is a tag.
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(page, emitter).finish();
    reading.end_of_title();
    reading.said
}

#[derive(Default)]
struct Reading {
    said: Said,
    tag: Tag,
    attribute: Option<Attribute>,
    values: [Option<String>; ATTRIBUTES.len()],
    /// The title so far, while we are in it.
    title: Option<Vec<u8>>,
}

/// The tags that say something.
#[derive(Clone, Copy, Default, PartialEq)]
enum Tag {
    #[default]
    Other,
    Meta,
    Link,
    Base,
    Title,
}

/// The attributes that do.
#[derive(Clone, Copy, PartialEq)]
enum Attribute {
    Property,
    Name,
    Content,
    Charset,
    HttpEquiv,
    Rel,
    Type,
    Href,
}

const ATTRIBUTES: [(&[u8], Attribute); 8] = [
    (b"property", Attribute::Property),
    (b"name", Attribute::Name),
    (b"content", Attribute::Content),
    (b"charset", Attribute::Charset),
    (b"http-equiv", Attribute::HttpEquiv),
    (b"rel", Attribute::Rel),
    (b"type", Attribute::Type),
    (b"href", Attribute::Href),
];

impl Reading {
    fn hear(&mut self, event: CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.end_of_title();
                self.tag = match name {
                    b"meta" => Tag::Meta,
                    b"link" => Tag::Link,
                    b"base" => Tag::Base,
                    b"title" => Tag::Title,
                    _ => Tag::Other,
                };
                self.attribute = None;
                self.values = Default::default();
            }
            CallbackEvent::AttributeName { name } if self.tag != Tag::Other => {
                let known = ATTRIBUTES.iter().find(|(known, _)| *known == name);
                self.attribute = known.map(|(_, attribute)| *attribute);
            }
            CallbackEvent::AttributeValue { value } if self.tag != Tag::Other => {
                if let Some(attribute) = self.attribute.take() {
                    // Of an attribute that is there twice the first one counts, as in browsers.
                    self.values[attribute as usize].get_or_insert_with(|| text(value));
                }
            }
            CallbackEvent::CloseStartTag { .. } => self.end_of_tag(),
            CallbackEvent::String { value } => {
                if let Some(title) = self.title.as_mut().filter(|title| title.len() < VALUE_MAX_BYTES) {
                    title.extend_from_slice(&value[..value.len().min(VALUE_MAX_BYTES)]);
                }
            }
            CallbackEvent::EndTag { .. } => self.end_of_title(),
            _ => {}
        }
    }

    fn value(&self, attribute: Attribute) -> &str {
        self.values[attribute as usize].as_deref().unwrap_or_default()
    }

    fn end_of_tag(&mut self) {
        match std::mem::take(&mut self.tag) {
            Tag::Meta => self.meta(),
            Tag::Link => self.link(),
            Tag::Base => {
                let href = self.values[Attribute::Href as usize].take().unwrap_or_default();
                self.said.base.offer(0, &href);
            }
            Tag::Title => self.title = Some(Vec::new()),
            Tag::Other => {}
        }
    }

    fn end_of_title(&mut self) {
        if let Some(title) = self.title.take() {
            self.said.title.offer(2, &text(&title));
        }
    }

    fn meta(&mut self) {
        let charset = self.value(Attribute::Charset).to_owned();
        self.said.charset.offer(0, &charset);
        let content = self.value(Attribute::Content).to_owned();
        if self.value(Attribute::HttpEquiv).eq_ignore_ascii_case("content-type") {
            self.said.charset.offer(1, charset_of(&content).unwrap_or_default());
        }
        let [property, name] = [Attribute::Property, Attribute::Name].map(|name| self.value(name).to_ascii_lowercase());
        // People write `name` for `property` and the other way round.
        for name in [property, name] {
            self.named(name.trim(), &content);
        }
    }

    fn named(&mut self, name: &str, content: &str) {
        let said = &mut self.said;
        let (best, rank) = match name {
            "og:title" => (&mut said.title, 0),
            "twitter:title" => (&mut said.title, 1),
            "og:description" => (&mut said.description, 0),
            "twitter:description" => (&mut said.description, 1),
            "description" => (&mut said.description, 2),
            "og:image:secure_url" => (&mut said.image, 0),
            "og:image" | "og:image:url" => (&mut said.image, 1),
            "twitter:image" | "twitter:image:src" => (&mut said.image, 2),
            "og:site_name" => (&mut said.site_name, 0),
            "application-name" => (&mut said.site_name, 1),
            "og:type" => (&mut said.kind, 0),
            "author" => (&mut said.author_name, 0),
            _ => return,
        };
        best.offer(rank, content);
    }

    fn link(&mut self) {
        let is_alternate =
            self.value(Attribute::Rel).split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("alternate"));
        if is_alternate && self.value(Attribute::Type).trim().eq_ignore_ascii_case("application/json+oembed") {
            let href = self.values[Attribute::Href as usize].take().unwrap_or_default();
            self.said.oembed.offer(0, &href);
        }
    }
}

/// What a content type says of the encoding.
pub fn charset_of(content_type: &str) -> Option<&str> {
    let at = content_type.to_ascii_lowercase().find("charset=")? + "charset=".len();
    let value = content_type[at..].trim_start_matches([' ', '"', '\'']);
    let end = value.find([';', '"', '\'', ' ', ',']).unwrap_or(value.len());
    Some(&value[..end]).filter(|value| !value.is_empty())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(VALUE_MAX_BYTES)]).into_owned()
}
