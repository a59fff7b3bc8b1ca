//! Finds who is mentioned in messages and hands them to the hub, which keeps, lists and counts them.
//!
//! It runs after a message was sent or edited, so that nobody waits for it, and looks only at what the message says by
//! now: an edit adds and removes, and an event that comes twice changes nothing.

mod names;
mod text;

use std::collections::BTreeMap;

use jackfield_plugin::prelude::*;
use mentions::Target;

use crate::{
    names::Name,
    text::{candidates, passages},
};

/// The hub takes no more for one message.
const MAX_TARGETS: usize = 100;
/// So many people are looked at for one `@`, at first.
const SEARCH_LIMIT: u32 = 100;
/// Whoever writes a message of nothing but `@`s keeps nobody busy.
const MAX_SEARCHES: usize = 200;

/// Which words mean more than one person.
#[data]
#[serde(default)]
pub struct Mentions {
    everyone: Vec<String>,
    online: Vec<String>,
    roles: BTreeMap<String, RoleName>,
}

impl Default for Mentions {
    fn default() -> Self {
        let roles = [("owners", RoleName::Owner), ("admins", RoleName::Admin), ("moderators", RoleName::Moderator)];
        Self {
            everyone: vec!["all".to_owned()],
            online: vec!["here".to_owned()],
            roles: roles.map(|(word, role)| (word.to_owned(), role)).into(),
        }
    }
}

#[plugin]
impl EventHooks for Mentions {
    fn on_event(&self, event: Event) -> Result<()> {
        let Some(message) = event.message.filter(|message| message.deleted_at.is_none()) else { return Ok(()) };
        let Body::Plain(body) = &message.body else { return Ok(()) };
        if message.kind == MessageKind::System {
            return Ok(());
        }
        let mut targets = if body.contains('@') { self.targets(body, &message.conversation)? } else { Vec::new() };
        // Whoever sends is never mentioned; that somebody else of the same name is meant stays true.
        targets.retain(|target| *target != Target::User(message.sender.clone()));
        if targets.len() > MAX_TARGETS {
            log::info(format!("{} are mentioned in one message, of whom {MAX_TARGETS} are told", targets.len()));
            targets.truncate(MAX_TARGETS);
        }
        let has_nothing_to_take_back = event.kind == "message_sent";
        if !(targets.is_empty() && has_nothing_to_take_back) {
            mentions::set(&message.id, &targets)?;
        }
        Ok(())
    }
}

impl Mentions {
    /// Whom a text mentions, each once, in the order of the text.
    fn targets(&self, body: &str, conversation: &str) -> Result<Vec<Target>> {
        let groups = self.groups();
        let mut members = Members { conversation, searched: BTreeMap::new() };
        let mut found = Vec::new();
        for passage in passages(body) {
            for words in candidates(&passage) {
                for target in meant(&groups, &members.who_may_be(words)?, words) {
                    if !found.contains(&target) {
                        found.push(target);
                    }
                }
            }
        }
        Ok(found)
    }

    /// The words that mean more than one person.
    fn groups(&self) -> Vec<(Name, Target)> {
        let everyone = self.everyone.iter().map(|word| (Name::new(word), Target::Everyone));
        let online = self.online.iter().map(|word| (Name::new(word), Target::Online));
        let roles = self.roles.iter().map(|(word, role)| (Name::new(word), Target::WorkspaceRole((*role).into())));
        everyone.chain(online).chain(roles).collect()
    }
}

/// Whom the words after an `@` mean: the longest name they begin with. A group wins over people of the same name, so that
/// nobody can take `@all` away; people of the same name are all meant, for nobody can tell which one was.
fn meant(groups: &[(Name, Target)], people: &[User], words: &str) -> Vec<Target> {
    let people = people.iter().map(|user| (Name::new(&user.name), Target::User(user.id.clone())));
    let mut longest = 0;
    let mut found: Vec<Target> = Vec::new();
    for (name, target) in groups.iter().cloned().chain(people) {
        let Some(length) = name.begins(words) else { continue };
        let is_person = |target: &Target| matches!(target, Target::User(_));
        if length > longest {
            longest = length;
            found = vec![target];
        } else if length == longest && is_person(&target) && found.first().is_some_and(is_person) {
            found.push(target);
        }
    }
    found
}

/// The members of a conversation, as far as they have been searched for.
struct Members<'a> {
    conversation: &'a str,
    searched: BTreeMap<String, Vec<User>>,
}

impl Members<'_> {
    /// Those who may be meant: whose names have a word that the text begins with. Where these are too many to be shown at
    /// once, more words of the text narrow them down.
    fn who_may_be(&mut self, words: &str) -> Result<Vec<User>> {
        let mut found: Vec<User> = Vec::new();
        for count in 1..=names::MAX_WORDS {
            let Some(query) = names::query(words, count) else { break };
            let page = match self.searched.get(&query) {
                Some(page) => page.clone(),
                None if self.searched.len() >= MAX_SEARCHES => break,
                None => {
                    let page = users::search(&query, Some(self.conversation), SEARCH_LIMIT)?;
                    self.searched.insert(query, page.clone());
                    page
                }
            };
            let is_all = page.len() < SEARCH_LIMIT as usize;
            for user in page {
                if !found.iter().any(|known| known.id == user.id) {
                    found.push(user);
                }
            }
            if is_all {
                break;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
