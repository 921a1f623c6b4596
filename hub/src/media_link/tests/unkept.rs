//! A venue whose licence lets no song be kept: what is here, what comes and what goes, with a cloud and without.

use axum::extract::Path;
use futures_util::FutureExt as _;
use roomtone_schema::licence::Licence;
use roomtone_schema::song::SongKind;
use roomtone_sync::wire::VenueNews;

use super::*;
use crate::view::PlayerCommandKind;

/// Songs of twenty minutes: three are an hour.
const LONG: Duration = Duration::from_mins(20);

fn content(number: u128) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn sum(number: u128) -> [u8; 32] {
    sha2::Sha256::digest(content(number)).into()
}

fn id(number: u128) -> SongId {
    SongId::from_uuid(Uuid::from_u128(0x2000 + number))
}

async fn found(State(cloud): State<Arc<Cloud>>, body: Bytes) -> Vec<u8> {
    let ask: DownloadsAsk = decode(&body).unwrap();
    let file = |song: &SongId| {
        let number = song.uuid().as_u128() - 0x2000;
        let url = format!("{}/file/{number}", locked(&cloud.address));
        MediaFile { song: *song, url, sha256: ByteArray::new(sum(number)), bytes: 16 }
    };
    message(&Downloads { files: ask.songs.iter().map(file).collect(), valid_ms: 60_000 })
}

/// A cloud that hands out whatever it is asked for, until it is dropped.
async fn cloud_for(venue: &Venue) -> (Porter, JoinSet<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let cloud = Arc::new(Cloud::default());
    locked(&cloud.address).clone_from(&address);
    let router = Router::new()
        .route(DOWNLOADS, post(found))
        .route("/file/{number}", get(|Path(number): Path<u128>| async move { content(number) }))
        .with_state(cloud);
    porter(venue, listener, router)
}

/// So many songs come down; their files do not, yet.
async fn hear_of(venue: &Venue, songs: u128) {
    let noun = |number: u128| CatalogueSong {
        status: SongStatus::Ready,
        sha256: ByteArray::new(sum(number)),
        bytes: 16,
        content_type: "audio/ogg".to_owned(),
        stored: true,
        title: format!("From afar {number}"),
        artist: Some(format!("Artist {number}")),
        album: None,
        isrc: None,
        label: None,
        explicit: Explicit::Unknown,
        kind: Some(SongKind::Instrumental),
        duration_ms: LONG.as_millis() as u32,
        bpm: None,
        key: None,
        loudness: LoudnessFacts { lufs: None, true_peak_dbtp: None, cue_in_ms: 0, cue_out_ms: 1_200_000 },
        embedding: Some([0.1, 0.2, number as f32 / 100.0, 0.3, -0.2]),
        embedding_version: 1,
        created_at: venue.hub.now(),
    };
    let row = |kind: Kind, number: u128, body: Vec<u8>| Row {
        seq: number as i64 + 1,
        kind: kind.word().to_owned(),
        pk: id(number).uuid(),
        body: Some(body),
    };
    let enabled = |number: u128| {
        row(Kind::VenueSong, number, encode_noun(&VenueSong { song: id(number), enabled: true }).unwrap())
    };
    let told = |number: u128| row(Kind::Song, number, encode_noun(&noun(number)).unwrap());
    let end = Cursor { seq: songs as i64, tag: 7 };
    let store = SqliteStore::new(&venue.hub, HubId::from_uuid(Uuid::from_u128(5)));
    let catalogue = Scope::Catalogue(OrganisationId(Uuid::from_u128(1)));
    store.apply(of_venue(), Cursor::default(), end, (0..songs).map(enabled).collect()).await.unwrap();
    store.apply(catalogue, Cursor::default(), end, (0..songs).map(told).collect()).await.unwrap();
    venue.hub.settle().await;
}

fn of_venue() -> Scope {
    Scope::Venue(VenueId(Uuid::from_u128(2)))
}

async fn unkept() -> Venue {
    let licence = Licence { offline_storage: false, ..Licence::default() };
    let venue = Venue::with(|options| options.licence = licence).await;
    hear_of(&venue, 40).await;
    venue
}

/// Rounds until there is nothing more to do; those that fail count as done.
async fn carries(porter: &Porter, venue: &Venue) {
    for _ in 0..20 {
        venue.hub.settle().await;
        if !porter.round().await.unwrap_or(false) {
            break;
        }
    }
    venue.hub.settle().await;
    let _cloud_may_be_gone = porter.round().await;
}

fn on_disk() -> impl Fn(&Venue) -> Vec<SongId> {
    |venue| {
        let is_file = |number: &u128| {
            crate::library::media_path(&venue.hub.media_dir(), Sha256(sum(*number))).is_file()
        };
        (0..40).filter(is_file).map(id).collect()
    }
}

