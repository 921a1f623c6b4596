//! The listener page and the query page as they lie in the binary: files, content types and tags, and nothing about
//! HTTP.
//!
//! They are plain HTML, CSS and ES modules in `schema/server/ui`. There is no build step: a file is served as it was
//! written. Every file must be named in [`FILES`], and a test below notices the one that is not.

use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

#[cfg(feature = "graphiql")]
mod graphiql;

/// One file of the pages.
#[derive(Debug, Clone)]
pub struct Asset {
    /// For the `content-type` header.
    pub content_type: &'static str,
    /// Changes when the bytes do.
    tag: String,
    held: Held,
}

/// How a file is kept.
#[derive(Debug, Clone)]
enum Held {
    /// As it was written, and gzip'd where that is smaller.
    Plain(&'static [u8], Option<Bytes>),
    /// Gzip'd only: what is large and hardly ever asked for.
    #[cfg_attr(not(feature = "graphiql"), expect(dead_code, reason = "only GraphiQL is that large"))]
    Packed(&'static [u8]),
}

/// What is sent of a file.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The bytes.
    pub bytes: Bytes,
    /// Whether they are gzip'd.
    pub is_packed: bool,
    /// A strong entity tag with its quotes.
    pub etag: String,
}

/// What somebody who asks for the query page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryPage {
    /// `GraphiQL` where it is built in, else the small page.
    Open,
    /// The small page.
    Small,
    /// A form for the manager's token.
    SignIn,
    /// Where that form would be.
    Elsewhere,
}

/// What somebody who asks for the manager's page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagePage {
    /// The page, which asks for the PIN or the manager's token.
    Open,
    /// The poster of a zone, to print.
    Poster,
    /// Where a token could be read by others: where it could not.
    Elsewhere,
}

/// Whether `GraphiQL` is built in; it needs a policy that allows its styles.
pub const HAS_GRAPHIQL: bool = cfg!(feature = "graphiql");

/// The file that answers `path`: `/`, `/favicon.ico` and whatever lies under `/ui/` but the query page's documents,
/// which are not for everybody.
pub fn asset(path: &str) -> Option<&'static Asset> {
    let name = match path {
        "/" => "index.html",
        "/favicon.ico" => "icon-48.png",
        _ => path.strip_prefix("/ui/")?,
    };
    let is_guarded = name.contains('/') && content_type(name) == HTML;
    if is_guarded { None } else { held(name) }
}

/// What a page elsewhere may borrow of these: everything but documents.
pub fn part(path: &str) -> Option<&'static Asset> {
    asset(path).filter(|asset| asset.content_type != HTML)
}

/// The listener page's document, for a server that shows it elsewhere than at `/`.
pub fn listener_page() -> &'static Asset {
    held("index.html").unwrap_or(&NOTHING)
}

/// The document of the query page.
pub fn query_page(page: QueryPage) -> &'static Asset {
    let name = match page {
        QueryPage::Open if HAS_GRAPHIQL => "vendor/graphiql/index.html",
        QueryPage::Open | QueryPage::Small => "query/index.html",
        QueryPage::SignIn => "query/sign-in.html",
        QueryPage::Elsewhere => "query/elsewhere.html",
    };
    held(name).unwrap_or(&NOTHING)
}

/// The document of the manager's page.
pub fn manage_page(page: ManagePage) -> &'static Asset {
    let name = match page {
        ManagePage::Open => "manage/index.html",
        ManagePage::Poster => "manage/poster.html",
        ManagePage::Elsewhere => "manage/elsewhere.html",
    };
    held(name).unwrap_or(&NOTHING)
}

/// Never sent: every document is named in [`FILES`], as a test below sees.
static NOTHING: LazyLock<Asset> = LazyLock::new(|| Asset::new("", Held::Plain(b"", None)));

fn held(name: &str) -> Option<&'static Asset> {
    let found = ASSETS.find(name);
    #[cfg(feature = "graphiql")]
    let found = found.or_else(|| graphiql::held(name));
    found
}

