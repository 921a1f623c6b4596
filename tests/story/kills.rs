//! Hub and cloud are killed while guests vote: what was acknowledged to a guest is at the cloud in the end, once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use roomtone_schema::VoteId;
use roomtone_schema::id::Id as _;
use roomtone_tests::{Guest, Line, Voter, eventually_within};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;

use crate::ledger::Ledger;
use crate::pair::{AFTER_FAULTS, IN_STEP, Pair, no_limits};

/// How often each is killed in a round.
const KILLS: usize = 25;

const GUESTS: usize = 4;

/// Facts that the cloud was told.
pub(crate) const RECEIVED: &str = "select count(*) from private.sync_received";

/// Between two votes of anybody, on the busiest of machines.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two votes of one guest while the cloud is killed: the hub has nothing to wait for, and could be asked for
/// more than a cloud on this machine can take in.
const PACE: Duration = Duration::from_millis(100);

/// How often this run goes through them: `ROOMTONE_ROUNDS`, 20 of them for 500 kills.
pub(crate) fn rounds() -> usize {
    std::env::var("ROOMTONE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

fn kills() -> usize {
    KILLS * rounds()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hub_that_is_killed_again_and_again_tells_the_cloud_every_vote_once() {
    let test = "a_hub_that_is_killed_again_and_again_tells_the_cloud_every_vote_once";
    let Some(mut pair) = Pair::open(test, GUESTS as u32).await else { return };
    pair.enrol().await;
    let watcher = pair.venue.check_in("watcher").await;
    pair.in_step(&watcher).await;
    // Every request is on its way for long enough to be hit.
    pair.line.becomes(Line::Slow(Duration::from_millis(5)));
    let voters = Voter::check_in(&pair.venue, GUESTS).await;
    let mut acknowledged = HashSet::new();
    for kill in 0..kills() {
        let mut ledger = Ledger::of(&pair.cloud).await;
        let before = ledger.count(RECEIVED).await;
        let (mut guests, mut told) = keep_voting(&voters, Duration::ZERO);
        // In the midst of telling, another moment each time.
        for vote in 0.. {
            acknowledged.insert(next(&mut told).await);
            if vote > kill % KILLS * 2 && before < ledger.count(RECEIVED).await {
                break;
            }
        }
        pair.venue.power_cut();
        while let Some(vote) = told.recv().await {
            acknowledged.insert(vote);
        }
        while guests.join_next().await.is_some() {}
        pair.venue = pair.venue.open_with_env(no_limits());
    }
    finish(pair, &watcher, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cloud_that_is_killed_again_and_again_has_every_vote_once() {
    let test = "a_cloud_that_is_killed_again_and_again_has_every_vote_once";
    let Some(mut pair) = Pair::open(test, GUESTS as u32).await else { return };
    pair.enrol().await;
    let watcher = pair.venue.check_in("watcher").await;
    pair.in_step(&watcher).await;
    let voters = Voter::check_in(&pair.venue, GUESTS).await;
    let (guests, mut told) = keep_voting(&voters, PACE);
    let mut acknowledged = HashSet::new();
    let mut had = 0;
    for kill in 0..kills() {
        let mut ledger = Ledger::of(&pair.cloud).await;
        let took = eventually_within(IN_STEP, "the cloud is told more", async || {
            while let Ok(vote) = told.try_recv() {
                acknowledged.insert(vote);
            }
            let has = ledger.count(RECEIVED).await;
            std::mem::replace(&mut had, has) < has
        })
        .await;
        println!("kill {kill}: told again after {took:?}, {had} facts");
        pair.cloud.kill();
        pair.cloud.start();
    }
    drop(guests);
    while let Some(vote) = told.recv().await {
        acknowledged.insert(vote);
    }
    finish(pair, &watcher, &acknowledged).await;
}

/// In step, nothing lost, nothing doubled, and both stop in order.
pub(crate) async fn finish(mut pair: Pair, watcher: &Guest, acknowledged: &HashSet<VoteId>) {
    let began = Instant::now();
    pair.line.becomes(Line::Good);
    pair.in_step(watcher).await;
    let (votes, plays) = pair.told_exactly_once().await;
    let told = Ledger::of(&pair.cloud).await.votes().await;
    let lost = acknowledged.iter().filter(|vote| !told.contains_key(&vote.uuid())).count();
    assert_eq!(lost, 0, "of {} acknowledged votes, {lost} are not at the cloud", acknowledged.len());
    println!(
        "{} votes acknowledged, {votes} votes and {plays} plays told once; in step after {:?}",
        acknowledged.len(),
        began.elapsed()
    );
    pair.venue.close_apart_from(&AFTER_FAULTS);
    // Where a hub is killed, its question is dropped with its transaction. In the middle of a savepoint sqlx asks for one that
    // Postgres does not have; the pool sees it, says so and closes that connection, and nothing of the push was taken.
    pair.cloud.stop(&["savepoint \"_sqlx_savepoint_1\" does not exist"]);
}

/// Everybody votes until the hub is gone, or until the guests are dropped.
pub(crate) fn keep_voting(voters: &[Voter], pace: Duration) -> (JoinSet<()>, Receiver<VoteId>) {
    let (tell, told) = channel(100_000);
    let mut guests = JoinSet::new();
    for voter in voters {
        guests.spawn(voter.clone().votes(pace, tell.clone()));
    }
    (guests, told)
}

pub(crate) async fn next(told: &mut Receiver<VoteId>) -> VoteId {
    let vote = tokio::time::timeout(PATIENCE, told.recv()).await;
    vote.expect("a vote in time").expect("the hub takes votes")
}
