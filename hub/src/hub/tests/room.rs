//! People come, vote and go.

use std::time::Duration;

use roomtone_schema::session::SessionStatus;
use roomtone_schema::vote::VoteValue::{Dislike, Like};

use super::venue::{Venue, along, key};
use crate::check_in::NoViewer;
use crate::hub::HubOptions;
use crate::refusal::{Refusal as _, RefusalCode};
use crate::view::VibeSource;
use crate::voting::VoteError;
use roomtone_schema::visiting::Opinion;

#[tokio::test]
async fn a_like_moves_the_vibe_and_what_comes_next() {
    let venue = Venue::with_songs(40).await;
    let ana = venue.check_in("ana").await;
    venue.hub.settle().await;
    assert_eq!(venue.vibe().active_listeners, 1);
    let liked = venue.songs[3];
    let voted = venue.vote(&ana, liked, Like).await.unwrap();
    assert_eq!(voted.vote.song, liked);
    venue.hub.settle().await;
    let vibe = venue.vibe();
    assert!(vibe.consensus > 0.99, "one listener agrees with themselves");
    assert_eq!(vibe.source, VibeSource::Listeners);
    assert_eq!(voted.taste, Some(vibe.axes));
    let ahead = venue.up_next();
    let mean = ahead[..5].iter().map(|next| next.explanation.similarity).sum::<f64>() / 5.0;
    assert!(mean > 0.3, "what comes next is like what the room likes: {mean}");
    venue.vote(&ana, liked, Dislike).await.unwrap();
    venue.hub.settle().await;
    assert!(venue.vibe().axes.iter().zip(vibe.axes).all(|(now, before)| (now + before).abs() < 1e-6));
}

#[tokio::test]
async fn a_vote_is_seen_by_everybody_within_a_second() {
    let venue = Venue::with_songs(200).await;
    let (ana, _ben) = (venue.check_in("ana").await, venue.check_in("ben").await);
    let zone = venue.hub.main_zone();
    let (mut vibe, mut ahead) = (venue.hub.vibe(zone).unwrap(), venue.hub.up_next(zone).unwrap());
    venue.hub.settle().await;
    vibe.mark_unchanged();
    ahead.mark_unchanged();
    let seen = async {
        venue.vote(&ana, venue.songs[7], Like).await.unwrap();
        vibe.changed().await.unwrap();
        ahead.changed().await.unwrap();
    };
    tokio::select! {
        () = venue.hub.conduct() => unreachable!("it runs until it is dropped"),
        in_time = tokio::time::timeout(Duration::from_secs(1), seen) => in_time.expect("within a second"),
    }
}

#[tokio::test]
async fn two_opposite_listeners_still_hear_different_songs() {
    let venue = Venue::with_songs(30).await;
    let bar = venue.player("bar").await;
    let (ana, ben) = (venue.check_in("ana").await, venue.check_in("ben").await);
    venue.vote(&ana, venue.songs[0], Like).await.unwrap();
    venue.vote(&ben, venue.songs[0], Dislike).await.unwrap();
    venue.hub.settle().await;
    let vibe = venue.vibe();
    assert!(vibe.consensus < 1e-6 && vibe.axes.iter().all(|axis| axis.is_finite()));
    let heard = venue.plays(bar.player.id, 10).await;
    let different: std::collections::BTreeSet<_> = heard.iter().collect();
    assert_eq!(different.len(), heard.len());
}

#[tokio::test]
async fn an_empty_room_follows_the_zones_profile() {
    let profile = along(0, 1.0);
    let venue = Venue::with(|options: &mut HubOptions| options.zones[0].1.profile = Some(profile)).await;
    let venue = venue.and_songs(40).await;
    let vibe = venue.vibe();
    assert_eq!((vibe.source, vibe.active_listeners), (VibeSource::Profile, 0));
    assert!(vibe.axes[0] > 0.9);
    assert!(venue.up_next()[0].explanation.similarity > 0.3);
}

#[tokio::test]
async fn an_empty_room_without_a_profile_hears_the_middle_of_its_catalogue() {
    let venue = Venue::with_songs(10).await;
    assert_eq!(venue.vibe().source, VibeSource::Catalogue);
    assert_eq!(Venue::empty().await.vibe().source, VibeSource::None);
}

#[tokio::test]
async fn whoever_checks_out_has_no_say_at_once() {
    let venue = Venue::with_songs(10).await;
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, venue.songs[0], Like).await.unwrap();
    let leave = key();
    let session = venue.hub.check_out(&ana, leave).await.unwrap();
    assert_eq!(session.status, SessionStatus::Ended);
    let vibe = venue.vibe();
    assert_eq!((vibe.source, vibe.active_listeners), (VibeSource::Catalogue, 0));
    let refused = venue.vote(&ana, venue.songs[1], Like).await.unwrap_err();
    assert_eq!(refused.code(), Some(RefusalCode::Expired));
    assert_eq!(venue.hub.check_out(&ana, leave).await.unwrap(), session, "a retry gets the first answer");
}

