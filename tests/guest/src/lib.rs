//! A plugin that does what the stories of the suite ask of it: its commands read, post, count, tell and fail by name, its
//! schedule works in as many slices as it is configured to, and what it does about messages stands in them.

mod answers;

use std::fmt::Write;

use jackfield_plugin::prelude::*;
use notices::Audience;

/// How it works when it is due.
#[data]
#[derive(Default)]
#[serde(default)]
pub struct Guest {
    /// Where it says that it has worked.
    room: String,
    slices: u32,
    failing_slice: u32,
    failures: u32,
    /// What it puts behind every message.
    mark: String,
    /// Whom it lets in nowhere; where it is given, it counts who comes.
    shuns: String,
    /// Whether it will not do with data of another version.
    clings: bool,
}

#[plugin]
impl MessageHooks for Guest {
    fn before_create(&self, draft: MessageDraft) -> Result<MessageVerdict> {
        match draft.text() {
            "!reject" => Ok(MessageVerdict::reject("NOT_HERE", "not here")),
            "!fail" => Err(Failure::new("as it was told to")),
            "!spin" => loop {
                std::hint::black_box(());
            },
            "!take" => {
                let number = kv::update("taken", None, |taken: Option<i64>| taken.unwrap_or_default() + 1)?;
                Ok(MessageVerdict::say_instead(number.to_string()))
            }
            _ if self.mark.is_empty() => Ok(MessageVerdict::Allow),
            said => Ok(MessageVerdict::say_instead(format!("{said}{}", self.mark))),
        }
    }

    /// What begins with `!keep` stays as it is, and it counts who would change that.
    fn before_edit(&self, draft: EditDraft) -> Result<EditVerdict> {
        if !draft.message.text().starts_with("!keep") {
            return Ok(EditVerdict::Allow);
        }
        kv::increment("edits", 1, None)?;
        Ok(EditVerdict::reject("KEPT", "it stays"))
    }

    fn before_delete(&self, draft: DeletionDraft) -> Result<DeletionVerdict> {
        if !draft.message.text().starts_with("!keep") {
            return Ok(DeletionVerdict::Allow);
        }
        kv::increment("deletions", 1, None)?;
        Ok(DeletionVerdict::Reject(Refusal::new("KEPT", "it stays")))
    }
}

#[plugin]
impl MembershipHooks for Guest {
    /// Counts by comparing: who is asked about behind another one is counted behind them.
    fn before_join(&self, draft: JoinDraft) -> Result<JoinVerdict> {
        if self.shuns.is_empty() {
            return Ok(JoinVerdict::Allow);
        }
        kv::update("joins", None, |joins: Option<i64>| joins.unwrap_or_default() + 1)?;
        if draft.user.name != self.shuns {
            return Ok(JoinVerdict::Allow);
        }
        Ok(JoinVerdict::Reject(Refusal::new("SHUNNED", format!("no {} as {:?}", self.shuns, draft.role))))
    }

    /// A conversation called `!no` is not made, and it counts that; one called `!name` or `!long` has another title.
    fn before_conversation_create(&self, draft: ConversationDraft) -> Result<ConversationVerdict> {
        let title = match draft.title.as_deref() {
            Some("!no") => {
                kv::increment("refused", 1, None)?;
                return Ok(ConversationVerdict::Reject(Refusal::new("NO_NAME", "it has no name")));
            }
            Some("!name") => format!("Of {}", draft.members.len()),
            Some("!long") => {
                kv::increment("long", 1, None)?;
                "long ".repeat(40)
            }
            _ => return Ok(ConversationVerdict::Allow),
        };
        Ok(ConversationVerdict::Patch(ConversationPatch { title: Some(title), description: None }))
    }
}

/// In two slices each, so that it shows whether one is done twice.
#[plugin]
impl LifecycleHooks for Guest {
    fn install(&self, resume: Option<String>) -> Result<Slice> {
        in_two("installed", resume)
    }

