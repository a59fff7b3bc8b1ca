//! How what plugins add stands in the registry of a schema.

use async_graphql::{
    CacheControl, Positioned,
    indexmap::IndexMap,
    parser::types::{
        ConstDirective, FieldDefinition, InputValueDefinition, TypeDefinition, TypeKind, TypeSystemDefinition,
    },
    registry::{Deprecation, MetaEnumValue, MetaField, MetaInputValue, MetaType, Registry},
};

use super::{COMPOSED, Composition};

/// The fields that plugins add to a type; their own types are put into the registry on the way.
pub fn added_to(parent: &str, registry: &mut Registry) -> IndexMap<String, MetaField> {
    let Some(composition) = COMPOSED.with_borrow(Clone::clone) else { return IndexMap::new() };
    let mut fields = IndexMap::new();
    for definition in definitions(&composition) {
        let name = definition.name.node.as_str();
        match &definition.kind {
            TypeKind::Object(object) if definition.extend => {
                if name == parent {
                    fields.extend(object.fields.iter().map(|field| named(field_of(&field.node))));
                }
            }
            _ if registry.types.contains_key(name) => {}
            _ => drop(type_of(definition).map(|made| registry.types.insert(name.to_owned(), made))),
        }
    }
    fields
}

fn definitions(composition: &Composition) -> impl Iterator<Item = &TypeDefinition> {
    composition.documents.iter().flat_map(|document| &document.definitions).filter_map(|definition| match definition {
        TypeSystemDefinition::Type(definition) => Some(&definition.node),
        _ => None,
    })
}

fn type_of(definition: &TypeDefinition) -> Option<MetaType> {
    let (name, description) = (definition.name.node.to_string(), words(definition.description.as_ref()));
    Some(match &definition.kind {
        TypeKind::Object(object) => {
            let fields = object.fields.iter().map(|field| named(field_of(&field.node))).collect();
            object_of(name, description, fields)
        }
        TypeKind::InputObject(object) => MetaType::InputObject {
            name,
            description,
            input_fields: object
                .fields
                .iter()
                .map(|field| argument_of(&field.node))
                .map(|field| (field.name.clone(), field))
                .collect(),
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            rust_typename: None,
            oneof: false,
            directive_invocations: Vec::new(),
        },
        TypeKind::Enum(choice) => {
            let value = |value: &async_graphql::parser::types::EnumValueDefinition| MetaEnumValue {
                name: value.value.node.to_string(),
                description: words(value.description.as_ref()),
                deprecation: deprecation(&value.directives),
                visible: None,
                inaccessible: false,
                tags: Vec::new(),
                directive_invocations: Vec::new(),
            };
            MetaType::Enum {
                name,
                description,
                enum_values: choice
                    .values
                    .iter()
                    .map(|found| value(&found.node))
                    .map(|value| (value.name.clone(), value))
                    .collect(),
                visible: None,
                inaccessible: false,
                tags: Vec::new(),
                rust_typename: None,
                directive_invocations: Vec::new(),
                requires_scopes: Vec::new(),
            }
        }
        _ => return None,
    })
}

fn named(field: MetaField) -> (String, MetaField) {
    (field.name.clone(), field)
}

/// An object with these fields.
pub fn object_of(name: String, description: Option<String>, fields: IndexMap<String, MetaField>) -> MetaType {
    MetaType::Object {
        name,
        description,
        fields,
        cache_control: CacheControl::default(),
        extends: false,
        shareable: false,
        resolvable: true,
        keys: None,
        visible: None,
        inaccessible: false,
        interface_object: false,
        tags: Vec::new(),
        is_subscription: false,
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

fn field_of(field: &FieldDefinition) -> MetaField {
    let arguments = field.arguments.iter().map(|argument| argument_of(&argument.node));
    MetaField {
        name: field.name.node.to_string(),
        description: words(field.description.as_ref()),
        args: arguments.map(|argument| (argument.name.clone(), argument)).collect(),
        ty: field.ty.node.to_string(),
        deprecation: deprecation(&field.directives),
        cache_control: CacheControl::default(),
        external: false,
        requires: None,
        provides: None,
        visible: None,
        shareable: false,
        inaccessible: false,
        tags: Vec::new(),
        override_from: None,
        compute_complexity: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

fn argument_of(argument: &InputValueDefinition) -> MetaInputValue {
    MetaInputValue {
        name: argument.name.node.to_string(),
        description: words(argument.description.as_ref()),
        ty: argument.ty.node.to_string(),
        deprecation: deprecation(&argument.directives),
        default_value: argument.default_value.as_ref().map(|value| value.node.to_string()),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        is_secret: false,
        directive_invocations: Vec::new(),
    }
}

fn words(description: Option<&Positioned<String>>) -> Option<String> {
    description.map(|description| description.node.clone())
}

fn deprecation(directives: &[Positioned<ConstDirective>]) -> Deprecation {
    let Some(deprecated) = directives.iter().find(|directive| directive.node.name.node == "deprecated") else {
        return Deprecation::NoDeprecated;
    };
    let reason = deprecated.node.arguments.iter().find(|(name, _)| name.node == "reason");
    let reason = reason.and_then(|(_, value)| match &value.node {
        async_graphql::Value::String(reason) => Some(reason.clone()),
        _ => None,
    });
    Deprecation::Deprecated { reason }
}
