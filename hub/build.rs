//! Builds the plugins that the hub carries, so that `cargo run` and a copied binary have them, and takes the SDK along, so that
//! more can be written where there is only the binary.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let made_of = ["../plugin-sdk", "../Cargo.lock"].map(Path::new);
    if let Err(error) = jackfield_plugin_build::bundle(Path::new("../plugins"), &made_of) {
        eprintln!("the plugins that come with the hub could not be built: {error}");
        return ExitCode::FAILURE;
    }
    match jackfield_plugin_build::carry(Path::new(".."), "plugin-sdk") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the SDK could not be taken along: {error}");
            ExitCode::FAILURE
        }
    }
}
