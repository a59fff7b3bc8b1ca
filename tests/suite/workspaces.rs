//! Workspaces: their policies, which bite, and the record of who changed what.

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        person::{refusal, text},
    },
};

stories! {
    /// F: A-04, G-03, L-02
    async fn a_policy_is_changed_by_those_who_run_the_workspace_and_holds_on_every_node(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (owner, ann) = (world.person_with("owner of all", json!({ "roles": ["owner"] })).await, world.person("ann").await);
        let ann = ann.at(&world, 1);
        let tea = ann.group("Tea", &[&owner]).await;
        ann.say(&tea, "hello").await;
        let mut socket = ann.socket().await;
        socket.subscribe("s", "subscription { events(input: { kinds: [WORKSPACE_UPDATED] }) { __typename ... on WorkspaceUpdated { workspace { policy { bodyMaxCharacters } } } } }", json!({})).await;
        assert_eq!(socket.next("s").await["data"]["events"]["__typename"], json!("CaughtUp"));

        let refused = change(&ann, json!({ "bodyMaxCharacters": 4 })).await;
        assert_eq!(refusal(&refused).0, "NOT_ALLOWED");
        let refused = change(&owner, json!({ "bodyMaxCharacters": 0 })).await;
        assert_eq!(refusal(&refused), ("INVALID".to_owned(), json!(["input", "bodyMaxCharacters"])));
        assert!(text(&refused["errors"][0]["message"]).ends_with("is 0; it must be from 1 to 100000"), "{refused}");
        ann.say(&tea, "hello").await;

        let changed = change(&owner, json!({ "bodyMaxCharacters": 4 })).await;
        assert_eq!(changed["workspace"]["policy"]["bodyMaxCharacters"], json!(4));
        let told = socket.next("s").await["data"]["events"].take();
        assert_eq!(told, json!({ "__typename": "WorkspaceUpdated", "workspace": { "policy": { "bodyMaxCharacters": 4 } } }));
        let refused = ann.send(json!({ "conversationId": tea, "body": "hello" })).await;
        assert_eq!(refusal(&refused), ("TOO_LONG".to_owned(), json!(["input", "body"])));
        ann.say(&tea, "tea?").await;

        // What was said of one number leaves the others, and those of other workspaces, as they are.
        change(&owner, json!({ "groupMaxMembers": 2 })).await;
        let found = owner.ask("{ workspace { policy { bodyMaxCharacters groupMaxMembers editWindowSeconds } } }", json!({})).await;
        assert_eq!(found["workspace"]["policy"], json!({ "bodyMaxCharacters": 4, "groupMaxMembers": 2, "editWindowSeconds": 900 }));
        let eve = world.person_of("elsewhere", "eve", "owner").await;
        let found = eve.ask("{ workspace { policy { bodyMaxCharacters } } }", json!({})).await;
        assert_eq!(found["workspace"]["policy"]["bodyMaxCharacters"], json!(10_000));
        let refused = owner.create(json!({ "type": "GROUP", "title": "All", "memberIds": [ann.id, world.person("bob").await.id] })).await;
        assert_eq!(refusal(&refused).0, "LIMIT_REACHED");
    }

    /// F: G-03
    async fn what_is_done_by_the_power_of_a_role_stands_in_the_record(backend) {
        let world = World::new(backend).await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let ann = world.person("ann").await;
        assert_eq!(ann.fault("{ auditLog(first: 10) { nodes { at } } }", json!({})).await, "NOT_ALLOWED");
        assert_eq!(record(&owner).await, json!([]));

        change(&owner, json!({ "editWindowSeconds": 60 })).await;
        change(&owner, json!({ "editWindowSeconds": 60 })).await;
        change(&ann, json!({ "editWindowSeconds": 61 })).await;
        let rename = "mutation { workspaceUpdate(input: { name: \"Harbour\", signUp: OPEN }) { workspace { name signUp } errors { code } } }";
        let renamed = owner.ask(rename, json!({})).await;
        assert_eq!(renamed["workspaceUpdate"]["workspace"], json!({ "name": "Harbour", "signUp": "OPEN" }));
        let entry = |action: &str, details: Value| {
            json!({ "action": action, "actor": { "name": "mona" }, "address": "127.0.0.1", "details": details })
        };
        let detail = |name: &str, value: &str| json!({ "name": name, "value": value });
        assert_eq!(
            record(&owner).await,
            json!([
                entry("POLICY_UPDATED", json!([detail("policy", "{\"edit_window_seconds\":60}")])),
                entry("WORKSPACE_UPDATED", json!([detail("name", "Harbour"), detail("signUp", "open")])),
            ]),
            "what changed nothing, and what was refused, is not in it"
        );
    }

    /// F: A-06
    async fn an_operator_suspends_a_workspace_and_lets_it_go_on(backend) {
        let world = World::new(backend).await;
        let (operator, eve) = (world.operator().await, world.person_of("elsewhere", "eve", "owner").await);
        let found = eve.ask("{ workspace { id } }", json!({})).await;
        let set = |status: &str| {
            let input = json!({ "workspaceId": found["workspace"]["id"], "status": status });
            (
                "mutation($input: WorkspaceUpdateInput!) { workspaceUpdate(input: $input) { workspace { status } errors { code path } } }",
                json!({ "input": input }),
            )
        };
        let (query, suspended) = set("SUSPENDED");
        let refused = eve.ask(query, suspended.clone()).await;
        assert_eq!(refusal(&refused["workspaceUpdate"]).0, "NOT_ALLOWED");
        let done = operator.ask(query, suspended).await;
        assert_eq!(done["workspaceUpdate"]["workspace"]["status"], json!("SUSPENDED"));
        world.clock.advance(std::time::Duration::from_secs(2));
        assert_eq!(eve.fault("{ workspace { id } }", json!({})).await, "UNAUTHENTICATED");
        let (query, active) = set("ACTIVE");
        operator.ask(query, active).await;
        world.clock.advance(std::time::Duration::from_secs(2));
        assert_eq!(eve.ask("{ workspace { status } }", json!({})).await["workspace"]["status"], json!("ACTIVE"));
    }
}

async fn change(person: &Person, input: Value) -> Value {
    let query = "mutation($input: WorkspacePolicyUpdateInput!) { workspacePolicyUpdate(input: $input) {
        workspace { policy { bodyMaxCharacters } } errors { code path message } } }";
    person.ask(query, json!({ "input": input })).await["workspacePolicyUpdate"].take()
}

async fn record(person: &Person) -> Value {
    let query = "{ auditLog(first: 100) { nodes { action actor { name } address details { name value } } } }";
    person.ask(query, json!({})).await["auditLog"]["nodes"].take()
}
