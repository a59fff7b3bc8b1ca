//! Errors as a client sees them: what a rule refused stands in the payload, faults stand at the top.

use async_graphql::{Enum, ErrorExtensionValues, Response, ServerError, SimpleObject, Value};
use jackfield_domain::{ErrorCode as Code, Rejection};

use super::scalars::DateTime;
use crate::{Error, Result};

/// Why a mutation was refused. More codes may be added: treat one that you do not know as a refusal.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "Code")]
pub enum ErrorCode {
    /// There is no such thing, or not for you.
    NotFound,
    /// You can see it, but your role does not allow this.
    NotAllowed,
    /// Something that must be given was not.
    Missing,
    /// The text is longer than it may be.
    TooLong,
    /// The text is shorter than it must be.
    TooShort,
    /// There are more than there may be.
    LimitReached,
    /// The value is not of the form it must have.
    Invalid,
    /// What was given to show who one is, is not good.
    WrongCredentials,
    /// It was tried too often; try again at `retryAt`.
    TooManyAttempts,
    /// The idempotency key was used before, for something else.
    IdempotencyKeyReused,
    /// Somebody has that name already.
    Taken,
    /// The conversation takes no more messages.
    ConversationClosed,
    /// One of the two wants nothing to do with the other.
    Blocked,
    /// The message was deleted for everyone.
    MessageDeleted,
    /// The time within which this could be done is over.
    TooLate,
    /// The policy of the workspace does not let anybody do this.
    ForbiddenByPolicy,
    /// A plugin does not let this pass; its own code says why.
    RefusedByPlugin,
    /// A plugin wants a moderator to look at it first.
    Held,
    /// The plugin did not manage what it was asked.
    PluginFailed,
    /// The plugin that does this is not on.
    PluginDisabled,
    /// Somebody has decided about it before, and otherwise.
    Decided,
    /// Others changed the same at the same time, again and again; try again.
    Conflict,
    /// This is part of the API, but not there yet.
    NotAvailable,
}

/// What a rule said no to. Nothing was changed.
#[derive(SimpleObject)]
pub struct UserError {
    /// For programs.
    code: ErrorCode,
    /// For people, in English.
    message: String,
    /// The part of the input that is to blame, from the argument on.
    path: Option<Vec<String>>,
    /// When the same may be tried again, where waiting is all that it needs.
    retry_at: Option<DateTime>,
    /// Where it is a plugin's: which one, by its id.
    plugin: Option<String>,
    /// Where a plugin refused: its own code, for programs that know the plugin.
    plugin_code: Option<String>,
}

impl From<Rejection> for UserError {
    fn from(rejection: Rejection) -> Self {
        let path = rejection.field().map(|field| {
            let within = std::iter::once("input".to_owned()).chain(field.split('.').map(camel_case));
            // Its name is the plugin's, and stays as it is.
            within.chain(rejection.argument().map(str::to_owned)).collect()
        });
        let retry_at = rejection.retry_at().map(DateTime);
        let (code, message) = (rejection.code().into(), said(&rejection));
        let (plugin, plugin_code) = match rejection {
            Rejection::RefusedByPlugin { plugin, refusal } => (Some(plugin.into()), Some(refusal.code)),
            Rejection::PluginFailed { plugin, .. } | Rejection::PluginDisabled { plugin } => {
                (Some(plugin.into()), None)
            }
            _ => (None, None),
        };
        UserError { code, message, path, retry_at, plugin, plugin_code }
    }
}

impl UserError {
    /// As it stands in the payload of a plugin's field.
    pub fn to_json(&self) -> serde_json::Value {
        let code = async_graphql::InputType::to_value(&self.code).into_json().unwrap_or_default();
        serde_json::json!({
            "code": code, "message": self.message, "path": self.path, "plugin": self.plugin, "pluginCode": self.plugin_code,
        })
    }

