//! What a rule says when it says no: one variant a rule, with the numbers a client needs to say it well.

use crate::{
    HeldMessageId, Timestamp,
    plugins::{PluginId, Refusal},
    roles::words,
};

words! {
    /// The one list of codes of the whole API; clients must be ready for more.
    ErrorCode {
        /// There is no such thing, or not for you.
        NotFound = "NOT_FOUND",
        /// You can see it, but your role does not allow this.
        NotAllowed = "NOT_ALLOWED",
        /// Something that must be given was not.
        Missing = "MISSING",
        /// The text is longer than it may be.
        TooLong = "TOO_LONG",
        /// The text is shorter than it must be.
        TooShort = "TOO_SHORT",
        /// There are more than there may be.
        LimitReached = "LIMIT_REACHED",
        /// The value is not of the form it must have.
        Invalid = "INVALID",
        /// What was given to show who one is, is not good.
        WrongCredentials = "WRONG_CREDENTIALS",
        /// It was tried too often; try again later.
        TooManyAttempts = "TOO_MANY_ATTEMPTS",
        /// The idempotency key was used before, for something else.
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED",
        /// Somebody has that name already.
        Taken = "TAKEN",
        /// The conversation takes no more messages.
        ConversationClosed = "CONVERSATION_CLOSED",
        /// One of the two wants nothing to do with the other.
        Blocked = "BLOCKED",
        /// The message was deleted for everyone.
        MessageDeleted = "MESSAGE_DELETED",
        /// The time within which this could be done is over.
        TooLate = "TOO_LATE",
        /// The policy of the workspace does not let anybody do this.
        ForbiddenByPolicy = "FORBIDDEN_BY_POLICY",
        /// A plugin does not let this pass; its own code says why.
        RefusedByPlugin = "REFUSED_BY_PLUGIN",
        /// A plugin wants a moderator to look at it first.
        Held = "HELD",
        /// The plugin did not manage what it was asked.
        PluginFailed = "PLUGIN_FAILED",
        /// The plugin that does this is not on.
        PluginDisabled = "PLUGIN_DISABLED",
        /// Somebody has decided about it before, and otherwise.
        Decided = "DECIDED",
        /// Others changed the same at the same time, again and again; try again.
        Conflict = "CONFLICT",
        /// This is part of the API, but not there yet.
        NotAvailable = "NOT_AVAILABLE",
    }
}

