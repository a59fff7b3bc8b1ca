//! Fields of one name that are not the same field.
//!
//! The stock validator asks the same, but complains of every argument of every such field: a document of 12 kB drew
//! millions of complaints from it, and they took 9 GB. Here the first one is enough.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::types::{ExecutableDocument, Field, Selection, SelectionSet};

use super::Refusal;

/// Looks at every selection. What the document asks for has been counted, and so its walks have an end.
pub fn check(document: &ExecutableDocument) -> Result<(), Refusal> {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    operations.chain(fragments).try_for_each(|set| each(document, set))
}

fn each(document: &ExecutableDocument, set: &SelectionSet) -> Result<(), Refusal> {
    Overlaps { document, named: HashMap::new(), seen: HashSet::new() }.find(None, set)?;
    set.items.iter().try_for_each(|selection| match &selection.node {
        Selection::Field(field) if field.node.selection_set.node.items.is_empty() => Ok(()),
        Selection::Field(field) => each(document, &field.node.selection_set.node),
        Selection::InlineFragment(inline) => each(document, &inline.node.selection_set.node),
        Selection::FragmentSpread(_) => Ok(()),
    })
}

struct Overlaps<'a> {
    document: &'a ExecutableDocument,
    /// By the type that a fragment asks for, and by the name in the answer.
    named: HashMap<(Option<&'a str>, &'a str), &'a Field>,
    seen: HashSet<&'a str>,
}

impl<'a> Overlaps<'a> {
    fn find(&mut self, of: Option<&'a str>, set: &'a SelectionSet) -> Result<(), Refusal> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.add(of, &field.node)?,
                Selection::InlineFragment(inline) => {
                    let of = inline.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
                    self.find(of, &inline.node.selection_set.node)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = self.document.fragments.get(name)
                        && self.seen.insert(name)
                    {
                        let of = Some(fragment.node.type_condition.node.on.node.as_str());
                        self.find(of, &fragment.node.selection_set.node)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, of: Option<&'a str>, field: &'a Field) -> Result<(), Refusal> {
        let name = field.response_key().node.as_str();
        let Some(first) = self.named.get(&(of, name)) else {
            self.named.insert((of, name), field);
            return Ok(());
        };
        let is_same = first.name.node == field.name.node
            && first.arguments.len() == field.arguments.len()
            && first
                .arguments
                .iter()
                .all(|(name, value)| field.get_argument(&name.node).is_some_and(|other| other.node == value.node));
        if is_same {
            return Ok(());
        }
        Err(Refusal::BadRequest(format!("the fields called {name} are not the same: give them different aliases")))
    }
}
