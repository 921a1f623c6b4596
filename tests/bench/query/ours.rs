//! The hub as it is: its store, its rooms, its front with every door and bound. Only its songs have no files.

use std::path::Path;
use std::sync::Arc;

use roomtone_hub::http::{self, Front};
use roomtone_hub::hub::{Hub, HubOptions};
use roomtone_hub::limits::LimitSettings;
use roomtone_schema::seed::Seeded;
use roomtone_schema::song::{Explicit, Sha256, SongFacts, SongKind};
use roomtone_schema::{Embedding, EmbeddingVersion, SystemClock};
use roomtone_server::front::FrontSettings;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const SONGS: u64 = 5_000;

/// Songs that wait for the disk together: fewer than the store's queue holds.
const AT_ONCE: usize = 500;

/// Serves 5,000 songs from a folder until it is killed.
pub(crate) async fn serve(folder: &Path) {
    let options = HubOptions {
        data: folder.join("hub"),
        venue_name: "Café Resonance".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        zones: Vec::new(),
        licence: roomtone_schema::licence::Licence::default(),
        limits: LimitSettings::default(),
    };
    let hub = Hub::open(options, Arc::new(SystemClock::new())).await.unwrap();
    for start in (0..SONGS).step_by(AT_ONCE) {
        let mut adding = JoinSet::new();
        for number in start..start + AT_ONCE as u64 {
            let hub = hub.clone();
            adding.spawn(async move { hub.add_song(facts(number)).await.unwrap() });
        }
        adding.join_all().await;
    }
    hub.settle().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("READY {}", listener.local_addr().unwrap().port());
    let front = Front::with_settings(hub.clone(), Vec::new(), FrontSettings::default());
    let serving = http::serve(front, listener, CancellationToken::new());
    tokio::select! {
        served = serving => served.unwrap(),
        () = hub.conduct() => {}
    }
}

/// A song that its number decides; about one in four fields that may be missing is.
fn facts(number: u64) -> SongFacts {
    const WORDS: [&str; 12] = [
        "Dawn", "Rain", "Amber", "Harbour", "Étude", "Slow", "Paper", "Glass", "Morning", "Tide", "\"Blue\"",
        "Nacht",
    ];
    let mut chance = Seeded::new(number);
    let mut below = |n: u64| chance.next_u64() % n;
    let mut words = |n: u64| {
        let picked: Vec<&str> = (0..n).map(|_| WORDS[below(WORDS.len() as u64) as usize]).collect();
        picked.join(" ")
    };
    let (title, artist, album) = (words(4), words(2), words(3));
    let mut sha256 = [0; 32];
    sha256[..8].copy_from_slice(&number.to_be_bytes());
    let values = std::array::from_fn(|_| chance.next_share() as f32 * 2.0 - 1.0);
    let some = |chance: &mut Seeded| !chance.next_u64().is_multiple_of(4);
    SongFacts {
        title: format!("{title} {number}"),
        artist: some(&mut chance).then_some(artist),
        album: some(&mut chance).then_some(album),
        isrc: None,
        label: None,
        explicit: [Explicit::Clean, Explicit::Explicit, Explicit::Unknown][chance.next_u64() as usize % 3],
        kind: [None, Some(SongKind::Instrumental), Some(SongKind::Soundscape)]
            [chance.next_u64() as usize % 3],
        duration_ms: 60_000 + (chance.next_u64() % 300_000) as u32,
        bpm: some(&mut chance).then(|| 60.0 + chance.next_share() as f32 * 120.0),
        pulse_clarity: 0.5,
        key: some(&mut chance).then(|| "D#m".to_owned()),
        key_strength: 0.7,
        loudness_lufs: some(&mut chance).then(|| -24.0 + chance.next_share() as f32 * 18.0),
        true_peak_dbtp: Some(-1.0),
        cue_in_ms: 0,
        cue_out_ms: 60_000,
        embedding: Embedding::new(values).ok(),
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256: Sha256(sha256),
        bytes: 1_000,
        content_type: "audio/flac".to_owned(),
    }
}
