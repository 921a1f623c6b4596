//! Files of songs between hub and cloud: what is most likely to play comes down first, and what was born here goes up.
//!
//! Every round reads anew what is here, what the cloud has and what the room wants ([`crate::prefetch`] decides), does one
//! thing, and looks again: nothing is remembered that a crash could leave wrong. A file that arrives is compared with its
//! length and sum before it has a name; one that was cut goes on where it stopped. A file that the cloud has not verified
//! is never removed. Where the venue's licence lets no song be kept, what was heard is removed in every round, with or
//! without the cloud.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use roomtone_schema::SongId;
use roomtone_schema::licence::READY;
use roomtone_schema::rank::{Candidate, Standing, rank};
use roomtone_schema::rest::window;
use roomtone_sync::backoff::Backoff;
use roomtone_sync::file_cache::{CacheError, Expected, FileCache, Resuming};
use roomtone_sync::transport::{Address, Client, Internet, NoAnswer, Piece};
use roomtone_sync::wire::{Downloads, DownloadsAsk, MediaFile};
use serde_bytes::ByteArray;

use crate::hub::{Hub, Inner};
use crate::locks::locked;
use crate::prefetch::{self, File, Plan, Wishes};
use crate::programme::room_window;
use crate::room::ZoneRoom;
use crate::store::StoreError;
use crate::store::media_sync::{self, SongFile};

use turns::Turns;

mod bringing;
mod turns;

/// Where it is asked for files.
const DOWNLOADS: &str = "/v1/sync/downloads";

/// So many files are asked for, and fetched, in a round; then the room is asked again what it wants.
const FETCHED_AT_ONCE: usize = 16;

/// Where there is nothing to do, it is looked again after this.
const RESTS: Duration = Duration::from_secs(15);

/// What lies on the disk and stays free: for votes, the log and everything else.
const KEPT_FREE: u64 = 2 << 30;

/// What plays within this time is not weighed against anything; where songs may not be kept, it is what players hold.
const SOON: Duration = READY;

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
/// They take `most_mb` megabytes at most, where that is not 0.
pub(crate) async fn keep_carrying(hub: Hub, client: Client<Internet>, most_mb: u32) -> anyhow::Result<()> {
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
    let most = (most_mb != 0).then(|| u64::from(most_mb) * 1_000_000);
    Porter::new(hub, client, Arc::new(files), most).carry(|| RESTS).await
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
    /// What the files may take, where that is set.
    most: Option<u64>,
    /// Files that could not be fetched just now.
    fetching: Mutex<Turns>,
    /// Files that go up, each in its turn.
    bringing: Mutex<Turns>,
}

/// What the files may take and take, and what is to be done about it.
struct Room {
    plan: Plan,
    budget: u64,
    held: u64,
}

impl Porter {
    fn new(hub: Hub, client: Client<Internet>, files: Arc<FileCache>, most: Option<u64>) -> Self {
        Self { hub, client, files, most, fetching: Mutex::default(), bringing: Mutex::default() }
    }

    /// Round after round. Where there was nothing to do, it rests, until songs came: the first files are on their way when
    /// their rows are in place, and not at the next look.
    async fn carry(&self, rests: impl Fn() -> Duration) -> anyhow::Result<()> {
        let mut backoff = Backoff::default();
        loop {
            let rest = match self.round().await {
                Ok(there_may_be_more) => {
                    backoff.succeed();
                    if there_may_be_more { Duration::ZERO } else { rests() }
                }
                Err(why) => {
                    tracing::debug!("files of songs have to wait: {why}");
                    let chance =
                        f64::from(u32::from_le_bytes(crate::secrets::random())) / f64::from(u32::MAX);
                    backoff.after_failure(chance, None)
                }
            };
            // Rows that came also say that the line is there again.
            let _came = tokio::time::timeout(rest, self.hub.0.songs_came.notified()).await;
        }
    }

    /// One round; whether there may be more to do at once.
    async fn round(&self) -> Result<bool, NoRound> {
        let songs = self.hub.0.store.read(media_sync::all).await?;
        let refused = songs.iter().filter(|song| song.refused_at.is_some()).count();
        self.hub.counters().uploads_refused.set(refused as f64);
        let (inner, most) = (Arc::clone(&self.hub.0), self.most);
        let (mut room, songs) = tokio::task::spawn_blocking(move || {
            let room = inner.plan_files(&songs, most)?;
            Ok::<_, std::io::Error>((room, songs))
        })
        .await
        .map_err(std::io::Error::other)??;
        self.let_go(&songs, &mut room)?;
        self.make_room(&songs, &mut room, 0)?;
        let fetched = self.fetch(&songs, &mut room).await;
        // What cannot be fetched does not keep what is nowhere else from going up.
        let brought = self.bring(&songs).await;
        Ok(fetched? | brought?)
    }

