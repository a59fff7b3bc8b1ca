//! What a plugin adds to the GraphQL API.

use jackfield_domain::{
    plugins::{Hook, Refusal},
    users::User,
};

use super::{Ask, bad_answer};
use crate::{convert, live::Live, wit::exports::jackfield::plugin::graphql_hooks as graphql};

/// Somebody asks for a field, of one thing or of many.
pub struct ResolveField(pub(crate) graphql::FieldCall);

impl ResolveField {
    /// `arguments` is a JSON object. The objects are ids; where the field is one of `Query` there is a single empty one.
    pub fn new(
        parent: &str,
        field: &str,
        arguments: String,
        selected: Vec<String>,
        objects: Vec<String>,
        viewer: &User,
    ) -> Self {
        let (parent, field, viewer) = (parent.to_owned(), field.to_owned(), convert::user(viewer));
        ResolveField(graphql::FieldCall { parent, field, arguments, objects, selected, viewer })
    }
}

impl Ask for ResolveField {
    /// For each of the objects JSON, or why there is none, in words for admins.
    type Answer = Vec<Result<String, String>>;
    const HOOK: Hook = Hook::Resolve;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Self::Answer> {
        let (hooks, store) = live.graphql().await?;
        let answer = hooks.call_resolve(store, &self.0).await?;
        let (asked, answered) = (self.0.objects.len(), answer.len());
        if asked != answered {
            return Err(bad_answer(format!("it was asked about {asked} things and answers {answered}")));
        }
        Ok(answer.into_iter().map(|value| value.map_err(|what| convert::cut(&what))).collect())
    }
}

/// Somebody wants something done.
pub struct MutateField(pub(crate) graphql::MutationCall);

impl MutateField {
    pub fn new(field: &str, arguments: String, viewer: &User) -> Self {
        MutateField(graphql::MutationCall { field: field.to_owned(), arguments, viewer: convert::user(viewer) })
    }
}

impl Ask for MutateField {
    /// The payload as JSON.
    type Answer = Result<String, Refusal>;
    const HOOK: Hook = Hook::Mutate;

    async fn put(&self, live: &mut Live) -> wasmtime::Result<Self::Answer> {
        let (hooks, store) = live.graphql().await?;
        Ok(match hooks.call_mutate(store, &self.0).await? {
            Ok(payload) => Ok(payload),
            Err(refusal) => Err(convert::refusal(refusal).map_err(bad_answer)?),
        })
    }
}
