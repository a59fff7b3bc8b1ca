//! Polls, as clients see them: asked, answered by many at once, watched live, and over.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, World,
        account::does,
        guest::{owner, run, switch},
        person::{refusal, text},
        within,
    },
};

const POLLS: &str = "jackfield.polls";
const MODERATION: &str = "jackfield.moderation";
const POLL: &str = "poll { question choice isAnonymous isClosed closesAt closedAt voterCount myVotes creator { name }
    options { id text voteCount voters { name } } }";

/// Asks whether there is to be tea; answers the payload.
async fn ask(person: &Person, conversation: &str, with: Value) -> Value {
    let mut input = json!({ "conversationId": conversation, "question": "Tea?", "options": ["yes", "no"] });
    input.as_object_mut().expect("an object").extend(with.as_object().expect("an object").clone());
    act(
        person,
        "pollCreate",
        "PollCreateInput",
        input,
        &format!("{POLL} message {{ id type body sender {{ name role }} }}"),
    )
    .await
}

async fn vote(person: &Person, message: &str, options: Value) -> Value {
    act(person, "pollVote", "PollVoteInput", json!({ "messageId": message, "optionIds": options }), POLL).await
}

async fn act(person: &Person, mutation: &str, ty: &str, input: Value, fields: &str) -> Value {
    let query = format!(
        "mutation($input: {ty}!) {{ {mutation}(input: $input) {{ {fields} errors {{ code message path plugin pluginCode }} }} }}"
    );
    person.ask(&query, json!({ "input": input })).await[mutation].take()
}

async fn seen(person: &Person, message: &str) -> Value {
    let query = format!("query($id: ID!) {{ message(id: $id) {{ {POLL} }} }}");
    person.ask(&query, json!({ "id": message })).await["message"]["poll"].take()
}

fn counts(poll: &Value) -> (Vec<i64>, i64) {
    let options = poll["options"].as_array().unwrap_or_else(|| panic!("no poll: {poll}"));
    let counts = options.iter().map(|option| option["voteCount"].as_i64().expect("a number"));
    (counts.collect(), poll["voterCount"].as_i64().expect("a number"))
}

/// What of a payload says why the plugin refused.
fn said_no(payload: &Value) -> (Value, String) {
    (payload["poll"].clone(), text(&payload["errors"][0]["pluginCode"]))
}

/// Two nodes, and three people in a group, one of them at the second node.
async fn tea(setup: Setup) -> (World, Person, Person, Person, String) {
    let world = setup.nodes(2).start().await;
    let (ann, bob, cid) = (world.person("ann").await, world.person("bob").await, world.person("cid").await);
    let tea = ann.group("Tea", &[&bob, &cid]).await;
    let bob = bob.at(&world, 1);
    (world, ann, bob, cid, tea)
}

