//! Guests who came by the cloud's page, on the hub.

use roomtone_schema::licence::Licence;
use roomtone_schema::session::SessionStatus;
use roomtone_schema::{DeviceId, ListenerId, SessionId, VoteId};
use roomtone_sync::wire::{GuestSession, GuestSkip, GuestVote};

use super::*;
use crate::hub::tests::venue::{SONG, along, key};
use crate::store::{outbox, sessions, votes};

fn guest(number: u128) -> GuestSession {
    GuestSession {
        listener: ListenerId::from_uuid(Uuid::from_u128(0x2000 + number)),
        device: DeviceId::from_uuid(Uuid::from_u128(0x3000 + number)),
        zone: "main".to_owned(),
        display_name: Some("Ada".to_owned()),
        status: SessionStatus::Active,
        checked_in_at: NOON,
        last_seen_at: NOON,
        expires_at: NOON + Duration::from_hours(12),
    }
}

fn came(number: u128, seq: i64) -> Row {
    row(Kind::GuestSession, pk(number), seq, &guest(number))
}

fn vote_of(number: u128, vote: u128, song: SongId, value: VoteValue, after_s: u64, seq: i64) -> Row {
    let noun = GuestVote {
        session: SessionId::from_uuid(pk(number)),
        listener: guest(number).listener,
        song,
        value,
        cast_at: NOON + Duration::from_secs(after_s),
    };
    row(Kind::GuestVote, Uuid::from_u128(0x4000 + vote), seq, &noun)
}

fn skip_of(number: u128, song: SongId, after_s: u64, seq: i64) -> Row {
    let noun = GuestSkip {
        session: SessionId::from_uuid(pk(number)),
        song,
        cast_at: NOON + Duration::from_secs(after_s),
    };
    row(Kind::GuestSkip, Uuid::from_u128(0x5000 + u128::from(seq.cast_unsigned())), seq, &noun)
}

/// A room of three who came by the cloud, in which two votes skip, and what plays there since a second.
async fn room_that_plays(licence: Licence) -> (Venue, SqliteStore, SongId) {
    let venue = Venue::with(|options| {
        options.licence = licence;
        (options.zones[0].1.skip_share, options.zones[0].1.skip_min) = (0.5, 2);
    });
    let venue = venue.await.and_songs(20).await;
    let store = link_of(&venue).await;
    store.apply(venue_scope(), at(0), at(3), (1..=3).map(|n| came(n, n as i64)).collect()).await.unwrap();
    let bar = venue.player("bar").await.player.id;
    let song = venue.claim(bar).await.pick.song.id;
    venue.pass(Duration::from_secs(1)).await;
    (venue, store, song)
}

/// What plays, how many want to skip it, and how many it takes, as the room sees it.
fn skips(venue: &Venue) -> (SongId, u32, u32) {
    let now = venue.now_playing().unwrap();
    (now.pick.song.id, now.skip_votes, now.skip_votes_needed)
}

/// The same as the cloud is told.
async fn skips_told(store: &SqliteStore) -> Option<(u32, u32)> {
    let [room] = store.present().await.unwrap().rooms.try_into().unwrap();
    room.now.map(|now| (now.skip_votes, now.skip_votes_needed))
}

/// A room with two songs that point opposite ways, and its link; time has gone on for a minute.
async fn room() -> (Venue, SqliteStore, [SongId; 2]) {
    let mut venue = Venue::empty().await;
    let songs = [venue.add(Some(along(0, 1.0))).await, venue.add(Some(along(0, -1.0))).await];
    venue.pass(Duration::from_mins(1)).await;
    let store = link_of(&venue).await;
    (venue, store, songs)
}

async fn told(venue: &Venue) -> Vec<String> {
    let facts = venue.hub.store().read(|conn| outbox::after(conn, 0, 100)).await.unwrap();
    let of_people = facts.into_iter().map(|fact| format!("{:?}", fact.kind));
    of_people.filter(|kind| kind.starts_with("Session") || kind.starts_with("Vote")).collect()
}

fn energy(venue: &Venue) -> f64 {
    venue.hub.0.show_vibe(venue.hub.0.room(venue.hub.main_zone()).unwrap());
    venue.vibe().axes[0]
}

#[tokio::test]
async fn who_came_by_the_cloud_is_one_more_in_the_room_and_their_vote_moves_it() {
    let (venue, store, [up, down]) = room().await;
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, up, VoteValue::Like).await.unwrap();
    let alone = energy(&venue);
    store.apply(venue_scope(), at(0), at(1), vec![came(1, 1)]).await.unwrap();
    assert_eq!(venue.vibe().active_listeners, 2);
    let beside_a_silent_one = energy(&venue);
    assert!(beside_a_silent_one < alone, "who has said nothing yet counts as a person");
    let vote = vote_of(1, 1, down, VoteValue::Like, 30, 2);
    store.apply(venue_scope(), at(1), at(2), vec![vote]).await.unwrap();
    assert!(energy(&venue) < 0.05 && energy(&venue) > -0.05, "one against one: {}", energy(&venue));
}

