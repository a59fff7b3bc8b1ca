//! What the stories are told with: a hub on real back ends, people who use it, and the ways in which they reach it.

pub mod account;
pub mod backends;
pub mod bucket;
pub mod collector;
pub mod guest;
pub mod nodes;
pub mod outside;
pub mod packages;
pub mod person;
pub mod process;
pub mod proxy;
pub mod redis;
pub mod socket;
pub mod stream;
#[path = "../../hub/plugin-host/tests/host/guests.rs"]
#[allow(dead_code, reason = "what else it can make is made elsewhere")]
pub mod wat;
pub mod web;
pub mod wire;
pub mod world;

use std::{future::Future, pin::Pin, process::ExitCode, time::Duration};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

pub use self::{
    backends::Backend,
    person::Person,
    socket::Socket,
    wire::Wire,
    world::{Setup, World},
};

/// Whatever a story waits for comes within this time, or it never will.
pub const PATIENCE: Duration = Duration::from_secs(20);

type Telling = fn(Backend) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// One test: a fact about the product, and how it is shown.
#[derive(Clone)]
pub struct Story {
    pub name: String,
    pub tell: Telling,
}

/// Gathers the stories of a file: each is an async function of a [`Backend`].
#[macro_export]
macro_rules! stories {
    ($($(#[$doc:meta])* async fn $name:ident($backend:ident) $body:block)*) => {
        $($(#[$doc])* async fn $name($backend: $crate::support::Backend) $body)*

        pub fn stories() -> Vec<$crate::support::Story> {
            vec![$($crate::support::Story {
                name: concat!(module_path!(), "::", stringify!($name)).split_once("::").expect("a module").1.to_owned(),
                tell: |backend| Box::pin($name(backend)),
            }),*]
        }
    };
}

/// Runs every story on every back end. One whose servers are not given is reported as ignored, with the reason; where
/// the environment says `CI`, that is a failure.
pub fn tell(stories: &[Story]) -> ExitCode {
    jackfield::use_ring();
    let mut trials = Vec::new();
    for backend in Backend::ALL {
        for story in stories {
            let (name, tell) = (format!("{}::{}", backend.name(), story.name), story.tell);
            trials.push(Trial::ignorable_test(name, move || run(backend, tell)));
        }
    }
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    backends::tidy();
    conclusion.exit_code()
}

fn run(backend: Backend, tell: Telling) -> Result<Completion, Failed> {
    if let Err(missing) = backend.available() {
        if std::env::var_os("CI").is_some() {
            return Err(missing.into());
        }
        return Ok(Completion::ignored_with(missing));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(tell(backend));
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(Completion::Completed)
}

/// Waits for what must come, and fails the story if it does not.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, future).await;
    came.unwrap_or_else(|_| panic!("{what} did not come within {PATIENCE:?}"))
}
