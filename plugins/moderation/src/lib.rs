//! Keeps the peace: looks at messages before they are sent or edited, by rules that the admins of the workspace write.
//!
//! All rules are looked at; the sternest action among those that were broken is taken, and their strikes add up, also for
//! what was refused: the hub commits what a before-hook notes whatever becomes of the message.

mod budget;
mod cases;
mod letters;
mod links;
mod patterns;
mod punycode;
mod rates;
mod reading;
mod rules;
mod strikes;
mod words;

use std::ops::Range;

use jackfield_plugin::prelude::*;

use crate::{
    cases::{Case, Decided, Outcome},
    rules::{Action, Breach, Occasion, Rule},
    strikes::Strikes,
    words::Words,
};

/// What is noted waits for the event of the message, which comes soon; or never, where the hub refused the message.
const NOTED_SECONDS: u32 = 24 * 60 * 60;
/// Stands for a character that was masked. An asterisk would be Markdown.
const MASK: char = '•';

/// The configuration, and what is made of it once: the SDK keeps it from call to call for as long as the configuration is the same.
#[data]
#[serde(from = "Configuration", into = "Configuration")]
pub struct Moderation {
    configuration: Configuration,
    words: Words,
}

/// The configuration.
#[data]
#[serde(default)]
struct Configuration {
    rules: Vec<Rule>,
    exempt_roles: Vec<RoleName>,
    strikes: Strikes,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            exempt_roles: vec![RoleName::Owner, RoleName::Admin, RoleName::Moderator],
            strikes: Strikes::default(),
        }
    }
}

impl From<Configuration> for Moderation {
    fn from(configuration: Configuration) -> Self {
        let rules = configuration.rules.iter().enumerate();
        let words =
            Words::of(rules.flat_map(|(place, rule)| rule.words().iter().map(move |word| (place, word.as_str()))));
        Self { configuration, words }
    }
}

impl From<Moderation> for Configuration {
    fn from(moderation: Moderation) -> Self {
        moderation.configuration
    }
}

/// What was found in a message that is going to be sent.
#[data]
struct Noted {
    flags: Vec<String>,
    case: String,
}

