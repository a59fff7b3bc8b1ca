//! Reading what somebody gives a command, by what its manifest says of it. Whether the people and conversations that are
//! named are there, and for the viewer to see, is for the hub to say.

use std::str::FromStr;

use jackfield_domain::Rejection;
use serde_json::{Map, Value};

use super::{Argument, ArgumentKind, Command};
use crate::hooks::ArgumentValue;

/// A text has at most so many characters.
const TEXT_MAX: usize = 10_000;
/// No argument has a longer name; what is longer is not repeated whole.
const NAME_MAX: usize = 64;

impl Command {
    /// The arguments in the order of the manifest, each of its kind. What is null was left out.
    pub fn read(&self, given: &Map<String, Value>) -> Result<Vec<(String, ArgumentValue)>, Rejection> {
        let is_known = |name: &String| self.arguments.iter().any(|argument| argument.name == *name);
        if let Some(stranger) = given.keys().find(|name| !is_known(name)) {
            return Err(Rejection::NoSuchArgument { argument: stranger.chars().take(NAME_MAX).collect() });
        }
        let mut read = Vec::new();
        for argument in &self.arguments {
            match given.get(&argument.name) {
                None | Some(Value::Null) if argument.required => {
                    return Err(Rejection::ArgumentMissing { argument: argument.name.clone() });
                }
                None | Some(Value::Null) => {}
                Some(value) => read.push((argument.name.clone(), argument.read(value)?)),
            }
        }
        Ok(read)
    }
}

impl Argument {
    fn read(&self, value: &Value) -> Result<ArgumentValue, Rejection> {
        let bad =
            |expected: &str| Rejection::BadArgument { argument: self.name.clone(), expected: expected.to_owned() };
        match (self.kind, value) {
            (ArgumentKind::Text, Value::String(text)) => {
                if !self.choices.is_empty() && !self.choices.contains(text) {
                    return Err(bad(&format!("one of {}", self.choices.join(", "))));
                }
                if text.chars().count() > TEXT_MAX {
                    return Err(bad(&format!("a text of at most {TEXT_MAX} characters")));
                }
                Ok(ArgumentValue::Text(text.clone()))
            }
            (ArgumentKind::Number, Value::Number(number)) => {
                let number = number.as_f64().filter(|number| number.is_finite());
                Ok(ArgumentValue::Number(number.ok_or_else(|| bad("a number"))?))
            }
            (ArgumentKind::Flag, Value::Bool(flag)) => Ok(ArgumentValue::Flag(*flag)),
            (ArgumentKind::User, Value::String(id)) => Ok(ArgumentValue::User(self.named(id, "user")?)),
            (ArgumentKind::Conversation, Value::String(id)) => {
                Ok(ArgumentValue::Conversation(self.named(id, "conversation")?))
            }
            (ArgumentKind::Text, _) => Err(bad("a text")),
            (ArgumentKind::Number, _) => Err(bad("a number")),
            (ArgumentKind::Flag, _) => Err(bad("true or false")),
            (ArgumentKind::User, _) => Err(bad("the id of a user")),
            (ArgumentKind::Conversation, _) => Err(bad("the id of a conversation")),
        }
    }

    /// A text that is no id names nothing that there is.
    fn named<T: FromStr>(&self, id: &str, what: &'static str) -> Result<T, Rejection> {
        id.parse().map_err(|_| Rejection::NothingByArgument { argument: self.name.clone(), what })
    }
}

#[cfg(test)]
mod tests {
    use jackfield_domain::{ConversationId, ErrorCode, UserId};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn command() -> Command {
        let argument = |name: &str, kind, required, choices: &[&str]| Argument {
            name: name.to_owned(),
            description: "What it is.".to_owned(),
            kind,
            required,
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        };
        Command {
            name: "remind".to_owned(),
            description: "Reminds somebody.".to_owned(),
            arguments: vec![
                argument("of", ArgumentKind::Text, true, &[]),
                argument("how", ArgumentKind::Text, false, &["softly", "loudly"]),
                argument("minutes", ArgumentKind::Number, false, &[]),
                argument("again", ArgumentKind::Flag, false, &[]),
                argument("whom", ArgumentKind::User, false, &[]),
                argument("where", ArgumentKind::Conversation, false, &[]),
            ],
        }
    }

    fn read(given: Value) -> Result<Vec<(String, ArgumentValue)>, Rejection> {
        command().read(given.as_object().expect("an object"))
    }

    #[test]
    fn arguments_come_in_the_order_of_the_manifest_and_of_its_kinds() {
        let (user, place) = (UserId(Uuid::from_u128(1)), ConversationId(Uuid::from_u128(2)));
        let all = json!({
            "where": place.to_string(), "whom": user.to_string(), "again": true, "minutes": 1.5, "how": "softly", "of": "tea",
        });
        let expected = [
            ("of", ArgumentValue::Text("tea".to_owned())),
            ("how", ArgumentValue::Text("softly".to_owned())),
            ("minutes", ArgumentValue::Number(1.5)),
            ("again", ArgumentValue::Flag(true)),
            ("whom", ArgumentValue::User(user)),
            ("where", ArgumentValue::Conversation(place)),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        assert_eq!(read(all), Ok(expected.to_vec()));
        assert_eq!(read(json!({ "of": "", "how": null })).map(|read| read.len()), Ok(1), "null was left out");
    }

    #[test]
    fn what_is_wrong_is_said_of_the_argument_that_is_to_blame() {
        for (given, argument, code, words) in [
            (json!({}), "of", ErrorCode::Missing, "the command needs of"),
            (json!({ "of": null }), "of", ErrorCode::Missing, "needs of"),
            (json!({ "of": 1 }), "of", ErrorCode::Invalid, "of must be a text"),
            (json!({ "of": "x".repeat(10_001) }), "of", ErrorCode::Invalid, "at most 10000 characters"),
            (json!({ "of": "", "how": "shrilly" }), "how", ErrorCode::Invalid, "one of softly, loudly"),
            (json!({ "of": "", "minutes": "1" }), "minutes", ErrorCode::Invalid, "a number"),
            (json!({ "of": "", "again": 1 }), "again", ErrorCode::Invalid, "true or false"),
            (json!({ "of": "", "whom": "ann" }), "whom", ErrorCode::NotFound, "no such user"),
            (json!({ "of": "", "whom": ["usr_"] }), "whom", ErrorCode::Invalid, "the id of a user"),
            (json!({ "of": "", "where": "usr_1" }), "where", ErrorCode::NotFound, "no such conversation"),
            (json!({ "of": "", "colour": 1 }), "colour", ErrorCode::Invalid, "knows no argument colour"),
        ] {
            let refused = read(given.clone()).expect_err("it is refused");
            assert_eq!((refused.argument(), refused.code()), (Some(argument), code), "{given}");
            assert!(refused.to_string().contains(words), "{given}: {refused}");
        }
        let long = read(json!({ "of": "", "x".repeat(1_000): 1 })).expect_err("it is refused");
        assert_eq!(long.argument().map(str::len), Some(64));
    }
}
