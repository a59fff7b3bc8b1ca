//! Nobody sees what is not theirs. What is driven stands in the [`table`]; here is how it is driven.

mod cast;
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use self::{
    cast::{Asker, Cast, Outsider, invented, set_policy, type_in},
    table::{EVENTS, FIELDS, LIVE, LOGS, Live, Rightful, SIGNALS, SILENT, Sees, WAYS, Way, fields_of, name_of},
};
use crate::{
    stories,
    support::{
        Person, Setup, Socket, World,
        account::does,
        guest::{GUEST, fields, run, switch},
        packages::seen,
        person::{refusal, text},
        stream::Stream,
        within,
    },
};

stories! {
    /// F: A-03, A-04, P-07
    async fn every_field_and_every_id_of_the_schema_has_a_row(backend) {
        // With whatever plugins add: those that come with the hub, and one that adds to everything that can be added to.
        let world = Setup::new(backend).plugin(fields(|_| {})).start().await;
        let schema = Schema::of(&world.person("ann").await).await;
        let ways = || WAYS.iter().map(|way| way.by).chain(LIVE.iter().map(|live| live.by));
        let named = || WAYS.iter().flat_map(|way| way.names).chain(LIVE.iter().flat_map(|live| live.names)).copied();
        let fields = || FIELDS.iter().flat_map(|(of, fields)| fields.iter().map(move |field| format!("{of}.{}", name_of(field))));
        let told = || LIVE.iter().flat_map(|live| schema.kinds_of(live.tells));
        let reached = || WAYS.iter().map(|way| way.to).filter(|to| !to.is_empty()).map(str::to_owned)
            .chain(LIVE.iter().map(|live| live.tells.to_owned())).chain(told());

        let mut wrong = Vec::new();
        let mut compare = |what: &str, served: BTreeSet<String>, rows: BTreeSet<String>| {
            wrong.extend(served.difference(&rows).map(|missing| format!("{what} {missing} is served and has no row")));
            wrong.extend(rows.difference(&served).map(|left| format!("{what} {left} has a row and is not served")));
        };
        compare("the root field", schema.roots.clone(), ways().map(str::to_owned).collect());
        compare("the field", schema.fields.clone(), fields().collect());
        compare("the type", schema.types.clone(), reached().collect());
        compare("the place for an id", schema.places_for_ids.clone(), named().map(str::to_owned).collect());
        for way in WAYS {
            for name in way.names {
                let place = name.rsplit('.').next().expect("a name");
                let used = [format!("{place}: $"), format!("{place}: [$")];
                if !used.iter().any(|used| way.document.contains(used)) {
                    wrong.push(format!("{name} is not named by {}", way.document));
                }
            }
        }
        assert!(wrong.is_empty(), "tests/suite/isolation/table.rs:\n{}", wrong.join("\n"));
        assert!(schema.fields.len() > 100, "the schema was read");
    }

    /// F: A-03, A-04, C-04, M-04
    async fn nobody_reaches_what_is_not_theirs(backend) {
        let cast = Cast::on(Setup::new(backend)).await;
        for way in WAYS {
            let before = cast.state().await;
            let mut answers = Vec::new();
            for outsider in &cast.outsiders {
                let things = cast.things_for(outsider);
                let of_real = Answer::to(&outsider.person, way, &things).await;
                let of_invented = Answer::to(&outsider.person, way, &invented(&things)).await;
                answers.push((outsider, of_real, of_invented));
            }
            assert_eq!(cast.state().await, before, "somebody changed what is not theirs by {way:?}");
            let rightful = Answer::to(cast.rightful(way.rightful), way, &cast.things).await;
            rightful.shows_all(way);
            for (outsider, of_real, of_invented) in answers {
                of_real.is_what(outsider, way, &of_invented, &rightful);
            }
        }
    }

    /// F: A-03, A-04, L-03
    async fn nobody_follows_what_is_not_theirs(backend) {
        // The victims act on the one node, the others listen at the other.
        let cast = Cast::on(Setup::new(backend).nodes(2)).await;
        let world = &cast.world;
        let schema = Schema::of(&cast.ann).await;
        let query = schema.subscription_to(EVENTS);
        let beginning = |cursor: &str| moved(cursor, 0);

        let mut of_ann = Follower::open(&cast.ann.at(world, 1), &query, json!({ "after": beginning(&cast.ann.cursor().await) })).await;
        let mut of_others: Vec<(&Outsider, Follower)> = Vec::new();
        for outsider in cast.signed_in() {
            let named = [cast.conversation(), outsider.own.clone()];
            let after = beginning(&outsider.person.cursor().await);
            for input in [
                json!({}),
                json!({ "conversationIds": named }),
                json!({ "after": after }),
                json!({ "after": after, "conversationIds": named }),
            ] {
                of_others.push((outsider, Follower::open(&outsider.person.at(world, 1), &query, input).await));
            }
        }

        let beginning_of_dora = json!({ "after": beginning(&cast.dora.cursor().await) });
        let mut of_dora = Follower::open(&cast.dora.at(world, 1), &query, beginning_of_dora.clone()).await;
        let mut of_bot = Follower::open(&cast.bot.at(world, 1), &query, beginning_of_dora).await;

        // Everything that there is an event of happens once more while they listen.
        let (session, token) = (json!({ "sessionId": cast.things["session"] }), json!({ "tokenId": cast.things["botToken"] }));
        does(&cast.dora, "sessionRevoke", session, "sessionId").await;
        does(cast.rightful(Rightful::Owner), "botTokenRevoke", token, "").await;
        of_dora.until(|event| event["sessionId"] == cast.things["session"] && event["__typename"] == json!("SessionEnded")).await;
        of_bot.until(|event| event["tokenId"] == cast.things["botToken"]).await;
        let cleo = world.person_of("harbour", "Cleopatra", "member").await;
        world.person_with("Bartholomew", json!({ "workspace": "harbour", "name": "Bart" })).await;
        let new = cast.ann.group("Quay at dawn", &[&cast.bob]).await;
        cast.ann.add(&new, &[&cleo]).await;
        set_policy(cast.rightful(Rightful::Owner), "bodyMaxCharacters: 9997").await;
        cast.ann.say(&new, "the heron has landed").await;
        does(&cast.ann, "conversationSettingsUpdate", json!({ "conversationId": new, "isPinned": true }), "").await;
        cast.ann.create(json!({ "type": "DIRECT", "memberIds": [cleo.id] })).await;
        does(&cast.ann, "userBlock", json!({ "userId": cleo.id }), "").await;
        for (what, input, more) in [
            ("messageEdit", "MessageEditInput", json!({ "body": "the heron has gone" })),
            ("messageDelete", "MessageDeleteInput", json!({ "forEveryone": true })),
            ("messageDelete", "MessageDeleteInput", json!({})),
        ] {
            let message = text(&cast.ann.say(&cast.conversation(), "about that heron").await["id"]);
            // What is gone when it is told is told as gone.
            of_ann.until(|event| event["message"]["id"] == json!(message)).await;
            change_message(&cast.ann, message, what, input, more).await;
        }
        for (what, input) in [
            ("conversationUpdate", json!({ "conversationId": new, "description": "before breakfast" })),
            ("conversationMemberUpdate", json!({ "conversationId": new, "memberId": cast.bob.id, "role": "ADMIN" })),
            ("conversationMemberRemove", json!({ "conversationId": new, "memberId": cleo.id })),
        ] {
            assert_eq!(does(&cast.ann, what, input, "").await["errors"], json!([]));
        }
        let left = cast.bob.group("Quay at noon", &[&cast.ann]).await;
        of_ann.until(|event| event["conversation"]["id"] == json!(left)).await;
        does(&cast.ann, "conversationLeave", json!({ "conversationId": left }), "").await;
        let marked = cast.bob.ask(
            "mutation($c: ID!) { conversationMarkRead(input: { conversationId: $c }) { markedCount } }",
            json!({ "c": new }),
        );
        assert_eq!(marked.await["conversationMarkRead"]["markedCount"], json!(1));
        let owner = cast.rightful(Rightful::Owner);
        let plugin = json!("jackfield.moderation");
        does(owner, "pluginEnable", json!({ "pluginId": plugin, "conversationId": new }), "").await;
        let rules = json!({ "rules": [{ "kind": "words", "action": "hold", "words": ["gale"], "strikes": 0 }] });
        does(owner, "pluginConfigure", json!({ "pluginId": plugin, "configuration": rules }), "").await;
        let held = does(&cast.ann, "messageSend", json!({ "conversationId": new, "body": "a gale, says the heron" }), "held { id }").await;
        does(owner, "heldMessageReject", json!({ "heldMessageId": held["held"]["id"] }), "").await;
        let back = cast.ann.say(&new, "@all, the heron is back").await;
        of_ann.until(|event| event["__typename"] == json!("MentionsUpdated") && event["conversation"]["id"] == json!(new)).await;
        let mark = json!({ "message": back["id"], "word": "heron" });
        assert_eq!(run(&cast.ann, "mark", Some(&new), mark).await["errors"], json!([]));
        of_ann.until(|event| event["__typename"] == json!("AnnotationChanged") && event["conversation"]["id"] == json!(new)).await;
        let news = json!({ "whom": "conversation", "ids": new, "kind": "news", "words": "the heron is well" });
        assert_eq!(run(&cast.ann, "tell", Some(&new), news).await["errors"], json!([]));
        // What is old is taken away at the end, so that all else is young.
        let rule = "mutation($c: ID!) { retentionSet(input: { conversationId: $c, rule: DAYS, days: 1 }) { errors { code } } }";
        assert_eq!(cast.ann.ask(rule, json!({ "c": new })).await["retentionSet"]["errors"], json!([]));
        world.clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
        of_ann.until(|event| event["__typename"] == json!("MessagesTrimmed") && event["conversation"]["id"] == json!(new)).await;
        cast.bob.say(&cast.conversation(), "a heron again").await;
        of_ann.until(|event| event["message"]["body"] == json!("a heron again")).await;

        for (outsider, follower) in &mut of_others {
            // It has come to Annabel on the same node; whoever were to hear of it would do so before this.
            outsider.mate.say(&outsider.own, "a fence").await;
            follower.until(|event| event["message"]["body"] == json!("a fence")).await;
            if outsider.who == Asker::Former {
                // That they take no part any more is all that they are told of it.
                let farewell = |event: &Value| event["conversationId"] == json!(cast.conversation());
                assert!(follower.told.iter().filter(|event| farewell(event)).all(|event| event["__typename"] == json!("ConversationLeft")));
                follower.told.retain(|event| !farewell(event));
            }
            let heard = Value::from(std::mem::take(&mut follower.told));
            check_secrets(outsider, &heard.to_string(), &follower.input);
            check_secrets_of(&[&new, "Quay at dawn", &left, "Quay at noon"], &heard.to_string(), &follower.input);
            let of_one = ["session", "botToken"].map(|name| text(&cast.things[name]));
            check_secrets_of(&of_one.each_ref().map(String::as_str), &heard.to_string(), &follower.input);
            if outsider.who == Asker::Elsewhere {
                check_secrets_of(&[&cleo.id, "Cleopatra"], &heard.to_string(), &follower.input);
            }
            for event in heard.as_array().expect("events") {
                // Not even that something happened somewhere.
                let of = event.get("conversation");
                assert!(of.is_none_or(|of| of["id"] == json!(outsider.own)), "{:?} heard {event}", outsider.who);
            }
        }

        // Who takes part sees all of it, whatever kinds of events there are.
        of_ann.resync(&cast.ann.at(world, 1), &query).await;
        let of_one_alone = |event: &Value| event.get("sessionId").is_some() || event.get("tokenId").is_some();
        of_ann.told.extend(of_dora.told.into_iter().chain(of_bot.told).filter(of_one_alone));
        schema.check_told(EVENTS, &of_ann.told);
    }

    /// F: A-03, R-05
    async fn nobody_hears_signals_that_are_not_theirs(backend) {
        let cast = Cast::on(Setup::new(backend).nodes(2)).await;
        let world = &cast.world;
        let schema = Schema::of(&cast.ann).await;
        let query = schema.subscription_to(SIGNALS);
        let conversation = cast.conversation();

        let mut of_ann = Follower::listen(&cast.ann.at(world, 1), &query, json!({}), &cast.bob, &conversation).await;
        let mut of_others: Vec<(&Outsider, Follower)> = Vec::new();
        for outsider in cast.signed_in() {
            for input in [json!({}), json!({ "conversationIds": [conversation, outsider.own] })] {
                let person = outsider.person.at(world, 1);
                of_others.push((outsider, Follower::listen(&person, &query, input, &outsider.mate, &outsider.own).await));
            }
        }
        type_in(&cast.ann, &conversation, "typingStart").await;
        type_in(&cast.ann, &conversation, "typingStop").await;
        let ann_stopped = |signal: &Value| signal["__typename"] == json!("TypingStopped") && signal["user"]["id"] == json!(cast.ann.id);
        of_ann.until(ann_stopped).await;

        for (outsider, follower) in &mut of_others {
            // Whatever of the above were to come would have come before this.
            type_in(&outsider.mate, &outsider.own, "typingStart").await;
            type_in(&outsider.mate, &outsider.own, "typingStop").await;
            follower.until(|signal| signal["__typename"] == json!("TypingStopped")).await;
            for signal in &follower.told {
                assert_eq!(signal["conversation"]["id"], json!(outsider.own), "{:?} heard {signal}", outsider.who);
                check_secrets(outsider, &signal.to_string(), &follower.input);
            }
        }
        schema.check_told(SIGNALS, &of_ann.told);
    }

    /// F: A-03, P-11
    async fn nobody_reads_what_plugins_write_for_others(backend) {
        // The plugin fails at the one node, the others read at the other.
        let cast = Cast::on(Setup::new(backend).nodes(2)).await;
        let world = &cast.world;
        let schema = Schema::of(&cast.ann).await;
        let query = schema.subscription_to(LOGS);
        let fail = async |person: &Person| assert_eq!(refusal(&run(person, "fail", None, json!({})).await).0, "PLUGIN_FAILED");
        // What the hub says of it comes behind its own last words.
        let is_last = |line: &Value| text(&line["text"]).starts_with("command failed: ");
        let refused = async |person: &Person, plugin: &str| {
            let mut socket = person.at(world, 1).socket().await;
            socket.subscribe("s", &query, json!({ "input": { "pluginId": plugin } })).await;
            let mut heard = socket.hear().await;
            assert_eq!(heard["type"], json!("error"), "{heard}");
            hide_request_ids(&mut heard["payload"]);
            heard["payload"].take()
        };

        fail(&cast.ann).await;
        let foreign = cast.outsiders.iter().find(|outsider| outsider.who == Asker::Elsewhere).expect("an owner elsewhere");
        switch(&foreign.person, GUEST, None, true).await;
        let mut of_foreign = Follower::read(&foreign.person.at(world, 1), &query).await;
        let mut of_owner = Follower::read(&cast.rightful(Rightful::Owner).at(world, 1), &query).await;
        of_owner.until(is_last).await;
        for outsider in cast.signed_in().filter(|outsider| !matches!(outsider.who, Asker::Admin | Asker::Elsewhere)) {
            let of_real = refused(&outsider.person, GUEST).await;
            assert_eq!(of_real[0]["extensions"]["code"], json!("NOT_ALLOWED"), "{:?}: {of_real}", outsider.who);
            assert_eq!(of_real, refused(&outsider.person, "example.nobody").await, "{:?}", outsider.who);
        }
        for _ in 0..3 {
            fail(&cast.bob).await;
            of_owner.until(is_last).await;
        }

        // It has come to the owner on the same node; what were to come to others would come before what is theirs.
        fail(&foreign.person).await;
        of_foreign.until(is_last).await;
        let own = seen(&foreign.person, "logs { __typename at level text }").await;
        assert_eq!(Value::from(of_foreign.told), own["logs"]);
        let count = |lines: &[Value]| lines.iter().filter(|line| is_last(line)).count();
        assert_eq!((count(list(&own["logs"])), count(&of_owner.told)), (1, 4));
        schema.check_told(LOGS, &of_owner.told);
    }

    /// F: A-01, A-03
    async fn who_is_not_signed_in_follows_nothing(backend) {
        let cast = Cast::on(Setup::new(backend)).await;
        let schema = Schema::of(&cast.ann).await;
        for live in LIVE {
            let query = schema.subscription_to(*live);
            let of_conversation = json!({ "conversationIds": [cast.conversation()] });
            let input = if live.tells == LOGS.tells { json!({ "pluginId": GUEST }) } else { of_conversation };
            let variables = json!({ "input": input });
            let mut stream = Stream::open(&Person::nobody(&cast.world), &query, variables.clone()).await;
            let (_, refused) = stream.next().await.expect("an answer");
            assert_eq!(refused["errors"][0]["extensions"]["code"], json!("UNAUTHENTICATED"), "{refused}");
            assert_eq!(refused.get("data"), None, "{refused}");
            assert_eq!(stream.next().await, Some(("complete".to_owned(), Value::Null)));

            let mut socket = Socket::connect(&cast.world.url(0), Some("graphql-transport-ws")).await;
            socket.subscribe("s", &query, variables).await;
            assert_eq!(socket.closed().await, (4401, "Unauthorized".to_owned()));
            let mut socket = Socket::connect(&cast.world.url(0), Some("graphql-transport-ws")).await;
            socket.say(json!({ "type": "connection_init" })).await;
            assert_eq!(socket.closed().await.0, 4403);
        }
    }

    /// F: A-03, L-03
    async fn a_cursor_of_another_workspace_is_as_good_as_none(backend) {
        let cast = Cast::on(Setup::new(backend)).await;
        let query = Schema::of(&cast.ann).await.subscription_to(EVENTS);
        let real = cast.ann.cursor().await;
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&real).expect("a cursor");
        bytes[16] ^= 0xff;
        let invented = BASE64_URL_SAFE_NO_PAD.encode(bytes);
        for outsider in cast.signed_in() {
            let mut refused = Vec::new();
            for cursor in [&real, &invented] {
                let mut socket = outsider.person.socket().await;
                socket.subscribe("s", &query, json!({ "input": { "after": cursor } })).await;
                let mut heard = socket.hear().await;
                hide_request_ids(&mut heard["payload"]);
                refused.push(heard);
            }
            let elsewhere = outsider.who == Asker::Elsewhere;
            assert_eq!(refused[0]["type"], json!(if elsewhere { "error" } else { "next" }), "{refused:?}");
            assert_eq!(refused[1]["type"], json!("error"), "{refused:?}");
            if elsewhere {
                assert_eq!(refused[0], refused[1]);
                check_secrets(outsider, &refused[0].to_string(), &Value::Null);
            }
        }
    }

    /// F: A-03, A-04
    async fn in_a_list_of_ids_each_stands_for_itself(backend) {
        let cast = Cast::on(Setup::new(backend)).await;
        let (things, never) = (&cast.things, invented(&cast.things));
        for outsider in cast.signed_in() {
            let ids = json!([
                things["conversation"], outsider.own, things["message"], outsider.person.id, never["message"],
                never["conversation"], things["user"], things["workspace"], "msg_nonsense", "", "nothing_at_all", outsider.own,
            ]);
            let found = outsider.person.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids })).await;
            let colleagues = outsider.who != Asker::Elsewhere;
            let expected: Vec<Value> = ids
                .as_array()
                .expect("ids")
                .iter()
                .map(|id| {
                    let theirs = *id == json!(outsider.own) || *id == json!(outsider.person.id);
                    let shared = colleagues && (*id == things["user"] || *id == things["workspace"]);
                    if theirs || shared { json!({ "id": id }) } else { Value::Null }
                })
                .collect();
            assert_eq!(found["nodes"], Value::from(expected), "{:?}", outsider.who);
        }
    }

    /// F: A-03, C-04
    async fn nobody_is_brought_in_from_another_workspace(backend) {
        let cast = Cast::on(Setup::new(backend)).await;
        let foreign: Vec<&Outsider> = cast.signed_in().filter(|outsider| outsider.who == Asker::Elsewhere).collect();
        let outsider = foreign[0];
        let keeper = &outsider.person;
        let not_found = ("NOT_FOUND".to_owned(), json!(["input", "memberIds"]));
        let count = "{ conversations(first: 100) { nodes { id memberCount } } }";
        let before = (keeper.ask(count, json!({})).await, cast.bob.ask(count, json!({})).await);

        // One who is not there spoils the whole, and those who are there are not told of it.
        for members in [vec![&cast.bob], vec![&outsider.mate, &cast.bob], vec![&cast.bob, &cast.ann]] {
            let ids: Vec<&str> = members.iter().map(|person| person.id.as_str()).collect();
            let group = json!({ "type": "GROUP", "title": "All of us", "memberIds": ids });
            assert_eq!(refusal(&keeper.create(group).await), not_found);
            assert_eq!(refusal(&keeper.add(&outsider.own, &members).await), not_found);
        }
        let direct = json!({ "type": "DIRECT", "memberIds": [cast.bob.id] });
        assert_eq!(refusal(&keeper.create(direct).await), not_found);
        assert_eq!(refusal(&cast.ann.add(&cast.conversation(), &[keeper])  .await), not_found, "nor the other way round");
        assert_eq!((keeper.ask(count, json!({})).await, cast.bob.ask(count, json!({})).await), before);

        let colleague = json!({ "type": "DIRECT", "memberIds": [outsider.mate.id] });
        assert_eq!(keeper.create(colleague).await["errors"], json!([]));
    }

    /// F: A-03, A-04
    async fn no_token_of_others_makes_an_operator(backend) {
        let world = World::new(backend).await;
        let roles = json!(["operator", "owner", "OPERATOR"]);
        let claims = json!({ "roles": roles, "operator": true, "isOperator": true, "role": "operator" });
        let eve = world.person_with("eve", claims).await;
        let found = eve.ask("{ viewer { isOperator user { role } } }", json!({})).await;
        assert_eq!(found["viewer"], json!({ "isOperator": false, "user": { "role": "OWNER" } }));
        let create = r#"mutation { workspaceCreate(input: { slug: "mine", name: "Mine" }) { workspace { id } errors { code path message } } }"#;
        let refused = eve.ask(create, json!({})).await["workspaceCreate"].take();
        assert_eq!(refusal(&refused).0, "NOT_ALLOWED");
        assert_eq!(refused["workspace"], Value::Null);

        let operator = world.operator().await;
        assert_eq!(operator.ask("{ viewer { isOperator } }", json!({})).await["viewer"]["isOperator"], json!(true));
        assert_eq!(operator.ask(create, json!({})).await["workspaceCreate"]["errors"], json!([]));
    }

    /// F: A-03, A-04
    async fn an_operator_sees_workspaces_and_not_what_is_said_in_them(backend) {
        let cast = Cast::on(Setup::new(backend)).await;
        let ids = json!([cast.things["workspace"], cast.things["conversation"], cast.things["message"], cast.things["user"]]);
        let found = cast.operator.ask("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ids })).await;
        assert_eq!(found["nodes"], json!([{ "id": cast.things["workspace"] }, null, null, null]));
    }
}

