//! Old messages, and taking them away. What is answered is what is done, or nothing is: the hub compares at the commit.

use std::sync::Arc;

use jackfield_domain::{
    ConversationId, Timestamp,
    messages::{Due, Stretch, Trim, TrimStep},
    plugins::{Capability, Effect},
};

use super::{Denial, Done, Run, Told, invalid, limited, parse, told};
use crate::wit::jackfield::plugin::{
    retention::{self, Step},
    types::Error,
};

/// So many messages are looked through at once.
const LOOKED_AT: u32 = 10_000;
/// So many are taken away by one call of a hook: whoever commits it has others waiting.
const TAKEN_AWAY: u32 = 500;
/// So many conversations are left out at once.
const LEFT_OUT: usize = 1_000;

impl retention::Host for Run {
    async fn survey(
        &mut self,
        conversation: String,
        step: Step,
        until: i64,
        after: u64,
        limit: u32,
    ) -> Told<retention::Due> {
        told(self.survey(&conversation, step, until, after, limit).await)
    }

    async fn survey_all(&mut self, until: i64, other_than: Vec<String>) -> Told<retention::Due> {
        told(self.survey_everything(until, &other_than).await)
    }

    async fn trim(
        &mut self,
        conversation: String,
        step: Step,
        until: i64,
        after: u64,
        limit: u32,
    ) -> Told<retention::Due> {
        told(self.trim(&conversation, step, until, after, limit).await)
    }
}

impl Run {
    async fn survey(
        &mut self,
        conversation: &str,
        step: Step,
        until: i64,
        after: u64,
        limit: u32,
    ) -> Done<retention::Due> {
        self.enter(Capability::Retention)?;
        let stretch = stretch(conversation, step, until, after, limited(limit, LOOKED_AT)?)?;
        Ok(in_contract(self.due(&stretch).await?))
    }

    async fn survey_everything(&mut self, until: i64, other_than: &[String]) -> Done<retention::Due> {
        self.enter(Capability::Retention)?;
        // Whoever was given only some conversations is not told what is in the others.
        if self.grants.conversations.is_some() {
            return Err(Denial::Tell(Error::NotFound));
        }
        if other_than.len() > LEFT_OUT {
            return Err(invalid(format!("at most {LEFT_OUT} conversations are left out")));
        }
        let other_than =
            other_than.iter().map(|id| parse("conversation", id)).collect::<Done<Vec<ConversationId>>>()?;
        let due = Arc::clone(&self.bridge).due_everywhere(&self.caller, Timestamp(until), &other_than).await?;
        due.map(in_contract).ok_or(Denial::Tell(Error::NotFound))
    }

    async fn trim(
        &mut self,
        conversation: &str,
        step: Step,
        until: i64,
        after: u64,
        limit: u32,
    ) -> Done<retention::Due> {
        self.enter_effect(Capability::Retention)?;
        // Nobody asks for this and waits: it is work for when nobody looks.
        if self.caller.viewer.is_some() {
            return Err(Denial::Tell(Error::NotHere));
        }
        let stretch = stretch(conversation, step, until, after, limited(limit, TAKEN_AWAY)?)?;
        let trims =
            self.issued.effects.iter().map(|effect| if let Effect::Trim(trim) = effect { trim.count } else { 0 });
        if trims.sum::<u32>() + limit > TAKEN_AWAY {
            let what = format!("one call takes at most {TAKEN_AWAY} messages away");
            return Err(Denial::Tell(Error::LimitReached(what)));
        }
        let due = self.due(&stretch).await?;
        if due.count > 0 {
            self.issue_effect(Effect::Trim(Trim { stretch, count: due.count }), size_of::<Trim>())?;
        }
        Ok(in_contract(due))
    }

    async fn due(&self, stretch: &Stretch) -> Done<Due> {
        self.within_grant(stretch.conversation)?;
        let due = Arc::clone(&self.bridge).due_in(&self.caller, stretch).await?;
        due.ok_or(Denial::Tell(Error::NotFound))
    }
}

fn stretch(conversation: &str, step: Step, until: i64, after: u64, limit: u32) -> Done<Stretch> {
    let step = match step {
        Step::Hide => TrimStep::Hide,
        Step::Purge => TrimStep::Purge,
    };
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    Ok(Stretch { conversation: parse("conversation", conversation)?, step, until: Timestamp(until), after, limit })
}

fn in_contract(due: Due) -> retention::Due {
    let Due { count, held, through, has_more } = due;
    retention::Due { count, held, through: through.unsigned_abs(), has_more }
}
