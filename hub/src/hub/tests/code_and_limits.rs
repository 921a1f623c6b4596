//! Codes, cookies, tokens and limits.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use roomtone_schema::id::Id as _;
use roomtone_schema::venue::ZoneSettings;
use roomtone_schema::vote::VoteValue::Like;

use super::venue::{Venue, key};
use crate::check_in::CheckInError;
use crate::manager::PinError;
use crate::orders::poster_of;
use crate::refusal::{Refusal as _, RefusalCode};
use crate::service::Place;
use crate::voting::VoteError;
use roomtone_schema::visiting::Opinion;

#[tokio::test]
async fn a_wrong_code_opens_nothing_and_guessing_slows_down() {
    let venue = Venue::empty().await;
    let wrong = |venue: &Venue| {
        let mut input = venue.arrival();
        input.code = "000000".to_owned();
        input
    };
    for _ in 0..10 {
        let refused = venue.hub.check_in(wrong(&venue)).await.unwrap_err();
        assert!(matches!(refused, CheckInError::WrongCode), "{refused}");
    }
    let refused = venue.hub.check_in(wrong(&venue)).await.unwrap_err();
    assert_eq!(refused.code(), Some(RefusalCode::RateLimited));
    let rotating = venue.hub.room_code(venue.hub.main_zone()).unwrap().rotating;
    let lucky = venue.try_check_in(|input| input.code = rotating).await.unwrap_err();
    assert_eq!(
        lucky.code(),
        Some(RefusalCode::RateLimited),
        "a guess that hits looks like one that does not"
    );
    venue.try_check_in(|_| {}).await.expect("the poster's code cannot be guessed, so it is let in");
    assert_eq!(venue.vibe().active_listeners, 1);
}

#[tokio::test]
async fn a_zone_may_ask_for_the_code_on_the_screen() {
    let venue = Venue::with(|options| options.zones[0].1.require_rotating_code = true).await;
    let refused = venue.try_check_in(|_| {}).await.unwrap_err();
    assert!(matches!(refused, CheckInError::RotatingCodeNeeded));
    let code = venue.hub.room_code(venue.hub.main_zone()).unwrap();
    assert_eq!(code.for_screens(), code.rotating);
    venue.try_check_in(|input| input.code = code.rotating.to_lowercase()).await.unwrap();
    venue.clock.advance(Duration::from_mins(31));
    let stale = venue.try_check_in(|input| input.code = code.rotating.clone()).await.unwrap_err();
    assert_eq!(stale.code(), Some(RefusalCode::Forbidden));
}

#[tokio::test]
async fn a_poster_that_was_renewed_lets_nobody_in() {
    let venue = Venue::empty().await;
    let old = venue.arrival();
    venue.hub.renew_poster_code().await.unwrap();
    assert!(matches!(venue.hub.check_in(old).await, Err(CheckInError::WrongCode)));
    venue.try_check_in(|_| {}).await.unwrap();
}

#[tokio::test]
async fn a_coach_party_comes_in_and_then_one_phone_each_ten_seconds() {
    let venue = Venue::empty().await;
    for _ in 0..20 {
        venue.try_check_in(|_| {}).await.unwrap();
    }
    let refused = venue.try_check_in(|_| {}).await.unwrap_err();
    assert!(matches!(refused, CheckInError::TooOften { retry_s: 10 }), "{refused}");
    let venue = venue.restart().await;
    let refused = venue.try_check_in(|_| {}).await.unwrap_err();
    assert!(
        matches!(refused, CheckInError::TooOften { .. }),
        "a restart gives no fresh allowance: {refused}"
    );
    let elsewhere = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 8));
    venue.try_check_in(|input| input.address = Some(elsewhere)).await.unwrap();
    venue.clock.advance(Duration::from_secs(10));
    venue.try_check_in(|_| {}).await.unwrap();
}

