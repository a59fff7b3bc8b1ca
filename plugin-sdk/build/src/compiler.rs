//! Finds a compiler for `wasm32-unknown-unknown`, also where rustup cannot fetch one.
//!
//! In this order: the target that is installed; `rustup target add`, unless rustup is told to fetch nothing; on Debian
//! the packages `rustc-web` and `rust-web-src`, with which cargo builds the standard library from source.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::Error;

/// What plugins are compiled for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// Where Debian puts its compiler; rustup's comes before it in the `PATH`.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
/// The first that knows the edition of our code.
const OLDEST_MINOR: u32 = 85;
const PACKAGES: [&str; 2] = ["rustc-web", "rust-web-src"];
/// What installs them, for somebody who has to do it by hand.
const BY_HAND: &str = "apt-get update && apt-get install --yes rustc-web rust-web-src";

/// The cargo that runs us, or the one in the `PATH`.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A compiler that makes WebAssembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// The usual one, whose standard library for the target is installed.
    Usual,
    /// Debian's, which builds the standard library from source. Its linker comes from wherever there is one.
    Debian {
        /// A linker for WebAssembly.
        linker: PathBuf,
    },
}

/// What the search asks of the machine: a seam for tests.
pub trait Machine {
    /// Runs a program to its end; its standard output if it went well, else its standard error.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String>;
    /// Whether there is such a file or folder.
    fn has(&self, path: &Path) -> bool;
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
    /// Tells the person who is waiting.
    fn say(&self, words: &str);
}

impl Compiler {
    /// Finds one, or installs one where that is allowed, or says what to do.
    pub fn find(machine: &impl Machine) -> Result<Self, Error> {
        if has_target(machine) {
            return Ok(Self::Usual);
        }
        let mut tried = String::new();
        if machine.variable("RUSTUP_AUTO_INSTALL").as_deref() != Some("0") && machine.run("rustup", &["-V"]).is_ok() {
            machine.say(&format!("fetching the standard library for {TARGET} (rustup target add)"));
            match machine.run("rustup", &["target", "add", TARGET]) {
                Ok(_) if has_target(machine) => return Ok(Self::Usual),
                Ok(_) => {}
                Err(why) => tried = format!(" (rustup could not fetch it: {})", last_line(&why)),
            }
        }
        if let Some(debian) = debian(machine) {
            return Ok(debian);
        }
        if !machine.has(Path::new("/usr/bin/apt-get")) {
            return Err(Error(format!(
                "there is no compiler for {TARGET}{tried}; this adds it: rustup target add {TARGET}"
            )));
        }
        let may_install = machine.variable("JACKFIELD_WASM_SETUP").as_deref() != Some("never")
            && machine.run("id", &["-u"]).is_ok_and(|id| id.trim() == "0");
        if !may_install {
            return Err(Error(format!(
                "there is no compiler for {TARGET}{tried}; as root, this installs Debian's: {BY_HAND}"
            )));
        }
        machine.say(&format!("installing Debian's {} and {}, to compile plugins", PACKAGES[0], PACKAGES[1]));
        let get = ["-o", "DPkg::Lock::Timeout=300", "-q"];
        // Lists that are half up to date may do; if they do not, the installation says so.
        let _ = machine.run("apt-get", &[&get[..], &["update"]].concat());
        machine
            .run("apt-get", &[&get[..], &["install", "--yes", "--no-install-recommends"], &PACKAGES].concat())
            .and_then(|_| {
                let linker = if linker(machine).is_some() { Ok(String::new()) } else { Err(()) };
                linker.or_else(|()| machine.run("apt-get", &[&get[..], &["install", "--yes", "lld"]].concat()))
            })
            .map_err(|why| Error(format!("{BY_HAND}: {}", last_line(&why))))?;
        debian(machine).ok_or_else(|| {
            Error(format!(
                "Debian's compiler was installed and cannot be used: it must be 1.{OLDEST_MINOR} or newer, with its source \
                 (is the security suite among the sources of apt?)"
            ))
        })
    }

