//! Sending messages and reading them back.

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        World,
        person::{refusal, text},
    },
};

stories! {
    /// F: M-01, M-03
    async fn a_message_gets_its_place_in_the_sequence(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        for (number, person) in [&ann, &bob, &ann].into_iter().enumerate() {
            let message = person.say(&tea, &format!("number {}", number + 1)).await;
            assert_eq!(message["sequence"], json!(number + 1));
            assert_eq!(message["status"], json!("SENT"));
            assert_eq!(message["createdAt"], json!("2027-01-15T08:00:00.000Z"));
            assert!(text(&message["id"]).starts_with("msg_"));
        }
        assert_eq!(ann.history(&tea).await, ["number 1", "number 2", "number 3"]);
        assert_eq!(bob.history(&tea).await, ["number 1", "number 2", "number 3"]);
    }

    /// F: M-02
    async fn a_key_that_is_used_again_sends_nothing_again(backend) {
        let mut world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let input = json!({ "conversationId": tea, "body": "once", "clientMessageId": "k-1" });
        let first = ann.send(input.clone()).await;
        let again = ann.send(input.clone()).await;
        assert_eq!(first, again);

        let other = json!({ "conversationId": tea, "body": "twice", "clientMessageId": "k-1" });
        let refused = ann.send(other).await;
        assert_eq!(refused["message"], Value::Null);
        assert_eq!(refusal(&refused), ("IDEMPOTENCY_KEY_REUSED".into(), json!(["input", "clientMessageId"])));

        let of_bob = bob.send(input.clone()).await;
        assert_ne!(of_bob["message"]["id"], first["message"]["id"], "a key is its sender's own");

        world.restart(0).await;
        assert_eq!(ann.at(&world, 0).send(input).await, first, "a key outlives the process");
        assert_eq!(ann.at(&world, 0).history(&tea).await, ["once", "once"]);
    }

    /// F: M-04
    async fn a_message_that_the_rules_refuse_is_refused_with_field_and_limit(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let cake = ann.group("Cake", &[&bob]).await;
        let elsewhere = text(&ann.say(&cake, "elsewhere").await["id"]);
        let here = text(&ann.say(&tea, "here").await["id"]);

        let refused = |input: Value| {
            let ann = ann.clone();
            async move { refusal(&ann.send(input).await) }
        };
        let body = |body: &str| json!({ "conversationId": tea, "body": body });
        assert_eq!(refused(body("  \n")).await, ("MISSING".into(), json!(["input", "body"])));
        assert_eq!(refused(body("a\0b")).await, ("INVALID".into(), json!(["input", "body"])));
        assert_eq!(refused(body(&"é".repeat(10_001))).await, ("TOO_LONG".into(), json!(["input", "body"])));
        let reply = |to: &str| json!({ "conversationId": tea, "body": "re", "replyToId": to });
        assert_eq!(refused(reply(&elsewhere)).await, ("NOT_FOUND".into(), json!(["input", "replyToId"])));
        assert_eq!(refused(reply("msg_nonsense")).await, ("NOT_FOUND".into(), json!(["input", "replyToId"])));
        let key = json!({ "conversationId": tea, "body": "x", "clientMessageId": "k".repeat(129) });
        assert_eq!(refused(key).await, ("TOO_LONG".into(), json!(["input", "clientMessageId"])));

        let stranger = refusal(&eve.send(body("let me in")).await);
        assert_eq!(stranger, ("NOT_FOUND".into(), json!(["input", "conversationId"])), "what is not yours is not there");

        assert_eq!(ann.send(body(&"é".repeat(10_000))).await["errors"], json!([]));
        assert_eq!(ann.send(reply(&here)).await["errors"], json!([]));
        let found = ann
            .ask("query($c: ID!) { conversation(id: $c) { messages(last: 1) { nodes { replyTo { body } } } } }", json!({ "c": tea }))
            .await;
        assert_eq!(found["conversation"]["messages"]["nodes"][0]["replyTo"]["body"], json!("here"));
    }

    /// F: M-07
    async fn history_is_paged_both_ways_around_a_message_and_from_a_moment(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let mut ids = Vec::new();
        let mut moments = Vec::new();
        for number in 1..=9 {
            world.clock.advance(std::time::Duration::from_secs(60));
            let message = ann.say(&tea, &number.to_string()).await;
            ids.push(text(&message["id"]));
            moments.push(text(&message["createdAt"]));
        }
        let page = |arguments: Value| {
            let (ann, tea) = (ann.clone(), tea.clone());
            async move {
                let query = "query($c: ID!, $first: Int, $after: String, $last: Int, $before: String, $around: ID,
                    $from: DateTime) { conversation(id: $c) { messages(first: $first, after: $after, last: $last,
                    before: $before, around: $around, from: $from) { nodes { body }
                    pageInfo { hasPreviousPage hasNextPage startCursor endCursor } } } }";
                let mut variables = arguments;
                variables["c"] = json!(tea);
                let found = ann.ask(query, variables).await;
                let page = found["conversation"]["messages"].clone();
                let bodies: String = page["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["body"])).collect();
                let info = page["pageInfo"].clone();
                (bodies, info["hasPreviousPage"] == json!(true), info["hasNextPage"] == json!(true), info)
            }
        };
        let (bodies, before, after, info) = page(json!({ "first": 4 })).await;
        assert_eq!((bodies.as_str(), before, after), ("1234", false, true));
        let (bodies, before, after, _) = page(json!({ "first": 5, "after": info["endCursor"] })).await;
        assert_eq!((bodies.as_str(), before, after), ("56789", true, false));
        let (bodies, before, after, info) = page(json!({ "last": 4 })).await;
        assert_eq!((bodies.as_str(), before, after), ("6789", true, false));
        let (bodies, before, after, _) = page(json!({ "last": 100, "before": info["startCursor"] })).await;
        assert_eq!((bodies.as_str(), before, after), ("12345", false, true));

        let around = |number: usize, size: usize| page(json!({ "first": size, "around": ids[number - 1] }));
        let (bodies, before, after, _) = around(5, 3).await;
        assert_eq!((bodies.as_str(), before, after), ("456", true, true));
        let (bodies, before, after, _) = around(1, 5).await;
        assert_eq!((bodies.as_str(), before, after), ("12345", false, true));
        let (bodies, before, after, _) = around(9, 3).await;
        assert_eq!((bodies.as_str(), before, after), ("89", true, false));

        let (bodies, before, _, _) = page(json!({ "first": 2, "from": moments[6] })).await;
        assert_eq!((bodies.as_str(), before), ("78", true));
        let (bodies, _, after, _) = page(json!({ "first": 2, "from": "2099-01-01T00:00:00Z" })).await;
        assert_eq!((bodies.as_str(), after), ("", false));

        let refused = |arguments: &str| {
            let query = format!("query($c: ID!) {{ conversation(id: $c) {{ messages({arguments}) {{ nodes {{ body }} }} }} }}");
            let (ann, tea) = (ann.clone(), tea.clone());
            async move { ann.fault(&query, json!({ "c": tea })).await }
        };
        for arguments in [
            "first: 0", "first: 101", "first: 1, last: 1", "after: \"x\"", "first: 1, after: \"x\"",
            "last: 1, from: \"2026-01-01T00:00:00Z\"", "first: 1, around: \"msg_00\"", "first: 1, from: \"soon\"",
        ] {
            assert_eq!(refused(arguments).await, "BAD_REQUEST", "{arguments}");
        }
        let query = "query($c: ID!) { conversation(id: $c) { messages(first: 1, around: \"msg_00\") { nodes { body } } } }";
        let refused = ann.answer(query, json!({ "c": tea })).await;
        assert_eq!(refused["errors"][0]["extensions"]["argument"], json!("around"), "{refused}");
    }
}
