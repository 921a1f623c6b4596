//! What people are told about a pick, and what an empty room hears.

use std::time::Duration;

use roomtone_schema::explanation::{Onlookers, ReasonCode, explain};
use roomtone_schema::pick::{Pick, Terms};
use roomtone_schema::rank::Standing;
use roomtone_schema::room::{Listener, Room};
use roomtone_schema::vector::Axes;
use roomtone_schema::vibe::VibeSource;
use roomtone_schema::{SongId, UnixMillis, id::Id as _};
use rstest::rstest;

use crate::library::{HOUR, NOW};

const LOUD: Axes = [1.0, 0.0, 0.0, 0.0, 0.0];
const BRIGHT: Axes = [0.0, 1.0, 0.0, 0.0, 0.0];

/// A pick of a song heard `ago`, this near to the vibe, at this place of the draw.
fn picked(similarity: f64, ago: Option<Duration>, place: u32) -> Pick {
    let terms = Terms {
        vibe: LOUD,
        standing: Standing::Rested,
        similarity,
        penalty: 0.0,
        misery: 0.0,
        drought: 0.0,
        jump: 0.0,
        score: similarity,
        last_played_at: ago.map(|ago| NOW - ago),
        rests_until: None,
        relaxed: Vec::new(),
        place,
        drawn_from: Vec::new(),
    };
    Pick { song: SongId::from_bytes([1; 16]), seed: 1, terms }
}

fn told(pick: &Pick, present: usize, likes: usize, unheard: Option<&Axes>) -> Vec<ReasonCode> {
    let onlookers = Onlookers { source: VibeSource::Listeners, present, likes, unheard, song: Some(&BRIGHT) };
    explain(pick, NOW, &onlookers).reasons.into_iter().map(|reason| reason.code).collect()
}

#[rstest]
#[case::near_what_the_room_wants(&picked(0.8, Some(HOUR), 1), &[ReasonCode::Vibe])]
#[case::never_heard(&picked(0.8, None, 1), &[ReasonCode::Vibe, ReasonCode::LongUnheard])]
#[case::heard_two_days_ago(&picked(0.1, Some(48 * HOUR), 1), &[ReasonCode::LongUnheard])]
#[case::far_down_the_draw(&picked(0.8, Some(HOUR), 6), &[ReasonCode::Vibe, ReasonCode::Exploring])]
#[case::nothing_else_to_say(&picked(0.1, Some(HOUR), 1), &[ReasonCode::Exploring])]
fn a_pick_is_told_with_what_is_worth_telling(#[case] pick: &Pick, #[case] expected: &[ReasonCode]) {
    assert_eq!(told(pick, 5, 0, None), expected);
}

#[rstest]
#[case::alone(1, false)]
#[case::two(2, false)]
#[case::three(3, true)]
fn a_group_is_spoken_of_from_three_people_on(#[case] present: usize, #[case] is_told: bool) {
    let reasons = told(&picked(0.8, Some(HOUR), 1), present, present, Some(&BRIGHT));
    for code in [ReasonCode::LikedHere, ReasonCode::TurnOfTheUnheard] {
        assert_eq!(reasons.contains(&code), is_told, "{code:?} among {present}");
    }
}

#[test]
fn hours_unheard_are_told_as_hours() {
    let onlookers = Onlookers { source: VibeSource::None, present: 0, likes: 0, unheard: None, song: None };
    let told = explain(&picked(0.0, Some(36 * HOUR), 1), NOW, &onlookers);
    assert_eq!(told.reasons[0].value, Some(36.0));
    assert_eq!(told.last_played_at, Some(UnixMillis(NOW.0 - 36 * 3_600_000)));
}

#[test]
fn an_empty_room_hears_its_profile_else_the_middle_of_the_catalogue_else_anything() {
    let mut room =
        Room { profile: Some([0.5, 0.0, 0.0, 0.0, 0.0]), catalogue: Some(BRIGHT), ..Room::default() };
    assert_eq!((room.target().source, room.target().axes), (VibeSource::Profile, LOUD));
    room.listeners.push(Listener { weight: 1.0, ..Listener::default() });
    assert_eq!(room.target().source, VibeSource::Profile, "somebody without a taste has no say yet");
    room.profile = None;
    assert_eq!((room.target().source, room.target().axes), (VibeSource::Catalogue, BRIGHT));
    room.catalogue = None;
    assert_eq!((room.target().source, room.target().axes), (VibeSource::None, [0.0; 5]));
    room.listeners[0].taste = Some(LOUD);
    assert_eq!((room.target().source, room.target().axes), (VibeSource::Listeners, LOUD));
}
