//! Lets people clap for what others say: a field of messages, and a mutation.

use jackfield_plugin::prelude::*;

#[data]
struct Applause {}

/// What somebody gives, as the schema has it.
#[data]
#[serde(rename_all = "camelCase")]
struct Give {
    message_id: String,
}

fn key(message: &str) -> String {
    format!("claps/{message}")
}

#[plugin]
impl GraphqlHooks for Applause {
    /// Answers the field for all messages of a page with one look.
    fn resolve(&self, call: FieldCall) -> Result<Vec<Result<Value>>> {
        let keys: Vec<String> = call.objects.iter().map(|message| key(message)).collect();
        let claps = kv::get_many::<i64>(&keys)?;
        Ok(claps.into_iter().map(|claps| Ok(json!(claps.unwrap_or(0)))).collect())
    }

    fn mutate(&self, call: MutationCall) -> Result<MutationAnswer> {
        let give: Give = call.input()?;
        // What the viewer may not see is not there.
        let Ok(message) = messages::get(&give.message_id) else {
            return Ok(MutationAnswer::refuse("NO_MESSAGE", "There is no such message."));
        };
        if message.sender == call.viewer.id {
            return Ok(MutationAnswer::refuse("YOUR_OWN", "Others clap for what you say."));
        }
        // However many clap at once, each is counted.
        let claps = kv::increment(&key(&message.id), 1, None)?;
        MutationAnswer::done(json!({ "claps": claps }))
    }
}

#[cfg(test)]
mod tests;
