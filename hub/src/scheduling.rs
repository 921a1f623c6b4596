//! A zone's week as it is set on the hub itself, without any cloud.
//!
//! It lies over the hub's configuration and under what the cloud says. Where a cloud speaks for the venue the week is its
//! own: two places that both write it would undo one another, and nothing set here goes up.

use std::sync::Arc;

use roomtone_schema::ZoneId;
use roomtone_schema::schedule::{Schedule, ScheduleError};

use crate::cloud_link::settings;
use crate::hub::{Hub, Inner};
use crate::locks::reading;
use crate::store::{StoreError, Tx, hub_state};

/// Why a zone has not got another week.
#[derive(Debug, thiserror::Error)]
pub enum SetWeekError {
    /// Not one of ours.
    #[error("this venue has no such zone")]
    UnknownZone,
    /// The cloud's page is where it is set.
    #[error("the cloud keeps this venue's week; change it on the cloud's page")]
    OfTheCloud,
    /// Not a week.
    #[error("this week is not one that is kept: {0}")]
    Unsound(#[from] ScheduleError),
    /// Ours.
    #[error("the week could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Hub {
    /// A zone's week, as it holds.
    pub fn schedule(&self, zone: ZoneId) -> Option<Schedule> {
        Some(self.0.room(zone)?.as_zone().settings.schedule)
    }

    /// Whether the cloud keeps this venue's week.
    pub fn week_is_of_the_cloud(&self) -> bool {
        reading(&self.0.enrolment).is_some()
    }

    /// Gives a zone another week; it counts at once.
    ///
    /// # Errors
    /// [`SetWeekError`]; then the week is as it was.
    pub async fn set_schedule(&self, zone: ZoneId, schedule: Schedule) -> Result<(), SetWeekError> {
        schedule.check()?;
        let name = self.zone(zone).ok_or(SetWeekError::UnknownZone)?.name;
        if self.week_is_of_the_cloud() {
            return Err(SetWeekError::OfTheCloud);
        }
        let inner = Arc::clone(&self.0);
        self.0.whole(async move { inner.keep_week(name, &schedule).await }).await.map_err(Into::into)
    }
}

impl Inner {
    async fn keep_week(self: &Arc<Self>, zone: String, schedule: &Schedule) -> Result<(), StoreError> {
        let text = serde_json::to_string(schedule).expect("a week is plain text and numbers");
        let key = settings::week_key(&zone);
        self.store.write(move |tx: &Tx<'_>| hub_state::put(tx, &key, &text)).await?;
        tracing::info!("the zone {zone} follows the week that was set on the hub");
        self.take_settings().await
    }
}
