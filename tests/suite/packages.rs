//! Plugins come into a running hub, go on in other versions, go back and go away, while people talk.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World,
        account::does,
        bucket::Bucket,
        guest::{GUEST, answer, configure, fields, guest, run, switch},
        packages::{ALL, becomes, change, install, place, seen, try_change, try_install, upload},
        person::{refusal, text},
        wat::Guest,
        within,
    },
};

/// What is seen of a plugin of which a version waits.
const WAITING: &str = "version grantedCapabilities pendingUpgrade { version newCapabilities }";

fn hub(backend: Backend) -> Setup {
    Setup::new(backend).nodes(2).one_store()
}

/// The guest in a version, with data of a version.
fn version(version: &str, data_version: u32) -> Vec<u8> {
    guest(|manifest| {
        manifest["version"] = json!(version);
        manifest["data-version"] = json!(data_version);
    })
}

/// The same, in more than one piece: buckets take large things so.
fn large(mut package: Vec<u8>) -> Vec<u8> {
    // A section that nobody reads: its kind, its length in five bytes, and a name of one letter.
    let length = 9_u32 << 20;
    package.push(0);
    package.extend((0..5).map(|place| (length >> (7 * place)) as u8 & 0x7f | if place < 4 { 0x80 } else { 0 }));
    package.extend([1, b'x']);
    package.resize(package.len() + length as usize - 2, 0);
    package
}

/// What stands in the record about plugins, the oldest first.
async fn recorded(owner: &Person) -> Vec<String> {
    let query = "{ auditLog(first: 50, filter: { actions: [PLUGIN_INSTALLED, PLUGIN_REMOVED, PLUGIN_UPDATED] }) {
        nodes { action } } }";
    let found = owner.ask(query, json!({})).await;
    found["auditLog"]["nodes"].as_array().expect("nodes").iter().map(|node| text(&node["action"])).collect()
}

