//! Following the log: in order, without a gap, from where one left off.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::{
    stories,
    support::{
        Setup, World,
        person::text,
        socket::{EVENTS, bodies},
        stream::Stream,
        within,
    },
};

stories! {
    /// F: L-03, M-03
    async fn what_happens_reaches_everybody_it_concerns_in_order(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await.at(&world, 1), world.person("eve").await);
        let (mut of_bob, mut of_eve) = (bob.socket().await, eve.socket().await);
        of_bob.follow("e", json!({})).await;
        of_eve.follow("e", json!({})).await;

        let tea = ann.group("Tea", &[&bob]).await;
        for number in 1..=20 {
            ann.say(&tea, &number.to_string()).await;
        }
        ann.say(&tea, "end").await;
        let mut heard = of_bob.until_body("e", "end").await;
        // The users as whom plugins act may come at any time.
        heard.retain(|event| event["__typename"] != json!("UserJoined"));
        assert_eq!(heard[0]["__typename"], json!("ConversationCreated"), "{heard:?}");
        assert_eq!(heard[0]["conversation"]["title"], json!("Tea"));
        let expected: Vec<String> = (1..=20).map(|number| number.to_string()).chain(["end".to_owned()]).collect();
        assert_eq!(bodies(&heard), expected);
        assert_eq!(heard[1]["message"]["sender"]["name"], json!("ann"));

        // Eve takes no part in any of it: what she hears next is what comes after.
        let cake = ann.group("Cake", &[&eve]).await;
        let mut next = of_eve.event("e").await;
        while next["__typename"] == json!("UserJoined") {
            next = of_eve.event("e").await;
        }
        assert_eq!((text(&next["__typename"]), text(&next["conversation"]["id"])), ("ConversationCreated".into(), cake));
    }

    /// F: L-03
    async fn who_was_away_gets_the_rest_and_then_what_happens(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let mut socket = bob.socket().await;
        let caught_up = socket.follow("e", json!({})).await;
        assert_eq!(caught_up.len(), 1, "without a cursor there is nothing to catch up with");
        ann.say(&tea, "seen").await;
        let cursor = socket.event("e").await["cursor"].clone();
        drop(socket);

        for number in 1..=300 {
            ann.say(&tea, &format!("missed {number}")).await;
        }
        let mut socket = bob.at(&world, 1).socket().await;
        let missed = socket.follow("e", json!({ "after": cursor })).await;
        let expected: Vec<String> = (1..=300).map(|number| format!("missed {number}")).collect();
        assert_eq!(bodies(&missed), expected);
        ann.say(&tea, "live").await;
        assert_eq!(bodies(&socket.until_body("e", "live").await), ["live"]);
    }

    /// F: L-03
    async fn being_added_brings_what_follows(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[]).await;
        ann.say(&tea, "before").await;
        let mut socket = bob.socket().await;
        socket.follow("e", json!({})).await;
        ann.say(&tea, "still before").await;
        ann.add(&tea, &[&bob]).await;
        ann.say(&tea, "after").await;
        let heard = socket.until_body("e", "after").await;
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert_eq!(heard[0]["__typename"], json!("ConversationMembersAdded"));
        assert_eq!(heard[0]["users"], json!([{ "id": bob.id }]));
        assert_eq!(bob.history(&tea).await, ["before", "still before", "after"]);
    }

    /// F: L-03
    async fn only_what_is_asked_for_is_told(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let (tea, cake) = (ann.group("Tea", &[]).await, ann.group("Cake", &[]).await);
        let mut socket = ann.socket().await;
        let start = ann.cursor().await;
        socket.follow("tea", json!({ "conversationIds": [tea] })).await;
        socket.follow("made", json!({ "kinds": ["CONVERSATION_CREATED"] })).await;
        ann.say(&cake, "cake").await;
        ann.say(&tea, "tea").await;
        assert_eq!(bodies(&[socket.event("tea").await]), ["tea"]);
        ann.group("Jam", &[]).await;
        assert_eq!(socket.event("made").await["conversation"]["title"], json!("Jam"));
        let replayed = socket.follow("again", json!({ "conversationIds": [cake], "after": start })).await;
        assert_eq!(bodies(&replayed), ["cake"]);
        assert_eq!(replayed.len(), 2, "{replayed:?}");
    }

    /// F: L-03
    async fn a_cursor_that_the_log_no_longer_reaches_asks_for_a_resync(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let old = ann.cursor().await;
        ann.say(&tea, "long ago").await;
        world.clock.advance(Duration::from_hours(29 * 24));
        let recent = ann.cursor().await;
        ann.say(&tea, "yesterday").await;
        world.clock.advance(Duration::from_hours(2 * 24));

        // The log is trimmed in the background: ask until it is.
        let resync = within("the trimming of the log", async {
            loop {
                let mut socket = ann.socket().await;
                let heard = socket.follow("e", json!({ "after": old })).await;
                if heard[0]["__typename"] == json!("ResyncRequired") {
                    return heard;
                }
            }
        }).await;
        assert_eq!(bodies(&resync), Vec::<String>::new());
        assert_eq!(resync.len(), 2, "ResyncRequired, then CaughtUp: {resync:?}");

        let mut socket = ann.socket().await;
        assert_eq!(bodies(&socket.follow("e", json!({ "after": recent })).await), ["yesterday"]);
        assert_eq!(ann.history(&tea).await, ["long ago", "yesterday"], "messages are not the log's to forget");
    }

    /// F: L-03, A-03
    async fn a_cursor_of_another_workspace_or_of_nothing_is_refused(backend) {
        let world = World::new(backend).await;
        let (ann, zoe) = (world.person("ann").await, world.person_of("acme", "zoe", "owner").await);
        let mut socket = ann.socket().await;
        for cursor in [json!(zoe.cursor().await), json!("nonsense"), json!("")] {
            socket.subscribe("e", EVENTS, json!({ "input": { "after": cursor } })).await;
            let refused = socket.hear().await;
            assert_eq!((&refused["type"], &refused["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("BAD_REQUEST")), "{refused}");
        }
        socket.follow("e", json!({ "after": ann.cursor().await })).await;
    }

    /// F: L-03
    async fn a_stream_of_server_sent_events_tells_the_same(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let cursor = bob.cursor().await;
        ann.say(&tea, "missed").await;
        let mut stream = Stream::open(&bob.at(&world, 1), EVENTS, json!({ "input": { "after": cursor } })).await;
        let mut next = async || stream.next().await.expect("an event").1["data"]["events"].clone();
        assert_eq!(next().await["message"]["body"], json!("missed"));
        assert_eq!(next().await["__typename"], json!("CaughtUp"));
        ann.say(&tea, "live").await;
        assert_eq!(next().await["message"]["body"], json!("live"));
    }

    /// What depends on the viewer is told to each in their own way, though they ask for it in the same words.
    ///
    /// F: L-03
    async fn each_viewer_gets_their_own_answer_where_the_selection_asks_for_it(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let query = "subscription { events { __typename ... on MessageSent { message { body conversation { viewerRole } } } } }";
        let (mut of_ann, mut of_bob) = (ann.socket().await, bob.socket().await);
        for socket in [&mut of_ann, &mut of_bob] {
            socket.subscribe("e", query, json!({})).await;
            socket.until_caught_up("e").await;
        }
        for body in ["one", "two"] {
            ann.say(&tea, body).await;
            for (socket, role) in [(&mut of_ann, "OWNER"), (&mut of_bob, "MEMBER")] {
                let event = socket.event("e").await;
                let told = (&event["message"]["body"], &event["message"]["conversation"]["viewerRole"]);
                assert_eq!(told, (&json!(body), &json!(role)));
            }
        }
    }

    /// F: M-02, M-03
    async fn the_same_key_from_all_sides_sends_once(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let mut socket = bob.socket().await;
        socket.follow("e", json!({})).await;
        let input = json!({ "conversationId": tea, "body": "once", "clientMessageId": "same" });
        let sends = (0..50).map(|number| {
            let (ann, input) = (ann.at(&world, number), input.clone());
            async move { ann.send(input).await }
        });
        let sent = join_all(sends).await;
        assert!(sent.iter().all(|each| *each == sent[0]), "{sent:?}");
        ann.say(&tea, "end").await;
        assert_eq!(bodies(&socket.until_body("e", "end").await), ["once", "end"]);
        assert_eq!(ann.history(&tea).await, ["once", "end"]);
    }

    /// F: M-03
    async fn many_senders_on_many_nodes_share_one_sequence(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let ann = world.person("ann").await;
        let mut people = Vec::new();
        for number in 0..8 {
            people.push(world.person(&format!("p{number}")).await.at(&world, number));
        }
        let tea = ann.group("Tea", &people.iter().collect::<Vec<_>>()).await;
        let mut sockets = Vec::new();
        for node in 0..world.node_count() {
            let mut socket = ann.at(&world, node).socket().await;
            socket.follow("e", json!({})).await;
            sockets.push(socket);
        }
        join_all(people.iter().map(|person| async {
            for number in 0..25 {
                person.say(&tea, &format!("{} {number}", person.name)).await;
            }
        })).await;
        ann.say(&tea, "end").await;
        let history = ann.history(&tea).await;
        assert_eq!(history.len(), 201);
        for person in &people {
            let own: Vec<&String> = history.iter().filter(|body| body.starts_with(&format!("{} ", person.name))).collect();
            let expected: Vec<String> = (0..25).map(|number| format!("{} {number}", person.name)).collect();
            assert_eq!(own, expected.iter().collect::<Vec<_>>(), "what one says stays in its order");
        }
        for socket in &mut sockets {
            assert_eq!(bodies(&socket.until_body("e", "end").await), history, "everybody sees the same order");
        }
    }
}
