//! Floods of every kind, against a hub that is a process of its own: how much of the memory they can make it take.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{
    stories,
    support::{
        Backend, Person, Socket, Wire, backends,
        process::{self, Process},
        within,
    },
};

/// What a hub may take at the height of a flood on top of what it had before, whatever the flood.
const ROOM_BYTES: u64 = 64 * 1_024 * 1_024;
const PROTOCOL: &str = "graphql-transport-ws";

/// A hub of its own, and somebody there.
struct Flooded {
    hub: Process,
    ann: Person,
    bob: Person,
    _folder: tempfile::TempDir,
}

impl Flooded {
    async fn start(backend: Backend) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut flags = Vec::new();
        if backend == Backend::Cluster {
            flags.extend(["--database".to_owned(), backends::postgres(&backends::empty_database().await)]);
            flags.extend(["--bus".to_owned(), backends::redis()]);
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let hub =
            Process::start(folder.path(), &flags, &[("JACKFIELD_SOCKETS__MAX_WAITING_BYTES", "16777216".to_owned())])
                .await;
        let enter = async |name: &str| {
            let arguments = [&flags[..], &["token", "--user", name]].concat();
            let (ok, token, complaint) = process::run(folder.path(), &arguments).await;
            assert!(ok, "{complaint}");
            Person::at_url(&hub.url, name, token.trim()).await
        };
        let (ann, bob) = (enter("ann").await, enter("bob").await);
        // What the first message makes ready, plugins among it, is no flood's doing.
        let first = ann.group("First", &[&bob]).await;
        ann.say(&first, "Hello, all!").await;
        Flooded { hub, ann, bob, _folder: folder }
    }

    /// How much more the hub had at its height than before.
    async fn height(&self, what: &str, flood: impl Future<Output = ()>) {
        let before = self.hub.resident_bytes();
        self.hub.forget_height();
        flood.await;
        let height = self.hub.height_bytes().saturating_sub(before);
        assert!(height < ROOM_BYTES, "{what}: {} kB before, and {} kB more", before / 1_024, height / 1_024);
        // And it still does what it is for.
        self.ann.cursor().await;
    }

    fn head(&self) -> String {
        format!(
            "POST /graphql HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\n",
            self.ann.token
        )
    }
}

/// A document that nobody else sends, and that is as long as may be.
fn unlike(number: usize, bytes: usize) -> String {
    let event = format!("events {{ cursor ... on MessageSent {{ message {{ a{number}: body ALL }} }} }}");
    let fields = "id ".repeat((bytes - event.len() - 20) / 3);
    format!("subscription {{ {} }}", event.replace("ALL", &fields))
}

/// A selection that makes twenty-five of one message.
fn large(number: usize) -> String {
    let bodies = (0..25).map(|copy| format!("b{number}x{copy}: body ")).collect::<String>();
    format!("subscription {{ events {{ __typename ... on MessageSent {{ message {{ {bodies} }} }} }} }}")
}

fn subscribe(id: usize, query: &str) -> Value {
    json!({ "id": id.to_string(), "type": "subscribe", "payload": { "query": query } })
}

