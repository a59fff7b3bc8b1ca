//! What stands behind the API: that the schema can be made and unmade, and that the hot queries stay cheap.

use std::time::Duration;

use jackfield::store::{ConsumeSignInLink, CreateSignInLink, CreateWorkspace, FirstStart, Place, ProvisionUser, Store};
use jackfield_domain::{
    Timestamp, UserId, WorkspaceId, WorkspaceRole, users,
    workspaces::{CheckedWorkspace, WorkspaceDraft},
};
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;

use crate::{
    stories,
    support::{Backend, Person, World, backends, process::Process},
};

async fn db_place(backend: Backend, folder: &tempfile::TempDir) -> Place {
    match backend {
        Backend::Embedded => Place::Sqlite(folder.path().join("jackfield.db")),
        Backend::Cluster => Place::Postgres(backends::postgres(&backends::empty_database().await)),
    }
}

/// What a first start makes, with a link for `user`.
fn first_start(user: UserId, link_for: UserId) -> FirstStart {
    let (id, at) = (WorkspaceId(Uuid::now_v7()), Timestamp(1_800_000_000_000));
    let draft = WorkspaceDraft { slug: "default".to_owned(), name: "Default".to_owned() };
    let workspace = CheckedWorkspace::check(&draft).expect("a good one");
    let person = users::Person {
        issuer: "jackfield".to_owned(),
        subject: "owner".to_owned(),
        name: "Owner".to_owned(),
        role: Some(WorkspaceRole::Owner),
        is_operator: true,
        vouched_at: at,
    };
    FirstStart {
        workspace: CreateWorkspace { id, at, workspace, by: None },
        owner: ProvisionUser { id: user, workspace: id, at, person },
        link: CreateSignInLink { code_hash: [7; 32], user: link_for, expires_at: at + Duration::from_secs(60) },
    }
}