#[tokio::test]
async fn what_comes_twice_counts_once_and_is_told_once() {
    let (venue, store, [up, _]) = room().await;
    let rows = || vec![came(1, 1), vote_of(1, 1, up, VoteValue::Like, 30, 2)];
    store.apply(venue_scope(), at(0), at(2), rows()).await.unwrap();
    let once = (venue.vibe().active_listeners, energy(&venue), told(&venue).await);
    assert_eq!((once.0, once.2.clone()), (1, vec!["SessionStarted".to_owned(), "VoteCast".to_owned()]));
    // A bucket that differed is fetched anew, versions or not.
    store.replace(venue_scope(), Vec::new(), (0..=255).collect(), rows(), None).await.unwrap();
    assert_eq!((venue.vibe().active_listeners, energy(&venue), told(&venue).await), once);
    let venue = venue.restart().await;
    let store = link_of(&venue).await;
    store.replace(venue_scope(), Vec::new(), (0..=255).collect(), rows(), None).await.unwrap();
    venue.hub.settle().await;
    assert_eq!((venue.vibe().active_listeners, energy(&venue), told(&venue).await), once);
}

#[tokio::test]
async fn votes_count_by_when_they_were_cast_in_whatever_order_they_come() {
    let (venue, store, [up, _]) = room().await;
    let like = || vote_of(1, 1, up, VoteValue::Like, 10, 2);
    let dislike = || vote_of(1, 2, up, VoteValue::Dislike, 20, 3);
    store.apply(venue_scope(), at(0), at(3), vec![came(1, 1), dislike()]).await.unwrap();
    let before = energy(&venue);
    store
        .replace(venue_scope(), Vec::new(), (0..=255).collect(), vec![came(1, 1), like(), dislike()], None)
        .await
        .unwrap();
    assert_eq!(energy(&venue).to_bits(), before.to_bits());
    assert_eq!(told(&venue).await, ["SessionStarted", "VoteCast", "VoteCast"], "history has both");
    let listener = guest(1).listener;
    let counting = venue.hub.store().read(move |conn| votes::effective(conn, listener)).await.unwrap();
    assert_eq!(counting.iter().map(|vote| vote.value).collect::<Vec<_>>(), [VoteValue::Dislike]);
    assert_eq!(counting[0].id, VoteId::from_uuid(Uuid::from_u128(0x4002)));
}

#[tokio::test]
async fn a_vote_for_a_song_that_has_not_come_yet_waits_for_it() {
    let (venue, store, _) = room().await;
    let vote = vote_of(1, 1, song_id(9), VoteValue::Like, 30, 2);
    store.apply(venue_scope(), at(0), at(2), vec![came(1, 1), vote]).await.unwrap();
    assert_eq!(told(&venue).await, ["SessionStarted"]);
    let enrolled = venue.hub.0.enrolment.read().unwrap().is_none();
    assert!(enrolled, "a hub without a cloud has nothing that waits");
    venue.hub.0.bring_in_waiting_votes_of(me()).await.unwrap();
    assert_eq!(told(&venue).await, ["SessionStarted"]);
    store.apply(catalogue(), at(0), at(1), vec![song(9, 1)]).await.unwrap();
    venue.hub.0.bring_in_waiting_votes_of(me()).await.unwrap();
    assert_eq!(told(&venue).await, ["SessionStarted", "VoteCast"]);
    assert!(energy(&venue) > 0.0);
}

#[tokio::test]
async fn who_leaves_by_the_cloud_is_gone_and_who_falls_silent_runs_out() {
    let (venue, store, _) = room().await;
    store.apply(venue_scope(), at(0), at(2), vec![came(1, 1), came(2, 2)]).await.unwrap();
    assert_eq!(venue.vibe().active_listeners, 2);
    let left = GuestSession { status: SessionStatus::Ended, ..guest(1) };
    store.apply(venue_scope(), at(2), at(3), vec![row(Kind::GuestSession, pk(1), 3, &left)]).await.unwrap();
    assert_eq!(venue.vibe().active_listeners, 1);
    // A sign of life after two hours keeps the other one for three more.
    venue.pass(Duration::from_hours(2)).await;
    let seen = GuestSession { last_seen_at: NOON + Duration::from_hours(2), ..guest(2) };
    store.apply(venue_scope(), at(3), at(4), vec![row(Kind::GuestSession, pk(2), 4, &seen)]).await.unwrap();
    venue.pass(Duration::from_hours(2)).await;
    venue.hub.tick().await.unwrap();
    assert_eq!(venue.vibe().active_listeners, 1);
    venue.pass(Duration::from_hours(2)).await;
    venue.hub.tick().await.unwrap();
    assert_eq!(venue.vibe().active_listeners, 0);
    let found = venue
        .hub
        .store()
        .read(|conn| {
            let of = |number| sessions::by_id(conn, SessionId::from_uuid(pk(number)));
            Ok([of(1)?, of(2)?].map(|session| session.unwrap().status))
        })
        .await
        .unwrap();
    assert_eq!(found, [SessionStatus::Ended, SessionStatus::Expired]);
    assert_eq!(told(&venue).await, ["SessionStarted", "SessionStarted", "SessionEnded", "SessionEnded"]);
}

