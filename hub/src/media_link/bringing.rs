//! What was born here goes up: announced, put from the disk, and asked after until the cloud has verified it.
//!
//! What was put is written down, so that a hub that starts again asks what became of it instead of putting it twice. What
//! the cloud does not know of yet, or does not take now, waits in its turn and holds nobody up; what it refused is offered
//! again once a day.

use std::time::Duration;

use roomtone_sync::transport::NoAnswer;
use roomtone_sync::wire::{
    Problem, ProblemCode, UploadAnswer, UploadAsk, UploadedAnswer, UploadedAsk, UploadedState,
};
use serde_bytes::ByteArray;

use super::{NoRound, Porter};
use crate::locks::locked;
use crate::store::StoreError;
use crate::store::media_sync::{self, SongFile};

/// Where it is announced and asked after.
pub(super) const UPLOAD: &str = "/v1/sync/upload";
pub(super) const UPLOADED: &str = "/v1/sync/uploaded";

/// So many files are asked about in a round.
pub(super) const ASKED_AT_ONCE: usize = 32;

/// What was refused is offered again after this.
pub(super) const OFFERED_AGAIN: Duration = Duration::from_hours(24);

/// Who asks to be left alone for longer than this means the file, and not all of us.
const ABOUT_THE_FILE_MS: u64 = 600_000;

impl Porter {
    /// Brings the next file up that is nowhere else.
    pub(super) async fn bring(&self, songs: &[SongFile]) -> Result<bool, NoRound> {
        let now = self.hub.now();
        let may_go = |song: &&SongFile| {
            let rests = song.refused_at.is_some_and(|at| now.since(at) < OFFERED_AGAIN);
            song.ready && !song.stored && !rests && self.hub.is_cached(song.song)
        };
        let only_here = songs.iter().filter(may_go);
        let next = locked(&self.bringing).next(only_here, |song| song.sha256, now, ASKED_AT_ONCE);
        for song in next {
            let brought = self.bring_one(song).await;
            if let Ok(true) = brought {
                locked(&self.bringing).done(song.sha256);
                return Ok(true);
            }
            let asked = match &brought {
                Err(NoRound::Cloud(NoAnswer::Refused(problem))) => problem.retry_after_ms,
                _ => None,
            };
            locked(&self.bringing).wait(song.sha256, now, asked.map(Duration::from_millis));
            match brought {
                Err(NoRound::Cloud(NoAnswer::Refused(problem))) if is_about_the_file(&problem) => {
                    tracing::debug!(
                        "the cloud does not take the file of {} now: {}",
                        song.song,
                        problem.message
                    );
                }
                brought => drop(brought?),
            }
        }
        Ok(false)
    }

    /// Whether it came a step further.
    async fn bring_one(&self, song: &SongFile) -> Result<bool, NoRound> {
        if song.put {
            match self.is_decided(song).await {
                // It knows nothing of it any more: from the beginning.
                Err(NoRound::Cloud(NoAnswer::Refused(problem))) if problem.code == ProblemCode::NotFound => {
                    let sha256 = song.sha256;
                    self.hub.0.store.write(move |tx| media_sync::not_put(tx, sha256)).await?;
                }
                decided => return decided,
            }
        }
        let ask = UploadAsk {
            song: song.song,
            sha256: ByteArray::new(song.sha256.0),
            bytes: song.bytes,
            content_type: song.content_type.clone(),
        };
        match self.client.ask::<UploadAnswer>(UPLOAD, &ask).await? {
            // Its fact is on its way.
            UploadAnswer::Unknown => Ok(false),
            UploadAnswer::Have => {
                self.note(song, UploadedState::Verified, None).await?;
                Ok(true)
            }
            UploadAnswer::Put { url, headers } => {
                self.put(song, &url, &headers).await?;
                self.is_decided(song).await?;
                Ok(true)
            }
        }
    }

    async fn put(&self, song: &SongFile, url: &str, headers: &[(String, String)]) -> Result<(), NoRound> {
        let file = tokio::fs::File::open(self.files.path_of(song.sha256)).await?;
        self.client.put(url, headers, file, song.bytes).await?;
        let (sha256, now) = (song.sha256, self.hub.now());
        self.hub.0.store.write(move |tx| media_sync::put(tx, sha256, now)).await?;
        self.hub.counters().uploads.up();
        self.hub.counters().uploaded_bytes.add(song.bytes);
        Ok(())
    }

    /// Asks what became of a file that was put; whether that is known by now.
    async fn is_decided(&self, song: &SongFile) -> Result<bool, NoRound> {
        let told = UploadedAsk { song: song.song, sha256: ByteArray::new(song.sha256.0) };
        let UploadedAnswer { state, reason } = self.client.ask(UPLOADED, &told).await?;
        if state == UploadedState::Verifying {
            return Ok(false);
        }
        self.note(song, state, reason).await?;
        Ok(true)
    }

    async fn note(
        &self,
        song: &SongFile,
        state: UploadedState,
        reason: Option<String>,
    ) -> Result<(), StoreError> {
        let (sha256, now) = (song.sha256, self.hub.now());
        match state {
            UploadedState::Verified => {
                self.hub.0.store.write(move |tx| media_sync::verified(tx, sha256)).await
            }
            UploadedState::Verifying => Ok(()),
            UploadedState::Refused => {
                let reason = reason.unwrap_or_else(|| "no reason was given".to_owned());
                tracing::warn!(
                    "the cloud does not take the file of {} ({reason}); it plays here, and stays here",
                    song.song
                );
                self.hub.0.store.write(move |tx| media_sync::refused(tx, sha256, &reason, now)).await
            }
        }
    }
}

/// Whether others may still be taken.
fn is_about_the_file(problem: &Problem) -> bool {
    match problem.code {
        ProblemCode::NotFound | ProblemCode::Malformed => true,
        ProblemCode::Busy => problem.retry_after_ms.is_some_and(|ms| ABOUT_THE_FILE_MS <= ms),
        _ => false,
    }
}
