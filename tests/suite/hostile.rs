//! Plugins that mean harm, or are broken, in a hub where people talk: each is on beside four good ones, in one workspace, and
//! whoever has it not must not notice. What each does to the host alone is told in the host's own tests.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World,
        account::does,
        guest::{GUEST, guest, owner, run, run_with, switch},
        packages::{install, upload},
        person::{refusal, text},
        process::PROGRAM,
        wat::{
            Guest,
            in_the_way::{flood, in_the_way},
            reject,
        },
        within,
    },
};

/// The fourth of the good ones, beside mentions, moderation and the guest.
const OTHER: &str = "test.other";
/// Whoever has nothing to do with a plugin waits no longer for a send than this, however slow the machine is.
const STALL: Duration = Duration::from_secs(2);

/// A workspace with a hostile plugin, and those who must not notice: a conversation where it is off, and another workspace.
struct Place {
    world: World,
    owner: Person,
    ann: Person,
    bob: Person,
    tea: String,
    calm: String,
    odo: Person,
    eve: Person,
    far: String,
}

impl Place {
    async fn new(backend: Backend, hostile: impl IntoIterator<Item = &Guest>) -> Self {
        let other = guest(|manifest| manifest["id"] = json!(OTHER));
        let good = Setup::new(backend).plugin(guest(|_| {})).plugin(other);
        let world = hostile.into_iter().fold(good, |setup, hostile| setup.plugin(hostile.build())).start().await;
        let owner = owner(&world).await;
        for (plugin, configuration) in [
            (GUEST, json!({ "mark": " one" })),
            (OTHER, json!({ "mark": " two" })),
            (
                "jackfield.moderation",
                json!({ "rules": [{ "kind": "words", "action": "reject", "words": ["heck"], "strikes": 0 }] }),
            ),
        ] {
            switch(&owner, plugin, None, true).await;
            configured(&owner, plugin, configuration).await;
        }
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let (tea, calm) = (ann.group("Tea", &[&bob]).await, ann.group("Calm", &[&bob]).await);
        let odo = world.person_of("elsewhere", "odo", "owner").await;
        let eve = world.person_with("eve", json!({ "workspace": "elsewhere" })).await;
        let far = odo.group("Far", &[&eve]).await;
        Place { world, owner, ann, bob, tea, calm, odo, eve, far }
    }

    /// Sends there where it is on, all at once, and beside that where it is not, one after the other.
    async fn talk(&self, label: &str) {
        let here = join_all((0..8).map(|number| async move {
            let body = format!("@bob {label} {number}");
            assert_eq!(said(&self.ann, &self.tea, &body).await["message"]["body"], json!(format!("{body} one two")));
        }));
        let beside = async {
            for number in 0..4 {
                let body = format!("@bob {label} {number}");
                let sent = in_time(said(&self.ann, &self.calm, &body)).await;
                assert_eq!(sent["message"]["body"], json!(format!("{body} one two")), "{label}");
                let body = format!("@eve {label} {number}");
                assert_eq!(in_time(said(&self.odo, &self.far, &body)).await["message"]["body"], json!(body), "{label}");
            }
        };
        join(here, beside).await;
    }

    /// How a plugin does here.
    async fn health(&self, plugin: &Guest) -> Value {
        health(&self.owner, &id(plugin)).await
    }

