//! The hub's database as the engine uses it, and the room above it.

use std::time::Duration;

use futures_util::StreamExt as _;
use roomtone_schema::id::Id as _;
use roomtone_schema::song::{Explicit, SongStatus};
use roomtone_schema::taste::{TasteState, fixed_unit};
use roomtone_schema::vote::VoteValue;
use roomtone_schema::{Embedding, HubId, OrganisationId, SongId, VenueId};
use roomtone_sync::digest;
use roomtone_sync::store::HubStore as _;
use roomtone_sync::wire::{
    Apart, CatalogueSong, Cursor, HeardAnswer, Kind, LoudnessFacts, Outcome, PlayerNews, Row, Scope,
    TasteNews, VenueSong, VolumeOrder, encode_noun,
};
use serde::Serialize;
use serde_bytes::ByteArray;
use uuid::Uuid;

use super::*;
use crate::hub::Hub;
use crate::hub::tests::venue::{NOON, Venue};
use crate::library::media_path;
use crate::locks::locked;
use crate::store::down_rows::{Here, Unstaging};
use crate::store::{dead_letters, down_rows, hub_state, link};
use crate::view::PlayerCommandKind;

mod first_songs;
mod guests;
mod keeping;
mod settings_live;
mod votes_go_first;

const ME: u128 = 77;

fn me() -> HubId {
    HubId::from_uuid(Uuid::from_u128(ME))
}

fn catalogue() -> Scope {
    Scope::Catalogue(OrganisationId(Uuid::from_u128(1)))
}

fn venue_scope() -> Scope {
    Scope::Venue(VenueId(Uuid::from_u128(2)))
}

fn at(seq: i64) -> Cursor {
    Cursor { seq, tag: seq * 7 }
}

fn pk(number: u128) -> Uuid {
    Uuid::from_u128(0x1000 + number)
}

fn song_id(number: u128) -> SongId {
    SongId::from_uuid(pk(number))
}

fn row(kind: Kind, pk: Uuid, seq: i64, noun: &impl Serialize) -> Row {
    Row { seq, kind: kind.word().to_owned(), pk, body: Some(encode_noun(noun).unwrap()) }
}

fn gone(kind: Kind, pk: Uuid, seq: i64) -> Row {
    Row { seq, kind: kind.word().to_owned(), pk, body: None }
}

fn noun(number: u128) -> CatalogueSong {
    let mut sha256 = [9; 32];
    sha256[..16].copy_from_slice(&number.to_be_bytes());
    CatalogueSong {
        status: SongStatus::Ready,
        sha256: ByteArray::new(sha256),
        bytes: 1_000,
        content_type: "audio/mpeg".to_owned(),
        stored: true,
        title: format!("Catalogue {number}"),
        artist: Some("Somebody".to_owned()),
        album: None,
        isrc: None,
        label: None,
        explicit: Explicit::Unknown,
        kind: None,
        duration_ms: 180_000,
        bpm: Some(120.0),
        key: None,
        loudness: LoudnessFacts {
            lufs: Some(-16.0),
            true_peak_dbtp: Some(f32::NAN),
            cue_in_ms: 0,
            cue_out_ms: 180_000,
        },
        embedding: Some([0.5, -0.25, 0.125, 0.1, -0.0]),
        embedding_version: 1,
        created_at: NOON,
    }
}

fn song(number: u128, seq: i64) -> Row {
    row(Kind::Song, pk(number), seq, &noun(number))
}

fn enabled(number: u128, seq: i64, enabled: bool) -> Row {
    row(Kind::VenueSong, pk(number), seq, &VenueSong { song: song_id(number), enabled })
}

/// The file of a song of the catalogue is here.
fn put_file(venue: &Venue, number: u128) {
    let path = media_path(&venue.hub.media_dir(), roomtone_schema::song::Sha256(*noun(number).sha256));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, b"a song").unwrap();
}

