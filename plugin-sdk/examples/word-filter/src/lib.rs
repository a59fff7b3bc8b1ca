//! Refuses messages in which certain words occur: a whole plugin.

use jackfield_plugin::prelude::*;

#[data]
struct WordFilter {
    words: Vec<String>,
}

#[plugin]
impl MessageHooks for WordFilter {
    fn before_create(&self, draft: MessageDraft) -> Result<MessageVerdict> {
        let text = draft.text().to_lowercase();
        Ok(match self.words.iter().find(|word| text.contains(*word)) {
            Some(word) => MessageVerdict::reject("WORD_NOT_ALLOWED", format!("«{word}» is not said here.")),
            None => MessageVerdict::Allow,
        })
    }
}

#[cfg(test)]
mod tests;
