//! What a plugin may add, looked at when it is installed. Whoever reads what is wrong is its author or the operator, so each
//! complaint names the line and says what to do.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Pos, Positioned, Value,
    parser::{
        Error,
        types::{
            BaseType, ConstDirective, FieldDefinition, InputValueDefinition, ServiceDocument, Type, TypeDefinition,
            TypeKind, TypeSystemDefinition,
        },
    },
};
use jackfield_domain::plugins::PluginId;

use super::{Addition, parsed};

/// What may be extended.
const PARENTS: &[&str] = &["Query", "Mutation", "Message", "Conversation", "User"];
/// What fields may lead to, beside the plugin's own types.
const SCALARS: &[&str] = &["Int", "Float", "String", "Boolean", "ID", "DateTime"];
const OBJECTS: &[&str] = &["Message", "Conversation", "User"];
const ERROR: &str = "UserError";
/// A schema has at most so many bytes, and so many types.
const MAX_BYTES: usize = 64 << 10;
const MAX_TYPES: usize = 100;

/// What the core has: the names of its types, and of the fields of each.
pub struct Known(HashMap<String, HashSet<String>>);

impl Known {
    /// Of the schema as the core has it without plugins.
    pub fn of(sdl: &str) -> Self {
        let document = parsed(sdl).expect("the schema prints itself in its own language");
        let mut known = HashMap::new();
        for definition in &document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let fields = match &definition.node.kind {
                TypeKind::Object(object) => {
                    object.fields.iter().map(|field| field.node.name.node.to_string()).collect()
                }
                _ => HashSet::new(),
            };
            known.insert(definition.node.name.node.to_string(), fields);
        }
        Known(known)
    }
}

/// Whether a plugin may add this, beside the core and what others add; or what is wrong, and what to do.
pub fn check(core: &Known, others: &[&Addition], addition: &Addition) -> Result<ServiceDocument, String> {
    if addition.sdl.len() > MAX_BYTES {
        return Err(format!("it has {} bytes, and at most {MAX_BYTES} are allowed", addition.sdl.len()));
    }
    let document = parsed(&addition.sdl).map_err(unreadable)?;
    let taken = Taken::of(core, others);
    Rules::of(&addition.plugin, &document, taken)?.check(&document)?;
    Ok(document)
}

fn unreadable(error: Error) -> String {
    match error {
        Error::Syntax { message, start, .. } => {
            let reason = message.rsplit(" = ").next().unwrap_or_default();
            format!("line {}, column {}: {reason}", start.line, start.column)
        }
        other => other.to_string(),
    }
}

/// What others have, and whose it is.
struct Taken {
    types: HashMap<String, String>,
    fields: HashMap<(String, String), String>,
}

impl Taken {
    fn of(core: &Known, others: &[&Addition]) -> Self {
        let mut taken = Taken { types: HashMap::new(), fields: HashMap::new() };
        for (name, fields) in &core.0 {
            taken.types.insert(name.clone(), "the hub".to_owned());
            for field in fields {
                taken.fields.insert((name.clone(), field.clone()), "the hub".to_owned());
            }
        }
        for other in others {
            let Ok(document) = parsed(&other.sdl) else { continue };
            for definition in types(&document) {
                let name = definition.name.node.to_string();
                match &definition.kind {
                    TypeKind::Object(object) if definition.extend => {
                        for field in &object.fields {
                            let place = (name.clone(), field.node.name.node.to_string());
                            taken.fields.insert(place, format!("the plugin {}", other.plugin));
                        }
                    }
                    _ => drop(taken.types.insert(name, format!("the plugin {}", other.plugin))),
                }
            }
        }
        taken
    }
}

fn types(document: &ServiceDocument) -> impl Iterator<Item = &TypeDefinition> {
    document.definitions.iter().filter_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) => Some(&definition.node),
        _ => None,
    })
}

/// One plugin's schema while it is looked at.
struct Rules {
    /// With what its types begin: the last part of its id, in the plural and in the singular.
    prefixes: Vec<String>,
    outputs: HashSet<String>,
    inputs: HashSet<String>,
    /// Those of its objects that have `errors: [UserError!]!`.
    payloads: HashSet<String>,
    enums: HashMap<String, HashSet<String>>,
    objects: HashMap<String, Vec<InputValueDefinition>>,
    taken: Taken,
}