    fn upgrade(&self, earlier: Earlier, resume: Option<String>) -> Result<Slice> {
        if self.clings {
            return Err(Failure::new(format!("it clings to {}, {}", earlier.version, earlier.data_version)));
        }
        in_two("upgraded", resume)
    }

    fn enable(&self) -> Result<()> {
        kv::increment("enabled", 1, None).map(drop)
    }

    fn disable(&self) -> Result<()> {
        kv::increment("disabled", 1, None).map(drop)
    }
}

fn in_two(what: &str, resume: Option<String>) -> Result<Slice> {
    kv::increment(what, 1, None)?;
    Ok(if resume.is_none() { Slice::More("the second".to_owned()) } else { Slice::Done })
}

#[plugin]
impl CommandHooks for Guest {
    fn run_command(&self, call: CommandCall) -> Result<CommandAnswer> {
        match call.command.as_str() {
            "echo" => Ok(CommandAnswer::say(echo(&call))),
            "look" => look(&call),
            "post" => {
                messages::say(text(&call, "where"), text(&call, "body"))?;
                Ok(CommandAnswer::say("*posted*"))
            }
            "mark" => {
                let message = text(&call, "message");
                annotations::set(message, text(&call, "word"))?;
                mentions::set(message, &[mentions::Target::User(call.viewer.id.clone())])?;
                Ok(CommandAnswer::say("marked"))
            }
            "count" => {
                let count = kv::increment("count", 1, None)?;
                match call.argument("refuse") {
                    Some(ArgumentValue::Flag(true)) => Ok(CommandAnswer::refuse("NOT_TODAY", format!("{count}"))),
                    _ => Ok(CommandAnswer::say(count.to_string())),
                }
            }
            "swap" => {
                let count = kv::update("swap", None, |count: Option<i64>| count.unwrap_or_default() + 1)?;
                Ok(CommandAnswer::say(count.to_string()))
            }
            "read" => {
                let count: Option<i64> = kv::get(text(&call, "key"))?;
                Ok(CommandAnswer::say(count.unwrap_or_default().to_string()))
            }
            "tell" => {
                let ids = text(&call, "ids");
                let audience = match text(&call, "whom") {
                    "users" => Audience::Users(ids.split_whitespace().map(str::to_owned).collect()),
                    "conversation" => Audience::Conversation(ids.to_owned()),
                    "moderators" => Audience::Moderators,
                    _ => Audience::Admins,
                };
                notices::send(audience, text(&call, "kind"), &json!({ "words": text(&call, "words") }))?;
                Ok(CommandAnswer::say("told"))
            }
            "mend" => {
                kv::set("mended", &1)?;
                Ok(CommandAnswer::say("mended"))
            }
            "sign" => {
                let signature = secrets::sign("key", text(&call, "words").as_bytes())?;
                Ok(CommandAnswer::say(signature.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
            }
            "fetch" => Ok(answers::fetch(&call)),
            "send" => Ok(answers::send(&call)),
            "heard" => answers::heard(&call),
            "spin" => loop {
                std::hint::black_box(());
            },
            _ => {
                kv::increment("vain", 1, None)?;
                Err(Failure::new("as it was told to"))
            }
        }
    }
}

#[plugin]
impl EventHooks for Guest {
    /// Who says `!notice` in a conversation has everybody there told of it, and who says `!answer` has an answer, and a word at what
    /// they said, or the same again with `!echo`. Who says `!ask URL` has an answer when the server there has one. What begins with `!break` is too much for it until it was mended, and everything that it hears it counts.
    fn on_event(&self, event: Event) -> Result<()> {
        let Some(message) = event.message else { return Ok(()) };
        if message.text().starts_with("!break") && kv::get::<i64>("mended")?.is_none() {
            return Err(Failure::new("it is broken"));
        }
        kv::increment("heard", 1, None)?;
        if message.text().starts_with("!answer") {
            messages::say(&message.conversation, format!("heard {}", message.text()))?;
            annotations::set(&message.id, &message.sequence)?;
        }
        if let Some(url) = message.text().strip_prefix("!ask ") {
            answers::ask(url, &message)?;
        }
        if message.text().starts_with("!echo") {
            messages::say(&message.conversation, message.text())?;
        }
        if !message.text().starts_with("!notice") {
            return Ok(());
        }
        let audience = Audience::Conversation(message.conversation.clone());
        notices::send(audience, "heard", &json!({ "words": message.text() }))?;
        Ok(())
    }
}

#[plugin]
impl ScheduleHooks for Guest {
    fn run_schedule(&self, run: ScheduledRun) -> Result<Slice> {
        let slice: u32 = run.resume.as_deref().map_or(1, |slice| slice.parse().unwrap_or_default());
        kv::increment("slices", 1, None)?;
        if !self.room.is_empty() {
            messages::say(&self.room, format!("{} {slice}", run.schedule))?;
        }
        if slice == self.failing_slice && run.attempt <= self.failures {
            return Err(Failure::new(format!("slice {slice}, attempt {}", run.attempt)));
        }
        Ok(if slice < self.slices { Slice::More((slice + 1).to_string()) } else { Slice::Done })
    }
}

fn text<'c>(call: &'c CommandCall, name: &str) -> &'c str {
    match call.argument(name) {
        Some(ArgumentValue::Text(text)) => text,
        _ => "",
    }
}

