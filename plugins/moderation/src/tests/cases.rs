//! What was found, as moderators look through it and decide about it.

use super::*;

/// A room in which each action has a word, and somebody who keeps the peace there.
fn watched() -> (Room, User) {
    let rule = |action: &str, word: &str| json!({ "kind": "words", "action": action, "words": [word], "name": action });
    let flag = json!({ "kind": "pattern", "action": "flag", "pattern": "gee", "name": "flag" });
    let rules = [rule("reject", "darn"), rule("hold", "blast"), rule("mask", "heck"), flag];
    let room = room(json!({ "rules": rules, "strikes": { "limit": 2, "mute_minutes": 30 } }));
    let eve = room.hub.user_as("Eve", WorkspaceRole::Moderator);
    (room, eve)
}

fn page(room: &Room, viewer: &User, arguments: Value) -> Result<Value> {
    let mut given = json!({ "first": 100, "state": "OPEN" });
    for (name, value) in arguments.as_object().unwrap() {
        given[name] = value.clone();
    }
    let call = room.hub.field_call(viewer, "Query.moderationCases", &given, &[""]);
    room.hub.looking::<Moderation, _>(|plugin| plugin.resolve(call)).unwrap().remove(0)
}

fn cases(room: &Room, viewer: &User, arguments: Value) -> Vec<Value> {
    page(room, viewer, arguments).unwrap()["cases"].as_array().unwrap().clone()
}

fn beside(room: &Room, viewer: &User, messages: &[&Message]) -> Vec<Value> {
    let ids: Vec<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    let call = room.hub.field_call(viewer, "Message.moderationCase", &json!({}), &ids);
    let values = room.hub.looking::<Moderation, _>(|plugin| plugin.resolve(call)).unwrap();
    values.into_iter().map(Result::unwrap).collect()
}

/// The payload, or the code of the refusal.
fn resolve(room: &Room, viewer: &User, input: Value) -> Result<Value, String> {
    let mut whole = json!({ "resolution": "UPHELD", "pardon": false });
    for (name, value) in input.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let call = room.hub.mutation_call(viewer, "moderationCaseResolve", &whole);
    match room.hub.after::<Moderation, _>(|plugin| plugin.mutate(call)).unwrap() {
        MutationAnswer::Done(payload) => Ok(payload),
        MutationAnswer::Refuse(refusal) => Err(refusal.code),
    }
}

fn tell(room: &Room, kind: &str, message: &Message) {
    let events = vec![room.hub.event(kind, message)];
    room.hub.after::<Moderation, _>(|plugin| plugin.on_events(EventBatch { events, attempt: 1 })).unwrap();
}

/// F: P-23, P-07
#[test]
fn whatever_is_found_is_a_case_and_nothing_else_is() {
    let (room, eve) = watched();
    check(
        &room,
        &[("fine", "ok"), ("gee, heck", "gee, ••••"), ("gee", "ok"), ("darn the weather", "WORD_NOT_ALLOWED")],
    );
    room.hub.pass_seconds(1);
    check(&room, &[("oh blast", "hold: hold («blast»)"), ("fine", "MUTED"), ("darn", "MUTED")]);
    let found = cases(&room, &eve, json!({}));
    let told: Vec<(&str, &Value, &Value)> =
        found.iter().map(|case| (case["outcome"].as_str().unwrap(), &case["found"], &case["strikes"])).collect();
    assert_eq!(
        told,
        [
            ("HELD", &json!(["blast"]), &json!(1)),
            ("REJECTED", &json!(["darn"]), &json!(1)),
            ("FLAGGED", &json!(["gee"]), &json!(0)),
            ("MASKED", &json!(["heck", "gee"]), &json!(0)),
        ]
    );
    let newest = &found[0];
    assert_eq!(
        *newest,
        json!({
            "id": newest["id"], "state": "OPEN", "outcome": "HELD", "user": room.ann.id, "conversation": room.tea.id,
            "message": null, "rules": ["hold"], "found": ["blast"], "strikes": 1, "openedAt": room.hub.now(), "decision": null,
        })
    );
    assert!(!Value::from(found.clone()).to_string().contains("weather"), "none of the words around it");
    // Each hook that finds nothing leaves the count alone.
    assert_eq!(room.hub.kept("cases"), Some(json!(4)));
}

