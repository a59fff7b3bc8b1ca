//! What the databases do for the queries that are asked all the time, in their own words: for the test that holds them to
//! walks of an index, and for whoever wonders why something is slow.

use jackfield_domain::{
    BotTokenId, ConversationId, InvitationId, LegalHoldId, MessageId, Position, SessionId, Timestamp, UserId,
    VerdictId, WorkspaceId,
    audit::AuditFilter,
    conversations::{
        ActivityKey, ConversationKind, ConversationStatus,
        filter::{CheckedFilter, ContextFilter, ConversationFilter},
        support::SupportFilter,
    },
    messages::{ContentType, Message, MessageKind},
    pages::{Direction, Page},
    plugins::VerdictFilter,
    receipts::{Advance, ReceiptKind, Recipients},
};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QuerySelect, QueryTrait, Select, Statement, TransactionTrait,
};
use uuid::Uuid;

use super::{
    FoundKey, Store, accounts, audit, blocks, bots, conversations, invitations, jobs, legal_holds, log, members,
    messages, people, plugins, receipts, sessions, users, words, writer,
};
use crate::Result;

/// A query, and the lines of its plan.
pub struct Plan {
    pub query: &'static str,
    pub lines: Vec<String>,
}

impl Store {
    /// The plans of the hot queries.
    pub async fn plans(&self) -> Result<Vec<Plan>> {
        let backend = self.reads.get_database_backend();
        let mut plans = Vec::new();
        for (query, statement) in hot(backend) {
            let transaction = self.reads.0.begin().await?;
            let explain = if backend == DbBackend::Sqlite {
                "EXPLAIN QUERY PLAN"
            } else {
                // Tables of a few rows are read whole, and rightly so; what is asked is whether there is a better way.
                for other in ["seqscan", "bitmapscan", "sort"] {
                    transaction.execute_unprepared(&format!("SET LOCAL enable_{other} = off")).await?;
                }
                "EXPLAIN"
            };
            let sql = format!("{explain} {}", statement.sql);
            let values = statement.values.into_iter().flatten();
            let rows = transaction.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
            let column = if backend == DbBackend::Sqlite { "detail" } else { "QUERY PLAN" };
            let lines = rows.iter().map(|row| row.try_get("", column)).collect::<Result<_, _>>()?;
            transaction.rollback().await?;
            plans.push(Plan { query, lines });
        }
        Ok(plans)
    }
}