    /// Makes a cargo command use it.
    pub(crate) fn apply(&self, command: &mut Command) {
        if let Self::Debian { linker } = self {
            // What cargo calls unstable is unstable between versions of cargo, of which the one at hand was found to do.
            command
                .env("RUSTC", DEBIAN_RUSTC)
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                .arg("-Zbuild-std=std,panic_abort");
        }
    }
}

fn has_target(machine: &impl Machine) -> bool {
    machine
        .run("rustc", &["--print", "target-libdir", "--target", TARGET])
        .is_ok_and(|folder| machine.has(Path::new(folder.trim())))
}

fn debian(machine: &impl Machine) -> Option<Compiler> {
    let version = machine.run(DEBIAN_RUSTC, &["--version"]).ok()?;
    let minor: u32 = version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()?;
    let sysroot = machine.run(DEBIAN_RUSTC, &["--print", "sysroot"]).ok()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock");
    let usable = minor >= OLDEST_MINOR && machine.has(&source);
    usable.then(|| linker(machine)).flatten().map(|linker| Compiler::Debian { linker })
}

/// rustup's compiler brings one; else Debian's package `lld` does.
fn linker(machine: &impl Machine) -> Option<PathBuf> {
    let of_rustup = || {
        let sysroot = machine.run("rustc", &["--print", "sysroot"]).ok()?;
        let version = machine.run("rustc", &["-vV"]).ok()?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "))?;
        Some(Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld"))
    };
    [of_rustup(), Some("/usr/bin/wasm-ld".into())].into_iter().flatten().find(|path| machine.has(path))
}

fn last_line(words: &str) -> &str {
    words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it did not say why").trim()
}

/// The machine that this runs on, seen from the folder of a plugin, whose toolchain is the one that counts.
pub struct ThisMachine<'a> {
    /// The folder of the plugin.
    pub folder: &'a Path,
    /// How the person who is waiting is told.
    pub say: &'a dyn Fn(&str),
}

