//! `jackfield plugin build`: from a folder to a package.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use jackfield_plugin_build::{Compiler, Effort, ThisMachine, build, target_folder};
use jackfield_plugin_host::Package;

use super::{super::say_line, size};

#[derive(Args)]
pub(super) struct BuildArgs {
    /// The folder of the plugin, with its Cargo.toml and its plugin.toml.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Where the package is written; without it, into the folder, under the last word of the plugin's id.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &BuildArgs) -> Result<(), String> {
    let (package, default) = package(&arguments.folder)?;
    let path = arguments.out.clone().unwrap_or(default);
    std::fs::write(&path, package.component()).map_err(|error| format!("{}: {error}", path.display()))?;
    let (manifest, bytes) = (package.manifest(), package.component().len());
    say_line(&format!("built {} {}: {}, {}", manifest.id, manifest.version, path.display(), size(bytes)));
    Ok(())
}

/// Compiles the plugin in a folder and looks at what came of it; and where it is written if nobody says otherwise. What a hub would
/// refuse is not written anywhere.
pub(super) fn package(folder: &Path) -> Result<(Package, PathBuf), String> {
    let workshop = Workshop::open(folder)?;
    tell(&format!("compiling {}; the first time takes a minute", folder.display()));
    let package = workshop.build(Effort::Release)?;
    let id = package.manifest().id.as_str();
    let name = id.rsplit_once('.').map_or(id, |(_, last)| last);
    let default = folder.join(format!("{name}.wasm"));
    Ok((package, default))
}

/// Tells the person who is waiting.
pub(super) fn tell(words: &str) {
    let _ = writeln!(std::io::stderr(), "jackfield: {words}");
}

/// A plugin's folder, with what it is compiled by.
pub(super) struct Workshop {
    folder: PathBuf,
    target: PathBuf,
    compiler: Compiler,
}

impl Workshop {
    pub fn open(folder: &Path) -> Result<Self, String> {
        for name in ["Cargo.toml", "plugin.toml"] {
            if !folder.join(name).is_file() {
                return Err(format!(
                    "{} has no {name}: give the folder of a plugin, or make one with `jackfield plugin new`",
                    folder.display()
                ));
            }
        }
        let target = target_folder(folder).map_err(|error| error.to_string())?;
        let compiler = Compiler::find(&ThisMachine { folder, say: &tell }).map_err(|error| error.to_string())?;
        Ok(Workshop { folder: folder.to_owned(), target, compiler })
    }

    pub fn build(&self, effort: Effort) -> Result<Package, String> {
        let built = build(&self.compiler, &self.folder, &self.target, effort).map_err(|error| error.to_string())?;
        Package::read(built.bytes).map_err(|error| error.to_string())
    }
}
