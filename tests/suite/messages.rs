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

    /// F: M-01, M-02
    async fn a_message_carries_what_its_type_says_and_what_programs_put_beside_it(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let with = |more: Value| {
            let mut input = json!({ "conversationId": tea });
            input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            input
        };
        let place = json!({ "latitude": 52.5, "longitude": -13.4, "label": "Pier 4" });
        let metadata = json!({ "order": { "number": 7, "open": true }, "tags": ["a", null, 1.5] });
        for input in [
            json!({ "type": "LOCATION", "location": place, "clientMessageId": "k" }),
            json!({ "type": "POLL", "body": "Tea?", "metadata": metadata }),
            json!({ "body": " *opaque* ", "contentType": "ENCRYPTED" }),
            json!({ "body": "*plain*", "metadata": null }),
        ] {
            assert_eq!(ann.send(with(input)).await["errors"], json!([]));
        }
        let query = "query($c: ID!) { conversation(id: $c) { messages(first: 9) { nodes {
            type contentType body bodyHtml metadata location { latitude longitude label } } } } }";
        let found = bob.ask(query, json!({ "c": tea })).await;
        let message = |kind: &str, content: &str, body: &str, html: Value, metadata: &Value, location: &Value| {
            json!({ "type": kind, "contentType": content, "body": body, "bodyHtml": html, "metadata": metadata, "location": location })
        };
        let none = &Value::Null;
        assert_eq!(found["conversation"]["messages"]["nodes"], json!([
            message("LOCATION", "PLAIN", "", json!(""), none, &place),
            message("POLL", "PLAIN", "Tea?", json!("<p>Tea?</p>"), &metadata, none),
            message("TEXT", "ENCRYPTED", " *opaque* ", Value::Null, none, none),
            message("TEXT", "PLAIN", "*plain*", json!("<p><em>plain</em></p>"), none, none),
        ]));

        // All of it is what a key stands for.
        let again = |location: Value| ann.send(with(json!({ "type": "LOCATION", "location": location, "clientMessageId": "k" })));
        assert_eq!(again(place.clone()).await["message"]["sequence"], json!(1));
        let elsewhere = json!({ "latitude": 52.6, "longitude": -13.4, "label": "Pier 4" });
        assert_eq!(refusal(&again(elsewhere).await).0, "IDEMPOTENCY_KEY_REUSED");

        for (input, code, path) in [
            (json!({ "type": "SYSTEM", "body": "x" }), "NOT_ALLOWED", json!(["input", "type"])),
            (json!({ "body": "" }), "MISSING", json!(["input", "body"])),
            (json!({}), "MISSING", json!(["input", "body"])),
            (json!({ "body": "", "contentType": "ENCRYPTED" }), "MISSING", json!(["input", "body"])),
            (json!({ "type": "LOCATION" }), "MISSING", json!(["input", "location"])),
            (json!({ "body": "x", "location": place }), "INVALID", json!(["input", "location"])),
            (json!({ "type": "LOCATION", "location": { "latitude": 91, "longitude": 0 } }), "INVALID", json!(["input", "location", "latitude"])),
            (json!({ "type": "LOCATION", "location": { "latitude": 0, "longitude": 181 } }), "INVALID", json!(["input", "location", "longitude"])),
            (json!({ "body": "x", "metadata": ["no", "object"] }), "INVALID", json!(["input", "metadata"])),
            (json!({ "body": "x", "metadata": { "long": "x".repeat(4_096) } }), "TOO_LONG", json!(["input", "metadata"])),
        ] {
            assert_eq!(refusal(&ann.send(with(input.clone())).await), (code.to_owned(), path), "{input}");
        }
        for kind in ["IMAGE", "VIDEO", "AUDIO", "VOICE", "FILE"] {
            let refused = ann.send(with(json!({ "type": kind, "body": "x" }))).await;
            assert_eq!(refusal(&refused), ("NOT_AVAILABLE".to_owned(), json!(["input", "type"])), "{refused}");
        }
        let owner = world.person_with("mona", json!({ "roles": ["owner"] })).await;
        let done = owner.ask("mutation { workspacePolicyUpdate(input: { metadataMaxBytes: 8 }) { errors { code } } }", json!({})).await;
        assert_eq!(done["workspacePolicyUpdate"]["errors"], json!([]));
        assert_eq!(ann.send(with(json!({ "body": "x", "metadata": { "a": 10 } }))).await["errors"], json!([]));
        let refused = ann.send(with(json!({ "body": "x", "metadata": { "a": 100 } }))).await;
        assert!(text(&refused["errors"][0]["message"]).contains("9 bytes, at most 8"), "{refused}");
        assert_eq!(ann.history(&tea).await.len(), 5);
    }

    /// F: M-09
    async fn a_body_is_stored_as_sent_and_shown_without_a_script(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        for (body, html) in [
            ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
            ("[tea](javascript:alert(1)) [pot](https://example.org)", "<p>tea <a href=\"https://example.org\" rel=\"noopener nofollow\">pot</a></p>"),
            ("![cat](https://example.org/cat.png)", "<p><a href=\"https://example.org/cat.png\" rel=\"noopener nofollow\">cat</a></p>"),
        ] {
            let message = text(&ann.say(&tea, body).await["id"]);
            let found = ann.ask("query($m: ID!) { message(id: $m) { body bodyHtml } }", json!({ "m": message })).await;
            assert_eq!(found["message"], json!({ "body": body, "bodyHtml": html }));
        }
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
