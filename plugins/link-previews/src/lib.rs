//! Shows what the links in messages lead to.
//!
//! A message is sent first and looked at afterwards, so that nobody waits for the servers of strangers. Each link is asked for once
//! a day, however many messages have it, by the hub, which asks nothing but what is public; the pages are read in here, where a
//! hostile one can do no harm. What is shown is attached to the message, and follows what the message says by now.

mod html;
mod kept;
mod links;
mod page;
mod preview;

use std::collections::BTreeMap;

use jackfield_plugin::prelude::*;

use crate::{
    kept::{Kept, Part, Tag, Worth},
    links::{Hosts, Link, links},
    page::{read, read_oembed},
    preview::Preview,
};

/// So many messages are read in one call.
const AT_ONCE: usize = 100;

/// Which links are not looked at.
#[data]
#[derive(Default)]
#[serde(default)]
pub struct LinkPreviews {
    deny: Hosts,
}

/// A preview as it is attached to a message.
#[data]
struct Shown {
    url: String,
    #[serde(flatten)]
    preview: Preview,
}

#[plugin]
impl EventHooks for LinkPreviews {
    fn on_events(&self, batch: EventBatch) -> Result<()> {
        let mut looked_at = Vec::new();
        for event in batch.events {
            let Some(message) = event.message else { continue };
            let links = self.links(&message);
            // What was edited may have lost its links; what was sent without one has nothing to lose.
            if !links.is_empty() || event.kind == "message_edited" {
                looked_at.push((message.id, links));
            }
        }
        if looked_at.is_empty() {
            return Ok(());
        }
        let known = Known::of(looked_at.iter().flat_map(|(_, links)| links))?;
        for (message, links) in &looked_at {
            let mut waiting = Vec::new();
            for link in links {
                if known.has(link) {
                    continue;
                }
                match kept::wait(link, message) {
                    Ok(true) => waiting.push(link.digest.as_str()),
                    Ok(false) => {}
                    // Where nothing more can be kept there are no more previews for a while, and nothing else is wrong.
                    Err(failure) => log::warn(format!("nothing more can be kept: {failure}")),
                }
            }
            kept::set_waiting(message, &waiting)?;
        }
        known.show(&looked_at)?;
        kept::send_later_ones()
    }
}

#[plugin]
impl AnswerHooks for LinkPreviews {
    fn on_answer(&self, answer: Answer) -> Result<()> {
        let Tag { digest, part } = answer.tag()?;
        // It may have come so late that nobody waits for it any more.
        let Some(so_far) = kept::asked(&digest)? else { return kept::send_later_ones() };
        let mut worth = Worth::Day;
        let preview = match (&answer.outcome, part) {
            (Ok(response), Part::Page) => {
                if response.status >= 500 || response.status == 429 {
                    worth = Worth::Pause;
                }
                let page = read(response, &self.deny);
                if let Some(place) = page.oembed
                    && kept::ask_oembed(&digest, &page.preview, &place)?
                {
                    return kept::send_later_ones();
                }
                page.preview
            }
            (Ok(response), Part::Oembed) => so_far.or(read_oembed(response, &self.deny)),
            (Err(_), Part::Oembed) => so_far,
            (Err(_), Part::Page) => {
                worth = Worth::Pause;
                Preview::default()
            }
        };
        let preview = Some(preview).filter(Preview::says_something);
        for messages in kept::know(&digest, preview.as_ref(), worth)?.chunks(AT_ONCE) {
            self.show_at_last(&digest, preview.as_ref(), messages)?;
        }
        kept::send_later_ones()
    }
}

#[plugin]
impl GraphqlHooks for LinkPreviews {
    fn resolve(&self, call: FieldCall) -> Result<Vec<Result<Value>>> {
        let shown: Vec<Option<Vec<Shown>>> = annotations::get_many(&call.objects)?;
        // What was found before a host was denied is shown no more.
        let allowed = |mut shown: Vec<Shown>| {
            shown.retain(|shown| !self.deny.denies(&shown.url));
            if shown.is_empty() { Value::Null } else { json!(shown) }
        };
        Ok(shown.into_iter().map(|shown| Ok(shown.map(allowed).unwrap_or_default())).collect())
    }
}

#[plugin]
impl LifecycleHooks for LinkPreviews {
    fn validate(&self) -> Vec<ConfigurationProblem> {
        let problem = |(place, host): (usize, &String)| {
            ConfigurationProblem::new(
                format!("/deny/{place}"),
                format!("«{host}» is no host: write it like example.org"),
            )
        };
        self.deny.mistaken().map(problem).collect()
    }
}

impl LinkPreviews {
    fn links(&self, message: &Message) -> Vec<Link> {
        let is_said = message.deleted_at.is_none() && message.kind != MessageKind::System;
        if is_said { links(message.text(), &self.deny) } else { Vec::new() }
    }

    /// Shows a link that is known now in messages that have waited for it, if they still have it.
    fn show_at_last(&self, digest: &str, preview: Option<&Preview>, waiting: &[String]) -> Result<()> {
        let mut looked_at = Vec::new();
        for message in messages::get_many(waiting)?.into_iter().flatten() {
            let links = self.links(&message);
            if kept::stop_waiting(&message.id, digest)? && links.iter().any(|link| link.digest == digest) {
                looked_at.push((message.id, links));
            }
        }
        let mut known = Known::of(looked_at.iter().flat_map(|(_, links)| links))?;
        known.0.insert(digest.to_owned(), preview.cloned());
        known.show(&looked_at)
    }
}

/// What is known of links.
struct Known(BTreeMap<String, Option<Preview>>);

impl Known {
    fn of<'a>(links: impl Iterator<Item = &'a Link>) -> Result<Self> {
        let links: BTreeMap<&str, &Link> = links.map(|link| (link.digest.as_str(), link)).collect();
        let links: Vec<&Link> = links.into_values().collect();
        let kept = kept::of_links(&links)?;
        let known = links.into_iter().zip(kept).filter_map(|(link, kept)| match kept {
            Some(Kept::Known(preview)) => Some((link.digest.clone(), preview)),
            _ => None,
        });
        Ok(Self(known.collect()))
    }

    fn has(&self, link: &Link) -> bool {
        self.0.contains_key(&link.digest)
    }

    /// Attaches to messages what is known of their links, where it is something else than what is there.
    fn show(&self, messages: &[(String, Vec<Link>)]) -> Result<()> {
        for messages in messages.chunks(AT_ONCE) {
            let ids: Vec<String> = messages.iter().map(|(message, _)| message.clone()).collect();
            let there: Vec<Option<Vec<Shown>>> = annotations::get_many(&ids)?;
            for ((message, links), there) in messages.iter().zip(there) {
                let shown: Vec<Shown> = links.iter().filter_map(|link| self.shown(link, there.as_deref())).collect();
                if shown.is_empty() && there.is_some() {
                    annotations::remove(message)?;
                } else if !shown.is_empty() && there.as_ref() != Some(&shown) {
                    annotations::set(message, &shown)?;
                }
            }
        }
        Ok(())
    }

    /// What was shown before is shown on where nothing else is known: what is kept of a link goes away before the message does.
    fn shown(&self, link: &Link, there: Option<&[Shown]>) -> Option<Shown> {
        match self.0.get(&link.digest) {
            Some(preview) => Some(Shown { url: link.written.clone(), preview: preview.clone()? }),
            None => there?.iter().find(|shown| shown.url == link.written).cloned(),
        }
    }
}

#[cfg(test)]
mod tests;