/// What is kept beside such a message.
#[data]
struct Annotation {
    #[serde(default)]
    flags: Vec<String>,
    #[serde(default)]
    case: Option<String>,
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
        let mut occasion = Occasion::new(draft.text(), &draft.sender, true);
        occasion.is_poll = draft.kind == MessageKind::Poll;
        Ok(match self.judge(&occasion, &draft.conversation, None)? {
            Judgement::Allow => MessageVerdict::Allow,
            Judgement::Mask(text) => MessageVerdict::say_instead(text),
            Judgement::Hold(reason) => MessageVerdict::Hold(reason),
            Judgement::Reject(refusal) => MessageVerdict::Reject(refusal),
        })
    }

    fn before_edit(&self, draft: EditDraft) -> Result<EditVerdict> {
        let occasion = Occasion::new(draft.text(), &draft.editor, false);
        Ok(match self.judge(&occasion, &draft.message.conversation, Some(&draft.message.id))? {
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
    fn on_events(&self, batch: EventBatch) -> Result<()> {
        let messages = batch.events.into_iter().filter_map(|event| event.message);
        let messages: Vec<Message> = messages.filter(|message| self.may_be_noted(message)).collect();
        let keys: Vec<String> = messages
            .iter()
            .map(|message| noted_key(&message.conversation, noted_by(message), message.text()))
            .collect();
        let noted = if keys.is_empty() { Vec::new() } else { kv::get_many::<Noted>(&keys)? };
        messages.iter().zip(noted).try_for_each(|(message, noted)| noted.map_or(Ok(()), |noted| flag(message, &noted)))
    }
}

/// What was found before it was sent is put beside it.
fn flag(message: &Message, Noted { flags, case }: &Noted) -> Result<()> {
    cases::sent(case, &message.id)?;
    annotations::set(&message.id, &Annotation { flags: flags.clone(), case: Some(case.clone()) })?;
    if !flags.is_empty() {
        let payload = json!({
            "message": message.id, "conversation": message.conversation, "sender": message.sender, "rules": flags,
            "case": case,
        });
        notices::send(notices::Audience::Moderators, "flagged", &payload)?;
    }
    Ok(())
}

#[plugin]
impl GraphqlHooks for Moderation {
    /// Whoever does not keep the peace sees no cases.
    fn resolve(&self, call: FieldCall) -> Result<Vec<Result<Value>>> {
        if !moderates(&call.viewer) {
            return call.each(|_| Ok(Value::Null));
        }
        if call.parent == "Query" {
            let asked = call.arguments()?;
            return call.each(|_| cases::page(&asked));
        }
        let mut ids = Vec::new();
        for some in call.objects.chunks(100) {
            let annotations = annotations::get_many::<Annotation>(some)?;
            ids.extend(annotations.into_iter().map(|annotation| annotation?.case));
        }
        Ok(cases::of(&ids)?.into_iter().map(Ok).collect())
    }

    /// Decides about a case, and tells the other moderators.
    fn mutate(&self, call: MutationCall) -> Result<MutationAnswer> {
        if !moderates(&call.viewer) {
            return Ok(cases::none());
        }
        match cases::resolve(call.input()?, &call.viewer.id)? {
            Decided::Refused(answer) => Ok(answer),
            Decided::Done { case, user, strikes } => {
                self.configuration.strikes.take_back(&user, strikes)?;
                let payload = json!({
                    "case": case["id"], "resolution": case["decision"]["resolution"], "moderator": call.viewer.id,
                });
                notices::send(notices::Audience::Moderators, "case_resolved", &payload)?;
                MutationAnswer::done(json!({ "case": case }))
            }
        }
    }
}

fn moderates(viewer: &User) -> bool {
    matches!(viewer.role, WorkspaceRole::Owner | WorkspaceRole::Admin | WorkspaceRole::Moderator)
}

#[plugin]
impl CommandHooks for Moderation {
    fn run_command(&self, call: CommandCall) -> Result<CommandAnswer> {
        if !moderates(&call.viewer) {
            return Ok(CommandAnswer::refuse("NOT_A_MODERATOR", "This is for moderators."));
        }
        let Some(ArgumentValue::User(user)) = call.argument("user") else {
            return Ok(CommandAnswer::refuse("NO_USER", "Say whom you mean."));
        };
        match call.command.as_str() {
            "strikes" => self.configuration.strikes.tell(user).map(CommandAnswer::say),
            "pardon" => strikes::pardon(user).map(|()| CommandAnswer::say("All strikes are forgotten.")),
            other => Err(Failure::new(format!("the manifest names a command that is not there: {other}"))),
        }
    }
}

#[plugin]
impl LifecycleHooks for Moderation {
    fn validate(&self) -> Vec<ConfigurationProblem> {
        let faults = self.configuration.rules.iter().enumerate().filter_map(|(place, rule)| {
            let fault = rule.fault()?;
            Some(ConfigurationProblem::new(format!("/rules/{place}/{}", fault.field), &fault.what))
        });
        faults.chain(budget::problems(&self.configuration.rules)).collect()
    }
}

impl Moderation {
    /// Whether something may have been found in a message that was sent: most messages are not even looked up.
    fn may_be_noted(&self, message: &Message) -> bool {
        let may = |action: Action| self.configuration.rules.iter().any(|rule| rule.action == action);
        may(Action::Flag) || message.text().contains(MASK) && may(Action::Mask)
    }

    /// `message` is the one that is to be another one.
    fn judge(&self, occasion: &Occasion, conversation: &str, message: Option<&str>) -> Result<Judgement> {
        if self.configuration.rules.is_empty()
            || self.configuration.exempt_roles.iter().any(|role| WorkspaceRole::from(*role) == occasion.author.role)
        {
            return Ok(Judgement::Allow);
        }
        let author = &occasion.author.id;
        if let Some(refusal) = strikes::muted(author)? {
            return Ok(Judgement::Reject(refusal));
        }
        let rules = &self.configuration.rules;
        if let Some(refusal) = rules.iter().find_map(|rule| rule.too_much(occasion)) {
            return Ok(Judgement::Reject(refusal));
        }
        if rules.iter().any(Rule::reads) && budget::is_too_long(rules, &occasion.reading) {
            let reason = "This is too long to be looked at. Send it in parts.";
            return Ok(Judgement::Reject(Refusal::new("TOO_LONG", reason)));
        }
        let found = rules::words_in(occasion, &self.words, rules);
        let mut broken = Vec::new();
        for (place, (rule, words)) in rules.iter().zip(found.words).enumerate() {
            if let Some(breach) = rule.broken_by(place, occasion, words)? {
                broken.push((rule, breach));
            }
        }
        let Some(sternest) =
            broken.iter().map(|(rule, _)| *rule).reduce(|a, b| if b.action < a.action { b } else { a })
        else {
            return Ok(Judgement::Allow);
        };
        let names: Vec<String> = broken.iter().map(|(rule, _)| rule.name()).collect();
        log::info(format!("{author}: {} ({:?})", names.join(", "), sternest.action));
        let strikes = broken.iter().map(|(rule, _)| rule.strikes()).sum();
        let muted = self.configuration.strikes.add(author, strikes, sternest.action == Action::Hold)?;
        let of = |action: Action| broken.iter().filter(move |(rule, _)| rule.action == action);
        let text = masked(
            occasion.text,
            of(Action::Mask).flat_map(|(_, breach)| breach.places.iter().cloned()).chain(found.masks),
        );
        let outcome = match sternest.action {
            Action::Reject => Outcome::Rejected,
            // An edit is refused instead.
            Action::Hold if message.is_some() => Outcome::Rejected,
            Action::Hold => Outcome::Held,
            Action::Mask => Outcome::Masked,
            Action::Flag => Outcome::Flagged,
        };
        let case = Case {
            outcome,
            user: author.clone(),
            conversation: conversation.to_owned(),
            message: message.map(str::to_owned),
            rules: names,
            found: broken.iter().flat_map(|(_, breach)| &breach.words).map(|word| shortened(word)).collect(),
            strikes,
            opened_at: clock::now(),
            decision: None,
        };
        let case = case.open()?;
        Ok(match sternest.action {
            Action::Reject => Judgement::Reject(sternest.refusal(muted.as_deref())),
            // It is sent as it is written if it is approved: so the moderator reads of what would have been masked, too.
            Action::Hold => Judgement::Hold(in_words(&broken)),
            Action::Mask | Action::Flag => {
                let flags = of(Action::Flag).map(|(rule, _)| rule.name()).collect();
                let by = if occasion.is_poll { POLLS } else { author };
                kv::set_for(&noted_key(conversation, by, &text), &Noted { flags, case }, NOTED_SECONDS)?;
                if text == occasion.text { Judgement::Allow } else { Judgement::Mask(text) }
            }
        })
    }
}

/// What a moderator reads: which rules were broken, and by which words.
fn in_words(broken: &[(&Rule, Breach)]) -> String {
    let told = broken.iter().map(|(rule, breach)| {
        let words: Vec<String> = breach.words.iter().map(|word| format!("«{}»", shortened(word))).collect();
        if words.is_empty() { rule.name() } else { format!("{} ({})", rule.name(), words.join(", ")) }
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Enough of it to be found again, in a line.
fn shortened(word: &str) -> String {
    const MAX_CHARACTERS: usize = 40;
    let line: Vec<&str> = word.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Whose polls they are does not show in them: a program has sent them.
const POLLS: &str = "polls";

fn noted_by(message: &Message) -> &str {
    if message.kind == MessageKind::Poll { POLLS } else { &message.sender }
}

/// A message has no id before it is sent. Who says the same again in the same place breaks the same rules again.
fn noted_key(conversation: &str, author: &str, text: &str) -> String {
    format!("noted/{conversation}/{author}/{:016x}", rates::hash(text))
}

/// The text with these places covered, blanks excepted.
fn masked(text: &str, places: impl Iterator<Item = Range<usize>>) -> String {
    let mut is_covered = vec![false; text.len()];
    places.for_each(|place| is_covered[place].fill(true));
    text.char_indices().map(|(at, c)| if is_covered[at] && !c.is_whitespace() { MASK } else { c }).collect()
}

#[cfg(test)]
mod tests;
