//! Messages with links, servers that answer, and what is shown of them.

mod links;
mod pages;

use std::fmt::Write;

use http::{Failure as NoAnswer, Response};

use super::*;

/// Ann, in a conversation of her own.
struct Room {
    hub: MockHub,
    ann: User,
    tea: Conversation,
}

fn room() -> Room {
    let hub = MockHub::new();
    let (ann, tea) = hub.conversation_of("Ann");
    Room { hub, ann, tea }
}

fn html(text: &str) -> Response {
    Response::new(200, "text/html; charset=utf-8", text)
}

fn titled(title: &str) -> Response {
    html(&format!("<title>{title}</title>"))
}

impl Room {
    fn batch(&self, kind: &str, messages: &[&Message]) -> EventBatch {
        EventBatch { events: messages.iter().map(|message| self.hub.event(kind, message)).collect(), attempt: 1 }
    }

    fn tell(&self, kind: &str, messages: &[&Message]) {
        let batch = self.batch(kind, messages);
        self.hub.after::<LinkPreviews, _>(|plugin| plugin.on_events(batch)).unwrap();
    }

    /// Sends a message, and nobody has answered yet.
    fn send(&self, text: &str) -> Message {
        let message = self.hub.message(&self.ann, &self.tea, text);
        self.tell("message_sent", &[&message]);
        message
    }

    fn edit(&self, message: &Message, text: &str) {
        let message = self.hub.edit(message, text);
        self.tell("message_edited", &[&message]);
    }

    fn deliver(&self) -> usize {
        self.hub.deliver::<LinkPreviews>().unwrap()
    }

    fn shown(&self, message: &Message) -> Vec<Value> {
        let call = self.hub.field_call(&self.ann, "Message.linkPreviews", &json!({}), &[&message.id]);
        let shown = self.hub.looking::<LinkPreviews, _>(|plugin| plugin.resolve(call)).unwrap();
        let shown = shown.into_iter().next().unwrap().unwrap();
        shown.as_array().cloned().unwrap_or_default()
    }

