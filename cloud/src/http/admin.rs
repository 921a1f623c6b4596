//! The manager's page at `/admin`: its files, the parts that it shares with the listener's page, and what it must know
//! before it can ask anything. Whoever asks may have all of it; what it shows is decided by the API.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Router, http::StatusCode};
use roomtone_server::pages::{self, Policy};
use roomtone_server::ui::{self, Files};
use serde_json::json;

use super::nothing;
use crate::config::Config;

/// What the page is told, and whom it may talk to.
#[derive(Debug, Clone, Default)]
pub struct Page(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    config: String,
    friends: String,
}

impl Page {
    /// The page of a cloud that is configured so.
    pub fn of(config: &Config) -> Self {
        let auth = &config.auth;
        let has_project = !auth.supabase_url.is_empty() && !auth.publishable_key.is_empty();
        let supabase =
            has_project.then(|| json!({ "url": auth.issuer(), "publishableKey": auth.publishable_key }));
        let mut friends = config.media.origins();
        let project = reqwest::Url::parse(&auth.issuer()).ok().filter(|_| has_project);
        friends.extend(project.map(|url| url.origin().ascii_serialization()));
        friends.dedup();
        let config = json!({ "supabase": supabase }).to_string();
        Self(Arc::new(Told { config, friends: friends.join(" ") }))
    }

    fn policy(&self) -> Policy<'_> {
        Policy { friends: &self.0.friends, ..Policy::default() }
    }

    fn file(&self, name: &str, headers: &HeaderMap) -> Option<Response> {
        ADMIN.find(name).map(|asset| pages::file(asset, headers, self.policy()))
    }
}

/// The routes.
pub(super) fn router(page: Page) -> Router {
    Router::new()
        .route("/", get(async || Redirect::temporary("/admin")))
        .route("/admin", get(document))
        .route("/admin/config.json", get(config))
        .route("/admin/{*name}", get(file))
        .route("/favicon.ico", get(part))
        .route("/ui/{*name}", get(part))
        .with_state(page)
}

async fn document(State(page): State<Page>, headers: HeaderMap) -> Response {
    page.file("index.html", &headers).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

async fn config(State(page): State<Page>) -> Response {
    let head = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
    (head, page.0.config.clone()).into_response()
}

/// A file of the page; every other name is a place on it.
async fn file(State(page): State<Page>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Some(file) = page.file(&name, &headers) {
        return file;
    }
    if name.contains('.') { nothing().await } else { document(State(page), headers).await }
}

/// What the page shares with the listener's.
async fn part(request: Request) -> Response {
    match ui::part(request.uri().path()) {
        Some(asset) => pages::file(asset, request.headers(), Policy::default()),
        None => nothing().await,
    }
}

const FILES: &[(&str, &[u8])] = roomtone_server::page_files![
    "ui/admin":
    "admin.css",
    "api.js",
    "calendar.js",
    "chart.js",
    "dom.js",
    "door.js",
    "fairness.js",
    "sound.js",
    "fleet.js",
    "frame.js",
    "gotrue.js",
    "index.html",
    "main.js",
    "operations.js",
    "parts.js",
    "qr.js",
    "say.js",
    "session.js",
    "song.js",
    "songs.js",
    "tray.js",
    "upload.js",
    "venue-guests.js",
    "venue-hubs.js",
    "venue-log.js",
    "venue-members.js",
    "venue-now.js",
    "venue-numbers.js",
    "venue-pairing.js",
    "venue-reports.js",
    "venue-settings.js",
    "venue-week.js",
    "venue.js",
];

static ADMIN: LazyLock<Files> = LazyLock::new(|| Files::of(FILES));

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::secret::Secret;

    /// What the page loads of the listener's, by its own imports and links.
    fn borrowed() -> Vec<String> {
        let texts = FILES.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        let mut names: Vec<String> = texts
            .flat_map(|text| {
                text.split('"').filter(|word| word.starts_with("/ui/")).map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }

    #[test]
    fn every_file_of_the_page_is_in_the_binary() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/admin");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let held = ADMIN.find(name);
            assert!(held.is_some(), "{name} lies in cloud/ui/admin but is not named in FILES");
            assert_eq!(held.unwrap().sent(false).bytes, std::fs::read(&path).unwrap(), "{name} is stale");
        }
    }

    /// A view of it weighs less than 200 KB unpacked, which the browser's test sees; this is all of it on its way.
    #[test]
    fn what_it_borrows_is_there_and_all_views_together_are_sent_in_110_kilobytes() {
        let borrowed = borrowed();
        assert!(borrowed.iter().any(|name| name == "/ui/base.css"), "{borrowed:?}");
        let part = |name: &String| ui::part(name).unwrap_or_else(|| panic!("there is no {name}"));
        let theirs: usize = borrowed.iter().map(|name| part(name).sent(true).bytes.len()).sum();
        let names = FILES.iter().filter_map(|(name, _)| ADMIN.find(name));
        let own: usize = names.map(|asset| asset.sent(true).bytes.len()).sum();
        assert!(own + theirs <= 110 * 1024, "the page weighs {} bytes", own + theirs);
    }

    #[test]
    fn the_listeners_own_page_is_not_served_here() {
        assert!(ui::part("/ui/index.html").is_none() && ui::part("/").is_none());
        assert!(ui::part("/ui/manage/index.html").is_none());
    }

    #[test]
    fn it_is_told_of_the_project_and_of_no_secret() {
        let mut config = Config::default();
        config.auth.supabase_url = "https://abc.supabase.co".to_owned();
        config.auth.jwt_secret = Secret::new("canary");
        config.media.secret_key = Secret::new("canary");
        config.media.endpoint = "https://abc.storage.supabase.co/storage/v1/s3".to_owned();
        assert_eq!(Page::of(&config).0.config, r#"{"supabase":null}"#, "without a key nobody can sign in");
        config.auth.publishable_key = "sb_publishable_x".to_owned();
        let page = Page::of(&config);
        assert!(page.0.config.contains("https://abc.supabase.co/auth/v1"), "{}", page.0.config);
        assert!(!page.0.config.contains("canary"));
        assert_eq!(page.0.friends, "https://abc.storage.supabase.co https://abc.supabase.co");
    }
}