async fn playable(venue: &Venue) -> Vec<SongId> {
    venue.hub.settle().await;
    let mut songs: Vec<SongId> = venue.hub.0.library.as_it_is().songs.into_keys().collect();
    let shelf = venue.hub.0.library.shelf();
    songs.sort_unstable();
    assert!(songs.iter().all(|song| shelf.songs.contains_key(song)), "the shelf is as the songs are");
    assert_eq!(shelf.songs.len(), songs.len());
    songs
}

async fn link_of(venue: &Venue) -> SqliteStore {
    SqliteStore::new(&venue.hub, me())
}

#[tokio::test]
async fn songs_that_come_down_play_where_the_venue_has_them_and_their_file_is_here() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    for number in 1..=3 {
        put_file(&venue, number);
    }
    store.apply(venue_scope(), at(0), at(2), vec![enabled(1, 1, true), enabled(4, 2, true)]).await.unwrap();
    let songs = vec![song(1, 1), song(2, 2), song(3, 3), song(4, 4)];
    store.apply(catalogue(), at(0), at(4), songs).await.unwrap();
    assert_eq!(playable(&venue).await, [song_id(1)], "2 and 3 are not this venue's, 4 has no file");
    store.apply(venue_scope(), at(2), at(3), vec![enabled(3, 3, true)]).await.unwrap();
    assert_eq!(playable(&venue).await, [song_id(1), song_id(3)]);
    store.apply(venue_scope(), at(3), at(4), vec![gone(Kind::VenueSong, pk(1), 4)]).await.unwrap();
    assert_eq!(playable(&venue).await, [song_id(3)]);
    store.apply(catalogue(), at(4), at(5), vec![gone(Kind::Song, pk(3), 5)]).await.unwrap();
    assert_eq!(playable(&venue).await, []);
    let state = store.state().await.unwrap();
    assert_eq!(state.cursors, [(venue_scope(), at(4)), (catalogue(), at(5))]);
}

#[tokio::test]
async fn a_page_counts_once_and_only_where_the_cursor_is() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    let page = || vec![song(1, 1), song(2, 2)];
    store.apply(catalogue(), at(0), at(2), page()).await.unwrap();
    let before = store.digest(catalogue()).await.unwrap();
    store.apply(catalogue(), at(0), at(2), page()).await.unwrap();
    store.apply(catalogue(), Cursor { seq: 2, tag: 1 }, at(3), vec![song(3, 3)]).await.unwrap();
    assert_eq!(store.digest(catalogue()).await.unwrap(), before, "the tag is another one");
    let rows = [("song", pk(1), 1), ("song", pk(2), 2)];
    assert_eq!(before, digest::of_rows(rows));
    store.apply(catalogue(), at(2), at(4), vec![song(1, 4)]).await.unwrap();
    store.unstage(catalogue(), at(4), false).await.unwrap();
    assert_eq!(store.state().await.unwrap().cursors, [(catalogue(), at(4))]);
}

#[tokio::test]
async fn a_file_that_was_here_before_keeps_its_name_and_its_history() {
    let mut venue = Venue::empty().await;
    let own = venue.add(Some([0.1, 0.2, 0.3, 0.4, 0.5])).await;
    let facts = venue.hub.song(own).unwrap().facts.clone();
    let store = link_of(&venue).await;
    let known = CatalogueSong {
        sha256: ByteArray::new(facts.sha256.0),
        title: "As the cloud has it".to_owned(),
        ..noun(1)
    };
    let zone = venue.hub.main_zone();
    store.apply(catalogue(), at(0), at(1), vec![row(Kind::Song, pk(1), 1, &known)]).await.unwrap();
    assert_eq!(playable(&venue).await, [own], "it plays until it is told otherwise");
    assert_eq!(venue.hub.song(own).unwrap().facts.title, "As the cloud has it");
    assert!(venue.hub.song(song_id(1)).is_none(), "one file is one song");
    store.recall(HeardAnswer { heard: vec![(zone, song_id(1), NOON)] }).await.unwrap();
    let played = locked(&venue.hub.0.room(zone).unwrap().stage).played.clone();
    assert_eq!(played.get(&own), Some(&NOON));
    store.apply(venue_scope(), at(0), at(1), vec![enabled(1, 1, false)]).await.unwrap();
    assert_eq!(playable(&venue).await, []);
    store.apply(venue_scope(), at(1), at(2), vec![enabled(1, 2, true)]).await.unwrap();
    assert_eq!(playable(&venue).await, [own]);
    assert_eq!(
        store.scrub(100).await.unwrap(),
        0,
        "sums are those of the columns, also of a song with two names"
    );
}

