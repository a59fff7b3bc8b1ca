//! The house keeps its own rules: who may import whom, what a file opens with, and what is published about the API.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the hub lies in the workspace").to_owned()
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !["target", "node_modules", "load", "clients"].contains(&name) {
            found.extend(files(&path, ending));
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
    assert!(!found.is_empty() || !folder.ends_with("src"), "nothing in {}", folder.display());
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the file can be read")
}

/// Which rooms of the hub a room may import. `error`, `clock` and `traces` are for everybody; `hub`, `cli` and `main` wire.
const ROOMS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("clock", &[]),
    ("traces", &[]),
    ("bundled", &[]),
    ("store", &[]),
    ("blobs", &[]),
    ("bus", &[]),
    ("identity", &[]),
    ("outside", &[]),
    ("config", &["blobs", "store", "bus", "identity"]),
    ("actions", &["blobs", "store", "bus", "identity", "outside"]),
    ("plugin_bridge", &["actions"]),
    ("graphql", &["actions", "config"]),
    ("http", &["graphql", "actions", "config"]),
    ("jobs", &["actions"]),
    (
        "hub",
        &[
            "actions",
            "blobs",
            "bundled",
            "bus",
            "config",
            "graphql",
            "http",
            "identity",
            "jobs",
            "outside",
            "plugin_bridge",
            "store",
        ],
    ),
    ("cli", &["blobs", "bundled", "bus", "config", "graphql", "hub", "identity", "outside", "store"]),
];

/// Crates whose types stay in their room.
const CRATES: &[(&str, &[&str])] = &[
    ("sea_orm", &["store"]),
    ("fred", &["bus"]),
    ("async_graphql", &["graphql"]),
    ("axum", &["http"]),
    ("hyper", &["http", "outside"]),
    ("flate2", &["outside"]),
    ("jsonwebtoken", &["identity", "config"]),
    ("clap", &["cli"]),
    ("opendal", &["blobs"]),
    ("argon2", &["actions"]),
    ("cronexpr", &["jobs"]),
    ("opentelemetry", &["traces"]),
    ("wasmtime", &[]),
];

fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("hub/src")).expect("a file of the hub");
    let first = inside.iter().next().and_then(|part| part.to_str()).expect("a name");
    first.trim_end_matches(".rs").to_owned()
}

