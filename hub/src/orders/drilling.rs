//! A drill that somebody watches.

use std::time::Duration;

use tokio::sync::mpsc;

use super::Reply;
use crate::drill::{Cut, DrillError, DrillReport, until};
use crate::hub::Hub;
use crate::trouble::Trouble;

/// How often whoever watches hears that it goes on.
const TOLD_EACH: Duration = Duration::from_secs(1);

/// Ends the cut with whoever watched it.
struct Watched(Hub);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.stop_drill();
    }
}

pub(super) async fn drill(
    hub: &Hub,
    cut: Cut,
    length: Duration,
    replies: &mpsc::Sender<Reply>,
) -> Result<Reply, Trouble> {
    let mut drills = hub.drills();
    let drill = hub.start_drill(cut, length).map_err(|error| refused(&error))?;
    let _watched = Watched(hub.clone());
    let _nobody_listens = replies.send(Reply::DrillBegan(drill)).await;
    loop {
        let over = until(&mut drills, |standing| standing.drill.is_none());
        match tokio::time::timeout(TOLD_EACH, over).await {
            Ok(Ok(standing)) => {
                let report = standing.last.filter(|report| report.drill.began_at == drill.began_at);
                return report
                    .map(|report| Reply::Drilled(DrillReport::clone(&report)))
                    .ok_or_else(unfinished);
            }
            Ok(Err(_hub_is_gone)) => return Err(unfinished()),
            Err(_elapsed) => {
                let left = drill.ends_at.since(hub.now()).as_secs();
                if replies.send(Reply::Drilling { left_s: left }).await.is_err() {
                    return Err(unfinished());
                }
            }
        }
    }
}

fn unfinished() -> Trouble {
    Trouble::new(
        "The drill has ended without a report",
        "Nothing is cut any more; the music goes on.",
        "Look into the hub's log, and try again.",
    )
}

fn refused(error: &DrillError) -> Trouble {
    let remedy = match error {
        DrillError::Length => "Give a time such as --for 10m.",
        DrillError::Running => "Wait until it is over; the hub's page at /manage shows how it stands.",
        DrillError::NoCloud => "Cut the hub: --cut hub.",
        DrillError::NoPlayer => "Switch the players on, and look at `roomtone-hub player list`.",
        DrillError::Thin { .. } => {
            "Give the players some minutes to fetch what comes next, or drill for a shorter time: --for 2m."
        }
        DrillError::Little { .. } => {
            "Let the hub fetch more songs, import some, or drill for a shorter time."
        }
    };
    Trouble::harmless(error, remedy)
}
