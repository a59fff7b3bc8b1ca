//! What clients ask for and do.

use std::collections::BTreeSet;

use jackfield_plugin::{prelude::*, serde_json};

use crate::{
    Polls,
    ballot::{Closing, Done, Poll, Question, Vote, count_key, poll_key, voters_key, votes_prefix},
};

/// So many keys are asked for in one call.
const KEYS: usize = 1_000;
/// So many voters of a poll are shown.
const VOTERS: u32 = 100;

#[data]
#[serde(rename_all = "camelCase")]
struct Create {
    conversation_id: String,
    question: String,
    options: Vec<String>,
    choice: String,
    is_anonymous: bool,
    closes_at: Option<String>,
    reply_to_id: Option<String>,
}

#[data]
#[serde(rename_all = "camelCase")]
struct Choose {
    message_id: String,
    option_ids: Vec<i64>,
}

#[data]
#[serde(rename_all = "camelCase")]
struct Change {
    message_id: String,
    add_options: Option<Vec<String>>,
}

#[data]
#[serde(rename_all = "camelCase")]
struct Of {
    message_id: String,
}

#[plugin]
impl GraphqlHooks for Polls {
    fn resolve(&self, call: FieldCall) -> Result<Vec<Result<Value>>> {
        let shown = shown(&call.objects, &call.viewer.id, call.wants("options.voters"))?;
        Ok(shown.into_iter().map(Ok).collect())
    }

    fn mutate(&self, call: MutationCall) -> Result<MutationAnswer> {
        let message = match self.done(&call)? {
            Ok(message) => message,
            Err(refusal) => return Ok(MutationAnswer::Refuse(refusal)),
        };
        let poll = shown(std::slice::from_ref(&message), &call.viewer.id, true)?.pop();
        MutationAnswer::done(json!({ "poll": poll, "message": message }))
    }
}

impl Polls {
    /// Does it, and answers the message that carries the poll.
    fn done(&self, call: &MutationCall) -> Done<String> {
        let viewer = &call.viewer;
        match call.field.as_str() {
            "pollCreate" => {
                let input: Create = call.input()?;
                let question = Question {
                    conversation: input.conversation_id,
                    words: input.question,
                    options: input.options,
                    is_multiple: input.choice == "MULTIPLE",
                    is_anonymous: input.is_anonymous,
                    closes_at: input.closes_at.as_deref().map(read).transpose()?,
                    reply_to: input.reply_to_id,
                };
                Poll::ask(question, viewer, self.options)
            }
            "pollVote" => {
                let Choose { message_id, option_ids } = call.input()?;
                if option_ids.is_empty() {
                    return Ok(Err(Refusal::new("EMPTY", "A vote is for one option or more; it can be taken back.")));
                }
                // What is no number of an option at all is as unknown as a large one.
                let chosen = option_ids.into_iter().map(|id| usize::try_from(id).unwrap_or(usize::MAX)).collect();
                Poll::vote(&message_id, &viewer.id, &chosen)
            }
            "pollRetractVote" => {
                let Of { message_id } = call.input()?;
                Poll::vote(&message_id, &viewer.id, &BTreeSet::new())
            }
            "pollUpdate" => {
                let input: Value = call.input()?;
                // Null is something else than nothing.
                let closing = match input.get("closesAt") {
                    None => Closing::AsItWas,
                    Some(Value::String(at)) => Closing::At(read(at)?),
                    Some(_) => Closing::Never,
                };
                let Change { message_id, add_options } = serde_json::from_value(input)?;
                Poll::update(&message_id, viewer, &add_options.unwrap_or_default(), closing, self.options)
            }
            "pollClose" => {
                let Of { message_id } = call.input()?;
                Poll::close(&message_id, viewer)
            }
            other => Err(Failure::new(format!("nothing is known of {other}"))),
        }
    }
}

/// The polls of messages; null for those that carry none. However many they are, the hub is asked as often.
fn shown(messages: &[String], viewer: &str, with_voters: bool) -> Result<Vec<Value>> {
    let keys: Vec<String> = messages.iter().map(|message| poll_key(message)).collect();
    let polls: Vec<Option<Poll>> = kv::get_many(&keys)?;
    let carried: Vec<(&String, &Poll)> =
        messages.iter().zip(&polls).filter_map(|(message, poll)| Some((message, poll.as_ref()?))).collect();

    let mut keys = Vec::new();
    for (message, poll) in &carried {
        keys.push(format!("{}{viewer}", votes_prefix(message)));
        keys.push(voters_key(message));
        keys.extend((0..poll.options.len()).map(|option| count_key(message, option)));
    }
    let mut found = Vec::new();
    for part in keys.chunks(KEYS) {
        found.extend(kv::get_many::<Value>(part)?);
    }
    let mut found = found.into_iter().map(Option::unwrap_or_default);

    let open: Vec<String> =
        carried.iter().filter(|(_, poll)| !poll.is_anonymous).map(|(message, _)| votes_prefix(message)).collect();
    let mut votes = Vec::new();
    if with_voters && !open.is_empty() {
        votes = kv::scan_many::<Vote>(&open, VOTERS)?;
    }
    let mut votes = votes.into_iter();

    let mut shown = vec![Value::Null; messages.len()];
    for (place, (message, poll)) in messages.iter().zip(&polls).enumerate() {
        let Some(poll) = poll else { continue };
        let mine: Vote = serde_json::from_value(found.next().unwrap_or_default()).unwrap_or_default();
        let voter_count = found.next().and_then(|count| count.as_i64()).unwrap_or_default();
        let votes = if poll.is_anonymous { None } else { votes.next() };
        let options: Vec<Value> = poll
            .options
            .iter()
            .enumerate()
            .map(|(id, text)| {
                let count = found.next().and_then(|count| count.as_i64()).unwrap_or_default();
                let voters = votes.as_ref().map(|votes| {
                    let chose = votes.iter().filter(|(_, vote)| vote.options.contains(&id));
                    chose.filter_map(|(key, _)| key.rsplit('/').next()).collect::<Vec<_>>()
                });
                json!({ "id": id, "text": text, "voteCount": count, "voters": voters })
            })
            .collect();
        shown[place] = json!({
            "message": message,
            "question": poll.question,
            "options": options,
            "choice": if poll.is_multiple { "MULTIPLE" } else { "SINGLE" },
            "isAnonymous": poll.is_anonymous,
            "voterCount": voter_count,
            "myVotes": mine.options,
            "creator": poll.creator,
            "isClosed": poll.is_closed(),
            "closesAt": poll.closes_at.map(written),
            "closedAt": poll.closed_at.or(poll.closes_at.filter(|_| poll.is_closed())).map(written),
        });
    }
    Ok(shown)
}

/// A moment as the API writes it, which has seen to it that it is one.
fn read(text: &str) -> Result<i64> {
    let at: jiff::Timestamp = text.parse().map_err(|error| Failure::new(format!("«{text}» is no moment: {error}")))?;
    Ok(at.as_millisecond())
}

fn written(at: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(at).ok().map(|at| at.to_string())
}
