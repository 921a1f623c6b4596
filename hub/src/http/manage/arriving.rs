//! Files on their way in: bounded in length, in pace, in number and by what the disk has room for, and gone again unless
//! somebody keeps them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Files on their way in at once: the page sends one after another, from a desk and a phone.
pub(super) const AT_ONCE: usize = 2;

/// The longest pause between two pieces.
const PAUSE: Duration = Duration::from_secs(30);

/// What the disk keeps free for the store, whatever comes.
const KEPT_FREE: u64 = 1 << 30;

/// Where they lie meanwhile, in the data folder.
const FOLDER: &str = "incoming";

/// A name longer than that is cut: file systems end at 255 bytes.
const LONGEST_NAME: usize = 180;

/// Why a file did not come to be here.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotTaken {
    #[error("this file is too long: at most {} MB are taken", .0 >> 20)]
    TooLong(u64),
    #[error("the hub's disk has no room for this file; make room, or take fewer songs")]
    NoRoom,
    #[error("the file stopped coming; choose it again")]
    TooSlow,
    #[error("the file did not come whole; choose it again")]
    Broken,
    #[error("{AT_ONCE} files are on their way in already; send this one when one of them is done")]
    TooMany,
    #[error("the file could not be kept: {0}")]
    Disk(#[from] std::io::Error),
}

impl NotTaken {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Disk(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// A file that has come; it goes when this does.
#[derive(Debug)]
pub(super) struct Arrived {
    folder: TempDir,
    name: String,
    _place: OwnedSemaphorePermit,
}

impl Arrived {
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join(&self.name)
    }
}

/// Takes a request's body as a file of that name, of at most `most` bytes.
pub(super) async fn take(
    request: Request,
    data: &Path,
    (name, most): (&str, u64),
    places: &Arc<Semaphore>,
) -> Result<Arrived, NotTaken> {
    let place = Arc::clone(places).try_acquire_owned().map_err(|_all_taken| NotTaken::TooMany)?;
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let announced: u64 = announced.unwrap_or(0);
    if announced > most {
        return Err(NotTaken::TooLong(most));
    }
    let folder = data.join(FOLDER);
    crate::store::make_folder(&folder)?;
    if free(&folder)? < KEPT_FREE.saturating_add(announced) {
        return Err(NotTaken::NoRoom);
    }
    let folder = tempfile::tempdir_in(folder)?;
    let arrived = Arrived { folder, name: usable(name), _place: place };
    let mut file = tokio::fs::File::create(arrived.path()).await?;
    let mut body = request.into_body();
    let mut come = 0_u64;
    loop {
        let piece = tokio::time::timeout(PAUSE, body.frame()).await.map_err(|_elapsed| NotTaken::TooSlow)?;
        let Some(piece) = piece else { break };
        let Ok(piece) = piece.map_err(|_broken| NotTaken::Broken)?.into_data() else { continue };
        come += piece.len() as u64;
        if come > most {
            return Err(NotTaken::TooLong(most));
        }
        file.write_all(&piece).await?;
    }
    file.flush().await?;
    Ok(arrived)
}

/// Removes what an earlier run left behind.
pub(super) fn sweep(data: &Path) {
    let _nothing_there = std::fs::remove_dir_all(data.join(FOLDER));
    let _nothing_there = std::fs::remove_file(data.join(crate::store::HANDED_IN));
}

fn free(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// The file's own name, which is a song's title where it has no other: without folders, and nothing that leads elsewhere.
fn usable(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let printable: String = last.chars().filter(|character| !character.is_control()).collect();
    let trimmed = printable.trim().trim_start_matches('.');
    let (stem, ending) = trimmed.rsplit_once('.').map_or((trimmed, ""), |(stem, ending)| (stem, ending));
    let ending: String = ending.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let mut end = stem.len().min(LONGEST_NAME);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let stem = if stem[..end].is_empty() { "file" } else { &stem[..end] };
    if ending.is_empty() { stem.to_owned() } else { format!("{stem}.{ending}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere_and_keeps_its_ending() {
        for (name, expected) in [
            ("Dawn.mp3", "Dawn.mp3"),
            ("../../etc/passwd", "passwd"),
            ("C:\\music\\Früh am Morgen.flac", "Früh am Morgen.flac"),
            ("..", "file"),
            ("", "file"),
            (".hidden\u{0}.wav", "hidden.wav"),
        ] {
            assert_eq!(usable(name), expected, "{name:?}");
        }
        let long = usable(&format!("{}.ogg", "ü".repeat(400)));
        assert!(long.len() <= LONGEST_NAME + 4, "{long}");
        assert_eq!(long.rsplit_once('.').map(|(_, ending)| ending), Some("ogg"));
    }
}
