//! What is true for a moment: who is typing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Person, Setup, Socket, World,
        person::{refusal, text},
    },
};

const SIGNALS: &str = "subscription($input: SignalsInput) { signals(input: $input) { __typename at
    ... on TypingStarted { user { name } conversation { id } expiresAt }
    ... on TypingStopped { user { name } conversation { id } } } }";

async fn typing(person: &Person, conversation: &str, what: &str) -> Value {
    let query = match what {
        "start" => {
            "mutation($c: ID!) { typing: typingStart(input: { conversationId: $c }) { expiresAt errors { code path } } }"
        }
        _ => "mutation($c: ID!) { typing: typingStop(input: { conversationId: $c }) { errors { code path } } }",
    };
    person.ask(query, json!({ "c": conversation })).await["typing"].take()
}

async fn signal(socket: &mut Socket) -> (String, String) {
    let payload = socket.next("s").await;
    let signal = &payload["data"]["signals"];
    (text(&signal["__typename"]), text(&signal["user"]["name"]))
}

async fn who_types(person: &Person, conversation: &str) -> Value {
    let query = "query($c: ID!) { conversation(id: $c) { typing { name } } }";
    person.ask(query, json!({ "c": conversation })).await["conversation"]["typing"].take()
}

stories! {
    /// F: R-05
    async fn typing_is_told_to_the_others_and_lapses_by_itself(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await.at(&world, 1));
        let tea = ann.group("Tea", &[&bob]).await;
        let mut socket = bob.socket().await;
        listen(&mut socket, &ann.at(&world, 1), &tea).await;

        let started = typing(&ann, &tea, "start").await;
        assert_eq!(started["expiresAt"], json!("2027-01-15T08:00:10.000Z"));
        assert_eq!(signal(&mut socket).await, ("TypingStarted".into(), "ann".into()));
        assert_eq!(who_types(&bob, &tea).await, json!([{ "name": "ann" }]));

        world.clock.advance(Duration::from_secs(9));
        typing(&ann, &tea, "start").await;
        assert_eq!(signal(&mut socket).await.0, "TypingStarted", "it was renewed");
        world.clock.advance(Duration::from_secs(9));
        assert_eq!(who_types(&bob, &tea).await, json!([{ "name": "ann" }]));
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(signal(&mut socket).await, ("TypingStopped".into(), "ann".into()));
        assert_eq!(who_types(&bob, &tea).await, json!([]));

        typing(&ann, &tea, "start").await;
        assert_eq!(signal(&mut socket).await.0, "TypingStarted");
        typing(&ann, &tea, "stop").await;
        assert_eq!(signal(&mut socket).await.0, "TypingStopped");
        typing(&ann, &tea, "start").await;
        assert_eq!(signal(&mut socket).await.0, "TypingStarted");
        ann.say(&tea, "there").await;
        assert_eq!(signal(&mut socket).await.0, "TypingStopped", "who has sent has stopped");
    }

    /// F
    async fn typing_is_nobody_elses_business(backend) {
        let world = World::new(backend).await;
        let (ann, bob, eve) = (world.person("ann").await, world.person("bob").await, world.person("eve").await);
        let (tea, cake) = (ann.group("Tea", &[&bob]).await, ann.group("Cake", &[&bob, &eve]).await);
        assert_eq!(refusal(&typing(&eve, &tea, "start").await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        assert_eq!(refusal(&typing(&eve, &tea, "stop").await), ("NOT_FOUND".into(), json!(["input", "conversationId"])));
        let mut socket = eve.socket().await;
        listen(&mut socket, &bob, &cake).await;
        typing(&ann, &tea, "start").await;
        typing(&ann, &cake, "start").await;
        let heard = socket.next("s").await["data"]["signals"].take();
        assert_eq!(text(&heard["conversation"]["id"]), cake, "the first that she hears is of her own");
    }

    /// F: R-05
    async fn how_long_typing_stands_is_a_policy(backend) {
        let world = Setup::new(backend).config(|config| config.policy.typing_ttl_seconds = 3).start().await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        assert_eq!(typing(&ann, &tea, "start").await["expiresAt"], json!("2027-01-15T08:00:03.000Z"));
        world.clock.advance(Duration::from_secs(3));
        assert_eq!(who_types(&ann, &tea).await, json!([]));
    }
}

/// Subscribes while `other` is typing: what stands is told first, so that from then on nothing is missed.
async fn listen(socket: &mut Socket, other: &Person, conversation: &str) {
    typing(other, conversation, "start").await;
    socket.subscribe("s", SIGNALS, json!({})).await;
    assert_eq!(signal(socket).await, ("TypingStarted".into(), other.name.clone()));
    typing(other, conversation, "stop").await;
    assert_eq!(signal(socket).await, ("TypingStopped".into(), other.name.clone()));
}
