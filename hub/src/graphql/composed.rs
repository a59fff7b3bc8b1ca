//! What plugins add to the API: their own types, and fields of `Query`, `Mutation`, `Message`, `Conversation` and `User`.
//!
//! Each plugin's schema was looked at when it was installed ([`rules`]). Whatever is installed is composed into one schema
//! with the core; switching a plugin off leaves its fields where they are, and they answer nothing.

mod fields;
mod registered;
mod rules;
mod values;

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use async_graphql::parser::{
    parse_schema,
    types::{FieldDefinition, InputValueDefinition, ServiceDocument, Type, TypeKind, TypeSystemDefinition},
};
use jackfield_domain::plugins::PluginId;

pub use fields::{ConversationFields, MessageFields, MutationFields, QueryFields, UserFields};
pub use rules::{Known, check};

/// A plugin and what it adds, in the language of schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    pub plugin: PluginId,
    pub sdl: Arc<str>,
}

/// Everything that plugins add, ready to be looked up.
#[derive(Default)]
pub struct Composition {
    pub additions: Vec<Addition>,
    documents: Vec<ServiceDocument>,
    /// By what they were added to, and their names.
    fields: HashMap<(String, String), AddedField>,
    objects: HashMap<String, HashMap<String, Type>>,
    inputs: HashMap<String, Vec<InputValueDefinition>>,
    enums: HashMap<String, BTreeSet<String>>,
}

/// A field that a plugin answers.
struct AddedField {
    plugin: PluginId,
    definition: FieldDefinition,
}

impl Composition {
    /// Of what was checked before. What does not go together with the rest all the same, because two nodes were told of it at
    /// once or the core is another one by now, is left out.
    pub fn of(additions: Vec<Addition>, core: &Known) -> Self {
        let mut composition = Composition::default();
        for addition in additions {
            let others: Vec<&Addition> = composition.additions.iter().collect();
            match check(core, &others, &addition) {
                Ok(document) => composition.add(addition, document),
                Err(why) => tracing::error!(plugin = %addition.plugin, %why, "the fields of a plugin are left out"),
            }
        }
        composition
    }

    /// What one plugin adds, or what is wrong with that.
    pub fn alone(addition: Addition, core: &Known) -> Result<Self, String> {
        let document = check(core, &[], &addition)?;
        let mut composition = Composition::default();
        composition.add(addition, document);
        Ok(composition)
    }

    /// The fields that are added, such as `Message.poll`.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.fields.keys().map(|(parent, name)| format!("{parent}.{name}")).collect();
        names.sort_unstable();
        names
    }

    fn add(&mut self, addition: Addition, document: ServiceDocument) {
        for definition in &document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let (definition, name) = (&definition.node, definition.node.name.node.to_string());
            match &definition.kind {
                TypeKind::Object(object) if definition.extend => {
                    for field in &object.fields {
                        let (plugin, definition) = (addition.plugin.clone(), field.node.clone());
                        let place = (name.clone(), definition.name.node.to_string());
                        self.fields.insert(place, AddedField { plugin, definition });
                    }
                }
                TypeKind::Object(object) => {
                    let fields = object.fields.iter().map(|field| &field.node);
                    let fields = fields.map(|field| (field.name.node.to_string(), field.ty.node.clone()));
                    self.objects.insert(name, fields.collect());
                }
                TypeKind::InputObject(object) => {
                    self.inputs.insert(name, object.fields.iter().map(|field| field.node.clone()).collect());
                }
                TypeKind::Enum(choice) => {
                    self.enums
                        .insert(name, choice.values.iter().map(|value| value.node.value.node.to_string()).collect());
                }
                _ => {}
            }
        }
        self.documents.push(document);
        self.additions.push(addition);
    }

    fn field(&self, parent: &str, name: &str) -> Option<&AddedField> {
        self.fields.get(&(parent.to_owned(), name.to_owned()))
    }

    /// Does something while a schema is built with this.
    pub fn within<R>(self: &Arc<Self>, build: impl FnOnce() -> R) -> R {
        COMPOSED.set(Some(self.clone()));
        let built = build();
        COMPOSED.take();
        built
    }
}

thread_local! {
    /// What the schema is built with that this thread is building: a registry asks types, and not values, what they are.
    static COMPOSED: RefCell<Option<Arc<Composition>>> = const { RefCell::new(None) };
}

fn parsed(sdl: &str) -> Result<ServiceDocument, async_graphql::parser::Error> {
    parse_schema(sdl)
}
