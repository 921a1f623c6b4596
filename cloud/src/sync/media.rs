//! Files of songs: where a hub fetches them, and how those that were born on one come up.
//!
//! A file that a hub brings goes the way of every upload: to a place of its own, from which it is read, summed up and
//! looked into before it is anybody's song.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use roomtone_schema::UploadId;
use roomtone_schema::id::Id as _;
use roomtone_sync::store::{CloudStore, KnownHub};
use roomtone_sync::wire::{
    Downloads, DownloadsAsk, MediaFile, Problem, ProblemCode, UploadAnswer, UploadAsk, UploadedAnswer,
    UploadedAsk, UploadedState,
};
use serde_bytes::ByteArray;

use super::routes::{Office, failed};
use super::{Answered, Body, Class, Desk, malformed, problem};
use crate::media::safe_file_name;
use crate::store::hub_media::{self, Brought, NewFile};
use crate::uploads::{MOST_BYTES, UploadState, known_type, random};

/// Files that are asked for at once.
const MOST_FILES: usize = 200;
/// For how long an address is good.
const ADDRESS_FOR: Duration = Duration::from_hours(1);
/// For how long the bytes of a hub are waited for: its line may be slow, and it comes back.
const OPEN_FOR: Duration = Duration::from_hours(24);
/// A file that was refused so often in a day is not taken for the rest of it.
const MOST_REFUSED: i64 = 3;
/// Then the hub asks again after this.
const NOT_BEFORE: Duration = Duration::from_hours(6);

/// Where the files of some songs are.
pub(super) async fn downloads<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Extension(office): Extension<Office>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    desk.ask(&headers, Class::Feed, body, async |hub, ask: DownloadsAsk| find(&office, &hub, &ask).await)
        .await
}

async fn find(office: &Office, hub: &KnownHub, ask: &DownloadsAsk) -> Answered<Downloads> {
    if ask.songs.len() > MOST_FILES {
        return Err(malformed(&format!("ask for at most {MOST_FILES} files at once")));
    }
    let found = async {
        let mut work = office.cloud.database.as_hub(hub.id, hub.venue).await?;
        hub_media::verified(&mut work, &ask.songs).await
    };
    let mut files = Vec::new();
    for file in found.await.map_err(|error| failed(&error))? {
        let url = office.cloud.media.download_url(&file.object_key, None, ADDRESS_FOR).await;
        files.push(MediaFile {
            song: *file.id,
            url: url.map_err(|error| failed(&error))?,
            sha256: ByteArray::new(file.content_sha256.try_into().unwrap_or_default()),
            bytes: file.content_bytes.cast_unsigned(),
        });
    }
    Ok(Downloads { files, valid_ms: ADDRESS_FOR.as_millis() as u64 })
}

/// What to do with a file that a hub has.
pub(super) async fn upload<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Extension(office): Extension<Office>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    desk.ask(&headers, Class::Feed, body, async |hub, ask: UploadAsk| announce(&office, &hub, &ask).await)
        .await
}

async fn announce(office: &Office, hub: &KnownHub, ask: &UploadAsk) -> Answered<UploadAnswer> {
    let content_type = known_type(&ask.content_type).filter(|_| (1..=MOST_BYTES).contains(&ask.bytes));
    let content_type = content_type.ok_or_else(|| {
        malformed(&format!(
            "this is no kind of file that is played, or it has no byte or more than {MOST_BYTES}"
        ))
    })?;
    let begun = begin(office, hub, ask, content_type).await.map_err(|error| failed(&error))?;
    let (key, bytes, content_type) = match begun {
        Begun::Have => return Ok(UploadAnswer::Have),
        Begun::Unknown => return Ok(UploadAnswer::Unknown),
        Begun::NotAgain(why) => {
            let message = format!("this file was refused {MOST_REFUSED} times: {why}");
            let retry_after_ms = Some(NOT_BEFORE.as_millis() as u64);
            return Err(Problem { code: ProblemCode::Busy, message, ack: None, retry_after_ms });
        }
        Begun::Put { key, bytes, content_type } => (key, bytes, content_type),
    };
    let address = office.cloud.media.upload_to(&key, bytes, &content_type, ADDRESS_FOR).await;
    let address = address.map_err(|error| failed(&error))?;
    Ok(UploadAnswer::Put { url: address.url, headers: address.headers })
}

enum Begun {
    Have,
    Unknown,
    NotAgain(String),
    Put { key: String, bytes: u64, content_type: String },
}

