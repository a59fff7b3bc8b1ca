//! How the program begins and ends where not everything is as it should be.

use std::{path::Path, process::Stdio};

use sea_orm::{ConnectionTrait, Database};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    stories,
    support::{
        Backend, Person, backends,
        process::{self, Process},
        within,
    },
};

/// The flags that name the database of a back end, which is empty.
async fn database(backend: Backend) -> Vec<String> {
    match backend {
        Backend::Embedded => Vec::new(),
        Backend::Cluster => vec!["--database".to_owned(), backends::postgres(&backends::empty_database().await)],
    }
}

/// An address that somebody listens on, and who does.
async fn taken() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    (listener.local_addr().expect("an address").to_string(), listener)
}

async fn token(data: &Path, flags: &[&str], arguments: &[&str]) -> Result<String, String> {
    let (ok, token, complaint) = process::run(data, &[flags, &["token"], arguments].concat()).await;
    if ok { Ok(token.trim().to_owned()) } else { Err(complaint) }
}

async fn me(hub: &Process, token: &str) -> Value {
    let person = Person::at_url(&hub.url, "me", token).await;
    person.ask("{ viewer { user { role } isOperator } }", json!({})).await["viewer"].take()
}

stories! {
    /// F: L-06
    async fn a_first_start_that_fails_leaves_the_link_to_the_next_one(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = database(backend).await;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (address, _listener) = taken().await;
        for (arguments, variable) in [
            (["--listen", &address, "--metrics-listen", "off"], ""),
            (["--listen", "127.0.0.1:0", "--metrics-listen", &address], ""),
            (["--listen", "127.0.0.1:0", "--metrics-listen", "off"], "/nowhere/documents.json"),
        ] {
            let mut command = process::command(folder.path(), &[&flags[..], &arguments].concat());
            if !variable.is_empty() {
                command.env("JACKFIELD_GRAPHQL__TRUSTED_DOCUMENTS", variable);
            }
            let output = within("the end of the program", command.output()).await.expect("it runs");
            assert!(!output.status.success(), "{arguments:?}");
            assert!(!String::from_utf8_lossy(&output.stdout).contains("sign in"), "{arguments:?}");
        }
        let hub = Process::start(folder.path(), &flags, &[]).await;
        assert!(hub.said.iter().any(|line| line.contains("/sign-in?code=")), "{:?}", hub.said);
        hub.kill().await;
    }

    /// F: L-06
    async fn a_token_without_a_role_leaves_the_role_alone(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = database(backend).await;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let hub = Process::start(folder.path(), &flags, &[]).await;
        let token = async |arguments: &[&str]| token(folder.path(), &flags, arguments).await;
        let owner = token(&["--user", "owner"]).await.expect("a token");
        assert_eq!(me(&hub, &owner).await, json!({ "user": { "role": "OWNER" }, "isOperator": true }));
        let new = token(&["--user", "new"]).await.expect("a token");
        assert_eq!(me(&hub, &new).await, json!({ "user": { "role": "MEMBER" }, "isOperator": false }));
        let told = token(&["--user", "owner", "--role", "admin"]).await.expect("a token");
        assert_eq!(me(&hub, &told).await, json!({ "user": { "role": "ADMIN" }, "isOperator": false }));

        let long = "x".repeat(256);
        for (arguments, word) in [
            (["--user", "", "--name", "Ann"], "--user"),
            (["--user", " \u{200b}", "--name", "Ann"], "--user"),
            (["--user", &long, "--name", "Ann"], "--user"),
            (["--user", "ann", "--name", " "], "--name"),
            (["--user", "ann", "--workspace", "nowhere"], "no workspace «nowhere»"),
            (["--user", "ann", "--workspace", "a\u{1}b"], "no workspace"),
        ] {
            let complaint = token(&arguments).await.expect_err("it could never be used");
            assert!(complaint.contains(word), "{complaint}");
        }
        assert!(token(&["--user", &"é".repeat(255)]).await.is_ok(), "characters are counted, not bytes");
        hub.kill().await;
    }

    /// F: L-06, L-10
    async fn what_lies_in_the_data_folder_is_for_nobody_else(backend) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let flags = database(backend).await;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        // With characters that mean something else in a URL.
        let data = folder.path().join("made by 100%41 hubs?mode=ro#1");
        let hub = Process::start(&data, &flags, &[]).await;
        let ann = token(&data, &flags, &["--user", "ann"]).await.expect("a token");
        assert_eq!(me(&hub, &ann).await["user"]["role"], json!("MEMBER"));
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&data), 0o700);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&data).expect("the folder") {
            let path = entry.expect("an entry").path();
            assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
            names.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        }
        assert_eq!(names.contains(&"jackfield.db".to_owned()), backend == Backend::Embedded, "{names:?}");

        let (ok, _, complaint) = process::run(&data, &[&flags[..], &["migrate"]].concat()).await;
        assert!(!ok && complaint.contains("another hub uses the data folder"), "{complaint}");
        hub.kill().await;
    }

    /// F: L-06, L-04
    async fn nobody_need_listen_to_what_the_program_says(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = database(backend).await;
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let (address, listener) = taken().await;
        drop(listener);
        let log = folder.path().join("log");
        let mut command = process::command(&folder.path().join("data"), &[&flags[..], &["--listen", &address, "--metrics-listen", "off", "--log-format", "json"]].concat());
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(&log).expect("a file"));
        let mut child = command.spawn().expect("it starts");
        drop(child.stdout.take());
        within("the hub", async {
            while reqwest::get(format!("http://{address}/health")).await.is_err() {
                assert!(child.try_wait().expect("a state").is_none(), "it ended");
            }
        }).await;
        // It serves a moment before it says so.
        let (log, line) = within("the line of the log", async {
            loop {
                let text = std::fs::read_to_string(&log).expect("the log");
                let whole = text.rsplit_once('\n').map(|(whole, _)| whole).unwrap_or_default();
                let mut lines = whole.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
                if let Some(line) = lines.find(|line| line["message"] == json!("the hub serves")) {
                    return (text, line);
                }
                tokio::task::yield_now().await;
            }
        }).await;
        assert_eq!(line["address"], json!(address));
        assert_eq!(line["database"], json!(if backend == Backend::Embedded { "SQLite" } else { "PostgreSQL" }));
        assert!(!log.contains("sign-in"), "{log}");
        child.kill().await.expect("it can be killed");
    }

    /// F: L-06
    async fn doctor_says_what_is_wrong_and_writes_nothing(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, flags) = (folder.path().join("data"), database(backend).await);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let free = ["--listen", "127.0.0.1:0", "--metrics-listen", "off", "doctor"];
        let (ok, said, _) = process::run(&data, &[&flags[..], &free].concat()).await;
        assert!(ok, "{said}");
        assert!(!data.exists(), "it made the folder");
        if let [_, url] = flags[..] {
            let connection = Database::connect(url).await.expect("the database");
            let tables = connection.query_all_raw(sea_orm::Statement::from_string(sea_orm::DbBackend::Postgres, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'")).await;
            assert_eq!(tables.expect("an answer").len(), 0, "it made tables");
        }

        let (address, listener) = taken().await;
        let (ok, said, _) = process::run(&data, &[&flags[..], &["--listen", &address, "--metrics-listen", "off", "doctor"]].concat()).await;
        assert!(!ok && said.contains("wrong address") && said.contains("taken by another program"), "{said}");
        drop(listener);
        let hub = Process::start(&data, &flags, &[]).await;
        let here = hub.url.trim_start_matches("http://").to_owned();
        let (ok, said, _) = process::run(&data, &[&flags[..], &["--listen", &here, "--metrics-listen", "off", "doctor"]].concat()).await;
        assert!(ok && said.contains("the hub that runs listens on") && said.contains("a hub runs on it"), "{said}");
        hub.kill().await;

        let wrong = async |arguments: &[&str], words: &[&str]| {
            let (ok, said, _) = process::run(&data, &[arguments, &free].concat()).await;
            assert!(!ok, "{said}");
            for word in words {
                assert!(said.contains(word), "«{word}» is not said: {said}");
            }
        };
        let nowhere = format!("sqlite:{}", folder.path().join("not there").join("x.db").display());
        wrong(&["--database", &nowhere], &["wrong database", "a folder that is not there"]).await;
        wrong(&["--database", "postgres://nobody@127.0.0.1:1/x"], &["wrong database", "nobody listens"]).await;
        wrong(&["--bus", "redis://127.0.0.1:1"], &["wrong bus", "refused"]).await;
        if backend == Backend::Cluster {
            wrong(&["--database", &backends::postgres("there_is_no_such_database")], &["wrong database", "does not exist"]).await;
            let redis = backends::redis().replacen("://", "://nobody:wrong@", 1);
            wrong(&["--bus", &redis], &["wrong bus", "refuses the name or the password"]).await;
        }
    }
}
