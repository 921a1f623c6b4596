//! Plays that players name themselves: each is one row, in the player's own words, however it comes to be known.

use std::collections::BTreeMap;
use std::time::Duration;

use roomtone_schema::play::{Play, PlayEnd, Tier};
use roomtone_schema::player::{PlayerHealth, PlayerStatus};
use roomtone_schema::{PickId, PlayId, PlayerId, SongId, UnixMillis};
use rstest::rstest;

use super::venue::{SONG, Venue, active, key};
use crate::late::{LateError, MOST_LATE_PLAYS};
use crate::playing::{Claim, ClaimRequest};
use crate::secrets::new_id;
use crate::store::{FactKind, outbox, plays};
use crate::view::{LatePlay, PlaybackReport};

const HEARD: u32 = 170_000;

impl Venue {
    async fn claims(&self, player: PlayerId, play: PlayId, begun: Option<PickId>) -> Claim {
        let request = ClaimRequest { play: Some(play), begun, ..key().into() };
        self.hub.claim_next_song(player, request).await.unwrap()
    }

    async fn row(&self, play: PlayId) -> Option<Play> {
        self.hub.store().read(move |conn| plays::by_id(conn, play)).await.unwrap()
    }

    /// How often it was written down that a play began and that it ended.
    async fn facts_of(&self, play: PlayId) -> (usize, usize) {
        let facts = self.hub.store().read(|conn| outbox::after(conn, 0, 1_000)).await.unwrap();
        let count = |kind| {
            let of_kind = facts.iter().filter(|fact| fact.kind == kind);
            of_kind.filter(|fact| fact.noun::<Play>().unwrap().id == play).count()
        };
        (count(FactKind::PlayStarted), count(FactKind::PlayEnded))
    }
}

fn named() -> PlayId {
    new_id(super::venue::NOON)
}

fn late(play: PlayId, song: SongId, pick: PickId) -> LatePlay {
    LatePlay {
        play,
        song,
        pick: Some(pick),
        started_ago_ms: SONG.as_millis() as i64,
        ended_ago_ms: 1_000,
        heard_ms: HEARD,
        ended: PlayEnd::Skipped,
        tier: Tier::Plan,
    }
}

fn end(play: PlayId, song: Option<SongId>, pick: Option<PickId>) -> PlaybackReport {
    PlaybackReport {
        play: Some(play),
        song,
        pick,
        heard_ms: Some(HEARD),
        ended: Some(PlayEnd::Skipped),
        tier: Some(Tier::Plan),
        ..active()
    }
}

#[rstest]
#[case(["claim", "end", "late"])]
#[case(["claim", "late", "end"])]
#[case(["end", "claim", "late"])]
#[case(["end", "late", "claim"])]
#[case(["late", "claim", "end"])]
#[case(["late", "end", "claim"])]
#[tokio::test]
async fn a_claim_an_end_and_a_late_word_are_one_play_in_any_order(#[case] order: [&str; 3]) {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let first = venue.claims(bar, named(), None).await;
    let begun = &first.plan[0];
    let (play, song) = (named(), begun.song.id);
    for word in order.iter().chain(&order) {
        match *word {
            "claim" => {
                venue.claims(bar, play, Some(begun.id)).await;
            }
            "end" => {
                let said = end(play, Some(song), Some(begun.id));
                venue.hub.report_playback(bar, Some(key()), said).await.unwrap();
            }
            _ => {
                let taken =
                    venue.hub.report_plays(bar, key(), vec![late(play, song, begun.id)]).await.unwrap();
                assert_eq!((taken.taken, taken.unknown.len()), (1, 0));
            }
        }
    }
    let row = venue.row(play).await.unwrap();
    assert_eq!((row.song, row.pick, row.player), (song, Some(begun.id), bar));
    assert_eq!((row.heard_ms, row.ended, row.tier), (Some(HEARD), Some(PlayEnd::Skipped), Tier::Plan));
    assert_eq!(venue.facts_of(play).await, (1, 1), "{order:?}");
    assert_eq!(venue.hub.counters().lost_records.get(), 0);
}

