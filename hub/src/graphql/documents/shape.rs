//! The shape that an answer must have: what was asked for, in that order, and null where something is missing.
//!
//! The executor writes fields in the order in which they were done, and leaves out those that failed. Here they are put
//! in the order of the question, and what failed becomes null, or takes with it what cannot be without it.
//!
//! Where the order depends on what an object turns out to be, the executor is asked for that as well ([`ask_types`]).

use std::collections::HashMap;

use async_graphql::{
    Name, PathSegment, Pos, Positioned, Response, Value,
    indexmap::IndexMap,
    parser::types::{DocumentOperations, ExecutableDocument, Field, Selection, SelectionSet},
};

use super::{count::root, index::Index};

/// What is asked for of an object, whatever its type turns out to be.
#[derive(Debug, Default)]
pub struct Shape {
    fields: IndexMap<Name, Part>,
    /// The order of the fields of those types that have another one than the above.
    orders: HashMap<String, Vec<Name>>,
}

#[derive(Debug)]
struct Part {
    nullable: Vec<bool>,
    below: Shape,
}

/// Under this name the executor tells the type of an object. No document can ask for a name that has blanks.
const TYPE: &str = "the type of it";

/// Where something failed, from here on.
type Failed<'a> = Vec<&'a [PathSegment]>;

impl Shape {
    pub fn of(document: &ExecutableDocument, index: &Index, set: &SelectionSet, parent: &str) -> Self {
        Self::merged(document, index, &[(parent, set)])
    }

    fn merged(document: &ExecutableDocument, index: &Index, sets: &[(&str, &SelectionSet)]) -> Self {
        let all = collected(document, index, sets, None);
        let mut orders = HashMap::new();
        for ty in sets.iter().flat_map(|(parent, _)| index.possible(parent)) {
            let own = collected(document, index, sets, Some(ty));
            if !own.keys().eq(all.keys().filter(|name| own.contains_key(*name))) {
                orders.insert(ty.clone(), own.into_keys().cloned().collect());
            }
        }
        let part =
            |found: Found<'_>| Part { nullable: found.nullable, below: Self::merged(document, index, &found.below) };
        Shape { fields: all.into_iter().map(|(name, found)| (name.clone(), part(found))).collect(), orders }
    }

    /// Whether an order depends on the type of an object, here or further down.
    pub fn depends_on_types(&self) -> bool {
        !self.orders.is_empty() || self.fields.values().any(|part| part.below.depends_on_types())
    }

    /// Puts an answer into shape, if anything was executed.
    pub fn apply(&self, response: &mut Response) {
        if response.data == Value::Null && response.errors.iter().any(|error| error.path.is_empty()) {
            return;
        }
        let failed: Failed<'_> =
            response.errors.iter().map(|error| &error.path[..]).filter(|path| !path.is_empty()).collect();
        if failed.is_empty() && response.data != Value::Null {
            return self.arrange(&mut response.data);
        }
        let fields = match std::mem::take(&mut response.data) {
            Value::Object(fields) => fields,
            // There is always an answer to nothing, which is what is left if every field failed or is skipped.
            _ => IndexMap::new(),
        };
        response.data = self.object(fields, &failed);
    }

    /// Where nothing failed, there is only an order to be made, and most of an answer is in order already.
    fn arrange(&self, value: &mut Value) {
        match value {
            Value::Object(fields) if self.orders.is_empty() => {
                if !fields.keys().eq(self.fields.keys()) {
                    fields.swap_remove(TYPE);
                    fields.sort_by_cached_key(|name, _| self.fields.get_index_of(name).unwrap_or(usize::MAX));
                }
                let mut at = 0;
                for (name, value) in fields {
                    if !matches!(value, Value::Object(_) | Value::List(_)) {
                        continue;
                    }
                    // They come in the order of the shape, of which some may have been left out.
                    while self.fields.get_index(at).is_some_and(|(found, _)| found != name) {
                        at += 1;
                    }
                    if let Some((_, part)) = self.fields.get_index(at) {
                        part.below.arrange(value);
                    }
                }
            }
            Value::Object(fields) => *value = self.object(std::mem::take(fields), &Vec::new()),
            Value::List(values) => values.iter_mut().for_each(|value| self.arrange(value)),
            _ => {}
        }
    }

