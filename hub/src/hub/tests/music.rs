//! What plays, who advances it, and what comes next.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use roomtone_schema::play::{PlayEnd, Tier};
use roomtone_schema::player::PlayerStatus;
use roomtone_schema::song::{Explicit, SongFacts};
use roomtone_schema::vote::VoteValue::Like;
use roomtone_schema::{EmbeddingVersion, SongId, UnixMillis};

use super::venue::{SONG, Venue, active, along, key};
use crate::library::media_path;
use crate::playing::{AddPlayerError, ClaimError, ClaimRequest, CommandError, ReportError};
use crate::view::{PickView, PlaybackReport, PlayerCommandKind, Recommendation};

#[tokio::test]
async fn two_hours_of_music_repeat_no_song_within_its_rest() {
    let venue = Venue::with_songs(60).await;
    let bar = venue.player("bar").await;
    venue.check_in("ana").await;
    let mut heard: Vec<(SongId, UnixMillis)> = Vec::new();
    let began = venue.hub.now();
    while venue.hub.now().since(began) < Duration::from_hours(2) {
        let promised = venue.up_next()[0].song.id;
        let pick = venue.claim(bar.player.id).await.pick;
        assert_eq!(pick.song.id, promised, "what was shown as next is what plays");
        let now = venue.hub.now();
        for (song, at) in &heard {
            let rested = now.since(*at) >= venue.rest();
            assert!(*song != pick.song.id || rested, "{song} again after {:?}", now.since(*at));
        }
        heard.push((pick.song.id, now));
        venue.pass(SONG).await;
    }
    assert_eq!(heard.len(), 40);
    assert_eq!(venue.hub.counters().relaxed_rest.get(), 0);
    assert_eq!(venue.hub.counters().picks.get(), 40);
}

#[tokio::test]
async fn in_a_room_that_was_just_stirred_the_song_plays_that_a_new_plan_would_begin_with() {
    let venue = Venue::with_songs(60).await;
    let bar = venue.player("bar").await.player.id;
    let ana = venue.check_in("ana").await;
    let room = &venue.hub.0.rooms[0];
    for song in 0..10 {
        venue.claim(bar).await;
        venue.clock.advance(SONG);
        venue.vote(&ana, venue.songs[song], Like).await.unwrap();
        assert!(room.is_stirred());
        // The plan of this moment, of the same votes: the same song comes first.
        venue.hub.0.plan(room);
        let promised = venue.up_next()[0].song.id;
        assert_eq!(venue.claim(bar).await.pick.song.id, promised);
        venue.hub.settle().await;
        venue.pass(SONG).await;
    }
}

#[tokio::test]
async fn a_song_that_another_version_described_counts_as_one_without_a_description() {
    let mut venue = Venue::with_songs(8).await;
    let wanted = along(0, 1.0);
    let old = SongFacts { embedding_version: EmbeddingVersion(0), ..venue.facts(Some(wanted)) };
    let old = venue.add_facts(old).await;
    venue.hub.settle().await;
    let ana = venue.check_in("ana").await;
    let voted = venue.vote(&ana, old, Like).await.unwrap();
    assert_eq!(voted.taste, None, "what it points to says nothing in the axes of today");
    let liked = venue.add(Some(wanted)).await;
    venue.hub.settle().await;
    assert!(venue.vote(&ana, liked, Like).await.unwrap().taste.is_some());
    venue.pass(Duration::from_secs(1)).await;
    let ranked = venue.hub.recommendations(venue.hub.main_zone(), 20).await.unwrap();
    let place = |song| ranked.iter().position(|one| one.song.id == song).unwrap();
    assert_eq!((place(liked), place(old)), (0, 9), "first, and behind all that are described");
}

#[tokio::test]
async fn all_players_of_a_zone_are_given_the_same_and_the_first_advances() {
    let venue = Venue::with_songs(20).await;
    let (bar, door) = (venue.player("bar").await.player.id, venue.player("door").await.player.id);
    let first = venue.claim(bar).await.pick;
    assert_eq!(venue.claim(door).await.pick.id, first.id);
    venue.pass(SONG).await;
    let second = venue.claim(door).await.pick;
    assert_ne!(second.id, first.id);
    assert_eq!(venue.claim(bar).await.pick.id, second.id);
    let playing = venue.now_playing().unwrap();
    assert_eq!((playing.pick.id, playing.player), (second.id, door));
    assert_ne!(venue.claim(bar).await.pick.id, second.id, "whoever needs another song gets one");
}

