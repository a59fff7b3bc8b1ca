//! Polls and votes, as they are kept.

use std::collections::BTreeSet;

use jackfield_plugin::prelude::*;
use messages::NewMessage;

/// So many characters a question has at most, and an option.
const QUESTION_MAX: usize = 300;
const OPTION_MAX: usize = 100;
/// Nobody waits longer than a year for the end of a poll.
const LONGEST_MS: i64 = 366 * 24 * 60 * 60 * 1000;

/// A question that somebody wants to ask.
pub struct Question {
    pub conversation: String,
    pub words: String,
    pub options: Vec<String>,
    pub is_multiple: bool,
    pub is_anonymous: bool,
    pub closes_at: Option<i64>,
    pub reply_to: Option<String>,
}

/// A poll, under the id of the message that carries it.
#[data]
pub struct Poll {
    pub conversation: String,
    pub creator: String,
    pub question: String,
    pub options: Vec<String>,
    pub is_multiple: bool,
    pub is_anonymous: bool,
    pub closes_at: Option<i64>,
    pub closed_at: Option<i64>,
}

/// What somebody has chosen; nothing, where they took it back.
#[data]
#[derive(Default)]
pub struct Vote {
    pub options: BTreeSet<usize>,
}

/// When a poll is to close from now on.
#[derive(Clone, Copy)]
pub enum Closing {
    AsItWas,
    Never,
    At(i64),
}

/// What the plugin was asked to do, or why not.
pub type Done<T> = Result<Result<T, Refusal>>;

