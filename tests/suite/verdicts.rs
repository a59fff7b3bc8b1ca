//! What plugins did, for those who ask: to messages that were sent, edited, deleted, refused and held, and where a plugin failed or
//! was passed over; and how long that is kept.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        guest::{GUEST, guest, owner, switch},
        person::text,
        within,
    },
};

const MODERATION: &str = "jackfield.moderation";

/// Moderation and the guest are on in the workspace `default`, whose owner is answered.
async fn watched(setup: Setup) -> (World, Person) {
    let world = setup.plugin(guest(|_| {})).start().await;
    let owner = owner(&world).await;
    for plugin in [MODERATION, GUEST] {
        switch(&owner, plugin, None, true).await;
    }
    let rule = |action: &str, word: &str| json!({ "kind": "words", "action": action, "words": [word], "strikes": 0 });
    let rules = json!({ "rules": [rule("mask", "darn"), rule("reject", "heck"), rule("hold", "perhaps")] });
    let input = json!({ "pluginId": MODERATION, "configuration": rules });
    assert_eq!(does(&owner, "pluginConfigure", input, "").await["errors"], json!([]));
    (world, owner)
}

async fn send(person: &Person, conversation: &str, body: &str) -> Value {
    let input = json!({ "conversationId": conversation, "body": body });
    does(person, "messageSend", input, "message { id body } held { id messageId }").await
}

const ALL: &str = "plugin hook kind code reason messageId user { name } conversation { id } message { body }";

async fn found(person: &Person, filter: Value, fields: &str) -> Vec<Value> {
    let query =
        format!("query($f: PluginVerdictFilter) {{ pluginVerdicts(last: 50, filter: $f) {{ nodes {{ {fields} }} }} }}");
    let mut found = person.ask(&query, json!({ "f": filter })).await;
    serde_json::from_value(found["pluginVerdicts"]["nodes"].take()).expect("nodes")
}

/// The hooks and what came of them, of some.
async fn deeds(person: &Person, filter: Value) -> Vec<String> {
    let found = found(person, filter, "hook kind code").await;
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    found
        .iter()
        .map(|one| {
            format!("{} {} {}", word(&one["hook"]), word(&one["kind"]), word(&one["code"])).trim_end().to_owned()
        })
        .collect()
}

