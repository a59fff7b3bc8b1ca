//! Polls on a hub for tests.

use super::*;

/// Three people in a conversation, of whom the first made it, and a moderator who is in it as well.
struct Room {
    hub: MockHub,
    ann: User,
    bob: User,
    eve: User,
    mo: User,
    tea: Conversation,
}

fn room() -> Room {
    let hub = MockHub::new();
    let (ann, bob, eve) = (hub.user("Ann"), hub.user("Bob"), hub.user("Eve"));
    let mo = hub.user_as("Mo", WorkspaceRole::Moderator);
    let tea = hub.conversation(&[&ann, &bob, &eve, &mo]);
    Room { hub, ann, bob, eve, mo, tea }
}

impl Room {
    fn does(&self, who: &User, field: &str, input: Value) -> Result<Value, String> {
        let call = self.hub.mutation_call(who, field, &input);
        match self.hub.after::<Polls, _>(|plugin| plugin.mutate(call)).unwrap() {
            MutationAnswer::Done(payload) => Ok(payload),
            MutationAnswer::Refuse(refusal) => Err(refusal.code),
        }
    }

    /// Bob asks; answers the message.
    fn asks(&self, with: Value) -> Result<String, String> {
        let mut input = json!({
            "conversationId": self.tea.id, "question": "Tea?", "options": ["yes", "no"], "choice": "SINGLE",
            "isAnonymous": false,
        });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        Ok(self.does(&self.bob, "pollCreate", input)?["message"].as_str().unwrap().to_owned())
    }

    fn votes(&self, who: &User, message: &str, options: Value) -> Result<Value, String> {
        Ok(self.does(who, "pollVote", json!({ "messageId": message, "optionIds": options }))?["poll"].take())
    }

    fn sees(&self, who: &User, messages: &[&str]) -> Vec<Value> {
        let mut call = self.hub.field_call(who, "Message.poll", &json!({}), messages);
        call.selected = vec!["options".to_owned(), "options.voters".to_owned()];
        let values = self.hub.looking::<Polls, _>(|plugin| plugin.resolve(call)).unwrap();
        values.into_iter().map(Result::unwrap).collect()
    }

    /// Does what is due by now.
    fn works(&self) {
        for schedule in ["close", "clear"] {
            while let Some(run) = self.hub.due(schedule) {
                while self.hub.after::<Polls, _>(|plugin| plugin.run_schedule(run.clone())).unwrap() != Slice::Done {}
            }
        }
    }
}

fn counts(poll: &Value) -> (Vec<i64>, i64) {
    let options = poll["options"].as_array().unwrap();
    (options.iter().map(|option| option["voteCount"].as_i64().unwrap()).collect(), poll["voterCount"].as_i64().unwrap())
}

/// F: P-22
#[test]
fn a_poll_is_a_message_and_shows_how_it_stands() {
    let room = room();
    let message = room.asks(json!({})).unwrap();
    let posts = room.hub.posts();
    assert_eq!((posts[0].kind, posts[0].body.as_str(), posts.len()), (MessageKind::Poll, "Tea?", 1));
    room.votes(&room.ann, &message, json!([0])).unwrap();
    let poll = room.votes(&room.bob, &message, json!([1])).unwrap();
    assert_eq!((counts(&poll), &poll["myVotes"]), ((vec![1, 1], 2), &json!([1])));
    let other = room.hub.message(&room.ann, &room.tea, "no poll");
    let seen = room.sees(&room.eve, &[&other.id, &message]);
    assert_eq!(seen[0], Value::Null);
    let option = |id, text, who: &User| json!({ "id": id, "text": text, "voteCount": 1, "voters": [who.id] });
    assert_eq!(
        seen[1],
        json!({
            "message": message, "question": "Tea?", "choice": "SINGLE", "isAnonymous": false, "voterCount": 2, "myVotes": [],
            "options": [option(0, "yes", &room.ann), option(1, "no", &room.bob)], "creator": room.bob.id, "isClosed": false,
            "closesAt": null, "closedAt": null,
        })
    );
    let anonymous = room.asks(json!({ "isAnonymous": true })).unwrap();
    room.votes(&room.ann, &anonymous, json!([0])).unwrap();
    assert_eq!(
        room.sees(&room.ann, &[&anonymous])[0]["options"][0],
        json!({ "id": 0, "text": "yes", "voteCount": 1, "voters": null })
    );
}

