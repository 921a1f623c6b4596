use proptest::prelude::*;
use roomtone_schema::id::Id as _;
use uuid::Uuid;

use super::*;

fn song(n: u128) -> SongId {
    SongId::from_uuid(Uuid::from_u128(n))
}

fn songs(numbers: &[u128]) -> Vec<SongId> {
    numbers.iter().copied().map(song).collect()
}

/// A song of the catalogue that is not here.
fn far(n: u128) -> File {
    File { song: song(n), bytes: 10, here: false, stored: true, wanted: true }
}

/// One that is here, too.
fn near(n: u128) -> File {
    File { here: true, ..far(n) }
}

/// One that was imported here and is nowhere else.
fn only_here(n: u128) -> File {
    File { stored: false, ..near(n) }
}

#[test]
fn what_plays_and_is_planned_comes_before_what_is_liked() {
    let wishes = Wishes { soon: songs(&[4]), planned: songs(&[3]), ranked: vec![songs(&[1, 2, 3, 4])] };
    let plan = plan(&[far(1), far(2), far(3), far(4)], &wishes, 30);
    assert_eq!(plan.fetch, songs(&[4, 3, 1]));
}

#[test]
fn zones_take_turns() {
    let wishes = Wishes { ranked: vec![songs(&[1, 2]), songs(&[3, 4])], ..Wishes::default() };
    assert_eq!(plan(&[far(1), far(2), far(3), far(4)], &wishes, 30).fetch, songs(&[1, 3, 2]));
}

#[test]
fn the_next_hour_never_gives_way() {
    let wishes = Wishes { soon: songs(&[1, 2]), ranked: vec![songs(&[3, 4])], ..Wishes::default() };
    let plan = plan(&[near(1), near(2), far(3), far(4)], &wishes, 10);
    assert_eq!((plan.fetch, plan.spare), (vec![], vec![]));
}

#[test]
fn what_is_nowhere_else_never_gives_way_and_is_counted() {
    let wishes = Wishes { ranked: vec![songs(&[2, 3, 1])], ..Wishes::default() };
    let plan = plan(&[only_here(1), near(3), far(2)], &wishes, 20);
    assert_eq!((plan.pinned, plan.pinned_bytes), (1, 10));
    assert_eq!((plan.fetch, plan.spare), (songs(&[2]), songs(&[3])));
}

#[test]
fn what_the_venue_does_not_play_goes_first_and_is_not_fetched() {
    let wishes = Wishes { ranked: vec![songs(&[1, 2, 3])], ..Wishes::default() };
    let unwanted = File { wanted: false, ..near(9) };
    let plan = plan(&[far(1), near(3), unwanted, File { wanted: false, ..far(2) }], &wishes, 10);
    assert_eq!((plan.fetch, plan.spare), (songs(&[1]), songs(&[9, 3])));
}

#[test]
fn what_is_here_stays_until_something_is_clearly_better() {
    let ranked: Vec<SongId> = (1..=20).map(song).collect();
    let wishes = Wishes { ranked: vec![ranked], ..Wishes::default() };
    let files = |here: u128| (1..=20).map(|n| if n == here { near(n) } else { far(n) }).collect::<Vec<_>>();
    assert_eq!(plan(&files(6), &wishes, 10).spare, vec![], "five places behind");
    assert_eq!(plan(&files(12), &wishes, 10).spare, songs(&[12]), "far behind");
}

#[test]
fn no_more_gives_way_than_must() {
    let spare = [near(1), near(2), near(3)];
    assert_eq!(giving_way(&spare, 30, 10, 40), vec![]);
    assert_eq!(giving_way(&spare, 30, 10, 39), songs(&[1]));
    assert_eq!(giving_way(&spare, 30, 25, 30), songs(&[1, 2, 3]));
}

proptest! {
    #[test]
    fn within_the_budget_and_never_what_must_stay(
        made in prop::collection::vec((1..50_u64, any::<bool>(), any::<bool>(), any::<bool>()), 1..40),
        soon in prop::collection::vec(0..40_usize, 0..6),
        planned in prop::collection::vec(0..40_usize, 0..10),
        budget in 0..800_u64,
    ) {
        let files: Vec<File> = made.iter().zip(0..).map(|((bytes, here, stored, wanted), n)| {
            File { song: song(n), bytes: *bytes, here: *here, stored: *stored, wanted: *wanted }
        }).collect();
        let named = |places: &[usize]| places.iter().map(|n| song(*n as u128)).collect::<Vec<_>>();
        let all: Vec<SongId> = files.iter().map(|file| file.song).collect();
        let wishes = Wishes { soon: named(&soon), planned: named(&planned), ranked: vec![all] };
        let plan = plan(&files, &wishes, budget);
        let file = |song: &SongId| *files.iter().find(|file| file.song == *song).unwrap();
        let soon = named(&soon);
        for gone in &plan.spare {
            prop_assert!(file(gone).here && file(gone).stored && !soon.contains(gone));
            prop_assert!(!plan.fetch.contains(gone));
        }
        for coming in &plan.fetch {
            prop_assert!(!file(coming).here && file(coming).stored && file(coming).wanted);
        }
        let spared: u64 = plan.spare.iter().map(|song| file(song).bytes).sum();
        let here: u64 = files.iter().filter(|file| file.here).map(|file| file.bytes).sum();
        let coming: u64 = plan.fetch.iter().map(|song| file(song).bytes).sum();
        prop_assert!(plan.fetch.is_empty() || here - spared + coming <= budget, "fetches only what then fits");
    }
}
