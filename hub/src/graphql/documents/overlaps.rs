//! Fields of one name in the answer that are not the same field.
//!
//! The specification (`OverlappingFieldsCanBeMerged`) compares each with each, and whatever lies below the two of them
//! once more; the stock validator looks at each selection by itself, and complains of every argument of every such field:
//! a document of 12 kB drew millions of complaints from it, which took 9 GB. Here what is asked for of one object is
//! gathered by name, from all the places where it is asked for, and each field is compared with the first of its name.
//! Being the same is the same for all of them, so that this finds what comparing each with each would find.

use std::collections::HashSet;

use async_graphql::{
    indexmap::IndexMap,
    parser::types::{ExecutableDocument, Field, Selection, SelectionSet},
};

use super::{
    Refusal,
    count::root,
    index::{Index, Leads},
};

/// What is asked for of an interface is asked for of each of the objects that it may be, and is compared beside what is
/// asked for of each. Where that is done on many levels, it comes to more than anybody should look at.
const LOOKS: usize = 50_000;

/// Looks at every operation. What the document asks for has been counted, and so its walks have an end.
pub fn check(document: &ExecutableDocument, index: &Index) -> Result<(), Refusal> {
    let mut overlaps = Overlaps { document, index, looks: 0 };
    document.operations.iter().try_for_each(|(_, operation)| {
        let whole = [(root(operation.node.ty), &operation.node.selection_set.node)];
        overlaps.same(&whole)?;
        overlaps.of_one_type(&whole)
    })
}

struct Overlaps<'a> {
    document: &'a ExecutableDocument,
    index: &'a Index,
    looks: usize,
}

/// What is asked for of one object, in so many places, and of which type in each.
type Sets<'a> = [(&'a str, &'a SelectionSet)];

#[derive(Clone, Copy)]
struct Asked<'a> {
    parent: &'a str,
    field: &'a Field,
    /// None for what no schema of ours tells of: introspection, and what does not exist.
    leads: Option<&'a Leads>,
}

impl<'a> Overlaps<'a> {
    /// What may be asked for of one and the same object under one name is the same field with the same arguments.
    fn same(&mut self, sets: &Sets<'a>) -> Result<(), Refusal> {
        for (name, fields) in self.gathered(sets)? {
            let (of_any, of_one): (Vec<_>, Vec<_>) =
                fields.into_iter().partition(|field| !self.index.possible(field.parent).is_empty());
            let mut by_object: IndexMap<&str, Vec<Asked<'a>>> = IndexMap::new();
            for field in of_one {
                by_object.entry(field.parent).or_default().push(field);
            }
            let groups = if by_object.is_empty() { vec![Vec::new()] } else { by_object.into_values().collect() };
            for of_one in groups {
                let fields = [&of_any[..], &of_one[..]].concat();
                self.look(fields.len())?;
                if !fields.iter().all(|field| is_same(field.field, fields[0].field)) {
                    return Err(Refusal::BadRequest(format!(
                        "the fields called {name:.60} are not the same: give them different aliases"
                    )));
                }
                self.same(&below(&fields))?;
            }
        }
        Ok(())
    }

    /// What has one name in the answer is of one type, whatever the object turns out to be: a client that is written in
    /// a language with types could not take it in otherwise.
    fn of_one_type(&mut self, sets: &Sets<'a>) -> Result<(), Refusal> {
        for (name, fields) in self.gathered(sets)? {
            if !fields.iter().all(|field| self.is_of_type_of(field, &fields[0])) {
                return Err(Refusal::BadRequest(format!(
                    "the fields called {name:.60} are not of the same type: give them different aliases"
                )));
            }
            self.of_one_type(&below(&fields))?;
        }
        Ok(())
    }

    /// All fields by their names in the answer.
    fn gathered(&mut self, sets: &Sets<'a>) -> Result<IndexMap<&'a str, Vec<Asked<'a>>>, Refusal> {
        let (mut fields, mut spread) = (IndexMap::new(), HashSet::new());
        sets.iter().try_for_each(|(parent, set)| self.gather(parent, set, &mut spread, &mut fields))?;
        Ok(fields)
    }

