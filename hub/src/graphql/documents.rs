//! How much one request may ask for, decided before it is validated.
//!
//! The stock validators walk fragments again and again, so that a document of 752 bytes can keep them busy for seconds.
//! Here every fragment is counted once and its sum is reused; what is too much is refused for the price of a parse.

mod count;
mod index;
mod overlaps;
mod shape;
mod values;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_graphql::{
    Name, Request, Response, Value, Variables,
    parser::{
        self, parse_query,
        types::{ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet},
    },
};
use sha2::{Digest, Sha256};

pub use count::Cost;
use shape::Shape;

use super::{Executor, Schema};
use crate::config::{ConfigError, GraphQl};

/// What a client sends, by whatever transport.
#[derive(Debug, Default)]
pub struct Asked {
    pub query: Option<String>,
    /// The SHA-256 of a trusted document.
    pub document_id: Option<String>,
    pub operation_name: Option<String>,
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// Why a document is not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is not even a document.
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    BadRequest(String),
    #[error("{what} {asked}, and at most {limit} is allowed")]
    TooMuch { what: &'static str, asked: usize, limit: usize },
    #[error("only trusted documents are executed here; send the documentId of one")]
    NotTrusted,
}

impl Refusal {
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Malformed(_) | Refusal::BadRequest(_) => "BAD_REQUEST",
            Refusal::TooMuch { .. } => "COMPLEXITY_LIMIT",
            Refusal::NotTrusted => "UNTRUSTED_DOCUMENT",
        }
    }
}

/// A document that may be executed.
#[derive(Clone)]
pub struct Prepared {
    known: Arc<Known>,
    /// What executes it, whatever is served by then.
    schema: Schema,
    number: usize,
    operation_name: Option<String>,
    variables: Variables,
    pub operation: OperationType,
    pub cost: Cost,
    pub cost_limit: usize,
    pub max_answer_bytes: usize,
}

pub struct Documents {
    index: index::Index,
    schema: Schema,
    /// No other ones have this number.
    number: usize,
    limits: GraphQl,
    trusted: Option<HashMap<String, String>>,
    parsed: Mutex<Parsed>,
}

/// A text and what it says.
struct Known {
    text: Arc<str>,
    document: ExecutableDocument,
    /// Made when it has been counted, since it takes walks through everything.
    plan: OnceLock<Plan>,
    /// The validator had nothing to complain of. What it looks at does not depend on the values of variables, beyond
    /// what is checked for each request, and so it need not look again.
    is_valid: AtomicBool,
}

/// How a document is executed.
struct Plan {
    /// If it is not executed as it stands.
    document: Option<ExecutableDocument>,
    shapes: HashMap<Option<Name>, Shape>,
}

impl Plan {
    fn of(document: &ExecutableDocument, index: &index::Index) -> Self {
        let shape = |operation: &OperationDefinition| {
            Shape::of(document, index, &operation.selection_set.node, count::root(operation.ty))
        };
        let shapes: HashMap<_, _> =
            document.operations.iter().map(|(name, operation)| (name.cloned(), shape(&operation.node))).collect();
        let asks_types = shapes.values().any(Shape::depends_on_types).then(|| {
            let mut document = document.clone();
            shape::ask_types(&mut document, index);
            document
        });
        Plan { document: asks_types, shapes }
    }
}

/// Documents that were parsed before. When the newer half is full it becomes the older one, and what was the older one is
/// forgotten.
#[derive(Default)]
struct Parsed {
    newer: HashMap<Arc<str>, Arc<Known>>,
    newer_bytes: usize,
    older: HashMap<Arc<str>, Arc<Known>>,
}

/// About so much room is taken by either half. A document takes that of its text, and hundreds of bytes for each of its
/// parts, parsed and planned.
const KEPT_BYTES: usize = 8 * 1_024 * 1_024;
const PART_BYTES: usize = 500;

