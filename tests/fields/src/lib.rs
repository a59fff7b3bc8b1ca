//! A plugin that adds fields to everything, and answers them well, or as badly as a story wants.

use jackfield_plugin::prelude::*;

/// In what it lies.
#[data]
#[derive(Default)]
#[serde(default)]
pub struct Fields {
    lie: String,
}

#[data]
struct First {
    first: usize,
    voice: Option<String>,
}

#[data]
struct Loud {
    loud: bool,
}

#[data]
#[serde(rename_all = "camelCase")]
struct Write {
    words: Vec<String>,
    times: usize,
    how: Option<How>,
    conversation_id: Option<String>,
}

#[data]
struct How {
    voice: String,
}

/// The id of a message that is not there.
const NOBODYS: &str = "msg_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";

fn word(text: &str) -> Value {
    json!({ "text": text, "length": text.chars().count(), "voice": "SOFT", "since": "2026-01-02T03:04:05Z" })
}

#[plugin]
impl GraphqlHooks for Fields {
    fn resolve(&self, call: FieldCall) -> Result<Vec<Result<Value>>> {
        match self.lie.as_str() {
            "trap" => panic!("as it was told to"),
            "slow" => loop {
                std::hint::black_box(());
            },
            "huge" => return call.each(|_| Ok("x".repeat(10 << 20))),
            "few" => return Ok(Vec::new()),
            "effects" => drop(messages::say("conv_1", "not from here").map_err(log::info)),
            _ => {}
        }
        match call.field.as_str() {
            "fieldWords" => {
                let First { first, voice } = call.arguments()?;
                call.each(|_| {
                    let words = ["one", "two", "three", "four"].iter().take(first).map(|text| word(text));
                    Ok(words
                        .map(|mut word| {
                            if let Some(voice) = &voice {
                                word["voice"] = json!(voice);
                            }
                            word["parts"] = json!([{ "text": "a", "length": 1 }]);
                            word
                        })
                        .collect::<Vec<_>>())
                })
            }
            "fieldWord" => self.words(&call),
            "fieldCalls" | "fieldCount" => call.each(|_| Ok(call.objects.len())),
            "fieldName" if self.lie == "plain" => call.each(|id| Ok(users::get(id)?.name)),
            "fieldName" => call.each(|id| Ok(format!("{} as {} sees them", users::get(id)?.name, call.viewer.name))),
            other => Err(Failure::new(format!("nothing is known of {other}"))),
        }
    }

    fn mutate(&self, call: MutationCall) -> Result<MutationAnswer> {
        let Write { words, times, how, conversation_id } = call.input()?;
        let text = words.join(" ").repeat(times);
        if let Some(conversation) = &conversation_id {
            messages::say(conversation, &text)?;
        }
        let written = kv::increment("written", 1, None)?;
        if words.is_empty() {
            return Ok(MutationAnswer::refuse(
                "NOTHING_TO_WRITE",
                format!("That is nothing, and it was tried {written} times."),
            ));
        }
        let mut word = word(&text);
        word["voice"] = json!(how.map(|how| how.voice));
        word["speaker"] = json!(call.viewer.id);
        MutationAnswer::done(json!({ "word": word, "errors": "of its own making" }))
    }
}

impl Fields {
    /// What it makes of messages.
    fn words(&self, call: &FieldCall) -> Result<Vec<Result<Value>>> {
        let Loud { loud } = call.arguments()?;
        let found = messages::get_many(&call.objects)?;
        let words = found.into_iter().map(|message| {
            let message = message.ok_or_else(|| Failure::new("it is not there"))?;
            if self.lie == "one" && message.text() == "fail" {
                return Err(Failure::new("as it was told to"));
            }
            let mut answer = word(message.text());
            if loud {
                answer["text"] = json!(message.text().to_uppercase());
                answer["voice"] = json!("LOUD");
            }
            answer["said"] = json!(message.id);
            answer["speaker"] = json!(message.sender);
            answer["place"] = json!(message.conversation);
            match self.lie.as_str() {
                "type" => answer["length"] = json!("long"),
                "null" => answer["length"] = Value::Null,
                "large" => answer["length"] = json!(1_u64 << 40),
                "enum" => answer["voice"] = json!("HOARSE"),
                "date" => answer["since"] = json!("yesterday"),
                "moment" => answer["since"] = json!(1_767_322_985_000_i64),
                "eternity" => answer["since"] = json!(i64::MAX),
                "list" => answer["parts"] = json!("many"),
                "item" => answer["parts"] = json!([word("a"), null]),
                "id" => answer["speaker"] = json!("msg_1"),
                "other" => answer["said"] = json!(NOBODYS),
                "object" => answer = json!("a word"),
                _ => {}
            }
            Ok(answer)
        });
        Ok(words.collect())
    }
}