impl Rules {
    fn of(plugin: &PluginId, document: &ServiceDocument, taken: Taken) -> Result<Self, String> {
        let (mut outputs, mut inputs, mut payloads) = (HashSet::new(), HashSet::new(), HashSet::new());
        let (mut enums, mut objects) = (HashMap::new(), HashMap::new());
        let mut seen = HashSet::new();
        for definition in types(document) {
            let name = definition.name.node.to_string();
            if definition.extend {
                continue;
            }
            if !seen.insert(name.clone()) {
                return at(
                    definition.name.pos,
                    format!("the type {name} is there twice: give one of them another name"),
                );
            }
            match &definition.kind {
                TypeKind::Object(object) => {
                    let is_errors = |field: &Positioned<FieldDefinition>| {
                        field.node.name.node == "errors" && field.node.ty.node.to_string() == "[UserError!]!"
                    };
                    if object.fields.iter().any(is_errors) {
                        payloads.insert(name.clone());
                    }
                    outputs.insert(name);
                }
                TypeKind::InputObject(object) => {
                    objects.insert(name.clone(), object.fields.iter().map(|field| field.node.clone()).collect());
                    inputs.insert(name);
                }
                TypeKind::Enum(choice) => {
                    let values = choice.values.iter().map(|value| value.node.value.node.to_string()).collect();
                    enums.insert(name.clone(), values);
                    inputs.insert(name.clone());
                    outputs.insert(name);
                }
                _ => {}
            }
        }
        if seen.len() > MAX_TYPES {
            return Err(format!("it has {} types, and at most {MAX_TYPES} are allowed", seen.len()));
        }
        Ok(Rules { prefixes: prefixes(plugin), outputs, inputs, payloads, enums, objects, taken })
    }

    fn check(&self, document: &ServiceDocument) -> Result<(), String> {
        let mut fields = HashSet::new();
        for definition in &document.definitions {
            match definition {
                TypeSystemDefinition::Type(definition) if definition.node.extend => {
                    self.extension(&definition.node, &mut fields)?;
                }
                TypeSystemDefinition::Type(definition) => self.own(&definition.node)?,
                TypeSystemDefinition::Schema(schema) => {
                    return at(schema.pos, "a plugin has no `schema` of its own: extend Query and Mutation".to_owned());
                }
                TypeSystemDefinition::Directive(directive) => {
                    return at(directive.pos, "a plugin defines no directives: leave it out".to_owned());
                }
            }
        }
        if fields.is_empty() {
            return Err(format!("it adds no field: extend one of {}", PARENTS.join(", ")));
        }
        Ok(())
    }

    /// `extend type …`.
    fn extension(&self, definition: &TypeDefinition, fields: &mut HashSet<(String, String)>) -> Result<(), String> {
        let (name, pos) = (definition.name.node.as_str(), definition.name.pos);
        let TypeKind::Object(object) = &definition.kind else {
            return at(pos, format!("{name} cannot be extended: extend one of {}", PARENTS.join(", ")));
        };
        if !PARENTS.contains(&name) {
            return at(pos, format!("{name} cannot be extended: extend one of {}", PARENTS.join(", ")));
        }
        if !object.implements.is_empty() || !definition.directives.is_empty() {
            return at(pos, format!("{name} is extended by fields alone: leave out interfaces and directives"));
        }
        for field in &object.fields {
            let (field_name, pos) = (field.node.name.node.as_str(), field.node.name.pos);
            let place = (name.to_owned(), field_name.to_owned());
            if let Some(whose) = self.taken.fields.get(&place) {
                return at(pos, format!("{whose} has a field {name}.{field_name} already: choose another name"));
            }
            if !self.begins_as_it_must(field_name, false) {
                let prefix = camel(&self.prefixes[0]);
                return at(pos, format!("the field {field_name} must begin with the plugin's name, as {prefix}… does"));
            }
            if !fields.insert(place) {
                return at(pos, format!("the field {name}.{field_name} is there twice: leave one out"));
            }
            let ty = &field.node.ty.node;
            if !ty.nullable {
                let nullable = ty.to_string();
                let nullable = nullable.trim_end_matches('!');
                return at(
                    field.node.ty.pos,
                    format!("{name}.{field_name} must be nullable, for where the plugin is off: {nullable}"),
                );
            }
            self.field(&field.node)?;
            if name == "Mutation" {
                self.mutation(&field.node)?;
            }
        }
        Ok(())
    }

