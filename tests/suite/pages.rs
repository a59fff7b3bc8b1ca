//! A page of messages with all that the plugins that come with the hub add to them: what it takes does not grow with the page.

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person,
        account::does,
        backends,
        person::text,
        process::{Process, statements},
        within,
    },
};

const PLUGINS: [&str; 3] = ["jackfield.mentions", "jackfield.moderation", "jackfield.polls"];

/// How many statements all answers of a hub have taken, and how often each plugin was called.
async fn taken(admin: &Person) -> (f64, Vec<i64>) {
    let statements = statements(admin).await;
    let found = admin.ask("{ plugins { id health { calls } } }", json!({})).await;
    let calls = PLUGINS.iter().map(|id| {
        let plugin = found["plugins"].as_array().expect("plugins").iter().find(|plugin| plugin["id"] == json!(id));
        plugin.expect("it comes with the hub")["health"]["calls"].as_i64().expect("a number")
    });
    (statements, calls.collect())
}

/// Says fifty things: polls that are voted in, what mentions somebody, and what is flagged.
async fn fill(ann: &Person, bob: &Person, tea: &str) {
    for number in 0..50 {
        if number % 2 == 0 {
            let body = format!("@bob darn, number {number}");
            ann.say(tea, &body).await;
            continue;
        }
        let query = "mutation($c: ID!) { pollCreate(input: { conversationId: $c, question: \"Tea?\", options: [\"yes\", \"no\"] }) {
            message { id } errors { code } } }";
        let made = ann.ask(query, json!({ "c": tea })).await;
        let vote =
            "mutation($m: ID!, $o: Int!) { pollVote(input: { messageId: $m, optionIds: [$o] }) { errors { code } } }";
        let message = text(&made["pollCreate"]["message"]["id"]);
        let voted = bob.ask(vote, json!({ "m": message, "o": number % 4 / 2 })).await;
        assert_eq!(voted["pollVote"]["errors"], json!([]), "{voted}");
    }
}

stories! {
    /// F: P-07, L-02
    async fn a_page_takes_as_many_statements_and_calls_however_long_it_is(backend) {
        // A process of its own, because its counters are of all that it does.
        let folder = tempfile::tempdir().expect("a folder");
        let database = match backend {
            Backend::Embedded => format!("sqlite:{}", folder.path().join("here.db").display()),
            Backend::Cluster => backends::postgres(&backends::fresh_database().await),
        };
        let flags = ["--database", database.as_str()];
        let data = folder.path().join("data");
        let hub = Process::start(&data, &["--database", &database, "--metrics-listen", "public"], &[]).await;
        let admin = hub.admin(&data, &flags, "admin").await;
        let (ann, bob) = (hub.somebody(&data, &flags, "ann").await, hub.somebody(&data, &flags, "bob").await);
        for id in PLUGINS {
            assert_eq!(does(&admin, "pluginEnable", json!({ "pluginId": id }), "").await["errors"], json!([]));
        }
        let rules = json!({ "rules": [{ "kind": "words", "action": "flag", "words": ["darn"] }] });
        let input = json!({ "pluginId": PLUGINS[1], "configuration": rules });
        assert_eq!(does(&admin, "pluginConfigure", input, "").await["errors"], json!([]));
        let tea = ann.group("Tea", &[&bob, &admin]).await;
        fill(&ann, &bob, &tea).await;

        let query = "query($id: ID!, $n: Int!) { conversation(id: $id) { messages(last: $n) { nodes {
            sequence body sender { id name } mentions { id name } moderationCase { id rules user { name } message { id } conversation { title } }
            poll { question myVotes options { text voteCount voters { id name } } } } } } }";
        let page = async |count: usize| -> Vec<Value> {
            let found = admin.ask(query, json!({ "id": tea, "n": count })).await;
            found["conversation"]["messages"]["nodes"].as_array().expect("nodes").clone()
        };
        // Plugins have done with all of it before anything is counted.
        within("what plugins make of it", async {
            while page(50).await.iter().any(|node| node["poll"].is_null() && (node["mentions"] == json!([]) || node["moderationCase"].is_null())) {
                tokio::task::yield_now().await;
            }
        }).await;
        let mut each = Vec::new();
        for count in [4, 20, 50] {
            // The fewest of three times: what a node remembers for a while it reads again now and then.
            let mut fewest = (f64::INFINITY, Vec::new());
            for _ in 0..3 {
                let before = taken(&admin).await;
                let nodes = page(count).await;
                let after = taken(&admin).await;
                assert_eq!(nodes.len(), count);
                assert!(nodes.iter().all(|node| node["poll"].is_null() != node["mentions"].as_array().is_some_and(Vec::is_empty)), "{nodes:?}");
                assert!(nodes.iter().any(|node| node["poll"]["options"][0]["voters"][0]["name"] == json!("bob")), "{nodes:?}");
                let calls: Vec<i64> = after.1.iter().zip(&before.1).map(|(after, before)| after - before).collect();
                // One statement is that of the question what was called.
                fewest = if after.0 - before.0 < fewest.0 { (after.0 - before.0, calls) } else { fewest };
            }
            each.push(fewest);
        }
        assert_eq!(each[0].1, [0, 1, 1], "one call for each plugin that answers fields by itself");
        assert!(each[0].0 > 0.0 && each[0].0 < 30.0, "{each:?}");
        assert!(each.iter().all(|seen| *seen == each[0]), "{each:?}");
    }
}
