//! A copy of the store to take away, and one that comes back.

use std::path::PathBuf;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio_util::io::ReaderStream;

use super::{No, Office, arriving, reply};
use crate::store;

/// Years of a venue are some hundred megabytes.
const LONGEST_BACKUP: u64 = 4 << 30;

/// Why there is no backup, or none that was taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoBackup {
    #[error("this hub cannot begin anew by itself; stop it and run `roomtone-hub restore FILE`")]
    CannotRestart,
    #[error("this is no sound backup of a hub that this version can read; nothing was changed")]
    Unsound,
    #[error("a backup could not be made: {0}")]
    Failed(String),
}

impl NoBackup {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::CannotRestart => StatusCode::CONFLICT,
            Self::Unsound => StatusCode::BAD_REQUEST,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<std::io::Error> for NoBackup {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A copy of the store as it is now, with the list of its songs and their sums; the files of the songs are not in it.
pub(super) async fn give(State(office): State<Office>, request: Request) -> Result<Response, No> {
    office.admit(&request).await?;
    let (store, data) = (office.hub.store().clone(), office.hub.data_dir().to_owned());
    let made = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir_in(data)?;
        let path = folder.path().join("backup.db");
        store.backup_to(&path).map_err(|error| NoBackup::Failed(error.to_string()))?;
        // It goes with its folder, now; what is open can still be read.
        std::fs::File::open(path).map_err(NoBackup::from)
    });
    let file = made.await.map_err(|broke| NoBackup::Failed(broke.to_string()))??;
    let bytes = file.metadata().map_err(NoBackup::from)?.len();
    let day =
        chrono::DateTime::from_timestamp_millis(office.hub.now().0).unwrap_or_default().format("%Y-%m-%d");
    let headers = [
        (CONTENT_TYPE, "application/vnd.sqlite3".to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"roomtone-hub-{day}.db\"")),
        (CONTENT_LENGTH, bytes.to_string()),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = Body::from_stream(ReaderStream::new(tokio::fs::File::from_std(file)));
    Ok((headers, body).into_response())
}

/// Takes a backup, looks at it, and has the hub begin anew with it.
pub(super) async fn take(State(office): State<Office>, request: Request) -> Result<Response, No> {
    office.admit(&request).await?;
    let successor = office.around.successor.clone().ok_or(NoBackup::CannotRestart)?;
    let data = office.hub.data_dir().to_owned();
    let arrived = arriving::take(request, &data, ("backup.db", LONGEST_BACKUP), &office.arriving).await?;
    let (looked_at, kept) = (arrived.path(), data.join(store::HANDED_IN));
    let taken = tokio::task::spawn_blocking(move || hand_in(looked_at, kept)).await;
    let kept = taken.map_err(|broke| NoBackup::Failed(broke.to_string()))??;
    successor.hand_in(kept).await.map_err(|()| NoBackup::CannotRestart)?;
    Ok(reply(StatusCode::ACCEPTED, &json!({ "restarts": true })))
}

fn hand_in(arrived: PathBuf, kept: PathBuf) -> Result<PathBuf, NoBackup> {
    if !store::is_backup(&arrived) {
        return Err(NoBackup::Unsound);
    }
    std::fs::rename(arrived, &kept)?;
    Ok(kept)
}