    /// A field of `Mutation` has one argument, and answers a payload.
    fn mutation(&self, field: &FieldDefinition) -> Result<(), String> {
        let name = field.name.node.as_str();
        let is_input = |argument: &Positioned<InputValueDefinition>| {
            argument.node.name.node == "input" && !argument.node.ty.node.nullable
        };
        if field.arguments.len() != 1 || !field.arguments.iter().all(is_input) {
            return at(
                field.name.pos,
                format!("{name} must take one argument, `input`, of a type that is not nullable"),
            );
        }
        let is_payload = matches!(&field.ty.node.base, BaseType::Named(name) if self.payloads.contains(name.as_str()));
        if !is_payload {
            let what = "must answer an object of the plugin's own that has `errors: [UserError!]!`";
            return at(field.ty.pos, format!("{name} {what}, which the hub fills in"));
        }
        Ok(())
    }

    /// A type of the plugin's own.
    fn own(&self, definition: &TypeDefinition) -> Result<(), String> {
        let (name, pos) = (definition.name.node.as_str(), definition.name.pos);
        if !self.begins_as_it_must(name, true) {
            return at(
                pos,
                format!("the type {name} must begin with the plugin's name, as {}… does", self.prefixes[0]),
            );
        }
        if let Some(whose) = self.taken.types.get(name) {
            return at(pos, format!("{whose} has a type {name} already: choose another name"));
        }
        directives(&definition.directives)?;
        let empty = || at(pos, format!("the type {name} has nothing in it"));
        match &definition.kind {
            TypeKind::Object(object) => {
                if let Some(interface) = object.implements.first() {
                    return at(interface.pos, "a plugin's types implement no interfaces: leave it out".to_owned());
                }
                if object.fields.is_empty() {
                    return empty();
                }
                each_once(object.fields.iter().map(|field| &field.node.name))?;
                object.fields.iter().try_for_each(|field| {
                    if let Some(argument) = field.node.arguments.first() {
                        let what = "the fields of a plugin's own types take no arguments: give them to the field that leads there";
                        return at(argument.pos, what.to_owned());
                    }
                    self.field(&field.node)
                })
            }
            TypeKind::InputObject(object) => {
                if object.fields.is_empty() {
                    return empty();
                }
                each_once(object.fields.iter().map(|field| &field.node.name))?;
                object.fields.iter().try_for_each(|field| self.input(&field.node))
            }
            TypeKind::Enum(choice) => {
                if choice.values.is_empty() {
                    return empty();
                }
                each_once(choice.values.iter().map(|value| &value.node.value))
            }
            TypeKind::Scalar => {
                at(pos, format!("a plugin has no scalars of its own: use one of {}", SCALARS.join(", ")))
            }
            TypeKind::Interface(_) | TypeKind::Union(_) => {
                at(pos, "a plugin has no interfaces and unions: use an object whose fields are nullable".to_owned())
            }
        }
    }

    fn field(&self, field: &FieldDefinition) -> Result<(), String> {
        named_well(&field.name)?;
        directives(&field.directives)?;
        each_once(field.arguments.iter().map(|argument| &argument.node.name))?;
        field.arguments.iter().try_for_each(|argument| self.input(&argument.node))?;
        let name = innermost(&field.ty.node);
        let is_errors = name == ERROR && field.name.node == "errors";
        if is_errors || SCALARS.contains(&name) || OBJECTS.contains(&name) || self.outputs.contains(name) {
            return Ok(());
        }
        let there = [SCALARS, OBJECTS].concat().join(", ");
        at(
            field.ty.pos,
            format!("a field cannot be of the type {name}: there are {there}, and the plugin's own objects and enums"),
        )
    }