#[tokio::test]
async fn only_the_next_hour_and_as_much_to_choose_from_is_here_and_what_was_heard_is_not() {
    let (venue, here) = (unkept().await, on_disk());
    let (porter, _serving) = cloud_for(&venue).await;
    let bar = venue.player("bar").await.player.id;
    let mut heard = Vec::new();
    for _ in 0..10 {
        carries(&porter, &venue).await;
        let claim = venue.claim(bar).await;
        assert!(claim.plan.len() <= 3 && !claim.offline_storage, "{}", claim.plan.len());
        assert!(!heard.contains(&claim.pick.song.id), "there is always another song");
        heard.push(claim.pick.song.id);
        carries(&porter, &venue).await;
        let here = here(&venue);
        // What sounds, three that are planned, three to choose from.
        assert!((4..=7).contains(&here.len()), "{here:?}");
        assert!(here.contains(&claim.pick.song.id), "what plays is here");
        let planned = venue.hub.player_plan(bar).unwrap().plan;
        assert!(!planned.is_empty() && planned.iter().all(|pick| here.contains(&pick.song.id)));
        assert!(heard[..heard.len() - 1].iter().all(|song| !here.contains(song)), "{heard:?} {here:?}");
        venue.pass(LONG).await;
    }
    assert_eq!(venue.hub.counters().relaxed_storage.get(), 0);
    assert!(venue.hub.counters().let_go.get() >= 9);
    assert_eq!(venue.hub.songs().len(), 40, "what is known of them stays");
}

#[tokio::test]
async fn while_the_cloud_is_gone_an_hour_of_music_goes_on_is_counted_and_goes_afterwards() {
    let (venue, here) = (unkept().await, on_disk());
    let (porter, serving) = cloud_for(&venue).await;
    let bar = venue.player("bar").await.player.id;
    carries(&porter, &venue).await;
    drop(serving);
    let mut heard = Vec::new();
    for _ in 0..20 {
        carries(&porter, &venue).await;
        heard.push(venue.claim(bar).await.pick.song.id);
        venue.pass(LONG).await;
        assert!((3..=7).contains(&here(&venue).len()), "never silent: {:?}", here(&venue));
    }
    let relaxed = venue.hub.counters().relaxed_storage.get();
    assert!((10..20).contains(&relaxed), "each that was heard again is counted: {relaxed}");
    carries(&porter, &venue).await;
    assert!(here(&venue).len() <= 4, "an hour and what plays, whatever the cloud does: {:?}", here(&venue));

    let (porter, _serving) = cloud_for(&venue).await;
    carries(&porter, &venue).await;
    let next = venue.claim(bar).await.pick.song.id;
    venue.pass(LONG).await;
    carries(&porter, &venue).await;
    let fresh = venue.claim(bar).await.pick.song.id;
    carries(&porter, &venue).await;
    assert!(!heard.contains(&next) || !heard.contains(&fresh), "others have come");
    assert!(here(&venue).iter().filter(|song| heard.contains(song)).count() <= 1, "and those are gone");
}

#[tokio::test]
async fn the_clouds_word_empties_the_disk_also_offline_and_lets_it_fill_again() {
    let (venue, here) = (Venue::empty().await, on_disk());
    hear_of(&venue, 40).await;
    let (porter, serving) = cloud_for(&venue).await;
    carries(&porter, &venue).await;
    assert_eq!(here(&venue).len(), 40);
    let bar = venue.player("bar").await.player.id;
    venue.claim(bar).await;
    let mut orders = venue.hub.player_commands(bar).skip(2);
    let word = |seq: i64, may: bool| {
        let settings = format!("{{\"licence\":{{\"offline_storage\":{may}}}}}");
        let (name, timezone) = ("Resonance".to_owned(), "UTC".to_owned());
        let news = VenueNews { name, timezone, penalty_hours: 4, crossfade_ms: 0, settings };
        let body = Some(encode_noun(&news).unwrap());
        Row { seq, kind: Kind::Venue.word().to_owned(), pk: Uuid::from_u128(9), body }
    };
    let store = SqliteStore::new(&venue.hub, HubId::from_uuid(Uuid::from_u128(5)));
    let cursor = |seq: i64| Cursor { seq, tag: 7 };
    store.apply(of_venue(), cursor(40), cursor(41), vec![word(41, false)]).await.unwrap();
    let order = orders.next().now_or_never().flatten().map(|order| order.kind);
    assert_eq!(order, Some(PlayerCommandKind::PlanChanged), "players are told at once");
    assert!(!venue.hub.player_plan(bar).unwrap().offline_storage);
    drop((porter, serving));
    let venue = venue.restart().await;
    let (porter, serving) = cloud_for(&venue).await;
    drop(serving);
    carries(&porter, &venue).await;
    assert!((3..=7).contains(&here(&venue).len()), "{:?}", here(&venue));
    let store = SqliteStore::new(&venue.hub, HubId::from_uuid(Uuid::from_u128(5)));
    store.apply(of_venue(), cursor(41), cursor(42), vec![word(42, true)]).await.unwrap();
    let (porter, _serving) = cloud_for(&venue).await;
    carries(&porter, &venue).await;
    assert_eq!(here(&venue).len(), 40);
}

#[tokio::test]
async fn what_was_imported_here_stays_also_when_the_cloud_has_it() {
    let licence = Licence { offline_storage: false, ..Licence::default() };
    let venue = Venue::with(|options| options.licence = licence).await.and_songs(50).await;
    for song in venue.hub.0.store.read(media_sync::all).await.unwrap() {
        venue.hub.0.store.write(move |tx| media_sync::verified(tx, song.sha256)).await.unwrap();
    }
    let (porter, _serving) = cloud_for(&venue).await;
    carries(&porter, &venue).await;
    assert_eq!((super::here(&venue).len(), venue.hub.counters().let_go.get()), (50, 0));
}
