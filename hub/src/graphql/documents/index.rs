//! What counting needs to know of the schema: which type a field leads to, and whether it is a page of a list.

use std::collections::{HashMap, HashSet};

use async_graphql::parser::{
    parse_schema,
    types::{BaseType, Type, TypeKind, TypeSystemDefinition},
};

/// Read from the published schema, so that whatever is composed into it is counted as well.
pub struct Index {
    fields: HashMap<String, HashMap<String, Leads>>,
    /// How many types there are.
    pub types: usize,
}

pub struct Leads {
    pub to: String,
    /// Whether there may be nothing there; then the same for each thing in the list, if it is one, and so on.
    pub nullable: Vec<bool>,
    /// It takes `first` and `last`.
    pub is_page: bool,
    /// The arguments that are lists of ids, each of which is looked up.
    pub lists: HashSet<String>,
}

impl Index {
    pub fn of(sdl: &str) -> Self {
        let document = parse_schema(sdl).expect("the schema prints itself in its own language");
        let mut fields: HashMap<String, HashMap<String, Leads>> = HashMap::new();
        let mut types = 0;
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            types += 1;
            let found = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let found = found.into_iter().map(|field| {
                let arguments = &field.node.arguments;
                let leads = Leads {
                    to: name_of(&field.node.ty.node),
                    nullable: nullable(&field.node.ty.node),
                    is_page: arguments.iter().any(|argument| argument.node.name.node == "first"),
                    lists: arguments
                        .iter()
                        .filter(|argument| matches!(argument.node.ty.node.base, BaseType::List(_)))
                        .map(|argument| argument.node.name.node.to_string())
                        .collect(),
                };
                (field.node.name.node.to_string(), leads)
            });
            fields.insert(definition.node.name.node.to_string(), found.collect());
        }
        Index { fields, types }
    }

    /// About how many there are in a list that introspection answers with.
    pub fn listed(&self, field: &str) -> usize {
        match field {
            "types" => self.types,
            "fields" => self.fields.values().map(HashMap::len).sum::<usize>().div_ceil(self.fields.len().max(1)),
            "args" | "directives" | "enumValues" | "inputFields" | "interfaces" | "possibleTypes" => 2,
            _ => 1,
        }
    }

    pub fn field(&self, parent: &str, name: &str) -> Option<&Leads> {
        self.fields.get(parent)?.get(name)
    }
}

fn name_of(ty: &Type) -> String {
    match &ty.base {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(inner) => name_of(inner),
    }
}

fn nullable(ty: &Type) -> Vec<bool> {
    let mut nullable = vec![ty.nullable];
    if let BaseType::List(inner) = &ty.base {
        nullable.extend(self::nullable(inner));
    }
    nullable
}
