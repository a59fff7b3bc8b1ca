//! Compiled modules, kept between starts. Compiled code is run as it is, so that whoever could write it could do
//! everything: a file is used only if it bears the hub's own seal.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use hmac::{Hmac, Mac};
use sha2::Sha256;

const SEAL_BYTES: usize = 32;

/// A folder of compiled modules that is the hub's alone.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    key: [u8; 32],
}

impl Cache {
    /// The key is the hub's secret. Where it changes, everything is compiled again.
    pub fn open(folder: &Path, key: [u8; 32]) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // It may be older than we are.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        Ok(Cache { folder: folder.to_owned(), key })
    }

    /// What was compiled of a component by this engine; none where there is nothing, or nothing that can be trusted.
    pub(crate) fn get(&self, digest: &[u8; 32], engine: &str) -> Option<Vec<u8>> {
        let path = self.path(digest, engine);
        let mut file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a compiled plugin cannot be read and is compiled again");
                return None;
            }
        };
        if file.len() >= SEAL_BYTES {
            let compiled = file.split_off(SEAL_BYTES);
            if self.seal(digest, engine, &compiled).verify_slice(&file).is_ok() {
                return Some(compiled);
            }
        }
        tracing::error!(path = %path.display(), "a compiled plugin is not what the hub wrote; it is compiled again");
        self.forget(digest, engine);
        None
    }

    /// Keeps it, or says in the log why not: what is not kept is compiled again.
    pub(crate) fn put(&self, digest: &[u8; 32], engine: &str, compiled: &[u8]) {
        if let Err(error) = self.write(digest, engine, compiled) {
            tracing::warn!(%error, folder = %self.folder.display(), "a compiled plugin cannot be kept");
        }
    }

    pub(crate) fn forget(&self, digest: &[u8; 32], engine: &str) {
        let _ = fs::remove_file(self.path(digest, engine));
    }

    /// Lets go of what was compiled, by whichever engine, of packages with certain hashes, if it is older than this.
    pub(crate) fn forget_all(&self, is_one: impl Fn(&str) -> bool, age: Duration) {
        let files = match fs::read_dir(&self.folder) {
            Ok(files) => files,
            Err(error) => {
                return tracing::warn!(%error, folder = %self.folder.display(), "compiled plugins cannot be listed");
            }
        };
        for file in files.flatten() {
            let name = file.file_name();
            let hash = name.to_str().and_then(|name| Some(name.split_once('-')?.0));
            let written = file.metadata().and_then(|about| about.modified()).ok();
            let is_old = written.and_then(|written| written.elapsed().ok()).is_some_and(|since| since >= age);
            if hash.is_some_and(&is_one) && is_old {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn write(&self, digest: &[u8; 32], engine: &str, compiled: &[u8]) -> io::Result<()> {
        let path = self.path(digest, engine);
        // Under another name first, so that nobody reads half of it.
        let draft = path.with_extension("draft");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&self.seal(digest, engine, compiled).finalize().into_bytes())?;
        file.write_all(compiled)?;
        drop(file);
        fs::rename(&draft, &path)
    }

    /// Over what was compiled *and* what it was compiled of, so that no file can be put in the place of another.
    fn seal(&self, digest: &[u8; 32], engine: &str, compiled: &[u8]) -> Hmac<Sha256> {
        let mut seal = Hmac::<Sha256>::new_from_slice(&self.key).expect("a key of any length will do");
        seal.update(b"jackfield compiled plugin\0");
        seal.update(digest);
        seal.update(&(engine.len() as u64).to_be_bytes());
        seal.update(engine.as_bytes());
        seal.update(compiled);
        seal
    }

    fn path(&self, digest: &[u8; 32], engine: &str) -> PathBuf {
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{digest}-{engine}.compiled"))
    }
}