/// A rule's refusal. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such {what}")]
    NotFound { what: &'static str, field: &'static str },
    #[error("only {who} may do this")]
    NotAllowed { who: &'static str },
    #[error("{field} must not be empty")]
    Missing { field: &'static str },
    #[error("{field} has {length} characters, at most {max} are allowed")]
    TooLong { field: &'static str, length: usize, max: usize },
    #[error("{field} has {length} bytes, at most {max} are allowed")]
    TooLarge { field: &'static str, length: usize, max: usize },
    #[error("{field} has {length} characters, at least {min} are needed")]
    TooShort { field: &'static str, length: usize, min: usize },
    #[error("{field} holds a control character")]
    ControlCharacter { field: &'static str },
    #[error("{field} must be {expected}")]
    Invalid { field: &'static str, expected: &'static str },
    #[error("{field} is {value}; it must be from {low} to {high}")]
    OutOfBounds { field: &'static str, value: u64, low: u64, high: u64 },
    #[error("there are at most {max} {what}")]
    TooMany { what: &'static str, max: usize },
    #[error("a group has at most {max} members, this would make {count}")]
    GroupFull { count: usize, max: usize },
    #[error("a direct conversation is between you and exactly one other person")]
    DirectNeedsTwo,
    #[error("a direct conversation cannot take more members")]
    DirectIsClosedToOthers,
    #[error("the conversation is {status} and takes no messages")]
    ConversationClosed { status: &'static str },
    #[error("the conversation is {status}, and its messages stay as they are")]
    EditInClosed { status: &'static str },
    #[error("one of you wants nothing to do with the other")]
    Blocked { field: &'static str },
    #[error("the message was deleted")]
    MessageDeleted,
    #[error("a message may be {done} by its sender within {seconds} seconds")]
    WindowClosed { done: &'static str, seconds: u64 },
    #[error("the policy of the workspace keeps messages; you may delete them for yourself alone")]
    MessagesAreKept,
    #[error("the policy of the workspace leaves it to admins and bots to open conversations about something else")]
    ContextIsForbidden,
    #[error("a message of type {kind} carries a file, and there are no files here yet")]
    NoFilesYet { kind: &'static str },
    #[error("messages of the system are written by the hub alone")]
    SystemMessage,
    #[error("this key was used for a different message")]
    IdempotencyKeyReused,
    #[error("this key was used for a different command")]
    CommandKeyReused,
    #[error("the name «{name}» is taken")]
    SlugTaken { name: String },
    #[error("the login «{login}» is taken")]
    LoginTaken { login: String },
    #[error("there is an issuer «{name}» already")]
    IssuerTaken { name: String },
    #[error("nobody can be trusted so: {why}")]
    NoIssuer { why: String },
    #[error("{what} is not good")]
    WrongCredentials { what: &'static str },
    #[error("this was tried too often; try again at {retry_at}")]
    TooManyAttempts { retry_at: Timestamp },
    #[error("a workspace keeps at least one owner")]
    LastOwner,
    #[error("{}", refusal.reason)]
    RefusedByPlugin { plugin: PluginId, refusal: Refusal },
    #[error("a moderator has to look at it first")]
    Held { id: HeldMessageId },
    #[error("the package cannot be installed: {why}")]
    BadPackage { why: String },
    #[error("the plugin {plugin} failed: {why}")]
    PluginFailed { plugin: PluginId, why: String },
    #[error("the configuration is not good{}: {why}", if path.is_empty() { String::new() } else { format!(" at {path}") })]
    BadConfiguration { path: String, why: String },
    #[error("more than one plugin has this command: {plugins}; say which one is meant")]
    AmbiguousCommand { plugins: String },
    #[error("the command needs {argument}")]
    ArgumentMissing { argument: String },
    #[error("the command knows no argument {argument}")]
    NoSuchArgument { argument: String },
    #[error("{argument} must be {expected}")]
    BadArgument { argument: String, expected: String },
    #[error("there is no such {what} as {argument} names")]
    NothingByArgument { argument: String, what: &'static str },
    #[error("that was decided before: it is {state}")]
    Decided { state: &'static str },
    #[error("others changed the same at the same time; try again")]
    Conflict,
    #[error("what the plugin {plugin} keeps changed while it looked; try again")]
    Outrun { plugin: PluginId },
    #[error("the plugin {plugin} is not on here; those who run the workspace can switch it on")]
    PluginDisabled { plugin: PluginId },
    #[error("this can be done with groups alone")]
    GroupsOnly,
    #[error("the policy of the workspace keeps conversations; you may archive them")]
    ConversationsAreKept,
    #[error("a group with members keeps at least one owner; name somebody else first")]
    NoOwnerLeft { field: &'static str },
}

impl Rejection {
    /// What a client's program decides by.
    pub fn code(&self) -> ErrorCode {
        match self {
            Rejection::NotFound { .. } | Rejection::NothingByArgument { .. } => ErrorCode::NotFound,
            Rejection::NotAllowed { .. }
            | Rejection::SystemMessage
            | Rejection::LastOwner
            | Rejection::NoOwnerLeft { .. } => ErrorCode::NotAllowed,
            Rejection::Missing { .. } | Rejection::ArgumentMissing { .. } => ErrorCode::Missing,
            Rejection::TooLong { .. } | Rejection::TooLarge { .. } => ErrorCode::TooLong,
            Rejection::TooShort { .. } => ErrorCode::TooShort,
            Rejection::TooMany { .. } | Rejection::GroupFull { .. } => ErrorCode::LimitReached,
            Rejection::ControlCharacter { .. }
            | Rejection::NoIssuer { .. }
            | Rejection::BadPackage { .. }
            | Rejection::BadConfiguration { .. }
            | Rejection::AmbiguousCommand { .. }
            | Rejection::NoSuchArgument { .. }
            | Rejection::BadArgument { .. }
            | Rejection::Invalid { .. }
            | Rejection::OutOfBounds { .. }
            | Rejection::DirectNeedsTwo
            | Rejection::DirectIsClosedToOthers
            | Rejection::GroupsOnly => ErrorCode::Invalid,
            Rejection::ConversationClosed { .. } | Rejection::EditInClosed { .. } => ErrorCode::ConversationClosed,
            Rejection::Blocked { .. } => ErrorCode::Blocked,
            Rejection::MessageDeleted => ErrorCode::MessageDeleted,
            Rejection::WindowClosed { .. } => ErrorCode::TooLate,
            Rejection::MessagesAreKept | Rejection::ConversationsAreKept | Rejection::ContextIsForbidden => {
                ErrorCode::ForbiddenByPolicy
            }
            Rejection::NoFilesYet { .. } => ErrorCode::NotAvailable,
            Rejection::IdempotencyKeyReused | Rejection::CommandKeyReused => ErrorCode::IdempotencyKeyReused,
            Rejection::SlugTaken { .. } | Rejection::LoginTaken { .. } | Rejection::IssuerTaken { .. } => {
                ErrorCode::Taken
            }
            Rejection::WrongCredentials { .. } => ErrorCode::WrongCredentials,
            Rejection::TooManyAttempts { .. } => ErrorCode::TooManyAttempts,
            Rejection::RefusedByPlugin { .. } => ErrorCode::RefusedByPlugin,
            Rejection::Held { .. } => ErrorCode::Held,
            Rejection::Conflict | Rejection::Outrun { .. } => ErrorCode::Conflict,
            Rejection::Decided { .. } => ErrorCode::Decided,
            Rejection::PluginFailed { .. } => ErrorCode::PluginFailed,
            Rejection::PluginDisabled { .. } => ErrorCode::PluginDisabled,
        }
    }

    /// The field of the input that is to blame, where one is.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Rejection::NotFound { field, .. }
            | Rejection::Missing { field }
            | Rejection::TooLong { field, .. }
            | Rejection::TooLarge { field, .. }
            | Rejection::TooShort { field, .. }
            | Rejection::ControlCharacter { field }
            | Rejection::Invalid { field, .. }
            | Rejection::Blocked { field }
            | Rejection::OutOfBounds { field, .. }
            | Rejection::NoOwnerLeft { field } => Some(field),
            Rejection::GroupFull { .. } | Rejection::DirectNeedsTwo => Some("memberIds"),
            Rejection::DirectIsClosedToOthers
            | Rejection::GroupsOnly
            | Rejection::ConversationsAreKept
            | Rejection::ConversationClosed { .. } => Some("conversationId"),
            Rejection::EditInClosed { .. } | Rejection::MessageDeleted | Rejection::WindowClosed { .. } => {
                Some("messageId")
            }
            Rejection::BadConfiguration { .. } => Some("configuration"),
            Rejection::AmbiguousCommand { .. } => Some("plugin"),
            Rejection::ArgumentMissing { .. }
            | Rejection::NoSuchArgument { .. }
            | Rejection::BadArgument { .. }
            | Rejection::NothingByArgument { .. } => Some("arguments"),
            Rejection::MessagesAreKept => Some("forEveryone"),
            Rejection::ContextIsForbidden => Some("context"),
            Rejection::NoFilesYet { .. } | Rejection::SystemMessage => Some("type"),
            Rejection::IdempotencyKeyReused => Some("clientMessageId"),
            Rejection::CommandKeyReused => Some("clientCommandId"),
            Rejection::SlugTaken { .. } => Some("slug"),
            Rejection::LoginTaken { .. } => Some("login"),
            Rejection::IssuerTaken { .. } => Some("issuer"),
            Rejection::NotAllowed { .. }
            | Rejection::TooMany { .. }
            | Rejection::WrongCredentials { .. }
            | Rejection::TooManyAttempts { .. }
            | Rejection::NoIssuer { .. }
            | Rejection::RefusedByPlugin { .. }
            | Rejection::Held { .. }
            | Rejection::Conflict
            | Rejection::Outrun { .. }
            | Rejection::Decided { .. }
            | Rejection::BadPackage { .. }
            | Rejection::PluginFailed { .. }
            | Rejection::PluginDisabled { .. }
            | Rejection::LastOwner => None,
        }
    }

    /// The argument of a command that is to blame, where one is.
    pub fn argument(&self) -> Option<&str> {
        match self {
            Rejection::ArgumentMissing { argument }
            | Rejection::NoSuchArgument { argument }
            | Rejection::BadArgument { argument, .. }
            | Rejection::NothingByArgument { argument, .. } => Some(argument),
            _ => None,
        }
    }

    /// When the same may be tried again, where waiting is all that it needs.
    pub fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Rejection::TooManyAttempts { retry_at } => Some(*retry_at),
            _ => None,
        }
    }
}
