//! Having nothing to do with somebody: what becomes of the direct conversations of two of whom one blocks the other.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        person::{refusal, text},
    },
};

stories! {
    /// F: U-03, C-01
    async fn two_of_whom_one_blocks_the_other_have_nothing_to_say_to_each_other(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let plain = direct(&ann, &bob).await;
        let about = json!({ "type": "DIRECT", "memberIds": [bob.id], "context": { "type": "booking", "id": "42" } });
        let booking = text(&ann.create(about).await["conversation"]["id"]);
        let other = direct(&bob, &eve).await;
        let (of_ann, of_bob) = (text(&ann.say(&plain, "hello").await["id"]), text(&bob.say(&plain, "hi").await["id"]));

        let mut told = bob.socket().await;
        told.subscribe("s", "subscription { events { __typename ... on ConversationUpdated { conversation { id status } } ... on BlocksUpdated { user { id } } } }", json!({})).await;
        told.until_caught_up("s").await;
        let blocked = does(&ann, "userBlock", json!({ "userId": bob.id }), "user { name viewerBlocks }").await;
        assert_eq!(blocked, json!({ "user": { "name": "bob", "viewerBlocks": true }, "errors": [] }));
        let mut heard = Vec::new();
        for _ in 0..2 {
            let event = told.event("s").await;
            assert_eq!((&event["__typename"], &event["conversation"]["status"]), (&json!("ConversationUpdated"), &json!("BLOCKED")));
            heard.push(text(&event["conversation"]["id"]));
        }
        heard.sort();
        let mut both = vec![plain.clone(), booking.clone()];
        both.sort();
        assert_eq!(heard, both, "whoever is blocked is told of the conversations, and not of the block");

        // Neither of the two, by no way; and to read is no harm.
        for (person, mine) in [(&ann, &of_ann), (&bob, &of_bob)] {
            for room in [&plain, &booking] {
                let said = person.send(json!({ "conversationId": room, "body": "no" })).await;
                assert_eq!(refusal(&said), ("BLOCKED".into(), json!(["input", "conversationId"])));
                let typed = does(person, "typingStart", json!({ "conversationId": room }), "expiresAt").await;
                assert_eq!(refusal(&typed), ("BLOCKED".into(), json!(["input", "conversationId"])));
                assert_eq!(status(person, room).await, "BLOCKED");
            }
            let edited = does(person, "messageEdit", json!({ "messageId": mine, "body": "no" }), "").await;
            assert_eq!(refusal(&edited), ("BLOCKED".into(), json!(["input", "messageId"])));
            assert_eq!(person.history(&plain).await, ["hello", "hi"]);
            assert_eq!(does(person, "typingStop", json!({ "conversationId": plain }), "").await["errors"], json!([]));
            let to = if person.id == ann.id { &bob } else { &ann };
            let anew = json!({ "type": "DIRECT", "memberIds": [to.id], "context": { "type": "booking", "id": "43" } });
            assert_eq!(refusal(&person.create(anew).await), ("BLOCKED".into(), json!(["input", "memberIds"])));
            assert_eq!(direct(person, to).await, plain, "the one that they have is found");
            person.say(&tea, "among others").await;
        }
        bob.say(&other, "you are not meant").await;

        // Not by who is blocked, and twice is once.
        does(&bob, "userUnblock", json!({ "userId": ann.id }), "").await;
        does(&ann, "userBlock", json!({ "userId": bob.id }), "").await;
        assert_eq!(status(&bob, &plain).await, "BLOCKED");
        let freed = does(&ann, "userUnblock", json!({ "userId": bob.id }), "user { viewerBlocks }").await;
        assert_eq!(freed, json!({ "user": { "viewerBlocks": false }, "errors": [] }));
        for room in [&plain, &booking] {
            assert_eq!(status(&bob, room).await, "ACTIVE");
            bob.say(room, "there you are").await;
        }
        // The word of it came before what was said since.
        for _ in 0..2 {
            loop {
                let event = told.event("s").await;
                if event["__typename"] == json!("ConversationUpdated") {
                    assert_eq!(event["conversation"]["status"], json!("ACTIVE"));
                    break;
                }
            }
        }
    }

    /// F: U-03
    async fn what_both_block_is_open_again_when_neither_does(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let room = direct(&ann, &bob).await;
        for (person, other) in [(&ann, &bob), (&bob, &ann)] {
            does(person, "userBlock", json!({ "userId": other.id }), "").await;
        }
        for (person, other, expected) in [(&ann, &bob, "BLOCKED"), (&bob, &ann, "ACTIVE")] {
            does(person, "userUnblock", json!({ "userId": other.id }), "").await;
            assert_eq!(status(&ann, &room).await, expected);
        }
    }

    /// F: U-03
    async fn whom_one_blocks_is_a_list_of_ones_own(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let mut blocked = Vec::new();
        for name in ["bob", "cid", "dan"] {
            let person = world.person(name).await;
            does(&ann, "userBlock", json!({ "userId": person.id }), "").await;
            blocked.push(person);
        }
        let bot = world.person_with("beep", json!({ "roles": ["bot"] })).await;
        assert_eq!(does(&ann, "userBlock", json!({ "userId": bot.id }), "user { role }").await["user"]["role"], json!("BOT"));
        does(&ann, "userUnblock", json!({ "userId": bot.id }), "").await;

        let page = |person: &Person, arguments: &str| {
            let (person, query) = (person.clone(), format!("{{ blockedUsers({arguments}) {{ nodes {{ name viewerBlocks }} pageInfo {{ hasNextPage endCursor }} }} }}"));
            async move { person.ask(&query, json!({})).await["blockedUsers"].take() }
        };
        let first = page(&ann, "first: 2").await;
        assert_eq!(first["nodes"], json!([{ "name": "bob", "viewerBlocks": true }, { "name": "cid", "viewerBlocks": true }]));
        let rest = page(&ann, &format!("first: 2, after: {}", first["pageInfo"]["endCursor"])).await;
        assert_eq!((&rest["nodes"], &rest["pageInfo"]["hasNextPage"]), (&json!([{ "name": "dan", "viewerBlocks": true }]), &json!(false)));
        assert_eq!(page(&ann, "last: 1").await["nodes"], rest["nodes"]);
        assert_eq!(page(&blocked[0], "first: 2").await["nodes"], json!([]), "who is blocked is not told by this");

        for mutation in ["userBlock", "userUnblock"] {
            let oneself = does(&ann, mutation, json!({ "userId": ann.id }), "user { id }").await;
            assert_eq!(refusal(&oneself), ("INVALID".into(), json!(["input", "userId"])));
            let stranger = world.person_of("elsewhere", "zoe", "member").await;
            for nobody in [stranger.id.as_str(), "usr_00000000000000000000000000000000", "x"] {
                let refused = does(&ann, mutation, json!({ "userId": nobody }), "user { id }").await;
                assert_eq!(refusal(&refused), ("NOT_FOUND".into(), json!(["input", "userId"])));
            }
        }
    }

    /// F: U-03, C-07
    async fn a_block_is_told_to_ones_own_devices_alone(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let query = "subscription { events(input: { kinds: [BLOCKS_UPDATED, USER_JOINED] }) { __typename ... on BlocksUpdated { user { name viewerBlocks } } } }";
        let (mut of_ann, mut of_bob) = (ann.at(&world, 1).socket().await, bob.at(&world, 1).socket().await);
        for socket in [&mut of_ann, &mut of_bob] {
            socket.subscribe("s", query, json!({})).await;
            socket.until_caught_up("s").await;
        }
        does(&ann, "userBlock", json!({ "userId": bob.id }), "").await;
        world.person("cid").await;
        let told = json!({ "__typename": "BlocksUpdated", "user": { "name": "bob", "viewerBlocks": true } });
        assert_eq!(of_ann.event("s").await, told);
        for socket in [&mut of_ann, &mut of_bob] {
            assert_eq!(socket.event("s").await["__typename"], json!("UserJoined"));
        }
    }

    /// F: U-03
    async fn blocking_beside_sending_and_making_leaves_nothing_open(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let room = direct(&ann, &bob).await;
        for round in 0..6 {
            // From both nodes: messages, new conversations, and both of the two who block.
            let sending = join_all((0..12).map(|number| {
                let (bob, room) = (bob.at(&world, number), room.clone());
                async move { bob.send(json!({ "conversationId": room, "body": format!("{round} {number}") })).await }
            }));
            let making = join_all((0..4).map(|number| {
                let (ann, to) = (ann.at(&world, number), bob.id.clone());
                let context = json!({ "type": "round", "id": format!("{round} {number}") });
                async move { ann.create(json!({ "type": "DIRECT", "memberIds": [to], "context": context })).await }
            }));
            let blocking = join(
                does(&ann, "userBlock", json!({ "userId": bob.id }), ""),
                async { does(&bob.at(&world, 1), "userBlock", json!({ "userId": ann.id }), "").await },
            );
            let ((sent, made), _) = join(join(sending, making), blocking).await;
            for refused in sent.iter().chain(&made).filter(|payload| payload["errors"] != json!([])) {
                assert_eq!(refusal(refused).0, "BLOCKED");
            }
            let said = bob.history(&room).await.into_iter().filter(|body| body.starts_with(&format!("{round} "))).count();
            assert_eq!(said, sent.iter().filter(|payload| payload["errors"] == json!([])).count());
            for made in made.iter().filter(|payload| payload["errors"] == json!([])) {
                assert_eq!(status(&bob, &text(&made["conversation"]["id"])).await, "BLOCKED", "whichever was first");
            }
            for node in 0..2 {
                let late = bob.at(&world, node).send(json!({ "conversationId": room, "body": "late" })).await;
                assert_eq!(refusal(&late).0, "BLOCKED");
            }
            // Both let go at once.
            join(
                does(&ann, "userUnblock", json!({ "userId": bob.id }), ""),
                async { does(&bob.at(&world, 1), "userUnblock", json!({ "userId": ann.id }), "").await },
            )
            .await;
            assert_eq!(status(&ann, &room).await, "ACTIVE");
            bob.at(&world, 1).say(&room, "again").await;
        }
    }
}

async fn direct(person: &Person, other: &Person) -> String {
    text(&person.create(json!({ "type": "DIRECT", "memberIds": [other.id] })).await["conversation"]["id"])
}

async fn status(person: &Person, conversation: &str) -> String {
    let query = "query($c: ID!) { conversation(id: $c) { status } }";
    let found: Value = person.ask(query, json!({ "c": conversation })).await;
    text(&found["conversation"]["status"])
}