/// Does something to a message.
async fn change_message(person: &Person, message: String, what: &str, input: &str, mut more: Value) {
    more["messageId"] = json!(message);
    let query = format!("mutation($input: {input}!) {{ {what}(input: $input) {{ errors {{ code }} }} }}");
    let done = person.ask(&query, json!({ "input": more })).await;
    assert_eq!(done[what]["errors"], json!([]));
}

/// What came back from a way that was gone.
struct Answer {
    status: u16,
    body: Value,
    things: Value,
}

impl Answer {
    async fn to(person: &Person, way: &Way, things: &Value) -> Self {
        let fields = fields_of(way.to).join(" ");
        let document = way.document.replace('@', &fields);
        let response = person.post(&json!({ "query": document, "variables": things }).to_string()).await;
        let status = response.status().as_u16();
        let text = within("a body", response.text()).await.expect("a body");
        let mut body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
        hide_request_ids(&mut body);
        Answer { status, body, things: things.clone() }
    }

    fn thing(&self, way: &Way) -> &Value {
        way.at.split('/').skip(1).fold(&self.body["data"], |at, name| {
            let from_the_end = name.strip_prefix('-').and_then(|number| number.parse::<usize>().ok());
            let found = match from_the_end {
                Some(number) => at.as_array().and_then(|items| items.iter().nth_back(number - 1)),
                None => at.pointer(&format!("/{name}")),
            };
            found.unwrap_or(&Value::Null)
        })
    }

