//! Questions with options, which people answer by voting.
//!
//! A poll is carried by a message of the plugin's bot user and kept in the plugin's own data, as are the votes: one key a person,
//! so that two devices of one person are one after the other and two people never in each other's way, and a number for each
//! option to which is added. Each change of a poll changes what is attached to its message, by which those who watch it are told.

mod ballot;
mod fields;
#[cfg(test)]
mod tests;
mod tidying;

use jackfield_plugin::prelude::*;

use crate::ballot::{Poll, Question};

/// How large polls may be.
#[data]
#[serde(default)]
pub struct Polls {
    options: usize,
}

impl Default for Polls {
    fn default() -> Self {
        Self { options: 10 }
    }
}

#[plugin]
impl CommandHooks for Polls {
    fn run_command(&self, call: CommandCall) -> Result<CommandAnswer> {
        let Some(conversation) = &call.conversation else {
            return Ok(CommandAnswer::refuse("NOWHERE", "A poll is asked in a conversation: run this in one."));
        };
        let text = |name: &str| match call.argument(name) {
            Some(ArgumentValue::Text(text)) => text.clone(),
            _ => String::new(),
        };
        let is_set = |name: &str| matches!(call.argument(name), Some(ArgumentValue::Flag(true)));
        let closes_at = match call.argument("minutes") {
            // What is not a moment at all is refused with all else that is wrong.
            Some(ArgumentValue::Number(minutes)) => Some(clock::now().saturating_add((minutes * 60_000.0) as i64)),
            _ => None,
        };
        let question = Question {
            conversation: conversation.clone(),
            words: text("question"),
            options: text("options").split('|').map(str::to_owned).collect(),
            is_multiple: is_set("multiple"),
            is_anonymous: is_set("anonymous"),
            closes_at,
            reply_to: None,
        };
        Ok(match Poll::ask(question, &call.viewer, self.options)? {
            Ok(_) => CommandAnswer::Reply(CommandReply { text: None }),
            Err(refusal) => CommandAnswer::Refuse(refusal),
        })
    }
}