#[tokio::test]
async fn a_phone_is_known_by_its_cookie_and_keeps_its_votes() {
    let venue = Venue::with_songs(3).await;
    let first = venue.try_check_in(|_| {}).await.unwrap();
    let ana = venue.hub.viewer(&first.token).unwrap();
    venue.vote(&ana, venue.songs[0], Like).await.unwrap();
    venue.hub.check_out(&ana, key()).await.unwrap();
    let cookie = first.new_device_cookie.unwrap();
    let again = venue.try_check_in(|input| input.device_cookie = Some(cookie.clone())).await.unwrap();
    assert_eq!(again.new_device_cookie, None);
    assert_eq!(again.session.listener, first.session.listener);
    let ana = venue.hub.viewer(&again.token).unwrap();
    assert_eq!(venue.hub.viewer_votes(&ana).len(), 1);
    assert_eq!(venue.hub.device_from_cookie(Some(&cookie)).await.unwrap(), Some(ana.device));
    let forged = venue.try_check_in(|input| input.device_cookie = Some("forged".to_owned())).await.unwrap();
    assert_ne!(forged.session.listener, first.session.listener);
    assert!(forged.new_device_cookie.is_some());
}

#[tokio::test]
async fn a_repeated_check_in_is_the_same_session_with_a_fresh_token() {
    let venue = Venue::empty().await;
    let input = venue.arrival();
    let first = venue.hub.check_in(input.clone()).await.unwrap();
    let venue = venue.restart().await;
    let second = venue.hub.check_in(input.clone()).await.unwrap();
    assert_eq!(second.session.id, first.session.id);
    assert_ne!(second.token, first.token);
    assert!(venue.hub.viewer(&first.token).is_err(), "the old token is void");
    let viewer = venue.hub.viewer(&second.token).unwrap();
    assert_eq!(venue.vibe().active_listeners, 1);
    let cookie = second.new_device_cookie.expect("the first answer may be lost, and the cookie with it");
    assert_eq!(venue.hub.device_from_cookie(Some(&cookie)).await.unwrap(), Some(viewer.device));
    venue.hub.check_out(&viewer, key()).await.unwrap();
    assert!(matches!(venue.hub.check_in(input).await, Err(CheckInError::KeyUsed)));
}

#[tokio::test]
async fn the_eleventh_vote_in_a_minute_is_told_when_to_come_back_also_after_a_restart() {
    let venue = Venue::with_songs(12).await;
    let checked_in = venue.try_check_in(|_| {}).await.unwrap();
    let ana = venue.hub.viewer(&checked_in.token).unwrap();
    let tenth = Opinion { key: key(), song: venue.songs[9], value: Like };
    for song in &venue.songs[..9] {
        venue.vote(&ana, *song, Like).await.unwrap();
    }
    venue.hub.vote(&ana, tenth).await.unwrap();
    venue.clock.advance(Duration::from_secs(20));
    let refused = venue.vote(&ana, venue.songs[10], Like).await.unwrap_err();
    assert!(matches!(refused, VoteError::TooOften { retry_s: 40 }), "{refused}");
    venue.hub.vote(&ana, tenth).await.expect("a retry is no new vote");
    let venue = venue.restart().await;
    let ana = venue.hub.viewer(&checked_in.token).unwrap();
    let refused = venue.vote(&ana, venue.songs[10], Like).await.unwrap_err();
    assert!(matches!(refused, VoteError::TooOften { .. }), "{refused}");
    let again =
        venue.try_check_in(|input| input.device_cookie = checked_in.new_device_cookie.clone()).await.unwrap();
    let same_phone = venue.hub.viewer(&again.token).unwrap();
    assert!(venue.vote(&same_phone, venue.songs[10], Like).await.is_err(), "checking in again does not help");
    venue.clock.advance(Duration::from_secs(40));
    venue.vote(&ana, venue.songs[10], Like).await.unwrap();
}

#[tokio::test]
async fn a_full_room_lets_in_whoever_repeats_and_nobody_else() {
    let venue = Venue::with(|options| options.limits.sessions = 2).await;
    let input = venue.arrival();
    venue.hub.check_in(input.clone()).await.unwrap();
    venue.try_check_in(|_| {}).await.unwrap();
    let refused = venue.try_check_in(|_| {}).await.unwrap_err();
    assert!(matches!(refused, CheckInError::Full));
    venue.hub.check_in(input).await.unwrap();
    venue.clock.advance(Duration::from_hours(12));
    venue.try_check_in(|_| {}).await.unwrap();
}

