//! Builds the plugins that the hub carries in its binary, whichever they are.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the hub lies in a workspace");
    let sdk = root.join("plugin-sdk");
    let made_of = [sdk.join("Cargo.toml"), sdk.join("src"), sdk.join("macros"), sdk.join("wit")];
    match jackfield_plugin_build::bundle(&root.join("plugins"), &made_of.each_ref().map(PathBuf::as_path)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error=the bundled plugins cannot be built: {error}");
            ExitCode::FAILURE
        }
    }
}
