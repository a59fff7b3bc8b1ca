//! Packages on their way into the hub: put under an address that is signed for the moment, or read from a file beside it.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hmac::{Hmac, Mac};
use jackfield_domain::{
    JobId, Rejection, Timestamp, UploadId,
    jobs::{Job, JobKind, NewJob},
    plugins::PluginId,
};
use jackfield_plugin_host::{PACKAGE_MAX_BYTES, Package};
use sha2::Sha256;

use super::{
    super::{Core, Viewer, jobs, workspaces::must_be_operator},
    loading,
};
use crate::{Error, Result};

/// How long an address is good.
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);

/// Where a package is to be put.
pub struct Upload {
    pub id: UploadId,
    pub expires_at: Timestamp,
    /// Hexadecimal digits.
    pub signature: String,
}

/// What somebody wants to install.
pub enum Source {
    /// What was put under an address.
    Upload(UploadId),
    /// A file that the hub can read.
    Path(String),
    /// What came with the program, and was taken away or replaced.
    Bundled(PluginId),
}

fn blob_name(id: UploadId) -> String {
    format!("uploads/{id}")
}

fn seal(core: &Core, id: UploadId, expires_at: Timestamp) -> Hmac<Sha256> {
    let mut seal = Hmac::<Sha256>::new_from_slice(&core.plugins.upload_key).expect("any key will do");
    seal.update(format!("{id} {}", expires_at.0).as_bytes());
    seal
}

/// An address for one package. What was put there and not installed is taken away again.
pub async fn create(core: &Core, viewer: &Viewer) -> Result<Upload> {
    must_be_operator(viewer)?;
    let at = core.clock.now();
    let (id, expires_at) = (UploadId(core.clock.new_id()), at + GOOD_FOR);
    let sweep = NewJob {
        id: JobId(core.clock.new_id()),
        workspace: None,
        kind: JobKind::UploadSweep,
        key: None,
        payload: serde_json::to_string(&id).map_err(Error::internal)?,
        at,
        // Who has begun in time may end, and install it.
        due_at: expires_at + GOOD_FOR,
    };
    jobs::enqueue(core, vec![sweep]).await?;
    let signature =
        seal(core, id, expires_at).finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Upload { id, expires_at, signature })
}

/// Is this an address of ours that is still good?
pub fn is_good(core: &Core, id: UploadId, expires_at: Timestamp, signature: &str) -> bool {
    let Some(bytes) = hexadecimal(signature) else { return false };
    expires_at > core.clock.now() && seal(core, id, expires_at).verify_slice(&bytes).is_ok()
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Puts there what comes in.
pub async fn receive<E: std::fmt::Display>(
    core: &Core,
    id: UploadId,
    body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
) -> Result<()> {
    let mut left = PACKAGE_MAX_BYTES;
    let bounded = body.map(move |piece| {
        let piece =
            piece.map_err(|error| Rejection::BadPackage { why: format!("it did not come in whole: {error}") })?;
        left = left.checked_sub(piece.len()).ok_or_else(|| Rejection::BadPackage {
            why: format!(
                "it has more than {PACKAGE_MAX_BYTES} bytes; build it without debug information, or make it smaller"
            ),
        })?;
        Ok(piece)
    });
    core.plugins.blobs.receive(&blob_name(id), bounded).await
}

/// What is to be installed.
pub async fn read(core: &Core, source: &Source) -> Result<Arc<Package>> {
    let bad = |why: String| Error::from(Rejection::BadPackage { why });
    let bytes = match source {
        Source::Bundled(plugin) => {
            let found = core.plugins.bundled.values().find(|package| package.manifest().id == *plugin);
            let none = Rejection::NotFound { what: "plugin that comes with the hub", field: "bundled" };
            return Ok(found.ok_or(none)?.clone());
        }
        Source::Upload(id) => core
            .plugins
            .blobs
            .get(&blob_name(*id))
            .await?
            .ok_or(Rejection::NotFound { what: "upload", field: "uploadId" })?
            .to_vec(),
        Source::Path(path) => {
            let path = Path::new(path);
            if !path.is_absolute() {
                return Err(bad(format!("{} is no absolute path", path.display())));
            }
            let fault = |error: std::io::Error| bad(format!("{} cannot be read: {error}", path.display()));
            let about = tokio::fs::metadata(path).await.map_err(fault)?;
            if !about.is_file() || about.len() > PACKAGE_MAX_BYTES as u64 {
                return Err(bad(format!("{} is no file of at most {PACKAGE_MAX_BYTES} bytes", path.display())));
            }
            tokio::fs::read(path).await.map_err(fault)?
        }
    };
    loading::read(bytes).await.map(Arc::new)
}

/// What was installed need not lie there any more.
pub async fn forget(core: &Core, source: &Source) {
    if let Source::Upload(id) = source
        && let Err(error) = core.plugins.blobs.delete(&blob_name(*id)).await
    {
        tracing::debug!(%error, "an upload is left to be swept away");
    }
}

pub async fn sweep(core: &Core, job: &Job) -> Result<()> {
    let id: UploadId = serde_json::from_str(&job.payload).map_err(Error::internal)?;
    core.plugins.blobs.delete(&blob_name(id)).await
}
