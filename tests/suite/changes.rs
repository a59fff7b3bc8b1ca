//! Editing and deleting messages, for oneself and for everyone.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        person::{refusal, text},
    },
};

stories! {
    /// F: M-05
    async fn an_edit_within_the_window_keeps_what_was_said_before(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let message = text(&ann.say(&tea, "fuor").await["id"]);
        let reply = json!({ "conversationId": tea, "body": "what?", "replyToId": message });
        bob.send(reply).await;
        let mut socket = bob.at(&world, 1).socket().await;
        socket.subscribe("s", "subscription { events(input: { kinds: [MESSAGE_EDITED] }) { __typename ... on MessageEdited {
            at sequence conversation { id } message { id body editedAt edits(first: 9) { nodes { body } } } } } }", json!({})).await;
        socket.next("s").await;

        world.clock.advance(Duration::from_secs(60));
        let edited = edit(&ann, &message, "for").await;
        assert_eq!(edited["message"]["editedAt"], json!("2027-01-15T08:01:00.000Z"));
        world.clock.advance(Duration::from_secs(60));
        assert_eq!(edit(&ann, &message, "for").await["message"], edited["message"], "the same words change nothing");
        let edited = edit(&ann, &message, "four").await["message"].take();
        assert_eq!((&edited["body"], &edited["sequence"]), (&json!("four"), &json!(1)));
        for expected in [json!(["fuor"]), json!(["fuor", "for"])] {
            let told = socket.next("s").await["data"]["events"].take();
            assert_eq!((&told["__typename"], &told["sequence"], &told["conversation"]["id"]), (&json!("MessageEdited"), &json!(1), &json!(tea)));
            let before = told["message"]["edits"]["nodes"].as_array().expect("edits").iter().map(|edit| edit["body"].clone());
            // Resolved when it is delivered: what came after the first edit may be told with it.
            assert!(before.collect::<Vec<_>>().starts_with(expected.as_array().expect("bodies")), "{told}");
        }

        let query = "query($m: ID!) { message(id: $m) { body edits(first: 1) { nodes { number body writtenAt replacedAt }
            pageInfo { hasNextPage endCursor } } } }";
        let found = bob.ask(query, json!({ "m": message })).await["message"].take();
        let first = json!({ "number": 1, "body": "fuor", "writtenAt": "2027-01-15T08:00:00.000Z", "replacedAt": "2027-01-15T08:01:00.000Z" });
        assert_eq!((&found["body"], &found["edits"]["nodes"]), (&json!("four"), &json!([first])));
        assert_eq!(found["edits"]["pageInfo"]["hasNextPage"], json!(true));
        let next = "query($m: ID!, $a: String) { message(id: $m) { edits(first: 1, after: $a) { nodes { number body } pageInfo { hasNextPage } } } }";
        let found = bob.ask(next, json!({ "m": message, "a": found["edits"]["pageInfo"]["endCursor"] })).await["message"]["edits"].take();
        assert_eq!(found, json!({ "nodes": [{ "number": 2, "body": "for" }], "pageInfo": { "hasNextPage": false } }));
        assert_eq!(ann.history(&tea).await, ["four", "what?"]);
        let found = bob.ask("query($c: ID!) { conversation(id: $c) { messages(last: 1) { nodes { replyTo { body } } } } }", json!({ "c": tea })).await;
        assert_eq!(found["conversation"]["messages"]["nodes"][0]["replyTo"]["body"], json!("four"));

        // The rules of a send, and those of an edit.
        assert_eq!(refusal(&edit(&ann, &message, " ").await), ("MISSING".into(), json!(["input", "body"])));
        assert_eq!(refusal(&edit(&ann, &message, &"x".repeat(10_001)).await), ("TOO_LONG".into(), json!(["input", "body"])));
        assert_eq!(refusal(&edit(&bob, &message, "five").await).0, "NOT_ALLOWED");
        assert_eq!(refusal(&edit(&eve, &message, "five").await), ("NOT_FOUND".into(), json!(["input", "messageId"])));
        assert_eq!(refusal(&edit(&ann, "msg_nonsense", "five").await), ("NOT_FOUND".into(), json!(["input", "messageId"])));
        world.clock.advance(Duration::from_secs(900));
        let late = edit(&ann, &message, "five").await;
        assert_eq!(refusal(&late), ("TOO_LATE".into(), json!(["input", "messageId"])));
        assert!(text(&late["errors"][0]["message"]).contains("within 900 seconds"), "{late}");

        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        set(&owner, "editWindowSeconds: 3600").await;
        assert_eq!(edit(&ann, &message, "five").await["message"]["body"], json!("five"));
    }

    /// F: M-06
    async fn what_is_deleted_for_everyone_leaves_its_place_and_nothing_it_said(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let cursor = bob.cursor().await;
        let input = json!({ "conversationId": tea, "type": "LOCATION", "body": "secret one", "metadata": { "secret": "two" },
            "location": { "latitude": 1.5, "longitude": -2.5, "label": "secret three" } });
        let message = text(&ann.send(input.clone()).await["message"]["id"]);
        edit(&ann, &message, "secret four").await;
        bob.send(json!({ "conversationId": tea, "body": "indeed", "replyToId": message })).await;

        assert_eq!(refusal(&delete(&bob, &message, true).await).0, "NOT_ALLOWED");
        world.clock.advance(Duration::from_secs(3_600));
        let deleted = delete(&ann, &message, true).await;
        assert_eq!(deleted["deletedMessageId"], json!(message));
        let tombstone = json!({
            "id": message, "sequence": 1, "type": "LOCATION", "body": "", "bodyHtml": null, "metadata": null, "location": null,
            "editedAt": null, "deletedAt": "2027-01-15T09:00:00.000Z", "deletedBy": { "name": "ann" }, "edits": { "nodes": [] },
        });
        assert_eq!(deleted["message"], tombstone);
        assert_eq!(delete(&ann, &message, true).await, deleted, "once more changes nothing");
        assert_eq!(bob.ask(MESSAGE, json!({ "m": message })).await["message"], tombstone);
        assert_eq!(bob.history(&tea).await, ["", "indeed"]);
        let found = bob.ask("query($c: ID!) { conversation(id: $c) { lastSequence messages(last: 1) { nodes { sequence replyTo { id body deletedAt } } } } }", json!({ "c": tea })).await["conversation"].take();
        assert_eq!(found["lastSequence"], json!(2));
        assert_eq!(found["messages"]["nodes"][0]["replyTo"], json!({ "id": message, "body": "", "deletedAt": "2027-01-15T09:00:00.000Z" }));
        assert_eq!(refusal(&edit(&ann, &message, "again").await), ("MESSAGE_DELETED".into(), json!(["input", "messageId"])));

        // Neither what is kept at hand nor what is read from the table tells it again.
        let query = "subscription($after: EventCursor) { events(input: { after: $after }) { __typename
            ... on MessageSent { message { body metadata location { label } edits(first: 9) { nodes { body } } } }
            ... on MessageEdited { message { body } } ... on MessageDeleted { sequence actor { name } message { body deletedAt } } } }";
        let mut socket = bob.socket().await;
        socket.subscribe("s", query, json!({ "after": cursor })).await;
        let mut told = Vec::new();
        loop {
            let event = socket.next("s").await["data"]["events"].take();
            if event["__typename"] == json!("CaughtUp") {
                break;
            }
            assert!(!event.to_string().contains("secret"), "{event}");
            told.push(text(&event["__typename"]));
        }
        assert_eq!(told, ["MessageSent", "MessageEdited", "MessageSent", "MessageDeleted"]);

        let late = text(&bob.say(&tea, "too late").await["id"]);
        world.clock.advance(Duration::from_secs(3_601));
        let refused = delete(&bob, &late, true).await;
        assert_eq!(refusal(&refused), ("TOO_LATE".into(), json!(["input", "messageId"])));
        assert!(text(&refused["errors"][0]["message"]).contains("within 3600 seconds"), "{refused}");
    }

    /// F: M-06, A-04, G-03
    async fn who_keeps_the_peace_deletes_what_others_said_and_it_stands_in_the_record(backend) {
        let world = World::new(backend).await;
        let moderator = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob, &moderator]).await;
        let say = async |body: &str| text(&bob.say(&tea, body).await["id"]);
        let (one, two, three) = (say("one").await, say("two").await, say("three").await);
        let own = text(&moderator.say(&tea, "mine").await["id"]);
        world.clock.advance(Duration::from_secs(100_000));

        assert_eq!(refusal(&delete(&owner, &one, true).await).0, "NOT_FOUND", "what an owner does not see is not there");
        assert_eq!(delete(&moderator, &one, true).await["errors"], json!([]), "a moderator who takes part");
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(delete(&ann, &two, true).await["errors"], json!([]), "the owner of the group");
        assert_eq!(delete(&moderator, &own, true).await["errors"], json!([]), "one's own");
        assert_eq!(refusal(&delete(&bob, &three, true).await).0, "TOO_LATE");
        let query = "{ auditLog(first: 9) { nodes { action actor { name } target details { name value } } } }";
        let entry = |by: &str, target: &str| json!({ "action": "MESSAGE_DELETED", "actor": { "name": by }, "target": target,
            "details": [{ "name": "conversation", "value": tea }, { "name": "sender", "value": bob.id }] });
        let record = owner.ask(query, json!({})).await["auditLog"]["nodes"].take();
        assert_eq!(record, json!([entry("mo", &one), entry("ann", &two)]));

        set(&owner, "messagesAreKept: true").await;
        let fresh = text(&bob.say(&tea, "fresh").await["id"]);
        for person in [&bob, &ann, &moderator] {
            assert_eq!(refusal(&delete(person, &fresh, true).await), ("FORBIDDEN_BY_POLICY".into(), json!(["input", "forEveryone"])));
        }
        assert_eq!(delete(&bob, &fresh, false).await["errors"], json!([]), "for oneself at any time");
        assert_eq!(ann.history(&tea).await, ["", "", "three", "", "fresh"]);
        set(&owner, "messagesAreKept: false").await;
        assert_eq!(delete(&ann, &fresh, true).await["errors"], json!([]));
    }

    /// F: M-06
    async fn what_is_deleted_for_oneself_is_gone_from_all_of_ones_devices_and_from_nobody_elses(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let cursor = bob.cursor().await;
        let mut ids = Vec::new();
        for body in ["one", "two", "three"] {
            ids.push(text(&ann.say(&tea, body).await["id"]));
        }
        let kinds = "subscription { events(input: { kinds: [MESSAGE_HIDDEN, MESSAGE_SENT] }) { __typename ... on MessageHidden { messageId conversationId sequence }
            ... on MessageSent { message { body replyTo { body } } } } }";
        let (mut of_bob, mut of_ann) = (bob.at(&world, 1).socket().await, ann.at(&world, 1).socket().await);
        for socket in [&mut of_bob, &mut of_ann] {
            socket.subscribe("s", kinds, json!({})).await;
            socket.next("s").await;
        }
        let mut again = bob.at(&world, 1).socket().await;
        again.subscribe("s", kinds, json!({})).await;
        again.next("s").await;

        assert_eq!(unread(&bob, &tea).await, 3);
        let done = delete(&bob, &ids[1], false).await;
        assert_eq!((&done["message"], &done["deletedMessageId"], &done["errors"]), (&Value::Null, &json!(ids[1]), &json!([])));
        for socket in [&mut of_bob, &mut again] {
            let told = socket.next("s").await["data"]["events"].take();
            assert_eq!(told, json!({ "__typename": "MessageHidden", "messageId": ids[1], "conversationId": tea, "sequence": 2 }));
        }
        assert_eq!(bob.history(&tea).await, ["one", "three"]);
        assert_eq!(ann.history(&tea).await, ["one", "two", "three"]);
        assert_eq!((unread(&bob, &tea).await, unread(&ann, &tea).await), (2, 0));
        let seen = "query($m: ID!) { message(id: $m) { body } node(id: $m) { id } nodes(ids: [$m]) { id } }";
        let found = bob.at(&world, 1).ask(seen, json!({ "m": ids[1] })).await;
        assert_eq!(found, json!({ "message": null, "node": null, "nodes": [null] }));
        assert_eq!(refusal(&delete(&bob, &ids[1], false).await).0, "NOT_FOUND");
        assert_eq!(refusal(&delete(&bob, &ids[1], true).await).0, "NOT_FOUND");
        let around = "query($m: ID!, $c: ID!) { conversation(id: $c) { messages(first: 1, around: $m) { nodes { body } } } }";
        assert_eq!(bob.fault(around, json!({ "m": ids[1], "c": tea })).await, "BAD_REQUEST");

        // A reply to it shows it to those who have it, live as well; nobody else has heard of it.
        ann.send(json!({ "conversationId": tea, "body": "more", "replyToId": ids[1] })).await;
        let told = of_ann.next("s").await["data"]["events"]["message"].take();
        assert_eq!(told, json!({ "body": "more", "replyTo": { "body": "two" } }), "and not that it was hidden");
        for socket in [&mut of_bob, &mut again] {
            let told = socket.next("s").await["data"]["events"]["message"].take();
            assert_eq!(told, json!({ "body": "more", "replyTo": null }));
        }
        let reply = "query($c: ID!) { conversation(id: $c) { lastMessage { body replyTo { body } } } }";
        assert_eq!(bob.ask(reply, json!({ "c": tea })).await["conversation"]["lastMessage"], json!({ "body": "more", "replyTo": null }));

        // What is kept at hand for who comes a little late does not tell it again.
        let after = "subscription($after: EventCursor) { events(input: { after: $after, kinds: [MESSAGE_SENT] }) { ... on MessageSent { sequence message { body } } } }";
        for node in [0, 1] {
            let mut socket = bob.at(&world, node).socket().await;
            socket.subscribe("s", after, json!({ "after": cursor })).await;
            let mut bodies = Vec::new();
            for sequence in 1..=4 {
                let told = socket.next("s").await["data"]["events"].take();
                assert_eq!(told["sequence"], json!(sequence));
                bodies.push(told["message"]["body"].clone());
            }
            assert_eq!(bodies, [json!("one"), Value::Null, json!("three"), json!("more")]);
        }
        let last = text(&ann.say(&tea, "last").await["id"]);
        delete(&bob, &last, false).await;
        assert_eq!(bob.ask(reply, json!({ "c": tea })).await["conversation"]["lastMessage"]["body"], json!("more"));
        assert_eq!(ann.ask(reply, json!({ "c": tea })).await["conversation"]["lastMessage"]["body"], json!("last"));
    }
}

