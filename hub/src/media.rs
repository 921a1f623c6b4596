//! Media files over HTTP: `/media/<sha256>`, whole or in part.
//!
//! A file's name is its content's digest, so an answer never goes stale and its tag is its name. Who may have a file
//! shows it by a signature in the address, because a dumb terminal sends no header; or by the token of a listener or a
//! player. A signature is anybody's who has seen the page, so over TLS, where players need the connections, few at once
//! fetch by it alone.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_NONE_MATCH, IF_RANGE, RANGE, RETRY_AFTER,
};
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::StreamExt as _;
use roomtone_schema::song::Sha256;
use roomtone_server::caller::{Caller, Gate as _};
use roomtone_server::front;
use roomtone_server::serve::TakesItsTime;
use roomtone_sync::file_cache::path_in;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, SeekFrom};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::io::ReaderStream;

use crate::door::Door;
use crate::hub::Hub;
use crate::players::Way;

mod range;
mod signature;

pub use signature::url;

use range::Wanted;
use signature::Signature;

/// What is read from the disk at once: large enough for few turns, small enough for many phones.
const PIECE: usize = 64 * 1024;

/// Answers over TLS at once that are fetched by a signature alone, for each entrance: a song may take minutes, and such
/// readers (terminals, a manager who listens) are few. The rest of the connections is left to those who say who they are.
const MOST_BY_SIGNATURE: usize = 32;

/// Who comes when they are taken comes back after this.
const COME_BACK_S: HeaderValue = HeaderValue::from_static("10");

/// The file of a digest; for ever, since another content would have another name.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Why a file is not handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum No {
    #[error("there is no such file here")]
    NotHere,
    #[error("this address is not signed, or not any more; ask the hub for the song again")]
    NotSigned,
    #[error("too many are fetching songs by their address alone; try again in a moment")]
    Full,
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = match self {
            Self::NotHere => StatusCode::NOT_FOUND,
            Self::NotSigned => StatusCode::FORBIDDEN,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
        };
        let later = (self == Self::Full).then_some([(RETRY_AFTER, COME_BACK_S)]);
        (status, [(CACHE_CONTROL, "no-store")], later, format!("{self}\n")).into_response()
    }
}

/// The routes.
pub(crate) fn router(door: Door) -> Router {
    let by_signature = (door.way == Way::Tls).then(|| Arc::new(Semaphore::new(MOST_BY_SIGNATURE)));
    Router::new().route("/media/{sha256}", get(hand_out)).with_state(Counter { door, by_signature })
}

/// Where files are handed out.
#[derive(Debug, Clone)]
struct Counter {
    door: Door,
    /// Bounds who shows no token, where that matters.
    by_signature: Option<Arc<Semaphore>>,
}

impl Counter {
    /// Whether this file is handed out, and what has to be held meanwhile.
    async fn permit(
        &self,
        signature: &Signature,
        sha256: &Sha256,
        headers: &HeaderMap,
    ) -> Result<Option<OwnedSemaphorePermit>, No> {
        let signed = signature.holds(&self.door.hub, sha256);
        match &self.by_signature {
            None if signed => Ok(None),
            _ if is_known(&self.door, headers).await => Ok(None),
            Some(few) if signed => Arc::clone(few).try_acquire_owned().map(Some).map_err(|_taken| No::Full),
            _ => Err(No::NotSigned),
        }
    }
}

