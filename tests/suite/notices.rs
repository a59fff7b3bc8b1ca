//! News of plugins: told to exactly those whom they are for, as it happens and to who comes back, for as long as the log reaches.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, Socket, World,
        account::does,
        guest::{GUEST, answer, guest, owner, run, switch},
        person::text,
        within,
    },
};

const FOLLOW: &str = "subscription($input: EventsInput) { events(input: $input) { __typename cursor
    ... on PluginEvent { plugin kind payload at } ... on MessageSent { message { body } } ... on WorkspaceUpdated { at } } }";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn follow(person: &Person, input: Value) -> (Socket, Vec<Value>) {
    let mut socket = person.socket().await;
    socket.subscribe("s", FOLLOW, json!({ "input": input })).await;
    let missed = socket.until_caught_up("s").await;
    (socket, missed)
}

/// What the news among these events say.
fn words(events: &[Value]) -> Vec<String> {
    let news = events.iter().filter(|event| event["__typename"] == json!("PluginEvent"));
    news.map(|event| text(&event["payload"]["words"])).collect()
}

async fn tell(person: &Person, whom: &str, ids: &str, said: &str) {
    let arguments = json!({ "whom": whom, "ids": ids, "kind": "news", "words": said });
    assert_eq!(answer(person, "tell", arguments).await, "told");
}

/// All that comes until everybody is told this.
async fn until(socket: &mut Socket, last: &str) -> Vec<String> {
    let mut events = Vec::new();
    loop {
        let event = socket.event("s").await;
        events.push(event.clone());
        if event["payload"]["words"] == json!(last) {
            let mut words = words(&events);
            words.pop();
            return words;
        }
    }
}

/// A notice that is for all of these: what they were to be told before, they have been told by then.
async fn tell_all(by: &Person, people: &[&Person], said: &str) {
    let ids: Vec<&str> = people.iter().map(|person| person.id.as_str()).collect();
    tell(by, "users", &ids.join(" "), said).await;
}

async fn hosting(backend: crate::support::Backend, nodes: usize) -> (World, Person) {
    let world = Setup::new(backend).nodes(nodes).plugin(guest(|_| {})).start().await;
    let owner = owner(&world).await;
    switch(&owner, GUEST, None, true).await;
    (world, owner)
}