fn echo(call: &CommandCall) -> String {
    let mut said = format!("{} in {}", call.viewer.name, call.conversation.as_deref().unwrap_or("no place"));
    for argument in &call.arguments {
        let _ = match &argument.value {
            ArgumentValue::Text(text) => write!(said, "; {} is **{text}**", argument.name),
            ArgumentValue::Number(number) => write!(said, "; {} is {number}", argument.name),
            ArgumentValue::Flag(flag) => write!(said, "; {} is {flag}", argument.name),
            ArgumentValue::User(id) | ArgumentValue::Conversation(id) => write!(said, "; {} is {id}", argument.name),
        };
    }
    said
}

/// What it sees, or that there is nothing for it to see.
fn look(call: &CommandCall) -> Result<CommandAnswer> {
    let id = text(call, "id");
    let seen: Result<String, Error> = match text(call, "at") {
        "message" => messages::get(id).map(|message| message.text().to_owned()),
        "conversation" => conversations::get(id).map(|found| found.title.unwrap_or_default()),
        "history" => messages::history(id, messages::HistoryWindow::Newest, 100)
            .map(|page| page.messages.iter().map(Message::text).collect::<Vec<_>>().join(", ")),
        "members" => conversations::members_page(id, None, 100)
            .map(|page| page.members.iter().map(|member| member.user.name.as_str()).collect::<Vec<_>>().join(", ")),
        "membership" => conversations::membership(id, &call.viewer.id).map(|found| format!("{}", found.is_some())),
        "find" => {
            let any = conversations::ConversationFilter {
                kind: None,
                status: None,
                idle_since: None,
                context_kind: None,
                context_id: None,
            };
            conversations::find(&any, None, 100).map(|page| {
                page.conversations.into_iter().filter_map(|found| found.title).collect::<Vec<_>>().join(", ")
            })
        }
        "search" => {
            let found = ["a", "b", "e"].map(|letter| users::search(letter, Some(id), 100));
            found
                .into_iter()
                .collect::<Result<Vec<_>, _>>()
                .map(|found| found.into_iter().flatten().map(|user| user.name).collect::<Vec<_>>().join(", "))
        }
        "annotation" => annotations::get::<String>(id).map(Option::unwrap_or_default).map_err(|_| Error::NotFound),
        _ => users::get(id).map(|user| user.name),
    };
    match seen {
        Ok(seen) => Ok(CommandAnswer::say(seen)),
        Err(Error::NotFound) => Ok(CommandAnswer::refuse("NOT_FOUND", "There is no such thing.")),
        Err(error) => Err(error.into()),
    }
}
