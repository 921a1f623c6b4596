//! Lists of commands against the engine, drawn by lot: whatever is lost, refused, cut off or put back, in the end the cloud
//! has each fact once and the hub has the cloud's rows.

mod both;

use both::{Both, Cut, KNOWN};
use proptest::prelude::*;
use roomtone_schema::{OrganisationId, UnixMillis, VenueId};
use roomtone_sync::engine::{Done, Engine, Fault, Lane, Settings, Status, Step};
use roomtone_sync::store::LinkState;
use roomtone_sync::wire::{Cursor, Head, HelloAnswer, Kind, Page, Problem, ProblemCode, Scope, Standing};
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

/// Drives the engine by hand until it asks for `wanted`, answering what the store would.
fn until(engine: &mut Engine, now: u64, wanted: impl Fn(&Step) -> bool) -> Option<(Lane, Step)> {
    loop {
        let (lane, step) = engine.next(now)?;
        if wanted(&step) {
            return Some((lane, step));
        }
        match step {
            Step::Settle { .. } | Step::NoteRevision { .. } => {
                engine.done(lane, Ok(Done::Stored), now);
            }
            Step::Push { .. } => engine.done(lane, Ok(Done::NothingToPush), now),
            Step::Open(_) => engine.done(lane, Ok(Done::Opened), now),
            _ => {}
        }
    }
}

fn greeted(heads: Vec<Head>) -> Done {
    let state = LinkState {
        epoch: 1,
        predecessor: None,
        moved: false,
        last_seq: 0,
        acked: 0,
        oldest: 1,
        acked_chain: Some([0; 32]),
        cursors: vec![],
        revisions: vec![],
    };
    let answer = HelloAnswer {
        standing: Standing::Welcome,
        now: UnixMillis(9),
        epoch: 1,
        ack: 0,
        lease_ms: 90_000,
        heads,
        revisions: vec![],
        ticket_keys: vec![],
        venue_name: String::new(),
        hub_name: String::new(),
        news_every_ms: 5_000,
    };
    Done::Greeted(Box::new((state, answer)))
}

fn is_hello(step: &Step) -> bool {
    matches!(step, Step::Hello { .. })
}

/// A line into which everything disappears: nothing fails, and nothing comes.
#[test]
fn a_silent_line_shows_as_offline_within_seconds_and_an_answer_as_the_end_of_it() {
    let mut engine = Engine::new(settings(1));
    let (lane, _) = until(&mut engine, 0, is_hello).unwrap();
    engine.done(lane, Ok(greeted(vec![])), 0);
    let (live, _) = until(&mut engine, 0, |step| *step == Step::Listen).unwrap();
    assert_eq!(engine.status(), Status::Synced);
    // The stream notices first, long before the next hello is due.
    engine.done(live, Err(Fault::Silent("nothing".to_owned())), 22_000);
    let (lane, _) = until(&mut engine, 22_000, is_hello).expect("it asks whether the cloud is there");
    assert_eq!(engine.status(), Status::Synced, "a line may be slow");
    // A stream is tried again, and comes to nothing either.
    while engine.next(25_000).is_some() {}
    assert_eq!(engine.wake_at(25_000), Some(28_000), "it will say so without being told anything");
    while engine.next(28_000).is_some() {}
    assert_eq!(engine.status(), Status::Offline);
    assert!(engine.trouble().is_some());
    // It still waits for the same answer; what fails in the meantime changes nothing.
    engine.done(lane, Err(Fault::Line("no answer in time".to_owned())), 52_000);
    while engine.next(52_000).is_some() {}
    assert_eq!(engine.status(), Status::Offline);
    let (lane, _) = until(&mut engine, 60_000, is_hello).unwrap();
    engine.done(lane, Ok(greeted(vec![])), 61_000);
    assert_eq!(until(&mut engine, 61_000, |_| false), None);
    assert_eq!(engine.status(), Status::Synced);
    assert_eq!(engine.trouble(), None);
}

