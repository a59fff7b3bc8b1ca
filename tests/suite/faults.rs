//! What breaks, and what is whole afterwards.

use std::{collections::HashSet, time::Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World, backends, person::text, process::Process, proxy::Proxy, redis::Redis,
        socket::bodies, within,
    },
};

/// Sends until the hub is gone: which were acknowledged, and which were merely tried.
async fn send_until_gone(
    person: Person,
    conversation: String,
    acknowledged: tokio::sync::mpsc::Sender<()>,
) -> (Vec<String>, String) {
    let mut sent = Vec::new();
    for number in 0.. {
        let body = format!("{} {number}", person.name);
        let input = json!({ "conversationId": conversation, "body": body, "clientMessageId": body });
        match person.try_send(input).await {
            Some(payload) if payload["errors"] == json!([]) => sent.push(body),
            _ => return (sent, body),
        }
        let _ = acknowledged.try_send(());
    }
    unreachable!("the hub is killed")
}

/// From here on the store refuses a message of these words.
async fn db_refuse(world: &World, backend: Backend, words: &str) {
    let rule = match backend {
        Backend::Embedded => format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON messages WHEN NEW.body = '{words}'
             BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
        ),
        Backend::Cluster => format!("ALTER TABLE messages ADD CONSTRAINT refuse CHECK (body <> '{words}')"),
    };
    world.db_execute(&rule).await;
}

/// Waits until what is true for a moment on one node is known on the other: it goes over the bus or not at all.
async fn until_the_bus_carries(here: &Person, there: &Person, conversation: &str) {
    let start = "mutation($c: ID!) { typingStart(input: { conversationId: $c }) { errors { code } } }";
    let typing = "query($c: ID!) { conversation(id: $c) { typing { id } } }";
    within("a word over the bus", async {
        loop {
            here.ask(start, json!({ "c": conversation })).await;
            let seen = there.ask(typing, json!({ "c": conversation })).await;
            if seen["conversation"]["typing"] == json!([{ "id": here.id }]) {
                return;
            }
        }
    })
    .await;
}

