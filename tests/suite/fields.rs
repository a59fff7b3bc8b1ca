//! Fields that plugins add to the API: asked for like any other, answered by one call for a page, held against the plugin's own
//! schema, and there as long as the plugin is installed.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World,
        account::does,
        guest::{FIELDS, fields, owner, switch},
        packages::{install, try_install},
        person::{refusal, text},
        within,
    },
};

/// A hub whose workspace `default` has the plugin on.
async fn with_fields(backend: Backend) -> (World, Person) {
    let world = Setup::new(backend).plugin(fields(|_| {})).start().await;
    let owner = owner(&world).await;
    switch(&owner, FIELDS, None, true).await;
    (world, owner)
}

async fn lies(owner: &Person, lie: &str) {
    let input = json!({ "pluginId": FIELDS, "configuration": { "lie": lie } });
    assert_eq!(does(owner, "pluginConfigure", input, "").await["errors"], json!([]), "{lie}");
}

/// How often the plugin was called, and how often it failed.
async fn called(owner: &Person) -> (u64, Value) {
    let found = owner.ask("{ plugins { id health { calls failures { kind count } } } }", json!({})).await;
    let plugins = found["plugins"].as_array().expect("plugins");
    let health = &plugins.iter().find(|plugin| plugin["id"] == json!(FIELDS)).expect("it is installed")["health"];
    (health["calls"].as_u64().expect("a number"), health["failures"].clone())
}

const WRITE: &str = "mutation($input: FieldWriteInput!) { fieldWrite(input: $input) {
    word { text voice speaker { id } } errors { code message plugin pluginCode } } }";

async fn write(person: &Person, input: Value) -> Value {
    person.ask(WRITE, json!({ "input": input })).await["fieldWrite"].take()
}

/// A schema with this in place of something.
fn changed(from: &str, to: &str) -> Vec<u8> {
    fields(|manifest| {
        let sdl = text(&manifest["graphql"]);
        assert!(sdl.contains(from), "{from} is not in it");
        manifest["graphql"] = json!(sdl.replacen(from, to, 1));
    })
}

