//! Each hook with its arguments and its answer.

use jackfield_domain::plugins::{FailureKind, Hook, Issued, Refusal, Slice};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::meaning::{self, Meant};
use crate::{
    hooks::{
        Ask, Before, BeforeConversationCreate, BeforeCreate, BeforeDelete, BeforeEdit, BeforeJoin,
        ConfigurationChanged, ConversationPatch, Disable, Enable, Install, MessagePatch, MutateField, OnAnswer,
        OnEvents, ResolveField, RunCommand, RunSchedule, Upgrade, ValidateConfiguration, Verdict,
    },
    host::{Failure, Occasion, Outcome, Plugin, PluginHost},
    wit::exports::jackfield::plugin::{command_hooks, graphql_hooks, lifecycle_hooks, membership_hooks, message_hooks},
};

/// Puts a question. What cannot be one is told in words.
pub(super) async fn put(
    host: &PluginHost,
    plugin: &Plugin,
    mut occasion: Occasion,
    hook: Hook,
    with: Vec<Value>,
) -> Meant<Outcome<Value>> {
    Ok(match hook {
        Hook::BeforeCreate => {
            let (told,): (message_hooks::MessageDraft,) = arguments(with)?;
            let question = BeforeCreate::new(meaning::message_draft(&told)?, &meaning::user(&told.sender)?);
            before(host, plugin, &occasion, question, message_patch).await
        }
        Hook::BeforeEdit => {
            let (told,): (message_hooks::EditDraft,) = arguments(with)?;
            let (_, body) = meaning::body(&told.body);
            let question = BeforeEdit::new(&meaning::message(&told.message)?, &meaning::user(&told.editor)?, body);
            before(host, plugin, &occasion, question, |body| json!(body)).await
        }
        Hook::BeforeDelete => {
            let (told,): (message_hooks::DeletionDraft,) = arguments(with)?;
            let question = BeforeDelete::new(&meaning::message(&told.message)?, &meaning::user(&told.deleter)?);
            before(host, plugin, &occasion, question, |none| match *none {}).await
        }
        Hook::BeforeJoin => {
            let (told,): (membership_hooks::JoinDraft,) = arguments(with)?;
            let added_by = told.added_by.as_ref().map(meaning::user).transpose()?;
            let role = crate::convert::meant_conversation_role(told.role);
            let (conversation, user) = (meaning::conversation(&told.conversation)?, meaning::user(&told.user)?);
            let question = BeforeJoin::new(&conversation, &user, added_by.as_ref(), role);
            before(host, plugin, &occasion, question, |none| match *none {}).await
        }
        Hook::BeforeConversationCreate => {
            let (told,): (membership_hooks::ConversationDraft,) = arguments(with)?;
            let (draft, creator) = (meaning::conversation_draft(&told)?, meaning::user(&told.creator)?);
            let question = BeforeConversationCreate::new(draft, &creator);
            before(host, plugin, &occasion, question, conversation_patch).await
        }
        Hook::OnEvents => {
            let (batch,) = arguments(with)?;
            after(host, plugin, &occasion, OnEvents(batch), |()| Value::Null).await
        }
        Hook::OnAnswer => {
            let (answer,) = arguments(with)?;
            after(host, plugin, &occasion, OnAnswer(answer), |()| Value::Null).await
        }
        Hook::Schedule => {
            let (run,) = arguments(with)?;
            after(host, plugin, &occasion, RunSchedule(run), slice).await
        }
        Hook::Command => {
            let (call,): (command_hooks::CommandCall,) = arguments(with)?;
            occasion.viewer = Some(meaning::id("user", &call.viewer.id)?);
            let outcome = host.ask(plugin, &occasion, &RunCommand(call)).await;
            told(outcome, |answer| match answer {
                Ok(reply) => json!({ "Ok": { "text": reply.text } }),
                Err(refusal) => json!({ "Err": refused(&refusal) }),
            })
        }
        Hook::Resolve => {
            let (call,): (graphql_hooks::FieldCall,) = arguments(with)?;
            occasion.viewer = Some(meaning::id("user", &call.viewer.id)?);
            told(host.ask(plugin, &occasion, &ResolveField(call)).await, |values| {
                let value = |value: Result<String, String>| match value {
                    Ok(value) => json!({ "Ok": value }),
                    Err(what) => json!({ "Err": what }),
                };
                values.into_iter().map(value).collect()
            })
        }
        Hook::Mutate => {
            let (call,): (graphql_hooks::MutationCall,) = arguments(with)?;
            occasion.viewer = Some(meaning::id("user", &call.viewer.id)?);
            told(host.ask(plugin, &occasion, &MutateField(call)).await, |answer| match answer {
                Ok(payload) => json!({ "Ok": payload }),
                Err(refusal) => json!({ "Err": refused(&refusal) }),
            })
        }
        Hook::Install => {
            let (resume,) = arguments(with)?;
            after(host, plugin, &occasion, Install { resume }, slice).await
        }
        Hook::Upgrade => {
            let (earlier, resume): (lifecycle_hooks::Earlier, _) = arguments(with)?;
            let version = earlier.version.parse().map_err(|error| format!("the earlier version: {error}"))?;
            let question = Upgrade { version, data_version: earlier.data_version, resume };
            after(host, plugin, &occasion, question, slice).await
        }
        Hook::Enable => after(host, plugin, &occasion, Enable, |()| Value::Null).await,
        Hook::Disable => after(host, plugin, &occasion, Disable, |()| Value::Null).await,
        Hook::ConfigurationChanged => after(host, plugin, &occasion, ConfigurationChanged, |()| Value::Null).await,
        Hook::ValidateConfiguration => {
            let (configuration,) = arguments(with)?;
            let outcome = host.ask(plugin, &occasion, &ValidateConfiguration { configuration }).await;
            told(outcome, |problems| {
                let problem =
                    |problem: &crate::hooks::Problem| json!({ "path": problem.path, "message": problem.message });
                match problems.as_slice() {
                    [] => json!({ "Ok": null }),
                    problems => json!({ "Err": problems.iter().map(problem).collect::<Vec<_>>() }),
                }
            })
        }
    })
}

