//! Plugins at work: the two that come with the hub, switched and configured while people talk.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        guest::{GUEST, guest, owner, switch},
        person::{refusal, text},
        within,
    },
};

const MODERATION: &str = "jackfield.moderation";
const MENTIONS: &str = "jackfield.mentions";

/// Moderation with these rules, in the workspace `default`, whose owner is answered.
async fn moderated(world: &World, rules: Value) -> Person {
    let owner = world.person_with("olga", json!({ "roles": ["owner"] })).await;
    enable(&owner, MODERATION).await;
    configure(&owner, json!({ "rules": rules })).await;
    owner
}

async fn enable(owner: &Person, plugin: &str) {
    let done = does(owner, "pluginEnable", json!({ "pluginId": plugin }), "plugin { isOn }").await;
    assert_eq!(done, json!({ "plugin": { "isOn": true }, "errors": [] }));
}

async fn configure(owner: &Person, configuration: Value) {
    let input = json!({ "pluginId": MODERATION, "configuration": configuration });
    assert_eq!(does(owner, "pluginConfigure", input, "").await["errors"], json!([]));
}

/// Says something, and answers what came of it.
async fn said(person: &Person, conversation: &str, body: &str, key: Option<&str>) -> Value {
    let input = json!({ "conversationId": conversation, "body": body, "clientMessageId": key });
    let query = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id body sequence }
        held { id state reason body plugin } errors { code path message plugin pluginCode } } }";
    person.ask(query, json!({ "input": input })).await["messageSend"].take()
}