async fn hand_out(
    State(counter): State<Counter>,
    Path(name): Path<String>,
    Query(signature): Query<Signature>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, No> {
    let sha256: Sha256 = name.parse().map_err(|_not_a_digest| No::NotHere)?;
    let hub = &counter.door.hub;
    let permit = counter.permit(&signature, &sha256, &headers).await?;
    let etag = etag(&sha256);
    if headers.get(IF_NONE_MATCH).is_some_and(|tags| names(tags, &etag)) {
        let about = [(ETAG, etag), (CACHE_CONTROL, kept(hub))];
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let (file, length) = open(path_in(&hub.media_dir(), sha256)).await?;
    let wanted = Wanted::read(asked_range(&headers, &etag), length);
    let described = described(hub, &sha256, etag);
    match wanted {
        Wanted::Beyond => {
            let whole = [(CONTENT_RANGE, format!("bytes */{length}"))];
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, whole, "that part lies beyond the end of the file\n")
                .into_response())
        }
        Wanted::Whole => {
            let body = piece(&method, file, 0, length, permit).await?;
            Ok((described, [(CONTENT_LENGTH, length)], Extension(TakesItsTime), body).into_response())
        }
        Wanted::Part { first, last } => {
            let size = last - first + 1;
            let body = piece(&method, file, first, size, permit).await?;
            let part = [(CONTENT_RANGE, format!("bytes {first}-{last}/{length}"))];
            let part = (part, [(CONTENT_LENGTH, size)], Extension(TakesItsTime));
            Ok((StatusCode::PARTIAL_CONTENT, described, part, body).into_response())
        }
    }
}

/// Whether the request shows a token that is good here. A manager's is not: it is for managing, and has no business on a
/// line that others read.
async fn is_known(door: &Door, headers: &HeaderMap) -> bool {
    let caller = door.admit(front::token(headers).as_deref()).await;
    matches!(caller, Caller::Listener(_) | Caller::Player(_))
}

fn etag(sha256: &Sha256) -> HeaderValue {
    let tag = HeaderValue::from_str(&format!("\"{sha256}\""));
    tag.unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether a list of tags names this one; a weak tag of ours is still ours.
fn names(tags: &HeaderValue, etag: &HeaderValue) -> bool {
    let (Ok(tags), Ok(etag)) = (tags.to_str(), etag.to_str()) else { return false };
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

/// The part that is asked for; none where it was meant for another version of the file.
fn asked_range<'a>(headers: &'a HeaderMap, etag: &HeaderValue) -> Option<&'a str> {
    let same = headers.get(IF_RANGE).is_none_or(|tag| tag == etag);
    headers.get(RANGE).filter(|_| same).and_then(|range| range.to_str().ok())
}

async fn open(path: PathBuf) -> Result<(File, u64), No> {
    let file = File::open(path).await.map_err(|_gone| No::NotHere)?;
    let about = file.metadata().await.map_err(|_gone| No::NotHere)?;
    Ok((file, about.len()))
}

/// So many bytes from there on; `permit` is held until they have been read, or nobody reads them any more.
async fn piece(
    method: &Method,
    mut file: File,
    first: u64,
    size: u64,
    permit: Option<OwnedSemaphorePermit>,
) -> Result<Body, No> {
    if method == Method::HEAD {
        return Ok(Body::empty());
    }
    file.seek(SeekFrom::Start(first)).await.map_err(|_unreadable| No::NotHere)?;
    let pieces = ReaderStream::with_capacity(file.take(size), PIECE);
    Ok(Body::from_stream(pieces.inspect(move |_piece| {
        let _held = &permit;
    })))
}

fn described(hub: &Hub, sha256: &Sha256, etag: HeaderValue) -> [(HeaderName, HeaderValue); 4] {
    [
        (CONTENT_TYPE, content_type(hub, sha256)),
        (ETAG, etag),
        (CACHE_CONTROL, kept(hub)),
        (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
    ]
}

/// How long whoever fetches a file may keep it: not at all where the venue's licence lets nobody keep songs.
fn kept(hub: &Hub) -> HeaderValue {
    if hub.licence().offline_storage { FOR_EVER } else { HeaderValue::from_static("no-store") }
}

/// By the analysis, never by a file's name; a withdrawn song's file is bytes.
fn content_type(hub: &Hub, sha256: &Sha256) -> HeaderValue {
    let songs = hub.songs();
    let song = songs.iter().find(|song| song.facts.sha256 == *sha256);
    song.and_then(|song| HeaderValue::from_str(&song.facts.content_type).ok())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"))
}
