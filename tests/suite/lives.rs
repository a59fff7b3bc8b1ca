//! What becomes of conversations: they change, are put away and taken up again, are found by others, and are deleted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        person::{refusal, text},
        within,
    },
};

const ALL: &str = "conversation { id title description avatarUrl visibility history status closedAt }";

stories! {
    /// F: C-06, C-09
    async fn a_group_is_made_and_changed_by_those_who_run_it(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let picture = "https://pictures.example/tea.png";
        let made = does(&ann, "conversationCreate", json!({
            "type": "GROUP", "title": "Tea", "memberIds": [bob.id], "visibility": "PUBLIC", "history": "FROM_JOIN",
            "avatarUrl": picture, "description": "at four",
        }), ALL).await["conversation"].clone();
        assert_eq!((&made["visibility"], &made["history"], &made["avatarUrl"]), (&json!("PUBLIC"), &json!("FROM_JOIN"), &json!(picture)));
        let plain = ann.group("Plain", &[&bob]).await;
        let found = ann.ask("query($c: ID!) { conversation(id: $c) { visibility history avatarUrl } }", json!({ "c": plain })).await;
        assert_eq!(found["conversation"], json!({ "visibility": "PRIVATE", "history": "FULL", "avatarUrl": null }));
        let direct = json!({ "type": "DIRECT", "memberIds": [bob.id], "visibility": "PUBLIC" });
        assert_eq!(refusal(&ann.create(direct).await), ("INVALID".into(), json!(["input", "visibility"])));

        let tea = text(&made["id"]);
        let update = |person: &Person, mut changes: Value| {
            changes["conversationId"] = json!(tea);
            let person = person.clone();
            async move { does(&person, "conversationUpdate", changes, ALL).await }
        };
        let mut socket = bob.socket().await;
        socket.follow("e", json!({})).await;
        let changed = update(&ann, json!({ "title": " Coffee ", "description": null, "visibility": "PRIVATE" })).await;
        let expected = json!({
            "id": tea, "title": "Coffee", "description": null, "avatarUrl": picture, "visibility": "PRIVATE",
            "history": "FROM_JOIN", "status": "ACTIVE", "closedAt": null,
        });
        assert_eq!(changed["conversation"], expected, "{changed}");
        let told = socket.event("e").await;
        assert_eq!((&told["__typename"], &told["conversation"]["title"]), (&json!("ConversationUpdated"), &json!("Coffee")));
        // The same once more is nobody's news.
        assert_eq!(update(&ann, json!({ "title": "Coffee" })).await["conversation"], expected);
        ann.say(&tea, "a fence").await;
        assert_eq!(socket.event("e").await["message"]["body"], json!("a fence"));

        for (changes, code, field) in [
            (json!({ "title": null }), "MISSING", "title"),
            (json!({ "title": "a".repeat(121) }), "TOO_LONG", "title"),
            (json!({ "description": "d".repeat(1_001) }), "TOO_LONG", "description"),
            (json!({ "avatarUrl": "javascript:alert(1)" }), "INVALID", "avatarUrl"),
        ] {
            assert_eq!(refusal(&update(&ann, changes).await), (code.to_owned(), json!(["input", field])));
        }
        assert_eq!(refusal(&update(&bob, json!({ "title": "Mine" })).await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&update(&eve, json!({ "title": "Mine" })).await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        let direct = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        let titled = does(&ann, "conversationUpdate", json!({ "conversationId": direct, "title": "Us" }), ALL).await;
        assert_eq!(refusal(&titled).0, "NOT_ALLOWED");
    }

    /// F: C-06, C-01, M-04
    async fn what_is_put_away_is_read_and_not_written_to_until_it_is_taken_up_again(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        ann.say(&tea, "hello").await;
        let mut socket = bob.socket().await;
        socket.follow("e", json!({})).await;
        let at = world.clock.now().to_string();
        let named = |id: &str| json!({ "conversationId": id });

        assert_eq!(refusal(&does(&bob, "conversationArchive", named(&tea), ALL).await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&does(&eve, "conversationArchive", named(&tea), ALL).await).0, "NOT_FOUND");
        for _ in 0..2 {
            let archived = does(&ann, "conversationArchive", named(&tea), ALL).await["conversation"].clone();
            assert_eq!((&archived["status"], &archived["closedAt"]), (&json!("ARCHIVED"), &json!(at)));
        }
        assert_eq!(refusal(&bob.send(json!({ "conversationId": tea, "body": "late" })).await).0, "CONVERSATION_CLOSED");
        let closed = ("CONVERSATION_CLOSED".to_owned(), json!(["input", "conversationId"]));
        assert_eq!(refusal(&does(&bob, "typingStart", named(&tea), "").await), closed);
        assert_eq!(bob.history(&tea).await, ["hello"]);
        assert_eq!(refusal(&does(&bob, "conversationReopen", named(&tea), ALL).await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&does(&eve, "conversationReopen", named(&tea), ALL).await).0, "NOT_FOUND");
        for _ in 0..2 {
            let open = does(&ann, "conversationReopen", named(&tea), ALL).await["conversation"].clone();
            assert_eq!((&open["status"], &open["closedAt"]), (&json!("ACTIVE"), &Value::Null));
        }
        bob.say(&tea, "again").await;
        let kinds: Vec<String> = socket.until_body("e", "again").await.iter().map(|event| text(&event["__typename"])).collect();
        assert_eq!(kinds, ["ConversationUpdated", "ConversationUpdated", "MessageSent"], "what changes nothing is not told");

        let direct = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        assert_eq!(does(&bob, "conversationArchive", named(&direct), ALL).await["conversation"]["status"], json!("ARCHIVED"));
        assert_eq!(does(&ann, "conversationReopen", named(&direct), ALL).await["conversation"]["status"], json!("ACTIVE"));
    }

    /// F: C-06, G-03, L-07, M-02
    async fn of_a_group_that_was_deleted_nothing_is_left(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let owner = world.person_with("keeper", json!({ "roles": ["owner"] })).await;
        let tea = ann.group("Tea", &[&bob]).await;
        let kept = ann.group("Kept", &[&bob]).await;
        // More than is taken away at once.
        for number in 0..20 {
            ann.send(json!({ "conversationId": tea, "body": format!("{number}"), "clientMessageId": format!("key {number}") })).await;
        }
        world.db_execute(&many_messages(backend == crate::support::Backend::Embedded)).await;
        let message = text(&bob.send(json!({ "conversationId": tea, "body": "mine", "clientMessageId": "bob's" })).await["message"]["id"]);
        does(&bob, "messageEdit", json!({ "messageId": message, "body": "still mine" }), "").await;
        does(&ann, "messageDelete", json!({ "messageId": message }), "").await;
        does(&ann, "conversationMarkRead", json!({ "conversationId": tea }), "").await;
        does(&ann, "conversationInvitationCreate", json!({ "conversationId": tea }), "").await;
        let place = json!({ "conversationId": tea, "type": "LOCATION", "location": { "latitude": 1, "longitude": 2 } });
        ann.send(place).await;
        ann.say(&kept, "a word that stays").await;
        let cursor = bob.cursor().await;
        let mut socket = bob.at(&world, 1).socket().await;
        socket.follow("e", json!({})).await;

        let delete = |person: &Person| {
            let (person, input) = (person.clone(), json!({ "conversationId": tea }));
            async move { does(&person, "conversationDelete", input, "deletedConversationId").await }
        };
        assert_eq!(refusal(&delete(&bob).await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&delete(&owner).await).0, "NOT_FOUND", "an owner of the workspace takes no part in it");
        policy(&owner, true).await;
        assert_eq!(refusal(&delete(&ann).await), ("FORBIDDEN_BY_POLICY".into(), json!(["input", "conversationId"])));
        policy(&owner, false).await;
        let direct = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        let of_two = does(&ann, "conversationDelete", json!({ "conversationId": direct }), "").await;
        assert_eq!(refusal(&of_two), ("INVALID".into(), json!(["input", "conversationId"])));

        assert_eq!(delete(&ann).await["deletedConversationId"], json!(tea));
        for person in [&ann, &bob] {
            let query = "query($c: ID!, $m: ID!) { conversation(id: $c) { id } message(id: $m) { id } nodes(ids: [$c, $m]) { id }
                conversations(first: 10) { nodes { title } } }";
            let found = person.at(&world, 1).ask(query, json!({ "c": tea, "m": message })).await;
            assert_eq!((&found["conversation"], &found["message"], &found["nodes"]), (&Value::Null, &Value::Null, &json!([null, null])));
            assert!(!found["conversations"].to_string().contains("Tea"));
        }
        assert_eq!(refusal(&delete(&ann).await).0, "NOT_FOUND");
        let repeated = bob.send(json!({ "conversationId": tea, "body": "mine", "clientMessageId": "bob's" })).await;
        assert_eq!(refusal(&repeated).0, "NOT_FOUND");
        let told = within("word of it", async {
            loop {
                let event = socket.event("e").await;
                if event["__typename"] == json!("ConversationLeft") {
                    return event;
                }
            }
        });
        assert_eq!(told.await["conversationId"], json!(tea));
        // Who was away hears of it, and of nothing that was said.
        let mut socket = bob.socket().await;
        let missed = socket.follow("e", json!({ "after": cursor })).await;
        let of_it: Vec<&Value> = missed.iter().filter(|event| event.to_string().contains(&tea)).collect();
        assert_eq!(of_it.iter().map(|event| text(&event["__typename"])).collect::<Vec<_>>(), ["ConversationLeft"]);

        let record = owner.ask("{ auditLog(last: 1) { nodes { action target actor { name } } } }", json!({})).await;
        assert_eq!(record["auditLog"]["nodes"], json!([{ "action": "CONVERSATION_DELETED", "target": tea, "actor": { "name": "ann" } }]));
        purged(&owner).await;
        for (table, left) in [
            ("messages", 1), ("message_edits", 0), ("message_details", 0), ("idempotency_keys", 0), ("receipts", 0),
            ("hidden_messages", 0), ("invitations", 0), ("public_title_words", 0),
        ] {
            assert_eq!(world.db_count(table).await, left, "{table}");
        }
        assert_eq!(bob.history(&kept).await, ["a word that stays"]);
    }

    /// F: C-06, L-07
    async fn what_a_node_did_not_end_of_a_deletion_is_ended_by_another(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let owner = world.person_with("keeper", json!({ "roles": ["owner"] })).await;
        let tea = ann.group("Tea", &[]).await;
        ann.say(&tea, "hello").await;
        does(&ann, "conversationDelete", json!({ "conversationId": tea }), "").await;
        purged(&owner).await;
        // As if a node had died in the middle of it: there is something left, and its lease has run out.
        world.db_execute("UPDATE jobs SET state = 'running', due_at = 1, finished_at = NULL WHERE kind = 'conversation_purge'").await;
        let id = uuid::Uuid::parse_str(tea.trim_start_matches("conv_")).expect("an id");
        let bytes = if backend == crate::support::Backend::Embedded { format!("x'{}'", id.simple()) } else { format!("'{id}'") };
        world.db_execute(&format!(
            "INSERT INTO receipts (conversation_id, user_id, kind, up_to, \"after\", at) VALUES ({bytes}, {bytes}, 'read', 1, 0, 1)"
        )).await;
        world.clock.advance(Duration::from_secs(61));
        purged(&owner).await;
        assert_eq!(world.db_count("receipts").await, 0);
    }

    /// F: C-09
    async fn public_groups_are_browsed_searched_and_joined(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let stranger = world.person_of("elsewhere", "stranger", "member").await;
        let public = |title: &str| {
            let (ann, input) = (ann.clone(), json!({ "type": "GROUP", "title": title, "memberIds": [], "visibility": "PUBLIC" }));
            async move { text(&ann.create(input).await["conversation"]["id"]) }
        };
        let (tea, coffee, third) = (public("Tea for two").await, public("Café au lait").await, public("Tea, too").await);
        let private = ann.group("Secret tea", &[]).await;
        let titles = |person: &Person, arguments: &str| {
            let query = format!("{{ publicConversations({arguments}) {{ nodes {{ title memberCount conversation {{ id }} }} pageInfo {{ endCursor hasNextPage }} }} }}");
            let person = person.at(&world, 1);
            async move {
                let found = person.ask(&query, json!({})).await["publicConversations"].take();
                let nodes = found["nodes"].as_array().expect("nodes").clone();
                assert!(nodes.iter().all(|node| node["memberCount"] == json!(1) && (node["conversation"].is_null() == (person.name == "bob"))));
                (nodes.iter().map(|node| text(&node["title"])).collect::<Vec<_>>(), found["pageInfo"].clone())
            }
        };
        for person in [&ann, &bob] {
            assert_eq!(titles(person, "first: 10").await.0, ["Tea for two", "Café au lait", "Tea, too"]);
        }
        let (first, info) = titles(&bob, "first: 2").await;
        assert_eq!((first.len(), &info["hasNextPage"]), (2, &json!(true)));
        assert_eq!(titles(&bob, &format!("first: 2, after: {}", info["endCursor"])).await.0, ["Tea, too"]);
        assert_eq!(titles(&bob, "last: 2").await.0, ["Café au lait", "Tea, too"]);
        assert_eq!(titles(&bob, "search: \"TEA\", first: 10").await.0, ["Tea for two", "Tea, too"]);
        assert_eq!(titles(&bob, "search: \"te tw\", first: 10").await.0, ["Tea for two"]);
        assert_eq!(titles(&bob, "search: \"cafe\", first: 10").await.0, ["Café au lait"]);
        let (first, info) = titles(&bob, "search: \"tea\", first: 1").await;
        let rest = format!("search: \"tea\", first: 1, after: {}", info["endCursor"]);
        assert_eq!((first, titles(&bob, &rest).await.0), (vec!["Tea for two".to_owned()], vec!["Tea, too".to_owned()]));
        assert_eq!(titles(&bob, "search: \"secret\", first: 10").await.0, [""; 0]);
        assert_eq!(titles(&bob, "search: \"--\", first: 10").await.0, [""; 0]);
        assert_eq!(titles(&stranger, "first: 10").await.0, [""; 0]);

        let join = |person: &Person, id: &str| {
            let (person, input) = (person.at(&world, 1), json!({ "conversationId": id }));
            async move { does(&person, "conversationJoin", input, "conversation { id memberCount viewerRole }").await }
        };
        let not_found = ("NOT_FOUND".to_owned(), json!(["input", "conversationId"]));
        assert_eq!(refusal(&join(&bob, &private).await), not_found);
        assert_eq!(refusal(&join(&stranger, &tea).await), not_found);
        let neither = does(&bob, "conversationJoin", json!({}), "").await;
        assert_eq!(refusal(&neither), ("INVALID".into(), json!(["input", "conversationId"])));
        ann.say(&tea, "welcome").await;
        for _ in 0..2 {
            let joined = join(&bob, &tea).await["conversation"].clone();
            assert_eq!((&joined["memberCount"], &joined["viewerRole"]), (&json!(2), &json!("MEMBER")), "and once more it is as it was");
        }
        assert_eq!(bob.history(&tea).await, ["welcome"]);

        // What goes on no more, or not in public, is not found, and neither is an old title.
        does(&ann, "conversationArchive", json!({ "conversationId": coffee }), "").await;
        does(&ann, "conversationUpdate", json!({ "conversationId": third, "title": "Cocoa" }), "").await;
        assert_eq!(refusal(&join(&bob, &coffee).await), not_found);
        assert_eq!(titles(&bob, "search: \"cafe\", first: 10").await.0, [""; 0]);
        assert_eq!(titles(&bob, "search: \"too\", first: 10").await.0, [""; 0]);
        assert_eq!(titles(&bob, "search: \"coc\", first: 10").await.0, ["Cocoa"]);
        does(&ann, "conversationReopen", json!({ "conversationId": coffee }), "").await;
        assert_eq!(titles(&bob, "search: \"cafe\", first: 10").await.0, ["Café au lait"]);
        does(&ann, "conversationUpdate", json!({ "conversationId": third, "visibility": "PRIVATE" }), "").await;
        assert_eq!(titles(&bob, "search: \"coc\", first: 10").await.0, [""; 0]);
        assert_eq!(refusal(&join(&bob, &third).await), not_found);
        does(&ann, "conversationDelete", json!({ "conversationId": coffee }), "").await;
        assert_eq!(titles(&bob, "search: \"cafe\", first: 10").await.0, [""; 0]);
    }
}

async fn policy(owner: &Person, kept: bool) {
    let done = does(owner, "workspacePolicyUpdate", json!({ "conversationsAreKept": kept }), "").await;
    assert_eq!(done["errors"], json!([]));
}

/// Waits until every job that takes away what was said is done, and each at its first or second try.
async fn purged(owner: &Person) {
    within("the end of what was said", async {
        loop {
            let found = owner.ask("{ jobs(first: 100) { nodes { kind state } } }", json!({})).await;
            let nodes = found["jobs"]["nodes"].as_array().expect("nodes");
            let of_kind = nodes.iter().filter(|job| job["kind"] == json!("conversation_purge"));
            if of_kind.map(|job| &job["state"]).eq([&json!("DONE")]) {
                return;
            }
        }
    })
    .await;
}

/// Puts twelve hundred messages more into the only conversation where anything was said.
fn many_messages(sqlite: bool) -> String {
    let (series, id) = if sqlite {
        ("WITH RECURSIVE s(n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM s WHERE n < 2199)", "randomblob(16)")
    } else {
        ("WITH s(n) AS (SELECT generate_series(1000, 2199))", "gen_random_uuid()")
    };
    let columns = "workspace_id, conversation_id, sequence, sender_id, kind, content, body, created_at";
    let first = "SELECT * FROM messages ORDER BY sequence LIMIT 1";
    format!(
        "{series} INSERT INTO messages (id, {columns}) SELECT {id}, m.workspace_id, m.conversation_id, -s.n, m.sender_id,
            m.kind, m.content, m.body, m.created_at FROM s, ({first}) m"
    )
}
