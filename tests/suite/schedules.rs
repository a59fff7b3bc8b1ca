//! Work of plugins that is due at certain times: done once, wherever the plugin is on, slice by slice, by whichever node is alive.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        backends::Backend,
        guest::{GUEST, answer, configure, guest, owner, switch},
        person::text,
        within,
    },
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A hub with the guest, which works in these slices and says so in a group; the owner, and the group.
async fn working(setup: Setup, configuration: Value) -> (World, Person, String) {
    let world = setup.plugin(guest(|_| {})).start().await;
    let owner = owner(&world).await;
    let room = owner.group("Works", &[]).await;
    let mut all = json!({ "room": room });
    all.as_object_mut().expect("an object").extend(configuration.as_object().expect("an object").clone());
    configure(&owner, all).await;
    switch(&owner, GUEST, None, true).await;
    (world, owner, room)
}

/// The jobs that are the guest's, once they are as they should be.
async fn until(owner: &Person, so: impl Fn(&Value) -> bool) -> Value {
    within("a run as it should be", async {
        loop {
            let found =
                owner.ask("{ jobs(first: 100) { nodes { id kind state attempts lastError dueAt } } }", json!({})).await;
            let runs = found["jobs"]["nodes"]
                .as_array()
                .expect("nodes")
                .iter()
                .filter(|job| job["kind"] == json!("plugin_run"));
            let runs: Vec<&Value> = runs.collect();
            assert!(runs.len() <= 1, "one for a schedule, however often it is due: {runs:?}");
            if let Some(run) = runs.first().filter(|run| so(run)) {
                return (*run).clone();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

async fn is_said(owner: &Person, room: &str, what: &[&str]) {
    within("what the plugin has to say", async {
        while owner.history(room).await.len() < what.len() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(owner.history(room).await, what);
}

/// How often it has worked, as it counts itself.
async fn slices(person: &Person) -> String {
    answer(person, "read", json!({ "key": "slices" })).await
}

/// Waits until the hub has seen that a schedule was due, however little there was to do; answers how often it was by then.
async fn is_over(world: &World, times: usize) {
    let operator = world.operator().await;
    within("the time of a schedule", async {
        loop {
            let found = operator.ask("{ jobs(ofHub: true, first: 100) { nodes { kind state } } }", json!({})).await;
            let nodes = found["jobs"]["nodes"].as_array().expect("nodes");
            let over = nodes.iter().filter(|job| **job == json!({ "kind": "plugin_due", "state": "DONE" })).count();
            if over >= times {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn is_done(run: &Value) -> bool {
    run["state"] == json!("DONE")
}

stories! {
    /// F: P-02, L-07
    async fn what_is_due_is_done_once_however_many_nodes_there_are(backend) {
        let (world, owner, room) = working(Setup::new(backend).nodes(2), json!({ "slices": 3 })).await;
        let mut said = Vec::new();
        for hours in 1..=3 {
            world.clock.advance(HOUR);
            said.extend(["hourly 1", "hourly 2", "hourly 3"]);
            is_said(&owner, &room, &said).await;
            until(&owner, is_done).await;
            assert_eq!(slices(&owner).await, (hours * 3).to_string());
        }
        is_over(&world, 3).await;
        let operator = world.operator().await;
        let found = operator.ask("{ jobs(ofHub: true, first: 100) { nodes { kind state attempts } } }", json!({})).await;
        let due: Vec<&Value> = found["jobs"]["nodes"].as_array().expect("nodes").iter().filter(|job| job["kind"] == json!("plugin_due")).collect();
        let are = |state: &str| due.iter().filter(|job| job["state"] == json!(state)).count();
        let what = "three that were; and the next, beside that of a plugin that comes with the hub";
        assert_eq!((are("DONE"), are("WAITING"), due.len()), (3, 2, 5), "{what}: {due:?}");
    }

    /// F: P-02, P-06
    async fn it_is_done_where_the_plugin_is_on_and_what_was_missed_is_not_made_up_for(backend) {
        let (world, olga, room) = working(Setup::new(backend), json!({})).await;
        let elsewhere = world.person_of("elsewhere", "odo", "owner").await;
        world.clock.advance(HOUR);
        is_said(&olga, &room, &["hourly 1"]).await;
        switch(&olga, GUEST, None, false).await;
        world.clock.advance(HOUR);
        is_over(&world, 2).await;
        world.clock.advance(HOUR);
        is_over(&world, 3).await;
        switch(&olga, GUEST, None, true).await;
        world.clock.advance(MINUTE * 59);
        assert_eq!(olga.history(&room).await, ["hourly 1"], "it is not due");
        world.clock.advance(MINUTE);
        is_said(&olga, &room, &["hourly 1", "hourly 1"]).await;
        assert_eq!(slices(&olga).await, "2");
        // Where it is on in one conversation alone, there is something for it to do as well.
        let tea = elsewhere.group("Tea", &[]).await;
        let runs = async || {
            let found = elsewhere.ask("{ jobs(first: 10) { nodes { kind } } }", json!({})).await;
            found["jobs"]["nodes"].as_array().expect("nodes").iter().filter(|job| job["kind"] == json!("plugin_run")).count()
        };
        assert_eq!(runs().await, 0);
        switch(&elsewhere, GUEST, Some(&tea), true).await;
        world.clock.advance(HOUR);
        until(&elsewhere, is_done).await;
        assert_eq!(runs().await, 1);
    }

    /// F: P-02, P-08
    async fn a_slice_that_fails_is_tried_again_and_what_it_did_in_vain_is_not_done(backend) {
        let configuration = json!({ "slices": 3, "failing_slice": 2, "failures": 2 });
        let (world, owner, room) = working(Setup::new(backend), configuration).await;
        world.clock.advance(HOUR);
        for attempt in 1..=2 {
            let failed = until(&owner, |run| run["state"] == json!("WAITING") && run["attempts"] == json!(attempt)).await;
            assert!(text(&failed["lastError"]).contains(&format!("slice 2, attempt {attempt}")), "{failed}");
            assert_eq!((owner.history(&room).await, slices(&owner).await), (vec!["hourly 1".to_owned()], "1".to_owned()));
            world.clock.advance(Duration::from_secs(21));
        }
        is_said(&owner, &room, &["hourly 1", "hourly 2", "hourly 3"]).await;
        until(&owner, is_done).await;
        assert_eq!(slices(&owner).await, "3");
        let logs = owner.ask("{ plugins { id logs { text } } }", json!({})).await.to_string();
        assert!(logs.contains("schedule failed: slice 2, attempt 1"), "{logs}");
    }

    /// F: P-02, P-04
    async fn what_keeps_failing_is_given_up_until_it_is_due_again(backend) {
        let configuration = json!({ "slices": 2, "failing_slice": 2, "failures": 5 });
        let (world, owner, room) = working(Setup::new(backend), configuration).await;
        world.clock.advance(HOUR);
        for attempt in 1..5 {
            until(&owner, |run| run["state"] == json!("WAITING") && run["attempts"] == json!(attempt)).await;
            world.clock.advance(Duration::from_secs(81));
        }
        let given_up = until(&owner, |run| run["state"] == json!("DEAD")).await;
        assert_eq!((&given_up["attempts"], &given_up["dueAt"]), (&json!(5), &Value::Null));
        configure(&owner, json!({ "room": room, "slices": 2 })).await;
        assert_eq!(owner.history(&room).await, ["hourly 1"]);
        world.clock.advance(MINUTE * 55);
        is_said(&owner, &room, &["hourly 1", "hourly 1", "hourly 2"]).await;
        let done = until(&owner, is_done).await;
        assert_eq!((&done["id"], &done["lastError"]), (&given_up["id"], &Value::Null), "the same job has come to life again");
    }

    /// F: P-02, L-07
    async fn what_a_node_was_at_when_it_died_goes_on_from_its_last_slice(backend) {
        let configuration = json!({ "slices": 3, "failing_slice": 2, "failures": 1 });
        let (world, owner, room) = working(Setup::new(backend).nodes(2), configuration).await;
        world.clock.advance(HOUR);
        until(&owner, |run| run["state"] == json!("WAITING") && run["attempts"] == json!(1)).await;
        // As a node leaves it that dies while the second slice is on its way: the first is committed, nothing of the second is.
        world.db_execute(&format!(
            "UPDATE jobs SET state = 'running', attempts = 2, lease = {}, due_at = {} WHERE kind = 'plugin_run'",
            match backend { Backend::Embedded => "x'00000000000000000000000000000007'", Backend::Cluster => "'00000000-0000-0000-0000-000000000007'" },
            world.clock.now().0 + 60_000,
        )).await;
        world.clock.advance(Duration::from_secs(59));
        until(&owner, |run| run["state"] == json!("RUNNING")).await;
        assert_eq!(owner.history(&room).await, ["hourly 1"]);
        world.clock.advance(Duration::from_secs(2));
        is_said(&owner, &room, &["hourly 1", "hourly 2", "hourly 3"]).await;
        until(&owner, is_done).await;
        assert_eq!(slices(&owner).await, "3");
    }

    /// F: P-06, L-07
    async fn another_version_is_due_at_other_times(backend) {
        let (mut world, owner, room) = working(Setup::new(backend), json!({})).await;
        let newer = guest(|manifest| {
            manifest["version"] = json!("1.1.0");
            manifest["schedules"] = json!([{ "name": "hourly", "cron": "30 * * * *" }]);
        });
        world.bring(0, vec![newer]);
        world.restart(0).await;
        let owner = owner.at(&world, 0);
        world.clock.advance(MINUTE * 30);
        is_said(&owner, &room, &["hourly 1"]).await;
        // The time that the earlier version had planned comes, and nothing is done.
        world.clock.advance(MINUTE * 30);
        is_over(&world, 2).await;
        world.clock.advance(MINUTE * 30);
        is_said(&owner, &room, &["hourly 1", "hourly 1"]).await;
        assert_eq!(slices(&owner).await, "2");
        // A version that names others has nothing to do.
        let without = guest(|manifest| {
            manifest["version"] = json!("1.2.0");
            manifest["schedules"] = json!([{ "name": "yearly", "cron": "0 0 1 1 *" }]);
        });
        world.bring(0, vec![without]);
        world.restart(0).await;
        let owner = owner.at(&world, 0);
        world.clock.advance(HOUR);
        is_over(&world, 4).await;
        assert_eq!(slices(&owner).await, "2");
    }
}
