//! Builds the plugins that a hub carries in its binary, from the build script of the hub.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{Compiler, Effort, Error, ThisMachine, build};

/// Builds each plugin in the folders of `plugins`, and writes `bundled.rs` into `OUT_DIR`: an expression with the bytes of
/// the packages, `&[&[u8]]`, ordered by the names of the folders. Cargo is told to come again when one of them, or of what
/// else they are `made_of`, changed.
///
/// They are compiled in a target folder of their own, for the one above is locked by the cargo that runs the build script.
pub fn bundle(plugins: &Path, made_of: &[&Path]) -> Result<(), Error> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| Error("this is for build scripts".to_owned()))?);
    for path in made_of.iter().chain([&plugins]) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    for name in ["JACKFIELD_WASM_SETUP", "RUSTUP_AUTO_INSTALL"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let folders = folders(plugins)?;
    let target = target_folder(&out).join("plugins");
    let machine = ThisMachine { folder: plugins, say: &|words| println!("cargo::warning={words}") };
    let compiler = if folders.is_empty() { Compiler::Usual } else { Compiler::find(&machine)? };
    let mut paths = Vec::new();
    for folder in folders {
        let package = build(&compiler, &folder, &target, Effort::Release)?;
        let path = out.join(format!("{}.wasm", package.id));
        write(&path, &package.bytes)?;
        paths.push(format!("include_bytes!({:?})", path.to_string_lossy()));
    }
    write(&out.join("bundled.rs"), format!("&[{}]\n", paths.join(", ")).as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::write(path, bytes).map_err(|error| Error::because(path.display(), error))
}

fn folders(plugins: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = fs::read_dir(plugins).map_err(|error| Error::because(plugins.display(), error))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.join("plugin.toml").is_file())
        .collect();
    folders.sort();
    Ok(folders)
}

/// The folder that cargo compiles into, which it marks; so that all profiles and tools share what is compiled for plugins.
fn target_folder(out: &Path) -> &Path {
    out.ancestors().filter(|path| path.join("CACHEDIR.TAG").is_file()).last().unwrap_or(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_found_from_a_build_scripts_own() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("target/debug/build/hub-1/out");
        fs::create_dir_all(&out).unwrap();
        assert_eq!(target_folder(&out), out);
        fs::write(folder.path().join("target/CACHEDIR.TAG"), "").unwrap();
        assert_eq!(target_folder(&out), folder.path().join("target"));
    }

    #[test]
    fn a_plugin_is_a_folder_with_a_manifest() {
        let folder = tempfile::tempdir().unwrap();
        for (name, file) in [("b", "plugin.toml"), ("a", "plugin.toml"), ("c", "notes.txt")] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(file), "").unwrap();
        }
        assert_eq!(folders(folder.path()).unwrap(), [folder.path().join("a"), folder.path().join("b")]);
    }
}
