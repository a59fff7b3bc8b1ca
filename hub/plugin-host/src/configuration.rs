//! Configurations: whether one fits the schema that the manifest gives, and what stands where an admin said nothing.
//!
//! Schema and configuration come from two strangers, so that patterns are matched in linear time and nothing is fetched.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

use crate::hooks::Problem;

/// So many problems are told at once.
const PROBLEMS: usize = 20;

/// What a plugin can be configured with.
pub struct Configurations {
    schema: Option<Value>,
    validator: Option<Validator>,
}

impl Configurations {
    /// None is a plugin that has nothing to configure. What is wrong with a schema is said in words.
    pub fn of(schema: Option<&Value>) -> Result<Self, String> {
        let Some(schema) = schema else { return Ok(Configurations { schema: None, validator: None }) };
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("it is a JSON Schema with `type = \"object\"` at its root".to_owned());
        }
        let options =
            jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(PatternOptions::regex());
        let validator = options.build(schema).map_err(|error| format!("the JSON Schema is not good: {error}"))?;
        Ok(Configurations { schema: Some(schema.clone()), validator: Some(validator) })
    }

    /// The whole configuration where an admin gives this, or what is wrong with it.
    pub fn complete(&self, given: &Map<String, Value>) -> Result<Value, Vec<Problem>> {
        let mut whole = Value::Object(given.clone());
        let (Some(schema), Some(validator)) = (&self.schema, &self.validator) else {
            let problem = |key: &String| Problem {
                path: format!("/{}", key.replace('~', "~0").replace('/', "~1")),
                message: "the plugin has nothing to configure; leave this out".to_owned(),
            };
            let problems: Vec<Problem> = given.keys().take(PROBLEMS).map(problem).collect();
            return if problems.is_empty() { Ok(whole) } else { Err(problems) };
        };
        fill_in(schema, &mut whole);
        let problems: Vec<Problem> = validator
            .iter_errors(&whole)
            .take(PROBLEMS)
            .map(|error| Problem {
                path: crate::convert::cut(error.instance_path().as_str()),
                message: crate::convert::cut(&error.to_string()),
            })
            .collect();
        if problems.is_empty() { Ok(whole) } else { Err(problems) }
    }
}

/// Puts the defaults of the properties where nothing was said, as deep as objects are given.
fn fill_in(schema: &Value, value: &mut Value) {
    let (Some(properties), Some(object)) = (schema.get("properties").and_then(Value::as_object), value.as_object_mut())
    else {
        return;
    };
    for (name, schema) in properties {
        if !object.contains_key(name)
            && let Some(default) = schema.get("default")
        {
            object.insert(name.clone(), default.clone());
        }
        if let Some(value) = object.get_mut(name) {
            fill_in(schema, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complete(schema: &Value, given: &Value) -> Result<Value, Vec<String>> {
        let configurations = Configurations::of(Some(schema)).unwrap();
        let problems = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.path).collect();
        configurations.complete(given.as_object().expect("an object")).map_err(problems)
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let schema = json!({
            "type": "object",
            "properties": {
                "words": { "type": "array", "items": { "type": "string", "maxLength": 3 }, "default": ["tea"] },
                "flood": {
                    "type": "object",
                    "properties": { "most": { "type": "integer", "default": 5 } },
                    "default": {}
                }
            },
            "required": ["words"],
            "additionalProperties": false
        });
        assert_eq!(complete(&schema, &json!({})), Ok(json!({ "words": ["tea"], "flood": { "most": 5 } })));
        let given = json!({ "words": [], "flood": { "most": 1 } });
        assert_eq!(complete(&schema, &given), Ok(given));
        assert_eq!(complete(&schema, &json!({ "words": ["coffee"] })), Err(vec!["/words/0".to_owned()]));
        assert_eq!(complete(&schema, &json!({ "other": 1 })), Err(vec![String::new()]));
    }

    #[test]
    fn where_there_is_nothing_to_configure_nothing_is_taken() {
        let none = Configurations::of(None).unwrap();
        assert_eq!(none.complete(&Map::new()), Ok(json!({})));
        let given = json!({ "a/b": 1 });
        assert_eq!(none.complete(given.as_object().unwrap()).unwrap_err()[0].path, "/a~1b");
    }

    #[test]
    fn a_pattern_cannot_take_for_ever() {
        let schema = json!({ "type": "object", "properties": { "word": { "type": "string", "pattern": "^(a+)+$" } } });
        let began = std::time::Instant::now();
        assert!(complete(&schema, &json!({ "word": format!("{}!", "a".repeat(10_000)) })).is_err());
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
        let looking_back = json!({ "type": "object", "properties": { "word": { "pattern": r"(a)\1" } } });
        assert!(Configurations::of(Some(&looking_back)).is_err(), "what needs backtracking is no pattern here");
    }
}
