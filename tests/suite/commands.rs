//! Commands of plugins: found by clients that know no plugin, run as whoever asks, and answered once all is committed.

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        guest::{GUEST, answer, guest, owner, run, run_with, switch},
        person::{refusal, text},
        within,
    },
};

const LIST: &str = "query($c: ID) { commands(conversationId: $c) { name plugin description
    arguments { name description kind isRequired choices } } }";

/// The names of commands, but of those of plugins that come with the hub.
async fn names(person: &Person, conversation: Option<&str>) -> Option<Vec<String>> {
    let found = person.ask(LIST, json!({ "c": conversation })).await;
    let others =
        found["commands"].as_array()?.iter().filter(|command| !text(&command["plugin"]).starts_with("jackfield."));
    Some(others.map(|command| text(&command["name"])).collect())
}

/// A hub on which the guest is on in the workspace `default`.
async fn hosting(setup: Setup) -> (World, Person) {
    let world = setup.plugin(guest(|_| {})).start().await;
    let owner = owner(&world).await;
    switch(&owner, GUEST, None, true).await;
    (world, owner)
}

/// Waits until a node has heard that the guest is on.
async fn is_heard_of(person: &Person) {
    within("the word of a plugin", async {
        while names(person, None).await.is_none_or(|names| names.is_empty()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

stories! {
    /// F: P-14
    async fn clients_that_know_no_plugin_find_what_they_can_run(backend) {
        let world = Setup::new(backend).plugin(guest(|_| {})).start().await;
        let owner = owner(&world).await;
        let (ann, eve) = (world.person("ann").await, world.person("eve").await);
        let (tea, coffee) = (ann.group("Tea", &[]).await, ann.group("Coffee", &[]).await);
        assert_eq!(names(&ann, None).await, Some(vec![]), "it is off");
        switch(&owner, GUEST, Some(&tea), true).await;
        assert_eq!((names(&ann, None).await, names(&ann, Some(&coffee)).await), (Some(vec![]), Some(vec![])));
        assert_eq!(refusal(&run(&ann, "count", Some(&coffee), json!({})).await), ("NOT_FOUND".to_owned(), json!(["input", "command"])));
        let all = [
            "count", "echo", "fail", "fetch", "heard", "look", "mark", "mend", "post", "read", "send", "sign", "spin",
            "swap", "tell",
        ];
        assert_eq!(names(&ann, Some(&tea)).await.expect("commands"), all);
        assert_eq!(run(&ann, "count", Some(&tea), json!({})).await["reply"]["text"], json!("1"));

        let found = ann.ask(LIST, json!({ "c": tea })).await;
        let echo = &found["commands"][1];
        assert_eq!((&echo["plugin"], &echo["description"]), (&json!(GUEST), &json!("Answers what it was given.")));
        let argument = |name: &str, description: &str, kind: &str, required: bool, choices: Value| {
            json!({ "name": name, "description": description, "kind": kind, "isRequired": required, "choices": choices })
        };
        assert_eq!(echo["arguments"], json!([
            argument("of", "Any words.", "TEXT", true, json!([])),
            argument("how", "In which voice.", "TEXT", false, json!(["softly", "loudly"])),
            argument("times", "How often.", "NUMBER", false, json!([])),
            argument("again", "Whether to go on.", "FLAG", false, json!([])),
            argument("whom", "To whom.", "USER", false, json!([])),
            argument("where", "Where it is to be heard.", "CONVERSATION", false, json!([])),
        ]));
        // Who takes no part there hears nothing of it, and runs nothing.
        let never = "conv_0190a1b2c3d47e5f8a9b0c1d2e3f4a5b";
        let none = ("NOT_FOUND".to_owned(), json!(["input", "conversationId"]));
        for place in [tea.as_str(), never, "nonsense"] {
            assert_eq!(names(&eve, Some(place)).await, None);
            assert_eq!(refusal(&run(&eve, "count", Some(place), json!({})).await), none);
        }
        switch(&owner, GUEST, Some(&tea), false).await;
        assert_eq!(names(&ann, Some(&tea)).await, Some(vec![]));
        assert_eq!(Person::nobody(&world).fault(LIST, json!({})).await, "UNAUTHENTICATED");
    }

    /// F: P-14
    async fn a_command_is_run_as_who_asks_at_any_node_and_answers_them_alone(backend) {
        let (world, _) = hosting(Setup::new(backend).nodes(2)).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let all = json!({ "of": "<b>tea</b>", "how": "softly", "times": 1.5, "again": true, "whom": bob.id, "where": tea });
        is_heard_of(&ann.at(&world, 1)).await;
        for node in [0, 1] {
            let done = run(&ann.at(&world, node), "echo", Some(&tea), all.clone()).await;
            let expected = format!(
                "ann in {tea}; of is **<b>tea</b>**; how is **softly**; times is 1.5; again is true; whom is {}; where is {tea}", bob.id
            );
            assert_eq!((&done["reply"]["text"], &done["errors"]), (&json!(expected), &json!([])));
            let html = text(&done["reply"]["html"]);
            assert!(html.contains("&lt;b&gt;tea") && html.contains("<strong>softly</strong>") && !html.contains("<b>"), "{html}");
        }
        let said = run(&bob, "echo", None, json!({ "of": "" })).await;
        assert_eq!(said["reply"]["text"], json!("bob in no place; of is ****"));
        assert_eq!(bob.history(&tea).await, [""; 0], "nobody else hears of it");
    }

    /// F: P-14, A-04
    async fn what_is_wrong_with_the_arguments_is_said_by_name(backend) {
        let (world, _) = hosting(Setup::new(backend)).await;
        let (ann, eve) = (world.person("ann").await, world.person("eve").await);
        let stranger = world.person_of("elsewhere", "odo", "member").await;
        let of_eve = eve.group("Hers", &[]).await;
        for (arguments, name, code) in [
            (json!({}), "of", "MISSING"),
            (json!({ "of": 1 }), "of", "INVALID"),
            (json!({ "of": "", "how": "shrilly" }), "how", "INVALID"),
            (json!({ "of": "", "times": "1" }), "times", "INVALID"),
            (json!({ "of": "", "again": 1 }), "again", "INVALID"),
            (json!({ "of": "", "colour_of": 1 }), "colour_of", "INVALID"),
            (json!({ "of": "", "whom": stranger.id }), "whom", "NOT_FOUND"),
            (json!({ "of": "", "whom": "nobody" }), "whom", "NOT_FOUND"),
            (json!({ "of": "", "where": of_eve }), "where", "NOT_FOUND"),
        ] {
            let refused = run(&ann, "echo", None, arguments.clone()).await;
            assert_eq!(refusal(&refused), (code.to_owned(), json!(["input", "arguments", name])), "{arguments}");
            assert!(text(&refused["errors"][0]["message"]).contains(name), "{refused}");
            assert_eq!(refused["reply"], Value::Null);
        }
        assert_eq!(refusal(&run(&ann, "echo", None, json!([])).await), ("INVALID".to_owned(), json!(["input", "arguments"])));
        assert_eq!(run(&eve, "echo", None, json!({ "of": "", "where": of_eve })).await["errors"], json!([]));
    }

    /// F: P-14, P-02, A-03
    async fn a_plugin_sees_with_the_eyes_of_who_asks(backend) {
        let (world, owner) = hosting(Setup::new(backend)).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let first = text(&ann.say(&tea, "one").await["id"]);
        let second = text(&ann.say(&tea, "two").await["id"]);
        assert_eq!(answer(&ann, "mark", json!({ "message": first, "word": "marked" })).await, "marked");
        let look = async |person: &Person, at: &str, id: &str| {
            let done = run(person, "look", None, json!({ "at": at, "id": id })).await;
            match done["reply"]["text"].as_str() {
                Some(seen) => seen.to_owned(),
                None => text(&done["errors"][0]["pluginCode"]),
            }
        };
        for (at, id, seen) in [
            ("message", &first, "one"),
            ("annotation", &first, "marked"),
            ("conversation", &tea, "Tea"),
            ("history", &tea, "one, two"),
            ("members", &tea, "ann, bob"),
            ("membership", &tea, "true"),
            ("search", &tea, "ann, bob"),
        ] {
            assert_eq!(look(&ann, at, id).await, seen, "{at}");
            // Neither somebody else of the workspace nor its owner, to whom the plugin answers, sees through it.
            let nothing = if at == "annotation" { "" } else { "NOT_FOUND" };
            assert_eq!(look(&eve, at, id).await, nothing, "{at}");
            assert_eq!(look(&owner, at, id).await, nothing, "{at}");
        }
        assert_eq!(look(&ann, "find", "").await, "Tea");
        assert_eq!(look(&eve, "find", "").await, "");
        assert_eq!(look(&eve, "user", &ann.id).await, "ann", "colleagues know each other");
        let elsewhere = world.person_of("elsewhere", "odo", "owner").await;
        switch(&elsewhere, GUEST, None, true).await;
        for (at, id) in [("message", &first), ("history", &tea), ("user", &ann.id)] {
            assert_eq!(look(&elsewhere, at, id).await, "NOT_FOUND", "{at}");
        }

        // What somebody deleted for themselves they do not see through a plugin, either; others do.
        does(&bob, "messageDelete", json!({ "messageId": second }), "").await;
        assert_eq!((look(&bob, "message", &second).await, look(&bob, "history", &tea).await), ("NOT_FOUND".to_owned(), "one".to_owned()));
        assert_eq!(look(&ann, "message", &second).await, "two");
        // Who came late sees what was said since.
        does(&ann, "conversationUpdate", json!({ "conversationId": tea, "history": "FROM_JOIN" }), "").await;
        assert_eq!(ann.add(&tea, &[&eve]).await["errors"], json!([]));
        ann.say(&tea, "three").await;
        assert_eq!((look(&eve, "message", &first).await, look(&eve, "annotation", &first).await), ("NOT_FOUND".to_owned(), String::new()));
        assert_eq!(look(&eve, "history", &tea).await, "three");
        // Who was sent away sees nothing more.
        does(&ann, "conversationMemberRemove", json!({ "conversationId": tea, "memberId": eve.id }), "").await;
        assert_eq!(look(&eve, "history", &tea).await, "NOT_FOUND");
    }

    /// F: P-14, P-02, A-03
    async fn a_plugin_does_no_more_for_somebody_than_they_could(backend) {
        let (world, owner) = hosting(Setup::new(backend)).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let message = text(&ann.say(&tea, "hello").await["id"]);
        let post = async |person: &Person, body: &str| answer(person, "post", json!({ "where": tea, "body": body })).await;
        let mark = async |person: &Person, word: &str| answer(person, "mark", json!({ "message": message, "word": word })).await;
        // It is there when the answer is.
        assert_eq!(post(&ann, "from ann").await, "*posted*");
        assert_eq!(bob.history(&tea).await, ["hello", "from ann"]);
        let query = "query($c: ID!) { conversation(id: $c) { messages(last: 1) { nodes { sender { name role } } } } }";
        let found = bob.ask(query, json!({ "c": tea })).await;
        assert_eq!(found["conversation"]["messages"]["nodes"][0]["sender"], json!({ "name": "Guest", "role": "BOT" }));

        // The plugin does not know better. What they could not post is not posted, nothing else is done, and they are told.
        let no_post = async |person: &Person, body: &str| {
            let refused = run(person, "post", None, json!({ "where": tea, "body": body })).await;
            assert_eq!(refused["reply"], Value::Null);
            refusal(&refused).0
        };
        assert_eq!((no_post(&eve, "from eve").await.as_str(), mark(&eve, "spoilt").await.as_str()), ("NOT_FOUND", "marked"));
        does(&ann, "conversationArchive", json!({ "conversationId": tea }), "").await;
        assert_eq!(no_post(&ann, "too late").await, "CONVERSATION_CLOSED");
        assert_eq!(bob.history(&tea).await, ["hello", "from ann"]);
        does(&ann, "conversationReopen", json!({ "conversationId": tea }), "").await;
        let at = json!({ "at": "annotation", "id": message });
        assert_eq!(answer(&bob, "look", at.clone()).await, "");
        mark(&ann, "well").await;
        assert_eq!(answer(&bob, "look", at).await, "well");
        let logs = owner.ask("{ plugins { id logs { level text } } }", json!({})).await;
        let logs = logs["plugins"].as_array().expect("plugins").iter().find(|plugin| plugin["id"] == json!(GUEST)).expect("the guest")["logs"].to_string();
        assert!(logs.contains("a message that the viewer does not see"), "{logs}");
    }

    /// F: P-14, P-02
    async fn what_is_issued_is_committed_before_the_answer_whatever_it_is(backend) {
        let (world, _) = hosting(Setup::new(backend).nodes(2)).await;
        let ann = world.person("ann").await;
        let there = ann.at(&world, 1);
        is_heard_of(&there).await;
        assert_eq!(answer(&ann, "count", json!({})).await, "1");
        let refused = run(&there, "count", None, json!({ "refuse": true })).await;
        assert_eq!(refusal(&refused), ("REFUSED_BY_PLUGIN".to_owned(), Value::Null));
        let error = &refused["errors"][0];
        assert_eq!((&error["message"], &error["plugin"], &error["pluginCode"]), (&json!("2"), &json!(GUEST), &json!("NOT_TODAY")));
        assert_eq!(answer(&ann, "count", json!({})).await, "3", "it had counted");

        // Two that want the same change: one of them is asked again.
        for number in 1..=5 {
            let (one, other) = futures_util::future::join(answer(&ann, "swap", json!({})), answer(&there, "swap", json!({}))).await;
            let mut both = [one, other];
            both.sort_by_key(|count| count.parse::<i64>().expect("a number"));
            assert_eq!(both, [(2 * number - 1).to_string(), (2 * number).to_string()]);
        }

        // Where it fails, nothing of it stays, and why is not for everybody.
        let failed = run(&ann, "fail", None, json!({})).await;
        assert_eq!(refusal(&failed), ("PLUGIN_FAILED".to_owned(), Value::Null));
        assert!(!text(&failed["errors"][0]["message"]).contains("as it was told to"), "{failed}");
        assert_eq!(answer(&ann, "read", json!({ "key": "vain" })).await, "0");
    }

    /// F: P-14, P-08
    async fn who_lost_the_answer_asks_again_and_it_is_run_once(backend) {
        let (world, _) = hosting(Setup::new(backend).nodes(2)).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let there = ann.at(&world, 1);
        is_heard_of(&there).await;
        let count = async |person: &Person, key: &str, refuse: bool| {
            let arguments = json!({ "refuse": refuse });
            run_with(person, json!({ "command": "count", "arguments": arguments, "clientCommandId": key })).await
        };
        let first = count(&ann, "one", false).await;
        assert_eq!(first["reply"]["text"], json!("1"));
        assert_eq!((count(&ann, "one", false).await, count(&there, "one", false).await), (first.clone(), first.clone()));
        let refused = count(&there, "two", true).await;
        assert_eq!(refused["errors"][0]["message"], json!("2"));
        assert_eq!(count(&ann, "two", true).await, refused, "a refusal counts, and once");
        let reused = ("IDEMPOTENCY_KEY_REUSED".to_owned(), json!(["input", "clientCommandId"]));
        assert_eq!(refusal(&count(&ann, "two", false).await), reused);
        // Names are each person's own; two at the same time are one.
        assert_eq!(count(&bob, "one", false).await["reply"]["text"], json!("3"));
        let (one, other) = futures_util::future::join(count(&ann, "three", false), count(&there, "three", false)).await;
        assert_eq!((&one, &one["reply"]["text"]), (&other, &json!("4")));
        assert_eq!(answer(&ann, "count", json!({})).await, "5");
        // What failed was not run.
        let fail = json!({ "command": "fail", "clientCommandId": "four" });
        for _ in 0..2 {
            assert_eq!(refusal(&run_with(&ann, fail.clone()).await).0, "PLUGIN_FAILED");
        }
        assert_eq!(refusal(&count(&ann, "", false).await), ("MISSING".to_owned(), json!(["input", "clientCommandId"])));
        // After a day nobody asks any more.
        assert_eq!(world.db_count("command_runs").await, 5);
        world.clock.advance(Duration::from_secs(26 * 60 * 60));
        within("the end of what came of commands", async { while world.db_count("command_runs").await != 0 {} }).await;
    }

    /// F: P-14
    async fn two_plugins_may_have_a_command_of_the_same_name(backend) {
        let other = guest(|manifest| {
            manifest["id"] = json!("test.other");
            let commands = manifest["commands"].as_array_mut().expect("commands");
            commands.retain(|command| command["name"] == json!("count"));
        });
        let world = Setup::new(backend).plugin(guest(|_| {})).plugin(other).start().await;
        let owner = owner(&world).await;
        let ann = world.person("ann").await;
        switch(&owner, GUEST, None, true).await;
        assert_eq!(answer(&ann, "count", json!({})).await, "1");
        switch(&owner, "test.other", None, true).await;
        let unclear = run(&ann, "count", None, json!({})).await;
        assert_eq!(refusal(&unclear), ("INVALID".to_owned(), json!(["input", "plugin"])));
        assert!(text(&unclear["errors"][0]["message"]).contains("test.guest, test.other"), "{unclear}");
        let of = async |plugin: &str| run_with(&ann, json!({ "plugin": plugin, "command": "count" })).await;
        assert_eq!(of("test.other").await["reply"]["text"], json!("1"), "each counts for itself");
        assert_eq!(of(GUEST).await["reply"]["text"], json!("2"));
        assert_eq!(refusal(&of("example.nobody").await).0, "NOT_FOUND");
        assert_eq!(answer(&ann, "read", json!({ "key": "count" })).await, "2", "only one has this");
    }

    /// F: P-14, P-11
    async fn one_that_fails_or_never_ends_is_left_alone_for_a_while(backend) {
        let short = guest(|manifest| manifest["limits"] = json!({ "after-ms": 200 }));
        let world = Setup::new(backend).plugin(short).start().await;
        let owner = owner(&world).await;
        let ann = world.person("ann").await;
        switch(&owner, GUEST, None, true).await;
        let message = async |command: &str| text(&run(&ann, command, None, json!({})).await["errors"][0]["message"]);
        assert!(message("spin").await.contains("in its log"));
        for _ in 0..4 {
            message("fail").await;
        }
        assert!(message("count").await.contains("left alone for a while"));
        world.clock.advance(Duration::from_secs(31));
        assert_eq!(answer(&ann, "count", json!({})).await, "1", "it is tried again");
        let logs = owner.ask("{ plugins { id logs { level text } } }", json!({})).await.to_string();
        assert!(logs.contains("as it was told to") && logs.contains("command failed"), "{logs}");
    }

    /// F: P-14, P-01
    async fn one_that_never_ends_leaves_room_for_the_others(backend) {
        let other = guest(|manifest| manifest["id"] = json!("test.other"));
        // Shorter than others wait for a place.
        let spinning = guest(|manifest| manifest["limits"] = json!({ "after-ms": 1_500 }));
        let world = Setup::new(backend).plugin(spinning).plugin(other).start().await;
        let owner = owner(&world).await;
        switch(&owner, GUEST, None, true).await;
        switch(&owner, "test.other", None, true).await;
        let mut people = Vec::new();
        for number in 0..4 {
            people.push(world.person(&format!("p{number}")).await);
        }
        // As many as there are places for all.
        let spin = json!({ "plugin": GUEST, "command": "spin" });
        let spins = people.iter().flat_map(|person| (0..4).map(|_| run_with(person, spin.clone())));
        let others = async {
            for count in 1..=5 {
                let answer = run_with(&owner, json!({ "plugin": "test.other", "command": "count" })).await;
                assert_eq!(answer["reply"]["text"], json!(count.to_string()), "{answer}");
            }
        };
        match select(join_all(spins), std::pin::pin!(others)).await {
            Either::Left((ended, _)) => panic!("the other one waited for them: {ended:?}"),
            Either::Right(((), spins)) => {
                let ended = spins.await;
                assert!(ended.iter().all(|payload| refusal(payload).0 == "PLUGIN_FAILED"), "{ended:?}");
            }
        }
    }
}
