//! Servers outside of the hub, which it asks for plugins: those that were granted, at addresses that are public, within bounds; and
//! plugins are told what came of it, once.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        guest::{GUEST, answer, guest, owner, run, switch},
        outside::Net,
        packages::{ALL, change, install, seen, try_change},
        person::text,
        within,
    },
};

/// A minute is longer than any lease or pause of one request.
const MINUTE: Duration = Duration::from_secs(60);

/// A hub with the guest, which may ask the servers that its manifest names, and whatever is public.
async fn reaching(setup: Setup, net: &Net) -> (World, Person) {
    let public = guest(|manifest| {
        manifest["capabilities"].as_array_mut().expect("a list").push(json!("fetch-public-url"));
    });
    let world = setup.one_store().outside(net.way_out()).start().await;
    let operator = world.operator().await;
    install(&operator, public, &[&ALL[..], &["FETCH_PUBLIC_URL"]].concat()).await;
    let owner = owner(&world).await;
    switch(&owner, GUEST, None, true).await;
    (world, owner)
}

/// What a server answers, or why it was not asked, while somebody waits.
async fn fetch(person: &Person, url: &str) -> String {
    fetch_with(person, json!({ "url": url })).await
}

async fn fetch_with(person: &Person, arguments: Value) -> String {
    let payload = run(person, "fetch", None, arguments).await;
    match payload["errors"].as_array().expect("errors").first() {
        None => text(&payload["reply"]["text"]),
        Some(error) => text(&error["message"]),
    }
}

