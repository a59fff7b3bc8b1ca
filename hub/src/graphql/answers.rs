//! An answer as it leaves this room: what it is, and how it is written.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use async_graphql::{Name, Response, ServerError, Value, parser::types::OperationType};
use metrics::{counter, histogram};
use serde::Serialize;

use super::{documents::Prepared, errors, scope::Scope};
use crate::{
    Error,
    actions::{Core, Reader, counting},
    traces,
};

/// No query or mutation takes longer.
const EXECUTION_LIMIT: Duration = Duration::from_secs(30);

pub struct Answer(Response);

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Answer(response)
    }
}

/// Executes a query or mutation in the name of the reader, and says what it cost.
pub async fn execute(
    core: &Arc<Core>,
    reader: Reader,
    address: Option<IpAddr>,
    prepared: &Prepared,
    request_id: &str,
) -> Answer {
    if let Reader::Viewer(viewer) = &reader
        && let Err(rejection) = viewer.permit(prepared.operation == OperationType::Mutation)
    {
        return Answer(errors::top_level(&rejection.into(), request_id));
    }
    let scope = Scope::new(core.clone(), reader, prepared.max_answer_bytes).from(address);
    let request = prepared.request().data(scope.clone());
    let mut span = traces::span("graphql");
    let execution = tokio::time::timeout(EXECUTION_LIMIT, prepared.executor().execute(request));
    let (executed, statements) = span.within(counting(execution)).await;
    histogram!("jackfield_graphql_statements").record(statements as f64);
    let response = match executed {
        Ok(mut response) => {
            if !is_refusal(&response) {
                prepared.found_valid();
            }
            if let Some(refusal) = scope.too_long() {
                errors::bad_request(refusal.code(), refusal.to_string(), request_id)
            } else {
                prepared.shape(&mut response);
                errors::finish(response, request_id)
            }
        }
        Err(_) => errors::top_level(&Error::unavailable("the request took too long"), request_id),
    };
    let (kind, failed) = (prepared.operation.to_string(), !response.errors.is_empty());
    if span.is_on() {
        span.note("graphql.operation.type", kind.clone());
        span.note("jackfield.statements", statements as i64);
        // Of what the schema does not know, anything may be the name.
        if !is_refusal(&response) {
            span.note("jackfield.fields", prepared.fields().join(" "));
        }
        if failed {
            span.fail("errors");
        }
    }
    counter!("jackfield_graphql_operations_total", "kind" => kind, "failed" => failed.to_string()).increment(1);
    Answer(response.extension("cost", cost(prepared)))
}

fn cost(prepared: &Prepared) -> Value {
    let named = |name, number: usize| (Name::new(name), Value::from(number as u64));
    let cost = prepared.cost;
    Value::Object(
        [named("requested", cost.cost), named("limit", prepared.cost_limit), named("depth", cost.depth)].into(),
    )
}

fn is_refusal(response: &Response) -> bool {
    let errors = &response.errors;
    response.data == Value::Null && !errors.is_empty() && errors.iter().all(|error| error.path.is_empty())
}

impl Answer {
    /// Nothing but one error of the client's.
    pub fn refused(code: &str, message: impl Into<String>, request_id: &str) -> Self {
        Answer(errors::bad_request(code, message, request_id))
    }

    /// Nothing but one error of ours.
    pub fn fault(fault: &Error, request_id: &str) -> Self {
        Answer(errors::top_level(fault, request_id))
    }

    /// Nothing was executed: the document, or the variables, are not what they must be.
    pub fn is_refusal(&self) -> bool {
        is_refusal(&self.0)
    }

    /// As JSON; where nothing was executed, there is no data to speak of, not even none.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        struct Written<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a Value>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [ServerError],
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            extensions: &'a BTreeMap<String, Value>,
        }
        let Response { data, errors, extensions, .. } = &self.0;
        let data = (!self.is_refusal()).then_some(data);
        serde_json::to_string(&Written { data, errors, extensions }).expect("an answer has only what JSON has")
    }

    /// Its errors alone, as JSON.
    pub fn errors_json(&self) -> String {
        serde_json::to_string(&self.0.errors).expect("an answer has only what JSON has")
    }
}
