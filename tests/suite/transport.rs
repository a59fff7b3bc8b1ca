//! GraphQL over HTTP as its specification says it, over server-sent events, and for pages of other origins.

use std::time::Duration;

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::{
    stories,
    support::{Person, Setup, Wire, World, person::text, socket::EVENTS, stream::Stream, within},
};

const HELLO: &str = r#"{"query":"{ viewer { user { name } } }"}"#;
const BODY_BYTES: usize = 1_024 * 1_024;
const GRAPHQL: &str = "application/graphql-response+json; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";

/// A request as a story writes it; unless it says otherwise, a POST of JSON by a person.
struct Request {
    method: Method,
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

fn post(body: impl Into<Vec<u8>>) -> Request {
    let headers = vec![("content-type", "application/json".to_owned())];
    Request { method: Method::POST, query: String::new(), headers, body: body.into() }
}

fn get(query: &[(&str, &str)]) -> Request {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    Request { method: Method::GET, query: format!("?{query}"), headers: Vec::new(), body: Vec::new() }
}

impl Request {
    fn method(self, method: Method) -> Self {
        Request { method, ..self }
    }

    /// Sets a header; one with no value is taken away.
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        self.headers.retain(|(found, _)| *found != name);
        if !value.is_empty() {
            self.headers.push((name, value));
        }
        self
    }

    /// More than one header of a name.
    fn and(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    async fn send(self, url: &str) -> Answer {
        let mut request = reqwest::Client::new().request(self.method, format!("{url}/graphql{}", self.query));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let response = within("an answer", request.body(self.body).send()).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: within("a body", response.text()).await.expect("a body") }
    }

    async fn by(self, person: &Person) -> Answer {
        self.with("authorization", format!("Bearer {}", person.token)).send(&person.url).await
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header is text"))
    }

    /// Refused as a whole: there is no data, not even none, and the error can be found in the log.
    fn refused(&self, status: u16, code: &str, says: &str) {
        let answer = self.json();
        assert_eq!(self.status.as_u16(), status, "{answer}");
        assert!(answer.get("data").is_none(), "{answer}");
        let error = &answer["errors"][0];
        assert_eq!(error["extensions"]["code"], json!(code), "{answer}");
        assert_eq!(error["extensions"]["requestId"], json!(self.header("x-request-id")), "{answer}");
        assert!(text(&error["message"]).contains(says), "{error} does not say: {says}");
        assert_eq!(self.header("cache-control"), "no-store");
    }

    fn is_hello(&self, name: Option<&str>) {
        assert_eq!(self.status, StatusCode::OK, "{}", self.body);
        assert_eq!(self.json()["data"]["viewer"]["user"]["name"], json!(name), "{}", self.body);
        assert_eq!(self.header("cache-control"), "no-store", "an answer is its reader's alone");
        assert_eq!(
            self.header("vary")
                .to_lowercase()
                .replace(' ', "")
                .split(',')
                .filter(|name| ["accept", "authorization"].contains(name))
                .count(),
            2
        );
    }
}

/// Whether each of these is there, and behind the one before it.
fn in_order(text: &str, names: &[&str]) -> bool {
    let places: Option<Vec<usize>> = names.iter().map(|name| text.find(name)).collect();
    places.is_some_and(|places| places.is_sorted())
}

