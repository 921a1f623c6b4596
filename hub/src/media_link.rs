//! Files of songs between hub and cloud: what is most likely to play comes down first, and what was born here goes up.
//!
//! Every round reads anew what is here, what the cloud has and what the room wants ([`crate::prefetch`] decides), does one
//! thing, and looks again: nothing is remembered that a crash could leave wrong. A file that arrives is compared with its
//! length and sum before it has a name; one that was cut goes on where it stopped. A file that the cloud has not verified
//! is never removed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use roomtone_schema::SongId;
use roomtone_schema::rank::{Candidate, rank};
use roomtone_schema::song::Sha256;
use roomtone_sync::backoff::Backoff;
use roomtone_sync::file_cache::{CacheError, Expected, FileCache, Resuming};
use roomtone_sync::transport::{Address, Client, Internet, NoAnswer, Piece};
use roomtone_sync::wire::{
    Downloads, DownloadsAsk, MediaFile, UploadAnswer, UploadAsk, UploadedAnswer, UploadedAsk, UploadedState,
};
use serde_bytes::ByteArray;

use crate::hub::{Hub, Inner};
use crate::locks::locked;
use crate::prefetch::{self, File, Plan, Wishes};
use crate::programme::room_window;
use crate::store::StoreError;
use crate::store::media_sync::{self, SongFile};

/// Where it is asked for files.
const DOWNLOADS: &str = "/v1/sync/downloads";
const UPLOAD: &str = "/v1/sync/upload";
const UPLOADED: &str = "/v1/sync/uploaded";

/// So many files are asked for, and fetched, in a round; then the room is asked again what it wants.
const FETCHED_AT_ONCE: usize = 16;

/// So many files are asked about in a round.
const ASKED_AT_ONCE: usize = 32;

/// Where there is nothing to do, it is looked again after this.
const RESTS: Duration = Duration::from_secs(15);

/// What lies on the disk and stays free: for votes, the log and everything else.
const KEPT_FREE: u64 = 2 << 30;

/// What plays within this time is not weighed against anything.
const SOON: Duration = Duration::from_hours(1);

