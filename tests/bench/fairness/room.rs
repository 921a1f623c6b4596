//! An evening of a divided room through the whole program: a hub behind its own HTTP door, ten phones that check in and
//! vote by GraphQL, and a player that claims and reports each song. Time is the hub's and passes as songs do.
//!
//! What everybody had is counted here, from what the phones were told of their tastes and from what the player was given:
//! the hub's own figures are compared with it, and not believed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use roomtone_hub::http::{self, Front};
use roomtone_hub::hub::{Hub, HubOptions};
use roomtone_hub::library::media_path;
use roomtone_hub::limits::LimitSettings;
use roomtone_hub::store::{Store, hub_state, zones};
use roomtone_schema::fairness::{Debt, Fairness, summary};
use roomtone_schema::id::Id as _;
use roomtone_schema::seed::Seeded;
use roomtone_schema::song::{Explicit, Sha256, SongFacts};
use roomtone_schema::vector::{Axes, dot};
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::{AXES, Clock, Embedding, EmbeddingVersion, ManualClock, UnixMillis, ZoneId};
use roomtone_server::front::FrontSettings;
use roomtone_tests::{Guest, TestPlayer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A Sunday noon in 2026.
const NOON: UnixMillis = UnixMillis(1_795_348_800_000);

/// How long every song is.
const SONG: Duration = Duration::from_mins(3);

/// So many songs each guest likes, as a visitor would in the first minute.
const LIKES: usize = 5;

/// What seven of ten like.
const MANY: Axes = [1.0, 0.0, 0.0, 0.0, 0.0];

/// What the others like: on the axis that the many care for it is the opposite. Of tastes that are opposed in everything
/// (1), what one gains the other loses, and no rule reaches the goal.
fn few(opposed: f64) -> Axes {
    [-opposed, (1.0 - opposed * opposed).sqrt(), 0.0, 0.0, 0.0]
}

/// What an evening is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evening {
    /// The zone's setting.
    pub(crate) fairness: f64,
    /// The songs of the catalogue.
    pub(crate) library: usize,
    /// The songs that are heard.
    pub(crate) heard: usize,
    /// Of the first `many` guests all like one thing, the `few` others the opposite.
    pub(crate) many: usize,
    pub(crate) few: usize,
    /// How much the opposite: from 0, which is something else, to 1.
    pub(crate) opposed: f64,
    /// Decides the catalogue and every draw.
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// As counted here.
    pub(crate) figures: Fairness,
    /// The titles in their order.
    pub(crate) songs: Vec<String>,
    /// How near the two groups' tastes are to each other, as a cosine.
    pub(crate) apart: f64,
}

/// Plays it.
pub(crate) async fn play(evening: Evening) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_owned();
    tokio::task::spawn_blocking(move || seed(&data, evening.seed)).await.unwrap();
    let clock = Arc::new(ManualClock::at(NOON));
    let hub = Hub::open(options(folder.path(), evening.fairness), clock.clone()).await.unwrap();
    let catalogue = catalogue(evening.library, evening.seed);
    add_songs(&hub, &catalogue).await;
    let (address, stop) = open_door(&hub).await;
    let url = format!("http://{address}");
    let guests = check_in(&hub, &url, evening.many + evening.few).await;
    let tastes = vote(&guests, &catalogue, &evening).await;
    hub.settle().await;
    let player = hub.add_player("bar".to_owned(), None, None).await.unwrap();
    let player = TestPlayer::at(&url, &player.token);
    let mut debts = vec![Debt::default(); tastes.len()];
    let mut songs = Vec::new();
    for _ in 0..evening.heard {
        let title = hear(&player, &guests, &clock, &hub).await;
        let direction = catalogue[&title].unit();
        for (debt, taste) in debts.iter_mut().zip(&tastes) {
            debt.hear(dot(taste, &direction), 0.0);
        }
        songs.push(title);
    }
    stop.cancel();
    hub.close().await.unwrap();
    let apart = dot(&tastes[0], tastes.last().unwrap());
    Outcome { figures: summary(&debts).unwrap(), songs, apart }
}

/// Gives the hub the identity that its chance comes from.
fn seed(data: &Path, seed: u64) {
    let store = Store::open(data, Arc::new(ManualClock::at(NOON)) as Arc<dyn Clock>).unwrap().0;
    let written = store.write_blocking(move |tx| {
        hub_state::put(tx, hub_state::SECRET, [seed as u8; 32])?;
        zones::insert(tx, ZoneId::mint(NOON, [seed as u8; 10]), "main")
    });
    written.unwrap();
    store.close();
}

fn options(data: &Path, fairness: f64) -> HubOptions {
    let settings = ZoneSettings { fairness, crossfade_ms: 0, ..ZoneSettings::default() };
    HubOptions {
        data: data.to_owned(),
        venue_name: "Café Resonance".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        zones: vec![("main".to_owned(), settings)],
        licence: roomtone_schema::licence::Licence::default(),
        limits: LimitSettings::default(),
    }
}

