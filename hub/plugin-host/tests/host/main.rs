//! Real components, good ones and hostile ones, in a real host. They are written in WebAssembly's own text, so that the tests
//! need no compiler for plugins, and so that a hostile one can do what no language would let it.

#![allow(clippy::unwrap_used, reason = "what fails in a test is to be seen")]

mod bad_packages;
mod capabilities;
mod chains;
mod compiling;
mod guests;
mod hostile;
mod isolation;
mod kv;
mod questions;
mod support;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

pub type Test = (&'static str, fn());

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(support::CHILD) {
        let code = jackfield_plugin_host::child_main(std::io::stdin().lock(), std::io::stdout().lock());
        std::process::exit(code);
    }
    let tests = [
        bad_packages::TESTS,
        capabilities::TESTS,
        chains::TESTS,
        compiling::TESTS,
        hostile::TESTS,
        isolation::TESTS,
        kv::TESTS,
        questions::TESTS,
    ];
    let trial = |(name, test): &Test| {
        let test = *test;
        Trial::test(*name, move || {
            test();
            Ok::<(), Failed>(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), tests.concat().iter().map(trial).collect()).exit_code()
}

/// The tests of a file, by their names.
#[macro_export]
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub const TESTS: &[$crate::Test] = &[$((
            concat!(module_path!(), "::", stringify!($name)),
            || $crate::support::wait($name()),
        )),*];
    };
}
