//! GraphQL over WebSocket, as graphql-transport-ws says it, and what becomes of those who do not keep to it.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    stories,
    support::{
        PATIENCE, Person, Setup, Socket, Wire, World,
        person::text,
        socket::{EVENTS, bodies},
    },
};

const PROTOCOL: &str = "graphql-transport-ws";

fn init(token: &str) -> Value {
    json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } })
}

fn subscribe(id: &str, query: &str) -> Value {
    json!({ "id": id, "type": "subscribe", "payload": { "query": query } })
}

/// Everything that comes until the answer to a ping.
async fn until_pong(socket: &mut Socket) -> Vec<Value> {
    socket.say(json!({ "type": "ping" })).await;
    let mut heard = Vec::new();
    loop {
        let message = socket.hear().await;
        if message == json!({ "type": "pong" }) {
            return heard;
        }
        heard.push(message);
    }
}

/// What is large enough for a few to fill every buffer there is between the hub and somebody who does not read.
const LARGE: &str = "subscription { events { __typename cursor ... on MessageSent { message {
    body a: body b: body c: body d: body e: body f: body g: body h: body i: body j: body k: body l: body } } } }";

/// So many of these come to 9 MB.
const ENOUGH: usize = 40;

fn large(number: usize) -> String {
    format!("{number} {}", "é".repeat(9_000))
}

/// A client with next to no buffer, which has followed the events so far and from now on reads only if it is told to.
async fn slow_reader(person: &Person) -> Socket {
    let mut wire = Wire::connect(&person.url).await;
    wire.upgrade(PROTOCOL).await.expect("a WebSocket");
    let mut socket = Socket::over(wire.stream).await;
    socket.say(init(&person.token)).await;
    assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
    socket.say(subscribe("large", LARGE)).await;
    socket.until_caught_up("large").await;
    socket
}