impl Machine for ThisMachine<'_> {
    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.folder)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program}: {error}"))?;
        let words = if output.status.success() { output.stdout } else { output.stderr.clone() };
        let words = String::from_utf8_lossy(&words).into_owned();
        if output.status.success() { Ok(words) } else { Err(words) }
    }

    fn has(&self, path: &Path) -> bool {
        path.exists()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn say(&self, words: &str) {
        (self.say)(words);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeSet};

    use super::*;

    /// A machine of our own making, which notes what is asked of it.
    #[derive(Default)]
    struct Fake {
        files: RefCell<BTreeSet<&'static str>>,
        variables: &'static [(&'static str, &'static str)],
        rustup: Option<bool>,
        user: &'static str,
        ran: RefCell<Vec<String>>,
    }

    const LIBRARY: &str = "/rustup/lib/rustlib/wasm32-unknown-unknown/lib";
    const LLD: &str = "/rustup/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld";
    const SOURCE: &str = "/usr/lib/rustlib/src/rust/library/Cargo.lock";
    const APT: &str = "/usr/bin/apt-get";

    impl Machine for Fake {
        fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
            let line = format!("{program} {}", arguments.join(" "));
            let is = |file| self.files.borrow().contains(file);
            match line.as_str() {
                "rustc --print target-libdir --target wasm32-unknown-unknown" => Ok(format!("{LIBRARY}\n")),
                "rustc --print sysroot" => Ok("/rustup\n".to_owned()),
                "rustc -vV" => Ok("rustc 1.95.0\nhost: x86_64-unknown-linux-gnu\n".to_owned()),
                "rustup -V" => self.rustup.map(|_| String::new()).ok_or_else(String::new),
                "id -u" => Ok(format!("{}\n", self.user)),
                "/usr/bin/rustc --version" if is(SOURCE) => Ok("rustc 1.96.0 (built from a source tarball)".to_owned()),
                "/usr/bin/rustc --version" if is(DEBIAN_RUSTC) => Ok("rustc 1.63.0".to_owned()),
                "/usr/bin/rustc --version" => Err("not found".to_owned()),
                "/usr/bin/rustc --print sysroot" => Ok("/usr\n".to_owned()),
                _ => {
                    self.ran.borrow_mut().push(line.clone());
                    match line.as_str() {
                        "rustup target add wasm32-unknown-unknown" if self.rustup == Some(true) => {
                            self.files.borrow_mut().insert(LIBRARY);
                            Ok(String::new())
                        }
                        "rustup target add wasm32-unknown-unknown" => Err("error: no network\n".to_owned()),
                        _ if line.ends_with("update") => Err("some lists are old".to_owned()),
                        _ if line.ends_with("rustc-web rust-web-src") => {
                            self.files.borrow_mut().insert(SOURCE);
                            Ok(String::new())
                        }
                        _ if line.ends_with("install --yes lld") => {
                            self.files.borrow_mut().insert("/usr/bin/wasm-ld");
                            Ok(String::new())
                        }
                        _ => Err(format!("{program}: not found")),
                    }
                }
            }
        }

        fn has(&self, path: &Path) -> bool {
            self.files.borrow().iter().any(|file| Path::new(file) == path)
        }

        fn variable(&self, name: &str) -> Option<String> {
            self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        }

        fn say(&self, _: &str) {}
    }

    fn machine(files: &[&'static str]) -> Fake {
        Fake { files: RefCell::new(files.iter().copied().collect()), user: "1000", ..Fake::default() }
    }

    fn debian(linker: &str) -> Compiler {
        Compiler::Debian { linker: linker.into() }
    }

    #[test]
    fn what_is_installed_comes_first() {
        let has_all = machine(&[LIBRARY, SOURCE, LLD, APT]);
        assert_eq!(Compiler::find(&has_all).unwrap(), Compiler::Usual);
        let debian_only = machine(&[SOURCE, LLD, APT]);
        assert_eq!(Compiler::find(&debian_only).unwrap(), debian(LLD));
        assert!(has_all.ran.borrow().is_empty() && debian_only.ran.borrow().is_empty());
    }

    #[test]
    fn rustup_is_asked_unless_it_is_to_fetch_nothing() {
        let willing = Fake { rustup: Some(true), ..machine(&[SOURCE, LLD]) };
        assert_eq!(Compiler::find(&willing).unwrap(), Compiler::Usual);
        assert_eq!(*willing.ran.borrow(), ["rustup target add wasm32-unknown-unknown"]);
        let forbidden =
            Fake { rustup: Some(true), variables: &[("RUSTUP_AUTO_INSTALL", "0")], ..machine(&[SOURCE, LLD]) };
        assert_eq!(Compiler::find(&forbidden).unwrap(), debian(LLD));
        assert!(forbidden.ran.borrow().is_empty());
        let offline = Fake { rustup: Some(false), ..machine(&[SOURCE, LLD]) };
        assert_eq!(Compiler::find(&offline).unwrap(), debian(LLD));
    }

    #[test]
    fn root_on_debian_gets_it_installed() {
        let root = Fake { user: "0", ..machine(&[APT, LLD]) };
        assert_eq!(Compiler::find(&root).unwrap(), debian(LLD));
        let ran = root.ran.borrow();
        assert!(ran[0].ends_with("update") && ran[1].ends_with("rustc-web rust-web-src"), "{ran:?}");
        let without_linker = Fake { user: "0", ..machine(&[APT]) };
        assert_eq!(Compiler::find(&without_linker).unwrap(), debian("/usr/bin/wasm-ld"));
        let too_old = Fake { user: "0", ..machine(&[APT, LLD, DEBIAN_RUSTC]) };
        assert_eq!(Compiler::find(&too_old).unwrap(), debian(LLD));
    }

    #[test]
    fn whoever_may_not_install_is_told_the_command() {
        let never = &[("JACKFIELD_WASM_SETUP", "never")];
        for person in [machine(&[APT, LLD]), Fake { user: "0", variables: never, ..machine(&[APT, LLD]) }] {
            let error = Compiler::find(&person).unwrap_err().to_string();
            assert!(error.contains(BY_HAND), "{error}");
            assert!(person.ran.borrow().is_empty());
        }
    }

    #[test]
    fn elsewhere_rustup_is_named_with_what_it_said() {
        let error = Compiler::find(&Fake { rustup: Some(false), ..machine(&[]) }).unwrap_err().to_string();
        assert!(error.contains("no network") && error.ends_with("rustup target add wasm32-unknown-unknown"), "{error}");
    }
}