#[tokio::test]
async fn what_the_hub_withdrew_stays_so_until_the_cloud_knows_of_it() {
    let mut venue = Venue::empty().await;
    let own = venue.add(Some([0.1, 0.2, 0.3, 0.4, 0.5])).await;
    let facts = venue.hub.song(own).unwrap().facts.clone();
    let store = link_of(&venue).await;
    let known = CatalogueSong { sha256: ByteArray::new(facts.sha256.0), ..noun(1) };
    store.apply(catalogue(), at(0), at(1), vec![row(Kind::Song, own.uuid(), 1, &known)]).await.unwrap();
    let play = |seq| row(Kind::VenueSong, own.uuid(), seq, &VenueSong { song: own, enabled: true });
    store.apply(venue_scope(), at(0), at(1), vec![play(1)]).await.unwrap();
    assert!(venue.hub.withdraw_song(own).await.unwrap());
    store.apply(venue_scope(), at(1), at(2), vec![play(2)]).await.unwrap();
    assert_eq!(playable(&venue).await, [], "the cloud could not know");
    let newest = store.state().await.unwrap().last_seq;
    store.acknowledge(newest, Vec::new()).await.unwrap();
    store.apply(venue_scope(), at(2), at(3), vec![play(3)]).await.unwrap();
    assert_eq!(playable(&venue).await, [own], "somebody at the cloud wants it after all");
}

#[tokio::test]
async fn what_is_staged_is_seen_when_all_of_it_is_in_place() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    for number in 1..=4 {
        put_file(&venue, number);
    }
    let all = (1..=4).map(|number| enabled(number, number as i64, true)).collect();
    store.apply(venue_scope(), at(0), at(4), all).await.unwrap();
    store.apply(catalogue(), at(0), at(9), vec![song(1, 1), song(9, 9)]).await.unwrap();
    assert_eq!(store.stage(catalogue(), "one".to_owned()).await.unwrap(), 0);
    store.stage_part(catalogue(), 0, vec![song(1, 1), song(2, 2)]).await.unwrap();
    assert_eq!(store.stage(catalogue(), "one".to_owned()).await.unwrap(), 1, "it goes on");
    store.stage_part(catalogue(), 1, vec![song(3, 3), song(4, 4)]).await.unwrap();
    assert_eq!(playable(&venue).await, [song_id(1)]);
    store.unstage(catalogue(), at(20), true).await.unwrap();
    assert_eq!(playable(&venue).await, [1, 2, 3, 4].map(song_id));
    let rows = (1..=4).map(|number| ("song", pk(number), number as i64));
    assert_eq!(store.digest(catalogue()).await.unwrap(), digest::of_rows(rows), "9 is gone");
    assert_eq!(venue.hub.song(song_id(9)).unwrap().status, SongStatus::Withdrawn);
    assert_eq!(store.stage(catalogue(), "two".to_owned()).await.unwrap(), 0);
    store.stage_part(catalogue(), 0, vec![song(1, 21)]).await.unwrap();
    assert_eq!(store.stage(catalogue(), "three".to_owned()).await.unwrap(), 0, "another name begins anew");
}

