//! Retention on a hub for tests.

use super::*;

const DAY: i64 = 24 * 60 * 60;

/// Ann made a conversation in which Bob is as well; Ada runs the workspace and is in it.
struct Room {
    hub: MockHub,
    ann: User,
    bob: User,
    ada: User,
    tea: Conversation,
}

fn room() -> Room {
    let hub = MockHub::new();
    let (ann, bob) = (hub.user("Ann"), hub.user("Bob"));
    let ada = hub.user_as("Ada", WorkspaceRole::Admin);
    let tea = hub.conversation(&[&ann, &bob, &ada]);
    Room { hub, ann, bob, ada, tea }
}

impl Room {
    /// Looks for what is old; answers in how many slices.
    fn looks(&self) -> usize {
        let due_at = self.hub.now();
        let mut run = ScheduledRun { schedule: "look".to_owned(), due_at, resume: None, attempt: 1 };
        for slices in 1.. {
            match self.hub.after::<Retention, _>(|plugin| plugin.run_schedule(run.clone())).unwrap() {
                Slice::Done => return slices,
                Slice::More(resume) => run.resume = Some(resume),
            }
        }
        unreachable!("a run ends")
    }

    fn sees(&self, who: &User, field: &str, arguments: &Value, object: &str) -> Value {
        let call = self.hub.field_call(who, field, arguments, &[object]);
        self.hub.looking::<Retention, _>(|plugin| plugin.resolve(call)).unwrap().remove(0).unwrap()
    }

    fn sets(&self, who: &User, rule: &str, days: Option<i64>) -> Result<Value, String> {
        let input = json!({ "conversationId": self.tea.id, "rule": rule, "days": days });
        let call = self.hub.mutation_call(who, "retentionSet", &input);
        match self.hub.after::<Retention, _>(|plugin| plugin.mutate(call)).unwrap() {
            MutationAnswer::Done(mut payload) => Ok(payload["retention"].take()),
            MutationAnswer::Refuse(refusal) => Err(refusal.code),
        }
    }

    fn report(&self) -> Value {
        self.sees(&self.ada, "Query.retentionReports", &json!({ "first": 1 }), "")["reports"][0].take()
    }
}

/// F: P-24
#[test]
fn what_is_thirty_days_old_is_hidden_and_goes_a_week_later() {
    let room = room();
    room.hub.message(&room.ann, &room.tea, "old");
    room.hub.pass_seconds(DAY);
    room.hub.message(&room.bob, &room.tea, "younger");
    room.hub.pass_seconds(29 * DAY - 1);
    room.looks();
    assert_eq!(room.hub.history(&room.tea), ["old", "younger"]);
    room.hub.pass_seconds(1);
    room.looks();
    assert_eq!((room.hub.history(&room.tea), room.hub.hidden(&room.tea)), (vec!["younger".into()], vec!["old".into()]));
    let report = room.report();
    let expected = json!({
        "startedAt": room.hub.now(), "finishedAt": room.hub.now(), "conversationCount": 1, "hiddenCount": 1,
        "purgedCount": 0, "heldCount": 0,
    });
    assert_eq!(report, expected);
    room.hub.pass_seconds(7 * DAY);
    room.looks();
    assert!(room.hub.history(&room.tea).is_empty());
    assert_eq!(room.hub.hidden(&room.tea), ["younger"]);
    assert_eq!((&room.report()["hiddenCount"], &room.report()["purgedCount"]), (&json!(1), &json!(1)));
}

/// F: P-24
#[test]
fn an_admin_says_after_how_many_days_and_a_conversation_may_have_a_rule_of_its_own() {
    let room = room();
    room.hub.configure(json!({ "days": 2, "grace_days": 0 }));
    let other = room.hub.conversation(&[&room.bob]);
    for place in [&room.tea, &other] {
        room.hub.message(&room.bob, place, "hello");
    }
    let shown = |room: &Room| room.sees(&room.bob, "Conversation.retention", &json!({}), &room.tea.id);
    assert_eq!(shown(&room), json!({ "rule": "WORKSPACE", "days": 2, "graceDays": 0 }));
    for (who, rule, days, expected) in [
        (&room.bob, "DAYS", Some(5), Err("NOT_ALLOWED")),
        (&room.ann, "DAYS", None, Err("NO_DAYS")),
        (&room.ann, "DAYS", Some(0), Err("NO_DAYS")),
        (&room.ann, "DAYS", Some(36_501), Err("NO_DAYS")),
        (&room.ann, "FOREVER", Some(5), Err("NO_DAYS")),
        (&room.ada, "FOREVER", None, Ok(json!({ "rule": "FOREVER", "days": null, "graceDays": 0 }))),
        (&room.ann, "DAYS", Some(5), Ok(json!({ "rule": "DAYS", "days": 5, "graceDays": 0 }))),
    ] {
        assert_eq!(room.sets(who, rule, days), expected.map_err(str::to_owned), "{} {rule} {days:?}", who.name);
    }
    room.hub.pass_seconds(2 * DAY);
    room.looks();
    assert_eq!((room.hub.history(&room.tea).len(), room.hub.history(&other).len()), (1, 0));
    assert!(room.hub.hidden(&other).is_empty(), "there is no time in between");
    room.hub.pass_seconds(3 * DAY);
    room.sets(&room.ann, "FOREVER", None).unwrap();
    room.looks();
    assert_eq!(room.hub.history(&room.tea).len(), 1);
    room.sets(&room.ann, "WORKSPACE", None).unwrap();
    assert_eq!(shown(&room)["rule"], json!("WORKSPACE"));
    room.looks();
    assert!(room.hub.history(&room.tea).is_empty());
}

