//! Configurations: whether one fits the schema that the manifest gives, and what stands where an admin said nothing.
//!
//! Schema and configuration come from two strangers: both are bounded, patterns are matched in linear time, and nothing is
//! fetched. What there may be in a schema is said in `schema`.

mod schema;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

use crate::hooks::Problem;

/// A configuration has at most so many bytes as JSON, …
const BYTES: usize = 262_144;
/// … or so many where patterns are matched, which takes the product of the two, …
const BYTES_WITH_PATTERNS: usize = 65_536;
/// … consists of at most so many values, …
const VALUES: usize = 10_000;
/// … and lies at most so deep.
const DEPTH: usize = 32;
/// What a pattern may take when it is compiled: enough for a class of all letters that is there a few times.
const PATTERN_BYTES: usize = 131_072;

/// What a plugin can be configured with. Made once where a plugin is loaded: compiling a schema takes longer than holding a
/// configuration to it.
pub struct Configurations {
    schema: Option<Value>,
    validator: Option<Validator>,
    max_bytes: usize,
}

impl Configurations {
    /// None is a plugin that has nothing to configure. What is wrong with a schema is said in words.
    pub fn of(schema: Option<&Value>) -> Result<Self, String> {
        let Some(schema) = schema else { return Ok(Configurations { schema: None, validator: None, max_bytes: 0 }) };
        let max_bytes = if schema::check(schema)?.has_patterns { BYTES_WITH_PATTERNS } else { BYTES };
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
        let options = jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(patterns);
        let validator = options.build(schema).map_err(|error| {
            let error = crate::convert::cut(&error.to_string());
            format!("the JSON Schema is not good: {error}")
        })?;
        Ok(Configurations { schema: Some(schema.clone()), validator: Some(validator), max_bytes })
    }

    /// What an admin gives, with the defaults of what they left out.
    pub fn filled_in(&self, given: &Map<String, Value>) -> Value {
        let mut whole = Value::Object(given.clone());
        if let Some(schema) = &self.schema {
            fill_in(schema, &mut whole);
        }
        whole
    }

    /// The whole configuration where an admin gives this, or the first thing that is wrong with it. Takes up to a second for
    /// what is as large as it may be: it is not for a thread on which others wait.
    pub fn complete(&self, given: &Map<String, Value>) -> Result<Value, Problem> {
        let Some(validator) = &self.validator else {
            return match given.keys().next() {
                None => Ok(Value::Object(Map::new())),
                Some(key) => Err(Problem {
                    path: format!("/{}", crate::convert::cut(key).replace('~', "~0").replace('/', "~1")),
                    message: "the plugin has nothing to configure; leave this out".to_owned(),
                }),
            };
        };
        let whole = self.filled_in(given);
        within_bounds(&whole, self.max_bytes).map_err(|message| Problem { path: String::new(), message })?;
        let found = validator.validate(&whole).map_err(|error| Problem {
            path: crate::convert::cut(error.instance_path().as_str()),
            message: crate::convert::cut(&error.to_string()),
        });
        found.map(|()| whole)
    }
}

fn within_bounds(whole: &Value, max_bytes: usize) -> Result<(), String> {
    let bytes = whole.to_string().len();
    if bytes > max_bytes {
        return Err(format!("it has {bytes} bytes, at most {max_bytes} are allowed; say less"));
    }
    let (mut values, mut level) = (0, vec![whole]);
    for _ in 0..=DEPTH {
        values += level.len();
        level = level.into_iter().flat_map(below).collect();
        if values > VALUES {
            return Err(format!("it consists of more than {VALUES} values; say less"));
        }
        if level.is_empty() {
            return Ok(());
        }
    }
    Err(format!("it lies deeper than {DEPTH}; make it flatter"))
}

fn below(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Object(values) => values.values().collect(),
        _ => Vec::new(),
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

    fn complete(schema: &Value, given: &Value) -> Result<Value, String> {
        let configurations = Configurations::of(Some(schema)).unwrap();
        configurations.complete(given.as_object().expect("an object")).map_err(|problem| problem.path)
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
        assert_eq!(complete(&schema, &json!({ "words": ["coffee"] })), Err("/words/0".to_owned()));
        assert_eq!(complete(&schema, &json!({ "other": 1 })), Err(String::new()));
    }

    #[test]
    fn where_there_is_nothing_to_configure_nothing_is_taken() {
        let none = Configurations::of(None).unwrap();
        assert_eq!(none.complete(&Map::new()), Ok(json!({})));
        let given = json!({ "a/b": 1 });
        assert_eq!(none.complete(given.as_object().unwrap()).unwrap_err().path, "/a~1b");
    }

    #[test]
    fn a_configuration_is_no_larger_than_can_be_looked_at() {
        let schema = json!({ "type": "object", "properties": { "list": { "uniqueItems": true } } });
        let nested = |depth| (0..depth).fold(json!([]), |list, _| json!([list]));
        let words = |length| json!({ "list": "x".repeat(length) });
        for good in [json!((0..9_000).collect::<Vec<_>>()), nested(30)] {
            assert!(complete(&schema, &json!({ "list": good })).is_ok());
        }
        assert!(complete(&schema, &words(BYTES - 100)).is_ok());
        for bad in [json!({ "list": (0..10_000).collect::<Vec<_>>() }), json!({ "list": nested(32) }), words(BYTES)] {
            assert_eq!(complete(&schema, &bad), Err(String::new()));
        }
        let matching = json!({ "type": "object", "properties": { "list": { "pattern": "^x" } } });
        assert!(complete(&matching, &words(BYTES_WITH_PATTERNS - 100)).is_ok());
        assert_eq!(complete(&matching, &words(BYTES_WITH_PATTERNS)), Err(String::new()));
    }

    #[test]
    fn what_is_as_large_as_it_may_be_is_looked_at_in_a_moment() {
        // As many states as a pattern may have, and most of them at work at each letter.
        let pattern = "(a|b)*a(a|b){400}c";
        let choices: Vec<Vec<usize>> = (0..1_000).map(|number| vec![1, number]).collect();
        let schema = json!({ "type": "object", "properties": {
            "word": { "pattern": pattern },
            "list": { "items": { "items": { "type": "integer" }, "enum": choices } }
        } });
        for given in [
            json!({ "word": "ab".repeat(BYTES_WITH_PATTERNS / 2 - 100) }),
            json!({ "list": (0..3_000).map(|_| vec![1, 999]).collect::<Vec<_>>() }),
        ] {
            let began = std::time::Instant::now();
            let _ = complete(&schema, &given);
            assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
        }
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