#[tokio::test]
async fn a_phone_has_at_most_five_sessions_and_its_oldest_ends() {
    let venue = Venue::empty().await;
    let first = venue.try_check_in(|_| {}).await.unwrap();
    for _ in 0..5 {
        venue.clock.advance(Duration::from_secs(1));
        let cookie = first.new_device_cookie.clone();
        venue.try_check_in(|input| input.device_cookie = cookie).await.unwrap();
    }
    assert!(venue.hub.viewer(&first.token).is_err());
    assert_eq!(venue.vibe().active_listeners, 1);
}

#[tokio::test]
async fn names_are_short_and_printable() {
    let venue = Venue::empty().await;
    for bad in ["x".repeat(41), "a\u{7}b".to_owned()] {
        let refused = venue.try_check_in(|input| input.display_name = Some(bad)).await.unwrap_err();
        assert_eq!(refused.code(), Some(RefusalCode::Invalid));
    }
    let blank = venue.try_check_in(|input| input.display_name = Some("  ".to_owned())).await.unwrap();
    assert_eq!(blank.session.display_name, None);
}

#[tokio::test]
async fn only_the_newest_managers_token_is_good() {
    let venue = Venue::empty().await;
    let old = venue.hub.mint_manager_token().await.unwrap();
    let new = venue.hub.mint_manager_token().await.unwrap();
    let venue = venue.restart().await;
    assert!(venue.hub.is_manager_token(&new));
    assert!(!venue.hub.is_manager_token(&old) && !venue.hub.is_manager_token(""));
}

#[tokio::test]
async fn nothing_that_opens_a_door_is_stored() {
    let venue = Venue::with_songs(1).await;
    let guest = venue.try_check_in(|_| {}).await.unwrap();
    let player = venue.player("bar").await;
    let manager = venue.hub.mint_manager_token().await.unwrap();
    let secrets =
        [guest.token, guest.new_device_cookie.unwrap(), player.token, manager, "10.0.0.7".to_owned()];
    for entry in std::fs::read_dir(venue.hub.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {}", path.display());
        }
    }
}

#[tokio::test]
async fn a_poster_of_another_zone_than_the_main_one_names_it() {
    let venue =
        Venue::with(|options| options.zones.push(("terrace".to_owned(), ZoneSettings::default()))).await;
    let hub = &venue.hub;
    let listening = vec!["192.168.1.5:4700".parse().unwrap()];
    let place = Place { data: hub.data_dir().to_owned(), listening, secure: None };
    let urls: Vec<String> = hub
        .zones()
        .iter()
        .map(|zone| poster_of(hub, &place, zone.id, &hub.room_code(zone.id).unwrap()).url)
        .collect();
    let code = hub.room_code(hub.main_zone()).unwrap().poster;
    assert_eq!(urls[0], format!("http://192.168.1.5:4700/#code={code}"));
    assert_eq!(urls[1], format!("{}&zone={}", urls[0], hub.zones()[1].id.to_global()));
}

#[tokio::test]
async fn wrong_pins_still_count_when_the_hub_was_started_anew_and_no_session_does() {
    let venue = Venue::empty().await;
    let from = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)));
    venue.hub.set_pin("418223").await.unwrap();
    let session = venue.hub.sign_in_by_pin("418223", from).await.unwrap();
    assert!(venue.hub.manager_session(&session).is_some());
    for _ in 0..5 {
        assert!(matches!(venue.hub.check_pin("918273", from).await, Err(PinError::Wrong)));
    }
    let venue = venue.restart().await;
    assert!(venue.hub.manager_session(&session).is_none());
    let slowed = venue.hub.check_pin("418223", from).await.unwrap_err();
    assert!(matches!(slowed, PinError::TooOften { .. }), "{slowed}");
    let elsewhere = Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 8)));
    venue.hub.check_pin("418223", elsewhere).await.unwrap();
}
