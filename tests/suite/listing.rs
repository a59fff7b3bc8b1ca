//! One's own list of conversations: what one has set for oneself in each, and how the list is narrowed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World,
        account::does,
        backends,
        person::{refusal, text},
        process::{Process, statements},
    },
};

const SETTINGS: &str = "conversation { viewerSettings { mutedUntil isPinned notificationLevel sound } }";
const FOR_GOOD: &str = "9999-01-01T00:00:00.000Z";

stories! {
    /// F: C-07
    async fn what_one_sets_for_oneself_is_changed_piece_by_piece_and_seen_by_nobody_else(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let query = "subscription { events { __typename ... on ConversationSettingsUpdated { conversation { id viewerSettings { sound } } }
            ... on MessageSent { message { body } } } }";
        let (mut of_ann, mut of_bob) = (ann.at(&world, 1).socket().await, bob.at(&world, 1).socket().await);
        for socket in [&mut of_ann, &mut of_bob] {
            socket.subscribe("s", query, json!({})).await;
            socket.until_caught_up("s").await;
        }

        let set = async |person: &Person, mut input: Value| {
            input["conversationId"] = json!(tea);
            does(person, "conversationSettingsUpdate", input, SETTINGS).await
        };
        let is = |until: Value, pinned: bool, level: &str, sound: Value| {
            json!({ "conversation": { "viewerSettings": { "mutedUntil": until, "isPinned": pinned, "notificationLevel": level, "sound": sound } }, "errors": [] })
        };
        assert_eq!(set(&ann, json!({})).await, is(json!(null), false, "ALL", json!(null)), "nothing is changed by nothing");
        assert_eq!(set(&ann, json!({ "sound": " gong " })).await, is(json!(null), false, "ALL", json!("gong")));
        assert_eq!(set(&ann, json!({ "isPinned": true, "notificationLevel": "MENTIONS" })).await, is(json!(null), true, "MENTIONS", json!("gong")));
        assert_eq!(set(&ann, json!({ "mutedUntil": FOR_GOOD })).await, is(json!(FOR_GOOD), true, "MENTIONS", json!("gong")));
        assert_eq!(set(&ann, json!({ "mutedUntil": null, "sound": null, "isPinned": null })).await, is(json!(null), true, "MENTIONS", json!(null)));
        assert_eq!(set(&bob, json!({})).await, is(json!(null), false, "ALL", json!(null)), "of nobody else");

        bob.say(&tea, "hello").await;
        for sound in [json!("gong"), json!("gong"), json!("gong"), json!(null)] {
            let told = of_ann.event("s").await;
            assert_eq!((&told["__typename"], &told["conversation"]["id"]), (&json!("ConversationSettingsUpdated"), &json!(tea)));
            // Resolved when it is delivered: what was set since then may be told with it.
            assert!(told["conversation"]["viewerSettings"]["sound"] == sound || told["conversation"]["viewerSettings"]["sound"].is_null(), "{told}");
        }
        assert_eq!(of_ann.event("s").await["message"]["body"], json!("hello"), "what changed nothing is not told");
        assert_eq!(of_bob.event("s").await["message"]["body"], json!("hello"), "and others hear nothing of it");

        assert_eq!(refusal(&set(&ann, json!({ "sound": "x".repeat(81) })).await), ("TOO_LONG".into(), json!(["input", "sound"])));
        assert_eq!(refusal(&set(&ann, json!({ "sound": " " })).await), ("MISSING".into(), json!(["input", "sound"])));
        assert_eq!(refusal(&set(&eve, json!({ "isPinned": true })).await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        let nonsense = does(&ann, "conversationSettingsUpdate", json!({ "conversationId": "x" }), SETTINGS).await;
        assert_eq!(refusal(&nonsense), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
    }

    /// F: C-08, C-03
    async fn the_list_is_narrowed_by_all_that_is_asked_for(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let creme = ann.group("Crème BRÛLÉE", &[&bob]).await;
        let percent = ann.group("100% tea_time\\now", &[]).await;
        let booking = |id: &str, title: &str| json!({ "type": "GROUP", "title": title, "memberIds": [bob.id], "context": { "type": "booking", "id": id } });
        let first = text(&ann.create(booking("42", "Room 42")).await["conversation"]["id"]);
        let second = text(&ann.create(booking("43", "Room 43")).await["conversation"]["id"]);
        let to_bob = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [bob.id] })).await["conversation"]["id"]);
        let to_eve = text(&ann.create(json!({ "type": "DIRECT", "memberIds": [eve.id] })).await["conversation"]["id"]);
        let help = text(&ann.create(json!({ "type": "SUPPORT", "memberIds": [] })).await["conversation"]["id"]);
        let all = [&creme, &percent, &first, &second, &to_bob, &to_eve, &help];

        bob.say(&creme, "sweet").await;
        bob.say(&first, "read").await;
        does(&ann, "conversationMarkRead", json!({ "conversationId": first }), "").await;
        // What one says oneself, and what one has deleted for oneself, is not new.
        ann.say(&second, "mine").await;
        let hidden = text(&bob.say(&to_bob, "never mind").await["id"]);
        does(&ann, "messageDelete", json!({ "messageId": hidden }), "").await;
        does(&ann, "conversationSettingsUpdate", json!({ "conversationId": first, "isPinned": true, "mutedUntil": FOR_GOOD }), "").await;
        let soon = (world.clock.now() + Duration::from_secs(60)).to_string();
        does(&ann, "conversationSettingsUpdate", json!({ "conversationId": second, "mutedUntil": soon }), "").await;
        does(&ann, "userBlock", json!({ "userId": eve.id }), "").await;
        does(&ann, "conversationResolve", json!({ "conversationId": help }), "").await;

        let others = |but: &[&String]| all.into_iter().filter(|id| !but.contains(id)).collect::<Vec<_>>();
        for (filter, expected) in [
            (json!({}), all.to_vec()),
            (json!({ "types": [] }), all.to_vec()),
            (json!({ "types": ["GROUP"] }), vec![&creme, &percent, &first, &second]),
            (json!({ "types": ["DIRECT", "SUPPORT"] }), vec![&to_bob, &to_eve, &help]),
            (json!({ "statuses": ["BLOCKED"] }), vec![&to_eve]),
            (json!({ "statuses": ["ARCHIVED"] }), vec![&help]),
            (json!({ "statuses": ["ACTIVE"] }), others(&[&to_eve, &help])),
            (json!({ "statuses": ["ARCHIVED", "BLOCKED", "AUTO_ARCHIVED"] }), vec![&to_eve, &help]),
            (json!({ "hasUnread": true }), vec![&creme]),
            (json!({ "hasUnread": false }), others(&[&creme])),
            (json!({ "pinned": true }), vec![&first]),
            (json!({ "pinned": false }), others(&[&first])),
            (json!({ "muted": true }), vec![&first, &second]),
            (json!({ "muted": false }), others(&[&first, &second])),
            (json!({ "context": { "type": "booking" } }), vec![&first, &second]),
            (json!({ "context": { "type": "booking", "id": "43" } }), vec![&second]),
            (json!({ "context": { "type": "book", "id": "43" } }), vec![]),
            (json!({ "title": "brule" }), vec![&creme]),
            (json!({ "title": " ÈME B" }), vec![&creme]),
            (json!({ "title": "room" }), vec![&first, &second]),
            (json!({ "title": "0% t" }), vec![&percent]),
            (json!({ "title": "a_t" }), vec![&percent]),
            (json!({ "title": "e\\N" }), vec![&percent]),
            (json!({ "title": "%" }), vec![&percent]),
            (json!({ "title": " " }), all.to_vec()),
            (json!({ "title": "nothing like it" }), vec![]),
            (json!({ "types": ["GROUP"], "title": "room", "muted": true, "pinned": false }), vec![&second]),
            (json!({ "types": ["DIRECT"], "pinned": true }), vec![]),
        ] {
            let mut expected: Vec<String> = expected.into_iter().cloned().collect();
            expected.sort();
            let mut found = listed(&ann, &filter, 100).await;
            let in_pages = listed(&ann, &filter, 2).await;
            assert_eq!(found, in_pages, "{filter}");
            found.sort();
            assert_eq!(found, expected, "{filter}");
        }
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(listed(&ann, &json!({ "muted": true }), 10).await, [first], "it makes noise again");
        assert_eq!(listed(&bob, &json!({ "pinned": true }), 10).await, [""; 0], "each has a list of their own");
        let long = json!({ "filter": { "title": "x".repeat(121) } });
        let query = "query($filter: ConversationsFilter) { conversations(filter: $filter, first: 1) { nodes { id } } }";
        assert_eq!(ann.fault(query, long).await, "BAD_REQUEST");
    }

    /// F: C-08
    async fn a_page_of_the_list_takes_as_many_statements_however_long_it_is(backend) {
        // A process of its own, because its counters are of all that it does.
        let folder = tempfile::tempdir().expect("a folder");
        let database = match backend {
            Backend::Embedded => format!("sqlite:{}", folder.path().join("here.db").display()),
            Backend::Cluster => backends::postgres(&backends::fresh_database().await),
        };
        let flags = ["--database", database.as_str()];
        let data = folder.path().join("data");
        let hub = Process::start(&data, &["--database", &database, "--metrics-listen", "public"], &[]).await;
        let ann = hub.somebody(&data, &flags, "ann").await;
        let mut people = Vec::new();
        for number in 0..5 {
            people.push(hub.somebody(&data, &flags, &format!("p{number}")).await);
        }
        for number in 0..60 {
            let other = &people[number % people.len()];
            let group = ann.group(&format!("Group {number}"), &[other]).await;
            other.say(&group, "hello").await;
        }
        let query = "query($first: Int!) { conversations(first: $first, filter: { hasUnread: true, types: [GROUP] }) { nodes {
            id type status title createdAt lastActivityAt lastSequence messageCount memberCount unreadCount viewerRole
            viewerSettings { mutedUntil isPinned } creator { name } assignee { name } context { type }
            lastMessage { body sender { name viewerBlocks } status } } pageInfo { endCursor } } }";
        let mut taken = Vec::new();
        for first in [2, 20, 60] {
            // The fewest of three times: what a node remembers for a while it reads again now and then.
            let mut fewest = f64::INFINITY;
            for _ in 0..3 {
                let before = statements(&ann).await;
                let found = ann.ask(query, json!({ "first": first })).await;
                assert_eq!(found["conversations"]["nodes"].as_array().map(Vec::len), Some(first));
                assert_eq!(found["conversations"]["nodes"][0]["lastMessage"]["body"], json!("hello"));
                fewest = fewest.min(statements(&ann).await - before);
            }
            taken.push(fewest);
        }
        assert!(taken[0] > 0.0 && taken[0] < 15.0, "{taken:?}");
        assert_eq!(taken, [taken[0]; 3], "a page of 60 costs the store no more statements than a page of 2");
    }
}

/// The ids in one's list that a filter lets through, fetched in pages.
async fn listed(person: &Person, filter: &Value, page: usize) -> Vec<String> {
    let query = "query($filter: ConversationsFilter, $page: Int!, $after: String) {
        conversations(filter: $filter, first: $page, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }";
    let (mut ids, mut after) = (Vec::new(), Value::Null);
    loop {
        let found = person.ask(query, json!({ "filter": filter, "page": page, "after": after })).await;
        let found = &found["conversations"];
        ids.extend(found["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["id"])));
        if found["pageInfo"]["hasNextPage"] == json!(false) {
            return ids;
        }
        after = found["pageInfo"]["endCursor"].clone();
    }
}