#[tokio::test]
async fn the_end_of_the_song_before_is_the_players_to_tell_before_or_after_the_claim() {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let (first, second, third) = (named(), named(), named());
    let one = venue.claims(bar, first, None).await.pick;
    venue.pass(SONG / 3).await;
    let two = venue.claims(bar, second, None).await.pick;
    assert_eq!(venue.row(first).await.unwrap().ended, None, "nobody guesses");
    // Without a song: what the play is about is known by its name.
    venue.hub.report_playback(bar, Some(key()), end(first, None, None)).await.unwrap();
    let row = venue.row(first).await.unwrap();
    assert_eq!((row.song, row.heard_ms, row.ended), (one.song.id, Some(HEARD), Some(PlayEnd::Skipped)));
    let view = &venue.hub.player_states()[0];
    assert_eq!(view.player.current_song, Some(two.song.id), "the song that plays now is still that one");
    venue.hub.report_playback(bar, Some(key()), end(second, None, Some(two.id))).await.unwrap();
    let three = venue.claims(bar, third, None).await.pick;
    assert_eq!(venue.row(second).await.unwrap().heard_ms, Some(HEARD));
    let begun = PlaybackReport { play: Some(third), pick: Some(three.id), ..active() };
    venue.hub.report_playback(bar, Some(key()), begun).await.unwrap();
    assert_eq!(venue.facts_of(third).await, (1, 0), "a heartbeat begins nothing anew");
}

#[tokio::test]
async fn a_zone_follows_who_began_first_and_nobody_leaves_a_song_twice() {
    let venue = Venue::with_songs(20).await;
    let (bar, door) = (venue.player("bar").await.player.id, venue.player("door").await.player.id);
    let first = venue.claims(bar, named(), None).await;
    assert_eq!(venue.claims(door, named(), None).await.pick.id, first.pick.id);
    // Both have begun another song of the plan; the bar says so first.
    let (bars, doors) = (&first.plan[0], &first.plan[1]);
    let play = named();
    let claim = venue.claims(bar, play, Some(bars.id)).await;
    assert_eq!(claim.pick.id, bars.id);
    assert_eq!(claim.plan[0].id, doors.id, "the plan goes on behind it");
    assert_eq!(venue.now_playing().unwrap().pick.id, bars.id);
    let left = named();
    assert_eq!(venue.claims(door, left, Some(doors.id)).await.pick.id, bars.id);
    assert_eq!(
        venue.row(left).await,
        None,
        "what the door has begun is not the song that it is answered with"
    );
    let said = end(left, Some(doors.song.id), Some(doors.id));
    venue.hub.report_playback(door, Some(key()), said).await.unwrap();
    assert_eq!(venue.row(left).await.unwrap().song, doors.song.id);
    let turned = named();
    let begun = PlaybackReport { play: Some(turned), pick: Some(bars.id), ..active() };
    venue.hub.report_playback(door, Some(key()), begun).await.unwrap();
    assert_eq!(venue.row(turned).await.unwrap().song, bars.song.id);
    assert_eq!(venue.claims(bar, play, None).await.pick.id, bars.id, "the same play again is the same song");
    assert_eq!(venue.now_playing().unwrap().pick.id, bars.id);
}

#[tokio::test]
async fn a_song_of_a_plan_that_was_made_anew_since_is_followed_all_the_same() {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let first = venue.claims(bar, named(), None).await;
    let ana = venue.check_in("ana").await;
    venue.vote(&ana, venue.songs[0], roomtone_schema::vote::VoteValue::Like).await.unwrap();
    venue.hub.settle().await;
    let begun = &first.plan[3];
    assert_eq!(venue.claims(bar, named(), Some(begun.id)).await.pick.song.id, begun.song.id);
    assert_eq!(venue.now_playing().unwrap().pick.id, begun.id);

    let again = venue.hub.player_plan(bar).unwrap();
    assert_eq!(again.current.unwrap().id, begun.id);
    let (lost, venue) = (again.plan[0].clone(), venue.restart().await);
    let request = ClaimRequest {
        play: Some(named()),
        begun: Some(lost.id),
        begun_song: Some(lost.song.id),
        ..key().into()
    };
    let claim = venue.hub.claim_next_song(bar, request).await.unwrap();
    assert_eq!((claim.pick.id, claim.pick.song.id), (lost.id, lost.song.id), "by its song, after a restart");
    assert_eq!(venue.now_playing().unwrap().pick.id, lost.id);

    let (lost, venue, play) = (claim.plan[0].clone(), venue.restart().await, named());
    let said = PlaybackReport { play: Some(play), pick: Some(lost.id), song: Some(lost.song.id), ..active() };
    venue.hub.report_playback(bar, None, said).await.unwrap();
    assert_eq!(
        venue.claims(bar, play, Some(lost.id)).await.pick.id,
        lost.id,
        "or by what was said of the play"
    );
    assert_eq!(venue.facts_of(play).await, (1, 0));
}

