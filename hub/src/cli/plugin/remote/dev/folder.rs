//! What a folder looks like: a glance at names, lengths and times tells whether somebody has saved something. A watcher of the system's
//! would tell it a fifth of a second earlier, differently on each system, and not at all on some of those that containers share.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A folder with more in it is not that of a plugin.
const MANY: usize = 10_000;

/// The files of a plugin as they lie there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folder(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Folder {
    pub fn look(folder: &Path) -> Result<Self, String> {
        let mut files = BTreeMap::new();
        walk(folder, &mut files)?;
        Ok(Folder(files))
    }
}

fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, (u64, Option<SystemTime>)>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What is built, what editors keep for themselves, and what tools do: none of it is what somebody writes.
        let is_left = [".wasm", ".log", "~"].iter().any(|end| name.ends_with(end));
        if name.starts_with('.') || name == "target" || is_left {
            continue;
        }
        // What goes away between two looks is gone. A link is looked at as a link, so that nothing goes in circles.
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            walk(&entry.path(), files).or_else(|why| if entry.path().exists() { Err(why) } else { Ok(()) })?;
        } else if files.len() == MANY {
            return Err(format!("{} holds more than {MANY} files: give the folder of a plugin", folder.display()));
        } else {
            files.insert(entry.path(), (about.len(), about.modified().ok()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_writes_is_seen_and_what_is_built_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("src/lib.rs", "one");
        let mut before = Folder::look(folder.path()).unwrap();
        assert_eq!(Folder::look(folder.path()).unwrap(), before);
        for (name, is_seen) in [
            ("target/debug/a", false),
            ("tea.wasm", false),
            ("tea.log", false),
            (".git/HEAD", false),
            ("src/.lib.rs.swp", false),
            ("src/lib.rs~", false),
            ("src/lib.rs", true),
            ("src/words/of.rs", true),
            ("plugin.toml", true),
        ] {
            write(name, "another text");
            let after = Folder::look(folder.path()).unwrap();
            assert_eq!(after != before, is_seen, "{name}");
            before = after;
        }
        fs::remove_file(folder.path().join("plugin.toml")).unwrap();
        assert_ne!(Folder::look(folder.path()).unwrap(), before);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let why = Folder::look(Path::new("/nowhere/tea")).unwrap_err();
        assert!(why.starts_with("/nowhere/tea: "), "{why}");
    }
}