    /// The same from there.
    pub fn of_json(value: &serde_json::Value) -> Option<Self> {
        let code = async_graphql::Name::new(value.get("code")?.as_str()?);
        let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        Some(UserError {
            code: async_graphql::InputType::parse(Some(Value::Enum(code))).ok()?,
            message: text("message")?,
            path: serde_json::from_value(value.get("path")?.clone()).ok()?,
            retry_at: None,
            plugin: text("plugin"),
            plugin_code: text("pluginCode"),
        })
    }
}

/// What a rule said, of the field as the API spells it.
fn said(rejection: &Rejection) -> String {
    let said = rejection.to_string();
    match rejection.field() {
        Some(field) if field.contains('_') => said.replace(field, &camel_case(field)),
        _ => said,
    }
}

/// A field as the API spells it.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

/// Parts what a rule refused, which goes into the payload, from what is a fault.
pub fn refusals<T>(outcome: Result<T>) -> Result<(Option<T>, Vec<UserError>)> {
    match outcome {
        Ok(value) => Ok((Some(value), Vec::new())),
        Err(Error::Rejected(rejection)) => Ok((None, vec![rejection.into()])),
        Err(fault) => Err(fault),
    }
}

/// A document can be wrong in thousands of places; this many tell enough.
const MOST: usize = 100;

/// Gives every error of a response its code, and hides what is nobody's business. Each error is logged here, once.
pub fn finish(mut response: Response, request_id: &str) -> Response {
    if response.errors.iter().all(|error| error.path.is_empty()) {
        response.errors.truncate(MOST);
    }
    for error in &mut response.errors {
        let Some(fault) = error.source::<Error>().cloned() else {
            // Nothing of ours failed: the document, its variables or its values are not what they must be.
            if error.extensions.as_ref().is_none_or(|extensions| extensions.get("code").is_none()) {
                label(error, "BAD_REQUEST", request_id);
            }
            continue;
        };
        error.message = told(&fault, request_id);
        label(error, code(&fault), request_id);
        if let (Error::Rejected(rejection), Some(extensions)) = (&fault, &mut error.extensions)
            && let Some(field) = rejection.field()
        {
            extensions.set("argument", Value::from(camel_case(field)));
        }
    }
    response
}

/// A response that is nothing but one error.
pub fn top_level(fault: &Error, request_id: &str) -> Response {
    let mut error = ServerError::new(told(fault, request_id), None);
    label(&mut error, code(fault), request_id);
    Response::from_errors(vec![error])
}

/// A response that is nothing but one error of the client's.
pub fn bad_request(code: &str, message: impl Into<String>, request_id: &str) -> Response {
    let mut error = ServerError::new(message, None);
    label(&mut error, code, request_id);
    Response::from_errors(vec![error])
}

fn code(fault: &Error) -> &'static str {
    match fault {
        Error::Rejected(Rejection::NotAllowed { .. }) => "NOT_ALLOWED",
        Error::Rejected(Rejection::PluginFailed { .. }) => "PLUGIN_FAILED",
        Error::Rejected(_) => "BAD_REQUEST",
        Error::Unauthenticated(_) => "UNAUTHENTICATED",
        Error::Unavailable(_) => "UNAVAILABLE",
        Error::Internal(_) => "INTERNAL",
    }
}

fn told(fault: &Error, request_id: &str) -> String {
    match fault {
        Error::Rejected(rejection) => said(rejection),
        Error::Unauthenticated(why) => why.clone(),
        Error::Unavailable(reason) => {
            tracing::warn!(%reason, request_id, "a request found the hub unavailable");
            "the hub cannot do this right now; try again in a moment".to_owned()
        }
        Error::Internal(reason) => {
            tracing::error!(%reason, request_id, "a request failed");
            "something went wrong on our side; the request id helps to find out what".to_owned()
        }
    }
}

fn label(error: &mut ServerError, code: &str, request_id: &str) {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    extensions.set("code", Value::from(code));
    extensions.set("requestId", Value::from(request_id));
}
