//! What counting and checking need to know of the schema: which type a field leads to, whether it is a page of a list,
//! and what may be given to it.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Positioned,
    parser::{
        parse_schema,
        types::{BaseType, InputValueDefinition, Type, TypeKind, TypeSystemDefinition},
    },
};

/// Read from the published schema, so that whatever is composed into it is counted as well.
pub struct Index {
    fields: HashMap<String, HashMap<String, Leads>>,
    inputs: HashMap<String, Input>,
    directives: HashMap<String, Declared>,
    /// The objects that an interface or a union may turn out to be.
    possible: HashMap<String, Vec<String>>,
    /// How many types there are.
    pub types: usize,
}

/// What a value may be.
pub enum Input {
    Enum(HashSet<String>),
    Object {
        fields: Declared,
        /// Exactly one of the fields is given.
        is_one_of: bool,
    },
}

/// Arguments, or the fields of an input, by their names.
pub type Declared = HashMap<String, Declaration>;

pub struct Declaration {
    pub ty: Type,
    pub has_default: bool,
}

impl Declaration {
    pub fn must_be_given(&self) -> bool {
        !self.ty.nullable && !self.has_default
    }
}

pub struct Leads {
    pub to: String,
    /// Whether there may be nothing there; then the same for each thing in the list, if it is one, and so on.
    pub nullable: Vec<bool>,
    /// It takes `first` and `last`.
    pub is_page: bool,
    /// The arguments that are lists of ids, each of which is looked up.
    pub lists: HashSet<String>,
    pub arguments: Declared,
}

impl Index {
    pub fn of(sdl: &str) -> Self {
        let document = parse_schema(sdl).expect("the schema prints itself in its own language");
        let mut fields: HashMap<String, HashMap<String, Leads>> = HashMap::new();
        let (mut inputs, mut directives) = (HashMap::new(), HashMap::new());
        let mut possible: HashMap<String, Vec<String>> = HashMap::new();
        let mut types = 0;
        for definition in document.definitions {
            let definition = match definition {
                TypeSystemDefinition::Type(definition) => definition,
                TypeSystemDefinition::Directive(directive) => {
                    directives.insert(directive.node.name.node.to_string(), declared(&directive.node.arguments));
                    continue;
                }
                TypeSystemDefinition::Schema(_) => continue,
            };
            types += 1;
            let name = definition.node.name.node.to_string();
            let found = match definition.node.kind {
                TypeKind::Object(object) => {
                    for interface in object.implements {
                        possible.entry(interface.node.to_string()).or_default().push(name.clone());
                    }
                    object.fields
                }
                TypeKind::Interface(interface) => interface.fields,
                TypeKind::Enum(choice) => {
                    let values = choice.values.iter().map(|value| value.node.value.node.to_string()).collect();
                    inputs.insert(name, Input::Enum(values));
                    continue;
                }
                TypeKind::InputObject(object) => {
                    let is_one_of =
                        definition.node.directives.iter().any(|directive| directive.node.name.node == "oneOf");
                    inputs.insert(name, Input::Object { fields: declared(&object.fields), is_one_of });
                    continue;
                }
                TypeKind::Union(union) => {
                    possible.insert(name, union.members.iter().map(|member| member.node.to_string()).collect());
                    continue;
                }
                TypeKind::Scalar => continue,
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
                    arguments: declared(arguments),
                };
                (field.node.name.node.to_string(), leads)
            });
            fields.insert(name, found.collect());
        }
        Index { fields, inputs, directives, possible, types }
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

    /// Whether there are fields to be asked for of it.
    pub fn is_object(&self, ty: &str) -> bool {
        self.fields.contains_key(ty) || self.possible.contains_key(ty)
    }

    /// What an interface or a union may turn out to be; nothing for what an object is.
    pub fn possible(&self, ty: &str) -> &[String] {
        self.possible.get(ty).map_or(&[], Vec::as_slice)
    }

    /// What a value of this type may be; none for a scalar.
    pub fn input(&self, ty: &str) -> Option<&Input> {
        self.inputs.get(ty)
    }

    /// What a directive takes.
    pub fn directive(&self, name: &str) -> Option<&Declared> {
        self.directives.get(name)
    }
}

fn declared(inputs: &[Positioned<InputValueDefinition>]) -> Declared {
    let declaration = |input: &InputValueDefinition| Declaration {
        ty: input.ty.node.clone(),
        has_default: input.default_value.is_some(),
    };
    inputs.iter().map(|input| (input.node.name.node.to_string(), declaration(&input.node))).collect()
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