stories! {
    /// F: L-06, L-05
    async fn redis_may_come_after_the_hub_and_after_those_who_use_it(backend) {
        if backend == Backend::Embedded {
            // There is no Redis to wait for.
            return;
        }
        let mut redis = Redis::absent().await;
        let url = redis.url();
        let world = Setup::new(backend).nodes(2).config(move |config| config.bus.clone_from(&url)).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await.at(&world, 1));
        let tea = ann.group("Tea", &[&bob]).await;
        assert_eq!(bob.history(&tea).await, Vec::<String>::new(), "both nodes look at the workspace, and nobody hears");
        redis.rise().await;
        until_the_bus_carries(&ann, &bob, &tea).await;

        // A workspace that nobody has looked at before it went away is heard of when it is back.
        redis.kill().await;
        let zoe = world.person_of("acme", "zoe", "owner").await;
        let yan = world.person_with("yan", json!({ "workspace": "acme" })).await.at(&world, 1);
        let milk = zoe.group("Milk", &[&yan]).await;
        assert_eq!(yan.history(&milk).await, Vec::<String>::new());
        redis.rise().await;
        until_the_bus_carries(&zoe, &yan, &milk).await;
        until_the_bus_carries(&ann, &bob, &tea).await;
    }

    /// F: L-06
    async fn a_hub_whose_database_is_silent_goes_away_in_time_all_the_same(backend) {
        if backend == Backend::Embedded {
            // A file cannot fall silent.
            return;
        }
        let (world, proxy) = behind_a_proxy(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        proxy.silence();
        let query = "mutation($c: ID!) { messageSend(input: { conversationId: $c, body: \"x\" }) { message { id } } }";
        assert_eq!(ann.fault(query, json!({ "c": tea })).await, "UNAVAILABLE");
        let mut world = world;
        let began = Instant::now();
        within("the end of the hub", world.stop(0)).await;
        assert!(began.elapsed().as_secs() < 11, "{:?}", began.elapsed());
        proxy.mend();
    }

    /// F: M-02, L-06
    async fn a_write_that_the_store_refuses_does_not_spoil_its_neighbours(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let start = ann.cursor().await;
        ann.say(&tea, "first").await;
        db_refuse(&world, backend, "poison").await;

        // So many at once that the writer takes many of them together.
        let send = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } errors { code } } }";
        let outcomes = join_all((0..64).map(|number| {
            let body = if number % 8 == 5 { "poison".to_owned() } else { format!("tea {number}") };
            let input = json!({ "conversationId": tea, "body": body, "clientMessageId": format!("k-{number}") });
            let ann = &ann;
            async move { (number, ann.answer(send, json!({ "input": input })).await) }
        })).await;
        for (number, answer) in outcomes {
            if number % 8 == 5 {
                assert_eq!(answer["errors"][0]["extensions"]["code"], json!("INTERNAL"), "{number}: {answer}");
                assert!(!answer.to_string().contains("refused by the test"), "{answer}");
            } else {
                assert_eq!(answer["data"]["messageSend"]["errors"], json!([]), "{number}: {answer}");
            }
        }
        ann.say(&tea, "last").await;
        let history = ann.history(&tea).await;
        assert_eq!(history.len(), 56 + 2);
        assert!(!history.contains(&"poison".to_owned()));
        let mut socket = ann.socket().await;
        let events = socket.follow("e", json!({ "after": start })).await;
        assert_eq!(bodies(&events), history, "the log tells the same, without a gap");
    }

    /// F: L-06, M-02
    async fn a_hub_that_is_killed_while_it_sends_loses_and_doubles_nothing(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let database = match backend {
            Backend::Embedded => format!("sqlite:{}", folder.path().join("here.db").display()),
            Backend::Cluster => backends::postgres(&backends::fresh_database().await),
        };
        let flags = ["--database", database.as_str()];
        let data = folder.path().join("data");
        let mut hub = Process::start(&data, &flags, &[]).await;
        let ann = hub.somebody(&data, &flags, "ann").await;
        let mut people = Vec::new();
        for number in 0..8 {
            people.push(hub.somebody(&data, &flags, &format!("p{number}")).await);
        }
        let tea = ann.group("Tea", &people.iter().collect::<Vec<_>>()).await;
        let start = ann.cursor().await;

        let mut acknowledged = Vec::new();
        for round in 0..3 {
            let (told, mut heard) = tokio::sync::mpsc::channel(1_000);
            let senders: Vec<_> = people.iter().map(|person| {
                let mut person = person.clone();
                person.url.clone_from(&hub.url);
                person.name = format!("{} round {round}", person.name);
                tokio::spawn(send_until_gone(person, tea.clone(), told.clone()))
            }).collect();
            for _ in 0..100 {
                within("an acknowledgement", heard.recv()).await.expect("the senders send");
            }
            hub.kill().await;
            let outcomes = join_all(senders).await;
            hub = Process::start(&data, &flags, &[]).await;
            for (person, outcome) in people.iter().zip(outcomes) {
                let (sent, unsure) = outcome.expect("the sender ends");
                acknowledged.extend(sent);
                // Its answer was lost: with the same key it is sent again, or for the first time, but never twice.
                let mut person = person.clone();
                person.url.clone_from(&hub.url);
                let input = json!({ "conversationId": tea, "body": unsure, "clientMessageId": unsure });
                assert_eq!(person.send(input).await["errors"], json!([]));
                acknowledged.push(unsure);
            }
        }

        let mut ann = ann;
        ann.url.clone_from(&hub.url);
        let history = ann.history(&tea).await;
        let unique: HashSet<&String> = history.iter().collect();
        assert_eq!(unique.len(), history.len(), "something was doubled");
        let missing: Vec<_> = acknowledged.iter().filter(|body| !unique.contains(body)).collect();
        assert!(missing.is_empty(), "acknowledged, and lost: {missing:?}");
        assert_eq!(history.len(), acknowledged.len(), "nothing is there that nobody sent");
        let mut socket = ann.socket().await;
        let events = socket.follow("e", json!({ "after": start })).await;
        assert_eq!(bodies(&events), history, "the log tells the same");
    }

    /// F: L-06, L-05
    async fn redis_may_be_killed_and_come_back_and_nothing_is_missed(backend) {
        if backend == Backend::Embedded {
            // There is no Redis to lose: what is shown here is that nobody needs one.
            let world = World::new(backend).await;
            let (_, ready) = world.person("ann").await.get("/ready").await;
            assert_eq!(serde_json::from_str::<Value>(&ready).expect("JSON")["bus"], json!("ok"));
            return;
        }
        let mut redis = Redis::start().await;
        let url = redis.url();
        let world = Setup::new(backend).nodes(2).config(move |config| config.bus.clone_from(&url)).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await.at(&world, 1));
        let tea = ann.group("Tea", &[&bob]).await;
        let mut socket = bob.socket().await;
        socket.follow("e", json!({})).await;
        let mut expected = Vec::new();
        for round in 0..3 {
            redis.kill().await;
            for number in 0..10 {
                let body = format!("without {round}.{number}");
                ann.say(&tea, &body).await;
                expected.push(body);
            }
            assert_eq!(bodies(&socket.until_body("e", expected.last().expect("some")).await), expected);
            redis.rise().await;
            within("the bus", async {
                while serde_json::from_str::<Value>(&bob.get("/ready").await.1).expect("JSON")["bus"] != json!("ok") {}
            }).await;
            expected.clear();
            let body = format!("with {round}");
            ann.say(&tea, &body).await;
            assert_eq!(bodies(&socket.until_body("e", &body).await), [body]);
        }
    }

    /// F: L-05, L-06
    async fn with_the_database_away_writes_say_so_and_sockets_stay(backend) {
        if backend == Backend::Embedded {
            // A file cannot be cut off. Held by another writer for too long, it can be away.
            return sqlite_held_by_another().await;
        }
        let (world, proxy) = behind_a_proxy(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let mut socket = bob.socket().await;
        socket.follow("e", json!({})).await;

        for silent in [false, true] {
            if silent { proxy.silence() } else { proxy.cut() }
            let body = format!("silent {silent}");
            let input = json!({ "conversationId": tea, "body": body, "clientMessageId": body });
            let began = Instant::now();
            let query = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } } }";
            let refused = ann.fault(query, json!({ "input": input })).await;
            assert_eq!((refused.as_str(), began.elapsed().as_secs() < 5), ("UNAVAILABLE", true), "{:?}", began.elapsed());
            assert_eq!(ann.get("/health").await.0.as_u16(), 200, "a restart would not help");
            assert_eq!(ann.get("/ready").await.0.as_u16(), 503);

            proxy.mend();
            within("the database", async {
                while ann.get("/ready").await.0.as_u16() != 200 {}
            }).await;
            let sent = within("a send", async {
                loop {
                    let answer = ann.answer(query, json!({ "input": input })).await;
                    if answer.get("errors").is_none() {
                        return answer;
                    }
                }
            }).await;
            assert!(text(&sent["data"]["messageSend"]["message"]["id"]).starts_with("msg_"));
            assert_eq!(bodies(&socket.until_body("e", &body).await), [body], "the socket stayed, and missed nothing");
        }
        assert_eq!(ann.history(&tea).await.len(), 2);
    }
}