impl Documents {
    pub fn new(limits: &GraphQl, schema: Schema) -> Result<Self, ConfigError> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        Ok(Documents {
            index: index::Index::of(&schema.sdl()),
            schema,
            number: MADE.fetch_add(1, Ordering::Relaxed),
            limits: limits.clone(),
            trusted: limits.trusted()?,
            parsed: Mutex::default(),
        })
    }

    /// Finds the document, parses it, and counts what it asks for.
    pub fn prepare(&self, asked: Asked) -> Result<Prepared, Refusal> {
        let text = self.text(asked.query, asked.document_id)?;
        let found = self.known(&text)?;
        let is_new = found.is_none();
        let known = found.map_or_else(|| parse(text), Ok)?;
        let document = &known.document;
        let (name, operation) = chosen(document, asked.operation_name.as_deref())?;
        let variables = Variables::from_json(serde_json::Value::Object(asked.variables));
        let cost = count::count(document, &self.index, &variables, name, &self.limits)?;
        values::variables(&self.index, operation, &variables)?;
        let ty = operation.ty;
        if is_new {
            overlaps::check(document, &self.index)?;
            values::literals(&self.index, document)?;
            self.keep(&known, cost.parts());
        }
        known.plan.get_or_init(|| Plan::of(document, &self.index));
        Ok(Prepared {
            known,
            schema: self.schema.clone(),
            number: self.number,
            operation_name: asked.operation_name,
            variables,
            operation: ty,
            cost,
            cost_limit: self.limits.max_cost,
            max_answer_bytes: self.limits.max_answer_bytes,
        })
    }

    fn text(&self, query: Option<String>, id: Option<String>) -> Result<String, Refusal> {
        let bare = |id: &str| id.strip_prefix("sha256:").unwrap_or(id).to_owned();
        let Some(trusted) = &self.trusted else {
            return match (query, id) {
                (Some(query), _) => Ok(query),
                (None, Some(_)) => Err(Refusal::Malformed("no documents are kept here; send the query".to_owned())),
                (None, None) => Err(Refusal::Malformed("query must be given".to_owned())),
            };
        };
        let id = match (id, &query) {
            (Some(id), _) => bare(&id),
            (None, Some(query)) => Sha256::digest(query.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
            (None, None) => return Err(Refusal::Malformed("query or documentId must be given".to_owned())),
        };
        trusted.get(&id).cloned().ok_or(Refusal::NotTrusted)
    }

    fn known(&self, text: &str) -> Result<Option<Arc<Known>>, Refusal> {
        if text.len() > self.limits.max_document_bytes {
            let limit = self.limits.max_document_bytes;
            return Err(Refusal::TooMuch { what: "the bytes of the document are", asked: text.len(), limit });
        }
        let parsed = self.parsed.lock().expect("nothing panics while it holds this lock");
        Ok(parsed.newer.get(text).or_else(|| parsed.older.get(text)).cloned())
    }

    fn keep(&self, known: &Arc<Known>, parts: usize) {
        let (text, bytes) = (&known.text, known.text.len() + parts * PART_BYTES);
        let mut parsed = self.parsed.lock().expect("nothing panics while it holds this lock");
        if parsed.newer_bytes + bytes > KEPT_BYTES {
            parsed.older = std::mem::take(&mut parsed.newer);
            parsed.newer_bytes = 0;
        }
        if parsed.newer.insert(text.clone(), known.clone()).is_none() {
            parsed.newer_bytes += bytes;
        }
    }
}

fn parse(text: String) -> Result<Arc<Known>, Refusal> {
    count::nesting(&text)?;
    let document = parse_query(&text).map_err(|error| Refusal::BadRequest(complaint(error)))?;
    Ok(Arc::new(Known { text: text.into(), document, plan: OnceLock::new(), is_valid: AtomicBool::new(false) }))
}

/// What the parser complains of, without the line that it complains of: that can be as long as the document.
fn complaint(error: parser::Error) -> String {
    match error {
        parser::Error::Syntax { message, start, .. } => {
            let reason = message.rsplit(" = ").next().unwrap_or_default();
            format!("line {}, column {}: {reason}", start.line, start.column)
        }
        other => other.to_string(),
    }
}

/// The operation that is meant, by its name or because it is the only one.
fn chosen<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<(Option<&'a Name>, &'a OperationDefinition), Refusal> {
    let mut operations = document.operations.iter();
    let found = match name {
        Some(wanted) => operations.find(|(name, _)| name.is_some_and(|name| name.as_str() == wanted)),
        None => match (operations.next(), operations.next()) {
            (Some(only), None) => Some(only),
            _ => return Err(Refusal::BadRequest("operationName must say which operation is meant".to_owned())),
        },
    };
    let (name, operation) =
        found.ok_or_else(|| Refusal::BadRequest("there is no operation of that name in the document".to_owned()))?;
    Ok((name, &operation.node))
}

impl Prepared {
    /// As async-graphql takes it.
    pub fn request(&self) -> Request {
        let mut request = Request::new(&*self.known.text).variables(self.variables.clone());
        request.operation_name.clone_from(&self.operation_name);
        request.set_parsed_query(self.plan().document.as_ref().unwrap_or(&self.known.document).clone());
        request
    }

    /// What executes it.
    pub fn executor(&self) -> &Executor {
        self.schema.executor(self.is_valid())
    }

    fn plan(&self) -> &Plan {
        self.known.plan.get().expect("what is prepared has been planned")
    }

    /// Whether the validator has found it valid before.
    pub fn is_valid(&self) -> bool {
        self.known.is_valid.load(Ordering::Relaxed)
    }

    /// The validator let it through.
    pub fn found_valid(&self) {
        self.known.is_valid.store(true, Ordering::Relaxed);
    }