const MESSAGE: &str =
    "query($m: ID!) { message(id: $m) { id sequence type body bodyHtml metadata location { label } editedAt
    deletedAt deletedBy { name } edits(first: 9) { nodes { body } } } }";

async fn edit(person: &Person, message: &str, body: &str) -> Value {
    let query = "mutation($input: MessageEditInput!) { messageEdit(input: $input) {
        message { id sequence body editedAt } errors { code message path } } }";
    let input = json!({ "messageId": message, "body": body });
    person.ask(query, json!({ "input": input })).await["messageEdit"].take()
}

async fn delete(person: &Person, message: &str, for_everyone: bool) -> Value {
    let query = "mutation($input: MessageDeleteInput!) { messageDelete(input: $input) { deletedMessageId
        message { id sequence type body bodyHtml metadata location { label } editedAt deletedAt deletedBy { name }
            edits(first: 9) { nodes { body } } } errors { code message path } } }";
    let input = json!({ "messageId": message, "forEveryone": for_everyone });
    person.ask(query, json!({ "input": input })).await["messageDelete"].take()
}

async fn unread(person: &Person, conversation: &str) -> i64 {
    let found =
        person.ask("query($c: ID!) { conversation(id: $c) { unreadCount } }", json!({ "c": conversation })).await;
    found["conversation"]["unreadCount"].as_i64().expect("a number")
}

async fn set(owner: &Person, changes: &str) {
    let query = format!("mutation {{ workspacePolicyUpdate(input: {{ {changes} }}) {{ errors {{ code }} }} }}");
    assert_eq!(owner.ask(&query, json!({})).await["workspacePolicyUpdate"]["errors"], json!([]));
}
