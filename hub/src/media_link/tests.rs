//! Files over a line that breaks, to and from a cloud of a few lines.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post, put};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use roomtone_schema::id::Id as _;
use roomtone_schema::song::{Explicit, Sha256, SongStatus};
use roomtone_schema::{HubId, OrganisationId, SystemClock, VenueId};
use roomtone_sync::credential::SigningKey;
use roomtone_sync::store::HubStore as _;
use roomtone_sync::wire::{
    CatalogueSong, Cursor, Kind, LoudnessFacts, Problem, ProblemCode, Row, Scope, UploadAnswer, UploadAsk,
    UploadedAnswer, UploadedState, VenueSong, decode, encode, encode_noun,
};
use sha2::Digest as _;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::bringing::{ASKED_AT_ONCE, OFFERED_AGAIN, UPLOAD, UPLOADED};
use super::*;
use crate::cloud_link::SqliteStore;
use crate::hub::tests::venue::Venue;

mod unkept;

const SONG: Uuid = Uuid::from_u128(0x1001);

#[derive(Default)]
struct Cloud {
    asked: AtomicU32,
    address: Mutex<String>,
    ranges: Mutex<Vec<Option<String>>>,
    put: Mutex<Option<(String, Vec<u8>)>>,
    verdicts: Mutex<Vec<UploadedState>>,
    /// Songs whose number is below this are unknown.
    knows_from: AtomicU64,
    announced: AtomicU64,
}

