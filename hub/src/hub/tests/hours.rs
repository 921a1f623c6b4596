//! Hours, dayparts and the licence, on a hub that knows no cloud.

use std::time::Duration;

use roomtone_schema::licence::Licence;
use roomtone_schema::schedule::{Day, Daypart, Hours, Schedule};
use roomtone_schema::song::SongKind;

use roomtone_schema::play::{PlayEnd, Tier};

use super::venue::{NOON, SONG, Venue, active, key};
use crate::ordering::{CommandError, SkipZoneError};
use crate::playing::ClaimError;
use crate::scheduling::SetWeekError;
use crate::secrets::new_id;
use crate::skipping::SkipError;
use crate::view::{LatePlay, PlaybackReport, PlayerCommandKind};

const MINUTE: Duration = Duration::from_mins(1);

fn every_day(from: &str, to: &str) -> Hours {
    Hours { days: Day::ALL.to_vec(), from: from.parse().unwrap(), to: to.parse().unwrap() }
}

fn daypart(name: &str, from: &str, to: &str) -> Daypart {
    let Hours { days, from, to } = every_day(from, to);
    let (profile, profile_weight, volume_percent) = (None, None, None);
    let name = name.to_owned();
    Daypart {
        name,
        days,
        from,
        to,
        profile,
        profile_weight,
        volume_percent,
        kinds: None,
        allow_explicit: None,
    }
}

/// At noon by UTC it is 13:00 in Berlin, where this venue stands.
async fn venue(schedule: Schedule) -> Venue {
    Venue::with(|options| options.zones[0].1.schedule = schedule).await.and_songs(20).await
}

#[tokio::test]
async fn no_song_begins_outside_the_hours_and_every_player_knows_when() {
    let venue = venue(Schedule { hours: vec![every_day("09:00", "13:02")], dayparts: Vec::new() }).await;
    let bar = venue.player("bar").await.player.id;
    let hours = venue.claim(bar).await.hours;
    assert!(hours.is_open);
    assert_eq!(hours.closes_at.map(|at| at.since(hours.as_of)), Some(2 * MINUTE));
    assert_eq!(hours.opens_at.map(|at| at.since(hours.as_of)), Some(20 * 60 * MINUTE));
    venue.pass(SONG).await;
    let closed = venue.hub.claim_next_song(bar, key()).await.unwrap_err();
    assert!(matches!(closed, ClaimError::Closed { .. }));
    assert_eq!(closed.to_string(), "the zone is closed, so no song begins; it opens in 19 h 57 min");
    let told = venue.hub.player_plan(bar).unwrap().hours;
    assert_eq!((told.is_open, told.closes_at), (false, None));
    let venue = venue.restart().await;
    venue.pass(Duration::from_mins(19 * 60 + 57)).await;
    assert!(venue.claim(bar).await.hours.is_open);
}

#[tokio::test]
async fn a_daypart_changes_what_is_played_and_how_loud_and_ends() {
    let mut quiet = daypart("siesta", "13:10", "14:00");
    quiet.volume_percent = Some(30);
    quiet.kinds = Some(vec![SongKind::Soundscape]);
    let mut venue = venue(Schedule { hours: Vec::new(), dayparts: vec![quiet] }).await;
    let mut rain = venue.facts(Some([0.1, 0.2, 0.3, 0.4, 0.5]));
    rain.kind = Some(SongKind::Soundscape);
    let rain = venue.add_facts(rain).await;
    let bar = venue.player("bar").await.player.id;
    let volume = |venue: &Venue| venue.hub.0.player_view(bar).unwrap().player.volume;
    let before = volume(&venue);
    assert_eq!(venue.claim(bar).await.hours.daypart, None);
    venue.pass(10 * MINUTE).await;
    let claim = venue.claim(bar).await;
    assert_eq!((claim.pick.song.id, claim.hours.daypart.as_deref()), (rain, Some("siesta")));
    assert!((volume(&venue) - 0.3).abs() < 1e-6 && before > 0.3);
    // Somebody turns it up: it stays so, also over a restart.
    venue.hub.order_once(key(), bar, PlayerCommandKind::Volume, Some(0.5)).await.unwrap();
    let venue = venue.restart().await;
    venue.pass(MINUTE).await;
    assert!((volume(&venue) - 0.5).abs() < 1e-6);
    venue.pass(50 * MINUTE).await;
    assert_eq!(venue.claim(bar).await.hours.daypart, None);
}

#[tokio::test]
async fn a_licence_counts_skips_over_a_restart_and_for_managers_too() {
    let only_one = Licence { skips_per_hour: Some(1), ..Licence::default() };
    let venue = Venue::with(|options| options.licence = only_one).await.and_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    venue.claim(bar).await;
    let guests = [venue.check_in("Ana").await, venue.check_in("Bo").await];
    for guest in &guests {
        venue.hub.vote_to_skip(guest, key()).await.unwrap();
    }
    assert_eq!(venue.hub.counters().skips.get(), 1);
    let refused = venue.hub.vote_to_skip(&guests[0], key()).await.unwrap_err();
    assert!(matches!(refused, SkipError::Licence(_)), "{refused}");
    let ordered = venue.hub.order_once(key(), bar, PlayerCommandKind::Skip, None).await;
    assert!(matches!(ordered, Err(CommandError::Licence(_))));
    venue.pass(61 * MINUTE).await;
    venue.claim(bar).await;
    venue.hub.order_once(key(), bar, PlayerCommandKind::Skip, None).await.unwrap();
}