stories! {
    /// F: P-07
    async fn clients_ask_for_what_a_plugin_adds_like_for_anything_else(backend) {
        let (world, _) = with_fields(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        let said = ann.say(&tea, "hello").await;
        let query = "query($id: ID!, $loud: Boolean!, $no: Boolean = false, $few: Int) {
            few: fieldWords(first: $few) { text }
            fieldWords(first: 2, voice: LOUD) { __typename w: text voice since parts { text length voice } }
            message(id: $id) {
                fieldWord(loud: $loud) { ...Word }
                soft: fieldWord { ... on FieldWord { text voice } never: text @include(if: $no) gone: length @skip(if: true) }
                sender { fieldName }
            }
            conversation(id: \"TEA\") { fieldCalls lastMessage { fieldWord { text } } }
        }
        fragment Word on FieldWord { text voice said { id body sender { name } } speaker { name fieldName } place { title } }"
            .replace("TEA", &tea);
        let found = bob.ask(&query, json!({ "id": said["id"], "loud": true })).await;
        let words = ["one", "two"].map(|word| json!({
            "__typename": "FieldWord", "w": word, "voice": "LOUD", "since": "2026-01-02T03:04:05.000Z",
            "parts": [{ "text": "a", "length": 1, "voice": null }],
        }));
        assert_eq!(found, json!({
            "few": [{ "text": "one" }, { "text": "two" }, { "text": "three" }],
            "fieldWords": words,
            "message": {
                "fieldWord": {
                    "text": "HELLO", "voice": "LOUD", "said": { "id": said["id"], "body": "hello", "sender": { "name": "ann" } },
                    "speaker": { "name": "ann", "fieldName": "ann as bob sees them" }, "place": { "title": "Tea" },
                },
                "soft": { "text": "hello", "voice": "SOFT" },
                "sender": { "fieldName": "ann as bob sees them" },
            },
            "conversation": { "fieldCalls": 1, "lastMessage": { "fieldWord": { "text": "hello" } } },
        }));

        // What is told live has them, too: for each who hears it with their own eyes.
        let mut socket = bob.socket().await;
        let query = "subscription { events(input: { kinds: [MESSAGE_SENT] }) { __typename ... on MessageSent {
            message { body fieldWord(loud: true) { text } sender { fieldName } } } } }";
        socket.subscribe("s", query, json!({})).await;
        socket.until_caught_up("s").await;
        ann.say(&tea, "live").await;
        assert_eq!(socket.event("s").await["message"], json!({
            "body": "live", "fieldWord": { "text": "LIVE" }, "sender": { "fieldName": "ann as bob sees them" },
        }));

        // What is wrong is told before anybody is asked, as with the core's own.
        for (query, complaint) in [
            ("{ fieldWords(first: \"two\") { text } }", "first"),
            ("{ fieldWords(voice: HOARSE) { text } }", "voice"),
            ("{ fieldWords(last: 1) { text } }", "last"),
            ("{ fieldWords { words } }", "words"),
            ("{ fieldWords }", "fieldWords"),
            ("mutation { fieldWrite(input: { times: 2 }) { errors { code } } }", "words"),
        ] {
            let answer = bob.answer(query, json!({})).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], json!("BAD_REQUEST"), "{query}: {answer}");
            assert!(text(&answer["errors"][0]["message"]).contains(complaint), "{query}: {answer}");
        }

        // Tools see it with what it says of itself.
        let asked = "{ word: __type(name: \"FieldWord\") { description fields { name description type { kind ofType { name } } } }
            message: __type(name: \"Message\") { fields { name description args { name description defaultValue } } }
            how: __type(name: \"FieldHowInput\") { inputFields { name description defaultValue } }
            voice: __type(name: \"FieldVoice\") { enumValues { name description } } }";
        let told = bob.ask(asked, json!({})).await;
        assert_eq!(told["word"]["description"], json!("A word, and what there is to it."));
        assert_eq!(told["word"]["fields"][0], json!({
            "name": "text", "description": "The word.", "type": { "kind": "NON_NULL", "ofType": { "name": "String" } },
        }));
        let fields = told["message"]["fields"].as_array().expect("fields");
        assert!(fields.contains(&json!({
            "name": "fieldWord", "description": "What the plugin makes of it.",
            "args": [{ "name": "loud", "description": "Whether to shout.", "defaultValue": "false" }],
        })), "{fields:?}");
        assert_eq!(told["how"]["inputFields"], json!([{ "name": "voice", "description": "How loud.", "defaultValue": "SOFT" }]));
        assert_eq!(told["voice"]["enumValues"], json!([
            { "name": "LOUD", "description": "For all to hear." }, { "name": "SOFT", "description": "For some." },
        ]));
    }

    /// F: P-07, L-02
    async fn a_page_of_fifty_messages_is_one_call(backend) {
        let (world, owner) = with_fields(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        for number in 0..50 {
            ann.say(&tea, &format!("number {number}")).await;
        }
        let before = called(&owner).await;
        let query = "query($id: ID!) { conversation(id: $id) { messages(first: 50) { nodes { body fieldWord { text speaker { name } } } } } }";
        let found = ann.ask(query, json!({ "id": tea })).await;
        let nodes = found["conversation"]["messages"]["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), 50);
        for node in nodes {
            assert_eq!(node["fieldWord"], json!({ "text": node["body"], "speaker": { "name": "ann" } }));
        }
        assert_eq!(called(&owner).await, (before.0 + 1, json!([])));
        // What is asked for with other arguments is another question.
        let query = "query($id: ID!) { conversation(id: $id) { messages(first: 50) { nodes { fieldWord { text } loud: fieldWord(loud: true) { text } } } } }";
        ann.ask(query, json!({ "id": tea })).await;
        assert_eq!(called(&owner).await, (before.0 + 3, json!([])));
    }

    /// F: P-07, P-01
    async fn what_a_plugin_lies_about_is_an_error_in_its_place(backend) {
        let (world, owner) = with_fields(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let (first, _) = (ann.say(&tea, "fail").await, ann.say(&tea, "go on").await);
        let query = "query($id: ID!) { conversation(id: $id) { title messages(first: 2) { nodes { body
            fieldWord { text length voice since said { id } speaker { name } parts { length } } } } } }";
        let asked = async |lie: &str| {
            lies(&owner, lie).await;
            let answer = ann.answer(query, json!({ "id": tea })).await;
            let place = &answer["data"]["conversation"];
            assert_eq!((&place["title"], place["messages"]["nodes"][1]["body"].as_str()), (&json!("Tea"), Some("go on")), "{lie}: {answer}");
            let errors = answer["errors"].as_array().cloned().unwrap_or_default();
            for error in &errors {
                assert_eq!(error["extensions"]["code"], json!("PLUGIN_FAILED"), "{lie}: {error}");
                assert_eq!(error["path"].as_array().expect("a path")[..2], [json!("conversation"), json!("messages")], "{lie}: {error}");
            }
            (place["messages"]["nodes"].clone(), errors)
        };
        let (nodes, errors) = asked("").await;
        let whole = |body: &str, said: &Value| json!({
            "text": body, "length": body.chars().count(), "voice": "SOFT", "since": "2026-01-02T03:04:05.000Z", "said": { "id": said },
            "speaker": { "name": "ann" }, "parts": null,
        });
        assert_eq!((&nodes[0]["fieldWord"], errors.len()), (&whole("fail", &first["id"]), 0));

        // Where something must be there, what it belongs to is not; everything else is.
        for lie in ["type", "null", "large", "object"] {
            let (nodes, errors) = asked(lie).await;
            assert_eq!((&nodes[0]["fieldWord"], &nodes[1]["fieldWord"]), (&Value::Null, &Value::Null), "{lie}");
            assert_eq!(errors.len(), 2, "{lie}: {errors:?}");
        }
        for (lie, field) in [("enum", "voice"), ("date", "since"), ("eternity", "since"), ("list", "parts"), ("item", "parts"), ("id", "speaker")] {
            let (nodes, errors) = asked(lie).await;
            let mut expected = whole("fail", &first["id"]);
            expected[field] = Value::Null;
            assert_eq!((&nodes[0]["fieldWord"], errors.len()), (&expected, 2), "{lie}: {errors:?}");
        }
        let (nodes, errors) = asked("moment").await;
        assert_eq!((&nodes[0]["fieldWord"]["since"], errors.len()), (&json!("2026-01-02T03:03:05.000Z"), 0), "also as a number");
        // What is not there for the viewer is no error, and nothing.
        let (nodes, errors) = asked("other").await;
        assert_eq!((&nodes[0]["fieldWord"]["said"], errors.len()), (&Value::Null, 0));
        let (nodes, errors) = asked("effects").await;
        assert_eq!((&nodes[0]["fieldWord"], errors.len()), (&whole("fail", &first["id"]), 0), "what it wants to do meanwhile is not done");
        // One that fails does not keep the others from theirs.
        let (nodes, errors) = asked("one").await;
        assert_eq!((&nodes[0]["fieldWord"], &nodes[1]["fieldWord"]["text"]), (&Value::Null, &json!("go on")));
        assert_eq!((errors.len(), &errors[0]["path"]), (1, &json!(["conversation", "messages", "nodes", 0, "fieldWord"])));

        // Where it fails at all, nothing is there of it.
        // Which of two limits it meets first is for the machine to say.
        for (lie, either) in [("few", ["ANSWER"; 2]), ("huge", ["OUTPUT", "MEMORY"]), ("trap", ["TRAP"; 2]), ("slow", ["CPU_TIME", "WALL_TIME"])] {
            let (nodes, errors) = asked(lie).await;
            assert_eq!((&nodes[0]["fieldWord"], &nodes[1]["fieldWord"], errors.len()), (&Value::Null, &Value::Null, 2), "{lie}");
            let (_, failures) = called(&owner).await;
            let kinds: Vec<String> = failures.as_array().expect("failures").iter().map(|failure| text(&failure["kind"])).collect();
            assert!(kinds.iter().any(|found| either.contains(&found.as_str())), "{lie}: {failures}");
        }
        // The admins find out why.
        let logs = owner.ask("{ plugins { id logs { text } } }", json!({})).await.to_string();
        assert!(logs.contains("Message.fieldWord of ") && logs.contains("as it was told to"), "{logs}");
    }

    /// F: P-07, P-05
    async fn nobody_reaches_through_a_field_what_is_not_theirs(backend) {
        let (world, _) = with_fields(backend).await;
        let (ann, eve) = (world.person("ann").await, world.person("eve").await);
        let tea = ann.group("Tea", &[]).await;
        let said = ann.say(&tea, "between us").await;
        let query = "query($id: ID!) { message(id: $id) { fieldWord { text said { body } } } }";
        assert_eq!(ann.ask(query, json!({ "id": said["id"] })).await["message"]["fieldWord"]["said"]["body"], json!("between us"));
        assert_eq!(eve.ask(query, json!({ "id": said["id"] })).await["message"], Value::Null);
        // What it posts it posts where the viewer may.
        let posted = write(&eve, json!({ "words": ["from outside"], "conversationId": tea })).await;
        assert_eq!((&posted["word"], &posted["errors"][0]["code"]), (&Value::Null, &json!("NOT_FOUND")));
        assert_eq!(ann.history(&tea).await, ["between us"]);
        let nobody = Person { token: String::new(), ..ann.clone() };
        assert_eq!(nobody.fault("{ fieldWords { text } }", json!({})).await, "UNAUTHENTICATED");
        assert_eq!(nobody.fault("mutation { fieldWrite(input: { words: [] }) { errors { code } } }", json!({})).await, "UNAUTHENTICATED");
        // In another workspace it is off.
        let odo = world.person_of("elsewhere", "odo", "owner").await;
        assert_eq!(odo.ask("{ fieldWords { text } }", json!({})).await, json!({ "fieldWords": null }));
    }

    /// F: P-07, P-02
    async fn what_a_field_does_is_done_before_it_answers(backend) {
        let (world, owner) = with_fields(backend).await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let done = write(&ann, json!({ "words": "hey", "conversationId": tea, "how": {} })).await;
        assert_eq!(done, json!({ "word": { "text": "heyhey", "voice": "SOFT", "speaker": { "id": ann.id } }, "errors": [] }));
        assert_eq!(ann.history(&tea).await, ["heyhey"]);
        let refused = write(&ann, json!({ "words": [] })).await;
        assert_eq!(refused, json!({ "word": null, "errors": [{
            "code": "REFUSED_BY_PLUGIN", "message": "That is nothing, and it was tried 2 times.", "plugin": FIELDS, "pluginCode": "NOTHING_TO_WRITE",
        }] }));
        // Who only looks does nothing.
        switch(&owner, FIELDS, None, false).await;
        let off = write(&ann, json!({ "words": ["hey"] })).await;
        assert_eq!((&off["word"], &off["errors"][0]["code"], &off["errors"][0]["plugin"]), (&Value::Null, &json!("PLUGIN_DISABLED"), &json!(FIELDS)));
        let query = "query($id: ID!) { fieldWords { text } conversation(id: $id) { fieldCalls lastMessage { body fieldWord { text } } } }";
        let found = ann.ask(query, json!({ "id": tea })).await;
        assert_eq!(found, json!({ "fieldWords": null, "conversation": { "fieldCalls": null, "lastMessage": { "body": "heyhey", "fieldWord": null } } }));
        // In one conversation it may be on.
        switch(&owner, FIELDS, Some(&tea), true).await;
        let found = ann.ask(query, json!({ "id": tea })).await;
        assert_eq!(found["conversation"], json!({ "fieldCalls": 1, "lastMessage": { "body": "heyhey", "fieldWord": { "text": "heyhey" } } }));
        let coffee = ann.group("Coffee", &[]).await;
        assert_eq!(ann.ask(query, json!({ "id": coffee })).await["conversation"], json!({ "fieldCalls": null, "lastMessage": null }));
    }

    /// F: P-07
    async fn schemas_that_cannot_be_are_refused_by_their_lines(backend) {
        let world = World::new(backend).await;
        let operator = world.operator().await;
        for (from, to, complaint) in [
            ("enum FieldVoice {", "enum FieldVoice", "line 3, column 3"),
            ("enum FieldVoice {", "enum Voice {", "line 2, column 6: the type Voice must begin with the plugin's name, as Field… does"),
            ("extend type Message {", "extend type Workspace {", "Workspace cannot be extended: extend one of Query, Mutation, Message, Conversation, User"),
            ("fieldWord(\"Whether to shout.\" loud: Boolean! = false): FieldWord", "fieldWord: FieldWord!", "Message.fieldWord must be nullable, for where the plugin is off: FieldWord"),
            ("fieldCalls: Int", "calls: Int", "the field calls must begin with the plugin's name, as field… does"),
            ("length: Int!", "length: Colour!", "a field cannot be of the type Colour"),
            ("words: [String!]!", "words: [FieldWord!]!", "words cannot be of the type FieldWord"),
            ("said: Message", "said: HeldMessage", "a field cannot be of the type HeldMessage"),
            ("errors: [UserError!]!", "errors: [String!]!", "must answer an object of the plugin's own that has `errors: [UserError!]!`"),
            ("fieldWrite(\"What.\" input: FieldWriteInput!)", "fieldWrite(words: [String!]!)", "fieldWrite must take one argument, `input`"),
            ("type FieldWord {", "type FieldWord implements Node {", "implement no interfaces"),
            ("type FieldWord {", "union FieldThing = FieldWord type FieldWord {", "no interfaces and unions"),
            ("type FieldWord {", "scalar FieldColour type FieldWord {", "no scalars of its own"),
            ("type FieldWord {", "directive @field on OBJECT type FieldWord {", "defines no directives"),
            ("\"How loud something is said.\"", "schema { query: FieldWord } \"How loud something is said.\"", "no `schema` of its own"),
            ("parts: [FieldWord!]", "parts(first: Int): [FieldWord!]", "take no arguments"),
            ("voice: FieldVoice\n", "voice: FieldVoice @auth\n", "the directive @auth means nothing here"),
            ("\"How often.\"\n  times: Int! = 2", "times: Int! = \"two\"", "times"),
        ] {
            let payload = try_install(&operator, changed(from, to), &[]).await;
            let (code, _) = refusal(&payload);
            let message = text(&payload["errors"][0]["message"]);
            assert_eq!(code, "INVALID", "{to}: {payload}");
            assert!(message.contains("the `graphql` of its manifest is not good: line ") && message.contains(complaint), "{to}: {message}");
            assert!(message.contains("correct plugin.toml"), "{message}");
        }
        // Nor may two have the same.
        install(&operator, fields(|_| {}), &[]).await;
        let twin = fields(|manifest| manifest["id"] = json!("example.fields"));
        let payload = try_install(&operator, twin, &[]).await;
        assert!(text(&payload["errors"][0]["message"]).contains("the plugin test.fields has a type FieldVoice already: choose another name"), "{payload}");
        // The one that is in force goes on.
        let ada = world.person_with("ada", json!({ "roles": ["owner"] })).await;
        switch(&ada, FIELDS, None, true).await;
        assert_eq!(ada.ask("{ fieldWords(first: 1) { text } }", json!({})).await, json!({ "fieldWords": [{ "text": "one" }] }));
    }

    /// F: P-07, P-06
    async fn fields_come_and_go_while_clients_ask(backend) {
        let world = Setup::new(backend).nodes(2).start().await;
        let operator = world.operator().await;
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        let mut socket = ann.at(&world, 1).socket().await;
        socket.follow("s", json!({ "kinds": ["MESSAGE_SENT"] })).await;
        let other = || fields(|manifest| {
            let sdl = text(&manifest["graphql"]).replace("fieldCalls", "fieldCount");
            manifest["graphql"] = json!(sdl);
            manifest["version"] = json!("1.1.0");
        });
        // Where it was taken away a moment ago, it has to be gone first.
        let install_anew = async || {
            within("it is installed", async {
                while try_install(&operator, fields(|_| {}), &[]).await["errors"] != json!([]) {}
            })
            .await;
        };
        let changes = async {
            for _ in 0..4 {
                install_anew().await;
                install(&operator, other(), &[]).await;
                let gone = does(&operator, "pluginRemove", json!({ "pluginId": FIELDS, "withData": false }), "").await;
                assert_eq!(gone["errors"], json!([]));
            }
        };
        // Whoever asks hears of a schema as a whole: the one before or the one after.
        let asking = join_all((0..4).map(|number| {
            let (person, tea) = (ann.at(&world, number % 2), tea.clone());
            async move {
                for round in 0..60 {
                    let plain = person.ask("query($id: ID!) { conversation(id: $id) { title } }", json!({ "id": tea })).await;
                    assert_eq!(plain["conversation"]["title"], json!("Tea"));
                    for field in ["fieldCalls", "fieldCount"] {
                        let query = format!("query($id: ID!) {{ conversation(id: $id) {{ title {field} }} }}");
                        let answer = person.answer(&query, json!({ "id": tea })).await;
                        if answer.get("errors").is_some() {
                            assert!(answer.get("data").is_none() && text(&answer["errors"][0]["message"]).contains(field), "{answer}");
                        } else {
                            let place = json!({ "title": "Tea", field: null });
                            assert_eq!(answer["data"]["conversation"], place, "{answer}");
                        }
                    }
                    if round % 10 == 0 {
                        person.say(&tea, &format!("{number} {round}")).await;
                    }
                }
            }
        }));
        join(changes, asking).await;
        // Nobody was sent away, and nothing was missed.
        let mut heard = Vec::new();
        while heard.len() < 24 {
            heard.push(text(&socket.event("s").await["message"]["body"]));
        }
        assert_eq!(heard, ann.history(&tea).await);
        install_anew().await;
        let there = ann.at(&world, 1);
        within("the fields on the other node", async {
            let query = "query($id: ID!) { conversation(id: $id) { fieldCalls } }";
            while there.answer(query, json!({ "id": tea })).await.get("errors").is_some() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