/// F: P-22
#[test]
fn a_vote_takes_the_place_of_the_one_before_and_can_be_taken_back() {
    let room = room();
    let single = room.asks(json!({})).unwrap();
    for (options, expected) in [
        (json!([0]), Ok((vec![1, 0], 1))),
        (json!([0]), Ok((vec![1, 0], 1))),
        (json!([1]), Ok((vec![0, 1], 1))),
        (json!([1, 1]), Ok((vec![0, 1], 1))),
        (json!([0, 1]), Err("ONE_OPTION")),
        (json!([2]), Err("NO_OPTION")),
        (json!([-1]), Err("NO_OPTION")),
        (json!([]), Err("EMPTY")),
    ] {
        let stands = room.votes(&room.ann, &single, options.clone()).map(|poll| counts(&poll));
        assert_eq!(stands, expected.map_err(str::to_owned), "{options}");
    }
    let several = room.asks(json!({ "choice": "MULTIPLE", "options": ["a", "b", "c"] })).unwrap();
    for (options, expected) in [(json!([0, 2]), (vec![1, 0, 1], 1)), (json!([1, 2]), (vec![0, 1, 1], 1))] {
        assert_eq!(counts(&room.votes(&room.ann, &several, options).unwrap()), expected);
    }
    for _ in 0..2 {
        let poll = room.does(&room.ann, "pollRetractVote", json!({ "messageId": several })).unwrap();
        assert_eq!((counts(&poll["poll"]), &poll["poll"]["myVotes"]), ((vec![0, 0, 0], 0), &json!([])));
    }
    let unknown = room.hub.message(&room.ann, &room.tea, "no poll").id;
    for message in [unknown.as_str(), "msg_00000000000000000000000000000000", "tea"] {
        assert_eq!(room.votes(&room.ann, message, json!([0])), Err("NO_POLL".to_owned()), "{message}");
    }
}

/// F: P-22
#[test]
fn what_cannot_be_asked() {
    let room = room();
    let many: Vec<String> = (0..11).map(|number| number.to_string()).collect();
    let (now, day) = (room.hub.now(), 24 * 60 * 60 * 1000);
    let at = |at: i64| jiff::Timestamp::from_millisecond(at).unwrap().to_string();
    for (with, expected) in [
        (json!({ "question": " \n" }), "EMPTY"),
        (json!({ "question": "x".repeat(301) }), "TOO_LONG"),
        (json!({ "question": "a\u{7}b" }), "CONTROL_CHARACTER"),
        (json!({ "options": ["one"] }), "TOO_FEW_OPTIONS"),
        (json!({ "options": ["one", " one "] }), "TWICE"),
        (json!({ "options": ["one", ""] }), "EMPTY"),
        (json!({ "options": many }), "TOO_MANY_OPTIONS"),
        (json!({ "closesAt": at(now) }), "TOO_EARLY"),
        (json!({ "closesAt": at(now + 400 * day) }), "TOO_LATE"),
        (json!({ "conversationId": "conv_1" }), "NO_CONVERSATION"),
    ] {
        assert_eq!(room.asks(with.clone()), Err(expected.to_owned()), "{with}");
    }
    assert!(room.hub.posts().is_empty());
    room.asks(json!({ "options": many[..10], "question": "x".repeat(300), "closesAt": at(now + day) })).unwrap();
}

