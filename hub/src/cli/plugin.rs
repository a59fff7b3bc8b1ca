//! `jackfield plugin …`: writing plugins, which needs no hub, and switching them in a hub that runs, through its API alone.

mod build;
mod check;
mod new;
mod remote;
mod test;

use std::{fmt::Display, io::Read, path::Path, path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use jackfield_domain::plugins::CHAIN_WALL;
use jackfield_plugin_host::{
    Allocation, Compiler, Module, PACKAGE_MAX_BYTES, Package, PluginHost, Reuse, Settings as HostSettings,
};

#[derive(Args)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Write a new plugin, with everything that it is built and tested with.
    New(new::NewArgs),
    /// Write the SDK of this program into a plugin, in place of the one that it has.
    Sdk {
        /// The folder of the plugin.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Build a plugin to the one file that a hub installs.
    Build(build::BuildArgs),
    /// Load a plugin as a hub would, and say what it is and wants.
    Check {
        /// A package, or the folder of a plugin, which is built first.
        plugin: PathBuf,
    },
    /// Run a plugin for a test, which speaks on standard input and output. `PluginHarness` of the SDK does that.
    Test {
        /// The package.
        package: PathBuf,
    },
    #[command(flatten)]
    Remote(remote::RemoteCommand),
}

/// Does it. What is said of success goes to standard output; an error is what is to be said of failure.
pub(super) async fn run(arguments: PluginArgs) -> Result<(), String> {
    let done = match arguments.command {
        PluginCommand::New(arguments) => new::run(&arguments),
        PluginCommand::Sdk { folder } => new::renew(&folder),
        PluginCommand::Build(arguments) => build::run(&arguments),
        PluginCommand::Check { plugin } => check::run(&plugin).await,
        PluginCommand::Test { package } => test::run(&package).await,
        PluginCommand::Remote(command) => remote::run(command).await,
    };
    // It may be in the words of a plugin, or of whoever answers in the place of a hub.
    done.map_err(|why| why.lines().map(plain).collect::<Vec<_>>().join("\n"))
}

/// Reads a package and says what is wrong with it. No more is read than a package may have.
fn read(path: &Path) -> Result<Package, String> {
    let fault = |error: std::io::Error| format!("{}: {error}", path.display());
    if path.is_dir() {
        return Err(format!("{} is a folder; give the file that `jackfield plugin build` wrote", path.display()));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fault)?;
    file.take(PACKAGE_MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fault)?;
    Package::read(bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// Makes a package ready to run, as a hub does: compiled by a child under limits, in an engine that is set up like the hub's.
async fn load(package: &Package) -> Result<(PluginHost, Arc<Module>), String> {
    let program = std::env::current_exe().map_err(|error| format!("the program does not find itself: {error}"))?;
    let host = PluginHost::new(HostSettings {
        allocation: Allocation::Pool,
        reuse: Reuse::Warm,
        compiler: Compiler::new(program, vec!["compile-plugin".into()]),
        cache: None,
        chain_wall: CHAIN_WALL,
    })
    .map_err(|error| error.to_string())?;
    let module = host.load(package).await.map_err(|error| error.to_string())?;
    Ok((host, module))
}

/// What plugins and hubs say of themselves, for a terminal: it cannot move the cursor, nor end a line that is not theirs.
fn plain(text: impl Display) -> String {
    let is_odd = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.to_string().chars().map(|c| if is_odd(c) { '\u{fffd}' } else { c }).collect()
}

/// How much that is, for people.
fn size(bytes: usize) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_stays_in_its_line() {
        for (said, shown) in [
            ("Ann: «tea»", "Ann: «tea»"),
            ("a\nb\r\u{1b}[2Jc", "a\u{fffd}b\u{fffd}\u{fffd}[2Jc"),
            ("\u{202e}gnp.exe", "\u{fffd}gnp.exe"),
        ] {
            assert_eq!(plain(said), shown);
        }
    }

    #[test]
    fn sizes_are_for_people() {
        for (bytes, shown) in [(7, "7 bytes"), (36_540, "36.5 kB"), (33_554_432, "33.6 MB")] {
            assert_eq!(size(bytes), shown);
        }
    }
}
