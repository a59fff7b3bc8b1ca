//! What clients ask for and do.

use jackfield_plugin::prelude::*;
use retention::{Due, Step};

use crate::{
    Retention, days_ago, looking,
    rules::{self, Rule},
};

/// So many conversations with rules of their own are left out where all others are counted.
const LEFT_OUT: usize = 1_000;
/// So many messages of a conversation are counted.
const COUNTED: u32 = 10_000;
const MOST_DAYS: u32 = 36_500;

#[data]
#[serde(rename_all = "camelCase")]
struct Of {
    conversation_id: Option<String>,
    days: i64,
}

#[data]
struct Pages {
    first: i64,
    after: Option<String>,
}

#[data]
#[serde(rename_all = "camelCase")]
struct Set {
    conversation_id: String,
    rule: String,
    days: Option<i64>,
}

#[plugin]
impl GraphqlHooks for Retention {
    fn resolve(&self, call: FieldCall) -> Result<Vec<Result<Value>>> {
        let value = match call.field.as_str() {
            "retention" => return self.of_conversations(&call.objects),
            "retentionPreview" => preview(&call)?,
            "retentionReports" => reports(&call)?,
            other => return Err(Failure::new(format!("nothing is known of {other}"))),
        };
        Ok(vec![Ok(value)])
    }

    fn mutate(&self, call: MutationCall) -> Result<MutationAnswer> {
        let Set { conversation_id, rule, days } = call.input()?;
        let rule = match (rule.as_str(), days) {
            ("DAYS", days) => {
                let Some(days) = days.and_then(in_days) else {
                    let reason = format!("With the rule DAYS, `days` is from 1 to {MOST_DAYS}.");
                    return Ok(MutationAnswer::refuse("NO_DAYS", reason));
                };
                Some(Rule { days: Some(days) })
            }
            (_, Some(_)) => {
                return Ok(MutationAnswer::refuse("NO_DAYS", "`days` is given with the rule DAYS and with no other."));
            }
            ("FOREVER", None) => Some(Rule { days: None }),
            (_, None) => None,
        };
        match is_run_by(&conversation_id, &call.viewer)? {
            None => return Ok(MutationAnswer::refuse("NO_CONVERSATION", "There is no such conversation.")),
            Some(false) => {
                let reason = "That is for who runs the conversation, or the workspace.";
                return Ok(MutationAnswer::refuse("NOT_ALLOWED", reason));
            }
            Some(true) => {}
        }
        match &rule {
            Some(rule) => kv::set(&rules::key(&conversation_id), rule)?,
            None => kv::delete(&rules::key(&conversation_id))?,
        }
        MutationAnswer::done(json!({ "retention": self.shown(rule.as_ref()) }))
    }
}

impl Retention {
    fn of_conversations(&self, ids: &[String]) -> Result<Vec<Result<Value>>> {
        Ok(rules::of(ids)?.iter().map(|rule| Ok(self.shown(rule.as_ref()))).collect())
    }

    fn shown(&self, rule: Option<&Rule>) -> Value {
        let word = match rule {
            None => "WORKSPACE",
            Some(Rule { days: Some(_) }) => "DAYS",
            Some(Rule { days: None }) => "FOREVER",
        };
        json!({ "rule": word, "days": self.days_of(rule), "graceDays": self.grace_days })
    }
}

fn preview(call: &FieldCall) -> Result<Value> {
    let Of { conversation_id, days } = call.arguments()?;
    let Some(days) = in_days(days) else { return Ok(Value::Null) };
    let (due, is_all) = if let Some(id) = conversation_id {
        if is_run_by(&id, &call.viewer)? != Some(true) {
            return Ok(Value::Null);
        }
        (retention::survey(&id, Step::Hide, days_ago(days), 0, COUNTED)?, true)
    } else {
        if !runs_workspace(&call.viewer) {
            return Ok(Value::Null);
        }
        let (others, is_all) = rules::conversations(LEFT_OUT)?;
        (retention::survey_all(days_ago(days), &others)?, is_all)
    };
    let Due { count, held, has_more, .. } = due;
    Ok(json!({ "messageCount": count, "heldCount": held, "isComplete": is_all && !has_more }))
}

fn reports(call: &FieldCall) -> Result<Value> {
    let Pages { first, after } = call.arguments()?;
    let Some(first) = u32::try_from(first).ok().filter(|first| (1..=100).contains(first)) else {
        return Ok(Value::Null);
    };
    // A cursor is what this handed over, or nothing is behind it.
    let is_cursor = |cursor: &String| cursor.len() == 16 && cursor.bytes().all(|byte| byte.is_ascii_digit());
    if !runs_workspace(&call.viewer) || !after.as_ref().is_none_or(is_cursor) {
        return Ok(Value::Null);
    }
    let (found, has_more) = looking::reports(after.as_deref(), first)?;
    let end = found.last().map(|(cursor, _)| cursor.clone());
    let reports = found.into_iter().map(|(_, report)| {
        json!({
            "startedAt": report.started_at,
            "finishedAt": report.finished_at,
            "conversationCount": report.conversations,
            "hiddenCount": report.hidden,
            "purgedCount": report.purged,
            "heldCount": report.held,
        })
    });
    Ok(json!({ "reports": reports.collect::<Vec<_>>(), "endCursor": end, "hasNextPage": has_more }))
}

fn in_days(days: i64) -> Option<u32> {
    u32::try_from(days).ok().filter(|days| (1..=MOST_DAYS).contains(days))
}

fn runs_workspace(viewer: &User) -> bool {
    matches!(viewer.role, WorkspaceRole::Owner | WorkspaceRole::Admin)
}

/// Whether somebody runs a conversation that they take part in, or the workspace; none where there is no such conversation for them.
fn is_run_by(conversation: &str, viewer: &User) -> Result<Option<bool>> {
    match conversations::membership(conversation, &viewer.id) {
        Ok(member) => {
            let role = member.map(|member| member.role);
            let runs = matches!(role, Some(ConversationRole::Owner | ConversationRole::Admin));
            Ok(Some(runs || runs_workspace(viewer)))
        }
        Err(Error::NotFound | Error::Invalid(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}
