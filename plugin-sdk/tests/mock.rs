//! The hub for tests keeps the contract where a plugin could rely on it or run into it.

use jackfield_plugin::prelude::*;

#[data]
struct Counter {
    #[serde(default)]
    step: i64,
}

impl MessageHooks for Counter {
    fn before_create(&self, draft: MessageDraft) -> Result<MessageVerdict> {
        kv::increment("count", self.step, None)?;
        match draft.text() {
            "post" => {
                messages::say(&draft.conversation, "no")?;
            }
            "fail" => return Err(Failure::new("as asked")),
            "refuse" => return Ok(MessageVerdict::reject("NO", "As asked.")),
            _ => {}
        }
        Ok(MessageVerdict::Allow)
    }
}

impl EventHooks for Counter {
    fn on_event(&self, event: Event) -> Result<()> {
        let message = event.message.ok_or_else(|| Failure::new("an event without a message"))?;
        messages::say(&message.conversation, format!("heard {}", message.text()))?;
        annotations::set(&message.id, &json!({ "heard": true }))?;
        notices::send(notices::Audience::Moderators, "heard", &json!({}))?;
        if message.text() == "fail" { Err(Failure::new("as asked")) } else { Ok(()) }
    }
}

/// F: P-12
#[test]
fn a_before_hook_counts_whatever_it_answers_unless_it_fails() {
    let hub = MockHub::new();
    hub.configure(json!({ "step": 2 }));
    let (ann, tea) = hub.conversation_of("Ann");
    let say = |text| hub.before::<Counter, _>(|plugin| plugin.before_create(hub.draft(&ann, &tea, text)));
    assert_eq!(say("a").unwrap(), MessageVerdict::Allow);
    assert_eq!(say("refuse").unwrap(), MessageVerdict::reject("NO", "As asked."));
    assert_eq!(hub.kept("count"), Some(json!(4)));
    assert_eq!(say("fail").unwrap_err(), Failure::new("as asked"));
    let not_here = say("post").unwrap_err().to_string();
    assert!(not_here.contains("NotHere"), "{not_here}");
    assert_eq!((hub.kept("count"), hub.posts().len()), (Some(json!(4)), 0));
    hub.configure(json!({ "step": 3 }));
    say("a").unwrap();
    assert_eq!(hub.kept("count"), Some(json!(7)), "another configuration is another plugin");
}

/// F: P-12
#[test]
fn what_an_after_hook_did_is_done_unless_it_fails() {
    let hub = MockHub::new();
    let (ann, tea) = hub.conversation_of("Ann");
    let tell = |text| {
        let message = hub.message(&ann, &tea, text);
        let told = hub.after::<Counter, _>(|plugin| plugin.on_event(hub.event("message_sent", &message)));
        (told, hub.annotation(&message))
    };
    assert_eq!(tell("hello"), (Ok(()), Some(json!({ "heard": true }))));
    assert_eq!(tell("fail"), (Err(Failure::new("as asked")), None));
    assert_eq!((hub.posts().len(), hub.notices().len()), (1, 1));
    hub.deny("annotations");
    assert!(tell("hello").0.unwrap_err().to_string().contains("annotations"));
    assert_eq!(hub.posts().len(), 1);
}

/// F: P-08
#[test]
fn values_are_typed_and_go_away_in_time() {
    let hub = MockHub::new();
    kv::set_for("a/1", &vec!["x"], 10).unwrap();
    kv::set("a/2", &vec!["y", "z"]).unwrap();
    assert_eq!(kv::get::<Vec<String>>("a/1").unwrap().unwrap(), ["x"]);
    assert!(kv::get::<u32>("a/2").is_err());
    let keys = || kv::scan::<Vec<String>>("a/").unwrap().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys(), ["a/1", "a/2"]);
    hub.pass_seconds(10);
    assert_eq!(keys(), ["a/2"]);
    assert_eq!(kv::get::<Vec<String>>("a/1").unwrap(), None);
    assert_eq!(kv::update("n", None, |n: Option<u32>| n.unwrap_or(0) + 1).unwrap(), 1);
    assert_eq!(kv::update("n", None, |n: Option<u32>| n.unwrap_or(0) + 1).unwrap(), 2);
    kv::delete("n").unwrap();
    assert_eq!(kv::get_many::<u32>(&["n".to_owned(), "m".to_owned()]).unwrap(), [None, None]);
    for key in ["", "a\n", &"x".repeat(257)] {
        assert!(kv::set(key, &1).is_err(), "{key:?}");
    }
    assert!(kv::set("a", &"x".repeat(70_000)).is_err());
}