    /// Puts what the executor answered into the shape of the question.
    pub fn shape(&self, response: &mut Response) {
        let shapes = &self.plan().shapes;
        let named = self.operation_name.as_deref().map(Name::new);
        // Without a name, the only one is meant, whatever it is called.
        if let Some(shape) = shapes.get(&named).or_else(|| shapes.values().next()) {
            shape.apply(response);
        }
    }

    /// The one field that a subscription has at its root.
    pub fn subscribed_field(&self) -> Result<&Field, Refusal> {
        let (_, operation) = chosen(&self.known.document, self.operation_name.as_deref())?;
        let mut fields = Vec::new();
        self.root_fields(&operation.selection_set.node, &mut fields);
        match fields[..] {
            [only] => Ok(only),
            _ => Err(Refusal::BadRequest("a subscription has exactly one field at its root".to_owned())),
        }
    }

    /// What it asks for at its root, by the names of the schema.
    pub fn fields(&self) -> Vec<&str> {
        let mut fields = Vec::new();
        if let Ok((_, operation)) = chosen(&self.known.document, self.operation_name.as_deref()) {
            self.root_fields(&operation.selection_set.node, &mut fields);
        }
        let mut names: Vec<&str> = fields.iter().map(|field| field.name.node.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn root_fields<'a>(&'a self, set: &'a SelectionSet, fields: &mut Vec<&'a Field>) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => fields.push(&field.node),
                Selection::InlineFragment(inline) => self.root_fields(&inline.node.selection_set.node, fields),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.known.document.fragments.get(&spread.node.fragment_name.node) {
                        self.root_fields(&fragment.node.selection_set.node, fields);
                    }
                }
            }
        }
    }

    /// An argument of a field, with the variables put in.
    pub fn argument(&self, field: &Field, name: &str) -> Option<Value> {
        let value = field.arguments.iter().find(|(found, _)| found.node == name)?.1.node.clone();
        value.into_const_with(|name| self.variable(&name).ok_or(())).ok()
    }

    fn variable(&self, name: &Name) -> Option<Value> {
        if let Some(value) = self.variables.get(name) {
            return Some(value.clone());
        }
        let (_, operation) = chosen(&self.known.document, self.operation_name.as_deref()).ok()?;
        let declared = operation.variable_definitions.iter().find(|found| found.node.name.node == *name)?;
        Some(declared.node.default_value.as_ref().map_or(Value::Null, |default| default.node.clone()))
    }

    /// What two subscriptions must have in common for one answer to serve both: the schema, the document, the operation, and
    /// the variables that are used below the root field. What the root field's own arguments say is not in it.
    pub fn selection_key(&self, field: &Field) -> String {
        let mut used = Vec::new();
        self.variables_used(&field.selection_set.node, &mut used);
        used.sort_unstable();
        used.dedup();
        let values: Vec<_> = used.into_iter().map(|name| (name.as_str(), self.variable(name))).collect();
        serde_json::json!([self.number, &*self.known.text, self.operation_name, values]).to_string()
    }

    fn variables_used<'a>(&'a self, set: &'a SelectionSet, used: &mut Vec<&'a Name>) {
        for selection in &set.items {
            for directive in selection.node.directives() {
                for (_, value) in &directive.node.arguments {
                    variables_in(&value.node, used);
                }
            }
            match &selection.node {
                Selection::Field(field) => {
                    for (_, value) in &field.node.arguments {
                        variables_in(&value.node, used);
                    }
                    self.variables_used(&field.node.selection_set.node, used);
                }
                Selection::InlineFragment(inline) => self.variables_used(&inline.node.selection_set.node, used),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.known.document.fragments.get(&spread.node.fragment_name.node) {
                        self.variables_used(&fragment.node.selection_set.node, used);
                    }
                }
            }
        }
    }
}

fn variables_in<'a>(value: &'a async_graphql_value::Value, used: &mut Vec<&'a Name>) {
    use async_graphql_value::Value as Written;
    match value {
        Written::Variable(name) => used.push(name),
        Written::List(items) => items.iter().for_each(|item| variables_in(item, used)),
        Written::Object(fields) => fields.values().for_each(|field| variables_in(field, used)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_are_sent_once_take_no_more_and_more_room() {
        let documents = Documents::new(&GraphQl::default(), Schema::new(true, &Arc::default())).expect("documents");
        for (times, fields, words) in [(40, 2_000, 0), (1_500, 1, 14_000)] {
            for number in 0..times {
                let query = Some(format!("{{ {} }} #{} {number}", "a ".repeat(fields), " ".repeat(words)));
                documents.prepare(Asked { query, ..Asked::default() }).expect("a sound document");
            }
            let parsed = documents.parsed.lock().expect("a lock");
            let texts = parsed.newer.keys().chain(parsed.older.keys());
            let bytes = texts.map(|text| text.len() + fields * PART_BYTES).sum::<usize>();
            assert!((KEPT_BYTES..=2 * KEPT_BYTES).contains(&bytes), "{bytes}");
        }
    }
}
