//! The readers' connections, none of which is waited for without end, and how often they are asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};

/// A database that vanished without a word answers nothing, not even an error.
const LIMIT: Duration = Duration::from_secs(3);

tokio::task_local! {
    static ASKED: Arc<AtomicU64>;
}

/// Does something, and tells how many statements were read with for it.
pub async fn counting<T>(work: impl Future<Output = T>) -> (T, u64) {
    let asked = Arc::<AtomicU64>::default();
    let outcome = ASKED.scope(asked.clone(), work).await;
    (outcome, asked.load(Ordering::Relaxed))
}

/// The same work for another task to do, where it is counted with what is being counted here.
pub fn counted<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    // What nobody counts here, nobody counts there.
    let asked = ASKED.try_with(Arc::clone).unwrap_or_default();
    ASKED.scope(asked, work)
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
    let _ = ASKED.try_with(|asked| asked.fetch_add(1, Ordering::Relaxed));
    let too_late = || DbErr::Conn(RuntimeErr::Internal("the database did not answer in time".to_owned()));
    tokio::time::timeout(LIMIT, answer).await.unwrap_or_else(|_| Err(too_late()))
}