/// Waits until the plugin has kept what came of a request.
async fn heard(person: &Person, tag: &str) -> String {
    within("an answer", async {
        loop {
            let heard = answer(person, "heard", json!({ "tag": tag })).await;
            if heard != "nothing" {
                return heard;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// How many answers the plugin has taken.
async fn taken(person: &Person) -> String {
    answer(person, "read", json!({ "key": "answers" })).await
}

async fn send(person: &Person, arguments: Value) {
    assert_eq!(answer(person, "send", arguments).await, "sent");
}

/// Waits until so many requests lie in the store.
async fn waiting(world: &World, count: i64) {
    within("the requests", async {
        while world.db_count("plugin_requests").await != count {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

stories! {
    /// F: P-09, P-05
    async fn a_server_is_asked_where_its_origin_was_granted(backend) {
        let net = Net::new().await;
        // What comes with the hub has all that it asks for, but for ways out of it.
        let world = Setup::new(backend).outside(net.way_out()).plugin(guest(|_| {})).start().await;
        let (operator, owner) = (world.operator().await, owner(&world).await);
        switch(&owner, GUEST, None, true).await;
        let here = "http://granted.example/tea";
        let told = fetch(&owner, here).await;
        assert!(told.contains("neither `http` nor `fetch-public-url` is granted"), "{told}");
        let wanted = json!(["http://granted.example", "http://other.example", "https://granted.example"]);
        let plugin = seen(&owner, "wantedOrigins grantedOrigins").await;
        assert_eq!((&plugin["wantedOrigins"], &plugin["grantedOrigins"]), (&wanted, &json!([])));

        // Whoever grants it and names none means all that it wants.
        change(&operator, "pluginSettingsUpdate", json!({ "scope": "HUB", "capabilities": ALL })).await;
        assert_eq!(seen(&owner, "grantedOrigins").await["grantedOrigins"], wanted);
        assert_eq!(fetch(&owner, here).await, "200 http://granted.example/tea tea");
        assert!(fetch(&owner, "http://public.example/tea").await.contains("the origin http://public.example was not granted"));
        assert!(fetch(&owner, "http://granted.example:8080/").await.contains("was not granted"));
        let post = json!({ "url": here, "method": "post", "body": "milk" });
        assert_eq!(fetch_with(&owner, post).await, "200 http://granted.example/tea tea");
        let asked = net.server.asked();
        assert!(asked[1].starts_with("POST /tea HTTP/1.1\r\n") && asked[1].ends_with("\r\n\r\nmilk"), "{asked:?}");
        for line in ["user-agent: jackfield/", "host: granted.example\r\n", "x-guest: here\r\n"] {
            assert!(asked[0].to_ascii_lowercase().contains(line), "{line} is not in {}", asked[0]);
        }

        // A workspace narrows that and never widens it; an operator takes it away.
        let narrowed = json!({ "origins": ["http://other.example"] });
        change(&owner, "pluginSettingsUpdate", narrowed).await;
        assert!(fetch(&owner, here).await.contains("was not granted"));
        assert_eq!(fetch(&owner, "http://other.example/").await, "200 http://other.example/ tea");
        change(&operator, "pluginSettingsUpdate", json!({ "scope": "HUB", "origins": ["http://granted.example"] })).await;
        assert!(fetch(&owner, "http://other.example/").await.contains("was not granted"));
        change(&owner, "pluginSettingsUpdate", json!({ "origins": null })).await;
        assert_eq!(fetch(&owner, here).await, "200 http://granted.example/tea tea");
        for bad in ["http://public.example", "granted.example"] {
            let refused = try_change(&owner, "pluginSettingsUpdate", json!({ "origins": [bad] })).await;
            assert_eq!(refused["errors"][0]["code"], json!("INVALID"), "{bad}");
        }
    }

    /// F: P-09, P-06
    async fn a_version_that_wants_to_ask_more_servers_waits_for_an_operator(backend) {
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        let operator = world.operator().await;
        let newer = guest(|manifest| {
            manifest["version"] = json!("2.0.0");
            manifest["origins"] = json!(["http://granted.example", "http://public.example:8080"]);
        });
        let plugin = install(&operator, newer, &[]).await;
        assert_eq!((&plugin["version"], &plugin["pendingUpgrade"]["newCapabilities"]), (&json!("1.0.0"), &json!([])));
        let waits = "pendingUpgrade { newOrigins wantedOrigins }";
        let upgrade = seen(&operator, waits).await["pendingUpgrade"].take();
        assert_eq!(upgrade["newOrigins"], json!(["http://public.example:8080"]));
        let too_much = try_change(&operator, "pluginUpgradeApprove", json!({ "grantOrigins": ["http://inside.example"] })).await;
        assert_eq!(too_much["errors"][0]["path"], json!(["input", "grantOrigins"]));
        change(&operator, "pluginUpgradeApprove", json!({})).await;
        let now = json!(["http://granted.example", "http://public.example:8080"]);
        assert_eq!(seen(&owner, "grantedOrigins").await["grantedOrigins"], now, "what it does not ask for any more it has not");
        assert_eq!(fetch(&owner, "http://granted.example/").await, "200 http://granted.example/ tea");
    }

    /// F: P-09
    async fn nobody_reaches_into_the_house(backend) {
        let net = Net::new().await;
        let (inside, public) = (net.inside.address(), net.server.address());
        net.knows("inside.example", &[&[inside]]);
        net.knows("metadata.example", &[&["169.254.169.254:80".parse().expect("an address")]]);
        net.knows("mapped.example", &[&["[::ffff:127.0.0.1]:80".parse().expect("an address")]]);
        net.knows("rebinding.example", &[&[public], &[inside]]);
        net.knows("both.example", &[&[inside, public]]);
        let (_world, owner) = reaching(Setup::new(backend), &net).await;
        let port = inside.port();
        let refused = "no address of the public internet";
        for url in [
            "http://inside.example/".to_owned(),
            "http://metadata.example/".to_owned(),
            "http://mapped.example/".to_owned(),
            "http://127.0.0.1/".to_owned(),
            "http://2130706433/".to_owned(),
            "http://0x7f.1/".to_owned(),
            "http://0177.0.0.1/".to_owned(),
            "http://[::1]/".to_owned(),
            "http://[::ffff:127.0.0.1]/".to_owned(),
            "http://[::ffff:7f00:1]/".to_owned(),
            "http://[64:ff9b::7f00:1]/".to_owned(),
            "http://[2002:7f00:1::]/".to_owned(),
            "http://10.0.0.1/".to_owned(),
            "http://100.64.0.1/".to_owned(),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "http://[fe80::1]/".to_owned(),
            "http://[fd00:ec2::254]/".to_owned(),
            "http://public.example/302?http://inside.example/".to_owned(),
            "http://public.example/307?http://127.0.0.1/".to_owned(),
            "http://public.example/301?//[::1]/".to_owned(),
            "http://granted.example/302?http://169.254.169.254/".to_owned(),
        ] {
            let told = fetch(&owner, &url).await;
            assert!(told.contains(refused), "{url}: {told}");
        }
        for (url, why) in [
            (format!("http://127.0.0.1:{port}/"), "80 and 443 alone"),
            (format!("http://granted.example/302?http://127.0.0.1:{port}/"), "80 and 443 alone"),
            ("http://public.example/302?file:///etc/passwd".to_owned(), "only https and http"),
            ("http://public.example/302?gopher://granted.example/".to_owned(), "only https and http"),
            ("http://public.example/302?http://me@public.example/".to_owned(), "no name"),
            ("ftp://public.example/".to_owned(), "only https and http"),
            ("http://nobody.example/".to_owned(), "nobody could be reached"),
        ] {
            let told = fetch(&owner, &url).await;
            assert!(told.contains(why), "{url}: {told}");
        }
        // What a name says is asked once for each request, and what was looked at is what is asked.
        assert_eq!(fetch(&owner, "http://rebinding.example/").await, "200 http://rebinding.example/ tea");
        assert!(fetch(&owner, "http://rebinding.example/").await.contains(refused));
        assert_eq!(fetch(&owner, "http://both.example/").await, "200 http://both.example/ tea");
        assert_eq!(net.inside.asked(), Vec::<String>::new());
    }

    /// F: P-09
    async fn a_server_sends_on_three_times_at_most(backend) {
        let net = Net::new().await;
        let (_world, owner) = reaching(Setup::new(backend), &net).await;
        let told = |path: &str| format!("200 http://public.example{path} tea");
        let three = "http://public.example/302?/301?/307?/tea";
        assert_eq!(fetch(&owner, three).await, told("/tea"));
        assert!(fetch(&owner, "http://public.example/302?/301?/307?/308?/tea").await.contains("more than 3 times"));
        assert_eq!(fetch(&owner, "http://public.example/nowhere").await, "302 http://public.example/nowhere nowhere");
        // As browsers do it: a POST that is sent on becomes a GET, but for 307 and 308.
        let before = net.server.asked().len();
        for status in ["302", "303", "307", "308"] {
            let url = format!("http://granted.example/{status}?/tea");
            assert!(fetch_with(&owner, json!({ "url": url, "method": "post", "body": "milk" })).await.starts_with("200 "));
        }
        let ways: Vec<String> = net.server.asked()[before..].iter().map(|asked| asked[..8].replace(' ', "")).collect();
        assert_eq!(ways, ["POST/30", "GET/tea", "POST/30", "GET/tea", "POST/30", "POST/te", "POST/30", "POST/te"]);
        // To another server only what is a GET may be sent on.
        let url = "http://granted.example/307?http://public.example/tea";
        let told = fetch_with(&owner, json!({ "url": url, "method": "post" })).await;
        assert!(told.contains("by GET alone"), "{told}");
    }

    /// F: P-09
    async fn hostile_servers_take_five_seconds_and_a_megabyte_at_most(backend) {
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        for (path, expected) in [
            ("/endless", "the answer is too large"),
            ("/large", "the answer is too large"),
            ("/bomb", "the answer is too large"),
            ("/short", "not HTTP as it should be"),
            ("/two-lengths", "not HTTP as it should be"),
            ("/bad-chunks", "not HTTP as it should be"),
            ("/nonsense", "not HTTP as it should be"),
            ("/long-head", "not HTTP as it should be"),
            ("/half-packed", "not HTTP as it should be"),
            ("/twice-packed", "not HTTP as it should be"),
            ("/closes", "nobody could be reached"),
            ("/packed", "200 http://public.example/packed tea"),
            ("/missing", "404 http://public.example/missing there is no such thing"),
        ] {
            let told = fetch(&owner, &format!("http://public.example{path}")).await;
            assert!(told.contains(expected), "{path}: {told}");
        }
        // Who says how much is enough has that, of whatever there is.
        for (path, expected) in [("/endless", "aaa …"), ("/large", "aaa …"), ("/tea", "tea"), ("/bomb", "aaa …")] {
            let url = format!("http://public.example{path}");
            let told = fetch_with(&owner, json!({ "url": url, "enough": 3 })).await;
            assert_eq!(told, format!("200 {url} {expected}"), "{path}");
        }
        let people = [world.person("ann").await, world.person("bob").await];
        let begun = Instant::now();
        let slow = join_all(people.iter().zip(["/drip", "/silent"]).map(|(person, path)| async move {
            fetch(person, &format!("http://public.example{path}")).await
        }));
        assert_eq!(slow.await, ["the answer took too long"; 2]);
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }

    /// F: P-09
    async fn a_secret_is_sent_where_it_is_meant_for_and_shown_to_nobody(backend) {
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        let with = |url: &str| json!({ "url": url, "secret": true });
        let here = "http://granted.example/tea";
        let told = fetch_with(&owner, with(here)).await;
        assert!(told.contains("the secret «key» was not entrusted"), "{told}");
        let entrust = json!({ "pluginId": GUEST, "name": "key", "value": "s3cr3t-of-ours" });
        does(&owner, "pluginSecretSet", entrust, "plugin { id }").await;
        assert_eq!(fetch_with(&owner, with(here)).await, "200 http://granted.example/tea tea");
        let shown = |asked: &[String]| asked.iter().filter(|asked| asked.contains("authorization: Bearer s3cr3t-of-ours\r\n")).count();
        assert_eq!(shown(&net.server.asked()), 1);
        // A server that sends on within its origin is shown it again; another one is not, and the first one not when that sends back.
        let url = "http://granted.example/302?http://granted.example/tea";
        assert!(fetch_with(&owner, with(url)).await.starts_with("200 "));
        assert_eq!(shown(&net.server.asked()), 3);
        let url = "http://granted.example/302?http://other.example/302?http://granted.example/tea";
        assert!(fetch_with(&owner, with(url)).await.starts_with("200 http://granted.example/tea"));
        let asked = net.server.asked();
        assert_eq!((shown(&asked), shown(&net.other.asked())), (4, 0));
        assert!(!net.other.asked()[0].contains("x-guest") && !asked.last().expect("it was asked").contains("x-guest"));
        let told = fetch_with(&owner, with("http://public.example/tea")).await;
        assert!(told.contains("secrets are sent to origins that were granted alone"), "{told}");
        // Sent later it is the same, and what lies in the store meanwhile is its name.
        send(&owner, json!({ "url": here, "tag": "later", "secret": true })).await;
        assert_eq!(heard(&owner, "later").await, "200 http://granted.example/tea tea");
        assert_eq!(shown(&net.server.asked()), 5);
        let logs = seen(&owner, "logs { text } secrets { name isSet }").await.to_string();
        assert!(!logs.contains("s3cr3t"), "{logs}");
        drop(world);
    }

    /// F: P-09
    async fn a_slow_server_holds_up_nobody(backend) {
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        let tea = owner.group("Tea", &[]).await;
        for _ in 0..3 {
            owner.say(&tea, "!ask http://granted.example/held").await;
        }
        net.server.is_asked(3).await;
        // What is said meanwhile the plugin hears, and answers to.
        owner.say(&tea, "!answer one").await;
        within("what the plugin has to say", async {
            while !owner.history(&tea).await.contains(&"heard !answer one".to_owned()) {
                tokio::task::yield_now().await;
            }
        }).await;
        owner.say(&tea, "!ask http://other.example/tea").await;
        within("the other answer", async {
            while !owner.history(&tea).await.iter().any(|said| said.starts_with("http://other.example/tea: 200 ")) {
                tokio::task::yield_now().await;
            }
        }).await;
        net.server.let_go();
        within("the answers", async {
            // However slow the machine is: then that is what it is told.
            let is_one = |said: &&String| said.starts_with("http://granted.example/held: ");
            while owner.history(&tea).await.iter().filter(is_one).count() < 3 {
                tokio::task::yield_now().await;
            }
        }).await;
        waiting(&world, 0).await;
        assert_eq!(taken(&owner).await, "4");
    }

    /// F: P-09, L-07
    async fn an_answer_is_taken_once_whatever_happens_to_the_node(backend) {
        let net = Net::new().await;
        let (mut world, owner) = reaching(Setup::new(backend).nodes(2), &net).await;
        send(&owner, json!({ "url": "http://granted.example/held", "tag": "held" })).await;
        net.server.is_asked(1).await;
        // The node is gone in the middle of it, without a word.
        for node in 0..world.node_count() {
            world.kill(node);
        }
        for node in 0..world.node_count() {
            world.start(node).await;
        }
        let owner = owner.at(&world, 0);
        net.server.let_go();
        assert_eq!(answer(&owner, "heard", json!({ "tag": "held" })).await, "nothing", "somebody may be at it still");
        world.clock.advance(MINUTE);
        assert_eq!(heard(&owner, "held").await, "200 http://granted.example/held at last");
        waiting(&world, 0).await;
        assert_eq!((taken(&owner).await, net.server.asked().len()), ("1".to_owned(), 2), "it was asked twice and told once");
    }

    /// F: P-09
    async fn a_server_that_cannot_be_reached_is_asked_three_times(backend) {
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        send(&owner, json!({ "url": "http://granted.example/closes", "tag": "gone" })).await;
        for times in 1..=3 {
            net.server.is_asked(times).await;
            assert_eq!(net.server.asked().len(), times);
            if times < 3 {
                within("the pause", async {
                    while world.db_count("plugin_requests WHERE lease IS NULL").await == 0 {
                        tokio::task::yield_now().await;
                    }
                }).await;
                world.clock.advance(Duration::from_secs(20));
            }
        }
        let told = heard(&owner, "gone").await;
        assert!(told.starts_with("nobody could be reached"), "{told}");
        // What was refused is told at once.
        send(&owner, json!({ "url": "http://public.example/302?http://127.0.0.1/", "tag": "house" })).await;
        assert!(heard(&owner, "house").await.starts_with("the address may not be asked"));
        waiting(&world, 0).await;
    }

    /// F: P-09, P-08
    async fn an_answer_that_the_plugin_fails_at_is_laid_aside_and_handed_over_again(backend) {
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        send(&owner, json!({ "url": "http://granted.example/tea", "tag": "!break" })).await;
        let letters = async || {
            let found = seen(&owner, "deadLetters(first: 10) { nodes { id position problem attempts } }").await;
            found["deadLetters"]["nodes"].as_array().expect("nodes").clone()
        };
        within("the plugin to fail often enough", async {
            while letters().await.is_empty() {
                let later = format!("plugin_requests WHERE lease IS NULL AND due_at > {}", world.clock.now().0);
                if world.db_count(&later).await > 0 {
                    world.clock.advance(MINUTE);
                }
            }
        }).await;
        assert_eq!(net.server.asked().len(), 1, "what came of it is kept, and nobody asked again");
        let letter = letters().await[0].clone();
        assert_eq!(letter["position"], Value::Null);
        assert!(text(&letter["problem"]).contains("the answer of http://granted.example: "), "{letter}");
        waiting(&world, 1).await;
        let again = json!({ "deadLetterId": letter["id"] });
        within("the plugin to be left alone no more", async {
            loop {
                world.clock.advance(MINUTE);
                let failed = does(&owner, "deadLetterRetry", again.clone(), "plugin { id }").await;
                if text(&failed["errors"][0]["message"]).contains("is broken") {
                    return;
                }
            }
        }).await;
        assert_eq!(letters().await[0]["attempts"], json!(2));
        world.clock.advance(MINUTE);
        assert_eq!(answer(&owner, "mend", json!({})).await, "mended");
        let done = does(&owner, "deadLetterRetry", again.clone(), "plugin { id }").await;
        assert_eq!(done["errors"], json!([]), "{done}");
        assert_eq!(heard(&owner, "!break").await, "200 http://granted.example/tea tea");
        waiting(&world, 0).await;
        assert_eq!((letters().await.len(), taken(&owner).await), (0, "1".to_owned()));
        // One that is dropped goes with what was kept.
        assert_eq!(does(&owner, "deadLetterRetry", again, "plugin { id }").await["errors"][0]["code"], json!("NOT_FOUND"));
    }

    /// F: P-09, L-03
    async fn an_answer_that_was_laid_aside_is_kept_for_as_long_as_an_event_of_its_age(backend) {
        const DAY: Duration = Duration::from_hours(24);
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        let start = owner.cursor().await;
        owner.group("Before", &[]).await;
        world.clock.advance(10 * DAY);
        send(&owner, json!({ "url": "http://granted.example/tea", "tag": "!break" })).await;
        let letters = async || {
            let found = seen(&owner, "deadLetters(first: 10) { nodes { id } }").await;
            found["deadLetters"]["nodes"].as_array().expect("nodes").len()
        };
        within("the plugin to fail often enough", async {
            while letters().await == 0 {
                let later = format!("plugin_requests WHERE lease IS NULL AND due_at > {}", world.clock.now().0);
                if world.db_count(&later).await > 0 {
                    world.clock.advance(MINUTE);
                }
            }
        }).await;
        owner.group("After", &[]).await;
        world.clock.advance(21 * DAY);
        within("the trimming of the log", async {
            let mut heard = Vec::new();
            while heard.first().is_none_or(|event: &Value| event["__typename"] != json!("ResyncRequired")) {
                heard = owner.socket().await.follow("e", json!({ "after": start })).await;
            }
        }).await;
        assert_eq!(letters().await, 1, "older events are gone, and it is younger");
        waiting(&world, 1).await;
        world.clock.advance(10 * DAY);
        waiting(&world, 0).await;
        assert_eq!(letters().await, 0);
    }

    /// F: P-09, P-06
    async fn what_was_sent_waits_for_a_plugin_that_is_off_for_a_day(backend) {
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        send(&owner, json!({ "url": "http://granted.example/closes", "tag": "one" })).await;
        net.server.is_asked(1).await;
        switch(&owner, GUEST, None, false).await;
        for _ in 0..3 {
            world.clock.advance(MINUTE);
        }
        waiting(&world, 1).await;
        switch(&owner, GUEST, None, true).await;
        within("what came of it", async {
            while world.db_count("plugin_requests").await > 0 {
                let later = format!("plugin_requests WHERE lease IS NULL AND due_at > {}", world.clock.now().0);
                if world.db_count(&later).await > 0 {
                    world.clock.advance(MINUTE);
                }
            }
        }).await;
        assert!(heard(&owner, "one").await.starts_with("nobody could be reached"));
        send(&owner, json!({ "url": "http://granted.example/closes", "tag": "two" })).await;
        net.server.is_asked(4).await;
        switch(&owner, GUEST, None, false).await;
        within("a day, and an hour", async {
            while world.db_count("plugin_requests").await > 0 {
                world.clock.advance(Duration::from_secs(25 * 60 * 60));
                tokio::task::yield_now().await;
            }
        }).await;
    }

    /// F: P-09
    async fn there_is_an_end_to_what_a_plugin_may_ask(backend) {
        let net = Net::new().await;
        let (_world, owner) = reaching(Setup::new(backend), &net).await;
        let times = |times: u32| json!({ "url": "http://granted.example/held", "tag": "many", "times": times });
        let told = fetch_with(&owner, json!({ "url": "http://granted.example/tea", "times": 4 })).await;
        assert!(told.contains("one call waits for at most 3 answers"), "{told}");
        assert_eq!(net.server.asked().len(), 3);
        let told = run(&owner, "send", None, times(17)).await["errors"][0]["message"].to_string();
        assert!(told.contains("one call has at most 16 requests sent"), "{told}");
        // What was refused in the midst of a call leaves the call's own word for it, and those before.
        let mut refused = String::new();
        for _ in 0..80 {
            let payload = run(&owner, "send", None, times(16)).await;
            if payload["errors"] != json!([]) {
                refused = text(&payload["errors"][0]["message"]);
                break;
            }
        }
        assert!(refused.contains("at most 1000 requests wait"), "{refused}");
        // No more than four are at it at once, so that others have room.
        assert!(net.server.asked().len() < 80, "{}", net.server.asked().len());
        net.server.let_go();
    }

    /// F: P-09
    async fn nothing_of_it_is_left_when_the_plugin_is_removed(backend) {
        let net = Net::new().await;
        let (world, owner) = reaching(Setup::new(backend), &net).await;
        let operator = world.operator().await;
        send(&owner, json!({ "url": "http://granted.example/held", "tag": "one" })).await;
        net.server.is_asked(1).await;
        waiting(&world, 1).await;
        let gone = does(&operator, "pluginRemove", json!({ "pluginId": GUEST, "withData": true }), "removedPluginId").await;
        assert_eq!(gone["errors"], json!([]));
        waiting(&world, 0).await;
        net.server.let_go();
    }
}
