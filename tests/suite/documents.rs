//! Documents and bodies that are made to hurt. Each is refused for the price of reading it, in words that name the
//! limit, and what lies just within the limit is served.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    stories,
    support::{Person, Setup, World, person::text},
};

/// No refusal takes the hub longer.
const SOON: Duration = Duration::from_millis(50);
/// The machine may have other things to do: of so many tries, one has to be quick enough.
const TRIES: usize = 20;

/// A document that asks for too much, and one that asks for just as much as it may.
struct Limit {
    what: &'static str,
    too_much: String,
    enough: String,
    code: &'static str,
    says: &'static str,
}

fn limit(what: &'static str, too_much: String, enough: String, says: &'static str) -> Limit {
    Limit { what, too_much, enough, code: "COMPLEXITY_LIMIT", says }
}

impl Limit {
    /// Not too much, but wrong in so many places that it would be costly to say so of each.
    fn wrong(self) -> Self {
        Limit { code: "BAD_REQUEST", ..self }
    }

    async fn check(&self, person: &Person) {
        let (status, answer) = soon(person, &request(&self.too_much)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{}: {answer}", self.what);
        refused(&answer, self.code, self.says);

        let (status, answer) = post(person, &request(&self.enough)).await;
        assert_eq!(status, StatusCode::OK, "{}: {answer}", self.what);
        assert!(answer["data"].is_object() && answer.get("errors").is_none(), "{}: {answer}", self.what);
    }
}

/// Of several operations, the first is meant; `$v` is an id for whoever wants one.
fn request(document: &str) -> String {
    let name = document.starts_with("query Q0").then_some("Q0");
    json!({ "query": document, "operationName": name, "variables": { "v": "x" } }).to_string()
}

async fn post(person: &Person, body: &str) -> (StatusCode, Value) {
    let response = person.post(body).await;
    let (status, body) = (response.status(), response.text().await.expect("a body"));
    (status, serde_json::from_str(&body).unwrap_or_else(|_| panic!("no JSON: {body}")))
}

/// Posts it until it is answered soon.
async fn soon(person: &Person, body: &str) -> (StatusCode, Value) {
    let mut best = Duration::MAX;
    for _ in 0..TRIES {
        let began = Instant::now();
        let answer = post(person, body).await;
        best = best.min(began.elapsed());
        if best < SOON {
            return answer;
        }
    }
    panic!("it took {best:?}: {body:.200}");
}

/// Nothing was executed, and the first error says why.
fn refused(answer: &Value, code: &str, says: &str) {
    let error = &answer["errors"][0];
    assert!(answer.get("data").is_none(), "{answer}");
    assert_eq!(error["extensions"]["code"], json!(code), "{answer}");
    assert!(text(&error["message"]).contains(says), "{error:.500} does not say: {says}");
    assert!(text(&error["message"]).len() < 300, "{error:.500}");
    assert!(error["extensions"]["requestId"].is_string(), "{error}");
    assert!(answer["errors"].as_array().is_some_and(|errors| errors.len() <= 100), "an answer is not a bomb, either");
}

/// Fragments of which each spreads the next one so many times.
fn ladder(steps: usize, rung: &str, last: &str) -> String {
    let step = |number: usize| {
        format!("fragment F{number} on Query {{ {} }} ", rung.replace("NEXT", &format!("...F{}", number + 1)))
    };
    (0..steps).map(step).collect::<String>() + &last.replace("LAST", &format!("fragment F{steps} on Query"))
}

/// Nine spreads of a fragment of 499 fields, and some: 4,999 parts, and those.
fn written_out(more: usize) -> String {
    let (spreads, fields, more) = ("...F ".repeat(9), "__typename ".repeat(499), "__typename ".repeat(more));
    format!("{{ {spreads} {more} }} fragment F on Query {{ {fields} }}")
}

fn within(open: &str, times: usize, inside: &str, close: &str) -> String {
    format!("{}{inside}{}", open.repeat(times), close.repeat(times))
}

/// As a tool asks that wants to know everything.
fn everything() -> String {
    let of = within("ofType { kind name ", 9, "", "}");
    let argument = "{ name description defaultValue type { ...Type } }";
    format!(
        "query {{ __schema {{ queryType {{ name }} mutationType {{ name }} subscriptionType {{ name }}
            types {{ kind name description specifiedByURL
                fields(includeDeprecated: true) {{
                    name description args {argument} type {{ ...Type }} isDeprecated deprecationReason }}
                inputFields {argument} interfaces {{ ...Type }}
                enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }}
                possibleTypes {{ ...Type }} }}
            directives {{ name description locations args {argument} }} }} }}
        fragment Type on __Type {{ kind name {of} }}"
    )
}

