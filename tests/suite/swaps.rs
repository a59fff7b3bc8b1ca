//! Fields of plugins that come, change and go five hundred times, while clients ask for them: each answer is as the schema has it
//! that it was planned on, and says itself which one that is.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup,
        account::does,
        guest::{FIELDS, fields, owner, switch},
        packages::{install, try_install},
        person::text,
        within,
    },
};

/// Installed, put in the place of another one, and removed: all together.
const CHANGES: usize = 500;
/// Two nodes make each of them, of a schema that a debug build composes anew in half a second, and share two processors with the database.
const CHANGES_OF_TWO: usize = 60;
/// What is said last.
const END: &str = "the end";

/// Another version, with another name for one field and another type for one of what it answers.
fn second() -> Vec<u8> {
    fields(|manifest| {
        let sdl = text(&manifest["graphql"]).replace("fieldCalls: Int", "fieldCount: Int");
        manifest["graphql"] = json!(sdl.replacen("length: Int!", "length: [Int!]", 1));
        manifest["version"] = json!("1.1.0");
    })
}

/// What is asked for, beside what the schema says of it in that moment.
fn query(field: &str) -> String {
    format!(
        "query($id: ID!) {{
            place: __type(name: \"Conversation\") {{ fields {{ name type {{ ...T }} }} }}
            word: __type(name: \"FieldWord\") {{ fields {{ name type {{ ...T }} }} }}
            conversation(id: $id) {{ title {field} lastMessage {{ body fieldWord {{ text length voice since }} }} }}
        }}
        fragment T on __Type {{ kind name ofType {{ kind name ofType {{ kind name ofType {{ kind name }} }} }} }}"
    )
}

/// Is a value of a type?
fn fits(ty: &Value, value: &Value) -> bool {
    match (ty["kind"].as_str().expect("a kind"), ty["name"].as_str()) {
        ("NON_NULL", _) => !value.is_null() && fits(&ty["ofType"], value),
        _ if value.is_null() => true,
        ("LIST", _) => value.as_array().is_some_and(|items| items.iter().all(|item| fits(&ty["ofType"], item))),
        ("SCALAR", Some("Int")) => value.is_i64(),
        ("SCALAR" | "ENUM", _) => value.is_string(),
        ("OBJECT", _) => value.is_object(),
        other => panic!("{other:?} was not asked for"),
    }
}

/// Is what was answered as the schema has it that was answered with it?
fn check(answer: &Value, field: &str) {
    let data = &answer["data"];
    let fields = |of: &str| data[of]["fields"].as_array().expect("fields").clone();
    let type_of = |of: &str, name: &str| {
        let found = fields(of).into_iter().find(|field| field["name"] == json!(name));
        found.unwrap_or_else(|| panic!("{name} was answered and is not in the schema: {answer}"))["type"].take()
    };
    let place = &data["conversation"];
    assert!(fits(&type_of("place", field), &place[field]), "{answer}");
    let word = &place["lastMessage"]["fieldWord"];
    for name in ["text", "length", "voice", "since"] {
        let ty = type_of("word", name);
        assert!(word.is_null() || fits(&ty, &word[name]), "{name}: {ty} {answer}");
    }
    // The second version has another type for what the plugin answers as ever: that is an error, in its place alone.
    for error in answer["errors"].as_array().into_iter().flatten() {
        assert_eq!(error["extensions"]["code"], json!("PLUGIN_FAILED"), "{answer}");
        let path: Vec<&str> = error["path"].as_array().expect("a path").iter().filter_map(Value::as_str).collect();
        assert_eq!(data.pointer(&format!("/{}", path.join("/"))), Some(&Value::Null), "{answer}");
        if path.last() == Some(&"length") {
            assert_eq!(type_of("word", "length")["kind"], json!("LIST"), "{answer}");
        }
    }
}

/// What clients have seen, all together.
#[derive(Default)]
struct Seen {
    /// The field was not there, and the document was refused as a whole.
    refused: AtomicUsize,
    /// It was there, and nobody to answer it: removed a moment ago, or not yet on.
    nothing: AtomicUsize,
    answered: AtomicUsize,
}

