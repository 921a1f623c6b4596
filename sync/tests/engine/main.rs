//! Lists of commands against the engine, drawn by lot: whatever is lost, refused, cut off or put back, in the end the cloud
//! has each fact once and the hub has the cloud's rows.

mod both;

use both::{Both, Cut, KNOWN};
use proptest::prelude::*;
use roomtone_sync::engine::{Lane, Settings, Status};
use roomtone_sync::wire::Kind;
use uuid::Uuid;

#[derive(Debug, Clone)]
enum Command {
    Write(u8),
    Change(u8),
    /// Lets the engine go on for some steps.
    Go(u8),
    /// The next step fails in some way.
    Fail(Cut),
    /// Time passes without a step.
    Wait(u32),
    /// The hub's program dies between two steps.
    Crash,
    /// A backup of the hub is put back.
    RestoreHub,
    /// A backup of the cloud is put back.
    RestoreCloud,
    Backup,
    /// Something that the hub said arrives once more.
    Echo(u8),
    /// Whoever listens is told of news, which may not be true.
    Poke(i8),
    /// The stream of news ends.
    EndStream,
    /// A row of the hub is damaged.
    Damage,
    /// The cloud tells more of its rows than it did.
    Grow,
    /// Another box holds the lease for a while.
    Rival(u32),
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let cut = prop_oneof![
        Just(Cut::Before),
        Just(Cut::After),
        Just(Cut::Twice),
        (1..9_u8).prop_map(Cut::Late),
        Just(Cut::Busy),
        Just(Cut::Local)
    ];
    let command = prop_oneof![
        6 => (1..40_u8).prop_map(Command::Write),
        4 => (1..30_u8).prop_map(Command::Change),
        8 => (1..12_u8).prop_map(Command::Go),
        4 => cut.prop_map(Command::Fail),
        2 => (1..100_000_u32).prop_map(Command::Wait),
        2 => Just(Command::Crash),
        1 => Just(Command::RestoreHub),
        1 => Just(Command::RestoreCloud),
        2 => Just(Command::Backup),
        3 => any::<u8>().prop_map(Command::Echo),
        3 => (-9..9_i8).prop_map(Command::Poke),
        1 => Just(Command::EndStream),
        1 => Just(Command::Damage),
        1 => Just(Command::Grow),
        1 => (1..90_000_u32).prop_map(Command::Rival),
    ];
    proptest::collection::vec(command, 1..60)
}

fn settings(run: u128) -> Settings {
    let reads = vec![(Kind::Song, KNOWN)];
    Settings { page: 10, snapshot_from: 40, reads, ..Settings::new(Uuid::from_u128(run), 7) }
}

fn obey(both: &mut Both, command: &Command) {
    match command {
        Command::Write(many) => both.write(*many),
        Command::Change(many) => both.change(*many),
        Command::Go(steps) => (0..*steps).for_each(|_| both.step(None)),
        Command::Fail(cut) => both.step(Some(*cut)),
        Command::Wait(ms) => both.now += u64::from(*ms),
        Command::Crash => both.crash(),
        Command::RestoreHub => both.restore_hub(),
        Command::RestoreCloud => both.restore_cloud(),
        Command::Backup => both.backup(),
        Command::Echo(nth) => both.echo(*nth),
        Command::Poke(wrong_by) => both.poke(*wrong_by),
        Command::EndStream => both.end_stream(),
        Command::Damage => both.damage(),
        Command::Grow => both.grow(),
        Command::Rival(ms) => both.cloud.rival(both.now, u64::from(*ms)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_both_have_the_same(commands in commands()) {
        let mut both = Both::new(settings);
        for command in &commands {
            obey(&mut both, command);
            prop_assert!(both.has_a_timer(), "nothing is under way, and no time to look again");
        }
        both.settle();
        prop_assert_eq!(both.engine.status(), Status::Synced);
        prop_assert_eq!(both.missing(), Vec::<u64>::new());
        prop_assert!(both.counted_twice().is_empty());
        prop_assert_eq!(&both.hub.rows, &both.cloud.rows);
        prop_assert!(both.has_taken_all(), "rows have grown that were not fetched again");
        prop_assert_eq!(both.needless, 0, "rows were fetched again that had not grown");
    }
}

#[test]
fn nothing_waits_for_what_another_lane_cannot_do() {
    let mut both = Both::new(settings);
    both.write(3);
    both.change(5);
    both.refuses_push = true;
    for _ in 0..200 {
        both.step(None);
    }
    assert_eq!(both.hub.rows, both.cloud.rows, "rows come down while facts cannot go up");
    assert_eq!(both.missing().len(), 3);
    both.refuses_push = false;
    both.settle();
    assert!(both.missing().is_empty());
}

#[test]
fn a_stream_that_does_not_last_three_times_is_replaced_by_polls() {
    let mut both = Both::new(settings);
    both.streams_end = true;
    for _ in 0..400 {
        if both.polls > 0 {
            break;
        }
        both.step(None);
    }
    assert_eq!((both.opened, both.polls), (3, 1));
}

#[test]
fn a_page_with_a_hole_is_not_applied() {
    let mut both = Both::new(settings);
    both.settle();
    both.change(8);
    both.has_hole = true;
    (0..40).for_each(|_| both.step(None));
    assert_eq!(both.hub.rows, both.cloud.rows, "what is missing is fetched by comparing");
    assert!(both.compared > 0);
}

#[test]
fn a_snapshot_that_names_what_is_not_there_holds_up_nobody() {
    let mut both = Both::new(settings);
    both.change(60);
    both.loses_chunks = true;
    both.settle();
    assert_eq!((both.engine.status(), &both.hub.rows), (Status::Synced, &both.cloud.rows));
}

#[test]
fn a_fenced_hub_pushes_nothing_and_asks_again() {
    let mut both = Both::new(settings);
    both.write(4);
    both.cloud.somebody_else(both.now, 60_000);
    (0..60).for_each(|_| both.step(None));
    assert!(both.now >= 30_000);
    both.settle();
    assert!(both.missing().is_empty());
    assert!(both.fenced > 0);
}

#[test]
fn lanes_are_four() {
    assert_eq!(Lane::Live as usize, 3);
}
