//! The shape that an answer must have: what was asked for, in that order, and null where something is missing.
//!
//! The executor writes fields in the order in which they were done, and leaves out those that failed. Here they are put
//! in the order of the question, and what failed becomes null, or takes with it what cannot be without it.

use std::sync::Arc;

use async_graphql::{
    Name, PathSegment, Response, Value,
    indexmap::IndexMap,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};

use super::index::Index;

/// What is asked for of an object, whatever its type turns out to be.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    fields: IndexMap<Name, Part>,
}

#[derive(Debug, Clone)]
struct Part {
    nullable: Arc<[bool]>,
    below: Shape,
}

/// Where something failed, from here on.
type Failed<'a> = Vec<&'a [PathSegment]>;

impl Shape {
    pub fn of(document: &ExecutableDocument, index: &Index, set: &SelectionSet, parent: &str) -> Self {
        Self::merged(document, index, &[(parent, set)])
    }

    fn merged(document: &ExecutableDocument, index: &Index, sets: &[(&str, &SelectionSet)]) -> Self {
        let mut found = IndexMap::new();
        for (parent, set) in sets {
            collect(document, index, set, parent, &mut found);
        }
        let part = |found: Found<'_>| Part {
            nullable: found.nullable.into(),
            below: Self::merged(document, index, &found.below),
        };
        Shape { fields: found.into_iter().map(|(name, found)| (name.clone(), part(found))).collect() }
    }

    /// Puts an answer into shape, if anything was executed.
    pub fn apply(&self, response: &mut Response) {
        if response.data == Value::Null && response.errors.iter().any(|error| error.path.is_empty()) {
            return;
        }
        let failed = response.errors.iter().map(|error| &error.path[..]).filter(|path| !path.is_empty()).collect();
        let fields = match std::mem::take(&mut response.data) {
            Value::Object(fields) => fields,
            // There is always an answer to nothing, which is what is left if every field failed or is skipped.
            _ => IndexMap::new(),
        };
        response.data = self.object(fields, &failed);
    }

    fn object(&self, mut fields: IndexMap<Name, Value>, failed: &Failed<'_>) -> Value {
        let mut shaped = IndexMap::with_capacity(fields.len());
        for (name, part) in &self.fields {
            let failed: Failed<'_> = failed
                .iter()
                .filter_map(|path| match path.split_first() {
                    Some((PathSegment::Field(field), rest)) if field.as_str() == name.as_str() => Some(rest),
                    _ => None,
                })
                .collect();
            let value = match fields.swap_remove(name) {
                Some(value) => part.below.value(value, &part.nullable, &failed),
                None if failed.is_empty() => continue,
                None => Value::Null,
            };
            if value == Value::Null && !failed.is_empty() && part.nullable.first() == Some(&false) {
                return Value::Null;
            }
            shaped.insert(name.clone(), value);
        }
        shaped.extend(fields);
        Value::Object(shaped)
    }

    fn value(&self, value: Value, nullable: &[bool], failed: &Failed<'_>) -> Value {
        match value {
            Value::Object(fields) => self.object(fields, failed),
            Value::List(values) => {
                let below = nullable.get(1..).unwrap_or_default();
                let mut shaped = Vec::with_capacity(values.len());
                for (at, value) in values.into_iter().enumerate() {
                    let failed: Failed<'_> = failed
                        .iter()
                        .filter_map(|path| match path.split_first() {
                            Some((PathSegment::Index(index), rest)) if *index == at => Some(rest),
                            _ => None,
                        })
                        .collect();
                    let value = self.value(value, below, &failed);
                    if value == Value::Null && !failed.is_empty() && below.first() == Some(&false) {
                        return Value::Null;
                    }
                    shaped.push(value);
                }
                Value::List(shaped)
            }
            // An object of which nothing is left.
            Value::Null if failed.iter().any(|path| matches!(path.first(), Some(PathSegment::Field(_)))) => {
                self.object(IndexMap::new(), failed)
            }
            other => other,
        }
    }
}

struct Found<'a> {
    nullable: Vec<bool>,
    below: Vec<(&'a str, &'a SelectionSet)>,
}

fn collect<'a>(
    document: &'a ExecutableDocument,
    index: &'a Index,
    set: &'a SelectionSet,
    parent: &'a str,
    found: &mut IndexMap<&'a Name, Found<'a>>,
) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => {
                let leads = index.field(parent, field.node.name.node.as_str());
                let entry = found.entry(&field.node.response_key().node).or_insert_with(|| Found {
                    nullable: leads.map(|leads| leads.nullable.clone()).unwrap_or_default(),
                    below: Vec::new(),
                });
                entry.below.push((leads.map_or("", |leads| &leads.to), &field.node.selection_set.node));
            }
            Selection::InlineFragment(inline) => {
                let condition = inline.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                collect(document, index, &inline.node.selection_set.node, condition.unwrap_or(parent), found);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    let parent = fragment.node.type_condition.node.on.node.as_str();
                    collect(document, index, &fragment.node.selection_set.node, parent, found);
                }
            }
        }
    }
}
