//! A cloud, a hub of one of its venues, and the line between them.

use std::time::Duration;

use roomtone_tests::{Guest, Proxy, TestCloud, TestVenue, eventually_within, skip};
use serde_json::{Value, json};

use crate::ledger::{Facts, HubLedger, Ledger};

/// Until both have told each other everything, over a line that has been bad, on a busy machine: longer than the lease
/// of a hub that was killed, and a pause after failures.
pub(crate) const IN_STEP: Duration = Duration::from_mins(4);

/// What hubs warn of whose line or whose power was cut.
pub(crate) const AFTER_FAULTS: [&str; 6] =
    ["not shut down", "unclean", "was not stopped", "out of reach", "cloud", "file"];

/// Votes are not limited here: the tests are not about that.
pub(crate) fn no_limits() -> [(&'static str, String); 1] {
    [("ROOMTONE_LIMITS_VOTES_PER_MINUTE", "1000".to_owned())]
}

pub(crate) struct Pair {
    pub(crate) cloud: TestCloud,
    pub(crate) at_cloud: String,
    pub(crate) venue: TestVenue,
    pub(crate) line: Proxy,
}

impl Pair {
    /// A hub with so many songs of its own, not enrolled; `None`, and said so, where there is no Postgres.
    pub(crate) async fn open(test: &str, songs: u32) -> Option<Self> {
        Self::open_with(test, || TestVenue::with_songs(songs)).await
    }

    /// The same with a venue of its own.
    pub(crate) async fn open_with(test: &str, venue: impl FnOnce() -> TestVenue) -> Option<Self> {
        let Some(cloud) = TestCloud::open() else {
            skip(test, "no Postgres for tests is installed (tests/run does that)");
            return None;
        };
        let mut venue = venue();
        venue.close();
        let venue = venue.open_with_env(no_limits());
        let at_cloud = cloud.venue("Cafe Resonance", "resonance").await;
        let line = Proxy::to(cloud.port()).await;
        Some(Self { cloud, at_cloud, venue, line })
    }

    /// Trades a code over the line.
    pub(crate) async fn enrol(&self) {
        let code = self.cloud.enrolment_code(&self.at_cloud, "behind the bar").await;
        let said = self.venue.run("enrol", [code, "--cloud".to_owned(), self.line.url()]).succeeded();
        println!("enrol: {}{}", said.stdout, said.stderr);
    }

    /// Waits until nothing is left to tell.
    pub(crate) async fn in_step(&self, guest: &Guest) -> Duration {
        let mut last = Value::Null;
        let took = eventually_within(IN_STEP, "hub and cloud are in step", async || {
            let now = sync_status(guest).await;
            if now["state"] != last["state"] || now["lastError"] != last["lastError"] {
                println!("{now}");
            }
            last = now;
            last["state"] == "SYNCED" && last["pendingOperations"] == 0.0
        });
        took.await
    }

    /// Every vote, every play and every presence of the hub is in Postgres, once, and nothing else is. How many votes and
    /// plays.
    pub(crate) async fn told_exactly_once(&self) -> (usize, usize) {
        let mut ledger = Ledger::of(&self.cloud).await;
        assert_eq!(ledger.apart().await, Vec::<String>::new(), "the cloud keeps facts apart");
        let hub = HubLedger::of(&self.venue);
        let (votes, plays) = (hub.votes(), hub.plays());
        same("votes", &votes, &ledger.votes().await);
        same("plays", &plays, &ledger.plays().await);
        same("sessions", &hub.sessions(), &ledger.sessions().await);
        (votes.len(), plays.len())
    }
}

/// Says what one has that the other has not, and what is told otherwise.
fn same(what: &str, hub: &Facts, cloud: &Facts) {
    let ids = hub.keys().chain(cloud.keys().filter(|id| !hub.contains_key(id)));
    let other: Vec<_> = ids
        .filter(|id| hub.get(id) != cloud.get(id))
        .map(|id| format!("{id}: {:?} at the hub, {:?} at the cloud", hub.get(id), cloud.get(id)))
        .collect();
    assert!(other.is_empty(), "of {} {what} {} differ: {other:#?}", hub.len(), other.len());
}

/// How the hub stands with its cloud.
pub(crate) async fn sync_status(guest: &Guest) -> Value {
    let query =
        "{ syncStatus { state enrolled pendingOperations deadLetters totalSongs cachedSongs lastError } }";
    guest.ask(query, json!({})).await.data()["syncStatus"].clone()
}
