//! What wakes subscribers, here and at the other replicas: "this has changed, look again".
//!
//! A change carries no data. Whoever is woken reads what is there now, so one that is lost, doubled or late does no
//! harm, and changes that come faster than they are read become one. Between replicas they are carried by [`postgres`]
//! or by [`nats`], outside of the transactions that made them.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::{ExportId, OrganisationId, UploadId, UserId, VenueId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};
use uuid::Uuid;

pub mod nats;
mod outbox;
pub mod postgres;

pub use outbox::Link;

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
    /// Who is there, or what they want, of those who came by a venue's page.
    Guests(VenueId),
    /// What a venue's zones show: what plays there, what comes next, what people want.
    Room(VenueId),
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
    elsewhere: Option<Arc<Link>>,
}

impl Bus {
    /// A bus that ends in this process.
    pub fn local() -> Self {
        Self { here: broadcast::channel(BEHIND).0, elsewhere: None }
    }

    /// A bus that goes on to other replicas, and its end for whoever carries.
    pub fn linked() -> (Self, Arc<Link>) {
        let here = broadcast::channel(BEHIND).0;
        let link = Arc::new(Link::new(here.clone()));
        (Self { here, elsewhere: Some(Arc::clone(&link)) }, link)
    }

    /// Tells everybody that something has changed. Call it after the commit.
    pub fn publish(&self, topic: Topic) {
        let _nobody_listens = self.here.send(Some(topic));
        if let Some(elsewhere) = &self.elsewhere {
            elsewhere.put(topic);
        }
    }

    /// Wakes whoever waits for one of these.
    pub fn subscribe(&self, topics: impl IntoIterator<Item = Topic>) -> Changes {
        let mut look_again = tokio::time::interval(LOOK_AGAIN);
        look_again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look_again.reset();
        Changes { topics: topics.into_iter().collect(), told: self.here.subscribe(), look_again }
    }

    /// Everything that is told here, as it comes; `None` is "look at everything again".
    pub(crate) fn everything(&self) -> broadcast::Receiver<Option<Topic>> {
        self.here.subscribe()
    }

    /// How it goes between the replicas; `None` where there are none.
    pub(crate) fn link(&self) -> Option<&Link> {
        self.elsewhere.as_deref()
    }
}

/// Wakes when one of some topics may have changed.
pub struct Changes {
    topics: HashSet<Topic>,
    told: broadcast::Receiver<Option<Topic>>,
    look_again: Interval,
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl Changes {
    /// Waits for these from now on. What was told of them since the last change is not missed.
    pub fn watch(&mut self, topics: impl IntoIterator<Item = Topic>) {
        self.topics = topics.into_iter().collect();
    }

    /// Completes when it is time to look again; `false` when there will be no more changes. Cancel-safe.
    pub async fn next(&mut self) -> bool {
        loop {
            // What others are told leaves the time to look again where it is.
            tokio::select! {
                told = self.told.recv() => match told {
                    Ok(Some(topic)) if !self.topics.contains(&topic) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return false,
                },
                _ = self.look_again.tick() => return true,
            }
        }
        self.look_again.reset();
        true
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
            Self::Guests(id) => write!(f, "guests.{id}"),
            Self::Room(id) => write!(f, "room.{id}"),
        }
    }
}

/// Not the name of a topic, or of one that this version does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a topic")]
pub struct NoTopic;

impl FromStr for Topic {
    type Err = NoTopic;

    fn from_str(text: &str) -> Result<Self, NoTopic> {
        let (kind, id) = text.split_once('.').ok_or(NoTopic)?;
        let id = Uuid::try_parse(id).map_err(|_no_id| NoTopic)?;
        Ok(match kind {
            "venue" => Self::Venue(VenueId(id)),
            "organisation" => Self::Organisation(OrganisationId(id)),
            "upload" => Self::Upload(UploadId(id)),
            "export" => Self::Export(ExportId(id)),
            "user" => Self::User(UserId(id)),
            "guests" => Self::Guests(VenueId(id)),
            "room" => Self::Room(VenueId(id)),
            _ => return Err(NoTopic),
        })
    }
}

#[cfg(test)]
mod tests;
