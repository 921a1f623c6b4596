//! What happened, played again.

use std::time::Duration;

use roomtone_schema::replay::WhatIf;
use roomtone_schema::vote::VoteValue::{Dislike, Like};

use super::venue::{SONG, Venue, key};
use crate::playing::ClaimRequest;
use crate::replaying::{self, Question};
use crate::view::Viewer;

const AS_IT_WAS: Question = Question { days: 7, what_if: WhatIf { fairness: None, profile_weight: None } };

/// An evening in which people come, like, change their minds and go, songs are skipped, and the hub is started anew.
async fn evening() -> Venue {
    let venue = Venue::with(|options| {
        options.zones[0].1.profile = Some([0.2, 0.9, -0.1, 0.3, 0.0]);
        options.zones[0].1.profile_weight = 0.5;
    });
    let mut venue = venue.await.and_songs(90).await;
    let bar = venue.player("bar").await.player.id;
    venue.plays(bar, 4).await;
    let mut guests: Vec<Viewer> = Vec::new();
    for n in 0..6 {
        guests.push(venue.check_in(&format!("{n}")).await);
        venue.vote(&guests[n], venue.songs[n * 7], Like).await.unwrap();
        venue.vote(&guests[n], venue.songs[n * 7 + 3], Dislike).await.unwrap();
        venue.hub.settle().await;
        venue.plays(bar, 3).await;
    }
    venue.vote(&guests[2], venue.songs[14], Dislike).await.unwrap();
    venue.hub.check_out(&guests[0], key()).await.unwrap();
    // Decided at once, as nothing has settled.
    venue.plays(bar, 6).await;
    venue.hub.command(bar, crate::view::PlayerCommandKind::Skip, None).await.unwrap();
    venue.plays(bar, 5).await;
    venue = venue.restart().await;
    venue.plays(bar, 8).await;
    venue
}

#[tokio::test]
async fn a_log_played_again_under_its_own_settings_is_what_it_was() {
    let venue = evening().await;
    let main = venue.hub.main_zone();
    let again = venue.hub.replay(main, AS_IT_WAS).await.unwrap().unwrap();
    assert!(again.songs >= 41, "{again:?}");
    assert_eq!(again.same, again.songs, "every pick of the log comes again");
    assert_eq!(again.then, again.now);
    assert!(again.then.is_some_and(|figures| figures.visits == 6), "{again:?}");
}

#[tokio::test]
async fn what_a_player_began_from_its_plan_comes_again_too() {
    let venue = Venue::empty().await.and_songs(60).await;
    let bar = venue.player("bar").await.player.id;
    let guest = venue.check_in("Ada").await;
    venue.vote(&guest, venue.songs[5], Like).await.unwrap();
    venue.hub.settle().await;
    let mut plan = venue.claim(bar).await.plan;
    for n in 0..30 {
        // Now early, now late: never when the plan had it.
        venue
            .pass(SONG.saturating_sub(Duration::from_secs(3)) + Duration::from_millis(2_000 * (n % 3)))
            .await;
        let begun = plan.first().map(|next| next.id);
        let request =
            ClaimRequest { begun, play: Some(crate::secrets::new_id(venue.hub.now())), ..key().into() };
        let claim = venue.hub.claim_next_song(bar, request).await.unwrap();
        assert_eq!(Some(claim.pick.id), begun);
        plan = claim.plan;
        if n == 12 {
            let other = venue.check_in("Bo").await;
            venue.vote(&other, venue.songs[20], Like).await.unwrap();
        }
    }
    let again = venue.hub.replay(venue.hub.main_zone(), AS_IT_WAS).await.unwrap().unwrap();
    assert_eq!((again.songs, again.same), (31, 31), "{again:?}");
}