stories! {
    /// F: P-02, L-03, A-03
    async fn each_is_told_what_is_for_them_and_nothing_else(backend) {
        let (world, olga) = hosting(backend, 2).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let mo = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        let max = world.person_with("max", json!({ "roles": ["admin"] })).await;
        let elsewhere = world.person_of("elsewhere", "odo", "owner").await;
        let tea = ann.group("Tea", &[&bob]).await;
        let everybody = [&ann, &bob, &eve, &mo, &max, &olga];
        let after = json!({ "after": ann.cursor().await });
        let mut sockets = Vec::new();
        for person in everybody {
            sockets.push(follow(&person.at(&world, 1), json!({})).await.0);
        }
        let mut of_others = follow(&elsewhere.at(&world, 1), json!({})).await.0;

        tell(&ann, "users", &format!("{} {} {}", bob.id, bob.id, elsewhere.id), "for bob").await;
        tell(&ann, "conversation", &tea, "for tea").await;
        tell(&ann, "moderators", "", "for moderators").await;
        tell(&ann, "admins", "", "for admins").await;
        // Who takes no part in a conversation has nobody there told anything.
        tell(&eve, "conversation", &tea, "from eve").await;
        ann.say(&tea, "!notice of a message").await;
        // The guest hears of it after the fact, and then those two are told of whom it speaks.
        let mut early = Vec::new();
        for socket in &mut sockets[..2] {
            let mut events = Vec::new();
            loop {
                let event = socket.event("s").await;
                events.push(event.clone());
                if event["kind"] == json!("heard") {
                    break;
                }
            }
            early.push(words(&events));
        }
        tell_all(&ann, &everybody, "the end").await;
        let expected: [&[&str]; 6] = [
            &["for tea", "!notice of a message"],
            &["for bob", "for tea", "!notice of a message"],
            &[],
            &["for moderators"],
            &["for moderators", "for admins"],
            &["for moderators", "for admins"],
        ];
        for (number, socket) in sockets.iter_mut().enumerate() {
            let mut told = early.get(number).cloned().unwrap_or_default();
            told.extend(until(socket, "the end").await);
            assert_eq!(told, expected[number], "{}", everybody[number].name);
        }
        // Who comes back is told the same, at any node.
        for (number, person) in everybody.iter().enumerate() {
            for node in [0, 1] {
                let (_, missed) = follow(&person.at(&world, node), after.clone()).await;
                let told = words(&missed);
                assert_eq!(told[..told.len() - 1], *expected[number], "{}", person.name);
            }
        }
        // In another workspace nobody hears of it, though somebody there was named.
        switch(&elsewhere, GUEST, None, true).await;
        tell(&elsewhere, "users", &elsewhere.id, "the end").await;
        assert_eq!(until(&mut of_others, "the end").await, [""; 0]);

        // All of it can be asked for, and nothing else.
        let (_, only) = follow(&bob, json!({ "after": after["after"], "kinds": ["PLUGIN_EVENT"], "conversationIds": [tea] })).await;
        assert_eq!(words(&only), ["for tea", "!notice of a message"]);
        let news = &only[0];
        assert_eq!((&news["plugin"], &news["kind"], &news["payload"]), (&json!(GUEST), &json!("news"), &json!({ "words": "for tea" })));
        let (_, others) = follow(&bob, json!({ "after": after["after"], "kinds": ["MESSAGE_SENT"] })).await;
        assert_eq!((words(&others).len(), others[0]["message"]["body"].clone()), (0, json!("!notice of a message")));
    }

    /// F: P-02, A-03, L-03
    async fn whom_it_is_for_is_seen_when_it_is_told(backend) {
        let (world, olga) = hosting(backend, 2).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let mo = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        let tea = ann.group("Tea", &[&bob, &mo]).await;
        let after = json!({ "after": ann.cursor().await });
        let (mut of_bob, mut of_mo) = (follow(&bob.at(&world, 1), json!({})).await.0, follow(&mo.at(&world, 1), json!({})).await.0);
        tell(&ann, "moderators", "", "one").await;
        tell(&ann, "conversation", &tea, "two").await;
        // Their sockets stay open while they become somebody else.
        does(&olga, "userRoleUpdate", json!({ "userId": bob.id, "role": "MODERATOR" }), "").await;
        does(&olga, "userRoleUpdate", json!({ "userId": mo.id, "role": "MEMBER" }), "").await;
        does(&ann, "conversationMemberRemove", json!({ "conversationId": tea, "memberId": mo.id }), "").await;
        tell(&ann, "moderators", "", "three").await;
        tell(&ann, "conversation", &tea, "four").await;
        tell_all(&ann, &[&bob, &mo], "the end").await;
        assert_eq!(until(&mut of_bob, "the end").await, ["two", "three", "four"]);
        assert_eq!(until(&mut of_mo, "the end").await, ["one", "two"]);
        // Who comes back is told what is theirs by now.
        assert_eq!(words(&follow(&bob, after.clone()).await.1), ["one", "two", "three", "four", "the end"]);
        assert_eq!(words(&follow(&mo, after.clone()).await.1), ["the end"]);
        // Who comes later hears of what was told since.
        let cid = world.person("cid").await;
        ann.add(&tea, &[&cid]).await;
        tell(&ann, "conversation", &tea, "five").await;
        assert_eq!(words(&follow(&cid, after).await.1), ["five"]);
    }

    /// F: P-02, L-07
    async fn what_they_say_goes_with_the_log_and_with_its_conversation(backend) {
        let (world, owner) = hosting(backend, 1).await;
        let ann = world.person("ann").await;
        let (tea, coffee) = (ann.group("Tea", &[]).await, ann.group("Coffee", &[]).await);
        let after = json!({ "after": ann.cursor().await });
        tell(&ann, "conversation", &tea, "a kettle of words").await;
        tell(&ann, "conversation", &coffee, "a cup of words").await;
        assert_eq!(words(&follow(&ann, after.clone()).await.1), ["a kettle of words", "a cup of words"]);
        assert_eq!(world.db_count("plugin_notices").await, 2);
        assert_eq!(world.db_count("events WHERE fact LIKE '%of words%'").await, 0, "events hold no words");
        does(&ann, "conversationDelete", json!({ "conversationId": tea }), "").await;
        assert_eq!(words(&follow(&ann, after).await.1), ["a cup of words"]);
        within("the end of what was told there", async { while world.db_count("plugin_notices").await != 1 {} }).await;
        let days = "mutation { workspacePolicyUpdate(input: { eventRetentionDays: 1 }) { errors { code } } }";
        assert_eq!(owner.ask(days, json!({})).await["workspacePolicyUpdate"]["errors"], json!([]));
        world.clock.advance(DAY * 2);
        within("the end of the log", async { while world.db_count("plugin_notices").await != 0 {} }).await;
    }

    /// F: P-04, P-11
    async fn admins_are_told_when_a_plugin_is_switched_off_for_failing(backend) {
        let (world, owner) = hosting(backend, 1).await;
        let (ann, max) = (world.person("ann").await, world.person_with("max", json!({ "roles": ["admin"] })).await);
        let after = json!({ "after": ann.cursor().await });
        for _ in 0..3 {
            for _ in 0..5 {
                run(&ann, "fail", None, json!({})).await;
            }
            world.clock.advance(Duration::from_secs(31));
        }
        let (_, told) = follow(&max, after.clone()).await;
        let news: Vec<&Value> = told.iter().filter(|event| event["__typename"] == json!("PluginEvent")).collect();
        assert_eq!(news.len(), 1, "{told:?}");
        assert_eq!((&news[0]["plugin"], &news[0]["kind"]), (&json!(GUEST), &json!("hub.switched-off")));
        assert!(!text(&news[0]["payload"]["reason"]).is_empty());
        let (_, of_ann) = follow(&ann, after).await;
        assert!(of_ann.iter().all(|event| event["__typename"] != json!("PluginEvent")), "{of_ann:?}");
        let seen = owner.ask("{ plugins { id isOn problem } auditLog(last: 1) { nodes { action target } } }", json!({})).await;
        let guest = seen["plugins"].as_array().expect("plugins").iter().find(|plugin| plugin["id"] == json!(GUEST)).expect("the guest");
        assert_eq!((&guest["isOn"], guest["problem"].is_string()), (&json!(false), true));
        assert_eq!(seen["auditLog"]["nodes"], json!([{ "action": "PLUGIN_UPDATED", "target": GUEST }]));
        assert_eq!(run(&ann, "count", None, json!({})).await["errors"][0]["code"], json!("NOT_FOUND"));
        // What must not pass without it does not, until somebody decides.
        let tea = ann.group("Tea", &[]).await;
        let said = async || ann.try_send(json!({ "conversationId": tea, "body": "tea" })).await.expect("an answer")["errors"].take();
        assert_eq!(said().await, json!([]), "its failure policy lets it");
        let policies = json!({ "pluginId": GUEST, "failurePolicies": [{ "hook": "BEFORE_CREATE", "policy": "CLOSED" }] });
        assert_eq!(does(&owner, "pluginSettingsUpdate", policies, "").await["errors"], json!([]));
        assert_eq!(said().await[0]["code"], json!("REFUSED_BY_PLUGIN"));
        switch(&owner, GUEST, None, false).await;
        assert_eq!(said().await, json!([]));
        // Switched on again it has failed at nothing.
        switch(&owner, GUEST, None, true).await;
        assert_eq!(said().await, json!([]));
        let again = owner.ask("{ plugins { id isResting problem } }", json!({})).await;
        let guest = again["plugins"].as_array().expect("plugins").iter().find(|plugin| plugin["id"] == json!(GUEST)).expect("the guest");
        assert_eq!((&guest["isResting"], &guest["problem"]), (&json!(false), &Value::Null));
    }
}