/// Songs in all directions, by title.
fn catalogue(songs: usize, seed: u64) -> HashMap<String, Embedding> {
    let mut chance = Seeded::new(seed);
    let mut bell = move || (0..6).map(|_| chance.next_share()).sum::<f64>() as f32 - 3.0;
    let mut song = |number| {
        let values: [f32; AXES] = std::array::from_fn(|_| bell() / 3.0);
        (format!("Song {number}"), Embedding::new(values).unwrap())
    };
    (0..songs).map(&mut song).collect()
}

async fn add_songs(hub: &Hub, catalogue: &HashMap<String, Embedding>) {
    for (title, embedding) in catalogue {
        let facts = facts(title, *embedding);
        let path = media_path(&hub.media_dir(), facts.sha256);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"a song").unwrap();
        hub.add_song(facts).await.unwrap();
    }
    hub.settle().await;
}

fn facts(title: &str, embedding: Embedding) -> SongFacts {
    let mut sha256 = [0; 32];
    sha256[..title.len()].copy_from_slice(title.as_bytes());
    SongFacts {
        title: title.to_owned(),
        artist: Some(format!("Artist of {title}")),
        album: None,
        isrc: None,
        label: None,
        explicit: Explicit::Unknown,
        kind: None,
        duration_ms: SONG.as_millis() as u32,
        bpm: None,
        pulse_clarity: 0.0,
        key: None,
        key_strength: 0.0,
        loudness_lufs: Some(-16.0),
        true_peak_dbtp: Some(-3.0),
        cue_in_ms: 0,
        cue_out_ms: SONG.as_millis() as u32,
        embedding: Some(embedding),
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256: Sha256(sha256),
        bytes: 6,
        content_type: "audio/ogg".to_owned(),
    }
}

/// The hub's door, as `serve` opens it. Nothing conducts: the evening itself says when time has passed.
async fn open_door(hub: &Hub) -> (SocketAddr, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let front = Front::with_settings(hub.clone(), Vec::new(), FrontSettings::default());
    let serving = http::serve(front, listener, stop.clone());
    // It ends with the evening.
    tokio::spawn(serving);
    (address, stop)
}

async fn check_in(hub: &Hub, url: &str, people: usize) -> Vec<Guest> {
    let code = hub.room_code(hub.main_zone()).unwrap().poster;
    let mut guests = Vec::new();
    for number in 0..people {
        let mut guest = Guest::at(url);
        guest.check_in(&code, &format!("Guest {number}")).await;
        guests.push(guest);
    }
    guests
}

/// Each guest likes some of the songs that are nearest to what their group is for, and is told their taste.
async fn vote(guests: &[Guest], catalogue: &HashMap<String, Embedding>, evening: &Evening) -> Vec<Axes> {
    let ids: HashMap<String, String> =
        guests[0].songs().await.into_iter().map(|(id, title)| (title, id)).collect();
    let mut tastes = Vec::new();
    for (number, guest) in guests.iter().enumerate() {
        let wanted = if number < evening.many { MANY } else { few(evening.opposed) };
        let mut nearest: Vec<_> = catalogue.iter().collect();
        nearest.sort_by(|a, b| dot(&wanted, &b.1.unit()).total_cmp(&dot(&wanted, &a.1.unit())));
        let mut taste = None;
        // One more than they like, so that no two of a group need like the same.
        for (title, _) in nearest.iter().take(LIKES + 3).cycle().skip(number).take(LIKES) {
            let voted = guest.vote(&ids[*title], "LIKE").await;
            assert_eq!(voted.data()["vote"]["userErrors"], json!([]), "{:#}", voted.body);
            taste = Some(axes(&voted.data()["vote"]["taste"]));
        }
        tastes.push(taste.unwrap());
    }
    tastes
}

fn axes(told: &Value) -> Axes {
    let values: Vec<f64> =
        told.as_array().unwrap().iter().map(|axis| axis["value"].as_f64().unwrap()).collect();
    values.try_into().unwrap()
}

/// One song from its beginning to its end; its title.
async fn hear(player: &TestPlayer, guests: &[Guest], clock: &ManualClock, hub: &Hub) -> String {
    let pick = player.claim().await["pick"].clone();
    let report = |ended: Value| json!({ "status": "ACTIVE", "pickId": pick["id"], "ended": ended });
    player.report(report(Value::Null)).await.data();
    clock.advance(SONG);
    for guest in guests {
        // A phone that lies on the table with the page open.
        guest.ask("{ me { session { id } } }", json!({})).await.data();
    }
    hub.tick().await.unwrap();
    hub.settle().await;
    player.report(report(json!("FINISHED"))).await.data();
    hub.settle().await;
    pick["song"]["title"].as_str().unwrap().to_owned()
}