fn file() -> Vec<u8> {
    (0..200_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect()
}

fn sum_of_file() -> [u8; 32] {
    sha2::Sha256::digest(file()).into()
}

fn message(answer: &impl serde::Serialize) -> Vec<u8> {
    encode(answer).unwrap()
}

async fn downloads(State(cloud): State<Arc<Cloud>>, body: Bytes) -> Vec<u8> {
    let ask: DownloadsAsk = decode(&body).unwrap();
    let file = |song: &SongId| MediaFile {
        song: *song,
        url: format!("{}/file", locked(&cloud.address)),
        sha256: ByteArray::new(sum_of_file()),
        bytes: file().len() as u64,
    };
    message(&Downloads { files: ask.songs.iter().map(file).collect(), valid_ms: 60_000 })
}

/// The first answer breaks in the middle.
async fn hand_out(State(cloud): State<Arc<Cloud>>, headers: HeaderMap) -> axum::response::Response {
    let range = headers.get(header::RANGE).map(|range| range.to_str().unwrap().to_owned());
    locked(&cloud.ranges).push(range.clone());
    if cloud.asked.fetch_add(1, Ordering::SeqCst) == 0 {
        let begun = stream::iter([Ok::<_, std::io::Error>(Bytes::from(file()[..80_000].to_vec()))]);
        let pieces = begun.chain(stream::pending());
        return (StatusCode::OK, [(header::CONTENT_LENGTH, 200_000)], Body::from_stream(pieces))
            .into_response();
    }
    let from: usize = range.map_or(0, |range| range["bytes=".len()..].trim_end_matches('-').parse().unwrap());
    let status = if from == 0 { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    (status, file()[from..].to_vec()).into_response()
}

async fn announce(State(cloud): State<Arc<Cloud>>, body: Bytes) -> Vec<u8> {
    let ask: UploadAsk = decode(&body).unwrap();
    cloud.announced.fetch_add(1, Ordering::SeqCst);
    let number = u64::from_be_bytes(ask.sha256[..8].try_into().unwrap());
    if number < cloud.knows_from.load(Ordering::SeqCst) {
        return message(&UploadAnswer::Unknown);
    }
    let url = format!("{}/put?signed=1", locked(&cloud.address));
    message(&UploadAnswer::Put { url, headers: vec![("content-type".to_owned(), "audio/ogg".to_owned())] })
}

async fn take(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers[header::CONTENT_LENGTH].to_str().unwrap(), body.len().to_string());
    let kind = headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    *locked(&cloud.put) = Some((kind, body.to_vec()));
    StatusCode::OK
}

async fn judge(State(cloud): State<Arc<Cloud>>) -> axum::response::Response {
    let Some(state) = locked(&cloud.verdicts).pop() else {
        let code = ProblemCode::NotFound;
        let unknown = Problem { code, message: "announce it".to_owned(), ack: None, retry_after_ms: None };
        return (StatusCode::NOT_FOUND, message(&unknown)).into_response();
    };
    message(&UploadedAnswer { state, reason: Some("it is no music".to_owned()) }).into_response()
}

async fn beside(cloud: &Arc<Cloud>, venue: &Venue) -> (Porter, JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    locked(&cloud.address).clone_from(&address);
    let router = Router::new()
        .route(DOWNLOADS, post(downloads))
        .route(UPLOAD, post(announce))
        .route(UPLOADED, post(judge))
        .route("/file", get(hand_out))
        .route("/put", put(take))
        .with_state(Arc::clone(cloud));
    porter(venue, listener, router)
}

/// Whoever carries the venue's files to and from a cloud that answers so, until it is dropped.
fn porter(venue: &Venue, listener: tokio::net::TcpListener, router: Router) -> (Porter, JoinSet<()>) {
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let key = Arc::new(SigningKey::from_seed(&[1; 32]).unwrap());
    let client =
        line(&address, HubId::from_uuid(Uuid::from_u128(5)), key, Arc::new(SystemClock::new())).unwrap();
    let files = Arc::new(FileCache::open(&venue.hub.media_dir(), None).unwrap());
    (Porter::new(venue.hub.clone(), client, files, None), tasks)
}

/// A song comes down; its file does not, yet.
async fn hear_of_a_song(venue: &Venue) {
    let noun = CatalogueSong {
        status: SongStatus::Ready,
        sha256: ByteArray::new(sum_of_file()),
        bytes: file().len() as u64,
        content_type: "audio/ogg".to_owned(),
        stored: true,
        title: "From afar".to_owned(),
        artist: None,
        album: None,
        isrc: None,
        label: None,
        explicit: Explicit::Unknown,
        kind: None,
        duration_ms: 180_000,
        bpm: None,
        key: None,
        loudness: LoudnessFacts { lufs: None, true_peak_dbtp: None, cue_in_ms: 0, cue_out_ms: 180_000 },
        embedding: None,
        embedding_version: 1,
        created_at: venue.hub.now(),
    };
    let store = SqliteStore::new(&venue.hub, HubId::from_uuid(Uuid::from_u128(5)));
    let enabled = VenueSong { song: SongId::from_uuid(SONG), enabled: true };
    for (scope, kind, body) in [
        (Scope::Venue(VenueId(Uuid::from_u128(2))), Kind::VenueSong, encode_noun(&enabled).unwrap()),
        (Scope::Catalogue(OrganisationId(Uuid::from_u128(1))), Kind::Song, encode_noun(&noun).unwrap()),
    ] {
        let row = Row { seq: 1, kind: kind.word().to_owned(), pk: SONG, body: Some(body) };
        store.apply(scope, Cursor::default(), Cursor { seq: 1, tag: 7 }, vec![row]).await.unwrap();
    }
}

async fn stored(venue: &Venue) -> Vec<(bool, bool)> {
    let songs = venue.hub.0.store.read(media_sync::all).await.unwrap();
    songs.iter().map(|song| (song.stored, song.refused_at.is_some())).collect()
}

#[tokio::test]
async fn a_file_that_was_cut_goes_on_where_it_stopped_and_then_plays() {
    let (venue, cloud) = (Venue::empty().await, Arc::new(Cloud::default()));
    hear_of_a_song(&venue).await;
    assert!(!venue.hub.is_cached(SongId::from_uuid(SONG)));
    let (porter, _serving) = beside(&cloud, &venue).await;
    let part = venue.hub.media_dir().join(format!("arriving/{}.part", Sha256(sum_of_file())));
    let half_came = async {
        while std::fs::metadata(&part).map_or(0, |about| about.len()) < 80_000 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = porter.round() => panic!("the line holds: {ended:?}"),
        half = tokio::time::timeout(Duration::from_secs(20), half_came) => half.unwrap(),
    }
    assert!(!venue.hub.is_cached(SongId::from_uuid(SONG)), "half a file has no name");
    porter.round().await.unwrap();
    assert!(venue.hub.is_cached(SongId::from_uuid(SONG)));
    let ranges = locked(&cloud.ranges).clone();
    assert_eq!(ranges, [None, Some("bytes=80000-".to_owned())]);
    assert_eq!(std::fs::read(porter.files.path_of(Sha256(sum_of_file()))).unwrap(), file());
    assert!(!porter.round().await.unwrap(), "nothing more to do");
}

#[tokio::test]
async fn a_song_that_was_born_here_goes_up_once_and_is_pinned_until_it_is_verified() {
    let (venue, cloud) = (Venue::with_songs(1).await, Arc::new(Cloud::default()));
    *locked(&cloud.verdicts) = vec![UploadedState::Verified, UploadedState::Verifying];
    let (porter, _serving) = beside(&cloud, &venue).await;
    assert!(porter.round().await.unwrap());
    assert_eq!(*locked(&cloud.put), Some(("audio/ogg".to_owned(), b"a song".to_vec())));
    assert_eq!(stored(&venue).await, [(false, false)], "being read is not verified");
    *locked(&cloud.put) = None;
    assert!(porter.round().await.unwrap());
    assert_eq!((stored(&venue).await, locked(&cloud.put).take()), (vec![(true, false)], None));
}

#[tokio::test]
async fn a_file_that_the_cloud_refuses_stays_here_and_is_not_sent_for_ever() {
    let (venue, cloud) = (Venue::with_songs(1).await, Arc::new(Cloud::default()));
    *locked(&cloud.verdicts) = vec![UploadedState::Refused];
    let (porter, _serving) = beside(&cloud, &venue).await;
    porter.round().await.unwrap();
    assert_eq!(stored(&venue).await, [(false, true)]);
    assert!(!porter.round().await.unwrap());
    assert!(venue.hub.is_cached(venue.songs[0]));
}

#[tokio::test]
async fn songs_that_the_cloud_does_not_know_yet_hold_no_other_up() {
    let (venue, cloud) = (Venue::with_songs(40).await, Arc::new(Cloud::default()));
    cloud.knows_from.store(35, Ordering::SeqCst);
    *locked(&cloud.verdicts) = vec![UploadedState::Verified; 40];
    let (porter, _serving) = beside(&cloud, &venue).await;
    assert!(!porter.round().await.unwrap());
    assert_eq!(cloud.announced.load(Ordering::SeqCst), ASKED_AT_ONCE as u64);
    for _ in 35..40 {
        assert!(porter.round().await.unwrap());
    }
    assert!(stored(&venue).await[35..].iter().all(|(stored, _)| *stored));
    assert_eq!(
        cloud.announced.load(Ordering::SeqCst),
        40,
        "each was asked about once: the unknown ones wait"
    );
    cloud.knows_from.store(0, Ordering::SeqCst);
    venue.clock.advance(Duration::from_mins(1));
    while porter.round().await.unwrap() {}
    assert!(stored(&venue).await.iter().all(|(stored, _)| *stored));
}

#[tokio::test]
async fn what_was_refused_is_counted_and_offered_again_a_day_later() {
    let (venue, cloud) = (Venue::with_songs(1).await, Arc::new(Cloud::default()));
    *locked(&cloud.verdicts) = vec![UploadedState::Verified, UploadedState::Refused];
    let (porter, _serving) = beside(&cloud, &venue).await;
    porter.round().await.unwrap();
    venue.clock.advance(OFFERED_AGAIN.saturating_sub(Duration::from_secs(1)));
    assert!(!porter.round().await.unwrap());
    let refused = || venue.hub.counters().uploads_refused.get();
    assert_eq!((stored(&venue).await, refused()), (vec![(false, true)], 1.0));
    venue.clock.advance(Duration::from_secs(1));
    assert!(porter.round().await.unwrap());
    porter.round().await.unwrap();
    assert_eq!((stored(&venue).await, refused()), (vec![(true, false)], 0.0));
}

#[tokio::test]
async fn after_a_restart_the_cloud_is_asked_before_a_file_is_put_again() {
    let (venue, cloud) = (Venue::with_songs(1).await, Arc::new(Cloud::default()));
    *locked(&cloud.verdicts) = vec![UploadedState::Verified, UploadedState::Verifying];
    let (porter, serving) = beside(&cloud, &venue).await;
    assert!(porter.round().await.unwrap());
    assert!(locked(&cloud.put).take().is_some());
    drop((porter, serving));
    let venue = venue.restart().await;
    let (porter, _serving) = beside(&cloud, &venue).await;
    assert!(porter.round().await.unwrap());
    assert_eq!((stored(&venue).await, locked(&cloud.put).take()), (vec![(true, false)], None));
    assert_eq!(cloud.announced.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_file_that_the_cloud_has_lost_sight_of_is_put_again() {
    let (venue, cloud) = (Venue::with_songs(1).await, Arc::new(Cloud::default()));
    *locked(&cloud.verdicts) = vec![UploadedState::Verifying];
    let (porter, _serving) = beside(&cloud, &venue).await;
    porter.round().await.unwrap();
    assert!(locked(&cloud.put).take().is_some());
    porter.round().await.unwrap();
    assert!(locked(&cloud.put).take().is_some());
}

#[tokio::test]
async fn a_hub_that_leaves_its_cloud_forgets_what_that_made_of_its_files() {
    let (venue, cloud) = (Venue::with_songs(2).await, Arc::new(Cloud::default()));
    *locked(&cloud.verdicts) = vec![UploadedState::Verifying, UploadedState::Refused];
    let (porter, _serving) = beside(&cloud, &venue).await;
    porter.round().await.unwrap();
    porter.round().await.unwrap();
    let untold = |song: &SongFile| song.refused_at.is_none() && !song.put;
    let files = || venue.hub.0.store.read(media_sync::all);
    assert!(!files().await.unwrap().iter().any(untold));
    venue.hub.0.store.write(crate::store::link::forget).await.unwrap();
    assert!(files().await.unwrap().iter().all(untold));
}

/// A venue of which the cloud has all songs but every seventh, and what of it plays within the hour.
async fn well_known() -> (Venue, Arc<Cloud>, HashSet<SongId>, HashSet<SongId>) {
    let venue = Venue::with_songs(120).await;
    let player = venue.player("bar").await.player.id;
    let playing = venue.claim(player).await.pick.song.id;
    venue.hub.settle().await;
    for song in venue.hub.0.store.read(media_sync::all).await.unwrap() {
        if !song.sha256.0[7].is_multiple_of(7) {
            venue.hub.0.store.write(move |tx| media_sync::verified(tx, song.sha256)).await.unwrap();
        }
    }
    let songs = venue.hub.0.store.read(media_sync::all).await.unwrap();
    let unverified = songs.iter().filter(|song| !song.stored).map(|song| song.song).collect();
    let soon: HashSet<SongId> = venue.hub.0.wishes(&songs).soon.into_iter().collect();
    assert!(soon.contains(&playing) && 2 < soon.len(), "{soon:?}");
    (venue, Arc::new(Cloud::default()), unverified, soon)
}

fn here(venue: &Venue) -> HashSet<SongId> {
    venue.songs.iter().copied().filter(|song| venue.hub.is_cached(*song)).collect()
}

#[tokio::test]
async fn without_any_room_the_next_hour_and_what_is_nowhere_else_stay() {
    let (venue, cloud, unverified, soon) = well_known().await;
    cloud.knows_from.store(u64::MAX, Ordering::SeqCst);
    let (mut porter, _serving) = beside(&cloud, &venue).await;
    porter.most = Some(0);
    porter.round().await.unwrap();
    let stay: HashSet<SongId> = unverified.union(&soon).copied().collect();
    assert_eq!(here(&venue), stay);
    assert_eq!(venue.hub.counters().evictions.get(), (venue.songs.len() - stay.len()) as u64);
    let on_disk = porter.files.path_of(Sha256([0; 32]));
    assert!(on_disk.is_file(), "the first song is nowhere else");
}

#[tokio::test]
async fn what_the_room_would_like_least_gives_way_first_and_no_more_than_must() {
    let (venue, cloud, unverified, soon) = well_known().await;
    let (porter, _serving) = beside(&cloud, &venue).await;
    let songs = venue.hub.0.store.read(media_sync::all).await.unwrap();
    let wishes = venue.hub.0.wishes(&songs);
    let may_go =
        |song: &SongId| !unverified.contains(song) && !soon.contains(song) && !wishes.planned.contains(song);
    let worst: Vec<SongId> = wishes.ranked[0].iter().rev().copied().filter(may_go).take(4).collect();
    let mut room = venue.hub.0.plan_files(&songs, Some(0)).unwrap();
    // Three files less than are here, and one comes.
    room.budget = room.held - 3 * 6;
    porter.make_room(&songs, &mut room, 6).unwrap();
    let gone: HashSet<SongId> =
        venue.songs.iter().copied().filter(|song| !here(&venue).contains(song)).collect();
    assert_eq!(gone, worst.into_iter().collect());
    porter.make_room(&songs, &mut room, 6).unwrap();
    assert_eq!(here(&venue).len(), venue.songs.len() - 4, "there is room now");
}

#[tokio::test]
async fn what_does_not_fit_the_budget_is_not_fetched() {
    let (venue, cloud) = (Venue::empty().await, Arc::new(Cloud::default()));
    hear_of_a_song(&venue).await;
    cloud.asked.store(1, Ordering::SeqCst);
    let (mut porter, _serving) = beside(&cloud, &venue).await;
    porter.most = Some(199_999);
    assert!(!porter.round().await.unwrap());
    assert!(locked(&cloud.ranges).is_empty());
    porter.most = Some(200_000);
    assert!(porter.round().await.unwrap());
    assert!(venue.hub.is_cached(SongId::from_uuid(SONG)));
    assert_eq!(venue.hub.counters().downloaded_bytes.get(), 200_000);
}

/// The rests are so long that only the news itself can have begun the round that fetches.
#[tokio::test]
async fn a_file_is_fetched_as_soon_as_its_row_has_come() {
    let (venue, cloud) = (Venue::empty().await, Arc::new(Cloud::default()));
    cloud.asked.store(1, Ordering::SeqCst);
    let (porter, _serving) = beside(&cloud, &venue).await;
    let rests = AtomicBool::new(false);
    let rest = || {
        rests.store(true, Ordering::SeqCst);
        Duration::from_hours(24)
    };
    let came = async {
        // It has looked in vain.
        while !rests.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        hear_of_a_song(&venue).await;
        while !venue.hub.is_cached(SongId::from_uuid(SONG)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = porter.carry(rest) => panic!("it never ends: {ended:?}"),
        came = tokio::time::timeout(Duration::from_secs(30), came) => came.unwrap(),
    }
}