#[tokio::test]
async fn what_was_begun_from_a_plan_that_the_room_has_left_behind_comes_again_too() {
    let venue = Venue::empty().await.and_songs(60).await;
    let bar = venue.player("bar").await.player.id;
    let guest = venue.check_in("Ada").await;
    let first = venue.claim(bar).await;
    let (mut heard, mut plans) = (vec![first.pick.song.id], vec![first.plan]);
    for n in 0..24 {
        venue.pass(SONG).await;
        if n % 3 == 0 {
            // The hub's plan is another one now than the one that the player holds.
            venue.vote(&guest, venue.songs[n * 2], if n % 2 == 0 { Like } else { Dislike }).await.unwrap();
            venue.hub.settle().await;
        }
        // Every fourth song is the next one of a plan that is two songs older still.
        let held = &plans[if n % 4 == 3 { plans.len().saturating_sub(3) } else { plans.len() - 1 }];
        let begun = held.iter().find(|next| !heard.contains(&next.song.id)).map(|next| next.id);
        let claim = venue.hub.claim_next_song(bar, ClaimRequest { begun, ..key().into() }).await.unwrap();
        assert_eq!(Some(claim.pick.id), begun);
        heard.push(claim.pick.song.id);
        plans.push(claim.plan);
    }
    let again = venue.hub.replay(venue.hub.main_zone(), AS_IT_WAS).await.unwrap().unwrap();
    assert_eq!((again.songs, again.same), (25, 25), "{again:?}");
    // The last of them was of an old plan; what plays is known over a restart all the same.
    let venue = venue.restart().await;
    venue.hub.0.show_now_playing(venue.hub.0.room(venue.hub.main_zone()).unwrap());
    assert_eq!(venue.now_playing().map(|now| now.pick.song.id), heard.last().copied());
}

#[tokio::test]
async fn another_setting_makes_another_evening_and_the_same_one_each_time() {
    let venue = evening().await;
    let main = venue.hub.main_zone();
    let strict = Question { what_if: WhatIf { fairness: Some(1.0), profile_weight: Some(0.0) }, ..AS_IT_WAS };
    let first = venue.hub.replay(main, strict).await.unwrap().unwrap();
    assert!(first.same < first.songs, "{first:?}");
    assert_ne!(first.then, first.now);
    assert_eq!(venue.hub.replay(main, strict).await.unwrap().unwrap(), first);
    // The command line asks the same store, while the hub has it open.
    let options = venue.options.clone();
    let asked = tokio::task::spawn_blocking(move || replaying::ask(&options, Some("main"), &strict));
    assert_eq!(asked.await.unwrap().unwrap(), first);
    let options = venue.options.clone();
    let nowhere = tokio::task::spawn_blocking(move || replaying::ask(&options, Some("roof"), &strict));
    let refused = nowhere.await.unwrap().unwrap_err().to_string();
    assert_eq!(refused, "this venue has no zone roof; it has main");
}

#[tokio::test]
async fn a_day_that_is_over_is_written_down_and_stays_as_it_was() {
    let venue = evening().await;
    let fares = |venue: &Venue| {
        let hub = venue.hub.clone();
        async move { hub.fares(7).await.unwrap().remove(0) }
    };
    let today = fares(&venue).await;
    assert!(today.now.is_some_and(|now| now.people == 5), "{today:?}");
    assert_eq!(today.days.len(), 1, "{today:?}");
    assert_eq!(today.days[0].date.to_string(), "2026-11-22");
    let again = venue.hub.replay(venue.hub.main_zone(), AS_IT_WAS).await.unwrap().unwrap();
    assert_eq!(
        Some(today.days[0].figures),
        again.then,
        "the day as it is shown is the day as it is replayed"
    );
    let told = venue.hub.0.fares_told(&venue.hub.0.rooms[0]).await.unwrap();
    assert_eq!(told.now, today.now.map(|now| now.fares), "the cloud is told the same");
    assert_eq!(told.days.iter().map(|(_, figures)| *figures).collect::<Vec<_>>(), [today.days[0].figures]);
    venue.clock.advance(Duration::from_hours(16));
    let hub = venue.hub.clone();
    tokio::task::spawn_blocking(move || hub.0.close_days()).await.unwrap().unwrap();
    // As if the log were too old to be kept.
    let all =
        crate::store::Retention { occasions: Duration::from_secs(1), ..crate::store::Retention::default() };
    let (store, now) = (venue.hub.store().clone(), venue.hub.now());
    tokio::task::spawn_blocking(move || store.purge(&all, now)).await.unwrap().unwrap();
    assert_eq!(venue.hub.replay(venue.hub.main_zone(), AS_IT_WAS).await.unwrap().unwrap().songs, 0);
    let tomorrow = fares(&venue).await;
    assert_eq!(tomorrow.days, today.days);
}