impl Asset {
    fn new(name: &str, held: Held) -> Self {
        let (Held::Plain(bytes, _) | Held::Packed(bytes)) = held;
        Self { content_type: content_type(name), tag: tag(bytes), held }
    }

    /// The file, for a reader who takes gzip or does not.
    pub fn sent(&self, takes_gzip: bool) -> Sent {
        let (bytes, is_packed) = match &self.held {
            Held::Plain(_, Some(packed)) if takes_gzip => (packed.clone(), true),
            Held::Plain(bytes, _) => (Bytes::from_static(bytes), false),
            Held::Packed(packed) if takes_gzip => (Bytes::from_static(packed), true),
            Held::Packed(packed) => (gunzip(packed), false),
        };
        let etag = if is_packed { format!("\"{}-gzip\"", self.tag) } else { format!("\"{}\"", self.tag) };
        Sent { bytes, is_packed, etag }
    }
}

/// Files of a page by their names, as they lie in a folder of the crate that names them: the folder, then the names.
#[macro_export]
macro_rules! page_files {
    [$folder:literal: $($name:literal),* $(,)?] => {
        &[$((
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder, "/", $name)) as &[u8],
        )),*]
    };
}

/// A page's files, ready to be sent.
#[derive(Debug)]
pub struct Files(Vec<(&'static str, Asset)>);

impl Files {
    /// Those of [`page_files`](crate::page_files).
    pub fn of(files: &[(&'static str, &'static [u8])]) -> Self {
        let plain = |&(name, bytes)| (name, Asset::new(name, Held::Plain(bytes, smaller(bytes))));
        Self(files.iter().map(plain).collect())
    }

    /// The file of that name.
    pub fn find(&self, name: &str) -> Option<&Asset> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, asset)| asset)
    }
}

const FILES: &[(&str, &[u8])] = crate::page_files![
    "ui":
    "actions.js",
    "base.css",
    "clock.js",
    "cover.js",
    "curve.js",
    "door.js",
    "hours.js",
    "icon-180.png",
    "icon-48.png",
    "icon.svg",
    "index.html",
    "link.js",
    "listen.js",
    "main.js",
    "manage/ask.js",
    "manage/cloud.js",
    "manage/elsewhere.html",
    "manage/elsewhere.js",
    "manage/fares.js",
    "manage/gate.js",
    "manage/house.js",
    "manage/index.html",
    "manage/main.js",
    "manage/manage.css",
    "manage/pairing.js",
    "manage/players.js",
    "manage/poster-a6.css",
    "manage/poster.css",
    "manage/poster.html",
    "manage/poster.js",
    "manage/question.js",
    "manage/rooms.js",
    "manage/songs.js",
    "manage/views.css",
    "manage/week.js",
    "manifest.webmanifest",
    "memory.js",
    "motion.js",
    "next.js",
    "notices.js",
    "operations.js",
    "page.css",
    "place.js",
    "query/answer.js",
    "query/colour.js",
    "query/editor.js",
    "query/elsewhere.html",
    "query/examples.json",
    "query/index.html",
    "query/main.js",
    "query/query.css",
    "query/run.js",
    "query/schema.js",
    "query/sign-in.html",
    "query/sign-in.js",
    "query/text.js",
    "query/write.js",
    "room.js",
    "vendor/graphql-ws/LICENSE.md",
    "vendor/graphql-ws/VERSION",
    "vendor/graphql-ws/client.js",
    "vendor/graphql-ws/common-CGW11Fyb.js",
    "words.js",
];

static ASSETS: LazyLock<Files> = LazyLock::new(|| Files::of(FILES));

/// The bytes gzip'd, where that saves anything.
fn smaller(bytes: &[u8]) -> Option<Bytes> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(bytes).ok()?;
    packer.finish().ok().filter(|packed| packed.len() < bytes.len()).map(Bytes::from)
}