stories! {
    /// F: A-01
    async fn a_socket_is_opened_by_whoever_brings_a_good_token(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let bearer = format!("Bearer {}", ann.token);
        for payload in [
            json!({ "authorization": bearer }),
            json!({ "Authorization": bearer }),
            json!({ "token": ann.token, "anything": { "else": 1 } }),
        ] {
            let mut socket = Socket::connect(&ann.url, Some(PROTOCOL)).await;
            socket.say(json!({ "type": "connection_init", "payload": payload })).await;
            assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }), "{payload}");
            socket.say(subscribe("1", "{ viewer { user { id } } }")).await;
            assert_eq!(socket.next("1").await["data"]["viewer"]["user"]["id"], json!(ann.id));
        }
        for payload in [
            json!(null),
            json!({}),
            json!({ "authorization": null }),
            json!({ "authorization": ann.token }),
            json!({ "authorization": "Bearer " }),
            json!({ "authorization": format!("Basic {}", ann.token) }),
            json!({ "token": 1 }),
            json!({ "token": "nonsense" }),
            json!({ "token": "x".repeat(100_000) }),
            json!({ "token": format!("{}x", ann.token) }),
            json!({ "token": world.token("ann", json!({ "exp": 1_700_000_000 })) }),
            json!({ "token": world.token("ann", json!({ "iss": "https://evil.example" })) }),
            json!({ "token": world.token("ann", json!({ "aud": "another" })) }),
            json!({ "token": world.token("ann", json!({ "workspace": "nowhere" })) }),
        ] {
            let mut socket = Socket::connect(&ann.url, Some(PROTOCOL)).await;
            socket.say(json!({ "type": "connection_init", "payload": payload })).await;
            let (code, reason) = socket.closed().await;
            assert_eq!(code, 4403, "{payload:.200}: {reason}");
            assert!(reason.starts_with("Forbidden"), "{reason}");
        }
    }

    /// F: A-01, L-02
    async fn every_operation_begins_and_ends_as_the_protocol_says(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let mut socket = Socket::connect(&ann.url, Some(PROTOCOL)).await;
        // Before anybody is known, a ping is answered, and a pong and an end of nothing are not.
        socket.say(json!({ "type": "ping", "payload": { "at": 1 } })).await;
        assert_eq!(socket.hear().await, json!({ "type": "pong", "payload": { "at": 1 } }));
        socket.say(json!({ "type": "pong" })).await;
        socket.say(json!({ "type": "complete", "id": "nothing" })).await;
        socket.say(init(&ann.token)).await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));

        for payload in [json!({}), json!({ "a": [1, { "b": "\u{0}é" }] })] {
            socket.say(json!({ "type": "ping", "payload": payload })).await;
            assert_eq!(socket.hear().await, json!({ "type": "pong", "payload": payload }));
        }
        socket.say(json!({ "type": "pong", "payload": { "never": "asked for" } })).await;
        socket.say(json!({ "type": "complete", "id": "nothing" })).await;
        socket.say_frame(Message::Ping("from below".into())).await;
        assert_eq!(until_pong(&mut socket).await, Vec::<Value>::new(), "none of these is answered");

        // A query: one answer, then its end. The same id can be used again at once.
        for id in ["1", "1", "\"quoted\" \\ é", &"long".repeat(100)] {
            socket.say(subscribe(id, "{ viewer { user { name } } }")).await;
            let answer = socket.hear().await;
            assert_eq!((&answer["id"], &answer["type"]), (&json!(id), &json!("next")));
            assert_eq!(answer["payload"]["data"], json!({ "viewer": { "user": { "name": "ann" } } }));
            assert_eq!(answer["payload"]["extensions"]["cost"]["requested"], json!(3));
            assert!(answer["payload"].get("errors").is_none());
            assert_eq!(socket.hear().await, json!({ "id": id, "type": "complete" }));
        }
        // A mutation, with everything that a request can have.
        let query = "mutation Other { typingStop(input: { conversationId: \"x\" }) { errors { code } } }
            mutation Say($input: MessageSendInput!) { messageSend(input: $input) { message { body } errors { code } } }";
        let payload = json!({ "query": query, "operationName": "Say", "extensions": { "any": 1 },
            "variables": { "input": { "conversationId": tea, "body": "over the socket" } } });
        socket.say(json!({ "id": "2", "type": "subscribe", "payload": payload })).await;
        assert_eq!(socket.next("2").await["data"]["messageSend"], json!({ "message": { "body": "over the socket" }, "errors": [] }));
        assert_eq!(socket.hear().await, json!({ "id": "2", "type": "complete" }));
        assert_eq!(ann.history(&tea).await, ["over the socket"]);

        // What is executed and fails in part is an answer.
        socket.say(subscribe("3", "{ nodes(ids: []) { id } conversations(first: 0) { nodes { id } } }")).await;
        let answer = socket.next("3").await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], json!("BAD_REQUEST"), "{answer}");
        assert_eq!(socket.hear().await, json!({ "id": "3", "type": "complete" }));

        // What cannot be executed is an error, and nothing follows.
        for (query, code) in [
            ("{ nonsense }", "BAD_REQUEST"),
            ("{ viewer { ", "BAD_REQUEST"),
            ("subscription { nonsense }", "BAD_REQUEST"),
            ("subscription { a: events { cursor } b: events { cursor } }", "BAD_REQUEST"),
            ("subscription { events(input: { after: \"nonsense\" }) { cursor } }", "BAD_REQUEST"),
            ("query($v: ID!) { node(id: $v) { id } }", "BAD_REQUEST"),
            ("query A { viewer { isOperator } } query B { eventCursor }", "BAD_REQUEST"),
            ("{ ...A } fragment A on Query { ...B ...B } fragment B on Query { ...A ...A }", "BAD_REQUEST"),
            ("{ conversations(first: 100) { nodes { messages(first: 100) { nodes { id } } } } }", "COMPLEXITY_LIMIT"),
        ] {
            socket.say(subscribe("4", query)).await;
            let answer = socket.hear().await;
            assert_eq!((&answer["id"], &answer["type"]), (&json!("4"), &json!("error")), "{query}: {answer}");
            assert!(text(&answer["payload"][0]["message"]).len() > 3, "{answer}");
            assert_eq!(answer["payload"][0]["extensions"]["code"], json!(code), "{query}: {answer}");
            assert_eq!(until_pong(&mut socket).await, Vec::<Value>::new(), "{query}");
        }

        // A subscription goes on until its client has enough, and then not a word is said of it.
        socket.follow("a", json!({})).await;
        socket.follow("b", json!({})).await;
        ann.say(&tea, "to both").await;
        let both = [socket.hear().await, socket.hear().await];
        for id in ["a", "b"] {
            assert!(both.iter().any(|heard| heard["id"] == json!(id) && heard["type"] == json!("next")), "{both:?}");
        }
        socket.say(json!({ "id": "a", "type": "complete" })).await;
        assert_eq!(until_pong(&mut socket).await, Vec::<Value>::new());
        ann.say(&tea, "to one").await;
        assert_eq!(bodies(&socket.until_body("b", "to one").await), ["to one"]);
        assert_eq!(until_pong(&mut socket).await, Vec::<Value>::new());
        socket.follow("a", json!({})).await;
        ann.say(&tea, "to both again").await;
        assert_eq!(bodies(&socket.until_body("a", "to both again").await), ["to both again"]);
    }

    /// F: A-01, L-02
    async fn every_breach_of_the_protocol_has_its_code(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let words = |value: Value| Message::text(value.to_string());
        let payload = |payload: Value| words(json!({ "id": "1", "type": "subscribe", "payload": payload }));
        let deep = format!(r#"{{"type":"ping","payload":{{"a":{}"#, "[".repeat(100_000));
        for (frame, code) in [
            (words(subscribe("1", "{ viewer { user { id } } }")), 4401),
            (words(json!({ "type": "connection_init", "payload": "a token" })), 4400),
            (words(json!({ "type": "connection_init", "payload": [] })), 4400),
            (Message::binary(init(&ann.token).to_string().into_bytes()), 4400),
            (Message::text("x".repeat(1_024 * 1_024 + 1)), 1009),
        ] {
            let mut socket = Socket::connect(&ann.url, Some(PROTOCOL)).await;
            socket.say_frame(frame.clone()).await;
            let (closed, reason) = socket.closed().await;
            assert_eq!(closed, code, "before anything else {:.100}: {reason}", frame.to_string());
        }
        for (frame, code) in [
            (words(init(&ann.token)), 4429),
            (words(json!({ "type": "connection_init" })), 4429),
            (words(subscribe("running", "{ eventCursor }")), 4409),
            (words(subscribe(&"x".repeat(200), "{ eventCursor }")), 4409),
            (Message::binary(subscribe("1", "{ eventCursor }").to_string().into_bytes()), 4400),
            (Message::binary(Vec::new()), 4400),
            (Message::text(""), 4400),
            (Message::text("nonsense"), 4400),
            (Message::text("{\"type\":\"ping\"} {}"), 4400),
            (Message::text("{\"type\":\"ping\",\"payload\":{\"a\":\"\0\"}}"), 4400),
            (Message::text(deep), 4400),
            (words(json!(null)), 4400),
            (words(json!(1)), 4400),
            (words(json!([{ "type": "ping" }])), 4400),
            (words(json!({})), 4400),
            (words(json!({ "type": 1 })), 4400),
            (words(json!({ "type": "start", "id": "1", "payload": { "query": "{ eventCursor }" } })), 4400),
            (words(json!({ "type": "PING" })), 4400),
            (words(json!({ "type": "connection_ack" })), 4400),
            (words(json!({ "type": "next", "id": "1", "payload": {} })), 4400),
            (words(json!({ "type": "error", "id": "1", "payload": [] })), 4400),
            (words(json!({ "type": "nothing" })), 4400),
            (words(json!({ "type": "ping", "payload": 1 })), 4400),
            (words(json!({ "type": "pong", "payload": "x" })), 4400),
            (words(json!({ "type": "complete" })), 4400),
            (words(json!({ "type": "complete", "id": 1 })), 4400),
            (words(json!({ "type": "subscribe", "payload": { "query": "{ eventCursor }" } })), 4400),
            (words(json!({ "type": "subscribe", "id": 1, "payload": { "query": "{ eventCursor }" } })), 4400),
            (words(subscribe("", "{ eventCursor }")), 4400),
            (words(json!({ "type": "subscribe", "id": "1" })), 4400),
            (payload(json!(null)), 4400),
            (payload(json!("{ eventCursor }")), 4400),
            (payload(json!([{ "query": "{ eventCursor }" }])), 4400),
            (payload(json!({})), 4400),
            (payload(json!({ "query": null })), 4400),
            (payload(json!({ "query": 1 })), 4400),
            (payload(json!({ "query": "{ eventCursor }", "variables": "{}" })), 4400),
            (payload(json!({ "query": "{ eventCursor }", "variables": [] })), 4400),
            (payload(json!({ "query": "{ eventCursor }", "operationName": 1 })), 4400),
            (payload(json!({ "query": "{ eventCursor }", "extensions": [] })), 4400),
            (Message::text(format!("\"{}\"", "x".repeat(1_024 * 1_024))), 1009),
        ] {
            let mut socket = ann.socket().await;
            for id in ["running".to_owned(), "x".repeat(200)] {
                socket.follow(&id, json!({})).await;
            }
            socket.say_frame(frame.clone()).await;
            let (closed, reason) = socket.closed().await;
            assert_eq!(closed, code, "{:.200}: {reason}", frame.to_string());
            assert!(!reason.is_empty() && reason.len() <= 123, "{reason}");
        }
        // As long as a message may be, to the byte.
        let mut socket = ann.socket().await;
        let around = json!({ "type": "ping", "payload": { "a": "" } }).to_string().len();
        let payload = json!({ "a": "x".repeat(1_024 * 1_024 - around) });
        socket.say(json!({ "type": "ping", "payload": payload })).await;
        assert_eq!(socket.hear().await, json!({ "type": "pong", "payload": payload }));
        socket.say(subscribe("1", &format!("{{ eventCursor }} #{}", " ".repeat(500_000)))).await;
        let answer = socket.hear().await;
        assert_eq!(answer["payload"][0]["extensions"]["code"], json!("COMPLEXITY_LIMIT"), "{answer}");
    }

    /// F: L-02
    async fn another_protocol_is_not_spoken(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let mut none = Socket::connect(&ann.url, None).await;
        assert_eq!(none.closed().await, (4406, "Subprotocol not acceptable".to_owned()));
        for offered in ["graphql-ws", "graphql-transport-ws2, soap", "GRAPHQL-TRANSPORT-WS"] {
            let mut wire = Wire::connect(&ann.url).await;
            let head = wire.upgrade(offered).await.expect("an answer").to_lowercase();
            assert!(!head.contains("sec-websocket-protocol"), "{head}");
            let mut socket = Socket::over(wire.stream).await;
            assert_eq!(socket.closed().await.0, 4406, "{offered}");
        }
        let mut wire = Wire::connect(&ann.url).await;
        let head = wire.upgrade("graphql-ws, graphql-transport-ws").await.expect("an answer").to_lowercase();
        assert!(head.contains("sec-websocket-protocol: graphql-transport-ws\r\n"), "{head}");
        let mut socket = Socket::over(wire.stream).await;
        socket.say(init(&ann.token)).await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
    }

    /// F: A-01, L-02
    async fn who_does_not_say_who_they_are_is_sent_away_in_time(backend) {
        let setup = Setup::new(backend).config(|config| config.sockets.connection_init_seconds = 1);
        let world = setup.start().await;
        let ann = world.person("ann").await;
        let mut greeted = ann.socket().await;
        let mut silent = Socket::connect(&ann.url, Some(PROTOCOL)).await;
        let mut talkative = Socket::connect(&ann.url, Some(PROTOCOL)).await;
        // Talking of other things gives nobody more time.
        until_pong(&mut talkative).await;
        let late = (4408, "Connection initialisation timeout".to_owned());
        assert_eq!(silent.closed().await, late);
        assert_eq!(talkative.closed().await, late);
        assert_eq!(until_pong(&mut greeted).await, Vec::<Value>::new(), "who has said it may stay");
    }

    /// F: A-01
    async fn a_socket_ends_with_its_token(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let soon = world.clock.now().0 / 1_000 + 60;
        let mut brief = Socket::open(&ann.url, &world.token("ann", json!({ "exp": soon }))).await;
        let mut other = ann.socket().await;
        brief.follow("1", json!({})).await;
        // Half a minute longer than it says: the clocks of issuers differ from ours.
        world.clock.advance(Duration::from_secs(60 + 29));
        assert_eq!(until_pong(&mut brief).await, Vec::<Value>::new());
        world.clock.advance(Duration::from_secs(1));
        let (code, reason) = brief.closed().await;
        assert_eq!((code, reason.as_str()), (4403, "Forbidden: the token has expired"));
        assert_eq!(until_pong(&mut other).await, Vec::<Value>::new(), "another token is none of its business");
    }

    /// F: L-04
    async fn who_is_connected_when_the_hub_goes_away_is_told_to_come_back(backend) {
        let mut world = World::new(backend).await;
        let ann = world.person("ann").await;
        let mut following = ann.socket().await;
        following.follow("1", json!({})).await;
        let mut idle = ann.socket().await;
        let mut unknown = Socket::connect(&ann.url, Some(PROTOCOL)).await;
        until_pong(&mut unknown).await;
        let began = Instant::now();
        let ((), ends) = tokio::join!(world.stop(0), async {
            [following.closed().await, idle.closed().await, unknown.closed().await]
        });
        for end in ends {
            assert_eq!(end, (1012, "the hub restarts; come back".to_owned()));
        }
        assert!(began.elapsed() < Duration::from_secs(5), "nobody is waited for who has been told");
    }

    /// F: L-02
    async fn a_socket_has_so_many_operations_at_once_and_no_more(backend) {
        let setup = Setup::new(backend).config(|config| config.sockets.max_subscriptions = 3);
        let world = setup.start().await;
        let ann = world.person("ann").await;
        let mut socket = ann.socket().await;
        for id in ["1", "2", "3"] {
            socket.follow(id, json!({})).await;
        }
        // A flood of them is answered one by one, and the socket stays open.
        for number in 4..504 {
            socket.say(subscribe(&number.to_string(), EVENTS)).await;
        }
        for number in 4..504 {
            let answer = socket.hear().await;
            assert_eq!((&answer["id"], &answer["type"]), (&json!(number.to_string()), &json!("error")));
            assert_eq!(answer["payload"][0]["extensions"]["code"], json!("LIMIT_REACHED"));
            assert_eq!(answer["payload"][0]["message"], json!("a socket has at most 3 operations at once"));
        }
        ann.socket().await.follow("4", json!({})).await;
        socket.say(json!({ "id": "2", "type": "complete" })).await;
        socket.follow("4", json!({})).await;
        let tea = ann.group("Tea", &[]).await;
        ann.say(&tea, "still here").await;
        for id in ["1", "3", "4"] {
            // Each is looked for from the beginning, so each has an event of its own.
            ann.say(&tea, id).await;
            socket.until_body(id, id).await;
        }
    }

    /// F: L-10
    async fn a_socket_takes_up_a_place_among_the_connections(backend) {
        let setup = Setup::new(backend).config(|config| config.http.max_connections = 4);
        let world = setup.start().await;
        // She keeps one connection for her requests.
        let ann = world.person("ann").await;
        let mut sockets = Vec::new();
        for _ in 0..3 {
            sockets.push(ann.socket().await);
        }
        for _ in 0..5 {
            assert_eq!(Wire::connect(&ann.url).await.upgrade(PROTOCOL).await, None, "there is no place left");
        }
        for socket in &mut sockets {
            assert_eq!(until_pong(socket).await, Vec::<Value>::new());
        }
        ann.cursor().await;
        // Who leaves makes room.
        drop(sockets.pop());
        let began = Instant::now();
        while Wire::connect(&ann.url).await.upgrade(PROTOCOL).await.is_none() {
            assert!(began.elapsed() < PATIENCE, "a place was never given back");
        }
    }

    /// F: L-10
    async fn who_does_not_answer_pings_is_cut_off(backend) {
        let setup = Setup::new(backend).config(|config| config.sockets.ping_seconds = 1);
        let world = setup.start().await;
        let ann = world.person("ann").await;
        // One that is greeted and follows, and from then on is as silent as a cable that was pulled.
        let mut dead = Wire::connect(&ann.url).await;
        dead.upgrade(PROTOCOL).await.expect("a WebSocket");
        dead.say(&init(&ann.token).to_string()).await;
        dead.say(&subscribe("1", EVENTS).to_string()).await;
        let mut alive = ann.socket().await;
        let began = Instant::now();
        // The other one only reads, and so its library answers the pings.
        let rest = tokio::select! {
            rest = dead.rest() => rest,
            closed = alive.closed() => panic!("{closed:?}"),
        };
        assert!(began.elapsed() > Duration::from_secs(2), "a moment of silence is nothing");
        let heard = String::from_utf8_lossy(&rest);
        assert!(heard.contains("connection_ack") && heard.contains("CaughtUp"), "{heard}");
        assert_eq!(until_pong(&mut alive).await, Vec::<Value>::new());
    }

    /// F: L-10
    async fn who_does_not_read_is_cut_off_and_holds_up_nobody(backend) {
        let setup = Setup::new(backend).config(|config| config.sockets.write_seconds = 1);
        let world = setup.start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let mut slow = slow_reader(&bob).await;
        let mut quick = bob.socket().await;
        quick.say(subscribe("large", LARGE)).await;
        quick.until_caught_up("large").await;

        // More than fits between the hub and who does not read; then for longer than the hub waits.
        let (mut filled_at, mut count, mut took) = (None, 0, Vec::new());
        while filled_at.is_none_or(|at: Instant| at.elapsed() < Duration::from_secs(2)) {
            count += 1;
            let body = if count <= ENOUGH { large(count) } else { count.to_string() };
            let sent = Instant::now();
            ann.say(&tea, &body).await;
            assert_eq!(quick.event("large").await["message"]["body"], json!(body));
            took.push(sent.elapsed());
            if count == ENOUGH {
                filled_at = Some(Instant::now());
            }
        }
        took.sort_unstable();
        assert!(took[took.len() / 2] < Duration::from_millis(250), "{took:?}");
        // What had been written is still on its way; then there is nothing more, not even a reason.
        let (code, _) = slow.closed().await;
        assert_eq!(code, 1006);
        assert_eq!(until_pong(&mut quick).await, Vec::<Value>::new());
    }

    /// F: L-03
    async fn who_reads_too_slowly_is_told_where_to_go_on(backend) {
        let setup = Setup::new(backend).config(|config| {
            config.sockets.max_waiting = 4;
            config.sockets.write_seconds = 60;
        });
        let world = setup.start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let mut slow = slow_reader(&bob).await;
        let mut quick = bob.socket().await;
        quick.say(subscribe("large", LARGE)).await;
        quick.until_caught_up("large").await;
        let all: Vec<String> = (1..=ENOUGH).map(large).collect();
        for body in &all {
            ann.say(&tea, body).await;
            // When this one has it, the other one has had its chance.
            assert_eq!(quick.event("large").await["message"]["body"], json!(body));
        }

        let mut heard = Vec::new();
        let cursor = loop {
            let payload = slow.next("large").await;
            if let Some(error) = payload["errors"].get(0) {
                assert_eq!(error["extensions"]["code"], json!("TOO_SLOW"), "{error}");
                break text(&error["extensions"]["cursor"]);
            }
            heard.push(text(&payload["data"]["events"]["message"]["body"]));
        };
        assert!(heard.len() < all.len());
        assert_eq!(slow.hear().await, json!({ "id": "large", "type": "complete" }));
        let events = slow.follow("again", json!({ "after": cursor })).await;
        heard.extend(bodies(&events));
        assert!(heard == all, "nothing is missed and nothing comes twice");
    }

    /// F: L-02
    async fn a_busy_operation_does_not_starve_its_neighbours(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let mut socket = ann.socket().await;
        socket.follow("busy", json!({})).await;
        let talkers: Vec<_> = (0..4)
            .map(|talker| {
                let (ann, tea) = (ann.clone(), tea.clone());
                tokio::spawn(async move {
                    for number in 0.. {
                        ann.say(&tea, &format!("{talker} {number}")).await;
                    }
                })
            })
            .collect();
        let (mut busy, mut asked) = (0, 0);
        while busy < 100 {
            asked += 1;
            let id = format!("query {asked}");
            socket.subscribe(&id, "{ eventCursor }", json!({})).await;
            loop {
                let message = socket.hear().await;
                if message["id"] == json!(id) && message["type"] == json!("complete") {
                    break;
                }
                busy += usize::from(message["id"] == json!("busy"));
            }
        }
        talkers.iter().for_each(tokio::task::JoinHandle::abort);
    }

    /// F: M-07
    async fn an_answer_may_be_large(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let body = "🫖".repeat(10_000);
        join_all((0..50).map(|_| ann.say(&tea, &body))).await;
        let mut socket = ann.socket().await;
        let query = "query($c: ID!) { conversation(id: $c) { messages(first: 50) { nodes { a: body b: body c: body } } } }";
        socket.subscribe("1", query, json!({ "c": tea })).await;
        let answer = socket.next("1").await;
        let nodes = answer["data"]["conversation"]["messages"]["nodes"].as_array().expect("nodes");
        assert!(nodes.len() == 50 && nodes.iter().all(|node| node["c"] == json!(body)));
        assert_eq!(socket.hear().await, json!({ "id": "1", "type": "complete" }));
    }
}
