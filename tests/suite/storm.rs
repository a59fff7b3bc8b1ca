//! A thousand times plugins are switched on and off, installed, upgraded and rolled back, while people talk and others
//! read: nobody's request fails, nobody misses anything, and what a plugin does about a message is done once.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinHandle};

use crate::{
    stories,
    support::{
        Backend, Person,
        account::does,
        guest::{GUEST, configure, guest, run_with, switch},
        nodes::Nodes,
        packages::{ALL, becomes, change, install},
        person::text,
    },
};

/// The one that is switched in conversations; the guest is switched in the workspace, where what it missed it catches up with.
const OTHER: &str = "test.other";
/// What is done in all, and how much of it is what.
const OPERATIONS: usize = 1_000;
const SWITCHES: usize = 300;
const EXCEPTIONS: usize = 500;
const PACKAGES: usize = OPERATIONS - SWITCHES - EXCEPTIONS;
/// So many of those that put other packages in force are about data of one version.
const OF_DATA: usize = 50;
/// With each of them so much is said, so that people talk all the time and do not keep a small machine busy by themselves.
const WORDS: usize = 4;
/// A storm takes 20 to 70 s on two cores that others use as well. If changes stood in each other's way, it would be hours.
const LONGEST: Duration = Duration::from_secs(300);

fn version(version: &str, data_version: usize) -> Vec<u8> {
    guest(|manifest| {
        manifest["version"] = json!(version);
        manifest["data-version"] = json!(data_version);
    })
}

/// Switches the guest off and on again in the workspace, now at one node and then at another.
async fn switches(owners: Vec<Person>, count: usize, talk: Arc<Semaphore>) {
    for number in 0..count {
        let owner = &owners[number % owners.len()];
        let what = if number % 2 == 0 { "pluginDisable" } else { "pluginEnable" };
        change(owner, what, json!({})).await;
        talk.add_permits(WORDS);
    }
}

/// Switches the other one in one conversation after the other.
async fn exceptions(owners: Vec<Person>, rooms: Vec<String>, count: usize, talk: Arc<Semaphore>) {
    for number in 0..count {
        let owner = &owners[number % owners.len()];
        switch(owner, OTHER, Some(&rooms[number % rooms.len()]), (number / rooms.len()).is_multiple_of(2)).await;
        talk.add_permits(WORDS);
    }
}

/// Puts other versions of the guest in force: first one with data of another version, and then others of that, back and forth.
async fn packages(operators: Vec<Person>, data_versions: std::ops::Range<usize>, each: usize, talk: Arc<Semaphore>) {
    for data_version in data_versions {
        for number in 0..each {
            let operator = &operators[number % operators.len()];
            if number % 3 == 2 {
                change(operator, "pluginRollBack", json!({})).await;
            } else {
                // Whatever is in force by then, the two before which there is one of the same data take turns.
                let patch = if number == 0 { 0 } else { 1 + number % 2 };
                install(operator, version(&format!("{data_version}.{patch}.0"), data_version), &ALL).await;
            }
            talk.add_permits(WORDS);
        }
    }
}

/// Says one thing after the other until the storm is over; answers what was acknowledged.
async fn send(person: Person, rooms: Vec<String>, talk: Arc<Semaphore>) -> Vec<(String, String)> {
    let mut sent = Vec::new();
    for number in 0.. {
        let Ok(turn) = talk.acquire().await else { break };
        turn.forget();
        let (room, body) = (&rooms[number % rooms.len()], format!("@ann {} {number}", person.name));
        person.say(room, &body).await;
        sent.push((room.clone(), body));
    }
    sent
}

/// Everything that is said until the end, in its order.
async fn read(person: &Person, end: String) -> JoinHandle<Vec<(String, String)>> {
    let mut socket = person.socket().await;
    socket.follow("s", json!({ "kinds": ["MESSAGE_SENT"] })).await;
    tokio::spawn(async move {
        let mut heard = Vec::new();
        loop {
            let event = socket.event("s").await;
            let body = text(&event["message"]["body"]);
            if unmarked(&body) == end {
                return heard;
            }
            heard.push((text(&event["conversation"]["id"]), body));
        }
    })
}

