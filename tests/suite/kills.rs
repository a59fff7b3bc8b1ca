//! Nodes that are killed while plugins hear of what is said: what a plugin makes of a message is there once, wherever it was when
//! its node died.
//!
//! When a node is killed is drawn from a seed; `JACKFIELD_TEST_SEED` tells a seed again. Where exactly that hits it is for the
//! machine to say. A node that died keeps others from its plugins' turns for a while, which the story lets go by.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::{
    property::{OnFailure, random::Random},
    stories,
    support::{
        Backend, Person,
        guest::{GUEST, answer, configure, guest, switch},
        nodes::Nodes,
        packages::{ALL, becomes, install},
        within,
    },
};

/// So often a node is killed.
const KILLS: usize = 50;
/// After so many of them another version of the plugin brings its data along, and its node is killed at once.
const UPGRADES: usize = 10;
/// The end of what a node that died had taken upon itself.
const A_WHILE_LATER: &str = "UPDATE plugin_workspaces SET lease_until = 0 WHERE lease_until IS NOT NULL";
/// In so many slices a plugin works; its node is killed after every few of them.
const SLICES: usize = 200;
const AN_HOUR_LATER: &str = "UPDATE jobs SET due_at = 0 WHERE due_at IS NOT NULL AND kind = 'plugin_due'";
/// The end of what a node that died was at.
const IT_IS_MISSED: &str = "UPDATE jobs SET due_at = 0 WHERE due_at IS NOT NULL AND kind = 'plugin_run'";

fn version(number: usize) -> Vec<u8> {
    guest(|manifest| {
        manifest["version"] = json!(format!("{number}.0.0"));
        manifest["data-version"] = json!(number);
    })
}

/// What all that is drawn follows from.
fn seed() -> u64 {
    std::env::var("JACKFIELD_TEST_SEED").map_or(1, |seed| seed.parse().expect("JACKFIELD_TEST_SEED is a number"))
}

/// Two nodes, where there can be more than one, with the guest in its first version; and who may do everything.
async fn hosting(backend: Backend) -> (Nodes, Person) {
    let nodes = Nodes::start(backend, 2).await;
    let operator = nodes.somebody("root", Some("operator")).await;
    install(&operator, version(1), &ALL).await;
    (nodes, operator)
}

/// Says one thing after the other, at whichever node is there, each until it is acknowledged; answers what was.
async fn send(
    person: Person,
    number: usize,
    room: String,
    mut urls: watch::Receiver<Vec<Option<String>>>,
    acknowledged: mpsc::Sender<()>,
    is_over: Arc<AtomicBool>,
) -> Vec<String> {
    let mut sent = Vec::new();
    let mut person = person;
    while !is_over.load(Ordering::Relaxed) {
        let what = if sent.len() % 2 == 0 { "!answer" } else { "!hear" };
        let body = format!("{what} {} {}", person.name, sent.len());
        let input = json!({ "conversationId": room, "body": body, "clientMessageId": body });
        for attempt in number.. {
            let there: Vec<String> = urls.borrow_and_update().iter().flatten().cloned().collect();
            if there.is_empty() {
                urls.changed().await.expect("the story goes on");
                continue;
            }
            person.url.clone_from(&there[attempt % there.len()]);
            match person.try_send(input.clone()).await {
                Some(payload) if payload["errors"] == json!([]) => break,
                // It died, or was dying: the same again, under the same key.
                None | Some(Value::Null) => tokio::task::yield_now().await,
                Some(refused) => panic!("{body} was refused: {refused}"),
            }
        }
        sent.push(body);
        let _ = acknowledged.try_send(());
    }
    sent
}