#[tokio::test]
async fn a_repeated_claim_is_the_same_pick_also_after_a_restart() {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let claim = key();
    let first = venue.hub.claim_next_song(bar, claim).await.unwrap();
    assert!(first.plan.len() >= 19, "{}", first.plan.len());
    assert_eq!(venue.hub.claim_next_song(bar, claim).await.unwrap().pick.id, first.pick.id);
    let venue = venue.restart().await;
    assert_eq!(venue.hub.claim_next_song(bar, claim).await.unwrap().pick.id, first.pick.id);
    assert_eq!(venue.now_playing().unwrap().pick.id, first.pick.id);
}

#[tokio::test]
async fn a_terminal_hears_the_same_song_until_its_length_has_passed_or_it_says_so() {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let first = venue.hub.next_song(bar).await.unwrap();
    venue.pass(SONG / 2).await;
    assert_eq!(venue.hub.next_song(bar).await.unwrap().id, first.id);
    venue.pass(SONG / 2).await;
    let second = venue.hub.next_song(bar).await.unwrap();
    assert_ne!(second.id, first.id);
    let song = Some(second.song.id);
    let ended = PlaybackReport { song, ended: Some(PlayEnd::Skipped), ..active() };
    venue.hub.report_playback(bar, None, ended).await.unwrap();
    assert_ne!(venue.hub.next_song(bar).await.unwrap().id, second.id);
    assert!(matches!(
        venue.hub.next_song(crate::secrets::new_id(venue.hub.now())).await,
        Err(ClaimError::UnknownPlayer)
    ));
}

#[tokio::test]
async fn a_hub_without_songs_says_how_to_get_some_and_plays_the_first_at_once() {
    let mut venue = Venue::empty().await;
    let bar = venue.player("bar").await.player.id;
    let refused = venue.hub.next_song(bar).await.unwrap_err();
    assert_eq!(refused.to_string(), "no music yet: run `roomtone-hub import DIR`");
    assert!(matches!(venue.hub.claim_next_song(bar, key()).await, Err(ClaimError::NoMusic)));
    let only = venue.add(None).await;
    assert_eq!(venue.hub.next_song(bar).await.unwrap().song.id, only);
    venue.pass(SONG).await;
    assert_eq!(
        venue.hub.next_song(bar).await.unwrap().song.id,
        only,
        "there is always a pick while a song exists"
    );
}

#[tokio::test]
async fn a_share_of_the_room_skips_and_one_phone_does_not() {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let mut orders = venue.hub.player_commands(bar).skip(2);
    let guests = [
        venue.check_in("a").await,
        venue.check_in("b").await,
        venue.check_in("c").await,
        venue.check_in("d").await,
    ];
    assert!(venue.hub.vote_to_skip(&guests[0], key()).await.is_err(), "silence cannot be skipped");
    let first = venue.claim(bar).await.pick;
    let wish = key();
    for _ in 0..3 {
        let shown = venue.hub.vote_to_skip(&guests[0], wish).await.unwrap().unwrap();
        assert_eq!((shown.skip_votes, shown.skip_votes_needed), (1, 2));
        assert_eq!(shown.pick.id, first.id);
    }
    let again = venue.hub.vote_to_skip(&guests[0], key()).await.unwrap().unwrap();
    assert_eq!(again.skip_votes, 1, "one phone is one vote");
    let shown = venue.hub.vote_to_skip(&guests[1], key()).await.unwrap().unwrap();
    assert_ne!(shown.pick.id, first.id);
    assert_eq!(shown.skip_votes, 0);
    let order = orders.next().now_or_never().flatten().unwrap();
    assert_eq!((order.kind, order.pick.unwrap().id), (PlayerCommandKind::Skip, shown.pick.id));
    assert_eq!(venue.claim(bar).await.pick.id, shown.pick.id, "the player is given what the room skipped to");
}

#[tokio::test]
async fn when_others_leave_the_wish_of_those_who_stay_is_enough() {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let mut guests = Vec::new();
    for n in 0..6 {
        guests.push(venue.check_in(&format!("{n}")).await);
    }
    let first = venue.claim(bar).await.pick;
    for guest in &guests[..2] {
        venue.hub.vote_to_skip(guest, key()).await.unwrap();
    }
    assert_eq!(venue.now_playing().unwrap().skip_votes_needed, 3);
    for guest in &guests[4..] {
        venue.hub.check_out(guest, key()).await.unwrap();
    }
    assert_ne!(venue.now_playing().unwrap().pick.id, first.id);
}