/// The words without what the plugins put behind them: each once or not at all, and in the order of the plugins.
fn unmarked(body: &str) -> &str {
    let body = body.strip_suffix(" two").unwrap_or(body);
    body.strip_suffix(" one").unwrap_or(body)
}

/// Everybody who takes part.
struct Cast {
    nodes: Nodes,
    operators: Vec<Person>,
    ann: Person,
    people: Vec<Person>,
    rooms: Vec<String>,
}

impl Cast {
    async fn new(backend: Backend) -> Self {
        let nodes = Nodes::start(backend, 2).await;
        let operator = nodes.somebody("root", Some("operator")).await;
        let operators: Vec<Person> = (0..nodes.count()).map(|number| nodes.at(&operator, number)).collect();
        install(&operator, version("1.0.0", 1), &ALL).await;
        install(&operator, guest(|manifest| manifest["id"] = json!(OTHER)), &ALL).await;
        switch(&operator, GUEST, None, true).await;
        switch(&operator, OTHER, None, true).await;
        configure(&operator, json!({ "mark": " one" })).await;
        let input = json!({ "pluginId": OTHER, "configuration": { "mark": " two" } });
        assert_eq!(does(&operator, "pluginConfigure", input, "").await["errors"], json!([]));
        let ann = nodes.somebody("ann", None).await;
        let mut people = Vec::new();
        for number in 0..8 {
            let person = nodes.somebody(&format!("p{number}"), None).await;
            people.push(nodes.at(&person, number));
        }
        let mut rooms = Vec::new();
        for title in ["Tea", "Coffee", "Milk", "Water"] {
            rooms.push(ann.group(title, &people.iter().collect::<Vec<_>>()).await);
        }
        Cast { nodes, operators, ann, people, rooms }
    }

    /// People talk and read while all of that is done; answers what was acknowledged, and what each reader heard.
    async fn storm(
        &self,
        name: &str,
        (switched, excepted): (usize, usize),
        (data_versions, each): (std::ops::Range<usize>, usize),
    ) -> (Vec<(String, String)>, Vec<Vec<(String, String)>>) {
        let end = format!("the end of {name}");
        let mut readers = Vec::new();
        for person in &self.people {
            readers.push(read(person, end.clone()).await);
        }
        let talk = Arc::new(Semaphore::new(WORDS));
        let senders: Vec<_> = self
            .people
            .iter()
            .map(|person| Person { name: format!("{} in {name}", person.name), ..person.clone() })
            .map(|person| tokio::spawn(send(person, self.rooms.clone(), talk.clone())))
            .collect();
        let work = [
            tokio::spawn(switches(self.operators.clone(), switched, talk.clone())),
            tokio::spawn(exceptions(self.operators.clone(), self.rooms[..2].to_vec(), excepted / 2, talk.clone())),
            tokio::spawn(exceptions(self.operators.clone(), self.rooms[2..].to_vec(), excepted / 2, talk.clone())),
            tokio::spawn(packages(self.operators.clone(), data_versions, each, talk.clone())),
        ];
        for work in join_all(work).await {
            work.expect("nothing that operators ask for fails");
        }
        talk.close();
        let mut sent = Vec::new();
        for sender in join_all(senders).await {
            sent.extend(sender.expect("nothing that people send fails"));
        }
        self.ann.say(&self.rooms[0], &end).await;
        let mut heard = Vec::new();
        for reader in join_all(readers).await {
            heard.push(reader.expect("nobody is sent away"));
        }
        (sent, heard)
    }
}

/// How often a plugin counted something.
async fn counted(person: &Person, plugin: &str, key: &str) -> u64 {
    let payload = run_with(person, json!({ "plugin": plugin, "command": "read", "arguments": { "key": key } })).await;
    assert_eq!(payload["errors"], json!([]), "{plugin}: {payload}");
    text(&payload["reply"]["text"]).parse().expect("a number")
}