/// F: P-23, P-07
#[test]
fn a_case_is_beside_its_message_once_that_is_there() {
    let (room, eve) = watched();
    let mut sent = Vec::new();
    for text in ["gee", "heck", "fine"] {
        let became = match room.say(text).as_str() {
            "ok" => text.to_owned(),
            other => other.to_owned(),
        };
        let message = room.hub.message(&room.ann, &room.tea, &became);
        tell(&room, "message_sent", &message);
        sent.push(message);
    }
    let found = cases(&room, &eve, json!({}));
    assert_eq!((&found[1]["message"], &found[0]["message"]), (&json!(sent[0].id), &json!(sent[1].id)));
    let messages = [&sent[0], &sent[1], &sent[2]];
    assert_eq!(beside(&room, &eve, &messages), [found[1].clone(), found[0].clone(), Value::Null]);
    assert_eq!(beside(&room, &room.ann, &messages), [Value::Null, Value::Null, Value::Null]);
    let notices = room.hub.notices();
    assert_eq!(notices.len(), 1, "moderators are told of what they are to look at");
    assert_eq!(serde_json_of(&notices[0].payload)["case"], found[1]["id"]);

    // Of an edit it is known before.
    let edit = |text| {
        let draft = room.hub.edit_draft(&sent[2], text);
        room.hub.before::<Moderation, _>(|plugin| plugin.before_edit(draft)).unwrap()
    };
    assert!(matches!(edit("blast"), EditVerdict::Reject(_)));
    let newest = &cases(&room, &eve, json!({ "first": 1 }))[0];
    assert_eq!((&newest["message"], &newest["outcome"]), (&json!(sent[2].id), &json!("REJECTED")));
    assert_eq!(edit("heck"), EditVerdict::Patch("••••".to_owned()));
    tell(&room, "message_edited", &room.hub.edit(&sent[2], "••••"));
    assert_eq!(beside(&room, &eve, &[&sent[2]])[0]["outcome"], json!("MASKED"));
}

/// F: P-23, P-07
#[test]
fn moderators_look_through_cases_page_by_page_and_others_see_none() {
    let (room, eve) = watched();
    let bob = room.hub.user("Bob");
    for number in 0..230 {
        let by = if number % 100 == 0 { &bob } else { &room.ann };
        assert_eq!(room.say_as(by, "gee"), "ok");
    }
    let (mut seen, mut after, mut sizes) = (Vec::new(), Value::Null, Vec::new());
    loop {
        let page = page(&room, &eve, json!({ "first": 100, "after": after })).unwrap();
        seen.extend(page["cases"].as_array().unwrap().iter().map(|case| case["id"].as_str().unwrap().to_owned()));
        sizes.push(page["cases"].as_array().unwrap().len());
        if page["hasNextPage"] == json!(false) {
            break;
        }
        after = page["endCursor"].clone();
    }
    assert_eq!(sizes, [100, 100, 30]);
    assert!(seen.is_sorted() && seen.iter().all(|id| id.len() == 21), "each once, the newest first");
    let of_bob = page(&room, &eve, json!({ "first": 2, "userId": bob.id })).unwrap();
    assert_eq!((of_bob["cases"].as_array().unwrap().len(), &of_bob["hasNextPage"]), (2, &json!(true)));
    let rest = page(&room, &eve, json!({ "first": 2, "userId": bob.id, "after": of_bob["endCursor"] })).unwrap();
    assert_eq!((rest["cases"].as_array().unwrap().len(), &rest["hasNextPage"]), (1, &json!(false)));

    for (role, sees) in [
        (WorkspaceRole::Owner, true),
        (WorkspaceRole::Admin, true),
        (WorkspaceRole::Moderator, true),
        (WorkspaceRole::Member, false),
        (WorkspaceRole::Bot, false),
    ] {
        let viewer = room.hub.user_as("Somebody", role);
        assert_eq!(page(&room, &viewer, json!({})).unwrap().is_object(), sees, "{role:?}");
        let input = json!({ "id": seen[0] });
        assert_eq!(resolve(&room, &viewer, input).err().as_deref() == Some("CASE_NOT_FOUND"), !sees, "{role:?}");
        seen.remove(0);
    }
    for (arguments, words) in [
        (json!({ "first": 0 }), "`first` is from 1 to 100"),
        (json!({ "first": 101 }), "`first` is from 1 to 100"),
        (json!({ "after": "mute/x" }), "`after` is no cursor"),
    ] {
        assert_eq!(page(&room, &eve, arguments).unwrap_err().to_string().find(words), Some(0));
    }
}