    async fn fetch(&self, songs: &[SongFile], room: &mut Room) -> Result<bool, NoRound> {
        let now = self.hub.now();
        let next: Vec<&SongFile> = room
            .plan
            .fetch
            .iter()
            .filter_map(|id| songs.iter().find(|song| song.song == *id))
            .filter(|song| locked(&self.fetching).is_due(song.sha256, now))
            .take(FETCHED_AT_ONCE)
            .collect();
        if next.is_empty() {
            return Ok(false);
        }
        let asked = DownloadsAsk { songs: next.iter().map(|song| song.canonical).collect() };
        let found: Downloads = self.client.ask(DOWNLOADS, &asked).await?;
        let mut came = false;
        for song in next {
            let is_it =
                |file: &&MediaFile| file.sha256 == ByteArray::new(song.sha256.0) && file.bytes == song.bytes;
            let found = found.files.iter().find(|file| file.song == song.canonical);
            let Some(file) = found.filter(is_it) else {
                tracing::debug!(
                    "the cloud has no such file for {}; perhaps its news is on its way",
                    song.song
                );
                locked(&self.fetching).wait(song.sha256, now, None);
                continue;
            };
            self.make_room(songs, room, song.bytes)?;
            if let Err(why) = self.fetch_one(song, file).await {
                locked(&self.fetching).wait(song.sha256, now, None);
                return Err(why);
            }
            room.held += song.bytes;
            locked(&self.fetching).done(song.sha256);
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
        self.hub.counters().downloads.up();
        self.hub.counters().downloaded_bytes.add(song.bytes);
        Ok(())
    }

    /// Removes what the licence lets nobody keep, and beginnings of files that are not wanted any more.
    fn let_go(&self, songs: &[SongFile], room: &mut Room) -> Result<(), NoRound> {
        for gone in std::mem::take(&mut room.plan.gone) {
            if let Some(song) = songs.iter().find(|song| song.song == gone) {
                self.files.remove(song.sha256)?;
                room.held = room.held.saturating_sub(song.bytes);
                self.hub.0.file_came_or_went(gone);
                self.hub.counters().let_go.up();
            }
        }
        if !self.hub.licence().offline_storage {
            let coming = songs.iter().filter(|song| room.plan.fetch.contains(&song.song));
            self.files.forget_arriving_besides(&coming.map(|song| song.sha256).collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Lets files give way that the cloud has, the least wanted first, and no more than must.
    fn make_room(&self, songs: &[SongFile], room: &mut Room, coming: u64) -> Result<(), NoRound> {
        if room.held + coming <= room.budget {
            return Ok(());
        }
        let spare: Vec<File> = room
            .plan
            .spare
            .iter()
            .filter_map(|id| songs.iter().find(|song| song.song == *id))
            .map(|song| song.as_file(true))
            .collect();
        for gone in prefetch::giving_way(&spare, room.held, coming, room.budget) {
            if let Some(song) = songs.iter().find(|song| song.song == gone) {
                self.files.remove(song.sha256)?;
                room.held = room.held.saturating_sub(song.bytes);
                self.hub.0.file_came_or_went(gone);
                self.hub.counters().evictions.up();
            }
            room.plan.spare.retain(|song| *song != gone);
        }
        Ok(())
    }
}

impl SongFile {
    fn as_file(&self, here: bool) -> File {
        File {
            song: self.song,
            bytes: self.bytes,
            here,
            stored: self.stored,
            wanted: self.ready,
            origin: self.origin,
            music: Duration::from_millis(self.duration_ms.into()),
        }
    }
}

impl Inner {
    /// What to fetch and what may give way, and within how many bytes. Blocks: every file is looked for.
    fn plan_files(&self, songs: &[SongFile], most: Option<u64>) -> std::io::Result<Room> {
        let media = self.library.media();
        let is_here = |song: &SongFile| crate::library::media_path(media, song.sha256).is_file();
        let files: Vec<File> = songs.iter().map(|song| song.as_file(is_here(song))).collect();
        let held: u64 = files.iter().filter(|file| file.here).map(|file| file.bytes).sum();
        let disk = rustix::fs::statvfs(media)?;
        let free = (held + disk.f_bavail.saturating_mul(disk.f_frsize)).saturating_sub(KEPT_FREE);
        let budget = most.map_or(free, |most| most.min(free));
        let wishes = self.wishes(songs);
        let plan = if self.licence().offline_storage {
            prefetch::plan(&files, &wishes, budget)
        } else {
            prefetch::plan_needed(&files, &wishes, budget)
        };
        *locked(&self.over_licence) = plan.over.iter().copied().collect();
        Ok(Room { plan, budget, held })
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
            let ranked = rank(&wanted.target().axes, &candidates, now, self.rests_for(room, songs));
            let rests = ranked.iter().filter(|one| one.standing == Standing::Resting).map(|one| one.song);
            let rests: HashSet<SongId> = rests.collect();
            // The first zone's, less what another may hear.
            if wishes.ranked.is_empty() {
                wishes.resting = rests;
            } else {
                wishes.resting.retain(|song| rests.contains(song));
            }
            wishes.ranked.push(ranked.into_iter().map(|one| one.song).collect::<Vec<SongId>>());
        }
        wishes
    }

    /// How long songs rest in a zone, as far as fetching is concerned. Where they may not be kept, those that are here are
    /// few, and the rest is that of all that can be.
    fn rests_for(&self, room: &ZoneRoom, songs: &[SongFile]) -> Duration {
        if self.licence().offline_storage {
            return room_window(&room.settings(), &self.library.shelf());
        }
        let ready = songs.iter().filter(|song| song.ready);
        let length = ready.map(|song| Duration::from_millis(song.duration_ms.into())).sum();
        window(room.settings().penalty(), length)
    }

    fn file_came_or_went(&self, song: SongId) {
        if self.library.look(song) {
            self.mark_library_stale();
        }
    }
}

#[cfg(test)]
mod tests;
