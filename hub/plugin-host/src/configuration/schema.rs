//! What the JSON Schema of a configuration may consist of.
//!
//! A schema comes from a stranger, and the hub compiles and evaluates it where everybody waits. So it is a tree: nothing in it
//! refers to anything, and nothing looks at one value twice. Then each part of a configuration is looked at by one
//! schema, and takes a time that grows with the two of them and no faster. What cannot be said so, a plugin says in the hook
//! `validate-configuration`, which runs under its limits.

use serde_json::Value;

/// A schema has at most so many bytes as JSON, …
const BYTES: usize = 65_536;
/// … lies at most so deep, …
const DEPTH: usize = 16;
/// … consists of at most so many schemas, …
const SCHEMAS: usize = 500;
/// … of which so many have a pattern, …
const PATTERNS: usize = 20;
/// … each of at most so many characters, …
const PATTERN_CHARACTERS: usize = 500;
/// … and lists at most so many values in one place.
const CHOICES: usize = 1_000;

/// The only one, so that nothing is looked for that says what a schema means.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What may stand in a schema beside those that hold schemas themselves.
const PLAIN: &[&str] = &[
    "type",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    // These are for people and for forms.
    "title",
    "description",
    "default",
    "examples",
    "format",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
];
const HOLDING: &[&str] = &["properties", "additionalProperties", "propertyNames", "items", "prefixItems"];
const BOUNDED: &[&str] = &["$schema", "enum", "required", "pattern"];

/// A schema that takes a time that is known.
pub struct Bounded {
    pub has_patterns: bool,
}

/// Is this one? If not, says in words what is wrong and what to do.
pub fn check(schema: &Value) -> Result<Bounded, String> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err("it is a JSON Schema with `type = \"object\"` at its root".to_owned());
    }
    let bytes = schema.to_string().len();
    if bytes > BYTES {
        return Err(format!("the JSON Schema has {bytes} bytes, at most {BYTES} are allowed; make it shorter"));
    }
    let mut walk = Walk::default();
    walk.schema(&mut String::new(), schema, 0)?;
    Ok(Bounded { has_patterns: walk.patterns > 0 })
}

#[derive(Default)]
struct Walk {
    schemas: usize,
    patterns: usize,
}

impl Walk {
    fn schema(&mut self, at: &mut String, schema: &Value, depth: usize) -> Result<(), String> {
        self.schemas += 1;
        if self.schemas > SCHEMAS {
            return Err(format!("the JSON Schema consists of more than {SCHEMAS} schemas; say less"));
        }
        if depth > DEPTH {
            return Err(format!("the schemas at {at} lie deeper than {DEPTH}; make the configuration flatter"));
        }
        let keywords = match schema {
            Value::Object(keywords) => keywords,
            Value::Bool(_) => return Ok(()),
            _ => return Err(format!("what stands at {at} is no schema: an object, true or false")),
        };
        for (keyword, value) in keywords {
            let length = at.len();
            at.push('/');
            at.push_str(&crate::convert::cut(keyword));
            match keyword.as_str() {
                keyword if PLAIN.contains(&keyword) => {}
                keyword if HOLDING.contains(&keyword) => self.held(at, keyword, value, depth + 1)?,
                keyword if BOUNDED.contains(&keyword) => self.bounded(at, keyword, value)?,
                _ => return Err(unknown(at)),
            }
            at.truncate(length);
        }
        Ok(())
    }

    fn held(&mut self, at: &mut String, keyword: &str, value: &Value, depth: usize) -> Result<(), String> {
        let length = at.len();
        let mut below = |name: &str, schema: &Value| -> Result<(), String> {
            at.push('/');
            at.push_str(&crate::convert::cut(name));
            self.schema(at, schema, depth)?;
            at.truncate(length);
            Ok(())
        };
        // What is of another kind than it should be is no schema.
        match (keyword, value) {
            ("properties", Value::Object(schemas)) => schemas.iter().try_for_each(|(name, schema)| below(name, schema)),
            ("prefixItems", Value::Array(schemas)) => {
                schemas.iter().enumerate().try_for_each(|(place, schema)| below(&place.to_string(), schema))
            }
            _ => self.schema(at, value, depth),
        }
    }

    fn bounded(&mut self, at: &str, keyword: &str, value: &Value) -> Result<(), String> {
        match value {
            Value::Array(values) if values.len() > CHOICES => {
                Err(format!("{at} has {} values, at most {CHOICES} are allowed", values.len()))
            }
            Value::String(draft) if keyword == "$schema" && draft != DRAFT => {
                Err(format!("{at} is another one than {DRAFT}; take that, or leave it out"))
            }
            Value::String(pattern) if keyword == "pattern" => {
                self.patterns += 1;
                if self.patterns > PATTERNS {
                    return Err(format!("the JSON Schema has more than {PATTERNS} patterns; take fewer"));
                }
                let length = pattern.chars().count();
                if length > PATTERN_CHARACTERS {
                    let most = PATTERN_CHARACTERS;
                    return Err(format!("{at} has {length} characters, at most {most} are allowed; make it shorter"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn unknown(at: &str) -> String {
    let mut known: Vec<&str> = [HOLDING, BOUNDED, PLAIN].concat();
    known.sort_unstable();
    format!(
        "{at} is not taken: a schema consists of {}, so that it is known how long it takes to hold a configuration to it. \
         Say it with these, or let the hook `validate-configuration` look at it",
        known.join(", ")
    )
}
