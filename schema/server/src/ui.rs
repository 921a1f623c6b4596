//! The listener page and the query page as they lie in the binary: files, content types and tags, and nothing about
//! HTTP.
//!
//! They are plain HTML, CSS and ES modules in `schema/server/ui`. There is no build step: a file is served as it was
//! written. Every file must be named in [`FILES`], and a test below notices the one that is not.

use std::sync::LazyLock;

/// One file of the pages.
#[derive(Debug, Clone)]
pub struct Asset {
    /// For the `content-type` header.
    pub content_type: &'static str,
    /// The file.
    pub bytes: &'static [u8],
    /// A strong entity tag with its quotes; it changes when the bytes do.
    pub etag: String,
}

/// What somebody who asks for the query page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryPage {
    /// The page.
    Open,
    /// A form for the manager's token.
    SignIn,
    /// Where that form would be.
    Elsewhere,
}

/// The file that answers `path`: `/`, `/favicon.ico` and whatever lies under `/ui/` but the query page's documents,
/// which are not for everybody.
pub fn asset(path: &str) -> Option<&'static Asset> {
    let name = match path {
        "/" => "index.html",
        "/favicon.ico" => "icon-48.png",
        _ => path.strip_prefix("/ui/")?,
    };
    let is_guarded = name.starts_with("query/") && name.ends_with(".html");
    if is_guarded { None } else { held(name) }
}

/// The document of the query page.
pub fn query_page(page: QueryPage) -> &'static Asset {
    let name = match page {
        QueryPage::Open => "query/index.html",
        QueryPage::SignIn => "query/sign-in.html",
        QueryPage::Elsewhere => "query/elsewhere.html",
    };
    held(name).expect("every document is named in FILES, as a test below sees")
}

fn held(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|(known, _)| *known == name).map(|(_, asset)| asset)
}

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../ui/", $name)))),*]
    };
}

const FILES: &[(&str, &[u8])] = files![
    "actions.js",
    "base.css",
    "clock.js",
    "cover.js",
    "curve.js",
    "door.js",
    "icon-180.png",
    "icon-48.png",
    "icon.svg",
    "index.html",
    "link.js",
    "listen.js",
    "main.js",
    "manifest.webmanifest",
    "memory.js",
    "motion.js",
    "next.js",
    "notices.js",
    "operations.js",
    "page.css",
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

static ASSETS: LazyLock<Vec<(&str, Asset)>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|&(name, bytes)| (name, Asset { content_type: content_type(name), bytes, etag: etag(bytes) }))
        .collect()
});

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => "text/plain; charset=utf-8",
    }
}

/// FNV-1a over the bytes: it tells builds apart and need not withstand anybody, the bytes are public.
fn etag(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
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
        for path in files_below(&ui()) {
            let name = path.strip_prefix(ui()).unwrap().to_str().unwrap().to_owned();
            let held = held(&name);
            assert!(held.is_some(), "{name} lies in schema/server/ui but is not named in FILES");
            assert_eq!(held.unwrap().bytes, std::fs::read(&path).unwrap(), "{name} is stale");
        }
    }

    #[test]
    fn the_listener_page_weighs_at_most_200_kilobytes() {
        let own = FILES.iter().filter(|(name, _)| !name.starts_with("query/"));
        let weight: usize = own.map(|(_, bytes)| bytes.len()).sum();
        assert!(weight <= 200 * 1024, "the page weighs {weight} bytes");
    }

    #[test]
    fn the_query_pages_documents_are_not_for_everybody() {
        for name in ["index.html", "sign-in.html", "elsewhere.html", "./index.html"] {
            assert!(asset(&format!("/ui/query/{name}")).is_none(), "{name}");
        }
        for page in [QueryPage::Open, QueryPage::SignIn, QueryPage::Elsewhere] {
            assert_eq!(query_page(page).content_type, "text/html; charset=utf-8");
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
    fn the_tag_follows_the_bytes() {
        assert_eq!(etag(b"a"), etag(b"a"));
        assert_ne!(etag(b"a"), etag(b"b"));
        assert!(etag(b"").starts_with('"') && etag(b"").ends_with('"'));
    }
}
