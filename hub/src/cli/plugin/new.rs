//! `jackfield plugin new`: a plugin that works, to be changed into another one. The SDK lies beside it, out of this binary, so that
//! it is built wherever there is Rust and a registry of crates.

mod templates;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use jackfield_domain::plugins::PluginId;

use self::templates::Template;
use super::super::say_line;
use crate::bundled;

/// Where the SDK lies in a plugin.
const SDK_FOLDER: &str = ".jackfield/sdk";
/// What stands in the SDK's folder of whoever has one; another folder of that name is not ours to replace.
const SDK_MARK: &str = "wit/worlds.wit";

#[derive(Args)]
pub(super) struct NewArgs {
    /// The plugin's id, such as `acme.greeter`; or its last word alone, before which `example.` is put.
    name: String,
    /// The folder to make; without it, one of the name of the plugin's last word.
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// What it does at first.
    #[arg(long, value_enum, default_value_t = Template::Filter)]
    template: Template,
}

pub(super) fn run(arguments: &NewArgs) -> Result<(), String> {
    let id = id_of(&arguments.name)?;
    let name = last_word(id.as_str());
    let folder = arguments.path.clone().unwrap_or_else(|| name.into());
    let fault = |error: std::io::Error| format!("{}: {error}", folder.display());
    if fs::symlink_metadata(&folder).is_ok() && !is_empty(&folder) {
        return Err(format!("{} is there already, and is left as it is; choose another --path", folder.display()));
    }
    fs::create_dir_all(&folder).map_err(fault)?;
    let example = arguments.template.example();
    for (path, text) in example.renamed(&id) {
        write(&folder, path, &text)?;
    }
    write(&folder, ".gitignore", "/target\n/*.wasm\n")?;
    write(&folder, "Cargo.toml", &crate_manifest(name))?;
    write(&folder, "Cargo.lock", &lock(name))?;
    write_sdk(&folder.join(SDK_FOLDER))?;
    say_line(&format!(
        "made {id} in {}: it {}, until you make it do something else.\n\
         There, `cargo test` tests it and `jackfield plugin build` makes the package.",
        folder.display(),
        example.does
    ));
    Ok(())
}

/// Puts this program's SDK in place of the one that a plugin has.
pub(super) fn renew(folder: &Path) -> Result<(), String> {
    let sdk = folder.join(SDK_FOLDER);
    if !folder.join("plugin.toml").is_file() {
        return Err(format!("{} has no plugin.toml: give the folder of a plugin", folder.display()));
    }
    if fs::symlink_metadata(&sdk).is_ok() {
        if !sdk.join(SDK_MARK).is_file() {
            return Err(format!("{} holds something else than the SDK, and is left as it is", sdk.display()));
        }
        fs::remove_dir_all(&sdk).map_err(|error| format!("{}: {error}", sdk.display()))?;
    }
    write_sdk(&sdk)?;
    say_line(&format!("the SDK of jackfield {} is in {}", env!("CARGO_PKG_VERSION"), sdk.display()));
    Ok(())
}

fn id_of(name: &str) -> Result<PluginId, String> {
    let id = if name.contains('.') { name.to_owned() } else { format!("example.{name}") };
    let id: PluginId = id.parse().map_err(|error| format!("«{}» cannot be its name: {error}", super::plain(name)))?;
    let reserved = ["alloc", "core", "proc-macro", "std", "test"];
    let crate_name = last_word(id.as_str());
    // What rustc cannot tell from its own.
    let keywords = [
        "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false", "fn",
        "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref", "return", "self",
        "static", "struct", "super", "trait", "true", "type", "unsafe", "use", "where", "while",
    ];
    if reserved.contains(&crate_name) || keywords.contains(&crate_name) {
        return Err(format!(
            "«{crate_name}» means something to Rust and cannot be the name of a crate; choose another one"
        ));
    }
    if templates::is_taken(crate_name) {
        return Err(format!("the SDK has a type of the name that «{crate_name}» would give yours; choose another one"));
    }
    if bundled::SDK.1.contains(&format!("\nname = \"{crate_name}\"\n")) {
        return Err(format!("the SDK needs a crate of the name «{crate_name}»; choose another one"));
    }
    Ok(id)
}

fn last_word(id: &str) -> &str {
    id.rsplit_once('.').map_or(id, |(_, last)| last)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn write(folder: &Path, path: &str, text: &str) -> Result<(), String> {
    let path = folder.join(path);
    let fault = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(fault)?;
    }
    let mut file = fs::File::create_new(&path).map_err(fault)?;
    file.write_all(text.as_bytes()).map_err(fault)
}

fn write_sdk(folder: &Path) -> Result<(), String> {
    bundled::SDK.0.iter().try_for_each(|(path, text)| write(folder, path, text))
}

fn crate_manifest(name: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         # `jackfield plugin sdk` brings another one, when the hub has a newer one.\n\
         [dependencies]\njackfield-plugin = {{ path = \"{SDK_FOLDER}\" }}\n\n\
         # It stands alone, also within another workspace.\n[workspace]\nexclude = [\".jackfield\"]\n"
    )
}

/// With the versions that the SDK was tested with.
fn lock(name: &str) -> String {
    format!(
        "{}\n[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\ndependencies = [\"jackfield-plugin\"]\n",
        bundled::SDK.1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_an_id() {
        for (name, id) in [("greeter", "example.greeter"), ("acme.tea-time", "acme.tea-time"), ("a.b.c", "a.b.c")] {
            assert_eq!(id_of(name).map(String::from), Ok(id.to_owned()));
        }
        for name in [
            "",
            "Greeter",
            "../up",
            "a/b",
            "a b",
            "tea.",
            "test",
            "serde",
            "acme.match",
            "result",
            "acme.event",
            "1st",
            "a\nb",
        ] {
            assert!(id_of(name).is_err(), "{name:?}");
        }
    }
}