    /// The codes of all that was refused, at the top and in payloads.
    fn codes(&self) -> Vec<&str> {
        let top = self.body["errors"].as_array().into_iter().flatten().map(|error| &error["extensions"]["code"]);
        let payloads = self.body["data"].as_object().into_iter().flatten().map(|(_, payload)| &payload["errors"]);
        let refused = payloads.filter_map(Value::as_array).flatten().map(|error| &error["code"]);
        top.chain(refused).map(|code| code.as_str().expect("every error has a code")).collect()
    }

    /// The whole of it, with nothing in it that depends on which ids were asked for.
    fn redacted(&self) -> (u16, String) {
        let mut text = self.body.to_string();
        for (name, value) in self.things.as_object().expect("things") {
            text = text.replace(value.as_str().expect("things are texts"), &format!("‹{name}›"));
        }
        (self.status, text)
    }

    /// The positive control: without it a way that leads nowhere would look well guarded.
    fn shows_all(&self, way: &Way) {
        let thing = self.thing(way);
        assert!(!thing.is_null(), "the rightful one sees nothing by {way:?}: {}", self.body);
        for field in fields_of(way.to) {
            check_shown(way.to, field, thing);
        }
        if !way.to.is_empty() && way.to != "UserError" {
            assert_eq!(self.codes(), [""; 0], "{way:?}: {}", self.body);
        }
    }