stories! {
    /// F: P-06, P-05, P-11
    async fn a_package_is_uploaded_installed_and_at_work_on_every_node(backend) {
        let world = hub(backend).start().await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        let plugin = install(&operator, version("1.0.0", 1), &ALL).await;
        assert_eq!(plugin["version"], json!("1.0.0"));
        assert_eq!((&plugin["isOn"], &plugin["pendingUpgrade"]), (&json!(false), &Value::Null), "it is for workspaces to have it on");
        assert_eq!(plugin["grantedCapabilities"].as_array().map(Vec::len), Some(ALL.len()));
        switch(&operator, GUEST, None, true).await;
        for node in 0..world.node_count() {
            let ann = ann.at(&world, node);
            within("the word of the plugin", async {
                while run(&ann, "count", None, json!({})).await["errors"] != json!([]) {
                    tokio::task::yield_now().await;
                }
            }).await;
        }
        // It has prepared itself once, in two slices, and was told that it is on.
        assert_eq!(answer(&ann, "read", json!({ "key": "installed" })).await, "2");
        assert_eq!(answer(&ann, "read", json!({ "key": "enabled" })).await, "1");
        assert_eq!(recorded(&operator).await, ["PLUGIN_INSTALLED", "PLUGIN_UPDATED"]);

        // The same from a file beside the hub changes nothing.
        let file = world.data_folder().join("guest.wasm");
        std::fs::write(&file, version("1.0.0", 1)).expect("a file");
        let again = does(&operator, "pluginInstall", json!({ "path": file.to_str() }), "plugin { version isOn }").await;
        assert_eq!(again, json!({ "plugin": { "version": "1.0.0", "isOn": true }, "errors": [] }));
    }

    /// F: P-06
    async fn packages_lie_in_a_bucket_that_all_nodes_fetch_them_from(backend) {
        let bucket = Bucket::start().await;
        let mut world = Setup::new(backend).nodes(2).config(bucket.wanted()).start().await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        let own = bucket.names("plugins");
        install(&operator, large(version("1.0.0", 1)), &ALL).await;
        let added: Vec<String> = bucket.names("plugins").into_iter().filter(|name| !own.contains(name)).collect();
        assert_eq!(added.len(), 1, "{added:?}");
        assert_eq!(bucket.names("uploads"), Vec::<String>::new(), "what was installed does not lie there twice");
        switch(&operator, GUEST, None, true).await;
        let last = world.node_count() - 1;
        becomes(&operator.at(&world, last), "isReady", json!({ "isReady": true })).await;
        assert_eq!(answer(&ann.at(&world, last), "count", json!({})).await, "1");

        // Without the bucket nothing comes in, and what runs goes on.
        bucket.wire.cut();
        let upload = place(&operator).await["upload"].take();
        let url = format!("{}{}", operator.url, text(&upload["path"]));
        let put = operator.http.put(url).body(version("1.1.0", 1)).send().await.expect("an answer");
        assert_eq!(put.status(), 503);
        let install_it = "mutation ($i: PluginInstallInput!) { pluginInstall(input: $i) { errors { code } } }";
        let from_there = json!({ "i": { "uploadId": upload["id"] } });
        assert_eq!(operator.fault(install_it, from_there).await, "UNAVAILABLE");
        assert_eq!(answer(&ann.at(&world, last), "count", json!({})).await, "2");

        // A node that starts meanwhile says what it lacks, and fetches it as soon as it can.
        world.restart(last).await;
        let (operator, there) = (operator.at(&world, 0), operator.at(&world, last));
        let lacks = seen(&there, "problem isReady").await;
        assert!(text(&lacks["problem"]).contains("cannot be fetched"), "{lacks}");
        switch(&there, GUEST, None, false).await;
        bucket.wire.mend();
        becomes(&there, "isReady problem", json!({ "isReady": true, "problem": null })).await;
        switch(&there, GUEST, None, true).await;
        assert_eq!(answer(&ann.at(&world, last), "count", json!({})).await, "3");
        install(&operator, version("1.1.0", 1), &ALL).await;
        becomes(&there, "version isReady", json!({ "version": "1.1.0", "isReady": true })).await;
        let remove = json!({ "pluginId": GUEST, "withData": true });
        assert_eq!(does(&operator, "pluginRemove", remove, "").await["errors"], json!([]));
        becomes(&there, "version", Value::Null).await;
    }

    /// F: P-06
    async fn only_operators_install_and_only_where_they_were_let(backend) {
        let world = World::new(backend).await;
        let operator = world.operator().await;
        let admin = world.person_with("ada", json!({ "roles": ["admin"] })).await;
        assert_eq!(refusal(&place(&admin).await).0, "NOT_ALLOWED");
        let id = upload(&operator, version("1.0.0", 1)).await;
        let refused = does(&admin, "pluginInstall", json!({ "uploadId": id }), "").await;
        assert_eq!(refusal(&refused).0, "NOT_ALLOWED");
        install(&operator, version("1.0.0", 1), &[]).await;
        for (what, input) in [
            ("pluginRollBack", json!({})),
            ("pluginRemove", json!({ "withData": true })),
            ("pluginUpgradeApprove", json!({})),
            ("pluginUpgradeReject", json!({})),
            ("pluginEnable", json!({ "scope": "HUB" })),
            ("pluginDisable", json!({ "scope": "HUB" })),
            ("pluginSettingsUpdate", json!({ "scope": "HUB", "priority": 1 })),
        ] {
            let mut input = input;
            input["pluginId"] = json!(GUEST);
            assert_eq!(refusal(&does(&admin, what, input, "").await).0, "NOT_ALLOWED", "{what}");
        }

        // An address that is not signed, or of another one, or too old, is none.
        let upload = place(&operator).await["upload"].take();
        let path = text(&upload["path"]);
        let put = async |path: &str| {
            let sent = operator.http.put(format!("{}{path}", operator.url)).body("words").send().await;
            sent.expect("an answer").status().as_u16()
        };
        let other = format!("{path}0");
        assert_eq!(put(&other).await, 403);
        assert_eq!(put(&path.replace("expires=1", "expires=2")).await, 403);
        assert_eq!(put("/uploads/upl_0?expires=1&signature=00").await, 403);
        assert_eq!(put(&path).await, 204);
        world.clock.advance(Duration::from_secs(16 * 60));
        assert_eq!(put(&path).await, 403);
        // What nobody installs is swept away.
        world.clock.advance(Duration::from_secs(16 * 60));
        let input = json!({ "uploadId": upload["id"] });
        within("the upload to be gone", async {
            while refusal(&does(&operator, "pluginInstall", input.clone(), "").await).0 != "NOT_FOUND" {
                tokio::task::yield_now().await;
            }
        }).await;
    }

    /// F: P-06
    async fn bad_packages_are_refused_in_words_and_what_runs_goes_on(backend) {
        let world = World::new(backend).await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        install(&operator, version("1.0.0", 1), &ALL).await;
        switch(&operator, GUEST, None, true).await;
        let good = version("1.1.0", 1);
        let mut manifest_gone = guest(|_| {});
        manifest_gone.truncate(manifest_gone.len() - 1);
        for (what, package, words) in [
            ("truncated", good[..good.len() / 2].to_vec(), "fetch or build it again"),
            ("without its end", manifest_gone, "fetch or build it again"),
            ("not Wasm", b"words".to_vec(), "this is no WebAssembly"),
            ("nothing", Vec::new(), "this is no WebAssembly"),
            ("wants too much", guest(|manifest| manifest["capabilities"] = json!(["kv", "nuclear.codes"])), "nuclear.codes"),
            ("unknown hook", guest(|manifest| manifest["hooks"]["before-lunch"] = json!({})), "before-lunch"),
            ("undeclared", guest(|manifest| {
                manifest["capabilities"] = json!(["kv"]);
                manifest["secrets"] = json!([]);
                manifest["origins"] = json!([]);
            }), "does not declare"),
            ("no version", guest(|manifest| manifest["version"] = json!("one")), "cannot be read"),
        ] {
            let refused = try_install(&operator, package, &ALL).await;
            assert_eq!(refusal(&refused).0, "INVALID", "{what}");
            assert!(text(&refused["errors"][0]["message"]).contains(words), "{what}: {refused}");
            assert_eq!(answer(&ann, "echo", json!({ "of": "on" })).await, "ann in no place; of is **on**", "{what}");
        }
        assert_eq!(seen(&operator, "version").await["version"], json!("1.0.0"));

        // What is too large does not even come in, nor what is not there.
        let upload = place(&operator).await["upload"].take();
        let url = format!("{}{}", operator.url, text(&upload["path"]));
        let put = operator.http.put(url).body(vec![0; (32 << 20) + 1]).send().await.expect("an answer");
        assert_eq!(put.status(), 413);
        let nothing = does(&operator, "pluginInstall", json!({ "uploadId": upload["id"] }), "").await;
        assert_eq!(refusal(&nothing).0, "NOT_FOUND", "what did not come in whole is not there at all");
        for path in ["/nowhere/at/all.wasm", "relative.wasm", "/"] {
            let refused = does(&operator, "pluginInstall", json!({ "path": path }), "").await;
            assert_eq!(refusal(&refused).0, "INVALID", "{path}");
        }
        let both = does(&operator, "pluginInstall", json!({ "path": "/a.wasm", "uploadId": upload["id"] }), "").await;
        assert_eq!(refusal(&both), ("INVALID".to_owned(), json!(["input", "uploadId"])));
    }

    /// F: P-05
    async fn what_is_granted_is_for_an_operator_to_say_and_a_workspace_narrows_it(backend) {
        let world = hub(backend).start().await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        let look = async || run(&ann, "look", None, json!({ "at": "user", "id": ann.id })).await;
        let plugin = install(&operator, version("1.0.0", 1), &["KV"]).await;
        assert_eq!(plugin["grantedCapabilities"], json!(["KV"]));
        switch(&operator, GUEST, None, true).await;
        assert_eq!(refusal(&look().await).0, "PLUGIN_FAILED");
        // One that asks for the same is put in force, and may not do more than before.
        let plugin = install(&operator, version("1.1.0", 1), &[]).await;
        assert_eq!((&plugin["version"], &plugin["grantedCapabilities"]), (&json!("1.1.0"), &json!(["KV"])));
        change(&operator, "pluginSettingsUpdate", json!({ "scope": "HUB", "capabilities": ALL })).await;
        assert_eq!(look().await["reply"]["text"], json!("ann"));
        let narrowed = change(&operator, "pluginSettingsUpdate", json!({ "capabilities": ["KV", "NOTICES"] })).await;
        assert_eq!(narrowed["grantedCapabilities"], json!(["KV", "NOTICES"]));
        assert_eq!(refusal(&look().await).0, "PLUGIN_FAILED");
        change(&operator, "pluginSettingsUpdate", json!({ "capabilities": null })).await;
        assert_eq!(look().await["reply"]["text"], json!("ann"));

        // Some conversations and no others.
        let (tea, coffee) = (ann.group("Tea", &[]).await, ann.group("Coffee", &[]).await);
        change(&operator, "pluginSettingsUpdate", json!({ "conversationIds": [tea] })).await;
        let title = async |id: &str| run(&ann, "look", None, json!({ "at": "conversation", "id": id })).await;
        assert_eq!(title(&tea).await["reply"]["text"], json!("Tea"));
        assert_eq!(refusal(&title(&coffee).await).0, "REFUSED_BY_PLUGIN");
        // Who narrows the places narrows nothing else, nor what is granted later.
        change(&operator, "pluginSettingsUpdate", json!({ "scope": "HUB", "capabilities": ["KV"] })).await;
        change(&operator, "pluginSettingsUpdate", json!({ "conversationIds": null })).await;
        change(&operator, "pluginSettingsUpdate", json!({ "conversationIds": [tea] })).await;
        let plugin = change(&operator, "pluginSettingsUpdate", json!({ "scope": "HUB", "capabilities": ALL })).await;
        assert_eq!(plugin["grantedCapabilities"].as_array().map(Vec::len), Some(ALL.len()));
        let elsewhere = world.person_of("elsewhere", "odo", "owner").await.group("Elsewhere", &[]).await;
        let refused = try_change(&operator, "pluginSettingsUpdate", json!({ "conversationIds": [elsewhere] })).await;
        assert_eq!(refusal(&refused), ("NOT_FOUND".to_owned(), json!(["input", "conversationIds"])));
        // Not for the hub: all workspaces would be told of it.
        let of_hub = |ids: Value| json!({ "scope": "HUB", "conversationIds": ids });
        let refused = try_change(&operator, "pluginSettingsUpdate", of_hub(json!([tea]))).await;
        assert_eq!(refusal(&refused), ("INVALID".to_owned(), json!(["input", "conversationIds"])));
        assert_eq!(try_change(&operator, "pluginSettingsUpdate", of_hub(Value::Null)).await["errors"], json!([]));
    }

    /// F: P-05, P-06
    async fn an_upgrade_that_wants_more_waits_until_it_is_granted(backend) {
        let world = hub(backend).start().await;
        let operator = world.operator().await;
        let wanting = |version: &str, capabilities: Value| {
            Guest::new().id(GUEST).with("/version", json!(version)).with("/capabilities", capabilities).build()
        };
        install(&operator, wanting("1.0.0", json!(["kv"])), &["KV"]).await;
        let waits = json!({ "version": "1.0.0", "grantedCapabilities": ["KV"],
            "pendingUpgrade": { "version": "2.0.0", "newCapabilities": ["MESSAGES_READ", "USERS_READ"] } });
        let more = wanting("2.0.0", json!(["kv", "messages.read", "users.read"]));
        install(&operator, more.clone(), &["USERS_READ"]).await;
        becomes(&operator, WAITING, waits.clone()).await;
        // Nobody wants it, and it is forgotten.
        change(&operator, "pluginUpgradeReject", json!({})).await;
        assert_eq!(seen(&operator, "pendingUpgrade { version }").await["pendingUpgrade"], Value::Null);
        for what in ["pluginUpgradeReject", "pluginUpgradeApprove"] {
            assert_eq!(refusal(&try_change(&operator, what, json!({})).await).0, "NOT_FOUND", "{what}");
        }
        // Or somebody lets it in, with less than it asks for.
        install(&operator, more.clone(), &[]).await;
        becomes(&operator, WAITING, waits).await;
        let too_much = try_change(&operator, "pluginUpgradeApprove", json!({ "grant": ["USERS_READ", "SECRETS"] })).await;
        assert_eq!(refusal(&too_much), ("INVALID".to_owned(), json!(["input", "grant"])));
        let plugin = change(&operator, "pluginUpgradeApprove", json!({ "grant": ["USERS_READ"] })).await;
        assert_eq!((&plugin["version"], &plugin["grantedCapabilities"]), (&json!("2.0.0"), &json!(["KV", "USERS_READ"])));
        // What asks for no more than that does not wait.
        let plugin = install(&operator, wanting("3.0.0", json!(["kv", "users.read"])), &[]).await;
        assert_eq!((&plugin["version"], &plugin["pendingUpgrade"]), (&json!("3.0.0"), &Value::Null));
        // And what is granted with it neither.
        let plugin = install(&operator, wanting("4.0.0", json!(["kv", "notices"])), &["NOTICES"]).await;
        assert_eq!(plugin["version"], json!("4.0.0"));
    }

    /// F: P-06
    async fn another_version_brings_its_data_along_once_and_goes_back_where_it_can(backend) {
        let world = hub(backend).start().await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        install(&operator, version("1.0.0", 1), &ALL).await;
        switch(&operator, GUEST, None, true).await;
        assert_eq!(answer(&ann, "count", json!({})).await, "1");
        install(&operator, version("1.1.0", 1), &ALL).await;
        let plugin = change(&operator, "pluginRollBack", json!({})).await;
        assert_eq!((&plugin["version"], &plugin["canRollBack"]), (&json!("1.0.0"), &json!(true)));
        assert_eq!(answer(&ann, "count", json!({})).await, "2", "its data stays");
        change(&operator, "pluginRollBack", json!({})).await;
        becomes(&operator, "version isReady", json!({ "version": "1.1.0", "isReady": true })).await;

        // Data of another version: it is brought along before anything else is asked, in slices, each of them once.
        install(&operator, version("2.0.0", 2), &ALL).await;
        becomes(&operator, "version isReady problem", json!({ "version": "2.0.0", "isReady": true, "problem": null })).await;
        assert_eq!(answer(&ann, "read", json!({ "key": "upgraded" })).await, "2");
        assert_eq!(answer(&ann, "count", json!({})).await, "3");
        // There is no way back from there.
        let refused = try_change(&operator, "pluginRollBack", json!({})).await;
        assert_eq!(refusal(&refused).0, "INVALID");
        assert!(text(&refused["errors"][0]["message"]).contains("there is data of version 2"), "{refused}");
        let refused = try_install(&operator, version("1.2.0", 1), &ALL).await;
        assert!(text(&refused["errors"][0]["message"]).contains("there is data of version 2"), "{refused}");

        // One that cannot do with the data leaves the earlier version at work, here and nowhere else.
        configure(&operator, json!({ "clings": true })).await;
        install(&operator, version("3.0.0", 3), &ALL).await;
        let why = "it clings to 2.0.0, 2";
        becomes(&operator, "version isReady problem", json!({ "version": "3.0.0", "isReady": true, "problem": why })).await;
        assert_eq!(answer(&ann, "count", json!({})).await, "4");
        change(&operator, "pluginRollBack", json!({})).await;
        assert_eq!(answer(&ann, "count", json!({})).await, "5");
        configure(&operator, json!({})).await;
        // Switched on once more, it tries again.
        change(&operator, "pluginRollBack", json!({})).await;
        change(&operator, "pluginEnable", json!({})).await;
        becomes(&operator, "version isReady problem", json!({ "version": "3.0.0", "isReady": true, "problem": null })).await;
        assert_eq!(answer(&ann, "read", json!({ "key": "upgraded" })).await, "4");
    }

    /// F: P-06
    async fn what_is_removed_is_gone_and_its_data_stays_or_goes(backend) {
        let world = hub(backend).start().await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        let package = version("1.0.0", 1);
        for (with_data, count) in [(false, "2"), (true, "1")] {
            install(&operator, package.clone(), &ALL).await;
            switch(&operator, GUEST, None, true).await;
            answer(&ann, "count", json!({})).await;
            let input = json!({ "pluginId": GUEST, "withData": with_data });
            let removed = does(&operator, "pluginRemove", input.clone(), "removedPluginId").await;
            assert_eq!(removed["removedPluginId"], json!(GUEST), "{removed}");
            assert_eq!(seen(&operator, "").await, Value::Null);
            assert_eq!(refusal(&run(&ann, "count", None, json!({})).await).0, "NOT_FOUND");
            assert_eq!(refusal(&does(&operator, "pluginRemove", input, "").await).0, "NOT_FOUND");
            within("room for it", async {
                while try_install(&operator, package.clone(), &ALL).await["errors"] != json!([]) {
                    tokio::task::yield_now().await;
                }
            }).await;
            switch(&operator, GUEST, None, true).await;
            assert_eq!(answer(&ann, "count", json!({})).await, count);
            does(&operator, "pluginRemove", json!({ "pluginId": GUEST, "withData": true }), "").await;
            within("room for it", async {
                while try_install(&operator, package.clone(), &ALL).await["errors"] != json!([]) {
                    tokio::task::yield_now().await;
                }
            }).await;
        }
        assert!(recorded(&operator).await.contains(&"PLUGIN_REMOVED".to_owned()));
    }

    /// F: P-06, P-04
    async fn what_an_operator_switches_off_is_off_for_all(backend) {
        let world = hub(backend).start().await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        install(&operator, version("1.0.0", 1), &ALL).await;
        switch(&operator, GUEST, None, true).await;
        let tea = ann.group("Tea", &[]).await;
        switch(&operator, GUEST, Some(&tea), true).await;
        change(&operator, "pluginDisable", json!({ "scope": "HUB" })).await;
        assert_eq!(refusal(&run(&ann, "count", None, json!({})).await).0, "NOT_FOUND");
        assert_eq!(refusal(&run(&ann, "count", Some(&tea), json!({})).await).0, "NOT_FOUND");
        let refused = try_change(&operator, "pluginEnable", json!({})).await;
        assert_eq!(refusal(&refused).0, "NOT_ALLOWED");
        change(&operator, "pluginEnable", json!({ "scope": "HUB" })).await;
        assert_eq!(answer(&ann, "count", json!({})).await, "1", "as it was before");
        let refused = try_change(&operator, "pluginEnable", json!({ "scope": "HUB", "conversationId": tea })).await;
        assert_eq!(refusal(&refused), ("INVALID".to_owned(), json!(["input", "conversationId"])));
        // A default is for workspaces that say nothing.
        change(&operator, "pluginSettingsUpdate", json!({ "scope": "HUB", "isDefault": true })).await;
        let elsewhere = world.person_of("elsewhere", "odo", "owner").await;
        becomes(&elsewhere, "isOn isReady", json!({ "isOn": true, "isReady": true })).await;
        assert_eq!(answer(&elsewhere, "read", json!({ "key": "installed" })).await, "2");
        assert_eq!(answer(&elsewhere, "read", json!({ "key": "enabled" })).await, "1");
        let refused = try_change(&elsewhere, "pluginSettingsUpdate", json!({ "isDefault": false })).await;
        assert_eq!(refusal(&refused), ("INVALID".to_owned(), json!(["input", "isDefault"])));
    }

    /// F: P-05, P-06
    async fn before_anybody_configures_it_a_plugin_has_its_defaults(backend) {
        let marked = guest(|manifest| manifest["configuration"]["properties"]["mark"]["default"] = json!(" by default"));
        let world = Setup::new(backend).nodes(2).plugin(marked).start().await;
        let (owner, ann) = (world.operator().await, world.person("ann").await);
        let shown = async || seen(&owner, "configuration").await["configuration"]["mark"].clone();
        assert_eq!(shown().await, json!(" by default"));
        switch(&owner, GUEST, None, true).await;
        let tea = ann.group("Tea", &[]).await;
        assert_eq!(ann.say(&tea, "tea").await["body"], json!("tea by default"));
        configure(&owner, json!({ "mark": " by hand" })).await;
        assert_eq!((shown().await, &ann.say(&tea, "tea").await["body"]), (json!(" by hand"), &json!("tea by hand")));
    }

    /// F: P-05, P-06
    async fn a_plugin_that_is_off_is_configured_and_begins_when_it_is_switched_on(backend) {
        let world = Setup::new(backend).nodes(2).plugin(guest(|_| {})).start().await;
        let (owner, ann) = (world.operator().await, world.person("ann").await);
        configure(&owner, json!({ "mark": "x".repeat(100_000) })).await;
        let record = owner.ask("{ auditLog(last: 1) { nodes { details { name value } } } }", json!({})).await.to_string();
        assert!(record.contains("bytes in all") && record.len() < 3_000, "the record keeps what somebody reads of it");
        configure(&owner, json!({ "mark": " marked again" })).await;
        assert_eq!(seen(&owner, "isOn isReady health { calls }").await["health"]["calls"], json!(0), "nobody has asked it anything");
        switch(&owner, GUEST, None, true).await;
        let tea = ann.group("Tea", &[]).await;
        assert_eq!(ann.say(&tea, "tea").await["body"], json!("tea marked again"));
        assert_eq!(answer(&ann, "read", json!({ "key": "installed" })).await, "2");
        assert_eq!(answer(&ann, "read", json!({ "key": "enabled" })).await, "1");
    }

    /// F: P-06
    async fn what_comes_with_the_hub_overrules_nobody_when_it_is_started_again(backend) {
        let mut world = Setup::new(backend).plugin(version("2.0.0", 1)).start().await;
        let operator = world.operator().await;
        let in_force = async |world: &World| seen(&operator.at(world, 0), "version").await["version"].clone();
        install(&operator, version("1.0.0", 1), &ALL).await;
        world.restart(0).await;
        assert_eq!(in_force(&world).await, json!("1.0.0"), "an older one that an operator chose stays");
        change(&operator.at(&world, 0), "pluginRollBack", json!({})).await;
        change(&operator.at(&world, 0), "pluginRollBack", json!({})).await;
        world.restart(0).await;
        assert_eq!(in_force(&world).await, json!("1.0.0"), "and so does one that they went back to");

        // What is newer than all that was ever here comes in, once, and the record says so.
        world.bring(0, vec![version("3.0.0", 1)]);
        world.restart(0).await;
        assert_eq!(in_force(&world).await, json!("3.0.0"));
        let query = "{ auditLog(last: 1) { nodes { action actor { id } target details { name value } } } }";
        let record = operator.at(&world, 0).ask(query, json!({})).await["auditLog"]["nodes"][0].clone();
        assert_eq!((&record["action"], &record["actor"], &record["target"]), (&json!("PLUGIN_INSTALLED"), &Value::Null, &json!(GUEST)));
        assert!(record["details"].as_array().expect("details").contains(&json!({ "name": "version", "value": "3.0.0" })), "{record}");
        change(&operator.at(&world, 0), "pluginRollBack", json!({})).await;
        world.restart(0).await;
        assert_eq!(in_force(&world).await, json!("1.0.0"));
        // What is older than something that was here does not, whatever is in force.
        world.bring(0, vec![version("2.5.0", 1)]);
        world.restart(0).await;
        assert_eq!(in_force(&world).await, json!("1.0.0"));
        let plugin = does(&operator.at(&world, 0), "pluginInstall", json!({ "bundled": GUEST }), "plugin { version }").await;
        assert_eq!(plugin["plugin"]["version"], json!("2.5.0"), "it is there for whoever wants it");
    }

    /// F: P-06
    async fn packages_that_nobody_goes_back_to_are_let_go(backend) {
        let compiled = tempfile::tempdir().expect("a folder");
        let folder = compiled.path().to_owned();
        let world = Setup::new(backend).config(move |config| {
            config.embedded.compiled = Some((folder.clone(), [9; 32]));
            config.blobs = Some(format!("fs:{}", config.data.parent().expect("a folder above").join("blobs").display()));
        }).start().await;
        let operator = world.operator().await;
        let files = |folder: &std::path::Path| std::fs::read_dir(folder).expect("a folder").count();
        let packages = world.data_folder().join("blobs").join("plugins");
        let kept = async || (world.db_count("plugin_packages").await, files(&packages), files(compiled.path()));
        let before = kept().await;
        for number in 1..=5 {
            install(&operator, version(&format!("1.0.{number}"), 1), &ALL).await;
        }
        // One that is refused, because it does not go together with what is there.
        let bad = fields(|manifest| manifest["graphql"] = json!("extend type Query { messages: String }"));
        assert_eq!(refusal(&try_install(&operator, bad, &ALL).await).0, "INVALID");
        within("what is needed alone to be kept", async {
            while kept().await != (before.0 + 2, before.1 + 2, before.2 + 2) {
                world.clock.advance(Duration::from_secs(61));
                tokio::task::yield_now().await;
            }
        }).await;
        let plugin = change(&operator, "pluginRollBack", json!({})).await;
        assert_eq!((&plugin["version"], &plugin["canRollBack"]), (&json!("1.0.4"), &json!(true)));
        // One that was let go comes again like one that is new.
        let plugin = install(&operator, version("1.0.1", 1), &ALL).await;
        assert_eq!(plugin["version"], json!("1.0.1"));
        within("what is needed alone to be kept", async {
            while kept().await != (before.0 + 2, before.1 + 2, before.2 + 2) {
                world.clock.advance(Duration::from_secs(61));
                tokio::task::yield_now().await;
            }
        }).await;
        assert_eq!(change(&operator, "pluginRollBack", json!({})).await["version"], json!("1.0.4"));
    }

    /// F: P-06
    async fn what_comes_with_the_hub_comes_back_from_it(backend) {
        let world = Setup::new(backend).plugin(version("1.0.0", 1)).start().await;
        let operator = world.operator().await;
        assert_eq!(seen(&operator, "version").await["version"], json!("1.0.0"));
        let remove = json!({ "pluginId": GUEST, "withData": true });
        assert_eq!(does(&operator, "pluginRemove", remove, "").await["errors"], json!([]));
        becomes(&operator, "version", Value::Null).await;
        let back = json!({ "bundled": GUEST, "grant": ["KV"] });
        let plugin = within("its packages to be gone", async {
            loop {
                let mut payload = does(&operator, "pluginInstall", back.clone(), "plugin { version grantedCapabilities }").await;
                if payload["errors"] == json!([]) {
                    return payload["plugin"].take();
                }
                tokio::task::yield_now().await;
            }
        }).await;
        assert_eq!(plugin, json!({ "version": "1.0.0", "grantedCapabilities": ["KV"] }));
        let nobody = does(&operator, "pluginInstall", json!({ "bundled": "example.nobody" }), "").await;
        assert_eq!(refusal(&nobody), ("NOT_FOUND".to_owned(), json!(["input", "bundled"])));
    }
}
