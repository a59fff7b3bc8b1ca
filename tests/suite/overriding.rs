//! An explicit look into a conversation without taking part: who may, what they see, and what stands in the record.

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, World,
        account::does,
        person::{refusal, text},
    },
};

const SEEN: &str = "conversation { id title memberCount viewerRole unreadCount lastMessage { body }
    members(first: 9) { nodes { user { name } } }
    messages(first: 9) { nodes { body sender { name } conversation { title } replyTo { body } receipts(first: 9) { nodes { user { name } } } } } }";

stories! {
    /// F: A-04, G-03
    async fn who_answers_for_the_workspace_looks_into_a_conversation_and_it_stands_in_the_record(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let tea = ann.group("Tea", &[&bob]).await;
        let hello = text(&ann.say(&tea, "hello").await["id"]);
        bob.send(json!({ "conversationId": tea, "body": "indeed", "replyToId": hello })).await;
        let mut told = bob.socket().await;
        told.follow("s", json!({})).await;

        let seen = look(&owner, &tea, "a complaint").await;
        assert_eq!(
            seen,
            json!({ "errors": [], "conversation": {
                "id": tea, "title": "Tea", "memberCount": 2, "viewerRole": null, "unreadCount": 0, "lastMessage": { "body": "indeed" },
                "members": { "nodes": [{ "user": { "name": "ann" } }, { "user": { "name": "bob" } }] },
                "messages": { "nodes": [
                    { "body": "hello", "sender": { "name": "ann" }, "conversation": { "title": "Tea" }, "replyTo": null, "receipts": { "nodes": [{ "user": { "name": "bob" } }] } },
                    { "body": "indeed", "sender": { "name": "bob" }, "conversation": { "title": "Tea" }, "replyTo": { "body": "hello" }, "receipts": { "nodes": [{ "user": { "name": "ann" } }] } },
                ] },
            } })
        );

        // Within this one answer, and no other way; nothing can be done there, and nobody there hears of it.
        let closed = "query($c: ID!, $m: ID!) { conversation(id: $c) { id } message(id: $m) { id } nodes(ids: [$c, $m]) { id } }";
        let nothing = json!({ "conversation": null, "message": null, "nodes": [null, null] });
        assert_eq!(owner.ask(closed, json!({ "c": tea, "m": hello })).await, nothing);
        assert_eq!(refusal(&owner.send(json!({ "conversationId": tea, "body": "hm" })).await).0, "NOT_FOUND");
        let both = "mutation($c: ID!, $other: ID!) {
            conversationOverride(input: { conversationId: $c, reason: \"a second look\" }) { conversation { title } errors { code } }
            messageSend(input: { conversationId: $c, body: \"hm\" }) { errors { code } }
            typingStart(input: { conversationId: $other }) { errors { code } } }";
        let private = bob.group("Private", &[]).await;
        let tried = owner.ask(both, json!({ "c": tea, "other": private })).await;
        assert_eq!(tried["conversationOverride"]["conversation"]["title"], json!("Tea"));
        for what in ["messageSend", "typingStart"] {
            assert_eq!(tried[what]["errors"], json!([{ "code": "NOT_FOUND" }]));
        }
        ann.say(&tea, "as before").await;
        assert_eq!(told.event("s").await["conversation"]["title"], json!("Private"));
        assert_eq!(told.event("s").await["message"]["body"], json!("as before"));

        let admin = world.person_with("max", json!({ "roles": ["admin"] })).await;
        assert_eq!(look(&admin, &tea, "mine").await["conversation"]["title"], json!("Tea"));
        let moderator = world.person_with("mo", json!({ "roles": ["moderator"] })).await;
        for person in [&moderator, &eve, &ann] {
            for conversation in [tea.as_str(), "x", "conv_00000000000000000000000000000000"] {
                assert_eq!(refusal(&look(person, conversation, "because").await), ("NOT_ALLOWED".into(), json!(null)));
            }
        }
        let elsewhere = world.person_of("elsewhere", "zoe", "owner").await;
        for conversation in [tea.as_str(), "x", "conv_00000000000000000000000000000000"] {
            assert_eq!(refusal(&look(&elsewhere, conversation, "because").await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        }
        for (reason, code) in [(" ".to_owned(), "MISSING"), ("x".repeat(501), "TOO_LONG")] {
            assert_eq!(refusal(&look(&owner, &tea, &reason).await), (code.into(), json!(["input", "reason"])));
        }

        let query = "query($target: ID!) { auditLog(first: 9, filter: { targetId: $target }) { nodes { action actor { name } address details { name value } } } }";
        let record = owner.ask(query, json!({ "target": tea })).await["auditLog"]["nodes"].take();
        let line = |actor: &str, reason: &str| json!({
            "action": "CONVERSATION_OVERRIDDEN", "actor": { "name": actor }, "address": "127.0.0.1",
            "details": [{ "name": "reason", "value": reason }],
        });
        assert_eq!(record, json!([line("mona", "a complaint"), line("mona", "a second look"), line("max", "mine")]));
    }

    /// F: A-04, C-09, M-06
    async fn who_takes_part_sees_no_less_by_looking_than_who_does_not(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let input = json!({ "type": "GROUP", "title": "Tea", "memberIds": [bob.id], "history": "FROM_JOIN" });
        let tea = text(&ann.create(input).await["conversation"]["id"]);
        ann.say(&tea, "before").await;
        ann.add(&tea, &[&owner]).await;
        let hidden = text(&ann.say(&tea, "since").await["id"]);
        does(&owner, "messageDelete", json!({ "messageId": hidden }), "").await;
        assert_eq!(owner.history(&tea).await, [""; 0], "they came late, and have put away the rest");

        let seen = look(&owner, &tea, "a complaint").await["conversation"].take();
        let said: Vec<String> = seen["messages"]["nodes"].as_array().expect("messages").iter().map(|message| text(&message["body"])).collect();
        assert_eq!(said, ["before", "since"]);
        assert_eq!((&seen["lastMessage"]["body"], &seen["viewerRole"]), (&json!("since"), &json!("MEMBER")));
        assert_eq!(owner.history(&tea).await, [""; 0], "within this one answer");
    }

    /// F: G-03
    async fn the_record_is_searched_by_who_did_what_to_what_and_when(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let admin = world.person_with("max", json!({ "roles": ["admin"] })).await;
        let tea = ann.group("Tea", &[]).await;
        for (person, seconds) in [(&owner, 0), (&admin, 60), (&owner, 60)] {
            world.clock.advance(std::time::Duration::from_secs(seconds));
            look(person, &tea, &format!("as {}", person.name)).await;
        }
        does(&admin, "workspaceUpdate", json!({ "name": "Harbour" }), "").await;
        let found = async |filter: Value| {
            let query = "query($filter: AuditFilter) { auditLog(first: 9, filter: $filter) { nodes { action actor { name } } } }";
            let found = owner.ask(query, json!({ "filter": filter })).await["auditLog"]["nodes"].take();
            let lines = found.as_array().expect("lines").iter();
            lines.map(|line| format!("{} {}", text(&line["actor"]["name"]), text(&line["action"]))).collect::<Vec<_>>().join(", ")
        };
        let (of_mona, of_max, renamed) = ("mona CONVERSATION_OVERRIDDEN", "max CONVERSATION_OVERRIDDEN", "max WORKSPACE_UPDATED");
        assert_eq!(found(json!({})).await, format!("{of_mona}, {of_max}, {of_mona}, {renamed}"));
        assert_eq!(found(json!({ "actions": ["WORKSPACE_UPDATED", "WORKSPACE_DELETED"] })).await, renamed);
        assert_eq!(found(json!({ "actorId": admin.id })).await, format!("{of_max}, {renamed}"));
        assert_eq!(found(json!({ "targetId": tea, "actorId": admin.id })).await, of_max);
        assert_eq!(found(json!({ "since": "2027-01-15T08:01:00Z", "until": "2027-01-15T08:02:00Z" })).await, of_max);
        assert_eq!(found(json!({ "until": "2027-01-15T08:01:00Z" })).await, of_mona);
        assert_eq!(found(json!({ "actorId": ann.id })).await, "");
        let query = "{ auditLog(first: 9, filter: { actorId: \"x\" }) { nodes { at } } }";
        assert_eq!(owner.fault(query, json!({})).await, "BAD_REQUEST");
        assert_eq!(ann.fault(query, json!({})).await, "NOT_ALLOWED");
    }
}

async fn look(person: &Person, conversation: &str, reason: &str) -> Value {
    does(person, "conversationOverride", json!({ "conversationId": conversation, "reason": reason }), SEEN).await
}
