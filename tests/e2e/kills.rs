//! The hub is killed while guests vote: what was acknowledged stays, and it serves again at once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use roomtone_schema::VoteId;
use roomtone_schema::id::Id;
use roomtone_tests::{TestVenue, Voter};
use tokio::sync::mpsc::channel;
use tokio::task::JoinSet;

/// How often the hub is killed.
const KILLS: usize = 50;

const GUESTS: usize = 8;

/// How long the hub may take to serve again. Held by the middle one of all restarts, because this machine may be busy
/// with other tests; the slowest is printed.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// Between two votes of anybody, on the busiest of machines.
const PATIENCE: Duration = Duration::from_mins(1);

/// The most that may be set: the test is not about limits.
const LIMITS: [(&str, &str); 1] = [("ROOMTONE_LIMITS_VOTES_PER_MINUTE", "1000")];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_kills_lose_no_acknowledged_vote_and_the_hub_is_back_at_once() {
    let limits = || LIMITS.map(|(name, value)| (name, value.to_owned()));
    let mut venue = TestVenue::with_songs(GUESTS as u32);
    venue.close();
    let mut venue = venue.open_with_env(limits());
    let voters = Voter::check_in(&venue, GUESTS).await;
    let mut acknowledged = HashSet::new();
    let mut restarts = Vec::new();
    for kill in 0..KILLS {
        // From the first votes on to well into the rush, another moment each time.
        vote_until_the_kill(&mut venue, &voters, 1 + kill * 2, &mut acknowledged).await;
        let began = Instant::now();
        venue = venue.open_with_env(limits());
        assert_eq!(venue.health().await["status"], "ok", "after kill {kill}");
        restarts.push(began.elapsed());
        let missing = acknowledged.difference(&stored(&venue)).count();
        assert_eq!(
            missing,
            0,
            "kill {kill}: of {} acknowledged votes, {missing} are lost",
            acknowledged.len()
        );
    }
    restarts.sort();
    let (middle, slowest) = (restarts[KILLS / 2], restarts[KILLS - 1]);
    println!("{} votes acknowledged, back after {middle:?}, at the slowest {slowest:?}", acknowledged.len());
    assert!(middle <= BACK_WITHIN, "the hub took {middle:?} to serve again");
    venue.close_apart_from(&["not shut down", "unclean", "was not stopped"]);
}

/// Lets everybody vote without a pause, and kills the hub once `enough` votes were acknowledged.
async fn vote_until_the_kill(
    venue: &mut TestVenue,
    voters: &[Voter],
    enough: usize,
    acknowledged: &mut HashSet<VoteId>,
) {
    let (tell, mut told) = channel(1024);
    let mut guests = JoinSet::new();
    for voter in voters {
        guests.spawn(voter.clone().votes(Duration::ZERO, tell.clone()));
    }
    drop(tell);
    for _ in 0..enough {
        let vote = tokio::time::timeout(PATIENCE, told.recv()).await;
        acknowledged.insert(vote.expect("a vote in time").expect("the hub takes votes"));
    }
    venue.power_cut();
    // What was acknowledged before the kill and not yet read counts, too.
    while let Some(vote) = told.recv().await {
        acknowledged.insert(vote);
    }
}

/// Every vote of the log, read beside the running hub.
fn stored(venue: &TestVenue) -> HashSet<VoteId> {
    let conn = rusqlite::Connection::open(venue.data().join(roomtone_hub::store::FILE_NAME)).unwrap();
    let mut select = conn.prepare("select id from votes").unwrap();
    let ids = select.query_map([], |row| row.get(0).map(VoteId::from_bytes)).unwrap();
    ids.map(Result::unwrap).collect()
}