    fn input(&self, input: &InputValueDefinition) -> Result<(), String> {
        named_well(&input.name)?;
        directives(&input.directives)?;
        let name = innermost(&input.ty.node);
        if SCALARS.contains(&name) || self.inputs.contains(name) {
            return match &input.default_value {
                Some(default) if !self.fits(&input.ty.node, &default.node) => {
                    at(default.pos, format!("the default of {} is not of the type {}", input.name.node, input.ty.node))
                }
                _ => Ok(()),
            };
        }
        let there = SCALARS.join(", ");
        at(
            input.ty.pos,
            format!(
                "{} cannot be of the type {name}: there are {there}, and the plugin's own inputs and enums",
                input.name.node
            ),
        )
    }

    /// Whether a value is of a type.
    fn fits(&self, ty: &Type, value: &Value) -> bool {
        let name = match (&ty.base, value) {
            (_, Value::Null) => return ty.nullable,
            (BaseType::List(inner), Value::List(items)) => return items.iter().all(|item| self.fits(inner, item)),
            (BaseType::List(inner), value) => return self.fits(inner, value),
            (BaseType::Named(name), _) => name.as_str(),
        };
        match (name, value) {
            ("Int", Value::Number(number)) => number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            ("ID", Value::Number(number)) => number.is_i64() || number.is_u64(),
            ("Float", Value::Number(_))
            | ("String" | "ID" | "DateTime", Value::String(_))
            | ("Boolean", Value::Boolean(_)) => true,
            (name, Value::Enum(value)) => self.enums.get(name).is_some_and(|values| values.contains(value.as_str())),
            (name, Value::Object(given)) => self.objects.get(name).is_some_and(|fields| {
                let is_known = |name: &str| fields.iter().any(|field| field.name.node == name);
                given.keys().all(|name| is_known(name))
                    && fields.iter().all(|field| match given.get(&field.name.node) {
                        Some(value) => self.fits(&field.ty.node, value),
                        None => field.ty.node.nullable || field.default_value.is_some(),
                    })
            }),
            _ => false,
        }
    }

    fn begins_as_it_must(&self, name: &str, is_type: bool) -> bool {
        self.prefixes.iter().any(|prefix| {
            let prefix = if is_type { prefix.clone() } else { camel(prefix) };
            let rest = name.strip_prefix(&prefix);
            rest.is_some_and(|rest| rest.chars().next().is_none_or(|letter| !letter.is_ascii_lowercase()))
        })
    }
}

/// `example.link-previews` begins its types with `LinkPreview`, or `LinkPreviews`.
fn prefixes(plugin: &PluginId) -> Vec<String> {
    let last = plugin.as_str().rsplit('.').next().unwrap_or_default();
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let whole: String = last.split('-').filter(|word| !word.is_empty()).map(capital).collect();
    let singular = whole.strip_suffix('s').filter(|singular| !singular.is_empty()).map(str::to_owned);
    singular.into_iter().chain([whole.clone()]).collect()
}

fn camel(name: &str) -> String {
    name[..1].to_ascii_lowercase() + &name[1..]
}

fn innermost(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => innermost(inner),
    }
}

fn named_well(name: &Positioned<async_graphql::Name>) -> Result<(), String> {
    if name.node.starts_with("__") {
        return at(name.pos, format!("{} begins with __, which is for introspection", name.node));
    }
    Ok(())
}

fn each_once<'a>(names: impl Iterator<Item = &'a Positioned<async_graphql::Name>>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(&name.node) {
            return at(name.pos, format!("{} is there twice: leave one out", name.node));
        }
    }
    Ok(())
}

fn directives(directives: &[Positioned<ConstDirective>]) -> Result<(), String> {
    match directives.iter().find(|directive| directive.node.name.node != "deprecated") {
        None => Ok(()),
        Some(other) => {
            at(other.pos, format!("the directive @{} means nothing here: leave it out", other.node.name.node))
        }
    }
}

fn at<T>(pos: Pos, what: String) -> Result<T, String> {
    Err(format!("line {}, column {}: {what}", pos.line, pos.column))
}
