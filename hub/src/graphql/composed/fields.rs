//! Fields that plugins add to what the core has: asked of the plugin once for all things beside each other.

use std::{borrow::Cow, marker::PhantomData, sync::Arc};

use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerError, ServerResult, Value,
    parser::types::Field,
    registry::{MetaTypeId, Registry},
};

use jackfield_domain::ConversationId;

use super::{
    Composition,
    registered::{added_to, object_of},
    values::{Typed, arguments, selected},
};
use crate::{
    Error,
    actions::plugins::fields::{self, Asked, Thing},
    graphql::{errors::UserError, loaders::FieldKey, scope::Scoped},
};

/// What plugins may add fields to.
pub trait Parent: Send + Sync + 'static {
    const NAME: &'static str;
}

macro_rules! parents {
    ($($(#[$doc:meta])* $name:ident, $fields:ident;)*) => {
        $(
            pub struct $name;
            impl Parent for $name {
                const NAME: &'static str = stringify!($name);
            }
            $(#[$doc])* pub type $fields = Fields<$name>;
        )*
    };
}

parents! {
    /// What plugins add to `Query`.
    Query, QueryFields;
    /// What plugins add to `Mutation`.
    Mutation, MutationFields;
    /// What plugins add to a message.
    Message, MessageFields;
    /// What plugins add to a conversation.
    Conversation, ConversationFields;
    /// What plugins add to a user.
    User, UserFields;
}

/// What plugins add to one thing.
pub struct Fields<P> {
    thing: Thing,
    parent: PhantomData<P>,
}

impl<P> Default for Fields<P> {
    fn default() -> Self {
        Fields { thing: Thing { id: String::new(), place: None }, parent: PhantomData }
    }
}

impl<P> Fields<P> {
    /// Of the thing with this id, which is in a conversation or in none.
    pub fn of(id: impl ToString, place: Option<ConversationId>) -> Self {
        Fields { thing: Thing { id: id.to_string(), place }, parent: PhantomData }
    }
}

impl<P: Parent> OutputType for Fields<P> {
    fn type_name() -> Cow<'static, str> {
        format!("{}OfPlugins", P::NAME).into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Object, |registry| {
            object_of(Self::type_name().into_owned(), None, added_to(P::NAME, registry))
        })
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        // It is part of something else, and never stands by itself.
        Err(ServerError::new("these fields are of something else", Some(ctx.item.pos)))
    }
}

impl<P: Parent> ObjectType for Fields<P> {}

impl<P: Parent> ContainerType for Fields<P> {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let composition = ctx.data_unchecked::<Arc<Composition>>();
        let name = ctx.item.node.name.node.as_str();
        let Some(added) = composition.field(P::NAME, name) else { return Ok(None) };
        let fault =
            |error: Error| ctx.set_error_path(async_graphql::Error::from(error).into_server_error(ctx.item.pos));
        let viewer = ctx.viewer().map_err(fault)?;
        let arguments = serde_json::Value::Object(arguments(composition, ctx, &added.definition)).to_string();
        let answer = if P::NAME == "Mutation" {
            match fields::mutate(ctx.core(), &viewer, &added.plugin, name, arguments).await {
                Ok(payload) => with_errors(payload, &[]),
                Err(Error::Rejected(why)) => with_errors(serde_json::Value::Null, &[UserError::from(why)]),
                Err(error) => return Err(fault(error)),
            }
        } else {
            let key = FieldKey {
                asked: Asked {
                    plugin: added.plugin.clone(),
                    parent: P::NAME,
                    field: name.to_owned(),
                    arguments,
                    selected: selected(ctx, &added.definition.ty.node, composition),
                },
                thing: self.thing.clone(),
            };
            match ctx.moment().loaders.added.load(key).await.map_err(fault)? {
                None => serde_json::Value::Null,
                Some(Ok(value)) => value,
                Some(Err(why)) => return Err(fault(why.into())),
            }
        };
        let typed = Typed { composition, plugin: &added.plugin, ty: &added.definition.ty.node, value: answer };
        let within = ctx.with_selection_set(&ctx.item.node.selection_set);
        typed.resolve(&within, ctx.item).await.map(Some).map_err(|error| ctx.set_error_path(error))
    }
}

/// A payload, with what was refused.
fn with_errors(payload: serde_json::Value, errors: &[UserError]) -> serde_json::Value {
    let mut payload = match payload {
        serde_json::Value::Object(payload) => payload,
        _ => serde_json::Map::new(),
    };
    payload.insert("errors".to_owned(), errors.iter().map(UserError::to_json).collect());
    serde_json::Value::Object(payload)
}
