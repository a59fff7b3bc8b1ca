//! The SDK as a hub carries it in its binary, from the build script of the hub: its sources, and the versions of what they
//! are made with, so that a plugin can be written where there is nothing but the hub's program.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use crate::Error;

/// What of the SDK goes along.
const PARTS: [&str; 7] = ["Cargo.toml", "README.md", "docs", "src", "wit", "macros/Cargo.toml", "macros/src"];
/// The package of the SDK.
const NAME: &str = "jackfield-plugin";

/// Writes `sdk.rs` into `OUT_DIR`: an expression with the files of the SDK in the folder `sdk` of the workspace, by their
/// paths, and with a lock file for whoever depends on it, `(&[(&str, &str)], &str)`.
pub fn carry(workspace: &Path, sdk: &str) -> Result<(), Error> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| Error("this is for build scripts".to_owned()))?);
    let root = table(&workspace.join("Cargo.toml"))?;
    let folder = workspace.join(sdk);
    let mut files = Vec::new();
    for part in PARTS {
        let path = folder.join(part);
        println!("cargo::rerun-if-changed={}", path.display());
        if path.is_dir() {
            walk(&path, Path::new(part), &mut files)?;
        } else {
            files.push(PathBuf::from(part));
        }
    }
    println!("cargo::rerun-if-changed={}", workspace.join("Cargo.toml").display());
    let mut listed = String::new();
    for file in files {
        let path = folder.join(&file);
        let text = if file.ends_with("Cargo.toml") { alone(&root, table(&path)?, sdk)? } else { read(&path)? };
        let name = file.to_string_lossy();
        write!(listed, "({name:?}, {text:?}), ").expect("a text takes everything");
    }
    let lock = lock_of(&table(&workspace.join("Cargo.lock"))?)?;
    let path = out.join("sdk.rs");
    fs::write(&path, format!("(&[{listed}], {lock:?})\n")).map_err(|error| Error::because(path.display(), error))
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| Error::because(path.display(), error))
}

fn table(path: &Path) -> Result<Table, Error> {
    read(path)?.parse().map_err(|error| Error::because(path.display(), error))
}

/// All files in a folder, in the order of their names.
fn walk(folder: &Path, name: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let fault = |error| Error::because(folder.display(), error);
    let entries = fs::read_dir(folder).map_err(fault)?.collect::<Result<Vec<_>, _>>().map_err(fault)?;
    let names: BTreeSet<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    for entry in names {
        let (path, name) = (folder.join(&entry), name.join(&entry));
        if path.is_dir() { walk(&path, &name, files)? } else { files.push(name) }
    }
    Ok(())
}

/// A manifest that inherits nothing from a workspace, which will not be there.
fn alone(root: &Table, mut manifest: Table, sdk: &str) -> Result<String, Error> {
    let workspace = root.get("workspace").and_then(Value::as_table);
    let given = |section: &str| workspace.and_then(|workspace| workspace.get(section)?.as_table());
    manifest.remove("lints");
    for section in ["package", "dependencies"] {
        let given = given(section).ok_or_else(|| Error(format!("the workspace has no {section}")))?;
        let Some(entries) = manifest.get_mut(section).and_then(Value::as_table_mut) else { continue };
        for (key, value) in entries.iter_mut().filter(|(_, value)| value.get("workspace").is_some()) {
            let given = given.get(key).ok_or_else(|| Error(format!("the workspace has no {section}.{key}")))?;
            *value = given.clone();
            if let Some(Value::String(path)) = value.get_mut("path") {
                let inside =
                    Path::new(path).strip_prefix(sdk).map_err(|_| Error(format!("{key} is no part of the SDK")))?;
                *path = inside.to_string_lossy().into_owned();
            }
        }
    }
    toml::to_string(&manifest).map_err(|error| Error(error.to_string()))
}