stories! {
    /// F: L-10
    async fn the_client_says_how_it_wants_its_answer(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        for (accept, content_type, status_of_errors) in [
            ("application/graphql-response+json", GRAPHQL, 400),
            ("application/graphql-response+json; charset=utf-8", GRAPHQL, 400),
            ("APPLICATION/GraphQL-Response+JSON", GRAPHQL, 400),
            ("application/json", JSON, 200),
            ("application/graphql-response+json, application/json;q=0.9", GRAPHQL, 400),
            ("application/json;q=0.5, application/graphql-response+json", GRAPHQL, 400),
            ("application/json, application/graphql-response+json;q=0.5", JSON, 200),
            ("application/graphql-response+json;q=0, application/json;q=0.1", JSON, 200),
            ("text/html, application/xhtml+xml, */*;q=0.8", JSON, 200),
            ("application/*", JSON, 200),
            ("text/html, application/json", JSON, 200),
        ] {
            let answer = post(HELLO).with("accept", accept).by(&ann).await;
            answer.is_hello(Some("ann"));
            assert_eq!(answer.header("content-type"), content_type, "{accept}");
            for document in ["{ nonsense }", "{ viewer", "{ ...F }", "query A { eventCursor } query B { eventCursor }"] {
                let answer = post(json!({ "query": document }).to_string()).with("accept", accept).by(&ann).await;
                answer.refused(status_of_errors, "BAD_REQUEST", "");
                assert_eq!(answer.header("content-type"), content_type, "{accept}");
            }
            // What is no request at all is the same to everybody.
            post("{").with("accept", accept).by(&ann).await.refused(400, "BAD_REQUEST", "cannot be read");
        }
        let two = post(HELLO).and("accept", "text/html").and("accept", "application/json").by(&ann).await;
        assert_eq!((two.status, two.header("content-type")), (StatusCode::OK, JSON));
        for accept in ["text/html", "image/*", "application/xml, text/plain", "application/json;q=0", "nonsense"] {
            let answer = post(HELLO).with("accept", accept).by(&ann).await;
            answer.refused(406, "BAD_REQUEST", "application/graphql-response+json");
            let answer = get(&[("query", "{ eventCursor }")]).with("accept", accept).by(&ann).await;
            answer.refused(406, "BAD_REQUEST", "text/event-stream");
        }
    }

    /// F: L-10
    async fn a_query_may_be_asked_by_get_and_nothing_else_may(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let hello = "{ viewer { user { name } } }";
        get(&[("query", hello)]).by(&ann).await.is_hello(Some("ann"));
        get(&[("query", hello), ("operationName", ""), ("variables", ""), ("extensions", "")]).by(&ann).await.is_hello(Some("ann"));
        get(&[("query", hello), ("variables", "null"), ("extensions", "{}"), ("unknown", "x")]).by(&ann).await.is_hello(Some("ann"));
        let two = format!("query One($id: ID!) {{ conversation(id: $id) {{ title }} }} query Two {hello}");
        get(&[("query", &two), ("operationName", "Two")]).by(&ann).await.is_hello(Some("ann"));
        let variables = json!({ "id": tea }).to_string();
        let answer = get(&[("query", &two), ("operationName", "One"), ("variables", &variables)]).by(&ann).await;
        assert_eq!(answer.json()["data"], json!({ "conversation": { "title": "Tea" } }));
        let head = get(&[("query", hello)]).method(Method::HEAD).by(&ann).await;
        assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));

        for (query, says) in [
            (vec![], "query must be given"),
            (vec![("query", "")], ""),
            (vec![("query", two.as_str())], "operationName must say"),
            (vec![("query", hello), ("operationName", "Three")], "no operation of that name"),
            (vec![("query", hello), ("variables", "nonsense")], "variables must be a JSON object"),
            (vec![("query", hello), ("variables", "[]")], "variables must be a JSON object"),
            (vec![("query", hello), ("extensions", "1")], "extensions must be a JSON object"),
            (vec![("query", two.as_str()), ("operationName", "One")], "the variable $id of type ID! must be given"),
        ] {
            let answer = get(&query).with("accept", "application/graphql-response+json").by(&ann).await;
            answer.refused(400, "BAD_REQUEST", says);
        }

        // A link must not be able to do anything, whoever follows it and whatever they accept.
        let say = format!("mutation {{ messageSend(input: {{ conversationId: \"{tea}\", body: \"by a link\" }}) {{ message {{ id }} }} }}");
        for accept in ["application/json", "application/graphql-response+json", "text/event-stream"] {
            let answer = get(&[("query", &say)]).with("accept", accept).by(&ann).await;
            answer.refused(405, "BAD_REQUEST", "a mutation must be sent by POST");
            assert_eq!(answer.header("allow"), "POST");
        }
        let hidden = format!("query Q {{ eventCursor }} {}", say.replacen("mutation", "mutation M", 1));
        get(&[("query", &hidden), ("operationName", "M")]).by(&ann).await.refused(405, "BAD_REQUEST", "by POST");
        assert_eq!(get(&[("query", &hidden), ("operationName", "Q")]).by(&ann).await.status, StatusCode::OK);
        for method in [Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = post(json!({ "query": say }).to_string()).method(method).by(&ann).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert!(answer.header("allow").contains("POST"));
        }
        assert_eq!(ann.history(&tea).await, Vec::<String>::new(), "nobody has said anything");
        assert_eq!(post(json!({ "query": say }).to_string()).by(&ann).await.status, StatusCode::OK);
        assert_eq!(ann.history(&tea).await, ["by a link"]);

        for request in [get(&[("query", "subscription { events { cursor } }")]), post(json!({ "query": EVENTS }).to_string())] {
            request.by(&ann).await.refused(406, "BAD_REQUEST", "a subscription needs a WebSocket");
        }
    }

    /// F: L-02, L-10
    async fn a_body_is_json_in_utf_8_and_not_compressed(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        for content_type in [
            "application/json",
            "Application/JSON",
            "application/json;charset=utf-8",
            "application/json; charset=UTF-8",
            "application/json; charset=\"utf-8\"",
            "application/json; boundary=x",
        ] {
            post(HELLO).with("content-type", content_type).by(&ann).await.is_hello(Some("ann"));
        }
        // The first three are what a page of another origin could send without being asked for leave.
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
            "application/graphql",
            "application/jsonp",
            "text/json",
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json; charset=not-utf-8",
        ] {
            let answer = post(HELLO).with("content-type", content_type).by(&ann).await;
            answer.refused(415, "BAD_REQUEST", "Content-Type must be application/json");
        }
        // What would grow when it is unpacked is not unpacked.
        let zipped = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
        for encoding in ["gzip", "br", "deflate", "gzip, identity"] {
            let answer = post(zipped.clone()).with("content-encoding", encoding).by(&ann).await;
            answer.refused(415, "BAD_REQUEST", "must not be compressed");
        }
        post(HELLO).with("content-encoding", "identity").by(&ann).await.is_hello(Some("ann"));
        for body in [zipped, b"{\"query\":\"{ \xff }\"}".to_vec(), "{\"query\":\"{ eventCursor }\"}".encode_utf16().flat_map(u16::to_be_bytes).collect()] {
            post(body).by(&ann).await.refused(400, "BAD_REQUEST", "cannot be read");
        }
    }

    /// F: L-02, L-10
    async fn a_body_that_is_too_long_is_not_read(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let filled = |length: usize| format!("{HELLO}{}", " ".repeat(length - HELLO.len()));
        post(filled(BODY_BYTES)).by(&ann).await.is_hello(Some("ann"));
        post(filled(BODY_BYTES + 1)).by(&ann).await.refused(413, "BAD_REQUEST", "longer than 1 MiB");

        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\n",
            ann.token
        );
        // Who says that it is too long is answered before a byte of it came, and the hub hangs up; who goes on sending for
        // a while is heard out, and can still read why.
        let mut wire = Wire::connect(&ann.url).await;
        wire.send(format!("{head}content-length: 20000000\r\n\r\n")).await;
        assert!(wire.head().await.expect("an answer").starts_with("HTTP/1.1 413 "));
        wire.send(vec![b' '; 4_000_000]).await;
        assert!(String::from_utf8_lossy(&wire.rest().await).contains("longer than 1 MiB"));

        // Who does not say so is cut off when it has become too long. What the network holds on the way counts as sent.
        let mut wire = Wire::connect(&ann.url).await;
        wire.send(format!("{head}transfer-encoding: chunked\r\n\r\n")).await;
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
        let mut sent = 0;
        let cut_off = within("an end", async {
            while sent < 400 {
                if tokio::io::AsyncWriteExt::write_all(&mut wire.stream, chunk.as_bytes()).await.is_err() {
                    return true;
                }
                sent += 1;
            }
            false
        });
        assert!(cut_off.await, "26 MB of a body that may have 1 MiB were taken");
        ann.cursor().await;
    }

    /// F: A-01
    async fn a_token_is_good_or_the_request_is_refused(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        for authorization in [
            "nonsense".to_owned(),
            "Bearer".to_owned(),
            "Bearer  ".to_owned(),
            format!("Basic {}", ann.token),
            format!("Bearer {}x", ann.token),
            format!("Bearer {}", world.token("ann", json!({ "exp": 1_700_000_000 }))),
        ] {
            for accept in ["application/json", "application/graphql-response+json", "text/event-stream"] {
                let request = post(HELLO).with("authorization", authorization.clone()).with("accept", accept);
                let answer = request.send(&ann.url).await;
                answer.refused(401, "UNAUTHENTICATED", "");
                assert_eq!(answer.header("www-authenticate"), "Bearer");
            }
        }
        // Nobody is somebody, too: what needs no viewer is answered, and what needs one is an error of its field.
        let nobody = post(r#"{"query":"{ viewer { user { name } } }"}"#).send(&ann.url).await;
        assert_eq!((nobody.status, nobody.json()["data"].clone()), (StatusCode::OK, json!({ "viewer": null })));
        let refused = post(r#"{"query":"{ eventCursor }"}"#).with("accept", "application/graphql-response+json").send(&ann.url).await;
        assert_eq!(refused.status, StatusCode::OK);
        assert_eq!(refused.json()["data"], Value::Null);
        assert_eq!(refused.json()["errors"][0]["extensions"]["code"], json!("UNAUTHENTICATED"));
        post(HELLO).with("authorization", format!("bearer   {}", ann.token)).send(&ann.url).await.is_hello(Some("ann"));
    }

    /// F: L-10
    async fn who_sends_headers_slowly_is_cut_off(backend) {
        let world = Setup::new(backend).config(|config| config.http.header_seconds = 1).start().await;
        let ann = world.person("ann").await;
        let mut slow = Wire::connect(&ann.url).await;
        slow.send("GET /health HTTP/1.1\r\nhost: hub\r\nx-slow: and so it").await;
        let began = std::time::Instant::now();
        // Who is not slow is served meanwhile.
        let mut prompt = Wire::connect(&ann.url).await;
        prompt.send("GET /health HTTP/1.1\r\nhost: hub\r\nx-slow: not at all\r\n\r\n").await;
        assert!(prompt.head().await.is_some_and(|head| head.starts_with("HTTP/1.1 200")));
        let rest = String::from_utf8(slow.rest().await).expect("an answer is text");
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{rest}");
        assert!(began.elapsed() > Duration::from_millis(900), "a moment of silence is nothing");
    }

    /// F: L-10
    async fn the_answer_is_written_in_the_order_of_the_question(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let document = "query { z: eventCursor viewer { user { role name ...F id } isOperator } ...G a: eventCursor }
            fragment F on User { createdAt name } fragment G on Query { m: __typename }";
        let answer = post(json!({ "query": document }).to_string()).by(&ann).await;
        let names = ["data", "\"z\"", "viewer", "user", "role", "name", "createdAt", "\"id\"", "isOperator", "\"m\"", "\"a\"", "extensions"];
        assert!(in_order(&answer.body, &names), "{}", answer.body);

        // What a thing turns out to be decides which of the fragments say the order.
        let tea = ann.group("Tea", &[]).await;
        let viewer = ann.ask("{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].clone();
        let document = "query($ids: [ID!]!) { nodes(ids: $ids) {
                ... on User { x: id y: createdAt k: __typename } ...F ... on Node { z: id }
            } }
            fragment F on Conversation { k: __typename y: createdAt x: id }";
        let body = json!({ "query": document, "variables": { "ids": [viewer, tea, viewer] } }).to_string();
        // New, and executed before.
        for _ in 0..2 {
            let answer = post(body.clone()).by(&ann).await;
            let user = ["\"x\"", "\"y\"", "\"k\":\"User\"", "\"z\""];
            let group = ["\"k\":\"Conversation\"", "\"y\"", "\"x\"", "\"z\""];
            for (node, names) in answer.body.split("},{").zip([user, group, user]) {
                assert!(in_order(node, &names), "{}", answer.body);
            }
            // Nothing else was asked for, neither to be told nor to be paid.
            assert_eq!(answer.json()["data"]["nodes"][1].as_object().map(serde_json::Map::len), Some(4), "{}", answer.body);
            assert_eq!(answer.json()["extensions"]["cost"]["requested"], json!(1 + 3 * 7), "{}", answer.body);
        }
        let document = "{ node(id: ID) { ... on Conversation { b: id a: __typename } a: __typename b: id } }";
        for (id, names) in [(json!(tea), ["\"b\"", "\"a\""]), (viewer.clone(), ["\"a\"", "\"b\""])] {
            let answer = post(json!({ "query": document.replace("ID", &id.to_string()) }).to_string()).by(&ann).await;
            assert!(in_order(&answer.body, &names), "{}", answer.body);
        }

        // What is asked for more than once is where it was asked for first; what an event tells is no other matter.
        let document = "subscription { events { ... on CaughtUp { a: cursor ...F b: cursor } __typename cursor a: cursor } }
            fragment F on CaughtUp { c: __typename }";
        let body = json!({ "query": document }).to_string();
        let mut wire = Wire::connect(&ann.url).await;
        wire.send(format!(
            "POST /graphql HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\naccept: text/event-stream\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            ann.token,
            body.len()
        ))
        .await;
        wire.head().await.expect("an answer");
        let event = wire.until("\n\n").await.expect("an event");
        assert!(in_order(&event, &["data", "\"a\"", "\"c\"", "\"b\"", "__typename", "cursor"]), "{event}");
    }

    /// F: L-10
    async fn what_fails_is_null_and_takes_with_it_what_cannot_be_without_it(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        ann.say(&tea, "hello").await;
        let conversation = |below: &str| format!("{{ viewer {{ isOperator }} conversation(id: \"{tea}\") {{ {below} }} }}");
        let viewer = json!({ "isOperator": false });
        for (document, data, path) in [
            // A page is never null, so that its conversation is, which may be.
            (conversation("title messages(first: 0) { nodes { id } }"), json!({ "viewer": viewer, "conversation": null }), json!(["conversation", "messages"])),
            (conversation("messages(first: 0) { nodes { id } }"), json!({ "viewer": viewer, "conversation": null }), json!(["conversation", "messages"])),
            (
                conversation("title messages(first: 1) { nodes { body conversation { id messages(last: 0) { nodes { id } } } } }"),
                json!({ "viewer": viewer, "conversation": { "title": "Tea", "messages": { "nodes": [{ "body": "hello", "conversation": null }] } } }),
                json!(["conversation", "messages", "nodes", 0, "conversation", "messages"]),
            ),
            // Above this one there is nothing that may be null but the whole.
            ("{ viewer { isOperator } conversations(first: 0) { nodes { id } } }".to_owned(), Value::Null, json!(["conversations"])),
        ] {
            let answer = post(json!({ "query": document }).to_string()).by(&ann).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
            assert!(answer.json().as_object().is_some_and(|answer| answer.contains_key("data")));
            assert_eq!(answer.json()["data"], data, "{document}");
            assert_eq!(answer.json()["errors"][0]["path"], path);
            assert_eq!(answer.json()["errors"].as_array().map(Vec::len), Some(1));
        }
        for (document, data) in [
            // Nobody is signed in, which is an error of each field that needs a viewer.
            ("{ node(id: \"x\") { id } viewer { isOperator } }", json!({ "node": null, "viewer": null })),
            ("{ node(id: \"x\") { id } }", json!({ "node": null })),
            ("{ viewer { isOperator } eventCursor }", Value::Null),
            ("mutation { typingStop(input: { conversationId: \"x\" }) { errors { code } } }", json!({ "typingStop": null })),
        ] {
            let answer = post(json!({ "query": document }).to_string()).send(&ann.url).await;
            assert_eq!(answer.json()["data"], data, "{document}: {}", answer.body);
            assert_eq!(answer.json()["errors"][0]["extensions"]["code"], json!("UNAUTHENTICATED"));
        }
        let nothing = post(json!({ "query": "{ viewer @skip(if: true) { isOperator } }" }).to_string()).by(&ann).await;
        assert_eq!(nothing.json()["data"], json!({}), "{}", nothing.body);
    }

    /// F: L-04
    async fn every_request_has_a_name_and_a_hostile_one_is_replaced(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        for id in ["x", "01a3185c50007bf683d8fc6efe91082b", "A-b_C-9", &"x".repeat(64)] {
            let answer = post("{").with("x-request-id", id).by(&ann).await;
            assert_eq!(answer.header("x-request-id"), id);
            assert_eq!(answer.json()["errors"][0]["extensions"]["requestId"], json!(id));
        }
        let mut seen = std::collections::HashSet::new();
        for id in ["", "a b", "a\tb", "<script>", "a\"b", "a/../b", "{}", "ünïcode", &"x".repeat(65)] {
            let answer = post("{").with("x-request-id", id).by(&ann).await;
            let made = answer.header("x-request-id").to_owned();
            assert!(made.len() == 32 && made.chars().all(|c| c.is_ascii_hexdigit()), "{made}");
            assert_eq!(answer.json()["errors"][0]["extensions"]["requestId"], json!(made));
            assert!(seen.insert(made), "each has its own");
        }
        for (path, status) in [("/health", StatusCode::OK), ("/nowhere", StatusCode::NOT_FOUND)] {
            let response = reqwest::get(format!("{}{path}", ann.url)).await.expect("an answer");
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["x-request-id"].len(), 32);
        }
    }

    /// F: L-02, L-10
    async fn a_stream_tells_an_operation_from_beginning_to_end(backend) {
        let world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let say = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { body } } }";
        for (document, variables, data) in [
            ("{ viewer { user { name } } }", json!({}), json!({ "viewer": { "user": { "name": "ann" } } })),
            (say, json!({ "input": { "conversationId": tea, "body": "a\nb" } }), json!({ "messageSend": { "message": { "body": "a\nb" } } })),
        ] {
            let mut stream = Stream::open(&ann, document, variables).await;
            let (event, answer) = stream.next().await.expect("an answer");
            assert_eq!((event.as_str(), &answer["data"]), ("next", &data));
            assert_eq!(stream.next().await, Some(("complete".to_owned(), Value::Null)));
            assert_eq!(stream.next().await, None);
        }
        // What can be asked by GET can be followed by GET, as browsers do it.
        let answer = get(&[("query", "{ viewer { user { name } } }")]).with("accept", "text/event-stream").by(&ann).await;
        assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
        assert!(answer.body.starts_with("event: next\ndata: {\"data\":{\"viewer\":"), "{}", answer.body);
        assert!(answer.body.ends_with("\n\nevent: complete\ndata: \n\n"), "{}", answer.body);

        let mut stream = Stream::open(&bob, EVENTS, json!({})).await;
        assert_eq!(stream.next().await.expect("an event").1["data"]["events"]["__typename"], json!("CaughtUp"));
        ann.say(&tea, "one\r\nevent: complete\ndata: \n\ntwo").await;
        let (event, answer) = stream.next().await.expect("an event");
        assert_eq!(event, "next");
        let said = &answer["data"]["events"];
        assert_eq!(said["message"]["body"], json!("one\r\nevent: complete\ndata: \n\ntwo"), "words end no stream");

        // Where it left off, it can be taken up again.
        let cursor = said["cursor"].clone();
        drop(stream);
        ann.say(&tea, "three").await;
        let mut stream = Stream::open(&bob, EVENTS, json!({ "input": { "after": cursor } })).await;
        assert_eq!(stream.next().await.expect("an event").1["data"]["events"]["message"]["body"], json!("three"));
        assert_eq!(stream.next().await.expect("an event").1["data"]["events"]["__typename"], json!("CaughtUp"));

        // What cannot be executed is refused before there is a stream, or is all that the stream tells.
        for (document, code) in [
            ("subscription { nonsense }", "BAD_REQUEST"),
            ("subscription { events(input: { after: \"x\" }) { cursor } }", "BAD_REQUEST"),
            ("{ nonsense }", "BAD_REQUEST"),
        ] {
            let mut stream = Stream::open(&ann, document, json!({})).await;
            let (event, answer) = stream.next().await.expect("an answer");
            assert_eq!((event.as_str(), &answer["errors"][0]["extensions"]["code"]), ("next", &json!(code)));
            assert_eq!(stream.next().await.expect("an end").0, "complete");
            assert_eq!(stream.next().await, None);
        }
        let stream = |body: &str| post(body).with("accept", "text/event-stream");
        stream("{").by(&ann).await.refused(400, "BAD_REQUEST", "cannot be read");
        let nobody = stream(&json!({ "query": EVENTS }).to_string()).send(&ann.url).await;
        assert_eq!(nobody.status, StatusCode::OK);
        assert!(nobody.body.contains("UNAUTHENTICATED") && nobody.body.ends_with("event: complete\ndata: \n\n"), "{}", nobody.body);
    }

    /// F: A-01, L-04
    async fn a_stream_ends_with_its_token_and_with_the_hub(backend) {
        let mut world = World::new(backend).await;
        let ann = world.person("ann").await;
        let soon = world.clock.now().0 / 1_000 + 60;
        let brief = Person::enter(&world, "ann", &world.token("ann", json!({ "exp": soon }))).await;
        let mut ends_soon = Stream::open(&brief, EVENTS, json!({})).await;
        let mut ends_later = Stream::open(&ann, EVENTS, json!({})).await;
        for stream in [&mut ends_soon, &mut ends_later] {
            assert_eq!(stream.next().await.expect("an event").1["data"]["events"]["__typename"], json!("CaughtUp"));
        }
        // Half a minute longer than it says: the clocks of issuers differ from ours.
        world.clock.advance(Duration::from_secs(90));
        let (event, answer) = ends_soon.next().await.expect("a reason");
        assert_eq!((event.as_str(), &answer["errors"][0]["extensions"]["code"]), ("next", &json!("UNAUTHENTICATED")));
        assert_eq!(answer["errors"][0]["message"], json!("the token has expired"));
        assert_eq!(ends_soon.next().await, None, "it is not complete, it is over");

        let tea = ann.group("Tea", &[]).await;
        // The users as whom plugins act may come at any time.
        let next = loop {
            let event = ends_later.next().await.expect("an event").1["data"]["events"].take();
            if event["__typename"] != json!("UserJoined") {
                break event;
            }
        };
        assert_eq!(next["conversation"]["id"], json!(tea));
        let began = std::time::Instant::now();
        let ((), end) = tokio::join!(world.stop(0), ends_later.next());
        assert_eq!(end, None, "nothing is complete, and so the client comes back");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    /// F: L-10
    async fn pages_of_other_origins_are_let_in_by_name(backend) {
        let setup = Setup::new(backend).config(|config| {
            config.http.cors_origins = vec!["https://chat.example".to_owned(), "http://localhost:5173".to_owned()];
        });
        let world = setup.start().await;
        let ann = world.person("ann").await;
        let preflight = |origin: &str| {
            get(&[])
                .method(Method::OPTIONS)
                .with("origin", origin)
                .with("access-control-request-method", "POST")
                .with("access-control-request-headers", "authorization, content-type, x-request-id")
        };
        for origin in ["https://chat.example", "http://localhost:5173"] {
            let answer = preflight(origin).send(&ann.url).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header("access-control-allow-origin"), origin);
            assert_eq!(answer.header("access-control-allow-methods"), "GET,POST");
            for name in ["authorization", "content-type", "accept", "x-request-id"] {
                assert!(answer.header("access-control-allow-headers").contains(name), "{name}");
            }
            assert_eq!(answer.header("access-control-max-age"), "3600");
            for request in [post(HELLO), get(&[("query", "{ viewer { user { name } } }")])] {
                let answer = request.with("origin", origin).by(&ann).await;
                answer.is_hello(Some("ann"));
                assert_eq!(answer.header("access-control-allow-origin"), origin);
                assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
                assert_eq!(answer.header("access-control-allow-credentials"), "", "there are no cookies to share");
            }
            // A page has to be able to read why it was refused.
            let answer = post("{").with("origin", origin).by(&ann).await;
            assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (400, origin));
        }
        for origin in ["https://evil.example", "https://chat.example.evil.example", "http://chat.example", "https://chat.example:8443", "null"] {
            for request in [preflight(origin), post(HELLO).with("origin", origin)] {
                let answer = request.by(&ann).await;
                assert_eq!(answer.header("access-control-allow-origin"), "", "{origin}");
            }
        }
        // Unless somebody says so, nobody is let in.
        let world = World::new(backend).await;
        assert_eq!(preflight("https://chat.example").send(&world.url(0)).await.header("access-control-allow-origin"), "");
        let world = Setup::new(backend).config(|config| config.http.cors_origins = vec!["*".to_owned()]).start().await;
        assert_eq!(preflight("https://any.example").send(&world.url(0)).await.header("access-control-allow-origin"), "*");
    }
}
