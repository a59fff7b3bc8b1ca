//! What a plugin answers, held against its schema, and what of it was asked for.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ID, Name, OutputType, Positioned, ScalarType, ServerError,
    ServerResult, Value,
    parser::types::{BaseType, Field, FieldDefinition, InputValueDefinition, Selection, SelectionSet, Type},
    registry::Registry,
    resolver_utils::{resolve_container, resolve_list},
};
use async_graphql_value::Value as Written;
use futures_util::future::BoxFuture;
use jackfield_domain::{Rejection, Timestamp, plugins::PluginId};
use serde_json::{Map, Value as Json};

use super::Composition;
use crate::{
    Error,
    graphql::{conversations::Conversation, errors, messages::Message, scalars, scope::Scoped, users::User},
};

/// A value that is to be of a type.
pub struct Typed<'a> {
    pub composition: &'a Arc<Composition>,
    pub plugin: &'a PluginId,
    pub ty: &'a Type,
    pub value: Json,
}

impl Typed<'_> {
    fn named(&self) -> &str {
        match &self.ty.base {
            BaseType::Named(name) => name,
            BaseType::List(_) => "",
        }
    }

    /// The plugin answered something that its schema does not have.
    fn wrong(&self, ctx: &ContextSelectionSet<'_>, what: &str) -> ServerError {
        let why = format!("it answers {what} where its schema has {}", self.ty);
        tracing::warn!(plugin = %self.plugin, %why, "a plugin does not answer as it said");
        let error = Error::from(Rejection::PluginFailed { plugin: self.plugin.clone(), why });
        async_graphql::Error::from(error).into_server_error(ctx.item.pos)
    }

    /// It goes around in circles of types, and so has to be a box.
    fn found<'a>(
        &'a self,
        ctx: &'a ContextSelectionSet<'_>,
        field: &'a Positioned<Field>,
    ) -> BoxFuture<'a, ServerResult<Value>> {
        Box::pin(self.answer(ctx, field))
    }

    async fn answer(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if let BaseType::List(inner) = &self.ty.base {
            let Json::Array(items) = &self.value else { return Err(self.wrong(ctx, kind(&self.value))) };
            let Typed { composition, plugin, .. } = *self;
            let items = items.iter().map(|item| Typed { composition, plugin, ty: inner, value: item.clone() });
            return resolve_list(ctx, field, items, None).await;
        }
        let name = self.named();
        if self.composition.objects.contains_key(name) {
            return match &self.value {
                Json::Object(_) => resolve_container(ctx, self).await,
                other => Err(self.wrong(ctx, kind(other))),
            };
        }
        match name {
            "Message" | "Conversation" | "User" => self.looked_up(ctx, field).await,
            "UserError" => {
                let error =
                    errors::UserError::of_json(&self.value).ok_or_else(|| self.wrong(ctx, kind(&self.value)))?;
                error.resolve(ctx, field).await
            }
            _ => self.leaf(ctx, name),
        }
    }

    /// What is named by its id, as far as the viewer sees it.
    async fn looked_up(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let Json::String(text) = &self.value else { return Err(self.wrong(ctx, kind(&self.value))) };
        let id = ID::from(text.as_str());
        let moment = ctx.moment();
        let fault = |error: Error| async_graphql::Error::from(error).into_server_error(ctx.item.pos);
        macro_rules! look {
            ($loader:ident, $made:expr) => {{
                let Ok(id) = id.parse() else { return Err(self.wrong(ctx, "a text that is no such id")) };
                match moment.loaders.$loader.load(id).await.map_err(fault)? {
                    Some(found) => $made(found).resolve(ctx, field).await,
                    None => Ok(Value::Null),
                }
            }};
        }
        match self.named() {
            "Message" => look!(messages, |found| {
                moment.take_notice(&found);
                Message(found)
            }),
            "Conversation" => look!(conversations, Conversation),
            _ => look!(users, User),
        }
    }

    fn leaf(&self, ctx: &ContextSelectionSet<'_>, name: &str) -> ServerResult<Value> {
        let wrong = || self.wrong(ctx, kind(&self.value));
        // Where there is no room, the whole answer is thrown away.
        if !ctx.has_room_for(self.value.as_str().unwrap_or(NO_WORDS)) {
            return Ok(Value::Null);
        }
        match (&self.value, name) {
            (Json::String(text), "String") => Ok(Value::String(text.clone())),
            (Json::String(text), "ID") if text.len() <= ID_MAX => Ok(Value::String(text.clone())),
            (Json::Bool(yes), "Boolean") => Ok(Value::Boolean(*yes)),
            (Json::Number(number), "Int") if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {
                Ok(Value::Number(number.clone()))
            }
            (Json::Number(number), "Float") => Ok(Value::Number(number.clone())),
            // Written as the core writes its own.
            (Json::String(text), "DateTime") => {
                scalars::DateTime::parse(Value::String(text.clone())).map(|at| at.to_value()).map_err(|_| wrong())
            }
            (Json::Number(number), "DateTime") => match number.as_i64().filter(|at| MOMENTS.contains(at)) {
                Some(at) => Ok(Value::String(Timestamp(at).to_string())),
                None => Err(wrong()),
            },
            (Json::String(text), name) => match self.composition.enums.get(name) {
                Some(values) if values.contains(text) => Ok(Value::Enum(Name::new(text))),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

/// What is no text takes about as much room as this.
const NO_WORDS: &str = "00000";
/// Moments that can be written as RFC 3339 has them, in milliseconds since 1970: the years 0 to 9999.
const MOMENTS: std::ops::Range<i64> = -62_167_219_200_000..253_402_300_800_000;
/// An id has at most so many bytes.
const ID_MAX: usize = 1_024;

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

impl OutputType for Typed<'_> {
    fn type_name() -> Cow<'static, str> {
        // Asked of the type by what looks at directives; of a value it is asked below.
        Cow::Borrowed("")
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        Cow::Owned(self.named().to_owned())
    }

    fn create_type_info(_: &mut Registry) -> String {
        String::new()
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        if self.value.is_null() {
            return if self.ty.nullable { Ok(Value::Null) } else { Err(self.wrong(ctx, "null")) };
        }
        self.found(ctx, field).await
    }
}

impl ContainerType for Typed<'_> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let name = ctx.item.node.name.node.as_str();
        let Some(ty) = self.composition.objects.get(self.named()).and_then(|fields| fields.get(name)) else {
            return Ok(None);
        };
        let value = self.value.get(name).cloned().unwrap_or_default();
        let Typed { composition, plugin, .. } = *self;
        let within = ctx.with_selection_set(&ctx.item.node.selection_set);
        let typed = Typed { composition, plugin, ty, value };
        typed.resolve(&within, ctx.item).await.map(Some).map_err(|error| ctx.set_error_path(error))
    }
}