/// The words that follow `crate::` anywhere in a file, also within braces.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let word =
            |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => drop(found.insert(word(rest))),
            Some(list) => {
                let (mut depth, mut start) = (0_usize, true);
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' => start = true,
                        _ if depth == 0 && start && !c.is_whitespace() => {
                            found.insert(word(&list[at..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

#[test]
fn rooms_import_inward() {
    let mut wrong = Vec::new();
    for path in files(&root().join("hub/src"), ".rs") {
        let (room, text) = (room_of(&path), read(&path));
        if ["lib", "main"].contains(&room.as_str()) {
            continue;
        }
        let (_, allowed) =
            ROOMS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("the room {room} has no rule"));
        for import in imports(&text) {
            let is_room = ROOMS.iter().any(|(name, _)| *name == import);
            if is_room
                && import != room
                && !["error", "clock", "traces"].contains(&import.as_str())
                && !allowed.contains(&import.as_str())
            {
                wrong.push(format!("{} imports {import}", path.display()));
            }
        }
        for (name, rooms) in CRATES {
            let used = text.contains(&format!("{name}::")) || text.contains(&format!("use {name}"));
            if used && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_domain_knows_no_machinery() {
    let manifest = read(&root().join("hub/domain/Cargo.toml"));
    for name in ["tokio", "sea-orm", "axum", "wasmtime", "async-graphql", "fred"] {
        assert!(!manifest.contains(name), "the domain depends on {name}");
    }
    for path in files(&root().join("hub/domain/src"), ".rs") {
        let text = read(&path);
        for word in ["SystemTime", "Instant::now", "now_v7", "new_v4", "std::env", "std::fs"] {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}

/// The folders of the plugins that come with the hub.
fn plugins() -> Vec<PathBuf> {
    let folders = fs::read_dir(root().join("plugins")).expect("there are plugins");
    let folders = folders.map(|entry| entry.expect("an entry").path());
    let found: Vec<PathBuf> = folders.filter(|path| path.join("plugin.toml").is_file()).collect();
    assert!(!found.is_empty(), "there are no plugins");
    found
}

#[test]
fn plugins_use_nothing_but_the_sdk() {
    for plugin in plugins() {
        let manifest = read(&plugin.join("Cargo.toml"));
        let (_, dependencies) = manifest.split_once("[dependencies]").expect("it depends on the SDK");
        let of_ours: Vec<&str> = dependencies.lines().filter(|line| line.contains("jackfield")).collect();
        assert_eq!(of_ours, ["jackfield-plugin.workspace = true"], "{}", plugin.display());
        for path in files(&plugin, ".rs") {
            let text = read(&path);
            for word in
                ["unsafe", "wit_bindgen", "jackfield_plugin::bindings", "std::fs", "std::net", "std::env", "std::time"]
            {
                assert!(!text.contains(word), "{} has {word}", path.display());
            }
        }
    }
}

#[test]
fn the_hub_knows_no_plugin_by_name() {
    for plugin in plugins() {
        let manifest = read(&plugin.join("plugin.toml"));
        let id = manifest.lines().find_map(|line| line.strip_prefix("id = ")).expect("it has an id").trim_matches('"');
        for path in files(&root().join("hub"), ".rs") {
            assert!(!read(&path).contains(id), "{} knows {id}", path.display());
        }
    }
}

#[test]
fn the_bundled_plugins_are_packages() {
    let ids: BTreeSet<String> = jackfield::bundled::PACKAGES
        .iter()
        .map(|bytes| jackfield_plugin_host::Package::read(*bytes).expect("a package").manifest().id.to_string())
        .collect();
    assert_eq!(ids.len(), plugins().len(), "{ids:?}");
}

/// F: P-12
#[test]
fn a_plugin_that_refuses_messages_with_a_word_is_short() {
    let text = read(&root().join("plugin-sdk/examples/word-filter/src/lib.rs"));
    let (plugin, _) = text.split_once("#[cfg(test)]").expect("it is tested");
    assert!(plugin.trim_end().lines().count() <= 25, "{plugin}");
    // What the README has somebody type is what is built and tested here.
    let readme = read(&root().join("plugin-sdk/README.md"));
    let manifest = read(&root().join("plugin-sdk/examples/word-filter/plugin.toml"));
    assert!(readme.contains(plugin.trim_end()) && readme.contains(manifest.trim_end()), "the README has another one");
}

/// F: P-12
#[test]
fn every_hook_of_the_contract_has_a_page() {
    let (wit, guide) = (read(&root().join("plugin-sdk/wit/hooks.wit")), read(&root().join("plugin-sdk/src/guide.rs")));
    let overview = read(&root().join("plugin-sdk/docs/README.md"));
    assert!(read(&root().join("plugin-sdk/README.md")).contains("(docs/README.md)"), "nobody finds the guide");
    let (mut group, mut pages) = ("", 0);
    for line in wit.lines() {
        if let Some(name) = line.strip_prefix("interface ") {
            group = name.trim_end_matches("-hooks {");
        }
        let Some((hook, _)) = line.trim_start().split_once(": func(") else { continue };
        // What a manifest names is what it is for.
        let hook = if hook == "run" { group } else { hook };
        let page = read(&root().join(format!("plugin-sdk/docs/{hook}.md")));
        assert!(page.starts_with(&format!("# {hook}: ")), "{hook}");
        for part in
            ["When it runs", "What each answer causes", "Who sees it", "Limits", "When it fails", "Example", "Testing"]
        {
            assert!(page.contains(&format!("\n## {part}\n")), "the page of {hook} does not say: {part}");
        }
        assert!(page.contains("```toml\n") && page.contains("```rust\n"), "{hook} has no example");
        assert!(guide.contains(&format!(": \"{hook}\";")), "the example of {hook} is not tested");
        assert!(overview.contains(&format!("[{hook}]({hook}.md)")), "{hook} is not in the overview");
        pages += 1;
    }
    let there = fs::read_dir(root().join("plugin-sdk/docs")).expect("the guide").count();
    assert_eq!(there, pages + 1, "a page is of no hook");
}

#[test]
fn the_plugin_host_knows_the_domain_alone() {
    let manifest = read(&root().join("hub/plugin-host/Cargo.toml"));
    let ours: Vec<&str> = manifest.lines().filter(|line| line.starts_with("jackfield")).collect();
    assert_eq!(ours, ["jackfield-domain.workspace = true"]);
    for name in ["sea-orm", "axum", "async-graphql", "fred"] {
        assert!(!manifest.contains(name), "the plugin host depends on {name}");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["hub/src", "hub/domain/src", "hub/plugin-host", "migrations/src", "plugin-sdk", "plugins", "tests"] {
        for path in files(&root().join(folder), ".rs") {
            assert!(read(&path).starts_with("//! "), "{} does not", path.display());
        }
    }
}

#[test]
fn nothing_sleeps_in_a_test() {
    let sleep = ["sle", "ep("].concat();
    for folder in ["tests", "hub/plugin-host/tests"] {
        for path in files(&root().join(folder), ".rs") {
            assert!(!read(&path).contains(&sleep), "{} does", path.display());
        }
    }
}

/// `UPDATE_SCHEMA=1 cargo test --test tidy` rewrites it.
#[test]
fn every_story_that_is_named_as_a_proof_is_told() {
    let mut told = Vec::new();
    for path in files(&root().join("tests/suite"), ".rs") {
        let module = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
        let text = read(&path);
        let functions = text.lines().filter_map(|line| line.trim_start().strip_prefix("async fn ")?.split_once('('));
        let stories = functions.filter(|(_, rest)| rest.trim_start_matches('_').starts_with("backend)"));
        told.extend(stories.map(|(name, _)| format!("{module}::{name}")));
    }
    let proofs = read(&root().join("docs/proofs.md"));
    let named = proofs.split("`suite ").skip(1).filter_map(|rest| rest.split_once('`')).map(|(named, _)| named);
    // The first sentence says what the words stand for.
    let missing: Vec<&str> =
        named.filter(|named| *named != "X" && !told.iter().any(|story| story.contains(named))).collect();
    assert!(missing.is_empty(), "docs/proofs.md names stories that nobody tells: {missing:?}");
}

#[test]
fn the_published_schema_is_the_one_that_is_served() {
    let (path, served) = (root().join("schema.graphql"), jackfield::hub::published_schema());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &served).expect("the file can be written");
    }
    assert!(read(&path) == served, "schema.graphql is not what the hub serves: run with UPDATE_SCHEMA=1");
}

#[test]
fn everything_in_the_schema_is_described() {
    let mut described = false;
    let mut missing = Vec::new();
    let sdl = jackfield::hub::published_schema();
    let mut in_text = false;
    for (number, line) in sdl.lines().enumerate() {
        let line = line.trim();
        if line.starts_with(r#"""""#) {
            in_text = !in_text && !(line.len() > 3 && line.ends_with(r#"""""#));
            described = true;
        } else if in_text {
        } else if line.is_empty()
            || line == "}"
            || line == ")"
            || line.starts_with(')')
            || line.starts_with("schema")
            || line.starts_with("directive")
            || ["query:", "mutation:", "subscription:"].iter().any(|root| line.starts_with(root))
        {
            described = false;
        } else {
            let has_root_name =
                ["type Query", "type Mutation", "type Subscription"].iter().any(|root| line.starts_with(root));
            if !described && !has_root_name {
                missing.push(format!("{}: {line}", number + 1));
            }
            described = false;
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
