//! Two nodes as `compose.yaml` has them, in the image that `Dockerfile` makes: started here as processes, with the
//! environment that stands in those files and nothing else.

use std::{collections::BTreeMap, path::Path};

use serde_json::json;

use crate::{
    stories,
    support::{
        Backend, Person, backends,
        process::{self, Process},
        socket::bodies,
    },
};

const COMPOSE: &str = include_str!("../../compose.yaml");
const DOCKERFILE: &str = include_str!("../../Dockerfile");

stories! {
    /// F: L-06
    async fn two_nodes_as_they_are_composed_are_one_hub(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let data = |node: &str| folder.path().join(node);
        let mut environment = of_image();
        environment.extend(of_compose());
        let (ok, said, complaint) = configured(&data("none"), &environment).await;
        assert!(ok, "{complaint}");
        for expected in ["listen = \"0.0.0.0:8420\"", "format = \"json\"", "redis://redis:6379", "postgres://", "@postgres:5432/jackfield"] {
            assert!(said.contains(expected), "{expected} is not in force: {said}");
        }
        assert!(!said.contains("jackfield:jackfield@"), "{said}");
        if backend == Backend::Embedded {
            return;
        }

        // The machines have other names here.
        environment.insert("JACKFIELD_DATABASE", backends::postgres(&backends::empty_database().await));
        environment.insert("JACKFIELD_BUS", backends::redis());
        // Flags stand before the environment: the tests' own addresses and folders.
        let environment: Vec<(&str, String)> = environment.into_iter().filter(|(name, _)| *name != "JACKFIELD_DATA").collect();
        let (one, two) = (data("node-1"), data("node-2"));
        let (one, two) = tokio::join!(Process::start(&one, &[], &environment), Process::start(&two, &[], &environment));
        let links = [&one, &two].map(|node| node.said.iter().filter(|line| line.starts_with("sign in")).count());
        assert_eq!(links.iter().sum::<usize>(), 1, "one of them was first, and printed the link: {links:?}");

        let database = &environment.iter().find(|(name, _)| *name == "JACKFIELD_DATABASE").expect("a database").1;
        let token = async |name: &str| {
            let (ok, token, complaint) = process::run(&data("node-1-token"), &["--database", database, "token", "--user", name]).await;
            assert!(ok, "{complaint}");
            token.trim().to_owned()
        };
        let ann = Person::at_url(&one.url, "ann", &token("ann").await).await;
        let bob = Person::at_url(&two.url, "bob", &token("bob").await).await;
        let tea = ann.group("Tea", &[&bob]).await;
        let mut of_bob = bob.socket().await;
        let start = bob.cursor().await;
        of_bob.follow("e", json!({})).await;
        let mut of_ann = ann.socket().await;
        of_ann.follow("e", json!({})).await;
        for number in 0..10 {
            ann.say(&tea, &format!("from one {number}")).await;
            bob.say(&tea, &format!("from two {number}")).await;
        }
        let told = (bodies(&of_ann.until_body("e", "from two 9").await), bodies(&of_bob.until_body("e", "from two 9").await));
        assert_eq!(told.0, told.1);
        assert_eq!(told.0, bob.history(&tea).await);

        // One dies; whoever was there goes on at the other, and has missed nothing.
        one.kill().await;
        bob.say(&tea, "are you there?").await;
        let ann = Person::at_url(&two.url, "ann", &ann.token).await;
        let mut of_ann = ann.socket().await;
        let all = bodies(&of_ann.follow("e", json!({ "after": start })).await);
        assert_eq!(all, ann.history(&tea).await);
        ann.say(&tea, "at the other one").await;
        of_bob.until_body("e", "at the other one").await;
        assert!(two.terminate().await, "told to stop, it ends well");
    }

    /// F: L-06
    async fn the_image_is_made_of_what_is_here_for_nobody_in_particular(_backend) {
        let lines = DOCKERFILE.replace("\\\n", " ");
        let instructions: Vec<(&str, &str)> = lines
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split_once(' ').expect("an instruction and what it is given"))
            .collect();
        let known = ["FROM", "WORKDIR", "COPY", "RUN", "USER", "VOLUME", "ENV", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"];
        for (name, _) in &instructions {
            assert!(known.contains(name), "{name} is no instruction");
        }
        let given = |wanted: &str| instructions.iter().filter(move |(name, _)| *name == wanted).map(|(_, given)| *given).collect::<Vec<_>>();
        assert_eq!(given("FROM").len(), 2, "what builds is not what runs");
        assert_eq!(given("USER"), ["10001:10001"], "not the owner of the machine");
        assert_eq!(given("ENTRYPOINT"), [r#"["jackfield"]"#]);
        assert!(given("COPY").contains(&"--from=build /src/target/release/jackfield /usr/local/bin/jackfield"));
    }
}

/// What the image sets for every node.
fn of_image() -> BTreeMap<&'static str, String> {
    let words = DOCKERFILE.split_whitespace();
    let set = words.filter_map(|word| word.split_once('=')).filter(|(name, _)| name.starts_with("JACKFIELD_"));
    set.map(|(name, value)| (name, value.to_owned())).collect()
}

/// What both nodes are given.
fn of_compose() -> BTreeMap<&'static str, String> {
    let lines = COMPOSE.lines().map(str::trim);
    let set = lines.filter_map(|line| line.split_once(": ")).filter(|(name, _)| name.starts_with("JACKFIELD_"));
    let set: BTreeMap<_, _> = set.map(|(name, value)| (name, value.to_owned())).collect();
    assert!(set.len() >= 3, "{set:?}");
    set
}

async fn configured(data: &Path, environment: &BTreeMap<&'static str, String>) -> (bool, String, String) {
    let mut command = process::command(data, &["config"]);
    command.envs(environment);
    let output = command.output().await.expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
    (output.status.success(), text(output.stdout), text(output.stderr))
}
