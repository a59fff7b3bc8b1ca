//! Where large things lie: in a folder of this machine, or in a bucket that several nodes share.
//!
//! The only one that knows `OpenDAL`. What lies here has a name that is made of its content or is never used twice, so that
//! nothing is ever written over.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use opendal::{
    ErrorKind, Operator,
    layers::{RetryLayer, TimeoutLayer},
    services::{Fs, S3},
};
use url::Url;

use crate::{Error, Result};

/// How long one step of reading or writing may take.
const STEP: Duration = Duration::from_secs(10);
/// How often a step that failed is tried again.
const TRIES: usize = 3;
/// How long to wait before that; twice as long before each one more.
const PAUSE: Duration = Duration::from_millis(100);
/// What comes in is written in pieces of so many bytes; buckets take no smaller ones.
const PIECE: usize = 8 << 20;

/// Where large things are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shelf {
    Folder(PathBuf),
    /// `s3://KEY:SECRET@BUCKET/PREFIX?region=R&endpoint=URL`. Holds a secret: it is never logged.
    Bucket(Url),
}

impl Shelf {
    /// What it is called.
    pub fn kind(&self) -> &'static str {
        match self {
            Shelf::Folder(_) => "a folder",
            Shelf::Bucket(_) => "S3",
        }
    }

    /// Reads what a configuration says.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(path) = text.strip_prefix("fs:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err("name a folder, as fs:PATH") } else { Ok(Shelf::Folder(path.into())) };
        }
        let url = Url::parse(text).map_err(|_| "begin with fs: or s3://")?;
        match url.scheme() {
            "s3" if url.host_str().is_some_and(|bucket| !bucket.is_empty()) => Ok(Shelf::Bucket(url)),
            "s3" => Err("name a bucket, as s3://BUCKET"),
            _ => Err("begin with fs: or s3://"),
        }
    }
}

pub struct Blobs(Operator);

impl Blobs {
    pub fn open(shelf: &Shelf) -> Result<Self> {
        let operator = match shelf {
            Shelf::Folder(path) => {
                // What is kept is for nobody else's eyes.
                let mut made = std::fs::DirBuilder::new();
                #[cfg(unix)]
                std::os::unix::fs::DirBuilderExt::mode(&mut made, 0o700);
                made.recursive(true)
                    .create(path)
                    .map_err(|error| Error::internal(format!("cannot make the folder {}: {error}", path.display())))?;
                let folder = path.to_str().ok_or_else(|| Error::internal("the folder's name is not Unicode"))?;
                Operator::new(Fs::default().root(folder)).map_err(fault)?
            }
            Shelf::Bucket(url) => {
                // OpenDAL does this by itself only where it brings its own cryptography along. Twice is as good as once.
                opendal_http_transport_reqwest::install_default();
                Operator::new(bucket(url)).map_err(fault)?
            }
        };
        let operator = operator
            .layer(TimeoutLayer::new().with_timeout(STEP).with_io_timeout(STEP))
            .layer(RetryLayer::new().with_max_times(TRIES).with_min_delay(PAUSE).with_jitter());
        Ok(Blobs(operator))
    }

    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        self.0.write(name, bytes).await.map(drop).map_err(fault)
    }

    /// Puts there what comes in piece by piece; nothing where not all of it comes.
    pub async fn receive(&self, name: &str, mut pieces: impl Stream<Item = Result<Bytes>> + Unpin) -> Result<()> {
        let mut writer = self.0.writer_with(name).chunk(PIECE).await.map_err(fault)?;
        let written = async {
            while let Some(piece) = pieces.next().await {
                writer.write(piece?).await.map_err(fault)?;
            }
            writer.close().await.map(drop).map_err(fault)
        }
        .await;
        if written.is_err() {
            // What it is written to may be away, which is why it could not be written. A folder keeps what came so far.
            let _ = writer.abort().await;
            let _ = self.0.delete(name).await;
        }
        written
    }

    /// What lies under a name; none where nothing does.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        match self.0.read(name).await {
            Ok(found) => Ok(Some(found.to_bytes())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault(error)),
        }
    }

    pub async fn has(&self, name: &str) -> Result<bool> {
        self.0.exists(name).await.map_err(fault)
    }

    /// Nothing there is as good as taken away.
    pub async fn delete(&self, name: &str) -> Result<()> {
        self.0.delete(name).await.map_err(fault)
    }

    /// Whether it can be reached at all; if not, why, in words.
    pub async fn probe(&self) -> Result<(), String> {
        self.0.check().await.map_err(|error| error.to_string())
    }
}

fn bucket(url: &Url) -> S3 {
    let said = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    let plain = |text: &str| percent_decoded(text);
    let mut service = S3::default()
        .bucket(url.host_str().unwrap_or_default())
        .root(url.path())
        .region(&said("region").unwrap_or_else(|| "us-east-1".to_owned()));
    if let Some(endpoint) = said("endpoint") {
        service = service.endpoint(&endpoint);
    }
    // Without a key in the address, the usual places are looked at: the environment, or the machine's own role.
    if let (false, Some(secret)) = (url.username().is_empty(), url.password()) {
        service = service.access_key_id(&plain(url.username())).secret_access_key(&plain(secret));
    }
    service
}

fn percent_decoded(text: &str) -> String {
    form_urlencoded::parse(text.replace('+', "%2B").as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

fn fault(error: opendal::Error) -> Error {
    // What was tried again in vain counts as lasting, and may well be over when somebody asks the next time.
    if error.is_temporary() || error.is_persistent() { Error::unavailable(error) } else { Error::internal(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shelf_is_a_folder_or_a_bucket() {
        assert_eq!(Shelf::parse("fs:/var/blobs"), Ok(Shelf::Folder("/var/blobs".into())));
        assert!(matches!(Shelf::parse("s3://me:secret@files/hub?region=eu-1"), Ok(Shelf::Bucket(_))));
        for bad in ["", "fs:", "s3://", "/var/blobs", "ftp://x"] {
            assert!(Shelf::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(percent_decoded("a%2Fb+c"), "a/b+c");
    }

    #[tokio::test]
    async fn what_was_put_is_there_until_it_is_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Blobs::open(&Shelf::Folder(folder.path().join("blobs"))).expect("a shelf");
        assert_eq!(blobs.get("a/b").await.expect("an answer"), None);
        blobs.put("a/b", Bytes::from_static(b"words")).await.expect("it is put there");
        assert_eq!(blobs.get("a/b").await.expect("an answer").as_deref(), Some(&b"words"[..]));
        blobs.delete("a/b").await.expect("it is taken away");
        blobs.delete("a/b").await.expect("it was gone");
        assert_eq!(blobs.get("a/b").await.expect("an answer"), None);
    }
}