    /// What was said is there once, in every place, and the good ones have done with all of it what they do.
    async fn is_whole(&self) {
        let mut heard = 0;
        for (person, who, place) in
            [(&self.ann, &self.bob, &self.tea), (&self.ann, &self.bob, &self.calm), (&self.odo, &self.eve, &self.far)]
        {
            let history = person.history(place).await;
            let mut unique = history.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), history.len(), "something was doubled: {history:?}");
            heard += if person.id == self.ann.id { history.len() } else { 0 };
            let query = "query($c: ID!) { conversation(id: $c) { unreadMentionCount unreadCount } }";
            within("who is mentioned", async {
                let all = json!({ "unreadMentionCount": history.len(), "unreadCount": history.len() });
                while who.ask(query, json!({ "c": place })).await["conversation"] != all {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        for plugin in [GUEST, OTHER] {
            within("what the guests heard", async {
                let asked = json!({ "plugin": plugin, "command": "read", "arguments": { "key": "heard" } });
                while run_with(&self.bob, asked.clone()).await["reply"]["text"] != json!(heard.to_string()) {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        let plugins = self.owner.ask("{ plugins { id health { failures { kind } } } }", json!({})).await;
        let plugins = plugins["plugins"].as_array().expect("plugins").clone();
        for good in ["jackfield.mentions", "jackfield.moderation", GUEST, OTHER] {
            let found = plugins.iter().find(|plugin| plugin["id"] == json!(good)).expect("it is there");
            assert_eq!(found["health"]["failures"], json!([]), "{good}");
        }
        assert_eq!(self.ann.get("/ready").await.0.as_u16(), 200);
    }
}

fn id(guest: &Guest) -> String {
    text(&guest.manifest.as_ref().expect("it has one")["id"])
}

async fn health(owner: &Person, plugin: &str) -> Value {
    let query = "{ plugins { id isOn storageBytes logs { text }
        health { calls failures { kind count } isBreakerOpen memoryPeakBytes } } }";
    let found = owner.ask(query, json!({})).await;
    let plugins = found["plugins"].as_array().expect("plugins").clone();
    plugins.into_iter().find(|found| found["id"] == json!(plugin)).expect("it is installed")
}

/// How often it failed.
fn failures(health: &Value) -> u64 {
    let failures = health["health"]["failures"].as_array().expect("failures");
    failures.iter().map(|failure| failure["count"].as_u64().expect("a number")).sum()
}

async fn configured(owner: &Person, plugin: &str, configuration: Value) {
    let input = json!({ "pluginId": plugin, "configuration": configuration });
    assert_eq!(does(owner, "pluginConfigure", input, "").await["errors"], json!([]));
}

/// Says something, and answers what came of it.
async fn said(person: &Person, conversation: &str, body: &str) -> Value {
    let query = "mutation($input: MessageSendInput!) { messageSend(input: $input) { message { id body }
        errors { code path message plugin pluginCode } } }";
    let input = json!({ "conversationId": conversation, "body": body });
    person.ask(query, json!({ "input": input })).await["messageSend"].take()
}

async fn in_time<T>(sent: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let sent = sent.await;
    assert!(began.elapsed() < STALL, "who has nothing to do with it waited {:?}", began.elapsed());
    sent
}

/// One that hears of messages and does this.
fn hearing(body: &str) -> Guest {
    let guest = Guest::new().only("event-hooks", json!({ "on-events": { "events": ["message_sent"] } }));
    guest.does("event-hooks", "on-events", body)
}

/// Few bytes that are much work for whoever compiles them.
fn compile_bomb() -> Guest {
    let step = "(local.set $x (i64.mul (i64.add (local.get $x) (i64.const 3)) (local.get $x)))
        (if (i64.eqz (local.get $x)) (then (local.set $x (i64.rotl (local.get $x) (i64.const 7)))))\n";
    Guest::new().id("hostile.bomb").extra(&format!("(func (export \"bomb\") (local $x i64) {})", step.repeat(100_000)))
}

stories! {
    /// F: P-01, P-04, P-11
    async fn one_that_stands_in_the_way_is_left_alone_soon_and_nothing_is_lost(backend) {
        let hostile = in_the_way();
        let place = Place::new(backend, hostile.iter().map(|(guest, _)| guest)).await;
        for (guest, kinds) in &hostile {
            let plugin = id(guest);
            switch(&place.owner, &plugin, None, true).await;
            switch(&place.owner, &plugin, Some(&place.calm), false).await;
            place.talk(&format!("{plugin} at first")).await;
            let seen = place.health(guest).await;
            let failed = seen["health"]["failures"].as_array().expect("failures");
            // What does not fail by itself may take too long now and then, where others keep the processors busy.
            let may_be = |kind: &str| kinds.contains(&kind) || kinds.is_empty() && kind.ends_with("_TIME");
            assert!(failed.iter().all(|failure| may_be(failure["kind"].as_str().expect("a kind"))), "{plugin}: {seen}");
            assert_eq!(failures(&seen) >= 5, !kinds.is_empty(), "{plugin}: {seen}");
            assert_eq!(seen["health"]["isBreakerOpen"], json!(!kinds.is_empty()), "{plugin}: {seen}");
            assert!(seen["health"]["memoryPeakBytes"].as_u64() <= Some(32 << 20), "{plugin}: {seen}");
            assert!(seen["storageBytes"].as_u64() <= Some(100_000), "{plugin}: {seen}");
            assert!(seen["logs"].as_array().is_some_and(|lines| lines.len() <= 100), "{plugin}: {seen}");

            // Whoever failed too often is asked no more, and what is good goes on.
            place.talk(&format!("{plugin} afterwards")).await;
            let later = place.health(guest).await;
            assert_eq!(later["health"]["calls"] == seen["health"]["calls"], !kinds.is_empty(), "{plugin}: {later}");
            assert!(later["storageBytes"].as_u64() <= Some(100_000), "{plugin}: {later}");
            let refused = said(&place.ann, &place.tea, "what the heck").await;
            assert_eq!(refused["errors"][0]["pluginCode"], json!("WORD_NOT_ALLOWED"), "{plugin}: {refused}");
            switch(&place.owner, &plugin, None, false).await;
        }
        assert_eq!(place.ann.history(&place.tea).await.len(), hostile.len() * 16);
        assert_eq!(place.ann.history(&place.calm).await.len(), hostile.len() * 8);
        assert_eq!(place.odo.history(&place.far).await.len(), hostile.len() * 8);
        place.is_whole().await;
    }

    /// F: P-01, P-04
    async fn one_that_fails_at_what_it_hears_holds_up_nobody_else(backend) {
        let hostile = [
            (hearing("unreachable").id("hostile.trap"), "TRAP"),
            (hearing("(loop $on (br $on)) (i32.const 16)").id("hostile.endless-loop").with("/limits/after-ms", json!(200)), "CPU_TIME"),
            (hearing("(i32.const -4)").id("hostile.far-answer"), "TRAP"),
            (
                hearing(&flood("(call $messages_post (i32.const 1024) (i32.const 4) (i32.const 0) (i32.const 1100) (i32.const 4) (i32.const 0) (i32.const 0)
                    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 300))"))
                    .id("hostile.post-flood").data(1024, "tea!").data(1100, "tea!").import("messages", "post"),
                "OUTPUT",
            ),
        ];
        let place = Place::new(backend, hostile.iter().map(|(guest, _)| guest)).await;
        for (guest, kind) in &hostile {
            let plugin = id(guest);
            switch(&place.owner, &plugin, None, true).await;
            switch(&place.owner, &plugin, Some(&place.calm), false).await;
            place.talk(&format!("{plugin} at first")).await;
            // It fails again after two seconds, four, eight …, which the story lets go by.
            let mut known = 0;
            within("the breaker", async {
                loop {
                    let seen = place.health(guest).await;
                    if seen["health"]["isBreakerOpen"] == json!(true) {
                        let failed = seen["health"]["failures"].as_array().expect("failures");
                        assert!(failed.iter().all(|failure| failure["kind"] == json!(kind) || failure["kind"] == json!("WALL_TIME")), "{seen}");
                        return;
                    }
                    if failures(&seen) > known {
                        known = failures(&seen);
                        place.world.clock.advance(Duration::from_secs(1 << known));
                        place.talk(&format!("{plugin} {known}")).await;
                    }
                    tokio::task::yield_now().await;
                }
            }).await;
            switch(&place.owner, &plugin, None, false).await;
        }
        place.is_whole().await;
    }

    /// F: P-01, P-02, P-06
    async fn a_trap_in_any_hook_is_only_its_own(backend) {
        let trapping = |guest: Guest, group, functions: &[&'static str]| {
            functions.iter().fold(guest, |guest, function| guest.does(group, function, "unreachable"))
        };
        let messages = Guest::new().id("hostile.messages").only("message-hooks", json!({ "before-create": {}, "before-edit": {}, "before-delete": {} }));
        let messages = trapping(messages, "message-hooks", &["before-create", "before-edit", "before-delete"]);
        let members = Guest::new().id("hostile.members").only("membership-hooks", json!({ "before-join": {}, "before-conversation-create": {} }));
        let members = trapping(members, "membership-hooks", &["before-join", "before-conversation-create"]);
        let commands = Guest::new().id("hostile.commands").only("command-hooks", json!({}));
        let commands = commands.with("/commands", json!([{ "name": "hello", "description": "Says hello." }]));
        let commands = trapping(commands, "command-hooks", &["run"]);
        let schedules = Guest::new().id("hostile.schedules").only("schedule-hooks", json!({}));
        let schedules = schedules.with("/schedules", json!([{ "name": "always", "cron": "* * * * *" }]));
        let schedules = trapping(schedules, "schedule-hooks", &["run"]);
        let life = |name: &'static str, function: &'static str| {
            let guest = Guest::new().id(&format!("hostile.{name}")).only("lifecycle-hooks", json!({ function: {} }));
            trapping(guest, "lifecycle-hooks", &[function])
        };
        let (installs, enables, disables) = (life("installs", "install"), life("enables", "enable"), life("disables", "disable"));
        // One that has nothing else to do than to begin, and does it well.
        let begins = Guest::new().id("test.begins").only("lifecycle-hooks", json!({ "install": {} }));
        let (validates, changes) = (life("validates", "validate-configuration"), life("changes", "configuration-changed"));
        let all = [&messages, &members, &commands, &schedules, &installs, &enables, &disables, &validates, &changes, &begins];
        let place = Place::new(backend, all).await;
        for guest in [&messages, &members, &commands, &schedules, &disables, &validates, &changes] {
            switch(&place.owner, &id(guest), None, true).await;
        }

        let sent = place.ann.say(&place.tea, "draft").await;
        let edited = does(&place.ann, "messageEdit", json!({ "messageId": sent["id"], "body": "@bob fair copy" }), "message { body }").await;
        assert_eq!(edited["message"]["body"], json!("@bob fair copy"), "{edited}");
        let spare = place.ann.say(&place.calm, "to go").await;
        let deleted = does(&place.ann, "messageDelete", json!({ "messageId": spare["id"], "forEveryone": true }), "").await;
        assert_eq!(deleted["errors"], json!([]));
        place.talk("create").await;
        let milk = place.ann.group("Milk", &[&place.bob]).await;
        assert_eq!(place.ann.add(&milk, &[&place.owner]).await["errors"], json!([]));
        for (guest, least) in [(&messages, 5), (&members, 2)] {
            let seen = place.health(guest).await;
            assert!(failures(&seen) >= least && seen["health"]["failures"][0]["kind"] == json!("TRAP"), "{seen}");
        }
        assert_eq!(refusal(&run(&place.ann, "hello", None, json!({})).await).0, "PLUGIN_FAILED");

        // What does not begin well is off, and says why.
        for guest in [&installs, &enables] {
            let refused = does(&place.owner, "pluginEnable", json!({ "pluginId": id(guest) }), "").await;
            assert_eq!(refusal(&refused).0, "PLUGIN_FAILED", "{}", id(guest));
            assert_eq!(place.health(guest).await["isOn"], json!(false));
        }
        switch(&place.owner, &id(&begins), None, true).await;
        assert_eq!(place.health(&begins).await["isOn"], json!(true));
        switch(&place.owner, &id(&disables), None, false).await;
        assert_eq!(place.health(&disables).await["isOn"], json!(false), "whatever it says to it");
        let configure = async |guest: &Guest| {
            let input = json!({ "pluginId": id(guest), "configuration": {} });
            does(&place.owner, "pluginConfigure", input, "plugin { id }").await
        };
        assert_eq!(refusal(&configure(&validates).await).0, "PLUGIN_FAILED");
        // What is in force is answered so, whatever the plugin makes of it; the admins see that.
        switch(&place.owner, &id(&changes), None, true).await;
        let configured = configure(&changes).await;
        assert_eq!((&configured["plugin"]["id"], &configured["errors"]), (&json!(id(&changes)), &json!([])));
        let seen = place.health(&changes).await;
        assert!(failures(&seen) == 1 && text(&seen["logs"][0]["text"]).contains("the configuration is in force"), "{seen}");
        within("a run that fails", async {
            while failures(&place.health(&schedules).await) == 0 {
                place.world.clock.advance(Duration::from_secs(61));
                tokio::task::yield_now().await;
            }
        }).await;
        place.talk("at the end").await;
        assert_eq!(place.ann.history(&place.tea).await.len(), 17);
        assert_eq!(place.ann.get("/ready").await.0.as_u16(), 200);
    }

    /// F: P-01, A-03
    async fn what_it_keeps_in_itself_is_unknown_to_it_in_another_workspace(backend) {
        // It refuses with letters that say how often it was asked before, by its global and by its memory.
        let body = "(i32.store8 (i32.const 1024) (i32.add (i32.const 65) (global.get $seen)))
            (i32.store8 (i32.const 1025) (i32.add (i32.const 65) (i32.load8_u (i32.const 2000))))
            (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
            (i32.store8 (i32.const 2000) (i32.add (i32.load8_u (i32.const 2000)) (i32.const 1)))";
        let carrying = Guest::new().id("hostile.carrier").data(1100, "Not here.").extra("(global $seen (mut i32) (i32.const 0))");
        let world = Setup::new(backend).plugin(carrying.before_create(&format!("{body}{}", reject(9, 2))).build()).start().await;
        let mut people = Vec::new();
        for workspace in ["one", "two", "three"] {
            let owner = world.person_of(workspace, workspace, "owner").await;
            switch(&owner, "hostile.carrier", None, true).await;
            people.push((owner.group("Tea", &[]).await, owner));
        }
        for expected in ["AA", "BB", "CC"] {
            for (tea, owner) in &people {
                let refused = said(owner, tea, "hello").await;
                assert_eq!(refused["errors"][0]["pluginCode"], json!(expected), "{}", owner.name);
            }
        }
    }

    /// F: P-01, P-05, A-03
    async fn what_it_aims_at_another_workspace_changes_nothing_there(backend) {
        let world = World::new(backend).await;
        let (operator, owner) = (world.operator().await, owner(&world).await);
        let tea = owner.group("Tea", &[]).await;
        let message = text(&owner.say(&tea, "ours").await["id"]);
        let odo = world.person_of("elsewhere", "odo", "owner").await;
        let far = odo.group("Far", &[]).await;
        let mut socket = owner.socket().await;
        let query = "subscription { events(input: { kinds: [PLUGIN_EVENT, MENTIONS_UPDATED] }) { __typename cursor } }";
        socket.subscribe("s", query, json!({})).await;
        socket.until_caught_up("s").await;

        // It posts to both places that it is alive, and at home that it could read; and it attaches and tells and mentions.
        let post = |place: u32, length: usize, words: u32| format!("(call $messages_post (i32.const {place}) (i32.const {length})
            (i32.const 0) (i32.const {words}) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 300))");
        let body = format!(
            "{} {}
             (call $annotations_set (i32.const 1200) (i32.const {of_message}) (i32.const 1420) (i32.const 1) (i32.const 300))
             (call $mentions_set (i32.const 1200) (i32.const {of_message}) (i32.const 1500) (i32.const 1) (i32.const 300))
             (call $notices_send (i32.const 1) (i32.const 1024) (i32.const {of_tea}) (i32.const 1440) (i32.const 4) (i32.const 1460) (i32.const 2) (i32.const 300))
             (call $messages_get (i32.const 1200) (i32.const {of_message}) (i32.const 400))
             (if (i32.eqz (i32.load8_u (i32.const 400))) (then {}))
             (i32.const 16)",
            post(1024, tea.len(), 1400), post(1100, far.len(), 1400), post(1024, tea.len(), 1410),
            of_message = message.len(), of_tea = tea.len(),
        );
        let aiming = hearing(&body).id("hostile.aiming").data(1024, &tea).data(1100, &far).data(1200, &message)
            .data(1400, "alive").data(1410, "I saw").data(1420, "1").data(1440, "tell").data(1460, "{}").data(1500, "\u{1}")
            .import("messages", "post").import("messages", "get").import("annotations", "set").import("mentions", "set").import("notices", "send");
        install(&operator, aiming.build(), &["MESSAGES_POST", "MESSAGES_READ", "ANNOTATIONS", "MENTIONS", "NOTICES"]).await;
        let is_told = async |person: &Person, place: &str, said: &[&str]| {
            within("what it has to say", async {
                while person.history(place).await.len() < said.len() {
                    tokio::task::yield_now().await;
                }
            }).await;
            assert_eq!(person.history(place).await, said);
        };
        switch(&odo, "hostile.aiming", None, true).await;
        odo.say(&far, "theirs").await;
        is_told(&odo, &far, &["theirs", "alive"]).await;
        assert_eq!(owner.history(&tea).await, ["ours"]);
        assert_eq!(world.db_count("annotations").await, 0);
        let found = owner.ask("query($c: ID!) { conversation(id: $c) { messages(last: 1) { nodes { mentions { id } } } } }", json!({ "c": tea })).await;
        assert_eq!(found["conversation"]["messages"]["nodes"][0]["mentions"], json!([]));
        assert_eq!(socket.heard(), None);
        let seen = health(&odo, "hostile.aiming").await;
        assert_eq!(seen["health"]["failures"], json!([]), "{seen}");

        // At home all of that is what a plugin may do, and the other place is out of its reach.
        switch(&owner, "hostile.aiming", None, true).await;
        owner.say(&tea, "hello").await;
        is_told(&owner, &tea, &["ours", "hello", "alive", "I saw"]).await;
        assert_eq!(odo.history(&far).await, ["theirs", "alive"]);
        assert_eq!(world.db_count("annotations").await, 1);
        assert_eq!(socket.event("s").await["__typename"], json!("PluginEvent"));
    }

    /// F: P-01, P-06
    async fn a_package_that_is_a_bomb_is_not_installed_and_nobody_waits_for_it(backend) {
        // As on a machine where compiling may take little, so that it is known soon.
        let folder = tempfile::tempdir().expect("a folder");
        let compiler = folder.path().join("compiler");
        let script = format!("#!/bin/sh\nJACKFIELD_COMPILE_BYTES=419430400 exec '{PROGRAM}' \"$@\"\n");
        std::fs::write(&compiler, script).expect("a file");
        std::fs::set_permissions(&compiler, Permissions::from_mode(0o700)).expect("a file");
        let world = Setup::new(backend).config(move |config| config.embedded.compiler = Some(compiler.clone())).start().await;
        let (operator, ann) = (world.operator().await, world.person("ann").await);
        let tea = ann.group("Tea", &[]).await;
        let bomb = compile_bomb().build();
        let going_off = async {
            let input = json!({ "uploadId": upload(&operator, bomb).await });
            let query = "mutation($input: PluginInstallInput!) { pluginInstall(input: $input) { errors { code path message } } }";
            let body = json!({ "query": query, "variables": { "input": input } }).to_string();
            let request = operator.http.post(format!("{}/graphql", operator.url)).header("content-type", "application/json");
            // Where others want the processor as well it goes off late.
            let request = operator.sign(request.body(body)).timeout(Duration::from_secs(120));
            let answer = request.send().await.expect("an answer").text().await.expect("a body");
            let mut answer: Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!(answer["errors"], Value::Null, "{answer}");
            answer["data"]["pluginInstall"].take()
        };
        let talking = async {
            for number in 0..20 {
                in_time(ann.say(&tea, &number.to_string())).await;
            }
        };
        let (refused, ()) = join(going_off, talking).await;
        assert_eq!(refusal(&refused).0, "INVALID");
        assert!(text(&refused["errors"][0]["message"]).contains("make the plugin smaller and simpler"), "{refused}");
        install(&operator, Guest::new().id("hostile.no-more").build(), &[]).await;
        let plugins = operator.ask("{ plugins { id } }", json!({})).await.to_string();
        assert!(!plugins.contains("hostile.bomb") && plugins.contains("hostile.no-more"), "{plugins}");
        assert_eq!(ann.history(&tea).await.len(), 20);
    }

    /// F: P-01, P-05, P-06
    async fn a_schema_that_is_a_bomb_is_refused_and_the_hub_goes_on_answering(backend) {
        let twice = |next: usize| json!({ "anyOf": [{ "$ref": format!("#/$defs/a{next}") }, { "$ref": format!("#/$defs/a{next}") }] });
        let mut definitions: serde_json::Map<_, _> = (0..40).map(|number| (format!("a{number}"), twice(number + 1))).collect();
        definitions.insert("a40".to_owned(), json!({ "required": ["zzz"] }));
        let slow = json!({ "type": "object", "$defs": definitions, "properties": { "x": { "$ref": "#/$defs/a0" } } });
        let mut never = slow.clone();
        (never["allOf"], never["unevaluatedProperties"]) = (json!([{ "$ref": "#/$defs/a0" }]), json!(false));

        let bounded = json!({ "type": "object", "properties": {
            "words": { "type": "array", "items": { "type": "string", "pattern": "^(a|b)*a(a|b){300}c$" }, "default": ["x"] } } });
        let wanting = Guest::new().id("hostile.wanting").with("/configuration", bounded);
        let mut world = Setup::new(backend).plugin(wanting.build()).start().await;
        let (operator, owner, ann) = (world.operator().await, owner(&world).await, world.person("ann").await);
        let tea = ann.group("Tea", &[]).await;
        switch(&owner, &id(&wanting), None, true).await;
        let large = json!({ "words": ["abaab".repeat(12_000)] });
        let many = json!({ "words": vec!["x"; 10_000] });
        let harm = async {
            for schema in [&slow, &never] {
                let bomb = Guest::new().id("hostile.schema").with("/configuration", schema.clone()).build();
                let refused = does(&operator, "pluginInstall", json!({ "uploadId": upload(&operator, bomb).await }), "").await;
                assert_eq!(refusal(&refused).0, "INVALID");
                assert!(text(&refused["errors"][0]["message"]).contains("/$defs is not taken"), "{refused}");
            }
            // What is as large as it may be, several times at once, and what is larger.
            let configure = |configuration: &Value| {
                let input = json!({ "pluginId": id(&wanting), "configuration": configuration });
                does(&owner, "pluginConfigure", input, "")
            };
            for refused in join_all([&large, &large, &large, &large, &many].map(configure)).await {
                assert_eq!(refusal(&refused), ("INVALID".to_owned(), json!(["input", "configuration"])), "{refused}");
            }
        };
        let talking = async {
            for number in 0..20 {
                in_time(ann.say(&tea, &number.to_string())).await;
                assert_eq!(in_time(ann.get("/ready")).await.0.as_u16(), 200);
            }
        };
        join(harm, talking).await;

        // One that lies in the store already, as another version of the hub took it: it cannot run, which is said, and all else goes on.
        let manifest = wanting.with("/configuration", slow).manifest.expect("it has one").to_string();
        world.stop(0).await;
        world.db_execute(&format!("UPDATE plugin_packages SET manifest = '{manifest}' WHERE plugin_id = 'hostile.wanting'")).await;
        world.start(0).await;
        let (owner, ann) = (owner.at(&world, 0), ann.at(&world, 0));
        for number in 20..30 {
            in_time(ann.say(&tea, &number.to_string())).await;
            let plugins = in_time(owner.ask("{ plugins { id problem } }", json!({}))).await;
            assert!(plugins.to_string().contains("/$defs is not taken"), "{plugins}");
        }
        assert_eq!(ann.history(&tea).await.len(), 30);
    }

    /// F: P-01
    async fn compiled_plugins_that_were_tampered_with_are_compiled_again(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let compiled = folder.path().to_owned();
        let refusing = Guest::new().id("hostile.refusing").data(1024, "NO").data(1100, "No.").before_create(&reject(3, 2)).build();
        let setup = Setup::new(backend).plugin(refusing).plugin(Guest::new().id("hostile.allowing").build());
        let mut world = setup.config(move |config| config.embedded.compiled = Some((compiled.clone(), [9; 32]))).start().await;
        let owner = owner(&world).await;
        let (tea, coffee) = (owner.group("Tea", &[]).await, owner.group("Coffee", &[]).await);
        switch(&owner, "hostile.refusing", Some(&tea), true).await;
        switch(&owner, "hostile.allowing", Some(&coffee), true).await;
        let files = || {
            let mut files: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").map(|file| file.expect("a file").path()).collect();
            files.sort();
            files
        };
        let good: Vec<Vec<u8>> = files().iter().map(|file| std::fs::read(file).expect("a file")).collect();
        assert_eq!(good.len(), 7, "two of ours, and five that come with the hub");
        for round in 0..2 {
            for (number, file) in files().into_iter().enumerate() {
                let mut bytes = good[number].clone();
                match (number + 2 * round) % 4 {
                    0 => *bytes.last_mut().expect("bytes") ^= 1,
                    1 => bytes[0] ^= 1,
                    2 => bytes.truncate(20),
                    // A good one, in the place of another.
                    _ => bytes.clone_from(&good[(number + 1) % good.len()]),
                }
                std::fs::write(file, bytes).expect("a file");
            }
            world.restart(0).await;
            let owner = owner.at(&world, 0);
            assert_eq!(said(&owner, &tea, "hello").await["errors"][0]["pluginCode"], json!("NO"));
            assert_eq!(said(&owner, &coffee, &format!("hello {round}")).await["errors"], json!([]));
            let again: Vec<Vec<u8>> = files().iter().map(|file| std::fs::read(file).expect("a file")).collect();
            assert!(again == good, "each is as it was, compiled again");
        }
        assert_eq!(owner.at(&world, 0).history(&coffee).await.len(), 2);
    }
}