#[tokio::test]
async fn a_session_ends_after_three_hours_of_silence_and_after_twelve_in_any_case() {
    let venue = Venue::with_songs(10).await;
    let quiet = venue.try_check_in(|_| {}).await.unwrap();
    let lively = venue.try_check_in(|_| {}).await.unwrap();
    for _ in 0..11 {
        venue.pass(Duration::from_hours(1)).await;
        venue.hub.viewer(&lively.token).unwrap();
    }
    assert_eq!(venue.hub.viewer(&quiet.token), Err(NoViewer::Expired));
    assert_eq!(venue.vibe().active_listeners, 1);
    venue.clock.advance(Duration::from_hours(1));
    assert_eq!(venue.hub.viewer(&lively.token), Err(NoViewer::Expired), "before anybody has swept");
    venue.pass(Duration::ZERO).await;
    assert_eq!(venue.vibe().active_listeners, 0);
    assert_eq!(venue.hub.counters().expired_sessions.get(), 2);
    assert_eq!(venue.hub.viewer("no such token"), Err(NoViewer::NotCheckedIn));
}

#[tokio::test]
async fn jumps_of_the_wall_clock_by_ten_years_change_nothing() {
    const TEN_YEARS_MS: i64 = 10 * 365 * 86_400_000;
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await;
    let ana = venue.try_check_in(|_| {}).await.unwrap();
    let first = venue.claim(bar.player.id).await.pick;
    for step in [TEN_YEARS_MS, -2 * TEN_YEARS_MS] {
        venue.clock.step_wall(step);
        venue.pass(Duration::from_secs(1)).await;
        let viewer = venue.hub.viewer(&ana.token).unwrap();
        venue.vote(&viewer, venue.songs[0], Like).await.unwrap();
        assert!(!venue.hub.health().clock_trusted);
        assert_eq!(venue.now_playing().unwrap().pick.id, first.id);
    }
    venue.pass(Duration::from_hours(13)).await;
    assert!(venue.hub.viewer(&ana.token).is_err(), "no eternal session either");
}

#[tokio::test]
async fn a_thousand_sessions_of_one_phone_weigh_as_much_as_one() {
    let mut venue = Venue::empty().await;
    let (up, down) = (venue.add(Some(along(0, 1.0))).await, venue.add(Some(along(0, -1.0))).await);
    let honest = 9;
    for n in 0..honest {
        let guest = venue.check_in(&format!("guest {n}")).await;
        venue.vote(&guest, up, Like).await.unwrap();
    }
    venue.hub.settle().await;
    let before = venue.vibe().axes[0];
    let first = venue.try_check_in(|_| {}).await.unwrap();
    let cookie = first.new_device_cookie.unwrap();
    let mut voted = 0;
    for _ in 0..1_000 {
        venue.clock.advance(Duration::from_millis(1));
        let again = venue.try_check_in(|input| input.device_cookie = Some(cookie.clone())).await;
        let Ok(again) = again else { continue };
        let viewer = venue.hub.viewer(&again.token).unwrap();
        voted += u32::from(venue.vote(&viewer, down, Like).await.is_ok());
    }
    assert!(voted > 1);
    venue.hub.settle().await;
    let vibe = venue.vibe();
    assert_eq!(vibe.active_listeners, honest + 1);
    let moved = (before - vibe.axes[0]) / 2.0;
    assert!(moved <= 1.0 / f64::from(honest + 1) + 1e-6, "moved by {moved}");
}

#[tokio::test]
async fn a_vote_for_an_unknown_or_withdrawn_song_is_refused_with_a_sentence() {
    let venue = Venue::with_songs(3).await;
    let ana = venue.check_in("ana").await;
    let unknown = venue.vote(&ana, crate::secrets::new_id(venue.hub.now()), Like).await.unwrap_err();
    assert!(matches!(unknown, VoteError::UnknownSong));
    assert!(venue.hub.withdraw_song(venue.songs[0]).await.unwrap());
    assert!(!venue.hub.withdraw_song(venue.songs[0]).await.unwrap());
    let withdrawn = venue.vote(&ana, venue.songs[0], Like).await.unwrap_err();
    assert!(matches!(withdrawn, VoteError::WithdrawnSong));
    assert_eq!(withdrawn.code(), Some(RefusalCode::NotFound));
    assert_eq!(venue.hub.songs().len(), 2);
    assert_eq!(venue.hub.counters().votes.get(), 0);
}

#[tokio::test]
async fn the_same_vote_again_is_a_success_and_no_new_fact() {
    let venue = Venue::with_songs(3).await;
    let ana = venue.check_in("ana").await;
    let song = venue.songs[0];
    let first = venue.vote(&ana, song, Like).await.unwrap();
    let facts = venue.hub.health().outbox;
    let second = venue.vote(&ana, song, Like).await.unwrap();
    assert_eq!(second.vote, first.vote);
    assert_eq!(venue.hub.health().outbox, facts);
    let replaced = venue.vote(&ana, song, Dislike).await.unwrap();
    assert_ne!(replaced.vote.id, first.vote.id);
    assert_eq!(venue.hub.viewer_votes(&ana), [replaced.vote]);
}

#[tokio::test]
async fn a_repeated_vote_gets_the_first_answer_and_changes_nothing() {
    let venue = Venue::with_songs(3).await;
    let ana = venue.check_in("ana").await;
    let like = Opinion { key: key(), song: venue.songs[0], value: Like };
    let first = venue.hub.vote(&ana, like).await.unwrap();
    venue.vote(&ana, venue.songs[0], Dislike).await.unwrap();
    assert_eq!(venue.hub.vote(&ana, like).await.unwrap(), first);
    assert_eq!(venue.hub.viewer_vote(&ana, venue.songs[0]).unwrap().value, Dislike);
    let elsewhere = venue.hub.check_out(&ana, like.key).await.unwrap_err();
    assert_eq!(elsewhere.code(), Some(RefusalCode::Conflict));
}
