//! How the objects of a long list are resolved.
//!
//! async-graphql gives each field of each object a box and a task of its own, also where the value is at hand, which it
//! mostly is. Here every field is asked once, in one box that they share, and only those that have to wait keep theirs.
//! The answer is the same, and it is in the order of the question.

use std::{
    borrow::Cow,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use async_graphql::{
    ContainerType, ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value,
    indexmap::IndexMap,
    parser::types::{Field, Selection, SelectionSet},
    registry::Registry,
};

/// An object of which there are many in an answer.
#[derive(Clone)]
pub struct Lean<T>(pub T);

impl<T: ContainerType> OutputType for Lean<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn introspection_type_name(&self) -> Cow<'static, str> {
        self.0.introspection_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let mut fields = Vec::with_capacity(ctx.item.node.items.len());
        if is_plain(ctx, &ctx.item.node, &self.0.introspection_type_name(), &mut fields) {
            Ok(resolve(ctx, &self.0, &fields).await)
        } else {
            self.0.resolve(ctx, field).await
        }
    }
}

/// So many fields are looked through for two that have the same name.
const MOST_FIELDS: usize = 32;

/// Collects what is asked for of an object of this type; false if it takes more than that to answer, such as what is asked
/// for twice, depends on an interface, or has directives.
fn is_plain<'a>(
    ctx: &'a ContextSelectionSet<'_>,
    set: &'a SelectionSet,
    ty: &str,
    fields: &mut Vec<&'a Positioned<Field>>,
) -> bool {
    set.items.iter().all(|selection| match &selection.node {
        Selection::Field(field) => {
            let name = field.node.response_key();
            let is_plain = field.node.directives.is_empty()
                && fields.len() < MOST_FIELDS
                && fields.iter().all(|known| known.node.response_key().node != name.node);
            fields.push(field);
            is_plain
        }
        Selection::InlineFragment(fragment) => {
            let condition = fragment.node.type_condition.as_ref().map(|condition| condition.node.on.node.as_str());
            condition.is_none_or(|condition| condition == ty)
                && is_plain(ctx, &fragment.node.selection_set.node, ty, fields)
        }
        Selection::FragmentSpread(spread) => {
            ctx.query_env.fragments.get(&spread.node.fragment_name.node).is_some_and(|fragment| {
                fragment.node.type_condition.node.on.node == ty
                    && is_plain(ctx, &fragment.node.selection_set.node, ty, fields)
            })
        }
    })
}

async fn resolve<T: ContainerType>(ctx: &ContextSelectionSet<'_>, object: &T, fields: &[&Positioned<Field>]) -> Value {
    let resolved = |field| async move {
        let ctx = ctx.with_field(field);
        object.resolve_field(&ctx).await
    };
    let mut values: IndexMap<Name, Value> = IndexMap::with_capacity(fields.len());
    let (mut spare, mut waiting) = (None, Vec::new());
    for &field in fields {
        let name = &field.node.response_key().node;
        if field.node.name.node == "__typename" {
            values.insert(name.clone(), Value::String(object.introspection_type_name().into_owned()));
            continue;
        }
        let mut slot = spare.take().unwrap_or_else(|| Box::pin(None));
        slot.set(Some(resolved(field)));
        match poll_fn(|context| Poll::Ready(poll(&mut slot, context))).await {
            Poll::Ready(outcome) => {
                match outcome {
                    Ok(value) => drop(values.insert(name.clone(), value.unwrap_or_default())),
                    Err(error) => ctx.add_error(error),
                }
                slot.set(None);
                spare = Some(slot);
            }
            Poll::Pending => {
                // Holds its place in the order.
                values.insert(name.clone(), Value::Null);
                waiting.push((name, slot));
            }
        }
    }
    // Each was asked just now. To ask at once again would take the turn from the objects beside this one: a loader gives way
    // once, so that they can say what they need, and then fetches for all who have spoken.
    let mut asked = true;
    poll_fn(|context| {
        if std::mem::take(&mut asked) && !waiting.is_empty() {
            return Poll::Pending;
        }
        waiting.retain_mut(|(name, slot)| match poll(slot, context) {
            Poll::Pending => true,
            Poll::Ready(outcome) => {
                match outcome {
                    Ok(value) => drop(values.insert(name.clone(), value.unwrap_or_default())),
                    Err(error) => {
                        values.shift_remove(*name);
                        ctx.add_error(error);
                    }
                }
                false
            }
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    if values.is_empty() { Value::Null } else { Value::Object(values) }
}

fn poll<F: Future>(slot: &mut Pin<Box<Option<F>>>, context: &mut std::task::Context<'_>) -> Poll<F::Output> {
    slot.as_mut().as_pin_mut().expect("a slot is polled while something is in it").poll(context)
}