/// Of a lock file what the SDK needs. The versions are those that the hub was tested with, and cargo needs to ask nobody.
fn lock_of(lock: &Table) -> Result<String, Error> {
    let none = Vec::new();
    let packages = lock.get("package").and_then(Value::as_array).unwrap_or(&none);
    let word = |package: &Value, key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, package) in packages.iter().enumerate() {
        by_name.entry(word(package, "name")).or_default().push(number);
    }
    // A dependency is a name, with a version where there are several.
    let find = |dependency: &str| {
        let (name, version) = dependency.split_once(' ').map_or((dependency, None), |(name, rest)| (name, Some(rest)));
        let version = version.map(|rest| rest.split(' ').next().unwrap_or(rest));
        let is_it = |number: &&usize| version.is_none_or(|version| word(&packages[**number], "version") == version);
        by_name.get(name).and_then(|numbers| numbers.iter().find(is_it)).copied()
    };
    let (mut needed, mut waiting) = (BTreeSet::new(), vec![NAME.to_owned()]);
    while let Some(dependency) = waiting.pop() {
        let number = find(&dependency).ok_or_else(|| Error(format!("Cargo.lock does not have {dependency}")))?;
        if needed.insert(number) {
            let dependencies = packages[number].get("dependencies").and_then(Value::as_array).unwrap_or(&none);
            waiting.extend(dependencies.iter().filter_map(Value::as_str).map(str::to_owned));
        }
    }
    let mut pruned = Table::new();
    pruned.extend(lock.iter().filter(|(key, _)| *key == "version").map(|(key, value)| (key.clone(), value.clone())));
    let needed = needed.into_iter().map(|number| packages[number].clone()).collect();
    pruned.insert("package".to_owned(), Value::Array(needed));
    toml::to_string(&pruned).map_err(|error| Error(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn a_manifest_stands_alone() {
        let root = toml(
            "[workspace.package]\nversion = '1.2.3'\n[workspace.dependencies]\nserde = { version = '1', features = ['derive'] }\n\
             macros = { path = 'sdk/macros' }\nelsewhere = { path = 'hub' }\n",
        );
        let package = |more: &str| {
            toml(&format!(
                "[package]\nname = 'a'\nversion.workspace = true\n[lints]\nworkspace = true\n[dependencies]\n{more}"
            ))
        };
        let written = alone(&root, package("serde.workspace = true\nmacros.workspace = true\n"), "sdk").unwrap();
        let expected = "[package]\nname = 'a'\nversion = '1.2.3'\n[dependencies]\nserde = { version = '1', features = ['derive'] }\n\
                        macros = { path = 'macros' }\n";
        assert_eq!(toml(&written), toml(expected));
        assert!(alone(&root, package("elsewhere.workspace = true\n"), "sdk").is_err());
        assert!(alone(&root, package("nobody.workspace = true\n"), "sdk").is_err());
    }

    #[test]
    fn a_lock_holds_what_the_sdk_needs_and_no_more() {
        let all = "version = 4\n\
                   [[package]]\nname = 'jackfield'\nversion = '1.0.0'\ndependencies = ['syn 1.0.0']\n\
                   [[package]]\nname = 'jackfield-plugin'\nversion = '1.0.0'\ndependencies = ['quote', 'syn 2.0.0']\n\
                   [[package]]\nname = 'quote'\nversion = '1.0.0'\ndependencies = ['syn 2.0.0']\n\
                   [[package]]\nname = 'syn'\nversion = '1.0.0'\n\
                   [[package]]\nname = 'syn'\nversion = '2.0.0'\n";
        let pruned = toml(&lock_of(&toml(all)).unwrap());
        let names = pruned["package"].as_array().unwrap().iter();
        let names: Vec<String> = names.map(|package| format!("{} {}", package["name"], package["version"])).collect();
        assert_eq!(names, ["\"jackfield-plugin\" \"1.0.0\"", "\"quote\" \"1.0.0\"", "\"syn\" \"2.0.0\""]);
        assert_eq!(pruned["version"].as_integer(), Some(4));
        assert!(lock_of(&toml(&all.replace("name = 'quote'", "name = 'quota'"))).is_err());
    }
}
