//! What happened in a venue, in numbers.
//!
//! Short ranges are counted from the facts themselves. Votes and check-ins are forgotten after some weeks, so longer
//! ranges come from the sums of whole days, which stay: there the ends are days of the venue's calendar, people are
//! counted once a day, and an hour cannot be told from another.

use chrono::TimeDelta;
use roomtone_schema::{SongId, UserId, VenueId};

use crate::cloud::Cloud;
use crate::refusal::{Refusal, Unmet};
use crate::store::venue_daily;

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
    /// Refused where the range is empty or too long for what is asked.
    pub fn checked(self) -> Result<Self, Unmet> {
        let span = check(self.range, LONGEST)?;
        if self.bucket == Bucket::Hour && span > HOURLY {
            return Err(Refusal::invalid("bucket", "by the hour, ask for at most 14 days").into());
        }
        Ok(self)
    }

    fn from_facts(&self) -> bool {
        self.range.to - self.range.from <= FACTS
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
    if question.from_facts() {
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
    Ok(if question.from_facts() {
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
    let top = if question.from_facts() {
        venue_daily::top_of_facts(&mut work, venue, range, first).await?
    } else {
        venue_daily::top_of_days(&mut work, venue, range, first).await?
    };
    Ok(top.into_iter().map(|(song, plays)| (*song, plays)).collect())
}
