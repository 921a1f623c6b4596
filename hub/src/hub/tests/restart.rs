//! What a restart keeps: everything.

use std::time::Duration;

use roomtone_schema::UnixMillis;
use roomtone_schema::vote::VoteValue::Like;

use super::venue::{SONG, Venue, key};
use crate::check_in::NoViewer;
use crate::store::{hub_state, outbox};

#[tokio::test]
async fn a_restart_keeps_people_votes_music_and_who_the_hub_is() {
    let venue = Venue::with_songs(30).await;
    let (hub, zone, secret) = (venue.hub.id(), venue.hub.main_zone(), venue.hub.secret("x"));
    let bar = venue.player("bar").await.player.id;
    let checked_in = venue.try_check_in(|_| {}).await.unwrap();
    let ana = venue.hub.viewer(&checked_in.token).unwrap();
    let ben = venue.check_in("ben").await;
    let gone = venue.try_check_in(|_| {}).await.unwrap();
    let left = venue.hub.viewer(&gone.token).unwrap();
    venue.hub.check_out(&left, key()).await.unwrap();
    venue.vote(&ana, venue.songs[4], Like).await.unwrap();
    let heard = venue.plays(bar, 5).await;
    let playing = venue.claim(bar).await.pick;
    let code = venue.hub.room_code(zone).unwrap();
    venue.hub.vote_to_skip(&ana, key()).await.unwrap();
    venue.pass(Duration::from_mins(1)).await;
    let (vibe, ahead) = (venue.vibe(), venue.up_next());

    let venue = venue.restart().await;
    assert_eq!((venue.hub.id(), venue.hub.main_zone(), venue.hub.secret("x")), (hub, zone, secret));
    assert_eq!(venue.hub.room_code(zone).unwrap(), code);
    assert_eq!(venue.hub.viewer(&checked_in.token).unwrap(), ana);
    assert_eq!(venue.hub.viewer(&gone.token), Err(NoViewer::Expired));
    assert!(venue.hub.is_active(ben.session));
    assert_eq!(venue.vibe().active_listeners, 2);
    assert_eq!(venue.hub.viewer_votes(&ana).len(), 1);
    for (axis, before) in venue.vibe().axes.iter().zip(vibe.axes) {
        assert!((axis - before).abs() < 0.05, "{axis} {before}");
    }
    let now = venue.now_playing().unwrap();
    assert_eq!((now.pick.id, now.position_ms, now.skip_votes), (playing.id, 60_000, 1));
    assert!((now.pick.explanation.similarity - playing.explanation.similarity).abs() < 1e-9);
    let ids = |songs: &[crate::view::Recommendation]| songs.iter().map(|one| one.song.id).collect::<Vec<_>>();
    assert_eq!(ids(&venue.up_next())[0], ids(&ahead)[0], "the plan goes on as it was");
    venue.pass(SONG.saturating_sub(Duration::from_mins(1))).await;
    let next = venue.plays(bar, 5).await;
    assert!(next.iter().all(|song| !heard.contains(song)), "rest is remembered");
}

#[tokio::test]
async fn a_box_without_a_clock_goes_on_where_it_was() {
    let venue = Venue::with_songs(5).await;
    let checked_in = venue.try_check_in(|_| {}).await.unwrap();
    venue.pass(Duration::from_hours(1)).await;
    let before = venue.hub.now();
    venue.clock.step_wall(-before.0);
    let venue = venue.restart().await;
    assert!(
        venue.hub.now().since(before) < Duration::from_secs(1) && before.since(venue.hub.now()).is_zero()
    );
    assert!(!venue.hub.health().clock_trusted);
    venue.hub.viewer(&checked_in.token).unwrap();
}

#[tokio::test]
async fn every_fact_stands_in_the_outbox_in_order_and_chained() {
    let venue = Venue::with_songs(3).await;
    let bar = venue.player("bar").await.player.id;
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, venue.songs[0], Like).await.unwrap();
    venue.plays(bar, 2).await;
    venue.hub.check_out(&ana, key()).await.unwrap();
    let facts = venue.hub.store().read(|conn| outbox::after(conn, 0, 100)).await.unwrap();
    let kinds: Vec<String> = facts.iter().map(|fact| format!("{:?}", fact.kind)).collect();
    let expected = [
        "SongAdded",
        "SongAdded",
        "SongAdded",
        "PlayerAdded",
        "SessionStarted",
        "VoteCast",
        "PickMade",
        "PlayStarted",
        "PickMade",
        "PlayEnded",
        "PlayStarted",
        "SessionEnded",
    ];
    assert_eq!(kinds, expected);
    let chained =
        facts.windows(2).all(|pair| pair[1].follows(&pair[0].chain) && pair[1].seq == pair[0].seq + 1);
    assert!(chained && facts.iter().all(crate::store::Fact::is_sound));
}

#[tokio::test]
async fn the_time_is_written_down_while_nothing_happens() {
    let venue = Venue::empty().await;
    venue.pass(Duration::from_mins(6)).await;
    let last: UnixMillis = venue.hub.store().read(hub_state::last_time).await.unwrap();
    assert_eq!(last, venue.hub.now());
}

#[tokio::test]
async fn a_close_look_is_taken_each_week_while_nobody_is_here_and_each_second_week_in_any_case() {
    let venue = Venue::with_songs(3).await;
    let looked = async || {
        let inner = std::sync::Arc::clone(&venue.hub.0);
        tokio::task::spawn_blocking(move || inner.look_closely()).await.unwrap().unwrap();
        let read = venue.hub.store().read(|conn| hub_state::get(conn, hub_state::LOOKED_CLOSELY));
        UnixMillis(read.await.unwrap().unwrap())
    };
    let began = venue.hub.now();
    assert_eq!(looked().await, began, "from now on the weeks count");
    venue.pass(Duration::from_hours(7 * 24 - 1)).await;
    assert_eq!(looked().await, began, "not yet");
    venue.pass(Duration::from_hours(1)).await;
    let first = venue.hub.now();
    assert_eq!(looked().await, first, "nobody is here");
    venue.pass(Duration::from_hours(13 * 24)).await;
    venue.check_in("ana").await;
    assert_eq!(looked().await, first, "somebody is here");
    venue.pass(Duration::from_hours(24)).await;
    venue.check_in("ben").await;
    assert_eq!(looked().await, venue.hub.now(), "that was long enough");
}