#[test]
fn many_pages_are_one_list() {
    let hub = MockHub::new();
    let people: Vec<User> = (0..1203).map(|number| hub.user(&format!("n{number}"))).collect();
    let tea = hub.conversation(&people.iter().collect::<Vec<_>>());
    assert_eq!(conversations::members(&tea.id).unwrap().len(), 1203);
    for number in 0..250 {
        kv::set(&format!("k/{number:03}"), &number).unwrap();
    }
    let values: Vec<i32> = kv::scan("k/").unwrap().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, (0..250).collect::<Vec<_>>());
}

#[test]
fn history_has_two_directions() {
    let hub = MockHub::new();
    let (ann, tea) = hub.conversation_of("Ann");
    for number in 1..=5 {
        hub.message(&ann, &tea, &format!("{number}"));
    }
    let page = |window, limit| {
        let page = messages::history(&tea.id, window, limit).unwrap();
        (page.messages.iter().map(|message| message.sequence).collect::<Vec<_>>(), page.has_more)
    };
    assert_eq!(page(messages::HistoryWindow::Newest, 2), (vec![4, 5], true));
    assert_eq!(page(messages::HistoryWindow::Before(4), 3), (vec![1, 2, 3], false));
    assert_eq!(page(messages::HistoryWindow::After(3), 1), (vec![4], true));
    assert!(messages::history("conv_1", messages::HistoryWindow::Newest, 1).is_err());
}

#[test]
#[should_panic(expected = "let hub = MockHub::new() comes first")]
fn without_a_hub_a_capability_says_what_is_missing() {
    let _ = clock::now();
}

#[data]
struct Asker {}

impl AnswerHooks for Asker {
    fn on_answer(&self, answer: Answer) -> Result<()> {
        let name: String = answer.tag()?;
        let heard = match &answer.outcome {
            Ok(response) => format!("{} {} of {}", response.status, response.text(), response.url),
            Err(failure) => failure.to_string(),
        };
        kv::set(&name, &(heard, answer.attempt))?;
        if name == "fail" && answer.attempt < 2 { Err(Failure::new("as asked")) } else { Ok(()) }
    }
}

/// F: P-09
#[test]
fn answers_come_when_they_are_delivered_and_again_where_the_plugin_failed() {
    let hub = MockHub::new();
    let send = |url: &str, name: &str| {
        let request = http::Request::get(url).enough(3);
        hub.after::<Asker, _>(|_| Ok(http::send(&request, name)?))
    };
    hub.answers("https://tea.example/", http::Response::new(200, "text/plain", "green"));
    send("https://tea.example/", "good").unwrap();
    send("https://nobody.example/", "bad").unwrap();
    assert_eq!((hub.requests().len(), hub.keys().len()), (2, 0));
    assert_eq!(hub.deliver::<Asker>().unwrap(), 2);
    assert_eq!(hub.kept("good"), Some(json!(["200 gre of https://tea.example/", 1])));
    assert_eq!(hub.kept("bad"), Some(json!(["nobody could be reached: nobody is there", 1])));

    send("https://tea.example/", "fail").unwrap();
    assert_eq!(hub.deliver::<Asker>().unwrap_err(), Failure::new("as asked"));
    assert_eq!(hub.kept("fail"), None);
    assert_eq!((hub.deliver::<Asker>().unwrap(), hub.next_answer().is_some()), (1, false));
    assert_eq!(hub.kept("fail"), Some(json!(["200 gre of https://tea.example/", 2])));
}

/// F: P-09
#[test]
fn requests_are_made_where_they_may_be() {
    let hub = MockHub::new();
    let public = http::Request::get("https://tea.example/");
    let not_here = hub.before::<Asker, _>(|_| Ok(http::send(&public, "tag")?)).unwrap_err().to_string();
    assert!(not_here.contains("NotHere"), "{not_here}");
    let many = hub.after::<Asker, _>(|_| (0..17).try_for_each(|_| Ok(http::send(&public, "tag")?)));
    assert!(many.unwrap_err().to_string().contains("LimitReached"));
    assert_eq!(hub.requests().len(), 0, "what a failed hook issued is not done");
    assert!(matches!(http::send(&public, &"x".repeat(1_024)), Err(Error::Invalid(_))));

    let fetched =
        |request: &http::Request| hub.after::<Asker, _>(|_| Ok(http::fetch(request).map(|outcome| outcome.is_ok())));
    hub.answers("https://tea.example/", http::Response::new(200, "text/plain", vec![b'x'; (1 << 20) + 1]));
    assert_eq!(fetched(&public), Ok(Ok(false)), "it is too large");
    assert_eq!(fetched(&public.clone().enough(1 << 20)), Ok(Ok(true)));
    hub.deny("http");
    assert_eq!(fetched(&public), Ok(Ok(false)));
    let secret = public.clone().secret_header("authorization", "Bearer ", "key");
    for request in [secret, http::Request::post("https://tea.example/").json(&json!({})).unwrap()] {
        assert!(matches!(fetched(&request), Ok(Err(Error::Denied(_)))));
    }
}