#[tokio::test]
async fn a_hub_that_ended_in_the_middle_of_it_opens_with_all_in_place() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    put_file(&venue, 1);
    put_file(&venue, 2);
    let all = vec![enabled(1, 1, true), enabled(2, 2, true)];
    store.apply(venue_scope(), at(0), at(2), all).await.unwrap();
    store.stage(catalogue(), "one".to_owned()).await.unwrap();
    store.stage_part(catalogue(), 0, vec![song(1, 1), song(2, 2)]).await.unwrap();
    let what = Unstaging { scope: catalogue(), to: at(2), whole: true };
    let half = down_rows::make_ready(vec![song(1, 1)]);
    let (here, manner) = (
        Here { me: me(), now: NOON, shift_ms: 0 },
        down_rows::Manner { scope: catalogue(), over: true, from: None, to: None },
    );
    venue
        .hub
        .store()
        .write(move |tx| {
            what.begin(tx)?;
            down_rows::write(tx, here, &manner, &half).map(drop)
        })
        .await
        .unwrap();
    drop(store);
    let venue = venue.restart().await;
    assert_eq!(playable(&venue).await, [song_id(1), song_id(2)]);
    let store = link_of(&venue).await;
    assert!(store.state().await.unwrap().cursors.contains(&(catalogue(), at(2))));
    assert_eq!(venue.hub.store().read(down_rows::unstaging).await.unwrap(), None);
}

#[tokio::test]
async fn kinds_and_nouns_that_are_not_known_count_in_the_digest_and_hold_up_nothing() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    let rows = vec![
        Row { seq: 1, kind: "poem".to_owned(), pk: pk(1), body: Some(vec![1, 2]) },
        Row { seq: 2, kind: "song".to_owned(), pk: pk(2), body: Some(vec![0xc1]) },
        song(3, 3),
    ];
    store.apply(catalogue(), at(0), at(3), rows).await.unwrap();
    let expected = [("poem", pk(1), 1), ("song", pk(2), 2), ("song", pk(3), 3)];
    assert_eq!(store.digest(catalogue()).await.unwrap(), digest::of_rows(expected));
    assert!(venue.hub.song(song_id(3)).is_some());
    store.note_revision("song".to_owned(), 1).await.unwrap();
    store
        .replace(catalogue(), vec!["song".to_owned()], Vec::new(), vec![song(2, 2), song(3, 3)], None)
        .await
        .unwrap();
    assert!(venue.hub.song(song_id(2)).is_some(), "the same version is taken again");
    assert_eq!(store.digest(catalogue()).await.unwrap(), digest::of_rows(expected));
    assert_eq!(store.state().await.unwrap().revisions, [("song".to_owned(), 1)]);
}

#[tokio::test]
async fn a_damaged_row_is_found_and_mended_by_its_bucket_alone() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    let all = || (1..=50).map(|number| song(number, number as i64)).collect::<Vec<_>>();
    store.apply(catalogue(), at(0), at(50), all()).await.unwrap();
    let sound = store.digest(catalogue()).await.unwrap();
    venue.hub.store().write(|tx| down_rows::spoil(tx, song_id(7))).await.unwrap();
    let mut found = 0;
    for _ in 0..6 {
        found += store.scrub(10).await.unwrap();
    }
    assert_eq!(found, 1);
    let bad = digest::differing(&store.digest(catalogue()).await.unwrap(), &sound);
    assert_eq!(bad, [digest::bucket_of(pk(7))]);
    let rows = all().into_iter().filter(|row| bad.contains(&digest::bucket_of(row.pk))).collect();
    store.replace(catalogue(), Vec::new(), bad, rows, None).await.unwrap();
    assert_eq!(store.digest(catalogue()).await.unwrap(), sound);
    assert_eq!(venue.hub.song(song_id(7)).unwrap().facts.title, "Catalogue 7");
}

#[tokio::test]
async fn a_row_that_is_gone_from_its_bucket_goes_here_too() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    store.apply(catalogue(), at(0), at(2), vec![song(1, 1), song(2, 2)]).await.unwrap();
    let bucket = digest::bucket_of(pk(1));
    store.replace(catalogue(), Vec::new(), vec![bucket], Vec::new(), Some(at(5))).await.unwrap();
    let left = (1..=2)
        .filter(|number| digest::bucket_of(pk(*number)) != bucket)
        .map(|number| ("song", pk(number), number as i64));
    assert_eq!(store.digest(catalogue()).await.unwrap(), digest::of_rows(left));
    assert_eq!(store.state().await.unwrap().cursors, [(catalogue(), at(5))]);
}