stories! {
    /// F: L-06, P-02, P-06
    async fn fifty_kills_while_plugins_work_lose_and_double_nothing(backend) {
        let seed = seed();
        let (_told, mut random) = (OnFailure(seed), Random::new(seed));
        let (mut nodes, operator) = hosting(backend).await;
        switch(&operator, GUEST, None, true).await;
        let ann = nodes.somebody("ann", None).await;
        let mut people = Vec::new();
        for number in 0..4 {
            people.push(nodes.somebody(&format!("p{number}"), None).await);
        }
        let tea = ann.group("Tea", &people.iter().collect::<Vec<_>>()).await;

        let all = |nodes: &Nodes, without: Option<usize>| -> Vec<Option<String>> {
            (0..nodes.count()).map(|number| (without != Some(number)).then(|| nodes.url(number))).collect()
        };
        let (urls, follow) = watch::channel(all(&nodes, None));
        let (told, mut heard) = mpsc::channel(10_000);
        let is_over = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(number, person)| tokio::spawn(send(person.clone(), number, tea.clone(), follow.clone(), told.clone(), is_over.clone())))
            .collect();
        let mut data = 1;
        for round in 1..=KILLS {
            let acknowledgements = random.below(30);
            for _ in 0..acknowledgements {
                within("an acknowledgement", heard.recv()).await.expect("the senders send");
            }
            let victim = random.below(nodes.count());
            if round % UPGRADES == 0 {
                let before = json!({ "version": format!("{data}.0.0"), "isReady": true, "problem": null });
                becomes(&nodes.at(&operator, victim), "version isReady problem", before).await;
                data += 1;
                install(&nodes.at(&operator, victim), version(data), &ALL).await;
            }
            nodes.kill(victim).await;
            urls.send_replace(all(&nodes, Some(victim)));
            nodes.db_execute(A_WHILE_LATER).await;
            nodes.rise(victim).await;
            urls.send_replace(all(&nodes, None));
            while heard.try_recv().is_ok() {}
        }
        is_over.store(true, Ordering::Relaxed);
        let mut sent = Vec::new();
        for sender in join_all(senders).await {
            sent.extend(sender.expect("the sender ends"));
        }

        let (operator, ann) = (nodes.at(&operator, 0), nodes.at(&ann, 0));
        nodes.db_execute(A_WHILE_LATER).await;
        let well = json!({ "version": format!("{data}.0.0"), "isReady": true, "problem": null, "lag": 0 });
        becomes(&operator, "version isReady problem lag", well).await;
        let history = ann.history(&tea).await;
        let unique: BTreeSet<&String> = history.iter().collect();
        assert_eq!(unique.len(), history.len(), "something was doubled");
        let missing: Vec<_> = sent.iter().filter(|body| !unique.contains(body)).collect();
        assert!(missing.is_empty(), "acknowledged, and lost: {missing:?}");
        let asked: Vec<&String> = sent.iter().filter(|body| body.starts_with("!answer")).collect();
        let unanswered: Vec<_> = asked.iter().filter(|body| !unique.contains(&format!("heard {body}"))).collect();
        assert!(unanswered.is_empty(), "an effect was lost: {unanswered:?}");
        assert_eq!(history.len(), sent.len() + asked.len(), "nothing is there that nobody sent");
        assert_eq!(answer(&ann, "read", json!({ "key": "heard" })).await, sent.len().to_string(), "each was counted once");
        assert_eq!(nodes.db_count("annotations").await, asked.len() as i64);
        assert_eq!(answer(&ann, "read", json!({ "key": "upgraded" })).await, (2 * (data - 1)).to_string());
        eprintln!("{KILLS} kills, {} messages and {} answers, seed {seed}", sent.len(), asked.len());
        assert_eq!(data, 1 + KILLS / UPGRADES);
        assert!(sent.len() > KILLS, "there was something to lose");
    }

    /// F: L-07, P-02
    async fn a_run_in_slices_goes_on_where_it_was_however_often_its_node_is_killed(backend) {
        let seed = seed();
        let (_told, mut random) = (OnFailure(seed), Random::new(seed));
        let (mut nodes, operator) = hosting(backend).await;
        let room = operator.group("Works", &[]).await;
        configure(&operator, json!({ "room": room, "slices": SLICES })).await;
        switch(&operator, GUEST, None, true).await;
        becomes(&operator, "isReady problem", json!({ "isReady": true, "problem": null })).await;
        // A node that comes back looks at once at what is due.
        nodes.kill(0).await;
        nodes.db_execute(AN_HOUR_LATER).await;
        nodes.rise(0).await;
        let (mut kills, mut done) = (0, 0);
        loop {
            let enough = SLICES.min(done + 1 + random.below(20));
            let operator = nodes.at(&operator, 0);
            within("some slices", async {
                while done < enough {
                    if done == 0 {
                        // What follows from a schedule that is due is due when that was to be, which is not yet.
                        nodes.db_execute(IT_IS_MISSED).await;
                    }
                    done = answer(&operator, "read", json!({ "key": "slices" })).await.parse().unwrap_or_default();
                }
            }).await;
            if done == SLICES {
                break;
            }
            let victim = random.below(nodes.count());
            nodes.kill(victim).await;
            nodes.db_execute(IT_IS_MISSED).await;
            nodes.rise(victim).await;
            kills += 1;
        }
        let said = nodes.at(&operator, 0).history(&room).await;
        assert_eq!(said, (1..=SLICES).map(|slice| format!("hourly {slice}")).collect::<Vec<_>>());
        eprintln!("{kills} kills while it worked, seed {seed}");
        assert!(kills > 4, "it was done before anybody could disturb it: {kills}");
    }
}