#[tokio::test]
async fn late_plays_count_for_rest_and_lie_neither_in_the_future_nor_before_history() {
    let venue = Venue::with_songs(20).await;
    let bar = venue.player("bar").await.player.id;
    let now = venue.hub.now();
    let next = venue.up_next()[0].song.id;
    let mut told: BTreeMap<PlayId, UnixMillis> = BTreeMap::new();
    let mut all = Vec::new();
    let hour = 3_600_000;
    // Twenty songs of three minutes rest for 36 minutes at most.
    let lately = 600_000;
    let day = 24 * hour;
    for (ago, song, expected) in [
        (lately, next, now - Duration::from_mins(10)),
        (-5 * hour, venue.songs[1], now),
        (400 * day, venue.songs[2], now - Duration::from_hours(180 * 24)),
        (i64::MIN, venue.songs[3], now),
        (i64::MAX, venue.songs[4], now - Duration::from_hours(180 * 24)),
    ] {
        let play = named();
        let ended_ago_ms = ago.saturating_sub(60_000);
        all.push(LatePlay { started_ago_ms: ago, ended_ago_ms, ..late(play, song, new_id(now)) });
        told.insert(play, expected);
    }
    let stranger: SongId = new_id(now);
    all.push(late(named(), stranger, new_id(now)));
    all.push(late(named(), stranger, new_id(now)));
    let report = key();
    let taken = venue.hub.report_plays(bar, report, all.clone()).await.unwrap();
    assert_eq!((taken.taken, taken.unknown.as_slice()), (5, &[stranger][..]));
    for (play, expected) in told {
        let row = venue.row(play).await.unwrap();
        assert_eq!((row.started_at, row.tier), (expected, Tier::Plan));
        assert!(row.started_at <= row.ended_at.unwrap() && row.ended_at.unwrap() <= now);
    }
    assert_ne!(venue.claim(bar).await.pick.song.id, next, "it rests now");
    // The answer may have been lost.
    assert_eq!(venue.hub.report_plays(bar, report, all).await.unwrap(), taken);
    let venue = venue.restart().await;
    assert_ne!(venue.claim(bar).await.pick.song.id, next, "also after a restart");
}

#[tokio::test]
async fn late_plays_are_the_players_own_and_not_too_many_at_once() {
    let venue = Venue::with_songs(5).await;
    let (bar, door) = (venue.player("bar").await.player.id, venue.player("door").await.player.id);
    let (play, song) = (named(), venue.songs[0]);
    let one = late(play, song, new_id(venue.hub.now()));
    venue.hub.report_plays(bar, key(), vec![one.clone()]).await.unwrap();
    let stolen = LatePlay { heard_ms: 1, ..one.clone() };
    assert_eq!(venue.hub.report_plays(door, key(), vec![stolen]).await.unwrap().taken, 0);
    venue
        .hub
        .report_playback(door, None, PlaybackReport { heard_ms: Some(1), ..end(play, None, None) })
        .await
        .unwrap();
    assert_eq!(venue.row(play).await.unwrap().heard_ms, Some(HEARD));
    let many = vec![one; MOST_LATE_PLAYS + 1];
    assert!(matches!(venue.hub.report_plays(bar, key(), many).await, Err(LateError::TooMany)));
    let used = key();
    venue.hub.claim_next_song(bar, used).await.unwrap();
    assert!(matches!(venue.hub.report_plays(bar, used, Vec::new()).await, Err(LateError::KeyUsed)));
}

#[tokio::test]
async fn a_player_says_how_it_is_and_silence_is_an_alarm_only_where_it_should_play() {
    let venue = Venue::with_songs(5).await;
    let bar = venue.player("bar").await.player.id;
    let health = PlayerHealth { silent: true, level_db: Some(-90.0), ..PlayerHealth::default() };
    let silent = PlaybackReport { health: Some(health.clone()), tier: Some(Tier::Cache), ..active() };
    venue.hub.report_playback(bar, None, silent.clone()).await.unwrap();
    let state = &venue.hub.player_states()[0];
    assert_eq!((state.tier, state.health.as_ref(), state.is_silent()), (Tier::Cache, Some(&health), true));
    assert_eq!(venue.hub.health().players_silent, 1);
    venue.hub.command(bar, crate::view::PlayerCommandKind::Pause, None).await.unwrap();
    assert_eq!(venue.hub.health().players_silent, 0, "a pause is meant to be silent");
    venue.hub.command(bar, crate::view::PlayerCommandKind::Resume, None).await.unwrap();
    assert_eq!(venue.hub.health().players_silent, 1);
    venue.pass(Duration::from_mins(5)).await;
    assert_eq!(venue.hub.players().borrow()[0].player.status, PlayerStatus::Offline);
    assert_eq!(venue.hub.health().players_silent, 0, "what is not heard of is offline");
}
