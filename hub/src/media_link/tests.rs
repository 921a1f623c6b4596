//! Files over a line that breaks, to and from a cloud of a few lines.

use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::{get, post, put};
use futures_util::{StreamExt as _, stream};
use roomtone_schema::id::Id as _;
use roomtone_schema::song::{Explicit, SongStatus};
use roomtone_schema::{HubId, OrganisationId, SystemClock, VenueId};
use roomtone_sync::credential::SigningKey;
use roomtone_sync::store::HubStore as _;
use roomtone_sync::wire::{
    CatalogueSong, Cursor, Kind, LoudnessFacts, Row, Scope, VenueSong, decode, encode, encode_noun,
};
use sha2::Digest as _;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::*;
use crate::cloud_link::SqliteStore;
use crate::hub::tests::venue::Venue;

const SONG: Uuid = Uuid::from_u128(0x1001);

#[derive(Default)]
struct Cloud {
    asked: AtomicU32,
    address: Mutex<String>,
    ranges: Mutex<Vec<Option<String>>>,
    put: Mutex<Option<(String, Vec<u8>)>>,
    verdicts: Mutex<Vec<UploadedState>>,
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

async fn announce(State(cloud): State<Arc<Cloud>>) -> Vec<u8> {
    let url = format!("{}/put?signed=1", locked(&cloud.address));
    message(&UploadAnswer::Put { url, headers: vec![("content-type".to_owned(), "audio/ogg".to_owned())] })
}

async fn take(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let kind = headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
    *locked(&cloud.put) = Some((kind, body.to_vec()));
    StatusCode::OK
}

async fn judge(State(cloud): State<Arc<Cloud>>) -> Vec<u8> {
    let state = locked(&cloud.verdicts).pop().unwrap();
    message(&UploadedAnswer { state, reason: Some("it is no music".to_owned()) })
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
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let key = Arc::new(SigningKey::from_seed(&[1; 32]).unwrap());
    let client =
        line(&address, HubId::from_uuid(Uuid::from_u128(5)), key, Arc::new(SystemClock::new())).unwrap();
    let files = Arc::new(FileCache::open(&venue.hub.media_dir(), None).unwrap());
    (Porter { hub: venue.hub.clone(), client, files, verifying: Mutex::default() }, tasks)
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
    songs.iter().map(|song| (song.stored, song.refused)).collect()
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
