use roomtone_schema::id::Id as _;
use roomtone_schema::player::{Player, PlayerHealth, PlayerMode, PlayerStatus};
use roomtone_schema::{PlayerId, ZoneId};
use rstest::rstest;
use uuid::Uuid;

use super::*;

const MINUTE: u64 = 60_000;

fn player(name: &str, status: PlayerStatus, planned_ms: Option<u64>) -> PlayerState {
    let player = Player {
        id: PlayerId::from_uuid(Uuid::nil()),
        name: name.to_owned(),
        tag: None,
        zone: ZoneId::from_uuid(Uuid::nil()),
        volume: 0.5,
        mode: PlayerMode::Playing,
        status,
        current_song: None,
        last_seen_at: None,
        silence_ms: 0,
        created_at: UnixMillis(0),
        paired: true,
        secret_made_at: None,
    };
    PlayerState {
        player,
        tier: Tier::Hub,
        health: Some(PlayerHealth { planned_ms, ..PlayerHealth::default() }),
        volume_order: 0,
    }
}

fn known(players: &[PlayerState]) -> Known<'_> {
    Known { has_cloud: true, is_running: false, players, playable_ms: 60 * MINUTE }
}

#[rstest]
#[case::as_long_as_needed(Some(12 * MINUTE), Ok(()))]
#[case::a_moment_too_short(
    Some(12 * MINUTE - 1),
    Err(DrillError::Thin { player: "Bar".to_owned(), planned: 11, wanted: 12 })
)]
#[case::never_told(None, Err(DrillError::Thin { player: "Bar".to_owned(), planned: 0, wanted: 12 }))]
fn the_hub_is_cut_off_only_where_every_plan_lasts(
    #[case] planned: Option<u64>,
    #[case] expected: Result<(), DrillError>,
) {
    let players = [
        player("Hall", PlayerStatus::Active, Some(60 * MINUTE)),
        player("Bar", PlayerStatus::Active, planned),
        // One that is switched off has nothing to lose.
        player("Cellar", PlayerStatus::Offline, None),
    ];
    assert_eq!(check(Cut::Hub, Duration::from_mins(10), &known(&players)), expected);
}

#[test]
fn without_a_player_there_is_nothing_to_hear() {
    let off = [player("Cellar", PlayerStatus::Offline, Some(60 * MINUTE))];
    assert_eq!(check(Cut::Hub, Duration::from_mins(10), &known(&off)), Err(DrillError::NoPlayer));
}

#[test]
fn the_cloud_is_cut_off_only_where_there_is_one_and_music_is_here() {
    let length = Duration::from_mins(10);
    assert_eq!(check(Cut::Cloud, length, &known(&[])), Ok(()));
    let alone = Known { has_cloud: false, ..known(&[]) };
    assert_eq!(check(Cut::Cloud, length, &alone), Err(DrillError::NoCloud));
    let bare = Known { playable_ms: 11 * MINUTE, ..known(&[]) };
    assert_eq!(check(Cut::Cloud, length, &bare), Err(DrillError::Little { here: 11, wanted: 12 }));
}

#[rstest]
#[case(Duration::from_millis(9_999))]
#[case(LONGEST + Duration::from_millis(1))]
fn its_length_has_bounds(#[case] length: Duration) {
    assert_eq!(check(Cut::Cloud, length, &known(&[])), Err(DrillError::Length));
}

#[test]
fn there_is_one_at_a_time() {
    let known = Known { is_running: true, ..known(&[]) };
    assert_eq!(check(Cut::Cloud, SHORTEST, &known), Err(DrillError::Running));
}

#[test]
fn plays_are_told_apart_by_where_they_came_from() {
    let plays = Plays::of(&[(Tier::Plan, 3), (Tier::Hub, 2)]);
    assert_eq!(plays, Plays { hub: 2, plan: 3, cache: 0 });
}
