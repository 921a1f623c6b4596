//! The handle: what every part of the cloud works with.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use roomtone_schema::{Clock, UnixMillis};

use crate::bus::Bus;
use crate::database::Database;
use crate::media::Media;

/// What every part works with. Clones are the same cloud.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// Postgres.
    pub database: Database,
    /// What wakes subscribers here and at the other replicas.
    pub bus: Bus,
    /// Where songs and reports are stored.
    pub media: Media,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Cloud {
    /// Now.
    pub fn now(&self) -> UnixMillis {
        self.clock.wall()
    }

    /// Now, as Postgres and the calendar have it. The year 1970 stands for what no calendar holds.
    pub fn now_utc(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.now().0).unwrap_or_default()
    }
}