#[tokio::test]
async fn a_taste_is_the_clouds_and_what_was_said_here_since() {
    let venue = Venue::with_songs(3).await;
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, venue.songs[0], VoteValue::Like).await.unwrap();
    let store = link_of(&venue).await;
    let folded = store.state().await.unwrap().last_seq;
    venue.vote(&ana, venue.songs[1], VoteValue::Dislike).await.unwrap();
    let unit = |song: SongId| fixed_unit(&venue.hub.song(song).unwrap().facts.embedding.unwrap());
    let elsewhere = fixed_unit(&Embedding::new([1.0, 0.0, 0.0, 0.0, 0.0]).unwrap());
    let mut cloud = TasteState::default();
    cloud.add(VoteValue::Like, &unit(venue.songs[0]));
    cloud.add(VoteValue::Like, &elsewhere);
    let news = |folded: i64, state: TasteState| TasteNews {
        version: 1,
        n_like: state.n_like,
        sum_like: state.sum_like,
        n_dislike: state.n_dislike,
        sum_dislike: state.sum_dislike,
        folded: vec![(me(), 1, folded)],
    };
    let listener = ana.listener.uuid();
    let told = row(Kind::Taste, listener, 1, &news(folded, cloud));
    store.apply(venue_scope(), at(0), at(1), vec![told]).await.unwrap();
    let shown = || locked(&venue.hub.0.people).listener(ana.listener).unwrap().state;
    let mut expected = cloud;
    expected.add(VoteValue::Dislike, &unit(venue.songs[1]));
    assert_eq!(shown(), expected);
    // A vote replaces one that is in the cloud's sums.
    venue.clock.advance(Duration::from_mins(2));
    venue.vote(&ana, venue.songs[0], VoteValue::Dislike).await.unwrap();
    expected.remove(VoteValue::Like, &unit(venue.songs[0]));
    expected.add(VoteValue::Dislike, &unit(venue.songs[0]));
    assert_eq!(shown(), expected);
    // The same sums again, as a page that is read anew brings them: nothing is counted twice.
    let again = row(Kind::Taste, listener, 2, &news(folded, cloud));
    store.apply(venue_scope(), at(1), at(2), vec![again]).await.unwrap();
    assert_eq!(shown(), expected);
    let newest = store.state().await.unwrap().last_seq;
    let all = row(Kind::Taste, listener, 3, &news(newest, expected));
    store.apply(venue_scope(), at(2), at(3), vec![all]).await.unwrap();
    assert_eq!(shown(), expected);
}

#[tokio::test]
async fn facts_go_up_in_order_and_what_is_kept_apart_is_shown_and_sent_again() {
    let venue = Venue::with_songs(3).await;
    let store = link_of(&venue).await;
    let state = store.state().await.unwrap();
    assert_eq!((state.acked, state.oldest, state.acked_chain), (0, 1, Some([0; 32])));
    let (before, facts) = store.facts_after(0, 2, usize::MAX).await.unwrap();
    assert_eq!((before, facts.len()), ([0; 32], 2));
    let (_, small) = store.facts_after(0, 500, 1).await.unwrap();
    assert_eq!(small.len(), 1, "one fact goes, however large it is");
    let reason = "unknown song".to_owned();
    let apart = Apart { seq: 1, outcome: Outcome::Rejected, reason };
    store.acknowledge(2, vec![(apart, facts[0].clone())]).await.unwrap();
    let state = store.state().await.unwrap();
    assert_eq!(state.acked, 2);
    let (link, _) = store.facts_after(2, 500, usize::MAX).await.unwrap();
    assert_eq!(Some(link), state.acked_chain);
    assert_eq!(link, roomtone_sync::chain::link_behind(&[0; 32], &facts));
    let letter = venue.hub.dead_letters().await.unwrap().remove(0);
    assert_eq!((letter.seq, letter.reason.as_str(), letter.is_parked), (1, "unknown song", false));
    venue.hub.tick().await.unwrap();
    let key = crate::secrets::new_id(NOON);
    for _ in 0..2 {
        let sent = venue.hub.decide(key, letter.id, crate::dead_letters::Decision::Retry).await.unwrap();
        assert_eq!(sent.id, letter.id);
    }
    assert_eq!(store.state().await.unwrap().last_seq, state.last_seq + 1, "a repeated request sends it once");
    let (_, again) = store.facts_after(state.last_seq, 1, usize::MAX).await.unwrap();
    assert_eq!(again[0].payload, facts[0].payload);
    assert_eq!(venue.hub.store().read(dead_letters::count).await.unwrap(), 0);
}

