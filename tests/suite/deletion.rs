//! Deleting a workspace: who may, that it is gone at once for everybody, and that nothing of it is left in the end.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::{Value, json};

use crate::{
    stories,
    support::{
        Backend, Person, Setup, World,
        account::{bearer, does, sign_up},
        guest::{GUEST, guest, run_with},
        person::{refusal, text},
        within,
    },
};

/// What no workspace has a part in.
const OF_THE_HUB: [&str; 9] = [
    "issuers",
    "jobs",
    "plugin_generation",
    "plugin_packages",
    "plugins",
    "seaql_migrations",
    "secrets",
    "sign_in_failures",
    "sign_in_links",
];

stories! {
    /// F: A-06, G-03
    async fn a_workspace_that_is_deleted_is_gone_at_once_and_leaves_nothing_behind(backend) {
        let world = Setup::new(backend).nodes(2).plugin(guest(|_| {})).start().await;
        let operator = world.operator().await;
        let neighbour = world.person("neighbour").await;
        let kept = neighbour.group("Kept", &[&operator]).await;
        neighbour.say(&kept, "still here").await;
        let before = rows(&world, backend).await;

        let (owner, workspace) = fill(&world).await;
        let mut socket = owner.at(&world, 1).socket().await;
        socket.follow("s", json!({})).await;
        let tables: Vec<String> = rows(&world, backend).await.into_iter()
            .filter(|(table, count)| before.get(table) == Some(count)).map(|(table, _)| table).collect();
        let forgotten: Vec<&String> = tables.iter().filter(|table| !OF_THE_HUB.contains(&table.as_str())).collect();
        assert_eq!(forgotten, [""; 0], "everything else was filled");

        let delete = async |person: &Person, workspace: &str, slug: &str| {
            does(person, "workspaceDelete", json!({ "workspaceId": workspace, "slug": slug }), "deletedWorkspaceId").await
        };
        assert_eq!(refusal(&delete(&owner, &workspace, "doomed").await), ("NOT_ALLOWED".into(), json!(null)));
        assert_eq!(refusal(&delete(&neighbour, "x", "doomed").await), ("NOT_ALLOWED".into(), json!(null)));
        assert_eq!(refusal(&delete(&operator, &workspace, "doom").await), ("INVALID".into(), json!(["input", "slug"])));
        for nothing in ["x", "wsp_00000000000000000000000000000000"] {
            assert_eq!(refusal(&delete(&operator, nothing, "doomed").await), ("NOT_FOUND".into(), json!(["input", "workspaceId"])));
        }
        let own = text(&operator.ask("{ workspace { id } }", json!({})).await["workspace"]["id"]);
        assert_eq!(refusal(&delete(&operator, &own, "default").await), ("INVALID".into(), json!(["input", "workspaceId"])));
        assert_eq!(owner.ask("{ workspace { slug } }", json!({})).await["workspace"]["slug"], json!("doomed"));

        assert_eq!(delete(&operator, &workspace, "doomed").await, json!({ "deletedWorkspaceId": workspace, "errors": [] }));
        assert_eq!(socket.closed().await.0, 4403, "on every node");
        for node in 0..2 {
            within("the word of it", async {
                while owner.at(&world, node).answer("{ workspace { id } }", json!({})).await.get("data").is_some() {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        let look = "query($w: ID!) { workspace(id: $w) { id } node(id: $w) { id } }";
        assert_eq!(operator.ask(look, json!({ "w": workspace })).await, json!({ "workspace": null, "node": null }));
        assert_eq!(refusal(&delete(&operator, &workspace, "doomed").await).0, "NOT_FOUND", "once");
        let suspended = does(&operator, "workspaceUpdate", json!({ "workspaceId": workspace, "status": "SUSPENDED" }), "").await;
        assert_eq!(refusal(&suspended).0, "NOT_FOUND");
        assert_eq!(refusal(&sign_up(&world, "late", json!({ "workspace": "doomed" })).await).0, "NOT_FOUND");
        let record = operator.ask("{ auditLog(last: 1) { nodes { action target details { name value } } } }", json!({})).await;
        assert_eq!(record["auditLog"]["nodes"], json!([
            { "action": "WORKSPACE_DELETED", "target": workspace, "details": [{ "name": "slug", "value": "doomed" }] },
        ]));

        // Its name is free at once, and who takes it has nothing to do with what was there.
        let anew = world.person_of("doomed", "anew", "owner").await;
        let found = anew.ask("{ workspace { id } conversations(first: 1) { nodes { id } } auditLog(first: 1) { nodes { at } } }", json!({})).await;
        assert_ne!(found["workspace"]["id"], json!(workspace));
        assert_eq!((&found["conversations"]["nodes"], &found["auditLog"]["nodes"]), (&json!([]), &json!([])));
        let of_anew = text(&found["workspace"]["id"]);
        assert_eq!(delete(&operator, &of_anew, "doomed").await["errors"], json!([]));

        world.clock.advance(Duration::from_secs(61));
        within("its end", async {
            loop {
                let now = rows(&world, backend).await;
                let differs: Vec<_> = now.iter().filter(|(table, count)| before.get(*table) != Some(count)).map(|(table, _)| table.as_str()).collect();
                // The operator's own record, and jobs that were done, are kept.
                if differs.iter().all(|table| ["audit", "jobs"].contains(table)) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(left_of(&world, backend, &workspace).await, [""; 0]);
        assert_eq!(neighbour.history(&kept).await, ["still here"]);
        let jobs = operator.ask("{ jobs(ofHub: true, first: 50) { nodes { kind state lastError } } }", json!({})).await;
        let purges: Vec<&Value> = jobs["jobs"]["nodes"].as_array().expect("jobs").iter().filter(|job| job["kind"] == json!("workspace_purge")).collect();
        assert_eq!(purges.len(), 2);
        assert!(purges.iter().all(|job| job["lastError"].is_null()), "{purges:?}");
    }

    /// F: A-06, L-07
    async fn more_than_one_piece_goes_piece_by_piece(backend) {
        let world = Setup::new(backend).plugin(guest(|_| {})).start().await;
        let operator = world.operator().await;
        let (owner, workspace) = fill(&world).await;
        let tea = owner.group("Much", &[]).await;
        let id = text(&owner.say(&tea, "the first of many").await["id"]);
        // More rows than one transaction takes, put where they would be.
        let bare = id.trim_start_matches("msg_");
        let numbers = match backend {
            Backend::Embedded => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1700)",
            Backend::Cluster => "WITH n(i) AS (SELECT generate_series(1, 1700))",
        };
        let (new_id, is_it) = match backend {
            Backend::Embedded => ("randomblob(16)", format!("x'{bare}'")),
            Backend::Cluster => ("gen_random_uuid()", format!("'{bare}'::uuid")),
        };
        let columns = "workspace_id, conversation_id, sender_id, kind, content, body, created_at";
        world.db_execute(&format!(
            "INSERT INTO messages (id, sequence, {columns}) {numbers} SELECT {new_id}, i + 1, {columns} FROM messages, n WHERE id = {is_it}"
        )).await;
        let deleted = does(&operator, "workspaceDelete", json!({ "workspaceId": workspace, "slug": "doomed" }), "").await;
        assert_eq!(deleted["errors"], json!([]));
        world.clock.advance(Duration::from_secs(61));
        within("its end", async {
            while !left_of(&world, backend, &workspace).await.is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(rows(&world, backend).await["messages"], 0);
    }
}

/// A workspace with something of everything in it; who owns it, and its id.
async fn fill(world: &World) -> (Person, String) {
    let owner = world.person_of("doomed", "odo", "owner").await;
    let bob = world.person_of("doomed", "bob", "member").await;
    does(&owner, "workspaceUpdate", json!({ "signUp": "OPEN" }), "").await;
    let dora = bearer(world, &sign_up(world, "dora-of-the-doomed", json!({ "workspace": "doomed" })).await).await;
    does(&owner, "passwordResetRequest", json!({ "userId": dora.id }), "code").await;
    does(&owner, "invitationCreate", json!({}), "code").await;
    let bot = text(&does(&owner, "botCreate", json!({ "name": "Beep" }), "bot { id }").await["bot"]["id"]);
    does(&owner, "botTokenCreate", json!({ "botId": bot, "name": "one", "scopes": ["READ"] }), "secret").await;
    does(&bob, "userUpdate", json!({ "preferences": { "colour": "grey" } }), "").await;
    let tea = owner.group("Tea", &[&bob, &dora]).await;
    let garden = json!({ "type": "GROUP", "title": "Garden", "visibility": "PUBLIC", "memberIds": [] });
    assert_eq!(owner.create(garden).await["errors"], json!([]));
    text(&bob.create(json!({ "type": "DIRECT", "memberIds": [owner.id] })).await["conversation"]["id"]);
    does(&bob, "userBlock", json!({ "userId": owner.id }), "").await;
    let input = json!({ "conversationId": tea, "body": "soon gone", "clientMessageId": "key", "metadata": { "a": 1 } });
    let message = text(&bob.send(input).await["message"]["id"]);
    does(&bob, "messageEdit", json!({ "messageId": message, "body": "gone soon" }), "").await;
    does(&owner, "conversationMarkRead", json!({ "conversationId": tea }), "").await;
    does(&owner, "messageDelete", json!({ "messageId": message }), "").await;
    assert_eq!(
        does(&owner, "legalHoldSet", json!({ "userId": bob.id, "reason": "a case" }), "").await["errors"],
        json!([])
    );
    plugins(world, &owner, &bob, &tea).await;
    let found = owner.ask("{ workspace { id } }", json!({})).await;
    (owner, text(&found["workspace"]["id"]))
}

/// Plugins leave something wherever they can.
async fn plugins(world: &World, owner: &Person, bob: &Person, tea: &str) {
    let plugin = json!("jackfield.moderation");
    let rule = |action: &str, word: &str| json!({ "kind": "words", "action": action, "words": [word], "strikes": 1 });
    let rules = json!({ "rules": [rule("hold", "gale"), rule("mask", "squall"), rule("flag", "fog")] });
    for (what, input) in [
        ("pluginEnable", json!({ "pluginId": plugin })),
        ("pluginEnable", json!({ "pluginId": plugin, "conversationId": tea })),
        ("pluginConfigure", json!({ "pluginId": plugin, "configuration": rules })),
        ("pluginEnable", json!({ "pluginId": GUEST })),
        ("pluginSecretSet", json!({ "pluginId": GUEST, "name": "key", "value": "open sesame" })),
    ] {
        assert_eq!(does(owner, what, input, "").await["errors"], json!([]));
    }
    for body in ["a gale", "a squall, @odo"] {
        does(bob, "messageSend", json!({ "conversationId": tea, "body": body }), "").await;
    }
    bob.say(tea, "fog").await;
    let count = json!({ "plugin": GUEST, "command": "count", "clientCommandId": "key" });
    assert_eq!(run_with(bob, count).await["errors"], json!([]));
    let lag = "{ plugins { lag } }";
    within("the plugins to have heard of it", async {
        while owner.ask(lag, json!({})).await["plugins"]
            .as_array()
            .expect("plugins")
            .iter()
            .any(|plugin| plugin["lag"] != json!(0))
        {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // That something is laid aside takes long, and has a story of its own; and so has what is old.
    world.db_execute("INSERT INTO trimmed_messages SELECT messages.*, 1 FROM messages WHERE body LIKE '%fog%'").await;
    world.db_execute("DELETE FROM messages WHERE body LIKE '%fog%'").await;
    world
        .db_execute(
            "INSERT INTO plugin_dead_letters (id, workspace_id, plugin_id, position, problem, attempts, created_at)
                SELECT id, workspace_id, plugin_id, 1, 'a fault', 1, 1 FROM plugin_verdicts WHERE verdict = 'patched'",
        )
        .await;
    // Nor is anybody outside asked here.
    world
        .db_execute(
            "INSERT INTO plugin_requests
                (id, workspace_id, plugin_id, request, tag, depth, attempts, failures, created_at)
                SELECT id, workspace_id, plugin_id, '{}', 'tag', 1, 1, 6, 1 FROM plugin_verdicts WHERE verdict = 'patched'",
        )
        .await;
}

async fn query(world: &World, backend: Backend, sql: &str) -> Vec<(String, i64)> {
    let database = Database::connect(world.db_url()).await.expect("the database");
    let kind = if backend == Backend::Embedded { DbBackend::Sqlite } else { DbBackend::Postgres };
    let found = database.query_all_raw(Statement::from_string(kind, sql)).await.expect("the database understands");
    database.close().await.expect("the database lets go");
    let row = |row: &sea_orm::QueryResult| {
        (row.try_get("", "name").expect("a name"), row.try_get("", "number").expect("a number"))
    };
    found.iter().map(row).collect()
}

async fn tables(world: &World, backend: Backend) -> Vec<String> {
    let sql = match backend {
        Backend::Embedded => {
            "SELECT name, 0 AS number FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        }
        Backend::Cluster => {
            "SELECT table_name::text AS name, 0::bigint AS number FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    query(world, backend, sql).await.into_iter().map(|(name, _)| name).collect()
}

/// How many rows there are in every table.
async fn rows(world: &World, backend: Backend) -> BTreeMap<String, i64> {
    let tables = tables(world, backend).await;
    let each = tables.iter().map(|table| format!("SELECT '{table}' AS name, count(*) AS number FROM {table}"));
    query(world, backend, &each.collect::<Vec<_>>().join(" UNION ALL ")).await.into_iter().collect()
}

/// The tables that know rows of a workspace by its id.
async fn left_of(world: &World, backend: Backend, workspace: &str) -> Vec<String> {
    let bare = workspace.trim_start_matches("wsp_");
    let (columns, id) = match backend {
        Backend::Embedded => (
            "SELECT m.name AS name, 0 AS number FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'workspace_id'",
            format!("x'{bare}'"),
        ),
        Backend::Cluster => (
            "SELECT table_name::text AS name, 0::bigint AS number FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'workspace_id'",
            format!("'{bare}'::uuid"),
        ),
    };
    let mut each: Vec<String> = query(world, backend, columns)
        .await
        .into_iter()
        .map(|(table, _)| {
            format!("SELECT '{table}' AS name, count(*) AS number FROM {table} WHERE workspace_id = {id}")
        })
        .collect();
    each.push(format!("SELECT 'workspaces' AS name, count(*) AS number FROM workspaces WHERE id = {id}"));
    let counts = query(world, backend, &each.join(" UNION ALL ")).await;
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(table, _)| table).collect()
}
