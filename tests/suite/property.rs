//! State plus events equals state: whatever happens, and however often a client loses its socket, what it has made of
//! one snapshot and the events since then is what it would be told if it asked anew.
//!
//! Everything is drawn from a seed: what is done, by whom, at which node, how much of it at the same time, and when which
//! client starts, reads, goes away and comes back. `JACKFIELD_TEST_SEED` tells a seed again. Only the order in which
//! the hub takes what happens at the same time is its own.

mod driver;
mod model;
pub mod random;

use self::{driver::Driver, random::Random};
use crate::{stories, support::Backend};

/// Each of these has its own story to tell; more are tried with `JACKFIELD_TEST_SEED`.
const SEEDS: [u64; 4] = [1, 2, 3, 4];
/// How many times something is done, each time several things at once.
const STEPS: usize = 80;

stories! {
    /// F: L-03, M-02, M-03
    async fn a_snapshot_and_the_events_since_are_what_a_fresh_query_tells(backend) {
        if let Ok(seed) = std::env::var("JACKFIELD_TEST_SEED") {
            tell(backend, seed.parse().expect("JACKFIELD_TEST_SEED is a number")).await;
        } else {
            let mut came_again = 0;
            for seed in SEEDS {
                came_again += tell(backend, seed).await;
            }
            assert!(came_again > 0, "nobody came again to where they had talked");
        }
    }
}

async fn tell(backend: Backend, seed: u64) -> usize {
    let _told = OnFailure(seed);
    let mut driver = Driver::start(backend, Random::new(seed)).await;
    for _ in 0..STEPS {
        driver.step().await;
    }
    driver.finish().await
}

/// Says with which seed it failed.
pub struct OnFailure(pub u64);

impl Drop for OnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was the seed {}: tell it again with JACKFIELD_TEST_SEED={}", self.0, self.0);
        }
    }
}