    fn titles(&self, message: &Message) -> Vec<String> {
        self.shown(message).iter().map(|shown| shown["title"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn asked(&self) -> Vec<String> {
        self.hub.requests().into_iter().map(|request| request.url).collect()
    }
}

/// F: P-20
#[test]
fn a_link_is_shown_when_its_server_has_answered() {
    let room = room();
    room.hub.answers("https://tea.example/green", titled("Green tea"));
    let message = room.send("Look: https://Tea.example/green#leaves!");
    assert_eq!(room.shown(&message), Vec::<Value>::new());
    assert_eq!(room.asked(), ["https://tea.example/green"]);
    let request = &room.hub.requests()[0];
    assert_eq!((request.enough_bytes, request.headers[0].name.as_str()), (Some(512 * 1024), "accept"));
    room.deliver();
    let shown = room.shown(&message);
    assert_eq!(
        (&shown[0]["url"], &shown[0]["title"]),
        (&json!("https://Tea.example/green#leaves"), &json!("Green tea"))
    );
    assert_eq!(shown.len(), 1);
}

/// F: P-20
#[test]
fn messages_without_links_cost_nothing() {
    let room = room();
    room.hub.deny("kv");
    room.hub.deny("annotations");
    room.send("Milk? // no: http and https");
}

/// F: P-20
#[test]
fn a_link_is_asked_for_once_a_day() {
    let room = room();
    room.hub.answers("https://tea.example/", titled("Tea"));
    let messages: Vec<Message> = (0..100)
        .map(|number| room.hub.message(&room.ann, &room.tea, &format!("{number} https://tea.example")))
        .collect();
    room.tell("message_sent", &messages.iter().collect::<Vec<_>>());
    let another = room.send("https://tea.example/#top");
    assert_eq!((room.asked().len(), room.deliver()), (1, 1));
    for message in messages.iter().chain([&another]) {
        assert_eq!(room.titles(message), ["Tea"]);
    }
    let later = room.send("https://tea.example");
    assert_eq!((room.titles(&later), room.asked().len()), (vec!["Tea".to_owned()], 1));
    room.hub.pass_seconds(24 * 60 * 60);
    room.hub.answers("https://tea.example/", titled("More tea"));
    let on_the_next_day = room.send("https://tea.example");
    assert_eq!(room.titles(&on_the_next_day), Vec::<String>::new());
    room.deliver();
    assert_eq!((room.titles(&on_the_next_day), room.asked().len()), (vec!["More tea".to_owned()], 2));
    // What was shown on that day is shown on.
    assert_eq!(room.titles(&later), ["Tea"]);
    room.edit(&later, "https://tea.example and https://gone.example");
    assert_eq!(room.titles(&later), ["More tea"]);
}

/// F: P-20
#[test]
fn what_cannot_be_reached_is_tried_again_later() {
    let room = room();
    room.hub.fails("https://slow.example/", NoAnswer::TimedOut);
    room.hub.answers("https://broken.example/", Response::new(503, "text/html", "<title>Broken</title>"));
    room.hub.answers("https://nowhere.example/", Response::new(404, "text/html", "<title>Nowhere</title>"));
    let text = "https://slow.example https://broken.example https://nowhere.example";
    let message = room.send(text);
    room.deliver();
    room.send(text);
    assert_eq!((room.titles(&message), room.asked().len()), (Vec::new(), 3));
    room.hub.pass_seconds(15 * 60);
    room.hub.answers("https://slow.example/", titled("Slow"));
    let message = room.send(text);
    assert_eq!((room.deliver(), room.titles(&message)), (2, vec!["Slow".to_owned()]));
}

/// F: P-20
#[test]
fn five_links_of_a_message_are_shown_in_their_order() {
    let room = room();
    let mut text = String::new();
    for number in [3, 1, 4, 1, 5, 9, 2, 6] {
        room.hub.answers(&format!("https://n.example/{number}"), titled(&number.to_string()));
        let _ = writeln!(text, "- https://n.example/{number}");
    }
    let message = room.send(&text);
    assert_eq!((room.deliver(), room.titles(&message)), (5, ["3", "1", "4", "5", "9"].map(str::to_owned).to_vec()));
}

/// F: P-20
#[test]
fn an_edit_takes_previews_away_and_adds_others() {
    let room = room();
    for name in ["a", "b", "c"] {
        room.hub.answers(&format!("https://{name}.example/"), titled(name));
    }
    let message = room.send("https://a.example https://b.example");
    room.deliver();
    assert_eq!(room.titles(&message), ["a", "b"]);
    room.edit(&message, "https://c.example https://b.example");
    assert_eq!(room.titles(&message), ["b"]);
    room.deliver();
    assert_eq!(room.titles(&message), ["c", "b"]);
    room.edit(&message, "`https://b.example`");
    assert_eq!(room.hub.annotation(&message), None);
}

/// F: P-20
#[test]
fn an_answer_for_what_is_said_no_more_is_dropped() {
    let room = room();
    room.hub.answers("https://a.example/", titled("a"));
    room.hub.answers("https://b.example/", titled("b"));
    let message = room.send("https://a.example");
    // Before anybody is told of the edit, and after.
    let edited = room.hub.edit(&message, "https://b.example");
    room.deliver();
    assert_eq!(room.hub.annotation(&message), None);
    room.tell("message_edited", &[&edited]);
    room.edit(&message, "nothing");
    room.deliver();
    assert_eq!(room.hub.annotation(&message), None);
}

/// F: P-20
#[test]
fn a_denied_host_is_never_asked_and_never_shown() {
    let room = room();
    room.hub.configure(json!({ "deny": ["Example.org", "*.bücher.example", "192.0.2.1"] }));
    let text = "https://example.org https://tea.EXAMPLE.org./x http://xn--bcher-kva.example https://BÜCHER.example \
                http://a.bücher.example http://3221225985 https://notexample.org";
    let message = room.send(text);
    assert_eq!(room.asked(), ["https://notexample.org/"]);
    // Nor is what leads there by a redirect shown, nor a picture from there.
    let elsewhere = Response { url: "https://www.example.org/".to_owned(), ..titled("Denied") };
    room.hub.answers("https://notexample.org/", elsewhere);
    room.deliver();
    assert_eq!(room.shown(&message), Vec::<Value>::new());
    let picture = html("<title>Tea</title><meta property=og:image content=https://i.example.org/tea.png>");
    room.hub.answers("https://tea.example/", picture);
    let message = room.send("https://tea.example");
    room.deliver();
    assert_eq!(
        room.shown(&message),
        [json!({
            "url": "https://tea.example", "title": "Tea", "description": null, "siteName": null, "kind": null,
            "authorName": null, "imageUrl": null
        })]
    );
    let problems =
        room.hub.validate::<LinkPreviews>(&json!({ "deny": ["example.org", "https://tea.example", "a b", ""] }));
    let places: Vec<String> = problems.unwrap_err().into_iter().map(|problem| problem.path).collect();
    assert_eq!(places, ["/deny/1", "/deny/2", "/deny/3"]);
}

/// F: P-20
#[test]
fn without_its_grant_nothing_is_asked_and_nothing_is_wrong() {
    let room = room();
    room.hub.deny("fetch-public-url");
    room.hub.deny("http");
    let message = room.send("https://tea.example");
    assert_eq!((room.asked().len(), room.hub.annotation(&message), room.hub.keys().len()), (0, None, 0));
}

/// F: P-20
#[test]
fn more_links_than_may_be_asked_for_at_once_are_asked_for_one_after_the_other() {
    let room = room();
    let messages: Vec<Message> = (0..20)
        .map(|number| {
            let links = (0..5).map(|link| {
                let url = format!("https://n.example/{number}/{link}");
                room.hub.answers(&url, titled(&format!("{number}/{link}")));
                url
            });
            room.hub.message(&room.ann, &room.tea, &links.collect::<Vec<_>>().join(" "))
        })
        .collect();
    room.tell("message_sent", &messages.iter().collect::<Vec<_>>());
    assert_eq!(room.asked().len(), 16);
    assert_eq!(room.deliver(), 100);
    for (number, message) in messages.iter().enumerate() {
        assert_eq!(room.titles(message), [0, 1, 2, 3, 4].map(|link| format!("{number}/{link}")));
    }
}

/// F: P-20
#[test]
fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
    let room = room();
    room.send("https://tea.example");
    assert_eq!(room.hub.next_answer().map(|answer| answer.attempt), Some(1));
    for _ in 0..3 {
        room.hub.pass_seconds(25 * 60);
        room.send("https://tea.example");
    }
    assert_eq!(room.asked().len(), 2);
}

/// F: P-20
#[test]
fn what_is_gone_or_encrypted_is_left_alone() {
    let room = room();
    room.hub.answers("https://tea.example/", titled("Tea"));
    let mut message = room.hub.message(&room.ann, &room.tea, "https://tea.example");
    message.body = Body::Encrypted;
    let mut event = room.hub.event("message_sent", &message);
    event.message = Some(message);
    let batch = EventBatch { events: vec![event], attempt: 1 };
    room.hub.after::<LinkPreviews, _>(|plugin| plugin.on_events(batch)).unwrap();
    let deleted = room.hub.message(&room.ann, &room.tea, "https://tea.example");
    let mut event = room.hub.event("message_sent", &deleted);
    event.message = None;
    let batch = EventBatch { events: vec![event], attempt: 1 };
    room.hub.after::<LinkPreviews, _>(|plugin| plugin.on_events(batch)).unwrap();
    assert_eq!(room.asked().len(), 0);
}

/// F: P-20
#[test]
fn an_answer_after_the_message_was_deleted_is_dropped() {
    let room = room();
    room.hub.answers("https://tea.example/", titled("Tea"));
    let gone = room.send("https://tea.example");
    let there = room.send("https://tea.example");
    room.hub.delete(&gone);
    room.deliver();
    assert_eq!((room.hub.annotation(&gone), room.titles(&there)), (None, vec!["Tea".to_owned()]));
}