#[tokio::test]
async fn a_licence_hides_what_comes_next() {
    let hidden = Licence { show_up_next: false, ..Licence::default() };
    let venue = Venue::with(|options| options.licence = hidden).await.and_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let claim = venue.claim(bar).await;
    assert!(!claim.plan.is_empty(), "players hold the plan whatever people may see");
    assert!(venue.up_next().is_empty());
}

#[tokio::test]
async fn where_songs_may_not_be_kept_players_hold_an_hour_and_plays_from_their_cache_are_counted() {
    let unkept = Licence { offline_storage: false, ..Licence::default() };
    let venue = Venue::with(|options| options.licence = unkept).await.and_songs(200).await;
    let bar = venue.player("bar").await.player.id;
    let claim = venue.claim(bar).await;
    // Songs of three minutes.
    assert_eq!((claim.plan.len(), claim.offline_storage), (19, false), "and one plays");
    venue.hub.settle().await;
    let ahead = venue.hub.player_plan(bar).unwrap();
    assert_eq!((ahead.plan.len(), ahead.offline_storage), (20, false));
    let cached = |song, tier| PlaybackReport {
        play: Some(new_id(NOON)),
        song: Some(song),
        tier: Some(tier),
        ..active()
    };
    let counted = || venue.hub.counters().relaxed_storage.get();
    venue.hub.report_playback(bar, None, cached(venue.songs[3], Tier::Plan)).await.unwrap();
    assert_eq!(counted(), 0, "the plan is what the hub decided");
    venue.hub.report_playback(bar, None, cached(venue.songs[4], Tier::Cache)).await.unwrap();
    assert_eq!(counted(), 1, "it played on when its plan had run out");
    let late = LatePlay {
        play: new_id(NOON),
        song: venue.songs[5],
        pick: None,
        started_ago_ms: 500_000,
        ended_ago_ms: 320_000,
        ended: PlayEnd::Finished,
        heard_ms: 180_000,
        tier: Tier::Cache,
    };
    for _ in 0..2 {
        venue.hub.report_plays(bar, key(), vec![late.clone()]).await.unwrap();
    }
    assert_eq!(counted(), 2, "once, however often it is told");

    let kept = Venue::with_songs(200).await;
    let bar = kept.player("bar").await.player.id;
    let claim = kept.claim(bar).await;
    assert!(20 < claim.plan.len() && claim.offline_storage);
    kept.hub.report_playback(bar, None, cached(kept.songs[4], Tier::Cache)).await.unwrap();
    assert_eq!(kept.hub.counters().relaxed_storage.get(), 0);
}

#[tokio::test]
async fn the_performance_complement_counts_across_a_restart() {
    let kept = Licence { performance_complement: true, ..Licence::default() };
    let mut venue = Venue::with(|options| {
        options.licence = kept;
        options.zones[0].1.artist_separation_min = 0;
    })
    .await;
    for number in 0..12 {
        let mut facts = venue.facts(Some([0.1 * number as f32 - 0.5, 0.2, 0.3, 0.4, 0.5]));
        facts.artist = Some(format!("Artist {}", number / 6));
        venue.add_facts(facts).await;
    }
    venue.hub.settle().await;
    let bar = venue.player("bar").await.player.id;
    venue.plays(bar, 4).await;
    let venue = venue.restart().await;
    venue.plays(bar, 4).await;
    assert_eq!(venue.hub.counters().relaxed_licence.get(), 0, "four of each of two artists are allowed");
    venue.plays(bar, 1).await;
    assert_eq!(
        venue.hub.counters().relaxed_licence.get(),
        1,
        "a fifth is not; music goes on, and it is counted"
    );
}

#[tokio::test]
async fn a_week_that_is_set_on_the_hub_holds_at_once_and_after_a_restart() {
    let venue = venue(Schedule::default()).await;
    let zone = venue.hub.main_zone();
    assert!(venue.hub.hours(zone).unwrap().is_open);
    let evenings = Schedule { hours: vec![every_day("18:00", "23:00")], dayparts: Vec::new() };
    venue.hub.set_schedule(zone, evenings.clone()).await.unwrap();
    assert!(!venue.hub.hours(zone).unwrap().is_open);
    let unsound = Schedule {
        hours: vec![Hours { days: Vec::new(), ..every_day("18:00", "23:00") }],
        dayparts: Vec::new(),
    };
    let refused = venue.hub.set_schedule(zone, unsound).await.unwrap_err();
    assert!(matches!(refused, SetWeekError::Unsound(_)), "{refused}");
    let venue = venue.restart().await;
    assert_eq!(venue.hub.schedule(zone), Some(evenings));
    assert!(!venue.hub.hours(zone).unwrap().is_open);
}

#[tokio::test]
async fn a_manager_leaves_the_song_of_a_zone_once_and_silence_is_no_song() {
    let venue = venue(Schedule::default()).await;
    let zone = venue.hub.main_zone();
    assert!(matches!(venue.hub.skip_in(zone).await, Err(SkipZoneError::NothingPlays)));
    let bar = venue.player("bar").await.player.id;
    let before = venue.claim(bar).await.pick.id;
    venue.hub.skip_in(zone).await.unwrap();
    let after = venue.hub.player_plan(bar).unwrap().current.unwrap().id;
    assert_ne!(after, before);
}