/// Why a round came to nothing.
#[derive(Debug, thiserror::Error)]
enum NoRound {
    #[error("{0}")]
    Cloud(#[from] NoAnswer),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Files(#[from] CacheError),
    #[error("{0}")]
    Disk(#[from] std::io::Error),
}

/// Carries files for as long as it is let. What goes wrong with them never ends anything else.
pub(crate) async fn keep_carrying(hub: Hub, client: Client<Internet>) -> anyhow::Result<()> {
    let media = hub.media_dir();
    let files = loop {
        let media = media.clone();
        match tokio::task::spawn_blocking(move || FileCache::open(&media, None)).await? {
            Ok(files) => break files,
            Err(error) => {
                tracing::warn!("songs are neither fetched nor brought to the cloud for now: {error}");
                tokio::time::sleep(RESTS).await;
            }
        }
    };
    let porter = Porter { hub, client, files: Arc::new(files), verifying: Mutex::default() };
    let mut backoff = Backoff::default();
    loop {
        let rest = match porter.round().await {
            Ok(there_may_be_more) => {
                backoff.succeed();
                if there_may_be_more { Duration::ZERO } else { RESTS }
            }
            Err(why) => {
                tracing::debug!("files of songs have to wait: {why}");
                let chance = f64::from(u32::from_le_bytes(crate::secrets::random())) / f64::from(u32::MAX);
                backoff.after_failure(chance, None)
            }
        };
        tokio::time::sleep(rest).await;
    }
}

/// A line of its own for files, so that a large one never holds up a vote.
pub(crate) fn line(
    address: &str,
    hub: roomtone_schema::HubId,
    key: Arc<roomtone_sync::credential::SigningKey>,
    clock: Arc<dyn roomtone_schema::Clock>,
) -> anyhow::Result<Client<Internet>> {
    Ok(Client::new(Internet::new(), Address::parse(address)?, hub, key, clock))
}

struct Porter {
    hub: Hub,
    client: Client<Internet>,
    files: Arc<FileCache>,
    /// Files that were put and are being read by the cloud.
    verifying: Mutex<HashSet<Sha256>>,
}

impl Porter {
    /// One round; whether there may be more to do at once.
    async fn round(&self) -> Result<bool, NoRound> {
        let songs = self.hub.0.store.read(media_sync::all).await?;
        let inner = Arc::clone(&self.hub.0);
        let (planned, budget, songs) = tokio::task::spawn_blocking(move || {
            let (plan, budget) = inner.plan_files(&songs)?;
            Ok::<_, std::io::Error>((plan, budget, songs))
        })
        .await
        .map_err(std::io::Error::other)??;
        let fetched = self.fetch(&songs, &planned, budget).await?;
        let brought = self.bring(&songs).await?;
        Ok(fetched || brought)
    }

    async fn fetch(&self, songs: &[SongFile], plan: &Plan, budget: u64) -> Result<bool, NoRound> {
        let next: Vec<&SongFile> = plan
            .fetch
            .iter()
            .take(FETCHED_AT_ONCE)
            .filter_map(|id| songs.iter().find(|song| song.song == *id))
            .collect();
        if next.is_empty() {
            return Ok(false);
        }
        let asked = DownloadsAsk { songs: next.iter().map(|song| song.canonical).collect() };
        let found: Downloads = self.client.ask(DOWNLOADS, &asked).await?;
        let mut came = false;
        for song in next {
            let Some(file) = found.files.iter().find(|file| file.song == song.canonical) else { continue };
            if file.sha256 != ByteArray::new(song.sha256.0) || file.bytes != song.bytes {
                tracing::debug!("the cloud has another file for {}; its news is on its way", song.song);
                continue;
            }
            self.make_room(songs, plan, song.bytes, budget)?;
            self.fetch_one(song, file).await?;
            came = true;
        }
        Ok(came)
    }

    async fn fetch_one(&self, song: &SongFile, file: &MediaFile) -> Result<(), NoRound> {
        let expected = Expected { sha256: song.sha256, bytes: song.bytes };
        let mut arriving: Resuming = self.files.resume(expected)?;
        if arriving.written() < expected.bytes {
            let from = arriving.written();
            let take = |piece: Piece<'_>| match piece {
                Piece::FromTheStart if from == 0 => Ok(()),
                Piece::FromTheStart => arriving.discard().map_err(|error| error.to_string()),
                Piece::Bytes(bytes) => arriving.write(bytes).map_err(|error| error.to_string()),
            };
            self.client.download(&file.url, from, take).await?;
        }
        tokio::task::spawn_blocking(move || arriving.finish()).await.map_err(std::io::Error::other)??;
        self.hub.0.file_came_or_went(song.song);
        Ok(())
    }

    /// Lets files give way that the cloud has, the least wanted first, and no more than must.
    fn make_room(&self, songs: &[SongFile], plan: &Plan, coming: u64, budget: u64) -> Result<(), NoRound> {
        let here = |song: &&SongFile| self.files.contains(song.sha256);
        let held = songs.iter().filter(here).map(|song| song.bytes).sum();
        let spare: Vec<File> = plan
            .spare
            .iter()
            .filter_map(|id| songs.iter().find(|song| song.song == *id))
            .filter(here)
            .map(|song| song.as_file(true))
            .collect();
        for gone in prefetch::giving_way(&spare, held, coming, budget) {
            if let Some(song) = songs.iter().find(|song| song.song == gone) {
                self.files.remove(song.sha256)?;
                self.hub.0.file_came_or_went(gone);
            }
        }
        Ok(())
    }

    /// Brings the next file up that is nowhere else. One that the cloud does not know of yet waits for its fact.
    async fn bring(&self, songs: &[SongFile]) -> Result<bool, NoRound> {
        let only_here = songs.iter().filter(|song| song.ready && !song.stored && !song.refused);
        for song in only_here.filter(|song| self.hub.is_cached(song.song)).take(ASKED_AT_ONCE) {
            let (id, sha256) = (song.song, ByteArray::new(song.sha256.0));
            if locked(&self.verifying).contains(&song.sha256) {
                if self.is_decided(song).await? {
                    return Ok(true);
                }
                continue;
            }
            let ask =
                UploadAsk { song: id, sha256, bytes: song.bytes, content_type: song.content_type.clone() };
            let (url, headers) = match self.client.ask::<UploadAnswer>(UPLOAD, &ask).await {
                // Not this one, or not now: the others need not wait for it.
                Ok(UploadAnswer::Unknown) | Err(NoAnswer::Refused(_)) => continue,
                Ok(UploadAnswer::Have) => {
                    self.note(song, UploadedState::Verified, None).await?;
                    return Ok(true);
                }
                Ok(UploadAnswer::Put { url, headers }) => (url, headers),
                Err(line) => return Err(line.into()),
            };
            let file = tokio::fs::read(self.files.path_of(song.sha256)).await?;
            self.client.put(&url, &headers, Bytes::from(file)).await?;
            locked(&self.verifying).insert(song.sha256);
            self.is_decided(song).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Asks what became of a file that was put; whether that is known by now.
    async fn is_decided(&self, song: &SongFile) -> Result<bool, NoRound> {
        let told = UploadedAsk { song: song.song, sha256: ByteArray::new(song.sha256.0) };
        let UploadedAnswer { state, reason } = self.client.ask(UPLOADED, &told).await?;
        if state == UploadedState::Verifying {
            return Ok(false);
        }
        locked(&self.verifying).remove(&song.sha256);
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

impl SongFile {
    fn as_file(&self, here: bool) -> File {
        File { song: self.song, bytes: self.bytes, here, stored: self.stored, wanted: self.ready }
    }
}

impl Inner {
    /// What to fetch and what may give way, and within how many bytes. Blocks: every file is looked for.
    fn plan_files(&self, songs: &[SongFile]) -> std::io::Result<(Plan, u64)> {
        let media = self.library.media();
        let is_here = |song: &SongFile| crate::library::media_path(media, song.sha256).is_file();
        let files: Vec<File> = songs.iter().map(|song| song.as_file(is_here(song))).collect();
        let held: u64 = files.iter().filter(|file| file.here).map(|file| file.bytes).sum();
        let disk = rustix::fs::statvfs(media)?;
        let budget = (held + disk.f_bavail.saturating_mul(disk.f_frsize)).saturating_sub(KEPT_FREE);
        Ok((prefetch::plan(&files, &self.wishes(songs), budget), budget))
    }

    fn wishes(&self, songs: &[SongFile]) -> Wishes {
        let (now, mut wishes) = (self.clock.now(), Wishes::default());
        for room in &self.rooms {
            let played = {
                let stage = locked(&room.stage);
                wishes.soon.extend(stage.current.iter().map(|current| current.pick.song.id));
                for upcoming in &stage.plan {
                    let is_soon = upcoming.planned.starts_at.since(now) < SOON;
                    let list = if is_soon { &mut wishes.soon } else { &mut wishes.planned };
                    list.push(upcoming.view.song.id);
                }
                stage.played.clone()
            };
            let wanted = locked(&self.people).room(room.zone.id, &self.room_settings(room), now);
            let candidate = |song: &SongFile| Candidate {
                song: song.song,
                embedding: self.library.get(song.song).and_then(|kept| kept.song.facts.comparable()),
                last_played_at: played.get(&song.song).copied(),
            };
            let candidates: Vec<Candidate> = songs.iter().filter(|song| song.ready).map(candidate).collect();
            let window = room_window(&room.zone.settings, &self.library.shelf());
            let ranked = rank(&wanted.target().axes, &candidates, now, window);
            wishes.ranked.push(ranked.into_iter().map(|one| one.song).collect::<Vec<SongId>>());
        }
        wishes
    }

    fn file_came_or_went(&self, song: SongId) {
        if self.library.look(song) {
            self.mark_library_stale();
        }
    }
}

#[cfg(test)]
mod tests;
