//! What wakes subscribers, here and at the other replicas: "this has changed, look again".
//!
//! A change carries no data. Whoever is woken reads what is there now, so one that is lost, doubled or late does no
//! harm, and changes that come faster than they are read become one.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use roomtone_schema::{ExportId, OrganisationId, UploadId, UserId, VenueId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

/// What may have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Something of a venue: its hubs, players, zones, members, plays.
    Venue(VenueId),
    /// Something of a catalogue.
    Organisation(OrganisationId),
    /// One upload.
    Upload(UploadId),
    /// One export.
    Export(ExportId),
    /// What somebody may do.
    User(UserId),
}

/// Changes that may wait for their subscribers; whoever is further behind is told to look at everything again.
const BEHIND: usize = 1_024;

/// A subscriber that hears nothing looks again after this all the same: a change that was lost is found.
pub const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The bus. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Bus {
    /// To everybody here. `None` is "look at everything again".
    here: broadcast::Sender<Option<Topic>>,
    /// To the other replicas, where there is a way.
    elsewhere: Option<mpsc::UnboundedSender<Topic>>,
}

impl Bus {
    /// A bus that ends in this process.
    pub fn local() -> Self {
        Self { here: broadcast::channel(BEHIND).0, elsewhere: None }
    }

    /// Tells everybody that something has changed. Call it after the commit.
    pub fn publish(&self, topic: Topic) {
        let _nobody_listens = self.here.send(Some(topic));
        if let Some(elsewhere) = &self.elsewhere {
            let _stopping = elsewhere.send(topic);
        }
    }

    /// Wakes whoever waits for one of these.
    pub fn subscribe(&self, topics: impl IntoIterator<Item = Topic>) -> Changes {
        Changes { topics: topics.into_iter().collect(), told: self.here.subscribe() }
    }
}

/// Wakes when one of some topics may have changed.
pub struct Changes {
    topics: HashSet<Topic>,
    told: broadcast::Receiver<Option<Topic>>,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl Changes {
    /// Completes when it is time to look again; `false` when there will be no more changes. Cancel-safe.
    pub async fn next(&mut self) -> bool {
        loop {
            match tokio::time::timeout(LOOK_AGAIN, self.told.recv()).await {
                Ok(Ok(Some(topic))) if !self.topics.contains(&topic) => {}
                Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => return true,
                Ok(Err(RecvError::Closed)) => return false,
            }
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Venue(id) => write!(f, "venue.{id}"),
            Self::Organisation(id) => write!(f, "organisation.{id}"),
            Self::Upload(id) => write!(f, "upload.{id}"),
            Self::Export(id) => write!(f, "export.{id}"),
            Self::User(id) => write!(f, "user.{id}"),
        }
    }
}