/// F: P-23, P-07
#[test]
fn a_case_is_decided_once_and_may_give_strikes_back() {
    let (room, eve) = watched();
    check(&room, &[("darn", "WORD_NOT_ALLOWED"), ("darn", "WORD_NOT_ALLOWED"), ("fine", "MUTED")]);
    let found = cases(&room, &eve, json!({}));
    let id = |case: usize| found[case]["id"].clone();
    let long = "n".repeat(501);
    for (input, code) in [
        (json!({ "id": "case_0" }), "CASE_NOT_FOUND"),
        (json!({ "id": format!("mute/{}", room.ann.id) }), "CASE_NOT_FOUND"),
        (json!({ "id": "case_0000000000000000" }), "CASE_NOT_FOUND"),
        (json!({ "id": id(0), "note": long }), "NOTE_TOO_LONG"),
    ] {
        assert_eq!(resolve(&room, &eve, input).unwrap_err(), code);
    }
    assert_eq!(room.say("fine"), "MUTED");
    room.hub.pass_seconds(60);
    let input = json!({ "id": id(0), "resolution": "DISMISSED", "note": "A quotation.", "pardon": true });
    let payload = resolve(&room, &eve, input.clone()).unwrap();
    assert_eq!(
        payload["case"]["decision"],
        json!({ "resolution": "DISMISSED", "note": "A quotation.", "moderator": eve.id, "isPardoned": true, "decidedAt": room.hub.now() })
    );
    assert_eq!(resolve(&room, &eve, input).unwrap_err(), "CASE_RESOLVED");
    // There is one strike left, and with the next one they are muted again.
    check(&room, &[("fine", "ok"), ("darn", "WORD_NOT_ALLOWED"), ("fine", "MUTED")]);
    resolve(&room, &eve, json!({ "id": id(1) })).unwrap();
    assert_eq!(room.say("fine"), "MUTED", "nothing was given back");
    let states = |state: Value| cases(&room, &eve, json!({ "state": state })).len();
    assert_eq!((states(json!("OPEN")), states(json!("RESOLVED")), states(Value::Null)), (1, 2, 3));
    let notices = room.hub.notices();
    assert!(
        notices.iter().all(|notice| notice.kind == "case_resolved" && notice.audience == notices::Audience::Moderators)
    );
    let told = serde_json_of(&notices[0].payload);
    assert_eq!((notices.len(), told), (2, json!({ "case": id(0), "resolution": "DISMISSED", "moderator": eve.id })));
}

/// F: P-23, P-07
#[test]
fn so_many_are_kept_and_not_for_ever() {
    let (room, eve) = watched();
    for _ in 0..2_003 {
        room.say("gee");
    }
    let mut page_of = json!({ "endCursor": null });
    let mut count = 0;
    for _ in 0..21 {
        page_of = page(&room, &eve, json!({ "after": page_of["endCursor"] })).unwrap();
        count += page_of["cases"].as_array().unwrap().len();
        if page_of["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(count, 2_000);
    room.hub.pass_seconds(90 * 24 * 60 * 60);
    assert_eq!(cases(&room, &eve, json!({})), [Value::Null; 0]);
}
