//! Work that is done later, or again: once, by whichever node is alive, and given up in the end.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::{account, does},
        backends::Backend,
        person::refusal,
        within,
    },
};

const HOUR: Duration = Duration::from_secs(60 * 60);

stories! {
    /// F: L-07
    async fn what_is_scheduled_is_done_once_however_many_nodes_there_are(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let operator = world.operator().await;
        for hours in 1..=5 {
            world.clock.advance(HOUR);
            let done = until(&operator, "log_trim", |jobs| in_state(jobs, "DONE") == hours).await;
            assert_eq!(in_state(&done, "WAITING"), 1, "the next turn, and no other: {done:?}");
            assert!(done.iter().all(|job| job["attempts"].as_u64() <= Some(1)), "{done:?}");
        }
        // What was done can be seen for a week.
        world.clock.advance(HOUR * 24 * 9);
        until(&operator, "log_trim", |jobs| in_state(jobs, "DONE") <= 1).await;
    }

    /// F: L-07, G-03
    async fn what_fails_is_tried_again_ever_more_rarely_and_then_left_to_people(backend) {
        let world = World::new(backend).await;
        let operator = world.operator().await;
        let ann = world.person("ann").await;
        forbid_trimming(&world, backend).await;
        world.clock.advance(HOUR * 24 * 40);
        let mut attempts = 1;
        let given_up = loop {
            let jobs = until(&operator, "log_trim", |jobs| jobs.iter().any(|job| {
                job["lastError"].is_string() && job["attempts"].as_u64() >= Some(attempts) && job["state"] != json!("RUNNING")
            })).await;
            let failed = jobs.into_iter().find(|job| job["lastError"].is_string()).expect("one that failed");
            attempts = failed["attempts"].as_u64().expect("a number") + 1;
            if failed["state"] == json!("DEAD") {
                break failed;
            }
            // An hour and a fifth is the longest pause there is.
            world.clock.advance(HOUR * 2);
        };
        assert_eq!((&given_up["attempts"], &given_up["dueAt"]), (&json!(12), &Value::Null));

        let retry = "mutation($id: ID!) { jobRetry(input: { jobId: $id, ofHub: true }) { job { state } errors { code } } }";
        let id = json!({ "id": given_up["id"] });
        assert_eq!(refusal(&ann.ask(retry, id.clone()).await["jobRetry"]).0, "NOT_ALLOWED");
        allow_trimming(&world, backend).await;
        assert_eq!(operator.ask(retry, id.clone()).await["jobRetry"]["job"]["state"], json!("WAITING"));
        until(&operator, "log_trim", |jobs| jobs.iter().any(|job| job["id"] == given_up["id"] && job["state"] == json!("DONE"))).await;
        assert_eq!(refusal(&operator.ask(retry, id).await["jobRetry"]).0, "INVALID", "it was done");
        let record = operator.ask("{ auditLog(last: 1) { nodes { action target } } }", json!({})).await;
        assert_eq!(record["auditLog"]["nodes"], json!([{ "action": "JOB_RETRIED", "target": given_up["id"] }]));
    }

    /// F: L-07, A-02, A-06
    async fn sessions_and_invitations_that_have_ended_are_swept_away(backend) {
        let world = World::new(backend).await;
        let operator = world.operator().await;
        account(&world, "dora").await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        does(&owner, "invitationCreate", json!({}), "").await;
        let kept = async || (world.db_count("sessions").await, world.db_count("invitations").await);
        world.clock.advance(HOUR);
        until(&operator, "access_sweep", |jobs| in_state(jobs, "DONE") == 1).await;
        assert_eq!(kept().await, (1, 1), "what is good stays");
        world.clock.advance(HOUR * 24 * 40);
        within("the end of what has ended", async { while kept().await != (0, 0) {} }).await;
    }

    /// F: L-07
    async fn what_a_node_was_at_when_it_died_is_done_by_another(backend) {
        let world = World::new(backend).await;
        let operator = world.operator().await;
        // As a node leaves it that dies in the middle of it.
        world.db_execute(&format!(
            "UPDATE jobs SET state = 'running', attempts = 1, lease = {}, due_at = {} WHERE kind = 'log_trim'",
            match backend { Backend::Embedded => "x'00000000000000000000000000000007'", Backend::Cluster => "'00000000-0000-0000-0000-000000000007'" },
            world.clock.now().0 + 60_000,
        )).await;
        world.clock.advance(Duration::from_secs(59));
        let held = until(&operator, "log_trim", |jobs| in_state(jobs, "RUNNING") == 1).await;
        assert_eq!(held.len(), 1);
        world.clock.advance(Duration::from_secs(2));
        let done = until(&operator, "log_trim", |jobs| in_state(jobs, "DONE") == 1).await;
        assert!(done.iter().any(|job| job["attempts"] == json!(2)), "{done:?}");
    }
}

async fn jobs_of(operator: &Person, kind: &str) -> Vec<Value> {
    let query = "{ jobs(ofHub: true, first: 100) { nodes { id kind state attempts dueAt lastError } } }";
    let mut found = operator.ask(query, json!({})).await;
    let mut jobs = found["jobs"]["nodes"].take();
    let jobs = std::mem::take(jobs.as_array_mut().expect("nodes"));
    jobs.into_iter().filter(|job| job["kind"] == json!(kind)).collect()
}

/// The jobs of a kind, once they are as they should be.
async fn until(operator: &Person, kind: &str, so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    within(&format!("{kind} as it should be"), async {
        loop {
            let jobs = jobs_of(operator, kind).await;
            if so(&jobs) {
                return jobs;
            }
        }
    })
    .await
}

fn in_state(jobs: &[Value], state: &str) -> usize {
    jobs.iter().filter(|job| job["state"] == json!(state)).count()
}

async fn forbid_trimming(world: &World, backend: Backend) {
    match backend {
        Backend::Embedded => {
            world
                .db_execute(
                    "CREATE TRIGGER forbidden BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'forbidden'); END",
                )
                .await;
        }
        Backend::Cluster => {
            world.db_execute("CREATE FUNCTION forbid() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'forbidden'; END $$ LANGUAGE plpgsql").await;
            world.db_execute("CREATE TRIGGER forbidden BEFORE DELETE ON events EXECUTE FUNCTION forbid()").await;
        }
    }
}

async fn allow_trimming(world: &World, backend: Backend) {
    let on = if backend == Backend::Cluster { " ON events" } else { "" };
    world.db_execute(&format!("DROP TRIGGER forbidden{on}")).await;
}