/// F: P-24
#[test]
fn what_is_on_hold_stays_and_is_told_of() {
    let room = room();
    room.hub.configure(json!({ "days": 1, "grace_days": 1 }));
    for (who, words) in [(&room.ann, "one"), (&room.bob, "two"), (&room.ann, "three")] {
        room.hub.message(who, &room.tea, words);
    }
    room.hub.hold(&room.bob.id);
    room.hub.pass_seconds(DAY);
    room.looks();
    assert_eq!((room.hub.history(&room.tea), room.hub.hidden(&room.tea).len()), (vec!["two".to_owned()], 2));
    assert_eq!((&room.report()["hiddenCount"], &room.report()["heldCount"]), (&json!(2), &json!(1)));
    room.hub.hold(&room.tea.id);
    room.hub.pass_seconds(DAY);
    room.looks();
    assert_eq!(room.hub.hidden(&room.tea).len(), 2, "what was hidden by then is kept as well");
}

/// F: P-24
#[test]
fn much_is_taken_away_in_slices() {
    let room = room();
    room.hub.configure(json!({ "days": 1, "grace_days": 0 }));
    for number in 0..1_100 {
        room.hub.message(&room.ann, &room.tea, &number.to_string());
    }
    for _ in 0..150 {
        room.hub.conversation(&[&room.bob]);
    }
    room.hub.pass_seconds(DAY);
    assert_eq!(room.looks(), 8, "1,100 that are hidden, the same that go, and conversations in which nothing is");
    assert!(room.hub.history(&room.tea).is_empty() && room.hub.hidden(&room.tea).is_empty());
    let report = room.report();
    assert_eq!(
        (&report["hiddenCount"], &report["purgedCount"], &report["conversationCount"]),
        (&json!(1_100), &json!(1_100), &json!(1))
    );
}

/// F: P-24
#[test]
fn what_would_be_taken_away_is_told_to_those_who_decide() {
    let room = room();
    let other = room.hub.conversation(&[&room.bob]);
    for place in [&room.tea, &room.tea, &other] {
        room.hub.message(&room.bob, place, "hello");
    }
    room.hub.pass_seconds(3 * DAY);
    let preview = |who: &User, conversation: Option<&str>, days: i64| {
        let arguments = json!({ "conversationId": conversation, "days": days });
        room.sees(who, "Query.retentionPreview", &arguments, "")
    };
    let found = |count: u32| json!({ "messageCount": count, "heldCount": 0, "isComplete": true });
    let tea = Some(room.tea.id.as_str());
    assert_eq!((preview(&room.ann, tea, 3), preview(&room.ann, tea, 4)), (found(2), found(0)));
    assert_eq!(preview(&room.ada, None, 3), found(3));
    room.sets(&room.ann, "FOREVER", None).unwrap();
    assert_eq!(preview(&room.ada, None, 3), found(1), "those with a rule of their own are left out");
    for (who, conversation, days) in
        [(&room.bob, tea, 3), (&room.ann, None, 3), (&room.ann, tea, 0), (&room.ann, Some("conv_1"), 3)]
    {
        assert_eq!(preview(who, conversation, days), Value::Null, "{} {conversation:?} {days}", who.name);
    }
    assert_eq!(room.hub.history(&room.tea).len(), 2, "nothing was taken away");
}

/// F: P-24
#[test]
fn reports_are_for_those_who_run_the_workspace_the_newest_first() {
    let room = room();
    for _ in 0..3 {
        room.looks();
        room.hub.pass_seconds(DAY);
    }
    let page = |arguments: Value| room.sees(&room.ada, "Query.retentionReports", &arguments, "");
    let first = page(json!({ "first": 2 }));
    assert_eq!((first["reports"].as_array().unwrap().len(), &first["hasNextPage"]), (2, &json!(true)));
    let rest = page(json!({ "first": 2, "after": first["endCursor"] }));
    assert_eq!((rest["reports"].as_array().unwrap().len(), &rest["hasNextPage"]), (1, &json!(false)));
    assert!(first["reports"][1]["startedAt"].as_i64() > rest["reports"][0]["startedAt"].as_i64());
    for arguments in [json!({ "first": 0 }), json!({ "first": 101 }), json!({ "first": 1, "after": "x" })] {
        assert_eq!(page(arguments), Value::Null);
    }
    assert_eq!(room.sees(&room.ann, "Query.retentionReports", &json!({ "first": 1 }), ""), Value::Null);
}

/// F: P-24
#[test]
fn a_rule_of_a_conversation_that_is_not_to_be_seen_stays() {
    let room = room();
    // An admin may have narrowed what it sees, and may take that back.
    room.hub.keep("rule/conv_elsewhere", &json!({ "days": null }));
    room.looks();
    assert!(room.hub.keys().contains(&"rule/conv_elsewhere".to_owned()));
}
