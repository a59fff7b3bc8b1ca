//! Old messages: hidden from everybody, gone for good some days later, and kept where somebody ordered it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World,
        account::does,
        guest::{owner, switch},
        nodes::Nodes,
        person::{refusal, text},
        within,
    },
};

const RETENTION: &str = "jackfield.retention";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// So much is old where a node is killed: three slices of it.
const MESSAGES: usize = 1_300;

/// Two nodes with retention on, its owner, and two people in a group, one of them at the second node.
async fn tea(backend: Backend) -> (World, Person, Person, Person, String) {
    let world = Setup::new(backend).nodes(2).start().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let olga = owner(&world).await;
    let tea = ann.group("Tea", &[&bob]).await;
    switch(&olga, RETENTION, None, true).await;
    let bob = bob.at(&world, 1);
    (world, olga, ann, bob, tea)
}

async fn reports(olga: &Person) -> Vec<Value> {
    let query = "{ retentionReports(first: 100) { reports { finishedAt conversationCount hiddenCount purgedCount heldCount } } }";
    let mut found = olga.ask(query, json!({})).await["retentionReports"]["reports"].take();
    found.as_array_mut().map(std::mem::take).unwrap_or_default()
}

/// Lets so many days pass, and what is due then be done; answers what was hidden, purged, and kept on hold.
async fn pass(world: &World, olga: &Person, days: u32) -> (i64, i64, i64) {
    let before = reports(olga).await.len();
    world.clock.advance(DAY * days);
    let is_over = |found: &[Value]| found.len() == before + 1 && !found[0]["finishedAt"].is_null();
    within("the end of a run", async {
        loop {
            let found = reports(olga).await;
            if is_over(&found) {
                let count = |name: &str| found[0][name].as_i64().expect("a number");
                return (count("hiddenCount"), count("purgedCount"), count("heldCount"));
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

async fn preview(person: &Person, conversation: Option<&str>, days: i64) -> Value {
    let query = "query($c: ID, $d: Int!) { retentionPreview(conversationId: $c, days: $d) { messageCount heldCount isComplete } }";
    person.ask(query, json!({ "c": conversation, "d": days })).await["retentionPreview"].take()
}

/// What plugins and the hub show of a conversation that depends on what is new.
async fn unread(person: &Person, conversation: &str) -> (i64, i64) {
    let query = "query($c: ID!) { conversation(id: $c) { unreadCount unreadMentionCount } }";
    let found = person.ask(query, json!({ "c": conversation })).await["conversation"].take();
    (found["unreadCount"].as_i64().expect("a number"), found["unreadMentionCount"].as_i64().expect("a number"))
}

async fn mark(person: &Person, conversation: &str, up_to: i64) -> Value {
    let input = json!({ "conversationId": conversation, "upTo": up_to });
    does(person, "conversationMarkRead", input, "markedCount").await["markedCount"].take()
}

async fn set(person: &Person, conversation: &str, rule: &str, days: Option<i64>) -> Value {
    let query = "mutation($input: RetentionSetInput!) { retentionSet(input: $input) { retention { rule days graceDays }
        errors { code path plugin pluginCode } } }";
    let input = json!({ "conversationId": conversation, "rule": rule, "days": days });
    person.ask(query, json!({ "input": input })).await["retentionSet"].take()
}

async fn hold(person: &Person, input: Value) -> Value {
    let shown = "legalHold { id conversationId user { name } reason creator { name } }";
    does(person, "legalHoldSet", input, shown).await
}

stories! {
    /// F: P-24
    async fn what_is_old_is_seen_by_nobody_and_gone_a_week_later(backend) {
        let (world, olga, ann, bob, tea) = tea(backend).await;
        let old = text(&ann.say(&tea, "@bob an old fence").await["id"]);
        let input = json!({ "conversationId": tea, "body": "an old gate", "metadata": { "a": 1 }, "clientMessageId": "gate" });
        let gate = text(&bob.send(input.clone()).await["message"]["id"]);
        does(&bob, "messageEdit", json!({ "messageId": gate, "body": "an old door" }), "").await;
        let poll = "mutation($input: PollCreateInput!) { pollCreate(input: $input) { message { id } errors { code } } }";
        let asked = json!({ "conversationId": tea, "question": "An old question?", "options": ["yes", "no"] });
        let poll = text(&ann.ask(poll, json!({ "input": asked })).await["pollCreate"]["message"]["id"]);
        within("the mention", async { while unread(&bob, &tea).await.1 != 1 { tokio::task::yield_now().await; } }).await;
        assert_eq!(pass(&world, &olga, 29).await, (0, 0, 0));
        let young = text(&ann.send(json!({ "conversationId": tea, "body": "young", "replyToId": old })).await["message"]["id"]);
        assert_eq!(unread(&bob, &tea).await, (3, 1));

        let mut socket = bob.socket().await;
        let query = "subscription { events(input: { kinds: [MESSAGES_TRIMMED] }) { __typename ... on MessagesTrimmed {
            conversation { id } fromSequence throughSequence keptSequences isPurged } } }";
        socket.subscribe("s", query, json!({})).await;
        socket.until_caught_up("s").await;
        assert_eq!(preview(&olga, None, 30).await, json!({ "messageCount": 0, "heldCount": 0, "isComplete": true }));
        assert_eq!(preview(&olga, None, 29).await["messageCount"], json!(3));
        assert_eq!(pass(&world, &olga, 1).await, (3, 0, 0));
        let told = socket.event("s").await;
        assert_eq!((&told["conversation"]["id"], &told["isPurged"], &told["keptSequences"]), (&json!(tea), &json!(false), &json!([])));
        assert_eq!((&told["fromSequence"], &told["throughSequence"]), (&json!(1), &json!(3)));

        for person in [&ann, &bob] {
            assert_eq!(person.history(&tea).await, ["young"]);
            let found = person.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": [old, gate, poll, young] })).await;
            assert_eq!(found["nodes"], json!([null, null, null, { "id": young }]));
            let found = person.ask("query($c: ID!, $m: ID!) { conversation(id: $c) { lastMessage { id } lastSequence }
                message(id: $m) { replyTo { id } } mentions(first: 10) { nodes { id } } }", json!({ "c": tea, "m": young })).await;
            assert_eq!(found["conversation"], json!({ "lastMessage": { "id": young }, "lastSequence": 4 }));
            assert_eq!((&found["message"]["replyTo"], &found["mentions"]["nodes"]), (&Value::Null, &json!([])));
        }
        assert_eq!(unread(&bob, &tea).await, (1, 0));
        for (what, input, code) in [
            ("messageEdit", json!({ "messageId": gate, "body": "a door" }), "NOT_FOUND"),
            ("messageDelete", json!({ "messageId": gate }), "NOT_FOUND"),
            ("messageSend", json!({ "conversationId": tea, "body": "hm", "replyToId": gate }), "NOT_FOUND"),
        ] {
            let refused = does(&bob, what, input, "").await;
            assert_eq!(refused["errors"][0]["code"], json!(code), "{what}");
        }
        assert_eq!(bob.say(&tea, "younger").await["sequence"], json!(5), "places are not given twice");
        for (table, count) in [("messages", 2), ("trimmed_messages", 3), ("message_edits", 1), ("annotations", 1), ("mentions", 0)] {
            assert_eq!(world.db_count(table).await, count, "{table}");
        }

        assert_eq!(pass(&world, &olga, 7).await, (0, 3, 0));
        let told = socket.event("s").await;
        assert_eq!((&told["isPurged"], &told["fromSequence"], &told["throughSequence"]), (&json!(true), &json!(1), &json!(3)));
        for (table, count) in [("messages", 2), ("trimmed_messages", 0), ("message_edits", 0), ("message_details", 0), ("annotations", 0)] {
            assert_eq!(world.db_count(table).await, count, "{table}");
        }
        assert_eq!(world.db_count("idempotency_keys").await, 0, "what was kept for repetitions");
        assert_eq!(ann.history(&tea).await, ["young", "younger"]);
    }

    /// F: P-24, R-03
    async fn what_is_new_to_whom_stays_right(backend) {
        let (world, olga, ann, bob, tea) = tea(backend).await;
        let cid = world.person("cid").await;
        assert_eq!(ann.add(&tea, &[&cid]).await["errors"], json!([]));
        let mut ids = Vec::new();
        for number in 1..=9 {
            let person = [&ann, &bob, &cid][number % 3];
            ids.push(text(&person.say(&tea, &number.to_string()).await["id"]));
        }
        // Cid has hidden two of the others' for himself; ann has read half of it, bob nothing.
        for number in [3, 4] {
            does(&cid, "messageDelete", json!({ "messageId": ids[number - 1], "forEveryone": false }), "").await;
        }
        mark(&ann, &tea, 5).await;
        assert_eq!(pass(&world, &olga, 20).await, (0, 0, 0));
        for number in 10..=13 {
            [&ann, &bob, &cid][number % 3].say(&tea, &number.to_string()).await;
        }
        assert_eq!((unread(&ann, &tea).await.0, unread(&bob, &tea).await.0, unread(&cid, &tea).await.0), (5, 8, 7));
        let of_ann = async || unread(&ann, &tea).await.0;
        assert_eq!(pass(&world, &olga, 10).await, (9, 0, 0));
        // 10 is bob's, 11 cid's, 12 ann's, 13 bob's.
        assert_eq!((of_ann().await, unread(&bob, &tea).await.0, unread(&cid, &tea).await.0), (3, 2, 3));
        assert_eq!(mark(&bob, &tea, 4).await, json!(0), "what is gone was read by nobody");
        assert_eq!((mark(&ann, &tea, 10).await, of_ann().await), (json!(1), 2));
        assert_eq!((mark(&bob, &tea, 11).await, unread(&bob, &tea).await.0), (json!(1), 1));
        assert_eq!(pass(&world, &olga, 7).await, (0, 9, 0));
        assert_eq!((of_ann().await, unread(&bob, &tea).await.0, unread(&cid, &tea).await.0), (2, 1, 3));
        bob.say(&tea, "14").await;
        assert_eq!((mark(&ann, &tea, 99).await, mark(&cid, &tea, 99).await, mark(&bob, &tea, 99).await), (json!(3), json!(4), json!(1)));
        for person in [&ann, &bob, &cid] {
            assert_eq!(unread(person, &tea).await.0, 0, "{}", person.name);
        }
        let columns = "members WHERE own_since_read <> 0";
        assert_eq!(world.db_count(columns).await, 0, "nothing is counted that was read");
    }

    /// F: P-24, G-03
    async fn what_is_on_legal_hold_is_passed_over(backend) {
        let (world, olga, ann, bob, tea) = tea(backend).await;
        let held = bob.group("Held", &[&ann]).await;
        ann.say(&tea, "of ann").await;
        bob.say(&tea, "of bob").await;
        ann.say(&tea, "of ann again").await;
        ann.say(&held, "kept").await;
        let mo = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        for person in [&bob, &mo] {
            assert_eq!(refusal(&hold(person, json!({ "userId": bob.id, "reason": "a case" })).await).0, "NOT_ALLOWED");
            assert_eq!(person.fault("{ legalHolds(first: 1) { nodes { id } } }", json!({})).await, "NOT_ALLOWED");
        }
        for (input, code, field) in [
            (json!({ "reason": "a case" }), "INVALID", "conversationId"),
            (json!({ "userId": bob.id, "conversationId": held, "reason": "a case" }), "INVALID", "conversationId"),
            (json!({ "userId": "usr_00000000000000000000000000000000", "reason": "a case" }), "NOT_FOUND", "userId"),
            (json!({ "conversationId": bob.id, "reason": "a case" }), "NOT_FOUND", "conversationId"),
            (json!({ "userId": bob.id, "reason": " " }), "MISSING", "reason"),
        ] {
            assert_eq!(refusal(&hold(&olga, input.clone()).await), (code.into(), json!(["input", field])), "{input}");
        }
        let of_bob = hold(&olga, json!({ "userId": bob.id, "reason": "a case" })).await["legalHold"].take();
        let expected = json!({ "id": of_bob["id"], "conversationId": null, "user": { "name": "bob" }, "reason": "a case", "creator": { "name": "olga" } });
        assert_eq!(of_bob, expected);
        let of_held = hold(&olga, json!({ "conversationId": held, "reason": "another" })).await["legalHold"].take();
        assert_eq!(of_held["conversationId"], json!(held), "whoever runs the workspace need not take part");

        assert_eq!(pass(&world, &olga, 29).await, (0, 0, 0));
        assert_eq!(preview(&olga, None, 29).await, json!({ "messageCount": 2, "heldCount": 2, "isComplete": true }));
        assert_eq!(pass(&world, &olga, 1).await, (2, 0, 2));
        assert_eq!((ann.history(&tea).await, ann.history(&held).await), (vec!["of bob".to_owned()], vec!["kept".to_owned()]));
        // What was hidden by then is kept as well, though nobody sees it.
        let of_ann = hold(&olga, json!({ "userId": ann.id, "reason": "a third" })).await["legalHold"].take();
        assert_eq!(pass(&world, &olga, 8).await.1, 0);
        assert_eq!(world.db_count("trimmed_messages").await, 2);

        // Who is somebody else's admin lifts nothing here.
        let far = world.person_of("elsewhere", "odo", "owner").await;
        let lift = async |person: &Person, id: &Value| does(person, "legalHoldLift", json!({ "legalHoldId": id }), "liftedLegalHoldId").await;
        assert_eq!(refusal(&lift(&far, &of_bob["id"]).await), ("NOT_FOUND".into(), json!(["input", "legalHoldId"])));
        assert_eq!(refusal(&lift(&bob, &of_bob["id"]).await).0, "NOT_ALLOWED");
        for id in [&of_bob["id"], &of_ann["id"]] {
            assert_eq!(lift(&olga, id).await["liftedLegalHoldId"], *id);
        }
        assert_eq!(refusal(&lift(&olga, &of_bob["id"]).await).0, "NOT_FOUND", "it is lifted");
        assert_eq!(pass(&world, &olga, 1).await, (1, 2, 1));
        assert!(ann.history(&tea).await.is_empty());
        let left = olga.ask("{ legalHolds(first: 10) { nodes { id } } }", json!({})).await["legalHolds"]["nodes"].take();
        assert_eq!(left, json!([{ "id": of_held["id"] }]));
        let record = olga.ask("{ auditLog(first: 100) { nodes { action target } } }", json!({})).await;
        assert!(record["auditLog"]["nodes"].as_array().expect("lines").iter().any(|line| line["action"] == json!("LEGAL_HOLD_LIFTED")));
    }

    /// F: P-24
    async fn a_conversation_may_have_a_rule_of_its_own_and_another_workspace_is_left_alone(backend) {
        let (world, olga, ann, bob, tea) = tea(backend).await;
        let (short, kept, off) = (ann.group("Short", &[&bob]).await, ann.group("Kept", &[&bob]).await, ann.group("Off", &[]).await);
        let odo = world.person_of("elsewhere", "odo", "owner").await;
        let far = odo.group("Far", &[]).await;
        let start = bob.cursor().await;
        for place in [&tea, &short, &kept, &off] {
            ann.say(place, "hello").await;
        }
        odo.say(&far, "hello").await;
        switch(&olga, RETENTION, Some(&off), false).await;
        let asked = "query($c: ID!) { conversation(id: $c) { retention { rule days graceDays } } }";
        let shown = async |person: &Person, place: &str| person.ask(asked, json!({ "c": place })).await["conversation"]["retention"].take();
        assert_eq!(shown(&bob, &short).await, json!({ "rule": "WORKSPACE", "days": 30, "graceDays": 7 }));
        assert_eq!(shown(&odo, &far).await, Value::Null, "it is off there");

        let said_no = |payload: &Value| text(&payload["errors"][0]["pluginCode"]);
        assert_eq!(said_no(&set(&bob, &short, "DAYS", Some(3)).await), "NOT_ALLOWED");
        assert_eq!(said_no(&set(&olga, &short, "DAYS", Some(3)).await), "NO_CONVERSATION", "she takes no part");
        assert_eq!(refusal(&set(&odo, &short, "DAYS", Some(3)).await).0, "PLUGIN_DISABLED");
        assert_eq!(said_no(&set(&ann, &short, "DAYS", Some(0)).await), "NO_DAYS");
        assert_eq!(set(&ann, &short, "DAYS", Some(3)).await["retention"], json!({ "rule": "DAYS", "days": 3, "graceDays": 7 }));
        assert_eq!(set(&ann, &kept, "FOREVER", None).await["retention"]["days"], Value::Null);
        assert_eq!(shown(&bob, &short).await["days"], json!(3));

        assert_eq!(pass(&world, &olga, 2).await, (0, 0, 0));
        assert_eq!(pass(&world, &olga, 1).await, (1, 0, 0));
        assert_eq!((ann.history(&short).await.len(), ann.history(&tea).await.len()), (0, 1));
        // What a rule would take away is told before it is saved, to those who may save it.
        let found = |count: i64| json!({ "messageCount": count, "heldCount": 0, "isComplete": true });
        assert_eq!((preview(&ann, Some(&kept), 3).await, preview(&ann, Some(&kept), 4).await), (found(1), found(0)));
        for (person, place) in [(&bob, Some(kept.as_str())), (&olga, Some(&kept)), (&odo, Some(&kept)), (&ann, None)] {
            assert_eq!(preview(person, place, 3).await, Value::Null, "{}", person.name);
        }
        assert_eq!(ann.ask("{ retentionReports { endCursor } }", json!({})).await["retentionReports"], Value::Null);
        // Who comes back is told that something was said, and not what is there no more.
        let mut late = bob.socket().await;
        let query = "subscription($a: EventCursor!) { events(input: { after: $a, kinds: [MESSAGE_SENT, MESSAGES_TRIMMED] }) { __typename
            ... on MessageSent { conversation { id } message { body } } ... on MessagesTrimmed { conversation { id } throughSequence } } }";
        late.subscribe("l", query, json!({ "a": start })).await;
        let told = late.until_caught_up("l").await;
        let of = |place: &str| told.iter().filter(|event| event["conversation"]["id"] == json!(place)).collect::<Vec<_>>();
        let said = |body: Value, place: &str| json!({ "__typename": "MessageSent", "conversation": { "id": place }, "message": body });
        assert_eq!(of(&tea), [&said(json!({ "body": "hello" }), &tea)]);
        let trimmed = json!({ "__typename": "MessagesTrimmed", "conversation": { "id": short }, "throughSequence": 1 });
        assert_eq!(of(&short), [&said(Value::Null, &short), &trimmed]);
        assert_eq!(pass(&world, &olga, 27).await, (1, 1, 0));
        assert_eq!((ann.history(&tea).await.len(), ann.history(&kept).await.len(), ann.history(&off).await.len()), (0, 1, 1));
        assert_eq!(odo.history(&far).await, ["hello"]);
    }

    /// F: P-24, L-07
    async fn a_node_that_is_killed_in_a_run_takes_each_message_away_once(backend) {
        let mut nodes = Nodes::start(backend, 2).await;
        let operator = nodes.somebody("root", Some("operator")).await;
        let room = operator.group("Works", &[]).await;
        for some in (0..MESSAGES).collect::<Vec<_>>().chunks(100) {
            join_all(some.iter().map(|number| {
                let (operator, room) = (operator.clone(), room.clone());
                async move { operator.say(&room, &number.to_string()).await }
            })).await;
        }
        switch(&operator, RETENTION, None, true).await;
        let is_ready = json!({ "id": RETENTION, "isReady": true });
        within("the plugin", async {
            let asked = "{ plugins { id isReady } }";
            while !operator.ask(asked, json!({})).await["plugins"].as_array().is_some_and(|all| all.contains(&is_ready)) {}
        }).await;
        let long_ago = 40 * DAY.as_millis();
        for table in ["messages", "conversations"] {
            nodes.db_execute(&format!("UPDATE {table} SET created_at = created_at - {long_ago}")).await;
        }
        let due = "UPDATE jobs SET due_at = 0 WHERE due_at IS NOT NULL AND kind = 'plugin_due' AND key LIKE '%retention%'";
        nodes.kill(0).await;
        nodes.db_execute(due).await;
        nodes.rise(0).await;
        let mut hidden = 0;
        for round in 0.. {
            within("a piece", async {
                loop {
                    if hidden == 0 {
                        // What follows from a schedule that is due is due when that was to be, which is not yet.
                        nodes.db_execute("UPDATE jobs SET due_at = 0 WHERE state = 'waiting' AND kind = 'plugin_run'").await;
                    }
                    let now = nodes.db_count("trimmed_messages").await;
                    if now > hidden || now == MESSAGES as i64 {
                        hidden = now;
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }).await;
            if hidden == MESSAGES as i64 {
                break;
            }
            let victim = round % nodes.count();
            nodes.kill(victim).await;
            nodes.db_execute("UPDATE jobs SET due_at = 0 WHERE state = 'running' AND kind IN ('plugin_due', 'plugin_run')").await;
            nodes.rise(victim).await;
        }
        let operator = nodes.at(&operator, 0);
        let found = within("the end of the run", async {
            loop {
                let found = reports(&operator).await;
                if found.first().is_some_and(|report| !report["finishedAt"].is_null()) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        }).await;
        assert_eq!((found.len(), &found[0]["hiddenCount"]), (1, &json!(MESSAGES)), "each was counted once");
        assert_eq!((nodes.db_count("trimmed_messages").await, nodes.db_count("messages").await), (MESSAGES as i64, 0));
        let told = nodes.db_count("events WHERE fact LIKE '%MessagesTrimmed%'").await;
        assert_eq!(told, 3, "one event for a piece");
        assert!(operator.history(&room).await.is_empty());
    }
}
