//! Writes that are sent as one: each statement that is sent alone costs a round trip, on PostgreSQL over the network and
//! on SQLite to another thread and back, which is more than most of these statements cost.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, Statement,
    sea_query::{CommonTableExpression, InsertStatement, SubQueryStatement, UpdateStatement, WithClause},
};

/// Longer than this, PostgreSQL gets them one by one. Since sqlx 0.9.0 does not set `TCP_NODELAY`, the last part of a long
/// write waits for up to 40 ms for an acknowledgement: 64 messages in one statement were seven times slower than in five.
const NESTED_BYTES: usize = 14 * 1_024;

/// Inserts and updates of different rows, whose order does not matter.
pub struct Together {
    /// About how long it is as a whole.
    bytes: usize,
    first: UpdateStatement,
    inserts: Vec<InsertStatement>,
    updates: Vec<UpdateStatement>,
}

impl Together {
    pub fn new(first: UpdateStatement, bytes: usize) -> Self {
        Together { bytes, first, inserts: Vec::new(), updates: Vec::new() }
    }

    pub fn insert(&mut self, insert: InsertStatement) {
        self.inserts.push(insert);
    }

    pub fn update(&mut self, update: UpdateStatement) {
        self.updates.push(update);
    }

    /// Within a transaction that is open.
    pub async fn execute(self, transaction: &impl ConnectionTrait) -> Result<(), DbErr> {
        let backend = transaction.get_database_backend();
        let statements = match backend {
            DbBackend::Sqlite => vec![joined(self.statements(backend))],
            _ if self.bytes <= NESTED_BYTES => vec![self.nested(backend)],
            _ => self.statements(backend),
        };
        for statement in statements {
            transaction.execute_raw(statement).await?;
        }
        Ok(())
    }

    /// As a transaction of its own. If it fails, the connection may be left within it.
    pub async fn commit(self, sqlite: &impl ConnectionTrait) -> Result<(), DbErr> {
        let plain = |sql| Statement::from_string(DbBackend::Sqlite, sql);
        let mut statements = vec![plain("BEGIN IMMEDIATE")];
        statements.extend(self.statements(DbBackend::Sqlite));
        statements.push(plain("COMMIT"));
        sqlite.execute_raw(joined(statements)).await?;
        Ok(())
    }

    fn statements(self, backend: DbBackend) -> Vec<Statement> {
        let inserts = self.inserts.iter().map(|insert| backend.build(insert));
        let updates = std::iter::once(&self.first).chain(&self.updates).map(|update| backend.build(update));
        inserts.chain(updates).collect()
    }

    /// PostgreSQL takes one statement at a time, but lets one hold others, which it carries out all the same.
    fn nested(self, backend: DbBackend) -> Statement {
        let inserts = self.inserts.into_iter().map(SubQueryStatement::from);
        let mut with = WithClause::new();
        for (number, query) in inserts.chain(self.updates.into_iter().map(SubQueryStatement::from)).enumerate() {
            with.cte(CommonTableExpression::new().table_name(format!("write_{number}")).query(query).to_owned());
        }
        backend.build(&with.query(self.first))
    }
}

/// As SQLite takes them: one text, and the values one after the other.
fn joined(statements: Vec<Statement>) -> Statement {
    let mut sql = String::new();
    let mut values = Vec::new();
    for statement in statements {
        sql.push_str(&statement.sql);
        sql.push(';');
        values.extend(statement.values.into_iter().flatten());
    }
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}
