//! Builds the plugins that the hub carries, so that `cargo run` and a copied binary have them.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let made_of = ["../plugin-sdk", "../Cargo.lock"].map(Path::new);
    match jackfield_plugin_build::bundle(Path::new("../plugins"), &made_of) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the plugins that come with the hub could not be built: {error}");
            ExitCode::FAILURE
        }
    }
}