    fn is_what(&self, outsider: &Outsider, way: &Way, of_invented: &Answer, rightful: &Answer) {
        let sees = way.seen.by(outsider.who);
        let said = format!("{:?} by {way:?}: {}", outsider.who, self.body);
        if sees != Sees::TheSame {
            check_secrets(outsider, &self.body.to_string(), &json!(way.document));
        }
        if matches!(sees, Sees::SignIn | Sees::Nothing | Sees::NotAllowed | Sees::Unproven | Sees::Refused) {
            assert_eq!(self.redacted(), of_invented.redacted(), "what is there and what never was differ for {said}");
        }
        match sees {
            Sees::SignIn => {
                assert_eq!(self.codes(), ["UNAUTHENTICATED"], "{said}");
                assert!(self.thing(way).is_null(), "{said}");
            }
            Sees::Nothing => {
                assert!(is_empty(self.thing(way)), "{said}");
                let codes = self.codes();
                if way.by.starts_with("Mutation") {
                    assert_eq!(codes, ["NOT_FOUND"], "{said}");
                } else {
                    assert!(codes.iter().all(|code| *code == "BAD_REQUEST"), "{said}");
                }
            }
            Sees::NotAllowed => assert_eq!(self.codes(), ["NOT_ALLOWED"], "{said}"),
            Sees::Unproven => {
                assert!(is_empty(self.thing(way)), "{said}");
                assert_eq!(self.codes(), ["WRONG_CREDENTIALS"], "{said}");
            }
            Sees::Refused => {
                assert!(is_empty(self.thing(way)), "{said}");
                assert_eq!(self.codes(), ["REFUSED_BY_PLUGIN"], "{said}");
            }
            Sees::Own => {
                assert!(!self.thing(way).is_null(), "{said}");
                assert_eq!(self.codes(), [""; 0], "{said}");
            }
            Sees::TheSame => {
                assert_eq!((self.status, &self.body), (rightful.status, &rightful.body), "{said}");
            }
        }
    }
}