/// The cloud's pages show what zones show: soon, and however often that changes at the price of a hello in five seconds.
#[test]
fn what_only_a_hello_tells_is_told_soon_and_not_with_every_change() {
    let mut engine = Engine::new(settings(1));
    engine.tell(0);
    let (lane, _) = until(&mut engine, 0, is_hello).unwrap();
    engine.done(lane, Ok(greeted(vec![])), 0);
    let mut hellos = Vec::new();
    // Something changes all the time for ten seconds, then once after a while, then nothing does. An answer takes a moment,
    // in which it changes, too.
    for now in (100..60_000).step_by(100) {
        if let Some((lane, _)) = until(&mut engine, now, is_hello) {
            hellos.push(now);
            if now <= 10_100 || now == 21_000 {
                engine.tell(now + 10);
            }
            engine.done(lane, Ok(greeted(vec![])), now + 20);
        }
        if now <= 10_000 || now == 20_000 {
            engine.tell(now);
        }
    }
    assert_eq!(
        hellos[..4],
        [5_000, 10_100, 15_200, 21_000],
        "what changed after one was asked is in the next"
    );
    assert_eq!(hellos[4], 26_100);
    assert!(hellos[5..].iter().all(|at| 53_000 <= *at), "then only what keeps the lease: {hellos:?}");
    // One that fails is said again after a pause, and not with the next that is due.
    let mut engine = Engine::new(settings(1));
    let (lane, _) = until(&mut engine, 0, is_hello).unwrap();
    engine.done(lane, Ok(greeted(vec![])), 0);
    engine.tell(10);
    let (lane, _) = until(&mut engine, 5_000, is_hello).unwrap();
    engine.done(lane, Err(Fault::Line("it broke".to_owned())), 5_000);
    assert!((5_100..20_000).step_by(100).any(|now| until(&mut engine, now, is_hello).is_some()));
    // Where the cloud does not want it, nothing makes it ask more often.
    let mut engine = Engine::new(settings(1));
    let (lane, _) = until(&mut engine, 0, is_hello).unwrap();
    let refused =
        Problem { code: ProblemCode::Revoked, message: String::new(), ack: None, retry_after_ms: None };
    engine.done(lane, Err(Fault::Refused(refused)), 0);
    engine.tell(0);
    assert_eq!(until(&mut engine, 60_000, is_hello), None);
}

/// What comes for the venue says which songs of the catalogue may play there.
#[test]
fn the_venue_comes_before_its_catalogue() {
    let mut engine = Engine::new(settings(1));
    let (lane, _) = until(&mut engine, 0, is_hello).unwrap();
    let (catalogue, venue) =
        (Scope::Catalogue(OrganisationId(Uuid::nil())), Scope::Venue(VenueId(Uuid::nil())));
    let heads = vec![Head { scope: catalogue, seq: 90 }, Head { scope: venue, seq: 5 }];
    engine.done(lane, Ok(greeted(heads)), 0);
    let (lane, step) =
        until(&mut engine, 0, |step| matches!(step, Step::Pull(_) | Step::Snapshot(_))).unwrap();
    let Step::Pull(ask) = step else { panic!("the catalogue came first") };
    assert_eq!(ask.scope, venue);
    let (from, to) = (ask.from, Cursor { seq: 5, tag: 1 });
    let page = Page { scope: venue, from, to, head: 5, changes: 5, rows: vec![] };
    engine.done(lane, Ok(Done::Page(page)), 0);
    let (lane, _) = until(&mut engine, 0, |step| matches!(step, Step::Apply { .. })).unwrap();
    engine.done(lane, Ok(Done::Stored), 0);
    let next = until(&mut engine, 0, |step| matches!(step, Step::Pull(_) | Step::Snapshot(_)));
    assert_eq!(next.map(|(_, step)| step), Some(Step::Snapshot(catalogue)));
}
