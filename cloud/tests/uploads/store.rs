//! A media store of one test's own.

use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use roomtone_cloud::dev::media_server;
use roomtone_cloud::media::{Address, Media, MediaSettings};
use roomtone_cloud::secret::Secret;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) const PAGE: &str = "https://page.example";

/// A store in a folder, served until it is dropped.
pub(crate) struct Store {
    pub(crate) media: Media,
    pub(crate) settings: MediaSettings,
    folder: tempfile::TempDir,
    _served: JoinSet<anyhow::Result<()>>,
}

impl Store {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let keys = ("who".to_owned(), "hush".to_owned());
        let (place, stop) = (folder.path().to_owned(), CancellationToken::new());
        let mut served = JoinSet::new();
        served.spawn(media_server::serve(listener, place, keys, vec![PAGE.to_owned()], stop));
        let settings = MediaSettings {
            endpoint: Some(endpoint),
            region: "local".to_owned(),
            bucket: "songs".to_owned(),
            access_key: "who".to_owned(),
            secret_key: Secret::new("hush"),
            public_endpoint: None,
        };
        let media = Media::open(&settings).unwrap();
        media.make_bucket().await.unwrap();
        Self { media, settings, folder, _served: served }
    }

    /// Every object there is, by key.
    pub(crate) fn objects(&self) -> Vec<String> {
        let bucket = self.folder.path().join("songs");
        let mut keys = Vec::new();
        walk(&bucket, &mut |file| keys.push(file.strip_prefix(&bucket).unwrap().display().to_string()));
        keys.sort();
        keys
    }

    /// Parts of objects that are not whole.
    pub(crate) fn loose_parts(&self) -> usize {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        names.filter(|name| name.as_ref().unwrap().file_name().to_string_lossy().contains(".part-")).count()
    }
}

fn walk(folder: &Path, each: &mut impl FnMut(PathBuf)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, each) } else { each(path) }
    }
}

/// Sends bytes as a program does that knows nothing of S3.
pub(crate) async fn put(address: &Address, body: Vec<u8>) -> reqwest::Response {
    let mut request = http().put(&address.url).body(body);
    for (name, value) in &address.headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

pub(crate) async fn put_well(address: &Address, body: Vec<u8>) {
    let answer = put(address, body).await;
    let status = answer.status();
    assert_eq!(status, StatusCode::OK, "{}", answer.text().await.unwrap());
}

pub(crate) fn http() -> reqwest::Client {
    // A second time it is there already.
    let _again = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}
