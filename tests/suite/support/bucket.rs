//! A bucket that speaks S3, as nodes share one, behind a wire that the story can cut.

use axum::{Router, error_handling::HandleError, http::StatusCode};
use jackfield::config::Config;
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::proxy::Proxy;

/// What it is called.
const NAME: &str = "hub";

pub struct Bucket {
    pub wire: Proxy,
    folder: TempDir,
}

impl Bucket {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(NAME)).expect("a bucket");
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a folder"));
        service.set_auth(SimpleAuth::from_single("key", "secret"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = listener.local_addr().expect("an address").to_string();
        let service = HandleError::new(service.build(), async |_| StatusCode::INTERNAL_SERVER_ERROR);
        let router = Router::new().fallback_service(service);
        tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Bucket { wire: Proxy::before(server).await, folder }
    }

    /// Has a hub keep large things here.
    pub fn wanted(&self) -> impl Fn(&mut Config) + Send + 'static + use<> {
        let endpoint = format!("http://{}", self.wire.address);
        move |config| config.blobs = Some(format!("s3://key:secret@{NAME}/kept?region=eu-1&endpoint={endpoint}"))
    }

    /// The names of what lies in one of its folders.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let Ok(found) = std::fs::read_dir(self.folder.path().join(NAME).join("kept").join(folder)) else {
            return Vec::new();
        };
        found.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect()
    }
}