#[tokio::test]
async fn an_epoch_goes_on_behind_what_the_cloud_has_and_may_go_back() {
    let venue = Venue::with_songs(4).await;
    let store = link_of(&venue).await;
    store.acknowledge(3, Vec::new()).await.unwrap();
    store.acknowledge(1, Vec::new()).await.unwrap();
    assert_eq!(store.state().await.unwrap().acked, 3, "an answer that comes late moves nothing back");
    store.go_on_from(1, 2).await.unwrap();
    assert_eq!(store.state().await.unwrap().acked, 2, "a cloud that was restored has less");
    store.go_on_from(5, 3).await.unwrap();
    let state = store.state().await.unwrap();
    assert_eq!((state.epoch, state.acked), (5, 3));
    assert_eq!(
        venue.hub.store().read(|conn| hub_state::get(conn, hub_state::EPOCH_START)).await.unwrap(),
        Some(3_i64)
    );
}

#[tokio::test]
async fn a_copy_elsewhere_knows_that_it_was_moved() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    assert!(!store.state().await.unwrap().moved, "nobody has looked yet");
    store.settle_instance(Uuid::from_u128(5)).await.unwrap();
    let state = store.state().await.unwrap();
    assert_eq!((state.predecessor, state.moved), (Some(Uuid::from_u128(5)), false));
    assert_eq!(store.begin(Uuid::from_u128(6)).await.unwrap(), Uuid::from_u128(6), "the next run");
    let folder = tempfile::tempdir().unwrap();
    venue.hub.store().backup_to(&folder.path().join("hub.db")).unwrap();
    let options = crate::hub::HubOptions { data: folder.path().to_owned(), ..venue.options.clone() };
    let copy = Hub::open(options, venue.clock.clone()).await.unwrap();
    let copy = SqliteStore::new(&copy, me());
    assert!(copy.state().await.unwrap().moved);
    assert_eq!(copy.begin(Uuid::from_u128(7)).await.unwrap(), Uuid::from_u128(7), "nobody's other half");
}

#[tokio::test]
async fn a_run_that_was_never_noted_as_welcomed_is_gone_on_with() {
    let venue = Venue::empty().await;
    let [first, second, third] = [1, 2, 3].map(Uuid::from_u128);
    assert_eq!(link_of(&venue).await.begin(first).await.unwrap(), first);
    let venue = venue.restart().await;
    let store = link_of(&venue).await;
    assert_eq!(store.begin(second).await.unwrap(), first, "the cloud may have welcomed it");
    store.settle_instance(first).await.unwrap();
    let venue = venue.restart().await;
    assert_eq!(link_of(&venue).await.begin(third).await.unwrap(), third, "what was welcomed has ended");
}

#[tokio::test]
async fn a_player_that_a_manager_renames_or_sends_away_follows() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    let added = venue.hub.add_player("bar".to_owned(), None, None).await.unwrap();
    let news = |name: &str, revoked| PlayerNews { name: name.to_owned(), zone: None, revoked, volume: None };
    let told = |seq, noun| row(Kind::Player, added.player.id.uuid(), seq, &noun);
    store.apply(venue_scope(), at(0), at(1), vec![told(1, news("counter", false))]).await.unwrap();
    assert_eq!(venue.hub.player_named("counter"), Some(added.player.id));
    store.apply(venue_scope(), at(1), at(2), vec![told(2, news("counter", true))]).await.unwrap();
    assert_eq!(venue.hub.player_by_token(&added.token), None);
}

