//! The readers' connections, none of which is waited for without end, and how often they are asked.

use std::{cell::Cell, time::Duration};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

/// A database that vanished without a word answers nothing, not even an error.
const LIMIT: Duration = Duration::from_secs(3);

tokio::task_local! {
    static ASKED: Cell<u64>;
}

/// Does something, and tells how many statements were read with for it.
pub async fn counting<T>(work: impl Future<Output = T>) -> (T, u64) {
    ASKED
        .scope(Cell::new(0), async {
            let outcome = work.await;
            (outcome, ASKED.with(Cell::get))
        })
        .await
}

pub struct Reads(pub DatabaseConnection);

#[async_trait]
impl ConnectionTrait for Reads {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        within_limit(self.0.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        within_limit(self.0.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        within_limit(self.0.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        within_limit(self.0.query_all_raw(statement)).await
    }
}

async fn within_limit<T>(answer: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    // What nobody counts is done outside of any request.
    let _ = ASKED.try_with(|asked| asked.set(asked.get() + 1));
    let too_late = || DbErr::Conn(RuntimeErr::Internal("the database did not answer in time".to_owned()));
    tokio::time::timeout(LIMIT, answer).await.unwrap_or_else(|_| Err(too_late()))
}