fn arguments<T: DeserializeOwned>(with: Vec<Value>) -> Meant<T> {
    serde_json::from_value(Value::Array(with))
        .map_err(|error| format!("the arguments are not those of the contract: {error}"))
}

/// Asks, and looks whether a patch can be carried out, as the hub does before it asks the next plugin.
async fn before<Q: Before>(
    host: &PluginHost,
    plugin: &Plugin,
    occasion: &Occasion,
    mut question: Q,
    patch: fn(&Q::Patch) -> Value,
) -> Outcome<Value> {
    let Outcome { answer, mut issued, logs, measures } = host.ask(plugin, occasion, &question).await;
    let answer = answer.and_then(|verdict| {
        Ok(match verdict {
            Verdict::Allow => json!("Allow"),
            Verdict::Reject(refusal) => json!({ "Reject": refused(&refusal) }),
            Verdict::Hold(reason) => json!({ "Hold": reason }),
            Verdict::Patch(changes) => {
                let told = json!({ "Patch": patch(&changes) });
                question.patch(changes).map_err(|what| Failure { kind: FailureKind::Answer, what })?;
                told
            }
        })
    });
    if answer.is_err() {
        issued = Issued::default();
    }
    Outcome { answer, issued, logs, measures }
}

/// Asks what the plugin may answer with an error text.
async fn after<Q: Ask>(
    host: &PluginHost,
    plugin: &Plugin,
    occasion: &Occasion,
    question: Q,
    answer: fn(Q::Answer) -> Value,
) -> Outcome<Value> {
    let mut outcome = told(host.ask(plugin, occasion, &question).await, |done| json!({ "Ok": answer(done) }));
    if let Err(Failure { kind: FailureKind::Reported, what }) = &outcome.answer {
        outcome.answer = Ok(json!({ "Err": what }));
    }
    outcome
}

fn told<T>(outcome: Outcome<T>, answer: impl FnOnce(T) -> Value) -> Outcome<Value> {
    let Outcome { answer: done, issued, logs, measures } = outcome;
    Outcome { answer: done.map(answer), issued, logs, measures }
}

fn refused(refusal: &Refusal) -> Value {
    json!({ "reason": refusal.reason, "code": refusal.code })
}

fn slice(slice: Slice) -> Value {
    match slice {
        Slice::Done => json!("Done"),
        Slice::More(resume) => json!({ "More": resume }),
    }
}

fn message_patch(patch: &MessagePatch) -> Value {
    let metadata =
        patch.metadata.as_ref().map(|metadata| metadata.as_ref().map_or("null".to_owned(), Value::to_string));
    json!({ "body": patch.body, "metadata": metadata })
}

fn conversation_patch(patch: &ConversationPatch) -> Value {
    json!({ "title": patch.title, "description": patch.description })
}