/// Nothing, or a payload that holds nothing but why.
fn is_empty(thing: &Value) -> bool {
    match thing {
        Value::Null => true,
        Value::Object(fields) => fields.iter().all(|(name, value)| name == "errors" || value.is_null()),
        _ => false,
    }
}

fn check_shown(of: &str, field: &str, thing: &Value) {
    let name = name_of(field);
    let shown = &thing[name];
    let nothing = shown.is_null() || (shown == &json!([]) && name != "errors");
    let nothing = nothing && !SILENT.contains(&(of, name));
    assert!(!nothing, "the rightful one does not see {of}.{name}: {thing}");
}

fn check_secrets(outsider: &Outsider, text: &str, said: &Value) {
    let secrets: Vec<&str> = outsider.secrets.iter().map(String::as_str).collect();
    check_secrets_of(&secrets, text, said);
}

fn check_secrets_of(secrets: &[&str], text: &str, said: &Value) {
    for secret in secrets {
        assert!(!text.contains(secret), "«{secret}» is not for who asked for {said}: {text}");
    }
}

/// Request ids differ by nature.
fn hide_request_ids(answer: &mut Value) {
    let errors = if answer.is_array() { Some(answer) } else { answer.get_mut("errors") };
    for error in errors.and_then(Value::as_array_mut).into_iter().flatten() {
        error["extensions"]["requestId"] = json!("…");
    }
}