fn hot(backend: DbBackend) -> Vec<(&'static str, Statement)> {
    fn of<E: EntityTrait>(select: &Select<E>, backend: DbBackend) -> Statement {
        select.build(backend)
    }
    fn build(select: &impl QueryTrait, backend: DbBackend) -> Statement {
        select.build(backend)
    }
    fn ids<C>(from: C) -> Page<C> {
        Page { direction: Direction::Forward, size: 50, from: Some(from) }
    }
    let id = Uuid::from_u128(7);
    let wanted = ["ann".to_owned(), "b".to_owned()];
    let found = |direction| {
        let from = FoundKey { word: b"anna".to_vec(), id };
        Page { direction, size: 50, from: Some(from) }
    };
    let (workspace, user, conversation) = (WorkspaceId(id), UserId(id), ConversationId(id));
    let page = |direction, from| Page { direction, size: 50, from };
    let joined = Page { direction: Direction::Forward, size: 50, from: Some(user) };
    let line = Page { direction: Direction::Backward, size: 50, from: Some(id) };
    let key = ActivityKey { last_activity_at: Timestamp(7), id: conversation };
    let verdicts = |filter| {
        of(
            &plugins::verdicts::walk(
                workspace,
                &filter,
                &Page { direction: Direction::Backward, size: 50, from: None },
            ),
            backend,
        )
    };
    let listed = |direction, from| Page { direction, size: 20, from };
    vec![
        (
            "the newest messages",
            of(&messages::walk(Some(user), conversation, &page(Direction::Backward, None)), backend),
        ),
        ("older messages", of(&messages::walk(Some(user), conversation, &page(Direction::Backward, Some(7))), backend)),
        ("newer messages", of(&messages::walk(Some(user), conversation, &page(Direction::Forward, Some(7))), backend)),
        ("the first message since", of(&messages::first_from(conversation, Timestamp(7)), backend)),
        ("messages for a reader", of(&messages::readable(user, &[MessageId(id)]), backend)),
        (
            "what a message said before",
            of(&messages::edits::walk(MessageId(id), &page(Direction::Forward, Some(7))), backend),
        ),
        ("what stands beside messages", of(&messages::details::of(&[MessageId(id)]), backend)),
        ("the last messages of conversations", of(&messages::last_of_each(user, &[conversation]), backend)),
        (
            "whom a message has come to",
            of(&receipts::walk(&sent(), Recipients::Reached(ReceiptKind::Delivered), &joined), backend),
        ),
        ("how far somebody has come", of(&receipts::standing(user, [conversation]), backend)),
        ("what is unread", of(&receipts::unread::among(user, &[conversation]), backend)),
        ("all that is unread", of(&receipts::unread::all(user), backend)),
        (
            "one's own in what was marked",
            backend.build(&receipts::own::counting(0, conversation, user, Advance { from: 7, up_to: 9 })),
        ),
        ("one's conversations", of(&conversations::list(user, &listed(Direction::Forward, None)), backend)),
        (
            "more of one's conversations",
            of(&conversations::list(user, &listed(Direction::Forward, Some(key))), backend),
        ),
        (
            "less of one's conversations",
            of(&conversations::list(user, &listed(Direction::Backward, Some(key))), backend),
        ),
        (
            "one's conversations, filtered",
            of(
                &conversations::list(user, &listed(Direction::Forward, Some(key)))
                    .filter(conversations::filter::condition(&narrow(), Timestamp(7))),
                backend,
            ),
        ),
        (
            "who asks for support",
            of(&conversations::support::walk(workspace, user, SupportFilter::Mine, &ids(conversation)), backend),
        ),
        ("conversations for a reader", of(&conversations::readable(user, &[conversation]), backend)),
        ("public groups", of(&conversations::public::walk(workspace, &ids(conversation)), backend)),
        (
            "public groups by their titles",
            of(
                &words::found::<conversations::public::titles::Entity>(workspace, &wanted, &found(Direction::Forward)),
                backend,
            ),
        ),
        ("a conversation's members", of(&members::walk(conversation, &joined), backend)),
        ("the bearer of a token", of(&users::by_subject(workspace, "issuer", "subject"), backend)),
        ("a session and whose it is", build(&sessions::with_user(SessionId(id)), backend)),
        ("one's sessions", of(&sessions::walk(user, &ids(SessionId(id))), backend)),
        ("a login", of(&accounts::by_login(workspace, "login"), backend)),
        ("the bearer of a bot's token", build(&bots::by_hash([7; 32]), backend)),
        ("a bot's tokens", of(&bots::walk(user, &ids(BotTokenId(id))), backend)),
        ("whom somebody blocks", of(&blocks::walk(user, &joined), backend)),
        ("whom of some somebody blocks", of(&blocks::among(user, &[user]), backend)),
        ("the direct conversations of two", of(&blocks::directs(user, UserId(Uuid::from_u128(8))), backend)),
        ("the bots of a workspace", of(&bots::walk_bots(workspace, &joined), backend)),
        ("invitations", of(&invitations::walk(workspace, None, &ids(InvitationId(id))), backend)),
        ("everybody in a workspace", of(&people::walk(workspace, &joined), backend)),
        (
            "people by their names",
            of(&words::found::<words::Entity>(workspace, &wanted, &found(Direction::Forward)), backend),
        ),
        (
            "people by their names, backwards",
            of(&words::found::<words::Entity>(workspace, &wanted, &found(Direction::Backward)), backend),
        ),
        ("the next events", of(&log::after_position(workspace, Position(7)), backend)),
        ("missed events", of(&log::concerning(workspace, user, Position(7), Position(9)), backend)),
        ("the record", of(&audit::walk(workspace, &AuditFilter::default(), &line), backend)),
        ("what plugins did", verdicts(VerdictFilter::default())),
        (
            "what a plugin did",
            verdicts(VerdictFilter { plugin: "test.guest".parse().ok(), ..VerdictFilter::default() }),
        ),
        (
            "what was done to a message",
            verdicts(VerdictFilter { message: Some(MessageId(id)), ..VerdictFilter::default() }),
        ),
        ("what was done to somebody's", verdicts(VerdictFilter { user: Some(user), ..VerdictFilter::default() })),
        (
            "what was done in a conversation",
            verdicts(VerdictFilter { conversation: Some(conversation), ..VerdictFilter::default() }),
        ),
        (
            "what was done in a conversation that is no more",
            of(&plugins::verdicts::of(conversation).limit(50), backend),
        ),
        ("what plugins did long ago", of(&plugins::verdicts::before(VerdictId(id)).limit(50), backend)),
        ("legal holds", of(&legal_holds::walk(workspace, &ids(LegalHoldId(id))), backend)),
        (
            "what is old in all conversations",
            of(&messages::trims::old_everywhere(workspace, Timestamp(7), &[conversation]).limit(50), backend),
        ),
        ("jobs that are due", of(&jobs::due(Timestamp(7), 1), backend)),
        ("jobs that were done", of(&jobs::done_before(Timestamp(7), 10), backend)),
        ("the jobs of a workspace", of(&jobs::walk(Some(workspace), &line), backend)),
        ("used keys", of(&writer::used_keys([(id, "key"), (id, "other")]), backend)),
        ("rooms of senders", of(&writer::rooms([(id, id), (Uuid::from_u128(8), id)]), backend)),
    ]
}

/// Everything that a list of conversations can be narrowed to.
fn narrow() -> CheckedFilter {
    let filter = ConversationFilter {
        kinds: vec![ConversationKind::Group],
        statuses: vec![ConversationStatus::Active, ConversationStatus::Blocked],
        has_unread: Some(true),
        is_pinned: Some(true),
        is_muted: Some(false),
        context: Some(ContextFilter { kind: "booking".to_owned(), id: Some("42".to_owned()) }),
        title: Some("tea".to_owned()),
    };
    CheckedFilter::check(filter).expect("a filter that is within its bounds")
}

fn sent() -> Message {
    let id = Uuid::from_u128(7);
    Message {
        id: MessageId(id),
        workspace: WorkspaceId(id),
        conversation: ConversationId(id),
        sequence: 7,
        sender: UserId(id),
        kind: MessageKind::Text,
        content: ContentType::Plain,
        body: String::new(),
        reply_to: None,
        created_at: Timestamp(7),
        edited_at: None,
        deleted: None,
        hidden: false,
    }
}