fn gunzip(packed: &[u8]) -> Bytes {
    let mut bytes = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut bytes).expect("what the build packed can be unpacked");
    bytes.into()
}

const HTML: &str = "text/html; charset=utf-8";

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => HTML,
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ttf" => "font/ttf",
        "webmanifest" => "application/manifest+json",
        _ => "text/plain; charset=utf-8",
    }
}

/// FNV-1a over the bytes: it tells builds apart and need not withstand anybody, the bytes are public.
fn tag(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn ui() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("ui")
    }

    fn files_below(dir: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_file_of_the_page_is_in_the_binary() {
        let ours = |path: &PathBuf| !path.starts_with(ui().join("vendor/graphiql"));
        for path in files_below(&ui()).into_iter().filter(ours) {
            let name = path.strip_prefix(ui()).unwrap().to_str().unwrap().to_owned();
            let held = held(&name);
            assert!(held.is_some(), "{name} lies in schema/server/ui but is not named in FILES");
            assert_eq!(held.unwrap().sent(false).bytes, std::fs::read(&path).unwrap(), "{name} is stale");
        }
    }

    #[test]
    fn the_listener_page_weighs_at_most_200_kilobytes() {
        let own =
            FILES.iter().filter(|(name, _)| !name.starts_with("query/") && !name.starts_with("manage/"));
        let weight: usize = own.map(|(_, bytes)| bytes.len()).sum();
        assert!(weight <= 200 * 1024, "the page weighs {weight} bytes");
    }

    #[test]
    fn the_guarded_documents_are_not_for_everybody() {
        for name in ["index.html", "sign-in.html", "elsewhere.html", "poster.html", "./index.html"] {
            assert!(asset(&format!("/ui/query/{name}")).is_none(), "{name}");
            assert!(asset(&format!("/ui/manage/{name}")).is_none(), "{name}");
        }
        for page in [ManagePage::Open, ManagePage::Poster, ManagePage::Elsewhere] {
            assert_eq!(manage_page(page).content_type, HTML);
        }
        for page in [QueryPage::Open, QueryPage::SignIn, QueryPage::Elsewhere] {
            assert_eq!(query_page(page).content_type, HTML);
        }
    }

    #[test]
    fn the_root_is_the_page_and_unknown_paths_are_nothing() {
        assert_eq!(asset("/").unwrap().content_type, "text/html; charset=utf-8");
        assert!(asset("/ui/../Cargo.toml").is_none());
        assert!(asset("/ui/").is_none());
        assert!(asset("/index.html").is_none());
    }

    #[test]
    fn the_query_page_loads_at_most_30_kilobytes_beside_what_it_shares_with_the_listener_page() {
        let own = FILES.iter().filter(|(name, _)| name.starts_with("query/")).map(|(name, _)| name);
        let weight: usize = own.map(|name| held(name).unwrap().sent(true).bytes.len()).sum();
        assert!(weight <= 30 * 1000, "the query page weighs {weight} bytes");
    }

    #[test]
    fn a_file_is_the_same_packed_or_not_and_told_apart_by_its_tag() {
        let page = query_page(QueryPage::Small);
        let (packed, plain) = (page.sent(true), page.sent(false));
        assert!(packed.is_packed && !plain.is_packed);
        assert_eq!(gunzip(&packed.bytes), plain.bytes);
        assert_ne!(packed.etag, plain.etag);
    }

    #[test]
    fn what_does_not_get_smaller_is_sent_as_it_is() {
        assert!(!asset("/favicon.ico").unwrap().sent(true).is_packed);
    }

    #[test]
    fn the_tag_follows_the_bytes() {
        assert_eq!(tag(b"a"), tag(b"a"));
        assert_ne!(tag(b"a"), tag(b"b"));
        assert!(query_page(QueryPage::Small).sent(false).etag.starts_with('"'));
    }
}