/// A cursor of the same workspace at another position: clients never make one, but who wants to see more might.
fn moved(cursor: &str, position: i64) -> String {
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).expect("a cursor");
    let at = bytes.len() - 8;
    bytes.splice(at.., position.to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A subscription on a socket of its own, and all that it has told.
struct Follower {
    socket: Socket,
    field: &'static str,
    input: Value,
    told: Vec<Value>,
}

impl Follower {
    /// Follows the events, and has what it missed already.
    async fn open(person: &Person, query: &str, input: Value) -> Self {
        let mut follower = Follower { socket: person.socket().await, field: "events", input, told: Vec::new() };
        follower.socket.subscribe("f", query, json!({ "input": follower.input })).await;
        follower.until(|event| event["__typename"] == json!("CaughtUp")).await;
        follower
    }

    /// Follows the signals, and hears them already: `mate` has typed until it was heard.
    async fn listen(person: &Person, query: &str, input: Value, mate: &Person, conversation: &str) -> Self {
        let mut follower = Follower { socket: person.socket().await, field: "signals", input, told: Vec::new() };
        follower.socket.subscribe("f", query, json!({ "input": follower.input })).await;
        let heard = async {
            loop {
                type_in(mate, conversation, "typingStart").await;
                if let Some(message) = follower.socket.heard() {
                    return message;
                }
            }
        };
        let heard = within("a signal", heard).await;
        follower.take(heard["payload"].clone());
        follower
    }

    /// Reads what the guest writes.
    async fn read(person: &Person, query: &str) -> Self {
        let input = json!({ "pluginId": GUEST });
        let mut follower = Follower { socket: person.socket().await, field: "pluginLogs", input, told: Vec::new() };
        follower.socket.subscribe("f", query, json!({ "input": follower.input })).await;
        follower
    }

    /// Goes on until something is told.
    async fn until(&mut self, last: impl Fn(&Value) -> bool) {
        loop {
            let payload = self.socket.next("f").await;
            self.take(payload);
            if self.told.last().is_some_and(&last) {
                return;
            }
        }
    }

    /// Comes back with a cursor that the log knows nothing of.
    async fn resync(&mut self, person: &Person, query: &str) {
        let cursor = moved(&person.cursor().await, i64::MAX);
        let lost = Follower::open(person, query, json!({ "after": cursor })).await;
        self.told.extend(lost.told);
    }

    fn take(&mut self, mut payload: Value) {
        assert!(payload.get("errors").is_none(), "{payload}");
        let mut told = payload["data"][self.field].take();
        let of = told["__typename"].as_str().unwrap_or_default().to_owned();
        for field in fields_of(&of) {
            let called = called(&of, field);
            if called != *field {
                told[*field] = told[called].take();
            }
        }
        self.told.push(told);
    }
}

/// What there is, as the hub itself tells it.
struct Schema {
    /// The fields of queries, mutations and subscriptions.
    roots: BTreeSet<String>,
    /// All other fields.
    fields: BTreeSet<String>,
    /// Types and interfaces that have fields.
    types: BTreeSet<String>,
    /// Arguments and input fields where an id or a cursor can be given.
    places_for_ids: BTreeSet<String>,
    /// The types of each interface.
    kinds: BTreeMap<String, Vec<String>>,
}

impl Schema {
    async fn of(person: &Person) -> Self {
        const INPUT: &str = "name type { name ofType { name ofType { name ofType { name } } } }";
        let query = format!(
            "{{ __schema {{ types {{ kind name possibleTypes {{ name }} inputFields {{ {INPUT} }}
                fields(includeDeprecated: true) {{ name args {{ {INPUT} }} }} }} }} }}"
        );
        let found = person.ask(&query, json!({})).await;
        let mut schema = Schema {
            roots: BTreeSet::new(),
            fields: BTreeSet::new(),
            types: BTreeSet::new(),
            places_for_ids: BTreeSet::new(),
            kinds: BTreeMap::new(),
        };
        for found in list(&found["__schema"]["types"]) {
            let (kind, of) = (text(&found["kind"]), text(&found["name"]));
            if of.starts_with("__") {
                continue;
            }
            let is_root = ["Query", "Mutation", "Subscription"].contains(&of.as_str());
            if matches!(kind.as_str(), "OBJECT" | "INTERFACE") && !is_root {
                schema.types.insert(of.clone());
            }
            if kind == "INTERFACE" {
                let kinds = list(&found["possibleTypes"]).iter().map(|kind| text(&kind["name"])).collect();
                schema.kinds.insert(of.clone(), kinds);
            }
            for field in list(&found["fields"]) {
                let name = format!("{of}.{}", text(&field["name"]));
                for argument in list(&field["args"]).iter().filter(|argument| takes_ids(argument)) {
                    schema.places_for_ids.insert(format!("{name}.{}", text(&argument["name"])));
                }
                if is_root {
                    schema.roots.insert(name)
                } else {
                    schema.fields.insert(name)
                };
            }
            for field in list(&found["inputFields"]).iter().filter(|field| takes_ids(field)) {
                schema.places_for_ids.insert(format!("{of}.{}", text(&field["name"])));
            }
        }
        schema
    }

    fn kinds_of(&self, interface: &str) -> Vec<String> {
        self.kinds.get(interface).cloned().unwrap_or_default()
    }

    /// Asks for everything of whatever a subscription tells.
    fn subscription_to(&self, live: Live) -> String {
        let field = live.by.split_once('.').expect("a field of the root").1;
        let of = |name: &str| {
            let asked = |field: &&str| match called(name, field) {
                called if called == *field => called.to_owned(),
                called => format!("{called}: {field}"),
            };
            fields_of(name).iter().map(asked).collect::<Vec<_>>().join(" ")
        };
        let kinds: Vec<String> =
            self.kinds_of(live.tells).iter().map(|kind| format!("... on {kind} {{ {} }}", of(kind))).collect();
        format!(
            "subscription($input: {}) {{ {field}(input: $input) {{ __typename {} {} }} }}",
            live.input,
            of(live.tells),
            kinds.join(" ")
        )
    }

    /// The positive control of a subscription: of each kind there was something, with something in each field.
    fn check_told(&self, live: Live, told: &[Value]) {
        let kinds = self.kinds_of(live.tells);
        for kind in if kinds.is_empty() { vec![live.tells.to_owned()] } else { kinds } {
            let of_kind: Vec<&Value> = told.iter().filter(|thing| thing["__typename"] == json!(kind)).collect();
            assert!(!of_kind.is_empty(), "who takes part was told no {kind}");
            for thing in of_kind {
                for field in fields_of(&kind).iter().chain(fields_of(live.tells)) {
                    check_shown(&kind, field, thing);
                }
            }
        }
    }
}

/// What a field of an event is called in the answer. A plugin's word for its news and the kind of a receipt have one name, and not
/// one type: who asks for both has to tell them apart.
fn called<'f>(of: &str, field: &'f str) -> &'f str {
    if (of, field) == ("PluginEvent", "kind") { "word" } else { field }
}

/// The items of a list; none where there is no list.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Ids, cursors of the log, and cursors of lists, which are plain strings.
fn takes_ids(input: &Value) -> bool {
    let mut of = &input["type"];
    while of["name"].is_null() {
        of = &of["ofType"];
    }
    of["name"] == json!("ID")
        || of["name"] == json!("EventCursor")
        || (of["name"] == json!("String") && (input["name"] == json!("after") || input["name"] == json!("before")))
}
