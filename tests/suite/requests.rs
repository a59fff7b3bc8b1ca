//! Asking for support and giving it: the queue, who takes what, and how it ends.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        person::{refusal, text},
    },
};

const REQUEST: &str = "request { id status closedAt assignee { name } conversation { id viewerRole memberCount } }";

stories! {
    /// F: C-10, A-04
    async fn who_asks_is_found_by_agents_who_see_what_is_said_once_they_take_it(backend) {
        let world = World::new(backend).await;
        let (ann, eve) = (world.person("ann").await, world.person("eve").await);
        let (mo, mia) = (agent(&world, "mo").await, agent(&world, "mia").await);
        let help = ask(&ann, json!({ "title": "No keys" })).await;
        ann.say(&help, "they were here").await;
        world.clock.advance(std::time::Duration::from_secs(5));
        let other = ask(&eve, json!({})).await;
        let listed = "{ supportConversations(first: 10) { nodes { id title opener { name } openedAt lastActivityAt status closedAt
            assignee { name } conversation { id } } } }";
        let request = |id: &str, title: Value, opener: &str, at: &str| json!({
            "id": id, "title": title, "opener": { "name": opener }, "openedAt": at, "lastActivityAt": at,
            "status": "ACTIVE", "closedAt": null, "assignee": null, "conversation": null,
        });
        assert_eq!(
            mo.ask(listed, json!({})).await["supportConversations"]["nodes"],
            json!([
                request(&help, json!("No keys"), "ann", "2027-01-15T08:00:00.000Z"),
                request(&other, json!(null), "eve", "2027-01-15T08:00:05.000Z"),
            ]),
        );
        assert_eq!(ann.fault(listed, json!({})).await, "NOT_ALLOWED");
        let look = "query($c: ID!) { conversation(id: $c) { messages(last: 9) { nodes { body } } } node(id: $c) { id } }";
        assert_eq!(mo.ask(look, json!({ "c": help })).await, json!({ "conversation": null, "node": null }));

        let mut told = mo.socket().await;
        let cursor = mo.cursor().await;
        told.follow("s", json!({ "after": cursor })).await;
        let taken = assign(&mo, &help, json!(mo.id)).await;
        let with = |name: &str| json!({ "id": help, "status": "ACTIVE", "closedAt": null, "assignee": { "name": name },
            "conversation": { "id": help, "viewerRole": "ADMIN", "memberCount": 2 } });
        assert_eq!(taken, json!({ "request": with("mo"), "errors": [] }));
        for expected in ["ConversationMembersAdded", "ConversationMemberUpdated", "ConversationUpdated"] {
            assert_eq!(told.event("s").await["__typename"], json!(expected));
        }
        assert_eq!(mo.history(&help).await, ["they were here"], "all that was said");
        mo.say(&help, "under the mat").await;
        assert_eq!(assign(&mo, &help, json!(mo.id)).await, taken, "once more changes nothing");

        // Given away, and back into the queue; who had it goes on taking part.
        let given = assign(&mo, &help, json!(mia.id)).await;
        assert_eq!((&given["request"]["assignee"]["name"], &given["request"]["conversation"]["memberCount"]), (&json!("mia"), &json!(3)));
        let back = assign(&mia, &help, json!(null)).await;
        assert_eq!((&back["request"]["assignee"], &back["request"]["conversation"]["viewerRole"]), (&json!(null), &json!("ADMIN")));
        assert_eq!(queue(&mo, "UNASSIGNED").await, [help.as_str(), &other]);

        // Who gives no support, and what is none, or of nobody here.
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let group = owner.group("Tea", &[]).await;
        for (person, conversation, assignee, code, field) in [
            (&ann, &help, &mo.id, "NOT_ALLOWED", json!(null)),
            (&ann, &"x".to_owned(), &mo.id, "NOT_ALLOWED", json!(null)),
            (&owner, &group, &mo.id, "NOT_FOUND", json!(["input", "conversationId"])),
            (&owner, &"conv_00000000000000000000000000000000".to_owned(), &mo.id, "NOT_FOUND", json!(["input", "conversationId"])),
            (&mo, &help, &eve.id, "INVALID", json!(["input", "assigneeId"])),
            (&mo, &help, &"usr_00000000000000000000000000000000".to_owned(), "NOT_FOUND", json!(["input", "assigneeId"])),
        ] {
            assert_eq!(refusal(&assign(person, conversation, json!(assignee)).await), (code.into(), field));
        }
        let elsewhere = world.person_of("elsewhere", "zoe", "owner").await;
        assert_eq!(refusal(&assign(&elsewhere, &help, json!(elsewhere.id)).await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        assert_eq!(queue(&elsewhere, "OPEN").await, [""; 0]);
        let with_others = ann.create(json!({ "type": "SUPPORT", "memberIds": [eve.id] })).await;
        assert_eq!(refusal(&with_others), ("INVALID".into(), json!(["input", "memberIds"])));
    }

    /// F: C-10, G-03
    async fn what_is_resolved_leaves_the_queue_and_stands_in_the_record(backend) {
        let world = World::new(backend).await;
        let (ann, eve) = (world.person("ann").await, world.person("eve").await);
        let mo = agent(&world, "mo").await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let mut requests = Vec::new();
        for number in 0..4 {
            requests.push(ask(&ann, json!({ "title": format!("Number {number}") })).await);
        }
        assign(&mo, &requests[1], json!(mo.id)).await;
        assert_eq!(mo.add(&requests[1], &[&eve]).await["errors"], json!([]));
        for (filter, expected) in [
            ("OPEN", vec![0, 1, 2, 3]), ("UNASSIGNED", vec![0, 2, 3]), ("MINE", vec![1]), ("RESOLVED", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|number: usize| requests[number].clone()).collect();
            assert_eq!(queue(&mo, filter).await, expected, "{filter}");
        }
        assert_eq!(queue(&owner, "MINE").await, [""; 0]);

        assert_eq!(refusal(&resolve(&eve, &requests[0]).await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        assert_eq!(refusal(&resolve(&eve, &requests[1]).await), ("NOT_ALLOWED".into(), json!(null)));
        assert_eq!(refusal(&resolve(&eve, "x").await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        let done = resolve(&ann, &requests[0]).await;
        assert_eq!((&done["request"]["status"], &done["request"]["closedAt"]), (&json!("ARCHIVED"), &json!("2027-01-15T08:00:00.000Z")));
        assert_eq!(done["request"]["conversation"]["id"], json!(requests[0]), "who opened it takes part");
        world.clock.advance(std::time::Duration::from_secs(5));
        assert_eq!(resolve(&ann, &requests[0]).await, done, "once is enough");
        assert_eq!(resolve(&mo, &requests[1]).await["request"]["status"], json!("ARCHIVED"));
        assert_eq!(resolve(&owner, &requests[2]).await["request"]["conversation"], json!(null), "without taking part");
        assert_eq!(refusal(&ann.send(json!({ "conversationId": requests[0], "body": "one more thing" })).await).0, "CONVERSATION_CLOSED");
        assert_eq!(queue(&mo, "OPEN").await, [requests[3].as_str()]);
        assert_eq!(queue(&mo, "RESOLVED").await, requests[..3]);
        assert_eq!(queue(&mo, "MINE").await, [""; 0]);

        let query = "{ auditLog(first: 100, filter: { actions: [CONVERSATION_ASSIGNED, CONVERSATION_RESOLVED] }) { nodes { action actor { name } target details { name value } } } }";
        let record = owner.ask(query, json!({})).await["auditLog"]["nodes"].take();
        assert_eq!(
            record,
            json!([
                { "action": "CONVERSATION_ASSIGNED", "actor": { "name": "mo" }, "target": requests[1], "details": [{ "name": "assignee", "value": mo.id }] },
                { "action": "CONVERSATION_RESOLVED", "actor": { "name": "mo" }, "target": requests[1], "details": [] },
                { "action": "CONVERSATION_RESOLVED", "actor": { "name": "mona" }, "target": requests[2], "details": [] },
            ]),
            "who ends what they opened does it by nobody's power"
        );
    }

    /// F: C-10, C-05, G-03
    async fn whoever_has_a_request_may_go_and_who_opened_it_stays(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let (mo, mia) = (agent(&world, "mo").await, agent(&world, "mia").await);
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let help = ask(&ann, json!({ "title": "No keys" })).await;
        let of_help = json!({ "conversationId": help });
        assign(&mo, &help, json!(mo.id)).await;
        let mut told = ann.socket().await;
        told.follow("s", json!({})).await;

        // Who has it goes, and it is nobody's: that is one more thing to hear of.
        assert_eq!(does(&mo, "conversationLeave", of_help.clone(), "").await["errors"], json!([]));
        for expected in ["ConversationMembersRemoved", "ConversationUpdated"] {
            assert_eq!(told.event("s").await["__typename"], json!(expected));
        }
        assert_eq!(queue(&mia, "UNASSIGNED").await, [help.as_str()]);
        assert_eq!(queue(&mo, "MINE").await, [""; 0]);
        let gone = "query($c: ID!) { conversation(id: $c) { id } }";
        assert_eq!(mo.ask(gone, json!({ "c": help })).await["conversation"], json!(null), "and sees no more of it");
        assign(&mia, &help, json!(mia.id)).await;
        assign(&mia, &help, json!(mo.id)).await;
        let sent_away = json!({ "conversationId": help, "memberId": mo.id });
        let refused = does(&mia, "conversationMemberRemove", sent_away, "").await;
        assert_eq!(refusal(&refused).0, "NOT_ALLOWED", "nor do those who help send one another away");
        assert_eq!(queue(&mo, "MINE").await, [help.as_str()]);

        // Who opened it is there until the end.
        assert_eq!(refusal(&does(&ann, "conversationLeave", of_help.clone(), "").await), ("INVALID".into(), json!(["input", "conversationId"])));
        let sent_away = json!({ "conversationId": help, "memberId": ann.id });
        assert_eq!(refusal(&does(&mo, "conversationMemberRemove", sent_away, "").await), ("INVALID".into(), json!(["input", "memberId"])));

        // Resolved, it is taken up again by who opened it, or by who gives support and takes part.
        let status = "conversation { status closedAt }";
        let open = json!({ "conversation": { "status": "ACTIVE", "closedAt": null }, "errors": [] });
        resolve(&mo, &help).await;
        assert_eq!(does(&ann, "conversationReopen", of_help.clone(), status).await, open);
        assert_eq!(queue(&mo, "MINE").await, [help.as_str()], "whoever had it has it again");
        resolve(&ann, &help).await;
        assert_eq!(refusal(&does(&owner, "conversationReopen", of_help.clone(), status).await).0, "NOT_FOUND");
        assert_eq!(does(&mia, "conversationReopen", of_help.clone(), status).await, open);
        ann.say(&help, "one more thing").await;
        assert_eq!(mia.history(&help).await, ["one more thing"]);
        let query = "{ auditLog(last: 2) { nodes { action actor { name } target } } }";
        assert_eq!(owner.ask(query, json!({})).await["auditLog"]["nodes"], json!([
            { "action": "CONVERSATION_RESOLVED", "actor": { "name": "mo" }, "target": help },
            { "action": "CONVERSATION_REOPENED", "actor": { "name": "mia" }, "target": help },
        ]));

        // Nobody waits for somebody who is shut out.
        assert_eq!(queue(&mia, "UNASSIGNED").await, [""; 0]);
        does(&owner, "userDeactivate", json!({ "userId": mo.id }), "").await;
        assert_eq!(queue(&mia, "UNASSIGNED").await, [help.as_str()]);
    }

    /// F: C-10
    async fn agents_who_take_the_same_at_once_leave_it_to_one(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let ann = world.person("ann").await;
        let help = ask(&ann, json!({})).await;
        let mut agents = Vec::new();
        for number in 0..8 {
            agents.push(agent(&world, &format!("agent {number}")).await);
        }
        let taking = agents.iter().enumerate().map(|(number, agent)| {
            let (agent, help) = (agent.at(&world, number), help.clone());
            async move { assign(&agent, &help, json!(agent.id)).await }
        });
        for taken in join_all(taking).await {
            assert_eq!(taken["errors"], json!([]));
        }
        let found = ann.ask("query($c: ID!) { conversation(id: $c) { memberCount assignee { name } members(first: 20) { nodes { role user { name } } } } }", json!({ "c": help })).await;
        let members = found["conversation"]["members"]["nodes"].as_array().expect("members");
        assert_eq!((&found["conversation"]["memberCount"], members.len()), (&json!(9), 9));
        let assignee = &found["conversation"]["assignee"]["name"];
        assert!(members.iter().any(|member| member["user"]["name"] == *assignee && member["role"] == json!("ADMIN")), "{found}");
        let mine: Vec<usize> = join_all(agents.iter().map(async |agent| queue(agent, "MINE").await.len())).await;
        assert_eq!(mine.iter().sum::<usize>(), 1);
    }
}

async fn agent(world: &World, name: &str) -> Person {
    world.person_with(name, json!({ "roles": ["moderator"] })).await
}

async fn ask(person: &Person, mut input: Value) -> String {
    (input["type"], input["memberIds"]) = (json!("SUPPORT"), json!([]));
    text(&person.create(input).await["conversation"]["id"])
}

async fn assign(person: &Person, conversation: &str, assignee: Value) -> Value {
    does(person, "conversationAssign", json!({ "conversationId": conversation, "assigneeId": assignee }), REQUEST).await
}

async fn resolve(person: &Person, conversation: &str) -> Value {
    does(person, "conversationResolve", json!({ "conversationId": conversation }), REQUEST).await
}

/// The ids in the queue, two at a time.
async fn queue(person: &Person, filter: &str) -> Vec<String> {
    let query = "query($filter: SupportFilter!, $after: String) { supportConversations(filter: $filter, first: 2, after: $after) {
        nodes { id } pageInfo { hasNextPage endCursor } } }";
    let (mut ids, mut after) = (Vec::new(), Value::Null);
    loop {
        let found = person.ask(query, json!({ "filter": filter, "after": after })).await;
        let found = &found["supportConversations"];
        ids.extend(found["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["id"])));
        if found["pageInfo"]["hasNextPage"] == json!(false) {
            return ids;
        }
        after = found["pageInfo"]["endCursor"].clone();
    }
}