#[tokio::test]
async fn a_song_whose_file_is_missing_is_passed_over_until_it_is_back() {
    let mut venue = Venue::empty().await;
    let (here, missing) = (venue.add(Some(along(0, 1.0))).await, venue.add(Some(along(1, 1.0))).await);
    let bar = venue.player("bar").await.player.id;
    venue.hub.settle().await;
    let file = media_path(&venue.hub.media_dir(), venue.hub.song(missing).unwrap().facts.sha256);
    std::fs::remove_file(&file).unwrap();
    let heard: BTreeSet<SongId> = venue.plays(bar, 3).await.into_iter().collect();
    assert_eq!(heard, BTreeSet::from([here]));
    assert!(!venue.hub.is_cached(missing));
    std::fs::write(&file, b"a song").unwrap();
    venue.hub.look_for_files();
    venue.hub.settle().await;
    assert_eq!(venue.plays(bar, 1).await, [missing]);
}

#[tokio::test]
async fn explicit_songs_and_the_same_artist_wait_until_nothing_else_is_left() {
    let mut venue = Venue::empty().await;
    for n in 0_u8..4 {
        let mut facts = venue.facts(Some(along(usize::from(n), 1.0)));
        facts.artist = Some("The Same".to_owned());
        if n == 3 {
            facts.explicit = Explicit::Explicit;
        }
        venue.add_facts(facts).await;
    }
    let bar = venue.player("bar").await.player.id;
    venue.hub.settle().await;
    let heard = venue.plays(bar, 6).await;
    assert!(!heard.contains(&venue.songs[3]));
    assert_eq!(venue.hub.counters().relaxed_artist.get(), 5);
    assert_eq!(venue.hub.counters().relaxed_explicit.get(), 0);
}

#[tokio::test]
async fn a_withdrawn_song_is_not_played_any_more() {
    let venue = Venue::with_songs(2).await;
    let bar = venue.player("bar").await.player.id;
    venue.hub.withdraw_song(venue.songs[0]).await.unwrap();
    let heard = venue.plays(bar, 3).await;
    assert!(heard.iter().all(|song| *song == venue.songs[1]));
    let facts = venue.hub.song(venue.songs[0]).unwrap().facts.clone();
    assert_eq!(venue.hub.add_song(facts).await.unwrap(), crate::hub::Added::Restored(venue.songs[0]));
    venue.hub.settle().await;
    assert_eq!(venue.plays(bar, 1).await, [venue.songs[0]]);
}

#[tokio::test]
async fn a_player_that_is_not_heard_of_is_offline_and_silence_is_counted() {
    let venue = Venue::with_songs(5).await;
    let bar = venue.player("bar").await.player.id;
    let status = || venue.hub.players().borrow()[0].player.status;
    assert_eq!(status(), PlayerStatus::Offline);
    let pick = venue.claim(bar).await.pick;
    assert_eq!(status(), PlayerStatus::Active);
    let beat = |silence_ms| PlaybackReport {
        pick: Some(pick.id),
        silence_ms,
        position_ms: Some(29_000),
        ..active()
    };
    venue.pass(Duration::from_secs(29)).await;
    let repeated = Some(key());
    for _ in 0..2 {
        venue.hub.report_playback(bar, repeated, beat(Some(1_500))).await.unwrap();
    }
    let seen = venue.hub.report_playback(bar, Some(key()), beat(None)).await.unwrap();
    assert_eq!(seen.player.silence_ms, 1_500, "a retry counts once");
    let shown = seen.now_playing.unwrap();
    let since = venue.hub.now().since(shown.as_of).as_millis() as u32;
    assert_eq!(shown.position_ms + since, 29_000);
    venue.pass(Duration::from_secs(29)).await;
    assert_eq!(status(), PlayerStatus::Active);
    venue.pass(Duration::from_secs(2)).await;
    assert_eq!(status(), PlayerStatus::Offline);
    assert_eq!(venue.hub.health().players_online, 0);
    venue.pass(SONG).await;
    assert!(venue.now_playing().is_none(), "nobody plays, so nothing does");
}