/// The arguments of a field as JSON, with the defaults of what was left out. That they fit was seen to before.
pub fn arguments(composition: &Composition, ctx: &Context<'_>, field: &FieldDefinition) -> Map<String, Json> {
    let mut given = Map::new();
    for (name, value) in &ctx.item.node.arguments {
        let value = match &value.node {
            Written::Variable(name) => variable(ctx, name),
            value => value.clone().into_const_with(|name| Ok::<_, ()>(variable(ctx, &name).unwrap_or_default())).ok(),
        };
        given.extend(value.map(|value| (name.node.to_string(), json(value))));
    }
    filled(composition, field.arguments.iter().map(|argument| &argument.node), given)
}

/// What is asked for within a field, of types that plugins made, as paths such as `options.text`. What a directive leaves out is
/// among it.
pub fn selected(ctx: &Context<'_>, ty: &Type, composition: &Composition) -> Vec<String> {
    let mut paths = BTreeSet::new();
    let within = Selected { ctx, composition };
    within.collect(&ctx.item.node.selection_set.node, ty, "", &mut paths);
    paths.into_iter().collect()
}

struct Selected<'a> {
    ctx: &'a Context<'a>,
    composition: &'a Composition,
}

impl Selected<'_> {
    fn collect(&self, set: &SelectionSet, ty: &Type, path: &str, paths: &mut BTreeSet<String>) {
        let mut named = ty;
        while let BaseType::List(inner) = &named.base {
            named = inner;
        }
        let BaseType::Named(name) = &named.base else { return };
        let Some(fields) = self.composition.objects.get(name.as_str()) else { return };
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let Some(ty) = fields.get(name) else { continue };
                    let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                    self.collect(&field.node.selection_set.node, ty, &path, paths);
                    paths.insert(path);
                }
                Selection::InlineFragment(part) => self.collect(&part.node.selection_set.node, ty, path, paths),
                Selection::FragmentSpread(spread) => {
                    if let Some(part) = self.ctx.query_env.fragments.get(&spread.node.fragment_name.node) {
                        self.collect(&part.node.selection_set.node, ty, path, paths);
                    }
                }
            }
        }
    }
}

fn variable(ctx: &Context<'_>, name: &Name) -> Option<Value> {
    let given = ctx.query_env.variables.get(name).cloned();
    given.or_else(|| {
        let declared = &ctx.query_env.operation.node.variable_definitions;
        let declared = declared.iter().find(|declared| declared.node.name.node == *name)?;
        declared.node.default_value.as_ref().map(|default| default.node.clone())
    })
}

/// With the defaults of what was left out, also within.
fn filled<'a>(
    composition: &Composition,
    declared: impl Iterator<Item = &'a InputValueDefinition>,
    mut given: Map<String, Json>,
) -> Map<String, Json> {
    let mut filled = Map::new();
    for declared in declared {
        let name = declared.name.node.as_str();
        let default = || declared.default_value.as_ref().map(|default| json(default.node.clone()));
        if let Some(value) = given.remove(name).or_else(default) {
            filled.insert(name.to_owned(), within(composition, &declared.ty.node, value));
        }
    }
    filled
}

fn within(composition: &Composition, ty: &Type, value: Json) -> Json {
    match (&ty.base, value) {
        (BaseType::List(inner), Json::Array(items)) => {
            items.into_iter().map(|item| within(composition, inner, item)).collect()
        }
        // One thing stands for a list of it.
        (BaseType::List(inner), value) if !value.is_null() => Json::Array(vec![within(composition, inner, value)]),
        (BaseType::Named(name), Json::Object(given)) => match composition.inputs.get(name.as_str()) {
            Some(fields) => Json::Object(filled(composition, fields.iter(), given)),
            None => Json::Object(given),
        },
        (_, value) => value,
    }
}

fn json(value: Value) -> Json {
    value.into_json().unwrap_or_default()
}
