//! The command line, as somebody uses it.

use serde_json::json;

use crate::{
    stories,
    support::{
        Backend, Person, backends,
        process::{self, Process},
        within,
    },
};

/// The flag that names the database of a back end.
async fn database(backend: Backend) -> Vec<String> {
    match backend {
        Backend::Embedded => Vec::new(),
        Backend::Cluster => vec!["--database".to_owned(), backends::postgres(&backends::empty_database().await)],
    }
}

stories! {
    /// F: L-06
    async fn a_first_start_needs_nothing_and_prints_how_to_get_in(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = database(backend).await;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let data = folder.path().join("made by the hub");
        let (ok, _, complaint) = process::run(&data, &[&flags[..], &["token", "--user", "ann"]].concat()).await;
        assert!(!ok && complaint.contains("start the hub"), "{complaint}");

        let hub = Process::start(&data, &flags, &[]).await;
        assert!(hub.said.iter().any(|line| line.starts_with(&format!("sign in, once, with {}/sign-in?code=", hub.url))), "{:?}", hub.said);
        let (ok, token, complaint) = process::run(&data, &[&flags[..], &["token", "--user", "ann", "--role", "admin", "--ttl", "5m"]].concat()).await;
        assert!(ok, "{complaint}");
        let ann = Person::at_url(&hub.url, "ann", token.trim()).await;
        let me = ann.ask("{ viewer { user { name role } } }", json!({})).await;
        assert_eq!(me["viewer"]["user"], json!({ "name": "ann", "role": "ADMIN" }));
        assert!(hub.terminate().await, "told to stop, it ends well");

        let again = Process::start(&data, &flags, &[]).await;
        assert!(!again.said.iter().any(|line| line.contains("sign in")), "{:?}", again.said);
        let second = process::run(&data, &[&flags[..], &["--listen", "127.0.0.1:0", "serve"]].concat()).await;
        assert!(!second.0 && second.2.contains("another hub uses the data folder"), "{second:?}");
        again.kill().await;
    }

    /// F: L-06
    async fn who_stops_a_hub_the_moment_that_it_listens_is_heard(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = database(backend).await;
        // A shell sends a signal within microseconds; to start a program for that would take long enough for anything to be ready.
        let script = r#"coproc hub { exec "$@"; }
            while read -r line <&"${hub[0]}"; do [[ $line == listening* ]] && break; done
            kill -TERM "$hub_PID"; wait "$hub_PID""#;
        for _ in 0..5 {
            let mut command = tokio::process::Command::new("bash");
            command.args(["-c", script, "bash", process::PROGRAM, "--data"]).arg(folder.path()).args(&flags);
            command.args(["--listen", "127.0.0.1:0", "--metrics-listen", "off"]).kill_on_drop(true);
            let ended = within("the end of the program", command.output()).await.expect("it runs");
            assert!(ended.status.success(), "{:?}: {}", ended.status, String::from_utf8_lossy(&ended.stderr));
        }
    }

    /// F: L-06
    async fn migrate_brings_the_store_up_to_date_and_doctor_says_so(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = database(backend).await;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let run = |arguments: &'static [&'static str]| {
            let (data, all) = (folder.path().to_owned(), [&flags[..], &["--listen", "127.0.0.1:0", "--metrics-listen", "off"], arguments].concat());
            async move { process::run(&data, &all).await }
        };
        let (ok, said, _) = run(&["doctor"]).await;
        assert!(ok && (said.contains("will be made") || said.contains("steps of the schema")), "{said}");
        for _ in 0..2 {
            let (ok, said, complaint) = run(&["migrate"]).await;
            assert!(ok && said.contains("up to date"), "{said}{complaint}");
        }
        let (ok, said, _) = run(&["doctor"]).await;
        assert!(ok && said.contains("answers and is up to date"), "{said}");
        let nowhere = ["--database", "postgres://nobody@127.0.0.1:1/nothing", "--bus", "redis://127.0.0.1:1", "doctor"];
        let (ok, said, complaint) = process::run(folder.path(), &nowhere).await;
        assert!(!ok, "{said}");
        assert!(said.contains("wrong database") && said.contains("wrong bus") && complaint.contains("2 things are wrong"), "{said}{complaint}");
    }

    /// F: L-06, L-10
    async fn what_is_in_force_is_shown_without_its_secrets(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("jackfield.toml");
        let written = "bus = 'redis://:s3cret@127.0.0.1:6379'\ndatabase = 'postgres://h/db?user=a&password=s3cret'\n[policy]\ngroup_max_members = 7\n[[identity.issuers]]\nissuer = 'https://id'\naudience = 'a'\nalgorithms = ['HS256']\nworkspaces = ['default']\nsecret = 'a s3cret of thirty two characters'\n[traces]\nendpoint = 'http://127.0.0.1:4318/?key=s3cret'\nheaders = { x-key = 's3cret' }\n";
        std::fs::write(&file, written).expect("the file");
        let file = file.to_str().expect("text").to_owned();
        let mut command = process::command(folder.path(), &["--config", &file, "config"]);
        let output = command.env("JACKFIELD_SOCKETS__PING_SECONDS", "7").env("JACKFIELD_WASM_SETUP", "never").output().await.expect("it runs");
        let shown = String::from_utf8(output.stdout).expect("text");
        assert!(!shown.contains("s3cret"), "{shown}");
        for part in ["group_max_members = 7", "ping_seconds = 7", "(hidden)", "max_depth = 15"] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
        let mut command = process::command(folder.path(), &["--config", &file, "config"]);
        let output = command.env("JACKFIELD_SOCKETS__PONG_SECONDS", "7").output().await.expect("it runs");
        let complaint = String::from_utf8(output.stderr).expect("text");
        assert!(!output.status.success() && complaint.contains("pong_seconds"), "{complaint}");
        // The back end makes no difference here.
        let _ = backend;
    }

    async fn the_schema_and_completions_are_printed(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let (ok, schema, _) = process::run(folder.path(), &["schema"]).await;
        assert!(ok);
        assert_eq!(schema, include_str!("../../schema.graphql"));
        let (ok, completions, _) = process::run(folder.path(), &["completions", "bash"]).await;
        assert!(ok && completions.contains("jackfield"), "{completions}");
        let (ok, _, complaint) = process::run(folder.path(), &["token", "--user", "a", "--ttl", "soon"]).await;
        assert!(!ok && complaint.contains("90s, 15m, 12h or 30d"), "{complaint}");
        assert!(std::fs::read_dir(folder.path()).expect("the folder").next().is_none(), "nothing was left behind");
        let _ = backend;
    }
}