#[tokio::test]
async fn what_a_player_played_from_its_plan_while_the_hub_was_gone_is_what_the_zone_heard() {
    let venue = Venue::with_songs(10).await;
    let bar = venue.player("bar").await.player.id;
    let claim = venue.claim(bar).await;
    let next = claim.plan[0].clone();
    let venue = venue.restart().await;
    venue.pass(SONG + Duration::from_secs(20)).await;
    let report = PlaybackReport {
        pick: Some(next.id),
        song: Some(next.song.id),
        position_ms: Some(20_000),
        tier: Some(Tier::Plan),
        ..active()
    };
    venue.hub.report_playback(bar, Some(key()), report).await.unwrap();
    let playing = venue.now_playing().unwrap();
    assert_eq!((playing.pick.song.id, playing.tier, playing.position_ms), (next.song.id, Tier::Plan, 20_000));
    venue.hub.settle().await;
    assert_ne!(venue.up_next()[0].song.id, next.song.id, "it rests now");
    let unknown = PlaybackReport { song: Some(crate::secrets::new_id(venue.hub.now())), ..active() };
    assert!(matches!(venue.hub.report_playback(bar, None, unknown).await, Err(ReportError::UnknownSong)));
}

#[tokio::test]
async fn the_second_engine_picks_the_same_while_the_index_is_being_built() {
    let venue = Venue::with_songs(40).await;
    let bar = venue.player("bar").await.player.id;
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, venue.songs[0], Like).await.unwrap();
    venue.hub.0.fill_second_engine().await.unwrap();
    for played in 1..=6 {
        let room = venue.hub.0.rooms[0].clone();
        let by_index = venue.hub.0.pick_now(&room).unwrap().view;
        let ranked_by_index = venue.hub.recommendations(room.zone.id, 10).await.unwrap();
        let being_built = venue.hub.0.rebuilding.lock().await;
        let ranked = venue.hub.recommendations(room.zone.id, 10).await.unwrap();
        let ids = |ranked: &[Recommendation]| ranked.iter().map(|one| one.song.id).collect::<Vec<_>>();
        assert_eq!(ids(&ranked), ids(&ranked_by_index));
        let pick = venue.claim(bar).await.pick;
        assert_eq!((pick.song.id, &pick.explanation), (by_index.song.id, &by_index.explanation));
        assert_eq!(venue.hub.counters().picks_by_second_engine.get(), played);
        drop(being_built);
        venue.pass(SONG).await;
    }
}

#[tokio::test]
async fn players_hear_of_a_changed_plan_but_not_with_every_vote() {
    let venue = Venue::with_songs(40).await;
    let bar = venue.player("bar").await.player.id;
    let ana = venue.check_in("ana").await;
    venue.claim(bar).await;
    venue.pass(Duration::from_secs(20)).await;
    let mut orders = venue.hub.player_commands(bar).skip(2);
    for song in &venue.songs[..5] {
        venue.vote(&ana, *song, Like).await.unwrap();
        venue.hub.settle().await;
    }
    let mut told = Vec::new();
    while let Some(order) = orders.next().now_or_never().flatten() {
        told.push(order.kind);
    }
    assert_eq!(told, [PlayerCommandKind::PlanChanged]);
}

#[tokio::test]
async fn whoever_is_handed_a_plan_for_another_song_hears_of_the_next_one_at_once() {
    let venue = Venue::with_songs(40).await;
    let bar = venue.player("bar").await.player.id;
    let ana = venue.check_in("ana").await;
    let held = venue.claim(bar).await.plan;
    venue.pass(SONG).await;
    let liked = venue.songs.iter().find(|song| held[0].song.id != **song).unwrap();
    venue.vote(&ana, *liked, Like).await.unwrap();
    venue.hub.settle().await;
    let mut orders = venue.hub.player_commands(bar).skip(2);
    let place =
        |plan: &[std::sync::Arc<PickView>]| plan.iter().position(|next| next.song.id == held[0].song.id);
    let meant = place(&venue.hub.player_plan(bar).unwrap().plan).unwrap();
    assert_ne!(meant, 0, "the plan begins with another song than the one that the player holds");
    let request = ClaimRequest { begun: Some(held[0].id), ..key().into() };
    let handed = venue.hub.claim_next_song(bar, request).await.unwrap().plan;
    assert!(place(&handed).is_none_or(|again| again > meant), "it would be heard twice within a few songs");
    venue.hub.settle().await;
    let told = orders.next().now_or_never().flatten().map(|order| order.kind);
    assert_eq!(told, Some(PlayerCommandKind::PlanChanged));
}

