//! For how long the messages of a conversation are kept, where it has a rule of its own.

use jackfield_plugin::prelude::*;

use crate::Retention;

const RULE: &str = "rule/";
/// So many rules are looked at at once.
const AT_ONCE: u32 = 100;

/// A conversation's own rule. It stays where the conversation is not to be seen: that may be because an admin has narrowed what the
/// plugin sees, and what was to be kept for good must not be forgotten for that.
#[data]
#[derive(Default)]
pub struct Rule {
    /// None: for good.
    pub days: Option<u32>,
}

pub fn key(conversation: &str) -> String {
    format!("{RULE}{conversation}")
}

/// The rules of conversations, in their order; none where what is configured decides.
pub fn of(conversations: &[String]) -> Result<Vec<Option<Rule>>> {
    kv::get_many(&conversations.iter().map(|id| key(id)).collect::<Vec<_>>())
}

/// Conversations with rules of their own, and whether that is all.
pub fn conversations(most: usize) -> Result<(Vec<String>, bool)> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let after = found.last().map(|id| key(id));
        let (page, has_more) = kv::scan_page::<Rule>(RULE, after.as_deref(), AT_ONCE)?;
        found.extend(page.into_iter().filter_map(|(key, _)| key.strip_prefix(RULE).map(str::to_owned)));
        if !has_more || found.len() >= most {
            let is_all = !has_more && found.len() <= most;
            found.truncate(most);
            return Ok((found, is_all));
        }
    }
}

impl Retention {
    /// After how many days the messages of a conversation are hidden; none where they are kept for good.
    pub fn days_of(&self, rule: Option<&Rule>) -> Option<u32> {
        rule.map_or(Some(self.days), |rule| rule.days)
    }
}