async fn begin(
    office: &Office,
    hub: &KnownHub,
    ask: &UploadAsk,
    content_type: &str,
) -> Result<Begun, sqlx::Error> {
    let mut work = office.cloud.database.as_service().await?;
    match hub_media::known(&mut work, hub.organisation, &*ask.sha256).await? {
        Some(song) if song.is_ready => Ok(Begun::Have),
        None => Ok(Begun::Unknown),
        Some(song) => {
            let before = hub_media::brought(&mut work, hub.id, &*ask.sha256).await?;
            if let Some(before) = &before
                && before.refused >= MOST_REFUSED
            {
                return Ok(Begun::NotAgain(before.refusal.clone().unwrap_or_default()));
            }
            let open = before.filter(|before| is_open(before, ask, content_type));
            let key = if let Some(open) = open {
                hub_media::prolong(&mut work, *open.id, OPEN_FOR).await?;
                open.object_key
            } else {
                let id = UploadId::mint(office.cloud.now(), random());
                let filename = safe_file_name(&song.title);
                let filename = if filename.is_empty() { "song" } else { &filename };
                let (organisation, sha256) = (hub.organisation, &ask.sha256[..]);
                let new = NewFile {
                    id,
                    organisation,
                    hub: hub.id,
                    filename,
                    sha256,
                    bytes: ask.bytes,
                    content_type,
                };
                hub_media::begin(&mut work, &new, OPEN_FOR).await?;
                format!("staging/{id}")
            };
            work.commit().await?;
            Ok(Begun::Put { key, bytes: ask.bytes, content_type: content_type.to_owned() })
        }
    }
}

/// Whether an upload still waits for just this file, or is being looked at.
fn is_open(before: &Brought, ask: &UploadAsk, content_type: &str) -> bool {
    let is_same = before.content_bytes.cast_unsigned() == ask.bytes && before.content_type == content_type;
    match before.state.0 {
        UploadState::Waiting => is_same,
        UploadState::Queued | UploadState::Analysing => true,
        _ => false,
    }
}

/// What became of the bytes that a hub has put.
pub(super) async fn uploaded<S: CloudStore>(
    State(desk): State<Desk<S>>,
    Extension(office): Extension<Office>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    desk.ask(&headers, Class::Feed, body, async |hub, ask: UploadedAsk| look(&office, &hub, &ask).await).await
}

async fn look(office: &Office, hub: &KnownHub, ask: &UploadedAsk) -> Answered<UploadedAnswer> {
    let found = async {
        let mut work = office.cloud.database.as_service().await?;
        // In this order: an upload is done and its song ready in one moment, so a song that is read after its upload
        // is ready if that was done. The other way round, the moment could lie between the two.
        let brought = hub_media::brought(&mut work, hub.id, &*ask.sha256).await?;
        Ok((brought, hub_media::known(&mut work, hub.organisation, &*ask.sha256).await?))
    };
    let (brought, song) = found.await.map_err(|error: sqlx::Error| failed(&error))?;
    if song.is_some_and(|song| song.is_ready) {
        return Ok(told(UploadedState::Verified, None));
    }
    let brought = brought
        .ok_or_else(|| problem(ProblemCode::NotFound, "nothing was announced of this file; do that first"))?;
    match brought.state.0 {
        UploadState::Waiting => arrived(office, &brought).await,
        UploadState::Queued | UploadState::Analysing => Ok(told(UploadedState::Verifying, None)),
        UploadState::Refused => Ok(told(UploadedState::Refused, brought.refusal)),
        // Nobody has looked at it, so nobody has refused it: the hub announces it anew.
        UploadState::Done | UploadState::Cancelled | UploadState::Expired => {
            Err(problem(ProblemCode::NotFound, "the time of this upload has run out; announce it again"))
        }
    }
}

async fn arrived(office: &Office, brought: &Brought) -> Answered<UploadedAnswer> {
    let there = office.cloud.media.head(&brought.object_key).await.map_err(|error| failed(&error))?;
    let there = there.map_or(0, |there| there.bytes);
    if there != brought.content_bytes.cast_unsigned() {
        let why =
            format!("{there} bytes lie there where {} were announced; put them again", brought.content_bytes);
        return Ok(told(UploadedState::Refused, Some(why)));
    }
    let queued = async {
        let mut work = office.cloud.database.as_service().await?;
        hub_media::arrived(&mut work, *brought.id).await?;
        work.commit().await
    };
    queued.await.map_err(|error| failed(&error))?;
    Ok(told(UploadedState::Verifying, None))
}

fn told(state: UploadedState, reason: Option<String>) -> UploadedAnswer {
    UploadedAnswer { state, reason }
}