/// F: P-22
#[test]
fn it_closes_when_somebody_closes_it_or_its_time_has_come() {
    let room = room();
    let at = |seconds: i64| jiff::Timestamp::from_millisecond(room.hub.now() + seconds * 1000).unwrap().to_string();
    let timed = room.asks(json!({ "closesAt": at(60) })).unwrap();
    let later = room.asks(json!({ "closesAt": at(600) })).unwrap();
    let open = room.asks(json!({})).unwrap();
    for message in [&timed, &later, &open] {
        room.votes(&room.ann, message, json!([0])).unwrap();
    }
    let closed = |message: &str| room.sees(&room.ann, &[message])[0]["isClosed"] == json!(true);
    room.hub.pass_seconds(61);
    // Nobody need have run for that.
    assert!(closed(&timed) && !closed(&later));
    assert_eq!(room.votes(&room.bob, &timed, json!([0])), Err("POLL_CLOSED".to_owned()));
    room.works();
    assert_eq!(room.hub.timer("close"), Some(room.hub.now() + 539_000), "the next one is waited for");
    assert_eq!(room.sees(&room.ann, &[&timed])[0]["closedAt"], room.sees(&room.ann, &[&timed])[0]["closesAt"]);

    for (who, expected) in [(&room.eve, Err("NOT_ALLOWED".to_owned())), (&room.bob, Ok(())), (&room.bob, Ok(()))] {
        assert_eq!(room.does(who, "pollClose", json!({ "messageId": open })).map(drop), expected, "{}", who.name);
    }
    assert_eq!(room.votes(&room.ann, &open, json!([1])), Err("POLL_CLOSED".to_owned()));
    assert_eq!(room.does(&room.ann, "pollRetractVote", json!({ "messageId": open })), Err("POLL_CLOSED".to_owned()));
    assert_eq!(room.does(&room.bob, "pollUpdate", json!({ "messageId": open })), Err("POLL_CLOSED".to_owned()));
    // Those who keep the peace may as well: who made the conversation, and moderators.
    for who in [&room.ann, &room.mo] {
        let other = room.asks(json!({})).unwrap();
        room.does(who, "pollClose", json!({ "messageId": other })).unwrap();
    }
}

/// F: P-22
#[test]
fn options_are_added_and_the_end_is_moved() {
    let room = room();
    let at = |seconds: i64| jiff::Timestamp::from_millisecond(room.hub.now() + seconds * 1000).unwrap().to_string();
    let message = room.asks(json!({ "closesAt": at(60) })).unwrap();
    room.votes(&room.ann, &message, json!([1])).unwrap();
    let update = |who: &User, with: Value| {
        let mut input = json!({ "messageId": message });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        room.does(who, "pollUpdate", input)
    };
    assert_eq!(update(&room.eve, json!({ "addOptions": ["maybe"] })), Err("NOT_ALLOWED".to_owned()));
    assert_eq!(update(&room.bob, json!({ "addOptions": ["yes"] })), Err("TWICE".to_owned()));
    let poll = &update(&room.bob, json!({ "addOptions": ["maybe"] })).unwrap()["poll"];
    assert_eq!((counts(poll), &poll["options"][2]["text"]), ((vec![0, 1, 0], 1), &json!("maybe")));
    assert_eq!(poll["closesAt"], json!(at(60)), "what is left out stays");
    assert_eq!(update(&room.bob, json!({ "closesAt": at(-1) })), Err("TOO_EARLY".to_owned()));
    update(&room.bob, json!({ "closesAt": at(120) })).unwrap();
    room.hub.pass_seconds(61);
    room.works();
    assert_eq!(room.sees(&room.ann, &[&message])[0]["isClosed"], json!(false));
    let poll = &update(&room.bob, json!({ "closesAt": null })).unwrap()["poll"];
    assert_eq!(poll["closesAt"], Value::Null);
    room.hub.pass_seconds(1000);
    room.works();
    assert_eq!(room.sees(&room.ann, &[&message])[0]["isClosed"], json!(false));
}

/// F: P-22
#[test]
fn of_a_message_that_is_gone_nothing_stays() {
    let room = room();
    let at = jiff::Timestamp::from_millisecond(room.hub.now() + 60_000).unwrap().to_string();
    let message = room.asks(json!({ "closesAt": at })).unwrap();
    let stays = room.asks(json!({})).unwrap();
    for number in 0..150 {
        let voter = room.hub.user(&format!("Voter {number}"));
        room.votes(&voter, &message, json!([number % 2])).unwrap();
    }
    room.votes(&room.ann, &stays, json!([0])).unwrap();
    let mut event = room.hub.event("message_deleted", &room.hub.message(&room.ann, &room.tea, "other"));
    room.hub.after::<Polls, _>(|plugin| plugin.on_event(event.clone())).unwrap();
    event.message_id = Some(message.clone());
    room.hub.after::<Polls, _>(|plugin| plugin.on_event(event)).unwrap();
    room.works();
    let kept: Vec<String> = room.hub.keys().into_iter().filter(|key| key.contains(&message)).collect();
    assert_eq!(kept, Vec::<String>::new());
    assert_eq!(counts(&room.sees(&room.ann, &[&stays])[0]), (vec![1, 0], 1));
}