    fn object(&self, mut fields: IndexMap<Name, Value>, failed: &Failed<'_>) -> Value {
        let mut shaped = IndexMap::with_capacity(fields.len());
        let order = if self.orders.is_empty() { None } else { self.order(&mut fields) };
        let in_order: &mut dyn Iterator<Item = (&Name, &Part)> = match order {
            Some(order) => &mut order.iter().filter_map(|name| self.fields.get_key_value(name)),
            None => &mut self.fields.iter(),
        };
        for (name, part) in in_order {
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
        fields.swap_remove(TYPE);
        shaped.extend(fields);
        Value::Object(shaped)
    }

    fn order(&self, fields: &mut IndexMap<Name, Value>) -> Option<&Vec<Name>> {
        match fields.swap_remove(TYPE) {
            Some(Value::String(ty)) => self.orders.get(&ty),
            _ => None,
        }
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

/// Asks for the type of everything that may be of more than one.
pub fn ask_types(document: &mut ExecutableDocument, index: &Index) {
    // What a fragment stands on is asked for in the fragment, too: one name in the answer is one name.
    for fragment in document.fragments.values_mut() {
        let on = fragment.node.type_condition.node.on.node.to_string();
        ask_type(&mut fragment.node.selection_set.node, index, &on);
    }
    let operations = match &mut document.operations {
        DocumentOperations::Single(operation) => vec![operation],
        DocumentOperations::Multiple(operations) => operations.values_mut().collect(),
    };
    for operation in operations {
        let root = root(operation.node.ty);
        ask_type(&mut operation.node.selection_set.node, index, root);
    }
}

fn ask_type(set: &mut SelectionSet, index: &Index, parent: &str) {
    for selection in &mut set.items {
        match &mut selection.node {
            Selection::Field(field) => {
                if let Some(leads) = index.field(parent, &field.node.name.node) {
                    ask_type(&mut field.node.selection_set.node, index, &leads.to);
                }
            }
            Selection::InlineFragment(inline) => {
                let condition = inline.node.type_condition.as_ref().map(|condition| condition.node.on.node.clone());
                ask_type(&mut inline.node.selection_set.node, index, condition.as_deref().unwrap_or(parent));
            }
            Selection::FragmentSpread(_) => {}
        }
    }
    if !index.possible(parent).is_empty() {
        let asked = Field {
            alias: Some(Positioned::new(Name::new(TYPE), Pos::default())),
            name: Positioned::new(Name::new("__typename"), Pos::default()),
            arguments: Vec::new(),
            directives: Vec::new(),
            selection_set: Positioned::default(),
        };
        set.items.push(Positioned::new(Selection::Field(Positioned::new(asked, Pos::default())), Pos::default()));
    }
}

struct Found<'a> {
    nullable: Vec<bool>,
    below: Vec<(&'a str, &'a SelectionSet)>,
}

/// What is asked for, in its order: of an object of this type, or of whatever there may be.
fn collected<'a>(
    document: &'a ExecutableDocument,
    index: &'a Index,
    sets: &[(&'a str, &'a SelectionSet)],
    of: Option<&str>,
) -> IndexMap<&'a Name, Found<'a>> {
    let mut found = IndexMap::new();
    for (parent, set) in sets {
        collect(document, index, set, parent, of, &mut found);
    }
    found
}

fn collect<'a>(
    document: &'a ExecutableDocument,
    index: &'a Index,
    set: &'a SelectionSet,
    parent: &'a str,
    of: Option<&str>,
    found: &mut IndexMap<&'a Name, Found<'a>>,
) {
    let concerns = |condition: &str| {
        of.is_none_or(|of| condition == of || index.possible(condition).iter().any(|possible| possible == of))
    };
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
                let parent = condition.unwrap_or(parent);
                if concerns(parent) {
                    collect(document, index, &inline.node.selection_set.node, parent, of, found);
                }
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    let parent = fragment.node.type_condition.node.on.node.as_str();
                    if concerns(parent) {
                        collect(document, index, &fragment.node.selection_set.node, parent, of, found);
                    }
                }
            }
        }
    }
}
