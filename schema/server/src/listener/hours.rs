//! When a zone's music is.

use async_graphql::Object;
use roomtone_schema::view::OpenHoursView;

use super::date;
use super::scalar::DateTime;

/// When a zone's music is.
#[derive(Debug, Clone)]
pub struct OpenHours(pub OpenHoursView);

/// When a zone's music is. Outside of its hours there is none, and that is no silence that counts.
#[Object]
impl OpenHours {
    /// By the clock that the times are told by.
    async fn as_of(&self) -> DateTime {
        date(self.0.as_of)
    }

    /// Whether there is to be music now.
    async fn is_open(&self) -> bool {
        self.0.is_open
    }

    /// When it ends; null where it has ended, or does not end within a week.
    async fn closes_at(&self) -> Option<DateTime> {
        self.0.closes_at.map(date)
    }

    /// When it begins, or begins again after it has ended; null where no such time is known within a week.
    async fn opens_at(&self) -> Option<DateTime> {
        self.0.opens_at.map(date)
    }

    /// What this hour is called, such as morning; null where it has no name.
    async fn daypart(&self) -> Option<&str> {
        self.0.daypart.as_deref()
    }
}
