//! Enums that stand for those of the use cases.

use async_graphql::{Enum, InputObject};
use chrono::{DateTime, Utc};
use roomtone_server::listener::scalar;

use crate::analytics::{Bucket, Range};
use crate::catalogue::{Direction, SongOrderField as Field};
use crate::dead_letters;
use crate::history;
use crate::hubs;
use crate::members;
use crate::pairings;
use crate::venues;

/// How a fact is kept that is not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "dead_letters::LetterOutcome")]
pub(super) enum DeadLetterOutcome {
    /// What it depends on is not there yet; it is tried again by itself.
    Parked,
    /// It can never be applied as it is; a person decides.
    Rejected,
}

/// How far the pairing of a player is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "pairings::Stored")]
pub(super) enum PlayerPairingState {
    /// It was ended before anybody came: here, by another one, or because the hub or its line went.
    Closed,
    /// Nobody came in time.
    Expired,
    /// The hub does not know the zone yet: it takes a new one at its next start.
    NoZone,
    /// Somebody came in.
    Paired,
    /// The hub has fetched the code, and lets in who knows it.
    Ready,
    /// It was typed wrongly too often.
    UsedUp,
    /// The hub has not fetched the code.
    Waiting,
}

/// What somebody may do in a venue: each may do what those below may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "members::MemberRole")]
pub(super) enum MemberRole {
    /// Venue, zones, members below owner, hubs, players.
    Manager,
    /// Everything.
    Owner,
    /// The catalogue, and what the venue plays of it.
    Staff,
    /// Looking.
    Viewer,
}

/// What somebody may do beyond single venues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "members::GlobalRole")]
pub(super) enum Role {
    /// Everything everywhere.
    Admin,
    /// Listening.
    Listener,
    /// Opening venues.
    Manager,
}

/// What sort of place a venue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "venues::VenueKind")]
pub(super) enum VenueKind {
    /// Coffee and talk.
    Cafe,
    /// Work.
    Coworking,
    /// Things to look at.
    Gallery,
    /// Something else.
    Other,
    /// Rest.
    Spa,
}

/// How a hub is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "hubs::HubStatus")]
pub(super) enum HubStatus {
    /// Not heard of for a while: its venue plays on, and what it tells comes later.
    Offline,
    /// It speaks.
    Online,
    /// It was told to go.
    Revoked,
    /// It has missed a few words.
    Stale,
    /// Its enrolment code has not been shown yet.
    Waiting,
}

/// What a hub's manager should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "hubs::HubReason")]
pub(super) enum HubReason {
    /// Its clock is wrong by more than a minute.
    ClockWrong,
    /// Its code was not shown in time; ask for another one.
    CodeExpired,
    /// Two boxes speak as this hub: enrol one of them anew.
    Duplicate,
    /// It owes many facts.
    FactsPending,
    /// It has not spoken for minutes, or never.
    Silent,
}

/// What a list of songs is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Field")]
pub(super) enum SongOrderField {
    /// Who made it, then the title.
    Artist,
    /// When it joined the catalogue.
    CreatedAt,
    /// The title.
    Title,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Direction")]
pub(super) enum OrderDirection {
    /// From the least.
    Asc,
    /// From the greatest.
    Desc,
}

/// How finely a range is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Bucket")]
pub(super) enum AnalyticsBucket {
    /// By the venue's days.
    Day,
    /// By the hour; at most 14 days.
    Hour,
    /// By weeks, from Monday.
    Week,
}

/// What a report has a line for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "history::ExportKind")]
pub(super) enum ExportKind {
    /// Each play.
    Plays,
    /// Each song: the report of use that rights societies ask for.
    Report,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "history::ExportFormat")]
pub(super) enum ExportFormat {
    /// A table, as spreadsheets read it.
    Csv,
    /// A JSON object per line.
    Ndjson,
}

/// How far a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "history::ExportStatus")]
pub(super) enum ExportStatus {
    /// It was given up; `failure` says why.
    Failed,
    /// Nobody has begun it yet.
    Queued,
    /// Its file can be had.
    Ready,
    /// It is being written.
    Running,
}

/// Where a song stands on its way to being played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "roomtone_schema::song::SongStatus")]
pub(super) enum SongStatus {
    /// Its audio is being looked at.
    Analysing,
    /// Announced, not yet complete.
    Draft,
    /// Could not be analysed.
    Failed,
    /// May be played.
    Ready,
    /// Taken out of the catalogue; its history stays.
    Withdrawn,
}

/// How a play ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "roomtone_schema::play::PlayEnd")]
pub(super) enum PlayEnd {
    /// Its file could not be played.
    Failed,
    /// It played to its end.
    Finished,
    /// Somebody skipped it.
    Skipped,
    /// The player stopped.
    Stopped,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, InputObject)]
pub(super) struct DateTimeRange {
    /// From then on.
    from: scalar::DateTime,
    /// Until then, exclusive.
    to: scalar::DateTime,
}

impl From<DateTimeRange> for Range {
    fn from(given: DateTimeRange) -> Self {
        Self { from: given.from.0, to: given.to.0 }
    }
}

/// A time as the API shows it.
pub(super) fn date(at: DateTime<Utc>) -> scalar::DateTime {
    scalar::DateTime(at)
}