/// F: P-22, P-24
#[test]
fn of_messages_that_were_taken_away_because_they_are_old_nothing_stays() {
    let room = room();
    let stays = room.asks(json!({})).unwrap();
    let poll = room.hub.kept(&format!("poll/{stays}")).unwrap();
    for number in 1_000..1_150 {
        room.hub.keep(&format!("poll/msg_{number:032x}"), &poll);
        room.hub.keep(&format!("vote/msg_{number:032x}/{}", room.ann.id), &json!({ "options": [0] }));
    }
    let mut event = room.hub.event("messages_trimmed", &room.hub.message(&room.ann, &room.tea, "other"));
    event.message_id = None;
    event.payload = Some(json!({ "from": 1, "through": 9, "kept": [], "step": "hide" }).to_string());
    room.hub.after::<Polls, _>(|plugin| plugin.on_event(event.clone())).unwrap();
    assert_eq!(room.hub.timer("sweep"), None, "what is hidden may still be put on hold");
    event.payload = Some(json!({ "from": 1, "through": 9, "kept": [], "step": "purge" }).to_string());
    // One that it may not look at any more is not gone.
    let mut elsewhere = poll.clone();
    elsewhere["conversation"] = json!("conv_000000000000000000000000000fffff");
    room.hub.keep("poll/msg_000000000000000000000000000fffff", &elsewhere);
    room.hub.after::<Polls, _>(|plugin| plugin.on_event(event)).unwrap();
    assert_eq!(room.hub.timer("sweep"), Some(room.hub.now() + 3_600_000), "once for all that is taken away by then");
    room.hub.pass_seconds(3_600);
    let mut run = room.hub.due("sweep").unwrap();
    while let Slice::More(resume) = room.hub.after::<Polls, _>(|plugin| plugin.run_schedule(run.clone())).unwrap() {
        run.resume = Some(resume);
    }
    room.works();
    let kept: Vec<String> = room.hub.keys().into_iter().filter(|key| !key.contains(&stays)).collect();
    assert_eq!(kept, ["poll/msg_000000000000000000000000000fffff"]);
    assert_eq!(counts(&room.sees(&room.ann, &[&stays])[0]), (vec![0, 0], 0));
}

/// F: P-22, P-14
#[test]
fn a_command_asks_as_well() {
    let room = room();
    let argument = |name: &str, value| Argument { name: name.to_owned(), value };
    let text = |text: &str| ArgumentValue::Text(text.to_owned());
    let run = |conversation: Option<String>, options: &str, more: Vec<Argument>| {
        let mut arguments = vec![argument("question", text("Tea?")), argument("options", text(options))];
        arguments.extend(more);
        let call = CommandCall { command: "poll".into(), viewer: room.eve.clone(), conversation, arguments };
        match room.hub.after::<Polls, _>(|plugin| plugin.run_command(call)).unwrap() {
            CommandAnswer::Reply(_) => Ok(()),
            CommandAnswer::Refuse(refusal) => Err(refusal.code),
        }
    };
    let tea = || Some(room.tea.id.clone());
    assert_eq!(run(None, "a | b", Vec::new()), Err("NOWHERE".to_owned()));
    assert_eq!(run(tea(), "a", Vec::new()), Err("TOO_FEW_OPTIONS".to_owned()));
    assert_eq!(
        run(tea(), "a|b", vec![argument("minutes", ArgumentValue::Number(f64::INFINITY))]),
        Err("TOO_LATE".to_owned())
    );
    let more = vec![
        argument("multiple", ArgumentValue::Flag(true)),
        argument("anonymous", ArgumentValue::Flag(true)),
        argument("minutes", ArgumentValue::Number(5.0)),
    ];
    assert_eq!(run(tea(), "a | b b |c", more), Ok(()));
    let carried = room.hub.keys().into_iter().find_map(|key| Some(key.strip_prefix("poll/")?.to_owned())).unwrap();
    let poll = &room.sees(&room.eve, &[&carried])[0];
    let texts: Vec<&Value> = poll["options"].as_array().unwrap().iter().map(|option| &option["text"]).collect();
    assert_eq!(texts, ["a", "b b", "c"]);
    assert_eq!(
        (&poll["choice"], &poll["isAnonymous"], &poll["creator"]),
        (&json!("MULTIPLE"), &json!(true), &json!(room.eve.id))
    );
    assert_ne!(poll["closesAt"], Value::Null);
}