/// A hub whose way to PostgreSQL the story can cut.
async fn behind_a_proxy(backend: Backend) -> (World, Proxy) {
    let server = backends::postgres("x");
    let server = server.split_once('@').map_or(server.as_str(), |(_, server)| server);
    let server = server.trim_start_matches("postgres://").split('/').next().expect("a server").to_owned();
    let proxy = Proxy::before(server.clone()).await;
    let address = proxy.address.clone();
    let setup = Setup::new(backend).config(move |config| {
        let url = config.database.take().expect("a database");
        config.database = Some(url.replacen(&server, &address, 1));
    });
    (setup.start().await, proxy)
}

async fn sqlite_held_by_another() {
    use sea_orm::{ConnectionTrait, Database, TransactionTrait};
    let world = World::new(Backend::Embedded).await;
    let ann = world.person("ann").await;
    let tea = ann.group("Tea", &[]).await;
    let mut socket = ann.socket().await;
    socket.follow("e", json!({})).await;
    let path = world.data_folder().join("node-0").join("jackfield.db");
    let other = Database::connect(format!("sqlite://{}", path.display())).await.expect("the file");
    let held = other.begin().await.expect("a transaction");
    held.execute_unprepared("UPDATE logs SET head = head").await.expect("the lock");

    let query = "mutation($c: ID!) { messageSend(input: { conversationId: $c, body: \"x\", clientMessageId: \"x\" }) { message { id } } }";
    let began = Instant::now();
    assert_eq!(ann.fault(query, json!({ "c": tea })).await, "UNAVAILABLE");
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    held.rollback().await.expect("the lock is given back");
    within("a send", async { while ann.answer(query, json!({ "c": tea })).await.get("errors").is_some() {} }).await;
    assert_eq!(bodies(&socket.until_body("e", "x").await), ["x"]);
    assert_eq!(ann.history(&tea).await, ["x"]);
}
