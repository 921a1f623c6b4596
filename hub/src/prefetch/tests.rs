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
    let music = Duration::from_mins(20);
    File { song: song(n), bytes: 10, here: false, stored: true, wanted: true, origin: Origin::Cloud, music }
}

/// One that is here, too.
fn near(n: u128) -> File {
    File { here: true, ..far(n) }
}

/// One that was imported here and is nowhere else.
fn only_here(n: u128) -> File {
    File { stored: false, origin: Origin::Here, ..near(n) }
}

#[test]
fn what_plays_and_is_planned_comes_before_what_is_liked() {
    let wishes = Wishes {
        soon: songs(&[4]),
        planned: songs(&[3]),
        ranked: vec![songs(&[1, 2, 3, 4])],
        ..Wishes::default()
    };
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
            File { song: song(n), bytes: *bytes, here: *here, stored: *stored, wanted: *wanted, ..far(n) }
        }).collect();
        let named = |places: &[usize]| places.iter().map(|n| song(*n as u128)).collect::<Vec<_>>();
        let all: Vec<SongId> = files.iter().map(|file| file.song).collect();
        let wishes = Wishes { soon: named(&soon), planned: named(&planned), ranked: vec![all], ..Wishes::default() };
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

/// Songs of twenty minutes: three of them are an hour.
mod needed {
    use super::*;

    fn wishes(soon: &[u128], ranked: &[u128]) -> Wishes {
        Wishes { soon: songs(soon), ranked: vec![songs(ranked)], ..Wishes::default() }
    }

    #[test]
    fn the_next_hour_and_as_much_to_choose_from_are_here_and_nothing_else() {
        let files: Vec<File> =
            [near(1), near(2), near(3), near(9)].into_iter().chain((4..9).map(far)).collect();
        let plan = plan_needed(&files, &wishes(&[1, 2, 3], &[4, 5, 6, 7, 8, 1, 2, 3, 9]), 1_000);
        assert_eq!(plan.fetch, songs(&[4, 5, 6]));
        assert_eq!(
            (plan.gone, plan.over),
            (songs(&[9]), vec![]),
            "what was heard goes, as the next hour is here"
        );
    }

    #[test]
    fn while_nothing_else_has_come_an_hour_stays_and_is_told_apart() {
        let files: Vec<File> = (1..=8).map(near).chain((11..19).map(far)).collect();
        let ranked: Vec<u128> = (11..19).chain([8, 7, 6, 5, 4, 3, 2, 1]).collect();
        let resting = (3..=7).map(song).collect();
        let plan = plan_needed(&files, &Wishes { resting, ..wishes(&[8], &ranked) }, 1_000);
        assert_eq!(plan.gone, songs(&[1, 2, 3, 4, 5]), "the least wanted first");
        assert_eq!(
            (plan.spare, plan.fetch),
            (songs(&[6, 7]), songs(&[11, 12, 13])),
            "a full disk needs them more"
        );
        assert_eq!(plan.over, songs(&[3, 4, 5, 6, 7]), "what is heard of these is heard again");
        let two = Wishes { ranked: vec![songs(&ranked); 2], ..wishes(&[8], &[]) };
        assert_eq!(plan_needed(&files, &two, 1_000).gone, songs(&[1, 2]), "two zones need two hours");
    }

    #[test]
    fn what_the_venue_imported_itself_stays_and_what_it_does_not_play_goes() {
        let unwanted = |file: File| File { wanted: false, ..file };
        let own = File { origin: Origin::Here, ..near(1) };
        let files = [
            own,
            only_here(2),
            unwanted(near(3)),
            unwanted(File { origin: Origin::Here, ..near(4) }),
            near(5),
        ];
        let plan = plan_needed(&files, &wishes(&[5], &[1, 2, 5]), 1_000);
        assert_eq!(plan.gone, songs(&[3]));
        assert_eq!(plan.spare, songs(&[1, 4]), "for a full disk alone, as the cloud has them");
        assert_eq!((plan.pinned, plan.pinned_bytes), (1, 10));
    }

    #[test]
    fn a_song_that_is_heard_again_is_counted_only_where_another_could_have_come() {
        let resting = |numbers: &[u128]| Wishes {
            resting: songs(numbers).into_iter().collect(),
            ..wishes(&[], &[1, 2, 3])
        };
        let own = File { origin: Origin::Here, ..near(3) };
        assert_eq!(plan_needed(&[near(1), far(2), own], &resting(&[1, 3]), 1_000).over, songs(&[1]));
        assert_eq!(
            plan_needed(&[near(1), far(2), own], &resting(&[1, 2, 3]), 1_000).over,
            vec![],
            "all rest"
        );
        assert_eq!(
            plan_needed(&[near(1), near(2), own], &resting(&[1, 3]), 1_000).over,
            vec![],
            "all are here"
        );
    }

    #[test]
    fn nothing_is_fetched_beyond_the_budget_and_own_songs_are_no_reason_to_fetch_none() {
        let own = (1..=10).map(|n| File { origin: Origin::Here, ..near(n) });
        let files: Vec<File> = own.chain((11..=20).map(far)).collect();
        let ranked: Vec<u128> = (11..=20).chain(1..=10).collect();
        assert_eq!(plan_needed(&files, &wishes(&[1], &ranked), 1_000).fetch, songs(&[11, 12, 13]));
        assert_eq!(plan_needed(&files, &wishes(&[1], &ranked), 120).fetch, songs(&[11, 12]));
    }

    proptest! {
        #[test]
        fn never_silent_and_never_more_than_is_needed(
            made in prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()), 1..40),
            soon in prop::collection::vec(0..40_usize, 0..3),
        ) {
            let files: Vec<File> = made.iter().zip(0..).map(|((here, stored, wanted, own), n)| {
                // What came from the cloud is there; what was born here is not, before it went up.
                let (here, stored) = (*here || *own, *stored || !*own);
                let origin = if *own { Origin::Here } else { Origin::Cloud };
                File { here, stored, wanted: *wanted, origin, ..far(n) }
            }).collect();
            let soon: Vec<u128> = soon.iter().map(|n| *n as u128).collect();
            let ranked: Vec<u128> = (0..files.len() as u128).collect();
            let wishes = wishes(&soon, &ranked);
            let plan = plan_needed(&files, &wishes, u64::MAX);
            let stays = |file: &&File| file.here && !plan.gone.contains(&file.song);
            for file in files.iter().filter(|file| plan.gone.contains(&file.song)) {
                prop_assert!(file.here && file.stored && file.origin == Origin::Cloud && !wishes.soon.contains(&file.song));
            }
            let music = |files: &mut dyn Iterator<Item = &File>| files.map(|file| file.music).sum::<Duration>();
            let before = music(&mut files.iter().filter(|file| file.here && file.wanted));
            let after = music(&mut files.iter().filter(stays).filter(|file| file.wanted));
            let hour = Duration::from_hours(1);
            prop_assert!(after == before || hour <= after, "{:?} of {:?}", after, before);
            let cloud = |file: &&File| file.origin == Origin::Cloud && !wishes.soon.contains(&file.song);
            prop_assert!(music(&mut files.iter().filter(stays).filter(cloud)) <= hour * 2);
        }
    }
}