stories! {
    /// F: L-02
    async fn fragments_that_explode_are_refused_before_anybody_walks_them(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let parts = "the parts of the document, written out, are";
        let last = "LAST { __typename }";
        for limit in [
            limit("to the last part", written_out(2), written_out(1), "are 5001, and at most 5000"),
            limit(
                "used",
                format!("{{ ...F0 }} {}", ladder(20, "NEXT NEXT", last)),
                format!("{{ ...F0 }} {}", ladder(9, "NEXT NEXT", last)),
                parts,
            ),
            limit(
                "half as deep and much wider",
                format!("{{ ...F0 }} {}", ladder(8, &"NEXT ".repeat(40), last)),
                format!("{{ ...F0 }} {}", ladder(2, &"NEXT ".repeat(30), last)),
                parts,
            ),
            // The stock validators complain of an unused fragment only after they have walked it.
            limit("unused", format!("{{ eventCursor }} {}", ladder(20, "NEXT NEXT", last)), "{ eventCursor }".into(), parts),
            // There is not a single field to count.
            limit("undefined", format!("{{ ...F0 }} {}", ladder(20, "NEXT NEXT", "")), "{ eventCursor }".into(), parts),
            limit(
                "in inline fragments",
                format!("{{ ...F0 }} {}", ladder(16, "... { NEXT ... on Query { NEXT } }", last)),
                format!("{{ ...F0 }} {}", ladder(8, "... { NEXT ... on Query { NEXT } }", last)),
                parts,
            ),
            limit(
                "below fields",
                format!(
                    "{{ viewer {{ user {{ ...F0 }} }} }} {}",
                    ladder(20, "NEXT NEXT", "LAST { id }").replace("Query", "User")
                ),
                format!(
                    "{{ viewer {{ user {{ ...F0 }} }} }} {}",
                    ladder(9, "NEXT NEXT", "LAST { id }").replace("Query", "User")
                ),
                parts,
            ),
            limit(
                "with directives",
                format!("{{ ...F0 }} {}", ladder(8, "NEXT @include(if: true) NEXT @skip(if: false)", last)),
                format!("{{ ...F0 }} {}", ladder(4, "NEXT @include(if: true) NEXT", last)),
                "the directives of the document are",
            ),
            limit(
                "from many operations",
                (0..400).map(|number| format!("query Q{number} {{ ...F }} ")).collect::<String>()
                    + &format!("fragment F on Query {{ {} }}", "__typename ".repeat(30)),
                (0..100).map(|number| format!("query Q{number} {{ ...F }} ")).collect::<String>()
                    + &format!("fragment F on Query {{ {} }}", "__typename ".repeat(30)),
                parts,
            ),
        ] {
            limit.check(&ann).await;
        }
    }

    /// Whoever walks a document follows it with the stack: what is nested too deep would end the process.
    ///
    /// F: L-02
    async fn what_is_nested_too_deep_is_refused(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let inline = |levels: usize| within("... {", levels, "NEXT", "}");
        let replies = |times: usize| format!("{{ message(id: \"x\") {{ {} }} }}", within("replyTo {", times, "id", "}"));
        let in_lists = |levels: usize| {
            format!("{{ node(id: \"x\") @include(if: true) {{ id }} nodes(ids: {}) {{ id }} }}", within("[", levels, "\"x\"", "]"))
        };
        let nesting = "the nesting of the document is 101, and at most 100";
        let behind = |string: &str| format!("{{ __typename }} query Q($v: [String] = [{string}, {} ", "[".repeat(15_000));
        let text_of_brackets = format!(
            "{{ node(id: \"\\\"{0}\") {{ id }} message(id: \"\"\"{0}\\\"\"\"{0}\"\"\") {{ id }} }} # {0}",
            "[".repeat(500)
        );
        let chain = |steps: usize| format!("{{ ...F0 }} {}", ladder(steps, "NEXT", "LAST { __typename }"));
        for limit in [
            limit("fields", replies(14), replies(13), "the depth of the document is 16, and at most 15"),
            limit("a chain of fragments", chain(99), chain(50), "written out, is 101, and at most 100"),
            limit(
                "to the last level",
                format!("{{ ... {{ ...F0 }} }} {}", ladder(2, &inline(48), "LAST { __typename }")),
                format!("{{ ...F0 }} {}", ladder(2, &inline(48), "LAST { __typename }")),
                "written out, is 101, and at most 100",
            ),
            limit("a chain as long as can be", chain(390), chain(50), "the nesting of the document"),
            limit(
                "inline fragments in a chain",
                format!("{{ ...F0 }} {}", ladder(40, &inline(50), "LAST { __typename }")),
                format!("{{ ...F0 }} {}", ladder(1, &inline(50), "LAST { __typename }")),
                "the nesting of the document",
            ),
            limit("a chain that nobody uses", format!("{{ __typename }} {}", chain(390).replace("{ ...F0 }", "")), chain(1), "nesting"),
            limit("braces that never close", "{a".repeat(8_000), "{ __typename }".into(), "the nesting of the document"),
            limit("lists", in_lists(5_000), in_lists(1), "the nesting of the document"),
            limit(
                "objects",
                format!("{{ nodes(ids: {}) {{ id }} }}", within("{a:", 2_000, "1", "}")),
                "{ nodes(ids: []) { id } }".into(),
                "the nesting of the document",
            ),
            limit(
                "types of variables",
                format!("query($v: {}) {{ __typename }}", within("[", 2_000, "ID", "]")),
                "query($v: [ID!] = []) { nodes(ids: $v) { id } }".into(),
                "the nesting of the document",
            ),
            // The same in one definition, which the parser refuses by itself.
            limit(
                "inline fragments",
                format!("{{ {} }}", within("... {", 90, "__typename", "}")),
                format!("{{ {} }}", within("... {", 60, "__typename", "}")),
                "recursion",
            )
            .wrong(),
            // Brackets in strings and comments are none, but the parser has its own mind about where a string ends.
            limit("brackets behind half a string", behind(r#""""x""#), text_of_brackets.clone(), nesting),
            limit("brackets behind an odd string", behind(r#""""\\""" """"#), text_of_brackets.clone(), nesting),
            limit("brackets behind a string", behind(r#""\\""#), text_of_brackets.clone(), nesting),
            limit(
                "brackets behind a comment",
                format!("{{ __typename }} #\r{}", "[".repeat(8_000)),
                text_of_brackets.clone(),
                nesting,
            ),
        ] {
            limit.check(&ann).await;
        }
    }

    /// F: L-02
    async fn every_other_limit_is_named_and_holds_to_the_last_unit(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let repeated = |times: usize, part: &dyn Fn(usize) -> String| {
            format!("{{ {} }}", (0..times).map(part).collect::<String>())
        };
        let aliases = |times| repeated(times, &|number| format!("a{number}: __typename "));
        let directives = |times| repeated(times, &|_| "__typename @include(if: true) ".to_owned());
        let long = |bytes: usize| format!("{{ __typename }} #{}", " ".repeat(bytes - 16));
        let pages = |first: usize| {
            format!("{{ conversations(first: 100) {{ nodes {{ messages(first: {first}) {{ nodes {{ id }} }} }} }} }}")
        };
        let circle = |turns: usize| format!("{{ __schema {{ types {{ {} }} }} }}", within("fields { type {", turns, "name", "} }"));
        let again = |times: usize| format!("{{ __schema {{ types {{ {} }} }} }}", "fields { name } ".repeat(times));
        for limit in [
            limit("aliases", aliases(31), aliases(30), "the aliases of the document are 31, and at most 30"),
            limit("very many aliases", aliases(900), aliases(1), "the aliases of the document are 900"),
            limit("directives", directives(31), directives(30), "the directives of the document are 31, and at most 30"),
            limit("bytes", long(16_385), long(16_384), "the bytes of the document are 16385, and at most 16384"),
            limit("a megabyte", long(1_000_000), long(1_000), "the bytes of the document are 1000000"),
            limit("pages of pages", pages(44), pages(43), "the cost of the document is 10011, and at most 10000"),
            limit("no number of pages is too large to be counted", pages(i64::MAX as usize), pages(1), "the cost of the document"),
            limit("circles", circle(3), circle(2), "the turns that introspection takes are 3, and at most 2"),
            limit("the same of every type", again(900), again(100), "the fields that introspection answers with"),
            limit(
                "every type again and again",
                format!("{{ {} }}", "__schema { types { fields { name } } } ".repeat(400)),
                everything(),
                "the fields that introspection answers with",
            ),
        ] {
            limit.check(&ann).await;
        }
    }

    /// What is called by one name in the answer is one field, wherever in the document it is asked for; only of two objects
    /// that cannot be one and the same may different fields be asked for, and then they are of one type.
    ///
    /// F: L-02
    async fn one_name_in_an_answer_is_one_field(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let different = |name: &str| format!("the fields called {name} are not the same");
        let of_types = |name: &str| format!("the fields called {name} are not of the same type");
        let node = |below: &str| format!("{{ node(id: \"x\") {{ {below} }} }}");
        let user = |below: &str| format!("{{ viewer {{ user {{ id }} }} viewer {{ user {{ {below} }} }} }}");
        for (wrong, says, right) in [
            // Outside of a fragment and within it.
            (node("... on User { createdAt } createdAt: __typename"), different("createdAt"), node("... on User { createdAt } kind: __typename")),
            (node("a: __typename ... on User { a: name }"), different("a"), node("a: __typename ... on User { a: __typename }")),
            (node("... { a: __typename } ... on User { a: id }"), different("a"), node("... { a: id } ... on User { a: id }")),
            (node("... on Node { a: id } ... on User { a: name }"), different("a"), node("... on Node { a: id } ... on User { a: id }")),
            (
                format!("{} fragment U on User {{ id: name }}", node("... { ...U } id")),
                different("id"),
                format!("{} fragment U on User {{ id name }}", node("... { ...U } id")),
            ),
            // Below one field that is asked for in two places.
            (user("id: name"), different("id"), user("id name")),
            (user("id: __typename"), different("id"), user("kind: __typename")),
            (
                node("... on Message { sender { a: id } } ... on Message { sender { a: name } }"),
                different("a"),
                node("... on Message { sender { a: id } } ... on Message { sender { a: id name } }"),
            ),
            (
                format!("{} fragment A on Message {{ replyTo {{ sender {{ a: name }} }} }}", node("...A ... on Message { replyTo { sender { a: statusText } } }")),
                different("a"),
                format!("{} fragment A on Message {{ replyTo {{ sender {{ a: name }} }} }}", node("...A ... on Conversation { a: title }")),
            ),
            // By their arguments, in whatever order.
            (
                "{ conversations(first: 1) { nodes { id } } conversations(last: 1) { nodes { id } } }".to_owned(),
                different("conversations"),
                "{ conversations(first: 1, after: null) { nodes { id } } conversations(after: null, first: 1) { nodes { id } } }".to_owned(),
            ),
            // Nothing is two things at once, and so these may differ, but a client has to know what to expect.
            (node("... on User { a: name } ... on Conversation { a: title }"), of_types("a"), node("... on User { a: statusText } ... on Conversation { a: title }")),
            (node("... on User { a: id } ... on Conversation { a: memberCount }"), of_types("a"), node("... on User { a: id } ... on Conversation { a: id }")),
            (node("... on Message { a: sender { id } } ... on Conversation { a: title }"), of_types("a"), node("... on Message { a: sender { id } } ... on Conversation { a: creator { id } }")),
            (
                node("... on Message { a: sender { b: name } } ... on Conversation { a: lastMessage { b: sequence } }"),
                of_types("b"),
                node("... on Message { a: sender { b: name } } ... on Conversation { a: lastMessage { b: body } }"),
            ),
            (node("... on Conversation { a: typing { id } } ... on Message { a: sender { id } }"), of_types("a"), node("... on Conversation { a: typing { id } }")),
        ] {
            let (status, answer) = post(&ann, &request(&wrong)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}: {answer}");
            refused(&answer, "BAD_REQUEST", &says);
            let (status, answer) = post(&ann, &request(&right)).await;
            assert_eq!((status, answer.get("errors")), (StatusCode::OK, None), "{right}: {answer}");
        }
        // A name may be as long as the document, and what is said of it is not.
        let long = "a".repeat(7_000);
        let (_, answer) = post(&ann, &request(&format!("{{ {long}: __typename {long}: eventCursor }}"))).await;
        refused(&answer, "BAD_REQUEST", "are not");
    }

    /// F: L-02
    async fn what_is_wrong_a_thousand_times_is_told_once_or_some_hundred_times(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let arguments = |count: usize| (0..count).map(|number| format!("a{number}: 1 ")).collect::<String>();
        let bad = |what, too_much, enough: &str, says| limit(what, too_much, enough.to_owned(), says).wrong();
        for limit in [
            // Each of the fields differs from the first in each of its arguments.
            bad(
                "fields that cannot be merged",
                format!("{{ node({}) {{ id }} {} }}", arguments(1_000), "node ".repeat(1_000)),
                "{ node(id: \"x\") { id } node(id: \"x\") { __typename } }",
                "the fields called node are not the same",
            ),
            bad(
                "two fields of one name",
                "{ viewer { user { id: name id } } }".to_owned(),
                "{ viewer { user { id id name } } }",
                "the fields called id are not the same",
            ),
            bad(
                "two fields of one name in fragments",
                "{ viewer { user { ...A ...B } } } fragment A on User { x: id } fragment B on User { x: name }".to_owned(),
                "{ viewer { user { ...A ...B } } } fragment A on User { x: id } fragment B on User { x: id }",
                "the fields called x are not the same",
            ),
            bad(
                "two fields of one name, deep down",
                format!("{{ {} }}", within("... {", 60, &format!("a: viewer {} a: eventCursor", "__typename ".repeat(1_200)), "}")),
                "{ ... { a: __typename } ... on Query { a: __typename } }",
                "the fields called a are not the same",
            ),
            bad(
                "two fields of one name, of every kind of event and of each of them",
                format!("subscription {{ events {{ {} {} cursor: __typename }} }}", "cursor ".repeat(400), "... on MessageSent { cursor } ... on MessageEdited { cursor } ".repeat(180)),
                "{ node(id: \"x\") { id ... on User { id } ... on Message { id } } }",
                "the fields called cursor are not",
            ),
            bad("unknown fields", format!("{{ {} }}", "b ".repeat(4_900)), "{ __typename }", "Unknown field"),
            bad(
                "unknown variables",
                (0..60).map(|number| format!("query Q{number} {{ ...F }} ")).collect::<String>()
                    + &format!("fragment F on Query {{ nodes(ids: [{}]) {{ id }} }}", (0..75).map(|n| format!("$v{n} ")).collect::<String>()),
                "query Q0($v: ID!) { ...F } query Q1($v: ID!) { ...F } fragment F on Query { nodes(ids: [$v]) { id } }",
                "is not defined by operation",
            ),
            bad(
                "unused variables",
                format!("query({}) {{ __typename }}", (0..1_000).map(|number| format!("$v{number}: Int ")).collect::<String>()),
                "query($v: ID!) { node(id: $v) { id } }",
                "is not used",
            ),
            bad(
                "circles of fragments",
                format!("{{ ...F0 }} {}", ladder(50, "NEXT NEXT", "LAST { ...F0 }")),
                "{ ...F0 } fragment F0 on Query { __typename }",
                "contains itself",
            ),
            bad(
                "a fragment in itself, unused",
                "{ __typename } fragment F on Query { viewer { user { id } } ...F }".to_owned(),
                "{ ...F } fragment F on Query { viewer { user { id } } }",
                "the fragment F contains itself",
            ),
        ] {
            limit.check(&ann).await;
        }
    }

    /// Nothing is executed with a value that is not what the schema says, whether it is written or given, and whether the
    /// document is new or was executed before.
    ///
    /// F: L-02
    async fn a_value_of_the_wrong_type_is_refused_and_its_place_is_named(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let send = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id } errors { code } } }";
        let create = "mutation($input: ConversationCreateInput!) { conversationCreate(input: $input) { conversation { id } } }";
        let page = "query($n: Int) { conversations(first: $n) { nodes { id } } }";
        let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
        let from = "query($id: ID!, $at: DateTime) { conversation(id: $id) { messages(first: 1, from: $at) { nodes { id } } } }";
        let shown = "query($b: Boolean!) { __typename eventCursor @include(if: $b) }";
        let group = |more: Value| {
            let mut input = json!({ "type": "GROUP", "title": "a", "memberIds": [] });
            input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            json!({ "input": input })
        };
        let good = [
            (send, json!({ "input": { "conversationId": tea, "body": "a", "replyToId": null } })),
            (create, group(json!({ "context": { "type": "order", "id": "1" } }))),
            (page, json!({ "n": 1 })),
            (page, json!({ "n": 2, "unknown": [] })),
            (nodes, json!({ "ids": ["x", 1] })),
            // One thing is as good as a list of it.
            (nodes, json!({ "ids": "x" })),
            (from, json!({ "id": tea, "at": "2026-01-31T12:00:00.000Z" })),
            (from, json!({ "id": tea, "at": null })),
            (from, json!({ "id": tea })),
            (shown, json!({ "b": false })),
        ];
        let bad = [
            (send, json!({ "input": { "conversationId": tea, "body": 1 } }), "$input is wrong at body: it must be String"),
            (send, json!({ "input": { "conversationId": null, "body": "a" } }), "$input is wrong at conversationId: it must be ID!"),
            (send, json!({ "input": { "body": "a" } }), "$input is wrong at conversationId: ID! must be given"),
            (send, json!({ "input": { "conversationId": tea, "body": "a", "bdy": "b" } }), "$input is wrong at bdy: MessageSendInput has no such field"),
            (send, json!({ "input": { "conversationId": 1.5, "body": "a" } }), "$input is wrong at conversationId: it must be ID!"),
            (send, json!({ "input": "a" }), "$input is wrong: it must be MessageSendInput!"),
            (send, json!({ "input": null }), "$input of type MessageSendInput! must be given"),
            (send, json!({}), "$input of type MessageSendInput! must be given"),
            (create, group(json!({ "type": "CROWD" })), "$input is wrong at type: it must be"),
            (create, group(json!({ "context": { "type": "order", "id": true } })), "$input is wrong at context.id: it must be"),
            (create, group(json!({ "memberIds": ["x", {}] })), "$input is wrong at memberIds.1: it must be ID!"),
            (page, json!({ "n": "1" }), "$n is wrong: it must be Int"),
            (page, json!({ "n": 1.0 }), "$n is wrong: it must be Int"),
            (page, json!({ "n": [1] }), "$n is wrong: it must be Int"),
            (nodes, json!({ "ids": ["x", null] }), "$ids is wrong at 1: it must be ID!"),
            (from, json!({ "id": tea, "at": "yesterday" }), "$at is wrong: it must be DateTime"),
            (shown, json!({ "b": "yes" }), "$b is wrong: it must be Boolean!"),
        ];
        // In the second round each document has been executed before.
        for _ in 0..2 {
            for (document, variables) in &good {
                let (status, answer) = post(&ann, &json!({ "query": document, "variables": variables }).to_string()).await;
                assert_eq!(status, StatusCode::OK, "{variables}: {answer}");
                assert!(answer["data"].is_object() && answer.get("errors").is_none(), "{variables}: {answer}");
            }
            for (document, variables, says) in &bad {
                let (status, answer) = post(&ann, &json!({ "query": document, "variables": variables }).to_string()).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{variables}: {answer}");
                refused(&answer, "BAD_REQUEST", says);
            }
        }

        for document in [
            "{ __typename @include(if: true) }",
            "{ node(id: 1) { id } conversations(first: 1) { nodes { id } } }",
            "{ nodes(ids: \"x\") { id } }",
            "query Q0($v: ID! = \"x\") { nodes(ids: [$v]) { id } }",
            "mutation { conversationCreate(input: { type: GROUP, title: \"a\", memberIds: [] }) { conversation { id } } }",
            "mutation M($v: ID!) { typingStop(input: { conversationId: $v }) { errors { code } } }",
        ] {
            let (status, answer) = post(&ann, &json!({ "query": document, "variables": { "v": "x" } }).to_string()).await;
            assert_eq!(status, StatusCode::OK, "{document}: {answer}");
        }
        for (document, says) in [
            ("{ __typename(a: 1) }", "__typename takes no argument a"),
            ("{ __typename @nonsense }", "there is no directive @nonsense"),
            ("{ __typename @include(if: 1) }", "the argument if of @include is wrong: it must be Boolean!"),
            ("{ __typename @include }", "@include needs the argument if"),
            ("{ __typename @include(if: true, unless: true) }", "@include takes no argument unless"),
            ("{ node(id: 1.5) { id } }", "the argument id of node is wrong: it must be ID!"),
            ("{ conversations(first: \"1\") { nodes { id } } }", "the argument first of conversations is wrong: it must be Int"),
            ("{ nodes(ids: [\"x\", true]) { id } }", "the argument ids of nodes is wrong at 1: it must be ID!"),
            ("query($v: ID! = 1.5) { node(id: $v) { id } }", "the default of the variable $v is wrong: it must be ID!"),
            // What is skipped is not executed, and what nobody asked for is not either.
            ("{ node(id: true) @skip(if: true) { id } __typename }", "the argument id of node is wrong"),
            ("query Q0 { __typename } query Q1 { node(id: true) { id } }", "the argument id of node is wrong"),
            (
                "mutation { conversationCreate(input: { type: \"GROUP\", title: \"a\", memberIds: [] }) { conversation { id } } }",
                "the argument input of conversationCreate is wrong at type: it must be",
            ),
            (
                "mutation { messageSend(input: { conversationId: \"x\", body: 1 }) { message { id } } }",
                "the argument input of messageSend is wrong at body: it must be String!",
            ),
        ] {
            let (status, answer) = post(&ann, &request(document)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{document}: {answer}");
            refused(&answer, "BAD_REQUEST", says);
        }
    }

    /// F: L-02
    async fn every_answer_says_what_it_cost(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        for (document, cost, depth) in [
            ("{ __typename }", 1, 1),
            ("{ viewer { user { id name } } }", 4, 3),
            // A page is a look at the store, and what lies below it costs as often as the page is long.
            ("{ conversations(first: 10) { nodes { id title } } }", 11 + 10 * (1 + 2), 3),
            ("{ conversations(last: 5) { edges { cursor node { id } } pageInfo { endCursor } } }", 11 + 5 * (4 + 2), 4),
            ("query($n: Int!) { conversations(first: $n) { nodes { id } } }", 11 + 7 * 2, 3),
            ("query($m: Int = 20) { conversations(first: $m) { nodes { id } } }", 11 + 20 * 2, 3),
            (
                "{ conversations(first: 3) { nodes { messages(last: 4) { nodes { id } } members(first: 2) { nodes { role } } } } }",
                11 + 3 * (1 + (11 + 4 * 2) + (11 + 2 * 2)),
                5,
            ),
            ("query($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }", 1 + 3 * 2, 2),
            ("{ nodes(ids: [\"x\", \"y\"]) { ... on Message { sender { name } } } }", 1 + 2 * 2, 3),
            ("{ nodes(ids: []) { id } }", 2, 2),
            ("{ ...F ...F a: eventCursor } fragment F on Query { viewer { isOperator } }", 5, 2),
            ("query($n: Int!) { ...F } fragment F on Query { conversations(first: $n) { nodes { id } } }", 11 + 7 * 2, 3),
            ("{ viewer @skip(if: true) { isOperator } eventCursor }", 3, 2),
            ("{ message(id: \"nonsense\") { id } }", 2, 2),
            ("mutation { typingStop(input: { conversationId: \"x\" }) { errors { code message } } }", 4, 3),
        ] {
            let body = json!({ "query": document, "variables": { "n": 7, "ids": ["x", "y", "z"] } }).to_string();
            let (_, answer) = post(&ann, &body).await;
            let expected = json!({ "requested": cost, "limit": 10_000, "depth": depth });
            assert_eq!(answer["extensions"]["cost"], expected, "{document}\n{answer}");
        }
        // A list of ids is as dear as it is long, wherever it stands.
        let ids = |count: usize| json!({ "query": "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", "variables": { "ids": vec!["x"; count] } });
        let (_, answer) = soon(&ann, &ids(20_000).to_string()).await;
        refused(&answer, "COMPLEXITY_LIMIT", "the cost of the document is 20001, and at most 10000");
        let (_, answer) = post(&ann, &ids(101).to_string()).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], json!("BAD_REQUEST"), "{answer}");
        assert!(text(&answer["errors"][0]["message"]).contains("at most 100"), "{answer}");
        assert_eq!(post(&ann, &ids(100).to_string()).await.1["data"]["nodes"], json!(vec![Value::Null; 100]));
    }

    /// A field is a field, however long it is.
    ///
    /// F: L-02
    async fn an_answer_is_only_so_long(backend) {
        let setup = Setup::new(backend).config(|config| config.graphql.max_answer_bytes = 40_000);
        let world = setup.start().await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let start = ann.cursor().await;
        for _ in 0..10 {
            ann.say(&tea, &"abcdefghij".repeat(100)).await;
        }
        let bodies = |aliases: usize| (0..aliases).map(|number| format!("b{number}: body ")).collect::<String>();
        let page = |aliases: usize| {
            let query = format!("{{ conversation(id: \"{tea}\") {{ messages(first: 10) {{ nodes {{ {} }} }} }} }}", bodies(aliases));
            json!({ "query": query }).to_string()
        };
        // The second time without the validator.
        for _ in 0..2 {
            let (status, answer) = post(&ann, &page(4)).await;
            assert_eq!((status, answer["data"]["conversation"]["messages"]["nodes"].as_array().map(Vec::len)), (StatusCode::OK, Some(10)));
            let (status, answer) = post(&ann, &page(5)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST);
            refused(&answer, "COMPLEXITY_LIMIT", "and at most 40000 is allowed");
        }

        // What follows is bound event by event, and what is too long is told in its place.
        let deep = |aliases: usize| {
            format!(
                "subscription($input: EventsInput) {{ events(input: $input) {{ cursor __typename ... on MessageSent {{
                    conversation {{ messages(first: 10) {{ nodes {{ {} }} }} }} }} }} }}",
                bodies(aliases)
            )
        };
        let mut socket = ann.socket().await;
        for (id, aliases) in [("enough", 4), ("too much", 5)] {
            socket.subscribe(id, &deep(aliases), json!({ "input": { "after": start } })).await;
            for _ in 0..10 {
                let answer = socket.next(id).await;
                if aliases == 4 {
                    assert_eq!(answer["data"]["events"]["__typename"], json!("MessageSent"), "{answer:.300}");
                } else {
                    assert_eq!(answer["errors"][0]["extensions"]["code"], json!("COMPLEXITY_LIMIT"), "{answer:.300}");
                }
            }
            assert_eq!(socket.next(id).await["data"]["events"]["__typename"], json!("CaughtUp"));
        }
    }

    /// F: L-02
    async fn a_body_that_is_no_request_is_refused(backend) {
        let world = World::new(backend).await;
        let ann = world.person("ann").await;
        let query = r#"{"query":"{ __typename }""#;
        let deep = |levels: usize| within("[", levels, "", "]");
        for (body, says) in [
            (String::new(), "cannot be read"),
            ("null".to_owned(), "cannot be read"),
            ("\"{ __typename }\"".to_owned(), "cannot be read"),
            (format!("[{query}}}]"), "batches are not taken"),
            (format!(" \n[{}]", vec![format!("{query}}}"); 10_000].join(",")), "batches are not taken"),
            (deep(100_000), "batches are not taken"),
            ("{}".to_owned(), "query must be given"),
            (r#"{"query":null}"#.to_owned(), "query must be given"),
            (r#"{"query":1}"#.to_owned(), "cannot be read"),
            (r#"{"query":["{ __typename }"]}"#.to_owned(), "cannot be read"),
            (format!("{query},\"query\":\"{{ eventCursor }}\"}}"), "duplicate field"),
            (format!("{query},\"operationName\":1}}"), "cannot be read"),
            (format!("{query},\"operationName\":\"B\"}}"), "no operation of that name"),
            (r#"{"query":"query A { __typename } query B { __typename }"}"#.to_owned(), "operationName must say"),
            (format!("{query},\"variables\":\"{{}}\"}}"), "cannot be read"),
            (format!("{query},\"variables\":[]}}"), "cannot be read"),
            (format!("{query},\"variables\":{{\"a\":1e999}}}}"), "cannot be read"),
            (format!("{query},\"variables\":{{\"a\":{}}}}}", deep(300)), "recursion limit"),
            (format!("{query},\"variables\":{{\"a\":{}", "[".repeat(500_000)), "recursion limit"),
            (format!("{query},\"variables\":{{\"a\":{}", "{\"a\":".repeat(100_000)), "recursion limit"),
            (format!("{query},\"extensions\":1}}"), "cannot be read"),
            (format!("{query}}} {{}}"), "cannot be read"),
            (query.to_owned(), "cannot be read"),
            ("{\"query\":\"{ __typename }\0\"}".to_owned(), "cannot be read"),
            (r#"{"query":"{ __typename }\u0000"}"#.to_owned(), ""),
            (r#"{"query":"{ __typename }\ud800"}"#.to_owned(), "cannot be read"),
            (r#"{"query":""}"#.to_owned(), ""),
            (r#"{"query":"{ "}"#.to_owned(), ""),
            // The complaint does not repeat the line.
            (format!("{{\"query\":\"{{ {}) }}\"}}", "a ".repeat(1_000)), "line 1, column 2003: "),
            (r#"{"query":"type A { a: Int }"}"#.to_owned(), ""),
            (r#"{"documentId":"00"}"#.to_owned(), "no documents are kept here"),
        ] {
            let (status, answer) = soon(&ann, &body).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body:.200}\n{answer}");
            refused(&answer, "BAD_REQUEST", says);
        }
        for body in [
            format!("{query}}}"),
            format!(" {query}, \"operationName\": null, \"variables\": null, \"extensions\": null, \"documentId\": null}}\n"),
            format!("{query},\"extensions\":{{\"any\":[1]}},\"unknown\":{}}}", deep(100)),
            format!("{query},\"variables\":{{\"a\":{}}}}}", deep(120)),
            format!("{query},\"variables\":{{\"a\":1,\"a\":2}}}}"),
        ] {
            let (status, answer) = post(&ann, &body).await;
            assert_eq!((status, &answer["data"]), (StatusCode::OK, &json!({ "__typename": "Query" })), "{body:.200}");
        }
    }

    /// F: L-02, M-04
    async fn what_no_database_can_store_is_refused_by_name(backend) {
        let world = World::new(backend).await;
        let (ann, owner) = (world.person("ann").await, world.operator().await);
        let tea = ann.group("Tea", &[]).await;
        // A NUL is fine in JSON and in GraphQL, and not in PostgreSQL.
        for (person, mutation, input) in [
            (&ann, "conversationCreate", json!({ "type": "GROUP", "memberIds": [], "title": "a\0b" })),
            (&ann, "conversationCreate", json!({ "type": "GROUP", "memberIds": [], "title": "a", "description": "a\0b" })),
            (&ann, "conversationCreate", json!({ "type": "GROUP", "memberIds": ["a\0b"], "title": "a" })),
            (&ann, "conversationCreate", json!({ "type": "GROUP", "memberIds": [], "title": "a", "context": { "type": "a\0b", "id": "1" } })),
            (&ann, "conversationCreate", json!({ "type": "GROUP", "memberIds": [], "title": "a", "context": { "type": "a", "id": "a\0b" } })),
            (&ann, "conversationMemberAdd", json!({ "conversationId": "a\0b", "memberIds": [] })),
            (&ann, "conversationMemberAdd", json!({ "conversationId": tea, "memberIds": ["a\0b"] })),
            (&ann, "messageSend", json!({ "conversationId": "a\0b", "body": "a" })),
            (&ann, "messageSend", json!({ "conversationId": tea, "body": "a\0b" })),
            (&ann, "messageSend", json!({ "conversationId": tea, "body": "a", "replyToId": "a\0b" })),
            (&ann, "messageSend", json!({ "conversationId": tea, "body": "a", "clientMessageId": "a\0b" })),
            (&ann, "typingStart", json!({ "conversationId": "a\0b" })),
            (&owner, "workspaceCreate", json!({ "slug": "a\0b", "name": "a" })),
            (&owner, "workspaceCreate", json!({ "slug": "a", "name": "a\0b" })),
        ] {
            let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
            let document = format!("mutation($input: {kind}!) {{ {mutation}(input: $input) {{ errors {{ code path }} }} }}");
            let found = person.ask(&document, json!({ "input": input })).await;
            let errors = &found[mutation]["errors"];
            assert_eq!(errors.as_array().map(Vec::len), Some(1), "{mutation} {input}: {found}");
            assert!(["INVALID", "NOT_FOUND"].contains(&text(&errors[0]["code"]).as_str()), "{mutation} {input}: {found}");
        }
        for document in [
            "query($v: ID!) { node(id: $v) { id } }",
            "query($v: ID!) { message(id: $v) { id } }",
            "query($v: ID!) { conversation(id: $v) { id } }",
        ] {
            assert!(ann.ask(document, json!({ "v": "a\0b" })).await.as_object().is_some_and(|data| data.values().all(Value::is_null)));
        }
        let document = "query($v: String!) { conversations(first: 1, after: $v) { nodes { id } } }";
        assert_eq!(ann.fault(document, json!({ "v": "a\0b" })).await, "BAD_REQUEST");
    }

    /// F: L-02
    async fn where_documents_are_trusted_no_other_is_executed(backend) {
        let known = "query Known { viewer { user { name } } }";
        let hash = |document: &str| Sha256::digest(document).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("trusted.json");
        // Tests look at who they are with this one.
        let hello = "{ viewer { user { id } } }";
        let documents = json!({ hash(known): known, hash(hello): hello });
        std::fs::write(&file, documents.to_string()).expect("a file");
        let setup = Setup::new(backend).config(move |config| config.graphql.trusted_documents = Some(file.clone()));
        let world = setup.start().await;
        let ann = world.person("ann").await;

        for request in [
            json!({ "documentId": hash(known) }),
            json!({ "documentId": format!("sha256:{}", hash(known)), "operationName": "Known" }),
            json!({ "query": known }),
            json!({ "query": known, "documentId": hash(known) }),
        ] {
            let (status, answer) = post(&ann, &request.to_string()).await;
            assert_eq!(status, StatusCode::OK, "{request}");
            assert_eq!(answer["data"]["viewer"]["user"]["name"], json!("ann"), "{request}");
        }
        for request in [
            json!({ "query": "{ viewer { user { name } } }" }),
            json!({ "query": format!("{known} ") }),
            json!({ "query": "{ __schema { types { name } } }" }),
            json!({ "query": "mutation { typingStop(input: { conversationId: \"x\" }) { errors { code } } }" }),
            json!({ "documentId": hash("{ eventCursor }") }),
            json!({ "documentId": "" }),
            // Whoever says both is believed the id alone.
            json!({ "query": known, "documentId": hash("{ eventCursor }") }),
        ] {
            let (status, answer) = soon(&ann, &request.to_string()).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{request}");
            refused(&answer, "UNTRUSTED_DOCUMENT", "only trusted documents are executed here");
        }
        let (_, answer) = soon(&ann, "{}").await;
        refused(&answer, "BAD_REQUEST", "query or documentId must be given");

        let mut socket = ann.socket().await;
        socket.subscribe("1", "subscription { events { cursor } }", json!({})).await;
        let message = socket.hear().await;
        assert_eq!(message["type"], json!("error"));
        assert_eq!(message["payload"][0]["extensions"]["code"], json!("UNTRUSTED_DOCUMENT"));
        socket.say(json!({ "id": "1", "type": "subscribe", "payload": { "documentId": hash(known) } })).await;
        assert_eq!(socket.next("1").await["data"]["viewer"]["user"]["name"], json!("ann"));
    }

    /// F: L-02
    async fn a_schema_can_be_kept_to_oneself(backend) {
        let open = World::new(backend).await;
        let ann = open.person("ann").await;
        assert!(ann.ask("{ __schema { types { name } } }", json!({})).await["__schema"]["types"].is_array());
        assert_eq!(ann.ask("{ __type(name: \"User\") { name } }", json!({})).await, json!({ "__type": { "name": "User" } }));
        let (_, answer) = post(&ann, &request("{ viewr { user { id } } }")).await;
        refused(&answer, "BAD_REQUEST", "Did you mean \"viewer\"?");

        let closed = Setup::new(backend).config(|config| config.graphql.introspection = false).start().await;
        let ann = closed.person("ann").await;
        for document in ["{ __schema { types { name } } }", "{ __type(name: \"User\") { name } }", "{ ...F } fragment F on Query { s: __schema { types { name } } }"] {
            let (status, answer) = soon(&ann, &request(document)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
            refused(&answer, "BAD_REQUEST", "introspection is switched off");
        }
        for document in ["{ viewr { user { id } } }", "{ viewer { usr } }", "{ node(ID: 1) { id } }", "mutation { messageSen }", "{ node(id: 1) { ... on Mesage { id } } }"] {
            let (_, answer) = soon(&ann, &request(document)).await;
            refused(&answer, "BAD_REQUEST", "");
            assert!(!answer.to_string().contains("Did you mean"), "{answer}");
        }
        // Which type something has is told by the answer, not by the schema.
        assert_eq!(ann.ask("{ viewer { user { __typename } } }", json!({})).await, json!({ "viewer": { "user": { "__typename": "User" } } }));
    }
}