stories! {
    /// F: P-22, P-07
    async fn a_poll_is_asked_answered_and_watched(backend) {
        let (world, ann, bob, cid, tea) = tea(Setup::new(backend)).await;
        let made = ask(&ann, &tea, json!({})).await;
        let expected = json!({
            "question": "Tea?", "choice": "SINGLE", "isAnonymous": false, "isClosed": false, "closesAt": null, "closedAt": null,
            "voterCount": 0, "myVotes": [], "creator": { "name": "ann" },
            "options": [{ "id": 0, "text": "yes", "voteCount": 0, "voters": [] }, { "id": 1, "text": "no", "voteCount": 0, "voters": [] }],
        });
        assert_eq!((&made["poll"], &made["errors"]), (&expected, &json!([])));
        assert_eq!((&made["message"]["type"], &made["message"]["body"], &made["message"]["sender"]["role"]), (&json!("POLL"), &json!("Tea?"), &json!("BOT")));
        let message = text(&made["message"]["id"]);

        // Whoever watches is told, and sees it with their own eyes.
        let mut socket = bob.socket().await;
        let query = format!("subscription {{ events(input: {{ kinds: [ANNOTATION_CHANGED] }}) {{ __typename
            ... on AnnotationChanged {{ plugin message {{ id {POLL} }} }} }} }}");
        socket.subscribe("s", &query, json!({})).await;
        socket.until_caught_up("s").await;
        assert_eq!(counts(&vote(&cid, &message, json!([1])).await["poll"]), (vec![0, 1], 1));
        let told = socket.event("s").await;
        assert_eq!((&told["plugin"], &told["message"]["id"]), (&json!(POLLS), &json!(message)));
        assert_eq!((counts(&told["message"]["poll"]), &told["message"]["poll"]["myVotes"]), ((vec![0, 1], 1), &json!([])));
        let voted = vote(&bob, &message, json!([0])).await;
        assert_eq!((counts(&voted["poll"]), &voted["poll"]["myVotes"]), ((vec![1, 1], 2), &json!([0])));
        assert_eq!(socket.event("s").await["message"]["poll"]["myVotes"], json!([0]));
        // Another one takes its place, and it can be taken back.
        let changed = vote(&cid, &message, json!([0])).await;
        assert_eq!(changed["poll"]["options"][0]["voters"], json!([{ "name": "bob" }, { "name": "cid" }]));
        let retracted = act(&bob, "pollRetractVote", "PollRetractVoteInput", json!({ "messageId": message }), POLL).await;
        assert_eq!((counts(&retracted["poll"]), &retracted["poll"]["myVotes"]), ((vec![1, 0], 1), &json!([])));
        assert_eq!(counts(&seen(&ann, &message).await), (vec![1, 0], 1));

        // More to choose from, by who made it and those who keep the peace.
        let update = async |person: &Person, input: Value| {
            let mut all = json!({ "messageId": message });
            all.as_object_mut().expect("an object").extend(input.as_object().expect("an object").clone());
            act(person, "pollUpdate", "PollUpdateInput", all, POLL).await
        };
        assert_eq!(said_no(&update(&bob, json!({ "addOptions": ["later"] })).await), (Value::Null, "NOT_ALLOWED".to_owned()));
        assert_eq!(update(&ann, json!({ "addOptions": ["later"] })).await["poll"]["options"][2]["text"], json!("later"));
        for (options, code) in [(json!([3]), "NO_OPTION"), (json!([0, 1]), "ONE_OPTION"), (json!([]), "EMPTY")] {
            assert_eq!(said_no(&vote(&cid, &message, options).await), (Value::Null, code.to_owned()));
        }
        let several = text(&ask(&bob, &tea, json!({ "choice": "MULTIPLE", "isAnonymous": true })).await["message"]["id"]);
        let voted = vote(&cid, &several, json!([0, 1])).await;
        assert_eq!((counts(&voted["poll"]), &voted["poll"]["options"][0]["voters"]), ((vec![1, 1], 1), &Value::Null));

        // Closed is closed.
        let close = async |person: &Person| act(person, "pollClose", "PollCloseInput", json!({ "messageId": message }), POLL).await;
        assert_eq!(said_no(&close(&cid).await).1, "NOT_ALLOWED");
        assert_eq!(close(&ann).await["poll"]["isClosed"], json!(true));
        assert_eq!(said_no(&vote(&cid, &message, json!([1])).await).1, "POLL_CLOSED");
        assert_eq!((counts(&seen(&bob, &message).await), seen(&bob, &message).await["isClosed"].clone()), ((vec![1, 0, 0], 1), json!(true)));

        // Who takes no part finds nothing, and a message without one has none.
        let eve = world.person("eve").await;
        assert_eq!(said_no(&vote(&eve, &several, json!([0])).await), (Value::Null, "NO_POLL".to_owned()));
        assert_eq!(refusal(&ask(&eve, &tea, json!({})).await).0, "NOT_FOUND");
        let plain = text(&ann.say(&tea, "no poll").await["id"]);
        assert_eq!((seen(&ann, &plain).await, said_no(&vote(&ann, &plain, json!([0])).await).1), (Value::Null, "NO_POLL".to_owned()));
    }

    /// F: P-22, P-08
    async fn two_hundred_vote_at_once_and_each_vote_counts_once(backend) {
        let (world, ann, _, _, tea) = tea(Setup::new(backend).config(|config| config.policy.group_max_members = 300)).await;
        let voters = join_all((0..200).map(|number| {
            let world = &world;
            async move { world.person(&format!("voter {number}")).await.at(world, number % 2) }
        }));
        let voters = voters.await;
        for some in voters.chunks(50) {
            let some: Vec<&Person> = some.iter().collect();
            assert_eq!(ann.add(&tea, &some).await["errors"], json!([]));
        }
        let message = text(&ask(&ann, &tea, json!({})).await["message"]["id"]);
        // Each votes twice: what counts is what they say last. Where too much is asked for at once, they ask again.
        for (round, option) in [0, 1].into_iter().enumerate() {
            join_all(voters.iter().enumerate().map(|(number, voter)| {
                let message = &message;
                async move {
                    let chosen = if round == 0 { option } else { i64::from(number % 4 != 0) };
                    within("a vote", async {
                        loop {
                            let query = "mutation($input: PollVoteInput!) { pollVote(input: $input) { poll { myVotes } errors { code pluginCode message } } }";
                            let input = json!({ "messageId": message, "optionIds": [chosen] });
                            let answer = voter.answer(query, json!({ "input": input })).await;
                            let payload = &answer["data"]["pollVote"];
                            if payload["poll"]["myVotes"] == json!([chosen]) {
                                return;
                            }
                            let busy = answer["errors"][0]["extensions"]["code"] == json!("UNAVAILABLE");
                            assert!(busy, "{answer}");
                        }
                    })
                    .await;
                }
            }))
            .await;
        }
        let poll = seen(&ann, &message).await;
        assert_eq!(counts(&poll), (vec![50, 150], 200));
        let shown: usize = poll["options"].as_array().expect("options").iter().map(|option| option["voters"].as_array().expect("voters").len()).sum();
        assert_eq!(shown, 100, "the first hundred are shown");
    }

    /// F: P-22
    async fn it_closes_when_its_time_has_come_and_those_who_watch_are_told(backend) {
        let (world, ann, bob, _, tea) = tea(Setup::new(backend)).await;
        let at = (world.clock.now() + Duration::from_secs(600)).to_string();
        let message = text(&ask(&ann, &tea, json!({ "closesAt": at })).await["message"]["id"]);
        let later = (world.clock.now() + Duration::from_secs(6000)).to_string();
        let other = text(&ask(&ann, &tea, json!({ "closesAt": later })).await["message"]["id"]);
        vote(&bob, &message, json!([0])).await;
        let mut socket = bob.socket().await;
        let query = "subscription { events(input: { kinds: [ANNOTATION_CHANGED] }) { __typename
            ... on AnnotationChanged { message { id poll { isClosed closedAt voterCount } } } } }";
        socket.subscribe("s", query, json!({})).await;
        socket.until_caught_up("s").await;
        world.clock.advance(Duration::from_secs(601));
        assert_eq!(said_no(&vote(&bob, &message, json!([1])).await).1, "POLL_CLOSED");
        let closed = json!({ "id": message, "poll": { "isClosed": true, "closedAt": at, "voterCount": 1 } });
        assert_eq!(socket.event("s").await["message"], closed);
        // The next one is waited for, also where the end is moved.
        let sooner = (world.clock.now() + Duration::from_secs(60)).to_string();
        let moved = act(&ann, "pollUpdate", "PollUpdateInput", json!({ "messageId": other, "closesAt": sooner }), POLL).await;
        assert_eq!(moved["poll"]["closesAt"], json!(sooner));
        assert_eq!(socket.event("s").await["message"]["poll"]["isClosed"], json!(false));
        world.clock.advance(Duration::from_secs(61));
        assert_eq!(socket.event("s").await["message"], json!({ "id": other, "poll": { "isClosed": true, "closedAt": sooner, "voterCount": 0 } }));
    }

    /// F: P-22, P-03
    async fn where_the_message_cannot_be_sent_nothing_is_done(backend) {
        let (world, ann, _, _, tea) = tea(Setup::new(backend)).await;
        let owner = owner(&world).await;
        switch(&owner, "jackfield.moderation", None, true).await;
        let rules = json!({ "rules": [{ "kind": "words", "action": "reject", "words": ["heck"] }] });
        does(&owner, "pluginConfigure", json!({ "pluginId": "jackfield.moderation", "configuration": rules }), "").await;
        let refused = ask(&ann, &tea, json!({ "question": "Heck?" })).await;
        assert_eq!((&refused["poll"], &refused["message"], &refused["errors"][0]["plugin"]), (&Value::Null, &Value::Null, &json!("jackfield.moderation")), "{refused}");
        let command = async |question: &str| run(&ann, "poll", Some(&tea), json!({ "question": question, "options": "yes | no" })).await;
        assert_eq!(refusal(&command("Heck?").await).0, "REFUSED_BY_PLUGIN");
        assert_eq!(ann.history(&tea).await, Vec::<String>::new());
        does(&ann, "conversationArchive", json!({ "conversationId": tea }), "").await;
        assert_eq!(refusal(&ask(&ann, &tea, json!({})).await).0, "CONVERSATION_CLOSED");
        does(&ann, "conversationReopen", json!({ "conversationId": tea }), "").await;
        assert!(!world.db_holds("Heck?").await && !world.db_holds("Tea?").await, "nothing of all that is kept");
        assert_eq!(command("Tea?").await["errors"], json!([]));
        assert_eq!(ann.history(&tea).await, ["Tea?"]);
    }

    /// F: P-22, P-06
    async fn switched_off_it_shows_nothing_and_loses_nothing(backend) {
        let (world, ann, bob, cid, tea) = tea(Setup::new(backend)).await;
        let owner = owner(&world).await;
        let message = text(&ask(&ann, &tea, json!({})).await["message"]["id"]);
        vote(&cid, &message, json!([1])).await;
        switch(&owner, POLLS, None, false).await;
        assert_eq!(seen(&cid, &message).await, Value::Null);
        assert_eq!(refusal(&vote(&cid, &message, json!([0])).await).0, "PLUGIN_DISABLED");
        switch(&owner, POLLS, None, true).await;
        assert_eq!(counts(&seen(&cid, &message).await), (vec![0, 1], 1));

        // Nothing stays of a poll whose message is gone.
        assert_ne!(world.db_count("plugin_data").await, 0);
        ann.add(&tea, &[&owner]).await;
        does(&owner, "messageDelete", json!({ "messageId": message, "forEveryone": true }), "").await;
        within("the end of what was kept of it", async { while world.db_count("plugin_data").await != 0 {} }).await;
        assert_eq!(said_no(&vote(&bob, &message, json!([0])).await).1, "NO_POLL");
    }

    /// F: P-22, P-23
    async fn whoever_asks_is_who_is_looked_at(backend) {
        let (world, ann, bob, ..) = tea(Setup::new(backend)).await;
        let owner = owner(&world).await;
        let mia = world.person_with("mia", json!({ "roles": ["moderator"] })).await;
        let tea = ann.group("Talk", &[&bob, &mia]).await;
        switch(&owner, MODERATION, None, true).await;
        let rules = json!({ "rules": [{ "kind": "words", "action": "reject", "words": ["darn"] },
            { "kind": "words", "action": "flag", "words": ["heck"] }] });
        let input = json!({ "pluginId": MODERATION, "configuration": rules });
        assert_eq!(does(&owner, "pluginConfigure", input, "").await["errors"], json!([]));
        let refused = ask(&ann, &tea, json!({ "question": "darn?" })).await;
        assert_eq!(refused["errors"][0]["pluginCode"], json!("WORD_NOT_ALLOWED"), "{refused}");
        let asked = text(&ask(&bob, &tea, json!({ "question": "heck?" })).await["message"]["id"]);
        // The case of what was flagged finds its message.
        let query = "{ moderationCases(first: 5) { cases { user { name } message { id } } } }";
        let expected = json!([{ "user": { "name": "bob" }, "message": { "id": asked } }, { "user": { "name": "ann" }, "message": null }]);
        within("the cases", async {
            while mia.ask(query, json!({})).await["moderationCases"]["cases"] != expected {
                tokio::task::yield_now().await;
            }
        }).await;
    }

    /// F: P-22, L-02
    async fn a_page_of_fifty_is_one_call(backend) {
        let (world, ann, bob, _, tea) = tea(Setup::new(backend)).await;
        let owner = owner(&world).await;
        for number in 0..50 {
            let made = ask(&ann, &tea, json!({ "question": format!("Number {number}?") })).await;
            vote(&bob, &text(&made["message"]["id"]), json!([number % 2])).await;
        }
        let calls = async || {
            let found = owner.ask("{ plugins { id health { calls } } }", json!({})).await;
            let plugins = found["plugins"].as_array().expect("plugins").clone();
            plugins.iter().find(|plugin| plugin["id"] == json!(POLLS)).expect("it is there")["health"]["calls"].as_i64().expect("a number")
        };
        let before = calls().await;
        let query = format!("query($id: ID!) {{ conversation(id: $id) {{ messages(first: 50) {{ nodes {{ body {POLL} }} }} }} }}");
        let found = ann.ask(&query, json!({ "id": tea })).await;
        let nodes = found["conversation"]["messages"]["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), 50);
        for (number, node) in nodes.iter().enumerate() {
            let poll = &node["poll"];
            assert_eq!((&poll["question"], &poll["options"][number % 2]["voters"]), (&node["body"], &json!([{ "name": "bob" }])), "{node}");
        }
        assert_eq!(calls().await, before + 1);
    }
}