/// Asks, one thing after the other, until the changes are over.
async fn ask(person: Person, tea: String, seen: Arc<Seen>, is_over: Arc<AtomicBool>) {
    let queries = ["fieldCalls", "fieldCount"].map(|field| (field, query(field)));
    while !is_over.load(Ordering::Relaxed) {
        for (field, query) in &queries {
            let answer = person.answer(query, json!({ "id": tea })).await;
            let counter = if answer.get("data").is_none() {
                let error = &answer["errors"][0];
                assert_eq!(error["extensions"]["code"], json!("BAD_REQUEST"), "{answer}");
                let message = text(&error["message"]);
                assert!(message.contains(field) || message.contains("fieldWord"), "{answer}");
                &seen.refused
            } else {
                check(&answer, field);
                if answer["data"]["conversation"][field].is_null() { &seen.nothing } else { &seen.answered }
            };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

stories! {
    /// F: P-07, P-06, L-06
    async fn five_hundred_swaps_leave_every_answer_as_its_schema_has_it(backend) {
        let world = Setup::new(backend).nodes(2).one_store().start().await;
        let (operator, owner) = (world.operator().await, owner(&world).await);
        let ann = world.person("ann").await;
        let tea = ann.group("Tea", &[]).await;
        ann.say(&tea, "hello").await;
        let grant = ["KV", "MESSAGES_READ", "MESSAGES_POST", "USERS_READ"];
        install(&operator, fields(|_| {}), &grant).await;
        switch(&owner, FIELDS, None, true).await;

        // What is followed has been planned on the first version, and goes on as that has it.
        let mut socket = ann.at(&world, 1).socket().await;
        let live = "subscription { events(input: { kinds: [MESSAGE_SENT] }) { __typename
            ... on MessageSent { message { body fieldWord { text length } } } } }";
        within("the fields on that node", async {
            let there = ann.at(&world, 1);
            while there.answer("{ fieldWords { text } }", json!({})).await.get("errors").is_some() {}
        })
        .await;
        socket.subscribe("s", live, json!({})).await;
        socket.until_caught_up("s").await;
        let following = tokio::spawn(async move {
            let mut heard: Vec<Value> = Vec::new();
            while heard.last().is_none_or(|message| message["body"] != json!(END)) {
                // A plugin that is taken away in the middle of a call has failed, in its place.
                let mut payload = socket.next("s").await;
                heard.push(payload["data"]["events"]["message"].take());
            }
            heard
        });

        let (seen, is_over) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
        let asking = join_all((0..4).map(|number| ask(ann.at(&world, number), tea.clone(), seen.clone(), is_over.clone())));
        let changing = async {
            let enough = if backend == Backend::Embedded { CHANGES } else { CHANGES_OF_TWO };
            let mut changes = 0;
            while changes < enough {
                // Where it was taken away a moment ago, it has to be gone first.
                within("it is installed", async {
                    while try_install(&operator, fields(|_| {}), &grant).await["errors"] != json!([]) {}
                })
                .await;
                switch(&owner, FIELDS, None, true).await;
                ann.say(&tea, &format!("after {changes}")).await;
                install(&operator, second(), &grant).await;
                let input = json!({ "pluginId": FIELDS, "withData": changes % 2 == 0 });
                assert_eq!(does(&operator, "pluginRemove", input, "").await["errors"], json!([]));
                changes += 3;
            }
            is_over.store(true, Ordering::Relaxed);
            changes
        };
        let began = std::time::Instant::now();
        let (changes, _) = join(changing, asking).await;
        let [refused, nothing, answered] = [&seen.refused, &seen.nothing, &seen.answered].map(|count| count.load(Ordering::Relaxed));
        eprintln!("{changes} changes in {:?}: {refused} documents refused, {nothing} answered with nothing, {answered} with something", began.elapsed());
        assert!(refused > 50 && answered > 50, "{refused} {nothing} {answered}");

        // Nobody was sent away, and nothing was missed.
        ann.say(&tea, END).await;
        let heard = within("the last word", following).await.expect("nobody is sent away");
        let bodies: Vec<String> = heard.iter().map(|message| text(&message["body"])).collect();
        assert_eq!(bodies, ann.history(&tea).await[1..]);
        for message in heard {
            let word = &message["fieldWord"];
            assert!(word.is_null() || (word["text"] == message["body"] && word["length"].is_i64()), "{message}");
        }
    }
}
