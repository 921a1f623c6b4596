//! Waiting for something to become true, with a deadline instead of a sleep.

use std::time::{Duration, Instant};

/// What the product promises between a vote and every phone in the room, with slack for a loaded test machine.
pub const SOON: Duration = Duration::from_secs(10);

/// Between two looks. Short, so that a test is as fast as the program is.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Asks `holds` until it says yes; panics with `what` after [`SOON`].
pub async fn eventually(what: &str, holds: impl AsyncFnMut() -> bool) {
    eventually_within(SOON, what, holds).await;
}

/// As [`eventually`], with its own deadline; returns how long it took.
pub async fn eventually_within(
    deadline: Duration,
    what: &str,
    mut holds: impl AsyncFnMut() -> bool,
) -> Duration {
    let began = Instant::now();
    loop {
        if holds().await {
            return began.elapsed();
        }
        assert!(began.elapsed() < deadline, "after {deadline:?} it is still not so: {what}");
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}
