//! What happened in a venue, in numbers.
//!
//! Short ranges are counted from the facts themselves. Check-ins and votes are forgotten after some months, so longer
//! ranges, and those that begin before that, come from the sums of whole days, which stay: there the ends are days of
//! the venue's calendar, people are counted once a day, and an hour cannot be told from another.

use std::collections::HashMap;

use chrono::TimeDelta;
use roomtone_schema::{SongId, UnixMillis, UserId, VenueId};

use crate::cloud::Cloud;
use crate::refusal::{Refusal, Unmet};
use crate::store::venue_daily;
use crate::upkeep::Retention;

pub use crate::store::songs_playing::Range;
pub use crate::store::venue_daily::{Counts, Point};

/// The longest range that is counted from the facts.
const FACTS: TimeDelta = TimeDelta::days(62);
/// The longest range by the hour.
const HOURLY: TimeDelta = TimeDelta::days(14);
/// The longest range at all.
const LONGEST: TimeDelta = TimeDelta::days(800);

/// How finely a range is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// By the venue's days.
    Day,
    /// By the hour.
    Hour,
    /// By weeks, from Monday.
    Week,
}

/// A range of one venue's time, to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Whose.
    pub venue: VenueId,
    /// What of time.
    pub range: Range,
    /// How finely.
    pub bucket: Bucket,
}

impl Question {
    /// Looks whether this can be answered.
    ///
    /// # Errors
    /// Refused where the range is empty, too long for what is asked, or by the hour of what is only known by the day.
    pub fn checked(self, now: UnixMillis) -> Result<Self, Unmet> {
        let span = check(self.range, LONGEST)?;
        if self.bucket == Bucket::Hour && (span > HOURLY || !self.is_of_facts(now)) {
            let within = "by the hour, ask for at most 14 days, of the last 90";
            return Err(Refusal::invalid("bucket", within).into());
        }
        Ok(self)
    }

    /// Whether all the facts of the range are still there: those that go first, too.
    fn is_of_facts(&self, now: UnixMillis) -> bool {
        let kept = Retention::default();
        let days = kept.sessions.min(kept.votes).min(kept.plays).cast_signed();
        let oldest = now.0 - TimeDelta::days(days).num_milliseconds();
        self.range.to - self.range.from <= FACTS && self.range.from.timestamp_millis() >= oldest
    }
}

/// The span of a range that is not empty and not longer than `longest`.
pub(crate) fn check(range: Range, longest: TimeDelta) -> Result<TimeDelta, Refusal> {
    let span = range.to - range.from;
    if span <= TimeDelta::zero() {
        return Err(Refusal::invalid("range", "the range must begin before it ends"));
    }
    if span > longest {
        return Err(Refusal::invalid("range", format!("ask for at most {} days", longest.num_days())));
    }
    Ok(span)
}

/// The sums of the whole range.
///
/// # Errors
/// Where the database fails.
pub async fn counts(cloud: &Cloud, user: UserId, question: Question) -> Result<Counts, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    if question.is_of_facts(cloud.now()) {
        return Ok(venue_daily::of_facts(&mut work, question.venue, question.range).await?);
    }
    let days = venue_daily::series_of_days(&mut work, question.venue, question.range, "day").await?;
    let songs = venue_daily::songs_of_days(&mut work, question.venue, question.range).await?;
    let sum = |of: fn(&Counts) -> i64| days.iter().map(|day| of(&day.counts)).sum();
    Ok(Counts {
        plays: sum(|day| day.plays),
        songs,
        listeners: sum(|day| day.listeners),
        likes: sum(|day| day.likes),
        dislikes: sum(|day| day.dislikes),
        plan_ms: sum(|day| day.plan_ms),
        cache_ms: sum(|day| day.cache_ms),
    })
}

/// How many people are checked in at some venues now, as far as their hubs have told.
///
/// # Errors
/// Where the database fails.
pub async fn people_now(
    cloud: &Cloud,
    user: UserId,
    venues: &[VenueId],
) -> Result<HashMap<VenueId, i64>, Unmet> {
    let mut work = cloud.database.as_user(user).await?;
    let visits = venue_daily::visits(&mut work, venues, cloud.now_utc()).await?;
    Ok(visits.into_iter().map(|(venue, people)| (*venue, people)).collect())
}

/// The sums of each hour, day or week in which anything happened.
///
/// # Errors
/// Where the database fails.
pub async fn series(cloud: &Cloud, user: UserId, question: Question) -> Result<Vec<Point>, Unmet> {
    let every = match question.bucket {
        Bucket::Day => "day",
        Bucket::Hour => "hour",
        Bucket::Week => "week",
    };
    let Question { venue, range, .. } = question;
    let mut work = cloud.database.as_user(user).await?;
    Ok(if question.is_of_facts(cloud.now()) {
        venue_daily::series_of_facts(&mut work, venue, range, every).await?
    } else {
        venue_daily::series_of_days(&mut work, venue, range, every).await?
    })
}

/// The songs that were played most, and how often.
///
/// # Errors
/// Where the database fails.
pub async fn top_songs(
    cloud: &Cloud,
    user: UserId,
    question: Question,
    first: i64,
) -> Result<Vec<(SongId, i64)>, Unmet> {
    let Question { venue, range, .. } = question;
    let mut work = cloud.database.as_user(user).await?;
    let top = if question.is_of_facts(cloud.now()) {
        venue_daily::top_of_facts(&mut work, venue, range, first).await?
    } else {
        venue_daily::top_of_days(&mut work, venue, range, first).await?
    };
    Ok(top.into_iter().map(|(song, plays)| (*song, plays)).collect())
}
