//! The queue of jobs in the API, for those who run the place.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use jackfield_domain::{JobId, jobs as words};
use uuid::Uuid;

use super::{
    conversations::page,
    errors::{UserError, refusals},
    pages::Connection,
    scalars::{DateTime, id},
    scope::Scoped,
};
use crate::actions;

/// How far a job has come. More may be added.
#[derive(Enum, Copy, Clone, Eq, PartialEq)]
#[graphql(remote = "words::JobState")]
pub enum JobState {
    /// It waits for its time.
    Waiting,
    /// A node is at it.
    Running,
    /// It was done.
    Done,
    /// It failed too often, and is left to people.
    Dead,
}

pub struct Job(pub words::Job);

/// Something that is to be done later, or again.
#[Object]
impl Job {
    /// Its id.
    async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }

    /// What there is to do, in one word.
    async fn kind(&self) -> &str {
        self.0.kind.as_str()
    }

    /// How far it has come.
    async fn state(&self) -> JobState {
        self.0.state.into()
    }

    /// When it is to be done; while a node is at it, when another one may take it over; null once it is finished.
    async fn due_at(&self) -> Option<DateTime> {
        self.0.due_at.map(DateTime)
    }

    /// How often it was begun.
    async fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Why it failed the last time.
    async fn last_error(&self) -> Option<&str> {
        self.0.last_error.as_deref()
    }

    /// When it was put into the queue.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was done, or given up.
    async fn finished_at(&self) -> Option<DateTime> {
        self.0.finished_at.map(DateTime)
    }
}

#[derive(Default)]
pub struct JobQuery;

#[Object]
impl JobQuery {
    /// The jobs of the viewer's workspace, in the order in which they were made. For those who run it; what was done is
    /// to be seen for a week.
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The hub's own jobs in place of the workspace's. For operators.", default)] of_hub: bool,
        #[graphql(desc = "So many from the beginning, or behind `after`; from 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "The cursor to begin behind.")] after: Option<String>,
        #[graphql(desc = "So many from the end, or before `before`; from 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "The cursor to end before.")] before: Option<String>,
    ) -> Result<Connection<Job>> {
        let viewer = ctx.viewer()?;
        let page = page::<Uuid>(first, after, last, before)?;
        let slice = actions::jobs::list(ctx.core(), &viewer, of_hub, &page).await?;
        Ok(Connection::of(slice, |job| job.id.0, Job))
    }
}

/// Which job.
#[derive(InputObject)]
pub struct JobRetryInput {
    /// One that was given up.
    job_id: ID,
    /// Whether it is one of the hub's own. For operators.
    #[graphql(default)]
    of_hub: bool,
}

/// What came of it.
#[derive(SimpleObject)]
pub struct JobRetryPayload {
    /// The job, which waits again.
    job: Option<Job>,
    /// Why it does not.
    errors: Vec<UserError>,
}

#[derive(Default)]
pub struct JobMutation;

#[Object]
impl JobMutation {
    /// Tries a job again that was given up. For those who run the workspace.
    async fn job_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which job.")] input: JobRetryInput,
    ) -> Result<Option<JobRetryPayload>> {
        let viewer = ctx.viewer()?;
        let outcome = async {
            let job: JobId = id(&input.job_id, "job", "jobId")?;
            actions::jobs::retry(ctx.core(), &viewer, job, input.of_hub).await
        };
        let (job, errors) = refusals(outcome.await)?;
        Ok(Some(JobRetryPayload { job: job.map(Job), errors }))
    }
}