stories! {
    /// F: L-02
    async fn who_looks_into_the_file_of_a_hub_that_runs_takes_nothing_away(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = db_place(backend, &folder).await;
        let (data, url) = (folder.path().join("data"), match &place {
            Place::Sqlite(path) => format!("sqlite://{}", path.display()),
            Place::Postgres(url) => url.clone(),
        });
        let flags = ["--database", &url.replace("sqlite://", "sqlite:")];
        let hub = Process::start(&data, &flags, &[]).await;
        let ann = hub.somebody(&data, &flags, "ann").await;
        let tea = ann.group("Tea", &[]).await;
        ann.say(&tea, "before").await;
        // A backup, a script, somebody who is curious: it believes itself alone if nobody says that they are there.
        let other = sea_orm::Database::connect(&url).await.expect("the database");
        other.execute_unprepared("SELECT COUNT(*) FROM messages").await.expect("it is there");
        other.close().await.expect("it is let go");
        ann.say(&tea, "after").await;
        hub.kill().await;
        let hub = Process::start(&data, &flags, &[]).await;
        let ann = hub.somebody(&data, &flags, "ann").await;
        assert_eq!(ann.history(&tea).await, ["before", "after"], "what was acknowledged is there");
        hub.kill().await;
    }

    /// F: L-06
    async fn a_first_start_is_made_whole_or_not_at_all(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = db_place(backend, &folder).await;
        Store::migrate(&place).await.expect("up");
        let (store, _commits) = Store::open(&place).await.expect("a store");
        let owner = UserId(Uuid::now_v7());
        let broken = first_start(owner, UserId(Uuid::now_v7()));
        assert!(store.change(broken).await.is_err(), "a link for nobody");
        assert!(store.is_empty().await.expect("an answer"), "and nothing of the rest is left");
        assert!(store.change(first_start(owner, owner)).await.expect("a first start"));
        assert!(!store.change(first_start(owner, owner)).await.expect("an answer"), "there is one already");
    }

    /// F: L-06
    async fn a_link_is_used_once_however_often_that_one_use_is_tried(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = db_place(backend, &folder).await;
        Store::migrate(&place).await.expect("up");
        let (store, _commits) = Store::open(&place).await.expect("a store");
        let owner = UserId(Uuid::now_v7());
        let first = first_start(owner, owner);
        let at = first.workspace.at;
        store.change(first).await.expect("a first start");
        // A commit whose outcome is unknown is tried again with the same words.
        for _ in 0..2 {
            let link = CreateSignInLink { code_hash: [8; 32], user: owner, expires_at: at + Duration::from_secs(60) };
            store.change(link).await.expect("the same again");
        }
        let using = async |id: u128, code: u8, at: Timestamp| {
            let used = store.change(ConsumeSignInLink { id: Uuid::from_u128(id), code_hash: [code; 32], at }).await;
            used.expect("an answer").map(|(user, subject)| (user.id, subject))
        };
        for _ in 0..2 {
            assert_eq!(using(1, 8, at).await, Some((owner, "owner".to_owned())));
        }
        assert_eq!(using(2, 8, at).await, None, "somebody else comes too late");
        assert_eq!(using(3, 7, at + Duration::from_secs(60)).await, None, "that one is too old");
        assert_eq!(using(4, 9, at).await, None, "that one never was");
    }

    /// F: L-06
    async fn the_schema_can_be_made_and_unmade_and_made_again(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = db_place(backend, &folder).await;
        for _ in 0..2 {
            assert!(Store::pending_migrations(&place).await.expect("an answer") > 0);
            Store::migrate(&place).await.expect("up");
            assert_eq!(Store::pending_migrations(&place).await.expect("an answer"), 0);
            let (store, _commits) = Store::open(&place).await.expect("a store");
            assert!(store.is_empty().await.expect("an answer"));
            Store::unmigrate(&place, None).await.expect("down");
            assert!(store.is_empty().await.is_err(), "there is no table any more");
        }
    }

    /// F: L-06
    async fn nodes_that_start_together_take_turns_at_the_schema(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = db_place(backend, &folder).await;
        let nodes = if backend == Backend::Cluster { 5 } else { 1 };
        let starts = futures_util::future::join_all((0..nodes).map(|_| Store::migrate(&place))).await;
        assert!(starts.iter().all(Result::is_ok), "{starts:?}");
    }

    /// F: L-06, R-03
    async fn a_store_that_counted_ones_own_by_an_index_knows_how_many_they_are(backend) {
        let mut world = World::new(backend).await;
        let (ann, bob) = (world.person("ann").await, world.person("bob").await);
        let tea = ann.group("Tea", &[&bob]).await;
        for number in 1..=6 {
            let person = if number % 2 == 0 { &ann } else { &bob };
            person.say(&tea, &number.to_string()).await;
        }
        let read = "mutation($c: ID!) { conversationMarkRead(input: { conversationId: $c, upTo: 3 }) { markedCount } }";
        assert_eq!(ann.ask(read, json!({ "c": tea })).await["conversationMarkRead"]["markedCount"], json!(2));
        let new_to = async |world: &World, person: &Person| {
            person.at(world, 0).ask("{ unreadCounts { total } }", json!({})).await["unreadCounts"]["total"].clone()
        };
        assert_eq!((new_to(&world, &ann).await, new_to(&world, &bob).await), (json!(1), json!(3)));

        world.stop(0).await;
        // The first eight steps know nothing of it.
        let folder = tempfile::tempdir().expect("a folder");
        let all = Store::pending_migrations(&Place::Sqlite(folder.path().join("none.db"))).await.expect("an answer");
        let place = world.db_place();
        Store::unmigrate(&place, Some(all as u32 - 8)).await.expect("back");
        assert_eq!(Store::pending_migrations(&place).await.expect("an answer"), all - 8);
        world.start(0).await;
        assert_eq!((new_to(&world, &ann).await, new_to(&world, &bob).await), (json!(1), json!(3)));
        ann.at(&world, 0).say(&tea, "seven").await;
        assert_eq!((new_to(&world, &ann).await, new_to(&world, &bob).await), (json!(1), json!(4)), "and counts on");
    }

    /// F: M-07, C-08, L-03, M-02
    async fn hot_queries_walk_an_index(backend) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = db_place(backend, &folder).await;
        Store::migrate(&place).await.expect("up");
        let (store, _commits) = Store::open(&place).await.expect("a store");
        let plans = store.plans().await.expect("plans");
        assert!(plans.len() >= 15);
        for plan in plans {
            let text = plan.lines.join("\n");
            let walks = match backend {
                // A temporary tree sorts everything first, except for the last terms, where it sorts within one hour.
                Backend::Embedded => plan.lines.iter().all(|line| {
                    !line.starts_with("SCAN") && (!line.contains("TEMP B-TREE") || line.contains("LAST 2 TERMS") || line.contains("LAST TERM"))
                }),
                Backend::Cluster => {
                    let sorts = text.contains("Sort") && !text.contains("Incremental Sort");
                    !text.contains("Seq Scan") && (text.contains("Index") || text.contains("Bitmap")) && !sorts
                }
            };
            assert!(walks, "{} does not walk an index:\n{text}", plan.query);
        }
    }
}
