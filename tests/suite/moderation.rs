//! What moderation found, as those who keep the peace look through it and decide about it.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        guest::switch,
        person::{refusal, text},
        within,
    },
};

const MODERATION: &str = "jackfield.moderation";
const PAGE: &str = "query($first: Int!, $after: String, $state: ModerationCaseState, $user: ID) {
    moderationCases(first: $first, after: $after, state: $state, userId: $user) {
        cases { id state outcome user { name } conversation { title } message { body } rules found strikes openedAt
            decision { resolution note moderator { name } isPardoned decidedAt } }
        hasNextPage endCursor } }";

/// Two nodes, where moderation has a word for each thing that it does, and who runs the workspace.
async fn moderated(backend: crate::support::Backend) -> (World, Person) {
    let world = Setup::new(backend).nodes(2).start().await;
    let owner = world.person_with("olga", json!({ "roles": ["owner"] })).await;
    switch(&owner, MODERATION, None, true).await;
    let rule = |action: &str, word: &str| json!({ "kind": "words", "action": action, "words": [word], "name": action });
    let flag = json!({ "kind": "pattern", "action": "flag", "pattern": "gee", "name": "flag" });
    let rules = [rule("reject", "darn"), rule("hold", "blast"), rule("mask", "heck"), flag];
    let configuration = json!({ "rules": rules, "strikes": { "limit": 2 } });
    let input = json!({ "pluginId": MODERATION, "configuration": configuration });
    assert_eq!(does(&owner, "pluginConfigure", input, "").await["errors"], json!([]));
    (world, owner)
}

async fn cases(viewer: &Person, variables: Value) -> Vec<Value> {
    let found = viewer.ask(PAGE, variables).await;
    found["moderationCases"]["cases"].as_array().expect("cases").clone()
}

/// What comes of a decision.
async fn decide(person: &Person, case: &Value, pardon: bool) -> Value {
    let input = json!({ "id": case["id"], "resolution": "DISMISSED", "note": "a quotation", "pardon": pardon });
    let query = "mutation($input: ModerationCaseResolveInput!) { moderationCaseResolve(input: $input) {
        case { id state decision { isPardoned moderator { name } } } errors { code message path plugin pluginCode } } }";
    person.ask(query, json!({ "input": input })).await["moderationCaseResolve"].take()
}

/// Follows what is news to moderators.
async fn news(person: &Person) -> crate::support::Socket {
    let mut socket = person.socket().await;
    let query = "subscription { events(input: { kinds: [PLUGIN_EVENT, MESSAGE_SENT] }) { __typename
        ... on PluginEvent { word: kind payload } ... on MessageSent { message { body } } } }";
    socket.subscribe("s", query, json!({})).await;
    socket.until_caught_up("s").await;
    socket
}