#[tokio::test]
async fn who_came_and_went_while_the_hub_was_away_is_history_and_their_vote_with_them() {
    let (venue, store, [up, _]) = room().await;
    let gone = GuestSession { status: SessionStatus::Ended, ..guest(1) };
    let rows = vec![row(Kind::GuestSession, pk(1), 1, &gone), vote_of(1, 1, up, VoteValue::Like, 30, 2)];
    store.apply(venue_scope(), at(0), at(2), rows).await.unwrap();
    assert_eq!(venue.vibe().active_listeners, 0);
    assert_eq!(told(&venue).await, ["SessionStarted", "SessionEnded", "VoteCast"]);
}

#[tokio::test]
async fn a_row_that_is_trimmed_takes_nothing_back_and_a_zone_that_is_not_here_gets_nobody() {
    let (venue, store, [up, _]) = room().await;
    let elsewhere = GuestSession { zone: "cellar".to_owned(), ..guest(2) };
    let rows = vec![
        came(1, 1),
        row(Kind::GuestSession, pk(2), 2, &elsewhere),
        vote_of(1, 1, up, VoteValue::Like, 30, 3),
        vote_of(2, 2, up, VoteValue::Dislike, 30, 4),
    ];
    store.apply(venue_scope(), at(0), at(4), rows).await.unwrap();
    let before = (venue.vibe().active_listeners, energy(&venue));
    assert_eq!(before.0, 1);
    let trimmed = vec![gone(Kind::GuestSession, pk(1), 5), gone(Kind::GuestVote, Uuid::from_u128(0x4001), 6)];
    store.apply(venue_scope(), at(4), at(6), trimmed).await.unwrap();
    assert_eq!((venue.vibe().active_listeners, energy(&venue)), before);
}

#[tokio::test]
async fn a_hub_that_only_the_cloud_tells_of_guests_says_so() {
    let (venue, store, _) = room().await;
    let rows = (1..=3).map(|number| came(number, number as i64)).collect();
    assert!(!venue.hub.health().guests_cut_off);
    store.apply(venue_scope(), at(0), at(3), rows).await.unwrap();
    assert!(venue.hub.health().guests_cut_off);
    assert!(store.present().await.unwrap().guests_cut_off, "the cloud is told");
    venue.hub.phone_was_here();
    assert!(!store.present().await.unwrap().guests_cut_off);
    assert!(!venue.hub.health().guests_cut_off);
}

#[tokio::test]
async fn staff_at_the_cloud_are_told_what_comes_next_also_where_listeners_are_not() {
    for is_shown in [true, false] {
        let venue =
            Venue::with(|options| options.zones[0].1.show_up_next = is_shown).await.and_songs(8).await;
        let bar = venue.player("bar").await;
        let plays = venue.plays(bar.player.id, 1).await;
        let store = link_of(&venue).await;
        let [room] = store.present().await.unwrap().rooms.try_into().unwrap();
        assert_eq!(room.now.map(|now| now.song), Some(plays[0]));
        assert_eq!(room.ahead.len(), 5, "as many as are told");
        assert!(!room.ahead.contains(&plays[0]));
        assert_eq!(room.next, if is_shown { room.ahead } else { Vec::new() });
    }
}

#[tokio::test]
async fn who_came_by_the_cloud_skips_with_the_room_and_one_phone_does_not() {
    let (venue, store, song) = room_that_plays(Licence::default()).await;
    assert_eq!((skips(&venue), skips_told(&store).await), ((song, 0, 2), Some((0, 2))));
    // The same person twice, and the same rows again: one wish.
    let wishes = || vec![skip_of(1, song, 1, 4), skip_of(1, song, 1, 5)];
    store.apply(venue_scope(), at(3), at(5), wishes()).await.unwrap();
    store.replace(venue_scope(), Vec::new(), (0..=255).collect(), wishes(), None).await.unwrap();
    assert_eq!((skips(&venue), skips_told(&store).await), ((song, 1, 2), Some((1, 2))));
    // It is written down: a hub that is started anew has it still.
    let venue = venue.restart().await;
    venue.hub.0.show_now_playing(venue.hub.0.room(venue.hub.main_zone()).unwrap());
    assert_eq!(skips(&venue), (song, 1, 2));
    let store = link_of(&venue).await;
    store.apply(venue_scope(), at(5), at(6), vec![skip_of(2, song, 1, 6)]).await.unwrap();
    venue.hub.settle().await;
    assert_ne!(venue.now_playing().map(|now| now.pick.song.id), Some(song), "two of three is enough");
    assert_eq!(told(&venue).await, ["SessionStarted"; 3], "a wish is of the moment, and no history");
}