stories! {
    /// F: P-11, P-02, P-23, A-03
    async fn what_plugins_did_to_a_message_is_found_whatever_became_of_it(backend) {
        let (world, owner) = watched(Setup::new(backend)).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let mo = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        let tea = ann.group("Tea", &[&mo]).await;
        let message = text(&send(&ann, &tea, "darn it").await["message"]["id"]);
        for body in ["darn this", "heck", "!keep it"] {
            does(&ann, "messageEdit", json!({ "messageId": message, "body": body }), "").await;
        }
        does(&ann, "messageDelete", json!({ "messageId": message, "forEveryone": true }), "").await;
        let of_message = json!({ "messageId": message });
        assert_eq!(deeds(&owner, of_message.clone()).await, [
            "before-create PATCHED", "before-edit PATCHED", "before-edit REJECTED WORD_NOT_ALLOWED", "before-delete REJECTED KEPT",
        ]);

        // Who sees the message sees it here as well; who takes no part does not.
        let last = found(&mo, of_message.clone(), ALL).await.pop().expect("a verdict");
        assert_eq!(last, json!({ "plugin": GUEST, "hook": "before-delete", "kind": "REJECTED", "code": "KEPT", "reason": "it stays",
            "messageId": message, "user": { "name": "ann" }, "conversation": { "id": tea }, "message": { "body": "!keep it" } }));
        let last = found(&owner, of_message, "conversation { id } message { body }").await.pop().expect("a verdict");
        assert_eq!(last, json!({ "conversation": null, "message": null }));

        // What was not sent is found by who wanted it, where, and by the plugin.
        send(&bob, &bob.group("Den", &[]).await, "heck").await;
        let refused = found(&owner, json!({ "userId": bob.id, "pluginId": MODERATION }), ALL).await;
        assert_eq!(refused.len(), 1);
        let [kind, code] = ["kind", "code"].map(|part| refused[0][part].clone());
        assert_eq!((kind, code, &refused[0]["message"]), (json!("REJECTED"), json!("WORD_NOT_ALLOWED"), &Value::Null));
        assert_eq!(deeds(&owner, json!({ "messageId": refused[0]["messageId"] })).await.len(), 1);
        let held = send(&ann, &tea, "perhaps").await["held"].take();
        let of_held = json!({ "messageId": held["messageId"], "conversationId": tea });
        assert_eq!(deeds(&mo, of_held.clone()).await, ["before-create HELD"]);
        assert_eq!(found(&mo, of_held.clone(), "message { body }").await, [json!({ "message": null })]);
        does(&mo, "heldMessageApprove", json!({ "heldMessageId": held["id"] }), "").await;
        assert_eq!(found(&mo, of_held, "message { body }").await, [json!({ "message": { "body": "perhaps" } })]);
        let all = found(&owner, Value::Null, "user { name }").await;
        let whose: Vec<String> = all.iter().map(|one| text(&one["user"]["name"])).collect();
        assert_eq!(whose, ["ann", "ann", "ann", "ann", "bob", "ann"], "in the order in which it was done");
        assert_eq!(found(&owner, json!({ "pluginId": GUEST }), "kind").await.len(), 1);
        assert_eq!(ann.fault("{ pluginVerdicts(last: 1) { nodes { kind } } }", json!({})).await, "NOT_ALLOWED");
        let elsewhere = world.person_of("elsewhere", "odo", "owner").await;
        assert_eq!(found(&elsewhere, json!({ "userId": ann.id }), "kind").await, Vec::<Value>::new());
    }

    /// F: P-11, P-04
    async fn that_a_plugin_failed_or_was_passed_over_is_found_and_what_followed(backend) {
        let (world, owner) = watched(Setup::new(backend)).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let policy = async |policy: &str| {
            let policies = json!([{ "hook": "BEFORE_CREATE", "policy": policy }]);
            let input = json!({ "pluginId": GUEST, "failurePolicies": policies });
            assert_eq!(does(&owner, "pluginSettingsUpdate", input, "").await["errors"], json!([]));
        };
        let of_ann = json!({ "userId": ann.id });
        policy("CLOSED").await;
        assert_eq!(send(&ann, &tea, "!fail").await["errors"][0]["code"], json!("REFUSED_BY_PLUGIN"));
        let failed = deeds(&owner, of_ann.clone()).await;
        assert_eq!((failed.len(), failed[1].as_str()), (2, "before-create REJECTED PLUGIN_UNAVAILABLE"));
        assert!(failed[0].starts_with("before-create FAILED"), "{failed:?}");
        policy("HOLD").await;
        let held = send(&ann, &tea, "!fail").await["held"]["messageId"].clone();
        let failed = deeds(&owner, json!({ "messageId": held })).await;
        assert_eq!((failed.len(), failed[1].as_str()), (2, "before-create HELD"));
        policy("OPEN").await;
        for _ in 0..3 {
            assert_eq!(send(&ann, &tea, "!fail").await["message"]["body"], json!("!fail"));
        }
        // It rests now, and nobody waits for it.
        let passed = text(&send(&ann, &tea, "hello").await["message"]["id"]);
        assert_eq!(deeds(&owner, json!({ "messageId": passed })).await, ["before-create PASSED_OVER"]);
    }

    /// F: P-11, L-07, M-06
    async fn what_plugins_said_goes_with_what_they_said_it_of(backend) {
        let (world, owner) = watched(Setup::new(backend)).await;
        let ann = world.person("ann").await;
        let (tea, den) = (ann.group("Tea", &[]).await, ann.group("Den", &[]).await);
        let message = text(&send(&ann, &tea, "!keep darn").await["message"]["id"]);
        for place in [&tea, &tea, &den] {
            send(&ann, place, "heck").await;
        }
        does(&ann, "messageDelete", json!({ "messageId": message, "forEveryone": true }), "").await;
        let of_message = json!({ "messageId": message });
        assert_eq!(found(&owner, of_message.clone(), "reason").await, [json!({ "reason": null }), json!({ "reason": "it stays" })]);
        // It is not kept any more where the plugin is off.
        switch(&owner, GUEST, None, false).await;
        assert_eq!(does(&ann, "messageDelete", json!({ "messageId": message, "forEveryone": true }), "").await["errors"], json!([]));
        assert_eq!(found(&owner, of_message, "kind reason").await, [
            json!({ "kind": "PATCHED", "reason": null }), json!({ "kind": "REJECTED", "reason": null }),
        ]);

        assert_eq!(world.db_count("plugin_verdicts").await, 5);
        assert_eq!(does(&ann, "conversationDelete", json!({ "conversationId": tea }), "").await["errors"], json!([]));
        within("the end of what was said of it", async { while world.db_count("plugin_verdicts").await != 1 {} }).await;
        world.clock.advance(Duration::from_hours(29 * 24));
        assert_eq!(world.db_count("plugin_verdicts").await, 1);
        world.clock.advance(Duration::from_hours(2 * 24));
        within("the end of what is a month old", async { while world.db_count("plugin_verdicts").await != 0 {} }).await;
    }
}