#[tokio::test]
async fn a_volume_from_the_cloud_is_followed_once_and_what_is_turned_here_afterwards_holds() {
    let venue = Venue::empty().await;
    let store = link_of(&venue).await;
    let added = venue.hub.add_player("bar".to_owned(), None, None).await.unwrap();
    let player = added.player.id;
    let told = |seq, name: &str, volume: Option<(u8, i64)>| {
        let volume = volume.map(|(percent, number)| VolumeOrder { percent, number });
        let news = PlayerNews { name: name.to_owned(), zone: None, revoked: false, volume };
        row(Kind::Player, player.uuid(), seq, &news)
    };
    let volume_of = async |store: &SqliteStore| {
        store.present().await.unwrap().players[0].volume.map(|volume| (volume.percent, volume.number))
    };
    assert_eq!(volume_of(&store).await, Some((100, 0)));
    let mut orders = Box::pin(venue.hub.player_commands(player));
    let mut ordered = async || orders.next().await.and_then(|order| order.volume);
    assert_eq!(ordered().await, Some(1.0));
    store.apply(venue_scope(), at(0), at(1), vec![told(1, "bar", Some((40, 1_000)))]).await.unwrap();
    assert_eq!(volume_of(&store).await, Some((40, 1_000)));
    while ordered().await != Some(0.4) {}

    venue.hub.command(player, PlayerCommandKind::Volume, Some(0.7)).await.unwrap();
    let holds = Some((70, 1_000));
    // A name that comes, the same row fetched anew, an older order of a cloud that was restored: none turns it back.
    store.apply(venue_scope(), at(1), at(2), vec![told(2, "counter", Some((40, 1_000)))]).await.unwrap();
    assert_eq!(volume_of(&store).await, holds);
    let again = vec![told(2, "counter", Some((40, 1_000)))];
    store.replace(venue_scope(), vec![], vec![], again, Some(at(2))).await.unwrap();
    assert_eq!(volume_of(&store).await, holds);
    store.apply(venue_scope(), at(2), at(3), vec![told(3, "counter", Some((10, 999)))]).await.unwrap();
    assert_eq!(volume_of(&store).await, holds);
    store.apply(venue_scope(), at(3), at(4), vec![told(4, "counter", None)]).await.unwrap();
    assert_eq!(volume_of(&store).await, holds);

    drop(orders);
    let venue = venue.restart().await;
    let store = link_of(&venue).await;
    assert_eq!(volume_of(&store).await, holds);
    store.stage(venue_scope(), "anew".to_owned()).await.unwrap();
    store.stage_part(venue_scope(), 0, vec![told(5, "counter", Some((40, 1_000)))]).await.unwrap();
    store.unstage(venue_scope(), at(5), true).await.unwrap();
    assert_eq!(volume_of(&store).await, holds, "also after a fresh start from a snapshot");
    store.apply(venue_scope(), at(5), at(6), vec![told(6, "counter", Some((25, 1_001)))]).await.unwrap();
    assert_eq!(volume_of(&store).await, Some((25, 1_001)));
    assert_eq!(store.scrub(1_000).await.unwrap(), 0);
}

#[tokio::test]
async fn a_hub_that_leaves_its_cloud_keeps_its_own_songs_and_facts() {
    let mut venue = Venue::empty().await;
    let own = venue.add(Some([0.1, 0.2, 0.3, 0.4, 0.5])).await;
    let store = link_of(&venue).await;
    put_file(&venue, 1);
    store.apply(catalogue(), at(0), at(1), vec![song(1, 1)]).await.unwrap();
    store.apply(venue_scope(), at(0), at(1), vec![enabled(1, 1, true)]).await.unwrap();
    assert_eq!(playable(&venue).await.len(), 2);
    venue.hub.store().write(link::forget).await.unwrap();
    let venue = venue.restart().await;
    assert_eq!(playable(&venue).await, [own]);
    let state = link_of(&venue).await.state().await.unwrap();
    assert_eq!((state.acked, state.cursors), (0, Vec::new()));
}
