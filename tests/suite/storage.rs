//! What stands behind the API: that the schema can be made and unmade, and that the hot queries stay cheap.

use jackfield::store::{Place, Store};

use crate::{
    stories,
    support::{Backend, backends},
};

async fn db_place(backend: Backend, folder: &tempfile::TempDir) -> Place {
    match backend {
        Backend::Embedded => Place::Sqlite(folder.path().join("jackfield.db")),
        Backend::Cluster => Place::Postgres(backends::postgres(&backends::empty_database().await)),
    }
}

stories! {
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
            Store::unmigrate(&place).await.expect("down");
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
