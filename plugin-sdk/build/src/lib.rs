//! Builds plugins: from a crate and its `plugin.toml` to the one file that a hub installs.
//!
//! `jackfield plugin build` and the hub's own build, which carries the bundled plugins in the binary, both come through
//! here, so that there is one way to build a plugin. What stands in a manifest is the hub's to judge.

mod bundle;
mod carry;
mod compiler;
mod package;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub use bundle::bundle;
pub use carry::carry;
pub use compiler::{Compiler, Machine, ThisMachine};
pub use package::{MANIFEST_SECTION, Package};

/// What has to be said to somebody who wants to build a plugin and cannot.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl Error {
    fn because(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// How much work the compiler puts into a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// Small and fast, as it is installed.
    Release,
    /// Soon there, for somebody who is waiting for it.
    Development,
}

/// Compiles the plugin in `folder`, which holds its `Cargo.toml` and its `plugin.toml`, and makes a package of it.
/// What the compiler has to say goes to standard error.
pub fn build(compiler: &Compiler, folder: &Path, target_folder: &Path, effort: Effort) -> Result<Package, Error> {
    let path = folder.join("plugin.toml");
    let manifest = fs::read_to_string(&path).map_err(|error| Error::because(path.display(), error))?;
    let manifest = package::manifest(&manifest).map_err(|error| Error::because(path.display(), error))?;
    let module = compile(compiler, folder, target_folder, effort)?;
    let module = fs::read(&module).map_err(|error| Error::because(module.display(), error))?;
    package::package(&module, manifest)
}

/// Where the plugin in `folder` is compiled: in a folder of its own in the target folder that cargo would take, so that the
/// cargo that runs a test may well hold that one.
pub fn target_folder(folder: &Path) -> Result<PathBuf, Error> {
    let output = Command::new(compiler::cargo())
        .current_dir(folder)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::because("cargo could not be started; install Rust, from https://rustup.rs", error))?;
    if !output.status.success() {
        return Err(Error(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| Error::because("cargo metadata", error))?;
    let target =
        metadata["target_directory"].as_str().ok_or_else(|| Error("cargo names no target folder".to_owned()))?;
    Ok(Path::new(target).join("plugins"))
}

/// The profile is given here and not in anybody's `Cargo.toml`, where it would have to be remembered.
fn profile(effort: Effort) -> Vec<String> {
    let settings: &[(&str, &str)] = match effort {
        Effort::Release => &[
            ("inherits", "'release'"),
            ("opt-level", "'s'"),
            ("lto", "true"),
            ("codegen-units", "1"),
            ("panic", "'abort'"),
            ("strip", "true"),
        ],
        Effort::Development => &[
            ("inherits", "'release'"),
            ("opt-level", "1"),
            ("lto", "false"),
            ("incremental", "true"),
            ("panic", "'abort'"),
        ],
    };
    let name = match effort {
        Effort::Release => "plugin",
        Effort::Development => "plugin-development",
    };
    let mut arguments = vec!["--profile".to_owned(), name.to_owned()];
    for (key, value) in settings {
        arguments.extend(["--config".to_owned(), format!("profile.{name}.{key}={value}")]);
    }
    arguments
}

/// A plugin needs little stack, and its memory begins with it.
const STACK_BYTES: usize = 128 * 1024;

/// What the cargo that runs us, or its user, meant for another compiler and another target.
fn is_for_others(name: &str) -> bool {
    let prefixes = [
        "RUSTC",
        "RUSTDOC",
        "RUSTFLAGS",
        "CLIPPY_",
        "CARGO_BUILD_",
        "CARGO_CFG_",
        "CARGO_ENCODED_",
        "CARGO_FEATURE_",
        "CARGO_INCREMENTAL",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_PROFILE_",
        "CARGO_TARGET_",
        "CARGO_UNSTABLE_",
    ];
    let names =
        ["DEBUG", "HOST", "NUM_JOBS", "OPT_LEVEL", "OUT_DIR", "PROFILE", "TARGET", "__CARGO_DEFAULT_LIB_METADATA"];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&name)
}

/// Compiles to a core module, and answers where it lies.
fn compile(compiler: &Compiler, folder: &Path, target_folder: &Path, effort: Effort) -> Result<PathBuf, Error> {
    let crate_manifest = folder.join("Cargo.toml");
    let crate_manifest =
        crate_manifest.canonicalize().map_err(|error| Error::because(crate_manifest.display(), error))?;
    let mut command = Command::new(compiler::cargo());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_for_others)) {
        command.env_remove(name);
    }
    // That it is to be a `cdylib` is said here, so that a plugin is an ordinary library, which is tested like any other.
    command
        .current_dir(folder)
        .args(["rustc", "--lib", "--crate-type", "cdylib", "--target", compiler::TARGET])
        .args(["--message-format", "json-render-diagnostics", "--target-dir"])
        .arg(target_folder)
        .args(profile(effort));
    let mut flags = vec![format!("-Clink-arg=-zstack-size={STACK_BYTES}")];
    // A panic tells where it came from; whose machine it was compiled on is nobody's business, and changes no byte.
    let home = std::env::var("HOME").ok();
    // Where nobody says it, it is there: a build that is begun by a cargo that says it is the same as one that is not, and finds what
    // that one has compiled.
    let cargo = std::env::var("CARGO_HOME").ok().or_else(|| Some(format!("{}/.cargo", home.as_deref()?)));
    for (path, instead) in [(cargo, "cargo"), (home, "home")] {
        if let Some(path) = path.filter(|path| path.len() > 1) {
            flags.push(format!("--remap-path-prefix={path}={instead}"));
        }
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    compiler.apply(&mut command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Error::because("cargo could not be started", error))?;
    if !output.status.success() {
        return Err(Error(format!("{} does not compile, see above", folder.display())));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["manifest_path"].as_str().is_some_and(|path| Path::new(path) == crate_manifest))
        .filter_map(|message| {
            let files = message["filenames"].as_array()?.clone();
            let mut paths = files.iter().filter_map(|file| file.as_str()).map(PathBuf::from);
            paths.find(|path| path.extension().is_some_and(|ending| ending == "wasm"))
        })
        .next_back()
        .ok_or_else(|| Error(format!("cargo made no WebAssembly of {}", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_build_says_is_not_inherited() {
        for name in
            ["RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "OUT_DIR"]
        {
            assert!(is_for_others(name), "{name}");
        }
        for name in ["PATH", "CARGO", "CARGO_HOME", "CARGO_NET_OFFLINE", "CARGO_HTTP_PROXY", "RUSTUP_TOOLCHAIN"] {
            assert!(!is_for_others(name), "{name}");
        }
    }

    #[test]
    fn a_profile_is_passed_whole() {
        let arguments = profile(Effort::Release).join(" ");
        assert!(arguments.starts_with("--profile plugin --config profile.plugin.inherits='release'"), "{arguments}");
        assert!(arguments.contains("profile.plugin.opt-level='s'"), "{arguments}");
        assert!(profile(Effort::Development).join(" ").contains("lto=false"));
    }
}