stories! {
    /// F: P-23, P-07, P-05
    async fn what_was_found_is_for_those_who_keep_the_peace(backend) {
        let (world, owner) = moderated(backend).await;
        let mo = world.person_with("mo", json!({ "roles": ["moderator"] })).await.at(&world, 1);
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[&mo]).await;
        let (mut of_mo, mut of_ann) = (news(&mo).await, news(&ann).await);

        let said = async |body: &str| {
            let input = json!({ "conversationId": tea, "body": body });
            does(&ann, "messageSend", input, "message { id body } held { id }").await
        };
        let flagged = said("gee").await["message"].take();
        let told = within("the notice", async {
            loop {
                let event = of_mo.event("s").await;
                if event["__typename"] == json!("PluginEvent") {
                    return event;
                }
            }
        })
        .await;
        assert_eq!((&told["word"], &told["payload"]["message"]), (&json!("flagged"), &flagged["id"]));
        let masked = said("oh heck").await["message"].take();
        assert_eq!(masked["body"], json!("oh ••••"));
        assert_eq!(said("fine").await["errors"], json!([]));
        assert!(!said("blast").await["held"].is_null());
        // What was refused and what was held are a strike each, and two are too many.
        assert_eq!(refusal(&said("darn").await).0, "REFUSED_BY_PLUGIN");
        assert_eq!(refusal(&said("fine").await).0, "REFUSED_BY_PLUGIN");

        // Beside a message its case is there once the plugin was told of it; for those who keep the peace.
        let beside = async |person: &Person| {
            let query = "query($c: ID!) { conversation(id: $c) { messages(first: 9) { nodes { body moderationCase { outcome found } } } } }";
            person.ask(query, json!({ "c": tea })).await["conversation"]["messages"]["nodes"].take()
        };
        let expected = json!([
            { "body": "gee", "moderationCase": { "outcome": "FLAGGED", "found": ["gee"] } },
            { "body": "oh ••••", "moderationCase": { "outcome": "MASKED", "found": ["heck"] } },
            { "body": "fine", "moderationCase": null },
        ]);
        within("the cases beside their messages", async { while beside(&mo).await != expected {} }).await;
        let without = beside(&ann).await;
        assert!(without.as_array().expect("nodes").iter().all(|node| node["moderationCase"].is_null()), "{without}");

        // All of them, the newest first: with what a moderator sees of where it was.
        let found = cases(&mo, json!({ "first": 10 })).await;
        let told = |case: &Value| (text(&case["outcome"]), case["found"].clone(), case["strikes"].clone(), case["message"].clone());
        let of = |outcome: &str, found: &str, strikes: u32, message: Value| (outcome.to_owned(), json!([found]), json!(strikes), message);
        assert_eq!(found.iter().map(told).collect::<Vec<_>>(), [
            of("REJECTED", "darn", 1, Value::Null),
            of("HELD", "blast", 1, Value::Null),
            of("MASKED", "heck", 0, json!({ "body": "oh ••••" })),
            of("FLAGGED", "gee", 0, json!({ "body": "gee" })),
        ]);
        assert_eq!((&found[0]["user"]["name"], &found[0]["conversation"]["title"], &found[0]["openedAt"]),
            (&json!("ann"), &json!("Tea"), &json!(world.clock.now().to_string())));
        let of_owner = cases(&owner, json!({ "first": 10 })).await;
        assert_eq!((of_owner.len(), &of_owner[3]["conversation"], &of_owner[3]["message"]), (4, &Value::Null, &Value::Null), "who takes no part");
        let page = mo.ask(PAGE, json!({ "first": 3, "user": ann.id })).await["moderationCases"].take();
        assert_eq!((&page["hasNextPage"], &page["endCursor"]), (&json!(true), &found[2]["id"]));
        let rest = mo.ask(PAGE, json!({ "first": 3, "user": ann.id, "after": page["endCursor"] })).await["moderationCases"].take();
        assert_eq!((&rest["cases"][0]["id"], &rest["hasNextPage"]), (&found[3]["id"], &json!(false)));
        assert_eq!(cases(&mo, json!({ "first": 3, "user": mo.id })).await, [Value::Null; 0]);

        // For others there are none, and nothing to decide.
        assert_eq!(ann.ask(PAGE, json!({ "first": 3 })).await, json!({ "moderationCases": null }));
        let (of_real, of_invented) = (decide(&ann, &found[0], true).await, decide(&ann, &json!({ "id": "case_0000000000000000" }), true).await);
        assert_eq!((&of_real["errors"][0]["pluginCode"], &of_real), (&json!("CASE_NOT_FOUND"), &of_invented));
        let odo = world.person_of("elsewhere", "odo", "owner").await;
        assert_eq!(odo.ask(PAGE, json!({ "first": 3 })).await, json!({ "moderationCases": null }));
        switch(&odo, MODERATION, None, true).await;
        assert_eq!(cases(&odo, json!({ "first": 3 })).await, [Value::Null; 0]);
        assert_eq!(decide(&odo, &found[0], true).await, of_invented);

        // Two decide at once, at two nodes: one has decided, and the strike is taken back once.
        let (one, other) = join(decide(&mo, &found[0], true), decide(&owner, &found[0], true)).await;
        let (done, refused) = if one["errors"] == json!([]) { (one, other) } else { (other, one) };
        assert_eq!((&done["case"]["state"], &done["case"]["decision"]["isPardoned"]), (&json!("RESOLVED"), &json!(true)));
        assert_eq!(refused["errors"][0]["pluginCode"], json!("CASE_RESOLVED"), "{refused}");
        assert_eq!(said("fine again").await["errors"], json!([]));
        assert_eq!(refusal(&said("darn").await).0, "REFUSED_BY_PLUGIN");
        assert_eq!(refusal(&said("fine").await).0, "REFUSED_BY_PLUGIN", "the other strike was still there");
        let open = cases(&mo, json!({ "first": 10, "state": "OPEN" })).await;
        assert_eq!((open.len(), cases(&mo, json!({ "first": 10, "state": null })).await.len()), (4, 5));
        let decided = cases(&owner, json!({ "first": 10, "state": "RESOLVED" })).await;
        assert_eq!((&decided[0]["id"], &decided[0]["decision"]["note"]), (&found[0]["id"], &json!("a quotation")));
        let told = within("the notice", async {
            loop {
                let event = of_mo.event("s").await;
                if event["word"] == json!("case_resolved") {
                    return event["payload"].clone();
                }
            }
        })
        .await;
        assert_eq!((&told["case"], &told["resolution"]), (&found[0]["id"], &json!("DISMISSED")));
        // Whoever is judged hears nothing of it.
        let mut heard = Vec::new();
        while heard.last() != Some(&json!("fine again")) {
            let event = of_ann.event("s").await;
            assert_eq!(event["__typename"], json!("MessageSent"), "{event}");
            heard.push(event["message"]["body"].clone());
        }

        // Where it is off, there is nothing to see; what it kept is there when it is on again.
        switch(&owner, MODERATION, None, false).await;
        assert_eq!(owner.ask(PAGE, json!({ "first": 3 })).await, json!({ "moderationCases": null }));
        assert_eq!(decide(&owner, &open[0], false).await["errors"][0]["code"], json!("PLUGIN_DISABLED"));
        switch(&owner, MODERATION, None, true).await;
        assert_eq!(cases(&owner, json!({ "first": 10 })).await.len(), 4);
    }
}