#[tokio::test]
async fn phones_at_home_do_not_skip_over_the_heads_of_those_who_are_in_the_room() {
    let (venue, store, song) = room_that_plays(Licence::default()).await;
    let ana = venue.check_in("ana").await;
    let wishes = (1..=3).map(|n| skip_of(n, song, 1, 3 + n as i64)).collect();
    store.apply(venue_scope(), at(3), at(6), wishes).await.unwrap();
    venue.hub.settle().await;
    assert_eq!(skips(&venue), (song, 3, 4), "all of them, and the one who is in reach has not said so");
    venue.hub.vote_to_skip(&ana, key()).await.unwrap();
    assert_ne!(venue.now_playing().map(|now| now.pick.song.id), Some(song));
}

#[tokio::test]
async fn a_wish_for_what_does_not_play_any_more_and_of_somebody_who_is_not_here_is_none() {
    let (venue, store, song) = room_that_plays(Licence::default()).await;
    let other = *venue.songs.iter().find(|other| **other != song).unwrap();
    let left = GuestSession { status: SessionStatus::Ended, ..guest(2) };
    let rows = vec![
        skip_of(1, other, 1, 4),
        row(Kind::GuestSession, pk(2), 5, &left),
        skip_of(2, song, 1, 6),
        skip_of(9, song, 1, 7),
    ];
    store.apply(venue_scope(), at(3), at(7), rows).await.unwrap();
    assert_eq!(skips(&venue).1, 0);
    // The song plays again hours later; a wish of its first time was on its way for so long.
    venue.pass(SONG).await;
    let bar = venue.hub.players().borrow()[0].player.id;
    while venue.claim(bar).await.pick.song.id != song {
        venue.pass(SONG).await;
    }
    venue.pass(Duration::from_secs(1)).await;
    store.apply(venue_scope(), at(7), at(8), vec![came(4, 8)]).await.unwrap();
    let late = venue.hub.now().since(NOON).as_secs();
    store.apply(venue_scope(), at(8), at(9), vec![skip_of(4, song, 1, 9)]).await.unwrap();
    assert_eq!(skips(&venue).1, 0, "it was for another time");
    store.apply(venue_scope(), at(9), at(10), vec![skip_of(4, song, late, 10)]).await.unwrap();
    assert_eq!(skips(&venue).1, 1);
}

#[tokio::test]
async fn where_the_licence_allows_no_skip_nobody_at_the_cloud_is_asked_for_one() {
    let none = Licence { skips_per_hour: Some(0), ..Licence::default() };
    let (venue, store, song) = room_that_plays(none).await;
    assert_eq!(skips_told(&store).await, Some((0, 0)));
    let wishes = vec![skip_of(1, song, 1, 4), skip_of(2, song, 1, 5), skip_of(3, song, 1, 6)];
    store.apply(venue_scope(), at(3), at(6), wishes).await.unwrap();
    venue.hub.settle().await;
    assert_eq!(venue.now_playing().map(|now| now.pick.song.id), Some(song), "it plays on");
}

/// Fails after a minute rather than never.
async fn is_told(venue: &Venue, change: impl Future<Output = ()>) {
    let told = async {
        change.await;
        venue.hub.settle().await;
        venue.hub.0.news.notified().await;
    };
    tokio::select! {
        biased;
        never = venue.hub.0.keep_telling() => panic!("{never:?}"),
        told = tokio::time::timeout(Duration::from_mins(1), told) => told.expect("a change is told"),
    }
}

#[tokio::test]
async fn whatever_a_zone_shows_is_told_to_the_cloud_when_it_changes() {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    is_told(&venue, async {
        venue.claim(bar).await;
    })
    .await;
    let ana = venue.check_in("ana").await;
    is_told(&venue, async {
        venue.vote(&ana, venue.songs[3], VoteValue::Like).await.unwrap();
    })
    .await;
    is_told(&venue, async {
        venue.hub.vote_to_skip(&ana, key()).await.unwrap();
    })
    .await;
    is_told(&venue, async { venue.hub.0.set_volume(bar, 0.5).await.unwrap() }).await;
}