    fn gather(
        &mut self,
        parent: &'a str,
        set: &'a SelectionSet,
        spread: &mut HashSet<&'a str>,
        fields: &mut IndexMap<&'a str, Vec<Asked<'a>>>,
    ) -> Result<(), Refusal> {
        self.look(set.items.len())?;
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let (field, leads) = (&field.node, self.index.field(parent, &field.node.name.node));
                    fields.entry(&field.response_key().node).or_default().push(Asked { parent, field, leads });
                }
                Selection::InlineFragment(inline) => {
                    let of = inline.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                    self.gather(of.unwrap_or(parent), &inline.node.selection_set.node, spread, fields)?;
                }
                Selection::FragmentSpread(of) => {
                    let name = &of.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && spread.insert(name)
                    {
                        let parent = &fragment.node.type_condition.node.on.node;
                        self.gather(parent, &fragment.node.selection_set.node, spread, fields)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn look(&mut self, at: usize) -> Result<(), Refusal> {
        self.looks += at;
        let what = "the fields that have to be compared are";
        if self.looks > LOOKS {
            return Err(Refusal::TooMuch { what, asked: self.looks, limit: LOOKS });
        }
        Ok(())
    }

    fn is_of_type_of(&self, one: &Asked<'a>, other: &Asked<'a>) -> bool {
        match (self.answers(one), self.answers(other)) {
            (Some(one), Some(other)) => one == other,
            // Two fields of introspection are compared by name, and of what does not exist the validator will complain.
            _ => true,
        }
    }

    /// Where there may be nothing, and the type of a value; of an object it does not matter which it is.
    fn answers(&self, asked: &Asked<'a>) -> Option<(&'a [bool], Option<&'a str>)> {
        match asked.leads {
            Some(leads) => Some((&leads.nullable, Some(&*leads.to).filter(|to| !self.index.is_object(to)))),
            None if asked.field.name.node == "__typename" => Some((&[false], Some("String"))),
            None => None,
        }
    }
}

/// What is asked for of what these fields lead to, which is one and the same.
fn below<'a>(fields: &[Asked<'a>]) -> Vec<(&'a str, &'a SelectionSet)> {
    let set = |asked: &Asked<'a>| (asked.leads.map_or("", |leads| &*leads.to), &asked.field.selection_set.node);
    fields.iter().map(set).filter(|(_, set)| !set.items.is_empty()).collect()
}

fn is_same(one: &Field, other: &Field) -> bool {
    one.name.node == other.name.node
        && one.arguments.len() == other.arguments.len()
        && one
            .arguments
            .iter()
            .all(|(name, value)| other.get_argument(&name.node).is_some_and(|other| other.node == value.node))
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    const SCHEMA: &str = "type Query { thing: Thing }
        interface Thing { name: String next: Thing }
        type Cup implements Thing { name: String next: Thing size: String }
        type Pot implements Thing { name: String next: Thing size: String }";

    fn found(document: &str) -> Result<(), Refusal> {
        check(&parse_query(document).expect("a document"), &Index::of(SCHEMA))
    }

    #[test]
    fn what_is_asked_for_of_an_interface_is_compared_with_what_is_asked_for_of_each_object() {
        // Of a cup there is one name and one size below, of a pot there are others.
        let apart = "{ thing { ... on Cup { next { a: name } } ... on Pot { next { a: name } } next { name } } }";
        assert_eq!(found(apart), Ok(()));
        let differ =
            "{ thing { ... on Cup { next { ... on Pot { a: name } } } ... on Pot { next { ... on Pot { a: size } } }
            next { name } } }";
        assert_eq!(found(differ), Ok(()));
        let below = "{ thing { ... on Cup { next { a: name } } next { ... on Pot { a: size } } } }";
        assert!(matches!(found(below), Err(Refusal::BadRequest(_))));
    }

    /// Of each object what is asked for of any is asked for once more, and below that again: twice as much on each level.
    #[test]
    fn what_doubles_on_each_level_is_not_followed_to_its_end() {
        let levels = |count: usize| {
            (0..count).fold("name".to_owned(), |inside, _| {
                format!("... on Cup {{ next {{ name }} }} ... on Pot {{ next {{ name }} }} next {{ {inside} }}")
            })
        };
        assert_eq!(found(&format!("{{ thing {{ {} }} }}", levels(8))), Ok(()));
        let refused = found(&format!("{{ thing {{ {} }} }}", levels(30)));
        assert!(matches!(refused, Err(Refusal::TooMuch { limit: LOOKS, .. })), "{refused:?}");
    }
}
