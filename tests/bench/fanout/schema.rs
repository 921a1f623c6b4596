//! What all servers show: `moment.json`, and when it was shown.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, EmptyMutation, Object, Schema, Subscription};
use futures_util::{Stream, StreamExt as _};
use roomtone_server::listener::shared;
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;

/// What the clients subscribe to.
pub(crate) const QUERY: &str = "subscription { nowPlaying { at positionMs startedAt asOf gainDb skipVotes \
     song { id title artist album durationMs color bpm } zone { id name crossfadeMs } } }";

pub(crate) type BenchSchema = Schema<Query, EmptyMutation, Changes>;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Moment {
    #[serde(skip)]
    at: f64,
    position_ms: i32,
    started_at: String,
    as_of: String,
    gain_db: f64,
    skip_votes: i32,
    song: Song,
    zone: Zone,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Song {
    id: String,
    title: String,
    artist: String,
    album: String,
    duration_ms: i32,
    color: String,
    bpm: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Zone {
    id: String,
    name: String,
    crossfade_ms: i32,
}

impl Moment {
    pub(crate) fn now() -> Arc<Self> {
        let moment: Self = serde_json::from_str(include_str!("moment.json")).unwrap();
        Arc::new(Self { at: micros() as f64, ..moment })
    }
}

/// Microseconds of the clock that all processes of a machine share.
pub(crate) fn micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}

/// Shows a change a second, from the word on and as often as asked; ends when nobody can ask any more.
pub(crate) async fn show<T>(now: watch::Sender<T>, moment: impl Fn() -> T) {
    let word = || tokio::task::spawn_blocking(|| std::io::stdin().lines().next()?.ok());
    while let Ok(Some(times)) = word().await {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        for _ in 0..times.parse().unwrap() {
            seconds.tick().await;
            now.send_replace(moment());
        }
    }
}

#[derive(Debug)]
pub(crate) struct Query;

#[Object]
impl Query {
    async fn version(&self) -> i32 {
        1
    }
}

#[derive(Debug)]
pub(crate) struct Changes;

#[Subscription]
impl Changes {
    #[graphql(directive = shared::apply())]
    async fn now_playing(&self, ctx: &Context<'_>) -> impl Stream<Item = NowPlaying> + use<> {
        let now = ctx.data_unchecked::<watch::Receiver<Arc<Moment>>>();
        WatchStream::new(now.clone()).map(NowPlaying)
    }
}

pub(crate) struct NowPlaying(Arc<Moment>);

#[Object(directive = shared::apply())]
impl NowPlaying {
    async fn at(&self) -> f64 {
        self.0.at
    }

    async fn position_ms(&self) -> i32 {
        self.0.position_ms
    }

    async fn started_at(&self) -> &str {
        &self.0.started_at
    }

    async fn as_of(&self) -> &str {
        &self.0.as_of
    }

    async fn gain_db(&self) -> f64 {
        self.0.gain_db
    }

    async fn skip_votes(&self) -> i32 {
        self.0.skip_votes
    }

    async fn song(&self) -> SongOf {
        SongOf(Arc::clone(&self.0))
    }

    async fn zone(&self) -> ZoneOf {
        ZoneOf(Arc::clone(&self.0))
    }
}

pub(crate) struct SongOf(Arc<Moment>);

#[Object(name = "Song", directive = shared::apply())]
impl SongOf {
    async fn id(&self) -> &str {
        &self.0.song.id
    }

    async fn title(&self) -> &str {
        &self.0.song.title
    }

    async fn artist(&self) -> &str {
        &self.0.song.artist
    }

    async fn album(&self) -> &str {
        &self.0.song.album
    }

    async fn duration_ms(&self) -> i32 {
        self.0.song.duration_ms
    }

    async fn color(&self) -> &str {
        &self.0.song.color
    }

    async fn bpm(&self) -> f64 {
        self.0.song.bpm
    }
}

pub(crate) struct ZoneOf(Arc<Moment>);

#[Object(name = "Zone", directive = shared::apply())]
impl ZoneOf {
    async fn id(&self) -> &str {
        &self.0.zone.id
    }

    async fn name(&self) -> &str {
        &self.0.zone.name
    }

    async fn crossfade_ms(&self) -> i32 {
        self.0.zone.crossfade_ms
    }
}
