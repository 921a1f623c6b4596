//! The whole pick as the hub makes it: a player asks for the next song, and gets it once the pick is on the disk.
//!
//! Wall time, because most of it is the disk's. The yardstick is what the disk takes to make one page durable.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use roomtone_hub::hub::{Hub, HubOptions};
use roomtone_hub::library::media_path;
use roomtone_hub::limits::LimitSettings;
use roomtone_schema::song::Sha256;
use roomtone_schema::{ManualClock, PlayerId};

use crate::library::{Library, NOW};
use crate::pick::song;
use crate::stopwatch::{Time, at_most};

const PICKS: usize = 60;

/// Songs that are added at once: their commits are one.
const TOGETHER: usize = 500;

/// Plays `PICKS` songs from a library of `songs`, and times each answer to "what comes next".
pub(crate) fn measure(songs: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let options = HubOptions {
            data: folder.path().to_owned(),
            venue_name: String::from("Bench"),
            time_zone: String::from("UTC"),
            zones: Vec::new(),
            licence: roomtone_schema::licence::Licence::default(),
            limits: LimitSettings::default(),
        };
        let hub = Hub::open(options, clock.clone()).await.unwrap();
        add_songs(&hub, songs).await;
        let player = hub.add_player(String::from("bar"), None, None).await.unwrap().player.id;
        let answered = play(&hub, &clock, player).await;
        let synced = fdatasync(folder.path());
        let what = format!("asked for the next song, {songs} songs, wall");
        at_most("-", &what, answered, ("append + fdatasync", synced), None);
        hub.close().await.unwrap();
    });
}

async fn add_songs(hub: &Hub, songs: usize) {
    let library = Library::new(songs);
    let numbered: Vec<_> = library.candidates.iter().zip(0..).collect();
    for some in numbered.chunks(TOGETHER) {
        let adding = some.iter().map(|(candidate, number)| async {
            let mut facts = song(candidate, *number).facts;
            facts.sha256 = Sha256(std::array::from_fn(|at| (*number >> (8 * (at % 4))) as u8));
            let path = media_path(&hub.media_dir(), facts.sha256);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            File::create(path).unwrap();
            hub.add_song(facts).await.unwrap();
        });
        join_all(adding).await;
    }
    hub.settle().await;
}

async fn play(hub: &Hub, clock: &ManualClock, player: PlayerId) -> Time {
    let mut times = Vec::new();
    for _ in 0..PICKS {
        clock.advance(Duration::from_secs(200));
        let begun = Instant::now();
        let pick = hub.next_song(player).await.unwrap();
        times.push(begun.elapsed());
        drop(pick);
        hub.settle().await;
    }
    median(times)
}

/// Appends a page at a time to a file beside the hub's, each durable before the next.
fn fdatasync(folder: &Path) -> Time {
    let mut file = File::create(folder.join("yardstick")).unwrap();
    let mut once = || {
        let begun = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed()
    };
    median((0..PICKS).map(|_| once()).collect())
}

fn median(mut times: Vec<Duration>) -> Time {
    times.sort_unstable();
    let ns = |time: Duration| time.as_nanos() as f64;
    Time { median: ns(times[times.len() / 2]), least: ns(times[0]) }
}