/// Waits until the messages that mention somebody are these.
async fn is_mentioned_by(person: &Person, unread: bool, bodies: &[&str]) {
    let query = "query($u: Boolean!) { mentions(unread: $u, first: 50) { nodes { body } } }";
    within("the mentions", async {
        loop {
            let found = person.ask(query, json!({ "u": unread })).await;
            let nodes = found["mentions"]["nodes"].as_array().expect("nodes").clone();
            if nodes.iter().map(|node| text(&node["body"])).collect::<Vec<_>>() == bodies {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

stories! {
    /// F: P-21, P-03
    async fn who_is_mentioned_is_told_listed_and_counted(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob, cleo) = (world.person("ann").await, world.person("bob").await, world.person("Cléo de Mérode").await);
        let tea = ann.group("Tea", &[&bob, &cleo]).await;
        let mut socket = bob.at(&world, 1).socket().await;
        let query = "subscription { events(input: { kinds: [MENTIONS_UPDATED] }) { __typename
            ... on MentionsUpdated { message { body } users { name } } } }";
        socket.subscribe("s", query, json!({})).await;
        socket.until_caught_up("s").await;
        let first = text(&ann.say(&tea, "hello @bob, not `@Cléo de Mérode`").await["id"]);
        let told = socket.event("s").await;
        assert_eq!(told, json!({ "__typename": "MentionsUpdated",
            "message": { "body": "hello @bob, not `@Cléo de Mérode`" }, "users": [{ "name": "bob" }] }));
        is_mentioned_by(&bob, true, &["hello @bob, not `@Cléo de Mérode`"]).await;
        is_mentioned_by(&cleo, false, &[]).await;
        let count = "query($c: ID!) { conversation(id: $c) { unreadMentionCount unreadCount } }";
        let counted = async |person: &Person| person.ask(count, json!({ "c": tea })).await["conversation"].take();
        assert_eq!(counted(&bob).await, json!({ "unreadMentionCount": 1, "unreadCount": 1 }));
        assert_eq!(counted(&cleo).await, json!({ "unreadMentionCount": 0, "unreadCount": 1 }));

        // An edit adds some and takes others back.
        does(&ann, "messageEdit", json!({ "messageId": first, "body": "hello @cleo de merode" }), "").await;
        is_mentioned_by(&cleo, false, &["hello @cleo de merode"]).await;
        is_mentioned_by(&bob, false, &[]).await;
        ann.say(&tea, "@all, tea is ready").await;
        is_mentioned_by(&bob, true, &["@all, tea is ready"]).await;
        is_mentioned_by(&cleo, true, &["hello @cleo de merode", "@all, tea is ready"]).await;
        is_mentioned_by(&ann, false, &[]).await;

        // What was read is not new, what was deleted is gone, and who is not there is not mentioned.
        does(&cleo, "conversationMarkRead", json!({ "conversationId": tea }), "").await;
        is_mentioned_by(&cleo, true, &[]).await;
        does(&ann, "messageDelete", json!({ "messageId": first, "forEveryone": true }), "").await;
        is_mentioned_by(&cleo, false, &["@all, tea is ready"]).await;
        let eve = world.person("eve").await;
        let found = ann.ask("query($c: ID!) { conversation(id: $c) { messages(last: 1) { nodes { mentions { name } } } } }", json!({ "c": tea })).await;
        assert_eq!(found["conversation"]["messages"]["nodes"][0]["mentions"], json!([{ "name": "bob" }, { "name": "Cléo de Mérode" }]));
        ann.say(&tea, "@eve @bob").await;
        is_mentioned_by(&bob, true, &["@all, tea is ready", "@eve @bob"]).await;
        is_mentioned_by(&eve, false, &[]).await;
    }

    /// F: P-21
    async fn here_means_who_is_there_at_whichever_node_and_an_edit_asks_nobody_again(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob, mo) = (world.person("ann").await, world.person("bob").await, world.person("mo").await);
        let tea = ann.group("Tea", &[&bob, &mo]).await;
        let mut socket = bob.at(&world, 1).socket().await;
        socket.follow("e", json!({})).await;
        let mentioned = async |message: &str| {
            let found = ann.ask("query($id: ID!) { message(id: $id) { mentions { name } } }", json!({ "id": message })).await;
            found["message"]["mentions"].clone()
        };
        // Who is at which node the others hear a moment later.
        let of_bob = json!([{ "name": "bob" }]);
        within("the word that somebody is there", async {
            loop {
                let message = text(&ann.say(&tea, "@here?").await["id"]);
                let round = text(&ann.say(&tea, "@mo, well").await["id"]);
                while mentioned(&round).await != json!([{ "name": "mo" }]) {}
                if mentioned(&message).await == of_bob {
                    return;
                }
            }
        })
        .await;
        let mut said = Vec::new();
        for number in 0..6 {
            said.push(text(&ann.at(&world, number % 2).say(&tea, &format!("@here, number {number}")).await["id"]));
        }
        for message in &said {
            within("a mention", async { while mentioned(message).await != of_bob {} }).await;
        }

        // Bob goes and Mo comes; what was said before was said to Bob.
        drop(socket);
        let mut socket = mo.at(&world, 1).socket().await;
        socket.follow("e", json!({})).await;
        does(&ann, "messageEdit", json!({ "messageId": said[0], "body": "@here, number none, @mo" }), "").await;
        let both = json!([{ "name": "bob" }, { "name": "mo" }]);
        within("a mention more", async { while mentioned(&said[0]).await != both {} }).await;
    }

    /// F: P-23, P-08
    async fn what_is_refused_counts_once_however_often_it_is_asked(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let rules = json!([{ "kind": "words", "action": "reject", "words": ["heck"] }]);
        let owner = moderated(&world, rules).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob, &owner]).await;

        let refused = said(&ann, &tea, "what the HECK", Some("one")).await;
        assert_eq!(refused["message"], Value::Null, "{refused}");
        assert_eq!(refused["errors"][0]["code"], json!("REFUSED_BY_PLUGIN"));
        assert_eq!((&refused["errors"][0]["plugin"], &refused["errors"][0]["pluginCode"]), (&json!(MODERATION), &json!("WORD_NOT_ALLOWED")));
        // The answer was lost, and it is sent again and again, at both nodes: that is no second strike.
        for node in [0, 1, 0, 1] {
            assert_eq!(said(&ann.at(&world, node), &tea, "what the HECK", Some("one")).await, refused);
        }
        assert_eq!(refusal(&said(&ann, &tea, "something else", Some("one")).await).0, "IDEMPOTENCY_KEY_REUSED");
        assert_eq!(said(&ann, &tea, "all is well", None).await["message"]["sequence"], json!(1));
        assert_eq!(said(&owner, &tea, "heck", None).await["errors"], json!([]), "owners are not looked at");

        // At the third strike somebody is silent for an hour.
        for number in 0..2 {
            assert_eq!(said(&ann, &tea, &format!("heck {number}"), None).await["errors"][0]["pluginCode"], json!("WORD_NOT_ALLOWED"));
        }
        assert_eq!(said(&ann, &tea, "I am sorry", None).await["errors"][0]["pluginCode"], json!("MUTED"));
        assert_eq!(said(&bob, &tea, "who is?", None).await["errors"], json!([]));
        world.clock.advance(std::time::Duration::from_secs(61 * 60));
        assert_eq!(said(&ann, &tea, "I was", None).await["errors"], json!([]));
    }

    /// F: P-23, A-03
    async fn what_a_plugin_counts_in_one_workspace_is_nobodys_business_in_another(backend) {
        let world = World::new(backend).await;
        let rules = json!([{ "kind": "words", "action": "reject", "words": ["heck"] }]);
        moderated(&world, rules.clone()).await;
        let elsewhere = world.person_of("elsewhere", "odo", "owner").await;
        let (ann, other) = (world.person("ann").await, world.person_of("elsewhere", "ann", "member").await);
        let (tea, coffee) = (ann.group("Tea", &[]).await, other.group("Coffee", &[]).await);
        assert_eq!(said(&other, &coffee, "heck", None).await["errors"], json!([]), "it is off there");
        enable(&elsewhere, MODERATION).await;
        assert_eq!(said(&other, &coffee, "heck", None).await["errors"], json!([]), "and has no rules");
        configure(&elsewhere, json!({ "rules": rules })).await;
        for _ in 0..3 {
            assert_eq!(said(&ann, &tea, "heck", None).await["errors"][0]["pluginCode"], json!("WORD_NOT_ALLOWED"));
        }
        assert_eq!(said(&ann, &tea, "well", None).await["errors"][0]["pluginCode"], json!("MUTED"));
        assert_eq!(said(&other, &coffee, "well", None).await["errors"], json!([]));
    }

    /// F: P-23, P-02
    async fn a_message_that_is_held_is_sent_once_at_the_end_or_never(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let rules = json!([{ "kind": "words", "action": "hold", "words": ["perhaps"], "name": "doubts" }]);
        let owner = moderated(&world, rules).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let mo = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        let tea = ann.group("Tea", &[&bob]).await;
        let mut socket = ann.at(&world, 1).socket().await;
        socket.follow("s", json!({ "kinds": ["MESSAGE_HELD", "HELD_MESSAGE_DECIDED"] })).await;

        let held = said(&ann, &tea, "perhaps", Some("key")).await;
        let id = text(&held["held"]["id"]);
        assert_eq!((&held["message"], &held["errors"], &held["held"]["state"]), (&Value::Null, &json!([]), &json!("WAITING")));
        assert_eq!(said(&ann.at(&world, 1), &tea, "perhaps", Some("key")).await, held, "it waits once");
        assert_eq!(socket.event("s").await["__typename"], json!("MessageHeld"));
        said(&bob, &tea, "certainly", None).await;
        assert_eq!(bob.history(&tea).await, ["certainly"]);

        let listed = "{ heldMessages(first: 5) { nodes { id body reason plugin sender { name } conversation { id } } } }";
        let reason = held["held"]["reason"].clone();
        assert_eq!(mo.ask(listed, json!({})).await["heldMessages"]["nodes"], json!([
            { "id": id, "body": "perhaps", "reason": reason, "plugin": MODERATION, "sender": { "name": "ann" }, "conversation": null },
        ]));
        assert_eq!(ann.fault(listed, json!({})).await, "NOT_ALLOWED");
        let look = "query($h: ID!) { heldMessage(id: $h) { state note message { body sequence } } }";
        assert_eq!(bob.ask(look, json!({ "h": id })).await["heldMessage"], Value::Null);

        // Two moderators at two nodes, who want the same.
        let approve = json!({ "heldMessageId": id, "note": "mind your words" });
        assert_eq!(refusal(&does(&ann, "heldMessageApprove", approve.clone(), "").await).0, "NOT_ALLOWED");
        let (mo_1, approve_1) = (mo.at(&world, 1), approve.clone());
        let (one, other) = futures_util::future::join(
            does(&owner, "heldMessageApprove", approve, "heldMessage { state }"),
            does(&mo_1, "heldMessageApprove", approve_1, "heldMessage { state }"),
        )
        .await;
        assert_eq!((&one, &other), (&json!({ "heldMessage": { "state": "APPROVED" }, "errors": [] }), &one));
        assert_eq!(bob.history(&tea).await, ["certainly", "perhaps"], "once, at the end");
        for person in [&ann, &bob] {
            let found = person.ask("{ unreadCounts { total } }", json!({})).await;
            assert_eq!(found["unreadCounts"]["total"], json!(1), "the other's alone is new to {}", person.name);
        }
        assert_eq!(socket.event("s").await["__typename"], json!("HeldMessageDecided"));
        let seen = ann.ask(look, json!({ "h": id })).await["heldMessage"].take();
        assert_eq!(seen, json!({ "state": "APPROVED", "note": "mind your words", "message": { "body": "perhaps", "sequence": 2 } }));
        let late = does(&mo, "heldMessageReject", json!({ "heldMessageId": id }), "").await;
        assert_eq!(refusal(&late).0, "DECIDED");

        let second = said(&ann, &tea, "perhaps not", None).await;
        let second = json!({ "heldMessageId": second["held"]["id"] });
        let done = does(&mo, "heldMessageReject", second.clone(), "heldMessage { state message { id } }").await;
        assert_eq!(done["heldMessage"], json!({ "state": "REJECTED", "message": null }));
        assert_eq!(refusal(&does(&owner, "heldMessageApprove", second, "").await).0, "DECIDED");
        // Who takes no part any more sends nothing.
        let third = said(&bob, &tea, "perhaps later", None).await;
        does(&bob, "conversationLeave", json!({ "conversationId": tea }), "").await;
        let third = json!({ "heldMessageId": third["held"]["id"] });
        assert_eq!(refusal(&does(&mo, "heldMessageApprove", third, "").await).0, "NOT_FOUND");
        assert_eq!(ann.history(&tea).await, ["certainly", "perhaps"]);
        let actions = owner.ask("{ auditLog(last: 20) { nodes { action } } }", json!({})).await;
        let count = |wanted: &str| actions["auditLog"]["nodes"].as_array().expect("nodes").iter().filter(|node| node["action"] == json!(wanted)).count();
        assert_eq!((count("HELD_MESSAGE_APPROVED"), count("HELD_MESSAGE_REJECTED")), (1, 1));
    }

    /// F: P-02, P-03, P-11
    async fn what_a_plugin_changes_is_changed_for_everybody_and_can_be_found_out(backend) {
        let world = World::new(backend).await;
        let rules = json!([
            { "kind": "words", "action": "mask", "words": ["darn"] }, { "kind": "words", "action": "reject", "words": ["heck"] },
        ]);
        let owner = moderated(&world, rules).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let masked = said(&ann, &tea, "darn it", Some("key")).await;
        assert_eq!(masked["message"]["body"], json!("•••• it"));
        assert_eq!(said(&ann, &tea, "darn it", Some("key")).await, masked, "what was asked for is the same");
        assert_eq!(bob.history(&tea).await, ["•••• it"]);
        let message = text(&masked["message"]["id"]);
        let verdicts = "query($m: ID!) { pluginVerdicts(last: 9, filter: { messageId: $m }) { nodes { plugin hook kind } } }";
        assert_eq!(owner.ask(verdicts, json!({ "m": message })).await["pluginVerdicts"]["nodes"], json!([
            { "plugin": MODERATION, "hook": "before-create", "kind": "PATCHED" },
        ]));
        assert_eq!(ann.fault(verdicts, json!({ "m": message })).await, "NOT_ALLOWED");

        // Edits are looked at, too.
        let edit = async |body: &str| does(&ann, "messageEdit", json!({ "messageId": message, "body": body }), "message { body }").await;
        assert_eq!(edit("darn this").await["message"]["body"], json!("•••• this"));
        assert_eq!(refusal(&edit("heck").await).0, "REFUSED_BY_PLUGIN");
        assert_eq!(edit("well").await["errors"], json!([]));
        assert_eq!(bob.history(&tea).await, ["well"]);
        let logs = owner.ask("{ plugins { id logs { text } } }", json!({})).await;
        let of_moderation = logs["plugins"].as_array().and_then(|all| all.iter().find(|one| one["id"] == json!(MODERATION)));
        assert_ne!(of_moderation.expect("it is there")["logs"], json!([]), "{logs}");
    }

    /// F: P-06, P-05
    async fn a_plugin_is_switched_and_configured_while_people_talk(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let rules = json!([{ "kind": "words", "action": "reject", "words": ["heck"] }]);
        let owner = moderated(&world, rules).await;
        let ann = world.person("ann").await;
        let (tea, coffee) = (ann.group("Tea", &[]).await, ann.group("Coffee", &[]).await);
        let there = ann.at(&world, 1);
        // On every node within a second.
        let is_refused = async |person: &Person, place: &str, refused: bool| {
            within("the word of it", async {
                while (said(person, place, "heck", None).await["message"] == Value::Null) != refused {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        };
        configure(&owner, json!({ "rules": [{ "kind": "words", "action": "reject", "words": ["heck"], "strikes": 0 }] })).await;
        is_refused(&ann, &tea, true).await;
        is_refused(&there, &tea, true).await;
        let switch = async |what: &str, more: Value| {
            let mut input = json!({ "pluginId": MODERATION });
            input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            does(&owner, what, input, "plugin { isOn exceptions { conversationId isOn } }").await
        };
        let done = switch("pluginDisable", json!({ "conversationId": coffee })).await;
        assert_eq!(done["plugin"], json!({ "isOn": true, "exceptions": [{ "conversationId": coffee, "isOn": false }] }));
        is_refused(&there, &coffee, false).await;
        is_refused(&there, &tea, true).await;
        let inherited = switch("pluginInherit", json!({ "conversationId": coffee })).await;
        assert_eq!(inherited["plugin"], json!({ "isOn": true, "exceptions": [] }));
        is_refused(&there, &coffee, true).await;
        // For the hub it is off, unless a workspace says otherwise.
        assert_eq!(switch("pluginInherit", json!({})).await["plugin"]["isOn"], json!(false));
        is_refused(&there, &tea, false).await;
        let none = does(&owner, "pluginInherit", json!({ "pluginId": "example.nothing" }), "").await;
        assert_eq!(refusal(&none), ("NOT_FOUND".to_owned(), json!(["input", "pluginId"])));
        assert_eq!(switch("pluginEnable", json!({})).await["plugin"]["isOn"], json!(true));
        assert_eq!(switch("pluginDisable", json!({})).await["plugin"]["isOn"], json!(false));
        is_refused(&ann, &tea, false).await;
        is_refused(&there, &tea, false).await;
        switch("pluginEnable", json!({ "conversationId": coffee })).await;
        is_refused(&there, &coffee, true).await;
        is_refused(&ann, &tea, false).await;

        // What is not good is refused, by the schema and by the plugin itself, and what was there goes on.
        let configured = async |configuration: Value| {
            refusal(&does(&owner, "pluginConfigure", json!({ "pluginId": MODERATION, "configuration": configuration }), "").await)
        };
        let invalid = ("INVALID".to_owned(), json!(["input", "configuration"]));
        assert_eq!(configured(json!({ "nothing": 1 })).await, invalid);
        assert_eq!(configured(json!({ "rules": [{ "kind": "pattern", "action": "reject", "pattern": "(" }] })).await, invalid);
        assert_eq!(configured(json!([])).await, invalid);
        is_refused(&ann, &coffee, true).await;

        let none = does(&owner, "pluginEnable", json!({ "pluginId": "example.nothing" }), "").await;
        assert_eq!(refusal(&none), ("NOT_FOUND".to_owned(), json!(["input", "pluginId"])));
        assert_eq!(refusal(&does(&ann, "pluginDisable", json!({ "pluginId": MENTIONS }), "").await).0, "NOT_ALLOWED");
        assert_eq!(ann.fault("{ plugins { id } }", json!({})).await, "NOT_ALLOWED");
        let seen = owner.ask("{ plugins { id isOn problem } }", json!({})).await;
        assert_eq!(seen["plugins"], json!([
            { "id": "jackfield.link-previews", "isOn": true, "problem": null },
            { "id": MENTIONS, "isOn": true, "problem": null }, { "id": MODERATION, "isOn": false, "problem": null },
            { "id": "jackfield.polls", "isOn": true, "problem": null }, { "id": "jackfield.retention", "isOn": false, "problem": null },
        ]));
    }

    /// F: P-02, P-03
    async fn of_many_that_want_the_same_at_once_each_has_its_own(backend) {
        let world = Setup::new(backend).plugin(guest(|_| {})).start().await;
        let owner = owner(&world).await;
        switch(&owner, GUEST, None, true).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        // Whoever looked before another one wrote has to look again, and sends all the same.
        let said = join_all((0..24).map(|_| said(&ann, &tea, "!take", None))).await;
        let mut numbers: Vec<u64> = said.iter().map(|sent| text(&sent["message"]["body"]).parse().expect("a number")).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=24).collect::<Vec<_>>());
        let health = owner.ask("{ plugins { id health { failures { kind } } } }", json!({})).await;
        assert!(health["plugins"].as_array().is_some_and(|all| all.iter().all(|one| one["health"]["failures"] == json!([]))), "{health}");
    }

    /// F: P-06, P-02
    async fn what_happened_while_a_node_was_away_is_told_once(backend) {
        let mut world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        ann.say(&tea, "@bob 0").await;
        is_mentioned_by(&bob, false, &["@bob 0"]).await;
        for number in 1..20 {
            ann.say(&tea, &format!("@bob {number}")).await;
        }
        world.restart(0).await;
        let (ann, bob) = (ann.at(&world, 0), bob.at(&world, 0));
        ann.say(&tea, "@bob 20").await;
        let all: Vec<String> = (0..=20).map(|number| format!("@bob {number}")).collect();
        is_mentioned_by(&bob, false, &all.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let lag = "{ plugins { id lag } }";
        let owner = world.person_with("olga", json!({ "roles": ["owner"] })).await;
        within("the plugin to have heard of all", async {
            let is_there = json!({ "id": MENTIONS, "lag": 0 });
            while !owner.ask(lag, json!({})).await["plugins"].as_array().expect("plugins").contains(&is_there) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
