//! What has come and what was read, by whom, and what is new to somebody.

use std::time::Duration;

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
    /// F
    async fn a_message_is_sent_then_delivered_then_read_by_each_with_times(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        // Receipts are in the order of ids, which is that of time.
        world.clock.advance(Duration::from_secs(1));
        let cleo = world.person("cleo").await;
        let tea = ann.group("Tea", &[&bob, &cleo]).await;
        let mut ids = Vec::new();
        for (number, person) in [&ann, &ann, &bob, &ann].into_iter().enumerate() {
            ids.push(text(&person.say(&tea, &number.to_string()).await["id"]));
        }
        let status = async |number: usize| {
            let found = cleo.ask("query($m: ID!) { message(id: $m) { status readByAll } }", json!({ "m": ids[number] })).await;
            (text(&found["message"]["status"]), found["message"]["readByAll"] == json!(true))
        };
        assert_eq!(status(0).await, ("SENT".into(), false));
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(mark(&bob, "messagesMarkDelivered", &[&ids[1], &ids[0]]).await["markedCount"], json!(2));
        assert_eq!(mark(&bob, "messagesMarkDelivered", &[&ids[1]]).await["markedCount"], json!(0), "once is enough");
        assert_eq!(status(0).await.0, "SENT", "Cleo has nothing yet");
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(mark(&cleo, "messagesMarkRead", &[&ids[0]]).await["markedCount"], json!(1));
        assert_eq!((status(0).await.0, status(1).await.0), ("DELIVERED".into(), "SENT".into()));
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(mark(&bob, "messagesMarkRead", &[&ids[3]]).await["markedCount"], json!(3), "never one's own");
        assert_eq!((status(0).await, status(1).await.0), (("READ".into(), true), "SENT".into()));
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(read_up_to(&cleo, &tea, None).await["markedCount"], json!(3));
        for number in 0..3 {
            let expected = if number == 2 { ("SENT".into(), false) } else { ("READ".into(), true) };
            assert_eq!(status(number).await, expected, "Ann has not read what Bob sent");
        }
        assert_eq!(read_up_to(&cleo, &tea, Some(1)).await["markedCount"], json!(0), "pointers only go forward");
        assert_eq!(read_up_to(&ann, &tea, Some(99)).await["markedCount"], json!(1));

        let query = "query($m: ID!) { message(id: $m) { receipts(first: 9) { nodes { user { name } deliveredAt readAt } } deliveredTo(first: 9) { nodes { user { name } } }
            readBy(first: 9) { nodes { user { name } } } } }";
        let found = ann.ask(query, json!({ "m": ids[0] })).await["message"].take();
        let receipt = |name: &str, delivered: u32, read: u32| {
            let at = |second: u32| format!("2027-01-15T08:00:0{}.000Z", second + 1);
            json!({ "user": { "name": name }, "deliveredAt": at(delivered), "readAt": at(read) })
        };
        assert_eq!(found["receipts"]["nodes"], json!([receipt("bob", 1, 3), receipt("cleo", 2, 2)]), "what was read has come");
        let found = ann.ask(query, json!({ "m": ids[3] })).await["message"].take();
        assert_eq!(found["receipts"]["nodes"], json!([receipt("bob", 3, 3), receipt("cleo", 4, 4)]));
        let late = text(&ann.say(&tea, "late").await["id"]);
        mark(&bob, "messagesMarkDelivered", &[&late]).await;
        let found = bob.ask(query, json!({ "m": late })).await["message"].take();
        assert_eq!(found["receipts"]["nodes"][1], json!({ "user": { "name": "cleo" }, "deliveredAt": null, "readAt": null }));
        let (to, by) = (&found["deliveredTo"]["nodes"], &found["readBy"]["nodes"]);
        assert_eq!((to, by), (&json!([{ "user": { "name": "bob" } }]), &json!([])));

        // Whoever comes later may read what was said, but nothing of it waits for them.
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(ann.add(&tea, &[&eve]).await["errors"], json!([]));
        assert_eq!(status(0).await, ("READ".into(), true));
        assert_eq!(ann.ask(query, json!({ "m": ids[0] })).await["message"]["receipts"]["nodes"].as_array().map(Vec::len), Some(2));
        let eve = world.person("nobody here").await;

        let page = "query($m: ID!, $a: String) { message(id: $m) { receipts(first: 1, after: $a) { nodes { user { name } } pageInfo { hasNextPage endCursor } } } }";
        let first = ann.ask(page, json!({ "m": late })).await["message"]["receipts"].take();
        assert_eq!((&first["nodes"][0]["user"]["name"], &first["pageInfo"]["hasNextPage"]), (&json!("bob"), &json!(true)));
        let second = ann.ask(page, json!({ "m": late, "a": first["pageInfo"]["endCursor"] })).await["message"]["receipts"].take();
        assert_eq!((&second["nodes"][0]["user"]["name"], &second["pageInfo"]["hasNextPage"]), (&json!("cleo"), &json!(false)));

        assert_eq!(refusal(&mark(&eve, "messagesMarkRead", &[&ids[0]]).await), ("NOT_FOUND".into(), json!(["input", "messageIds"])));
        assert_eq!(refusal(&mark(&bob, "messagesMarkRead", &[]).await).0, "NOT_FOUND");
        assert_eq!(mark(&bob, "messagesMarkRead", &["msg_nonsense", &late]).await["markedCount"], json!(1), "what is gone is passed over");
        assert_eq!(refusal(&mark(&bob, "messagesMarkDelivered", &vec![late.as_str(); 101]).await), ("INVALID".into(), json!(["input", "messageIds"])));
        assert_eq!(refusal(&read_up_to(&eve, &tea, None).await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
    }

    /// F: R-01
    async fn who_takes_part_hears_of_receipts_as_ranges(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let cake = ann.group("Cake", &[&bob, &eve]).await;
        let mut ids = Vec::new();
        for number in 0..30 {
            ids.push(text(&ann.say(if number % 3 == 0 { &cake } else { &tea }, "again").await["id"]));
        }
        let query = "subscription { events(input: { kinds: [RECEIPTS_ADVANCED, MESSAGE_SENT] }) { __typename ... on ReceiptsAdvanced {
            conversation { id unreadCount } user { name } kind upTo } } }";
        let (mut of_ann, mut of_bob, mut of_eve) =
            (ann.at(&world, 1).socket().await, bob.at(&world, 1).socket().await, eve.at(&world, 1).socket().await);
        for socket in [&mut of_ann, &mut of_bob, &mut of_eve] {
            socket.subscribe("s", query, json!({})).await;
            socket.next("s").await;
        }
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert_eq!(mark(&bob, "messagesMarkRead", &all).await["markedCount"], json!(30));
        ann.say(&cake, "a fence").await;
        let told = |conversation: &str, unread: u32, up_to: u32| {
            json!({ "__typename": "ReceiptsAdvanced", "conversation": { "id": conversation, "unreadCount": unread },
                "user": { "name": "bob" }, "kind": "READ", "upTo": up_to })
        };
        for (socket, unread) in [(&mut of_ann, 0), (&mut of_bob, 0)] {
            let mut heard = [socket.next("s").await["data"]["events"].take(), socket.next("s").await["data"]["events"].take()];
            heard.sort_by_key(|event| event["upTo"].as_i64());
            // What is delivered is resolved as of then: the fence may have come in between.
            for (event, expected) in heard.iter().zip([told(&cake, unread, 10), told(&tea, unread, 20)]) {
                assert_eq!((&event["conversation"]["id"], &event["upTo"], &event["user"]), (&expected["conversation"]["id"], &expected["upTo"], &expected["user"]));
            }
            assert_eq!(socket.next("s").await["data"]["events"]["__typename"], json!("MessageSent"), "one event for a range");
        }
        let heard = of_eve.next("s").await["data"]["events"].take();
        assert_eq!((&heard["conversation"]["id"], &heard["upTo"]), (&json!(cake), &json!(10)));
        assert_eq!(of_eve.next("s").await["data"]["events"]["__typename"], json!("MessageSent"), "and not of what is not hers");
    }

    /// F: R-03, C-08
    async fn unread_is_what_came_after_the_pointer_and_is_not_ones_own(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        world.clock.advance(Duration::from_secs(10));
        let cake = ann.group("Cake", &[&bob]).await;
        assert_eq!(unread(&bob).await, json!({ "total": 0, "conversationCount": 0, "isComplete": true, "conversations": [] }));
        for (place, person) in [(&tea, &ann), (&tea, &bob), (&tea, &ann), (&cake, &ann), (&cake, &bob)] {
            world.clock.advance(Duration::from_secs(10));
            person.say(place, &format!("by {}", person.name)).await;
        }
        let count = |conversation: &str, count: u32| json!({ "conversation": { "id": conversation, "unreadCount": count }, "count": count });
        assert_eq!(
            unread(&bob).await,
            json!({ "total": 3, "conversationCount": 2, "isComplete": true, "conversations": [count(&cake, 1), count(&tea, 2)] })
        );
        assert_eq!(unread(&ann).await["total"], json!(2));
        assert_eq!(unread(&eve).await["total"], json!(0));
        read_up_to(&bob, &tea, Some(1)).await;
        assert_eq!(unread(&bob).await["conversations"][1]["count"], json!(1));
        assert_eq!(read_up_to(&bob, &cake, None).await["conversation"], json!({ "id": cake, "unreadCount": 0 }));
        assert_eq!(unread(&bob).await, json!({ "total": 1, "conversationCount": 1, "isComplete": true, "conversations": [count(&tea, 1)] }));

        let list = "{ conversations(first: 10) { nodes { title unreadCount lastMessage { body sender { name } status } } } }";
        let listed = bob.ask(list, json!({})).await["conversations"]["nodes"].take();
        assert_eq!(listed, json!([
            { "title": "Cake", "unreadCount": 0, "lastMessage": { "body": "by bob", "sender": { "name": "bob" }, "status": "SENT" } },
            { "title": "Tea", "unreadCount": 1, "lastMessage": { "body": "by ann", "sender": { "name": "ann" }, "status": "SENT" } },
        ]));
        let empty = ann.group("Empty", &[]).await;
        let found = ann.ask("query($c: ID!) { conversation(id: $c) { unreadCount lastMessage { body } } }", json!({ "c": empty })).await;
        assert_eq!(found["conversation"], json!({ "unreadCount": 0, "lastMessage": null }));
        assert_eq!(bob.fault("{ unreadCounts { conversations(first: 101) { count } } }", json!({})).await, "BAD_REQUEST");
    }

    /// F, M-05
    async fn what_one_says_oneself_is_never_new_however_far_one_has_read(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let mut ids = Vec::new();
        // Every third is Ann's: 3, 6, 9 and so on.
        for number in 1..=30 {
            let person = if number % 3 == 0 { &ann } else { &bob };
            ids.push(text(&person.at(&world, number % 2).say(&tea, &number.to_string()).await["id"]));
        }
        let new_to_bob = async || unread(&bob.at(&world, 1)).await["total"].as_u64().expect("a number");
        assert_eq!(new_to_bob().await, 10);
        // Near the pointer, near the head, and back to where it has been.
        for (up_to, marked, left) in [(2, 0, 10), (7, 2, 8), (26, 6, 2), (12, 0, 2)] {
            assert_eq!(read_up_to(&bob, &tea, Some(up_to)).await["markedCount"], json!(marked), "{up_to}");
            assert_eq!(new_to_bob().await, left, "{up_to}");
        }
        // What has come is counted likewise, and is no less new.
        assert_eq!(mark(&bob, "messagesMarkDelivered", &[&ids[27]]).await["markedCount"], json!(1));
        assert_eq!(mark(&bob, "messagesMarkDelivered", &[&ids[28]]).await["markedCount"], json!(0));
        assert_eq!(new_to_bob().await, 2);
        assert_eq!(mark(&bob, "messagesMarkRead", &[&ids[26]]).await["markedCount"], json!(1));
        assert_eq!(new_to_bob().await, 1);

        // A message keeps its place, whoever deletes it for whom.
        bob.say(&tea, "thirty-one").await;
        for (person, message, for_everyone, left) in
            [(&bob, 27, false, 1), (&bob, 28, true, 1), (&ann, 29, true, 1), (&bob, 29, false, 0)]
        {
            let input = json!({ "messageId": ids[message], "forEveryone": for_everyone });
            assert_eq!(does(person, "messageDelete", input, "").await["errors"], json!([]), "{message}");
            assert_eq!(new_to_bob().await, left, "{message}");
        }
        ann.say(&tea, "thirty-two").await;
        assert_eq!(new_to_bob().await, 1);
        let with_news = "{ conversations(first: 9, filter: { hasUnread: true }) { nodes { id } } }";
        assert_eq!(bob.ask(with_news, json!({})).await["conversations"]["nodes"], json!([{ "id": tea }]));
        assert_eq!(read_up_to(&bob, &tea, None).await["markedCount"], json!(2), "one of them is no more to be seen");
        bob.say(&tea, "thirty-three").await;
        assert_eq!(new_to_bob().await, 0);
        assert_eq!(bob.ask(with_news, json!({})).await["conversations"]["nodes"], json!([]));

        // Who comes again begins anew, with none of what they said before.
        does(&bob, "conversationLeave", json!({ "conversationId": tea }), "").await;
        ann.say(&tea, "thirty-four").await;
        ann.add(&tea, &[&bob]).await;
        assert_eq!(new_to_bob().await, 0);
        assert_eq!(read_up_to(&bob, &tea, Some(33)).await["markedCount"], json!(0));
        for (person, left) in [(&bob, 0), (&ann, 1), (&bob, 1)] {
            person.at(&world, 1).say(&tea, "again").await;
            assert_eq!(new_to_bob().await, left);
        }
        assert_eq!(read_up_to(&bob, &tea, Some(36)).await["markedCount"], json!(1));
        assert_eq!(new_to_bob().await, 0);
    }

    /// F: R-03
    async fn unread_is_told_live(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let query = "subscription { events(input: { kinds: [MESSAGE_SENT, RECEIPTS_ADVANCED] }) { __typename
            ... on MessageSent { conversation { unreadCount } } ... on ReceiptsAdvanced { conversation { unreadCount } } } }";
        let mut sockets = Vec::new();
        for person in [&ann, &bob] {
            let mut socket = person.at(&world, 1).socket().await;
            socket.subscribe("s", query, json!({})).await;
            socket.next("s").await;
            sockets.push(socket);
        }
        for number in 1..=3 {
            ann.say(&tea, "news").await;
            for (socket, expected) in sockets.iter_mut().zip([0, number]) {
                let told = socket.next("s").await["data"]["events"].take();
                assert_eq!(told, json!({ "__typename": "MessageSent", "conversation": { "unreadCount": expected } }));
            }
        }
        read_up_to(&bob, &tea, Some(2)).await;
        for (socket, expected) in sockets.iter_mut().zip([0, 1]) {
            let told = socket.next("s").await["data"]["events"].take();
            assert_eq!(told, json!({ "__typename": "ReceiptsAdvanced", "conversation": { "unreadCount": expected } }));
        }
    }
}

async fn mark(person: &Person, what: &str, messages: &[&str]) -> Value {
    let of = format!("M{}", &what[1..]);
    let query = format!(
        "mutation($input: {of}Input!) {{ {what}(input: $input) {{ markedCount errors {{ code message path }} }} }}"
    );
    person.ask(&query, json!({ "input": { "messageIds": messages } })).await[what].take()
}

async fn read_up_to(person: &Person, conversation: &str, up_to: Option<i64>) -> Value {
    let query = "mutation($input: ConversationMarkReadInput!) { conversationMarkRead(input: $input) { markedCount
        conversation { id unreadCount } errors { code message path } } }";
    let input = json!({ "conversationId": conversation, "upTo": up_to });
    person.ask(query, json!({ "input": input })).await["conversationMarkRead"].take()
}

async fn unread(person: &Person) -> Value {
    let query = "{ unreadCounts { total conversationCount isComplete conversations(first: 100) {
        count conversation { id unreadCount } } } }";
    person.ask(query, json!({})).await["unreadCounts"].take()
}