#[tokio::test]
async fn players_take_orders() {
    let venue = Venue::with_songs(5).await;
    let bar = venue.player("bar").await.player.id;
    let mut orders = venue.hub.player_commands(bar);
    let mut next = || orders.next().now_or_never().flatten().unwrap();
    let (volume, mode) = (next(), next());
    assert_eq!(
        (volume.kind, volume.volume),
        (PlayerCommandKind::Volume, Some(1.0)),
        "what holds comes first"
    );
    assert_eq!(mode.kind, PlayerCommandKind::Resume);
    venue.hub.command(bar, PlayerCommandKind::Volume, Some(0.4)).await.unwrap();
    for bad in [None, Some(1.1), Some(f32::NAN)] {
        let refused = venue.hub.command(bar, PlayerCommandKind::Volume, bad).await;
        assert!(matches!(refused, Err(CommandError::BadVolume)));
    }
    venue.hub.command(bar, PlayerCommandKind::Pause, None).await.unwrap();
    let (first, second) = (next(), next());
    assert_eq!((first.volume, second.kind, second.id), (Some(0.4), PlayerCommandKind::Pause, first.id + 1));
    let untold = venue.hub.command(bar, PlayerCommandKind::PlanChanged, None).await;
    assert!(matches!(untold, Err(CommandError::NoOrder)));
    let venue = venue.restart().await;
    let mut orders = venue.hub.player_commands(bar);
    let (volume, mode) = (orders.next().await.unwrap(), orders.next().await.unwrap());
    assert_eq!((volume.volume, mode.kind), (Some(0.4), PlayerCommandKind::Pause), "also after a restart");
    assert!((venue.hub.players().borrow()[0].player.volume - 0.4).abs() < 1e-6);
}

#[tokio::test]
async fn players_have_names_and_tags_of_their_own_and_tokens_that_open() {
    let venue = Venue::empty().await;
    assert!(!venue.hub.has_terminals());
    let tag = Some("04:A2:24".to_owned());
    let bar = venue.hub.add_player(" bar ".to_owned(), tag.clone(), None).await.unwrap();
    assert_eq!(bar.player.name, "bar");
    assert!(matches!(
        venue.hub.add_player("bar".to_owned(), None, None).await,
        Err(AddPlayerError::NameTaken)
    ));
    assert!(matches!(
        venue.hub.add_player("door".to_owned(), tag, None).await,
        Err(AddPlayerError::TagTaken)
    ));
    assert!(matches!(venue.hub.add_player(" ".to_owned(), None, None).await, Err(AddPlayerError::BadName)));
    let venue = venue.restart().await;
    assert_eq!(venue.hub.player_by_token(&bar.token), Some(bar.player.id));
    assert_eq!(venue.hub.player_by_token("04:A2:24"), None, "a tag opens nothing");
}

#[tokio::test]
async fn the_plan_covers_four_hours_or_the_library() {
    let venue = Venue::with_songs(100).await;
    let bar = venue.player("bar").await.player.id;
    venue.hub.settle().await;
    let plan = venue.claim(bar).await.plan;
    let covers = SONG * plan.len() as u32;
    assert!(covers >= Duration::from_hours(4).saturating_sub(SONG), "{covers:?}");
    assert_eq!(venue.up_next().len(), 50);
}

#[tokio::test]
async fn a_zone_may_hide_what_comes_next() {
    let venue = Venue::with(|options| options.zones[0].1.show_up_next = false).await.and_songs(5).await;
    assert!(venue.up_next().is_empty());
    let ranked = venue.hub.recommendations(venue.hub.main_zone(), 3).await.unwrap();
    assert_eq!(ranked.iter().map(|one| one.rank).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn loud_songs_are_turned_down_and_quiet_ones_up_as_far_as_their_peaks_allow() {
    let mut venue = Venue::empty().await;
    let mut gain = async |loudness: Option<f32>, peak: Option<f32>| {
        let mut facts = venue.facts(None);
        (facts.loudness_lufs, facts.true_peak_dbtp) = (loudness, peak);
        let id = venue.add_facts(facts).await;
        crate::programme::gain(&venue.hub.song(id).unwrap(), -16.0)
    };
    assert!((gain(Some(-8.0), Some(0.5)).await + 8.0).abs() < 1e-6);
    assert!((gain(Some(-20.0), Some(-9.0)).await - 4.0).abs() < 1e-6);
    assert!((gain(Some(-20.0), Some(-3.0)).await - 2.0).abs() < 1e-6);
    assert!(gain(None, None).await.abs() < 1e-6);
}