stories! {
    /// F: P-06, P-02, L-06
    async fn a_thousand_changes_of_plugins_lose_and_double_nothing(backend) {
        let cast = Cast::new(backend).await;
        // Whatever is made once is made in a small one before.
        cast.storm("a breeze", (20, 20), (1..2, 20)).await;
        let before: Vec<u64> = (0..cast.nodes.count()).map(|number| cast.nodes.node(number).resident_bytes()).collect();

        let began = Instant::now();
        let (sent, heard) = cast.storm("the storm", (SWITCHES, EXCEPTIONS), (2..2 + PACKAGES / OF_DATA, OF_DATA)).await;
        let took = began.elapsed();

        // What is behind catches up. Who is mentioned is found in the order of the log: once it is of the last words, all is done.
        let heard_at = Instant::now();
        let mut socket = cast.ann.socket().await;
        let query = "subscription { events(input: { kinds: [MENTIONS_UPDATED] }) { __typename ... on MentionsUpdated { message { id } } } }";
        socket.subscribe("m", query, json!({})).await;
        socket.until_caught_up("m").await;
        let last = cast.people[0].say(&cast.rooms[0], "@ann the last words").await;
        while socket.event("m").await["message"]["id"] != last["id"] {}
        let behind = heard_at.elapsed();

        // Each message is there once, marked as a whole or not at all, and each reader heard of all of them in one order.
        let mut history = Vec::new();
        for room in &cast.rooms {
            history.extend(cast.ann.history(room).await.into_iter().map(|body| (room.clone(), body)));
        }
        let total = history.len() as u64;
        let plain: BTreeSet<(&str, &str)> = history.iter().map(|(room, body)| (room.as_str(), unmarked(body))).collect();
        assert_eq!(plain.len(), history.len(), "something was doubled");
        let missing: Vec<_> = sent.iter().filter(|(room, body)| !plain.contains(&(room, body))).collect();
        assert!(missing.is_empty(), "acknowledged, and lost: {missing:?}");
        for words in &heard {
            assert!(words == &heard[0], "readers heard of it in different orders");
        }
        let told: BTreeSet<(&str, &str)> = heard[0].iter().map(|(room, body)| (room.as_str(), unmarked(body))).collect();
        assert_eq!((told.len(), heard[0].len()), (sent.len(), sent.len()), "each reader heard of each message once");
        assert!(heard[0].iter().all(|told| history.contains(told)), "as it stands");

        // Then each plugin has done with each message once what it does.
        let well = json!({ "isOn": true, "isReady": true, "problem": null, "lag": 0 });
        becomes(&cast.operators[0], "isOn isReady problem lag", well).await;
        assert_eq!(counted(&cast.ann, GUEST, "heard").await, total);
        assert!(counted(&cast.ann, OTHER, "heard").await <= total, "what it was off for it may not have heard of");
        assert_eq!(counted(&cast.ann, GUEST, "enabled").await, 1 + u64::midpoint(20, SWITCHES as u64), "each time that it was switched on");
        assert!(counted(&cast.ann, GUEST, "upgraded").await >= 2 * (PACKAGES / OF_DATA) as u64);
        let mut mentioned = 0;
        for room in &cast.rooms {
            let found = cast.ann.ask("query($c: ID!) { conversation(id: $c) { unreadMentionCount } }", json!({ "c": room })).await;
            mentioned += found["conversation"]["unreadMentionCount"].as_u64().expect("a number");
        }
        assert_eq!(mentioned, total - 2, "the two ends of the storms are her own words");
        for operator in &cast.operators {
            let query = "{ plugins { id health { failures { kind } isBreakerOpen } deadLetters(first: 1) { nodes { id } } } }";
            for plugin in operator.ask(query, json!({})).await["plugins"].as_array().expect("plugins") {
                assert_eq!(plugin["health"], json!({ "failures": [], "isBreakerOpen": false }), "{plugin}");
                assert_eq!(plugin["deadLetters"]["nodes"], json!([]), "{plugin}");
            }
        }
        let after: Vec<u64> = (0..cast.nodes.count()).map(|number| cast.nodes.node(number).resident_bytes()).collect();
        let mebibytes = |bytes: &[u64]| bytes.iter().map(|bytes| bytes >> 20).collect::<Vec<_>>();
        let what = format!(
            "{OPERATIONS} changes and {} messages took {took:?}, and mentions {:?} more; memory was {:?} MiB and is {:?} MiB",
            sent.len(), behind, mebibytes(&before), mebibytes(&after),
        );
        eprintln!("{what}");
        for (before, after) in before.iter().zip(&after) {
            // What a package takes is about a mebibyte, so that those of a storm would be seen if they stayed.
            assert!(*after <= before + before / 2, "{what}");
        }
        assert!(took < LONGEST, "{what}");
    }
}