stories! {
    /// F: L-02, L-10
    async fn bodies_that_are_too_long_take_no_room(backend) {
        let at = Flooded::start(backend).await;
        let (ann, head) = (&at.ann, at.head());
        at.height("bodies of 20 MB", async {
            let megabyte = vec![b' '; 1_000_000];
            join_all((0..64).map(|number| {
                let (megabyte, head) = (&megabyte, &head);
                async move {
                    let mut wire = Wire::connect(&ann.url).await;
                    let framing = if number % 2 == 0 { "content-length: 20000000" } else { "transfer-encoding: chunked" };
                    wire.send(format!("{head}{framing}\r\n\r\n")).await;
                    for _ in 0..20 {
                        let chunk = async {
                            if number % 2 == 1 {
                                wire.stream.write_all(b"f4240\r\n").await?;
                            }
                            wire.stream.write_all(megabyte).await?;
                            if number % 2 == 1 { wire.stream.write_all(b"\r\n").await } else { Ok(()) }
                        };
                        if within("a write, or an end", chunk).await.is_err() {
                            return;
                        }
                    }
                }
            }))
            .await;
        })
        .await;
    }

    /// F: L-10
    async fn what_is_begun_and_never_ended_takes_no_room(backend) {
        let at = Flooded::start(backend).await;
        let (head, tea) = (at.head(), at.ann.group("Tea", &[]).await);
        for (what, begun) in [
            ("connections that say nothing", Vec::new()),
            ("heads that do not end", vec![head.as_bytes().to_vec()]),
            ("bodies that do not end", vec![format!("{head}content-length: 1048576\r\n\r\n").into_bytes(), vec![b' '; 1_000_000]]),
            ("bodies that do not end, of nobody", vec![
                b"POST /graphql HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: 1048576\r\n\r\n".to_vec(),
                vec![b' '; 1_000_000],
            ]),
        ] {
            at.height(what, async {
                let wires = join_all((0..300).map(|_| async {
                    let mut wire = Wire::connect(&at.ann.url).await;
                    for bytes in &begun {
                        // A hub that has no room for it reads no more of it.
                        let _ = timeout(Duration::from_secs(3), wire.stream.write_all(bytes)).await;
                    }
                    wire
                }))
                .await;
                at.ann.cursor().await;
                if what.ends_with("of nobody") {
                    // Those who are somebody have places of their own for what is long.
                    at.ann.say(&tea, &"é".repeat(10_000)).await;
                }
                drop(wires);
            })
            .await;
        }
        at.height("sockets that say nothing", async {
            let wires = join_all((0..400).map(|_| async {
                let mut wire = Wire::connect(&at.ann.url).await;
                wire.upgrade(PROTOCOL).await.expect("a WebSocket");
                wire
            }))
            .await;
            at.ann.cursor().await;
            drop(wires);
        })
        .await;
    }

    /// F: L-02
    async fn a_flood_of_subscriptions_takes_no_room(backend) {
        let at = Flooded::start(backend).await;
        at.height("subscriptions that come and go", async {
            let mut socket = at.ann.socket().await;
            for number in 0..1_000 {
                socket.say(subscribe(number, &unlike(number, 1_000))).await;
                assert_eq!(socket.next(&number.to_string()).await["data"]["events"].get("cursor").map(Value::is_string), Some(true));
                socket.say(json!({ "id": number.to_string(), "type": "complete" })).await;
            }
        })
        .await;
        at.height("as many subscriptions as there may be, and more", async {
            let mut sockets = Vec::new();
            let mut refused = 0;
            for number in 0..3 {
                let mut socket = at.ann.socket().await;
                for more in 0..20 {
                    socket.say(subscribe(more, &unlike(number * 100 + more, 14_000))).await;
                }
                for _ in 0..20 {
                    let answer = socket.hear().await;
                    if answer["type"] == json!("error") {
                        assert_eq!(answer["payload"][0]["extensions"]["code"], json!("LIMIT_REACHED"), "{answer}");
                        refused += 1;
                    }
                }
                sockets.push(socket);
            }
            assert_eq!(refused, 50, "ten of these are as much as somebody may follow at once");
            // What others follow is put down to them, and who lets go of theirs may follow something else.
            at.bob.socket().await.follow("1", json!({})).await;
            drop(sockets);
            within("room for more", async {
                let mut socket = at.ann.socket().await;
                loop {
                    socket.say(subscribe(1, &unlike(1, 14_000))).await;
                    if socket.hear().await["type"] == json!("next") {
                        return;
                    }
                }
            })
            .await;
        })
        .await;
    }

    /// F: L-03, L-10
    async fn who_does_not_read_takes_no_room(backend) {
        let at = Flooded::start(backend).await;
        let ann = &at.ann;
        let tea = ann.group("Tea", &[]).await;
        let listen = |slow: bool| {
            let tea = &tea;
            async move {
                let mut sockets = Vec::new();
                for number in 0..10 {
                    let mut wire = Wire::connect(&ann.url).await;
                    wire.upgrade(PROTOCOL).await.expect("a WebSocket");
                    let mut socket = Socket::over(wire.stream).await;
                    socket.say(json!({ "type": "connection_init", "payload": { "token": ann.token } })).await;
                    assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
                    for more in 0..5 {
                        socket.say(subscribe(more, &large(number * 5 + more))).await;
                        socket.hear().await;
                    }
                    sockets.push(socket);
                }
                let body = "é".repeat(10_000);
                for _ in 0..10 {
                    ann.say(tea, &body).await;
                    if slow {
                        continue;
                    }
                    join_all(sockets.iter_mut().map(|socket| async {
                        for _ in 0..5 {
                            socket.hear().await;
                        }
                    }))
                    .await;
                }
                if slow {
                    // What waited for them is gone, and they are told where to go on.
                    for socket in &mut sockets {
                        while socket.hear().await["payload"]["errors"][0]["extensions"]["code"] != json!("TOO_SLOW") {}
                    }
                }
            }
        };
        at.height("who reads nothing", listen(true)).await;
        at.height("who reads everything", listen(false)).await;
    }
}
