//! Traces: what one request made happen, from its beginning to the delivery of what came of it.

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World,
        account::does,
        backends,
        collector::{Collector, KEY, Span},
        process::Process,
        within,
    },
};

const MODERATION: &str = "jackfield.moderation";
const MENTIONS: &str = "jackfield.mentions";
/// What is said, by whom: nothing of it is for those who look at traces.
const WORDS: &str = "the darn samovar is hot";

/// A trace that somebody else has begun, and what in it asks us.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Sends a message as a part of what somebody else traces; answers the payload, and the name of the request.
async fn send(person: &Person, conversation: &str, body: &str, parent: &str) -> (Value, String) {
    let query = "mutation Secretive($input: MessageSendInput!) { messageSend(input: $input) { message { id } errors { code } } }";
    let input = json!({ "conversationId": conversation, "body": body });
    let asked = json!({ "query": query, "variables": { "input": input }, "operationName": "Secretive" });
    let request = person.http.post(format!("{}/graphql", person.url)).header("content-type", "application/json");
    let request = person.sign(request.header("traceparent", parent).body(asked.to_string()));
    let response = within("an answer", request.send()).await.expect("an answer");
    let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
    let answer: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
    (answer["data"]["messageSend"].clone(), id)
}

fn parent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{SPAN}-{flags}")
}

/// The one of a trace with this name.
fn only<'a>(spans: &'a [Span], trace: &str, name: &str) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.trace() == trace && span.name() == name).collect();
    let [only] = found[..] else { panic!("{} of {name} in {spans:#?}", found.len()) };
    only
}

/// The one part with this name that another one has.
fn part<'a>(spans: &'a [Span], whole: &Span, name: &str) -> &'a Span {
    let found: Vec<&Span> = spans.iter().filter(|span| span.name() == name && span.is_part_of(whole)).collect();
    let [only] = found[..] else { panic!("{} of {name} in {whole:?} among {spans:#?}", found.len()) };
    only
}

/// What something is a part of.
fn whole<'a>(spans: &'a [Span], part: &Span) -> &'a Span {
    spans.iter().find(|span| part.is_part_of(span)).unwrap_or_else(|| panic!("{part:?} is alone among {spans:#?}"))
}

fn has(spans: &[Span], trace: &str, name: &str) -> bool {
    spans.iter().any(|span| span.trace() == trace && span.name() == name)
}

/// Moderation that masks one word and refuses another.
async fn moderated(world: &World) {
    let owner = world.person_with("olga", json!({ "roles": ["owner"] })).await;
    let rules = json!([{ "kind": "words", "action": "mask", "words": ["darn"] }, { "kind": "words", "action": "reject", "words": ["heck"] }]);
    let enabled = does(&owner, "pluginEnable", json!({ "pluginId": MODERATION }), "").await;
    let configured =
        does(&owner, "pluginConfigure", json!({ "pluginId": MODERATION, "configuration": { "rules": rules } }), "")
            .await;
    assert_eq!((&enabled["errors"], &configured["errors"]), (&json!([]), &json!([])));
}

