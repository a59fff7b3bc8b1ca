//! How plugins are treated by those who run the place: their order, what their failures lead to, how much they may take,
//! what they are entrusted with; how they do; and what becomes of what they could not do.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World,
        account::does,
        guest::{GUEST, answer, configure, guest, owner, run, switch},
        packages::{change, seen, try_change},
        person::{refusal, text},
        socket::Socket,
        wat::Guest,
        within,
    },
};

/// Another plugin of the same kind.
const OTHER: &str = "example.other";

/// A hub with the guest, on in the workspace `default`, whose owner is answered.
async fn hosting(backend: Backend) -> (World, Person) {
    let world = Setup::new(backend).nodes(2).plugin(guest(|_| {})).start().await;
    let owner = owner(&world).await;
    switch(&owner, GUEST, None, true).await;
    (world, owner)
}

/// Says something, and answers what stands there then, or why nothing does.
async fn said(person: &Person, conversation: &str, body: &str) -> Value {
    let query = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { body }
        held { state } errors { code path message plugin pluginCode } } }";
    let input = json!({ "conversationId": conversation, "body": body });
    person.ask(query, json!({ "input": input })).await["messageSend"].take()
}

async fn is_heard(person: &Person, count: &str) {
    within("what the plugin heard", async {
        while answer(person, "read", json!({ "key": "heard" })).await != count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Five thousand times what happened last, if it was a message.
const AGAIN_AND_AGAIN: &str =
    "INSERT INTO events (workspace_id, position, at, actor_id, conversation_id, user_id, fact, depth)
    WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 5000)
    SELECT e.workspace_id, e.position + number, e.at, e.actor_id, e.conversation_id, e.user_id, e.fact, e.depth
    FROM events e JOIN logs l ON l.workspace_id = e.workspace_id AND l.head = e.position CROSS JOIN numbers
    WHERE e.fact LIKE '%MessageSent%'";
const SO_FAR: &str =
    "UPDATE logs SET head = (SELECT MAX(position) FROM events e WHERE e.workspace_id = logs.workspace_id)
    WHERE EXISTS (SELECT 1 FROM events e WHERE e.workspace_id = logs.workspace_id)";
/// Where the guest has not heard of everything.
const BEHIND: &str = "plugin_workspaces p JOIN logs l ON l.workspace_id = p.workspace_id
    WHERE p.plugin_id = 'test.guest' AND p.position < l.head";

stories! {
    /// F: P-03
    async fn the_order_of_plugins_is_for_admins_to_say(backend) {
        let other = guest(|manifest| {
            manifest["id"] = json!(OTHER);
            manifest["hooks"]["before-create"] = json!({ "priority": 5 });
        });
        let world = Setup::new(backend).nodes(2).plugin(guest(|_| {})).plugin(other).start().await;
        let owner = owner(&world).await;
        for (plugin, mark) in [(GUEST, " one"), (OTHER, " two")] {
            switch(&owner, plugin, None, true).await;
            let input = json!({ "pluginId": plugin, "configuration": { "mark": mark } });
            assert_eq!(does(&owner, "pluginConfigure", input, "").await["errors"], json!([]));
        }
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        assert_eq!(said(&ann, &tea, "tea").await["message"]["body"], json!("tea one two"));
        change(&owner, "pluginSettingsUpdate", json!({ "priority": 6 })).await;
        assert_eq!(said(&ann, &tea, "tea").await["message"]["body"], json!("tea two one"));
        assert_eq!(seen(&owner, "settings { priority }").await["settings"], json!({ "priority": 6 }));
        change(&owner, "pluginSettingsUpdate", json!({ "priority": null })).await;
        assert_eq!(said(&ann, &tea, "tea").await["message"]["body"], json!("tea one two"));
        // For the whole hub, which a workspace is closer to than.
        let operator = world.operator().await;
        change(&operator, "pluginSettingsUpdate", json!({ "scope": "HUB", "priority": 7 })).await;
        assert_eq!(said(&ann, &tea, "tea").await["message"]["body"], json!("tea two one"));
        change(&owner, "pluginSettingsUpdate", json!({ "priority": -7 })).await;
        assert_eq!(said(&ann, &tea, "tea").await["message"]["body"], json!("tea one two"));
        let ada = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        assert_eq!(refusal(&try_change(&ada, "pluginSettingsUpdate", json!({ "priority": 1 })).await).0, "NOT_ALLOWED");
    }

    /// F: P-04
    async fn what_a_failure_leads_to_is_for_admins_to_say(backend) {
        let (world, owner) = hosting(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        assert_eq!(said(&ann, &tea, "!reject").await["errors"][0]["pluginCode"], json!("NOT_HERE"));
        assert_eq!(said(&ann, &tea, "!fail").await["message"]["body"], json!("!fail"), "the manifest says open");
        let policy = |policy: &str| json!({ "failurePolicies": [{ "hook": "BEFORE_CREATE", "policy": policy }] });
        change(&owner, "pluginSettingsUpdate", policy("CLOSED")).await;
        assert_eq!(said(&ann, &tea, "!fail").await["errors"][0]["pluginCode"], json!("PLUGIN_UNAVAILABLE"));
        change(&owner, "pluginSettingsUpdate", policy("HOLD")).await;
        assert_eq!(said(&ann, &tea, "!fail").await["held"], json!({ "state": "WAITING" }));
        assert_eq!(said(&ann, &tea, "tea").await["message"]["body"], json!("tea"));
        let shown = seen(&owner, "settings { failurePolicies { hook policy } }").await;
        assert_eq!(shown["settings"]["failurePolicies"], json!([{ "hook": "BEFORE_CREATE", "policy": "HOLD" }]));
        let bad = json!({ "failurePolicies": [{ "hook": "BEFORE_EDIT", "policy": "HOLD" }] });
        let refused = try_change(&owner, "pluginSettingsUpdate", bad).await;
        assert_eq!(refusal(&refused), ("INVALID".to_owned(), json!(["input", "failurePolicies"])));
        change(&owner, "pluginSettingsUpdate", json!({ "failurePolicies": null })).await;
        assert_eq!(said(&ann, &tea, "!fail").await["message"]["body"], json!("!fail"));
    }

    /// F: P-01, P-11
    async fn limits_are_raised_by_operators_and_lowered_by_workspaces(backend) {
        let (world, owner) = hosting(backend).await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        let limits = |scope: &str, limits: Value| json!({ "scope": scope, "limits": limits });
        change(&operator, "pluginSettingsUpdate", limits("HUB", json!({ "memoryBytes": 67_108_864, "hostCalls": 20_000 }))).await;
        let shown = seen(&owner, "hubSettings { limits { memoryBytes hostCalls effects } }").await;
        let expected = json!({ "memoryBytes": 67_108_864, "hostCalls": 20_000, "effects": null });
        assert_eq!(shown["hubSettings"]["limits"], expected);
        for (person, scope, wrong) in [
            (&operator, "HUB", json!({ "memoryBytes": 1 << 30 })),
            (&operator, "HUB", json!({ "beforeCpuMs": 0 })),
            (&owner, "WORKSPACE", json!({ "memoryBytes": 100_000_000 })),
            (&owner, "WORKSPACE", json!({ "afterMs": 6_000 })),
        ] {
            let refused = try_change(person, "pluginSettingsUpdate", limits(scope, wrong.clone())).await;
            assert_eq!(refusal(&refused).0, "INVALID", "{wrong}");
        }
        // What a workspace has said does not outlive an operator who gives less.
        change(&owner, "pluginSettingsUpdate", limits("WORKSPACE", json!({ "hostCalls": 15_000, "memoryBytes": 50_000_000 }))).await;
        change(&operator, "pluginSettingsUpdate", limits("HUB", json!({ "hostCalls": 1 }))).await;
        assert_eq!(refusal(&run(&ann, "swap", None, json!({})).await).0, "PLUGIN_FAILED");
        change(&operator, "pluginSettingsUpdate", limits("HUB", json!({ "memoryBytes": 67_108_864, "hostCalls": 20_000 }))).await;
        // What it may take bites: here it may not call the hub.
        assert_eq!(answer(&ann, "count", json!({})).await, "1");
        change(&owner, "pluginSettingsUpdate", limits("WORKSPACE", json!({ "afterMs": 50, "effects": 0 }))).await;
        assert_eq!(refusal(&run(&ann, "spin", None, json!({})).await).0, "PLUGIN_FAILED");
        let tea = ann.group("Tea", &[]).await;
        let refused = run(&ann, "post", None, json!({ "where": tea, "body": "tea" })).await;
        assert_eq!(refusal(&refused).0, "PLUGIN_FAILED");
        let health = seen(&owner, "health { calls failures { kind count } isBreakerOpen wallTime { p50 p99 max } memoryPeakBytes }").await;
        let health = &health["health"];
        let failures: Vec<_> = health["failures"].as_array().expect("failures").iter().map(|one| text(&one["kind"])).collect();
        assert!(failures.contains(&"CPU_TIME".to_owned()) || failures.contains(&"WALL_TIME".to_owned()), "{health}");
        assert!(health["calls"].as_u64() >= Some(4) && health["memoryPeakBytes"].as_u64() > Some(0), "{health}");
        assert!(health["wallTime"]["max"].as_f64() >= Some(10.0), "{health}");
        assert_eq!(health["isBreakerOpen"], json!(false));
        change(&owner, "pluginSettingsUpdate", limits("WORKSPACE", Value::Null)).await;
        assert_eq!(answer(&ann, "post", json!({ "where": tea, "body": "tea" })).await, "*posted*");
    }

    /// F: P-04, P-08
    async fn a_call_that_takes_as_long_as_it_may_is_one_node_s_alone(backend) {
        // It takes a moment of real time, in which the hub's clock goes on for longer than a turn usually lasts.
        let body = "(local $left i64) (local.set $left (i64.const 3000000000))
            (loop $more (local.set $left (i64.sub (local.get $left) (i64.const 1)))
                (br_if $more (i64.ne (local.get $left) (i64.const 0)))) (i32.const 16)";
        let slow = Guest::new().id("test.slow").only("event-hooks", json!({ "on-events": { "events": ["message_sent"] } }));
        let slow = slow.does("event-hooks", "on-events", body).build();
        let world = Setup::new(backend).nodes(2).plugin(slow).start().await;
        let (operator, owner, ann) = (world.operator().await, owner(&world).await, world.person("ann").await);
        let input = json!({ "pluginId": "test.slow", "scope": "HUB", "limits": { "afterMs": 60_000 } });
        assert_eq!(does(&operator, "pluginSettingsUpdate", input, "").await["errors"], json!([]));
        let tea = ann.group("Tea", &[]).await;
        switch(&owner, "test.slow", None, true).await;
        ann.say(&tea, "tea").await;
        let of = "plugin_workspaces WHERE plugin_id = 'test.slow'";
        within("its turn", async {
            while world.db_count(&format!("{of} AND lease IS NOT NULL")).await == 0 {
                tokio::task::yield_now().await;
            }
        }).await;
        world.clock.advance(Duration::from_secs(100));
        within("the end of its turn", async {
            while world.db_count(&format!("{of} AND lease IS NOT NULL")).await > 0 {
                tokio::task::yield_now().await;
            }
        }).await;
        let mut calls = 0;
        for node in 0..world.node_count() {
            let found = owner.at(&world, node).ask("{ plugins { id health { calls failures { kind } } } }", json!({})).await;
            let plugins = found["plugins"].as_array().expect("plugins").clone();
            let slow = plugins.into_iter().find(|plugin| plugin["id"] == json!("test.slow")).expect("it is there");
            assert_eq!(slow["health"]["failures"], json!([]));
            calls += slow["health"]["calls"].as_u64().expect("a number");
        }
        assert_eq!(calls, 1);
    }

    /// F: P-05
    async fn secrets_are_entrusted_by_name_and_never_shown(backend) {
        let (world, owner) = hosting(backend).await;
        let ann = world.person("ann").await;
        let shown = async || seen(&owner, "secrets { name description isSet }").await["secrets"].take();
        let secret = |is_set: bool| json!([{ "name": "key", "description": "What it signs with.", "isSet": is_set }]);
        assert_eq!(shown().await, secret(false));
        assert_eq!(refusal(&run(&ann, "sign", None, json!({ "words": "tea" })).await).0, "PLUGIN_FAILED");
        change(&owner, "pluginSecretSet", json!({ "name": "key", "value": "Jefe" })).await;
        assert_eq!(shown().await, secret(true));
        // The second case of RFC 4231.
        let signed = answer(&ann, "sign", json!({ "words": "what do ya want for nothing?" })).await;
        assert_eq!(signed, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        for (what, input, expected) in [
            ("pluginSecretSet", json!({ "name": "other", "value": "x" }), ("NOT_FOUND", "name")),
            ("pluginSecretSet", json!({ "name": "key", "value": "" }), ("MISSING", "value")),
            ("pluginSecretSet", json!({ "name": "key", "value": "x".repeat(4_097) }), ("TOO_LONG", "value")),
            ("pluginSecretRemove", json!({ "name": "other" }), ("NOT_FOUND", "name")),
        ] {
            let refused = refusal(&try_change(&owner, what, input).await);
            assert_eq!(refused, (expected.0.to_owned(), json!(["input", expected.1])));
        }
        let record = owner.ask("{ auditLog(first: 50) { nodes { details { name value } } } }", json!({})).await;
        assert!(record.to_string().contains("entrusted") && !record.to_string().contains("Jefe"), "{record}");
        change(&owner, "pluginSecretRemove", json!({ "name": "key" })).await;
        assert_eq!(shown().await, secret(false));
        assert_eq!(refusal(&run(&ann, "sign", None, json!({ "words": "tea" })).await).0, "PLUGIN_FAILED");
    }

    /// F: P-04, P-11
    async fn what_a_plugin_fails_at_again_and_again_is_laid_aside_and_handed_over_once_more(backend) {
        let (world, owner) = hosting(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        ann.say(&tea, "one").await;
        is_heard(&ann, "1").await;
        for body in ["!break it", "!break it more", "two"] {
            ann.say(&tea, body).await;
        }
        let letters = async || {
            let query = "deadLetters(first: 10) { nodes { id problem attempts } }";
            seen(&owner, query).await["deadLetters"]["nodes"].as_array().expect("letters").clone()
        };
        within("what is laid aside", async {
            while letters().await.len() < 2 {
                world.clock.advance(std::time::Duration::from_secs(31));
                tokio::task::yield_now().await;
            }
        }).await;
        // What came after it has gone on.
        is_heard(&ann, "2").await;
        let laid = letters().await;
        assert!(laid.iter().all(|letter| text(&letter["problem"]).contains("it is broken")), "{laid:?}");
        let retry = async |letter: &Value| does(&owner, "deadLetterRetry", json!({ "deadLetterId": letter["id"] }), "plugin { id }").await;
        assert_eq!(refusal(&retry(&laid[0]).await).0, "PLUGIN_FAILED");
        assert_eq!(letters().await[0]["attempts"], json!(2));
        let record = "{ auditLog(last: 1) { nodes { details { name value } } } }";
        let record = owner.ask(record, json!({})).await.to_string();
        assert!(record.contains("failed again"), "who tried it in vain tried it: {record}");
        answer(&ann, "mend", json!({})).await;
        assert_eq!(retry(&laid[0]).await["plugin"]["id"], json!(GUEST));
        is_heard(&ann, "3").await;
        assert_eq!(refusal(&retry(&laid[0]).await).0, "NOT_FOUND", "it is done once");
        let discard = async |person: &Person, letter: &Value| {
            does(person, "deadLetterDiscard", json!({ "deadLetterId": letter["id"] }), "plugin { id }").await
        };
        assert_eq!(refusal(&discard(&ann, &laid[1]).await).0, "NOT_ALLOWED");
        let elsewhere = world.person_of("elsewhere", "odo", "owner").await;
        assert_eq!(refusal(&discard(&elsewhere, &laid[1]).await).0, "NOT_FOUND", "it is nobody else's");
        assert_eq!(discard(&owner, &laid[1]).await["errors"], json!([]));
        assert!(letters().await.is_empty());
        is_heard(&ann, "3").await;
    }

    /// F: P-02, P-08
    async fn one_that_wants_to_hear_of_some_words_is_told_of_no_others(backend) {
        let wants = guest(|manifest| manifest["hooks"]["on-events"]["containing"] = json!(["tea", "☕"]));
        let world = Setup::new(backend).nodes(2).plugin(wants).start().await;
        let owner = owner(&world).await;
        switch(&owner, GUEST, None, true).await;
        let ann = world.person("ann").await;
        let room = ann.group("Kitchen", &[]).await;
        for body in ["coffee?", "tea?", "rather a ☕", "TEA", "teapot", "no"] {
            ann.say(&room, body).await;
        }
        is_heard(&ann, "3").await;
        within("the end of what there is to tell", async {
            while seen(&owner, "lag").await["lag"] != json!(0) {
                tokio::task::yield_now().await;
            }
        }).await;
        is_heard(&ann, "3").await;
    }

    /// F: P-04, L-03
    async fn what_was_laid_aside_is_kept_for_as_long_as_its_event(backend) {
        let (world, owner) = hosting(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let letters = async || {
            let laid = seen(&owner, "deadLetters(first: 10) { nodes { id } }").await["deadLetters"]["nodes"].take();
            laid.as_array().expect("letters").clone()
        };
        let are = async |what: &str, count: usize| {
            within(what, async {
                while letters().await.len() != count {
                    world.clock.advance(std::time::Duration::from_secs(31));
                    tokio::task::yield_now().await;
                }
            }).await;
        };
        ann.say(&tea, "!break it").await;
        are("the first letter", 1).await;
        let first = letters().await;
        world.clock.advance(std::time::Duration::from_hours(29 * 24));
        ann.say(&tea, "!break it more").await;
        are("the second letter", 2).await;
        world.clock.advance(std::time::Duration::from_hours(2 * 24));
        are("the end of the first letter", 1).await;
        assert_ne!(letters().await, first, "the younger one stays");
    }

    /// F: P-04
    async fn one_event_that_a_plugin_cannot_do_with_leaves_it_on(backend) {
        let (world, owner) = hosting(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        for bodies in [["one", "!break it", "two"], ["three", "!break it more", "four"]] {
            for body in bodies {
                ann.say(&tea, body).await;
            }
        }
        // As long as it takes: it is tried again after two seconds, four, eight …
        within("what is laid aside", async {
            let mut failed = 0;
            loop {
                let mut times = 0;
                // Each node knows of its own calls.
                for node in 0..world.node_count() {
                    let fields = "isOn health { failures { count } } deadLetters(first: 3) { nodes { id } }";
                    let seen = seen(&owner.at(&world, node), fields).await;
                    assert_eq!(seen["isOn"], json!(true), "{seen}");
                    if seen["deadLetters"]["nodes"].as_array().is_some_and(|letters| letters.len() == 2) {
                        return;
                    }
                    times += seen["health"]["failures"][0]["count"].as_u64().unwrap_or_default();
                }
                if times > failed {
                    failed = times;
                    world.clock.advance(std::time::Duration::from_secs(33));
                }
                tokio::task::yield_now().await;
            }
        }).await;
        is_heard(&ann, "4").await;
        assert_eq!(seen(&owner, "isOn").await["isOn"], json!(true));
    }

    /// F: P-06
    async fn what_was_missed_is_caught_up_with_or_skipped(backend) {
        let (world, owner) = hosting(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        ann.say(&tea, "one").await;
        is_heard(&ann, "1").await;
        switch(&owner, GUEST, None, false).await;
        ann.say(&tea, "two").await;
        change(&owner, "pluginEnable", json!({ "missedEvents": "CATCH_UP" })).await;
        is_heard(&ann, "2").await;
        switch(&owner, GUEST, None, false).await;
        ann.say(&tea, "three").await;
        change(&owner, "pluginEnable", json!({ "missedEvents": "SKIP" })).await;
        ann.say(&tea, "four").await;
        is_heard(&ann, "3").await;
        assert_eq!(answer(&ann, "read", json!({ "key": "enabled" })).await, "3");
        assert_eq!(answer(&ann, "read", json!({ "key": "disabled" })).await, "2");
        configure(&owner, json!({})).await;
    }

    /// F: P-06, L-04
    async fn a_hub_that_goes_away_does_not_tell_everything_first(backend) {
        let mut world = Setup::new(backend).plugin(guest(|_| {})).start().await;
        let owner = owner(&world).await;
        switch(&owner, GUEST, None, true).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        ann.say(&tea, "again and again").await;
        is_heard(&ann, "1").await;
        world.stop(0).await;
        world.db_execute(&format!("{AGAIN_AND_AGAIN}; {SO_FAR}")).await;
        world.start(0).await;
        let ann = ann.at(&world, 0);
        within("a part of it", async {
            while answer(&ann, "read", json!({ "key": "heard" })).await == "1" {
                tokio::task::yield_now().await;
            }
        }).await;
        world.stop(0).await;
        assert_eq!(world.db_count(BEHIND).await, 1, "it was told everything before the hub went away");
        world.start(0).await;
        is_heard(&ann.at(&world, 0), "5001").await;
    }

    /// F: P-11
    async fn what_a_plugin_writes_is_seen_while_it_comes_and_by_admins_alone(backend) {
        let (world, owner) = hosting(backend).await;
        let ann = world.person("ann").await;
        assert_eq!(refusal(&run(&ann, "fail", None, json!({})).await).0, "PLUGIN_FAILED");
        let query = "subscription($p: ID!) { pluginLogs(input: { pluginId: $p }) { level text } }";
        let mut socket = owner.at(&world, 1).socket().await;
        socket.subscribe("logs", query, json!({ "p": GUEST })).await;
        // The plugin's own last words, and then what the hub says of it.
        let heard = async |socket: &mut Socket| {
            loop {
                let line = socket.next("logs").await["data"]["pluginLogs"].take();
                assert_eq!(line["level"], json!("ERROR"), "{line}");
                if text(&line["text"]).starts_with("command failed: ") {
                    return;
                }
            }
        };
        heard(&mut socket).await;
        for _ in 0..3 {
            assert_eq!(refusal(&run(&ann, "fail", None, json!({})).await).0, "PLUGIN_FAILED");
            heard(&mut socket).await;
        }
        let logs = seen(&owner, "logs { text }").await;
        let own = |line: &&Value| text(&line["text"]).contains("as it was told to");
        assert!(logs["logs"].as_array().expect("lines").iter().filter(own).count() >= 4, "{logs}");
        socket.subscribe("nowhere", query, json!({ "p": "example.nowhere" })).await;
        let nowhere = socket.hear_of("nowhere").await;
        assert!(text(&nowhere["payload"][0]["message"]).contains("no such plugin"), "{nowhere}");
        let mut socket = ann.socket().await;
        socket.subscribe("logs", query, json!({ "p": GUEST })).await;
        assert_eq!(socket.hear_of("logs").await["payload"][0]["extensions"]["code"], json!("NOT_ALLOWED"));
    }
}