/// Goes on with what was found or done, or ends a function with what the viewer is told.
macro_rules! given {
    ($done:expr) => {
        match $done? {
            Ok(done) => done,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

pub fn poll_key(message: &str) -> String {
    format!("poll/{message}")
}

pub fn votes_prefix(message: &str) -> String {
    format!("vote/{message}/")
}

pub fn count_key(message: &str, option: usize) -> String {
    format!("count/{message}/{option}")
}

pub fn voters_key(message: &str) -> String {
    format!("count/{message}/voters")
}

/// By the time, so that those that are due are the first.
pub fn closing_key(at: i64, message: &str) -> String {
    format!("closing/{at:016}/{message}")
}

fn vote_key(message: &str, user: &str) -> String {
    format!("{}{user}", votes_prefix(message))
}

impl Poll {
    /// Asks a question; answers the id of the message.
    pub fn ask(asked: Question, viewer: &User, most_options: usize) -> Done<String> {
        let checked = || {
            let question = line("question", &asked.words, QUESTION_MAX)?;
            let options = options(&[], &asked.options, most_options)?;
            if options.len() < 2 {
                return Err(Refusal::new("TOO_FEW_OPTIONS", "A poll has two options or more."));
            }
            asked.closes_at.map_or(Ok(()), is_soon)?;
            Ok((question, options))
        };
        let (question, options) = match checked() {
            Ok(checked) => checked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let message = messages::post(&NewMessage {
            conversation: asked.conversation.clone(),
            kind: MessageKind::Poll,
            body: question.clone(),
            metadata: None,
            reply_to: asked.reply_to,
        });
        let message = match message {
            Ok(message) => message,
            Err(Error::NotFound | Error::Invalid(_)) => {
                return Ok(Err(Refusal::new("NO_CONVERSATION", "There is no such conversation.")));
            }
            Err(other) => return Err(other.into()),
        };
        let poll = Self {
            conversation: asked.conversation,
            creator: viewer.id.clone(),
            question,
            options,
            is_multiple: asked.is_multiple,
            is_anonymous: asked.is_anonymous,
            closes_at: asked.closes_at,
            closed_at: None,
        };
        kv::set(&poll_key(&message), &poll)?;
        poll.plan(&message)?;
        tell(&message)?;
        Ok(Ok(message))
    }

    pub fn is_closed(&self) -> bool {
        self.closed_at.is_some() || self.closes_at.is_some_and(|at| at <= clock::now())
    }

    /// Takes somebody's vote, in the place of the one before. Like what follows, answers the message that carries the poll.
    pub fn vote(message: &str, voter: &str, chosen: &BTreeSet<usize>) -> Done<String> {
        let carrier = given!(Carrier::seen(message));
        let message = carrier.0.id.as_str();
        given!(carrier.takes_votes());
        // The poll stays as it is, and is compared: where somebody closes it meanwhile, the vote is not taken.
        given!(Self::change(message, |poll| {
            poll.takes(chosen)?;
            Ok(poll)
        }));
        let mut before = Vote::default();
        kv::update(&vote_key(message, voter), None, |there: Option<Vote>| {
            before = there.unwrap_or_default();
            Vote { options: chosen.clone() }
        })?;
        for option in before.options.symmetric_difference(chosen) {
            let by = if chosen.contains(option) { 1 } else { -1 };
            kv::increment(&count_key(message, *option), by, None)?;
        }
        let more_voters = i64::from(!chosen.is_empty()) - i64::from(!before.options.is_empty());
        if more_voters != 0 {
            kv::increment(&voters_key(message), more_voters, None)?;
        }
        if before.options != *chosen {
            tell(message)?;
        }
        Ok(Ok(carrier.0.id))
    }

    /// Adds options, and sets when it closes where that is said.
    pub fn update(
        message: &str,
        viewer: &User,
        more: &[String],
        closing: Closing,
        most_options: usize,
    ) -> Done<String> {
        let carrier = given!(Carrier::seen(message));
        let message = carrier.0.id.as_str();
        given!(carrier.takes_votes());
        let keeps_peace = carrier.has_peace_kept_by(viewer)?;
        let mut before = None;
        let after = given!(Self::change(message, |poll| {
            before = poll.closes_at;
            poll.is_run_by(viewer, keeps_peace)?;
            poll.is_open()?;
            let options = options(&poll.options, more, most_options)?;
            let closes_at = match closing {
                Closing::AsItWas => poll.closes_at,
                Closing::Never => None,
                Closing::At(at) => {
                    is_soon(at)?;
                    Some(at)
                }
            };
            Ok(Self { options, closes_at, ..poll })
        }));
        if before != after.closes_at {
            plan_no_more(message, before)?;
            after.plan(message)?;
        }
        tell(message)?;
        Ok(Ok(carrier.0.id))
    }

    /// Closes it, by somebody who may. Twice is as good as once.
    pub fn close(message: &str, viewer: &User) -> Done<String> {
        let carrier = given!(Carrier::seen(message));
        let message = carrier.0.id.as_str();
        let keeps_peace = carrier.has_peace_kept_by(viewer)?;
        let now = clock::now();
        let closed = given!(Self::change(message, |poll| {
            poll.is_run_by(viewer, keeps_peace)?;
            Ok(poll.closed(now))
        }));
        plan_no_more(message, closed.closes_at)?;
        tell(message)?;
        Ok(Ok(carrier.0.id))
    }

    /// Its time has come.
    pub fn end(message: &str) -> Result<()> {
        let now = clock::now();
        // There may be none any more.
        if Self::change(message, |poll| Ok(poll.closed(now)))?.is_ok() {
            tell(message)?;
        }
        Ok(())
    }

    fn change(message: &str, change: impl FnOnce(Self) -> Result<Self, Refusal>) -> Done<Self> {
        kv::try_update(&poll_key(message), None, |poll: Option<Self>| change(poll.ok_or_else(no_poll)?))
    }

    /// It was closed when its time had come, and otherwise now.
    fn closed(self, now: i64) -> Self {
        let closed_at = self.closed_at.or(self.closes_at.filter(|at| *at <= now)).or(Some(now));
        Self { closed_at, ..self }
    }

    fn is_open(&self) -> Result<(), Refusal> {
        if self.is_closed() { Err(Refusal::new("POLL_CLOSED", "The poll is closed.")) } else { Ok(()) }
    }

    fn takes(&self, chosen: &BTreeSet<usize>) -> Result<(), Refusal> {
        self.is_open()?;
        if chosen.iter().any(|option| *option >= self.options.len()) {
            let last = self.options.len() - 1;
            return Err(Refusal::new("NO_OPTION", format!("The poll has the options 0 to {last}.")));
        }
        if chosen.len() > 1 && !self.is_multiple {
            return Err(Refusal::new("ONE_OPTION", "Only one option can be chosen here."));
        }
        Ok(())
    }

    /// Whether somebody made it, or keeps the peace where it was asked.
    fn is_run_by(&self, viewer: &User, keeps_peace: bool) -> Result<(), Refusal> {
        if viewer.id == self.creator || keeps_peace {
            return Ok(());
        }
        Err(Refusal::new("NOT_ALLOWED", "This is for who made the poll, and those who keep the peace here."))
    }

    fn plan(&self, message: &str) -> Result<()> {
        let Some(at) = self.closes_at else { return Ok(()) };
        kv::set(&closing_key(at, message), &())?;
        Ok(timers::run_at("close", at)?)
    }
}

/// A message that carries a poll, as the viewer sees it.
struct Carrier(Message);

impl Carrier {
    fn seen(message: &str) -> Done<Self> {
        match messages::get(message) {
            Ok(found) if found.kind == MessageKind::Poll && found.deleted_at.is_none() => Ok(Ok(Self(found))),
            Ok(_) | Err(Error::NotFound | Error::Invalid(_)) => Ok(Err(no_poll())),
            Err(other) => Err(other.into()),
        }
    }

    fn takes_votes(&self) -> Done<()> {
        if conversations::get(&self.0.conversation)?.status == ConversationStatus::Active {
            return Ok(Ok(()));
        }
        Ok(Err(Refusal::new("CONVERSATION_CLOSED", "Nothing is said in this conversation any more.")))
    }

    fn has_peace_kept_by(&self, viewer: &User) -> Result<bool> {
        if matches!(viewer.role, WorkspaceRole::Owner | WorkspaceRole::Admin | WorkspaceRole::Moderator) {
            return Ok(true);
        }
        let member = conversations::membership(&self.0.conversation, &viewer.id)?;
        Ok(member.is_some_and(|member| matches!(member.role, ConversationRole::Owner | ConversationRole::Admin)))
    }
}

fn no_poll() -> Refusal {
    Refusal::new("NO_POLL", "There is no such poll.")
}

fn plan_no_more(message: &str, closes_at: Option<i64>) -> Result<()> {
    closes_at.map_or(Ok(()), |at| kv::delete(&closing_key(at, message)))
}

/// Those who watch the message are told by what is attached to it, whenever that is another: so it is a number of no meaning.
fn tell(message: &str) -> Result<()> {
    annotations::set(message, &json!({ "change": random::number() })).map(drop)
}

/// The options with more behind them, each of them there once.
fn options(there: &[String], more: &[String], most: usize) -> Result<Vec<String>, Refusal> {
    let mut options = there.to_vec();
    for option in more {
        let option = line("option", option, OPTION_MAX)?;
        if options.contains(&option) {
            return Err(Refusal::new("TWICE", format!("«{option}» is there twice.")));
        }
        options.push(option);
    }
    if options.len() > most {
        return Err(Refusal::new("TOO_MANY_OPTIONS", format!("A poll has at most {most} options.")));
    }
    Ok(options)
}

fn line(what: &str, text: &str, most: usize) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refusal::new("EMPTY", format!("The {what} is empty.")));
    }
    if text.chars().count() > most {
        return Err(Refusal::new("TOO_LONG", format!("The {what} is longer than {most} characters.")));
    }
    if text.chars().any(char::is_control) {
        return Err(Refusal::new("CONTROL_CHARACTER", format!("The {what} has characters that cannot be shown.")));
    }
    Ok(text.to_owned())
}

fn is_soon(at: i64) -> Result<(), Refusal> {
    let now = clock::now();
    if at <= now {
        return Err(Refusal::new("TOO_EARLY", "That time is over."));
    }
    if at - now > LONGEST_MS {
        return Err(Refusal::new("TOO_LATE", "A poll closes within a year."));
    }
    Ok(())
}