stories! {
    /// F: P-11, L-04
    async fn one_message_is_one_trace_from_the_request_to_its_delivery(backend) {
        let collector = Collector::start().await;
        let world = Setup::new(backend).nodes(2).config(collector.wanted()).start().await;
        moderated(&world).await;
        let (ann, bob) = (world.person("Annabella").await, world.person("Bobadilla").await);
        let tea = ann.group("Samovar society", &[&bob]).await;
        let mut socket = bob.at(&world, 1).socket().await;
        socket.follow("e", json!({})).await;

        // What the bus says is a hint: an event that the other node read in the table has no trace. Once bob has asked there
        // for something, and that is told, so is what was delivered to him before.
        let mut tries = 1..=10;
        let (trace, request_id, spans) = loop {
            let number = tries.next().expect("of ten deliveries none was traced");
            let trace = TRACE.replace("4b", &format!("{number:02x}"));
            let (sent, request_id) = send(&ann, &tea, WORDS, &parent(&trace, "01")).await;
            assert_eq!(sent["errors"], json!([]), "{sent}");
            socket.until_body("e", "the •••• samovar is hot").await;
            let of_bob = trace.replace("92f", "fff");
            send(&bob.at(&world, 1), &tea, "I hear", &parent(&of_bob, "01")).await;
            let spans = collector.until("what both asked", |spans| [&trace, &of_bob].iter().all(|trace| has(spans, trace, "POST /graphql"))).await;
            if has(&spans, &trace, "deliver") {
                break (trace, request_id, spans);
            }
        };
        let trace = trace.as_str();
        let request = only(&spans, trace, "POST /graphql");
        assert_eq!((request.parent().as_str(), request.is_of_a_server(), request.failed()), (SPAN, true, false));
        assert_eq!((request.word("jackfield.request_id"), request.number("http.response.status_code")), (request_id, 200));
        let operation = part(&spans, request, "graphql");
        assert_eq!((operation.word("graphql.operation.type"), operation.word("jackfield.fields")), ("mutation".to_owned(), "messageSend".to_owned()));
        part(&spans, operation, "rules");
        let hooks = part(&spans, operation, "hooks");
        assert_eq!(hooks.word("jackfield.hook"), "before-create");
        let plugin = part(&spans, hooks, "plugin");
        assert_eq!((plugin.word("jackfield.plugin"), plugin.word("jackfield.outcome")), (MODERATION.to_owned(), "patched".to_owned()));
        assert!(!plugin.failed() && plugin.number("jackfield.cpu_us") > 0 && plugin.nanoseconds() > 0);
        // The event brings the trace along, also to another node.
        let told = spans.iter().filter(|span| span.trace() == trace && span.name() == "deliver");
        // What plugins do about it afterwards is told, too.
        let told: Vec<&Span> = told.filter(|span| span.word("jackfield.event") == "message_sent").collect();
        let [deliver] = told[..] else { panic!("one delivery among {spans:#?}") };
        let commit = whole(&spans, deliver);
        assert!(commit.name() == "commit" && commit.is_part_of(operation), "{commit:?} among {spans:#?}");
        assert_eq!(commit.number("jackfield.batch"), 1);
        assert_eq!((deliver.word("jackfield.event"), deliver.number("jackfield.subscriptions")), ("message_sent".to_owned(), 1));
        assert_eq!(deliver.node == request.node, backend == Backend::Embedded);
        assert!(spans.iter().all(|span| span.service == "jackfield"));

        for secret in [WORDS, "samovar", "Samovar", "Secretive", &ann.token, &bob.token, "Annabella", "Bobadilla", KEY] {
            assert!(!collector.holds(secret), "{secret} was told");
        }
        assert!(collector.holds(MODERATION), "and what is told would be found");
    }

    /// F: P-11
    async fn what_plugins_refuse_and_what_they_do_afterwards_belongs_to_the_trace(backend) {
        let collector = Collector::start().await;
        let world = Setup::new(backend).config(collector.wanted()).start().await;
        moderated(&world).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let mut socket = bob.socket().await;
        socket.follow("e", json!({ "kinds": ["MENTIONS_UPDATED"] })).await;

        let (sent, _) = send(&ann, &tea, "what the heck", &parent(TRACE, "01")).await;
        assert_eq!(sent["errors"][0]["code"], json!("REFUSED_BY_PLUGIN"));
        let spans = collector.until("the refusal", |spans| has(spans, TRACE, "POST /graphql")).await;
        let hooks = only(&spans, TRACE, "hooks");
        let plugin = part(&spans, hooks, "plugin");
        assert_eq!((plugin.word("jackfield.outcome").as_str(), plugin.failed()), ("rejected", false), "that is what it is for");
        assert!(!has(&spans, TRACE, "deliver"));

        // What comes of telling a plugin of the message is delivered as a part of the same.
        let other = TRACE.replace('4', "5");
        send(&ann, &tea, "hello @bob", &parent(&other, "01")).await;
        socket.event("e").await;
        let mentions = |span: &Span| span.trace() == other && span.name() == "plugin" && span.word("jackfield.plugin") == MENTIONS;
        let spans = collector.until("what mentions did", |spans| {
            spans.iter().any(mentions) && has(spans, &other, "deliver") && has(spans, &other, "POST /graphql")
        }).await;
        let told = spans.iter().find(|span| mentions(span)).expect("it was there");
        assert_eq!((told.word("jackfield.hook"), told.word("jackfield.outcome")), ("on-events".to_owned(), "told".to_owned()));
        assert_eq!(told.number("jackfield.events"), 1);
        let deliver = only(&spans, &other, "deliver");
        assert_eq!(deliver.word("jackfield.event"), "mentions_updated");
        let operation = only(&spans, &other, "graphql");
        let (of_message, of_plugin) = (whole(&spans, told), whole(&spans, deliver));
        assert!(of_message.is_part_of(operation) && of_plugin.is_part_of(told), "{spans:#?}");
        assert_eq!((of_message.name(), of_plugin.word("jackfield.change")), ("commit", "TurnStep".to_owned()));
    }

    /// F: L-04
    async fn what_is_traced_is_decided_here_and_by_chance(backend) {
        let none = Collector::start().await;
        let wanted = none.wanted();
        let mut world = Setup::new(backend).config(move |config| { wanted(config); config.traces.sample = 0.0; }).start().await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        send(&ann, &tea, "quiet", &parent(TRACE, "01")).await;
        assert_eq!(ann.history(&tea).await, ["quiet"]);
        world.stop(0).await;
        assert!(none.spans().is_empty(), "nobody forces a trace upon us");

        let all = Collector::start().await;
        let world = Setup::new(backend).config(all.wanted()).start().await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        send(&ann, &tea, "loud", &parent(TRACE, "00")).await;
        send(&ann, &tea, "no parent", "00-nonsense-01").await;
        // Each operation of a socket is a trace, as is each request.
        let mut socket = ann.socket().await;
        socket.subscribe("q", "{ viewer { user { name } } nonsense: eventCursor }", json!({})).await;
        socket.next("q").await;
        let spans = all.until("the socket's", |spans| spans.iter().any(|span| span.name() == "WebSocket operation")).await;
        assert!(has(&spans, TRACE, "commit"), "nor keeps us from it");
        let operation = spans.iter().find(|span| span.name() == "WebSocket operation").expect("it was there");
        let asked = only(&spans, &operation.trace(), "graphql");
        assert!(asked.is_part_of(operation) && operation.parent().is_empty() && operation.is_of_a_server());
        assert_eq!(asked.word("jackfield.fields"), "eventCursor viewer", "by the names of the schema");
        let roots = spans.iter().filter(|span| span.name() == "POST /graphql" && span.parent().is_empty());
        let traces: std::collections::HashSet<String> = roots.map(Span::trace).collect();
        let sent = spans.iter().filter(|span| span.name() == "commit" && traces.contains(&span.trace()));
        assert!(sent.count() >= 1, "what names no parent is a trace of its own");
        ann.get("/health").await;
        assert!(all.spans().iter().all(|span| !span.name().contains("health")));
    }

    /// F: L-04
    async fn a_collector_that_is_gone_or_silent_holds_nobody_up(backend) {
        // Nobody listens at the one; the other takes connections and never says a word.
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        for address in [gone, silent.local_addr().expect("an address")] {
            let mut world = Setup::new(backend).config(move |config| config.traces.endpoint = Some(format!("http://{address}"))).start().await;
            let (ann, bob) = (world.person("ann").await, world.person("bob").await);
            let tea = ann.group("Tea", &[&bob]).await;
            let mut socket = bob.socket().await;
            socket.follow("e", json!({})).await;
            for number in 0..20 {
                let began = std::time::Instant::now();
                ann.say(&tea, &format!("cup {number}")).await;
                assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
            }
            socket.until_body("e", "cup 19").await;
            drop(socket);
            let began = std::time::Instant::now();
            world.stop(0).await;
            assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
        }
    }

    /// F: L-04, L-06
    async fn what_was_traced_is_sent_before_the_program_ends(backend) {
        let collector = Collector::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let database = match backend {
            Backend::Embedded => Vec::new(),
            Backend::Cluster => vec!["--database".to_owned(), backends::postgres(&backends::empty_database().await)],
        };
        let flags: Vec<&str> = database.iter().map(String::as_str).collect();
        let environment = [
            ("JACKFIELD_TRACES__ENDPOINT", format!("http://{}/v1/traces", collector.address)),
            ("JACKFIELD_TRACES__SERVICE_NAME", "the house".to_owned()),
            ("JACKFIELD_TRACES__HEADERS__X-KEY", KEY.to_owned()),
        ];
        let hub = Process::start(folder.path(), &flags, &environment).await;
        let ann = hub.somebody(folder.path(), &flags, "ann").await;
        let tea = ann.group("Tea", &[]).await;
        send(&ann, &tea, "last words", &parent(TRACE, "01")).await;
        assert!(hub.terminate().await, "told to stop, it ends well");
        let spans = collector.spans();
        assert!(["POST /graphql", "graphql", "rules", "commit"].iter().all(|name| has(&spans, TRACE, name)), "{spans:#?}");
        assert_eq!(spans[0].service, "the house");
    }
}
