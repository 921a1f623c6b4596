use roomtone_schema::BootId;
use roomtone_schema::id::Id as _;

use super::*;
use crate::wire::{Facts, Stamp};

const NOW: UnixMillis = UnixMillis(1_795_348_800_000);

fn run(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn hello(instance: u128, epoch: i64, acked: i64, last_seq: i64) -> Hello {
    Hello {
        epoch,
        instance: run(instance),
        predecessor: None,
        moved: false,
        last_seq,
        acked,
        oldest: 1,
        acked_chain: Some(ByteArray::new([acked as u8; 32])),
        forked: false,
        now: Stamp { boot: BootId::from_uuid(run(99)), mono_ms: 0, wall_ms: 0 },
        steady_ms: 0,
        software: String::new(),
        pending: 0,
        zones: vec![],
        players: vec![],
        rooms: vec![],
        guests_cut_off: false,
    }
}

fn seat(instance: u128, epoch: i64, ack: i64) -> Seat {
    Seat { epoch, instance: run(instance), lease_until: NOW + LEASE, ack, chain: Some([ack as u8; 32]) }
}

fn later() -> UnixMillis {
    NOW + LEASE
}

#[test]
fn a_new_hub_begins_at_the_beginning() {
    let decision = decide(None, &hello(1, 1, 0, 9), None, NOW);
    assert_eq!((decision.standing, decision.seat.epoch, decision.ack), (Standing::Welcome, 1, 0));
    assert_eq!(decision.news, None);
}

#[test]
fn the_same_run_and_the_next_one_go_on() {
    let same = decide(Some(&seat(1, 1, 5)), &hello(1, 1, 5, 9), Some([5; 32]), NOW);
    let next = Hello { predecessor: Some(run(1)), ..hello(2, 1, 5, 9) };
    let next = decide(Some(&seat(1, 1, 5)), &next, Some([5; 32]), NOW);
    assert_eq!((same.standing, same.seat.epoch, same.ack), (Standing::Welcome, 1, 5));
    assert_eq!((next.standing, next.seat.epoch, next.ack), (Standing::Welcome, 1, 5));
    assert_eq!(next.seat.instance, run(2));
}

#[test]
fn a_copy_is_fenced_while_the_other_lives_and_gets_an_epoch_of_its_own_afterwards() {
    let copy = Hello { predecessor: Some(run(1)), moved: true, ..hello(2, 1, 5, 9) };
    let fenced = decide(Some(&seat(1, 1, 5)), &copy, Some([5; 32]), NOW);
    assert_eq!((fenced.standing, fenced.news), (Standing::Fenced, Some(News::Duplicate)));
    assert_eq!(fenced.seat, seat(1, 1, 5));
    let alone = decide(Some(&seat(1, 1, 5)), &copy, Some([5; 32]), later());
    assert_eq!((alone.standing, alone.seat.epoch, alone.ack), (Standing::Welcome, 2, 5));
    // The answer was lost: the same run asks again, and is not given a third.
    let again = decide(Some(&alone.seat), &copy, None, later());
    assert_eq!((again.seat.epoch, again.ack), (2, 5));
    // The first one comes back: fenced, then an epoch of its own with all it has.
    let first = hello(1, 1, 5, 9);
    assert_eq!(decide(Some(&again.seat), &first, None, later()).standing, Standing::Fenced);
    let back = decide(Some(&again.seat), &first, None, later() + LEASE);
    assert_eq!((back.seat.epoch, back.standing), (3, Standing::Welcome));
}

#[test]
fn a_hub_that_was_put_back_goes_on_in_a_new_epoch() {
    let short = decide(Some(&seat(1, 1, 50)), &hello(2, 1, 20, 30), Some([20; 32]), later());
    assert_eq!((short.seat.epoch, short.ack, short.news), (2, 20, Some(News::Rewound)));
    let other = decide(Some(&seat(1, 1, 50)), &hello(2, 1, 50, 60), Some([9; 32]), later());
    assert_eq!((other.seat.epoch, other.ack, other.news), (2, 0, Some(News::Rewound)));
}

#[test]
fn what_the_hub_has_not_heard_of_is_pushed_again_and_a_fork_there_is_a_new_epoch() {
    let restored = hello(2, 1, 20, 90);
    let decision = decide(Some(&seat(1, 1, 50)), &restored, Some([20; 32]), later());
    assert_eq!((decision.seat.epoch, decision.seat.ack, decision.ack), (1, 50, 20));
    let forked = Hello { forked: true, ..restored };
    let decision = decide(Some(&decision.seat), &forked, Some([20; 32]), later());
    assert_eq!((decision.seat.epoch, decision.news), (2, Some(News::Forked)));
    assert!(decision.ack <= 20);
}

#[test]
fn a_cloud_that_was_put_back_is_told_again() {
    let decision = decide(Some(&seat(1, 1, 20)), &hello(1, 1, 50, 60), None, NOW);
    assert_eq!((decision.seat.epoch, decision.ack, decision.news), (1, 20, Some(News::CloudRestored)));
    let purged = Hello { oldest: 31, ..hello(1, 1, 50, 60) };
    let decision = decide(Some(&seat(1, 1, 20)), &purged, None, NOW);
    assert_eq!((decision.ack, decision.seat.ack), (30, 30));
    let unknown_epoch = decide(Some(&seat(1, 1, 20)), &hello(1, 3, 50, 60), None, NOW);
    assert_eq!((unknown_epoch.seat.epoch, unknown_epoch.ack), (3, 0));
    let forgotten = decide(None, &hello(1, 3, 50, 60), None, NOW);
    assert_eq!((forgotten.seat.epoch, forgotten.ack), (3, 0));
}

/// The hub no longer has what a cloud that was put back lacks; a copy of it has, and believes that the cloud has it too.
#[test]
fn what_was_skipped_is_asked_of_a_copy_that_has_it() {
    let purged = Hello { oldest: 51, ..hello(1, 1, 50, 60) };
    let skipped = decide(Some(&seat(1, 1, 20)), &purged, None, NOW);
    assert_eq!((skipped.ack, skipped.news), (50, Some(News::Missing)));
    let copy = Hello { moved: true, ..hello(2, 1, 50, 55) };
    let told = decide(Some(&skipped.seat), &copy, skipped.seat.chain, later());
    assert_eq!((told.seat.epoch, told.ack), (2, 0));
    for skipped in [decide(None, &purged, None, NOW), decide(Some(&seat(3, 0, 9)), &purged, None, later())] {
        assert_eq!((skipped.seat.ack, skipped.seat.chain), (50, None));
    }
}

fn push(instance: u128, epoch: i64, first_seq: i64, before: Hash) -> Push {
    let before = ByteArray::new(before);
    Push { epoch, instance: run(instance), first_seq, before, facts: Facts::default() }
}

#[test]
fn a_push_must_follow_what_is_there() {
    let seat = seat(1, 2, 5);
    let code = |push: Push, link| admit(Some(&seat), &push, link).err().map(|problem| problem.code);
    assert_eq!(code(push(1, 2, 6, [5; 32]), None), None);
    assert_eq!(code(push(1, 2, 7, [5; 32]), None), Some(ProblemCode::Gap));
    assert_eq!(code(push(1, 2, 6, [6; 32]), None), Some(ProblemCode::Fork));
    assert_eq!(code(push(1, 1, 6, [5; 32]), None), Some(ProblemCode::Epoch));
    assert_eq!(code(push(2, 2, 6, [5; 32]), None), Some(ProblemCode::Fenced));
    assert_eq!(code(push(1, 2, 3, [2; 32]), None), None);
    assert_eq!(code(push(1, 2, 3, [2; 32]), Some([9; 32])), Some(ProblemCode::Fork));
    assert_eq!(admit(Some(&seat), &push(1, 2, 9, [0; 32]), None).unwrap_err().ack, Some(5));
    assert_eq!(admit(None, &push(1, 2, 1, [0; 32]), None).unwrap_err().code, ProblemCode::Epoch);
}

/// A copy told facts of its own under numbers that the hub had used, to a cloud that was put back before it heard of them.
#[test]
fn what_cannot_be_shown_to_be_shared_is_told_again() {
    let unknown = decide(Some(&seat(1, 1, 40)), &hello(2, 1, 35, 35), None, later());
    assert_eq!((unknown.seat.epoch, unknown.ack, unknown.news), (2, 0, Some(News::Rewound)));
    let shown = decide(Some(&seat(1, 1, 40)), &hello(2, 1, 35, 35), Some([35; 32]), later());
    assert_eq!((shown.seat.epoch, shown.ack, shown.news), (2, 35, Some(News::Rewound)));
    let moved = Hello { moved: true, ..hello(2, 1, 35, 50) };
    assert_eq!(decide(Some(&seat(1, 1, 40)), &moved, None, later()).ack, 0);
}
