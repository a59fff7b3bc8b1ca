//! How conversations end: nobody is kept waiting for who does not read, and what was asked for is answered.

use serde_json::json;
use tokio::io::Interest;

use crate::{
    stories,
    support::{Person, Setup, Wire, World, within},
};

/// More than the network holds on the way to a client that does not read.
const LARGE: &str = "body a: body b: body c: body d: body e: body f: body g: body h: body i: body j: body k: body";
const MANY: usize = 60;

stories! {
    /// F: L-02, L-03
    async fn a_stream_that_is_read_too_slowly_says_where_to_go_on_and_ends(backend) {
        let setup = Setup::new(backend).config(|config| {
            config.sockets.max_waiting = 4;
            config.sockets.write_seconds = 60;
        });
        let world = setup.start().await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let query = format!("subscription {{ events {{ __typename ... on MessageSent {{ message {{ {LARGE} }} }} }} }}");
        let mut slow = ask_for(&bob, "text/event-stream", &query).await;
        slow.until("CaughtUp").await.expect("a beginning");
        fill(&ann, &tea).await;

        let rest = slow.until("event: complete\ndata: ").await.expect("an end");
        let last = rest.rsplit("event: next\ndata: ").next().expect("an error");
        assert!(last.contains("TOO_SLOW"), "{last:.300}");
        assert!(slow.until("\r\n0\r\n\r\n").await.is_some(), "nothing follows");
    }

    /// F: L-02, L-10
    async fn who_does_not_read_an_answer_is_cut_off(backend) {
        let world = Setup::new(backend).config(|config| config.sockets.write_seconds = 1).start().await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let cursor = ann.cursor().await;
        fill(&ann, &tea).await;
        let stream = format!("subscription {{ events(input: {{ after: \"{cursor}\" }}) {{ ... on MessageSent {{ message {{ {LARGE} }} }} }} }}");
        let page = format!("{{ conversation(id: \"{tea}\") {{ messages(last: 30) {{ nodes {{ {LARGE} }} }} }} }}");
        for (accept, query) in [("application/json", &page), ("text/event-stream", &stream)] {
            let mut unread = ask_for(&ann, accept, query).await;
            unread.head().await.expect("an answer");
            let cut_off = unread.stream.ready(Interest::ERROR);
            assert!(within("a reset", cut_off).await.expect("readiness").is_error());
        }
        // Who reads gets all of it.
        assert_eq!(ann.history(&tea).await.len(), MANY);
    }

    /// F: L-04
    async fn what_was_asked_for_on_a_socket_is_answered_before_the_hub_goes_away(backend) {
        const ASKED: usize = 40;
        let mut world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let mut socket = ann.socket().await;
        socket.follow("following", json!({})).await;
        let query = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { sequence } } }";
        for number in 0..ASKED {
            let input = json!({ "conversationId": tea, "body": format!("{number}"), "clientMessageId": format!("key {number}") });
            socket.subscribe(&number.to_string(), query, json!({ "input": input })).await;
        }
        let first = socket.hear_of("0").await;
        assert_eq!(first["type"], json!("next"));
        let ((), mut answered) = tokio::join!(world.stop(0), async {
            let mut answered = vec![first];
            let mut end = None;
            while end.is_none() {
                match socket.hear_or_end().await {
                    Ok(message) => answered.push(message),
                    Err(code) => end = Some(code),
                }
            }
            assert_eq!(end, Some(1012));
            answered
        });
        answered.retain(|message| message["type"] == json!("next") && message["id"] != json!("following"));
        let acknowledged = answered.len();
        world.start(0).await;
        let ann = ann.at(&world, 0);
        assert_eq!(ann.history(&tea).await.len(), acknowledged, "what is stored was acknowledged, and the other way round");
    }
}

/// Asks, without reading what comes.
async fn ask_for(person: &Person, accept: &str, query: &str) -> Wire {
    let body = json!({ "query": query }).to_string();
    let mut wire = Wire::connect(&person.url).await;
    wire.send(format!(
        "POST /graphql HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\naccept: {accept}\r\n\
         authorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        person.token,
        body.len()
    ))
    .await;
    wire
}

async fn fill(person: &Person, conversation: &str) {
    for number in 0..MANY {
        person.say(conversation, &format!("{number} {}", "é".repeat(9_000))).await;
    }
}
