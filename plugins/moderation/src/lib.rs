//! Keeps the peace: looks at messages before they are sent or edited, by rules that the admins of the workspace write.
//!
//! All rules are looked at; the sternest action among those that were broken is taken, and their strikes add up, also for
//! what was refused: the hub commits what a before-hook notes whatever becomes of the message.

mod links;
mod rates;
mod rules;
mod strikes;
mod words;

use std::ops::Range;

use jackfield_plugin::prelude::*;

use crate::{
    rules::{Action, Occasion, Rule},
    strikes::Strikes,
};

/// What flags wait for is the event of the message, which comes soon; or never, where the hub refused the message.
const FLAG_SECONDS: u32 = 24 * 60 * 60;
/// Stands for a character that was masked. An asterisk would be Markdown.
const MASK: char = '•';

/// The configuration.
#[data]
#[serde(default)]
pub struct Moderation {
    rules: Vec<Rule>,
    exempt_roles: Vec<RoleName>,
    strikes: Strikes,
}

impl Default for Moderation {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            exempt_roles: vec![RoleName::Owner, RoleName::Admin, RoleName::Moderator],
            strikes: Strikes::default(),
        }
    }
}

/// What becomes of a message.
enum Judgement {
    Allow,
    Mask(String),
    Hold(String),
    Reject(Refusal),
}

#[plugin]
impl MessageHooks for Moderation {
    fn before_create(&self, draft: MessageDraft) -> Result<MessageVerdict> {
        let occasion = Occasion { text: draft.text(), author: &draft.sender, is_new: true };
        Ok(match self.judge(&occasion, &draft.conversation)? {
            Judgement::Allow => MessageVerdict::Allow,
            Judgement::Mask(text) => MessageVerdict::say_instead(text),
            Judgement::Hold(reason) => MessageVerdict::Hold(reason),
            Judgement::Reject(refusal) => MessageVerdict::Reject(refusal),
        })
    }

    fn before_edit(&self, draft: EditDraft) -> Result<EditVerdict> {
        let occasion = Occasion { text: draft.text(), author: &draft.editor, is_new: false };
        Ok(match self.judge(&occasion, &draft.message.conversation)? {
            Judgement::Allow => EditVerdict::Allow,
            Judgement::Mask(text) => EditVerdict::Patch(text),
            // Readers have the old words already; there is nothing to hold.
            Judgement::Hold(_) => {
                EditVerdict::reject("EDIT_NOT_ALLOWED", "A moderator would have to look at this first.")
            }
            Judgement::Reject(refusal) => EditVerdict::Reject(refusal),
        })
    }
}

#[plugin]
impl EventHooks for Moderation {
    /// Tells moderators of what was flagged, once there is a message to look at.
    fn on_event(&self, event: Event) -> Result<()> {
        let Some(message) = event.message.filter(|_| self.rules.iter().any(|rule| rule.action == Action::Flag)) else {
            return Ok(());
        };
        let key = flag_key(&message.conversation, &message.sender, message.text());
        let Some(rules) = kv::get::<Vec<String>>(&key)? else { return Ok(()) };
        annotations::set(&message.id, &json!({ "flags": rules }))?;
        let payload = json!({
            "message": message.id, "conversation": message.conversation, "sender": message.sender, "rules": rules,
        });
        notices::send(notices::Audience::Moderators, "flagged", &payload)?;
        Ok(())
    }
}

#[plugin]
impl CommandHooks for Moderation {
    fn run_command(&self, call: CommandCall) -> Result<CommandAnswer> {
        if !matches!(call.viewer.role, WorkspaceRole::Owner | WorkspaceRole::Admin | WorkspaceRole::Moderator) {
            return Ok(CommandAnswer::refuse("NOT_A_MODERATOR", "This is for moderators."));
        }
        let Some(ArgumentValue::User(user)) = call.argument("user") else {
            return Ok(CommandAnswer::refuse("NO_USER", "Say whom you mean."));
        };
        match call.command.as_str() {
            "strikes" => self.strikes.tell(user).map(CommandAnswer::say),
            "pardon" => strikes::pardon(user).map(|()| CommandAnswer::say("All strikes are forgotten.")),
            other => Err(Failure::new(format!("the manifest names a command that is not there: {other}"))),
        }
    }
}

#[plugin]
impl LifecycleHooks for Moderation {
    fn validate(&self) -> Vec<ConfigurationProblem> {
        let problem = |(place, rule): (usize, &Rule)| {
            let what = "only words, patterns and links can be masked: reject, hold or flag it";
            (!rule.can_be_done()).then(|| ConfigurationProblem::new(format!("/rules/{place}/action"), what))
        };
        self.rules.iter().enumerate().filter_map(problem).collect()
    }
}

impl Moderation {
    fn judge(&self, occasion: &Occasion, conversation: &str) -> Result<Judgement> {
        if self.rules.is_empty()
            || self.exempt_roles.iter().any(|role| WorkspaceRole::from(*role) == occasion.author.role)
        {
            return Ok(Judgement::Allow);
        }
        let author = &occasion.author.id;
        if let Some(refusal) = strikes::muted(author)? {
            return Ok(Judgement::Reject(refusal));
        }
        let mut broken = Vec::new();
        for (place, rule) in self.rules.iter().enumerate() {
            if let Some(places) = rule.broken_by(place, occasion)? {
                broken.push((rule, places));
            }
        }
        let Some(sternest) =
            broken.iter().map(|(rule, _)| *rule).reduce(|a, b| if b.action < a.action { b } else { a })
        else {
            return Ok(Judgement::Allow);
        };
        let names: Vec<String> = broken.iter().map(|(rule, _)| rule.name()).collect();
        log::info(format!("{author}: {} ({:?})", names.join(", "), sternest.action));
        let muted = self.strikes.add(author, broken.iter().map(|(rule, _)| rule.strikes()).sum())?;
        let of = |action: Action| broken.iter().filter(move |(rule, _)| rule.action == action);
        let text = masked(occasion.text, of(Action::Mask).flat_map(|(_, places)| places.iter().cloned()));
        Ok(match sternest.action {
            Action::Reject => Judgement::Reject(sternest.refusal(muted.as_deref())),
            Action::Hold => Judgement::Hold(names.join(", ")),
            Action::Mask | Action::Flag => {
                let flags: Vec<String> = of(Action::Flag).map(|(rule, _)| rule.name()).collect();
                if !flags.is_empty() {
                    kv::set_for(&flag_key(conversation, author, &text), &flags, FLAG_SECONDS)?;
                }
                if text == occasion.text { Judgement::Allow } else { Judgement::Mask(text) }
            }
        })
    }
}

/// A message has no id before it is sent. Who says the same again in the same place breaks the same rules again.
fn flag_key(conversation: &str, author: &str, text: &str) -> String {
    format!("flag/{conversation}/{author}/{:016x}", rates::hash(text))
}

/// The text with these places covered, blanks excepted.
fn masked(text: &str, places: impl Iterator<Item = Range<usize>>) -> String {
    let mut places: Vec<Range<usize>> = places.collect();
    places.sort_by_key(|place| place.start);
    let mut places = places.into_iter().peekable();
    let cover = |(at, c): (usize, char)| {
        while places.next_if(|place| place.end <= at).is_some() {}
        let is_covered = places.peek().is_some_and(|place| place.start <= at);
        if is_covered && !c.is_whitespace() { MASK } else { c }
    };
    text.char_indices().map(cover).collect()
}

#[cfg(test)]
mod tests;
